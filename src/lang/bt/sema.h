/*
 * sema.h - inside lang/bt: giving every expression its type.
 *
 * Types are found by a fixpoint: rounds of bt_sema_expr over the whole script until nothing changes, because
 * a map's type is the join over all its uses (reference: bpftrace's language manual, "Type conversion").
 * Diagnostics are only given in the last round (s->final).
 *
 * Before the rounds: macro.c expands macros and #defines, flow.c checks jumps, sema_probe.c finds the places and
 * splits a probe whose places differ in kind (or in arguments, when the handler uses them), scope.c binds $variables.
 */
#pragma once

#include "lang/bt/ast.h"

struct bt_sema {
	struct lang_input *in;
	struct bt_script *script;
	struct program *prog;
	struct bt_cdefs *cdefs;
	struct bt_probe *probe;	      /* being looked at; NULL outside */
	struct attach_point *point;   /* its first point; NULL when none matched */
	unsigned in_loop;	      /* nesting of loops */
	unsigned in_meta;	      /* inside sizeof, offsetof, typeof: nothing runs */
	bool changed;		      /* in this round */
	bool final;		      /* types are settled: complain now */
	bool has_copies;	      /* of handlers: the same diagnostic may come twice */
	struct strtab vars;	      /* maps by name: struct var */
	struct strtab options;	      /* getopt()s by name: struct bt_option, the first of each */
	struct diag unheard;	      /* what a diagnostic before the final round goes to */
};

/* var->lang of every map: what is known about its use. */
struct bt_var_info {
	enum { BT_SHAPE_UNKNOWN, BT_SHAPE_SCALAR, BT_SHAPE_KEYED } shape;
	struct bt_map_decl *decl;
	struct type *agg_arg; /* joined type of what is fed to sum(), min()... */
	struct loc loc;	      /* of its first use */
	bool is_used;	      /* in code that runs */
	bool is_agg;	      /* it is given count() and its like */
	bool is_refused;      /* it was given what it cannot hold */
	bool is_assumed;      /* nothing says what it holds: an integer */
};
struct bt_var_info *bt_var_info(struct var *v);

