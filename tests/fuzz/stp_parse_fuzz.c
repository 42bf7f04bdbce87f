/*
 * stp_parse_fuzz.c - any text as a SystemTap script: read or refused, analysed and translated on a machine that has nothing.
 * What could be read is written out as stap -p1 does, and that text must be readable again.
 */
#include "lang/stp/ast.h"
#include "lang/stp/stp.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char root[] = "/tmp/spile-fuzz-XXXXXX";

static void remove_root(void)
{
	rmdir(root);
}

/* An empty folder: the machine. */
static const char *empty_root(void)
{
	static bool made;
	if (!made && mkdtemp(root))
		atexit(remove_root);
	made = true;
	return root;
}

static const char *const params[] = {"1", "text", "-5"};

static struct lang_input input(struct arena *a, struct diags *d, struct world *w, struct source *src, bool guru)
{
	return (struct lang_input){.src = src, .arena = a, .diags = d, .world = w, .params = params, .nparams = 3, .guru = guru};
}

/* What -p1 printed has no errors of its own. */
static void read_again(struct arena *a, struct world *w, struct buf *tree, bool guru)
{
	struct diags d;
	diags_init(&d, a);
	struct source src = {.name = "tree", .text = buf_str(tree), .len = tree->len};
	struct lang_input in = input(a, &d, w, &src, guru);
	in.stop_after = 1;
	struct program *p = lang_stp.compile(&in);
	if (d.errors) {
		struct buf out = {0};
		lang_stp.render(&d.list.at[0], &out, false);
		fprintf(stderr, "the printed tree cannot be read:\n%s\n%s\n", buf_str(tree), buf_str(&out));
		abort();
	}
	program_free(p);
	diags_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	memcpy(text, data, n);
	text[n] = 0;
	bool guru = strstr(text, "guru");
	struct arena *a = arena_create();
	struct diags d;
	diags_init(&d, a);
	struct source src = {.name = "fuzz", .text = text, .len = strlen(text)};
	struct world *world = NULL;
	err_free(world_open(a, empty_root(), &world));
	struct lang_input in = input(a, &d, world, &src, guru);
	struct buf tree = {0}, types = {0}, out = {0};
	in.dump_ast = &tree;
	in.dump_types = &types;
	struct program *prog = lang_stp.compile(&in);
	for (size_t i = 0; i < d.list.len; i++)
		lang_stp.render(&d.list.at[i], &out, false);
	if (tree.len)
		read_again(a, world, &tree, guru);
	program_free(prog);
	buf_free(&tree);
	buf_free(&types);
	buf_free(&out);
	diags_free(&d);
	if (world)
		world_close(world);
	arena_destroy(a);
	free(text);
	return 0;
}
