/* order.c - the order of blocks: a copy of the CFG with critical edges split, loops, layout. */
#include "bpf/mi.h"

static uint32_t new_block(struct mfn *f)
{
	vec_push(&f->block, (struct mblock){0});
	return (uint32_t)f->block.len - 1;
}

static void copy_cfg(struct mfn *f)
{
	const struct ir_fn *ir = f->ir;
	vec_reserve(&f->block, ir->block.len * 2);
	for (size_t i = 0; i < ir->block.len; i++) {
		const struct ir_block *b = &ir->block.at[i];
		struct mblock m = {.ir = (uint32_t)i, .unlikely = b->unlikely};
		if (i && b->first)
			memcpy(m.succ, b->succ, sizeof(m.succ));
		vec_push(&f->block, m);
		for (size_t k = 0; k < b->pred.len; k++)
			vec_push(&f->block.at[i].pred, b->pred.at[k]);
	}
}

static void split_critical_edges(struct mfn *f)
{
	size_t n = f->block.len;
	for (uint32_t s = 1; s < n; s++) {
		if (f->block.at[s].pred.len < 2)
			continue;
		for (size_t k = 0; k < f->block.at[s].pred.len; k++) {
			uint32_t p = f->block.at[s].pred.at[k];
			if (!f->block.at[p].succ[1])
				continue;
			int way = f->block.at[p].succ[0] == s ? 0 : 1;
			uint32_t e = new_block(f);
			struct mblock *b = &f->block.at[e];
			b->succ[0] = s;
			b->unlikely = f->block.at[s].unlikely || f->block.at[p].unlikely;
			vec_push(&b->pred, p);
			f->block.at[p].succ[way] = e;
			f->block.at[s].pred.at[k] = e;
		}
	}
}

struct walk {
	uint32_t block;
	int next;
};

/*
 * Depth-first postorder without recursion.  `first` says which way is walked last and so comes
 * right after the block in reverse postorder.  Edges to blocks on the path are back edges: kept in
 * `back` as pairs.
 */
static void postorder(struct mfn *f, const uint8_t *prefer, uint32_t *out, uint32_t *nout,
		      uint32_t *back, uint32_t *nback)
{
	size_t n = f->block.len;
	uint8_t *state = arena_alloc(f->arena, n);
	struct walk *stack = arena_array(f->arena, struct walk, n + 1);
	size_t top = 0;
	*nout = *nback = 0;
	stack[top++] = (struct walk){1, 0};
	state[1] = 1;
	while (top) {
		struct walk *w = &stack[top - 1];
		struct mblock *b = &f->block.at[w->block];
		if (w->next == 2) {
			state[w->block] = 2;
			out[(*nout)++] = w->block;
			top--;
			continue;
		}
		/* the preferred way last */
		int way = prefer[w->block] ? w->next : 1 - w->next;
		w->next++;
		uint32_t s = b->succ[way];
		if (!s)
			continue;
		if (state[s] == 1) {
			back[(*nback)++] = w->block;
			back[(*nback)++] = s;
		} else if (!state[s]) {
			state[s] = 1;
			stack[top++] = (struct walk){s, 0};
		}
	}
}

/* Blocks of the loop with this back edge: all that reach the latch without passing the header. */
static void mark_loop(struct mfn *f, uint32_t latch, uint32_t header, uint32_t *seen,
		      uint32_t stamp, uint32_t *work)
{
	size_t n = 0;
	seen[header] = stamp;
	f->block.at[header].depth++;
	if (seen[latch] != stamp) {
		seen[latch] = stamp;
		work[n++] = latch;
	}
	while (n) {
		struct mblock *b = &f->block.at[work[--n]];
		b->depth++;
		vec_each(p, &b->pred) {
			if (seen[*p] == stamp)
				continue;
			seen[*p] = stamp;
			work[n++] = *p;
		}
	}
}

static void find_loops(struct mfn *f, const uint32_t *back, uint32_t nback)
{
	uint32_t *seen = arena_array(f->arena, uint32_t, f->block.len);
	uint32_t *work = arena_array(f->arena, uint32_t, f->block.len);
	for (uint32_t i = 0; i < nback; i += 2)
		mark_loop(f, back[i], back[i + 1], seen, i + 1, work);
}

