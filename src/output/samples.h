/*
 * samples.h - inside output/: a map whose key holds a stack, as weighted samples.  What folded stacks, pprof, speedscope and
 * flame graphs are made of.
 */
#pragma once

#include "output/parts.h"

enum frame_origin {
	FRAME_LABEL, /* a part of the key that is no stack: comm, pid, ... */
	FRAME_USER,
	FRAME_KERNEL
};
struct sample_frame {
	enum frame_origin origin;
	const char *name;   /* never NULL: an address in hexadecimal when it has no symbol */
	const char *module; /* NULL: unknown, or the kernel itself */
	const char *file;   /* source, NULL */
	unsigned line;
	uint64_t ip;
	bool is_inlined; /* into the frame before it, at the same address */
};
struct sample {
	uint32_t first, n; /* in `frame`: labels, then the outermost user frame ... the innermost kernel frame */
	int64_t value;
};
struct samples {
	struct arena *arena;
	const char *name; /* of the variable */
	VEC(struct sample_frame) frame;
	VEC(struct sample) sample; /* as print() sorts them */
};

bool samples_are_in(const struct var *v); /* its key is or holds a stack */
void samples_make(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		  struct samples *ret);
void samples_free(struct samples *s);

/* aside.c: what exporters of stacks do with everything else that a script prints: text, to stderr. */
void aside_event(struct exporter *x, const struct action *act, const struct value *args, unsigned n,
		 const char *text, size_t len);
void aside_attached(struct exporter *x, unsigned n);
void aside_lost(struct exporter *x, uint64_t n, const char *what);
void aside_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
	       bool at_exit);
