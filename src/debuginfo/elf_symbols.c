/* elf_symbols.c - symbols of an ELF file by name and by address. */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>

static bool read_symbol(struct elf_file *f, const char *name, const GElf_Sym *sym, struct elf_symbol *ret)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);
	if (!name || !*name || type == STT_SECTION || type == STT_FILE || type == STT_TLS ||
	    sym->st_shndx == SHN_ABS)
		return false;
	struct elf_symbol s = {.name = name, .value = sym->st_value, .size = sym->st_size};
	s.is_func = type == STT_FUNC || type == STT_GNU_IFUNC;
	s.is_global = GELF_ST_BIND(sym->st_info) != STB_LOCAL;
	s.is_weak = GELF_ST_BIND(sym->st_info) == STB_WEAK;
	s.is_undefined = sym->st_shndx == SHN_UNDEF;
	if (!s.is_undefined && !elf_offset_of(f, s.value, &s.file_offset))
		s.file_offset = 0;
	*ret = s;
	return true;
}

/* From f's own tables, or from those of its debug file, whose addresses are the same. */
static void read_tables(struct elf_file *f, Elf *elf, bool want_dynamic)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr sh;
		if (!gelf_getshdr(scn, &sh) || !sh.sh_entsize)
			continue;
		if (sh.sh_type != SHT_SYMTAB && !(want_dynamic && sh.sh_type == SHT_DYNSYM))
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		if (!data || !data->d_buf)
			continue;
		size_t n = data->d_size / sh.sh_entsize;
		for (size_t i = 0; i < n; i++) {
			GElf_Sym sym;
			if (!gelf_getsym(data, (int)i, &sym))
				break;
			struct elf_symbol s;
			if (read_symbol(f, elf_strptr(elf, sh.sh_link, sym.st_name), &sym, &s))
				vec_push(&f->symbol, s);
		}
	}
}

static unsigned underscores(const char *s)
{
	return (unsigned)strspn(s, "_");
}

/* Which of two names for one address a reader wants to see: negative when a's. */
static int preference(const struct elf_symbol *a, const struct elf_symbol *b)
{
	if (a->is_func != b->is_func)
		return a->is_func ? -1 : 1;
	if (a->is_global != b->is_global)
		return a->is_global ? -1 : 1;
	if (underscores(a->name) != underscores(b->name))
		return underscores(a->name) < underscores(b->name) ? -1 : 1;
	if (a->is_weak != b->is_weak)
		return a->is_weak ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int by_value(const void *x, const void *y)
{
	const struct elf_symbol *a = x, *b = y;
	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return preference(a, b);
}

/* A symbol may stand in .symtab, .dynsym and the debug file's .symtab. */
static void drop_doubles(struct elf_file *f)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->symbol.len; i++) {
		struct elf_symbol *s = &f->symbol.at[i];
		struct elf_symbol *last = kept ? &f->symbol.at[kept - 1] : NULL;
		if (last && last->value == s->value && last->is_func == s->is_func &&
		    !strcmp(last->name, s->name)) {
			last->size = MAX(last->size, s->size);
			last->is_undefined &= s->is_undefined;
		} else {
			f->symbol.at[kept++] = *s;
		}
	}
	f->symbol.len = kept;
}

const struct elf_symbol *elf_symbols(struct elf_file *f, size_t *n)
{
	if (!f->has_symbols) {
		f->has_symbols = true;
		read_tables(f, f->elf, true);
		struct elf_file *debug = elf_debug_file(f);
		if (debug)
			read_tables(f, debug->elf, false);
		else if (elf_mini(f))
			read_tables(f, elf_mini(f), false);
		if (f->symbol.len)
			qsort(f->symbol.at, f->symbol.len, sizeof(*f->symbol.at), by_value);
		drop_doubles(f);
	}
	*n = f->symbol.len;
	return f->symbol.at;
}

/* A defined function before a defined object before an undefined name. */
static unsigned name_rank(const struct elf_symbol *s)
{
	return (s->is_undefined ? 0 : 4) + (s->is_func ? 2 : 0) + (s->is_global ? 1 : 0);
}

