/*
 * lock.c - which handlers must exclude each other, so that each sees and changes globals as if it ran alone.
 *
 * SystemTap locks every global that a handler touches.  Most handlers need no lock here: ++, += and <<< are atomic by themselves, and an
 * array by tid() belongs to one thread.  A handler that reads a global and writes the same one (x = x + 1; if (x > max) max = x; printf(x)
 * and x = 0) needs it, unless nobody else can come between.  Then the global is `contested`, and every handler that writes it, or reads
 * several such, locks as well.
 *
 * In the kernel the lock is held from the first statement that touches a contested global to the end of the handler; in user space, where
 * handlers may take long, around runs of statements without loops.  From what reads an array there to the `delete` of all of it nothing
 * may be counted that is then deleted unseen: either the array is taken out of the kernel first, or the lock is held all the time.
 */
#include "lang/stp/comp.h"

enum use { U_READ = 1, U_STORE = 2, U_ADD = 4 };
enum { ALL_KEYS = (1 << STP_MAXKEYS) - 1 };

struct uses {
	struct stp_global *g;
	unsigned use;
};
struct probe_uses {
	struct stp_dprobe *dp;
	VEC(struct uses) at;
};
struct looker {
	struct stp_comp *c;
	struct probe_uses *into;
	VEC(const struct stp_func *) calls;
};

/* --- what a handler does to which globals --------------------------------------------------------------- */

static void note(struct looker *k, struct stp_global *g, unsigned use)
{
	vec_each(u, &k->into->at)
		if (u->g == g) {
			u->use |= use;
			return;
		}
	vec_push(&k->into->at, ((struct uses){g, use}));
}

static bool is_tid(const struct stp_expr *e)
{
	if (e && e->kind == SE_SYM && e->local)
		return e->local->tid_writes && e->local->tid_writes == e->local->writes;
	return e && e->kind == SE_CALL && str_eq(e->text, "tid") && !e->nkid;
}

/* Which keys of this mention are the thread's number. */
static unsigned tid_keys(const struct stp_expr *e)
{
	unsigned mask = 0;
	for (unsigned i = 0; e->kind != SE_SYM && i < e->nkid && i < STP_MAXKEYS; i++)
		mask |= is_tid(e->kid[i]) ? 1u << i : 0;
	return mask;
}

static bool in_user(const struct looker *k)
{
	return k->into->dp && k->into->dp->in_user;
}

static void mention(struct looker *k, const struct stp_expr *e, unsigned use)
{
	if (!e->global)
		return;
	note(k, e->global, use);
	/* a timer in user space that looks through the array changes nothing about whose elements are whose */
	if (use != U_READ || !in_user(k))
		e->global->tid_keys &= tid_keys(e);
}

static void look_at_stmt(struct looker *k, struct stp_stmt *s);
static void look_at_expr(struct looker *k, struct stp_expr *e, bool value_used);

static void look_at_call(struct looker *k, struct stp_func *f)
{
	if (!f || f->native)
		return;
	for (size_t i = 0; i < k->calls.len; i++)
		if (k->calls.at[i] == f)
			return;
	vec_push(&k->calls, f);
	look_at_stmt(k, f->body);
	(void)vec_pop(&k->calls);
}

static void look_at_kids(struct looker *k, struct stp_expr *e)
{
	for (unsigned i = 0; i < e->nkid; i++)
		look_at_expr(k, e->kid[i], true);
	for (unsigned i = 0; i < e->ncomp; i++)
		look_at_expr(k, e->comp[i].index, true);
}

static void look_at_write(struct looker *k, struct stp_expr *e, bool value_used)
{
	struct stp_expr *lhs = e->kid[0];
	bool assigns = e->kind == SE_ASSIGN, stores = assigns && str_eq(e->op, "=");
	bool adds = !assigns || str_eq(e->op, "+=") || str_eq(e->op, "-=") || str_eq(e->op, "<<<");
	/* user space works on copies of elements, and writes them back */
	bool atomic = adds && !(lhs->global && lhs->global->nkeys && in_user(k));
	mention(k, lhs, stores ? U_STORE : atomic ? U_ADD : U_READ | U_STORE);
	if (lhs->kind == SE_INDEX || stp_is_target(lhs))
		look_at_kids(k, lhs);
	if (assigns)
		look_at_expr(k, e->kid[1], true);
}

