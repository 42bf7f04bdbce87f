/* isel_arith.c - selection of arithmetic and extensions. */
#include "bpf/isel.h"

static const uint8_t alu_of[IR_NOPS] = {
	[IR_ADD] = BPF_ADD,  [IR_SUB] = BPF_SUB,  [IR_MUL] = BPF_MUL,   [IR_UDIV] = BPF_DIV,
	[IR_UMOD] = BPF_MOD, [IR_AND] = BPF_AND,  [IR_OR] = BPF_OR,     [IR_XOR] = BPF_XOR,
	[IR_SHL] = BPF_LSH,  [IR_LSHR] = BPF_RSH, [IR_ASHR] = BPF_ARSH,
};

static bool commutes(uint8_t op)
{
	return op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
}

static vreg magnitude(struct sel *s, vreg a)
{
	vreg m = sel_tmp(s), r = sel_reg(s, a);
	sel_negate_unless(s, m, r, BPF_JSGE, r);
	return m;
}

/* Division toward zero out of the unsigned one, for kernels without cpu v4. */
void sel_signed_division(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool mod = i->op == IR_SMOD;
	vreg a = i->arg[0], b = i->arg[1];
	int64_t c;
	if (mfn_const(s->f, mfn_value(s->f, b), &c)) {
		if (!c) {
			sel_mov(s, dst, mod ? a : sel_const(s, 0));
			return;
		}
		/* never with a divisor that may be -1: kernels 6.6 to 6.11 faulted on INT64_MIN /
		 * -1 */
		if (s->f->world->features.bpf_signed_div && c != -1 && fits32(c)) {
			sel_push(s, (struct mi){MI_ALU, .code = mod ? BPF_MOD : BPF_DIV,
					    .is_signed = true, .has_imm = true, .imm = c,
					    .dst = dst, .use = {sel_any(s, a)}});
			return;
		}
		b = sel_const(s, c < 0 ? (int64_t) - (uint64_t)c : c);
	} else {
		c = 1;
		b = 0;
	}
	vreg ua = magnitude(s, a);
	vreg ub = b ? b : magnitude(s, i->arg[1]);
	vreg q = sel_alu_tmp(s, mod ? BPF_MOD : BPF_DIV, ua, ub);
	vreg sign = a;
	if (!mod && !b)
		sign = sel_alu_tmp(s, BPF_XOR, a, i->arg[1]);
	sel_negate_unless(s, dst, sign, !mod && c < 0 ? BPF_JSLT : BPF_JSGE, q);
}

/* Constant divisors, masks and counts that have a cheaper or a legal form. */
static bool binary_const(struct sel *s, vreg dst, const struct ir_insn *i, int64_t c)
{
	uint64_t u = (uint64_t)c;
	vreg a = i->arg[0];
	bool pow2 = u && !(u & (u - 1));
	switch (i->op) {
	case IR_ADD:
	case IR_OR:
	case IR_XOR:
		if (c)
			return false;
		sel_mov(s, dst, a);
		return true;
	case IR_SUB:
		if (c == INT64_MIN)
			return false;
		if (c)
			sel_alu(s, dst, BPF_ADD, a, sel_const(s, -c));
		else
			sel_mov(s, dst, a);
		return true;
	case IR_MUL:
		if (!pow2)
			return false;
		sel_alu(s, dst, BPF_LSH, a, sel_const(s, __builtin_ctzll(u)));
		return true;
	case IR_UDIV: /* the verifier refuses division by a constant 0 */
		if (!c)
			sel_mov(s, dst, sel_const(s, 0));
		else if (pow2)
			sel_alu(s, dst, BPF_RSH, a, sel_const(s, __builtin_ctzll(u)));
		return !c || pow2;
	case IR_UMOD:
		if (!c)
			sel_mov(s, dst, a);
		else if (pow2)
			sel_alu(s, dst, BPF_AND, a, sel_const(s, (int64_t)(u - 1)));
		return !c || pow2;
	case IR_AND:
		if (u == UINT32_MAX)
			sel_push(s, (struct mi){MI_MOV32, .dst = dst, .use = {sel_any(s, a)}});
		else if (u > INT32_MAX && u < UINT32_MAX)
			sel_push(s, (struct mi){MI_ALU, .code = BPF_AND, .is32 = true, .has_imm = true,
					    .imm = (int32_t)u, .dst = dst, .use = {sel_any(s, a)}});
		else
			return false;
		return true;
	case IR_SHL:
	case IR_LSHR:
	case IR_ASHR: sel_alu(s, dst, alu_of[i->op], a, sel_const(s, c & 63)); return true;
	default: return false;
	}
}

void sel_binary(struct sel *s, vreg dst, const struct ir_insn *i)
{
	struct ir_insn x = *i;
	ir_ref arg[2] = {i->arg[0], i->arg[1]};
	x.arg = arg;
	int64_t c;
	if (commutes(x.op) && mfn_const(s->f, mfn_value(s->f, arg[0]), &c)) {
		arg[0] = i->arg[1];
		arg[1] = i->arg[0];
	}
	if (mfn_const(s->f, mfn_value(s->f, arg[1]), &c) && binary_const(s, dst, &x, c))
		return;
	sel_alu(s, dst, alu_of[x.op], arg[0], arg[1]);
}

/* The low `width` bytes of a, extended. */
void sel_extend(struct sel *s, vreg dst, vreg a, unsigned width, bool is_signed)
{
	if (!is_signed) {
		if (width == 4)
			sel_push(s, (struct mi){MI_MOV32, .dst = dst, .use = {sel_any(s, a)}});
		else
			sel_alu(s, dst, BPF_AND, a, sel_const(s, width == 1 ? 0xff : 0xffff));
	} else if (s->f->world->features.bpf_signed_div) {
		sel_push(s,
		     (struct mi){MI_MOVSX, .size = (uint8_t)width, .dst = dst, .use = {sel_any(s, a)}});
	} else {
		vreg n = sel_const(s, 64 - 8 * (int)width);
		sel_alu(s, dst, BPF_ARSH, sel_alu_tmp(s, BPF_LSH, a, n), n);
	}
}
