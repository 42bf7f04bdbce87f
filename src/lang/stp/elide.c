/*
 * elide.c - removes what nobody reads: assignments to unread locals, expressions without effect, empty
 * handlers.  The prologues of aliases set many variables that a handler never looks at; this is what makes them free.
 */
#include "lang/stp/comp.h"

struct pruner {
	struct stp_comp *c;
	bool changed;
};

/* --- purity --------------------------------------------------------------------------------------------------- */

struct purity {
	struct stp_comp *c;
	bool effect;
};

static bool has_effect(struct stp_comp *c, struct stp_expr *e);

static void look_for_effect(struct stp_expr *e, void *arg)
{
	struct purity *p = arg;
	switch (e->kind) {
	case SE_ASSIGN:
	case SE_PRE:
	case SE_POST: p->effect = true; break;
	case SE_PRINT: p->effect |= !e->to_string; break;
	case SE_CALL: p->effect |= !e->func || !stp_func_pure(p->c, e->func); break;
	default: break;
	}
}

static bool has_effect(struct stp_comp *c, struct stp_expr *e)
{
	struct purity p = {.c = c};
	stp_walk_expr(e, look_for_effect, &p);
	return p.effect;
}

/* Inside a function, assignments to its own locals are no effect. */
static void look_for_outer_effect(struct stp_expr *e, void *arg)
{
	bool assigns = e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST;
	if (assigns && e->kid[0]->kind == SE_SYM && e->kid[0]->local)
		return;
	look_for_effect(e, arg);
}

static bool has_statement(const struct stp_stmt *s, bool (*is)(const struct stp_stmt *s))
{
	for (; s; s = s->next)
		if (is(s) || has_statement(s->body, is) || has_statement(s->other, is))
			return true;
	return false;
}

static bool is_delete_or_next(const struct stp_stmt *s)
{
	return s->kind == SS_DELETE || s->kind == SS_NEXT;
}

bool stp_func_pure(struct stp_comp *c, struct stp_func *f)
{
	if (f->purity_known)
		return f->is_pure;
	if (f->visiting)
		return true; /* recursion: decided by the rest */
	f->visiting = true;
	struct purity p = {.c = c};
	stp_walk_stmt(f->body, look_for_outer_effect, &p);
	f->is_pure = !p.effect && !has_statement(f->body, is_delete_or_next);
	f->visiting = false;
	f->purity_known = true;
	return f->is_pure;
}

/* --- counting -------------------------------------------------------------------------------------------------- */

static void note(struct stp_expr *e, bool read, bool write)
{
	if (e->local) {
		e->local->reads += read;
		e->local->writes += write;
	}
	if (e->global) {
		e->global->is_read |= read;
		e->global->is_written |= write;
	}
}

/* Every mention is a read, unless an assignment says otherwise just after. */
static void count_expr(struct stp_expr *e, bool value_used);

static void count_kids(struct stp_expr *e)
{
	for (unsigned i = 0; i < e->nkid; i++)
		if (e->kid[i])
			count_expr(e->kid[i], true);
	for (unsigned i = 0; i < e->ncomp; i++)
		if (e->comp[i].index)
			count_expr(e->comp[i].index, true);
}

static void count_expr(struct stp_expr *e, bool value_used)
{
	bool assigns = e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST;
	if (!assigns) {
		if (e->kind == SE_SYM || e->kind == SE_INDEX || e->kind == SE_IN)
			note(e, true, false);
		count_kids(e);
		return;
	}
	struct stp_expr *lhs = e->kid[0];
	bool plain = e->kind == SE_ASSIGN && (str_eq(e->op, "=") || str_eq(e->op, "<<<"));
	/* x += 1 for its own sake tells nobody the value of a global, but keeps a local */
	note(lhs, value_used || (lhs->local && !plain), true);
	if (lhs->kind == SE_INDEX || stp_is_target(lhs))
		count_kids(lhs);
	if (e->nkid > 1)
		count_expr(e->kid[1], true);
}

