/* dwarf_expr_stack.c - operations of DWARF expressions on their stack: constants, arithmetic, types of values. */
#include "debuginfo/dwarf_expr.h"

bool dwarf_expr_fail(struct build *b, const char *why)
{
	if (!b->why)
		b->why = why;
	return false;
}

bool dwarf_expr_emit(struct build *b, enum dwarf_op op, int64_t arg)
{
	if (b->out->ninsn >= DWARF_MAX_INSNS)
		return dwarf_expr_fail(b, "has a location that is too long");
	b->out->insn[b->out->ninsn++] = (struct dwarf_insn){.op = (uint8_t)op, .width = 8, .arg = arg};
	return true;
}

bool dwarf_expr_emit_sized(struct build *b, enum dwarf_op op, struct slot s)
{
	if (!dwarf_expr_emit(b, op, 0))
		return false;
	b->out->insn[b->out->ninsn - 1].width = s.width;
	b->out->insn[b->out->ninsn - 1].is_signed = s.is_signed;
	return true;
}

bool dwarf_expr_push(struct build *b, enum dwarf_op op, int64_t arg)
{
	if (b->sp >= DWARF_MAX_STACK)
		return dwarf_expr_fail(b, "has a location that is too deep");
	b->stack[b->sp++] = generic;
	return dwarf_expr_emit(b, op, arg);
}

bool dwarf_expr_need(struct build *b, unsigned n)
{
	return b->sp >= n || dwarf_expr_fail(b, "has a broken location (its stack is empty)");
}

bool dwarf_expr_push_reg(struct build *b, uint64_t reg)
{
	if (reg < 128 && dwarf_abi_readable((unsigned)reg))
		return dwarf_expr_push(b, DWOP_REG, (int64_t)reg);
	return dwarf_expr_fail(b, arena_printf(b->a, "is in register %s, which BPF programs cannot read",
				    dwarf_abi_reg_name((unsigned)MIN(reg, 128u))));
}

/* --- typed values ----------------------------------------------------------------------------------------------- */

/* The base type that an operation names; offset 0 is the generic type. */
bool dwarf_expr_base_type(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, struct slot *ret)
{
	Dwarf_Die die;
	uint64_t encoding, size;
	*ret = generic;
	bool is_generic = (op->atom == DW_OP_convert || op->atom == DW_OP_GNU_convert ||
			   op->atom == DW_OP_reinterpret || op->atom == DW_OP_GNU_reinterpret) && op->number == 0;
	if (is_generic)
		return true;
	if (!attr || dwarf_getlocation_die(attr, op, &die) || !die_uint(&die, DW_AT_encoding, &encoding) ||
	    !die_uint(&die, DW_AT_byte_size, &size))
		return dwarf_expr_fail(b, "has a location of a type that is not known");
	if ((size != 1 && size != 2 && size != 4 && size != 8) || encoding == DW_ATE_float ||
	    encoding == DW_ATE_complex_float || encoding == DW_ATE_imaginary_float)
		return dwarf_expr_fail(b, "is computed in floating point or in 128 bits");
	ret->width = (uint8_t)size;
	ret->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	ret->is_typed = true;
	return true;
}

bool dwarf_expr_convert(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op)
{
	struct slot to;
	if (!dwarf_expr_need(b, 1) || !dwarf_expr_base_type(b, attr, op, &to))
		return false;
	b->stack[b->sp - 1] = to;
	return to.width == 8 || dwarf_expr_emit_sized(b, DWOP_EXT, to);
}

bool dwarf_expr_const_type(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op)
{
	Dwarf_Attribute value;
	Dwarf_Block block;
	struct slot type;
	if (!dwarf_expr_base_type(b, attr, op, &type))
		return false;
	if (dwarf_getlocation_attr(attr, op, &value) || dwarf_formblock(&value, &block) || block.length > 8)
		return dwarf_expr_fail(b, "has a broken location");
	uint64_t v = 0;
	memcpy(&v, block.data, block.length);
	if (!dwarf_expr_push(b, DWOP_CONST, (int64_t)v))
		return false;
	b->stack[b->sp - 1] = type;
	return type.width == 8 || dwarf_expr_emit_sized(b, DWOP_EXT, type);
}

bool dwarf_expr_load(struct build *b, struct slot s)
{
	if (!dwarf_expr_need(b, 1))
		return false;
	b->stack[b->sp - 1] = s.is_typed ? s : generic;
	return dwarf_expr_emit_sized(b, DWOP_LOAD, s);
}

bool dwarf_expr_load_size(struct build *b, uint64_t size)
{
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return dwarf_expr_fail(b, "has a location with a read of an odd size");
	return dwarf_expr_load(b, (struct slot){(uint8_t)size, false, false});
}

/* The result is of the left operand's type, and wraps as it does. */
bool dwarf_expr_binary(struct build *b, enum dwarf_op op)
{
	if (!dwarf_expr_need(b, 2))
		return false;
	struct slot s = b->stack[b->sp - 2];
	bool is_compare = op >= DWOP_EQ && op <= DWOP_ULE;
	bool is_typed = s.width != 8;
	b->sp--;
	b->stack[b->sp - 1] = is_compare ? generic : s;
	return dwarf_expr_emit(b, op, 0) && (is_compare || !is_typed || dwarf_expr_emit_sized(b, DWOP_EXT, s));
}

