/* bpf_test.c - the parts of the back end that random programs do not reach. */
#include "bpf_gen.h"

#include "bpf/mi.h"
#include "runtime/hist.h"
#include "test.h"

struct fixture {
	struct arena *arena;
	struct world world;
	struct program *prog;
	struct map *out;
	struct ir_builder b;
};

static struct fixture begin(unsigned nparams)
{
	struct fixture f = {.arena = arena_create()};
	f.world.arena = f.arena;
	f.prog = program_new(f.arena, "test");
	f.out = program_map(f.prog, "out", MAP_DATA, 4, GEN_BYTES, 1);
	f.b = (struct ir_builder){.fn = ir_fn_new(f.prog, "f", IR_ENTRY, nparams), .block = 1};
	return f;
}

static void end(struct fixture *f)
{
	program_free(f->prog);
	arena_destroy(f->arena);
}

static struct bpf_image *compile(struct fixture *f)
{
	struct bpf_image *img = NULL;
	vec_each(fn, &f->prog->fn)
		ir_cfg(*fn);
	struct err *e = bpf_compile(f->prog, f->b.fn, &f->world, f->arena, &img);
	if (e)
		printf("%s\n", e->msg);
	err_free(e);
	CHECK(img);
	return img;
}

/* --- interpreter: one instruction at a time
 * ------------------------------------------------------------------- */

struct insn_case {
	struct bpf_insn insn;
	uint64_t dst, src, want;
};

static const struct insn_case cases[] = {
	{{BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -1}, 0, 0, UINT64_MAX},
	{{BPF_ALU | BPF_ADD | BPF_K, 1, 0, 0, 1}, UINT64_MAX, 0, 0},
	{{BPF_ALU | BPF_MOV | BPF_K, 1, 0, 0, -1}, 0, 0, UINT32_MAX},
	{{BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, -1}, 0, 0, UINT64_MAX},
	{{BPF_ALU | BPF_MOV | BPF_X, 1, 2, 0, 0}, 0, 0x1234567890abcdef, 0x90abcdef},
	{{BPF_ALU64 | BPF_MOV | BPF_X, 1, 2, 8, 0}, 0, 0x80, (uint64_t)-128},
	{{BPF_ALU64 | BPF_MOV | BPF_X, 1, 2, 32, 0}, 0, 0x80000000, (uint64_t)INT32_MIN},
	{{BPF_ALU | BPF_MOV | BPF_X, 1, 2, 16, 0}, 0, 0x8000, 0xffff8000},
	{{BPF_ALU64 | BPF_DIV | BPF_X, 1, 2, 0, 0}, 7, 0, 0},
	{{BPF_ALU64 | BPF_MOD | BPF_X, 1, 2, 0, 0}, 7, 0, 7},
	{{BPF_ALU | BPF_MOD | BPF_X, 1, 2, 0, 0}, 0xff00000007, 0, 7},
	{{BPF_ALU64 | BPF_DIV | BPF_X, 1, 2, 0, 0}, (uint64_t)-8, 2, 0x7ffffffffffffffc},
	{{BPF_ALU64 | BPF_DIV | BPF_X, 1, 2, 1, 0}, (uint64_t)-8, 3, (uint64_t)-2},
	{{BPF_ALU64 | BPF_MOD | BPF_X, 1, 2, 1, 0}, (uint64_t)-8, 3, (uint64_t)-2},
	{{BPF_ALU64 | BPF_DIV | BPF_X, 1, 2, 1, 0},
	 (uint64_t)INT64_MIN,
	 (uint64_t)-1,
	 (uint64_t)INT64_MIN},
	{{BPF_ALU64 | BPF_MOD | BPF_X, 1, 2, 1, 0}, (uint64_t)INT64_MIN, (uint64_t)-1, 0},
	{{BPF_ALU | BPF_DIV | BPF_X, 1, 2, 1, 0}, 0x80000000, 0xffffffff, 0x80000000},
	{{BPF_ALU | BPF_DIV | BPF_K, 1, 0, 0, -1}, 0xfffffffe, 0, 0},
	{{BPF_ALU64 | BPF_LSH | BPF_X, 1, 2, 0, 0}, 1, 65, 2},
	{{BPF_ALU | BPF_LSH | BPF_X, 1, 2, 0, 0}, 1, 33, 2},
	{{BPF_ALU | BPF_RSH | BPF_K, 1, 0, 0, 4}, 0xf00000010, 0, 1},
	{{BPF_ALU64 | BPF_ARSH | BPF_K, 1, 0, 0, 63}, (uint64_t)INT64_MIN, 0, UINT64_MAX},
	{{BPF_ALU | BPF_ARSH | BPF_K, 1, 0, 0, 31}, 0x80000000, 0, 0xffffffff},
	{{BPF_ALU64 | BPF_NEG, 1, 0, 0, 0}, 5, 0, (uint64_t)-5},
	{{BPF_ALU | BPF_NEG, 1, 0, 0, 0}, 5, 0, 0xfffffffb},
	{{BPF_ALU | BPF_END | BPF_TO_BE, 1, 0, 0, 16}, 0xaabb1234, 0, 0x3412},
	{{BPF_ALU | BPF_END | BPF_TO_BE, 1, 0, 0, 32}, 0x1122334455667788, 0, 0x88776655},
	{{BPF_ALU | BPF_END | BPF_TO_LE, 1, 0, 0, 32}, 0x1122334455667788, 0, 0x55667788},
	{{BPF_ALU64 | BPF_END, 1, 0, 0, 64}, 0x1122334455667788, 0, 0x8877665544332211},
};

