/* calls.c - looking functions up, and the checks that all of them share. */
#include "lang/bt/calls.h"

static const struct bt_call *const tables[] = {
	bt_calls_output, bt_calls_string, bt_calls_names, bt_calls_map,    bt_calls_stack,
	bt_calls_net,    bt_calls_time,   bt_calls_task,  bt_calls_memory, bt_calls_meta, bt_calls_skb,
};

/* comm() is comm. */
static struct type *sema_builtin_call(struct bt_sema *s, struct bt_expr *e)
{
	e->kind = BT_BUILTIN;
	e->builtin = bt_builtin_find(e->text);
	return e->builtin->sema(s, e);
}
static const struct bt_call builtin_call = {"builtin", 0, 0, 0, sema_builtin_call, NULL};

const struct bt_call *bt_call_find(const char *name)
{
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct bt_call *c = tables[t]; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return bt_builtin_find(name) ? &builtin_call : NULL;
}

const char *bt_call_nearest(const char *name)
{
	const char *names[256];
	unsigned n = 0;
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct bt_call *c = tables[t]; c->name && n < ARRAY_SIZE(names); c++)
			names[n++] = c->name;
	struct nearest near = nearest_begin(name);
	for (unsigned i = 0; i < n; i++)
		nearest_add(&near, names[i]);
	bt_builtin_nearest(&near);
	return near.best;
}

static bool check_count(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_call *c = e->call;
	int n = (int)e->nkid;
	if (n >= c->min_args && (c->max_args < 0 || n <= c->max_args))
		return true;
	const char *how = c->min_args == c->max_args ? "requires"
			  : n < c->min_args          ? "requires at least"
						     : "takes up to";
	int want = n < c->min_args ? c->min_args : c->max_args;
	if (want == 0)
		bt_err(s, e->loc, "%s() requires no arguments (%d provided)", e->text, n);
	else if (want == 1)
		bt_err(s, e->loc, "%s() %s one argument (%d provided)", e->text, how, n);
	else
		bt_err(s, e->loc, "%s() %s %d arguments (%d provided)", e->text, how, want, n);
	return false;
}

struct type *bt_call_sema(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_call *c = e->call;
	if ((c->flags & BT_F_UNSAFE) && !s->in->guru)
		bt_err(s, e->loc, "%s() is an unsafe function being used in safe mode", c->name);
	if (!check_count(s, e))
		return NULL;
	return c->sema(s, e);
}

struct type *bt_arg(struct bt_sema *s, struct bt_expr *e, unsigned i)
{
	return i < e->nkid ? bt_sema_expr(s, e->kid[i]) : NULL;
}

bool bt_is_int(const struct type *t)
{
	if (!t)
		return false;
	switch (t->kind) {
	case TYPE_INT:
	case TYPE_ENUM:
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG: return true;
	default: return false;
	}
}

bool bt_want_int(struct bt_sema *s, struct bt_expr *e, unsigned i)
{
	struct type *t = bt_arg(s, e, i);
	if (!t)
		return false;
	if (bt_is_int(t))
		return true;
	bt_err(s, e->loc, "%s() only supports int arguments (%s provided)", e->text,
	       bt_kind_word(t));
	return false;
}

bool bt_want_int_literal(struct bt_sema *s, struct bt_expr *e, unsigned i, int64_t *v_ret)
{
	struct type *t = bt_arg(s, e, i);
	if (!t)
		return false;
	if (bt_is_int(t) && bt_const_int(e->kid[i], v_ret))
		return true;
	bt_err(s, e->loc, "%s() expects a int literal (%s provided)", e->text, bt_kind_word(t));
	return false;
}

