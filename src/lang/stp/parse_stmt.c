/* parse_stmt.c - statements. */
#include "lang/stp/parse.h"

static struct stp_stmt *new_stmt(struct parser *p, enum stp_stmt_kind kind, struct loc loc)
{
	struct stp_stmt *s = arena_new(p->a, struct stp_stmt);
	s->kind = kind;
	s->loc = loc;
	return s;
}

struct stp_stmt *stp_parse_block(struct parser *p)
{
	if (!stp_at_op(p, "{"))
		stp_parse_error(p, stp_peek(p), "expected '{'");
	struct stp_stmt *b = new_stmt(p, SS_BLOCK, stp_next(p)->loc), **tail = &b->body;
	stp_enter(p);
	while (!stp_accept_op(p, "}")) {
		struct stp_stmt *s = stp_parse_stmt(p);
		*tail = s;
		tail = &s->next;
	}
	p->depth--;
	return b;
}

static struct stp_stmt *parse_if(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_IF, stp_next(p)->loc);
	stp_expect_op(p, "(");
	s->expr = stp_parse_expr(p);
	stp_expect_op(p, ")");
	s->body = stp_parse_stmt(p);
	if (stp_accept_keyword(p, "else"))
		s->other = stp_parse_stmt(p);
	return s;
}

static struct stp_stmt *loop_body(struct parser *p)
{
	p->loops++;
	struct stp_stmt *s = stp_parse_stmt(p);
	p->loops--;
	return s;
}

static struct stp_stmt *parse_while(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_FOR, stp_next(p)->loc);
	stp_expect_op(p, "(");
	s->expr = stp_parse_expr(p);
	stp_expect_op(p, ")");
	s->body = loop_body(p);
	return s;
}

static struct stp_stmt *parse_for(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_FOR, stp_next(p)->loc);
	stp_expect_op(p, "(");
	s->init = stp_at_op(p, ";") ? NULL : stp_parse_expr(p);
	stp_expect_op(p, ";");
	s->expr = stp_at_op(p, ";") ? NULL : stp_parse_expr(p);
	stp_expect_op(p, ";");
	s->step = stp_at_op(p, ")") ? NULL : stp_parse_expr(p);
	stp_expect_op(p, ")");
	s->body = loop_body(p);
	return s;
}

static struct stp_expr *loop_symbol(struct parser *p)
{
	const struct stp_tok *t = stp_expect_ident(p);
	struct stp_expr *e = stp_new_expr(p->a, SE_SYM, t->loc);
	e->text = t->text;
	return e;
}

/* `+` or `-` after what is sorted by; at most one in a foreach. */
static void sort_mark(struct parser *p, struct stp_stmt *s, int key)
{
	const struct stp_tok *t = stp_peek(p);
	if (!stp_at_op(p, "+") && !stp_at_op(p, "-"))
		return;
	if (s->sort)
		stp_parse_error(p, t, "multiple sort directives");
	s->sort = str_eq(stp_next(p)->text, "+") ? 1 : -1;
	s->sort_key = key;
}

static void foreach_keys(struct parser *p, struct stp_stmt *s)
{
	struct stp_expr list = {0};
	bool many = stp_accept_op(p, "[");
	do {
		stp_add_kid(p->a, &list, loop_symbol(p));
		sort_mark(p, s, (int)list.nkid);
		if (!many && stp_at_op(p, "=")) {
			/* it was the value */
			if (s->value)
				stp_parse_error(p, stp_peek(p), "expected 'in'");
			stp_next(p);
			s->value = list.kid[0];
			if (s->sort)
				s->sort_key = 0;
			list = (struct stp_expr){0};
			many = stp_accept_op(p, "[");
			stp_add_kid(p->a, &list, loop_symbol(p));
			sort_mark(p, s, 1);
		}
	} while (many && stp_accept_op(p, ","));
	if (many)
		stp_expect_op(p, "]");
	s->key = list.kid;
	s->nkey = list.nkid;
}

