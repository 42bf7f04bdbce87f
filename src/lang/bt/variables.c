/*
 * variables.c - names from debug information at user probes: `args.x` (parameters), `local.x` (whatever the source can name
 * there) and `global.x` (file scope).
 *
 * `local` and `global` are no words of bpftrace: they are looked at only when a name means nothing else.
 */
#include "lang/bt/calls.h"

/* --- which record ------------------------------------------------------------------------------------------- */

static bool is_named(const struct bt_expr *e, const char *name)
{
	while (e->kind == BT_UNOP && e->op == BT_DEREF)
		e = e->kid[0];
	bool is_name = e->kind == BT_BUILTIN || e->kind == BT_IDENT;
	return is_name && str_eq(str_has_prefix(e->text, "__builtin_") ? e->text + 10 : e->text, name);
}

bool bt_is_local(const struct bt_expr *e)
{
	return is_named(e, "local");
}

bool bt_is_debug_record(const struct bt_expr *e)
{
	return is_named(e, "args") || is_named(e, "local");
}

static bool has_locals(const struct bt_sema *s)
{
	return BT_KIND_IS(s, PK_UPROBE, PK_USDT, PK_KPROBE);
}

static const char *why_not(const struct bt_sema *s)
{
	const char *why = NULL;
	if (s->point)
		probe_dwarf(s->in->world, s->point, &why);
	return why ? why : "the debug information does not know the function";
}

struct type *bt_sema_user_args(struct bt_sema *s, struct bt_expr *e)
{
	if (s->probe && s->probe->args && s->probe->args->record)
		return s->probe->args->record;
	if (s->point)
		bt_err(s, e->loc, "Cannot read function parameters: %s", why_not(s));
	return NULL;
}

static struct type *sema_local(struct bt_sema *s, struct bt_expr *e)
{
	if (!has_locals(s)) {
		bt_err(s, e->loc, "local can only be used with uprobe, usdt and kprobe probes");
		return NULL;
	}
	if (s->probe && s->probe->locals)
		return s->probe->locals->record;
	bt_err(s, e->loc, "Cannot read local variables: %s", why_not(s));
	return NULL;
}

static ir_ref lower_local(struct bt_lower *l, struct bt_expr *e)
{
	return bt_lower_record(l, l->locals_here, e);
}

static struct type *sema_global(struct bt_sema *s, struct bt_expr *e)
{
	if (!e->data) /* not the left side of a dot */
		bt_err(s, e->loc, "global is no value of its own: name a variable, as in global.x");
	return NULL;
}

static ir_ref lower_nothing(struct bt_lower *l, struct bt_expr *e)
{
	return ir_const(&l->kit.b, 0);
}

static const struct bt_builtin extensions[] = {
	{"local",  sema_local,  lower_local  },
	{"global", sema_global, lower_nothing},
};

const struct bt_builtin *bt_extension_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
		if (!strcmp(extensions[i].name, name))
			return &extensions[i];
	return NULL;
}

/* --- globals -------------------------------------------------------------------------------------------------- */

bool bt_is_global(const struct bt_expr *e)
{
	return e->kind == BT_FIELD && e->kid[0]->kind == BT_BUILTIN && is_named(e->kid[0], "global");
}

struct type *bt_sema_global_field(struct bt_sema *s, struct bt_expr *e)
{
	if (!BT_KIND_IS(s, PK_UPROBE, PK_URETPROBE, PK_USDT, PK_KPROBE, PK_KRETPROBE)) {
		bt_err(s, e->loc, "global can only be used with uprobe, uretprobe, usdt, kprobe and kretprobe probes");
		return NULL;
	}
	const struct dwarf_var *v =
		s->point ? probe_global(s->in->world, s->point, e->text, NULL, s->in->arena) : NULL;
	if (!v) {
		bt_err(s, e->loc, "%s has no variable '%s' of file scope in its debug information",
		       s->point && s->point->target ? s->point->target : s->point ? "the kernel" : "the file", e->text);
		return NULL;
	}
	if (!v->loc) {
		bt_err(s, e->loc, "'%s' %s", e->text, v->missing);
		return NULL;
	}
	type_complete(v->type, s->in->arena);
	e->as = bt_probe_space(s);
	e->is_lvalue = true;
	struct type *t = bt_value_type(s, v->type);
	return e->type && type_equal(e->type, t) ? e->type : t;
}

/* --- variables that cannot be read ----------------------------------------------------------------------------- */

