/* calls_names.c - numbers to names by tables in read-only data: errors, signals, system calls. */
#include <signal.h>

#include "lang/bt/calls.h"

enum {
	NAME_BYTES = 64,
	NERRORS = 134,
	NSIGNALS = 65
};

static const char *const syscalls[] = {
#define SYSCALL(nr, name) [nr] = name,
#include "lang/syscalls_x86_64.def"
#undef SYSCALL
};

static const char *error_name(struct arena *a, unsigned i)
{
	return strerrordesc_np((int)i);
}

/* The C library keeps two of the kernel's real-time signals for itself: counting begins at 34. */
static const char *signal_name(struct arena *a, unsigned i)
{
	if (i >= 34)
		return arena_printf(a, "Real-time signal %u", i - 34);
	return i ? sigdescr_np((int)i) : "Unknown signal 0";
}

static const char *syscall_name(struct arena *a, unsigned i)
{
	return syscalls[i];
}

static const struct names {
	const char *call;
	unsigned count;
	const char *(*name)(struct arena *a, unsigned i);
	const char *unknown;
	bool is_absolute; /* -ENOENT and ENOENT are the same */
} all_names[] = {
	{"strerror", NERRORS, error_name, "Unknown error", true},
	{"signal_name", NSIGNALS, signal_name, "N/A", false},
	{"syscall_name", ARRAY_SIZE(syscalls), syscall_name, "Unknown syscall", false},
};

static struct type *sema_name(struct bt_sema *s, struct bt_expr *e)
{
	bt_want_int(s, e, 0);
	return e->type && e->type->kind == TYPE_STR ? e->type : type_str(s->in->arena, NAME_BYTES);
}

/* The table: entry 0 is the unknown name, so that any index can be made a valid one. */
static uint32_t table_offset(struct arena *a, struct program *p, const struct names *n)
{
	size_t size = (size_t)(n->count + 1) * NAME_BYTES;
	char *bytes = xcalloc(1, size);
	for (unsigned i = 0; i <= n->count; i++) {
		const char *name = i ? n->name(a, i - 1) : NULL;
		strncpy(bytes + (size_t)i * NAME_BYTES, name ? name : n->unknown, NAME_BYTES - 1);
	}
	uint32_t offset = program_rodata(p, bytes, size, 8);
	base_free(bytes);
	return offset;
}

static ir_ref lower_name(struct bt_lower *l, struct bt_expr *e)
{
	const struct names *n = all_names;
	while (strcmp(n->call, e->call->name) != 0)
		n++;
	struct ir_builder *b = &l->kit.b;
	struct program *p = l->kit.prog;
	ir_ref v = ir_ext(b, bt_lower_expr(l, e->kid[0]), 4, true), zero = ir_const(b, 0);
	if (n->is_absolute)
		v = ir_select(b, ir_bin(b, IR_SLT, v, zero), ir_un(b, IR_NEG, v), v);
	ir_ref known = ir_bin(b, IR_ULT, v, ir_const(b, n->count));
	ir_ref dst = kit_mem(&l->kit, NAME_BYTES);
	uint32_t yes = ir_block_new(b, "known"), no = ir_block_new(b, "unknown"),
		 end = ir_block_new(b, "named");
	uint32_t offset = table_offset(l->in->arena, p, n);
	ir_br(b, known, yes, no);
	ir_at(b, yes);
	ir_ref table = ir_mapval(b, p->rodata, offset + NAME_BYTES);
	kit_copy(&l->kit, dst, ir_bin(b, IR_ADD, table, ir_bini(b, IR_MUL, v, NAME_BYTES)),
		 NAME_BYTES);
	ir_jmp(b, end);
	ir_at(b, no);
	kit_copy(&l->kit, dst, ir_mapval(b, p->rodata, offset), NAME_BYTES);
	ir_jmp(b, end);
	ir_at(b, end);
	return dst;
}

const struct bt_call bt_calls_names[] = {
	{"strerror", 1, 1, 0, sema_name, lower_name},
	{"signal_name", 1, 1, 0, sema_name, lower_name},
	{"syscall_name", 1, 1, 0, sema_name, lower_name},
	{0},
};
