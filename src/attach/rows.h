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
/* The raw elements of a hash: keys and values side by side. */
struct elements {
	uint8_t *key, *value;
	size_t n, room, key_size, value_size; /* value_size: of a whole look-up, all CPUs */
};
/* Room for the first of them, its pages touched, so that elements_take() is quick. */
void elements_prepare(struct session *s, const struct map *m, struct elements *ret);
/* All elements, removed from the map: what is counted meanwhile is either among them or stays.  ret: as prepared, or zeroes. */
struct err *elements_take(struct session *s, const struct map *m, struct elements *ret);
void elements_free(struct elements *e);

/* Rows of a keyed variable that has these elements. */
void events_rows_of(struct session *s, const struct var *v, const struct elements *e, struct map_rows *ret);
/* Snapshot of a variable, unsorted.  Scalars give one row; a variable that no handler uses has none
 * or zeroes. */
struct err *events_read_var(struct session *s, const struct var *v, struct map_rows *ret);
void map_rows_free(struct map_rows *r);
struct err *events_clear_var(struct session *s, const struct var *v);
struct err *events_zero_var(struct session *s, const struct var *v);

/* Adds one CPU's part of a value to `dst` (both type_mem_size(t) bytes); dst starts as zeroes. */
void rows_merge(const struct type *t, uint8_t *dst, const uint8_t *part);
