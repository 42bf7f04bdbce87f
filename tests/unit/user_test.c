/*
 * user_test.c - handlers that run in user space on maps of the kernel: elements are written back,
 * snapshots are sorted, records arrive, per-CPU parts stay apart.  Needs the right to create maps;
 * passes without it.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/rows.h"
#include "bpf/user_helpers.h"
#include "test.h"

static struct arena *arena;
static struct world *world;
static struct program *prog;
static struct ir_builder b;

#define C(v)          ir_const(&b, (v))
#define CALL(id, ...) ir_helper(&b, (id), __VA_ARGS__)

/* A handler of a user-space begin probe; b is at its start. */
static void handler(int64_t order)
{
	struct ir_fn *fn = ir_fn_new(prog, arena_printf(arena, "begin%d", (int)order), IR_ENTRY, 1);
	struct probe *p = program_probe(prog, "begin", fn, PROG_USER);

	p->points = arena_array(arena, struct attach_point *, 1);
	p->points[0] = arena_new(arena, struct attach_point);
	p->points[0]->kind = PK_BEGIN;
	p->points[0]->order = order;
	p->npoints = 1;
	b = (struct ir_builder){.fn = fn, .block = 1};
}

static void handler_end(void)
{
	ir_ret(&b, C(0));
	ir_cfg(b.fn);
}

static struct var *keyed_var(const char *name, struct type *value, enum map_kind kind)
{
	struct var *v = program_var(prog, name);

	v->key = &type_int64;
	v->value = value;
	v->has_seq = true;
	v->value_offset = 8;
	v->max_entries = 64;
	v->map = program_map(prog, name, kind, 8, 8 + type_mem_size(value), 64);
	return v;
}

static ir_ref slot_with(int64_t value)
{
	ir_ref s = ir_slot(&b, 8);

	ir_store(&b, s, 0, 8, C(value));
	return s;
}

/* v[key] = value, with insertion number seq */
static void set(struct var *v, int64_t key, int64_t seq, int64_t value)
{
	ir_ref k = slot_with(key), whole = ir_slot(&b, 16);

	ir_store(&b, whole, 0, 8, C(seq));
	ir_store(&b, whole, 8, 8, C(value));
	CALL(BPF_FUNC_map_update_elem, ir_map(&b, v->map), k, whole, C(BPF_ANY));
}

/* *lookup(v, key) += delta, in the element's memory */
static void add(struct var *v, int64_t key, int64_t delta)
{
	ir_ref at = CALL(BPF_FUNC_map_lookup_elem, ir_map(&b, v->map), slot_with(key));
	ir_ref old = ir_load(&b, at, 8, 8, true);

	ir_store(&b, at, 8, 8, ir_bini(&b, IR_ADD, old, delta));
}

/* Sends `n` words starting at p as a record of that many bytes. */
static void send(ir_ref p, unsigned n)
{
	CALL(BPF_FUNC_ringbuf_output, ir_map(&b, prog->ring), p, C(8 * n), C(0));
}

static VEC(int64_t) sent;

static void receive(void *arg, const void *record, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		int64_t v;

		memcpy(&v, (const uint8_t *)record + i, 8);
		vec_push(&sent, v);
	}
}

/* All rows as {key, value} pairs, in a sort order. */
static void send_sorted(struct var *v, uint64_t sort, uint64_t limit, unsigned rows)
{
	ir_ref handle = CALL(UH_SNAPSHOT_OPEN, C(v->id), C((int64_t)sort), C((int64_t)limit));
	ir_ref pair = ir_slot(&b, 16);

	for (unsigned i = 0; i < rows; i++) {
		CALL(UH_SNAPSHOT_NEXT, handle, pair, C(8), ir_bini(&b, IR_ADD, pair, 8), C(8));
		send(pair, 2);
	}
	ir_ref more = slot_with(-1);

	ir_store(&b, more, 0, 8, CALL(UH_SNAPSHOT_NEXT, handle, C(0), C(0), C(0), C(0)));
	send(more, 1);
	CALL(UH_SNAPSHOT_CLOSE, handle);
}

static bool sent_is(const int64_t *want, size_t n)
{
	bool same = sent.len == n && !memcmp(sent.at, want, n * sizeof(*want));

	for (size_t i = 0; !same && i < sent.len; i++)
		printf("sent %lld\n", (long long)sent.at[i]);
	sent.len = 0;
	return same;
}

static int64_t value_in_kernel(struct session *s, const struct var *v, int64_t key)
{
	struct map_rows rows;
	struct err *e = events_read_var(s, v, &rows);
	int64_t ret = INT64_MIN;

	for (size_t i = 0; !e && i < rows.row.len; i++)
		if (!memcmp(rows.row.at[i].key.data, &key, 8))
			memcpy(&ret, rows.row.at[i].value.data, 8);
	err_free(e);
	map_rows_free(&rows);
	return ret;
}

