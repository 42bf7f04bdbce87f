/* folded_fuzz.c - any text as folded stacks that a flame graph is compared with. */
#include <stdint.h>

#include "output/flame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct flame_options plain;
	struct samples s;
	struct buf svg = {0};

	samples_read_folded((const char *)data, n, &s);
	flame_svg(&s, &s, &plain, &svg);
	if (!svg.len)
		__builtin_trap();
	buf_free(&svg);
	samples_free(&s);
	return 0;
}
