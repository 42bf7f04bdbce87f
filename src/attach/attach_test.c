/* attach_test.c - test: and bench: probes, which nothing but the command line runs. */
#include <errno.h>

#include "attach/session.h"

enum {
	FIRST_ROUND = 1000,
	LAST_ROUND = 10000000,
	LONG_ENOUGH = 50000000 /* ns that a measurement should take */
};

/* Programs of the kind see an Ethernet frame; this is the shortest that the kernel takes. */
static const uint8_t frame[14];

static struct err *run(const struct running *r, uint32_t repeat, struct hand_run *ret)
{
	uint32_t ns = 0;
	int e = sys_prog_repeat(r->prog->fd, frame, sizeof(frame), repeat, &ret->retval, &ns);

	if (e < 0) {
		errno = -e;
		return err_errno("running %s", r->probe->name);
	}
	ret->runs = repeat;
	ret->ns = ns;
	return NULL;
}

/* Rounds grow until one takes long enough to be measured. */
static struct err *measure(const struct running *r, struct hand_run *ret)
{
	uint32_t repeat = FIRST_ROUND;

	for (;;) {
		struct err *e = run(r, repeat, ret);
		uint64_t took = (ret->ns + 1) * repeat;

		if (e || took >= LONG_ENOUGH || repeat >= LAST_ROUND)
			return e;
		repeat = (uint32_t)MIN((uint64_t)LAST_ROUND,
				       repeat * MIN(2 * (LONG_ENOUGH / took + 1), (uint64_t)100));
	}
}

/* What exit() was called with, and forgets it: the next one must run. */
static uint64_t take_exit(struct session *s)
{
	char *data = session_map_mem(s, s->prog->data);

	if (!data || !s->prog->exit_offset)
		return 0;
	return __atomic_exchange_n((uint64_t *)(data + s->prog->exit_offset), 0, __ATOMIC_SEQ_CST);
}

struct err *session_run_tests(struct session *s, enum probe_kind k,
			      void (*fn)(void *arg, bool is_before, const struct hand_run *r),
			      void *arg)
{
	for (size_t i = 0; i < s->prog->probe.len; i++) {
		const struct running *r = &s->running[i];
		const struct probe *p = r->probe;
		struct hand_run run_of = {0};
		struct err *e;

		if (!p->npoints || p->points[0]->kind != k || !r->prog)
			continue;
		run_of.name = p->points[0]->func;
		fn(arg, true, &run_of);
		e = k == PK_BENCH ? measure(r, &run_of) : run(r, 1, &run_of);
		if (e)
			return e;
		run_of.failed = run_of.retval || take_exit(s) >> 32;
		fn(arg, false, &run_of);
	}
	return NULL;
}
