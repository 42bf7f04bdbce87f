/* record_test.c - records by hand, whole and broken, and what becomes of them. */
#include "events/record.h"

#include <stdlib.h>

#include "events/queue.h"
#include "output/output.h"
#include "test.h"

static struct program *prog;
static struct arena *arena;
static struct action *number_and_text, *nothing, *with_buf, *with_stack;

static struct type *tuple(struct type *const *elem, const uint32_t *offset, uint32_t n)
{
	struct type *t = arena_new(arena, struct type);

	t->kind = TYPE_TUPLE;
	t->nfield = n;
	t->field = arena_array(arena, struct field, n);
	for (uint32_t i = 0; i < n; i++)
		t->field[i] = (struct field){.type = elem[i], .offset = offset[i]};
	return t;
}

static void make_program(void)
{
	struct loc nowhere = {0};
	struct type *stack = type_stack(arena, true, STACK_BPFTRACE, 127);
	struct type *inner = tuple((struct type *[]){&type_int64, stack}, (uint32_t[]){0, 8}, 2);

	prog = program_new(arena, "bpftrace");
	number_and_text = program_action(prog, ACT_PRINTF, nowhere);
	number_and_text->fmt = "%d %s\n";
	/* a long string is packed: offset and length */
	number_and_text->args =
		tuple((struct type *[]){&type_int32, type_str(arena, 256)}, (uint32_t[]){0, 8}, 2);
	nothing = program_action(prog, ACT_PRINTF, nowhere);
	nothing->fmt = "hello\n";
	with_buf = program_action(prog, ACT_PRINT, nowhere);
	with_buf->args = tuple((struct type *[]){type_buf(arena, 12)}, (uint32_t[]){0}, 1);
	with_stack = program_action(prog, ACT_PRINT, nowhere);
	with_stack->args = tuple((struct type *[]){inner, stack}, (uint32_t[]){0, 24}, 2);
}

/* header, s32 at 8, {offset, length} at 16, text at 24 */
static size_t make_record(uint8_t *rec, const char *text)
{
	uint32_t len = (uint32_t)strlen(text) + 1;
	struct record_wire head = {number_and_text->id, 24 + len};
	int32_t number = -7;
	uint32_t where[2] = {24, len};

	memset(rec, 0, 24);
	memcpy(rec, &head, sizeof(head));
	memcpy(rec + 8, &number, sizeof(number));
	memcpy(rec + 16, where, sizeof(where));
	memcpy(rec + 24, text, len);
	return head.size;
}

static void test_whole(void)
{
	struct record r = {0};
	uint8_t rec[64];
	size_t n = make_record(rec, "spile");
	int32_t number = 0;

	CHECK(record_decode(prog, rec, n, &r));
	CHECK(r.action == number_and_text && r.args.len == 2);
	memcpy(&number, r.args.at[0].data, 4);
	CHECK(number == -7 && r.args.at[0].size == 4);
	CHECK(r.args.at[1].size == 6);
	CHECK_STR((const char *)r.args.at[1].data, "spile");
	/* the ring hands out records rounded up: more bytes than the record has are no fault */
	CHECK(record_decode(prog, rec, n + 4, &r));
	record_free(&r);
}

static void put32(uint8_t *rec, size_t at, uint32_t v)
{
	memcpy(rec + at, &v, 4);
}

static void test_broken(void)
{
	struct record r = {0};
	uint8_t rec[64];
	size_t n = make_record(rec, "spile");

	for (size_t cut = 0; cut < n; cut++)
		CHECK(!record_decode(prog, rec, cut, &r));
	put32(rec, 0, 99); /* no such action */
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 4, 1 << 30); /* longer than what came */
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 4, 7); /* shorter than its header */
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 4, 20); /* ends within the fixed part */
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 16, (uint32_t)n); /* the text begins at the end */
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 16, UINT32_MAX); /* offset + length would wrap */
	put32(rec, 20, 2);
	CHECK(!record_decode(prog, rec, n, &r));
	n = make_record(rec, "spile");
	put32(rec, 20, 0); /* an empty text is fine */
	CHECK(record_decode(prog, rec, n, &r) && r.args.at[1].size == 0);
	record_free(&r);
}

static void test_buf(void)
{
	struct record_wire head = {with_buf->id, 24};
	struct record r = {0};
	uint8_t rec[24] = {0};

	memcpy(rec, &head, sizeof(head));
	put32(rec, 8, 12);
	CHECK(record_decode(prog, rec, sizeof(rec), &r) && r.args.len == 1);
	put32(rec, 8, 13); /* says it holds more than it can */
	CHECK(!record_decode(prog, rec, sizeof(rec), &r));
	record_free(&r);
}

static void test_pids(void)
{
	struct pid_offsets pids;

	record_pids(number_and_text, &pids);
	CHECK(pids.offset.len == 0);
	record_pids(with_stack, &pids);
	/* header 8; {s64, stack} and a stack: pid is 8 bytes into a stack */
	CHECK(pids.offset.len == 2 && pids.offset.at[0] == 24 && pids.offset.at[1] == 40);
	vec_free(&pids.offset);
}

/* --- an exporter that remembers
 * ------------------------------------------------------------------------- */

static struct buf seen;

static void remember(struct exporter *x, const struct action *act, const struct value *args,
		     unsigned n, const char *text, size_t len)
{
	buf_printf(&seen, "%u/%u;", act->id, n);
}

static const struct exporter_ops memory = {.name = "memory", .event = remember};

static void test_events_decode(void)
{
	struct exporter *x = exporter_create(&memory, -1, NULL);
	struct record_wire head = {nothing->id, sizeof(head)};
	uint8_t rec[64];
	size_t n = make_record(rec, "a");
	struct err *e = events_decode(prog, rec, n, x);

	CHECK(!e);
	e = events_decode(prog, &head, sizeof(head), x);
	CHECK(!e);
	CHECK_STR(buf_str(&seen), "0/2;1/0;");
	e = events_decode(prog, rec, 5, x);
	CHECK(e != NULL);
	err_free(e);
	exporter_destroy(x);
	buf_free(&seen);
}

/* --- the queue
 * ------------------------------------------------------------------------------------------- */

static void test_queue(void)
{
	enum {
		N = 50000
	};
	struct queue q;
	struct err *e = queue_init(&q, 1 << 20);
	struct chunk *c;
	uint32_t next = 0;

	CHECK(!e);
	CHECK(!queue_take(&q));
	for (uint32_t i = 0; i < N; i++) {
		uint8_t tail[64] = {0};

		queue_begin(&q);
		queue_put(&q, ENTRY_RECORD, &i, sizeof(i), tail, i % 61);
		queue_end(&q);
	}
	CHECK(!queue_has_room(&q)); /* above its limit, but nothing was thrown away */
	for (c = queue_take(&q); c;) {
		struct chunk *rest = c->next;

		for (const struct entry *en = chunk_next(c, NULL); en; en = chunk_next(c, en)) {
			uint32_t i;

			memcpy(&i, en->data, 4);
			if (i == next && en->size == 4 + i % 61)
				next++;
		}
		queue_give_back(&q, c);
		c = rest;
	}
	CHECK(next == N);
	CHECK(queue_has_room(&q));
	queue_destroy(&q);
}

int main(void)
{
	arena = arena_create();
	make_program();
	test_whole();
	test_broken();
	test_buf();
	test_pids();
	test_events_decode();
	test_queue();
	program_free(prog);
	arena_destroy(arena);
	return test_end();
}
