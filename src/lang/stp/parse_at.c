/* parse_at.c - what starts with $ or @: variables of the probed program with the paths behind them, and the operators with an @. */
#include "lang/arch.h"
#include "lang/stp/parse.h"

/* --- $variables and -> paths -------------------------------------------------------------------------------- */

static void add_comp(struct parser *p, struct stp_expr *e, struct stp_member c)
{
	struct stp_member *bigger = arena_array(p->a, struct stp_member, e->ncomp + 1);
	if (e->ncomp)
		memcpy(bigger, e->comp, e->ncomp * sizeof(*bigger));
	bigger[e->ncomp++] = c;
	e->comp = bigger;
}

/* Cuts `$` or `$$` off the end of a name: pretty-printing. */
static const char *split_pretty(struct parser *p, const char *name, struct stp_member *pretty)
{
	size_t n = strlen(name), cut = n;
	while (cut > 1 && name[cut - 1] == '$')
		cut--;
	if (cut == n || str_has_prefix(name, "$$"))
		return name;
	pretty->pretty = true;
	pretty->pretty_deep = n - cut > 1;
	return arena_strndup(p->a, name, cut);
}

/* `$` or `$$` on its own, after a value */
bool stp_is_pretty(const struct stp_tok *t)
{
	return t->kind == TOK_IDENT && (str_eq(t->text, "$") || str_eq(t->text, "$$"));
}

void stp_parse_components(struct parser *p, struct stp_expr *e)
{
	for (;;) {
		const struct stp_tok *t = stp_peek(p);
		struct stp_member c = {.loc = t->loc}, pretty = {.loc = t->loc};
		if (e->ncomp >= MAX_NESTING)
			stp_parse_error(p, t, "nested too deeply");
		if (stp_accept_op(p, "->")) {
			t = stp_peek(p);
			if (t->kind != TOK_IDENT && t->kind != TOK_KEYWORD)
				stp_parse_error(p, t, "expected identifier");
			stp_next(p);
			c.loc = t->loc;
			if (t->text[0] == '$')
				c.pretty = true, c.pretty_deep = t->text[1] == '$';
			else
				c.member = split_pretty(p, t->text, &pretty);
		} else if (stp_accept_op(p, "[")) {
			c.index = stp_parse_expr(p);
			stp_expect_op(p, "]");
		} else if (stp_is_pretty(t)) {
			stp_next(p);
			c.pretty = true, c.pretty_deep = t->text[1] == '$';
		} else {
			return;
		}
		add_comp(p, e, c);
		if (pretty.pretty)
			add_comp(p, e, pretty);
	}
}

struct stp_expr *stp_parse_target(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_TARGET, t->loc);
	struct stp_member pretty = {.loc = t->loc};
	e->text = split_pretty(p, t->text, &pretty);
	stp_parse_components(p, e);
	if (pretty.pretty)
		add_comp(p, e, pretty);
	return e;
}

/* --- @operators ------------------------------------------------------------------------------------------------ */

static const char *literal_string(struct parser *p)
{
	if (stp_peek(p)->kind != TOK_STR)
		stp_parse_error(p, stp_peek(p), "expected string");
	return stp_parse_string(p)->text;
}

static int64_t literal_number(struct parser *p)
{
	struct stp_expr *e = stp_parse_literal(p);
	if (e->kind != SE_NUM)
		stp_parse_error(p, stp_peek(p), "expected number");
	return e->num;
}

struct stp_expr *stp_parse_hist(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_HIST, t->loc);
	e->op = t->text;
	stp_expect_op(p, "(");
	stp_add_kid(p->a, e, stp_parse_expr(p));
	if (str_eq(t->text, "@hist_linear"))
		for (unsigned i = 0; i < 3; i++) {
			stp_expect_op(p, ",");
			e->par[i] = literal_number(p);
		}
	stp_expect_op(p, ")");
	return e;
}

static struct stp_expr *hist_value(struct parser *p)
{
	struct stp_expr *h = stp_parse_hist(p);
	if (!stp_at_op(p, "["))
		return h;
	struct stp_expr *e = stp_parse_node(p, SE_HIST_AT, stp_next(p), h, NULL);
	e->loc = h->loc;
	stp_add_kid(p->a, e, stp_parse_expr(p));
	stp_expect_op(p, "]");
	return e;
}

static bool is_stat_op(const char *s)
{
	static const char *const ops[] = {"@count", "@sum", "@avg", "@min", "@max", "@variance"};
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (str_eq(ops[i], s))
			return true;
	return false;
}

static struct stp_expr *stat_value(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	struct stp_expr *e = stp_parse_node(p, SE_STAT, t, NULL, NULL);
	stp_expect_op(p, "(");
	stp_add_kid(p->a, e, stp_parse_expr(p));
	if (str_eq(t->text, "@variance") && stp_accept_op(p, ",")) {
		e->par[0] = literal_number(p);
		e->par[1] = 1;
		if (e->par[0] < 0 || e->par[0] > 62)
			stp_parse_error(p, stp_peek(p), "bit shift (0-62) out of range");
	}
	stp_expect_op(p, ")");
	return e;
}

