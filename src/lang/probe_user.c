/* probe_user.c - functions and static probes of user-space binaries. */
#include "debuginfo/zip.h"
#include "lang/arch.h"
#include "lang/probe_internal.h"

#include <fnmatch.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* In place of programs the libraries that they need and whose path or name matches. */
static void take_libraries(struct world *w, const char *pattern, struct str_list *paths)
{
	struct str_list all = {0}, kept = {0};
	vec_each(p, &paths->list)
		elf_needed(w, *p, &all);
	vec_each(p, &all.list) {
		const char *slash = strrchr(*p, '/');
		if (!fnmatch(pattern, *p, 0) || (slash && !fnmatch(pattern, slash + 1, 0)))
			vec_push(&kept.list, *p);
	}
	vec_free(&all.list);
	vec_free(&paths->list);
	*paths = kept;
}

/* Files of the spec's target; false after a diagnostic. */
static bool resolve(struct expansion *x, struct str_list *paths)
{
	const char *target = x->spec->target;
	struct world *w = x->world;
	char exe[4096];
	if (!target && w->cmd_path)
		target = w->cmd_path;
	if (!target && w->pid) {
		_cleanup_free_ char *link = xasprintf("/proc/%d/exe", w->pid);
		ssize_t n = readlink(link, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = 0;
		target = exe;
	}
	struct err *e = elf_resolve_path(w, target ? target : "", paths);
	if (e && !is_pattern(target))
		expansion_error(x, "%s target file '%s' does not exist or is not executable",
				x->kind->name, target ? target : "");
	err_free(e);
	if (x->spec->library)
		take_libraries(w, x->spec->library, paths);
	return paths->list.len;
}

static struct attach_point *add(struct expansion *x, const char *path, const char *rest)
{
	struct attach_point *p = expansion_add(x, "%s:%s", path, rest);
	/* the kernel knows the archive that a member lies in, at an offset that says where */
	size_t archive = zip_container(path);
	p->target = archive ? arena_strndup(x->arena, path, archive) : path;
	if (!p->pid)
		p->pid = x->world->pid;
	return p;
}

/* --- functions
 * ---------------------------------------------------------------------------------------------- */

static bool is_probeable(const struct elf_symbol *s)
{
	return s->is_func && !s->is_undefined && s->file_offset && !strstr(s->name, ".part.");
}

/* "ns::f(int)" without its parameters, unless the pattern names some. */
static bool demangled_match(const char *pattern, const char *name)
{
	_cleanup_free_ char *text = demangle(name);
	if (!text)
		return false;
	char *paren = strchr(pattern, '(') ? NULL : strrchr(text, '(');
	/* "operator()" keeps its own pair */
	if (paren && paren > text && !str_has_suffix(text, "operator()"))
		*paren = 0;
	return glob_match(pattern, text);
}

static void add_symbol(struct expansion *x, const char *path, const struct elf_symbol *s, bool is_pie)
{
	const struct probe_spec *spec = x->spec;
	_cleanup_free_ char *rest =
		spec->offset ? xasprintf("%s+%llu", s->name, (unsigned long long)spec->offset)
			     : xasprintf("%s%s", spec->cpp ? "cpp:" : "", s->name);
	if (spec->offset && s->size && spec->offset >= s->size && !x->world->unsafe) {
		expansion_error(x, "Offset outside the function bounds ('%s' size is %llu)", s->name,
				(unsigned long long)s->size);
		return;
	}
	struct attach_point *p = add(x, path, rest);
	p->func = arena_strdup(x->arena, s->name);
	p->offset = s->file_offset + spec->offset;
	p->address = p->entry = s->value + spec->offset;
	p->is_entry = !spec->offset;
	p->is_pie = is_pie;
	p->is_unproven = spec->offset || (!s->size && !is_pattern(spec->func));
}

static int by_name(const void *a, const void *b)
{
	const struct elf_symbol *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

/* Each name once, in alphabetical order; several names of one address are several places. */
static void add_matches(struct expansion *x, const char *path, struct elf_file *f)
{
	const char *pattern = x->spec->func;
	VEC(const struct elf_symbol *) hits = {0};
	size_t n;
	const struct elf_symbol *sym = elf_symbols(f, &n);
	for (size_t i = 0; i < n; i++)
		if (is_probeable(&sym[i]) &&
		    (glob_match(pattern, sym[i].name) ||
		     (x->spec->cpp && demangled_match(pattern, sym[i].name))))
			vec_push(&hits, &sym[i]);
	if (hits.len)
		qsort(hits.at, hits.len, sizeof(*hits.at), by_name);
	for (size_t i = 0; i < hits.len; i++)
		if (!i || strcmp(hits.at[i - 1]->name, hits.at[i]->name) != 0)
			add_symbol(x, path, hits.at[i], elf_is_pie(f));
	vec_free(&hits);
}

static void add_address(struct expansion *x, const char *path, struct elf_file *f)
{
	uint64_t address = x->spec->address, offset;
	if (!f || !elf_offset_of(f, address, &offset))
		offset = address; /* taken as an offset in the file: with --unsafe */
	_cleanup_free_ char *rest = xasprintf("%llu", (unsigned long long)address);
	struct attach_point *p = add(x, path, rest);
	p->address = p->entry = address;
	p->is_pie = f && elf_is_pie(f);
	p->offset = offset;
	p->is_unproven = true;
}

struct stubs {
	struct expansion *x;
	const char *path;
	struct elf_file *f;
};

static void add_stub(void *arg, const char *name, uint64_t vaddr)
{
	struct stubs *s = arg;
	uint64_t offset;
	if (fnmatch(s->x->spec->func, name, 0) || !elf_offset_of(s->f, vaddr, &offset))
		return;
	_cleanup_free_ char *rest = xasprintf("plt:%s", name);
	struct attach_point *p = add(s->x, s->path, rest);
	p->func = arena_strdup(s->x->arena, name);
	p->offset = offset;
	p->address = p->entry = vaddr;
	p->is_pie = elf_is_pie(s->f);
}

static void add_stubs(struct expansion *x, const char *path, struct elf_file *f)
{
	elf_plt(f, add_stub, &(struct stubs){x, path, f});
}

static void expand_file(struct expansion *x, const char *path)
{
	const struct probe_spec *s = x->spec;
	struct elf_file *f;
	struct err *e = elf_open(x->world, path, &f);
	if (e && e->code == ENOEXEC && x->world->unsafe && s->has_address) {
		err_free(e); /* a flat binary */
		add_address(x, path, NULL);
		return;
	}
	if (e) {
		if (!is_pattern(s->target))
			expansion_error(x, "%s", e->msg);
		err_free(e);
		return;
	}
	/* the kernel puts its own return address on the stack, which Go copies elsewhere when it needs a larger one */
	if (s->kind == PK_URETPROBE && elf_is_go(f) && !x->world->unsafe) {
		expansion_error(x, "return probes crash Go programs, whose stacks move: probe the function's entry or its lines instead; "
				   "--unsafe (stap: -g) insists");
		return;
	}
	const char *why = NULL;
	bool by_source = s->file || s->statement || s->label || s->callee || s->instances;
	if (s->plt) {
		add_stubs(x, path, f);
	} else if (by_source && expand_source(x, path, f, &why)) {
		return;
	} else if (s->file || s->statement || s->label || s->callee || (s->instances && !(s->instances & DWARF_CONCRETE))) {
		expansion_error(x, "%s", why);
	} else if (s->has_address || !s->func) {
		add_address(x, path, f);
	} else if (is_pattern(s->func) || s->cpp) {
		add_matches(x, path, f);
	} else {
		const struct elf_symbol *sym = elf_symbol_by_name(f, s->func);
		if (sym && !sym->is_undefined && sym->file_offset &&
		    (sym->is_func || x->world->unsafe))
			add_symbol(x, path, sym, elf_is_pie(f));
		else if (!sym && !s->offset && (s->kind == PK_UPROBE || s->kind == PK_URETPROBE))
			expand_source(x, path, f, &why); /* inlined wherever it is called, or its symbol has a suffix */
	}
}

/*
 * Since glibc 2.34 these libraries are empty shells and their functions live in libc.so.6, which
 * stands beside them. A script that names one still means its functions.
 */
static void expand_in_libc(struct expansion *x, const char *path)
{
	static const char *const shells[] = {"libpthread", "libdl", "librt", "libutil", "libanl"};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		size_t n = strlen(shells[i]);
		if (strncmp(name, shells[i], n) || (name[n] != '.' && name[n] != '-'))
			continue;
		char *libc = arena_printf(x->arena, "%.*slibc.so.6", (int)(name - path), path);
		if (!access(libc, R_OK))
			expand_file(x, libc);
	}
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;
	return str_eq(a, b) || (!stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static bool same_place(const struct attach_point *a, const struct attach_point *b)
{
	return a->kind == b->kind && a->offset == b->offset && a->pid == b->pid && same_file(a->target, b->target);
}

static void compact(struct attach_points *points)
{
	size_t kept = 0;
	for (size_t i = 0; i < points->list.len; i++)
		if (points->list.at[i])
			points->list.at[kept++] = points->list.at[i];
	points->list.len = kept;
}

/* How far a name is from the one that a programmer writes: versions, then underscores. */
static unsigned plainness(const struct attach_point *p)
{
	return (unsigned)strspn(p->func, "_") + (strchr(p->func, '@') ? 1000 : 0);
}

/* By file, place and plainness. */
static int alias_compare(const void *a, const void *b)
{
	const struct attach_point *x = **(struct attach_point **const *)a,
				  *y = **(struct attach_point **const *)b;
	int by_file = strcmp(x->target, y->target);
	if (by_file || x->offset != y->offset)
		return by_file ? by_file : x->offset < y->offset ? -1 : 1;
	unsigned m = plainness(x), n = plainness(y);
	return m != n ? (m < n ? -1 : 1) : strcmp(x->func, y->func);
}

void probe_drop_aliases(struct attach_points *points, size_t first)
{
	size_t n = 0, len = points->list.len;
	struct attach_point ***slot = xcalloc(len - first + 1, sizeof(*slot));
	for (size_t i = first; i < len; i++) {
		struct attach_point *p = points->list.at[i];
		if ((p->kind == PK_UPROBE || p->kind == PK_URETPROBE) && p->target && p->func)
			slot[n++] = &points->list.at[i];
	}
	qsort(slot, n, sizeof(*slot), alias_compare);
	const struct attach_point *kept = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct attach_point *p = *slot[i];
		if (kept && kept->kind == p->kind && kept->offset == p->offset && kept->pid == p->pid &&
		    str_eq(kept->target, p->target))
			*slot[i] = NULL;
		else
			kept = p;
	}
	base_free(slot);
	compact(points);
}

void probe_drop_stand_ins(struct attach_points *points)
{
	struct attach_point **at = points->list.at;
	size_t n = points->list.len;
	for (size_t i = 0; i < n; i++) {
		bool is_double = false;
		for (size_t j = 0; at[i]->stands_in && j < n && !is_double; j++)
			is_double = j != i && at[j] && same_place(at[i], at[j]);
		if (is_double)
			at[i] = NULL;
	}
	compact(points);
}

void expand_uprobe(struct expansion *x)
{
	struct str_list paths = {0};
	if (x->spec->kind == PK_URETPROBE && x->spec->offset)
		expansion_error(x, "uretprobes can not be attached to a function offset");
	else if (resolve(x, &paths))
		vec_each(path, &paths.list) {
			size_t before = x->ret->list.len;
			expand_file(x, *path);
			if (x->ret->list.len == before && x->spec->func &&
			    !is_pattern(x->spec->func)) {
				expand_in_libc(x, *path);
				for (size_t i = before; i < x->ret->list.len; i++)
					x->ret->list.at[i]->stands_in = true;
			}
		}
	vec_free(&paths.list);
}

/* --- static probes
 * ------------------------------------------------------------------------------------------ */

static int by_probe(const void *a, const void *b)
{
	const struct usdt_site *const *x = a, *const *y = b;
	int c = strcmp((*x)->provider, (*y)->provider);
	if (!c)
		c = strcmp((*x)->name, (*y)->name);
	return c ? c : (*x)->pc < (*y)->pc ? -1 : (*x)->pc > (*y)->pc;
}

static bool kernel_has(void *world, const char *name)
{
	return kallsyms_by_name(world_kallsyms(world), name) != NULL;
}

static unsigned cheaper_site(struct expansion *x, struct elf_file *f, const struct usdt_site *u)
{
	const uint8_t *site = elf_bytes_at(f, u->file_offset, ARCH_SITE_BYTES);
	return site ? arch_cheaper_site(site, kernel_has, x->world) : 0;
}

static void add_sites(struct expansion *x, const char *path)
{
	const struct probe_spec *s = x->spec;
	struct elf_file *f;
	struct err *e = elf_open(x->world, path, &f);
	if (e) {
		err_free(e);
		return;
	}
	VEC(const struct usdt_site *) hits = {0};
	size_t n;
	const struct usdt_site *site = elf_usdt(f, &n);
	for (size_t i = 0; i < n; i++)
		if (glob_match(s->provider && *s->provider ? s->provider : "*", site[i].provider) &&
		    glob_match(s->func ? s->func : "*", site[i].name))
			vec_push(&hits, &site[i]);
	if (hits.len)
		qsort(hits.at, hits.len, sizeof(*hits.at), by_probe);
	vec_each(hit, &hits) {
		const struct usdt_site *u = *hit;
		_cleanup_free_ char *rest = xasprintf("%s:%s", u->provider, u->name);
		struct attach_point *p = add(x, path, rest);
		p->func = arena_strdup(x->arena, u->name);
		p->provider = arena_strdup(x->arena, u->provider);
		unsigned skip = cheaper_site(x, f, u);
		p->offset = u->file_offset + skip;
		p->address = u->pc + skip;
		if (!elf_vaddr_of(f, p->offset, &p->entry))
			p->entry = p->address;
		p->is_pie = elf_is_pie(f);
		p->semaphore = u->semaphore_offset;
		p->usdt_args = arena_strdup(x->arena, u->args);
	}
	vec_free(&hits);
}

/* One point a site: the same probe may stand at several, with its arguments in other places. */
void expand_usdt(struct expansion *x)
{
	struct str_list paths = {0};
	if (!x->spec->target && x->world->pid) {
		struct err *e = elf_resolve_path(x->world, "*", &paths);
		err_free(e);
	} else {
		resolve(x, &paths);
	}
	vec_each(path, &paths.list)
		add_sites(x, *path);
	vec_free(&paths.list);
}