/* sema.c: whole script -> false after errors. */
bool bt_sema(struct bt_sema *s);
void bt_sema_block(struct bt_sema *s, struct bt_block *b);
/* A diagnostic that is given in the final round only. */
struct diag *bt_err(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct diag *bt_warn(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
void bt_hint(struct bt_sema *s, struct diag *d, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same at once, whatever the round. */
struct diag *bt_err_now(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct diag *bt_warn_now(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A feature that the configuration may forbid (BT_UNSTABLE_...): false after a diagnostic. */
bool bt_may_use(struct bt_sema *s, unsigned feature, const char *name, struct loc loc);
/* As type_spell, as an arena string; "void" for no value. */
const char *bt_spell(struct bt_sema *s, const struct type *t);
/* The map of a name, made when it is new. */
struct var *bt_sema_var(struct bt_sema *s, const char *name);

/* sema_expr.c: type of one expression; sets e->type (NULL while unknown in an early round). */
struct type *bt_sema_expr(struct bt_sema *s, struct bt_expr *e);
/* Same, where a condition is wanted. */
void bt_sema_cond(struct bt_sema *s, struct bt_expr *e, struct loc whole);

/* sema_fold.c: constants.  bt_fold puts the result of an operator on constants in its place. */
bool bt_const_int(const struct bt_expr *e, int64_t *v_ret);
bool bt_const_str(const struct bt_expr *e, const char **text_ret, uint32_t *len_ret);
bool bt_is_constant(const struct bt_expr *e); /* a literal, or a tuple or record of literals */
bool bt_is_true(const struct bt_expr *literal);
bool bt_fold(struct bt_sema *s, struct bt_expr *e);
void bt_make_int(struct bt_expr *e, uint64_t v, bool negative);
void bt_make_bool(struct bt_expr *e, bool v);
void bt_make_str(struct bt_expr *e, const char *text, uint32_t len);
struct type *bt_int_type(const struct bt_expr *literal);

/* sema_ops.c: operators */
struct type *bt_sema_unop(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_binop(struct bt_sema *s, struct bt_expr *e);
/* Of `left op right` whose operands have types; e for the place and constants. */
struct type *bt_binop_type(struct bt_sema *s, struct loc loc, enum bt_op op, struct bt_expr *left,
			   struct bt_expr *right);
/* sema_typeinfo.c */
struct type *bt_sema_typeinfo(struct bt_sema *s, struct bt_expr *e);
bool bt_fold_typeinfo(struct bt_sema *s, struct bt_expr *e); /* the field e of one, into a constant */
/* sema_cast.c */
struct type *bt_sema_cast(struct bt_sema *s, struct bt_expr *e);
/* e goes where a `to` is wanted: false when it cannot; warns in the final round when something may be lost. */
bool bt_check_into(struct bt_sema *s, struct bt_expr *e, struct type *to);
/* sema_access.c: fields, elements, maps, variables */
struct type *bt_sema_field(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_index(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_tuple_at(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_map(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_local(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_offsetof(struct bt_sema *s, struct bt_expr *e);
/* Joins t into what the place holds. */
void bt_assign_var(struct bt_sema *s, struct var *v, struct type *t, struct loc loc);
void bt_assign_agg(struct bt_sema *s, struct var *v, struct type *t, struct loc loc);
void bt_assign_local(struct bt_sema *s, struct bt_local *v, struct type *t, struct loc loc);
/* The scratch variable `v` (BT_VAR) gets a value of type t (NULL: not known yet) outside of an assignment
 * statement: find(@m, k, $v). */
void bt_sema_assign_local(struct bt_sema *s, struct bt_expr *v, struct type *t);
/* May a value of that type be put where there is `current` (NULL: nothing yet)? */
bool bt_is_storable(const struct type *t, const struct type *current, bool into_map);

/* sema_types.c: the join of two types (rules 1-3 of integers, longer string, tuples by element); NULL: none */
struct type *bt_join(struct bt_sema *s, struct type *a, bool a_literal, struct type *b, bool b_literal);
struct type *bt_resolve_type(struct bt_sema *s, struct bt_type_name *t); /* NULL after a diagnostic */
bool bt_type_same(const struct type *a, const struct type *b);	/* also in what the join depends on */
bool bt_compatible(const struct type *a, const struct type *b); /* differ in size and sign at most */
bool bt_fits(const struct type *t, const struct type *into);
/* The type of a literal adopts the sign of what it meets. */
bool bt_is_flexible(const struct type *t);
struct type *bt_flexible_int(uint32_t size);
bool bt_is_integer(const struct type *t);     /* INT, ENUM */
bool bt_is_readable_agg(const struct type *t); /* count, sum, min, max, avg: an integer when read */
bool bt_is_number(const struct type *t);      /* integer, readable aggregation or bool */
const char *bt_kind_word(const struct type *t); /* "int", "pointer", "c_type"... as messages say it */
/* The same pointer to another address space. */
struct type *bt_ptr_in(struct bt_sema *s, struct type *t, enum addr_space as);
/* How a value of a C type appears in the script: arrays of char are strings. */
struct type *bt_value_type(struct bt_sema *s, struct type *t);

/* sema_probe.c: places of every probe; drops probes without any; false after errors */
bool bt_match_probes(struct bt_sema *s);
enum addr_space bt_probe_space(const struct bt_sema *s); /* of pointers that the probe is given */
/* variables.c: names from debug information */
bool bt_is_debug_record(const struct bt_expr *e); /* args or local */
bool bt_is_global(const struct bt_expr *e);	  /* global.x */
struct type *bt_sema_global_field(struct bt_sema *s, struct bt_expr *e);
struct type *bt_sema_user_args(struct bt_sema *s, struct bt_expr *e);
/* Says why a variable that exists cannot be read; false: there is none of that name. */
bool bt_explain_missing(struct bt_sema *s, struct bt_expr *e);
bool bt_is_local(const struct bt_expr *e); /* the word local */
/* foreign.c: str(x) of a struct that is text in Go, Rust, C++ or Fortran becomes str(its address, its length). */
bool bt_foreign_text(struct bt_sema *s, struct bt_expr *e);
/* gone.c: args.x or local.x that is not here, but at another place of the probe: its type; NULL: it is no such. */
struct type *bt_sema_gone(struct bt_sema *s, struct bt_expr *e);
/* The words local and global, when a name means nothing else. */
const struct bt_builtin *bt_extension_find(const char *name);
/* macro.c, define.c, flow.c, scope.c */
void bt_expand_macros(struct bt_sema *s);
void bt_expand_defines(struct bt_sema *s, struct bt_probe *p);
void bt_check_flow(struct bt_sema *s);
void bt_bind_variables(struct bt_sema *s);
/* calls_meta.c: text of $n, NULL when there is none; how many there are.  --name=value is no $n. */
const char *bt_param(const struct lang_input *in, uint64_t n);
unsigned bt_param_count(const struct lang_input *in);
