/*
 * points.c - the families of probe points, and the rows of those that are not in the kernel.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lang/stp/points.h"


static bool fill_order(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.order = m->narg ? stp_num(m, 0) : 0;
	return true;
}

static bool fill_timer(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	int64_t n = stp_num(m, 0);
	if (n < 1 || n > INT64_MAX / f->number) {
		stp_error(c, dp->loc, "probe point number out of range");
		return false;
	}
	/* SystemTap's own lower bound for high-resolution timers is 100 us */
	dp->spec.period = (uint64_t)MAX(n * f->number, 100000);
	dp->spec.unit = "ns";
	if (m->narg < 2)
		return true;
	int64_t jitter = stp_num(m, 1);
	if (jitter < 0 || jitter > n) {
		stp_error(c, dp->loc, "randomization value out of range");
		return false;
	}
	dp->spec.jitter = (uint64_t)(jitter * f->number);
	return true;
}

static bool fill_hz(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	int64_t n = stp_num(m, 0);
	if (n < 1 || n > 100000) {
		stp_error(c, dp->loc, "invalid frequency for a timer");
		return false;
	}
	dp->spec.period = 1000000000ull / (uint64_t)n;
	dp->spec.unit = "ns";
	return true;
}

static bool fill_event(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	const char *name = m->arg[0]->str, *colon = strchr(name, ':');
	if (!colon)
		return false;
	dp->spec.target = arena_strndup(c->a, name, (size_t)(colon - name));
	dp->spec.func = colon + 1;
	if (str_has_prefix(name, "syscalls:sys_e")) {
		dp->args_are_fields = str_has_prefix(name, "syscalls:sys_enter_");
		if (str_has_prefix(name, "syscalls:sys_exit_"))
			dp->entry_event = arena_printf(c->a, "syscalls:sys_enter_%s", name + strlen("syscalls:sys_exit_"));
	}
	return true;
}

bool stp_fill_function_name(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp)
{
	if (arg->kind == SE_NUM) {
		dp->spec.address = (uint64_t)arg->num;
		dp->spec.has_address = true;
		return true;
	}
	const char *at = strchr(arg->str, '@');
	dp->spec.func = at ? arena_strndup(c->a, arg->str, (size_t)(at - arg->str)) : arg->str;
	return true;
}

/* N or N-M at *p; false: it is neither. */
static bool read_range(const char **p, struct line_range *ret)
{
	char *end;
	unsigned long first = strtoul(*p, &end, 10), last = 0;
	if (end == *p || **p == '-' || **p == '+')
		return false;
	if (*end == '-') {
		const char *from = end + 1;
		last = strtoul(from, &end, 10);
		if (end == from || last < first)
			return false;
	}
	*ret = (struct line_range){(uint32_t)MIN(first, (unsigned long)INT32_MAX), (uint32_t)MIN(last, (unsigned long)INT32_MAX)};
	*p = end;
	return true;
}

/* What stands behind ':' or '+': *, or lines and ranges with commas between them. */
static bool read_lines(struct stp_comp *c, const char *text, struct probe_spec *s)
{
	enum { MAX_RANGES = 1024 };
	VEC(struct line_range) list = {0};
	struct line_range one;
	s->all_lines = str_eq(text, "*");
	if (s->all_lines)
		return true;
	const char *p = text;
	bool ok = read_range(&p, &one);
	for (vec_push(&list, one); ok && *p == ',' && list.len < MAX_RANGES; vec_push(&list, one)) {
		p++;
		ok = read_range(&p, &one);
	}
	s->line = list.at[0].first;
	s->last_line = list.at[0].last;
	s->all_lines = s->last_line || list.len > 1;
	s->nrange = list.len > 1 ? (uint32_t)list.len : 0;
	s->range = arena_memdup(c->a, list.at, list.len * sizeof(*list.at));
	vec_free(&list);
	return ok && !*p;
}

