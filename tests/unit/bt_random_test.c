/*
 * bt_random_test.c - random scripts of bpftrace's language: the kernel, the interpreter and the interpreter on IR that
 * no pass has touched leave the same variables behind.  The kernel refuses none of them.
 *
 *   bt_random_test [seed [count]]     with SHOW=1 the script of a failure, with PRINT=1 scripts only
 */
#include <stdlib.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/rows.h"
#include "ir/ir.h"
#include "lang/lang.h"
#include "output/output.h"
#include "test.h"

/* --- scripts ------------------------------------------------------------------------------------------------------ */

enum { INTS = 5, STRS = 3, DEPTH = 4 };

struct gen {
	uint64_t state;
	struct buf text;
	unsigned loops, counters, in_map_loop;
};

static unsigned rnd(struct gen *g, unsigned n)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return (unsigned)((g->state >> 20) % n);
}

#define T(...) buf_printf(&g->text, __VA_ARGS__)

static void int_expr(struct gen *g, unsigned depth);
static void stmts(struct gen *g, unsigned depth, unsigned n);

static void literal(struct gen *g)
{
	static const char *const odd[] = {"0", "1", "-1", "255", "256", "-128", "0x7fffffff", "0x80000000", "0xffffffff",
					  "0x7fffffffffffffff", "-9223372036854775807", "65535"};
	if (rnd(g, 3))
		T("%d", (int)rnd(g, 40) - 10);
	else
		T("%s", odd[rnd(g, ARRAY_SIZE(odd))]);
}

static void str_expr(struct gen *g, unsigned depth)
{
	switch (rnd(g, depth ? 7 : 3)) {
	case 0:
		T("\"");
		for (unsigned n = rnd(g, 20); n; n--)
			T("%c", 'a' + rnd(g, 4));
		T("\"");
		break;
	case 1: T("$s%u", rnd(g, STRS)); break;
	case 2: T("@s"); break;
	case 3:
		T("@hs[");
		int_expr(g, 0);
		T(" & 3]");
		break;
	case 4:
		T("(");
		int_expr(g, depth - 1);
		T(" > 0 ? ");
		str_expr(g, depth - 1);
		T(" : ");
		str_expr(g, depth - 1);
		T(")");
		break;
	case 5:
		T("str($s%u, %u)", rnd(g, STRS), 1 + rnd(g, 30));
		break;
	default:
		T("(1, $s%u).1", rnd(g, STRS));
	}
}

/* What is true or false. */
static void condition(struct gen *g, unsigned depth)
{
	static const char *const cmp[] = {"<", "<=", ">", ">=", "==", "!="};
	switch (rnd(g, depth ? 8 : 2)) {
	default:
		int_expr(g, depth ? depth - 1 : 0);
		T(" %s ", cmp[rnd(g, 6)]);
		int_expr(g, depth ? depth - 1 : 0);
		break;
	case 2:
		str_expr(g, depth - 1);
		T(" %s ", cmp[4 + rnd(g, 2)]);
		str_expr(g, depth - 1);
		break;
	case 3:
		T("(");
		condition(g, depth - 1);
		T(" %s ", rnd(g, 2) ? "&&" : "||");
		condition(g, depth - 1);
		T(")");
		break;
	case 4:
		T("!(");
		condition(g, depth - 1);
		T(")");
		break;
	case 5:
		T("has_key(@h, ");
		int_expr(g, depth - 1);
		T(" & 7)");
		break;
	case 6:
		T("strncmp(");
		str_expr(g, depth - 1);
		T(", ");
		str_expr(g, depth - 1);
		T(", %u) == 0", 1 + rnd(g, 12));
		break;
	}
}

static void binary(struct gen *g, unsigned depth)
{
	static const char *const op[] = {"+", "-", "*", "&", "|", "^"};
	T("(");
	int_expr(g, depth);
	switch (rnd(g, 8)) {
	case 0:
	case 1:
		T(" %s (", rnd(g, 2) ? "<<" : ">>");
		int_expr(g, depth);
		T(" & 63))");
		break;
	case 2:
		T(" %s (", rnd(g, 2) ? "/" : "%");
		int_expr(g, depth);
		T(" | 1))");
		break;
	default:
		T(" %s ", op[rnd(g, 6)]);
		int_expr(g, depth);
		T(")");
	}
}

