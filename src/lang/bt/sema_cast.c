/* sema_cast.c - casts, and values that go where another type is wanted. */
#include "lang/bt/lower.h"

/* --- implicit -----------------------------------------------------------------------------------
 */

static bool literal_fits(const struct bt_expr *e, const struct type *to)
{
	unsigned bits = to->size * 8;
	if (e->negative) {
		int64_t v = (int64_t)e->num;
		return to->is_signed && (bits >= 64 || v >= -((int64_t)1 << (bits - 1)));
	}
	unsigned usable = to->is_signed ? bits - 1 : bits;
	return usable >= 64 || e->num >> usable == 0;
}

static bool int_into(struct bt_sema *s, struct bt_expr *e, const struct type *t,
		     const struct type *to)
{
	if (e->kind == BT_INT && e->was_literal)
		return !bt_is_integer(to) || literal_fits(e, to);
	if (bt_is_integer(t) && bt_is_integer(to) && !bt_fits(t, to))
		bt_warn(s, e->loc,
			"Expression of type: %s being cast to type: %s. This may cause unexpected "
			"results. Use an explicit cast to suppress this warning.",
			bt_spell(s, t), bt_spell(s, to));
	return true;
}

/* Elements that are written out are looked at one by one, so that literals among them are known as
 * such. */
static bool elements_into(struct bt_sema *s, struct bt_expr *e, const struct type *to)
{
	for (unsigned i = 0; i < e->nkid; i++) {
		unsigned at = i;
		if (e->kind == BT_RECORD)
			for (at = 0; at < to->nfield && !str_eq(to->field[at].name, e->names[i]);)
				at++;
		if (at >= to->nfield || !bt_check_into(s, e->kid[i], to->field[at].type))
			return false;
	}
	return true;
}

bool bt_check_into(struct bt_sema *s, struct bt_expr *e, struct type *to)
{
	struct type *t = e->type;
	if (!t || bt_type_same(t, to))
		return true;
	if (t->kind == to->kind && bt_is_readable_agg(t))
		return true;
	bool number = bt_is_integer(t) || bt_is_readable_agg(t);
	if (number && (bt_is_integer(to) || bt_is_readable_agg(to)))
		return int_into(s, e, t, to);
	if (!bt_compatible(t, to))
		return false;
	if (t->kind == TYPE_STR && to->kind == TYPE_STR)
		return t->size <= to->size;
	if (e->kind == BT_TUPLE || e->kind == BT_RECORD)
		return elements_into(s, e, to);
	return true;
}

/* --- explicit -----------------------------------------------------------------------------------
 */

static bool no_cast(struct bt_sema *s, struct bt_expr *e, struct type *from, struct type *to)
{
	bt_err(s, e->loc, "Cannot cast from \"%s\" to \"%s\"", bt_spell(s, from), bt_spell(s, to));
	return false;
}

/* (uint8[])x: as many elements as fit. */
static struct type *sized_array(struct bt_sema *s, struct type *to, const struct type *from)
{
	if (to->kind != TYPE_ARRAY || to->count || !to->elem->size || !from->size)
		return to;
	return type_array(s->in->arena, to->elem, from->size / to->elem->size);
}

static bool check_array_cast(struct bt_sema *s, struct bt_expr *e, struct type *from,
			     struct type *to)
{
	bool number = bt_is_integer(to->elem) || to->elem->kind == TYPE_BOOL;
	if (!number)
		return no_cast(s, e, from, to);
	if (!to->count && !e->cast_type->count && !to->elem->size) {
		bt_err(s, e->loc, "Could not determine size of the array");
		return false;
	}
	if (!e->cast_type->count && from->size % to->elem->size && bt_is_integer(from)) {
		bt_err(s, e->loc,
		       "Cannot determine array size: the element size is incompatible with "
		       "the cast integer size");
		return false;
	}
	if (bt_is_integer(from))
		return (to->size <= 8 && to->size > from->size) || to->size == from->size ||
		       no_cast(s, e, from, to);
	bool bytes = from->kind == TYPE_BOOL || from->kind == TYPE_STR;
	return (bytes && to->size == from->size) || no_cast(s, e, from, to);
}

