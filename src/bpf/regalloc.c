/*
 * regalloc.c - linear scan over pieces of lifetimes (after Wimmer and Moessenboeck, "Optimized
 * interval splitting in a linear scan register allocator", 2005).
 *
 * Pieces are taken in order of their start.  A piece that fits nowhere for its whole life is split
 * where its register would be lost; when all registers are taken, the piece whose next use is
 * farthest goes to memory until just before that use.  Constants and addresses are not here at all:
 * they are made where they are used.
 */
#include "bpf/mi.h"

#include <stdlib.h>

enum {
	FAR = UINT32_MAX
};

struct ra {
	struct mfn *f;
	VEC(uint32_t) heap; /* pieces to come, by start */
	uint32_t active[NREGS];
	uint32_t call, r0; /* cursors into f->call and f->r0 */
};

static struct piece *piece(struct ra *a, uint32_t p)
{
	return &a->f->piece.at[p];
}

/* --- heap of pieces
 * ---------------------------------------------------------------------------------------- */

static bool before(struct ra *a, uint32_t x, uint32_t y)
{
	struct piece *p = piece(a, x), *q = piece(a, y);
	return p->start != q->start ? p->start < q->start : x < y;
}

static void heap_push(struct ra *a, uint32_t p)
{
	vec_push(&a->heap, p);
	size_t i = a->heap.len - 1;
	while (i && before(a, p, a->heap.at[(i - 1) / 2])) {
		a->heap.at[i] = a->heap.at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	a->heap.at[i] = p;
}

static uint32_t heap_pop(struct ra *a)
{
	uint32_t top = a->heap.at[0], last = vec_pop(&a->heap);
	size_t n = a->heap.len, i = 0;
	if (!n)
		return top;
	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= n)
			break;
		if (c + 1 < n && before(a, a->heap.at[c + 1], a->heap.at[c]))
			c++;
		if (!before(a, a->heap.at[c], last))
			break;
		a->heap.at[i] = a->heap.at[c];
		i = c;
	}
	a->heap.at[i] = last;
	return top;
}

/* --- questions
 * --------------------------------------------------------------------------------------------- */

