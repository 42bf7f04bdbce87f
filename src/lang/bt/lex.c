/* lex.c - the lexical forms of a bpftrace script: blanks, words, names, numbers, strings. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "lang/bt/parse.h"

char bt_at(const struct bt_parser *p, uint32_t pos)
{
	return pos < p->len ? p->src->text[pos] : 0;
}

char bt_peek(const struct bt_parser *p, uint32_t ahead)
{
	return bt_at(p, p->pos + ahead);
}

bool bt_at_end(const struct bt_parser *p)
{
	return p->pos >= p->len;
}

bool bt_is_ident_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

bool bt_is_ident_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static uint32_t scan_comment(const struct bt_parser *p, uint32_t pos)
{
	bool block = bt_at(p, pos + 1) == '*';
	for (pos += 2; pos < p->len; pos++) {
		if (!block && bt_at(p, pos) == '\n')
			return pos;
		if (block && bt_at(p, pos) == '*' && bt_at(p, pos + 1) == '/')
			return pos + 2;
	}
	return p->len;
}

uint32_t bt_scan(const struct bt_parser *p, uint32_t pos)
{
	while (pos < p->len) {
		char c = bt_at(p, pos), next = bt_at(p, pos + 1);
		if (isspace((unsigned char)c))
			pos++;
		else if (c == '/' && (next == '/' || next == '*'))
			pos = scan_comment(p, pos);
		else
			break;
	}
	return pos;
}

uint32_t bt_scan_ident(const struct bt_parser *p, uint32_t pos)
{
	while (bt_is_ident_char(bt_at(p, pos)))
		pos++;
	return pos;
}

uint32_t bt_scan_group(const struct bt_parser *p, uint32_t pos, char open, char close)
{
	if (bt_at(p, pos) != open)
		return pos;
	unsigned depth = 1;
	for (pos++; pos < p->len && depth; pos++) {
		if (bt_at(p, pos) == open)
			depth++;
		else if (bt_at(p, pos) == close)
			depth--;
	}
	return pos;
}

void bt_skip(struct bt_parser *p)
{
	p->pos = bt_scan(p, p->pos);
}

struct loc bt_loc(const struct bt_parser *p, uint32_t begin)
{
	return (struct loc){p->src, begin, MAX(begin, MIN(p->pos, p->len))};
}

/* --- errors -------------------------------------------------------------------------------------
 */

static void report(struct bt_parser *p, uint32_t begin, uint32_t end, const char *fmt, va_list ap)
{
	if (p->failed)
		return;
	if (!p->quiet) {
		char *msg = arena_vprintf(p->a, fmt, ap);
		diag_error(p->in->diags, (struct loc){p->src, begin, end}, "syntax: %s", msg);
	}
	p->failed = true;
	p->pos = p->len; /* everything unwinds from here */
}

void bt_syntax_at(struct bt_parser *p, uint32_t begin, uint32_t end, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(p, begin, end, fmt, ap);
	va_end(ap);
}

/* Where the token at pos ends, as far as an underline is concerned. */
static uint32_t token_end(const struct bt_parser *p, uint32_t pos)
{
	char c = bt_at(p, pos);
	if (pos >= p->len)
		return pos;
	if (bt_is_ident_start(c))
		return bt_scan_ident(p, pos);
	if (c == '@' || c == '$')
		return bt_scan_ident(p, pos + 1);
	if (isdigit((unsigned char)c)) {
		while (isalnum((unsigned char)bt_at(p, pos)) || bt_at(p, pos) == '.')
			pos++;
		return pos;
	}
	return pos + 1;
}

void bt_syntax(struct bt_parser *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	uint32_t begin = bt_scan(p, p->pos);
	report(p, begin, token_end(p, begin), fmt, ap);
	va_end(ap);
}

bool bt_enter(struct bt_parser *p)
{
	if (++p->depth > BT_MAX_DEPTH)
		bt_syntax(p, "nested too deeply, at most %d levels are allowed", BT_MAX_DEPTH);
	return !p->failed;
}

void bt_leave(struct bt_parser *p)
{
	p->depth--;
}

/* --- words and names ----------------------------------------------------------------------------
 */

bool bt_match(struct bt_parser *p, char c)
{
	bt_skip(p);
	if (bt_at_end(p) || bt_peek(p, 0) != c)
		return false;
	p->pos++;
	return true;
}

bool bt_is_word(const struct bt_parser *p, const char *word)
{
	uint32_t begin = bt_scan(p, p->pos), end = bt_scan_ident(p, begin);
	size_t n = strlen(word);
	return end - begin == n && !memcmp(p->src->text + begin, word, n);
}

