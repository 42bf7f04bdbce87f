/*
 * isel.c - instruction selection.
 *
 * Blocks are visited from the last to the first and each from its end, so that when a definition is
 * reached all its uses have been selected and it is known whether a register is needed at all:
 * comparisons that became part of a branch, additions that became offsets and constants that became
 * immediates vanish by themselves.
 */
#include "bpf/mi.h"

#include <limits.h>

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

enum {
	INLINE_MAX = 128
}; /* bytes that copy and zero do without a call */

struct base_reg { /* a map's address that a later instruction of the block has in a register */
	const void *map;
	vreg t, ref;
	int64_t off;
	bool in_seq;
	uint32_t at; /* instruction that makes it: in seq or in mfn.mi */
};

struct konst {
	int64_t v;
	vreg r;
};

struct sel {
	struct mfn *f;
	bool *needed;
	uint32_t *nuses;
	ir_ref ir;          /* being selected */
	VEC(struct mi) seq; /* its instructions, forward */
	struct base_reg base[4];
	unsigned nbase;
	struct konst konst[256]; /* made not long ago */
};

const struct ir_insn *mfn_ir(const struct mfn *f, vreg v)
{
	return v < f->nir ? &f->ir->insn.at[v] : NULL;
}

static bool const_of(const struct mfn *f, vreg v, int64_t *ret)
{
	if (v >= f->nir) {
		*ret = f->tmp.at[v - f->nir].v;
		return f->tmp.at[v - f->nir].is_const;
	}
	*ret = f->ir->insn.at[v].imm;
	return f->ir->insn.at[v].op == IR_CONST;
}

static bool is_compare(uint8_t op)
{
	return op >= IR_EQ && op <= IR_SLE;
}

/* Bits above the low `width` bytes are known to be zero. */
static bool upper_zero(const struct mfn *f, ir_ref r, unsigned width)
{
	const struct ir_insn *i = &f->ir->insn.at[r];
	int64_t c;
	if (i->op == IR_LOAD)
		return !i->is_signed && i->width <= width;
	if (i->op == IR_ZEXT || i->op == IR_BSWAP)
		return i->width <= width;
	if (i->op == IR_AND && const_of(f, i->arg[1], &c))
		return width == 8 || !((uint64_t)c >> (8 * width));
	if (i->op == IR_LSHR && const_of(f, i->arg[1], &c))
		return (c & 63) >= 64 - 8 * (int)width;
	return is_compare(i->op);
}

static bool sign_known(const struct mfn *f, ir_ref r, unsigned width)
{
	const struct ir_insn *i = &f->ir->insn.at[r];
	if (i->op == IR_SEXT || (i->op == IR_LOAD && i->is_signed))
		return i->width <= width;
	if (i->op == IR_LOAD || i->op == IR_ZEXT)
		return i->width < width;
	return is_compare(i->op);
}

vreg mfn_value(const struct mfn *f, ir_ref r)
{
	if (r >= f->nir)
		return r;
	for (;;) {
		const struct ir_insn *i = &f->ir->insn.at[r];
		if (i->op == IR_PARAM)
			return f->param[i->imm];
		if (i->op == IR_PHI && i->nargs == 1) {
			r = i->arg[0];
			continue;
		}
		if (i->op != IR_ZEXT && i->op != IR_SEXT)
			return r;
		bool same =
			i->width >= 8 || (i->op == IR_ZEXT ? upper_zero(f, i->arg[0], i->width)
							   : sign_known(f, i->arg[0], i->width));
		if (!same)
			return r;
		r = i->arg[0];
	}
}

