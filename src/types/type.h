/*
 * type.h - the types of script values and of what leaves the kernel.
 *
 * One struct for both languages, for kernel types (BTF), user types (DWARF), map keys and values and
 * records.  A type describes bytes in memory; which operations are allowed on it is each language's rule.
 * Types live in an arena and are never changed after they were built, except that a struct from BTF or
 * DWARF is completed on first use (type_complete).
 */
#pragma once

#include "base/base.h"

enum type_kind {
	TYPE_NONE, /* void, or "no value" */
	TYPE_INT,  /* size 1 2 4 8, is_signed */
	TYPE_BOOL, /* size 1 (or what BTF says) */
	TYPE_ENUM, /* an int with names */
	TYPE_PTR,  /* elem: pointee (TYPE_NONE for void), as: address space */
	TYPE_STR,  /* size: capacity in bytes; NUL-terminated and zero-padded to size unless it fills it */
	TYPE_BUF,  /* size: capacity; in memory: u32 length, then the bytes (so size + 4 bytes) */
	TYPE_ARRAY, /* elem, count */
	TYPE_STRUCT,
	TYPE_UNION,
	TYPE_TUPLE,  /* fields without names; each aligned as in C; packed into keys zero-padded */
	TYPE_RECORD, /* fields with names, compared by name */
	TYPE_FLOAT,  /* only read and printed: size 4 8 */
	/* values that are numbers in the kernel and text outside */
	TYPE_KSTACK,	   /* struct stack_value_wire, see program.h; stack_mode */
	TYPE_USTACK,	   /* same */
	TYPE_KSYM,	   /* u64 address */
	TYPE_USYM,	   /* struct usym_wire */
	TYPE_INET,	   /* struct inet_wire */
	TYPE_MAC,	   /* 6 bytes */
	TYPE_TIMESTAMP,	   /* struct timestamp_wire: strftime() */
	TYPE_CGROUP_PATH,  /* struct cgroup_path_wire */
	TYPE_USERNAME,	   /* u64 uid */
	TYPE_PROBE_NAME,   /* u64 index into program->names: `probe`, pp() where it can stay a number */
	/* aggregations: only as a map's value */
	TYPE_COUNT, /* u64 */
	TYPE_SUM,   /* s64 or u64 by is_signed */
	TYPE_MIN,   /* struct minmax_wire */
	TYPE_MAX,   /* struct minmax_wire */
	TYPE_AVG,   /* struct stats_wire */
	TYPE_STATS, /* struct stats_wire */
	TYPE_HIST,  /* u64[hist_buckets(k)], arg[0] = k */
	TYPE_LHIST, /* u64[nbuckets], arg = min, max, step */
	TYPE_TSERIES, /* arg = interval ns, number of intervals, enum tseries_agg; struct tseries_wire[n] */
	TYPE_STAT,  /* SystemTap's `<<<`: struct stat_wire, then u64 buckets when the script asks for a histogram:
		       arg = start, stop, step for @hist_linear ((stop - start) / step + 3 buckets, the outer
		       ones underflow and overflow); step 0 is @hist_log (128 buckets, zero at 64) */
	/* compile-time only, never in memory */
	TYPE_CTX,  /* the probe's context, `args` of some probes */
};

/* Where a pointer points; decides which read helper is used. */
enum addr_space { AS_NONE, AS_KERNEL, AS_USER, AS_BPF /* map value or stack: read directly */ };

/* What a time series keeps of the values of one interval; the order of bpftrace's argument is free. */
enum tseries_agg { TSERIES_LAST, TSERIES_AVG, TSERIES_MAX, TSERIES_MIN, TSERIES_SUM };

enum stack_mode { STACK_BPFTRACE, STACK_PERF, STACK_RAW, STACK_BUILD_ID };

