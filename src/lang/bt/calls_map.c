/* calls_map.c - aggregations, and questions about maps. */
#include "lang/bt/calls.h"

/* --- aggregations: only assigned to a map, see lower_map.c
 * ---------------------------------------------------- */

static struct type *agg(struct bt_sema *s, struct bt_expr *e, enum type_kind kind, bool is_signed,
			int64_t a0, int64_t a1, int64_t a2)
{
	const struct type *t = e->type;
	if (t && t->kind == kind && t->is_signed == is_signed && t->arg[0] == a0 &&
	    t->arg[1] == a1 && t->arg[2] == a2)
		return e->type;
	return type_agg(s->in->arena, kind, is_signed, (int64_t[3]){a0, a1, a2});
}

static struct type *sema_count(struct bt_sema *s, struct bt_expr *e)
{
	return agg(s, e, TYPE_COUNT, false, 0, 0, 0);
}

static bool want_number(struct bt_sema *s, struct bt_expr *e, struct type **t_ret)
{
	struct type *t = *t_ret = bt_arg(s, e, 0);
	if (!t)
		return false;
	if (bt_is_int(t))
		return true;
	struct buf b = {0};
	type_spell(t, &b);
	bt_err(s, e->loc, "%s() only supports integer arguments (%s provided)", e->text,
	       buf_str(&b));
	buf_free(&b);
	return false;
}

static struct type *sema_number_agg(struct bt_sema *s, struct bt_expr *e)
{
	static const struct {
		const char *name;
		enum type_kind kind;
	} kinds[] = {{"sum", TYPE_SUM},
		     {"min", TYPE_MIN},
		     {"max", TYPE_MAX},
		     {"avg", TYPE_AVG},
		     {"stats", TYPE_STATS}};
	struct type *t;
	if (!want_number(s, e, &t))
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, e->call->name))
			return agg(s, e, kinds[i].kind, t->is_signed, 0, 0, 0);
	return NULL;
}

enum {
	HIST_MAX_BITS = 5,
	LHIST_MAX_BUCKETS = 1000,
	MAX_INTERVALS = 1000000
};

static struct type *sema_hist(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t;
	int64_t bits = 0;
	want_number(s, e, &t);
	if (e->nkid > 1 && bt_want_int_literal(s, e, 1, &bits) &&
	    (bits < 0 || bits > HIST_MAX_BITS)) {
		bt_err(s, e->loc, "hist: bits %ld must be 0..5", (long)bits);
		bits = 0;
	}
	return agg(s, e, TYPE_HIST, false, bits, 0, 0);
}

static bool lhist_arg(struct bt_sema *s, struct bt_expr *e, unsigned i, const char *what,
		      int64_t *v)
{
	if (!bt_arg(s, e, i))
		return false;
	if (bt_const_int(e->kid[i], v) && *v >= 0)
		return true;
	bt_err(s, e->loc, "lhist: invalid %s", what);
	return false;
}

static struct type *sema_lhist(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t;
	int64_t min, max, step;
	want_number(s, e, &t);
	if (!lhist_arg(s, e, 1, "min value (must be non-negative literal)", &min) ||
	    !lhist_arg(s, e, 2, "max value (must be non-negative literal)", &max) ||
	    !lhist_arg(s, e, 3, "step value", &step))
		return NULL;
	bool ok = false;
	if (step <= 0)
		bt_err(s, e->loc, "lhist() step must be >= 1 (%ld provided)", (long)step);
	else if ((max - min) / step > LHIST_MAX_BUCKETS)
		bt_err(s, e->loc, "lhist() too many buckets, must be <= 1000 (would need %ld)",
		       (long)((max - min) / step));
	else
		ok = true;
	if (min > max)
		bt_err(s, e->loc,
		       "lhist() min must be less than max (provided min %ld and max %ld)",
		       (long)min, (long)max);
	else if (max - min < step)
		bt_err(s, e->loc,
		       "lhist() step is too large for the given range (provided step %ld for range %ld)",
		       (long)step, (long)(max - min));
	return ok && min <= max && max - min >= step ? agg(s, e, TYPE_LHIST, false, min, max, step)
						     : NULL;
}

