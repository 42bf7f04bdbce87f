/*
 * kit_sub.c - functions that may call themselves, for handlers that user space runs.
 *
 * Such a function is a subprogram with a frame of memory of its own for every call: frames lie one behind the other in
 * one map, and the caller says where the callee's begins.  The first bytes of a frame are what both
 * know of: arguments, result and whatever else the language puts there.
 */
#include "lang/kit_internal.h"

struct ir_fn *kit_sub_begin(struct kit *k, const char *name, struct loc loc)
{
	struct kit_frame *f = arena_new(k->prog->arena, struct kit_frame);
	f->root = f;
	f->fn = ir_fn_new(k->prog, name, IR_SUBPROG, 2);
	k->kind = PROG_USER;
	k->b = (struct ir_builder){.loc = loc};
	kit_enter(k, f);
	ir_at(B(k), f->slots_block);
	f->ctx = kit_new_local(k, 8);
	f->ret = kit_new_local(k, 8);
	f->scratch_base = kit_new_local(k, 8);
	f->ctx->is_address = f->scratch_base->is_address = true;
	ir_store(B(k), f->scratch_base->slot, 0, 8, ir_param(B(k), 0));
	ir_store(B(k), f->ctx->slot, 0, 8, ir_param(B(k), 1));
	ir_store(B(k), f->ret->slot, 0, 8, C(k, 0));
	f->body_block = ir_block_new(B(k), "body");
	f->exit_block = ir_block_new(B(k), "exit");
	f->is_sub = true;
	f->scratch_started = true;
	ir_at(B(k), f->body_block);
	return f->fn;
}

void kit_sub_end(struct kit *k)
{
	struct kit_frame *f = k->frame;
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), f->exit_block);
	k->prog->sub_row = MAX(k->prog->sub_row, ALIGN_UP(f->scratch_max + SCRATCH_HEADER, 64u));
	ir_at(B(k), f->exit_block);
	ir_ret(B(k), ir_load(B(k), f->ret->slot, 0, 8, false));
	ir_at(B(k), f->slots_block);
	ir_jmp(B(k), f->body_block);
	ir_cfg(f->fn);
	k->frame = NULL;
}

static ir_ref row_const(struct kit *k, int64_t times)
{
	ir_ref r = ir_const_later(B(k));
	vec_push(&k->prog->row_consts, (struct row_const){.fn = k->b.fn, .insn = r, .what = ROW_SUB, .times = times});
	return r;
}

static ir_ref frames(struct kit *k)
{
	if (!k->prog->subs)
		k->prog->subs = program_map(k->prog, "@.subs", MAP_DATA, 4, 8, 1);
	return ir_mapval(B(k), k->prog->subs, 0);
}

ir_ref kit_sub_next(struct kit *k)
{
	struct kit_frame *root = k->frame->root;
	if (!root->is_sub)
		return frames(k);
	ir_ref base = ir_load(B(k), kit_local_addr(k, root->scratch_base), 0, 8, false);
	return ir_bin(B(k), IR_ADD, base, row_const(k, 1));
}

ir_ref kit_sub_fits(struct kit *k, ir_ref next, uint32_t depth)
{
	k->prog->sub_depth = MAX(k->prog->sub_depth, depth);
	return ir_bin(B(k), IR_ULT, next, ir_bin(B(k), IR_ADD, frames(k), row_const(k, depth)));
}

ir_ref kit_sub_shared(struct kit *k, ir_ref frame, uint32_t offset)
{
	return ir_bini(B(k), IR_ADD, frame, SCRATCH_HEADER + offset);
}

ir_ref kit_sub_own(struct kit *k, uint32_t offset)
{
	ir_ref base = ir_load(B(k), kit_local_addr(k, k->frame->root->scratch_base), 0, 8, false);
	return kit_sub_shared(k, base, offset);
}

void kit_sub_share(struct kit *k, uint32_t size)
{
	struct kit_frame *f = k->frame;
	f->scratch_used = f->scratch_floor = f->scratch_max = ALIGN_UP(size, 8u);
}

void kit_sub_call(struct kit *k, struct ir_fn *fn, ir_ref frame)
{
	ir_call(B(k), fn, frame, kit_ctx(k));
}
