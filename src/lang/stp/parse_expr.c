/* parse_expr.c - expressions, one function a level of precedence that is not a plain binary operator. */
#include "lang/stp/parse.h"

#include <errno.h>
#include <stdlib.h>

#include "lang/stp/format.h"

struct stp_expr *stp_new_expr(struct arena *a, enum stp_expr_kind kind, struct loc loc)
{
	struct stp_expr *e = arena_new(a, struct stp_expr);
	e->kind = kind;
	e->loc = loc;
	return e;
}

void stp_add_kid(struct arena *a, struct stp_expr *e, struct stp_expr *kid)
{
	/* grows at powers of two */
	if ((e->nkid & (e->nkid - 1)) == 0) {
		struct stp_expr **bigger = arena_array(a, struct stp_expr *, e->nkid ? e->nkid * 2 : 1);
		if (e->nkid)
			memcpy(bigger, e->kid, e->nkid * sizeof(*bigger));
		e->kid = bigger;
	}
	e->kid[e->nkid++] = kid;
}

struct stp_expr *stp_parse_node(struct parser *p, enum stp_expr_kind kind, const struct stp_tok *t,
			     struct stp_expr *x, struct stp_expr *y)
{
	struct stp_expr *e = stp_new_expr(p->a, kind, t->loc);
	e->op = t->text;
	if (x)
		stp_add_kid(p->a, e, x);
	if (y)
		stp_add_kid(p->a, e, y);
	return e;
}

/* --- literals -------------------------------------------------------------------------------------------- */

struct stp_expr *stp_parse_string(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_STR, t->loc);
	e->text = t->text;
	while (stp_peek(p)->kind == TOK_STR)
		e->text = arena_printf(p->a, "%s%s", e->text, stp_next(p)->text);
	e->str = stp_unescape(p->a, e->text, &e->len);
	return e;
}

static struct stp_expr *number_literal(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	char *end;
	errno = 0;
	unsigned long long v = strtoull(t->text, &end, 0);
	if (*end || errno)
		stp_parse_error(p, t, "number invalid or out of range");
	stp_next(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_NUM, t->loc);
	e->num = (int64_t)v;
	return e;
}

struct stp_expr *stp_parse_literal(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (t->kind == TOK_STR)
		return stp_parse_string(p);
	bool negative = stp_accept_op(p, "-");
	if (stp_peek(p)->kind != TOK_NUM)
		stp_parse_error(p, stp_peek(p), negative ? "expected number" : "expected literal string or number");
	struct stp_expr *e = number_literal(p);
	if (negative)
		e->num = (int64_t)(0 - (uint64_t)e->num);
	return e;
}

/* --- print and friends -------------------------------------------------------------------------------------------- */

/* s-?print[d][ln] and printf */
static bool print_shape(const char *name, struct stp_expr *e)
{
	e->to_string = name[0] == 's';
	name += e->to_string;
	if (!str_has_prefix(name, "print"))
		return false;
	name += 5;
	if (str_eq(name, "f"))
		return e->formatted = true;
	if (str_eq(name, "_char") && !e->to_string)
		return e->is_char = true;
	if (*name == 'd')
		e->delimited = true, name++;
	if (str_eq(name, "ln"))
		e->newline = true, name += 2;
	return !*name;
}

static struct stp_expr *print_call(struct parser *p, struct stp_expr *e)
{
	stp_expect_op(p, "(");
	if (e->formatted || e->delimited) {
		const struct stp_tok *t = stp_peek(p);
		if (t->kind != TOK_STR)
			stp_parse_error(p, t, e->formatted ? "expected format string" : "expected literal string delimiter");
		struct stp_expr *s = stp_parse_string(p);
		e->text2 = s->text;
		e->str = s->str;
		e->len = s->len;
		if (e->formatted && stp_format_nargs(e->str) < 0)
			stp_parse_error(p, stp_peek(p), "invalid or missing conversion specifier");
		if (!stp_at_op(p, ")"))
			stp_expect_op(p, ",");
		else if (e->delimited)
			stp_parse_error(p, stp_peek(p), "expected ','");
	}
	while (!stp_at_op(p, ")") || (!e->formatted && !e->nkid && (e->delimited || !e->newline))) {
		stp_add_kid(p->a, e, stp_parse_expr(p));
		if (e->nkid > STP_MAXARGS)
			stp_parse_error(p, stp_peek(p), "print operator has too many arguments");
		if (!stp_at_op(p, ")") && !stp_at_op(p, ","))
			stp_parse_error(p, stp_peek(p), "expected ',' or ')'");
		if (stp_accept_op(p, ",") && stp_at_op(p, ")"))
			stp_parse_error(p, stp_peek(p), "expected value");
	}
	stp_expect_op(p, ")");
	if (e->delimited && e->nkid < 2)
		stp_parse_error(p, stp_peek(p), "expected at least two values");
	return e;
}

/* --- values ---------------------------------------------------------------------------------------------------------- */

