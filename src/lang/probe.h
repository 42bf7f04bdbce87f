/*
 * probe.h - what a probe point means, once a language has parsed its own spelling of it.
 *
 * A language fills a struct probe_spec; probe_expand() turns it into attach points, one a kernel object
 * (function, tracepoint, address...), after wildcards, library names and pids were resolved against the
 * world.  One row of probe_kinds[] a family; one file probe_<family>.c where a family needs code.
 */
#pragma once

#include "base/base.h"
#include "debuginfo/dwarf.h"
#include "ir/program.h"

enum probe_kind {
	PK_BEGIN, PK_END, PK_SELF,
	PK_KPROBE, PK_KRETPROBE, PK_FENTRY, PK_FEXIT,
	PK_RAWTRACEPOINT, PK_TRACEPOINT,
	PK_UPROBE, PK_URETPROBE, PK_USDT,
	PK_PROFILE, PK_INTERVAL, PK_SOFTWARE, PK_HARDWARE, PK_WATCHPOINT,
	PK_ITER, PK_LSM, PK_NETFILTER,
	PK_TEST, PK_BENCH,
	/* SystemTap's, run by user space or made of others */
	PK_ERROR,	   /* end of a failed session */
	PK_NEVER,
	PK_PROCESS_BEGIN, PK_PROCESS_END, PK_THREAD_BEGIN, PK_THREAD_END, /* on sched tracepoints, with a filter */
	PK_TIMER,	   /* user-space timer: nanoseconds in period */
	PK_FILE_READ, PK_FILE_WRITE, /* of a file of the run, named in target: what is taken off its permissions in mode, bytes of a text in len */
	PK_INPUT,	   /* a character that was typed */
	PK_COUNT
};

struct probe_spec {
	enum probe_kind kind;
	const char *spelling; /* as the user wrote it */
	struct loc loc;
	const char *target;   /* binary path, tracepoint category, module, family of protocols (NFPROTO_IPV4), NULL */
	const char *func;     /* function, event name, netfilter hook, address text; may hold wildcards; NULL */
	const char *provider; /* usdt */
	/* by debug information, see probe_source.c */
	const char *file;     /* source file: its path, or an end of that */
	uint32_t line, last_line, col; /* last_line: a range from `line`; 0: one line */
	bool relative_lines;  /* counted from the function's declaration */
	bool all_lines;       /* one place a line */
	const struct line_range { uint32_t first, last; } *range; /* several in place of line and last_line, NULL */
	uint32_t nrange;
	bool nearest;	      /* a line without code: the nearest that has some */
	bool statement;	      /* places in the functions that match, not the functions */
	uint8_t instances;    /* DWARF_INLINED, DWARF_CONCRETE, DWARF_EXTERNAL_ONLY; 0: by symbols */
	const char *label;    /* C label in the functions */
	const char *callee;   /* not the functions that match, but what they call: a pattern */
	uint32_t callee_depth; /* and what those call, so many times; 1: their callees only */
	bool plt;	      /* the stubs that call functions of other libraries */
	const char *library;  /* a pattern: of the libraries that the target needs; NULL: the target itself */
	uint64_t offset;
	uint64_t address;
	bool has_address;
	uint32_t prog_id;     /* fentry, fexit of BPF programs (target "bpf"): only this one; 0 any */
	bool cpp;
	uint64_t period;      /* profile, interval, timer: nanoseconds; software, hardware: count; 0 default */
	uint64_t jitter;      /* timer: how much a period may be shorter or longer, by chance */
	uint64_t freq;	      /* profile:hz:N */
	const char *unit;     /* "hz", "s", "ms", "us": as written, for the name */
	int64_t order;	      /* begin(N), end(N); netfilter: priority */
	uint32_t len;	      /* watchpoint; file: bytes that are read at most */
	uint32_t umask;	      /* file: permissions that it has not */
	const char *mode;
	uint32_t maxactive;
	int pid;	      /* process(PID) */
	bool optional;	      /* SystemTap's `?` */
};

/* One expanded place. */
struct attach_point {
	enum probe_kind kind;
	const char *name;     /* full name as `probe` prints it and -l lists it */
	const char *target;   /* resolved binary path, tracepoint category, module */
	const char *func;     /* one function, event, iterator; NULL when by address */
	const char *provider;
	uint64_t offset;      /* uprobe: file offset; kprobe: offset in function */
	uint64_t address;
	uint64_t semaphore;   /* usdt: file offset of the semaphore, 0 none */
	const char *usdt_args;
	uint64_t entry;	      /* uprobes: address as linked that get_func_ip() gives here: address, or the function's;
				 kprobes by debug information: address as linked (`address` is where the kernel has it) */
	bool is_pie;	      /* uprobes: the file's addresses are not known before it is loaded */
	bool is_entry;	      /* uprobes: at the first instruction of a function */
	const char *file;     /* source file and line of the place, NULL: not known */
	uint32_t line;
	const char *label;
	bool is_inlined;      /* an inlined copy of func */
	const char *caller;   /* "f@file.c:12": the function that the spec's callee is called by, NULL */
	const uint64_t *return_to; /* the addresses, as linked, that calls of interest go back to; none: all calls */
	uint32_t nreturn_to;
	uint32_t func_id;     /* uprobes: instance of a function (struct dwarf_func), 0: the innermost at the address */
	uint64_t period, freq, jitter;
	uint32_t perf_type, perf_config; /* software, hardware */
	uint32_t len, mode;
	uint32_t pf, hook;    /* netfilter: NFPROTO_*, NF_INET_* */
	uint32_t maxactive;
	int64_t order;	      /* of begin and end; netfilter: the lowest goes first */
	int pid;	      /* 0: any */
	bool stands_in;	      /* uprobe: in libc.so.6, for one that the script looks for in a library which is empty now */
	bool is_unproven;     /* uprobe: nothing says that an instruction starts there */
	uint32_t btf_id;      /* rawtracepoint, fentry, fexit, iter, lsm */
	uint32_t prog_id;     /* fentry, fexit on a BPF program: which; btf_id is in its BTF then */
	uint64_t cookie;
	bool is_raw_event;    /* of system calls: attached to the event raw_syscalls:sys_enter or sys_exit, see probe_syscall.c */
	int syscall;	      /* then the call's number, below SYSCALL_NUMBERS; -1: all of them */
};
enum { SYSCALL_NUMBERS = 512 };
/* What the kernel tells a program that is run for one system call (attach_point.syscall) in place of the point's cookie; the lowest bit: at its exit. */
#define SYSCALL_COOKIE (1ull << 32)

