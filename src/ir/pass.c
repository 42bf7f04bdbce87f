/* pass.c - the list of passes, and running them. */
#include "ir/impl.h"

#ifndef CHECK_EACH_PASS /* the builds for sanitizers and fuzzing say so */
#define CHECK_EACH_PASS 0
#endif

const struct ir_pass ir_passes[] = {
#define PASS(id, what) {#id, ir_pass_##id, what},
#include "ir/passes.def"
#undef PASS
};
const unsigned ir_npasses = ARRAY_SIZE(ir_passes);

static void check(const struct ir_fn *fn, const char *when)
{
	const char *wrong = ir_check(fn);
	if (!wrong)
		return;
	struct buf text = {0};
	ir_print(fn, &text);
	BUG("after %s: %s\n%s", when, wrong, buf_str(&text));
}

static const struct ir_pass *find(const char *name, size_t len)
{
	for (unsigned i = 0; i < ir_npasses; i++)
		if (strlen(ir_passes[i].name) == len && !memcmp(ir_passes[i].name, name, len))
			return &ir_passes[i];
	return NULL;
}

void ir_optimize(struct ir_fn *fn, const char *only,
		 void (*after)(const struct ir_fn *fn, const char *pass, void *arg), void *arg)
{
	ir_cfg(fn);
	for (unsigned i = 0; !only && i < ir_npasses; i++) {
		ir_passes[i].run(fn);
		/* what a pass has broken is the next one's trouble; looking for it each time takes as long as all passes together */
		if (CHECK_EACH_PASS || i + 1 == ir_npasses)
			check(fn, ir_passes[i].name);
		if (after)
			after(fn, ir_passes[i].name, arg);
	}
	for (const char *p = only; p && *p;) {
		size_t len = strcspn(p, ",");
		const struct ir_pass *pass = find(p, len);
		if (pass) {
			pass->run(fn);
			check(fn, pass->name);
			if (after)
				after(fn, pass->name, arg);
		}
		p += len;
		p += *p == ',';
	}
}
