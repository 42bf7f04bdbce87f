/*
 * frame.c - the stack: which slots are live when, in topological order, and where they go.
 *
 * A script's slot is live from its first to its last mention: instructions that use its address or
 * a value derived from it.  In topological order that is one interval, because every path from
 * mention to mention stays inside it; around a loop the interval grows to the whole loop.  Slots
 * whose address is kept in memory are live everywhere.
 */
#include "bpf/mi.h"

#include <stdlib.h>

struct mention { /* topological positions of the code of an IR instruction; lo > hi: none */
	uint32_t lo, hi;
};
struct scan {
	struct mfn *f;
	struct mention *at;     /* by ir_ref */
	uint32_t *user, *first; /* users of each value: user[first[r]..first[r + 1]) */
	uint32_t *seen, *work;
};

static uint32_t topo_of(const struct mfn *f, const struct mblock *b, uint32_t pos)
{
	return b->topo + (pos - b->from);
}

/* Widens to the whole outermost loop that the block is in. */
static void widen(const struct mfn *f, const struct mblock *b, struct mention *m)
{
	if (!b->outer)
		return;
	const struct mblock *h = &f->block.at[b->outer];
	const struct mblock *end = &f->block.at[f->rpo.at[h->loop_end]];
	m->lo = MIN(m->lo, h->topo);
	m->hi = MAX(m->hi, end->topo + (end->to - end->from));
}

static void mention_at(const struct mfn *f, struct mention *m, uint32_t block, uint32_t pos)
{
	const struct mblock *b = &f->block.at[block];
	uint32_t t = topo_of(f, b, pos);
	m->lo = MIN(m->lo, t);
	m->hi = MAX(m->hi, t + 3);
	widen(f, b, m);
}

static void find_mentions(struct scan *s)
{
	struct mfn *f = s->f;
	for (uint32_t r = 0; r < f->nir; r++)
		s->at[r] = (struct mention){UINT32_MAX, 0};
	vec_each(l, &f->layout) {
		struct mblock *b = &f->block.at[*l];
		for (uint32_t i = 0; i < b->n; i++)
			mention_at(f, &s->at[f->mi.at[b->first + i].ir], *l, 4 * (b->first + i));
		for (ir_ref r = b->ir ? f->ir->block.at[b->ir].first : 0; r;
		     r = f->ir->insn.at[r].next) {
			if (f->ir->insn.at[r].op != IR_PHI)
				continue;
			mention_at(f, &s->at[r], *l, b->from);
			vec_each(p, &b->pred)
				mention_at(f, &s->at[r], *p, f->block.at[*p].to - 4);
		}
	}
}

static void find_users(struct scan *s)
{
	struct mfn *f = s->f;
	const struct ir_fn *ir = f->ir;
	for (int pass = 0; pass < 2; pass++) {
		vec_each(b, &f->block)
			for (ir_ref r = b->ir ? ir->block.at[b->ir].first : 0; r;
			     r = ir->insn.at[r].next)
				for (unsigned k = 0; k < ir->insn.at[r].nargs; k++) {
					ir_ref a = ir->insn.at[r].arg[k];
					if (pass)
						s->user[s->first[a]++] = r;
					else
						s->first[a + 1]++;
				}
		if (!pass) {
			for (uint32_t r = 0; r < f->nir; r++)
				s->first[r + 1] += s->first[r];
			s->user = arena_array(f->arena, uint32_t, s->first[f->nir] + 1);
		}
	}
	/* first[r] has moved on to the end of r's users */
	memmove(s->first + 1, s->first, sizeof(*s->first) * f->nir);
	s->first[0] = 0;
}

static bool derives(uint8_t op)
{
	return op == IR_PHI || op == IR_SELECT ||
	       !(ir_ops[op].flags & (IR_READS | IR_WRITES | IR_CALLS | IR_TERM));
}

/* The address itself is written to memory. */
static bool escapes(const struct ir_insn *i, ir_ref v)
{
	if (i->op != IR_STORE && i->op != IR_ATOMIC_XCHG && i->op != IR_ATOMIC_CMPXCHG)
		return false;
	for (unsigned k = 1; k < i->nargs; k++)
		if (i->arg[k] == v)
			return true;
	return false;
}

/* Mentions of everything derived from slot value `root`. */
static struct mention slot_life(struct scan *s, ir_ref root)
{
	struct mfn *f = s->f;
	struct mention life = {UINT32_MAX, 0};
	uint32_t n = 0;
	s->work[n++] = root;
	s->seen[root] = root;
	while (n) {
		ir_ref v = s->work[--n];
		for (uint32_t k = s->first[v]; k < s->first[v + 1]; k++) {
			ir_ref u = s->user[k];
			const struct ir_insn *i = &f->ir->insn.at[u];
			if (escapes(i, v))
				return (struct mention){0, UINT32_MAX};
			life.lo = MIN(life.lo, s->at[u].lo);
			life.hi = MAX(life.hi, s->at[u].hi);
			if (derives(i->op) && s->seen[u] != root) {
				s->seen[u] = root;
				s->work[n++] = u;
			}
		}
	}
	return life;
}

