/*
 * comp.h - inside lang/stp: one compilation, from parsed files to a program.
 */
#pragma once

#include "lang/stp/stp.h"

struct stp_family;

/* A probe after elaboration: one point of a family, its handler, its variables. */
struct stp_dprobe {
	struct loc loc;		  /* of the component that the user wrote */
	struct loc probe_loc;	  /* of the word probe */
	const char *name;	  /* "begin(3)", as -p2 and pp() show it */
	const char *alias_name;	  /* outermost alias, NULL */
	const char *derivation;	  /* " <- foo = begin(3) <- foo" */
	struct probe_spec spec;
	struct attach_points points;
	struct probe_args *args;  /* $variables; NULL: none */
	struct field *returned;	  /* $return of a kernel function; NULL: none */
	struct probe_args *vars;  /* same from debug information: parameters and locals */
	uint32_t perf_type, perf_config; /* of perf events: PERF_TYPE_ and its config */
	bool is_return;
	const char *entry_event;  /* return of a syscall: "syscalls:sys_enter_X" of its entry */
	bool args_are_fields;	  /* int_arg(n) is the n-th field of the record */
	bool args_by_call;	  /* args come from the function's prototype: the n-th is the n-th of the calling convention */
	struct stp_stmt *body;	  /* list */
	struct stp_scope scope;
	bool is_tapset;		  /* the probe itself is of the tapset (not only an alias) */
	bool is_hidden;		  /* made by the compiler */
	bool is_one_of_many;	  /* of a pattern with many points */
	bool is_raw_syscall;	  /* process.syscall: $syscall, $arg1.., $return */
	bool is_thread_begin;	  /* runs in the parent; tid() is the new thread's */
	const char *guard;	  /* script text of a condition that the family adds, NULL */
	bool in_user;		  /* decided by place.c */
	bool uses_captures;	  /* calls matched() or its like */
	bool uses_tokens;	  /* calls tokenize() */
	struct stp_dprobe *entry; /* of a return probe with @entry */
	struct stp_expr **entry_expr; /* expressions to save */
	unsigned nentry;
};

struct stp_comp {
	struct lang_input *in;
	struct arena *a;
	struct diags *diags;
	struct world *world;
	struct program *prog;
	struct line_cursor line; /* of the last error message that was made */
	struct stp_file *user;
	VEC(struct stp_file *) files;
	VEC(struct stp_probe *) aliases;
	struct strtab globals, funcs; /* by name; functions: name/arity */
	struct strtab tapset_macros;
	VEC(struct stp_func *) reachable; /* in order of first use */
	VEC(struct stp_global *) used_globals;
	VEC(struct stp_dprobe *) probes;
	VEC(struct stp_dprobe *) all_probes; /* also those that were dropped */
	bool tapset_loaded;  /* all of it */
	uint64_t tapset_has; /* bit i: file i of it is loaded */
	struct strtab made; /* syscall aliases already written */
	unsigned quiet;	    /* > 0: errors are not reported (optional points) */
	unsigned lenient; /* within points that are optional or have an alternative */
	unsigned expand_depth;
	unsigned mute_warnings; /* code of the tapset */
	bool changed;
	bool final_round;
	VEC(struct stp_stmt *) dropped; /* branches that cannot be taken */
	uint32_t max_string; /* MAXSTRINGLEN: bytes of a string with its NUL, STP_MAXSTRING at most */
	int64_t max_errors;
	uint32_t errors_offset; /* u64 in the program's data: errors so far, when some are allowed; 0: not made yet */
	int64_t max_action;  /* rounds of one loop; 0: the defaults of lower_flow.c */
	int64_t max_nesting; /* calls of functions that call themselves; 0: the default */
	int64_t gmtoff; /* seconds west of UTC */
	const char *zone;
	unsigned nentries; /* @entry variables made */
};

