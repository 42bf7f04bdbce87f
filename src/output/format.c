/*
 * format.c - bpftrace's printf on typed values.
 *
 * %d and relatives take the low 32 bits unless a length modifier widens or narrows them; %s takes
 * anything that print() takes.  Flags may come in any order.  An unknown directive is printed as it
 * is.
 */
#include "output/parts.h"

enum conv_kind {
	CONV_SIGNED,
	CONV_UNSIGNED,
	CONV_CHAR,
	CONV_POINTER,
	CONV_STRING,
	CONV_BUFFER,
	CONV_GFP
};

struct conversion {
	enum conv_kind kind;
	unsigned base;
	bool upper;              /* digits */
	bool keep_ascii, escape; /* buffers */
	uint8_t letters;         /* 0: no such conversion */
};

/* By their first letter; those that go on are in the row of the whole name. */
static const struct conversion conversions[128] = {
	['d'] = {CONV_SIGNED, 10, .letters = 1},
	['i'] = {CONV_SIGNED, 10, .letters = 1},
	['u'] = {CONV_UNSIGNED, 10, .letters = 1},
	['o'] = {CONV_UNSIGNED, 8, .letters = 1},
	['x'] = {CONV_UNSIGNED, 16, .letters = 1},
	['X'] = {CONV_UNSIGNED, 16, .upper = true, .letters = 1},
	['c'] = {CONV_CHAR, .letters = 1},
	['p'] = {CONV_POINTER, .letters = 1},
	['s'] = {CONV_STRING, .letters = 1},
	['r'] = {CONV_BUFFER, .keep_ascii = true, .escape = true, .letters = 1},
};
static const struct conversion conv_rx = {CONV_BUFFER, .escape = true, .letters = 2},
			       conv_rh = {CONV_BUFFER, .letters = 2},
			       conv_gr = {CONV_GFP, .letters = 2};

static const struct conversion *find_conversion(const char *p)
{
	if (p[0] == 'g')
		return p[1] == 'r' ? &conv_gr : NULL;
	if (p[0] == 'r' && (p[1] == 'x' || p[1] == 'h'))
		return p[1] == 'x' ? &conv_rx : &conv_rh;
	const struct conversion *c = &conversions[p[0] & 127];
	return p[0] > 0 && c->letters ? c : NULL;
}

static bool parse_flag(char c, struct directive *d)
{
	switch (c) {
	case '-': return d->left = true;
	case '+': return d->plus = true;
	case ' ': return d->space = true;
	case '#': return d->alt = true;
	case '0': return d->zero = true;
	default: return false;
	}
}

static bool is_length(char c)
{
	return c == 'l' || c == 'h' || c == 'L' || c == 'j' || c == 'z' || c == 't';
}

/* After the `%`.  NULL: not a directive. */
static const struct conversion *parse(const char **at, struct directive *d, unsigned *bytes,
				      struct format_args *a)
{
	const char *p = *at;
	*d = directive_plain;
	*bytes = 4;
	while (parse_flag(*p, d))
		p++;
	d->width = format_width(&p, a, -MAX_WIDTH);
	if (d->width < 0) {
		d->left = true;
		d->width = -d->width;
	}
	if (*p == '.') {
		p++;
		d->prec = format_width(&p, a, -MAX_WIDTH);
	}
	if (p[0] == 'h')
		*bytes = p[1] == 'h' ? 1 : 2;
	for (; is_length(*p); p++)
		*bytes = *p == 'h' ? *bytes : 8;
	const struct conversion *c = find_conversion(p);
	if (c)
		*at = p + c->letters;
	return c;
}

static void out_signed(struct buf *out, const struct directive *d, unsigned bytes, int64_t v)
{
	unsigned shift = 64 - 8 * bytes;
	v = (int64_t)((uint64_t)v << shift) >> shift;
	if (!d->width && d->prec < 0 && !d->plus && !d->space)
		out_int(out, v);
	else
		out_number(out, d, true, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false);
}

static void out_unsigned(struct buf *out, const struct directive *d, unsigned bytes,
			 const struct conversion *c, uint64_t v)
{
	unsigned shift = 64 - 8 * bytes;
	out_number(out, d, false, false, v << shift >> shift, c->base, c->upper);
}

static void apply(struct exporter *x, const struct conversion *c, const struct directive *d,
		  unsigned bytes, const struct value *v, struct buf *out)
{
	size_t start = out->len;
	switch (c->kind) {
	case CONV_SIGNED: out_signed(out, d, bytes, value_number(v)); return;
	case CONV_UNSIGNED: out_unsigned(out, d, bytes, c, (uint64_t)value_number(v)); return;
	case CONV_CHAR: buf_putc(out, (char)value_number(v)); break;
	case CONV_POINTER:
		if (value_number(v))
			out_hex(out, (uint64_t)value_number(v));
		else
			buf_putc(out, '0');
		break;
	case CONV_BUFFER:
		if (v->type->kind == TYPE_BUF)
			format_buffer(v, c->keep_ascii, c->escape, out);
		else
			format_value_bt(x, v, out);
		break;
	case CONV_GFP: format_gfp_flags((uint64_t)value_number(v), out); break;
	case CONV_STRING:
		format_value_bt(x, v, out);
		if (d->prec >= 0 && out->len - start > (size_t)d->prec) {
			out->len = start + (size_t)d->prec;
			out->data[out->len] = 0;
		}
		break;
	}
	out_pad_since(out, start, d);
}

void format_bt(struct exporter *x, const char *fmt, const struct value *args, unsigned n,
	       struct buf *out)
{
	struct format_args a = {args, n, 0};
	while (*fmt) {
		const char *percent = strchrnul(fmt, '%');
		buf_add(out, fmt, (size_t)(percent - fmt));
		if (!*percent)
			return;
		fmt = percent + 1;
		if (*fmt == '%') {
			buf_putc(out, *fmt++);
			continue;
		}
		struct directive d;
		unsigned bytes;
		const struct conversion *c = parse(&fmt, &d, &bytes, &a);
		const struct value *v = c ? format_next_arg(&a) : NULL;
		if (v)
			apply(x, c, &d, bytes, v, out);
		if (c)
			continue;
		size_t flags = strspn(fmt, "-+ #0123456789.");
		if (fmt[flags] == '%') /* %5% */
			fmt += flags + 1;
		buf_putc(out, '%');
	}
}
