/*
 * lower.h - inside lang/stp: checked trees to IR through the kit.
 *
 * A value is a register (long) or the address of `cap` bytes (string, zero-padded).  Functions are inlined.
 * Kernel handlers loop through callbacks of the kit; user-space handlers loop with plain jumps.  A jump out
 * of callbacks (return of an inlined function, error in a try block) sets a word, breaks the loops one by one, and is finished where
 * its target lives.
 */
#pragma once

#include <linux/bpf.h>

#include "lang/kit.h"
#include "lang/stp/native.h"
#include "lang/stp/target.h"

struct stp_value {
	enum stp_type type; /* ST_UNKNOWN: none */
	ir_ref v;
	uint32_t cap;
	const char *lit; /* of a string literal */
	uint32_t lit_len;
	bool is_buffer; /* what %m and %M print: v is where a length (4 bytes) and at most cap bytes are */
};

/* A place outside the current loops that can be jumped to. */
struct stp_exit {
	unsigned id;	 /* unique in the handler */
	unsigned depth;	 /* callbacks around it */
	uint32_t block;
	bool used;
	struct stp_exit *outer;
};
struct stp_loop {
	bool plain; /* user space: blocks; else a callback */
	uint32_t on_break, on_continue;
	struct kit_local *ended; /* callback loops with a condition: set when they ended by themselves */
	struct stp_loop *outer;
};
struct stp_inline {
	struct stp_func *func;
	struct loc loc; /* of the call; none in a function that calls itself */
	struct kit_local *ret;
	struct stp_exit *exit;
	struct stp_inline *outer;
};
/* A function that calls itself, as a subprogram: lower_recursive.c */
struct stp_sub {
	struct stp_func *func;
	struct ir_fn *fn;
	struct stp_sub *next;
};
struct stp_try {
	struct stp_expr *var; /* NULL: message not wanted */
	struct stp_exit *exit;
	struct stp_inline *call; /* inline frame that the try belongs to */
	struct stp_try *outer;
};

struct stp_lower {
	struct kit kit;
	struct stp_comp *c;
	struct stp_dprobe *dp;
	bool user;
	unsigned depth; /* callbacks around the current place */
	struct stp_exit *exits;
	struct stp_loop *loop;
	struct stp_inline *call;
	struct stp_try *try;
	struct kit_local *pending; /* id of the exit that a broken loop leads to */
	unsigned next_id;
	struct stp_sub **subs;	   /* of the whole handler */
	struct stp_sub *sub;	   /* the one being lowered, NULL: the handler itself */
	struct kit_local *caught;  /* in a sub: whether a caller has a try around the call */
	unsigned inlined; /* functions inlined so far */
	bool loops;	  /* what is being lowered, a probe or a function, has a loop */
	unsigned numbers; /* locals of stp_number() so far */
	uint32_t text;	  /* bytes of strings that are near so far */
	struct kit_local *actions; /* user space: statements run so far */
	struct kit_local *tokens;  /* what tokenize() remembers; NULL: not used */
	struct kit_local *captures; /* what matched() remembers: struct stp_captures of runtime/stp_regex.h; NULL: not used */
	struct kit_local *failed; /* id of the action that fail_block sends; NULL: none yet */
	uint32_t fail_block;
	const char *overflow; /* text for a full array, of the array being written */
};

#define LB(l) (&(l)->kit.b)
static inline ir_ref stp_c(struct stp_lower *l, int64_t v)
{
	return ir_const(LB(l), v);
}

