/*
 * target.h - paths of members from a $variable, a cast or a typed pointer.
 */
#pragma once

#include "lang/stp/comp.h"

struct stp_step {
	const struct stp_member *comp;
	bool through;	     /* the value so far is a pointer that is followed */
	const struct field *field; /* NULL: index */
	uint32_t offset;
};
struct stp_path {
	const struct field *field; /* of the probe's arguments; NULL: an expression */
	struct type *base, *type;
	struct stp_step *step;
	unsigned nstep;
};
/* false after a diagnostic (or quietly inside @defined). */
bool stp_target_path(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p);
struct type *stp_target_pointee(const struct stp_path *p, const struct stp_expr *e);
struct type *stp_type_by_name(struct stp_comp *c, const char *name);
