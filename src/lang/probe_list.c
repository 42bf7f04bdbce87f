/* probe_list.c - listing what can be probed, in bpftrace's order and words. */
#include "lang/probe_internal.h"

#include <stdlib.h>
#include <unistd.h>

struct listing {
	struct world *world;
	struct arena *arena;
	bool with_args;
	void (*fn)(void *arg, const char *name, const char *const *lines, unsigned n);
	void *arg;
	const char *pattern; /* what a name must match behind "kind:"; for plain names */
	struct names *plain;
};

/* Families in the order in which they are printed: by name. */
static const struct listed {
	enum probe_kind kind;
	bool is_user;             /* needs a binary, a pid, or its name written out */
	bool only_named;          /* not part of "everything" */
	const char *const *names; /* a fixed list */
} listed[] = {
	{PK_FENTRY       },
	{					    PK_FEXIT,           false, true},
	{					PK_HARDWARE     },
	{    PK_INTERVAL,           false, true, (const char *const[]){"hz:", "ms:", "s:", "us:", NULL}},
	{					PK_ITER               },
	{	     PK_KPROBE       },
	{			       PK_KRETPROBE,           false, true},
	{					PK_LSM,           false, true},
	{PK_PROFILE,                false, true, (const char *const[]){"hz:", "ms:", "s:", "us:", NULL}},
	{						   PK_RAWTRACEPOINT           },
	{ PK_SELF, false, true, (const char *const[]){"signal:SIGUSR1", NULL}},
	{PK_SOFTWARE          },
	{						  PK_TRACEPOINT               },
	{								   PK_UPROBE,    true},
	{PK_URETPROBE,         true, true},
	{						    PK_USDT,    true},
};

/* --- parameter lines
 * --------------------------------------------------------------------------------------- */

struct lines {
	VEC(const char *) list;
};

static void indent(struct listing *l, struct lines *out, const char *decl)
{
	if (decl)
		vec_push(&out->list, arena_printf(l->arena, "    %s", decl));
}

/* kprobes see registers: arg0.. for what travels in integer registers. */
static void kprobe_lines(struct listing *l, const struct attach_point *p, struct lines *out)
{
	struct btf *b = world_module_btf(l->world, p->target ? p->target : "vmlinux");
	uint32_t id = b && p->func ? btf_find(b, BTF_NS_FUNC, p->func) : 0, ret = 0;
	struct btf_params params = {0};
	struct buf text = {0};
	unsigned n = 0;
	bool found = id && btf_func(b, id, &params, &ret);
	if (found && p->kind == PK_KPROBE)
		vec_each(param, &params.list) {
			struct type *t = btf_type(b, param->type_id, AS_KERNEL, l->arena);
			if (t && t->kind == TYPE_FLOAT)
				continue;
			_cleanup_free_ char *name = xasprintf("arg%u", n++);
			buf_clear(&text);
			btf_spell_decl(b, param->type_id, name, &text);
			indent(l, out, text.data);
		}
	if (found && p->kind == PK_KRETPROBE) {
		if (ret)
			btf_spell_decl(b, ret, "retval", &text);
		else
			buf_puts(&text, "void");
		indent(l, out, text.data);
	}
	buf_free(&text);
	vec_free(&params.list);
}

static struct probe_args *visible(struct listing *l, const struct attach_point *p)
{
	/* in the middle of a function the locals are there too */
	bool is_line = (p->kind == PK_UPROBE || p->kind == PK_KPROBE) && p->func_id && !p->is_entry;
	return is_line ? probe_locals(l->world, p, l->arena) : probe_arguments(l->world, p, l->arena);
}

/* --- one name for several places: what all of them see, what some, what none */

struct seen {
	const char *decl, *why; /* why: it cannot be read at one of them */
	unsigned readable;
};
struct all_seen {
	VEC(struct seen) list;
};

static void see(struct all_seen *all, const char *decl, const char *why)
{
	struct seen *at = NULL;
	vec_each(s, &all->list)
		if (str_eq(s->decl, decl))
			at = s;
	if (!at) {
		vec_push(&all->list, ((struct seen){.decl = decl}));
		at = &all->list.at[all->list.len - 1];
	}
	at->readable += !why;
	at->why = why ? why : at->why;
}

