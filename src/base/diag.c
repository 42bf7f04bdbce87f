/* diag.c - diagnostics about a script: collected with their places, rendered by the language. */
#include "base/base.h"

struct line_col source_walk(struct line_cursor *c, const struct source *s, uint32_t offset)
{
	if (c->src != s || offset < c->offset)
		*c = (struct line_cursor){s, 0, {1, 1}};
	for (; c->offset < offset && c->offset < s->len; c->offset++) {
		bool newline = s->text[c->offset] == '\n';
		c->at.line += newline;
		c->at.col = newline ? 1 : c->at.col + 1;
	}
	return c->at;
}

struct line_col source_line_col(const struct source *s, uint32_t offset)
{
	struct line_cursor c = {0};
	return source_walk(&c, s, offset);
}

const char *source_line(const struct source *s, uint32_t line, size_t *len)
{
	const char *p = s->text, *end = s->text + s->len;
	for (uint32_t n = 1; n < line && p < end; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	*len = (size_t)((nl ? nl : end) - p);
	return p;
}

struct line_window source_window(const struct source *s, struct line_col at)
{
	enum {
		LONGEST = 1000,
		BEFORE = 200
	};
	struct line_window w = {.first = 1};
	w.text = source_line(s, at.line, &w.len);
	if (w.len <= LONGEST)
		return w;
	size_t skip = at.col > BEFORE + 1u ? at.col - BEFORE - 1u : 0;
	skip = MIN(skip, w.len - LONGEST);
	w.cut_before = skip > 0;
	w.cut_after = skip + LONGEST < w.len;
	w.text += skip;
	w.len = LONGEST;
	w.first += (uint32_t)skip;
	return w;
}

struct loc loc_join(struct loc a, struct loc b)
{
	if (!a.src || a.src != b.src)
		return a.src ? a : b;
	return (struct loc){a.src, MIN(a.begin, b.begin), MAX(a.end, b.end)};
}

void diags_init(struct diags *d, struct arena *a)
{
	*d = (struct diags){.arena = a};
}

void diags_free(struct diags *d)
{
	vec_each(it, &d->list)
		vec_free(&it->hints);
	vec_free(&d->list);
}

static struct diag *add(struct diags *d, enum diag_severity sev, struct loc loc, const char *fmt,
			va_list ap)
{
	unsigned *count = sev == DIAG_ERROR ? &d->errors : &d->warnings;
	++*count;
	struct diag new = {.severity = sev, .loc = loc, .msg = arena_vprintf(d->arena, fmt, ap)};
	if (sev == DIAG_ERROR && d->max_errors && *count > d->max_errors && d->list.len)
		return &vec_last(&d->list);
	vec_push(&d->list, new);
	return &vec_last(&d->list);
}

struct diag *diag_error(struct diags *d, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct diag *new = add(d, DIAG_ERROR, loc, fmt, ap);
	va_end(ap);
	return new;
}

struct diag *diag_warn(struct diags *d, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct diag *new = add(d, DIAG_WARNING, loc, fmt, ap);
	va_end(ap);
	return new;
}

void diag_hint(struct diags *d, struct diag *of, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vec_push(&of->hints, arena_vprintf(d->arena, fmt, ap));
	va_end(ap);
}
