/* stp_absent.c - stands in for lang/stp until that room lands; the archive's earlier definition
 * wins.  To be removed. */
#include "lang/lang.h"

static struct program *compile(struct lang_input *in)
{
	diag_error(in->diags, (struct loc){0}, "SystemTap's language is not here yet");
	return NULL;
}

static void render(const struct diag *d, struct buf *out, bool colour)
{
	buf_printf(out, "ERROR: %s\n", d->msg);
}

static int looks_like(const char *name, const char *text)
{
	return name && str_has_suffix(name, ".stp") ? 100 : 0;
}

const struct lang lang_stp = {"stap", compile, render, looks_like};
