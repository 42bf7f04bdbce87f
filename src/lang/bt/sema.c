/* sema.c - the whole script: statements, rounds until types are settled, diagnostics. */
#include "lang/bt/calls.h"
#include "lang/bt/sema.h"

enum {
	MAX_ROUNDS = 50
};

/* --- diagnostics --------------------------------------------------------------------------------
 */

/* Handlers may have been copied: one place says a thing once. */
static struct diag *said_before(struct bt_sema *s, struct loc loc, const char *msg)
{
	if (!s->has_copies)
		return NULL;
	for (size_t i = 0; i < s->in->diags->list.len; i++) {
		struct diag *d = &s->in->diags->list.at[i];
		if (d->loc.src == loc.src && d->loc.begin == loc.begin && d->loc.end == loc.end &&
		    !strcmp(d->msg, msg))
			return d;
	}
	return NULL;
}

static struct diag *give(struct bt_sema *s, enum diag_severity severity, struct loc loc,
			 const char *fmt, va_list ap)
{
	const char *msg = arena_vprintf(s->in->arena, fmt, ap);
	struct diag *d = said_before(s, loc, msg);
	if (d)
		return &s->unheard;
	d = severity == DIAG_ERROR ? diag_error(s->in->diags, loc, "%s", msg)
				   : diag_warn(s->in->diags, loc, "%s", msg);
	return d;
}

#define GIVE(s, severity, loc, fmt)                                \
	({                                                         \
		va_list ap;                                        \
		va_start(ap, fmt);                                 \
		struct diag *d_ = give(s, severity, loc, fmt, ap); \
		va_end(ap);                                        \
		d_;                                                \
	})

struct diag *bt_err_now(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	return GIVE(s, DIAG_ERROR, loc, fmt);
}

struct diag *bt_warn_now(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	return GIVE(s, DIAG_WARNING, loc, fmt);
}

struct diag *bt_err(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	return s->final ? GIVE(s, DIAG_ERROR, loc, fmt) : &s->unheard;
}

struct diag *bt_warn(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	return s->final ? GIVE(s, DIAG_WARNING, loc, fmt) : &s->unheard;
}

void bt_hint(struct bt_sema *s, struct diag *d, const char *fmt, ...)
{
	if (d == &s->unheard)
		return;
	va_list ap;
	va_start(ap, fmt);
	diag_hint(s->in->diags, d, "%s", arena_vprintf(s->in->arena, fmt, ap));
	va_end(ap);
}

const char *bt_spell(struct bt_sema *s, const struct type *t)
{
	if (!t || t->kind == TYPE_NONE)
		return t ? "void" : "none";
	if (!s->final)
		return ""; /* nobody will read it */
	struct buf b = {0};
	type_spell(t, &b);
	const char *text = arena_strdup(s->in->arena, buf_str(&b));
	buf_free(&b);
	return text;
}

/* --- maps ---------------------------------------------------------------------------------------
 */

struct bt_var_info *bt_var_info(struct var *v)
{
	return v->lang;
}

struct var *bt_sema_var(struct bt_sema *s, const char *name)
{
	struct var *v = strtab_get(&s->vars, name);
	if (v)
		return v;
	v = program_var(s->prog, name);
	v->lang = arena_new(s->in->arena, struct bt_var_info);
	v->print_at_exit = s->in->opt.print_maps_on_exit;
	strtab_set(&s->vars, name, v);
	return v;
}

static const struct {
	const char *name;
	bool is_lru, is_percpu;
} map_kinds[] = {
	{"hash", false, false},        {"lruhash", true, false},     {"percpuhash", false, true},
	{"percpulruhash", true, true}, {"percpuarray", false, true},
};

static int map_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_kinds); i++)
		if (!strcmp(map_kinds[i].name, name))
			return (int)i;
	return -1;
}

