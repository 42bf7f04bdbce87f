/* config.c - the config block and the environment. */
#include "lang/bt/ast.h"

void bt_config(struct lang_input *in, const struct bt_script *s, struct program_options *opt)
{
	(void)in, (void)s, (void)opt;
}
