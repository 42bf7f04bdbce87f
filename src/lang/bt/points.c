/* points.c - attach points as bpftrace spells them. */
#include "lang/bt/parse.h"

void bt_points(struct lang_input *in, struct bt_script *s)
{
	(void)in;
	(void)s;
}
