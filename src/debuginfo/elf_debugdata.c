/*
 * elf_debugdata.c - .gnu_debugdata: the symbols that a distribution has left in a stripped file, as an ELF file packed with xz.
 */
#include "debuginfo/elf_internal.h"

#include <lzma.h>
#include <stdlib.h>

enum { MAX_BYTES = 64 << 20, MAX_MEMORY = 128 << 20, FIRST = 1 << 18 };

/* Heap, NULL when it is broken or too large. */
static uint8_t *unpack(const uint8_t *data, size_t n, size_t *ret)
{
	lzma_stream s = LZMA_STREAM_INIT;
	size_t cap = FIRST;
	uint8_t *out = malloc(cap);
	lzma_ret state = out ? lzma_stream_decoder(&s, MAX_MEMORY, 0) : LZMA_MEM_ERROR;
	s.next_in = data;
	s.avail_in = n;
	while (state == LZMA_OK) {
		if (s.total_out == cap) {
			uint8_t *more = cap < MAX_BYTES ? realloc(out, cap * 2) : NULL;
			if (!more)
				break;
			out = more;
			cap *= 2;
		}
		s.next_out = out + s.total_out;
		s.avail_out = cap - (size_t)s.total_out;
		state = lzma_code(&s, LZMA_FINISH);
	}
	*ret = (size_t)s.total_out;
	lzma_end(&s);
	if (state == LZMA_STREAM_END)
		return out;
	free(out);
	return NULL;
}

Elf *elf_mini(struct elf_file *f)
{
	size_t n;
	if (f->has_mini)
		return f->mini;
	f->has_mini = true;
	const uint8_t *packed = elf_section_bytes(f->elf, ".gnu_debugdata", &n);
	f->mini_bytes = packed ? unpack(packed, n, &n) : NULL;
	f->mini = f->mini_bytes ? elf_memory((char *)f->mini_bytes, n) : NULL;
	return f->mini;
}
