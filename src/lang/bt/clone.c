/* clone.c - deep copies of trees, for macros and for probes whose points differ. */
#include "lang/bt/ast.h"

static struct loc move(const struct bt_copy *c, struct loc loc)
{
	if (c->from && loc.src == c->from)
		loc.src = c->as;
	return loc;
}

static struct bt_type_name *clone_type(const struct bt_copy *c, const struct bt_type_name *t)
{
	if (!t)
		return NULL;
	struct bt_type_name *n = arena_memdup(c->a, t, sizeof(*t));
	n->loc = move(c, t->loc);
	n->typeof_expr = bt_clone_expr(c, t->typeof_expr);
	return n;
}

struct bt_expr *bt_clone_expr(const struct bt_copy *c, const struct bt_expr *e)
{
	if (!e)
		return NULL;
	struct bt_expr *n = arena_memdup(c->a, e, sizeof(*e));
	n->loc = move(c, e->loc);
	n->name_loc = move(c, e->name_loc);
	n->kid = e->nkid ? arena_array(c->a, struct bt_expr *, e->nkid) : NULL;
	for (unsigned i = 0; i < e->nkid; i++)
		n->kid[i] = bt_clone_expr(c, e->kid[i]);
	n->type_name = clone_type(c, e->type_name);
	n->then_block = bt_clone_block(c, e->then_block);
	n->else_block = bt_clone_block(c, e->else_block);
	return n;
}

static struct bt_stmt *clone_stmt(const struct bt_copy *c, const struct bt_stmt *st)
{
	struct bt_stmt *n = arena_memdup(c->a, st, sizeof(*st));
	n->loc = move(c, st->loc);
	n->name_loc = move(c, st->name_loc);
	n->expr = bt_clone_expr(c, st->expr);
	n->value = bt_clone_expr(c, st->value);
	n->value2 = bt_clone_expr(c, st->value2);
	n->type_name = clone_type(c, st->type_name);
	n->body = bt_clone_block(c, st->body);
	n->other = bt_clone_block(c, st->other);
	n->next = NULL;
	return n;
}

struct bt_block *bt_clone_block(const struct bt_copy *c, const struct bt_block *b)
{
	if (!b)
		return NULL;
	struct bt_block *n = arena_memdup(c->a, b, sizeof(*b));
	struct bt_stmt **at = &n->first;
	n->loc = move(c, b->loc);
	n->first = NULL;
	for (const struct bt_stmt *st = b->first; st; st = st->next) {
		*at = clone_stmt(c, st);
		at = &(*at)->next;
	}
	n->value = bt_clone_expr(c, b->value);
	return n;
}

void bt_replace(struct bt_expr *e, const struct bt_expr *with)
{
	bool parenthesized = e->parenthesized, discarded = e->discarded;
	*e = *with;
	e->parenthesized = parenthesized;
	e->discarded = discarded;
}
