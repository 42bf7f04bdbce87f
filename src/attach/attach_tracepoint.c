/*
 * attach_tracepoint.c - tracepoints: by perf event and id, raw ones by name, typed ones by BTF;
 * iterators.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/session.h"

/* The number in tracefs of an event; a negative errno value when there is none. */
static int64_t tracepoint_id(const struct world *w, const char *category, const char *event)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (!w->tracefs)
		return -ENODEV;
	path = xasprintf("%s/events/%s/%s/id", w->tracefs, category, event);
	text = read_file(path, NULL);
	return text ? strtoll(text, NULL, 10) : -errno;
}

struct err *tracepoint_open(const struct world *w, const char *category, const char *event, int *perf_fd)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .sample_period = 1, .wakeup_events = 1};
	int64_t id = tracepoint_id(w, category, event);

	if (id == -ENODEV)
		return err_hint(err_new(ENODEV, "tracefs is not mounted"),
				"mount -t tracefs tracefs /sys/kernel/tracing");
	if (id < 0) {
		errno = (int)-id;
		return err_errno("looking up tracepoint %s:%s", category, event);
	}
	attr.config = (uint64_t)id;
	*perf_fd = sys_perf_open(&attr, -1, 0, -1, 0);
	if (*perf_fd < 0) {
		errno = -*perf_fd;
		return err_errno("opening tracepoint %s:%s", category, event);
	}
	return NULL;
}

static struct err *attach_tracepoint(struct place *pl, const struct attach_point *p)
{
	const char *category = p->is_raw_event ? "raw_syscalls" : p->target;
	struct err *e;
	int fd;

	if (p->is_raw_event && p->syscall >= 0)
		return attach_syscall(pl, p);
	e = tracepoint_open(pl->s->world, category, p->func, &fd);
	return e ? e : place_perf(pl, pl->r->prog->fd, fd, p->cookie);
}

struct err *attach_tracepoints(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		const struct attach_point *p = pl->r->probe->points[i];
		struct err *e = attach_tracepoint(pl, p);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, p, e)))
			return e;
	}
	return NULL;
}

/* -EBUSY: the function's first instruction is not the call that the compiler leaves for tracers (bpf_arch_text_poke() in arch/x86/net). */
static struct err *tracing_error(int code)
{
	errno = code;
	if (code == EBUSY)
		return err_new(code, "the kernel's compiler left no place for tracers in this function (noinstr, notrace or assembly)");
	return err_errno("attaching the program");
}

static struct err *attach_raw(struct place *pl, const char *name, int prog_fd)
{
	int fd = sys_raw_tracepoint(name, prog_fd);

	if (fd < 0)
		return tracing_error(-fd);
	vec_push(pl->links, (struct link){.fd = fd, .perf_fd = -1, .r = pl->r});
	return NULL;
}

/* begin, end and self are raw tracepoint programs too; they are run by hand, not attached. */
struct err *attach_raw_tracepoints(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		const struct attach_point *p = pl->r->probe->points[i];
		struct err *e = NULL;

		if (p->func && p->kind != PK_SELF && p->kind != PK_BEGIN && p->kind != PK_END)
			e = attach_raw(pl, p->func, pl->r->prog->fd);
		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, p, e)))
			return e;
	}
	return NULL;
}

struct err *attach_tracing(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		const struct attach_point *p = pl->r->probe->points[i];
		struct loaded *l = load_find(pl->s, pl->r, p);
		struct err *e = attach_raw(pl, NULL, l ? l->fd : -1);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, p, e)))
			return e;
	}
	return NULL;
}

/*
 * One link for points [from, to), whose ids and numbers are given.  One function that the kernel will not have makes it refuse all of them: a
 * refused link is cut in half.  Depth is at most log2(n) + 1.
 */
static struct err *link_functions(struct place *pl, const uint32_t *id, const uint64_t *cookie, uint32_t from, uint32_t to)
{
	uint32_t type = pl->r->prog->kind == PROG_FENTRY_MULTI ? SYS_TRACE_FENTRY_MULTI : SYS_TRACE_FEXIT_MULTI, mid = from + (to - from) / 2;
	int fd = sys_link_functions(pl->r->prog->fd, type, id + from, cookie + from, to - from);
	struct err *e;

