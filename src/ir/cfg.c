/*
 * cfg.c - the shape of the control flow.
 *
 * Branches on constants become jumps; a way through a block that only looks at a phi goes straight
 * where the phi's value sends it; a phi knows the condition that led to it; empty blocks vanish; blocks in a
 * row become one.  Never duplicates code.  Two edges from one block to one other never survive with different phi
 * arguments.
 */
#include "ir/impl.h"

enum {
	MAX_ROUNDS = 4,
	MAX_THREADED = 6, /* computations in a block that is threaded through */
};

static bool has_phis(const struct ir_fn *fn, uint32_t b)
{
	ir_ref first = fn->block.at[b].first;
	return first && ir_at_ref(fn, first)->op == IR_PHI;
}

static bool has_edge(const struct ir_fn *fn, uint32_t from, uint32_t to)
{
	const struct ir_block *b = &fn->block.at[from];
	return b->succ[0] == to || b->succ[1] == to;
}

/* --- branches that are known -------------------------------------------------------------------
 */

static void keep_one_way(struct ir_fn *fn, uint32_t b, unsigned keep)
{
	struct ir_block *block = &fn->block.at[b];
	ir_drop_pred(fn, block->succ[!keep], ir_pred_index(fn, b, !keep));
	block->succ[0] = block->succ[keep];
	block->succ[1] = 0;
	struct ir_insn *br = ir_at_ref(fn, block->last);
	br->op = IR_JMP;
	br->nargs = 0;
}

static bool known_branches(struct ir_fn *fn)
{
	bool changed = false;
	for (uint32_t b = 1; b < fn->block.len; b++) {
		const struct ir_block *block = &fn->block.at[b];
		if (ir_nsucc(block) != 2)
			continue;
		int64_t c;
		if (block->succ[0] == block->succ[1])
			keep_one_way(fn, b, 0);
		else if (ir_is_const(fn, ir_at_ref(fn, block->last)->arg[0], &c))
			keep_one_way(fn, b, c == 0);
		else
			continue;
		changed = true;
	}
	return changed;
}

/* A condition that a phi takes along the way that it decided is a constant there. */
static void decide_phis(struct ir_fn *fn)
{
	for (uint32_t b = 1; b < fn->block.len; b++) {
		const uint32_t to[2] = {fn->block.at[b].succ[0], fn->block.at[b].succ[1]};
		if (ir_nsucc(&fn->block.at[b]) != 2 || to[0] == to[1])
			continue;
		ir_ref cond = ir_at_ref(fn, fn->block.at[b].last)->arg[0];
		if (!ir_compares(ir_at_ref(fn, cond)))
			continue;
		for (unsigned n = 0; n < 2; n++) {
			unsigned k = has_phis(fn, to[n]) ? ir_pred_index(fn, b, n) : 0;
			IR_EACH(fn, to[n], r)
			{
				if (ir_at_ref(fn, r)->op != IR_PHI)
					break;
				if (ir_at_ref(fn, r)->arg[k] != cond)
					continue;
				ir_ref truth = ir_entry_const(fn, !n);
				ir_at_ref(fn, r)->arg[k] = truth;
			}
		}
	}
}

/* --- redirecting an edge -----------------------------------------------------------------------
 */

/* Predecessor k of `via` goes to `to`, a successor of `via`, instead; value(phi argument)
 * translates. */
struct detour {
	struct ir_fn *fn;
	uint32_t via, to;
	unsigned k;
	/* what the argument v of a phi of `to` is on this way; 0: not known */
	ir_ref (*value)(struct detour *d, ir_ref v);
	bool known[MAX_THREADED];
	uint64_t computed[MAX_THREADED];
	ir_ref insn[MAX_THREADED];
	unsigned ncomputed;
};

static bool may_redirect(const struct detour *d)
{
	const struct ir_fn *fn = d->fn;
	uint32_t from = fn->block.at[d->via].pred.at[d->k];
	const uint32_t *succ = fn->block.at[from].succ;
	if (d->to == d->via || succ[0] == succ[1])
		return false;
	return !has_phis(fn, d->to) || !has_edge(fn, from, d->to);
}

typedef VEC(ir_ref) ir_refs;

/* What the phis of `to` are on this way, in their order.  False: one is not known. */
static bool detour_values(struct detour *d, unsigned at, ir_refs *out)
{
	IR_EACH(d->fn, d->to, r)
	{
		if (ir_at_ref(d->fn, r)->op != IR_PHI)
			break;
		ir_ref v = d->value(d, ir_at_ref(d->fn, r)->arg[at]);
		if (!v)
			return false;
		vec_push(out, v);
	}
	return true;
}

