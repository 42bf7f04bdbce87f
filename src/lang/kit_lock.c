/*
 * kit_lock.c - one lock for handlers that must not run at the same time.
 *
 * It is a word of the program's data: 0, or its owner, a thread on a CPU (user space: a thread).  A handler that finds it taken waits, but not
 * for ever: its event is then skipped and counted.  A handler that interrupted the owner must not wait at all: it finds its own thread
 * and CPU there.
 */
#include "bpf/user_helpers.h"
#include "lang/kit_internal.h"

enum {
	WAIT_ROUNDS = 1 << 20, /* of bpf_loop: several milliseconds, where an owner needs microseconds */
	CACHE_LINE = 64,
};

static ir_ref lock_word(struct kit *k)
{
	struct program *p = k->prog;
	if (!p->lock_offset) {
		p->lock_offset = program_data(p, CACHE_LINE, CACHE_LINE);
		p->unlocked_offset = program_data(p, 8, 8);
	}
	return ir_mapval(B(k), p->data, p->lock_offset);
}

/* Once: takes the lock when it is free.  Goes on in a block where *held says whether it did; the owner it found is returned. */
static ir_ref try_lock(struct kit *k, ir_ref me)
{
	ir_ref old = ir_atomic(B(k), IR_ATOMIC_CMPXCHG, lock_word(k), 0, 8, C(k, 0), me);
	uint32_t end = kit_if(k, ir_bini(B(k), IR_EQ, old, 0));
	ir_store(B(k), kit_local_addr(k, k->frame->root->locked), 0, 8, C(k, 1));
	kit_endif(k, end);
	return old;
}

/* One round of waiting. */
static void wait_round(struct kit *k, struct kit_local *me)
{
	uint32_t end = kit_if(k, ir_bini(B(k), IR_EQ, ir_load(B(k), lock_word(k), 0, 8, false), 0));
	ir_ref old = try_lock(k, ir_load(B(k), kit_local_addr(k, me), 0, 8, false));
	uint32_t more = kit_if(k, ir_bini(B(k), IR_EQ, old, 0));
	ir_jmp(B(k), k->frame->break_block);
	kit_endif(k, more);
	kit_endif(k, end);
	ir_jmp(B(k), k->frame->continue_block);
	ir_at(B(k), k->frame->continue_block);
	ir_ret(B(k), C(k, 0));
}

static void wait(struct kit *k, struct kit_local *me)
{
	struct ir_fn *fn;
	kit_enter_callback(k, "wait", 2, 1);
	wait_round(k, me);
	ir_ref record = kit_leave_callback(k, &fn);
	H(k, BPF_FUNC_loop, C(k, WAIT_ROUNDS), ir_fnaddr(B(k), fn), record, C(k, 0));
}

/* 1 + thread << 16 + CPU */
static ir_ref owner_here(struct kit *k)
{
	ir_ref thread = ir_bini(B(k), IR_SHL, ir_bini(B(k), IR_AND, kit_pid_tgid(k), 0xffffffff), 16);
	return ir_bin(B(k), IR_ADD, thread, ir_bini(B(k), IR_ADD, kit_cpu(k), 1));
}

static ir_ref is_held(struct kit *k)
{
	return ir_load(B(k), kit_local_addr(k, k->frame->root->locked), 0, 8, false);
}

/* In the kernel: take it, or wait for it, or skip the event. */
static void lock_in_kernel(struct kit *k)
{
	struct kit_local *me = kit_local(k, 8);
	ir_ref owner = owner_here(k);
	ir_store(B(k), kit_local_addr(k, me), 0, 8, owner);
	ir_ref old = try_lock(k, owner);
	uint32_t taken = kit_if_unlikely(k, ir_bini(B(k), IR_NE, old, 0));
	/* the thread of either owner is above bit 15: user space's is of no CPU */
	ir_ref mine = ir_bini(B(k), IR_LSHR, ir_load(B(k), kit_local_addr(k, me), 0, 8, false), 16);
	ir_ref same_cpu = ir_bin(B(k), IR_EQ, old, ir_load(B(k), kit_local_addr(k, me), 0, 8, false));
	ir_ref user = ir_bin(B(k), IR_EQ, old, ir_bini(B(k), IR_SHL, ir_bini(B(k), IR_AND, mine, 0xffffffff), 16));
	uint32_t other = kit_if(k, ir_bini(B(k), IR_XOR, ir_bin(B(k), IR_OR, same_cpu, user), 1));
	wait(k, me);
	kit_endif(k, other);
	uint32_t lost = kit_if_unlikely(k, ir_bini(B(k), IR_EQ, is_held(k), 0));
	kit_count(k, k->prog->unlocked_offset, 1);
	kit_return(k, 0);
	kit_endif(k, lost);
	kit_endif(k, taken);
}

void kit_lock(struct kit *k)
{
	struct kit_frame *root = k->frame->root;
	if (!root->locked)
		root->locked = kit_local_of_handler(k);
	uint32_t done = ir_block_new(B(k), "locked"), take = ir_block_new(B(k), "lock");
	ir_br(B(k), is_held(k), done, take);
	ir_at(B(k), take);
	if (k->kind == PROG_USER) {
		(void)lock_word(k);
		H0(k, UH_LOCK);
		ir_store(B(k), kit_local_addr(k, root->locked), 0, 8, C(k, 1));
	} else {
		lock_in_kernel(k);
	}
	ir_jmp(B(k), done);
	ir_at(B(k), done);
}

void kit_unlock(struct kit *k)
{
	if (!k->frame->root->locked)
		return;
	uint32_t end = kit_if(k, is_held(k));
	if (k->kind == PROG_USER)
		H0(k, UH_UNLOCK);
	else
		ir_atomic(B(k), IR_ATOMIC_XCHG, lock_word(k), 0, 8, C(k, 0), 0);
	ir_store(B(k), kit_local_addr(k, k->frame->root->locked), 0, 8, C(k, 0));
	kit_endif(k, end);
}

void kit_take(struct kit *k, const struct var *const var[KIT_MAXTAKEN])
{
	ir_ref v[KIT_MAXTAKEN];
	for (unsigned i = 0; i < KIT_MAXTAKEN; i++)
		v[i] = C(k, var[i] ? (int64_t)var[i]->id + 1 : 0);
	(void)lock_word(k);
	ir_helper(B(k), UH_TAKE, v[0], v[1], v[2], v[3], v[4]);
}

void kit_take_end(struct kit *k)
{
	H0(k, UH_TAKE_END);
}
