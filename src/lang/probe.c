/* probe.c - the table of probe families, and how a spec finds its family. */
#include "lang/probe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void expand_plain(struct expansion *x);
static void expand_named(struct expansion *x);
static void expand_self(struct expansion *x);
static void expand_user_timer(struct expansion *x);

#define NEEDS(feature) offsetof(struct features, feature) + 1
#define NO_KPROBES     "kernel functions cannot be probed: the kernel lacks CONFIG_KPROBES"
#define NO_FENTRY                                                                \
	"kernel functions cannot be traced: the kernel refuses BPF trampolines " \
	"(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)"
#define NO_BTF      "typed raw tracepoints need BTF: the kernel lacks CONFIG_DEBUG_INFO_BTF"
#define NO_COUNTERS "there are no hardware counters: the machine has no PMU, or hides it"
#define NO_ITER     "BPF iterators need kernel BTF: the kernel lacks CONFIG_DEBUG_INFO_BTF"
#define NO_LSM      "LSM hooks cannot be traced: the kernel lacks CONFIG_BPF_LSM or BPF trampolines"

static const struct row {
	struct probe_kind_info info;
	void (*expand)(struct expansion *x);
	size_t needs; /* offset + 1 in struct features of what it cannot do without, 0: nothing */
	const char *alias; /* a second one, from older scripts */
} rows[PK_COUNT] = {
	[PK_BEGIN] = {{PK_BEGIN, "begin", NULL, PROG_RAW_TP},                           expand_plain                                     },
	[PK_END] = {{PK_END, "end", NULL, PROG_RAW_TP},                               expand_plain                                     },
	[PK_SELF] = {{PK_SELF, "self", NULL, PROG_RAW_TP},                             expand_self                                      },
	[PK_KPROBE] = {{PK_KPROBE, "kprobe", "k", PROG_KPROBE, true, false, NO_KPROBES},
                      expand_kprobe,												       NEEDS(kprobe)},
	[PK_KRETPROBE] = {{PK_KRETPROBE, "kretprobe", "kr", PROG_KPROBE, true, true, NO_KPROBES},
                      expand_kprobe,					    NEEDS(kprobe)},
	[PK_FENTRY] = {{PK_FENTRY, "fentry", "f", PROG_FENTRY, true, false, NO_FENTRY},
                      expand_fentry,							 NEEDS(fentry),
                      "kfunc"},
	[PK_FEXIT] = {{PK_FEXIT, "fexit", "fr", PROG_FEXIT, true, true, NO_FENTRY},
		      expand_fentry,				NEEDS(fentry),
		      "kretfunc"},
	[PK_RAWTRACEPOINT] = {{PK_RAWTRACEPOINT, "rawtracepoint", "rt", PROG_RAW_TP_BTF, true,
			       false, NO_BTF},
                      expand_rawtracepoint,						      NEEDS(btf_vmlinux)},
	[PK_TRACEPOINT] = {{PK_TRACEPOINT, "tracepoint", "t", PROG_TRACEPOINT, true},
                      expand_tracepoint													 },
	[PK_UPROBE] = {{PK_UPROBE, "uprobe", "u", PROG_KPROBE, true},                    expand_uprobe											       },
	[PK_URETPROBE] = {{PK_URETPROBE, "uretprobe", "ur", PROG_KPROBE, true, true},
                      expand_uprobe							},
	[PK_USDT] = {{PK_USDT, "usdt", "U", PROG_KPROBE, true},								expand_usdt},
	[PK_PROFILE] = {{PK_PROFILE, "profile", "p", PROG_PERF_EVENT},                                                                expand_timer},
	[PK_INTERVAL] = {{PK_INTERVAL, "interval", "i", PROG_PERF_EVENT},                                                                expand_timer                },
	[PK_SOFTWARE] = {{PK_SOFTWARE, "software", "s", PROG_PERF_EVENT},                                                                expand_perf													 },
	[PK_HARDWARE] = {{PK_HARDWARE, "hardware", "h", PROG_PERF_EVENT, false, false, NO_COUNTERS},
                      expand_perf,													   NEEDS(hw_perf)},
	[PK_WATCHPOINT] = {{PK_WATCHPOINT, "watchpoint", "w", PROG_PERF_EVENT},
                      expand_watchpoint,						   0,
                      "asyncwatchpoint"},
	[PK_ITER] = {{PK_ITER, "iter", "it", PROG_ITER, false, false, NO_ITER},
		      expand_iter,NEEDS(iter)},
	[PK_LSM] = {{PK_LSM, "lsm", NULL, PROG_LSM, true, false, NO_LSM},
		      expand_lsm,NEEDS(fentry)},
	[PK_NETFILTER] = {{PK_NETFILTER, "netfilter", NULL, PROG_NETFILTER}, expand_netfilter},
	[PK_TEST] = {{PK_TEST, "test", NULL, PROG_XDP},                                                expand_named                                             },
	[PK_BENCH] = {{PK_BENCH, "bench", NULL, PROG_XDP},								expand_named                                                        },
	[PK_ERROR] = {{PK_ERROR, "error", NULL, PROG_USER},                                                     expand_plain																				       },
	[PK_NEVER] = {{PK_NEVER, "never", NULL, PROG_USER},                                                       expand_plain												  },
	[PK_PROCESS_BEGIN] = {{PK_PROCESS_BEGIN, "process.begin", NULL, PROG_TRACEPOINT},
                      expand_task_event                  },
	[PK_PROCESS_END] = {{PK_PROCESS_END, "process.end", NULL, PROG_TRACEPOINT},
                      expand_task_event},
	[PK_THREAD_BEGIN] = {{PK_THREAD_BEGIN, "process.thread.begin", NULL, PROG_TRACEPOINT},
                      expand_task_event             },
	[PK_THREAD_END] = {{PK_THREAD_END, "process.thread.end", NULL, PROG_TRACEPOINT},
                      expand_task_event           },
	[PK_FILE_READ] = {{PK_FILE_READ, "procfs.read", NULL, PROG_USER}, expand_plain},
	[PK_FILE_WRITE] = {{PK_FILE_WRITE, "procfs.write", NULL, PROG_USER}, expand_plain},
	[PK_INPUT] = {{PK_INPUT, "input", NULL, PROG_USER}, expand_plain},
	[PK_TIMER] = {{PK_TIMER, "timer", NULL, PROG_USER},       expand_user_timer												  },
};

