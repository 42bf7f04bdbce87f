/*
 * kit_var.c - script variables: where each lives and how it is read and written.
 *
 * A scalar does not go through a hash map: it is memory of an array map that the program addresses
 * directly, a scalar aggregation is a row of memory per CPU.  See struct var for the forms.
 */
#include "lang/kit_internal.h"

#include <errno.h>

uint32_t kit_value_size(const struct var *v)
{
	return type_mem_size(v->value);
}

static void define_keyed(struct kit *k, struct var *v)
{
	struct program *p = k->prog;
	uint32_t key = v->key ? type_mem_size(v->key) : 0, size = kit_value_size(v);
	enum map_kind kind = type_is_agg(v->value) ? MAP_PERCPU_HASH : MAP_HASH;
	if (v->value->kind == TYPE_TSERIES) {
		key = ALIGN_UP(key, 8u) + 8;
		size = sizeof(struct tseries_wire);
		kind = MAP_HASH;
	} else if (v->is_declared) {
		kind = (enum map_kind)v->declared_kind;
	}
	v->value_offset = v->has_seq ? 8 : 0;
	v->map = program_map(p, v->name, kind, key, ALIGN_UP(v->value_offset + size, 8u),
			     v->max_entries);
	/* allocated as used: creating the map costs nothing, and values may be large */
	v->map->no_prealloc = kind == MAP_HASH || kind == MAP_PERCPU_HASH;
	if (v->has_seq && !p->seq_offset)
		p->seq_offset = program_data(p, 8, 8);
}

void kit_var_define(struct kit *k, struct var *v)
{
	struct program *p = k->prog;
	if (!v->max_entries)
		v->max_entries = p->opt.max_map_keys;
	if (v->key || v->value->kind == TYPE_TSERIES) {
		define_keyed(k, v);
	} else if (type_is_agg(v->value)) {
		/* all others than sums tell by themselves that they were updated */
		bool is_marked = v->tells_unset && v->value->kind == TYPE_SUM;
		v->map = p->percpu;
		v->offset = program_percpu(p, kit_value_size(v) + (is_marked ? 8 : 0), 8);
		v->set_offset = is_marked ? v->offset + 8 : 0;
	} else {
		uint32_t size = ALIGN_UP(kit_value_size(v), 8u);
		v->map = p->data;
		v->offset = program_data(p, size + (v->tells_unset ? 8 : 0), 8);
		v->set_offset = v->tells_unset ? v->offset + size : 0;
	}
}

/* A value that is not zero tells by itself that it was set. */
static void mark_set(struct kit *k, const struct var *v, ir_ref value)
{
	int64_t c;
	if (v->set_offset && !(value && ir_is_const(k->b.fn, value, &c) && c))
		ir_store(B(k), ir_mapval(B(k), v->map, v->set_offset), 0, 1, C(k, 1));
}

static bool is_scalar(const struct kit *k, const struct var *v)
{
	return v->map == k->prog->data || v->map == k->prog->percpu;
}

/* See struct row_const: the final size of a row is known only when every handler was lowered. */
ir_ref kit_row_const(struct kit *k)
{
	ir_ref r = ir_const_later(B(k));
	vec_push(&k->prog->row_consts, (struct row_const){.fn = k->b.fn, .insn = r});
	return r;
}

ir_ref kit_percpu_row(struct kit *k)
{
	struct program *p = k->prog;
	ir_ref cpu = H0(k, BPF_FUNC_get_smp_processor_id);
	/* never true; tells the verifier the bound */
	ir_ref bad = ir_bin(B(k), IR_ULE, C(k, p->ncpus), cpu);
	uint32_t end = kit_if_unlikely(k, bad);
	if (k->frame->parent) {
		ir_jmp(B(k), k->frame->break_block);
	} else {
		ir_jmp(B(k), k->frame->exit_block);
	}
	kit_endif(k, end);
	ir_ref off = ir_bin(B(k), IR_MUL, cpu, kit_row_const(k));
	return ir_bin(B(k), IR_ADD, ir_mapval(B(k), p->percpu, 0), off);
}

ir_ref kit_var_lookup(struct kit *k, struct var *v, ir_ref key)
{
	if (v->map == k->prog->data)
		return ir_mapval(B(k), v->map, v->offset);
	if (v->map == k->prog->percpu)
		return ir_bini(B(k), IR_ADD, kit_percpu_row(k), v->offset);
	return H(k, BPF_FUNC_map_lookup_elem, ir_map(B(k), v->map), key);
}

