/* tapset_utf.c - strings of 16- and 32-bit characters as UTF-8. */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* As rt_stp_utf() wants and leaves them: runtime/stp_utf.h. */
enum { FROM_USER = 1 << 8, NO_FAULT = 0, FAULT = 1, INVALID = 2 };

/* number: bits of a character, FROM_USER */
static struct stp_value lower_utf(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	int64_t how = e->func->native->number;
	bool user = how & FROM_USER;
	ir_ref dst = kit_mem_zero(K(l), STP_MAXSTRING + 8), cell = stp_cell(l);
	ir_rt(LB(l), "rt_stp_utf", dst, arg[0].v, stp_c(l, how), cell);
	ir_ref state = ir_load(LB(l), cell, 0, 8, false);
	struct stp_value v[2] = {stp_long(ir_load(LB(l), cell, 24, 8, false)), stp_long(ir_load(LB(l), cell, 16, 8, false))};
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_EQ, state, FAULT));
	stp_raise_value(l, e->loc, stp_format_into(l, user ? "user string copy fault at 0x%x [man error::fault]" : "kernel string copy fault at 0x%x [man error::fault]",
						   &v[1], 1, 80, e->loc));
	stp_endif(l, end);
	end = stp_if(l, ir_bini(LB(l), IR_EQ, state, INVALID));
	const char *text = (how & 0xff) == 16 ? "invalid UTF-16 character U+%X at 0x%x" : "invalid UTF-32 character U+%X at 0x%x";
	stp_raise_value(l, e->loc, stp_format_into(l, text, v, 2, 80, e->loc));
	stp_endif(l, end);
	return stp_string(dst, STP_MAXSTRING);
}

const struct stp_native stp_tapset_utf[] = {
	{"user_string_utf16", "s:l", NF_PURE | NF_CONTEXT, 0, lower_utf, 16 | FROM_USER},
	{"user_string_utf32", "s:l", NF_PURE | NF_CONTEXT, 0, lower_utf, 32 | FROM_USER},
	{"kernel_string_utf16", "s:l", NF_PURE, 0, lower_utf, 16},
	{"kernel_string_utf32", "s:l", NF_PURE, 0, lower_utf, 32},
	{0},
};
