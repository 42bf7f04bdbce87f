/*
 * probe_dwarf.c - what debug information knows of a probe: parameters, locals, globals, the result, as records whose fields
 * each have a location.
 */
#include "lang/probe_internal.h"

struct dwarf *probe_dwarf(struct world *w, const struct attach_point *p, const char **why)
{
	struct elf_file *f;
	struct err *e = p->target ? elf_open(w, p->target, &f) : err_new(0, "no file");
	if (e) {
		err_free(e);
		return NULL;
	}
	return elf_dwarf(f, why);
}

/* A record of what can be read; the others in `missing`. */
static struct probe_args *as_record(const struct dwarf_vars *vars, struct arena *a)
{
	struct probe_args *args = arena_new(a, struct probe_args);
	uint32_t n = 0, nmissing = 0;
	struct type **type = arena_array(a, struct type *, vars->list.len + 1);
	const char **name = arena_array(a, const char *, vars->list.len + 1);
	args->decl = arena_array(a, const char *, vars->list.len + 1);
	args->var = arena_array(a, const struct dwarf_var *, vars->list.len + 1);
	args->missing = arena_array(a, const struct dwarf_var *, vars->list.len + 1);
	for (size_t i = 0; i < vars->list.len; i++) {
		const struct dwarf_var *v = vars->list.at[i];
		type_complete(v->type, a);
		/* int a[n]: its elements can be read */
		bool unsized = v->type->kind == TYPE_ARRAY && v->type->elem->size;
		bool readable = v->loc && v->type->kind != TYPE_NONE && (type_mem_size(v->type) || unsized);
		if (!readable && !v->missing) {
			struct dwarf_var *odd = arena_memdup(a, v, sizeof(*v));
			odd->missing = "has no size that is known";
			v = odd;
		}
		if (!readable) {
			args->missing[nmissing++] = v;
			continue;
		}
		args->var[n] = v;
		args->decl[n] = v->decl;
		name[n] = *v->name ? v->name : arena_printf(a, "arg%u", n);
		type[n++] = v->type;
	}
	args->nmissing = nmissing;
	args->record = type_tuple(a, type, name, n);
	return args;
}

static struct probe_args *variables(struct world *w, const struct attach_point *p, bool params_only, struct arena *a)
{
	struct dwarf *d = probe_dwarf(w, p, NULL);
	struct dwarf_vars vars = {0};
	struct dwarf_func f;
	if (!d || !dwarf_function_at(d, p->address, false, a, &f))
		return NULL;
	dwarf_variables(d, p->address, p->func_id, p->is_entry ? DWARF_AT_ENTRY : DWARF_AT_PC, params_only, a, &vars);
	struct probe_args *args = as_record(&vars, a);
	vec_free(&vars.list);
	return args;
}

struct probe_args *probe_dwarf_arguments(struct world *w, const struct attach_point *p, struct arena *a)
{
	if (p->kind == PK_UPROBE)
		return variables(w, p, true, a);
	struct dwarf *d = probe_dwarf(w, p, NULL);
	const struct dwarf_var *v = d ? dwarf_return(d, p->address, a) : NULL;
	if (!v)
		return NULL;
	struct probe_args *args = arena_new(a, struct probe_args);
	args->ret_var = v;
	args->ret = v->type;
	return args;
}

struct probe_args *probe_locals(struct world *w, const struct attach_point *p, struct arena *a)
{
	return p->kind == PK_UPROBE || p->kind == PK_USDT ? variables(w, p, false, a) : NULL;
}

const struct dwarf_var *probe_global(struct world *w, const struct attach_point *p, const char *name, const char *file,
				     struct arena *a)
{
	struct dwarf *d = probe_dwarf(w, p, NULL);
	return d ? dwarf_global(d, name, file, p->address, a) : NULL;
}
