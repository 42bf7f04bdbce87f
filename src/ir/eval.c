/*
 * eval.c - runs a function as it stands: the oracle of tests.
 *
 * Every operation does what ops.def says, on 64-bit words and on the real memory of this process.
 * Slots start as zeroes.  A run ends with an error after max_steps instructions, at a call that
 * nobody answers, at memory that how->valid refuses, and when calls nest too deeply.
 */
#include "ir/impl.h"

enum {
	MAX_DEPTH = 8
}; /* as the kernel's: MAX_CALL_FRAMES in include/linux/bpf_verifier.h */

struct frame {
	const struct ir_fn *fn;
	const struct ir_eval *how;
	uint64_t *value; /* by ir_ref; of a slot its address, from the start */
	uint64_t *param;
	uint8_t *stack;
	uint64_t stack_size;
	struct frame *up;
	unsigned depth;
	uint64_t *steps;
	VEC(uint64_t) phi; /* new values of a block's phis: all are read before one is written */
};

static bool run(struct frame *f, uint64_t *ret);

static bool enter(const struct ir_fn *fn, const struct ir_eval *how, const uint64_t *param,
		  struct frame *up, uint64_t *steps, uint64_t *ret)
{
	struct frame f = {.fn = fn, .how = how, .up = up, .steps = steps};
	f.depth = up ? up->depth + 1 : 1;
	if (f.depth > MAX_DEPTH)
		return false;
	f.value = xcalloc(fn->insn.len, sizeof(*f.value));
	f.param = xcalloc(fn->nparams + 1, sizeof(*f.param));
	if (fn->nparams)
		memcpy(f.param, param, fn->nparams * sizeof(*param));
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op != IR_SLOT || !i->block)
			continue;
		f.value[r] = f.stack_size;
		f.stack_size += ALIGN_UP((uint64_t)i->imm, 8);
	}
	f.stack = xcalloc(f.stack_size + 1, 1);
	for (ir_ref r = 1; r < fn->insn.len; r++)
		if (ir_at_ref(fn, r)->op == IR_SLOT)
			f.value[r] += (uintptr_t)f.stack;
	bool ok = run(&f, ret);
	vec_free(&f.phi);
	base_free(f.stack);
	base_free(f.param);
	base_free(f.value);
	return ok;
}

/* --- memory --------------------------------------------------------------------------------------
 */

static bool valid(const struct frame *f, uint64_t addr, uint64_t n, bool write)
{
	for (const struct frame *at = f; at; at = at->up) {
		uint64_t off = addr - (uintptr_t)at->stack;
		if (off <= at->stack_size && n <= at->stack_size - off)
			return true;
	}
	return !f->how->valid || f->how->valid(f->how->arg, addr, n, write);
}

static uint64_t peek(uint64_t addr, unsigned width)
{
	uint64_t v = 0; /* little-endian, as all our targets */
	memcpy(&v, (const void *)(uintptr_t)addr, width);
	return v;
}

static void poke(uint64_t addr, unsigned width, uint64_t v)
{
	memcpy((void *)(uintptr_t)addr, &v, width);
}

static uint64_t extended(const struct ir_insn *i, uint64_t v)
{
	uint64_t ret = v;
	ir_compute(i->is_signed ? IR_SEXT : IR_ZEXT, i->width, &v, &ret);
	return ret;
}

static bool access_memory(struct frame *f, const struct ir_insn *i, const uint64_t *v,
			  uint64_t *out)
{
	bool region = i->op == IR_COPY || i->op == IR_ZERO;
	uint64_t n = region ? (uint64_t)i->imm : i->width;
	uint64_t addr = v[0] + (region ? 0 : (uint64_t)i->imm);
	if (!valid(f, addr, n, i->op != IR_LOAD))
		return false;
	if (i->op == IR_COPY) {
		if (!valid(f, v[1], n, false))
			return false;
		memmove((void *)(uintptr_t)addr, (const void *)(uintptr_t)v[1], n);
		return true;
	}
	if (i->op == IR_ZERO) {
		memset((void *)(uintptr_t)addr, 0, n);
		return true;
	}
	uint64_t old = i->op == IR_STORE ? 0 : peek(addr, i->width);
	*out = extended(i, old);
	switch (i->op) {
	case IR_STORE:
	case IR_ATOMIC_XCHG: poke(addr, i->width, v[1]); break;
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_FADD: poke(addr, i->width, old + v[1]); break;
	case IR_ATOMIC_CMPXCHG:
		if (old == extended(i, v[1]))
			poke(addr, i->width, v[2]);
		break;
	}
	return true;
}

