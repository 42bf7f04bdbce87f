/*
 * lower.h - inside lang/bt: typed tree to IR through the kit.
 *
 * Values: a type that fits a register (bt_in_register) is a 64-bit word, extended as its type says;
 * any other value is the address of type_mem_size bytes of BPF memory.  What lies elsewhere -
 * behind a pointer, in the context - is a `place` until somebody needs its value, so that `a->b.c`
 * reads 8 bytes, not a struct.
 */
#pragma once

#include "lang/bt/sema.h"
#include "lang/kit.h"

struct bt_loop;
struct bt_lower {
	struct kit kit;
	struct lang_input *in;
	struct bt_script *script;
	struct bt_sema *sema;
	struct bt_probe *probe;
	struct attach_point *point;    /* the one that this function is for */
	struct probe_args *args;       /* of that point */
	struct probe_args *locals_here; /* same, when the handler asks for `local` */
	unsigned round;                /* which of several functions of the probe */
	bool is_per_point;             /* each place of the probe has a function of its own */
	VEC(struct bt_local *) locals; /* with storage in this function */
	struct bt_loop *loop;          /* innermost */
};

/* lower.c, for functions of more than one handler: does any expression pass the test? */
typedef bool (*bt_expr_test)(const struct bt_expr *e);
bool bt_probe_has(const struct bt_probe *p, bt_expr_test test);
bool bt_is_per_point(const struct world *w, const struct bt_probe *p); /* Must each place have a function of its own? */
void bt_number_points(const struct bt_probe *p); /* the kernel hands a place's number to the program that runs there */
char *bt_fn_name(struct bt_lower *l, const struct attach_point *p);
/* Predicate and body at that point, into the function that is being built. */
void bt_lower_handler(struct bt_lower *l, struct bt_probe *p, struct attach_point *point);

/* lower_session.c: kprobe and kretprobe handlers of the same functions as one program. */
void bt_find_sessions(const struct world *w, struct bt_script *s);
void bt_lower_session(struct bt_lower *l, struct bt_probe *p);

/* Can one function tell its places apart by the number that the kernel keeps with each? */
bool bt_name_by_cookie(const struct world *w, const struct bt_probe *p);

/* Where a value lies. */
struct bt_place {
	ir_ref addr;
	int64_t off;
	uint8_t as;  /* enum addr_space */
	bool is_ctx; /* in the probe's context: loads from it are direct, at constant offsets */
	const struct field *bits; /* a bit-field at addr + off - bits->offset, or a pointer that the context holds */
	uint32_t bits_offset;
	const struct dwarf_var *partial; /* parts of it are optimised out */
	uint32_t chars; /* an array of so many chars that is seen as a string; 0: none */
};

/* lower.c: makes prog->fn and prog->probe from the checked script. */
bool bt_lower(struct bt_sema *s);
/* Ends the handler when cond is 0. */
void bt_stop_unless(struct bt_lower *l, ir_ref cond);

/* lower_expr.c.  Scalars: the value in a register.  Others: the address of type_mem_size bytes. */
ir_ref bt_lower_expr(struct bt_lower *l, struct bt_expr *e);
/* The value converted to `to` (sign or zero extension, string padding, tuple elements), same forms.
 */
ir_ref bt_lower_as(struct bt_lower *l, struct bt_expr *e, struct type *to);
/* As a record's argument. */
struct kit_value bt_lower_value(struct bt_lower *l, struct bt_expr *e);
/* Stores a value of type `to` at dst. */
void bt_lower_to(struct bt_lower *l, struct bt_expr *e, struct type *to, ir_ref dst);
ir_ref bt_lower_cond(struct bt_lower *l, struct bt_expr *e); /* 1 or 0 */
bool bt_in_register(const struct type *t);
bool bt_has_padding(const struct type *t);
/* A value of type `from` in either form stored as `to` at dst. */
void bt_store_as(struct bt_lower *l, ir_ref v, struct type *from, struct type *to, ir_ref dst);
/* Value of an aggregation's merged copy as a number. */
ir_ref bt_agg_number(struct bt_lower *l, const struct type *t, ir_ref addr);

