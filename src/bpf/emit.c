/* emit.c - machine instructions with places to bpf_insn: moves, jumps, fix-ups, lines. */
#include "bpf/mi.h"

struct jump {
	uint32_t insn, block;
	uint32_t via; /* instruction of an island that goes on to the block; 0: straight there */
};

/* Offsets of jumps have 16 bits.  A jump that waits for its target this long gets an island on the
 * way. */
enum {
	REACH = 30000,
	ISLAND_FOR = 15000
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

static uint32_t here(const struct emit *e)
{
	return (uint32_t)e->f->code.len;
}

static void out(struct emit *e, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	vec_push(&e->f->code, (struct bpf_insn){code, dst & 15, src & 15, (int16_t)off, imm});
}

static int slot_off(const struct emit *e, uint32_t slot)
{
	return e->f->slot.at[slot - 1].off;
}

static uint8_t size_code(unsigned size)
{
	return size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;
}

static void mov_reg(struct emit *e, unsigned dst, unsigned src)
{
	if (dst != src)
		out(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void fill(struct emit *e, unsigned dst, uint32_t slot)
{
	out(e, BPF_LDX | BPF_MEM | BPF_DW, dst, 10, slot_off(e, slot), 0);
}

static void spill(struct emit *e, uint32_t slot, unsigned src)
{
	out(e, BPF_STX | BPF_MEM | BPF_DW, 10, src, slot_off(e, slot), 0);
}

static void ld_imm64(struct emit *e, unsigned dst, unsigned pseudo, uint32_t lo, uint32_t hi)
{
	out(e, BPF_LD | BPF_IMM | BPF_DW, dst, pseudo, 0, (int32_t)lo);
	out(e, 0, 0, 0, 0, (int32_t)hi);
}

static void fix(struct emit *e, enum fix_kind kind, const void *sym)
{
	vec_push(&e->f->fix, (struct fix){here(e), kind, sym});
}

static void make_const(struct emit *e, unsigned dst, int64_t v)
{
	if (v == (int32_t)v)
		out(e, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)v);
	else if (v == (int64_t)(uint32_t)v)
		out(e, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)v);
	else
		ld_imm64(e, dst, 0, (uint32_t)v, (uint32_t)((uint64_t)v >> 32));
}

static void make(struct emit *e, unsigned dst, vreg v)
{
	struct remat m;
	if (!mfn_remat(e->f, v, &m))
		BUG("%%%u cannot be made again", v);
	switch (m.kind) {
	case REMAT_CONST: make_const(e, dst, m.imm); break;
	case REMAT_SLOT:
		mov_reg(e, dst, 10);
		out(e, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0,
		    slot_off(e, m.slot) + (int32_t)m.imm);
		break;
	case REMAT_MAP:
		fix(e, FIX_MAP, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_MAP_FD, 0, 0);
		break;
	case REMAT_MAPVAL:
		fix(e, FIX_MAPVAL, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_MAP_VALUE, 0, (uint32_t)m.imm);
		break;
	case REMAT_FNADDR:
		fix(e, FIX_FNADDR, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_FUNC, 0, 0);
		break;
	}
}

static void get(struct emit *e, unsigned dst, struct place p)
{
	switch (p.kind) {
	case AT_REG: mov_reg(e, dst, p.n); break;
	case AT_MEM: fill(e, dst, p.n); break;
	case AT_REMAT: make(e, dst, p.n); break;
	case AT_NONE: break;
	}
}

/* --- parallel moves
 * ------------------------------------------------------------------------------------------ */

enum {
	MAX_MOVES = 600
};
struct moves {
	struct move m[MAX_MOVES];
	unsigned n;
	uint32_t busy; /* registers that hold something else */
};

static void add(struct moves *ms, struct place from, struct place to, vreg v)
{
	if (from.kind == to.kind && from.n == to.n)
		return;
	if (ms->n == MAX_MOVES)
		BUG("too many moves at one place");
	ms->m[ms->n++] = (struct move){from, to, v, 0};
}

/* Stack bytes for a value that has no register for a moment; only with all ten in use. */
static int emergency_off(struct emit *e, int which)
{
	struct mfn *f = e->f;
	if (!f->tmp_slot[which]) {
		f->frame_bytes += 8;
		vec_push(&f->slot, (struct frame_slot){.size = 8,
						       .off = -(int32_t)f->frame_bytes,
						       .used = true});
		f->tmp_slot[which] = (uint32_t)f->slot.len;
	}
	return (int)f->tmp_slot[which];
}

static bool reads(const struct moves *ms, struct place p, unsigned except)
{
	for (unsigned i = 0; i < ms->n; i++)
		if (i != except && ms->m[i].from.kind == p.kind && ms->m[i].from.n == p.n)
			return true;
	return false;
}

/* A register that neither the moves to do nor anything live needs, -1 none. */
static int scratch(const struct moves *ms)
{
	uint32_t busy = ms->busy;
	for (unsigned i = 0; i < ms->n; i++) {
		if (ms->m[i].from.kind == AT_REG)
			busy |= 1u << ms->m[i].from.n;
	}
	for (int r = 0; r < NREGS; r++)
		if (!(busy & 1u << r))
			return r;
	return -1;
}

static bool fits_store(const struct emit *e, struct place p, int64_t *v)
{
	struct remat m;
	if (p.kind != AT_REMAT || !mfn_remat(e->f, p.n, &m) || m.kind != REMAT_CONST ||
	    m.imm != (int32_t)m.imm)
		return false;
	*v = m.imm;
	return true;
}

static void one_move(struct emit *e, struct moves *ms, const struct move *m)
{
	int64_t c;
	if (m->to.kind == AT_REG) {
		get(e, m->to.n, m->from);
		ms->busy |= 1u << m->to.n;
	} else if (m->from.kind == AT_REG) {
		spill(e, m->to.n, m->from.n);
	} else if (fits_store(e, m->from, &c)) {
		out(e, BPF_ST | BPF_MEM | BPF_DW, 10, 0, slot_off(e, m->to.n), (int32_t)c);
	} else {
		int r = scratch(ms), save = r < 0 ? emergency_off(e, 0) : 0;
		if (save)
			spill(e, (uint32_t)save, 0);
		get(e, (unsigned)MAX(r, 0), m->from);
		spill(e, m->to.n, (unsigned)MAX(r, 0));
		if (save)
			fill(e, 0, (uint32_t)save);
	}
}

/* Does them as if all at once. */
static void do_moves(struct emit *e, struct moves *ms)
{
	while (ms->n) {
		bool progress = false;
		for (int stores = 1; stores >= 0 && !progress; stores--) {
			for (unsigned i = 0; i < ms->n; i++) {
				struct move m = ms->m[i];
				if ((m.to.kind == AT_MEM) != stores || reads(ms, m.to, i))
					continue;
				ms->m[i] = ms->m[--ms->n];
				one_move(e, ms, &m);
				progress = true;
				break;
			}
		}
		if (progress)
			continue;
		/* only cycles are left: the source of one goes out of the way */
		struct place *from = &ms->m[0].from;
		struct place was = *from, to = {AT_MEM, 0};
		int r = scratch(ms);
		if (r >= 0)
			to = (struct place){AT_REG, (uint32_t)r};
		else
			to.n = (uint32_t)emergency_off(e, 1);
		struct move away = {was, to, 0, 0};
		one_move(e, ms, &away);
		for (unsigned i = 0; i < ms->n; i++)
			if (ms->m[i].from.kind == was.kind && ms->m[i].from.n == was.n)
				ms->m[i].from = to;
	}
}

/* Registers that hold live values at pos; positions must not go back. */
static uint32_t busy_at(struct emit *e, uint32_t pos)
{
	const struct piece *s = e->f->piece.at;
	const uint32_t *taken = e->f->taken.at;
	for (; e->next_taken < e->f->taken.len && s[taken[e->next_taken]].start <= pos;
	     e->next_taken++) {
		uint32_t p = taken[e->next_taken];
		if (s[p].reg >= 0)
			e->owner[s[p].reg] = p;
	}
	uint32_t busy = 0;
	for (int r = 0; r < NREGS; r++)
		if (e->owner[r] && s[e->owner[r]].end > pos)
			busy |= 1u << r;
	return busy;
}

static void list_moves(struct emit *e, uint32_t list, uint32_t busy)
{
	struct moves ms = {.busy = busy};
	for (uint32_t m = list; m; m = e->f->move.at[m - 1].next) {
		const struct move *k = &e->f->move.at[m - 1];
		if (k->to.kind == AT_REG)
			ms.busy |= 1u << k->to.n;
		add(&ms, k->from, k->to, k->v);
	}
	do_moves(e, &ms);
}

/* Splits before the instruction at pos. */
static void split_moves(struct emit *e, uint32_t pos)
{
	struct mfn *f = e->f;
	if (e->split >= f->split.len || f->split.at[e->split].at != pos)
		return;
	struct moves ms = {.busy = pos ? busy_at(e, pos - 1) : 0};
	ms.busy |= busy_at(e, pos);
	for (; e->split < f->split.len && f->split.at[e->split].at == pos; e->split++) {
		const struct move *k = &f->move.at[f->split.at[e->split].move - 1];
		if (k->to.kind == AT_REG)
			ms.busy |= 1u << k->to.n;
		add(&ms, k->from, k->to, k->v);
	}
	do_moves(e, &ms);
}

/* --- instructions
 * -------------------------------------------------------------------------------------------- */

static struct place operand(struct emit *e, const struct mi *m, int k, uint32_t pos)
{
	return mfn_place(e->f, m->use[k], pos);
}

static unsigned reg_operand(struct emit *e, const struct mi *m, int k, uint32_t pos)
{
	struct place p = operand(e, m, k, pos);
	if (p.kind != AT_REG)
		BUG("%s: operand %d at %u has no register", e->f->ir->name, k, pos);
	return p.n;
}

static unsigned base_operand(struct emit *e, const struct mi *m, int k, uint32_t pos, int *off)
{
	*off = m->off;
	if (!m->slot)
		return reg_operand(e, m, k, pos);
	*off += slot_off(e, m->slot);
	return 10;
}

static unsigned dst_reg(struct emit *e, const struct mi *m, uint32_t pos)
{
	struct place p = mfn_place(e->f, m->dst, pos + 2);
	if (p.kind != AT_REG)
		BUG("%s: result at %u has no register", e->f->ir->name, pos);
	return p.n;
}

static void emit_alu(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	struct place a = operand(e, m, 0, pos);
	unsigned b = m->has_imm                                   ? 0
		     : m->use[1] == m->use[0] && a.kind == AT_REG ? dst
								  : reg_operand(e, m, 1, pos);
	uint8_t cls = m->is32 ? BPF_ALU : BPF_ALU64;
	if (m->is32 && a.kind == AT_REG && a.n != dst)
		out(e, BPF_ALU | BPF_MOV | BPF_X, dst, a.n, 0, 0);
	else
		get(e, dst, a);
	if (m->has_imm)
		out(e, cls | m->code | BPF_K, dst, 0, m->is_signed, (int32_t)m->imm);
	else
		out(e, cls | m->code | BPF_X, dst, b, m->is_signed, 0);
}

static void emit_unary(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	struct place a = operand(e, m, 0, pos);
	unsigned src = a.kind == AT_REG ? a.n : dst;
	if (m->op == MI_MOV32 || m->op == MI_MOVSX) {
		if (a.kind != AT_REG)
			get(e, dst, a);
		if (m->op == MI_MOV32)
			out(e, BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0);
		else
			out(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 8 * m->size, 0);
		return;
	}
	get(e, dst, a);
	if (m->op == MI_NEG)
		out(e, BPF_ALU64 | BPF_NEG, dst, 0, 0, 0);
	else if (m->op == MI_END) /* to the other byte order: a swap */
		out(e,
		    BPF_ALU | BPF_END |
			    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? BPF_TO_BE : BPF_TO_LE),
		    dst, 0, 0, 8 * m->size);
}

