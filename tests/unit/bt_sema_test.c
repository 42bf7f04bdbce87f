/* bt_sema_test.c - types of whole scripts, what is refused and why, C definitions, macros. */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "lang/bt/sema.h"
#include "test.h"

static struct world *world; /* a machine without BTF, tracefs and symbols */

struct outcome {
	struct arena *a;
	struct diags diags;
	struct bt_sema s;
	struct lang_input in;
	struct source src;
	struct buf text;
	bool ok;
};

static void run(struct outcome *o, const char *text)
{
	memset(o, 0, sizeof(*o));
	o->a = arena_create();
	diags_init(&o->diags, o->a);
	o->src = (struct source){.name = "stdin", .text = text, .len = strlen(text)};
	o->in = (struct lang_input){.src = &o->src, .arena = o->a, .diags = &o->diags, .world = world};
	o->s.prog = program_new(o->a, "bpftrace");
	struct bt_script *script = bt_parse(&o->in);
	if (script) {
		bt_config(&o->in, script, &o->in.opt);
		bt_points(&o->in, script);
		o->s.cdefs = bt_cdefs_read(&o->in, script);
		o->s.in = &o->in;
		o->s.script = script;
		o->s.prog->opt = o->in.opt;
		o->ok = !o->diags.errors && bt_sema(&o->s);
	}
	for (size_t i = 0; i < o->diags.list.len; i++)
		bt_render(&o->diags.list.at[i], &o->text, false);
}

static void done(struct outcome *o)
{
	strtab_free(&o->s.vars);
	strtab_free(&o->s.options);
	bt_cdefs_free(o->s.cdefs);
	program_free(o->s.prog);
	buf_free(&o->text);
	diags_free(&o->diags);
	arena_destroy(o->a);
}

/* --- types -------------------------------------------------------------------------------------- */

static bool find_var(struct bt_walk *w, struct bt_expr *e)
{
	if (e->kind == BT_VAR && !strcmp(e->text, "$a") && e->local)
		*(struct type **)w->arg = e->local->type;
	return true;
}

static const char *spelled(const struct type *t, char buf[256])
{
	struct buf b = {0};
	if (t)
		type_spell(t, &b);
	snprintf(buf, 256, "%s", t ? buf_str(&b) : "none");
	buf_free(&b);
	return buf;
}

/* Type of $a, of @a's value or of @a's key. */
static void check_type(const char *statements, char which, const char *want)
{
	char *script = xasprintf("begin { %s }", statements), buf[256];
	struct outcome o;
	run(&o, script);
	struct type *t = NULL;
	struct bt_walk w = {.expr = find_var, .arg = &t};
	struct var *v = strtab_get(&o.s.vars, "@a");
	if (o.s.script)
		bt_walk_block(&w, o.s.script->probe->body);
	if (which != '$')
		t = v ? which == 'v' ? v->value : v->key : NULL;
	if (!o.ok)
		printf("%s\n%s", script, buf_str(&o.text));
	CHECK(o.ok);
	CHECK_STR(spelled(t, buf), want);
	done(&o);
	base_free(script);
}

