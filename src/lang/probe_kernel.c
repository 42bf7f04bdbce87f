/* probe_kernel.c - kernel functions, tracepoints of all kinds, iterators. */
#include "lang/probe_internal.h"

#include <fnmatch.h>
#include <unistd.h>

/* --- which functions can be probed
 * ------------------------------------------------------------------------- */

/* Probing these hangs or breaks a kernel, or they only look like functions. */
static const char *const bad_functions[] = {
	"arch_cpu_idle",
	"default_idle",
	"bpf_dispatcher_xdp_func",
	"rcu_*",
	"__ftrace_invalid_address__*",
	"*.part.*",
	"*.cold",
	"*.cold.*",
	"__pfx_*",
	"__cfi_*",
};

static bool is_bad(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_functions); i++)
		if (glob_match(bad_functions[i], name))
			return true;
	return false;
}

bool probe_module_exists(const struct world *w, const char *module)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/module/%s", w->root, module);
	return !strcmp(module, "vmlinux") || (!strchr(module, '/') && !access(path, F_OK));
}

/* The id in the BTF of a module (NULL: vmlinux) of what that module defines itself; 0: nothing. */
static uint32_t find_own(struct world *w, const char *module, enum btf_namespace ns, const char *name)
{
	bool is_base = !module || !strcmp(module, "vmlinux");
	struct btf *base = world_btf(w, NULL), *b = is_base ? base : world_module_btf(w, module);
	uint32_t id = b ? btf_find(b, ns, name) : 0;
	return id && !is_base && base && btf_find(base, ns, name) == id ? 0 : id;
}

struct func_search {
	const char *module, *pattern; /* globs; module NULL: any, and left out of the names */
	struct names *found;          /* "module:func", or "func" */
	char *text;                   /* scratch */
};

/* Names of functions hold none of these, so that SystemTap's ? and [] can be told. */
static bool is_glob(const char *s)
{
	return s && strpbrk(s, "*?[");
}

static bool func_matches(const char *pattern, const char *func)
{
	return strpbrk(pattern, "?[") ? !fnmatch(pattern, func, 0) : glob_match(pattern, func);
}

static void consider(struct func_search *s, const char *func, const char *module)
{
	module = module ? module : "vmlinux";
	if (!func_matches(s->pattern, func) || (s->module && !glob_match(s->module, module)) ||
	    is_bad(func))
		return;
	if (!s->module) {
		names_add(s->found, func, strlen(func));
		return;
	}
	_cleanup_free_ char *name = xasprintf("%s:%s", module, func);
	names_add(s->found, name, strlen(name));
}

static void consider_ksym(void *arg, const char *name, const char *module)
{
	consider(arg, name, module);
}

/* The list of functions; the kernel takes tens of milliseconds to write it, so it is read once.  NULL: it may not be read. */
static const char *list_of_functions(struct world *w)
{
	if (w->functions)
		return w->functions;
	_cleanup_free_ char *path =
		w->functions_path ? xstrdup(w->functions_path)
		: w->tracefs	  ? xasprintf("%s/available_filter_functions", w->tracefs)
				  : NULL;
	_cleanup_free_ char *text = path ? read_file(path, NULL) : NULL;
	if (text)
		w->functions = arena_strdup(w->arena, text);
	return w->functions;
}

/* Lines "func" or "func [module]"; false when the file may not be read. */
static bool from_ftrace(struct world *w, struct func_search *s)
{
	const char *list = list_of_functions(w);
	_cleanup_free_ char *text = list ? xstrdup(list) : NULL;
	if (!text || !*text)
		return w->functions_path != NULL; /* a list that the user names is the list, though it be empty */
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *module = strstr(line, " [");
		if (module) {
			*module = 0;
			module += 2;
			module[strcspn(module, "]")] = 0;
		}
		consider(s, line, module);
	}
	return true;
}

static void find_functions(struct world *w, const char *module, const char *pattern,
			   struct names *found)
{
	struct func_search s = {module, pattern, found};
	if (!from_ftrace(w, &s))
		kallsyms_each(world_kallsyms(w), "tT", consider_ksym, &s);
	names_sort(found);
}

/* Cheap first: BTF knows nearly all functions, and the lists of symbols take tens of milliseconds.
 */
static bool function_exists(struct world *w, const char *module, const char *func)
{
	if (!w->functions_path && find_own(w, module, BTF_NS_FUNC, func))
		return true;
	struct names found = {.arena = w->arena};
	find_functions(w, module, func, &found);
	bool exists = found.list.len;
	names_free(&found);
	return exists;
}

