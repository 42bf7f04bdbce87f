/*
 * pretty.c - $var$, $var$$, $$vars, $$parms, $$locals, $$return: values as text.
 *
 * Each is written as a sprintf() of its parts in script text and parsed, so that it goes through every later step like the
 * user's own.
 */
#include "lang/stp/target.h"

enum { MAX_ARGS = 32, MAX_TEXT = 1024, MAX_DEPTH = 6 };

struct writer {
	struct stp_comp *c;
	struct stp_dprobe *dp;
	struct buf format, args;
	unsigned nargs;
	bool full;
};

static void add_arg(struct writer *w, const char *format, const char *arg)
{
	if (w->nargs == MAX_ARGS || w->full) {
		if (!w->full)
			buf_puts(&w->format, "...");
		w->full = true;
		return;
	}
	w->nargs++;
	buf_puts(&w->format, format);
	buf_printf(&w->args, ", %s", arg);
}

/* The type that the text of an expression has; NULL: it cannot be read. */
static struct type *type_of(struct writer *w, struct stp_expr *e)
{
	struct stp_path p;
	w->c->quiet++;
	bool ok = stp_target_path(w->c, w->dp, e, &p) && !p.bad;
	w->c->quiet--;
	return ok ? p.type : NULL;
}

static struct stp_expr *parse(struct stp_comp *c, const char *text)
{
	const char *name = arena_printf(c->a, "__text%u", c->nentries++);
	stp_add_tapset(c, name, arena_printf(c->a, "probe %s = never { print(%s) }", name, text));
	struct stp_stmt *body = stp_alias_body(c, name);
	while (body && body->kind == SS_BLOCK)
		body = body->body;
	return body->expr->kid[0];
}

static bool is_char(const struct type *t)
{
	return t->kind == TYPE_INT && t->size == 1 && t->name && strstr(t->name, "char");
}

static bool is_text(const struct type *t)
{
	return (t->kind == TYPE_PTR || t->kind == TYPE_ARRAY) && t->elem && is_char(t->elem);
}

static bool is_struct(const struct type *t)
{
	return t->kind == TYPE_STRUCT || t->kind == TYPE_UNION;
}

static void value(struct writer *w, const char *text, struct type *t, unsigned depth, unsigned max_depth);

static void members(struct writer *w, const char *text, struct type *t, unsigned depth, unsigned max_depth)
{
	if (depth >= max_depth) {
		buf_puts(&w->format, "{...}");
		return;
	}
	type_complete(t, w->c->a);
	buf_putc(&w->format, '{');
	for (uint32_t i = 0; i < t->nfield && !w->full; i++) {
		const struct field *f = &t->field[i];
		if (i)
			buf_puts(&w->format, ", ");
		if (w->nargs == MAX_ARGS) { /* even when it would need none */
			buf_puts(&w->format, "...");
			break;
		}
		if (!f->name || !*f->name) {
			buf_puts(&w->format, f->type->kind == TYPE_UNION ? "<union>=" : "<class>=");
			if (is_struct(f->type))
				members(w, text, f->type, depth + 1, max_depth);
			continue;
		}
		_cleanup_free_ char *part = xasprintf("%s->%s", text, f->name);
		buf_printf(&w->format, ".%s=", f->name);
		value(w, part, f->type, depth + 1, max_depth);
	}
	buf_putc(&w->format, '}');
}

static bool in_user_space(const struct writer *w)
{
	enum probe_kind k = w->dp->spec.kind;
	return k == PK_UPROBE || k == PK_URETPROBE || k == PK_USDT;
}

static void string(struct writer *w, const char *text)
{
	_cleanup_free_ char *call = xasprintf("%s_string_quoted(%s)", in_user_space(w) ? "user" : "kernel", text);
	add_arg(w, "%s", call);
}

/* One dimension is as good as three: the first element is shown. */
static void array(struct writer *w, const char *text, struct type *t, unsigned depth, unsigned max_depth)
{
	_cleanup_free_ char *first = xstrdup(text);
	if (depth >= max_depth) {
		buf_puts(&w->format, "[...]");
		return;
	}
	for (; t->kind == TYPE_ARRAY && !is_text(t); t = t->elem) {
		char *next = xasprintf("%s[0]", first);
		free(first);
		first = next;
	}
	buf_putc(&w->format, '[');
	value(w, first, t, depth + 1, max_depth);
	buf_puts(&w->format, ", ...]");
}

