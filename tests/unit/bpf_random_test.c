/*
 * bpf_random_test.c - random programs: kernel, interpreter and IR evaluator agree.
 *
 *   bpf_random_test [seed [count [size]]]
 */
#include "bpf_gen.h"

#include "test.h"

struct kernel {
	int map_fd; /* -1: not here */
	bool v4;
};

static void show(const char *what, struct program *p, struct ir_fn *fn, const struct bpf_image *img)
{
	struct buf text = {0};
	vec_each(f, &p->fn)
		ir_print(*f, &text);
	if (img)
		bpf_disasm(p, img, &text);
	printf("--- %s\n%s\n", what, buf_str(&text));
	buf_free(&text);
}

static void diff(const uint8_t *want, const uint8_t *got, const char *who)
{
	for (unsigned i = 0; i < GEN_BYTES / 8; i++) {
		uint64_t w, g;
		memcpy(&w, want + 8 * i, 8);
		memcpy(&g, got + 8 * i, 8);
		if (w != g)
			printf("%s: word %u is %llx, not %llx\n", who, i, (unsigned long long)g,
			       (unsigned long long)w);
	}
}

static void inputs(struct rng *r, uint64_t *in)
{
	for (unsigned i = 0; i < GEN_IN; i++)
		in[i] = (uint64_t)rnd_const(r);
}

/* One program, optimised or not, three inputs. */
static bool one(uint64_t seed, unsigned size, const struct kernel *with, unsigned *loaded)
{
	static char log[1 << 20];
	struct arena *a = arena_create();
	struct gen g = {.r = {seed * 0x9e3779b97f4a7c15ull | 1}};
	struct world w = {.arena = a, .ncpus = 1};
	bool ok = true;
	int map_fd = with->map_fd;
	g.prog = program_new(a, "test");
	g.out = program_map(g.prog, "out", MAP_DATA, 4, GEN_BYTES, 1);
	struct ir_fn *fn = gen_entry(&g, size);
	uint64_t in[3][GEN_IN];
	uint8_t want[3][GEN_BYTES], got[GEN_BYTES];
	vec_each(f, &g.prog->fn)
		ir_cfg(*f);
	for (int k = 0; k < 3; k++) {
		inputs(&g.r, in[k]);
		ok &= run_eval(fn, in[k], want[k]);
	}
	if (!ok)
		printf("seed %llu: the evaluator fails\n", (unsigned long long)seed);
	w.features.bpf_signed_div = seed % 2 && with->v4;
	if (below(&g.r, 3))
		vec_each(f, &g.prog->fn)
			ir_optimize(*f, below(&g.r, 3) ? NULL : "mem2reg", NULL, NULL);
	struct bpf_image *img = NULL;
	struct err *e = bpf_compile(g.prog, fn, &w, a, &img);
	if (e) {
		printf("seed %llu: %s\n", (unsigned long long)seed, e->msg);
		ok = strstr(e->msg, "stack") != NULL;
	}
	int fd = img && map_fd >= 0 ? kernel_load(img, map_fd, log, sizeof(log)) : -1;
	/* E2BIG: more paths than the verifier is willing to walk, no fault of the code */
	if (img && map_fd >= 0 && fd < 0 && errno != E2BIG) {
		printf("seed %llu: the kernel refuses: %s\n%s\n", (unsigned long long)seed,
		       strerror(errno), strlen(log) > 3000 ? log + strlen(log) - 3000 : log);
		ok = false;
	}
	for (int k = 0; k < 3 && img && ok; k++) {
		run_eval(fn, in[k], got);
		if (memcmp(got, want[k], GEN_BYTES)) {
			diff(want[k], got, "IR after the passes");
			ok = false;
		}
		e = run_vm(img, in[k], got);
		if (e || memcmp(got, want[k], GEN_BYTES)) {
			diff(want[k], got, e ? e->msg : "interpreter");
			ok = false;
		}
		err_free(e);
		e = NULL;
		if (fd < 0)
			continue;
		if (!kernel_run(fd, map_fd, in[k], got) || memcmp(got, want[k], GEN_BYTES)) {
			diff(want[k], got, "kernel");
			ok = false;
		}
		++*loaded;
	}
	if (!ok) {
		printf("seed %llu size %u\n", (unsigned long long)seed, size);
		if (getenv("SHOW"))
			show("program", g.prog, fn, img);
	}
	err_free(e);
	if (fd >= 0)
		close(fd);
	program_free(g.prog);
	arena_destroy(a);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 400;
	unsigned size = argc > 3 ? (unsigned)atoi(argv[3]) : 0, loaded = 0;
	struct kernel with = {.map_fd = kernel_map(), .v4 = true};
	if (with.map_fd >= 0)
		with.v4 = kernel_has_v4();
	else
		printf("no BPF here (%s): the kernel is left out\n", strerror(errno));
	for (unsigned i = 0; i < count && checks_failed < 5; i++)
		CHECK(one(seed + i, size ? size : 3 + i % 40, &with, &loaded));
	printf("%u runs in the kernel\n", loaded);
	return test_end();
}
