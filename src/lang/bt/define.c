/* define.c - #define of the C part and of C headers: their text is parsed where the name is used. */
#include "lang/bt/sema.h"

enum { MAX_DEPTH = 32, MAX_EXPANSIONS = 20000 };

struct definer {
	struct bt_sema *s;
	const char *stack[MAX_DEPTH];
	unsigned depth, count;
};

static void define_after(struct bt_walk *w, struct bt_expr *e);

/* As bpftrace shows it: tokens without blanks. */
static const char *glued(struct arena *a, const char *text)
{
	char *out = arena_strdup(a, text), *to = out;
	for (const char *from = text; *from; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = 0;
	return out;
}

static void put_define(struct definer *d, struct bt_expr *e, const char *name, const char *text)
{
	struct arena *a = d->s->in->arena;
	struct source *src = arena_new(a, struct source);
	*src = (struct source){.name = name,
			       .text = text,
			       .len = strlen(text),
			       .from = arena_memdup(a, &e->loc, sizeof(e->loc))};
	if (!strcmp(name, text))
		return; /* #define A A: headers do so for their enumerators */
	for (unsigned i = 0; i < d->depth; i++) {
		if (strcmp(d->stack[i], name))
			continue;
		bt_err_now(d->s, e->loc, "Macro recursion: %s", name);
		return;
	}
	struct bt_expr *with = bt_parse_expr(d->s->in, src);
	if (!with) {
		bt_err_now(d->s, e->loc, "unable to expand macro as an expression: %s",
			   glued(a, text));
		return;
	}
	if (d->depth >= MAX_DEPTH || ++d->count > MAX_EXPANSIONS) {
		if (d->count++ == MAX_EXPANSIONS + 1)
			bt_err_now(d->s, e->loc, "macros expand to too much text");
		return;
	}
	d->stack[d->depth++] = name;
	bt_replace(e, with);
	struct bt_walk w = {.expr_after = define_after, .arg = d};
	bt_walk_expr(&w, e);
	d->depth--;
}

/* Names that mean something without a header. */
static bool is_known(struct bt_sema *s, const char *name)
{
	int64_t v;
	struct type *t;
	return bt_builtin_find(name) || bt_call_find(name) || bt_extension_find(name) ||
	       bt_cdef_enumerator(s->in, s->cdefs, name, &v, &t);
}

static void define_after(struct bt_walk *w, struct bt_expr *e)
{
	struct definer *d = w->arg;
	const char *text;
	if (e->kind == BT_IDENT && (bt_cdef_macro(d->s->cdefs, e->text, &text) ||
				    (!is_known(d->s, e->text) &&
				     bt_cdef_header_macro(d->s->in, d->s->cdefs, e->text, &text))))
		put_define(d, e, e->text, text);
}

void bt_expand_defines(struct bt_sema *s, struct bt_probe *p)
{
	struct definer d = {.s = s};
	struct bt_walk w = {.expr_after = define_after, .arg = &d};
	bt_walk_expr(&w, p->predicate);
	bt_walk_block(&w, p->body);
}
