/*
 * dom.c - orders of blocks and the dominator tree.
 *
 * Immediate dominators by semidominators ("semi-NCA", Georgiadis 2005): near linear also for a
 * function whose every statement can jump to one common exit, where walking up the tree for each
 * edge is not.
 */
#include "ir/impl.h"

struct walk {
	uint32_t block;
	unsigned next; /* successor to visit */
};

/* Depth-first from the entry.  pre, parent (by preorder number) may be NULL.  Returns blocks
 * reached. */
static uint32_t depth_first(const struct ir_fn *fn, uint32_t *post, uint32_t *pre, uint32_t *number,
			    uint32_t *parent)
{
	uint32_t npost = 0, npre = 0;
	uint32_t *seen = number ? number : xcalloc(fn->block.len, sizeof(*seen));
	VEC(struct walk) stack = {0};
	seen[1] = ++npre;
	if (pre)
		pre[1] = 1;
	vec_push(&stack, (struct walk){.block = 1});
	while (stack.len) {
		struct walk *w = &vec_last(&stack);
		const struct ir_block *b = &fn->block.at[w->block];
		if (w->next == ir_nsucc(b)) {
			post[npost++] = w->block;
			stack.len--;
			continue;
		}
		/* The second successor first: in reverse postorder `then` comes before `else`. */
		uint32_t to = b->succ[ir_nsucc(b) - 1 - w->next++];
		if (seen[to])
			continue;
		seen[to] = ++npre;
		if (pre)
			pre[npre] = to;
		if (parent)
			parent[npre] = seen[w->block];
		vec_push(&stack, (struct walk){.block = to});
	}
	vec_free(&stack);
	if (!number)
		base_free(seen);
	return npost;
}

static void reverse(uint32_t *a, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		uint32_t t = a[i];
		a[i] = a[n - 1 - i];
		a[n - 1 - i] = t;
	}
}

uint32_t ir_rpo(const struct ir_fn *fn, uint32_t *order)
{
	uint32_t n = depth_first(fn, order, NULL, NULL, NULL);
	reverse(order, n);
	return n;
}

/* Everything by preorder number. */
struct semi {
	uint32_t *parent, *up, *semi, *best, *idom, *path;
};

/* The vertex with the least semidominator on the way from v up to those not yet processed. */
static uint32_t least(struct semi *s, uint32_t v, uint32_t linked)
{
	uint32_t n = 0;
	for (uint32_t u = v; s->up[u] >= linked; u = s->up[u])
		s->path[n++] = u;
	/* path[n - 1] is nearest to the root; its own `best` is already right. */
	uint32_t above = n ? s->up[s->path[n - 1]] : 0;
	for (uint32_t k = n; k-- > 0;) {
		uint32_t u = s->path[k];
		if (s->semi[s->best[above]] < s->semi[s->best[u]])
			s->best[u] = s->best[above];
		uint32_t top = s->up[above];
		s->up[u] = top;
		above = u;
	}
	return s->best[v];
}

static void find_idoms(struct ir_dom *d, const struct ir_fn *fn, const uint32_t *pre,
		       const uint32_t *number, uint32_t *parent, uint32_t n)
{
	size_t room = (size_t)n + 1;
	struct semi s = {.parent = parent};
	s.up = xmalloc(5 * room * sizeof(uint32_t));
	s.semi = s.up + room;
	s.best = s.semi + room;
	s.idom = s.best + room;
	s.path = s.idom + room;
	for (uint32_t v = 0; v <= n; v++) {
		s.up[v] = s.idom[v] = v ? parent[v] : 0;
		s.semi[v] = s.best[v] = v;
	}
	for (uint32_t v = n; v >= 2; v--) {
		uint32_t low = parent[v];
		vec_each(p, &fn->block.at[pre[v]].pred) {
			if (!number[*p])
				continue;
			uint32_t of = s.semi[least(&s, number[*p], v + 1)];
			low = MIN(low, of);
		}
		s.semi[v] = low;
	}
	for (uint32_t v = 2; v <= n; v++) {
		while (s.idom[v] > s.semi[v])
			s.idom[v] = s.idom[s.idom[v]];
		d->idom[pre[v]] = pre[s.idom[v]];
	}
	base_free(s.up);
}

/* Children in reverse postorder; `in` and `out` from the sizes of subtrees. */
static void link_tree(struct ir_dom *d)
{
	for (uint32_t i = d->n; i-- > 1;) {
		uint32_t b = d->order[i], up = d->idom[b];
		d->sibling[b] = d->child[up];
		d->child[up] = b;
		d->out[up] += d->out[b] + 1; /* so far: how many below */
	}
	uint32_t *next = xcalloc((size_t)d->n + 1, sizeof(*next)); /* by number: first free below */
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t b = d->order[i];
		uint32_t *free_in = &next[d->number[d->idom[b]]];
		d->in[b] = i ? *free_in : 1;
		if (i)
			*free_in += d->out[b] + 1;
		next[d->number[b]] = d->in[b] + 1;
		d->out[b] += d->in[b];
	}
	base_free(next);
}

void ir_dom_init(struct ir_dom *d, const struct ir_fn *fn)
{
	size_t n = fn->block.len;
	uint32_t *all = xcalloc(7 * n, sizeof(*all));
	*d = (struct ir_dom){all,         0,           all + n,     all + 2 * n,
			     all + 3 * n, all + 4 * n, all + 5 * n, all + 6 * n};
	uint32_t *pre = xcalloc(3 * (n + 1), sizeof(*pre));
	uint32_t *prenum = pre + n + 1, *parent = prenum + n + 1;
	d->n = depth_first(fn, d->order, pre, prenum, parent);
	reverse(d->order, d->n);
	for (uint32_t i = 0; i < d->n; i++)
		d->number[d->order[i]] = i + 1;
	find_idoms(d, fn, pre, prenum, parent, d->n);
	link_tree(d);
	base_free(pre);
}

void ir_dom_free(struct ir_dom *d)
{
	base_free(d->order);
	*d = (struct ir_dom){0};
}

bool ir_dominates(const struct ir_dom *d, uint32_t a, uint32_t b)
{
	return d->in[a] && d->in[b] && d->in[a] <= d->in[b] && d->in[b] <= d->out[a];
}
