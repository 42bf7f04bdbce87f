/*
 * dwarf_kept.c - the kept index as bytes.
 *
 * A header; then for each answer two 32-bit lengths (of the question with its padding to 4 bytes, of the list) and the two.
 * In the machine's own byte order: the file never leaves the machine, and another order fails the checksum.
 */
#include "debuginfo/dwarf_kept.h"

#include <stdlib.h>

enum { VERSION = 2, MAX_QUESTION = 4096 };
static const char magic[8] = "spilekpt";

struct header {
	char magic[8];
	uint32_t version, answers;
	uint64_t fingerprint; /* of the debug information */
	uint64_t bytes;	      /* of the whole file */
	uint64_t checksum;    /* of what follows the header */
};
struct answer {
	char *question;
	uint32_t *unit, n;
};
struct kept {
	VEC(struct answer) answer; /* the oldest first */
	struct strtab by_question; /* index + 1 */
	bool is_changed;
};

static void add(struct kept *k, const char *question, const uint32_t *unit, uint32_t n)
{
	struct answer a = {xstrdup(question), xcalloc(n + 1, sizeof(*unit)), n};
	if (n)
		memcpy(a.unit, unit, n * sizeof(*unit));
	vec_push(&k->answer, a);
	strtab_set(&k->by_question, question, (void *)(uintptr_t)k->answer.len);
}

/* One answer at `p`, of `left` bytes; how many it takes, 0 when it is broken. */
static size_t read_answer(struct kept *k, const uint8_t *p, size_t left)
{
	uint32_t len, n;
	if (left < 8)
		return 0;
	memcpy(&len, p, 4);
	memcpy(&n, p + 4, 4);
	left -= 8;
	if (!len || len % 4 || len > MAX_QUESTION || len > left || n > (left - len) / 4)
		return 0;
	if (p[8 + len - 1] || !p[8]) /* NUL-terminated, not empty */
		return 0;
	_cleanup_free_ uint32_t *unit = xcalloc(n + 1, sizeof(*unit));
	memcpy(unit, p + 8 + len, n * 4);
	for (uint32_t i = 1; i < n; i++)
		if (unit[i] <= unit[i - 1])
			return 0;
	add(k, (const char *)p + 8, unit, n);
	return 8 + len + n * (size_t)4;
}

static bool read_all(struct kept *k, const uint8_t *data, size_t n, uint64_t fingerprint)
{
	struct header h;
	if (!data || n < sizeof(h))
		return false;
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.version != VERSION || h.fingerprint != fingerprint || h.bytes != n ||
	    h.checksum != hash_bytes(data + sizeof(h), n - sizeof(h)))
		return false;
	size_t at = sizeof(h);
	for (uint32_t i = 0; i < h.answers; i++) {
		size_t took = read_answer(k, data + at, n - at);
		if (!took)
			return false;
		at += took;
	}
	return at == n;
}

static void clear(struct kept *k)
{
	vec_each(a, &k->answer) {
		free(a->question);
		free(a->unit);
	}
	vec_free(&k->answer);
	strtab_free(&k->by_question);
	*k = (struct kept){0};
}

struct kept *kept_read(const void *data, size_t n, uint64_t fingerprint)
{
	struct kept *k = xcalloc(1, sizeof(*k));
	if (!read_all(k, data, n, fingerprint))
		clear(k);
	return k;
}

void kept_free(struct kept *k)
{
	if (k)
		clear(k);
	free(k);
}

const uint32_t *kept_get(const struct kept *k, const char *question, uint32_t *n)
{
	uintptr_t i = (uintptr_t)strtab_get(&k->by_question, question);
	*n = i ? k->answer.at[i - 1].n : 0;
	return i ? k->answer.at[i - 1].unit : NULL;
}

void kept_set(struct kept *k, const char *question, const uint32_t *unit, uint32_t n)
{
	if (!*question || strlen(question) + 4 >= MAX_QUESTION || strtab_get(&k->by_question, question))
		return;
	add(k, question, unit, n);
	k->is_changed = true;
}

bool kept_is_changed(const struct kept *k)
{
	return k->is_changed;
}

static uint32_t padded(const char *question)
{
	return (uint32_t)ALIGN_UP(strlen(question) + 1, 4u);
}

void kept_pack(const struct kept *k, size_t most, uint64_t fingerprint, struct buf *out)
{
	struct header h = {.version = VERSION, .fingerprint = fingerprint};
	size_t first = k->answer.len, bytes = sizeof(h);
	while (first && bytes + 8 + padded(k->answer.at[first - 1].question) + k->answer.at[first - 1].n * (size_t)4 <= most) {
		first--;
		bytes += 8 + padded(k->answer.at[first].question) + k->answer.at[first].n * (size_t)4;
	}
	buf_clear(out);
	buf_add(out, &h, sizeof(h));
	for (size_t i = first; i < k->answer.len; i++) {
		const struct answer *a = &k->answer.at[i];
		uint32_t len = padded(a->question), n = (uint32_t)strlen(a->question);
		buf_add(out, &len, 4);
		buf_add(out, &a->n, 4);
		buf_add(out, a->question, n);
		buf_fill(out, 0, len - n);
		buf_add(out, a->unit, a->n * (size_t)4);
	}
	memcpy(h.magic, magic, sizeof(magic));
	h.answers = (uint32_t)(k->answer.len - first);
	h.bytes = out->len;
	h.checksum = hash_bytes(out->data + sizeof(h), out->len - sizeof(h));
	memcpy(out->data, &h, sizeof(h));
}