static void append_phi_args(struct ir_fn *fn, uint32_t to, const ir_refs *value)
{
	ir_ref r = fn->block.at[to].first;
	for (size_t n = 0; n < value->len; n++) {
		struct ir_insn *i = ir_at_ref(fn, r);
		ir_ref *arg = arena_array(fn->arena, ir_ref, i->nargs + 1);
		memcpy(arg, i->arg, i->nargs * sizeof(*arg));
		arg[i->nargs++] = value->at[n];
		i->arg = arg;
		r = i->next;
	}
}

/* The edge from `via`, which nothing reaches any more, becomes the edge from its predecessor. */
static void take_over(struct ir_fn *fn, uint32_t to, unsigned at, uint32_t from,
		      const ir_refs *value)
{
	ir_ref r = fn->block.at[to].first;
	fn->block.at[to].pred.at[at] = from;
	for (size_t n = 0; n < value->len; n++) {
		ir_at_ref(fn, r)->arg[at] = value->at[n];
		r = ir_at_ref(fn, r)->next;
	}
}

static bool redirect(struct detour *d)
{
	struct ir_fn *fn = d->fn;
	if (!may_redirect(d))
		return false;
	struct ir_block *via = &fn->block.at[d->via];
	unsigned nth = via->succ[0] != d->to;
	unsigned at = ir_pred_index(fn, d->via, nth);
	ir_refs value = {0};
	bool ok = detour_values(d, at, &value);
	if (ok) {
		uint32_t from = via->pred.at[d->k];
		struct ir_block *f = &fn->block.at[from];
		f->succ[f->succ[0] != d->via] = d->to;
		if (via->pred.len == 1) {
			take_over(fn, d->to, at, from, &value);
			via->succ[nth] = via->succ[!nth];
			via->succ[1] = 0;
			via->pred.len = 0;
		} else {
			append_phi_args(fn, d->to, &value);
			vec_push(&fn->block.at[d->to].pred, from);
			ir_drop_pred(fn, d->via, d->k);
		}
	}
	vec_free(&value);
	return ok;
}

/* --- empty blocks ------------------------------------------------------------------------------
 */

static ir_ref unchanged(struct detour *d, ir_ref v)
{
	return v;
}

static bool skip_empty(struct ir_fn *fn)
{
	bool changed = false;
	for (uint32_t b = 2; b < fn->block.len; b++) {
		const struct ir_block *block = &fn->block.at[b];
		if (!block->first || block->first != block->last || ir_nsucc(block) != 1)
			continue;
		struct detour d = {.fn = fn, .via = b, .to = block->succ[0], .value = unchanged};
		for (d.k = (unsigned)block->pred.len; d.k-- > 0;)
			changed |= redirect(&d);
	}
	return changed;
}

/* --- threading ---------------------------------------------------------------------------------
 */

/* Values that something needs beyond their block, other than phis at the end of the block's own
 * edges. */
static bool *find_outside(const struct ir_fn *fn)
{
	bool *outside = xcalloc(fn->insn.len, sizeof(*outside));
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		for (uint32_t k = 0; k < i->nargs; k++) {
			uint32_t at =
				i->op == IR_PHI ? fn->block.at[i->block].pred.at[k] : i->block;
			if (ir_at_ref(fn, i->arg[k])->block != at)
				outside[i->arg[k]] = true;
		}
	}
	return outside;
}

static bool can_thread(const struct ir_fn *fn, uint32_t b, const bool *outside)
{
	const struct ir_block *block = &fn->block.at[b];
	if (!has_phis(fn, b) || ir_nsucc(block) != 2 || block->succ[0] == block->succ[1])
		return false;
	unsigned n = 0;
	IR_EACH(fn, b, r)
	{
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (r == block->last)
			break;
		if (outside[r] || (i->op != IR_PHI && !ir_has(i, IR_PURE)) || ++n > MAX_THREADED)
			return false;
	}
	return true;
}

static bool known_value(const struct detour *d, ir_ref v, uint64_t *ret)
{
	int64_t c;
	if (ir_is_const(d->fn, v, &c)) {
		*ret = (uint64_t)c;
		return true;
	}
	for (unsigned n = 0; n < d->ncomputed; n++) {
		if (d->insn[n] != v)
			continue;
		*ret = d->computed[n];
		return d->known[n];
	}
	return false;
}

static bool compute(const struct detour *d, const struct ir_insn *i, uint64_t *ret)
{
	uint64_t v[3] = {0};
	if (i->op == IR_PHI)
		return known_value(d, i->arg[d->k], ret);
	for (uint32_t k = 0; k < i->nargs; k++)
		if (!known_value(d, i->arg[k], &v[k]))
			return false;
	return ir_compute(i->op, i->width, v, ret);
}