static void look_at_expr(struct looker *k, struct stp_expr *e, bool value_used)
{
	if (!e)
		return;
	if (e->kind == SE_ASSIGN || e->kind == SE_PRE || e->kind == SE_POST) {
		look_at_write(k, e, value_used);
		return;
	}
	if (e->kind == SE_SYM || e->kind == SE_INDEX || e->kind == SE_IN)
		mention(k, e, U_READ);
	if (e->kind == SE_CALL)
		look_at_call(k, e->func);
	look_at_kids(k, e);
}

/* The statement itself and what is inside it, not those that follow. */
static void look_at_one(struct looker *k, struct stp_stmt *s)
{
	look_at_expr(k, s->init, false);
	if (s->kind == SS_DELETE) {
		mention(k, s->expr, U_STORE);
		if (s->expr->kind == SE_INDEX)
			look_at_kids(k, s->expr);
	} else {
		look_at_expr(k, s->expr, s->kind != SS_EXPR);
	}
	look_at_expr(k, s->step, false);
	look_at_expr(k, s->limit, true);
	for (unsigned i = 0; i < s->nslice; i++)
		look_at_expr(k, s->slice[i], true);
	for (unsigned i = 0; i < s->nkey; i++)
		mention(k, s->key[i], U_STORE);
	if (s->value)
		mention(k, s->value, U_STORE);
	if (s->catch_var)
		mention(k, s->catch_var, U_STORE);
	look_at_stmt(k, s->body);
	look_at_stmt(k, s->other);
}

static void look_at_stmt(struct looker *k, struct stp_stmt *s)
{
	for (; s; s = s->next)
		look_at_one(k, s);
}

/* --- which globals are contested --------------------------------------------------------------------------- */

/* Begin, end and error run when nothing else does. */
static bool runs_alone(const struct stp_dprobe *dp)
{
	enum probe_kind k = dp->spec.kind;
	return k == PK_BEGIN || k == PK_END || k == PK_ERROR || k == PK_NEVER;
}

/* One timer does not interrupt itself. */
static bool can_meet_itself(const struct stp_dprobe *dp)
{
	return !dp->in_user && dp->spec.kind != PK_TIMER;
}

static unsigned use_of(const struct probe_uses *p, const struct stp_global *g)
{
	vec_each(u, &p->at)
		if (u->g == g)
			return u->use;
	return 0;
}

static bool is_writer(unsigned use)
{
	return use & (U_STORE | U_ADD);
}

/* May another handler, or this one on another CPU, write g meanwhile? */
static bool others_write(const struct probe_uses *all, size_t n, size_t self, const struct stp_global *g)
{
	for (size_t i = 0; i < n; i++)
		if ((i != self || can_meet_itself(all[i].dp)) && is_writer(use_of(&all[i], g)))
			return true;
	return false;
}

static bool find_contested(const struct probe_uses *all, size_t n)
{
	bool any = false;
	for (size_t i = 0; i < n; i++)
		vec_each(u, &all[i].at)
			if ((u->use & U_READ) && is_writer(u->use) && !u->g->tid_keys && others_write(all, n, i, u->g))
				any = u->g->contested = true;
	return any;
}

static bool must_lock(const struct probe_uses *p)
{
	unsigned reads = 0;
	vec_each(u, &p->at) {
		if (u->g->contested && is_writer(u->use))
			return true;
		reads += u->g->contested && (u->use & U_READ);
	}
	return reads > 1;
}

/* --- where the lock is taken ---------------------------------------------------------------------------------- */

static bool touches(struct stp_comp *c, struct stp_stmt *s)
{
	struct probe_uses p = {0};
	struct looker k = {.c = c, .into = &p};
	look_at_one(&k, s);
	bool any = false;
	vec_each(u, &p.at)
		any |= u->g->contested;
	vec_free(&p.at);
	vec_free(&k.calls);
	return any;
}

