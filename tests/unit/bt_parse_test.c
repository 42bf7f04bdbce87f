/* bt_parse_test.c - bpftrace scripts as trees: what is read, what is refused and how it is said. */
#include <stdlib.h>

#include "lang/bt/ast.h"
#include "test.h"

struct outcome {
	struct arena *a;
	struct diags diags;
	struct buf text; /* diagnostics, then the tree */
	bool ok;
};

static struct outcome read_script(const char *text, const char *const *params, unsigned nparams)
{
	struct outcome o = {.a = arena_create()};
	struct source src = {.name = "stdin", .text = text, .len = strlen(text)};
	struct lang_input in = {
		.src = &src, .arena = o.a, .params = params, .nparams = nparams, .diags = &o.diags};
	diags_init(&o.diags, o.a);
	struct bt_script *s = bt_parse(&in);
	if (s) {
		bt_config(&in, s, &in.opt);
		bt_points(&in, s);
	}
	o.ok = s && !o.diags.errors;
	for (size_t i = 0; i < o.diags.list.len; i++)
		bt_render(&o.diags.list.at[i], &o.text, false);
	if (o.ok)
		bt_dump(s, false, &o.text);
	return o;
}

static void outcome_free(struct outcome *o)
{
	buf_free(&o->text);
	diags_free(&o->diags);
	arena_destroy(o->a);
}

static void tree(const char *script, const char *want)
{
	struct outcome o = read_script(script, NULL, 0);
	CHECK_STR(buf_str(&o.text), want);
	outcome_free(&o);
}

/* The statements of one handler. */
static void body(const char *statements, const char *want)
{
	char *script = xasprintf("begin { %s }", statements), *all = xasprintf("probe begin\n%s", want);
	tree(script, all);
	base_free(script);
	base_free(all);
}

/* Two statements that read alike. */
static void same(const char *a, const char *b)
{
	char *first = xasprintf("begin { %s }", a), *second = xasprintf("begin { %s }", b);
	struct outcome x = read_script(first, NULL, 0), y = read_script(second, NULL, 0);
	CHECK(x.ok);
	CHECK_STR(buf_str(&x.text), buf_str(&y.text));
	outcome_free(&x);
	outcome_free(&y);
	base_free(first);
	base_free(second);
}

static void good(const char *script)
{
	struct outcome o = read_script(script, NULL, 0);
	if (!o.ok)
		printf("%s\n%s", script, buf_str(&o.text));
	CHECK(o.ok);
	outcome_free(&o);
}

#define bad tree

static void test_precedence(void)
{
	same("@ = 1 + 2 * 3", "@ = 1 + (2 * 3)");
	same("@ = 1 - 2 - 3", "@ = (1 - 2) - 3");
	same("@ = 1 | 2 ^ 3 & 4 == 5 < 6 << 7 + 8", "@ = 1 | (2 ^ (3 & (4 == (5 < (6 << (7 + 8))))))");
	same("@ = 1 || 2 && 3", "@ = 1 || (2 && 3)");
	same("@ = $1 ? 2 : $# ? 3 : 4", "@ = $1 ? 2 : ($# ? 3 : 4)");
	same("@ = -@a.x", "@ = -(@a.x)");
	same("@ = *@p + 1", "@ = (*@p) + 1");
	same("@ = ~!-1", "@ = ~(!(-1))");
	same("@ = &@m + 1", "@ = (&@m) + 1");
	same("@ = (uint8)@a + 1", "@ = ((uint8)@a) + 1");
	same("if $x { @ = 1 }", "if ($x) { @ = 1 }");
	same("@a[1, 2] = 3", "@a [ 1 , 2 ] = 3;");
	same("for $i : 1..3 { }", "for ($i : 1..3) { }");
}

static void test_literals(void)
{
	body("print(0x1F); print(017); print(1_000); print(2e3); print(5ms); print(18446744073709551615)",
	     "  do\n    call print\n      int 31\n  do\n    call print\n      int 15\n"
	     "  do\n    call print\n      int 1000\n  do\n    call print\n      int 2000\n"
	     "  do\n    call print\n      int 5000000\n  do\n    call print\n      int 18446744073709551615\n");
	body("print(\"a\\tb\\x41\\101\\\"\\\\\")",
	     "  do\n    call print\n      string \"a\\x09bAA\\\"\\\\\"\n");
	body("print(true); print(false)", "  do\n    call print\n      bool true\n"
					  "  do\n    call print\n      bool false\n");
}

