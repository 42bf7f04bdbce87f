/* sema_expr.c - the type of one expression: one function a kind of node. */
#include "lang/bt/sema.h"

/* --- names --------------------------------------------------------------------------------------
 */

static bool as_enumerator(struct bt_sema *s, struct bt_expr *e)
{
	int64_t v;
	struct type *t = NULL;
	if (!bt_cdef_enumerator(s->in, s->cdefs, e->text, &v, &t))
		return false;
	bt_make_int(e, (uint64_t)v, v < 0);
	e->was_literal = !t;
	if (t && t->size != 8) { /* a constant is 64 bits wide, with the names of its enum */
		struct type *wide = arena_memdup(s->in->arena, t, sizeof(*t));
		type_complete(t, s->in->arena);
		*wide = *t;
		wide->size = 8;
		wide->is_signed = false;
		t = wide;
	}
	e->cast_type = t;
	return true;
}

static void unknown_name(struct bt_sema *s, struct bt_expr *e)
{
	struct diag *d = bt_err(s, e->loc, "Unknown identifier: '%s'", e->text);
	const char *near = bt_call_nearest(e->text);
	if (near)
		bt_hint(s, d, "did you mean %s?", near);
}

static struct type *name(struct bt_sema *s, struct bt_expr *e)
{
	if ((e->builtin = bt_builtin_find(e->text)))
		e->kind = BT_BUILTIN;
	else if ((e->call = bt_call_find(e->text)) && e->call->min_args == 0)
		e->kind = BT_CALL;
	else if (as_enumerator(s, e))
		return bt_sema_expr(s, e);
	else if ((e->builtin = bt_extension_find(e->text)))
		e->kind = BT_BUILTIN;
	else {
		unknown_name(s, e);
		return NULL;
	}
	return bt_sema_expr(s, e);
}

/* --- parameters ---------------------------------------------------------------------------------
 */

/* $1: a number when its text is one, else a string; nothing: 0. */
static struct type *positional(struct bt_sema *s, struct bt_expr *e)
{
	const char *text = bt_param(s->in, e->num);
	uint64_t v = 0;
	if (!text)
		text = "";
	bool negative = *text == '-';
	if (!*text) {
		bt_warn_now(s, e->loc, "Positional parameter $%llu is empty or not provided. ",
			    (unsigned long long)e->num);
		bt_make_int(e, 0, false);
	} else if (bt_number(s->in->arena, text + negative, 0, &v) ||
		   (negative && v > (uint64_t)INT64_MAX + 1)) {
		bt_make_str(e, text, (uint32_t)strlen(text));
	} else {
		bt_make_int(e, negative ? -v : v, negative && v);
	}
	return bt_sema_expr(s, e);
}

/* --- calls and builtins -------------------------------------------------------------------------
 */

static struct type *call(struct bt_sema *s, struct bt_expr *e)
{
	if (!e->call)
		e->call = bt_call_find(e->text);
	if (!e->call) {
		struct diag *d = bt_err(s, e->loc, "Unknown function: '%s'", e->text);
		const char *near = bt_call_nearest(e->text);
		if (near)
			bt_hint(s, d, "did you mean %s()?", near);
		return NULL;
	}
	if (e->call->flags & BT_F_MAP_VALUE) {
		bt_err(s, e->loc, "%s() must be assigned directly to a map", e->text);
		return NULL;
	}
	return bt_call_sema(s, e);
}

/* --- composites ---------------------------------------------------------------------------------
 */

static struct type *composite(struct bt_sema *s, struct bt_expr *e)
{
	bool is_record = e->kind == BT_RECORD, known = true;
	struct type **elem = arena_array(s->in->arena, struct type *, e->nkid + 1);
	for (unsigned i = 0; i < e->nkid; i++) {
		struct type *t = bt_sema_expr(s, e->kid[i]);
		if (t && type_is_agg(t) && !bt_is_readable_agg(t))
			bt_err(s, e->kid[i]->loc, "Map type %s cannot exist inside a %s.",
			       bt_spell(s, t), is_record ? "record" : "tuple");
		if (t && t->kind == TYPE_NONE) {
			bt_err(s, e->kid[i]->loc, "Value 'void' cannot be part of a %s",
			       is_record ? "record" : "tuple");
			t = NULL;
		}
		elem[i] = t && bt_is_readable_agg(t) ? type_int(8, t->is_signed) : t;
		known = known && t;
	}
	if (!known)
		return NULL;
	struct type *t = type_tuple(s->in->arena, elem, is_record ? e->names : NULL, e->nkid);
	return bt_type_same(e->type, t) ? e->type : t;
}

