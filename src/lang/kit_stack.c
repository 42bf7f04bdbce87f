/* kit_stack.c - stacks as values: the frames are stored once under their hash. */
#include "lang/kit_internal.h"

#include <stddef.h>

#include "runtime/unwind_types.h"

enum {
	USER_STACK = 1 << 8 /* BPF_F_USER_STACK */,
	USER_BUILD_ID = 1 << 11,
	BUILD_ID_ENTRY = 32,
	HASH_FEW = 128 /* words */
};

/* Where an error ends the handler it is counted only: a missing stack is no reason to give up the rest. */
static void stack_not_stored(struct kit *k, ir_ref ret, struct loc loc)
{
	struct program *p = k->prog;
	if (!k->on_error) {
		kit_map_error(k, RT_STACK_FULL, ret, loc);
		return;
	}
	if (!p->unstored_offset)
		p->unstored_offset = program_data(p, 8, 8);
	kit_count(k, p->unstored_offset, 1);
}

/* Does this kernel have what unwinding by tables takes?  (Everything from 6.1 on that has BTF.) */
static bool has_tables(const struct kit *k, const struct type *t)
{
#if defined(__x86_64__)
	const struct features *f = &k->world->features;
	return t->kind == TYPE_USTACK && t->stack_mode != STACK_BUILD_ID && f->bpf_loop &&
	       f->btf_vmlinux && f->ringbuf;
#else
	return false;
#endif
}

/* A stack on its way: where its frames are and what is known of them, in slots. */
struct taken {
	ir_ref element, frames; /* of the map of stacks: a word that says how it ended, and the
				   frames after it */
	bool tables;
	ir_ref words, id, end; /* slots: frames, hash (0: to be made), enum uw_end */
	uint32_t size;         /* bytes that the kernel may write */
};

/* By frame pointers, as the kernel walks. */
static void take_by_helper(struct kit *k, struct taken *s, uint64_t flags, struct loc loc)
{
	ir_ref got = H(k, BPF_FUNC_get_stack, kit_ctx(k), s->frames, C(k, s->size),
		       C(k, (int64_t)flags));
	kit_check_helper(k, got, BPF_FUNC_get_stack, loc);
	uint32_t some = kit_if(k, ir_bin(B(k), IR_SLT, C(k, 0), got));
	ir_store(B(k), s->words, 0, 8, ir_bini(B(k), IR_LSHR, got, 3));
	ir_store(B(k), s->frames, s->size, 8, C(k, 0)); /* the hash takes two words at a time */
	const char *hash = s->tables                ? "rt_hash_frames"
			   : s->size / 8 > HASH_FEW ? "rt_hash_many"
						    : "rt_hash_words";
	ir_store(B(k), s->id, 0, 8,
		 ir_rt(B(k), hash, s->frames, ir_load(B(k), s->words, 0, 8, false),
		       C(k, s->size / 8)));
	kit_endif(k, some);
}

/* The registers are in the context of uprobes, kprobes and perf events. */
static ir_ref unwind(struct kit *k, ir_ref u, uint32_t limit)
{
	if (k->kind == PROG_KPROBE || k->kind == PROG_KPROBE_MULTI ||
	    k->kind == PROG_UPROBE_MULTI || k->kind == PROG_PERF_EVENT)
		return ir_rt(B(k), "rt_unwind_ctx", kit_ctx(k), u, C(k, limit));
	return ir_rt(B(k), "rt_unwind_task", u, C(k, limit));
}

static void take_by_tables(struct kit *k, struct taken *s, ir_ref u, uint32_t limit, struct loc loc)
{
	ir_store(B(k), u, offsetof(struct uw, tgid), 4, ir_bini(B(k), IR_LSHR, kit_ns_pid_tgid(k), 32));
	ir_ref got = unwind(k, u, limit);
	uint32_t none = ir_block_new(B(k), "untabled"), some = ir_block_new(B(k), "unwound"),
		 end = ir_block_new(B(k), "taken");
	ir_br(B(k), ir_bin(B(k), IR_SLT, got, C(k, 0)), none, some);
	ir_at(B(k), none);
	k->b.fn->block.at[none].unlikely = true;
	ir_store(B(k), s->end, 0, 8, ir_bin(B(k), IR_SUB, C(k, 0), got));
	take_by_helper(k, s, USER_STACK, loc);
	ir_jmp(B(k), end);
	ir_at(B(k), some);
	ir_store(B(k), s->words, 0, 8, got);
	ir_store(B(k), s->id, 0, 8, ir_load(B(k), u, offsetof(struct uw, hash), 8, false));
	ir_store(B(k), s->end, 0, 8, ir_load(B(k), u, offsetof(struct uw, end), 4, false));
	ir_jmp(B(k), end);
	ir_at(B(k), end);
}

/*
 * Stores frames under their id unless they are there already.  A CPU remembers ids that it has seen
 * stored (nothing is ever deleted), in a table as simple as a cache's: that spares nearly every
 * lookup.
 */
