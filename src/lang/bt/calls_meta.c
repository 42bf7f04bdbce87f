/* calls_meta.c - questions that are answered while compiling. */
#include <strings.h>

#include "lang/bt/calls.h"
#include "lang/bt/parse.h"

/* --- is_str(e) and its family
 * -------------------------------------------------------------------------------------- */

static bool is_string(const struct type *t)
{
	return t->kind == TYPE_STR;
}
static bool is_pointer(const struct type *t)
{
	return t->kind == TYPE_PTR;
}
static bool is_an_array(const struct type *t)
{
	return t->kind == TYPE_ARRAY;
}
static bool is_integer(const struct type *t)
{
	return bt_is_int(t);
}
static bool is_unsigned(const struct type *t)
{
	return bt_is_int(t) && !t->is_signed;
}

static struct type *sema_type_test(struct bt_sema *s, struct bt_expr *e)
{
	static const struct {
		const char *name;
		bool (*test)(const struct type *t);
	} tests[] = {{"is_str", is_string},
		     {"is_ptr", is_pointer},
		     {"is_array", is_an_array},
		     {"is_integer", is_integer},
		     {"is_unsigned_integer", is_unsigned}};
	struct type *t = bt_arg(s, e, 0);
	if (!t)
		return &type_bool;
	if (!s->final) /* the type may still change */
		return &type_bool;
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		if (!strcmp(tests[i].name, e->call->name))
			return bt_fold_bool(e, tests[i].test(t));
	return &type_bool;
}

static struct type *sema_is_literal(struct bt_sema *s, struct bt_expr *e)
{
	int64_t v;
	const char *text;
	uint32_t len;
	bt_arg(s, e, 0);
	return bt_fold_bool(e, bt_const_int(e->kid[0], &v) || bt_const_str(e->kid[0], &text, &len));
}

static struct type *sema_is_scalar(struct bt_sema *s, struct bt_expr *e)
{
	struct var *var = bt_want_map(s, e, 0);
	if (!s->final || !var)
		return &type_bool;
	return bt_fold_bool(e, !var->key);
}

static struct type *sema_is_err(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (t && t->kind != TYPE_PTR && !bt_is_int(t))
		bt_err(s, e->loc, "is_err() expects a pointer (%s provided)", bt_kind_word(t));
	return &type_bool;
}

enum {
	MAX_ERRNO = 4095
};

static ir_ref lower_is_err(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref v = bt_lower_expr(l, e->kid[0]);
	return ir_bin(b, IR_ULE, ir_const(b, -MAX_ERRNO), v);
}

/* --- kfuncs
 * ---------------------------------------------------------------------------------------------------------------
 */

static struct type *sema_kfunc(struct bt_sema *s, struct bt_expr *e)
{
	const char *name;
	uint32_t len;
	bt_arg(s, e, 0);
	if (!bt_const_str(e->kid[0], &name, &len)) {
		bt_err(s, e->loc, "%s() accepts a string literal only", e->text);
		return &type_bool;
	}
	struct err *err = NULL;
	struct btf *btf = world_btf(s->in->world, &err);
	err_free(err);
	return bt_fold_bool(e, btf && btf_find(btf, BTF_NS_FUNC, name));
}

/* --- getopt
 * ------------------------------------------------------------------------------------------------------------------
 */

/* $1, $2... are the parameters that are no --options. */
const char *bt_param(const struct lang_input *in, uint64_t n)
{
	for (unsigned i = 0; i < in->nparams; i++)
		if (strncmp(in->params[i], "--", 2) != 0 && !--n)
			return in->params[i];
	return NULL;
}

unsigned bt_param_count(const struct lang_input *in)
{
	unsigned n = 0;
	while (bt_param(in, n + 1))
		n++;
	return n;
}

/* Text after the last --name or --name=; NULL: not given. */
static const char *option_text(const struct lang_input *in, const char *name)
{
	size_t n = strlen(name);
	const char *text = NULL;
	for (unsigned i = 0; i < in->nparams; i++) {
		const char *p = in->params[i];
		if (strncmp(p, "--", 2) != 0 || strncmp(p + 2, name, n) != 0)
			continue;
		if (p[2 + n] == '=')
			text = p + 3 + n;
		else if (!p[2 + n])
			text = "";
	}
	return text;
}

