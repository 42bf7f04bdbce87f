/* format_test.c - both languages' printf on values made by hand. */
#include <sys/socket.h>

#include "output_fixture.h"

static char text[4096];

static const char *fmt(const char *f, unsigned n, const struct value *args)
{
	struct buf b = {0};
	format_bt(x, f, args, n, &b);
	memcpy(text, buf_str(&b), b.len + 1);
	buf_free(&b);
	return text;
}
#define FMT(f, ...)                                                          \
	fmt(f, sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), \
	    (struct value[]){__VA_ARGS__})

static const char *stp(const char *f, unsigned n, const struct value *args)
{
	struct buf b = {0};
	format_stp(x, f, args, n, &b);
	memcpy(text, buf_str(&b), b.len + 1);
	buf_free(&b);
	return text;
}
#define STP(f, ...)                                                          \
	stp(f, sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), \
	    (struct value[]){__VA_ARGS__})

static struct value buffer(const char *s, uint32_t n)
{
	struct type *t = type_buf(arena, 64);
	uint8_t *p = arena_alloc(arena, 68);
	memcpy(p, &n, 4);
	memcpy(p + 4, s, n);
	return (struct value){t, p, 4 + n};
}

static void integers(void)
{
	CHECK_STR(FMT("%d %d", i64(5), i64(-7)), "5 -7");
	CHECK_STR(FMT("%d", i64(0x100000005)), "5");
	CHECK_STR(FMT("%ld %lld", i64(0x100000005), i64(INT64_MIN)),
		  "4294967301 -9223372036854775808");
	CHECK_STR(FMT("%u %lu", i64(-1), i64(-1)), "4294967295 18446744073709551615");
	CHECK_STR(FMT("%hd %hhd %hhu", i64(65537), i64(-1), i64(511)), "1 -1 255");
	CHECK_STR(FMT("%x %X %#x %#x %o %#o", i64(255), i64(255), i64(255), i64(0), i64(8), i64(8)),
		  "ff FF 0xff 0 10 010");
	CHECK_STR(FMT("[%5d][%-5d][%05d][%+d][% d]", i64(42), i64(42), i64(-42), i64(42), i64(42)),
		  "[   42][42   ][-0042][+42][ 42]");
	CHECK_STR(FMT("[%.3d][%6.3d][%-08x]", i64(5), i64(5), i64(255)), "[005][   005][ff      ]");
	CHECK_STR(FMT("[%*d][%*d]", i64(4), i64(1), i64(-4), i64(1)), "[   1][1   ]");
	CHECK_STR(FMT("%d", num(&type_int8, 200)), "-56");
	CHECK_STR(FMT("%d", num(&type_uint8, 200)), "200");
	CHECK_STR(FMT("%d%%", i64(99)), "99%");
	CHECK_STR(FMT("%c%c", i64('o'), i64('k')), "ok");
	CHECK_STR(FMT("%p %p", i64(0xffffffff81000000), i64(0)), "0xffffffff81000000 0");
	CHECK_STR(FMT("100%"), "100%");
	CHECK_STR(FMT("%q %d", i64(1)), "%q 1");
	CHECK_STR(FMT("%d"), "");
}

static void strings(void)
{
	CHECK_STR(FMT("%s|%-6s|%6s", str(16, "abc"), str(16, "abc"), str(16, "abc")),
		  "abc|abc   |   abc");
	CHECK_STR(FMT("%.2s", str(16, "abc")), "ab");
	CHECK_STR(FMT("%s", str(4, "abcd")), "abcd..");
	CHECK_STR(FMT("%s", str(4, "abc")), "abc");
	CHECK_STR(FMT("%s", str(16, "")), "");
	/* a packed string: the bytes that are there are fewer than the type holds */
	struct value packed = {type_str(arena, 1024), (const uint8_t *)"hello", 5};
	CHECK_STR(FMT("%s", packed), "hello");
	CHECK_STR(FMT("%r %rx %rh", buffer("a\001", 2), buffer("AB", 2), buffer("AB", 2)),
		  "a\\x01 \\x41\\x42 41 42");
	CHECK_STR(FMT("%s", buffer("\xff", 1)), "\\xff");
	CHECK_STR(FMT("%s %s", num(&type_bool, 1), num(&type_bool, 0)), "true false");
	CHECK_STR(FMT("%d", num(&type_bool, 1)), "1");
	CHECK_STR(FMT("%gr", i64(0xcc0)), "GFP_KERNEL");
	CHECK_STR(FMT("%gr", i64(0)), "0");
	CHECK_STR(FMT("%gr", i64(0x100cca)), "GFP_HIGHUSER_MOVABLE");
	CHECK_STR(FMT("%gr", i64(0x2a00)), "GFP_NOWAIT|0x200");
}

