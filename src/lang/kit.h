/*
 * kit.h - what both languages lower to: memory, strings, maps, aggregations, records, stacks.
 *
 * The kit emits IR through an ir_builder.  It knows no language: integer rules, error texts and
 * defaults are the caller's.  Addresses are ir_refs; a "loc" is where a runtime error is reported.
 */
#pragma once

#include "debuginfo/world.h"
#include "ir/program.h"
#include "lang/probe.h"

struct kit {
	struct program *prog;
	struct world *world;
	struct ir_builder b; /* the function being built */
	enum prog_kind kind; /* of the probe being lowered */
	const struct attach_point
		*point;          /* first point of the probe; arguments are alike for all */
	bool plain_adds;         /* the aggregation at hand needs no atomic operations */
	bool helper_errors;      /* -k: report failed reads and such */
	struct kit_frame *frame; /* the function's frame, see kit_begin */
	/* Set: emits what happens on a runtime error instead of sending a record; may leave the
	 * block terminated.  code: what a map's helper returned, in 64 bits; 0: no helper refused. */
	void (*on_error)(struct kit *k, enum runtime_error e, ir_ref code, struct loc loc, void *arg);
	void *on_error_arg;
	struct elf_file *program; /* set: locations are of the program that runs, whatever the probe is in */
};

/* --- functions
 * ------------------------------------------------------------------------------------------ */

/* Starts an entry function: emits the exit() check; scratch is acquired on first use.  */
struct ir_fn *kit_begin(struct kit *k, const char *name, enum prog_kind kind, struct loc loc);
/* Ends it: every path returns through here.  Patches sizes, runs ir_cfg. */
void kit_end(struct kit *k);
/* Says that a predicate was passed: scratch is acquired here rather than at the entry, unless
 * already in use. */
void kit_scratch_here(struct kit *k);
/* Returns from the probe with a value (0: the kind's default) after giving scratch back.
 * The builder is then at a fresh unreachable block. */
void kit_return(struct kit *k, ir_ref value);
ir_ref kit_ctx(struct kit *k); /* the context; also inside callbacks */
/*
 * Netfilter programs: what becomes of the packet when the handler ends, KIT_ACCEPT until something else is said.  However a handler ends early
 * (exit(), an error, no scratch, no lock), the packet goes on as it was last said to.
 */
enum { KIT_DROP, KIT_ACCEPT }; /* linux/netfilter.h; the kernel takes no others of a program */
ir_ref kit_verdict(struct kit *k);
void kit_set_verdict(struct kit *k, ir_ref v);

/* --- functions that may call themselves, only in programs that user space runs: kit_sub.c
 * ------------------------------------------------------------------------------------------ */

/* Starts such a function, in a kit of its own; memory of its body is of its frame.  kit_return leaves it. */
struct ir_fn *kit_sub_begin(struct kit *k, const char *name, struct loc loc);
void kit_sub_end(struct kit *k);
/* The frame of a function that is called from here, and whether one of at most `depth` is left (1 or 0). */
ir_ref kit_sub_next(struct kit *k);
ir_ref kit_sub_fits(struct kit *k, ir_ref next, uint32_t depth);
/* Byte `offset` of what caller and callee share: of another's frame; of one's own, the first kit_local()s of the body, zeroed by nobody. */
ir_ref kit_sub_shared(struct kit *k, ir_ref frame, uint32_t offset);
ir_ref kit_sub_own(struct kit *k, uint32_t offset);
/* Keeps the first `size` bytes of the frame for that; before any other memory is taken. */
void kit_sub_share(struct kit *k, uint32_t size);
void kit_sub_call(struct kit *k, struct ir_fn *fn, ir_ref frame);

/* --- memory
 * --------------------------------------------------------------------------------------------- */

/*
 * Memory of this event.  Small regions (<= 64 bytes, while the stack budget of ~256 bytes lasts)
 * are stack slots, others per-CPU scratch.  Contents undefined.  Valid until the probe returns; a
 * region allocated inside a loop body is one region.  kit_mark/kit_release reuse scratch between
 * statements.
 */
ir_ref kit_mem(struct kit *k, uint32_t size);
ir_ref kit_mem_zero(struct kit *k, uint32_t size);
uint32_t kit_mark(struct kit *k);
void kit_release(struct kit *k, uint32_t mark);
/* A script variable: lives across loop bodies (a field of the frame when the function has
 * callbacks). */