static void jcc(struct emit *e, uint8_t code, const struct mi *m, unsigned a, unsigned b, int off)
{
	if (m->has_imm)
		out(e, BPF_JMP | code | BPF_K, a, 0, off, (int32_t)m->imm);
	else
		out(e, BPF_JMP | code | BPF_X, a, b, off, 0);
}

static void emit_sel(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	get(e, dst, operand(e, m, 0, pos));
	unsigned a = m->use[1] == m->use[0] ? dst : reg_operand(e, m, 1, pos);
	unsigned b = m->has_imm ? 0 : m->use[2] == m->use[0] ? dst : reg_operand(e, m, 2, pos);
	uint32_t at = here(e);
	jcc(e, m->code, m, a, b, 0);
	struct place y =
		m->use[3] == m->use[0] ? (struct place){AT_REG, dst} : operand(e, m, 3, pos);
	get(e, dst, y);
	e->f->code.at[at].off = (int16_t)(here(e) - at - 1);
	if (here(e) == at + 1)
		e->f->code.len--; /* both are the same */
}

static void emit_cneg(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	get(e, dst, operand(e, m, 0, pos));
	jcc(e, m->code, m, m->use[1] == m->use[0] ? dst : reg_operand(e, m, 1, pos), 0, 1);
	out(e, BPF_ALU64 | BPF_NEG, dst, 0, 0, 0);
}

