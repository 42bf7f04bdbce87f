/* lower_stmt.c - statements and variables. */
#include "lang/bt/calls.h"

/* What break and continue leave: a loop of the kit, or unrolled code. */
struct bt_loop {
	bool is_unrolled;
	uint32_t brk, cont; /* blocks, when unrolled */
	struct bt_loop *outer;
};

enum {
	WHILE_LIMIT = 1 << 23 /* most that bpf_loop() allows */
};

/* --- variables
 * ---------------------------------------------------------------------------------------------------
 */

/* Registers are kept as whole words, so that a load needs no width. */
static uint32_t local_size(const struct type *t)
{
	return bt_in_register(t) ? 8 : MAX(type_mem_size(t), 1u);
}

static void declare(struct bt_lower *l, struct bt_local *v)
{
	if (!v->storage)
		vec_push(&l->locals, v);
	v->storage = kit_local(&l->kit, local_size(v->type));
	v->storage->is_address = v->type->kind == TYPE_PTR && v->type->as != AS_KERNEL && v->type->as != AS_USER;
}

ir_ref bt_local_addr(struct bt_lower *l, struct bt_local *v)
{
	if (!v->storage)
		declare(l, v);
	return kit_local_addr(&l->kit, v->storage);
}

void bt_local_store(struct bt_lower *l, struct bt_local *v, ir_ref value)
{
	ir_store(&l->kit.b, bt_local_addr(l, v), 0, 8, value);
}

/* Values that are built in place could read the variable that they overwrite: these go through a
 * copy. */
static bool builds_in_place(const struct bt_expr *e)
{
	return e->kind == BT_TUPLE || e->kind == BT_RECORD;
}

static void assign_local(struct bt_lower *l, struct bt_local *v, struct bt_expr *value)
{
	if (bt_in_register(v->type)) {
		bt_local_store(l, v, bt_lower_as(l, value, v->type));
		return;
	}
	if (builds_in_place(value) && v->storage) {
		ir_ref tmp = bt_lower_as(l, value, v->type);
		kit_copy(&l->kit, bt_local_addr(l, v), tmp, type_mem_size(v->type));
		return;
	}
	ir_ref dst = bt_local_addr(l, v);
	bt_lower_to(l, value, v->type, dst);
}

static void compound_local(struct bt_lower *l, struct bt_stmt *st)
{
	struct bt_local *v = st->expr->local;
	ir_ref n = bt_lower_expr(l, st->value);
	if (v->type->kind == TYPE_PTR)
		n = bt_scaled(l, v->type, n);
	ir_ref x = bt_arith(l, st->op, bt_lower_expr(l, st->expr), n, st->loc);
	if (v->type->kind == TYPE_INT && v->type->size < 8)
		x = ir_ext(&l->kit.b, x, v->type->size, v->type->is_signed);
	bt_local_store(l, v, x);
}

static void lower_assign(struct bt_lower *l, struct bt_stmt *st)
{
	if (st->expr->kind == BT_MAP)
		bt_lower_map_assign(l, st);
	else if (st->is_compound && bt_in_register(st->expr->local->type))
		compound_local(l, st);
	else
		assign_local(l, st->expr->local, st->value);
}

static void lower_let(struct bt_lower *l, struct bt_stmt *st)
{
	struct bt_local *v = st->local ? st->local : st->expr->local;
	if (!v || !v->type || v->type->kind == TYPE_NONE)
		return;
	declare(l, v);
	if (st->value)
		assign_local(l, v, st->value);
}

/* --- if, while, unroll
 * ------------------------------------------------------------------------------------------- */

static void lower_if(struct bt_lower *l, struct bt_stmt *st)
{
	struct ir_builder *b = &l->kit.b;
	int64_t v;
	if (bt_const_int(st->expr, &v)) { /* only one side exists */
		struct bt_block *side = v ? st->body : st->other;
		if (side)
			bt_lower_block(l, side);
		return;
	}
	uint32_t yes = ir_block_new(b, "then"), end = ir_block_new(b, "endif");
	uint32_t no = st->other ? ir_block_new(b, "else") : end;
	ir_br(b, bt_lower_cond(l, st->expr), yes, no);
	ir_at(b, yes);
	bt_lower_block(l, st->body);
	ir_jmp(b, end);
	if (st->other) {
		ir_at(b, no);
		bt_lower_block(l, st->other);
		ir_jmp(b, end);
	}
	ir_at(b, end);
}

/* What a loop's callbacks need. */
struct loop_arg {
	struct bt_lower *l;
	struct bt_stmt *st;
};

static void loop_body(struct bt_lower *l, struct bt_block *body)
{
	struct bt_loop loop = {.outer = l->loop};
	l->loop = &loop;
	bt_lower_block(l, body);
	l->loop = loop.outer;
}

static ir_ref while_cond(struct kit *k, void *arg)
{
	struct loop_arg *a = arg;
	return bt_lower_cond(a->l, a->st->expr);
}

static void while_body(struct kit *k, void *arg)
{
	struct loop_arg *a = arg;
	loop_body(a->l, a->st->body);
}