/* A name of the same code as a function that the lists have: they know one name an address (`__do_sys_getppid`, which
 * is `__x64_sys_getppid`, too). */
static bool is_alias(struct world *w, const char *module, const char *func)
{
	struct kallsyms *k = world_kallsyms(w);
	const struct ksym *sym = kallsyms_by_name(k, func);
	const struct ksym *other = sym && strchr("tT", sym->kind) && sym->addr ? kallsyms_by_addr(k, sym->addr) : NULL;
	return other && strcmp(other->name, func) != 0 && other->addr == sym->addr && function_exists(w, module, other->name);
}

/* --- kprobe
 * ------------------------------------------------------------------------------------------------
 */

static void add_kprobe(struct expansion *x, const char *module, const char *func)
{
	const struct probe_spec *s = x->spec;
	struct buf name = {0};
	buf_printf(&name, "%s%s%s", module ? module : "", module ? ":" : "", func);
	if (s->offset)
		buf_printf(&name, "+%llu", (unsigned long long)s->offset);
	struct attach_point *p = expansion_add(x, "%s", name.data);
	buf_free(&name);
	p->target = module;
	p->func = func;
	p->offset = s->offset;
}

/* "module:func" taken apart; module NULL when there is none. */
static void split_name(struct arena *a, const char *name, const char **module, const char **func)
{
	const char *colon = strchr(name, ':');
	*module = colon ? arena_strndup(a, name, (size_t)(colon - name)) : NULL;
	*func = arena_strdup(a, colon ? colon + 1 : name);
}

/* Functions that other files of the kernel see: the list of symbols has them as T. */
static bool is_external(struct world *w, const char *func)
{
	const struct ksym *sym = kallsyms_by_name(world_kallsyms(w), func);
	return sym && sym->kind == 'T';
}

static void note_external(void *arg, const char *name, const char *module)
{
	(void)module;
	strtab_set(arg, name, arg);
}

/* Leaves those of the names, "module:func" or "func", that are external; both lists are long, so one goes into a table. */
static void keep_external(struct world *w, struct names *found)
{
	struct strtab external = {0};
	size_t kept = 0;
	kallsyms_each(world_kallsyms(w), "T", note_external, &external);
	vec_each(name, &found->list) {
		const char *colon = strchr(*name, ':');
		if (strtab_get(&external, colon ? colon + 1 : *name))
			found->list.at[kept++] = *name;
	}
	found->list.len = kept;
	strtab_free(&external);
}

/* Places that only debug information knows. */
static void expand_by_source(struct expansion *x)
{
	const char *why = NULL;
	size_t before = x->ret->list.len;
	if (!expand_kernel_source(x, true, &why) && x->ret->list.len == before)
		expansion_error(x, "%s", why);
}

void expand_kprobe(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	if (s->file || s->statement || s->label || s->callee || (s->instances & (DWARF_INLINED | DWARF_CONCRETE))) {
		expand_by_source(x);
		return;
	}
	if (s->has_address || !s->func) {
		struct attach_point *p = expansion_add(x, "%llu", (unsigned long long)s->address);
		p->address = s->address;
		return;
	}
	if (!is_glob(s->func) && !is_pattern(s->target)) {
		if ((function_exists(x->world, s->target, s->func) || is_alias(x->world, s->target, s->func)) && (!(s->instances & DWARF_EXTERNAL_ONLY) || is_external(x->world, s->func)))
			add_kprobe(x, s->target, s->func);
		else if (!s->offset && !s->instances)
			expand_kernel_source(x, false, &(const char *){NULL}); /* it may be inlined wherever it is called */
		return;
	}
	struct names found = {.arena = x->arena};
	find_functions(x->world, s->target, s->func, &found);
	if (s->instances & DWARF_EXTERNAL_ONLY)
		keep_external(x->world, &found);
	vec_each(name, &found.list) {
		const char *module, *func;
		split_name(x->arena, *name, &module, &func);
		add_kprobe(x, module, func);
	}
	names_free(&found);
}

/* --- fentry, fexit
 * ----------------------------------------------------------------------------------------- */

static struct attach_point *add_typed(struct expansion *x, const char *module, const char *func,
				      uint32_t id)
{
	struct attach_point *p = expansion_add(x, "%s:%s", module, func);
	p->target = module;
	p->func = func;
	p->btf_id = id;
	return p;
}

