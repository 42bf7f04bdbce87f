/*
 * ir.h - the door of the IR room: SSA form, its builder, its passes, its text.
 *
 * Every value is a 64-bit word; memory operations have widths.  A function is a list of basic blocks, a
 * block a list of instructions that ends in exactly one terminator.  Front ends build through ir_builder
 * without thinking of SSA: a script variable is a SLOT with 8-byte loads and stores, and the pass mem2reg
 * turns it into values when its address does not escape.
 *
 * The verifier is a reader of this code too: passes keep the shape "compare, branch, use of the same value"
 * intact, so that bounds proved by a branch hold for the value that is used.
 */
#pragma once

#include "base/base.h"

struct map;
struct program;

enum ir_op {
#define OP(id, ...) IR_##id,
#include "ir/ops.def"
#undef OP
	IR_NOPS
};

enum {
	IR_PURE = 1,
	IR_READS = 2,
	IR_WRITES = 4,
	IR_TERM = 8,
	IR_VALUE = 16,
	IR_CALLS = 32,
};
struct ir_op_info {
	const char *name;
	int nargs;
	unsigned flags;
};
extern const struct ir_op_info ir_ops[IR_NOPS];

typedef uint32_t ir_ref; /* index into ir_fn.insn; 0: none */

struct ir_insn { /* 64 bytes: a large script has a million */
	uint8_t op;
	uint8_t width;	/* 1 2 4 8 */
	bool is_signed; /* LOAD */
	uint32_t nargs; /* a phi can have many */
	uint32_t block; /* index into ir_fn.block; removed instructions have op CONST and block 0 */
	ir_ref prev;	/* within the block */
	ir_ref *arg;	/* arena */
	int64_t imm;
	void *sym;
	struct loc loc; /* the script's place this came from; src NULL when none */
	ir_ref next;
};

struct ir_block {
	ir_ref first, last; /* last is the terminator once the block is finished */
	uint32_t succ[2];   /* 0: none.  Block 0 does not exist */
	VEC(uint32_t) pred; /* made by ir_cfg(); phi arguments are in this order */
	const char *name;   /* for the text, may be NULL */
	bool unlikely;	    /* laid out of line */
};

enum ir_fn_kind {
	IR_ENTRY,    /* a BPF program: param 0 is the context */
	IR_CALLBACK, /* called by a helper: bpf_loop (index, ctx), for_each_map_elem (map, key, value, ctx) */
	IR_SUBPROG,  /* called by CALL; the verifier follows every call */
	IR_GLOBAL,   /* called by CALL; the verifier judges it once, by its prototype alone */
};

struct ir_fn {
	struct program *prog;
	const char *name;
	enum ir_fn_kind kind;
	unsigned nparams;
	uint32_t param0_bytes; /* GLOBAL: parameter 0 is the address of so many bytes, or NULL; 0: a word */
	VEC(struct ir_insn) insn;   /* [0] unused */
	VEC(struct ir_block) block; /* [0] unused, [1] the entry */
	struct arena *arena;	    /* borrowed from the program */
	ir_ref *free_args;	    /* fn.c's own: room for arguments of new instructions */
	uint32_t nfree_args;
};

/* fn.c.  A new function has its entry block and is appended to prog->fn. */
struct ir_fn *ir_fn_new(struct program *prog, const char *name, enum ir_fn_kind kind, unsigned nparams);
void ir_fn_free(struct ir_fn *fn); /* its vecs; the rest is in the arena */
/* Fills block->pred and drops unreachable blocks (their instructions too).  Run after building. */
void ir_cfg(struct ir_fn *fn);

/* build.c: appends at the end of the current block; after its terminator, to a new unreachable block */
struct ir_builder {
	struct ir_fn *fn;
	uint32_t block;	 /* current */
	struct loc loc;	 /* given to each new instruction */
};
uint32_t ir_block_new(struct ir_builder *b, const char *name);
void ir_at(struct ir_builder *b, uint32_t block); /* go on at the end of `block` */
bool ir_terminated(const struct ir_builder *b);	  /* current block already has its terminator */
ir_ref ir_const(struct ir_builder *b, int64_t v);
/* A constant whose value ir_const_set writes later; nothing folds or shares it until then. */
ir_ref ir_const_later(struct ir_builder *b);
void ir_const_set(struct ir_fn *fn, ir_ref r, int64_t v);
ir_ref ir_param(struct ir_builder *b, unsigned i);
ir_ref ir_slot(struct ir_builder *b, uint32_t size);
ir_ref ir_map(struct ir_builder *b, struct map *m);
ir_ref ir_mapval(struct ir_builder *b, struct map *m, uint32_t offset);
ir_ref ir_fnaddr(struct ir_builder *b, struct ir_fn *fn);
/* Constants fold and x+0, x*1 ... simplify as they are built. */
ir_ref ir_bin(struct ir_builder *b, enum ir_op op, ir_ref x, ir_ref y);
ir_ref ir_bini(struct ir_builder *b, enum ir_op op, ir_ref x, int64_t y);
ir_ref ir_un(struct ir_builder *b, enum ir_op op, ir_ref x);
ir_ref ir_ext(struct ir_builder *b, ir_ref x, unsigned width, bool is_signed); /* no-op for width 8 */
ir_ref ir_bswap(struct ir_builder *b, ir_ref x, unsigned width);
ir_ref ir_select(struct ir_builder *b, ir_ref c, ir_ref x, ir_ref y);
ir_ref ir_opaque(struct ir_builder *b, ir_ref x);
ir_ref ir_load(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, bool is_signed);
void ir_store(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, ir_ref v);
void ir_atomic_add(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, ir_ref v);
ir_ref ir_atomic(struct ir_builder *b, enum ir_op op, ir_ref p, int64_t off, unsigned width, ir_ref v,
		 ir_ref w /* CMPXCHG only */);
