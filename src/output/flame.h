/*
 * flame.h - flame graphs: what `--flame FILE.svg[,icicle][,map=@NAME][,diff=BEFORE.folded]` asks for.
 */
#pragma once

#include "output/samples.h"

struct flame_options {
	const char *path;
	const char *map;    /* only this variable; NULL: every one whose key holds a stack */
	const char *before; /* folded stacks that it is compared with, NULL */
	bool icicle;        /* the root at the top */
};
/* Takes the option's text apart; strings go to the arena. */
struct err *flame_parse(const char *text, struct arena *a, struct flame_options *ret);

/* flame.c: one picture.  `before`: what it is compared with, or NULL. */
void flame_svg(const struct samples *s, const struct samples *before, const struct flame_options *opt,
	       struct buf *out);

/*
 * flame_file.c: the pictures of a run.  Files are made at once, so that a name that cannot be written is an error before anything is
 * traced: FILE.svg for one variable, FILE-NAME.svg for each of several.  They are filled by flames_finish() from what each variable held
 * when it was last shown.
 */
struct flames;
struct err *flames_open(const struct flame_options *opt, const struct program *prog, struct flames **ret);
void flames_var(struct flames *f, struct exporter *x, const struct var *v, struct map_rows *rows);
struct err *flames_finish(struct flames *f); /* writes, closes and frees */

/* Folded stacks ("a;b;c 42" a line) as samples; lines that are none are skipped.  Public for tests and fuzzing. */
void samples_read_folded(const char *text, size_t n, struct samples *ret);