/* lower.c */
struct stp_value stp_long(ir_ref v);
struct stp_value stp_string(ir_ref v, uint32_t cap);
struct stp_value stp_literal(struct stp_lower *l, const char *s);
struct stp_value stp_none(void);
/* A zeroed local that is a number (never an address: the verifier need not know it in loops), or as the cell says. */
bool stp_has_loop(const struct stp_stmt *s); /* anywhere in these statements */
struct kit_local *stp_number(struct stp_lower *l);
struct kit_local *stp_variable(struct stp_lower *l, const struct stp_cell *c);
/* lower_expr.c */
struct stp_value stp_lower_expr(struct stp_lower *l, struct stp_expr *e);
ir_ref stp_lower_long(struct stp_lower *l, struct stp_expr *e);
struct stp_value stp_lower_string(struct stp_lower *l, struct stp_expr *e);
ir_ref stp_lower_cond(struct stp_lower *l, struct stp_expr *e); /* 1 or 0 */
/* x op y with the rules of the language; division by zero raises. */
ir_ref stp_arith(struct stp_lower *l, const char *op, ir_ref x, ir_ref y, struct loc loc);
/* lower_call.c */
struct stp_value stp_lower_call(struct stp_lower *l, struct stp_expr *e);
void stp_bind_params(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg);
/* lower_recursive.c: a call of a function that calls itself, in user space; what its errors do instead of ending the handler */
struct stp_value stp_call_recursive(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg, struct loc loc);
void stp_leave_sub(struct stp_lower *l, struct loc loc, struct stp_value msg);
void stp_stop_session(struct stp_lower *l); /* lower_flow.c */
const char *stp_near_text(struct stp_lower *l, const char *fmt, struct loc loc);
/* lower.c: a lowering of the same handler with an empty kit */
struct stp_lower *stp_lower_new(struct stp_comp *c, struct stp_dprobe *dp, const struct attach_point *point);
/* lower_var.c: locals and globals */
struct stp_value stp_load_var(struct stp_lower *l, struct stp_expr *e); /* SYM, INDEX */
void stp_store_var(struct stp_lower *l, struct stp_expr *e, struct stp_value v, struct loc loc);
struct stp_value stp_lower_assign(struct stp_lower *l, struct stp_expr *e);
struct stp_value stp_lower_step(struct stp_lower *l, struct stp_expr *e); /* ++ -- */
ir_ref stp_lower_key(struct stp_lower *l, struct stp_global *g, struct stp_expr *const *kid);
ir_ref stp_lower_in(struct stp_lower *l, struct stp_expr *e);
void stp_lower_delete(struct stp_lower *l, struct stp_stmt *s);
void stp_define_globals(struct stp_lower *l);
/* Declares locals: fresh storage, zeroed. */
void stp_declare(struct stp_lower *l, struct stp_scope *s);
/* lower_stat.c */
struct stp_value stp_lower_stat(struct stp_lower *l, struct stp_expr *e);
struct stp_value stp_lower_hist_at(struct stp_lower *l, struct stp_expr *e);
ir_ref stp_hist_count(struct stp_lower *l, struct stp_expr *hist, ir_ref bucket, struct loc loc);
ir_ref stp_stat_merged(struct stp_lower *l, struct stp_expr *base, struct stp_global **g_ret);
uint32_t stp_hist_buckets(const struct stp_global *g);
/* lower_print.c */
void stp_lower_print(struct stp_lower *l, struct stp_expr *e);
struct stp_value stp_lower_sprint(struct stp_lower *l, struct stp_expr *e);
/* lower_format.c: may the text stand in a format of bpf_snprintf()? */
bool stp_is_printable(const char *s, size_t n);
/* How many bytes a %m or %M shows (precision 0: what the conversion says), at most `most`; and those bytes into dst; both may raise. */
struct stp_conv;
ir_ref stp_memory_size(struct stp_lower *l, const struct stp_conv *c, ir_ref precision, uint32_t most, struct loc loc);
void stp_read_memory(struct stp_lower *l, const struct stp_conv *c, ir_ref dst, ir_ref n, ir_ref addr, struct loc loc);
struct stp_value stp_format_into(struct stp_lower *l, const char *fmt, const struct stp_value *arg, unsigned n, uint32_t cap, struct loc loc);
void stp_send_text(struct stp_lower *l, enum action_kind kind, const char *fmt, const struct stp_value *arg, unsigned n, struct loc loc);
/* lower_stmt.c */
void stp_lower_block(struct stp_lower *l, struct stp_stmt *s);
/* lower_flow.c: exits, errors, loops */
struct stp_exit *stp_exit_new(struct stp_lower *l, const char *name);
void stp_exit_here(struct stp_lower *l, struct stp_exit *x); /* goes on at the exit's place */
void stp_jump(struct stp_lower *l, struct stp_exit *x);
void stp_raise(struct stp_lower *l, struct loc loc, const char *msg);
void stp_raise_value(struct stp_lower *l, struct loc loc, struct stp_value msg);
/* Raises msg when cond is not 0; goes on otherwise. */
void stp_lower_failed(struct stp_lower *l); /* at the end of a handler: what its errors jump to */
void stp_raise_if(struct stp_lower *l, ir_ref cond, struct loc loc, const char *msg);
void stp_lower_for(struct stp_lower *l, struct stp_stmt *s);
void stp_lower_foreach(struct stp_lower *l, struct stp_stmt *s);
void stp_lower_try(struct stp_lower *l, struct stp_stmt *s);
void stp_break(struct stp_lower *l);
void stp_continue(struct stp_lower *l);
/* if (cond) { ... }: opens, closes */
uint32_t stp_if(struct stp_lower *l, ir_ref cond);
void stp_endif(struct stp_lower *l, uint32_t end);
/* lower_target.c */
struct stp_value stp_lower_target(struct stp_lower *l, struct stp_expr *e);
/* tapset_regex.c: after a =~ in a handler that asks what it matched: whether it did, and where the groups are */
enum { STP_MAX_GROUPS = 16, STP_CAPTURES = STP_MAXSTRING + 16 + 16 * STP_MAX_GROUPS };
void stp_keep_captures(struct stp_lower *l, const struct stp_expr *e, struct stp_value text, ir_ref matched);
/* tapset_guru.c: n bytes at `from` (BPF memory) to an address of the current process; 0 or -errno */
ir_ref stp_write_user(struct stp_lower *l, ir_ref addr, ir_ref from, ir_ref n);
/* tapset_probe.c: whether the context has registers */
bool stp_has_registers(const struct stp_lower *l);
struct stp_value stp_lower_enumname(struct stp_lower *l, struct stp_expr *e); /* enums.c */
void stp_store_target(struct stp_lower *l, struct stp_expr *e, ir_ref v); /* guru mode: $x = v */
/* tapset_string.c: a word of map memory for the runtime's counters */
ir_ref stp_cell(struct stp_lower *l);
/* tapset_string.c: bytes of a string before its NUL */
ir_ref stp_length(struct stp_lower *l, struct stp_value s);
/* C text of at most `bytes` of STP_MAXSTRING bytes, cut to `width` characters, in dst (STP_MAXSTRING zeroed bytes);
 * flags as rt_stp_quote() has them */
enum { STP_QUOTE_STRING = 1, STP_QUOTE_MARKS = 2 };
struct stp_value stp_quote(struct stp_lower *l, ir_ref dst, ir_ref text, ir_ref bytes, ir_ref width, unsigned flags);
/* regex.c: a table for rt_stp_match(); NULL after a diagnostic */
struct stp_dfa {
	const void *bytes;
	uint32_t size, rows; /* bytes of all, of the rows */
	uint32_t at_end; /* first state that accepts at the string's end */
};
/* The same for rt_stp_captures(), which finds what the groups match. */
struct stp_nfa {
	const void *bytes;
	uint32_t size, nodes, groups; /* groups: with the whole match, which is 0 */
};
bool stp_regex_captures(struct stp_comp *c, const char *pattern, struct loc loc, struct stp_nfa *ret);
bool stp_regex_compile(struct stp_comp *c, const char *pattern, struct loc loc, struct stp_dfa *ret);
/* tapset_context.c: is the handler at an instruction of the kernel that a kprobe names, and its address */
bool stp_at_entry(const struct stp_lower *l);
ir_ref stp_entry_address(struct stp_lower *l);
