/*
 * parse.h - inside lang/bt: the reader of characters that the parser's files share.
 *
 * bpftrace's grammar has no tokens of its own: the same characters mean different things in an
 * attach point, in the C part and in an expression.  So the parser works on characters, and lex.c
 * gives it the lexical forms.  After an error everything reads as end of text, which unwinds
 * the parser without a jump; it goes on with the next probe.
 */
#pragma once

#include "lang/bt/ast.h"

struct bt_parser {
	struct lang_input *in;
	struct arena *a;
	const struct source *src;
	struct bt_script *script;
	uint32_t pos, len;
	unsigned depth; /* of recursion: bounded, scripts come from outside */
	bool failed;
	bool quiet; /* errors make no diagnostic */
};
enum {
	BT_MAX_DEPTH = 500,
	BT_MAX_HEIGHT = 1000
};

/* lex.c: characters */
char bt_at(const struct bt_parser *p, uint32_t pos); /* 0 past the end */
char bt_peek(const struct bt_parser *p, uint32_t ahead);
bool bt_at_end(const struct bt_parser *p);
bool bt_is_ident_start(char c);
bool bt_is_ident_char(char c);
void bt_skip(struct bt_parser *p); /* blanks and comments */
/* The same without moving: the position after blanks and comments, after an identifier, after the
 * group of brackets that opens at pos (pos itself when none does). */
uint32_t bt_scan(const struct bt_parser *p, uint32_t pos);
uint32_t bt_scan_ident(const struct bt_parser *p, uint32_t pos);
uint32_t bt_scan_group(const struct bt_parser *p, uint32_t pos, char open, char close);

/* lex.c: forms.  All skip blanks first. */
bool bt_match(struct bt_parser *p, char c);
bool bt_match_word(struct bt_parser *p, const char *word);
bool bt_is_word(const struct bt_parser *p, const char *word); /* next, not consumed */
bool bt_expect(struct bt_parser *p, char c);
bool bt_expect_word(struct bt_parser *p, const char *word);
/* NULL when there is none, after an error when `what` is given */
const char *bt_ident(struct bt_parser *p, const char *what);
const char *bt_variable(struct bt_parser *p);            /* "$x"; at a '$' */
const char *bt_map_name(struct bt_parser *p);            /* "@m" or "@"; at a '@' */
char *bt_string(struct bt_parser *p, uint32_t *len_ret); /* at a '"' */
const char *bt_number_text(struct bt_parser *p);

struct loc bt_loc(const struct bt_parser *p,
		  uint32_t begin); /* from begin to where the parser is */
/* The error is at the next token, or at a place. */
void bt_syntax(struct bt_parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void bt_syntax_at(struct bt_parser *p, uint32_t begin, uint32_t end, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
bool bt_enter(
	struct bt_parser *p); /* one level deeper; false after an error. bt_leave() in any case */
void bt_leave(struct bt_parser *p);

/* parse_expr.c */
struct bt_expr *bt_new(struct bt_parser *p, enum bt_expr_kind kind, uint32_t begin);
void bt_set_kids(struct bt_parser *p, struct bt_expr *e, struct bt_expr *const *kid, unsigned n);
struct bt_expr *bt_expression(struct bt_parser *p);
struct bt_expr *bt_expression_rest(struct bt_parser *p,
				   struct bt_expr *first); /* after its first operand */
struct bt_expr *bt_unary(struct bt_parser *p);
struct bt_expr *bt_primary(struct bt_parser *p);
struct bt_expr *bt_postfix(struct bt_parser *p, struct bt_expr *e);
struct bt_expr *bt_binary(struct bt_parser *p, int min_prec, struct bt_expr *left);
struct bt_expr *bt_map_expr(struct bt_parser *p);
struct bt_expr *
bt_condition(struct bt_parser *p); /* of if, while, unroll: parentheses are optional */
/* parse_type.c */
struct bt_type_name *bt_type_annotation(struct bt_parser *p);
/* What stands in sizeof(), offsetof(), typeof(): a type, or an expression in *e_ret. */
struct bt_type_name *bt_type_or_expr(struct bt_parser *p, const char *ends, struct bt_expr **e_ret);
struct bt_expr *bt_try_cast(struct bt_parser *p, uint32_t begin);
bool bt_is_reserved_builtin(const char *name, size_t n);
/* parse_stmt.c */
struct bt_block *bt_block_parse(struct bt_parser *p, bool with_value);
