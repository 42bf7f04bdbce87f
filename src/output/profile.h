/* profile.h - inside output/: exporters that write one document at the end (pprof, speedscope). */
#pragma once

#include "output/samples.h"

struct profile {
	VEC(struct samples) map;
	struct strtab strings; /* text -> its number, from 1, in order of first use */
	struct strtab frames;  /* a frame's identity -> its number, from 1 */
	struct strtab functions; /* pprof: name and file of a function -> its number, from 1 */
};
/* exporter_ops.begin and .var; .finish writes x->priv; .destroy is profile_free(). */
void profile_begin(struct exporter *x);
void profile_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		 bool at_exit);
void profile_free(struct exporter *x);
uint32_t profile_intern(struct profile *p, const char *s);
uint32_t profile_frame(struct profile *p, const struct sample_frame *f, bool *is_new);
