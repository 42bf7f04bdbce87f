/*
 * attach_perf.c - perf events: timers (cpu-clock), software and hardware counters, watchpoints.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/session.h"

/* "0-3,8" of sysfs; calls back for each CPU.  False stops. */
static bool each_online_cpu(bool (*fn)(void *arg, int cpu), void *arg)
{
	_cleanup_free_ char *text = read_file("/sys/devices/system/cpu/online", NULL);
	const char *s = text ? text : "0";

	while (*s >= '0' && *s <= '9') {
		char *end;
		long from = strtol(s, &end, 10), to = from;

		if (*end == '-')
			to = strtol(end + 1, &end, 10);
		for (long cpu = from; cpu <= to && cpu < 1 << 16; cpu++)
			if (!fn(arg, (int)cpu))
				return false;
		s = *end == ',' ? end + 1 : "";
	}
	return true;
}

struct opening {
	struct place *pl;
	const struct attach_point *p;
	struct perf_event_attr attr;
	int pid;
	bool first_only;
	struct err *err;
};

static bool open_on_cpu(void *arg, int cpu)
{
	struct opening *o = arg;
	int fd = sys_perf_open(&o->attr, o->pid, cpu, -1, 0);

	if (fd < 0) {
		errno = -fd;
		o->err = err_errno("opening a perf event on CPU %d", cpu);
		return false;
	}
	o->err = place_perf(o->pl, o->pl->r->prog->fd, fd, o->p->cookie);
	return !o->err && !o->first_only;
}

/* HW_BREAKPOINT_X of linux/hw_breakpoint.h, whose other names collide with ours. */
enum {
	BREAKPOINT_EXECUTE = 4
};

/* An event on a process id follows that one thread and, inherited, those that it starts later. */
static void open_on_threads(struct opening *o)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/task", o->pid);
	DIR *dir = opendir(path);
	const struct dirent *d;
	bool any = false;

	while (dir && !o->err && (d = readdir(dir))) {
		int tid = atoi(d->d_name);

		if (tid <= 0)
			continue;
		o->pid = tid;
		any = true;
		open_on_cpu(o, -1);
		if (o->err && o->err->code == ESRCH) { /* ended meanwhile */
			err_free(o->err);
			o->err = NULL;
		}
	}
	if (dir)
		closedir(dir);
	if (!any && !o->err)
		open_on_cpu(o, -1);
}

static struct err *open_all(struct opening *o)
{
	if (o->pid > 0) {
		o->attr.inherit = 1;
		open_on_threads(o);
	} else {
		each_online_cpu(open_on_cpu, o);
	}
	return o->err;
}

static struct err *open_watchpoint(struct opening *o)
{
	if (!feature_breakpoint_fires())
		return err_new(EOPNOTSUPP, "this machine has no working hardware watchpoints");
	o->attr.type = PERF_TYPE_BREAKPOINT;
	o->attr.bp_type = o->p->mode;
	o->attr.bp_addr = o->p->address;
	/* perf_event_open(2): execution breakpoints are as long as a long, whatever the instruction */
	o->attr.bp_len = o->p->mode == BREAKPOINT_EXECUTE ? sizeof(long) : o->p->len;
	o->attr.sample_period = 1;
	return open_all(o);
}

static void set_clock(struct perf_event_attr *attr, const struct attach_point *p)
{
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_CPU_CLOCK;
	attr->freq = p->freq != 0;
	if (p->freq)
		attr->sample_freq = p->freq;
	else
		attr->sample_period = p->period;
}

static struct err *attach_perf_event(struct place *pl, const struct attach_point *p)
{
	struct opening o = {.pl = pl, .p = p, .pid = place_pid(pl, p)};

	switch (p->kind) {
	case PK_WATCHPOINT: return open_watchpoint(&o);
	case PK_INTERVAL:
	case PK_TIMER:
		set_clock(&o.attr, p);
		o.pid = -1;
		o.first_only = true;
		break;
	case PK_PROFILE: set_clock(&o.attr, p); break;
	default:
		o.attr.type = p->perf_type;
		o.attr.config = p->perf_config;
		o.attr.freq = p->freq != 0;
		if (p->freq)
			o.attr.sample_freq = p->freq;
		else
			o.attr.sample_period = p->period;
	}
	if (o.attr.type == PERF_TYPE_HARDWARE) {
		features_probe_perf(pl->s->world);
		if (!pl->s->world->features.hw_perf)
			return err_new(EOPNOTSUPP,
				       "this machine has no hardware performance counters");
	}
	return open_all(&o);
}

struct err *attach_perf_events(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		const struct attach_point *p = pl->r->probe->points[i];
		struct err *e = attach_perf_event(pl, p);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, p, e)))
			return e;
	}
	return NULL;
}
