/*
 * elf_plt.c - the stubs through which a binary calls functions of other libraries, by the names of those.
 *
 * A stub jumps through a slot of the table of addresses, and the relocation of that slot names the function (System V ABI, AMD64 supplement,
 * 5.2 and 13.2).  The stubs are in .plt.sec, where there is one, else in .plt; their order is not that of the relocations where some have no name
 * (R_X86_64_IRELATIVE in the C library).
 */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>
#include <string.h>

enum { STUB = 16, MAX_STUBS = 1 << 16 };

struct slot {
	uint64_t at;
	const char *name;
};

struct plt {
	Elf_Scn *stubs, *relocs;
	bool found_sec;
	VEC(struct slot) slot; /* by address */
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
			p->relocs = scn;
		} else if (!strcmp(name, ".plt.sec") || (!strcmp(name, ".plt") && !p->found_sec)) {
			p->stubs = scn;
			p->found_sec = p->found_sec || !strcmp(name, ".plt.sec");
		}
	}
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

static int by_address(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

static void read_slots(Elf *elf, struct plt *p)
{
	GElf_Shdr sh;
	Elf_Data *data = p->relocs && gelf_getshdr(p->relocs, &sh) && sh.sh_entsize ? elf_getdata(p->relocs, NULL) : NULL;
	size_t n = data ? MIN(sh.sh_size / sh.sh_entsize, (size_t)MAX_STUBS) : 0;
	GElf_Rela rela;
	for (size_t i = 0; i < n && gelf_getrela(data, (int)i, &rela); i++) {
		const char *name = symbol_name(elf, sh.sh_link, GELF_R_SYM(rela.r_info));
		if (name && *name)
			vec_push(&p->slot, (struct slot){rela.r_offset, name});
	}
	if (p->slot.len)
		qsort(p->slot.at, p->slot.len, sizeof(*p->slot.at), by_address);
}

/* Where a stub at vaddr jumps through: jmp *disp32(%rip), behind endbr64 and a bnd prefix or not; 0: it is none. */
static uint64_t slot_of(const uint8_t *stub, uint64_t vaddr)
{
	for (unsigned i = 0; i + 6 <= STUB; i++)
		if (stub[i] == 0xff && stub[i + 1] == 0x25) {
			int32_t disp;
			memcpy(&disp, stub + i + 2, sizeof(disp));
			return vaddr + i + 6 + (uint64_t)(int64_t)disp;
		}
	return 0;
}

void elf_plt(struct elf_file *f, void (*fn)(void *arg, const char *name, uint64_t vaddr), void *arg)
{
	struct plt p = {0};
	GElf_Shdr sh;
	find_sections(f->elf, &p);
	Elf_Data *data = p.stubs && gelf_getshdr(p.stubs, &sh) ? elf_getdata(p.stubs, NULL) : NULL;
	read_slots(f->elf, &p);
	for (size_t at = 0; data && data->d_buf && p.slot.len && at + STUB <= MIN(data->d_size, (size_t)MAX_STUBS * STUB); at += STUB) {
		struct slot key = {.at = slot_of((const uint8_t *)data->d_buf + at, sh.sh_addr + at)};
		const struct slot *s = bsearch(&key, p.slot.at, p.slot.len, sizeof(key), by_address);
		if (s)
			fn(arg, s->name, sh.sh_addr + at);
	}
	vec_free(&p.slot);
}