	if (fd >= 0) {
		vec_push(pl->links, (struct link){.fd = fd, .perf_fd = -1, .r = pl->r});
		pl->r->nattached += to - from;
		return NULL;
	}
	if (to - from == 1 || fd == -EPERM || fd == -ENOMEM)
		return attach_missing(pl, pl->r->probe->points[from], tracing_error(-fd));
	e = link_functions(pl, id, cookie, from, mid);
	return e ? e : link_functions(pl, id, cookie, mid, to);
}

struct err *attach_functions(struct place *pl)
{
	const struct probe *p = pl->r->probe;
	uint32_t *id = xcalloc(p->npoints + 1, sizeof(*id));
	uint64_t *cookie = xcalloc(p->npoints + 1, sizeof(*cookie));
	struct err *e;

	for (uint32_t i = 0; i < p->npoints; i++) {
		id[i] = p->points[i]->btf_id;
		cookie[i] = p->points[i]->cookie;
	}
	e = p->npoints ? link_functions(pl, id, cookie, 0, p->npoints) : NULL;
	free(id);
	free(cookie);
	return e;
}

/* Leaves the iterator in a file, whose every reader runs it.  A name without a folder is one of the usual BPF file system. */
static struct err *pin_iter(struct session *s, int fd, const char *name)
{
	char *path = *name == '/' ? xasprintf("%s", name) : xasprintf("/sys/fs/bpf/%s", name);
	int code = sys_pin(fd, path);

	close(fd);
	if (!code) {
		vec_push(&s->pins, path);
		return NULL;
	}
	errno = -code;
	struct err *e = err_errno("pinning the iterator to %s", path);

	free(path);
	return code == -EPERM || code == -EINVAL ? err_hint(e, "it must be in a BPF file system: mount -t bpf bpf /sys/fs/bpf") : e;
}

static struct err *attach_one_iter(struct place *pl, const struct attach_point *p)
{
	struct loaded *l = load_find(pl->s, pl->r, p);
	int pid = place_pid(pl, p);
	enum sys_iter_over over = !p->func				? SYS_ITER_PLAIN
				  : str_has_prefix(p->func, "task")	? SYS_ITER_TASKS
				  : str_eq(p->func, "cgroup")		? SYS_ITER_CGROUPS
									: SYS_ITER_PLAIN;
	int fd = sys_link_iter(l ? l->fd : -1, over, pid > 0 ? (uint32_t)pid : 0);

	if (fd == -EBADF && l) /* bpf_iter_attach_map() in kernel/bpf/map_iter.c */
		return err_new(EBADF, "it iterates over the elements of one map, which the probe cannot name");
	if (fd < 0) {
		errno = -fd;
		return err_errno("attaching the program");
	}
	if (p->target)
		return pin_iter(pl->s, fd, p->target);
	vec_push(&pl->s->iters, fd);
	return NULL;
}

struct err *attach_iter(struct place *pl)
{
	for (uint32_t i = 0; i < pl->r->probe->npoints; i++) {
		struct err *e = attach_one_iter(pl, pl->r->probe->points[i]);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, pl->r->probe->points[i], e)))
			return e;
	}
	return NULL;
}

/* Reading the iterator's file runs the program over everything; what it prints goes through the
 * ring. */
static struct err *run_iter(int link_fd)
{
	char sink[4096];
	ssize_t n;
	int fd = sys_iter_open(link_fd);

	if (fd < 0) {
		errno = -fd;
		return err_errno("opening an iterator");
	}
	do
		n = read(fd, sink, sizeof(sink));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	if (n < 0) {
		struct err *e = err_errno("running an iterator");

		close(fd);
		return e;
	}
	close(fd);
	return NULL;
}

struct err *session_run_iters(struct session *s)
{
	vec_each(fd, &s->iters) {
		struct err *e = run_iter(*fd);

		if (e)
			return e;
	}
	return NULL;
}

void session_each_pin(const struct session *s, void (*fn)(void *arg, const char *path), void *arg)
{
	vec_each(path, &s->pins)
		fn(arg, *path);
}
