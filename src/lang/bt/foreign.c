/*
 * foreign.c - text of other languages: a struct with an address and a length, which str() reads like any string.
 */
#include "lang/bt/calls.h"

static const struct {
	const char *text, *length; /* members, with dots between them */
} kinds[] = {
	{"str", "len"},				      /* Go's string */
	{"data_ptr", "length"},			      /* Rust's &str; character(len=*) of Fortran */
	{"_M_dataplus._M_p", "_M_string_length"},     /* std::string of libstdc++ */
	{"_M_str", "_M_len"},			      /* std::string_view of libstdc++ */
};

static bool has_path(struct bt_sema *s, struct type *t, const char *path)
{
	_cleanup_free_ char *names = xstrdup(path);
	char *rest = names;
	uint32_t at;
	for (char *name; (name = strsep(&rest, "."));) {
		if (t->kind != TYPE_STRUCT)
			return false;
		type_complete(t, s->in->arena);
		const struct field *f = type_field(t, name, s->in->arena, &at);
		if (!f)
			return false;
		t = f->type;
	}
	return true;
}

static struct bt_expr *node(struct bt_sema *s, enum bt_expr_kind kind, struct loc loc, struct bt_expr *a, struct bt_expr *b)
{
	struct bt_expr *e = arena_new(s->in->arena, struct bt_expr);
	e->kind = kind;
	e->loc = loc;
	e->nkid = b ? 2 : a ? 1 : 0;
	e->kid = arena_array(s->in->arena, struct bt_expr *, 2);
	e->kid[0] = a;
	e->kid[1] = b;
	return e;
}

static struct bt_expr *member(struct bt_sema *s, struct bt_expr *of, const char *path)
{
	char *rest = arena_strdup(s->in->arena, path);
	for (char *name; (name = strsep(&rest, "."));) {
		of = node(s, BT_FIELD, of->loc, of, NULL);
		of->text = name;
	}
	return of;
}

bool bt_foreign_text(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_copy how = {.a = s->in->arena};
	struct type *t = e->kid[0]->type;
	if (t && t->kind == TYPE_PTR)
		t = t->elem;
	for (size_t i = 0; t && t->kind == TYPE_STRUCT && i < ARRAY_SIZE(kinds); i++) {
		if (!has_path(s, t, kinds[i].text) || !has_path(s, t, kinds[i].length))
			continue;
		struct bt_expr *one = node(s, BT_INT, e->loc, NULL, NULL), *of = e->kid[0];
		one->num = 1; /* str() counts the NUL */
		one->was_literal = true;
		struct bt_expr *more = node(s, BT_BINOP, e->loc, member(s, bt_clone_expr(&how, of), kinds[i].length), one);
		more->op = BT_ADD;
		struct bt_expr *size = e->nkid > 1 ? e->kid[1] : more, **kid = arena_array(s->in->arena, struct bt_expr *, 2);
		kid[0] = member(s, of, kinds[i].text);
		kid[1] = size;
		e->kid = kid;
		e->nkid = 2;
		return true;
	}
	return false;
}
