/*
 * live.c - lifetimes.
 *
 * Every register has one definition (SSA), so its lifetime is found by walking from each use back
 * to the definition: the cost is the size of the lifetimes, not blocks times registers.
 */
#include "bpf/mi.h"

#include <stdlib.h>

/* Positions of blocks in layout order, and of their starts in topological order. */
static void number_blocks(struct mfn *f)
{
	VEC(struct mi) mi = {0};
	uint32_t pos = 0, topo = 0;
	vec_reserve(&mi, f->mi.len + f->layout.len + 1);
	vec_each(l, &f->layout) {
		struct mblock *b = &f->block.at[*l];
		/* the label, then the instructions: index i in `mi` is position 4i */
		vec_push(&mi, (struct mi){MI_NOP, .block = *l});
		for (uint32_t i = 0; i < b->n; i++) {
			vec_push(&mi, f->mi.at[b->first + i]);
			vec_last(&mi).block = *l;
		}
		b->first = pos / 4 + 1;
		b->from = pos;
		pos += 4 * (b->n + 1);
		b->to = pos;
	}
	vec_each(r, &f->rpo) {
		struct mblock *b = &f->block.at[*r];
		b->topo = topo;
		topo += b->to - b->from;
	}
	vec_free(&f->mi);
	f->mi.at = mi.at;
	f->mi.len = mi.len;
	f->mi.cap = mi.cap;
}

static bool is_value(const struct mfn *f, vreg v)
{
	return v && !mfn_remat(f, v, NULL);
}

static void define(struct mfn *f, vreg v, uint32_t pos, uint32_t block, bool any)
{
	f->v[v].def = pos;
	f->v[v].def_block = block;
	f->v[v].def_any = any;
}

struct raw_use {
	vreg v;
	uint32_t pos, end, block;
	bool must;
};
struct build {
	struct mfn *f;
	VEC(struct raw_use) use; /* in layout order */
	uint32_t *stamp, *end;   /* per block: vreg of the walk, end of the lifetime there */
	uint32_t *work, *seen;
};

static void add_use(struct build *b, vreg v, uint32_t pos, uint32_t end, uint32_t block, bool must)
{
	if (is_value(b->f, v))
		vec_push(&b->use, (struct raw_use){v, pos, end, block, must});
}

/* Registers that the calling convention would like for the operands; the nearest use is set last.
 */
static void prefer(struct mfn *f, const struct mi *m)
{
	struct vinfo *v = f->v;
	switch (m->op) {
	case MI_CALL:
		for (int k = 0; k < 5; k++)
			v[m->use[k]].pref = (int8_t)(k + 1);
		break;
	case MI_RET: v[m->use[0]].pref = 0; break;
	case MI_CMPXCHG: v[m->use[0]].pref = 0; break;
	case MI_MOV:
	case MI_MOV32:
	case MI_ALU:
	case MI_NEG:
	case MI_END:
	case MI_MOVSX:
	case MI_SEL:
	case MI_CNEG:
	case MI_FETCH:
		v[m->dst].tied = m->use[0];
		if (v[m->dst].pref >= 0)
			v[m->use[0]].pref = v[m->dst].pref;
		break;
	}
}