static void test_integers(void)
{
	static const struct {
		const char *statements, *want;
	} cases[] = {
		{"$a = 1;", "int8"},
		{"$a = 128;", "int16"},
		{"$a = -129;", "int16"},
		{"$a = 40000;", "int32"},
		{"$a = 5000000000;", "int64"},
		{"$a = 18446744073709551615;", "uint64"},
		{"$a = 1; $a = (uint32)2;", "uint32"}, /* a literal takes the other's sign */
		{"$a = (uint16)1; $a = 100000;", "uint32"},
		{"$a = -1; $a = (uint32)2;", "int64"},
		{"$a = (int8)1; $a = (uint8)2;", "int16"},
		{"$a = (uint64)1; $a = (int64)2;", "int64"},
		{"$a = 1 + 1;", "int8"}, /* folded */
		{"$b = (uint32)1; $a = $b + 1;", "uint64"},
		{"$b = (uint32)1; $a = $b - 1;", "int64"},
		{"$b = (int16)1; $a = $b * (uint8)2;", "int64"},
		{"$b = (uint8)1; $a = ~$b;", "uint8"}, /* what has no sign keeps its width */
		{"$b = (uint32)1; $a = -$b;", "uint32"},
		{"$b = (int8)1; $a = -$b;", "int64"},
		{"$a = 5 ?: 600;", "int8"},
		{"$b = (uint8)1; $a = !$b;", "bool"},
		{"$b = 1; $a = $b < 5 && true;", "bool"},
		{"$a = 1; $a++;", "int64"},
		{"$a = (uint8)1; $a++;", "uint64"},
		{"$a = (uint8)1; $a--;", "int64"},
		{"let $a : uint16; $a = 5;", "uint16"},
		{"$b = (uint8)1; $a = $b ? (int32)1 : (uint16)2;", "int32"},
		{"@ = 1; $a = if (@) { 1 } else { 300 };", "int16"},
		{"$a = $b = 1;", NULL},
		{"let $b; $a = $b; $b = 10;", "int8"}, /* what comes later counts, too */
		{"$a = (int8)200;", "int8"},
		{"$a = sizeof(uint64);", "int8"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (cases[i].want)
			check_type(cases[i].statements, '$', cases[i].want);
}

static void test_other_types(void)
{
	check_type("$a = \"abc\"; $a = \"abcdef\";", '$', "string[7]");
	check_type("let $a : string; $a = \"abc\";", '$', "string[4]");
	check_type("$a = (1, \"x\"); $a = ((uint32)5, \"longer\");", '$', "(uint32,string[7])");
	check_type("$a = (x = 1, y = \"s\"); $a = (y = \"longer\", x = 300);", '$',
		   "record { .x = int16, .y = string[7] }");
	check_type("$b = (1, (2, \"z\")); $a = $b.1.1;", '$', "string[2]");
	check_type("$b = (1, 300); $a = $b[1];", '$', "int16");
	check_type("$b = 5; $a = &$b;", '$', "int8 *");
	check_type("$b = (uint32 *)0; $a = *$b;", '$', "uint32");
	check_type("$b = (uint32 *)0; $a = $b[3];", '$', "uint32");
	check_type("$b = (uint32 *)0; $a = $b + 1;", '$', "uint32 *");
	check_type("$a = (uint8[4])(uint32)1;", '$', "uint8[4]");
	check_type("$a = (uint8[])(uint32)1;", '$', "uint8[4]");
	check_type("for ($a : 0..300) { $b = $a; }", '$', "int16");
	check_type("@m[1] = \"x\"; for ($a : @m) { $b = $a; }", '$', "(int8,string[2])");
	check_type("$b = \"x\"; let $a : typeof($b) = \"y\";", '$', "string[2]");
}

static void test_maps(void)
{
	check_type("@a = 1; @a = (uint32)2;", 'v', "uint32");
	check_type("@a++;", 'v', "int64");
	check_type("@a[1, \"x\"] = 1; @a[(uint32)2, \"long\"] = 1;", 'k', "(uint32,string[5])");
	check_type("@a[1] = 1; @a[-300] = 1;", 'k', "int16");
	check_type("@a = 1;", 'k', "none");
	check_type("@a = count();", 'v', "count_t");
	check_type("@a = sum((uint64)1);", 'v', "usum_t");
	check_type("@a = sum(1); @a = sum((uint64)1);", 'v', "sum_t");
	check_type("@c = count(); $a = @c;", '$', "uint64");
	check_type("@b = @a; @a = \"xyz\";", 'v', "string[4]");
}

/* --- folding ------------------------------------------------------------------------------------ */

static void folds_to(const char *expr, const char *want)
{
	char *script = xasprintf("begin { print(%s) }", expr);
	struct outcome o;
	run(&o, script);
	struct buf tree = {0};
	if (o.ok)
		bt_dump(o.s.script, false, &tree);
	char *all = xasprintf("probe begin\n  do\n    call print\n      %s\n", want);
	CHECK_STR(o.ok ? buf_str(&tree) : buf_str(&o.text), all);
	buf_free(&tree);
	base_free(all);
	base_free(script);
	done(&o);
}

static void test_folding(void)
{
	folds_to("1 + 2 * 3", "int 7");
	folds_to("5 - 8", "int -3");
	folds_to("-7 / 2", "int -3");
	folds_to("~0", "int 18446744073709551615");
	folds_to("1 << 63", "int 9223372036854775808");
	folds_to("-1 < 1", "bool true");
	folds_to("3 > 2 && false", "bool false");
	folds_to("\"ab\" == \"ab\"", "bool true");
	folds_to("\"ab\" + \"cd\"", "string \"abcd\"");
	folds_to("\"abcd\" + 2", "string \"cd\"");
	folds_to("\"abc\"[1]", "int 98");
	folds_to("true ? \"a\" : \"b\"", "string \"a\"");
	folds_to("(1, 2).1", "int 2");
	folds_to("(x = 1, y = 2) == (y = 2, x = 1)", "bool true");
	folds_to("$#", "int 0");
}

/* --- diagnostics -------------------------------------------------------------------------------- */

/* The first line of the first diagnostic. */
static void says(const char *script, const char *want)
{
	struct outcome o;
	run(&o, script);
	char first[512];
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(buf_str(&o.text), "\n"), buf_str(&o.text));
	if (strcmp(first, want))
		printf("%s\n", script);
	CHECK_STR(first, want);
	done(&o);
}

static void test_errors(void)
{
	says("begin { @a = $x }", "stdin:1:14-16: ERROR: Undefined or undeclared variable: $x");
	says("begin { $x = 1; let $x; }",
	     "stdin:1:17-23: ERROR: Variable $x was already declared. Variable shadowing is not allowed.");
	says("begin { $x = 1; $x = \"a\" }",
	     "stdin:1:17-25: ERROR: Type mismatch for $x: trying to assign value of type 'string[2]' when variable "
	     "already has a type 'int8'");
	says("begin { @a = 1; @a = \"a\" }",
	     "stdin:1:17-25: ERROR: Type mismatch for @a: trying to assign value of type 'string[2]' when map already "
	     "has a type 'int8'");
	says("begin { @a[1, \"x\"] = 1; @a[1, 2] = 1 }",
	     "stdin:1:25-33: ERROR: Argument mismatch for @a: trying to access with arguments: '(int8,int8)' when map "
	     "expects arguments: '(int8,string[2])'");
	says("begin { @a = 1; @a[1] = 1 }",
	     "stdin:1:17-22: ERROR: @a used as a map with an explicit key (non-scalar map), previously used without an "
	     "explicit key (scalar map)");
	says("begin { @a[1] = 1; @a = 1 }",
	     "stdin:1:20-22: ERROR: @a used as a map without an explicit key (scalar map), previously used with an "
	     "explicit key (non-scalar map)");
	says("begin { let $x : int8 = 300 }",
	     "stdin:1:9-28: ERROR: Type mismatch for $x: trying to assign value of type 'int16' when variable already "
	     "has a type 'int8'");
	says("begin { @x = count(); @x = 5 }",
	     "stdin:1:23-29: ERROR: Type mismatch for @x: trying to assign value of type 'int8' when map already has a "
	     "type 'count_t'");
	says("begin { @x = hist(1); @y = @x }",
	     "stdin:1:23-30: ERROR: Map value 'hist_t' cannot be assigned from one map to another. The function that "
	     "returns this type must be called directly e.g. `@y = hist(retval);`.");
	says("begin { print(count()) }", "stdin:1:15-22: ERROR: count() must be assigned directly to a map");
	says("begin { printff(\"a\") }", "stdin:1:9-21: ERROR: Unknown function: 'printff'");
	says("begin { print(foo) }", "stdin:1:15-18: ERROR: Unknown identifier: 'foo'");
	/* words that only some functions know */
	says("begin { print((perf, 1)) }", "stdin:1:16-20: ERROR: Unknown identifier: 'perf'");
	says("begin { $x = raw }", "stdin:1:14-17: ERROR: Unknown identifier: 'raw'");
	says("begin { @[1] = () }", "stdin:1:9-18: ERROR: Value '()' cannot be assigned to a map.");
	says("begin { print(\"a\" == 2) }", "stdin:1:15-23: ERROR: Type mismatch for '==': comparing string[2] with int8");
	says("begin { $a = 9223372036854775807 * 3 }",
	     "stdin:1:14-37: ERROR: unable to fold literals due to overflow or underflow");
	says("begin { $t = (1, 2); print($t.2) }",
	     "stdin:1:28-32: ERROR: Invalid tuple index: 2. Found 2 elements in tuple.");
	says("begin { $x = 1; print($x.y) }", "stdin:1:23-27: ERROR: Can not access field 'y' on expression of type 'int8'");
	says("begin { print((struct nope *)0) }", "stdin:1:16-29: ERROR: Cannot resolve unknown type \"struct nope\"");
	says("begin { break }", "stdin:1:9-15: ERROR: 'break' statement is not allowed in a probe");
	says("begin { unroll (101) { } }", "stdin:1:9-25: ERROR: unroll maximum value is 100");
	says("begin { return \"a\" }",
	     "stdin:1:9-20: ERROR: Probe return values can only be integers. Found string[2]");
	says("begin { @a = 1; for ($x : @a) { } }",
	     "stdin:1:27-29: ERROR: @a has no explicit keys (scalar map), and cannot be used for iteration");
	says("begin { print(typeinfo(uint64)) }",
	     "stdin:1:15-31: ERROR: typeinfo feature is not enabled by default. To enable this unstable feature, set the config flag to enable. unstable_typeinfo=enable");
	says("begin { for ($i : 0..5) { } print($i) }", "stdin:1:35-37: ERROR: Undefined or undeclared variable: $i");
	says("begin { delete(@x[1]) }", "stdin:1:16-21: ERROR: Undefined map: @x");
	says("let @a = heap(3); begin { @a = 1 }", "stdin:1:1-18: ERROR: Invalid bpf map type: heap");
	says("begin { import \"x\"; }", "stdin:1:9-19: ERROR: import among statements is for the standard library, which is built in here");
	says("fn f() : int8 { return 1; } begin { }", "stdin:1:1-5: ERROR: functions (fn) are not supported yet");
}

static void test_warnings(void)
{
	says("begin { 1 }", "stdin:1:9-10: WARNING: Return value discarded.");
	says("begin { let $x; print($x); $x = 1 }", "stdin:1:23-25: WARNING: Variable used before it was assigned: $x");
	says("begin { let $x; }", "stdin:1:9-15: WARNING: Variable $x was never assigned to.");
	says("begin { return; print(1) }", "stdin:1:17-25: WARNING: Unreachable statement.");
	says("let @a = hash(3); begin { }", "stdin:1:1-18: WARNING: Unused map: @a");
	says("begin { $a = (uint64)1; $a = (int64)2; }",
	     "stdin:1:14-22: WARNING: Expression of type: uint64 being cast to type: int64. This may cause unexpected "
	     "results. Use an explicit cast to suppress this warning.");
	says("begin { $a = (uint8)(uint8)1; }",
	     "stdin:1:14-21: WARNING: Unnecessary cast: expression is already of type uint8");
	says("begin { $a = -5; print($a % 3) }", "");
	says("begin { print($1) }", "stdin:1:15-17: WARNING: Positional parameter $1 is empty or not provided. ");
}

/* A variable may be used behind the block of its assignment, as in older versions of the language. */
static void test_scopes(void)
{
	says("begin { @x = 1; if (@x) { $a = 1 } else { $a = 300 } print($a) }", "");
	check_type("if (@x) { $a = 1 } else { $a = 300 } print($a)", '$', "int16");
	says("begin { if (1) { $a = 1 } if (1) { $a = \"x\" } }", "");
}

/* --- C definitions ------------------------------------------------------------------------------ */

#define MEMBERS                                                                                            \
	char c; long l; unsigned b1 : 3; unsigned b2 : 30; unsigned long b3 : 40; short s[3];              \
	struct { char x; union { int i; double d; }; } in; void (*fn)(int, char); int (*arr)[4]; _Bool b;  \
	unsigned char tail;
struct plain {
	MEMBERS
};
struct __attribute__((packed)) tight {
	MEMBERS
};
#define TEXT_OF_(...) #__VA_ARGS__
#define TEXT_OF(...) TEXT_OF_(__VA_ARGS__)

static struct type *c_type(struct outcome *o, const char *name)
{
	return bt_type_by_name(&o->in, o->s.cdefs, name);
}

static uint32_t offset_in(struct outcome *o, const char *name, const char *field)
{
	uint32_t at = UINT32_MAX;
	struct type *t = c_type(o, name);
	if (t)
		type_field(t, field, o->a, &at);
	return at;
}

static void test_layout(void)
{
	struct outcome o;
	run(&o, "struct plain { " TEXT_OF(MEMBERS) " };\n"
		"struct tight { " TEXT_OF(MEMBERS) " } __attribute__((packed))\n"
		"struct wide { char c; int x __attribute__((aligned(32))); };\n"
		"struct list { struct list *next; struct later *l; int data[]; };\n"
		"struct later { short a; };\n"
		"begin { $p = (struct list *)0; print($p->next->l->a) }");
	CHECK(o.ok);
	CHECK(c_type(&o, "struct plain")->size == sizeof(struct plain));
	CHECK(c_type(&o, "struct tight")->size == sizeof(struct tight));
	CHECK(c_type(&o, "struct wide")->size == 64);
	CHECK(c_type(&o, "struct list")->size == 16);
#define SAME_OFFSET(tag, member) CHECK(offset_in(&o, "struct " #tag, #member) == offsetof(struct tag, member))
	SAME_OFFSET(plain, l);
	SAME_OFFSET(plain, s);
	SAME_OFFSET(plain, in);
	SAME_OFFSET(plain, fn);
	SAME_OFFSET(plain, arr);
	SAME_OFFSET(plain, tail);
	SAME_OFFSET(tight, l);
	SAME_OFFSET(tight, s);
	SAME_OFFSET(tight, in);
	SAME_OFFSET(tight, tail);
	done(&o);
}

/* Where the compiler puts a bit-field is where we read it. */
static void test_bits(void)
{
	struct outcome o;
	run(&o, "struct last { int a:3; int b:5 } begin { }"); /* C compilers take a last member without its semicolon */
	const struct field *last = type_field(c_type(&o, "struct last"), "b", o.a, &(uint32_t){0});
	CHECK(o.ok && last->bit_offset == 3 && !last->type->is_signed);
	done(&o);
	run(&o, "struct plain { " TEXT_OF(MEMBERS) " }; begin { }");
	union {
		struct plain p;
		unsigned char byte[sizeof(struct plain)];
	} u;
	memset(&u, 0, sizeof(u));
	u.p.b2 = 0x2aaaaaaa;
	u.p.b3 = 0xf0f0f0f0f0;
	static const struct {
		const char *name;
		uint64_t want;
	} fields[] = {{"b1", 0}, {"b2", 0x2aaaaaaa}, {"b3", 0xf0f0f0f0f0}};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint32_t at = 0;
		const struct field *f = type_field(c_type(&o, "struct plain"), fields[i].name, o.a, &at);
		uint64_t word = 0;
		CHECK(f && f->bit_width);
		memcpy(&word, u.byte + at, f->type->size);
		CHECK((word >> f->bit_offset & ((1ull << f->bit_width) - 1)) == fields[i].want);
	}
	done(&o);
}

