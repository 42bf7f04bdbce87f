/*
 * place.c - where a handler runs: in the kernel as BPF, or in this process in the interpreter.
 *
 * The rule: begin, end and error run in user space, because they may loop, sort and call without bound.  A
 * timer runs in the kernel unless its handler loops, is long or does what the kernel cannot.  timer.profile sees what each processor runs, which only
 * the kernel can; a handler that does what the kernel cannot and asks for nothing of that runs as a timer.  Everything else runs in
 * the kernel; what it needs and the kernel cannot do is an error at that place.
 */
#include "lang/stp/native.h"

/* Statements of a handler above which its stack may be more than BPF allows. */
enum { LONG_HANDLER = 60 };

struct needs {
	struct stp_comp *c;
	struct loc loc; /* of the first thing that the kernel cannot do */
	const char *what;
	bool tokens, captures;
	bool context; /* asks what the probe interrupts */
	bool prefers_user; /* the kernel can, but user space does it better: loops over arrays in order, much code */
	unsigned statements; /* with those of the functions that are called, as often as they are */
	VEC(struct stp_func *) stack;
};

static void need(struct needs *n, struct loc loc, const char *what)
{
	if (!n->what) {
		n->loc = loc;
		n->what = what;
	}
}

static void look_at_stmt(struct needs *n, struct stp_stmt *s);

static void look_at_expr(struct stp_expr *e, void *arg)
{
	struct needs *n = arg;
	if (e->kind == SE_PRINT && e->to_string && e->nkid == 1 && e->kid[0]->kind == SE_HIST)
		need(n, e->loc, "a histogram as a string");
	n->context |= e->kind == SE_TARGET || e->kind == SE_ATVAR;
	if (e->kind != SE_CALL || !e->func)
		return;
	struct stp_func *f = e->func;
	if (f->native) {
		n->context |= (f->native->flags & NF_CONTEXT) != 0;
		n->tokens |= str_eq(f->name, "tokenize");
		n->captures |= str_eq(f->name, "matched") || str_eq(f->name, "matched_str") || str_eq(f->name, "ngroups");
		if (f->native->flags & NF_USER_ONLY)
			need(n, e->loc, arena_printf(n->c->a, "function '%s'", f->name));
		return;
	}
	for (size_t i = 0; i < n->stack.len; i++)
		if (n->stack.at[i] == f) {
			/* in the kernel the calls are unrolled, as deep as they may go */
			f->recursive = n->prefers_user = true;
			return;
		}
	vec_push(&n->stack, f);
	look_at_stmt(n, f->body);
	(void)vec_pop(&n->stack);
}

static void look_at_stmt(struct needs *n, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		n->prefers_user |= ++n->statements > LONG_HANDLER;
		if (s->kind == SS_FOREACH && s->sort)
			need(n, s->loc, "a sorted foreach");
		n->prefers_user |= s->kind == SS_FOREACH || s->kind == SS_FOR || (s->kind == SS_DELETE && s->expr->kind == SE_SYM);
		stp_walk_expr(s->init, look_at_expr, n);
		stp_walk_expr(s->expr, look_at_expr, n);
		stp_walk_expr(s->step, look_at_expr, n);
		stp_walk_expr(s->limit, look_at_expr, n);
		for (unsigned i = 0; i < s->nslice; i++)
			stp_walk_expr(s->slice[i], look_at_expr, n);
		look_at_stmt(n, s->body);
		look_at_stmt(n, s->other);
	}
}

static bool always_in_user(enum probe_kind k)
{
	return k == PK_BEGIN || k == PK_END || k == PK_ERROR || k == PK_NEVER || k == PK_FILE_READ || k == PK_FILE_WRITE || k == PK_INPUT;
}

/* A timer of the same period: once a tick, where a profile has one for each processor. */
static void make_timer(struct stp_comp *c, struct stp_dprobe *dp, const struct needs *n)
{
	struct attach_point *p = dp->points.list.at[0];
	stp_warn(c, n->loc, "%s runs in user space: this handler runs once a tick, not on each processor", n->what);
	dp->spec.kind = p->kind = PK_TIMER;
	p->period = p->freq ? 1000000000 / p->freq : p->period;
	p->freq = 0;
	dp->in_user = true;
}

static void place(struct stp_comp *c, struct stp_dprobe *dp)
{
	struct needs n = {.c = c};
	look_at_stmt(&n, dp->body);
	vec_free(&n.stack);
	dp->uses_tokens = n.tokens;
	dp->uses_captures = n.captures;
	if (always_in_user(dp->spec.kind)) {
		dp->in_user = true;
	} else if (dp->spec.kind == PK_TIMER) {
		dp->in_user = n.what || n.prefers_user || dp->spec.jitter;
		if (!dp->in_user) /* a perf clock event on one CPU */
			dp->points.list.at[0]->kind = PK_INTERVAL;
	} else if (n.what && dp->spec.kind == PK_PROFILE && !n.context) {
		make_timer(c, dp, &n);
	} else if (n.what && dp->spec.kind == PK_PROFILE) {
		stp_error(c, n.loc, "%s cannot run in the kernel, where this handler sees what each processor runs; move it to a timer.ms probe", n.what);
	} else if (n.what) {
		stp_error(c, n.loc, "%s cannot run in the kernel; move it to a timer, begin or end probe", n.what);
	}
}

void stp_place(struct stp_comp *c)
{
	for (size_t i = 0; i < c->probes.len; i++)
		place(c, c->probes.at[i]);
}