bool bt_match_word(struct bt_parser *p, const char *word)
{
	bt_skip(p);
	if (!bt_is_word(p, word))
		return false;
	p->pos += (uint32_t)strlen(word);
	return true;
}

bool bt_expect(struct bt_parser *p, char c)
{
	if (bt_match(p, c))
		return true;
	bt_syntax(p, "expected '%c'", c);
	return false;
}

bool bt_expect_word(struct bt_parser *p, const char *word)
{
	if (bt_match_word(p, word))
		return true;
	bt_syntax(p, "expected '%s'", word);
	return false;
}

/* The text from p->pos to the end of the identifier at `from`. */
static const char *take_ident(struct bt_parser *p, uint32_t from)
{
	uint32_t begin = p->pos;
	p->pos = bt_scan_ident(p, from);
	return arena_strndup(p->a, p->src->text + begin, p->pos - begin);
}

const char *bt_ident(struct bt_parser *p, const char *what)
{
	bt_skip(p);
	if (bt_is_ident_start(bt_peek(p, 0)))
		return take_ident(p, p->pos);
	if (what)
		bt_syntax(p, "%s", what);
	return NULL;
}

const char *bt_variable(struct bt_parser *p)
{
	if (bt_is_ident_start(bt_peek(p, 1)))
		return take_ident(p, p->pos + 1);
	bt_syntax(p, "expected identifier after '$'");
	return "$";
}

const char *bt_map_name(struct bt_parser *p)
{
	if (bt_is_ident_start(bt_peek(p, 1)))
		return take_ident(p, p->pos + 1);
	p->pos++;
	return "@";
}

/* --- strings ------------------------------------------------------------------------------------
 */

static void string_octal(struct bt_parser *p, uint32_t begin, struct buf *out)
{
	unsigned value = 0;
	for (int i = 0; i < 3 && bt_peek(p, 0) >= '0' && bt_peek(p, 0) <= '7'; i++, p->pos++)
		value = value * 8 + (unsigned)(bt_peek(p, 0) - '0');
	if (value > UINT8_MAX)
		bt_syntax_at(p, begin, p->pos, "octal escape sequence out of range '%.*s'",
			     (int)(p->pos - begin), p->src->text + begin);
	buf_putc(out, (char)value);
}

static void string_hex(struct bt_parser *p, struct buf *out)
{
	char digits[3] = "";
	p->pos++;
	for (int i = 0; i < 2 && isxdigit((unsigned char)bt_peek(p, 0)); i++, p->pos++)
		digits[i] = bt_peek(p, 0);
	if (!digits[0])
		bt_syntax(p, "invalid hex escape sequence");
	buf_putc(out, (char)strtoul(digits, NULL, 16));
}

static void string_escape(struct bt_parser *p, struct buf *out)
{
	static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
	uint32_t begin = p->pos++;
	char c = bt_peek(p, 0);
	const char *at = c ? strchr(from, c) : NULL;
	if (c >= '0' && c <= '7') {
		string_octal(p, begin, out);
	} else if (c == 'x' || c == 'X') {
		string_hex(p, out);
	} else if (at) {
		buf_putc(out, to[at - from]);
		p->pos++;
	} else if (bt_at_end(p)) {
		bt_syntax(p, "unterminated string");
	} else {
		bt_syntax(p, "invalid escape character '\\%c'", c);
	}
}

char *bt_string(struct bt_parser *p, uint32_t *len_ret)
{
	struct buf out = {0};
	p->pos++;
	while (!bt_at_end(p) && bt_peek(p, 0) != '"') {
		if (bt_peek(p, 0) == '\n')
			bt_syntax_at(p, p->pos, p->pos, "unterminated string");
		else if (bt_peek(p, 0) == '\\')
			string_escape(p, &out);
		else
			buf_putc(&out, p->src->text[p->pos++]);
	}
	if (bt_at_end(p))
		bt_syntax(p, "unterminated string");
	else
		p->pos++;
	char *text = arena_memdup(p->a, buf_str(&out), out.len + 1); /* may hold NULs */
	if (len_ret)
		*len_ret = (uint32_t)out.len;
	buf_free(&out);
	return text;
}

/* --- numbers ------------------------------------------------------------------------------------
 */

static void take_digits(struct bt_parser *p, bool hex)
{
	char c;
	while ((c = bt_peek(p, 0)) &&
	       (c == '_' || (hex ? isxdigit((unsigned char)c) : isdigit((unsigned char)c))))
		p->pos++;
	if (p->pos && bt_at(p, p->pos - 1) == '_')
		bt_syntax_at(p, p->pos - 1, p->pos, "trailing underscore in integer literal");
}

