/* dwarf_fuzz.c - any bytes as an ELF file with debug information: functions, lines, variables, types, locations. */
#include "debuginfo/dwarf.h"
#include "debuginfo/internal.h"

#include <stdint.h>
#include <stdlib.h>

enum { MOST = 64 };

struct state {
	struct dwarf *d;
	struct arena *a;
	uint64_t pc[MOST];
	uint32_t id[MOST];
	unsigned n;
	struct dwarf_line line;
	unsigned nlines;
};

static void note_func(void *arg, const struct dwarf_func *f)
{
	struct state *s = arg;
	if (s->n == MOST)
		return;
	s->id[s->n] = f->id;
	s->pc[s->n++] = f->entry;
}

static void note_line(void *arg, const struct dwarf_line *l)
{
	struct state *s = arg;
	s->line = *l;
	s->nlines++;
}

static void note_label(void *arg, const char *name, const char *file, uint32_t line, uint64_t pc)
{
}

static void look_at_type(struct type *t, struct arena *a, unsigned depth)
{
	type_complete(t, a);
	if (depth > 3)
		return;
	for (uint32_t i = 0; i < t->nfield && i < MOST; i++)
		look_at_type(t->field[i].type, a, depth + 1);
	if (t->elem)
		look_at_type(t->elem, a, depth + 1);
}

/* A location is code that kit_dwarf.c runs without looking: its bounds must hold. */
static void check_loc(const struct dwarf_loc *l)
{
	if (l->ninsn > DWARF_MAX_INSNS || l->npiece > DWARF_MAX_PIECES)
		abort();
	for (uint32_t i = 0; i < l->npiece; i++)
		if (l->piece[i].first + l->piece[i].count > l->ninsn)
			abort();
	if (l->cfa)
		check_loc(l->cfa);
}

static void look_at(struct state *s, uint64_t pc, uint32_t id)
{
	for (int at = DWARF_AT_PC; at <= DWARF_AT_ENTRY; at++) {
		struct dwarf_vars vars = {0};
		dwarf_variables(s->d, pc, id, (enum dwarf_at)at, false, s->a, &vars);
		for (size_t i = 0; i < vars.list.len; i++) {
			const struct dwarf_var *v = vars.list.at[i];
			if (!v->loc && !v->missing)
				abort();
			if (v->loc)
				check_loc(v->loc);
			look_at_type(v->type, s->a, 0);
		}
		vec_free(&vars.list);
	}
	const struct dwarf_var *ret = dwarf_return(s->d, pc, s->a);
	if (ret && ret->loc)
		check_loc(ret->loc);
	struct dwarf_line line;
	dwarf_line_at(s->d, pc, &line);
	struct dwarf_site site[MOST];
	for (uint64_t at = pc; at < pc + 8; at++)
		if (dwarf_sites_at(s->d, at, site, 1 + at % MOST) > 1 + at % MOST)
			abort();
	dwarf_labels(s->d, id, s->a, note_label, s);
	dwarf_callees(s->d, id, s->a, note_func, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct state s = {.a = arena_create()};
	struct world w = {.arena = s.a, .root = "/nowhere"};
	struct elf_file *f = NULL;
	char *copy = malloc(n ? n : 1);
	if (n)
		memcpy(copy, data, n);
	struct err *e = elf_open_memory(&w, "fuzzed", copy, n, &f);
	const char *why = NULL;
	int64_t v;
	if (f && (s.d = elf_dwarf(f, &why))) {
		dwarf_functions(s.d, "*", DWARF_INLINED | DWARF_CONCRETE, s.a, note_func, &s);
		for (unsigned i = 0; i < s.n && i < 8; i++)
			look_at(&s, s.pc[i], s.id[i]);
		dwarf_lines(s.d, "a.c", 1, 100, note_line, &s);
		dwarf_global(s.d, "global", NULL, 0, s.a);
		dwarf_type_by_name(s.d, "struct s");
		dwarf_enumerator(s.d, "RED", &v);
	}
	err_free(e);
	world_close(&w);
	arena_destroy(s.a);
	free(copy);
	return 0;
}
