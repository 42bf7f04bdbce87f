/*
 * world.h - the machine as the compiler sees it.
 *
 * Compiling is a pure function of (script, world).  The real world opens its parts on first use; a
 * test hands in a folder with a small BTF blob, kallsyms, a tracefs tree and a list of features.
 */
#pragma once

#include "base/base.h"
#include "types/type.h"

struct btf;
struct kallsyms;
struct str_list {
	VEC(const char *) list;
};

/* What the running kernel can do; found by asking it, never by its version (attach/features.c fills
 * it). */
struct features {
	bool probed, probed_sessions, probed_perf; /* groups that features.c asks for when they are needed */
	bool kprobe, kprobe_multi, kprobe_session, uprobe_multi, uprobe_multi_pid, uprobe_session;
	bool uprobe_func_ip; /* bpf_get_func_ip() knows functions of programs */
	bool fentry; /* programs on kernel functions may be attached */
	bool fentry_multi; /* ... one to many functions (7.2) */
	bool ringbuf, bpf_loop, for_each_map, lookup_percpu, ktime_boot, ktime_tai, jiffies64,
		get_func_ip, d_path, send_signal, copy_from_user, sleepable_uprobe, ns_pid,
		attach_cookie;
	bool bpf_signed_div; /* cpu v4 instructions */
	bool global_data, mmap_array, atomics, sw_breakpoint, hw_perf, iter, snprintf_btf;
	bool task_vma_kfunc, task_from_pid_kfunc;
	bool btf_vmlinux;
};

struct world {
	struct arena *arena;
	const char *root;           /* "" for the real one; a fixture's folder otherwise */
	const char *tracefs;        /* "/sys/kernel/tracing", NULL when it is not mounted */
	const char *btf_path;       /* "/sys/kernel/btf/vmlinux" or $BPFTRACE_BTF */
	const char *debuginfo_dirs; /* --debuginfo, may be NULL */
	const char *functions_path; /* list of kernel functions in place of tracefs', NULL */
	const char *functions;      /* its text, once it was read */
	int pid;                    /* -p or child of -c; 0: none */
	const char *cmd_path;       /* executable of -c, NULL */
	unsigned ncpus;             /* possible */
	bool unsafe;                /* --unsafe, -g */
	bool counts_runs;           /* each handler's runs are asked for (-t) */
	int8_t preempts_syscalls;   /* lang/probe_syscall.c: 1, -1; 0: not looked */
	struct features features;
	/* may be NULL: bytes of a debug file that have come, and how many there are (0: not known) */
	void (*progress)(long done, long total);
	/* opened on first use */
	struct btf *btf;
	struct kallsyms *kallsyms;
	bool btf_failed;
	struct strtab module_btf; /* struct btf by module */
	struct strtab tp_cache;   /* tracepoint formats by "cat:name" */
	struct strtab elf_cache;  /* opened ELF files by path */
	struct strtab kernel_files; /* debug files of the kernel by module: kernel_debug.c */
};
/*
 * root: NULL or "" for the running machine, else a folder with sys/kernel/btf/vmlinux,
 * sys/kernel/tracing, proc/kallsyms, sys/devices/system/cpu/possible, etc/ld.so.cache and
 * `features` (names, one a line), each of which may be missing.  Opens no more than it must: no
 * BTF, no symbols.
 */
struct err *world_open(struct arena *a, const char *root, struct world **ret);
void world_close(struct world *w); /* NULL is legal; the struct itself is the arena's */

/* --- BTF: our own reader, lazy, by name
 * ------------------------------------------------------------------ */

struct btf;
/* vmlinux BTF of the world, NULL with *err set when there is none.  Mapped, not copied. */
struct btf *world_btf(struct world *w, struct err **err);
/* BTF of a loaded module on top of vmlinux ("vmlinux" gives that itself); NULL when there is none.
 */
struct btf *world_module_btf(struct world *w, const char *module);
/* Names of the loaded modules that have BTF, as the kernel lists them; copies in `a`. */
void world_btf_modules(struct world *w, struct arena *a, struct str_list *ret);
/* A reader over bytes (kept by the caller); for tests, modules (base: vmlinux) and fuzzing. */
struct err *btf_open_bytes(const void *data, size_t n, struct btf *base, struct btf **ret);
void btf_close(struct btf *b);
enum btf_namespace {
	BTF_NS_STRUCT,
	BTF_NS_UNION,
	BTF_NS_ENUM,
	BTF_NS_TYPEDEF,
	BTF_NS_BASE,
	BTF_NS_FUNC,
	BTF_NS_VAR
};
/* Id of the type of that kind and name, 0 when there is none. */
uint32_t btf_find(struct btf *b, enum btf_namespace ns, const char *name);
/* As a struct type; structs complete lazily, qualifiers and typedefs are looked through (name is
 * kept). Pointers get address space `as`, those that are tagged __user AS_USER.  NULL for ids out
 * of range or broken data.  The types belong to the reader and live as long as it does; asking
 * twice gives the same one. */
