/* elf_path.c - from the way a probe names a binary to files. */
#include "debuginfo/internal.h"
#include "debuginfo/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool has_glob(const char *s)
{
	return strpbrk(s, "*?[");
}

static bool is_elf(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char head[4];
	return fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && read(fd, head, 4) == 4 &&
	       !memcmp(head, "\177ELF", 4);
}

static void add_path(struct world *w, struct str_list *paths, const char *path)
{
	vec_each(p, &paths->list)
		if (!strcmp(*p, path))
			return;
	vec_push(&paths->list, arena_strdup(w->arena, path));
}

/* "" when the process sees the same files as we do. */
static const char *pid_root(struct world *w)
{
	struct stat ours, theirs;
	if (!w->pid || stat("/proc/self/ns/mnt", &ours))
		return "";
	_cleanup_free_ char *ns = xasprintf("/proc/%d/ns/mnt", w->pid);
	if (stat(ns, &theirs) || (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino))
		return "";
	return arena_printf(w->arena, "/proc/%d/root", w->pid);
}

static void add_globbed(struct world *w, const char *pattern, struct str_list *paths)
{
	glob_t g;
	if (!glob(pattern, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (is_elf(g.gl_pathv[i]))
				add_path(w, paths, g.gl_pathv[i]);
	globfree(&g);
}

static void add_file(struct world *w, const char *path, struct str_list *paths)
{
	if (has_glob(path))
		add_globbed(w, path, paths);
	else if (!access(path, R_OK))
		add_path(w, paths, path);
}

/* As the shell: the first folder of $PATH that has it.  With a pattern all that match. */
static void search_path(struct world *w, const char *root, const char *name, struct str_list *paths)
{
	const char *env = getenv("PATH");
	_cleanup_free_ char *list = xstrdup(env ? env : "/usr/local/bin:/usr/bin:/bin");
	char *save = NULL;
	for (char *dir = strtok_r(list, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		_cleanup_free_ char *path = xasprintf("%s%s/%s", root, dir, name);
		if (has_glob(name))
			add_globbed(w, path, paths);
		else if (!access(path, X_OK) && is_elf(path)) {
			add_path(w, paths, path);
			return;
		}
	}
}

static char *next_field(char **s)
{
	while (**s == ' ')
		++*s;
	char *field = *s;
	*s += strcspn(*s, " ");
	if (**s)
		*(*s)++ = 0;
	return field;
}

/* "start-end perms offset dev inode   path" */
bool parse_map_line(char *line, struct map_line *ret)
{
	line[strcspn(line, "\n")] = 0;
	char *range = next_field(&line), *perms = next_field(&line), *offset = next_field(&line);
	char *dev = next_field(&line), *inode = next_field(&line);
	line += strspn(line, " ");
	char *end = NULL;
	ret->start = strtoull(range, &end, 16);
	if (end == range || *end != '-' || strlen(perms) < 4)
		return false;
	ret->end = strtoull(end + 1, NULL, 16);
	ret->offset = strtoull(offset, NULL, 16);
	ret->dev = makedev((unsigned)strtoul(dev, &end, 16), *end == ':' ? (unsigned)strtoul(end + 1, NULL, 16) : 0);
	ret->inode = strtoull(inode, NULL, 10);
	ret->is_exec = perms[2] == 'x';
	ret->path = line;
	return ret->start < ret->end;
}

/* Calls back for the files mapped as code into the traced process. */
static void each_mapped(struct world *w, const char *root, bool (*want)(const char *, const char *),
			const char *arg, struct str_list *paths)
{
	_cleanup_free_ char *maps = xasprintf("/proc/%d/maps", w->pid);
	_cleanup_free_ char *text = read_file(maps, NULL);
	char *save = NULL;
	for (char *s = text ? strtok_r(text, "\n", &save) : NULL; s;
	     s = strtok_r(NULL, "\n", &save)) {
		struct map_line m;
		if (!parse_map_line(s, &m) || !m.is_exec || *m.path != '/' || !want(m.path, arg))
			continue;
		_cleanup_free_ char *path = xasprintf("%s%s", root, m.path);
		if (!access(path, R_OK))
			add_path(w, paths, path);
	}
}

static bool any(const char *path, const char *arg)
{
	return true;
}

/* libNAME.so..., libNAME-2.31.so */
static bool is_library(const char *path, const char *name)
{
	const char *base = strrchr(path, '/') + 1;
	size_t n = strlen(name);
	return !strncmp(base, name, n) && (!base[n] || base[n] == '.' || base[n] == '-');
}

/* As the dynamic loader: $LD_LIBRARY_PATH, then its cache. */
static void find_library(struct world *w, const char *root, const char *name,
			 struct str_list *paths)
{
	if (w->pid)
		each_mapped(w, root, is_library, name, paths);
	if (paths->list.len || *root)
		return;
	const char *env = getenv("LD_LIBRARY_PATH");
	_cleanup_free_ char *list = xstrdup(env ? env : "");
	char *save = NULL;
	for (char *dir = strtok_r(list, ":", &save); dir && !paths->list.len;
	     dir = strtok_r(NULL, ":", &save)) {
		glob_t g;
		_cleanup_free_ char *pattern = xasprintf("%s/%s%s", dir, name, strstr(name, ".so") ? "" : ".so*");
		if (!glob(pattern, 0, NULL, &g) && is_elf(g.gl_pathv[0]))
			add_path(w, paths, g.gl_pathv[0]); /* the others are links to the same */
		globfree(&g);
	}
	const char *found = paths->list.len ? NULL : ldcache_find(w, name, w->arena);
	if (found && !access(found, R_OK))
		add_path(w, paths, found);
}

static bool is_named(const char *path, const char *name)
{
	return !strcmp(strrchr(path, '/') + 1, name);
}

/* Programs of that name that run now, wherever their files are: servers often stand in no folder of $PATH. */
static void find_running(struct world *w, const char *name, struct str_list *paths)
{
	glob_t g;
	if (glob("/proc/[0-9]*/exe", GLOB_NOSORT, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char path[4096];
		ssize_t n = readlink(g.gl_pathv[i], path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = 0;
		if (*path == '/' && is_named(path, name) && is_elf(path))
			add_path(w, paths, path);
	}
	globfree(&g);
}

/* A name without folders: a file that the traced process maps, a program of $PATH, of the current folder, or one that runs. */
static void find_bare(struct world *w, const char *root, const char *name, struct str_list *paths)
{
	size_t before = paths->list.len;
	if (str_has_prefix(name, "lib") && !has_glob(name))
		find_library(w, root, name, paths);
	if (w->pid && paths->list.len == before)
		each_mapped(w, root, is_named, name, paths);
	if (paths->list.len == before)
		search_path(w, root, name, paths);
	if (paths->list.len == before && is_elf(name))
		add_path(w, paths, name);
	if (paths->list.len == before && !*root)
		find_running(w, name, paths);
}

struct err *elf_resolve_path(struct world *w, const char *spec, struct str_list *paths)
{
	const char *root = pid_root(w);
	size_t before = paths->list.len;
	if (!*spec)
		return err_new(EINVAL, "no file is named");
	if (!strcmp(spec, "*") && w->pid) {
		each_mapped(w, root, any, NULL, paths);
	} else if (zip_container(spec)) {
		struct elf_file *f;
		_cleanup_free_ char *path = xasprintf("%s%s", *spec == '/' ? root : "", spec);
		struct err *e = elf_open(w, path, &f);
		if (e)
			return e;
		add_path(w, paths, path);
	} else if (strchr(spec, '/')) {
		_cleanup_free_ char *path = xasprintf("%s%s", *spec == '/' ? root : "", spec);
		add_file(w, path, paths);
	} else {
		find_bare(w, root, spec, paths);
	}
	if (paths->list.len > before)
		return NULL;
	return err_new(ENOENT, "'%s' does not exist or is not executable", spec);
}