bool stp_fill_pattern(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp)
{
	struct probe_spec *s = &dp->spec;
	if (!stp_fill_function_name(c, arg, dp) || arg->kind == SE_NUM)
		return true;
	const char *at = strchr(arg->str, '@'), *lines = at ? strrchr(at, ':') : NULL, *plus = at ? strrchr(at, '+') : NULL;
	if (!at)
		return true;
	if (plus && plus > lines && plus[1] && strspn(plus + 1, "0123456789,-*") == strlen(plus + 1))
		lines = plus;
	s->file = lines ? arena_strndup(c->a, at + 1, (size_t)(lines - at - 1)) : at + 1;
	if (!*s->file)
		s->file = NULL;
	s->relative_lines = lines && *lines == '+';
	if (!lines || read_lines(c, lines + 1, s))
		return true;
	stp_error(c, dp->loc, "invalid line '%s' in a probe point (N, N-M, several with commas, or *)", lines + 1);
	return false;
}

/* process, process("path"), process(pid) as a target */
static bool fill_process(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp)
{
	struct world *w = c->world;
	if (arg && arg->kind == SE_STR) {
		dp->spec.target = arg->str;
	} else if (arg) {
		dp->spec.pid = (int)arg->num;
		dp->spec.target = arena_printf(c->a, "/proc/%d/exe", dp->spec.pid);
	} else if (w && w->cmd_path) {
		dp->spec.target = w->cmd_path;
		dp->spec.pid = w->pid;
	} else if (w && w->pid) {
		dp->spec.pid = w->pid;
		dp->spec.target = arena_printf(c->a, "/proc/%d/exe", w->pid);
	} else {
		stp_error(c, dp->loc, "process probes without a path need stap -c or -x");
		return false;
	}
	return true;
}

/* What a row of user-space functions says beside its pattern. */
enum { INSTANCES = 7, STATEMENT = 8, NEAREST = 16, IN_LIBRARY = 32, EVERY = DWARF_INLINED | DWARF_CONCRETE };

/* A library by its name, wherever it lies; by a pattern, of those that the process is loaded with (its first `nprocess` arguments name it). */
static bool fill_library(struct stp_comp *c, const struct stp_match *m, unsigned nprocess, struct stp_dprobe *dp)
{
	const char *library = m->arg[nprocess]->str;
	if (strpbrk(library, "*?[")) {
		dp->spec.library = library;
		return fill_process(c, nprocess ? m->arg[0] : NULL, dp);
	}
	dp->spec.target = library;
	return true;
}

static bool fill_uprobe(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	/* the last argument is the function, the one before a library that the program loads */
	bool in_library = f->number & IN_LIBRARY;
	unsigned nfunc = 1 + in_library;
	if (!(in_library ? fill_library(c, m, m->narg - nfunc, dp) : fill_process(c, m->narg > nfunc ? m->arg[0] : NULL, dp)))
		return false;
	dp->spec.instances = (uint8_t)(f->number & INSTANCES);
	dp->spec.statement = f->number & STATEMENT;
	dp->spec.nearest = f->number & NEAREST;
	return stp_fill_pattern(c, m->arg[m->narg - 1], dp);
}

/* number: whether the function, the process and a library are named */
enum { PLT_NAME = 1, PLT_PROCESS = 2 };
static bool fill_plt(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	bool has_name = f->number & PLT_NAME, has_process = f->number & PLT_PROCESS;
	dp->spec.plt = true;
	dp->spec.func = has_name ? m->arg[m->narg - 1]->str : "*";
	return f->number & IN_LIBRARY ? fill_library(c, m, has_process, dp) : fill_process(c, has_process ? m->arg[0] : NULL, dp);
}

static bool fill_label(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.label = m->arg[m->narg - 1]->str;
	return fill_process(c, m->narg > 2 ? m->arg[0] : NULL, dp) && stp_fill_pattern(c, m->arg[m->narg - 2], dp);
}

bool stp_fill_callee(struct stp_comp *c, const struct stp_expr *callee, const struct stp_expr *depth, struct stp_dprobe *dp)
{
	int64_t n = depth ? depth->num : 1;
	if (n < 1 || n > 32) {
		stp_error(c, dp->loc, "invalid depth of callees (1 to 32)");
		return false;
	}
	dp->spec.callee = callee ? callee->str : "*";
	dp->spec.callee_depth = (uint32_t)n;
	const char *at = strchr(dp->spec.callee, '@');
	if (at)
		dp->spec.callee = arena_strndup(c->a, dp->spec.callee, (size_t)(at - dp->spec.callee));
	return true;
}

