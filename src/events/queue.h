/*
 * queue.h - what was drained and waits to be printed.
 *
 * Writers append under the lock; the reader takes everything at once.  The queue grows by chunks up
 * to a limit; past it the drain thread waits (the ring then fills, and the kernel counts what it
 * drops).
 */
#pragma once

#include <pthread.h>

#include "base/base.h"

enum entry_kind {
	ENTRY_RECORD, /* bytes of a record */
	ENTRY_MMAP,   /* struct mmap_entry, path, NUL */
	ENTRY_FORK,   /* u32 parent, u32 child */
	ENTRY_EXEC,   /* u32 pid */
	ENTRY_EXIT,   /* u32 pid, u32 parent */
};
struct entry {
	uint32_t size; /* of data */
	uint32_t kind;
	uint8_t data[]; /* the next entry follows, 8-aligned */
};
struct mmap_entry {
	uint64_t addr, len, pgoff;
	uint64_t dev, inode; /* makedev(); 0: not told */
	uint32_t pid;
	uint8_t build_id_len; /* 0: not told */
	uint8_t build_id[20];
	char path[];
};
struct chunk {
	struct chunk *next;
	size_t used, cap;
	uint8_t data[];
};

struct queue {
	pthread_mutex_t lock;
	struct chunk *head, *tail;
	struct chunk *spare; /* a few that are kept: fresh memory costs page faults */
	unsigned nspare;
	size_t bytes, limit;
	int wake_fd; /* readable when something came while the reader was idle */
	bool reader_idle;
};
struct err *queue_init(struct queue *q, size_t limit);
void queue_destroy(struct queue *q);

/* Writers: begin, any number of puts, end.  queue_end wakes the reader. */
void queue_begin(struct queue *q);
void queue_put(struct queue *q, enum entry_kind kind, const void *a, size_t na, const void *b,
	       size_t nb);
void queue_end(struct queue *q);
/* Is the queue below its limit?  Puts work anyhow; who may wait asks first. */
bool queue_has_room(struct queue *q);

/* Reader: everything that is there, to be freed with chunks_free; NULL: nothing (wake_fd will
 * tell). */
struct chunk *queue_take(struct queue *q);
void queue_give_back(struct queue *q, struct chunk *c); /* worked off */
/* Entries of a chunk in order: start with NULL; NULL ends. */
const struct entry *chunk_next(const struct chunk *c, const struct entry *at);
