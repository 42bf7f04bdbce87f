/* fn.c - functions, their instruction lists, and the edges between blocks. */
#include "ir/impl.h"
#include "ir/program.h"

#define P IR_PURE
#define R IR_READS
#define W IR_WRITES
#define T IR_TERM
#define V IR_VALUE
#define C IR_CALLS
const struct ir_op_info ir_ops[IR_NOPS] = {
#define OP(id, name, nargs, flags, what) [IR_##id] = {name, nargs, flags},
#include "ir/ops.def"
#undef OP
};
#undef P
#undef R
#undef W
#undef T
#undef V
#undef C

struct ir_fn *ir_fn_new(struct program *prog, const char *name, enum ir_fn_kind kind,
			unsigned nparams)
{
	struct ir_fn *fn = arena_new(prog->arena, struct ir_fn);
	fn->prog = prog;
	fn->arena = prog->arena;
	fn->name = arena_strdup(prog->arena, name);
	fn->kind = kind;
	fn->nparams = nparams;
	vec_push(&fn->insn, (struct ir_insn){0});
	vec_push(&fn->block, (struct ir_block){0});
	vec_push(&fn->block, (struct ir_block){.name = "entry"});
	vec_push(&prog->fn, fn);
	return fn;
}

void ir_fn_free(struct ir_fn *fn)
{
	vec_each(b, &fn->block)
		vec_free(&b->pred);
	vec_free(&fn->insn);
	vec_free(&fn->block);
}

/* --- instruction lists -------------------------------------------------------------------------
 */

/* From chunks: most instructions have one or two, and the arena rounds up to 16 bytes. */
static ir_ref *new_args(struct ir_fn *fn, uint32_t n)
{
	enum {
		CHUNK = 256,
		LARGE = 8
	};
	if (n > LARGE)
		return arena_array(fn->arena, ir_ref, n);
	if (fn->nfree_args < n) {
		fn->free_args = arena_array(fn->arena, ir_ref, CHUNK);
		fn->nfree_args = CHUNK;
	}
	ir_ref *arg = fn->free_args;
	fn->free_args += n;
	fn->nfree_args -= n;
	return arg;
}

ir_ref ir_insn_new(struct ir_fn *fn, enum ir_op op, unsigned nargs, const ir_ref *arg)
{
	struct ir_insn i = {.op = (uint8_t)op, .nargs = nargs};
	if (nargs)
		i.arg = new_args(fn, nargs);
	if (nargs && arg)
		memcpy(i.arg, arg, nargs * sizeof(*arg));
	vec_push(&fn->insn, i);
	return (ir_ref)(fn->insn.len - 1);
}

static void link_between(struct ir_fn *fn, uint32_t block, ir_ref prev, ir_ref r, ir_ref next)
{
	struct ir_insn *i = ir_at_ref(fn, r);
	struct ir_block *b = &fn->block.at[block];
	i->block = block;
	i->prev = prev;
	i->next = next;
	if (prev)
		ir_at_ref(fn, prev)->next = r;
	else
		b->first = r;
	if (next)
		ir_at_ref(fn, next)->prev = r;
	else
		b->last = r;
}

void ir_append(struct ir_fn *fn, uint32_t block, ir_ref r)
{
	link_between(fn, block, fn->block.at[block].last, r, 0);
}

void ir_prepend(struct ir_fn *fn, uint32_t block, ir_ref r)
{
	link_between(fn, block, 0, r, fn->block.at[block].first);
}

void ir_insert_before(struct ir_fn *fn, ir_ref r, ir_ref before)
{
	struct ir_insn *at = ir_at_ref(fn, before);
	link_between(fn, at->block, at->prev, r, before);
}

void ir_remove(struct ir_fn *fn, ir_ref r)
{
	struct ir_insn *i = ir_at_ref(fn, r);
	struct ir_block *b = &fn->block.at[i->block];
	if (i->prev)
		ir_at_ref(fn, i->prev)->next = i->next;
	else
		b->first = i->next;
	if (i->next)
		ir_at_ref(fn, i->next)->prev = i->prev;
	else
		b->last = i->prev;
	*i = (struct ir_insn){.op = IR_CONST};
}

bool ir_is_removed(const struct ir_fn *fn, ir_ref r)
{
	return !ir_at_ref(fn, r)->block;
}

ir_ref ir_entry_const(struct ir_fn *fn, int64_t v)
{
	ir_ref r = ir_insn_new(fn, IR_CONST, 0, NULL);
	ir_at_ref(fn, r)->imm = v;
	ir_prepend(fn, 1, r);
	return r;
}

/* --- edges -------------------------------------------------------------------------------------
 */

uint32_t *ir_edge_positions(const struct ir_fn *fn)
{
	uint32_t *at = xcalloc(2 * fn->block.len, sizeof(*at));
	bool *first_seen = xcalloc(fn->block.len, sizeof(*first_seen));
	for (uint32_t b = 1; b < fn->block.len; b++) {
		const struct ir_block *block = &fn->block.at[b];
		for (uint32_t k = 0; k < block->pred.len; k++) {
			uint32_t from = block->pred.at[k];
			const uint32_t *succ = fn->block.at[from].succ;
			bool both = succ[0] == succ[1];
			unsigned nth = both ? first_seen[from] : succ[1] == b;
			first_seen[from] |= both;
			at[2 * from + nth] = k;
		}
	}
	base_free(first_seen);
	return at;
}