static void test_preprocessor(void)
{
	says("#define A 5\n#define B (A + 1)\nbegin { $a = (int8[6])\"12345\"; $a = (int8[6])\"54321\"; print(B); }", "");
	check_type("@a = 1;", 'v', "int8");
	struct outcome o;
	run(&o, "#define N 3\n#if defined(N) && N > 2\nstruct s { int a[N * 2]; };\n#elif 1\nstruct s { int a; };\n"
		"#else\nstruct s { char a; };\n#endif\n#ifdef NOPE\nstruct t { int bad bad bad; };\n#endif\n"
		"enum e { A, B = 5, C, D = 1 << 4 };\ntypedef struct s alias;\nbegin { }");
	CHECK(!o.ok); /* a typedef does not start a definition of a script */
	done(&o);
	run(&o, "#define N 3\n#if defined(N) && N > 2\nstruct s { int a[N * 2]; };\n#elif 1\nstruct s { int a; };\n"
		"#else\nstruct s { char a; };\n#endif\n#ifdef NOPE\nstruct t { int bad bad bad; };\n#endif\n"
		"enum e { A, B = 5, C, D = 1 << 4 };\nbegin { print((C, D)) }");
	CHECK(o.ok);
	CHECK(c_type(&o, "struct s")->size == 24);
	CHECK(!c_type(&o, "struct t"));
	int64_t v = 0;
	struct type *t = NULL;
	CHECK(bt_cdef_enumerator(&o.in, o.s.cdefs, "C", &v, &t) && v == 6 && t->kind == TYPE_ENUM);
	CHECK(bt_cdef_enumerator(&o.in, o.s.cdefs, "D", &v, &t) && v == 16);
	done(&o);
	says("struct s { int x y; }; begin { }", "stdin:1:18-19: ERROR: expected ';' after a member");
	says("struct s { struct s x; }; begin { }", "stdin:1:22-23: ERROR: a member has the incomplete type 'struct s'");
	says("#include <no/such.h>\nbegin { }", "stdin:1:10-21: ERROR: fatal error: 'no/such.h' file not found");
	says("#include <linux/fs.h>\nbegin { print(AF_INET6) }", "");
	says("#define M M + 1\nbegin { print(M) }", "M:1:1-2: ERROR: Macro recursion: M");
	says("#define M {\nbegin { print(M) }", "stdin:2:15-16: ERROR: unable to expand macro as an expression: {");
}