struct kit_local {
	uint32_t size;
	ir_ref slot; /* address in its home function; 0: in scratch */
	uint32_t scratch_offset;
	struct kit_frame *home;
	bool is_address;     /* of BPF memory: the verifier must keep knowing what it is */
};
struct kit_local *kit_local(struct kit *k, uint32_t size); /* zeroed where it is declared */
/* The same in scratch: a handler with many would run out of stack.  Not for addresses of BPF memory, which may not be kept there. */
struct kit_local *kit_local_far(struct kit *k, uint32_t size);
/* A number that the whole handler may use, also when it is first asked for in a loop's body; zeroed when the handler begins. */
struct kit_local *kit_local_of_handler(struct kit *k);
ir_ref kit_local_addr(struct kit *k, struct kit_local *v);

void kit_copy(struct kit *k, ir_ref dst, ir_ref src, uint32_t n); /* both BPF memory */
void kit_zero(struct kit *k, ir_ref dst, uint32_t n);
/* Bytes from any pointer.  On a fault dst is zeroed and, with -k, reported.  Returns the helper's
 * result. */
ir_ref kit_read(struct kit *k, ir_ref dst, uint32_t n, ir_ref addr, enum addr_space as,
		struct loc loc);
/* A scalar of width 1 2 4 8 from any pointer, extended. */
ir_ref kit_read_scalar(struct kit *k, ir_ref addr, int64_t off, unsigned width, bool is_signed,
		       enum addr_space as, struct loc loc);
/* A bit-field or scalar field at addr + offset. */
ir_ref kit_read_field(struct kit *k, ir_ref addr, const struct field *f, uint32_t offset,
		      enum addr_space as, struct loc loc);
/* AS_NONE -> what the probe kind implies. */
enum addr_space kit_as(const struct kit *k, enum addr_space as);

/* --- strings: buffers of `cap` bytes, NUL-terminated unless full, zero-padded
 * ----------------------------- */

/* cap bytes from a C string pointer; the rest is zeroed; returns bytes incl. NUL, or < 0.
 * limit (0: cap): a runtime length as in str(p, n), n including the NUL. */
ir_ref kit_str_read(struct kit *k, ir_ref dst, uint32_t cap, ir_ref addr, ir_ref limit,
		    enum addr_space as, struct loc loc);
ir_ref kit_str_literal(struct kit *k, const char *s, uint32_t len,
		       uint32_t cap); /* address in rodata, padded */
void kit_str_copy(struct kit *k, ir_ref dst, uint32_t dst_cap, ir_ref src, uint32_t src_cap);
ir_ref kit_str_eq(struct kit *k, ir_ref a, uint32_t acap, ir_ref b, uint32_t bcap); /* 1 or 0 */
ir_ref kit_str_cmp(struct kit *k, ir_ref a, uint32_t acap, ir_ref b,
		   uint32_t bcap); /* <0 0 >0 as strcmp */
ir_ref kit_str_ncmp(struct kit *k, ir_ref a, uint32_t acap, ir_ref b, uint32_t bcap, ir_ref n);
ir_ref kit_str_len(struct kit *k, ir_ref a, uint32_t cap);
/* offset of needle in a, or -1 */
ir_ref kit_str_find(struct kit *k, ir_ref a, uint32_t acap, ir_ref needle, uint32_t ncap);
/* dst = a . b, cut to dcap - 1; dst is padded */
void kit_str_concat(struct kit *k, ir_ref dst, uint32_t dcap, ir_ref a, uint32_t acap, ir_ref b,
		    uint32_t bcap);
ir_ref kit_mem_eq(struct kit *k, ir_ref a, ir_ref b, uint32_t n); /* 1 or 0 */
/* Call of a string function of the runtime by name, arguments as that function says. */

/* --- variables and maps
 * ------------------------------------------------------------------------------------ */

/* Decides the form of a variable (see struct var) once key, value and max_entries are set, and
 * makes its map. */
void kit_var_define(struct kit *k, struct var *v);
/*
 * Address of the value for reading, in BPF memory, or 0 (compare before use!) when the key is
 * absent. Scalars: always present.  `key`: address of key_size bytes, zero-padded; 0 for scalars.
 */
ir_ref kit_var_lookup(struct kit *k, struct var *v, ir_ref key);
/* Same with code: runs `hit` with the address when present, `miss` (may be NULL) otherwise. */
void kit_var_if(struct kit *k, struct var *v, ir_ref key,
		void (*hit)(struct kit *k, ir_ref value, void *arg),
		void (*miss)(struct kit *k, void *arg), void *arg);
/* Copies the value to dst (mem size of the value type), zero when absent. */
void kit_var_get(struct kit *k, struct var *v, ir_ref key, ir_ref dst);
ir_ref kit_var_get_scalar(struct kit *k, struct var *v,
			  ir_ref key); /* types that fit a register, extended */