/* number: CALLEE, how deep or neither; whether the process is named */
enum { CALLEE = 1, DEPTH = 2, NAMED = 4 };
static bool fill_callee(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	unsigned i = f->number & NAMED ? 1 : 0;
	if (!fill_process(c, i ? m->arg[0] : NULL, dp) || !stp_fill_pattern(c, m->arg[i], dp))
		return false;
	return stp_fill_callee(c, f->number & CALLEE ? m->arg[i + 1] : NULL, f->number & DEPTH ? m->arg[i + 1] : NULL, dp);
}

static bool fill_mark(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	if (!fill_process(c, f->number & 1 ? m->arg[0] : NULL, dp))
		return false;
	dp->spec.func = m->arg[m->narg - 1]->str;
	if (f->number & 2)
		dp->spec.provider = m->arg[m->narg - 2]->str;
	return true;
}

/* Inode and device of a file as the kernel writes them in struct inode and super_block. */
static bool exe_condition(struct stp_comp *c, const char *path, struct stp_dprobe *dp, struct buf *out)
{
	struct str_list found = {0};
	struct err *err = elf_resolve_path(c->world, path, &found);
	struct stat st;
	bool ok = !err && found.list.len && stat(found.list.at[0], &st) == 0;
	err_free(err);
	vec_free(&found.list);
	if (ok)
		buf_printf(out, " && __exe_is(%llu, %llu)", (unsigned long long)st.st_ino,
			   (unsigned long long)major(st.st_dev) << 20 | minor(st.st_dev));
	else
		stp_error(c, dp->loc, "cannot find executable '%s'", path);
	return ok;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/*
 * .process("PROC"), argument `arg`, or the program of -c and -x: the target and what it starts is counted task by task; for any other
 * program all CPUs count, and the handler asks who it was.
 */
static bool bind_perf(struct stp_comp *c, const struct stp_match *m, unsigned arg, struct stp_dprobe *dp)
{
	const struct world *w = c->world;
	const char *path = m->narg > arg ? m->arg[arg]->str : w ? w->cmd_path : NULL;
	struct buf cond = {0};
	bool ok = true;

	if (!path && !(w && w->pid)) {
		stp_error(c, dp->loc, "a process of perf events needs a name, or -c or -x");
		return false;
	}
	if (w->pid && (m->narg <= arg || (w->cmd_path && is_same_file(path, w->cmd_path))))
		dp->spec.pid = w->pid;
	if (path) { /* also not what the command's process did before it became the command */
		buf_puts(&cond, "1");
		ok = exe_condition(c, path, dp, &cond);
		dp->guard = arena_strdup(c->a, buf_str(&cond));
		buf_free(&cond);
	}
	return ok;
}

/* perf.type(T).config(C), counted (a million, or as said) or sampled so many times a second. */
enum { PERF_SAMPLE = 1, PERF_HZ = 2, PERF_PROCESS = 4 };
static bool fill_perf(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.period = 1000000;
	if (f->number & PERF_HZ) {
		if (stp_num(m, 2) < 1 || stp_num(m, 2) > 100000) {
			stp_error(c, dp->loc, "invalid frequency for a perf event");
			return false;
		}
		dp->spec.freq = (uint64_t)stp_num(m, 2);
		dp->spec.period = 0;
	} else if (f->number & PERF_SAMPLE) {
		if (stp_num(m, 2) < 1) {
			stp_error(c, dp->loc, "invalid sample period for a perf event");
			return false;
		}
		dp->spec.period = (uint64_t)stp_num(m, 2);
	}
	dp->perf_type = (uint32_t)stp_num(m, 0);
	dp->perf_config = (uint32_t)stp_num(m, 1);
	bool is_clock = dp->perf_type == PERF_TYPE_SOFTWARE && dp->perf_config == PERF_COUNT_SW_CPU_CLOCK;
	dp->spec.kind = is_clock ? PK_PROFILE : dp->perf_type == PERF_TYPE_SOFTWARE ? PK_SOFTWARE : PK_HARDWARE;
	return !(f->number & PERF_PROCESS) || bind_perf(c, m, f->number & (PERF_SAMPLE | PERF_HZ) ? 3 : 2, dp);
}

/*
 * Processes and threads that begin and end, by tracepoints: an exec is a new process; of the threads that exit
 * the leader stands for the process; clone() tells threads by CLONE_THREAD.  And the system calls of processes.
 */
static bool fill_life(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	static const struct {
		const char *category, *event, *condition;
	} lives[] = {
		{"sched", "sched_process_exec", "1"},
		{"sched", "sched_process_exit", "pid() == tid()"},
		{"task", "task_newtask", "$clone_flags & 0x10000"},
		{"sched", "sched_process_exit", "pid() != tid()"},
		{"raw_syscalls", "sys_enter", "1"},
		{"raw_syscalls", "sys_exit", "1"},
	};
	dp->spec.target = lives[f->number].category;
	dp->spec.func = lives[f->number].event;
	dp->is_thread_begin = f->number == 2;
	dp->is_raw_syscall = f->number >= 4;
	struct buf cond = {0};
	bool ok = true;
	buf_puts(&cond, lives[f->number].condition);
	if (m->narg && m->arg[0]->kind == SE_STR)
		ok = exe_condition(c, m->arg[0]->str, dp, &cond);
	else if (m->narg)
		buf_printf(&cond, " && pid() == %lld", (long long)stp_num(m, 0));
	else if (c->world && c->world->pid)
		buf_puts(&cond, " && target_set_pid(pid())");
	dp->guard = arena_strdup(c->a, buf_str(&cond));
	buf_free(&cond);
	return ok;
}

/* procfs("NAME").umask(N).read.maxsize(N); number: which of them are there */
enum { HAS_NAME = 1, HAS_UMASK = 2, HAS_SIZE = 4 };
static bool fill_file(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	unsigned i = 0;
	const char *name = f->number & HAS_NAME ? m->arg[i++]->str : "command";
	int64_t umask = f->number & HAS_UMASK ? stp_num(m, i++) : 0077, size = f->number & HAS_SIZE ? stp_num(m, i) : c->max_string;
	if (!*name || strchr(name, '/') || *name == '.' || strlen(name) > 200) {
		stp_error(c, dp->loc, "invalid file name '%s' (no folders, no dot in front)", name);
		return false;
	}
	if (umask < 0 || umask > 0777) {
		stp_error(c, dp->loc, "invalid umask (0 to 0777)");
		return false;
	}
	c->prog->session_name = stp_session_name(c);
	if (size < 1 || size > 16 << 20) {
		stp_error(c, dp->loc, "invalid maxsize (1 to 16 MiB)");
		return false;
	}
	dp->spec.target = name;
	dp->spec.umask = (uint32_t)umask;
	dp->spec.len = (uint32_t)size;
	return true;
}

enum { US = 1000, MS = 1000000 };
static const int64_t SEC = 1000000000;

#define TIMER(unit, ns)                                                                            \
	{"timer." unit "(N)", PK_TIMER, fill_timer, ns},                                           \
	{"timer." unit "(N).randomize(N)", PK_TIMER, fill_timer, ns}
#define USER_FUNCTION(where, in)                                                                   \
	{where ".function(*)", PK_UPROBE, fill_uprobe, (in) | EVERY},                              \
	{where ".function(*).call", PK_UPROBE, fill_uprobe, (in) | DWARF_CONCRETE},                \
	{where ".function(*).exported", PK_UPROBE, fill_uprobe, (in) | DWARF_CONCRETE | DWARF_EXTERNAL_ONLY}, \
	{where ".function(S).inline", PK_UPROBE, fill_uprobe, (in) | DWARF_INLINED},               \
	{where ".function(*).return", PK_URETPROBE, fill_uprobe, (in) | DWARF_CONCRETE},           \
	{where ".statement(*)", PK_UPROBE, fill_uprobe, (in) | STATEMENT},                         \
	{where ".statement(S).nearest", PK_UPROBE, fill_uprobe, (in) | STATEMENT | NEAREST}
#define PLT(where, n)                                                                              \
	{where ".plt", PK_UPROBE, fill_plt, n}, {where ".plt.return", PK_URETPROBE, fill_plt, n},  \
	{where ".plt(S)", PK_UPROBE, fill_plt, (n) | PLT_NAME},                                    \
	{where ".plt(S).return", PK_URETPROBE, fill_plt, (n) | PLT_NAME}
#define CALLEES(where, named)                                                                      \
	{where ".function(S).callee(S)", PK_UPROBE, fill_callee, (named) | CALLEE},                \
	{where ".function(S).callee(S).call", PK_UPROBE, fill_callee, (named) | CALLEE},           \
	{where ".function(S).callee(S).return", PK_URETPROBE, fill_callee, (named) | CALLEE},      \
	{where ".function(S).callees", PK_UPROBE, fill_callee, named},                             \
	{where ".function(S).callees(N)", PK_UPROBE, fill_callee, (named) | DEPTH}
#define PROCFS(where, has)                                                                         \
	{where ".read", PK_FILE_READ, fill_file, has},                                             \
	{where ".read.maxsize(N)", PK_FILE_READ, fill_file, (has) | HAS_SIZE},                     \
	{where ".write", PK_FILE_WRITE, fill_file, has}
#define LIFE(suffix, n)                                                                            \
	{"process." suffix, PK_TRACEPOINT, fill_life, n}, {"process(*)." suffix, PK_TRACEPOINT, fill_life, n}

#define PERF(event, how)                                                                           \
	{event, PK_PROFILE, fill_perf, how}, {event ".process", PK_PROFILE, fill_perf, (how) | PERF_PROCESS}, \
	{event ".process(S)", PK_PROFILE, fill_perf, (how) | PERF_PROCESS}

static const struct stp_family session_families[] = {
	{"begin", PK_BEGIN, fill_order},
	{"begin(N)", PK_BEGIN, fill_order},
	{"end", PK_END, fill_order},
	{"end(N)", PK_END, fill_order},
	{"error", PK_ERROR, fill_order},
	{"error(N)", PK_ERROR, fill_order},
	{"never", PK_NEVER, fill_order},
	TIMER("s", SEC),
	TIMER("sec", SEC),
	TIMER("ms", MS),
	TIMER("msec", MS),
	TIMER("us", US),
	TIMER("usec", US),
	TIMER("ns", 1),
	TIMER("nsec", 1),
	TIMER("jiffies", 4 * MS),
	{"timer.hz(N)", PK_TIMER, fill_hz},
	PROCFS("procfs", 0),
	PROCFS("procfs.umask(N)", HAS_UMASK),
	PROCFS("procfs(S)", HAS_NAME),
	PROCFS("procfs(S).umask(N)", HAS_NAME | HAS_UMASK),
	{"__input", PK_INPUT, fill_order},
	PERF("perf.type(N).config(N)", 0),
	PERF("perf.type(N).config(N).sample(N)", PERF_SAMPLE),
	PERF("perf.type(N).config(N).hz(N)", PERF_HZ),
	{"__event(S)", PK_TRACEPOINT, fill_event},
	USER_FUNCTION("process", 0),
	USER_FUNCTION("process(*)", 0),
	USER_FUNCTION("process.library(S)", IN_LIBRARY),
	USER_FUNCTION("process(*).library(S)", IN_LIBRARY),
	PLT("process", 0),
	PLT("process(*)", PLT_PROCESS),
	PLT("process.library(S)", IN_LIBRARY),
	PLT("process(*).library(S)", PLT_PROCESS | IN_LIBRARY),
	{"process.function(S).label(S)", PK_UPROBE, fill_label},
	{"process(*).function(S).label(S)", PK_UPROBE, fill_label},
	CALLEES("process", 0),
	CALLEES("process(*)", NAMED),
	{"process.mark(S)", PK_USDT, fill_mark, 0},
	{"process(*).mark(S)", PK_USDT, fill_mark, 1},
	{"process.provider(S).mark(S)", PK_USDT, fill_mark, 2},
	{"process(*).provider(S).mark(S)", PK_USDT, fill_mark, 3},
	LIFE("begin", 0),
	LIFE("end", 1),
	LIFE("thread.begin", 2),
	LIFE("thread.end", 3),
	LIFE("syscall", 4),
	LIFE("syscall.return", 5),
	{0},
};
static const struct stp_family *const tables[] = {session_families, stp_kernel_families, stp_netfilter_families};

/* The i-th row of all tables; NULL after the last. */
static const struct stp_family *family(unsigned i)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct stp_family *f = tables[t]; f->pattern; f++)
			if (!i--)
				return f;
	return NULL;
}
#define EACH_FAMILY(f)                                                                             \
	for (size_t t_ = 0; t_ < ARRAY_SIZE(tables); t_++)                                         \
		for (const struct stp_family *f = tables[t_]; f->pattern; f++)

