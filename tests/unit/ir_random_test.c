/*
 * Random functions mean the same before and after the passes, in any order of passes, and after a
 * trip through the text.  `ir_random_test SEED [COUNT]` repeats a run; a failure prints its seed.
 */
#include <stdlib.h>

#include "ir/program.h"
#include "test.h"

enum {
	NSCALAR = 5,
	NNARROW = 2,
	NREGION = 3,
	REGION = 32,
	MAP_BYTES = 64,
	MAX_POOL = 64,
	MAX_STEPS = 20000,
};
/* Helpers that the fake kernel below knows beside the stable ones. */
enum {
	LOOKUP = 1,
	UNSTABLE = 5,
	SCRIBBLE = 112
};

struct gen {
	uint64_t rng;
	struct program *prog;
	struct map *map;
	struct ir_builder b;
	ir_ref pool[MAX_POOL];
	unsigned npool;
	ir_ref scalar[NSCALAR], narrow[NNARROW], region[NREGION];
	struct ir_fn *sub;
	unsigned depth, budget;
};

static uint64_t rnd(struct gen *g)
{
	g->rng ^= g->rng << 13;
	g->rng ^= g->rng >> 7;
	g->rng ^= g->rng << 17;
	return g->rng * 0x2545f4914f6cdd1dull >> 8;
}

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)(rnd(g) % n);
}

static ir_ref add_pool(struct gen *g, ir_ref r)
{
	if (g->npool < MAX_POOL)
		g->pool[g->npool++] = r;
	return r;
}

static ir_ref some_const(struct gen *g)
{
	static const int64_t interesting[] = {
		0,   1,   2,     -1,        7,          8,         63,        64,
		255, 256, 65535, INT32_MAX, UINT32_MAX, INT64_MIN, INT64_MAX,
	};
	if (below(g, 3))
		return ir_const(&g->b, interesting[below(g, ARRAY_SIZE(interesting))]);
	return ir_const(&g->b, (int64_t)rnd(g));
}

static ir_ref value(struct gen *g)
{
	return g->npool && below(g, 4) ? g->pool[below(g, g->npool)] : some_const(g);
}

static unsigned some_width(struct gen *g)
{
	return 1u << below(g, 4);
}

/* --- statements
 * ------------------------------------------------------------------------------------ */

static void compute(struct gen *g)
{
	enum ir_op op = (enum ir_op)(IR_ADD + below(g, IR_SLE - IR_ADD + 1));
	ir_ref x = value(g), y = value(g);
	if (op == IR_SEXT || op == IR_ZEXT)
		add_pool(g, ir_ext(&g->b, x, some_width(g), op == IR_SEXT));
	else if (op == IR_BSWAP)
		add_pool(g, ir_bswap(&g->b, x, 2u << below(g, 3)));
	else if (op == IR_NEG || op == IR_NOT)
		add_pool(g, ir_un(&g->b, op, x));
	else
		add_pool(g, ir_bin(&g->b, op, x, y));
}

static void choose(struct gen *g)
{
	ir_ref c = value(g), x = value(g), y = value(g);
	add_pool(g, ir_select(&g->b, c, x, y));
}

static void scalar(struct gen *g)
{
	ir_ref s = g->scalar[below(g, NSCALAR)];
	if (below(g, 2))
		ir_store(&g->b, s, 0, 8, value(g));
	else
		add_pool(g, ir_load(&g->b, s, 0, 8, false));
}

static void narrow(struct gen *g)
{
	unsigned n = below(g, NNARROW), width = n ? 4 : 1;
	if (below(g, 2))
		ir_store(&g->b, g->narrow[n], 0, width, value(g));
	else
		add_pool(g, ir_load(&g->b, g->narrow[n], 0, width, below(g, 2)));
}

/* An address of `width` bytes of a region or of the map, and an offset. */
static ir_ref address(struct gen *g, unsigned width, int64_t *off)
{
	unsigned which = below(g, NREGION + 1);
	uint32_t size = which == NREGION ? MAP_BYTES : REGION;
	*off = below(g, size / width) * width;
	ir_ref p = which == NREGION ? ir_mapval(&g->b, g->map, 0) : g->region[which];
	if (below(g, 3))
		return p;
	int64_t part = *off;
	*off = 0;
	return ir_bini(&g->b, IR_ADD, p, part);
}

