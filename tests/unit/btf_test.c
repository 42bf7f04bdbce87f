/* btf_test.c - the BTF reader on bytes made here, on the fixture's kernel, and on the running one.
 */
#include "test.h"

#include "btf_build.h"
#include "debuginfo/world.h"

#define btf_param btf_param_record /* not world.h's */
#include <linux/btf.h>
#undef btf_param
#include <stdlib.h>
#include <unistd.h>

static struct arena *arena;

static struct btf *open_built(struct btf_builder *b, struct buf *bytes, struct btf *base)
{
	struct btf *btf = NULL;
	finish(b, bytes);
	struct err *e = btf_open_bytes(bytes->data, bytes->len, base, &btf);
	if (e)
		printf("%s\n", e->msg);
	err_free(e);
	return btf;
}

static void int_record(struct btf_builder *b, const char *name, uint32_t size, uint32_t encoding,
		       uint32_t bits)
{
	add_record(b, name, BTF_KIND_INT, 0, false, size);
	add_words(b, (const uint32_t[]){encoding << 24 | bits}, 1);
}

static void test_kinds(void)
{
	struct btf_builder b = {0};
	struct buf bytes = {0};
	int_record(&b, "int", 4, BTF_INT_SIGNED, 32);              /* 1 */
	int_record(&b, "char", 1, 0, 8);                           /* 2 */
	int_record(&b, "_Bool", 1, BTF_INT_BOOL, 8);               /* 3 */
	add_record(&b, "", BTF_KIND_PTR, 0, false, 0);             /* 4: void * */
	add_record(&b, "number_t", BTF_KIND_TYPEDEF, 0, false, 1); /* 5 */
	add_record(&b, "", BTF_KIND_CONST, 0, false, 5);           /* 6 */
	add_record(&b, "", BTF_KIND_ARRAY, 0, false, 0);           /* 7: char[16] */
	add_words(&b, (const uint32_t[]){2, 1, 16}, 3);
	add_record(&b, "big", BTF_KIND_ENUM64, 1, false, 8); /* 8 */
	add_words(&b, (const uint32_t[]){add_string(&b, "BIG"), 5, 1}, 3);
	add_record(&b, "small", BTF_KIND_ENUM, 1, true, 4); /* 9 */
	add_words(&b, (const uint32_t[]){add_string(&b, "MINUS"), (uint32_t)-7}, 2);
	add_record(&b, "half", BTF_KIND_FLOAT, 0, false, 4);    /* 10 */
	int_record(&b, "__int128", 16, 0, 128);                 /* 11 */
	add_record(&b, "ahead", BTF_KIND_FWD, 0, true, 0);      /* 12: a union */
	add_record(&b, "user", BTF_KIND_TYPE_TAG, 0, false, 2); /* 13 */
	add_record(&b, "", BTF_KIND_PTR, 0, false, 13);         /* 14: char __user * */
	struct btf *btf = open_built(&b, &bytes, NULL);
	CHECK(btf);

	struct type *t = btf_type(btf, 1, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_INT && t->size == 4 && t->is_signed);
	CHECK_STR(t->name, "int");
	t = btf_type(btf, 2, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_INT && t->size == 1 && t->is_signed);
	CHECK(btf_type(btf, 3, AS_KERNEL, arena)->kind == TYPE_BOOL);
	t = btf_type(btf, 4, AS_USER, arena);
	CHECK(t->kind == TYPE_PTR && t->as == AS_USER && t->elem->kind == TYPE_NONE);
	t = btf_type(btf, 6, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_INT && t->size == 4);
	CHECK_STR(t->name, "number_t");
	t = btf_type(btf, 7, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_ARRAY && t->count == 16 && t->size == 16);
	CHECK_STR(t->elem->name, "char");
	t = btf_type(btf, 8, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_ENUM && t->size == 8 && t->enumerator[0].value == 0x100000005);
	t = btf_type(btf, 9, AS_KERNEL, arena);
	CHECK(t->is_signed && t->enumerator[0].value == -7);
	CHECK_STR(t->enumerator[0].name, "MINUS");
	CHECK(btf_type(btf, 10, AS_KERNEL, arena)->kind == TYPE_FLOAT);
	t = btf_type(btf, 11, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_ARRAY && t->count == 2 && t->elem->size == 8 && t->size == 16);
	t = btf_type(btf, 12, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_UNION && !t->nfield && !t->complete);
	t = btf_type(btf, 14, AS_KERNEL, arena);
	CHECK(t->kind == TYPE_PTR && t->as == AS_USER && t->elem->size == 1);
	CHECK(btf_type(btf, 0, AS_KERNEL, arena)->kind == TYPE_NONE);
	CHECK(!btf_type(btf, 15, AS_KERNEL, arena));
	CHECK(!btf_type(btf, ~0u, AS_KERNEL, arena));
	CHECK(btf_type(btf, 7, AS_KERNEL, arena) == btf_type(btf, 7, AS_KERNEL, arena));
	CHECK(btf_type(btf, 4, AS_USER, arena) != btf_type(btf, 4, AS_KERNEL, arena));

	int64_t value = 0;
	uint32_t id = 0;
	CHECK(btf_enumerator(btf, "BIG", &value, &id) && value == 0x100000005 && id == 8);
	CHECK(btf_enumerator(btf, "MINUS", &value, &id) && value == -7 && id == 9);
	CHECK(!btf_enumerator(btf, "MINU", &value, &id));
	CHECK(btf_find(btf, BTF_NS_BASE, "int") == 1 &&
	      btf_find(btf, BTF_NS_TYPEDEF, "number_t") == 5);
	CHECK(!btf_find(btf, BTF_NS_STRUCT, "int") && !btf_find(btf, BTF_NS_TYPEDEF, "number"));
	btf_close(btf);
	buf_free(&bytes);
}

