/* isel_value.c - what instruction selection knows of a value: constants, widths, what can be made again. */
#include "bpf/isel.h"

#include <limits.h>

const struct ir_insn *mfn_ir(const struct mfn *f, vreg v)
{
	return v < f->nir ? &f->ir->insn.at[v] : NULL;
}

bool mfn_const(const struct mfn *f, vreg v, int64_t *ret)
{
	if (v >= f->nir) {
		*ret = f->tmp.at[v - f->nir].v;
		return f->tmp.at[v - f->nir].is_const;
	}
	*ret = f->ir->insn.at[v].imm;
	return f->ir->insn.at[v].op == IR_CONST;
}

bool mfn_is_compare(uint8_t op)
{
	return op >= IR_EQ && op <= IR_SLE;
}

/* Bits above the low `width` bytes are known to be zero. */
static bool upper_zero(const struct mfn *f, ir_ref r, unsigned width)
{
	const struct ir_insn *i = &f->ir->insn.at[r];
	int64_t c;
	if (i->op == IR_LOAD)
		return !i->is_signed && i->width <= width;
	if (i->op == IR_ZEXT || i->op == IR_BSWAP)
		return i->width <= width;
	if (i->op == IR_AND && mfn_const(f, i->arg[1], &c))
		return width == 8 || !((uint64_t)c >> (8 * width));
	if (i->op == IR_LSHR && mfn_const(f, i->arg[1], &c))
		return (c & 63) >= 64 - 8 * (int)width;
	return mfn_is_compare(i->op);
}

static bool sign_known(const struct mfn *f, ir_ref r, unsigned width)
{
	const struct ir_insn *i = &f->ir->insn.at[r];
	if (i->op == IR_SEXT || (i->op == IR_LOAD && i->is_signed))
		return i->width <= width;
	if (i->op == IR_LOAD || i->op == IR_ZEXT)
		return i->width < width;
	return mfn_is_compare(i->op);
}

vreg mfn_value(const struct mfn *f, ir_ref r)
{
	if (r >= f->nir)
		return r;
	for (;;) {
		const struct ir_insn *i = &f->ir->insn.at[r];
		if (i->op == IR_PARAM)
			return f->param[i->imm];
		if (i->op == IR_PHI && i->nargs == 1) {
			r = i->arg[0];
			continue;
		}
		if (i->op != IR_ZEXT && i->op != IR_SEXT)
			return r;
		bool same =
			i->width >= 8 || (i->op == IR_ZEXT ? upper_zero(f, i->arg[0], i->width)
							   : sign_known(f, i->arg[0], i->width));
		if (!same)
			return r;
		r = i->arg[0];
	}
}

/* Constants and addresses, also with constants added. */
bool mfn_remat(const struct mfn *f, vreg v, struct remat *ret)
{
	struct remat unused, *m = ret ? ret : &unused;
	int64_t add = 0, c;
	if (mfn_const(f, v, &c)) {
		*m = (struct remat){REMAT_CONST, .imm = c};
		return true;
	}
	if (v >= f->nir)
		return false;
	const struct ir_insn *i = &f->ir->insn.at[v];
	while ((i->op == IR_ADD || i->op == IR_SUB) && mfn_const(f, i->arg[1], &c)) {
		add = (int64_t)(i->op == IR_ADD ? (uint64_t)add + (uint64_t)c : (uint64_t)add - (uint64_t)c);
		i = &f->ir->insn.at[i->arg[0]];
	}
	bool moved = add != 0;
	switch (i->op) {
	case IR_SLOT:
		*m = (struct remat){REMAT_SLOT, add, f->slot_of[i - f->ir->insn.at]};
		return add >= INT16_MIN && add <= INT16_MAX;
	case IR_MAPVAL:
		*m = (struct remat){REMAT_MAPVAL, i->imm + add, 0, i->sym};
		return i->imm + add >= 0 && i->imm + add < INT_MAX;
	case IR_MAP: *m = (struct remat){REMAT_MAP, 0, 0, i->sym}; return !moved;
	case IR_FNADDR: *m = (struct remat){REMAT_FNADDR, 0, 0, i->sym}; return !moved;
	default: return false;
	}
}
