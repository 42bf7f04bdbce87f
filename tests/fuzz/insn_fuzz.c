/* insn_fuzz.c - any bytes as an instruction: never read past them, never longer than the longest. */
#include "attach/session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* so that the sanitizer sees a byte too many */
	memcpy(copy, data, n);
	unsigned length = arch_insn_length(copy, n);
	if (length > 15 || length > n)
		abort();
	free(copy);
	return 0;
}
