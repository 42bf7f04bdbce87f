/* bt_parse_fuzz.c - any text as a bpftrace script: read or refused, checked on a machine that has
 * nothing. */
#include "lang/bt/sema.h"

#include <stdint.h>
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

static void check(struct lang_input *in, struct bt_script *script)
{
	struct program *prog = program_new(in->arena, "bpftrace");
	struct bt_sema s = {.in = in, .script = script, .prog = prog};
	bt_config(in, script, &in->opt);
	bt_points(in, script);
	s.cdefs = bt_cdefs_read(in, script);
	prog->opt = in->opt;
	if (!in->diags->errors)
		bt_sema(&s);
	strtab_free(&s.vars);
	strtab_free(&s.options);
	bt_cdefs_free(s.cdefs);
	program_free(prog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	memcpy(text, data, n);
	text[n] = 0;
	struct arena *a = arena_create();
	struct diags d;
	diags_init(&d, a);
	struct source src = {.name = "fuzz", .text = text, .len = strlen(text)};
	struct world *world = NULL;
	err_free(world_open(a, empty_root(), &world));
	static const char *const params[] = {"1", "text", "-5"};
	struct lang_input in = {.src = &src,
				.arena = a,
				.diags = &d,
				.world = world,
				.params = params,
				.nparams = 3};
	struct bt_script *script = bt_parse(&in);
	struct buf out = {0};
	if (script) {
		bt_dump(script, false, &out);
		check(&in, script);
		bt_dump(script, true, &out);
	}
	for (size_t i = 0; i < d.list.len; i++)
		bt_render(&d.list.at[i], &out, false);
	buf_free(&out);
	diags_free(&d);
	if (world)
		world_close(world);
	arena_destroy(a);
	free(text);
	return 0;
}
