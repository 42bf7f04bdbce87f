/* ring.c - see ring.h. */
#include "events/ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

struct err *ring_open(struct ring *r, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	*r = (struct ring){.fd = fd, .bytes = bytes, .page = page};
	r->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->consumer == MAP_FAILED) {
		r->consumer = NULL;
		return err_errno("mapping the ring buffer");
	}
	p = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED) {
		struct err *e = err_errno("mapping the ring buffer");

		ring_close(r);
		return e;
	}
	r->producer = (const unsigned long *)p;
	r->data = p + page;
	return NULL;
}

void ring_close(struct ring *r)
{
	if (r->consumer)
		munmap(r->consumer, r->page);
	if (r->producer)
		munmap((void *)(uintptr_t)r->producer, r->page + 2 * r->bytes);
	r->consumer = NULL;
	r->producer = NULL;
}

bool ring_read(struct ring *r, size_t limit, void (*fn)(void *arg, const void *record, size_t n),
	       void *arg)
{
	unsigned long at = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE), start = at;
	unsigned long end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);

	while (at < end && at - start < limit) {
		const uint8_t *p = r->data + (at & (r->bytes - 1));
		uint32_t head = __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
		uint32_t len = head & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (head & BPF_RINGBUF_BUSY_BIT)
			break; /* its writer is not done; the kernel tells when it is */
		if (len > r->bytes)
			BUG("a record of %u bytes in a ring of %zu", len, r->bytes);
		if (!(head & BPF_RINGBUF_DISCARD_BIT))
			fn(arg, p + BPF_RINGBUF_HDR_SZ, len);
		at += ALIGN_UP((unsigned long)len + BPF_RINGBUF_HDR_SZ, 8ul);
	}
	if (at == start)
		return false;
	__atomic_store_n(r->consumer, at, __ATOMIC_SEQ_CST);
	/* what came before the kernel could see that we had caught up */
	return at < __atomic_load_n(r->producer, __ATOMIC_SEQ_CST);
}