static void shared_lines(struct listing *l, struct attach_point *const *p, unsigned n, struct lines *out)
{
	struct all_seen all = {0};
	for (unsigned i = 0; i < n; i++) {
		struct probe_args *args = visible(l, p[i]);
		for (uint32_t k = 0; args && args->record && args->var && k < args->record->nfield; k++)
			see(&all, args->decl[k], NULL);
		for (uint32_t k = 0; args && k < args->nmissing; k++)
			see(&all, args->missing[k]->decl, args->missing[k]->missing);
	}
	vec_each(s, &all.list)
		if (s->readable == n)
			indent(l, out, s->decl);
	vec_each(s, &all.list)
		if (s->readable && s->readable < n)
			indent(l, out, arena_printf(l->arena, "%s (at %u of %u places)", s->decl, s->readable, n));
	vec_each(s, &all.list)
		if (!s->readable)
			indent(l, out, arena_printf(l->arena, "%s (%s)", s->decl, s->why));
	vec_free(&all.list);
}

static void typed_lines(struct listing *l, const struct attach_point *p, struct lines *out)
{
	struct probe_args *args = visible(l, p);
	/* the first argument of an iterator is its own state */
	for (uint32_t i = p->kind == PK_ITER; args && args->record && i < args->record->nfield; i++)
		indent(l, out, args->decl[i]);
	for (uint32_t i = 0; args && i < args->nmissing; i++)
		indent(l, out, arena_printf(l->arena, "%s (%s)", args->missing[i]->decl, args->missing[i]->missing));
	if (args && args->ret_var && args->ret_var->loc)
		indent(l, out, args->ret_var->decl);
	else if (args && args->ret_var)
		indent(l, out, arena_printf(l->arena, "%s (%s)", args->ret_var->decl, args->ret_var->missing));
	struct btf *b = p->kind == PK_FEXIT ? world_module_btf(l->world, p->target) : NULL;
	struct btf_params params = {0};
	uint32_t ret = 0;
	if (b && btf_func(b, p->btf_id, &params, &ret) && ret) {
		struct buf text = {0};
		btf_spell_decl(b, ret, "retval", &text);
		indent(l, out, text.data);
		buf_free(&text);
	}
	vec_free(&params.list);
}

/* n places of one name */
static void emit(struct listing *l, struct attach_point *const *points, unsigned n)
{
	const struct attach_point *p = points[0];
	struct lines lines = {0};
	if (l->with_args && n > 1 && (p->kind == PK_UPROBE || probe_is_kernel_place(p)))
		shared_lines(l, points, n, &lines);
	else if (l->with_args && !probe_is_kernel_place(p) && (p->kind == PK_KPROBE || p->kind == PK_KRETPROBE))
		kprobe_lines(l, p, &lines);
	else if (l->with_args)
		typed_lines(l, p, &lines);
	l->fn(l->arg, p->name, lines.list.at, (unsigned)lines.list.len);
	vec_free(&lines.list);
}

/* --- matching
 * ---------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct attach_point *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static void emit_all(struct listing *l, struct attach_points *points)
{
	if (points->list.len)
		qsort(points->list.at, points->list.len, sizeof(*points->list.at), by_name);
	for (size_t i = 0, end; i < points->list.len; i = end) {
		for (end = i + 1; end < points->list.len && str_eq(points->list.at[i]->name, points->list.at[end]->name);)
			end++;
		emit(l, points->list.at + i, (unsigned)(end - i));
	}
}

static void plain_name(void *arg, const char *name)
{
	struct listing *l = arg;
	_cleanup_free_ char *text = xasprintf("%s:", name);
	if (glob_match(l->pattern, text) || glob_match(l->pattern, name))
		names_add(l->plain, text, strlen(text));
}

static void list_plain(struct listing *l, const struct listed *k, const char *pattern)
{
	struct names names = {.arena = l->arena};
	l->pattern = pattern;
	l->plain = &names;
	for (const char *const *s = k->names; s && *s; s++)
		if (glob_match(pattern, *s))
			names_add(&names, *s, strlen(*s));
	if (!k->names)
		perf_event_names(k->kind, plain_name, l);
	names_sort(&names);
	vec_each(name, &names.list)
		l->fn(l->arg,
		      arena_printf(l->arena, "%s:%s", probe_kind_info(k->kind)->name, *name), NULL,
		      0);
	names_free(&names);
}

/* Parts of the pattern behind the kind; up to three. */
struct parts {
	const char *at[3];
	unsigned n;
	const char *whole;
};

