/* ir_fuzz.c - any text: read it, run it, optimise it, print it; what is accepted stays well-formed. */
#include "ir/program.h"

enum { MEMORY = 256, STEPS = 2000, MAX_INPUT = 1 << 14 };

struct world {
	uint8_t memory[MEMORY];
	uint64_t calls;
};

static uint64_t on_call(void *arg, const struct ir_insn *i, const uint64_t *v, unsigned n)
{
	struct world *w = arg;
	return i->op == IR_HELPER && !n ? (uint64_t)i->imm : ++w->calls;
}

static uint64_t on_map(void *arg, const struct map *m, int64_t offset, bool is_value)
{
	struct world *w = arg;
	return (uintptr_t)w->memory + (uint64_t)offset;
}

static bool is_ours(void *arg, uint64_t addr, uint64_t n, bool write)
{
	struct world *w = arg;
	uint64_t off = addr - (uintptr_t)w->memory;
	return off <= MEMORY && n <= MEMORY - off;
}

static void run(const struct ir_fn *fn)
{
	struct world w = {0};
	struct ir_eval how = {.call = on_call, .map_address = on_map, .valid = is_ours, .arg = &w,
			      .max_steps = STEPS};
	uint64_t params[5] = {(uintptr_t)w.memory, 1, 2, 3, 4}, ret;
	(void)ir_eval(fn, &how, params, &ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_INPUT)
		return 0;
	struct arena *a = arena_create();
	struct program *p = program_new(a, "fuzz");
	struct diags diags;
	diags_init(&diags, a);
	char *text = arena_alloc(a, size + 1); /* a NUL within is part of it */
	if (size)
		memcpy(text, data, size);
	struct source src = {"fuzz", text, size};
	bool ok = ir_parse(p, &src, &diags);
	if (ok == (diags.errors > 0))
		BUG("a verdict without a reason, or the other way round");
	struct buf printed = {0};
	for (size_t i = 0; i < p->fn.len && ok; i++) {
		run(p->fn.at[i]);
		ir_optimize(p->fn.at[i], NULL, NULL, NULL);
		if (ir_check(p->fn.at[i]))
			BUG("%s", ir_check(p->fn.at[i]));
		ir_print(p->fn.at[i], &printed);
	}
	/* Calls between functions: once more, now that all are optimised. */
	for (size_t i = 0; i < p->fn.len && ok; i++)
		run(p->fn.at[i]);
	buf_free(&printed);
	diags_free(&diags);
	program_free(p);
	arena_destroy(a);
	return 0;
}
