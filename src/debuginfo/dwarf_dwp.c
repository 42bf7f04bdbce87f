/*
 * dwarf_dwp.c - split units that a package (FILE.dwp) holds; libdw 0.188 knows single .dwo files only.
 *
 * A package is the .dwo files of a program, section by section, with an index of what belongs to which unit (DWARF 5,
 * 7.3.5).  From the contributions of one unit we put together an ELF file in memory that libdw takes for a .dwo; the
 * addresses, which a split unit names by number, are those of the skeleton's part of .debug_addr.
 */
#include "debuginfo/dwarf_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_COLUMNS = 10 };

struct part { /* one unit, opened */
	uint64_t id;
	char *image;
	Elf *elf;
	Dwarf *dw;
};

struct dwp {
	int fd;
	Elf *elf;
	const uint8_t *index;
	size_t index_len;
	VEC(struct part) part;
};

/* Sections by their number in the index: version 5, and version 2 of the GNU extension where it differs. */
static const struct {
	uint32_t v5, v2;
	const char *name;
} sections[] = {
	{1, 1, ".debug_info.dwo"},     {3, 3, ".debug_abbrev.dwo"},   {4, 4, ".debug_line.dwo"},
	{5, 0, ".debug_loclists.dwo"}, {0, 5, ".debug_loc.dwo"},      {6, 6, ".debug_str_offsets.dwo"},
	{8, 0, ".debug_rnglists.dwo"},
};

void dwp_close(struct dwp *p)
{
	if (!p)
		return;
	vec_each(part, &p->part) {
		dwarf_end(part->dw);
		elf_end(part->elf);
		free(part->image);
	}
	vec_free(&p->part);
	elf_end(p->elf);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static struct dwp *open_package(struct dwarf *d)
{
	struct dwp *p = xcalloc(1, sizeof(*p));
	_cleanup_free_ char *path = xasprintf("%s.dwp", d->path);
	p->fd = d->file->in_memory ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0)
		return p;
	p->elf = elf_begin(p->fd, ELF_C_READ_MMAP, NULL);
	if (p->elf)
		p->index = elf_section_bytes(p->elf, ".debug_cu_index", &p->index_len);
	return p;
}

/* --- the index ------------------------------------------------------------------------------------------------ */

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static uint64_t u64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

struct contribution {
	const char *name;
	uint32_t offset, size;
};

static const char *section_name(uint32_t version, uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (number && number == (version == 2 ? sections[i].v2 : sections[i].v5))
			return sections[i].name;
	return NULL;
}

/* header, slots of 8-byte ids, slots of 4-byte rows, then a row of section numbers, rows of offsets, rows of sizes */
static unsigned find_row(const struct dwp *p, uint64_t id, struct contribution *ret)
{
	if (!p->index || p->index_len < 16)
		return 0;
	uint32_t version = u32(p->index) & 0xffff, columns = u32(p->index + 4), units = u32(p->index + 8),
		 slots = u32(p->index + 12);
	uint64_t tables = 16 + (uint64_t)slots * 12, need = tables + (uint64_t)columns * 4 * (1 + 2 * (uint64_t)units);
	if (!columns || columns > MAX_COLUMNS || slots > p->index_len || units > slots || need > p->index_len)
		return 0;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t row = u32(p->index + 16 + slots * 8ull + i * 4ull);
		if (u64(p->index + 16 + i * 8ull) != id || !row || row > units)
			continue;
		const uint8_t *head = p->index + tables, *offsets = head + columns * 4ull * row,
			      *sizes = head + columns * 4ull * ((uint64_t)units + row);
		unsigned n = 0;
		for (uint32_t c = 0; c < columns; c++) {
			const char *name = section_name(version, u32(head + c * 4));
			if (name)
				ret[n++] = (struct contribution){name, u32(offsets + c * 4), u32(sizes + c * 4)};
		}
		return n;
	}
	return 0;
}

/* --- a .dwo in memory -------------------------------------------------------------------------------------------- */

struct image {
	struct buf bytes, names;
	VEC(GElf_Shdr) header;
};

