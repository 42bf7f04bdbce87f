/*
 * target.h - paths of members from a $variable, a cast or a typed pointer.
 */
#pragma once

#include <stdlib.h>

#include "lang/kit.h"
#include "lang/stp/comp.h"

struct stp_step {
	const struct stp_member *comp;
	bool through;	     /* the value so far is a pointer that is followed */
	const struct field *field; /* NULL: index */
	uint32_t offset;
};
struct stp_path {
	const struct field *field; /* of the probe's arguments; NULL: an expression */
	const struct dwarf_var *var; /* from debug information */
	struct elf_file *program;    /* NULL: var is of the probe's own file */
	unsigned mark_arg;	     /* argument of a mark, from 1 */
	bool is_verdict;	     /* what becomes of a packet */
	bool bad;		     /* cannot be read, and is 0 by --skip-badvars */
	struct type *base, *type;
	struct stp_step *step;
	unsigned nstep;
};
/* false after a diagnostic (or quietly inside @defined). */
bool stp_target_path(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p);
struct type *stp_target_pointee(const struct stp_path *p, const struct stp_expr *e);
struct type *stp_type_by_name(struct stp_comp *c, struct btf *btf, const char *name); /* btf may be NULL: nothing is found */
/* debug_vars.c: fills p for a $variable or @var; false: there is none of that name, or *failed after a diagnostic. */
bool stp_debug_variable(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p, bool *failed);
void stp_no_debug_variable(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, const char *name);
const struct dwarf_var *stp_return_variable(struct stp_comp *c, struct stp_dprobe *dp); /* NULL: void, or not known */
struct probe_args *stp_debug_variables(struct stp_comp *c, struct stp_dprobe *dp); /* NULL: nothing is known */
/* enums.c: the value of @enum; false: there is none of that name */
bool stp_enumerator(struct stp_comp *c, const struct stp_dprobe *dp, const struct stp_expr *e, int64_t *ret);
struct type *stp_enum_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e); /* of @enumname; NULL */
uint32_t stp_enum_cap(const struct type *t); /* bytes of its longest name, or of a number */
/* The type that @cast names: in its module, in the probe's program, in the kernel. */
struct type *stp_cast_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e);
