/*
 * bt_lower_test.c - scripts of bpftrace's language through parser, types and lowering; the IR is checked, optimized
 * and run by the evaluator, both before and after the passes.
 */
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "ir/ir.h"
#include "lang/lang.h"
#include "test.h"

struct fixture {
	struct arena *arena;
	struct world world;
	struct diags diags;
	struct source src;
	struct program *p;
};

static struct program *compile(struct fixture *f, const char *text)
{
	memset(f, 0, sizeof(*f));
	f->arena = arena_create();
	f->world = (struct world){.arena = f->arena, .root = "/nonexistent", .ncpus = 2};
	f->src = (struct source){"test", text, strlen(text)};
	diags_init(&f->diags, f->arena);
	struct lang_input in = {
		.src = &f->src,
		.arena = f->arena,
		.diags = &f->diags,
		.world = &f->world,
		.opt = {.max_map_keys = 4096, .max_strlen = 1024, .stack_limit = 127, .str_trunc_trailer = "..",
			.license = "GPL", .print_maps_on_exit = true, .max_progs = 1024, .max_probes = 1024},
	};
	return f->p = lang_bt.compile(&in);
}

static void discard(struct fixture *f)
{
	if (f->p)
		program_free(f->p);
	world_close(&f->world);
	diags_free(&f->diags);
	arena_destroy(f->arena);
}

static void print_diags(const struct fixture *f)
{
	for (size_t i = 0; i < f->diags.list.len; i++)
		printf("  %s\n", f->diags.list.at[i].msg);
}

/* --- running -------------------------------------------------------------------------------------------------- */

struct machine {
	const struct program *p;
	uint8_t data[4096], scratch[65536], percpu[4096], ring[4096];
	unsigned records, runtime_errors;
};

static uint64_t on_map(void *arg, const struct map *m, int64_t offset, bool is_value)
{
	struct machine *vm = arg;
	if (m == vm->p->data)
		return (uint64_t)(vm->data + offset);
	if (m == vm->p->scratch)
		return (uint64_t)(vm->scratch + offset);
	if (m == vm->p->percpu)
		return (uint64_t)(vm->percpu + offset);
	if (m == vm->p->rodata)
		return (uint64_t)(vm->p->rodata_bytes.data + offset);
	return 1;
}

static uint64_t on_record(struct machine *vm, const void *bytes)
{
	const struct record_wire *r = bytes;
	vm->records++;
	if (r->action < vm->p->action.len && vm->p->action.at[r->action]->kind == ACT_RUNTIME_ERROR)
		vm->runtime_errors++;
	return 0;
}

static uint64_t on_call(void *arg, const struct ir_insn *i, const uint64_t *v, unsigned n)
{
	if (i->op == IR_RT && !strcmp(i->sym, "rt_mem_eq"))
		return !memcmp((void *)v[0], (void *)v[1], v[2]);
	if (i->op != IR_HELPER)
		return 0;
	switch (i->imm) {
	case BPF_FUNC_probe_read_kernel:
	case BPF_FUNC_probe_read_user:
		memcpy((void *)v[0], (void *)v[2], v[1]);
		return 0;
	case BPF_FUNC_get_current_comm:
		strncpy((char *)v[0], "tester", v[1]);
		return 0;
	case BPF_FUNC_get_current_pid_tgid:
		return 7ull << 32 | 8;
	case BPF_FUNC_get_current_uid_gid:
		return 5ull << 32 | 6;
	case BPF_FUNC_ringbuf_reserve:
		return (uint64_t)((struct machine *)arg)->ring;
	case BPF_FUNC_ringbuf_submit:
		return on_record(arg, (void *)v[0]);
	case BPF_FUNC_ringbuf_output:
		return on_record(arg, (void *)v[1]);
	default:
		return 0;
	}
}

static bool run(struct fixture *f, uint64_t *ret, struct machine *vm)
{
	static uint64_t ctx[64];
	memset(vm, 0, sizeof(*vm));
	vm->p = f->p;
	struct ir_eval how = {.call = on_call, .map_address = on_map, .arg = vm, .max_steps = 1000000};
	uint64_t params[] = {(uint64_t)ctx};
	return ir_eval(f->p->probe.at[0]->fn, &how, params, ret);
}

