/*
 * kernel_debug.c - the debug information of the running kernel and of its modules.
 *
 * It is looked for where distributions put it (Debian's linux-image-*-dbg below /usr/lib/debug, a kernel built by hand below
 * /lib/modules), in the folders of --debuginfo, or on a debuginfod server, and taken only when its build-id is the one that the
 * running kernel tells in /sys/kernel/notes, a module in /sys/module/NAME/notes (kernel/ksysfs.c, kernel/module/sysfs.c).
 */
#include "debuginfo/dwarf_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

struct kernel_file {
	struct elf_file *file; /* NULL: none */
	const char *why;       /* then: a sentence */
	bool asked_servers;
	uint64_t bias;
	bool has_bias;
};

/* --- identity ---------------------------------------------------------------------------------------------------- */

const uint8_t *note_build_id(const uint8_t *data, size_t n, size_t *len)
{
	size_t at = 0;
	*len = 0;
	while (n - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		memcpy(&note, data + at, sizeof(note));
		at += sizeof(note);
		uint64_t name = ALIGN_UP((uint64_t)note.n_namesz, 4u), desc = ALIGN_UP((uint64_t)note.n_descsz, 4u);
		if (name > n - at || note.n_descsz > n - at - name)
			return NULL;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(data + at, "GNU", 4)) {
			*len = note.n_descsz;
			return data + at + name;
		}
		if (desc > n - at - name)
			return NULL;
		at += name + desc;
	}
	return NULL;
}

/* "01d2640d..." of the running kernel or module; "" when it does not say. */
static char *running_id(struct world *w, const char *module)
{
	size_t n = 0, len;
	_cleanup_free_ char *path = module ? xasprintf("%s/sys/module/%s/notes/.note.gnu.build-id", w->root, module)
					   : xasprintf("%s/sys/kernel/notes", w->root);
	_cleanup_free_ char *notes = read_file(path, &n);
	const uint8_t *id = notes ? note_build_id((const uint8_t *)notes, n, &len) : NULL;
	struct buf text = {0};
	for (size_t i = 0; id && i < len && i < 64; i++)
		buf_printf(&text, "%02x", id[i]);
	return text.data ? text.data : xstrdup("");
}

static bool has_id(struct elf_file *f, const char *id)
{
	size_t n;
	const uint8_t *own = elf_build_id(f, &n);
	if (!own || strlen(id) != n * 2)
		return false;
	for (size_t i = 0; i < n; i++) {
		char hex[3] = {id[i * 2], id[i * 2 + 1], 0};
		if (strtoul(hex, NULL, 16) != own[i])
			return false;
	}
	return true;
}

/* --- places -------------------------------------------------------------------------------------------------------- */

struct hunt {
	struct world *w;
	const char *module, *release; /* module NULL: the kernel itself */
	char *id;
	struct elf_file *found;
	const char *refused; /* a file of another build */
};

static bool has_dwarf(struct elf_file *f)
{
	size_t n;
	return elf_section_bytes(f->elf, ".debug_info", &n) && n;
}

/* Takes the path. */
static bool consider(struct hunt *h, char *path)
{
	struct elf_file *f = NULL;
	if (!h->found && !access(path, R_OK))
		err_free(elf_open_file(h->w, path, &f));
	if (f && has_dwarf(f) && has_id(f, h->id)) {
		h->found = f;
	} else if (f) {
		if (has_dwarf(f))
			h->refused = arena_strdup(h->w->arena, path);
		elf_close(f);
	}
	free(path);
	return h->found != NULL;
}

/* NAME.ko or NAME.ko.debug somewhere below a folder; '-' and '_' are one in names of modules. */
static void find_module(struct hunt *h, const char *folder, unsigned depth)
{
	enum { MAX_DEPTH = 12 };
	DIR *dir = depth < MAX_DEPTH ? opendir(folder) : NULL;
	for (struct dirent *e; dir && !h->found && (e = readdir(dir));) {
		const char *name = e->d_name, *m = h->module;
		if (name[0] == '.')
			continue;
		if (e->d_type == DT_DIR) {
			_cleanup_free_ char *below = xasprintf("%s/%s", folder, name);
			find_module(h, below, depth + 1);
			continue;
		}
		while (*m && (*name == *m || (*name == '-' && *m == '_')))
			name++, m++;
		if (!*m && (!strcmp(name, ".ko") || !strcmp(name, ".ko.debug")))
			consider(h, xasprintf("%s/%s", folder, e->d_name));
	}
	if (dir)
		closedir(dir);
}

