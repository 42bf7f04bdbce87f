/* clone.c - copies of trees, and walks over them. */
#include "lang/stp/ast.h"

static struct stp_expr **clone_list(struct arena *a, struct stp_expr *const *kid, unsigned n)
{
	unsigned room = 1; /* what stp_add_kid counts on */
	while (room < n)
		room *= 2;
	struct stp_expr **out = arena_array(a, struct stp_expr *, room);
	for (unsigned i = 0; i < n; i++)
		out[i] = kid[i] ? stp_clone_expr(a, kid[i]) : NULL;
	return out;
}

struct stp_expr *stp_clone_expr(struct arena *a, const struct stp_expr *e)
{
	if (!e)
		return NULL;
	struct stp_expr *n = arena_memdup(a, e, sizeof(*e));
	n->kid = clone_list(a, e->kid, e->nkid);
	if (e->ncomp) {
		n->comp = arena_memdup(a, e->comp, e->ncomp * sizeof(*e->comp));
		for (unsigned i = 0; i < e->ncomp; i++)
			n->comp[i].index = stp_clone_expr(a, e->comp[i].index);
	}
	return n;
}

struct stp_stmt *stp_clone_stmt(struct arena *a, const struct stp_stmt *s)
{
	struct stp_stmt *first = NULL, **tail = &first;
	for (; s; s = s->next) {
		struct stp_stmt *n = arena_memdup(a, s, sizeof(*s));
		n->expr = stp_clone_expr(a, s->expr);
		n->init = stp_clone_expr(a, s->init);
		n->step = stp_clone_expr(a, s->step);
		n->value = stp_clone_expr(a, s->value);
		n->limit = stp_clone_expr(a, s->limit);
		n->catch_var = stp_clone_expr(a, s->catch_var);
		n->key = clone_list(a, s->key, s->nkey);
		n->slice = clone_list(a, s->slice, s->nslice);
		n->body = stp_clone_stmt(a, s->body);
		n->other = stp_clone_stmt(a, s->other);
		*tail = n;
		tail = &n->next;
	}
	*tail = NULL;
	return first;
}

void stp_walk_expr(struct stp_expr *e, void (*fn)(struct stp_expr *e, void *arg), void *arg)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->nkid; i++)
		stp_walk_expr(e->kid[i], fn, arg);
	for (unsigned i = 0; i < e->ncomp; i++)
		stp_walk_expr(e->comp[i].index, fn, arg);
	fn(e, arg);
}

void stp_walk_stmt(struct stp_stmt *s, void (*fn)(struct stp_expr *e, void *arg), void *arg)
{
	for (; s; s = s->next) {
		stp_walk_expr(s->init, fn, arg);
		stp_walk_expr(s->expr, fn, arg);
		stp_walk_expr(s->step, fn, arg);
		stp_walk_expr(s->value, fn, arg);
		for (unsigned i = 0; i < s->nkey; i++)
			stp_walk_expr(s->key[i], fn, arg);
		for (unsigned i = 0; i < s->nslice; i++)
			stp_walk_expr(s->slice[i], fn, arg);
		stp_walk_expr(s->limit, fn, arg);
		stp_walk_expr(s->catch_var, fn, arg);
		stp_walk_stmt(s->body, fn, arg);
		stp_walk_stmt(s->other, fn, arg);
	}
}
