/*
 * track.h - which files processes map, remembered while they live, so that a stack that is printed
 * after its process has gone still has names.
 *
 * The kernel tells of every executable mapping, fork and exec through perf events without samples;
 * processes that were there before are read from /proc once.
 */
#pragma once

#include <pthread.h>

#include "events/events.h"
#include "events/queue.h"

struct track_cpu { /* a ring: two a processor */
	int fd;
	uint8_t *mem; /* one page of positions, then the data */
};
struct track {
	struct queue queue; /* of entries that the symbolizer has not seen */
	pthread_mutex_t lock;
	VEC(struct track_cpu) cpus;
	struct numtab seen; /* processes that were read from /proc */
	VEC(uint32_t) todo; /* processes to be read, from the end */
	size_t page;
	bool has_lock;
	uint64_t lost; /* records that the kernel dropped */
	struct queue *listener; /* gets all that processes do from now on, NULL: nobody */
	const uint64_t *met;	/* bitmap of runtime/unwind.h: whose names may be asked for; NULL: of all */
	bool is_polled;		/* by the listener's thread, and not by the one that drains */
};
/* Does the program send or keep anything whose names depend on a process? */
bool track_is_wanted(const struct program *p);
/* ... that is no stack: an address with its process. */
bool track_names_alone(const struct program *p);
/* is_listened: track_listen() will be called; every mapping is worth waking up for. */
struct err *track_open(struct track *t, bool is_listened);
void track_close(struct track *t);
/* Copies what the kernel has told; reads at most one of the processes that were there before. true:
 * more to read. */
bool track_step(struct track *t);
/* Only copies what the kernel has told. */
void track_poll(struct track *t);
/*
 * Sends a copy of what processes do to a queue as well; NULL ends that.  The caller's thread is told of every mapping by the
 * file descriptors of t->cpus, and is to call track_step().  met (NULL: not known): see struct track.
 */
void track_listen(struct track *t, struct queue *q, const uint64_t *met);
/* A process that a record names: its mappings are read when it is new. */
void track_pid(struct track *t, uint32_t pid);
/* Everything that is known so far goes to the symbolizer's mappings. */
void track_apply(struct track *t, struct usyms *u);
