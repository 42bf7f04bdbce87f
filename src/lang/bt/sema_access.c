/* sema_access.c - places: variables, maps, fields, elements. */
#include "lang/bt/sema.h"

/* --- storing ------------------------------------------------------------------------------------
 */

bool bt_is_storable(const struct type *t, const struct type *current, bool into_map)
{
	bool is_array = t->kind == TYPE_ARRAY,
	     is_group = t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD;
	if (t->kind == TYPE_NONE || (!t->size && (is_array || (is_group && into_map))))
		return false; /* an array without a length, the empty tuple */
	if (!type_is_agg(t))
		return true;
	if (!bt_is_readable_agg(t))
		return false;
	/* an aggregation becomes a number where numbers are kept already; a map that holds nothing
	 * yet does not take one, which would look like a copy of the map */
	return current ? bt_is_integer(current) : !into_map;
}

static bool join_into(struct bt_sema *s, struct type **held, struct type *t)
{
	struct type *joined = bt_join(s, *held, false, t, false);
	if (!joined)
		return false;
	if (!bt_type_same(joined, *held)) {
		*held = joined;
		s->changed = true;
	}
	return true;
}

void bt_assign_var(struct bt_sema *s, struct var *v, struct type *t, struct loc loc)
{
	if ((v->value && type_is_agg(v->value)) || !join_into(s, &v->value, t))
		bt_err(s, loc,
		       "Type mismatch for %s: trying to assign value of type '%s' when map already has a "
		       "type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, v->value));
}

void bt_assign_agg(struct bt_sema *s, struct var *v, struct type *t, struct loc loc)
{
	struct type *held = v->value;
	bool is_new = !held || (held->kind == t->kind && t->is_signed && !held->is_signed);
	if (held && held->kind == t->kind && memcmp(held->arg, t->arg, sizeof(t->arg)) &&
	    !bt_is_readable_agg(t)) {
		bt_err(s, loc,
		       "Type mismatch for %s: different arguments of %s in a single map are not "
		       "supported",
		       v->name,
		       t->kind == TYPE_HIST    ? "hist()"
		       : t->kind == TYPE_LHIST ? "lhist()"
					       : "tseries()");
	} else if (is_new) {
		v->value = t;
		s->changed = true;
	} else if (held->kind != t->kind) {
		bt_err(s, loc,
		       "Type mismatch for %s: trying to assign value of type '%s' when map already has a "
		       "type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, held));
	}
}

void bt_assign_local(struct bt_sema *s, struct bt_local *v, struct type *t, struct loc loc)
{
	if (v->is_declared_typed)
		return;
	if (!join_into(s, &v->type, t))
		bt_err(s, loc,
		       "Type mismatch for %s: trying to assign value of type '%s' when variable already has "
		       "a type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, v->type));
}

void bt_sema_assign_local(struct bt_sema *s, struct bt_expr *v, struct type *t)
{
	if (t && v->local)
		bt_assign_local(s, v->local, t, v->loc);
}

/* --- variables ----------------------------------------------------------------------------------
 */

static void set_space(struct bt_expr *e, const struct type *t)
{
	e->as = t && t->kind == TYPE_PTR ? t->as : AS_BPF;
}

struct type *bt_sema_local(struct bt_sema *s, struct bt_expr *e)
{
	e->is_lvalue = true;
	if (!e->local)
		return NULL;
	if (!e->local->type && !s->in->diags->errors)
		bt_err(s, e->loc, "Could not resolve the type of this variable");
	set_space(e, e->local->type);
	return e->local->type;
}

/* --- maps ---------------------------------------------------------------------------------------
 */

static bool check_shape(struct bt_sema *s, struct bt_expr *e, struct var *v)
{
	struct bt_var_info *info = bt_var_info(v);
	bool keyed = e->nkid > 0;
	if (info->shape == BT_SHAPE_UNKNOWN) {
		info->shape = keyed ? BT_SHAPE_KEYED : BT_SHAPE_SCALAR;
		s->changed = true;
	}
	if (keyed == (info->shape == BT_SHAPE_KEYED))
		return true;
	if (keyed)
		bt_err(s, e->loc,
		       "%s used as a map with an explicit key (non-scalar map), previously used without an "
		       "explicit key (scalar map)",
		       v->name);
	else
		bt_err(s, e->loc,
		       "%s used as a map without an explicit key (scalar map), previously used with an "
		       "explicit key (non-scalar map)",
		       v->name);
	return false;
}

/* What a value is as a key; NULL when it cannot be one. */
static struct type *key_element(struct bt_sema *s, struct bt_expr *e, struct type *t)
{
	if (bt_is_readable_agg(t))
		return type_int(8, t->is_signed);
	if (type_is_agg(t))
		bt_err(s, e->loc, "%s cannot be part of a map key", bt_spell(s, t));
	else if (t->kind == TYPE_NONE || (t->kind == TYPE_TUPLE && !t->nfield))
		bt_err(s, e->loc, "Invalid map key type: %s", t->kind == TYPE_NONE ? "void" : "()");
	else if (t->kind == TYPE_CTX)
		bt_err(s, e->loc, "context cannot be part of a map key");
	else
		return t;
	return NULL;
}

static struct type *key_type(struct bt_sema *s, struct bt_expr *e)
{
	struct type *single = NULL, **elem = &single;
	bool known = true;
	if (e->nkid > 1)
		elem = arena_array(s->in->arena, struct type *, e->nkid);
	for (unsigned i = 0; i < e->nkid; i++) {
		struct type *t = bt_sema_expr(s, e->kid[i]);
		elem[i] = t ? key_element(s, e->kid[i], t) : NULL;
		known = known && elem[i];
	}
	if (!known || e->nkid == 1)
		return single;
	return type_tuple(s->in->arena, elem, NULL, e->nkid);
}

/* Literals too large for the key, values that may lose something. */
static void check_key(struct bt_sema *s, struct bt_expr *e, struct var *v, struct type *t)
{
	bool good = true;
	if (e->nkid == 1)
		good = bt_check_into(s, e->kid[0], v->key);
	else
		for (unsigned i = 0; i < e->nkid && i < v->key->nfield; i++)
			good = bt_check_into(s, e->kid[i], v->key->field[i].type) && good;
	if (!good)
		bt_err(s, e->loc,
		       "Type mismatch for %s: trying to assign key of type '%s' when map already has a key "
		       "type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, v->key));
}

struct type *bt_sema_map(struct bt_sema *s, struct bt_expr *e)
{
	struct var *v = e->var = bt_sema_var(s, e->text);
	struct bt_var_info *info = bt_var_info(v);
	e->is_lvalue = true;
	info->is_used = true;
	if (!info->loc.src)
		info->loc = e->name_loc;
	if (!check_shape(s, e, v))
		return NULL;
	if (e->nkid) {
		struct type *t = key_type(s, e);
		if (t && !join_into(s, &v->key, t)) {
			bt_err(s, e->loc,
			       "Argument mismatch for %s: trying to access with arguments: '%s' when map "
			       "expects arguments: '%s'",
			       v->name, bt_spell(s, t), bt_spell(s, v->key));
			return NULL;
		}
		if (t && s->final)
			check_key(s, e, v, t);
	}
	set_space(e, v->value);
	return v->value;
}

/* --- fields -------------------------------------------------------------------------------------
 */

/* Explicit nodes for all but the last pointer on the way to a struct. */
static struct type *reach_struct(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = e->kid[0]->type;
	while (t->kind == TYPE_PTR && t->elem->kind == TYPE_PTR) {
		struct bt_expr *deref = arena_new(s->in->arena, struct bt_expr);
		deref->kind = BT_UNOP;
		deref->op = BT_DEREF;
		deref->loc = e->kid[0]->loc;
		deref->nkid = 1;
		deref->kid = arena_memdup(s->in->arena, &e->kid[0], sizeof(e->kid[0]));
		e->kid[0] = deref;
		t = bt_sema_expr(s, deref);
		if (!t)
			return NULL;
	}
	return t->kind == TYPE_PTR ? t->elem : t;
}

static bool is_args(const struct bt_expr *e)
{
	while (e->kind == BT_UNOP && e->op == BT_DEREF)
		e = e->kid[0];
	return e->kind == BT_BUILTIN && str_eq(e->text, "args");
}

static void hint_field(struct bt_sema *s, struct diag *d, const struct type *t, const char *name)
{
	const char **names = arena_array(s->in->arena, const char *, t->nfield + 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->nfield; i++)
		if (t->field[i].name && *t->field[i].name)
			names[n++] = t->field[i].name;
	const char *near = nearest_word(name, names, n);
	if (near)
		bt_hint(s, d, "did you mean %s?", near);
}

static struct type *no_field(struct bt_sema *s, struct bt_expr *e, struct type *t)
{
	struct diag *d;
	if (t->kind == TYPE_RECORD)
		d = bt_err(s, e->loc, "Record does not contain a field named '%s'", e->text);
	else if (is_args(e->kid[0]) && s->point && s->point->kind != PK_TRACEPOINT)
		d = bt_err(s, e->loc, "Can't find function parameter %s", e->text);
	else if (!t->nfield && t->name && !t->size)
		d = bt_err(s, e->loc, "Unknown struct/union: '%s'", bt_spell(s, t));
	else
		d = bt_err(s, e->loc,
			   "Struct/union of type '%s' does not contain a field named '%s'",
			   bt_spell(s, t), e->text);
	hint_field(s, d, t, e->text);
	return NULL;
}

/* Arguments of system calls are the user's. */
static enum addr_space args_space(const struct bt_sema *s)
{
	const struct attach_point *p = s->point;
	if (!p)
		return AS_NONE;
	bool user = p->kind == PK_UPROBE || p->kind == PK_URETPROBE || p->kind == PK_USDT ||
		    (p->kind == PK_TRACEPOINT && str_eq(p->target, "syscalls"));
	return user ? AS_USER : AS_KERNEL;
}

struct type *bt_sema_field(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0];
	of->data = of->kind == BT_IDENT ? e : of->data; /* for `global`, which is nothing by itself */
	struct type *t = bt_sema_expr(s, of);
	if (bt_is_global(e))
		return bt_sema_global_field(s, e);
	if (bt_fold(s, e) || bt_fold_typeinfo(s, e))
		return bt_sema_expr(s, e);
	if (!t || !(t = reach_struct(s, e)))
		return NULL;
	if (t->kind != TYPE_STRUCT && t->kind != TYPE_UNION && t->kind != TYPE_RECORD) {
		bt_err(s, e->loc, "Can not access field '%s' on expression of type '%s'", e->text,
		       bt_spell(s, t));
		return NULL;
	}
	of = e->kid[0];
	type_complete(t, s->in->arena);
	e->field = type_field(t, e->text, s->in->arena, &e->field_offset);
	struct type *elsewhere = e->field ? NULL : bt_sema_gone(s, e);
	if (elsewhere)
		return elsewhere;
	if (!e->field)
		return bt_explain_missing(s, e) ? NULL : no_field(s, e, t);
	e->as = t->is_ctx_based || bt_is_debug_record(of) ? (uint8_t)args_space(s) : of->as;
	e->is_lvalue = of->is_lvalue || of->type->kind == TYPE_PTR;
	struct type *ft = bt_value_type(s, e->field->type);
	if (t->kind == TYPE_RECORD && ft->kind == TYPE_PTR)
		e->as = ft->as;
	bool in_variable = e->as == AS_BPF && of->type->kind != TYPE_PTR;
	if (e->type && e->type->kind == ft->kind && type_equal(e->type, ft) &&
	    (e->type->as == e->as || in_variable))
		return e->type;
	return in_variable ? ft : bt_ptr_in(s, ft, e->as);
}

struct type *bt_sema_offsetof(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_type_name as_name = {.loc = e->loc, .typeof_expr = e->nkid ? e->kid[0] : NULL};
	struct type *t = bt_resolve_type(s, e->type_name ? e->type_name : &as_name);
	uint32_t offset = 0;
	for (uint64_t i = 0; t && i < e->num; i++) {
		if (t->kind != TYPE_STRUCT && t->kind != TYPE_UNION) {
			bt_err(s, e->loc, "'%s' is not a C type.", bt_spell(s, t));
			return NULL;
		}
		uint32_t at;
		const struct field *f = type_field(t, e->names[i], s->in->arena, &at);
		if (!f) {
			struct diag *d = bt_err(s, e->loc, "'%s' has no field named '%s'",
						bt_spell(s, t), e->names[i]);
			hint_field(s, d, t, e->names[i]);
			return NULL;
		}
		offset += at;
		t = f->type;
	}
	if (!t)
		return NULL;
	bt_make_int(e, offset, false);
	return bt_sema_expr(s, e);
}

/* --- elements -----------------------------------------------------------------------------------
 */

struct type *bt_sema_tuple_at(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_sema_expr(s, e->kid[0]);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	if (!t)
		return NULL;
	if (t->kind != TYPE_TUPLE) {
		bt_err(s, e->loc, "Can not access index '%llu' on expression of type '%s'",
		       (unsigned long long)e->num, bt_spell(s, t));
		return NULL;
	}
	if (e->num >= t->nfield) {
		bt_err(s, e->loc, "Invalid tuple index: %llu. Found %u elements in tuple.",
		       (unsigned long long)e->num, t->nfield);
		return NULL;
	}
	e->field = &t->field[e->num];
	e->field_offset = e->field->offset;
	set_space(e, e->field->type);
	return e->field->type;
}

static struct type *element_type(struct bt_sema *s, struct bt_expr *e, struct type *t)
{
	if (t->kind == TYPE_STR)
		return &type_int8;
	if (t->kind == TYPE_ARRAY)
		return t->elem;
	if (t->kind == TYPE_PTR) {
		if (t->elem->kind != TYPE_NONE && type_mem_size(t->elem))
			return t->elem;
		type_complete(t->elem, s->in->arena);
		if (t->elem->size)
			return t->elem;
		bt_err(s, e->loc,
		       "The array index operator [] cannot be used on a pointer to an unsized "
		       "type (void *).");
		return NULL;
	}
	bt_err(s, e->loc,
	       "The array index operator [] can only be used on arrays, pointers, and tuples, found %s.",
	       bt_spell(s, t));
	return NULL;
}

static bool check_index(struct bt_sema *s, struct bt_expr *e, const struct type *t)
{
	const struct bt_expr *index = e->kid[1];
	uint64_t n = t->kind == TYPE_ARRAY ? t->count : t->kind == TYPE_STR ? t->size : 0;
	if (index->kind == BT_INT && index->was_literal && !index->negative) {
		if (!n || index->num < n)
			return true;
		bt_err(s, e->loc, "the index %llu is out of bounds for array of size %llu",
		       (unsigned long long)index->num, (unsigned long long)n);
		return false;
	}
	const struct type *it = index->type;
	if (it && (!bt_is_integer(it) || (it->is_signed && !bt_is_flexible(it)))) {
		bt_err(s, e->loc,
		       "The array index operator [] only accepts non-negative integer indices. Got: %s",
		       bt_spell(s, it));
		return false;
	}
	return true;
}

struct type *bt_sema_index(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0], *index = e->kid[1];
	struct type *t = bt_sema_expr(s, of);
	bt_sema_expr(s, index);
	if (bt_fold(s, e))
		return bt_sema_expr(s, e);
	if (!t)
		return NULL;
	if (t->kind == TYPE_TUPLE) {
		if (index->kind != BT_INT || !index->was_literal) {
			bt_err(s, e->loc,
			       "Array-style access for tuples only valid for integer literals");
			return NULL;
		}
		e->kind = BT_TUPLE_AT;
		e->num = index->num;
		e->nkid = 1;
		return bt_sema_tuple_at(s, e);
	}
	struct type *elem = element_type(s, e, t);
	if (!elem || !check_index(s, e, t))
		return NULL;
	e->as = of->as;
	e->is_lvalue = true;
	elem = bt_value_type(s, elem);
	if (e->type && e->type->kind == elem->kind && type_equal(e->type, elem) &&
	    (e->type->as == e->as || of->as == AS_BPF))
		return e->type;
	/* pointers that a variable holds point where they did */
	return of->as == AS_BPF ? elem : bt_ptr_in(s, elem, e->as);
}
