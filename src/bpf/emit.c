/* emit.c - blocks in their order: their instructions, jumps between them, lines. */
#include "bpf/emit.h"

/* Offsets of jumps have 16 bits.  A jump that waits for its target this long gets an island on the
 * way. */
enum {
	REACH = 30000,
	ISLAND_FOR = 15000
};

static bool is_empty(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	return !b->n && !b->moves_start && !b->moves_end && !e->phi_store[block] && b->succ[0] &&
	       !b->succ[1];
}

/* Where a jump to `block` ends up. */
static uint32_t target(const struct emit *e, uint32_t block)
{
	for (size_t n = e->f->block.len; n && block != 1 && is_empty(e, block); n--)
		block = e->f->block.at[block].succ[0];
	return block;
}

/* Nothing but the return: as short as a jump to it. */
static bool is_return(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	return b->n == 1 && e->f->mi.at[b->first].op == MI_RET && !b->moves_start &&
	       !e->phi_store[block];
}

static const struct mi *last_jcc(const struct emit *e, uint32_t block)
{
	const struct mblock *b = &e->f->block.at[block];
	const struct mi *m = b->n ? &e->f->mi.at[b->first + b->n - 1] : NULL;
	return m && m->op == MI_JCC ? m : NULL;
}

static void jump_to(struct emit *e, uint32_t block)
{
	vec_push(&e->jump, (struct jump){emit_here(e), block, 0});
}

static bool arrived(const struct emit *e, const struct jump *j)
{
	return j->via || e->start[j->block];
}

/* Can the instruction before this place go on to it? */
static bool falls_in(const struct emit *e)
{
	uint8_t code = emit_here(e) ? vec_last(&e->f->code).code : 0;
	return code != (BPF_JMP | BPF_JA) && code != (BPF_JMP | BPF_EXIT);
}

/* A row of jumps, passed over by what falls into it: one for each target that old jumps wait for.
 */
static void emit_island(struct emit *e)
{
	uint32_t first = emit_here(e);
	size_t n = e->jump.len;
	bool pass = falls_in(e); /* the verifier refuses instructions that nothing reaches */
	if (pass)
		emit_out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	for (size_t i = e->waiting; i < n && e->jump.at[i].insn + ISLAND_FOR < first; i++) {
		struct jump j = e->jump.at[i];
		if (arrived(e, &j))
			continue;
		if (e->island[j.block] < first || !e->island[j.block]) {
			e->island[j.block] = emit_here(e);
			jump_to(e, j.block);
			emit_out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		}
		e->jump.at[i].via = e->island[j.block];
	}
	if (pass)
		e->f->code.at[first].off = (int16_t)(emit_here(e) - first - 1);
}

static void reach_out(struct emit *e)
{
	while (e->waiting < e->jump.len && arrived(e, &e->jump.at[e->waiting]))
		e->waiting++;
	if (e->waiting < e->jump.len && e->jump.at[e->waiting].insn + REACH < emit_here(e))
		emit_island(e);
}

