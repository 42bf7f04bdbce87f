/* parse_stmt.c - blocks and statements of a bpftrace script. */
#include <ctype.h>

#include "lang/bt/parse.h"

static struct bt_stmt *new_stmt(struct bt_parser *p, enum bt_stmt_kind kind, uint32_t begin)
{
	struct bt_stmt *s = arena_new(p->a, struct bt_stmt);
	s->kind = kind;
	s->loc = bt_loc(p, begin);
	return s;
}

/* A statement needs its `;` unless the block ends here. */
static void statement_end(struct bt_parser *p)
{
	bt_skip(p);
	if (bt_peek(p, 0) != '}')
		bt_expect(p, ';');
}

/* --- expressions as statements ------------------------------------------------------------------
 */

static struct bt_stmt *expr_stmt(struct bt_parser *p, struct bt_expr *e, struct loc loc);

/* The value of a block that nobody uses becomes its last statement. */
static struct bt_block *drop_value(struct bt_parser *p, struct bt_block *b)
{
	if (!b || !b->value)
		return b;
	struct bt_stmt **at = &b->first;
	while (*at)
		at = &(*at)->next;
	*at = expr_stmt(p, b->value, b->value->loc);
	b->value = NULL;
	return b;
}

/* `if` and blocks are statements where their value is not used. */
static struct bt_stmt *expr_stmt(struct bt_parser *p, struct bt_expr *e, struct loc loc)
{
	struct bt_stmt *s = arena_new(p->a, struct bt_stmt);
	s->loc = loc;
	if (e->kind == BT_IF) {
		s->kind = BT_S_IF;
		s->loc = e->loc;
		s->expr = e->kid[0];
		s->body = drop_value(p, e->then_block);
		s->other = drop_value(p, e->else_block);
	} else if (e->kind == BT_BLOCK) {
		s->kind = BT_S_BLOCK;
		s->loc = e->loc;
		s->body = drop_value(p, e->then_block);
	} else {
		s->kind = BT_S_EXPR;
		s->expr = e;
	}
	return s;
}

static bool block_has_value(const struct bt_block *b)
{
	return b && b->value;
}

/* An `if` has a value when all its branches have one, a block when it ends with one. */
static bool has_value(const struct bt_expr *e)
{
	if (e->kind == BT_IF)
		return block_has_value(e->then_block) && block_has_value(e->else_block);
	return e->kind != BT_BLOCK || block_has_value(e->then_block);
}

/* --- keywords -----------------------------------------------------------------------------------
 */

static struct bt_stmt *let(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	bt_match_word(p, "let");
	bt_skip(p);
	if (bt_peek(p, 0) != '$')
		bt_syntax(p, "expected variable after 'let'");
	uint32_t at = p->pos;
	struct bt_stmt *s = new_stmt(p, BT_S_LET, begin);
	const char *name = bt_variable(p);
	s->expr = bt_new(p, BT_VAR, at);
	s->expr->text = name;
	s->name_loc = bt_loc(p, begin);
	if (bt_match(p, ':'))
		s->type_name = bt_type_annotation(p);
	if (bt_match(p, '='))
		s->value = bt_expression(p);
	s->loc = bt_loc(p, begin);
	statement_end(p);
	return s;
}

static struct bt_stmt *loop(struct bt_parser *p, enum bt_stmt_kind kind, const char *word)
{
	uint32_t begin = p->pos;
	bt_match_word(p, word);
	struct bt_expr *cond = bt_condition(p);
	struct bt_block *body = bt_block_parse(p, false);
	struct bt_stmt *s = new_stmt(p, kind, begin);
	s->expr = cond;
	s->body = body;
	s->name_loc = (struct loc){p->src, begin, begin + (uint32_t)strlen(word)};
	return s;
}

