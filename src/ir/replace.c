/* replace.c - "use that value instead of this one", gathered and applied in one sweep. */
#include "ir/impl.h"

void ir_replace_init(struct ir_replace *m, const struct ir_fn *fn)
{
	m->len = fn->insn.len;
	m->to = xcalloc(m->len, sizeof(*m->to));
}

/* With path halving: long chains stay cheap. */
ir_ref ir_replace_find(struct ir_replace *m, ir_ref r)
{
	while (r < m->len && m->to[r]) {
		ir_ref next = m->to[r];
		if (next < m->len && m->to[next])
			m->to[r] = m->to[next];
		r = next;
	}
	return r;
}

void ir_replace_set(struct ir_replace *m, ir_ref from, ir_ref to)
{
	to = ir_replace_find(m, to);
	if (from >= m->len || from == to)
		BUG("replacing value %u by %u", from, to);
	m->to[from] = to;
}

void ir_replace_args(struct ir_replace *m, struct ir_insn *i)
{
	for (uint32_t k = 0; k < i->nargs; k++)
		i->arg[k] = ir_replace_find(m, i->arg[k]);
}

void ir_replace_apply(struct ir_replace *m, struct ir_fn *fn)
{
	vec_each(i, &fn->insn)
		ir_replace_args(m, i);
}

void ir_replace_free(struct ir_replace *m)
{
	base_free(m->to);
	m->to = NULL;
}
