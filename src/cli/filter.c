/* filter.c - which probes of a script are run: --probe-filter, --test, --bench. */
#include <regex.h>

#include "cli/cli.h"

static bool is_kept(const regex_t *re, const char *name, enum probe_kind kind)
{
	return kind == PK_BEGIN || kind == PK_END || kind == PK_SELF ||
	       regexec(re, name, 0, NULL, 0) == 0;
}

/* Keeps the points that match; false: none is left. */
static bool filter_points(const regex_t *re, struct probe *p)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->npoints; i++)
		if (is_kept(re, p->points[i]->name ? p->points[i]->name : p->name,
			    p->points[i]->kind))
			p->points[n++] = p->points[i];
	p->npoints = n;
	return n > 0;
}

struct err *filter_probes(struct program *prog, const char *regex)
{
	regex_t re;
	size_t n = 0;
	if (regcomp(&re, regex, REG_EXTENDED | REG_NOSUB))
		return err_new(0, "Invalid --probe-filter regex '%s'", regex);
	for (size_t i = 0; i < prog->probe.len; i++) {
		struct probe *p = prog->probe.at[i];
		if (!filter_points(&re, p))
			continue;
		p->id = (unsigned)n;
		prog->probe.at[n++] = p;
	}
	prog->probe.len = n;
	regfree(&re);
	return n ? NULL : err_no_probes();
}

struct err *filter_mode(struct program *prog, enum run_mode mode)
{
	const enum probe_kind hand[] = {[RUN_TRACE] = PK_COUNT,
					[RUN_TESTS] = PK_TEST,
					[RUN_BENCHES] = PK_BENCH};
	size_t n = 0, named = 0, tests = 0, benches = 0;
	for (size_t i = 0; i < prog->probe.len; i++) {
		struct probe *p = prog->probe.at[i];
		enum probe_kind k = p->npoints ? p->points[0]->kind : PK_NEVER;
		bool is_hand = k == PK_TEST || k == PK_BENCH;
		tests += k == PK_TEST;
		benches += k == PK_BENCH;
		if (mode == RUN_TRACE ? is_hand : k != hand[mode] && k != PK_BEGIN && k != PK_END)
			continue;
		named += k == hand[mode];
		p->id = (unsigned)n;
		prog->probe.at[n++] = p;
	}
	prog->probe.len = n;
	if (n && (mode == RUN_TRACE || named))
		return NULL;
	if (mode != RUN_TRACE)
		return err_new(0, "No %s probes in the script", mode == RUN_TESTS ? "test" : "bench");
	if (tests || benches)
		return err_new(0, "No probes attached; use --%s to run %s probes.",
			       benches ? "bench" : "test", benches ? "benchmark" : "test");
	return NULL;
}
