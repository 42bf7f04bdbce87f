/* tracefs_fuzz.c - any text as a tracepoint's format. */
#include "debuginfo/world.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_create();
	struct world w = {.arena = a, .root = "/nowhere", .btf_path = "/nowhere"};
	char *text = strndup((const char *)data, n);
	struct tp_format *tp = tracefs_parse_format(&w, "syscalls", "sys_enter_fuzz", text);
	for (uint32_t i = 0; i < tp->record->nfield; i++) {
		const struct field *f = &tp->record->field[i];
		if (!f->type || !*f->name || !*tp->decl[i])
			abort();
		struct buf spelled = {0};
		type_spell(f->type, &spelled);
		buf_free(&spelled);
	}
	world_close(&w);
	arena_destroy(a);
	free(text);
	return 0;
}
