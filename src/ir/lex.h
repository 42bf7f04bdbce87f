/* lex.h - tokens of the IR's text, for parse.c. */
#pragma once

#include "base/base.h"

enum ir_token {
	IRT_END,
	IRT_WORD,   /* text: [A-Za-z0-9_.$]+ that is no number */
	IRT_NUMBER, /* number; decimal or 0x, with sign */
	IRT_VALUE,  /* %N: number */
	IRT_AT,     /* @name: text */
	IRT_STRING, /* "name": text */
	IRT_PUNCT,  /* text[0]: one of ( ) { } [ ] , : = + - */
	IRT_BAD,
};
struct ir_lexer {
	const struct source *src;
	struct arena *arena;
	uint32_t pos;
	/* the current token */
	enum ir_token kind;
	const char *text; /* arena */
	int64_t number;
	uint32_t begin, end;
};
/* Moves to the next token. */
void ir_lex(struct ir_lexer *l);
