/*
 * kit_agg.c - aggregations: updated on this CPU's part, merged over all CPUs when read.
 *
 * Single words are added atomically even though they are this CPU's own, unless the program says that its
 * handlers run one at a time: otherwise one can be preempted or interrupted by another one on the same CPU,
 * and nothing may be lost.  Nor when user space or another CPU may set it to zero: a sum that was read before and is
 * written after would be back.
 */
#include "lang/kit_internal.h"

#include <stddef.h>

static void add_at(struct kit *k, ir_ref p, int64_t off, ir_ref n)
{
	if (k->plain_adds)
		ir_store(B(k), p, off, 8, ir_bin(B(k), IR_ADD, ir_load(B(k), p, off, 8, false), n));
	else
		ir_atomic_add(B(k), p, off, 8, n);
}

/* *(p + off) = better of it and n; `is_max`, `is_signed` choose which is better. */
static void keep_better(struct kit *k, ir_ref p, int64_t off, ir_ref n, bool is_max, bool is_signed)
{
	ir_ref old = ir_load(B(k), p, off, 8, false);
	enum ir_op less = is_signed ? IR_SLT : IR_ULT;
	ir_ref better = is_max ? ir_bin(B(k), less, old, n) : ir_bin(B(k), less, n, old);
	uint32_t end = kit_if(k, better);
	if (k->plain_adds) {
		ir_store(B(k), p, off, 8, n);
	} else {
		/* what came between the look and the write may be better still: it is put back */
		ir_ref between = ir_atomic(B(k), IR_ATOMIC_XCHG, p, off, 8, n, 0);
		ir_ref lost = is_max ? ir_bin(B(k), less, n, between) : ir_bin(B(k), less, between, n);
		uint32_t back = kit_if_unlikely(k, lost);
		ir_store(B(k), p, off, 8, between);
		kit_endif(k, back);
	}
	kit_endif(k, end);
}

static void minmax_update(struct kit *k, const struct type *t, ir_ref p, ir_ref n)
{
	uint32_t set = ir_block_new(B(k), "is_set"), first = ir_block_new(B(k), "first"),
		 end = ir_block_new(B(k), "minmax");
	ir_ref is_set = ir_load(B(k), p, offsetof(struct minmax_wire, is_set), 8, false);
	ir_br(B(k), is_set, set, first);
	ir_at(B(k), first);
	ir_store(B(k), p, offsetof(struct minmax_wire, value), 8, n);
	ir_store(B(k), p, offsetof(struct minmax_wire, is_set), 8, C(k, 1));
	ir_jmp(B(k), end);
	ir_at(B(k), set);
	keep_better(k, p, offsetof(struct minmax_wire, value), n, t->kind == TYPE_MAX,
		    t->is_signed);
	ir_jmp(B(k), end);
	ir_at(B(k), end);
}

/* p[bucket]++, with the bound that the verifier wants to see. */
static void bucket_update(struct kit *k, ir_ref p, ir_ref bucket, uint32_t nbuckets, int64_t base)
{
	uint32_t end = kit_if(k, ir_bini(B(k), IR_ULT, bucket, nbuckets));
	ir_ref at = ir_bin(B(k), IR_ADD, p, ir_bini(B(k), IR_SHL, bucket, 3));
	add_at(k, at, base, C(k, 1));
	kit_endif(k, end);
}

/* hist() without sub-buckets: 0 below zero, 1 for zero, 2 + log2(n).  In line: a call costs more than all of it. */
static ir_ref hist_bucket(struct kit *k, ir_ref n)
{
	ir_ref v = kit_slot(k, 8), b = kit_slot(k, 8);
	ir_store(B(k), v, 0, 8, n);
	ir_store(B(k), b, 0, 8, ir_bini(B(k), IR_EQ, n, 0));
	uint32_t above = kit_if(k, ir_bin(B(k), IR_SLT, C(k, 0), n));
	ir_store(B(k), b, 0, 8, C(k, 2));
	for (unsigned half = 32; half > 1; half /= 2) {
		ir_ref up = ir_bini(B(k), IR_LSHR, ir_load(B(k), v, 0, 8, false), half);
		uint32_t low = kit_if(k, up);
		ir_store(B(k), v, 0, 8, up);
		ir_store(B(k), b, 0, 8, ir_bini(B(k), IR_ADD, ir_load(B(k), b, 0, 8, false), half));
		kit_endif(k, low);
	}
	ir_ref last = ir_bini(B(k), IR_LSHR, ir_load(B(k), v, 0, 8, false), 1);
	ir_store(B(k), b, 0, 8, ir_bin(B(k), IR_ADD, ir_load(B(k), b, 0, 8, false), last));
	kit_endif(k, above);
	return ir_load(B(k), b, 0, 8, false);
}

