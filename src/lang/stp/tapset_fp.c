/* tapset_fp.c - floating point: a double is its bits in a long; runtime/fp.h does the arithmetic. */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* As in runtime/fp_text.h: bytes of the text, of the two cells; the state when all was read. */
enum { FP_TEXT = 384, DECIMAL_CELL = 8 * 70, READING_CELL = 8 * 9, READING_VALUE = 8, READING_STATE = 32, READ_ALL = 3 };
enum fp_op { ADD, SUB, MUL, DIV, REM, SQRT, FROM_LONG, FROM_FLOAT };

static const char *const functions[] = {
	[ADD] = "rt_fp_add", [SUB] = "rt_fp_sub", [MUL] = "rt_fp_mul", [DIV] = "rt_fp_div", [REM] = "rt_fp_rem", [SQRT] = "rt_fp_sqrt",
	[FROM_LONG] = "rt_fp_from_long", [FROM_FLOAT] = "rt_fp_from_float",
};

static struct stp_value lower_fp(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	const char *name = functions[e->func->native->number];
	return stp_long(e->nkid > 1 ? ir_rt(LB(l), name, arg[0].v, arg[1].v) : ir_rt(LB(l), name, arg[0].v));
}

/* number: as rt_fp_compare() takes it */
static struct stp_value lower_compare(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_rt(LB(l), "rt_fp_compare", arg[0].v, arg[1].v, stp_c(l, e->func->native->number)));
}

/* fp_to_long(fp, mode, exact): the last only says whether flags are raised, which nobody sees. */
static struct stp_value lower_to_long(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_rt(LB(l), "rt_fp_to_long", arg[0].v, arg[1].v));
}

static struct stp_value lower_to_string(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref dst = kit_mem_zero(K(l), FP_TEXT), cell = kit_mem(K(l), DECIMAL_CELL);
	ir_rt(LB(l), "rt_fp_text", dst, arg[0].v, arg[1].v, cell);
	return stp_string(dst, FP_TEXT);
}

static struct stp_value lower_from_string(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref cell = kit_mem(K(l), READING_CELL);
	ir_rt(LB(l), "rt_fp_read", arg[0].v, stp_c(l, arg[0].cap), cell);
	stp_raise_if(l, ir_bini(LB(l), IR_NE, ir_load(LB(l), cell, READING_STATE, 8, false), READ_ALL), e->loc, "invalid format");
	return stp_long(ir_load(LB(l), cell, READING_VALUE, 8, false));
}

const struct stp_native stp_tapset_fp[] = {
	{"fp_add", "l:ll", NF_PURE, 0, lower_fp, ADD},
	{"fp_sub", "l:ll", NF_PURE, 0, lower_fp, SUB},
	{"fp_mul", "l:ll", NF_PURE, 0, lower_fp, MUL},
	{"fp_div", "l:ll", NF_PURE, 0, lower_fp, DIV},
	{"fp_rem", "l:ll", NF_PURE, 0, lower_fp, REM},
	{"fp_sqrt", "l:l", NF_PURE, 0, lower_fp, SQRT},
	{"long_to_fp", "l:l", NF_PURE, 0, lower_fp, FROM_LONG},
	{"fp32_to_fp64", "l:l", NF_PURE, 0, lower_fp, FROM_FLOAT},
	{"fp_eq", "l:ll", NF_PURE, 0, lower_compare, 0},
	{"fp_le", "l:ll", NF_PURE, 0, lower_compare, 1},
	{"fp_lt", "l:ll", NF_PURE, 0, lower_compare, 2},
	{"fp_to_long", "l:lll", NF_PURE, 0, lower_to_long},
	{"fp_to_string", "s:ll", NF_PURE, FP_TEXT, lower_to_string},
	{"string_to_fp", "l:s", NF_FAULTS, 0, lower_from_string},
	{0},
};