static bool mentions(struct stp_comp *c, struct stp_stmt *s, const struct stp_global *g)
{
	struct probe_uses p = {0};
	struct looker k = {.c = c, .into = &p};
	look_at_one(&k, s);
	bool yes = use_of(&p, g) != 0;
	vec_free(&p.at);
	vec_free(&k.calls);
	return yes;
}

static bool expr_touches(struct stp_comp *c, struct stp_expr *e)
{
	return e && touches(c, &(struct stp_stmt){.kind = SS_EXPR, .expr = e});
}

/* Marks the first statement that touches; inside an `if` only when nothing after it touches. */
static void place_in_kernel(struct stp_comp *c, struct stp_stmt *s, bool more)
{
	while (s && !touches(c, s))
		s = s->next;
	if (!s)
		return;
	for (struct stp_stmt *n = s->next; n && !more; n = n->next)
		more = touches(c, n);
	if (s->kind == SS_BLOCK) {
		place_in_kernel(c, s->body, more);
	} else if (s->kind == SS_IF && !more && !expr_touches(c, s->expr)) {
		place_in_kernel(c, s->body, false);
		place_in_kernel(c, s->other, false);
	} else {
		s->lock = true;
	}
}

static bool is_simple(struct stp_stmt *s);

static void call_is_simple(struct stp_expr *e, void *arg)
{
	bool *simple = arg;
	if (e->kind == SE_CALL && e->func && !e->func->native) {
		if (e->func->visiting) {
			*simple = false;
			return;
		}
		e->func->visiting = true;
		for (struct stp_stmt *s = e->func->body; s; s = s->next)
			*simple &= is_simple(s);
		e->func->visiting = false;
	}
}

/* No loop in it, and it is not left by a jump to elsewhere in the handler. */
static bool is_simple(struct stp_stmt *s)
{
	bool simple = s->kind != SS_FOR && s->kind != SS_FOREACH && s->kind != SS_BREAK && s->kind != SS_CONTINUE && s->kind != SS_TRY;
	stp_walk_expr(s->expr, call_is_simple, &simple);
	for (struct stp_stmt *b = s->body; b && simple; b = b->next)
		simple &= is_simple(b);
	for (struct stp_stmt *b = s->other; b && simple; b = b->next)
		simple &= is_simple(b);
	return simple;
}

/* May what the statements from..to do come out wrong when another handler runs in between? */
static bool range_must_lock(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *from, struct stp_stmt *to)
{
	struct probe_uses p = {.dp = dp};
	struct looker k = {.c = c, .into = &p};
	for (struct stp_stmt *s = from; s; s = s == to ? NULL : s->next)
		look_at_one(&k, s);
	bool must = must_lock(&p);
	vec_free(&p.at);
	vec_free(&k.calls);
	return must;
}

/*
 * The last `delete` of a whole contested array that something before it in the list reads: what is deleted is what was read.  What looks
 * at the array after it still finds it empty.
 */
static struct stp_stmt *drains_to(struct stp_comp *c, struct stp_stmt *from)
{
	struct stp_stmt *last = NULL;
	const struct stp_global *g = NULL;
	for (struct stp_stmt *s = from->next; s; s = s->next) {
		if (s->kind == SS_DELETE && s->expr->kind == SE_SYM && s->expr->global && s->expr->global->contested &&
		    mentions(c, from, s->expr->global))
			g = s->expr->global;
		if (g && mentions(c, s, g))
			last = s;
	}
	return last;
}

/* Does s, or what is in it, jump to somewhere behind the list that it is in?  `in_loop`: break and continue stay inside. */
static bool leaves(const struct stp_stmt *s, bool in_loop)
{
	if (s->kind == SS_RETURN || s->kind == SS_NEXT || s->kind == SS_TRY)
		return true;
	if ((s->kind == SS_BREAK || s->kind == SS_CONTINUE) && !in_loop)
		return true;
	in_loop |= s->kind == SS_FOR || s->kind == SS_FOREACH;
	bool yes = false;
	for (const struct stp_stmt *b = s->body; b && !yes; b = b->next)
		yes = leaves(b, in_loop);
	for (const struct stp_stmt *b = s->other; b && !yes; b = b->next)
		yes = leaves(b, in_loop);
	return yes;
}