/* --- control
 * --------------------------------------------------------------------------------------- */

/* Moves to the n-th successor and gives its phis their values. */
static void jump(struct frame *f, uint32_t *block, unsigned nth)
{
	unsigned k = ir_pred_index(f->fn, *block, nth);
	*block = f->fn->block.at[*block].succ[nth];
	f->phi.len = 0;
	IR_EACH(f->fn, *block, r)
	{
		const struct ir_insn *i = ir_at_ref(f->fn, r);
		if (i->op != IR_PHI)
			break;
		vec_push(&f->phi, f->value[i->arg[k]]);
	}
	size_t n = 0;
	for (ir_ref r = f->fn->block.at[*block].first; n < f->phi.len; n++) {
		f->value[r] = f->phi.at[n];
		r = ir_at_ref(f->fn, r)->next;
	}
}

static bool call(struct frame *f, const struct ir_insn *i, const uint64_t *v, uint64_t *out)
{
	if (i->op == IR_CALL)
		return enter(i->sym, f->how, v, f, f->steps, out);
	if (!f->how->call)
		return false;
	*out = f->how->call(f->how->arg, i, v, i->nargs);
	return true;
}

static bool map_address(struct frame *f, const struct ir_insn *i, uint64_t *out)
{
	if (!f->how->map_address)
		return false;
	*out = f->how->map_address(f->how->arg, i->sym, i->imm, i->op == IR_MAPVAL);
	return true;
}

static bool step(struct frame *f, const struct ir_insn *i, uint64_t *out)
{
	uint64_t v[5] = {0};
	for (uint32_t k = 0; k < i->nargs; k++)
		v[k] = f->value[i->arg[k]];
	switch (i->op) {
	case IR_CONST: *out = (uint64_t)i->imm; return true;
	case IR_PARAM: *out = f->param[i->imm]; return true;
	case IR_SLOT: return true;
	case IR_FNADDR: *out = (uintptr_t)i->sym; return true;
	case IR_OPAQUE: *out = v[0]; return true;
	case IR_MAP:
	case IR_MAPVAL: return map_address(f, i, out);
	}
	if (ir_has(i, IR_CALLS))
		return call(f, i, v, out);
	if (ir_has(i, IR_READS | IR_WRITES))
		return access_memory(f, i, v, out);
	return ir_compute(i->op, i->width, v, out);
}

static bool run(struct frame *f, uint64_t *ret)
{
	uint32_t block = 1;
	for (ir_ref r = f->fn->block.at[block].first; r;) {
		const struct ir_insn *i = ir_at_ref(f->fn, r);
		if (!(*f->steps)--) {
			*f->steps = 0;
			return false;
		}
		if (i->op == IR_RET) {
			*ret = f->value[i->arg[0]];
			return true;
		}
		if (ir_has(i, IR_TERM)) {
			unsigned nth = i->op == IR_BR && !f->value[i->arg[0]];
			jump(f, &block, nth);
			r = f->fn->block.at[block].first;
			continue;
		}
		if (i->op != IR_PHI && !step(f, i, &f->value[r]))
			return false;
		r = i->next;
	}
	return false;
}

bool ir_eval(const struct ir_fn *fn, const struct ir_eval *how, const uint64_t *params,
	     uint64_t *ret)
{
	uint64_t steps = how->max_steps;
	return enter(fn, how, params, NULL, &steps, ret);
}
