/* internal.h - doors between the files of this room. */
#pragma once

#include "debuginfo/world.h"

void kallsyms_close(struct kallsyms *k); /* NULL is legal */
void elf_close(struct elf_file *f);      /* NULL is legal */

/* An ELF image in memory, kept by the caller; cached under `name` ("[vdso]"). */
struct err *elf_open_memory(struct world *w, const char *name, const void *data, size_t n,
			    struct elf_file **ret);
/* Paths of a library that the dynamic loader would take: "libc", "libc.so", "libc.so.6".  NULL:
 * none. */
const char *ldcache_find(struct world *w, const char *name, struct arena *a);
/* Same on the bytes of a cache file; borrowed from them. */
const char *ldcache_search(const char *data, size_t n, const char *name);
/* One mapping of /proc/PID/maps. */
struct map_line {
	uint64_t start, end, offset;
	uint64_t dev, inode;
	bool is_exec;
	const char *path; /* "" for anonymous memory; points into the line */
};
/* Parses one line in place (the newline is cut off); false when it is none. */
bool parse_map_line(char *line, struct map_line *ret);

/* elf_zstd.c: sections that are compressed with zstd, a number that the elf.h of older systems lacks. */
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif
/* What n bytes hold, `size` bytes (heap); NULL and why, as the rest of a sentence ("is ..."). */
uint8_t *zstd_unpack(const uint8_t *data, size_t n, uint64_t size, const char **why);
