/*
 * kit.c - functions, frames and memory of the lowering kit.
 *
 * Shape of every function: a first block that holds only SLOTs (so that they dominate all uses),
 * then for entries the exit() check, the place where scratch is acquired, the body, and one exit
 * block.  Loops put their body into a callback function; a callback reaches variables of outer
 * functions through a record of their addresses, which the kernel's verifier follows as spilled
 * stack pointers.
 */
#include "lang/kit_internal.h"

void kit_enter(struct kit *k, struct kit_frame *f)
{
	k->frame = f;
	k->b.fn = f->fn;
	k->b.block = 0;
	f->slots_block = 1; /* the entry */
}

ir_ref kit_slot(struct kit *k, uint32_t size)
{
	uint32_t here = k->b.block;
	ir_at(B(k), k->frame->slots_block);
	ir_ref r = ir_slot(B(k), ALIGN_UP(size, 8u));
	ir_at(B(k), here);
	return r;
}

struct kit_local *kit_new_local(struct kit *k, uint32_t size)
{
	struct kit_local *v = arena_new(k->prog->arena, struct kit_local);
	v->size = size;
	v->home = k->frame;
	v->slot = kit_slot(k, size);
	return v;
}

uint32_t kit_if(struct kit *k, ir_ref cond)
{
	uint32_t then = ir_block_new(B(k), "then"), end = ir_block_new(B(k), "endif");
	ir_br(B(k), cond, then, end);
	ir_at(B(k), then);
	return end;
}

uint32_t kit_if_unlikely(struct kit *k, ir_ref cond)
{
	uint32_t end = kit_if(k, cond);
	k->b.fn->block.at[k->b.block].unlikely = true;
	return end;
}

void kit_endif(struct kit *k, uint32_t end)
{
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), end);
	ir_at(B(k), end);
}

void kit_count(struct kit *k, uint32_t offset, uint64_t n)
{
	ir_atomic_add(B(k), ir_mapval(B(k), k->prog->data, offset), 0, 8, C(k, (int64_t)n));
}

/* Programs that user space runs itself must run after exit() too, an iterator to its end. */
static bool checks_exit(enum prog_kind kind)
{
	return kind != PROG_RAW_TP && kind != PROG_USER && kind != PROG_XDP && kind != PROG_ITER;
}

/* What a handler returns that has nothing to say: a packet goes on. */
static ir_ref nothing_to_say(struct kit *k)
{
	return C(k, k->kind == PROG_NETFILTER ? KIT_ACCEPT : 0);
}

struct ir_fn *kit_begin(struct kit *k, const char *name, enum prog_kind kind, struct loc loc)
{
	struct program *p = k->prog;
	struct kit_frame *f = arena_new(p->arena, struct kit_frame);
	f->root = f;
	f->fn = ir_fn_new(p, name, IR_ENTRY, 1);
	k->kind = kind;
	k->b = (struct ir_builder){.loc = loc};
	kit_enter(k, f);
	ir_at(B(k), f->slots_block);
	ir_ref ctx = ir_param(B(k), 0);
	f->ctx = kit_new_local(k, 8);
	f->ret = kit_new_local(k, 8);
	f->scratch_base = kit_new_local(k, 8);
	f->ctx->is_address = f->scratch_base->is_address = true;
	ir_store(B(k), f->ctx->slot, 0, 8, ctx);
	ir_store(B(k), f->ret->slot, 0, 8, nothing_to_say(k));
	f->body_block = ir_block_new(B(k), "body");
	f->exit_block = ir_block_new(B(k), "exit");
	ir_at(B(k), f->body_block);
	if (checks_exit(kind)) {
		ir_ref word = ir_load(B(k), ir_mapval(B(k), p->data, program_exit_word(p, false)), 0, 8, false);
		ir_ref exits = ir_const_later(B(k));
		vec_push(&p->row_consts, (struct row_const){.fn = f->fn, .insn = exits, .what = ROW_EXITS});
		word = ir_bin(B(k), IR_AND, word, exits);
		uint32_t go = ir_block_new(B(k), "go"), out = ir_block_new(B(k), "exited");
		k->b.fn->block.at[out].unlikely = true;
		ir_br(B(k), word, out, go);
		ir_at(B(k), out);
		ir_ret(B(k), nothing_to_say(k));
		ir_at(B(k), go);
	}
	f->scratch_block = k->b.block;
	f->after_scratch = ir_block_new(B(k), "start");
	ir_at(B(k), f->after_scratch);
	if (k->point && k->point->nreturn_to)
		kit_check_caller(k, loc);
	return f->fn;
}

