/*
 * kit_record.c - records: what the kernel sends to user space.
 *
 * Layout: struct record_wire, the arguments at the offsets of act->args, then the tails of long
 * strings.  A record without tails is built in place in the ring buffer.  One with tails is put
 * together in scratch memory and sent with the length that it really has, so that a kilobyte of
 * room for str() costs only the bytes of the string.
 */
#include "lang/kit_internal.h"

#include <stddef.h>

static bool is_packed(const struct type *t)
{
	return t->kind == TYPE_STR && t->size > PACKED_STR;
}

static bool is_register(const struct type *t)
{
	return type_is_scalar(t);
}

static uint32_t fixed_size(const struct type *t)
{
	return is_packed(t) ? 8 : type_mem_size(t);
}

static uint32_t fixed_align(const struct type *t)
{
	return is_packed(t) ? 4 : MAX(type_align(t), 1u);
}

/* The tuple of the arguments: as in C, but packed strings are a pair of u32. */
static struct type *layout(struct kit *k, const struct kit_value *v, unsigned n)
{
	struct arena *a = k->prog->arena;
	struct type *t = arena_new(a, struct type);
	t->kind = TYPE_TUPLE;
	t->field = arena_array(a, struct field, n ? n : 1);
	t->nfield = n;
	uint32_t at = 0;
	for (unsigned i = 0; i < n; i++) {
		/* 8-aligned strings and arrays make word copies possible */
		uint32_t align = is_register(v[i].type) ? fixed_align(v[i].type)
				 : is_packed(v[i].type) ? 4
							: 8;
		at = ALIGN_UP(at, align);
		t->field[i] = (struct field){.type = v[i].type, .offset = at};
		at += fixed_size(v[i].type);
	}
	t->size = ALIGN_UP(at, 8u);
	return t;
}

static void store_fixed(struct kit *k, ir_ref rec, const struct kit_value *v, uint32_t at)
{
	uint32_t n = type_mem_size(v->type);
	if (!v->is_addr && is_register(v->type))
		ir_store(B(k), rec, at, n == 1 || n == 2 || n == 4 ? n : 8, v->v);
	else
		kit_copy(k, ir_bini(B(k), IR_ADD, rec, at), v->v, n);
}

static void store_header(struct kit *k, ir_ref rec, ir_ref id, ir_ref size)
{
	ir_store(B(k), rec, offsetof(struct record_wire, action), 4, id);
	ir_store(B(k), rec, offsetof(struct record_wire, size), 4, size);
}

static void count_lost(struct kit *k)
{
	struct program *p = k->prog;
	if (!p->lost_offset)
		p->lost_offset = program_data(p, 8, 8);
	kit_count(k, p->lost_offset, 1);
}

static void send_in_place(struct kit *k, ir_ref id, const struct type *args, const struct kit_value *v, unsigned n)
{
	uint32_t size = (uint32_t)sizeof(struct record_wire) + args->size;
	ir_ref rec =
		H(k, BPF_FUNC_ringbuf_reserve, ir_map(B(k), k->prog->ring), C(k, size), C(k, 0));
	uint32_t ok = ir_block_new(B(k), "reserved"), full = ir_block_new(B(k), "ring_full"),
		 end = ir_block_new(B(k), "sent");
	k->b.fn->block.at[full].unlikely = true;
	ir_br(B(k), ir_bin(B(k), IR_NE, rec, C(k, 0)), ok, full);
	ir_at(B(k), full);
	count_lost(k);
	ir_jmp(B(k), end);
	ir_at(B(k), ok);
	store_header(k, rec, id, C(k, size));
	for (unsigned i = 0; i < n; i++)
		store_fixed(k, rec, &v[i],
			    (uint32_t)sizeof(struct record_wire) + args->field[i].offset);
	H(k, BPF_FUNC_ringbuf_submit, rec, C(k, 0));
	ir_jmp(B(k), end);
	ir_at(B(k), end);
}

