/*
 * caps.c - how long strings can get.
 *
 * SystemTap's strings are 512 bytes, or what MAXSTRINGLEN says.  A variable that only ever holds execname() needs 16, and a map whose keys
 * are 16 bytes is several times faster than one of 512.  The sizes are a fixpoint over all assignments; what
 * still grows after some rounds (s = s . "x") gets the full size.
 */
#include "lang/stp/native.h"

enum { PATIENCE = 6 };

struct sizer {
	struct stp_comp *c;
	struct stp_func *func;
	unsigned round;
};

static uint32_t clip(const struct sizer *z, uint32_t n)
{
	return ALIGN_UP(MIN(MAX(n, 8u), z->c->max_string), 8u);
}

static void grow(struct sizer *z, struct stp_cell *cell, uint32_t n)
{
	n = clip(z, n);
	if (cell->type != ST_STRING || n <= cell->cap)
		return;
	cell->cap = z->round > PATIENCE ? clip(z, STP_MAXSTRING) : n;
	z->c->changed = true;
}

static struct stp_cell *cell_of(struct stp_expr *e)
{
	return e->local ? &e->local->cell : e->global ? &e->global->cell : NULL;
}

static uint32_t native_cap(const struct stp_expr *e)
{
	const struct stp_native *n = e->func->native;
	if (n->cap != 1)
		return n->cap ? n->cap : STP_MAXSTRING;
	for (unsigned i = 0; i < e->nkid; i++)
		if (e->kid[i]->type == ST_STRING)
			return e->kid[i]->cap;
	return STP_MAXSTRING;
}

static uint32_t call_cap(struct sizer *z, struct stp_expr *e)
{
	struct stp_func *f = e->func;
	if (f->native)
		return f->ret.type == ST_STRING ? native_cap(e) : 0;
	struct stp_local *p = f->param;
	for (unsigned i = 0; i < e->nkid && p; i++, p = p->next)
		grow(z, &p->cell, e->kid[i]->cap);
	return f->ret.cap;
}

static void size_keys(struct sizer *z, struct stp_expr *e)
{
	for (unsigned i = 0; i < e->nkid && i < STP_MAXKEYS; i++)
		if (e->kid[i])
			grow(z, &e->global->key[i], e->kid[i]->cap);
}

static uint32_t assign_cap(struct sizer *z, struct stp_expr *e)
{
	struct stp_cell *cell = cell_of(e->kid[0]);
	if (!cell) /* a number of the traced program */
		return 0;
	uint32_t before = str_eq(e->op, ".=") ? cell->cap : 0;
	grow(z, cell, before + e->kid[1]->cap);
	return cell->cap;
}

static uint32_t cap_of(struct sizer *z, struct stp_expr *e)
{
	switch (e->kind) {
	case SE_STR: return e->len + 1;
	case SE_INDEX: size_keys(z, e); return cell_of(e)->cap;
	case SE_SYM: return cell_of(e) ? cell_of(e)->cap : 0;
	case SE_IN: size_keys(z, e); return 0;
	case SE_CALL: return call_cap(z, e);
	case SE_CONCAT: return MIN(e->kid[0]->cap + e->kid[1]->cap, (uint32_t)STP_MAXSTRING);
	case SE_TERNARY: return MAX(e->kid[1]->cap, e->kid[2]->cap);
	case SE_ASSIGN: return assign_cap(z, e);
	case SE_ENUMNAME: return e->len;
	default: return STP_MAXSTRING; /* sprint, members of structs */
	}
}

static void size_expr(struct stp_expr *e, void *arg)
{
	struct sizer *z = arg;
	uint32_t n = cap_of(z, e);
	if (e->type == ST_STRING && n && clip(z, n) > e->cap) {
		e->cap = clip(z, n);
		z->c->changed = true;
	}
}

static void size_foreach(struct sizer *z, struct stp_stmt *s)
{
	struct stp_global *g = s->expr->global;
	for (unsigned i = 0; i < s->nkey && i < STP_MAXKEYS; i++) {
		grow(z, cell_of(s->key[i]), g->key[i].cap);
		if (i < s->nslice && s->slice[i])
			grow(z, &g->key[i], s->slice[i]->cap);
	}
	if (s->value)
		grow(z, cell_of(s->value), g->cell.cap);
}

static void size_stmt(struct sizer *z, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		if (s->kind == SS_FOREACH && s->expr->kind == SE_SYM)
			size_foreach(z, s);
		if (s->kind == SS_TRY && s->catch_var)
			grow(z, cell_of(s->catch_var), STP_MAXSTRING);
		if (s->kind == SS_RETURN && s->expr)
			grow(z, &z->func->ret, s->expr->cap);
		size_stmt(z, s->body);
		size_stmt(z, s->other);
	}
}

static void size_round(struct sizer *z)
{
	struct stp_comp *c = z->c;
	for (size_t i = 0; i < c->probes.len; i++) {
		stp_walk_stmt(c->probes.at[i]->body, size_expr, z);
		size_stmt(z, c->probes.at[i]->body);
	}
	for (size_t i = 0; i < c->reachable.len; i++) {
		z->func = c->reachable.at[i];
		stp_walk_stmt(z->func->body, size_expr, z);
		size_stmt(z, z->func->body);
	}
}

/* What never got a value still needs its NUL. */
static void floor_scope(struct sizer *z, struct stp_scope *s)
{
	for (struct stp_local *l = s->local; l; l = l->next)
		grow(z, &l->cell, 8);
}

static void set_floors(struct sizer *z)
{
	struct stp_comp *c = z->c;
	for (size_t i = 0; i < c->used_globals.len; i++) {
		struct stp_global *g = c->used_globals.at[i];
		grow(z, &g->cell, g->init && g->init->kind == SE_STR ? g->init->len + 1 : 8);
		for (int k = 0; k < g->nkeys; k++)
			grow(z, &g->key[k], 8);
	}
	for (size_t i = 0; i < c->probes.len; i++)
		floor_scope(z, &c->probes.at[i]->scope);
	for (size_t i = 0; i < c->reachable.len; i++) {
		floor_scope(z, &c->reachable.at[i]->scope);
		grow(z, &c->reachable.at[i]->ret, 8);
	}
}

void stp_infer_caps(struct stp_comp *c)
{
	struct sizer z = {.c = c};
	set_floors(&z);
	do {
		c->changed = false;
		z.round++;
		size_round(&z);
	} while (c->changed);
}
