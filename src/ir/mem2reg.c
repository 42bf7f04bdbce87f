/*
 * mem2reg.c - slots become values.
 *
 * A slot is promoted when it is only loaded, stored and zeroed at offset 0, always with one width:
 * its address does not escape.  A load on a way without a store gives 0.
 *
 * Phis go to the iterated dominance frontier of the stores, only for slots that some block loads
 * before it stores (semi-pruned); then one walk over the dominator tree names the values.
 */
#include "ir/impl.h"

struct cand {
	ir_ref slot;
	uint8_t width; /* 0: no load or store seen yet */
	bool bad;
	bool is_global; /* some block needs its value from outside */
	uint32_t def;   /* head of its list of defining blocks, index into `node` */
	uint32_t seen;  /* last block that defined it */
	ir_ref value;   /* while renaming; 0: never stored */
};
struct node { /* of singly linked lists */
	uint32_t block, next;
};
struct new_phi {
	ir_ref phi;
	uint32_t cand;
};
struct undo {
	uint32_t cand;
	ir_ref value;
};

struct mem2reg {
	struct ir_fn *fn;
	struct ir_dom dom;
	struct ir_replace replace;
	VEC(struct cand) cand;  /* [0] unused */
	uint32_t *cand_of;      /* by ir_ref of the slot */
	size_t nold;            /* instructions before phis were added */
	VEC(struct node) node;  /* [0] unused */
	uint32_t *frontier;     /* by block: head of its dominance frontier */
	VEC(uint32_t) phi_cand; /* by ir_ref - nold */
	uint32_t *edge;
	VEC(struct undo) undo;
	ir_ref zero;
};

/* --- which slots -------------------------------------------------------------------------------
 */

static struct cand *cand_at(struct mem2reg *m, ir_ref r)
{
	uint32_t c = r < m->nold ? m->cand_of[r] : 0;
	return c ? &m->cand.at[c] : NULL;
}

static bool use_is_fine(const struct mem2reg *m, struct cand *c, const struct ir_insn *i,
			unsigned n)
{
	int64_t size = ir_at_ref(m->fn, c->slot)->imm;
	if (n != 0)
		return false;
	if (i->op == IR_ZERO)
		return i->imm == size;
	if ((i->op != IR_LOAD && i->op != IR_STORE) || i->imm != 0 || i->width > size)
		return false;
	if (c->width && c->width != i->width)
		return false;
	c->width = i->width;
	return true;
}

static void find_candidates(struct mem2reg *m)
{
	struct ir_fn *fn = m->fn;
	vec_push(&m->cand, (struct cand){0});
	for (ir_ref r = 1; r < m->nold; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		if (i->op != IR_SLOT || !i->block)
			continue;
		m->cand_of[r] = (uint32_t)m->cand.len;
		vec_push(&m->cand, (struct cand){.slot = r});
	}
	for (ir_ref r = 1; r < m->nold; r++) {
		const struct ir_insn *i = ir_at_ref(fn, r);
		for (uint32_t k = 0; k < i->nargs; k++) {
			struct cand *c = cand_at(m, i->arg[k]);
			if (c && !use_is_fine(m, c, i, k))
				c->bad = true;
		}
	}
	for (ir_ref r = 1; r < m->nold; r++)
		if (m->cand_of[r] && m->cand.at[m->cand_of[r]].bad)
			m->cand_of[r] = 0;
}

/* The promoted slot that `i` loads, stores or zeroes. */
static struct cand *accessed(struct mem2reg *m, const struct ir_insn *i)
{
	bool access = i->op == IR_LOAD || i->op == IR_STORE || i->op == IR_ZERO;
	return access ? cand_at(m, i->arg[0]) : NULL;
}

/* --- where phis go -----------------------------------------------------------------------------
 */

static uint32_t push_node(struct mem2reg *m, uint32_t block, uint32_t next)
{
	vec_push(&m->node, (struct node){block, next});
	return (uint32_t)(m->node.len - 1);
}

