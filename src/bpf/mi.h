/*
 * mi.h - inside the BPF room: machine code over virtual registers, and the stages that turn it into
 * BPF.
 *
 *   order.c    blocks in a good order: critical edges split, loops found, unlikely blocks last
 *   isel.c     IR instructions -> struct mi, one block at a time, from the last use back to the
 * definition live.c     where each virtual register is live regalloc.c linear scan with splitting:
 * a register or a stack slot for each piece of each lifetime resolve.c  the moves that splits,
 * joins and phis need frame.c    the 512 bytes of stack: script slots and spills that are never
 * live together share emit.c     bpf_insn, jumps, fix-ups compile.c  functions into an image;
 * runtime functions linked in by rtlink.c
 *
 * Positions: machine instruction i of the layout reads its operands at 4i, calls clobber r0-r5 at
 * 4i+1, results are written at 4i+2, and "late" operands, which are read after the result was
 * begun, live until 4i+3.  Each block begins with a label that has a position of its own: phis are
 * defined there.
 */
#pragma once

#include "bpf/bpf.h"

enum {
	NREGS = 10,
	NALLOC = 10,
	STACK_MAX = 512,
	STACK_MAX_USER = 4096, /* a frame of the interpreter's: vm.c */
	CELL = 8
};

/* A virtual register: an ir_ref of the function, or a temporary above them.  0: none. */
typedef uint32_t vreg;

enum mi_op {
	MI_NOP,
	MI_MOV,    /* dst = use0 */
	MI_MOV32,  /* dst = low 32 bits of use0 */
	MI_ALU,    /* dst = use0 `code` (use1 or imm) */
	MI_NEG,    /* dst = -use0 */
	MI_END,    /* dst = use0 with `size` bytes reversed */
	MI_MOVSX,  /* dst = use0 sign-extended from `size` bytes (cpu v4) */
	MI_SEL,    /* dst = use1 `code` (use2 or imm) ? use0 : use3 */
	MI_CNEG,   /* dst = use1 `code` imm ? use0 : -use0 */
	MI_LOAD,   /* dst = size bytes at use0 or slot, + off */
	MI_STORE,  /* size bytes at use0 or slot, + off = use1 or imm */
	MI_ATOMIC, /* same place `imm`= use1, no result */
	MI_FETCH, /* dst = old value at use1 or slot; use0 added or stored by atomic operation `imm`
		   */
	MI_CMPXCHG, /* dst = old value at use1 or slot; use0 expected, use2 new */
	MI_CALL,    /* dst = function (use0..use4) */
	MI_PARAMS,  /* r1.. -> param vregs */
	MI_JCC,     /* if use0 `code` (use1 or imm) to succ 0, else to succ 1 */
	MI_RET,     /* r0 = use0, exit */
	MI_NOPS
};

struct mi {
	uint8_t op;
	uint8_t code;   /* BPF_ADD..., BPF_JEQ... */
	uint8_t size;   /* bytes of a memory access */
	uint8_t call;   /* MI_CALL: enum ir_op of it */
	bool has_imm;   /* imm takes the place of the second operand */
	bool is32;      /* MI_ALU in 32 bits */
	bool is_signed; /* MI_LOAD with sign extension (cpu v4); MI_ALU signed division */
	int16_t off;
	uint32_t slot; /* base of the access is frame slot slot-1, not a register */
	int64_t imm;
	vreg dst, use[5]; /* a use may be rematerialisable: then it has no register */
	const void *sym;
	ir_ref ir; /* came from */
	uint32_t block;
};

/* How an operand is read. */
enum {
	USE_ANY = 0,
	USE_REG = 1,
	USE_LATE = 2
};
extern const uint8_t mi_roles[MI_NOPS][5];