/* Families that SystemTap has and we do not yet: a better message than "mismatch". */
static const char *const not_yet[] = {"java", "python3", "python2", "lsm", "debuginfod"};

/* One component of a pattern at *p: its name and argument kind (0, N, S, or * for either). */
static bool pattern_next(const char **p, const char **name, size_t *len, char *arg)
{
	if (!**p)
		return false;
	*name = *p;
	*len = strcspn(*p, ".(");
	*p += *len;
	*arg = 0;
	if (**p == '(') {
		*arg = (*p)[1];
		*p += 3;
	}
	*p += **p == '.';
	return true;
}

/* How many components of pt agree with the pattern; *full when all and nothing is left. */
static unsigned pattern_match(const char *pattern, const struct stp_point *pt, struct stp_match *m, bool *full)
{
	const char *name;
	size_t len;
	char arg;
	unsigned i = 0;
	*m = (struct stp_match){0};
	*full = false;
	for (; i < pt->ncomp; i++) {
		const struct stp_point_comp *c = &pt->comp[i];
		if (!pattern_next(&pattern, &name, &len, &arg))
			return i;
		char word[64];
		if (len >= sizeof(word))
			return i;
		memcpy(word, name, len);
		word[len] = '\0';
		if (!stp_name_matches(c->name, word))
			return i;
		char has = !c->arg ? 0 : c->arg->kind == SE_NUM ? 'N' : 'S';
		if (arg != has && !(arg == '*' && has))
			return i;
		if (c->arg && m->narg < ARRAY_SIZE(m->arg))
			m->arg[m->narg++] = c->arg;
	}
	*full = !*pattern;
	return i;
}

