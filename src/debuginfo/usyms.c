/*
 * usyms.c - names of user-space addresses.
 *
 * Mappings of a process are read while it lives and kept when it has gone, so that a stack that is
 * printed later still has names.  ELF files are opened when the first address in them is asked for,
 * except those that only the process itself can reach (another mount namespace), which are opened
 * at once.
 */
#include "debuginfo/internal.h"

#include "debuginfo/perf_map.h"
#include "debuginfo/usyms_maps.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

struct proc {
	uint32_t pid;
	struct mappings *maps;
	VEC(struct mapping) former; /* code of files that others have replaced since: dlclose(3), dlopen(3) */
	bool is_known;           /* its mappings were read, or are all told since its exec */
	const char *root;        /* "/proc/PID/root" when it sees other files than we do */
	struct perf_map *jit;
	unsigned misses; /* addresses without a mapping since the last reading */
};

enum {
	MAX_FORMER = 256 /* mappings of a process that others have replaced */
};

/* A file, and which one it was when it was opened. */
struct opened {
	struct elf_file *file;
	uint64_t dev, inode;
};

struct usyms {
	struct world *world;
	struct arena *arena; /* paths */
	struct strtab paths; /* the one copy of each path */
	struct strtab ids;   /* and of each file's identity */
	struct numtab procs;
	struct strtab missing; /* files that could not be opened */
	struct stat ns; /* our own mount namespace, once it was looked at */
	struct strtab by_path, by_id; /* and those that could: struct opened */
	struct elf_file *vdso;
	bool has_vdso;
};

struct usyms *usyms_create(struct world *w)
{
	struct usyms *u = xcalloc(1, sizeof(*u));
	u->world = w;
	u->arena = arena_create();
	return u;
}

void usyms_destroy(struct usyms *u)
{
	if (!u)
		return;
	vec_each(e, &u->procs.entry) {
		struct proc *p = e->value;
		if (!p)
			continue;
		perf_map_free(p->jit);
		vec_free(&p->former);
		mappings_unref(p->maps);
		free(p);
	}
	numtab_free(&u->procs);
	strtab_free(&u->paths);
	strtab_free(&u->ids);
	strtab_free(&u->missing);
	strtab_free(&u->by_path);
	strtab_free(&u->by_id);
	arena_destroy(u->arena);
	free(u);
}

static const char *intern(struct usyms *u, const char *path)
{
	char *copy = strtab_get(&u->paths, path);
	if (!copy) {
		copy = arena_strdup(u->arena, path);
		strtab_set(&u->paths, path, copy);
	}
	return copy;
}

static const struct file_id *intern_id(struct usyms *u, const struct file_id *id)
{
	if (!id || (!id->inode && !id->build_id_len))
		return NULL;
	struct file_id *copy = strtab_getn(&u->ids, (const char *)id, sizeof(*id));
	if (!copy) {
		copy = arena_memdup(u->arena, id, sizeof(*id));
		strtab_setn(&u->ids, (const char *)copy, sizeof(*copy), copy);
	}
	return copy;
}

static struct proc *get_proc(struct usyms *u, uint32_t pid)
{
	struct proc *p = numtab_get(&u->procs, pid);
	if (!p) {
		p = xcalloc(1, sizeof(*p));
		p->pid = pid;
		p->root = "";
		numtab_set(&u->procs, pid, p);
	}
	return p;
}

/* --- mappings
 * ---------------------------------------------------------------------------------------------- */

/* false: the process has gone, and what was known of it holds. */
static bool find_root(struct usyms *u, struct proc *p)
{
	struct stat theirs;
	char ns[64];
	snprintf(ns, sizeof(ns), "/proc/%u/ns/mnt", p->pid);
	if (!u->ns.st_ino && stat("/proc/self/ns/mnt", &u->ns))
		return false;
	if (stat(ns, &theirs))
		return false;
	p->root = "";
	if (u->ns.st_ino != theirs.st_ino || u->ns.st_dev != theirs.st_dev)
		p->root = arena_printf(u->arena, "/proc/%u/root", p->pid);
	return true;
}

static struct elf_file *open_mapped(struct usyms *u, struct proc *p, const struct mapping *m);

/* Memory of no file. */
static bool is_anonymous(const char *path)
{
	return !*path || *path == '[' || str_has_prefix(path, "//anon");
}

/* A process that makes code: its map is opened while the folder that it is in can be reached. */
static void keep_jit(struct proc *p)
{
	if (!p->jit)
		p->jit = perf_map_open(p->pid, p->root);
	perf_map_keep(p->jit);
}

/* A file that no path leads to any more, or none ever did. */
static bool is_deleted(const char *path)
{
	return *path == '/' && str_has_suffix(path, " (deleted)");
}

/* What only the process can reach is opened while it lives. */
static void keep_reachable(struct usyms *u, struct proc *p, const struct mapping *m)
{
	if (!m->is_exec || (!*p->root && !is_deleted(m->path)))
		return;
	if (*m->path != '[' && is_anonymous(m->path))
		keep_jit(p);
	else
		open_mapped(u, p, m);
}