/* Bit-fields in both encodings, unaligned bytes, a module on top of a base. */
static void test_structs_and_modules(void)
{
	struct btf_builder b = {0}, m = {0};
	struct buf bytes = {0}, module_bytes = {0};
	int_record(&b, "unsigned int", 4, 0, 32);            /* 1 */
	int_record(&b, "unsigned int", 4, 0, 5);             /* 2: a bit-field's own type */
	add_record(&b, "old", BTF_KIND_STRUCT, 2, false, 8); /* 3 */
	add_words(&b, (const uint32_t[]){add_string(&b, "a"), 1, 0}, 3);
	add_words(&b, (const uint32_t[]){add_string(&b, "b"), 2, 35}, 3);
	add_record(&b, "new", BTF_KIND_STRUCT, 2, true, 8); /* 4 */
	add_words(&b, (const uint32_t[]){add_string(&b, "c"), 1, 3u << 24 | 33}, 3);
	add_words(&b, (const uint32_t[]){add_string(&b, "d"), 1, 9u << 24 | 60}, 3);
	finish(&b, &bytes);
	struct btf *btf = NULL, *module;
	char *unaligned = xmalloc(bytes.len + 1);
	memcpy(unaligned + 1, bytes.data, bytes.len);
	CHECK(!btf_open_bytes(unaligned + 1, bytes.len, NULL, &btf));

	uint32_t id = btf_find(btf, BTF_NS_STRUCT, "old");
	struct type *t = btf_type(btf, id, AS_KERNEL, arena);
	CHECK(id == 3 && t->complete && !t->nfield && t->size == 8);
	type_complete(t, arena);
	CHECK(t->nfield == 2 && !t->complete && !t->field[0].bit_width);
	CHECK(t->field[1].offset == 4 && t->field[1].bit_offset == 3 && t->field[1].bit_width == 5);
	t = btf_type(btf, btf_find(btf, BTF_NS_STRUCT, "new"), AS_KERNEL, arena);
	type_complete(t, arena);
	CHECK(t->field[0].offset == 4 && t->field[0].bit_offset == 1 && t->field[0].bit_width == 3);
	/* crosses its unit's end: counted from its own byte */
	CHECK(t->field[1].offset == 7 && t->field[1].bit_offset == 4 && t->field[1].bit_width == 9);

	/* ids and strings of a module go on where the base's end */
	uint32_t strings = ((const uint32_t *)bytes.data)[5];
	buf_add(&m.strings, "tail", 5);
	const uint32_t words[] = {strings, BTF_KIND_STRUCT << 24 | 1,
				  4, /* struct tail { unsigned a; } */
				  1,       1,
				  0};
	add_words(&m, words, 6);
	struct err *e;
	finish(&m, &module_bytes);
	e = btf_open_bytes(module_bytes.data, module_bytes.len, btf, &module);
	CHECK(!e);
	id = e ? 0 : btf_find(module, BTF_NS_STRUCT, "tail");
	CHECK(id == 5 && btf_find(module, BTF_NS_STRUCT, "old") == 3);
	CHECK(!btf_find(btf, BTF_NS_STRUCT, "tail"));
	t = btf_type(module, id, AS_KERNEL, arena);
	type_complete(t, arena);
	CHECK(t->nfield == 1 && t->field[0].type->size == 4);
	btf_close(module);
	btf_close(btf);
	buf_free(&bytes);
	buf_free(&module_bytes);
	free(unaligned);
}

