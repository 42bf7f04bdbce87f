/*
 * isel.c - instruction selection.
 *
 * Blocks are visited from the last to the first and each from its end, so that when a definition is
 * reached all its uses have been selected and it is known whether a register is needed at all:
 * comparisons that became part of a branch, additions that became offsets and constants that became
 * immediates vanish by themselves.
 */
#include "bpf/isel.h"

const uint8_t mi_roles[MI_NOPS][5] = {
	[MI_ALU] = {USE_ANY, USE_REG | USE_LATE},
	[MI_SEL] = {USE_ANY, USE_REG | USE_LATE, USE_REG | USE_LATE, USE_ANY | USE_LATE},
	[MI_CNEG] = {USE_ANY, USE_REG | USE_LATE},
	[MI_LOAD] = {USE_REG},
	[MI_STORE] = {USE_REG, USE_REG},
	[MI_ATOMIC] = {USE_REG, USE_REG},
	[MI_FETCH] = {USE_ANY, USE_REG | USE_LATE},
	[MI_CMPXCHG] = {USE_ANY, USE_REG, USE_REG},
	[MI_JCC] = {USE_REG, USE_REG},
};

/* --- building
 * ---------------------------------------------------------------------------------------------- */

vreg sel_tmp(struct sel *s)
{
	vec_push(&s->f->tmp, (struct tmp){0});
	return s->f->nir + (uint32_t)s->f->tmp.len - 1;
}

/* A constant as an operand; equal ones mostly share one. */
vreg sel_const(struct sel *s, int64_t v)
{
	struct konst *k = &s->konst[hash_num((uint64_t)v) % ARRAY_SIZE(s->konst)];
	if (!k->r || k->v != v) {
		vec_push(&s->f->tmp, (struct tmp){true, v});
		*k = (struct konst){v, s->f->nir + (uint32_t)s->f->tmp.len - 1};
	}
	return k->r;
}

struct mi *sel_push(struct sel *s, struct mi m)
{
	m.ir = s->ir;
	vec_push(&s->seq, m);
	return &vec_last(&s->seq);
}

/* An operand wherever it is. */
vreg sel_any(struct sel *s, vreg r)
{
	r = mfn_value(s->f, r);
	if (r < s->f->nir && !mfn_remat(s->f, r, NULL))
		s->needed[r] = true;
	return r;
}

/* An operand in a register. */
vreg sel_reg(struct sel *s, vreg r)
{
	r = sel_any(s, r);
	if (!mfn_remat(s->f, r, NULL))
		return r;
	vreg t = sel_tmp(s);
	sel_push(s, (struct mi){MI_MOV, .dst = t, .use = {r}});
	return t;
}

/* dst = a code b with b as an immediate when it fits. */
void sel_alu(struct sel *s, vreg dst, uint8_t code, vreg a, vreg b)
{
	struct mi m = {MI_ALU, .code = code, .dst = dst};
	int64_t c;
	if (mfn_const(s->f, mfn_value(s->f, b), &c) && fits32(c)) {
		m.has_imm = true;
		m.imm = c;
	} else {
		m.use[1] = sel_reg(s, b);
	}
	m.use[0] = sel_any(s, a);
	sel_push(s, m);
}

vreg sel_alu_tmp(struct sel *s, uint8_t code, vreg a, vreg b)
{
	vreg t = sel_tmp(s);
	sel_alu(s, t, code, a, b);
	return t;
}

void sel_mov(struct sel *s, vreg dst, vreg a)
{
	sel_push(s, (struct mi){MI_MOV, .dst = dst, .use = {sel_any(s, a)}});
}

/* --- one instruction
 * --------------------------------------------------------------------------------------- */

static void call(struct sel *s, vreg dst, const struct ir_insn *i)
{
	struct mi m = {MI_CALL, .call = i->op, .imm = i->imm, .sym = i->sym,
		       .dst = s->needed[dst] ? dst : 0};
	s->nbase = 0;
	for (unsigned k = 0; k < i->nargs && k < 5; k++)
		m.use[k] = sel_any(s, i->arg[k]);
	sel_push(s, m);
}

static void branch(struct sel *s, struct mblock *b, const struct ir_insn *i)
{
	struct cond c = sel_cond(s, i->arg[0]);
	sel_push(s, (struct mi){MI_JCC, .code = c.cc, .has_imm = c.has_imm, .imm = c.imm,
			    .use = {c.a, c.b}});
	if (c.flip) {
		uint32_t t = b->succ[0];
		b->succ[0] = b->succ[1];
		b->succ[1] = t;
	}
}