/* Are they of two files?  By what both tell: events tell build-ids, /proc inodes. */
static bool are_two_files(const struct mapping *a, const struct mapping *b)
{
	bool same_kind = a->id && b->id && !a->id->build_id_len == !b->id->build_id_len;
	return a->path != b->path || (same_kind && a->id != b->id);
}

static void add_mapping(struct usyms *u, struct proc *p, const struct mapping *m)
{
	const struct mapping *at[] = {mappings_find(p->maps, m->start), mappings_find(p->maps, m->end - 1)};
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		if (at[i] && (!i || at[0] != at[1]) && at[i]->is_exec && m->is_exec && *at[i]->path == '/' &&
		    are_two_files(at[i], m) && p->former.len < MAX_FORMER)
			vec_push(&p->former, *at[i]);
	mappings_add(&p->maps, *m);
	keep_reachable(u, p, m);
}

static void read_maps(struct usyms *u, struct proc *p)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u/maps", p->pid);
	_cleanup_free_ char *text = read_file(path, NULL);
	p->misses = 0;
	p->is_known = true;
	if (!text || !*text)
		return;
	find_root(u, p);
	char *save = NULL;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		struct map_line l;
		if (!parse_map_line(s, &l) || (!*l.path && !l.is_exec))
			continue;
		struct file_id id = {.dev = l.dev, .inode = l.inode};
		struct mapping m = {l.start, l.end, l.offset, intern(u, l.path), intern_id(u, &id), l.is_exec};
		add_mapping(u, p, &m);
	}
}

void usyms_pid_seen(struct usyms *u, uint32_t pid)
{
	struct proc *p = get_proc(u, pid);
	if (!p->is_known)
		read_maps(u, p);
}

/* The new mappings that code lies in are told one by one. */
void usyms_pid_exec(struct usyms *u, uint32_t pid)
{
	struct proc *p = get_proc(u, pid);
	mappings_unref(p->maps);
	p->maps = NULL;
	p->former.len = 0;
	p->is_known = true;
	find_root(u, p);
	perf_map_free(p->jit);
	p->jit = NULL;
}

void usyms_mmap(struct usyms *u, uint32_t pid, uint64_t addr, uint64_t len, uint64_t pgoff,
		const char *path, const struct file_id *id)
{
	struct proc *p = get_proc(u, pid);
	if (!p->is_known)
		read_maps(u, p);
	if (!len || addr + len <= addr)
		return;
	struct mapping m = {addr, addr + len, pgoff, intern(u, path ? path : ""), intern_id(u, id), true};
	add_mapping(u, p, &m);
}

void usyms_fork(struct usyms *u, uint32_t parent, uint32_t child)
{
	usyms_pid_seen(u, parent);
	struct proc *from = get_proc(u, parent);
	struct proc *to = get_proc(u, child);
	mappings_unref(to->maps);
	to->maps = mappings_ref(from->maps);
	to->former.len = 0;
	vec_each(m, &from->former)
		vec_push(&to->former, *m);
	to->is_known = from->is_known;
	to->root = from->root;
}

void usyms_forget(struct usyms *u, uint32_t pid)
{
	struct proc *p = numtab_get(&u->procs, pid);
	if (!p)
		return;
	numtab_set(&u->procs, pid, NULL);
	perf_map_free(p->jit);
	vec_free(&p->former);
	mappings_unref(p->maps);
	free(p);
}

void usyms_keep(struct usyms *u)
{
	vec_each(e, &u->procs.entry) {
		struct proc *p = e->value;
		if (p && p->jit)
			perf_map_keep(p->jit);
	}
}

/* --- files
 * -------------------------------------------------------------------------------------------------
 */

/* The kernel maps the same vdso into every process of our kind: ours is as good as theirs. */
static struct elf_file *open_vdso(struct usyms *u)
{
	if (u->has_vdso)
		return u->vdso;
	u->has_vdso = true;
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_free_ char *text = image ? read_file("/proc/self/maps", NULL) : NULL;
	char *save = NULL;
	for (char *s = text ? strtok_r(text, "\n", &save) : NULL; s;
	     s = strtok_r(NULL, "\n", &save)) {
		struct map_line l;
		if (parse_map_line(s, &l) && l.start == (uintptr_t)image)
			err_free(elf_open_memory(u->world, "[vdso]", image, l.end - l.start,
						 &u->vdso));
	}
	return u->vdso;
}

/* A file that several containers see, each by a path of its own, is opened once. */
static struct opened *open_once(struct usyms *u, const char *path)
{
	struct stat st;
	struct elf_file *file = NULL;
	char id[128];
	if (stat(path, &st))
		return NULL;
	snprintf(id, sizeof(id), "%lx %lx %lx.%lx", (unsigned long)st.st_dev, (unsigned long)st.st_ino, (unsigned long)st.st_mtim.tv_sec,
		 (unsigned long)st.st_mtim.tv_nsec);
	struct opened *f = strtab_get(&u->by_id, id);
	if (f)
		return f;
	err_free(elf_open(u->world, path, &file));
	if (!file)
		return NULL;
	f = arena_new(u->arena, struct opened);
	*f = (struct opened){file, st.st_dev, st.st_ino};
	strtab_set(&u->by_id, id, f);
	return f;
}

