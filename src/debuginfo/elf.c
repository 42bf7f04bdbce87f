/* elf.c - opening ELF files through libelf; addresses, offsets, identity. */
#include "debuginfo/zip.h"
#include "debuginfo/dwarf_internal.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_segments(struct elf_file *f)
{
	size_t n = 0;
	if (elf_getphdrnum(f->elf, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;
		if (!gelf_getphdr(f->elf, (int)i, &ph))
			break;
		if (ph.p_type == PT_LOAD && ph.p_filesz && ph.p_vaddr + ph.p_filesz > ph.p_vaddr &&
		    ph.p_offset + ph.p_filesz > ph.p_offset)
			vec_push(&f->segment, (struct elf_segment){ph.p_vaddr, ph.p_offset + f->base,
								   ph.p_filesz, ph.p_flags & PF_X});
	}
}

static struct err *from_elf(struct world *w, const char *path, Elf *elf, uint64_t base, struct elf_file **ret)
{
	GElf_Ehdr header;
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header)) {
		elf_end(elf);
		return err_new(ENOEXEC, "%s is not an ELF file", path);
	}
	struct elf_file *f = xcalloc(1, sizeof(*f));
	f->world = w;
	f->path = xstrdup(path);
	f->elf = elf;
	f->base = base;
	f->is_pie = header.e_type == ET_DYN;
	read_segments(f);
	*ret = f;
	return NULL;
}

/* "ARCHIVE!/MEMBER": the member is used where it lies. */
static struct err *open_member(struct world *w, const char *path, struct elf_file **ret)
{
	size_t len = zip_container(path), offset, size;
	_cleanup_free_ char *archive = xstrndup(path, len);
	_cleanup_close_ int fd = open(archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("cannot open %s", archive);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return err_new(ENOEXEC, "%s is no zip archive", archive);
	uint8_t *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_errno("mapping %s", archive);
	const char *why = zip_find(data, (size_t)st.st_size, path + len + 2, &offset, &size);
	struct err *e = why ? err_new(ENOEXEC, "%s: %s", path, why)
			    : from_elf(w, path, elf_memory((char *)data + offset, size), offset, ret);
	if (e) {
		munmap(data, (size_t)st.st_size);
		return e;
	}
	(*ret)->archive = data;
	(*ret)->archive_size = (size_t)st.st_size;
	(*ret)->in_memory = true;
	return NULL;
}

static struct err *open_as(struct world *w, const char *path, Elf_Cmd how, struct elf_file **ret)
{
	*ret = NULL;
	if (zip_container(path)) {
		elf_version(EV_CURRENT);
		return open_member(w, path, ret);
	}
	elf_version(EV_CURRENT);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_new(ENOEXEC, "%s is not an ELF file", path);
	Elf *elf = elf_begin(fd, how, NULL);
	/* the mapping (or, where mapping fails, a copy) outlives the descriptor */
	if (elf && elf_cntl(elf, ELF_C_FDREAD)) {
		elf_end(elf);
		elf = NULL;
	}
	return from_elf(w, path, elf, 0, ret);
}

struct err *elf_open_file(struct world *w, const char *path, struct elf_file **ret)
{
	return open_as(w, path, ELF_C_READ_MMAP, ret);
}

struct err *elf_open_private(struct world *w, const char *path, struct elf_file **ret)
{
	struct err *e = open_as(w, path, ELF_C_READ_MMAP_PRIVATE, ret);
	if (!e)
		(*ret)->in_memory = true;
	return e;
}

struct err *elf_open(struct world *w, const char *path, struct elf_file **ret)
{
	*ret = strtab_get(&w->elf_cache, path);
	if (*ret)
		return NULL;
	struct err *e = elf_open_file(w, path, ret);
	if (!e)
		strtab_set(&w->elf_cache, path, *ret);
	return e;
}

struct err *elf_open_memory(struct world *w, const char *name, const void *data, size_t n,
			    struct elf_file **ret)
{
	*ret = strtab_get(&w->elf_cache, name);
	if (*ret)
		return NULL;
	elf_version(EV_CURRENT);
	/* libelf's prototype is not const, but it does not write to a file opened for reading */
	struct err *e = from_elf(w, name, elf_memory((char *)(uintptr_t)data, n), 0, ret);
	if (e)
		return e;
	(*ret)->in_memory = true;
	strtab_set(&w->elf_cache, name, *ret);
	return NULL;
}

void elf_close(struct elf_file *f)
{
	if (!f)
		return;
	dwarf_close(f->dwarf);
	elf_close(f->debug);
	name_index_free(&f->names);
	vec_free(&f->symbol);
	vec_free(&f->usdt);
	vec_free(&f->segment);
	elf_end(f->mini);
	free(f->mini_bytes);
	elf_end(f->elf);
	vec_each(u, &f->unpacked)
		free(*u);
	vec_free(&f->unpacked);
	if (f->archive)
		munmap(f->archive, f->archive_size);
	free(f->path);
	free(f);
}

const char *elf_path(const struct elf_file *f)
{
	return f->path;
}

bool elf_is_pie(struct elf_file *f)
{
	return f->is_pie;
}

const uint8_t *elf_build_id(struct elf_file *f, size_t *len)
{
	const void *id = NULL;
	ssize_t n = dwelf_elf_gnu_build_id(f->elf, &id);
	*len = n > 0 ? (size_t)n : 0;
	return n > 0 ? id : NULL;
}

uint64_t elf_code_start(struct elf_file *f)
{
	uint64_t start = UINT64_MAX;
	vec_each(s, &f->segment)
		if (s->is_exec)
			start = MIN(start, s->vaddr);
	return start == UINT64_MAX ? 0 : start;
}

bool elf_is_go(struct elf_file *f)
{
	size_t n;
	return elf_section_bytes(f->elf, ".gopclntab", &n) || elf_section_bytes(f->elf, ".go.buildinfo", &n);
}

bool elf_offset_of(struct elf_file *f, uint64_t vaddr, uint64_t *offset_ret)
{
	vec_each(s, &f->segment) {
		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->size)
			continue;
		*offset_ret = vaddr - s->vaddr + s->offset;
		return true;
	}
	return false;
}

