/* queue.c - see queue.h. */
#include "events/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CHUNK_FIRST = 64 << 10,
	CHUNK_MORE = 1 << 20,
	MAX_SPARE = 8
};

struct err *queue_init(struct queue *q, size_t limit)
{
	*q = (struct queue){.limit = limit, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (q->wake_fd < 0)
		return err_errno("making an eventfd");
	pthread_mutex_init(&q->lock, NULL);
	return NULL;
}

static void free_chunks(struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;

		free(c);
		c = next;
	}
}

void queue_destroy(struct queue *q)
{
	free_chunks(q->head);
	free_chunks(q->spare);
	q->head = q->tail = q->spare = NULL;
	if (q->wake_fd >= 0)
		close(q->wake_fd);
	q->wake_fd = -1;
	pthread_mutex_destroy(&q->lock);
}

void queue_begin(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
}

static struct chunk *chunk_new(struct queue *q, size_t need)
{
	size_t cap = MAX(need, (size_t)(q->tail ? CHUNK_MORE : CHUNK_FIRST));
	struct chunk *c = q->spare;

	if (c && c->cap >= need) {
		q->spare = c->next;
		q->nspare--;
	} else {
		c = xmalloc(sizeof(*c) + cap);
		c->cap = cap;
	}
	c->used = 0;
	c->next = NULL;
	return c;
}

static struct chunk *chunk_for(struct queue *q, size_t need)
{
	struct chunk *c = q->tail;

	if (c && c->cap - c->used >= need)
		return c;
	c = chunk_new(q, need);
	if (q->tail)
		q->tail->next = c;
	else
		q->head = c;
	q->tail = c;
	return c;
}

void queue_put(struct queue *q, enum entry_kind kind, const void *a, size_t na, const void *b,
	       size_t nb)
{
	size_t need = ALIGN_UP(sizeof(struct entry) + na + nb, (size_t)8);
	struct chunk *c = chunk_for(q, need);
	struct entry *e = (struct entry *)(c->data + c->used);

	e->size = (uint32_t)(na + nb);
	e->kind = kind;
	memcpy(e->data, a, na);
	if (nb)
		memcpy(e->data + na, b, nb);
	c->used += need;
	q->bytes += need;
}

void queue_end(struct queue *q)
{
	bool wake = q->reader_idle && q->head;

	if (wake)
		q->reader_idle = false;
	pthread_mutex_unlock(&q->lock);
	if (wake) {
		uint64_t one = 1;

		if (write(q->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			BUG("waking the reader of the queue");
	}
}

bool queue_has_room(struct queue *q)
{
	bool room;

	pthread_mutex_lock(&q->lock);
	room = q->bytes < q->limit;
	pthread_mutex_unlock(&q->lock);
	return room;
}

struct chunk *queue_take(struct queue *q)
{
	struct chunk *c;
	uint64_t count;

	pthread_mutex_lock(&q->lock);
	c = q->head;
	q->head = q->tail = NULL;
	q->reader_idle = !c;
	if (!c && read(q->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		BUG("reading the queue's eventfd");
	pthread_mutex_unlock(&q->lock);
	return c;
}

void queue_give_back(struct queue *q, struct chunk *c)
{
	pthread_mutex_lock(&q->lock);
	q->bytes -= MIN(q->bytes, c->used);
	if (c->cap == CHUNK_MORE && q->nspare < MAX_SPARE) {
		c->used = 0;
		c->next = q->spare;
		q->spare = c;
		q->nspare++;
		c = NULL;
	}
	pthread_mutex_unlock(&q->lock);
	free(c);
}

const struct entry *chunk_next(const struct chunk *c, const struct entry *at)
{
	size_t off = 0;

	if (at)
		off = (size_t)((const uint8_t *)at - c->data) +
		      ALIGN_UP(sizeof(*at) + at->size, (size_t)8);
	return off < c->used ? (const struct entry *)(c->data + off) : NULL;
}
