/*
 * elf_plt.c - the stubs through which a binary calls functions of other libraries, by the names of those.
 *
 * The i-th relocation of .rela.plt belongs to the i-th stub: of .plt.sec, where there is one, else of .plt behind its first
 * entry (System V ABI, AMD64 supplement, 5.2 and 13.2).
 */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>

enum { STUB = 16, MAX_STUBS = 1 << 16 };

struct plt {
	GElf_Shdr stubs, relocs;
	Elf_Scn *reloc_scn;
	bool has_header; /* .plt's first entry calls the loader */
	bool found_stubs, found_sec;
};

static void find_sections(Elf *elf, struct plt *p)
{
	size_t strings;
	if (elf_getshdrstrndx(elf, &strings))
		return;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr sh;
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strings, sh.sh_name) : NULL;
		if (!name)
			continue;
		if (!strcmp(name, ".rela.plt")) {
			p->relocs = sh;
			p->reloc_scn = scn;
		} else if (!strcmp(name, ".plt.sec") || (!strcmp(name, ".plt") && !p->found_sec)) {
			p->stubs = sh;
			p->found_stubs = true;
			p->found_sec = p->found_sec || !strcmp(name, ".plt.sec");
		}
	}
	p->has_header = !p->found_sec;
}

static const char *symbol_name(Elf *elf, size_t table, size_t index)
{
	Elf_Scn *scn = elf_getscn(elf, table);
	GElf_Shdr sh;
	GElf_Sym sym;
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	if (!data || !gelf_getshdr(scn, &sh) || !gelf_getsym(data, (int)index, &sym))
		return NULL;
	return elf_strptr(elf, sh.sh_link, sym.st_name);
}

void elf_plt(struct elf_file *f, void (*fn)(void *arg, const char *name, uint64_t vaddr), void *arg)
{
	struct plt p = {0};
	find_sections(f->elf, &p);
	Elf_Data *data = p.reloc_scn ? elf_getdata(p.reloc_scn, NULL) : NULL;
	if (!data || !p.found_stubs || !p.relocs.sh_entsize)
		return;
	size_t n = MIN(p.relocs.sh_size / p.relocs.sh_entsize, (size_t)MAX_STUBS);
	for (size_t i = 0; i < n; i++) {
		GElf_Rela rela;
		uint64_t at = (i + p.has_header) * STUB;
		if (!gelf_getrela(data, (int)i, &rela) || at + STUB > p.stubs.sh_size)
			return;
		const char *name = symbol_name(f->elf, p.relocs.sh_link, GELF_R_SYM(rela.r_info));
		if (name && *name)
			fn(arg, name, p.stubs.sh_addr + at);
	}
}
