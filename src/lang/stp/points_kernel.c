/*
 * points_kernel.c - the families of probe points in the kernel: functions, tracepoints, watched memory.
 *
 * Functions and the types of their parameters come from BTF, which knows no source files, no lines and no inlined copies: what names
 * those needs the kernel's debug information.
 */
#include "lang/stp/points.h"

/* What a row says beside its pattern; the lowest bits are of struct probe_spec's instances. */
enum { INSTANCES = 7, OF_KERNEL = 8, OF_MODULE = 16, STATEMENT = 32, NEAREST = 64, EXPORTED = DWARF_EXTERNAL_ONLY };

/* "name" or "category:name" of a tracepoint */
static bool fill_trace(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	const char *name = m->arg[0]->str, *colon = strchr(name, ':');
	dp->spec.func = colon ? colon + 1 : name;
	return true;
}

static bool has_wildcard(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}

struct namesakes {
	const char *name;
	unsigned n;
};

static void count_name(void *arg, const char *name, const char *module)
{
	struct namesakes *s = arg;
	(void)module;
	s->n += str_eq(name, s->name);
}

/* f@file, of several functions, or with a line: debug information knows which. */
static bool by_source(struct stp_comp *c, const struct stp_expr *arg, const struct stp_dprobe *dp)
{
	const char *at = arg->kind == SE_STR ? strchr(arg->str, '@') : NULL;
	if (!at || !at[1])
		return false;
	if (strrchr(at, ':') || strrchr(at, '+') || has_wildcard(dp->spec.func))
		return true;
	struct namesakes s = {.name = dp->spec.func};
	if (c->world)
		kallsyms_each(world_kallsyms(c->world), "tT", count_name, &s);
	return s.n > 1;
}

/* The first arguments: the module, if the row has one, and the function. */
static bool fill_place(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	bool of_module = f->number & OF_MODULE;
	dp->spec.target = of_module ? m->arg[0]->str : f->number & OF_KERNEL ? "vmlinux" : NULL;
	dp->spec.instances = (uint8_t)(f->number & INSTANCES);
	return stp_fill_pattern(c, m->arg[of_module], dp);
}

static bool fill_function(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	unsigned i = f->number & OF_MODULE ? 2 : 1;
	if (!fill_place(c, f, m, dp))
		return false;
	if (by_source(c, m->arg[i - 1], dp))
		dp->spec.instances |= DWARF_CONCRETE | (f->kind == PK_KRETPROBE || f->number & EXPORTED ? 0 : DWARF_INLINED);
	else
		dp->spec.file = NULL;
	if (i < m->narg) {
		if (stp_num(m, i) < 1 || stp_num(m, i) > 1000000) {
			stp_error(c, dp->loc, "maxactive value out of range");
			return false;
		}
		dp->spec.maxactive = (uint32_t)stp_num(m, i);
	}
	return true;
}

static bool fill_statement(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.statement = true;
	dp->spec.nearest = f->number & NEAREST;
	return fill_place(c, f, m, dp);
}

static bool fill_label(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.label = m->arg[m->narg - 1]->str;
	return fill_place(c, f, m, dp);
}

/* .statement(ADDR).absolute: an instruction by its address, of which nothing else is known. */
static bool fill_absolute(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	if (!c->in->guru) {
		stp_error(c, dp->loc, "absolute statement probe in unprivileged script; need stap -g");
		return false;
	}
	return stp_fill_function_name(c, m->arg[0], dp);
}

/*
 * Of two plain names the callee's own probe, narrowed to calls out of the function: who called is looked at when it is hit.  Patterns, lines
 * and depths need the debug information.
 */
static bool fill_callee(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	bool of_module = f->number & OF_MODULE;
	const struct stp_expr *last = m->narg > 1u + of_module ? m->arg[m->narg - 1] : NULL;
	const char *caller = m->arg[of_module]->str, *callee = last && last->kind == SE_STR ? last->str : NULL;
	if (!callee || has_wildcard(caller) || has_wildcard(callee) || strchr(caller, '@') || strchr(callee, '@'))
		return fill_place(c, f, m, dp) && stp_fill_callee(c, callee ? last : NULL, callee ? NULL : last, dp);
	dp->spec.func = callee;
	dp->guard = arena_printf(c->a, "__called_by(\"%s\")", caller);
	return true;
}

