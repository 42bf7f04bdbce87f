/*
 * name_index.h - from a name to numbers: one hash table for BTF types, kernel symbols and ELF
 * symbols.
 *
 * Holds numbers and a few bits of hash in 32-bit slots; the names stay where they are.  A look-up
 * walks the numbers whose bits agree and lets the caller compare the name itself.  Small on
 * purpose: touching a fresh page costs more than the look-ups that a script makes.
 */
#pragma once

#include "base/base.h"

enum names_memory { NAMES_HEAP, NAMES_MAPPED, NAMES_BORROWED };
struct name_index {
	uint32_t *slot; /* value | tag << value_bits; 0: empty */
	uint32_t mask;  /* 0: not built */
	uint32_t value_bits;
	enum names_memory memory; /* of the slots */
};

/* Not for adversaries: a bad set of names makes look-ups slow, not wrong. */
uint32_t name_hash(const char *s, size_t n);
/* Room for n names, known before the first is added; values are 1..max_value. */
void name_index_init(struct name_index *ix, size_t n, uint32_t max_value);
void name_index_free(struct name_index *ix);
/* Equal hashes keep the order in which they were added. */
void name_index_add(struct name_index *ix, uint32_t hash, uint32_t value);
/* The next value that may have that hash, 0 when there is no more; *pos starts as the hash. */
uint32_t name_index_next(const struct name_index *ix, uint32_t hash, uint32_t *pos);
