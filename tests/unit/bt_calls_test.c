/* bt_calls_test.c - formats of bpftrace's printf while compiling, tables of functions, operands of USDT sites. */
#include "lang/bt/calls.h"
#include "test.h"

/* Conversions of a format's directives, space-separated. */
static const char *directives(const char *fmt)
{
	static char text[256];
	char conv[4];
	text[0] = '\0';
	for (unsigned i = 0; bt_format_directive(fmt, i, conv); i++) {
		strcat(text, *text ? " " : "");
		strcat(text, conv);
	}
	return text;
}

static void test_directives(void)
{
	CHECK_STR(directives("plain 100%"), "");
	CHECK_STR(directives("%d %s\n"), "d s");
	CHECK_STR(directives("%% %5d %-10s|%08llx"), "d s x");
	CHECK_STR(directives("%r %rx %rh %gr %g"), "r rx rh gr g");
	CHECK_STR(directives("%*d %.*s %-*.3lu"), "d s u");
	CHECK_STR(directives("%+ #0d"), "d");
	CHECK_STR(directives("%0-d %d"), "d"); /* flags in the wrong order are text */
	CHECK_STR(directives("%hhd %zu %jx"), "d u x");
	CHECK_STR(directives("%%%d%%"), "d");
	CHECK_STR(directives("%"), "");
}

static void test_constants(void)
{
	struct arena *a = arena_create();
	struct bt_expr n = {.kind = BT_INT, .num = 255, .type = &type_int16};
	struct bt_expr b = {.kind = BT_BOOL, .num = 1, .type = &type_bool};
	struct bt_expr t = {.kind = BT_STRING, .text = "abc", .len = 3};
	struct bt_expr *args[] = {&n, &t, &b, &n};
	CHECK_STR(bt_format_constants(a, "%d %s %s %x %% %", args, 4), "255 abc true ff % %");
	CHECK_STR(bt_format_constants(a, "%d%d", args, 1), "255");
	arena_destroy(a);
}

static void test_tables(void)
{
	CHECK(bt_call_find("printf") && bt_call_find("getopt") && !bt_call_find("prinf"));
	CHECK_STR(bt_call_nearest("strftim"), "strftime");
	CHECK(bt_builtin_find("comm") && bt_builtin_find("arg0") && bt_builtin_find("sarg12"));
	CHECK(!bt_builtin_find("arg") && !bt_builtin_find("arg1x") && !bt_builtin_find("argx"));
	CHECK(bt_clock_of(bt_nsecs_type(TS_SW_TAI)) == TS_SW_TAI);
	CHECK(bt_clock_of(&type_uint64) == TS_BOOT);
	CHECK(type_equal(bt_nsecs_type(TS_TAI), &type_uint64));
}

static bool usdt_prints(const char *args, unsigned i, const char *want)
{
	struct arena *a = arena_create();
	struct program *p = program_new(a, "test");
	struct world w = {.arena = a, .root = "", .ncpus = 1};
	struct kit k = {.prog = p, .world = &w};
	struct ir_fn *fn = kit_begin(&k, "usdt", PROG_KPROBE, (struct loc){0});
	ir_ref v = kit_usdt_arg(&k, args, i, (struct loc){0});
	kit_return(&k, v);
	kit_end(&k);
	program_finish(p);
	struct buf out = {0};
	ir_print(fn, &out);
	bool found = want ? v && strstr(buf_str(&out), want) : !v;
	if (!found)
		printf("%s [%u]: %s\n", args, i, buf_str(&out));
	buf_free(&out);
	program_free(p);
	arena_destroy(a);
	return found;
}

static void test_usdt(void)
{
	CHECK(kit_usdt_nargs("8@%rdi -4@-20(%rbp)  4@$7") == 3);
	CHECK(kit_usdt_nargs("") == 0 && kit_usdt_nargs(NULL) == 0);
	CHECK(usdt_prints("8@%rdi -4@-20(%rbp)", 2, NULL));
	CHECK(usdt_prints("8@%rdi", 0, "112")); /* pt_regs.di */
	CHECK(usdt_prints("-4@%eax", 0, "sext"));
	CHECK(usdt_prints("1@%dil", 0, "112"));
	CHECK(usdt_prints("4@%r8d", 0, "72"));
	CHECK(usdt_prints("2@%r10w", 0, "56"));
	CHECK(usdt_prints("1@%al", 0, "80"));
	CHECK(usdt_prints("8@$-5", 0, "-5"));
	CHECK(usdt_prints("8@16(%rsp,%rax,8)", 0, "shl"));
	CHECK(usdt_prints("4@global(%rip)", 0, NULL));
	CHECK(usdt_prints("1@%ah", 0, "lshr"));
	CHECK(usdt_prints("%rdi 8(%rax)", 0, "112"));
	CHECK(usdt_prints("8f@%xmm0", 0, NULL));
	CHECK(usdt_prints("@", 0, NULL));
	CHECK(usdt_prints("8@%xyzzyxyzzy", 0, NULL));
	CHECK(usdt_prints("8@(%rax", 0, NULL));
}

int main(void)
{
	test_directives();
	test_constants();
	test_tables();
	test_usdt();
	return test_end();
}
