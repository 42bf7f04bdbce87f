/* arena.c - many small objects with one lifetime, from blocks that grow with use. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

struct block {
	struct block *next;
	size_t used, cap;
	_Alignas(16) char data[];
};

struct arena {
	struct block *top; /* where the next small object goes */
	size_t bytes;
};

enum { FIRST_BLOCK = 8 << 10, LARGEST_BLOCK = 1 << 20 };

struct arena *arena_create(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_destroy(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->top; b;) {
		struct block *next = b->next;
		free(b);
		b = next;
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
	n = ALIGN_UP(n ? n : 1, (size_t)16);
	struct block *b = a->top;
	if (!b || b->cap - b->used < n) {
		size_t cap = b ? MIN(b->cap * 2, (size_t)LARGEST_BLOCK) : FIRST_BLOCK;
		cap = MAX(cap, n);
		b = xcalloc(1, sizeof(*b) + cap);
		b->cap = cap;
		b->next = a->top;
		a->top = b;
	}
	void *p = b->data + b->used;
	b->used += n;
	a->bytes += n;
	return p;
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	n = strnlen(s, n);
	char *copy = arena_alloc(a, n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s) + 1);
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *s = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	if (n >= 0)
		vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

size_t arena_bytes(const struct arena *a)
{
	return a->bytes;
}
