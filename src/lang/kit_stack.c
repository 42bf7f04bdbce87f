/* kit_stack.c - stacks as values: the frames are stored once under their hash. */
#include "lang/kit_internal.h"

#include <stddef.h>

enum {
	USER_STACK = 1 << 8 /* BPF_F_USER_STACK */,
	USER_BUILD_ID = 1 << 11,
	BUILD_ID_ENTRY = 32
};

static void send_stack_full(struct kit *k, struct loc loc)
{
	struct program *p = k->prog;
	if (!p->full_offset)
		p->full_offset = program_data(p, 8, 8);
	kit_count(k, p->full_offset, 1);
}

void kit_stack(struct kit *k, const struct type *t, ir_ref dst, struct loc loc)
{
	struct program *p = k->prog;
	bool user = t->kind == TYPE_USTACK, build_id = t->stack_mode == STACK_BUILD_ID && user;
	uint32_t limit = t->count ? t->count : p->opt.stack_limit;
	uint32_t entry = build_id ? BUILD_ID_ENTRY : 8, size = MAX(limit, 1u) * entry;
	if (size > p->stacks->value_size)
		p->stacks->value_size = size;
	uint32_t mark = kit_mark(k);
	/* In scratch: the update reads a whole element, which another stack's limit may have made
	 * larger; program_finish adds room for one element to the scratch row. */
	ir_ref frames = kit_mem(k, MAX(size, (uint32_t)KIT_SLOT_MAX + 8));
	uint64_t flags = user ? USER_STACK | (build_id ? USER_BUILD_ID : 0) : 0;
	ir_ref got = H(k, BPF_FUNC_get_stack, kit_ctx(k), frames, C(k, size), C(k, (int64_t)flags));
	kit_check_helper(k, got, BPF_FUNC_get_stack, loc);
	kit_zero(k, dst, sizeof(struct stack_value_wire));
	uint32_t end = kit_if(k, ir_bin(B(k), IR_SLT, C(k, 0), got));
	ir_ref words = ir_bini(B(k), IR_LSHR, got, 3);
	ir_ref id = ir_rt(B(k), "rt_hash_words", frames, words, C(k, size / 8));
	ir_ref key = kit_slot(k, 8);
	ir_store(B(k), key, 0, 8, id);
	ir_store(B(k), dst, offsetof(struct stack_value_wire, id), 8, id);
	if (user)
		ir_store(B(k), dst, offsetof(struct stack_value_wire, pid), 4,
			 ir_bini(B(k), IR_LSHR, kit_ns_pid_tgid(k), 32));
	ir_store(B(k), dst, offsetof(struct stack_value_wire, nframes), 4,
		 build_id ? ir_bini(B(k), IR_LSHR, got, 5) : words);
	ir_ref known = H(k, BPF_FUNC_map_lookup_elem, ir_map(B(k), p->stacks), key);
	uint32_t stored = kit_if(k, ir_bin(B(k), IR_EQ, known, C(k, 0)));
	ir_ref ret =
		H(k, BPF_FUNC_map_update_elem, ir_map(B(k), p->stacks), key, frames, C(k, BPF_ANY));
	uint32_t full = kit_if_unlikely(k, ret);
	send_stack_full(k, loc);
	kit_endif(k, full);
	kit_endif(k, stored);
	kit_endif(k, end);
	kit_release(k, mark);
}