bool bt_want_str_literal(struct bt_sema *s, struct bt_expr *e, unsigned i, const char **text_ret)
{
	struct bt_expr *a = e->kid[i];
	bool is_param = a->kind == BT_POSITIONAL;
	uint64_t n = a->num;
	struct type *t = bt_arg(s, e, i);
	uint32_t len;
	if (t && t->kind == TYPE_STR && bt_const_str(a, text_ret, &len))
		return true;
	if (!t)
		return false;
	bt_err(s, e->loc, "%s() expects a string literal (%s provided)", e->text, bt_kind_word(t));
	if (is_param)
		bt_err(s, a->loc, "Use str($%lu) to treat $%lu as a string", (unsigned long)n,
		       (unsigned long)n);
	return false;
}

struct var *bt_want_map(struct bt_sema *s, struct bt_expr *e, unsigned i)
{
	struct bt_expr *a = e->kid[i];
	if (a->kind != BT_MAP || a->nkid) {
		bt_err(s, a->loc, "%s() expects a map argument", e->text);
		return NULL;
	}
	a->var = bt_sema_var(s, a->text);
	return a->var;
}

struct type *bt_fold_int(struct bt_expr *e, int64_t v, struct type *t)
{
	bt_make_int(e, (uint64_t)v, t->is_signed && v < 0);
	e->cast_type = t;
	return e->type = t;
}

struct type *bt_fold_bool(struct bt_expr *e, bool v)
{
	bt_make_bool(e, v);
	return e->type = &type_bool;
}

struct type *bt_fold_str(struct bt_sema *s, struct bt_expr *e, const char *text)
{
	bt_make_str(e, text, (uint32_t)strlen(text));
	return e->type = type_str(s->in->arena, e->len + 1);
}

struct type *bt_void(struct bt_sema *s, struct bt_expr *e)
{
	for (unsigned i = 0; i < e->nkid; i++)
		bt_arg(s, e, i);
	return &type_none;
}

enum probe_kind bt_kind(const struct bt_sema *s)
{
	if (s->point)
		return s->point->kind;
	return s->probe && s->probe->npoint ? s->probe->point[0].spec.kind : PK_COUNT;
}

bool bt_kind_is(const struct bt_sema *s, unsigned n, const enum probe_kind *kinds)
{
	enum probe_kind k = bt_kind(s);
	for (unsigned i = 0; i < n; i++)
		if (kinds[i] == k)
			return true;
	return false;
}

const char *bt_kind_name(enum probe_kind k)
{
	if (k == PK_BEGIN || k == PK_END || k == PK_SELF)
		return "special";
	const struct probe_kind_info *i = k < PK_COUNT ? probe_kind_info(k) : NULL;
	return i ? i->name : "none";
}

/* --- clocks: the type of nsecs(mode) says which clock it is, for strftime()
 * ------------------------------ */

static struct type clock_types[] = {
	[TS_BOOT] = {.kind = TYPE_INT, .size = 8},
	[TS_MONOTONIC] = {.kind = TYPE_INT, .size = 8},
	[TS_TAI] = {.kind = TYPE_INT, .size = 8},
	[TS_SW_TAI] = {.kind = TYPE_INT, .size = 8},
	[TS_REALTIME] = {.kind = TYPE_INT, .size = 8},
};

struct type *bt_nsecs_type(enum ts_clock clock)
{
	return &clock_types[clock];
}

enum ts_clock bt_clock_of(const struct type *t)
{
	for (unsigned i = 0; i < ARRAY_SIZE(clock_types); i++)
		if (t == &clock_types[i])
			return (enum ts_clock)i;
	return TS_BOOT;
}

/* --- lowering helpers
 * ---------------------------------------------------------------------------------------- */

void bt_when(struct bt_lower *l, ir_ref cond, void (*then)(struct bt_lower *l, void *arg),
	     void *arg)
{
	struct ir_builder *b = &l->kit.b;
	uint32_t yes = ir_block_new(b, "when"), end = ir_block_new(b, "end_when");
	ir_br(b, cond, yes, end);
	ir_at(b, yes);
	then(l, arg);
	ir_jmp(b, end);
	ir_at(b, end);
}