static void test_places(void)
{
	body("$t = (1, \"b\"); $s = (1,); $e = (); $r = (x = 1, y = 2)",
	     "  assign\n    var $t\n    tuple\n      int 1\n      string \"b\"\n"
	     "  assign\n    var $s\n    tuple\n      int 1\n  assign\n    var $e\n    tuple\n"
	     "  assign\n    var $r\n    record x y\n      int 1\n      int 2\n");
	body("$x += 1; @m[1] <<= 2; $x++; --@m; &$x",
	     "  assign +=\n    var $x\n    int 1\n  assign <<=\n    map @m\n      int 1\n    int 2\n"
	     "  do\n    unary postfix ++\n      var $x\n  do\n    unary --\n      map @m\n"
	     "  do\n    unary &\n      var $x\n");
	body("$a.0.b->c[2]", "  do\n    index\n      field c\n        field b\n          element 0\n"
			     "            var $a\n      int 2\n");
	body("@a[pid].b", "  do\n    field b\n      map @a\n        name pid\n");
}

static void test_types(void)
{
	body("$p = (struct foo *)arg0; $q = (uint8[4])1; $r = (a) - 1; $s = (pid) - 1",
	     "  assign\n    var $p\n    cast struct foo*\n      name arg0\n"
	     "  assign\n    var $q\n    cast uint8[4]\n      int 1\n"
	     "  assign\n    var $r\n    cast a\n      unary -\n        int 1\n"
	     "  assign\n    var $s\n    binary -\n      name pid\n      int 1\n");
	body("print(sizeof(struct foo)); print(sizeof(foo)); print(sizeof(foo[2])); print(sizeof((foo[2])))",
	     "  do\n    call print\n      sizeof struct foo\n"
	     "  do\n    call print\n      sizeof\n        name foo\n"
	     "  do\n    call print\n      sizeof foo[2]\n"
	     "  do\n    call print\n      sizeof\n        index\n          name foo\n          int 2\n");
	body("print(offsetof(struct foo, a.b)); let $x : string[8] = \"a\"; let $y : typeof($x);",
	     "  do\n    call print\n      offsetof .a .b struct foo\n"
	     "  let string[8]\n    var $x\n    string \"a\"\n  let typeof\n    var $y\n    var $x\n");
}

static void test_statements(void)
{
	body("if (1) { $x = 1 } else if (2) { $x = 2 } else { $x = 3 }",
	     "  if\n    int 1\n    assign\n      var $x\n      int 1\n  else\n    if\n      int 2\n"
	     "      assign\n        var $x\n        int 2\n    else\n      assign\n        var $x\n        int 3\n");
	body("$y = { let $t = 3; $t + 1 }",
	     "  assign\n    var $y\n    block\n      let\n        var $t\n        int 3\n      value\n"
	     "        binary +\n          var $t\n          int 1\n");
	body("$y = if (1) { 2 } else { 3 }", "  assign\n    var $y\n    if\n      int 1\n      value\n"
					     "        int 2\n    else\n      value\n        int 3\n");
	body("for ($kv : @m) { break } for ($i : 0..(1+1)) { continue } while (1) { return } unroll (2) { }",
	     "  for map\n    var $kv\n    map @m\n    break\n"
	     "  for range\n    var $i\n    int 0\n    binary +\n      int 1\n      int 1\n    continue\n"
	     "  while\n    int 1\n    return\n  unroll\n    int 2\n");
	body("_ = 5; return 7", "  discard\n    int 5\n  return\n    int 7\n");
	body("{ { print(1) } }", "  block\n    block\n      do\n        call print\n          int 1\n");
}

static void test_top_level(void)
{
	tree("#!/usr/bin/env bpftrace\n// a\n#define A 1\nstruct s { int x; };\n/* b */\n"
	     "config = { max_strlen = 32; license = \"GPL\" }\nlet @m = hash(10);\nbegin,end,{ }",
	     "c #define A 1\nc struct s \nconfig max_strlen = 32\nconfig license = GPL\n"
	     "map @m = hash(10)\nprobe begin end\n");
	tree("macro m($x, @y, z) { $x + 1 } begin /1/ { m(1) }",
	     "macro m\n  var $x\n  map @y\n  name z\n    value\n      binary +\n        var $x\n        int 1\n"
	     "probe begin\n  if\n    int 1\n  do\n    call m\n      int 1\n");
	good("fn f($a : int64, $b : struct foo *) : int64 { return $a; } begin { }");
	good("struct s { int x; } __attribute__((packed)) begin { }");
	good("kprobe:f,\nkprobe:g\n/ @a[1] / 2 > 1 /\n{ }");
	good("uprobe:/a/b:f / pid / 1 == 2 / { }");
	good("kprobe:f/pid/{ }");
}

