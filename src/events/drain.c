/* drain.c - see drain.h. */
#include "events/drain.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH_BYTES = 256 << 10,
	FULL_WAIT_MS = 5,
	SAME_WISH_MS = 400
};
enum {
	FD_STOP,
	FD_SIGNAL,
	FD_RING
};

static void see_pids(struct drain *d, const uint8_t *rec, size_t n)
{
	struct record_wire head;

	if (n < sizeof(head))
		return;
	memcpy(&head, rec, sizeof(head));
	if (head.action >= d->prog->action.len)
		return;
	vec_each(off, &d->pids[head.action].offset) {
		uint32_t pid;

		if (*off + sizeof(pid) > n)
			continue;
		memcpy(&pid, rec + *off, sizeof(pid));
		track_pid(d->track, pid);
	}
}

static void take_record(void *arg, const void *rec, size_t n)
{
	struct drain *d = arg;

	if (d->track)
		see_pids(d, rec, n);
	queue_put(d->queue, ENTRY_RECORD, rec, n, NULL, 0);
}

/* One batch; true: there is more. */
static bool take_batch(struct drain *d)
{
	bool more;

	if (d->ring.fd < 0)
		return false;
	pthread_mutex_lock(&d->lock);
	queue_begin(d->queue);
	more = ring_read(&d->ring, BATCH_BYTES, take_record, d);
	queue_end(d->queue);
	pthread_mutex_unlock(&d->lock);
	return more;
}

void drain_now(struct drain *d)
{
	/* so much is in a full ring; what comes meanwhile must not hold us here */
	size_t batches = d->ring.fd < 0 ? 0 : d->ring.bytes / BATCH_BYTES + 1;

	while (take_batch(d) && batches--)
		;
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * The second signal that asks for the end ends the process at once, whatever it is waiting for.  One that comes
 * right behind the first is the same wish: timeout(1) sends to the process and to its group.
 */
static void hear_signal(struct drain *d)
{
	struct signalfd_siginfo info;

	while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			__atomic_fetch_add(&d->usr1_signals, 1, __ATOMIC_SEQ_CST);
		} else if (!__atomic_load_n(&d->end_signals, __ATOMIC_SEQ_CST)) {
			d->end_ms = now_ms();
			__atomic_fetch_add(&d->end_signals, 1, __ATOMIC_SEQ_CST);
		} else if (now_ms() - d->end_ms >= SAME_WISH_MS) {
			signal((int)info.ssi_signo, SIG_DFL);
			pthread_sigmask(SIG_SETMASK, &d->old_mask, NULL);
			raise((int)info.ssi_signo);
			_exit(128 + (int)info.ssi_signo);
		}
	}
	if (eventfd_write(d->queue->wake_fd, 1) < 0)
		return; /* it is awake */
}

static void watch(struct drain *d, int fd)
{
	vec_push(&d->fds, (struct pollfd){.fd = fd, .events = POLLIN});
}

/* A full queue stops only the reading of the ring: signals are always heard. */
static void *drain_thread(void *arg)
{
	struct drain *d = arg;
	bool reads = d->track && !d->track->is_polled, more = reads; /* to be looked at without waiting, between looks at signals */

	for (;;) {
		bool full = !queue_has_room(d->queue);

		d->fds.at[FD_RING].events = full ? 0 : POLLIN;
		if (poll(d->fds.at, d->fds.len,
			 more   ? 0
			 : full ? FULL_WAIT_MS
				: -1) < 0 &&
		    errno != EINTR)
			return NULL;
		if (d->fds.at[FD_SIGNAL].revents)
			hear_signal(d);
		more = !full && take_batch(d);
		if (d->fds.at[FD_STOP].revents)
			return NULL;
		if (reads)
			more |= track_step(d->track);
	}
}

static void watch_all(struct drain *d)
{
	watch(d, d->stop_fd);
	watch(d, d->signal_fd);
	watch(d, d->ring.fd); /* -1 is left out by poll */
	if (!d->track)
		return;
	if (!d->track->is_polled)
		vec_each(c, &d->track->cpus)
			watch(d, c->fd);
	d->pids = xcalloc(d->prog->action.len + 1, sizeof(*d->pids));
	for (size_t i = 0; i < d->prog->action.len; i++)
		record_pids(d->prog->action.at[i], &d->pids[i]);
}

static struct err *open_fds(struct drain *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &d->old_mask);
	d->has_mutex = true;
	pthread_mutex_init(&d->lock, NULL);
	d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->stop_fd < 0 || d->signal_fd < 0 ? err_errno("listening to signals") : NULL;
}

struct err *drain_start(struct drain *d, const struct program *p, int ring_fd, size_t ring_bytes,
			struct queue *q, struct track *t)
{
	struct err *e;
	int code;

	*d = (struct drain){
		.prog = p, .queue = q, .track = t, .ring.fd = -1, .stop_fd = -1, .signal_fd = -1};
	e = open_fds(d);
	if (!e && ring_fd >= 0)
		e = ring_open(&d->ring, ring_fd, ring_bytes);
	if (e)
		return e;
	watch_all(d);
	code = pthread_create(&d->thread, NULL, drain_thread, d);
	if (code) {
		errno = code;
		return err_errno("starting a thread");
	}
	d->is_running = true;
	return NULL;
}

void drain_stop(struct drain *d)
{
	if (d->is_running) {
		if (eventfd_write(d->stop_fd, 1) < 0)
			BUG("stopping the drain thread");
		pthread_join(d->thread, NULL);
		d->is_running = false;
		drain_now(d);
	}
	ring_close(&d->ring);
	d->ring.fd = -1;
	if (d->stop_fd >= 0)
		close(d->stop_fd);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	d->stop_fd = d->signal_fd = -1;
	for (size_t i = 0; d->pids && i < d->prog->action.len; i++)
		vec_free(&d->pids[i].offset);
	free(d->pids);
	d->pids = NULL;
	vec_free(&d->fds);
	if (d->has_mutex)
		pthread_mutex_destroy(&d->lock);
	d->has_mutex = false;
	pthread_sigmask(SIG_SETMASK, &d->old_mask, NULL);
}
