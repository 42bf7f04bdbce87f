/* pp.h - inside the preprocessor. */
#pragma once

#include "lang/stp/ast.h"

/* pp_condition.c: whether `l op r` holds; complains of what cannot be compared, and says no then. */
bool stp_condition(struct stp_reader *reader, struct stp_tok l, struct stp_tok op, struct stp_tok r);
bool stp_is_relation(const struct stp_tok *t);
