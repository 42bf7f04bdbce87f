/*
 * program.h - where both languages meet: what a script became.
 *
 * A program is IR functions, the probes that run them, maps with typed keys and values, and actions: the
 * records that the kernel sends, each with a schema.  Everything after the front ends (bpf, attach, events,
 * output) works on this struct and does not know which language it came from, except for `lang_name` and the
 * few formatting options in `struct program_options`, which exporters read.
 */
#pragma once

#include "base/base.h"
#include "ir/ir.h"
#include "types/type.h"

/* --- maps ------------------------------------------------------------------------------------------------ */

enum map_kind {
	MAP_HASH,
	MAP_LRU_HASH,
	MAP_PERCPU_HASH,
	MAP_LRU_PERCPU_HASH,
	MAP_ARRAY,	  /* nentries entries of value_size */
	MAP_PERCPU_ARRAY, /* BPF's own */
	MAP_DATA,	  /* one array entry, mmapped: scalars, rodata, per-CPU rows; MAPVAL addresses it */
	MAP_RINGBUF,	  /* nentries: bytes, a power of two and a multiple of the page */
	MAP_STACK_TRACE,
	MAP_PROG_ARRAY,
	MAP_PERF_ARRAY,
	MAP_CGROUP_ARRAY,
	MAP_SEGMENTS,	  /* array of nentries maps like MAP_DATA, of value_size bytes each, which user space adds */
};

/*
 * A map of the kernel.  Script maps that hold one scalar or one aggregation do not get a map of their own:
 * they are a `struct var` inside a MAP_DATA map.
 */
struct map {
	const char *name; /* in the kernel: at most 15 characters are used */
	enum map_kind kind;
	uint32_t key_size, value_size; /* bytes */
	uint32_t nentries;
	bool no_prealloc; /* BPF_F_NO_PREALLOC: large or sparse values */
	bool read_only;	  /* MAP_DATA: frozen after `init` was written (.rodata) */
	const void *init; /* MAP_DATA: initial bytes, NULL for zeroes; value_size bytes */
	unsigned id;	  /* index in program.map */
};

/*
 * A variable of the script: bpftrace's `@x`, SystemTap's `global x`.  Exactly one of these forms:
 *   keyed:             map is a hash of its own (percpu for aggregations), key its key type
 *   scalar:            map is program->data, offset where it lives
 *   scalar aggregation: map is program->percpu, offset within one CPU's row
 *   tseries, keyed or not: map is a hash keyed by {key, u64 bucket}
 */
struct var {
	const char *name; /* with its sigil: "@x", "x" */
	struct type *key; /* NULL: scalar.  Several keys: TYPE_TUPLE */
	struct type *value;
	struct map *map;
	uint32_t offset;
	uint32_t value_offset; /* keyed: bytes before the value in the map's value (insertion number, lock) */
	bool has_seq;	       /* keyed: a u64 insertion number is at offset 0 of the map's value */
	bool wrap;	       /* SystemTap's `%`: evict the oldest */
	bool is_lru;	       /* keyed: evict what was not used for longest (`let @m = lruhash(N)`) */
	bool print_at_exit;
	bool is_emptied;       /* something clears, zeroes or deletes it: a plain read and write could bring back what was there */
	bool tells_unset;      /* scalar: one that nothing was assigned to has no row */
	uint32_t set_offset;   /* then: byte that an assignment sets, in the data; of a sum, in a CPU's row; 0: none */
	bool is_declared;	/* bpftrace: let @m = kind(n) */
	uint8_t declared_kind;	/* enum map_kind, when declared */
	uint32_t max_entries;
	struct loc loc;
	unsigned id; /* index in program.var */
	/* SystemTap: how an unread stats global prints itself */
	unsigned stat_ops; /* bits of enum stat_op */
	unsigned variance_bits; /* @variance(x, bits): values are shifted left by so much */
	void *lang;	   /* for the language's own use */
	struct kit_shared *shared; /* the kit's own */
};

/* What the script asks of a SystemTap stats variable. */
enum stat_op { STAT_COUNT = 1, STAT_SUM = 2, STAT_MIN = 4, STAT_MAX = 8, STAT_AVG = 16, STAT_VARIANCE = 32,
	       STAT_HIST_LOG = 64, STAT_HIST_LINEAR = 128 };

/* --- wire formats: shared by runtime/, kit, interpreter and events ------------------------------------- */

