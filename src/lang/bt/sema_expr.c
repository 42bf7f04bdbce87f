/* sema_expr.c - the type of one expression. */
#include "lang/bt/sema.h"

struct type *bt_sema_expr(struct bt_sema *s, struct bt_expr *e)
{
	(void)s;
	return e->type;
}
bool bt_const_int(const struct bt_expr *e, int64_t *v_ret)
{
	*v_ret = (int64_t)e->num;
	return e->kind == BT_INT || e->kind == BT_BOOL;
}
bool bt_const_str(const struct bt_expr *e, const char **text_ret, uint32_t *len_ret)
{
	*text_ret = e->text;
	*len_ret = e->len;
	return e->kind == BT_STRING;
}