static struct bpf_image raw_image(struct arena *a, const struct bpf_insn *insn, uint32_t n)
{
	struct bpf_image img = {.insn = arena_memdup(a, insn, n * sizeof(*insn)), .ninsn = n};
	return img;
}

static struct bpf_insn imm64(unsigned dst, uint64_t v, bool second)
{
	if (second)
		return (struct bpf_insn){.imm = (int32_t)(v >> 32)};
	return (struct bpf_insn){BPF_LD | BPF_IMM | BPF_DW, dst & 15, 0, 0, (int32_t)v};
}

static void test_alu(void)
{
	struct arena *a = arena_create();
	struct bpf_vm_ops ops = {0};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct insn_case *c = &cases[i];
		struct bpf_insn p[] = {imm64(1, c->dst, false),
				       imm64(1, c->dst, true),
				       imm64(2, c->src, false),
				       imm64(2, c->src, true),
				       c->insn,
				       {BPF_ALU64 | BPF_MOV | BPF_X, 0, 1},
				       {BPF_JMP | BPF_EXIT}};
		struct bpf_image img = raw_image(a, p, ARRAY_SIZE(p));
		uint64_t ret = 0;
		CHECK(!bpf_vm_run(&img, &ops, NULL, 0, &ret));
		if (ret != c->want)
			printf("case %zu: %llx, not %llx\n", i, (unsigned long long)ret,
			       (unsigned long long)c->want);
		CHECK(ret == c->want);
	}
	arena_destroy(a);
}

/* Programs that must end with an error instead of a fault. */
static void test_faults(void)
{
	static const struct bpf_insn bad[][4] = {
		{{BPF_LDX | BPF_MEM | BPF_DW, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT}}, /* address 0 */
		{{BPF_LDX | BPF_MEM | BPF_DW, 0, 10, 0, 0},
		 {BPF_JMP | BPF_EXIT}}, /* above the frame */
		{{BPF_LDX | BPF_MEM | BPF_DW, 0, 10, -4, 0},
		 {BPF_JMP | BPF_EXIT}}, /* half above it */
		{{BPF_LDX | BPF_MEM | BPF_DW, 0, 10, -4104, 0}, {BPF_JMP | BPF_EXIT}}, /* below it */
		{{BPF_LDX | BPF_MEM | BPF_DW, 0, 1, 8, 0},
		 {BPF_JMP | BPF_EXIT}}, /* behind the context */
		{{BPF_ST | BPF_MEM | BPF_DW, 1, 0, 0, 1},
		 {BPF_JMP | BPF_EXIT}}, /* into the context */
		{{BPF_JMP | BPF_JA, 0, 0, 100, 0}, {BPF_JMP | BPF_EXIT}},
		{{BPF_JMP | BPF_JA, 0, 0, -1, 0}, {BPF_JMP | BPF_EXIT}}, /* for ever */
		{{BPF_JMP | BPF_CALL, 0, 0, 0, 1}, {BPF_JMP | BPF_EXIT}},
		{{BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, -1},
		 {BPF_JMP | BPF_EXIT}}, /* itself, for ever */
		{{BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 1}, {BPF_JMP | BPF_EXIT}},
		{{BPF_LD | BPF_IMM | BPF_DW, 0, BPF_PSEUDO_MAP_FD, 0, 0},
		 {0},
		 {BPF_JMP | BPF_EXIT}},
		{{0xff, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT}},
		{{BPF_ALU64 | BPF_MOV | BPF_K, 11, 0, 0, 0}, {BPF_JMP | BPF_EXIT}},
		{{BPF_ALU64 | BPF_MOV | BPF_K, 10, 0, 0, 0}, {BPF_JMP | BPF_EXIT}},
	};
	struct arena *a = arena_create();
	struct bpf_vm_ops ops = {.max_insns = 100000};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct bpf_image img = raw_image(a, bad[i], 3);
		uint64_t ctx = 0, ret;
		struct err *e = bpf_vm_run(&img, &ops, &ctx, sizeof(ctx), &ret);
		if (!e)
			printf("bad program %zu ran\n", i);
		CHECK(e);
		err_free(e);
	}
	arena_destroy(a);
}

