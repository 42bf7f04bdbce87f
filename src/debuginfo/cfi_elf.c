/*
 * cfi_elf.c - finding call frame information in an ELF-64 file.
 *
 * Files are read, not mapped: one that is cut short meanwhile must not end this process.  elf(5);
 * .eh_frame_hdr: LSB.  Compressed sections: gABI, "Section Compression", and the older .zdebug_ names.
 */
#include "debuginfo/cfi_internal.h"

#include "debuginfo/internal.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
	MAX_SECTION = 256 << 20,
	MAX_HEADERS = 65535,
	MAX_SEGMENTS = 64,
	MAX_NOTE = 64 << 10,
	MIN_GAP = 16, /* what is shorter aligns the next function */
	MAX_GAP = 1 << 20, /* what has no call frame information and is longer follows rules of its own: node's builtins */
	MAX_GAPS = 2 << 20,
};

#if defined(__aarch64__)
enum {
	MACHINE = EM_AARCH64
};
#else
enum {
	MACHINE = EM_X86_64
};
#endif

struct image {
	int fd; /* or */
	const uint8_t *mem;
	uint64_t size;
};

/* n bytes at off as a heap copy; NULL: they are not there, or there are too many. */
static uint8_t *image_read(const struct image *im, uint64_t off, uint64_t n)
{
	uint8_t *p;

	if (!n || n > MAX_SECTION || off > im->size || n > im->size - off)
		return NULL;
	p = xmalloc(n);
	if (im->mem) {
		memcpy(p, im->mem + off, n);
		return p;
	}
	for (uint64_t done = 0; done < n;) {
		ssize_t got = pread(im->fd, p + done, n - done, (off_t)(off + done));

		if (got <= 0) {
			free(p);
			return NULL;
		}
		done += (uint64_t)got;
	}
	return p;
}

struct elf_image {
	struct image im;
	Elf64_Ehdr head;
	Elf64_Phdr *segment;
	Elf64_Shdr *section; /* NULL: has none */
	uint8_t *names;
	uint64_t nnames;
	struct cfi_section found[3];
	size_t nfound;
};

static struct err *read_headers(struct elf_image *e)
{
	_cleanup_free_ uint8_t *head = image_read(&e->im, 0, sizeof(e->head));

	if (head)
		memcpy(&e->head, head, sizeof(e->head));
	if (!head || memcmp(e->head.e_ident, ELFMAG, SELFMAG) ||
	    e->head.e_ident[EI_CLASS] != ELFCLASS64 || e->head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e->head.e_machine != MACHINE || e->head.e_phentsize != sizeof(Elf64_Phdr))
		return err_new(ENOEXEC, "not an ELF file of this machine");
	e->segment = (Elf64_Phdr *)image_read(&e->im, e->head.e_phoff,
					      (uint64_t)e->head.e_phnum * sizeof(Elf64_Phdr));
	if (!e->segment)
		return err_new(ENOEXEC, "broken program headers");
	if (e->head.e_shentsize != sizeof(Elf64_Shdr) || e->head.e_shstrndx >= e->head.e_shnum)
		return NULL;
	e->section = (Elf64_Shdr *)image_read(&e->im, e->head.e_shoff,
					      (uint64_t)e->head.e_shnum * sizeof(Elf64_Shdr));
	if (!e->section)
		return NULL;
	e->nnames = e->section[e->head.e_shstrndx].sh_size;
	e->names = image_read(&e->im, e->section[e->head.e_shstrndx].sh_offset, e->nnames);
	return NULL;
}

static bool has_name(const struct elf_image *e, const Elf64_Shdr *s, const char *name)
{
	size_t n = strlen(name) + 1;

	return e->names && s->sh_name < e->nnames && n <= e->nnames - s->sh_name &&
	       !memcmp(e->names + s->sh_name, name, n);
}

/* Takes the data, which may be NULL. */
static void add_data(struct elf_image *e, uint8_t *data, uint64_t size, uint64_t address, bool is_debug)
{
	if (data && e->nfound < ARRAY_SIZE(e->found))
		e->found[e->nfound++] = (struct cfi_section){data, (size_t)size, address, is_debug};
	else
		free(data);
}

static void add_section(struct elf_image *e, uint64_t off, uint64_t size, uint64_t address,
			bool is_debug)
{
	add_data(e, image_read(&e->im, off, size), size, address, is_debug);
}

/* What n bytes say that is `size` bytes long; NULL when they do not. */
static uint8_t *inflate_all(const uint8_t *data, uint64_t n, uint64_t size)
{
	uLongf got = size;

	if (!size || size > MAX_SECTION)
		return NULL;
	uint8_t *p = xmalloc(size);
	if (uncompress(p, &got, data, n) == Z_OK && got == size)
		return p;
	free(p);
	return NULL;
}

