/* probe_perf.c - timers, counters and watchpoints: everything that is a perf event. */
#include "lang/probe_internal.h"

#include <linux/perf_event.h>

/* HW_BREAKPOINT_R, _W and _X of <linux/hw_breakpoint.h>, whose other names collide with ours. */
enum {
	WATCH_R = 1,
	WATCH_W = 2,
	WATCH_X = 4
};

static const struct perf_event {
	enum probe_kind kind;
	const char *name, *alias;
	uint32_t config;
	uint64_t period; /* when the script names none, as bpftrace */
} events[] = {
	{PK_SOFTWARE, "alignment-faults",    NULL,       PERF_COUNT_SW_ALIGNMENT_FAULTS,        1      },
	{PK_SOFTWARE, "bpf-output",          NULL,       PERF_COUNT_SW_BPF_OUTPUT,              1      },
	{PK_SOFTWARE, "context-switches",    "cs",       PERF_COUNT_SW_CONTEXT_SWITCHES,        1000   },
	{PK_SOFTWARE, "cpu-clock",           "cpu",      PERF_COUNT_SW_CPU_CLOCK,               1000000},
	{PK_SOFTWARE, "cpu-migrations",      NULL,       PERF_COUNT_SW_CPU_MIGRATIONS,          1      },
	{PK_SOFTWARE, "dummy",               NULL,       PERF_COUNT_SW_DUMMY,                   1      },
	{PK_SOFTWARE, "emulation-faults",    NULL,       PERF_COUNT_SW_EMULATION_FAULTS,        1      },
	{PK_SOFTWARE, "major-faults",        NULL,       PERF_COUNT_SW_PAGE_FAULTS_MAJ,         1      },
	{PK_SOFTWARE, "minor-faults",        NULL,       PERF_COUNT_SW_PAGE_FAULTS_MIN,         100    },
	{PK_SOFTWARE, "page-faults",         "faults",   PERF_COUNT_SW_PAGE_FAULTS,             100    },
	{PK_SOFTWARE, "task-clock",          NULL,       PERF_COUNT_SW_TASK_CLOCK,              1      },
	{PK_HARDWARE, "backend-stalls",      NULL,       PERF_COUNT_HW_STALLED_CYCLES_BACKEND,  1000000},
	{PK_HARDWARE, "branch-instructions", "branches", PERF_COUNT_HW_BRANCH_INSTRUCTIONS,     100000 },
	{PK_HARDWARE, "branch-misses",       NULL,       PERF_COUNT_HW_BRANCH_MISSES,           100000 },
	{PK_HARDWARE, "bus-cycles",          NULL,       PERF_COUNT_HW_BUS_CYCLES,              100000 },
	{PK_HARDWARE, "cache-misses",        NULL,       PERF_COUNT_HW_CACHE_MISSES,            1000000},
	{PK_HARDWARE, "cache-references",    NULL,       PERF_COUNT_HW_CACHE_REFERENCES,        1000000},
	{PK_HARDWARE, "cpu-cycles",          "cycles",   PERF_COUNT_HW_CPU_CYCLES,              1000000},
	{PK_HARDWARE, "frontend-stalls",     NULL,       PERF_COUNT_HW_STALLED_CYCLES_FRONTEND, 1000000},
	{PK_HARDWARE, "instructions",        NULL,       PERF_COUNT_HW_INSTRUCTIONS,            1000000},
	{PK_HARDWARE, "ref-cycles",          NULL,       PERF_COUNT_HW_REF_CPU_CYCLES,          1000000},
};

void perf_event_names(enum probe_kind kind, void (*fn)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].kind != kind)
			continue;
		fn(arg, events[i].name);
		if (events[i].alias)
			fn(arg, events[i].alias);
	}
}

static const char *nearest_event(enum probe_kind kind, const char *name)
{
	const char *names[2 * ARRAY_SIZE(events)];
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].kind != kind)
			continue;
		names[n++] = events[i].name;
		if (events[i].alias)
			names[n++] = events[i].alias;
	}
	return nearest_word(name, names, n);
}