/* Pointers are followed where the value itself was asked for, to the end of a chain of them. */
static void pointer(struct writer *w, const char *text, struct type *t, unsigned depth, unsigned max_depth)
{
	if (depth || t->elem->kind == TYPE_NONE) {
		add_arg(w, !depth && t->elem->is_code ? "<function>:%p" : "%p", text);
		return;
	}
	_cleanup_free_ char *first = is_struct(t->elem) ? xstrdup(text) : xasprintf("%s[0]", text);
	value(w, first, t->elem, 0, max_depth);
}

static void value(struct writer *w, const char *text, struct type *t, unsigned depth, unsigned max_depth)
{
	if (w->full || w->format.len > MAX_TEXT)
		return;
	if (t->kind == TYPE_PTR && t->elem && is_text(t))
		string(w, text);
	else if (t->kind == TYPE_ARRAY && is_text(t) && (depth < max_depth || !depth))
		string(w, text);
	else if (is_struct(t))
		members(w, text, t, depth, max_depth);
	else if (t->kind == TYPE_ARRAY)
		array(w, text, t, depth, max_depth);
	else if (t->kind == TYPE_PTR)
		pointer(w, text, t, depth, max_depth);
	else if (is_char(t))
		add_arg(w, "'%#c'", text);
	else if (type_is_integral(t))
		add_arg(w, t->is_signed || t->kind == TYPE_BOOL ? "%i" : "%u", text);
	else
		buf_putc(&w->format, '?');
}

/* Every value by itself becomes "ERROR" when some of it cannot be read. */
static void guard(struct stp_expr *e, void *arg)
{
	const struct stp_expr *outside = arg;
	if (e->kind == SE_PRINT && e->to_string && e != outside)
		e->is_guarded = true;
}

static char *format_text(struct writer *w)
{
	char *text = w->nargs ? xasprintf("sprintf(\"%s\"%s)", buf_str(&w->format), buf_str(&w->args))
			      : xasprintf("\"%s\"", buf_str(&w->format));
	buf_free(&w->format);
	buf_free(&w->args);
	return text;
}

/* `text` in the place of e; whole: it is one value, else several. */
static void put(struct writer *w, struct stp_expr *e, char *text, bool whole)
{
	struct loc loc = e->loc;
	*e = *parse(w->c, text);
	e->loc = loc;
	stp_walk_expr(e, guard, whole ? NULL : e);
	free(text);
}

static char *spell(struct stp_expr *e)
{
	struct buf b = {0};
	stp_dump_expr(e, &b);
	return b.data;
}

/* $var->path$ */
static void one_value(struct writer *w, struct stp_expr *e)
{
	struct stp_member last = e->comp[e->ncomp - 1];
	struct stp_expr plain = *e;
	plain.ncomp--;
	struct type *t = type_of(w, &plain);
	if (!t) { /* says why */
		stp_target_path(w->c, w->dp, &plain, &(struct stp_path){0});
		return;
	}
	_cleanup_free_ char *text = spell(&plain);
	value(w, text, t, 0, last.pretty_deep ? MAX_DEPTH : 1);
	put(w, e, format_text(w), true);
}

/* --- $$vars and its kind ------------------------------------------------------------------------------------------------ */

/* A value that is text of its own among others. */
static void pretty(struct writer *w, const char *text, struct type *t, unsigned style)
{
	struct writer one = {.c = w->c, .dp = w->dp};
	value(&one, text, t, 0, style == 2 ? MAX_DEPTH : 1);
	bool is_plain = !one.nargs;
	_cleanup_free_ char *plain = xstrdup(buf_str(&one.format)), *call = format_text(&one);
	if (is_plain)
		buf_puts(&w->format, plain);
	else
		add_arg(w, "%s", call);
}

static void named(struct writer *w, const char *name, unsigned style)
{
	_cleanup_free_ char *text = xasprintf("$%s", name);
	struct stp_expr e = {.kind = SE_TARGET, .text = text};
	struct type *t = type_of(w, &e);
	const char *dollar = w->dp->spec.kind == PK_USDT ? "$" : ""; /* marks have it */
	buf_printf(&w->format, "%s%s%s=", w->format.len ? " " : "", dollar, name);
	if (!t)
		buf_putc(&w->format, '?');
	else if (style)
		pretty(w, text, t, style);
	else if (is_struct(t))
		buf_puts(&w->format, "{...}");
	else if (t->kind == TYPE_ARRAY)
		buf_puts(&w->format, "[...]");
	else if (type_is_scalar(t) || t->kind == TYPE_FLOAT)
		add_arg(w, "%#x", text);
	else
		buf_putc(&w->format, '?');
}

