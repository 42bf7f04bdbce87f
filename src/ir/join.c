/*
 * join.c - `a && b`, `a || b` and `c ? 1 : 2` as values: two ways that meet again become one.
 *
 * A block branches, and its ways meet at once, or after a few computations that may as well be done always.
 * Where they meet, phis say which way was taken: by constants, or by a 0 or 1 of the longer way.  The
 * branch goes, the phis become `and`, `or` or a choice between constants, and `flat` makes arithmetic of the
 * conditions.  What is only a branch never comes here: `cfg` has sent it straight to where it goes.
 */
#include "ir/impl.h"

enum {
	MAX_ALWAYS = 6 /* computations that are done always, of each way */
};

struct join {
	struct ir_fn *fn;
	struct ir_known known;
	uint32_t *asks; /* branches and choices that look at a value */
	uint32_t from, to;
	unsigned at[2]; /* places among the predecessors of `to`: condition true, false */
	bool changed;
};

/* Reads of memory that is always there: maps, and the context of programs without types. */
static bool is_safe_load(const struct join *j, const struct ir_insn *i)
{
	const struct ir_insn *p = ir_at_ref(j->fn, i->arg[0]);
	int64_t c;
	if (p->op == IR_ADD && ir_is_const(j->fn, p->arg[1], &c))
		p = ir_at_ref(j->fn, p->arg[0]);
	return p->op == IR_MAPVAL || (p->op == IR_PARAM && j->fn->kind == IR_ENTRY && ir_knows(&j->known, i->arg[0], IR_PLAIN));
}

static bool is_movable(const struct join *j, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(j->fn, r);
	if (i->op == IR_CONST || i->op == IR_MAPVAL)
		return true;
	if (i->op == IR_LOAD)
		return ir_knows(&j->known, r, IR_NUMBER) && is_safe_load(j, i);
	if (!ir_has(i, IR_PURE) || !i->nargs || ir_knows(&j->known, r, IR_ADDRESS))
		return false;
	for (uint32_t n = 0; n < i->nargs; n++)
		if (!ir_knows(&j->known, i->arg[n], IR_NUMBER))
			return false;
	return true;
}

/* A way from `from` to where it meets the other: the block between, or `from` itself; 0: no such way. */
static uint32_t way_to(const struct join *j, uint32_t to, unsigned nth)
{
	uint32_t b = j->fn->block.at[j->from].succ[nth];
	if (b == to)
		return j->from;
	const struct ir_block *block = &j->fn->block.at[b];
	if (block->pred.len != 1 || ir_nsucc(block) != 1 || block->succ[0] != to || block->unlikely)
		return 0;
	unsigned n = 0;
	for (ir_ref r = block->first; r != block->last; r = ir_at_ref(j->fn, r)->next)
		if (++n > MAX_ALWAYS || !is_movable(j, r))
			return 0;
	return b;
}

static bool small_const(const struct join *j, ir_ref r, int64_t *ret)
{
	return ir_is_const(j->fn, r, ret) && *ret == (int32_t)*ret;
}

/* Can the phi be told by the condition without a branch? */
static bool is_told(const struct join *j, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(j->fn, r);
	int64_t c;
	bool known[2], bit[2];
	if (ir_knows(&j->known, r, IR_ADDRESS))
		return false;
	for (int n = 0; n < 2; n++) {
		ir_ref v = i->arg[j->at[n]];
		known[n] = small_const(j, v, &c);
		bit[n] = ir_knows(&j->known, v, IR_BOOL) && ir_knows(&j->known, v, IR_NUMBER);
	}
	if (i->arg[j->at[0]] == i->arg[j->at[1]] || (known[0] && known[1]))
		return true;
	return (known[0] || known[1]) && bit[0] && bit[1];
}

static bool is_told_by(const struct join *j, ir_ref cond)
{
	const struct ir_insn *i = ir_at_ref(j->fn, cond);
	if (!ir_compares(i))
		return ir_knows(&j->known, cond, IR_NUMBER);
	return j->asks[cond] == 1 && ir_knows(&j->known, i->arg[0], IR_NUMBER) && ir_knows(&j->known, i->arg[1], IR_NUMBER);
}

static ir_ref put(struct join *j, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
	ir_ref arg[3] = {a, b, c}, before = j->fn->block.at[j->from].last;
	struct loc loc = ir_at_ref(j->fn, before)->loc;
	ir_ref r = ir_insn_new(j->fn, op, (unsigned)ir_ops[op].nargs, arg);
	ir_at_ref(j->fn, r)->loc = loc;
	ir_insert_before(j->fn, r, before);
	return r;
}

/* 0 or 1: is the condition `true`? */
static ir_ref truth(struct join *j, ir_ref cond, bool is)
{
	static const uint8_t other[] = {[IR_EQ] = IR_NE, [IR_NE] = IR_EQ, [IR_ULT] = IR_ULE, [IR_ULE] = IR_ULT, [IR_SLT] = IR_SLE, [IR_SLE] = IR_SLT};
	struct ir_insn i = *ir_at_ref(j->fn, cond);
	if (!ir_compares(&i))
		return put(j, is ? IR_NE : IR_EQ, cond, ir_entry_const(j->fn, 0), 0);
	if (is)
		return cond;
	bool swap = i.op != IR_EQ && i.op != IR_NE;
	return put(j, other[i.op], i.arg[swap], i.arg[!swap], 0);
}

