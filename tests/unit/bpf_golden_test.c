/*
 * bpf_golden_test.c - what code comes out: every tests/bpf/NAME.ir is three parts split by lines of
 * `---`: what is shown (with the word `v4`: for a kernel with cpu v4; `passes: none`: without the
 * passes), IR whose first function is the entry, and its disassembly or the error. `bpf_golden_test
 * ROOT [--bless]`.
 */
#include <dirent.h>
#include <stdlib.h>

#include "bpf/bpf.h"
#include "test.h"

static void compile(struct program *p, const char *head, struct arena *a, struct buf *out)
{
	struct world w = {.arena = a, .ncpus = 1};
	struct bpf_image *img;
	w.features.bpf_signed_div = strstr(head, "v4") != NULL;
	for (size_t i = 0; i < p->fn.len; i++) {
		ir_cfg(p->fn.at[i]);
		if (!strstr(head, "passes: none"))
			ir_optimize(p->fn.at[i], NULL, NULL, NULL);
		/* places in the text of the test would only repeat it */
		for (size_t k = 0; k < p->fn.at[i]->insn.len; k++)
			p->fn.at[i]->insn.at[k].loc.src = NULL;
	}
	struct err *e = bpf_compile(p, p->fn.at[0], &w, a, &img);
	if (e)
		buf_printf(out, "error: %s\n", e->msg);
	else
		bpf_disasm(p, img, out);
	err_free(e);
}

static void process(const char *head, const char *text, struct buf *out)
{
	struct arena *a = arena_create();
	struct program *p = program_new(a, "test");
	struct diags diags;
	diags_init(&diags, a);
	struct source src = {"golden", text, strlen(text)};
	bool ok = ir_parse(p, &src, &diags);
	vec_each(d, &diags.list)
		printf("%u: %s\n", source_line_col(&src, d->loc.begin).line, d->msg);
	CHECK(ok && p->fn.len);
	if (ok && p->fn.len)
		compile(p, head, a, out);
	diags_free(&diags);
	program_free(p);
	arena_destroy(a);
}

static void run(const char *path, bool blessing)
{
	_cleanup_free_ char *text = read_file(path, NULL);
	char *ir = text ? strstr(text, "---\n") : NULL, *want = ir ? strstr(ir + 4, "---\n") : NULL;
	CHECK(want);
	if (!want)
		return;
	*ir = *want = 0;
	struct buf got = {0};
	process(text, ir + 4, &got);
	FILE *f = blessing ? fopen(path, "w") : NULL;
	if (f) {
		fprintf(f, "%s---\n%s---\n%s", text, ir + 4, buf_str(&got));
		fclose(f);
	} else {
		if (strcmp(buf_str(&got), want + 4))
			printf("%s differs:\n", path);
		CHECK_STR(buf_str(&got), want + 4);
	}
	buf_free(&got);
}

int main(int argc, char **argv)
{
	bool blessing = argc > 2 && !strcmp(argv[2], "--bless");
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	CHECK(d);
	for (struct dirent *e; d && (e = readdir(d));)
		if (str_has_suffix(e->d_name, ".ir")) {
			_cleanup_free_ char *path = xasprintf("%s/%s", argv[1], e->d_name);
			run(path, blessing);
		}
	if (d)
		closedir(d);
	CHECK(checks_passed > 10); /* there were goldens at all */
	return test_end();
}
