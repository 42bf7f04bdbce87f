/* folder.c - the user's own tapset: what lies in the folders that -I names. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lang/stp/comp.h"

#define MAX_FILES 1000

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef void taker(void *arg, struct source *src);

static void read_one(struct lang_input *in, const char *path, taker *take, void *arg)
{
	char *text = read_file(path, NULL);
	if (!text) {
		diag_error(in->diags, (struct loc){0}, "tapset file %s: %s", path, strerror(errno));
		return;
	}
	struct source *src = arena_new(in->arena, struct source);
	*src = (struct source){.name = path, .text = arena_strdup(in->arena, text), .len = strlen(text)};
	free(text);
	take(arg, src);
}

/* `take` gets each file of the folder whose name ends in `suffix`, in the order of their names. */
static void read_folder(struct lang_input *in, const char *path, const char *suffix, taker *take, void *arg)
{
	VEC(const char *) names = {0};
	DIR *dir = opendir(path);
	if (!dir) {
		diag_error(in->diags, (struct loc){0}, "tapset folder %s: %s", path, strerror(errno));
		return;
	}
	for (struct dirent *d; names.len < MAX_FILES && (d = readdir(dir));)
		if (*d->d_name != '.' && str_has_suffix(d->d_name, suffix))
			vec_push(&names, arena_printf(in->arena, "%s/%s", path, d->d_name));
	closedir(dir);
	if (names.len)
		qsort(names.at, names.len, sizeof(*names.at), by_name);
	vec_each(name, &names)
		read_one(in, *name, take, arg);
	vec_free(&names);
}

static void take_macros(void *arg, struct source *src)
{
	struct stp_reader *user = arg;
	struct stp_reader r = {.in = user->in, .src = src, .is_tapset = true, .macros = user->macros, .has_library = user->has_library};
	stp_parse(&r);
	user->macros = r.macros;
	user->has_library = r.has_library;
}

static void take_script(void *arg, struct source *src)
{
	stp_add_tapset(arg, src->name, src->text);
}

void stp_read_folder_macros(struct stp_reader *user)
{
	for (unsigned i = 0; i < user->in->ninclude_dirs; i++)
		read_folder(user->in, user->in->include_dirs[i], ".stpm", take_macros, user);
}

void stp_read_folders(struct stp_comp *c)
{
	struct stp_reader r = {.in = c->in, .is_tapset = true, .macros = c->tapset_macros};
	stp_read_folder_macros(&r);
	c->tapset_macros = r.macros;
	for (unsigned i = 0; i < c->in->ninclude_dirs; i++)
		read_folder(c->in, c->in->include_dirs[i], ".stp", take_script, c);
}
