/* speculate.h - output that is kept until the script decides: SystemTap's speculate(), commit(), discard(). */
#pragma once

#include "base/base.h"

/* Zeroes are a valid, empty one. */
struct speculations {
	struct numtab by_id;		     /* of those that hold text */
	VEC(struct speculation *) in_order;  /* by their first text; also those that are done, until there are too many */
	size_t live, bytes;
	uint64_t given_up; /* texts that were dropped because too much was held */
};
/* Holds text for `id`, behind what it has.  Past 64 MiB for all, the oldest ones are dropped and counted. */
void speculate(struct speculations *s, int64_t id, const char *text, size_t len);
/* Takes out what `id` holds, to be freed by the caller; empty when it holds nothing. */
struct buf speculation_take(struct speculations *s, int64_t id);
void speculations_free(struct speculations *s);
