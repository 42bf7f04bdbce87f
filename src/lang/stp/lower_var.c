/* lower_var.c - locals, globals, arrays: reading, writing, keys. */
#include "bpf/user_helpers.h"
#include "lang/stp/lower.h"

/* --- definitions --------------------------------------------------------------------------------------------- */

static struct type *type_of(struct stp_comp *c, const struct stp_cell *cell)
{
	return cell->type == ST_STRING ? type_str(c->a, cell->cap) : &type_int64;
}

uint32_t stp_hist_buckets(const struct stp_global *g)
{
	if (g->stat_ops & STAT_HIST_LOG)
		return 128;
	return (uint32_t)((g->hist[1] - g->hist[0]) / g->hist[2]) + 3;
}

static struct type *stat_type(struct stp_comp *c, const struct stp_global *g)
{
	struct type *t = arena_memdup(c->a, type_agg(c->a, TYPE_STAT, true, g->hist), sizeof(*t));
	t->size = sizeof(struct stat_wire);
	if (g->stat_ops & (STAT_HIST_LOG | STAT_HIST_LINEAR))
		t->size += 8 * stp_hist_buckets(g);
	return t;
}

/* As SystemTap's own arrays: an element that is there from the start cannot fail to be made, wherever the handler runs. */
static void preallocate(struct stp_comp *c, struct var *v)
{
	const size_t most = 16 << 20;
	struct map *m = v->map;
	bool in_kernel = false;
	for (size_t i = 0; i < c->probes.len; i++)
		in_kernel |= !c->probes.at[i]->in_user;
	if (!m || !v->key || !in_kernel)
		return;
	size_t copies = m->kind == MAP_PERCPU_HASH ? MAX(c->prog->ncpus, 1u) : 1;
	if (m->nentries * (m->key_size + copies * m->value_size) < most)
		m->no_prealloc = false;
}

static void define(struct stp_lower *l, struct stp_global *g)
{
	struct stp_comp *c = l->c;
	struct var *v = g->var = program_var(c->prog, g->name);
	v->is_emptied = g->is_deleted;
	struct type *key[STP_MAXKEYS];
	for (int i = 0; i < g->nkeys; i++)
		key[i] = type_of(c, &g->key[i]);
	v->key = g->nkeys == 1 ? key[0] : g->nkeys ? type_tuple(c->a, key, NULL, (uint32_t)g->nkeys) : NULL;
	v->value = g->cell.type == ST_STATS ? stat_type(c, g) : type_of(c, &g->cell);
	if (g->cell.type == ST_LONG && g->cell.pointee)
		v->value = type_ptr(c->a, &type_none, AS_KERNEL);
	v->max_entries = (uint32_t)g->max_entries;
	v->wrap = g->wrap;
	v->loc = g->loc;
	v->print_at_exit = g->is_written && !g->is_read && !g->is_tapset;
	v->has_seq = g->nkeys && (g->is_iterated || g->wrap || v->print_at_exit);
	/* what prints itself shows all of them */
	v->stat_ops = g->stat_ops;
	v->variance_bits = (unsigned)MAX(g->variance_bits, 0);
	if (v->print_at_exit)
		v->stat_ops |= STAT_COUNT | STAT_SUM | STAT_MIN | STAT_MAX | STAT_AVG;
	kit_var_define(&l->kit, v);
	preallocate(c, v);
}

void stp_define_globals(struct stp_lower *l)
{
	for (size_t i = 0; i < l->c->used_globals.len; i++)
		define(l, l->c->used_globals.at[i]);
}