static void values(void)
{
	struct type en = {.kind = TYPE_ENUM,
			  .size = 4,
			  .nenumerator = 1,
			  .enumerator = (struct enumerator[]){{"RED", 3}}};
	CHECK_STR(FMT("%s %d %s", num(&en, 3), num(&en, 3), num(&en, 4)), "RED 3 4");
	CHECK_STR(FMT("%s", num(type_ptr(arena, &type_none, AS_KERNEL), 31)), "0x1f");
	CHECK_STR(FMT("%s", TUPLE(i64(1), str(8, "ab"), TUPLE(i64(2), i64(3)))), "(1, ab, (2, 3))");
	int32_t three[3] = {1, -2, 3};
	CHECK_STR(FMT("%s", bytes(type_array(arena, &type_int32, 3), three, 12)), "[1,-2,3]");
	CHECK_STR(FMT("%s", bytes(type_array(arena, &type_char, 4), "hi\0", 4)), "hi");
	const char *names[] = {"a", "b"};
	struct value parts[] = {i64(1), bytes(type_array(arena, &type_int32, 3), three, 12)};
	CHECK_STR(FMT("%s", tuple(2, parts, names)), "{ .a = 1, .b = [1,-2,3] }");
	struct type empty = {.kind = TYPE_STRUCT};
	CHECK_STR(FMT("%s", bytes(&empty, "", 0)), "{}");
	struct inet_wire v4 = {AF_INET, {127, 0, 0, 1}}, v6 = {AF_INET6, {[15] = 1}};
	struct type inet = {.kind = TYPE_INET, .size = 20};
	CHECK_STR(FMT("%s %s", bytes(&inet, &v4, 20), bytes(&inet, &v6, 20)), "127.0.0.1 ::1");
	CHECK_STR(FMT("%s", bytes(&type_mac, "\x01\x8a\xff\0\x10\x20", 6)), "01:8A:FF:00:10:20");
	CHECK_STR(FMT("%s", num(&type_username, 0)), "root");
	CHECK_STR(FMT("%s %s", num(&type_ksym, 0x1005), num(&type_ksym, 0x99)), "vfs_read 0x99");
}

static void bit_fields(void)
{
	struct field f[] = {
		{.name = "a", .type = &type_uint32, .bit_offset = 0, .bit_width = 3},
		{.name = "b", .type = &type_int32, .bit_offset = 3, .bit_width = 4},
		{.name = NULL, .type = NULL, .offset = 4},
	};
	struct field inner[] = {{.name = "c", .type = &type_uint16}};
	struct type anon = {.kind = TYPE_UNION, .size = 2, .nfield = 1, .field = inner};
	f[2].type = &anon;
	struct type t = {.kind = TYPE_STRUCT, .size = 8, .nfield = 3, .field = f};
	uint32_t word[2] = {5 | 15 << 3, 777};
	CHECK_STR(FMT("%s", bytes(&t, word, 8)), "{ .a = 5, .b = -1, .c = 777 }");
	/* the last field is past the end of what was sent */
	CHECK_STR(FMT("%s", bytes(&t, word, 4)), "{ .a = 5, .b = -1, .c = 0 }");
}