void ir_copy(struct ir_builder *b, ir_ref dst, ir_ref src, uint32_t n);
void ir_zero(struct ir_builder *b, ir_ref dst, uint32_t n);
/* helper number is enum bpf_func_id of <linux/bpf.h>; args as a list ended by the macro */
ir_ref ir_calln(struct ir_builder *b, enum ir_op op, int64_t imm, void *sym, unsigned n, const ir_ref *arg);
/* The leading 0 lets the list be empty; sizeof does not evaluate its operand. */
#define IR_ARGS(...)                                                                               \
	(unsigned)(sizeof((ir_ref[]){0, __VA_ARGS__}) / sizeof(ir_ref)) - 1,                       \
		(ir_ref[]){0, __VA_ARGS__} + 1
#define ir_helper(b, id, ...) ir_calln((b), IR_HELPER, (id), NULL, IR_ARGS(__VA_ARGS__))
#define ir_rt(b, name, ...)   ir_calln((b), IR_RT, 0, (void *)(name), IR_ARGS(__VA_ARGS__))
#define ir_kfunc(b, name, ...) ir_calln((b), IR_KFUNC, 0, (void *)(name), IR_ARGS(__VA_ARGS__))
#define ir_call(b, fn, ...)   ir_calln((b), IR_CALL, 0, (fn), IR_ARGS(__VA_ARGS__))
void ir_jmp(struct ir_builder *b, uint32_t to);
void ir_br(struct ir_builder *b, ir_ref cond, uint32_t then, uint32_t otherwise);
void ir_ret(struct ir_builder *b, ir_ref v);
bool ir_is_const(const struct ir_fn *fn, ir_ref r, int64_t *v_ret);

/* passes.def lists them in running order; pass.c runs them */
struct ir_pass {
	const char *name;
	void (*run)(struct ir_fn *fn);
	const char *what;
};
extern const struct ir_pass ir_passes[];
extern const unsigned ir_npasses;
/*
 * Runs ir_cfg, then all passes (or, with `only`, the comma-separated ones in that order; unknown names are
 * skipped) and, in debug builds, ir_check after each.
 * `after` (may be NULL) is called after each pass, for --dump=ir:PASS.
 */
void ir_optimize(struct ir_fn *fn, const char *only,
		 void (*after)(const struct ir_fn *fn, const char *pass, void *arg), void *arg);

/* check.c: NULL when the function is well-formed, else what is not (arena of the function) */
const char *ir_check(const struct ir_fn *fn);

/* text.c: prints a function; reads one or several back (maps and functions by name) */
void ir_print(const struct ir_fn *fn, struct buf *out);
void ir_print_map(const struct map *m, struct buf *out); /* its declaration, one line */
/* Appends the functions found to prog; problems go to diags with places in src. */
bool ir_parse(struct program *prog, const struct source *src, struct diags *diags);

/* helpers.c: BPF helpers by number and name */
const char *ir_helper_name(int64_t id); /* NULL: unknown */

/* eval.c: runs a function directly, the oracle for tests.  Memory is real memory of this process. */
struct ir_eval {
	/* HELPER, KFUNC, RT: returns the value.  NULL: such a call ends the run with an error. */
	uint64_t (*call)(void *arg, const struct ir_insn *i, const uint64_t *v, unsigned n);
	uint64_t (*map_address)(void *arg, const struct map *m, int64_t offset, bool is_value);
	/* May `n` bytes at addr outside the function's own slots be touched?  NULL: always. */
	bool (*valid)(void *arg, uint64_t addr, uint64_t n, bool write);
	void *arg;
	uint64_t max_steps;
};
bool ir_eval(const struct ir_fn *fn, const struct ir_eval *how, const uint64_t *params, uint64_t *ret);
