/* kernel_debug_fuzz.c - any bytes as a module's debug file, and as the notes of a kernel: nothing outside of the bytes is touched. */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>

static uint64_t somewhere(void *arg, const char *section)
{
	return strlen(section) > *(size_t *)arg ? abort(), 0 : 0xffffffffc0000000ull;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *copy = malloc(n ? n : 1);
	size_t len;
	if (n)
		memcpy(copy, data, n);
	const uint8_t *id = note_build_id((const uint8_t *)copy, n, &len);
	if (id && ((const char *)id < copy || (const char *)id + len > copy + n))
		abort();
	elf_version(EV_CURRENT);
	Elf *elf = elf_memory(copy, n);
	if (elf)
		elf_relocate(elf, somewhere, &n);
	elf_end(elf);
	free(copy);
	return 0;
}
