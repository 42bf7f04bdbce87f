/* text_out_test.c - bpftrace's text output: events, maps, histograms, series, messages, buffering.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "output_fixture.h"

static struct value none; /* key of a scalar */

static struct value count(uint64_t n)
{
	return agg(TYPE_COUNT, false, &n, 8);
}

static void events(void)
{
	SEND(ACT_PRINTF, "%s=%d\n", str(8, "a"), i64(1));
	SEND(ACT_PRINT, NULL, TUPLE(i64(1), str(4, "x")));
	SEND(ACT_PRINT_KEY, NULL, i64(1), i64(5));
	SEND(ACT_JOIN, ",", i64(2), bytes_of(6, "ls\0-l\0"));
	SEND(ACT_TIME, &"%Y\n"[2], i64(0));
	CHECK_STR(written(), "a=1\n(1, x)\n5\nls,-l\n\n");
	struct action *a = program_action(prog, ACT_SYSTEM, (struct loc){0});
	x->ops->event(x, a, NULL, 0, "no newline", 10);
	x->ops->event(x, a, NULL, 0, "one\n", 4);
	CHECK_STR(written(), "no newline\none\n");
	x->ops->attached(x, 1);
	x->ops->attached(x, 12);
	CHECK_STR(written(), "");
	CHECK_STR(err_text, "Attached 1 probe\nAttached 12 probes\n");
}

static void messages(void)
{
	struct source src = script_source("begin {\n\terrorf(\"bad %d\", 1); @[2] = 1/$x; }\n");
	struct action *a = program_action(prog, ACT_ERRORF, (struct loc){&src, 9, 28});
	struct value one = i64(1), gone = i64(0), fault = i64(-EFAULT);
	a->fmt = "bad %d\n";
	x->ops->event(x, a, &one, 1, NULL, 0);
	written();
	CHECK_STR(err_text, "stdin:2:2-21: ERROR: bad 1\n");
	a = program_action(prog, ACT_RUNTIME_ERROR, (struct loc){&src, 37, 41});
	a->number = RT_DIV_BY_ZERO;
	x->ops->event(x, a, NULL, 0, NULL, 0);
	written();
	CHECK_STR(
		err_text,
		"stdin:2:30-34: WARNING: Divide or modulo by 0 detected. This can lead to unexpected results. 1 "
		"is being used as the result.\n"
		"    errorf(\"bad %d\", 1); @[2] = 1/$x; }\n"
		"                                ~~~~\n");
	a = program_action(prog, ACT_HELPER_ERROR, (struct loc){&src, 30, 34});
	a->number = BPF_FUNC_map_lookup_elem;
	x->ops->event(x, a, &gone, 1, NULL, 0);
	written();
	CHECK_STR(err_text,
		  "stdin:2:23-27: WARNING: Can't lookup map element because it does not exist.\n"
		  "Additional Info - helper: map_lookup_elem, retcode: 0\n"
		  "    errorf(\"bad %d\", 1); @[2] = 1/$x; }\n"
		  "                         ~~~~\n");
	a->number = BPF_FUNC_probe_read_user;
	a->loc = (struct loc){0};
	x->ops->event(x, a, &fault, 1, NULL, 0);
	x->no_warnings = true;
	x->ops->event(x, a, &fault, 1, NULL, 0);
	x->no_warnings = false;
	written();
	CHECK_STR(
		err_text,
		"WARNING: Bad address\nAdditional Info - helper: probe_read_user, retcode: -14\n");
}

static void scalars(void)
{
	VAR("@x", {none, i64(5)});
	VAR("@s", {none, stats(TYPE_STATS, 3, 6)});
	VAR("@a", {none, stats(TYPE_AVG, 3, 7)});
	struct minmax_wire m = {(uint64_t)-4, 1};
	VAR("@m", {none, agg(TYPE_MIN, true, &m, sizeof(m))});
	CHECK_STR(written(),
		  "@x: 5\n@s: { .count = 3, .average = 2, .total = 6 }\n@a: 2\n@m: -4\n");
	/* print() of a scalar that was never set shows its zero; at exit nothing is shown */
	struct var v = {.name = "@z", .value = (struct type *)stats(TYPE_STATS, 0, 0).type};
	struct map_rows r = {0};
	x->ops->var(x, &v, &r, 0, 0, false);
	x->ops->var(x, &v, &r, 0, 0, true);
	CHECK_STR(written(), "@z: { .count = 0, .average = 0, .total = 0 }\n");
}