static void foreach_order(struct parser *p, struct stp_stmt *s)
{
	static const char *const stats[] = {"@avg", "@min", "@max", "@count", "@sum", "@variance"};
	const struct stp_tok *t = stp_peek(p);
	for (size_t i = 0; t->kind == TOK_OP && i < ARRAY_SIZE(stats); i++)
		if (str_eq(t->text, stats[i])) {
			s->sort_stat = stats[i];
			stp_next(p);
			if (!stp_at_op(p, "+") && !stp_at_op(p, "-"))
				stp_parse_error(p, stp_peek(p), "expected sorting directive");
			break;
		}
	sort_mark(p, s, 0);
	if (stp_accept_keyword(p, "limit"))
		s->limit = stp_parse_expr(p);
}

static struct stp_stmt *parse_foreach(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_FOREACH, stp_next(p)->loc);
	stp_expect_op(p, "(");
	foreach_keys(p, s);
	if (!stp_accept_keyword(p, "in"))
		stp_parse_error(p, stp_peek(p), "expected 'in'");
	if (stp_at_op(p, "@hist_log") || stp_at_op(p, "@hist_linear")) {
		s->expr = stp_parse_hist(p);
	} else {
		s->expr = loop_symbol(p);
		if (stp_accept_op(p, "[")) {
			struct stp_expr list = {0};
			stp_parse_index_list(p, &list);
			s->slice = list.kid;
			s->nslice = list.nkid;
		}
	}
	foreach_order(p, s);
	stp_expect_op(p, ")");
	s->body = loop_body(p);
	return s;
}

static struct stp_stmt *parse_try(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_TRY, stp_next(p)->loc);
	s->body = stp_parse_block(p);
	if (!stp_accept_keyword(p, "catch"))
		stp_parse_error(p, stp_peek(p), "expected 'catch'");
	if (stp_accept_op(p, "(")) {
		s->catch_var = loop_symbol(p);
		stp_expect_op(p, ")");
	}
	s->other = stp_parse_block(p);
	return s;
}

static struct stp_stmt *parse_return(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (!p->in_function)
		stp_parse_error(p, t, "found 'return' not in function context");
	struct stp_stmt *s = new_stmt(p, SS_RETURN, stp_next(p)->loc);
	if (!stp_at_op(p, ";") && !stp_at_op(p, "}"))
		s->expr = stp_parse_expr(p);
	return s;
}

static struct stp_stmt *parse_delete(struct parser *p)
{
	struct stp_stmt *s = new_stmt(p, SS_DELETE, stp_next(p)->loc);
	s->expr = stp_parse_expr(p);
	return s;
}

static struct stp_stmt *parse_jump(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	return new_stmt(p, str_eq(t->text, "next") ? SS_NEXT : str_eq(t->text, "break") ? SS_BREAK : SS_CONTINUE, stp_next(p)->loc);
}

static struct stp_stmt *parse_unterminated(struct parser *p)
{
	static const struct {
		const char *word;
		struct stp_stmt *(*parse)(struct parser *p);
	} words[] = {{"if", parse_if},	       {"while", parse_while}, {"for", parse_for},   {"foreach", parse_foreach},
		     {"try", parse_try},       {"return", parse_return}, {"delete", parse_delete}, {"next", parse_jump},
		     {"break", parse_jump},    {"continue", parse_jump}};
	const struct stp_tok *t = stp_peek(p);
	for (size_t i = 0; t->kind == TOK_KEYWORD && i < ARRAY_SIZE(words); i++)
		if (str_eq(t->text, words[i].word))
			return words[i].parse(p);
	if (stp_at_op(p, "{"))
		return stp_parse_block(p);
	if (stp_at_op(p, ";"))
		return new_stmt(p, SS_NULL, t->loc); /* the `;` is taken below */
	struct stp_stmt *s = new_stmt(p, SS_EXPR, t->loc);
	s->expr = stp_parse_expr(p);
	return s;
}

struct stp_stmt *stp_parse_stmt(struct parser *p)
{
	stp_enter(p);
	struct stp_stmt *s = parse_unterminated(p);
	p->depth--;
	/* the others end in a statement or a brace of their own */
	if (s->kind == SS_NULL || s->kind == SS_EXPR || s->kind == SS_RETURN || s->kind == SS_DELETE ||
	    s->kind == SS_NEXT || s->kind == SS_BREAK || s->kind == SS_CONTINUE)
		stp_accept_op(p, ";");
	return s;
}
