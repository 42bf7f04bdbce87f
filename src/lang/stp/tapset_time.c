/* tapset_time.c - clocks and dates. */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* number: what the nanoseconds are divided by */
static struct stp_value lower_realtime(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_UDIV, kit_nsecs(K(l), TS_REALTIME), e->func->native->number));
}

static struct stp_value lower_monotonic(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_UDIV, kit_nsecs(K(l), TS_MONOTONIC), e->func->native->number));
}

/* Jiffies of user space's interpreter and of kernels whose helper we cannot rely on: 250 a second. */
enum { HZ = 250 };
static struct stp_value lower_jiffies(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (l->user)
		return stp_long(ir_bini(LB(l), IR_UDIV, kit_nsecs(K(l), TS_MONOTONIC), 1000000000 / HZ));
	return stp_long(ir_calln(LB(l), IR_HELPER, BPF_FUNC_jiffies64, NULL, 0, NULL));
}

static struct stp_value lower_number(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, e->func->native->number));
}

/* ctime(seconds[, zone name]): "Wed Jun 30 21:49:08 1993", always UTC. */
static struct stp_value lower_ctime(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref seconds = e->nkid ? arg[0].v : ir_bini(LB(l), IR_UDIV, kit_nsecs(K(l), TS_REALTIME), 1000000000);
	ir_ref at = kit_mem_zero(K(l), 32);
	ir_rt(LB(l), "rt_stp_ctime", at, seconds);
	return stp_string(at, 32);
}

/* Seconds west of UTC and the zone's name, as this machine has them now. */
static struct stp_value lower_gmtoff(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, l->c->gmtoff));
}

static struct stp_value lower_zone(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_literal(l, l->c->zone ? l->c->zone : "UTC");
}

#define CLOCK(name, fn)                                                                            \
	{name "_s", "l:", NF_PURE, 0, fn, 1000000000}, {name "_ms", "l:", NF_PURE, 0, fn, 1000000}, \
	{name "_us", "l:", NF_PURE, 0, fn, 1000}, {name "_ns", "l:", NF_PURE, 0, fn, 1}

const struct stp_native stp_tapset_time[] = {
	CLOCK("gettimeofday", lower_realtime),
	CLOCK("local_clock", lower_monotonic),
	{"cpu_clock_s", "l:l", NF_PURE, 0, lower_monotonic, 1000000000},
	{"cpu_clock_ms", "l:l", NF_PURE, 0, lower_monotonic, 1000000},
	{"cpu_clock_us", "l:l", NF_PURE, 0, lower_monotonic, 1000},
	{"cpu_clock_ns", "l:l", NF_PURE, 0, lower_monotonic, 1},
	{"ktime_get_ns", "l:", NF_PURE, 0, lower_monotonic, 1},
	{"get_cycles", "l:", NF_PURE, 0, lower_monotonic, 1},
	{"jiffies", "l:", NF_PURE, 0, lower_jiffies},
	{"HZ", "l:", NF_PURE, 0, lower_number, HZ},
	{"ctime", "s:l", NF_PURE, 32, lower_ctime},
	{"ctime", "s:", NF_PURE, 32, lower_ctime},
	{"tz_gmtoff", "l:", NF_PURE, 0, lower_gmtoff},
	{"tz_name", "s:", NF_PURE, 16, lower_zone},
	{0},
};
