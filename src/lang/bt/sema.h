/*
 * sema.h - inside lang/bt: giving every expression its type.
 *
 * Types are found by a fixpoint: rounds of bt_sema_expr over the whole script until nothing changes, because
 * a map's type is the join over all its uses (reference: bpftrace's language manual, "Type conversion").
 * Diagnostics are only given in the last round (s->final).
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
	unsigned in_loop;	      /* nesting of for-loops */
	bool changed;		      /* in this round */
	bool final;		      /* types are settled: complain now */
	struct strtab vars;	      /* maps by name: struct var */
};

/* sema.c: whole script -> false after errors. */
bool bt_sema(struct bt_sema *s);
/* Type of one expression; sets e->type (NULL while unknown in an early round). */
struct type *bt_sema_expr(struct bt_sema *s, struct bt_expr *e);
void bt_sema_block(struct bt_sema *s, struct bt_block *b);
/* Constant after folding? */
bool bt_const_int(const struct bt_expr *e, int64_t *v_ret);
bool bt_const_str(const struct bt_expr *e, const char **text_ret, uint32_t *len_ret);
/* sema_types.c: the join of two types (rules 1-3 of integers, longer string, tuples by element); NULL: none */
struct type *bt_join(struct bt_sema *s, struct type *a, bool a_literal, struct type *b, bool b_literal);
struct type *bt_resolve_type(struct bt_sema *s, struct bt_type_name *t); /* NULL after a diagnostic */
/* A diagnostic that is given in the final round only. */
struct diag *bt_err(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct diag *bt_warn(struct bt_sema *s, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The scratch variable or map of a name as seen from here. */
struct var *bt_sema_var(struct bt_sema *s, const char *name);
/* The scratch variable `v` (BT_VAR) gets a value of type t (NULL: not known yet) outside of an assignment
 * statement: find(@m, k, $v). */
void bt_sema_assign_local(struct bt_sema *s, struct bt_expr *v, struct type *t);
