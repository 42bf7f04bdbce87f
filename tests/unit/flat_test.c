/*
 * flat_test.c - comparisons as values: what C says, for operands of every width and sign and for constants, without a
 * branch; by the IR evaluator, the interpreter and the kernel.
 */
#include "bpf_gen.h"

#include "test.h"

struct operand {
	unsigned width; /* 0: a constant */
	bool is_signed;
	int64_t c;
};

static const struct operand operands[] = {{1, false}, {1, true}, {2, false}, {2, true}, {4, false}, {4, true}, {8, false}};

static const int64_t values[] = {0, 1, 2, 7, 127, 128, 255, 32767, 32768, 65535, 65536, INT32_MAX, 1ll << 31, UINT32_MAX,
				 1ll << 32, INT64_MAX, INT64_MAX - 1, -1, -2, -7, -128, -129, -32768, INT32_MIN,
				 -(1ll << 32), INT64_MIN, INT64_MIN + 1, 0x5555555555555555, -0x5555555555555555};

enum { NVALUES = ARRAY_SIZE(values) };

static int64_t seen_as(const struct operand *o, int64_t v)
{
	switch (o->width) {
	case 0: return o->c;
	case 1: return o->is_signed ? (int8_t)v : (uint8_t)v;
	case 2: return o->is_signed ? (int16_t)v : (uint16_t)v;
	case 4: return o->is_signed ? (int32_t)v : (int64_t)(uint32_t)v;
	default: return v;
	}
}

static uint64_t in_c(enum ir_op op, int64_t a, int64_t b)
{
	switch (op) {
	case IR_EQ: return a == b;
	case IR_NE: return a != b;
	case IR_ULT: return (uint64_t)a < (uint64_t)b;
	case IR_ULE: return (uint64_t)a <= (uint64_t)b;
	case IR_SLT: return a < b;
	default: return a <= b;
	}
}

static ir_ref operand(struct ir_builder *b, const struct operand *o, int64_t off)
{
	return o->width ? ir_load(b, ir_param(b, 0), off, o->width, o->is_signed) : ir_const(b, o->c);
}

/* All six comparisons of two words of the context, then choices by them, to the output map. */
static struct ir_fn *build(struct program *p, struct map *out, const struct operand *x, const struct operand *y)
{
	struct ir_builder b = {.fn = ir_fn_new(p, "entry", IR_ENTRY, 1), .block = 1};
	ir_ref to = ir_mapval(&b, out, 0);
	for (int n = 0; n < 12; n++) {
		ir_ref v = ir_bin(&b, IR_EQ + (enum ir_op)(n % 6), operand(&b, x, 0), operand(&b, y, 8));
		if (n >= 6) /* 3 and 10 are 7 apart, 4 and 12 a power of two */
			v = n % 2 ? ir_select(&b, v, ir_const(&b, 3), ir_const(&b, 10)) : ir_select(&b, v, ir_const(&b, 12), ir_const(&b, 4));
		ir_store(&b, to, 8 * n, 8, v);
	}
	ir_ret(&b, ir_const(&b, 0));
	ir_optimize(b.fn, NULL, NULL, NULL);
	return b.fn;
}

static unsigned branches(const struct bpf_image *img)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < img->ninsn; i++) {
		uint8_t class = BPF_CLASS(img->insn[i].code), op = BPF_OP(img->insn[i].code);
		n += (class == BPF_JMP || class == BPF_JMP32) && op != BPF_EXIT && op != BPF_CALL;
	}
	return n;
}

static bool is_right(const uint8_t *got, int64_t a, int64_t b)
{
	bool ok = true;
	for (int n = 0; n < 12; n++) {
		uint64_t v, want = in_c(IR_EQ + (enum ir_op)(n % 6), a, b);
		if (n >= 6)
			want = n % 2 ? (want ? 3 : 10) : (want ? 12 : 4);
		memcpy(&v, got + 8 * n, 8);
		if (v != want)
			printf("%s of %lld and %lld is %llu\n", ir_ops[IR_EQ + n % 6].name, (long long)a, (long long)b, (unsigned long long)v);
		ok &= v == want;
	}
	return ok;
}

static void one(const struct operand *x, const struct operand *y, int map_fd)
{
	static char log[1 << 16];
	struct arena *arena = arena_create();
	struct program *p = program_new(arena, "test");
	struct world w = {.arena = arena, .ncpus = 1};
	struct map *out = program_map(p, "out", MAP_DATA, 4, GEN_BYTES, 1);
	struct ir_fn *fn = build(p, out, x, y);
	struct bpf_image *img = NULL;
	struct err *e = bpf_compile(p, fn, &w, arena, &img);
	CHECK(!e && !branches(img));
	int fd = !e && map_fd >= 0 ? kernel_load(img, map_fd, log, sizeof(log)) : -1;
	if (!e && map_fd >= 0 && fd < 0)
		printf("the kernel refuses: %s\n", log);
	CHECK(e || map_fd < 0 || fd >= 0);
	unsigned nx = x->width ? NVALUES : 1, ny = y->width ? NVALUES : 1;
	for (unsigned n = 0; n < nx * ny && !e; n++) {
		uint64_t in[GEN_IN] = {(uint64_t)values[n / ny], (uint64_t)values[n % ny]};
		int64_t a = seen_as(x, (int64_t)in[0]), b = seen_as(y, (int64_t)in[1]);
		uint8_t got[GEN_BYTES];
		bool ok = run_eval(fn, in, got) && is_right(got, a, b);
		struct err *ran = run_vm(img, in, got);
		ok &= !ran && is_right(got, a, b);
		if (fd >= 0 && n % 17 == 0)
			ok &= kernel_run(fd, map_fd, in, got) && is_right(got, a, b);
		if (!ok)
			printf("operands %u%s and %u%s\n", x->width, x->is_signed ? "s" : "u", y->width, y->is_signed ? "s" : "u");
		CHECK(ok);
		err_free(ran);
	}
	err_free(e);
	if (fd >= 0)
		close(fd);
	program_free(p);
	arena_destroy(arena);
}

int main(void)
{
	int map_fd = kernel_map();
	for (size_t i = 0; i < ARRAY_SIZE(operands); i++)
		for (size_t k = 0; k < ARRAY_SIZE(operands); k++)
			one(&operands[i], &operands[k], map_fd);
	for (size_t i = 0; i < ARRAY_SIZE(operands); i++)
		for (size_t k = 0; k < NVALUES; k++) {
			struct operand c = {0, false, values[k]};
			one(&operands[i], &c, map_fd);
			one(&c, &operands[i], map_fd);
		}
	if (map_fd >= 0)
		close(map_fd);
	return test_end();
}
