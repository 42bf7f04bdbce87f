/*
 * base.h - what every room stands on: memory, growable arrays, text, tables, errors.
 *
 * Knows nothing of tracing.  Out of memory ends the process with a message; no caller tests for it.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
/* Each argument is evaluated once; in constants use the ones with _C. */
#define MIN(a, b)	   PICK(a, <, b, __COUNTER__)
#define MAX(a, b)	   PICK(a, >, b, __COUNTER__)
#define MIN_C(a, b)	   ((a) < (b) ? (a) : (b))
#define MAX_C(a, b)	   ((a) > (b) ? (a) : (b))
#define PICK(a, op, b, n)  PICK_(a, op, b, n)
#define PICK_(a, op, b, n)                                                                         \
	__extension__({                                                                            \
		__auto_type pick_a_##n = (a);                                                      \
		__auto_type pick_b_##n = (b);                                                      \
		pick_a_##n op pick_b_##n ? pick_a_##n : pick_b_##n;                                \
	})
#define ALIGN_UP(x, a)	   (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define PRINTF_LIKE(f, a)  __attribute__((format(printf, f, a)))
#define MUST_CHECK	   __attribute__((warn_unused_result))
#define NORETURN	   __attribute__((noreturn))
#define UNUSED		   __attribute__((unused))

/* A bug of ours, never reachable from input: prints place and message, aborts. */
#define BUG(...) base_bug(__FILE__, __LINE__, __VA_ARGS__)
NORETURN void base_bug(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* alloc.c: heap that cannot fail */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Run at scope exit: `_cleanup_free_ char *s = ...`, `_cleanup_close_ int fd = -1`. */
void base_cleanup_free(void *pp);
void base_cleanup_close(int *fd);
#define _cleanup_free_	__attribute__((cleanup(base_cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(base_cleanup_close)))

/*
 * arena.c: many small objects with one lifetime.  Memory is zeroed and aligned to 16 bytes.  There is
 * no free of a single object; arena_destroy() gives everything back.  arena_destroy(NULL) is legal.
 */
struct arena;
struct arena *arena_create(void);
void arena_destroy(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);
size_t arena_bytes(const struct arena *a);
#define arena_new(a, type)	 ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/*
 * vec.c: growable array of any type on the heap.  `VEC(struct map *) maps = {0};` declares one,
 * all zero bytes is empty.  vec_push evaluates its value once.  vec_free gives the memory back.
 */
#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t len, cap;                                                                   \
	}
void *base_vec_grow(void *at, size_t *cap, size_t need, size_t size);
#define vec_reserve(v, n)                                                                          \
	((n) > (v)->cap ? (void)((v)->at = base_vec_grow((v)->at, &(v)->cap, (n), sizeof(*(v)->at))) \
			: (void)0)
#define vec_push(v, ...) (vec_reserve(v, (v)->len + 1), (void)((v)->at[(v)->len++] = (__VA_ARGS__)))
#define vec_last(v)	 ((v)->at[(v)->len - 1])
#define vec_pop(v)	 ((v)->at[--(v)->len])
#define vec_free(v)	 (base_free((v)->at), (v)->at = NULL, (v)->len = (v)->cap = 0)
#define vec_each(it, v)                                                                            \
	for (__typeof__((v)->at + 0) it = (v)->at; it && it < (v)->at + (v)->len; it++)
void base_free(void *p);

