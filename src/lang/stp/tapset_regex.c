/* tapset_regex.c - what the last =~ of a handler matched: matched(n), matched_str(), ngroups(). */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* Offsets in struct stp_captures and struct stp_walk of runtime/stp_regex.h. */
enum { MATCHED = STP_MAXSTRING, GROUPS = MATCHED + 8, AT = GROUPS + 8, WALK_STATE = 32, WALK_SIZE = 40 + 8 * 1024 };

void stp_keep_captures(struct stp_lower *l, const struct stp_expr *e, struct stp_value text, ir_ref matched)
{
	struct stp_nfa nfa;
	if (!stp_regex_captures(l->c, e->kid[1]->str, e->kid[1]->loc, &nfa))
		return;
	ir_ref c = kit_local_addr(K(l), l->captures);
	kit_zero(K(l), ir_bini(LB(l), IR_ADD, c, AT), 16 * STP_MAX_GROUPS);
	ir_store(LB(l), c, MATCHED, 8, matched);
	ir_store(LB(l), c, GROUPS, 8, stp_c(l, nfa.groups));
	uint32_t end = stp_if(l, matched);
	kit_str_copy(K(l), c, STP_MAXSTRING, text.v, text.cap);
	ir_ref table = ir_mapval(LB(l), l->c->prog->rodata, program_rodata(l->c->prog, nfa.bytes, nfa.size, 8)), walk = kit_mem(K(l), WALK_SIZE);
	ir_rt(LB(l), "rt_stp_captures", c, table, stp_c(l, nfa.nodes), walk);
	stp_raise_if(l, ir_bini(LB(l), IR_NE, ir_load(LB(l), walk, WALK_STATE, 8, false), 1), e->loc, "regular expression takes too many steps");
	stp_endif(l, end);
}

static void raise_if(struct stp_lower *l, const struct stp_expr *e, ir_ref cond, const char *fmt, struct stp_value n)
{
	uint32_t end = stp_if(l, cond);
	stp_raise_value(l, e->loc, stp_format_into(l, fmt, &n, 1, 96, e->loc));
	stp_endif(l, end);
}

/* "" for a group that took no part in the match */
static struct stp_value lower_matched(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref c = kit_local_addr(K(l), l->captures);
	struct stp_value n = e->nkid ? arg[0] : stp_long(stp_c(l, 0));
	raise_if(l, e, ir_bini(LB(l), IR_EQ, ir_load(LB(l), c, MATCHED, 8, false), 0), "Attempted to get subexpression %d from failed match", n);
	raise_if(l, e, ir_bin(LB(l), IR_ULE, ir_load(LB(l), c, GROUPS, 8, false), n.v), "Attempted to get nonexistent subexpression %d", n);
	ir_ref place = kit_mem_zero(K(l), 16), dst = kit_mem_zero(K(l), STP_MAXSTRING);
	ir_ref from = ir_bin(LB(l), IR_ADD, ir_bini(LB(l), IR_ADD, c, AT), ir_bini(LB(l), IR_SHL, ir_bini(LB(l), IR_AND, n.v, STP_MAX_GROUPS - 1), 4));
	ir_helper(LB(l), BPF_FUNC_probe_read_kernel, place, stp_c(l, 16), from);
	ir_ref begin = ir_load(LB(l), place, 0, 8, false), len = ir_bin(LB(l), IR_SUB, ir_load(LB(l), place, 8, 8, false), begin);
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_ULT, ir_bini(LB(l), IR_SUB, begin, 1), STP_MAXSTRING));
	begin = ir_bini(LB(l), IR_AND, begin, 2 * STP_MAXSTRING - 1);
	len = ir_select(LB(l), ir_bini(LB(l), IR_ULT, len, STP_MAXSTRING), len, stp_c(l, 0));
	ir_helper(LB(l), BPF_FUNC_probe_read_kernel, dst, len, ir_bini(LB(l), IR_ADD, ir_bin(LB(l), IR_ADD, c, begin), -1));
	stp_endif(l, end);
	return stp_string(dst, STP_MAXSTRING);
}

/* With the whole match, which is group 0. */
static struct stp_value lower_ngroups(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref c = kit_local_addr(K(l), l->captures);
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, ir_load(LB(l), c, MATCHED, 8, false), 0), e->loc, "Attempted to get subexpression count from failed match");
	return stp_long(ir_load(LB(l), c, GROUPS, 8, false));
}

const struct stp_native stp_tapset_regex[] = {
	{"matched", "s:l", NF_FAULTS, 0, lower_matched},
	{"matched_str", "s:", NF_FAULTS, 0, lower_matched},
	{"ngroups", "l:", NF_FAULTS, 0, lower_ngroups},
	{0},
};
