/*
 * dwarf_search.c - which units can know a name?
 *
 * Entries name themselves by a 4-byte offset into .debug_str, or by an index into .debug_str_offsets, or by the text
 * itself.  Looking for the text in the string section and then for its offset in the bytes of the units goes at the
 * speed of memory; a unit that holds neither need not be decoded.  False hits only cost time.
 */
#include "debuginfo/dwarf_internal.h"

#include <stdlib.h>

enum { MAX_OFFSETS = 32 };

struct section {
	const uint8_t *data;
	size_t n;
};

struct dwarf_needle {
	struct section info;
	char *text; /* with its NUL */
	uint32_t offset[MAX_OFFSETS];
	unsigned n;
	bool all; /* no way to tell: every unit */
	VEC(uint64_t) hits; /* offsets in .debug_info, sorted */
};

static struct section section_of(struct dwarf *d, const char *name)
{
	struct section s;
	s.data = dwarf_section(d, name, &s.n);
	return s;
}

/*
 * Where the string starts in a string section.  A linker may let it share the tail of a longer one, but not when it
 * is there on its own.
 */
static void find_string(struct dwarf_needle *nd, const struct section *s)
{
	size_t len = strlen(nd->text) + 1;
	unsigned before = nd->n;
	for (unsigned tails = 0; tails < 2 && nd->n == before && !nd->all; tails++)
		for (const uint8_t *p = s->data, *end = s->data + s->n;
		     p && p < end && (p = memmem(p, (size_t)(end - p), nd->text, len)); p++) {
			bool whole = p == s->data || !p[-1];
			if (!whole && !tails)
				continue;
			if (nd->n == MAX_OFFSETS || (size_t)(p - s->data) > UINT32_MAX) {
				nd->all = true;
				return;
			}
			nd->offset[nd->n++] = (uint32_t)(p - s->data);
		}
}

static void find_bytes(struct dwarf_needle *nd, const void *bytes, size_t len)
{
	enum { MAX_HITS = 1 << 16 };
	const uint8_t *data = nd->info.data, *end = data + nd->info.n;
	for (const uint8_t *p = data; p && p < end && (p = memmem(p, (size_t)(end - p), bytes, len)); p++) {
		vec_push(&nd->hits, (uint64_t)(p - data));
		if (nd->hits.len > MAX_HITS) {
			nd->all = true;
			return;
		}
	}
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

struct dwarf_needle *dwarf_needle(struct dwarf *d, const char *name)
{
	struct dwarf_needle *nd = xcalloc(1, sizeof(*nd));
	struct section str = section_of(d, ".debug_str"), indexes = section_of(d, ".debug_str_offsets");
	nd->info = section_of(d, ".debug_info");
	nd->text = xstrdup(name);
	/* a dwz file has strings elsewhere; names by index are not told apart by unit; split units are other files */
	nd->all = dwarf_getalt(d->dw) || indexes.n || !nd->info.n || strpbrk(name, "*?[");
	if (!nd->all)
		find_string(nd, &str);
	for (unsigned i = 0; i < nd->n && !nd->all; i++)
		find_bytes(nd, &nd->offset[i], 4);
	if (!nd->all)
		find_bytes(nd, nd->text, strlen(nd->text) + 1);
	if (nd->hits.len)
		qsort(nd->hits.at, nd->hits.len, sizeof(*nd->hits.at), by_number);
	return nd;
}

bool dwarf_needle_in(const struct dwarf_needle *nd, const struct dwarf_unit *u)
{
	if (nd->all || u->cu.addr != u->die.addr)
		return true;
	size_t low = 0, high = nd->hits.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (nd->hits.at[mid] < u->begin)
			low = mid + 1;
		else
			high = mid;
	}
	return low < nd->hits.len && nd->hits.at[low] < u->end;
}

void dwarf_needle_free(struct dwarf_needle *nd)
{
	free(nd->text);
	vec_free(&nd->hits);
	free(nd);
}