static void test_points(void)
{
	good("BEGIN { } End { } KPROBE:f { } k:f { } kr:f { } tracepoint:a:b { } t:a:* { } rt:x { } i:ms:5 { }");
	good("p:hz:99 { } profile:5000 { } interval:1s { } s:cpu:100 { } h:cycles { } w:0x1000:8:rw { } U:/a:b:c { }");
	good("f:vfs_read { } kretfunc:mod:f { } it:task { } it:task:/pin { } test:one { } bench:two { }");
	good("uprobe:/a:cpp:\"f(int, char)\" { } uretprobe:\"/a b:c\":f { } name=kprobe:f { }");
	bad("kprobe { }", "stdin:1:1-7: ERROR: kprobe probe type requires 1 or 2 arguments, found 0\nkprobe { }\n~~~~~~\n");
	bad("kprob:f { }", "stdin:1:1-8: ERROR: Invalid probe type: kprob\nkprob:f { }\n~~~~~~~\nHINT: did you mean kprobe?\n");
	bad("interval:s:0 { }", "stdin:1:1-13: ERROR: interval frequency should be a positive integer\n"
				"interval:s:0 { }\n~~~~~~~~~~~~\n");
	bad("interval:y:1 { }", "stdin:1:1-13: ERROR: y is not an accepted unit of time\ninterval:y:1 { }\n~~~~~~~~~~~~\n");
	bad("profile:hz:x { }", "stdin:1:1-13: ERROR: Invalid rate of profile probe: invalid integer: x\n"
				"profile:hz:x { }\n~~~~~~~~~~~~\n");
	bad("kretprobe:f+1 { }", "stdin:1:1-14: ERROR: Offset not allowed\nkretprobe:f+1 { }\n~~~~~~~~~~~~~\n");
	bad("kprobe:f+1+2 { }", "stdin:1:1-13: ERROR: Cannot take more than one offset\nkprobe:f+1+2 { }\n~~~~~~~~~~~~\n");
	bad("kprobe:0x10 { }", "stdin:1:1-12: ERROR: Probing by address requires --unsafe\nkprobe:0x10 { }\n~~~~~~~~~~~\n");
	bad("watchpoint:1:3:w { }", "stdin:1:1-17: ERROR: watchpoint length must be one of (1,2,4,8)\n"
				    "watchpoint:1:3:w { }\n~~~~~~~~~~~~~~~~\n");
	bad("watchpoint:1:8:r { }", "stdin:1:1-17: ERROR: invalid watchpoint mode: r\n"
				    "watchpoint:1:8:r { }\n~~~~~~~~~~~~~~~~\nHINT: supported modes: w,rw,x\n");
	bad("iter:task* { }", "stdin:1:1-11: ERROR: iter probe type does not support wildcards\niter:task* { }\n~~~~~~~~~~\n");
	bad("self:signal:SIGINT { }", "stdin:1:1-19: ERROR: SIGINT is not a supported signal\n"
				      "self:signal:SIGINT { }\n~~~~~~~~~~~~~~~~~~\n");
	bad("test:a { } test:a { }", "stdin:1:12-18: ERROR: \"a\" was used as the name for more than one TEST probe\n"
				     "test:a { } test:a { }\n           ~~~~~~\n");
}

static void test_params(void)
{
	static const char *const params[] = {"vfs_read", "5"};
	struct outcome o = read_script("kprobe:$1 { } i:s:$2 { }", params, 2);
	CHECK(o.ok);
	outcome_free(&o);
	o = read_script("i:s:$3 { }", params, 2);
	CHECK(!o.ok);
	outcome_free(&o);
	bad("uprobe:/a:$x { }",
	    "stdin:1:1-13: ERROR: invalid trailing character for positional param: x. Try quoting this entire part if "
	    "this is intentional e.g. \"$x\".\nuprobe:/a:$x { }\n~~~~~~~~~~~~\n"
	    "stdin:1:1-13: ERROR: No attach points for probe\nuprobe:/a:$x { }\n~~~~~~~~~~~~\n");
}

