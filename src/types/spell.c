/* spell.c - a type as messages name it. */
#include "types/type.h"

enum {
	MAX_DEPTH = 32
};

/* Kinds whose spelling is one word; NULL: made from the parts of the type. */
static const char *const words[] = {
	[TYPE_NONE] = "none",
	[TYPE_BOOL] = "bool",
	[TYPE_KSYM] = "ksym_t",
	[TYPE_USYM] = "usym_t",
	[TYPE_MAC] = "mac_address",
	[TYPE_TIMESTAMP] = "timestamp",
	[TYPE_CGROUP_PATH] = "cgroup_path_t",
	[TYPE_USERNAME] = "username_t",
	[TYPE_PROBE_NAME] = "string",
	[TYPE_COUNT] = "count_t",
	[TYPE_SUM] = "sum_t",
	[TYPE_MIN] = "min_t",
	[TYPE_MAX] = "max_t",
	[TYPE_AVG] = "avg_t",
	[TYPE_STATS] = "stats_t",
	[TYPE_HIST] = "hist_t",
	[TYPE_LHIST] = "lhist_t",
	[TYPE_TSERIES] = "tseries_t",
	[TYPE_STAT] = "stats",
	[TYPE_CTX] = "ctx",
};

static const char *const stack_modes[] = {
	[STACK_BPFTRACE] = "bpftrace",
	[STACK_PERF] = "perf",
	[STACK_RAW] = "raw",
	[STACK_BUILD_ID] = "build_id",
};

static void spell(const struct type *t, struct buf *out, unsigned depth);

static void spell_fields(const struct type *t, struct buf *out, unsigned depth)
{
	for (uint32_t i = 0; i < t->nfield; i++) {
		if (i)
			buf_puts(out, t->kind == TYPE_RECORD ? ", " : ",");
		if (t->kind == TYPE_RECORD)
			buf_printf(out, ".%s = ", t->field[i].name);
		spell(t->field[i].type, out, depth + 1);
	}
}

static void spell_tagged(const char *tag, const struct type *t, struct buf *out, unsigned depth)
{
	if (t->name) {
		buf_printf(out, "%s %s", tag, t->name);
		return;
	}
	buf_printf(out, "%s {", tag);
	spell_fields(t, out, depth);
	buf_putc(out, '}');
}

static void spell(const struct type *t, struct buf *out, unsigned depth)
{
	if (depth > MAX_DEPTH) {
		buf_puts(out, "...");
		return;
	}
	switch (t->kind) {
	case TYPE_INT: buf_printf(out, "%sint%u", t->is_signed ? "" : "u", t->size * 8); break;
	case TYPE_FLOAT: buf_puts(out, t->size == 4 ? "float" : "double"); break;
	case TYPE_ENUM: spell_tagged("enum", t, out, depth); break;
	case TYPE_STRUCT: spell_tagged("struct", t, out, depth); break;
	case TYPE_UNION: spell_tagged("union", t, out, depth); break;
	case TYPE_STR:
		buf_puts(out, "string");
		if (t->size)
			buf_printf(out, "[%u]", t->size);
		break;
	case TYPE_BUF: buf_printf(out, "buffer[%u]", t->size); break;
	case TYPE_INET: buf_printf(out, "inet[%u]", t->size); break;
	case TYPE_PTR:
		if (!t->elem || t->elem->kind == TYPE_NONE)
			buf_puts(out, "void");
		else
			spell(t->elem, out, depth + 1);
		buf_puts(out, " *");
		break;
	case TYPE_ARRAY:
		spell(t->elem, out, depth + 1);
		buf_printf(out, "[%u]", t->count);
		break;
	case TYPE_TUPLE:
		buf_putc(out, '(');
		spell_fields(t, out, depth);
		buf_putc(out, ')');
		break;
	case TYPE_RECORD:
		buf_puts(out, "record { ");
		spell_fields(t, out, depth);
		buf_puts(out, " }");
		break;
	case TYPE_KSTACK:
	case TYPE_USTACK:
		buf_printf(out, "%cstack_%s_%u", t->kind == TYPE_KSTACK ? 'k' : 'u',
			   stack_modes[t->stack_mode], t->count);
		break;
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG:
	case TYPE_STATS:
		if (!t->is_signed)
			buf_putc(out, 'u');
		buf_puts(out, words[t->kind]);
		break;
	default: buf_puts(out, words[t->kind]); break;
	}
}

void type_spell(const struct type *t, struct buf *out)
{
	spell(t, out, 0);
}
