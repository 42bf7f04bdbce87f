/*
 * lang.h - a language of scripts: from text to struct program.
 */
#pragma once

#include "base/base.h"
#include "debuginfo/world.h"
#include "ir/program.h"

struct lang_input {
	struct source *src;
	struct arena *arena;
	struct diags *diags;
	struct world *world;
	const char *const *params; /* positional: $1.. ; bpftrace: also --name=value after -- */
	unsigned nparams;
	struct program_options opt; /* from flags and environment; a config block may change it */
	const char *const *include_dirs;
	unsigned ninclude_dirs;
	const char *kernel_source, *kernel_build; /* folders of the kernel's headers, when they are installed; NULL */
	const char *const *includes; /* headers that are read before the script */
	unsigned nincludes;
	unsigned stop_after;	   /* SystemTap's -p1..-p4; 0: all */
	struct buf *dump_ast;	   /* NULL: not wanted */
	struct buf *dump_types;
	bool guru;
	bool unoptimized; /* SystemTap's -u: what nobody reads stays */
	bool skip_badvars;	   /* SystemTap's: variables that cannot be read are 0 */
	int target_namespaces;	   /* SystemTap's: the process whose namespaces ns_pid() and such count in; 0: ours */
	const char *module;	   /* SystemTap's -m: what module_name() says; NULL */
	bool is_listing;	   /* probes are wanted, handlers need not compile */
	/* SystemTap */
	struct source *more; /* -E: scripts beside src */
	unsigned nmore;
	const char *const *defines; /* -D NAME=VALUE */
	unsigned ndefines;
	const char *const *globals; /* -G NAME=VALUE */
	unsigned nglobals;
	void (*phase)(void *arg, const char *name); /* NULL, or told when a step has ended */
	void *phase_arg;
};

struct lang {
	const char *name; /* "bpftrace", "stap" */
	/* NULL when there were errors (in diags). */
	struct program *(*compile)(struct lang_input *in);
	/* One diagnostic with its place, in the language's own form. */
	void (*render)(const struct diag *d, struct buf *out, bool colour);
	/* How sure one can be that `text` is of this language, 0..100; decides for `spile FILE`. */
	int (*looks_like)(const char *name, const char *text);
};
extern const struct lang lang_bt, lang_stp;