void kit_var_if(struct kit *k, struct var *v, ir_ref key,
		void (*hit)(struct kit *k, ir_ref value, void *arg),
		void (*miss)(struct kit *k, void *arg), void *arg)
{
	ir_ref p = kit_var_lookup(k, v, key);
	if (is_scalar(k, v)) {
		hit(k, p, arg);
		return;
	}
	uint32_t yes = ir_block_new(B(k), "hit"), no = ir_block_new(B(k), "miss"),
		 end = ir_block_new(B(k), "found");
	ir_br(B(k), ir_bin(B(k), IR_NE, p, C(k, 0)), yes, miss ? no : end);
	ir_at(B(k), yes);
	hit(k, ir_bini(B(k), IR_ADD, p, v->value_offset), arg);
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), end);
	ir_at(B(k), no);
	if (miss)
		miss(k, arg);
	if (!ir_terminated(B(k)))
		ir_jmp(B(k), end);
	ir_at(B(k), end);
}

struct get {
	struct var *v;
	ir_ref dst;
	unsigned width;
};

static void copy_hit(struct kit *k, ir_ref value, void *arg)
{
	struct get *g = arg;
	kit_copy(k, g->dst, value, kit_value_size(g->v));
}

static void zero_miss(struct kit *k, void *arg)
{
	struct get *g = arg;
	kit_zero(k, g->dst, kit_value_size(g->v));
}

void kit_var_get(struct kit *k, struct var *v, ir_ref key, ir_ref dst)
{
	if (type_is_agg(v->value)) {
		kit_agg_merge(k, v, key, dst);
		return;
	}
	struct get g = {v, dst, 0};
	kit_var_if(k, v, key, copy_hit, zero_miss, &g);
}

static void load_hit(struct kit *k, ir_ref value, void *arg)
{
	struct get *g = arg;
	ir_store(B(k), g->dst, 0, 8, ir_load(B(k), value, 0, g->width, g->v->value->is_signed));
}

static unsigned width_of(const struct type *t)
{
	return t->size == 1 || t->size == 2 || t->size == 4 ? t->size : 8;
}

ir_ref kit_var_get_scalar(struct kit *k, struct var *v, ir_ref key)
{
	if (type_is_agg(v->value))
		return kit_agg_read(k, v, key, AGG_VALUE);
	struct get g = {v, kit_slot(k, 8), width_of(v->value)};
	ir_store(B(k), g.dst, 0, 8, C(k, 0));
	kit_var_if(k, v, key, load_hit, NULL, &g);
	return ir_load(B(k), g.dst, 0, 8, false);
}

/* --- arrays that wrap ------------------------------------------------------------------------------------ */

struct oldest {
	struct var *v;
	struct kit_local *key, *seq, *found;
};

static void keep_later(struct kit *k, ir_ref p, void *arg)
{
	ir_ref slot = *(ir_ref *)arg, best = ir_load(B(k), slot, 0, 8, false);
	/* the number is on the CPU that made the element; other parts have 0 there */
	ir_ref n = ir_load(B(k), ir_bini(B(k), IR_SUB, p, 8), 0, 8, false);
	ir_store(B(k), slot, 0, 8, ir_select(B(k), ir_bin(B(k), IR_ULT, best, n), n, best));
}

static ir_ref seq_of(struct kit *k, struct var *v, ir_ref key, ir_ref value)
{
	if (!type_is_agg(v->value))
		return ir_load(B(k), value, 0, 8, false);
	ir_ref slot = kit_slot(k, 8);
	ir_store(B(k), slot, 0, 8, C(k, 0));
	kit_each_cpu(k, v, key, keep_later, &slot);
	return ir_load(B(k), slot, 0, 8, false);
}

/*
 * Makes room in an array that wraps: the element that was inserted first goes.  This walks the whole map, but only
 * an array that is full comes here.
 */
static void evict(struct kit *k, struct var *v)
{
	struct oldest o = {v, kit_local(k, ALIGN_UP(v->map->key_size, 8u)), kit_local(k, 8), kit_local(k, 8)};
	ir_store(B(k), kit_local_addr(k, o.seq), 0, 8, C(k, -1));
	ir_store(B(k), kit_local_addr(k, o.found), 0, 8, C(k, 0));
	kit_enter_callback(k, "oldest", 4, 3);
	ir_ref key = kit_mem(k, v->map->key_size);
	kit_copy(k, key, ir_param(B(k), 1), v->map->key_size);
	ir_ref seq = seq_of(k, v, key, ir_param(B(k), 2));
	ir_ref older = ir_bin(B(k), IR_ULT, seq, ir_load(B(k), kit_local_addr(k, o.seq), 0, 8, false));
	uint32_t end = kit_if(k, older);
	ir_store(B(k), kit_local_addr(k, o.seq), 0, 8, seq);
	ir_store(B(k), kit_local_addr(k, o.found), 0, 8, C(k, 1));
	kit_copy(k, kit_local_addr(k, o.key), key, v->map->key_size);
	kit_endif(k, end);
	ir_jmp(B(k), k->frame->continue_block);
	ir_at(B(k), k->frame->continue_block);
	ir_ret(B(k), C(k, 0));
	struct ir_fn *fn;
	ir_ref record = kit_leave_callback(k, &fn);
	H(k, BPF_FUNC_for_each_map_elem, ir_map(B(k), v->map), ir_fnaddr(B(k), fn), record, C(k, 0));
	uint32_t any = kit_if(k, ir_load(B(k), kit_local_addr(k, o.found), 0, 8, false));
	H(k, BPF_FUNC_map_delete_elem, ir_map(B(k), v->map), kit_local_addr(k, o.key));
	kit_endif(k, any);
}

