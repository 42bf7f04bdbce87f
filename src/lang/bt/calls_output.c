/* calls_output.c - what sends text or values to user space, and what ends the run. */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

/* --- sending
 * --------------------------------------------------------------------------------------------------
 */

enum {
	MAX_ARGS = 128
};

void bt_send(struct bt_lower *l, enum action_kind kind, struct loc loc, const char *fmt,
	     bool is_stderr, const struct kit_value *v, unsigned n)
{
	struct action *a = program_action(l->kit.prog, kind, loc);
	a->fmt = fmt;
	a->is_stderr = is_stderr;
	kit_send(&l->kit, a, v, n);
}

struct action *bt_lower_action(struct bt_lower *l, struct bt_expr *e, enum action_kind kind,
			       const char *fmt, unsigned first)
{
	struct kit_value v[MAX_ARGS];
	struct bt_expr *arg[MAX_ARGS];
	unsigned n = MIN(e->nkid - first, (unsigned)MAX_ARGS);
	memcpy(arg, e->kid + first, n * sizeof(*arg));
	if (fmt)
		fmt = bt_format_gone(l, fmt, arg, &n);
	for (unsigned i = 0; i < n; i++)
		v[i] = bt_lower_value(l, arg[i]);
	struct action *a = program_action(l->kit.prog, kind, e->loc);
	a->fmt = fmt;
	a->is_stderr = kind == ACT_ERRORF || kind == ACT_WARNF;
	kit_send(&l->kit, a, v, n);
	return a;
}

/* --- printf and its family
 * --------------------------------------------------------------------------------------- */

/* Formats stay in user space: they may be longer than strings may. */
static bool format_literal(struct bt_sema *s, struct bt_expr *e, const char **fmt)
{
	struct bt_expr *a = e->kid[0];
	if (a->kind != BT_STRING)
		return bt_want_str_literal(s, e, 0, fmt);
	if (memchr(a->text, 0, a->len))
		bt_format_nuls(s->in->arena, e);
	if (!a->type)
		a->type = type_str(s->in->arena, a->len + 1);
	*fmt = a->text;
	return true;
}

static struct type *sema_format(struct bt_sema *s, struct bt_expr *e)
{
	const char *fmt;
	bool ok = format_literal(s, e, &fmt);
	for (unsigned i = 1; i < e->nkid; i++)
		bt_arg(s, e, i);
	if (ok && s->final)
		bt_format_check(s, e, fmt, 1);
	return &type_none;
}

static const char *format_of(const struct bt_expr *e)
{
	const char *fmt = "";
	uint32_t len;
	bt_const_str(e->kid[0], &fmt, &len);
	return fmt;
}

static ir_ref lower_printf(struct bt_lower *l, struct bt_expr *e)
{
	static const struct {
		const char *name;
		enum action_kind kind;
	} kinds[] = {{"printf", ACT_PRINTF},
		     {"errorf", ACT_ERRORF},
		     {"warnf", ACT_WARNF},
		     {"system", ACT_SYSTEM},
		     {"cat", ACT_CAT}};
	if (!strcmp(e->call->name, "printf") && bt_lower_seq_printf(l, e, format_of(e)))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, e->call->name))
			bt_lower_action(l, e, kinds[i].kind, format_of(e), 1);
	return 0;
}

/* --- debugf: bpf_trace_printk
 * ------------------------------------------------------------------------------------- */

enum {
	PRINTK_ARGS = 3
};

static void check_debugf(struct bt_sema *s, struct bt_expr *e, const char *fmt)
{
	char conv[4];
	for (unsigned i = 1; i < e->nkid && bt_format_directive(fmt, i - 1, conv); i++) {
		struct type *t = e->kid[i]->type;
		if (strlen(conv) != 1 || !strchr("duxps", conv[0]))
			bt_err(s, e->kid[0]->loc, "Invalid format specifier for `debugf`: %s",
			       conv);
		else if (t && (conv[0] == 's' ? t->kind != TYPE_STR : !bt_is_int(t)))
			bt_err(s, e->kid[i]->loc, "Type does not match format specifier: %s", conv);
	}
}

static struct type *sema_debugf(struct bt_sema *s, struct bt_expr *e)
{
	const char *fmt;
	bt_warn(s, e->loc,
		"The debugf() builtin is not recommended for production use. For more information "
		"see bpf_trace_printk in bpf-helpers(7).");
	if (e->nkid - 1 > PRINTK_ARGS)
		bt_err(s, e->loc, "cannot use more than %d conversion specifiers", PRINTK_ARGS);
	bool ok = bt_want_str_literal(s, e, 0, &fmt);
	for (unsigned i = 1; i < e->nkid; i++)
		bt_arg(s, e, i);
	if (ok && s->final && bt_format_check(s, e, fmt, 1))
		check_debugf(s, e, fmt);
	return &type_none;
}