static void emit_load(struct emit *e, const struct mi *m, uint32_t pos)
{
	enum {
		MEMSX = 0x80
	}; /* BPF_MEMSX: sign-extending load of cpu v4 */
	int off;
	unsigned base = base_operand(e, m, 0, pos, &off);
	uint8_t mode = m->is_signed ? MEMSX : BPF_MEM;
	out(e, BPF_LDX | mode | size_code(m->size), dst_reg(e, m, pos), base, off, 0);
}

static void emit_store(struct emit *e, const struct mi *m, uint32_t pos)
{
	int off;
	unsigned base = base_operand(e, m, 0, pos, &off);
	if (m->has_imm)
		out(e, BPF_ST | BPF_MEM | size_code(m->size), base, 0, off, (int32_t)m->imm);
	else
		out(e, BPF_STX | BPF_MEM | size_code(m->size), base, reg_operand(e, m, 1, pos), off,
		    0);
}

static void emit_atomic(struct emit *e, const struct mi *m, uint32_t pos)
{
	int off, k = m->op == MI_ATOMIC ? 0 : 1;
	unsigned base = base_operand(e, m, k, pos, &off), src;
	uint8_t code = BPF_STX | BPF_ATOMIC | size_code(m->size);
	if (m->op == MI_CMPXCHG) {
		get(e, 0, operand(e, m, 0, pos));
		out(e, code, base, reg_operand(e, m, 2, pos), off, BPF_CMPXCHG);
		if (m->dst) {
			struct place to = mfn_place(e->f, m->dst, pos + 2);
			if (to.kind == AT_REG)
				mov_reg(e, to.n, 0);
			else
				spill(e, to.n, 0);
		}
		return;
	}
	if (m->op == MI_ATOMIC) {
		src = reg_operand(e, m, 1, pos);
	} else {
		src = dst_reg(e, m, pos);
		get(e, src, operand(e, m, 0, pos));
	}
	out(e, code, base, src, off, (int32_t)m->imm);
}