struct field {
	const char *name; /* NULL: tuple element or anonymous member */
	struct type *type;
	uint32_t offset;     /* bytes from the start of the struct; of the storage unit for a bit-field */
	uint32_t bit_offset; /* within the storage unit at `offset` */
	uint32_t bit_width;  /* 0: not a bit-field */
	bool data_loc;	     /* tracepoint __data_loc: u32 at offset holds (len << 16 | offset from ctx) */
};

struct enumerator {
	const char *name;
	int64_t value;
};

struct type {
	enum type_kind kind;
	uint32_t size; /* bytes in memory; for STR and BUF the capacity */
	bool is_signed;
	uint8_t stack_mode; /* enum stack_mode */
	uint8_t as;	    /* enum addr_space, for pointers */
	bool is_chars;	    /* STR: the value of a C array of chars, which may be full without being cut off */
	bool is_code;	    /* NONE: a function, behind a pointer */
	bool is_ctx_based;  /* struct read straight from the program's context (tracepoint args) */
	const char *name;   /* "task_struct", "size_t"; NULL when it has none */
	struct type *elem;
	uint32_t count; /* array elements; stacks: frame limit */
	struct field *field;
	uint32_t nfield;
	struct enumerator *enumerator;
	uint32_t nenumerator;
	int64_t arg[3]; /* aggregation parameters, see the kinds */
	/* set while a struct, union or enum is known by name only; type_complete() runs it once */
	void (*complete)(struct type *t, struct arena *a);
	const void *origin; /* struct btf, DWARF file... for `complete` */
	uint32_t origin_id; /* BTF type id (0: none) */
};

/* Shared constants. */
extern struct type type_none, type_int8, type_int16, type_int32, type_int64, type_uint8, type_uint16,
	type_uint32, type_uint64, type_bool, type_ksym, type_usym, type_mac, type_username, type_char;

struct type *type_int(uint32_t size, bool is_signed); /* shared constant; size 1 2 4 8 */
struct type *type_str(struct arena *a, uint32_t size);
struct type *type_buf(struct arena *a, uint32_t size);
struct type *type_ptr(struct arena *a, struct type *elem, enum addr_space as);
struct type *type_array(struct arena *a, struct type *elem, uint32_t count);
/* A tuple with C layout: offsets, size and alignment are computed.  names NULL: tuple, else record. */
struct type *type_tuple(struct arena *a, struct type *const *elem, const char *const *names, uint32_t n);
struct type *type_stack(struct arena *a, bool user, enum stack_mode mode, uint32_t limit);
/* arg NULL: all zero, and a TYPE_STAT without a histogram. */
struct type *type_agg(struct arena *a, enum type_kind kind, bool is_signed, const int64_t arg[3]);

void type_complete(struct type *t, struct arena *a);
uint32_t type_align(const struct type *t);
uint32_t type_mem_size(const struct type *t); /* bytes a value occupies: size, + 4 for BUF */
bool type_is_agg(const struct type *t);
bool type_is_integral(const struct type *t); /* INT BOOL ENUM */
bool type_is_scalar(const struct type *t);   /* fits one register: integral, PTR, KSYM, ... */
bool type_equal(const struct type *a, const struct type *b);
/* Field by name, looking through anonymous members; offset_ret gets the offset from t's start. */
const struct field *type_field(struct type *t, const char *name, struct arena *a, uint32_t *offset_ret);
/* As bpftrace spells it in messages: "int64", "string[16]", "struct foo *", "(int64,string[3])". */
void type_spell(const struct type *t, struct buf *out);

/* Histogram buckets of bpftrace's hist(n, k): see runtime/hist.h for the mapping value -> bucket. */
uint32_t hist_buckets(unsigned k);
uint32_t lhist_buckets(int64_t min, int64_t max, int64_t step); /* with both outer ones */

/*
 * hist_text.c: the histogram of a TYPE_STAT as SystemTap prints it: n buckets of 8 bytes each.  elision: empty rows on both sides
 * of data that are shown, < 0: all.
 */
void stp_hist_text(const struct type *t, const uint8_t *bucket, uint32_t n, int64_t elision, struct buf *out);
