/* lex.c - the IR's text cut into tokens. */
#include "ir/lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static int peek(const struct ir_lexer *l)
{
	return l->pos < l->src->len ? (unsigned char)l->src->text[l->pos] : -1;
}

static bool is_word_char(int c)
{
	return c >= 0 && (isalnum(c) || c == '_' || c == '.' || c == '$');
}

static void skip_space(struct ir_lexer *l)
{
	for (;;) {
		int c = peek(l);
		if (c == ';')
			while (peek(l) >= 0 && peek(l) != '\n')
				l->pos++;
		else if (c >= 0 && isspace(c))
			l->pos++;
		else
			return;
	}
}

static void lex_word(struct ir_lexer *l)
{
	uint32_t from = l->pos;
	while (is_word_char(peek(l)))
		l->pos++;
	l->text = arena_strndup(l->arena, l->src->text + from, l->pos - from);
}

/* Digits from `from` to the end of the word; as unsigned, so that 2^64 - 1 can be written. */
static bool to_number(struct ir_lexer *l, const char *digits, bool negative)
{
	char *end;
	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	unsigned long long v = strtoull(digits, &end, str_has_prefix(digits, "0x") ? 16 : 10);
	l->number = (int64_t)(negative ? -v : v);
	return !errno && !*end;
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static bool lex_string(struct ir_lexer *l)
{
	struct buf s = {0};
	bool ok = false;
	l->pos++;
	for (int c; (c = peek(l)) >= ' ';) {
		l->pos++;
		if (c == '"') {
			ok = true;
			break;
		}
		if (c == '\\') {
			if (peek(l) != 'x' || l->src->len - l->pos < 3)
				break;
			int high = hex_digit((unsigned char)l->src->text[l->pos + 1]);
			int low = hex_digit((unsigned char)l->src->text[l->pos + 2]);
			c = high * 16 + low;
			if (high < 0 || low < 0 || !c)
				break;
			l->pos += 3;
		}
		buf_putc(&s, (char)c);
	}
	l->text = arena_strdup(l->arena, buf_str(&s));
	buf_free(&s);
	return ok;
}

static enum ir_token lex_one(struct ir_lexer *l)
{
	int c = peek(l);
	bool negative = c == '-';
	if (c < 0)
		return IRT_END;
	if (c == '"')
		return lex_string(l) ? IRT_STRING : IRT_BAD;
	if (c == '%') {
		l->pos++;
		lex_word(l);
		return to_number(l, l->text, false) && l->number > 0 ? IRT_VALUE : IRT_BAD;
	}
	if (c == '@') {
		l->pos++;
		if (peek(l) == '"')
			return lex_string(l) ? IRT_AT : IRT_BAD;
		lex_word(l);
		return *l->text ? IRT_AT : IRT_BAD;
	}
	if (negative && l->pos + 1 < l->src->len &&
	    isdigit((unsigned char)l->src->text[l->pos + 1]))
		l->pos++;
	else
		negative = false;
	if (is_word_char(peek(l))) {
		lex_word(l);
		return to_number(l, l->text, negative) ? IRT_NUMBER : negative ? IRT_BAD : IRT_WORD;
	}
	l->pos++;
	l->text = arena_strndup(l->arena, l->src->text + l->pos - 1, 1);
	return strchr("(){}[],:=+-", c) ? IRT_PUNCT : IRT_BAD;
}

void ir_lex(struct ir_lexer *l)
{
	skip_space(l);
	l->begin = l->pos;
	l->text = "";
	l->number = 0;
	l->kind = lex_one(l);
	l->end = l->pos;
}
