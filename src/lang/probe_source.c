/* probe_source.c - probes on source lines: FILE:LINE[:COL] of a binary. */
#include "lang/probe_internal.h"

#include <stdlib.h>

struct statements {
	struct arena *a;
	uint32_t col;
	VEC(struct dwarf_line) list;
};

static void add_line(void *arg, const struct dwarf_line *l)
{
	struct statements *s = arg;
	if (!s->col || s->col == l->col)
		vec_push(&s->list, *l);
}

/*
 * One place for each run of the line's code: the compiler may give the same line to many neighbouring statements, but a
 * program that passes the line once should be counted once.  Of each function (or inlined copy) the lowest address.
 */
static void add_instances(struct expansion *x, const char *path, struct elf_file *f, struct dwarf *d, struct statements *s)
{
	struct seen {
		uint32_t id;
		uint64_t pc;
	};
	VEC(struct seen) seen = {0};
	for (size_t i = 0; i < s->list.len; i++) {
		struct dwarf_func func = {0};
		uint64_t pc = s->list.at[i].pc;
		if (!dwarf_function_at(d, pc, false, x->arena, &func))
			continue;
		size_t k = 0;
		while (k < seen.len && seen.at[k].id != func.id)
			k++;
		if (k == seen.len)
			vec_push(&seen, (struct seen){func.id, pc});
		else if (pc < seen.at[k].pc)
			seen.at[k].pc = pc;
	}
	for (size_t k = 0; k < seen.len; k++) {
		uint64_t offset;
		const struct probe_spec *spec = x->spec;
		if (!elf_offset_of(f, seen.at[k].pc, &offset))
			continue;
		struct attach_point *p = expansion_add(x, "%s@%s:%u", path, spec->file, spec->line);
		if (spec->col)
			p->name = arena_printf(x->arena, "%s:%u", p->name, spec->col);
		p->target = path;
		p->offset = offset;
		p->address = p->entry = seen.at[k].pc;
		p->is_pie = elf_is_pie(f);
		p->func_id = seen.at[k].id;
		if (!p->pid)
			p->pid = x->world->pid;
	}
	vec_free(&seen);
}

/* Nearest lines below and above that have code. */
static void report(struct expansion *x, struct dwarf *d)
{
	enum { FAR = 1000 };
	const struct probe_spec *spec = x->spec;
	struct statements all = {.a = x->arena};
	uint32_t low = 0, high = 0;
	dwarf_lines(d, spec->file, spec->line > FAR ? spec->line - FAR : 1, spec->line + FAR, add_line, &all);
	vec_each(l, &all.list) {
		if (l->line < spec->line && l->line > low)
			low = l->line;
		if (l->line > spec->line && (!high || l->line < high))
			high = l->line;
	}
	if (spec->col && !low && !high && all.list.len)
		expansion_error(x, "%s:%u has no statement at column %u", spec->file, spec->line, spec->col);
	else if (low && high)
		expansion_error(x, "%s has no code for %s:%u; the nearest lines that have are %u and %u", spec->target,
				spec->file, spec->line, low, high);
	else if (low || high)
		expansion_error(x, "%s has no code for %s:%u; the nearest line that has is %u", spec->target, spec->file,
				spec->line, low ? low : high);
	else
		expansion_error(x, "%s has no code from %s", spec->target, spec->file);
	vec_free(&all.list);
}

void expand_source(struct expansion *x, const char *path, struct elf_file *f)
{
	const struct probe_spec *spec = x->spec;
	const char *why = NULL;
	struct dwarf *d = elf_dwarf(f, &why);
	if (!d) {
		expansion_error(x, "%s", why);
		return;
	}
	struct statements s = {.a = x->arena, .col = spec->col};
	dwarf_lines(d, spec->file, spec->line, spec->line, add_line, &s);
	size_t before = x->ret->list.len;
	add_instances(x, path, f, d, &s);
	if (x->ret->list.len == before)
		report(x, d);
	vec_free(&s.list);
}
