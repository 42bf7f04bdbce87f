/*
 * isel.h - between the files of instruction selection.
 *
 * The instructions of one IR instruction are put into `seq`, forward; operands count as needed from when they are asked for.
 */
#pragma once

#include "bpf/mi.h"

struct base_reg { /* a map's address that a later instruction of the block has in a register */
	const void *map;
	vreg t, ref;
	int64_t off;
	bool in_seq;
	uint32_t at; /* instruction that makes it: in seq or in mfn.mi */
};

struct konst {
	int64_t v;
	vreg r;
};

struct sel {
	struct mfn *f;
	bool *needed;
	uint32_t *nuses;
	ir_ref ir;          /* being selected */
	VEC(struct mi) seq; /* its instructions, forward */
	struct base_reg base[4];
	unsigned nbase;
	struct konst konst[256]; /* made not long ago */
};

struct cond {
	uint8_t cc;
	bool has_imm, flip; /* flip: true and false change places */
	int64_t imm;
	vreg a, b;
};

static inline bool fits32(int64_t v)
{
	return v == (int32_t)v;
}

/* isel_value.c */
bool mfn_const(const struct mfn *f, vreg v, int64_t *ret);
bool mfn_is_compare(uint8_t op);

/* isel.c: building */
vreg sel_tmp(struct sel *s);
vreg sel_const(struct sel *s, int64_t v); /* as an operand; equal ones mostly share one */
struct mi *sel_push(struct sel *s, struct mi m);
vreg sel_any(struct sel *s, vreg r); /* an operand wherever it is */
vreg sel_reg(struct sel *s, vreg r); /* an operand in a register */
void sel_alu(struct sel *s, vreg dst, uint8_t code, vreg a, vreg b); /* dst = a code b, b an immediate when it fits */
vreg sel_alu_tmp(struct sel *s, uint8_t code, vreg a, vreg b);
void sel_mov(struct sel *s, vreg dst, vreg a);

/* isel_cond.c */
struct cond sel_cond(struct sel *s, ir_ref r);
void sel_select(struct sel *s, vreg dst, struct cond c, vreg x, vreg y); /* dst = c ? x : y */
/* dst = sign cc 0 ? x : -x */
void sel_negate_unless(struct sel *s, vreg dst, vreg sign, uint8_t cc, vreg x);

/* isel_arith.c */
void sel_signed_division(struct sel *s, vreg dst, const struct ir_insn *i);
void sel_binary(struct sel *s, vreg dst, const struct ir_insn *i);
void sel_extend(struct sel *s, vreg dst, vreg a, unsigned width, bool is_signed); /* the low `width` bytes of a */

/* isel_mem.c */
void sel_load(struct sel *s, vreg dst, const struct ir_insn *i);
void sel_store(struct sel *s, const struct ir_insn *i);
void sel_atomic(struct sel *s, vreg dst, const struct ir_insn *i);
void sel_copy(struct sel *s, const struct ir_insn *i);
void sel_zero(struct sel *s, const struct ir_insn *i);
