/* ir_test.c - the builder, edges, the checker's view of broken functions, the evaluator, locations. */
#include "ir/program.h"
#include "test.h"

struct fixture {
	struct arena *arena;
	struct program *prog;
	struct ir_fn *fn;
	struct ir_builder b;
};

static struct fixture begin(void)
{
	struct fixture f = {.arena = arena_create()};
	f.prog = program_new(f.arena, "test");
	f.fn = ir_fn_new(f.prog, "f", IR_ENTRY, 2);
	f.b = (struct ir_builder){.fn = f.fn, .block = 1};
	return f;
}

static void end(struct fixture *f)
{
	program_free(f->prog);
	arena_destroy(f->arena);
}

/* The text of the function without its head and tail. */
static char *body(struct fixture *f)
{
	struct buf out = {0};
	ir_print(f->fn, &out);
	const char *from = strstr(out.data, "@entry.1:\n") + strlen("@entry.1:\n");
	char *text = arena_strndup(f->arena, from, strlen(from) - 2);
	buf_free(&out);
	return text;
}

static void test_builder_folds(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	ir_ref x = ir_param(b, 1);
	int64_t c;
	CHECK(ir_is_const(f.fn, ir_bini(b, IR_ADD, ir_const(b, 2), 3), &c) && c == 5);
	CHECK(ir_bini(b, IR_ADD, x, 0) == x);
	CHECK(ir_bini(b, IR_MUL, x, 1) == x);
	CHECK(ir_ext(b, x, 8, true) == x);
	CHECK(ir_is_const(f.fn, ir_bini(b, IR_MUL, x, 0), &c) && c == 0);
	CHECK(ir_is_const(f.fn, ir_bin(b, IR_SUB, x, x), &c) && c == 0);
	CHECK(ir_is_const(f.fn, ir_ext(b, ir_const(b, 0xff), 1, true), &c) && c == -1);
	CHECK(ir_is_const(f.fn, ir_bswap(b, ir_const(b, 0x0102), 2), &c) && c == 0x0201);
	CHECK(ir_select(b, ir_const(b, 0), x, ir_const(b, 9)) != x);
	CHECK(!ir_is_const(f.fn, x, &c));
	CHECK(!ir_is_const(f.fn, 0, &c));
	end(&f);
}

static void test_builder_appends(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	ir_ref none = ir_helper(b, 5), rt = ir_rt(b, "rt_x", none), k = ir_kfunc(b, "bpf_k");
	CHECK(f.fn->insn.at[none].nargs == 0);
	CHECK(f.fn->insn.at[rt].nargs == 1 && f.fn->insn.at[rt].arg[0] == none);
	CHECK(f.fn->insn.at[k].nargs == 0);
	CHECK(!ir_terminated(b));
	ir_ret(b, rt);
	CHECK(ir_terminated(b));
	ir_helper(b, 6); /* nothing comes here */
	CHECK(b->block != 1);
	ir_cfg(f.fn);
	CHECK_STR(body(&f), "  %1 = helper ktime_get_ns()\n  %2 = rt rt_x(%1)\n"
			    "  %3 = kfunc bpf_k()\n  ret %2\n");
	end(&f);
}

static void test_const_later(void)
{
	struct fixture f = begin();
	ir_ref later = ir_const_later(&f.b);
	ir_ref sum = ir_bini(&f.b, IR_MUL, later, 6);
	ir_ret(&f.b, sum);
	ir_cfg(f.fn);
	CHECK(!ir_is_const(f.fn, sum, NULL));
	ir_const_set(f.fn, later, 7);
	ir_optimize(f.fn, NULL, NULL, NULL);
	CHECK_STR(body(&f), "  ret 42\n");
	end(&f);
}

static void test_cfg_reorders_phis(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	static const char text[] = "entry g(1) {\n@e:\n  %1 = param 0\n  br %1, @b, @c\n"
				   "@d:\n  %2 = phi [2, @c], [1, @b]\n  ret %2\n"
				   "@c:\n  jmp @d\n@b:\n  jmp @d\n}\n";
	struct source src = {"t", text, strlen(text)};
	struct diags diags;
	diags_init(&diags, f.arena);
	CHECK(ir_parse(f.prog, &src, &diags));
	struct ir_fn *g = f.prog->fn.at[f.prog->fn.len - 1];
	uint64_t param = 1, ret = 0;
	struct ir_eval how = {.max_steps = 100};
	CHECK(ir_eval(g, &how, &param, &ret) && ret == 1);
	param = 0;
	CHECK(ir_eval(g, &how, &param, &ret) && ret == 2);
	ir_ret(b, ir_const(b, 0));
	diags_free(&diags);
	end(&f);
}