/* --- macros ------------------------------------------------------------------------------------- */

static void test_macros(void)
{
	check_type("@a = 1;", 'v', "int8");
	says("macro inc($x) { $x += 1; $x } begin { $a = 1; print(inc($a)) }", "");
	says("macro set(@m, v) { @m[v] = 1 } begin { set(@a, 5); set(@a, 6) }", "");
	says("macro own(x) { let $y = x; $y } begin { $y = \"a\"; print((own(1), own(2), $y)) }", "");
	says("macro sz(t) { sizeof(t) } begin { print(sz(typeof(uint64))) }", "");
	says("macro two() { 2 } begin { print(two + two()) }", "");
	says("macro a(x) { x + 1 } macro b(x) { a(a(x)) } begin { print(b(1)) }", "");
	says("macro m(x) { x } macro m(x, y) { x + y } begin { print((m(1), m(1, 2))) }", "");
	says("macro agg() { count() } begin { @a = agg() }", "");
	says("macro m() { @x = 1 } begin { m() }",
	     "stdin:1:13-15: ERROR: Unhygienic access to map: @x. Maps must be passed into the macro as arguments.");
	says("macro m(@x) { @x } begin { $a = 1; m($a) }",
	     "stdin:1:36-41: ERROR: Call to m() has arguments that do not match any definition.");
	says("macro a() { b() } macro b() { a() } begin { a() }",
	     "stdin:1:31-34: ERROR: Recursive macro call detected. Call chain: a > b > a");
	says("macro m(x) { x } macro m(y) { y } begin { }", "stdin:1:18-25: ERROR: Redefinition of macro: m");
	says("macro m($x, $x) { } begin { }",
	     "stdin:1:13-15: ERROR: Variable for macro argument has already been used: $x");
	says("macro m() { return 1 } begin { m() }", "stdin:1:13-22: ERROR: 'return' statement is not allowed in a macro");
	struct outcome o;
	run(&o, "macro bad(x) { x.y } begin { bad(5) }");
	CHECK_STR(buf_str(&o.text), "stdin:1:16-19: ERROR: Can not access field 'y' on expression of type 'int8'\n"
				    "macro bad(x) { x.y } begin { bad(5) }\n               ~~~\n"
				    "stdin:1:30-36: ERROR: expanded from\n"
				    "macro bad(x) { x.y } begin { bad(5) }\n                             ~~~~~~\n");
	done(&o);
}

