/* sema_probe.c - the places of every probe, and handlers for places that differ. */
#include <stdlib.h>

#include "lang/bt/sema.h"

/* --- matching -----------------------------------------------------------------------------------
 */

/* Of these bpftrace only says that the probe has no place. */
static bool is_left_to_probe(const struct probe_spec *spec)
{
	bool any_module = !spec->target || !strcmp(spec->target, "*");
	return (spec->kind == PK_RAWTRACEPOINT && any_module) || spec->kind == PK_USDT ||
	       (spec->func && strchr(spec->func, '*')) || (spec->target && strchr(spec->target, '*'));
}

static void hint_nearest(struct bt_sema *s, struct diag *d, const struct probe_spec *spec)
{
	const char *near = s->in->world ? probe_nearest(s->in->world, spec, s->in->arena) : NULL;
	if (near)
		diag_hint(s->in->diags, d, "did you mean %s?", near);
}

static void no_match(struct bt_sema *s, const struct bt_point *pt, int severity)
{
	const struct probe_spec *spec = &pt->spec;
	const char *kind = probe_kind_info(spec->kind)->name;
	const char *target = spec->target ? spec->target : "", *func = spec->func ? spec->func : "";
	if (spec->kind == PK_RAWTRACEPOINT && !strcmp(target, "*"))
		target = "";
	const char *text = arena_printf(s->in->arena, "No matches for %s %s%s%s", kind ? kind : "",
					target, *target ? ":" : "", func);
	if (severity == 0 && !is_left_to_probe(spec))
		hint_nearest(s, bt_err_now(s, pt->loc, "%s.", text), spec);
	else if (severity == 1)
		bt_warn_now(s, pt->loc, "%s. Skipping.", text);
}

static bool is_kprobe(const struct probe_spec *spec)
{
	return spec->kind == PK_KPROBE || spec->kind == PK_KRETPROBE;
}

static bool is_named_kprobe(const struct probe_spec *spec)
{
	return is_kprobe(spec) && spec->func && !strchr(spec->func, '*') &&
	       (!spec->target || !strchr(spec->target, '*'));
}

/* Says so when the place is in a module that is not there. */
static bool lacks_module(struct bt_sema *s, const struct bt_point *pt, int severity)
{
	const char *module = pt->spec.target;
	if (severity || !is_named_kprobe(&pt->spec) || !module ||
	    probe_module_exists(s->in->world, module))
		return false;
	bt_err_now(s, pt->loc, "specified module %s in probe %s:%s:%s is not loaded.", module,
		   probe_kind_info(pt->spec.kind)->name, module, pt->spec.func);
	return true;
}

static void warn_untraceable(struct bt_sema *s, const struct bt_point *pt)
{
	if (s->in->opt.missing_probes != 2)
		bt_warn_now(
			s, pt->loc,
			"%s is not traceable (either non-existing, inlined, or marked as \"notrace\"); "
			"attaching to it will likely fail",
			pt->spec.func);
}

/* A place for a function that is not known: the kernel has the last word. */
static void try_anyway(struct bt_sema *s, struct bt_probe *p, const struct bt_point *pt)
{
	struct attach_point *a = arena_new(s->in->arena, struct attach_point);
	a->kind = pt->spec.kind;
	a->func = pt->spec.func;
	a->target = pt->spec.target;
	a->offset = pt->spec.offset;
	a->name = arena_printf(s->in->arena, "%s:%s%s%s", probe_kind_info(a->kind)->name,
			       a->target ? a->target : "", a->target ? ":" : "", a->func);
	vec_push(&p->matched.list, a);
}

/* A pattern over kernel functions that finds none beside places that were found is left out. */
static int severity_of(const struct probe_spec *spec, bool some, int severity)
{
	bool is_pattern = is_kprobe(spec) && !is_named_kprobe(spec) && spec->func;
	return severity == 0 && some && is_pattern ? 1 : severity;
}

static void not_found(struct bt_sema *s, struct bt_probe *p, const struct bt_point *pt, bool anyway,
		      int severity)
{
	if (lacks_module(s, pt, severity))
		return;
	if (is_named_kprobe(&pt->spec)) {
		warn_untraceable(s, pt);
		if (anyway) {
			try_anyway(s, p, pt);
			return;
		}
	}
	no_match(s, pt, severity);
}

static void match_points(struct bt_sema *s, struct bt_probe *p)
{
	bool *missing = arena_array(s->in->arena, bool, p->npoint + 1);
	bool is_unsafe = s->in->world && s->in->world->unsafe;
	for (unsigned i = 0; i < p->npoint; i++) {
		size_t before = p->matched.list.len;
		unsigned errors = s->in->diags->errors;
		if (p->point[i].bad)
			continue;
		probe_expand(s->in->world, &p->point[i].spec, s->in->arena, s->in->diags,
			     &p->matched);
		if (p->point[i].spec.func && strchr(p->point[i].spec.func, '*'))
			probe_drop_aliases(&p->matched, before);
		missing[i] = p->matched.list.len == before && s->in->diags->errors == errors;
	}
	probe_drop_stand_ins(&p->matched);
	int severity = s->in->opt.missing_probes;
	bool some = p->matched.list.len > 0;
	if (some && s->script->is_lenient && severity == 0)
		severity = 1;
	for (unsigned i = 0; i < p->npoint; i++) {
		if (!missing[i])
			continue;
		not_found(s, p, &p->point[i], is_unsafe || (!some && s->script->is_lenient),
			  severity_of(&p->point[i].spec, some, severity));
	}
}