static const char *check_all(struct fixture *f)
{
	vec_each(fn, &f->p->fn) {
		const char *bad = ir_check(*fn);
		if (bad)
			return bad;
	}
	return NULL;
}

static void print_all(struct fixture *f)
{
	struct buf out = {0};
	vec_each(fn, &f->p->fn)
		ir_print(*fn, &out);
	printf("%s\n", buf_str(&out));
	buf_free(&out);
}

/* What `begin { ... return x }` returns, with so many runtime errors. */
static bool yields(const char *script, int64_t want, unsigned errors)
{
	struct fixture f;
	struct machine *vm = malloc(sizeof(*vm));
	bool ok = false;
	uint64_t got = 0;
	if (!compile(&f, script)) {
		printf("%s: not compiled\n", script);
		print_diags(&f);
		goto out;
	}
	program_finish(f.p);
	for (int optimized = 0; optimized < 2; optimized++) {
		const char *bad = check_all(&f);
		ok = !bad && run(&f, &got, vm) && (int64_t)got == want && vm->runtime_errors == errors;
		if (!ok) {
			printf("%s: %s got %" PRId64 " want %" PRId64 ", %u errors (%s)\n", script,
			       bad ? bad : "", (int64_t)got, want, vm->runtime_errors,
			       optimized ? "optimized" : "as built");
			print_all(&f);
			break;
		}
		vec_each(fn, &f.p->fn)
			ir_optimize(*fn, NULL, NULL, NULL);
	}
out:
	free(vm);
	discard(&f);
	return ok;
}

#define RETURNS(body, want) CHECK(yields("begin { " body " }", (want), 0))

static void test_integers(void)
{
	RETURNS("return 5;", 5);
	RETURNS("$a = (int8)-3; $b = (uint32)10; return $a + $b;", 7);
	RETURNS("$a = (int8)200; return $a;", -56);
	RETURNS("$a = (uint8)200; return $a;", 200);
	RETURNS("$a = (int32)-1; return (uint32)$a;", 0xffffffff);
	RETURNS("$a = (int64)-16; return $a >> 2;", (int64_t)((uint64_t)-16 >> 2));
	RETURNS("$a = (uint64)100; $b = (uint64)7; return $a / $b * 10 + $a % $b;", 142);
	RETURNS("$a = (int64)-1; $b = (int64)2; return $a / $b;", INT64_MAX);
	RETURNS("$a = 1; $a <<= 4; $a |= 3; $a ^= 1; $a &= 0x1e; return $a;", 18);
	RETURNS("$a = 5; $b = $a++; $c = ++$a; $d = $a--; $e = --$a; return $b * 1000 + $c * 100 + $d * 10 + $e;",
		5775);
	RETURNS("$a = (uint64)5; return ~$a & 0xff;", 250);
	RETURNS("$a = (int16)-5; return -$a;", 5);
	CHECK(yields("begin { $z = (uint64)0; return (uint64)7 / $z; }", 1, 1));
	CHECK(yields("begin { $z = (uint64)0; return (uint64)7 % $z; }", 1, 1));
}

static void test_comparisons(void)
{
	RETURNS("$a = (int8)-1; $b = (uint8)255; return $a < $b ? 1 : 2;", 1);
	RETURNS("$a = (uint64)-1; return $a > 5 ? 1 : 2;", 1);
	RETURNS("$a = (int32)-1; return $a > 5 ? 1 : 2;", 2);
	RETURNS("$a = (uint32)5; return $a >= 5 ? 1 : 2;", 1);
	RETURNS("$a = 3; return $a == 3 && $a != 4 ? 1 : 2;", 1);
	RETURNS("$a = 3; return ($a == 4 || $a <= 3) ? 1 : 2;", 1);
	RETURNS("$a = 0; if ($a != 0 && 1 / $a > 0) { return 1; } return 2;", 2);
	RETURNS("$a = 7; return !$a ? 1 : 2;", 2);
}