/* Names of loaded modules with BTF, "vmlinux" first. */
static void module_names(struct world *w, const char *pattern, struct names *found)
{
	struct str_list all = {0};
	world_btf_modules(w, found->arena, &all);
	vec_each(m, &all.list)
		if (glob_match(pattern, *m))
			names_add(found, *m, strlen(*m));
	vec_free(&all.list);
	names_sort(found);
	if (glob_match(pattern, "vmlinux"))
		names_add(found, "vmlinux", 7);
}

struct btf_search {
	const char *pattern, *prefix; /* a name must start with prefix, the rest match */
	struct names *found;
};

static void consider_btf(void *arg, const char *name, uint32_t id)
{
	struct btf_search *s = arg;
	if (str_has_prefix(name, s->prefix) && glob_match(s->pattern, name + strlen(s->prefix)) &&
	    !is_bad(name + strlen(s->prefix)))
		names_add(s->found, name + strlen(s->prefix), strlen(name) - strlen(s->prefix));
}

static void find_in_btf(struct btf *b, enum btf_namespace ns, const char *prefix,
			const char *pattern, struct names *found)
{
	struct btf_search s = {pattern, prefix, found};
	btf_each(b, ns, consider_btf, &s);
	names_sort(found);
}

static void fentry_exact(struct expansion *x, const char *module)
{
	uint32_t id = find_own(x->world, module, BTF_NS_FUNC, x->spec->func);
	if (id)
		add_typed(x, module, x->spec->func, id);
}

static void consider_prog(void *arg, const struct bpf_prog_desc *d)
{
	struct expansion *x = arg;
	if (!glob_match(x->spec->func, d->name) || (x->spec->prog_id && x->spec->prog_id != d->id))
		return;
	struct attach_point *p = expansion_add(x, "bpf:%u:%s", d->id, d->name);
	p->target = "bpf";
	p->func = arena_strdup(x->arena, d->name);
	p->btf_id = d->func;
	p->prog_id = d->id;
}

/* Of a pattern those are left out that the kernel refuses a program: by their types, and what programs themselves run on (btf_id_deny in
 * kernel/bpf/verifier.c). */
static void add_hook(struct expansion *x, const char *module, const char *func, struct btf *b, uint32_t id)
{
	static const char *const denied[] = {"__rcu_read_lock", "__rcu_read_unlock", "migrate_*able", "__migrate_*able", "preempt_count_add", "preempt_count_sub"};
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		if (glob_match(denied[i], func))
			return;
	if (id && b && btf_func_is_traceable(b, id))
		add_typed(x, module, func, id);
}

void expand_fentry(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	const char *module = s->target ? s->target : "*";
	if (!s->func)
		return;
	if (!strcmp(module, "bpf")) {
		bpf_progs_each(consider_prog, x);
		return;
	}
	if (!is_pattern(s->func) && !is_pattern(s->target)) {
		fentry_exact(x, s->target ? s->target : "vmlinux");
		if (s->target || x->ret->list.len)
			return;
	}
	/* what ftrace can hook, where it says so; everything with a type otherwise */
	struct names modules = {.arena = x->arena}, hooks = {.arena = x->arena};
	struct func_search search = {module, s->func, &hooks};
	if (from_ftrace(x->world, &search)) {
		names_sort(&hooks);
		vec_each(name, &hooks.list) {
			const char *m, *func;
			split_name(x->arena, *name, &m, &func);
			uint32_t id = find_own(x->world, m, BTF_NS_FUNC, func);
			add_hook(x, m, func, world_module_btf(x->world, m ? m : "vmlinux"), id);
		}
	} else {
		module_names(x->world, module, &modules);
		vec_each(m, &modules.list) {
			struct btf *b = world_module_btf(x->world, *m);
			struct names found = {.arena = x->arena};
			if (b)
				find_in_btf(b, BTF_NS_FUNC, "", s->func, &found);
			vec_each(func, &found.list)
				add_hook(x, *m, *func, b, btf_find(b, BTF_NS_FUNC, *func));
			names_free(&found);
		}
	}
	names_free(&hooks);
	names_free(&modules);
}

void expand_lsm(struct expansion *x)
{
	struct btf *b = world_btf(x->world, NULL);
	struct names found = {.arena = x->arena};
	if (b && x->spec->func)
		find_in_btf(b, BTF_NS_FUNC, "bpf_lsm_", x->spec->func, &found);
	vec_each(hook, &found.list) {
		struct attach_point *p = expansion_add(x, "%s", *hook);
		p->func = arena_printf(x->arena, "bpf_lsm_%s", *hook);
		p->btf_id = btf_find(b, BTF_NS_FUNC, p->func);
	}
	names_free(&found);
}