/* lower_op.c: unary and binary operators */
ir_ref bt_lower_binop(struct bt_lower *l, struct bt_expr *e);
ir_ref bt_lower_unop(struct bt_lower *l, struct bt_expr *e);
/* One arithmetic operation on two registers with bpftrace's rules; `t`: type of the left side. */
ir_ref bt_arith(struct bt_lower *l, enum bt_op op, ir_ref x, ir_ref y, struct loc loc);
/* n scaled for arithmetic on a value of type t (pointers count in elements). */
ir_ref bt_scaled(struct bt_lower *l, const struct type *t, ir_ref n);

/* sema_typeinfo.c */
ir_ref bt_lower_typeinfo(struct bt_lower *l, struct bt_expr *e);

/* lower_place.c */
struct bt_place bt_lower_place(struct bt_lower *l, struct bt_expr *e);
ir_ref bt_place_addr(struct bt_lower *l, const struct bt_place *p);
/* The value there: a register, or the address of a copy (of the place itself when it is BPF
 * memory). */
ir_ref bt_place_read(struct bt_lower *l, const struct bt_place *p, struct type *t, struct loc loc);
void bt_place_read_to(struct bt_lower *l, const struct bt_place *p, struct type *t, ir_ref dst,
		      struct loc loc);
/* Address space of what a pointer-like expression points to. */
enum addr_space bt_as_of(const struct bt_expr *e);
/* Where an array, string or struct is, or where a pointer or number points to. */
struct bt_place bt_lower_target(struct bt_lower *l, struct bt_expr *e);

/* variables.c: names from debug information.  false: e is none. */
bool bt_variable_place(struct bt_lower *l, struct bt_expr *e, struct bt_place *ret);
/* Complains when `size` bytes at the place are not there. */
void bt_check_partial(struct bt_lower *l, const struct bt_place *p, uint32_t size, struct loc loc);
/* All variables of the record in one piece of BPF memory. */
ir_ref bt_lower_record(struct bt_lower *l, const struct probe_args *args, struct bt_expr *e);
ir_ref bt_lower_typed_retval(struct bt_lower *l, struct bt_expr *e);

/* gone.c.  Ends the handler where args.x or local.x is nowhere; false: it is somewhere. */
bool bt_lower_gone(struct bt_lower *l, struct bt_expr *e);
/* Ends it, with a warning before the start and a count: `what` is missing at this place. */
void bt_leave_gone(struct bt_lower *l, struct loc loc, const char *what);
/* Does the expression name what is gone here? */
bool bt_is_gone(const struct bt_lower *l, struct bt_expr *e);
#define BT_GONE_TEXT "<optimised out>"
/* The format with BT_GONE_TEXT for the arguments that are gone, which are taken out of the n at kid. */
const char *bt_format_gone(struct bt_lower *l, const char *fmt, struct bt_expr **kid, unsigned *n);

/* lower_stmt.c */
void bt_lower_block(struct bt_lower *l, struct bt_block *b);
ir_ref bt_local_addr(struct bt_lower *l, struct bt_local *v); /* storage is made on first use */
void bt_local_store(struct bt_lower *l, struct bt_local *v, ir_ref value); /* register types */

/* lower_map.c.  Key of a map access in memory, zero-padded to key_size; 0 for scalars. */
ir_ref bt_lower_key(struct bt_lower *l, struct var *v, struct bt_expr *const *key, unsigned n);
ir_ref bt_lower_map_read(struct bt_lower *l, struct bt_expr *e);
void bt_lower_map_assign(struct bt_lower *l, struct bt_stmt *st);
ir_ref bt_lower_map_step(struct bt_lower *l, struct bt_expr *e); /* ++ and -- */
bool bt_is_agg_call(const struct bt_expr *e);
