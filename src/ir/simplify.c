/*
 * simplify.c - arithmetic that is known at compile time: folding and algebraic identities.
 *
 * Shared by the builder and the pass `fold`.  Every rule looks at one instruction and the
 * definitions of its arguments, so that one sweep over a function is linear.
 */
#include "ir/impl.h"

static uint64_t width_mask(unsigned width)
{
	return width >= 8 ? ~0ull : (1ull << (8 * width)) - 1;
}

static int64_t sign_extend(uint64_t v, unsigned width)
{
	unsigned up = width >= 8 ? 0 : 64 - 8 * width;
	return (int64_t)(v << up) >> up;
}

static uint64_t byte_swap(uint64_t v, unsigned width)
{
	return width ? __builtin_bswap64(v) >> (64 - 8 * width) : 0;
}

static int64_t divide(int64_t a, int64_t b)
{
	if (!b)
		return 0;
	return b == -1 ? (int64_t) - (uint64_t)a : a / b;
}

static int64_t modulo(int64_t a, int64_t b)
{
	if (!b)
		return a;
	return b == -1 ? 0 : a % b;
}

bool ir_compute(enum ir_op op, unsigned width, const uint64_t *v, uint64_t *ret)
{
	uint64_t a = v[0], b = ir_ops[op].nargs > 1 ? v[1] : 0;
	int64_t sa = (int64_t)a, sb = (int64_t)b;
	switch (op) {
	case IR_ADD: *ret = a + b; break;
	case IR_SUB: *ret = a - b; break;
	case IR_MUL: *ret = a * b; break;
	case IR_UDIV: *ret = b ? a / b : 0; break;
	case IR_UMOD: *ret = b ? a % b : a; break;
	case IR_SDIV: *ret = (uint64_t)divide(sa, sb); break;
	case IR_SMOD: *ret = (uint64_t)modulo(sa, sb); break;
	case IR_AND: *ret = a & b; break;
	case IR_OR: *ret = a | b; break;
	case IR_XOR: *ret = a ^ b; break;
	case IR_SHL: *ret = a << (b & 63); break;
	case IR_LSHR: *ret = a >> (b & 63); break;
	case IR_ASHR: *ret = (uint64_t)(sa >> (b & 63)); break;
	case IR_NEG: *ret = -a; break;
	case IR_NOT: *ret = ~a; break;
	case IR_SEXT: *ret = (uint64_t)sign_extend(a, width); break;
	case IR_ZEXT: *ret = a & width_mask(width); break;
	case IR_BSWAP: *ret = byte_swap(a, width); break;
	case IR_EQ: *ret = a == b; break;
	case IR_NE: *ret = a != b; break;
	case IR_ULT: *ret = a < b; break;
	case IR_ULE: *ret = a <= b; break;
	case IR_SLT: *ret = sa < sb; break;
	case IR_SLE: *ret = sa <= sb; break;
	case IR_SELECT: *ret = a ? b : v[2]; break;
	default: return false;
	}
	return true;
}

/* --- what is being simplified ------------------------------------------------------------------
 */

struct rule {
	const struct ir_fn *fn;
	struct ir_insn *i;
	bool (*may_look_through)(void *arg, ir_ref r);
	void *arg;
	bool xconst, yconst; /* are the first two arguments constants, */
	int64_t x, y;        /* and which */
};

static const struct ir_simplified same = {.what = IR_SAME};

static struct ir_simplified to_const(int64_t c)
{
	return (struct ir_simplified){.what = IR_TO_CONST, .c = c};
}

static struct ir_simplified to_ref(ir_ref r)
{
	return (struct ir_simplified){.what = IR_TO_REF, .r = r};
}

static struct ir_simplified rewrite1(struct rule *u, enum ir_op op, ir_ref a)
{
	u->i->op = (uint8_t)op;
	u->i->nargs = 1;
	u->i->arg[0] = a;
	return (struct ir_simplified){.what = IR_REWRITTEN};
}

static struct ir_simplified rewrite2(struct rule *u, enum ir_op op, ir_ref a, ir_ref b)
{
	u->i->op = (uint8_t)op;
	u->i->nargs = 2;
	u->i->arg[0] = a;
	u->i->arg[1] = b;
	return (struct ir_simplified){.what = IR_REWRITTEN};
}