/* --- tracepoints
 * ------------------------------------------------------------------------------------------- */

static void add_tracepoint(struct expansion *x, const char *category, const char *name)
{
	struct attach_point *p = expansion_add(x, "%s:%s", category, name);
	p->target = arena_strdup(x->arena, category);
	p->func = arena_strdup(x->arena, name);
	probe_avoid_preemption(x->world, p);
}

static void consider_event(void *arg, const char *category, const char *name)
{
	struct expansion *x = arg;
	if (glob_match(x->spec->func, name))
		add_tracepoint(x, category, name);
}

void expand_tracepoint(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	if (!s->target || !s->func || !x->world->tracefs)
		return;
	if (is_pattern(s->target) || is_pattern(s->func)) {
		tracefs_events_of(x->world, s->target, consider_event, x);
		return;
	}
	if (*s->target == '.' || *s->func == '.' || strchr(s->target, '/') || strchr(s->func, '/'))
		return;
	_cleanup_free_ char *path =
		xasprintf("%s/events/%s/%s/format", x->world->tracefs, s->target, s->func);
	if (!access(path, F_OK))
		add_tracepoint(x, s->target, s->func);
}

/*
 * The kernel fires this one while it leaves a BPF program (rcu_read_unlock_special), and again for the program that this starts, until its stack
 * is used up: trace_set_need_resched in include/linux/sched.h, seen on 7.2.
 */
static bool recurses(const char *tracepoint)
{
	return glob_match("sched_set_need_resched*", tracepoint);
}

void expand_rawtracepoint(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	struct names modules = {.arena = x->arena};
	if (is_pattern(s->target) || !s->target)
		module_names(x->world, s->target ? s->target : "*", &modules);
	else
		names_add(&modules, s->target, strlen(s->target));
	vec_each(module, &modules.list) {
		struct btf *b = s->func ? world_module_btf(x->world, *module) : NULL;
		struct names found = {.arena = x->arena};
		if (b && is_pattern(s->func)) {
			find_in_btf(b, BTF_NS_TYPEDEF, "btf_trace_", s->func, &found);
		} else if (b) {
			_cleanup_free_ char *type = xasprintf("btf_trace_%s", s->func);
			if (find_own(x->world, *module, BTF_NS_TYPEDEF, type))
				names_add(&found, s->func, strlen(s->func));
		}
		vec_each(name, &found.list) {
			_cleanup_free_ char *type = xasprintf("btf_trace_%s", *name);
			if (recurses(*name)) {
				if (!is_pattern(s->func))
					expansion_error(x, "a program at %s would start itself until the kernel dies", *name);
				continue;
			}
			probe_avoid_preemption(x->world, add_typed(x, *module, *name, btf_find(b, BTF_NS_TYPEDEF, type)));
		}
		names_free(&found);
	}
	names_free(&modules);
}

/* --- iterators: a struct bpf_iter__X for the context, a function bpf_iter_X to attach to
 * ------------------- */

void expand_iter(struct expansion *x)
{
	struct btf *b = world_btf(x->world, NULL);
	struct names found = {.arena = x->arena};
	if (b && x->spec->func)
		find_in_btf(b, BTF_NS_STRUCT, "bpf_iter__", x->spec->func, &found);
	vec_each(name, &found.list) {
		_cleanup_free_ char *func = xasprintf("bpf_iter_%s", *name);
		uint32_t id = btf_find(b, BTF_NS_FUNC, func);
		if (!id)
			continue;
		struct attach_point *p = expansion_add(x, "%s", *name);
		p->func = *name;
		p->btf_id = id;
		p->target = x->spec->target; /* where it is to be pinned */
	}
	names_free(&found);
	if (b && x->spec->func && !is_pattern(x->spec->func) && !x->ret->list.len)
		expansion_error_near(x, "iter %s not available for your kernel version.", x->spec->func);
}

/* --- SystemTap's process and thread events, which the scheduler's tracepoints see
 * ------------------------- */

void expand_task_event(struct expansion *x)
{
	static const struct {
		enum probe_kind kind;
		const char *event;
	} events[] = {
		{PK_PROCESS_BEGIN, "sched_process_exec"},
		{PK_PROCESS_END,   "sched_process_exit"},
		{PK_THREAD_BEGIN,  "sched_process_fork"},
		{PK_THREAD_END,    "sched_process_exit"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].kind != x->spec->kind)
			continue;
		struct attach_point *p = expansion_add(x, NULL);
		if (x->spec->spelling)
			p->name = x->spec->spelling;
		p->target = "sched";
		p->func = events[i].event;
	}
}
