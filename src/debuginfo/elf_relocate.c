/*
 * elf_relocate.c - a loaded kernel module's debug information, with the addresses that its sections have in memory.
 *
 * A module is a relocatable file: what its debug sections say of addresses and of each other is in their relocations (the x86-64
 * psABI, section 4.4; R_AARCH64_ABS64 and ABS32 of the ELF for the Arm 64-bit architecture).  The file is mapped privately, so the
 * bytes can be changed where libdw reads them.
 */
#include "debuginfo/elf_internal.h"

#include <elf.h>

struct relocation {
	Elf *elf;
	size_t names;	     /* of sections */
	uint64_t *base;      /* where each section is */
	size_t nsections;
	Elf_Data *symbols;
};

static const char *section_name(const struct relocation *r, const GElf_Shdr *sh)
{
	const char *name = elf_strptr(r->elf, r->names, sh->sh_name);
	return name ? name : "";
}

/* Bytes that a relocation changes; 0: of a kind that debug information has no use for. */
static unsigned width_of(unsigned machine, unsigned type)
{
	if (machine == EM_X86_64)
		return type == R_X86_64_64 ? 8 : type == R_X86_64_32 || type == R_X86_64_32S ? 4 : 0;
	if (machine == EM_AARCH64)
		return type == R_AARCH64_ABS64 ? 8 : type == R_AARCH64_ABS32 ? 4 : 0;
	return 0;
}

static void apply(const struct relocation *r, unsigned machine, const GElf_Rela *rela, Elf_Data *to)
{
	GElf_Sym sym;
	unsigned width = width_of(machine, (unsigned)GELF_R_TYPE(rela->r_info));
	if (!width || rela->r_offset > to->d_size || to->d_size - rela->r_offset < width ||
	    !gelf_getsym(r->symbols, (int)GELF_R_SYM(rela->r_info), &sym) || sym.st_shndx >= r->nsections)
		return;
	uint64_t value = r->base[sym.st_shndx] + sym.st_value + (uint64_t)rela->r_addend;
	memcpy((uint8_t *)to->d_buf + rela->r_offset, &value, width);
}

static void relocate_section(const struct relocation *r, unsigned machine, Elf_Scn *scn, const GElf_Shdr *sh)
{
	GElf_Shdr target;
	Elf_Scn *at = elf_getscn(r->elf, sh->sh_info);
	if (!at || !gelf_getshdr(at, &target) || !str_has_prefix(section_name(r, &target), ".debug_") ||
	    target.sh_type == SHT_NOBITS)
		return;
	if (target.sh_flags & SHF_COMPRESSED && elf_compress(at, 0, 0) < 0)
		return;
	Elf_Data *rela = elf_getdata(scn, NULL), *to = elf_getdata(at, NULL);
	if (!rela || !to || !to->d_buf || sh->sh_entsize != sizeof(Elf64_Rela))
		return;
	size_t n = rela->d_size / sizeof(Elf64_Rela);
	GElf_Rela one;
	for (size_t i = 0; i < n && gelf_getrela(rela, (int)i, &one); i++)
		apply(r, machine, &one, to);
}

bool elf_relocate(Elf *elf, uint64_t (*address_of)(void *arg, const char *section), void *arg)
{
	struct relocation r = {.elf = elf};
	GElf_Ehdr header;
	GElf_Shdr sh;
	if (!gelf_getehdr(elf, &header) || header.e_type != ET_REL || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf_getshdrnum(elf, &r.nsections) || elf_getshdrstrndx(elf, &r.names))
		return false;
	r.base = xcalloc(r.nsections + 1, sizeof(*r.base));
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		size_t i = elf_ndxscn(scn);
		if (!gelf_getshdr(scn, &sh) || i >= r.nsections)
			continue;
		if (sh.sh_flags & SHF_ALLOC)
			r.base[i] = address_of(arg, section_name(&r, &sh));
		if (sh.sh_type == SHT_SYMTAB && !r.symbols)
			r.symbols = elf_getdata(scn, NULL);
	}
	for (Elf_Scn *scn = NULL; r.symbols && (scn = elf_nextscn(elf, scn));)
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_RELA)
			relocate_section(&r, header.e_machine, scn, &sh);
	base_free(r.base);
	return r.symbols != NULL;
}
