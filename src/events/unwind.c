/* unwind.c - see unwind.h. */
#include "events/unwind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "events/ring.h"
#include "events/unwind_proc.h"

enum {
	GATHER_MS = 4,
	NICE = -10
};

struct unwinder {
	struct session *session;
	struct track *track;
	struct uw_space space;
	struct uw_files files;
	struct uw_processes processes;
	struct ring miss;
	struct queue queue; /* what processes do, from the tracker */
	pthread_t thread;
	pthread_mutex_t lock; /* over all but the ring */
	pthread_cond_t settled;
	bool is_running, is_settled;
	int stop_fd;
	unsigned nread;
	struct str_list command; /* the files that a command is loaded from */
};

const char *stack_end_text(unsigned end)
{
	static const char *const text[] = {
		[UW_COMPLETE] = "complete",
		[UW_GUESSED] = "complete, by frame pointer where the code has no tables",
		[UW_LIMIT] = "as many frames as were asked for",
		[UW_NEW] = "by frame pointers: the process was not known yet",
		[UW_UNMAPPED] = "ended in a file that was not known yet, or where nothing is mapped",
		[UW_NO_TABLE] = "ended in code without tables or frame pointers",
		[UW_BAD_RULE] = "ended at a rule that is not understood",
		[UW_FAULT] = "ended where the stack could not be read",
		[UW_BACKWARDS] = "ended at a frame that is not above the one before",
		[UW_NO_STACK] = "no user space",
		[UW_32_BITS] = "by frame pointers: a program of 32 bits",
	};

	return end < ARRAY_SIZE(text) && text[end] ? text[end] : "ended";
}

/* --- what processes do
 * ------------------------------------------------------------------------------------- */

static void follow(struct unwinder *u, const struct entry *e)
{
	struct uw_processes *p = &u->processes;
	uint32_t pid[2] = {0}; /* the second: its parent, when it ends */
	struct mmap_entry m;

	memcpy(pid, e->data, MIN((size_t)e->size, sizeof(pid)));
	switch ((enum entry_kind)e->kind) {
	case ENTRY_MMAP:
		memcpy(&m, e->data, sizeof(m));
		uw_process_mmap(p, &m, (const char *)e->data + sizeof(m));
		break;
	case ENTRY_EXEC: uw_process_exec(p, pid[0]); break;
	case ENTRY_EXIT: uw_process_exit(p, pid[0], pid[1]); break;
	case ENTRY_FORK:
	case ENTRY_RECORD: break;
	}
}

static void follow_all(struct unwinder *u)
{
	for (struct chunk *c = queue_take(&u->queue), *next; c; c = next) {
		next = c->next;
		for (const struct entry *e = chunk_next(c, NULL); e; e = chunk_next(c, e))
			follow(u, e);
		queue_give_back(&u->queue, c);
	}
}

/* A program met a process, or an address of it, that is not known: what the kernel has told
 * meanwhile may say it. */
static void take_miss(void *arg, const void *record, size_t n)
{
	struct unwinder *u = arg;
	struct uw_miss m;

	if (n < sizeof(m))
		return;
	memcpy(&m, record, sizeof(m));
	track_poll(u->track);
	follow_all(u);
	if (m.pc || !uw_process_is_current(&u->processes, m.tgid)) {
		u->nread++;
		uw_process_read(&u->processes, m.tgid);
	}
	uw_processes_publish(&u->processes);
}

static void work(struct unwinder *u)
{
	pthread_mutex_lock(&u->lock);
	follow_all(u);
	uw_processes_publish(&u->processes);
	while (ring_read(&u->miss, 64, take_miss, u))
		;
	pthread_mutex_unlock(&u->lock);
}

/* --- what the session is about
 * ----------------------------------------------------------------------------- */

static void preload_path(struct unwinder *u, const char *path)
{
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd >= 0)
		uw_files_unref(&u->files, uw_files_open(&u->files, fd));
}

/* A command has not mapped its files yet: they are made ready for when it does. */
static void preload(struct unwinder *u)
{
	const struct world *w = session_world(u->session);

	pthread_mutex_lock(&u->lock);
	vec_each(path, &u->command.list)
		preload_path(u, *path);
	if (!w->cmd_path && w->pid) {
		uw_process_read(&u->processes, (uint32_t)w->pid);
		uw_processes_publish(&u->processes);
	}
	u->is_settled = true;
	pthread_cond_broadcast(&u->settled);
	pthread_mutex_unlock(&u->lock);
}

void unwinder_settle(struct unwinder *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->lock);
	while (!u->is_settled)
		pthread_cond_wait(&u->settled, &u->lock);
	pthread_mutex_unlock(&u->lock);
}

/* The command waits at its first instruction. */
static void at_entry(void *arg, int pid)
{
	struct unwinder *u = arg;

	pthread_mutex_lock(&u->lock);
	uw_process_read(&u->processes, (uint32_t)pid);
	uw_processes_publish(&u->processes);
	u->nread++;
	pthread_mutex_unlock(&u->lock);
}

/* --- the thread
 * -------------------------------------------------------------------------------------------- */