static void place(struct gen *g)
{
	switch (rnd(g, 3)) {
	case 0: T("$i%u", rnd(g, INTS)); break;
	case 1: T("@m%u", rnd(g, 2)); break;
	default:
		T("@h[");
		int_expr(g, 0);
		T(" & 7]");
	}
}

static void int_expr(struct gen *g, unsigned depth)
{
	static const char *const casts[] = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64"};
	switch (rnd(g, depth ? 16 : 3)) {
	case 0: literal(g); break;
	case 1: T("$i%u", rnd(g, INTS)); break;
	case 2: T("@m%u", rnd(g, 2)); break;
	case 3:
		T("@h[");
		int_expr(g, depth - 1);
		T(" & 7]");
		break;
	case 4:
		T("((int64)((%s)(", casts[rnd(g, ARRAY_SIZE(casts))]);
		int_expr(g, depth - 1);
		T(")))");
		break;
	case 5:
		T("(");
		condition(g, depth - 1);
		T(" ? ");
		int_expr(g, depth - 1);
		T(" : ");
		int_expr(g, depth - 1);
		T(")");
		break;
	case 6:
		T("%s(", rnd(g, 2) ? "-" : "~");
		int_expr(g, depth - 1);
		T(")");
		break;
	case 7:
		T("(");
		int_expr(g, depth - 1);
		T(", ");
		str_expr(g, depth - 1);
		T(", ");
		int_expr(g, depth - 1);
		T(").%u", rnd(g, 2) * 2);
		break;
	case 8:
		T("(int64)strlen(");
		str_expr(g, depth - 1);
		T(")");
		break;
	case 9:
		T("@t[");
		int_expr(g, depth - 1);
		T(" & 1, ");
		str_expr(g, 0);
		T("]");
		break;
	case 10:
		T("@u[");
		int_expr(g, 0);
		T(" & 3].%u", rnd(g, 2) * 2);
		break;
	case 11:
		if (g->in_map_loop) {
			literal(g);
			break;
		}
		T("(");
		place(g);
		T("%s)", rnd(g, 2) ? "++" : "--");
		break;
	default: binary(g, depth - 1);
	}
}

static void assign(struct gen *g, unsigned depth)
{
	static const char *const ops[] = {"=", "=", "=", "+=", "-=", "*=", "&=", "|=", "^="};
	switch (rnd(g, 9)) {
	case 0: T("$s%u = ", rnd(g, STRS)), str_expr(g, depth); break;
	case 1: T("@s = "), str_expr(g, depth); break;
	case 2:
		T("@hs[");
		int_expr(g, depth - 1);
		T(" & 3] = ");
		str_expr(g, depth);
		break;
	case 3:
		T("@t[");
		int_expr(g, depth - 1);
		T(" & 1, ");
		str_expr(g, 1);
		T("] = ");
		int_expr(g, depth);
		break;
	case 4:
		T("@u[");
		int_expr(g, depth - 1);
		T(" & 3] = (");
		int_expr(g, depth - 1);
		T(", ");
		str_expr(g, depth - 1);
		T(", ");
		int_expr(g, depth - 1);
		T(")");
		break;
	default:
		place(g);
		T(" %s ", ops[rnd(g, ARRAY_SIZE(ops))]);
		int_expr(g, depth);
	}
	T(";\n");
}

static void aggregate(struct gen *g, unsigned depth)
{
	static const char *const fn[] = {"sum", "min", "max", "avg", "stats", "hist", "lhist"};
	unsigned i = rnd(g, 8);
	bool keyed = rnd(g, 2);
	T("@a%s%u", keyed ? "k" : "", i);
	if (keyed) {
		T("[");
		int_expr(g, depth - 1);
		T(" & 3]");
	}
	if (i == 7) {
		T(" = count();\n");
		return;
	}
	T(" = %s(", fn[i]);
	int_expr(g, depth);
	T("%s);\n", i == 6 ? ", 0, 100, 10" : "");
}