static void scan_insn(struct build *b, uint32_t block, uint32_t at)
{
	struct mfn *f = b->f;
	const struct mi *m = &f->mi.at[at];
	uint32_t pos = 4 * at;
	for (int k = 0; k < 5; k++) {
		uint8_t role = mi_roles[m->op][k];
		bool late = role & USE_LATE && m->use[k] != m->use[0];
		/* the position of a late use is that of the result: neither can be without a
		 * register there */
		add_use(b, m->use[k], pos + (late ? 2 : 0), pos + (late ? 3 : 1), block,
			role & USE_REG);
	}
	if (m->dst)
		define(f, m->dst, pos + 2, block, m->op == MI_CALL || m->op == MI_CMPXCHG);
	if (m->op == MI_PARAMS)
		for (unsigned k = 0; k < f->ir->nparams; k++)
			if (f->param[k]) {
				define(f, f->param[k], pos + 2, block, true);
				f->v[f->param[k]].arrives = (int8_t)(k + 1);
			}
	if (m->op == MI_CALL || m->op == MI_CMPXCHG)
		f->v[m->dst].arrives = 0;
	if (m->op == MI_CALL) {
		vec_push(&f->call, pos + 1);
		vec_push(&f->r0, pos + 1);
	}
	if (m->op == MI_CMPXCHG)
		vec_push(&f->r0, pos);
	bool null_check = m->has_imm && !m->imm && (m->code == BPF_JEQ || m->code == BPF_JNE);
	if (m->op == MI_SEL || m->op == MI_CNEG || (m->op == MI_JCC && !null_check))
		for (int k = 0; k < 3; k++)
			f->v[m->use[k]].compared = true;
}

static void phi_uses(struct build *b, uint32_t block)
{
	struct mfn *f = b->f;
	struct mblock *p = &f->block.at[block], *s = &f->block.at[p->succ[0]];
	if (!p->succ[0] || p->succ[1] || !s->ir)
		return;
	size_t k = 0;
	while (k < s->pred.len && s->pred.at[k] != block)
		k++;
	for (ir_ref r = f->ir->block.at[s->ir].first; r; r = f->ir->insn.at[r].next) {
		const struct ir_insn *i = &f->ir->insn.at[r];
		if (i->op != IR_PHI || i->nargs < 2 || k >= i->nargs)
			continue;
		vreg v = mfn_value(f, i->arg[k]);
		f->v[v].phi = r;
		add_use(b, v, p->to - 1, p->to, block, false);
	}
}

static void scan(struct build *b)
{
	struct mfn *f = b->f;
	vec_each(l, &f->layout) {
		struct mblock *k = &f->block.at[*l];
		for (ir_ref r = k->ir ? f->ir->block.at[k->ir].first : 0; r;
		     r = f->ir->insn.at[r].next)
			if (f->ir->insn.at[r].op == IR_PHI && f->ir->insn.at[r].nargs > 1) {
				define(f, r, k->from, *l, true);
				f->v[r].is_phi = true;
			}
		for (uint32_t i = 0; i < k->n; i++)
			scan_insn(b, *l, k->first + i);
		phi_uses(b, *l);
	}
	for (size_t i = f->mi.len; i-- > 0;)
		prefer(f, &f->mi.at[i]);
	f->v[0] = (struct vinfo){.pref = -1, .join = -1, .arrives = -1};
}

/* --- ranges
 * ------------------------------------------------------------------------------------------------
 */

/* Marks the lifetime of v live at `end` in `block`, back to the definition; returns blocks added to
 * seen. */
static uint32_t reach(struct build *b, vreg v, uint32_t block, uint32_t end, uint32_t nseen)
{
	struct mfn *f = b->f;
	uint32_t n = 0;
	b->work[n++] = block;
	for (bool first = true; n; first = false) {
		uint32_t at = b->work[--n];
		struct mblock *k = &f->block.at[at];
		uint32_t e = first ? end : k->to;
		bool known = b->stamp[at] == v;
		if (!known) {
			b->stamp[at] = v;
			b->end[at] = e;
			b->seen[nseen++] = at;
		} else {
			b->end[at] = MAX(b->end[at], e);
		}
		if (known || at == f->v[v].def_block)
			continue;
		vec_each(p, &k->pred) {
			if (b->stamp[*p] != v)
				b->work[n++] = *p;
			else
				b->end[*p] = f->block.at[*p].to;
		}
	}
	return nseen;
}

static int by_start(const void *a, const void *b)
{
	uint32_t x = ((const struct piece *)a)->start, y = ((const struct piece *)b)->start;
	return x < y ? -1 : x > y;
}