struct probe_kind_info {
	enum probe_kind kind;
	const char *name, *alias; /* bpftrace's: "kprobe" "k" */
	enum prog_kind prog;
	bool needs_func;	  /* can be a wildcard over functions */
	bool is_return;
	const char *missing;	  /* what to say when this kernel refuses the family, see probe_missing() */
};
/*
 * Does the kernel run the handlers of this place one at a time on a CPU, and count what comes in between as missed?  (bpf_prog_active in
 * trace_call_bpf(), kprobe_multi_link_prog_run() and bpf_overflow_handler(); begin and end run when nothing is attached.)
 */
bool probe_runs_alone(struct world *w, const struct attach_point *p);
/* Of the program at one place by itself. */
enum prog_kind probe_prog_kind(const struct attach_point *p);
const struct probe_kind_info *probe_kind_info(enum probe_kind k);
const struct probe_kind_info *probe_kind_by_name(const char *name); /* any case; aliases too */

/* One line that names the kernel feature this family lacks here; NULL when it works or nobody has probed yet. */
const char *probe_missing(const struct world *w, enum probe_kind k);

struct attach_points {
	VEC(struct attach_point *) list;
};
/* Appends what the spec matches.  Nothing matched: no error here, the caller decides by missing_probes.
 * A spec that makes no sense for its kind is a diag. */
void probe_expand(struct world *w, const struct probe_spec *spec, struct arena *a, struct diags *d,
		  struct attach_points *ret);

/* A script that names a function in its old library and in its new one means one place: leaves out stand-ins of which another point has
 * the place.  After all points of a probe were expanded. */
void probe_drop_stand_ins(struct attach_points *points);

/* Names of one function that a pattern matched, from `first` on: one of them is left, the plainest, so that a call counts once. */
void probe_drop_aliases(struct attach_points *points, size_t first);

/* The probe that is there and most like a spec that matches nothing, as a user would write it; NULL: none is near. */
const char *probe_nearest(struct world *w, const struct probe_spec *spec, struct arena *a);

/* Is the kernel module loaded?  "vmlinux" always is. */
bool probe_module_exists(const struct world *w, const char *module);

/* What a handler can see at a point. */
struct probe_args {
	struct type *record;	 /* `args`: STRUCT with fields; NULL when there are none.  Tracepoints: offsets
				    in the context.  rawtracepoint, fentry: field i is u64 slot i (offset 8*i) */
	struct type *ret;	 /* type of retval; NULL when untyped */
	bool from_ctx;		 /* fields are read from the context at their offset */
	const char **decl;	 /* C text a field, for -lv */
	const char *ret_decl;	 /* of the return value, "long int return"; NULL: not known */
	/* from debug information: where each field's value is (NULL: in the context), and variables that cannot be read */
	const struct dwarf_var **var, **missing, *ret_var;
	uint32_t nmissing;
};
/* NULL when the point has none; d may be NULL. */
struct probe_args *probe_arguments(struct world *w, const struct attach_point *p, struct arena *a);
/* Parameters and locals at a probe, from debug information; NULL when there is none. */
struct probe_args *probe_locals(struct world *w, const struct attach_point *p, struct arena *a);
/* A global of the probe's file, NULL when there is none; `file` (may be NULL): the source file that defines it. */
const struct dwarf_var *probe_global(struct world *w, const struct attach_point *p, const char *name, const char *file,
				     struct arena *a);
/* Fills in `file` and `line` of a function's probe: where it is declared. */
void probe_declaration(struct world *w, struct attach_point *p, struct arena *a);
/* Moves a probe from the function's first instruction to where its variables are as the debug information says. */
void probe_move_to_body(struct world *w, struct attach_point *p);
/* Debug information of the probe's file, or of the kernel; NULL and *why. */
struct dwarf *probe_dwarf(struct world *w, const struct attach_point *p, const char **why);
/* Is it a place in the kernel that debug information knows? */
static inline bool probe_is_kernel_place(const struct attach_point *p)
{
	return (p->kind == PK_KPROBE || p->kind == PK_KRETPROBE) && p->entry;
}

/* Listing: calls back once per name in the order in which it is printed (sorted by kind, then name).
 * pattern NULL: everything that bpftrace -l lists.  lines: parameter lines, for -lv. */
void probe_list(struct world *w, const char *pattern, bool with_args, struct arena *a,
		void (*fn)(void *arg, const char *name, const char *const *lines, unsigned n), void *arg);
