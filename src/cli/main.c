/* main.c - the program: which personality, which verb. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* One row a name under which the program may be started. */
static const struct {
	const char *name;
	enum personality as;
	const struct option_table *table;
	struct err *(*finish)(struct job *j, struct text_list *rest);
	const char *version;
} personalities[] = {
	{"spile", AS_SPILE, &options_spile, finish_spile, "spile v" SPILE_VERSION},
	{"bpftrace", AS_BPFTRACE, &options_bpftrace, finish_bpftrace,
	 "bpftrace v0.27.1 (spile v" SPILE_VERSION ")"},
	{"stap", AS_STAP, &options_stap, finish_stap,
	 "Systemtap translator/driver (version 5.2, spile v" SPILE_VERSION ")"},
};

static size_t personality_of(const char *program)
{
	for (size_t i = 1; i < ARRAY_SIZE(personalities); i++)
		if (str_eq(program, personalities[i].name))
			return i;
	return 0;
}

static bool wants_colour(void)
{
	const char *env = getenv("BPFTRACE_COLOR");
	if (str_eq(env, "always") || str_eq(env, "never"))
		return str_eq(env, "always");
	if (env && strcmp(env, "auto"))
		fprintf(stderr,
			"WARNING: Invalid env value! The valid values of `BPFTRACE_COLOR` are [auto|always|never]. The "
			"current value is %s!\n",
			env);
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && term && !str_eq(term, "dumb");
}

/* A handler, not SIG_IGN: what we start must not inherit it. */
static void on_broken_pipe(int signo)
{
	(void)signo;
}

/*
 * A standard file that was closed would be the next that is opened, a map or a program, and what is meant for the
 * user would be written into it.  Reading from nothing ends, writing to it fails.
 */
static void keep_standard_files(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
			_exit(EXIT_USER);
}

static int dispatch(struct job *j)
{
	if (j->info)
		return print_info(j);
	if (j->dump_functions || j->dump_types || j->dump_aliases)
		return list_tables(j);
	if (j->list)
		return list_probes(j);
	return run_script(j);
}

static int usage_error(const struct job *j, const struct option_table *t, struct err *e,
		       bool in_table)
{
	if (e->code == EOPNOTSUPP) {
		print_error(j, e);
	} else if (in_table && !str_has_prefix(e->msg, "USAGE") && j->as != AS_SPILE) {
		fprintf(stderr, "%s: %s\n", j->program, e->msg);
		options_help(t, stderr);
	} else {
		print_error(j, e);
		if (j->as == AS_SPILE)
			fprintf(stderr, "`spile --help` lists the options.\n");
		else if (e->code)
			options_help(t, stderr);
	}
	err_free(e);
	return EXIT_USER;
}

static int run_as(size_t p, char **argv)
{
	struct job j = {.as = personalities[p].as, .program = personalities[p].name};
	struct text_list rest = {0};
	const struct option_table *t = personalities[p].table;
	int status = EXIT_OK;
	j.colour = wants_colour();
	struct err *e = options_parse(t, &j, argv, &rest);
	bool in_table = e != NULL;
	if (!e && j.pid_text)
		e = parse_pid(j.pid_text, &j.pid);
	if (!e && !j.help && !j.version && !j.info)
		e = personalities[p].finish(&j, &rest);
	if (e)
		status = usage_error(&j, t, e, in_table);
	else if (j.help)
		options_help(t, stdout);
	else if (j.version)
		puts(personalities[p].version);
	else
		status = dispatch(&j);
	vec_free(&rest.list);
	vec_free(&j.params.list);
	vec_free(&j.more_scripts.list);
	vec_free(&j.include_dirs.list);
	vec_free(&j.includes.list);
	vec_free(&j.defines.list);
	vec_free(&j.globals.list);
	vec_free(&j.debuginfo.list);
	return status;
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	size_t p = personality_of(slash ? slash + 1 : argc ? argv[0] : "");
	struct sigaction broken_pipe = {.sa_handler = on_broken_pipe};
	sigaction(SIGPIPE, &broken_pipe, NULL);
	keep_standard_files();
	if (argc < 2) {
		options_help(personalities[p].table, stderr);
		return EXIT_USER;
	}
	if (p == 0 && str_eq(argv[1], "ir"))
		return verb_ir(argv + 2);
	if (p == 0 && str_eq(argv[1], "flame"))
		return verb_flame(argv + 2);
	return run_as(p, argv + 1);
}
