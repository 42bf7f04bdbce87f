/* zip_fuzz.c - any bytes as a zip archive: what is found lies inside. */
#include "debuginfo/zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = {"true", "lib/x86_64/a.so", "a", ""};
	uint8_t *copy = malloc(n ? n : 1);
	if (n)
		memcpy(copy, data, n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t offset, size;
		if (!zip_find(copy, n, names[i], &offset, &size) && (offset > n || size > n - offset))
			abort();
	}
	free(copy);
	return 0;
}