static bool tseries_fn(struct bt_sema *s, struct bt_expr *e, int64_t *fn)
{
	static const char *const names[] = {[TSERIES_AVG] = "avg",
					    [TSERIES_MAX] = "max",
					    [TSERIES_MIN] = "min",
					    [TSERIES_SUM] = "sum"};
	const char *text;
	*fn = TSERIES_LAST;
	if (e->nkid < 4)
		return true;
	if (!bt_want_str_literal(s, e, 3, &text))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i] && !strcmp(names[i], text)) {
			*fn = i;
			return true;
		}
	}
	bt_err(s, e->loc,
	       "tseries() expects one of the following aggregation functions: avg, max, min, sum (\"%s\" "
	       "provided)",
	       text);
	return false;
}

static bool tseries_arg(struct bt_sema *s, struct bt_expr *e, unsigned i, const char *what,
			int64_t *v)
{
	if (!bt_arg(s, e, i))
		return false;
	if (!bt_const_int(e->kid[i], v) || *v < 0)
		bt_err(s, e->loc, "tseries: invalid %s value (must be non-negative literal)", what);
	else if (*v < 1)
		bt_err(s, e->loc, "tseries() %s must be >= 1 (%ld provided)", what, (long)*v);
	else
		return true;
	return false;
}

static struct type *sema_tseries(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t;
	int64_t interval, n, fn;
	want_number(s, e, &t);
	if (!bt_may_use(s, BT_UNSTABLE_TSERIES, "tseries", e->loc))
		return NULL;
	if (!tseries_arg(s, e, 1, "interval_ns", &interval) ||
	    !tseries_arg(s, e, 2, "num_intervals", &n) || !tseries_fn(s, e, &fn))
		return NULL;
	if (n > MAX_INTERVALS) {
		bt_err(s, e->loc, "tseries() num_intervals must be < 1000000 (%ld provided)",
		       (long)n);
		return NULL;
	}
	return agg(s, e, TYPE_TSERIES, t && t->is_signed, interval, n, fn);
}

static ir_ref lower_agg(struct bt_lower *l, struct bt_expr *e)
{
	return 0; /* an assignment's business */
}

/* --- has_key, find, delete, len
 * ---------------------------------------------------------------------------------- */

/* Nothing is ever put into it: a misspelt name, most likely.  Scripts whose probes may be left out may have lost that part. */
static void undefined_map(struct bt_sema *s, const struct bt_expr *m)
{
	bool is_empty = m->var && (!m->var->value || bt_var_info(m->var)->is_assumed);
	if (s->final && is_empty && !s->script->is_lenient)
		bt_err(s, m->loc, "Undefined map: %s", m->text);
}

/* @m and k as the expression @m[k], kept in e->data: its typing joins k into the map's key. */
static struct bt_expr *access(struct bt_sema *s, struct bt_expr *e, const char *what)
{
	struct bt_expr *m = e->kid[0], *a = e->data;
	if (m->kind != BT_MAP || m->nkid) {
		bt_err(s, m->loc, "%s() expects a map argument", e->text);
		return NULL;
	}
	m->var = bt_sema_var(s, m->text);
	if (m->var && m->var->value && !m->var->key) {
		bt_err(s, e->loc, "call to %s expects a map with explicit keys (non-scalar map)",
		       what);
		return NULL;
	}
	if (!a) {
		a = arena_new(s->in->arena, struct bt_expr);
		a->kind = BT_MAP;
		a->loc = m->loc;
		a->text = m->text;
		a->kid = arena_array(s->in->arena, struct bt_expr *, 1);
		a->kid[0] = e->kid[1];
		a->nkid = 1;
		e->data = a;
	}
	bt_sema_expr(s, a);
	undefined_map(s, a);
	return a;
}

static struct type *sema_has_key(struct bt_sema *s, struct bt_expr *e)
{
	access(s, e, "has_key()");
	return &type_bool;
}

static ir_ref access_key(struct bt_lower *l, struct bt_expr *e, struct var **var_ret)
{
	struct bt_expr *a = e->data;
	*var_ret = a->var;
	return bt_lower_key(l, a->var, a->kid, a->nkid);
}

static ir_ref lower_has_key(struct bt_lower *l, struct bt_expr *e)
{
	struct var *var;
	ir_ref key = access_key(l, e, &var);
	return kit_var_has(&l->kit, var, key);
}

static struct type *sema_find(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *a = access(s, e, "find"), *v = e->kid[2];
	if (v->kind != BT_VAR) {
		bt_err(s, v->loc, "find() expects a scratch variable as its third argument");
		return &type_bool;
	}
	bt_sema_assign_local(s, v, a ? a->type : NULL);
	return &type_bool;
}