/* Runs the block with the phi arguments of predecessor k, as far as they are constants. */
static bool branch_known(struct detour *d)
{
	const struct ir_block *block = &d->fn->block.at[d->via];
	d->ncomputed = 0;
	for (ir_ref r = block->first; r != block->last; r = ir_at_ref(d->fn, r)->next) {
		uint64_t value = 0;
		bool known = compute(d, ir_at_ref(d->fn, r), &value);
		d->insn[d->ncomputed] = r;
		d->known[d->ncomputed] = known;
		d->computed[d->ncomputed++] = value;
	}
	uint64_t cond;
	if (!known_value(d, ir_at_ref(d->fn, block->last)->arg[0], &cond))
		return false;
	d->to = block->succ[!cond];
	return true;
}

static ir_ref value_on_the_way(struct detour *d, ir_ref v)
{
	const struct ir_insn *i = ir_at_ref(d->fn, v);
	uint64_t c;
	if (i->block != d->via)
		return v;
	if (i->op == IR_PHI)
		return i->arg[d->k];
	return known_value(d, v, &c) ? ir_entry_const(d->fn, (int64_t)c) : 0;
}

static bool thread(struct ir_fn *fn)
{
	bool changed = false;
	bool *outside = find_outside(fn);
	for (uint32_t b = 2; b < fn->block.len; b++) {
		if (!can_thread(fn, b, outside))
			continue;
		struct detour d = {.fn = fn, .via = b, .value = value_on_the_way};
		for (d.k = (unsigned)fn->block.at[b].pred.len; d.k-- > 0;)
			changed |= branch_known(&d) && redirect(&d);
	}
	base_free(outside);
	return changed;
}

/* --- merging -----------------------------------------------------------------------------------
 */

static void drop_single_phis(struct ir_fn *fn, struct ir_replace *replace, uint32_t b)
{
	if (fn->block.at[b].pred.len != 1)
		return;
	IR_EACH(fn, b, r)
	{
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op != IR_PHI)
			break;
		ir_replace_set(replace, r, i->arg[0]);
		ir_remove(fn, r);
	}
}

/* All instructions of `from` behind those of `to`. */
static void splice(struct ir_fn *fn, uint32_t to, uint32_t from)
{
	struct ir_block *a = &fn->block.at[to], *b = &fn->block.at[from];
	IR_EACH(fn, from, r)
	ir_at_ref(fn, r)->block = to;
	if (a->last)
		ir_at_ref(fn, a->last)->next = b->first;
	else
		a->first = b->first;
	ir_at_ref(fn, b->first)->prev = a->last;
	a->last = b->last;
	memcpy(a->succ, b->succ, sizeof(a->succ));
	b->first = b->last = b->succ[0] = b->succ[1] = 0;
	b->pred.len = 0;
}

static uint32_t merged_into(const uint32_t *into, uint32_t b)
{
	while (into[b])
		b = into[b];
	return b;
}

static void merge(struct ir_fn *fn)
{
	uint32_t *order = xcalloc(fn->block.len, sizeof(*order));
	uint32_t *into = xcalloc(fn->block.len, sizeof(*into));
	struct ir_replace replace;
	ir_replace_init(&replace, fn);
	uint32_t n = ir_rpo(fn, order);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t b = order[k];
		if (into[b])
			continue;
		drop_single_phis(fn, &replace, b);
		while (ir_nsucc(&fn->block.at[b]) == 1) {
			uint32_t next = fn->block.at[b].succ[0];
			if (next == b || next == 1 || fn->block.at[next].pred.len != 1)
				break;
			drop_single_phis(fn, &replace, next);
			ir_remove(fn, fn->block.at[b].last);
			splice(fn, b, next);
			into[next] = b;
		}
	}
	for (uint32_t b = 1; b < fn->block.len; b++)
		vec_each(p, &fn->block.at[b].pred)
			*p = merged_into(into, *p);
	ir_replace_apply(&replace, fn);
	ir_replace_free(&replace);
	base_free(into);
	base_free(order);
}

void ir_pass_cfg(struct ir_fn *fn)
{
	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		bool changed = known_branches(fn);
		ir_cfg(fn);
		changed |= thread(fn);
		changed |= skip_empty(fn);
		ir_cfg(fn);
		if (!changed)
			break;
	}
	known_branches(fn);
	ir_cfg(fn);
	merge(fn);
	ir_cfg(fn);
	decide_phis(fn);
}