/* Constants and addresses, also with constants added. */
bool mfn_remat(const struct mfn *f, vreg v, struct remat *ret)
{
	struct remat unused, *m = ret ? ret : &unused;
	int64_t add = 0, c;
	if (const_of(f, v, &c)) {
		*m = (struct remat){REMAT_CONST, .imm = c};
		return true;
	}
	if (v >= f->nir)
		return false;
	const struct ir_insn *i = &f->ir->insn.at[v];
	while ((i->op == IR_ADD || i->op == IR_SUB) && const_of(f, i->arg[1], &c)) {
		add += i->op == IR_ADD ? c : -c;
		i = &f->ir->insn.at[i->arg[0]];
	}
	bool moved = add != 0;
	switch (i->op) {
	case IR_SLOT:
		*m = (struct remat){REMAT_SLOT, add, f->slot_of[i - f->ir->insn.at]};
		return add >= INT16_MIN && add <= INT16_MAX;
	case IR_MAPVAL:
		*m = (struct remat){REMAT_MAPVAL, i->imm + add, 0, i->sym};
		return i->imm + add >= 0 && i->imm + add < INT_MAX;
	case IR_MAP: *m = (struct remat){REMAT_MAP, 0, 0, i->sym}; return !moved;
	case IR_FNADDR: *m = (struct remat){REMAT_FNADDR, 0, 0, i->sym}; return !moved;
	default: return false;
	}
}

static bool fits32(int64_t v)
{
	return v == (int32_t)v;
}

/* --- building
 * ---------------------------------------------------------------------------------------------- */

static vreg tmp_new(struct sel *s)
{
	vec_push(&s->f->tmp, (struct tmp){0});
	return s->f->nir + (uint32_t)s->f->tmp.len - 1;
}

/* A constant as an operand; equal ones mostly share one. */
static vreg konst(struct sel *s, int64_t v)
{
	struct konst *k = &s->konst[hash_num((uint64_t)v) % ARRAY_SIZE(s->konst)];
	if (!k->r || k->v != v) {
		vec_push(&s->f->tmp, (struct tmp){true, v});
		*k = (struct konst){v, s->f->nir + (uint32_t)s->f->tmp.len - 1};
	}
	return k->r;
}

static struct mi *push(struct sel *s, struct mi m)
{
	m.ir = s->ir;
	vec_push(&s->seq, m);
	return &vec_last(&s->seq);
}

/* An operand wherever it is. */
static vreg any(struct sel *s, vreg r)
{
	r = mfn_value(s->f, r);
	if (r < s->f->nir && !mfn_remat(s->f, r, NULL))
		s->needed[r] = true;
	return r;
}

/* An operand in a register. */
static vreg reg(struct sel *s, vreg r)
{
	r = any(s, r);
	if (!mfn_remat(s->f, r, NULL))
		return r;
	vreg t = tmp_new(s);
	push(s, (struct mi){MI_MOV, .dst = t, .use = {r}});
	return t;
}

/* dst = a code b with b as an immediate when it fits. */
static void alu(struct sel *s, vreg dst, uint8_t code, vreg a, vreg b)
{
	struct mi m = {MI_ALU, .code = code, .dst = dst};
	int64_t c;
	if (const_of(s->f, mfn_value(s->f, b), &c) && fits32(c)) {
		m.has_imm = true;
		m.imm = c;
	} else {
		m.use[1] = reg(s, b);
	}
	m.use[0] = any(s, a);
	push(s, m);
}

static vreg alu_tmp(struct sel *s, uint8_t code, vreg a, vreg b)
{
	vreg t = tmp_new(s);
	alu(s, t, code, a, b);
	return t;
}

static void mov(struct sel *s, vreg dst, vreg a)
{
	push(s, (struct mi){MI_MOV, .dst = dst, .use = {any(s, a)}});
}

/* --- addresses
 * --------------------------------------------------------------------------------------------- */

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
		push(s, (struct mi){MI_MOV, .dst = b->t, .use = {b->ref}});
		return b->t;
	}
	struct base_reg *b = &s->base[s->nbase < ARRAY_SIZE(s->base) ? s->nbase++ : 0];
	*b = (struct base_reg){m->sym, tmp_new(s), ref, m->imm, true, (uint32_t)s->seq.len};
	push(s, (struct mi){MI_MOV, .dst = b->t, .use = {ref}});
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
		if (!i || (i->op != IR_ADD && i->op != IR_SUB) || !const_of(f, i->arg[1], &c))
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
		base = alu_tmp(s, BPF_ADD, base ? base : r, konst(s, off));
		off = 0;
	}
	m->use[k] = base ? base : reg(s, r);
	m->off = (int16_t)off;
}

