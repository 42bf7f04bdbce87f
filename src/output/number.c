/* number.c - numbers and padding by the rules of C's printf, without going through it: this is the
 * event path. */
#include "output/parts.h"

const struct directive directive_plain = {.prec = -1};

const struct value *format_next_arg(struct format_args *a)
{
	return a->next < a->n ? &a->at[a->next++] : NULL;
}

int format_width(const char **p, struct format_args *a, int least)
{
	int n = 0;
	if (**p == '*') {
		const struct value *v = format_next_arg(a);
		(*p)++;
		return v ? (int)MAX(least, MIN(value_number(v), MAX_WIDTH)) : 0;
	}
	for (; **p >= '0' && **p <= '9'; (*p)++)
		n = MIN(n * 10 + (**p - '0'), MAX_WIDTH);
	return n;
}

static char *digits_of(char *end, uint64_t v, unsigned base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	if (base == 10) {
		do
			*--end = (char)('0' + v % 10);
		while (v /= 10);
		return end;
	}
	unsigned shift = base == 16 ? 4 : 3;
	do
		*--end = set[v & (base - 1)];
	while (v >>= shift);
	return end;
}

void out_uint(struct buf *out, uint64_t v)
{
	char room[24], *end = room + sizeof(room), *p = digits_of(end, v, 10, false);
	buf_add(out, p, (size_t)(end - p));
}

void out_int(struct buf *out, int64_t v)
{
	if (v < 0) {
		buf_putc(out, '-');
		out_uint(out, 0 - (uint64_t)v);
	} else {
		out_uint(out, (uint64_t)v);
	}
}

void out_hex(struct buf *out, uint64_t v)
{
	char room[24], *end = room + sizeof(room), *p = digits_of(end, v, 16, false);
	buf_add(out, "0x", 2);
	buf_add(out, p, (size_t)(end - p));
}

void out_number(struct buf *out, const struct directive *d, bool is_signed, bool neg, uint64_t mag,
		unsigned base, bool upper)
{
	char room[24], *end = room + sizeof(room), *p = digits_of(end, mag, base, upper);
	const char *prefix = "";
	if (is_signed)
		prefix = neg ? "-" : d->plus ? "+" : d->space ? " " : "";
	else if (d->alt && base == 16 && mag)
		prefix = upper ? "0X" : "0x";
	if (mag == 0 && d->prec == 0)
		p = end;
	size_t n = (size_t)(end - p), npre = strlen(prefix), zeros = 0;
	if (d->prec > 0 && (size_t)d->prec > n)
		zeros = (size_t)d->prec - n;
	if (d->alt && base == 8 && !zeros && (n == 0 || *p != '0'))
		zeros = 1;
	size_t total = npre + zeros + n, width = d->width > 0 ? (size_t)d->width : 0;
	size_t pad = width > total ? width - total : 0;
	if (pad && d->zero && !d->left && d->prec < 0) {
		zeros += pad;
		pad = 0;
	}
	if (pad && !d->left)
		buf_fill(out, ' ', pad);
	buf_add(out, prefix, npre);
	buf_fill(out, '0', zeros);
	buf_add(out, p, n);
	if (pad && d->left)
		buf_fill(out, ' ', pad);
}

void out_pad_since(struct buf *out, size_t start, const struct directive *d)
{
	size_t n = out->len - start, width = d->width > 0 ? (size_t)d->width : 0;
	if (n >= width)
		return;
	buf_fill(out, ' ', width - n);
	if (d->left)
		return;
	memmove(out->data + start + (width - n), out->data + start, n);
	memset(out->data + start, ' ', width - n);
}

void out_padded(struct buf *out, const struct directive *d, const char *s, size_t n)
{
	size_t start = out->len;
	buf_add(out, s, n);
	out_pad_since(out, start, d);
}
