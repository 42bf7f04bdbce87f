/* rows_merge.c - parts of an aggregation, one a CPU, added up. */
#include "attach/rows.h"

static void add_words(uint8_t *dst, const uint8_t *part, size_t bytes)
{
	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		uint64_t a, b;

		memcpy(&a, dst + i, 8);
		memcpy(&b, part + i, 8);
		a += b;
		memcpy(dst + i, &a, 8);
	}
}

static void merge_minmax(const struct type *t, uint8_t *dst, const uint8_t *part)
{
	struct minmax_wire d, p;
	bool less;

	memcpy(&d, dst, sizeof(d));
	memcpy(&p, part, sizeof(p));
	if (!p.is_set)
		return;
	less = t->is_signed ? (int64_t)p.value < (int64_t)d.value : p.value < d.value;
	if (!d.is_set || (t->kind == TYPE_MIN ? less : !less))
		memcpy(dst, part, sizeof(p));
}

/* The variance is the interpreter's business (rt_stat_merge()): rows show no mean and no m2. */
static void merge_stat(uint8_t *dst, const uint8_t *part)
{
	struct stat_wire d, p;

	memcpy(&d, dst, sizeof(d));
	memcpy(&p, part, sizeof(p));
	if (p.count <= 0)
		return;
	d.min = d.count > 0 ? MIN(d.min, p.min) : p.min;
	d.max = d.count > 0 ? MAX(d.max, p.max) : p.max;
	d.count = (int64_t)((uint64_t)d.count + (uint64_t)p.count);
	d.sum = (int64_t)((uint64_t)d.sum + (uint64_t)p.sum);
	memcpy(dst, &d, sizeof(d));
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

void rows_merge(const struct type *t, uint8_t *dst, const uint8_t *part)
{
	size_t n = type_mem_size(t);

	switch (t->kind) {
	case TYPE_MIN:
	case TYPE_MAX: merge_minmax(t, dst, part); break;
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_AVG:
	case TYPE_STATS:
	case TYPE_HIST:
	case TYPE_LHIST: add_words(dst, part, n); break;
	case TYPE_STAT:
		merge_stat(dst, part);
		if (n > sizeof(struct stat_wire))
			add_words(dst + sizeof(struct stat_wire), part + sizeof(struct stat_wire),
				  n - sizeof(struct stat_wire));
		break;
	default: /* a plain value in a per-CPU map: whatever some CPU has written */
		if (!is_zero(part, n))
			memcpy(dst, part, n);
	}
}
