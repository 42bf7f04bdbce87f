/* kept_fuzz.c - any bytes as a kept index: what comes out is in order, and packs to what reads back the same. */
#include "debuginfo/dwarf_kept.h"

#include <stdlib.h>

enum { FINGERPRINT_AT = 16, BYTES_AT = 24, CHECKSUM_AT = 32, HEADER = 40 };

static void check(const struct kept *k, const char *question)
{
	uint32_t n;
	const uint32_t *unit = kept_get(k, question, &n);
	for (uint32_t i = 1; unit && i < n; i++)
		if (unit[i] <= unit[i - 1])
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 1)
		return 0;
	uint8_t *copy = malloc(n);
	memcpy(copy, data, n);
	/* half of them with a header that agrees, so that what is behind it is looked at */
	if (n > HEADER && data[n - 1] & 1) {
		uint64_t fingerprint = 7, bytes = n, sum = hash_bytes(copy + HEADER, n - HEADER);
		memcpy(copy, "spilekpt\2\0\0\0", 12);
		memcpy(copy + FINGERPRINT_AT, &fingerprint, 8);
		memcpy(copy + BYTES_AT, &bytes, 8);
		memcpy(copy + CHECKSUM_AT, &sum, 8);
	}
	struct kept *k = kept_read(copy, n, 7);
	struct buf out = {0}, again = {0};
	check(k, "q");
	if (n > HEADER + 8) {
		_cleanup_free_ char *text = xstrndup((const char *)copy + HEADER + 8, n - HEADER - 8);
		check(k, text);
	}
	kept_pack(k, 1 << 20, 7, &out);
	struct kept *second = kept_read(out.data, out.len, 7);
	kept_pack(second, 1 << 20, 7, &again);
	if (out.len != again.len || memcmp(out.data, again.data, out.len) != 0)
		abort();
	kept_free(k);
	kept_free(second);
	buf_free(&out);
	buf_free(&again);
	free(copy);
	return 0;
}
