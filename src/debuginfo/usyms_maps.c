/* usyms_maps.c - see usyms_maps.h. */
#include "debuginfo/usyms_maps.h"

#include <stdlib.h>

struct mappings {
	VEC(struct mapping) map; /* sorted, without overlap */
	unsigned refs;
};

/* First mapping that ends above addr. */
static size_t lower_bound(const struct mappings *l, uint64_t addr)
{
	size_t low = 0, high = l->map.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (l->map.at[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert_at(struct mappings *l, size_t i, struct mapping m)
{
	vec_push(&l->map, m);
	memmove(&l->map.at[i + 1], &l->map.at[i], (l->map.len - 1 - i) * sizeof(m));
	l->map.at[i] = m;
}

/* One that nobody else has. */
static struct mappings *own(struct mappings *l)
{
	if (l && l->refs == 1)
		return l;
	struct mappings *copy = xcalloc(1, sizeof(*copy));
	copy->refs = 1;
	for (size_t i = 0; l && i < l->map.len; i++)
		vec_push(&copy->map, l->map.at[i]);
	mappings_unref(l);
	return copy;
}

void mappings_add(struct mappings **list, struct mapping m)
{
	struct mappings *l = *list = own(*list);
	size_t i = lower_bound(l, m.start);
	if (i < l->map.len && l->map.at[i].start < m.start) {
		struct mapping left = l->map.at[i], *right = &l->map.at[i];
		left.end = m.start;
		right->offset += m.start - right->start;
		right->start = m.start;
		insert_at(l, i++, left);
	}
	size_t gone = i;
	while (gone < l->map.len && l->map.at[gone].end <= m.end)
		gone++;
	if (gone < l->map.len && l->map.at[gone].start < m.end) {
		struct mapping *right = &l->map.at[gone];
		right->offset += m.end - right->start;
		right->start = m.end;
	}
	if (gone > i) {
		memmove(&l->map.at[i + 1], &l->map.at[gone], (l->map.len - gone) * sizeof(m));
		l->map.len -= gone - i - 1;
		l->map.at[i] = m;
	} else {
		insert_at(l, i, m);
	}
}

const struct mapping *mappings_find(const struct mappings *l, uint64_t addr)
{
	size_t i = l ? lower_bound(l, addr) : 0;
	return l && i < l->map.len && l->map.at[i].start <= addr ? &l->map.at[i] : NULL;
}

struct mappings *mappings_ref(struct mappings *l)
{
	if (l)
		l->refs++;
	return l;
}

void mappings_unref(struct mappings *l)
{
	if (!l || --l->refs)
		return;
	vec_free(&l->map);
	free(l);
}