static struct session *run(void)
{
	struct session_options o = {0};
	struct session *s = NULL;
	struct err *e;

	program_finish(prog);
	e = session_create(prog, world, &o, &s);
	if (!e) {
		session_on_record(s, receive, NULL);
		e = session_run_begin(s, NULL, NULL);
	}
	if (e)
		printf("%s\n", e->msg);
	CHECK(!e);
	err_free(e);
	return s;
}

static void new_program(void)
{
	prog = program_new(arena, "stap");
	prog->ncpus = world->ncpus;
}

static void test_elements(void)
{
	struct session *s;
	struct var *v;

	new_program();
	v = keyed_var("a", &type_int64, MAP_HASH);
	handler(2); /* runs second */
	add(v, 10, 5);
	add(v, 10, 5); /* sees the first addition */
	add(v, 30, -1);
	CALL(BPF_FUNC_map_delete_elem, ir_map(&b, v->map), slot_with(20));
	handler_end();
	handler(1);
	set(v, 10, 1, 100);
	set(v, 20, 2, 7);
	set(v, 30, 3, 50);
	handler_end();
	s = run();
	if (s) {
		CHECK(value_in_kernel(s, v, 10) == 110);
		CHECK(value_in_kernel(s, v, 20) == INT64_MIN);
		CHECK(value_in_kernel(s, v, 30) == 49);
	}
	session_destroy(s);
	program_free(prog);
}

static void test_snapshots(void)
{
	struct session *s;
	struct var *v;

	new_program();
	v = keyed_var("a", &type_int64, MAP_HASH);
	handler(0);
	set(v, 5, 1, -3);
	set(v, 1, 2, 40);
	set(v, 9, 3, 40);
	set(v, 2, 4, 8);
	add(v, 2, 1); /* what is written but not yet back must be seen */
	send_sorted(v, 0, 0, 4);
	send_sorted(v, UH_SORT(UH_BY_VALUE, 0, 1), 3, 3);
	send_sorted(v, UH_SORT(UH_BY_KEY, 0, 0), 0, 4);
	CALL(UH_VAR_CLEAR, C(v->id));
	send_sorted(v, 0, 0, 0);
	handler_end();
	s = run();
	CHECK(sent_is((int64_t[]){5, -3, 1, 40, 9, 40, 2, 9,  0, /* insertion order */
				  1, 40, 9, 40, 2, 9,  0, /* equal values stay in insertion order */
				  1, 40, 2, 9,  5, -3, 9, 40, 0, /* by key */
				  0},
		      26));
	if (s)
		CHECK(value_in_kernel(s, v, 5) == INT64_MIN);
	session_destroy(s);
	program_free(prog);
}

/* Parts of two CPUs make one value; the handler changes one part only. */
static void test_percpu(void)
{
	struct session *s;
	struct var *v;
	ir_ref at;

	new_program();
	v = keyed_var("s", type_agg(arena, TYPE_COUNT, false, (int64_t[3]){0}), MAP_PERCPU_HASH);
	handler(0);
	set(v, 1, 1, 10);
	for (unsigned cpu = 0; cpu < prog->ncpus; cpu++) {
		at = CALL(BPF_FUNC_map_lookup_percpu_elem, ir_map(&b, v->map), slot_with(1),
			  C(cpu));
		ir_store(&b, at, 8, 8, ir_bini(&b, IR_ADD, ir_load(&b, at, 8, 8, false), 1));
	}
	at = CALL(BPF_FUNC_map_lookup_percpu_elem, ir_map(&b, v->map), slot_with(1), C(1 << 20));
	at = ir_bini(&b, IR_ADD, at, 0);
	ir_ref none = ir_slot(&b, 8);

	ir_store(&b, none, 0, 8, at); /* no such CPU: 0 */
	send(none, 1);
	handler_end();
	s = run();
	CHECK(sent_is((int64_t[]){0}, 1));
	if (s)
		CHECK(value_in_kernel(s, v, 1) == 10 + (int64_t)prog->ncpus);
	session_destroy(s);
	program_free(prog);
}

int main(void)
{
	arena = arena_create();
	struct err *e = world_open(arena, "", &world);

	CHECK(!e);
	if (!e && !attach_preflight(world)) {
		test_elements();
		test_snapshots();
		test_percpu();
	}
	vec_free(&sent);
	if (!e)
		world_close(world);
	arena_destroy(arena);
	return test_end();
}
