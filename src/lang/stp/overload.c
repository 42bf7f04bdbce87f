/*
 * overload.c - functions of one name and number of arguments: `next` goes on with the one of the next priority.
 *
 * The first keeps the name, the others are called NAME#2, NAME#3 ...; `next` in one becomes a call of the one that follows with the same
 * arguments, and in the last an error.
 */
#include "lang/stp/comp.h"
#include "lang/stp/parse.h"

static bool same_kind(const struct stp_func *a, const struct stp_func *b)
{
	return a->nparam == b->nparam && a->is_private == b->is_private && str_eq(a->name, b->name);
}

/* The functions like f from f on, by priority, those of one priority in order. */
static size_t chain_of(struct stp_func *f, struct stp_func **ret, size_t max)
{
	size_t n = 0;
	for (; f && n < max; f = f->next) {
		if (n && !same_kind(f, ret[0]))
			continue;
		if (!n) {
			ret[n++] = f;
			continue;
		}
		size_t i = n++;
		for (; i && ret[i - 1]->priority > f->priority; i--)
			ret[i] = ret[i - 1];
		ret[i] = f;
	}
	return n;
}

static struct stp_expr *call(struct stp_comp *c, struct loc loc, const char *name)
{
	struct stp_expr *e = stp_new_expr(c->a, SE_CALL, loc);
	e->text = name;
	return e;
}

/* What follows f: a call with f's own arguments, or the error that there is none. */
static struct stp_expr *go_on(struct stp_comp *c, const struct stp_func *f, const char *next, struct loc loc)
{
	struct stp_expr *e = call(c, loc, next ? next : "error");
	if (!next) {
		struct stp_expr *text = stp_new_expr(c->a, SE_STR, loc);
		text->text = text->str = "all functions exhausted";
		text->len = (uint32_t)strlen(text->str);
		stp_add_kid(c->a, e, text);
		return e;
	}
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next) {
		struct stp_expr *arg = stp_new_expr(c->a, SE_SYM, loc);
		arg->text = p->name;
		stp_add_kid(c->a, e, arg);
	}
	return e;
}

static bool returns_value(const struct stp_stmt *s)
{
	for (; s; s = s->next)
		if ((s->kind == SS_RETURN && s->expr) || returns_value(s->body) || returns_value(s->other))
			return true;
	return false;
}

static struct stp_stmt *stmt(struct stp_comp *c, enum stp_stmt_kind kind, struct loc loc, struct stp_expr *e)
{
	struct stp_stmt *s = arena_new(c->a, struct stp_stmt);
	*s = (struct stp_stmt){.kind = kind, .loc = loc, .expr = e};
	return s;
}

static void replace_next(struct stp_comp *c, const struct stp_func *f, struct stp_stmt *s, const char *next, bool value)
{
	for (; s; s = s->next) {
		replace_next(c, f, s->body, next, value);
		replace_next(c, f, s->other, next, value);
		if (s->kind != SS_NEXT)
			continue;
		struct stp_expr *e = go_on(c, f, next, s->loc);
		if (value && next) {
			s->kind = SS_RETURN;
			s->expr = e;
			continue;
		}
		s->kind = SS_BLOCK;
		s->body = stmt(c, SS_EXPR, s->loc, e);
		if (!value)
			s->body->next = stmt(c, SS_RETURN, s->loc, NULL);
	}
}

void stp_link_overloads(struct stp_comp *c, struct stp_file *file)
{
	enum { MAX_CHAIN = 64 };
	for (struct stp_func *f = file->func; f; f = f->next) {
		struct stp_func *chain[MAX_CHAIN];
		if (f->is_linked || f->embedded)
			continue;
		size_t n = chain_of(f, chain, MAX_CHAIN);
		bool value = false;
		for (size_t i = 0; i < n; i++) {
			chain[i]->is_linked = true;
			value |= chain[i]->declared || returns_value(chain[i]->body);
			chain[i]->key = i ? arena_printf(c->a, "%s#%zu", f->name, i + 1) : f->name;
		}
		for (size_t i = 0; i < n; i++)
			replace_next(c, chain[i], chain[i]->body, i + 1 < n ? chain[i + 1]->key : NULL, value);
	}
}
