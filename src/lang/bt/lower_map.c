/* lower_map.c - maps: keys, reading, assigning, counting. */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

bool bt_is_agg_call(const struct bt_expr *e)
{
	return e && e->kind == BT_CALL && e->call && (e->call->flags & BT_F_MAP_VALUE);
}

/* --- keys
 * ------------------------------------------------------------------------------------------------------
 */

ir_ref bt_lower_key(struct bt_lower *l, struct var *v, struct bt_expr *const *key, unsigned n)
{
	if (!v->key || !n)
		return 0;
	uint32_t size = MAX(type_mem_size(v->key), 1u);
	ir_ref dst = bt_has_padding(v->key) ? kit_mem_zero(&l->kit, size) : kit_mem(&l->kit, size);
	if (n == 1) {
		bt_lower_to(l, key[0], v->key, dst);
		return dst;
	}
	for (unsigned i = 0; i < n && i < v->key->nfield; i++)
		bt_lower_to(l, key[i], v->key->field[i].type,
			    ir_bini(&l->kit.b, IR_ADD, dst, v->key->field[i].offset));
	return dst;
}

static ir_ref key_of(struct bt_lower *l, const struct bt_expr *m)
{
	return bt_lower_key(l, m->var, m->kid, m->nkid);
}

/* --- reading
 * -----------------------------------------------------------------------------------------------------
 */

static void send_missing(struct bt_lower *l, void *arg)
{
	struct action *a = program_action(l->kit.prog, ACT_HELPER_ERROR, *(struct loc *)arg);
	a->number = BPF_FUNC_map_lookup_elem;
	kit_send(&l->kit, a, &(struct kit_value){.type = &type_int64, .v = ir_const(&l->kit.b, 0)},
		 1);
}

/* -k: reading an element that is not there is worth a warning. */
static void report_missing(struct bt_lower *l, struct var *v, ir_ref key, struct loc loc)
{
	ir_ref has = kit_var_has(&l->kit, v, key);
	bt_when(l, ir_bini(&l->kit.b, IR_EQ, has, 0), send_missing, &loc);
}

ir_ref bt_lower_map_read(struct bt_lower *l, struct bt_expr *e)
{
	struct var *v = e->var;
	ir_ref key = key_of(l, e);
	if (type_is_agg(v->value)) {
		if (bt_in_register(e->type))
			return kit_agg_read(&l->kit, v, key,
					    v->value->kind == TYPE_STATS ? AGG_AVG : AGG_VALUE);
		ir_ref dst = kit_mem_zero(&l->kit, type_mem_size(v->value));
		kit_agg_merge(&l->kit, v, key, dst);
		return dst;
	}
	if (v->key && l->kit.helper_errors)
		report_missing(l, v, key, e->loc);
	if (bt_in_register(v->value))
		return kit_var_get_scalar(&l->kit, v, key);
	ir_ref dst = kit_mem(&l->kit, type_mem_size(v->value));
	kit_var_get(&l->kit, v, key, dst);
	return dst;
}

/* --- assigning
 * ------------------------------------------------------------------------------------------------------
 */

static void aggregate(struct bt_lower *l, struct bt_expr *m, struct bt_expr *call, struct loc loc)
{
	ir_ref n = call->nkid ? bt_lower_expr(l, call->kid[0]) : 0;
	ir_ref key = key_of(l, m);
	if (m->var->value->kind == TYPE_TSERIES)
		kit_agg_tseries(&l->kit, m->var, key, n, loc);
	else
		kit_agg_update(&l->kit, m->var, key, n, loc);
}

static void set(struct bt_lower *l, struct bt_expr *m, struct bt_expr *value, struct loc loc)
{
	ir_ref v = bt_lower_as(l, value, m->var->value);
	ir_ref key = key_of(l, m);
	if (bt_in_register(m->var->value))
		kit_var_set_scalar(&l->kit, m->var, key, v, loc);
	else
		kit_var_set(&l->kit, m->var, key, v, loc);
}

/* Whole words can be added to in place; other widths wrap and are read and written back. */
static bool can_add(const struct type *t)
{
	return (t->kind == TYPE_INT || t->kind == TYPE_PTR) && t->size == 8;
}

static ir_ref add(struct bt_lower *l, struct bt_expr *m, ir_ref delta, struct loc loc)
{
	return kit_var_add(&l->kit, m->var, key_of(l, m), delta, loc);
}

static void compound(struct bt_lower *l, struct bt_stmt *st)
{
	struct bt_expr *m = st->expr;
	struct ir_builder *b = &l->kit.b;
	struct type *t = m->var->value;
	ir_ref n = bt_lower_expr(l, st->value);
	if (t->kind == TYPE_PTR)
		n = bt_scaled(l, t, n);
	if ((st->op == BT_ADD || st->op == BT_SUB) && can_add(t)) {
		add(l, m, st->op == BT_ADD ? n : ir_un(b, IR_NEG, n), st->loc);
		return;
	}
	ir_ref key = key_of(l, m);
	ir_ref v = bt_arith(l, st->op, kit_var_get_scalar(&l->kit, m->var, key), n, st->loc);
	kit_var_set_scalar(&l->kit, m->var, key, v, st->loc);
}

void bt_lower_map_assign(struct bt_lower *l, struct bt_stmt *st)
{
	if (bt_is_agg_call(st->value))
		aggregate(l, st->expr, st->value, st->loc);
	else if (st->is_compound && bt_in_register(st->expr->var->value))
		compound(l, st);
	else
		set(l, st->expr, st->value, st->loc);
}

/* --- ++ and --
 * ---------------------------------------------------------------------------------------------------------
 */

ir_ref bt_lower_map_step(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *m = e->kid[0];
	struct ir_builder *b = &l->kit.b;
	struct type *t = m->var->value;
	bool post = e->op == BT_POSTINC || e->op == BT_POSTDEC;
	bool up = e->op == BT_PREINC || e->op == BT_POSTINC;
	ir_ref by = bt_scaled(l, t, ir_const(b, up ? 1 : -1));
	if (can_add(t)) {
		ir_ref old = add(l, m, by, e->loc);
		return post || e->discarded ? old : ir_bin(b, IR_ADD, old, by);
	}
	ir_ref key = key_of(l, m), old = kit_var_get_scalar(&l->kit, m->var, key);
	ir_ref new = ir_bin(b, IR_ADD, old, by);
	kit_var_set_scalar(&l->kit, m->var, key, new, e->loc);
	return post ? old : new;
}
