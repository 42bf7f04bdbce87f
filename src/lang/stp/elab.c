/*
 * elab.c - from probes as written to derived probes: aliases are opened, their bodies put round the handler,
 * every point of a family gets a copy of the handler of its own.
 */
#include <fnmatch.h>

#include "debuginfo/dwarf.h"
#include "lang/stp/comp.h"

enum { MAX_EXPANSION = 100 };

/* Bodies collected on the way through aliases, innermost alias outside. */
struct wrap {
	const struct stp_probe *alias;
	const struct wrap *outer; /* towards the user's probe */
};
struct context {
	const struct stp_probe *probe;	   /* the user's (or tapset's) probe */
	const struct stp_point *origin;	   /* the point in it */
	const struct wrap *wraps;	   /* innermost alias first */
	const char *alias;		   /* the outermost alias by its own name, with what follows it */
	VEC(struct stp_expr *) conds;
	VEC(const char *) chain;	   /* spelled points, outermost first */
};

bool stp_name_matches(const char *pattern, const char *name)
{
	return fnmatch(pattern, name, 0) == 0;
}

static const char *spell_point(struct stp_comp *c, const struct stp_point *pt, bool suffix)
{
	struct buf b = {0};
	struct stp_point plain = *pt;
	plain.cond = NULL;
	if (!suffix)
		plain.optional = plain.sufficient = false;
	stp_dump_point(&plain, &b);
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* The name of a point as scripts and messages see it: our own family of events is one of tracepoints. */
static const char *shown_point(struct stp_comp *c, const struct stp_point *pt)
{
	struct stp_point shown = *pt;
	if (!pt->ncomp || !str_eq(pt->comp[0].name, "__event"))
		return spell_point(c, pt, false);
	struct stp_point_comp *comp = arena_array(c->a, struct stp_point_comp, 2);
	comp[0] = (struct stp_point_comp){.loc = pt->comp[0].loc, .name = "kernel"};
	comp[1] = (struct stp_point_comp){.loc = pt->comp[0].loc, .name = "trace", .arg = pt->comp[0].arg};
	shown.comp = comp;
	shown.ncomp = 2;
	return spell_point(c, &shown, false);
}

static const char *spell_list(struct stp_comp *c, const struct stp_point *pt)
{
	struct buf b = {0};
	for (const struct stp_point *p = pt; p; p = p->next)
		buf_printf(&b, "%s%s", p == pt ? "" : ",", spell_point(c, p, true));
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* --- derived probes ----------------------------------------------------------------------------------------- */

static struct stp_stmt *stmt(struct stp_comp *c, enum stp_stmt_kind kind, struct loc loc)
{
	struct stp_stmt *s = arena_new(c->a, struct stp_stmt);
	s->kind = kind;
	s->loc = loc;
	return s;
}

/* if (!cond) next */
static struct stp_stmt *guard(struct stp_comp *c, const struct stp_expr *cond)
{
	struct stp_stmt *s = stmt(c, SS_IF, cond->loc);
	s->is_condition = true;
	struct stp_expr *e = arena_new(c->a, struct stp_expr);
	*e = (struct stp_expr){.kind = SE_UNARY, .op = "!", .loc = cond->loc};
	e->kid = arena_new(c->a, struct stp_expr *);
	e->kid[0] = stp_clone_expr(c->a, cond);
	e->nkid = 1;
	s->expr = e;
	s->body = stmt(c, SS_NEXT, cond->loc);
	return s;
}

static void append(struct stp_stmt ***tail, struct stp_stmt *s)
{
	**tail = s;
	while (**tail)
		*tail = &(**tail)->next;
}

/* Conditions, prologues from the innermost alias outwards, the handler, epilogues back inwards. */
static struct stp_stmt *assemble(struct stp_comp *c, const struct context *x)
{
	struct stp_stmt *first = NULL, **tail = &first;
	for (size_t i = 0; i < x->conds.len; i++)
		append(&tail, guard(c, x->conds.at[i]));
	for (const struct wrap *w = x->wraps; w; w = w->outer)
		if (!w->alias->is_epilogue_alias)
			append(&tail, stp_clone_stmt(c->a, w->alias->body));
	append(&tail, stp_clone_stmt(c->a, x->probe->body));
	/* the alias nearest to the handler ends first */
	const struct wrap *stack[MAX_EXPANSION + 1];
	unsigned n = 0;
	for (const struct wrap *w = x->wraps; w && n < ARRAY_SIZE(stack); w = w->outer)
		stack[n++] = w;
	while (n--) {
		const struct stp_probe *alias = stack[n]->alias;
		if (alias->is_epilogue_alias)
			append(&tail, stp_clone_stmt(c->a, alias->body));
		else if (alias->epilogue)
			append(&tail, stp_clone_stmt(c->a, alias->epilogue));
	}
	return first;
}

static const char *spell_chain(struct stp_comp *c, const struct context *x)
{
	struct buf b = {0};
	/* the innermost is the probe itself */
	for (size_t i = x->chain.len > 1 ? x->chain.len - 1 : x->chain.len; i-- > 0;)
		buf_printf(&b, " <- %s", x->chain.at[i]);
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* -c and -x narrow down only the probes that name no file: process("path") means every process that runs it. */
void stp_set_pids(struct stp_dprobe *dp)
{
	vec_each(p, &dp->points.list)
		(*p)->pid = dp->spec.pid;
}

/* Kernel functions have the parameters of their prototype in BTF; those of one that BTF does not know have no names. */
void stp_find_args(struct stp_comp *c, struct stp_dprobe *dp)
{
	dp->args = NULL;
	dp->returned = NULL;
	dp->args_by_call = false;
	if (!dp->points.list.len)
		return;
	struct attach_point p = *dp->points.list.at[0];
	if (p.kind == PK_UPROBE || p.kind == PK_URETPROBE)
		return; /* debug_vars.c, when somebody asks */
	if (probe_is_kernel_place(&p))
		return;
	bool is_kernel = p.kind == PK_KPROBE || p.kind == PK_KRETPROBE;
	if (is_kernel) {
		struct err *err = NULL;
		struct btf *btf = world_btf(c->world, &err);
		err_free(err);
		p.kind = PK_FENTRY;
		if (p.target && (btf = world_module_btf(c->world, p.target)) == NULL)
			return;
		p.btf_id = btf && p.func ? btf_find(btf, BTF_NS_FUNC, p.func) : 0;
		if (!p.btf_id)
			return;
	}
	dp->args = probe_arguments(c->world, &p, c->a);
	dp->args_by_call = is_kernel && dp->args;
	if (dp->args_by_call && dp->args->ret) {
		dp->returned = arena_new(c->a, struct field);
		*dp->returned = (struct field){.name = "return", .type = dp->args->ret};
	}
}

/* Fills in what the spec matches in this world; false: nothing. */
static bool find_points(struct stp_comp *c, struct stp_dprobe *dp)
{
	enum probe_kind k = dp->spec.kind;
	bool is_perf = k == PK_PROFILE || k == PK_SOFTWARE || k == PK_HARDWARE;
	bool is_given = k == PK_FILE_READ || k == PK_FILE_WRITE || k == PK_INPUT;
	if (is_perf || is_given || k == PK_BEGIN || k == PK_END || k == PK_ERROR || k == PK_NEVER || k == PK_TIMER) {
		struct attach_point *p = arena_new(c->a, struct attach_point);
		*p = (struct attach_point){.kind = k, .name = dp->name, .order = dp->spec.order, .period = dp->spec.period, .jitter = dp->spec.jitter,
					   .freq = dp->spec.freq, .pid = dp->spec.pid, .perf_type = dp->perf_type, .perf_config = dp->perf_config,
					   .target = dp->spec.target, .mode = dp->spec.umask, .len = dp->spec.len};
		vec_push(&dp->points.list, p);
		return true;
	}
	struct diags scratch;
	diags_init(&scratch, c->a);
	probe_expand(c->world, &dp->spec, c->a, c->quiet ? &scratch : c->diags, &dp->points);
	diags_free(&scratch);
	stp_set_pids(dp);
	if (!dp->points.list.len)
		return false;
	stp_find_args(c, dp);
	return true;
}

/* What pp() says of one of several places in the kernel: the pattern of the last component makes room for the name that it matched. */
static void name_kernel_point(struct stp_comp *c, const struct stp_point *pt, struct stp_dprobe *dp)
{
	struct stp_point named = *pt;
	const char *func = dp->points.list.at[0]->func;
	named.comp = arena_memdup(c->a, pt->comp, pt->ncomp * sizeof(*pt->comp));
	for (unsigned i = 0; func && i < pt->ncomp; i++) {
		struct stp_point_comp *comp = &named.comp[i];
		if (!comp->arg || (!str_eq(comp->name, "function") && !str_has_prefix(comp->name, "trace")))
			continue;
		comp->arg = arena_new(c->a, struct stp_expr);
		*comp->arg = (struct stp_expr){.kind = SE_STR, .text = func, .str = func, .len = (uint32_t)strlen(func)};
	}
	dp->name = spell_point(c, &named, false);
	dp->spec.spelling = dp->name;
}

struct event_search {
	struct arena *a;
	const char *name, *found;
};

static void look_for_event(void *arg, const char *category, const char *name)
{
	struct event_search *s = arg;
	if (!s->found && str_eq(name, s->name))
		s->found = arena_printf(s->a, "%s:%s", category, name);
}

const char *stp_event_name(struct stp_comp *c, const char *name)
{
	struct event_search s = {.a = c->a, .name = name};
	tracefs_events(c->world, look_for_event, &s);
	return s.found ? s.found : name;
}

const char *stp_mark_name(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p)
{
	if (!dp->spec.provider)
		return arena_printf(c->a, "process(\"%s\").mark(\"%s\")", p->target, p->func);
	return arena_printf(c->a, "process(\"%s\").provider(\"%s\").mark(\"%s\")", p->target, p->provider, p->func);
}

/* What pp() says of a place that debug information knows: process("/bin/x").function("f@x.c:42") */
static void name_point(struct stp_comp *c, const struct stp_point *pt, struct stp_dprobe *dp)
{
	struct attach_point *p = dp->points.list.len == 1 ? dp->points.list.at[0] : NULL;
	if (p && p->kind == PK_USDT) {
		dp->name = dp->spec.spelling = stp_mark_name(c, dp, p);
		return;
	}
	if (p)
		probe_declaration(c->world, p, c->a);
	if (!p || !p->file || !p->func || !dp->spec.target || pt->ncomp < 2)
		return;
	struct stp_point named = *pt;
	named.comp = arena_memdup(c->a, pt->comp, pt->ncomp * sizeof(*pt->comp));
	for (unsigned i = 0; i < pt->ncomp; i++) {
		struct stp_point_comp *comp = &named.comp[i];
		bool is_place = str_eq(comp->name, "function") || str_eq(comp->name, "statement");
		const char *text = is_place && p->caller ? p->caller
				   : is_place || str_eq(comp->name, "callee") ? arena_printf(c->a, "%s@%s:%u", p->func, p->file, p->line)
				   : str_eq(comp->name, "process") && comp->arg && comp->arg->kind == SE_STR ? p->target
				   : str_eq(comp->name, "label")					     ? p->label
														     : NULL;
		if (!text)
			continue;
		comp->arg = arena_new(c->a, struct stp_expr);
		*comp->arg = (struct stp_expr){.kind = SE_STR, .text = text, .str = text, .len = (uint32_t)strlen(text)};
	}
	dp->name = spell_point(c, &named, false);
	dp->spec.spelling = dp->name;
}

/* A handler of its own for every point: their variables are in different places. */
static unsigned add_each_point(struct stp_comp *c, struct context *x, const struct stp_point *pt, struct stp_dprobe *dp)
{
	unsigned n = (unsigned)dp->points.list.len;
	for (unsigned i = 0; i < n; i++) {
		struct stp_dprobe *one = arena_memdup(c->a, dp, sizeof(*dp));
		one->points = (struct attach_points){0};
		vec_push(&one->points.list, dp->points.list.at[i]);
		vec_push(&c->all_probes, one);
		one->body = i ? assemble(c, x) : dp->body;
		one->scope.tail = &one->scope.local;
		one->is_one_of_many = n > 1;
		if (one->spec.kind == PK_KPROBE || one->spec.kind == PK_KRETPROBE || one->spec.kind == PK_RAWTRACEPOINT) {
			stp_find_args(c, one);
			name_kernel_point(c, pt, one);
		}
		name_point(c, pt, one);
		if (probe_is_kernel_place(one->points.list.at[0]) || one->spec.kind == PK_KPROBE || one->spec.kind == PK_KRETPROBE)
			one->points.list.at[0]->name = one->name; /* in what is said of it, too */
		stp_settle_point(c, one);
		vec_push(&c->probes, one);
	}
	return n;
}

/* What of the kernel may have been meant: "kprobe:loop:lo_open" is the function lo_open of the module loop. */
static const char *near_match(struct stp_comp *c, const struct probe_spec *spec)
{
	const char *near = c->world ? probe_nearest(c->world, spec, c->a) : NULL, *kind = spec->kind == PK_RAWTRACEPOINT ? "tracepoints" : "functions";
	const char *name = near ? strchr(near, ':') + 1 : NULL, *in = name ? strchr(name, ':') : NULL;
	if (spec->target && !str_eq(spec->target, "vmlinux") && !strpbrk(spec->target, "*?[") && !probe_module_exists(c->world, spec->target))
		return arena_printf(c->a, "no match: the module %s is not loaded", spec->target);
	if (!name)
		return "no match";
	return in && !str_has_prefix(name, "vmlinux:") ? arena_printf(c->a, "no match (similar %s: %s in %.*s)", kind, in + 1, (int)(in - name), name)
						       : arena_printf(c->a, "no match (similar %s: %s)", kind, in ? in + 1 : name);
}

/* Why nothing of a program matched, where more can be said than that. */
static const char *no_match(struct stp_comp *c, const struct stp_dprobe *dp)
{
	const struct probe_spec *spec = &dp->spec;
	struct str_list paths = {0};
	struct elf_file *f;
	const char *why = "no match", *said = NULL;
	if (spec->kind == PK_KPROBE || spec->kind == PK_KRETPROBE || spec->kind == PK_RAWTRACEPOINT)
		return near_match(c, spec);
	if ((spec->kind != PK_UPROBE && spec->kind != PK_URETPROBE) || !spec->target || strpbrk(spec->target, "*?["))
		return why;
	struct err *err = elf_resolve_path(c->world, spec->target, &paths);
	if (!err)
		err = elf_open(c->world, paths.list.at[0], &f);
	if (!err && !elf_dwarf(f, &said) && said)
		why = arena_printf(c->a, "no match: there is no such symbol, and %s", said);
	err_free(err);
	vec_free(&paths.list);
	return why;
}

static unsigned add_derived(struct stp_comp *c, struct context *x, const struct stp_point *pt, struct stp_dprobe *found)
{
	struct stp_dprobe *dp = arena_memdup(c->a, found, sizeof(*found));
	vec_push(&c->all_probes, dp);
	dp->name = shown_point(c, pt);
	dp->spec.spelling = dp->name;
	dp->alias_name = x->wraps ? x->alias : NULL;
	stp_choose_source(dp, x->probe->body);
	unsigned errors = c->diags->errors;
	if (!find_points(c, dp)) {
		if (errors != c->diags->errors) /* the family has said why */
			return 0;
		struct diag *d = stp_error(c, x->origin->loc, "while resolving probe point");
		stp_chain(c, d, (struct loc){0}, "%s", no_match(c, dp));
		return 0;
	}
	dp->probe_loc = x->probe->loc;
	dp->is_tapset = x->probe->is_tapset;
	dp->derivation = c->in->dump_types ? spell_chain(c, x) : ""; /* long lists have long chains */
	dp->body = assemble(c, x);
	if (dp->is_raw_syscall)
		stp_name_raw_syscall(c, dp->body);
	if (dp->spec.kind == PK_NETFILTER)
		stp_name_netfilter(c, dp->body);
	if (dp->guard) {
		const char *name = arena_printf(c->a, "__guard%zu", c->probes.len);
		stp_add_tapset(c, name, arena_printf(c->a, "probe %s = never { if (!(%s)) next }", name, dp->guard));
		struct stp_stmt *first = stp_alias_body(c, name);
		first->next = dp->body;
		dp->body = first;
	}
	dp->scope.tail = &dp->scope.local;
	if (stp_needs_each_point(dp))
		return add_each_point(c, x, pt, dp);
	name_point(c, pt, dp);
	if (dp->spec.kind == PK_WATCHPOINT && dp->points.list.len == 1)
		dp->points.list.at[0]->name = dp->name;
	stp_settle_point(c, dp);
	vec_push(&c->probes, dp);
	return 1;
}

/* --- aliases --------------------------------------------------------------------------------------------------- */

static bool same_arg(const struct stp_expr *a, const struct stp_expr *b)
{
	if (!a || !b)
		return a == b;
	return a->kind == b->kind && (a->kind == SE_NUM ? a->num == b->num : str_eq(a->str, b->str));
}

/* The alias's name is a prefix of the point. */
static bool alias_matches(const struct stp_point *name, const struct stp_point *pt)
{
	if (name->ncomp > pt->ncomp)
		return false;
	for (unsigned i = 0; i < name->ncomp; i++)
		if (!stp_name_matches(pt->comp[i].name, name->comp[i].name) || !same_arg(name->comp[i].arg, pt->comp[i].arg))
			return false;
	return true;
}

/* A point of an alias with what follows the alias's name in the use. */
static struct stp_point *with_suffix(struct stp_comp *c, const struct stp_point *pt, const struct stp_point *use, unsigned used)
{
	struct stp_point *p = arena_memdup(c->a, pt, sizeof(*pt));
	unsigned extra = use->ncomp - used;
	p->next = NULL;
	p->comp = arena_array(c->a, struct stp_point_comp, pt->ncomp + extra + 1);
	memcpy(p->comp, pt->comp, pt->ncomp * sizeof(*p->comp));
	memcpy(p->comp + pt->ncomp, use->comp + used, extra * sizeof(*p->comp));
	p->ncomp += extra;
	return p;
}

static unsigned expand_list(struct stp_comp *c, struct context *x, const struct stp_point *list);

static unsigned expand_alias(struct stp_comp *c, struct context *x, struct stp_probe *alias, const struct stp_point *name,
			     const struct stp_point *use)
{
	struct stp_point *first = NULL, **tail = &first;
	for (const struct stp_point *p = alias->point; p; p = p->next) {
		*tail = with_suffix(c, p, use, name->ncomp);
		tail = &(*tail)->next;
	}
	struct wrap w = {.alias = alias, .outer = x->wraps};
	if (!x->wraps)
		x->alias = spell_point(c, with_suffix(c, name, use, name->ncomp), false);
	x->wraps = &w;
	vec_push(&x->chain, arena_printf(c->a, "%s = %s", spell_point(c, use, false), spell_list(c, first)));
	alias->busy = true;
	unsigned n = expand_list(c, x, first);
	alias->busy = false;
	(void)vec_pop(&x->chain);
	x->wraps = w.outer;
	return n;
}

/* Exact names win over prefixes: syscall.open.return is not syscall.open with a suffix. */
static unsigned expand_aliases(struct stp_comp *c, struct context *x, const struct stp_point *pt, bool *known)
{
	unsigned n = 0, longest = 0;
	for (size_t i = 0; i < c->aliases.len; i++)
		for (const struct stp_point *name = c->aliases.at[i]->alias; name; name = name->next)
			if (!c->aliases.at[i]->busy && alias_matches(name, pt))
				longest = MAX(longest, name->ncomp);
	for (size_t i = 0; i < c->aliases.len; i++) {
		struct stp_probe *alias = c->aliases.at[i];
		for (const struct stp_point *name = alias->alias; name; name = name->next) {
			if (name->ncomp != longest || alias->busy || !alias_matches(name, pt))
				continue;
			*known = true;
			n += expand_alias(c, x, alias, name, pt);
		}
	}
	return n;
}

/* --- points ------------------------------------------------------------------------------------------------------ */

static void alias_names(struct stp_comp *c, const struct stp_point *pt, unsigned depth, struct str_list *out)
{
	for (size_t i = 0; i < c->aliases.len; i++)
		for (const struct stp_point *n = c->aliases.at[i]->alias; n; n = n->next) {
			unsigned d = 0;
			while (d < depth && d < n->ncomp && str_eq(n->comp[d].name, pt->comp[d].name))
				d++;
			if (d == depth && d < n->ncomp && n->comp[d].name[0] != '_')
				vec_push(&out->list, n->comp[d].name);
		}
}

static void report_mismatch(struct stp_comp *c, const struct context *x, const struct stp_point *pt, unsigned at)
{
	if (c->quiet)
		return;
	stp_load_tapset(c);
	struct str_list names = {0};
	for (size_t i = 0; i < c->aliases.len; i++) /* an alias may agree further than a family */
		for (const struct stp_point *n = c->aliases.at[i]->alias; n; n = n->next) {
			unsigned d = 0;
			while (d < pt->ncomp && d < n->ncomp && str_eq(n->comp[d].name, pt->comp[d].name))
				d++;
			at = MAX(at, MIN(d, pt->ncomp - 1));
		}
	stp_family_names(c, pt, at, &names);
	alias_names(c, pt, at, &names);
	const char *near = stp_similar(c, pt->comp[at].name, names.list.at, names.list.len);
	struct diag *d = stp_error(c, pt->loc, "while resolving probe point");
	stp_chain(c, d, pt->comp[at].loc, *near ? "probe point mismatch (similar: %s)" : "probe point mismatch%s", near);
	vec_free(&names.list);
}

static bool is_family(struct stp_comp *c, const struct stp_point *pt)
{
	struct stp_dprobe dp = {0};
	bool known;
	unsigned at = 0;
	c->quiet++;
	stp_family_expand(c, pt, &dp, &known, &at);
	c->quiet--;
	return known;
}

static bool has_wildcard(const struct stp_point *pt)
{
	for (unsigned i = 0; i < pt->ncomp; i++)
		if (strpbrk(pt->comp[i].name, "*?["))
			return true;
	return false;
}

/*
 * Whether this kernel can probe it at all: what is optional, or has an alternative, can do without.  BTF also describes functions that are
 * inlined everywhere; only the list of symbols tells.
 */
static bool can_attach(const struct stp_comp *c, const struct stp_dprobe *dp)
{
	bool is_kernel = dp->spec.kind == PK_KPROBE || dp->spec.kind == PK_KRETPROBE;
	if (!is_kernel || !c->world)
		return true;
	const struct probe_spec *s = &dp->spec;
	bool by_source = s->file || s->statement || s->label || s->callee || s->instances & (DWARF_INLINED | DWARF_CONCRETE);
	bool is_name = s->func && !by_source && (!s->target || str_eq(s->target, "vmlinux")) && !strpbrk(s->func, "*?[{");
	return c->world->features.kprobe && (!is_name || kallsyms_by_name(world_kallsyms(c->world), s->func));
}

static unsigned expand_point(struct stp_comp *c, struct context *x, const struct stp_point *pt)
{
	unsigned at = 0, errors = c->diags->errors;
	bool known = false, alias_known = false;
	struct stp_dprobe dp = {.loc = x->origin->loc, .spec = {.loc = x->origin->loc, .optional = c->quiet > 0}};
	if (pt->ncomp > 1)
		stp_make_syscalls(c, pt->comp[0].name, pt->comp[1].name);
	/* a wildcard takes what it can get */
	bool wild = has_wildcard(pt);
	c->quiet += wild;
	unsigned n = expand_aliases(c, x, pt, &alias_known);
	/* plain families need not look at the tapset at all */
	if (!alias_known && !c->tapset_loaded && !is_family(c, pt)) {
		stp_load_aliases(c, pt->comp[0].name);
		n = expand_aliases(c, x, pt, &alias_known);
	}
	c->quiet -= wild;
	if (alias_known) {
		if (!n && errors == c->diags->errors) {
			struct diag *d = stp_error(c, x->origin->loc, "while resolving probe point");
			stp_chain(c, d, (struct loc){0}, "no match");
		}
		return n;
	}
	if (stp_family_expand(c, pt, &dp, &known, &at))
		return c->lenient && !can_attach(c, &dp) ? 0 : add_derived(c, x, pt, &dp);
	if (!known)
		report_mismatch(c, x, pt, at);
	return 0;
}

static unsigned expand_list(struct stp_comp *c, struct context *x, const struct stp_point *list)
{
	unsigned total = 0;
	if (++c->expand_depth > MAX_EXPANSION) {
		stp_error(c, x->origin->loc, "recursive loop in alias expansion");
		c->expand_depth--;
		return 0;
	}
	for (const struct stp_point *pt = list; pt; pt = pt->next) {
		if (!x->wraps)
			x->origin = pt;
		bool lenient = pt->optional || pt->sufficient;
		c->quiet += lenient;
		c->lenient += lenient;
		if (pt->cond)
			vec_push(&x->conds, pt->cond);
		vec_push(&x->chain, spell_point(c, pt, true));
		unsigned n = expand_point(c, x, pt);
		(void)vec_pop(&x->chain);
		if (pt->cond)
			(void)vec_pop(&x->conds);
		c->quiet -= lenient;
		c->lenient -= lenient;
		total += n;
		if (n && pt->sufficient)
			break;
	}
	c->expand_depth--;
	return total;
}

void stp_expand_probe(struct stp_comp *c, struct stp_probe *p)
{
	struct context x = {.probe = p, .origin = p->point};
	if (p->point && p->point->next)
		vec_push(&x.chain, spell_list(c, p->point));
	expand_list(c, &x, p->point);
	vec_free(&x.conds);
	vec_free(&x.chain);
}

void stp_elaborate(struct stp_comp *c)
{
	for (struct stp_file *f = c->user; f; f = f->next)
		for (struct stp_probe *p = f->probe; p; p = p->next)
			if (!p->alias)
				stp_expand_probe(c, p);
}
