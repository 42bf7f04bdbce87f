/* tapset_memory.c - reading kernel and user memory. */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* What happens on a fault: an error, a warning (WARN_TEXT: and the last argument), nothing, the last argument, the address as text. */
enum fault { ON_ERROR, ON_WARN, ON_WARN_TEXT, ON_QUIET, ON_TEXT, ON_ADDRESS };
/* The words of the message: of the string and kernel functions, of user_int_error() and its like, of buffers. */
enum words { SAY_COPY, SAY_READ, SAY_ACCESS };

/* What a row's number says. */
#define STRING(as, fault)	(int64_t)((as) | (fault) << 4)
#define NUMBER(as, width, s, f) (int64_t)((as) | (f) << 4 | (width) << 8 | (s) << 16)
#define SAYING(row, words)	((row) | (int64_t)(words) << 20)
#define ROW_AS(n)		(enum addr_space)((n)&15)
#define ROW_FAULT(n)		(enum fault)((n) >> 4 & 15)
#define ROW_WIDTH(n)		(unsigned)((n) >> 8 & 255)
#define ROW_SIGNED(n)		((n) >> 16 & 1)
#define ROW_WORDS(n)		(enum words)((n) >> 20 & 3)

/* What a function reads, by its name: "int" of user_int_warn, "unsigned long" of user_ulong. */
static const char *noun_of(struct stp_lower *l, const char *name)
{
	const char *from = strchr(name, '_') + 1;
	size_t n = strcspn(from, "_");
	bool is_unsigned = *from == 'u' && n > 1;
	return arena_printf(l->c->a, "%s%.*s", is_unsigned ? "unsigned " : "", (int)n - is_unsigned, from + is_unsigned);
}

static const char *fault_format(struct stp_lower *l, const struct stp_expr *e, const char *what)
{
	int64_t n = e->func->native->number;
	bool user = ROW_AS(n) == AS_USER;
	switch (ROW_WORDS(n)) {
	case SAY_READ: return "read fault [man error::fault] at 0x%x";
	case SAY_ACCESS: return user ? "Unable to access user space data at 0x%x" : "Unable to access kernel space data at 0x%x";
	default: break;
	}
	if (!what) /* user_char_warn() says "at", the others do not */
		return arena_printf(l->c->a, "%s %s copy fault %s0x%%x [man error::fault]", user ? "user" : "kernel", noun_of(l, e->func->name),
				    user && !str_eq(e->func->name, "user_char_warn") ? "" : "at ");
	return arena_printf(l->c->a, user ? "user %s copy fault -14 at 0x%%x [man error::fault]" : "kernel %s copy fault at 0x%%x [man error::fault]", what);
}

/* "user string copy fault -14 at 0xADDR [man error::fault]"; what NULL: a number, named by the function. */
static struct stp_value fault_message(struct stp_lower *l, const struct stp_expr *e, ir_ref addr, const char *what)
{
	struct stp_value a = stp_long(addr);
	return stp_format_into(l, fault_format(l, e, what), &a, 1, 96, e->loc);
}

/* In the failing block: raise, warn, or leave a replacement in dst. */
static void on_fault(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg, ir_ref dst, uint32_t cap, const char *what)
{
	switch (ROW_FAULT(e->func->native->number)) {
	case ON_ERROR: stp_raise_value(l, e->loc, fault_message(l, e, arg[0].v, what)); break;
	case ON_WARN:
	case ON_WARN_TEXT: {
		struct stp_value m = fault_message(l, e, arg[0].v, what);
		stp_send_text(l, ACT_STP_WARN, "%s", &m, 1, e->loc);
		if (ROW_FAULT(e->func->native->number) == ON_WARN_TEXT)
			kit_str_copy(K(l), dst, cap, arg[e->nkid - 1].v, arg[e->nkid - 1].cap);
		break;
	}
	case ON_QUIET: break;
	case ON_TEXT: kit_str_copy(K(l), dst, cap, arg[e->nkid - 1].v, arg[e->nkid - 1].cap); break;
	case ON_ADDRESS: {
		struct stp_value m = stp_format_into(l, "0x%x", &arg[0], 1, 24, e->loc);
		kit_str_copy(K(l), dst, cap, m.v, m.cap);
		break;
	}
	}
}

/* A string of at most n bytes (0: all that fits). */
static struct stp_value read_string(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg, ir_ref n)
{
	enum addr_space as = ROW_AS(e->func->native->number);
	int id = as == AS_USER ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str;
	uint32_t cap = STP_MAXSTRING;
	ir_ref dst = kit_mem_zero(K(l), cap), size = stp_c(l, cap);
	if (n) { /* the helper counts the NUL */
		ir_ref want = ir_bini(LB(l), IR_ADD, n, 1);
		size = ir_select(LB(l), ir_bini(LB(l), IR_ULE, want, cap), want, size);
	}
	ir_ref ret = ir_helper(LB(l), id, dst, size, arg[0].v);
	uint32_t end = stp_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)));
	on_fault(l, e, arg, dst, cap, "string");
	stp_endif(l, end);
	return stp_string(dst, cap);
}