bool probe_runs_alone(struct world *w, const struct attach_point *p)
{
	switch (p->kind) {
	case PK_TRACEPOINT: return !probe_is_preempted(w, p);
	case PK_RAWTRACEPOINT: return p->is_raw_event;
	case PK_BEGIN:
	case PK_END:
	case PK_KPROBE:
	case PK_KRETPROBE:
	case PK_PROFILE:
	case PK_INTERVAL:
	case PK_SOFTWARE:
	case PK_HARDWARE: return true;
	default: return false;
	}
}

enum prog_kind probe_prog_kind(const struct attach_point *p)
{
	return p->is_raw_event ? PROG_TRACEPOINT : rows[p->kind].info.prog;
}

const struct probe_kind_info *probe_kind_info(enum probe_kind k)
{
	return &rows[k].info;
}

const struct probe_kind_info *probe_kind_by_name(const char *name)
{
	/* "u" and "U" are different families: a spelling that fits exactly goes first */
	for (unsigned any_case = 0; any_case < 2; any_case++)
		for (unsigned i = 0; i < PK_COUNT; i++) {
			const char *const names[] = {rows[i].info.name, rows[i].info.alias,
						     rows[i].alias};
			for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
				if (names[k] && !(any_case ? strcasecmp : strcmp)(names[k], name))
					return &rows[i].info;
		}
	return NULL;
}

const char *probe_missing(const struct world *w, enum probe_kind k)
{
	const struct row *r = &rows[k];
	if (!r->needs || !w->features.probed)
		return NULL;
	return *((const bool *)&w->features + r->needs - 1) ? NULL : r->info.missing;
}

void probe_expand(struct world *w, const struct probe_spec *spec, struct arena *a, struct diags *d,
		  struct attach_points *ret)
{
	struct expansion x = {w, spec, &rows[spec->kind].info, a, d, ret};
	rows[spec->kind].expand(&x);
}

/* --- what the families share
 * ------------------------------------------------------------------------------ */

struct attach_point *expansion_add(struct expansion *x, const char *fmt, ...)
{
	struct attach_point *p = arena_new(x->arena, struct attach_point);
	p->kind = x->spec->kind;
	p->name = x->kind->name;
	if (fmt) {
		va_list ap;
		va_start(ap, fmt);
		p->name = arena_printf(x->arena, "%s:%s", x->kind->name,
				       arena_vprintf(x->arena, fmt, ap));
		va_end(ap);
	}
	p->order = x->spec->order;
	p->maxactive = x->spec->maxactive;
	p->pid = x->spec->pid;
	vec_push(&x->ret->list, p);
	return p;
}

static struct diag *report(struct expansion *x, const char *fmt, va_list ap)
{
	_cleanup_free_ char *msg = NULL;
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	return diag_error(x->diags, x->spec->loc, "%s", msg ? msg : "out of memory");
}

void expansion_error(struct expansion *x, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (x->diags)
		report(x, fmt, ap);
	va_end(ap);
}

void expansion_error_near(struct expansion *x, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct diag *d = x->diags ? report(x, fmt, ap) : NULL;
	va_end(ap);
	const char *near = d ? probe_nearest(x->world, x->spec, x->arena) : NULL;
	if (near)
		diag_hint(x->diags, d, "did you mean %s?", near);
}

void names_add(struct names *n, const char *name, size_t len)
{
	vec_push(&n->list, arena_strndup(n->arena, name, len));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void names_sort(struct names *n)
{
	size_t kept = 0;
	if (n->list.len)
		qsort(n->list.at, n->list.len, sizeof(*n->list.at), by_text);
	for (size_t i = 0; i < n->list.len; i++)
		if (!kept || strcmp(n->list.at[kept - 1], n->list.at[i]) != 0)
			n->list.at[kept++] = n->list.at[i];
	n->list.len = kept;
}

void names_free(struct names *n)
{
	vec_free(&n->list);
}

/* --- families without a place in the kernel
 * ---------------------------------------------------------------- */

static void expand_plain(struct expansion *x)
{
	expansion_add(x, NULL);
}

static void expand_named(struct expansion *x)
{
	const char *name = x->spec->func ? x->spec->func : x->spec->target;
	struct attach_point *p = expansion_add(x, "%s", name ? name : "");
	p->func = name;
}

static void expand_self(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	struct attach_point *p =
		expansion_add(x, "%s:%s", s->target ? s->target : "signal", s->func ? s->func : "");
	p->target = s->target;
	p->func = s->func;
}

static void expand_user_timer(struct expansion *x)
{
	struct attach_point *p = expansion_add(x, NULL);
	if (x->spec->spelling)
		p->name = x->spec->spelling;
	p->period = x->spec->freq ? 1000000000 / x->spec->freq : x->spec->period;
	if (!p->period)
		expansion_error(x, "a timer needs a period above zero");
}
