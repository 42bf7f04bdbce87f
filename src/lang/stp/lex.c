/* lex.c - tokens of a SystemTap script. */
#include "lang/stp/ast.h"

#include <ctype.h>

static const char *const keywords[] = {
	"probe", "global", "private", "function", "if",	 "else",     "for",    "foreach", "in",	 "limit",
	"return", "delete", "while",	"break",    "continue", "next", "string", "long",    "try", "catch",
};

bool stp_is_keyword(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (str_eq(keywords[i], s))
			return true;
	return false;
}

/* Longest first. */
static const char *const operators[] = {
	"<<<", ">>>", "<<=", ">>=", "==", "!=", "<=", ">=", "=~", "!~", "+=", "-=", "*=",
	"/=",  "%=",  "&=",  "^=",  "|=", ".=", "&&", "||", "++", "--", "->", "<<", ">>",
	"%(",  "%?",  "%:",  "%)",
};

static bool is_ident(unsigned char c)
{
	return isalnum(c) || c == '_' || c == '$';
}

/* Skips blanks and comments. */
static uint32_t skip_space(const struct source *s, uint32_t p)
{
	const char *t = s->text;
	while (p < s->len) {
		if (isspace((unsigned char)t[p])) {
			p++;
		} else if (t[p] == '#' || (t[p] == '/' && t[p + 1] == '/')) {
			while (p < s->len && t[p] != '\n')
				p++;
		} else if (t[p] == '/' && t[p + 1] == '*') {
			const char *end = strstr(t + p + 2, "*/");
			p = end ? (uint32_t)(end - t) + 2 : (uint32_t)s->len;
		} else {
			break;
		}
	}
	return p;
}

static struct stp_tok make(const struct source *src, enum stp_tok_kind kind, uint32_t begin, uint32_t end,
			   const char *text)
{
	return (struct stp_tok){.kind = kind, .loc = {src, begin, end}, .text = text};
}

/* Escapes that stay in the text for later; any other backslash is dropped. */
static bool keeps_backslash(char c)
{
	return c && strchr("abtnvfr\\x01234567", c);
}

static struct stp_tok lex_string(const struct source *src, uint32_t *pos, struct arena *a)
{
	uint32_t begin = *pos, p = begin + 1;
	_cleanup_free_ char *buf = xmalloc(src->len - begin + 2);
	size_t n = 0;
	for (; p < src->len && src->text[p] != '"' && src->text[p] != '\n'; p++) {
		if (src->text[p] == '\\' && p + 1 < src->len && src->text[p + 1] != '\n') {
			p++;
			if (src->text[p] == '"' || keeps_backslash(src->text[p]))
				buf[n++] = '\\';
		}
		buf[n++] = src->text[p];
	}
	if (p >= src->len || src->text[p] != '"') {
		*pos = p;
		return make(src, TOK_JUNK, begin, begin, "Could not find matching closing quote");
	}
	*pos = p + 1;
	return make(src, TOK_STR, begin, p + 1, arena_strndup(a, buf, n));
}

static struct stp_tok lex_word(const struct source *src, uint32_t *pos, struct arena *a)
{
	uint32_t begin = *pos, p = begin + 1;
	/* `$#` and `@#` are the number of arguments */
	if ((src->text[begin] == '$' || src->text[begin] == '@') && src->text[p] == '#')
		p++;
	else
		while (p < src->len && is_ident((unsigned char)src->text[p]))
			p++;
	*pos = p;
	const char *text = arena_strndup(a, src->text + begin, p - begin);
	enum stp_tok_kind kind = text[0] == '@' ? TOK_OP : stp_is_keyword(text) ? TOK_KEYWORD : TOK_IDENT;
	return make(src, kind, begin, p, text);
}

struct stp_tok stp_lex(const struct source *src, uint32_t *pos, struct arena *a)
{
	uint32_t begin = skip_space(src, *pos);
	*pos = begin;
	if (begin >= src->len)
		return make(src, TOK_EOF, (uint32_t)src->len, (uint32_t)src->len, "");
	const char *t = src->text + begin;
	if (isalpha((unsigned char)*t) || (*t && strchr("_$@", *t)))
		return lex_word(src, pos, a);
	if (*t == '"')
		return lex_string(src, pos, a);
	if (isdigit((unsigned char)*t)) {
		uint32_t p = begin;
		while (p < src->len && isalnum((unsigned char)src->text[p]))
			p++;
		*pos = p;
		return make(src, TOK_NUM, begin, p, arena_strndup(a, t, p - begin));
	}
	if (t[0] == '%' && t[1] == '{') {
		const char *end = strstr(t + 2, "%}");
		*pos = end ? (uint32_t)(end - src->text) + 2 : (uint32_t)src->len;
		if (!end)
			return make(src, TOK_JUNK, begin, begin, "Could not find matching '%}' to close embedded function block");
		return make(src, TOK_EMBED, begin, *pos, arena_strndup(a, t + 2, (size_t)(end - t) - 2));
	}
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (str_has_prefix(t, operators[i])) {
			*pos = begin + (uint32_t)strlen(operators[i]);
			return make(src, TOK_OP, begin, *pos, operators[i]);
		}
	*pos = begin + 1;
	if (ispunct((unsigned char)*t))
		return make(src, TOK_OP, begin, begin + 1, arena_strndup(a, t, 1));
	return make(src, TOK_JUNK, begin, begin, "unexpected junk token");
}

void stp_tok_describe(struct loc loc, struct buf *out)
{
	if (!loc.src || loc.begin >= loc.end) {
		buf_puts(out, "junk ''");
		return;
	}
	const char *t = loc.src->text + loc.begin;
	int n = (int)(loc.end - loc.begin);
	if (*t == '"')
		buf_printf(out, "string '%.*s'", n - 2 < 0 ? 0 : n - 2, t + 1);
	else if (isdigit((unsigned char)*t))
		buf_printf(out, "number '%.*s'", n, t);
	else if (n > 1 && t[0] == '%' && t[1] == '{')
		buf_puts(out, "embedded-code");
	else if (isalpha((unsigned char)*t) || *t == '_' || *t == '$') {
		_cleanup_free_ char *word = xstrndup(t, (size_t)n);
		if (stp_is_keyword(word))
			buf_puts(out, "keyword");
		else
			buf_printf(out, "identifier '%s'", word);
	} else
		buf_printf(out, "operator '%.*s'", n, t);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *stp_unescape(struct arena *a, const char *raw, uint32_t *len)
{
	static const char from[] = "abtnvfr\\\"", to[] = "\a\b\t\n\v\f\r\\\"";
	char *out = arena_alloc(a, strlen(raw) + 1), *o = out;
	for (const char *p = raw; *p; p++) {
		if (*p != '\\' || !p[1]) {
			*o++ = *p;
			continue;
		}
		p++;
		const char *simple = strchr(from, *p);
		if (simple) {
			*o++ = to[simple - from];
		} else if (*p >= '0' && *p <= '7') {
			int v = 0, n = 0;
			for (; n < 3 && p[n] >= '0' && p[n] <= '7'; n++)
				v = v * 8 + p[n] - '0';
			*o++ = (char)v;
			p += n - 1;
		} else if (*p == 'x' && hex_digit(p[1]) >= 0) {
			int v = hex_digit(*++p);
			if (hex_digit(p[1]) >= 0)
				v = v * 16 + hex_digit(*++p);
			*o++ = (char)v;
		} else {
			*o++ = *p;
		}
	}
	*o = '\0';
	*len = (uint32_t)(o - out);
	return out;
}