void kit_scratch_here(struct kit *k)
{
	struct kit_frame *f = k->frame;
	if (f->parent || f->scratch_started)
		return;
	uint32_t here = k->b.block;
	ir_at(B(k), f->scratch_block);
	ir_jmp(B(k), f->after_scratch);
	f->scratch_block = here;
	/* What returned so far holds no scratch and must not give any back. */
	ir_at(B(k), f->exit_block);
	ir_ret(B(k), ir_load(B(k), f->ret->slot, 0, 8, false));
	f->exit_block = ir_block_new(B(k), "exit");
	f->after_scratch = ir_block_new(B(k), "start");
	ir_at(B(k), f->after_scratch);
}

/* CONST whose value program_finish writes: times * scratch_row. */
static ir_ref scratch_row_const(struct kit *k, int64_t times)
{
	ir_ref r = ir_const_later(B(k));
	vec_push(&k->prog->row_consts,
		 (struct row_const){.fn = k->b.fn, .insn = r, .what = ROW_SCRATCH, .times = times});
	return r;
}

/* The number of the level passes through what the verifier cannot know (the upper bits of the word, always zero): or it would
 * walk the whole program once a level. */
static void take_level(struct kit *k, struct kit_frame *f, ir_ref base, uint32_t busy)
{
	for (int level = 0; level < SCRATCH_LEVELS; level++) {
		ir_ref at = level ? ir_bin(B(k), IR_ADD, base, scratch_row_const(k, level)) : base;
		ir_ref taken = ir_atomic(B(k), IR_ATOMIC_XCHG, at, 0, 8, C(k, 1), 0);
		ir_ref blurred = ir_bini(B(k), IR_ADD, ir_bini(B(k), IR_LSHR, taken, 1), level);
		uint32_t got = ir_block_new(B(k), "got"), next = ir_block_new(B(k), "next_level");
		k->b.fn->block.at[next].unlikely = true;
		ir_br(B(k), taken, next, got);
		ir_at(B(k), got);
		blurred = ir_bini(B(k), IR_AND, blurred, SCRATCH_LEVELS - 1);
		at = ir_bin(B(k), IR_MUL, blurred, scratch_row_const(k, 1));
		ir_store(B(k), f->scratch_base->slot, 0, 8, ir_bin(B(k), IR_ADD, base, at));
		ir_jmp(B(k), f->after_scratch);
		ir_at(B(k), next);
	}
	ir_jmp(B(k), busy);
}

/*
 * Takes one of this CPU's scratch regions: a program can be interrupted by another one (an
 * interrupt, or preemption of a uprobe program), so there are SCRATCH_LEVELS of them, each with a
 * word that says "taken".  Handlers that run one at a time need no more than one.
 */
static void acquire_scratch(struct kit *k, struct kit_frame *f)
{
	struct program *p = k->prog;
	ir_at(B(k), f->scratch_block);
	ir_ref cpu = H0(k, BPF_FUNC_get_smp_processor_id);
	uint32_t bad = ir_block_new(B(k), "no_scratch"), ok = ir_block_new(B(k), "cpu_ok");
	k->b.fn->block.at[bad].unlikely = true;
	ir_br(B(k), ir_bini(B(k), IR_ULT, cpu, p->ncpus), ok, bad);
	ir_at(B(k), ok);
	unsigned levels = p->one_at_a_time ? 1 : SCRATCH_LEVELS;
	ir_ref off = ir_bin(B(k), IR_MUL, cpu, scratch_row_const(k, levels));
	ir_ref base = ir_bin(B(k), IR_ADD, ir_mapval(B(k), p->scratch, 0), off);
	if (p->one_at_a_time) {
		ir_store(B(k), f->scratch_base->slot, 0, 8, base);
		ir_jmp(B(k), f->after_scratch);
	} else {
		take_level(k, f, base, bad);
	}
	ir_at(B(k), bad);
	if (!p->skipped_offset)
		p->skipped_offset = program_data(p, 8, 8);
	kit_count(k, p->skipped_offset, 1);
	ir_ret(B(k), nothing_to_say(k));
}

