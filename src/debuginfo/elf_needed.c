/*
 * elf_needed.c - the libraries that a program is loaded with: DT_NEEDED of its dynamic section, and of theirs, found as the loader finds them
 * (ld.so(8)): in the folders of DT_RUNPATH or DT_RPATH with $ORIGIN, in those of $LD_LIBRARY_PATH, in its cache.
 */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_LIBRARIES = 1024, MAX_ENTRIES = 4096 };

struct dynamic {
	Elf_Data *data;
	GElf_Shdr sh;
};

static bool find_dynamic(Elf *elf, struct dynamic *ret)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));)
		if (gelf_getshdr(scn, &ret->sh) && ret->sh.sh_type == SHT_DYNAMIC && ret->sh.sh_entsize) {
			ret->data = elf_getdata(scn, NULL);
			return ret->data;
		}
	return false;
}

/* The string of the first entry with that tag from *k on, which becomes the one behind it; NULL: there is none. */
static const char *next_string(Elf *elf, const struct dynamic *d, int64_t tag, size_t *k)
{
	size_t n = MIN(d->sh.sh_size / d->sh.sh_entsize, (size_t)MAX_ENTRIES);
	GElf_Dyn dyn;
	while (*k < n && gelf_getdyn(d->data, (int)(*k)++, &dyn) && dyn.d_tag != DT_NULL)
		if (dyn.d_tag == tag)
			return elf_strptr(elf, d->sh.sh_link, dyn.d_un.d_val);
	return NULL;
}

static const char *first_string(Elf *elf, const struct dynamic *d, int64_t tag)
{
	size_t k = 0;
	return next_string(elf, d, tag, &k);
}

static bool is_known(const struct str_list *paths, const char *path)
{
	vec_each(p, &paths->list)
		if (str_eq(*p, path))
			return true;
	return false;
}

/* The first of the folders that has it; NULL: none.  `origin` is where the file lies that names them. */
static const char *find_in(struct world *w, const char *folders, const char *origin, const char *name)
{
	_cleanup_free_ char *list = xstrdup(folders ? folders : "");
	const char *slash = strrchr(origin, '/');
	char *save = NULL;
	for (char *dir = strtok_r(list, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		size_t skip = str_has_prefix(dir, "$ORIGIN") ? 7 : str_has_prefix(dir, "${ORIGIN}") ? 9 : 0;
		const char *path = skip && slash ? arena_printf(w->arena, "%.*s%s/%s", (int)(slash - origin), origin, dir + skip, name)
						 : arena_printf(w->arena, "%s/%s", dir, name);
		if (!access(path, R_OK))
			return path;
	}
	return NULL;
}

/* Folders that a file names for its own libraries (DT_RUNPATH), or for theirs too (DT_RPATH); NULL: none. */
struct folders {
	const char *list, *origin;
	bool is_inherited;
};

static struct folders read_folders(struct elf_file *f, const struct dynamic *d)
{
	const char *own = first_string(f->elf, d, DT_RUNPATH);
	return (struct folders){own ? own : first_string(f->elf, d, DT_RPATH), elf_path(f), !own};
}

static const char *find_needed(struct world *w, const struct folders *own, const struct folders *program, const char *name)
{
	const char *path = strchr(name, '/') ? name : find_in(w, own->list, own->origin, name);
	if (!path && own->is_inherited && program->is_inherited)
		path = find_in(w, program->list, program->origin, name);
	if (!path)
		path = find_in(w, getenv("LD_LIBRARY_PATH"), own->origin, name);
	if (!path)
		path = ldcache_find(w, name, w->arena);
	return path && !access(path, R_OK) ? path : NULL;
}

void elf_needed_by(struct world *w, struct elf_file *f, struct elf_file *program, struct str_list *paths)
{
	struct dynamic d = {0}, of_program = {0};
	const char *name;
	if (!find_dynamic(f->elf, &d) || !find_dynamic(program->elf, &of_program))
		return;
	struct folders own = read_folders(f, &d), inherited = read_folders(program, &of_program);
	for (size_t k = 0; paths->list.len < MAX_LIBRARIES && (name = next_string(f->elf, &d, DT_NEEDED, &k));) {
		const char *path = find_needed(w, &own, &inherited, name);
		if (path && !is_known(paths, path))
			vec_push(&paths->list, arena_strdup(w->arena, path));
	}
}

void elf_needed(struct world *w, const char *path, struct str_list *paths)
{
	struct elf_file *program = NULL, *f;
	const char *at = path;
	for (size_t i = paths->list.len;; i++) {
		struct err *e = elf_open(w, at, &f);
		if (!e && !program)
			program = f;
		if (!e)
			elf_needed_by(w, f, program, paths);
		err_free(e);
		if (i >= paths->list.len)
			return;
		at = paths->list.at[i];
	}
}
