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
	uint16_t common[256]; /* of a sample of .debug_info */
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
		for (const uint8_t *p = s->data, *end = s->data ? s->data + s->n : NULL;
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

/* How often each byte value occurs, from a sample: the search looks for the rarest byte of its needle first. */
static void sample(struct dwarf_needle *nd)
{
	enum { SAMPLES = 4096 };
	size_t step = nd->info.n / SAMPLES + 1;
	for (size_t i = 0; i < nd->info.n; i += step | 1)
		nd->common[nd->info.data[i]]++;
}

static bool find_bytes(const struct dwarf_needle *nd, const uint8_t *from, const uint8_t *to, const uint8_t *bytes, size_t len)
{
	size_t rare = 0;
	for (size_t i = 1; i < len; i++)
		if (nd->common[bytes[i]] < nd->common[bytes[rare]])
			rare = i;
	if ((size_t)(to - from) < len)
		return false;
	const uint8_t *p = from + rare, *last = to - (len - rare) + 1;
	while (p < last && (p = memchr(p, bytes[rare], (size_t)(last - p)))) {
		if (!memcmp(p - rare, bytes, len))
			return true;
		p++;
	}
	return false;
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
	if (!nd->all)
		sample(nd);
	return nd;
}

bool dwarf_needle_in(const struct dwarf_needle *nd, const struct dwarf_unit *u)
{
	if (nd->all || u->cu.addr != u->die.addr || u->begin >= nd->info.n)
		return true;
	const uint8_t *from = nd->info.data + u->begin, *to = nd->info.data + MIN(u->end, (uint64_t)nd->info.n);
	for (unsigned i = 0; i < nd->n; i++)
		if (find_bytes(nd, from, to, (const uint8_t *)&nd->offset[i], 4))
			return true;
	return find_bytes(nd, from, to, (const uint8_t *)nd->text, strlen(nd->text) + 1);
}

void dwarf_needle_free(struct dwarf_needle *nd)
{
	free(nd->text);
	free(nd);
}
