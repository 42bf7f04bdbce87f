/*
 * dwarf_open.c - where debug information comes from: the file itself, or its separate debug file (found by
 * elf_debug_file()); with a supplementary file (dwz), split units (.dwo, .dwp) and compressed sections.
 */
#include "debuginfo/dwarf_internal.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

const uint8_t *elf_section_bytes(Elf *elf, const char *name, size_t *n)
{
	size_t strings;
	*n = 0;
	if (elf_getshdrstrndx(elf, &strings))
		return NULL;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr sh;
		const char *s = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strings, sh.sh_name) : NULL;
		if (!s || sh.sh_type == SHT_NOBITS)
			continue;
		bool is_old = s[0] == '.' && s[1] == 'z' && !strcmp(s + 2, name + 1); /* .zdebug_info */
		if (!is_old && strcmp(s, name) != 0)
			continue;
		Elf_Data *data = elf_getdata(scn, NULL);
		if (!data || !data->d_buf)
			return NULL;
		*n = data->d_size;
		return data->d_buf;
	}
	return NULL;
}

/* libdw has decompressed the sections of its file in place. */
const uint8_t *dwarf_section(struct dwarf *d, const char *name, size_t *n)
{
	return elf_section_bytes(dwarf_getelf(d->dw), name, n);
}

static bool has_debug_info(Elf *elf)
{
	size_t n;
	return elf_section_bytes(elf, ".debug_info", &n) && n;
}

/* dwz's supplementary file in the folders of --debuginfo, where libdw itself does not look. */
static void find_alt(struct dwarf *d)
{
	const void *id;
	const char *name;
	ssize_t n = dwelf_dwarf_gnu_debugaltlink(d->dw, &name, &id);
	if (n < 2 || !d->world->debuginfo_dirs || dwarf_getalt(d->dw))
		return;
	_cleanup_free_ char *list = xstrdup(d->world->debuginfo_dirs);
	char *save = NULL;
	for (char *dir = strtok_r(list, ":", &save); dir && d->alt_fd < 0; dir = strtok_r(NULL, ":", &save)) {
		struct buf path = {0};
		buf_printf(&path, "%s/.build-id/%02x/", dir, *(const uint8_t *)id);
		for (ssize_t i = 1; i < n; i++)
			buf_printf(&path, "%02x", ((const uint8_t *)id)[i]);
		buf_puts(&path, ".debug");
		d->alt_fd = open(path.data, O_RDONLY | O_CLOEXEC);
		buf_free(&path);
	}
	Dwarf *alt = d->alt_fd < 0 ? NULL : dwarf_begin(d->alt_fd, DWARF_C_READ);
	if (alt)
		dwarf_setalt(d->dw, alt);
}

/* The supplementary file's name when it is needed and not there; NULL otherwise. */
static const char *missing_alt(struct dwarf *d)
{
	const void *id;
	const char *name;
	return !dwarf_getalt(d->dw) && dwelf_dwarf_gnu_debugaltlink(d->dw, &name, &id) > 0 ? name : NULL;
}

/* By descriptor where that can be, so that libdw knows the folder in which it looks for .dwo files; *why: as elf_unpack_zstd() says it. */
static Dwarf *begin_dwarf(struct dwarf *d, struct elf_file *from, const char **why)
{
	if (elf_has_zstd(from)) {
		err_free(from->in_memory ? NULL : elf_open_private(d->world, from->path, &d->unpacked));
		*why = d->unpacked ? elf_unpack_zstd(d->unpacked) : "is compressed with zstd and cannot be opened again";
		return *why ? NULL : dwarf_begin_elf(d->unpacked->elf, DWARF_C_READ, NULL);
	}
	if (from->in_memory)
		return dwarf_begin_elf(from->elf, DWARF_C_READ, NULL);
	d->fd = open(from->path, O_RDONLY | O_CLOEXEC);
	return d->fd < 0 ? NULL : dwarf_begin(d->fd, DWARF_C_READ);
}

static struct dwarf *open_dwarf(struct elf_file *f, struct elf_file *from)
{
	const char *why = NULL;
	struct dwarf *d = xcalloc(1, sizeof(*d));
	d->fd = d->alt_fd = -1;
	d->world = f->world;
	d->file = f;
	d->path = from->path;
	d->as = f->is_kernel ? AS_KERNEL : AS_USER;
	d->arena = arena_create();
	d->dw = begin_dwarf(d, from, &why);
	if (why)
		f->refused = arena_printf(f->world->arena, "the debug information of %s %s", from->path, why);
	if (!d->dw) {
		dwarf_close(d);
		return NULL;
	}
	find_alt(d);
	const char *missing = missing_alt(d);
	if (missing) {
		f->refused = arena_printf(f->world->arena, "the debug information of %s is not whole: %s, which dwz has moved a part of it to, "
					  "is not there", f->path, missing);
		dwarf_close(d);
		return NULL;
	}
	return d;
}

struct dwarf *elf_dwarf_here(struct elf_file *f)
{
	if (f->has_dwarf_here)
		return f->dwarf;
	f->has_dwarf_here = true;
	struct elf_file *from = has_debug_info(f->elf) ? f : elf_debug_file(f);
	if (from && has_debug_info(from->elf))
		f->dwarf = open_dwarf(f, from);
	return f->dwarf;
}

struct dwarf *elf_dwarf(struct elf_file *f, const char **why)
{
	if (!f->has_dwarf) {
		f->has_dwarf = true;
		struct elf_file *from = elf_dwarf_here(f) ? NULL : elf_remote_debug_file(f);
		if (from && has_debug_info(from->elf))
			f->dwarf = open_dwarf(f, from);
	}
	if (!f->dwarf && why && f->refused)
		*why = f->refused;
	else if (!f->dwarf && why)
		*why = arena_printf(f->world->arena, "%s has no debug information (compile it with -g, install its debug "
				    "package, or name the folder with --debuginfo)", f->path);
	return f->dwarf;
}

void dwarf_close(struct dwarf *d)
{
	if (!d)
		return;
	if (d->dw)
		dwarf_keep(d);
	kept_free(d->kept);
	Dwarf *alt = d->dw && d->alt_fd >= 0 ? dwarf_getalt(d->dw) : NULL;
	dwarf_code_free(d);
	dwarf_ranges_free(d);
	dwp_close(d->package);
	dwarf_end(d->dw);
	elf_close(d->unpacked);
	if (alt)
		dwarf_end(alt);
	if (d->eh_frame)
		dwarf_cfi_end(d->eh_frame);
	if (d->fd >= 0)
		close(d->fd);
	if (d->alt_fd >= 0)
		close(d->alt_fd);
	vec_free(&d->unit);
	vec_free(&d->instance);
	numtab_free(&d->instance_id);
	numtab_free(&d->unit_by_die);
	vec_free(&d->type_die);
	numtab_free(&d->types);
	strtab_free(&d->type_names);
	arena_destroy(d->arena);
	free(d);
}