/* --- branches -----------------------------------------------------------------------------------
 */

void bt_sema_cond(struct bt_sema *s, struct bt_expr *e, struct loc whole)
{
	struct type *t = bt_sema_expr(s, e);
	if (bt_is_constant(e) && !e->nkid && e->kind != BT_BOOL) {
		bt_make_bool(e, bt_is_true(e));
		t = bt_sema_expr(s, e);
	}
	if (t && !bt_is_integer(t) && t->kind != TYPE_PTR && t->kind != TYPE_BOOL &&
	    !bt_is_readable_agg(t))
		bt_err(s, whole, "Invalid condition: %s", bt_kind_word(t));
}

static struct type *join_branches(struct bt_sema *s, struct bt_expr *e, struct bt_expr *then,
				  struct bt_expr *other)
{
	struct type *l = then ? then->type : &type_none, *r = other ? other->type : &type_none;
	if (!l || !r)
		return e->type; /* one of them may come later */
	if (l->kind == TYPE_NONE && r->kind == TYPE_NONE)
		return &type_none;
	struct type *t = l->kind == r->kind || (l->kind != TYPE_NONE && r->kind != TYPE_NONE)
				 ? bt_join(s, l, then->was_literal, r, other->was_literal)
				 : NULL;
	if (!t) {
		bt_err(s, e->loc,
		       "Branches must return the same type or compatible types: have '%s' and '%s'",
		       bt_spell(s, l), bt_spell(s, r));
		return NULL;
	}
	if (bt_is_readable_agg(t))
		t = type_int(8, t->is_signed);
	if (s->final) {
		bt_check_into(s, then, t);
		bt_check_into(s, other, t);
	}
	e->as = then->as ? then->as : other->as;
	return bt_type_same(e->type, t) ? e->type : t;
}

static struct type *ternary(struct bt_sema *s, struct bt_expr *e)
{
	if (!e->kid[1] && bt_is_constant(e->kid[0])) /* a ?: b: the condition is a value too */
		bt_sema_expr(s, e->kid[0]);
	else
		bt_sema_cond(s, e->kid[0], e->loc);
	if (e->kid[1])
		bt_sema_expr(s, e->kid[1]);
	bt_sema_expr(s, e->kid[2]);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	return join_branches(s, e, e->kid[1] ? e->kid[1] : e->kid[0], e->kid[2]);
}

static struct bt_expr *value_of(struct bt_block *b)
{
	return b ? b->value : NULL;
}

static struct type *if_expr(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_block *then = e->then_block, *other = e->else_block;
	if (e->kid[0]->kind == BT_COMPTIME) {
		struct bt_expr *cond = e->kid[0]->kid[0];
		bt_sema_expr(s, cond);
		if (!bt_is_constant(cond)) {
			bt_err(s, e->kid[0]->loc, "Unable to resolve comptime expression");
			return NULL;
		}
		struct bt_block *taken = bt_is_true(cond) ? then : other;
		e->kind = BT_BLOCK;
		e->nkid = 0;
		e->else_block = NULL;
		e->then_block = taken ? taken : arena_new(s->in->arena, struct bt_block);
		return bt_sema_expr(s, e);
	}
	bt_sema_cond(s, e->kid[0], e->loc);
	bt_sema_block(s, then);
	if (other)
		bt_sema_block(s, other);
	if (!value_of(then) || !value_of(other))
		return &type_none;
	return join_branches(s, e, value_of(then), value_of(other));
}

static struct type *block_expr(struct bt_sema *s, struct bt_expr *e)
{
	bt_sema_block(s, e->then_block);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	struct bt_expr *value = value_of(e->then_block);
	if (!value)
		return &type_none;
	e->as = value->as;
	return value->type;
}