/* --- conditions
 * -------------------------------------------------------------------------------------------- */

struct cond {
	uint8_t cc;
	bool has_imm, flip; /* flip: true and false change places */
	int64_t imm;
	vreg a, b;
};

static const uint8_t cc_of[IR_NOPS] = {
	[IR_EQ] = BPF_JEQ,  [IR_NE] = BPF_JNE,   [IR_ULT] = BPF_JLT,
	[IR_ULE] = BPF_JLE, [IR_SLT] = BPF_JSLT, [IR_SLE] = BPF_JSLE};

static uint8_t swapped(uint8_t cc)
{
	switch (cc) {
	case BPF_JLT: return BPF_JGT;
	case BPF_JLE: return BPF_JGE;
	case BPF_JSLT: return BPF_JSGT;
	case BPF_JSLE: return BPF_JSGE;
	default: return cc;
	}
}

/* 0: has no inverse (JSET). */
static uint8_t inverse(uint8_t cc)
{
	static const uint8_t pair[][2] = {{BPF_JEQ, BPF_JNE},
					  {BPF_JLT, BPF_JGE},
					  {BPF_JLE, BPF_JGT},
					  {BPF_JSLT, BPF_JSGE},
					  {BPF_JSLE, BPF_JSGT}};
	for (size_t i = 0; i < ARRAY_SIZE(pair); i++)
		for (int k = 0; k < 2; k++)
			if (pair[i][k] == cc)
				return pair[i][!k];
	return 0;
}

/* `x & mask` of a comparison with zero that nothing else uses becomes one jump. */
static bool is_bit_test(struct sel *s, const struct ir_insn *i, struct cond *c)
{
	const struct mfn *f = s->f;
	int64_t zero, mask;
	vreg x = mfn_value(f, i->arg[0]);
	const struct ir_insn *and = mfn_ir(f, x);
	if ((i->op != IR_EQ && i->op != IR_NE) || !const_of(f, mfn_value(f, i->arg[1]), &zero) ||
	    zero)
		return false;
	if (!and || and->op != IR_AND || s->nuses[x] != 1 || !const_of(f, and->arg[1], &mask) ||
	    !fits32(mask))
		return false;
	c->cc = BPF_JSET;
	c->flip ^= i->op == IR_EQ;
	c->has_imm = true;
	c->imm = mask;
	c->a = reg(s, and->arg[0]);
	return true;
}

static struct cond cond_of(struct sel *s, ir_ref r)
{
	const struct mfn *f = s->f;
	struct cond c = {0};
	const struct ir_insn *i;
	int64_t v;
	for (;;) { /* !x and x != 0 of a comparison */
		r = mfn_value(f, r);
		i = mfn_ir(f, r);
		if (!i || (i->op != IR_EQ && i->op != IR_NE) ||
		    !const_of(f, mfn_value(f, i->arg[1]), &v) || v)
			break;
		vreg x = mfn_value(f, i->arg[0]);
		const struct ir_insn *ix = mfn_ir(f, x);
		if (!ix || !is_compare(ix->op))
			break;
		c.flip ^= i->op == IR_EQ;
		r = x;
	}
	vreg a = r, b = 0;
	if (i && is_compare(i->op)) {
		if (is_bit_test(s, i, &c))
			return c;
		a = mfn_value(f, i->arg[0]);
		b = mfn_value(f, i->arg[1]);
		c.cc = cc_of[i->op];
		if (const_of(f, a, &v)) {
			vreg t = a;
			a = b;
			b = t;
			c.cc = swapped(c.cc);
		}
	} else {
		c.cc = BPF_JNE;
		b = konst(s, 0);
	}
	c.a = reg(s, a);
	if (const_of(f, b, &v) && fits32(v)) {
		c.has_imm = true;
		c.imm = v;
	} else {
		c.b = reg(s, b);
	}
	return c;
}