struct mblock {
	uint32_t succ[2];
	VEC(uint32_t) pred; /* in the order of the phi arguments */
	uint32_t ir;        /* 0: split edge */
	uint32_t first, n;  /* instructions in mfn.mi; after layout these are in layout order */
	uint32_t from, to;  /* positions in layout order */
	uint32_t topo;      /* position of the block's start in topological order */
	uint32_t rpo;       /* index in reverse postorder */
	uint32_t loop_end;  /* header of an outermost loop: last rpo index of it; else 0 */
	uint32_t outer;     /* header of the outermost loop that this is in, 0 none */
	uint32_t depth;     /* of loops */
	bool unlikely;
	uint32_t moves_start, moves_end; /* lists in mfn.move, index + 1 */
};

enum remat_kind {
	REMAT_CONST,
	REMAT_SLOT,
	REMAT_MAP,
	REMAT_MAPVAL,
	REMAT_FNADDR
};
struct remat { /* a value that is cheaper made again than kept */
	enum remat_kind kind;
	int64_t imm; /* constant; offset within slot or map value */
	uint32_t slot;
	const void *sym;
};

/* Where a value is. */
enum loc_kind {
	AT_NONE,
	AT_REG,
	AT_MEM,
	AT_REMAT
};
struct place {
	enum loc_kind kind;
	uint32_t n; /* register, frame slot of the spill, or ir_ref */
};

struct piece { /* of a lifetime: [start, end) in one place */
	vreg v;
	uint32_t start, end;
	int8_t reg;    /* -1: in memory */
	uint32_t next; /* of the same vreg, 0 none; in mfn.sorted: its index in mfn.piece */
};

struct use_pos {
	uint32_t pos;
	bool must; /* in a register */
};

struct vinfo {
	uint32_t first;     /* piece, 0 none */
	uint32_t recent;    /* piece that got a register last, 0 none */
	uint32_t use, nuse; /* in mfn.use */
	uint32_t def;       /* position */
	uint32_t def_block;
	uint32_t pieces, npiece; /* in mfn.sorted, after allocation */
	uint32_t spill;          /* frame slot index + 1 */
	vreg tied;               /* operand that the result likes to share a register with */
	vreg phi;                /* phi that this flows into */
	int8_t arrives; /* register that the definition leaves it in: parameters, results of calls;
			   -1 */
	int8_t pref;    /* register that the nearest use wants, -1 none */
	int8_t join;    /* phi: register that one of its arguments got, -1 none */
	bool store_at_def;
	bool is_phi;
	bool compared; /* bounds are learnt by a branch: see place_stores() */
	bool def_any;  /* the definition can write memory */
};

struct move {
	struct place from, to;
	vreg v;        /* not 0: a split of v, so that its store can be left out; 0: into a phi */
	uint32_t next; /* index + 1 */
};
struct split_move { /* within a block, before instruction pos / 4 */
	uint32_t at;
	uint32_t move;
};

struct frame_slot {
	uint32_t size;
	uint32_t lo, hi; /* topological positions while it is live, inclusive */
	int32_t off;     /* from r10, once laid out */
	bool used;
};

enum fix_kind {
	FIX_CALL,
	FIX_FNADDR,
	FIX_RT,
	FIX_MAP,
	FIX_MAPVAL,
	FIX_KFUNC
};
struct fix { /* what the linker completes */
	uint32_t insn;
	enum fix_kind kind;
	const void *sym;
};

struct tmp {
	bool is_const;
	int64_t v;
};