static void look_in(struct hunt *h, const char *dir)
{
	const char *root = h->w->root, *r = h->release;
	if (strlen(h->id) > 2 && consider(h, xasprintf("%s%s/.build-id/%.2s/%s.debug", root, dir, h->id, h->id + 2)))
		return;
	if (h->module) {
		_cleanup_free_ char *modules = xasprintf("%s%s/lib/modules/%s", root, dir, r);
		find_module(h, modules, 0);
		return;
	}
	if (!consider(h, xasprintf("%s%s/boot/vmlinux-%s", root, dir, r)) &&
	    !consider(h, xasprintf("%s%s/lib/modules/%s/vmlinux", root, dir, r)) &&
	    !consider(h, xasprintf("%s%s/vmlinux-%s", root, dir, r)))
		consider(h, xasprintf("%s%s/vmlinux", root, dir));
}

static void look_around(struct hunt *h)
{
	struct world *w = h->w;
	_cleanup_free_ char *list = xstrdup(w->debuginfo_dirs ? w->debuginfo_dirs : "/usr/lib/debug");
	char *save = NULL;
	for (char *dir = strtok_r(list, ":", &save); dir && !h->found; dir = strtok_r(NULL, ":", &save))
		look_in(h, dir);
	if (h->module) {
		_cleanup_free_ char *own = xasprintf("%s/lib/modules/%s", w->root, h->release);
		if (!h->found)
			find_module(h, own, 0);
	} else if (!h->found && !consider(h, xasprintf("%s/lib/modules/%s/build/vmlinux", w->root, h->release))) {
		consider(h, xasprintf("%s/boot/vmlinux-%s", w->root, h->release));
	}
}

static const char *explain(const struct hunt *h)
{
	struct arena *a = h->w->arena;
	const char *what = h->module ? arena_printf(a, "module %s", h->module) : "the kernel";
	if (!*h->id)
		return arena_printf(a, "%s does not tell its build-id, so debug information cannot be matched to it", what);
	if (h->refused)
		return arena_printf(a, "%s was made for another build of %s (running %s has build-id %s)", h->refused, what,
				    h->release, h->id);
	return arena_printf(a, "there is no debug information of %s %s (install linux-image-%s-dbg, name its folder with --debuginfo, or set "
			    "DEBUGINFOD_URLS)", what, h->release, h->release);
}

/* --- opening -------------------------------------------------------------------------------------------------------- */

struct loaded {
	struct world *w;
	const char *module;
	bool is_live; /* the code that set it up is gone */
};

static bool is_live(struct world *w, const char *module)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/module/%s/initstate", w->root, module);
	_cleanup_free_ char *state = read_file(path, NULL);
	return state && str_has_prefix(state, "live");
}

static uint64_t section_address(void *arg, const char *section)
{
	struct loaded *l = arg;
	if (strchr(section, '/') || (l->is_live && str_has_prefix(section, ".init")))
		return 0;
	_cleanup_free_ char *path = xasprintf("%s/sys/module/%s/sections/%s", l->w->root, l->module, section);
	_cleanup_free_ char *text = read_file(path, NULL);
	return text ? strtoull(text, NULL, 16) : 0;
}

/* A private copy of the file, with the addresses that the module has. */
static struct elf_file *open_module(struct world *w, struct elf_file *plain, const char *module, const char **why)
{
	struct loaded l = {w, module, is_live(w, module)};
	struct elf_file *f = NULL;
	if (section_address(&l, ".text") || section_address(&l, ".init.text"))
		err_free(elf_open_private(w, plain->path, &f));
	if (f && elf_has_zstd(f) && elf_unpack_zstd(f)) {
		elf_close(f);
		f = NULL;
	}
	if (!f || !elf_relocate(f->elf, section_address, &l)) {
		*why = arena_printf(w->arena, "the addresses of module %s cannot be read", module);
		elf_close(f);
		f = NULL;
	}
	elf_close(plain);
	return f;
}