/* bpftrace's lhist: 0 below min, the last one from max on. */
static ir_ref lhist_bucket(struct kit *k, ir_ref n, const int64_t arg[3])
{
	int64_t min = arg[0], max = arg[1], step = arg[2];
	ir_ref b = ir_bini(B(k), IR_UDIV, ir_bini(B(k), IR_SUB, n, min), step);
	b = ir_bini(B(k), IR_ADD, b, 1);
	ir_ref low = ir_bin(B(k), IR_SLT, n, C(k, min)), high = ir_bin(B(k), IR_SLE, C(k, max), n);
	b = ir_select(B(k), high, C(k, lhist_buckets(min, max, step) - 1), b);
	return ir_select(B(k), low, C(k, 0), b);
}

/* SystemTap's linear histogram: 0 below low, the last one above the highest bucket. */
static ir_ref linear_bucket(struct kit *k, ir_ref n, const int64_t arg[3], uint32_t nbuckets)
{
	ir_ref b = ir_bini(B(k), IR_UDIV, ir_bini(B(k), IR_SUB, n, arg[0]), arg[2]);
	b = ir_bini(B(k), IR_ADD, b, 1);
	b = ir_select(B(k), ir_bini(B(k), IR_ULT, b, nbuckets), b, C(k, nbuckets - 1));
	return ir_select(B(k), ir_bin(B(k), IR_SLT, n, C(k, arg[0])), C(k, 0), b);
}

static void stat_update(struct kit *k, const struct var *v, ir_ref p, ir_ref n)
{
	const struct type *t = v->value;
	uint32_t buckets = (kit_value_size(v) - (uint32_t)sizeof(struct stat_wire)) / 8;
	ir_ref count = ir_load(B(k), p, offsetof(struct stat_wire, count), 8, false);
	uint32_t first = ir_block_new(B(k), "first"), later = ir_block_new(B(k), "later"),
		 end = ir_block_new(B(k), "minmax");
	if (v->stat_ops & (STAT_MIN | STAT_MAX)) {
		ir_br(B(k), count, later, first);
		ir_at(B(k), first);
		ir_store(B(k), p, offsetof(struct stat_wire, min), 8, n);
		ir_store(B(k), p, offsetof(struct stat_wire, max), 8, n);
		ir_jmp(B(k), end);
		ir_at(B(k), later);
		keep_better(k, p, offsetof(struct stat_wire, min), n, false, true);
		keep_better(k, p, offsetof(struct stat_wire, max), n, true, true);
		ir_jmp(B(k), end);
		ir_at(B(k), end);
	}
	add_at(k, p, offsetof(struct stat_wire, sum), n);
	if (v->stat_ops & STAT_VARIANCE)
		ir_rt(B(k), "rt_stat_variance", p, ir_bini(B(k), IR_SHL, n, v->variance_bits));
	add_at(k, p, offsetof(struct stat_wire, count), C(k, 1));
	if (v->stat_ops & STAT_HIST_LOG)
		bucket_update(k, p, ir_rt(B(k), "rt_stap_hist_log", n), buckets,
			      sizeof(struct stat_wire));
	else if (v->stat_ops & STAT_HIST_LINEAR)
		bucket_update(k, p, linear_bucket(k, n, t->arg, buckets), buckets,
			      sizeof(struct stat_wire));
}