/* --- the checker ------------------------------------------------------------------------------------ */

static void test_check_finds(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	ir_ref x = ir_param(b, 0);
	ir_ref v = ir_load(b, x, 0, 8, false);
	ir_ref sum = ir_bini(b, IR_ADD, v, 1);
	CHECK(ir_check(f.fn)); /* no terminator */
	ir_ret(b, sum);
	CHECK(ir_check(f.fn) == NULL);

	struct ir_insn *i = &f.fn->insn.at[sum], was = *i;
	i->width = 4;
	CHECK(ir_check(f.fn));
	*i = was;
	i->arg[0] = sum; /* itself */
	CHECK(ir_check(f.fn));
	i->arg[0] = 999;
	CHECK(ir_check(f.fn));
	i->arg[0] = v;
	i->nargs = 1;
	CHECK(ir_check(f.fn));
	i->nargs = 2;
	CHECK(ir_check(f.fn) == NULL);
	f.fn->insn.at[x].imm = 2;
	CHECK_STR(ir_check(f.fn), "f: @1: %1 = param: 2 of 2");
	f.fn->insn.at[x].imm = 0;
	f.fn->block.at[1].succ[0] = 77;
	CHECK(ir_check(f.fn));
	f.fn->block.at[1].succ[0] = 0;
	f.fn->insn.at[v].next = 0;
	CHECK(ir_check(f.fn));
	end(&f);
}

static void test_check_wants_cfg(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	uint32_t next = ir_block_new(b, "next"), lost = ir_block_new(b, "lost");
	ir_jmp(b, next);
	ir_at(b, next);
	ir_ret(b, ir_const(b, 0));
	ir_at(b, lost);
	ir_ret(b, ir_const(b, 1));
	CHECK_STR(ir_check(f.fn), "f: @2: predecessors are not up to date");
	ir_cfg(f.fn);
	CHECK(ir_check(f.fn) == NULL);
	CHECK(f.fn->block.at[lost].first == 0);
	end(&f);
}

/* --- the evaluator ------------------------------------------------------------------------------------ */

static uint64_t eval1(struct fixture *f, uint64_t a, uint64_t b, bool *ok)
{
	struct ir_eval how = {.max_steps = 1000};
	uint64_t params[2] = {a, b}, ret = 0;
	*ok = ir_eval(f->fn, &how, params, &ret);
	return ret;
}