/*
 * In reverse postorder an outermost loop spans from its header to its last block; what lies between
 * is counted in.  Slots that are mentioned inside are live over the whole span (frame.c).
 */
static void loop_spans(struct mfn *f, const uint32_t *back, uint32_t nback)
{
	for (uint32_t i = 0; i < nback; i += 2) {
		struct mblock *h = &f->block.at[back[i + 1]];
		h->loop_end = MAX(h->loop_end, f->block.at[back[i]].rpo);
	}
	uint32_t header = 0, end = 0;
	for (uint32_t i = 0; i < f->rpo.len; i++) {
		struct mblock *b = &f->block.at[f->rpo.at[i]];
		if (b->loop_end) {
			if (!header || i > end)
				header = f->rpo.at[i], end = b->loop_end;
			else
				end = MAX(end, b->loop_end);
		}
		if (header && i <= end) {
			b->outer = header;
			f->block.at[header].loop_end = end;
		}
	}
}

/* A block is unlikely too when only unlikely ones lead to it: dominators stay before what they
 * dominate. */
static void spread_unlikely(struct mfn *f)
{
	vec_each(r, &f->rpo) {
		struct mblock *b = &f->block.at[*r];
		if (*r == 1) {
			b->unlikely = false;
			continue;
		}
		bool all = b->pred.len > 0;
		vec_each(p, &b->pred)
			if (f->block.at[*p].rpo < b->rpo && !f->block.at[*p].unlikely)
				all = false;
		b->unlikely |= all;
	}
}

static uint32_t ir_insns(const struct mfn *f, uint32_t block)
{
	uint32_t n = 1, b = f->block.at[block].ir;
	for (ir_ref r = b ? f->ir->block.at[b].first : 0; r; r = f->ir->insn.at[r].next)
		n++;
	return n;
}

/*
 * Likely blocks in reverse postorder, then the unlikely ones; in a large function the unlikely ones
 * are put down every so often, so that jumps stay within 16 bits.
 */
static void lay_out(struct mfn *f)
{
	enum {
		CHUNK = 4000, /* instructions of the IR */
		MANY = 2000
	};
	VEC(uint32_t) cold = {0};
	uint32_t since = 0, branches = 0;
	vec_each(r, &f->rpo) {
		branches += f->block.at[*r].succ[1] != 0;
		if (f->block.at[*r].unlikely) {
			vec_push(&cold, *r);
			continue;
		}
		uint32_t n = ir_insns(f, *r);
		/* a loop is never cut */
		if (since + n > CHUNK && !f->block.at[*r].depth) {
			vec_each(c, &cold)
				vec_push(&f->layout, *c);
			cold.len = 0;
			since = 0;
		}
		vec_push(&f->layout, *r);
		since += n;
	}
	vec_each(c, &cold)
		vec_push(&f->layout, *c);
	vec_free(&cold);
	f->many_branches = branches > MANY;
}

void mfn_order(struct mfn *f)
{
	copy_cfg(f);
	split_critical_edges(f);
	size_t n = f->block.len;
	uint8_t *prefer = arena_alloc(f->arena, n);
	uint32_t *order = arena_array(f->arena, uint32_t, n);
	uint32_t *back = arena_array(f->arena, uint32_t, n * 4);
	uint32_t norder, nback;
	postorder(f, prefer, order, &norder, back, &nback);
	if (nback) { /* again, with the way that stays in the loop right after its block */
		find_loops(f, back, nback);
		for (uint32_t i = 1; i < n; i++) {
			const uint32_t *s = f->block.at[i].succ;
			if (s[0] && s[1])
				prefer[i] = f->block.at[s[1]].depth > f->block.at[s[0]].depth;
		}
		postorder(f, prefer, order, &norder, back, &nback);
	}
	for (uint32_t i = norder; i-- > 0;) {
		f->block.at[order[i]].rpo = (uint32_t)f->rpo.len;
		vec_push(&f->rpo, order[i]);
	}
	loop_spans(f, back, nback);
	spread_unlikely(f);
	lay_out(f);
}