void kit_var_set(struct kit *k, struct var *v, ir_ref key, ir_ref value_addr, struct loc loc);
void kit_var_set_scalar(struct kit *k, struct var *v, ir_ref key, ir_ref value, struct loc loc);
/* Atomically adds, creating the element; integers of 8 bytes.  Returns the old value. */
ir_ref kit_var_add(struct kit *k, struct var *v, ir_ref key, ir_ref delta, struct loc loc);
ir_ref kit_var_has(struct kit *k, struct var *v, ir_ref key); /* 1 or 0; scalars: 1 */
ir_ref kit_var_delete(struct kit *k, struct var *v,
		      ir_ref key); /* 1 when it was there; scalars: zeroed, 1 */
ir_ref kit_var_len(struct kit *k, struct var *v);

/* Aggregations.  `n` is the value; count() ignores it. */
void kit_agg_update(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc);
void kit_agg_tseries(struct kit *k, struct var *v, ir_ref key, ir_ref n, struct loc loc);
/* Reads an aggregation as an integer: count, sum, min, max, avg (stats: what is in `which`), merged
 * over CPUs. */
enum agg_read {
	AGG_VALUE,
	AGG_COUNT,
	AGG_SUM,
	AGG_MIN,
	AGG_MAX,
	AGG_AVG,
	AGG_VARIANCE
};
ir_ref kit_agg_read(struct kit *k, struct var *v, ir_ref key, enum agg_read which);
/* Merged copy of a whole TYPE_STAT (header and buckets) or other aggregation to dst (one CPU's
 * layout). */
void kit_agg_merge(struct kit *k, struct var *v, ir_ref key, ir_ref dst);

/* --- loops
 * -------------------------------------------------------------------------------------------------
 */

/*
 * Loops whose count the verifier need not know.  The body is emitted by `body` into a callback;
 * script variables must be kit_locals.  kit_break and kit_continue inside the body.  kit_return
 * inside a body returns from the probe.
 */
void kit_loop_range(struct kit *k, ir_ref from, ir_ref to,
		    void (*body)(struct kit *k, ir_ref i, void *arg), void *arg);
/* key and value are addresses (value: merged copy for per-CPU aggregations). */
void kit_loop_var(struct kit *k, struct var *v,
		  void (*body)(struct kit *k, ir_ref key, ir_ref value, void *arg), void *arg);
/* while: cond yields the condition; at most `limit` rounds (bpf_loop), whatever the verifier
 * thinks. */
void kit_loop_while(struct kit *k, ir_ref (*cond)(struct kit *k, void *arg),
		    void (*body)(struct kit *k, void *arg), void (*step)(struct kit *k, void *arg),
		    void *arg, uint32_t limit);
void kit_break(struct kit *k);
void kit_continue(struct kit *k);

/* --- the lock
 * -------------------------------------------------------------------------------------------------
 */

/*
 * From here until kit_unlock() or the handler's end, no other handler that locks runs, in the kernel or in user space.  Nothing when the
 * handler holds the lock already.  When it cannot be had, the event is skipped and counted.
 */
void kit_lock(struct kit *k);
void kit_unlock(struct kit *k);

/*
 * In user space: takes up to KIT_MAXTAKEN arrays (the others NULL) out of the kernel at once.  Until kit_take_end() the handler works on
 * what it took, while handlers in the kernel begin with empty ones; it must read them only, and clear all of them.
 */
enum { KIT_MAXTAKEN = 5 };
void kit_take(struct kit *k, const struct var *const var[KIT_MAXTAKEN]);
void kit_take_end(struct kit *k);

/* --- what the event is
 * ------------------------------------------------------------------------------------- */

ir_ref kit_pid_tgid(struct kit *k);
/* The same as our own pid namespace counts, and /proc shows; 0 for processes outside of it. */
ir_ref kit_ns_pid_tgid(struct kit *k);
ir_ref kit_uid_gid(struct kit *k);
void kit_comm(struct kit *k, ir_ref dst16);
ir_ref kit_nsecs(struct kit *k, enum ts_clock clock);
/* The clock of tseries in tests: the scalar @ts of the script. */
ir_ref kit_dummy_ts(struct kit *k);
ir_ref kit_cpu(struct kit *k);
ir_ref kit_curtask(struct kit *k);
/* A member path of a kernel struct read from a pointer by BTF: kit_kernel_path(k, task,
 * "task_struct", "real_parent.tgid", &type).  0 and *type NULL when the kernel has no such member.
 */
ir_ref kit_kernel_path(struct kit *k, ir_ref ptr, const char *struct_name, const char *path,
		       struct type **type_ret);
