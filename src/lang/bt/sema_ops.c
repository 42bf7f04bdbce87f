/* sema_ops.c - operators: what they may be used on and what they yield. */
#include "lang/bt/sema.h"

static bool is_comparison(enum bt_op op)
{
	return op >= BT_EQ && op <= BT_LOR;
}

static struct type *int64_or_uint64(bool is_signed)
{
	return type_int(8, is_signed);
}

static struct type *not_for(struct bt_sema *s, struct loc loc, enum bt_op op, struct type *l,
			    struct type *r)
{
	bt_err(s, loc, "The %s operator can not be used on expressions of types %s, %s",
	       bt_op_text(op), bt_spell(s, l), bt_spell(s, r));
	return NULL;
}

/* --- pointers -----------------------------------------------------------------------------------
 */

static struct type *two_pointers(struct bt_sema *s, struct loc loc, enum bt_op op, struct type *l,
				 struct type *r)
{
	if (!is_comparison(op))
		return not_for(s, loc, op, l, r);
	if (op != BT_LAND && op != BT_LOR && !type_equal(l->elem, r->elem))
		bt_warn(s, loc, "comparison of distinct pointer types: %s, %s",
			bt_spell(s, l->elem), bt_spell(s, r->elem));
	return &type_bool;
}

static struct type *with_pointer(struct bt_sema *s, struct loc loc, enum bt_op op, struct type *l,
				 struct type *r)
{
	struct type *ptr = l->kind == TYPE_PTR ? l : r, *other = ptr == l ? r : l;
	if (other->kind == TYPE_PTR)
		return two_pointers(s, loc, op, l, r);
	bool number = bt_is_integer(other) || other->kind == TYPE_BOOL;
	if (!number)
		return not_for(s, loc, op, l, r);
	if (is_comparison(op))
		return &type_bool;
	if (op == BT_ADD || (op == BT_SUB && ptr == l))
		return ptr;
	return not_for(s, loc, op, l, r);
}

/* --- integers -----------------------------------------------------------------------------------
 */

/* A warning when an operand cannot hold its value in the type in which the operation is done. */
static void operand_into(struct bt_sema *s, struct bt_expr *e, struct type *to)
{
	if (s->final && e->type->kind != TYPE_BOOL && to->kind != TYPE_BOOL)
		bt_check_into(s, e, to);
}

static struct type *compare_ints(struct bt_sema *s, struct bt_expr *left, struct bt_expr *right)
{
	struct type *l = left->type, *r = right->type;
	if (l->kind == TYPE_BOOL || r->kind == TYPE_BOOL)
		return &type_bool;
	struct type *common = bt_join(s, l, left->was_literal, r, right->was_literal);
	if (common) {
		operand_into(s, left, common);
		operand_into(s, right, common);
	}
	return &type_bool;
}

static struct type *int_operator(struct bt_sema *s, struct loc loc, enum bt_op op,
				 struct bt_expr *left, struct bt_expr *right)
{
	struct type *l = left->type, *r = right->type;
	if (l->kind == TYPE_BOOL && r->kind == TYPE_BOOL)
		return &type_bool;
	if (is_comparison(op))
		return compare_ints(s, left, right);
	bool l_flex = bt_is_flexible(l), r_flex = bt_is_flexible(r);
	bool l_signed = l_flex && !r_flex ? r->is_signed : l->is_signed;
	bool r_signed = r_flex && !l_flex ? l->is_signed : r->is_signed;
	bool alike = l_signed == r_signed && l->size == r->size;
	bool is_signed = l_signed || r_signed || op == BT_SUB;
	if ((op == BT_DIV || op == BT_MOD) && (l_signed || r_signed) && !alike)
		bt_warn(s, loc,
			"signed operands for '%s' can lead to undefined behavior (cast to unsigned to "
			"silence warning)",
			bt_op_text(op));
	struct type *t = int64_or_uint64(is_signed);
	operand_into(s, left, t);
	operand_into(s, right, t);
	return t;
}

/* --- everything else ----------------------------------------------------------------------------
 */

static struct type *two_arrays(struct bt_sema *s, struct loc loc, enum bt_op op, struct type *l,
			       struct type *r)
{
	if (op != BT_EQ && op != BT_NE)
		bt_err(s, loc, "The %s operator cannot be used on arrays.", bt_op_text(op));
	else if (l->count != r->count)
		bt_err(s, loc, "Only arrays of same size support comparison operators.");
	else if (!bt_is_integer(l->elem) || !type_equal(l, r))
		bt_err(s, loc, "Only arrays of same sized integer support comparison operators.");
	return &type_bool;
}

static struct type *two_values(struct bt_sema *s, struct loc loc, enum bt_op op, struct type *l,
			       struct type *r)
{
	if (l->kind == TYPE_ARRAY && r->kind == TYPE_ARRAY)
		return two_arrays(s, loc, op, l, r);
	if (!bt_compatible(l, r)) {
		bt_err(s, loc, "Type mismatch for '%s': comparing %s with %s", bt_op_text(op),
		       bt_spell(s, l), bt_spell(s, r));
		return NULL;
	}
	if (op != BT_EQ && op != BT_NE)
		return not_for(s, loc, op, l, r);
	return &type_bool;
}