static void add_compressed(struct elf_image *e, const Elf64_Shdr *s, bool is_old, bool is_debug)
{
	_cleanup_free_ uint8_t *data = image_read(&e->im, s->sh_offset, s->sh_size);
	uint64_t head = is_old ? 12 : sizeof(Elf64_Chdr), size = 0;
	Elf64_Chdr c;

	if (!data || s->sh_size <= head)
		return;
	memcpy(&c, data, MIN(sizeof(c), (size_t)s->sh_size));
	if (!is_old && c.ch_type == ELFCOMPRESS_ZSTD) {
		const char *why;
		size = c.ch_size;
		add_data(e, size > MAX_SECTION ? NULL : zstd_unpack(data + head, s->sh_size - head, size, &why), size, s->sh_addr, is_debug);
		return;
	}
	if (is_old && !memcmp(data, "ZLIB", 4))
		for (unsigned i = 4; i < 12; i++)
			size = size << 8 | data[i];
	else if (!is_old && c.ch_type == ELFCOMPRESS_ZLIB)
		size = c.ch_size;
	add_data(e, inflate_all(data + head, s->sh_size - head, size), size, s->sh_addr, is_debug);
}

static void find_by_name(struct elf_image *e, const char *name, bool is_debug)
{
	char old[32];

	snprintf(old, sizeof(old), ".z%s", name + 1);
	for (unsigned i = 0; e->section && i < e->head.e_shnum; i++) {
		const Elf64_Shdr *s = &e->section[i];
		bool is_old = has_name(e, s, old);

		if (s->sh_type == SHT_NOBITS || (!is_old && !has_name(e, s, name)))
			continue;
		if (is_old || s->sh_flags & SHF_COMPRESSED)
			add_compressed(e, s, is_old, is_debug);
		else
			add_section(e, s->sh_offset, s->sh_size, s->sh_addr, is_debug);
		return;
	}
}

static const Elf64_Phdr *segment_of(const struct elf_image *e, uint64_t address)
{
	for (unsigned i = 0; i < e->head.e_phnum; i++) {
		const Elf64_Phdr *p = &e->segment[i];

		if (p->p_type == PT_LOAD && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_filesz)
			return p;
	}
	return NULL;
}

/* Without section headers: the index for the run-time unwinder says where .eh_frame is; it goes up
 * to its terminator. */
static void find_by_header(struct elf_image *e)
{
	for (unsigned i = 0; i < e->head.e_phnum; i++) {
		const Elf64_Phdr *h = &e->segment[i], *p;
		_cleanup_free_ uint8_t *data = NULL;

		if (h->p_type != PT_GNU_EH_FRAME || h->p_filesz < 8)
			continue;
		data = image_read(&e->im, h->p_offset, h->p_filesz);
		if (!data || data[0] != 1)
			return;
		struct cfi_cursor c = {.at = data + 4, .end = data + h->p_filesz};
		uint64_t address = cfi_pointer(&c, data[1], h->p_vaddr + 4);
		p = c.bad ? NULL : segment_of(e, address);
		if (p)
			add_section(e, p->p_offset + (address - p->p_vaddr),
				    p->p_filesz - (address - p->p_vaddr), address, false);
		return;
	}
}

static void read_build_id(const struct elf_image *e, const Elf64_Phdr *p, struct cfi_file *ret)
{
	_cleanup_free_ uint8_t *data =
		p->p_filesz <= MAX_NOTE ? image_read(&e->im, p->p_offset, p->p_filesz) : NULL;
	uint64_t at = 0;
	Elf64_Nhdr n;

	while (data && at + sizeof(n) <= p->p_filesz) {
		memcpy(&n, data + at, sizeof(n));
		uint64_t name = at + sizeof(n), desc = name + ALIGN_UP((uint64_t)n.n_namesz, 4u);

		if (desc + n.n_descsz > p->p_filesz)
			return;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
		    !memcmp(data + name, "GNU", 4)) {
			ret->build_id_len = MIN((size_t)n.n_descsz, sizeof(ret->build_id));
			memcpy(ret->build_id, data + desc, ret->build_id_len);
			return;
		}
		at = desc + ALIGN_UP((uint64_t)n.n_descsz, 4u);
	}
}

static void read_segments(const struct elf_image *e, struct cfi_file *ret)
{
	for (unsigned i = 0; i < e->head.e_phnum; i++) {
		const Elf64_Phdr *p = &e->segment[i];

		if (p->p_type == PT_NOTE && !ret->build_id_len)
			read_build_id(e, p, ret);
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
		    ret->segment.len == MAX_SEGMENTS || p->p_filesz > e->im.size ||
		    p->p_vaddr + p->p_filesz < p->p_vaddr)
			continue;
		vec_push(&ret->segment, (struct cfi_segment){p->p_vaddr, p->p_offset, p->p_filesz});
	}
}

/* Has less than half of the code rows?  Then it was compiled for a debugger to unwind. */
static bool is_bare(const struct cfi_table *t, const struct cfi_range *code, size_t n)
{
	uint64_t covered = 0, all = 0;

	for (size_t i = 0; i + 1 < t->row.len; i++)
		if (t->row.at[i].rule)
			covered += t->row.at[i + 1].pc - t->row.at[i].pc;
	for (size_t i = 0; i < n; i++)
		all += code[i].end - code[i].begin;
	return covered < all / 2;
}

