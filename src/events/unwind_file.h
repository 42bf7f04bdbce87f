/*
 * unwind_file.h - files with unwind tables, each packed once however many processes map it.
 *
 * A file is known by inode, size and time (struct uw_file_key); two with the same build-id share a table. Tables
 * of files that nothing maps any more are kept up to a limit: what runs often comes back.
 */
#pragma once

#include "debuginfo/cfi.h"
#include "events/unwind_space.h"

/* A packed part of a table. */
struct uw_piece {
	uint64_t begin, end, base; /* addresses in the file; of its rows, of its first word */
	struct uw_range range;
};
typedef VEC(struct uw_map) uw_map_list;
struct uw_file {
	VEC(struct uw_piece) piece; /* ascending; empty: no table */
	VEC(struct cfi_segment) segment;
	VEC(struct uw_file_key) key; /* what programs know it by */
	struct uw_range maps; /* list by offset in the file */
	uint32_t nmaps;
	uint8_t build_id[20];
	size_t build_id_len;
	unsigned refs;
	uint64_t words;
	uint64_t used; /* when it was last let go, for dropping the oldest */
};
struct uw_files {
	struct uw_space *space;
	struct cfi_rules rules;
	struct uw_rule *shared; /* the map that programs see */
	uint32_t nshared;
	int map_fd; /* .uw_files */
	struct strtab by_key; /* struct uw_file_key -> file */
	struct strtab by_build_id;
	VEC(struct uw_file *) all;
	struct uw_file *vdso;
	uint64_t clock, idle_words;
	uint64_t build_ns; /* spent on building, all files */
	unsigned nbuilt;
};
void uw_files_init(struct uw_files *f, struct uw_space *space, struct uw_rule *shared, int map_fd);
void uw_files_destroy(struct uw_files *f);
/*
 * The mappings that [start, end) of a process consists of, where a file (NULL: none) is mapped from `offset` on: pieces of its
 * table, and code without tables between them.  Appends up to UW_MAPS_MAX.
 */
void uw_file_maps(const struct uw_file *file, uint64_t start, uint64_t end, uint64_t offset, uw_map_list *out);
/* The file of an open descriptor, with one more reference; NULL: it cannot be read. */
struct uw_file *uw_files_open(struct uw_files *f, int fd);
/* One that was read before, by its build-id, with one more reference; NULL: none. */
struct uw_file *uw_files_known(struct uw_files *f, const uint8_t *build_id, size_t n);
/* The vdso: the kernel maps the same one into every process of our kind. */
struct uw_file *uw_files_vdso(struct uw_files *f);
void uw_files_unref(struct uw_files *f, struct uw_file *file); /* NULL is legal */
