/* stubs.c - doors of this room that are not built yet. */
#include "debuginfo/world.h"

#include <stdlib.h>
#include <unistd.h>

struct err *world_open(struct arena *a, const char *root, struct world **ret)
{
	struct world *w = arena_new(a, struct world);
	w->arena = a;
	w->root = root ? root : "";
	w->btf_path = "/sys/kernel/btf/vmlinux";
	w->tracefs = "/sys/kernel/tracing";
	long n = sysconf(_SC_NPROCESSORS_CONF);
	w->ncpus = n > 0 ? (unsigned)n : 1;
	*ret = w;
	return NULL;
}
void world_close(struct world *w)
{
}
struct tp_format *tracefs_format(struct world *w, const char *category, const char *name)
{
	return NULL;
}
void tracefs_events(struct world *w, void (*fn)(void *arg, const char *category, const char *name),
		    void *arg)
{
}
struct kallsyms {
	int none;
};
struct kallsyms *world_kallsyms(struct world *w)
{
	static struct kallsyms none;
	return &none;
}
const struct ksym *kallsyms_by_addr(struct kallsyms *k, uint64_t addr)
{
	return NULL;
}
const struct ksym *kallsyms_by_name(struct kallsyms *k, const char *name)
{
	return NULL;
}
struct err *elf_open(struct world *w, const char *path, struct elf_file **ret)
{
	return err_new(0, "no ELF reader yet");
}
const char *elf_path(const struct elf_file *f)
{
	return "";
}
const uint8_t *elf_build_id(struct elf_file *f, size_t *len)
{
	return NULL;
}
bool elf_is_pie(struct elf_file *f)
{
	return false;
}
const struct elf_symbol *elf_symbols(struct elf_file *f, size_t *n)
{
	*n = 0;
	return NULL;
}
const struct elf_symbol *elf_symbol_by_name(struct elf_file *f, const char *name)
{
	return NULL;
}
const struct elf_symbol *elf_symbol_at(struct elf_file *f, uint64_t vaddr)
{
	return NULL;
}
bool elf_offset_of(struct elf_file *f, uint64_t vaddr, uint64_t *offset_ret)
{
	return false;
}
bool elf_vaddr_of(struct elf_file *f, uint64_t offset, uint64_t *vaddr_ret)
{
	return false;
}
struct err *elf_resolve_path(struct world *w, const char *spec, struct str_list *paths)
{
	return NULL;
}
const struct usdt_site *elf_usdt(struct elf_file *f, size_t *n)
{
	*n = 0;
	return NULL;
}
char *demangle(const char *name)
{
	return NULL;
}
struct usyms *usyms_create(struct world *w)
{
	return xcalloc(1, 1);
}
void usyms_destroy(struct usyms *u)
{
	free(u);
}
void usyms_pid_seen(struct usyms *u, uint32_t pid)
{
}
void usyms_pid_exec(struct usyms *u, uint32_t pid)
{
}
void usyms_mmap(struct usyms *u, uint32_t pid, uint64_t addr, uint64_t len, uint64_t pgoff,
		const char *path)
{
}
void usyms_fork(struct usyms *u, uint32_t parent, uint32_t child)
{
}
bool usyms_resolve(struct usyms *u, uint32_t pid, uint64_t addr, struct usym *ret)
{
	*ret = (struct usym){0};
	return false;
}
