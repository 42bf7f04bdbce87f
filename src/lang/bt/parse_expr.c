/* parse_expr.c - expressions of a bpftrace script, lowest precedence first. */
#include <ctype.h>
#include <limits.h>

#include "lang/bt/parse.h"

struct bt_expr *bt_new(struct bt_parser *p, enum bt_expr_kind kind, uint32_t begin)
{
	struct bt_expr *e = arena_new(p->a, struct bt_expr);
	e->kind = kind;
	e->loc = bt_loc(p, begin);
	e->height = 1;
	return e;
}

void bt_set_kids(struct bt_parser *p, struct bt_expr *e, struct bt_expr *const *kid, unsigned n)
{
	e->kid = n ? arena_memdup(p->a, kid, sizeof(*kid) * n) : NULL;
	e->nkid = n;
	for (unsigned i = 0; i < n; i++)
		if (kid[i] && kid[i]->height >= e->height)
			e->height = (uint16_t)(kid[i]->height + 1);
	if (e->height > BT_MAX_HEIGHT)
		bt_syntax_at(p, e->loc.begin, e->loc.end,
			     "expression is too complex, at most %d levels are allowed",
			     BT_MAX_HEIGHT);
}

static struct bt_expr *new1(struct bt_parser *p, enum bt_expr_kind kind, uint32_t begin,
			    struct bt_expr *kid)
{
	struct bt_expr *e = bt_new(p, kind, begin);
	bt_set_kids(p, e, &kid, 1);
	return e;
}

static struct bt_expr *new_unop(struct bt_parser *p, enum bt_op op, uint32_t begin,
				struct bt_expr *kid)
{
	struct bt_expr *e = new1(p, BT_UNOP, begin, kid);
	e->op = op;
	return e;
}

/* What stands for an expression that could not be read; an error was given. */
static struct bt_expr *nothing(struct bt_parser *p)
{
	return bt_new(p, BT_INT, p->pos);
}

/* --- binary operators ---------------------------------------------------------------------------
 */

static const struct {
	const char *text;
	enum bt_op op;
	int prec;
} binops[] = {
	/* the longer spelling first */
	{"||", BT_LOR, 1}, {"&&", BT_LAND, 2}, {"==", BT_EQ, 6},  {"!=", BT_NE, 6},
	{"<=", BT_LE, 7},  {">=", BT_GE, 7},   {"<<", BT_SHL, 8}, {">>", BT_SHR, 8},
	{"|", BT_OR, 3},   {"^", BT_XOR, 4},   {"&", BT_AND, 5},  {"<", BT_LT, 7},
	{">", BT_GT, 7},   {"+", BT_ADD, 9},   {"-", BT_SUB, 9},  {"*", BT_MUL, 10},
	{"/", BT_DIV, 10}, {"%", BT_MOD, 10},
};

/* Index into binops of the operator at pos, -1 when there is none. */
static int binop_at(const struct bt_parser *p)
{
	char c = bt_peek(p, 0), next = bt_peek(p, 1);
	if ((c == '+' || c == '-') && next == c)
		return -1;
	if (c == '/' && bt_at(p, bt_scan(p, p->pos + 1)) == '{')
		return -1; /* the end of a predicate */
	for (size_t i = 0; i < ARRAY_SIZE(binops); i++) {
		const char *t = binops[i].text;
		uint32_t n = (uint32_t)strlen(t);
		if (c != t[0] || (n == 2 && next != t[1]))
			continue;
		bool may_assign =
			n == 1 ? c != '<' && c != '>' : t[0] == t[1] && (c == '<' || c == '>');
		return may_assign && bt_peek(p, n) == '=' ? -1 : (int)i;
	}
	return -1;
}

struct bt_expr *bt_binary(struct bt_parser *p, int min_prec, struct bt_expr *left)
{
	for (;;) {
		uint32_t back = p->pos;
		bt_skip(p);
		int i = bt_at_end(p) ? -1 : binop_at(p);
		if (i < 0 || binops[i].prec < min_prec) {
			if (!p->failed)
				p->pos = back;
			return left;
		}
		p->pos += (uint32_t)strlen(binops[i].text);
		struct bt_expr *kid[] = {left, bt_binary(p, binops[i].prec + 1, bt_unary(p))};
		left = bt_new(p, BT_BINOP, left->loc.begin);
		left->op = binops[i].op;
		bt_set_kids(p, left, kid, 2);
	}
}

