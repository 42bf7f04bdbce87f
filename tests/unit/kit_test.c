/* kit_test.c - what the lowering kit emits is well-formed, before and after the passes. */
#include "test.h"

#include "lang/kit.h"

struct fixture {
	struct arena *arena;
	struct program *p;
	struct world w;
	struct kit k;
};

static void open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->arena = arena_create();
	f->p = program_new(f->arena, "test");
	f->p->ncpus = 4;
	f->w = (struct world){.arena = f->arena, .root = "", .ncpus = 4};
	f->k = (struct kit){.prog = f->p, .world = &f->w};
}

static struct var *new_var(struct fixture *f, const char *name, struct type *key, struct type *value)
{
	struct var *v = program_var(f->p, name);
	v->key = key;
	v->value = value;
	v->max_entries = 100;
	kit_var_define(&f->k, v);
	return v;
}

/* Ends the function under construction and holds it against the checker. */
static void close_fixture(struct fixture *f, const char *what)
{
	kit_end(&f->k);
	program_finish(f->p);
	vec_each(fn, &f->p->fn) {
		const char *bad = ir_check(*fn);
		if (bad)
			printf("%s: %s: %s\n", what, (*fn)->name, bad);
		CHECK(!bad);
		ir_optimize(*fn, NULL, NULL, NULL);
		bad = ir_check(*fn);
		if (bad) {
			struct buf out = {0};
			ir_print(*fn, &out);
			printf("%s: %s after passes: %s\n%s\n", what, (*fn)->name, bad, buf_str(&out));
			buf_free(&out);
		}
		CHECK(!bad);
	}
	program_free(f->p);
	arena_destroy(f->arena);
}

static const struct loc nowhere;

static void begin(struct fixture *f)
{
	kit_begin(&f->k, "probe.0", PROG_TRACEPOINT, nowhere);
}

static void test_aggregations(void)
{
	static const enum type_kind kinds[] = {TYPE_COUNT, TYPE_SUM,   TYPE_MIN,  TYPE_MAX,
					       TYPE_AVG,   TYPE_STATS, TYPE_HIST, TYPE_LHIST};
	const int64_t arg[3] = {0, 100, 10};
	for (unsigned keyed = 0; keyed < 2; keyed++) {
		struct fixture f;
		open_fixture(&f);
		begin(&f);
		for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
			struct type *t = type_agg(f.arena, kinds[i], true, arg);
			struct var *v = new_var(&f, arena_printf(f.arena, "@%u", i), keyed ? &type_int64 : NULL, t);
			ir_ref key = 0, n = kit_pid_tgid(&f.k);
			if (keyed) {
				key = kit_mem(&f.k, 8);
				ir_store(&f.k.b, key, 0, 8, n);
			}
			kit_agg_update(&f.k, v, key, n, nowhere);
			ir_ref dst = kit_mem(&f.k, type_mem_size(t));
			kit_agg_merge(&f.k, v, key, dst);
			if (kinds[i] < TYPE_HIST)
				kit_agg_read(&f.k, v, key, AGG_VALUE);
			kit_var_delete(&f.k, v, key);
		}
		close_fixture(&f, keyed ? "keyed aggregations" : "scalar aggregations");
	}
}

static void body(struct kit *k, ir_ref i, void *arg)
{
	struct kit_local *sum = arg;
	ir_ref at = kit_local_addr(k, sum);
	ir_store(&k->b, at, 0, 8, ir_bin(&k->b, IR_ADD, ir_load(&k->b, at, 0, 8, false), i));
	uint32_t end = ir_block_new(&k->b, "end"), then = ir_block_new(&k->b, "then");
	ir_br(&k->b, ir_bini(&k->b, IR_EQ, i, 5), then, end);
	ir_at(&k->b, then);
	kit_return(k, ir_const(&k->b, 1));
	ir_jmp(&k->b, end);
	ir_at(&k->b, end);
}

static void nested(struct kit *k, ir_ref i, void *arg)
{
	kit_loop_range(k, ir_const(&k->b, 0), i, body, arg);
	kit_continue(k);
}

static void test_loops(void)
{
	struct fixture f;
	open_fixture(&f);
	begin(&f);
	struct kit_local *sum = kit_local(&f.k, 8);
	kit_loop_range(&f.k, ir_const(&f.k.b, 0), ir_const(&f.k.b, 10), nested, sum);
	kit_return(&f.k, ir_load(&f.k.b, kit_local_addr(&f.k, sum), 0, 8, false));
	close_fixture(&f, "nested loops with a return inside");
}