static void update_at(struct kit *k, const struct var *v, ir_ref p, ir_ref n)
{
	const struct type *t = v->value;
	switch (t->kind) {
	case TYPE_COUNT: add_at(k, p, 0, C(k, 1)); break;
	case TYPE_SUM:
		add_at(k, p, 0, n);
		if (v->set_offset)
			ir_store(B(k), p, v->set_offset - v->offset, 1, C(k, 1));
		break;
	case TYPE_MIN:
	case TYPE_MAX: minmax_update(k, t, p, n); break;
	case TYPE_AVG:
	case TYPE_STATS:
		add_at(k, p, offsetof(struct stats_wire, count), C(k, 1));
		add_at(k, p, offsetof(struct stats_wire, total), n);
		break;
	case TYPE_HIST:
		bucket_update(k, p,
			      t->arg[0] ? ir_rt(B(k), "rt_hist", n, C(k, t->arg[0])) : hist_bucket(k, n),
			      hist_buckets((unsigned)t->arg[0]), 0);
		break;
	case TYPE_LHIST:
		bucket_update(k, p, lhist_bucket(k, n, t->arg),
			      lhist_buckets(t->arg[0], t->arg[1], t->arg[2]), 0);
		break;
	case TYPE_STAT: stat_update(k, v, p, n); break;
	default: BUG("not an aggregation: %d", t->kind);
	}
}

struct update {
	struct var *v;
	ir_ref key, n, ret; /* ret: of the helper that made the element */
	struct loc loc;
};

static void update_hit(struct kit *k, ir_ref value, void *arg)
{
	struct update *u = arg;
	update_at(k, u->v, value, u->n);
}

static void update_full(struct kit *k, void *arg)
{
	struct update *u = arg;
	kit_map_error(k, RT_MAP_FULL, u->ret, u->loc);
}

/* Makes the element with zero parts on every CPU, then updates it as if it had been there. */
static void update_miss(struct kit *k, void *arg)
{
	struct update *u = arg;
	struct map *m = u->v->map;
	k->b.fn->block.at[k->b.block].unlikely = true;
	ir_ref from = kit_zeroes(k, m->value_size);
	if (u->v->has_seq) {
		ir_ref whole = kit_mem(k, m->value_size);
		ir_ref seq = ir_atomic(B(k), IR_ATOMIC_FADD,
				       ir_mapval(B(k), k->prog->data, k->prog->seq_offset), 0, 8,
				       C(k, 1), 0);
		kit_zero(k, whole, m->value_size);
		/* 0 marks the parts of other CPUs; see events: the largest is the number */
		ir_store(B(k), whole, 0, 8, ir_bini(B(k), IR_ADD, seq, 1));
		from = whole;
	}
	u->ret = kit_var_insert(k, u->v, u->key, from, BPF_NOEXIST);
	kit_var_if(k, u->v, u->key, update_hit, update_full, u);
}

void kit_agg_update_here(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc)
{
	struct update u = {.v = v, .key = key, .n = n ? n : C(k, 0), .loc = loc};
	k->plain_adds = k->prog->one_at_a_time && !v->is_emptied;
	kit_var_if(k, v, key, update_hit, update_miss, &u);
}

void kit_agg_update(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc)
{
	ir_ref ret;
	if (v->value->kind == TYPE_TSERIES)
		kit_agg_tseries(k, v, key, n, loc);
	else if (!kit_shared(k, SHARED_AGG, v, key, n, loc, &ret))
		kit_agg_update_here(k, v, key, n, loc);
}

/* --- time series
 * -------------------------------------------------------------------------------------------- */

struct tseries {
	struct var *v;
	ir_ref key, n, epoch, ret;
	struct loc loc;
};