static void memory(struct gen *g)
{
	unsigned width = some_width(g);
	int64_t off;
	ir_ref p = address(g, width, &off);
	if (below(g, 2))
		ir_store(&g->b, p, off, width, value(g));
	else
		add_pool(g, ir_load(&g->b, p, off, width, below(g, 2)));
}

static void atomic(struct gen *g)
{
	int64_t off;
	unsigned width = 4u << below(g, 2);
	ir_ref p = address(g, width, &off);
	enum ir_op op = (enum ir_op)(IR_ATOMIC_ADD + below(g, 4));
	if (op == IR_ATOMIC_ADD) {
		ir_atomic_add(&g->b, p, off, width, value(g));
		return;
	}
	ir_ref v = value(g), w = value(g);
	ir_ref old = ir_atomic(&g->b, op, p, off, width, v, w);
	if (below(g, 2))
		add_pool(g, old);
}

static void move_bytes(struct gen *g)
{
	unsigned from = below(g, NREGION), to = below(g, NREGION);
	uint32_t n = 1 + below(g, REGION);
	if (from == to)
		ir_zero(&g->b, g->region[to], n);
	else
		ir_copy(&g->b, g->region[to], g->region[from], n);
}

static void call(struct gen *g)
{
	static const int stable[] = {14, 15, 35, 8};
	ir_ref r, x = value(g), y = value(g), p = g->region[below(g, NREGION)];
	switch (below(g, 6)) {
	case 0: r = ir_helper(&g->b, UNSTABLE, x); break;
	case 1: r = ir_helper(&g->b, LOOKUP, ir_map(&g->b, g->map), p); break;
	case 2: r = ir_helper(&g->b, SCRIBBLE, p, x); break;
	case 3: r = ir_rt(&g->b, "scribble", p, y); break;
	case 4: r = ir_call(&g->b, g->sub, x, y); break;
	default: r = ir_helper(&g->b, stable[below(g, ARRAY_SIZE(stable))]); break;
	}
	add_pool(g, r);
}

static void context(struct gen *g)
{
	unsigned width = some_width(g);
	int64_t off = below(g, 32 / width) * width;
	add_pool(g, ir_load(&g->b, ir_param(&g->b, 0), off, width, below(g, 2)));
}

static void statements(struct gen *g, unsigned n);

static void conditional(struct gen *g)
{
	bool has_else = below(g, 2);
	uint32_t then = ir_block_new(&g->b, "then"), end = ir_block_new(&g->b, "end");
	uint32_t other = has_else ? ir_block_new(&g->b, "else") : end;
	ir_br(&g->b, value(g), then, other);
	unsigned keep = g->npool;
	ir_at(&g->b, then);
	statements(g, 1 + below(g, 4));
	if (!below(g, 8))
		ir_ret(&g->b, value(g));
	ir_jmp(&g->b, end);
	g->npool = keep;
	if (has_else) {
		ir_at(&g->b, other);
		statements(g, 1 + below(g, 4));
		ir_jmp(&g->b, end);
		g->npool = keep;
	}
	ir_at(&g->b, end);
}

/* t = a && b as front ends write it, then a branch on it */
static void short_circuit(struct gen *g)
{
	ir_ref t = ir_slot(&g->b, 8);
	uint32_t yes = ir_block_new(&g->b, "both"), no = ir_block_new(&g->b, "not"),
		 end = ir_block_new(&g->b, "and");
	ir_ref a = value(g), b = value(g);
	ir_br(&g->b, a, yes, no);
	ir_at(&g->b, yes);
	ir_store(&g->b, t, 0, 8, ir_bini(&g->b, IR_NE, b, 0));
	ir_jmp(&g->b, end);
	ir_at(&g->b, no);
	ir_store(&g->b, t, 0, 8, ir_const(&g->b, 0));
	ir_jmp(&g->b, end);
	ir_at(&g->b, end);
	ir_ref v = ir_load(&g->b, t, 0, 8, false);
	if (below(g, 2))
		add_pool(g, v);
	uint32_t then = ir_block_new(&g->b, "then"), out = ir_block_new(&g->b, "out");
	ir_br(&g->b, ir_bini(&g->b, IR_NE, v, 0), then, out);
	unsigned keep = g->npool;
	ir_at(&g->b, then);
	statements(g, 1 + below(g, 3));
	ir_jmp(&g->b, out);
	g->npool = keep;
	ir_at(&g->b, out);
}

