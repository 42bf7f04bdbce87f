/*
 * vm.c - the interpreter: BPF's instruction set up to cpu v4 on memory of this process, every
 * access checked.
 *
 * Semantics: Documentation/bpf/standardization/instruction-set.rst of the kernel.
 */
#include "bpf/bpf.h"

#include <errno.h>
#include <stdlib.h>

enum {
	FRAME = 4096, /* STACK_MAX_USER of mi.h */
	MAX_FRAMES = 1024,
	MODE_MEMSX = 0x80,
};
/* A function's address in a register: no address that memory has. */
static const uint64_t FN_TAG = 0xb9f0ull << 48;

struct region {
	uint64_t begin, end;
	bool writable;
};

struct frame {
	uint32_t ret;      /* instruction after the call */
	uint64_t saved[4]; /* r6-r9 of the caller */
};

struct bpf_vm {
	const struct bpf_image *img;
	const struct bpf_vm_ops *ops;
	VEC(struct region) region; /* by begin, none inside another */
	size_t hit;                /* region of the last access */
	uint32_t *reloc;           /* by instruction: index into img->reloc + 1 */
	uint8_t *stack;            /* MAX_FRAMES frames, the outermost last */
	struct frame frame[MAX_FRAMES];
	unsigned depth;   /* frames in use */
	unsigned nesting; /* callbacks within callbacks */
	uint64_t count;
};

/* --- memory
 * -----------------------------------------------------------------------------------------------------
 */