static bool check_enum_cast(struct bt_sema *s, struct bt_expr *e, struct type *to)
{
	int64_t v;
	if (!bt_const_int(e->kid[0], &v) || !e->kid[0]->was_literal)
		return true;
	type_complete(to, s->in->arena);
	for (uint32_t i = 0; i < to->nenumerator; i++)
		if (to->enumerator[i].value == v)
			return true;
	bt_err(s, e->loc, "Enum: %s doesn't contain a variant value of %lld",
	       to->name ? to->name : "", (long long)v);
	return false;
}

static bool check_cast(struct bt_sema *s, struct bt_expr *e, struct type *from, struct type *to)
{
	bool number = bt_is_integer(from) || bt_is_readable_agg(from);
	if (from->kind == TYPE_STRUCT || from->kind == TYPE_UNION) {
		bt_err(s, e->loc, "Cannot cast from C type \"%s\"", bt_spell(s, from));
		return false;
	}
	if (from->kind == TYPE_NONE) {
		bt_err(s, e->loc, "Cannot cast from \"%s\" type", bt_spell(s, from));
		return false;
	}
	if (bt_type_same(from, to) || (bt_is_flexible(from) && type_equal(from, to))) {
		bt_warn(s, e->loc, "Unnecessary cast: expression is already of type %s",
			bt_spell(s, from));
		return true;
	}
	if (to->kind == TYPE_STR && from->kind == TYPE_STR)
		return to->size >= from->size || no_cast(s, e, from, to);
	if (to->kind == TYPE_USERNAME && number)
		return true;
	if (to->kind == TYPE_ARRAY)
		return check_array_cast(s, e, from, to);
	if (from->kind == TYPE_ARRAY)
		return (bt_is_integer(to) && to->size == from->size) || no_cast(s, e, from, to);
	if (to->kind == TYPE_ENUM && !check_enum_cast(s, e, to))
		return false;
	if (to->kind == TYPE_BOOL)
		return number || from->kind == TYPE_PTR || from->kind == TYPE_STR ||
		       from->kind == TYPE_BOOL || no_cast(s, e, from, to);
	if (bt_is_integer(to))
		return number || from->kind == TYPE_PTR || from->kind == TYPE_BOOL ||
		       from->kind == TYPE_CTX || no_cast(s, e, from, to);
	/* what is no number has no address that a script could keep */
	bool is_word = number || from->kind == TYPE_BOOL || bt_in_register(from);
	return (to->kind == TYPE_PTR && is_word) || no_cast(s, e, from, to);
}

/* A pointer made from a number or another pointer points where that did. */
static struct type *cast_space(struct bt_sema *s, struct bt_expr *e, struct type *to)
{
	const struct bt_expr *of = e->kid[0];
	if (to->kind != TYPE_PTR)
		return to;
	e->as = of->as;
	if (!e->as && of->type->kind == TYPE_PTR)
		e->as = of->type->as;
	if (!e->as)
		e->as = (uint8_t)bt_probe_space(s);
	if (e->type && e->type->kind == TYPE_PTR && e->type->elem == to->elem &&
	    e->type->as == e->as)
		return e->type;
	return bt_ptr_in(s, to, e->as);
}

struct type *bt_sema_cast(struct bt_sema *s, struct bt_expr *e)
{
	struct type *from = bt_sema_expr(s, e->kid[0]);
	if (!e->cast_type || e->type_name->typeof_expr)
		e->cast_type = bt_resolve_type(s, e->type_name);
	struct type *to = e->cast_type;
	if (!from || !to)
		return NULL;
	if (to->kind == TYPE_BOOL && bt_is_constant(e->kid[0]) && !e->kid[0]->nkid) {
		bt_make_bool(e, bt_is_true(e->kid[0]));
		return &type_bool;
	}
	if (to->kind == TYPE_STR && !to->size && from->kind == TYPE_STR)
		to = from;
	to = sized_array(s, to, from);
	if (!check_cast(s, e, from, to))
		return NULL;
	return cast_space(s, e, to);
}
