/* check.c - is a function what every pass and back end may rely on?  See ir_check for the list. */
#include "ir/impl.h"
#include "ir/program.h"

enum {
	MAX_SLOT = 512,
	MAX_REGION = 1 << 20,
	CALL_ARGS = 5
};

struct check {
	const struct ir_fn *fn;
	struct ir_numbers num;
	struct ir_dom dom;
	uint32_t *pos; /* by ir_ref: order within the block, from 1 */
	const char *wrong;
};

static bool fail(struct check *c, uint32_t block, ir_ref r, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Keeps the first complaint.  Always false. */
static bool fail(struct check *c, uint32_t block, ir_ref r, const char *fmt, ...)
{
	if (c->wrong)
		return false;
	struct arena *a = c->fn->arena;
	va_list ap;
	va_start(ap, fmt);
	const char *what = arena_vprintf(a, fmt, ap);
	va_end(ap);
	const char *where =
		block ? arena_printf(a, "@%u: ", c->num.block ? c->num.block[block] : block) : "";
	if (!r) {
		c->wrong = arena_printf(a, "%s: %s%s", c->fn->name, where, what);
		return false;
	}
	const char *op = ir_ops[ir_at_ref(c->fn, r)->op].name;
	if (c->num.value && c->num.value[r])
		c->wrong = arena_printf(a, "%s: %s%%%u = %s: %s", c->fn->name, where,
					c->num.value[r], op, what);
	else
		c->wrong = arena_printf(a, "%s: %s%s: %s", c->fn->name, where, op, what);
	return false;
}

/* --- blocks and edges: checked first, the rest walks along them ----------------------------------
 */

static bool check_links(struct check *c, uint32_t b)
{
	const struct ir_fn *fn = c->fn;
	const struct ir_block *block = &fn->block.at[b];
	ir_ref prev = 0;
	bool after_phis = false;
	size_t n = 0;
	for (ir_ref r = block->first; r; r = ir_at_ref(fn, r)->next) {
		if (r >= fn->insn.len || ++n > fn->insn.len)
			return fail(c, b, 0, "broken list of instructions");
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op >= IR_NOPS || i->block != b || i->prev != prev)
			return fail(c, b, 0, "broken list of instructions at value %u", r);
		if (ir_has(i, IR_TERM) && i->next)
			return fail(c, b, r, "in the middle of a block");
		if (i->op == IR_PHI && after_phis)
			return fail(c, b, r, "behind other instructions");
		after_phis |= i->op != IR_PHI;
		c->pos[r] = (uint32_t)n;
		prev = r;
	}
	if (block->last != prev)
		return fail(c, b, 0, "broken list of instructions");
	return prev && ir_has(ir_at_ref(fn, prev), IR_TERM) ? true : fail(c, b, 0, "no terminator");
}

static bool check_succ(struct check *c, uint32_t b)
{
	const struct ir_block *block = &c->fn->block.at[b];
	enum ir_op op = ir_at_ref(c->fn, block->last)->op;
	unsigned want = op == IR_BR ? 2 : op == IR_JMP ? 1 : 0;
	if (ir_nsucc(block) != want || (!block->succ[0] && block->succ[1]))
		return fail(c, b, block->last, "%u successors", ir_nsucc(block));
	for (unsigned k = 0; k < want; k++) {
		uint32_t to = block->succ[k];
		if (to >= c->fn->block.len || !ir_block_exists(c->fn, to))
			return fail(c, b, block->last, "no block %u", to);
		if (to == 1)
			return fail(c, b, block->last, "a jump to the entry");
	}
	return true;
}