/* The generic type divides and compares as signed, typed values as their type says. */
static bool by_sign(struct build *b, enum dwarf_op as_signed, enum dwarf_op as_unsigned)
{
	if (!dwarf_expr_need(b, 2))
		return false;
	struct slot s = b->stack[b->sp - 2];
	return dwarf_expr_binary(b, !s.is_typed || s.is_signed ? as_signed : as_unsigned);
}

static bool greater(struct build *b, bool or_equal)
{
	if (!dwarf_expr_need(b, 2) || !dwarf_expr_emit(b, DWOP_SWAP, 0))
		return false;
	return by_sign(b, or_equal ? DWOP_SLE : DWOP_SLT, or_equal ? DWOP_ULE : DWOP_ULT);
}

static bool unary(struct build *b, enum dwarf_op op)
{
	return dwarf_expr_need(b, 1) && dwarf_expr_emit(b, op, 0) &&
	       (b->stack[b->sp - 1].width == 8 || dwarf_expr_emit_sized(b, DWOP_EXT, b->stack[b->sp - 1]));
}

bool dwarf_expr_pick(struct build *b, uint64_t i)
{
	if (i >= DWARF_MAX_STACK || !dwarf_expr_need(b, (unsigned)i + 1) || !dwarf_expr_push(b, DWOP_PICK, (int64_t)i))
		return dwarf_expr_fail(b, "has a broken location");
	b->stack[b->sp - 1] = b->stack[b->sp - 2 - i];
	return true;
}

static bool swap(struct build *b)
{
	if (!dwarf_expr_need(b, 2))
		return false;
	struct slot s = b->stack[b->sp - 1];
	b->stack[b->sp - 1] = b->stack[b->sp - 2];
	b->stack[b->sp - 2] = s;
	return dwarf_expr_emit(b, DWOP_SWAP, 0);
}

static bool rotate(struct build *b)
{
	if (!dwarf_expr_need(b, 3))
		return false;
	struct slot s = b->stack[b->sp - 1];
	b->stack[b->sp - 1] = b->stack[b->sp - 2];
	b->stack[b->sp - 2] = b->stack[b->sp - 3];
	b->stack[b->sp - 3] = s;
	return dwarf_expr_emit(b, DWOP_ROT, 0);
}

static bool drop(struct build *b)
{
	if (!dwarf_expr_need(b, 1))
		return false;
	b->sp--;
	return dwarf_expr_emit(b, DWOP_DROP, 0);
}

bool dwarf_expr_add_const(struct build *b, int64_t n)
{
	if (!n)
		return dwarf_expr_need(b, 1);
	return dwarf_expr_push(b, DWOP_CONST, n) && dwarf_expr_binary(b, DWOP_ADD);
}

/* --- operations ----------------------------------------------------------------------------------------------------- */

/* Operations on the stack without operands. */
static const struct {
	uint8_t atom, op;
	bool is_binary;
} plain[] = {
	{DW_OP_minus, DWOP_SUB, true}, {DW_OP_mul, DWOP_MUL, true},  {DW_OP_plus, DWOP_ADD, true},
	{DW_OP_and, DWOP_AND, true},   {DW_OP_or, DWOP_OR, true},    {DW_OP_xor, DWOP_XOR, true},
	{DW_OP_shl, DWOP_SHL, true},   {DW_OP_shr, DWOP_LSHR, true}, {DW_OP_shra, DWOP_ASHR, true},
	{DW_OP_eq, DWOP_EQ, true},     {DW_OP_ne, DWOP_NE, true},    {DW_OP_neg, DWOP_NEG, false},
	{DW_OP_not, DWOP_NOT, false},  {DW_OP_abs, DWOP_ABS, false},
};

bool dwarf_expr_step_plain(struct build *b, const Dwarf_Op *op, bool *known)
{
	*known = true;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (plain[i].atom == op->atom)
			return plain[i].is_binary ? dwarf_expr_binary(b, plain[i].op) : unary(b, plain[i].op);
	switch (op->atom) {
	case DW_OP_nop: return true;
	case DW_OP_dup: return dwarf_expr_pick(b, 0);
	case DW_OP_over: return dwarf_expr_pick(b, 1);
	case DW_OP_pick: return dwarf_expr_pick(b, op->number);
	case DW_OP_drop: return drop(b);
	case DW_OP_swap: return swap(b);
	case DW_OP_rot: return rotate(b);
	case DW_OP_div: return by_sign(b, DWOP_SDIV, DWOP_UDIV);
	case DW_OP_mod:
		return dwarf_expr_need(b, 2) && dwarf_expr_binary(b, b->stack[b->sp - 2].is_signed ? DWOP_SMOD : DWOP_UMOD);
	case DW_OP_lt: return by_sign(b, DWOP_SLT, DWOP_ULT);
	case DW_OP_le: return by_sign(b, DWOP_SLE, DWOP_ULE);
	case DW_OP_gt: return greater(b, false);
	case DW_OP_ge: return greater(b, true);
	case DW_OP_plus_uconst: return dwarf_expr_add_const(b, (int64_t)op->number);
	case DW_OP_deref: return dwarf_expr_load_size(b, 8);
	case DW_OP_deref_size: return dwarf_expr_load_size(b, op->number);
	default: *known = false; return false;
	}
}

bool dwarf_expr_step_const(struct build *b, const Dwarf_Op *op, bool *known)
{
	*known = true;
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
		return dwarf_expr_push(b, DWOP_CONST, op->atom - DW_OP_lit0);
	switch (op->atom) {
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts: return dwarf_expr_push(b, DWOP_CONST, (int64_t)op->number);
	default: *known = false; return false;
	}
}
