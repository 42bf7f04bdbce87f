/* tracefs_test.c - tracepoint formats and kernel symbols, on the fixture. */
#include "test.h"

#include "debuginfo/world.h"

#include <stdlib.h>

static struct arena *arena;
static struct world *w;

static const struct field *field_of(const char *category, const char *event, const char *name)
{
	struct tp_format *tp = tracefs_format(w, category, event);
	static const struct type nothing;
	static const struct field none = {.type = (struct type *)&nothing};
	CHECK(tp);
	for (uint32_t i = 0; tp && i < tp->record->nfield; i++)
		if (!strcmp(tp->record->field[i].name, name))
			return &tp->record->field[i];
	printf("%s:%s has no %s\n", category, event, name);
	CHECK(false);
	return &none;
}

static bool is_int(const struct field *f, uint32_t offset, uint32_t size, bool is_signed)
{
	return f->type->kind == TYPE_INT && f->offset == offset && f->type->size == size &&
	       f->type->is_signed == is_signed && !f->data_loc;
}

static void test_syscalls(void)
{
	struct tp_format *tp = tracefs_format(w, "syscalls", "sys_enter_openat");
	CHECK(tp && tp->id && tp->record->is_ctx_based && tp->record->nfield == 5);
	CHECK(tp == tracefs_format(w, "syscalls", "sys_enter_openat"));
	CHECK_STR(tp->decl[2], "const char * filename");
	CHECK_STR(tp->decl[0], "int __syscall_nr");
	/* the text's type decides, not the 8 bytes that a register takes */
	CHECK(is_int(field_of("syscalls", "sys_enter_openat", "dfd"), 16, 4, true));
	CHECK(is_int(field_of("syscalls", "sys_enter_openat", "mode"), 40, 2, false));
	const struct field *f = field_of("syscalls", "sys_enter_openat", "filename");
	CHECK(f->type->kind == TYPE_PTR && f->type->as == AS_USER && f->offset == 24);
	CHECK_STR(f->type->elem->name, "char");
	f = field_of("syscalls", "sys_enter_execve", "argv");
	CHECK(f->type->elem->kind == TYPE_PTR && f->type->elem->as == AS_USER &&
	      f->type->elem->elem->size == 1);
	f = field_of("syscalls", "sys_enter_connect", "uservaddr");
	CHECK(f->type->elem->kind == TYPE_STRUCT && f->type->elem->size == 16);
	CHECK(is_int(field_of("syscalls", "sys_exit_read", "ret"), 16, 8, true));
	f = field_of("raw_syscalls", "sys_enter", "args");
	CHECK(f->type->kind == TYPE_ARRAY && f->type->count == 6 && f->type->elem->size == 8);
}

static void test_odd_fields(void)
{
	const char *c = "demo", *e = "odd_fields";
	CHECK(tracefs_format(w, c, e)->id == 7777);
	CHECK(tracefs_format(w, c, e)->record->nfield == 14);
	CHECK(field_of(c, e, "flag")->type->kind == TYPE_BOOL);
	const struct field *f = field_of(c, e, "task");
	CHECK(f->type->as == AS_KERNEL && f->type->elem->kind == TYPE_STRUCT);
	CHECK_STR(f->type->elem->name, "task_struct");
	uint32_t offset;
	CHECK(type_field(f->type->elem, "tgid", arena, &offset));
	f = field_of(c, e, "secret");
	CHECK(f->type->elem->kind == TYPE_STRUCT && !f->type->elem->size);
	CHECK_STR(f->type->elem->name, "hidden_from_btf");
	CHECK(field_of(c, e, "buf")->type->as == AS_USER);
	f = field_of(c, e, "type");
	CHECK(f->type->kind == TYPE_ENUM && f->type->nenumerator == 5);
	CHECK(is_int(field_of(c, e, "odd"), 44, 4, true));
	f = field_of(c, e, "name");
	CHECK(f->data_loc && f->offset == 48 && f->type->kind == TYPE_PTR);
	CHECK_STR(f->type->elem->name, "char");
	f = field_of(c, e, "values");
	CHECK(f->data_loc && f->type->elem->size == 8 && !f->type->elem->is_signed);
	f = field_of(c, e, "words");
	CHECK(f->type->kind == TYPE_ARRAY && f->type->count == 4 && f->type->elem->size == 2);
	f = field_of(c, e, "comm");
	CHECK(f->type->count == 16 && f->type->elem->is_signed && f->type->elem->size == 1);
	f = field_of(c, e, "addr");
	CHECK(f->type->kind == TYPE_STRUCT && f->type->size == 16);
	f = field_of(c, e, "blob");
	CHECK(f->type->kind == TYPE_ARRAY && f->type->size == 12);
	f = field_of(c, e, "opaque");
	CHECK(f->type->kind == TYPE_PTR && f->type->elem->kind == TYPE_NONE);
	CHECK(is_int(field_of(c, e, "later"), 120, 4, false));
}