static void test_flow(void)
{
	RETURNS("$a = 1; if ($a == 1) { $a = 10; } else { $a = 20; } return $a;", 10);
	RETURNS("$a = 3; if ($a == 1) { return 1; } else if ($a == 3) { return 3; } return 9;", 3);
	RETURNS("$s = (uint64)0; unroll(5) { $s += 2; } return $s;", 10);
	RETURNS("$x = if (pid == 7) { 11 } else { 12 }; return $x;", 11);
	RETURNS("$y = { let $t = 3; $t + 1 }; return $y;", 4);
	RETURNS("if (pid == 7) { exit(); } return 5;", 0);
	CHECK(yields("begin /pid == 8/ { return 5; }", 0, 0));
	CHECK(yields("begin /pid == 7 && tid == 8/ { return 5; }", 5, 0));
}

static void test_maps(void)
{
	RETURNS("@x = 5; @x += 3; @x++; ++@x; @x -= 2; return @x;", 8);
	RETURNS("@y = (uint64)3; @y *= 4; return @y;", 12);
	RETURNS("@z = 9; $o = @z++; $n = --@z; return $o * 100 + $n * 10 + (delete(@z) ? @z : 5);", 990);
	RETURNS("@t = (1, 2); @t = (3, 4); return @t.0 * 10 + @t.1;", 34);
	RETURNS("@never; @never = 1; clear(@never); zero(@never); print(@never); return 3;", 3);
}

static void test_values(void)
{
	RETURNS("$t = (1, (int16)-2, \"abc\", 4); return $t.1 * 10 + $t.3;", -16);
	RETURNS("$t = (1, 2); $t = ($t.1, $t.0); return $t.0 * 10 + $t.1;", 21);
	RETURNS("$r = (a=3, b=4); return $r.a * 10 + $r.b;", 34);
	RETURNS("return (1, 2) == (1, 2) ? 1 : 2;", 1);
	RETURNS("$a = (uint8[4])(uint32)0x04030201; return $a[0] * 1000 + $a[3];", 1004);
	RETURNS("$a = (uint8[8])(uint64)0x0807060504030201; $i = (uint64)2; return $a[$i];", 3);
	CHECK(yields("begin { $a = (uint8[8])(uint64)1; $i = (uint64)9; _ = $a[$i]; return 4; }", 4, 1));
	RETURNS("$a = (uint8[8])(uint64)0x0807060504030201; return (uint64)$a;", 0x0807060504030201);
	RETURNS("$x = (int64)77; $p = &$x; return *$p;", 77);
	RETURNS("return pid * 1000 + tid * 100 + uid * 10 + gid;", 7865);
	RETURNS("$p = (uint32 *)1000; return (uint64)($p + 3);", 1012);
	RETURNS("$p = (uint16 *)1000; $p++; $p += 2; return (uint64)$p;", 1006);
	RETURNS("$s = comm; return $s[0];", 't');
	RETURNS("return bswap((uint32)0x01020304);", 0x04030201);
	RETURNS("return sizeof(uint64) + sizeof((uint8)1);", 9);
	RETURNS("return is_err(-5) ? 1 : 2;", 1);
}