static void select_insn(struct sel *s, struct mblock *b, ir_ref r)
{
	const struct ir_insn *i = &s->f->ir->insn.at[r];
	s->ir = r;
	if (!(ir_ops[i->op].flags & (IR_WRITES | IR_TERM | IR_CALLS)) && !s->needed[r])
		return;
	switch (i->op) {
	case IR_PARAM:
	case IR_PHI: break;
	case IR_SDIV:
	case IR_SMOD: sel_signed_division(s, r, i); break;
	case IR_NEG: sel_push(s, (struct mi){MI_NEG, .dst = r, .use = {sel_any(s, i->arg[0])}}); break;
	case IR_NOT: sel_alu(s, r, BPF_XOR, i->arg[0], sel_const(s, -1)); break;
	case IR_SEXT:
	case IR_ZEXT: sel_extend(s, r, i->arg[0], i->width, i->op == IR_SEXT); break;
	case IR_BSWAP:
		if (i->width == 1)
			sel_extend(s, r, i->arg[0], 1, false);
		else
			sel_push(s, (struct mi){MI_END, .size = i->width, .dst = r,
					    .use = {sel_any(s, i->arg[0])}});
		break;
	case IR_SELECT: {
		struct cond c = sel_cond(s, i->arg[0]);
		sel_select(s, r, c, sel_any(s, i->arg[1]), sel_any(s, i->arg[2]));
		break;
	}
	case IR_OPAQUE: sel_mov(s, r, i->arg[0]); break;
	case IR_LOAD: sel_load(s, r, i); break;
	case IR_STORE: sel_store(s, i); break;
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_FADD:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_CMPXCHG: sel_atomic(s, r, i); break;
	case IR_COPY: sel_copy(s, i); break;
	case IR_ZERO: sel_zero(s, i); break;
	case IR_HELPER:
	case IR_KFUNC:
	case IR_CALL:
	case IR_RT: call(s, r, i); break;
	case IR_JMP: break;
	case IR_BR: branch(s, b, i); break;
	case IR_RET: sel_push(s, (struct mi){MI_RET, .use = {sel_any(s, i->arg[0])}}); break;
	default:
		if (mfn_is_compare(i->op)) {
			struct cond c = sel_cond(s, r);
			sel_select(s, r, c, sel_const(s, 1), sel_const(s, 0));
		} else if (i->nargs == 2) {
			sel_binary(s, r, i);
		} /* constants and addresses are made where they are used */
	}
}

/* --- one block
 * --------------------------------------------------------------------------------------------- */

static void flush(struct sel *s)
{
	struct mfn *f = s->f;
	uint32_t at = (uint32_t)f->mi.len, n = (uint32_t)s->seq.len;
	for (unsigned i = 0; i < s->nbase; i++) {
		struct base_reg *b = &s->base[i];
		if (b->in_seq) {
			b->in_seq = false;
			b->at = at + n - 1 - b->at;
		}
	}
	for (uint32_t k = n; k-- > 0;)
		vec_push(&f->mi, s->seq.at[k]);
	s->seq.len = 0;
}

/* Turns the block's instructions round and drops those that were taken back. */
static void finish_block(struct mfn *f, struct mblock *b)
{
	uint32_t first = b->first, n = (uint32_t)f->mi.len - first, out = first;
	for (uint32_t i = 0; i < n / 2; i++) {
		struct mi t = f->mi.at[first + i];
		f->mi.at[first + i] = f->mi.at[first + n - 1 - i];
		f->mi.at[first + n - 1 - i] = t;
	}
	for (uint32_t i = first; i < first + n; i++)
		if (f->mi.at[i].op != MI_NOP)
			f->mi.at[out++] = f->mi.at[i];
	f->mi.len = out;
	b->n = out - first;
}

static void select_block(struct sel *s, uint32_t block)
{
	struct mfn *f = s->f;
	struct mblock *b = &f->block.at[block];
	b->first = (uint32_t)f->mi.len;
	s->nbase = 0;
	if (b->ir)
		for (ir_ref r = f->ir->block.at[b->ir].last; r; r = f->ir->insn.at[r].prev) {
			select_insn(s, b, r);
			flush(s);
		}
	if (block == 1 && f->ir->nparams) {
		s->ir = 0;
		sel_push(s, (struct mi){MI_PARAMS});
		flush(s);
	}
	finish_block(f, b);
}

static void count_uses(struct sel *s)
{
	const struct ir_fn *ir = s->f->ir;
	vec_each(b, &s->f->block)
		for (ir_ref r = b->ir ? ir->block.at[b->ir].first : 0; r; r = ir->insn.at[r].next)
			for (unsigned k = 0; k < ir->insn.at[r].nargs; k++)
				s->nuses[mfn_value(s->f, ir->insn.at[r].arg[k])]++;
}

/* Canonical parameters, slots, and what phis read. */
static void prepare(struct sel *s)
{
	struct mfn *f = s->f;
	const struct ir_fn *ir = f->ir;
	f->param = arena_array(f->arena, vreg, ir->nparams + 1);
	f->slot_of = arena_array(f->arena, uint32_t, f->nir);
	vec_each(b, &f->block)
		for (ir_ref r = b->ir ? ir->block.at[b->ir].first : 0; r; r = ir->insn.at[r].next) {
			const struct ir_insn *i = &ir->insn.at[r];
			if (i->op == IR_PARAM && !f->param[i->imm])
				f->param[i->imm] = r;
			if (i->op == IR_SLOT) {
				vec_push(&f->slot, (struct frame_slot){.size = (uint32_t)i->imm});
				f->slot_of[r] = (uint32_t)f->slot.len;
			}
		}
	vec_each(b, &f->block)
		for (ir_ref r = b->ir ? ir->block.at[b->ir].first : 0; r; r = ir->insn.at[r].next)
			if (ir->insn.at[r].op == IR_PHI)
				for (unsigned k = 0; k < ir->insn.at[r].nargs; k++)
					sel_any(s, ir->insn.at[r].arg[k]);
}

void mfn_select(struct mfn *f)
{
	struct sel s = {.f = f};
	s.needed = arena_alloc(f->arena, f->nir);
	s.nuses = arena_array(f->arena, uint32_t, f->nir);
	prepare(&s);
	count_uses(&s);
	for (size_t i = f->rpo.len; i-- > 0;)
		select_block(&s, f->rpo.at[i]);
	f->nv = f->nir + (uint32_t)f->tmp.len;
	for (unsigned k = 0; k < f->ir->nparams; k++)
		if (f->param[k] && !s.needed[f->param[k]])
			f->param[k] = 0;
	vec_free(&s.seq);
}
