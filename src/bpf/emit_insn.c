/* emit_insn.c - one machine instruction with places to bpf_insn. */
#include "bpf/emit.h"

static struct place operand(struct emit *e, const struct mi *m, int k, uint32_t pos)
{
	return mfn_place(e->f, m->use[k], pos);
}

unsigned emit_operand_reg(struct emit *e, const struct mi *m, int k, uint32_t pos)
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
		return emit_operand_reg(e, m, k, pos);
	*off += emit_slot_off(e, m->slot);
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
								  : emit_operand_reg(e, m, 1, pos);
	uint8_t cls = m->is32 ? BPF_ALU : BPF_ALU64;
	if (m->is32 && a.kind == AT_REG && a.n != dst)
		emit_out(e, BPF_ALU | BPF_MOV | BPF_X, dst, a.n, 0, 0);
	else
		emit_get(e, dst, a);
	if (m->has_imm)
		emit_out(e, cls | m->code | BPF_K, dst, 0, m->is_signed, (int32_t)m->imm);
	else
		emit_out(e, cls | m->code | BPF_X, dst, b, m->is_signed, 0);
}

static void emit_unary(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	struct place a = operand(e, m, 0, pos);
	unsigned src = a.kind == AT_REG ? a.n : dst;
	if (m->op == MI_MOV32 || m->op == MI_MOVSX) {
		if (a.kind != AT_REG)
			emit_get(e, dst, a);
		if (m->op == MI_MOV32)
			emit_out(e, BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0);
		else
			emit_out(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 8 * m->size, 0);
		return;
	}
	emit_get(e, dst, a);
	if (m->op == MI_NEG)
		emit_out(e, BPF_ALU64 | BPF_NEG, dst, 0, 0, 0);
	else if (m->op == MI_END) /* to the other byte order: a swap */
		emit_out(e,
		    BPF_ALU | BPF_END |
			    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? BPF_TO_BE : BPF_TO_LE),
		    dst, 0, 0, 8 * m->size);
}

void emit_jcc(struct emit *e, uint8_t code, const struct mi *m, unsigned a, unsigned b, int off)
{
	if (m->has_imm)
		emit_out(e, BPF_JMP | code | BPF_K, a, 0, off, (int32_t)m->imm);
	else
		emit_out(e, BPF_JMP | code | BPF_X, a, b, off, 0);
}

static void emit_sel(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	emit_get(e, dst, operand(e, m, 0, pos));
	unsigned a = m->use[1] == m->use[0] ? dst : emit_operand_reg(e, m, 1, pos);
	unsigned b = m->has_imm ? 0 : m->use[2] == m->use[0] ? dst : emit_operand_reg(e, m, 2, pos);
	uint32_t at = emit_here(e);
	emit_jcc(e, m->code, m, a, b, 0);
	struct place y =
		m->use[3] == m->use[0] ? (struct place){AT_REG, dst} : operand(e, m, 3, pos);
	emit_get(e, dst, y);
	e->f->code.at[at].off = (int16_t)(emit_here(e) - at - 1);
	if (emit_here(e) == at + 1)
		e->f->code.len--; /* both are the same */
}

static void emit_cneg(struct emit *e, const struct mi *m, uint32_t pos)
{
	unsigned dst = dst_reg(e, m, pos);
	emit_get(e, dst, operand(e, m, 0, pos));
	emit_jcc(e, m->code, m, m->use[1] == m->use[0] ? dst : emit_operand_reg(e, m, 1, pos), 0, 1);
	emit_out(e, BPF_ALU64 | BPF_NEG, dst, 0, 0, 0);
}

static uint8_t size_code(unsigned size)
{
	return size == 1 ? BPF_B : size == 2 ? BPF_H : size == 4 ? BPF_W : BPF_DW;
}

static void emit_load(struct emit *e, const struct mi *m, uint32_t pos)
{
	enum {
		MEMSX = 0x80
	}; /* BPF_MEMSX: sign-extending load of cpu v4 */
	int off;
	unsigned base = base_operand(e, m, 0, pos, &off);
	uint8_t mode = m->is_signed ? MEMSX : BPF_MEM;
	emit_out(e, BPF_LDX | mode | size_code(m->size), dst_reg(e, m, pos), base, off, 0);
}