/* `[ e, *, e ]` */
struct stp_expr *stp_parse_index_list(struct parser *p, struct stp_expr *e)
{
	do {
		if (stp_at_op(p, "*")) {
			stp_next(p);
			stp_add_kid(p->a, e, NULL);
		} else {
			stp_add_kid(p->a, e, stp_parse_expr(p));
		}
		if (!stp_at_op(p, ",") && !stp_at_op(p, "]"))
			stp_parse_error(p, stp_peek(p), "expected ',' or ']'");
	} while (stp_accept_op(p, ","));
	stp_expect_op(p, "]");
	return e;
}

static struct stp_expr *symbol(struct parser *p)
{
	const struct stp_tok *t = stp_next(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_SYM, t->loc);
	e->text = t->text;
	if (stp_at_op(p, "(")) {
		struct stp_expr shape = {0};
		if (print_shape(t->text, &shape)) {
			print_shape(t->text, e);
			e->kind = SE_PRINT;
			return print_call(p, e);
		}
		e->to_string = false;
		e->kind = SE_CALL;
		stp_next(p);
		while (!stp_at_op(p, ")")) {
			stp_add_kid(p->a, e, stp_parse_expr(p));
			if (!stp_at_op(p, ")") && !stp_at_op(p, ","))
				stp_parse_error(p, stp_peek(p), "expected ',' or ')'");
			stp_accept_op(p, ",");
		}
		stp_next(p);
	} else if (stp_accept_op(p, "[")) {
		e->kind = SE_INDEX;
		stp_parse_index_list(p, e);
	}
	return e;
}

static struct stp_expr *value(struct parser *p);

static struct stp_expr *embedded(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (!p->r->in->guru && !p->r->is_tapset)
		stp_parse_error(p, t, "embedded expression code in unprivileged script; need stap -g");
	struct stp_expr *e = stp_new_expr(p->a, SE_EMBED, stp_next(p)->loc);
	e->text = t->text;
	return e;
}

/* `&x`; members of a value that is no $variable hang on a node of their own. */
static struct stp_expr *address_of(struct parser *p, const struct stp_tok *t)
{
	stp_enter(p);
	struct stp_expr *e = value(p);
	p->depth--;
	if (e->kind != SE_TARGET && e->kind != SE_CAST && e->kind != SE_ATVAR && e->kind != SE_DEREF)
		e = stp_parse_node(p, SE_DEREF, t, e, NULL);
	e->address_of = true;
	return e;
}

static struct stp_expr *simple_value(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	switch (t->kind) {
	case TOK_NUM: return number_literal(p);
	case TOK_STR: return stp_parse_string(p);
	case TOK_EMBED: return embedded(p);
	case TOK_IDENT: return t->text[0] == '$' ? stp_parse_target(p) : symbol(p);
	case TOK_KEYWORD:
		if ((str_eq(t->text, "string") || str_eq(t->text, "long")) && str_eq(stp_peek_at(p, 1)->text, "("))
			return symbol(p);
		break;
	case TOK_OP:
		if (stp_accept_op(p, "(")) {
			struct stp_expr *e = stp_parse_expr(p);
			stp_expect_op(p, ")");
			return e;
		}
		if (t->text[0] == '@')
			return stp_parse_at(p);
		if (stp_accept_op(p, "&"))
			return address_of(p, t);
		break;
	default: break;
	}
	stp_parse_error(p, t, "expected statement");
}

/* What hangs on a value that has no members of its own: $x, @cast and @var have taken theirs. */
static struct stp_expr *value(struct parser *p)
{
	struct stp_expr *e = simple_value(p);
	if (stp_at_op(p, "->") || stp_at_op(p, "[") || stp_is_pretty(stp_peek(p))) {
		e = stp_parse_node(p, SE_DEREF, stp_peek(p), e, NULL);
		stp_parse_components(p, e);
	}
	return e;
}

/* --- operators, from tight to loose ----------------------------------------------------------------------------------- */

static struct stp_expr *increment(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (stp_accept_op(p, "++") || stp_accept_op(p, "--"))
		return stp_parse_node(p, SE_PRE, t, value(p), NULL);
	struct stp_expr *e = value(p);
	t = stp_peek(p);
	if (stp_accept_op(p, "++") || stp_accept_op(p, "--"))
		return stp_parse_node(p, SE_POST, t, e, NULL);
	return e;
}

static struct stp_expr *unary(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (!stp_accept_op(p, "-") && !stp_accept_op(p, "+") && !stp_accept_op(p, "!") && !stp_accept_op(p, "~"))
		return increment(p);
	stp_enter(p);
	struct stp_expr *e = unary(p);
	p->depth--;
	if (str_eq(t->text, "-") && e->kind == SE_NUM) {
		struct stp_expr *n = stp_new_expr(p->a, SE_NUM, t->loc);
		n->num = (int64_t)(0 - (uint64_t)e->num);
		return n;
	}
	return stp_parse_node(p, SE_UNARY, t, e, NULL);
}

