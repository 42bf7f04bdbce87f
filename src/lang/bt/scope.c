/*
 * scope.c - which $variable a name means.
 *
 * A variable lives from its first assignment or its `let` to the end of the block; names are never
 * shadowed, so at any place a name means one variable at most.
 */
#include "lang/bt/sema.h"

struct binder {
	struct bt_sema *s;
	struct strtab visible; /* name -> struct bt_local */
	VEC(struct bt_local *) stack;
	VEC(struct bt_local *) all; /* of the probe */
	struct strtab ended;        /* names whose block is over */
	struct strtab wide;         /* names that live to the end of the handler */
	bool silent;
	unsigned in_meta;
};

static void bind_block(struct binder *b, struct bt_block *block);
static void bind_expr(struct binder *b, struct bt_expr *e);

static struct bt_local *declare(struct binder *b, const struct bt_expr *var, struct loc loc,
				int origin)
{
	struct bt_local *v = arena_new(b->s->in->arena, struct bt_local);
	v->name = var->text;
	v->loc = loc;
	v->origin = origin;
	v->is_assigned = origin != BT_L_LET;
	strtab_set(&b->visible, v->name, v);
	v->is_wide = origin != BT_L_LOOP && strtab_get(&b->wide, v->name);
	if (!v->is_wide)
		vec_push(&b->stack, v);
	vec_push(&b->all, v);
	return v;
}

static void leave(struct binder *b, size_t mark)
{
	while (b->stack.len > mark) {
		struct bt_local *v = vec_pop(&b->stack);
		strtab_set(&b->visible, v->name, NULL);
		if (v->origin != BT_L_LOOP)
			strtab_set(&b->ended, v->name, v);
	}
}

static void undefined(struct binder *b, const struct bt_expr *e)
{
	if (b->silent) {
		void *over = strtab_get(&b->ended, e->text);
		if (over)
			strtab_set(&b->wide, e->text, over);
		return;
	}
	const char **names = arena_array(b->s->in->arena, const char *, b->stack.len + 1);
	for (size_t i = 0; i < b->stack.len; i++)
		names[i] = b->stack.at[i]->name;
	struct diag *d = bt_err_now(b->s, e->loc, "Undefined or undeclared variable: %s", e->text);
	const char *near = nearest_word(e->text, names, b->stack.len);
	if (near)
		bt_hint(b->s, d, "did you mean %s?", near);
}

static void use(struct binder *b, struct bt_expr *e)
{
	e->local = strtab_get(&b->visible, e->text);
	if (!e->local) {
		undefined(b, e);
		return;
	}
	e->local->is_used = true;
	if (!e->local->is_assigned && !b->in_meta && !b->silent)
		bt_warn_now(b->s, e->loc, "Variable used before it was assigned: %s", e->text);
}

/* Its address is taken, or a function fills it: somebody may assign it. */
static void fill(struct binder *b, struct bt_expr *e)
{
	struct bt_local *v = strtab_get(&b->visible, e->text);
	if (v)
		v->is_assigned = true;
	use(b, e);
}

static void bind_type(struct binder *b, struct bt_type_name *t)
{
	if (!t)
		return;
	b->in_meta++;
	if (t->typeof_expr)
		bind_expr(b, t->typeof_expr);
	b->in_meta--;
}

static bool is_filled(const struct bt_expr *e, unsigned i)
{
	if (e->kid[i]->kind != BT_VAR)
		return false;
	return (e->kind == BT_UNOP && e->op == BT_ADDR) ||
	       (e->kind == BT_CALL && i == 2 && str_eq(e->text, "find"));
}

static void bind_expr(struct binder *b, struct bt_expr *e)
{
	bool meta = e->kind == BT_SIZEOF || e->kind == BT_OFFSETOF || e->kind == BT_TYPEINFO;
	if (e->kind == BT_VAR)
		use(b, e);
	b->in_meta += meta;
	for (unsigned i = 0; i < e->nkid; i++) {
		if (e->kid[i] && is_filled(e, i))
			fill(b, e->kid[i]);
		else if (e->kid[i])
			bind_expr(b, e->kid[i]);
	}
	bind_type(b, e->type_name);
	b->in_meta -= meta;
	if (e->then_block)
		bind_block(b, e->then_block);
	if (e->else_block)
		bind_block(b, e->else_block);
}

