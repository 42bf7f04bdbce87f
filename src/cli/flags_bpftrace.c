/* flags_bpftrace.c - the command line of bpftrace. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

static struct err *set_warnings(struct job *j, const char *arg)
{
	if (j->warnings)
		return err_new(
			0,
			"USAGE: -kk has been deprecated. Use a single -k for runtime warnings for errors in "
			"map lookups and probe reads.");
	if (j->no_warnings)
		return err_new(0, "USAGE: -k, --warnings conflicts with --no-warnings");
	j->warnings = true;
	return NULL;
}

static struct err *set_no_warnings(struct job *j, const char *arg)
{
	if (j->warnings)
		return err_new(0, "USAGE: -k, --warnings conflicts with --no-warnings");
	j->no_warnings = true;
	return NULL;
}

static struct err *set_buffering(struct job *j, const char *arg)
{
	if (!str_eq(arg, "line") && !str_eq(arg, "full") && !str_eq(arg, "none"))
		return err_new(0, "USAGE: -B must be either 'line', 'full', or 'none'.");
	j->buffering = arg;
	return NULL;
}

/* Every word of a comma-separated list is one of the names? */
static bool all_known(const char *arg, const char *const *names, size_t n, const char **bad)
{
	_cleanup_free_ char *copy = xstrdup(arg);
	char *save = NULL;
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		bool known = false;
		for (size_t i = 0; i < n; i++)
			known |= str_eq(w, names[i]);
		if (!known) {
			*bad = arg + (w - copy);
			return false;
		}
	}
	return true;
}

static struct err *set_debug(struct job *j, const char *arg)
{
	static const char *const stages[] = {"all",      "ast",         "types",
					     "codegen",  "codegen-opt", "libbpf",
					     "verifier", "parse",       "dis"};
	const char *bad = NULL;
	if (!all_known(arg, stages, ARRAY_SIZE(stages), &bad))
		return err_new(0, "USAGE: invalid option for -d: %.*s", (int)strcspn(bad, ","),
			       bad);
	j->debug = arg;
	return NULL;
}

static struct err *set_no_feature(struct job *j, const char *arg)
{
	static const char *const features[] = {"kprobe_multi", "kprobe_session", "uprobe_multi", "fentry_multi"};
	const char *bad = NULL;
	if (!all_known(arg, features, ARRAY_SIZE(features), &bad))
		return err_new(0, "USAGE: --no-feature can only have values "
				  "'kprobe_multi,kprobe_session,uprobe_multi'.");
	j->no_feature = arg;
	return NULL;
}

static struct err *set_test(struct job *j, const char *arg)
{
	j->mode = RUN_TESTS;
	return NULL;
}

static struct err *set_bench(struct job *j, const char *arg)
{
	j->mode = RUN_BENCHES;
	return NULL;
}

static struct err *set_mode(struct job *j, const char *arg)
{
	if (str_eq(arg, "codegen")) {
		j->codegen_only = true;
		return NULL;
	}
	if (str_eq(arg, "bench") || str_eq(arg, "test")) {
		j->mode = str_eq(arg, "bench") ? RUN_BENCHES : RUN_TESTS;
		return NULL;
	}
	if (str_eq(arg, "compiler-bench") || str_eq(arg, "format"))
		return err_new(EOPNOTSUPP, "--mode %s is not supported by spile", arg);
	return err_new(
		0,
		"USAGE: --mode can only be 'codegen', 'compiler-bench', 'bench', 'test' or 'format'.");
}

