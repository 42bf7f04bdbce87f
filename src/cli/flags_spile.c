/* flags_spile.c - the program's own command line: scripts of either language. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

struct err *set_language(struct job *j, const char *name)
{
	if (str_eq(name, "bpftrace") || str_eq(name, "bt"))
		j->lang = &lang_bt;
	else if (str_eq(name, "stap") || str_eq(name, "systemtap") || str_eq(name, "stp"))
		j->lang = &lang_stp;
	else
		return err_new(0, "--lang knows 'bpftrace' and 'stap', not '%s'", name);
	return NULL;
}

static struct err *set_buffering(struct job *j, const char *arg)
{
	if (!str_eq(arg, "line") && !str_eq(arg, "full") && !str_eq(arg, "none"))
		return err_new(0, "-B is one of 'line', 'full' and 'none', not '%s'", arg);
	j->buffering = arg;
	return NULL;
}

static struct err *set_timeout(struct job *j, const char *arg)
{
	char *end;
	if (strtod(arg, &end) <= 0 || *end)
		return err_new(0, "-T takes a number of seconds, not '%s'", arg);
	j->timeout = arg;
	return NULL;
}

/* clang-format off */
static const struct option table[] = {
	{.kind = OPT_HEADING, .help = "What to run:"},
	{'e', NULL, "PROGRAM", "run this text", OPT_TEXT, JOB_AT(script)},
	{0, "lang", "LANGUAGE", "'bpftrace' or 'stap'; without it the text tells", OPT_CALL, .set = set_language},
	{'p', "pid", "PID", "trace only this process", OPT_TEXT, JOB_AT(pid_text)},
	{'c', "cmd", "CMD", "run CMD, trace it, end with it", OPT_TEXT, JOB_AT(cmd)},
	{'T', "timeout", "SECONDS", "end after so long", OPT_CALL, .set = set_timeout},
	{'I', NULL, "DIR", "where #include files are looked for", OPT_LIST, JOB_AT(include_dirs)},
	{'D', NULL, "NAME=VALUE", "SystemTap: set a limit, such as MAXMAPENTRIES", OPT_LIST, JOB_AT(defines)},
	{'G', NULL, "NAME=VALUE", "SystemTap: set a global", OPT_LIST, JOB_AT(globals)},
	{0, "debuginfo", "DIR[:DIR]", "where separate debug files are looked for (may be repeated)", OPT_LIST, JOB_AT(debuginfo)},
	{'g', "unsafe", NULL, "allow what changes the machine: system(), signal(), override()", OPT_FLAG, JOB_AT(unsafe)},
	{.kind = OPT_HEADING, .help = "\nOutput:"},
	{'o', "output", "FILE", "write the script's output to FILE", OPT_TEXT, JOB_AT(output)},
	{'f', "format", "FORMAT", "'text', 'json'; maps of stacks: 'folded', 'pprof' or 'speedscope'", OPT_TEXT, JOB_AT(format)},
	{0, "flame", "FILE.svg", "also draw maps of stacks as flame graphs; FILE.svg[,icicle][,map=@NAME][,diff=OLD.folded]", OPT_TEXT, JOB_AT(flame)},
	{'B', NULL, "MODE", "when output is written: 'line', 'full' or 'none'", OPT_CALL, .set = set_buffering},
	{'k', "warnings", NULL, "warn when a read or a map operation fails", OPT_FLAG, JOB_AT(warnings)},
	{'q', "quiet", NULL, "no messages but errors", OPT_FLAG, JOB_AT(quiet)},
	{'w', "no-warnings", NULL, "no warnings", OPT_FLAG, JOB_AT(no_warnings)},
	{.kind = OPT_HEADING, .help = "\nLooking around:"},
	{'l', "list", NULL, "list probes that match a pattern, or those of a script", OPT_FLAG, JOB_AT(list)},
	{'v', "verbose", NULL, "say more; with -l, show the arguments of probes", OPT_COUNT, JOB_AT(verbose)},
	{0, "info", NULL, "print what this kernel can do", OPT_FLAG, JOB_AT(info)},
	{0, "dump", "STAGES", "print and stop: ast types ir ir:PASS bpf maps", OPT_TEXT, JOB_AT(dump)},
	{0, "time", NULL, "show where the time until the first event went", OPT_FLAG, JOB_AT(time)},
	{0, "dry-run", NULL, "load everything, attach nothing", OPT_FLAG, JOB_AT(dry_run)},
	{'V', "version", NULL, "print the version", OPT_FLAG, JOB_AT(version)},
	{'h', "help", NULL, "show this help", OPT_FLAG, JOB_AT(help)},
};
/* clang-format on */

const struct option_table options_spile = {
	.option = table,
	.n = ARRAY_SIZE(table),
	.usage = "spile - trace a living Linux system with bpftrace's and SystemTap's scripts\n\n"
		 "    spile [options] FILE [parameters]\n"
		 "    spile [options] -e PROGRAM [parameters]\n"
		 "    spile -l [PATTERN]\n"
		 "    spile flame [--icicle] [--diff=OLD] FILE.folded > FILE.svg\n"
		 "    spile ir [--passes=a,b] [--check] FILE\n\n"
		 "Started as `bpftrace` or `stap` it takes that program's command line.\n\n",
	.tail = "\nExamples:\n"
		"    spile -e 'tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'\n"
		"    spile -e 'probe timer.s(1) { printf(\"%s\\n\", ctime(gettimeofday_s())) }'\n"
		"    spile -f folded -e 'profile:hz:99 { @[comm, ustack] = count(); }' -T 10\n\n"
		"See spile(8).\n",
};

struct err *finish_spile(struct job *j, struct text_list *rest)
{
	size_t next = 0;
	if (j->cmd && j->pid_text)
		return err_new(0, "-c and -p exclude each other");
	if (j->list && !j->script) {
		const char *what = rest->list.len ? rest->list.at[0] : "*";
		if (rest->list.len > 1)
			return err_new(0, "-l takes one pattern");
		if (rest->list.len && access(what, F_OK) == 0)
			j->file = what;
		else
			j->pattern = what;
		return NULL;
	}
	if (!j->script && !rest->list.len)
		return err_new(0, "a script is needed: a file, or -e 'program'");
	if (!j->script)
		j->file = rest->list.at[next++];
	for (; next < rest->list.len; next++)
		vec_push(&j->params.list, rest->list.at[next]);
	return NULL;
}