static void find_definitions(struct mem2reg *m)
{
	for (uint32_t k = 0; k < m->dom.n; k++) {
		uint32_t b = m->dom.order[k];
		IR_EACH(m->fn, b, r)
		{
			const struct ir_insn *i = ir_at_ref(m->fn, r);
			struct cand *c = accessed(m, i);
			if (!c || c->seen == b)
				continue;
			if (i->op == IR_LOAD) {
				c->is_global = true;
				continue;
			}
			c->seen = b;
			c->def = push_node(m, b, c->def);
		}
	}
}

/* A walk up from a predecessor ends where an earlier one for the same block has been. */
static void find_frontiers(struct mem2reg *m)
{
	m->frontier = xcalloc(m->fn->block.len, sizeof(*m->frontier));
	for (uint32_t k = 0; k < m->dom.n; k++) {
		uint32_t b = m->dom.order[k];
		const struct ir_block *block = &m->fn->block.at[b];
		if (block->pred.len < 2)
			continue;
		vec_each(p, &block->pred) {
			for (uint32_t up = *p; up && up != m->dom.idom[b]; up = m->dom.idom[up]) {
				if (m->node.at[m->frontier[up]].block == b)
					break;
				m->frontier[up] = push_node(m, b, m->frontier[up]);
			}
		}
	}
}

static void place_phis(struct mem2reg *m)
{
	uint32_t *has_phi = xcalloc(m->fn->block.len, sizeof(*has_phi));
	uint32_t *queued = xcalloc(m->fn->block.len, sizeof(*queued));
	VEC(uint32_t) work = {0};
	for (uint32_t c = 1; c < m->cand.len; c++) {
		if (m->cand.at[c].bad || !m->cand.at[c].is_global)
			continue;
		for (uint32_t n = m->cand.at[c].def; n; n = m->node.at[n].next) {
			queued[m->node.at[n].block] = c;
			vec_push(&work, m->node.at[n].block);
		}
		while (work.len) {
			uint32_t from = vec_pop(&work);
			for (uint32_t n = m->frontier[from]; n; n = m->node.at[n].next) {
				uint32_t b = m->node.at[n].block;
				if (has_phi[b] == c)
					continue;
				has_phi[b] = c;
				uint32_t npred = (uint32_t)m->fn->block.at[b].pred.len;
				ir_prepend(m->fn, b, ir_insn_new(m->fn, IR_PHI, npred, NULL));
				vec_push(&m->phi_cand, c);
				if (queued[b] != c) {
					queued[b] = c;
					vec_push(&work, b);
				}
			}
		}
	}
	vec_free(&work);
	base_free(queued);
	base_free(has_phi);
}

/* --- naming values -----------------------------------------------------------------------------
 */

/* The candidate of a phi that place_phis made; 0: of another phi. */
static uint32_t phi_cand(const struct mem2reg *m, ir_ref r)
{
	return r >= m->nold && r - m->nold < m->phi_cand.len ? m->phi_cand.at[r - m->nold] : 0;
}

static ir_ref current(struct mem2reg *m, uint32_t c)
{
	if (m->cand.at[c].value)
		return m->cand.at[c].value;
	if (!m->zero)
		m->zero = ir_entry_const(m->fn, 0);
	return m->zero;
}

static void define(struct mem2reg *m, uint32_t c, ir_ref value)
{
	vec_push(&m->undo, (struct undo){c, m->cand.at[c].value});
	m->cand.at[c].value = value;
}

static void rename_access(struct mem2reg *m, ir_ref r, uint32_t c)
{
	const struct ir_insn *i = ir_at_ref(m->fn, r);
	if (i->op == IR_STORE) {
		define(m, c, i->arg[1]);
		ir_remove(m->fn, r);
	} else if (i->op == IR_ZERO) {
		define(m, c, 0);
		ir_remove(m->fn, r);
	} else if (i->width == 8) {
		ir_replace_set(&m->replace, r, current(m, c));
		ir_remove(m->fn, r);
	} else {
		ir_ref value = current(m, c); /* may move instructions */
		struct ir_insn *load = ir_at_ref(m->fn, r);
		load->op = load->is_signed ? IR_SEXT : IR_ZEXT;
		load->is_signed = false;
		load->arg[0] = value;
	}
}