/* clang-format off */
static const struct option table[] = {
	{.kind = OPT_HEADING, .help = "OPTIONS:"},
	{'e', NULL, "PROGRAM", "run this program", OPT_TEXT, JOB_AT(script)},
	{'l', "list", NULL, "list probes that match a pattern, or those of a script", OPT_FLAG, JOB_AT(list)},
	{'v', "verbose", NULL, "say more; with -l, show the arguments of probes", OPT_COUNT, JOB_AT(verbose)},
	{'h', "help", NULL, "show this help", OPT_FLAG, JOB_AT(help)},
	{'V', "version", NULL, "print the version", OPT_FLAG, JOB_AT(version)},
	{0, "info", NULL, "print what this kernel can do", OPT_FLAG, JOB_AT(info)},
	{.kind = OPT_HEADING, .help = ""},
	{'p', "pid", "PID", "trace only this process", OPT_TEXT, JOB_AT(pid_text)},
	{'c', "cmd", "CMD", "run CMD, trace it, end with it", OPT_TEXT, JOB_AT(cmd)},
	{0, "usdt-file-activation", NULL, "accepted: semaphores are always found by file", OPT_IGNORED},
	{0, "dwarf-pid", "PID", NULL, OPT_IGNORED},
	{.kind = OPT_HEADING, .help = ""},
	{'o', "output", "FILE", "write the script's output to FILE", OPT_TEXT, JOB_AT(output)},
	{'f', "format", "FORMAT", "'text', 'json' or 'folded'", OPT_TEXT, JOB_AT(format)},
	{'B', NULL, "MODE", "when output is written: 'line', 'full' or 'none'", OPT_CALL, .set = set_buffering},
	{'q', "quiet", NULL, "no messages but errors", OPT_FLAG, JOB_AT(quiet)},
	{'k', "warnings", NULL, "warn when a read or a map operation fails", OPT_CALL, .set = set_warnings},
	{0, "no-warnings", NULL, "no warnings at all", OPT_CALL, .set = set_no_warnings},
	{.kind = OPT_HEADING, .help = ""},
	{'I', NULL, "DIR", "where #include files are looked for", OPT_LIST, JOB_AT(include_dirs)},
	{0, "include", "FILE", "read this header before the script", OPT_LIST, JOB_AT(includes)},
	{0, "debuginfo", "DIR[:DIR]", "where separate debug files are looked for (may be repeated)", OPT_LIST, JOB_AT(debuginfo)},
	{0, "traceable-functions", "FILE", "where the list of kernel functions is read from", OPT_TEXT, JOB_AT(functions)},
	{.kind = OPT_HEADING, .help = ""},
	{0, "unsafe", NULL, "allow what changes the machine: system(), signal()", OPT_FLAG, JOB_AT(unsafe)},
	{0, "no-feature", "FEATURE[,FEATURE]", "do as if the kernel lacked a feature", OPT_CALL, .set = set_no_feature},
	{'b', "btf", NULL, NULL, OPT_IGNORED},
	{.kind = OPT_HEADING, .help = "\nLOOKING INSIDE:"},
	{0, "dry-run", NULL, "load everything, attach nothing", OPT_FLAG, JOB_AT(dry_run)},
	{'d', "debug", "STAGE", "print stages: all ast types codegen codegen-opt dis verifier", OPT_CALL, .set = set_debug},
	{0, "dump", "STAGES", "print and stop: ast types ir ir:PASS bpf maps", OPT_TEXT, JOB_AT(dump)},
	{0, "time", NULL, "show where the time until the first event went", OPT_FLAG, JOB_AT(time)},
	{0, "mode", "MODE", "'codegen': compile only; 'test', 'bench'", OPT_CALL, .set = set_mode},
	{0, "test", NULL, "run all test: probes and say which failed", OPT_CALL, .set = set_test},
	{0, "bench", NULL, "run all bench: probes and say what a run costs", OPT_CALL, .set = set_bench},
	{0, "verify-llvm-ir", NULL, NULL, OPT_IGNORED},
	{0, "emit-elf", "FILE", NULL, OPT_MISSING, .instead = "--dump=bpf shows the instructions"},
	{0, "emit-llvm", "FILE", NULL, OPT_MISSING, .instead = "--dump=ir shows the code before and after its passes"},
	{0, "probe-filter", "REGEX", "only probes whose name matches", OPT_TEXT, JOB_AT(probe_filter)},
	{0, "fmt", NULL, NULL, OPT_MISSING},
	{0, "aot", "FILE", NULL, OPT_MISSING, .instead = "scripts need no compiler here: run the script itself"},
};
/* clang-format on */

const struct option_table options_bpftrace = {
	.option = table,
	.n = ARRAY_SIZE(table),
	.usage = "bpftrace - run tracing scripts on Linux by BPF\n"
		 "(this is spile " SPILE_VERSION ", which takes bpftrace's command line)\n\n"
		 "USAGE:\n"
		 "    bpftrace [options] FILE [params]\n"
		 "    bpftrace [options] -              the program comes from stdin\n"
		 "    bpftrace [options] -e 'program' [params]\n"
		 "    named parameters follow --:       bpftrace FILE -- --name=value\n\n",
	.tail = "\nEXAMPLES:\n"
		"    bpftrace -e 'tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'\n"
		"    bpftrace -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'\n"
		"    bpftrace -e 'profile:hz:99 { @[kstack] = count(); }'\n"
		"    bpftrace -l 'tracepoint:*sleep*'\n\n"
		"See spile(8).\n",
};

/* What bpftrace says of a number that is none; underscores and a suffix are not for pids. */
struct err *parse_pid(const char *text, int *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (end == text || *text == '-')
		return err_new(0, "Failed to parse pid: invalid integer: %s", text);
	if (*end)
		return err_new(0, "Failed to parse pid: invalid trailing bytes: %s", text);
	if (errno == ERANGE || v > 0x400000)
		return err_new(0, "Pid out of range: %s", text);
	*ret = (int)v;
	return NULL;
}

struct err *finish_bpftrace(struct job *j, struct text_list *rest)
{
	size_t next = 0;
	j->lang = &lang_bt;
	if (j->cmd && j->pid_text)
		return err_new(EINVAL, "USAGE: Cannot use both -c and -p.");
	if (j->list && !j->script) {
		if (rest->list.len > 1)
			return err_new(EINVAL, "USAGE: -l takes one pattern");
		const char *what = rest->list.len ? rest->list.at[0] : "*";
		if (rest->list.len && access(what, F_OK) == 0)
			j->file = what;
		else
			j->pattern = what;
		return NULL;
	}
	if (!j->script && !rest->list.len)
		return err_new(0, "USAGE: filename or -e 'program' required.");
	if (!j->script)
		j->file = rest->list.at[next++];
	for (; next < rest->list.len; next++)
		vec_push(&j->params.list, rest->list.at[next]);
	return NULL;
}
