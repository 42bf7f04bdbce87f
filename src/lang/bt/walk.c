/* walk.c - visiting every node of a tree. */
#include "lang/bt/ast.h"

void bt_walk_type(struct bt_walk *w, struct bt_type_name *t)
{
	if (t)
		bt_walk_expr(w, t->typeof_expr);
}

void bt_walk_expr(struct bt_walk *w, struct bt_expr *e)
{
	if (!e || (w->expr && !w->expr(w, e)))
		return;
	for (unsigned i = 0; i < e->nkid; i++)
		bt_walk_expr(w, e->kid[i]);
	bt_walk_type(w, e->type_name);
	bt_walk_block(w, e->then_block);
	bt_walk_block(w, e->else_block);
	if (w->expr_after)
		w->expr_after(w, e);
}

static void walk_stmt(struct bt_walk *w, struct bt_stmt *st)
{
	if (w->stmt && !w->stmt(w, st))
		return;
	bt_walk_expr(w, st->expr);
	bt_walk_expr(w, st->value);
	bt_walk_expr(w, st->value2);
	bt_walk_type(w, st->type_name);
	bt_walk_block(w, st->body);
	bt_walk_block(w, st->other);
}

void bt_walk_block(struct bt_walk *w, struct bt_block *b)
{
	if (!b)
		return;
	for (struct bt_stmt *st = b->first; st; st = st->next)
		walk_stmt(w, st);
	bt_walk_expr(w, b->value);
}
