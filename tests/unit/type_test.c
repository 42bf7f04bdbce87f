/* type_test.c - layout, spelling, comparison and fields of types. */
#include "test.h"
#include "types/type.h"

static struct arena *arena;

static const char *spelled(const struct type *t)
{
	struct buf out = {0};
	type_spell(t, &out);
	char *text = arena_strdup(arena, buf_str(&out));
	buf_free(&out);
	return text;
}

static struct type *tuple(struct type *a, struct type *b, struct type *c)
{
	return type_tuple(arena, (struct type *[]){a, b, c}, NULL, 3);
}

static void test_layout(void)
{
	struct type *t = tuple(&type_int8, &type_int64, type_str(arena, 3));
	CHECK(t->field[0].offset == 0 && t->field[1].offset == 8 && t->field[2].offset == 16);
	CHECK(t->size == 24 && type_align(t) == 8);
	t = tuple(type_str(arena, 5), type_buf(arena, 6), &type_mac);
	CHECK(t->field[1].offset == 8 && t->field[2].offset == 18 && t->size == 24);
	CHECK(type_align(t) == 4);
	t = tuple(&type_int16, &type_int16, &type_int16);
	CHECK(t->size == 6 && type_align(t) == 2);
	CHECK(type_mem_size(type_buf(arena, 64)) == 68);
	struct type *a = type_array(arena, &type_uint32, 5);
	CHECK(a->size == 20 && type_align(a) == 4);
	CHECK(type_tuple(arena, NULL, NULL, 0)->size == 0);
}

static void test_aggregations(void)
{
	CHECK(hist_buckets(0) == 65);
	CHECK(hist_buckets(5) == 32 * 59 + 1);
	CHECK(lhist_buckets(0, 100, 10) == 12);
	CHECK(lhist_buckets(0, 100, 0) == 2);
	CHECK(lhist_buckets(INT64_MIN, INT64_MAX, 1) == UINT32_MAX);
	CHECK(type_agg(arena, TYPE_HIST, false, NULL)->size == 65 * 8);
	CHECK(type_agg(arena, TYPE_STATS, true, NULL)->size == 16);
	CHECK(type_agg(arena, TYPE_STAT, true, NULL)->size == 48);
	CHECK(type_agg(arena, TYPE_STAT, true, (int64_t[]){0, 0, 0})->size == 48 + 128 * 8);
	CHECK(type_agg(arena, TYPE_STAT, true, (int64_t[]){0, 100, 10})->size == 48 + 13 * 8);
	CHECK(type_is_agg(type_agg(arena, TYPE_COUNT, false, NULL)) && !type_is_agg(&type_int8));
	CHECK(type_is_integral(&type_bool) && !type_is_integral(&type_ksym));
	CHECK(type_is_scalar(&type_ksym) && !type_is_scalar(&type_usym));
}

static void test_spelling(void)
{
	struct type task = {.kind = TYPE_STRUCT, .name = "task_struct"};
	struct type anonymous = {.kind = TYPE_UNION, .nfield = 2,
				 .field = (struct field[]){{"a", &type_int8}, {"b", &type_uint64}}};
	CHECK_STR(spelled(&type_int64), "int64");
	CHECK_STR(spelled(&type_char), "int8");
	CHECK_STR(spelled(type_int(2, false)), "uint16");
	CHECK_STR(spelled(type_str(arena, 16)), "string[16]");
	CHECK_STR(spelled(type_str(arena, 0)), "string");
	CHECK_STR(spelled(type_ptr(arena, &task, AS_KERNEL)), "struct task_struct *");
	CHECK_STR(spelled(type_ptr(arena, type_ptr(arena, &type_none, AS_NONE), AS_NONE)), "void * *");
	CHECK_STR(spelled(&anonymous), "union {int8,uint64}");
	CHECK_STR(spelled(type_array(arena, &type_int32, 4)), "int32[4]");
	CHECK_STR(spelled(tuple(&type_int64, type_str(arena, 3), &type_bool)), "(int64,string[3],bool)");
	CHECK_STR(spelled(type_tuple(arena, (struct type *[]){&type_int8, &type_usym},
				     (const char *[]){"x", "y"}, 2)),
		  "record { .x = int8, .y = usym_t }");
	CHECK_STR(spelled(type_stack(arena, true, STACK_PERF, 3)), "ustack_perf_3");
	CHECK_STR(spelled(type_agg(arena, TYPE_SUM, false, NULL)), "usum_t");
	CHECK_STR(spelled(type_agg(arena, TYPE_AVG, true, NULL)), "avg_t");
	CHECK_STR(spelled(type_agg(arena, TYPE_COUNT, false, NULL)), "count_t");
}

static void test_equality(void)
{
	struct type s1 = {.kind = TYPE_STRUCT, .name = "s"}, s2 = s1, other = s1;
	other.name = "t";
	CHECK(type_equal(&s1, &s2) && !type_equal(&s1, &other));
	CHECK(type_equal(type_ptr(arena, &s1, AS_USER), type_ptr(arena, &s2, AS_KERNEL)));
	CHECK(!type_equal(&type_int8, &type_uint8));
	CHECK(type_equal(&type_int8, &type_char));
	CHECK(!type_equal(type_str(arena, 3), type_str(arena, 4)));
	struct type *a = tuple(&type_int8, &type_int8, &s1), *b = tuple(&type_int8, &type_int8, &s2);
	CHECK(type_equal(a, b) && !type_equal(a, tuple(&type_int8, &type_bool, &s2)));
	CHECK(!type_equal(type_stack(arena, true, STACK_RAW, 3), type_stack(arena, true, STACK_RAW, 4)));
	CHECK(!type_equal(type_agg(arena, TYPE_LHIST, false, (int64_t[]){0, 10, 1}),
			  type_agg(arena, TYPE_LHIST, false, (int64_t[]){0, 10, 2})));
	/* a pointer to itself ends */
	struct type p = {.kind = TYPE_PTR, .size = 8}, q = p;
	p.elem = &p;
	q.elem = &q;
	CHECK(!type_equal(&p, &q));
}

static void complete(struct type *t, struct arena *a)
{
	t->nfield = 1;
	t->field = arena_new(a, struct field);
	t->field[0] = (struct field){"pid", &type_int32, .offset = 12};
}

static void test_fields(void)
{
	struct type inner = {.kind = TYPE_STRUCT, .complete = complete};
	struct type outer = {.kind = TYPE_STRUCT, .name = "outer", .nfield = 2,
			     .field = (struct field[]){{"x", &type_int64, .offset = 0},
						       {NULL, &inner, .offset = 8}}};
	uint32_t offset = 0;
	const struct field *f = type_field(&outer, "pid", arena, &offset);
	CHECK(f && f->type == &type_int32 && offset == 20);
	CHECK(!inner.complete);
	CHECK(type_field(&outer, "x", arena, NULL) == &outer.field[0]);
	CHECK(!type_field(&outer, "y", arena, &offset));
	/* a struct that contains itself ends */
	struct type evil = {.kind = TYPE_STRUCT, .nfield = 1};
	evil.field = (struct field[]){{NULL, &evil}};
	CHECK(!type_field(&evil, "y", arena, &offset));
	CHECK(type_align(&evil) == 8);
}

int main(void)
{
	arena = arena_create();
	test_layout();
	test_aggregations();
	test_spelling();
	test_equality();
	test_fields();
	arena_destroy(arena);
	return test_end();
}
