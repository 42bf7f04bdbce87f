/* lower_expr.c - expressions. */
#include "lang/stp/lower.h"

ir_ref stp_lower_long(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value v = stp_lower_expr(l, e);
	return v.type == ST_LONG ? v.v : stp_c(l, 0);
}

struct stp_value stp_lower_string(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value v = stp_lower_expr(l, e);
	return v.type == ST_STRING ? v : stp_literal(l, "");
}

ir_ref stp_lower_cond(struct stp_lower *l, struct stp_expr *e)
{
	ir_ref v = stp_lower_long(l, e);
	bool flag = e->kind == SE_COMPARE || e->kind == SE_AND || e->kind == SE_OR || e->kind == SE_IN ||
		    (e->kind == SE_UNARY && *e->op == '!');
	return flag ? v : ir_bini(LB(l), IR_NE, v, 0);
}

/* --- arithmetic ------------------------------------------------------------------------------------------------ */

ir_ref stp_arith(struct stp_lower *l, const char *op, ir_ref x, ir_ref y, struct loc loc)
{
	static const struct {
		const char *op;
		enum ir_op ir;
		bool divides;
	} ops[] = {{"+", IR_ADD}, {"-", IR_SUB}, {"*", IR_MUL}, {"/", IR_SDIV, true}, {"%", IR_SMOD, true}, {"&", IR_AND},
		   {"|", IR_OR}, {"^", IR_XOR}, {"<<", IR_SHL}, {">>", IR_ASHR}, {">>>", IR_LSHR}};
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!str_eq(ops[i].op, op))
			continue;
		int64_t known;
		if (ops[i].divides && (!ir_is_const(l->kit.b.fn, y, &known) || !known))
			stp_raise_if(l, ir_bini(LB(l), IR_EQ, y, 0), loc, "division by 0");
		return ir_bin(LB(l), ops[i].ir, x, y);
	}
	BUG("operator %s", op);
}

static ir_ref unary(struct stp_lower *l, struct stp_expr *e)
{
	ir_ref x = stp_lower_long(l, e->kid[0]);
	switch (*e->op) {
	case '-': return ir_un(LB(l), IR_NEG, x);
	case '~': return ir_un(LB(l), IR_NOT, x);
	case '!': return ir_bini(LB(l), IR_EQ, x, 0);
	default: return x;
	}
}

static ir_ref relation(struct stp_lower *l, const char *op, ir_ref x, ir_ref y)
{
	if (str_eq(op, "=="))
		return ir_bin(LB(l), IR_EQ, x, y);
	if (str_eq(op, "!="))
		return ir_bin(LB(l), IR_NE, x, y);
	if (str_eq(op, "<"))
		return ir_bin(LB(l), IR_SLT, x, y);
	if (str_eq(op, "<="))
		return ir_bin(LB(l), IR_SLE, x, y);
	if (str_eq(op, ">"))
		return ir_bin(LB(l), IR_SLT, y, x);
	return ir_bin(LB(l), IR_SLE, y, x);
}

static ir_ref compare_strings(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value x = stp_lower_string(l, e->kid[0]), y = stp_lower_string(l, e->kid[1]);
	if (*e->op == '=' || *e->op == '!') {
		ir_ref same = kit_str_eq(&l->kit, x.v, x.cap, y.v, y.cap);
		return *e->op == '=' ? same : ir_bini(LB(l), IR_XOR, same, 1);
	}
	ir_ref c = kit_str_cmp(&l->kit, x.v, x.cap, y.v, y.cap);
	return relation(l, e->op, c, stp_c(l, 0));
}

static ir_ref compare(struct stp_lower *l, struct stp_expr *e)
{
	if (e->kid[0]->type == ST_STRING)
		return compare_strings(l, e);
	ir_ref x = stp_lower_long(l, e->kid[0]), y = stp_lower_long(l, e->kid[1]);
	return relation(l, e->op, x, y);
}

static ir_ref binary(struct stp_lower *l, struct stp_expr *e)
{
	ir_ref x = stp_lower_long(l, e->kid[0]), y = stp_lower_long(l, e->kid[1]);
	return stp_arith(l, e->op, x, y, e->loc);
}

static ir_ref logical(struct stp_lower *l, struct stp_expr *e)
{
	bool or = e->kind == SE_OR;
	struct kit_local *r = stp_number(l);
	ir_store(LB(l), kit_local_addr(&l->kit, r), 0, 8, stp_c(l, or));
	ir_ref first = stp_lower_cond(l, e->kid[0]);
	uint32_t end = stp_if(l, or ? ir_bini(LB(l), IR_XOR, first, 1) : first);
	ir_ref second = stp_lower_cond(l, e->kid[1]);
	ir_store(LB(l), kit_local_addr(&l->kit, r), 0, 8, second);
	stp_endif(l, end);
	return ir_load(LB(l), kit_local_addr(&l->kit, r), 0, 8, false);
}

