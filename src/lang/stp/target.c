/*
 * target.c - $variables, @cast and ->: what type a path of members leads to.
 *
 * A step through a pointer reads memory, a step within a struct adds an offset; lower_target.c walks the same
 * path and emits the reads.
 */
#include "lang/stp/target.h"

/* "task_struct", "struct task_struct", "union x", "pid_t", with stars behind */
struct type *stp_type_by_name(struct stp_comp *c, struct btf *btf, const char *name)
{
	if (!btf)
		return NULL;
	size_t n = strlen(name), stars = 0;
	for (; n && strchr("* ", name[n - 1]); n--)
		stars += name[n - 1] == '*';
	const char *plain = arena_strndup(c->a, name, n);
	static const struct {
		const char *prefix;
		enum btf_namespace ns;
	} spaces[] = {{"struct ", BTF_NS_STRUCT}, {"union ", BTF_NS_UNION}, {"enum ", BTF_NS_ENUM},
		      {"", BTF_NS_STRUCT},	  {"", BTF_NS_UNION},	    {"", BTF_NS_TYPEDEF}, {"", BTF_NS_BASE}};
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		if (!str_has_prefix(plain, spaces[i].prefix))
			continue;
		uint32_t id = btf_find(btf, spaces[i].ns, plain + strlen(spaces[i].prefix));
		struct type *t = id ? btf_type(btf, id, AS_KERNEL, c->a) : NULL;
		for (; t && stars; stars--)
			t = type_ptr(c->a, t, AS_KERNEL);
		if (t)
			return t;
	}
	return NULL;
}

static const struct field *argument(struct stp_dprobe *dp, const char *name)
{
	struct type *r = dp && dp->args ? dp->args->record : NULL;
	if (dp && dp->entry_event && str_eq(name, "return"))
		name = "ret";
	if (dp && dp->args_by_call && dp->is_return)
		return str_eq(name, "return") ? dp->returned : NULL;
	for (uint32_t i = 0; r && i < r->nfield; i++)
		if (str_eq(r->field[i].name, name))
			return &r->field[i];
	/* kernel.tracepoint() numbers them */
	char *end = NULL;
	unsigned long n = dp && dp->spec.kind == PK_RAWTRACEPOINT && str_has_prefix(name, "arg") ? strtoul(name + 3, &end, 10) : 0;
	return n && !*end && r && n <= r->nfield ? &r->field[n - 1] : NULL;
}

static void no_local(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, const char *name)
{
	struct type *r = dp && dp->args ? dp->args->record : NULL;
	struct buf b = {0};
	for (uint32_t i = 0; r && i < r->nfield; i++)
		if (r->field[i].name)
			buf_printf(&b, "%s$%s", b.len ? ", " : "", r->field[i].name);
	if (b.len)
		stp_error(c, e->loc, "unable to find target variable '$%s' (alternatives: %s)", name, buf_str(&b));
	else if (dp && dp->points.list.len && (dp->spec.kind == PK_UPROBE || dp->spec.kind == PK_URETPROBE ||
						probe_is_kernel_place(dp->points.list.at[0])))
		stp_no_debug_variable(c, dp, e, name);
	else if (dp && (dp->spec.kind == PK_KPROBE || dp->spec.kind == PK_KRETPROBE))
		stp_error(c, e->loc, "the kernel's BTF does not know $%s here; int_arg(n) and returnval() work without it", name);
	else if (!dp && e->kind == SE_ATVAR)
		stp_error(c, e->loc, "@var in a function is not supported: use it in the probe, or in a macro (@define)");
	else
		stp_error(c, e->loc, "unresolved target-symbol expression");
	buf_free(&b);
}

/* The type that the path starts from; NULL after a diagnostic. */
static struct type *base_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p)
{
	if (e->kind == SE_CAST) {
		struct type *t = stp_cast_type(c, dp, e);
		if (!t)
			stp_error(c, e->loc, "type definition '%s' not found in '%s'", e->text, e->text2 ? e->text2 : "kernel");
		return t ? type_ptr(c->a, t, t->as ? t->as : AS_KERNEL) : NULL;
	}
	if (e->kind == SE_DEREF) {
		if (!e->kid[0]->pointee)
			return NULL;
		return type_ptr(c->a, e->kid[0]->pointee, e->kid[0]->pointee->as ? e->kid[0]->pointee->as : AS_KERNEL);
	}
	if (stp_is_verdict(dp, e)) {
		if (!c->in->guru)
			stp_error(c, e->loc, "$verdict is for guru mode only; need stap -g");
		p->is_verdict = true;
		return c->in->guru ? type_int(8, true) : NULL;
	}
	const char *name = e->kind == SE_ATVAR ? e->text : e->text + 1;
	bool failed = false;
	if (stp_debug_variable(c, dp, e, p, &failed))
		return p->base;
	if (failed)
		return NULL;
	p->field = argument(dp, name);
	if (!p->field)
		no_local(c, dp, e, name);
	return p->field ? p->field->type : NULL;
}

