/* record.h - a record's bytes, taken apart by the schema of its action. */
#pragma once

#include "attach/rows.h"
#include "base/base.h"
#include "ir/program.h"

struct record {
	const struct action *action;
	VEC(struct value) args; /* reused from record to record */
};
/*
 * false: the bytes do not fit the schema (too short, an offset outside, an unknown action).  The
 * values point into `bytes`.
 */
bool record_decode(const struct program *p, const void *bytes, size_t n, struct record *ret);
void record_free(struct record *r);

/* Where the process ids of user stacks and symbols are in the records of an action. */
struct pid_offsets {
	VEC(uint32_t) offset; /* from the start of the record */
};
void record_pids(const struct action *act, struct pid_offsets *ret);
