/* kit_internal.h - inside the kit: frames and small shorthands. */
#pragma once

#include <linux/bpf.h>

#include "lang/kit.h"

/* One IR function under construction.  Callbacks have the function that loops as parent. */
struct kit_frame {
	struct kit_frame *parent, *root;
	struct ir_fn *fn;
	/* A callback's variables of outer functions: their addresses, passed in a record. */
	VEC(struct kit_local *) capture;
	ir_ref capture_record; /* in a callback: pointer to the record */
	uint32_t slots_block;  /* first block: SLOTs only, open until the end */
	uint32_t body_block;
	uint32_t exit_block;
	uint32_t break_block, continue_block; /* callbacks: 0 in entry functions */
	uint32_t stack_used;                  /* bytes of SLOTs given out by kit_mem */
	/* root only */
	uint32_t scratch_block; /* placeholder where scratch is acquired */
	uint32_t after_scratch; /* block that follows it */
	bool scratch_started;   /* some region was handed out */
	bool is_sub;		/* kit_sub_begin: scratch is a frame that the caller gave */
	uint32_t scratch_used, scratch_max;
	uint32_t scratch_floor; /* end of the last variable that lives in scratch: not released */
	struct kit_local *scratch_base, *ctx, *ret, *returned;
	struct kit_local *locked; /* 1 while the handler holds the lock; NULL: it takes none */
};

enum {
	KIT_STACK_BUDGET = 200,
	KIT_SLOT_MAX = 64,
	SCRATCH_HEADER = 8
};

#define B(k)          (&(k)->b)
#define C(k, v)       ir_const(B(k), (v))
#define H0(k, id)     ir_calln(B(k), IR_HELPER, (id), NULL, 0, NULL)
#define H(k, id, ...) ir_helper(B(k), (id), __VA_ARGS__)

/* Makes f the function under construction: its first blocks. */
void kit_enter(struct kit *k, struct kit_frame *f);
/* A SLOT in the function's first block. */
ir_ref kit_slot(struct kit *k, uint32_t size);
/* A variable in a slot of the current function; not zeroed. */
struct kit_local *kit_new_local(struct kit *k, uint32_t size);
/* Enters a callback function with `nparams`; the record is parameter `record_param`. */
struct kit_frame *kit_enter_callback(struct kit *k, const char *what, unsigned nparams,
				     unsigned record_param);
/* Leaves it; returns in the parent the address of the filled capture record. */
ir_ref kit_leave_callback(struct kit *k, struct ir_fn **fn_ret);
/* kit_entry.c: DWARF register `reg` as it was when the function around this probe was entered; without a record of
 * that the event ends with a runtime error. */
/* How far from its link-time addresses the file of the probe is loaded in this process, or the kernel. */
ir_ref kit_load_bias(struct kit *k);
/* kit_entry.c: leaves the handler when the function was called by none of the point's callers. */
void kit_check_caller(struct kit *k, struct loc loc);
ir_ref kit_entry_reg(struct kit *k, const struct dwarf_loc *l, unsigned reg, struct loc loc);
/* Row of this CPU in the per-CPU data, bounded for the verifier. */
ir_ref kit_percpu_row(struct kit *k);
/* The constant "bytes of one CPU's row", final after program_finish. */
ir_ref kit_row_const(struct kit *k);
/* if (cond) { ... }: opens the block, returns the one to close with kit_endif. */
uint32_t kit_if(struct kit *k, ir_ref cond);
uint32_t kit_if_unlikely(struct kit *k, ir_ref cond);
void kit_endif(struct kit *k, uint32_t end);
/* Word counter in program->data += n */
void kit_count(struct kit *k, uint32_t offset, uint64_t n);
/* The update of an absent element; makes room in an array that wraps.  The helper's result. */
ir_ref kit_var_insert(struct kit *k, struct var *v, ir_ref key, ir_ref from, int64_t flags);
/* kit_agg.c: *(p + off) += n; *(p + off) = better of it and n: `is_max`, `is_signed` choose which is better. */
void kit_add_at(struct kit *k, ir_ref p, int64_t off, ir_ref n);
void kit_keep_better(struct kit *k, ir_ref p, int64_t off, ir_ref n, bool is_max, bool is_signed);
/* kit_agg_read.c: each CPU's part of v[key], where it has one; `p` is the address of the value. */
void kit_each_cpu(struct kit *k, struct var *v, ir_ref key, void (*part)(struct kit *k, ir_ref p, void *arg), void *arg);
uint32_t kit_value_size(const struct var *v); /* bytes of the value in memory */
/*
 * kit_shared.c: may do what the caller is about to by calling a function that other statements call too.  True: done, and
 * *ret is its result.  `n`: the value, 0: none.
 */
enum kit_shared_op {
	SHARED_SET,
	SHARED_ADD,
	SHARED_AGG,
	SHARED_OPS
};
bool kit_shared(struct kit *k, enum kit_shared_op op, struct var *v, ir_ref key, ir_ref n, struct loc loc, ir_ref *ret);
/* The same within that function, or when nothing is shared. */
void kit_var_set_here(struct kit *k, struct var *v, ir_ref key, ir_ref value, struct loc loc);
ir_ref kit_var_add_here(struct kit *k, struct var *v, ir_ref key, ir_ref delta, struct loc loc);
void kit_agg_update_here(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc);

/*
 * A helper's result as a length in 0..cap, negative results as 0.  Built so that the verifier goes on with one state: the
 * usual path is walked first and covers the others.
 */
ir_ref kit_length(struct kit *k, ir_ref ret, uint32_t cap);
ir_ref kit_zeroes(struct kit *k, uint32_t n); /* address of n zero bytes in rodata */
/* kit_dwarf.c: how far from its link-time addresses the file of the probe is loaded in this process */
ir_ref kit_load_bias(struct kit *k);
