/*
 * fold.c - constants, algebra, extensions, addresses, and phis of one value; one sweep in reverse
 * postorder.
 *
 * The verifier's view: a value that a comparison or a branch looks at carries what was proved about
 * it. Rules that would make an expression start from the operand of such a value ("look through"
 * it) are not applied, so that what was checked is what is used.
 */
#include "ir/impl.h"

enum {
	MAX_REWRITES = 8
};

struct fold {
	struct ir_fn *fn;
	struct ir_replace replace;
	bool *checked; /* by ir_ref: an operand of a comparison or branch */
	size_t nold;
	struct numtab pool; /* value -> its CONST in the entry block */
};

static void find_checked(struct fold *f)
{
	for (ir_ref r = 1; r < f->nold; r++) {
		const struct ir_insn *i = ir_at_ref(f->fn, r);
		bool compares = i->op >= IR_EQ && i->op <= IR_SLE;
		uint32_t n = compares ? 2 : i->op == IR_BR || i->op == IR_SELECT ? 1 : 0;
		for (uint32_t k = 0; k < n; k++)
			f->checked[i->arg[k]] = true;
	}
}

static bool may_look_through(void *arg, ir_ref r)
{
	const struct fold *f = arg;
	return r >= f->nold || !f->checked[r];
}

/* Each constant exists once, in the entry block. */
static ir_ref pooled(struct fold *f, int64_t c)
{
	ir_ref r = (ir_ref)(uintptr_t)numtab_get(&f->pool, (uint64_t)c);
	if (!r) {
		r = ir_entry_const(f->fn, c);
		numtab_set(&f->pool, (uint64_t)c, (void *)(uintptr_t)r);
	}
	return r;
}

/* What was checked under the one name was checked under the other. */
static void become(struct fold *f, ir_ref r, ir_ref other)
{
	if (r < f->nold && other < f->nold)
		f->checked[other] |= f->checked[r];
	ir_replace_set(&f->replace, r, other);
	ir_remove(f->fn, r);
}

static void pool_constants(struct fold *f)
{
	for (ir_ref r = 1; r < f->nold; r++) {
		int64_t c;
		if (!ir_is_removed(f->fn, r) && ir_is_const(f->fn, r, &c))
			become(f, r, pooled(f, c));
	}
}

static void fold_compute(struct fold *f, ir_ref r)
{
	for (unsigned round = 0; round < MAX_REWRITES; round++) {
		struct ir_insn *i = ir_at_ref(f->fn, r);
		struct ir_simplified s = ir_simplify(f->fn, i, may_look_through, f);
		if (s.what == IR_TO_CONST) {
			become(f, r, pooled(f, s.c));
			return;
		}
		if (s.what == IR_TO_REF) {
			become(f, r, s.r);
			return;
		}
		if (s.what == IR_SAME)
			return;
		for (unsigned k = 0; k < 3; k++) {
			if (!(s.need_const & 1u << k))
				continue;
			ir_ref c = pooled(f, s.c);
			ir_at_ref(f->fn, r)->arg[k] = c;
		}
	}
}

/* -1: the edge says nothing about `v`; else the value (0 or 1) that it must have there. */
static int known_on_edge(const struct ir_fn *fn, uint32_t from, uint32_t to, ir_ref v)
{
	const struct ir_block *b = &fn->block.at[from];
	if (ir_nsucc(b) != 2 || b->succ[0] == b->succ[1])
		return -1;
	bool taken = b->succ[0] == to;
	ir_ref cond = ir_at_ref(fn, b->last)->arg[0];
	const struct ir_insn *i = ir_at_ref(fn, v);
	bool is_compare = i->op >= IR_EQ && i->op <= IR_SLE;
	int64_t c;
	if (v == cond)
		return !taken ? 0 : is_compare ? 1 : -1;
	if ((i->op != IR_EQ && i->op != IR_NE) || i->arg[0] != cond ||
	    !ir_is_const(fn, i->arg[1], &c) || c)
		return -1;
	return (i->op == IR_NE) == taken;
}

/* `a && b`: the phi gets a != 0 on the way where a is 0. */
static void fold_phi_args(struct fold *f, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(f->fn, r);
	const struct ir_block *block = &f->fn->block.at[i->block];
	for (uint32_t k = 0; k < i->nargs; k++) {
		int v = known_on_edge(f->fn, block->pred.at[k], i->block, i->arg[k]);
		if (v < 0)
			continue;
		ir_ref c = pooled(f, v); /* may move instructions */
		i = ir_at_ref(f->fn, r);
		i->arg[k] = c;
	}
}

/* A phi whose arguments are all one value, or itself, is that value. */
static void fold_phi(struct fold *f, ir_ref r)
{
	fold_phi_args(f, r);
	const struct ir_insn *i = ir_at_ref(f->fn, r);
	ir_ref one = 0;
	for (uint32_t k = 0; k < i->nargs; k++) {
		if (i->arg[k] == r || i->arg[k] == one)
			continue;
		if (one)
			return;
		one = i->arg[k];
	}
	if (one)
		become(f, r, one);
}

/* `x != 0` is what a branch asks anyway. */
static void fold_branch(struct fold *f, ir_ref r)
{
	struct ir_insn *i = ir_at_ref(f->fn, r);
	struct ir_block *b = &f->fn->block.at[i->block];
	const struct ir_insn *c = ir_at_ref(f->fn, i->arg[0]);
	int64_t zero;
	if ((c->op != IR_NE && c->op != IR_EQ) || !ir_is_const(f->fn, c->arg[1], &zero) || zero)
		return;
	if (c->op == IR_EQ) {
		if (b->succ[0] == b->succ[1])
			return;
		uint32_t then = b->succ[0];
		b->succ[0] = b->succ[1];
		b->succ[1] = then;
	}
	i->arg[0] = c->arg[0];
}

void ir_pass_fold(struct ir_fn *fn)
{
	struct fold f = {.fn = fn, .nold = fn->insn.len};
	f.checked = xcalloc(f.nold, sizeof(*f.checked));
	uint32_t *order = xcalloc(fn->block.len, sizeof(*order));
	uint32_t n = ir_rpo(fn, order);
	ir_replace_init(&f.replace, fn);
	find_checked(&f);
	pool_constants(&f);
	for (uint32_t k = 0; k < n; k++) {
		IR_EACH(fn, order[k], r)
		{
			struct ir_insn *i = ir_at_ref(fn, r);
			ir_replace_args(&f.replace, i);
			if (i->op == IR_PHI)
				fold_phi(&f, r);
			else if (i->op == IR_BR)
				fold_branch(&f, r);
			else
				fold_compute(&f, r);
		}
	}
	ir_replace_apply(&f.replace, fn);
	ir_replace_free(&f.replace);
	numtab_free(&f.pool);
	base_free(order);
	base_free(f.checked);
}