struct bt_expr *bt_expression_rest(struct bt_parser *p, struct bt_expr *first)
{
	struct bt_expr *cond = bt_binary(p, 0, first);
	uint32_t back = p->pos;
	bt_skip(p);
	if (bt_peek(p, 0) != '?') {
		if (!p->failed)
			p->pos = back;
		return cond;
	}
	p->pos++;
	struct bt_expr *kid[3] = {cond};
	if (!bt_match(p, ':')) {
		kid[1] = bt_expression(p);
		bt_expect(p, ':');
	}
	kid[2] = bt_expression(p);
	struct bt_expr *e = bt_new(p, BT_TERNARY, cond->loc.begin);
	bt_set_kids(p, e, kid, 3);
	return e;
}

struct bt_expr *bt_expression(struct bt_parser *p)
{
	struct bt_expr *e = bt_enter(p) ? bt_expression_rest(p, bt_unary(p)) : nothing(p);
	bt_leave(p);
	return e;
}

/* --- unary and postfix --------------------------------------------------------------------------
 */

static bool is_place(const struct bt_expr *e)
{
	return e->kind == BT_VAR || e->kind == BT_MAP;
}

static struct bt_expr *prefix_step(struct bt_parser *p, uint32_t begin, enum bt_op op)
{
	p->pos += 2;
	struct bt_expr *e = bt_unary(p);
	if (!is_place(e))
		bt_syntax_at(p, e->loc.begin, e->loc.end,
			     "increment/decrement requires a variable or map");
	return new_unop(p, op, begin, e);
}

static struct bt_expr *address_of(struct bt_parser *p, uint32_t begin)
{
	p->pos++;
	bt_skip(p);
	if (bt_peek(p, 0) == '$') {
		uint32_t at = p->pos;
		const char *name = bt_variable(p);
		struct bt_expr *e = bt_new(p, BT_VAR, at);
		e->text = name;
		return new_unop(p, BT_ADDR, begin, e);
	}
	if (bt_peek(p, 0) == '@') {
		struct bt_expr *e = bt_map_expr(p);
		return new_unop(p, BT_ADDR, begin, e);
	}
	bt_syntax(p, "address-of operator (&) can only be used on a map or variable");
	return nothing(p);
}

static struct bt_expr *unary(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	char c = bt_peek(p, 0), next = bt_peek(p, 1);
	if ((c == '+' || c == '-') && next == c)
		return prefix_step(p, begin, c == '+' ? BT_PREINC : BT_PREDEC);
	if (c == '&')
		return address_of(p, begin);
	enum bt_op op;
	if (c == '*')
		op = BT_DEREF;
	else if (c == '!' && next != '=')
		op = BT_LNOT;
	else if (c == '~')
		op = BT_BNOT;
	else if (c == '-')
		op = BT_NEG;
	else
		return bt_postfix(p, bt_primary(p));
	p->pos++;
	return new_unop(p, op, begin, bt_unary(p));
}

struct bt_expr *bt_unary(struct bt_parser *p)
{
	struct bt_expr *e = bt_enter(p) ? unary(p) : nothing(p);
	bt_leave(p);
	return e;
}

static struct bt_expr *field_access(struct bt_parser *p, struct bt_expr *of, bool arrow)
{
	bt_skip(p);
	if (!arrow && isdigit((unsigned char)bt_peek(p, 0))) {
		uint64_t n = 0;
		const char *text = bt_number_text(p);
		if (bt_number(p->a, text, 0, &n))
			n = UINT32_MAX;
		struct bt_expr *e = new1(p, BT_TUPLE_AT, of->loc.begin, of);
		e->num = n;
		return e;
	}
	const char *name = bt_ident(p, arrow ? "expected field name after '->'"
					     : "expected field name after '.'");
	struct bt_expr *e = new1(p, BT_FIELD, of->loc.begin, of);
	e->text = name ? name : "";
	e->arrow = arrow;
	return e;
}

