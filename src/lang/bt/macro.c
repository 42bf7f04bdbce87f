/* macro.c - names that stand for other text: #define of the C part, macros of the script. */
#include "lang/bt/sema.h"

void bt_expand_macros(struct bt_sema *s)
{
	(void)s;
}
