/* flags_stap.c - the command line of stap: what makes sense without kernel modules. */
#include <stdlib.h>

#include "cli/cli.h"

static struct err *set_pass(struct job *j, const char *arg)
{
	if (arg[0] < '1' || arg[0] > '5' || arg[1])
		return err_new(0, "Invalid pass number '%s' (should be 1-5).", arg);
	j->stop_after = arg[0] == '5' ? 0 : (unsigned)(arg[0] - '0');
	return NULL;
}

static struct err *set_list(struct job *j, const char *arg)
{
	j->list = true;
	j->pattern = arg;
	return NULL;
}

static struct err *set_list_variables(struct job *j, const char *arg)
{
	j->verbose = MAX(j->verbose, 1u);
	return set_list(j, arg);
}

static struct err *set_runtime(struct job *j, const char *arg)
{
	/* "kernel" is what stap takes without the option */
	if (str_eq(arg, "bpf") || str_eq(arg, "kernel"))
		return NULL;
	return err_new(0, "--runtime=%s is not supported: everything runs on BPF", arg);
}

static struct err *set_privilege(struct job *j, const char *arg)
{
	if (str_eq(arg, "stapdev"))
		return NULL;
	return err_new(0, "--privilege=%s is not supported: whoever may load BPF programs may run any script", arg);
}

/* MB of a file, and how many files are kept (0: all). */
static struct err *set_rotation(struct job *j, const char *arg)
{
	char *end;
	unsigned long mb = strtoul(arg, &end, 10), keep = 0;
	bool counted = *end == ',';
	if (counted)
		keep = strtoul(end + 1, &end, 10);
	if (*end || mb < 1 || mb > 1u << 20 || (counted && (keep < 1 || keep > 1u << 20)))
		return err_new(0, "Invalid file size or number of files '%s' (as in -S 10 or -S 10,5)", arg);
	j->rotate_bytes = (uint64_t)mb << 20;
	j->rotate_keep = (unsigned)keep;
	return NULL;
}

static struct err *set_namespaces(struct job *j, const char *arg)
{
	char *end;
	long pid = strtol(arg, &end, 10);
	if (pid < 1 || pid > 0x7fffffff || *end)
		return err_new(0, "Invalid process id number '%s'", arg);
	j->target_namespaces = (int)pid;
	return NULL;
}

static struct err *set_timeout(struct job *j, const char *arg)
{
	char *end;
	if (strtod(arg, &end) <= 0 || *end)
		return err_new(0, "Invalid timeout interval '%s'", arg);
	j->timeout = arg;
	return NULL;
}