/* Whatever points in circles must end. */
static void test_cycles(void)
{
	struct btf_builder b = {0};
	struct buf bytes = {0}, text = {0};
	add_record(&b, "", BTF_KIND_PTR, 0, false, 1);         /* 1: points to itself */
	add_record(&b, "loop", BTF_KIND_TYPEDEF, 0, false, 2); /* 2: typedef of itself */
	add_record(&b, "snake", BTF_KIND_STRUCT, 1, false, 4); /* 3: holds itself, unnamed */
	add_words(&b, (const uint32_t[]){0, 3, 0}, 3);
	add_record(&b, "", BTF_KIND_ARRAY, 0, false, 0); /* 4: array of itself */
	add_words(&b, (const uint32_t[]){4, 1, 1000}, 3);
	add_record(&b, "", BTF_KIND_FUNC_PROTO, 2, false, 5); /* 5: takes and returns itself */
	add_words(&b, (const uint32_t[]){0, 5, 0, 5}, 4);
	struct btf *btf = open_built(&b, &bytes, NULL);
	for (uint32_t id = 1; id <= 5; id++) {
		struct type *t = btf_type(btf, id, AS_KERNEL, arena);
		btf_spell_decl(btf, id, "x", &text);
		btf_spell_struct(btf, id, &text);
		if (t && t->kind == TYPE_STRUCT)
			CHECK(!type_field(t, "nowhere", arena, &(uint32_t){0}));
	}
	CHECK(text.len < 1 << 20);
	btf_close(btf);
	buf_free(&bytes);
	buf_free(&text);
}

static void test_broken(void)
{
	struct btf_builder b = {0};
	struct buf bytes = {0};
	struct btf *btf;
	struct err *e;
	int_record(&b, "int", 4, BTF_INT_SIGNED, 32);
	finish(&b, &bytes);
	for (size_t n = 0; n < bytes.len; n++) { /* every shorter file is refused */
		e = btf_open_bytes(bytes.data, n, NULL, &btf);
		CHECK(e && !btf);
		err_free(e);
	}
	for (size_t i = 0; i < bytes.len; i++) /* no changed byte may be followed out of the data */
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= (char)(1 << bit);
			e = btf_open_bytes(bytes.data, bytes.len, NULL, &btf);
			if (!e) {
				struct buf text = {0};
				btf_find(btf, BTF_NS_BASE, "int");
				btf_spell_decl(btf, 1, "x", &text);
				btf_type(btf, 1, AS_KERNEL, arena);
				buf_free(&text);
			}
			btf_close(btf);
			err_free(e);
			bytes.data[i] ^= (char)(1 << bit);
		}
	buf_free(&bytes);
}

/* --- the fixture's kernel
 * --------------------------------------------------------------------------------- */

