/*
 * bpf_compile_fuzz.c - random programs through the compiler, with what the evaluator and the interpreter make of them
 * compared; the input is the generator's seed and size.
 */
#include "tests/unit/bpf_gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t seed = 1, in[GEN_IN];
	uint8_t want[GEN_BYTES], got[GEN_BYTES];
	memcpy(&seed, data, n < 8 ? n : 8);
	struct arena *a = arena_create();
	struct gen g = {.r = {seed * 0x9e3779b97f4a7c15ull | 1}};
	struct world w = {.arena = a};
	struct bpf_image *img = NULL;
	w.features.bpf_signed_div = seed & 1;
	g.prog = program_new(a, "test");
	g.out = program_map(g.prog, "out", MAP_DATA, 4, GEN_BYTES, 1);
	struct ir_fn *fn = gen_entry(&g, n > 8 ? data[8] : 20);
	for (unsigned i = 0; i < GEN_IN; i++)
		in[i] = (uint64_t)rnd_const(&g.r);
	vec_each(f, &g.prog->fn)
		ir_cfg(*f);
	bool ran = run_eval(fn, in, want);
	if (n > 9 && data[9] & 1)
		vec_each(f, &g.prog->fn)
			ir_optimize(*f, data[9] & 2 ? NULL : "mem2reg", NULL, NULL);
	err_free(bpf_compile(g.prog, fn, &w, a, &img));
	struct err *e = img ? run_vm(img, in, got) : NULL;
	if (img && ran && (e || memcmp(want, got, sizeof(want))))
		abort();
	err_free(e);
	program_free(g.prog);
	arena_destroy(a);
	return 0;
}
