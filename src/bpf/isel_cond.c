/* isel_cond.c - selection of conditions: for branches, and for what depends on them. */
#include "bpf/isel.h"

static const uint8_t cc_of[IR_NOPS] = {
	[IR_EQ] = BPF_JEQ,  [IR_NE] = BPF_JNE,   [IR_ULT] = BPF_JLT,
	[IR_ULE] = BPF_JLE, [IR_SLT] = BPF_JSLT, [IR_SLE] = BPF_JSLE};

static uint8_t swapped(uint8_t cc)
{
	switch (cc) {
	case BPF_JLT: return BPF_JGT;
	case BPF_JLE: return BPF_JGE;
	case BPF_JSLT: return BPF_JSGT;
	case BPF_JSLE: return BPF_JSGE;
	default: return cc;
	}
}

uint8_t mi_inverse(uint8_t cc)
{
	static const uint8_t pair[][2] = {{BPF_JEQ, BPF_JNE},
					  {BPF_JLT, BPF_JGE},
					  {BPF_JLE, BPF_JGT},
					  {BPF_JSLT, BPF_JSGE},
					  {BPF_JSLE, BPF_JSGT}};
	for (size_t i = 0; i < ARRAY_SIZE(pair); i++)
		for (int k = 0; k < 2; k++)
			if (pair[i][k] == cc)
				return pair[i][!k];
	return 0;
}

/* `x & mask` of a comparison with zero that nothing else uses becomes one jump. */
static bool is_bit_test(struct sel *s, const struct ir_insn *i, struct cond *c)
{
	const struct mfn *f = s->f;
	int64_t zero, mask;
	vreg x = mfn_value(f, i->arg[0]);
	const struct ir_insn *and = mfn_ir(f, x);
	if ((i->op != IR_EQ && i->op != IR_NE) || !mfn_const(f, mfn_value(f, i->arg[1]), &zero) ||
	    zero)
		return false;
	if (!and || and->op != IR_AND || s->nuses[x] != 1 || !mfn_const(f, and->arg[1], &mask) ||
	    !fits32(mask))
		return false;
	c->cc = BPF_JSET;
	c->flip ^= i->op == IR_EQ;
	c->has_imm = true;
	c->imm = mask;
	c->a = sel_reg(s, and->arg[0]);
	return true;
}

struct cond sel_cond(struct sel *s, ir_ref r)
{
	const struct mfn *f = s->f;
	struct cond c = {0};
	const struct ir_insn *i;
	int64_t v;
	for (;;) { /* !x and x != 0 of a comparison */
		r = mfn_value(f, r);
		i = mfn_ir(f, r);
		if (!i || (i->op != IR_EQ && i->op != IR_NE) ||
		    !mfn_const(f, mfn_value(f, i->arg[1]), &v) || v)
			break;
		vreg x = mfn_value(f, i->arg[0]);
		const struct ir_insn *ix = mfn_ir(f, x);
		if (!ix || !mfn_is_compare(ix->op))
			break;
		c.flip ^= i->op == IR_EQ;
		r = x;
	}
	vreg a = r, b = 0;
	if (i && mfn_is_compare(i->op)) {
		if (is_bit_test(s, i, &c))
			return c;
		a = mfn_value(f, i->arg[0]);
		b = mfn_value(f, i->arg[1]);
		c.cc = cc_of[i->op];
		if (mfn_const(f, a, &v)) {
			vreg t = a;
			a = b;
			b = t;
			c.cc = swapped(c.cc);
		}
	} else {
		c.cc = BPF_JNE;
		b = sel_const(s, 0);
	}
	c.a = sel_reg(s, a);
	if (mfn_const(f, b, &v) && fits32(v)) {
		c.has_imm = true;
		c.imm = v;
	} else {
		c.b = sel_reg(s, b);
	}
	return c;
}

void sel_select(struct sel *s, vreg dst, struct cond c, vreg x, vreg y)
{
	if (c.flip) {
		vreg t = x;
		x = y;
		y = t;
	}
	if (mfn_remat(s->f, x, NULL) && !mfn_remat(s->f, y, NULL) && mi_inverse(c.cc)) {
		vreg t = x;
		x = y;
		y = t;
		c.cc = mi_inverse(c.cc);
	}
	sel_push(s, (struct mi){MI_SEL, .code = c.cc, .has_imm = c.has_imm, .imm = c.imm, .dst = dst,
			    .use = {x, c.a, c.b, y}});
}

/* dst = sign cc 0 ? x : -x */
void sel_negate_unless(struct sel *s, vreg dst, vreg sign, uint8_t cc, vreg x)
{
	sel_push(s, (struct mi){MI_CNEG, .code = cc, .has_imm = true, .dst = dst,
			    .use = {sel_any(s, x), sel_reg(s, sign)}});
}