static struct bt_stmt *for_loop(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	bt_match_word(p, "for");
	bool paren = bt_match(p, '(');
	bt_skip(p);
	if (bt_peek(p, 0) != '$')
		bt_syntax(p, "expected variable in for loop");
	uint32_t at = p->pos;
	const char *name = bt_variable(p);
	struct bt_expr *var = bt_new(p, BT_VAR, at), *first, *last = NULL;
	var->text = name;
	bt_expect(p, ':');
	bt_skip(p);
	first = bt_primary(p);
	bt_skip(p);
	if (bt_peek(p, 0) == '.' && bt_peek(p, 1) == '.') {
		p->pos += 2;
		last = bt_primary(p);
	}
	struct loc head = bt_loc(p, begin);
	if (paren)
		bt_expect(p, ')');
	if (!last && first->kind != BT_MAP)
		bt_syntax(p, "expected map or range in for loop");
	struct bt_block *body = bt_block_parse(p, false);
	struct bt_stmt *s = new_stmt(p, last ? BT_S_FOR_RANGE : BT_S_FOR_MAP, begin);
	s->expr = var;
	s->value = first;
	s->value2 = last;
	s->body = body;
	s->name_loc = head;
	return s;
}

static struct bt_stmt *jump(struct bt_parser *p, enum bt_stmt_kind kind, const char *word)
{
	uint32_t begin = p->pos;
	struct bt_expr *value = NULL;
	bt_match_word(p, word);
	bt_skip(p);
	if (kind == BT_S_RETURN && bt_peek(p, 0) != ';' && bt_peek(p, 0) != '}')
		value = bt_expression(p);
	statement_end(p);
	struct bt_stmt *s = new_stmt(p, kind, begin);
	s->value = value;
	return s;
}

static struct bt_stmt *import_stmt(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	bt_match_word(p, "import");
	bt_skip(p);
	if (bt_peek(p, 0) != '"')
		bt_syntax(p, "expected string after 'import'");
	else
		bt_string(p, NULL);
	struct bt_stmt *s = new_stmt(p, BT_S_BLOCK, begin);
	if (!p->script->import_loc.src)
		p->script->import_loc = s->loc;
	if (!bt_match(p, ';'))
		bt_syntax(p, "expected ';' after import");
	s->body = arena_new(p->a, struct bt_block);
	s->body->loc = s->loc;
	return s;
}

static struct bt_stmt *discard(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	p->pos = bt_scan(p, p->pos + 1) + 1; /* `_ =` */
	struct bt_expr *value = bt_expression(p);
	struct bt_stmt *s = new_stmt(p, BT_S_DISCARD, begin);
	s->value = value;
	statement_end(p);
	return s;
}

static bool is_discard(const struct bt_parser *p)
{
	uint32_t at = bt_scan(p, p->pos + 1);
	return bt_peek(p, 0) == '_' && bt_at(p, at) == '=' && bt_at(p, at + 1) != '=';
}

/* NULL when no keyword of a statement stands here. */
static struct bt_stmt *keyword_stmt(struct bt_parser *p)
{
	if (bt_is_word(p, "let"))
		return let(p);
	if (bt_is_word(p, "while"))
		return loop(p, BT_S_WHILE, "while");
	if (bt_is_word(p, "unroll"))
		return loop(p, BT_S_UNROLL, "unroll");
	if (bt_is_word(p, "for"))
		return for_loop(p);
	if (bt_is_word(p, "break"))
		return jump(p, BT_S_BREAK, "break");
	if (bt_is_word(p, "continue"))
		return jump(p, BT_S_CONTINUE, "continue");
	if (bt_is_word(p, "return"))
		return jump(p, BT_S_RETURN, "return");
	if (bt_is_word(p, "import"))
		return import_stmt(p);
	return is_discard(p) ? discard(p) : NULL;
}

/* --- assignments --------------------------------------------------------------------------------
 */

static bool compound_op(struct bt_parser *p, enum bt_op *op)
{
	static const struct {
		const char *text;
		enum bt_op op;
	} ops[] = {{"<<=", BT_SHL}, {">>=", BT_SHR}, {"+=", BT_ADD}, {"-=", BT_SUB},
		   {"*=", BT_MUL},  {"/=", BT_DIV},  {"%=", BT_MOD}, {"&=", BT_AND},
		   {"|=", BT_OR},   {"^=", BT_XOR}};
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		uint32_t n = (uint32_t)strlen(ops[i].text);
		if (p->len - p->pos < n || memcmp(p->src->text + p->pos, ops[i].text, n))
			continue;
		*op = ops[i].op;
		p->pos += n;
		return true;
	}
	return false;
}

