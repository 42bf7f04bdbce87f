/*
 * btf_internal.h - what the files of the BTF reader share.
 *
 * The format is described in Documentation/bpf/btf.rst of the kernel; the record layouts come from
 * <linux/btf.h>.  Every record's length was checked when the reader was opened (btf.c), so that a
 * pointer from btf_record() may be read with all its members; type ids and string offsets inside
 * are checked here.
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

struct btf {
	struct btf *base;     /* vmlinux, for a module */
	const uint8_t *types; /* the type section */
	const char *strings;  /* the string section: starts and ends with NUL */
	uint32_t strings_len;
	uint32_t first_string; /* offsets below this are the base's */
	uint32_t first_id;     /* ids below this are the base's */
	uint32_t count;        /* types of its own */
	uint32_t types_len;
	uint32_t *checkpoint; /* offset in `types` of every BTF_STEP-th own type */
	uint32_t
		named[BTF_INDEXES + 1]; /* how many names each index will hold; the last: in none */
	struct name_index index[BTF_INDEXES]; /* built when first asked */
	struct numtab cache;                  /* struct type by id and address space */
	struct arena *arena;
	void *copy; /* owned bytes, when the caller's were not aligned */
	void *map;  /* owned mapping */
	size_t map_len;
};

/* Length of a record; it was checked that it lies within the section. */
uint32_t btf_record_size(const struct btf_type *t);
/* NULL for void (0) and ids out of range. */
const struct btf_type *btf_record(const struct btf *b, uint32_t id);
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