static bool deletes_array(const struct stp_stmt *s)
{
	return s->kind == SS_DELETE && s->expr->kind == SE_SYM && s->expr->global && s->expr->global->nkeys && s->expr->global->contested;
}

/* All that s does to contested globals is to read arrays of the list. */
static bool only_reads(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *s, struct stp_global *const array[STP_MAXTAKEN])
{
	struct probe_uses p = {.dp = dp};
	struct looker k = {.c = c, .into = &p};
	look_at_one(&k, s);
	bool ok = true;
	vec_each(u, &p.at) {
		bool found = false;
		for (unsigned i = 0; i < STP_MAXTAKEN; i++)
			found |= array[i] == u->g;
		ok &= !u->g->contested || (found && u->use == U_READ);
	}
	vec_free(&p.at);
	vec_free(&k.calls);
	return ok;
}

/* Whether from..to can work on arrays that are taken out of the kernel at its start: it deletes all that it touches, and nothing else. */
static bool takes(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *from, struct stp_stmt *to)
{
	struct stp_global *array[STP_MAXTAKEN] = {0};
	unsigned n = 0;
	for (struct stp_stmt *s = from; s; s = s == to ? NULL : s->next) {
		bool known = !deletes_array(s);
		for (unsigned i = 0; i < n; i++)
			known |= array[i] == s->expr->global;
		if (!known && n == STP_MAXTAKEN)
			return false;
		if (!known)
			array[n++] = s->expr->global;
	}
	for (struct stp_stmt *s = from; s; s = s == to ? NULL : s->next)
		if (leaves(s, false) || (!deletes_array(s) && !only_reads(c, dp, s, array)))
			return false;
	from->take = arena_memdup(c->a, array, sizeof(array));
	to->take_end = n > 0;
	return n > 0;
}

/* is_caught: inside `try`, where the handler goes on after an error. */
static void place_in_user(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *s, bool is_caught)
{
	struct stp_stmt *first = NULL, *last = NULL;
	for (;; s = s->next) {
		struct stp_stmt *drain = s ? drains_to(c, s) : NULL;
		bool ends = !s || drain || !is_simple(s);
		if (!ends && touches(c, s)) {
			first = first ? first : s;
			last = s;
		}
		if (ends && first) {
			first->lock = last->unlock = range_must_lock(c, dp, first, last);
			first = NULL;
		}
		if (!s)
			return;
		if (drain) {
			if (is_caught || !takes(c, dp, s, drain))
				s->lock = drain->unlock = true;
			s = drain;
		} else if (ends) {
			place_in_user(c, dp, s->body, is_caught || s->kind == SS_TRY);
			place_in_user(c, dp, s->other, is_caught);
		}
	}
}

static void count_tid_write(struct stp_expr *e, void *arg)
{
	if (e->kind == SE_ASSIGN && str_eq(e->op, "=") && e->kid[0]->local && is_tid(e->kid[1]))
		e->kid[0]->local->tid_writes++;
}

static void collect(struct stp_comp *c, struct stp_dprobe *dp, struct probe_uses *ret)
{
	struct looker k = {.c = c, .into = ret};
	ret->dp = dp;
	look_at_stmt(&k, dp->body);
	vec_free(&k.calls);
}

void stp_place_locks(struct stp_comp *c)
{
	struct probe_uses *all = arena_array(c->a, struct probe_uses, c->probes.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < c->used_globals.len; i++)
		c->used_globals.at[i]->tid_keys = ALL_KEYS;
	for (size_t i = 0; i < c->probes.len; i++)
		if (!runs_alone(c->probes.at[i])) {
			stp_walk_stmt(c->probes.at[i]->body, count_tid_write, NULL);
			collect(c, c->probes.at[i], &all[n++]);
		}
	bool any = find_contested(all, n);
	for (size_t i = 0; i < n; i++) {
		if (any && must_lock(&all[i]) && all[i].dp->in_user)
			place_in_user(c, all[i].dp, all[i].dp->body, false);
		else if (any && must_lock(&all[i]))
			place_in_kernel(c, all[i].dp->body, false);
		vec_free(&all[i].at);
	}
}