static void free_image(struct elf_image *e)
{
	for (size_t i = 0; i < e->nfound; i++)
		free((void *)(uintptr_t)e->found[i].data);
	free(e->segment);
	free(e->section);
	free(e->names);
}

/* .debug_frame of the separate debug file that has the same build-id. */
static bool find_separate(struct elf_image *e, const struct cfi_file *f)
{
	char path[128];
	int at = snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", f->build_id[0]);
	struct elf_image d = {.im = {.fd = -1}};
	struct stat st;

	for (size_t i = 1; i < f->build_id_len; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", f->build_id[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	_cleanup_close_ int fd = f->build_id_len < 2 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	d.im = (struct image){.fd = fd, .size = (uint64_t)st.st_size};
	struct err *err = read_headers(&d);
	if (!err)
		find_by_name(&d, ".debug_frame", true);
	bool any = d.nfound && e->nfound < ARRAY_SIZE(e->found);
	if (any) {
		e->found[e->nfound++] = d.found[0];
		d.nfound = 0;
	}
	err_free(err);
	free_image(&d);
	return any;
}

/* --- code that no section tells of ----------------------------------------------------------------------------- */

struct gaps {
	const struct elf_image *e;
	struct cfi_rules *rules;
	struct cfi_table table; /* what is known and what the code says, so far */
	uint64_t left;		/* bytes of code that may still be read */
};

/* Of [begin, end) what is code. */
static void fill_gap(struct gaps *g, uint64_t begin, uint64_t end)
{
	cfi_emit(&g->table, begin, UW_RULE_NONE);
	if (end - begin < MIN_GAP)
		return;
	for (unsigned i = 0; i < g->e->head.e_shnum; i++) {
		const Elf64_Shdr *s = &g->e->section[i];
		uint64_t from = MAX(begin, s->sh_addr), to = MIN(end, s->sh_addr + s->sh_size);

		if (s->sh_type != SHT_PROGBITS || !(s->sh_flags & SHF_EXECINSTR) || from >= to || to - from > MAX_GAP || to - from > g->left)
			continue;
		_cleanup_free_ uint8_t *code = image_read(&g->e->im, s->sh_offset + (from - s->sh_addr), to - from);
		g->left -= to - from;
		begin = to; /* sections that lie over one another, or in another order: once is enough */
		if (code)
			cfi_from_code(code, to - from, from, g->rules, &g->table);
	}
}

/* Between functions that have call frame information there are a few that have none. */
static void fill_gaps(const struct elf_image *e, struct cfi_rules *rules, struct cfi_table *t)
{
	struct gaps g = {.e = e, .rules = rules, .left = MAX_GAPS};

	if (!e->section || !t->row.len)
		return;
	fill_gap(&g, 0, t->row.at[0].pc);
	for (size_t i = 0; i < t->row.len; i++) {
		const struct cfi_row *r = &t->row.at[i];

		if (r->rule)
			cfi_emit(&g.table, r->pc, r->rule);
		else
			fill_gap(&g, r->pc, i + 1 < t->row.len ? r[1].pc : UINT64_MAX);
	}
	g.table.nfde = t->nfde;
	g.table.nbad = t->nbad;
	cfi_table_free(t);
	*t = g.table;
}

static void read_table(struct elf_image *e, struct cfi_rules *rules, struct cfi_file *ret)
{
	struct cfi_range code[MAX_SEGMENTS];
	size_t n = 0;

	vec_each(s, &ret->segment)
		code[n++] = (struct cfi_range){s->vaddr, s->vaddr + s->size};
	find_by_name(e, ".eh_frame", false);
	if (!e->nfound)
		find_by_header(e);
	find_by_name(e, ".debug_frame", true);
	if (e->nfound && n)
		cfi_read(e->found, e->nfound, code, n, rules, &ret->table);
	if (!e->im.mem && n && is_bare(&ret->table, code, n) && find_separate(e, ret)) {
		cfi_table_free(&ret->table);
		ret->table = (struct cfi_table){.nfde = 0};
		cfi_read(e->found, e->nfound, code, n, rules, &ret->table);
	}
	if (n)
		fill_gaps(e, rules, &ret->table);
}

static struct err *open_image(struct elf_image *e, struct cfi_rules *rules, struct cfi_file *ret)
{
	struct err *err = read_headers(e);

	*ret = (struct cfi_file){.build_id_len = 0};
	if (!err) {
		read_segments(e, ret);
		read_table(e, rules, ret);
	}
	free_image(e);
	return err;
}

struct err *cfi_open(int fd, struct cfi_rules *rules, struct cfi_file *ret)
{
	struct elf_image e = {.im = {.fd = fd}};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno("reading a file");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return err_new(ENOEXEC, "not a file");
	e.im.size = (uint64_t)st.st_size;
	return open_image(&e, rules, ret);
}

struct err *cfi_open_memory(const void *data, size_t n, struct cfi_rules *rules,
			    struct cfi_file *ret)
{
	struct elf_image e = {.im = {.fd = -1, .mem = data, .size = n}};

	return open_image(&e, rules, ret);
}

void cfi_file_free(struct cfi_file *f)
{
	cfi_table_free(&f->table);
	vec_free(&f->segment);
}