bool bt_explain_missing(struct bt_sema *s, struct bt_expr *e)
{
	const struct probe_args *args = !s->probe		   ? NULL
					: is_named(e->kid[0], "local") ? s->probe->locals
									: s->probe->args;
	for (uint32_t i = 0; args && bt_is_debug_record(e->kid[0]) && i < args->nmissing; i++)
		if (str_eq(args->missing[i]->name, e->text)) {
			bt_err(s, e->loc, "'%s' %s", e->text, args->missing[i]->missing);
			return true;
		}
	return false;
}

/* --- lowering ---------------------------------------------------------------------------------------------------- */

static const struct dwarf_var *find_var(const struct probe_args *args, const char *name)
{
	for (uint32_t i = 0; args && args->var && i < args->record->nfield; i++)
		if (str_eq(args->record->field[i].name, name))
			return args->var[i];
	return NULL;
}

static struct bt_place place_of(struct bt_lower *l, const struct dwarf_var *v, struct bt_expr *e)
{
	struct kit_located at = kit_locate(&l->kit, v->loc, type_mem_size(v->type), e->loc);
	struct bt_place p = {.addr = at.addr, .as = (uint8_t)at.as};
	if (kit_is_optimized_out(v->loc, 0, type_mem_size(v->type) * 8ull))
		p.partial = v;
	if (e->type && e->type->kind == TYPE_STR && v->type->kind == TYPE_ARRAY)
		p.chars = v->type->count;
	return p;
}

static bool nowhere(struct bt_lower *l, struct bt_expr *e, const char *why)
{
	diag_error(l->in->diags, e->loc, "'%s' %s in %s", e->text, why, l->point ? l->point->name : "this probe");
	return false;
}

bool bt_variable_place(struct bt_lower *l, struct bt_expr *e, struct bt_place *ret)
{
	const struct probe_args *args = is_named(e->kid[0], "local") ? l->locals_here : l->args;
	const struct dwarf_var *v = find_var(args, e->text);
	if (bt_is_global(e)) {
		v = l->point ? probe_global(l->in->world, l->point, e->text, NULL, l->in->arena) : NULL;
		if (!v || !v->loc)
			return nowhere(l, e, v ? v->missing : "is not there");
	}
	if (!v && bt_lower_gone(l, e)) {
		*ret = (struct bt_place){.addr = ir_const(&l->kit.b, 0), .as = e->as};
		return true;
	}
	if (!v)
		return false;
	*ret = place_of(l, v, e);
	return true;
}

void bt_check_partial(struct bt_lower *l, const struct bt_place *p, uint32_t size, struct loc loc)
{
	uint64_t bit = (uint64_t)p->off * 8 + (p->bits ? p->bits->bit_offset : 0);
	uint64_t n = p->bits ? p->bits->bit_width : size * 8ull;
	if (!p->partial || p->off < 0 || !kit_is_optimized_out(p->partial->loc, bit, n))
		return;
	if (l->probe->siblings || l->probe->matched.list.len > 1)
		bt_leave_gone(l, loc, arena_printf(l->in->arena, "this part of '%s' is optimised out", p->partial->name));
	else
		diag_error(l->in->diags, loc, "this part of '%s' is optimised out here", p->partial->name);
}

/* print(args): every value that can be read, copied into one record. */
ir_ref bt_lower_record(struct bt_lower *l, const struct probe_args *args, struct bt_expr *e)
{
	struct type *t = e->type;
	ir_ref dst = kit_mem_zero(&l->kit, MAX(type_mem_size(t), 1u));
	for (uint32_t i = 0; i < t->nfield; i++) {
		const struct field *f = &t->field[i];
		const struct dwarf_var *v = find_var(args, f->name);
		if (!v)
			continue;
		if (kit_is_optimized_out(v->loc, 0, type_mem_size(v->type) * 8ull))
			diag_error(l->in->diags, e->loc, "a part of '%s' is optimised out: name its members one by one", v->name);
		struct kit_located at = kit_locate(&l->kit, v->loc, type_mem_size(v->type), e->loc);
		ir_ref to = ir_bini(&l->kit.b, IR_ADD, dst, f->offset);
		kit_read(&l->kit, to, type_mem_size(f->type), at.addr, at.as, e->loc);
	}
	return dst;
}

/* What a function gave back, where the calling convention puts it. */
ir_ref bt_lower_typed_retval(struct bt_lower *l, struct bt_expr *e)
{
	const struct dwarf_var *v = l->args ? l->args->ret_var : NULL;
	if (!v || !v->loc)
		return kit_retval(&l->kit);
	struct kit_located at = kit_locate(&l->kit, v->loc, type_mem_size(v->type), e->loc);
	struct bt_place p = {.addr = at.addr, .as = (uint8_t)at.as};
	if (e->type->kind == TYPE_STR && v->type->kind == TYPE_ARRAY)
		p.chars = v->type->count;
	return bt_place_read(l, &p, e->type, e->loc);
}