/* An operand that went to memory right before the call is still in its register. */
static struct place call_operand(struct emit *e, const struct mi *m, int k, uint32_t pos)
{
	struct place p = operand(e, m, k, pos);
	if (p.kind != AT_MEM)
		return p;
	const struct vinfo *v = &e->f->v[m->use[k]];
	for (uint32_t i = 1; i < v->npiece; i++) {
		const struct piece *q = &e->f->sorted[v->pieces + i];
		if (q->start == pos && q[-1].end == pos && q[-1].reg >= 0 &&
		    e->owner[q[-1].reg] == q[-1].next)
			return (struct place){AT_REG, (uint32_t)q[-1].reg};
	}
	return p;
}

static void emit_call(struct emit *e, const struct mi *m, uint32_t pos)
{
	static const struct {
		uint8_t src;
		enum fix_kind kind;
	} how[IR_NOPS] = {[IR_KFUNC] = {BPF_PSEUDO_KFUNC_CALL, FIX_KFUNC},
			  [IR_CALL] = {BPF_PSEUDO_CALL, FIX_CALL},
			  [IR_RT] = {BPF_PSEUDO_CALL, FIX_RT}};
	struct moves ms = {.busy = busy_at(e, pos)};
	for (int k = 0; k < 5; k++)
		if (m->use[k]) {
			add(&ms, call_operand(e, m, k, pos),
			    (struct place){AT_REG, (uint32_t)k + 1}, 0);
			ms.busy |= 2u << k;
		}
	do_moves(e, &ms);
	if (m->call != IR_HELPER)
		fix(e, how[m->call].kind, m->sym);
	out(e, BPF_JMP | BPF_CALL, 0, how[m->call].src, 0,
	    m->call == IR_HELPER ? (int32_t)m->imm : -1);
	if (!m->dst)
		return;
	struct place to = mfn_place(e->f, m->dst, pos + 2);
	if (to.kind == AT_REG)
		mov_reg(e, to.n, 0);
	else
		spill(e, to.n, 0);
}