/* The first of the value's uses at or after pos, nuse when there is none. */
static size_t use_from(const struct vinfo *v, const struct use_pos *u, uint32_t pos)
{
	size_t lo = 0, hi = v->nuse;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (u[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* First use of the piece at or after pos; FAR when there is none before its end. */
static uint32_t next_use(struct ra *a, const struct piece *p, uint32_t pos, bool must)
{
	const struct vinfo *v = &a->f->v[p->v];
	const struct use_pos *u = a->f->use.at + v->use;
	for (size_t i = use_from(v, u, pos); i < v->nuse && u[i].pos < p->end; i++)
		if (!must || u[i].must)
			return u[i].pos;
	return FAR;
}

/* Last use of the piece before pos, or its start. */
static uint32_t last_use(struct ra *a, const struct piece *p, uint32_t pos)
{
	const struct vinfo *v = &a->f->v[p->v];
	const struct use_pos *u = a->f->use.at + v->use;
	size_t i = use_from(v, u, pos);
	return i && u[i - 1].pos >= p->start ? u[i - 1].pos : p->start;
}

/* Where register r is lost to a call next, at or after pos. */
static uint32_t next_clobber(struct ra *a, unsigned r, uint32_t pos)
{
	if (r > 5)
		return FAR;
	uint32_t *cursor = r ? &a->call : &a->r0;
	const uint32_t *at = r ? a->f->call.at : a->f->r0.at;
	size_t n = r ? a->f->call.len : a->f->r0.len;
	while (*cursor < n && at[*cursor] < pos)
		++*cursor;
	return *cursor < n ? at[*cursor] : FAR;
}

static uint32_t free_until(struct ra *a, unsigned r, uint32_t pos)
{
	return a->active[r] ? 0 : next_clobber(a, r, pos);
}

/* --- splitting
 * --------------------------------------------------------------------------------------------- */

static uint32_t split(struct ra *a, uint32_t p, uint32_t pos)
{
	struct piece q = *piece(a, p);
	if (pos <= q.start || pos >= q.end)
		BUG("split of [%u, %u) at %u", q.start, q.end, pos);
	q.start = pos;
	q.reg = -1;
	vec_push(&a->f->piece, q);
	uint32_t n = (uint32_t)a->f->piece.len - 1;
	piece(a, p)->end = pos;
	piece(a, p)->next = n;
	return n;
}

/*
 * A place for a split in [lo, hi]: hi, or the start of a block in a shallower loop between.  Only a
 * few blocks are looked at.
 */
static uint32_t split_place(struct ra *a, uint32_t lo, uint32_t hi)
{
	struct mfn *f = a->f;
	uint32_t at = mfn_block_at(f, hi), best = hi;
	uint32_t depth = f->block.at[at].depth;
	for (int i = 0; i < 32 && depth; i++) {
		uint32_t from = f->block.at[at].from;
		if (from <= lo || !from)
			break;
		at = mfn_block_at(f, from - 1);
		if (f->block.at[at].depth < depth) {
			depth = f->block.at[at].depth;
			best = from;
		}
	}
	return best;
}

/* Piece p lives in memory from its start to just before its next use in a register. */
static void to_memory(struct ra *a, uint32_t p)
{
	struct piece *q = piece(a, p);
	q->reg = -1;
	uint32_t use = next_use(a, q, q->start, true);
	if (use == FAR)
		return;
	uint32_t at = use & ~3u;
	if (at <= q->start)
		BUG("a register is needed at %u", use);
	heap_push(a, split(a, p, at));
}

/* Takes the register from active piece p at pos. */
static void evict(struct ra *a, uint32_t p, uint32_t pos)
{
	struct piece *q = piece(a, p);
	if (q->start >= pos) {
		to_memory(a, p);
		return;
	}
	uint32_t at = pos, last = last_use(a, q, pos);
	/* after the instruction of its last use, and early enough to lie outside of loops */
	if (last < (pos & ~3u))
		at = split_place(a, MAX((last & ~3u) + 4, q->start + 1), pos);
	to_memory(a, split(a, p, at));
}

/* --- choosing
 * ---------------------------------------------------------------------------------------------- */

struct hints {
	int reg[6];
	int n;
};

static void hint(struct hints *h, int reg)
{
	if (reg >= 0 && h->n < (int)ARRAY_SIZE(h->reg))
		h->reg[h->n++] = reg;
}

/* The register of v at pos, if it was given one by now: its pieces get theirs in order. */
static int reg_at(struct ra *a, vreg v, uint32_t pos)
{
	for (uint32_t p = a->f->v[v].recent; p; p = piece(a, p)->next) {
		struct piece *q = piece(a, p);
		if (pos < q->end)
			return pos >= q->start ? q->reg : -1;
	}
	return -1;
}

static struct hints hints_of(struct ra *a, uint32_t p)
{
	struct mfn *f = a->f;
	struct hints h = {0};
	struct piece *q = piece(a, p);
	struct vinfo *v = &f->v[q->v];
	if (v->first != p)
		hint(&h, v->recent ? piece(a, v->recent)->reg : -1);
	else if (v->arrives >= 0)
		hint(&h, v->arrives);
	else if (v->tied)
		hint(&h, reg_at(a, v->tied, v->def & ~3u));
	hint(&h, v->pref);
	hint(&h, v->join);
	if (v->phi) {
		hint(&h, f->v[v->phi].first ? piece(a, f->v[v->phi].first)->reg : -1);
		hint(&h, f->v[v->phi].join);
	}
	return h;
}

static void take(struct ra *a, uint32_t p, int reg)
{
	struct piece *q = piece(a, p);
	struct vinfo *v = &a->f->v[q->v];
	q->reg = (int8_t)reg;
	v->recent = p;
	vec_push(&a->f->taken, p);
	a->active[reg] = p;
	if (v->phi && a->f->v[v->phi].join < 0)
		a->f->v[v->phi].join = (int8_t)reg;
}

/* Registers that calls clobber come first: the others are for what must survive. */
static const uint8_t choice[NREGS] = {0, 5, 4, 3, 2, 1, 9, 8, 7, 6};

/* The register to take when none is free: the one whose holder is used again latest; -1 none. */
static bool try_free(struct ra *a, uint32_t p)
{
	uint32_t start = piece(a, p)->start, end = piece(a, p)->end;
	struct hints h = hints_of(a, p);
	int best = -1;
	uint32_t until = 0;
	for (int i = 0; i < h.n; i++) {
		uint32_t u = free_until(a, (unsigned)h.reg[i], start);
		if (u >= end) {
			take(a, p, h.reg[i]);
			return true;
		}
	}
	for (int i = 0; i < NREGS; i++) {
		uint32_t u = free_until(a, choice[i], start);
		if (u >= end) {
			take(a, p, choice[i]);
			return true;
		}
		if (u > until) {
			until = u;
			best = choice[i];
		}
	}
	/* free for a while: up to the instruction that takes it */
	uint32_t at = until & ~3u;
	if (best < 0 || at <= (start & ~3u) + 3)
		return false;
	for (int i = 0; i < h.n; i++)
		if (free_until(a, (unsigned)h.reg[i], start) == until)
			best = h.reg[i];
	/* no use before it is lost: not worth a register */
	if (next_use(a, piece(a, p), start, false) >= at && a->f->v[piece(a, p)->v].def != start)
		return false;
	uint32_t lo = last_use(a, piece(a, p), at);
	at = split_place(a, MAX((lo & ~3u) + 4, start + 1), at);
	heap_push(a, split(a, p, at));
	take(a, p, best);
	return true;
}

static void take_blocked(struct ra *a, uint32_t p)
{
	uint32_t start = piece(a, p)->start, insn = start & ~3u;
	uint32_t first = next_use(a, piece(a, p), start, true);
	bool now = first != FAR && first <= insn + 3;
	uint32_t best_use = 0;
	int best = -1;
	for (unsigned i = 0; i < NREGS; i++) {
		unsigned r = choice[i];
		uint32_t lost = next_clobber(a, r, start), use = FAR;
		if (lost <= insn + 3 && lost != FAR)
			continue;
		if (a->active[r]) {
			struct piece *q = piece(a, a->active[r]);
			uint32_t must = next_use(a, q, start, true);
			if (must <= insn + 3)
				continue;
			use = next_use(a, q, start, false);
			if (use == FAR)
				use = q->end;
		}
		use = MIN(use, lost);
		if (use > best_use) {
			best_use = use;
			best = (int)r;
		}
	}
	uint32_t want = next_use(a, piece(a, p), start, false);
	if (!now && (best < 0 || want >= best_use)) {
		to_memory(a, p);
		return;
	}
	if (best < 0)
		BUG("no register at %u", start);
	if (a->active[best])
		evict(a, a->active[best], start);
	uint32_t lost = next_clobber(a, (unsigned)best, start);
	if (lost < piece(a, p)->end) {
		uint32_t at = lost & ~3u;
		heap_push(a, split(a, p, at));
	}
	take(a, p, best);
}

static void expire(struct ra *a, uint32_t pos)
{
	for (int r = 0; r < NREGS; r++)
		if (a->active[r] && piece(a, a->active[r])->end <= pos)
			a->active[r] = 0;
}

/* Pieces by register, in order, so that a place is found by binary search. */
static void sort_pieces(struct mfn *f)
{
	f->sorted = arena_array(f->arena, struct piece, f->piece.len);
	uint32_t n = 0;
	for (vreg v = 1; v < f->nv; v++) {
		struct vinfo *vi = &f->v[v];
		vi->pieces = n;
		for (uint32_t p = vi->first; p; p = f->piece.at[p].next) {
			f->sorted[n] = f->piece.at[p];
			f->sorted[n++].next = p;
		}
		vi->npiece = n - vi->pieces;
	}
}

void mfn_allocate(struct mfn *f)
{
	struct ra a = {.f = f};
	size_t n = f->piece.len;
	for (uint32_t p = 1; p < n; p++)
		heap_push(&a, p);
	while (a.heap.len) {
		uint32_t p = heap_pop(&a);
		expire(&a, piece(&a, p)->start);
		if (!try_free(&a, p))
			take_blocked(&a, p);
	}
	sort_pieces(f);
	vec_free(&a.heap);
}

struct place mfn_place(const struct mfn *f, vreg v, uint32_t pos)
{
	if (!v)
		return (struct place){AT_NONE};
	if (mfn_remat(f, v, NULL))
		return (struct place){AT_REMAT, v};
	const struct vinfo *vi = &f->v[v];
	const struct piece *p = f->sorted + vi->pieces;
	size_t lo = 0, hi = vi->npiece;
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;
		if (p[mid].start <= pos)
			lo = mid;
		else
			hi = mid;
	}
	if (lo >= vi->npiece || pos < p[lo].start || pos >= p[lo].end)
		BUG("%s: %%%u is nowhere at %u", f->ir->name, v, pos);
	if (p[lo].reg < 0)
		return (struct place){AT_MEM, vi->spill};
	return (struct place){AT_REG, (uint32_t)p[lo].reg};
}
