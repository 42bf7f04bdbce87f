/* probe_args.c - what a handler sees at a point: fields of `args`, type of `retval`, as types and
 * as C text. */
#include "lang/probe_internal.h"

static struct probe_args *new_args(struct arena *a, uint32_t nfield, const char *name)
{
	struct probe_args *args = arena_new(a, struct probe_args);
	args->record = arena_new(a, struct type);
	args->record->kind = TYPE_STRUCT;
	args->record->name = name;
	args->record->is_ctx_based = true;
	args->record->field = arena_array(a, struct field, nfield);
	args->decl = arena_array(a, const char *, nfield);
	args->from_ctx = true;
	return args;
}

static const char *spell(struct btf *b, uint32_t id, const char *name, struct arena *a)
{
	struct buf text = {0};
	btf_spell_decl(b, id, name, &text);
	const char *ret = arena_strdup(a, buf_str(&text));
	buf_free(&text);
	return ret;
}

/* A value of a slot of 8 bytes: what BTF cannot describe is a plain word. */
static struct type *slot_type(struct btf *b, uint32_t id, struct arena *a)
{
	struct type *t = btf_type(b, id, AS_KERNEL, a);
	if (t && t->kind != TYPE_NONE)
		return t;
	t = arena_new(a, struct type);
	t->kind = TYPE_INT;
	t->size = 8;
	return t;
}

/* Slot `at` of the context becomes the next field; structs by value take as many slots as they
 * need. */
static void add_slot(struct probe_args *args, struct btf *b, const struct btf_param *p,
		     uint32_t *at, struct arena *a)
{
	struct type *r = args->record;
	struct field *f = &r->field[r->nfield];
	f->name = *p->name ? p->name : arena_printf(a, "arg%u", r->nfield);
	f->type = slot_type(b, p->type_id, a);
	f->offset = *at * 8;
	args->decl[r->nfield++] = spell(b, p->type_id, f->name, a);
	*at += MAX((f->type->size + 7) / 8, 1u);
	r->size = *at * 8;
}

static struct probe_args *from_func(struct world *w, const struct attach_point *p, struct arena *a)
{
	struct btf *b = p->prog_id ? NULL : world_module_btf(w, p->target ? p->target : "vmlinux");
	struct btf_params params = {0};
	uint32_t ret = 0, at = 0;
	if (!b || !btf_func(b, p->btf_id, &params, &ret)) {
		vec_free(&params.list);
		return NULL;
	}
	struct probe_args *args =
		new_args(a, (uint32_t)params.list.len, arena_printf(a, "_%s_args", p->func));
	vec_each(param, &params.list)
		add_slot(args, b, param, &at, a);
	vec_free(&params.list);
	if (ret && p->kind != PK_LSM) {
		args->ret = btf_type(b, ret, AS_KERNEL, a);
		args->ret_decl = spell(b, ret, "return", a);
	}
	return args;
}

/*
 * typedef btf_trace_X is a pointer to a function without parameter names; the functions that the
 * kernel makes for each tracepoint have them.  All take the probe's own data first, which is not in
 * the context.
 */
static struct probe_args *from_rawtracepoint(struct world *w, const struct attach_point *p,
					     struct arena *a)
{
	static const char *const makers[] = {"__probestub_", "__traceiter_", "__bpf_trace_"};
	struct btf *b = world_module_btf(w, p->target ? p->target : "vmlinux");
	struct btf_params params = {0};
	uint32_t ret, at = 0;
	bool found = false;
	for (size_t i = 0; b && !found && i < ARRAY_SIZE(makers); i++) {
		_cleanup_free_ char *func = xasprintf("%s%s", makers[i], p->func);
		uint32_t id = btf_find(b, BTF_NS_FUNC, func);
		found = id && btf_func(b, id, &params, &ret);
	}
	if (!found) {
		/* the typedef itself: types only */
		uint32_t id = b ? btf_pointee(b, p->btf_id) : 0;
		found = id && btf_func(b, id, &params, &ret);
	}
	struct probe_args *args = NULL;
	if (found && params.list.len) {
		args = new_args(a, (uint32_t)params.list.len - 1,
				arena_printf(a, "_%s_args", p->func));
		for (size_t i = 1; i < params.list.len; i++)
			add_slot(args, b, &params.list.at[i], &at, a);
	}
	vec_free(&params.list);
	return args;
}

static struct probe_args *from_tracepoint(struct world *w, const struct attach_point *p,
					  struct arena *a)
{
	struct tp_format *tp = tracefs_format(w, p->target, p->func);
	if (!tp)
		return NULL;
	struct probe_args *args = arena_new(a, struct probe_args);
	args->record = tp->record;
	args->decl = tp->decl;
	args->from_ctx = true;
	return args;
}

/* The context is a struct bpf_iter__X of pointers; its first member, the iterator's own state, is
 * hidden. */
static struct probe_args *from_iter(struct world *w, const struct attach_point *p, struct arena *a)
{
	struct btf *b = world_btf(w, NULL);
	_cleanup_free_ char *name = xasprintf("bpf_iter__%s", p->func);
	uint32_t id = b ? btf_find(b, BTF_NS_STRUCT, name) : 0, ret = 0;
	struct type *t = id ? btf_type(b, id, AS_KERNEL, a) : NULL;
	struct btf_params params = {0};
	if (!t || t->kind != TYPE_STRUCT)
		return NULL;
	struct probe_args *args = arena_new(a, struct probe_args);
	type_complete(t, a);
	args->record = t;
	args->from_ctx = true;
	args->decl = arena_array(a, const char *, t->nfield);
	/* the function's parameters are spelled as its author wrote them; the struct's pointers sit
	 * in unions */
	if (btf_func(b, p->btf_id, &params, &ret))
		for (size_t i = 0; i < params.list.len && i < t->nfield; i++)
			args->decl[i] =
				spell(b, params.list.at[i].type_id, params.list.at[i].name, a);
	vec_free(&params.list);
	return args;
}

struct probe_args *probe_arguments(struct world *w, const struct attach_point *p, struct arena *a)
{
	switch (p->kind) {
	case PK_TRACEPOINT: return from_tracepoint(w, p, a);
	case PK_RAWTRACEPOINT: return from_rawtracepoint(w, p, a);
	case PK_FENTRY:
	case PK_FEXIT:
	case PK_LSM: return from_func(w, p, a);
	case PK_ITER: return from_iter(w, p, a);
	case PK_NETFILTER: return probe_netfilter_arguments(w, a);
	case PK_UPROBE:
	case PK_URETPROBE: return probe_dwarf_arguments(w, p, a);
	case PK_KPROBE:
	case PK_KRETPROBE: return probe_is_kernel_place(p) ? probe_dwarf_arguments(w, p, a) : NULL;
	default: return NULL;
	}
}