static void bind_let(struct binder *b, struct bt_stmt *st)
{
	bind_type(b, st->type_name);
	if (st->value)
		bind_expr(b, st->value);
	struct bt_local *old = strtab_get(&b->visible, st->expr->text);
	if (old && b->silent)
		return;
	if (old) {
		bt_err_now(b->s, st->name_loc,
			   "Variable %s was already declared. Variable shadowing is not allowed.",
			   st->expr->text);
		bt_err_now(b->s, old->loc, "This is the initial declaration.");
		return;
	}
	st->local = st->expr->local = declare(b, st->expr, st->name_loc, BT_L_LET);
	st->local->is_assigned = st->value != NULL;
}

static void bind_assign(struct binder *b, struct bt_stmt *st)
{
	struct bt_expr *place = st->expr;
	if (place->kind != BT_VAR) {
		bind_expr(b, place);
		bind_expr(b, st->value);
		return;
	}
	if (st->is_compound)
		use(b, place);
	bind_expr(b, st->value);
	place->local = strtab_get(&b->visible, place->text);
	if (!place->local && !st->is_compound)
		place->local = declare(b, place, st->loc, BT_L_ASSIGN);
	if (place->local)
		place->local->is_assigned = true;
}

static void bind_for(struct binder *b, struct bt_stmt *st)
{
	struct bt_local *old = strtab_get(&b->visible, st->expr->text);
	if (old && !b->silent)
		bt_err_now(b->s, st->expr->loc, "Loop declaration shadows existing variable: %s",
			   st->expr->text);
	if (old && !b->silent)
		bt_err_now(b->s, old->loc, "This is the initial %s.",
			   old->origin == BT_L_ASSIGN ? "assignment" : "declaration");
	bind_expr(b, st->value);
	if (st->value2)
		bind_expr(b, st->value2);
	size_t mark = b->stack.len;
	st->local = st->expr->local = old ? old : declare(b, st->expr, st->expr->loc, BT_L_LOOP);
	bind_block(b, st->body);
	leave(b, mark);
}

static void bind_stmt(struct binder *b, struct bt_stmt *st)
{
	switch (st->kind) {
	case BT_S_LET: bind_let(b, st); return;
	case BT_S_ASSIGN: bind_assign(b, st); return;
	case BT_S_FOR_MAP:
	case BT_S_FOR_RANGE: bind_for(b, st); return;
	default: break;
	}
	if (st->expr)
		bind_expr(b, st->expr);
	if (st->value)
		bind_expr(b, st->value);
	if (st->body)
		bind_block(b, st->body);
	if (st->other)
		bind_block(b, st->other);
}

static void bind_block(struct binder *b, struct bt_block *block)
{
	size_t mark = b->stack.len;
	for (struct bt_stmt *st = block->first; st; st = st->next)
		bind_stmt(b, st);
	if (block->value)
		bind_expr(b, block->value);
	leave(b, mark);
}

static void bind_probe(struct binder *b, struct bt_probe *p)
{
	if (p->predicate)
		bind_expr(b, p->predicate);
	bind_block(b, p->body);
	for (size_t i = 0; i < b->all.len && !b->silent; i++)
		if (!b->all.at[i]->is_assigned && b->all.at[i]->origin == BT_L_LET)
			bt_warn_now(b->s, b->all.at[i]->loc, "Variable %s was never assigned to.",
				    b->all.at[i]->name);
	strtab_free(&b->visible);
	strtab_free(&b->ended);
	vec_free(&b->stack);
	vec_free(&b->all);
}

void bt_bind_variables(struct bt_sema *s)
{
	for (struct bt_probe *p = s->script->probe; p; p = p->next) {
		struct binder first = {.s = s, .silent = true};
		bind_probe(&first, p);
		struct binder b = {.s = s, .wide = first.wide};
		bind_probe(&b, p);
		strtab_free(&b.wide);
	}
}