/* Index of the last region that begins at or before addr, or region.len. */
static size_t region_below(const struct bpf_vm *vm, uint64_t addr)
{
	size_t lo = 0, hi = vm->region.len;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (vm->region.at[mid].begin <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : vm->region.len;
}

void bpf_vm_region(struct bpf_vm *vm, const void *p, size_t n, bool writable)
{
	uint64_t begin = (uintptr_t)p, end = begin + n;
	if (!n || end < begin)
		return;
	size_t i = region_below(vm, begin);
	if (i < vm->region.len && vm->region.at[i].begin == begin) {
		struct region *r = &vm->region.at[i];
		r->end = MAX(r->end, end);
		r->writable |= writable;
		return;
	}
	size_t at = i < vm->region.len ? i + 1 : 0;
	vec_push(&vm->region, (struct region){0});
	memmove(vm->region.at + at + 1, vm->region.at + at,
		(vm->region.len - 1 - at) * sizeof(*vm->region.at));
	vm->region.at[at] = (struct region){begin, end, writable};
}

/* The last frames of the stack are in use; an access lies within one of them. */
static bool in_stack(const struct bpf_vm *vm, uint64_t addr, uint64_t n)
{
	uint64_t begin = (uintptr_t)vm->stack + (uint64_t)(MAX_FRAMES - vm->depth) * FRAME;
	uint64_t end = (uintptr_t)vm->stack + (uint64_t)MAX_FRAMES * FRAME;
	return addr >= begin && addr < end && n <= FRAME - (addr - (uintptr_t)vm->stack) % FRAME;
}

static bool covers(const struct region *r, uint64_t addr, uint64_t n, bool write)
{
	return addr >= r->begin && addr <= r->end && n <= r->end - addr && (r->writable || !write);
}

static bool may_access(struct bpf_vm *vm, uint64_t addr, uint64_t n, bool write)
{
	if (in_stack(vm, addr, n))
		return true;
	if (vm->hit < vm->region.len && covers(&vm->region.at[vm->hit], addr, n, write))
		return true;
	/* regions may overlap: a few before the nearest count as well */
	size_t i = region_below(vm, addr);
	for (int tries = 0; i < vm->region.len && tries < 8; i--, tries++)
		if (covers(&vm->region.at[i], addr, n, write)) {
			vm->hit = i;
			return true;
		}
	return false;
}

static uint64_t load(uint64_t addr, unsigned size, bool is_signed)
{
	union {
		uint8_t b;
		uint16_t h;
		uint32_t w;
		uint64_t d;
	} u;
	memcpy(&u, (const void *)(uintptr_t)addr, size);
	switch (size) {
	case 1: return is_signed ? (uint64_t)(int8_t)u.b : u.b;
	case 2: return is_signed ? (uint64_t)(int16_t)u.h : u.h;
	case 4: return is_signed ? (uint64_t)(int32_t)u.w : u.w;
	default: return u.d;
	}
}

static void store(uint64_t addr, unsigned size, uint64_t v)
{
	uint8_t b = (uint8_t)v;
	uint16_t h = (uint16_t)v;
	uint32_t w = (uint32_t)v;
	const void *from = size == 1   ? (const void *)&b
			   : size == 2 ? (const void *)&h
			   : size == 4 ? (const void *)&w
				       : &v;
	memcpy((void *)(uintptr_t)addr, from, size);
}

/* --- arithmetic
 * ---------------------------------------------------------------------------------------------------
 */

static uint64_t divide(uint64_t a, uint64_t b, bool is_signed, bool mod, unsigned bits)
{
	if (bits == 32) {
		a = is_signed ? (uint64_t)(int32_t)a : (uint32_t)a;
		b = is_signed ? (uint64_t)(int32_t)b : (uint32_t)b;
	}
	if (!b)
		return mod ? a : 0;
	if (!is_signed)
		return mod ? a % b : a / b;
	if (b == UINT64_MAX) /* -1: the only quotient that can overflow wraps */
		return mod ? 0 : -a;
	return (uint64_t)(mod ? (int64_t)a % (int64_t)b : (int64_t)a / (int64_t)b);
}

static uint64_t sign_extend(uint64_t v, int bits)
{
	switch (bits) {
	case 8: return (uint64_t)(int8_t)v;
	case 16: return (uint64_t)(int16_t)v;
	case 32: return (uint64_t)(int32_t)v;
	default: return v;
	}
}

static bool byte_swap(const struct bpf_insn *x, uint64_t *v)
{
	bool swap = BPF_CLASS(x->code) == BPF_ALU64 ||
		    (BPF_SRC(x->code) == BPF_TO_BE) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
	switch (x->imm) {
	case 16: *v = swap ? __builtin_bswap16((uint16_t)*v) : (uint16_t)*v; return true;
	case 32: *v = swap ? __builtin_bswap32((uint32_t)*v) : (uint32_t)*v; return true;
	case 64: *v = swap ? __builtin_bswap64(*v) : *v; return true;
	default: return false;
	}
}

static bool alu(const struct bpf_insn *x, uint64_t *dst, uint64_t src)
{
	bool is64 = BPF_CLASS(x->code) == BPF_ALU64;
	uint64_t a = *dst, b = BPF_SRC(x->code) == BPF_X ? src : (uint64_t)(int64_t)x->imm;
	unsigned bits = is64 ? 64 : 32, mask = bits - 1;
	switch (BPF_OP(x->code)) {
	case BPF_ADD: a += b; break;
	case BPF_SUB: a -= b; break;
	case BPF_MUL: a *= b; break;
	case BPF_DIV:
	case BPF_MOD: a = divide(a, b, x->off == 1, BPF_OP(x->code) == BPF_MOD, bits); break;
	case BPF_OR: a |= b; break;
	case BPF_AND: a &= b; break;
	case BPF_XOR: a ^= b; break;
	case BPF_LSH: a <<= b & mask; break;
	case BPF_RSH: a = (is64 ? a : (uint32_t)a) >> (b & mask); break;
	case BPF_ARSH: a = (uint64_t)((is64 ? (int64_t)a : (int32_t)a) >> (b & mask)); break;
	case BPF_NEG: a = -a; break;
	case BPF_MOV: a = BPF_SRC(x->code) == BPF_X && x->off ? sign_extend(b, x->off) : b; break;
	case BPF_END:
		if (!byte_swap(x, &a))
			return false;
		*dst = a;
		return true;
	default: return false;
	}
	*dst = is64 ? a : (uint32_t)a;
	return true;
}

static int compare(const struct bpf_insn *x, uint64_t a, uint64_t b)
{
	if (BPF_SRC(x->code) == BPF_K)
		b = (uint64_t)(int64_t)x->imm;
	int64_t sa = (int64_t)a, sb = (int64_t)b;
	if (BPF_CLASS(x->code) == BPF_JMP32) {
		sa = (int32_t)a;
		sb = (int32_t)b;
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(x->code)) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSET: return (a & b) != 0;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: return -1;
	}
}