/* --- compile time -------------------------------------------------------------------------------
 */

static struct type *size_of(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_type_name as_name = {.loc = e->loc, .typeof_expr = e->nkid ? e->kid[0] : NULL};
	struct type *t = bt_resolve_type(s, e->type_name ? e->type_name : &as_name);
	if (!t)
		return NULL;
	type_complete(t, s->in->arena);
	uint32_t size = type_mem_size(t);
	if (e->type_name ? !e->type_name->typeof_expr : e->kid[0]->kind == BT_IDENT || s->final) {
		bt_make_int(e, size, false); /* it will not change any more */
		return bt_sema_expr(s, e);
	}
	e->num = size;
	return size <= INT8_MAX ? bt_flexible_int(1) : bt_flexible_int(size <= INT16_MAX ? 2 : 4);
}

static struct type *comptime(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_sema_expr(s, e->kid[0]);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	if (t)
		bt_err(s, e->loc, "Unable to resolve comptime expression");
	return NULL;
}

static struct type *stray_typeof(struct bt_sema *s, struct bt_expr *e)
{
	bt_err(s, e->loc,
	       "When used as a call argument, `typeof` builtin only valid for macro calls that are "
	       "expecting a type parameter");
	return NULL;
}

/* --- dispatch -----------------------------------------------------------------------------------
 */

static struct type *integer(struct bt_sema *s, struct bt_expr *e)
{
	(void)s;
	if (e->cast_type)
		return e->cast_type;
	return e->type && !e->was_literal ? e->type : bt_int_type(e);
}

static struct type *boolean(struct bt_sema *s, struct bt_expr *e)
{
	(void)s, (void)e;
	return &type_bool;
}

static struct type *string(struct bt_sema *s, struct bt_expr *e)
{
	e->as = AS_KERNEL;
	if (s->final && e->len > s->in->opt.max_strlen - 1 && !e->cast_type)
		bt_err(s, e->loc, "String is too long (over %u bytes): %s", s->in->opt.max_strlen,
		       e->text);
	return e->type && e->type->kind == TYPE_STR && e->type->size == e->len + 1
		       ? e->type
		       : type_str(s->in->arena, e->len + 1);
}

static struct type *param_count(struct bt_sema *s, struct bt_expr *e)
{
	bt_make_int(e, bt_param_count(s->in), false);
	return bt_int_type(e);
}

static struct type *builtin(struct bt_sema *s, struct bt_expr *e)
{
	return e->builtin ? e->builtin->sema(s, e) : NULL;
}

static struct type *(*const kinds[])(struct bt_sema *s, struct bt_expr *e) = {
	[BT_INT] = integer,
	[BT_BOOL] = boolean,
	[BT_STRING] = string,
	[BT_IDENT] = name,
	[BT_BUILTIN] = builtin,
	[BT_POSITIONAL] = positional,
	[BT_POSCOUNT] = param_count,
	[BT_VAR] = bt_sema_local,
	[BT_MAP] = bt_sema_map,
	[BT_CALL] = call,
	[BT_UNOP] = bt_sema_unop,
	[BT_BINOP] = bt_sema_binop,
	[BT_TERNARY] = ternary,
	[BT_FIELD] = bt_sema_field,
	[BT_TUPLE_AT] = bt_sema_tuple_at,
	[BT_INDEX] = bt_sema_index,
	[BT_CAST] = bt_sema_cast,
	[BT_TUPLE] = composite,
	[BT_RECORD] = composite,
	[BT_SIZEOF] = size_of,
	[BT_OFFSETOF] = bt_sema_offsetof,
	[BT_TYPEOF] = stray_typeof,
	[BT_TYPEINFO] = bt_sema_typeinfo,
	[BT_COMPTIME] = comptime,
	[BT_BLOCK] = block_expr,
	[BT_IF] = if_expr,
};

struct type *bt_sema_expr(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = kinds[e->kind](s, e);
	if (t && !e->type)
		s->changed = true; /* it may be what others wait for */
	e->type = t;
	return t;
}
