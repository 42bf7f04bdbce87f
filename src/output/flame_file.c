/* flame_file.c - the option --flame, the files it names, and the profile that a picture is compared with. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "output/flame.h"

struct flame {
	const struct var *var;
	char *path;
	int fd;
	struct samples samples; /* arena NULL: never shown */
};
struct flames {
	struct flame_options opt;
	struct samples before;
	VEC(struct flame) flame;
};

struct err *flame_parse(const char *text, struct arena *a, struct flame_options *ret)
{
	char *rest = arena_strdup(a, text), *word = strsep(&rest, ",");

	*ret = (struct flame_options){.path = word};
	while ((word = strsep(&rest, ","))) {
		if (str_eq(word, "icicle"))
			ret->icicle = true;
		else if (str_has_prefix(word, "map="))
			ret->map = word + 4;
		else if (str_has_prefix(word, "diff="))
			ret->before = word + 5;
		else
			return err_new(0, "--flame takes FILE.svg[,icicle][,map=@NAME][,diff=BEFORE.folded], not '%s'", word);
	}
	return *ret->path ? NULL : err_new(0, "--flame needs the name of a file");
}

/* --- folded stacks ---------------------------------------------------------------- */

static void read_line(char *line, struct samples *ret)
{
	char *count = strrchr(line, ' '), *end;
	uint32_t first = (uint32_t)ret->frame.len;
	long long value;

	if (!count || count == line)
		return;
	*count++ = 0;
	errno = 0;
	value = strtoll(count, &end, 10);
	if (errno || end == count || *end)
		return;
	for (char *name; (name = strsep(&line, ";"));) {
		bool is_kernel = str_has_suffix(name, "_[k]"), is_inlined = str_has_suffix(name, "_[i]");

		if (is_kernel || is_inlined)
			name[strlen(name) - 4] = 0;
		vec_push(&ret->frame, ((struct sample_frame){.origin = is_kernel ? FRAME_KERNEL : FRAME_USER,
							     .name = name,
							     .is_inlined = is_inlined}));
	}
	vec_push(&ret->sample, ((struct sample){.first = first, .n = (uint32_t)ret->frame.len - first, .value = value}));
}

void samples_read_folded(const char *text, size_t n, struct samples *ret)
{
	char *copy, *line;

	*ret = (struct samples){.arena = arena_create(), .name = "before"};
	copy = arena_strndup(ret->arena, text, n);
	while ((line = strsep(&copy, "\n")))
		read_line(line, ret);
}

/* Folded stacks do not say what is a label: frames are compared by name alone then. */
static void forget_origins(struct samples *s)
{
	vec_each(f, &s->frame)
		if (f->origin == FRAME_LABEL)
			f->origin = FRAME_USER;
}

static struct err *read_before(struct flames *f)
{
	_cleanup_free_ char *text = NULL;
	size_t n;

	if (!f->opt.before)
		return NULL;
	text = read_file(f->opt.before, &n);
	if (!text)
		return err_errno("reading %s", f->opt.before);
	samples_read_folded(text, n, &f->before);
	return f->before.sample.len ? NULL : err_new(0, "%s holds no folded stacks", f->opt.before);
}

/* --- files ------------------------------------------------------------------------ */

/* "out.svg" and "@hot" give "out-hot.svg". */
static char *path_for(const char *path, const char *var, bool is_only)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	size_t stem = dot && dot > (slash ? slash : path) ? (size_t)(dot - path) : strlen(path);

	if (is_only)
		return xstrdup(path);
	var += *var == '@';
	return xasprintf("%.*s-%s%s", (int)stem, path, *var ? var : "map", path + stem);
}

static void discard(struct flames *f)
{
	vec_each(one, &f->flame) {
		if (one->fd >= 0)
			close(one->fd);
		if (one->samples.arena)
			samples_free(&one->samples);
		free(one->path);
	}
	vec_free(&f->flame);
	if (f->before.arena)
		samples_free(&f->before);
	free(f);
}

static struct err *open_files(struct flames *f, const struct program *prog)
{
	unsigned n = 0;

	vec_each(v, &prog->var)
		n += samples_are_in(*v) && (!f->opt.map || str_eq(f->opt.map, (*v)->name));
	if (!n && f->opt.map)
		return err_new(0, "--flame: %s is no map whose key holds a stack", f->opt.map);
	if (!n)
		return err_new(0, "--flame: the script has no map whose key holds a stack, such as @[ustack] = count()");
	vec_each(v, &prog->var) {
		struct flame one = {.var = *v};

		if (!samples_are_in(*v) || (f->opt.map && !str_eq(f->opt.map, (*v)->name)))
			continue;
		one.path = path_for(f->opt.path, (*v)->name, n == 1);
		one.fd = open(one.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		vec_push(&f->flame, one);
		if (one.fd < 0)
			return err_errno("writing %s", one.path);
	}
	return NULL;
}

struct err *flames_open(const struct flame_options *opt, const struct program *prog, struct flames **ret)
{
	struct flames *f = xcalloc(1, sizeof(*f));
	struct err *e;

	f->opt = *opt;
	e = read_before(f);
	if (!e)
		e = open_files(f, prog);
	if (e) {
		discard(f);
		return e;
	}
	*ret = f;
	return NULL;
}

void flames_var(struct flames *f, struct exporter *x, const struct var *v, struct map_rows *rows)
{
	vec_each(one, &f->flame) {
		if (one->var != v || !rows->row.len)
			continue;
		if (one->samples.arena)
			samples_free(&one->samples);
		samples_make(x, v, rows, 0, 1, &one->samples);
		if (f->before.arena)
			forget_origins(&one->samples);
	}
}

static struct err *write_file(const char *path, int fd, const struct buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno != EINTR)
			return err_errno("writing %s", path);
		done += n > 0 ? (size_t)n : 0;
	}
	return NULL;
}

struct err *flames_finish(struct flames *f)
{
	struct err *first = NULL;

	vec_each(one, &f->flame) {
		struct samples none = {.name = one->var->name};
		struct buf svg = {0};
		struct err *e;

		flame_svg(one->samples.arena ? &one->samples : &none, f->before.arena ? &f->before : NULL, &f->opt, &svg);
		e = write_file(one->path, one->fd, &svg);
		buf_free(&svg);
		if (first)
			err_free(e);
		else
			first = e;
	}
	discard(f);
	return first;
}
