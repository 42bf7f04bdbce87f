/*
 * rows.h - a script's variable as typed rows, and what can be done to it from user space.
 *
 * Aggregations are kept per CPU in the kernel; a row has them merged, in one CPU's layout.
 */
#pragma once

#include "base/base.h"
#include "ir/program.h"

struct session;

/* A value with its type: bytes as in type.h, borrowed, valid during the call. */
struct value {
	const struct type *type;
	const uint8_t *data;
	uint32_t size; /* bytes at data; for packed strings the used length */
};

/* One row of a map, aggregations merged over CPUs into one CPU's layout. */
struct map_row {
	struct value key; /* type NULL for scalars */
	struct value value;
	uint64_t seq; /* insertion number when the variable has one */
};
struct map_rows {
	struct arena *arena;
	VEC(struct map_row) row;
};
/* Snapshot of a variable, unsorted.  Scalars give one row; a variable that no handler uses has none
 * or zeroes. */
struct err *events_read_var(struct session *s, const struct var *v, struct map_rows *ret);
void map_rows_free(struct map_rows *r);
struct err *events_clear_var(struct session *s, const struct var *v);
struct err *events_zero_var(struct session *s, const struct var *v);

/* Adds one CPU's part of a value to `dst` (both type_mem_size(t) bytes); dst starts as zeroes. */
void rows_merge(const struct type *t, uint8_t *dst, const uint8_t *part);
