/* stats.c - how often a probe's program ran, and how often the kernel had to skip it. */
#include "attach/session.h"

bool session_probe_stats(struct session *s, unsigned probe, struct probe_stats *ret)
{
	struct sys_prog_info info;
	const struct loaded *l;

	*ret = (struct probe_stats){0};
	if (probe >= s->prog->probe.len)
		return false;
	l = s->running[probe].prog;
	if (!l || l->fd < 0 || sys_prog_info(l->fd, &info) < 0)
		return false;
	ret->runs = info.runs;
	ret->misses = info.misses;
	return true;
}
