/*
 * resolve.c - the moves between pieces: within a block where a lifetime was split, on edges where
 * the two ends disagree, and into phis.  Stores of a value that memory already holds are left out.
 */
#include "bpf/mi.h"

#include <stdlib.h>

static bool same_place(struct place a, struct place b)
{
	return a.kind == b.kind && a.n == b.n;
}

static uint32_t add_move(struct mfn *f, vreg v, struct place from, struct place to, uint32_t next)
{
	vec_push(&f->move, (struct move){from, to, v, next});
	return (uint32_t)f->move.len;
}

/* A move on the edge from p to s: at p's end when that is its only way out, else at the start of s.
 */
static void edge_move(struct mfn *f, uint32_t p, uint32_t s, vreg v, struct place from,
		      struct place to)
{
	if (same_place(from, to))
		return;
	uint32_t *list =
		f->block.at[p].succ[1] ? &f->block.at[s].moves_start : &f->block.at[p].moves_end;
	*list = add_move(f, v, from, to, *list);
}

static struct place piece_place(const struct mfn *f, const struct piece *p)
{
	if (p->reg < 0)
		return (struct place){AT_MEM, f->v[p->v].spill};
	return (struct place){AT_REG, (uint32_t)p->reg};
}

/* Index in the layout of the first block that starts at or after pos. */
static size_t first_block_from(const struct mfn *f, uint32_t pos)
{
	size_t lo = 0, hi = f->layout.len;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (f->block.at[f->layout.at[mid]].from < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Edges into the blocks that this piece covers the start of. */
static void edges_into(struct mfn *f, const struct piece *p)
{
	for (size_t i = first_block_from(f, p->start); i < f->layout.len; i++) {
		uint32_t s = f->layout.at[i];
		struct mblock *b = &f->block.at[s];
		if (b->from >= p->end)
			break;
		if (f->v[p->v].is_phi && f->v[p->v].def == b->from)
			continue;
		vec_each(k, &b->pred)
			edge_move(f, *k, s, p->v, mfn_place(f, p->v, f->block.at[*k].to - 1),
				  piece_place(f, p));
	}
}

/* Does the i-th piece of v start where the one before ends, within a block? */
static bool is_split(const struct mfn *f, const struct vinfo *vi, uint32_t i)
{
	const struct piece *p = &f->sorted[vi->pieces + i];
	return i && p[-1].end == p->start && f->block.at[mfn_block_at(f, p->start)].from != p->start;
}

static void split_moves(struct mfn *f, vreg v)
{
	const struct vinfo *vi = &f->v[v];
	for (uint32_t i = 0; i < vi->npiece; i++) {
		const struct piece *p = &f->sorted[vi->pieces + i], *was = p - 1;
		edges_into(f, p);
		if (!is_split(f, vi, i))
			continue;
		/* All moves of an instruction are done at once, before it: of one that is split twice there, both start from where
		 * the value was. */
		for (uint32_t j = i - 1; (was->start & ~3u) == (p->start & ~3u) && is_split(f, vi, j); j--)
			was--;
		struct place from = piece_place(f, was), to = piece_place(f, p);
		if (same_place(from, to))
			continue;
		uint32_t m = add_move(f, v, from, to, 0);
		vec_push(&f->split, (struct split_move){p->start & ~3u, m});
	}
}

static void phi_moves(struct mfn *f, uint32_t s)
{
	struct mblock *b = &f->block.at[s];
	for (ir_ref r = b->ir ? f->ir->block.at[b->ir].first : 0; r; r = f->ir->insn.at[r].next) {
		const struct ir_insn *i = &f->ir->insn.at[r];
		if (i->op != IR_PHI || i->nargs < 2)
			continue;
		struct place to = mfn_place(f, r, b->from);
		for (size_t k = 0; k < b->pred.len && k < i->nargs; k++) {
			uint32_t p = b->pred.at[k];
			vreg v = mfn_value(f, i->arg[k]);
			edge_move(f, p, s, 0, mfn_place(f, v, f->block.at[p].to - 1), to);
		}
	}
}

static int by_position(const void *a, const void *b)
{
	const struct split_move *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->move < y->move ? -1 : x->move > y->move;
}

/* --- spill slots and stores
 * -------------------------------------------------------------------------------- */

static void spill_slots(struct mfn *f)
{
	for (vreg v = 1; v < f->nv; v++) {
		struct vinfo *vi = &f->v[v];
		for (uint32_t i = 0; i < vi->npiece && !vi->spill; i++)
			if (f->sorted[vi->pieces + i].reg < 0) {
				vec_push(&f->slot, (struct frame_slot){.size = 8});
				vi->spill = (uint32_t)f->slot.len;
			}
	}
}

/* How often a block runs, roughly. */
static uint64_t weight(const struct mblock *b)
{
	uint64_t w = 16ull << (3 * MIN(b->depth, 8u));
	return b->unlikely ? w / 16 : w;
}

static bool is_store(const struct move *m)
{
	return m->v && m->from.kind == AT_REG && m->to.kind == AT_MEM;
}

static void count_stores(const struct mfn *f, uint32_t list, uint64_t w, uint64_t *cost)
{
	for (uint32_t m = list; m; m = f->move.at[m - 1].next)
		if (is_store(&f->move.at[m - 1]))
			cost[f->move.at[m - 1].v] += w;
}

static void drop_stores(struct mfn *f, uint32_t *list)
{
	while (*list) {
		struct move *m = &f->move.at[*list - 1];
		if (is_store(m) && f->v[m->v].store_at_def)
			*list = m->next;
		else
			list = &m->next;
	}
}

/*
 * A value never changes: one store at its definition makes all later ones unnecessary.  But when a
 * branch proves bounds for it, the register that was compared knows them and the slot does not
 * (before 6.9 spilled scalars have no id, and unbounded ones are forgotten): such a value is stored
 * again each time it leaves its register.
 */
static void place_stores(struct mfn *f)
{
	uint64_t *cost = arena_array(f->arena, uint64_t, f->nv + 1);
	vec_each(b, &f->block) {
		count_stores(f, b->moves_start, weight(b), cost);
		count_stores(f, b->moves_end, weight(b), cost);
	}
	vec_each(s, &f->split)
		count_stores(f, s->move, weight(&f->block.at[mfn_block_at(f, s->at)]), cost);
	for (vreg v = 1; v < f->nv; v++) {
		struct vinfo *vi = &f->v[v];
		if (vi->spill)
			vi->store_at_def =
				!vi->compared && (f->sorted[vi->pieces].reg < 0 ||
						  cost[v] > weight(&f->block.at[vi->def_block]));
	}
	vec_each(b, &f->block) {
		drop_stores(f, &b->moves_start);
		drop_stores(f, &b->moves_end);
	}
	size_t n = 0;
	vec_each(s, &f->split) {
		drop_stores(f, &s->move);
		if (s->move)
			f->split.at[n++] = *s;
	}
	f->split.len = n;
}

void mfn_resolve(struct mfn *f)
{
	spill_slots(f);
	for (vreg v = 1; v < f->nv; v++)
		if (f->v[v].npiece > 1)
			split_moves(f, v);
	vec_each(l, &f->layout)
		phi_moves(f, *l);
	if (f->split.len)
		qsort(f->split.at, f->split.len, sizeof(*f->split.at), by_position);
	place_stores(f);
}