static void mark_arguments(struct writer *w, unsigned style)
{
	unsigned n = kit_usdt_nargs(w->dp->points.list.at[0]->usdt_args);
	for (unsigned i = 1; i <= n; i++) {
		_cleanup_free_ char *name = xasprintf("arg%u", i);
		named(w, name, style);
	}
}

static const struct dwarf_var *in_order(const struct probe_args *vars, unsigned order)
{
	for (uint32_t i = 0; i < vars->record->nfield; i++)
		if (vars->var[i]->order == order)
			return vars->var[i];
	for (uint32_t i = 0; i < vars->nmissing; i++)
		if (vars->missing[i]->order == order)
			return vars->missing[i];
	return NULL;
}

static void all_of(struct writer *w, bool params, bool locals, unsigned style)
{
	struct probe_args *vars = stp_debug_variables(w->c, w->dp);
	struct type *r = w->dp->args ? w->dp->args->record : NULL;
	if (w->dp->spec.kind == PK_USDT) {
		mark_arguments(w, style);
		return;
	}
	uint32_t n = vars ? vars->record->nfield + vars->nmissing : 0;
	for (unsigned pass = 0; pass < 2; pass++) /* parameters first */
		for (uint32_t i = 0; i < n; i++) {
			const struct dwarf_var *v = in_order(vars, i);
			if (v && v->is_param == !pass && (v->is_param ? params : locals) && *v->name)
				named(w, v->name, style);
		}
	for (uint32_t i = 0; !vars && params && r && i < r->nfield; i++)
		if (r->field[i].name)
			named(w, r->field[i].name, style);
}

static bool all_values(struct writer *w, struct stp_expr *e)
{
	static const struct {
		const char *word;
		bool params, locals, ret;
	} words[] = {{"$$vars", true, true, false}, {"$$parms", true, false, false}, {"$$locals", false, true, false},
		     {"$$return", false, false, true}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_has_prefix(e->text, words[i].word))
			continue;
		const char *rest = e->text + strlen(words[i].word);
		unsigned style = str_eq(rest, "$") ? 1 : str_eq(rest, "$$") ? 2 : 0;
		if (*rest && !style)
			continue;
		if (words[i].ret && (stp_return_variable(w->c, w->dp) || (w->dp->args && w->dp->args->ret)))
			named(w, "return", style);
		else if (!words[i].ret)
			all_of(w, words[i].params, words[i].locals, style);
		put(w, e, format_text(w), false);
		return true;
	}
	return false;
}

/* $$name of a tracepoint, a mark or a stub: what its pattern matched; $$provider of a mark */
static bool point_name(struct writer *w, struct stp_expr *e)
{
	enum probe_kind k = w->dp->spec.kind;
	const struct attach_point *p = w->dp->points.list.len ? w->dp->points.list.at[0] : NULL;
	const char *text = !p || (k != PK_RAWTRACEPOINT && k != PK_USDT && !w->dp->spec.plt) ? NULL
			   : str_eq(e->text, "$$name")			  ? p->func
			   : str_eq(e->text, "$$provider")		  ? p->provider
									  : NULL;
	if (!text)
		return false;
	put(w, e, xasprintf("\"%s\"", text), true);
	return true;
}

static void expand(struct stp_expr *e, void *arg)
{
	struct writer *from = arg, w = {.c = from->c, .dp = from->dp};
	bool is_target = e->kind == SE_TARGET || e->kind == SE_CAST || e->kind == SE_ATVAR;
	if (e->kind == SE_TARGET && !e->ncomp && point_name(&w, e))
		return;
	if (e->kind == SE_TARGET && str_has_prefix(e->text, "$$") && all_values(&w, e))
		return;
	if (is_target && e->ncomp && e->comp[e->ncomp - 1].pretty)
		one_value(&w, e);
}

void stp_expand_pretty(struct stp_comp *c, struct stp_dprobe *dp)
{
	struct writer w = {.c = c, .dp = dp};
	stp_walk_stmt(dp->body, expand, &w);
}
