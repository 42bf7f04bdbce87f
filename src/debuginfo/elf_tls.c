/*
 * elf_tls.c - where the thread-local storage of a file is in a running thread, by what the file leaves to the loader.
 *
 * The program's own block ends at the thread pointer ("ELF Handling For Thread-Local Storage", variant II).  A library's is found
 * as its own code finds it: by a word in its data that the loader fills in, either with the block's distance from the thread
 * pointer (R_X86_64_TPOFF64) or with the number of the library in the table of the thread's blocks (R_X86_64_DTPMOD64).
 */
#include "debuginfo/elf_internal.h"

enum { MAX_RELOCS = 1 << 20 };

struct search {
	Elf *elf;
	struct elf_tls *tls;
};

/* Is the symbol (0: none, the file itself) one of this file?  *value: where it is in the file's block. */
static bool is_own(Elf *elf, size_t table, size_t index, uint64_t *value)
{
	Elf_Scn *scn = index ? elf_getscn(elf, table) : NULL;
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Sym sym;
	*value = 0;
	if (!index)
		return true;
	if (!data || !gelf_getsym(data, (int)index, &sym) || sym.st_shndx == SHN_UNDEF)
		return false;
	*value = sym.st_value;
	return true;
}

/* The first of either kind in one section; a distance is better, it needs no table. */
static void look_at_relocs(struct search *s, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize ? MIN(sh->sh_size / sh->sh_entsize, (size_t)MAX_RELOCS) : 0;
	for (size_t i = 0; data && i < n && s->tls->kind != ELF_TLS_DISTANCE; i++) {
		GElf_Rela r;
		uint64_t value;
		if (!gelf_getrela(data, (int)i, &r))
			return;
		unsigned type = GELF_R_TYPE(r.r_info);
		bool is_kind = type == R_X86_64_TPOFF64 || (type == R_X86_64_DTPMOD64 && s->tls->kind == ELF_TLS_UNKNOWN);
		if (!is_kind || !is_own(s->elf, sh->sh_link, GELF_R_SYM(r.r_info), &value))
			continue;
		bool module = type == R_X86_64_DTPMOD64;
		s->tls->kind = module ? ELF_TLS_MODULE : ELF_TLS_DISTANCE;
		s->tls->word = r.r_offset;
		s->tls->from = module ? 0 : (int64_t)value + r.r_addend;
	}
}

/* A program, not a library that can also be run (libc.so.6 has an interpreter). */
static bool is_program(Elf *elf, bool has_interpreter)
{
	GElf_Ehdr eh;
	bool soname = false;
	if (gelf_getehdr(elf, &eh) && eh.e_type == ET_EXEC)
		return true;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr sh;
		GElf_Dyn dyn;
		Elf_Data *data = gelf_getshdr(scn, &sh) && sh.sh_type == SHT_DYNAMIC ? elf_getdata(scn, NULL) : NULL;
		size_t n = data && sh.sh_entsize ? MIN(sh.sh_size / sh.sh_entsize, (size_t)4096) : 0;
		for (size_t i = 0; i < n && gelf_getdyn(data, (int)i, &dyn); i++) {
			if (dyn.d_tag == DT_FLAGS_1 && (dyn.d_un.d_val & DF_1_PIE))
				return true;
			soname |= dyn.d_tag == DT_SONAME;
		}
	}
	return has_interpreter && !soname;
}

bool elf_is_program(struct elf_file *f)
{
	size_t n = 0;
	bool has_interpreter = false;
	if (elf_getphdrnum(f->elf, &n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;
		has_interpreter |= gelf_getphdr(f->elf, (int)i, &ph) && ph.p_type == PT_INTERP;
	}
	return is_program(f->elf, has_interpreter);
}

void elf_tls(struct elf_file *f, struct elf_tls *ret)
{
	size_t n = 0;
	uint64_t size = 0, align = 1;
	bool has_interpreter = false;
	*ret = (struct elf_tls){.kind = ELF_TLS_UNKNOWN};
	if (elf_getphdrnum(f->elf, &n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;
		if (!gelf_getphdr(f->elf, (int)i, &ph))
			break;
		has_interpreter |= ph.p_type == PT_INTERP;
		if (ph.p_type == PT_TLS) {
			size = ph.p_memsz;
			align = ph.p_align ? ph.p_align : 1;
			ret->image = ph.p_vaddr;
			ret->image_size = MIN(ph.p_filesz, ph.p_memsz);
		}
	}
	if (!size || (align & (align - 1)))
		return;
	if (is_program(f->elf, has_interpreter)) {
		ret->kind = ELF_TLS_PROGRAM;
		ret->from = (int64_t)ALIGN_UP(size, align);
		return;
	}
	struct search s = {f->elf, ret};
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));) {
		GElf_Shdr sh;
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_RELA)
			look_at_relocs(&s, scn, &sh);
	}
}
