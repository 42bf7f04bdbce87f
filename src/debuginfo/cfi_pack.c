/* cfi_pack.c - rows as the words that the BPF side searches: see runtime/unwind.h. */
#include "debuginfo/cfi.h"

uint64_t cfi_pack_base(const struct cfi_table *t, size_t from)
{
	return t->row.at[from].pc & ~(uint64_t)(UW_BUCKET - 1);
}

/* Where the rows [from, to) end: at the next row, or right behind the last one, which is the end of
 * the table. */
static uint64_t end_of(const struct cfi_table *t, size_t to)
{
	return to < t->row.len ? t->row.at[to].pc : t->row.at[to - 1].pc + 1;
}

static uint64_t buckets(const struct cfi_table *t, size_t from, size_t to)
{
	return (end_of(t, to) - cfi_pack_base(t, from) + UW_BUCKET - 1) / UW_BUCKET;
}

/* A row for the table's first byte is added when none stands there. */
static bool needs_first(const struct cfi_table *t, size_t from)
{
	return t->row.at[from].pc != cfi_pack_base(t, from);
}

size_t cfi_pack_words(const struct cfi_table *t, size_t from, size_t to)
{
	return buckets(t, from, to) + 1 + needs_first(t, from) + (to - from);
}

void cfi_pack(const struct cfi_table *t, size_t from, size_t to, uint32_t *words)
{
	uint64_t base = cfi_pack_base(t, from), n = buckets(t, from, to), bucket = 0;
	uint32_t at = (uint32_t)n + 1;

	words[0] = at;
	if (needs_first(t, from))
		words[at++] = 0;
	for (size_t i = from; i < to; i++) {
		uint64_t off = t->row.at[i].pc - base;

		while (bucket < off / UW_BUCKET)
			words[++bucket] = at;
		words[at++] = (uint32_t)(off % UW_BUCKET) << 24 | t->row.at[i].rule;
	}
	while (bucket < n)
		words[++bucket] = at;
}

size_t cfi_pack_fit(const struct cfi_table *t, size_t from, size_t words)
{
	size_t low = from + 1, high = t->row.len;

	while (low < high) {
		size_t mid = high - (high - low) / 2;

		if (cfi_pack_words(t, from, mid) <= words)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}
