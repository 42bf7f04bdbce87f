/* pass.c - the list of passes, and running them. */
#include "ir/impl.h"

const struct ir_pass ir_passes[] = {
#define PASS(id, what) {#id, ir_pass_##id, what},
#include "ir/passes.def"
#undef PASS
};
const unsigned ir_npasses = ARRAY_SIZE(ir_passes);

static void run(struct ir_fn *fn, const struct ir_pass *pass,
		void (*after)(const struct ir_fn *fn, const char *pass, void *arg), void *arg)
{
	pass->run(fn);
#ifndef NDEBUG
	const char *wrong = ir_check(fn);
	if (wrong) {
		struct buf text = {0};
		ir_print(fn, &text);
		BUG("after pass %s: %s\n%s", pass->name, wrong, buf_str(&text));
	}
#endif
	if (after)
		after(fn, pass->name, arg);
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
	if (!only) {
		for (unsigned i = 0; i < ir_npasses; i++)
			run(fn, &ir_passes[i], after, arg);
		return;
	}
	for (const char *p = only; *p;) {
		size_t len = strcspn(p, ",");
		const struct ir_pass *pass = find(p, len);
		if (pass)
			run(fn, pass, after, arg);
		p += len;
		p += *p == ',';
	}
}