/* `a op c`, for an instruction that has two arguments already */
static struct ir_simplified rewrite_const(struct rule *u, enum ir_op op, ir_ref a, int64_t c)
{
	rewrite2(u, op, a, u->i->arg[1]);
	return (struct ir_simplified){.what = IR_REWRITTEN, .c = c, .need_const = 2};
}

static const struct ir_insn *def(const struct rule *u, unsigned n)
{
	return ir_at_ref(u->fn, u->i->arg[n]);
}

static bool look_through(const struct rule *u, unsigned n)
{
	return u->may_look_through && u->may_look_through(u->arg, u->i->arg[n]);
}

static bool is_compare(const struct ir_insn *i)
{
	return i->op >= IR_EQ && i->op <= IR_SLE;
}

/* Every value of r is at most this, as the verifier knows too. */
static uint64_t max_value(const struct ir_fn *fn, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(fn, r);
	int64_t c;
	if (is_compare(i))
		return 1;
	switch (i->op) {
	case IR_CONST: return (uint64_t)i->imm;
	case IR_LOAD: return i->is_signed ? ~0ull : width_mask(i->width);
	case IR_ZEXT:
	case IR_BSWAP: return width_mask(i->width);
	case IR_AND: return ir_is_const(fn, i->arg[1], &c) ? (uint64_t)c : ~0ull;
	case IR_LSHR: return ir_is_const(fn, i->arg[1], &c) ? ~0ull >> (c & 63) : ~0ull;
	default: return ~0ull;
	}
}

/* -1: no power of two */
static int log2_of(int64_t v)
{
	uint64_t u = (uint64_t)v;
	return u && !(u & (u - 1)) ? __builtin_ctzll(u) : -1;
}

/* --- rules, one function an operation or a family ----------------------------------------------
 */

/* (a op c1) op c2 is a op (c1 op c2) for the associative ones. */
static struct ir_simplified reassociate(struct rule *u)
{
	const struct ir_insn *in = def(u, 0);
	int64_t c;
	uint64_t both;
	if (in->op != u->i->op || !ir_is_const(u->fn, in->arg[1], &c) || !look_through(u, 0))
		return same;
	ir_compute(u->i->op, 0, (uint64_t[]){(uint64_t)c, (uint64_t)u->y}, &both);
	return rewrite_const(u, u->i->op, in->arg[0], (int64_t)both);
}

static struct ir_simplified add(struct rule *u)
{
	if (u->xconst)
		return rewrite2(u, IR_ADD, u->i->arg[1], u->i->arg[0]);
	if (!u->yconst)
		return same;
	return u->y ? reassociate(u) : to_ref(u->i->arg[0]);
}

static struct ir_simplified sub(struct rule *u)
{
	if (u->i->arg[0] == u->i->arg[1])
		return to_const(0);
	if (u->xconst && !u->x)
		return rewrite1(u, IR_NEG, u->i->arg[1]);
	if (!u->yconst)
		return same;
	return rewrite_const(u, IR_ADD, u->i->arg[0], (int64_t) - (uint64_t)u->y);
}

static struct ir_simplified mul(struct rule *u)
{
	if (u->xconst)
		return rewrite2(u, IR_MUL, u->i->arg[1], u->i->arg[0]);
	if (!u->yconst)
		return same;
	if (u->y == 0)
		return to_const(0);
	if (u->y == 1)
		return to_ref(u->i->arg[0]);
	if (u->y == -1)
		return rewrite1(u, IR_NEG, u->i->arg[0]);
	if (log2_of(u->y) > 0)
		return rewrite_const(u, IR_SHL, u->i->arg[0], log2_of(u->y));
	return reassociate(u);
}

static struct ir_simplified divmod(struct rule *u)
{
	ir_ref a = u->i->arg[0];
	bool is_div = u->i->op == IR_UDIV || u->i->op == IR_SDIV;
	bool is_unsigned = u->i->op == IR_UDIV || u->i->op == IR_UMOD;
	if (u->xconst && u->x == 0)
		return to_const(0);
	if (!u->yconst)
		return same;
	if (u->y == 0)
		return is_div ? to_const(0) : to_ref(a);
	if (u->y == 1)
		return is_div ? to_ref(a) : to_const(0);
	if (u->y == -1 && !is_unsigned)
		return is_div ? rewrite1(u, IR_NEG, a) : to_const(0);
	if (is_unsigned && log2_of(u->y) > 0)
		return is_div ? rewrite_const(u, IR_LSHR, a, log2_of(u->y))
			      : rewrite_const(u, IR_AND, a, (int64_t)((uint64_t)u->y - 1));
	return same;
}

