/*
 * probe_dwarf.c - what debug information knows of a probe: parameters, locals, globals, the result, as records whose fields
 * each have a location.
 */
#include "lang/probe_internal.h"

static bool is_kernel(const struct attach_point *p)
{
	return p->kind == PK_KPROBE || p->kind == PK_KRETPROBE;
}

/* Where the place is in the file; 0: not known. */
static uint64_t linked_address(struct world *w, const struct attach_point *p)
{
	if (!is_kernel(p) || p->entry)
		return is_kernel(p) ? p->entry : p->address;
	struct elf_file *f = p->func ? kernel_debug_file(w, p->target, true, NULL) : NULL;
	const struct elf_symbol *sym = f ? elf_symbol_by_name(f, p->func) : NULL;
	return sym ? sym->value + p->offset : 0;
}

static bool is_at_entry(const struct attach_point *p)
{
	return is_kernel(p) && !p->entry ? !p->offset : p->is_entry;
}

struct dwarf *probe_dwarf(struct world *w, const struct attach_point *p, const char **why)
{
	if (is_kernel(p))
		return kernel_dwarf(w, p->target, why);
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
	uint64_t pc = d ? linked_address(w, p) : 0;
	if (!pc || !dwarf_function_at(d, pc, false, a, &f))
		return NULL;
	dwarf_variables(d, pc, p->func_id, is_at_entry(p) ? DWARF_AT_ENTRY : DWARF_AT_PC, params_only, a, &vars);
	struct probe_args *args = as_record(&vars, a);
	vec_free(&vars.list);
	return args;
}

struct probe_args *probe_dwarf_arguments(struct world *w, const struct attach_point *p, struct arena *a)
{
	if (p->kind == PK_UPROBE || p->kind == PK_KPROBE)
		return variables(w, p, true, a);
	struct dwarf *d = probe_dwarf(w, p, NULL);
	uint64_t pc = d ? linked_address(w, p) : 0;
	const struct dwarf_var *v = pc ? dwarf_return(d, pc, a) : NULL;
	if (!v)
		return NULL;
	struct probe_args *args = arena_new(a, struct probe_args);
	args->ret_var = v;
	args->ret = v->type;
	return args;
}

struct probe_args *probe_locals(struct world *w, const struct attach_point *p, struct arena *a)
{
	return p->kind == PK_UPROBE || p->kind == PK_USDT || p->kind == PK_KPROBE ? variables(w, p, false, a) : NULL;
}

/* What is no address in the kernel and none of its per-CPU variables: those of modules are somewhere that is not told. */
static const struct dwarf_var *without_lost(struct world *w, const struct attach_point *p, const struct dwarf_var *v, struct arena *a)
{
	const uint64_t LOWEST = 1ull << 47;
	uint64_t at;
	for (uint32_t i = 0; v->loc && i < v->loc->ninsn; i++) {
		const struct dwarf_insn *insn = &v->loc->insn[i];
		if (insn->op != DWOP_ADDR || (uint64_t)insn->arg >= LOWEST || kernel_is_percpu(w, p->target, (uint64_t)insn->arg, &at))
			continue;
		struct dwarf_var *other = arena_memdup(a, v, sizeof(*v));
		other->loc = NULL;
		other->missing = "is a variable of each CPU in a module, whose place is not known";
		return other;
	}
	return v;
}

const struct dwarf_var *probe_global(struct world *w, const struct attach_point *p, const char *name, const char *file,
				     struct arena *a)
{
	struct dwarf *d = probe_dwarf(w, p, NULL);
	const struct dwarf_var *v = d ? dwarf_global(d, name, file, linked_address(w, p), a) : NULL;
	return v && is_kernel(p) ? without_lost(w, p, v, a) : v;
}