void kit_end(struct kit *k)
{
	struct kit_frame *f = k->frame;
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), f->exit_block);
	if (f->scratch_started) {
		acquire_scratch(k, f);
		k->prog->scratch_row =
			MAX(k->prog->scratch_row, ALIGN_UP(f->scratch_max + SCRATCH_HEADER, 64u));
	} else {
		ir_at(B(k), f->scratch_block);
		ir_jmp(B(k), f->after_scratch);
	}
	ir_at(B(k), f->exit_block);
	kit_unlock(k);
	if (f->scratch_started && !k->prog->one_at_a_time)
		ir_store(B(k), ir_load(B(k), f->scratch_base->slot, 0, 8, false), 0, 8, C(k, 0));
	ir_ret(B(k), ir_load(B(k), f->ret->slot, 0, 8, false));
	ir_at(B(k), f->slots_block);
	ir_jmp(B(k), f->body_block);
	ir_cfg(f->fn);
	k->frame = NULL;
}

struct kit_local *kit_local_of_handler(struct kit *k)
{
	struct kit_frame *root = k->frame->root;
	struct kit at_root = *k;
	at_root.frame = root;
	at_root.b = (struct ir_builder){.fn = root->fn, .block = root->slots_block, .loc = k->b.loc};
	struct kit_local *v = kit_new_local(&at_root, 8);
	ir_store(&at_root.b, v->slot, 0, 8, ir_const(&at_root.b, 0));
	return v;
}

void kit_return(struct kit *k, ir_ref value)
{
	struct kit_frame *f = k->frame;
	if (value)
		ir_store(B(k), kit_local_addr(k, f->root->ret), 0, 8, value);
	if (f->parent) {
		struct kit_frame *root = f->root;
		if (!root->returned)
			root->returned = kit_local_of_handler(k);
		ir_store(B(k), kit_local_addr(k, root->returned), 0, 8, C(k, 1));
		ir_jmp(B(k), f->break_block);
	} else {
		ir_jmp(B(k), f->exit_block);
	}
	ir_at(B(k), ir_block_new(B(k), "after_return"));
}

ir_ref kit_verdict(struct kit *k)
{
	return ir_load(B(k), kit_local_addr(k, k->frame->root->ret), 0, 8, false);
}

void kit_set_verdict(struct kit *k, ir_ref v)
{
	/* the verifier wants to see that it is one of the two */
	ir_store(B(k), kit_local_addr(k, k->frame->root->ret), 0, 8, ir_bini(B(k), IR_AND, v, 1));
}

ir_ref kit_ctx(struct kit *k)
{
	return ir_load(B(k), kit_local_addr(k, k->frame->root->ctx), 0, 8, false);
}

/* --- memory
 * -------------------------------------------------------------------------------------------------
 */

static ir_ref scratch_at(struct kit *k, uint32_t offset)
{
	ir_ref base = ir_load(B(k), kit_local_addr(k, k->frame->root->scratch_base), 0, 8, false);
	return ir_bini(B(k), IR_ADD, base, SCRATCH_HEADER + offset);
}

static uint32_t scratch_take(struct kit *k, uint32_t size)
{
	struct kit_frame *root = k->frame->root;
	uint32_t at = root->scratch_used;
	root->scratch_started = true;
	root->scratch_used += ALIGN_UP(size, 8u);
	root->scratch_max = MAX(root->scratch_max, root->scratch_used);
	return at;
}

ir_ref kit_mem(struct kit *k, uint32_t size)
{
	struct kit_frame *f = k->frame;
	if (size <= KIT_SLOT_MAX && f->stack_used + size <= KIT_STACK_BUDGET) {
		f->stack_used += ALIGN_UP(size, 8u);
		return kit_slot(k, size);
	}
	return scratch_at(k, scratch_take(k, size));
}

ir_ref kit_mem_zero(struct kit *k, uint32_t size)
{
	ir_ref p = kit_mem(k, size);
	kit_zero(k, p, size);
	return p;
}

/* Only scratch is reused: stack slots are laid out by liveness in the back end. */
uint32_t kit_mark(struct kit *k)
{
	return k->frame->root->scratch_used;
}

void kit_release(struct kit *k, uint32_t mark)
{
	k->frame->root->scratch_used = MAX(mark, k->frame->root->scratch_floor);
	if (!k->frame->parent)
		k->frame->stack_used = 0; /* slots of ended statements share stack */
}

struct kit_local *kit_local(struct kit *k, uint32_t size)
{
	if (size <= KIT_SLOT_MAX) {
		struct kit_local *v = kit_new_local(k, size);
		kit_zero(k, v->slot, ALIGN_UP(size, 8u));
		return v;
	}
	return kit_local_far(k, size);
}