static bool word_in(const char *text, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

/* Said at once: the call is a constant from now on. */
static void bad_option(struct bt_sema *s, const char *name, const char *what, const char *text)
{
	bt_err_now(s, (struct loc){0}, "program command line option --%s invalid %s (value: %s)",
		   name, what, text);
}

static struct type *bool_option(struct bt_sema *s, struct bt_expr *e, const char *name,
				const char *text, bool v)
{
	static const char *const yes[] = {"", "true", "1", "on", "yes"}, *const no[] = {"false",
											"0", "off",
											"no"};
	if (text && word_in(text, yes, ARRAY_SIZE(yes)))
		v = true;
	else if (text && word_in(text, no, ARRAY_SIZE(no)))
		v = false;
	else if (text)
		bad_option(s, name, "boolean", text);
	return bt_fold_bool(e, v);
}

static struct type *int_option(struct bt_sema *s, struct bt_expr *e, const char *name,
			       const char *text, int64_t v)
{
	bool negative = text && *text == '-';
	uint64_t n;
	if (!text)
		return bt_fold_int(e, v, &type_int64);
	if (bt_number(s->in->arena, text + negative, 0, &n)) {
		bad_option(s, name, "integer", text);
		return bt_fold_int(e, 0, &type_int64);
	}
	return bt_fold_int(e, negative ? -(int64_t)n : (int64_t)n,
			   !negative && n > INT64_MAX ? &type_uint64 : &type_int64);
}

/* What --help tells: e->data. */
static struct bt_option *option_new(struct bt_sema *s, struct bt_expr *e, const char *name)
{
	struct bt_option *o = arena_new(s->in->arena, struct bt_option);
	uint32_t len;
	o->name = name;
	if (e->nkid > 1)
		o->fallback = arena_strndup(s->in->arena, e->kid[1]->loc.src->text + e->kid[1]->loc.begin,
					    e->kid[1]->loc.end - e->kid[1]->loc.begin);
	const struct bt_option *first = strtab_get(&s->options, name);
	const char *was = first && first->fallback ? first->fallback : "false";
	if (first && strcmp(was, o->fallback ? o->fallback : "false") != 0)
		bt_err_now(s, e->loc,
			   "Command line option '%s' needs to have the same default value in all places it is used. "
			   "Previous default value: %s",
			   name, was);
	if (!first)
		strtab_set(&s->options, name, o);
	if (e->nkid > 2)
		bt_const_str(e->kid[2], &o->description, &len);
	return o;
}

static struct type *sema_getopt(struct bt_sema *s, struct bt_expr *e)
{
	const char *name = NULL, *def;
	uint32_t len;
	int64_t v;
	for (unsigned i = 0; i < e->nkid; i++)
		bt_arg(s, e, i);
	if (!bt_const_str(e->kid[0], &name, &len)) {
		bt_err(s, e->loc, "First argument to 'getopt' must be a string literal.");
		return NULL;
	}
	e->data = option_new(s, e, name);
	const char *text = option_text(s->in, name);
	if (e->nkid < 2)
		return bool_option(s, e, name, text, false);
	if (e->kid[1]->kind == BT_BOOL)
		return bool_option(s, e, name, text, e->kid[1]->num);
	if (bt_const_str(e->kid[1], &def, &len))
		return bt_fold_str(s, e, text ? text : def);
	if (bt_const_int(e->kid[1], &v))
		return int_option(s, e, name, text, v);
	bt_err(s, e->loc,
	       "Second argument to 'getopt' must be a string literal, integer literal, or a boolean literal.");
	return NULL;
}

static ir_ref lower_constant(struct bt_lower *l, struct bt_expr *e)
{
	int64_t v = 0;
	bt_const_int(e, &v);
	return ir_const(&l->kit.b, v);
}

const struct bt_call bt_calls_meta[] = {
	{"is_str", 1, 1, 0, sema_type_test, lower_constant},
	{"is_ptr", 1, 1, 0, sema_type_test, lower_constant},
	{"is_array", 1, 1, 0, sema_type_test, lower_constant},
	{"is_integer", 1, 1, 0, sema_type_test, lower_constant},
	{"is_unsigned_integer", 1, 1, 0, sema_type_test, lower_constant},
	{"is_literal", 1, 1, 0, sema_is_literal, lower_constant},
	{"is_scalar", 1, 1, 0, sema_is_scalar, lower_constant},
	{"is_err", 1, 1, 0, sema_is_err, lower_is_err},
	{"kfunc_exist", 1, 1, 0, sema_kfunc, lower_constant},
	{"kfunc_allowed", 1, 1, 0, sema_kfunc, lower_constant},
	{"getopt", 1, 3, 0, sema_getopt, lower_constant},
	{0},
};