static void emit_store(struct emit *e, const struct mi *m, uint32_t pos)
{
	int off;
	unsigned base = base_operand(e, m, 0, pos, &off);
	if (m->has_imm)
		emit_out(e, BPF_ST | BPF_MEM | size_code(m->size), base, 0, off, (int32_t)m->imm);
	else
		emit_out(e, BPF_STX | BPF_MEM | size_code(m->size), base, emit_operand_reg(e, m, 1, pos), off,
		    0);
}

static void emit_atomic(struct emit *e, const struct mi *m, uint32_t pos)
{
	int off, k = m->op == MI_ATOMIC ? 0 : 1;
	unsigned base = base_operand(e, m, k, pos, &off), src;
	uint8_t code = BPF_STX | BPF_ATOMIC | size_code(m->size);
	if (m->op == MI_CMPXCHG) {
		emit_get(e, 0, operand(e, m, 0, pos));
		emit_out(e, code, base, emit_operand_reg(e, m, 2, pos), off, BPF_CMPXCHG);
		if (m->dst) {
			struct place to = mfn_place(e->f, m->dst, pos + 2);
			if (to.kind == AT_REG)
				emit_mov(e, to.n, 0);
			else
				emit_spill(e, to.n, 0);
		}
		return;
	}
	if (m->op == MI_ATOMIC) {
		src = emit_operand_reg(e, m, 1, pos);
	} else {
		src = dst_reg(e, m, pos);
		emit_get(e, src, operand(e, m, 0, pos));
	}
	emit_out(e, code, base, src, off, (int32_t)m->imm);
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
	struct moves ms;
	moves_begin(&ms, emit_busy(e, pos));
	for (int k = 0; k < 5; k++)
		if (m->use[k]) {
			moves_add(&ms, call_operand(e, m, k, pos),
			    (struct place){AT_REG, (uint32_t)k + 1}, 0);
			ms.busy |= 2u << k;
		}
	emit_moves(e, &ms);
	if (m->call != IR_HELPER)
		emit_fix(e, how[m->call].kind, m->sym);
	emit_out(e, BPF_JMP | BPF_CALL, 0, how[m->call].src, 0,
	    m->call == IR_HELPER ? (int32_t)m->imm : -1);
	if (!m->dst)
		return;
	struct place to = mfn_place(e->f, m->dst, pos + 2);
	if (to.kind == AT_REG)
		emit_mov(e, to.n, 0);
	else
		emit_spill(e, to.n, 0);
}

static void emit_params(struct emit *e, uint32_t pos)
{
	struct mfn *f = e->f;
	struct moves ms;
	moves_begin(&ms, emit_busy(e, pos + 2));
	for (unsigned k = 0; k < f->ir->nparams; k++)
		if (f->param[k])
			moves_add(&ms, (struct place){AT_REG, k + 1}, mfn_place(f, f->param[k], pos + 2),
			    f->param[k]);
	emit_moves(e, &ms);
}

void emit_ret(struct emit *e, const struct mi *m, uint32_t pos)
{
	emit_get(e, 0, operand(e, m, 0, pos));
	emit_out(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The store of a value that lives in memory later, right after it was made. */
void emit_store_at_def(struct emit *e, vreg v, uint32_t pos)
{
	if (!v || !e->f->v[v].store_at_def)
		return;
	struct place p = mfn_place(e->f, v, pos);
	if (p.kind == AT_REG)
		emit_spill(e, e->f->v[v].spill, p.n);
}

void emit_line(struct emit *e, const struct mi *m)
{
	struct loc l = m->ir ? e->f->ir->insn.at[m->ir].loc : (struct loc){0};
	if (!l.src || (l.src == e->loc.src && l.begin == e->loc.begin))
		return;
	e->loc = l;
	if (e->f->line.len && vec_last(&e->f->line).insn == emit_here(e))
		e->f->line.len--;
	vec_push(&e->f->line, (struct bpf_line){emit_here(e), l});
}

void emit_insn(struct emit *e, const struct mi *m, uint32_t pos)
{
	emit_line(e, m);
	emit_split_moves(e, pos);
	switch (m->op) {
	case MI_MOV: emit_get(e, dst_reg(e, m, pos), operand(e, m, 0, pos)); break;
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
			emit_store_at_def(e, e->f->param[k], pos + 2);
		break;
	case MI_RET: emit_ret(e, m, pos); break;
	}
	emit_store_at_def(e, m->dst, pos + 2);
}
