/*
 * stp.h - the door of SystemTap's language, besides `lang_stp` (lang/lang.h).
 */
#pragma once

#include "lang/stp/ast.h"

/* Diagnostics: a parse error is one of pass 1, all others are of pass 2. */
bool stp_is_parse_error(const struct diag *d);
void stp_render(const struct diag *d, struct buf *out, bool colour);
/*
 * stap -l PATTERN and -L PATTERN: one line a probe point that matches, with the variables of its context for
 * -L.  false: nothing matched (in->diags may say why).
 */
bool stp_list(struct lang_input *in, const char *pattern, bool with_variables, struct buf *out);
/* stap --dump-functions: "name:type (arg:type, ...)", one a line, sorted. */
void stp_dump_functions(struct lang_input *in, struct buf *out);
/* stap --dump-probe-types and --dump-probe-aliases: the patterns of probe points; the aliases and what they stand for. */
void stp_dump_probe_types(struct lang_input *in, struct buf *out);
void stp_dump_probe_aliases(struct lang_input *in, struct buf *out);