static struct ir_simplified and (struct rule * u)
{
	ir_ref a = u->i->arg[0];
	if (a == u->i->arg[1])
		return to_ref(a);
	if (u->xconst)
		return rewrite2(u, IR_AND, u->i->arg[1], a);
	if (!u->yconst)
		return same;
	if (u->y == 0)
		return to_const(0);
	/* All ones up to the highest bit that can be set */
	uint64_t mask = (uint64_t)u->y;
	if (!(mask & (mask + 1)) && max_value(u->fn, a) <= mask)
		return to_ref(a);
	if (mask == UINT32_MAX) {
		u->i->width = 4;
		return rewrite1(u, IR_ZEXT, a);
	}
	const struct ir_insn *in = def(u, 0);
	bool widened = in->op == IR_ZEXT || in->op == IR_SEXT;
	if (widened && mask <= width_mask(in->width) && look_through(u, 0))
		return rewrite2(u, IR_AND, in->arg[0], u->i->arg[1]);
	return reassociate(u);
}

static struct ir_simplified or_xor(struct rule *u)
{
	ir_ref a = u->i->arg[0];
	bool is_or = u->i->op == IR_OR;
	if (a == u->i->arg[1])
		return is_or ? to_ref(a) : to_const(0);
	if (u->xconst)
		return rewrite2(u, u->i->op, u->i->arg[1], a);
	if (!u->yconst)
		return same;
	if (u->y == 0)
		return to_ref(a);
	if (u->y == -1)
		return is_or ? to_const(-1) : rewrite1(u, IR_NOT, a);
	return reassociate(u);
}

static struct ir_simplified shift(struct rule *u)
{
	if (u->yconst && !(u->y & 63))
		return to_ref(u->i->arg[0]);
	if (u->xconst && !u->x)
		return to_const(0);
	return same;
}

static struct ir_simplified neg_not(struct rule *u)
{
	const struct ir_insn *in = def(u, 0);
	return in->op == u->i->op ? to_ref(in->arg[0]) : same;
}

static struct ir_simplified extend(struct rule *u)
{
	const struct ir_insn *in = def(u, 0);
	unsigned width = u->i->width;
	bool is_signed = u->i->op == IR_SEXT;
	uint64_t mask = width_mask(width);
	if (width >= 8 || max_value(u->fn, u->i->arg[0]) <= (is_signed ? mask >> 1 : mask))
		return to_ref(u->i->arg[0]);
	bool from_signed = in->op == IR_SEXT || (in->op == IR_LOAD && in->is_signed);
	if (is_signed && from_signed && in->width <= width)
		return to_ref(u->i->arg[0]);
	bool widened = in->op == IR_SEXT || in->op == IR_ZEXT;
	if (widened && in->width >= width && look_through(u, 0))
		return rewrite1(u, u->i->op, in->arg[0]);
	return same;
}

/* Not (a < b) is b <= a. */
static struct ir_simplified invert(struct rule *u, const struct ir_insn *cmp)
{
	static const uint8_t opposite[] = {
		[IR_EQ] = IR_NE,   [IR_NE] = IR_EQ,   [IR_ULT] = IR_ULE,
		[IR_ULE] = IR_ULT, [IR_SLT] = IR_SLE, [IR_SLE] = IR_SLT,
	};
	bool swap = cmp->op >= IR_ULT;
	return rewrite2(u, opposite[cmp->op], cmp->arg[swap], cmp->arg[!swap]);
}

static struct ir_simplified equality(struct rule *u)
{
	ir_ref a = u->i->arg[0];
	bool is_eq = u->i->op == IR_EQ;
	if (a == u->i->arg[1])
		return to_const(is_eq);
	if (u->xconst)
		return rewrite2(u, u->i->op, u->i->arg[1], a);
	if (!u->yconst || !is_compare(def(u, 0)) || (uint64_t)u->y > 1)
		return same;
	return is_eq == (u->y == 1) ? to_ref(a) : invert(u, def(u, 0));
}

static struct ir_simplified order(struct rule *u)
{
	bool strict = u->i->op == IR_ULT || u->i->op == IR_SLT;
	if (u->i->arg[0] == u->i->arg[1])
		return to_const(!strict);
	if (u->i->op == IR_ULT && u->yconst && u->y == 0)
		return to_const(0);
	if (u->i->op == IR_ULE && u->xconst && u->x == 0)
		return to_const(1);
	return same;
}

