/* perf_map_fuzz.c - any text as a JIT compiler's list of its code. */
#include <stdint.h>

#include "debuginfo/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint64_t at[] = {0, 1, 0xf, 0x1000, 0x10ff, 1ull << 47, UINT64_MAX};
	struct arena *a = arena_create();
	struct perf_map *m = perf_map_from_text(arena_strndup(a, (const char *)data, n));

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		uint64_t offset = 0;
		const char *name = perf_map_find(m, at[i], &offset);

		if (name && (!*name || offset > at[i]))
			__builtin_trap();
	}
	perf_map_free(m);
	arena_destroy(a);
	return 0;
}