static void loop(struct gen *g)
{
	ir_ref i = ir_slot(&g->b, 8);
	uint32_t head = ir_block_new(&g->b, "head"), body = ir_block_new(&g->b, "body"),
		 end = ir_block_new(&g->b, "done");
	ir_store(&g->b, i, 0, 8, ir_const(&g->b, 0));
	ir_jmp(&g->b, head);
	ir_at(&g->b, head);
	ir_ref n = ir_load(&g->b, i, 0, 8, false);
	ir_br(&g->b, ir_bini(&g->b, IR_ULT, n, below(g, 4)), body, end);
	unsigned keep = g->npool;
	ir_at(&g->b, body);
	add_pool(g, n);
	statements(g, 1 + below(g, 4));
	ir_store(&g->b, i, 0, 8, ir_bini(&g->b, IR_ADD, n, 1));
	ir_jmp(&g->b, head);
	g->npool = keep;
	ir_at(&g->b, end);
}

static void statements(struct gen *g, unsigned n)
{
	static void (*const simple[])(struct gen *) = {
		compute, compute, scalar,     scalar, narrow,  memory, memory,
		choose,  atomic,  move_bytes, call,   context, call,
	};
	static void (*const nested[])(struct gen *) = {conditional, short_circuit, loop};
	g->depth++;
	while (n-- && g->budget) {
		g->budget--;
		if (g->depth < 5 && !below(g, 4))
			nested[below(g, ARRAY_SIZE(nested))](g);
		else
			simple[below(g, ARRAY_SIZE(simple))](g);
	}
	g->depth--;
}

static void finish(struct gen *g)
{
	ir_ref sum = value(g);
	for (unsigned i = 0; i < NSCALAR; i++)
		sum = ir_bin(&g->b, IR_XOR, sum, ir_load(&g->b, g->scalar[i], 0, 8, false));
	for (unsigned i = 0; i < NREGION; i++)
		sum = ir_bin(&g->b, IR_ADD, sum,
			     ir_load(&g->b, g->region[i], 8 * below(g, REGION / 8), 8, false));
	ir_ret(&g->b, sum);
	ir_cfg(g->b.fn);
}

static struct ir_fn *generate(struct gen *g)
{
	g->map = program_map(g->prog, "m", MAP_DATA, 4, MAP_BYTES, 1);
	g->sub = ir_fn_new(g->prog, "sub", IR_SUBPROG, 2);
	struct ir_builder sub = {.fn = g->sub, .block = 1};
	ir_ref diff = ir_bin(&sub, IR_SUB, ir_param(&sub, 1), ir_param(&sub, 0));
	ir_ret(&sub, ir_bin(&sub, IR_MUL, diff, ir_helper(&sub, UNSTABLE, diff)));
	ir_cfg(g->sub);

	struct ir_fn *fn = ir_fn_new(g->prog, "f", IR_ENTRY, 1);
	g->b = (struct ir_builder){.fn = fn, .block = 1};
	for (unsigned i = 0; i < NSCALAR; i++)
		g->scalar[i] = ir_slot(&g->b, 8);
	for (unsigned i = 0; i < NNARROW; i++)
		g->narrow[i] = ir_slot(&g->b, 8);
	for (unsigned i = 0; i < NREGION; i++) {
		g->region[i] = ir_slot(&g->b, REGION);
		ir_zero(&g->b, g->region[i], REGION);
	}
	statements(g, 30);
	finish(g);
	return fn;
}

/* --- the fake kernel
 * ------------------------------------------------------------------------------- */

struct world {
	uint8_t map[MAP_BYTES], ctx[64];
	uint64_t trace; /* of everything that functions asked for */
};

static uint64_t on_call(void *arg, const struct ir_insn *i, const uint64_t *v, unsigned n)
{
	struct world *w = arg;
	if (i->op == IR_HELPER && n == 0)
		return hash_num((uint64_t)i->imm);
	bool looks = i->op == IR_HELPER && i->imm == LOOKUP;
	bool scribbles = i->op == IR_RT || i->imm == SCRIBBLE;
	w->trace = hash_num(w->trace ^ (looks ? 0 : v[n - 1]));
	if (!looks && !scribbles)
		return w->trace;
	void *p = (void *)(uintptr_t)v[looks ? 1 : 0];
	w->trace = hash_num(w->trace ^ hash_bytes(p, REGION));
	if (scribbles)
		memcpy((char *)p + w->trace % 16, &w->trace, 8);
	return w->trace >> 60 ? w->trace : 0;
}