static void declare_maps(struct bt_sema *s)
{
	for (struct bt_map_decl *m = s->script->map_decl; m; m = m->next) {
		int kind = map_kind(m->kind);
		if (kind < 0) {
			struct diag *d = bt_err_now(s, m->loc, "Invalid bpf map type: %s", m->kind);
			bt_hint(s, d,
				"Valid map types: hash, lruhash, percpuhash, percpulruhash, percpuarray");
			continue;
		}
		struct var *v = bt_sema_var(s, m->name);
		if (!m->size)
			bt_err_now(s, m->loc, "%s: a map needs room for at least one entry", m->name);
		if (bt_var_info(v)->decl)
			bt_err_now(s, m->loc, "Redeclaration of existing map: %s", m->name);
		bt_var_info(v)->decl = m;
		v->loc = m->loc;
		v->max_entries = (uint32_t)MIN(m->size, UINT32_MAX);
		v->is_lru = map_kinds[kind].is_lru;
	}
}

static bool assume_value(struct var *v, bool agg)
{
	struct bt_var_info *info = bt_var_info(v);
	if (v->value || !info->is_used || info->is_refused || info->is_agg != agg)
		return false;
	v->value = &type_int8;
	return info->is_assumed = true;
}

/*
 * Maps that are used, though nothing says what they hold: numbers that start from 0.  Those of aggregations wait, because
 * what they are given may only become clear by that.
 */
static bool assume_values(struct bt_sema *s)
{
	bool any = false;
	for (int agg = 0; agg < 2 && !any; agg++)
		for (size_t i = 0; i < s->prog->var.len; i++)
			any |= assume_value(s->prog->var.at[i], agg);
	return any;
}

static void check_declared(struct bt_sema *s, struct var *v, const struct bt_map_decl *m)
{
	if (!bt_var_info(v)->is_used || !v->value) {
		bt_warn(s, m->loc, "Unused map: %s", v->name);
		return;
	}
	bool agg = type_is_agg(v->value), percpu = map_kinds[map_kind(m->kind)].is_percpu;
	if (agg != percpu)
		bt_err(s, bt_var_info(v)->loc,
		       "Incompatible map types. Type from declaration: %s. Type from value/key type: %s",
		       m->kind, agg ? "percpuhash" : "hash");
}

static void finish_maps(struct bt_sema *s)
{
	for (size_t i = 0; i < s->prog->var.len; i++) {
		struct var *v = s->prog->var.at[i];
		struct bt_var_info *info = bt_var_info(v);
		if (info->decl)
			check_declared(s, v, info->decl);
		if (info->shape != BT_SHAPE_KEYED)
			v->key = NULL;
		if (!v->max_entries)
			v->max_entries = s->in->opt.max_map_keys;
	}
}

/* --- statements ---------------------------------------------------------------------------------
 */

static bool is_agg_call(struct bt_expr *e)
{
	if (e->kind == BT_CALL && !e->call)
		e->call = bt_call_find(e->text);
	return e->kind == BT_CALL && e->call && (e->call->flags & BT_F_MAP_VALUE);
}

static const char *agg_example(const struct type *t)
{
	switch (t->kind) {
	case TYPE_COUNT: return "count()";
	case TYPE_SUM: return "sum(retval)";
	case TYPE_MIN: return "min(retval)";
	case TYPE_MAX: return "max(retval)";
	case TYPE_AVG: return "avg(retval)";
	case TYPE_HIST: return "hist(retval)";
	case TYPE_LHIST: return "lhist(rand %10, 0, 10, 1)";
	case TYPE_TSERIES: return "tseries(rand %10, 10s, 1)";
	case TYPE_STATS: return "stats(arg2)";
	default: return NULL;
	}
}

static void not_for_map(struct bt_sema *s, struct bt_stmt *st, const struct type *t)
{
	const char *to = st->expr->text, *example = agg_example(t);
	if (!example) {
		bt_err(s, st->loc, "Value '%s' cannot be assigned to a map.", bt_spell(s, t));
		return;
	}
	struct diag *d = bt_err(
		s, st->loc,
		"Map value '%s' cannot be assigned from one map to another. The function that "
		"returns this type must be called directly e.g. `%s = %s;`.",
		bt_spell(s, t), to, example);
	if (st->value->kind == BT_MAP && bt_is_readable_agg(t))
		bt_hint(s, d,
			"Add a cast to integer if you want the value of the aggregate, e.g. `%s = "
			"(int64)%s;`.",
			to, st->value->text);
}

