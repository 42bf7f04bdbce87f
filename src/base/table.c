/* table.c - hash tables with open addressing over an insertion-ordered array of entries. */
#include "base/base.h"

#include <stdlib.h>

/* FNV-1a with a final mix: short keys, no adversary that matters (the worst case is slow, not wrong). */
uint64_t hash_bytes(const void *p, size_t n)
{
	const uint8_t *s = p;
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ull;
	return hash_num(h);
}

/* The finaliser of MurmurHash3: every input bit reaches every output bit. */
uint64_t hash_num(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdull;
	v ^= v >> 33;
	v *= 0xc4ceb9fe1a85ec53ull;
	return v ^ (v >> 33);
}

/* The slot that holds the entry, or the empty one where it would go.  Slots hold index + 1. */
static uint32_t find(const struct strtab *t, uint64_t hash, const void *key, size_t n, uint64_t num)
{
	uint32_t i = (uint32_t)hash & (t->nslot - 1);
	for (; t->slot[i]; i = (i + 1) & (t->nslot - 1)) {
		const struct table_entry *e = &t->entry.at[t->slot[i] - 1];
		if (e->hash != hash)
			continue;
		if (key ? (e->keylen == n && !memcmp(e->key, key, n)) : e->num == num)
			break;
	}
	return i;
}

static void grow(struct strtab *t)
{
	if (t->nslot && (t->entry.len + 1) * 2 <= t->nslot)
		return;
	t->nslot = t->nslot ? t->nslot * 2 : 16;
	free(t->slot);
	t->slot = xcalloc(t->nslot, sizeof(*t->slot));
	for (uint32_t k = 0; k < t->entry.len; k++) {
		uint32_t i = (uint32_t)t->entry.at[k].hash & (t->nslot - 1);
		while (t->slot[i])
			i = (i + 1) & (t->nslot - 1);
		t->slot[i] = k + 1;
	}
}

static void put(struct strtab *t, uint64_t hash, const void *key, size_t n, uint64_t num, void *value)
{
	grow(t);
	uint32_t i = find(t, hash, key, n, num);
	if (t->slot[i]) {
		t->entry.at[t->slot[i] - 1].value = value;
		return;
	}
	char *copy = NULL;
	if (key) {
		copy = xmalloc(n + 1);
		if (n)
			memcpy(copy, key, n);
		copy[n] = 0;
	}
	vec_push(&t->entry, (struct table_entry){hash, num, copy, n, value});
	t->slot[i] = (uint32_t)t->entry.len;
}

static void *get(const struct strtab *t, uint64_t hash, const void *key, size_t n, uint64_t num)
{
	if (!t->nslot)
		return NULL;
	uint32_t i = find(t, hash, key, n, num);
	return t->slot[i] ? t->entry.at[t->slot[i] - 1].value : NULL;
}

void *strtab_getn(const struct strtab *t, const void *key, size_t n)
{
	return get(t, hash_bytes(key, n), key, n, 0);
}

void *strtab_get(const struct strtab *t, const char *key)
{
	return strtab_getn(t, key, strlen(key));
}

void strtab_setn(struct strtab *t, const void *key, size_t n, void *value)
{
	put(t, hash_bytes(key, n), key, n, 0, value);
}

void strtab_set(struct strtab *t, const char *key, void *value)
{
	strtab_setn(t, key, strlen(key), value);
}

void strtab_free(struct strtab *t)
{
	vec_each(e, &t->entry)
		free(e->key);
	vec_free(&t->entry);
	free(t->slot);
	*t = (struct strtab){0};
}

/* A numtab is a strtab whose entries have no key; the two structs have the same shape. */
_Static_assert(sizeof(struct numtab) == sizeof(struct strtab), "same shape");

void *numtab_get(const struct numtab *t, uint64_t key)
{
	return get((const struct strtab *)t, hash_num(key), NULL, 0, key);
}

void numtab_set(struct numtab *t, uint64_t key, void *value)
{
	put((struct strtab *)t, hash_num(key), NULL, 0, key, value);
}

void numtab_free(struct numtab *t)
{
	strtab_free((struct strtab *)t);
}