static ir_ref lower_debugf(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	const char *fmt = format_of(e);
	uint32_t size = (uint32_t)strlen(fmt) + 1;
	ir_ref v[2 + PRINTK_ARGS];
	unsigned n = 2;
	for (unsigned i = 1; i < e->nkid && n < ARRAY_SIZE(v); i++)
		v[n++] = bt_lower_expr(l, e->kid[i]);
	v[0] = kit_str_literal(&l->kit, fmt, size - 1, size);
	v[1] = ir_const(b, size);
	ir_calln(b, IR_HELPER, BPF_FUNC_trace_printk, NULL, n, v);
	return 0;
}

/* --- print
 * ----------------------------------------------------------------------------------------------------------
 */

static bool is_whole_map(const struct bt_expr *e)
{
	return e->kind == BT_MAP && !e->nkid;
}

static void check_print_value(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = e->kid[0]->type;
	struct buf b = {0};
	if (!t)
		return;
	if (t->kind == TYPE_NONE || t->kind == TYPE_CTX) {
		type_spell(t, &b);
		bt_err(s, e->loc, "%s type passed to print() is not printable", buf_str(&b));
	} else if ((t->kind == TYPE_HIST || t->kind == TYPE_LHIST || t->kind == TYPE_TSERIES) &&
		   e->kid[0]->kind == BT_MAP) {
		type_spell(t, &b);
		bt_err(s, e->loc,
		       "Map type %s cannot print the value of individual keys. You must print the whole map.",
		       buf_str(&b));
	} else if (e->nkid != 1) {
		bt_err(s, e->loc, "Non-map print() only takes 1 argument, %u found", e->nkid);
	}
	buf_free(&b);
}

static struct type *sema_print(struct bt_sema *s, struct bt_expr *e)
{
	int64_t v;
	for (unsigned i = 1; i < e->nkid; i++)
		bt_want_int_literal(s, e, i, &v);
	if (!is_whole_map(e->kid[0])) {
		bt_arg(s, e, 0);
		if (s->final)
			check_print_value(s, e);
		return &type_none;
	}
	struct var *var = bt_want_map(s, e, 0);
	if (s->final && var && !var->value)
		bt_err(s, e->kid[0]->loc, "Undefined map: %s", e->kid[0]->text);
	if (s->in_loop)
		bt_warn(s, e->loc,
			"Due to it's asynchronous nature using 'print()' in a loop can lead to "
			"unexpected behavior. The map will likely be updated before the runtime "
			"can 'print' it.");
	if (s->final && var && var->value && var->value->kind == TYPE_STATS && e->nkid > 1)
		bt_warn(s, e->loc,
			"print()'s top and div arguments are ignored when used on stats() maps.");
	return &type_none;
}

static struct kit_value int_value(struct bt_lower *l, int64_t v)
{
	return (struct kit_value){.type = &type_uint64, .v = ir_const(&l->kit.b, v)};
}

static void print_map(struct bt_lower *l, struct bt_expr *e)
{
	int64_t top = 0, div = 0;
	if (e->nkid > 1)
		bt_const_int(e->kid[1], &top);
	if (e->nkid > 2)
		bt_const_int(e->kid[2], &div);
	struct action *a = program_action(l->kit.prog, ACT_PRINT_VAR, e->loc);
	a->var = e->kid[0]->var;
	struct kit_value v[] = {int_value(l, top), int_value(l, div)};
	kit_send(&l->kit, a, v, 2);
}

static ir_ref lower_print(struct bt_lower *l, struct bt_expr *e)
{
	if (is_whole_map(e->kid[0]))
		print_map(l, e);
	else if (bt_is_gone(l, e->kid[0]))
		bt_send(l, ACT_PRINTF, e->loc, BT_GONE_TEXT "\n", false, NULL, 0);
	else
		bt_lower_action(l, e, ACT_PRINT, NULL, 0);
	return 0;
}

/* --- clear, zero
 * ------------------------------------------------------------------------------------------------------
 */

static struct type *sema_map_only(struct bt_sema *s, struct bt_expr *e)
{
	struct var *var = bt_want_map(s, e, 0);
	if (s->final && var && !var->value)
		bt_err(s, e->kid[0]->loc, "Undefined map: %s", e->kid[0]->text);
	if (var)
		var->is_emptied = true;
	return &type_none;
}

static ir_ref lower_clear(struct bt_lower *l, struct bt_expr *e)
{
	bool clear = !strcmp(e->call->name, "clear");
	struct action *a = program_action(l->kit.prog, clear ? ACT_CLEAR : ACT_ZERO, e->loc);
	a->var = e->kid[0]->var;
	kit_send(&l->kit, a, NULL, 0);
	return 0;
}

/* --- join
 * ---------------------------------------------------------------------------------------------------------------
 */

enum {
	JOIN_STRINGS = 16,
	JOIN_BYTES = 1024
};

static struct type *sema_join(struct bt_sema *s, struct bt_expr *e)
{
	const char *sep;
	struct type *t = bt_arg(s, e, 0);
	bool is_vector = t && t->kind == TYPE_ARRAY && t->elem->kind == TYPE_PTR;
	if (t && !bt_is_int(t) && t->kind != TYPE_PTR && !is_vector)
		bt_err(s, e->loc, "join() only supports int or pointer arguments (%s provided)",
		       bt_kind_word(t));
	if (e->nkid > 1)
		bt_want_str_literal(s, e, 1, &sep);
	return &type_none;
}

