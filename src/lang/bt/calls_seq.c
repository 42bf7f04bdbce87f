/*
 * calls_seq.c - printf() in iter:NAME:PIN, whose program outlives this one: the kernel formats it for whoever reads the file.
 *
 * bpf_seq_printf() knows %d %i %u %x %X with widths, %s of text in memory, %c and %p; up to 12 values a call (bpf_bprintf_prepare() in
 * kernel/bpf/helpers.c).  Integers are handed over as 64 bits.
 */
#include <ctype.h>
#include <linux/bpf.h>

#include "lang/bt/calls.h"

enum { MAX_VALUES = 12 };

struct seq_print {
	struct buf fmt;
	ir_ref value[MAX_VALUES];
	unsigned n;
};

/* %[flags][width] as written: what the kernel has no word for is refused. */
static bool write_directive(struct seq_print *p, const struct bt_directive *d, const struct type *t)
{
	const char *s = d->begin + 1, *number = s;
	char conv = d->conv[0];

	while (strchr("0+- ", *s) || isdigit((unsigned char)*s))
		s++;
	bool is_plain = !d->stars && (strchr("hlLjzt", *s) || s == d->end - 1) && strlen(d->conv) == 1;
	bool fits = conv == 's' ? t->kind == TYPE_STR : conv == 'p' || (strchr("diuxXc", conv) && t->kind != TYPE_STR);
	/* printf's %d takes the lower 32 bits, %ld all of them */
	const char *wide = strchr("diuxX", conv) && s < d->end - 1 && strchr("lLjzt", *s) ? "ll" : "";

	if (is_plain && fits && conv == 'p')
		buf_puts(&p->fmt, "0x%llx");
	else if (is_plain && fits)
		buf_printf(&p->fmt, "%%%.*s%s%c", (int)(s - number), number, wide, conv);
	return is_plain && fits;
}

static void add_values(struct bt_lower *l, struct bt_expr *e, const char *fmt, struct seq_print *p)
{
	struct bt_directive d;
	unsigned i = 1;

	for (const char *next; (next = bt_next_directive(fmt, &d)); fmt = next, i++) {
		buf_add(&p->fmt, fmt, (size_t)(d.begin - fmt));
		if (p->n == MAX_VALUES || i >= e->nkid || !write_directive(p, &d, e->kid[i]->type)) {
			struct loc at = i < e->nkid ? e->kid[i]->loc : e->loc;
			if (p->n == MAX_VALUES)
				diag_error(l->in->diags, at, "a pinned iterator prints at most %d values at once", MAX_VALUES);
			else
				diag_error(l->in->diags, at, "a pinned iterator cannot print this as %.*s", (int)(d.end - d.begin), d.begin);
			return;
		}
		p->value[p->n++] = bt_lower_expr(l, e->kid[i]);
	}
	buf_puts(&p->fmt, fmt);
}

bool bt_lower_seq_printf(struct bt_lower *l, struct bt_expr *e, const char *fmt)
{
	struct kit *k = &l->kit;
	struct seq_print p = {0};

	if (!l->point || l->point->kind != PK_ITER || !l->point->target)
		return false;
	add_values(l, e, fmt, &p);
	uint32_t at = program_rodata(k->prog, buf_str(&p.fmt), p.fmt.len + 1, 1);
	ir_ref data = ir_const(&k->b, 0);
	if (p.n)
		data = kit_mem(k, 8 * p.n);
	for (unsigned i = 0; i < p.n; i++)
		ir_store(&k->b, data, 8 * i, 8, p.value[i]);
	/* every context starts with struct bpf_iter_meta *, which starts with struct seq_file * */
	ir_ref meta = ir_load(&k->b, kit_ctx(k), 0, 8, false), seq = ir_load(&k->b, meta, 0, 8, false);
	ir_helper(&k->b, BPF_FUNC_seq_printf, seq, ir_mapval(&k->b, k->prog->rodata, at), ir_const(&k->b, (int64_t)p.fmt.len + 1), data,
		  ir_const(&k->b, 8 * p.n));
	buf_free(&p.fmt);
	return true;
}