static bool uses_name(struct bt_probe *p, const char *const *names);

/* Programs that the probe becomes: one for all its places where a multi link can hold them, else
 * one each. */
static size_t programs_of(struct bt_sema *s, struct bt_probe *p)
{
	static const char *const probe_name[] = {"probe", NULL}, *const arguments[] = {"args", NULL};
	static const struct features none;
	const struct features *f = s->in->world ? &s->in->world->features : &none;
	size_t n = p->matched.list.len;
	enum probe_kind kind = n ? p->matched.list.at[0]->kind : PK_COUNT;
	bool user = kind == PK_UPROBE || kind == PK_URETPROBE,
	     kernel = kind == PK_KPROBE || kind == PK_KRETPROBE;
	bool typed = kind == PK_FENTRY || kind == PK_FEXIT;
	bool multi = (user && f->uprobe_multi) || (kernel && f->kprobe_multi) || (typed && f->fentry_multi && !uses_name(p, arguments));
	/* names go by cookie, but so many functions of the kernel as to pass bpftrace's limit are an accident */
	bool shared = multi && (!uses_name(p, probe_name) || (f->attach_cookie && user));
	return shared ? MIN(n, (size_t)p->npoint) : n;
}

static bool too_many(struct bt_sema *s, struct bt_probe *p, size_t total)
{
	const struct program_options *opt = &s->in->opt;
	uint32_t limit = MIN(opt->max_progs, opt->max_probes);
	if (total <= limit)
		return false;
	bool progs = limit == opt->max_progs;
	struct diag *d = bt_err_now(
		s, p->point[0].loc,
		progs ? "Your program is trying to generate more than %zu BPF programs, which "
			"exceeds the current limit of %u"
		      : "Can't attach to %zu probes because it exceeds the current limit of %u probes.",
		total, limit);
	bt_hint(s, d, "You can increase the limit through the %s environment variable.",
		progs ? "BPFTRACE_MAX_BPF_PROGS" : "BPFTRACE_MAX_PROBES");
	return true;
}

/* --- handlers -----------------------------------------------------------------------------------
 */

struct name_search {
	const char *const *names;
	bool found;
};

static bool note_name(struct bt_walk *w, struct bt_expr *e)
{
	struct name_search *search = w->arg;
	bool is_name = e->kind == BT_IDENT || e->kind == BT_CALL;
	for (const char *const *n = search->names; is_name && *n; n++)
		search->found = search->found || !strcmp(e->text, *n);
	return !search->found;
}

static bool uses_name(struct bt_probe *p, const char *const *names)
{
	struct name_search search = {.names = names};
	struct bt_walk w = {.expr = note_name, .arg = &search};
	bt_walk_expr(&w, p->predicate);
	bt_walk_block(&w, p->body);
	return search.found;
}

/* Does the handler look at what differs from place to place? */
static bool uses_args(struct bt_probe *p)
{
	static const char *const names[] = {"args", "__builtin_args", "retval", "ctx", "__builtin_retval", NULL};
	return uses_name(p, names);
}

static bool uses_locals(struct bt_probe *p)
{
	static const char *const names[] = {"local", NULL};
	return uses_name(p, names);
}

static bool same_record(const struct type *a, const struct type *b)
{
	if (a == b || !a || !b)
		return a == b;
	if (a->nfield != b->nfield || a->is_ctx_based != b->is_ctx_based)
		return false;
	for (uint32_t i = 0; i < a->nfield; i++) {
		const struct field *f = &a->field[i], *g = &b->field[i];
		if (!str_eq(f->name, g->name) || f->offset != g->offset ||
		    f->data_loc != g->data_loc || !type_equal(f->type, g->type))
			return false;
	}
	return true;
}

static bool same_args(const struct probe_args *a, const struct probe_args *b)
{
	if (a == b || !a || !b)
		return a == b;
	bool ret = a->ret == b->ret || (a->ret && b->ret && type_equal(a->ret, b->ret));
	if (a->nmissing != b->nmissing)
		return false;
	for (uint32_t i = 0; i < a->nmissing; i++)
		if (strcmp(a->missing[i]->name, b->missing[i]->name) != 0)
			return false;
	return ret && a->from_ctx == b->from_ctx && same_record(a->record, b->record);
}

/* A copy of the handler for places of its own. */
static struct bt_probe *copy_probe(struct bt_sema *s, struct bt_probe *p)
{
	struct bt_copy how = {.a = s->in->arena};
	struct bt_probe *n = arena_memdup(s->in->arena, p, sizeof(*p));
	n->predicate = bt_clone_expr(&how, p->predicate);
	n->body = bt_clone_block(&how, p->body);
	n->matched = (struct attach_points){0};
	s->has_copies = true;
	return n;
}