struct minmax_wire {
	uint64_t value, is_set;
};
struct stats_wire {
	uint64_t count, total;
};
struct stat_wire { /* TYPE_STAT; followed by u64 buckets when a histogram is asked for */
	int64_t count, sum, min, max; /* min and max valid when count > 0 */
	int64_t mean, m2;	      /* variance: see rt_stat_variance() and rt_stat_merge() */
};
struct tseries_wire {
	int64_t value;
	uint64_t meta; /* avg: count; last: time of the update */
	uint64_t epoch;
};
/* A stack as a value: frames are kept once in program->stacks under `id`. */
struct stack_value_wire {
	uint64_t id;   /* hash of the frames; 0: no stack */
	uint32_t pid;  /* user stacks: tgid for symbolization, 0 in kernel stacks */
	uint16_t nframes;
	uint16_t pad;
};
/* An element of program->stacks: addresses follow, innermost first (with build ids: struct bpf_stack_build_id). */
struct stack_frames_wire {
	uint64_t end; /* enum uw_end of runtime/unwind.h, of who stored it; kernel stacks 0 */
};
struct usym_wire {
	uint64_t addr;
	uint32_t pid, pad;
};
struct inet_wire {
	uint32_t family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
};
struct timestamp_wire {
	uint64_t ns;	 /* as nsecs() of `clock` gives it */
	uint32_t clock;	 /* enum ts_clock */
	uint32_t fmt;	 /* index into program.string */
};
enum ts_clock { TS_BOOT, TS_MONOTONIC, TS_TAI, TS_SW_TAI, TS_REALTIME };
struct cgroup_path_wire {
	uint64_t id;
	uint32_t filter; /* index into program.string, ~0: all hierarchies */
	uint32_t pad;
};

/* --- actions: what a record of the ring buffer means --------------------------------------------------- */

enum action_kind {
	ACT_PRINTF,	/* fmt, args */
	ACT_ERRORF,	/* same, to stderr with the place */
	ACT_WARNF,
	ACT_PRINT,	/* one value: print(x); args has one field */
	ACT_PRINT_VAR,	/* print(@m, top, div): args (u64 top, u64 div); top 0: all */
	ACT_PRINT_KEY,	/* print(@m[k]) : args (key, value) */
	ACT_CLEAR,	/* var: remove all */
	ACT_ZERO,	/* var: zero all values */
	ACT_TIME,	/* fmt: strftime format; no args */
	ACT_EXIT,	/* args (u64 code) */
	ACT_SYSTEM,	/* fmt, args: command */
	ACT_CAT,	/* fmt, args: path */
	ACT_JOIN,	/* args: u64 n, then n strings with their NULs in one; fmt: separator */
	ACT_HELPER_ERROR, /* args (s64 retcode); helper number in `number`; `severity` */
	ACT_RUNTIME_ERROR, /* `number`: enum runtime_error; args (s64 retcode) when a map's helper refused */
	ACT_SKB,	/* fmt: file; args (u64 ns since boot, u64 length on the wire, bytes of a packet) */
	/* SystemTap */
	ACT_STP_PRINT,	/* fmt, args in SystemTap's printf rules; no newline added */
	ACT_STP_SPECULATE, /* args (s64 id, string): kept until ... */
	ACT_STP_COMMIT,	/* args (s64 id): ... it is printed, */
	ACT_STP_DISCARD, /* args (s64 id): or dropped */
	ACT_STP_LOG,	/* one string: log() adds a newline */
	ACT_STP_WARN,	/* WARNING: text, to stderr */
	ACT_STP_ERROR,	/* ERROR: text; counts against MAXERRORS */
	ACT_STP_SYSTEM,
	ACT_STP_PRINTK,	/* args (s64 level, string): to the kernel's log */
	ACT_STP_HIST,	/* print(@hist_log(x)): args (stat_wire with buckets) */
	ACT_STP_BACKTRACE,/* args (stack, u64 address of the probe) or (addresses as text, s64 pid): print_backtrace and relatives;
			     `number`: enum stp_stack, extra: the probe's name */
};
/* How SystemTap's functions show a stack. */
enum stp_stack {
	STP_STACK_LONG,	   /* print_backtrace(), print_ubacktrace() */
	STP_STACK_SOURCE,  /* the same with places in the source */
	STP_STACK_BRIEF,
	STP_STACK_TEXT,	   /* as in strings */
	STP_STACK_TEXT_ENTRY, /* the same, at a function's first instruction */
	STP_STACK_KERNEL_SYMBOLS, STP_STACK_USER_SYMBOLS, /* print_syms(), print_usyms() */
	STP_STACK_RETURNS = 16 /* or'ed in: of a function that returns, whose address goes with it */
};
enum runtime_error { RT_DIV_BY_ZERO, RT_ARRAY_BOUNDS, RT_MAP_FULL, RT_SCRATCH_BUSY, RT_STACK_FULL, RT_NO_ENTRY };

/* Each record: this header, then the fixed part described by args, then packed string tails. */
struct record_wire {
	uint32_t action; /* index into program.action */
	uint32_t size;	 /* of the whole record */
};