/* Is this what was mapped?  Device and inode say no only where both are of one device: overlays have several. */
static bool is_same(const struct opened *f, const struct file_id *id)
{
	size_t n = 0;
	if (!id)
		return true;
	if (id->build_id_len) {
		const uint8_t *own = elf_build_id(f->file, &n);
		return own && n == id->build_id_len && !memcmp(own, id->build_id, n);
	}
	return id->dev != f->dev || id->inode == f->inode;
}

/* What a path leads to, unless that is another file than the one with this identity. */
static struct elf_file *try_open(struct usyms *u, const char *path, const struct file_id *id)
{
	struct opened *f = strtab_get(&u->by_path, path);
	if (f && is_same(f, id))
		return f->file;
	if (!f && strtab_get(&u->missing, path))
		return NULL;
	f = open_once(u, path); /* again: it may have been replaced since */
	strtab_set(f ? &u->by_path : &u->missing, path, f ? (void *)f : u);
	return f && is_same(f, id) ? f->file : NULL;
}

static struct elf_file *open_mapped(struct usyms *u, struct proc *p, const struct mapping *m)
{
	char link[96];
	if (!strcmp(m->path, "[vdso]"))
		return open_vdso(u);
	if (*m->path != '/')
		return NULL;
	struct elf_file *f = NULL;
	_cleanup_free_ char *path = is_deleted(m->path) ? NULL : xasprintf("%s%s", p->root, m->path);
	if (path)
		f = try_open(u, path, m->id);
	if (!f && path && *p->root)
		f = try_open(u, m->path, m->id);
	if (f)
		return f;
	/* deleted or replaced: still to be had through the mapping, while the process lives */
	snprintf(link, sizeof(link), "/proc/%u/map_files/%llx-%llx", p->pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	return try_open(u, link, m->id);
}

/* A process may map files after its mappings were read: they are read again, but not for every wild
 * address. */
static const struct mapping *mapping_of(struct usyms *u, struct proc *p, uint64_t addr)
{
	const struct mapping *m = mappings_find(p->maps, addr);
	if (m || (p->maps && p->misses++ % 64))
		return m;
	read_maps(u, p);
	return mappings_find(p->maps, addr);
}

bool usyms_is_no_code(struct usyms *u, uint32_t pid, uint64_t addr)
{
	struct proc *p = get_proc(u, pid);
	const struct mapping *m = mapping_of(u, p, addr);
	return p->maps && !(m && m->is_exec);
}

static const struct elf_symbol *symbol_in(struct elf_file *f, const struct mapping *m, uint64_t addr, uint64_t *vaddr)
{
	uint64_t offset = addr - m->start + m->offset;
	if (!elf_vaddr_of(f, offset, vaddr))
		*vaddr = offset;
	return elf_symbol_at(f, *vaddr);
}

/*
 * Had the address another name when the process had another file there?  When it was met is not kept: it has no name then,
 * rather than one that may be wrong.
 */
static bool is_doubtful(struct usyms *u, struct proc *p, const struct mapping *m, const char *name, uint64_t addr)
{
	vec_each(old, &p->former) {
		uint64_t vaddr;
		if (addr - old->start >= old->end - old->start || !are_two_files(old, m))
			continue;
		struct elf_file *f = open_mapped(u, p, old);
		const struct elf_symbol *s = f ? symbol_in(f, old, addr, &vaddr) : NULL;
		if (!s || !str_eq(s->name, name))
			return true;
	}
	return false;
}

bool usyms_resolve(struct usyms *u, uint32_t pid, uint64_t addr, struct usym *ret)
{
	struct proc *p = get_proc(u, pid);
	const struct mapping *m = mapping_of(u, p, addr);
	*ret = (struct usym){0};
	if (m) {
		ret->map_offset = addr - m->start;
		ret->map_size = m->end - m->start;
	}
	struct elf_file *f = m ? open_mapped(u, p, m) : NULL;
	if (!f) {
		if (m && *m->path)
			ret->module = m->path;
		ret->offset = ret->module_offset = m ? addr - m->start + m->offset : addr;
		if (m && !m->is_exec && !is_anonymous(m->path)) /* code may lie in files that are no programs */
			return false;
		if (!p->jit)
			p->jit = perf_map_open(pid, p->root);
		ret->name = perf_map_find(p->jit, addr, &ret->offset);
		return ret->name;
	}
	uint64_t vaddr;
	const struct elf_symbol *s = symbol_in(f, m, addr, &vaddr);
	if (p->former.len && is_doubtful(u, p, m, s ? s->name : "", addr)) {
		ret->offset = ret->module_offset = addr;
		return false;
	}
	ret->module = m->path;
	ret->file = f;
	ret->offset = ret->module_offset = vaddr;
	if (!s)
		return false;
	ret->name = s->name;
	ret->offset = vaddr - s->value;
	ret->size = s->size;
	return true;
}
