/* stp_out_test.c - SystemTap's output: histograms, unread globals, messages. */
#include "output_fixture.h"

static struct value none;

static struct value stat(const int64_t arg[3], unsigned n, const uint64_t (*at)[2], unsigned nat)
{
	uint32_t size = (uint32_t)sizeof(struct stat_wire) + 8 * n;
	uint8_t *p = arena_alloc(arena, size);
	for (unsigned i = 0; i < nat; i++)
		memcpy(p + sizeof(struct stat_wire) + 8 * at[i][0], &at[i][1], 8);
	struct type *t = type_agg(arena, TYPE_STAT, true, arg);
	return (struct value){t, p, size};
}
#define STAT(a, b, c, n, ...)                                              \
	stat((int64_t[3]){a, b, c}, n, (const uint64_t[][2]){__VA_ARGS__}, \
	     sizeof((const uint64_t[][2]){__VA_ARGS__}) / 16)

#define HEADER "value |-------------------------------------------------- count\n"

static void histograms(void)
{
	prog->opt.hist_elision = 2; /* as the language sets it */
	/* @hist_log: -1 and 1 */
	SEND(ACT_STP_HIST, NULL, STAT(0, 0, 0, 128, {63, 1}, {65, 1}));
	CHECK_STR(written(),
		  HEADER "   -4 |                                                   0\n"
			 "   -2 |                                                   0\n"
			 "   -1 |@                                                  1\n"
			 "    0 |                                                   0\n"
			 "    1 |@                                                  1\n"
			 "    2 |                                                   0\n"
			 "    4 |                                                   0\n\n");
	/* not below zero without negatives */
	SEND(ACT_STP_HIST, NULL, STAT(0, 0, 0, 128, {65, 2}));
	CHECK_STR(written(),
		  HEADER "    0 |                                                   0\n"
			 "    1 |@@                                                 2\n"
			 "    2 |                                                   0\n"
			 "    4 |                                                   0\n\n");
	/* @hist_linear(250, 2000, 50): two values with a gap that is left out */
	SEND(ACT_STP_HIST, NULL, STAT(250, 2000, 50, 38, {4, 1}, {15, 1}));
	CHECK_STR(written(),
		  HEADER "  300 |                                                   0\n"
			 "  350 |                                                   0\n"
			 "  400 |@                                                  1\n"
			 "  450 |                                                   0\n"
			 "  500 |                                                   0\n"
			 "      ~\n"
			 "  850 |                                                   0\n"
			 "  900 |                                                   0\n"
			 "  950 |@                                                  1\n"
			 " 1000 |                                                   0\n"
			 " 1050 |                                                   0\n\n");
	/* underflow, overflow, scale 14 */
	SEND(ACT_STP_HIST, NULL,
	     STAT(250, 350, 50, 5, {0, 680}, {1, 94}, {2, 79}, {3, 23}, {4, 102}));
	CHECK_STR(written(),
		  HEADER " <250 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@   680\n"
			 "  250 |@@@@@@                                              94\n"
			 "  300 |@@@@@                                               79\n"
			 "  350 |@                                                   23\n"
			 " >350 |@@@@@@@                                            102\n\n");
	SEND(ACT_STP_HIST, NULL, STAT(0, 0, 0, 128, {64, 0}));
	CHECK_STR(written(), "");
}

static struct value stat_of(int64_t n, int64_t min, int64_t max, int64_t sum)
{
	struct stat_wire w = {n, sum, min, max, 0, 0};
	return bytes(type_agg(arena, TYPE_STAT, true, (int64_t[3]){0}), &w, sizeof(w));
}

static void globals(void)
{
	VAR("a", {none, i64(5)});
	VAR("s", {none, str(16, "txt")});
	VAR("arr", {TUPLE(str(8, "k"), i64(1)), i64(5)}, {TUPLE(str(8, "l"), i64(16)), i64(7)});
	VAR("x", {none, stat_of(4, 1, 4, 10)});
	VAR("e", {none, stat_of(0, 0, 0, 0)});
	VAR("y", {str(8, "k"), stat_of(1, 2, 2, 2)}, {str(8, "m"), stat_of(2, 2, 3, 5)});
	CHECK_STR(written(), "a=5\ns=\"txt\"\n"
			     "arr[\"l\",16]=7\narr[\"k\",1]=5\n"
			     "x @count=4 @min=1 @max=4 @sum=10 @avg=2\n"
			     "e @count=0x0\n"
			     "y[\"m\"] @count=2 @min=2 @max=3 @sum=5 @avg=2\n"
			     "y[\"k\"] @count=1 @min=2 @max=2 @sum=2 @avg=2\n");
}

static void messages(void)
{
	SEND(ACT_STP_PRINT, "%s %d\n", str(8, "n"), i64(3));
	SEND(ACT_STP_LOG, "%s", str(8, "logged"));
	SEND(ACT_STP_WARN, "%s", str(16, "careful"));
	struct action *a = program_action(prog, ACT_STP_ERROR, (struct loc){0});
	a->fmt = "division by 0 near operator '/'";
	x->ops->event(x, a, NULL, 0, NULL, 0);
	CHECK_STR(written(), "n 3\nlogged\n");
	CHECK_STR(err_text, "WARNING: careful\nERROR: division by 0 near operator '/'\n");
	x->ops->end(x);
	written();
	CHECK_STR(err_text, "WARNING: Number of errors: 1, skipped probes: 0\n");
}

static struct value text(const char *s)
{
	size_t n = ALIGN_UP(strlen(s) + 1, 8u);
	char *p = arena_alloc(arena, n);
	memcpy(p, s, strlen(s));
	return (struct value){type_str(arena, (uint32_t)n), (uint8_t *)p, (uint32_t)n};
}

/* Strings come from traced programs: what looks like a note and is none stays as it is, or says nothing. */
static void notes(void)
{
	SEND(ACT_STP_PRINT, "%s.", text("plain"));
	CHECK_STR(written(), "plain.");
	SEND(ACT_STP_PRINT, "<%s>", text("a\001n000000000000123400000001\002b"));
	CHECK_STR(written(), "<a0x1234b>");
	/* 0x3123 is in a file that is mapped there, and has no name; 0x2010 is main's */
	SEND(ACT_STP_PRINT, "%s|%s|%s|%s", text("\001d000000000000312300000001\002"), text("\001d000000000000201000000001\002"),
	     text("\001l000000000000201000000001\002"), text("\001L000000000000312300000001\002"));
	CHECK_STR(written(), "0x3123 [/bin/victim+0x123/0x1000]|main+0x10/0x40 [/bin/victim]|/src/a.c:7|0x3123");
	SEND(ACT_STP_PRINT, "<%s>", text("a\001n0000"));
	CHECK_STR(written(), "<a\001n0000>");
	SEND(ACT_STP_PRINT, "<%s>", text("a\001\002b\001n12\002c\001K\002d\001Uzz\002\002"));
	CHECK_STR(written(), "<abcd\002>");
	SEND(ACT_STP_PRINT, "<%s>", text("\001K0000000000000000000000000000\002"));
	CHECK_STR(written(), "<>");
}

int main(void)
{
	fixture_open(&output_stp_text, "stap");
	histograms();
	globals();
	messages();
	notes();
	fixture_close();
	return test_end();
}