static void sel_cond(struct sel *s, vreg dst, struct cond c, vreg x, vreg y)
{
	if (c.flip) {
		vreg t = x;
		x = y;
		y = t;
	}
	if (mfn_remat(s->f, x, NULL) && !mfn_remat(s->f, y, NULL) && inverse(c.cc)) {
		vreg t = x;
		x = y;
		y = t;
		c.cc = inverse(c.cc);
	}
	push(s, (struct mi){MI_SEL, .code = c.cc, .has_imm = c.has_imm, .imm = c.imm, .dst = dst,
			    .use = {x, c.a, c.b, y}});
}

/* dst = sign cc 0 ? x : -x */
static void negate_unless(struct sel *s, vreg dst, vreg sign, uint8_t cc, vreg x)
{
	push(s, (struct mi){MI_CNEG, .code = cc, .has_imm = true, .dst = dst,
			    .use = {any(s, x), reg(s, sign)}});
}

/* --- arithmetic
 * -------------------------------------------------------------------------------------------- */

static const uint8_t alu_of[IR_NOPS] = {
	[IR_ADD] = BPF_ADD,  [IR_SUB] = BPF_SUB,  [IR_MUL] = BPF_MUL,   [IR_UDIV] = BPF_DIV,
	[IR_UMOD] = BPF_MOD, [IR_AND] = BPF_AND,  [IR_OR] = BPF_OR,     [IR_XOR] = BPF_XOR,
	[IR_SHL] = BPF_LSH,  [IR_LSHR] = BPF_RSH, [IR_ASHR] = BPF_ARSH,
};

static bool commutes(uint8_t op)
{
	return op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
}

static vreg magnitude(struct sel *s, vreg a)
{
	vreg m = tmp_new(s), r = reg(s, a);
	negate_unless(s, m, r, BPF_JSGE, r);
	return m;
}

/* Division toward zero out of the unsigned one, for kernels without cpu v4. */
static void signed_division(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool mod = i->op == IR_SMOD;
	vreg a = i->arg[0], b = i->arg[1];
	int64_t c;
	if (const_of(s->f, mfn_value(s->f, b), &c)) {
		if (!c) {
			mov(s, dst, mod ? a : konst(s, 0));
			return;
		}
		/* never with a divisor that may be -1: kernels 6.6 to 6.11 faulted on INT64_MIN /
		 * -1 */
		if (s->f->world->features.bpf_signed_div && c != -1 && fits32(c)) {
			push(s, (struct mi){MI_ALU, .code = mod ? BPF_MOD : BPF_DIV,
					    .is_signed = true, .has_imm = true, .imm = c,
					    .dst = dst, .use = {any(s, a)}});
			return;
		}
		b = konst(s, c < 0 ? (int64_t) - (uint64_t)c : c);
	} else {
		c = 1;
		b = 0;
	}
	vreg ua = magnitude(s, a);
	vreg ub = b ? b : magnitude(s, i->arg[1]);
	vreg q = alu_tmp(s, mod ? BPF_MOD : BPF_DIV, ua, ub);
	vreg sign = a;
	if (!mod && !b)
		sign = alu_tmp(s, BPF_XOR, a, i->arg[1]);
	negate_unless(s, dst, sign, !mod && c < 0 ? BPF_JSLT : BPF_JSGE, q);
}

