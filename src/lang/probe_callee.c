/*
 * probe_callee.c - functions by who calls them: process("p").function("f").callee("g").
 *
 * A callee that was inlined is a place of its own.  Of one that is called the entry is probed, and who called is told by where the call
 * goes back to: the debug information lists the calls of a function (DW_TAG_call_site).  Jumps (tail calls) leave no such trace.
 */
#include "lang/probe_internal.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { MAX_CALLEES = 4096, MAX_RETURNS = 256 };

struct callee {
	struct dwarf_func func;
	const struct dwarf_func *caller;
	VEC(uint64_t) return_to;
};
struct callees {
	struct source_search *s;
	const struct dwarf_func *caller; /* whose calls are being looked at */
	VEC(struct callee *) list;
};

static void note_definition(void *arg, const struct dwarf_func *f)
{
	struct dwarf_func *ret = arg;
	if (!ret->entry)
		*ret = *f;
}

/* A function that is declared here and defined in another unit. */
static bool find_definition(struct source_search *s, struct dwarf_func *f)
{
	struct dwarf_func found = {0};
	if (!f->entry)
		dwarf_functions(s->d, f->linkage, DWARF_CONCRETE, s->x->arena, note_definition, &found);
	if (!f->entry && !found.entry)
		return false;
	if (found.entry) {
		uint64_t return_pc = f->return_pc;
		*f = found;
		f->return_pc = return_pc;
	}
	return true;
}

static struct callee *callee_of(struct callees *c, const struct dwarf_func *f)
{
	vec_each(it, &c->list)
		if ((*it)->func.entry == f->entry && (*it)->func.id == f->id && (*it)->caller->id == c->caller->id)
			return *it;
	struct callee *new = arena_new(c->s->x->arena, struct callee);
	new->func = *f;
	new->caller = c->caller;
	vec_push(&c->list, new);
	return new;
}

static void note_callee(void *arg, const struct dwarf_func *f)
{
	struct callees *c = arg;
	struct dwarf_func found = *f;
	const char *pattern = c->s->x->spec->callee;
	if ((fnmatch(pattern, f->name, 0) && fnmatch(pattern, f->linkage, 0)) || c->list.len >= MAX_CALLEES)
		return;
	if ((!f->is_inlined && !f->return_pc) || !find_definition(c->s, &found))
		return;
	struct callee *callee = callee_of(c, &found);
	if (f->return_pc && callee->return_to.len < MAX_RETURNS)
		vec_push(&callee->return_to, f->return_pc);
}

static void look_into(struct callees *c, const struct dwarf_func *caller)
{
	c->caller = caller;
	dwarf_callees(c->s->d, caller->id, c->s->x->arena, note_callee, c);
}

static const char *spell_caller(struct source_search *s, const struct dwarf_func *f)
{
	const char *file;
	uint32_t line;
	dwarf_declaration(s->d, f->id, s->x->arena, &file, &line);
	return file ? arena_printf(s->x->arena, "%s@%s:%u", f->name, file, line) : f->name;
}

static void add_callee(struct source_search *s, const struct callee *c)
{
	if (s->x->kind->is_return && c->func.is_inlined)
		return;
	_cleanup_free_ char *name = xasprintf("%s:%s", s->path, c->func.name);
	struct attach_point *p = source_add(s, &c->func, c->func.entry, name);
	if (!p)
		return;
	p->is_entry = !c->func.is_inlined;
	p->caller = spell_caller(s, c->caller);
	p->nreturn_to = (uint32_t)c->return_to.len;
	p->return_to = arena_memdup(s->x->arena, c->return_to.at, c->return_to.len * sizeof(uint64_t));
}

void source_add_callees(struct source_search *s)
{
	struct callees c = {.s = s};
	size_t from = 0;
	vec_each(f, &s->func)
		look_into(&c, f);
	for (uint32_t depth = 1; depth < s->x->spec->callee_depth && from < c.list.len; depth++) {
		size_t to = c.list.len;
		for (size_t i = from; i < to; i++)
			look_into(&c, &c.list.at[i]->func);
		from = to;
	}
	vec_each(it, &c.list) {
		add_callee(s, *it);
		vec_free(&(*it)->return_to);
	}
	vec_free(&c.list);
}