static void script_slots(struct mfn *f)
{
	struct scan s = {.f = f};
	s.at = arena_array(f->arena, struct mention, f->nir + 1);
	s.first = arena_array(f->arena, uint32_t, f->nir + 2);
	s.seen = arena_array(f->arena, uint32_t, f->nir + 1);
	s.work = arena_array(f->arena, uint32_t, f->nir + 1);
	bool any = false;
	for (uint32_t r = 1; r < f->nir; r++)
		any |= f->slot_of[r] != 0;
	if (!any)
		return;
	find_mentions(&s);
	find_users(&s);
	for (uint32_t r = 1; r < f->nir; r++) {
		if (!f->slot_of[r])
			continue;
		struct frame_slot *slot = &f->slot.at[f->slot_of[r] - 1];
		struct mention life = slot_life(&s, r);
		slot->used = life.lo <= life.hi;
		slot->lo = life.lo;
		slot->hi = life.hi;
	}
}

/* A phi's slot is written at the ends of the blocks before it. */
static void phi_written(struct mfn *f, const struct vinfo *vi, struct frame_slot *slot)
{
	vec_each(p, &f->block.at[vi->def_block].pred) {
		const struct mblock *b = &f->block.at[*p];
		uint32_t t = topo_of(f, b, b->to);
		slot->lo = MIN(slot->lo, t);
		slot->hi = MAX(slot->hi, t);
	}
}

static void spill_life(struct mfn *f, const struct vinfo *vi)
{
	struct frame_slot *slot = &f->slot.at[vi->spill - 1];
	slot->used = true;
	slot->lo = UINT32_MAX;
	if (vi->is_phi)
		phi_written(f, vi, slot);
	for (uint32_t i = 0; i < vi->npiece; i++) {
		const struct piece *p = &f->sorted[vi->pieces + i];
		uint32_t pos = p->start;
		while (pos < p->end) {
			const struct mblock *b = &f->block.at[mfn_block_at(f, pos)];
			uint32_t end = MIN(b->to, p->end);
			slot->lo = MIN(slot->lo, topo_of(f, b, pos));
			slot->hi = MAX(slot->hi, topo_of(f, b, end));
			pos = end;
		}
	}
}

/* --- placing
 * ------------------------------------------------------------------------------------------------
 */

struct order {
	const struct mfn *f;
	uint32_t slot;
};

static int by_lo(const void *a, const void *b)
{
	const struct order *x = a, *y = b;
	uint32_t p = x->f->slot.at[x->slot].lo, q = y->f->slot.at[y->slot].lo;
	if (p != q)
		return p < q ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static uint32_t cells(const struct frame_slot *s)
{
	return MAX((s->size + CELL - 1) / CELL, 1u);
}

/* Lowest run of n free cells, -1 when there is none. */
static int find_run(uint64_t busy, uint32_t n)
{
	enum {
		CELLS = STACK_MAX / CELL
	};
	if (n > CELLS)
		return -1;
	uint64_t want = n == 64 ? ~0ull : (1ull << n) - 1;
	for (uint32_t at = 0; at + n <= CELLS; at++)
		if (!(busy & want << at))
			return (int)at;
	return -1;
}

struct live_slot {
	uint64_t mask;
	uint32_t hi;
};

static bool place_slots(struct mfn *f, const struct order *order, uint32_t n)
{
	struct live_slot live[STACK_MAX / CELL];
	uint32_t nlive = 0, bytes = 0;
	uint64_t busy = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct frame_slot *s = &f->slot.at[order[i].slot];
		for (uint32_t k = 0; k < nlive;) {
			if (live[k].hi < s->lo) {
				busy &= ~live[k].mask;
				live[k] = live[--nlive];
			} else {
				k++;
			}
		}
		uint32_t c = cells(s);
		int at = find_run(busy, c);
		if (at < 0)
			return false;
		uint64_t mask = (c == 64 ? ~0ull : (1ull << c) - 1) << at;
		busy |= mask;
		live[nlive++] = (struct live_slot){mask, s->hi};
		s->off = -(int32_t)(CELL * ((uint32_t)at + c));
		bytes = MAX(bytes, CELL * ((uint32_t)at + c));
	}
	f->frame_bytes = bytes;
	return true;
}

/* Every slot its own place: for frames with room, where the kernel does not count. */
static bool place_apart(struct mfn *f, const struct order *order, uint32_t n)
{
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < n && bytes <= f->frame_max; i++) {
		struct frame_slot *s = &f->slot.at[order[i].slot];
		bytes += CELL * cells(s);
		s->off = -(int32_t)bytes;
	}
	f->frame_bytes = bytes;
	return bytes <= f->frame_max;
}

struct err *mfn_frame(struct mfn *f)
{
	script_slots(f);
	for (vreg v = 1; v < f->nv; v++)
		if (f->v[v].spill)
			spill_life(f, &f->v[v]);
	struct order *order = arena_array(f->arena, struct order, f->slot.len + 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < f->slot.len; i++)
		if (f->slot.at[i].used)
			order[n++] = (struct order){f, i};
	qsort(order, n, sizeof(*order), by_lo);
	if (!place_slots(f, order, n) && (f->frame_max == STACK_MAX || !place_apart(f, order, n)))
		return err_new(0, "%s: needs more than %u bytes of stack", f->ir->name, f->frame_max);
	return NULL;
}
