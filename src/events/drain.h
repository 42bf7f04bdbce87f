/*
 * drain.h - the thread that empties the ring buffer and hears signals.  It does nothing slow: it
 * copies records into the queue and remembers the mappings of processes that it sees for the first
 * time.
 */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "events/queue.h"
#include "events/record.h"
#include "events/ring.h"
#include "events/track.h"

struct drain {
	const struct program *prog;
	struct queue *queue;
	struct ring ring; /* fd -1: the program sends nothing */
	pthread_t thread;
	pthread_mutex_t lock; /* one reader of the ring at a time */
	bool is_running, has_mutex;
	int stop_fd, signal_fd;
	VEC(struct pollfd) fds;
	sigset_t old_mask;
	/* set by the thread, read by the main one */
	int end_signals, usr1_signals;
	uint64_t end_ms; /* when the first signal that asks for the end came */
	/* processes whose user stacks or symbols came by */
	struct pid_offsets *pids; /* one an action */
	struct track *track;      /* NULL: nothing needs names of user space */
};
/* Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR1 for the process: the thread hears them. */
struct err *drain_start(struct drain *d, const struct program *p, int ring_fd, size_t ring_bytes,
			struct queue *q, struct track *t);
/* Copies all that the ring holds now; from any thread. */
void drain_now(struct drain *d);
/* Empties the ring for the last time and ends the thread. */
void drain_stop(struct drain *d);
