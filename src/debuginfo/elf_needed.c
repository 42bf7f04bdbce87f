/*
 * elf_needed.c - the libraries that a program is loaded with: DT_NEEDED of its dynamic section, and of theirs, found as the loader finds them
 * (ld.so(8)): DT_RPATH or DT_RUNPATH with $ORIGIN, then what elf_resolve_path() knows.
 */
#include "debuginfo/elf_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_LIBRARIES = 4096 };

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

/* The i-th string with that tag; NULL: there is none. */
static const char *dynamic_string(Elf *elf, const struct dynamic *d, int64_t tag, size_t i)
{
	GElf_Dyn dyn;
	for (size_t k = 0; k < d->sh.sh_size / d->sh.sh_entsize && gelf_getdyn(d->data, (int)k, &dyn) && dyn.d_tag != DT_NULL; k++)
		if (dyn.d_tag == tag && i-- == 0)
			return elf_strptr(elf, d->sh.sh_link, dyn.d_un.d_val);
	return NULL;
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

static void add_needed(struct world *w, struct elf_file *f, struct str_list *paths)
{
	struct dynamic d = {0};
	const char *name, *here = elf_path(f);
	if (!find_dynamic(f->elf, &d))
		return;
	const char *folders = dynamic_string(f->elf, &d, DT_RUNPATH, 0);
	if (!folders)
		folders = dynamic_string(f->elf, &d, DT_RPATH, 0);
	for (size_t i = 0; i < MAX_LIBRARIES && (name = dynamic_string(f->elf, &d, DT_NEEDED, i)); i++) {
		struct str_list found = {0};
		const char *path = strchr(name, '/') ? name : find_in(w, folders, here, name);
		if (!path) {
			err_free(elf_resolve_path(w, name, &found));
			path = found.list.len ? found.list.at[0] : NULL;
		}
		vec_free(&found.list);
		if (path && paths->list.len < MAX_LIBRARIES && !is_known(paths, path))
			vec_push(&paths->list, arena_strdup(w->arena, path));
	}
}

void elf_needed(struct world *w, const char *path, struct str_list *paths)
{
	const char *at = path;
	for (size_t i = paths->list.len;; i++) {
		struct elf_file *f;
		struct err *e = elf_open(w, at, &f);
		if (!e)
			add_needed(w, f, paths);
		err_free(e);
		if (i >= paths->list.len)
			return;
		at = paths->list.at[i];
	}
}