static void lower_unroll(struct bt_lower *l, struct bt_stmt *st)
{
	struct ir_builder *b = &l->kit.b;
	int64_t n = 0;
	bt_const_int(st->expr, &n);
	struct bt_loop loop = {
		.is_unrolled = true, .brk = ir_block_new(b, "unrolled"), .outer = l->loop};
	l->loop = &loop;
	for (int64_t i = 0; i < n; i++) {
		loop.cont = ir_block_new(b, "unroll");
		bt_lower_block(l, st->body);
		ir_jmp(b, loop.cont);
		ir_at(b, loop.cont);
	}
	ir_jmp(b, loop.brk);
	ir_at(b, loop.brk);
	l->loop = loop.outer;
}

static void leave(struct bt_lower *l, bool is_break)
{
	struct bt_loop *loop = l->loop;
	if (loop && loop->is_unrolled) {
		ir_jmp(&l->kit.b, is_break ? loop->brk : loop->cont);
		ir_at(&l->kit.b, ir_block_new(&l->kit.b, "dead"));
	} else if (is_break) {
		kit_break(&l->kit);
	} else {
		kit_continue(&l->kit);
	}
}

/* --- for
 * ------------------------------------------------------------------------------------------------------------
 */

static void range_body(struct kit *k, ir_ref i, void *arg)
{
	struct loop_arg *a = arg;
	declare(a->l, a->st->local);
	bt_local_store(a->l, a->st->local, i);
	loop_body(a->l, a->st->body);
}

/* ($kv.0, $kv.1): an aggregation's value is a number where it can be one. */
static void map_body(struct kit *k, ir_ref key, ir_ref value, void *arg)
{
	struct loop_arg *a = arg;
	struct bt_lower *l = a->l;
	struct var *v = a->st->value->var;
	struct bt_local *kv = a->st->local;
	declare(l, kv);
	const struct field *f = kv->type->field;
	ir_ref dst = bt_local_addr(l, kv);
	ir_ref at_value = ir_bini(&k->b, IR_ADD, dst, f[1].offset);
	kit_copy(k, ir_bini(&k->b, IR_ADD, dst, f[0].offset), key, type_mem_size(v->key));
	if (type_is_agg(v->value) && bt_in_register(f[1].type))
		ir_store(&k->b, at_value, 0, type_mem_size(f[1].type),
			 bt_agg_number(l, v->value, value));
	else
		kit_copy(k, at_value, value, type_mem_size(v->value));
	loop_body(l, a->st->body);
}

static void lower_for(struct bt_lower *l, struct bt_stmt *st)
{
	struct loop_arg a = {l, st};
	if (!st->local)
		st->local = st->expr->local;
	if (st->kind == BT_S_FOR_MAP) {
		kit_loop_var(&l->kit, st->value->var, map_body, &a);
		return;
	}
	ir_ref from = bt_lower_expr(l, st->value), to = bt_lower_expr(l, st->value2);
	kit_loop_range(&l->kit, from, to, range_body, &a);
}

/* --- all
 * ----------------------------------------------------------------------------------------------------------------
 */

static void lower_return(struct bt_lower *l, struct bt_stmt *st)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref v = st->value && bt_in_register(st->value->type) ? bt_lower_expr(l, st->value) : 0;
	/* a security hook answers 0 or a negative error number, which the verifier must see */
	if (v && l->point->kind == PK_LSM) {
		ir_ref code = ir_bini(b, IR_AND, ir_bin(b, IR_SUB, ir_const(b, 0), v), 4095);
		v = ir_bin(b, IR_SUB, ir_const(b, 0), code);
	}
	kit_return(&l->kit, v);
}

static bool make_wide(struct bt_walk *w, struct bt_expr *e)
{
	if (e->kind == BT_VAR && e->local && e->local->is_wide)
		bt_local_addr(w->arg, e->local);
	return true;
}

/* A loop's body is a function of its own: what outlives it gets its storage outside. */
static void before_loop(struct bt_lower *l, struct bt_stmt *st)
{
	struct bt_walk w = {.expr = make_wide, .arg = l};
	if (st->kind == BT_S_WHILE || st->kind == BT_S_FOR_MAP || st->kind == BT_S_FOR_RANGE)
		bt_walk_block(&w, st->body);
}

static void lower_stmt(struct bt_lower *l, struct bt_stmt *st)
{
	struct loop_arg a = {l, st};
	before_loop(l, st);
	switch (st->kind) {
	case BT_S_EXPR: bt_lower_expr(l, st->expr); break;
	case BT_S_DISCARD: bt_lower_expr(l, st->value); break;
	case BT_S_LET: lower_let(l, st); break;
	case BT_S_ASSIGN: lower_assign(l, st); break;
	case BT_S_IF: lower_if(l, st); break;
	case BT_S_WHILE:
		kit_loop_while(&l->kit, while_cond, while_body, NULL, &a, WHILE_LIMIT);
		break;
	case BT_S_UNROLL: lower_unroll(l, st); break;
	case BT_S_FOR_MAP:
	case BT_S_FOR_RANGE: lower_for(l, st); break;
	case BT_S_BREAK:
	case BT_S_CONTINUE: leave(l, st->kind == BT_S_BREAK); break;
	case BT_S_RETURN: lower_return(l, st); break;
	case BT_S_BLOCK: bt_lower_block(l, st->body); break;
	}
}

void bt_lower_block(struct bt_lower *l, struct bt_block *block)
{
	for (struct bt_stmt *st = block->first; st; st = st->next) {
		uint32_t mark = kit_mark(&l->kit);
		l->kit.b.loc = st->loc;
		lower_stmt(l, st);
		kit_release(&l->kit, mark);
	}
}