/* Appends a string's used bytes at `pos`; returns the new position. */
static ir_ref store_tail(struct kit *k, ir_ref rec, const struct kit_value *v, uint32_t at,
			 ir_ref pos)
{
	uint32_t cap = v->type->size;
	ir_ref dst = ir_bin(B(k), IR_ADD, rec, pos), len;
	if (v->len) {
		len = kit_length(k, v->len, cap);
		H(k, BPF_FUNC_probe_read_kernel, dst, len, v->v);
	} else {
		len = H(k, BPF_FUNC_probe_read_kernel_str, dst, C(k, cap), v->v);
		len = kit_length(k, len, cap);
	}
	ir_store(B(k), rec, at, 4, pos);
	ir_store(B(k), rec, at + 4, 4, len);
	return ir_bin(B(k), IR_ADD, pos, len);
}

/* Sends the first `pos` bytes of a record with tails. */
static void finish_packed(struct kit *k, struct action *act, ir_ref rec, ir_ref pos, uint32_t room)
{
	store_header(k, rec, C(k, act->id), pos);
	/* the bound once more in one piece: sums lose it on older verifiers */
	ir_ref len = kit_length(k, pos, room);
	ir_ref ret = H(k, BPF_FUNC_ringbuf_output, ir_map(B(k), k->prog->ring), rec, len, C(k, 0));
	uint32_t end = kit_if_unlikely(k, ret);
	count_lost(k);
	kit_endif(k, end);
}

static void send_packed(struct kit *k, struct action *act, const struct kit_value *v, unsigned n,
			uint32_t tails)
{
	uint32_t fixed = (uint32_t)sizeof(struct record_wire) + act->args->size;
	uint32_t mark = kit_mark(k);
	ir_ref rec = kit_mem(k, fixed + tails), pos = C(k, fixed);
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (uint32_t)sizeof(struct record_wire) + act->args->field[i].offset;
		if (is_packed(v[i].type))
			pos = store_tail(k, rec, &v[i], at, pos);
		else
			store_fixed(k, rec, &v[i], at);
	}
	store_header(k, rec, C(k, act->id), pos);
	/* the bound once more in one piece: sums of selects lose it on older verifiers */
	ir_ref len = ir_select(B(k), ir_bini(B(k), IR_ULE, pos, fixed + tails), pos,
			       C(k, fixed + tails));
	ir_ref ret = H(k, BPF_FUNC_ringbuf_output, ir_map(B(k), k->prog->ring), rec, len, C(k, 0));
	uint32_t end = kit_if_unlikely(k, ret);
	count_lost(k);
	kit_endif(k, end);
	kit_release(k, mark);
}

void kit_send(struct kit *k, struct action *act, const struct kit_value *v, unsigned n)
{
	act->args = layout(k, v, n);
	uint32_t tails = 0;
	for (unsigned i = 0; i < n; i++)
		tails += is_packed(v[i].type) ? v[i].type->size : 0;
	if (tails)
		send_packed(k, act, v, n, tails);
	else
		send_in_place(k, C(k, act->id), act->args, v, n);
}

/*
 * One string after the other goes right behind the last one; the vector's end leaves for the block
 * that sends. There is one path through each step, so the verifier's work grows with `max`, not
 * with its power.
 */