/* Symbols of that name in one file's tables, without reading the others. */
static void scan_tables(struct elf_file *f, Elf *elf, bool want_dynamic, const char *name, struct elf_symbol *best)
{
	size_t len = strlen(name) + 1;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr sh;
		GElf_Sym sym;
		struct elf_symbol s;
		if (!gelf_getshdr(scn, &sh) || !sh.sh_entsize ||
		    (sh.sh_type != SHT_SYMTAB && !(want_dynamic && sh.sh_type == SHT_DYNSYM)))
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		Elf_Scn *link = elf_getscn(elf, sh.sh_link);
		Elf_Data *strings = link ? elf_getdata(link, NULL) : NULL;
		size_t n = data && data->d_buf && strings && strings->d_buf ? data->d_size / sh.sh_entsize : 0;
		for (size_t i = 0; i < n && gelf_getsym(data, (int)i, &sym); i++) {
			const char *text = (const char *)strings->d_buf + sym.st_name;
			if (sym.st_name < strings->d_size && strings->d_size - sym.st_name >= len &&
			    !memcmp(text, name, len) && read_symbol(f, text, &sym, &s) &&
			    (!best->name || name_rank(&s) > name_rank(best)))
				*best = s;
		}
	}
}

/* The first few names are looked for one by one: sorting 100,000 symbols takes longer. */
static const struct elf_symbol *scan(struct elf_file *f, const char *name)
{
	struct elf_symbol best = {0};
	scan_tables(f, f->elf, true, name, &best);
	struct elf_file *debug = elf_debug_file(f);
	if (debug)
		scan_tables(f, debug->elf, false, name, &best);
	else if (!best.name && elf_mini(f))
		scan_tables(f, elf_mini(f), false, name, &best);
	return best.name ? arena_memdup(f->world->arena, &best, sizeof(best)) : NULL;
}

const struct elf_symbol *elf_symbol_by_name(struct elf_file *f, const char *name)
{
	enum { FEW = 8 };
	if (!f->has_symbols && f->nscans++ < FEW)
		return scan(f, name);
	size_t n;
	const struct elf_symbol *sym = elf_symbols(f, &n), *best = NULL;
	if (!f->names.mask) {
		name_index_init(&f->names, n, (uint32_t)n);
		for (size_t i = 0; i < n; i++)
			name_index_add(&f->names, name_hash(sym[i].name, strlen(sym[i].name)),
				       (uint32_t)i + 1);
	}
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, i;
	while ((i = name_index_next(&f->names, hash, &pos))) {
		const struct elf_symbol *s = &sym[i - 1];
		if (!strcmp(s->name, name) && (!best || name_rank(s) > name_rank(best)))
			best = s;
	}
	return best;
}

/* How far back a symbol that spans others (cold parts, nested labels) is looked for. */
enum {
	MAX_BACK = 64
};

static bool is_code(const struct elf_file *f, uint64_t vaddr)
{
	vec_each(s, &f->segment)
		if (s->is_exec && vaddr >= s->vaddr && vaddr - s->vaddr < s->size)
			return true;
	return false;
}

/* A name for what follows it although it has no size: assembler code; local marks only where code is. */
static bool is_open_ended(const struct elf_file *f, const struct elf_symbol *s, uint64_t vaddr)
{
	return !s->size && (s->is_global || s->is_func || (is_code(f, s->value) && is_code(f, vaddr)));
}

const struct elf_symbol *elf_symbol_at(struct elf_file *f, uint64_t vaddr)
{
	size_t n, low = 0;
	const struct elf_symbol *sym = elf_symbols(f, &n), *open_ended = NULL;
	for (size_t high = n; low < high;) { /* first symbol above vaddr */
		size_t mid = low + (high - low) / 2;
		if (sym[mid].value <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	const struct elf_symbol *found = NULL;
	for (size_t i = low, steps = 0; i && steps < MAX_BACK; steps++) {
		const struct elf_symbol *s = &sym[--i];
		if (found && s->value != found->value)
			break;
		if (s->is_undefined)
			continue;
		if (vaddr - s->value < s->size)
			found = s; /* the last one seen of an address is the preferred name */
		else if (s->value == sym[low - 1].value && is_open_ended(f, s, vaddr))
			open_ended = s; /* assembler code without a size: up to the next symbol */
	}
	uint64_t offset;
	return found || !elf_offset_of(f, vaddr, &offset) ? found : open_ended;
}