struct action {
	enum action_kind kind;
	unsigned id;
	struct loc loc;
	const char *fmt;    /* arena; NULL when unused */
	struct type *args;  /* TUPLE of the arguments; offsets count from the end of record_wire.
			       A STR with size > PACKED_STR is packed: u32 {offset from record start} u32 {length} */
	struct var *var;
	uint64_t number;
	bool is_stderr;
	const char *extra; /* e.g. probe name of a SystemTap error */
};
enum { PACKED_STR = 64 }; /* strings of up to this many bytes are stored inline */

/* --- probes ---------------------------------------------------------------------------------------------- */

/* How the kernel runs it: BPF program type and expected attach type follow from this. */
enum prog_kind {
	PROG_KPROBE,	     /* struct pt_regs *; uprobe too */
	PROG_KPROBE_MULTI,
	PROG_KPROBE_SESSION, /* a function's entry and its return; the code is one for PROG_KPROBE_MULTI */
	PROG_UPROBE_MULTI,
	PROG_TRACEPOINT,     /* the event's record */
	PROG_RAW_TP,	     /* u64 args[]: untyped raw tracepoint, test_run for begin and end */
	PROG_RAW_TP_BTF,     /* BPF_PROG_TYPE_TRACING / BPF_TRACE_RAW_TP */
	PROG_PERF_EVENT,     /* struct bpf_perf_event_data * */
	PROG_FENTRY,
	PROG_FEXIT,
	PROG_FENTRY_MULTI, /* one program for many functions: arguments come from helpers, not from the context */
	PROG_FEXIT_MULTI,
	PROG_LSM,
	PROG_ITER,
	PROG_NETFILTER, /* struct bpf_nf_ctx *; what it returns is the packet's fate: 0 drops it, 1 lets it go on */
	PROG_XDP,  /* struct xdp_md *: tests and benchmarks, which the command line runs by test_run */
	PROG_USER, /* never loaded: the user-space interpreter runs it */
};

struct attach_point; /* lang/probe.h: one expanded place */

struct probe {
	unsigned id;
	const char *name; /* as `probe` prints it: "kprobe:vfs_read" */
	struct ir_fn *fn; /* shared by probes whose handler is the same */
	enum prog_kind kind;
	bool sleepable;
	const char *btf_target; /* FENTRY, FEXIT, RAW_TP_BTF, ITER, LSM: the function or event */
	uint32_t btf_id;	/* its id in vmlinux BTF: typedef btf_trace_X, function, bpf_iter_X */
	struct attach_point **points;
	uint32_t npoints;
	struct loc loc;
	bool is_hidden; /* made by the compiler: not counted, not listed */
	bool is_one_of_many; /* of probes that one pattern gave: if it cannot be attached, that is a warning */
	int return_value_default; /* documented in probe.h */
};

/* --- the program ------------------------------------------------------------------------------------------- */

struct program_options {
	uint32_t max_map_keys;	  /* 4096; SystemTap 2048 */
	uint32_t max_strlen;	  /* 1024; SystemTap 512 */
	uint32_t ring_bytes;	  /* 0: chosen by attach */
	uint32_t max_cat_bytes;	  /* 10240 */
	uint32_t max_probes, max_progs;
	uint32_t stack_limit;	  /* 127 */
	enum stack_mode stack_mode;
	bool print_maps_on_exit;
	bool helper_errors;	  /* -k */
	bool demangle;
	bool lazy_symbols;
	bool show_debug_info;
	const char *str_trunc_trailer; /* ".." */
	const char *license;	  /* "GPL" */
	int missing_probes;	  /* 0 error 1 warn 2 ignore */
	uint32_t log_size;
	uint32_t max_errors;	  /* SystemTap's MAXERRORS: errors that do not end the session */
	int64_t hist_elision;	  /* SystemTap's HIST_ELISION: rows; negative: show all */
	bool dummy_ts;		  /* tests of tseries read their clock from a map */
};

/*
 * A CONST that program_finish writes: percpu_row, times * the scratch row or sub_row, or all ones when some handler sets the exit word and 0
 * when none does (then nothing needs to look).
 */
struct row_const {
	struct ir_fn *fn;
	ir_ref insn;
	enum { ROW_PERCPU, ROW_SCRATCH, ROW_SUB, ROW_EXITS } what;
	int64_t times;	 /* scratch: the constant is times * one level's bytes */
};