/* --- calls: subprograms with frames of their own, callbacks, the runtime
 * -------------------------------------------- */

static struct err *loop_helper(struct bpf_vm *vm, void *arg, int32_t id, const uint64_t v[5],
			       uint64_t *ret)
{
	if (id != BPF_FUNC_loop)
		return err_new(0, "helper %d", id);
	for (*ret = 0; *ret < v[0]; ++*ret) {
		uint64_t args[2] = {*ret, v[2]}, stop = 0;
		struct err *e = bpf_vm_call(vm, v[1], args, 2, &stop);
		if (e || stop)
			return e;
	}
	return NULL;
}

/* sum += i * i in a callback of bpf_loop; the callee's frame must not touch the caller's. */
static void test_callback(void)
{
	struct fixture f = begin(1);
	struct ir_fn *each = ir_fn_new(f.prog, "each", IR_CALLBACK, 2),
		     *square = ir_fn_new(f.prog, "sq", IR_SUBPROG, 1);
	struct ir_builder b = {.fn = square, .block = 1};
	ir_ref s = ir_slot(&b, 64);
	ir_zero(&b, s, 64);
	ir_store(&b, s, 8, 8, ir_param(&b, 0));
	ir_ref x = ir_load(&b, s, 8, 8, false);
	ir_ret(&b, ir_bin(&b, IR_MUL, x, x));
	b = (struct ir_builder){.fn = each, .block = 1};
	ir_ref p = ir_param(&b, 1), sq = ir_call(&b, square, ir_param(&b, 0));
	ir_store(&b, p, 0, 8, ir_bin(&b, IR_ADD, ir_load(&b, p, 0, 8, false), sq));
	ir_ret(&b, ir_const(&b, 0));
	ir_ref sum = ir_slot(&f.b, 8);
	ir_store(&f.b, sum, 0, 8, ir_const(&f.b, 1000));
	ir_helper(&f.b, BPF_FUNC_loop, ir_const(&f.b, 10), ir_fnaddr(&f.b, each), sum,
		  ir_const(&f.b, 0));
	ir_ret(&f.b, ir_load(&f.b, sum, 0, 8, false));
	struct bpf_image *img = compile(&f);
	uint64_t ret = 0;
	CHECK(img && img->func.len == 3 && !strcmp(img->func.at[0].name, "f"));
	struct bpf_vm_ops ops = {.helper = loop_helper};
	CHECK(img && !bpf_vm_run(img, &ops, NULL, 0, &ret) && ret == 1285);
	/* a call that is never made goes before all, and everything is found where it is then */
	uint32_t n = img->ninsn, second = img->func.at[1].insn;
	bpf_own_stack(img, f.arena);
	CHECK(img->ninsn == n + 3 && img->insn[2].imm == BPF_FUNC_tail_call);
	CHECK(img->func.at[0].insn == 0 && img->func.at[1].insn == second + 3);
	ret = 0;
	CHECK(!bpf_vm_run(img, &ops, NULL, 0, &ret) && ret == 1285);
	end(&f);
}

/* Functions that only the interpreter runs may call themselves. */
static void test_recursion(void)
{
	struct fixture f = begin(1);
	struct ir_fn *fact = ir_fn_new(f.prog, "fact", IR_SUBPROG, 1);
	program_probe(f.prog, "begin", f.b.fn, PROG_USER);
	struct ir_builder b = {.fn = fact, .block = 1};
	uint32_t more = ir_block_new(&b, "more"), done = ir_block_new(&b, "done");
	ir_ref n = ir_param(&b, 0);
	ir_br(&b, ir_bini(&b, IR_ULT, n, 2), done, more);
	ir_at(&b, more);
	ir_ret(&b, ir_bin(&b, IR_MUL, n, ir_call(&b, fact, ir_bini(&b, IR_SUB, n, 1))));
	ir_at(&b, done);
	ir_ret(&b, ir_const(&b, 1));
	ir_ret(&f.b, ir_call(&f.b, fact, ir_const(&f.b, 20)));
	struct bpf_image *img = compile(&f);
	uint64_t ret = 0;
	struct bpf_vm_ops ops = {0};
	CHECK(img && !bpf_vm_run(img, &ops, NULL, 0, &ret) && ret == 2432902008176640000);
	end(&f);
}