struct type *bt_binop_type(struct bt_sema *s, struct loc loc, enum bt_op op, struct bt_expr *left,
			   struct bt_expr *right)
{
	struct type *l = left->type, *r = right->type;
	if (!l || !r)
		return NULL;
	if (l->kind == TYPE_PTR || r->kind == TYPE_PTR)
		return with_pointer(s, loc, op, l, r);
	if (bt_is_number(l) && bt_is_number(r))
		return int_operator(s, loc, op, left, right);
	return two_values(s, loc, op, l, r);
}

struct type *bt_sema_binop(struct bt_sema *s, struct bt_expr *e)
{
	bt_sema_expr(s, e->kid[0]);
	bt_sema_expr(s, e->kid[1]);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	struct type *t = bt_binop_type(s, e->loc, e->op, e->kid[0], e->kid[1]);
	if (t && t->kind == TYPE_PTR)
		e->as = t->as;
	else
		e->as = e->kid[0]->as ? e->kid[0]->as : e->kid[1]->as;
	return t;
}

/* --- unary --------------------------------------------------------------------------------------
 */

static struct type *step(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *place = e->kid[0];
	struct type *held = bt_sema_expr(s, place), *t;
	bool down = e->op == BT_PREDEC || e->op == BT_POSTDEC;
	if (place->kind != BT_VAR && place->kind != BT_MAP) {
		bt_err(s, e->loc, "The %s operator must be applied to a map or variable",
		       bt_op_text(e->op));
		return NULL;
	}
	if (!held)
		return NULL;
	if (held->kind == TYPE_PTR ||
	    (place->kind == BT_VAR && place->local && place->local->is_declared_typed))
		return held;
	t = int64_or_uint64(held->is_signed || down);
	if (place->kind == BT_VAR && place->local)
		bt_assign_local(s, place->local, t, e->loc);
	else if (place->kind == BT_MAP)
		bt_assign_var(s, place->var, t, e->loc);
	return t;
}

static struct type *dereference(struct bt_sema *s, struct bt_expr *e, struct type *t)
{
	if (t->kind == TYPE_PTR) {
		if (t->elem->kind == TYPE_NONE) {
			bt_err(s, e->loc,
			       "Can not dereference void pointer. Cast it to a pointer to "
			       "a type with a size first.");
			return NULL;
		}
		e->as = e->kid[0]->as ? e->kid[0]->as : t->as;
		e->is_lvalue = true;
		return bt_ptr_in(s, bt_value_type(s, t->elem), e->as);
	}
	if (t->is_ctx_based)
		return t; /* *args: nothing to do */
	if (t->kind == TYPE_STRUCT || t->kind == TYPE_UNION) {
		bt_err(s, e->loc,
		       "Can not dereference struct/union of type '%s'. It is not a pointer.",
		       bt_spell(s, t));
		return NULL;
	}
	if (bt_is_integer(t)) {
		e->as = e->kid[0]->as;
		return &type_uint64;
	}
	bt_err(s, e->loc, "The * operator can not be used on expressions of type '%s'",
	       bt_spell(s, t));
	return NULL;
}

static struct type *address(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0];
	struct type *t;
	if (of->kind == BT_VAR) {
		t = of->type = of->local ? of->local->type : NULL;
		if (!t && of->local)
			bt_err(s, e->loc, "No type available for variable %s", of->text);
	} else if (!of->nkid) { /* of a map: not a use of it without keys */
		of->var = bt_sema_var(s, of->text);
		t = of->type = of->var->value;
		if (!t)
			bt_err(s, of->loc, "Undefined map: %s", of->text);
	} else {
		t = bt_sema_expr(s, of);
	}
	if (!t)
		return NULL;
	e->as = AS_KERNEL; /* the stack and maps are the kernel's */
	if (e->type && e->type->kind == TYPE_PTR && e->type->elem == t)
		return e->type;
	return type_ptr(s->in->arena, t, AS_KERNEL);
}

struct type *bt_sema_unop(struct bt_sema *s, struct bt_expr *e)
{
	if (e->op >= BT_PREINC)
		return step(s, e);
	if (e->op == BT_ADDR)
		return address(s, e);
	struct type *t = bt_sema_expr(s, e->kid[0]);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	if (!t)
		return NULL;
	if (e->op == BT_DEREF)
		return dereference(s, e, t);
	bool good = bt_is_integer(t) || bt_is_readable_agg(t) ||
		    (e->op == BT_LNOT && (t->kind == TYPE_BOOL || t->kind == TYPE_PTR));
	if (!good) {
		bt_err(s, e->loc, "The %s operator can not be used on expressions of type '%s'",
		       bt_op_text(e->op), bt_spell(s, t));
		return NULL;
	}
	if (e->op == BT_LNOT)
		return &type_bool;
	if (e->op == BT_NEG && bt_is_readable_agg(t))
		return &type_int64;
	/* what has no sign keeps its width; -(int8)-128 must not */
	return t->kind == TYPE_INT && !t->is_signed ? type_int(t->size, false) : int64_or_uint64(t->is_signed);
}