void kit_send_strings(struct kit *k, struct action *act, ir_ref vec, enum addr_space as,
		      unsigned max, uint32_t cap, struct loc loc)
{
	const struct kit_value v[] = {
		{.type = &type_uint64},
		{.type = type_str(k->prog->arena, max * cap)},
	};
	act->args = layout(k, v, 2);
	uint32_t fixed = (uint32_t)sizeof(struct record_wire) + act->args->size;
	uint32_t mark = kit_mark(k), done = ir_block_new(B(k), "strings");
	ir_ref rec = kit_mem(k, fixed + max * cap), pos = kit_slot(k, 8), count = kit_slot(k, 8);
	ir_store(B(k), pos, 0, 8, C(k, fixed));
	ir_store(B(k), count, 0, 8, C(k, 0));
	as = kit_as(k, as);
	int id = as == AS_USER ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str;
	for (unsigned i = 0; i < max; i++) {
		ir_ref p = kit_read_scalar(k, vec, 8 * (int64_t)i, 8, false, as, loc);
		uint32_t next = ir_block_new(B(k), "string");
		ir_br(B(k), p, next, done);
		ir_at(B(k), next);
		ir_ref at = ir_load(B(k), pos, 0, 8, false);
		ir_ref ret = H(k, id, ir_bin(B(k), IR_ADD, rec, at), C(k, cap), p);
		kit_check_helper(k, ret, id, loc);
		ir_store(B(k), pos, 0, 8, ir_bin(B(k), IR_ADD, at, kit_length(k, ret, cap)));
		ir_store(B(k), count, 0, 8, C(k, i + 1));
	}
	ir_jmp(B(k), done);
	ir_at(B(k), done);
	ir_ref end = ir_load(B(k), pos, 0, 8, false);
	uint32_t at = (uint32_t)sizeof(struct record_wire);
	ir_store(B(k), rec, at, 8, ir_load(B(k), count, 0, 8, false));
	at += act->args->field[1].offset;
	ir_store(B(k), rec, at, 4, C(k, fixed));
	ir_store(B(k), rec, at + 4, 4, ir_bini(B(k), IR_SUB, end, fixed));
	finish_packed(k, act, rec, end, fixed + max * cap);
	kit_release(k, mark);
}

void kit_exit(struct kit *k, ir_ref code, struct loc loc)
{
	struct program *p = k->prog;
	struct action *act = program_action(p, ACT_EXIT, loc);
	kit_send(k, act, &(struct kit_value){.type = &type_uint64, .v = code}, 1);
	ir_ref word = ir_bini(B(k), IR_OR, ir_bini(B(k), IR_SHL, code, 32), 1);
	ir_store(B(k), ir_mapval(B(k), p->data, program_exit_word(p, true)), 0, 8, word);
	kit_return(k, 0);
}

struct action *kit_bare_action(struct kit *k, enum action_kind kind, bool has_code, struct loc loc)
{
	struct action *act = program_action(k->prog, kind, loc);
	act->args = layout(k, &(struct kit_value){.type = &type_int64}, has_code);
	return act;
}

void kit_send_bare(struct kit *k, ir_ref id, ir_ref code)
{
	struct kit_value v = {.type = &type_int64, .v = code};
	send_in_place(k, id, layout(k, &v, code != 0), &v, code != 0);
}

static void runtime_error(struct kit *k, enum runtime_error e, ir_ref code, struct loc loc)
{
	if (k->on_error) {
		k->on_error(k, e, code, loc, k->on_error_arg);
		return;
	}
	struct action *act = program_action(k->prog, ACT_RUNTIME_ERROR, loc);
	act->number = e;
	kit_send(k, act, &(struct kit_value){.type = &type_int64, .v = code}, code != 0);
}

void kit_runtime_error(struct kit *k, enum runtime_error e, struct loc loc)
{
	runtime_error(k, e, 0, loc);
}

/* Before 6.4 the functions behind these helpers return an int: only the lower half of the register is theirs. */
void kit_map_error(struct kit *k, enum runtime_error e, ir_ref ret, struct loc loc)
{
	runtime_error(k, e, ir_ext(B(k), ret, 4, true), loc);
}

void kit_check_helper(struct kit *k, ir_ref ret, int helper, struct loc loc)
{
	if (k->helper_errors)
		kit_tell_helper(k, ret, helper, loc);
}

void kit_tell_helper(struct kit *k, ir_ref ret, int helper, struct loc loc)
{
	struct action *act = program_action(k->prog, ACT_HELPER_ERROR, loc);
	act->number = (uint64_t)helper;
	uint32_t end = kit_if_unlikely(k, ir_bin(B(k), IR_SLT, ret, C(k, 0)));
	kit_send(k, act, &(struct kit_value){.type = &type_int64, .v = ret}, 1);
	kit_endif(k, end);
}