/* What to wait for: the end, what programs miss, then what processes do. */
static void watch_all(const struct unwinder *u, struct pollfd **fds, nfds_t *n)
{
	VEC(struct pollfd) list = {0};

	vec_push(&list, ((struct pollfd){.fd = u->stop_fd, .events = POLLIN}));
	vec_push(&list, ((struct pollfd){.fd = u->miss.fd, .events = POLLIN}));
	vec_push(&list, ((struct pollfd){.fd = u->queue.wake_fd, .events = POLLIN}));
	vec_each(c, &u->track->cpus)
		vec_push(&list, ((struct pollfd){.fd = c->fd, .events = POLLIN}));
	*fds = list.at;
	*n = list.len;
}

static void *unwinder_thread(void *arg)
{
	struct unwinder *u = arg;
	bool more = true; /* processes that were there before, for their names */
	struct pollfd *fds;
	nfds_t n;

	/* it has little to do, but for programs that start it must be done at once; without the right to, it goes as it is */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	watch_all(u, &fds, &n);
	preload(u);
	while (!fds[0].revents) {
		more = track_step(u->track);
		work(u);
		if (poll(fds, n, more ? 0 : -1) < 0 && errno != EINTR)
			break;
		/* programs find out for themselves what is news; what processes do is read for when it is not */
		if (!more && !fds[0].revents && !fds[1].revents)
			(void)poll(fds, 2, GATHER_MS);
	}
	free(fds);
	return NULL;
}

/* Which processes' stacks were taken. */
static const uint64_t *met_bits(const struct unwinder *u)
{
	const uint8_t *rules = session_map_mem(u->session, session_program(u->session)->unwind.rules);

	return rules ? (const uint64_t *)(rules + UW_MET_AT) : NULL;
}

/* Not in the thread: the world is not for two. */
static void list_command(struct unwinder *u, struct world *w)
{
	if (!w->cmd_path)
		return;
	vec_push(&u->command.list, w->cmd_path);
	elf_needed(w, w->cmd_path, &u->command);
}

static struct err *open_all(struct unwinder *u)
{
	struct session *s = u->session;
	const struct program *p = session_program(s);
	struct err *e = queue_init(&u->queue, SIZE_MAX);

	if (e)
		return e;
	u->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->stop_fd < 0)
		return err_errno("making an eventfd");
	e = ring_open(&u->miss, session_map_fd(s, p->unwind.miss), UW_MISS_BYTES);
	if (e)
		return e;
	list_command(u, session_world(s));
	uw_space_init(&u->space, s, p->unwind.segs);
	uw_files_init(&u->files, &u->space, session_map_mem(s, p->unwind.rules), session_map_fd(s, p->unwind.files));
	u->processes = (struct uw_processes){.files = &u->files,
					     .space = &u->space,
					     .met = met_bits(u),
					     .map_fd = session_map_fd(s, p->unwind.procs)};
	return NULL;
}

/* Signals are for the thread that drains (drain.c): one that came here would end the trace without
 * its output. */
static int start_thread(struct unwinder *u)
{
	sigset_t all, old;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	code = pthread_create(&u->thread, NULL, unwinder_thread, u);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code;
}

struct err *unwinder_start(struct session *s, struct track *t, struct unwinder **ret)
{
	const struct program *p = session_program(s);
	struct unwinder *u;
	struct err *e;
	int code;

	*ret = NULL;
	if (!p->unwind.procs || session_map_fd(s, p->unwind.procs) < 0)
		return NULL;
	u = xcalloc(1, sizeof(*u));
	u->session = s;
	u->track = t;
	u->stop_fd = u->miss.fd = -1;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->settled, NULL);
	e = open_all(u);
	/* when other values name processes, too, what is known of all is kept */
	track_listen(t, &u->queue, e || track_names_alone(p) ? NULL : met_bits(u));
	code = e ? 0 : start_thread(u);
	if (code) {
		errno = code;
		e = err_errno("starting a thread");
	}
	u->is_running = !e;
	if (e) {
		unwinder_stop(u);
		return e;
	}
	session_on_entry(s, at_entry, u);
	*ret = u;
	return e;
}

void unwinder_stop(struct unwinder *u)
{
	if (!u)
		return;
	if (u->is_running) {
		if (eventfd_write(u->stop_fd, 1) < 0)
			BUG("stopping the unwinder's thread");
		pthread_join(u->thread, NULL);
	}
	track_listen(u->track, NULL, NULL);
	session_on_entry(u->session, NULL, NULL);
	uw_processes_destroy(&u->processes);
	uw_files_destroy(&u->files);
	uw_space_destroy(&u->space);
	ring_close(&u->miss);
	queue_destroy(&u->queue);
	vec_free(&u->command.list);
	if (u->stop_fd >= 0)
		close(u->stop_fd);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->settled);
	free(u);
}

void unwinder_report(struct unwinder *u, struct stack_report *ret)
{
	const struct program *p;
	const uint64_t *ends;

	if (!u || !ret)
		return;
	p = session_program(u->session);
	ends = session_map_mem(u->session, p->data);
	pthread_mutex_lock(&u->lock);
	*ret = (struct stack_report){.processes = u->nread,
				     .files = u->files.nbuilt,
				     .bytes = u->space.used_words * 4,
				     .build_ns = u->files.build_ns};
	pthread_mutex_unlock(&u->lock);
	for (unsigned i = 0; ends && i < UW_ENDS; i++)
		ret->by_end[i] =
			__atomic_load_n(&ends[p->unwind.ends_offset / 8 + i], __ATOMIC_RELAXED);
}