/* buf.c: growable byte string; data is always NUL-terminated once anything was added. */
struct buf {
	char *data;
	size_t len, cap;
};
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_shown(struct buf *b, const char *s, size_t n); /* control characters become '?': fit for a terminal */
void buf_fill(struct buf *b, char c, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_free(struct buf *b);
const char *buf_str(struct buf *b); /* "" when empty; borrowed */

/*
 * table.c: hash tables from byte strings or 64-bit numbers to pointers.  Keys of `strtab` are copied.
 * A zeroed struct is an empty table.  Values are borrowed.  Iteration is in insertion order.
 */
struct table_entry {
	uint64_t hash, num;
	char *key; /* NUL-terminated copy; NULL in a numtab */
	size_t keylen;
	void *value;
};
struct strtab {
	VEC(struct table_entry) entry; /* insertion order; value NULL means removed */
	uint32_t *slot;
	uint32_t nslot;
};
void *strtab_get(const struct strtab *t, const char *key);
void *strtab_getn(const struct strtab *t, const void *key, size_t n);
void strtab_set(struct strtab *t, const char *key, void *value);
void strtab_setn(struct strtab *t, const void *key, size_t n, void *value);
void strtab_free(struct strtab *t);
struct numtab {
	VEC(struct table_entry) entry;
	uint32_t *slot;
	uint32_t nslot;
};
void *numtab_get(const struct numtab *t, uint64_t key);
void numtab_set(struct numtab *t, uint64_t key, void *value);
void numtab_free(struct numtab *t);
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_num(uint64_t v);

/* text.c: small questions about strings */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool glob_match(const char *pattern, const char *s); /* `*` only, as bpftrace */
/* The candidate nearest to `word` by edit distance, NULL when none is near enough to suggest. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);
/* The same for candidates that come one by one: true when this one is nearer than all before.  `best` is borrowed. */
struct nearest {
	const char *word, *best;
	unsigned limit;
};
struct nearest nearest_begin(const char *word);
bool nearest_add(struct nearest *n, const char *candidate);
/* Whole file (also from /proc and sysfs, whose size is 0) as a NUL-terminated string; NULL and errno. */
char *read_file(const char *path, size_t *len_ret);

/*
 * err.c: the world is wrong (files, system calls).  NULL is success.  An error is owned by who gets it;
 * err_note() puts context before the message ("loading libc.so.6: bad magic").  Nothing below cli prints.
 */
struct source;
struct loc {
	const struct source *src; /* NULL: nowhere */
	uint32_t begin, end;	  /* byte offsets, end exclusive */
};
struct err {
	int code;   /* errno value, 0 when there is none */
	char *msg;  /* one line, no newline */
	char *hint; /* what to do about it, may be NULL */
	char *log;  /* long text for -v: a verifier's log, may be NULL */
	struct loc loc; /* in the script, where the kernel's complaint has a place there */
	bool is_notice; /* nothing is wrong, there is only nothing to do: shown without "ERROR:" */
};
/* "No probes to attach", as bpftrace says it. */
struct err *err_no_probes(void) MUST_CHECK;
struct err *err_new(int code, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
struct err *err_errno(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_CHECK; /* appends strerror(errno) */
struct err *err_note(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
struct err *err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
void err_free(struct err *e);

/*
 * diag.c: the script is wrong.  A location is a byte range of one source; every diagnostic is kept and
 * rendered by the language's own renderer.
 */
struct source {
	const char *name; /* as shown: "stdin", "tool.bt" */
	const char *text; /* NUL-terminated */
	size_t len;
	const struct loc *from; /* text of a macro: where it was used; else NULL */
};
struct line_col {
	uint32_t line, col; /* both from 1; col counts bytes */
};
struct line_col source_line_col(const struct source *s, uint32_t offset);
/* The same for one place after the other: takes no time when they follow each other.  Starts as {0}. */
struct line_cursor {
	const struct source *src;
	uint32_t offset;
	struct line_col at;
};
struct line_col source_walk(struct line_cursor *c, const struct source *s, uint32_t offset);
/* The text of line `line` (from 1), without newline; len in *len. */
const char *source_line(const struct source *s, uint32_t line, size_t *len);
/* A line as it is shown in a message: of a very long one only what is around the place. */
struct line_window {
	const char *text;
	size_t len;
	uint32_t first; /* column of text[0], from 1 */
	bool cut_before, cut_after; /* to be shown as "..." */
};
struct line_window source_window(const struct source *s, struct line_col at);
struct loc loc_join(struct loc a, struct loc b); /* from the begin of a to the end of b */

enum diag_severity { DIAG_ERROR, DIAG_WARNING };
struct diag {
	enum diag_severity severity;
	struct loc loc;
	char *msg;
	VEC(char *) hints; /* arena strings; the vec itself is freed by diags_free */
	struct loc from; /* "expanded from" for macros, src NULL when none */
};
struct diags {
	struct arena *arena; /* messages live here */
	VEC(struct diag) list;
	unsigned errors, warnings;
	unsigned max_errors; /* 0: no limit; past it errors are counted, not kept */
};
void diags_init(struct diags *d, struct arena *a);
void diags_free(struct diags *d);
/* Both return the new diagnostic so that hints can be added; never NULL, valid until the next add. */
struct diag *diag_error(struct diags *d, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct diag *diag_warn(struct diags *d, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_hint(struct diags *d, struct diag *of, const char *fmt, ...) PRINTF_LIKE(3, 4);
