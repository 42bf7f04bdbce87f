/*
 * attach_probe.c - breakpoints on functions: uprobes, uretprobes and USDT in binaries, kprobes and
 * kretprobes in the kernel.
 *
 * One multi link holds all places of a binary; one bad place makes the kernel refuse the whole
 * link, so a refused link is cut in half until the bad places are alone.  Without multi links each
 * place is a perf event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/session.h"

static bool is_return(const struct attach_point *p)
{
	return p->kind == PK_URETPROBE || p->kind == PK_KRETPROBE;
}

/* Places for one link: points in [from, to) of `point`, with the arrays that the kernel reads
 * beside them. */
struct batch {
	struct place *pl;
	bool is_kernel;
	const struct attach_point **point;
	uint64_t *offset, *semaphore, *cookie;
	const char **symbol;
	uint32_t n;
	bool has_semaphores, has_addresses;
	const char *open_path; /* the binary being looked at */
	int open_fd;
};

/* One link for points [from, to); by_address: kernel functions at b->offset, not by name. */
static int link_range(const struct batch *b, uint32_t from, uint32_t to, bool by_address)
{
	const struct attach_point *p = b->point[from];
	int pid = place_pid(b->pl, p);
	struct sys_multi m = {.n = to - from,
			      .flags = is_return(p) ? SYS_MULTI_RETURN : 0,
			      .path = p->target,
			      .offset = b->offset + from,
			      .semaphore = b->has_semaphores ? b->semaphore + from : NULL,
			      .cookie = b->cookie + from,
			      .pid = pid > 0 ? (uint32_t)pid : 0};

	if (!b->is_kernel) {
		m.attach_type = SYS_TRACE_UPROBE_MULTI;
		return sys_link_uprobes(b->pl->r->prog->fd, &m);
	}
	m.attach_type = b->pl->r->prog->kind == PROG_KPROBE_SESSION ? SYS_TRACE_KPROBE_SESSION : BPF_TRACE_KPROBE_MULTI;
	m.symbol = by_address ? NULL : b->symbol + from;
	m.address = by_address ? b->offset + from : NULL;
	return sys_link_kprobes(b->pl->r->prog->fd, &m);
}

enum {
	KERNEL_ENOTSUPP = 524
}; /* include/linux/errno.h: not for user space, yet it gets there */

static struct err *point_error(const struct attach_point *p, int code)
{
	bool is_kernel = p->kind == PK_KPROBE || p->kind == PK_KRETPROBE;

	if (probe_is_kernel_place(p) && (code == EINVAL || code == EILSEQ || code == EADDRNOTAVAIL))
		return err_new(code, "the kernel lets nobody probe there (%s)", strerror(code));
	/* by name, alone or among others: kernel/trace/bpf_trace.c, kernel/kprobes.c */
	if (is_kernel && p->func && !p->offset && (code == ENOENT || code == ESRCH || code == EINVAL || code == EADDRNOTAVAIL))
		return err_new(code, "the kernel has no such function, or none that can be probed (inlined, notrace, or several of that name)");
	if (code == EILSEQ)
		return err_new(
			code,
			"the offset is in the middle of an instruction, or of one that cannot be probed");
	errno = code;
	return err_errno("the kernel refused the place");
}

/* Addresses of all functions in [from, to); false when one has none.  Kernels find only their own functions by name, not those of modules. */
static bool find_addresses(const struct batch *b, uint32_t from, uint32_t to)
{
	struct kallsyms *k = world_kallsyms(b->pl->s->world);

	for (uint32_t i = from; i < to; i++) {
		const struct ksym *sym = b->offset[i] ? NULL : kallsyms_by_name(k, b->symbol[i]);

		if (!b->offset[i])
			b->offset[i] = sym ? sym->addr : 0;
		if (!b->offset[i])
			return false;
	}
	return true;
}