static void emit_params(struct emit *e, uint32_t pos)
{
	struct mfn *f = e->f;
	struct moves ms = {.busy = busy_at(e, pos + 2)};
	for (unsigned k = 0; k < f->ir->nparams; k++)
		if (f->param[k])
			add(&ms, (struct place){AT_REG, k + 1}, mfn_place(f, f->param[k], pos + 2),
			    f->param[k]);
	do_moves(e, &ms);
}

static void emit_ret(struct emit *e, const struct mi *m, uint32_t pos)
{
	get(e, 0, operand(e, m, 0, pos));
	out(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The store of a value that lives in memory later, right after it was made. */
static void store_at_def(struct emit *e, vreg v, uint32_t pos)
{
	if (!v || !e->f->v[v].store_at_def)
		return;
	struct place p = mfn_place(e->f, v, pos);
	if (p.kind == AT_REG)
		spill(e, e->f->v[v].spill, p.n);
}

static void note_line(struct emit *e, const struct mi *m)
{
	struct loc l = m->ir ? e->f->ir->insn.at[m->ir].loc : (struct loc){0};
	if (!l.src || (l.src == e->loc.src && l.begin == e->loc.begin))
		return;
	e->loc = l;
	if (e->f->line.len && vec_last(&e->f->line).insn == here(e))
		e->f->line.len--;
	vec_push(&e->f->line, (struct bpf_line){here(e), l});
}

static void emit_insn(struct emit *e, const struct mi *m, uint32_t pos)
{
	note_line(e, m);
	split_moves(e, pos);
	switch (m->op) {
	case MI_MOV: get(e, dst_reg(e, m, pos), operand(e, m, 0, pos)); break;
	case MI_MOV32:
	case MI_MOVSX:
	case MI_NEG:
	case MI_END: emit_unary(e, m, pos); break;
	case MI_ALU: emit_alu(e, m, pos); break;
	case MI_SEL: emit_sel(e, m, pos); break;
	case MI_CNEG: emit_cneg(e, m, pos); break;
	case MI_LOAD: emit_load(e, m, pos); break;
	case MI_STORE: emit_store(e, m, pos); break;
	case MI_ATOMIC:
	case MI_FETCH:
	case MI_CMPXCHG: emit_atomic(e, m, pos); break;
	case MI_CALL: emit_call(e, m, pos); break;
	case MI_PARAMS:
		emit_params(e, pos);
		for (unsigned k = 0; k < e->f->ir->nparams; k++)
			store_at_def(e, e->f->param[k], pos + 2);
		break;
	case MI_RET: emit_ret(e, m, pos); break;
	}
	store_at_def(e, m->dst, pos + 2);
}

/* --- blocks and jumps
 * ---------------------------------------------------------------------------------------- */

static bool is_empty(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	return !b->n && !b->moves_start && !b->moves_end && !e->phi_store[block] && b->succ[0] &&
	       !b->succ[1];
}

/* Where a jump to `block` ends up. */
static uint32_t target(const struct emit *e, uint32_t block)
{
	for (size_t n = e->f->block.len; n && block != 1 && is_empty(e, block); n--)
		block = e->f->block.at[block].succ[0];
	return block;
}

/* Nothing but the return: as short as a jump to it. */
static bool is_return(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	return b->n == 1 && e->f->mi.at[b->first].op == MI_RET && !b->moves_start &&
	       !e->phi_store[block];
}

static const struct mi *last_jcc(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	const struct mi *m = b->n ? &e->f->mi.at[b->first + b->n - 1] : NULL;
	return m && m->op == MI_JCC ? m : NULL;
}

static uint8_t inverse(uint8_t cc)
{
	switch (cc) {
	case BPF_JEQ: return BPF_JNE;
	case BPF_JNE: return BPF_JEQ;
	case BPF_JLT: return BPF_JGE;
	case BPF_JGE: return BPF_JLT;
	case BPF_JLE: return BPF_JGT;
	case BPF_JGT: return BPF_JLE;
	case BPF_JSLT: return BPF_JSGE;
	case BPF_JSGE: return BPF_JSLT;
	case BPF_JSLE: return BPF_JSGT;
	case BPF_JSGT: return BPF_JSLE;
	default: return 0;
	}
}

static void jump_to(struct emit *e, uint32_t block)
{
	vec_push(&e->jump, (struct jump){here(e), block, 0});
}

static bool arrived(const struct emit *e, const struct jump *j)
{
	return j->via || e->start[j->block];
}

/* Can the instruction before this place go on to it? */
static bool falls_in(const struct emit *e)
{
	uint8_t code = here(e) ? vec_last(&e->f->code).code : 0;
	return code != (BPF_JMP | BPF_JA) && code != (BPF_JMP | BPF_EXIT);
}

/* A row of jumps, passed over by what falls into it: one for each target that old jumps wait for.
 */
static void emit_island(struct emit *e)
{
	uint32_t first = here(e);
	size_t n = e->jump.len;
	bool pass = falls_in(e); /* the verifier refuses instructions that nothing reaches */
	if (pass)
		out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	for (size_t i = e->waiting; i < n && e->jump.at[i].insn + ISLAND_FOR < first; i++) {
		struct jump j = e->jump.at[i];
		if (arrived(e, &j))
			continue;
		if (e->island[j.block] < first || !e->island[j.block]) {
			e->island[j.block] = here(e);
			jump_to(e, j.block);
			out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		}
		e->jump.at[i].via = e->island[j.block];
	}
	if (pass)
		e->f->code.at[first].off = (int16_t)(here(e) - first - 1);
}

static void reach_out(struct emit *e)
{
	while (e->waiting < e->jump.len && arrived(e, &e->jump.at[e->waiting]))
		e->waiting++;
	if (e->waiting < e->jump.len && e->jump.at[e->waiting].insn + REACH < here(e))
		emit_island(e);
}

static void leave_to(struct emit *e, uint32_t t, uint32_t next)
{
	const struct mblock *b = &e->f->block.at[t];
	if (t == next)
		return;
	if (is_return(e, t)) {
		emit_ret(e, &e->f->mi.at[b->first], 4 * b->first);
		return;
	}
	jump_to(e, t);
	out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

static bool is_unlikely(const struct emit *e, uint32_t block)
{
	return e->f->block.at[block].unlikely;
}

/*
 * How a block with two ways out leaves: a jump to one of them, then the other.  The verifier walks the other first and
 * remembers the jump, up to 8,192 of them (BPF_COMPLEXITY_LIMIT_JMP_SEQ): in a function of many branches the other is the
 * unlikely one, which soon ends.
 */
static void emit_branch(struct emit *e, uint32_t block, const struct mi *m, uint32_t next)
{
	const struct mblock *b = &e->f->block.at[block];
	uint32_t yes = target(e, b->succ[0]), no = target(e, b->succ[1]), pos = b->to - 4;
	uint8_t code = m->code;
	if (yes != no) {
		bool apart = e->f->many_branches && b->succ[1] && is_unlikely(e, yes) != is_unlikely(e, no);
		if ((apart ? is_unlikely(e, yes) : yes == next) && inverse(code) && e->kept[no]) {
			code = inverse(code);
			yes = no;
			no = target(e, b->succ[0]);
		}
		unsigned a = reg_operand(e, m, 0, pos),
			 c = m->has_imm ? 0 : reg_operand(e, m, 1, pos);
		jump_to(e, yes);
		jcc(e, code, m, a, c, 0);
	}
	leave_to(e, no, next);
}

/* Returns that every jump repeats in its own place need no block. */
static void mark_kept(struct emit *e)
{
	for (size_t i = 0; i < e->order.len; i++) {
		uint32_t block = e->order.at[i],
			 next = i + 1 < e->order.len ? e->order.at[i + 1] : 0;
		const struct mblock *b = &e->f->block.at[block];
		const struct mi *m = last_jcc(e, block);
		if (!i)
			e->kept[block] = true;
		if (!b->succ[0])
			continue;
		uint32_t yes = target(e, b->succ[0]);
		if (!m) {
			e->kept[yes] |= yes == next || !is_return(e, yes);
			continue;
		}
		uint32_t no = target(e, b->succ[1]);
		if (yes != no)
			e->kept[yes] = true;
		e->kept[no] |= no == next || !is_return(e, no) || (yes == next && inverse(m->code));
	}
}

static void choose_blocks(struct emit *e)
{
	struct mfn *f = e->f;
	vec_each(l, &f->layout)
		if (*l == 1 || target(e, *l) == *l)
			vec_push(&e->order, *l);
	mark_kept(e);
	size_t n = 0;
	vec_each(b, &e->order)
		if (e->kept[*b])
			e->order.at[n++] = *b;
	e->order.len = n;
}

static void emit_block(struct emit *e, uint32_t block, uint32_t next)
{
	struct mfn *f = e->f;
	const struct mblock *b = &f->block.at[block];
	const struct mi *branch = last_jcc(e, block);
	reach_out(e);
	e->start[block] = here(e) + 1;
	e->loc = (struct loc){0};
	if (b->moves_start)
		list_moves(e, b->moves_start, busy_at(e, b->from));
	for (ir_ref r = b->ir ? f->ir->block.at[b->ir].first : 0; r && e->phi_store[block];
	     r = f->ir->insn.at[r].next)
		if (f->v[r].is_phi)
			store_at_def(e, r, b->from);
	for (uint32_t i = b->first; i < b->first + b->n; i++) {
		const struct mi *m = &f->mi.at[i];
		reach_out(e);
		while (e->split < f->split.len && f->split.at[e->split].at < 4 * i)
			e->split++; /* of blocks that are not emitted */
		if (m->op != MI_JCC) {
			emit_insn(e, m, 4 * i);
			continue;
		}
		note_line(e, m);
		split_moves(e, 4 * i);
	}
	if (b->moves_end)
		list_moves(e, b->moves_end, busy_at(e, b->to - 1));
	if (branch)
		emit_branch(e, block, branch, next);
	else if (b->succ[0])
		leave_to(e, target(e, b->succ[0]), next);
}

static struct err *patch_jumps(struct emit *e)
{
	vec_each(j, &e->jump) {
		uint32_t to = j->via ? j->via : e->start[j->block] - 1;
		int64_t off = (int64_t)to - j->insn - 1;
		if (off != (int16_t)off)
			return err_new(
				0, "%s: the program is too large: a jump over %lld instructions",
				e->f->ir->name, (long long)off);
		e->f->code.at[j->insn].off = (int16_t)off;
	}
	return NULL;
}

static void prepare(struct emit *e)
{
	struct mfn *f = e->f;
	size_t n = f->block.len;
	e->kept = arena_alloc(f->arena, n);
	e->phi_store = arena_alloc(f->arena, n);
	e->start = arena_array(f->arena, uint32_t, n);
	e->island = arena_array(f->arena, uint32_t, n);
	for (vreg v = 1; v < f->nv; v++)
		if (f->v[v].is_phi && f->v[v].store_at_def && f->sorted[f->v[v].pieces].reg >= 0)
			e->phi_store[f->v[v].def_block] = true;
}

struct err *mfn_emit(struct mfn *f)
{
	struct emit e = {.f = f};
	prepare(&e);
	choose_blocks(&e);
	for (size_t i = 0; i < e.order.len; i++)
		emit_block(&e, e.order.at[i], i + 1 < e.order.len ? e.order.at[i + 1] : 0);
	struct err *err = patch_jumps(&e);
	if (!err && f->frame_bytes > f->frame_max)
		err = err_new(0, "%s: needs more than %u bytes of stack", f->ir->name, f->frame_max);
	vec_free(&e.jump);
	vec_free(&e.order);
	return err;
}
