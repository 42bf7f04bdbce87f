/*
 * btf_kept.c - the indexes of the kernel's names, kept between runs: walking all its types takes ten times as long as reading them.
 *
 * A file for each index, in the machine's own byte order: a header, then where records start (in that of types only), then the slots of
 * struct name_index.  A damaged one is not used; one that lies makes names unknown, never a read outside the types (btf_record() is bounded).
 */
#include "debuginfo/btf_internal.h"
#include "debuginfo/cache_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

enum { VERSION = 1 };
static const char magic[8] = "spilebtf";

struct header {
	char magic[8];
	uint32_t version, index;
	uint64_t fingerprint; /* of the kernel and its types */
	uint32_t count, checkpoints, mask, value_bits;
	uint32_t named[BTF_INDEXES];
	uint32_t checksum; /* of all else */
};

char *btf_kept_name(const struct world *w)
{
	_cleanup_free_ char *own = xasprintf("%s/sys/kernel/btf/vmlinux", w->root), *path = xasprintf("%s/sys/kernel/notes", w->root);
	size_t n = 0;
	struct utsname u;
	_cleanup_free_ char *notes = !*w->root && !strcmp(w->btf_path, own) ? read_file(path, &n) : NULL;
	/* a note of type 3 from "GNU": the kernel's build id */
	if (!notes || !memmem(notes, n, "\3\0\0\0GNU", 8) || uname(&u))
		return NULL;
	return xasprintf("vmlinux-%016llx", (unsigned long long)(hash_bytes(notes, n) ^ hash_bytes(&u.version, strlen(u.version))));
}

static uint64_t fingerprint(const struct btf *b)
{
	const uint32_t sizes[] = {(uint32_t)b->bytes.len, b->types_len, b->strings_len, (uint32_t)(b->types - b->bytes.data)};
	return hash_bytes(sizes, sizeof(sizes));
}

static uint32_t checksum(const struct header *h, size_t n)
{
	return name_hash((const char *)h, offsetof(struct header, checksum)) ^ name_hash((const char *)(h + 1), n - sizeof(*h));
}

static uint32_t steps(uint32_t count)
{
	return (count + BTF_STEP - 1) / BTF_STEP;
}

/* Where records start: the first at 0, later ones behind it, all within the types. */
static bool in_order(const uint32_t *at, uint32_t n, uint32_t types_len)
{
	for (uint32_t i = 0; i < n; i++)
		if (at[i] >= types_len || at[i] % 4 || (i ? at[i] <= at[i - 1] : at[i]))
			return false;
	return true;
}

static bool is_sound(const struct btf *b, enum btf_index which, const struct header *h, size_t n)
{
	bool first = which == BTF_INDEX_TYPES;
	uint64_t slots = (uint64_t)h->mask + 1;
	for (int i = 0; i < BTF_INDEXES; i++)
		if (h->named[i] > b->types_len)
			return false;
	return !memcmp(h->magic, magic, sizeof(magic)) && h->version == VERSION && h->index == which &&
	       h->fingerprint == fingerprint(b) && h->count && h->count <= b->types_len / sizeof(struct btf_type) &&
	       (first || h->count == b->count) && h->checkpoints == (first ? steps(h->count) : 0) && slots >= 16 &&
	       !(slots & (slots - 1)) && h->value_bits && h->value_bits <= 32 && n == sizeof(*h) + (h->checkpoints + slots) * 4 &&
	       h->checksum == checksum(h, n);
}

bool btf_kept_read(struct btf *b, enum btf_index which, uint8_t *data, size_t n)
{
	const struct header *h = (const void *)data;
	const uint32_t *at = (const void *)(h + 1);
	if (!data || n < sizeof(*h) || !is_sound(b, which, h, n) || !in_order(at, h->checkpoints, b->types_len)) {
		free(data);
		return false;
	}
	if (which == BTF_INDEX_TYPES) {
		free(b->checkpoint);
		b->checkpoint = memcpy(xmalloc(h->checkpoints * sizeof(*at)), at, h->checkpoints * sizeof(*at));
		b->count = h->count;
		memcpy(b->named, h->named, sizeof(h->named));
	}
	name_index_free(&b->index[which]);
	b->index[which] = (struct name_index){(uint32_t *)(data + sizeof(*h)) + h->checkpoints, h->mask, h->value_bits, NAMES_BORROWED};
	free(b->kept[which]);
	b->kept[which] = data;
	return true;
}

void btf_kept_pack(const struct btf *b, enum btf_index which, struct buf *out)
{
	const struct name_index *ix = &b->index[which];
	struct header h = {.version = VERSION, .index = which, .fingerprint = fingerprint(b), .count = b->count,
			   .checkpoints = which == BTF_INDEX_TYPES ? steps(b->count) : 0, .mask = ix->mask, .value_bits = ix->value_bits};
	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.named, b->named, sizeof(h.named));
	buf_clear(out);
	buf_add(out, &h, sizeof(h));
	buf_add(out, b->checkpoint, h.checkpoints * sizeof(*b->checkpoint));
	buf_add(out, ix->slot, ((size_t)ix->mask + 1) * sizeof(*ix->slot));
	h.checksum = checksum((const void *)out->data, out->len);
	memcpy(out->data, &h, sizeof(h));
}

static char *file_name(const struct btf *b, enum btf_index which)
{
	static const char *const ending[BTF_INDEXES] = {"types", "funcs", "enumerators"};
	return xasprintf("%s.%s", b->kept_name, ending[which]);
}

bool btf_kept_load(struct btf *b, enum btf_index which)
{
	if (!b->kept_name)
		return false;
	size_t n;
	_cleanup_free_ char *name = file_name(b, which);
	uint8_t *data = cache_read(name, &n);
	return btf_kept_read(b, which, data, n);
}

void btf_kept_save(const struct btf *b, enum btf_index which)
{
	if (!b->kept_name || !b->index[which].mask || b->kept[which])
		return;
	struct buf out = {0};
	_cleanup_free_ char *name = file_name(b, which);
	btf_kept_pack(b, which, &out);
	cache_write(name, out.data, out.len);
	buf_free(&out);
}