static void add_section(struct image *im, const char *name, const uint8_t *data, size_t n)
{
	while (im->bytes.len % 8)
		buf_putc(&im->bytes, 0);
	GElf_Shdr sh = {.sh_name = (GElf_Word)im->names.len, .sh_type = SHT_PROGBITS, .sh_offset = im->bytes.len,
			.sh_size = n, .sh_addralign = 1};
	/* beside .debug_addr, which no .dwo has, libdw wants all names without the suffix */
	buf_add(&im->names, name, strlen(name) - (str_has_suffix(name, ".dwo") ? 4 : 0));
	buf_putc(&im->names, 0);
	buf_add(&im->bytes, data, n);
	vec_push(&im->header, sh);
}

static char *finish(struct image *im, const GElf_Ehdr *like, size_t *n)
{
	add_section(im, ".shstrtab", (const uint8_t *)"", 0);
	GElf_Shdr *strings = &vec_last(&im->header);
	strings->sh_type = SHT_STRTAB;
	strings->sh_size = im->names.len;
	strings->sh_offset = im->bytes.len;
	buf_add(&im->bytes, im->names.data, im->names.len);
	while (im->bytes.len % 8)
		buf_putc(&im->bytes, 0);
	Elf64_Ehdr eh = {.e_type = ET_REL, .e_machine = like->e_machine, .e_version = EV_CURRENT,
			 .e_shoff = im->bytes.len, .e_ehsize = sizeof(eh), .e_shentsize = sizeof(Elf64_Shdr)};
	memcpy(eh.e_ident, like->e_ident, EI_NIDENT);
	eh.e_shnum = (Elf64_Half)im->header.len;
	eh.e_shstrndx = (Elf64_Half)(im->header.len - 1);
	buf_add(&im->bytes, im->header.at, im->header.len * sizeof(Elf64_Shdr));
	memcpy(im->bytes.data, &eh, sizeof(eh));
	*n = im->bytes.len;
	return im->bytes.data;
}

static void add_contributions(struct image *im, const struct dwp *p, const struct contribution *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len;
		const uint8_t *data = elf_section_bytes(p->elf, c[i].name, &len);
		if (data && c[i].offset <= len && c[i].size <= len - c[i].offset)
			add_section(im, c[i].name, data + c[i].offset, c[i].size);
	}
	size_t len;
	const uint8_t *data = elf_section_bytes(p->elf, ".debug_str.dwo", &len);
	if (data)
		add_section(im, ".debug_str.dwo", data, len);
}

static bool open_part(struct dwarf *d, Dwarf_Die *skeleton, struct part *part)
{
	struct contribution c[MAX_COLUMNS];
	struct image im = {0};
	GElf_Ehdr header;
	uint64_t base = 0;
	unsigned n = find_row(d->package, part->id, c);
	if (!n || !gelf_getehdr(d->package->elf, &header) || header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	buf_fill(&im.bytes, 0, sizeof(Elf64_Ehdr));
	vec_push(&im.header, (GElf_Shdr){0});
	buf_putc(&im.names, 0);
	add_contributions(&im, d->package, c, n);
	size_t len;
	const uint8_t *addr = dwarf_section(d, ".debug_addr", &len);
	if (!die_uint(skeleton, DW_AT_addr_base, &base))
		die_uint(skeleton, DW_AT_GNU_addr_base, &base);
	if (addr && base <= len)
		add_section(&im, ".debug_addr", addr + base, len - base);
	part->image = finish(&im, &header, &len);
	part->elf = elf_memory(part->image, len);
	part->dw = part->elf ? dwarf_begin_elf(part->elf, DWARF_C_READ, NULL) : NULL;
	vec_free(&im.header);
	buf_free(&im.names);
	return part->dw != NULL;
}

bool dwp_find_unit(struct dwarf *d, Dwarf_Die *skeleton, Dwarf_Die *ret)
{
	struct part part = {0};
	if (!d->package)
		d->package = open_package(d);
	if (dwarf_cu_info(skeleton->cu, NULL, NULL, NULL, NULL, &part.id, NULL, NULL) || !open_part(d, skeleton, &part)) {
		free(part.image);
		return false;
	}
	vec_push(&d->package->part, part);
	Dwarf_CU *cu = NULL;
	uint8_t kind;
	Dwarf_Half version;
	while (dwarf_get_units(part.dw, cu, &cu, &version, &kind, ret, NULL) == 0)
		if (kind == DW_UT_split_compile && ret->addr)
			return true;
	return false;
}