/* The left-associative levels. */
static const struct level {
	enum stp_expr_kind kind;
	const char *op[6];
} levels[] = {
	{SE_OR, {"||"}},
	{SE_AND, {"&&"}},
	{SE_BINARY, {"|"}},
	{SE_BINARY, {"^"}},
	{SE_BINARY, {"&"}},
	{SE_IN, {NULL}}, /* array_in() */
	{SE_COMPARE, {"<", "<=", ">", ">=", "==", "!="}},
	{SE_BINARY, {"<<", ">>", ">>>"}},
	{SE_CONCAT, {"."}},
	{SE_BINARY, {"+", "-"}},
	{SE_BINARY, {"*", "/", "%"}},
};

static struct stp_expr *binary(struct parser *p, unsigned level);

/* Is there something in that bucket? */
static struct stp_expr *bucket_in(struct parser *p, struct stp_expr *in)
{
	if (in->nkid != 1 || !in->kid[0])
		stp_parse_error(p, stp_peek(p), "a histogram has one index");
	const struct stp_tok *t = stp_peek(p);
	struct stp_expr *zero = stp_new_expr(p->a, SE_NUM, t->loc), *at = stp_parse_node(p, SE_HIST_AT, t, stp_parse_hist(p), in->kid[0]);
	zero->text = "0";
	struct stp_expr *e = stp_parse_node(p, SE_COMPARE, t, at, zero);
	e->op = "!=";
	return e;
}

static struct stp_expr *array_in(struct parser *p, unsigned level)
{
	struct stp_expr *e;
	bool list = stp_at_op(p, "[");
	if (list) {
		e = stp_new_expr(p->a, SE_IN, stp_next(p)->loc);
		stp_parse_index_list(p, e);
		if (!stp_at_keyword(p, "in"))
			stp_parse_error(p, stp_peek(p), "expected 'in'");
	} else {
		struct stp_expr *x = binary(p, level + 1);
		if (!stp_at_keyword(p, "in"))
			return x;
		e = stp_new_expr(p->a, SE_IN, stp_peek(p)->loc);
		stp_add_kid(p->a, e, x);
	}
	stp_next(p);
	if (stp_at_op(p, "@hist_log") || stp_at_op(p, "@hist_linear"))
		return bucket_in(p, e);
	const struct stp_tok *t = stp_expect_ident(p);
	e->text = t->text;
	e->loc = t->loc;
	return e;
}

static struct stp_expr *regex(struct parser *p, struct stp_expr *x)
{
	const struct stp_tok *t = stp_next(p);
	if (stp_peek(p)->kind != TOK_STR)
		stp_parse_error(p, stp_peek(p), "expected string literal as right operand of =~ or !~");
	return stp_parse_node(p, SE_REGEX, t, x, stp_parse_string(p));
}

static bool level_has(const struct level *l, const struct stp_tok *t)
{
	for (unsigned i = 0; t->kind == TOK_OP && i < ARRAY_SIZE(l->op) && l->op[i]; i++)
		if (str_eq(l->op[i], t->text))
			return true;
	return false;
}

static struct stp_expr *binary(struct parser *p, unsigned level)
{
	if (level == ARRAY_SIZE(levels))
		return unary(p);
	const struct level *l = &levels[level];
	if (l->kind == SE_IN)
		return array_in(p, level);
	struct stp_expr *e = binary(p, level + 1);
	for (unsigned length = 0;; length++) {
		const struct stp_tok *t = stp_peek(p);
		if (l->kind == SE_COMPARE && (stp_at_op(p, "=~") || stp_at_op(p, "!~"))) {
			e = regex(p, e);
		} else if (level_has(l, t)) {
			/* a chain of operators is a tree as deep as it is long */
			if (length > 4 * MAX_NESTING)
				stp_parse_error(p, t, "nested too deeply");
			stp_next(p);
			e = stp_parse_node(p, l->kind, t, e, binary(p, level + 1));
		} else {
			return e;
		}
	}
}

static struct stp_expr *ternary(struct parser *p)
{
	struct stp_expr *c = binary(p, 0);
	const struct stp_tok *t = stp_peek(p);
	if (!stp_accept_op(p, "?"))
		return c;
	stp_enter(p);
	struct stp_expr *x = stp_parse_expr(p);
	stp_expect_op(p, ":");
	struct stp_expr *e = stp_parse_node(p, SE_TERNARY, t, c, x);
	stp_add_kid(p->a, e, ternary(p));
	p->depth--;
	return e;
}

static bool is_assignment(const struct stp_tok *t)
{
	static const char *const ops[] = {"=",	"<<<", "+=", "-=",  "*=",  "/=", "%=",
					  "&=", "^=",  "|=", "<<=", ">>=", ".="};
	for (size_t i = 0; t->kind == TOK_OP && i < ARRAY_SIZE(ops); i++)
		if (str_eq(t->text, ops[i]))
			return true;
	return false;
}

struct stp_expr *stp_parse_expr(struct parser *p)
{
	stp_enter(p);
	struct stp_expr *e = ternary(p);
	const struct stp_tok *t = stp_peek(p);
	if (is_assignment(t)) {
		stp_next(p);
		e = stp_parse_node(p, SE_ASSIGN, t, e, stp_parse_expr(p));
	}
	p->depth--;
	return e;
}