void stp_declare(struct stp_lower *l, struct stp_scope *s)
{
	for (struct stp_local *v = s->local; v; v = v->next)
		if (v->reads || v->writes || v->is_param)
			v->storage = stp_variable(l, &v->cell);
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

static void store_key(struct stp_lower *l, ir_ref at, const struct stp_cell *cell, struct stp_value v)
{
	if (cell->type == ST_STRING)
		kit_str_copy(&l->kit, at, cell->cap, v.v, v.cap);
	else
		ir_store(LB(l), at, 0, 8, v.v);
}

ir_ref stp_lower_key(struct stp_lower *l, struct stp_global *g, struct stp_expr *const *kid)
{
	if (!g->nkeys)
		return 0;
	struct stp_value v[STP_MAXKEYS];
	for (int i = 0; i < g->nkeys; i++)
		v[i] = stp_lower_expr(l, kid[i]);
	const struct type *t = g->var->key;
	if (g->nkeys == 1 && g->key[0].type == ST_STRING && v[0].cap == g->key[0].cap && v[0].lit)
		return v[0].v; /* a literal of the right size is its own key */
	ir_ref at = kit_mem(&l->kit, type_mem_size(t));
	for (int i = 0; i < g->nkeys; i++)
		store_key(l, g->nkeys > 1 ? ir_bini(LB(l), IR_ADD, at, t->field[i].offset) : at, &g->key[i], v[i]);
	return at;
}

/* --- reading and writing ------------------------------------------------------------------------------------------- */

static struct stp_value load_global(struct stp_lower *l, struct stp_global *g, ir_ref key)
{
	struct var *v = g->var;
	if (g->cell.type == ST_LONG)
		return stp_long(kit_var_get_scalar(&l->kit, v, key));
	/* a copy: what is read must not change while it is used */
	ir_ref at = kit_mem(&l->kit, g->cell.cap);
	kit_var_get(&l->kit, v, key, at);
	return stp_string(at, g->cell.cap);
}

struct stp_value stp_load_var(struct stp_lower *l, struct stp_expr *e)
{
	if (e->local) {
		ir_ref at = kit_local_addr(&l->kit, e->local->storage);
		return e->local->cell.type == ST_STRING ? stp_string(at, e->local->cell.cap)
							: stp_long(ir_load(LB(l), at, 0, 8, false));
	}
	return load_global(l, e->global, stp_lower_key(l, e->global, e->kid));
}

static void overflow_text(struct stp_lower *l, const struct stp_global *g)
{
	l->overflow = g->max_entries ? arena_printf(l->c->a, "Array overflow, check size limit (%lld)", (long long)g->max_entries)
				     : "Array overflow, check MAXMAPENTRIES";
}

static void store_global(struct stp_lower *l, struct stp_global *g, ir_ref key, struct stp_value v, struct loc loc)
{
	overflow_text(l, g);
	if (g->cell.type == ST_LONG) {
		kit_var_set_scalar(&l->kit, g->var, key, v.v, loc);
		return;
	}
	ir_ref from = v.v;
	if (v.cap != g->cell.cap) {
		from = kit_mem(&l->kit, g->cell.cap);
		kit_str_copy(&l->kit, from, g->cell.cap, v.v, v.cap);
	}
	kit_var_set(&l->kit, g->var, key, from, loc);
}

static void store_local(struct stp_lower *l, struct stp_local *local, struct stp_value v)
{
	ir_ref at = kit_local_addr(&l->kit, local->storage);
	if (local->cell.type == ST_STRING)
		kit_str_copy(&l->kit, at, local->cell.cap, v.v, v.cap);
	else
		ir_store(LB(l), at, 0, 8, v.v);
}

void stp_store_var(struct stp_lower *l, struct stp_expr *e, struct stp_value v, struct loc loc)
{
	if (e->local && e->local->storage)
		store_local(l, e->local, v);
	else if (e->global)
		store_global(l, e->global, stp_lower_key(l, e->global, e->kid), v, loc);
}

/* --- assignments ------------------------------------------------------------------------------------------------------ */

static struct stp_value append_string(struct stp_lower *l, struct stp_expr *e, struct stp_value old, struct stp_value add)
{
	ir_ref at = kit_mem(&l->kit, e->cap);
	kit_str_concat(&l->kit, at, e->cap, old.v, old.cap, add.v, add.cap);
	return stp_string(at, e->cap);
}

/* The operator of a compound assignment: "+=" gives "+". */
static struct stp_value combine(struct stp_lower *l, struct stp_expr *e, struct stp_value old, struct stp_value rhs)
{
	if (str_eq(e->op, ".="))
		return append_string(l, e, old, rhs);
	const char *op = arena_strndup(l->c->a, e->op, strlen(e->op) - 1);
	return stp_long(stp_arith(l, op, old.v, rhs.v, e->loc));
}

/* += and -= of a global are one atomic addition. */
static struct stp_value atomic_add(struct stp_lower *l, struct stp_global *g, ir_ref key, ir_ref delta, struct loc loc)
{
	overflow_text(l, g);
	return stp_long(kit_var_add(&l->kit, g->var, key, delta, loc));
}

static struct stp_value assign_global(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_expr *lhs = e->kid[0];
	struct stp_global *g = lhs->global;
	struct stp_value rhs = stp_lower_expr(l, e->kid[1]);
	ir_ref key = stp_lower_key(l, g, lhs->kid);
	if (str_eq(e->op, "=")) {
		store_global(l, g, key, rhs, lhs->loc);
		return rhs;
	}
	if (str_eq(e->op, "+=") || str_eq(e->op, "-=")) {
		ir_ref delta = *e->op == '-' ? ir_un(LB(l), IR_NEG, rhs.v) : rhs.v;
		struct stp_value old = atomic_add(l, g, key, delta, lhs->loc);
		return stp_long(ir_bin(LB(l), IR_ADD, old.v, delta));
	}
	struct stp_value now = combine(l, e, load_global(l, g, key), rhs);
	store_global(l, g, key, now, lhs->loc);
	return now;
}

static struct stp_value assign_stat(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_expr *lhs = e->kid[0];
	ir_ref n = stp_lower_long(l, e->kid[1]);
	ir_ref key = stp_lower_key(l, lhs->global, lhs->kid);
	overflow_text(l, lhs->global);
	kit_agg_update(&l->kit, lhs->global->var, key, n, lhs->loc);
	return stp_long(n);
}

struct stp_value stp_lower_assign(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_expr *lhs = e->kid[0];
	if (str_eq(e->op, "<<<"))
		return assign_stat(l, e);
	if (lhs->global)
		return assign_global(l, e);
	struct stp_value rhs = stp_lower_expr(l, e->kid[1]);
	bool target = stp_is_target(lhs);
	if (!str_eq(e->op, "="))
		rhs = combine(l, e, target ? stp_lower_target(l, lhs) : stp_load_var(l, lhs), rhs);
	if (target)
		stp_store_target(l, lhs, rhs.v);
	else if (lhs->local->storage)
		store_local(l, lhs->local, rhs);
	return rhs;
}

struct stp_value stp_lower_step(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_expr *lhs = e->kid[0];
	int64_t d = *e->op == '+' ? 1 : -1;
	ir_ref old;
	if (lhs->global) {
		ir_ref key = stp_lower_key(l, lhs->global, lhs->kid);
		old = atomic_add(l, lhs->global, key, stp_c(l, d), lhs->loc).v;
	} else if (stp_is_target(lhs)) {
		old = stp_lower_target(l, lhs).v;
		stp_store_target(l, lhs, ir_bini(LB(l), IR_ADD, old, d));
	} else {
		old = stp_load_var(l, lhs).v;
		store_local(l, lhs->local, stp_long(ir_bini(LB(l), IR_ADD, old, d)));
	}
	return stp_long(e->kind == SE_PRE ? ir_bini(LB(l), IR_ADD, old, d) : old);
}

/* --- delete, in --------------------------------------------------------------------------------------------------------------- */

/* Rows whose keys agree with `kid`, where NULL stands for any (kid NULL: all rows). */
struct match {
	struct stp_lower *l;
	struct stp_global *g;
	struct stp_expr **kid;
	struct kit_local *want[STP_MAXKEYS]; /* values of the keys that are not `*` */
	struct kit_local *found;
};

static void prepare_match(struct match *m)
{
	struct stp_lower *l = m->l;
	for (int i = 0; m->kid && i < m->g->nkeys; i++)
		if (m->kid[i]) {
			m->want[i] = stp_variable(l, &m->g->key[i]);
			store_key(l, kit_local_addr(&l->kit, m->want[i]), &m->g->key[i], stp_lower_expr(l, m->kid[i]));
		}
}

/* In a loop over rows: passes over this one unless it agrees. */
static void skip_others(struct match *m, ir_ref key)
{
	struct stp_lower *l = m->l;
	const struct type *t = m->g->var->key;
	for (int i = 0; i < m->g->nkeys; i++) {
		if (!m->want[i])
			continue;
		ir_ref at = m->g->nkeys > 1 ? ir_bini(LB(l), IR_ADD, key, t->field[i].offset) : key;
		ir_ref want = kit_local_addr(&l->kit, m->want[i]);
		ir_ref same = kit_mem_eq(&l->kit, at, want, m->g->key[i].type == ST_STRING ? m->g->key[i].cap : 8);
		uint32_t end = stp_if(l, ir_bini(LB(l), IR_XOR, same, 1));
		kit_continue(&l->kit);
		stp_endif(l, end);
	}
}

static void delete_row(struct kit *k, ir_ref key, ir_ref value, void *arg)
{
	struct match *m = arg;
	skip_others(m, key);
	kit_var_delete(k, m->g->var, key);
}

static void found_row(struct kit *k, ir_ref key, ir_ref value, void *arg)
{
	struct match *m = arg;
	skip_others(m, key);
	ir_store(LB(m->l), kit_local_addr(k, m->found), 0, 8, stp_c(m->l, 1));
	kit_break(k);
}

static void each_row(struct match *m, void (*row)(struct kit *k, ir_ref key, ir_ref value, void *arg))
{
	prepare_match(m);
	m->l->depth++;
	kit_loop_var(&m->l->kit, m->g->var, row, m);
	m->l->depth--;
}

static bool has_wildcard(const struct stp_expr *e)
{
	for (unsigned i = 0; i < e->nkid; i++)
		if (!e->kid[i])
			return true;
	return false;
}

ir_ref stp_lower_in(struct stp_lower *l, struct stp_expr *e)
{
	if (!has_wildcard(e))
		return kit_var_has(&l->kit, e->global->var, stp_lower_key(l, e->global, e->kid));
	struct match m = {.l = l, .g = e->global, .kid = e->kid, .found = stp_number(l)};
	ir_store(LB(l), kit_local_addr(&l->kit, m.found), 0, 8, stp_c(l, 0));
	each_row(&m, found_row);
	return ir_load(LB(l), kit_local_addr(&l->kit, m.found), 0, 8, false);
}

void stp_lower_delete(struct stp_lower *l, struct stp_stmt *s)
{
	struct stp_expr *e = s->expr;
	struct stp_global *g = e->global;
	if (e->local) {
		struct stp_cell *cell = &e->local->cell;
		if (e->local->storage)
			kit_zero(&l->kit, kit_local_addr(&l->kit, e->local->storage), cell->type == ST_STRING ? cell->cap : 8);
	} else if (e->kind == SE_INDEX && !has_wildcard(e)) {
		kit_var_delete(&l->kit, g->var, stp_lower_key(l, g, e->kid));
	} else if (e->kind == SE_INDEX) {
		each_row(&(struct match){.l = l, .g = g, .kid = e->kid}, delete_row);
	} else if (l->user) {
		ir_helper(LB(l), UH_VAR_CLEAR, stp_c(l, g->var->id));
	} else if (g->nkeys) {
		each_row(&(struct match){.l = l, .g = g}, delete_row);
	} else {
		kit_var_delete(&l->kit, g->var, 0);
	}
}