struct kit_local *kit_local_far(struct kit *k, uint32_t size)
{
	struct kit_local *v = arena_new(k->prog->arena, struct kit_local);
	v->size = size;
	v->home = k->frame->root;
	v->scratch_offset = scratch_take(k, size);
	k->frame->root->scratch_floor = k->frame->root->scratch_used;
	kit_zero(k, scratch_at(k, v->scratch_offset), ALIGN_UP(size, 8u));
	return v;
}

ir_ref kit_local_addr(struct kit *k, struct kit_local *v)
{
	struct kit_frame *f = k->frame;
	if (!v->slot)
		return scratch_at(k, v->scratch_offset);
	if (v->home == f)
		return v->slot;
	size_t i = 0;
	while (i < f->capture.len && f->capture.at[i] != v)
		i++;
	if (i == f->capture.len)
		vec_push(&f->capture, v);
	return ir_load(B(k), f->capture_record, (int64_t)i * 8, 8, false);
}

void kit_copy(struct kit *k, ir_ref dst, ir_ref src, uint32_t n)
{
	if (n)
		ir_copy(B(k), dst, src, n);
}

void kit_zero(struct kit *k, ir_ref dst, uint32_t n)
{
	if (n)
		ir_zero(B(k), dst, n);
}

enum addr_space kit_as(const struct kit *k, enum addr_space as)
{
	if (as != AS_NONE)
		return as;
	if (!k->point)
		return AS_KERNEL;
	switch (k->point->kind) {
	case PK_UPROBE:
	case PK_URETPROBE:
	case PK_USDT: return AS_USER;
	default: return AS_KERNEL;
	}
}

ir_ref kit_read(struct kit *k, ir_ref dst, uint32_t n, ir_ref addr, enum addr_space as,
		struct loc loc)
{
	as = kit_as(k, as);
	if (as == AS_BPF) {
		kit_copy(k, dst, addr, n);
		return C(k, 0);
	}
	int id = as == AS_USER ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	ir_ref ret = H(k, id, dst, C(k, n), addr);
	kit_check_helper(k, ret, id, loc);
	return ret;
}

ir_ref kit_read_scalar(struct kit *k, ir_ref addr, int64_t off, unsigned width, bool is_signed,
		       enum addr_space as, struct loc loc)
{
	if (kit_as(k, as) == AS_BPF)
		return ir_load(B(k), addr, off, width, is_signed);
	ir_ref tmp = kit_slot(k, 8);
	ir_store(B(k), tmp, 0, 8, C(k, 0));
	kit_read(k, tmp, width, ir_bini(B(k), IR_ADD, addr, off), as, loc);
	return ir_load(B(k), tmp, 0, width, is_signed);
}

/* The bits of a bit-field out of its storage unit. */
static ir_ref extract_bits(struct kit *k, ir_ref unit, const struct field *f)
{
	unsigned left = 64 - f->bit_offset - f->bit_width;
	ir_ref up = ir_bini(B(k), IR_SHL, unit, left);
	return ir_bini(B(k), f->type->is_signed ? IR_ASHR : IR_LSHR, up, 64 - f->bit_width);
}

/* Smallest load that covers a bit-field: a unit may be up to 8 bytes, never past the field's own
 * bytes. */
static unsigned unit_width(const struct field *f)
{
	unsigned bytes = (f->bit_offset + f->bit_width + 7) / 8, w = 1;
	while (w < bytes)
		w *= 2;
	return MIN(w, 8u);
}

ir_ref kit_read_field(struct kit *k, ir_ref addr, const struct field *f, uint32_t offset,
		      enum addr_space as, struct loc loc)
{
	if (f->bit_width)
		return extract_bits(
			k, kit_read_scalar(k, addr, offset, unit_width(f), false, as, loc), f);
	unsigned w =
		f->type->size == 1 || f->type->size == 2 || f->type->size == 4 ? f->type->size : 8;
	return kit_read_scalar(k, addr, offset, w, f->type->is_signed, as, loc);
}

ir_ref kit_zeroes(struct kit *k, uint32_t n)
{
	void *zero = xcalloc(1, n);
	uint32_t at = program_rodata(k->prog, zero, n, 8);
	base_free(zero);
	return ir_mapval(B(k), k->prog->rodata, at);
}