/* Length of the longest suffix that stands here; letters of other suffixes may follow it. */
static uint32_t suffix_len(const struct bt_parser *p)
{
	static const char *const known[] = {"ns", "us", "ms", "ull", "ul", "u",
					    "ll", "l",  "s",  "m",   "h",  "d"};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		uint32_t n = 0;
		bool any_case = known[i][0] == 'l' || (known[i][0] == 'u' && known[i][1] != 's');
		for (; known[i][n]; n++) {
			char c = bt_peek(p, n);
			if ((any_case ? tolower((unsigned char)c) : c) != known[i][n])
				break;
		}
		if (!known[i][n])
			return n;
	}
	return 0;
}

const char *bt_number_text(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (bt_peek(p, 0) == '0' && (bt_peek(p, 1) | 32) == 'x') {
		p->pos += 2;
		take_digits(p, true);
		return arena_strndup(p->a, p->src->text + begin, p->pos - begin);
	}
	take_digits(p, false);
	if (p->pos > begin && (bt_peek(p, 0) | 32) == 'e') {
		p->pos++;
		take_digits(p, false);
	}
	if (p->pos > begin)
		p->pos += suffix_len(p);
	if (p->pos > begin && bt_is_ident_start(bt_peek(p, 0))) {
		uint32_t end = bt_scan_ident(p, p->pos);
		bt_syntax_at(p, p->pos, end, "invalid integer suffix '%.*s'", (int)(end - p->pos),
			     p->src->text + p->pos);
	}
	uint32_t end = MAX(begin, p->failed ? begin : p->pos);
	return arena_strndup(p->a, p->src->text + begin, end - begin);
}

static const struct {
	const char *suffix;
	uint64_t max, scale;
} number_suffixes[] = {
	{"", UINT64_MAX, 1},
	{"u", UINT32_MAX, 1},
	{"ul", UINT64_MAX, 1},
	{"ull", UINT64_MAX, 1},
	{"l", INT64_MAX, 1},
	{"ll", INT64_MAX, 1},
	{"ns", UINT64_MAX, 1},
	{"us", UINT64_MAX, 1000},
	{"ms", UINT64_MAX, 1000000},
	{"s", UINT64_MAX, 1000000000},
	{"m", UINT64_MAX, 60000000000},
	{"h", UINT64_MAX, 3600000000000},
	{"d", UINT64_MAX, 86400000000000},
};

static const char *number_overflow(struct arena *a, const char *text, uint64_t max)
{
	return arena_printf(a, "overflow error, maximum value is %llu: %s", (unsigned long long)max,
			    text);
}

/* The digits of n (no underscores) in a base that is settled. */
static const char *number_digits(struct arena *a, const char *n, int base, const char *text,
				 uint64_t *ret)
{
	char *end = NULL;
	errno = 0;
	uint64_t v = strtoull(n, &end, base);
	if (end == n || !isalnum((unsigned char)n[0]))
		return arena_printf(a, "invalid integer: %s", text);
	if (errno == ERANGE)
		return number_overflow(a, text, UINT64_MAX);
	if (base == 10 && (*end | 32) == 'e' && end[1] >= '1' && end[1] <= '9') {
		if (v < 1 || v > 9)
			return arena_printf(
				a, "coefficient part of scientific literal must be 1-9: %s", text);
		for (unsigned long exp = strtoul(end + 1, &end, 10); exp; exp--)
			if (__builtin_mul_overflow(v, 10, &v))
				return number_overflow(a, text, UINT64_MAX);
	}
	for (size_t i = 0; i < ARRAY_SIZE(number_suffixes); i++) {
		if (strcmp(end, number_suffixes[i].suffix))
			continue;
		if (v > number_suffixes[i].max / number_suffixes[i].scale)
			return number_overflow(a, text, number_suffixes[i].max);
		*ret = v * number_suffixes[i].scale;
		return NULL;
	}
	return arena_printf(a, "invalid trailing bytes: %s", text);
}

const char *bt_number(struct arena *a, const char *text, int base, uint64_t *ret)
{
	char *n = arena_strdup(a, text), *to = n;
	for (const char *from = text; *from; from++)
		if (*from != '_')
			*to++ = *from;
	*to = 0;
	if (base)
		return number_digits(a, n, base, text, ret);
	if (n[0] == '0' && (n[1] | 32) == 'x')
		return number_digits(a, n + 2, 16, text, ret);
	if (n[0] == '0' && (n[1] | 32) == 'b')
		return number_digits(a, n + 2, 2, text, ret);
	if (n[0] == '0' && n[1] >= '0' && n[1] <= '9')
		return number_digits(a, n, 8, text, ret);
	return number_digits(a, n, 10, text, ret);
}
