/* elf_fuzz.c - any bytes as an ELF file (and as a loader's cache): symbols, notes, addresses. */
#include "debuginfo/elf_internal.h"

#include <stdint.h>
#include <stdlib.h>

static void note_stub(void *arg, const char *name, uint64_t vaddr)
{
	if (strlen(name) > *(size_t *)arg)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_create();
	struct world w = {.arena = a, .root = "/nowhere"};
	struct elf_file *f = NULL;
	char *copy = malloc(n ? n : 1);
	if (n)
		memcpy(copy, data, n);
	struct err *e = elf_open_memory(&w, "fuzzed", copy, n, &f);
	if (f) {
		size_t count, len;
		uint64_t other;
		const struct elf_symbol *s = elf_symbols(f, &count);
		for (size_t i = 0; i < count && i < 256; i++) {
			elf_symbol_at(f, s[i].value + 1);
			elf_symbol_by_name(f, s[i].name);
			elf_offset_of(f, s[i].value, &other);
			elf_vaddr_of(f, s[i].file_offset, &other);
			free(demangle(s[i].name));
		}
		const struct usdt_site *u = elf_usdt(f, &count);
		for (size_t i = 0; i < count; i++)
			if (strlen(u[i].provider) + strlen(u[i].name) + strlen(u[i].args) > n)
				abort();
		elf_build_id(f, &len);
		elf_plt(f, note_stub, &n);
		elf_tls(f, &(struct elf_tls){0});
		struct str_list needed = {0};
		elf_needed_by(&w, f, f, &needed);
		vec_free(&needed.list);
	}
	ldcache_search(copy, n, "libc");
	err_free(e);
	world_close(&w);
	arena_destroy(a);
	free(copy);
	return 0;
}