static void test_structs(void)
{
#define WITH(body, want)                                                                           \
	CHECK(yields("struct in { int a; char b[8]; } struct s { unsigned char x:3, y:5; short h; struct in i[2]; "   \
		     "struct s *next; } begin { " body " }",                                       \
		     (want), 0))
	WITH("$x = (int64)0x12345678; $p = (struct s *)&$x; return $p.x * 100 + $p.y;", 15);
	WITH("$x = (int64)0x12345678; $p = (struct s *)&$x; return $p->h;", 0x1234);
	WITH("return sizeof(struct s) * 100 + offsetof(struct s, next);", 4032);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static bool refuses(const char *script, const char *want)
{
	struct fixture f;
	bool ok = false;
	struct program *p = compile(&f, script);
	for (size_t i = 0; i < f.diags.list.len; i++)
		ok = ok || strstr(f.diags.list.at[i].msg, want);
	ok = ok && !p;
	if (!ok) {
		printf("%s: wanted '%s', got\n", script, want);
		print_diags(&f);
	}
	discard(&f);
	return ok;
}

static void test_messages(void)
{
	static const struct {
		const char *script, *want;
	} cases[] = {
		{"begin { printf(); }", "printf() requires at least one argument (0 provided)"},
		{"begin { strftime(\"%H\"); }", "strftime() requires 2 arguments (1 provided)"},
		{"begin { print(nsecs(1, 2)); }", "nsecs() takes up to one argument (2 provided)"},
		{"begin { clear(); }", "clear() requires one argument (0 provided)"},
		{"begin { printf(\"%d\"); }", "not enough arguments for format string (0 supplied, 1 expected)"},
		{"begin { printf(\"%d\", 1, 2); }", "too many arguments for format string (2 supplied, 1 expected)"},
		{"begin { printf(\"%*d\", 1); }", "not enough arguments for format string (1 supplied, 2 expected)"},
		{"begin { printf(\"%*d\", \"a\", 1); }", "unsupported format specifier for type 'string[2]': d"},
		{"begin { printf(\"%d\", \"a\"); }", "unsupported format specifier for type 'string[2]': d"},
		{"begin { printf(\"%f\", 1); }", "unsupported format specifier: f"},
		{"begin { printf(1); }", "printf() expects a string literal (int provided)"},
		{"begin { system(\"ls\"); }", "system() is an unsafe function being used in safe mode"},
		{"begin { clear(1); }", "clear() expects a map argument"},
		{"begin { @ = lhist(1, 10, 1, 1); }", "lhist() min must be less than max (provided min 10 and max 1)"},
		{"begin { @ = lhist(1, 0, 10000, 1); }",
		 "lhist() too many buckets, must be <= 1000 (would need 10000)"},
		{"begin { @ = hist(1, 6); }", "hist: bits 6 must be 0..5"},
		{"begin { @ = sum(\"a\"); }", "sum() only supports integer arguments (string[2] provided)"},
		{"begin { print(kaddr(\"xyzzy\")); }", "Failed to resolve kernel symbol: xyzzy"},
		{"begin { print(reg(\"zz\")); }", "'zz' is not a valid register on this architecture (x86_64)"},
		{"begin { print(ntop((1, 2))); }", "ntop() expects an integer or array argument, got tuple"},
		{"begin { print(pton(\"1.2.3\")); }", "pton() expects a valid IPv4/IPv6 address, got 1.2.3"},
		{"begin { print(strncmp(\"a\", \"b\", pid)); }", "Builtin strncmp requires a non-negative literal"},
		{"begin { fail(\"no %d %s\", 5, \"x\"); }", "no 5 x"},
		{"begin { static_assert(1 == 2, \"told you\"); }", "told you"},
		{"begin { print(retval); }", "The retval builtin can only be used with 'kretprobe'"},
		{"begin { print(arg0); }", "The arg0 builtin can only be used with"},
		{"begin { print(args.x); }", "The args builtin can only be used with"},
		{"begin { @a = 1; print(has_key(@a, 1)); }", "expects a map with explicit keys"},
		{"begin { print(strlen(5)); }", "string-like values must be either strings, arrays or pointers"},
		{"begin { signal(\"KILL\"); }", "signal() can not be used for this probetype"},
		{"begin { print(kstack(perf, 2000)); }", "limit shouldn't exceed 1024, 2000 given"},
		{"begin { print(pid(foo)); }", "Invalid PID namespace mode: foo (expects: curr_ns or init)"},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK(refuses(cases[i].script, cases[i].want));
}

/* Everything that a begin probe may say gives functions that the checker takes, before and after the passes. */
static void test_all_functions(void)
{
	static const char *const scripts[] = {
		"begin { printf(\"%s %d %x %5s|%-8s|%lu %p %r\\n\", comm, pid, tid, \"a\", probe, nsecs, (void *)1, "
		"buf(comm, 4)); }",
		"begin { print(1); print((1, \"a\")); print(comm); print(kstack); print(ustack(perf, 3)); }",
		"begin { @a[pid, comm] = count(); @b[comm] = hist(pid); @c = lhist(pid, 0, 100, 10); @d = stats(tid); "
		"@e[1] = avg(2); @f = min(3); @g = max(4); @h[1] = sum(5); print(@b, 5, 2); }",
		"begin { @c = count(); printf(\"%d\", @c); @s[1] = sum(2); if (@s[1] > 3) { @x = 1 } }",
		"begin { @m[1] = 2; for ($kv : @m) { printf(\"%d %d\\n\", $kv.0, $kv.1); if ($kv.1 == 2) { break; } } }",
		"begin { $n = (uint64)0; for ($i : 0..10) { $n += $i; if ($i == 5) { continue; } } print($n); }",
		"begin { $i = 0; while ($i < 5) { $i++; if ($i == 3) { break; } } print($i); }",
		"begin { @m[1, \"abc\"] = 2; print(has_key(@m, (1, \"abc\"))); print(len(@m)); delete(@m, (1, \"abc\")); "
		"delete(@m[2, \"x\"]); }",
		"begin { @m[1] = (1, \"a\"); let $v; if (find(@m, 1, $v)) { print($v); } }",
		"begin { print(strftime(\"%H:%M\", nsecs)); time(\"%H\\n\"); print(nsecs(monotonic)); }",
		"begin { print(ntop(pton(\"127.0.0.1\"))); print(ntop(0x0100007f)); print(pton(\"::1\")); }",
		"begin { print(strlen(comm)); print(strcontains(comm, \"a\")); print(strstr(comm, \"b\")); "
		"print(str_concat(comm, \"x\")); print(strncmp(comm, \"abc\", 2)); print(comm == \"abc\"); }",
		"begin { print(strerror(2)); print(signal_name(9)); print(syscall_name(0)); }",
		"begin { print(cgroup); print(cgroup_path(1, \"x\")); print(username); print(rand); print(cpu); }",
		"begin { print(ksym(1)); print(usym(1)); print(macaddr(buf(comm, 6))); }",
		"begin { assert(pid > 1, \"no\"); exit(3); }",
		"begin { $p = (uint8 *)1000; print(str($p)); print(str($p, 5)); print(str($p, pid)); print(buf($p, 9)); "
		"print($p[3]); print(*$p); join($p); }",
		"begin { printf(\"%s\", probetype); print(config.max_strlen); print(ncpus); print(getopt(\"x\", 5)); }",
		"begin { @s = \"abc\"; @s = \"abcdef\"; $x = @s; $x = \"q\"; print($x); @k[\"a\"] = 1; @k[\"abcd\"] = 2; }",
		"begin { errorf(\"e %d\", 1); warnf(\"w\"); cat(\"/proc/%d/maps\", pid); clear(@x); zero(@x); @x = 1; }",
		"begin { @[kstack, ustack(3), comm] = count(); @y[(1, 2), 3] = 4; }",
	};
	for (unsigned i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct fixture f;
		if (!compile(&f, scripts[i])) {
			printf("%s: not compiled\n", scripts[i]);
			print_diags(&f);
			checks_failed++;
			discard(&f);
			continue;
		}
		program_finish(f.p);
		const char *bad = check_all(&f);
		if (!bad) {
			vec_each(fn, &f.p->fn)
				ir_optimize(*fn, NULL, NULL, NULL);
			bad = check_all(&f);
		}
		if (bad)
			printf("%s: %s\n", scripts[i], bad);
		CHECK(!bad);
		discard(&f);
	}
}

/* --- kprobe and kretprobe of the same functions ------------------------------------------------------------------ */

/* The programs that a script becomes on the fixture's kernel, with or without what the newest kernels have: "name kind points" of each, one a line. */
static const char *programs(const char *text, bool is_newest)
{
	static char out[512];
	struct fixture f = {.arena = arena_create()};
	struct world *w;
	struct err *e = world_open(f.arena, "tests/fixture", &w);
	CHECK(!e);
	w->features.kprobe_session = w->features.fentry_multi = is_newest;
	f.src = (struct source){"test", text, strlen(text)};
	diags_init(&f.diags, f.arena);
	struct lang_input in = {.src = &f.src, .arena = f.arena, .diags = &f.diags, .world = w,
				.opt = {.max_map_keys = 64, .max_strlen = 64, .max_progs = 64, .max_probes = 64, .license = "GPL"}};
	f.p = lang_bt.compile(&in);
	out[0] = 0;
	if (!f.p)
		print_diags(&f);
	for (size_t i = 0; f.p && i < f.p->probe.len; i++) {
		const struct probe *p = f.p->probe.at[i];
		bool is_multi = p->kind == PROG_KPROBE_MULTI || p->kind == PROG_FENTRY_MULTI || p->kind == PROG_FEXIT_MULTI;
		const char *kind = p->kind == PROG_KPROBE_SESSION ? "session" : is_multi ? "multi" : "single";
		sprintf(out + strlen(out), "%s %s %u\n", p->name, kind, p->npoints);
	}
	if (f.p && check_all(&f))
		strcat(out, "bad IR\n");
	world_close(w);
	discard(&f);
	return out;
}

/* A program for functions of many types knows no type: arguments by name need one for each. */
static void test_fentry_multi(void)
{
	const char *named = "fentry:vfs_* { @[probe, func] = count(); }";
	CHECK_STR(programs(named, true), "fentry:vmlinux:vfs_open multi 3\n");
	CHECK_STR(programs(named, false), "fentry:vmlinux:vfs_open single 1\nfentry:vmlinux:vfs_read single 1\nfentry:vmlinux:vfs_write single 1\n");
	CHECK_STR(programs("fexit:vfs_*,fexit:do_nothing { @ = count(); }", true), "fexit:vmlinux:vfs_open multi 4\n");
	CHECK_STR(programs("fentry:vfs_* { @[args.file] = count(); }", true),
		  "fentry:vmlinux:vfs_open single 1\nfentry:vmlinux:vfs_read single 1\nfentry:vmlinux:vfs_write single 1\n");
	CHECK_STR(programs("fentry:vfs_read { @ = count(); }", true), "fentry:vmlinux:vfs_read single 1\n");
	CHECK_STR(programs("fentry:vfs_read,kprobe:vfs_write { @ = count(); }", true), "fentry:vmlinux:vfs_read single 1\nkprobe:vfs_write single 1\n");
}

static void test_sessions(void)
{
	const char *pair = "kprobe:vfs_read /pid > 1/ { @a[comm] = arg0; } kretprobe:vfs_read { @b[retval, comm] = count(); }";
	const char *wild = "kretprobe:vfs_* { @[probe] = count(); } kprobe:vfs_* { @n[probe] = count(); }";
	CHECK_STR(programs(pair, true), "kprobe:vfs_read session 1\n");
	CHECK_STR(programs(pair, false), "kprobe:vfs_read single 1\nkretprobe:vfs_read single 1\n");
	CHECK_STR(programs(wild, true), "kprobe:vfs_open session 3\n");
	CHECK_STR(programs(wild, false), "kretprobe:vfs_open multi 3\nkprobe:vfs_open multi 3\n");
	/* each return has one entry; other functions, offsets and several points are not one pattern */
	CHECK_STR(programs("kprobe:vfs_read { @a = 1 } kprobe:vfs_read { @b = 1 } kretprobe:vfs_read { @c = 1 }", true),
		  "kprobe:vfs_read session 1\nkprobe:vfs_read single 1\n");
	CHECK_STR(programs("kprobe:vfs_read { @a = 1 } kretprobe:vfs_write { @c = 1 }", true), "kprobe:vfs_read single 1\nkretprobe:vfs_write single 1\n");
	CHECK_STR(programs("kprobe:vfs_read+4 { @a = 1 } kretprobe:vfs_read { @c = 1 }", true), "kprobe:vfs_read+4 single 1\nkretprobe:vfs_read single 1\n");
	CHECK_STR(programs("kprobe:vfs_read,kprobe:vfs_open { @a = 1 } kretprobe:vfs_read,kretprobe:vfs_open { @c = 1 }", true),
		  "kprobe:vfs_read multi 2\nkretprobe:vfs_read multi 2\n");
}

int main(void)
{
	test_integers();
	test_comparisons();
	test_flow();
	test_maps();
	test_values();
	test_structs();
	test_messages();
	test_all_functions();
	test_fentry_multi();
	test_sessions();
	return test_end();
}