static void test_runtime(void)
{
	struct fixture f = begin(1);
	ir_ref ctx = ir_param(&f.b, 0);
	ir_ret(&f.b, ir_rt(&f.b, "rt_hist", ir_load(&f.b, ctx, 0, 8, false),
			   ir_load(&f.b, ctx, 8, 8, false)));
	struct bpf_image *img = compile(&f);
	for (uint64_t k = 0; k < 6 && img; k++)
		for (int64_t n = -1; n < 100000; n = n < 1 ? n + 1 : n * 3 + 5) {
			uint64_t ctx_words[2] = {(uint64_t)n, k}, ret = 0;
			struct bpf_vm_ops ops = {0};
			struct err *e = bpf_vm_run(img, &ops, ctx_words, sizeof(ctx_words), &ret);
			CHECK(!e && ret == rt_hist_bucket(n, (uint32_t)k));
			err_free(e);
		}
	end(&f);
}

/* --- the runtime's ELF file
 * ----------------------------------------------------------------------------------------- */

static struct err *no_ref(void *arg, const struct rt_ref *ref)
{
	++*(unsigned *)arg;
	return NULL;
}

static void test_elf(void)
{
	struct rt_obj o;
	struct rt_func fn;
	size_t n = (size_t)(runtime_blob_end - runtime_blob);
	CHECK(!rt_open(runtime_blob, n, &o));
	CHECK(rt_find(&o, "rt_hist", &fn) && fn.ninsn > 10);
	CHECK(!rt_find(&o, "no_such_function", &fn));
	/* cut anywhere, it is an error or still consistent; never a fault */
	for (size_t cut = 0; cut < n; cut += 1 + cut / 50) {
		uint8_t *copy = xmalloc(cut + 1);
		memcpy(copy, runtime_blob, cut);
		struct err *e = rt_open(copy, cut, &o);
		unsigned refs = 0;
		if (!e && rt_find(&o, "rt_hist", &fn))
			e = rt_refs(&o, &fn, no_ref, &refs);
		err_free(e);
		base_free(copy);
	}
	CHECK(true);
}

/* --- large functions
 * -------------------------------------------------------------------------------------------------
 */

/* A branch over more instructions than a jump's offset can count, forward; both ways taken. */
static void test_far_jump(void)
{
	struct fixture f = begin(1);
	struct ir_builder *b = &f.b;
	uint32_t big = ir_block_new(b, "big"), out = ir_block_new(b, "out");
	ir_ref w = ir_load(b, ir_param(b, 0), 0, 8, false), p = ir_mapval(b, f.out, 0);
	ir_br(b, ir_bini(b, IR_EQ, w, 1), big, out);
	ir_at(b, big);
	for (int i = 0; i < 100000; i++)
		ir_store(b, p, 0, 8, ir_const(b, i));
	ir_jmp(b, out);
	ir_at(b, out);
	ir_store(b, p, 8, 8, w);
	ir_ret(b, ir_const(b, 0));
	struct bpf_image *img = compile(&f);
	uint64_t in[GEN_IN] = {1};
	uint64_t got[GEN_BYTES / 8];
	CHECK(img && !run_vm(img, in, (uint8_t *)got) && got[0] == 99999 && got[1] == 1);
	in[0] = 7;
	CHECK(img && !run_vm(img, in, (uint8_t *)got) && got[0] == 0 && got[1] == 7);
	int map_fd = kernel_map(), fd = img && map_fd >= 0 ? kernel_load(img, map_fd, NULL, 0) : -1;
	if (fd >= 0) {
		CHECK(kernel_run(fd, map_fd, in, (uint8_t *)got) && got[0] == 0 && got[1] == 7);
		in[0] = 1;
		CHECK(kernel_run(fd, map_fd, in, (uint8_t *)got) && got[0] == 99999 && got[1] == 1);
		close(fd);
	}
	CHECK(fd >= 0 || map_fd < 0);
	if (map_fd >= 0)
		close(map_fd);
	end(&f);
}

int main(void)
{
	test_alu();
	test_faults();
	test_callback();
	test_recursion();
	test_runtime();
	test_elf();
	test_far_jump();
	return test_end();
}
