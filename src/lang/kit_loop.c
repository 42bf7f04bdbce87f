/*
 * kit_loop.c - loops whose number of rounds the verifier need not know: bpf_loop (kernel 5.17) and
 * bpf_for_each_map_elem (5.13) with the body as a callback.
 */
#include "lang/kit_internal.h"

enum {
	LOOP_MAX = 1 << 23 /* kernel: BPF_MAX_LOOPS */
};

struct kit_frame *kit_enter_callback(struct kit *k, const char *what, unsigned nparams,
				     unsigned record_param)
{
	struct kit_frame *parent = k->frame, *f = arena_new(k->prog->arena, struct kit_frame);
	f->parent = parent;
	f->root = parent->root;
	char *name = arena_printf(k->prog->arena, "%s.%s%zu", parent->root->fn->name, what,
				  k->prog->fn.len);
	f->fn = ir_fn_new(k->prog, name, IR_CALLBACK, nparams);
	/* remember where the parent goes on */
	f->body_block = k->b.block;
	struct loc loc = k->b.loc;
	k->frame = f;
	k->b = (struct ir_builder){.fn = f->fn, .loc = loc};
	f->slots_block = 1; /* the entry */
	ir_at(B(k), f->slots_block);
	f->capture_record = ir_param(B(k), record_param);
	f->break_block = ir_block_new(B(k), "break");
	f->continue_block = ir_block_new(B(k), "continue");
	f->after_scratch = ir_block_new(B(k), "body");
	ir_at(B(k), f->after_scratch);
	return f;
}

/*
 * What the body changes must not be a known constant to the verifier when the loop begins.  Kernels before 6.7 look at the body once and go on
 * after the loop with what was known before it: they would take a test of such a constant for decided and drop the other way.  Later ones
 * would walk every round.  Word 0 of `data` is never written; the verifier cannot know that.
 */
static void forget(struct kit *k, struct kit_local *v)
{
	ir_ref at = kit_local_addr(k, v),
	       zero = ir_load(B(k), ir_mapval(B(k), k->prog->data, 0), 0, 8, false);
	for (uint32_t off = 0; off < v->size; off += 8)
		ir_store(B(k), at, off, 8, ir_bin(B(k), IR_ADD, ir_load(B(k), at, off, 8, false), zero));
}

ir_ref kit_leave_callback(struct kit *k, struct ir_fn **fn_ret)
{
	struct kit_frame *f = k->frame;
	ir_at(B(k), f->break_block);
	ir_ret(B(k), C(k, 1));
	ir_at(B(k), f->slots_block);
	ir_jmp(B(k), f->after_scratch);
	ir_cfg(f->fn);
	*fn_ret = f->fn;
	struct loc loc = k->b.loc;
	k->frame = f->parent;
	k->b = (struct ir_builder){.fn = f->parent->fn, .loc = loc};
	ir_at(B(k), f->body_block);
	if (!f->capture.len) {
		ir_ref none = kit_slot(k, 8);
		ir_store(B(k), none, 0, 8, C(k, 0));
		return none;
	}
	ir_ref record = kit_slot(k, (uint32_t)f->capture.len * 8);
	for (size_t i = 0; i < f->capture.len; i++)
		if (!f->capture.at[i]->is_address)
			forget(k, f->capture.at[i]);
	for (size_t i = 0; i < f->capture.len; i++)
		ir_store(B(k), record, (int64_t)i * 8, 8, kit_local_addr(k, f->capture.at[i]));
	vec_free(&f->capture);
	return record;
}

/* Ends a body: falls into continue, which yields 0 (go on). */
static void close_body(struct kit *k)
{
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), k->frame->continue_block);
	ir_at(B(k), k->frame->continue_block);
}

/* After a loop: a return inside the body leaves this function too. */
static void pass_return_on(struct kit *k)
{
	struct kit_frame *root = k->frame->root;
	if (!root->returned)
		return;
	ir_ref left = ir_load(B(k), kit_local_addr(k, root->returned), 0, 8, false);
	uint32_t on = ir_block_new(B(k), "after_loop");
	ir_br(B(k), left, k->frame->parent ? k->frame->break_block : k->frame->exit_block, on);
	ir_at(B(k), on);
}

static struct kit_local *local_of(struct kit *k, ir_ref v)
{
	struct kit_local *l = kit_local(k, 8);
	ir_store(B(k), kit_local_addr(k, l), 0, 8, v);
	return l;
}

/* Known to have no more rounds than the kernel makes. */
static bool is_short(const struct kit *k, ir_ref from, ir_ref to)
{
	int64_t a, b;
	return ir_is_const(k->b.fn, from, &a) && ir_is_const(k->b.fn, to, &b) && a > INT32_MIN && b < INT32_MAX &&
	       b - a <= LOOP_MAX;
}

