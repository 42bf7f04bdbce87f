/* probe_near.c - what a probe that matches nothing may have been meant to be. */
#include "lang/probe_internal.h"

#include <stdlib.h>
#include <string.h>

/* A search through names, with the best one so far.  Found names are kept in the arena. */
struct search {
	struct nearest near;
	struct arena *arena;
	const char *category; /* tracepoints: only of this one; NULL any */
	const char *exact;    /* this name in any category or module is best of all */
	const char *module;   /* functions: only of this one ("vmlinux": of none); NULL any */
	bool is_there;	      /* functions: the very one that was asked for exists, it just cannot be probed */
};

static bool offer(struct search *s, const char *name)
{
	return nearest_add(&s->near, name);
}

/* --- tracepoints ----------------------------------------------------------------------------------
 */

static void event(void *arg, const char *category, const char *name)
{
	struct search *s = arg;
	if (s->exact && !strcmp(s->exact, name))
		s->near = (struct nearest){.best = arena_printf(s->arena, "%s:%s", category, name)};
	else if (!s->exact && !strcmp(s->category, category) && offer(s, name))
		s->near.best = arena_strdup(s->arena, name);
}

static void category_of(void *arg, const char *category, const char *name)
{
	struct search *s = arg;
	if (offer(s, category))
		s->near.best = arena_strdup(s->arena, category);
}

/* The event in another category; a like name in this category, or in the one that is like it. */
static const char *near_tracepoint(struct world *w, const struct probe_spec *spec, struct arena *a)
{
	struct search s = {.arena = a, .exact = spec->func};
	tracefs_events(w, event, &s);
	if (s.near.best)
		return s.near.best;
	if (!spec->target)
		return NULL;
	s = (struct search){.arena = a, .near = nearest_begin(spec->target)};
	tracefs_events(w, category_of, &s);
	const char *category = s.near.best;
	if (!category)
		return NULL;
	s = (struct search){
		.arena = a, .near = nearest_begin(spec->func), .category = category};
	tracefs_events(w, event, &s);
	return s.near.best ? arena_printf(a, "%s:%s", category, s.near.best) : NULL;
}

/* --- functions ------------------------------------------------------------------------------------
 */

static void ksym(void *arg, const char *name, const char *module)
{
	struct search *s = arg;
	const char *owner = module ? module : "vmlinux";
	bool is_here = !s->module || !strcmp(s->module, owner);
	if (!strcmp(name, s->exact) && is_here)
		s->is_there = true;
	else if (!strcmp(name, s->exact))
		s->near = (struct nearest){.best = arena_printf(s->arena, "%s:%s", owner, name)};
	else if (is_here && offer(s, name))
		s->near.best = s->module ? arena_printf(s->arena, "%s:%s", s->module, name) : arena_strdup(s->arena, name);
}

/* The function in another module; a like name in the module that was named. */
static const char *near_kernel_function(struct world *w, const struct probe_spec *spec, struct arena *a)
{
	struct search s = {.arena = a, .near = nearest_begin(spec->func), .exact = spec->func, .module = spec->target};
	kallsyms_each(world_kallsyms(w), "tT", ksym, &s);
	return s.is_there ? NULL : s.near.best;
}

static const char *near_user_function(struct world *w, const struct probe_spec *spec,
				      struct arena *a)
{
	struct search s = {.arena = a, .near = nearest_begin(spec->func)};
	struct str_list paths = {0};
	struct elf_file *f;
	err_free(elf_resolve_path(w, spec->target, &paths));
	vec_each(path, &paths.list) {
		struct err *e = elf_open(w, *path, &f);
		size_t n = 0;
		const struct elf_symbol *sym = e ? NULL : elf_symbols(f, &n);
		for (size_t i = 0; i < n; i++)
			if (sym[i].is_func && !sym[i].is_undefined)
				offer(&s, sym[i].name);
		err_free(e);
	}
	vec_free(&paths.list);
	return s.near.best ? arena_printf(a, "%s:%s", spec->target, s.near.best) : NULL;
}

static const char *near_usdt(struct world *w, const struct probe_spec *spec, struct arena *a)
{
	struct search s = {.arena = a, .near = nearest_begin(spec->func)};
	struct str_list paths = {0};
	struct elf_file *f;
	const char *provider = NULL;
	err_free(elf_resolve_path(w, spec->target, &paths));
	vec_each(path, &paths.list) {
		struct err *e = elf_open(w, *path, &f);
		size_t n = 0;
		const struct usdt_site *site = e ? NULL : elf_usdt(f, &n);
		for (size_t i = 0; i < n; i++)
			if (offer(&s, site[i].name))
				provider = site[i].provider;
		err_free(e);
	}
	vec_free(&paths.list);
	return s.near.best ? arena_printf(a, "%s:%s:%s", spec->target, provider, s.near.best) : NULL;
}

/* --- types of BTF that stand for probes -------------------------------------------------------------
 */

struct prefixed {
	struct search s;
	const char *prefix;
};

static void btf_name(void *arg, const char *name, uint32_t id)
{
	struct prefixed *p = arg;
	if (str_has_prefix(name, p->prefix))
		offer(&p->s, name + strlen(p->prefix));
}

static const char *near_btf(struct world *w, const struct probe_spec *spec,
			    enum btf_namespace ns, const char *prefix)
{
	struct prefixed p = {.s.near = nearest_begin(spec->func), .prefix = prefix};
	struct btf *b = world_btf(w, NULL);
	if (b)
		btf_each(b, ns, btf_name, &p);
	return p.s.near.best;
}

const char *probe_nearest(struct world *w, const struct probe_spec *spec, struct arena *a)
{
	const char *name = NULL;
	bool any_module = spec->kind == PK_RAWTRACEPOINT; /* its target is a module, `*` when none is named */
	if (!spec->func || is_pattern(spec->func) || (is_pattern(spec->target) && !any_module))
		return NULL;
	switch (spec->kind) {
	case PK_TRACEPOINT: name = near_tracepoint(w, spec, a); break;
	case PK_RAWTRACEPOINT: name = near_btf(w, spec, BTF_NS_TYPEDEF, "btf_trace_"); break;
	case PK_ITER: name = near_btf(w, spec, BTF_NS_STRUCT, "bpf_iter__"); break;
	case PK_KPROBE:
	case PK_KRETPROBE:
	case PK_FENTRY:
	case PK_FEXIT: name = near_kernel_function(w, spec, a); break;
	case PK_UPROBE:
	case PK_URETPROBE: name = spec->target ? near_user_function(w, spec, a) : NULL; break;
	case PK_USDT: name = spec->target ? near_usdt(w, spec, a) : NULL; break;
	default: break;
	}
	return name ? arena_printf(a, "%s:%s", probe_kind_info(spec->kind)->name, name) : NULL;
}