static void store_frames(struct kit *k, const struct taken *s, ir_ref id, struct loc loc)
{
	struct program *p = k->prog;
	if (!p->known_offset)
		p->known_offset = program_percpu(p, 8 * STACKS_KNOWN, 8);
	ir_ref place = ir_bini(B(k), IR_SHL, ir_bini(B(k), IR_AND, id, STACKS_KNOWN - 1), 3);
	ir_ref at = ir_bin(B(k), IR_ADD, kit_percpu_row(k), place);
	uint32_t unknown =
		kit_if(k, ir_bin(B(k), IR_NE, ir_load(B(k), at, p->known_offset, 8, false), id));
	k->b.fn->block.at[k->b.block].unlikely = true;
	ir_ref key = kit_slot(k, 8);
	ir_store(B(k), key, 0, 8, id);
	ir_ref known = H(k, BPF_FUNC_map_lookup_elem, ir_map(B(k), p->stacks), key);
	uint32_t stored = kit_if(k, ir_bin(B(k), IR_EQ, known, C(k, 0)));
	ir_store(B(k), s->element, 0, 8, ir_load(B(k), s->end, 0, 8, false));
	ir_ref ret = H(k, BPF_FUNC_map_update_elem, ir_map(B(k), p->stacks), key, s->element,
		       C(k, BPF_ANY));
	uint32_t full = kit_if_unlikely(k, ret);
	stack_not_stored(k, ret, loc);
	ir_jmp(B(k), unknown);
	kit_endif(k, full);
	kit_endif(k, stored);
	ir_store(B(k), at, p->known_offset, 8, id);
	kit_endif(k, unknown);
}

/* In whole words: a lookup reads the key right after, and reads of what two stores wrote wait for both. */
static void fill_value(struct kit *k, const struct taken *s, ir_ref dst, bool user, uint32_t entry)
{
	ir_ref frames = ir_load(B(k), s->words, 0, 8, false);
	if (entry == BUILD_ID_ENTRY)
		frames = ir_bini(B(k), IR_LSHR, frames, 2);
	ir_ref word = ir_bini(B(k), IR_SHL, ir_ext(B(k), frames, 2, false),
			      8 * (offsetof(struct stack_value_wire, nframes) - offsetof(struct stack_value_wire, pid)));
	if (user)
		word = ir_bin(B(k), IR_OR, word, ir_bini(B(k), IR_LSHR, kit_ns_pid_tgid(k), 32));
	ir_store(B(k), dst, offsetof(struct stack_value_wire, id), 8, ir_load(B(k), s->id, 0, 8, false));
	ir_store(B(k), dst, offsetof(struct stack_value_wire, pid), 8, word);
}

/* How stacks ended is counted: u64 by enum uw_end. */
static void count_end(struct kit *k, const struct taken *s)
{
	ir_ref i = ir_bini(B(k), IR_AND, ir_load(B(k), s->end, 0, 8, false), UW_ENDS - 1);
	ir_ref at =
		ir_bin(B(k), IR_ADD, ir_mapval(B(k), k->prog->data, k->prog->unwind.ends_offset),
		       ir_bini(B(k), IR_SHL, i, 3));
	ir_atomic_add(B(k), at, 0, 8, C(k, 1));
}

void kit_stack(struct kit *k, const struct type *t, ir_ref dst, struct loc loc)
{
	struct program *p = k->prog;
	bool user = t->kind == TYPE_USTACK, build_id = t->stack_mode == STACK_BUILD_ID && user;
	bool tables = has_tables(k, t);
	p->takes_kernel_stacks |= !user;
	uint32_t limit = t->count ? t->count : p->opt.stack_limit;
	uint32_t entry = build_id ? BUILD_ID_ENTRY : 8, size = MAX(limit, 1u) * entry;
	uint32_t head = sizeof(struct stack_frames_wire), state = tables ? sizeof(struct uw) : head;
	if (head + size > p->stacks->value_size)
		p->stacks->value_size = head + size;
	uint32_t mark = kit_mark(k);
	/* In scratch: the update reads a whole element, which another stack's limit may have made
	 * larger; program_finish adds room for one element to the scratch row. */
	ir_ref mem = kit_mem(k, state + MAX(size + 8, (uint32_t)KIT_SLOT_MAX + 8));
	struct taken s = {
		.frames = ir_bini(B(k), IR_ADD, mem, state), .size = size, .tables = tables};
	s.element = ir_bini(B(k), IR_ADD, mem, state - head);
	s.words = kit_slot(k, 8);
	s.id = kit_slot(k, 8);
	s.end = kit_slot(k, 8);
	kit_zero(k, dst, sizeof(struct stack_value_wire));
	ir_store(B(k), s.words, 0, 8, C(k, 0));
	ir_store(B(k), s.end, 0, 8, C(k, 0));
	if (tables) {
		program_unwind(p);
		take_by_tables(k, &s, mem, MAX(limit, 1u), loc);
		count_end(k, &s);
	} else {
		take_by_helper(k, &s, user ? USER_STACK | (build_id ? USER_BUILD_ID : 0) : 0, loc);
	}
	uint32_t some = kit_if(k, ir_load(B(k), s.words, 0, 8, false));
	fill_value(k, &s, dst, user, entry);
	store_frames(k, &s, ir_load(B(k), s.id, 0, 8, false), loc);
	kit_endif(k, some);
	kit_release(k, mark);
}