static void loop(struct gen *g, unsigned depth)
{
	unsigned id = g->counters++;
	g->loops++;
	switch (rnd(g, 4)) {
	case 0:
		T("let $c%u = 0;\nwhile ($c%u < %u) {\n$c%u++;\n", id, id, 1 + rnd(g, 12), id);
		stmts(g, depth - 1, 2);
		break;
	case 1:
		T("for ($f%u : %u..%u) {\n$i%u += $f%u;\n", id, rnd(g, 3), rnd(g, 15), rnd(g, INTS), id);
		stmts(g, depth - 1, 2);
		break;
	case 2: /* in any order: what is done must not depend on it */
		T("for ($kv%u : @h) {\n$i%u += (int64)$kv%u.0 ^ (int64)$kv%u.1;\n@n = count();\n", id, rnd(g, INTS), id, id);
		break;
	default:
		T("unroll (%u) {\n", 1 + rnd(g, 4));
		stmts(g, depth - 1, 1);
		T("}\n");
		g->loops--;
		return;
	}
	if (!rnd(g, 3) && g->text.data[g->text.len - 2] != '{' && id % 2) {
		T("if (");
		condition(g, 1);
		T(") { %s; }\n", rnd(g, 2) ? "break" : "continue");
	}
	T("}\n");
	g->loops--;
}

static void stmt(struct gen *g, unsigned depth)
{
	switch (rnd(g, depth ? 10 : 5)) {
	default: assign(g, DEPTH - (depth < 2)); break;
	case 3:
	case 4: aggregate(g, 2); break;
	case 5:
	case 6:
		T("if (");
		condition(g, 2);
		T(") {\n");
		stmts(g, depth - 1, 2);
		if (rnd(g, 2)) {
			T("} else {\n");
			stmts(g, depth - 1, 2);
		}
		T("}\n");
		break;
	case 7:
		T("delete(@h, ");
		int_expr(g, 1);
		T(" & 7);\n");
		break;
	case 8:
	case 9:
		if (g->loops < 2)
			loop(g, depth);
	}
}

static void stmts(struct gen *g, unsigned depth, unsigned n)
{
	for (unsigned i = 0; i < 1 + rnd(g, n); i++)
		stmt(g, depth);
}

static void script(struct gen *g)
{
	T("BEGIN {\n");
	for (unsigned i = 0; i < INTS; i++)
		T("let $i%u : int64 = %d;\n", i, (int)rnd(g, 100) - 30);
	for (unsigned i = 0; i < STRS; i++)
		T("let $s%u : string[32] = \"%.*s\";\n", i, (int)rnd(g, 8), "abcdabcd");
	T("@m0 = (int64)1; @m1 = (int64)0; @s = $s0; @h[(int64)0] = (int64)1; @hs[(int64)0] = $s0; "
	  "@t[(int64)0, $s0] = (int64)0; @u[(int64)0] = ((int64)0, $s0, (int64)0);\n");
	stmts(g, 3, 8);
	for (unsigned i = 0; i < INTS; i++)
		T("@vi[%u] = $i%u;\n", i, i);
	for (unsigned i = 0; i < STRS; i++)
		T("@vs[%u] = $s%u;\n", i, i);
	T("}\n");
}

/* --- one script, compiled and run ------------------------------------------------------------------------------- */

enum how { KERNEL, INTERPRETER, INTERPRETER_PLAIN, WAYS };
static const char *const names[] = {"kernel", "interpreter", "interpreter without passes"};

struct outcome {
	bool compiled;
	struct err *err;
	char *text; /* all variables, lines sorted; NULL: it did not run */
};

static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The rows of a map come in no order. */
static char *sorted(char *text)
{
	VEC(char *) line = {0};
	struct buf b = {0};
	char *save = NULL;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		vec_push(&line, l);
	if (line.len)
		qsort(line.at, line.len, sizeof(line.at[0]), by_text);
	vec_each(l, &line)
		buf_printf(&b, "%s\n", *l);
	vec_free(&line);
	return b.data ? b.data : xstrdup("");
}

static char *variables(struct session *s, struct program *p)
{
	struct output_env env = {.prog = p};
	struct exporter *x = exporter_create(&output_bt_text, STDOUT_FILENO, &env);
	x->buffering = OUTPUT_FULL;
	vec_each(v, &p->var) {
		struct map_rows rows;
		struct err *e = (*v)->value ? events_read_var(s, *v, &rows) : NULL;
		if (!(*v)->value || e) {
			err_free(e);
			continue;
		}
		x->ops->var(x, *v, &rows, 0, 0, true);
		map_rows_free(&rows);
	}
	char *text = sorted(x->out.data ? x->out.data : (char[]){""});
	buf_clear(&x->out);
	exporter_destroy(x);
	return text;
}

