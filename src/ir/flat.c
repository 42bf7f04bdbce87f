/*
 * flat.c - comparisons that are values become arithmetic.
 *
 * A comparison that a branch or a choice looks at stays: the verifier learns bounds from it.  One whose 0 or
 * 1 is only kept would be a branch too, and the verifier would walk the rest of the program once for each
 * answer (kernels before 6.2 do so for every one of them in programs with functions).  The sign of a difference
 * says the same without a branch.  The verifier must not take an operand for an address, and nobody may need
 * the result as a constant: see known.c.
 */
#include "ir/impl.h"

struct flat {
	struct ir_fn *fn;
	struct ir_known known;
	bool *asked; /* comparisons that a branch or a choice looks at */
	ir_ref at;   /* new instructions go before it */
};

static ir_ref put(struct flat *f, enum ir_op op, ir_ref a, ir_ref b)
{
	ir_ref arg[2] = {a, b};
	struct loc loc = ir_at_ref(f->fn, f->at)->loc;
	ir_ref r = ir_insn_new(f->fn, op, (unsigned)ir_ops[op].nargs, arg);
	ir_at_ref(f->fn, r)->loc = loc;
	ir_insert_before(f->fn, r, f->at);
	return r;
}

static ir_ref puti(struct flat *f, enum ir_op op, ir_ref a, int64_t c)
{
	return put(f, op, a, ir_entry_const(f->fn, c));
}

static bool knows(const struct flat *f, ir_ref a, ir_ref b, unsigned what)
{
	return ir_knows(&f->known, a, what) && ir_knows(&f->known, b, what);
}

static ir_ref sign_of(struct flat *f, ir_ref v)
{
	return puti(f, IR_LSHR, v, 63);
}

static ir_ref not_of(struct flat *f, ir_ref v)
{
	return puti(f, IR_XOR, v, 1);
}

/* The bit that a mask of one bit leaves, as 0 or 1; 0: v is no such thing. */
static ir_ref one_bit(struct flat *f, ir_ref v)
{
	int64_t c;
	const struct ir_insn *i = ir_at_ref(f->fn, v);
	if (i->op != IR_AND || !ir_is_const(f->fn, i->arg[1], &c) || c <= 0 || c & (c - 1))
		return 0;
	return c == 1 ? v : puti(f, IR_LSHR, v, __builtin_ctzll((uint64_t)c));
}

static ir_ref differ(struct flat *f, ir_ref a, ir_ref b, bool equal)
{
	int64_t c;
	bool zero = ir_is_const(f->fn, b, &c) && !c;
	ir_ref d = zero ? one_bit(f, a) : 0;
	if (!d && knows(f, a, b, IR_BOOL))
		d = zero ? a : put(f, IR_XOR, a, b);
	if (d)
		return equal ? not_of(f, d) : d;
	d = zero ? a : put(f, IR_XOR, a, b);
	if (knows(f, a, b, IR_NONNEG))
		return sign_of(f, equal ? puti(f, IR_ADD, d, -1) : put(f, IR_NEG, d, 0));
	d = sign_of(f, put(f, IR_OR, d, put(f, IR_NEG, d, 0)));
	return equal ? not_of(f, d) : d;
}

/* a < b: the sign of a - b, where that does not overflow; else both signs have a say. */
static ir_ref less(struct flat *f, ir_ref a, ir_ref b, bool is_signed)
{
	int64_t c;
	if (is_signed && ir_is_const(f->fn, b, &c) && !c)
		return sign_of(f, a);
	ir_ref d = put(f, IR_SUB, a, b);
	if (knows(f, a, b, IR_NONNEG) || (is_signed && knows(f, a, b, IR_HALF)))
		return sign_of(f, d);
	bool low_a = ir_knows(&f->known, a, IR_NONNEG), low_b = ir_knows(&f->known, b, IR_NONNEG);
	bool high_b = ir_is_const(f->fn, b, &c) && c < 0;
	if (is_signed) {
		if (low_b)
			return sign_of(f, put(f, IR_OR, a, d));
		if (high_b)
			return sign_of(f, put(f, IR_AND, a, d));
		if (low_a)
			return sign_of(f, put(f, IR_AND, put(f, IR_NOT, b, 0), d));
		ir_ref other = put(f, IR_AND, put(f, IR_XOR, a, b), put(f, IR_XOR, d, a));
		return sign_of(f, put(f, IR_XOR, d, other));
	}
	if (low_b)
		return sign_of(f, put(f, IR_AND, put(f, IR_NOT, a, 0), d));
	if (high_b)
		return sign_of(f, put(f, IR_OR, put(f, IR_NOT, a, 0), d));
	if (low_a)
		return sign_of(f, put(f, IR_OR, b, d));
	ir_ref sure = put(f, IR_AND, put(f, IR_NOT, a, 0), b);
	ir_ref same = put(f, IR_NOT, put(f, IR_XOR, a, b), 0);
	return sign_of(f, put(f, IR_OR, sure, put(f, IR_AND, same, d)));
}

/* a <= b: a < b + 1 where that is a constant, else not b < a. */
static ir_ref less_equal(struct flat *f, ir_ref a, ir_ref b, bool is_signed)
{
	int64_t c;
	if (!ir_is_const(f->fn, b, &c) || c == (is_signed ? INT64_MAX : -1))
		return not_of(f, less(f, b, a, is_signed));
	return less(f, a, ir_entry_const(f->fn, (int64_t)((uint64_t)c + 1)), is_signed);
}

