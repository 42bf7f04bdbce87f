/* calls_stack.c - stacks and the symbols of addresses. */
#include "lang/bt/calls.h"

/* --- kstack, ustack
 * -------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum stack_mode mode;
} modes[] = {{"bpftrace", STACK_BPFTRACE},
	     {"perf", STACK_PERF},
	     {"raw", STACK_RAW},
	     {"build_id", STACK_BUILD_ID}};

/* The mode that an identifier names; false: none. */
static bool read_mode(const struct bt_expr *e, enum stack_mode *ret)
{
	if (e->kind != BT_IDENT)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(modes[i].name, e->text)) {
			*ret = modes[i].mode;
			return true;
		}
	}
	return false;
}

static struct type *stack_type(struct bt_sema *s, struct bt_expr *e, bool user,
			       enum stack_mode mode, uint32_t limit)
{
	const struct type *t = e->type;
	if (t && t->kind == (user ? TYPE_USTACK : TYPE_KSTACK) && t->stack_mode == mode &&
	    t->count == limit)
		return e->type;
	return type_stack(s->in->arena, user, mode, limit);
}

static struct type *sema_stack(struct bt_sema *s, struct bt_expr *e)
{
	bool user = strcmp(e->text, "kstack") != 0;
	enum stack_mode mode = s->in->opt.stack_mode;
	int64_t limit = s->in->opt.stack_limit;
	unsigned i = 0;
	if (e->nkid && e->kid[0]->kind == BT_IDENT) {
		if (!read_mode(e->kid[0], &mode))
			bt_err(s, e->kid[0]->loc,
			       "Error parsing stack mode: invalid value for %s: valid options are bpftrace, build_id, perf, raw",
			       e->text);
		i = 1;
	} else if (e->nkid == 2) {
		bt_err(s, e->loc, "Expected stack mode as first argument");
		i = 1;
	}
	if (i < e->nkid) {
		bt_arg(s, e, i);
		if (!bt_const_int(e->kid[i], &limit) || limit < 0)
			bt_err(s, e->loc, "%s: invalid limit value", e->text);
	}
	if (limit > STACK_FRAMES_MAX) {
		bt_err(s, e->loc, "%s([int limit]): limit shouldn't exceed %d, %ld given", e->text,
		       STACK_FRAMES_MAX, (long)limit);
		limit = STACK_FRAMES_MAX;
	}
	if (!user && mode == STACK_BUILD_ID) {
		if (e->nkid && e->kid[0]->kind == BT_IDENT)
			bt_err(s, e->loc, "'build_id' stack mode can only be used for ustack");
		else
			bt_warn(s, e->loc,
				"'build_id' stack mode can only be used for ustack. Falling back to "
				"'raw' mode.");
		mode = STACK_RAW;
	}
	return stack_type(s, e, user, mode, (uint32_t)MAX(limit, 0));
}

static ir_ref lower_stack(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref dst = kit_mem(&l->kit, sizeof(struct stack_value_wire));
	kit_stack(&l->kit, e->type, dst, e->loc);
	return dst;
}

/* --- ksym, usym
 * ---------------------------------------------------------------------------------------------------
 */

static struct type *sema_sym(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (t && !bt_is_int(t) && t->kind != TYPE_PTR && t->kind != TYPE_KSYM)
		bt_err(s, e->loc, "%s() expects an integer or pointer argument", e->text);
	return !strcmp(e->text, "ksym") ? &type_ksym : &type_usym;
}

static ir_ref lower_ksym(struct bt_lower *l, struct bt_expr *e)
{
	return bt_lower_expr(l, e->kid[0]);
}

static ir_ref lower_usym(struct bt_lower *l, struct bt_expr *e)
{
	return bt_usym(l, bt_lower_expr(l, e->kid[0]));
}

/* An address as a struct usym_wire: whose address space it is in is known only now. */
ir_ref bt_usym(struct bt_lower *l, ir_ref addr)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref dst = kit_mem(&l->kit, sizeof(struct usym_wire));
	ir_ref tgid = ir_bini(b, IR_LSHR, kit_ns_pid_tgid(&l->kit), 32);
	ir_store(b, dst, offsetof(struct usym_wire, addr), 8, addr);
	ir_store(b, dst, offsetof(struct usym_wire, pid), 4, tgid);
	ir_store(b, dst, offsetof(struct usym_wire, pad), 4, ir_const(b, 0));
	return dst;
}

const struct bt_call bt_calls_stack[] = {
	{"kstack", 0, 2, 0, sema_stack, lower_stack},
	{"ustack", 0, 2, 0, sema_stack, lower_stack},
	{"dw_ustack", 0, 2, 0, sema_stack, lower_stack}, /* ustack needs no other name for unwind tables */
	{"ksym", 1, 1, 0, sema_sym, lower_ksym},
	{"usym", 1, 1, 0, sema_sym, lower_usym},
	{0},
};