struct group {
	enum probe_kind kind;
	bool syscalls; /* whose pointers are the user's */
	struct probe_args *args, *locals;
	struct bt_probe *probe;
};

/* The probe that handles places like p: the original for the first kind of place, a copy for any
 * other. */
static struct bt_probe *probe_for(struct bt_sema *s, struct bt_probe *original,
				  struct bt_probe **last, struct attach_point *p, bool by_args,
				  bool by_locals, struct group *groups, size_t *n)
{
	struct probe_args *locals = by_locals ? probe_locals(s->in->world, p, s->in->arena) : NULL;
	struct probe_args *args = by_args ? probe_arguments(s->in->world, p, s->in->arena) : NULL;
	bool syscalls = p->kind == PK_TRACEPOINT && str_eq(p->target, "syscalls");
	for (size_t i = 0; i < *n; i++)
		if (groups[i].kind == p->kind && groups[i].syscalls == syscalls &&
		    same_args(groups[i].args, args) && same_args(groups[i].locals, locals))
			return groups[i].probe;
	struct bt_probe *probe = original;
	if (*n) {
		probe = copy_probe(s, original);
		probe->next = (*last)->next;
		(*last)->next = probe;
		*last = probe;
	}
	probe->args = args;
	probe->locals = locals;
	groups[(*n)++] = (struct group){p->kind, syscalls, args, locals, probe};
	return probe;
}

/* Handlers that came from one know what the others see. */
static void introduce(struct bt_sema *s, const struct group *groups, size_t n)
{
	struct bt_siblings *all = arena_new(s->in->arena, struct bt_siblings);
	all->args = arena_array(s->in->arena, const struct probe_args *, n);
	all->locals = arena_array(s->in->arena, const struct probe_args *, n);
	for (size_t i = 0; i < n; i++) {
		all->args[i] = groups[i].args;
		all->locals[i] = groups[i].locals;
		groups[i].probe->siblings = all;
	}
	all->n = n;
}

/* Places of one probe after it are alike; returns the last of the probes that came from p. */
static struct bt_probe *split(struct bt_sema *s, struct bt_probe *p)
{
	bool by_args = uses_args(p), by_locals = uses_locals(p);
	size_t n = 0, total = p->matched.list.len;
	struct attach_points all = p->matched;
	struct group *groups = arena_array(s->in->arena, struct group, total);
	struct bt_probe *last = p;
	p->matched = (struct attach_points){0};
	for (size_t i = 0; i < total; i++) {
		struct bt_probe *to = probe_for(s, p, &last, all.list.at[i], by_args, by_locals, groups, &n);
		vec_push(&to->matched.list, all.list.at[i]);
	}
	vec_free(&all.list);
	if (n > 1 && (by_args || by_locals))
		introduce(s, groups, n);
	return last;
}

/* --- the script ---------------------------------------------------------------------------------
 */

static void nowhere(struct bt_sema *s, struct bt_probe *p, bool is_said)
{
	if (s->in->opt.missing_probes == 0 && !is_said) {
		struct diag *d = bt_err_now(
			s, p->loc,
			"Probe has no valid attach points. If this is expected, set the 'missing_probes' "
			"config variable to 'warn'.");
		if (p->npoint == 1)
			hint_nearest(s, d, &p->point[0].spec);
	} else if (s->in->opt.missing_probes == 1) {
		bt_warn_now(
			s, p->loc,
			"Probe has no valid attach points. It is being removed which may cause issues "
			"with program behavior.");
	}
}

static bool match_all(struct bt_sema *s)
{
	size_t total = 0;
	for (struct bt_probe **at = &s->script->probe; *at;) {
		struct bt_probe *p = *at;
		unsigned errors = s->in->diags->errors;
		match_points(s, p);
		total += programs_of(s, p);
		if (p->npoint && too_many(s, p, total))
			return false;
		if (p->matched.list.len) {
			at = &split(s, p)->next;
			continue;
		}
		nowhere(s, p, s->in->diags->errors > errors);
		*at = p->next; /* it is gone */
	}
	return !s->in->diags->errors;
}

bool bt_match_probes(struct bt_sema *s)
{
	bool ok = match_all(s);

	for (struct bt_probe *p = s->script->probe; p; p = p->next) { /* the lists live as long as the script */
		struct attach_point **grown = p->matched.list.at;
		size_t n = p->matched.list.len;

		p->matched.list.at = arena_memdup(s->in->arena, grown, n * sizeof(*grown));
		p->matched.list.cap = n;
		free(grown);
	}
	return ok;
}

enum addr_space bt_probe_space(const struct bt_sema *s)
{
	switch (s->point ? s->point->kind : PK_COUNT) {
	case PK_KPROBE:
	case PK_KRETPROBE:
	case PK_FENTRY:
	case PK_FEXIT:
	case PK_TRACEPOINT:
	case PK_RAWTRACEPOINT:
	case PK_LSM:
	case PK_ITER: return AS_KERNEL;
	case PK_UPROBE:
	case PK_URETPROBE:
	case PK_USDT: return AS_USER;
	default: return AS_NONE;
	}
}
