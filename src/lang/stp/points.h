/*
 * points.h - inside lang/stp: a family of probe points is one row, from its pattern to a probe_spec.
 *
 * A pattern is components joined by dots; (N) takes a number, (S) a string, (*) either.  points.c has the rows of the session, of timers
 * and of user space, points_kernel.c those of the kernel, points_netfilter.c those of packets.
 */
#pragma once

#include "lang/stp/comp.h"

struct stp_match { /* arguments by component */
	const struct stp_expr *arg[16];
	unsigned narg;
};
struct stp_family {
	const char *pattern; /* NULL ends a table */
	enum probe_kind kind;
	/* fills dp->spec; false after a diagnostic */
	bool (*fill)(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp);
	int64_t number; /* unit in nanoseconds, perf config... */
	const char *text;
};
extern const struct stp_family stp_kernel_families[], stp_netfilter_families[];

static inline int64_t stp_num(const struct stp_match *m, unsigned i)
{
	return m->arg[i]->num;
}
/* FUNC of FUNC[@FILE...], or an address. */
bool stp_fill_function_name(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp);
/* .callee(PATTERN) or NULL: all; .callees(DEPTH) or NULL: 1 */
bool stp_fill_callee(struct stp_comp *c, const struct stp_expr *callee, const struct stp_expr *depth, struct stp_dprobe *dp);
/* FUNC[@FILE[:LINES|+N]], or an address; LINES: N, N-M, * */
bool stp_fill_pattern(struct stp_comp *c, const struct stp_expr *arg, struct stp_dprobe *dp);