static struct program *compile(struct source *src, struct world *w, struct diags *d)
{
	struct lang_input in = {
		.src = src,
		.arena = w->arena,
		.diags = d,
		.world = w,
		.opt = {.max_map_keys = 4096, .max_strlen = 1024, .stack_limit = 127, .str_trunc_trailer = "..",
			.license = "GPL", .print_maps_on_exit = true, .max_progs = 1024, .max_probes = 1024},
	};
	struct program *p = lang_bt.compile(&in);
	if (p)
		program_finish(p);
	return p;
}

static void go(struct program *p, struct world *w, enum how how, struct outcome *o)
{
	struct session_options so = {0};
	struct session *s = NULL;
	if (how != INTERPRETER_PLAIN)
		vec_each(fn, &p->fn)
			ir_optimize(*fn, NULL, NULL, NULL);
	if (how != KERNEL) /* nothing is loaded then */
		vec_each(probe, &p->probe)
			(*probe)->kind = PROG_USER;
	o->err = session_create(p, w, &so, &s);
	if (!o->err)
		o->err = how == KERNEL ? session_run_begin(s, NULL, NULL) : session_run_user(s, p->probe.at[0]);
	if (!o->err)
		o->text = variables(s, p);
	session_destroy(s);
}

static void run(const char *text, enum how how, struct outcome *o)
{
	struct arena *a = arena_create();
	struct source src = {.name = "random", .text = text, .len = strlen(text)};
	struct world *w = NULL;
	struct diags d;
	*o = (struct outcome){0};
	diags_init(&d, a);
	o->err = world_open(a, "", &w);
	struct program *p = o->err ? NULL : (features_probe(w), compile(&src, w, &d));
	o->compiled = p && !d.errors;
	if (o->compiled)
		go(p, w, how, o);
	else if (getenv("SHOW"))
		vec_each(it, &d.list)
			printf("%s\n", it->msg);
	if (p)
		program_free(p);
	diags_free(&d);
	if (w)
		world_close(w);
	arena_destroy(a);
}

/* A plain program may be too large for a frame; the passes make it fit. */
static bool is_excused(const struct outcome *o, enum how how)
{
	return how == INTERPRETER_PLAIN && o->err && strstr(o->err->msg, "stack");
}

static bool one(uint64_t seed, unsigned *compiled)
{
	struct gen g = {.state = seed * 0x9e3779b97f4a7c15ull | 1};
	struct outcome o[WAYS];
	bool ok = true;
	script(&g);
	for (unsigned how = 0; how < WAYS; how++)
		run(buf_str(&g.text), how, &o[how]);
	*compiled += o[KERNEL].compiled;
	for (unsigned how = 0; how < WAYS && o[KERNEL].compiled; how++) {
		bool same = o[how].text && o[KERNEL].text && !strcmp(o[how].text, o[KERNEL].text);
		if (same || is_excused(&o[how], how))
			continue;
		ok = false;
		printf("seed %llu, %s: %s\n%s\n", (unsigned long long)seed, names[how], o[how].err ? o[how].err->msg : "differs",
		       getenv("SHOW") && o[how].text ? o[how].text : "");
		if (o[how].err && o[how].err->log && getenv("SHOW"))
			printf("%s\n", o[how].err->log);
	}
	if (getenv("PRINT") || (getenv("SHOW") && !(ok && o[KERNEL].compiled)))
		printf("%s\n%s", buf_str(&g.text), getenv("PRINT") && o[KERNEL].text ? o[KERNEL].text : "");
	for (unsigned how = 0; how < WAYS; how++) {
		err_free(o[how].err);
		free(o[how].text);
	}
	buf_free(&g.text);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 60, compiled = 0;
	struct outcome o;
	run("BEGIN { @ = 1; }", KERNEL, &o);
	if (o.err) {
		printf("no BPF here: %s\n", o.err->msg);
		return 77;
	}
	free(o.text);
	for (unsigned i = 0; i < count && checks_failed < 5; i++)
		CHECK(one(seed + i, &compiled));
	printf("%u of %u compiled\n", compiled, count);
	CHECK(checks_failed || compiled * 10 >= count * 9);
	return test_end();
}