static struct bt_expr *index_access(struct bt_parser *p, struct bt_expr *of)
{
	struct bt_expr *kid[] = {of, bt_expression(p)};
	bt_expect(p, ']');
	struct bt_expr *e = bt_new(p, BT_INDEX, of->loc.begin);
	bt_set_kids(p, e, kid, 2);
	return e;
}

static struct bt_expr *postfix_step(struct bt_parser *p, struct bt_expr *of, enum bt_op op)
{
	if (!is_place(of))
		bt_syntax_at(p, p->pos, p->pos + 2,
			     "increment/decrement requires a variable or map");
	p->pos += 2;
	return new_unop(p, op, of->loc.begin, of);
}

struct bt_expr *bt_postfix(struct bt_parser *p, struct bt_expr *e)
{
	for (;;) {
		uint32_t back = p->pos;
		bt_skip(p);
		char c = bt_peek(p, 0), next = bt_peek(p, 1);
		if (c == '.' && next != '.') {
			p->pos++;
			e = field_access(p, e, false);
		} else if (c == '-' && next == '>') {
			p->pos += 2;
			e = field_access(p, e, true);
		} else if (c == '[') {
			p->pos++;
			e = index_access(p, e);
		} else if ((c == '+' || c == '-') && next == c) {
			e = postfix_step(p, e, c == '+' ? BT_POSTINC : BT_POSTDEC);
		} else {
			if (!p->failed)
				p->pos = back;
			return e;
		}
	}
}

/* --- lists --------------------------------------------------------------------------------------
 */

struct expr_list {
	VEC(struct bt_expr *) list;
};

static struct bt_expr *from_list(struct bt_parser *p, enum bt_expr_kind kind, uint32_t begin,
				 struct expr_list *l)
{
	struct bt_expr *e = bt_new(p, kind, begin);
	bt_set_kids(p, e, l->list.at, (unsigned)l->list.len);
	vec_free(&l->list);
	return e;
}

struct bt_expr *bt_map_expr(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	const char *name = bt_map_name(p);
	struct loc name_loc = bt_loc(p, begin);
	struct expr_list keys = {0};
	uint32_t back = p->pos;
	if (bt_match(p, '[')) {
		do
			vec_push(&keys.list, bt_expression(p));
		while (bt_match(p, ','));
		bt_expect(p, ']');
	} else if (!p->failed) {
		p->pos = back;
	}
	struct bt_expr *e = from_list(p, BT_MAP, begin, &keys);
	e->text = name;
	e->name_loc = name_loc;
	return e;
}

static struct bt_expr *argument(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (!bt_is_word(p, "typeof"))
		return bt_expression(p);
	struct bt_type_name *t = bt_type_annotation(p);
	struct bt_expr *e = bt_new(p, BT_TYPEOF, begin);
	e->type_name = t;
	return e;
}

static struct bt_expr *call(struct bt_parser *p, uint32_t begin, const char *name)
{
	struct expr_list args = {0};
	bt_expect(p, '(');
	bt_skip(p);
	if (bt_peek(p, 0) != ')') {
		do
			vec_push(&args.list, argument(p));
		while (bt_match(p, ','));
	}
	bt_expect(p, ')');
	struct bt_expr *e = from_list(p, BT_CALL, begin, &args);
	e->text = name;
	e->name_loc = (struct loc){p->src, begin, begin + (uint32_t)strlen(name)};
	return e;
}

/* --- parentheses: grouping, tuple, record, cast
 * --------------------------------------------------- */

static bool is_record(const struct bt_parser *p)
{
	uint32_t begin = bt_scan(p, p->pos), end = bt_scan_ident(p, begin);
	if (!bt_is_ident_start(bt_at(p, begin)))
		return false;
	uint32_t eq = bt_scan(p, end);
	return bt_at(p, eq) == '=' && bt_at(p, eq + 1) != '=' &&
	       !bt_is_reserved_builtin(p->src->text + begin, end - begin);
}

