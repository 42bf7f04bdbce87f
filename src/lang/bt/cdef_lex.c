/* cdef_lex.c - C text as tokens; preprocessor lines. */
#include <ctype.h>

#include "lang/bt/cdef.h"

enum {
	MAX_EXPANSIONS = 100000 /* of macros in declarations, over all headers */
};

static char at(const struct creader *r, uint32_t pos)
{
	return pos < r->end ? r->src->text[pos] : 0;
}

char *cdef_text(const struct creader *r)
{
	return arena_strndup(r->in->arena, r->src->text + r->begin, r->len);
}

bool cdef_is(const struct creader *r, const char *text)
{
	return r->kind != CT_END && strlen(text) == r->len &&
	       !memcmp(r->src->text + r->begin, text, r->len);
}

void cdef_fail(struct creader *r, const char *what)
{
	if (!r->failed && !r->quiet)
		diag_error(r->in->diags, (struct loc){r->src, r->begin, r->begin + r->len}, "%s",
			   what);
	r->failed = true;
}

/* --- plain tokens -------------------------------------------------------------------------------
 */

/* Past blanks, comments and escaped newlines; newlines too unless `line`. */
static void skip(struct creader *r, bool line)
{
	for (;;) {
		char c = at(r, r->pos), next = at(r, r->pos + 1);
		if (r->pos >= r->end) {
			return;
		} else if (c == '\\' && next == '\n') {
			r->pos += 2;
		} else if (c == '\n' ? !line : isspace((unsigned char)c)) {
			r->pos++;
		} else if (c == '/' && next == '/') {
			while (r->pos < r->end && at(r, r->pos) != '\n')
				r->pos++;
		} else if (c == '/' && next == '*') {
			r->pos += 2;
			while (r->pos < r->end &&
			       (at(r, r->pos) != '*' || at(r, r->pos + 1) != '/'))
				r->pos++;
			r->pos = MIN(r->pos + 2, r->end);
		} else {
			return;
		}
	}
}

static uint32_t quoted_end(const struct creader *r, uint32_t pos, char quote)
{
	for (pos++; pos < r->end && at(r, pos) != quote && at(r, pos) != '\n'; pos++)
		if (at(r, pos) == '\\')
			pos++;
	return MIN(pos + 1, r->end);
}

static void scan(struct creader *r)
{
	char c = at(r, r->pos);
	uint32_t pos = r->begin = r->pos;
	r->kind = CT_PUNCT;
	if (r->pos >= r->end) {
		r->kind = CT_END;
	} else if (isalpha((unsigned char)c) || c == '_') {
		r->kind = CT_IDENT;
		while (isalnum((unsigned char)at(r, pos)) || at(r, pos) == '_')
			pos++;
	} else if (isdigit((unsigned char)c)) {
		r->kind = CT_NUMBER;
		while (isalnum((unsigned char)at(r, pos)) || at(r, pos) == '.')
			pos++;
	} else if (c == '"' || c == '\'') {
		r->kind = c == '"' ? CT_STRING : CT_CHAR;
		pos = quoted_end(r, pos, c);
	} else {
		pos++;
	}
	r->len = pos - r->begin;
	r->pos = pos;
}

/* --- preprocessor lines -------------------------------------------------------------------------
 */

static bool is_hidden(const struct creader *r)
{
	for (unsigned i = 0; i < r->ncond; i++)
		if (!(r->cond[i] & 1))
			return true;
	return false;
}

static void skip_line(struct creader *r)
{
	for (; r->pos < r->end && at(r, r->pos) != '\n'; skip(r, true))
		if (at(r, r->pos) != '\n')
			r->pos++;
}

/* A number as bpftrace reads it (suffixes in lower case), a character as its code. */
static void put_token(struct creader *r, struct buf *out)
{
	const char *t = r->src->text + r->begin;
	if (r->kind == CT_CHAR) {
		buf_printf(out, "%d",
			   t[1] == '\\' ? (t[2] == 'n'   ? '\n'
					   : t[2] == '0' ? 0
							 : t[2])
					: t[1]);
	} else if (r->kind == CT_NUMBER) {
		uint32_t n = r->len;
		while (n > 1 && (strchr("uUlL", t[n - 1]) != NULL))
			n--;
		buf_add(out, t, n);
	} else {
		buf_add(out, t, r->len);
	}
}

/* The rest of the line; a blank stands where one was. */
static const char *rest_of_line(struct creader *r)
{
	struct buf out = {0};
	for (;;) {
		uint32_t before = r->pos;
		skip(r, true);
		if (r->pos >= r->end || at(r, r->pos) == '\n')
			break;
		if (r->pos != before && out.len)
			buf_putc(&out, ' ');
		scan(r);
		put_token(r, &out);
	}
	const char *text = arena_strdup(r->in->arena, buf_str(&out));
	buf_free(&out);
	return text;
}

static bool on_line(const struct creader *r)
{
	return r->pos < r->end && at(r, r->pos) != '\n';
}

static const char *word_on_line(struct creader *r)
{
	skip(r, true);
	if (!on_line(r))
		return NULL;
	scan(r);
	return r->kind == CT_IDENT ? cdef_text(r) : NULL;
}

static void define(struct creader *r)
{
	const char *name = word_on_line(r);
	if (!name || at(r, r->pos) == '(')
		return; /* function-like: not supported, as in bpftrace */
	strtab_set(&r->c->macros, name, (void *)(uintptr_t)rest_of_line(r));
}

