/* impl.h - what the files of this room share; nobody else includes it. */
#pragma once

#include "ir/ir.h"

/* --- fn.c: instructions in blocks --------------------------------------------------------------
 */

static inline struct ir_insn *ir_at_ref(const struct ir_fn *fn, ir_ref r)
{
	return &fn->insn.at[r];
}

/* A new instruction, in no block yet; pointers into fn->insn do not survive it. */
ir_ref ir_insn_new(struct ir_fn *fn, enum ir_op op, unsigned nargs, const ir_ref *arg);
void ir_append(struct ir_fn *fn, uint32_t block, ir_ref r);
void ir_insert_before(struct ir_fn *fn, ir_ref r, ir_ref before);
void ir_prepend(struct ir_fn *fn, uint32_t block, ir_ref r);
/* Unlinks it and marks it removed; uses of its value are the caller's concern. */
void ir_remove(struct ir_fn *fn, ir_ref r);
bool ir_is_removed(const struct ir_fn *fn, ir_ref r);
/* A constant in the entry block, before everything else. */
ir_ref ir_entry_const(struct ir_fn *fn, int64_t v);

/* A block that was never filled, or whose instructions were all removed, does not exist. */
static inline bool ir_block_exists(const struct ir_fn *fn, uint32_t b)
{
	return fn->block.at[b].first != 0;
}

static inline unsigned ir_nsucc(const struct ir_block *b)
{
	return b->succ[0] ? b->succ[1] ? 2 : 1 : 0;
}

static inline bool ir_has(const struct ir_insn *i, unsigned flag)
{
	return ir_ops[i->op].flags & flag;
}

#define IR_EACH(fn, b, r)                                  \
	for (ir_ref r = (fn)->block.at[b].first, r##_next; \
	     r && (r##_next = (fn)->insn.at[r].next, true); r = r##_next)

/* [2 * block + n]: position of the edge to the n-th successor among its predecessors.  Heap. */
uint32_t *ir_edge_positions(const struct ir_fn *fn);
/* The same for one edge, by looking through the predecessors. */
unsigned ir_pred_index(const struct ir_fn *fn, uint32_t from, unsigned nth);
/* Takes predecessor k out of `block`, and the k-th argument of its phis. */
void ir_drop_pred(struct ir_fn *fn, uint32_t block, unsigned k);

/* --- replacing values --------------------------------------------------------------------------
 */

/* to[r] != 0: uses of r become uses of to[r].  ir_replace_apply rewrites all arguments in one
 * sweep. */
struct ir_replace {
	ir_ref *to;
	size_t len;
};
void ir_replace_init(struct ir_replace *m, const struct ir_fn *fn);
ir_ref ir_replace_find(struct ir_replace *m, ir_ref r);
void ir_replace_set(struct ir_replace *m, ir_ref from, ir_ref to);
void ir_replace_args(struct ir_replace *m, struct ir_insn *i);
void ir_replace_apply(struct ir_replace *m, struct ir_fn *fn);
void ir_replace_free(struct ir_replace *m);

/* --- dom.c -------------------------------------------------------------------------------------
 */

/* Dominator tree of the reachable blocks.  All arrays are indexed by block; 0 means none. */
struct ir_dom {
	uint32_t *order; /* [0..n): blocks in reverse postorder */
	uint32_t n;
	uint32_t *number; /* position in `order`, from 1; 0: unreachable */
	uint32_t *idom;
	uint32_t *child, *sibling; /* first child, next sibling */
	uint32_t *in, *out;        /* a dominates b: in[a] <= in[b] && out[b] <= out[a] */
};
void ir_dom_init(struct ir_dom *d, const struct ir_fn *fn);
void ir_dom_free(struct ir_dom *d);
bool ir_dominates(const struct ir_dom *d, uint32_t a, uint32_t b);
/* Reachable blocks in reverse postorder; returns how many; order has room for all blocks. */
uint32_t ir_rpo(const struct ir_fn *fn, uint32_t *order);

/* --- simplify.c --------------------------------------------------------------------------------
 */

/* The value of a computation (ADD to SELECT) on known arguments.  False: not such an operation. */
bool ir_compute(enum ir_op op, unsigned width, const uint64_t *v, uint64_t *ret);

enum ir_simple {
	IR_SAME,
	IR_TO_CONST,
	IR_TO_REF,
	IR_REWRITTEN
};
/*
 * One instruction, by looking at its arguments.  IR_TO_CONST: its value is *c; IR_TO_REF: it is *r;
 * IR_REWRITTEN: op, width, arg and imm of `i` were changed; arguments that `need_const` names (bit
 * n: argument n) are to become the constant *c.
 */
struct ir_simplified {
	enum ir_simple what;
	int64_t c;
	ir_ref r;
	unsigned need_const;
};
/*
 * may_look_through(arg, r): whether an expression may be rewritten to use the operand of r instead
 * of r itself; NULL: never.  See the verifier's view in fold.c.
 */
struct ir_simplified ir_simplify(const struct ir_fn *fn, struct ir_insn *i,
				 bool (*may_look_through)(void *arg, ir_ref r), void *arg);

/* --- helpers.c ---------------------------------------------------------------------------------
 */

int64_t ir_helper_id(const char *name); /* -1: unknown */
/* Same value at each call within one run of the function, no effect. */
bool ir_helper_is_stable(int64_t id);
/* Reads memory behind its arguments but does not write it. */
bool ir_helper_only_reads(int64_t id);

/* --- known.c -----------------------------------------------------------------------------------
 */

enum {
	IR_NUMBER = 1,  /* surely no address, to the verifier either */
	IR_NONNEG = 2,  /* a number below 2^63 */
	IR_HALF = 4,    /* between -2^62 and 2^62: differences do not overflow */
	IR_BOOL = 8,    /* 0 or 1 */
	IR_PLAIN = 16,  /* the address of memory that holds no addresses, or 0 */
	IR_ADDRESS = 32 /* becomes part of an address, an argument or the result: the verifier wants to know it */
};
struct ir_known {
	const struct ir_fn *fn;
	uint8_t *of; /* by ir_ref */
	bool *dirty; /* slots that an address may be stored in */
	size_t len;
	bool odd_context; /* addresses of less than eight bytes */
};
void ir_known_init(struct ir_known *k, const struct ir_fn *fn);
void ir_known_free(struct ir_known *k);
/* All of `what`? */
bool ir_knows(const struct ir_known *k, ir_ref r, unsigned what);
static inline bool ir_compares(const struct ir_insn *i)
{
	return i->op >= IR_EQ && i->op <= IR_SLE;
}

/* --- text --------------------------------------------------------------------------------------
 */

extern const char *const ir_map_kinds[]; /* by enum map_kind, ends with NULL */
extern const char *const ir_fn_kinds[];  /* by enum ir_fn_kind, ends with NULL */
/* Numbers of values and blocks as the text shows them, from 1. */
struct ir_numbers {
	uint32_t *value, *block;
	uint32_t *order; /* blocks as printed */
	uint32_t nblocks;
};
void ir_numbers_init(struct ir_numbers *n, const struct ir_fn *fn);
void ir_numbers_free(struct ir_numbers *n);

#define PASS(id, what) void ir_pass_##id(struct ir_fn *fn);
#include "ir/passes.def"
#undef PASS
