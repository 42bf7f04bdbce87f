/*
 * cse.c - what a dominating block computed already is not computed again.
 *
 * Shared are pure operations, helpers whose value is stable while the function runs, and loads from
 * the context, which tracing programs cannot change.  Map lookups and other memory are never
 * shared.  A branch on a condition that a dominating branch decided gets a constant: the value it
 * was decided on is the same, so the verifier knows it too.
 */
#include <linux/bpf.h>

#include "ir/impl.h"
#include "ir/program.h"

struct fact { /* to undo when its scope ends */
	ir_ref r;
	bool is_condition;
};
struct cse {
	struct ir_fn *fn;
	struct ir_replace replace;
	ir_ref *bucket, *chain; /* values by hash; newest first */
	uint32_t mask;
	size_t nold;
	uint8_t *known; /* conditions, by ir_ref: 0, or 1 + truth */
	VEC(struct fact) fact;
	ir_ref truth[2]; /* constants 0 and 1 */
	bool cpu_changes, ctx_changes;
};

static bool is_ctx(const struct ir_fn *fn, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(fn, r);
	return fn->kind == IR_ENTRY && i->op == IR_PARAM && i->imm == 0;
}

static bool is_shareable(const struct cse *c, const struct ir_insn *i)
{
	switch (i->op) {
	case IR_SLOT: return false;
	case IR_CONST: return !i->sym;
	case IR_LOAD: return is_ctx(c->fn, i->arg[0]) && !c->ctx_changes;
	case IR_HELPER:
		if (i->imm == BPF_FUNC_get_smp_processor_id && c->cpu_changes)
			return false;
		return ir_helper_is_stable(i->imm);
	default: return ir_has(i, IR_PURE);
	}
}

static uint64_t hash_insn(const struct ir_insn *i)
{
	uint64_t h = hash_num((uint64_t)i->op << 16 | (uint64_t)i->width << 8 | i->is_signed);
	h = hash_num(h ^ (uint64_t)i->imm);
	h = hash_num(h ^ (uintptr_t)i->sym);
	for (uint32_t k = 0; k < i->nargs; k++)
		h = hash_num(h ^ i->arg[k]);
	return h;
}

static bool same_insn(const struct ir_insn *a, const struct ir_insn *b)
{
	return a->op == b->op && a->width == b->width && a->is_signed == b->is_signed &&
	       a->imm == b->imm && a->sym == b->sym && a->nargs == b->nargs &&
	       (!a->nargs || !memcmp(a->arg, b->arg, a->nargs * sizeof(*a->arg)));
}

static void share(struct cse *c, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	ir_ref *bucket = &c->bucket[hash_insn(i) & c->mask];
	for (ir_ref other = *bucket; other; other = c->chain[other]) {
		if (!same_insn(ir_at_ref(c->fn, other), i))
			continue;
		ir_replace_set(&c->replace, r, other);
		ir_remove(c->fn, r);
		return;
	}
	c->chain[r] = *bucket;
	*bucket = r;
	vec_push(&c->fact, (struct fact){.r = r});
}

/* The block has one predecessor, which branched here. */
static void learn_condition(struct cse *c, uint32_t b)
{
	const struct ir_block *block = &c->fn->block.at[b];
	if (block->pred.len != 1)
		return;
	const struct ir_block *from = &c->fn->block.at[block->pred.at[0]];
	if (ir_nsucc(from) != 2)
		return;
	ir_ref cond = ir_at_ref(c->fn, from->last)->arg[0];
	if (cond >= c->nold || c->known[cond])
		return;
	c->known[cond] = 1 + (from->succ[0] == b);
	vec_push(&c->fact, (struct fact){.r = cond, .is_condition = true});
}

static void use_condition(struct cse *c, ir_ref r)
{
	struct ir_insn *i = ir_at_ref(c->fn, r);
	if (i->arg[0] < c->nold && c->known[i->arg[0]])
		i->arg[0] = c->truth[c->known[i->arg[0]] - 1];
}

static void forget(struct cse *c, size_t mark)
{
	while (c->fact.len > mark) {
		struct fact f = vec_pop(&c->fact);
		if (f.is_condition) {
			c->known[f.r] = 0;
			continue;
		}
		uint64_t h = hash_insn(ir_at_ref(c->fn, f.r));
		c->bucket[h & c->mask] = c->chain[f.r];
	}
}

static void visit_block(struct cse *c, uint32_t b)
{
	learn_condition(c, b);
	IR_EACH(c->fn, b, r)
	{
		struct ir_insn *i = ir_at_ref(c->fn, r);
		ir_replace_args(&c->replace, i);
		if (i->op == IR_BR || i->op == IR_SELECT)
			use_condition(c, r);
		if (is_shareable(c, ir_at_ref(c->fn, r)))
			share(c, r);
	}
}

static void visit_all(struct cse *c)
{
	struct visit {
		uint32_t block;
		bool leave;
		size_t mark;
	};
	struct ir_dom dom;
	ir_dom_init(&dom, c->fn);
	VEC(struct visit) stack = {0};
	vec_push(&stack, (struct visit){.block = 1});
	while (stack.len) {
		struct visit v = vec_pop(&stack);
		if (v.leave) {
			forget(c, v.mark);
			continue;
		}
		vec_push(&stack, (struct visit){.leave = true, .mark = c->fact.len});
		visit_block(c, v.block);
		for (uint32_t k = dom.child[v.block]; k; k = dom.sibling[k])
			vec_push(&stack, (struct visit){.block = k});
	}
	vec_free(&stack);
	ir_dom_free(&dom);
}

/* Parameters are there from the start: all move to the entry block, where they are shared. */
static void hoist_params(struct ir_fn *fn)
{
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		struct ir_insn i = *ir_at_ref(fn, r);
		if (i.op != IR_PARAM || !i.block)
			continue;
		ir_remove(fn, r);
		*ir_at_ref(fn, r) = i;
		ir_prepend(fn, 1, r);
	}
}

/* A sleepable program can move to another CPU. */
static bool may_sleep(const struct program *p)
{
	vec_each(probe, &p->probe)
		if ((*probe)->sleepable)
			return true;
	return false;
}

static bool writes_ctx(const struct ir_fn *fn)
{
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (ir_has(i, IR_WRITES) && !ir_has(i, IR_CALLS) && is_ctx(fn, i->arg[0]))
			return true;
	}
	return false;
}

void ir_pass_cse(struct ir_fn *fn)
{
	struct cse c = {
		.fn = fn, .cpu_changes = may_sleep(fn->prog), .ctx_changes = writes_ctx(fn)};
	c.truth[0] = ir_entry_const(fn, 0);
	c.truth[1] = ir_entry_const(fn, 1);
	hoist_params(fn);
	c.nold = fn->insn.len;
	c.mask = 63;
	while (c.mask < c.nold)
		c.mask = 2 * c.mask + 1;
	c.bucket = xcalloc((size_t)c.mask + 1, sizeof(*c.bucket));
	c.chain = xcalloc(c.nold, sizeof(*c.chain));
	c.known = xcalloc(c.nold, sizeof(*c.known));
	ir_replace_init(&c.replace, fn);
	visit_all(&c);
	ir_replace_apply(&c.replace, fn);
	ir_replace_free(&c.replace);
	vec_free(&c.fact);
	base_free(c.bucket);
	base_free(c.chain);
	base_free(c.known);
}
