/*
 * calls.h - inside lang/bt: what the tables of functions (calls_*.c) share.
 */
#pragma once

#include "lang/bt/lower.h"

/* One table a family; each ends with a row without a name. */
extern const struct bt_call bt_calls_output[], bt_calls_string[], bt_calls_names[], bt_calls_map[],
	bt_calls_stack[], bt_calls_net[], bt_calls_time[], bt_calls_task[], bt_calls_memory[],
	bt_calls_meta[], bt_calls_skb[];

/* --- sema
 * -----------------------------------------------------------------------------------------------
 */

/* Types argument i; NULL while unknown. */
struct type *bt_arg(struct bt_sema *s, struct bt_expr *e, unsigned i);
/* Aggregations that can be read as a number count as integers. */
bool bt_is_int(const struct type *t);
/* Argument i must be an integer / of that kind; false after a diagnostic or while the type is
 * unknown. */
bool bt_want_int(struct bt_sema *s, struct bt_expr *e, unsigned i);
bool bt_want_int_literal(struct bt_sema *s, struct bt_expr *e, unsigned i, int64_t *v_ret);
bool bt_want_str_literal(struct bt_sema *s, struct bt_expr *e, unsigned i, const char **text_ret);
/* The map that argument i names without keys; NULL after a diagnostic. */
struct var *bt_want_map(struct bt_sema *s, struct bt_expr *e, unsigned i);
/* Turns the call into a constant. */
struct type *bt_fold_int(struct bt_expr *e, int64_t v, struct type *t);
struct type *bt_fold_bool(struct bt_expr *e, bool v);
struct type *bt_fold_str(struct bt_sema *s, struct bt_expr *e, const char *text);
/* A getopt() after its typing, in e->data. */
struct bt_option {
	const char *name, *description;
	const char *fallback; /* as the script writes it; NULL: none, a flag */
};
/* "void": the call has no value. */
struct type *bt_void(struct bt_sema *s, struct bt_expr *e);
bool bt_kind_is(const struct bt_sema *s, unsigned n, const enum probe_kind *kinds);
#define BT_KIND_IS(s, ...)                                                                  \
	bt_kind_is((s), sizeof((enum probe_kind[]){__VA_ARGS__}) / sizeof(enum probe_kind), \
		   (enum probe_kind[]){__VA_ARGS__})
enum probe_kind bt_kind(const struct bt_sema *s); /* PK_COUNT when no point is known */
const char *bt_kind_name(enum probe_kind k);      /* what `probetype` says */
struct type *bt_nsecs_type(enum ts_clock clock);  /* uint64 that remembers its clock */
enum ts_clock bt_clock_of(const struct type *t);

/* format.c: checks arguments from `first` on against the format; false after a diagnostic. */
/* NULs in the format of a call become %c, each with an argument of its own: formats are C strings. */
void bt_format_nuls(struct arena *a, struct bt_expr *e);
bool bt_format_check(struct bt_sema *s, struct bt_expr *e, const char *fmt, unsigned first);
/* The format with constant arguments put in (fail(), static_assert()). */
char *bt_format_constants(struct arena *a, const char *fmt, struct bt_expr *const *arg, unsigned n);
/* The format with `text` for the directives whose arguments are gone; marks the arguments of their widths, too. */
char *bt_format_without(struct arena *a, const char *fmt, bool *gone, unsigned n, const char *text);
/* Conversion word of the i-th directive ("d", "s", "rx"), NULL past the last. */
const char *bt_format_directive(const char *fmt, unsigned i, char buf[4]);

/* --- lowering
 * ------------------------------------------------------------------------------------------- */

/* str(): the address; *len_ret (may be NULL) gets the bytes used, with the NUL. */
ir_ref bt_lower_str_call(struct bt_lower *l, struct bt_expr *e, ir_ref *len_ret);
/* A string value of any string-like expression: STR as it is, char arrays and pointers are read. */
ir_ref bt_lower_string(struct bt_lower *l, struct bt_expr *e, uint32_t *cap_ret);
/* Values of arguments from `first` on, sent for a new action. */
struct action *bt_lower_action(struct bt_lower *l, struct bt_expr *e, enum action_kind kind,
			       const char *fmt, unsigned first);
/* Sends an action with ready values. */
void bt_send(struct bt_lower *l, enum action_kind kind, struct loc loc, const char *fmt,
	     bool is_stderr, const struct kit_value *v, unsigned n);
/* comm of a task_struct at an address. */
void bt_task_comm(struct bt_lower *l, ir_ref task, ir_ref dst16, struct loc loc);
ir_ref bt_ns_pid_tgid(struct bt_lower *l, bool init); /* tgid << 32 | pid as the script sees them */
/* The address as a struct usym_wire of the current process. */
ir_ref bt_usym(struct bt_lower *l, ir_ref addr);
/* Runs `then` only when cond is not 0. */
void bt_when(struct bt_lower *l, ir_ref cond, void (*then)(struct bt_lower *l, void *arg),
	     void *arg);

/* --- formats (format.c)
 * ------------------------------------------------------------------------------------------- */

struct bt_directive {
	const char *begin, *end;
	char conv[4];   /* "d", "rx"... */
	unsigned stars; /* widths and precisions that are arguments */
};
/* The next directive of the format that takes an argument; NULL at the end. */
const char *bt_next_directive(const char *p, struct bt_directive *d);

/* printf() into the file that a pinned iterator is read through (calls_seq.c); false: the probe is none. */
bool bt_lower_seq_printf(struct bt_lower *l, struct bt_expr *e, const char *fmt);