static void count_stmt(struct stp_stmt *s)
{
	for (; s; s = s->next) {
		if (s->kind == SS_FOREACH) {
			note(s->expr, true, false);
			if (s->expr->kind == SE_HIST)
				count_kids(s->expr);
			else
				s->expr->global->is_iterated = true;
			for (unsigned i = 0; i < s->nkey; i++)
				note(s->key[i], false, true);
			if (s->value)
				note(s->value, false, true);
			for (unsigned i = 0; i < s->nslice; i++)
				if (s->slice[i])
					count_expr(s->slice[i], true);
			if (s->limit)
				count_expr(s->limit, true);
		} else if (s->kind == SS_DELETE) {
			note(s->expr, false, true);
			if (s->expr->kind == SE_INDEX)
				count_kids(s->expr);
		} else {
			if (s->init)
				count_expr(s->init, false);
			if (s->expr)
				count_expr(s->expr, s->kind != SS_EXPR);
			if (s->step)
				count_expr(s->step, false);
			if (s->catch_var)
				note(s->catch_var, false, true);
		}
		count_stmt(s->body);
		count_stmt(s->other);
	}
}

static void clear_counts(struct stp_comp *c)
{
	for (size_t i = 0; i < c->used_globals.len; i++) {
		struct stp_global *g = c->used_globals.at[i];
		g->is_read = g->hidden;
		g->is_written = g->hidden || g->init;
		g->is_iterated = false;
	}
	for (size_t i = 0; i < c->probes.len; i++)
		for (struct stp_local *l = c->probes.at[i]->scope.local; l; l = l->next)
			l->reads = l->writes = 0;
	for (size_t i = 0; i < c->reachable.len; i++)
		for (struct stp_local *l = c->reachable.at[i]->scope.local; l; l = l->next)
			l->reads = l->writes = 0;
}

static void count_all(struct stp_comp *c)
{
	clear_counts(c);
	for (size_t i = 0; i < c->probes.len; i++)
		count_stmt(c->probes.at[i]->body);
	for (size_t i = 0; i < c->reachable.len; i++)
		if (c->reachable.at[i]->reachable)
			count_stmt(c->reachable.at[i]->body);
}

/* --- pruning ---------------------------------------------------------------------------------------------------- */

/* x = e (and x <<< e) with x never read becomes e. */
static void drop_assignments(struct stp_expr *e, void *arg)
{
	struct pruner *p = arg;
	if (e->kind != SE_ASSIGN || (!str_eq(e->op, "=") && !str_eq(e->op, "<<<")))
		return;
	struct stp_local *l = e->kid[0]->local;
	if (!l || l->reads)
		return;
	stp_warn(p->c, e->loc, "Eliding assignment to '%s'", l->name);
	l->writes--;
	*e = *e->kid[1];
	p->changed = true;
}

static bool is_empty(const struct stp_stmt *s)
{
	for (; s; s = s->next)
		if (s->kind != SS_NULL && !(s->kind == SS_BLOCK && is_empty(s->body)))
			return false;
	return true;
}

static void make_null(struct pruner *p, struct stp_stmt *s)
{
	s->kind = SS_NULL;
	s->body = s->other = NULL;
	s->expr = NULL;
	p->changed = true;
}

static void prune_stmt(struct pruner *p, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		prune_stmt(p, s->body);
		prune_stmt(p, s->other);
		switch (s->kind) {
		case SS_EXPR:
			if (!has_effect(p->c, s->expr)) {
				stp_warn(p->c, s->expr->loc, "Eliding side-effect-free expression ");
				make_null(p, s);
			}
			break;
		case SS_IF:
			if (!is_empty(s->body) || !is_empty(s->other))
				break;
			if (has_effect(p->c, s->expr)) {
				s->kind = SS_EXPR;
				s->body = s->other = NULL;
				p->changed = true;
			} else {
				make_null(p, s);
			}
			break;
		case SS_BLOCK:
			if (s->body && is_empty(s->body))
				make_null(p, s);
			break;
		case SS_RETURN:
		case SS_BREAK:
		case SS_CONTINUE:
		case SS_NEXT:
			if (!s->next)
				break;
			stp_warn(p->c, s->next->expr ? s->next->expr->loc : s->next->loc, "statement will never be reached");
			s->next = NULL;
			p->changed = true;
			break;
		case SS_TRY:
			if (is_empty(s->body))
				make_null(p, s);
			break;
		default: break;
		}
	}
}

