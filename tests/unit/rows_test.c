/* rows_test.c - parts of aggregations, one a CPU, make one value. */
#include "attach/rows.h"

#include "test.h"

static struct arena *arena;
static const int64_t none[3];

static struct type *agg(enum type_kind kind, bool is_signed, const int64_t arg[3])
{
	return type_agg(arena, kind, is_signed, arg ? arg : none);
}

static void test_sums(void)
{
	const struct type *t = agg(TYPE_COUNT, false, NULL);
	uint64_t parts[3] = {1, 20, 300}, sum = 0;
	struct stats_wire stats[2] =
		{
			{2, 10 },
                        {3, -40}
        },
			  all = {0};

	for (int i = 0; i < 3; i++)
		rows_merge(t, (uint8_t *)&sum, (uint8_t *)&parts[i]);
	CHECK(sum == 321);
	for (int i = 0; i < 2; i++)
		rows_merge(agg(TYPE_STATS, true, NULL), (uint8_t *)&all, (uint8_t *)&stats[i]);
	CHECK(all.count == 5 && (int64_t)all.total == -30);
}

static void test_minmax(void)
{
	struct minmax_wire part[3] =
		{
			{(uint64_t)-5, 1},
                        {0,            0},
                        {3,            1}
        },
			   min = {0}, max = {0}, umin = {0};

	for (int i = 0; i < 3; i++) {
		rows_merge(agg(TYPE_MIN, true, NULL), (uint8_t *)&min, (uint8_t *)&part[i]);
		rows_merge(agg(TYPE_MAX, true, NULL), (uint8_t *)&max, (uint8_t *)&part[i]);
		rows_merge(agg(TYPE_MIN, false, NULL), (uint8_t *)&umin, (uint8_t *)&part[i]);
	}
	/* a CPU that saw nothing does not count as 0 */
	CHECK((int64_t)min.value == -5 && min.is_set);
	CHECK((int64_t)max.value == 3 && max.is_set);
	CHECK(umin.value == 3 && umin.is_set);
}

static void test_hist(void)
{
	const struct type *t = agg(TYPE_LHIST, false, (const int64_t[]){0, 10, 5});
	uint64_t a[4] = {1, 2, 0, 0}, b[4] = {0, 5, 7, 1}, all[4] = {0};

	CHECK(type_mem_size(t) == sizeof(all));
	rows_merge(t, (uint8_t *)all, (uint8_t *)a);
	rows_merge(t, (uint8_t *)all, (uint8_t *)b);
	CHECK(all[0] == 1 && all[1] == 7 && all[2] == 7 && all[3] == 1);
}

/* Values 2, 4 on one CPU and 10, 12, 14 on another. */
static void test_stat(void)
{
	const struct type *t = agg(TYPE_STAT, true, (const int64_t[]){0, 0, -1});
	struct stat_wire a = {2, 6, 2, 4, 3, 2}, b = {3, 36, 10, 14, 12, 8};
	uint8_t empty[2048] = {0}, part[2048] = {0}, all[2048] = {0};
	struct stat_wire got;

	CHECK(type_mem_size(t) <= sizeof(all));
	rows_merge(t, all, empty);
	memcpy(part, &a, sizeof(a));
	rows_merge(t, all, part);
	memcpy(part, &b, sizeof(b));
	rows_merge(t, all, part);
	rows_merge(t, all, empty);
	memcpy(&got, all, sizeof(got));
	CHECK(got.count == 5 && got.sum == 42 && got.min == 2 && got.max == 14);
}

int main(void)
{
	arena = arena_create();
	test_sums();
	test_minmax();
	test_hist();
	test_stat();
	arena_destroy(arena);
	return test_end();
}
