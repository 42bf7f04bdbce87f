/* isel_mem.c - selection of addresses and of what reads and writes memory. */
#include "bpf/isel.h"

enum {
	INLINE_MAX = 128
}; /* bytes that copy and zero do without a call */

/* A register that holds the map's address near m->imm + *off; *off becomes what is left to add. */
static vreg map_base(struct sel *s, const struct remat *m, vreg ref, int64_t *off)
{
	struct mfn *f = s->f;
	for (unsigned i = 0; i < s->nbase; i++) {
		struct base_reg *b = &s->base[i];
		int64_t delta = m->imm + *off - b->off;
		if (b->map != m->sym || delta < INT16_MIN || delta > INT16_MAX)
			continue;
		*off = delta;
		if (b->in_seq)
			return b->t;
		f->mi.at[b->at].op = MI_NOP; /* made here already */
		b->in_seq = true;
		b->at = (uint32_t)s->seq.len;
		sel_push(s, (struct mi){MI_MOV, .dst = b->t, .use = {b->ref}});
		return b->t;
	}
	struct base_reg *b = &s->base[s->nbase < ARRAY_SIZE(s->base) ? s->nbase++ : 0];
	*b = (struct base_reg){m->sym, sel_tmp(s), ref, m->imm, true, (uint32_t)s->seq.len};
	sel_push(s, (struct mi){MI_MOV, .dst = b->t, .use = {ref}});
	return b->t;
}

/* Fills base (use[k] or slot) and offset of a memory access; `span` bytes from there are accessed.
 */
static void address(struct sel *s, struct mi *m, int k, ir_ref p, int64_t off, int64_t span)
{
	const struct mfn *f = s->f;
	vreg r = mfn_value(f, p);
	struct remat at;
	int64_t c;
	for (;;) {
		const struct ir_insn *i = mfn_ir(f, r);
		if (!i || (i->op != IR_ADD && i->op != IR_SUB) || !mfn_const(f, i->arg[1], &c))
			break;
		off += i->op == IR_ADD ? c : -c;
		r = mfn_value(f, i->arg[0]);
	}
	bool made = mfn_remat(f, r, &at);
	if (made && at.kind == REMAT_SLOT && off > -STACK_MAX && off < STACK_MAX) {
		m->slot = at.slot;
		m->off = (int16_t)off;
		return;
	}
	vreg base = made && at.kind == REMAT_MAPVAL ? map_base(s, &at, r, &off) : 0;
	if (off < INT16_MIN || off + span > INT16_MAX) {
		base = sel_alu_tmp(s, BPF_ADD, base ? base : r, sel_const(s, off));
		off = 0;
	}
	m->use[k] = base ? base : sel_reg(s, r);
	m->off = (int16_t)off;
}

void sel_load(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool shift = i->is_signed && i->width < 8 && !s->f->world->features.bpf_signed_div;
	struct mi m = {MI_LOAD, .size = i->width, .dst = shift ? sel_tmp(s) : dst,
		       .is_signed = i->is_signed && i->width < 8 && !shift};
	address(s, &m, 0, i->arg[0], i->imm, i->width);
	sel_push(s, m);
	if (shift)
		sel_extend(s, dst, m.dst, i->width, true);
}

/* What is stored may lose extensions that only change bytes that are not stored. */
static vreg stored_value(const struct mfn *f, ir_ref r, unsigned width)
{
	for (;;) {
		r = mfn_value(f, r);
		const struct ir_insn *i = mfn_ir(f, r);
		if (!i || (i->op != IR_ZEXT && i->op != IR_SEXT) || i->width < width)
			return r;
		r = i->arg[0];
	}
}

void sel_store(struct sel *s, const struct ir_insn *i)
{
	struct mi m = {MI_STORE, .size = i->width};
	vreg v = stored_value(s->f, i->arg[1], i->width);
	int64_t c;
	if (mfn_const(s->f, v, &c) && (i->width < 8 || fits32(c))) {
		m.has_imm = true;
		m.imm = (int32_t)c;
	} else {
		m.use[1] = sel_reg(s, v);
	}
	address(s, &m, 0, i->arg[0], i->imm, i->width);
	sel_push(s, m);
}

