/*
 * points_kernel.c - the families of probe points in the kernel: functions, tracepoints, watched memory.
 *
 * Functions and the types of their parameters come from BTF, which knows no source files, no lines and no inlined copies.
 */
#include "lang/stp/points.h"

/* What a row says beside its pattern. */
enum { OF_KERNEL = 1, OF_MODULE = 2, EXPORTED = 4 };

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

/* f@file: one function is one function; of several BTF cannot tell which are in the file. */
static bool check_file(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp)
{
	const char *at = arg->kind == SE_STR ? strchr(arg->str, '@') : NULL;
	bool has_line = at && (strrchr(at, ':') || strrchr(at, '+'));
	if (!at || (!has_line && !has_wildcard(dp->spec.func)))
		return true;
	stp_error(c, dp->loc, has_line ? "'%s': lines of the kernel are known to its debug information only; BTF has functions by name"
				       : "'%s': which functions are in a file is known to the kernel's debug information only; BTF has "
					 "functions by name", arg->str);
	return false;
}

static bool fill_function(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	unsigned i = 0;
	if (f->number & OF_MODULE)
		dp->spec.target = m->arg[i++]->str;
	else if (f->number & OF_KERNEL)
		dp->spec.target = "vmlinux";
	if (f->number & EXPORTED)
		dp->spec.instances = DWARF_EXTERNAL_ONLY;
	const struct stp_expr *func = m->arg[i++];
	if (i < m->narg) {
		if (stp_num(m, i) < 1 || stp_num(m, i) > 1000000) {
			stp_error(c, dp->loc, "maxactive value out of range");
			return false;
		}
		dp->spec.maxactive = (uint32_t)stp_num(m, i);
	}
	return stp_fill_function_name(c, func, dp) && check_file(c, func, dp);
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

/* The callee's own probe, narrowed to calls out of the function: who called is looked at when it is hit. */
static bool fill_callee(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	const char *caller = m->arg[m->narg - 2]->str, *callee = m->arg[m->narg - 1]->str;
	if (has_wildcard(caller) || has_wildcard(callee) || strchr(caller, '@') || strchr(callee, '@')) {
		stp_error(c, dp->loc, "'%s' calls '%s': only debug information knows who is called; BTF needs two names without wildcards",
			  caller, callee);
		return false;
	}
	dp->spec.func = callee;
	dp->guard = arena_printf(c->a, "__called_by(\"%s\")", caller);
	return true;
}

/* Rows whose points exist, but not without the kernel's debug information; `text` says what. */
static bool needs_dwarf(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	stp_error(c, dp->loc, "%s the kernel's debug information only; BTF has functions by name", f->text);
	return false;
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
	{where ".function(*).return.maxactive(N)", PK_KRETPROBE, fill_function, flags}
#define BY_DEBUG_INFORMATION(where)                                                                \
	{where ".function(S).callee(S)", PK_KPROBE, fill_callee},                                  \
	{where ".function(S).callee(S).call", PK_KPROBE, fill_callee},                             \
	{where ".function(S).callees", PK_KPROBE, needs_dwarf, 0, "the callees of a function are known to"},    \
	{where ".function(S).callees(N)", PK_KPROBE, needs_dwarf, 0, "the callees of a function are known to"}, \
	{where ".function(S).inline", PK_KPROBE, needs_dwarf, 0, "inlined functions are known to"},    \
	{where ".function(S).label(S)", PK_KPROBE, needs_dwarf, 0, "labels are known to"},         \
	{where ".statement(*)", PK_KPROBE, needs_dwarf, 0, "statements of the kernel are known to"}, \
	{where ".statement(S).nearest", PK_KPROBE, needs_dwarf, 0, "statements of the kernel are known to"}
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
	BY_DEBUG_INFORMATION("kernel"),
	BY_DEBUG_INFORMATION("module(S)"),
	DATA("kernel", 0),
	DATA("process(N)", OF_PROCESS),
	{0},
};
