/* json_out_test.c - bpftrace's JSON output, line by line. */
#include <errno.h>
#include <linux/bpf.h>

#include "output_fixture.h"

static struct value none;

static void events(void)
{
	x->ops->attached(x, 1);
	SEND(ACT_PRINTF, "hi %d\n", i64(1));
	SEND(ACT_PRINTF, "\"\\\t\001\xc3\xa9\xff\xc3", i64(1));
	SEND(ACT_PRINT, NULL, TUPLE(i64(1), i64(2), str(8, "string"), TUPLE(i64(4), i64(5))));
	SEND(ACT_JOIN, " ", i64(2), bytes_of(6, "ls\0-l\0"));
	CHECK_STR(written(),
		  "{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n"
		  "{\"type\": \"printf\", \"data\": \"hi 1\\n\"}\n"
		  "{\"type\": \"printf\", \"data\": \"\\\"\\\\\\t\\u0001\xc3\xa9\\ufffd\\ufffd\"}\n"
		  "{\"type\": \"value\", \"data\": [1,2,\"string\",[4,5]]}\n"
		  "{\"type\": \"join\", \"data\": \"ls -l\"}\n");
	struct action *a = program_action(prog, ACT_CAT, (struct loc){0});
	x->ops->event(x, a, NULL, 0, "text", 4);
	a->kind = ACT_SYSTEM;
	x->ops->event(x, a, NULL, 0, "out\n", 4);
	x->ops->lost(x, 3, NULL);
	CHECK_STR(written(),
		  "{\"type\": \"cat\", \"data\": \"text\"}\n"
		  "{\"type\": \"syscall\", \"data\": \"out\\n\"}\n"
		  "{\"type\": \"lost_events\", \"count\": 3, \"data\": {\"events\": 3}}\n");
}

static void messages(void)
{
	struct source src = script_source("begin { errorf(\"bad\") }");
	struct action *a = program_action(prog, ACT_ERRORF, (struct loc){&src, 8, 21});
	struct value fault = i64(-EFAULT);
	a->fmt = "bad";
	x->ops->event(x, a, NULL, 0, NULL, 0);
	a = program_action(prog, ACT_HELPER_ERROR, (struct loc){&src, 8, 21});
	a->number = BPF_FUNC_probe_read_user;
	x->ops->event(x, a, &fault, 1, NULL, 0);
	a = program_action(prog, ACT_RUNTIME_ERROR, (struct loc){&src, 8, 21});
	a->number = RT_ARRAY_BOUNDS;
	x->ops->event(x, a, NULL, 0, NULL, 0);
	CHECK_STR(
		written(),
		"{\"type\": \"errorf\", \"msg\": \"bad\", \"filename\": \"stdin\", \"line\": 1, \"col\": 9}\n"
		"{\"type\": \"helper_error\", \"msg\": \"Bad address\", \"helper\": \"probe_read_user\", \"retcode\": -14, "
		"\"filename\": \"stdin\", \"line\": 1, \"col\": 9}\n"
		"{\"type\": \"runtime_error\", \"msg\": \"Array access out of bounds. This can lead to unexpected "
		"results.\", \"filename\": \"stdin\", \"line\": 1, \"col\": 9}\n");
}

static void values(void)
{
	const char *names[] = {"m", "n"};
	struct value fields[] = {i64(2), i64(3)};
	SEND(ACT_PRINT, NULL, tuple(2, fields, names));
	SEND(ACT_PRINT, NULL, i64(INT64_MAX));
	SEND(ACT_PRINT, NULL, i64(1ll << 60));
	SEND(ACT_PRINT, NULL, i64(INT64_MIN));
	SEND(ACT_PRINT, NULL, num(&type_bool, 1));
	SEND(ACT_PRINT, NULL, num(type_ptr(arena, &type_none, AS_USER), 31));
	SEND(ACT_PRINT, NULL, num(&type_ksym, 0x1000));
	SEND(ACT_PRINT, NULL, bytes(type_buf(arena, 8), "\2\0\0\0\x41\xff", 6));
	CHECK_STR(written(), "{\"type\": \"value\", \"data\": {\"m\": 2, \"n\": 3}}\n"
			     "{\"type\": \"value\", \"data\": \"9223372036854775807\"}\n"
			     "{\"type\": \"value\", \"data\": 1152921504606846976}\n"
			     "{\"type\": \"value\", \"data\": -9223372036854775808}\n"
			     "{\"type\": \"value\", \"data\": true}\n"
			     "{\"type\": \"value\", \"data\": 31}\n"
			     "{\"type\": \"value\", \"data\": \"vfs_read\"}\n"
			     "{\"type\": \"value\", \"data\": [65,-1]}\n");
}

