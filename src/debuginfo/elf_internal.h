/* elf_internal.h - what the files of the ELF reader share. */
#pragma once

#include "debuginfo/internal.h"
#include "debuginfo/name_index.h"

#include <gelf.h>

struct elf_segment {
	uint64_t vaddr, offset, size; /* of a PT_LOAD, bytes in the file */
	bool is_exec;
};

struct elf_file {
	struct world *world;
	char *path;
	Elf *elf;
	VEC(struct elf_segment) segment;
	bool is_pie;
	uint64_t base;	/* where it begins in its file: not 0 for members of archives */
	void *archive;	/* mapping that the image lies in, NULL */
	size_t archive_size;
	bool in_memory; /* the vdso, modules of the kernel: no path to look for debug files by */
	bool is_kernel; /* its pointers are the kernel's */
	/* read on first use */
	unsigned nscans; /* names looked for before the symbols were read */
	bool has_symbols, has_usdt, has_debug;
	VEC(struct elf_symbol) symbol;
	struct name_index names;
	VEC(struct usdt_site) usdt;
	struct elf_file *debug; /* separate debug file, owned */
	const char *refused; /* a debug file that was found and is not its own: a sentence */
	bool has_dwarf, has_dwarf_here; /* it was looked for, on servers too; on this machine */
	VEC(uint8_t *) unpacked; /* sections: elf_zstd.c */
	bool has_mini;
	Elf *mini; /* out of .gnu_debugdata, NULL: none */
	uint8_t *mini_bytes;
	struct dwarf *dwarf; /* owned; see dwarf.h */
};

/* elf_needed.c: adds the libraries that f itself names, loaded by the program (which may be f) */
void elf_needed_by(struct world *w, struct elf_file *f, struct elf_file *program, struct str_list *paths);

/* elf_tls.c: how to come to byte x of the file's thread-local storage in a thread of x86-64 */
struct elf_tls {
	enum {
		ELF_TLS_UNKNOWN,
		ELF_TLS_PROGRAM,  /* thread pointer - from + x */
		ELF_TLS_DISTANCE, /* thread pointer + the word at `word` - from + x */
		ELF_TLS_MODULE,	  /* block of the module whose number is at `word` + x */
	} kind;
	uint64_t word; /* an address as linked */
	int64_t from;
	uint64_t image, image_size; /* initial values: an address as linked, bytes */
};
void elf_tls(struct elf_file *f, struct elf_tls *ret);
/* dwarf_open.c: bytes of a section; NULL when there is none */
const uint8_t *elf_section_bytes(Elf *elf, const char *name, size_t *n);
/*
 * elf_zstd.c: does the file have sections that libelf cannot unpack?  Then they are unpacked in a file that was opened privately: NULL, or why not,
 * as the rest of a sentence ("is ...").
 */
bool elf_has_zstd(const struct elf_file *f);
const char *elf_unpack_zstd(struct elf_file *f);
/* Opens without the cache. */
struct err *elf_open_file(struct world *w, const char *path, struct elf_file **ret);
/* Opens a mapping that may be written, which does not change the file. */
struct err *elf_open_private(struct world *w, const char *path, struct elf_file **ret);
/*
 * elf_relocate.c: puts addresses into the debug sections of a relocatable file that was opened privately; address_of: where a section is,
 * 0 when nowhere.  false: it is no such file.
 */
bool elf_relocate(Elf *elf, uint64_t (*address_of)(void *arg, const char *section), void *arg);
/* kernel_debug.c: the build-id in bytes of notes, as /sys/kernel/notes has them; borrowed, NULL when there is none. */
const uint8_t *note_build_id(const uint8_t *data, size_t n, size_t *len);
void kernel_files_close(struct world *w);
/* debuginfod.c: a debug file from a server (heap); NULL when $DEBUGINFOD_URLS is not set or none has it. */
char *debuginfod_path(struct elf_file *f);
char *debuginfod_path_of(struct world *w, const char *hex); /* by a build-id in hexadecimal digits */
/* elf_debugdata.c: the ELF file in .gnu_debugdata, which has symbols of the same addresses; NULL when there is none. */
Elf *elf_mini(struct elf_file *f);
/* The file with the stripped symbols and DWARF, NULL when there is none. */
struct elf_file *elf_debug_file(struct elf_file *f);
/* The same from a debuginfod server; takes the place of what elf_debug_file() found. */
struct elf_file *elf_remote_debug_file(struct elf_file *f);