void sel_atomic(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool used = dst && s->needed[dst];
	struct mi m = {MI_FETCH, .size = i->width, .dst = dst};
	if (i->op == IR_ATOMIC_CMPXCHG) {
		m.op = MI_CMPXCHG;
		m.dst = used ? dst : 0;
		m.use[2] = sel_reg(s, i->arg[2]);
		m.use[0] = sel_any(s, i->arg[1]);
	} else if (i->op == IR_ATOMIC_ADD || (i->op == IR_ATOMIC_FADD && !used)) {
		m.op = MI_ATOMIC;
		m.imm = BPF_ADD;
		m.dst = 0;
		m.use[1] = sel_reg(s, i->arg[1]);
	} else {
		m.imm = i->op == IR_ATOMIC_XCHG ? BPF_XCHG : BPF_ADD | BPF_FETCH;
		m.use[0] = sel_any(s, i->arg[1]);
	}
	address(s, &m, m.op == MI_ATOMIC ? 0 : 1, i->arg[0], i->imm, i->width);
	sel_push(s, m);
}

/* Largest width that accesses at this address may have: the stack and the context want natural
 * alignment. */
static unsigned known_align(const struct mfn *f, ir_ref p)
{
	int64_t off = 0, c;
	vreg r = mfn_value(f, p);
	const struct ir_insn *i;
	for (;;) {
		i = mfn_ir(f, r);
		if (!i || (i->op != IR_ADD && i->op != IR_SUB) || !mfn_const(f, i->arg[1], &c))
			break;
		off += i->op == IR_ADD ? c : -c;
		r = mfn_value(f, i->arg[0]);
	}
	if (i && (i->op == IR_MAPVAL || i->op == IR_HELPER))
		return 8;
	return off & 7 ? 1u << __builtin_ctzll((uint64_t)off) : 8;
}

/* Calls bpf_probe_read_kernel(dst, n, src); from address 0 it zeroes dst without touching memory
 * there. */
static void bulk(struct sel *s, ir_ref dst, ir_ref src, int64_t n)
{
	s->nbase = 0;
	sel_push(s, (struct mi){MI_CALL, .call = IR_HELPER, .imm = BPF_FUNC_probe_read_kernel,
			    .use = {sel_any(s, dst), sel_const(s, n), src ? sel_any(s, src) : sel_const(s, 0)}});
}

void sel_copy(struct sel *s, const struct ir_insn *i)
{
	if (i->imm > INLINE_MAX) {
		bulk(s, i->arg[0], i->arg[1], i->imm);
		return;
	}
	unsigned align = MIN(known_align(s->f, i->arg[0]), known_align(s->f, i->arg[1]));
	struct mi from = {MI_LOAD}, to = {MI_STORE};
	address(s, &from, 0, i->arg[1], 0, i->imm);
	address(s, &to, 0, i->arg[0], 0, i->imm);
	for (int64_t at = 0; at < i->imm;) {
		unsigned w = align;
		while (w > i->imm - at)
			w /= 2;
		struct mi l = from, st = to;
		l.size = st.size = (uint8_t)w;
		l.off = (int16_t)(from.off + at);
		st.off = (int16_t)(to.off + at);
		l.dst = st.use[1] = sel_tmp(s);
		sel_push(s, l);
		sel_push(s, st);
		at += w;
	}
}

void sel_zero(struct sel *s, const struct ir_insn *i)
{
	if (i->imm > INLINE_MAX) {
		bulk(s, i->arg[0], 0, i->imm);
		return;
	}
	unsigned align = known_align(s->f, i->arg[0]);
	struct mi to = {MI_STORE, .has_imm = true};
	address(s, &to, 0, i->arg[0], 0, i->imm);
	for (int64_t at = 0; at < i->imm;) {
		unsigned w = align;
		while (w > i->imm - at)
			w /= 2;
		struct mi st = to;
		st.size = (uint8_t)w;
		st.off = (int16_t)(to.off + at);
		sel_push(s, st);
		at += w;
	}
}