static void maps(void)
{
	VAR("@x", {none, i64(5)});
	VAR("@map", {str(8, "key2"), i64(3)}, {str(8, "key1"), i64(2)});
	VAR("@complex", {TUPLE(str(16, "bpf trace"), i64(2)), i64(5)});
	VAR("@s", {none, stats(TYPE_STATS, 2, 12)});
	VAR("@a", {i64(1), stats(TYPE_AVG, 2, 12)});
	CHECK_STR(
		written(),
		"{\"type\": \"map\", \"data\": {\"@x\": 5}}\n"
		"{\"type\": \"map\", \"data\": {\"@map\": {\"key1\": 2, \"key2\": 3}}}\n"
		"{\"type\": \"map\", \"data\": {\"@complex\": {\"bpftrace,2\": 5}}}\n"
		"{\"type\": \"stats\", \"data\": {\"@s\": {\"count\": 2, \"average\": 6, \"total\": 12}}}\n"
		"{\"type\": \"stats\", \"data\": {\"@a\": {\"1\": 6}}}\n");
	struct map_rows nothing = {0};
	struct var v = {.name = "@e", .key = &type_int64, .value = &type_int64};
	x->ops->var(x, &v, &nothing, 0, 0, true);
	CHECK_STR(written(), "");
	v.key = NULL;
	x->ops->var(x, &v, &nothing, 0, 0, false);
	CHECK_STR(written(), "{\"type\": \"map\", \"data\": {\"@e\": 0}}\n");
}

static void blocks(void)
{
	uint64_t log2[66] = {[0] = 1, [1] = 0, [3] = 2}, linear[7] = {[5] = 4, [6] = 1},
		 zero[66] = {0};
	const int64_t k0[3] = {0}, ten[3] = {0, 100, 20};
	VAR("@h", {none, bytes(type_agg(arena, TYPE_HIST, true, k0), log2, sizeof(log2))});
	VAR("@l", {str(8, "curl"),
		   bytes(type_agg(arena, TYPE_LHIST, true, ten), linear, sizeof(linear))});
	VAR("@z", {none, bytes(type_agg(arena, TYPE_HIST, true, k0), zero, sizeof(zero))});
	CHECK_STR(
		written(),
		"{\"type\": \"hist\", \"data\": {\"@h\": [{\"max\": -1, \"count\": 1},{\"min\": 0, \"max\": 0, \"count\": 0},"
		"{\"min\": 1, \"max\": 1, \"count\": 0},{\"min\": 2, \"max\": 3, \"count\": 2}]}}\n"
		"{\"type\": \"hist\", \"data\": {\"@l\": {\"curl\": [{\"min\": 80, \"max\": 99, \"count\": 4},"
		"{\"min\": 100, \"count\": 1}]}}}\n"
		"{\"type\": \"hist\", \"data\": {\"@z\": []}}\n");
	const int64_t arg[3] = {100000000, 2, TSERIES_AVG};
	struct tseries_wire w[2] = {{18, 2, 5}, {0}};
	VAR("@t", {none, bytes(type_agg(arena, TYPE_TSERIES, true, arg), w, sizeof(w))});
	CHECK_STR(written(),
		  "{\"type\": \"tseries\", \"data\": {\"@t\": [{\"interval_start\":\"1970-01-01 "
		  "00:00:00.500000000\",\"value\":9}]}}\n");
}

int main(void)
{
	fixture_open(&output_bt_json, "bpftrace");
	events();
	messages();
	values();
	maps();
	blocks();
	fixture_close();
	return test_end();
}
