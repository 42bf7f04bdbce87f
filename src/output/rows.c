/* rows.c - the order in which a map is printed. */
#include <stdlib.h>

#include "output/parts.h"

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_s64(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_bytes(const struct value *a, const struct value *b)
{
	int c = memcmp(a->data ? a->data : (const void *)"", b->data ? b->data : (const void *)"",
		       MIN(a->size, b->size));
	return c ? c : compare_u64(a->size, b->size);
}

static int compare_strings(const struct value *a, const struct value *b)
{
	const char *s, *t;
	size_t n, m;
	value_string(a, &s, &n);
	value_string(b, &t, &m);
	int c = memcmp(s, t, MIN(n, m));
	return c ? c : compare_u64(n, m);
}

int key_compare(const struct value *a, const struct value *b)
{
	if (!a->type || a->type->kind != b->type->kind)
		return 0;
	switch (a->type->kind) {
	case TYPE_STR: return compare_strings(a, b);
	case TYPE_INT: {
		/* bpftrace compares every integer key as a signed number of its size */
		struct type s = *a->type;
		s.is_signed = true;
		struct value p = *a, q = *b;
		p.type = q.type = &s;
		return compare_s64(value_int(&p), value_int(&q));
	}
	case TYPE_TUPLE:
	case TYPE_RECORD:
		for (uint32_t i = 0; i < a->type->nfield; i++) {
			uint8_t r1[8], r2[8];
			struct value p = value_field(a, &a->type->field[i], r1),
				     q = value_field(b, &b->type->field[i], r2);
			int c = key_compare(&p, &q);
			if (c)
				return c;
		}
		return 0;
	default: return compare_bytes(a, b);
	}
}

static uint64_t total_count(const struct value *v)
{
	uint64_t sum = 0, n;
	for (uint32_t i = 0; i + 8 <= v->size; i += 8) {
		memcpy(&n, v->data + i, 8);
		sum += n;
	}
	return sum;
}

static int value_compare(const struct value *a, const struct value *b)
{
	switch (a->type->kind) {
	case TYPE_INT:
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG:
	case TYPE_STATS:
		return value_is_signed(a->type)
			       ? compare_s64(value_number(a), value_number(b))
			       : compare_u64((uint64_t)value_number(a), (uint64_t)value_number(b));
	case TYPE_HIST:
	case TYPE_LHIST: return compare_u64(total_count(a), total_count(b));
	default: return 0; /* by key */
	}
}

static int row_compare(const void *a, const void *b)
{
	const struct map_row *x = a, *y = b;
	int c = value_compare(&x->value, &y->value);
	c = c ? c : key_compare(&x->key, &y->key);
	c = c ? c : compare_u64(x->seq, y->seq);
	return c ? c : x->key.type ? compare_bytes(&x->key, &y->key) : 0;
}

size_t rows_sort(struct map_rows *rows, const struct var *v, uint64_t top)
{
	size_t n = rows->row.len;
	if (v->key && n > 1)
		qsort(rows->row.at, n, sizeof(rows->row.at[0]), row_compare);
	return top && n > top ? n - top : 0;
}
