/*
 * btf_internal.h - what the files of the BTF reader share.
 *
 * The format is described in Documentation/bpf/btf.rst of the kernel; the record layouts come from
 * <linux/btf.h>.  A pointer from btf_record() or a cursor may be read with all its members; type ids
 * and string offsets inside are checked here.
 */
#pragma once

#include "debuginfo/name_index.h"
#include "debuginfo/world.h"

/* The kernel's struct btf_param (name offset and type) must not meet world.h's. */
#define btf_param btf_param_record
#include <linux/btf.h>
#undef btf_param

/* Longest chain of modifiers, pointers and arrays that is followed: real kernels stay below ten. */
enum {
	BTF_MAX_DEPTH = 32
};

/* Where each type starts is noted for one in so many; the others are found by walking from there.
 */
enum {
	BTF_STEP = 32
};

enum btf_index {
	BTF_INDEX_TYPES,
	BTF_INDEX_FUNCS,
	BTF_INDEX_ENUMERATORS,
	BTF_INDEXES
};

/* --- btf_bytes.c ---------------------------------------------------------------------------------------------------------- */

struct btf_bytes {
	uint8_t *data;
	size_t len;
	uint8_t *have; /* for each page: was it read from `fd`?  NULL: all is there */
	int fd;        /* -1: none */
	bool is_mapped, is_owned;
};
/* Maps the file, or has it read as it is touched. */
struct err *btf_bytes_open(const char *path, struct btf_bytes *ret);
/* The caller's bytes, which must stay; copied when they are not aligned. */
void btf_bytes_borrow(const void *data, size_t n, struct btf_bytes *ret);
void btf_bytes_close(struct btf_bytes *m);
/* Makes [at, at + n), which lies within the bytes, readable; false when the file cannot be read. */
bool btf_bytes_touch(const struct btf_bytes *m, const void *at, size_t n);
/* Makes all of a string readable: `at`, or "". */
const char *btf_bytes_string(const struct btf_bytes *m, const char *at);

/* --- the reader ----------------------------------------------------------------------------------------------------------- */

struct btf {
	struct btf *base; /* vmlinux, for a module */
	struct btf_bytes bytes;
	const uint8_t *types; /* the type section */
	const char *strings;  /* the string section: starts and ends with NUL */
	uint32_t strings_len;
	uint32_t first_string;		      /* offsets below this are the base's */
	uint32_t first_id;		      /* ids below this are the base's */
	uint32_t count;			      /* types of its own */
	uint32_t types_len;
	uint32_t *checkpoint;		      /* offset in `types` of every BTF_STEP-th own type */
	uint32_t named[BTF_INDEXES + 1];      /* how many names each index will hold; the last: in none */
	struct name_index index[BTF_INDEXES]; /* built when first asked: btf_names() */
	uint8_t *kept[BTF_INDEXES];	      /* owned; what another run has kept of an index */
	char *kept_name;		      /* owned; first part of the names of such files, NULL: nothing is kept */
	struct numtab cache;		      /* struct type by id and address space */
	struct arena *arena;
};

/* --- btf_scan.c: the walk over all records -------------------------------------------------------------------------------- */

/*
 * Checks that each record lies within the section, notes where some of them start and how many names there are, and builds the index of
 * types on the way.
 */
struct err *btf_scan(struct btf *b);
/* Walks a reader's own types: `for (struct btf_cursor c = btf_first(b); c.t; btf_next(b, &c))`. */
struct btf_cursor {
	const struct btf_type *t;
	uint32_t id;
};
struct btf_cursor btf_first(const struct btf *b);
void btf_next(const struct btf *b, struct btf_cursor *c);
/* An index, built or read when it is first asked for.  Enumerators lead to their enum. */
const struct name_index *btf_names(struct btf *b, enum btf_index which);

/* --- btf_kept.c: indexes in ~/.cache/spile -------------------------------------------------------------------------------- */

/* By what kernel this is; heap, NULL: it is not known, or another file was asked for, and nothing is kept. */
char *btf_kept_name(const struct world *w);
/* True: the index, and with that of types what a scan finds out, is there from another run.  Save does nothing for what came from there. */
bool btf_kept_load(struct btf *b, enum btf_index which);
void btf_kept_save(const struct btf *b, enum btf_index which);
/* The same with bytes; data: from malloc, taken. */
bool btf_kept_read(struct btf *b, enum btf_index which, uint8_t *data, size_t n);
void btf_kept_pack(const struct btf *b, enum btf_index which, struct buf *out);

/* --- records: btf.c ------------------------------------------------------------------------------------------------------- */

/* Length of a record whose first words are readable. */
uint32_t btf_record_size(const struct btf_type *t);
/* NULL for void (0) and ids out of range. */
const struct btf_type *btf_record(const struct btf *b, uint32_t id);
bool btf_is_enum(const struct btf_type *t);
/* "" for offsets out of range. */
const char *btf_string(const struct btf *b, uint32_t offset);
static inline uint32_t btf_kind(const struct btf_type *t)
{
	return BTF_INFO_KIND(t->info);
}
static inline uint32_t btf_vlen(const struct btf_type *t)
{
	return BTF_INFO_VLEN(t->info);
}
static inline bool btf_kflag(const struct btf_type *t)
{
	return BTF_INFO_KFLAG(t->info);
}
/* Name and value of an enumerator of an ENUM or ENUM64, i below vlen. */
const char *btf_enumerator_name(const struct btf *b, const struct btf_type *t, uint32_t i);
int64_t btf_enumerator_value(const struct btf_type *t, uint32_t i);
/* Where a member of a STRUCT or UNION lies: bits from the start, and its width when it is a
 * bit-field. */
struct btf_place {
	uint32_t bit, width;
};
struct btf_place btf_member_place(const struct btf *b, const struct btf_type *t, uint32_t i);
/* Bytes of a value of that type, 0 when unknown or broken. */
uint32_t btf_size(const struct btf *b, uint32_t id);
/* const, volatile, restrict, typedef, type tag: what stands between a name and its type. */
bool btf_is_modifier(uint32_t kind);
