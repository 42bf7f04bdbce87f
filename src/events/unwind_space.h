/*
 * unwind_space.h - room for unwind tables and lists of mappings that BPF programs read: ranges of
 * words in segments (inner maps of program->unwind.segs, mapped here).
 *
 * Programs may still read what is given back, so a range is used again only after every program
 * that ran at that time has ended.  One thread uses it.
 */
#pragma once

#include "attach/attach.h"
#include "runtime/unwind_types.h"

struct uw_range {
	uint32_t seg, at, words; /* words 0: none */
};
struct uw_segment {
	int fd; /* -1: not there */
	uint32_t *mem;
	uint32_t used; /* words */
};
struct uw_space {
	struct session *session;
	const struct map *map;
	VEC(struct uw_segment) seg;
	VEC(struct uw_range) free;    /* no two touch */
	VEC(struct uw_range) retired; /* given back, perhaps still being read */
	uint64_t retired_words, used_words;
};
void uw_space_init(struct uw_space *s, struct session *session, const struct map *map);
void uw_space_destroy(struct uw_space *s);
/* Words for a table; the range begins at a multiple of 8 words.  words 0: there is no room (or too
 * many were asked for). */
struct uw_range uw_space_alloc(struct uw_space *s, uint32_t words);
uint32_t *uw_space_words(struct uw_space *s,
			 struct uw_range r); /* to be written before programs are told of it */
void uw_space_free(struct uw_space *s, struct uw_range r);