static struct ir_simplified select(struct rule *u)
{
	ir_ref c = u->i->arg[0], a = u->i->arg[1], b = u->i->arg[2];
	int64_t x, y;
	if (a == b)
		return to_ref(a);
	if (u->xconst)
		return to_ref(u->x ? a : b);
	bool known = ir_is_const(u->fn, a, &x) && ir_is_const(u->fn, b, &y);
	if (known && x == y)
		return to_ref(a);
	if (known && x == 1 && y == 0)
		return is_compare(def(u, 0)) ? to_ref(c) : rewrite2(u, IR_NE, c, b);
	if (known && x == 0 && y == 1)
		return rewrite2(u, IR_EQ, c, a);
	return same;
}

/* Instructions have 16 bits for the offset; half of that leaves room for the pieces of a copy. */
static bool offset_fits(int64_t off)
{
	return off >= INT16_MIN / 2 && off <= INT16_MAX / 2;
}

/* A constant distance from the address goes into the instruction. */
static struct ir_simplified address(struct rule *u)
{
	const struct ir_insn *in = def(u, 0);
	int64_t c, off;
	if (in->op != IR_ADD || !ir_is_const(u->fn, in->arg[1], &c) ||
	    __builtin_add_overflow(u->i->imm, c, &off) || !offset_fits(off) || !look_through(u, 0))
		return same;
	u->i->imm = off;
	u->i->arg[0] = in->arg[0];
	return (struct ir_simplified){.what = IR_REWRITTEN};
}

/* The bytes above those stored do not matter. */
static struct ir_simplified stored_value(struct rule *u)
{
	const struct ir_insn *in = def(u, 1);
	bool widened = in->op == IR_SEXT || in->op == IR_ZEXT;
	if (!widened || in->width < u->i->width)
		return same;
	u->i->arg[1] = in->arg[0];
	return (struct ir_simplified){.what = IR_REWRITTEN};
}

static struct ir_simplified store(struct rule *u)
{
	struct ir_simplified s = address(u);
	return s.what == IR_SAME ? stored_value(u) : s;
}

static struct ir_simplified (*const rules[IR_NOPS])(struct rule *u) = {
	[IR_ADD] = add,
	[IR_SUB] = sub,
	[IR_MUL] = mul,
	[IR_UDIV] = divmod,
	[IR_UMOD] = divmod,
	[IR_SDIV] = divmod,
	[IR_SMOD] = divmod,
	[IR_AND] = and,
	[IR_OR] = or_xor,
	[IR_XOR] = or_xor,
	[IR_SHL] = shift,
	[IR_LSHR] = shift,
	[IR_ASHR] = shift,
	[IR_NEG] = neg_not,
	[IR_NOT] = neg_not,
	[IR_SEXT] = extend,
	[IR_ZEXT] = extend,
	[IR_EQ] = equality,
	[IR_NE] = equality,
	[IR_ULT] = order,
	[IR_ULE] = order,
	[IR_SLT] = order,
	[IR_SLE] = order,
	[IR_SELECT] = select,
	[IR_LOAD] = address,
	[IR_STORE] = store,
	[IR_ATOMIC_ADD] = address,
	[IR_ATOMIC_FADD] = address,
	[IR_ATOMIC_XCHG] = address,
	[IR_ATOMIC_CMPXCHG] = address,
};

struct ir_simplified ir_simplify(const struct ir_fn *fn, struct ir_insn *i,
				 bool (*may_look_through)(void *arg, ir_ref r), void *arg)
{
	if (!i->nargs)
		return same;
	struct rule u = {.fn = fn, .i = i, .may_look_through = may_look_through, .arg = arg};
	u.xconst = ir_is_const(fn, i->arg[0], &u.x);
	u.yconst = i->nargs > 1 && ir_is_const(fn, i->arg[1], &u.y);
	bool known = ir_has(i, IR_PURE);
	uint64_t v[3] = {0};
	for (uint32_t k = 0; k < i->nargs && known; k++) {
		int64_t c = 0;
		known = ir_is_const(fn, i->arg[k], &c);
		v[k] = (uint64_t)c;
	}
	uint64_t value;
	if (known && ir_compute(i->op, i->width, v, &value))
		return to_const((int64_t)value);
	return rules[i->op] ? rules[i->op](&u) : same;
}
