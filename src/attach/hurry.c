/* hurry.c - a short while in which this thread shall not be preempted, because the kernel's handlers wait for it or are skipped meanwhile. */
#include <sched.h>
#include <sys/resource.h>

#include "attach/session.h"

/* Where no real-time priority is to be had (a control group without a share of it: sched_setscheduler(2)), the best of the others. */
struct hurry hurry_begin(void)
{
	struct sched_param first = {.sched_priority = 1};
	struct hurry h = {.policy = sched_getscheduler(0)};

	if (h.policy == SCHED_OTHER && sched_setscheduler(0, SCHED_FIFO, &first) < 0) {
		h.nice = getpriority(PRIO_PROCESS, 0);
		(void)setpriority(PRIO_PROCESS, 0, -20);
	}
	return h;
}

void hurry_end(const struct hurry *h)
{
	struct sched_param none = {0};

	if (h->policy != SCHED_OTHER)
		return;
	if (sched_getscheduler(0) == SCHED_FIFO)
		(void)sched_setscheduler(0, SCHED_OTHER, &none);
	else
		(void)setpriority(PRIO_PROCESS, 0, h->nice);
}