/* --- atomics
 * -------------------------------------------------------------------------------------------------------
 */

#define ATOMIC(type, p, op, v, r0)                                                           \
	({                                                                                   \
		type *p_ = (type *)(uintptr_t)(p), v_ = (type)(v), old_ = 0;                 \
		switch (op) {                                                                \
		case BPF_ADD:                                                                \
		case BPF_ADD | BPF_FETCH:                                                    \
			old_ = __atomic_fetch_add(p_, v_, __ATOMIC_SEQ_CST);                 \
			break;                                                               \
		case BPF_OR:                                                                 \
		case BPF_OR | BPF_FETCH: old_ = __atomic_fetch_or(p_, v_, __ATOMIC_SEQ_CST); \
			break;                                                               \
		case BPF_AND:                                                                \
		case BPF_AND | BPF_FETCH:                                                    \
			old_ = __atomic_fetch_and(p_, v_, __ATOMIC_SEQ_CST);                 \
			break;                                                               \
		case BPF_XOR:                                                                \
		case BPF_XOR | BPF_FETCH:                                                    \
			old_ = __atomic_fetch_xor(p_, v_, __ATOMIC_SEQ_CST);                 \
			break;                                                               \
		case BPF_XCHG: old_ = __atomic_exchange_n(p_, v_, __ATOMIC_SEQ_CST); break;  \
		case BPF_CMPXCHG:                                                            \
			old_ = (type)(r0);                                                   \
			__atomic_compare_exchange_n(p_, &old_, v_, false, __ATOMIC_SEQ_CST,  \
						    __ATOMIC_SEQ_CST);                       \
			break;                                                               \
		}                                                                            \
		(uint64_t) old_;                                                             \
	})

static bool known_atomic(int32_t op)
{
	int32_t plain = op & ~BPF_FETCH;
	return op == BPF_XCHG || op == BPF_CMPXCHG || plain == BPF_ADD || plain == BPF_OR ||
	       plain == BPF_AND || plain == BPF_XOR;
}

static bool atomic(struct bpf_vm *vm, const struct bpf_insn *x, uint64_t *r)
{
	unsigned size = BPF_SIZE(x->code) == BPF_DW ? 8 : 4;
	uint64_t addr = r[x->dst_reg] + (uint64_t)(int64_t)x->off;
	if ((BPF_SIZE(x->code) != BPF_DW && BPF_SIZE(x->code) != BPF_W) || !known_atomic(x->imm) ||
	    addr % size || !may_access(vm, addr, size, true))
		return false;
	uint64_t old = size == 8 ? ATOMIC(uint64_t, addr, x->imm, r[x->src_reg], r[0])
				 : ATOMIC(uint32_t, addr, x->imm, r[x->src_reg], r[0]);
	if (x->imm == BPF_CMPXCHG)
		r[0] = old;
	else if (x->imm & BPF_FETCH)
		r[x->src_reg] = old;
	return true;
}

/* --- calls
 * ---------------------------------------------------------------------------------------------------------
 */

static struct err *fault(uint32_t pc, const char *what)
{
	return err_new(EFAULT, "instruction %u: %s", pc, what);
}

/* Copies and clears that the compiler makes out of copy and zero. */
static bool own_probe_read(struct bpf_vm *vm, const uint64_t v[5], uint64_t *ret)
{
	if (!may_access(vm, v[0], v[1], true) || (v[2] && !may_access(vm, v[2], v[1], false)))
		return false;
	if (v[2])
		memmove((void *)(uintptr_t)v[0], (const void *)(uintptr_t)v[2], v[1]);
	else
		memset((void *)(uintptr_t)v[0], 0, v[1]);
	*ret = v[2] ? 0 : (uint64_t)-EFAULT;
	return true;
}

static struct err *call_helper(struct bpf_vm *vm, uint32_t pc, int32_t id, uint64_t *r)
{
	uint64_t v[5], ret = 0;
	memcpy(v, r + 1, sizeof(v));
	if (id == BPF_FUNC_probe_read_kernel && own_probe_read(vm, v, &ret)) {
		r[0] = ret;
		return NULL;
	}
	if (!vm->ops->helper)
		return fault(pc, "there are no helpers");
	struct err *e = vm->ops->helper(vm, vm->ops->arg, id, v, &ret);
	r[0] = ret;
	return e;
}

