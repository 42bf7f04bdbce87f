/*
 * Goldens of the IR: every tests/ir/DIR/NAME.ir is three parts split by lines of `---`: what is
 * shown and `passes: a,b` (`none`: only read; no such line: DIR names the pass), IR, and the IR
 * that must come out, or the diagnostics.  `ir_golden_test ROOT [--bless]`.  What comes out is also
 * read and printed again.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/program.h"
#include "test.h"

struct golden {
	char *path, *text;
	const char *part[3];
	char *passes; /* "": none */
};

static void print_all(const struct program *p, struct buf *out)
{
	for (size_t i = 0; i < p->fn.len; i++)
		ir_print(p->fn.at[i], out);
}

/* Reads `text`, runs passes ("": none) and prints what there is then, or what was wrong. */
static bool process(const char *text, const char *passes, struct buf *out)
{
	struct arena *a = arena_create();
	struct program *p = program_new(a, "test");
	struct diags diags;
	diags_init(&diags, a);
	struct source src = {"golden", text, strlen(text)};
	bool ok = ir_parse(p, &src, &diags);
	for (size_t i = 0; i < p->fn.len && ok; i++)
		if (*passes)
			ir_optimize(p->fn.at[i], strcmp(passes, "all") ? passes : NULL, NULL, NULL);
	if (ok)
		print_all(p, out);
	for (size_t i = 0; i < diags.list.len; i++) {
		struct line_col at = source_line_col(&src, diags.list.at[i].loc.begin);
		buf_printf(out, "%u:%u: %s\n", at.line, at.col, diags.list.at[i].msg);
	}
	diags_free(&diags);
	program_free(p);
	arena_destroy(a);
	return ok;
}

/* The maps that the input declares, so that the output can be read without it. */
static void add_maps(const char *text, struct buf *out)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (str_has_prefix(line, "map "))
			buf_add(out, line, strcspn(line, "\n") + 1);
}

static void check_round_trip(const struct golden *g, const char *printed)
{
	struct buf again = {0}, source = {0};
	add_maps(g->part[1], &source);
	buf_puts(&source, printed);
	CHECK(process(buf_str(&source), "", &again));
	CHECK_STR(buf_str(&again), printed);
	buf_free(&again);
	buf_free(&source);
}

static bool split(struct golden *g)
{
	char *at = g->text;
	for (int i = 0; i < 3; i++) {
		g->part[i] = at;
		char *end = strstr(at, "---\n");
		if (i == 2)
			break;
		if (!end)
			return false;
		*end = 0;
		at = end + 4;
	}
	const char *passes = strstr(g->part[0], "passes: ");
	if (passes) {
		base_free(g->passes);
		g->passes = xstrndup(passes + 8, strcspn(passes + 8, "\n"));
	}
	if (!strcmp(g->passes, "none"))
		g->passes[0] = 0;
	return true;
}

static void bless(const struct golden *g, const char *got)
{
	FILE *f = fopen(g->path, "w");
	if (!f)
		return;
	fprintf(f, "%s---\n%s---\n%s", g->part[0], g->part[1], got);
	fclose(f);
}

static void run(struct golden *g, bool blessing)
{
	struct buf got = {0};
	if (!split(g)) {
		printf("%s: not three parts\n", g->path);
		CHECK(false);
		return;
	}
	bool ok = process(g->part[1], g->passes, &got);
	if (blessing)
		bless(g, buf_str(&got));
	else if (strcmp(buf_str(&got), g->part[2]))
		printf("%s differs:\n", g->path);
	if (!blessing)
		CHECK_STR(buf_str(&got), g->part[2]);
	if (ok)
		check_round_trip(g, buf_str(&got));
	buf_free(&got);
}

static void run_dir(const char *root, const char *pass, bool blessing)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", root, pass);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (!str_has_suffix(e->d_name, ".ir"))
			continue;
		struct golden g = {.path = xasprintf("%s/%s", path, e->d_name)};
		g.passes = xstrdup(pass);
		g.text = read_file(g.path, NULL);
		CHECK(g.text);
		if (g.text)
			run(&g, blessing);
		base_free(g.passes);
		base_free(g.text);
		base_free(g.path);
	}
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	bool blessing = argc > 2 && !strcmp(argv[2], "--bless");
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	CHECK(d);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			run_dir(argv[1], e->d_name, blessing);
	if (d)
		closedir(d);
	CHECK(checks_passed > 20); /* there were goldens at all */
	return test_end();
}
