/* lower_op.c - operators, with the integer rules of bpftrace: 64 bits, unsigned division, logical
 * shifts. */
#include "lang/bt/calls.h"

/* --- arithmetic
 * ---------------------------------------------------------------------------------------------- */

struct place_of_error {
	struct loc loc;
};
static void divided_by_zero(struct bt_lower *l, void *arg)
{
	kit_runtime_error(&l->kit, RT_DIV_BY_ZERO, ((struct place_of_error *)arg)->loc);
}

/* x / 0 and x % 0 are 1, with a warning. */
static ir_ref divide(struct bt_lower *l, enum ir_op op, ir_ref x, ir_ref y, struct loc loc)
{
	struct ir_builder *b = &l->kit.b;
	int64_t v;
	if (ir_is_const(b->fn, y, &v) && v)
		return ir_bin(b, op, x, y);
	ir_ref zero = ir_bini(b, IR_EQ, y, 0);
	bt_when(l, zero, divided_by_zero, &(struct place_of_error){loc});
	return ir_select(b, zero, ir_const(b, 1), ir_bin(b, op, x, y));
}

ir_ref bt_arith(struct bt_lower *l, enum bt_op op, ir_ref x, ir_ref y, struct loc loc)
{
	static const uint8_t ops[] = {
		[BT_ADD] = IR_ADD, [BT_SUB] = IR_SUB, [BT_MUL] = IR_MUL, [BT_AND] = IR_AND,
		[BT_OR] = IR_OR,   [BT_XOR] = IR_XOR, [BT_SHL] = IR_SHL, [BT_SHR] = IR_LSHR,
	};
	if (op == BT_DIV || op == BT_MOD)
		return divide(l, op == BT_DIV ? IR_UDIV : IR_UMOD, x, y, loc);
	return ir_bin(&l->kit.b, (enum ir_op)ops[op], x, y);
}

ir_ref bt_scaled(struct bt_lower *l, const struct type *t, ir_ref n)
{
	if (!t || t->kind != TYPE_PTR || !t->elem || t->elem->kind == TYPE_NONE)
		return n;
	type_complete(t->elem, l->in->arena);
	return ir_bini(&l->kit.b, IR_MUL, n, MAX(type_mem_size(t->elem), 1u));
}

static ir_ref lower_arith(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *a = e->kid[0], *c = e->kid[1];
	ir_ref x = bt_lower_expr(l, a), y = bt_lower_expr(l, c);
	bool aptr = a->type->kind == TYPE_PTR, cptr = c->type->kind == TYPE_PTR;
	if (aptr && !cptr)
		y = bt_scaled(l, a->type, y);
	else if (cptr && !aptr)
		x = bt_scaled(l, c->type, x);
	return bt_arith(l, e->op, x, y, e->loc);
}

/* --- comparison
 * -------------------------------------------------------------------------------------------------
 */

static bool compares_signed(const struct bt_expr *a, const struct bt_expr *c)
{
	if (a->type->kind == TYPE_PTR || c->type->kind == TYPE_PTR)
		return false;
	int64_t v;
	bool a_flexible = a->was_literal && bt_const_int(a, &v) && v >= 0;
	bool c_flexible = c->was_literal && bt_const_int(c, &v) && v >= 0;
	bool as = a->type->is_signed, cs = c->type->is_signed;
	if (a_flexible && c_flexible)
		return as && cs;
	if (a_flexible)
		return cs;
	return c_flexible ? as : as || cs;
}

static ir_ref compare_numbers(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref x = bt_lower_expr(l, e->kid[0]), y = bt_lower_expr(l, e->kid[1]);
	bool is_signed = compares_signed(e->kid[0], e->kid[1]);
	enum ir_op lt = is_signed ? IR_SLT : IR_ULT, le = is_signed ? IR_SLE : IR_ULE;
	switch (e->op) {
	case BT_EQ: return ir_bin(b, IR_EQ, x, y);
	case BT_NE: return ir_bin(b, IR_NE, x, y);
	case BT_LT: return ir_bin(b, lt, x, y);
	case BT_LE: return ir_bin(b, le, x, y);
	case BT_GT: return ir_bin(b, lt, y, x);
	default: return ir_bin(b, le, y, x);
	}
}

