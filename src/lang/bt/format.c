/*
 * format.c - printf formats at compile time: how many directives there are, and which types they
 * take.
 *
 * A directive is %[-][+][ ][#][0][width][.precision][hlLjzt...]conversion; the flags come in this
 * order. What does not match is plain text, as in bpftrace.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "lang/bt/calls.h"

static const char *skip_number(const char *p)
{
	if (*p == '*')
		return p + 1;
	while (isdigit((unsigned char)*p))
		p++;
	return p;
}

/* p is at '%': its end, or NULL when it is no directive. */
static const char *read_directive(const char *p, struct bt_directive *d)
{
	*d = (struct bt_directive){.begin = p++};
	for (const char *flag = "-+ #0"; *flag; flag++) {
		if (*p == *flag)
			p++;
	}
	d->stars += *p == '*';
	p = skip_number(p);
	if (*p == '.' && (p[1] == '*' || isdigit((unsigned char)p[1]))) {
		d->stars += p[1] == '*';
		p = skip_number(p + 1);
	}
	while (*p && strchr("hlLjzt", *p))
		p++;
	unsigned n = 0;
	if (*p == 'g' && p[1] == 'r')
		n = 2;
	else if (*p == 'r')
		n = p[1] == 'h' || p[1] == 'x' ? 2 : 1;
	else if (*p && strchr("diouxXeEfFgGaAcspn%", *p))
		n = 1;
	if (!n)
		return NULL;
	memcpy(d->conv, p, n);
	return d->end = p + n;
}

const char *bt_next_directive(const char *p, struct bt_directive *d)
{
	for (; *p; p++) {
		if (*p != '%')
			continue;
		const char *end = read_directive(p, d);
		if (end && strcmp(d->conv, "%") != 0)
			return end;
		if (end)
			p = end - 1;
	}
	return NULL;
}

const char *bt_format_directive(const char *fmt, unsigned i, char buf[4])
{
	struct bt_directive d;
	for (const char *p = fmt; (p = bt_next_directive(p, &d)); i--)
		if (!i)
			return memcpy(buf, d.conv, sizeof(d.conv));
	return NULL;
}

static bool takes(const char *conv, const struct type *t)
{
	if (!strcmp(conv, "s"))
		return true;
	if (conv[0] == 'r')
		return t->kind == TYPE_BUF;
	return bt_is_int(t) || t->kind == TYPE_BOOL || t->kind == TYPE_PTR;
}

/* One argument against the conversion that prints it. */
static bool check_arg(struct bt_sema *s, struct bt_expr *e, struct type *t, const char *conv)
{
	if (!t)
		return false;
	if (t->kind == TYPE_NONE) {
		bt_err(s, e->loc, "unable to print none type for specifier: %s", conv);
	} else if (strlen(conv) == 1 && !strchr("diuoxXcrsp", conv[0])) {
		bt_err(s, e->loc, "unsupported format specifier: %s", conv);
	} else if (!takes(conv, t)) {
		bt_err(s, e->loc, "unsupported format specifier for type '%s': %s", bt_spell(s, t),
		       conv);
	} else {
		return true;
	}
	return false;
}

/* How many arguments a format takes. */
static unsigned arguments(const char *fmt)
{
	struct bt_directive d;
	unsigned n = 0;
	for (const char *p = fmt; (p = bt_next_directive(p, &d));)
		n += 1 + d.stars;
	return n;
}

void bt_format_nuls(struct arena *a, struct bt_expr *e)
{
	struct bt_expr *fmt = e->kid[0];
	struct buf text = {0};
	VEC(struct bt_expr *) kids = {0};
	unsigned next = 1;
	vec_push(&kids, fmt);
	for (const char *p = fmt->text, *end = p + fmt->len;; p += strlen(p) + 1) {
		for (unsigned n = arguments(p); n && next < e->nkid; n--)
			vec_push(&kids, e->kid[next++]);
		buf_puts(&text, p);
		if (p + strlen(p) == end)
			break;
		struct bt_expr *nul = arena_memdup(a, fmt, sizeof(*fmt));
		bt_make_int(nul, 0, false);
		vec_push(&kids, nul);
		buf_puts(&text, "%c");
	}
	while (next < e->nkid)
		vec_push(&kids, e->kid[next++]);
	fmt->len = (uint32_t)text.len;
	fmt->text = arena_strdup(a, buf_str(&text));
	e->kid = arena_memdup(a, kids.at, kids.len * sizeof(*kids.at));
	e->nkid = (unsigned)kids.len;
	buf_free(&text);
	vec_free(&kids);
}

bool bt_format_check(struct bt_sema *s, struct bt_expr *e, const char *fmt, unsigned first)
{
	struct bt_directive d;
	unsigned want = arguments(fmt), have = e->nkid - first;
	if (have != want) {
		bt_err(s, e->loc, "%s arguments for format string (%u supplied, %u expected)",
		       have < want ? "not enough" : "too many", have, want);
		return false;
	}
	struct bt_expr **arg = e->kid + first;
	for (const char *p = fmt; (p = bt_next_directive(p, &d)); arg++) {
		for (; d.stars; d.stars--, arg++)
			if (!check_arg(s, e, (*arg)->type, "d"))
				return false;
		if (!check_arg(s, e, (*arg)->type, d.conv))
			return false;
	}
	return true;
}

static void add_constant(struct buf *out, const struct bt_directive *d, const struct bt_expr *e)
{
	const char *text;
	uint32_t len;
	int64_t v = 0;
	if (bt_const_str(e, &text, &len)) {
		buf_add(out, text, len);
		return;
	}
	bt_const_int(e, &v);
	if (e->kind == BT_BOOL)
		buf_puts(out, v ? "true" : "false");
	else if (d->conv[0] == 'x' || d->conv[0] == 'p')
		buf_printf(out, "%" PRIx64, (uint64_t)v);
	else if (d->conv[0] == 'u' || (e->type && !e->type->is_signed && v < 0))
		buf_printf(out, "%" PRIu64, (uint64_t)v);
	else
		buf_printf(out, "%" PRId64, v);
}

char *bt_format_without(struct arena *a, const char *fmt, bool *gone, unsigned n, const char *text)
{
	struct buf out = {0};
	struct bt_directive d;
	unsigned i = 0;
	while (*fmt) {
		const char *end = *fmt == '%' ? read_directive(fmt, &d) : NULL;
		if (!end) {
			buf_putc(&out, *fmt++);
			continue;
		}
		unsigned first = i;
		bool some = false;
		i += d.conv[0] == '%' ? 0 : d.stars + 1;
		for (unsigned k = first; k < i && k < n; k++)
			some |= gone[k];
		for (unsigned k = first; some && k < i && k < n; k++)
			gone[k] = true; /* its width too */
		if (some)
			buf_puts(&out, text);
		else
			buf_add(&out, fmt, (size_t)(end - fmt));
		fmt = end;
	}
	char *ret = arena_strdup(a, buf_str(&out));
	buf_free(&out);
	return ret;
}

char *bt_format_constants(struct arena *a, const char *fmt, struct bt_expr *const *arg, unsigned n)
{
	struct buf out = {0};
	struct bt_directive d;
	unsigned i = 0;
	for (const char *p = fmt; *p;) {
		const char *end = *p == '%' ? read_directive(p, &d) : NULL;
		if (!end) {
			buf_putc(&out, *p++);
			continue;
		}
		if (d.conv[0] == '%')
			buf_putc(&out, '%');
		else if (i < n)
			add_constant(&out, &d, arg[i++]);
		p = end;
	}
	char *text = arena_strdup(a, buf_str(&out));
	buf_free(&out);
	return text;
}