static struct stp_value ternary(struct stp_lower *l, struct stp_expr *e)
{
	bool string = e->type == ST_STRING;
	uint32_t then = ir_block_new(LB(l), "then"), other = ir_block_new(LB(l), "else"), end = ir_block_new(LB(l), "endif");
	struct kit_local *r = string ? kit_local(&l->kit, e->cap) : stp_number(l);
	ir_br(LB(l), stp_lower_cond(l, e->kid[0]), then, other);
	for (int arm = 1; arm <= 2; arm++) {
		ir_at(LB(l), arm == 1 ? then : other);
		struct stp_value v = stp_lower_expr(l, e->kid[arm]);
		ir_ref at = kit_local_addr(&l->kit, r);
		if (string)
			kit_str_copy(&l->kit, at, e->cap, v.v, v.cap);
		else if (v.type == ST_LONG)
			ir_store(LB(l), at, 0, 8, v.v);
		if (!ir_terminated(LB(l)))
			ir_jmp(LB(l), end);
	}
	ir_at(LB(l), end);
	ir_ref at = kit_local_addr(&l->kit, r);
	return string ? stp_string(at, e->cap) : stp_long(ir_load(LB(l), at, 0, 8, false));
}

static struct stp_value concat(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value x = stp_lower_string(l, e->kid[0]), y = stp_lower_string(l, e->kid[1]);
	ir_ref at = kit_mem(&l->kit, e->cap);
	kit_str_concat(&l->kit, at, e->cap, x.v, x.cap, y.v, y.cap);
	return stp_string(at, e->cap);
}

static struct stp_value regex(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_dfa dfa;
	if (!stp_regex_compile(l->c, e->kid[1]->str, e->kid[1]->loc, &dfa))
		return stp_long(stp_c(l, 0));
	struct stp_value s = stp_lower_string(l, e->kid[0]);
	uint32_t at = program_rodata(l->c->prog, dfa.bytes, dfa.size, 8);
	ir_ref table = ir_mapval(LB(l), l->c->prog->rodata, at);
	ir_ref cell = stp_cell(l);
	ir_rt(LB(l), "rt_stp_match", s.v, stp_c(l, s.cap), table, stp_c(l, dfa.rows), cell);
	ir_ref m = ir_bin(LB(l), IR_ULE, stp_c(l, dfa.at_end), ir_load(LB(l), cell, 0, 8, false));
	if (l->captures)
		stp_keep_captures(l, e, s, m);
	return stp_long(*e->op == '!' ? ir_bini(LB(l), IR_XOR, m, 1) : m);
}

/* A string as MAXSTRINGLEN has it; the largest there is needs nothing. */
static struct stp_value cut(struct stp_lower *l, struct stp_value v)
{
	uint32_t max = l->c->max_string, cap = ALIGN_UP(max, 8u);
	if (v.type != ST_STRING || v.cap <= max || (v.lit && v.lit_len < max))
		return v;
	if (v.lit)
		return stp_literal(l, arena_strndup(l->c->a, v.lit, max - 1));
	ir_ref at = kit_mem(&l->kit, cap);
	kit_str_copy(&l->kit, at, cap, v.v, v.cap);
	for (uint32_t i = max - 1; i < cap; i++)
		ir_store(LB(l), at, i, 1, stp_c(l, 0));
	return stp_string(at, cap);
}

static struct stp_value lower_whole(struct stp_lower *l, struct stp_expr *e)
{
	switch (e->kind) {
	case SE_NUM: return stp_long(stp_c(l, e->num));
	case SE_STR: return stp_literal(l, e->str);
	case SE_SYM:
	case SE_INDEX: return stp_load_var(l, e);
	case SE_CALL: return stp_lower_call(l, e);
	case SE_UNARY: return stp_long(unary(l, e));
	case SE_PRE:
	case SE_POST: return stp_lower_step(l, e);
	case SE_BINARY: return stp_long(binary(l, e));
	case SE_COMPARE: return stp_long(compare(l, e));
	case SE_AND:
	case SE_OR: return stp_long(logical(l, e));
	case SE_TERNARY: return ternary(l, e);
	case SE_CONCAT: return concat(l, e);
	case SE_REGEX: return regex(l, e);
	case SE_IN: return stp_long(stp_lower_in(l, e));
	case SE_ASSIGN: return stp_lower_assign(l, e);
	case SE_TARGET:
	case SE_CAST:
	case SE_ATVAR:
	case SE_DEREF: return stp_lower_target(l, e);
	case SE_ENUM: return stp_long(stp_c(l, e->num)); /* types.c found it */
	case SE_ENUMNAME: return stp_lower_enumname(l, e);
	case SE_STAT: return stp_lower_stat(l, e);
	case SE_HIST_AT: return stp_lower_hist_at(l, e);
	case SE_PRINT:
		if (e->to_string)
			return stp_lower_sprint(l, e);
		stp_lower_print(l, e);
		return stp_none();
	case SE_PROBEWRITE: return stp_long(stp_c(l, 0));
	default: stp_error(l->c, e->loc, "this expression is not supported yet"); return stp_long(stp_c(l, 0));
	}
}

struct stp_value stp_lower_expr(struct stp_lower *l, struct stp_expr *e)
{
	return cut(l, lower_whole(l, e));
}