static uint64_t on_map(void *arg, const struct map *m, int64_t offset, bool is_value)
{
	struct world *w = arg;
	return is_value ? (uintptr_t)w->map + (uint64_t)offset : 0;
}

struct outcome {
	bool ok;
	uint64_t ret;
	struct world world;
};

static void run_it(const struct ir_fn *fn, struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	for (unsigned i = 0; i < sizeof(o->world.ctx); i++)
		o->world.ctx[i] = (uint8_t)(i * 37 + 1);
	struct ir_eval how = {
		.call = on_call, .map_address = on_map, .arg = &o->world, .max_steps = MAX_STEPS};
	uint64_t ctx = (uintptr_t)o->world.ctx;
	o->ok = ir_eval(fn, &how, &ctx, &o->ret);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
	return a->ok == b->ok && a->ret == b->ret &&
	       !memcmp(a->world.map, b->world.map, MAP_BYTES) && a->world.trace == b->world.trace;
}

/* --- the test
 * -------------------------------------------------------------------------------------- */

static void print_all(const struct program *p, struct buf *out)
{
	ir_print_map(p->map.at[p->map.len - 1], out);
	for (size_t i = 0; i < p->fn.len; i++)
		ir_print(p->fn.at[i], out);
}

/* Printed, read and printed again it is the same text and does the same. */
static bool text_round_trip(const struct program *p, const struct outcome *want)
{
	struct buf first = {0}, second = {0};
	print_all(p, &first);
	struct arena *a = arena_create();
	struct program *again = program_new(a, "test");
	struct diags diags;
	diags_init(&diags, a);
	struct source src = {"text", first.data, first.len};
	bool ok = ir_parse(again, &src, &diags);
	if (!ok)
		printf("%s at %u\n", diags.list.at[0].msg, diags.list.at[0].loc.begin);
	print_all(again, &second);
	ok = ok && !strcmp(first.data, second.data);
	if (ok) {
		struct outcome got;
		run_it(again->fn.at[again->fn.len - 1], &got);
		ok = same_outcome(&got, want);
	}
	buf_free(&first);
	buf_free(&second);
	diags_free(&diags);
	program_free(again);
	arena_destroy(a);
	return ok;
}

static void any_passes(struct gen *g, char *out)
{
	*out = 0;
	for (unsigned n = 1 + below(g, 6); n; n--) {
		strcat(out, ir_passes[below(g, ir_npasses)].name);
		strcat(out, ",");
	}
}

static bool one(uint64_t seed)
{
	struct arena *a = arena_create();
	struct gen g = {.rng = seed * 0x9e3779b97f4a7c15ull + 1, .budget = 120};
	g.prog = program_new(a, "test");
	struct ir_fn *fn = generate(&g);
	const char *wrong = ir_check(fn);
	struct outcome before = {0}, after = {0};
	if (!wrong)
		run_it(fn, &before);
	bool ok = !wrong && before.ok && text_round_trip(g.prog, &before);
	char passes[128] = "all";
	if (below(&g, 2))
		any_passes(&g, passes);
	struct buf was = {0};
	ir_print(fn, &was);
	if (ok) {
		ir_optimize(fn, strcmp(passes, "all") ? passes : NULL, NULL, NULL);
		wrong = ir_check(fn);
		run_it(fn, &after);
		ok = !wrong && same_outcome(&before, &after) && text_round_trip(g.prog, &before);
	}
	if (!ok) {
		struct buf text = {0};
		ir_print(fn, &text);
		printf("seed %llu, passes %s: %s\n%s--- after:\n%s", (unsigned long long)seed,
		       passes, wrong ? wrong : "different", buf_str(&was), buf_str(&text));
		buf_free(&text);
	}
	buf_free(&was);
	program_free(g.prog);
	arena_destroy(a);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : argc > 1 ? 1 : 1000;
	printf("seeds %llu to %llu\n", (unsigned long long)seed,
	       (unsigned long long)seed + count - 1);
	for (unsigned i = 0; i < count && checks_failed < 3; i++)
		CHECK(one(seed + i));
	return test_end();
}