static void include(struct creader *r)
{
	skip(r, true);
	uint32_t begin = r->pos, end = begin + 1;
	char open = at(r, begin), close = open == '<' ? '>' : open;
	if (open != '<' && open != '"')
		return;
	while (end < r->end && at(r, end) != close && at(r, end) != '\n')
		end++;
	const char *name = arena_strndup(r->in->arena, r->src->text + begin + 1, end - begin - 1);
	cdef_include(r, name, open == '"', (struct loc){r->src, begin, MIN(end + 1, r->end)});
}

static bool is_defined(const struct creader *r, const char *name)
{
	return name && strtab_get(&r->c->macros, name);
}

static void push_cond(struct creader *r, bool taken)
{
	if (r->ncond == ARRAY_SIZE(r->cond)) {
		cdef_fail(r, "#if is nested too deeply");
		return;
	}
	r->cond[r->ncond++] = taken ? 3 : 0;
}

/* `defined X` and `defined(X)` as 1 or 0; the expression behind #if. */
static bool condition(struct creader *r)
{
	struct buf out = {0};
	for (;;) {
		uint32_t before = r->pos;
		skip(r, true);
		if (!on_line(r))
			break;
		if (r->pos != before)
			buf_putc(&out, ' ');
		scan(r);
		if (!cdef_is(r, "defined")) {
			put_token(r, &out);
			continue;
		}
		skip(r, true);
		bool paren = at(r, r->pos) == '(';
		r->pos += paren;
		buf_puts(&out, is_defined(r, word_on_line(r)) ? " 1 " : " 0 ");
		skip(r, true);
		r->pos += paren && at(r, r->pos) == ')';
	}
	int64_t v = 0;
	bool ok = cdef_eval(r, buf_str(&out), &v);
	buf_free(&out);
	return ok && v;
}

static void conditional(struct creader *r, const char *word)
{
	uint8_t *top = r->ncond ? &r->cond[r->ncond - 1] : NULL;
	bool hidden = is_hidden(r);
	if (!strcmp(word, "ifdef"))
		push_cond(r, is_defined(r, word_on_line(r)));
	else if (!strcmp(word, "ifndef"))
		push_cond(r, !is_defined(r, word_on_line(r)));
	else if (!strcmp(word, "if"))
		push_cond(r, !hidden && condition(r));
	else if (top && !strcmp(word, "elif"))
		*top = *top & 2 ? 2 : condition(r) ? 3 : 0;
	else if (top && !strcmp(word, "else"))
		*top = *top & 2 ? 2 : 3;
	else if (top && !strcmp(word, "endif"))
		r->ncond--;
}

static void undefine(struct creader *r)
{
	const char *word = word_on_line(r);
	if (word)
		strtab_set(&r->c->macros, word, NULL);
}

static void line(struct creader *r)
{
	static const char *const cond[] = {"ifdef", "ifndef", "if", "elif", "else", "endif"};
	r->pos++; /* # */
	const char *word = word_on_line(r);
	bool is_cond = false;
	for (size_t i = 0; word && i < ARRAY_SIZE(cond); i++)
		is_cond = is_cond || !strcmp(word, cond[i]);
	if (is_cond) {
		conditional(r, word);
	} else if (word && !is_hidden(r)) {
		if (!strcmp(word, "define"))
			define(r);
		else if (!strcmp(word, "include"))
			include(r);
		else if (!strcmp(word, "undef"))
			undefine(r);
		else if (!strcmp(word, "error"))
			cdef_fail(r, arena_printf(r->in->arena, "#error %s", rest_of_line(r)));
	}
	skip_line(r);
}

static bool starts_line(const struct creader *r)
{
	for (uint32_t p = r->pos; p > 0; p--) {
		char c = r->src->text[p - 1];
		if (c == '\n')
			return true;
		if (!isspace((unsigned char)c))
			return false;
	}
	return true;
}

/* --- macros in declarations ---------------------------------------------------------------------
 */

static bool is_being_expanded(const struct creader *r, const char *name)
{
	for (unsigned i = 0; i < r->nup; i++)
		if (!strcmp(r->up[i].name, name))
			return true;
	return false;
}

/* The name at hand stands for a text: go on there. */
static bool expand(struct creader *r)
{
	char *name = r->kind == CT_IDENT ? cdef_text(r) : NULL;
	const char *text = name ? strtab_get(&r->c->macros, name) : NULL;
	if (!text || is_being_expanded(r, name) || r->nup == MAX_EXPANSION_DEPTH)
		return false;
	if (++r->c->nexpanded > MAX_EXPANSIONS) {
		cdef_fail(r, "macros expand to too much text");
		return false;
	}
	struct source *src = arena_new(r->in->arena, struct source);
	*src = (struct source){.name = name, .text = text, .len = strlen(text)};
	r->up[r->nup].name = name;
	r->up[r->nup].src = r->src;
	r->up[r->nup].pos = r->pos;
	r->up[r->nup++].end = r->end;
	r->src = src;
	r->pos = 0;
	r->end = (uint32_t)src->len;
	return true;
}

static bool return_from_macro(struct creader *r)
{
	if (!r->nup)
		return false;
	r->nup--;
	r->src = r->up[r->nup].src;
	r->pos = r->up[r->nup].pos;
	r->end = r->up[r->nup].end;
	return true;
}

void cdef_next(struct creader *r)
{
	for (;;) {
		skip(r, false);
		if (!r->nup && at(r, r->pos) == '#' && starts_line(r)) {
			line(r);
			continue;
		}
		scan(r);
		if (r->kind == CT_END && return_from_macro(r))
			continue;
		if (r->kind == CT_END || (!is_hidden(r) && !expand(r)))
			return;
	}
}

bool cdef_take(struct creader *r, const char *text)
{
	if (!cdef_is(r, text))
		return false;
	cdef_next(r);
	return true;
}