/* Code first: what asks is nearly always an address that was executed. */
bool elf_vaddr_of(struct elf_file *f, uint64_t offset, uint64_t *vaddr_ret)
{
	bool found = false;
	vec_each(s, &f->segment) {
		if (offset < s->offset || offset - s->offset >= s->size || (found && !s->is_exec))
			continue;
		*vaddr_ret = offset - s->offset + s->vaddr;
		found = true;
	}
	return found;
}

const uint8_t *elf_bytes_at(struct elf_file *f, uint64_t offset, size_t n)
{
	size_t size = 0;
	const char *raw = elf_rawfile(f->elf, &size);
	if (!raw || offset < f->base || offset - f->base > size || size - (offset - f->base) < n)
		return NULL;
	return (const uint8_t *)raw + (offset - f->base);
}

/* --- separate debug files
 * ---------------------------------------------------------------------------------- */

/* The checksum of .gnu_debuglink: CRC-32 with the polynomial 0xedb88320 over the whole file. */
static bool has_crc(struct elf_file *f, uint32_t want)
{
	size_t n = 0;
	const char *data = elf_rawfile(f->elf, &n);
	uint32_t table[256], crc = ~0u;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; data && i < n; i++)
		crc = table[(crc ^ (uint8_t)data[i]) & 255] ^ crc >> 8;
	return ~crc == want;
}

static bool same_build_id(struct elf_file *a, struct elf_file *b)
{
	size_t n, m;
	const uint8_t *x = elf_build_id(a, &n), *y = elf_build_id(b, &m);
	return x && y && n == m && !memcmp(x, y, n);
}

/* Takes the path, and gives the file when it belongs to f. */
static struct elf_file *try_debug(struct elf_file *f, char *path, const uint32_t *crc)
{
	struct elf_file *d = NULL;
	err_free(elf_open_file(f->world, path, &d));
	free(path);
	if (!d || same_build_id(f, d) || (crc && has_crc(d, *crc)))
		return d;
	elf_close(d);
	return NULL;
}