static void test_eval_operations(void)
{
	static const struct {
		enum ir_op op;
		uint64_t a, b, want;
	} cases[] = {
		{IR_ADD, UINT64_MAX, 2, 1},
		{IR_UDIV, 7, 0, 0},
		{IR_UMOD, 7, 0, 7},
		{IR_SDIV, (uint64_t)-7, 2, (uint64_t)-3},
		{IR_SDIV, 1ull << 63, UINT64_MAX, 1ull << 63},
		{IR_SMOD, (uint64_t)-7, 2, UINT64_MAX},
		{IR_SMOD, 7, UINT64_MAX, 0},
		{IR_SMOD, 7, 0, 7},
		{IR_SHL, 1, 65, 2},
		{IR_ASHR, 1ull << 63, 63, UINT64_MAX},
		{IR_LSHR, 1ull << 63, 63, 1},
		{IR_ULT, 1, UINT64_MAX, 1},
		{IR_SLT, 1, UINT64_MAX, 0},
		{IR_SLE, UINT64_MAX, UINT64_MAX, 1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = begin();
		ir_ref x = ir_param(&f.b, 0), y = ir_param(&f.b, 1);
		ir_ret(&f.b, ir_bin(&f.b, cases[i].op, x, y));
		bool ok;
		CHECK(eval1(&f, cases[i].a, cases[i].b, &ok) == cases[i].want);
		CHECK(ok);
		end(&f);
	}
}

static void test_eval_stops(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	uint32_t loop = ir_block_new(b, "loop");
	ir_jmp(b, loop);
	ir_at(b, loop);
	ir_jmp(b, loop);
	ir_cfg(f.fn);
	bool ok;
	eval1(&f, 0, 0, &ok);
	CHECK(!ok);
	end(&f);

	f = begin(); /* calls nobody answers; a function that calls itself */
	ir_ret(&f.b, ir_helper(&f.b, 5));
	eval1(&f, 0, 0, &ok);
	CHECK(!ok);
	struct ir_fn *sub = ir_fn_new(f.prog, "sub", IR_SUBPROG, 0);
	struct ir_builder sb = {.fn = sub, .block = 1};
	ir_ret(&sb, ir_call(&sb, sub));
	struct ir_eval how = {.max_steps = 1000};
	uint64_t ret;
	CHECK(!ir_eval(sub, &how, NULL, &ret));
	end(&f);
}

static bool nothing_is_valid(void *arg, uint64_t addr, uint64_t n, bool write)
{
	return false;
}

static void test_eval_memory(void)
{
	struct fixture f = begin();
	struct ir_builder *b = &f.b;
	ir_ref s = ir_slot(b, 16);
	ir_store(b, s, 0, 8, ir_const(b, -2));
	ir_atomic_add(b, s, 0, 4, ir_const(b, 3)); /* carries within its 4 bytes */
	ir_copy(b, ir_bini(b, IR_ADD, s, 8), s, 8);
	ir_ref old = ir_atomic(b, IR_ATOMIC_CMPXCHG, s, 8, 8, ir_const(b, (int64_t)0xffffffff00000001),
			       ir_const(b, 40));
	ir_ref sum = ir_bin(b, IR_ADD, ir_bini(b, IR_LSHR, old, 63), ir_load(b, s, 8, 1, true));
	ir_ret(b, sum);
	struct ir_eval how = {.max_steps = 100, .valid = nothing_is_valid};
	uint64_t params[2] = {0}, ret = 0;
	CHECK(ir_eval(f.fn, &how, params, &ret) && ret == 41);
	end(&f);

	f = begin(); /* beyond its slots only where it may */
	s = ir_slot(&f.b, 8);
	ir_ret(&f.b, ir_load(&f.b, s, 4, 8, false));
	CHECK(!ir_eval(f.fn, &how, params, &ret));
	end(&f);
}

/* --- places and programs --------------------------------------------------------------------------------- */

static void test_locations(void)
{
	struct fixture f = begin();
	struct source src = {"a.bt", "BEGIN {\n  exit()\n}\n", 19};
	f.b.loc = (struct loc){&src, 10, 16};
	ir_helper(&f.b, 5);
	f.b.loc = (struct loc){&src, 0, 5};
	ir_ret(&f.b, ir_const(&f.b, 0));
	CHECK_STR(body(&f), "  %1 = helper ktime_get_ns()                    ; a.bt:2:3\n"
			    "  ret 0                                         ; a.bt:1:1\n");
	end(&f);
}

static void test_program(void)
{
	struct fixture f = begin();
	struct program *p = f.prog;
	CHECK(program_string(p, "a") == 0 && program_string(p, "b") == 1);
	CHECK(program_string(p, "a") == 0);
	uint32_t at = program_rodata(p, "hello", 6, 1);
	CHECK(program_rodata(p, "hello", 6, 1) == at);
	CHECK(program_rodata(p, "12345678", 8, 8) % 8 == 0);
	uint32_t first = program_data(p, 4, 4), second = program_data(p, 8, 8);
	CHECK(first == 8 && second == 16); /* 0 is reserved */
	CHECK(program_percpu(p, 8, 8) == 0 && program_percpu(p, 60, 4) == 8);
	ir_ref row = ir_const_later(&f.b);
	vec_push(&p->row_consts, (struct row_const){.fn = f.fn, .insn = row});
	p->ncpus = 4;
	program_finish(p);
	int64_t v;
	CHECK(ir_is_const(f.fn, row, &v) && v == 128);
	CHECK(p->percpu->value_size == 4 * 128);
	CHECK(p->data->value_size == 24);
	CHECK(!memcmp((const char *)p->rodata->init + at, "hello", 6));
	struct buf out = {0};
	program_dump_maps(p, &out);
	CHECK(strstr(out.data, "map @.data data key=4 value=24 entries=1\n"));
	buf_free(&out);
	end(&f);
}

static void count_passes(const struct ir_fn *fn, const char *pass, void *arg)
{
	buf_printf(arg, "%s ", pass);
}

static void test_pass_list(void)
{
	struct fixture f = begin();
	ir_ret(&f.b, ir_const(&f.b, 0));
	struct buf names = {0};
	ir_optimize(f.fn, "dce,nonsense,fold", count_passes, &names);
	CHECK_STR(buf_str(&names), "dce fold ");
	buf_free(&names);
	end(&f);
}

int main(void)
{
	test_builder_folds();
	test_builder_appends();
	test_const_later();
	test_cfg_reorders_phis();
	test_check_finds();
	test_check_wants_cfg();
	test_eval_operations();
	test_eval_stops();
	test_eval_memory();
	test_locations();
	test_program();
	test_pass_list();
	return test_end();
}