static void keyed(void)
{
	VAR("@c", {TUPLE(str(8, "b"), i64(1)), count(7)}, {TUPLE(str(8, "a"), i64(2)), count(3)},
	    {TUPLE(TUPLE(i64(1), i64(2)), i64(3)), count(9)});
	CHECK_STR(written(), "@c[a, 2]: 3\n@c[b, 1]: 7\n@c[(1, 2), 3]: 9\n");
	VAR("@s", {str(8, "bb"), str(4, "x")}, {str(8, "b"), str(4, "y")},
	    {str(8, "a"), str(4, "z")});
	CHECK_STR(written(), "@s[a]: z\n@s[b]: y\n@s[bb]: x\n");
	VAR("@t", {i64(2), stats(TYPE_STATS, 1, 9)}, {i64(1), stats(TYPE_STATS, 2, 10)});
	CHECK_STR(written(), "@t[1]: { .count = 2, .average = 5, .total = 10 }\n"
			     "@t[2]: { .count = 1, .average = 9, .total = 9 }\n");
	struct row rows[] = {{i64(1), count(40)}, {i64(2), count(20)}, {i64(3), count(60)}};
	print_var("@", rows, 3, 2, 20, false);
	CHECK_STR(written(), "@[1]: 2\n@[3]: 3\n");
	VAR("@n", {i64(5), TUPLE(i64(1), i64(1))}, {i64(-1), TUPLE(i64(2), i64(2))});
	CHECK_STR(written(), "@n[-1]: (2, 2)\n@n[5]: (1, 1)\n");
	struct stack_value_wire w = {1, 0, 2};
	struct value k = bytes(type_stack(arena, false, STACK_BPFTRACE, 127), &w, sizeof(w));
	VAR("@", {TUPLE(k, str(8, "sh")), count(1)});
	VAR("@", {k, count(3)});
	CHECK_STR(written(), "@[\n        vfs_read+1\n        0xbeef\n, sh]: 1\n"
			     "@[\n        vfs_read+1\n        0xbeef\n]: 3\n");
}

/* --- histograms ------------------------------------------------------------------- */

static struct value hist(enum type_kind kind, const int64_t arg[3], unsigned n,
			 const uint64_t (*at)[2], unsigned nat)
{
	uint64_t *b = arena_array(arena, uint64_t, n);
	for (unsigned i = 0; i < nat; i++)
		b[at[i][0]] = at[i][1];
	return bytes(type_agg(arena, kind, true, arg), b, n * 8);
}
#define HIST(kind, a, b, c, n, ...)                                              \
	hist(kind, (int64_t[3]){a, b, c}, n, (const uint64_t[][2]){__VA_ARGS__}, \
	     sizeof((const uint64_t[][2]){__VA_ARGS__}) / 16)

#define BAR52 "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
#define BAR26 "@@@@@@@@@@@@@@@@@@@@@@@@@@                          "
#define BAR0  "                                                    "

static void histograms(void)
{
	VAR("@", {none, HIST(TYPE_HIST, 0, 0, 0, 66, {0, 1}, {3, 2}, {4, 1}, {6, 1})});
	CHECK_STR(written(), "@:\n"
			     "(..., 0)               1 |" BAR26 "|\n"
			     "[0]                    0 |" BAR0 "|\n"
			     "[1]                    0 |" BAR0 "|\n"
			     "[2, 4)                 2 |" BAR52 "|\n"
			     "[4, 8)                 1 |" BAR26 "|\n"
			     "[8, 16)                0 |" BAR0 "|\n"
			     "[16, 32)               1 |" BAR26 "|\n\n");
	VAR("@h", {i64(7), HIST(TYPE_HIST, 0, 0, 0, 66, {11, 1}, {12, 2})},
	    {i64(3), HIST(TYPE_HIST, 0, 0, 0, 66, {35, 1})});
	CHECK_STR(written(), "@h[3]:\n"
			     "[8G, 16G)              1 |" BAR52 "|\n\n"
			     "@h[7]:\n"
			     "[512, 1K)              1 |" BAR26 "|\n"
			     "[1K, 2K)               2 |" BAR52 "|\n\n");
	/* two bits: 8..9 share a bucket, 7 has its own */
	VAR("@k", {none, HIST(TYPE_HIST, 2, 0, 0, 256, {8, 1}, {9, 1})});
	CHECK_STR(written(), "@k:\n"
			     "[7]                    1 |" BAR52 "|\n"
			     "[8, 10)                1 |" BAR52 "|\n\n");
	VAR("@l", {none, HIST(TYPE_LHIST, 0, 10, 2, 7, {0, 1}, {2, 2}, {6, 1})});
	CHECK_STR(written(), "@l:\n"
			     "(..., 0)               1 |" BAR26 "|\n"
			     "[0, 2)                 0 |" BAR0 "|\n"
			     "[2, 4)                 2 |" BAR52 "|\n"
			     "[4, 6)                 0 |" BAR0 "|\n"
			     "[6, 8)                 0 |" BAR0 "|\n"
			     "[8, 10)                0 |" BAR0 "|\n"
			     "[10, ...)              1 |" BAR26 "|\n\n");
	VAR("@m", {none, HIST(TYPE_LHIST, 0, 3145728, 1048576, 5, {1, 1}, {2, 1})});
	CHECK_STR(written(), "@m:\n"
			     "[0, 1M)                1 |" BAR52 "|\n"
			     "[1M, 2M)               1 |" BAR52 "|\n\n");
}

