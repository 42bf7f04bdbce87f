/* attach_netfilter.c - programs that packets pass, in the network namespace of this process. */
#include <errno.h>

#include "attach/session.h"

/*
 * The kernel has room for one program a priority of a hook, and a script may have several at the default one: the next takes the next number, so
 * that they run in the order of the script.
 */
static struct err *attach_one(struct place *pl, const struct attach_point *p)
{
	enum { MAX_TRIES = 256 };
	int32_t priority = (int32_t)p->order;
	int fd = -EBUSY;

	for (unsigned i = 0; fd == -EBUSY && i < MAX_TRIES && priority < INT32_MAX; i++)
		fd = sys_link_netfilter(pl->r->prog->fd, p->pf, p->hook, priority++);
	if (fd < 0) {
		errno = -fd;
		return err_errno("attaching the program");
	}
	vec_push(pl->links, (struct link){.fd = fd, .perf_fd = -1, .r = pl->r});
	return NULL;
}

struct err *attach_netfilter(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		struct err *e = attach_one(pl, pl->r->probe->points[i]);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, pl->r->probe->points[i], e)))
			return e;
	}
	return NULL;
}
