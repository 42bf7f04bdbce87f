/* sema.c - types and checks of a whole script. */
#include "lang/bt/sema.h"

bool bt_sema(struct bt_sema *s)
{
	return !s->in->diags->errors;
}

void bt_sema_block(struct bt_sema *s, struct bt_block *b)
{
	(void)s, (void)b;
}
struct diag *bt_err(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct diag *d = diag_error(s->in->diags, loc, "%s", arena_vprintf(s->in->arena, fmt, ap));
	va_end(ap);
	return d;
}
struct diag *bt_warn(struct bt_sema *s, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct diag *d = diag_warn(s->in->diags, loc, "%s", arena_vprintf(s->in->arena, fmt, ap));
	va_end(ap);
	return d;
}
struct var *bt_sema_var(struct bt_sema *s, const char *name)
{
	return strtab_get(&s->vars, name);
}