static const char *members(struct stp_comp *c, struct type *t)
{
	struct buf b = {0};
	for (uint32_t i = 0, n = 0; i < t->nfield && n < 30; i++)
		if (t->field[i].name)
			buf_printf(&b, "%s%s", n++ ? ", " : "", t->field[i].name);
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* One component: the type after it. */
static struct type *step(struct stp_comp *c, struct type *t, const struct stp_member *comp, struct stp_step *s)
{
	*s = (struct stp_step){.comp = comp};
	if (comp->index) {
		if (t->kind != TYPE_PTR && t->kind != TYPE_ARRAY) {
			stp_error(c, comp->loc, "cannot index a value that is neither pointer nor array");
			return NULL;
		}
		s->through = t->kind == TYPE_PTR;
		return t->elem;
	}
	if (t->kind == TYPE_PTR) {
		s->through = true;
		t = t->elem;
	}
	if (t->kind != TYPE_STRUCT && t->kind != TYPE_UNION) {
		stp_error(c, comp->loc, "invalid access '->%s' vs a value that is no struct", comp->member);
		return NULL;
	}
	type_complete(t, c->a);
	s->field = type_field(t, comp->member, c->a, &s->offset);
	if (!s->field) {
		stp_error(c, comp->loc, "unable to find member '%s' for %s %s (alternatives: %s)", comp->member,
			  t->kind == TYPE_UNION ? "union" : "struct", t->name ? t->name : "<anonymous>", members(c, t));
		return NULL;
	}
	return s->field->type;
}

bool stp_target_path(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p)
{
	*p = (struct stp_path){0};
	p->base = p->type = base_type(c, dp, e, p);
	p->step = arena_array(c->a, struct stp_step, e->ncomp + 1);
	for (unsigned i = 0; p->type && i < e->ncomp; i++) {
		if (e->comp[i].pretty) {
			stp_error(c, e->comp[i].loc, "pretty-printing is not supported yet");
			return false;
		}
		p->type = step(c, p->type, &e->comp[i], &p->step[p->nstep++]);
	}
	return p->type != NULL;
}

/* What a pointer-valued expression points to, for chains of -> on script variables. */
struct type *stp_target_pointee(const struct stp_path *p, const struct stp_expr *e)
{
	struct type *t = p->type;
	if (e->address_of && !p->nstep && t->kind == TYPE_PTR && (e->kind == SE_CAST || e->kind == SE_DEREF))
		return t->elem; /* &@cast(x, "t"): a t is at x */
	if (e->address_of || t->kind == TYPE_STRUCT || t->kind == TYPE_UNION)
		return t;
	return t->kind == TYPE_PTR || t->kind == TYPE_ARRAY ? t->elem : NULL;
}

bool stp_is_target(const struct stp_expr *e)
{
	return e->kind == SE_TARGET || e->kind == SE_ATVAR || e->kind == SE_CAST || e->kind == SE_DEREF;
}

bool stp_target_exists(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e)
{
	struct stp_path p;
	bool at_entry = dp && dp->is_return && !dp->entry_event;
	if (e->kind == SE_ENTRY)
		return stp_target_exists(c, at_entry ? stp_entry_of(c, dp) : dp, e->kid[0]);
	if (e->kind != SE_TARGET && e->kind != SE_CAST && e->kind != SE_ATVAR)
		return true;
	if (at_entry && e->kind == SE_TARGET && !str_eq(e->text, "$return")) /* a parameter as it was */
		dp = stp_entry_of(c, dp);
	if (!dp && e->kind != SE_CAST) /* in a function there is no place that it could be of */
		return false;
	c->quiet++;
	bool yes = stp_target_path(c, dp, e, &p);
	c->quiet--;
	return yes;
}