/* A diagnostic unless inside an optional point.  With `from`, the second place. */
struct diag *stp_error(struct stp_comp *c, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct diag *stp_warn(struct stp_comp *c, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds the chained message and its place to a diagnostic. */
void stp_chain(struct stp_comp *c, struct diag *d, struct loc from, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* "a, b, c": names near to `word`, at most five; "" when none is near. */
/* tapset_probe.c: what stap would call its kernel module: -m, or a name made of the script and the process */
const char *stp_session_name(struct stp_comp *c);
/* value.c: $value in probes of files and of what is typed, before names are bound */
void stp_use_value(struct stp_comp *c, struct stp_dprobe *dp);
const char *stp_similar(struct stp_comp *c, const char *word, const char *const *names, size_t n);

/* compile.c: a compilation that only looks: elaborated, resolved and typed as far as it has no errors; for listings. */
struct stp_comp *stp_open(struct lang_input *in);
void stp_analyse_text(struct stp_comp *c, struct source *src);
void stp_close(struct stp_comp *c);
/* compile.c: reads text as a file of the tapset (name for messages) and adds what it defines. */
void stp_add_tapset(struct stp_comp *c, const char *name, const char *text);
/* The tapset is read file by file, as names ask for it: all of it; what defines a function; what defines aliases that begin so. */
void stp_load_tapset(struct stp_comp *c);
void stp_load_function(struct stp_comp *c, const char *name);
void stp_load_aliases(struct stp_comp *c, const char *root);
/* folder.c: what -I names.  The macros (*.stpm) before the script is read, the rest (*.stp) after it: its own names win. */
void stp_read_folder_macros(struct stp_reader *user);
void stp_read_folders(struct stp_comp *c);
/* The body of the newest alias of that name. */
struct stp_stmt *stp_alias_body(struct stp_comp *c, const char *name);
struct stp_func *stp_find_func(struct stp_comp *c, const char *name, unsigned nargs);
struct stp_func *stp_any_func(struct stp_comp *c, const char *name);

/* overload.c: names for functions that share one, and what `next` in them means */
void stp_link_overloads(struct stp_comp *c, struct stp_file *file);
/* elab.c: expands all probes into c->probes. */
void stp_elaborate(struct stp_comp *c);
/* process("/bin/x").mark("m"), with the provider when the script names one */
/* "system:event" of a tracepoint, the plain name when tracefs does not know it.  Reads all of tracefs' names: for who asks only. */
const char *stp_event_name(struct stp_comp *c, const char *name);
const char *stp_mark_name(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p);
void stp_set_pids(struct stp_dprobe *dp); /* of the points that the family found */
void stp_expand_probe(struct stp_comp *c, struct stp_probe *p);
void stp_find_args(struct stp_comp *c, struct stp_dprobe *dp); /* fills dp->args from its first point */
bool stp_name_matches(const char *pattern, const char *name); /* * ? [] */
/* points.c: the families.  false: the point is not of a family (mismatch_at: component that failed). */
bool stp_family_expand(struct stp_comp *c, const struct stp_point *pt, struct stp_dprobe *dp, bool *known,
		       unsigned *mismatch_at);
const char *stp_family_pattern(unsigned i); /* NULL after the last */
void stp_family_names(struct stp_comp *c, const struct stp_point *pt, unsigned depth, struct str_list *out);
/* syscalls.c: writes the aliases that the patterns ask for: root is syscall, nd_syscall... */
void stp_make_syscalls(struct stp_comp *c, const char *root, const char *pattern);
/* In the body of process.syscall: $syscall, $arg1 to $arg6 and $return become fields of the raw tracepoints. */
void stp_name_raw_syscall(struct stp_comp *c, struct stp_stmt *body);
/* points_netfilter.c: in the body of a netfilter probe $in, $out, $hooknum, $pf and $okfn become members of $state. */
void stp_name_netfilter(struct stp_comp *c, struct stp_stmt *body);
bool stp_is_verdict(const struct stp_dprobe *dp, const struct stp_expr *e); /* $verdict of a netfilter probe */
/* entry.c: @entry() in a return probe: adds an entry probe that saves values; before names are resolved */
void stp_make_entry(struct stp_comp *c, struct stp_dprobe *dp);
/* The entry that a return probe belongs to, to look at its variables. */
struct stp_dprobe *stp_entry_of(struct stp_comp *c, const struct stp_dprobe *ret);
/* resolve.c */
void stp_resolve(struct stp_comp *c);
/* check.c: rules that need resolved names */
void stp_check(struct stp_comp *c);
/* types.c */
void stp_infer(struct stp_comp *c);
void stp_dump_types(struct stp_comp *c, struct buf *out);
/* regex.c: complains when the pattern is none */
void stp_regex_check(struct stp_comp *c, const char *pattern, struct loc loc);
/* elide.c: removes what nobody reads, with warnings about the user's own text */
void stp_elide(struct stp_comp *c);
bool stp_func_pure(struct stp_comp *c, struct stp_func *f);
/* place.c: kernel or user space, one rule */
void stp_place(struct stp_comp *c);
/* lock.c: which handlers exclude each other */
void stp_place_locks(struct stp_comp *c);
/* lower.c */
void stp_lower(struct stp_comp *c);
/* fold.c */
void stp_fold(struct stp_comp *c, struct stp_stmt *body);
/* guess.c: types that only code which was dropped tells; what has a type keeps it */
void stp_guess_types(struct stp_comp *c);
void stp_fold_defined(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *body);
/* debug_vars.c: does the handler ask for what differs from point to point? */
bool stp_needs_each_point(const struct stp_dprobe *dp);
/* Functions by their symbols alone, where debug information would add nothing that the handler asks for. */
void stp_choose_source(struct stp_dprobe *dp, struct stp_stmt *body);
/* A handler that looks at variables starts behind the function's prologue, where unoptimised code keeps them. */
void stp_settle_point(struct stp_comp *c, struct stp_dprobe *dp);
/* pretty.c: $var$, $$vars and their kind become sprintf() */
void stp_expand_pretty(struct stp_comp *c, struct stp_dprobe *dp);
/* target.c: $variables */
bool stp_target_exists(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e);
/* caps.c: sizes of strings, after types */
void stp_infer_caps(struct stp_comp *c);
