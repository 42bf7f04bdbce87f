/* check.c - an array that a foreach runs over may not change in its body, nor in what the body calls. */
#include "lang/stp/comp.h"

struct iteration {
	const struct stp_global *array;
	const struct iteration *outer;
};
struct checker {
	struct stp_comp *c;
	const struct iteration *iterated;
	VEC(const struct stp_func *) calls; /* being looked at */
};

static void check_stmt(struct checker *ck, struct stp_stmt *s);

static void check_write(struct checker *ck, const struct stp_expr *e)
{
	for (const struct iteration *i = ck->iterated; e->global && i; i = i->outer)
		if (i->array == e->global) {
			stp_error(ck->c, e->loc, "variable '%s' modified during 'foreach' iteration", e->global->name);
			return;
		}
}

static void check_call(struct checker *ck, const struct stp_func *f)
{
	if (!ck->iterated || !f || f->native)
		return;
	for (size_t i = 0; i < ck->calls.len; i++)
		if (ck->calls.at[i] == f)
			return;
	vec_push(&ck->calls, f);
	check_stmt(ck, f->body);
	(void)vec_pop(&ck->calls);
}

static void check_expr(struct stp_expr *e, void *arg)
{
	if (e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST)
		check_write(arg, e->kid[0]);
	else if (e->kind == SE_CALL)
		check_call(arg, e->func);
}

static void check_stmt(struct checker *ck, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		struct iteration here = {.array = s->expr ? s->expr->global : NULL, .outer = ck->iterated};
		stp_walk_expr(s->init, check_expr, ck);
		stp_walk_expr(s->expr, check_expr, ck);
		stp_walk_expr(s->step, check_expr, ck);
		stp_walk_expr(s->limit, check_expr, ck);
		if (s->kind == SS_DELETE)
			check_write(ck, s->expr);
		if (s->kind == SS_FOREACH && s->expr->kind == SE_SYM)
			ck->iterated = &here;
		check_stmt(ck, s->body);
		ck->iterated = here.outer;
		check_stmt(ck, s->other);
	}
}

void stp_check_foreach(struct stp_comp *c)
{
	struct checker ck = {.c = c};
	for (size_t i = 0; i < c->probes.len; i++)
		check_stmt(&ck, c->probes.at[i]->body);
	for (size_t i = 0; i < c->reachable.len; i++)
		check_stmt(&ck, c->reachable.at[i]->body);
	vec_free(&ck.calls);
}