void kit_loop_range(struct kit *k, ir_ref from, ir_ref to,
		    void (*body)(struct kit *k, ir_ref i, void *arg), void *arg)
{
	struct kit_local *start = local_of(k, from);
	ir_ref n = ir_bin(B(k), IR_SUB, to, from);
	ir_ref some = ir_bin(B(k), IR_SLT, from, to);
	n = ir_select(B(k), some, n, C(k, 0));
	/* one more than the kernel takes: it refuses the loop, and that is said */
	ir_ref few = ir_bini(B(k), IR_ULE, n, LOOP_MAX);
	n = ir_select(B(k), few, n, C(k, LOOP_MAX + 1));
	struct kit_local *rounds = local_of(k, n);

	kit_enter_callback(k, "for", 2, 1);
	ir_ref i = ir_param(B(k), 0);
	ir_ref first = ir_load(B(k), kit_local_addr(k, start), 0, 8, false);
	body(k, ir_bin(B(k), IR_ADD, first, ir_ext(B(k), i, 4, false)), arg);
	close_body(k);
	ir_ret(B(k), C(k, 0));
	struct ir_fn *fn;
	ir_ref record = kit_leave_callback(k, &fn);
	n = ir_load(B(k), kit_local_addr(k, rounds), 0, 8, false);
	/* A loop that the verifier knows not to run would lose its body but keep the body's address, which the kernel
	 * calls a fault of its own. */
	uint32_t any = kit_if(k, n);
	ir_ref done = H(k, BPF_FUNC_loop, n, ir_fnaddr(B(k), fn), record, C(k, 0));
	if (!is_short(k, from, to)) /* where the verifier puts the loop in line it yields 32 bits */
		kit_tell_helper(k, ir_ext(B(k), done, 4, true), BPF_FUNC_loop, k->b.loc);
	kit_endif(k, any);
	pass_return_on(k);
}

void kit_loop_while(struct kit *k, ir_ref (*cond)(struct kit *k, void *arg),
		    void (*body)(struct kit *k, void *arg), void (*step)(struct kit *k, void *arg),
		    void *arg, uint32_t limit)
{
	kit_enter_callback(k, "while", 2, 1);
	if (cond) {
		uint32_t go = ir_block_new(B(k), "round");
		ir_ref c = cond(k, arg);
		ir_br(B(k), c, go, k->frame->break_block);
		ir_at(B(k), go);
	}
	body(k, arg);
	close_body(k);
	if (step)
		step(k, arg);
	ir_ret(B(k), C(k, 0));
	struct ir_fn *fn;
	ir_ref record = kit_leave_callback(k, &fn);
	H(k, BPF_FUNC_loop, C(k, MIN(limit, (uint32_t)LOOP_MAX)), ir_fnaddr(B(k), fn), record,
	  C(k, 0));
	pass_return_on(k);
}

static bool is_percpu(const struct var *v)
{
	return v->map->kind == MAP_PERCPU_HASH || v->map->kind == MAP_LRU_PERCPU_HASH;
}

void kit_loop_var(struct kit *k, struct var *v,
		  void (*body)(struct kit *k, ir_ref key, ir_ref value, void *arg), void *arg)
{
	kit_enter_callback(k, "each", 4, 3);
	/* the iterator's key may not be passed to every helper: use a copy */
	ir_ref key = kit_mem(k, v->map->key_size);
	kit_copy(k, key, ir_param(B(k), 1), v->map->key_size);
	ir_ref value;
	if (type_is_agg(v->value)) {
		value = kit_mem(k, kit_value_size(v));
		kit_agg_merge(k, v, key, value);
	} else if (is_percpu(v)) {
		value = kit_mem(k, kit_value_size(v));
		kit_var_get(k, v, key, value);
	} else {
		value = ir_bini(B(k), IR_ADD, ir_param(B(k), 2), v->value_offset);
	}
	body(k, key, value, arg);
	close_body(k);
	ir_ret(B(k), C(k, 0));
	struct ir_fn *fn;
	ir_ref record = kit_leave_callback(k, &fn);
	H(k, BPF_FUNC_for_each_map_elem, ir_map(B(k), v->map), ir_fnaddr(B(k), fn), record,
	  C(k, 0));
	pass_return_on(k);
}

void kit_break(struct kit *k)
{
	ir_jmp(B(k), k->frame->break_block);
	ir_at(B(k), ir_block_new(B(k), "after_break"));
}

void kit_continue(struct kit *k)
{
	ir_jmp(B(k), k->frame->continue_block);
	ir_at(B(k), ir_block_new(B(k), "after_continue"));
}