static void hunt_for(struct world *w, const char *module, bool remote, struct kernel_file *k)
{
	struct utsname u;
	struct hunt h = {.w = w, .module = module, .release = uname(&u) ? "" : u.release, .id = running_id(w, module)};
	if (*h.id && !k->asked_servers)
		look_around(&h);
	if (*h.id && !h.found && remote) {
		char *path = debuginfod_path_of(w, h.id);
		if (path)
			consider(&h, path);
	}
	k->asked_servers = remote;
	k->why = h.found ? NULL : explain(&h);
	if (h.found)
		k->file = module ? open_module(w, h.found, module, &k->why) : h.found;
	if (k->file)
		k->file->is_kernel = true;
	free(h.id);
}

static const char *plain_module(const char *module)
{
	return module && strcmp(module, "vmlinux") != 0 ? module : NULL;
}

static struct kernel_file *get(struct world *w, const char *module, bool remote)
{
	const char *key = module ? module : "vmlinux";
	struct kernel_file *k = strtab_get(&w->kernel_files, key);
	if (!k) {
		k = arena_new(w->arena, struct kernel_file);
		strtab_set(&w->kernel_files, key, k);
		hunt_for(w, module, remote, k);
	} else if (!k->file && remote && !k->asked_servers) {
		hunt_for(w, module, true, k);
	}
	return k;
}

struct elf_file *kernel_debug_file(struct world *w, const char *module, bool remote, const char **why)
{
	struct kernel_file *k = get(w, plain_module(module), remote);
	if (!k->file && why)
		*why = k->why;
	return k->file;
}

struct dwarf *kernel_dwarf(struct world *w, const char *module, const char **why)
{
	struct elf_file *f = kernel_debug_file(w, module, true, why);
	return f ? elf_dwarf(f, why) : NULL;
}

/*
 * A file is asked for its place in memory without asking a server: it was found here.  Modules come with the kernel's: folders with thousands of
 * them are not walked through for each that a stack meets where there is nothing to find.
 */
struct dwarf *kernel_dwarf_here(struct world *w, const char *module, uint64_t addr, uint64_t *linked)
{
	uint64_t bias;
	struct elf_file *f = kernel_debug_file(w, NULL, false, NULL);
	if (f && plain_module(module))
		f = kernel_debug_file(w, module, false, NULL);
	struct dwarf *d = f ? elf_dwarf_here(f) : NULL;
	if (!d || !kernel_bias(w, module, &bias))
		return NULL;
	*linked = addr - bias;
	return d;
}

/* A module was relocated to where it is; the kernel itself may be anywhere (CONFIG_RANDOMIZE_BASE). */
bool kernel_bias(struct world *w, const char *module, uint64_t *ret)
{
	struct kernel_file *k = get(w, plain_module(module), true);
	*ret = 0;
	if (plain_module(module) || !k->file)
		return k->file != NULL;
	if (!k->has_bias) {
		const struct elf_symbol *linked = elf_symbol_by_name(k->file, "_stext");
		const struct ksym *here = kallsyms_by_name(world_kallsyms(w), "_stext");
		k->has_bias = linked && here && here->addr;
		k->bias = k->has_bias ? here->addr - linked->value : 0;
	}
	*ret = k->bias;
	return k->has_bias;
}

/* They are linked from 0 before Linux 6.15, and then not moved with the kernel. */
bool kernel_is_percpu(struct world *w, const char *module, uint64_t linked, uint64_t *ret)
{
	struct kernel_file *k = get(w, plain_module(module), true);
	const struct elf_symbol *start = NULL, *end = NULL;
	uint64_t bias = 0;
	if (plain_module(module) || !k->file)
		return false;
	start = elf_symbol_by_name(k->file, "__per_cpu_start");
	end = elf_symbol_by_name(k->file, "__per_cpu_end");
	if (!start || !end || linked < start->value || linked >= end->value || (start->value && !kernel_bias(w, NULL, &bias)))
		return false;
	*ret = linked + bias;
	return true;
}

void kernel_files_close(struct world *w)
{
	vec_each(e, &w->kernel_files.entry)
		elf_close(((struct kernel_file *)e->value)->file);
	strtab_free(&w->kernel_files);
}
