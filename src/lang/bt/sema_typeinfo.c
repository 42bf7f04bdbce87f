/*
 * sema_typeinfo.c - typeinfo(T), typeinfo(e): a type as a record of texts.
 *
 * Fields of it are constants as soon as the type cannot change any more, so that `comptime` can ask for them.
 */
#include "lang/bt/lower.h"

enum {
	BTF_ID,
	BASE_TYPE,
	FULL_TYPE,
	FIELDS
};
static const char *names[FIELDS] = {"btf_id", "base_type", "full_type"};

struct bt_typeinfo {
	const char *text[FIELDS]; /* of the texts */
	bool is_settled;
};

static struct bt_typeinfo *describe(struct bt_sema *s, struct bt_expr *e, const struct type *t)
{
	struct bt_typeinfo *i = arena_new(s->in->arena, struct bt_typeinfo);
	struct buf full = {0};
	type_spell(t, &full);
	i->text[BASE_TYPE] = bt_kind_word(t);
	i->text[FULL_TYPE] = arena_strdup(s->in->arena, buf_str(&full));
	buf_free(&full);
	i->is_settled = s->final || (e->type_name && !e->type_name->typeof_expr);
	return i;
}

bool bt_may_use(struct bt_sema *s, unsigned feature, const char *name, struct loc loc)
{
	if (s->script->unstable[feature] != BT_FORBIDDEN)
		return true;
	bt_err(s, loc,
	       "%s feature is not enabled by default. To enable this unstable feature, set the "
	       "config flag to enable. unstable_%s=enable",
	       name, name);
	return false;
}

struct type *bt_sema_typeinfo(struct bt_sema *s, struct bt_expr *e)
{
	struct bt_type_name as_name = {.loc = e->loc, .typeof_expr = e->nkid ? e->kid[0] : NULL};
	if (!bt_may_use(s, BT_UNSTABLE_TYPEINFO, "typeinfo", e->loc))
		return NULL;
	const struct type *t = bt_resolve_type(s, e->type_name ? e->type_name : &as_name);
	if (!t)
		return NULL;
	struct bt_typeinfo *i = e->data = describe(s, e, t);
	struct type *elem[FIELDS] = {&type_uint64};
	for (unsigned k = BASE_TYPE; k < FIELDS; k++)
		elem[k] = type_str(s->in->arena, (uint32_t)strlen(i->text[k]) + 1);
	struct type *record = type_tuple(s->in->arena, elem, names, FIELDS);
	return bt_type_same(e->type, record) ? e->type : record;
}

bool bt_fold_typeinfo(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_typeinfo *i = e->kid[0]->kind == BT_TYPEINFO ? e->kid[0]->data : NULL;
	if (!i || !i->is_settled)
		return false;
	for (unsigned k = 0; k < FIELDS; k++) {
		if (strcmp(e->text, names[k]))
			continue;
		if (i->text[k])
			bt_make_str(e, i->text[k], (uint32_t)strlen(i->text[k]));
		else
			bt_make_int(e, 0, false);
		return true;
	}
	return false;
}

ir_ref bt_lower_typeinfo(struct bt_lower *l, struct bt_expr *e)
{
	struct kit *k = &l->kit;
	const struct bt_typeinfo *i = e->data;
	ir_ref dst = kit_mem_zero(k, type_mem_size(e->type));
	for (unsigned n = BASE_TYPE; n < FIELDS; n++) {
		const struct field *f = &e->type->field[n];
		kit_copy(k, ir_bini(&k->b, IR_ADD, dst, f->offset),
			 kit_str_literal(k, i->text[n], (uint32_t)strlen(i->text[n]), f->type->size),
			 f->type->size);
	}
	return dst;
}