void expand_perf(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	const char *name = s->func ? s->func : s->target ? s->target : "";
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		const struct perf_event *e = &events[i];
		if (e->kind != s->kind || (strcmp(e->name, name) != 0 && !str_eq(e->alias, name)))
			continue;
		struct attach_point *p =
			s->period ? expansion_add(x, "%s:%llu", name, (unsigned long long)s->period)
				  : expansion_add(x, "%s", name);
		p->func = e->name;
		p->perf_type = s->kind == PK_SOFTWARE ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE;
		p->perf_config = e->config;
		p->period = s->period ? s->period : e->period;
		return;
	}
	expansion_error(x, "%s is not a %s probe", name, x->kind->name);
	const char *near = nearest_event(s->kind, name);
	if (near && x->diags && x->diags->list.len)
		diag_hint(x->diags, &vec_last(&x->diags->list), "did you mean %s?", near);
}

/* Nanoseconds of a unit, 0 for hz, UINT64_MAX for what is none. */
static uint64_t unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"s",  1000000000},
                {"ms", 1000000   },
                {"us", 1000      },
                {"hz", 0         }
        };
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(units[i].name, unit))
			return units[i].ns;
	return UINT64_MAX;
}

/* profile runs on every CPU, interval on one; attaching tells them apart. */
void expand_timer(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	const char *unit = s->unit ? s->unit : s->freq ? "hz" : "us";
	uint64_t ns = unit_ns(unit);
	if (ns == UINT64_MAX) {
		expansion_error(x, "%s is not an accepted unit of time", unit);
		return;
	}
	uint64_t n = ns ? s->period / ns : s->freq;
	if (!n) {
		expansion_error(x, "%s frequency should be a positive integer", x->kind->name);
		return;
	}
	struct attach_point *p = expansion_add(x, "%s:%llu", unit, (unsigned long long)n);
	p->perf_type = PERF_TYPE_SOFTWARE;
	p->perf_config = PERF_COUNT_SW_CPU_CLOCK;
	p->period = ns ? s->period : 0;
	p->freq = ns ? 0 : s->freq;
}

/* Where a variable or function lies: of the traced program when it is known and not loaded at random, else of the kernel; 0: there is none. */
static uint64_t symbol_address(struct world *w, const char *name)
{
	_cleanup_free_ char *exe = w->pid ? xasprintf("/proc/%d/exe", w->pid) : NULL;
	const char *path = w->cmd_path ? w->cmd_path : exe;
	struct elf_file *elf = NULL;
	struct err *e = path ? elf_open(w, path, &elf) : NULL;
	err_free(e);
	const struct elf_symbol *user =
		elf && !elf_is_pie(elf) ? elf_symbol_by_name(elf, name) : NULL;
	if (user && user->value)
		return user->value;
	const struct ksym *kernel = kallsyms_by_name(world_kallsyms(w), name);
	return kernel ? kernel->addr : 0;
}

void expand_watchpoint(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	uint32_t mode = 0;
	for (const char *c = s->mode ? s->mode : ""; *c; c++)
		mode |= *c == 'r' ? WATCH_R : *c == 'w' ? WATCH_W : *c == 'x' ? WATCH_X : 0;
	if (mode != (WATCH_R | WATCH_W) && mode != WATCH_W && mode != WATCH_X) {
		expansion_error(x, "invalid watchpoint mode: %s", s->mode ? s->mode : "");
		return;
	}
	uint64_t address = s->func ? symbol_address(x->world, s->func) : s->address;
	if (!address && s->func) {
		expansion_error(x, "there is no symbol %s at a known address", s->func);
		return;
	}
	struct attach_point *p =
		s->func ? expansion_add(x, "%s:%u:%s", s->func, s->len, s->mode)
			: expansion_add(x, "%llu:%u:%s", (unsigned long long)address, s->len, s->mode);
	p->perf_type = PERF_TYPE_BREAKPOINT;
	p->address = address;
	/* an instruction is watched as a whole: the kernel wants the length of a word for it */
	p->len = mode == WATCH_X ? sizeof(long) : s->len;
	p->mode = mode;
}