/* Text that doubles at every step must not eat the machine. */
static void test_explosion(void)
{
	struct buf b = {0};
	buf_puts(&b, "macro d(x) { x + x } begin { print(");
	for (int i = 0; i < 30; i++)
		buf_puts(&b, "d(");
	buf_puts(&b, "pid");
	for (int i = 0; i < 30; i++)
		buf_puts(&b, ")");
	buf_puts(&b, ") }");
	struct outcome o;
	run(&o, buf_str(&b));
	CHECK(!o.ok && strstr(buf_str(&o.text), "macros expand to too much text"));
	done(&o);
	buf_clear(&b);
	for (int i = 0; i < 60; i++)
		buf_printf(&b, "#define A%d A%d + A%d\n", i, i + 1, i + 1);
	buf_puts(&b, "#define A60 1\nbegin { print(A0) }");
	run(&o, buf_str(&b));
	CHECK(!o.ok);
	done(&o);
	buf_free(&b);
}

/* Time grows with the length of the script. */
static void test_long_script(void)
{
	struct buf b = {0};
	buf_puts(&b, "begin {\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "@m%d[%d] = %d; $v%d = @m%d[1] + 1;\n", i % 100, i, i, i, i % 100);
	buf_puts(&b, "}");
	struct outcome o;
	run(&o, buf_str(&b));
	CHECK(o.ok);
	done(&o);
	buf_free(&b);
}

int main(void)
{
	struct arena *a = arena_create();
	char root[] = "/tmp/spile-test-XXXXXX";
	CHECK(mkdtemp(root) != NULL);
	struct err *e = world_open(a, root, &world);
	CHECK(!e);
	test_integers();
	test_other_types();
	test_maps();
	test_folding();
	test_errors();
	test_warnings();
	test_scopes();
	test_layout();
	test_bits();
	test_preprocessor();
	test_macros();
	test_explosion();
	test_long_script();
	world_close(world);
	rmdir(root);
	arena_destroy(a);
	return test_end();
}
