/*
 * place.c - what all families of probes share when they attach: perf links, pids, closing many
 * links.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attach/session.h"

int place_pid(const struct place *pl, const struct attach_point *p)
{
	int pid = p->pid ? p->pid : pl->pid;

	return pid > 0 ? pid : -1;
}

/* Kernels without perf links (before 5.15) take the program by ioctl, without a cookie. */
struct err *place_perf(struct place *pl, int perf_fd, uint64_t cookie)
{
	struct link l = {.fd = sys_link_perf(pl->r->prog->fd, perf_fd, cookie), .perf_fd = perf_fd, .r = pl->r};

	if (l.fd < 0 && l.fd != -EINVAL) {
		errno = -l.fd;
		close(perf_fd);
		return err_errno("attaching the program");
	}
	if (l.fd < 0 && (ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, pl->r->prog->fd) < 0 ||
			 ioctl(perf_fd, PERF_EVENT_IOC_ENABLE, 0) < 0)) {
		struct err *e = err_errno("attaching the program");

		close(perf_fd);
		return e;
	}
	vec_push(pl->links, l);
	return NULL;
}

struct err *attach_missing(struct place *pl, const struct attach_point *p, struct err *e)
{
	const char *name = p && p->name ? p->name : pl->r->probe->name;

	return attach_refused(pl, err_note(e, "Unable to attach probe: %s", name));
}

struct err *attach_refused(struct place *pl, struct err *e)
{
	if (e->code == EPERM || e->code == ENOMEM || e->code == EMFILE || e->code == ENFILE)
		return e;
	pl->nmissing++;
	if (pl->missing)
		err_free(e);
	else
		pl->missing = e;
	return NULL;
}

/* --- closing
 * ---------------------------------------------------------------------------------------------- */

/*
 * Closing a link waits until no CPU runs its program any more (RCU), so a thousand links take a
 * thousand waits: many threads wait at the same time.
 */
struct closer {
	link_list *list;
	size_t next;
};

static void *close_some(void *arg)
{
	struct closer *c = arg;

	for (;;) {
		size_t i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED);

		if (i >= c->list->len)
			return NULL;
		if (c->list->at[i].fd >= 0)
			close(c->list->at[i].fd);
		if (c->list->at[i].perf_fd >= 0)
			close(c->list->at[i].perf_fd);
	}
}

void links_close(link_list *l)
{
	enum {
		MAX_THREADS = 64,
		LINKS_A_THREAD = 2
	};
	pthread_t thread[MAX_THREADS];
	struct closer c = {.list = l};
	size_t want = MIN(l->len / LINKS_A_THREAD, (size_t)MAX_THREADS), n = 0;

	while (n + 1 < want && pthread_create(&thread[n], NULL, close_some, &c) == 0)
		n++;
	close_some(&c);
	while (n)
		pthread_join(thread[--n], NULL);
	vec_free(l);
}