static struct elf_file *by_build_id(struct elf_file *f, const char *dir)
{
	size_t n;
	const uint8_t *id = elf_build_id(f, &n);
	if (!id || n < 2 || *dir != '/')
		return NULL;
	struct buf path = {0};
	buf_printf(&path, "%s%s/.build-id/%02x/", f->world->root, dir, id[0]);
	for (size_t i = 1; i < n; i++)
		buf_printf(&path, "%02x", id[i]);
	buf_puts(&path, ".debug");
	return try_debug(f, path.data, NULL);
}

/* dir: "" beside the file, relative (".debug") below its folder, or absolute, with the folder's
 * path below. */
static struct elf_file *by_link(struct elf_file *f, const char *dir)
{
	GElf_Word crc = 0;
	const char *link = dwelf_elf_gnu_debuglink(f->elf, &crc);
	if (!link || strchr(link, '/'))
		return NULL;
	const char *slash = strrchr(f->path, '/');
	int n = slash ? (int)(slash - f->path) : 0;
	char *path = *dir == '/' ? xasprintf("%s%s%.*s/%s", f->world->root, dir, n, f->path, link)
				 : xasprintf("%.*s/%s%s%s", n, f->path, dir, *dir ? "/" : "", link);
	if (!strcmp(path, f->path)) {
		free(path);
		return NULL;
	}
	return try_debug(f, path, &crc);
}

static bool text_section(struct elf_file *f, GElf_Shdr *ret)
{
	size_t strings;
	if (elf_getshdrstrndx(f->elf, &strings))
		return false;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));) {
		const char *name = gelf_getshdr(scn, ret) ? elf_strptr(f->elf, strings, ret->sh_name) : NULL;
		if (name && !strcmp(name, ".text"))
			return true;
	}
	return false;
}

static bool same_text(struct elf_file *a, struct elf_file *b)
{
	GElf_Shdr x, y;
	return text_section(a, &x) && text_section(b, &y) && x.sh_addr == y.sh_addr && x.sh_size == y.sh_size;
}

/*
 * NAME.debug in a folder that the user names, for files without a debug link: its build-id must agree or, where there
 * is none, the place of its code.
 */
static struct elf_file *by_name(struct elf_file *f, const char *dir)
{
	size_t n;
	struct elf_file *d = NULL;
	const char *slash = strrchr(f->path, '/'), *base = slash ? slash + 1 : f->path;
	_cleanup_free_ char *path = xasprintf("%s/%s.debug", dir, base);
	_cleanup_free_ char *below = xasprintf("%.*s%s", (int)(base - f->path), f->path, path);
	err_free(elf_open_file(f->world, path, &d));
	if (!d && *dir != '/')
		err_free(elf_open_file(f->world, below, &d));
	if (!d || (elf_build_id(f, &n) ? same_build_id(f, d) : same_text(f, d)))
		return d;
	f->refused = arena_printf(f->world->arena, "%s was made for another build of %s", d->path, f->path);
	elf_close(d);
	return NULL;
}

struct elf_file *elf_debug_file(struct elf_file *f)
{
	if (f->has_debug || f->in_memory)
		return f->debug;
	f->has_debug = true;
	const char *dirs = f->world->debuginfo_dirs;
	_cleanup_free_ char *list = xstrdup(dirs ? dirs : ":.debug:/usr/lib/debug");
	for (char *s = list, *end; s && !f->debug; s = end) {
		end = strchr(s, ':');
		if (end)
			*end++ = 0;
		f->debug = by_build_id(f, s);
		if (!f->debug)
			f->debug = by_link(f, s);
		if (!f->debug && dirs)
			f->debug = by_name(f, s);
	}
	return f->debug;
}

struct elf_file *elf_remote_debug_file(struct elf_file *f)
{
	char *path = f->in_memory ? NULL : debuginfod_path(f);
	struct elf_file *d = path ? try_debug(f, path, NULL) : NULL;
	if (!d)
		return f->debug;
	elf_close(f->debug);
	f->debug = d;
	f->has_debug = true;
	return d;
}