static struct parts split(struct arena *a, const char *pattern)
{
	struct parts p = {.whole = *pattern ? pattern : "*"};
	char *s = arena_strdup(a, p.whole);
	while (p.n < 3) {
		p.at[p.n++] = s;
		s = p.n < 3 ? strchr(s, ':') : NULL;
		if (!s)
			break;
		*s++ = 0;
	}
	return p;
}

static void list_family(struct listing *l, const struct listed *k, const struct parts *parts)
{
	if (k->names || k->kind == PK_SOFTWARE || k->kind == PK_HARDWARE) {
		list_plain(l, k, parts->whole);
		return;
	}
	struct probe_spec spec = {.kind = k->kind};
	const char *last = parts->at[parts->n - 1];
	bool has_target = parts->n > 1;
	spec.func = last && *last ? last : "*";
	spec.target = has_target ? parts->at[0] : NULL;
	char *at = (k->kind == PK_UPROBE || k->kind == PK_KPROBE) && has_target ? strchr(parts->at[0], '@') : NULL;
	if (at) { /* BINARY@FILE:LINE[:COLUMN] */
		spec.target = at > parts->at[0] ? arena_strndup(l->arena, parts->at[0], (size_t)(at - parts->at[0])) : NULL;
		spec.file = at + 1;
		spec.func = NULL;
		spec.line = (uint32_t)strtoul(parts->at[1], NULL, 10);
		spec.col = parts->n == 3 ? (uint32_t)strtoul(parts->at[2], NULL, 10) : 0;
	}
	if (parts->n == 3 && k->kind == PK_USDT)
		spec.provider = parts->at[1];
	if (parts->n == 3 && !strcmp(parts->at[1], "cpp"))
		spec.cpp = true;
	if (k->kind == PK_TRACEPOINT && !has_target)
		spec.target = "*";
	if (k->is_user && !has_target) {
		spec.target = l->world->pid ? "*" : parts->at[0];
		spec.func = l->world->pid ? parts->at[0] : "*";
	}
	struct attach_points points = {0};
	probe_expand(l->world, &spec, l->arena, NULL, &points);
	emit_all(l, &points);
	vec_free(&points.list);
}

static bool is_wanted(struct listing *l, const struct listed *k, const char *kind_pattern,
		      const struct parts *parts)
{
	const struct probe_kind_info *info = probe_kind_info(k->kind);
	if (!is_pattern(kind_pattern)) {
		const struct probe_kind_info *named = probe_kind_by_name(kind_pattern);
		return named == info;
	}
	if (!glob_match(kind_pattern, info->name) || k->only_named)
		return false;
	if (!k->is_user)
		return true;
	return l->world->pid ||
	       (parts->n > 1 && !is_pattern(parts->at[0]) && !access(parts->at[0], F_OK));
}

void probe_list(struct world *w, const char *pattern, bool with_args, struct arena *a,
		void (*fn)(void *arg, const char *name, const char *const *lines, unsigned n),
		void *arg)
{
	struct listing l = {w, a, with_args, fn, arg};
	if (!pattern || !*pattern)
		pattern = "*";
	const char *colon = strchr(pattern, ':'), *at = strchr(pattern, '@');
	if (at && at < colon) { /* kprobe@FILE:LINE */
		pattern = arena_printf(a, "%.*s:%s", (int)(at - pattern), pattern, at);
		colon = strchr(pattern, ':');
	}
	/* "*sleep*" is a search in every family, "kprobe" asks for all of one */
	const char *kind = colon ? arena_strndup(a, pattern, (size_t)(colon - pattern))
			   : probe_kind_by_name(pattern) ? pattern
							 : "*";
	if (colon == pattern)
		kind = "*";
	struct parts parts = split(a, colon ? colon + 1 : kind == pattern ? "*" : pattern);
	for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
		if (is_wanted(&l, &listed[i], kind, &parts))
			list_family(&l, &listed[i], &parts);
}
