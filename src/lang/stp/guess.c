/*
 * guess.c - types of variables that only code which cannot run would set.
 *
 * `if (0) s = "x"` is dropped before types are found, as branches for other kernels must be; the s that is left is still a string.  The
 * shape of what is assigned there says so.
 */
#include "lang/stp/comp.h"

static enum stp_type shape(const struct stp_expr *e)
{
	bool text = e->kind == SE_STR || e->kind == SE_CONCAT || (e->kind == SE_PRINT && e->to_string);
	if (e->kind == SE_TERNARY)
		return shape(e->kid[1]);
	return text ? ST_STRING : ST_LONG;
}

static void settle(struct stp_cell *cell, enum stp_type type, struct loc loc)
{
	if (cell->type != ST_UNKNOWN)
		return;
	cell->type = type;
	cell->first = loc;
}

static void settle_scope(const struct stp_scope *s, const struct stp_expr *lhs, enum stp_type type)
{
	for (struct stp_local *l = s->local; l; l = l->next)
		if (str_eq(l->name, lhs->text))
			settle(&l->cell, type, lhs->loc);
}

static void guess(struct stp_expr *e, void *arg)
{
	struct stp_comp *c = arg;
	const struct stp_expr *lhs = e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST ? e->kid[0] : NULL;
	if (!lhs || (lhs->kind != SE_SYM && lhs->kind != SE_INDEX))
		return;
	bool sets = e->kind == SE_ASSIGN && str_eq(e->op, "=");
	enum stp_type type = sets ? shape(e->kid[1]) : str_eq(e->op, "<<<") ? ST_STATS : str_eq(e->op, ".=") ? ST_STRING : ST_LONG;
	struct stp_global *g = strtab_get(&c->globals, lhs->text);
	if (!g) {
		for (size_t i = 0; i < c->probes.len; i++)
			settle_scope(&c->probes.at[i]->scope, lhs, type);
		for (size_t i = 0; i < c->reachable.len; i++)
			settle_scope(&c->reachable.at[i]->scope, lhs, type);
		return;
	}
	settle(&g->cell, type, lhs->loc);
	for (unsigned i = 0; i < lhs->nkid && i < STP_MAXKEYS && (int)i < g->nkeys; i++)
		if (lhs->kid[i])
			settle(&g->key[i], shape(lhs->kid[i]), lhs->loc);
}

void stp_guess_types(struct stp_comp *c)
{
	vec_each(s, &c->dropped)
		stp_walk_stmt(*s, guess, c);
	for (struct stp_file *file = c->user; file; file = file->next)
		for (struct stp_func *f = file->func; f; f = f->next)
			if (!f->reachable)
				stp_walk_stmt(f->body, guess, c);
}
