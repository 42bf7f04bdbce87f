/* name_index.c - open addressing over numbers with a tag. */
#include "debuginfo/name_index.h"

#include <stdlib.h>
#include <sys/mman.h>

static uint64_t load(const char *s, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, s, n);
	return v;
}

uint32_t name_hash(const char *s, size_t n)
{
	const uint64_t k = 0x9e3779b97f4a7c15ull;
	uint64_t h = n * k;
	for (; n >= 8; s += 8, n -= 8) {
		h = (h ^ load(s, 8)) * k;
		h ^= h >> 32;
	}
	if (n >= 4) {
		h = (h ^ load(s, 4)) * k;
		h ^= h >> 32;
		s += 4;
		n -= 4;
	}
	h = (h ^ load(s, n)) * k;
	return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static size_t bytes(const struct name_index *ix)
{
	return ((size_t)ix->mask + 1) * sizeof(*ix->slot);
}

void name_index_init(struct name_index *ix, size_t n, uint32_t max_value)
{
	size_t size = 16;
	while (size < n + n / 3)
		size *= 2;
	name_index_free(ix);
	ix->mask = (uint32_t)size - 1;
	ix->value_bits = max_value ? 32 - (uint32_t)__builtin_clz(max_value) : 1;
	/* all pages at once: a fault for each costs ten times as much */
	void *p = mmap(NULL, bytes(ix), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ix->memory = p != MAP_FAILED ? NAMES_MAPPED : NAMES_HEAP;
	ix->slot = p != MAP_FAILED ? p : xcalloc(size, sizeof(*ix->slot));
}

void name_index_free(struct name_index *ix)
{
	if (ix->memory == NAMES_MAPPED)
		munmap(ix->slot, bytes(ix));
	else if (ix->memory == NAMES_HEAP)
		free(ix->slot);
	*ix = (struct name_index){0};
}

static uint32_t tag(const struct name_index *ix, uint32_t hash)
{
	/* the upper bits of the hash: the lower ones chose the slot */
	return ix->value_bits < 32 ? hash >> ix->value_bits << ix->value_bits : 0;
}

void name_index_add(struct name_index *ix, uint32_t hash, uint32_t value)
{
	uint32_t i = hash & ix->mask;
	while (ix->slot[i])
		i = (i + 1) & ix->mask;
	ix->slot[i] = tag(ix, hash) | value;
}

uint32_t name_index_next(const struct name_index *ix, uint32_t hash, uint32_t *pos)
{
	/* one that was kept may have no empty slot */
	while (ix->mask && *pos - hash <= ix->mask) {
		uint32_t slot = ix->slot[*pos & ix->mask];
		if (!slot)
			break;
		++*pos;
		if (tag(ix, slot) == tag(ix, hash))
			return slot - tag(ix, slot);
	}
	return 0;
}