static void into_map(struct bt_sema *s, struct bt_stmt *st, struct type *t)
{
	struct var *v = st->expr->var;
	if (!bt_is_storable(t, v->value, true)) {
		bt_var_info(v)->is_refused = true;
		not_for_map(s, st, t);
		return;
	}
	bt_assign_var(s, v, t, st->loc);
	if (s->final && !st->is_compound && !type_is_agg(v->value) &&
	    bt_join(s, v->value, false, t, false) && !bt_check_into(s, st->value, v->value))
		bt_err(s, st->loc,
		       "Type mismatch for %s: trying to assign value of type '%s' when map already has a "
		       "value type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, v->value));
}

static void into_local(struct bt_sema *s, struct bt_stmt *st, struct bt_local *v, struct type *t)
{
	if (!bt_is_storable(t, v->type, false)) {
		bt_err(s, st->loc, "Value '%s' cannot be assigned to a scratch variable.",
		       bt_spell(s, t));
		return;
	}
	bt_assign_local(s, v, t, st->loc);
	if (!s->final || !v->type || st->is_compound)
		return;
	bool joins = bt_join(s, v->type, false, t, false);
	if (v->is_declared_typed ? !bt_check_into(s, st->value, v->type)
				 : joins && !bt_check_into(s, st->value, v->type))
		bt_err(s, st->loc,
		       "Type mismatch for %s: trying to assign value of type '%s' when variable already has "
		       "a type '%s'",
		       v->name, bt_spell(s, t), bt_spell(s, v->type));
}

static void assign_agg(struct bt_sema *s, struct bt_stmt *st)
{
	bt_sema_map(s, st->expr);
	struct type *t = bt_call_sema(s, st->value);
	st->value->type = t;
	if (st->expr->var)
		bt_var_info(st->expr->var)->is_agg = true;
	if (t && st->expr->var)
		bt_assign_agg(s, st->expr->var, t, st->value->loc);
	st->expr->type = st->expr->var ? st->expr->var->value : NULL;
}

static void assign(struct bt_sema *s, struct bt_stmt *st)
{
	struct bt_expr *place = st->expr;
	if (place->kind == BT_MAP && !st->is_compound && is_agg_call(st->value)) {
		assign_agg(s, st);
		return;
	}
	bool is_local = place->kind == BT_VAR && place->local;
	struct type *held = is_local ? place->local->type : bt_sema_expr(s, place);
	place->type = held;
	struct type *t = bt_sema_expr(s, st->value);
	if (st->is_compound)
		t = held && t ? bt_binop_type(s, st->name_loc, st->op, place, st->value) : NULL;
	if (!t)
		return;
	if (place->kind == BT_MAP && place->var)
		into_map(s, st, t);
	else if (is_local)
		into_local(s, st, place->local, t);
	place->type = is_local ? place->local->type : place->var ? place->var->value : NULL;
}

/* `let $x : T`: the type is settled, except that a string without a size takes what it is given. */
static void declare(struct bt_sema *s, struct bt_stmt *st)
{
	struct bt_local *v = st->local;
	if (!v || !st->type_name)
		return;
	struct type *t = bt_resolve_type(s, st->type_name);
	if (!t)
		return;
	if (type_is_agg(t) || t->kind == TYPE_NONE)
		bt_err(s, st->type_name->loc, "Invalid variable declaration type: %s",
		       bt_spell(s, t));
	type_complete(t, s->in->arena);
	bool sized = t->size || t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD;
	if (v->type && (!sized || bt_type_same(v->type, t)))
		return;
	v->type = t;
	v->is_declared_typed = sized;
	s->changed = true;
}

static void let(struct bt_sema *s, struct bt_stmt *st)
{
	declare(s, st);
	struct type *t = st->value ? bt_sema_expr(s, st->value) : NULL;
	if (t && st->local)
		into_local(s, st, st->local, t);
	st->expr->local = st->local;
	st->expr->type = st->local ? st->local->type : NULL;
}

static void expression(struct bt_sema *s, struct bt_stmt *st)
{
	struct bt_expr *e = st->expr;
	e->discarded = true;
	struct type *t = bt_sema_expr(s, e);
	bool quiet =
		(e->kind == BT_UNOP && e->op >= BT_PREINC) ||
		(e->kind == BT_CALL && e->call && (e->call->flags & (BT_F_VOID | BT_F_VOID_OK)));
	if (t && t->kind != TYPE_NONE && !quiet)
		bt_warn(s, e->loc, "Return value discarded.");
}

static void unroll(struct bt_sema *s, struct bt_stmt *st)
{
	bt_sema_expr(s, st->expr);
	int64_t n;
	if (!bt_const_int(st->expr, &n) || st->expr->negative)
		bt_err(s, st->loc, "invalid unroll value");
	else if ((uint64_t)n > 100)
		bt_err(s, st->loc, "unroll maximum value is 100");
	else if (n < 1)
		bt_err(s, st->loc, "unroll minimum value is 1");
	bt_sema_block(s, st->body);
}

static void loop_body(struct bt_sema *s, struct bt_stmt *st)
{
	s->in_loop++;
	bt_sema_block(s, st->body);
	s->in_loop--;
}

static void loop_variable(struct bt_sema *s, struct bt_stmt *st, struct type *t)
{
	st->expr->local = st->local;
	if (st->local && !bt_type_same(st->local->type, t)) {
		st->local->type = t;
		s->changed = true;
	}
	st->expr->type = t;
}

static struct type *loop_value(struct type *t)
{
	return bt_is_readable_agg(t) ? type_int(8, t->is_signed) : t;
}

static void for_map(struct bt_sema *s, struct bt_stmt *st)
{
	struct bt_expr *map = st->value;
	struct var *v = map->var = bt_sema_var(s, map->text);
	struct bt_var_info *info = bt_var_info(v);
	info->is_used = true;
	if (info->shape == BT_SHAPE_UNKNOWN)
		info->shape = BT_SHAPE_KEYED;
	map->type = v->value;
	if (info->shape == BT_SHAPE_SCALAR)
		bt_err(s, map->loc,
		       "%s has no explicit keys (scalar map), and cannot be used for iteration",
		       v->name);
	else if (!v->key || !v->value)
		bt_err(s, map->loc, "Undefined map: %s", v->name);
	else if (type_is_agg(v->value) && !bt_is_readable_agg(v->value))
		bt_err(s, map->loc, "Loop expression does not support type: %s",
		       bt_spell(s, v->value));
	if (v->key && v->value) {
		struct type *elem[] = {v->key, loop_value(v->value)};
		loop_variable(s, st, type_tuple(s->in->arena, elem, NULL, 2));
	}
	loop_body(s, st);
}

static void for_range(struct bt_sema *s, struct bt_stmt *st)
{
	struct type *a = bt_sema_expr(s, st->value), *b = bt_sema_expr(s, st->value2);
	if (a && !bt_is_integer(a))
		bt_err(s, st->name_loc, "Loop range requires an integer for the start value");
	if (b && !bt_is_integer(b))
		bt_err(s, st->name_loc, "Loop range requires an integer for the end value");
	if (a && b && bt_is_integer(a) && bt_is_integer(b)) {
		struct type *t = a->size == b->size ? a
						    : bt_join(s, a, st->value->was_literal, b,
							      st->value2->was_literal);
		loop_variable(s, st, t);
	}
	loop_body(s, st);
}

static void return_stmt(struct bt_sema *s, struct bt_stmt *st)
{
	struct type *t = st->value ? bt_sema_expr(s, st->value) : NULL;
	if (t && !bt_is_integer(t))
		bt_err(s, st->loc, "Probe return values can only be integers. Found %s",
		       bt_spell(s, t));
	int64_t v;
	bool allows = !st->value || (bt_const_int(st->value, &v) && !v);
	if (bt_kind(s) == PK_LSM && !allows && !s->in->guru)
		bt_err(s, st->loc,
		       "returning an error from a security hook is unsafe. To use it you need the "
		       "--unsafe flag");
}

static void if_stmt(struct bt_sema *s, struct bt_stmt *st)
{
	if (st->expr->kind == BT_COMPTIME) {
		struct bt_expr *cond = st->expr->kid[0];
		bt_sema_expr(s, cond);
		if (!bt_is_constant(cond)) {
			bt_err(s, st->expr->loc, "Unable to resolve comptime expression");
			return;
		}
		st->kind = BT_S_BLOCK;
		st->body = bt_is_true(cond) ? st->body : st->other;
		st->expr = NULL;
		st->other = NULL;
		if (!st->body)
			st->body = arena_new(s->in->arena, struct bt_block);
		bt_sema_block(s, st->body);
		return;
	}
	bt_sema_cond(s, st->expr, st->loc);
	bt_sema_block(s, st->body);
	if (st->other)
		bt_sema_block(s, st->other);
}

static void statement(struct bt_sema *s, struct bt_stmt *st)
{
	switch (st->kind) {
	case BT_S_EXPR: expression(s, st); break;
	case BT_S_LET: let(s, st); break;
	case BT_S_ASSIGN: assign(s, st); break;
	case BT_S_DISCARD: bt_sema_expr(s, st->value); break;
	case BT_S_IF: if_stmt(s, st); break;
	case BT_S_WHILE:
		bt_sema_cond(s, st->expr, st->loc);
		loop_body(s, st);
		break;
	case BT_S_UNROLL: unroll(s, st); break;
	case BT_S_FOR_MAP: for_map(s, st); break;
	case BT_S_FOR_RANGE: for_range(s, st); break;
	case BT_S_RETURN: return_stmt(s, st); break;
	case BT_S_BLOCK: bt_sema_block(s, st->body); break;
	case BT_S_BREAK:
	case BT_S_CONTINUE: break;
	}
}

void bt_sema_block(struct bt_sema *s, struct bt_block *b)
{
	for (struct bt_stmt *st = b->first; st; st = st->next)
		statement(s, st);
	if (b->value)
		bt_sema_expr(s, b->value);
}

/* --- rounds -------------------------------------------------------------------------------------
 */

static void round_over(struct bt_sema *s)
{
	s->changed = false;
	for (struct bt_probe *p = s->script->probe; p; p = p->next) {
		s->probe = p;
		s->point = p->matched.list.len ? p->matched.list.at[0] : NULL;
		if (p->predicate)
			bt_sema_cond(s, p->predicate, p->pred_loc);
		bt_sema_block(s, p->body);
	}
	s->probe = NULL;
	s->point = NULL;
}

static bool settle(struct bt_sema *s)
{
	for (unsigned i = 0; i < MAX_ROUNDS; i++) {
		round_over(s);
		if (!s->changed && !assume_values(s))
			return true;
	}
	return false;
}

static void unsupported(struct bt_sema *s)
{
	for (struct bt_macro *m = s->script->macro; m; m = m->next)
		if (m->is_fn)
			bt_err_now(s, m->loc, "functions (fn) are not supported yet");
	if (s->script->import_loc.src)
		bt_err_now(s, s->script->import_loc, "import among statements is for the standard library, which is built in here");
}

/* Passes before the types; each stops the rest when it finds errors. */
static bool prepare(struct bt_sema *s)
{
	unsupported(s);
	if (s->in->diags->errors)
		return false;
	bt_check_flow(s);
	if (s->in->diags->errors)
		return false;
	bt_expand_macros(s);
	if (s->in->diags->errors || !bt_match_probes(s))
		return false;
	declare_maps(s);
	bt_bind_variables(s);
	return !s->in->diags->errors;
}

bool bt_sema(struct bt_sema *s)
{
	if (!prepare(s))
		return false;
	if (!settle(s)) {
		bt_err_now(s, (struct loc){s->in->src, 0, 0},
			   "Type resolution exceeded maximum iterations (%d)", MAX_ROUNDS);
		return false;
	}
	s->final = true;
	round_over(s);
	finish_maps(s);
	vec_free(&s->unheard.hints);
	return !s->in->diags->errors;
}