static bool enter(struct bpf_vm *vm, uint32_t ret, uint64_t *r)
{
	if (vm->depth == MAX_FRAMES)
		return false;
	struct frame *f = &vm->frame[vm->depth++];
	f->ret = ret;
	memcpy(f->saved, r + 6, sizeof(f->saved));
	r[10] = (uintptr_t)vm->stack + (uint64_t)(MAX_FRAMES - vm->depth + 1) * FRAME;
	return true;
}

static uint32_t leave(struct bpf_vm *vm, uint64_t *r)
{
	struct frame *f = &vm->frame[--vm->depth];
	memcpy(r + 6, f->saved, sizeof(f->saved));
	r[10] += FRAME;
	return f->ret;
}

static struct err *load_imm64(struct bpf_vm *vm, uint32_t pc, const struct bpf_insn *x,
			      uint64_t *ret)
{
	const struct bpf_reloc *k = vm->reloc[pc] ? &vm->img->reloc.at[vm->reloc[pc] - 1] : NULL;
	if (pc + 1 >= vm->img->ninsn || x[1].code)
		return fault(pc, "half of a constant");
	switch (x->src_reg) {
	case 0: *ret = (uint64_t)(uint32_t)x[1].imm << 32 | (uint32_t)x->imm; return NULL;
	case BPF_PSEUDO_FUNC: *ret = FN_TAG | (uint32_t)((int64_t)pc + 1 + x->imm); return NULL;
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_VALUE:
		if (!k || !vm->ops->map)
			return fault(pc, "an unknown map");
		*ret = vm->ops->map(vm, vm->ops->arg, k->index, k->kind == RELOC_MAPVAL,
				    (uint32_t)x[1].imm);
		return NULL;
	default: return fault(pc, "an unknown constant");
	}
}

/* --- the loop
 * --------------------------------------------------------------------------------------------------------
 */

static struct err *access_insn(struct bpf_vm *vm, uint32_t pc, const struct bpf_insn *x,
			       uint64_t *r)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};
	unsigned size = sizes[BPF_SIZE(x->code) >> 3];
	bool is_load = BPF_CLASS(x->code) == BPF_LDX;
	uint64_t addr = (is_load ? r[x->src_reg] : r[x->dst_reg]) + (uint64_t)(int64_t)x->off;
	if (BPF_CLASS(x->code) == BPF_STX && BPF_MODE(x->code) == BPF_ATOMIC)
		return atomic(vm, x, r)
			       ? NULL
			       : fault(pc,
				       "an atomic operation on memory that is not the program's");
	if (BPF_MODE(x->code) != BPF_MEM && !(is_load && BPF_MODE(x->code) == MODE_MEMSX))
		return fault(pc, "an unknown instruction");
	if (!may_access(vm, addr, size, !is_load))
		return fault(pc, is_load ? "reads memory that is not the program's"
					 : "writes memory that is not the program's");
	if (is_load)
		r[x->dst_reg] = load(addr, size, BPF_MODE(x->code) == MODE_MEMSX);
	else
		store(addr, size,
		      BPF_CLASS(x->code) == BPF_STX ? r[x->src_reg] : (uint64_t)(int64_t)x->imm);
	return NULL;
}

/* Jumps and calls; *pc is the next instruction already. */
static struct err *jump_insn(struct bpf_vm *vm, uint32_t *pc, const struct bpf_insn *x, uint64_t *r)
{
	uint32_t at = *pc - 1;
	bool is32 = BPF_CLASS(x->code) == BPF_JMP32;
	switch (BPF_OP(x->code)) {
	case BPF_JA: *pc += (uint32_t)(is32 ? x->imm : x->off); return NULL;
	case BPF_CALL:
		if (is32)
			break;
		if (x->src_reg == BPF_PSEUDO_CALL) {
			if (!enter(vm, *pc, r))
				return err_new(E2BIG, "functions call each other too deep");
			*pc += (uint32_t)x->imm;
			return NULL;
		}
		if (x->src_reg)
			return fault(at, "calls a kernel function");
		return call_helper(vm, at, x->imm, r);
	}
	int taken = compare(x, r[x->dst_reg], r[x->src_reg]);
	if (taken < 0)
		return fault(at, "an unknown instruction");
	if (taken)
		*pc += (uint32_t)x->off;
	return NULL;
}