static void missing_family(struct stp_comp *c, const struct stp_point *pt, bool *known)
{
	for (size_t i = 0; i < ARRAY_SIZE(not_yet); i++)
		if (str_eq(pt->comp[0].name, not_yet[i])) {
			stp_error(c, pt->comp[0].loc, "probe points of '%s' are not supported yet", not_yet[i]);
			*known = true;
		}
}

bool stp_family_expand(struct stp_comp *c, const struct stp_point *pt, struct stp_dprobe *dp, bool *known,
		       unsigned *mismatch_at)
{
	*known = false;
	EACH_FAMILY(f) {
		struct stp_match m;
		bool full;
		unsigned n = pattern_match(f->pattern, pt, &m, &full);
		if (full) {
			*known = true;
			dp->spec.kind = f->kind;
			dp->is_return = f->kind == PK_KRETPROBE || f->kind == PK_URETPROBE;
			return f->fill(c, f, &m, dp);
		}
		*mismatch_at = MAX(*mismatch_at, MIN(n, pt->ncomp - 1));
	}
	missing_family(c, pt, known);
	return false;
}

const char *stp_family_pattern(unsigned i)
{
	const struct stp_family *f = family(i);
	return f ? f->pattern : NULL;
}

void stp_family_names(struct stp_comp *c, const struct stp_point *pt, unsigned depth, struct str_list *out)
{
	EACH_FAMILY(f) {
		struct stp_match m;
		bool full;
		if (pattern_match(f->pattern, pt, &m, &full) < depth)
			continue;
		const char *p = f->pattern, *name;
		size_t len;
		char arg;
		for (unsigned d = 0; pattern_next(&p, &name, &len, &arg); d++)
			if (d == depth && name[0] != '_')
				vec_push(&out->list, arena_strndup(c->a, name, len));
	}
}