static int link_some(const struct batch *b, uint32_t from, uint32_t to)
{
	int fd = link_range(b, from, to, b->has_addresses);

	if (fd < 0 && fd != -EPERM && b->is_kernel && !b->has_addresses && find_addresses(b, from, to))
		fd = link_range(b, from, to, true);
	return fd;
}

/* Depth is at most log2(n) + 1. */
static struct err *link_batch(const struct batch *b, uint32_t from, uint32_t to)
{
	int fd = link_some(b, from, to);
	uint32_t mid = from + (to - from) / 2;
	struct err *e;

	if (fd >= 0) {
		vec_push(b->pl->links, (struct link){.fd = fd, .perf_fd = -1, .r = b->pl->r});
		b->pl->r->nattached += to - from;
		return NULL;
	}
	if (to - from == 1 || fd == -EPERM || fd == -ENOMEM)
		return attach_missing(b->pl, b->point[from], point_error(b->point[from], -fd));
	e = link_batch(b, from, mid);
	return e ? e : link_batch(b, mid, to);
}

static bool same_link(const struct batch *b, const struct attach_point *x,
		      const struct attach_point *y)
{
	return (b->is_kernel || str_eq(x->target, y->target)) && x->kind == y->kind &&
	       x->pid == y->pid;
}

static void batch_add(struct batch *b, const struct attach_point *p)
{
	b->point[b->n] = p;
	b->offset[b->n] = b->is_kernel ? p->address : p->offset;
	b->semaphore[b->n] = p->semaphore;
	b->cookie[b->n] = p->cookie;
	b->symbol[b->n] = p->func;
	b->has_semaphores |= p->semaphore != 0;
	b->has_addresses |= p->address != 0 || !p->func;
	b->n++;
}

/*
 * Finding a refused place by cutting links in half takes a grace period of the kernel each time, so
 * places that are known to be refused are left out first.
 */
static bool screened(struct batch *b, const struct attach_point *p)
{
	uint8_t insn[16];
	const char *why;
	ssize_t n;

	if (b->is_kernel)
		return false;
	struct err *e = boundary_check(b->pl->s->world, p);
	if (e) {
		err_free(attach_refused(b->pl, e));
		return true;
	}
	if (!str_eq(b->open_path, p->target)) {
		if (b->open_fd >= 0)
			close(b->open_fd);
		b->open_path = p->target;
		b->open_fd = open(p->target, O_RDONLY | O_CLOEXEC);
	}
	n = b->open_fd < 0 ? 0 : pread(b->open_fd, insn, sizeof(insn), (off_t)p->offset);
	why = n > 0 ? arch_refuses_breakpoint(insn, (size_t)n) : NULL;
	if (!why)
		return false;
	err_free(attach_missing(b->pl, p, err_new(EOPNOTSUPP, "the kernel cannot probe %s", why)));
	return true;
}

/* Groups the points that one link can hold; points of a group need not be neighbours. */
static struct err *attach_multi(struct place *pl, bool is_kernel)
{
	const struct probe *p = pl->r->probe;
	struct batch b = {.pl = pl, .is_kernel = is_kernel, .open_fd = -1};
	bool *done = xcalloc(p->npoints + 1, sizeof(bool));
	struct err *e = NULL;

	b.point = xcalloc(p->npoints + 1, sizeof(*b.point));
	b.offset = xcalloc(p->npoints + 1, sizeof(*b.offset));
	b.semaphore = xcalloc(p->npoints + 1, sizeof(*b.semaphore));
	b.cookie = xcalloc(p->npoints + 1, sizeof(*b.cookie));
	b.symbol = xcalloc(p->npoints + 1, sizeof(*b.symbol));
	for (uint32_t i = 0; i < p->npoints && !e; i++) {
		if (done[i])
			continue;
		b.n = 0;
		b.has_semaphores = b.has_addresses = false;
		for (uint32_t j = i; j < p->npoints; j++) {
			if (done[j] || !same_link(&b, p->points[i], p->points[j]))
				continue;
			done[j] = true;
			if (!screened(&b, p->points[j]))
				batch_add(&b, p->points[j]);
		}
		if (b.n)
			e = link_batch(&b, 0, b.n);
	}
	if (b.open_fd >= 0)
		close(b.open_fd);
	free(done);
	free(b.point);
	free(b.offset);
	free(b.semaphore);
	free(b.cookie);
	free(b.symbol);
	return e;
}

