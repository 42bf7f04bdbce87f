/* btf_kept_fuzz.c - an index of BTF that lies: what is looked up by it may be missing, but nothing is read outside the types. */
#include "debuginfo/btf_internal.h"

#include <stdlib.h>

enum { RECORDS = 300, CHECKSUM_AT = 52, HEADER = 56 };

/* Structs of zero to three members, and a string section that holds their names. */
static uint8_t *make(size_t *n)
{
	struct buf types = {0}, out = {0};
	for (uint32_t i = 0; i < RECORDS; i++) {
		uint32_t members = i % 4;
		const uint32_t record[3] = {1 + i % 8, (uint32_t)BTF_KIND_STRUCT << 24 | members, 4 * members};
		buf_add(&types, record, sizeof(record));
		for (uint32_t k = 0; k < members; k++)
			buf_add(&types, (const uint32_t[]){1, i, 32 * k}, 12);
	}
	const uint32_t header[6] = {0x1eb9f | 1 << 16, 24, 0, (uint32_t)types.len, (uint32_t)types.len, 10};
	buf_add(&out, header, sizeof(header));
	buf_add(&out, types.data, types.len);
	buf_add(&out, "\0abcdefgh", 10);
	buf_free(&types);
	*n = out.len;
	uint8_t *exact = memcpy(malloc(out.len), out.data, out.len);
	buf_free(&out);
	return exact;
}

/* The first three bytes: which index, where the rest is written over it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t len;
	if (n < 4)
		return 0;
	uint8_t *bytes = make(&len);
	struct btf *b = NULL;
	struct buf kept = {0};
	if (btf_open_bytes(bytes, len, NULL, &b))
		abort();
	enum btf_index which = data[0] & 1 ? BTF_INDEX_TYPES : BTF_INDEX_FUNCS;
	btf_names(b, which);
	btf_kept_pack(b, which, &kept);
	size_t at = (size_t)(data[1] | data[2] << 8) % kept.len;
	memcpy(kept.data + at, data + 3, MIN(n - 3, kept.len - at));
	uint32_t sum = name_hash(kept.data, CHECKSUM_AT) ^ name_hash(kept.data + HEADER, kept.len - HEADER);
	memcpy(kept.data + CHECKSUM_AT, &sum, 4);
	btf_kept_read(b, which, memcpy(malloc(kept.len), kept.data, kept.len), kept.len);
	for (uint32_t id = 0; id < RECORDS + 40; id++)
		btf_type(b, id, AS_KERNEL, NULL);
	for (const char *p = "abcdefgh"; *p; p++) {
		btf_find(b, BTF_NS_STRUCT, p);
		btf_find(b, BTF_NS_FUNC, p);
	}
	btf_close(b);
	buf_free(&kept);
	free(bytes);
	return 0;
}