/* @cast(e, "type"[, "module"]) and @var("name"[, "module"]), then ->members */
static struct stp_expr *typed_value(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	bool cast = str_eq(t->text, "@cast");
	struct stp_expr *e = stp_parse_node(p, cast ? SE_CAST : SE_ATVAR, t, NULL, NULL);
	stp_expect_op(p, "(");
	if (cast) {
		stp_add_kid(p->a, e, stp_parse_expr(p));
		stp_expect_op(p, ",");
	}
	e->text = literal_string(p);
	if (stp_accept_op(p, ","))
		e->text2 = literal_string(p);
	stp_expect_op(p, ")");
	stp_parse_components(p, e);
	return e;
}

/* @enum("NAME"[, "module"]), @enumname(value[, "type"[, "module"]]) */
static struct stp_expr *enum_value(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	bool name = str_eq(t->text, "@enumname");
	struct stp_expr *e = stp_parse_node(p, name ? SE_ENUMNAME : SE_ENUM, t, NULL, NULL);
	stp_expect_op(p, "(");
	if (name)
		stp_add_kid(p->a, e, stp_parse_expr(p));
	else
		e->text = literal_string(p);
	if (name && stp_accept_op(p, ","))
		e->text = literal_string(p);
	if (e->text && stp_accept_op(p, ","))
		e->text2 = literal_string(p);
	stp_expect_op(p, ")");
	return e;
}

static const char *counter_name(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	const char *name = literal_string(p);
	if (!*name)
		stp_parse_error(p, t, "expected non-empty string");
	return name;
}

static struct stp_expr *enclosed(struct parser *p, enum stp_expr_kind kind)
{
	struct stp_expr *e = stp_parse_node(p, kind, stp_next(p), NULL, NULL);
	stp_expect_op(p, "(");
	if (kind == SE_PERF)
		e->text = counter_name(p);
	else if (kind == SE_PROBEWRITE)
		e->text = stp_next(p)->text;
	else
		stp_add_kid(p->a, e, stp_parse_expr(p));
	stp_expect_op(p, ")");
	if (kind == SE_ENTRY)
		stp_parse_components(p, e);
	return e;
}

static struct stp_expr *call_of(struct parser *p, const struct stp_tok *t, const char *name, struct stp_expr *arg)
{
	struct stp_expr *e = stp_parse_node(p, SE_CALL, t, arg, NULL);
	e->text = name;
	return e;
}

/* @kderef(BYTES, address), @uderef(BYTES, address): the function that reads so much */
static struct stp_expr *deref_value(struct parser *p)
{
	static const char *const sizes[] = {[1] = "char", [2] = "short", [4] = "int", [8] = "long"};
	const struct stp_tok *t = stp_next(p);
	stp_expect_op(p, "(");
	int64_t n = literal_number(p);
	if (n < 1 || n > 8 || !sizes[n])
		stp_parse_error(p, t, "the size must be 1, 2, 4 or 8");
	stp_expect_op(p, ",");
	struct stp_expr *e = call_of(p, t, arena_printf(p->a, "%s_%s", t->text[1] == 'k' ? "kernel" : "user", sizes[n]), stp_parse_expr(p));
	stp_expect_op(p, ")");
	return e;
}

/* @kregister(N), @uregister(N): a register by its number in DWARF */
static struct stp_expr *register_value(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	stp_expect_op(p, "(");
	int64_t n = literal_number(p);
	const char *name = n >= 0 && n < 1000 ? arch_dwarf_reg((unsigned)n) : NULL;
	if (!name)
		stp_parse_error(p, t, "there is no register of this number");
	stp_expect_op(p, ")");
	struct stp_expr *text = stp_new_expr(p->a, SE_STR, t->loc);
	text->text = text->str = name;
	text->len = (uint32_t)strlen(name);
	return call_of(p, t, "register", text);
}

struct stp_expr *stp_parse_at(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	static const struct {
		const char *name;
		enum stp_expr_kind kind;
	} calls[] = {{"@defined", SE_DEFINED}, {"@entry", SE_ENTRY}, {"@perf", SE_PERF}, {"@probewrite", SE_PROBEWRITE}};
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (str_eq(t->text, calls[i].name))
			return enclosed(p, calls[i].kind);
	if (str_eq(t->text, "@cast") || str_eq(t->text, "@var"))
		return typed_value(p);
	if (str_eq(t->text, "@enum") || str_eq(t->text, "@enumname"))
		return enum_value(p);
	if (str_eq(t->text, "@hist_log") || str_eq(t->text, "@hist_linear"))
		return hist_value(p);
	if (is_stat_op(t->text))
		return stat_value(p);
	static const char *const guru[] = {"@const", "@kregister", "@kderef"};
	for (size_t i = 0; i < ARRAY_SIZE(guru) && !p->r->in->guru && !p->r->is_tapset; i++)
		if (str_eq(t->text, guru[i]))
			stp_parse_error(p, t, arena_printf(p->a, "using %s operator not permitted; need stap -g", t->text));
	if (str_eq(t->text, "@kderef") || str_eq(t->text, "@uderef"))
		return deref_value(p);
	if (str_eq(t->text, "@kregister") || str_eq(t->text, "@uregister"))
		return register_value(p);
	if (str_eq(t->text, "@const"))
		stp_parse_error(p, t, "@const names constants of the kernel's C code, which nothing compiles here; @enum knows those of its types");
	stp_parse_error(p, t, arena_printf(p->a, "unknown operator %s", t->text));
}