static struct stp_value lower_string(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return read_string(l, e, arg, 0);
}

static struct stp_value lower_string_n(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return read_string(l, e, arg, arg[1].v);
}

/* A quoted copy of raw where it could be read; otherwise what the row says. */
static struct stp_value quote_read(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg, ir_ref ret, ir_ref raw,
				   ir_ref bytes, ir_ref width, unsigned flags)
{
	ir_ref dst = kit_mem_zero(K(l), STP_MAXSTRING);
	uint32_t bad = ir_block_new(LB(l), "fault"), ok = ir_block_new(LB(l), "read"), end = ir_block_new(LB(l), "quoted");
	ir_br(LB(l), ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)), bad, ok);
	ir_at(LB(l), bad);
	on_fault(l, e, arg, dst, STP_MAXSTRING, "string");
	ir_jmp(LB(l), end);
	ir_at(LB(l), ok);
	stp_quote(l, dst, raw, bytes, width, flags);
	ir_jmp(LB(l), end);
	ir_at(LB(l), end);
	return stp_string(dst, STP_MAXSTRING);
}

static ir_ref at_most(struct stp_lower *l, ir_ref n, uint32_t limit)
{
	return ir_select(LB(l), ir_bini(LB(l), IR_ULE, n, limit), n, stp_c(l, limit));
}

/* "text" with quotes and escapes; the bare address when it cannot be read. */
static struct stp_value lower_quoted(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref raw = kit_mem_zero(K(l), STP_MAXSTRING), all = stp_c(l, STP_MAXSTRING), size = all;
	int id = ROW_AS(e->func->native->number) == AS_USER ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str;
	if (e->nkid > 1)
		size = at_most(l, ir_bini(LB(l), IR_ADD, arg[1].v, 1), STP_MAXSTRING);
	ir_ref ret = ir_helper(LB(l), id, raw, size, arg[0].v);
	return quote_read(l, e, arg, ret, raw, all, all, STP_QUOTE_STRING | STP_QUOTE_MARKS);
}

/* user_buffer_quoted(address, bytes, width): bytes as C text of at most width characters, quotes and dots included. */
static struct stp_value lower_buffer_quoted(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref raw = kit_mem_zero(K(l), STP_MAXSTRING), n = at_most(l, arg[1].v, STP_MAXSTRING);
	int id = ROW_AS(e->func->native->number) == AS_USER ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	ir_ref ret = ir_helper(LB(l), id, raw, n, arg[0].v);
	return quote_read(l, e, arg, ret, raw, n, at_most(l, arg[2].v, STP_MAXSTRING), STP_QUOTE_MARKS);
}

/* Two hexadecimal digits a byte, as many as a string holds; "" when they cannot be read. */
static struct stp_value lower_hex(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	enum { MOST = (STP_MAXSTRING - 1) / 2 };
	ir_ref raw = kit_mem_zero(K(l), ALIGN_UP(MOST, 8u)), dst = kit_mem_zero(K(l), STP_MAXSTRING), n = at_most(l, arg[1].v, MOST);
	ir_ref ret = ir_helper(LB(l), BPF_FUNC_probe_read_kernel, raw, n, arg[0].v);
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_EQ, ret, 0));
	ir_rt(LB(l), "rt_stp_hex", dst, raw, n);
	stp_endif(l, end);
	return stp_string(dst, STP_MAXSTRING);
}

static struct stp_value lower_number(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	int64_t n = e->func->native->number;
	ir_ref tmp = kit_mem_zero(K(l), 8);
	int id = ROW_AS(n) == AS_USER ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	ir_ref ret = ir_helper(LB(l), id, tmp, stp_c(l, ROW_WIDTH(n)), arg[0].v);
	uint32_t end = stp_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)));
	on_fault(l, e, arg, tmp, 8, NULL);
	stp_endif(l, end);
	return stp_long(ir_load(LB(l), tmp, 0, ROW_WIDTH(n), ROW_SIGNED(n)));
}

/* user_int(): 0 when it cannot be read; user_int_error(): an error. */
#define USER(name, width, s)                                                                       \
	{"user_" name, "l:l", NF_PURE | NF_CONTEXT, 0, lower_number, NUMBER(AS_USER, width, s, ON_QUIET)},       \
	{"user_" name "_error", "l:l", NF_PURE | NF_CONTEXT, 0, lower_number, SAYING(NUMBER(AS_USER, width, s, ON_ERROR), SAY_READ)}