static void rename_block(struct mem2reg *m, uint32_t b)
{
	struct ir_fn *fn = m->fn;
	IR_EACH(fn, b, r)
	{
		uint32_t c = phi_cand(m, r);
		if (c) {
			define(m, c, r);
			continue;
		}
		struct cand *of = accessed(m, ir_at_ref(fn, r));
		if (of)
			rename_access(m, r, m->cand_of[of->slot]);
	}
	for (unsigned k = 0; k < ir_nsucc(&fn->block.at[b]); k++) {
		uint32_t to = fn->block.at[b].succ[k];
		IR_EACH(fn, to, r)
		{
			if (ir_at_ref(fn, r)->op != IR_PHI)
				break;
			uint32_t c = phi_cand(m, r);
			if (!c)
				continue;
			ir_ref value = current(m, c);
			ir_at_ref(fn, r)->arg[m->edge[2 * b + k]] = value;
		}
	}
}

/* Down the dominator tree; what a subtree defined is undone when it is left. */
static void rename_all(struct mem2reg *m)
{
	struct visit {
		uint32_t block;
		bool leave;
		size_t undo;
	};
	VEC(struct visit) stack = {0};
	vec_push(&stack, (struct visit){.block = 1});
	while (stack.len) {
		struct visit v = vec_pop(&stack);
		if (v.leave) {
			while (m->undo.len > v.undo) {
				struct undo u = vec_pop(&m->undo);
				m->cand.at[u.cand].value = u.value;
			}
			continue;
		}
		vec_push(&stack, (struct visit){.leave = true, .undo = m->undo.len});
		rename_block(m, v.block);
		for (uint32_t c = m->dom.child[v.block]; c; c = m->dom.sibling[c])
			vec_push(&stack, (struct visit){.block = c});
	}
	vec_free(&stack);
}

/* Semi-pruned placement leaves phis that only feed phis. */
static void drop_dead_phis(struct mem2reg *m)
{
	struct ir_fn *fn = m->fn;
	size_t n = m->phi_cand.len;
	bool *live = xcalloc(n + 1, sizeof(*live));
	VEC(ir_ref) work = {0};
	for (ir_ref r = 1; r < fn->insn.len; r++)
		if (!phi_cand(m, r) && ir_at_ref(fn, r)->nargs)
			vec_push(&work, r);
	while (work.len) {
		const struct ir_insn *i = ir_at_ref(fn, vec_pop(&work));
		for (uint32_t k = 0; k < i->nargs; k++) {
			ir_ref a = i->arg[k];
			if (!phi_cand(m, a) || live[a - m->nold])
				continue;
			live[a - m->nold] = true;
			vec_push(&work, a);
		}
	}
	for (size_t k = 0; k < n; k++)
		if (m->phi_cand.at[k] && !live[k])
			ir_remove(fn, (ir_ref)(m->nold + k));
	vec_free(&work);
	base_free(live);
}

void ir_pass_mem2reg(struct ir_fn *fn)
{
	struct mem2reg m = {.fn = fn, .nold = fn->insn.len};
	m.cand_of = xcalloc(m.nold, sizeof(*m.cand_of));
	ir_dom_init(&m.dom, fn);
	ir_replace_init(&m.replace, fn);
	m.edge = ir_edge_positions(fn);
	vec_push(&m.node, (struct node){0});
	find_candidates(&m);
	find_definitions(&m);
	find_frontiers(&m);
	place_phis(&m);
	rename_all(&m);
	ir_replace_apply(&m.replace, fn);
	drop_dead_phis(&m);
	for (uint32_t c = 1; c < m.cand.len; c++)
		if (!m.cand.at[c].bad)
			ir_remove(fn, m.cand.at[c].slot);
	vec_free(&m.undo);
	vec_free(&m.phi_cand);
	vec_free(&m.node);
	vec_free(&m.cand);
	base_free(m.frontier);
	base_free(m.edge);
	base_free(m.cand_of);
	ir_replace_free(&m.replace);
	ir_dom_free(&m.dom);
}