static void times(void)
{
	struct type t = {.kind = TYPE_TIMESTAMP, .size = sizeof(struct timestamp_wire)};
	uint32_t f = program_string(prog, "%H:%M:%S.%f %l %k %%f");
	struct timestamp_wire w = {3661123456789, TS_REALTIME, f}, zero = {0, TS_REALTIME, f};
	CHECK_STR(FMT("%s", bytes(&t, &w, sizeof(w))), "01:01:01.123456 123 123456789 %f");
	CHECK_STR(FMT("%s", bytes(&t, &zero, sizeof(zero))), "(?)");
}

static void stacks(void)
{
	struct stack_value_wire w = {1, 2, 2};
	struct type *k = type_stack(arena, false, STACK_BPFTRACE, 127),
		    *u = type_stack(arena, true, STACK_PERF, 127),
		    *raw = type_stack(arena, true, STACK_RAW, 127);
	CHECK_STR(FMT("%s", bytes(k, &w, sizeof(w))), "\n        vfs_read+1\n        0xbeef\n");
	CHECK_STR(FMT("%s", bytes(u, &w, sizeof(w))),
		  "\n\t2002 main+2 (/bin/victim)\n\tdead 0xdead ([unknown])\n");
	CHECK_STR(FMT("%s", bytes(raw, &w, sizeof(w))), "\n2002\ndead\n");
	struct frames f = {0};
	vec_push(&f.frame,
		 (struct frame){.symbol = "in", .is_inlined = true, .file = "a.c", .line = 9});
	vec_push(&f.frame, (struct frame){.symbol = "out", .offset = 4, .file = "a.c", .line = 12});
	struct buf b = {0};
	format_frames(&f, STACK_BPFTRACE, true, &b);
	CHECK_STR(buf_str(&b), "\n        [inlined] in@a.c:9\n        out+4@a.c:12\n");
	buf_clear(&b);
	f.frame.at[0] =
		(struct frame){.has_build_id = true, .build_id = {0xab, 1}, .module_offset = 5};
	format_frames(&f, STACK_BUILD_ID, true, &b);
	CHECK_STR(buf_str(&b), "\nab01000000000000000000000000000000000000 0x05\n0\n");
	buf_free(&b);
	vec_free(&f.frame);
}

static void systemtap(void)
{
	CHECK_STR(STP("%d %i %u", i64(INT64_MIN), i64(-1), i64(-1)),
		  "-9223372036854775808 -1 18446744073709551615");
	CHECK_STR(STP("%x %#x %#X %o %#o", i64(-1), i64(255), i64(255), i64(8), i64(8)),
		  "ffffffffffffffff 0xff 0XFF 10 010");
	CHECK_STR(STP("%p %p", i64(0), i64(255)), "0x0 0xff");
	CHECK_STR(STP("[%5d][%-5d][%05d][%+d]", i64(7), i64(7), i64(-7), i64(7)),
		  "[    7][7    ][-0007][+7]");
	CHECK_STR(STP("[%#08x]", i64(255)), "[    0xff]"); /* one flag only: 08 is a width */
	CHECK_STR(STP("[%*d][%-*d]", i64(4), i64(1), i64(4), i64(1)), "[   1][1   ]");
	CHECK_STR(STP("[%s][%5s][%-5s][%.1s]", str(8, "ab"), str(8, "ab"), str(8, "ab"),
		      str(8, "ab")),
		  "[ab][   ab][ab   ][a]");
	CHECK_STR(STP("%c%#c%#c%#c", i64('a'), i64('\n'), i64(1), i64('z')), "a\\n\\001z");
	CHECK_STR(STP("%4b%%", i64(0x64636261)), "abcd%");
	CHECK_STR(STP("%M %m", buffer("AB", 2), buffer("AB", 2)), "4142 AB");
}

int main(void)
{
	fixture_open(&output_bt_text, "bpftrace");
	integers();
	strings();
	values();
	bit_fields();
	times();
	stacks();
	systemtap();
	fixture_close();
	return test_end();
}