static struct bt_stmt *assignment(struct bt_parser *p, uint32_t begin, struct bt_expr *place,
				  bool compound, enum bt_op op)
{
	uint32_t op_begin = p->pos - 1;
	if (compound)
		op_begin = p->pos - (op == BT_SHL || op == BT_SHR ? 3 : 2);
	struct bt_expr *value = bt_expression(p);
	struct bt_stmt *s = new_stmt(p, BT_S_ASSIGN, begin);
	s->expr = place;
	s->value = value;
	s->is_compound = compound;
	s->op = op;
	s->name_loc = bt_loc(p, op_begin); /* operator and value */
	statement_end(p);
	return s;
}

static void bad_target(struct bt_parser *p, uint32_t begin, const struct bt_expr *place)
{
	p->pos++;
	bt_expression(p);
	bt_syntax_at(p, begin, p->pos,
		     place->kind == BT_TUPLE_AT || place->kind == BT_FIELD
			     ? "Tuples and records are immutable once created. Consider creating a "
			       "new value and assigning it instead."
			     : "invalid assignment target");
}

/* A statement that starts with $x or @m: an assignment, or an expression (returned in *e_ret). */
static struct bt_stmt *place_stmt(struct bt_parser *p, struct bt_expr **e_ret)
{
	uint32_t begin = p->pos;
	enum bt_op op;
	struct bt_expr *place = bt_primary(p);
	bt_skip(p);
	if (place->kind == BT_VAR || place->kind == BT_MAP) {
		if (bt_peek(p, 0) == '=' && bt_peek(p, 1) != '=') {
			p->pos++;
			return assignment(p, begin, place, false, 0);
		}
		if (!p->failed && compound_op(p, &op))
			return assignment(p, begin, place, true, op);
	}
	struct bt_expr *e = bt_postfix(p, place);
	uint32_t next = bt_scan(p, p->pos);
	if (bt_at(p, next) == '=' && bt_at(p, next + 1) != '=') {
		p->pos = next;
		bad_target(p, begin, e);
	}
	*e_ret = bt_expression_rest(p, e);
	return NULL;
}

/* --- blocks -------------------------------------------------------------------------------------
 */

static struct bt_stmt *expression_or_value(struct bt_parser *p, struct bt_block *b, uint32_t begin,
					   struct bt_expr *e)
{
	bt_skip(p);
	if (bt_peek(p, 0) == '}' && !p->failed && has_value(e)) {
		b->value = e;
		return NULL;
	}
	if (!bt_match(p, ';') && e->kind != BT_IF && e->kind != BT_BLOCK)
		bt_syntax(p, "expected ';'");
	return expr_stmt(p, e, bt_loc(p, begin));
}

/* One statement; NULL when it is the value of the block. */
static struct bt_stmt *statement(struct bt_parser *p, struct bt_block *b)
{
	struct bt_stmt *s = keyword_stmt(p);
	if (s)
		return s;
	uint32_t begin = p->pos;
	struct bt_expr *e = NULL;
	char c = bt_peek(p, 0);
	bool is_param = c == '$' && (isdigit((unsigned char)bt_peek(p, 1)) || bt_peek(p, 1) == '#');
	if ((c == '$' && !is_param) || c == '@')
		s = place_stmt(p, &e);
	else if (c == '{' || bt_is_word(p, "if"))
		e = bt_primary(p);
	else
		e = bt_expression(p);
	return s ? s : expression_or_value(p, b, begin, e);
}

static void block_body(struct bt_parser *p, struct bt_block *b)
{
	struct bt_stmt **at = &b->first;
	bt_skip(p);
	while (!bt_at_end(p) && bt_peek(p, 0) != '}') {
		struct bt_stmt *s = statement(p, b);
		if (s) {
			*at = s;
			at = &s->next;
		}
		bt_skip(p);
	}
}

struct bt_block *bt_block_parse(struct bt_parser *p, bool with_value)
{
	struct bt_block *b = arena_new(p->a, struct bt_block);
	bt_skip(p);
	uint32_t begin = p->pos;
	bt_expect(p, '{');
	if (bt_enter(p))
		block_body(p, b);
	bt_leave(p);
	bt_expect(p, '}');
	b->loc = bt_loc(p, begin);
	return with_value ? b : drop_value(p, b);
}