/* Constant divisors, masks and counts that have a cheaper or a legal form. */
static bool binary_const(struct sel *s, vreg dst, const struct ir_insn *i, int64_t c)
{
	uint64_t u = (uint64_t)c;
	vreg a = i->arg[0];
	bool pow2 = u && !(u & (u - 1));
	switch (i->op) {
	case IR_ADD:
	case IR_OR:
	case IR_XOR:
		if (c)
			return false;
		mov(s, dst, a);
		return true;
	case IR_SUB:
		if (c == INT64_MIN)
			return false;
		if (c)
			alu(s, dst, BPF_ADD, a, konst(s, -c));
		else
			mov(s, dst, a);
		return true;
	case IR_MUL:
		if (!pow2)
			return false;
		alu(s, dst, BPF_LSH, a, konst(s, __builtin_ctzll(u)));
		return true;
	case IR_UDIV: /* the verifier refuses division by a constant 0 */
		if (!c)
			mov(s, dst, konst(s, 0));
		else if (pow2)
			alu(s, dst, BPF_RSH, a, konst(s, __builtin_ctzll(u)));
		return !c || pow2;
	case IR_UMOD:
		if (!c)
			mov(s, dst, a);
		else if (pow2)
			alu(s, dst, BPF_AND, a, konst(s, (int64_t)(u - 1)));
		return !c || pow2;
	case IR_AND:
		if (u == UINT32_MAX)
			push(s, (struct mi){MI_MOV32, .dst = dst, .use = {any(s, a)}});
		else if (u > INT32_MAX && u < UINT32_MAX)
			push(s, (struct mi){MI_ALU, .code = BPF_AND, .is32 = true, .has_imm = true,
					    .imm = (int32_t)u, .dst = dst, .use = {any(s, a)}});
		else
			return false;
		return true;
	case IR_SHL:
	case IR_LSHR:
	case IR_ASHR: alu(s, dst, alu_of[i->op], a, konst(s, c & 63)); return true;
	default: return false;
	}
}

static void binary(struct sel *s, vreg dst, const struct ir_insn *i)
{
	struct ir_insn x = *i;
	ir_ref arg[2] = {i->arg[0], i->arg[1]};
	x.arg = arg;
	int64_t c;
	if (commutes(x.op) && const_of(s->f, mfn_value(s->f, arg[0]), &c)) {
		arg[0] = i->arg[1];
		arg[1] = i->arg[0];
	}
	if (const_of(s->f, mfn_value(s->f, arg[1]), &c) && binary_const(s, dst, &x, c))
		return;
	alu(s, dst, alu_of[x.op], arg[0], arg[1]);
}

/* The low `width` bytes of a, extended. */
static void extend(struct sel *s, vreg dst, vreg a, unsigned width, bool is_signed)
{
	if (!is_signed) {
		if (width == 4)
			push(s, (struct mi){MI_MOV32, .dst = dst, .use = {any(s, a)}});
		else
			alu(s, dst, BPF_AND, a, konst(s, width == 1 ? 0xff : 0xffff));
	} else if (s->f->world->features.bpf_signed_div) {
		push(s,
		     (struct mi){MI_MOVSX, .size = (uint8_t)width, .dst = dst, .use = {any(s, a)}});
	} else {
		vreg n = konst(s, 64 - 8 * (int)width);
		alu(s, dst, BPF_ARSH, alu_tmp(s, BPF_LSH, a, n), n);
	}
}

/* --- memory
 * ------------------------------------------------------------------------------------------------
 */

static void load(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool shift = i->is_signed && i->width < 8 && !s->f->world->features.bpf_signed_div;
	struct mi m = {MI_LOAD, .size = i->width, .dst = shift ? tmp_new(s) : dst,
		       .is_signed = i->is_signed && i->width < 8 && !shift};
	address(s, &m, 0, i->arg[0], i->imm, i->width);
	push(s, m);
	if (shift)
		extend(s, dst, m.dst, i->width, true);
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

static void store(struct sel *s, const struct ir_insn *i)
{
	struct mi m = {MI_STORE, .size = i->width};
	vreg v = stored_value(s->f, i->arg[1], i->width);
	int64_t c;
	if (const_of(s->f, v, &c) && (i->width < 8 || fits32(c))) {
		m.has_imm = true;
		m.imm = (int32_t)c;
	} else {
		m.use[1] = reg(s, v);
	}
	address(s, &m, 0, i->arg[0], i->imm, i->width);
	push(s, m);
}

static void atomic(struct sel *s, vreg dst, const struct ir_insn *i)
{
	bool used = dst && s->needed[dst];
	struct mi m = {MI_FETCH, .size = i->width, .dst = dst};
	if (i->op == IR_ATOMIC_CMPXCHG) {
		m.op = MI_CMPXCHG;
		m.dst = used ? dst : 0;
		m.use[2] = reg(s, i->arg[2]);
		m.use[0] = any(s, i->arg[1]);
	} else if (i->op == IR_ATOMIC_ADD || (i->op == IR_ATOMIC_FADD && !used)) {
		m.op = MI_ATOMIC;
		m.imm = BPF_ADD;
		m.dst = 0;
		m.use[1] = reg(s, i->arg[1]);
	} else {
		m.imm = i->op == IR_ATOMIC_XCHG ? BPF_XCHG : BPF_ADD | BPF_FETCH;
		m.use[0] = any(s, i->arg[1]);
	}
	address(s, &m, m.op == MI_ATOMIC ? 0 : 1, i->arg[0], i->imm, i->width);
	push(s, m);
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
		if (!i || (i->op != IR_ADD && i->op != IR_SUB) || !const_of(f, i->arg[1], &c))
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
	push(s, (struct mi){MI_CALL, .call = IR_HELPER, .imm = BPF_FUNC_probe_read_kernel,
			    .use = {any(s, dst), konst(s, n), src ? any(s, src) : konst(s, 0)}});
}

static void copy(struct sel *s, const struct ir_insn *i)
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
		l.dst = st.use[1] = tmp_new(s);
		push(s, l);
		push(s, st);
		at += w;
	}
}

