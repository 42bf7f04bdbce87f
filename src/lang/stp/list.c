/* list.c - stap -l and -L, --dump-functions. */
#include "lang/stp/native.h"

bool stp_list(struct lang_input *in, const char *pattern, bool with_variables, struct buf *out)
{
	return false;
}

void stp_dump_functions(struct lang_input *in, struct buf *out)
{
}
