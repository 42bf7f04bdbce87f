/* cdef.c - the C part of a script. */
#include "lang/bt/ast.h"

struct bt_cdefs {
	struct strtab types;
};

struct bt_cdefs *bt_cdefs_read(struct lang_input *in, const struct bt_script *s)
{
	(void)s;
	return arena_new(in->arena, struct bt_cdefs);
}

struct type *bt_type_by_name(struct lang_input *in, struct bt_cdefs *c, const char *name)
{
	(void)in;
	return strtab_get(&c->types, name);
}

bool bt_cdef_macro(const struct bt_cdefs *c, const char *name, const char **text_ret)
{
	(void)c, (void)name, (void)text_ret;
	return false;
}

bool bt_cdef_enumerator(struct lang_input *in, struct bt_cdefs *c, const char *name, int64_t *v,
			struct type **enum_ret)
{
	(void)in, (void)c, (void)name, (void)v, (void)enum_ret;
	return false;
}
