/*
 * kit_agg.c - aggregations: updated on this CPU's part; kit_agg_read.c merges them over all CPUs.
 *
 * Single words are added atomically even though they are this CPU's own, unless the program says that its
 * handlers run one at a time: otherwise one can be preempted or interrupted by another one on the same CPU,
 * and nothing may be lost.  Nor when user space or another CPU may set it to zero: a sum that was read before and is
 * written after would be back.
 */
#include "lang/kit_internal.h"

#include <stddef.h>

void kit_add_at(struct kit *k, ir_ref p, int64_t off, ir_ref n)
{
	if (k->plain_adds)
		ir_store(B(k), p, off, 8, ir_bin(B(k), IR_ADD, ir_load(B(k), p, off, 8, false), n));
	else
		ir_atomic_add(B(k), p, off, 8, n);
}

void kit_keep_better(struct kit *k, ir_ref p, int64_t off, ir_ref n, bool is_max, bool is_signed)
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
	kit_keep_better(k, p, offsetof(struct minmax_wire, value), n, t->kind == TYPE_MAX,
		    t->is_signed);
	ir_jmp(B(k), end);
	ir_at(B(k), end);
}

/* p[bucket]++, with the bound that the verifier wants to see. */
static void bucket_update(struct kit *k, ir_ref p, ir_ref bucket, uint32_t nbuckets, int64_t base)
{
	uint32_t end = kit_if(k, ir_bini(B(k), IR_ULT, bucket, nbuckets));
	ir_ref at = ir_bin(B(k), IR_ADD, p, ir_bini(B(k), IR_SHL, bucket, 3));
	kit_add_at(k, at, base, C(k, 1));
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
		kit_keep_better(k, p, offsetof(struct stat_wire, min), n, false, true);
		kit_keep_better(k, p, offsetof(struct stat_wire, max), n, true, true);
		ir_jmp(B(k), end);
		ir_at(B(k), end);
	}
	kit_add_at(k, p, offsetof(struct stat_wire, sum), n);
	if (v->stat_ops & STAT_VARIANCE)
		ir_rt(B(k), "rt_stat_variance", p, ir_bini(B(k), IR_SHL, n, v->variance_bits));
	kit_add_at(k, p, offsetof(struct stat_wire, count), C(k, 1));
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
	case TYPE_COUNT: kit_add_at(k, p, 0, C(k, 1)); break;
	case TYPE_SUM:
		kit_add_at(k, p, 0, n);
		if (v->set_offset)
			ir_store(B(k), p, v->set_offset - v->offset, 1, C(k, 1));
		break;
	case TYPE_MIN:
	case TYPE_MAX: minmax_update(k, t, p, n); break;
	case TYPE_AVG:
	case TYPE_STATS:
		kit_add_at(k, p, offsetof(struct stats_wire, count), C(k, 1));
		kit_add_at(k, p, offsetof(struct stats_wire, total), n);
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