/* Every predecessor has an edge here, and there are as many edges as predecessors. */
static bool check_preds(struct check *c)
{
	const struct ir_fn *fn = c->fn;
	uint32_t *edges = xcalloc(fn->block.len, sizeof(*edges));
	for (uint32_t b = 1; b < fn->block.len; b++)
		for (unsigned k = 0; k < ir_nsucc(&fn->block.at[b]); k++)
			edges[fn->block.at[b].succ[k]]++;
	bool ok = true;
	for (uint32_t b = 1; b < fn->block.len && ok; b++) {
		const struct ir_block *block = &fn->block.at[b];
		ok = block->pred.len == edges[b] ||
		     fail(c, b, 0, "predecessors are not up to date");
		for (size_t k = 0; k < block->pred.len && ok; k++) {
			uint32_t p = block->pred.at[k];
			const uint32_t *succ = p < fn->block.len ? fn->block.at[p].succ : NULL;
			ok = (succ && (succ[0] == b || succ[1] == b)) ||
			     fail(c, b, 0, "predecessors are not up to date");
		}
	}
	base_free(edges);
	return ok;
}

/* --- instructions -------------------------------------------------------------------------------
 */

static bool width_in(const struct ir_insn *i, unsigned set)
{
	return i->width <= 8 && set & 1u << i->width;
}

static bool check_width(struct check *c, uint32_t b, ir_ref r)
{
	enum {
		W1 = 1 << 1,
		W2 = 1 << 2,
		W4 = 1 << 4,
		W8 = 1 << 8
	};
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	unsigned set = 1; /* width 0 */
	switch (i->op) {
	case IR_SEXT:
	case IR_ZEXT:
	case IR_LOAD:
	case IR_STORE: set = W1 | W2 | W4 | W8; break;
	case IR_BSWAP: set = W2 | W4 | W8; break;
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_FADD:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_CMPXCHG: set = W4 | W8; break;
	}
	if (!width_in(i, set))
		return fail(c, b, r, "width %u", i->width);
	if (i->is_signed && i->op != IR_LOAD)
		return fail(c, b, r, "only loads are signed");
	return true;
}

static bool check_map(struct check *c, uint32_t b, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	const struct map *m = i->sym;
	if (!m)
		return fail(c, b, r, "no map");
	if (i->op == IR_MAP)
		return i->imm == 0 ? true : fail(c, b, r, "an offset");
	if (m->kind != MAP_DATA && m->kind != MAP_ARRAY)
		return fail(c, b, r, "map %s has no addresses of values", m->name);
	return i->imm >= 0 && i->imm <= UINT32_MAX ? true
						   : fail(c, b, r, "offset %jd", (intmax_t)i->imm);
}

static bool check_callee(struct check *c, uint32_t b, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	const struct ir_fn *callee = i->sym;
	enum ir_fn_kind want = i->op != IR_CALL ? IR_CALLBACK : callee && callee->kind == IR_GLOBAL ? IR_GLOBAL : IR_SUBPROG;
	if (!callee)
		return fail(c, b, r, "no function");
	if (callee->kind != want)
		return fail(c, b, r, "%s is not a %s", callee->name, ir_fn_kinds[want]);
	if (i->op == IR_CALL && i->nargs != callee->nparams)
		return fail(c, b, r, "%s takes %u arguments", callee->name, callee->nparams);
	return true;
}

static bool check_fields(struct check *c, uint32_t b, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	intmax_t imm = i->imm;
	switch (i->op) {
	case IR_PARAM:
		return imm >= 0 && imm < c->fn->nparams
			       ? true
			       : fail(c, b, r, "%jd of %u", imm, c->fn->nparams);
	case IR_SLOT: return imm > 0 && imm <= MAX_SLOT ? true : fail(c, b, r, "%jd bytes", imm);
	case IR_COPY:
	case IR_ZERO: return imm >= 0 && imm <= MAX_REGION ? true : fail(c, b, r, "%jd bytes", imm);
	case IR_MAP:
	case IR_MAPVAL: return check_map(c, b, r);
	case IR_FNADDR:
	case IR_CALL: return check_callee(c, b, r);
	case IR_HELPER: return imm > 0 && imm < INT32_MAX ? true : fail(c, b, r, "helper %jd", imm);
	case IR_KFUNC:
	case IR_RT: return i->sym ? true : fail(c, b, r, "no name");
	case IR_LOAD:
	case IR_STORE:
		return imm >= INT32_MIN && imm <= INT32_MAX ? true
							    : fail(c, b, r, "offset %jd", imm);
	}
	return true;
}