static struct type *struct_of(struct btf *b, const char *name)
{
	struct type *t = btf_type(b, btf_find(b, BTF_NS_STRUCT, name), AS_KERNEL, arena);
	CHECK(t);
	return t;
}

static void check_spelling(struct btf *b, const char *name, const char *want)
{
	struct buf text = {0};
	btf_spell_struct(b, btf_find(b, BTF_NS_STRUCT, name), &text);
	CHECK_STR(buf_str(&text), want);
	buf_free(&text);
}

static void check_func(struct btf *b, const char *func, const char *want)
{
	struct btf_params params = {0};
	struct buf text = {0};
	uint32_t ret = 0;
	CHECK(btf_func(b, btf_find(b, BTF_NS_FUNC, func), &params, &ret));
	btf_spell_decl(b, ret, "retval", &text);
	vec_each(p, &params.list) {
		buf_puts(&text, "; ");
		btf_spell_decl(b, p->type_id, p->name, &text);
	}
	CHECK_STR(buf_str(&text), want);
	vec_free(&params.list);
	buf_free(&text);
}

static void test_fixture(void)
{
	struct world *w = NULL;
	struct err *e = world_open(arena, "tests/fixture", &w);
	CHECK(!e);
	struct btf *b = world_btf(w, &e);
	CHECK(b && !e);
	if (!b)
		return;
	uint32_t offset;
	struct type *task = struct_of(b, "task_struct");
	CHECK(type_field(task, "comm", arena, &offset)->type->count == 16);
	const struct field *f = type_field(task, "in_execve", arena, &offset);
	CHECK(f && f->bit_width == 1 && f->bit_offset == 3);
	f = type_field(task, "real_parent", arena, &offset);
	CHECK(f->type->kind == TYPE_PTR && f->type->elem == task && f->type->as == AS_KERNEL);
	f = type_field(task, "pid", arena, &offset);
	CHECK_STR(f->type->name, "pid_t");
	f = type_field(struct_of(b, "sock_common"), "skc_num", arena, &offset);
	CHECK(f && offset == 10 && f->type->size == 2);
	f = type_field(struct_of(b, "cred"), "uid", arena, &offset);
	CHECK_STR(f->type->name, "kuid_t");
	CHECK(f->type->kind == TYPE_STRUCT);
	f = type_field(struct_of(b, "holder"), "secret", arena, &offset);
	CHECK(f->type->elem->kind == TYPE_STRUCT && !f->type->elem->nfield);
	CHECK_STR(f->type->elem->name, "hidden");
	CHECK(btf_find(b, BTF_NS_TYPEDEF, "u64") && btf_find(b, BTF_NS_UNION, "number"));
	int64_t value;
	CHECK(btf_enumerator(b, "PIDTYPE_SID", &value, NULL) && value == 3);
	CHECK(btf_enumerator(b, "UNNAMED_ENUMERATOR", &value, NULL) == false); /* clang drops it */

	check_func(b, "vfs_read",
		   "ssize_t retval; struct file * file; char * buf; size_t count; loff_t * pos");
	check_func(b, "vfs_open", "int retval; const struct path * path; struct file * file");
	check_func(b, "do_nothing", "void retval");
	check_spelling(
		b, "list_head",
		"struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n");
	check_spelling(b, "qstr",
		       "struct qstr {\n\tunion {\n\t\tstruct {\n\t\t\tu32 hash;\n\t\t\tu32 len;\n"
		       "\t\t};\n\t\tu64 hash_len;\n\t};\n\tconst unsigned char *name;\n};\n");
	check_spelling(
		b, "arrays",
		"struct arrays {\n\tint matrix[2][3];\n\tchar *names[4];\n"
		"\tint (*handlers[2])(int, void *);\n\tint (*table)[5];\n\tu8 rest[0];\n};\n");
	check_spelling(
		b, "bits",
		"struct bits {\n\tu32 low: 3;\n\ts32 middle: 7;\n\tu32 high: 22;\n\tlong: 32;\n"
		"\tu64 wide: 40;\n\tu8 tail;\n};\n");
	check_spelling(b, "packed",
		       "struct packed {\n\tu8 first;\n\tu32 second;\n\tu16 third: 5;\n"
		       "\tu16 fourth: 11;\n} __attribute__((packed));\n");
	check_spelling(b, "callback_head",
		       "struct callback_head {\n\tstruct callback_head *next;\n"
		       "\tvoid (*func)(struct callback_head *);\n};\n");
	world_close(w);
}