static struct bt_expr *record(struct bt_parser *p, uint32_t begin)
{
	struct expr_list values = {0};
	VEC(const char *) names = {0};
	do {
		bt_skip(p);
		uint32_t at = p->pos;
		const char *name = bt_ident(p, "expected identifier");
		bt_expect(p, '=');
		vec_push(&values.list, bt_expression(p));
		vec_each(n, &names)
			if (name && !strcmp(*n, name))
				bt_syntax_at(p, at, p->pos,
					     "Named argument list already contains name: %s", name);
		vec_push(&names, name ? name : "");
	} while (bt_match(p, ','));
	bt_expect(p, ')');
	struct bt_expr *e = from_list(p, BT_RECORD, begin, &values);
	e->names = arena_memdup(p->a, names.at, sizeof(*names.at) * names.len);
	vec_free(&names);
	return e;
}

static struct bt_expr *tuple_or_group(struct bt_parser *p, uint32_t begin)
{
	struct bt_expr *first = bt_expression(p);
	if (!bt_match(p, ',')) {
		bt_expect(p, ')');
		first->parenthesized = true;
		return first;
	}
	struct expr_list l = {0};
	vec_push(&l.list, first);
	bt_skip(p);
	while (!p->failed && bt_peek(p, 0) != ')') {
		vec_push(&l.list, bt_expression(p));
		if (!bt_match(p, ','))
			break;
		bt_skip(p);
	}
	bt_expect(p, ')');
	return from_list(p, BT_TUPLE, begin, &l);
}

static struct bt_expr *parenthesized(struct bt_parser *p)
{
	uint32_t begin = p->pos++;
	bt_skip(p);
	if (bt_match(p, ')'))
		return bt_new(p, BT_TUPLE, begin);
	if (is_record(p))
		return record(p, begin);
	struct bt_expr *cast = bt_try_cast(p, begin);
	return cast ? cast : tuple_or_group(p, begin);
}

/* --- words --------------------------------------------------------------------------------------
 */

struct bt_expr *bt_condition(struct bt_parser *p)
{
	bt_skip(p);
	if (bt_peek(p, 0) != '(')
		return bt_unary(p);
	p->pos++;
	struct bt_expr *e = bt_expression(p);
	bt_expect(p, ')');
	return e;
}

static struct bt_block *else_block(struct bt_parser *p)
{
	bt_skip(p);
	if (bt_peek(p, 0) == '{')
		return bt_block_parse(p, true);
	struct bt_block *b = arena_new(p->a, struct bt_block);
	if (bt_is_word(p, "if"))
		b->value = bt_unary(p);
	else
		bt_syntax(p, "expected '{' or 'if' after 'else'");
	b->loc = b->value ? b->value->loc : bt_loc(p, p->pos);
	return b;
}

static struct bt_expr *if_expr(struct bt_parser *p, uint32_t begin)
{
	struct bt_expr *cond = bt_condition(p);
	struct bt_block *then = bt_block_parse(p, true), *other = NULL;
	uint32_t back = p->pos;
	if (bt_match_word(p, "else"))
		other = else_block(p);
	else if (!p->failed)
		p->pos = back;
	struct bt_expr *e = new1(p, BT_IF, begin, cond);
	e->then_block = then;
	e->else_block = other;
	return e;
}

static struct bt_expr *sizeof_expr(struct bt_parser *p, uint32_t begin, enum bt_expr_kind kind)
{
	struct bt_expr *of = NULL;
	bt_expect(p, '(');
	struct bt_type_name *t = bt_type_or_expr(p, ";,=){}", &of);
	VEC(const char *) path = {0};
	if (kind == BT_OFFSETOF) {
		bt_expect(p, ',');
		do {
			const char *f = bt_ident(p, "expected field name");
			vec_push(&path, f ? f : "");
		} while (bt_match(p, '.'));
	}
	bt_expect(p, ')');
	struct bt_expr *e = bt_new(p, kind, begin);
	bt_set_kids(p, e, &of, of ? 1 : 0);
	e->type_name = t;
	e->num = path.len; /* parts of the path */
	e->names = path.len ? arena_memdup(p->a, path.at, sizeof(*path.at) * path.len) : NULL;
	vec_free(&path);
	return e;
}

