/*
 * elf_usdt.c - statically defined probes: notes of type 3 and owner "stapsdt".
 *
 * A note holds three addresses (probe, link-time address of .stapsdt.base, semaphore), then
 * provider, name and argument text.  A prelinked file's addresses have moved by as much as
 * .stapsdt.base has (https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation).
 */
#include "debuginfo/elf_internal.h"

enum {
	NT_STAPSDT = 3
};

static uint64_t base_address(struct elf_file *f)
{
	size_t names;
	if (elf_getshdrstrndx(f->elf, &names))
		return 0;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));) {
		GElf_Shdr sh;
		const char *name =
			gelf_getshdr(scn, &sh) ? elf_strptr(f->elf, names, sh.sh_name) : NULL;
		if (name && !strcmp(name, ".stapsdt.base"))
			return sh.sh_addr;
	}
	return 0;
}

static uint64_t address(const char *p, unsigned width)
{
	uint64_t v = 0;
	memcpy(&v, p, width);
	return v;
}

/* The string at *p, which ends before `end`; NULL when it does not. */
static const char *string_at(const char **p, const char *end)
{
	const char *s = *p, *nul = s < end ? memchr(s, 0, (size_t)(end - s)) : NULL;
	*p = nul ? nul + 1 : end;
	return nul ? s : NULL;
}

static void add_site(struct elf_file *f, const char *desc, size_t n, uint64_t base)
{
	unsigned width = gelf_getclass(f->elf) == ELFCLASS32 ? 4 : 8;
	const char *end = desc + n, *p = desc + 3 * width;
	if (n < 3 * width)
		return;
	struct usdt_site s = {.pc = address(desc, width),
			      .base = address(desc + width, width),
			      .semaphore = address(desc + 2 * width, width)};
	s.provider = string_at(&p, end);
	s.name = string_at(&p, end);
	s.args = string_at(&p, end);
	if (!s.provider || !s.name)
		return;
	if (!s.args)
		s.args = "";
	uint64_t moved = base && s.base ? base - s.base : 0;
	if (!elf_offset_of(f, s.pc + moved, &s.file_offset))
		return;
	if (s.semaphore && !elf_offset_of(f, s.semaphore + moved, &s.semaphore_offset))
		s.semaphore_offset = 0;
	vec_push(&f->usdt, s);
}

static void read_notes(struct elf_file *f)
{
	uint64_t base = base_address(f);
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));) {
		GElf_Shdr sh;
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_NOTE)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		size_t at = 0, name, desc;
		GElf_Nhdr note;
		while (data && data->d_buf && (at = gelf_getnote(data, at, &note, &name, &desc))) {
			const char *bytes = data->d_buf;
			if (note.n_type == NT_STAPSDT && note.n_namesz == sizeof("stapsdt") &&
			    !memcmp(bytes + name, "stapsdt", sizeof("stapsdt")))
				add_site(f, bytes + desc, note.n_descsz, base);
		}
	}
}

const struct usdt_site *elf_usdt(struct elf_file *f, size_t *n)
{
	if (!f->has_usdt) {
		f->has_usdt = true;
		read_notes(f);
	}
	*n = f->usdt.len;
	return f->usdt.at;
}