/* kernel.data(ADDRESS or "symbol"): memory that hardware watches; number: 'w' or 'r', with HAS_LENGTH. */
enum { HAS_LENGTH = 256, OF_PROCESS = 512 };
static bool fill_data(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	struct probe_spec *s = &dp->spec;
	unsigned i = 0;
	if (f->number & OF_PROCESS)
		s->pid = (int)stp_num(m, i++);
	const struct stp_expr *what = m->arg[i++];
	int64_t length = f->number & HAS_LENGTH ? stp_num(m, i) : 1; /* as SystemTap's */
	if (what->kind == SE_NUM)
		s->address = (uint64_t)what->num;
	else
		s->func = what->str;
	if (length < 1 || length > 8) {
		stp_error(c, dp->loc, "hardware watches at most 8 bytes, not %lld", (long long)length);
		return false;
	}
	s->len = length <= 2 ? (uint32_t)length : length <= 4 ? 4 : 8;
	s->mode = (f->number & 0xff) == 'w' ? "w" : "rw";
	return true;
}

#define FUNCTION(where, flags)                                                                     \
	{where ".function(*)", PK_KPROBE, fill_function, flags},                                   \
	{where ".function(*).call", PK_KPROBE, fill_function, flags},                              \
	{where ".function(*).exported", PK_KPROBE, fill_function, (flags) | EXPORTED},             \
	{where ".function(*).return", PK_KRETPROBE, fill_function, flags},                         \
	{where ".function(*).return.maxactive(N)", PK_KRETPROBE, fill_function, flags},            \
	{where ".function(S).inline", PK_KPROBE, fill_place, (flags) | DWARF_INLINED},             \
	{where ".function(S).label(S)", PK_KPROBE, fill_label, flags},                             \
	{where ".statement(S)", PK_KPROBE, fill_statement, flags},                                 \
	{where ".statement(S).nearest", PK_KPROBE, fill_statement, (flags) | NEAREST}
#define CALLEES(where, flags)                                                                      \
	{where ".function(S).callee(S)", PK_KPROBE, fill_callee, flags},                           \
	{where ".function(S).callee(S).call", PK_KPROBE, fill_callee, flags},                      \
	{where ".function(S).callees", PK_KPROBE, fill_callee, flags},                             \
	{where ".function(S).callees(N)", PK_KPROBE, fill_callee, flags}
#define DATA(where, flags)                                                                         \
	{where ".data(*).write", PK_WATCHPOINT, fill_data, 'w' | (flags)},                         \
	{where ".data(*).rw", PK_WATCHPOINT, fill_data, 'r' | (flags)},                            \
	{where ".data(*).length(N).write", PK_WATCHPOINT, fill_data, 'w' | HAS_LENGTH | (flags)},  \
	{where ".data(*).length(N).rw", PK_WATCHPOINT, fill_data, 'r' | HAS_LENGTH | (flags)}

const struct stp_family stp_kernel_families[] = {
	{"kernel.trace(S)", PK_RAWTRACEPOINT, fill_trace},
	{"kernel.tracepoint(S)", PK_RAWTRACEPOINT, fill_trace},
	FUNCTION("kernel", OF_KERNEL),
	FUNCTION("kprobe", 0),
	FUNCTION("module(S)", OF_MODULE),
	FUNCTION("kprobe.module(S)", OF_MODULE),
	{"kernel.statement(N).absolute", PK_KPROBE, fill_absolute},
	{"kprobe.statement(N).absolute", PK_KPROBE, fill_absolute},
	CALLEES("kernel", OF_KERNEL),
	CALLEES("module(S)", OF_MODULE),
	DATA("kernel", 0),
	DATA("process(N)", OF_PROCESS),
	{0},
};