/* The running kernel's, when it can be read: sizes that the compiler knows too. */
static void test_vmlinux(void)
{
	struct world *w = NULL;
	struct err *e =
		access("/sys/kernel/btf/vmlinux", R_OK) ? NULL : world_open(arena, NULL, &w);
	CHECK(!e);
	struct btf *b = w ? world_btf(w, &e) : NULL;
	err_free(e);
	if (!b)
		return;
	struct type *head = struct_of(b, "list_head");
	CHECK(head->size == 16);
	struct type *regs = struct_of(b, "pt_regs");
	type_complete(regs, arena);
	CHECK(regs->nfield > 10);
	uint32_t offset;
	CHECK(type_field(struct_of(b, "task_struct"), "tgid", arena, &offset)->type->size == 4);
	CHECK(btf_find(b, BTF_NS_TYPEDEF, "pid_t") && btf_find(b, BTF_NS_FUNC, "vfs_read"));
	CHECK(!btf_find(b, BTF_NS_STRUCT, "no_such_struct"));
	int64_t value;
	CHECK(btf_enumerator(b, "BPF_PROG_TYPE_KPROBE", &value, NULL) && value == 2);
	world_close(w);
}

/* Which functions a trampoline takes, by their prototypes. */
static void test_traceable(void)
{
	enum { VOID, INT, PTR, SMALL, LARGE, NAMED, FLOAT };
	static const struct {
		uint32_t ret, nparams, param[13];
		bool want;
	} protos[] = {
		{VOID, 0, {0}, true},
		{INT, 3, {INT, PTR, SMALL}, true},
		{SMALL, 0, {0}, false},
		{PTR, 2, {INT, LARGE}, false},
		{PTR, 1, {NAMED}, false},
		{INT, 2, {PTR, VOID}, false}, /* ... */
		{INT, 1, {FLOAT}, false},
		{INT, 12, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, true},
		{INT, 13, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, false},
		{99, 0, {0}, false},
	};
	struct btf_builder b = {0};
	struct buf bytes = {0};
	struct btf *btf = NULL;
	int_record(&b, "int", 4, 0, 32);
	add_record(&b, "", BTF_KIND_PTR, 0, false, 0);
	add_record(&b, "small", BTF_KIND_STRUCT, 0, false, 16);
	add_record(&b, "large", BTF_KIND_STRUCT, 0, false, 24);
	add_record(&b, "large_t", BTF_KIND_TYPEDEF, 0, false, LARGE);
	add_record(&b, "half", BTF_KIND_FLOAT, 0, false, 4);
	uint32_t first = b.count + 1;
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		add_record(&b, "", BTF_KIND_FUNC_PROTO, protos[i].nparams, false, protos[i].ret);
		for (uint32_t k = 0; k < protos[i].nparams; k++)
			add_words(&b, (const uint32_t[]){0, protos[i].param[k]}, 2);
	}
	finish(&b, &bytes);
	CHECK(!btf_open_bytes(bytes.data, bytes.len, NULL, &btf));
	for (uint32_t i = 0; i < ARRAY_SIZE(protos); i++)
		CHECK(btf_func_is_traceable(btf, first + i) == protos[i].want);
	CHECK(!btf_func_is_traceable(btf, 1) && !btf_func_is_traceable(btf, 1000));
	btf_close(btf);
	buf_free(&bytes);
}

int main(void)
{
	arena = arena_create();
	test_traceable();
	test_kinds();
	test_structs_and_modules();
	test_cycles();
	test_broken();
	test_fixture();
	test_vmlinux();
	arena_destroy(arena);
	return test_end();
}
