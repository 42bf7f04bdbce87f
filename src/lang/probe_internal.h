/* probe_internal.h - what the files of the probe families share. */
#pragma once

#include "lang/probe.h"

/* One spec on its way to attach points. */
struct expansion {
	struct world *world;
	const struct probe_spec *spec;
	const struct probe_kind_info *kind;
	struct arena *arena;
	struct diags *diags; /* may be NULL when listing */
	struct attach_points *ret;
};

/* A new point of the spec's kind, appended, with what all families copy from the spec.  Its name is
 * "kind:REST", REST formatted; NULL: the kind's name alone. */
struct attach_point *expansion_add(struct expansion *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
void expansion_error(struct expansion *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* With the probe that may have been meant as a hint. */
void expansion_error_near(struct expansion *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline bool is_pattern(const char *s)
{
	return s && strchr(s, '*');
}

/* Sorted set of names. */
struct names {
	struct arena *arena;
	VEC(const char *) list;
};
void names_add(struct names *n, const char *name, size_t len);
void names_sort(struct names *n); /* and drops doubles */
void names_free(struct names *n);

/* probe_kernel.c */
void expand_kprobe(struct expansion *x);
void expand_fentry(struct expansion *x);
void expand_tracepoint(struct expansion *x);
void expand_rawtracepoint(struct expansion *x);
void expand_iter(struct expansion *x);
void expand_lsm(struct expansion *x);
void expand_task_event(struct expansion *x); /* SystemTap's process.begin and its kind */
/* probe_syscall.c: sets is_raw_event and syscall where the kernel would preempt the handler; whether it does so all the same. */
void probe_avoid_preemption(struct world *w, struct attach_point *p);
bool probe_is_preempted(struct world *w, const struct attach_point *p);
/* probe_netfilter.c */
void expand_netfilter(struct expansion *x);
struct probe_args *probe_netfilter_arguments(struct world *w, struct arena *a);
/* probe_user.c */
void expand_uprobe(struct expansion *x);
void expand_usdt(struct expansion *x);
/* probe_dwarf.c */
struct probe_args *probe_dwarf_arguments(struct world *w, const struct attach_point *p, struct arena *a);
/* A search in debug information: probe_source.c, probe_callee.c. */
struct source_search {
	struct expansion *x;
	const char *path; /* of the binary; for the kernel: the module, "vmlinux" */
	struct elf_file *file;
	bool is_kernel;
	uint64_t bias;		     /* of the kernel: run-time addresses less linked ones */
	uint64_t init_from, init_to; /* code that the kernel has thrown away after it started */
	struct dwarf *d;
	VEC(struct dwarf_func) func;
	VEC(struct dwarf_line) line;
};
/* A place in it; NULL when no code is there. */
struct attach_point *source_add(struct source_search *s, const struct dwarf_func *f, uint64_t pc, const char *name);
/* What the functions in s->func call. */
void source_add_callees(struct source_search *s);
/* probe_source.c: places of one binary by debug information.  false: there is none; `why`, then, says so. */
bool expand_source(struct expansion *x, const char *path, struct elf_file *f, const char **why);
/* The same in the kernel or the module that the spec names; remote: servers may be asked for the debug information. */
bool expand_kernel_source(struct expansion *x, bool remote, const char **why);
/* probe_perf.c */
void expand_timer(struct expansion *x);
void expand_perf(struct expansion *x);
void expand_watchpoint(struct expansion *x);
/* "event:" for every event and alias of software or hardware; for lists. */
void perf_event_names(enum probe_kind kind, void (*fn)(void *arg, const char *name), void *arg);