static void collect(void *arg, const char *category, const char *name)
{
	buf_printf(arg, "%s:%s\n", category, name);
}

static void test_events(void)
{
	struct buf text = {0};
	tracefs_events_of(w, "de*", collect, &text);
	CHECK_STR(buf_str(&text), "demo:odd_fields\n");
	buf_clear(&text);
	tracefs_events(w, collect, &text);
	CHECK(str_has_prefix(buf_str(&text), "block:"));
	CHECK(!strstr(buf_str(&text), "ftrace:")); /* not an event that can be traced */
	buf_free(&text);
	CHECK(!tracefs_format(w, "sched", "no_such_event"));
	CHECK(!tracefs_format(w, "..", "features"));
	CHECK(!tracefs_format(w, "sched/../sched", "sched_switch"));
}

static void count(void *arg, const char *name, const char *module)
{
	++*(unsigned *)arg;
	if (!strcmp(name, "demo_work"))
		CHECK_STR(module, "demo");
}

static void test_kallsyms(void)
{
	struct kallsyms *k = world_kallsyms(w);
	const struct ksym *s = kallsyms_by_name(k, "vfs_write");
	CHECK(s && s->addr == 0xffffffff81001800 && s->kind == 'T' && !s->module);
	CHECK(s == kallsyms_by_name(k, "vfs_write"));
	CHECK_STR(kallsyms_by_addr(k, 0xffffffff81001850)->name, "vfs_write");
	CHECK_STR(kallsyms_by_addr(k, 0xffffffff81001410)->name, "vfs_read");
	s = kallsyms_by_addr(k, 0xffffffffc0001108);
	CHECK_STR(s->name, "demo_work");
	CHECK_STR(s->module, "demo");
	CHECK(!kallsyms_by_addr(k, 5) && !kallsyms_by_name(k, "vfs_writ"));
	/* the per-CPU symbol stands late in the file and low in memory */
	CHECK_STR(kallsyms_by_addr(k, 0x2010)->name, "cpu_number");
	unsigned n = 0;
	kallsyms_each(k, "tT", count, &n);
	CHECK(n == 15);
}

/* A world without anything must answer too. */
static void test_nothing(void)
{
	struct world *empty = NULL;
	struct err *e = world_open(arena, "tests/unit", &empty);
	CHECK(!e && !empty->tracefs && empty->ncpus == 1);
	CHECK(!tracefs_format(empty, "sched", "sched_switch"));
	CHECK(!kallsyms_by_name(world_kallsyms(empty), "x"));
	CHECK(!kallsyms_by_addr(world_kallsyms(empty), ~0ull));
	CHECK(!world_btf(empty, &e) && e);
	err_free(e);
	world_close(empty);
	CHECK((e = world_open(arena, "tests/no-such-folder", &empty)) && !empty);
	err_free(e);
}

int main(void)
{
	arena = arena_create();
	struct err *e = world_open(arena, "tests/fixture", &w);
	CHECK(!e && w->ncpus == 4 && w->features.probed && w->features.uprobe_multi);
	test_syscalls();
	test_odd_fields();
	test_events();
	test_kallsyms();
	world_close(w);
	test_nothing();
	arena_destroy(arena);
	return test_end();
}