/* Ranges of v become pieces: one for each stretch of the layout without a hole. */
static void make_pieces(struct build *b, vreg v, uint32_t nseen)
{
	struct mfn *f = b->f;
	struct vinfo *vi = &f->v[v];
	size_t first = f->piece.len;
	for (uint32_t i = 0; i < nseen; i++) {
		uint32_t at = b->seen[i];
		uint32_t start = at == vi->def_block ? vi->def : f->block.at[at].from;
		vec_push(&f->piece, (struct piece){v, start, b->end[at], -1, 0});
	}
	size_t n = f->piece.len - first;
	struct piece *p = f->piece.at + first;
	if (n > 1)
		qsort(p, n, sizeof(*p), by_start);
	size_t out = 0;
	for (size_t i = 1; i < n; i++) {
		if (p[i].start <= p[out].end)
			p[out].end = MAX(p[out].end, p[i].end);
		else
			p[++out] = p[i];
	}
	f->piece.len = first + out + 1;
	for (size_t i = 0; i < out; i++)
		p[i].next = (uint32_t)(first + i + 1);
	vi->first = (uint32_t)first;
}

static void lifetime(struct build *b, vreg v, const struct raw_use *use, uint32_t n)
{
	struct mfn *f = b->f;
	struct vinfo *vi = &f->v[v];
	uint32_t nseen = 0;
	vi->use = (uint32_t)f->use.len;
	if (!vi->def_any)
		vec_push(&f->use, (struct use_pos){vi->def, true});
	/* the definition keeps its own block in the lifetime, also without uses */
	b->stamp[vi->def_block] = v;
	b->end[vi->def_block] = vi->def + 1;
	b->seen[nseen++] = vi->def_block;
	for (uint32_t i = 0; i < n; i++) {
		const struct raw_use *u = &use[i];
		vec_push(&f->use, (struct use_pos){u->pos, u->must});
		if (b->stamp[u->block] == v)
			b->end[u->block] = MAX(b->end[u->block], u->end);
		else
			nseen = reach(b, v, u->block, u->end, nseen);
	}
	vi->nuse = (uint32_t)f->use.len - vi->use;
	make_pieces(b, v, nseen);
}

/* Groups the uses by register, keeping their order, and builds each lifetime. */
static void build_lifetimes(struct build *b)
{
	struct mfn *f = b->f;
	uint32_t *at = arena_array(f->arena, uint32_t, f->nv + 2);
	struct raw_use *sorted = arena_array(f->arena, struct raw_use, b->use.len + 1);
	vec_each(u, &b->use)
		at[u->v + 1]++;
	for (uint32_t v = 0; v < f->nv; v++)
		at[v + 1] += at[v];
	vec_each(u, &b->use)
		sorted[at[u->v]++] = *u;
	/* now at[v] is the end of v's uses, at[v - 1] their begin */
	for (vreg v = 1; v < f->nv; v++)
		if (f->v[v].def_block)
			lifetime(b, v, sorted + at[v - 1], at[v] - at[v - 1]);
}

void mfn_liveness(struct mfn *f)
{
	size_t n = f->block.len;
	struct build b = {.f = f};
	number_blocks(f);
	f->v = arena_array(f->arena, struct vinfo, f->nv + 1);
	for (uint32_t i = 0; i <= f->nv; i++)
		f->v[i].pref = f->v[i].join = f->v[i].arrives = -1;
	vec_push(&f->piece, (struct piece){0});
	b.stamp = arena_array(f->arena, uint32_t, n);
	b.end = arena_array(f->arena, uint32_t, n);
	b.seen = arena_array(f->arena, uint32_t, n + 1);
	b.work = arena_array(f->arena, uint32_t, f->mi.len + n * 4 + 16);
	scan(&b);
	build_lifetimes(&b);
	vec_free(&b.use);
}