static void zero(struct sel *s, const struct ir_insn *i)
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
		push(s, st);
		at += w;
	}
}

/* --- one instruction
 * --------------------------------------------------------------------------------------- */

static void call(struct sel *s, vreg dst, const struct ir_insn *i)
{
	struct mi m = {MI_CALL, .call = i->op, .imm = i->imm, .sym = i->sym,
		       .dst = s->needed[dst] ? dst : 0};
	s->nbase = 0;
	for (unsigned k = 0; k < i->nargs && k < 5; k++)
		m.use[k] = any(s, i->arg[k]);
	push(s, m);
}

static void branch(struct sel *s, struct mblock *b, const struct ir_insn *i)
{
	struct cond c = cond_of(s, i->arg[0]);
	push(s, (struct mi){MI_JCC, .code = c.cc, .has_imm = c.has_imm, .imm = c.imm,
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
	case IR_SMOD: signed_division(s, r, i); break;
	case IR_NEG: push(s, (struct mi){MI_NEG, .dst = r, .use = {any(s, i->arg[0])}}); break;
	case IR_NOT: alu(s, r, BPF_XOR, i->arg[0], konst(s, -1)); break;
	case IR_SEXT:
	case IR_ZEXT: extend(s, r, i->arg[0], i->width, i->op == IR_SEXT); break;
	case IR_BSWAP:
		if (i->width == 1)
			extend(s, r, i->arg[0], 1, false);
		else
			push(s, (struct mi){MI_END, .size = i->width, .dst = r,
					    .use = {any(s, i->arg[0])}});
		break;
	case IR_SELECT: {
		struct cond c = cond_of(s, i->arg[0]);
		sel_cond(s, r, c, any(s, i->arg[1]), any(s, i->arg[2]));
		break;
	}
	case IR_OPAQUE: mov(s, r, i->arg[0]); break;
	case IR_LOAD: load(s, r, i); break;
	case IR_STORE: store(s, i); break;
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_FADD:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_CMPXCHG: atomic(s, r, i); break;
	case IR_COPY: copy(s, i); break;
	case IR_ZERO: zero(s, i); break;
	case IR_HELPER:
	case IR_KFUNC:
	case IR_CALL:
	case IR_RT: call(s, r, i); break;
	case IR_JMP: break;
	case IR_BR: branch(s, b, i); break;
	case IR_RET: push(s, (struct mi){MI_RET, .use = {any(s, i->arg[0])}}); break;
	default:
		if (is_compare(i->op)) {
			struct cond c = cond_of(s, r);
			sel_cond(s, r, c, konst(s, 1), konst(s, 0));
		} else if (i->nargs == 2) {
			binary(s, r, i);
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
		push(s, (struct mi){MI_PARAMS});
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
					any(s, ir->insn.at[r].arg[k]);
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