/* --- one perf event a place
 * ---------------------------------------------------------------------------- */

/* Type of a dynamic PMU and the bit that asks for the function's return; -1 and errno when there is
 * none. */
static int pmu_type(const char *name)
{
	_cleanup_free_ char *path = xasprintf("/sys/bus/event_source/devices/%s/type", name);
	_cleanup_free_ char *text = read_file(path, NULL);

	return text ? atoi(text) : -1;
}

static unsigned pmu_return_bit(const char *name)
{
	_cleanup_free_ char *path =
		xasprintf("/sys/bus/event_source/devices/%s/format/retprobe", name);
	_cleanup_free_ char *text = read_file(path, NULL);

	return text && str_has_prefix(text, "config:") ? (unsigned)atoi(text + 7) & 63 : 0;
}

static struct err *attach_pmu(struct place *pl, const struct attach_point *p, const char *pmu,
			      int type, unsigned bit)
{
	struct perf_event_attr attr = {
		.type = (uint32_t)type, .sample_period = 1, .wakeup_events = 1};
	int pid = place_pid(pl, p), fd;
	bool is_user = strcmp(pmu, "uprobe") == 0;

	if (is_return(p))
		attr.config |= 1ull << bit;
	if (is_user) {
		attr.config |= p->semaphore << 32; /* PERF_UPROBE_REF_CTR_OFFSET_SHIFT */
		attr.uprobe_path = (uint64_t)(uintptr_t)p->target;
		attr.probe_offset = p->offset;
	} else {
		attr.kprobe_func = p->address ? 0 : (uint64_t)(uintptr_t)p->func;
		attr.probe_offset = p->address ? p->address : p->offset;
		pid = -1;
	}
	fd = sys_perf_open(&attr, pid, pid > 0 ? -1 : 0, -1, 0);
	if (fd < 0)
		return point_error(p, -fd);
	return place_perf(pl, pl->r->prog->fd, fd, p->cookie);
}

static struct err *attach_pmus(struct place *pl, const char *pmu, const char *what,
			       const char *config)
{
	const struct probe *probe = pl->r->probe;
	int type = pmu_type(pmu);
	unsigned bit = pmu_return_bit(pmu);

	for (uint32_t i = 0; i < probe->npoints; i++) {
		const struct attach_point *p = probe->points[i];
		struct err *e = boundary_check(pl->s->world, p);

		if (e) {
			err_free(attach_refused(pl, e));
			continue;
		}
		e = type < 0 ? err_new(EOPNOTSUPP,
						   "this kernel cannot probe %s (%s is not set)",
						   what, config)
					 : attach_pmu(pl, p, pmu, type, bit);

		if (!e)
			pl->r->nattached++;
		else if ((e = attach_missing(pl, p, e)))
			return e;
	}
	return NULL;
}

struct err *attach_uprobes(struct place *pl)
{
	if (pl->r->prog->kind == PROG_UPROBE_MULTI)
		return attach_multi(pl, false);
	return attach_pmus(pl, "uprobe", "user functions", "CONFIG_UPROBES");
}

struct err *attach_kprobes(struct place *pl)
{
	if (pl->r->prog->kind == PROG_KPROBE_MULTI || pl->r->prog->kind == PROG_KPROBE_SESSION)
		return attach_multi(pl, true);
	return attach_pmus(pl, "kprobe", "kernel functions", "CONFIG_KPROBES");
}