/* A bucket that already exists: of this epoch it is combined, of an older one replaced. */
static void tseries_hit(struct kit *k, ir_ref p, void *arg)
{
	struct tseries *s = arg;
	const int64_t how = s->v->value->arg[2];
	uint32_t same = ir_block_new(B(k), "same"), fresh = ir_block_new(B(k), "fresh"),
		 end = ir_block_new(B(k), "tseries");
	ir_ref old = ir_load(B(k), p, offsetof(struct tseries_wire, epoch), 8, false);
	ir_br(B(k), ir_bin(B(k), IR_EQ, old, s->epoch), same, fresh);
	ir_at(B(k), fresh);
	ir_store(B(k), p, offsetof(struct tseries_wire, value), 8, s->n);
	ir_store(B(k), p, offsetof(struct tseries_wire, meta), 8, C(k, 1));
	ir_store(B(k), p, offsetof(struct tseries_wire, epoch), 8, s->epoch);
	ir_jmp(B(k), end);
	ir_at(B(k), same);
	if (how == TSERIES_AVG) {
		add_at(k, p, offsetof(struct tseries_wire, value), s->n);
		add_at(k, p, offsetof(struct tseries_wire, meta), C(k, 1));
	} else if (how == TSERIES_SUM) {
		add_at(k, p, offsetof(struct tseries_wire, value), s->n);
	} else if (how == TSERIES_LAST) {
		ir_store(B(k), p, offsetof(struct tseries_wire, value), 8, s->n);
	} else {
		keep_better(k, p, offsetof(struct tseries_wire, value), s->n, how == TSERIES_MAX,
			    s->v->value->is_signed);
	}
	ir_jmp(B(k), end);
	ir_at(B(k), end);
}

static void tseries_full(struct kit *k, void *arg)
{
	struct tseries *s = arg;
	kit_map_error(k, RT_MAP_FULL, s->ret, s->loc);
}

static void tseries_miss(struct kit *k, void *arg)
{
	struct tseries *s = arg;
	ir_ref first = kit_mem(k, sizeof(struct tseries_wire));
	ir_store(B(k), first, offsetof(struct tseries_wire, value), 8, s->n);
	ir_store(B(k), first, offsetof(struct tseries_wire, meta), 8, C(k, 1));
	ir_store(B(k), first, offsetof(struct tseries_wire, epoch), 8, s->epoch);
	s->ret = H(k, BPF_FUNC_map_update_elem, ir_map(B(k), s->v->map), s->key, first, C(k, BPF_NOEXIST));
	uint32_t end = kit_if_unlikely(k, s->ret);
	kit_var_if(k, s->v, s->key, tseries_hit, tseries_full, s); /* another CPU was faster */
	kit_endif(k, end);
}

