/* kit_agg_read.c - aggregations are read: the parts of all CPUs are put together. */
#include "lang/kit_internal.h"

#include <stddef.h>

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
