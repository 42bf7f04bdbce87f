/*
 * place.c - what all families of probes share when they attach: perf links, pids, places that are missing.
 */
#include <errno.h>
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
struct err *place_perf(struct place *pl, int prog_fd, int perf_fd, uint64_t cookie)
{
	struct link l = {.fd = sys_link_perf(prog_fd, perf_fd, cookie), .perf_fd = perf_fd, .r = pl->r};

	if (l.fd < 0 && l.fd != -EINVAL) {
		errno = -l.fd;
		close(perf_fd);
		return err_errno("attaching the program");
	}
	if (l.fd < 0 && (ioctl(perf_fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0 ||
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