static ir_ref equal_values(struct bt_lower *l, struct bt_expr *a, struct bt_expr *c)
{
	struct kit *k = &l->kit;
	if (a->type->kind == TYPE_STR && c->type->kind == TYPE_STR) {
		ir_ref x = bt_lower_expr(l, a), y = bt_lower_expr(l, c);
		return kit_str_eq(k, x, a->type->size, y, c->type->size);
	}
	struct type *t = a->type;
	if (t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD) {
		struct type *join = bt_join(l->sema, a->type, false, c->type, false);
		t = join ? join : t;
	}
	ir_ref x = bt_lower_as(l, a, t), y = bt_lower_as(l, c, t);
	uint32_t n = type_mem_size(t);
	return n ? kit_mem_eq(k, x, y, n) : ir_const(&k->b, 1);
}

/* --- && and ||
 * ------------------------------------------------------------------------------------------------------
 */

static ir_ref lower_logic(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	bool is_and = e->op == BT_LAND;
	ir_ref slot = ir_slot(b, 8);
	uint32_t more = ir_block_new(b, is_and ? "and" : "or"), end = ir_block_new(b, "logic_end");
	ir_ref x = bt_lower_cond(l, e->kid[0]);
	ir_store(b, slot, 0, 8, x);
	ir_br(b, x, is_and ? more : end, is_and ? end : more);
	ir_at(b, more);
	ir_store(b, slot, 0, 8, bt_lower_cond(l, e->kid[1]));
	ir_jmp(b, end);
	ir_at(b, end);
	return ir_load(b, slot, 0, 8, false);
}

ir_ref bt_lower_binop(struct bt_lower *l, struct bt_expr *e)
{
	if (e->op == BT_LAND || e->op == BT_LOR)
		return lower_logic(l, e);
	bool numbers = bt_in_register(e->kid[0]->type) && bt_in_register(e->kid[1]->type);
	if (e->op < BT_EQ || e->op > BT_GE)
		return lower_arith(l, e);
	if (numbers)
		return compare_numbers(l, e);
	ir_ref eq = equal_values(l, e->kid[0], e->kid[1]);
	return e->op == BT_EQ ? eq : ir_bini(&l->kit.b, IR_EQ, eq, 0);
}

/* --- one operand
 * ------------------------------------------------------------------------------------------------------
 */

static bool is_post(enum bt_op op)
{
	return op == BT_POSTINC || op == BT_POSTDEC;
}

static int64_t step_of(enum bt_op op)
{
	return op == BT_PREINC || op == BT_POSTINC ? 1 : -1;
}

static ir_ref step_local(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	struct bt_local *v = e->kid[0]->local;
	ir_ref old = bt_lower_expr(l, e->kid[0]);
	ir_ref by = bt_scaled(l, v->type, ir_const(b, step_of(e->op)));
	ir_ref new = ir_bin(b, IR_ADD, old, by);
	if (v->type->kind == TYPE_INT && v->type->size < 8)
		new = ir_ext(b, new, v->type->size, v->type->is_signed);
	bt_local_store(l, v, new);
	return is_post(e->op) ? old : new;
}

static ir_ref address_of(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *a = e->kid[0];
	if (a->kind == BT_VAR)
		return bt_local_addr(l, a->local);
	if (a->kind == BT_MAP)
		return kit_var_lookup(&l->kit, a->var, bt_lower_key(l, a->var, a->kid, a->nkid));
	struct bt_place p = bt_lower_place(l, a);
	return bt_place_addr(l, &p);
}

ir_ref bt_lower_unop(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	struct bt_place p;
	switch (e->op) {
	case BT_LNOT: return ir_bini(b, IR_EQ, bt_lower_cond(l, e->kid[0]), 0);
	case BT_NEG:
	case BT_BNOT: {
		ir_ref v = ir_un(b, e->op == BT_NEG ? IR_NEG : IR_NOT, bt_lower_expr(l, e->kid[0]));
		return e->type->size < 8 && e->type->size
			       ? ir_ext(b, v, e->type->size, e->type->is_signed)
			       : v;
	}
	case BT_DEREF: p = bt_lower_place(l, e); return bt_place_read(l, &p, e->type, e->loc);
	case BT_ADDR: return address_of(l, e);
	default: return e->kid[0]->kind == BT_MAP ? bt_lower_map_step(l, e) : step_local(l, e);
	}
}