struct find_arg {
	struct bt_expr *e;
	struct var *var;
	ir_ref key;
};
static void find_hit(struct bt_lower *l, void *arg)
{
	struct find_arg *f = arg;
	struct bt_local *to = f->e->kid[2]->local;
	struct bt_expr *a = f->e->data;
	if (bt_in_register(to->type)) {
		ir_ref v = type_is_agg(f->var->value)
				   ? kit_agg_read(&l->kit, f->var, f->key, AGG_VALUE)
				   : kit_var_get_scalar(&l->kit, f->var, f->key);
		bt_local_store(l, to, v);
		return;
	}
	ir_ref tmp = kit_mem(&l->kit, type_mem_size(f->var->value));
	kit_var_get(&l->kit, f->var, f->key, tmp);
	bt_store_as(l, tmp, a->type, to->type, bt_local_addr(l, to));
}

static ir_ref lower_find(struct bt_lower *l, struct bt_expr *e)
{
	struct find_arg f = {.e = e};
	bt_local_addr(l, e->kid[2]->local); /* storage outside of the branch */
	f.key = access_key(l, e, &f.var);
	ir_ref has = kit_var_has(&l->kit, f.var, f.key);
	bt_when(l, has, find_hit, &f);
	return has;
}

static struct type *sema_delete(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *m = e->kid[0];
	if (e->nkid == 2) {
		access(s, e, "delete() with two arguments");
		return &type_bool;
	}
	if (m->kind != BT_MAP) {
		bt_err(s, m->loc, "delete() expects a map argument");
		return &type_bool;
	}
	if (m->nkid) {
		bt_sema_expr(s, m);
		undefined_map(s, m);
		return &type_bool;
	}
	m->var = bt_sema_var(s, m->text);
	if (m->var)
		m->var->is_emptied = true;
	if (s->final && m->var && !m->var->value)
		bt_err(s, m->loc, "Undefined map: %s", m->text);
	else if (s->final && m->var && m->var->key)
		bt_err(s, e->loc,
		       "call to delete() with a single argument expects a map without explicit keys "
		       "(scalar map)");
	return &type_bool;
}

static ir_ref lower_delete(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *a = e->nkid == 2 ? e->data : e->kid[0];
	ir_ref key = bt_lower_key(l, a->var, a->kid, a->nkid);
	return kit_var_delete(&l->kit, a->var, key);
}

static struct type *sema_len(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_expr *m = e->kid[0];
	if (m->kind == BT_MAP && !m->nkid) {
		m->var = bt_sema_var(s, m->text);
		if (s->final && m->var && !m->var->value)
			bt_err(s, m->loc, "Undefined map: %s", m->text);
		else if (s->final && m->var && !m->var->key)
			bt_err(s, e->loc,
			       "call to len() expects a map with explicit keys (non-scalar map)");
		return &type_int64;
	}
	struct type *t = bt_arg(s, e, 0);
	if (t && t->kind != TYPE_KSTACK && t->kind != TYPE_USTACK)
		bt_err(s, e->loc, "call to len() expects a map, ustack, or kstack");
	return &type_int64;
}

static ir_ref lower_len(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *a = e->kid[0];
	if (a->kind == BT_MAP && !a->nkid)
		return kit_var_len(&l->kit, a->var);
	ir_ref stack = bt_lower_expr(l, a);
	return ir_load(&l->kit.b, stack, offsetof(struct stack_value_wire, nframes), 2, false);
}

const struct bt_call bt_calls_map[] = {
	{"count", 0, 0, BT_F_MAP_VALUE, sema_count, lower_agg},
	{"sum", 1, 1, BT_F_MAP_VALUE, sema_number_agg, lower_agg},
	{"min", 1, 1, BT_F_MAP_VALUE, sema_number_agg, lower_agg},
	{"max", 1, 1, BT_F_MAP_VALUE, sema_number_agg, lower_agg},
	{"avg", 1, 1, BT_F_MAP_VALUE, sema_number_agg, lower_agg},
	{"stats", 1, 1, BT_F_MAP_VALUE, sema_number_agg, lower_agg},
	{"hist", 1, 2, BT_F_MAP_VALUE, sema_hist, lower_agg},
	{"lhist", 4, 4, BT_F_MAP_VALUE, sema_lhist, lower_agg},
	{"tseries", 3, 4, BT_F_MAP_VALUE, sema_tseries, lower_agg},
	{"has_key", 2, 2, 0, sema_has_key, lower_has_key},
	{"find", 3, 3, 0, sema_find, lower_find},
	{"delete", 1, 2, BT_F_VOID_OK, sema_delete, lower_delete},
	{"len", 1, 1, 0, sema_len, lower_len},
	{0},
};
