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

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
	uint64_t start, end, offset;
	const char *path; /* as the process sees it; "" for anonymous memory */
};

struct proc {
	uint32_t pid;
	VEC(struct mapping) map; /* sorted, without overlap */
	const char *root;        /* "/proc/PID/root" when it sees other files than we do */
	struct perf_map *jit;
	unsigned misses; /* addresses without a mapping since the last reading */
};

struct usyms {
	struct world *world;
	struct arena *arena; /* paths */
	struct strtab paths; /* the one copy of each path */
	struct numtab procs;
	struct strtab missing; /* files that could not be opened */
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
		perf_map_free(p->jit);
		vec_free(&p->map);
		free(p);
	}
	numtab_free(&u->procs);
	strtab_free(&u->paths);
	strtab_free(&u->missing);
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

/* First mapping that ends above addr. */
static size_t lower_bound(const struct proc *p, uint64_t addr)
{
	size_t low = 0, high = p->map.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (p->map.at[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert_at(struct proc *p, size_t i, struct mapping m)
{
	vec_push(&p->map, m);
	memmove(&p->map.at[i + 1], &p->map.at[i], (p->map.len - 1 - i) * sizeof(m));
	p->map.at[i] = m;
}

/* A new mapping replaces what lay there. */
static void add_mapping(struct proc *p, struct mapping m)
{
	size_t i = lower_bound(p, m.start);
	if (i < p->map.len && p->map.at[i].start < m.start) {
		struct mapping left = p->map.at[i], *right = &p->map.at[i];
		left.end = m.start;
		right->offset += m.start - right->start;
		right->start = m.start;
		insert_at(p, i++, left);
	}
	size_t gone = i;
	while (gone < p->map.len && p->map.at[gone].end <= m.end)
		gone++;
	if (gone < p->map.len && p->map.at[gone].start < m.end) {
		struct mapping *right = &p->map.at[gone];
		right->offset += m.end - right->start;
		right->start = m.end;
	}
	if (gone > i) {
		memmove(&p->map.at[i + 1], &p->map.at[gone], (p->map.len - gone) * sizeof(m));
		p->map.len -= gone - i - 1;
		p->map.at[i] = m;
	} else {
		insert_at(p, i, m);
	}
}

static const struct mapping *find_mapping(const struct proc *p, uint64_t addr)
{
	size_t i = lower_bound(p, addr);
	return i < p->map.len && p->map.at[i].start <= addr ? &p->map.at[i] : NULL;
}

static void find_root(struct usyms *u, struct proc *p)
{
	struct stat ours, theirs;
	char ns[64];
	snprintf(ns, sizeof(ns), "/proc/%u/ns/mnt", p->pid);
	if (!stat("/proc/self/ns/mnt", &ours) && !stat(ns, &theirs) &&
	    (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev))
		p->root = arena_printf(u->arena, "/proc/%u/root", p->pid);
}

static struct elf_file *open_mapped(struct usyms *u, struct proc *p, const struct mapping *m);

static void read_maps(struct usyms *u, struct proc *p)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u/maps", p->pid);
	_cleanup_free_ char *text = read_file(path, NULL);
	p->misses = 0;
	if (!text || !*text)
		return;
	find_root(u, p);
	char *save = NULL;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		struct map_line l;
		if (!parse_map_line(s, &l) || (!*l.path && !l.is_exec))
			continue;
		struct mapping m = {l.start, l.end, l.offset, intern(u, l.path)};
		add_mapping(p, m);
		if (*p->root && l.is_exec)
			open_mapped(u, p, &m);
	}
}

void usyms_pid_seen(struct usyms *u, uint32_t pid)
{
	struct proc *p = get_proc(u, pid);
	if (!p->map.len)
		read_maps(u, p);
}

void usyms_pid_exec(struct usyms *u, uint32_t pid)
{
	struct proc *p = get_proc(u, pid);
	p->map.len = 0;
	p->root = "";
	perf_map_free(p->jit);
	p->jit = NULL;
	read_maps(u, p);
}

void usyms_mmap(struct usyms *u, uint32_t pid, uint64_t addr, uint64_t len, uint64_t pgoff,
		const char *path)
{
	struct proc *p = get_proc(u, pid);
	if (!p->map.len)
		read_maps(u, p);
	if (len && addr + len > addr)
		add_mapping(p,
			    (struct mapping){addr, addr + len, pgoff, intern(u, path ? path : "")});
}

void usyms_fork(struct usyms *u, uint32_t parent, uint32_t child)
{
	usyms_pid_seen(u, parent);
	struct proc *from = get_proc(u, parent);
	struct proc *to = get_proc(u, child);
	to->map.len = 0;
	vec_each(m, &from->map)
		vec_push(&to->map, *m);
	to->root = from->root;
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

static struct elf_file *try_open(struct usyms *u, const char *path)
{
	struct elf_file *f = NULL;
	if (strtab_get(&u->missing, path))
		return NULL;
	struct err *e = elf_open(u->world, path, &f);
	if (e)
		strtab_set(&u->missing, path, u);
	err_free(e);
	return f;
}

static struct elf_file *open_mapped(struct usyms *u, struct proc *p, const struct mapping *m)
{
	if (!strcmp(m->path, "[vdso]"))
		return open_vdso(u);
	if (*m->path != '/')
		return NULL;
	if (str_has_suffix(m->path, " (deleted)")) {
		/* still reachable through the mapping, while the process lives */
		char link[96];
		snprintf(link, sizeof(link), "/proc/%u/map_files/%llx-%llx", p->pid,
			 (unsigned long long)m->start, (unsigned long long)m->end);
		return try_open(u, link);
	}
	_cleanup_free_ char *path = xasprintf("%s%s", p->root, m->path);
	struct elf_file *f = try_open(u, path);
	return f || !*p->root ? f : try_open(u, m->path);
}

/* A process may map files after its mappings were read: they are read again, but not for every wild
 * address. */
static const struct mapping *mapping_of(struct usyms *u, struct proc *p, uint64_t addr)
{
	const struct mapping *m = find_mapping(p, addr);
	if (m || (p->map.len && p->misses++ % 64))
		return m;
	read_maps(u, p);
	return find_mapping(p, addr);
}

bool usyms_resolve(struct usyms *u, uint32_t pid, uint64_t addr, struct usym *ret)
{
	struct proc *p = get_proc(u, pid);
	const struct mapping *m = mapping_of(u, p, addr);
	*ret = (struct usym){0};
	struct elf_file *f = m ? open_mapped(u, p, m) : NULL;
	if (!f) {
		if (m && *m->path)
			ret->module = m->path;
		ret->offset = ret->module_offset = m ? addr - m->start + m->offset : addr;
		if (m && *m->path && *m->path != '[' && !str_has_prefix(m->path, "//anon"))
			return false;
		if (!p->jit)
			p->jit = perf_map_open(pid, p->root);
		ret->name = perf_map_find(p->jit, addr, &ret->offset);
		return ret->name;
	}
	ret->module = m->path;
	ret->file = f;
	uint64_t vaddr, offset = addr - m->start + m->offset;
	if (!elf_vaddr_of(f, offset, &vaddr))
		vaddr = offset;
	ret->offset = ret->module_offset = vaddr;
	const struct elf_symbol *s = elf_symbol_at(f, vaddr);
	if (!s)
		return false;
	ret->name = s->name;
	ret->offset = vaddr - s->value;
	return true;
}
