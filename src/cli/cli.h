/*
 * cli.h - the program: what the command line asks for, and the steps that do it.
 *
 * Three personalities share one flow: `spile` itself, and the flags of bpftrace and of stap when
 * the program is started under their names.  Each has one table of options (flags_*.c) that parses
 * and prints its help.
 */
#pragma once

#include <stdio.h>

#include "attach/attach.h"
#include "base/base.h"
#include "events/events.h"
#include "lang/lang.h"
#include "output/output.h"

enum {
	EXIT_OK,
	EXIT_USER,
	EXIT_INTERNAL
};

enum personality {
	AS_SPILE,
	AS_BPFTRACE,
	AS_STAP
};

struct text_list {
	VEC(const char *) list;
};

/* Everything that was asked for. */
struct job {
	enum personality as;
	const char *program; /* argv[0]'s last part, for messages */
	/* what to run */
	const char *script; /* -e */
	const char *file;
	struct text_list params;
	struct text_list more_scripts; /* stap -E */
	struct text_list include_dirs, includes, defines, globals; /* -D; -G */
	const struct lang *lang; /* NULL: told apart by the text */
	/* what to do with it */
	bool list, info, help, version;
	bool dump_functions, dump_types, dump_aliases; /* SystemTap's tables: see list_tables() */
	bool codegen_only; /* compile, do not load */
	enum run_mode mode;
	bool dry_run;
	bool unoptimized; /* stap -u */
	unsigned stop_after; /* stap -p1 .. -p4; 0: all */
	const char *pattern; /* of -l */
	const char *dump;    /* --dump=... */
	const char *debug;   /* bpftrace -d: dumps, then runs */
	bool time;
	/* how */
	const char *pid_text;
	int pid;
	const char *cmd;
	const char *output, *format, *buffering, *flame;
	const char *timeout; /* seconds, fractions allowed */
	struct text_list debuginfo;
	const char *no_feature;
	const char *probe_filter; /* regular expression */
	const char *functions;    /* --traceable-functions */
	unsigned verbose;
	bool quiet, warnings, no_warnings, unsafe, colour;
	int target_namespaces;	/* stap: a process; 0: our own namespaces */
	const char *module;	/* stap -m */
	bool skip_badvars;	/* stap: variables that cannot be read are 0 */
	bool no_global_display; /* stap --no-global-var-display */
	bool hit_report;	/* stap -t */
	bool suppress_errors;	/* stap --suppress-handler-errors */
	bool warnings_are_errors; /* stap -W */
	uint64_t rotate_bytes;	/* stap -S; 0: one file */
	unsigned rotate_keep;	/* 0: all */
};

/* --- options.c -------------------------------------------------------------------- */

enum option_kind {
	OPT_HEADING, /* help: a line before a group */
	OPT_FLAG,    /* bool at offset becomes true */
	OPT_COUNT,   /* unsigned at offset, one more each time */
	OPT_TEXT,    /* const char * at offset */
	OPT_LIST,    /* struct text_list at offset */
	OPT_CALL,    /* set() does it */
	OPT_IGNORED, /* accepted for compatibility */
	OPT_MISSING, /* known, not supported: an error that says so */
};
struct option {
	char letter;      /* 0: none */
	const char *name; /* long one without dashes, NULL: none */
	const char *arg;  /* what its argument is called; NULL: takes none */
	const char *help; /* NULL: not shown */
	enum option_kind kind;
	size_t offset; /* in struct job */
	/* An error is a sentence for the user. */
	struct err *(*set)(struct job *j, const char *arg);
	const char *instead; /* OPT_MISSING: a hint what to do */
};
struct option_table {
	const struct option *option;
	size_t n;
	const char *usage; /* text before and after the options */
	const char *tail;
};
#define JOB_AT(member) offsetof(struct job, member)

/* Options may stand anywhere before `--`; the rest goes to `rest`, in order. */
struct err *options_parse(const struct option_table *t, struct job *j, char **argv,
			  struct text_list *rest);
void options_help(const struct option_table *t, FILE *to);

extern const struct option_table options_spile, options_bpftrace, options_stap;
/* flags_*.c: what is left after the options, and what may not go together. */
struct err *finish_spile(struct job *j, struct text_list *rest);
struct err *finish_bpftrace(struct job *j, struct text_list *rest);
struct err *finish_stap(struct job *j, struct text_list *rest);
struct err *set_language(struct job *j, const char *name);
struct err *parse_pid(const char *text, int *ret);

/* --- phases.c: --time ------------------------------------------------------------- */

struct phases {
	struct arena *arena;
	struct {
		const char *name;
		uint64_t wall, cpu; /* ns since the phase before */
	} at[64];
	unsigned n;
	uint64_t wall, cpu;
};
void phases_start(struct phases *p, struct arena *a);
void phases_end(void *phases, const char *name); /* as session_options.phase wants it */
void phases_print(const struct phases *p, FILE *to);
/* Sums of the phases from..to-1: "in 1usr/0sys/2real ms."  The kernel does not tell user from system time so finely: all
 * of it is called user time. */
void phases_say(const struct phases *p, unsigned from, unsigned to, FILE *out);
unsigned phases_find(const struct phases *p, const char *name); /* p->n: none of that name */

/* --- script.c: from a command line to a program ----------------------------------- */

struct script {
	struct arena *arena;
	struct world *world;
	struct source source;
	const struct lang *lang;
	struct diags diags;
	struct program *prog;     /* NULL: it did not compile */
	struct traced_cmd *child; /* of -c, waiting; NULL: none */
	struct phases phases;
};
struct err *script_open(struct job *j, struct script *s); /* reads the text, opens the world */
/* Compiles and prints every diagnostic; false after errors. */
bool script_compile(struct job *j, struct script *s, bool is_listing);
struct lang_input script_input(const struct job *j, struct script *s);
void script_print_diags(const struct job *j, struct script *s, bool ok);
void script_optimize(struct job *j, struct script *s);
void script_close(struct script *s);
void print_error(const struct job *j, const struct err *e);
/* --dump and -d: everything that the wanted stages name, to stdout. */
bool dump_wanted(const struct job *j, const char *stage);
struct err *dump_check(const struct job *j); /* unknown stages */
struct err *pass_check(const char *option, const char *name, size_t n); /* no such pass */
void dump_program(const struct job *j, struct script *s);

/* --- filter.c, run.c, list.c, info.c, ir.c -------------------------------------------------- */

struct err *filter_probes(struct program *prog, const char *regex);
/* Tests and benchmarks are only there when they are asked for, and then alone. */
struct err *filter_mode(struct program *prog, enum run_mode mode);
int run_script(struct job *j);
int list_probes(struct job *j);
int list_tables(struct job *j); /* stap --dump-functions, --dump-probe-types, --dump-probe-aliases */
int print_info(struct job *j);
int verb_ir(char **argv);
int verb_flame(char **argv);
/* hits.c: a line for each probe that was hit, when session_options.timing was on */
void print_hits(struct session *session, const struct program *p, struct buf *out);
/* A line a loaded program on stdout: its length, and what the verifier had to do for it. */
void print_loaded(struct session *session, const struct program *p);