/* pt_regs of kprobe-like programs, or of perf events: register by its kernel name ("di", "ip"). */
ir_ref kit_reg(struct kit *k, const char *name); /* 0 when there is no such register */
ir_ref kit_func_arg(struct kit *k, unsigned i);  /* i-th integer argument at a function's entry */
ir_ref kit_retval(struct kit *k);
/* kit_usdt.c: argument i of a USDT site (attach_point.usdt_args), 64 bits; 0 when there is none that can be
 * read.  Sites of one probe may keep it in different places. */
ir_ref kit_usdt_arg(struct kit *k, const char *args, unsigned i, struct loc loc);
unsigned kit_usdt_nargs(const char *args);
/* Its text when it is there and of a kind that cannot be read ("8@%xmm0"), in the arena; else NULL. */
const char *kit_usdt_unreadable(struct kit *k, const char *args, unsigned i);
/* Its size in bytes, negative when it is signed; false: there is no such argument. */
bool kit_usdt_arg_size(const char *args, unsigned i, int *ret);
ir_ref kit_func_ip(struct kit *k);
/* kit_dwarf.c: where the bytes of a variable lie: in memory of the traced program, or (AS_BPF) in a copy of `size` bytes. */
struct kit_located {
	ir_ref addr;
	enum addr_space as;
};
struct kit_located kit_locate(struct kit *k, const struct dwarf_loc *l, uint32_t size, struct loc loc);
/* 1: the current process runs the program with that inode. */
ir_ref kit_runs_program(struct kit *k, uint64_t inode);
/* After all probes were lowered: adds those that variables need at the entry of their function. */
void kit_finish_entries(struct kit *k);
/* Has the compiler dropped some of these bits of the variable? */
bool kit_is_optimized_out(const struct dwarf_loc *l, uint64_t bit, uint64_t nbits);
/* Counts an event whose handler ends because a variable is not at this place. */
void kit_count_gone(struct kit *k);
/* Field of a tracepoint record / slot of a typed probe. */
ir_ref kit_arg_scalar(struct kit *k, const struct field *f, uint32_t offset, struct loc loc);
/* The whole word of a typed probe's slot at that offset, whose argument has the type. */
ir_ref kit_arg_word(struct kit *k, const struct type *t, uint32_t offset, struct loc loc);
/* A scalar of the context at an offset that probe_arguments() gave. */
ir_ref kit_ctx_load(struct kit *k, int64_t offset, unsigned width, bool is_signed);
/* attach_point.cookie of the place that the program runs at, one of these; they have theirs already. */
ir_ref kit_cookie(struct kit *k, const struct attach_points *points);
/* A kernel address as a number to calculate with: the verifier lets nobody shift, multiply or mask a pointer that it has a type for. */
ir_ref kit_untyped(struct kit *k, ir_ref pointer);

/* --- stacks
 * -------------------------------------------------------------------------------------------------
 */

/* Stores a struct stack_value_wire at dst. */
void kit_stack(struct kit *k, const struct type *t, ir_ref dst, struct loc loc);

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

/* One argument of a record: a register for scalars, an address otherwise. */
struct kit_value {
	struct type *type;
	ir_ref v;
	bool is_addr;
	ir_ref len; /* strings: bytes used incl. NUL when known, else 0 */
};
/* Sends a record for `act` with n arguments; sets act->args.  Loss is counted. */
void kit_send(struct kit *k, struct action *act, const struct kit_value *v, unsigned n);
/*
 * Sends a vector of C strings (argv): args are u64 count and one string that holds them all, each with its NUL.
 * Reads pointers at vec until a NULL, a fault or `max` strings of at most `cap` bytes.
 */
void kit_send_strings(struct kit *k, struct action *act, ir_ref vec, enum addr_space as, unsigned max,
		      uint32_t cap, struct loc loc);
/*
 * Records without arguments: places that differ in the action only can share the code that sends.  `id` is the id of an action
 * made for that.
 */
struct action *kit_bare_action(struct kit *k, enum action_kind kind, bool has_code, struct loc loc);
void kit_send_bare(struct kit *k, ir_ref id, ir_ref code); /* code: a number that goes along, 0: none */
void kit_exit(struct kit *k, ir_ref code,
	      struct loc loc); /* ACT_EXIT, sets the exit word, then kit_return */
void kit_runtime_error(struct kit *k, enum runtime_error e, struct loc loc);
/* The same, after the helper of a map returned `ret` (not 0): that goes along, since a map may be full, or the kernel without memory at hand. */
void kit_map_error(struct kit *k, enum runtime_error e, ir_ref ret, struct loc loc);
/* Reports a helper's negative result when -k asks for it. */
void kit_check_helper(struct kit *k, ir_ref ret, int helper, struct loc loc);
void kit_tell_helper(struct kit *k, ir_ref ret, int helper, struct loc loc); /* the same without being asked for */