static bool check_use(struct check *c, uint32_t b, ir_ref r, uint32_t n)
{
	const struct ir_fn *fn = c->fn;
	const struct ir_insn *i = ir_at_ref(fn, r);
	ir_ref a = i->arg[n];
	if (!a || a >= fn->insn.len || ir_is_removed(fn, a))
		return fail(c, b, r, "argument %u is no value", n + 1);
	const struct ir_insn *def = ir_at_ref(fn, a);
	if (!ir_has(def, IR_VALUE))
		return fail(c, b, r, "argument %u is a %s", n + 1, ir_ops[def->op].name);
	bool is_phi = i->op == IR_PHI;
	uint32_t at = is_phi ? fn->block.at[b].pred.at[n] : b;
	bool before = def->block == at && !is_phi ? c->pos[a] < c->pos[r]
						  : ir_dominates(&c->dom, def->block, at);
	return before ? true
		      : fail(c, b, r, "argument %u (%%%u) is not computed on every way here", n + 1,
			     c->num.value[a]);
}

/* Both edges of one branch can lead here; then its values must not differ. */
static bool check_phi(struct check *c, uint32_t b, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	const struct ir_block *block = &c->fn->block.at[b];
	if (i->nargs != block->pred.len)
		return fail(c, b, r, "%u arguments, %zu predecessors", i->nargs, block->pred.len);
	for (uint32_t k = 0; k < i->nargs; k++) {
		const uint32_t *succ = c->fn->block.at[block->pred.at[k]].succ;
		if (succ[0] != succ[1])
			continue;
		for (uint32_t m = 0; m < k; m++)
			if (block->pred.at[m] == block->pred.at[k] && i->arg[m] != i->arg[k])
				return fail(c, b, r, "two values for one predecessor");
	}
	return true;
}

static bool check_insn(struct check *c, uint32_t b, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(c->fn, r);
	int want = ir_ops[i->op].nargs;
	if (want >= 0 && i->nargs != (unsigned)want)
		return fail(c, b, r, "%u arguments", i->nargs);
	if (ir_has(i, IR_CALLS) && i->nargs > CALL_ARGS)
		return fail(c, b, r, "%u arguments", i->nargs);
	if (i->op == IR_PHI && !check_phi(c, b, r))
		return false;
	for (uint32_t k = 0; k < i->nargs; k++)
		if (!check_use(c, b, r, k))
			return false;
	return check_width(c, b, r) && check_fields(c, b, r);
}

static bool check_blocks(struct check *c)
{
	const struct ir_fn *fn = c->fn;
	if (!ir_block_exists(fn, 1))
		return fail(c, 1, 0, "empty entry block");
	for (uint32_t b = 1; b < fn->block.len; b++)
		if (ir_block_exists(fn, b) && !check_links(c, b))
			return false;
	for (uint32_t b = 1; b < fn->block.len; b++)
		if (ir_block_exists(fn, b) && !check_succ(c, b))
			return false;
	return check_preds(c);
}

static void check_insns(struct check *c)
{
	const struct ir_fn *fn = c->fn;
	for (uint32_t b = 1; b < fn->block.len; b++) {
		if (!ir_block_exists(fn, b))
			continue;
		if (!c->dom.number[b]) {
			fail(c, b, 0, "cannot be reached");
			return;
		}
		IR_EACH(fn, b, r)
		if (!check_insn(c, b, r))
			return;
	}
}

const char *ir_check(const struct ir_fn *fn)
{
	struct check c = {.fn = fn};
	c.pos = xcalloc(fn->insn.len, sizeof(*c.pos));
	if (check_blocks(&c)) {
		ir_numbers_init(&c.num, fn);
		ir_dom_init(&c.dom, fn);
		check_insns(&c);
		ir_dom_free(&c.dom);
		ir_numbers_free(&c.num);
	}
	base_free(c.pos);
	return c.wrong;
}