struct type *btf_type(struct btf *b, uint32_t id, enum addr_space as, struct arena *a);
/* C spelling as libbpf's btf_dump__emit_type_decl gives it, with a declared name ("struct file *
 * file"). */
void btf_spell_decl(struct btf *b, uint32_t id, const char *name, struct buf *out);
/* Definition in C, "struct x {" to "};" and a newline, for -lv. */
void btf_spell_struct(struct btf *b, uint32_t id, struct buf *out);
struct btf_param {
	const char *name;
	uint32_t type_id;
};
struct btf_params {
	VEC(struct btf_param) list;
};
/* Appends the parameters of FUNC `id` (or of FUNC_PROTO `id`) and gives its return type; false when
 * it is no function.  All of them: the context that functions of tracepoints take first is dropped
 * by probe_arguments(). */
bool btf_func(struct btf *b, uint32_t id, struct btf_params *params, uint32_t *ret_type_id);
/*
 * May programs be put on FUNC `id` by its types?  The kernel wants at most 12 parameters, each a number, an address or a struct of at most 16
 * bytes, no `...`, and no struct back: btf_distill_func_proto() in kernel/bpf/btf.c.
 */
bool btf_func_is_traceable(struct btf *b, uint32_t id);
/* What the pointer `id` points to, typedefs and qualifiers looked through; 0 for anything else (and void *). */
uint32_t btf_pointee(struct btf *b, uint32_t id);
/* Calls back for every named type of that namespace, without those of a module's base; for lists,
 * hints. */
void btf_each(struct btf *b, enum btf_namespace ns,
	      void (*fn)(void *arg, const char *name, uint32_t id), void *arg);
/* An enumerator anywhere in BTF by its name: true and its value; *enum_ret its enum type id. */
bool btf_enumerator(struct btf *b, const char *name, int64_t *value_ret, uint32_t *enum_ret);

/* Name of the FUNC `id`, borrowed; NULL when it is something else. */
const char *btf_func_name(struct btf *b, uint32_t id);

/* --- BPF programs that are loaded: bpf_progs.c
 * ------------------------------------------------------------------------------------------- */

struct bpf_prog_desc {
	uint32_t id, func; /* of the program; of its main function in its own BTF */
	const char *name;  /* of that function; lasts for the call */
};
/* Every loaded program that has BTF; none without the right to look (CAP_SYS_ADMIN). */
void bpf_progs_each(void (*fn)(void *arg, const struct bpf_prog_desc *p), void *arg);

/* --- tracefs
 * ---------------------------------------------------------------------------------------------------
 */

/* The record of a tracepoint as a struct type (is_ctx_based; common_* fields left out but their
 * offsets kept), with C type text per field for -lv.  NULL when there is no such event. */
struct tp_format {
	const char *category, *name;
	uint32_t id;
	struct type *record;
	const char **decl; /* "const char * filename", one a field of record */
};
struct tp_format *tracefs_format(struct world *w, const char *category, const char *name);
/* "cat:name" of every event that matches; sorted. */
void tracefs_events(struct world *w, void (*fn)(void *arg, const char *category, const char *name),
		    void *arg);

/* Same for the categories that match a glob. */
void tracefs_events_of(struct world *w, const char *category,
		       void (*fn)(void *arg, const char *category, const char *name), void *arg);
/* The parser behind tracefs_format(), for tests and fuzzing; `text` is changed. */
struct tp_format *tracefs_parse_format(struct world *w, const char *category, const char *name,
				       char *text);

/* --- kernel symbols
 * --------------------------------------------------------------------------------------------- */

struct ksym {
	uint64_t addr;
	const char *name;
	const char *module; /* NULL: vmlinux */
	char kind;          /* as kallsyms: 't' 'T' 'd' ... */
};
struct kallsyms *world_kallsyms(struct world *w); /* never NULL; may be empty */
void world_kallsyms_renew(struct world *w);	  /* reads them again; symbols that were handed out stay valid */
const struct ksym *kallsyms_by_addr(struct kallsyms *k, uint64_t addr); /* nearest at or below */
/* Bytes up to the next symbol, which is what the kernel's own %pS says; 0: it is the last. */
uint64_t kallsyms_size(struct kallsyms *k, const struct ksym *sym);
const struct ksym *kallsyms_by_name(struct kallsyms *k, const char *name);
/* Every symbol whose kind is in `kinds` ("tT"), by address; the strings last for the call. */
void kallsyms_each(struct kallsyms *k, const char *kinds,
		   void (*fn)(void *arg, const char *name, const char *module), void *arg);