static struct value series(unsigned n, int64_t interval, const struct tseries_wire *w)
{
	const int64_t arg[3] = {interval, n, TSERIES_LAST};
	return bytes(type_agg(arena, TYPE_TSERIES, true, arg), w, n * (uint32_t)sizeof(*w));
}

static void time_series(void)
{
	struct tseries_wire zigzag[3] = {{-5, 1, 3}, {5, 1, 1}, {0, 1, 2}},
			    gap[3] = {{9, 1, 3}, {0}, {9, 1, 5}};
	VAR("@", {none, series(3, 100000000, zigzag)});
	CHECK_STR(written(),
		  "@:\n"
		  "             -5                                                  5\n"
		  "hh:mm:ss.ms  |___________________________________________________|\n"
		  "00:00:00.100 |                         .                         * 5\n"
		  "00:00:00.200 |                         *                         | 0\n"
		  "00:00:00.300 *                         .                         | -5\n"
		  "             v___________________________________________________v\n"
		  "             -5                                                  5\n\n");
	VAR("@g", {i64(1), series(3, 2000000000, gap)});
	CHECK_STR(written(), "@g[1]:\n"
			     "         8                                                  10\n"
			     "hh:mm:ss |___________________________________________________|\n"
			     "00:00:06 |                         *                         | 9\n"
			     "00:00:08 |                                                   | -\n"
			     "00:00:10 |                         *                         | 9\n"
			     "         v___________________________________________________v\n"
			     "         8                                                  10\n\n");
	struct tseries_wire empty[1] = {{0}};
	VAR("@e", {none, series(1, 1000, empty)});
	CHECK_STR(written(), "@e:\n<no data>\n");
}

static void losses_and_end(void)
{
	x->ops->lost(x, 3, NULL);
	x->ops->lost(x, 4, NULL);
	x->ops->end(x);
	CHECK_STR(written(), "\n\n");
	CHECK_STR(err_text, "Lost 3 events\nLost 4 events\nWARNING: Total lost event count: 7\n");
}

static void buffering(void)
{
	x->buffering = OUTPUT_LINE;
	SEND(ACT_PRINTF, "half", i64(0));
	read_back(x->fd, out_text);
	CHECK_STR(out_text, "");
	SEND(ACT_PRINTF, " line\n", i64(0));
	read_back(x->fd, out_text);
	CHECK_STR(out_text, "half line\n");
	x->buffering = OUTPUT_FULL;
	SEND(ACT_PRINTF, "kept\n", i64(0));
	exporter_flush(x);
	read_back(x->fd, out_text);
	CHECK_STR(out_text, "");
	x->buffering = OUTPUT_NONE;
	SEND(ACT_PRINTF, "now", i64(0));
	read_back(x->fd, out_text);
	CHECK_STR(out_text, "kept\nnow");
	x->buffering = OUTPUT_AUTO;
}

int main(void)
{
	fixture_open(&output_bt_text, "bpftrace");
	events();
	messages();
	scalars();
	keyed();
	histograms();
	time_series();
	losses_and_end();
	buffering();
	fixture_close();
	return test_end();
}
