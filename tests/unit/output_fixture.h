/* output_fixture.h - an exporter that writes to memory, values made by hand, and a symbolizer that
 * knows two frames. */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "output/parts.h"
#include "test.h"

/* --- the symbolizer: 0x1000 is the kernel's "vfs_read", 0x2000 "main" in /bin/victim --- */

static inline struct frame fake_frame(uint64_t ip, bool is_user)
{
	struct frame f = {.ip = ip};
	if (!is_user && ip >= 0x1000 && ip < 0x2000)
		f.symbol = "vfs_read", f.offset = ip - 0x1000;
	if (is_user && ip >= 0x2000 && ip < 0x3000)
		f.symbol = "main", f.offset = ip - 0x2000, f.module = "/bin/victim", f.size = 0x40;
	if (is_user && ip >= 0x3000 && ip < 0x4000)
		f.module = "/bin/victim", f.map_offset = ip - 0x3000, f.map_size = 0x1000;
	return f;
}

static bool fixture_has_source; /* main's code at 0x2002 is of tiny(), inlined into small(), inlined there */

static inline void fake_source(struct frames *ret)
{
	static const char *const name[] = {"tiny", "small"};
	for (unsigned i = 0; i < 2; i++)
		vec_push(&ret->frame, ((struct frame){.ip = 0x2002, .symbol = name[i], .module = "/bin/victim", .is_inlined = true,
						      .file = "/src/a.h", .line = 10 - i}));
}

void symbolizer_stack(struct symbolizer *y, const struct value *stack, struct frames *ret)
{
	bool is_user = stack->type->kind == TYPE_USTACK;
	(void)y;
	*ret = (struct frames){0};
	if (is_user) {
		if (fixture_has_source)
			fake_source(ret);
		vec_push(&ret->frame, fake_frame(0x2002, true));
		if (fixture_has_source)
			ret->frame.at[2].file = "/src/a.c", ret->frame.at[2].line = 7;
		vec_push(&ret->frame, fake_frame(0xdead, true));
	} else {
		vec_push(&ret->frame, fake_frame(0x1001, false));
		vec_push(&ret->frame, fake_frame(0xbeef, false));
	}
}

bool symbolizer_kernel(struct symbolizer *y, uint64_t addr, struct frame *ret)
{
	(void)y;
	*ret = fake_frame(addr, false);
	return ret->symbol != NULL;
}

bool symbolizer_user(struct symbolizer *y, uint32_t pid, uint64_t addr, struct frame *ret)
{
	(void)y, (void)pid;
	*ret = fake_frame(addr, true);
	return ret->symbol != NULL;
}

bool symbolizer_source(struct symbolizer *y, bool is_user, uint32_t pid, uint64_t addr, struct frame *ret)
{
	(void)y, (void)is_user, (void)pid;
	ret->file = "/src/a.c";
	ret->line = 7;
	return addr >= 0x2000 && addr < 0x3000;
}

void frames_free(struct frames *f)
{
	vec_free(&f->frame);
}

/* --- the exporter ----------------------------------------------------------------- */

static struct arena *arena;
static struct program *prog;
static struct exporter *x;
static char out_text[65536], err_text[65536];

static inline void fixture_open(const struct exporter_ops *ops, const char *lang)
{
	setenv("TZ", "UTC", 1);
	arena = arena_create();
	prog = program_new(arena, lang);
	prog->opt.str_trunc_trailer = "..";
	struct output_env env = {.prog = prog, .symbols = (struct symbolizer *)&arena};
	x = exporter_create(ops, memfd_create("out", 0), &env);
	x->err_fd = memfd_create("err", 0);
}

static inline void read_back(int fd, char *to)
{
	ssize_t n = pread(fd, to, 65535, 0);
	to[n > 0 ? n : 0] = 0;
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		to[0] = 0;
}

/* What was written since the last call; the other stream's text is in err_text. */
static inline const char *written(void)
{
	exporter_flush(x);
	read_back(x->fd, out_text);
	read_back(x->err_fd, err_text);
	return out_text;
}

static inline void fixture_close(void)
{
	close(x->err_fd);
	close(x->fd);
	exporter_destroy(x);
	program_free(prog);
	arena_destroy(arena);
}

/* --- values ----------------------------------------------------------------------- */

static inline struct value bytes(const struct type *t, const void *p, uint32_t n)
{
	return (struct value){t, arena_memdup(arena, p, n), n};
}

static inline struct value num(const struct type *t, int64_t v)
{
	return bytes(t, &v, t->size);
}

static inline struct value i64(int64_t v)
{
	return num(&type_int64, v);
}

static inline struct value str(uint32_t cap, const char *s)
{
	char *room = arena_alloc(arena, cap);
	memcpy(room, s, MIN(strlen(s), (size_t)cap));
	return (struct value){type_str(arena, cap), (uint8_t *)room, cap};
}

/* What a packed string holds: `n` bytes, NULs included. */
static inline struct value bytes_of(uint32_t n, const char *s)
{
	return (struct value){type_str(arena, n), arena_memdup(arena, s, n), n};
}

/* A tuple of values, laid out as type_tuple says. */
static inline struct value tuple(unsigned n, const struct value *v, const char *const *names)
{
	struct type *elem[8];
	for (unsigned i = 0; i < n; i++)
		elem[i] = (struct type *)v[i].type;
	struct type *t = type_tuple(arena, elem, names, n);
	uint8_t *p = arena_alloc(arena, t->size);
	for (unsigned i = 0; i < n; i++)
		memcpy(p + t->field[i].offset, v[i].data, v[i].size);
	return (struct value){t, p, t->size};
}
#define TUPLE(...)                                                          \
	tuple(sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), \
	      (struct value[]){__VA_ARGS__}, NULL)

static inline struct value agg(enum type_kind kind, bool is_signed, const void *p, uint32_t n)
{
	return bytes(type_agg(arena, kind, is_signed, (int64_t[3]){0}), p, n);
}

static inline struct value stats(enum type_kind kind, uint64_t count, int64_t total)
{
	struct stats_wire s = {count, (uint64_t)total};
	return agg(kind, true, &s, sizeof(s));
}

static inline struct source script_source(const char *text)
{
	return (struct source){"stdin", text, strlen(text)};
}

/* --- variables -------------------------------------------------------------------- */

struct row {
	struct value key, value;
};

static inline void print_var(const char *name, const struct row *rows, unsigned n, uint64_t top,
			     uint64_t div, bool at_exit)
{
	struct map_rows r = {0};
	struct var v = {.name = name,
			.key = (struct type *)rows[0].key.type,
			.value = (struct type *)rows[0].value.type};
	for (unsigned i = 0; i < n; i++)
		vec_push(&r.row, (struct map_row){rows[i].key, rows[i].value, i});
	x->ops->var(x, &v, &r, top, div, at_exit);
	vec_free(&r.row);
}
#define VAR(name, ...)                               \
	print_var(name, (struct row[]){__VA_ARGS__}, \
		  sizeof((struct row[]){__VA_ARGS__}) / sizeof(struct row), 0, 0, true)

static inline void send_event(enum action_kind kind, const char *fmt, unsigned n,
			      const struct value *args)
{
	struct action *a = program_action(prog, kind, (struct loc){0});
	a->fmt = fmt;
	x->ops->event(x, a, args, n, NULL, 0);
}
#define SEND(kind, fmt, ...)                                                                \
	send_event(kind, fmt, sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value), \
		   (struct value[]){__VA_ARGS__})