static void leave_to(struct emit *e, uint32_t t, uint32_t next)
{
	const struct mblock *b = &e->f->block.at[t];
	if (t == next)
		return;
	if (is_return(e, t)) {
		emit_ret(e, &e->f->mi.at[b->first], 4 * b->first);
		return;
	}
	jump_to(e, t);
	emit_out(e, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

static bool is_unlikely(const struct emit *e, uint32_t block)
{
	return e->f->block.at[block].unlikely;
}

/*
 * How a block with two ways out leaves: a jump to one of them, then the other.  The verifier walks the other first and
 * remembers the jump, up to 8,192 of them (BPF_COMPLEXITY_LIMIT_JMP_SEQ): in a function of many branches the other is the
 * unlikely one, which soon ends.
 */
static void emit_branch(struct emit *e, uint32_t block, const struct mi *m, uint32_t next)
{
	const struct mblock *b = &e->f->block.at[block];
	uint32_t yes = target(e, b->succ[0]), no = target(e, b->succ[1]), pos = b->to - 4;
	uint8_t code = m->code;
	if (yes != no) {
		bool apart = e->f->many_branches && b->succ[1] && is_unlikely(e, yes) != is_unlikely(e, no);
		if ((apart ? is_unlikely(e, yes) : yes == next) && mi_inverse(code) && e->kept[no]) {
			code = mi_inverse(code);
			yes = no;
			no = target(e, b->succ[0]);
		}
		unsigned a = emit_operand_reg(e, m, 0, pos),
			 c = m->has_imm ? 0 : emit_operand_reg(e, m, 1, pos);
		jump_to(e, yes);
		emit_jcc(e, code, m, a, c, 0);
	}
	leave_to(e, no, next);
}

/* Returns that every jump repeats in its own place need no block. */
static void mark_kept(struct emit *e)
{
	for (size_t i = 0; i < e->order.len; i++) {
		uint32_t block = e->order.at[i],
			 next = i + 1 < e->order.len ? e->order.at[i + 1] : 0;
		const struct mblock *b = &e->f->block.at[block];
		const struct mi *m = last_jcc(e, block);
		if (!i)
			e->kept[block] = true;
		if (!b->succ[0])
			continue;
		uint32_t yes = target(e, b->succ[0]);
		if (!m) {
			e->kept[yes] |= yes == next || !is_return(e, yes);
			continue;
		}
		uint32_t no = target(e, b->succ[1]);
		if (yes != no)
			e->kept[yes] = true;
		e->kept[no] |= no == next || !is_return(e, no) || (yes == next && mi_inverse(m->code));
	}
}

static void choose_blocks(struct emit *e)
{
	struct mfn *f = e->f;
	vec_each(l, &f->layout)
		if (*l == 1 || target(e, *l) == *l)
			vec_push(&e->order, *l);
	mark_kept(e);
	size_t n = 0;
	vec_each(b, &e->order)
		if (e->kept[*b])
			e->order.at[n++] = *b;
	e->order.len = n;
}

static void emit_block(struct emit *e, uint32_t block, uint32_t next)
{
	struct mfn *f = e->f;
	const struct mblock *b = &f->block.at[block];
	const struct mi *branch = last_jcc(e, block);
	reach_out(e);
	e->start[block] = emit_here(e) + 1;
	e->loc = (struct loc){0};
	if (b->moves_start)
		emit_list_moves(e, b->moves_start, emit_busy(e, b->from));
	for (ir_ref r = b->ir ? f->ir->block.at[b->ir].first : 0; r && e->phi_store[block];
	     r = f->ir->insn.at[r].next)
		if (f->v[r].is_phi)
			emit_store_at_def(e, r, b->from);
	for (uint32_t i = b->first; i < b->first + b->n; i++) {
		const struct mi *m = &f->mi.at[i];
		reach_out(e);
		while (e->split < f->split.len && f->split.at[e->split].at < 4 * i)
			e->split++; /* of blocks that are not emitted */
		if (m->op != MI_JCC) {
			emit_insn(e, m, 4 * i);
			continue;
		}
		emit_line(e, m);
		emit_split_moves(e, 4 * i);
	}
	if (b->moves_end)
		emit_list_moves(e, b->moves_end, emit_busy(e, b->to - 1));
	if (branch)
		emit_branch(e, block, branch, next);
	else if (b->succ[0])
		leave_to(e, target(e, b->succ[0]), next);
}

static struct err *patch_jumps(struct emit *e)
{
	vec_each(j, &e->jump) {
		uint32_t to = j->via ? j->via : e->start[j->block] - 1;
		int64_t off = (int64_t)to - j->insn - 1;
		if (off != (int16_t)off)
			return err_new(
				0, "%s: the program is too large: a jump over %lld instructions",
				e->f->ir->name, (long long)off);
		e->f->code.at[j->insn].off = (int16_t)off;
	}
	return NULL;
}

static void prepare(struct emit *e)
{
	struct mfn *f = e->f;
	size_t n = f->block.len;
	e->kept = arena_alloc(f->arena, n);
	e->phi_store = arena_alloc(f->arena, n);
	e->start = arena_array(f->arena, uint32_t, n);
	e->island = arena_array(f->arena, uint32_t, n);
	for (vreg v = 1; v < f->nv; v++)
		if (f->v[v].is_phi && f->v[v].store_at_def && f->sorted[f->v[v].pieces].reg >= 0)
			e->phi_store[f->v[v].def_block] = true;
}

struct err *mfn_emit(struct mfn *f)
{
	struct emit e = {.f = f};
	prepare(&e);
	choose_blocks(&e);
	for (size_t i = 0; i < e.order.len; i++)
		emit_block(&e, e.order.at[i], i + 1 < e.order.len ? e.order.at[i + 1] : 0);
	struct err *err = patch_jumps(&e);
	if (!err && f->frame_bytes > f->frame_max)
		err = err_new(0, "%s: needs more than %u bytes of stack", f->ir->name, f->frame_max);
	vec_free(&e.jump);
	vec_free(&e.order);
	return err;
}
