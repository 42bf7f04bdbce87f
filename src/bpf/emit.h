/* emit.h - between the files that write bpf_insn. */
#pragma once

#include "bpf/mi.h"

struct jump {
	uint32_t insn, block;
	uint32_t via; /* instruction of an island that goes on to the block; 0: straight there */
};

struct emit {
	struct mfn *f;
	VEC(struct jump) jump;
	VEC(uint32_t) order;   /* blocks that are emitted */
	bool *kept;            /* by block */
	uint32_t *start;       /* instruction of a block + 1, 0: not emitted yet */
	uint32_t *island;      /* by block: instruction of its newest island */
	size_t waiting;        /* jumps before this one have reached their blocks */
	bool *phi_store;       /* block stores a phi when it begins */
	uint32_t split;        /* cursor into f->split */
	uint32_t next_taken;   /* cursor into f->taken */
	uint32_t owner[NREGS]; /* piece that took the register last */
	struct loc loc;
};

enum {
	MAX_MOVES = 600
};
struct moves {
	struct move m[MAX_MOVES];
	unsigned n;
	uint32_t busy; /* registers that hold something else */
};

static inline uint32_t emit_here(const struct emit *e)
{
	return (uint32_t)e->f->code.len;
}

static inline void emit_out(struct emit *e, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	vec_push(&e->f->code, (struct bpf_insn){code, dst & 15, src & 15, (int16_t)off, imm});
}

/* emit_moves.c */
int emit_slot_off(const struct emit *e, uint32_t slot);
void emit_mov(struct emit *e, unsigned dst, unsigned src);
void emit_fill(struct emit *e, unsigned dst, uint32_t slot);
void emit_spill(struct emit *e, uint32_t slot, unsigned src);
void emit_fix(struct emit *e, enum fix_kind kind, const void *sym); /* of the next instruction */
void emit_get(struct emit *e, unsigned dst, struct place p);
/* None yet; the array is not touched, which is large. */
static inline void moves_begin(struct moves *ms, uint32_t busy)
{
	ms->n = 0;
	ms->busy = busy;
}
void moves_add(struct moves *ms, struct place from, struct place to, vreg v);
void emit_moves(struct emit *e, struct moves *ms); /* does them as if all at once */
uint32_t emit_busy(struct emit *e, uint32_t pos); /* registers that hold live values; positions must not go back */
void emit_list_moves(struct emit *e, uint32_t list, uint32_t busy);
void emit_split_moves(struct emit *e, uint32_t pos); /* splits before the instruction at pos */

/* emit_insn.c: `pos` is the instruction's, as in mfn_place() */
void emit_insn(struct emit *e, const struct mi *m, uint32_t pos);
unsigned emit_operand_reg(struct emit *e, const struct mi *m, int k, uint32_t pos);
void emit_jcc(struct emit *e, uint8_t code, const struct mi *m, unsigned a, unsigned b, int off);
void emit_ret(struct emit *e, const struct mi *m, uint32_t pos);
/* of a value that lives in memory later, right after it was made */
void emit_store_at_def(struct emit *e, vreg v, uint32_t pos);
void emit_line(struct emit *e, const struct mi *m); /* notes the script's place of the next instruction */