unsigned ir_pred_index(const struct ir_fn *fn, uint32_t from, unsigned nth)
{
	const struct ir_block *f = &fn->block.at[from];
	const struct ir_block *to = &fn->block.at[f->succ[nth]];
	bool skip = nth == 1 && f->succ[0] == f->succ[1];
	for (unsigned k = 0; k < to->pred.len; k++) {
		if (to->pred.at[k] != from)
			continue;
		if (!skip)
			return k;
		skip = false;
	}
	BUG("%s: block %u has no edge from block %u", fn->name, f->succ[nth], from);
}

void ir_drop_pred(struct ir_fn *fn, uint32_t block, unsigned k)
{
	struct ir_block *b = &fn->block.at[block];
	size_t after = b->pred.len - k - 1;
	memmove(b->pred.at + k, b->pred.at + k + 1, after * sizeof(*b->pred.at));
	b->pred.len--;
	IR_EACH(fn, block, r)
	{
		struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op != IR_PHI)
			break;
		memmove(i->arg + k, i->arg + k + 1, after * sizeof(*i->arg));
		i->nargs--;
	}
}

static void drop_unreachable(struct ir_fn *fn, const bool *reachable)
{
	for (uint32_t b = 1; b < fn->block.len; b++) {
		if (reachable[b])
			continue;
		IR_EACH(fn, b, r)
		ir_remove(fn, r);
		fn->block.at[b].succ[0] = fn->block.at[b].succ[1] = 0;
	}
}

/* Where each predecessor stood before; a block can come twice, through both edges of one branch. */
struct places {
	uint32_t *first, *second; /* by block, position + 1 */
};

static void reorder_phis(struct ir_fn *fn, uint32_t block, const uint32_t *old, size_t nold,
			 struct places *at)
{
	struct ir_block *b = &fn->block.at[block];
	ir_ref first = b->first;
	if (!first || ir_at_ref(fn, first)->op != IR_PHI || !nold)
		return;
	for (size_t k = nold; k-- > 0;) {
		at->second[old[k]] = at->first[old[k]];
		at->first[old[k]] = (uint32_t)k + 1;
	}
	uint32_t *from = xmalloc(MAX(b->pred.len, (size_t)1) * sizeof(*from));
	for (size_t k = 0; k < b->pred.len; k++) {
		uint32_t p = b->pred.at[k];
		from[k] = at->first[p] - 1;
		at->first[p] = at->second[p];
	}
	for (size_t k = 0; k < nold; k++)
		at->first[old[k]] = at->second[old[k]] = 0;
	IR_EACH(fn, block, r)
	{
		struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op != IR_PHI)
			break;
		ir_ref *arg = arena_array(fn->arena, ir_ref, b->pred.len);
		for (size_t k = 0; k < b->pred.len; k++)
			arg[k] = from[k] < i->nargs ? i->arg[from[k]] : 0;
		i->arg = arg;
		i->nargs = (uint32_t)b->pred.len;
	}
	base_free(from);
}

static bool same_preds(const struct ir_block *b, const uint32_t *old, size_t nold)
{
	return b->pred.len == nold && !memcmp(b->pred.at, old, nold * sizeof(*old));
}

/* Predecessors come in the order of block numbers, so that the same graph has the same phis. */
void ir_cfg(struct ir_fn *fn)
{
	size_t n = fn->block.len;
	uint32_t *order = xcalloc(n, sizeof(*order));
	bool *reachable = xcalloc(n, sizeof(*reachable));
	uint32_t nreach = ir_rpo(fn, order);
	for (uint32_t i = 0; i < nreach; i++)
		reachable[order[i]] = true;
	drop_unreachable(fn, reachable);

	/* The old lists, one after the other, then the new ones in place. */
	VEC(uint32_t) old = {0};
	size_t *start = xcalloc(n + 1, sizeof(*start));
	for (size_t b = 1; b < n; b++) {
		struct ir_block *block = &fn->block.at[b];
		start[b] = old.len;
		vec_each(p, &block->pred)
			vec_push(&old, *p);
		block->pred.len = 0;
	}
	start[n] = old.len;
	for (uint32_t b = 1; b < n; b++)
		for (unsigned k = 0; k < ir_nsucc(&fn->block.at[b]); k++)
			vec_push(&fn->block.at[fn->block.at[b].succ[k]].pred, b);

	struct places at = {xcalloc(n, sizeof(uint32_t)), xcalloc(n, sizeof(uint32_t))};
	for (uint32_t b = 1; b < n; b++) {
		size_t nwas = start[b + 1] - start[b];
		const uint32_t *was = nwas ? old.at + start[b] : NULL;
		if (nwas && !same_preds(&fn->block.at[b], was, nwas))
			reorder_phis(fn, b, was, nwas, &at);
	}
	base_free(at.first);
	base_free(at.second);
	base_free(start);
	vec_free(&old);
	base_free(reachable);
	base_free(order);
}