static struct err *step(struct bpf_vm *vm, uint32_t *pc, uint64_t *r)
{
	uint32_t at = (*pc)++;
	const struct bpf_insn *x = &vm->img->insn[at];
	if (x->dst_reg > 10 || x->src_reg > 10)
		return fault(at, "an unknown register");
	switch (BPF_CLASS(x->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		if (x->dst_reg == 10 || !alu(x, &r[x->dst_reg], r[x->src_reg]))
			return fault(at, "an unknown instruction");
		return NULL;
	case BPF_LDX:
	case BPF_STX:
	case BPF_ST:
		if (BPF_CLASS(x->code) == BPF_LDX && x->dst_reg == 10)
			return fault(at, "writes the frame pointer");
		return access_insn(vm, at, x, r);
	case BPF_LD:
		if (x->code != (BPF_LD | BPF_IMM | BPF_DW) || x->dst_reg == 10)
			return fault(at, "an unknown instruction");
		(*pc)++;
		return load_imm64(vm, at, x, &r[x->dst_reg]);
	default: return jump_insn(vm, pc, x, r);
	}
}

/* Runs one function until it returns. */
static struct err *run(struct bpf_vm *vm, uint32_t pc, uint64_t *r)
{
	unsigned base = vm->depth;
	struct err *e = NULL;
	if (!enter(vm, 0, r))
		return err_new(E2BIG, "functions call each other too deep");
	while (!e) {
		if (pc >= vm->img->ninsn) {
			e = fault(pc, "outside of the program");
		} else if (vm->ops->max_insns && ++vm->count > vm->ops->max_insns) {
			e = err_new(ETIME, "more than %llu instructions",
				    (unsigned long long)vm->ops->max_insns);
		} else if (vm->img->insn[pc].code == (BPF_JMP | BPF_EXIT)) {
			pc = leave(vm, r);
			if (vm->depth == base)
				break;
		} else {
			e = step(vm, &pc, r);
		}
	}
	vm->depth = base;
	return e;
}

struct err *bpf_vm_call(struct bpf_vm *vm, uint64_t fn, const uint64_t *v, unsigned n,
			uint64_t *ret)
{
	enum {
		MAX_NESTING = 64
	}; /* each level is a frame of this process's stack too */
	uint64_t r[11] = {0};
	uint64_t at = (fn & FN_TAG) == FN_TAG ? fn & ~FN_TAG : fn;
	memcpy(r + 1, v, MIN(n, 5u) * sizeof(*v));
	if (vm->nesting == MAX_NESTING)
		return err_new(E2BIG, "callbacks call each other too deep");
	vec_each(f, &vm->img->func) {
		if (f->insn != at)
			continue;
		vm->nesting++;
		/* frames of a callback lie below those of its caller */
		struct err *e = run(vm, (uint32_t)at, r);
		vm->nesting--;
		*ret = r[0];
		return e;
	}
	return err_new(EINVAL, "a callback is not a function of the program");
}

struct err *bpf_vm_run(const struct bpf_image *img, const struct bpf_vm_ops *ops, const void *ctx,
		       size_t ctx_size, uint64_t *ret)
{
	uint64_t r[11] = {0};
	struct bpf_vm *vm = xcalloc(1, sizeof(*vm));
	vm->img = img;
	vm->ops = ops;
	vm->stack = xcalloc(MAX_FRAMES, FRAME);
	vm->reloc = xcalloc(MAX(img->ninsn, 1u), sizeof(*vm->reloc));
	for (uint32_t i = 0; i < img->reloc.len; i++)
		if (img->reloc.at[i].insn < img->ninsn)
			vm->reloc[img->reloc.at[i].insn] = i + 1;
	bpf_vm_region(vm, ctx, ctx_size, false);
	r[1] = (uintptr_t)ctx;
	struct err *e = run(vm, 0, r);
	*ret = r[0];
	free(vm->reloc);
	free(vm->stack);
	vec_free(&vm->region);
	free(vm);
	return e;
}
