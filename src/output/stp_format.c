/*
 * stp_format.c - SystemTap's printf: one optional flag, all numbers 64 bits.
 *
 * Differences from C: %b writes the number's bytes, %m and %M write memory (as bytes, as hex
 * digits; the front end sends it as a buffer), %#c escapes, %p of zero is 0x0, %0s adds the NUL.
 */
#include "output/parts.h"

/* After the `%`; returns the conversion's letter. */
static char parse(const char **at, struct directive *d, struct format_args *a)
{
	const char *p = *at;
	*d = directive_plain;
	switch (*p) {
	case '0': d->zero = true, p++; break;
	case '+': d->plus = true, p++; break;
	case '-': d->left = true, p++; break;
	case ' ': d->space = true, p++; break;
	case '#': d->alt = true, p++; break;
	default: break;
	}
	/* unlike C's, a negative width is none */
	d->width = format_width(&p, a, 0);
	if (*p == '.') {
		p++;
		d->prec = format_width(&p, a, 0);
	}
	if (*p == 'l')
		p++;
	*at = *p ? p + 1 : p;
	return *p;
}

static void out_char(struct buf *out, const struct directive *d, uint8_t c)
{
	static const char plain[] = "\a\b\f\n\r\t\v'\\", letter[] = "abfnrtv'\\";
	size_t start = out->len;
	const char *e = c && d->alt ? strchr(plain, c) : NULL;
	if (e)
		buf_printf(out, "\\%c", letter[e - plain]);
	else if (d->alt && (c < 32 || c > 126))
		buf_printf(out, "\\%03o", c);
	else
		buf_putc(out, (char)c);
	out_pad_since(out, start, d);
}

static void out_binary(struct buf *out, const struct directive *d, uint64_t v)
{
	int n = d->width == 1 || d->width == 2 || d->width == 4 ? d->width : 8;
	buf_add(out, &v, (size_t)n);
}

static void out_memory(struct buf *out, const struct directive *d, const struct value *v, bool hex)
{
	size_t start = out->len;
	uint32_t n = 0;
	if (v->type->kind != TYPE_BUF || v->size < 4)
		return;
	memcpy(&n, v->data, 4);
	n = MIN(n, v->size - 4);
	for (uint32_t i = 0; hex && i < n; i++)
		buf_printf(out, "%02x", v->data[4 + i]);
	if (!hex)
		buf_add(out, v->data + 4, n);
	out_pad_since(out, start, d);
}

static void out_string(struct exporter *x, struct buf *out, const struct directive *d,
		       const struct value *v)
{
	size_t start = out->len, n = 0;
	const char *s = NULL;
	if (v->type->kind == TYPE_STR) {
		value_string(v, &s, &n);
		stp_text(x, s, d->prec >= 0 ? MIN(n, (size_t)d->prec) : n, out);
	} else {
		format_value_bt(x, v, out);
	}
	if (d->zero)
		buf_putc(out, 0);
	out_pad_since(out, start, d);
}

/*
 * A number as number() of SystemTap's runtime (vsprintf.c) writes it.  Unlike C's: # writes its prefix before zero too, a precision of
 * 0 does not hide a zero, and a precision does not switch off zero-padding.
 */
static void out_stp_number(struct buf *out, const struct directive *d, bool is_signed, uint64_t v, unsigned base,
			   bool upper)
{
	char room[24], *end = room + sizeof(room), *p = end;
	bool neg = is_signed && (int64_t)v < 0;
	const char *prefix = neg ? "-" : is_signed && d->plus ? "+" : is_signed && d->space ? " " : "";
	if (d->alt && !is_signed)
		prefix = base == 8 ? "0" : base == 16 ? (upper ? "0X" : "0x") : "";
	for (v = neg ? 0 - v : v; p == end || v; v /= base)
		*--p = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
	size_t n = (size_t)(end - p), zeros = d->prec > (int)n ? (size_t)d->prec - n : 0;
	size_t total = strlen(prefix) + zeros + n, width = d->width > 0 ? (size_t)d->width : 0;
	size_t pad = width > total ? width - total : 0;
	if (!d->left)
		buf_fill(out, ' ', d->zero ? 0 : pad);
	buf_puts(out, prefix);
	buf_fill(out, '0', zeros + (d->zero && !d->left ? pad : 0));
	buf_add(out, p, n);
	buf_fill(out, ' ', d->left ? pad : 0);
}

static void apply(struct exporter *x, char c, const struct directive *d, const struct value *v,
		  struct buf *out)
{
	int64_t n = c == 's' || c == 'm' || c == 'M' ? 0 : value_number(v);
	switch (c) {
	case 'd':
	case 'i': out_stp_number(out, d, true, (uint64_t)n, 10, false); break;
	case 'u': out_stp_number(out, d, false, (uint64_t)n, 10, false); break;
	case 'o': out_stp_number(out, d, false, (uint64_t)n, 8, false); break;
	case 'x':
	case 'X': out_stp_number(out, d, false, (uint64_t)n, 16, c == 'X'); break;
	case 'p': {
		struct directive alt = *d;
		alt.alt = true;
		out_stp_number(out, &alt, false, (uint64_t)n, 16, false);
		break;
	}
	case 'c': out_char(out, d, (uint8_t)n); break;
	case 'b': out_binary(out, d, (uint64_t)n); break;
	case 'm':
	case 'M': out_memory(out, d, v, c == 'M'); break;
	case 's': out_string(x, out, d, v); break;
	default: break;
	}
}

void format_stp(struct exporter *x, const char *fmt, const struct value *args, unsigned n,
		struct buf *out)
{
	struct format_args a = {args, n, 0};
	while (*fmt) {
		const char *percent = strchrnul(fmt, '%');
		buf_add(out, fmt, (size_t)(percent - fmt));
		if (!*percent)
			return;
		fmt = percent + 1;
		struct directive d;
		char c = parse(&fmt, &d, &a);
		const struct value *v = c == '%' ? NULL : format_next_arg(&a);
		if (c == '%')
			buf_putc(out, '%');
		else if (v)
			apply(x, c, &d, v, out);
	}
}
