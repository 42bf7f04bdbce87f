/*
 * entry.c - @entry(expression) in return probes: an entry probe evaluates it and keeps the value for the
 * thread until the function returns.  Nested calls of one thread are told apart by their depth.
 *
 * Both parts are written as script text and parsed, so that they go through every later step like the user's own.
 */
#include "lang/stp/comp.h"

struct collecting {
	struct stp_comp *c;
	struct stp_dprobe *dp;
	unsigned id;
	bool parameters;
	VEC(const char *) text; /* of each distinct expression */
	VEC(struct loc) loc;	/* where the user wrote it */
};

static const char *spell(struct stp_comp *c, const struct stp_expr *e)
{
	struct buf b = {0};
	stp_dump_expr(e, &b);
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* int_arg(n) and its relatives */
static bool is_argument(const struct stp_expr *e)
{
	return e->kind == SE_CALL && e->nkid == 1 && str_has_suffix(e->text, "_arg");
}

/* $parameter and int_arg(n) at the return of a system call or a kernel function are what they were at the entry. */
static bool is_parameter(const struct stp_dprobe *dp, const struct stp_expr *e)
{
	bool in_kernel = dp->entry_event || dp->spec.kind == PK_KRETPROBE;
	if (in_kernel && is_argument(e))
		return true;
	bool all = e->kind == SE_TARGET && (str_has_prefix(e->text, "$$vars") || str_has_prefix(e->text, "$$parms") ||
					    str_has_prefix(e->text, "$$locals"));
	if (all)
		return in_kernel || dp->spec.kind == PK_URETPROBE;
	if (e->kind != SE_TARGET || str_eq(e->text, "$return") || str_has_prefix(e->text, "$$"))
		return false;
	if (dp->spec.kind == PK_URETPROBE)
		return true;
	if (!in_kernel)
		return false;
	if (dp->spec.kind == PK_KRETPROBE)
		return true;
	const struct type *r = dp->args ? dp->args->record : NULL;
	for (uint32_t i = 0; r && i < r->nfield; i++)
		if (str_eq(r->field[i].name, e->text + 1))
			return false;
	return true;
}

/* @entry(e) becomes the local that the prologue fills. */
static void replace_entry(struct stp_expr *e, void *arg)
{
	struct collecting *x = arg;
	const char *text;
	if (x->parameters && is_parameter(x->dp, e)) {
		/* $p$ is text that is made at the entry; of $p->member the pointer is kept, and followed at the return */
		struct stp_expr plain = *e;
		bool pretty = e->ncomp && e->comp[e->ncomp - 1].pretty;
		plain.ncomp = pretty ? e->ncomp : 0;
		text = spell(x->c, &plain);
		if (pretty)
			e->ncomp = 0;
	} else if (e->kind == SE_ENTRY) {
		text = spell(x->c, e->kid[0]);
	} else {
		return;
	}
	size_t i = 0;
	while (i < x->text.len && !str_eq(x->text.at[i], text))
		i++;
	if (i == x->text.len) {
		vec_push(&x->text, text);
		vec_push(&x->loc, e->loc);
	}
	struct stp_expr *base = e;
	if (e->ncomp) { /* @entry(p)->member */
		base = arena_memdup(x->c->a, e, sizeof(*e));
		base->ncomp = 0;
		e->kind = SE_DEREF;
		e->kid = arena_new(x->c->a, struct stp_expr *);
		e->kid[0] = base;
		e->nkid = 1;
	}
	base->kind = SE_SYM;
	base->nkid = 0;
	base->text = arena_printf(x->c->a, "__entry%u_%zu", x->id, i);
}

static const char *write_script(struct collecting *x)
{
	struct buf b = {0};
	unsigned id = x->id;
	/* a return that is missed leaves an element behind: the oldest make room */
	buf_printf(&b, "private global depth%u%%", id);
	for (size_t i = 0; i < x->text.len; i++)
		buf_printf(&b, ", saved%u_%zu%%", id, i);
	buf_printf(&b, "\nprobe __at_entry%u = never {\n\tdepth%u[tid()]++\n", id, id);
	for (size_t i = 0; i < x->text.len; i++)
		buf_printf(&b, "\tsaved%u_%zu[tid(), depth%u[tid()]] = %s\n", id, i, id, x->text.at[i]);
	buf_printf(&b, "}\nprobe __at_return%u = never {\n\t__depth%u = depth%u[tid()]\n\tif (!__depth%u)\n\t\tnext\n", id, id, id, id);
	for (size_t i = 0; i < x->text.len; i++)
		buf_printf(&b, "\t__entry%u_%zu = saved%u_%zu[tid(), __depth%u]\n\tdelete saved%u_%zu[tid(), __depth%u]\n",
			   id, i, id, i, id, id, i, id);
	buf_printf(&b, "\tif (__depth%u > 1)\n\t\tdepth%u[tid()]--\n\telse\n\t\tdelete depth%u[tid()]\n}\n", id, id, id);
	const char *text = arena_strdup(x->c->a, buf_str(&b));
	buf_free(&b);
	return text;
}

struct stp_dprobe *stp_entry_of(struct stp_comp *c, const struct stp_dprobe *ret)
{
	struct stp_dprobe *dp = arena_memdup(c->a, ret, sizeof(*ret));
	dp->points = (struct attach_points){0};
	dp->is_return = false;
	dp->vars = NULL;
	if (ret->spec.kind != PK_URETPROBE || !ret->points.list.len)
		return dp;
	dp->spec.kind = PK_UPROBE;
	struct attach_point *p = arena_memdup(c->a, ret->points.list.at[0], sizeof(*p));
	p->kind = PK_UPROBE;
	vec_push(&dp->points.list, p);
	vec_push(&c->all_probes, dp);
	return dp;
}

/* The probe where the values are taken: the entry of the same functions, or of the same system call. */
static struct stp_dprobe *entry_probe(struct stp_comp *c, struct stp_dprobe *ret, struct stp_stmt *body)
{
	struct stp_dprobe *dp = arena_memdup(c->a, ret, sizeof(*ret));
	dp->points = (struct attach_points){0};
	vec_push(&c->all_probes, dp);
	dp->is_return = false;
	dp->vars = NULL;
	dp->is_hidden = true;
	dp->entry_event = NULL;
	dp->scope = (struct stp_scope){0};
	dp->scope.tail = &dp->scope.local;
	dp->body = body;
	if (ret->entry_event) {
		const char *colon = strchr(ret->entry_event, ':');
		dp->spec.func = colon + 1;
		dp->args_are_fields = true;
	} else {
		dp->spec.kind = ret->spec.kind == PK_URETPROBE ? PK_UPROBE : PK_KPROBE;
	}
	bool in_kernel = ret->points.list.len && probe_is_kernel_place(ret->points.list.at[0]);
	if (dp->spec.kind == PK_UPROBE || in_kernel) { /* the entries of the very same functions */
		for (size_t i = 0; i < ret->points.list.len; i++) {
			struct attach_point *p = arena_memdup(c->a, ret->points.list.at[i], sizeof(*p));
			p->kind = dp->spec.kind;
			vec_push(&dp->points.list, p);
		}
	} else {
		probe_expand(c->world, &dp->spec, c->a, c->diags, &dp->points);
		stp_set_pids(dp);
	}
	stp_find_args(c, dp);
	return dp;
}

static void place(struct stp_expr *e, void *arg)
{
	e->loc = *(const struct loc *)arg;
}

/* Complaints name the place in the user's script.  The statements are those of write_script(): the count, then the values. */
static void place_values(struct stp_stmt *body, struct collecting *x)
{
	while (body && body->kind == SS_BLOCK)
		body = body->body;
	for (size_t i = 0; body && i < x->loc.len; i++) {
		body = body->next;
		if (body)
			stp_walk_expr(body->expr->kid[1], place, &x->loc.at[i]);
	}
}

static void make_entry(struct stp_comp *c, struct stp_dprobe *dp)
{
	struct collecting x = {.c = c, .dp = dp, .id = c->nentries};
	stp_walk_stmt(dp->body, replace_entry, &x);
	x.parameters = true; /* those that no @entry() held */
	stp_walk_stmt(dp->body, replace_entry, &x);
	if (x.text.len) {
		c->nentries++;
		stp_add_tapset(c, arena_printf(c->a, "entry%u.stp", x.id), write_script(&x));
		struct stp_stmt *at_entry = stp_alias_body(c, arena_printf(c->a, "__at_entry%u", x.id));
		struct stp_stmt *at_return = stp_alias_body(c, arena_printf(c->a, "__at_return%u", x.id));
		place_values(at_entry, &x);
		at_return->next = dp->body;
		dp->body = at_return;
		vec_push(&c->probes, entry_probe(c, dp, at_entry));
	}
	vec_free(&x.text);
	vec_free(&x.loc);
}

void stp_make_entry(struct stp_comp *c, struct stp_dprobe *dp)
{
	if (dp->is_return || dp->entry_event)
		make_entry(c, dp);
}
