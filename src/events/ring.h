/*
 * ring.h - reading a BPF ring buffer (kernel/bpf/ringbuf.c): one page with the consumer's position,
 * one with the producer's, then the data mapped twice so that records never wrap.
 */
#pragma once

#include "base/base.h"

struct ring {
	int fd;
	unsigned long *consumer; /* ours to write */
	const unsigned long *producer;
	const uint8_t *data;
	size_t bytes, page; /* a power of two */
};
/* `fd` stays the caller's.  A ring that is already mapped may be mapped again. */
struct err *ring_open(struct ring *r, int fd, size_t bytes);
void ring_close(struct ring *r);
/*
 * Calls back for each record that is complete, at most until `limit` bytes were read; true: there
 * may be more. The kernel gets the room back when this returns.
 */
bool ring_read(struct ring *r, size_t limit, void (*fn)(void *arg, const void *record, size_t n),
	       void *arg);