void kit_agg_tseries(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc)
{
	const int64_t *arg = v->value->arg;
	uint32_t user_key = v->key ? ALIGN_UP(type_mem_size(v->key), 8u) : 0;
	ir_ref now = k->prog->opt.dummy_ts ? kit_dummy_ts(k) : kit_nsecs(k, TS_SW_TAI);
	struct tseries s = {.v = v, .n = n, .loc = loc};
	k->plain_adds = false; /* all CPUs share a bucket */
	s.epoch = ir_bini(B(k), IR_UDIV, now, arg[0]);
	s.key = kit_mem_zero(k, user_key + 8);
	if (v->key)
		kit_copy(k, s.key, key, type_mem_size(v->key));
	ir_store(B(k), s.key, user_key, 8, ir_bini(B(k), IR_UMOD, s.epoch, arg[1]));
	kit_var_if(k, v, s.key, tseries_hit, tseries_miss, &s);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------
 */

/* for (cpu = 0; cpu < ncpus; cpu++) with this CPU's part of v[key], when it has one. */
void kit_each_cpu(struct kit *k, struct var *v, ir_ref key,
		  void (*part)(struct kit *k, ir_ref p, void *arg), void *arg)
{
	ir_ref i = kit_slot(k, 8);
	ir_store(B(k), i, 0, 8, C(k, 0));
	uint32_t head = ir_block_new(B(k), "cpu"), body = ir_block_new(B(k), "part"),
		 end = ir_block_new(B(k), "cpus");
	ir_jmp(B(k), head);
	ir_at(B(k), head);
	ir_ref cpu = ir_load(B(k), i, 0, 8, false);
	ir_br(B(k), ir_bini(B(k), IR_ULT, cpu, k->prog->ncpus), body, end);
	ir_at(B(k), body);
	if (v->map == k->prog->percpu) {
		ir_ref off = ir_bin(B(k), IR_MUL, cpu, kit_row_const(k));
		ir_ref row = ir_bin(B(k), IR_ADD, ir_mapval(B(k), v->map, 0), off);
		part(k, ir_bini(B(k), IR_ADD, row, v->offset), arg);
	} else {
		ir_ref p = H(k, BPF_FUNC_map_lookup_percpu_elem, ir_map(B(k), v->map), key, cpu);
		uint32_t skip = kit_if(k, ir_bin(B(k), IR_NE, p, C(k, 0)));
		part(k, ir_bini(B(k), IR_ADD, p, v->value_offset), arg);
		kit_endif(k, skip);
	}
	cpu = ir_load(B(k), i, 0, 8, false);
	ir_store(B(k), i, 0, 8, ir_bini(B(k), IR_ADD, cpu, 1));
	ir_jmp(B(k), head);
	ir_at(B(k), end);
}

struct reading {
	struct var *v;
	ir_ref a, b; /* slots: accumulators */
};

static void sum_word(struct kit *k, ir_ref slot, ir_ref p, int64_t off)
{
	ir_ref sum = ir_bin(B(k), IR_ADD, ir_load(B(k), slot, 0, 8, false),
			    ir_load(B(k), p, off, 8, false));
	ir_store(B(k), slot, 0, 8, sum);
}

static void read_sum(struct kit *k, ir_ref p, void *arg)
{
	struct reading *r = arg;
	sum_word(k, r->a, p, 0);
}

static void read_stats(struct kit *k, ir_ref p, void *arg)
{
	struct reading *r = arg;
	sum_word(k, r->a, p, offsetof(struct stats_wire, count));
	sum_word(k, r->b, p, offsetof(struct stats_wire, total));
}

/* a: best value so far, b: whether there is one.  value and flag at these offsets of the part. */
static void better_part(struct kit *k, struct reading *r, ir_ref p, int64_t value_off,
			int64_t flag_off, bool is_max, bool is_signed)
{
	uint32_t end = kit_if(k, ir_load(B(k), p, flag_off, 8, false));
	ir_ref n = ir_load(B(k), p, value_off, 8, false), best = ir_load(B(k), r->a, 0, 8, false);
	enum ir_op less = is_signed ? IR_SLT : IR_ULT;
	ir_ref better = is_max ? ir_bin(B(k), less, best, n) : ir_bin(B(k), less, n, best);
	ir_ref have = ir_bin(B(k), IR_NE, ir_load(B(k), r->b, 0, 8, false), C(k, 0));
	ir_ref keep = ir_bin(B(k), IR_AND, have, ir_bini(B(k), IR_XOR, better, 1));
	ir_store(B(k), r->a, 0, 8, ir_select(B(k), keep, best, n));
	ir_store(B(k), r->b, 0, 8, C(k, 1));
	kit_endif(k, end);
}

static void read_minmax(struct kit *k, ir_ref p, void *arg)
{
	struct reading *r = arg;
	better_part(k, r, p, offsetof(struct minmax_wire, value),
		    offsetof(struct minmax_wire, is_set), r->v->value->kind == TYPE_MAX,
		    r->v->value->is_signed);
}

static void read_stat_sums(struct kit *k, ir_ref p, void *arg)
{
	struct reading *r = arg;
	sum_word(k, r->a, p, offsetof(struct stat_wire, count));
	sum_word(k, r->b, p, offsetof(struct stat_wire, sum));
}

static void read_stat_min(struct kit *k, ir_ref p, void *arg)
{
	better_part(k, arg, p, offsetof(struct stat_wire, min), offsetof(struct stat_wire, count),
		    false, true);
}

static void read_stat_max(struct kit *k, ir_ref p, void *arg)
{
	better_part(k, arg, p, offsetof(struct stat_wire, max), offsetof(struct stat_wire, count),
		    true, true);
}

/* total / count toward zero; 0 when there is nothing. */
static ir_ref average(struct kit *k, ir_ref count, ir_ref total, bool is_signed)
{
	return ir_bin(B(k), is_signed ? IR_SDIV : IR_UDIV, total, count);
}

static ir_ref read_stat(struct kit *k, struct reading *r, ir_ref key, enum agg_read which)
{
	if (which == AGG_VARIANCE) {
		uint32_t mark = kit_mark(k);
		ir_ref all = kit_mem(k, kit_value_size(r->v));
		kit_agg_merge(k, r->v, key, all);
		ir_ref v;
		if (r->v->map == k->prog->percpu)
			v = ir_rt(B(k), "rt_stat_total_variance", all, C(k, r->v->variance_bits));
		else
			v = ir_bini(B(k), IR_ASHR, ir_load(B(k), all, offsetof(struct stat_wire, m2), 8, false),
				    2 * r->v->variance_bits & 63);
		kit_release(k, mark);
		return v;
	}
	kit_each_cpu(k, r->v, key,
		 which == AGG_MIN   ? read_stat_min
		 : which == AGG_MAX ? read_stat_max
				    : read_stat_sums,
		 r);
	ir_ref a = ir_load(B(k), r->a, 0, 8, false), b = ir_load(B(k), r->b, 0, 8, false);
	if (which == AGG_SUM)
		return b;
	return which == AGG_AVG ? average(k, a, b, true) : a;
}

ir_ref kit_agg_read(struct kit *k, struct var *v, ir_ref key, enum agg_read which)
{
	struct reading r = {v, kit_slot(k, 8), kit_slot(k, 8)};
	ir_store(B(k), r.a, 0, 8, C(k, 0));
	ir_store(B(k), r.b, 0, 8, C(k, 0));
	switch (v->value->kind) {
	case TYPE_COUNT:
	case TYPE_SUM: kit_each_cpu(k, v, key, read_sum, &r); return ir_load(B(k), r.a, 0, 8, false);
	case TYPE_MIN:
	case TYPE_MAX: kit_each_cpu(k, v, key, read_minmax, &r); return ir_load(B(k), r.a, 0, 8, false);
	case TYPE_AVG:
	case TYPE_STATS: {
		kit_each_cpu(k, v, key, read_stats, &r);
		ir_ref count = ir_load(B(k), r.a, 0, 8, false),
		       total = ir_load(B(k), r.b, 0, 8, false);
		if (which == AGG_COUNT)
			return count;
		if (which == AGG_SUM)
			return total;
		return average(k, count, total, v->value->is_signed);
	}
	case TYPE_STAT: return read_stat(k, &r, key, which);
	default: BUG("aggregation %d has no single value", v->value->kind);
	}
}

struct merging {
	struct var *v;
	ir_ref dst;
};

static void merge_words(struct kit *k, ir_ref p, void *arg)
{
	struct merging *m = arg;
	uint32_t words = kit_value_size(m->v) / 8;
	if (words > 4) {
		ir_rt(B(k), "rt_add_words", m->dst, p, C(k, words));
		return;
	}
	for (uint32_t i = 0; i < words; i++) {
		ir_ref sum = ir_bin(B(k), IR_ADD, ir_load(B(k), m->dst, i * 8, 8, false),
				    ir_load(B(k), p, i * 8, 8, false));
		ir_store(B(k), m->dst, i * 8, 8, sum);
	}
}

static void merge_minmax(struct kit *k, ir_ref p, void *arg)
{
	struct merging *m = arg;
	struct reading r = {m->v, m->dst, ir_bini(B(k), IR_ADD, m->dst, 8)};
	read_minmax(k, p, &r);
}

static void merge_stat(struct kit *k, ir_ref p, void *arg)
{
	struct merging *m = arg;
	uint32_t buckets = (kit_value_size(m->v) - (uint32_t)sizeof(struct stat_wire)) / 8;
	if (m->v->map == k->prog->percpu)
		ir_rt(B(k), "rt_stat_merge", m->dst, p);
	else
		ir_rt(B(k), "rt_stat_merge_elem", m->dst, p, C(k, m->v->variance_bits));
	if (buckets)
		ir_rt(B(k), "rt_add_words", ir_bini(B(k), IR_ADD, m->dst, sizeof(struct stat_wire)),
		      ir_bini(B(k), IR_ADD, p, sizeof(struct stat_wire)), C(k, buckets));
}

void kit_agg_merge(struct kit *k, struct var *v, ir_ref key, ir_ref dst)
{
	struct merging m = {v, dst};
	enum type_kind kind = v->value->kind;
	kit_zero(k, dst, kit_value_size(v));
	kit_each_cpu(k, v, key,
		 kind == TYPE_MIN || kind == TYPE_MAX ? merge_minmax
		 : kind == TYPE_STAT                  ? merge_stat
						      : merge_words,
		 &m);
}