static void test_syntax_errors(void)
{
	bad("begin { 1 + }", "stdin:1:13-14: ERROR: syntax: expected expression\nbegin { 1 + }\n            ~\n");
	bad("begin { $a = 1 $b = 2 }", "stdin:1:16-18: ERROR: syntax: expected ';'\nbegin { $a = 1 $b = 2 }\n               ~~\n");
	bad("begin { \"abc }", "stdin:1:15-15: ERROR: syntax: unterminated string\nbegin { \"abc }\n              \n");
	bad("begin { \"\\q\" }", "stdin:1:11-12: ERROR: syntax: invalid escape character '\\q'\nbegin { \"\\q\" }\n          ~\n");
	bad("begin { 5xyz }", "stdin:1:10-13: ERROR: syntax: invalid integer suffix 'xyz'\nbegin { 5xyz }\n         ~~~\n");
	bad("begin { 0899 }", "stdin:1:9-13: ERROR: syntax: invalid trailing bytes: 0899\nbegin { 0899 }\n        ~~~~\n");
	bad("begin { 1_ }", "stdin:1:10-11: ERROR: syntax: trailing underscore in integer literal\nbegin { 1_ }\n         ~\n");
	bad("begin { 99999999999999999999 }",
	    "stdin:1:9-29: ERROR: syntax: overflow error, maximum value is 18446744073709551615: 99999999999999999999\n"
	    "begin { 99999999999999999999 }\n        ~~~~~~~~~~~~~~~~~~~~\n");
	bad("begin { $0 }", "stdin:1:9-11: ERROR: syntax: param $0 is out of integer range [1, 9223372036854775807]\n"
			    "begin { $0 }\n        ~~\n");
	bad("begin { $t.0 = 1 }",
	    "stdin:1:9-17: ERROR: syntax: Tuples and records are immutable once created. Consider creating a new value "
	    "and assigning it instead.\nbegin { $t.0 = 1 }\n        ~~~~~~~~\n");
	bad("begin { 1++ }", "stdin:1:10-12: ERROR: syntax: increment/decrement requires a variable or map\n"
			     "begin { 1++ }\n         ~~\n");
	bad("begin { &5 }", "stdin:1:10-11: ERROR: syntax: address-of operator (&) can only be used on a map or variable\n"
			    "begin { &5 }\n         ~\n");
	bad("begin {", "stdin:1:8-8: ERROR: syntax: expected '}'\nbegin {\n       \n");
	bad("\tbegin { for (x : 1) { } }", "stdin:1:15-16: ERROR: syntax: expected variable in for loop\n"
					    "    begin { for (x : 1) { } }\n                 ~\n");
	bad("begin { } config = { }", "stdin:1:11-17: ERROR: syntax: config must appear before probes and functions\n"
				      "begin { } config = { }\n          ~~~~~~\n");
	bad("begin { }\n#define A 1\n", "stdin:2-3: ERROR: syntax: C definitions must appear before probes and "
				       "functions\n#define A 1\n\n");
	bad("let $x = 1;", "stdin:1:5-7: ERROR: syntax: root-level let statements need to be map declarations, e.g. let "
			   "@a = hash(2);\nlet $x = 1;\n    ~~\n");
}

static void test_config(void)
{
	bad("config = { bad_config = raw } begin { }",
	    "stdin:1:12-28: ERROR: bad_config: not a known configuration option\n"
	    "config = { bad_config = raw } begin { }\n           ~~~~~~~~~~~~~~~~\n");
	bad("config = { max_strle = 5 } begin { }",
	    "stdin:1:12-25: ERROR: max_strle: not a known configuration option\n"
	    "config = { max_strle = 5 } begin { }\n           ~~~~~~~~~~~~~\nHINT: did you mean max_strlen?\n");
	bad("config = { stack_mode = \"x\" } begin { }",
	    "stdin:1:12-28: ERROR: stack_mode: Invalid value for stack_mode: valid values are bpftrace, raw, perf, and "
	    "build_id.\nconfig = { stack_mode = \"x\" } begin { }\n           ~~~~~~~~~~~~~~~~\n");
	good("config = { BPFTRACE_STACK_MODE = raw; missing_probes = Warn; cpp_demangle = no; unstable_tseries = enable; } "
	     "begin { }");
}

/* Scripts come from outside: depth is bounded, with a message. */
static void test_depth(void)
{
	static const struct {
		const char *open, *middle, *close;
	} shapes[] = {{"(", "1", ")"}, {"{", "", "}"}, {"-", "1", ""}, {"1+", "1", ""}, {"1?1:", "1", ""},
		      {"if (1) {", "", "}"}, {"@a[", "1", "]"}, {"f(", "1", ")"}, {"$a.b.", "c", ""}};
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct buf b = {0};
		buf_puts(&b, "begin { @ = ");
		for (unsigned k = 0; k < 20000; k++)
			buf_puts(&b, shapes[i].open);
		buf_puts(&b, shapes[i].middle);
		for (unsigned k = 0; k < 20000; k++)
			buf_puts(&b, shapes[i].close);
		buf_puts(&b, " }");
		struct outcome o = read_script(buf_str(&b), NULL, 0);
		CHECK(!o.ok && o.diags.errors == 1);
		outcome_free(&o);
		buf_free(&b);
	}
}

int main(void)
{
	test_precedence();
	test_literals();
	test_places();
	test_types();
	test_statements();
	test_top_level();
	test_points();
	test_params();
	test_syntax_errors();
	test_config();
	test_depth();
	return test_end();
}