static ir_ref told(struct join *j, ir_ref cond, ir_ref yes, ir_ref no)
{
	int64_t c[2];
	if (yes == no)
		return yes;
	bool known[2] = {small_const(j, yes, &c[0]), small_const(j, no, &c[1])};
	if (known[0] && known[1])
		return put(j, IR_SELECT, cond, yes, no);
	if (known[0])
		return c[0] ? put(j, IR_OR, truth(j, cond, true), no, 0) : put(j, IR_AND, truth(j, cond, false), no, 0);
	return c[1] ? put(j, IR_OR, truth(j, cond, false), yes, 0) : put(j, IR_AND, truth(j, cond, true), yes, 0);
}

static void move_all(struct join *j, uint32_t b)
{
	if (b == j->from)
		return;
	struct ir_block *block = &j->fn->block.at[b];
	while (block->first != block->last) {
		struct ir_insn i = *ir_at_ref(j->fn, block->first);
		ir_ref r = block->first;
		block->first = i.next;
		ir_at_ref(j->fn, i.next)->prev = 0;
		ir_insert_before(j->fn, r, j->fn->block.at[j->from].last);
	}
	ir_remove(j->fn, block->last);
	block->succ[0] = 0;
	block->pred.len = 0;
}

static void meet(struct join *j, const uint32_t way[2])
{
	struct ir_fn *fn = j->fn;
	ir_ref br = fn->block.at[j->from].last, cond = ir_at_ref(fn, br)->arg[0];
	move_all(j, way[0]);
	move_all(j, way[1]);
	IR_EACH(fn, j->to, r)
	{
		if (ir_at_ref(fn, r)->op != IR_PHI)
			break;
		const ir_ref *arg = ir_at_ref(fn, r)->arg;
		ir_ref v = told(j, cond, arg[j->at[0]], arg[j->at[1]]);
		ir_at_ref(fn, r)->arg[j->at[0]] = v;
	}
	fn->block.at[j->to].pred.at[j->at[0]] = j->from;
	ir_drop_pred(fn, j->to, j->at[1]);
	fn->block.at[j->from].succ[0] = j->to;
	fn->block.at[j->from].succ[1] = 0;
	ir_at_ref(fn, br)->op = IR_JMP;
	ir_at_ref(fn, br)->nargs = 0;
	j->changed = true;
}

static unsigned place_of(const struct join *j, uint32_t pred)
{
	const struct ir_block *to = &j->fn->block.at[j->to];
	unsigned k = 0;
	while (k < to->pred.len && to->pred.at[k] != pred)
		k++;
	return k;
}

static bool try_meet(struct join *j, uint32_t to)
{
	struct ir_fn *fn = j->fn;
	const struct ir_block *from = &fn->block.at[j->from];
	ir_ref first = fn->block.at[to].first;
	uint32_t way[2] = {way_to(j, to, 0), way_to(j, to, 1)};
	if (!way[0] || !way[1] || way[0] == way[1] || to == j->from || ir_at_ref(fn, first)->op != IR_PHI)
		return false;
	j->to = to;
	j->at[0] = place_of(j, way[0]);
	j->at[1] = place_of(j, way[1]);
	if (!is_told_by(j, ir_at_ref(fn, from->last)->arg[0]))
		return false;
	IR_EACH(fn, to, r)
	{
		if (ir_at_ref(fn, r)->op != IR_PHI)
			break;
		if (!is_told(j, r))
			return false;
	}
	meet(j, way);
	return true;
}

static void count_asks(struct join *j)
{
	for (ir_ref r = 1; r < j->known.len; r++) {
		const struct ir_insn *i = ir_at_ref(j->fn, r);
		if (!ir_is_removed(j->fn, r) && (i->op == IR_BR || i->op == IR_SELECT))
			j->asks[i->arg[0]]++;
	}
}

static bool has_phis(const struct ir_fn *fn)
{
	vec_each(b, &fn->block)
		if (b->first && ir_at_ref(fn, b->first)->op == IR_PHI)
			return true;
	return false;
}

/* Inner ones first: the last of `a || b || c` is what the one before it moves. */
void ir_pass_join(struct ir_fn *fn)
{
	struct join j = {.fn = fn};
	if (!has_phis(fn))
		return;
	ir_known_init(&j.known, fn);
	j.asks = xcalloc(j.known.len, sizeof(*j.asks));
	count_asks(&j);
	uint32_t *order = xcalloc(fn->block.len, sizeof(*order));
	for (uint32_t n = ir_rpo(fn, order); n-- > 0;) {
		j.from = order[n];
		uint32_t *succ = fn->block.at[j.from].succ;
		if (ir_nsucc(&fn->block.at[j.from]) != 2 || succ[0] == succ[1])
			continue;
		uint32_t yes = succ[0], no = succ[1];
		if (!try_meet(&j, no) && !try_meet(&j, yes) && ir_nsucc(&fn->block.at[yes]) == 1)
			try_meet(&j, fn->block.at[yes].succ[0]);
	}
	base_free(order);
	base_free(j.asks);
	ir_known_free(&j.known);
	if (j.changed)
		ir_pass_cfg(fn);
}