/* clang-format off */
static const struct option table[] = {
	{.kind = OPT_HEADING, .help = "OPTIONS:"},
	{'e', NULL, "SCRIPT", "run this script", OPT_TEXT, JOB_AT(script)},
	{'c', NULL, "CMD", "run CMD, end with it; target() is its pid", OPT_TEXT, JOB_AT(cmd)},
	{'x', NULL, "PID", "target() is PID; end when it ends", OPT_TEXT, JOB_AT(pid_text)},
	{'o', NULL, "FILE", "write the script's output to FILE", OPT_TEXT, JOB_AT(output)},
	{'T', NULL, "SECONDS", "end after so long", OPT_CALL, .set = set_timeout},
	{'v', NULL, NULL, "say more", OPT_COUNT, JOB_AT(verbose)},
	{'p', NULL, "PASS", "stop after pass 1 parse, 2 elaborate, 3 translate, 4 load, 5 run", OPT_CALL, .set = set_pass},
	{'l', NULL, "PATTERN", "list the probe points that match", OPT_CALL, .set = set_list},
	{'L', NULL, "PATTERN", "the same with their variables", OPT_CALL, .set = set_list_variables},
	{'g', NULL, NULL, "guru mode: allow what changes the machine", OPT_FLAG, JOB_AT(unsafe)},
	{'G', NULL, "NAME=VALUE", "set a global", OPT_LIST, JOB_AT(globals)},
	{'D', NULL, "NAME=VALUE", "set a limit, such as MAXMAPENTRIES", OPT_LIST, JOB_AT(defines)},
	{'u', NULL, NULL, "keep code and variables that nothing uses", OPT_FLAG, JOB_AT(unoptimized)},
	{'t', NULL, NULL, "at the end, how often each probe was hit and what that cost", OPT_FLAG, JOB_AT(hit_report)},
	{'w', NULL, NULL, "no warnings", OPT_FLAG, JOB_AT(no_warnings)},
	{'W', NULL, NULL, "warnings of the script are errors", OPT_FLAG, JOB_AT(warnings_are_errors)},
	{'E', NULL, "SCRIPT", "run this script too", OPT_LIST, JOB_AT(more_scripts)},
	{'S', NULL, "MB[,N]", "with -o: go on in a new file after so many MB, keep the last N", OPT_CALL, .set = set_rotation},
	{0, "suppress-handler-errors", NULL, "count errors of handlers, do not show them, go on", OPT_FLAG, JOB_AT(suppress_errors)},
	{0, "dump-functions", NULL, "list the functions that scripts may call", OPT_FLAG, JOB_AT(dump_functions)},
	{0, "dump-probe-types", NULL, "list the patterns of probe points", OPT_FLAG, JOB_AT(dump_types)},
	{0, "dump-probe-aliases", NULL, "list the aliases and what they stand for", OPT_FLAG, JOB_AT(dump_aliases)},
	{0, "target-namespaces", "PID", "ns_pid() and such count in the namespaces of this process", OPT_CALL, .set = set_namespaces},
	{0, "no-global-var-display", NULL, "do not print unread globals at the end", OPT_FLAG, JOB_AT(no_global_display)},
	{0, "dump", "STAGES", "print and stop: ast types ir ir:PASS bpf maps", OPT_TEXT, JOB_AT(dump)},
	{0, "time", NULL, "show where the time until the first event went", OPT_FLAG, JOB_AT(time)},
	{'V', "version", NULL, "print the version", OPT_FLAG, JOB_AT(version)},
	{'h', "help", NULL, "show this help", OPT_FLAG, JOB_AT(help)},
	/* what only steers kernel modules, their cache and their build */
	{'k', NULL, NULL, NULL, OPT_IGNORED},
	{'q', NULL, NULL, NULL, OPT_IGNORED},
	{'m', NULL, "NAME", NULL, OPT_TEXT, JOB_AT(module)},
	{'s', NULL, "MB", NULL, OPT_IGNORED},
	{'b', NULL, NULL, NULL, OPT_IGNORED},
	{'P', NULL, NULL, NULL, OPT_IGNORED},
	{'I', NULL, "DIR", NULL, OPT_LIST, JOB_AT(include_dirs)},
	{'R', NULL, "DIR", NULL, OPT_IGNORED},
	{'B', NULL, "NAME=VALUE", NULL, OPT_IGNORED},
	{'d', NULL, "OBJECT", NULL, OPT_IGNORED},
	{0, "vp", "LEVELS", NULL, OPT_IGNORED},
	{0, "ldd", NULL, NULL, OPT_IGNORED},
	{0, "all-modules", NULL, NULL, OPT_IGNORED},
	{0, "poison-cache", NULL, NULL, OPT_IGNORED},
	{0, "disable-cache", NULL, NULL, OPT_IGNORED},
	{0, "clean-cache", NULL, NULL, OPT_IGNORED},
	{0, "prologue-searching", NULL, NULL, OPT_IGNORED},
	{0, "skip-badvars", NULL, NULL, OPT_FLAG, JOB_AT(skip_badvars)},
	{0, "suppress-time-limits", NULL, NULL, OPT_IGNORED},
	{0, "compatible", "VERSION", NULL, OPT_IGNORED},
	{0, "check-version", NULL, NULL, OPT_IGNORED},
	{0, "color", "WHEN", NULL, OPT_IGNORED},
	{0, "save-uprobes", NULL, NULL, OPT_IGNORED},
	{0, "modinfo", "NAME=VALUE", NULL, OPT_IGNORED},
	{0, "rlimit-as", "N", NULL, OPT_IGNORED},
	{0, "rlimit-cpu", "N", NULL, OPT_IGNORED},
	{0, "rlimit-nproc", "N", NULL, OPT_IGNORED},
	{0, "rlimit-stack", "N", NULL, OPT_IGNORED},
	{0, "rlimit-fsize", "N", NULL, OPT_IGNORED},
	{0, "bpf", NULL, NULL, OPT_IGNORED},
	{0, "runtime", "NAME", NULL, OPT_CALL, .set = set_runtime},
	{'F', NULL, NULL, NULL, OPT_MISSING, .instead = "-o FILE with a & behind traces in the background; kill -INT ends it"},
	{'i', NULL, NULL, NULL, OPT_MISSING},
	{'r', NULL, "RELEASE", NULL, OPT_MISSING},
	{'a', NULL, "ARCH", NULL, OPT_MISSING},
	{0, "monitor", NULL, NULL, OPT_MISSING},
	{0, "remote", "HOST", NULL, OPT_MISSING},
	{0, "dyninst", NULL, NULL, OPT_MISSING},
	{0, "use-server", NULL, NULL, OPT_MISSING},
	{0, "unprivileged", NULL, NULL, OPT_MISSING},
	{0, "privilege", "LEVEL", NULL, OPT_CALL, .set = set_privilege},
	{0, "example", NULL, NULL, OPT_MISSING},
};
/* clang-format on */

const struct option_table options_stap = {
	.option = table,
	.n = ARRAY_SIZE(table),
	.usage = "stap - run a SystemTap script (this is spile " SPILE_VERSION
		 ", which needs no kernel module)\n\n"
		 "USAGE:\n"
		 "    stap [options] FILE [arguments]\n"
		 "    stap [options] -                  the script comes from stdin\n"
		 "    stap [options] -e SCRIPT [arguments]\n"
		 "    stap [options] -l PATTERN | -L PATTERN\n\n",
	.tail = "\nSee spile(8).\n",
};

struct err *finish_stap(struct job *j, struct text_list *rest)
{
	size_t next = 0;
	j->lang = &lang_stp;
	if (j->list || j->dump_functions || j->dump_types || j->dump_aliases)
		return NULL;
	if (!j->script && !rest->list.len && j->more_scripts.list.len) /* -E alone is a script too */
		j->script = vec_pop(&j->more_scripts.list);
	if (!j->script && !rest->list.len)
		return err_new(0, "A script must be specified.");
	if (j->cmd && j->pid_text)
		return err_new(
			0, "You can't specify both a command with '-c' and a process with '-x'.");
	if (j->rotate_bytes && !j->output)
		return err_new(0, "-S needs -o FILE");
	if (!j->script)
		j->file = rest->list.at[next++];
	for (; next < rest->list.len; next++)
		vec_push(&j->params.list, rest->list.at[next]);
	return NULL;
}