struct program {
	struct arena *arena;
	const char *lang_name; /* "bpftrace" or "stap" */
	const char *session_name; /* what this run is called: a folder's name; NULL: nobody asks */
	struct program_options opt;
	VEC(struct ir_fn *) fn;
	VEC(struct map *) map;
	VEC(struct var *) var;
	VEC(struct action *) action;
	VEC(struct probe *) probe;
	VEC(const char *) string; /* formats and other text that the kernel names by index */
	VEC(const char *) name;	  /* TYPE_PROBE_NAME */
	VEC(struct type *) type;  /* kept for listing and tests */
	/* well-known maps, made by program_new; unused ones are not created in the kernel */
	struct map *data;    /* scalars; value_size grows while compiling */
	struct map *rodata;  /* string literals and tables */
	struct map *percpu;  /* MAP_DATA: ncpu rows of program->percpu_row bytes (a multiple of 64) */
	uint32_t percpu_row; /* final only when lowering has ended: see kit_percpu */
	struct map *ring;
	struct map *stacks;  /* hash: u64 id -> struct stack_frames_wire */
	/* User stacks by unwind tables (runtime/unwind.h): made by program_unwind(), NULL before. */
	struct {
		struct map *procs, *files, *segs, *rules, *miss;
		uint32_t ends_offset; /* in `data`: u64 counts by enum uw_end */
	} unwind;
	struct map *scratch; /* MAP_DATA: ncpus * SCRATCH_LEVELS regions (or one, one_at_a_time) of scratch_row bytes */
	uint32_t scratch_row; /* largest need of any function, with its header; a multiple of 64 */
	struct map *subs;     /* MAP_DATA: frames of functions that call themselves, sub_depth of sub_row bytes; NULL: none */
	uint32_t sub_row, sub_depth;
	struct buf rodata_bytes;
	unsigned ncpus; /* possible CPUs: from the world, before program_finish */
	uint32_t writes_in_line; /* kit_shared.c's own: how many writes to maps are not calls */
	struct strtab string_index, rodata_index; /* program.c's own: what is already in string and rodata */
	/* offsets in `data` of counters that every program has, 0 when unused (offset 0 is reserved) */
	uint32_t lost_offset;	 /* u64: records that found the ring full, all probes */
	uint32_t skipped_offset; /* u64: events skipped because scratch was busy */
	uint32_t lock_offset;	 /* u64: owner of the lock of kit_lock(), 0: free */
	uint32_t unlocked_offset;/* u64: events skipped because the lock could not be had */
	uint32_t gone_offset;    /* u64: events whose handler ended at a variable that is not there */
	uint32_t unstored_offset;/* u64: stacks that could not be stored, where no warning says so */
	uint32_t exit_offset;	 /* u64: bit 0 set by exit(), its code in bits 32 to 63; then programs return at once */
	uint32_t realtime_offset;/* u64: nanoseconds from CLOCK_MONOTONIC to CLOCK_REALTIME, set before start; 0: unused */
	uint32_t known_offset;	 /* in a CPU's row: STACKS_KNOWN ids of stacks that are stored, see kit_stack; 0: unused */
	uint32_t seq_offset;	 /* u64: insertion numbers of has_seq variables; 0: unused */
	/* No handler can interrupt another one on its CPU: what belongs to a CPU needs no atomic operations. */
	bool one_at_a_time;
	bool exits; /* some handler can set the exit word */
	bool takes_kernel_stacks;
	VEC(struct row_const) row_consts;
	VEC(struct kit_entry *) entry; /* the kit's: functions whose registers are kept at their entry */
};
enum { SCRATCH_LEVELS = 4, STACK_FRAMES_MAX = 1024, STACKS_KNOWN = 64 };

/*
 * program.c.  program_new sets bpftrace's defaults in `opt` and makes the well-known maps.  The struct lives
 * in the arena; program_free gives back what is on the heap, the functions' too.
 */
struct program *program_new(struct arena *a, const char *lang_name);
void program_free(struct program *p);
struct map *program_map(struct program *p, const char *name, enum map_kind kind, uint32_t key_size,
			uint32_t value_size, uint32_t nentries);
struct var *program_var(struct program *p, const char *name); /* appended, all else zero */
struct action *program_action(struct program *p, enum action_kind kind, struct loc loc);
struct probe *program_probe(struct program *p, const char *name, struct ir_fn *fn, enum prog_kind kind);
uint32_t program_string(struct program *p, const char *s);  /* index; equal strings share one */
uint32_t program_rodata(struct program *p, const void *bytes, size_t n, size_t align); /* offset; shared */
uint32_t program_data(struct program *p, uint32_t size, uint32_t align); /* offset of zeroed bytes in `data` */
/* Offset of the exit word in `data`; `sets`: the caller writes it, rather than looks. */
uint32_t program_exit_word(struct program *p, bool sets);
uint32_t program_percpu(struct program *p, uint32_t size, uint32_t align); /* offset in a CPU's row */
void program_unwind(struct program *p); /* makes the maps of p->unwind, once */
/*
 * Fixes sizes of data, rodata, percpu and scratch (+ one element of `stacks` when stacks are used, see
 * kit_stack) and patches row_consts.  Run once after lowering, before ir_optimize.
 */
void program_finish(struct program *p);
/* One line a map, in the syntax that ir_parse reads: see doc/ir.md. */
void program_dump_maps(const struct program *p, struct buf *out);
