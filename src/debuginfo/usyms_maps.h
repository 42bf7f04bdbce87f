/* usyms_maps.h - the mappings of a process; a child shares its parent's until one of them maps something. */
#pragma once

#include "base/base.h"

struct mapping {
	uint64_t start, end, offset;
	const char *path; /* as the process sees it, not owned; "" for anonymous memory */
	const struct file_id *id; /* not owned; NULL: not known */
	bool is_exec;
};
struct mappings;
/* A new mapping replaces what lay there.  *list NULL: the first one. */
void mappings_add(struct mappings **list, struct mapping m);
const struct mapping *mappings_find(const struct mappings *list, uint64_t addr); /* NULL: none; borrowed */
struct mappings *mappings_ref(struct mappings *list);				 /* NULL is legal, also below */
void mappings_unref(struct mappings *list);
