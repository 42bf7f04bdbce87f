/*
 * import.c - `import "path";`: other files' macros, probes, maps and C definitions become the script's own.
 *
 * A path is looked for beside the file that imports it, in the current folder and in the -I folders.  It names a
 * script (.bt), a header (.h), or a folder with such files.  Nothing of the standard library has to be imported.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lang/bt/ast.h"

enum {
	MAX_IMPORTS = 256,
	MAX_BYTES = 4 << 20
};

struct importer {
	struct lang_input *in;
	struct bt_script *script; /* everything is put together here */
	struct strtab seen;	  /* real paths */
};

static void import_of(struct importer *im, const struct bt_script *from);

static const char *dir_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? arena_strndup(a, path, (size_t)(slash - path + 1)) : "";
}

/* --- putting together -----------------------------------------------------------------------------
 */

#define APPEND_ALL(to, from)                          \
	do {                                          \
		__typeof__(to) *at_ = &(to);          \
		while (*at_)                          \
			at_ = &(*at_)->next;          \
		*at_ = (from);                        \
	} while (0)

static void read_script(struct importer *im, const char *path, struct loc loc)
{
	size_t len;
	char *text = read_file(path, &len);
	if (!text || len > MAX_BYTES) {
		diag_error(im->in->diags, loc, "cannot import %s: %s", path,
			   text ? "it is too large" : strerror(errno));
		base_free(text);
		return;
	}
	struct source *src = arena_new(im->in->arena, struct source);
	*src = (struct source){.name = path, .text = arena_strndup(im->in->arena, text, len), .len = len};
	base_free(text);
	struct lang_input in = *im->in;
	in.src = src;
	struct bt_script *s = bt_parse(&in);
	if (!s)
		return;
	if (s->config_loc.src) {
		diag_error(im->in->diags, s->config_loc, "invalid `config` within import");
		return;
	}
	import_of(im, s); /* what it stands on comes first */
	if (s->cdef) {
		struct bt_cfile *c = arena_new(im->in->arena, struct bt_cfile);
		c->cdef = s->cdef;
		APPEND_ALL(im->script->cfile, c);
	}
	APPEND_ALL(im->script->macro, s->macro);
	APPEND_ALL(im->script->map_decl, s->map_decl);
	APPEND_ALL(im->script->probe, s->probe);
}

static void read_header(struct importer *im, const char *path)
{
	struct bt_cfile *c = arena_new(im->in->arena, struct bt_cfile);
	c->header = path;
	APPEND_ALL(im->script->cfile, c);
}

/* --- files and folders ----------------------------------------------------------------------------
 */

static void read_path(struct importer *im, const char *path, struct loc loc, bool in_folder);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_folder(struct importer *im, const char *path, const struct stat *st, struct loc loc)
{
	VEC(const char *) names = {0};
	const struct dirent *d;
	if (st->st_mode & S_IWOTH) {
		diag_error(im->in->diags, loc,
			   "cowardly refusing to import from a directory with global write permissions");
		return;
	}
	DIR *dir = opendir(path);
	while (dir && (d = readdir(dir)) && names.len < MAX_IMPORTS)
		if (str_has_suffix(d->d_name, ".bt") || str_has_suffix(d->d_name, ".h"))
			vec_push(&names, arena_printf(im->in->arena, "%s/%s", path, d->d_name));
	if (dir)
		closedir(dir);
	if (names.len)
		qsort(names.at, names.len, sizeof(*names.at), by_name);
	vec_each(name, &names)
		read_path(im, *name, loc, true);
	vec_free(&names);
}

static void read_path(struct importer *im, const char *path, struct loc loc, bool in_folder)
{
	struct stat st;
	char *real = realpath(path, NULL);
	const char *kept = real ? arena_strdup(im->in->arena, real) : path;
	free(real);
	if (strtab_get(&im->seen, kept))
		return;
	if (im->seen.entry.len >= MAX_IMPORTS) {
		diag_error(im->in->diags, loc, "more than %d files are imported", MAX_IMPORTS);
		return;
	}
	strtab_set(&im->seen, kept, (void *)path);
	if (stat(path, &st))
		diag_error(im->in->diags, loc, "cannot import %s: %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode) && !in_folder)
		read_folder(im, path, &st, loc);
	else if (str_has_suffix(path, ".bt"))
		read_script(im, path, loc);
	else if (str_has_suffix(path, ".h"))
		read_header(im, path);
	else
		diag_error(im->in->diags, loc,
			   "cannot import %s: spile imports scripts (.bt) and headers (.h), not C code", path);
}

/* The path that an import means, NULL when nothing is there; `tried` gets what was looked at. */
static const char *find(struct importer *im, const struct bt_import *i, struct buf *tried)
{
	struct arena *a = im->in->arena;
	const char *beside = *i->path == '/' ? "" : dir_of(a, i->loc.src->name);
	struct stat st;
	for (unsigned k = 0; k < 2 + im->in->ninclude_dirs; k++) {
		const char *dir = k == 0 ? beside : k == 1 ? "" : im->in->include_dirs[k - 2];
		if (k == 1 && !*beside)
			continue;
		const char *path = k < 2 ? arena_printf(a, "%s%s", dir, i->path)
					 : arena_printf(a, "%s/%s", dir, i->path);
		if (!stat(path, &st))
			return path;
		buf_printf(tried, "%s%s", tried->len ? ", " : "", path);
	}
	return NULL;
}

static void import_of(struct importer *im, const struct bt_script *from)
{
	for (const struct bt_import *i = from->import; i; i = i->next) {
		struct buf tried = {0};
		if (!strcmp(i->path, "stdlib") || str_has_prefix(i->path, "stdlib/"))
			continue; /* built in */
		const char *path = find(im, i, &tried);
		if (path) {
			read_path(im, path, i->loc, false);
		} else {
			struct diag *d = diag_error(im->in->diags, i->loc,
						    "Unable to find suitable path for import");
			diag_hint(im->in->diags, d, "checked: %s", buf_str(&tried));
		}
		buf_free(&tried);
	}
}

void bt_import_all(struct lang_input *in, struct bt_script *s)
{
	struct importer im = {.in = in, .script = s};
	/* a script without a world (in tests) has no files */
	if (s->import && in->world && !*in->world->root)
		import_of(&im, s);
	strtab_free(&im.seen);
}
