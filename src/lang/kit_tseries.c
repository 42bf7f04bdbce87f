/* kit_tseries.c - time series: a bucket for each interval, in a ring that all CPUs share. */
#include "lang/kit_internal.h"

#include <stddef.h>

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
		kit_add_at(k, p, offsetof(struct tseries_wire, value), s->n);
		kit_add_at(k, p, offsetof(struct tseries_wire, meta), C(k, 1));
	} else if (how == TSERIES_SUM) {
		kit_add_at(k, p, offsetof(struct tseries_wire, value), s->n);
	} else if (how == TSERIES_LAST) {
		ir_store(B(k), p, offsetof(struct tseries_wire, value), 8, s->n);
	} else {
		kit_keep_better(k, p, offsetof(struct tseries_wire, value), s->n, how == TSERIES_MAX,
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
