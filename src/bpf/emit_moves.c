/* emit_moves.c - moving values between places: one, and many as if all at once. */
#include "bpf/emit.h"

int emit_slot_off(const struct emit *e, uint32_t slot)
{
	return e->f->slot.at[slot - 1].off;
}

void emit_mov(struct emit *e, unsigned dst, unsigned src)
{
	if (dst != src)
		emit_out(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void emit_fill(struct emit *e, unsigned dst, uint32_t slot)
{
	emit_out(e, BPF_LDX | BPF_MEM | BPF_DW, dst, 10, emit_slot_off(e, slot), 0);
}

void emit_spill(struct emit *e, uint32_t slot, unsigned src)
{
	emit_out(e, BPF_STX | BPF_MEM | BPF_DW, 10, src, emit_slot_off(e, slot), 0);
}

static void ld_imm64(struct emit *e, unsigned dst, unsigned pseudo, uint32_t lo, uint32_t hi)
{
	emit_out(e, BPF_LD | BPF_IMM | BPF_DW, dst, pseudo, 0, (int32_t)lo);
	emit_out(e, 0, 0, 0, 0, (int32_t)hi);
}

void emit_fix(struct emit *e, enum fix_kind kind, const void *sym)
{
	vec_push(&e->f->fix, (struct fix){emit_here(e), kind, sym});
}

static void make_const(struct emit *e, unsigned dst, int64_t v)
{
	if (v == (int32_t)v)
		emit_out(e, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)v);
	else if (v == (int64_t)(uint32_t)v)
		emit_out(e, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)v);
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
		emit_mov(e, dst, 10);
		emit_out(e, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0,
		    emit_slot_off(e, m.slot) + (int32_t)m.imm);
		break;
	case REMAT_MAP:
		emit_fix(e, FIX_MAP, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_MAP_FD, 0, 0);
		break;
	case REMAT_MAPVAL:
		emit_fix(e, FIX_MAPVAL, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_MAP_VALUE, 0, (uint32_t)m.imm);
		break;
	case REMAT_FNADDR:
		emit_fix(e, FIX_FNADDR, m.sym);
		ld_imm64(e, dst, BPF_PSEUDO_FUNC, 0, 0);
		break;
	}
}

void emit_get(struct emit *e, unsigned dst, struct place p)
{
	switch (p.kind) {
	case AT_REG: emit_mov(e, dst, p.n); break;
	case AT_MEM: emit_fill(e, dst, p.n); break;
	case AT_REMAT: make(e, dst, p.n); break;
	case AT_NONE: break;
	}
}

void moves_add(struct moves *ms, struct place from, struct place to, vreg v)
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
		emit_get(e, m->to.n, m->from);
		ms->busy |= 1u << m->to.n;
	} else if (m->from.kind == AT_REG) {
		emit_spill(e, m->to.n, m->from.n);
	} else if (fits_store(e, m->from, &c)) {
		emit_out(e, BPF_ST | BPF_MEM | BPF_DW, 10, 0, emit_slot_off(e, m->to.n), (int32_t)c);
	} else {
		int r = scratch(ms), save = r < 0 ? emergency_off(e, 0) : 0;
		if (save)
			emit_spill(e, (uint32_t)save, 0);
		emit_get(e, (unsigned)MAX(r, 0), m->from);
		emit_spill(e, m->to.n, (unsigned)MAX(r, 0));
		if (save)
			emit_fill(e, 0, (uint32_t)save);
	}
}

/* Does them as if all at once. */
void emit_moves(struct emit *e, struct moves *ms)
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
uint32_t emit_busy(struct emit *e, uint32_t pos)
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

void emit_list_moves(struct emit *e, uint32_t list, uint32_t busy)
{
	struct moves ms;
	moves_begin(&ms, busy);
	for (uint32_t m = list; m; m = e->f->move.at[m - 1].next) {
		const struct move *k = &e->f->move.at[m - 1];
		if (k->to.kind == AT_REG)
			ms.busy |= 1u << k->to.n;
		moves_add(&ms, k->from, k->to, k->v);
	}
	emit_moves(e, &ms);
}

/* Splits before the instruction at pos. */
void emit_split_moves(struct emit *e, uint32_t pos)
{
	struct mfn *f = e->f;
	if (e->split >= f->split.len || f->split.at[e->split].at != pos)
		return;
	struct moves ms;
	moves_begin(&ms, pos ? emit_busy(e, pos - 1) : 0);
	ms.busy |= emit_busy(e, pos);
	for (; e->split < f->split.len && f->split.at[e->split].at == pos; e->split++) {
		const struct move *k = &f->move.at[f->split.at[e->split].move - 1];
		if (k->to.kind == AT_REG)
			ms.busy |= 1u << k->to.n;
		moves_add(&ms, k->from, k->to, k->v);
	}
	emit_moves(e, &ms);
}