/* --- ELF files and user symbols
 * ---------------------------------------------------------------------------------- */

struct elf_symbol {
	const char *name;
	uint64_t value, size;
	uint64_t file_offset; /* of the code: what a uprobe needs */
	bool is_func, is_global, is_weak, is_undefined;
};
struct elf_file;
/* Cached in the world by path; `path` may be a zip member later.  The handle is borrowed. */
struct err *elf_open(struct world *w, const char *path, struct elf_file **ret);
const char *elf_path(const struct elf_file *f);
const uint8_t *elf_build_id(struct elf_file *f, size_t *len); /* NULL when there is none */
bool elf_is_pie(struct elf_file *f);
bool elf_is_program(struct elf_file *f); /* what exec() starts, not a library */
uint64_t elf_code_start(struct elf_file *f); /* lowest address as linked of a segment with code */
bool elf_is_go(struct elf_file *f); /* made by the Go compiler */
/* .symtab and .dynsym, and the separate debug file's .symtab; sorted by value, aliases kept. */
const struct elf_symbol *elf_symbols(struct elf_file *f, size_t *n);
const struct elf_symbol *elf_symbol_by_name(struct elf_file *f, const char *name);
const struct elf_symbol *elf_symbol_at(struct elf_file *f,
				       uint64_t vaddr); /* the one that covers it */
bool elf_offset_of(struct elf_file *f, uint64_t vaddr,
		   uint64_t *offset_ret); /* by program headers */
/* n bytes of the file at an offset as elf_offset_of() gives it; NULL: it has not so many */
const uint8_t *elf_bytes_at(struct elf_file *f, uint64_t offset, size_t n);
bool elf_vaddr_of(struct elf_file *f, uint64_t offset, uint64_t *vaddr_ret);
/* How a probe names a binary: absolute, $PATH look-up, `libc` or `libc.so.6` through the loader's
 * cache, /proc/PID/root when world->pid is set.  Globs give several.  Paths are arena strings. */
struct err *elf_resolve_path(struct world *w, const char *spec, struct str_list *paths);
/* elf_needed.c: adds the libraries that the program at `path` is loaded with, those that it names first; one that is not found is left out. */
void elf_needed(struct world *w, const char *path, struct str_list *paths);
struct usdt_site {
	const char *provider, *name, *args;
	uint64_t pc, base, semaphore; /* as in the note, not adjusted */
	uint64_t file_offset, semaphore_offset;
};
/* elf_plt.c: stubs of functions of other libraries, in the order of their table. */
void elf_plt(struct elf_file *f, void (*fn)(void *arg, const char *name, uint64_t vaddr), void *arg);
const struct usdt_site *elf_usdt(struct elf_file *f, size_t *n);
char *demangle(const char *name); /* heap; NULL when it is not mangled */

/* Symbolizer of user addresses: remembers mappings of processes, also of those that have exited. */
struct usyms;
struct usyms *usyms_create(struct world *w);
void usyms_destroy(struct usyms *u);
void usyms_pid_seen(struct usyms *u, uint32_t pid); /* read its maps now, while it lives */
/* Its mappings are new, and will be told. */
void usyms_pid_exec(struct usyms *u, uint32_t pid);
/* Which file is mapped: its path may lead to another one by now.  What is 0 is not told. */
struct file_id {
	uint64_t dev, inode; /* dev: makedev() of what the kernel names */
	uint8_t build_id[20];
	uint32_t build_id_len;
};
/* id NULL: not told. */
void usyms_mmap(struct usyms *u, uint32_t pid, uint64_t addr, uint64_t len, uint64_t pgoff,
		const char *path, const struct file_id *id);
void usyms_fork(struct usyms *u, uint32_t parent, uint32_t child);
void usyms_forget(struct usyms *u, uint32_t pid); /* it has gone, and no address of it will be asked for */
/* From time to time: opens what only processes that live can reach, and what they had not made before. */
void usyms_keep(struct usyms *u);
struct usym {
	const char *name;   /* NULL: unknown */
	const char *module; /* path of the mapped file, NULL: none */
	uint64_t offset;    /* from the symbol's start, or from the module's when name is NULL */
	uint64_t module_offset; /* virtual address within the module */
	struct elf_file *file;  /* the module when it could be opened, NULL */
	uint64_t size;          /* of the symbol, 0: not known */
	uint64_t map_offset, map_size; /* from where it is mapped, and how much is; 0: it is not */
};
/* true: the process's mappings are known, and none that can be executed has the address. */
bool usyms_is_no_code(struct usyms *u, uint32_t pid, uint64_t addr);
bool usyms_resolve(struct usyms *u, uint32_t pid, uint64_t addr,
		   struct usym *ret); /* strings borrowed */
