/* lower_stat.c - reading statistics: @count and relatives, buckets of histograms. */
#include "lang/stp/lower.h"

static struct stp_global *base_of(struct stp_lower *l, struct stp_expr *base, ir_ref *key)
{
	*key = stp_lower_key(l, base->global, base->kid);
	return base->global;
}

/* A merged copy of the whole statistic. */
ir_ref stp_stat_merged(struct stp_lower *l, struct stp_expr *base, struct stp_global **g_ret)
{
	ir_ref key;
	struct stp_global *g = *g_ret = base_of(l, base, &key);
	ir_ref at = kit_mem(&l->kit, type_mem_size(g->var->value));
	kit_agg_merge(&l->kit, g->var, key, at);
	return at;
}

struct stp_value stp_lower_stat(struct stp_lower *l, struct stp_expr *e)
{
	static const struct {
		const char *op;
		enum agg_read which;
		bool needs_some; /* of an empty statistic it is an error */
	} ops[] = {{"@count", AGG_COUNT}, {"@sum", AGG_SUM}, {"@min", AGG_MIN, true}, {"@max", AGG_MAX, true},
		   {"@avg", AGG_AVG, true}, {"@variance", AGG_VARIANCE, true}};
	ir_ref key;
	struct stp_global *g = base_of(l, e->kid[0], &key);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!str_eq(ops[i].op, e->op))
			continue;
		if (ops[i].needs_some) {
			ir_ref n = kit_agg_read(&l->kit, g->var, key, AGG_COUNT);
			stp_raise_if(l, ir_bini(LB(l), IR_EQ, n, 0), e->loc, "empty aggregate");
		}
		return stp_long(kit_agg_read(&l->kit, g->var, key, ops[i].which));
	}
	BUG("operator %s", e->op);
}

ir_ref stp_hist_count(struct stp_lower *l, struct stp_expr *hist, ir_ref bucket, struct loc loc)
{
	struct stp_global *g;
	struct kit_local *i = stp_number(l);
	ir_store(LB(l), kit_local_addr(&l->kit, i), 0, 8, bucket);
	ir_ref at = stp_stat_merged(l, hist->kid[0], &g);
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, ir_load(LB(l), at, 0, 8, false), 0), loc, "empty aggregate");
	ir_ref n = stp_c(l, stp_hist_buckets(g));
	bucket = ir_load(LB(l), kit_local_addr(&l->kit, i), 0, 8, false);
	stp_raise_if(l, ir_bin(LB(l), IR_ULE, n, bucket), loc, "histogram index out of range");
	ir_ref p = ir_bin(LB(l), IR_ADD, at, ir_bini(LB(l), IR_SHL, bucket, 3));
	return ir_load(LB(l), p, sizeof(struct stat_wire), 8, false);
}

struct stp_value stp_lower_hist_at(struct stp_lower *l, struct stp_expr *e)
{
	ir_ref i = stp_lower_long(l, e->kid[1]);
	return stp_long(stp_hist_count(l, e->kid[0], i, e->loc));
}