static ir_ref value_of(struct flat *f, enum ir_op op, ir_ref a, ir_ref b)
{
	switch (op) {
	case IR_EQ:
	case IR_NE: return differ(f, a, b, op == IR_EQ);
	case IR_ULT:
	case IR_SLT: return less(f, a, b, op == IR_SLT);
	default: return less_equal(f, a, b, op == IR_SLE);
	}
}

/* x + (b ? d : 0) with d > 0: the bounds of the result are exactly the two. */
static ir_ref choose(struct flat *f, ir_ref yes, int64_t x, int64_t d)
{
	ir_ref v = yes;
	if (d & (d - 1)) {
		const struct ir_insn *i = ir_at_ref(f->fn, yes);
		int64_t c;
		bool is_sign = i->op == IR_LSHR && ir_is_const(f->fn, i->arg[1], &c) && c == 63;
		v = puti(f, IR_AND, is_sign ? puti(f, IR_ASHR, i->arg[0], 63) : put(f, IR_NEG, yes, 0), d);
	}
	else if (d > 1)
		v = puti(f, IR_SHL, yes, __builtin_ctzll((uint64_t)d));
	return x ? puti(f, IR_ADD, v, x) : v;
}

static bool is_flat(const struct flat *f, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(f->fn, r);
	return ir_compares(i) && !f->asked[r] && !ir_knows(&f->known, r, IR_ADDRESS) &&
	       knows(f, i->arg[0], i->arg[1], IR_NUMBER);
}

/* A choice between two small constants by a comparison. */
static bool constant_arms(const struct flat *f, const struct ir_insn *i, int64_t arm[2])
{
	for (int n = 0; n < 2; n++)
		if (!ir_is_const(f->fn, i->arg[n + 1], &arm[n]) || arm[n] != (int32_t)arm[n])
			return false;
	return true;
}

static void find_asked(struct flat *f)
{
	for (ir_ref r = 1; r < f->known.len; r++) {
		const struct ir_insn *i = ir_at_ref(f->fn, r);
		int64_t arm[2];
		if (ir_is_removed(f->fn, r) || (i->op != IR_BR && i->op != IR_SELECT))
			continue;
		if (i->op == IR_BR || ir_knows(&f->known, r, IR_ADDRESS) || !constant_arms(f, i, arm))
			f->asked[i->arg[0]] = true;
	}
}

/* 0 or 1 of a comparison or of any number; 0: not without a branch. */
static ir_ref truth(struct flat *f, ir_ref c, bool invert)
{
	static const uint8_t other[] = {[IR_EQ] = IR_NE, [IR_NE] = IR_EQ, [IR_ULT] = IR_ULE, [IR_ULE] = IR_ULT, [IR_SLT] = IR_SLE, [IR_SLE] = IR_SLT};
	struct ir_insn i = *ir_at_ref(f->fn, c);
	if (ir_compares(&i)) {
		if (!is_flat(f, c))
			return 0;
		bool swap = invert && i.op != IR_EQ && i.op != IR_NE;
		return value_of(f, invert ? other[i.op] : i.op, i.arg[swap], i.arg[!swap]);
	}
	if (!ir_knows(&f->known, c, IR_NUMBER))
		return 0;
	if (!ir_knows(&f->known, c, IR_BOOL))
		return differ(f, c, ir_entry_const(f->fn, 0), invert);
	return invert ? not_of(f, c) : c;
}

/* What r becomes; 0: it stays. */
static ir_ref flatten(struct flat *f, ir_ref r)
{
	struct ir_insn i = *ir_at_ref(f->fn, r);
	int64_t arm[2];
	f->at = r;
	if (ir_compares(&i))
		return is_flat(f, r) ? value_of(f, i.op, i.arg[0], i.arg[1]) : 0;
	if (i.op != IR_SELECT || ir_knows(&f->known, r, IR_ADDRESS) || !constant_arms(f, &i, arm) || arm[0] == arm[1])
		return 0;
	bool rises = arm[0] < arm[1];
	ir_ref yes = truth(f, i.arg[0], rises);
	return yes ? choose(f, yes, arm[!rises], rises ? arm[1] - arm[0] : arm[0] - arm[1]) : 0;
}

/* Is there anything to do? */
static bool has_values(const struct ir_fn *fn)
{
	bool *asked = xcalloc(fn->insn.len, sizeof(*asked)), found = false;
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op == IR_BR && !ir_is_removed(fn, r))
			asked[i->arg[0]] = true;
	}
	for (ir_ref r = 1; r < fn->insn.len && !found; r++)
		found = !ir_is_removed(fn, r) && (ir_at_ref(fn, r)->op == IR_SELECT || (ir_compares(ir_at_ref(fn, r)) && !asked[r]));
	base_free(asked);
	return found;
}

void ir_pass_flat(struct ir_fn *fn)
{
	struct flat f = {.fn = fn};
	struct ir_replace replace;
	if (!has_values(fn))
		return;
	ir_known_init(&f.known, fn);
	ir_replace_init(&replace, fn);
	f.asked = xcalloc(f.known.len, sizeof(*f.asked));
	find_asked(&f);
	for (ir_ref r = 1; r < f.known.len; r++) {
		ir_ref v = ir_is_removed(fn, r) ? 0 : flatten(&f, r);
		if (v)
			ir_replace_set(&replace, r, v);
	}
	ir_replace_apply(&replace, fn);
	ir_replace_free(&replace);
	ir_known_free(&f.known);
	base_free(f.asked);
}