/* An update; of an array that wraps, again after the oldest element has gone.  Address of the helper's result. */
ir_ref kit_var_insert(struct kit *k, struct var *v, ir_ref key, ir_ref from, int64_t flags)
{
	ir_ref ret = H(k, BPF_FUNC_map_update_elem, ir_map(B(k), v->map), key, from, C(k, flags));
	if (!v->wrap)
		return ret;
	ir_ref slot = kit_slot(k, 8);
	ir_store(B(k), slot, 0, 8, ret);
	/* before 6.4 the functions behind this helper return an int: only the lower half of the register is theirs */
	uint32_t end = kit_if_unlikely(k, ir_bini(B(k), IR_EQ, ir_ext(B(k), ret, 4, true), -E2BIG));
	evict(k, v);
	ret = H(k, BPF_FUNC_map_update_elem, ir_map(B(k), v->map), key, from, C(k, flags));
	ir_store(B(k), slot, 0, 8, ret);
	kit_endif(k, end);
	return ir_load(B(k), slot, 0, 8, false);
}

/* After an update that the kernel may have refused: the map is full, or memory is short. */
static void check_update(struct kit *k, ir_ref ret, struct loc loc)
{
	uint32_t end = kit_if_unlikely(k, ret);
	kit_map_error(k, RT_MAP_FULL, ret, loc);
	kit_endif(k, end);
}

/* A new element with its insertion number in front. */
static ir_ref with_seq(struct kit *k, struct var *v, ir_ref value_addr)
{
	ir_ref whole = kit_mem(k, v->map->value_size);
	ir_ref seq =
		ir_atomic(B(k), IR_ATOMIC_FADD, ir_mapval(B(k), k->prog->data, k->prog->seq_offset),
			  0, 8, C(k, 1), 0);
	ir_store(B(k), whole, 0, 8, seq);
	ir_ref at = ir_bini(B(k), IR_ADD, whole, v->value_offset);
	uint32_t n = kit_value_size(v), room = v->map->value_size - v->value_offset;
	kit_copy(k, at, value_addr, n);
	if (room > n)
		kit_zero(k, ir_bini(B(k), IR_ADD, at, n), room - n);
	return whole;
}

struct set {
	struct var *v;
	ir_ref key, value_addr, value;
	struct loc loc;
	unsigned width;
};

static void set_hit(struct kit *k, ir_ref value, void *arg)
{
	struct set *s = arg;
	if (s->value_addr)
		kit_copy(k, value, s->value_addr, kit_value_size(s->v));
	else
		ir_store(B(k), value, 0, s->width, s->value);
	mark_set(k, s->v, s->value);
}

static void set_miss(struct kit *k, void *arg)
{
	struct set *s = arg;
	ir_ref from = s->value_addr;
	if (!from) {
		from = kit_slot(k, 8);
		ir_store(B(k), from, 0, 8, C(k, 0));
		ir_store(B(k), from, 0, s->width, s->value);
	}
	if (s->v->has_seq) {
		from = with_seq(k, s->v, from);
	} else if (kit_value_size(s->v) < s->v->map->value_size && s->value_addr) {
		ir_ref whole = kit_mem_zero(k, s->v->map->value_size);
		kit_copy(k, whole, from, kit_value_size(s->v));
		from = whole;
	}
	ir_ref ret = kit_var_insert(k, s->v, s->key, from, BPF_ANY);
	check_update(k, ret, s->loc);
}

void kit_var_set(struct kit *k, struct var *v, ir_ref key, ir_ref value_addr, struct loc loc)
{
	struct set s = {v, key, value_addr, 0, loc, 0};
	if (is_scalar(k, v) || v->has_seq)
		kit_var_if(k, v, key, set_hit, set_miss, &s);
	else
		set_miss(k,
			 &s); /* replaces the element as a whole: readers never see half a value */
}

