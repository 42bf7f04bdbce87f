/*
 * gone.c - variables that some places of a probe have and others have not: the compiler may keep x in one inlined copy of a
 * function and forget it in the next.
 *
 * Where x is, its value is read.  Where it is not, what prints it prints "<optimised out>"; any other use ends the handler,
 * which is warned of before the start and counted.  A variable that no place has is an error (variables.c).
 */
#include "lang/bt/calls.h"

static const struct dwarf_var *missing_in(const struct probe_args *args, const char *name)
{
	for (uint32_t i = 0; args && i < args->nmissing; i++)
		if (str_eq(args->missing[i]->name, name))
			return args->missing[i];
	return NULL;
}

static bool is_readable_in(const struct probe_args *args, const char *name)
{
	for (uint32_t i = 0; args && args->var && args->record && i < args->record->nfield; i++)
		if (str_eq(args->record->field[i].name, name))
			return true;
	return false;
}

/* The variable of args.x or local.x that is gone in the handler `p`, and is there in a sibling of it; NULL. */
static const struct dwarf_var *gone(const struct bt_probe *p, const struct bt_expr *e)
{
	const struct bt_siblings *all = p ? p->siblings : NULL;
	if (!all || e->kind != BT_FIELD || !bt_is_debug_record(e->kid[0]))
		return NULL;
	bool local = bt_is_local(e->kid[0]), elsewhere = false;
	const struct dwarf_var *v = missing_in(local ? p->locals : p->args, e->text);
	for (size_t i = 0; v && i < all->n; i++)
		elsewhere |= is_readable_in(local ? all->locals[i] : all->args[i], e->text);
	return elsewhere ? v : NULL;
}

struct type *bt_sema_gone(struct bt_sema *s, struct bt_expr *e)
{
	const struct dwarf_var *v = gone(s->probe, e);
	if (!v || v->type->kind == TYPE_NONE)
		return NULL;
	type_complete(v->type, s->in->arena);
	e->as = (uint8_t)bt_probe_space(s);
	e->is_lvalue = true;
	struct type *t = bt_value_type(s, v->type);
	return e->type && type_equal(e->type, t) ? e->type : t;
}

bool bt_lower_gone(struct bt_lower *l, struct bt_expr *e)
{
	const struct dwarf_var *v = gone(l->probe, e);
	if (!v)
		return false;
	bt_leave_gone(l, e->loc, arena_printf(l->in->arena, "'%s' %s", e->text, v->missing));
	return true;
}

void bt_leave_gone(struct bt_lower *l, struct loc loc, const char *what)
{
	struct diag *d = diag_warn(l->in->diags, loc, "%s, in %s (address 0x%llx)", what, l->point->name,
				   (unsigned long long)l->point->address);
	diag_hint(l->in->diags, d, "There the handler ends here, and the events are counted; other places have the value.");
	kit_count_gone(&l->kit);
	kit_return(&l->kit, 0);
}

/* --- in what is printed ------------------------------------------------------------------------------------------ */

struct search {
	const struct bt_probe *probe;
	bool found;
};

static bool look(struct bt_walk *w, struct bt_expr *e)
{
	struct search *s = w->arg;
	s->found = s->found || gone(s->probe, e);
	return !s->found;
}

bool bt_is_gone(const struct bt_lower *l, struct bt_expr *e)
{
	struct search s = {.probe = l->probe};
	struct bt_walk w = {.expr = look, .arg = &s};
	if (l->probe->siblings)
		bt_walk_expr(&w, e);
	return s.found;
}

const char *bt_format_gone(struct bt_lower *l, const char *fmt, struct bt_expr **kid, unsigned *n)
{
	unsigned have = 0;
	bool *is_gone = arena_array(l->in->arena, bool, *n + 1), some = false;
	for (unsigned i = 0; i < *n; i++)
		some |= is_gone[i] = bt_is_gone(l, kid[i]);
	if (!some)
		return fmt;
	fmt = bt_format_without(l->in->arena, fmt, is_gone, *n, BT_GONE_TEXT);
	for (unsigned i = 0; i < *n; i++)
		if (!is_gone[i])
			kid[have++] = kid[i];
	*n = have;
	return fmt;
}
