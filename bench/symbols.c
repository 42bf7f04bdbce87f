/*
 * symbols.c - how long it takes to name the frames of stacks: N distinct addresses spread over a file's code, as if a process of
 * that number had mapped it.  Prints: frames, named, with a line, inlined calls among them, ms of the first time, ms of the second.
 *
 * usage: symbols FILE N [FIRST LAST]     the code's part that is asked for, in thousandths (all of it)
 */
#include "debuginfo/dwarf.h"
#include "debuginfo/internal.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PID = 0x7ffffff0, BASE = 0x10000000, MAX_SITES = 64 };

struct code {
	uint64_t offset, size;
};

/* The largest executable segment. */
static struct code code_of(const char *path)
{
	struct code c = {0};
	Elf64_Ehdr h;
	Elf64_Phdr p;
	FILE *f = fopen(path, "r");
	if (!f || fread(&h, sizeof(h), 1, f) != 1)
		exit(1);
	for (unsigned i = 0; i < h.e_phnum; i++) {
		if (fseek(f, (long)(h.e_phoff + i * sizeof(p)), SEEK_SET) || fread(&p, sizeof(p), 1, f) != 1)
			exit(1);
		if (p.p_type == PT_LOAD && p.p_flags & PF_X && p.p_filesz > c.size)
			c = (struct code){p.p_offset, p.p_filesz};
	}
	fclose(f);
	return c;
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	uint64_t n = strtoull(argv[2], NULL, 0), named = 0, lines = 0, inlined = 0;
	struct code c = code_of(argv[1]);
	if (argc > 4) {
		uint64_t first = strtoull(argv[3], NULL, 0), last = strtoull(argv[4], NULL, 0), size = c.size;
		c.offset += size / 1000 * first;
		c.size = size / 1000 * (last - first);
	}
	struct arena *a = arena_create();
	struct world *w;
	struct err *e = world_open(a, NULL, &w);
	if (e)
		return 1;
	struct usyms *u = usyms_create(w);
	usyms_mmap(u, PID, BASE, c.size, c.offset, argv[1]);
	double at[3] = {now_ms()};
	for (int round = 0; round < 2; round++) {
		named = lines = inlined = 0;
		for (uint64_t i = 0; i < n; i++) {
			struct dwarf_site site[MAX_SITES];
			struct usym s;
			named += usyms_resolve(u, PID, BASE + c.size / n * i, &s);
			struct dwarf *d = s.file ? elf_dwarf_here(s.file) : NULL;
			unsigned k = d ? dwarf_sites_at(d, s.module_offset, site, MAX_SITES) : 0;
			lines += k && site[0].line;
			inlined += k > 1 ? k - 1 : 0;
		}
		at[round + 1] = now_ms();
	}
	printf("%llu %llu %llu %llu %.1f %.1f\n", (unsigned long long)n, (unsigned long long)named, (unsigned long long)lines,
	       (unsigned long long)inlined, at[1] - at[0], at[2] - at[1]);
	usyms_destroy(u);
	world_close(w);
	arena_destroy(a);
	return 0;
}