struct mfn {
	struct ir_fn *ir;
	struct world *world;
	struct arena *arena; /* scratch, gone after compiling */
	uint32_t nir, nv;
	VEC(struct tmp) tmp; /* of vreg nir + i */
	VEC(struct mi) mi;
	VEC(struct mblock) block; /* same numbers as in IR, split edges after them */
	VEC(uint32_t) rpo;        /* topological order (loops aside) */
	VEC(uint32_t) layout;
	bool many_branches; /* so many that the verifier may not keep them all */
	vreg *param; /* canonical vreg of each parameter */
	struct vinfo *v;
	VEC(struct use_pos) use;
	VEC(struct piece) piece; /* [0] unused */
	VEC(uint32_t) taken;     /* pieces that got a register, by start; evicted ones too */
	struct piece *sorted;    /* by vreg, then start */
	VEC(uint32_t) call;      /* positions 4i+1 where r0-r5 are lost */
	VEC(uint32_t) r0;        /* positions where r0 is taken or lost */
	VEC(struct move) move;
	VEC(struct split_move) split;
	VEC(struct frame_slot) slot;
	uint32_t *slot_of;    /* ir_ref of SLOT -> slot index + 1 */
	uint32_t tmp_slot[2]; /* emergency slots of parallel moves, index + 1 */
	uint32_t frame_max; /* bytes: STACK_MAX, STACK_MAX_USER */
	uint32_t frame_bytes;
	/* result */
	VEC(struct bpf_insn) code;
	VEC(struct fix) fix;
	VEC(struct bpf_line) line;
};

/* order.c */
void mfn_order(struct mfn *f);
/* Block of a position in layout order. */
static inline uint32_t mfn_block_at(const struct mfn *f, uint32_t pos)
{
	return f->mi.at[pos / 4].block;
}

/* isel.c, isel_value.c, isel_cond.c */
void mfn_select(struct mfn *f);
bool mfn_remat(const struct mfn *f, vreg v, struct remat *ret); /* ret may be NULL */
vreg mfn_value(const struct mfn *f, ir_ref r); /* looks through extensions that change nothing */
const struct ir_insn *mfn_ir(const struct mfn *f, vreg v);
uint8_t mi_inverse(uint8_t cc); /* of a jump; 0: has none (JSET) */

/* live.c */
void mfn_liveness(struct mfn *f);

/* regalloc.c */
void mfn_allocate(struct mfn *f);
struct place mfn_place(const struct mfn *f, vreg v, uint32_t pos);

/* resolve.c */
void mfn_resolve(struct mfn *f);

/* frame.c */
struct err *mfn_frame(struct mfn *f);

/* emit.c */
struct err *mfn_emit(struct mfn *f);

/* compile.c */
void mfn_free(struct mfn *f);

/* rtlink.c: code that is appended to an image */
struct rt_obj { /* the runtime library's ELF file, checked */
	const uint8_t *data;
	size_t size;
	const void *sym; /* Elf64_Sym[nsym] */
	uint32_t nsym;
	const char *str;
	uint32_t nstr;
	const void *shdr; /* Elf64_Shdr[nshdr] */
	uint32_t nshdr;
	const char *shstr;
	uint32_t nshstr;
};
struct err *rt_open(const void *data, size_t size, struct rt_obj *ret);
struct rt_func { /* a function within the object */
	const struct bpf_insn *insn;
	uint32_t ninsn;
	uint32_t section, offset; /* offset in instructions */
	const char *name;
	const char *params; /* of a function that the kernel verifies by itself, see RT_GLOBAL; else NULL */
};
bool rt_find(const struct rt_obj *o, const char *name, struct rt_func *ret);
bool rt_find_at(const struct rt_obj *o, uint32_t section, uint32_t offset, struct rt_func *ret);
enum rt_ref_kind {
	RT_REF_CALL,
	RT_REF_FUNC,
	RT_REF_RODATA,
	RT_REF_EXTERN
};
struct rt_ref { /* what instruction `insn` of a function refers to */
	enum rt_ref_kind kind;
	uint32_t insn;
	struct rt_func func;  /* CALL, FUNC */
	const char *name;     /* EXTERN */
	const uint8_t *bytes; /* RODATA: object or whole section */
	uint32_t nbytes, addend, align;
};
/* Calls `each` for every reference of a function, in instruction order. */
struct err *rt_refs(const struct rt_obj *o, const struct rt_func *fn,
		    struct err *(*each)(void *arg, const struct rt_ref *ref), void *arg);
extern const uint8_t runtime_blob[], runtime_blob_end[];
