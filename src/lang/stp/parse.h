/*
 * parse.h - inside the parser: a cursor over tokens, and how it gives up on a broken item.
 */
#pragma once

#include <setjmp.h>

#include "lang/stp/ast.h"

struct parser {
	struct stp_reader *r;
	struct arena *a;
	const struct stp_tok *tok; /* ends with TOK_EOF */
	size_t n, i;
	struct stp_file *file;
	struct stp_global **global_tail;
	struct stp_func **func_tail;
	struct stp_probe **probe_tail;
	struct stp_item **item_tail;
	bool in_function;
	unsigned depth, loops;
	jmp_buf giveup; /* after the diagnostic of a parse error */
};
enum { MAX_NESTING = 500 };

/* What -p1 prints, in the order of the script. */
struct stp_item {
	struct stp_global *global;
	struct stp_func *func;
	struct stp_probe *probe;
	struct stp_item *next;
};

const struct stp_tok *stp_peek(const struct parser *p);
const struct stp_tok *stp_peek_at(const struct parser *p, size_t ahead);
const struct stp_tok *stp_next(struct parser *p); /* junk is a parse error */
bool stp_at_op(const struct parser *p, const char *op);
bool stp_at_keyword(const struct parser *p, const char *word);
bool stp_accept_op(struct parser *p, const char *op);
bool stp_accept_keyword(struct parser *p, const char *word);
struct loc stp_expect_op(struct parser *p, const char *op);
const struct stp_tok *stp_expect_ident(struct parser *p);
NORETURN void stp_parse_error(struct parser *p, const struct stp_tok *at, const char *msg);
void stp_enter(struct parser *p); /* bounds recursion */

/* parse_expr.c */
struct stp_expr *stp_new_expr(struct arena *a, enum stp_expr_kind kind, struct loc loc);
struct stp_expr *stp_parse_expr(struct parser *p);
struct stp_expr *stp_parse_index_list(struct parser *p, struct stp_expr *e); /* after `[`, up to and with `]` */
struct stp_expr *stp_parse_literal(struct parser *p);
struct stp_expr *stp_parse_hist(struct parser *p);
void stp_add_kid(struct arena *a, struct stp_expr *e, struct stp_expr *kid);
struct stp_expr *stp_parse_node(struct parser *p, enum stp_expr_kind kind, const struct stp_tok *t, struct stp_expr *x, struct stp_expr *y);
struct stp_expr *stp_parse_string(struct parser *p);
/* parse_at.c */
struct stp_expr *stp_parse_target(struct parser *p); /* $name, with what follows it */
struct stp_expr *stp_parse_at(struct parser *p);     /* @cast, @var, @count, ... */
bool stp_is_pretty(const struct stp_tok *t);	     /* `$` or `$$` on its own, after a value */
void stp_parse_components(struct parser *p, struct stp_expr *e); /* ->member, [index] */
/* parse_stmt.c */
struct stp_stmt *stp_parse_stmt(struct parser *p);
struct stp_stmt *stp_parse_block(struct parser *p);