static struct bt_expr *word(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	if (bt_match_word(p, "if"))
		return if_expr(p, begin);
	if (bt_match_word(p, "sizeof"))
		return sizeof_expr(p, begin, BT_SIZEOF);
	if (bt_match_word(p, "offsetof"))
		return sizeof_expr(p, begin, BT_OFFSETOF);
	if (bt_match_word(p, "typeinfo"))
		return sizeof_expr(p, begin, BT_TYPEINFO);
	if (bt_match_word(p, "comptime")) {
		struct bt_expr *of = bt_unary(p);
		return new1(p, BT_COMPTIME, begin, of);
	}
	const char *name = bt_ident(p, "expected expression");
	struct loc loc = bt_loc(p, begin);
	if (!name)
		return nothing(p);
	bool is_true = !strcmp(name, "true");
	struct bt_expr *e = bt_new(p, BT_IDENT, begin);
	if (is_true || !strcmp(name, "false")) {
		e->kind = BT_BOOL;
		e->num = is_true;
		return e;
	}
	bt_skip(p);
	if (bt_peek(p, 0) == '(')
		return call(p, begin, name);
	e->text = name;
	e->loc = loc;
	return e;
}

/* --- literals and parameters
 * ---------------------------------------------------------------------- */

static struct bt_expr *positional(struct bt_parser *p)
{
	uint32_t begin = p->pos++;
	if (bt_peek(p, 0) == '#') {
		p->pos++;
		return bt_new(p, BT_POSCOUNT, begin);
	}
	uint64_t n = 0;
	bool fits = true;
	while (isdigit((unsigned char)bt_peek(p, 0))) {
		fits = fits && n <= (INT64_MAX - 9) / 10;
		n = fits ? n * 10 + (uint64_t)(bt_peek(p, 0) - '0') : n;
		p->pos++;
	}
	struct bt_expr *e = bt_new(p, BT_POSITIONAL, begin);
	if (!fits || !n)
		bt_syntax_at(p, begin, p->pos, "param %.*s is out of integer range [1, %lld]",
			     (int)(p->pos - begin), p->src->text + begin, (long long)INT64_MAX);
	e->num = n;
	return e;
}

static struct bt_expr *number(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	uint64_t v = 0;
	const char *text = bt_number_text(p);
	const char *wrong = bt_number(p->a, text, 0, &v);
	if (wrong)
		bt_syntax_at(p, begin, p->pos, "%s", wrong);
	struct bt_expr *e = bt_new(p, BT_INT, begin);
	e->num = v;
	e->was_literal = true;
	return e;
}

struct bt_expr *bt_primary(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	char c = bt_peek(p, 0), next = bt_peek(p, 1);
	if (c == '(')
		return parenthesized(p);
	if (c == '{') {
		struct bt_block *b = bt_block_parse(p, true);
		struct bt_expr *e = bt_new(p, BT_BLOCK, begin);
		e->then_block = b;
		return e;
	}
	if (c == '@')
		return bt_map_expr(p);
	if (c == '$' && (isdigit((unsigned char)next) || next == '#'))
		return positional(p);
	if (c == '$') {
		const char *name = bt_variable(p);
		struct bt_expr *e = bt_new(p, BT_VAR, begin);
		e->text = name;
		return e;
	}
	if (isdigit((unsigned char)c))
		return number(p);
	if (c == '"') {
		uint32_t n;
		const char *text = bt_string(p, &n);
		struct bt_expr *e = bt_new(p, BT_STRING, begin);
		e->text = text;
		e->len = n;
		e->was_literal = true;
		return e;
	}
	return word(p);
}

struct bt_expr *bt_parse_expr(struct lang_input *in, const struct source *src)
{
	struct bt_parser p = {
		.in = in, .a = in->arena, .src = src, .len = (uint32_t)src->len, .quiet = true};
	bt_skip(&p);
	if (bt_at_end(&p))
		return NULL;
	struct bt_expr *e = bt_expression(&p);
	bt_skip(&p);
	return p.failed || !bt_at_end(&p) ? NULL : e;
}