static ir_ref lower_join(struct bt_lower *l, struct bt_expr *e)
{
	const char *sep = " ";
	uint32_t len;
	if (e->nkid > 1)
		bt_const_str(e->kid[1], &sep, &len);
	struct bt_place vec = bt_lower_target(l, e->kid[0]);
	ir_ref at = bt_place_addr(l, &vec);
	struct action *act = program_action(l->kit.prog, ACT_JOIN, e->loc);
	act->fmt = sep;
	const struct type *t = e->kid[0]->type;
	unsigned n = t->kind == TYPE_ARRAY && t->count ? MIN(t->count, (uint32_t)JOIN_STRINGS)
						       : (unsigned)JOIN_STRINGS;
	kit_send_strings(&l->kit, act, at, (enum addr_space)vec.as, n, JOIN_BYTES, e->loc);
	return 0;
}

/* --- exit, assert, fail
 * ---------------------------------------------------------------------------------------------------
 */

static struct type *sema_exit(struct bt_sema *s, struct bt_expr *e)
{
	if (e->nkid)
		bt_want_int(s, e, 0);
	return &type_none;
}

static ir_ref lower_exit(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref code = e->nkid ? bt_lower_expr(l, e->kid[0]) : ir_const(&l->kit.b, 0);
	kit_exit(&l->kit, code, e->loc);
	return 0;
}

static struct type *sema_assert(struct bt_sema *s, struct bt_expr *e)
{
	return bt_void(s, e);
}

struct assert_arg {
	struct bt_expr *e;
};
static void assert_failed(struct bt_lower *l, void *arg)
{
	struct bt_expr *e = ((struct assert_arg *)arg)->e;
	struct kit_value v = bt_lower_value(l, e->kid[1]);
	bt_send(l, ACT_ERRORF, e->loc, "assert failed: %s", true, &v, 1);
	kit_exit(&l->kit, ir_const(&l->kit.b, 1), e->loc);
}

static ir_ref lower_assert(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref ok = bt_lower_cond(l, e->kid[0]);
	bt_when(l, ir_bini(&l->kit.b, IR_EQ, ok, 0), assert_failed, &(struct assert_arg){e});
	return 0;
}

static struct type *sema_fail(struct bt_sema *s, struct bt_expr *e)
{
	const char *fmt;
	int64_t v;
	uint32_t len;
	bt_void(s, e);
	for (unsigned i = 0; i < e->nkid; i++) {
		if (!bt_const_str(e->kid[i], &fmt, &len) && !bt_const_int(e->kid[i], &v)) {
			bt_err(s, e->loc, "fail() arguments need to be literals");
			return &type_none;
		}
	}
	if (!bt_const_str(e->kid[0], &fmt, &len))
		bt_err(s, e->loc, "first argument to fail() must be a string literal");
	else
		bt_err(s, e->loc, "%s",
		       bt_format_constants(s->in->arena, fmt, e->kid + 1, e->nkid - 1));
	return &type_none;
}

static struct type *sema_static_assert(struct bt_sema *s, struct bt_expr *e)
{
	int64_t v;
	const char *msg = "static assertion failed";
	uint32_t len;
	bt_void(s, e);
	bt_const_str(e->kid[1], &msg, &len);
	if (!bt_const_int(e->kid[0], &v))
		bt_err(s, e->kid[0]->loc, "static_assert() expects a constant condition");
	else if (!v)
		bt_err(s, e->loc, "%s", msg);
	return &type_none;
}

static ir_ref lower_nothing(struct bt_lower *l, struct bt_expr *e)
{
	return 0;
}

static struct type *sema_later(struct bt_sema *s, struct bt_expr *e)
{
	bt_err(s, e->loc, "%s() is not supported yet", e->text);
	return NULL;
}

const struct bt_call bt_calls_output[] = {
	{"printf", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT, sema_format, lower_printf},
	{"errorf", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT, sema_format, lower_printf},
	{"warnf", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT, sema_format, lower_printf},
	{"system", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT | BT_F_UNSAFE, sema_format,
	 lower_printf},
	{"cat", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT, sema_format, lower_printf},
	{"debugf", 1, MAX_ARGS, BT_F_VOID | BT_F_LITERAL_FMT, sema_debugf, lower_debugf},
	{"print", 1, 3, BT_F_VOID, sema_print, lower_print},
	{"clear", 1, 1, BT_F_VOID, sema_map_only, lower_clear},
	{"zero", 1, 1, BT_F_VOID, sema_map_only, lower_clear},
	{"join", 1, 2, BT_F_VOID, sema_join, lower_join},
	{"exit", 0, 1, BT_F_VOID, sema_exit, lower_exit},
	{"assert", 2, 2, BT_F_VOID, sema_assert, lower_assert},
	{"fail", 1, MAX_ARGS, BT_F_VOID, sema_fail, lower_nothing},
	{"static_assert", 2, 2, BT_F_VOID, sema_static_assert, lower_nothing},
	{"unwatch", 1, 1, BT_F_VOID, sema_later, lower_nothing},
	{0},
};
