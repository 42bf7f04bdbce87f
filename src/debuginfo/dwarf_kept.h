/*
 * dwarf_kept.h - the index of a file's debug information that is kept between runs: which units answered which question.
 *
 * A question is a short text ("f3 vfs_read": functions of that name); its answer the numbers of the units that know something.
 * Finding them takes a walk over all bytes the first time; who asks again looks at those units only.  The numbers are a hint
 * about where to look, what is found there is read from the debug information itself.
 */
#pragma once

#include "base/base.h"

struct kept;
/* Of other bytes than kept_pack()'s for the same fingerprint: an empty one.  Never NULL. */
struct kept *kept_read(const void *data, size_t n, uint64_t fingerprint);
void kept_free(struct kept *k); /* NULL is legal */
/* Unit numbers, ascending; borrowed.  NULL: never asked; *n may be 0 otherwise. */
const uint32_t *kept_get(const struct kept *k, const char *question, uint32_t *n);
void kept_set(struct kept *k, const char *question, const uint32_t *unit, uint32_t n);
bool kept_is_changed(const struct kept *k);
/* At most `most` bytes: the oldest answers are left out. */
void kept_pack(const struct kept *k, size_t most, uint64_t fingerprint, struct buf *out);