#define WARNING(name, width, s)                                                                    \
	{"user_" name "_warn", "l:l", NF_CONTEXT, 0, lower_number, NUMBER(AS_USER, width, s, ON_WARN)}
#define KERNEL(name, width, s)                                                                     \
	{"kernel_" name, "l:l", NF_PURE, 0, lower_number, NUMBER(AS_KERNEL, width, s, ON_ERROR)}

const struct stp_native stp_tapset_memory[] = {
	{"kernel_string", "s:l", NF_PURE, 0, lower_string, STRING(AS_KERNEL, ON_ERROR)},
	{"kernel_string", "s:ls", NF_PURE, 0, lower_string, STRING(AS_KERNEL, ON_TEXT)},
	{"kernel_string2", "s:ls", NF_PURE, 0, lower_string, STRING(AS_KERNEL, ON_TEXT)},
	{"kernel_string_n", "s:ll", NF_PURE, 0, lower_string_n, STRING(AS_KERNEL, ON_ERROR)},
	{"kernel_string_quoted", "s:l", NF_PURE, 0, lower_quoted, STRING(AS_KERNEL, ON_ADDRESS)},
	{"user_string", "s:l", NF_PURE | NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_ERROR)},
	{"user_string", "s:ls", NF_PURE | NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_TEXT)},
	{"user_string2", "s:ls", NF_PURE | NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_TEXT)},
	{"user_string_nofault", "s:l", NF_PURE | NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_QUIET)},
	{"user_string_warn", "s:l", NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_WARN)},
	{"user_string_warn", "s:ls", NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_WARN_TEXT)},
	{"user_string2_warn", "s:ls", NF_CONTEXT, 0, lower_string, STRING(AS_USER, ON_WARN_TEXT)},
	{"user_string_n", "s:ll", NF_PURE | NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_ERROR)},
	{"user_string_n", "s:lls", NF_PURE | NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_TEXT)},
	{"user_string_n2", "s:lls", NF_PURE | NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_TEXT)},
	{"user_string_n_nofault", "s:ll", NF_PURE | NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_QUIET)},
	{"user_string_n_warn", "s:ll", NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_WARN)},
	{"user_string_n_warn", "s:lls", NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_WARN_TEXT)},
	{"user_string2_n_warn", "s:lls", NF_CONTEXT, 0, lower_string_n, STRING(AS_USER, ON_WARN_TEXT)},
	{"user_string_quoted", "s:l", NF_PURE | NF_CONTEXT, 0, lower_quoted, STRING(AS_USER, ON_ADDRESS)},
	{"user_string_n_quoted", "s:ll", NF_PURE | NF_CONTEXT, 0, lower_quoted, STRING(AS_USER, ON_ADDRESS)},
	{"user_buffer_quoted", "s:lll", NF_PURE | NF_CONTEXT, 0, lower_buffer_quoted, STRING(AS_USER, ON_ADDRESS)},
	{"user_buffer_quoted_error", "s:lll", NF_PURE | NF_CONTEXT, 0, lower_buffer_quoted, SAYING(STRING(AS_USER, ON_ERROR), SAY_ACCESS)},
	{"kernel_buffer_quoted", "s:lll", NF_PURE, 0, lower_buffer_quoted, STRING(AS_KERNEL, ON_ADDRESS)},
	{"__kernel_hex", "s:ll", NF_PURE, 0, lower_hex},
	{"kernel_buffer_quoted_error", "s:lll", NF_PURE, 0, lower_buffer_quoted, SAYING(STRING(AS_KERNEL, ON_ERROR), SAY_ACCESS)},
	KERNEL("char", 1, 1),
	KERNEL("short", 2, 1),
	KERNEL("int", 4, 1),
	KERNEL("long", 8, 1),
	KERNEL("pointer", 8, 0),
	USER("char", 1, 1),
	USER("short", 2, 1),
	USER("int", 4, 1),
	USER("long", 8, 1),
	USER("ushort", 2, 0),
	USER("ulong", 8, 0),
	USER("int8", 1, 1),
	USER("int16", 2, 1),
	USER("int32", 4, 1),
	USER("int64", 8, 1),
	USER("uint8", 1, 0),
	USER("uint16", 2, 0),
	USER("uint32", 4, 0),
	USER("uint64", 8, 0),
	WARNING("char", 1, 1),
	WARNING("short", 2, 1),
	WARNING("int", 4, 1),
	WARNING("long", 8, 1),
	WARNING("ushort", 2, 0),
	WARNING("ulong", 8, 0),
	{0},
};
