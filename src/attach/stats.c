/* stats.c - how often a probe's program ran, and how often the kernel had to skip it. */
#include "attach/session.h"

/* Runs skipped because the program, or another one, ran on the CPU already: counted by program, so once for all probes that share it. */
static uint64_t skipped_runs(const struct session *s, unsigned probe)
{
	const struct running *r = &s->running[probe];
	uint64_t n = 0;

	for (unsigned i = 0; i < probe; i++)
		if (s->running[i].code == r->code)
			return 0;
	vec_each(l, &s->loaded) {
		struct sys_prog_info info;

		if ((*l)->code == r->code && (*l)->fd >= 0 && sys_prog_info((*l)->fd, &info) == 0)
			n += info.misses;
	}
	return n;
}

uint64_t session_missed(const struct session *s, unsigned probe)
{
	uint64_t n;

	if (probe >= s->prog->probe.len || !s->running[probe].code)
		return 0;
	n = skipped_runs(s, probe) + syscall_gates_missed(s, &s->running[probe]);
	vec_each(l, &s->links)
		if (l->r == &s->running[probe] && l->fd >= 0)
			n += sys_link_missed(l->fd);
	return n;
}

bool session_probe_stats(struct session *s, unsigned probe, struct probe_stats *ret)
{
	struct sys_prog_info info;
	const struct loaded *l;

	*ret = (struct probe_stats){0};
	if (probe >= s->prog->probe.len)
		return false;
	if (s->running[probe].in_user.runs) {
		*ret = s->running[probe].in_user;
		return true;
	}
	l = s->running[probe].prog;
	if (!l || l->fd < 0 || sys_prog_info(l->fd, &info) < 0)
		return false;
	ret->runs = info.runs;
	ret->ns = info.run_ns;
	ret->insns = l->code->image->ninsn;
	ret->verified = info.verified;
	return true;
}