/* Drops empty handlers; SystemTap says so about the user's own. */
static void drop_probes(struct stp_comp *c)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->probes.len; i++) {
		struct stp_dprobe *dp = c->probes.at[i];
		if (!is_empty(dp->body)) {
			c->probes.at[kept++] = dp;
			continue;
		}
		stp_warn(c, dp->probe_loc, "Probe '%s' has been elided", dp->name);
	}
	c->probes.len = kept;
}

struct marking {
	struct stp_comp *c;
	bool grew;
};

static void mark_call(struct stp_expr *e, void *arg)
{
	struct marking *m = arg;
	if (e->global)
		e->global->reachable = true;
	if (e->kind == SE_CALL && e->func && !e->func->reachable) {
		e->func->reachable = m->grew = true;
		if (!e->func->native)
			stp_walk_stmt(e->func->body, mark_call, arg);
	}
}

/* After pruning, some functions and globals are not mentioned any more. */
static void drop_unreached(struct stp_comp *c)
{
	for (size_t i = 0; i < c->reachable.len; i++)
		c->reachable.at[i]->reachable = false;
	for (size_t i = 0; i < c->used_globals.len; i++)
		c->used_globals.at[i]->reachable = false;
	struct marking m = {.c = c};
	for (size_t i = 0; i < c->probes.len; i++)
		stp_walk_stmt(c->probes.at[i]->body, mark_call, &m);
	size_t kept = 0;
	for (size_t i = 0; i < c->reachable.len; i++)
		if (c->reachable.at[i]->reachable)
			c->reachable.at[kept++] = c->reachable.at[i];
	c->reachable.len = kept;
	kept = 0;
	for (size_t i = 0; i < c->used_globals.len; i++)
		if (c->used_globals.at[i]->reachable)
			c->used_globals.at[kept++] = c->used_globals.at[i];
	c->used_globals.len = kept;
}

/* --- warnings ----------------------------------------------------------------------------------------------------- */

static void warn_scope(struct stp_comp *c, const struct stp_scope *s)
{
	for (struct stp_local *l = s->local; l; l = l->next) {
		if (l->is_param || l->writes || !l->reads)
			continue;
		struct str_list names = {0};
		for (struct stp_global *g = c->user->global; g; g = g->next)
			vec_push(&names.list, g->name);
		for (struct stp_local *other = s->local; other; other = other->next)
			if (other != l && *other->name)
				vec_push(&names.list, other->name);
		const char *near = stp_similar(c, l->name, names.list.at, names.list.len);
		stp_warn(c, l->loc, *near ? "never-assigned local variable '%s' (similar: %s)" : "never-assigned local variable '%s'%s", l->name, near);
		vec_free(&names.list);
	}
}

static void warn_variables(struct stp_comp *c)
{
	for (size_t i = 0; i < c->probes.len; i++)
		warn_scope(c, &c->probes.at[i]->scope);
	for (size_t i = 0; i < c->reachable.len; i++)
		warn_scope(c, &c->reachable.at[i]->scope);
	for (struct stp_file *f = c->user; f; f = f->next)
		for (struct stp_global *g = f->global; g; g = g->next) {
			if (!g->reachable)
				stp_warn(c, g->loc, "Eliding unused variable '%s'", g->name);
			else if (g->is_read && !g->is_written)
				stp_warn(c, g->loc, "never-assigned global variable '%s'", g->name);
		}
}

void stp_elide(struct stp_comp *c)
{
	struct pruner p = {.c = c};
	for (size_t i = 0; i < c->probes.len; i++)
		stp_fold(c, c->probes.at[i]->body);
	for (size_t i = 0; i < c->reachable.len; i++)
		stp_fold(c, c->reachable.at[i]->body);
	count_all(c);
	if (c->in->unoptimized)
		return;
	warn_variables(c);
	do {
		p.changed = false;
		for (size_t i = 0; i < c->probes.len; i++) {
			stp_walk_stmt(c->probes.at[i]->body, drop_assignments, &p);
			prune_stmt(&p, c->probes.at[i]->body);
		}
		for (size_t i = 0; i < c->reachable.len; i++) {
			stp_walk_stmt(c->reachable.at[i]->body, drop_assignments, &p);
			prune_stmt(&p, c->reachable.at[i]->body);
		}
		count_all(c);
	} while (p.changed);
	drop_probes(c);
	drop_unreached(c);
	count_all(c);
}
