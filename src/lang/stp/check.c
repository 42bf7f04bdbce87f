/*
 * check.c - rules that need names to be resolved: an array that a foreach runs over may not change in its body nor in what the body
 * calls; conditions of probe points only look at globals; scalars have no size.
 */
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

/* --- conditions, sizes ---------------------------------------------------------------------------------------- */

static void check_condition(struct stp_expr *e, void *arg)
{
	struct stp_comp *c = arg;
	if (e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST)
		stp_error(c, e->loc, "probe condition must not modify any variables");
	else if (e->kind == SE_SYM && e->local)
		stp_error(c, e->loc, "probe condition must not reference undeclared global");
	else if (e->kind == SE_CALL)
		stp_error(c, e->loc, "probe condition must not reference function");
}

static void check_conditions(struct stp_comp *c, struct stp_stmt *s)
{
	for (; s && s->is_condition; s = s->next)
		stp_walk_expr(s->expr, check_condition, c);
}

static void check_size(struct stp_comp *c, const struct stp_global *g)
{
	if (g->nkeys)
		return;
	if (g->wrap)
		stp_error(c, g->loc, "wrapping not supported for scalars");
	else if (g->max_entries)
		stp_error(c, g->loc, "inconsistent arity");
}

void stp_check(struct stp_comp *c)
{
	struct checker ck = {.c = c};
	for (size_t i = 0; i < c->probes.len; i++) {
		check_stmt(&ck, c->probes.at[i]->body);
		check_conditions(c, c->probes.at[i]->body);
	}
	for (size_t i = 0; i < c->reachable.len; i++)
		check_stmt(&ck, c->reachable.at[i]->body);
	for (size_t i = 0; i < c->used_globals.len; i++)
		check_size(c, c->used_globals.at[i]);
	vec_free(&ck.calls);
}