static void test_strings_and_records(void)
{
	struct fixture f;
	open_fixture(&f);
	begin(&f);
	struct kit *k = &f.k;
	ir_ref s = kit_mem(k, 1024), comm = kit_mem(k, 16);
	kit_comm(k, comm);
	ir_ref len = kit_str_read(k, s, 1024, kit_pid_tgid(k), 0, AS_USER, nowhere);
	kit_str_eq(k, s, 1024, comm, 16);
	ir_ref dst = kit_mem(k, 200);
	kit_str_concat(k, dst, 200, s, 1024, comm, 16);
	struct kit_value v[] = {
		{.type = &type_int64, .v = kit_str_len(k, s, 1024)},
		{.type = type_str(f.arena, 1024), .v = s, .is_addr = true, .len = len},
		{.type = type_str(f.arena, 16), .v = comm, .is_addr = true},
		{.type = type_str(f.arena, 200), .v = dst, .is_addr = true},
	};
	struct action *act = program_action(f.p, ACT_PRINTF, nowhere);
	kit_send(k, act, v, ARRAY_SIZE(v));
	CHECK(act->args->nfield == 4);
	CHECK(act->args->field[1].offset == 8);  /* packed: a pair of u32 */
	CHECK(act->args->field[2].offset == 16); /* inline, word-aligned */
	kit_exit(k, ir_const(&k->b, 3), nowhere);
	close_fixture(&f, "strings and records");
}

static void test_variables(void)
{
	struct fixture f;
	open_fixture(&f);
	begin(&f);
	struct kit *k = &f.k;
	struct type *text = type_str(f.arena, 64);
	struct var *scalar = new_var(&f, "@a", NULL, &type_int64), *keyed = new_var(&f, "@b", text, &type_int64),
		   *strings = new_var(&f, "@c", &type_int64, text);
	CHECK(scalar->map == f.p->data && keyed->map->kind == MAP_HASH);
	ir_ref key = kit_mem_zero(k, 64), one = ir_const(&k->b, 1);
	kit_var_add(k, scalar, 0, one, nowhere);
	ir_ref old = kit_var_add(k, keyed, key, one, nowhere);
	kit_var_set_scalar(k, keyed, key, old, nowhere);
	ir_ref num = kit_mem(k, 8);
	ir_store(&k->b, num, 0, 8, kit_var_get_scalar(k, keyed, key));
	kit_var_set(k, strings, num, key, nowhere);
	kit_var_get(k, strings, num, kit_mem(k, 64));
	kit_var_has(k, keyed, key);
	kit_var_len(k, keyed);
	kit_var_delete(k, keyed, key);
	close_fixture(&f, "variables");
}

/* Is it `want`, whichever way the program came there? */
static bool is_always(const struct ir_fn *fn, ir_ref v, int64_t want, unsigned depth)
{
	const struct ir_insn *i = &fn->insn.at[v];
	bool all = i->op == IR_PHI && depth < 8;
	for (uint32_t k = 0; all && k < i->nargs; k++)
		all = is_always(fn, i->arg[k], want, depth + 1);
	return all || (i->op == IR_CONST && i->imm == want);
}

/* Packets pass by every way out: after exit(), without scratch, without the lock, at the end. */
static void test_verdict(void)
{
	struct fixture f;
	open_fixture(&f);
	struct ir_fn *fn = kit_begin(&f.k, "probe.0", PROG_NETFILTER, nowhere);
	struct kit *k = &f.k;
	ir_ref far = kit_mem_zero(k, 1024);
	kit_lock(k);
	uint32_t then = ir_block_new(&k->b, "then"), end = ir_block_new(&k->b, "end");
	ir_br(&k->b, ir_load(&k->b, far, 0, 8, false), then, end);
	ir_at(&k->b, then);
	kit_return(k, 0);
	ir_jmp(&k->b, end);
	ir_at(&k->b, end);
	kit_exit(k, ir_const(&k->b, 0), nowhere);
	kit_end(k);
	program_finish(f.p);
	ir_optimize(fn, NULL, NULL, NULL);
	unsigned n = 0;
	for (uint32_t i = 1; i < fn->insn.len; i++) {
		const struct ir_insn *ret = &fn->insn.at[i];
		if (ret->op != IR_RET || !ret->block)
			continue;
		n++;
		CHECK(is_always(fn, ret->arg[0], KIT_ACCEPT, 0));
	}
	CHECK(n >= 3);
	program_free(f.p);
	arena_destroy(f.arena);
}

int main(void)
{
	test_aggregations();
	test_verdict();
	test_loops();
	test_strings_and_records();
	test_variables();
	return test_end();
}