void kit_var_set_here(struct kit *k, struct var *v, ir_ref key, ir_ref value, struct loc loc)
{
	struct set s = {v, key, 0, value, loc, width_of(v->value)};
	kit_var_if(k, v, key, set_hit, set_miss, &s);
}

void kit_var_set_scalar(struct kit *k, struct var *v, ir_ref key, ir_ref value, struct loc loc)
{
	ir_ref ret;
	if (!kit_shared(k, SHARED_SET, v, key, value, loc, &ret))
		kit_var_set_here(k, v, key, value, loc);
}

struct add {
	struct var *v;
	ir_ref key, delta, old, ret; /* ret: of the helper that made the element */
	struct loc loc;
};

static void add_hit(struct kit *k, ir_ref value, void *arg)
{
	struct add *a = arg;
	int64_t c;
	ir_store(B(k), a->old, 0, 8, ir_atomic(B(k), IR_ATOMIC_FADD, value, 0, 8, a->delta, 0));
	/* what is only counted up, by one each time, never comes to zero again */
	mark_set(k, a->v, ir_is_const(k->b.fn, a->delta, &c) && c == 1 ? a->delta : 0);
}

static void add_full(struct kit *k, void *arg)
{
	struct add *a = arg;
	kit_map_error(k, RT_MAP_FULL, a->ret, a->loc);
}

/* Absent: create it, unless another CPU was faster; then add to what that one made. */
static void add_miss(struct kit *k, void *arg)
{
	struct add *a = arg;
	k->b.fn->block.at[k->b.block].unlikely = true;
	ir_ref from = kit_slot(k, 8);
	ir_store(B(k), from, 0, 8, a->delta);
	if (a->v->has_seq)
		from = with_seq(k, a->v, from);
	a->ret = kit_var_insert(k, a->v, a->key, from, BPF_NOEXIST);
	uint32_t end = kit_if_unlikely(k, a->ret);
	kit_var_if(k, a->v, a->key, add_hit, add_full, a);
	kit_endif(k, end);
}

ir_ref kit_var_add_here(struct kit *k, struct var *v, ir_ref key, ir_ref delta, struct loc loc)
{
	struct add a = {.v = v, .key = key, .delta = delta, .old = kit_slot(k, 8), .loc = loc};
	ir_store(B(k), a.old, 0, 8, C(k, 0));
	kit_var_if(k, v, key, add_hit, add_miss, &a);
	return ir_load(B(k), a.old, 0, 8, false);
}

ir_ref kit_var_add(struct kit *k, struct var *v, ir_ref key, ir_ref delta, struct loc loc)
{
	ir_ref old;
	return kit_shared(k, SHARED_ADD, v, key, delta, loc, &old) ? old : kit_var_add_here(k, v, key, delta, loc);
}

ir_ref kit_var_has(struct kit *k, struct var *v, ir_ref key)
{
	if (is_scalar(k, v))
		return C(k, 1);
	return ir_bin(B(k), IR_NE, kit_var_lookup(k, v, key), C(k, 0));
}

ir_ref kit_var_delete(struct kit *k, struct var *v, ir_ref key)
{
	if (v->map == k->prog->data) {
		kit_zero(k, ir_mapval(B(k), v->map, v->offset), ALIGN_UP(kit_value_size(v), 8u) + (v->set_offset ? 8 : 0));
		return C(k, 1);
	}
	if (v->map == k->prog->percpu) {
		/* every CPU's part; the count of CPUs is a constant */
		for (unsigned cpu = 0; cpu < k->prog->ncpus; cpu++) {
			ir_ref off = ir_bini(B(k), IR_MUL, kit_row_const(k), cpu);
			ir_ref row = ir_bin(B(k), IR_ADD, ir_mapval(B(k), v->map, 0), off);
			kit_zero(k, ir_bini(B(k), IR_ADD, row, v->offset), kit_value_size(v) + (v->set_offset ? 8 : 0));
		}
		return C(k, 1);
	}
	ir_ref ret = H(k, BPF_FUNC_map_delete_elem, ir_map(B(k), v->map), key);
	return ir_bin(B(k), IR_EQ, ret, C(k, 0));
}

ir_ref kit_var_len(struct kit *k, struct var *v)
{
	if (is_scalar(k, v))
		return C(k, 1);
	kit_enter_callback(k, "len", 4, 3);
	ir_ret(B(k), C(k, 0));
	ir_at(B(k), k->frame->continue_block);
	ir_ret(B(k), C(k, 0));
	struct ir_fn *fn;
	ir_ref record = kit_leave_callback(k, &fn);
	/* it says how many elements it saw */
	return H(k, BPF_FUNC_for_each_map_elem, ir_map(B(k), v->map), ir_fnaddr(B(k), fn), record,
		 C(k, 0));
}
