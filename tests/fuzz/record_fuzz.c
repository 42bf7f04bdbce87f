/* record_fuzz.c - any bytes as a record: decoded or refused, and printed, never read outside. */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "output/output.h"

static struct program *prog;
static struct exporter *out;

/* One action for each way of laying out an argument. */
static void add_action(enum action_kind kind, const char *fmt, struct type *t, uint32_t offset)
{
	struct action *act = program_action(prog, kind, (struct loc){0});

	act->fmt = fmt;
	act->args = arena_new(prog->arena, struct type);
	act->args->kind = TYPE_TUPLE;
	act->args->nfield = 1;
	act->args->field = arena_new(prog->arena, struct field);
	act->args->field[0] = (struct field){.type = t, .offset = offset};
}

static void setup(void)
{
	struct arena *a = arena_create();

	prog = program_new(a, "bpftrace");
	add_action(ACT_PRINTF, "%s\n", type_str(a, 512), 0);
	add_action(ACT_PRINTF, "%s\n", type_str(a, 16), 4);
	add_action(ACT_PRINTF, "%d\n", &type_int16, 2);
	add_action(ACT_PRINT, NULL, type_buf(a, 32), 0);
	add_action(ACT_PRINT, NULL, type_array(a, &type_uint32, 5), 0);
	add_action(ACT_PRINT, NULL, type_stack(a, true, STACK_PERF, 10), 0);
	add_action(ACT_PRINT, NULL, type_agg(a, TYPE_STATS, true, (int64_t[3]){0}), 0);
	add_action(ACT_EXIT, NULL, &type_uint64, 0);
	out = exporter_create(&output_bt_text, open("/dev/null", O_WRONLY), NULL);
	out->err_fd = out->fd;
	out->env.prog = prog;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!prog)
		setup();
	err_free(events_decode(prog, data, n, out));
	exporter_flush(out);
	return 0;
}
