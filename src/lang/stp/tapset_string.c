/* tapset_string.c - functions on strings, names of numbers, byte order. */
#include <errno.h>
#include <stdio.h>

#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

ir_ref stp_cell(struct stp_lower *l)
{
	/* larger than what would be put on the stack: it must be memory of a map, see runtime/stp.h */
	return kit_mem(K(l), 72);
}

static ir_ref cell_value(struct stp_lower *l, ir_ref cell)
{
	return ir_load(LB(l), cell, 0, 8, false);
}

ir_ref stp_length(struct stp_lower *l, struct stp_value s)
{
	if (s.lit)
		return stp_c(l, s.lit_len);
	/* the kernel's copy counts, so that no loop has to be verified */
	ir_ref tmp = kit_mem(K(l), s.cap);
	ir_ref n = ir_helper(LB(l), BPF_FUNC_probe_read_kernel_str, tmp, stp_c(l, s.cap), s.v);
	return ir_select(LB(l), ir_bin(LB(l), IR_SLT, n, stp_c(l, 1)), stp_c(l, 0), ir_bini(LB(l), IR_SUB, n, 1));
}

static struct stp_value lower_strlen(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_length(l, arg[0]));
}

/* substr(s, start, length): clipped; "" when start is outside. */
static struct stp_value lower_substr(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	uint32_t cap = arg[0].cap;
	ir_ref dst = kit_mem_zero(K(l), cap);
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_ULT, arg[1].v, cap));
	ir_ref want = ir_bini(LB(l), IR_ADD, arg[2].v, 1);
	want = ir_select(LB(l), ir_bin(LB(l), IR_SLT, want, stp_c(l, 0)), stp_c(l, 0), want);
	want = ir_select(LB(l), ir_bini(LB(l), IR_ULE, want, cap), want, stp_c(l, cap));
	ir_helper(LB(l), BPF_FUNC_probe_read_kernel_str, dst, want, ir_bin(LB(l), IR_ADD, arg[0].v, arg[1].v));
	stp_endif(l, end);
	return stp_string(dst, cap);
}

static struct stp_value lower_stringat(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref n = stp_length(l, arg[0]);
	stp_raise_if(l, ir_bin(LB(l), IR_ULE, n, arg[1].v), e->loc, "Position out of bounds");
	ir_ref tmp = kit_mem_zero(K(l), 8);
	ir_helper(LB(l), BPF_FUNC_probe_read_kernel, tmp, stp_c(l, 1), ir_bin(LB(l), IR_ADD, arg[0].v, arg[1].v));
	return stp_long(ir_load(LB(l), tmp, 0, 1, true));
}

static ir_ref find(struct stp_lower *l, struct stp_value *arg)
{
	ir_ref cell = stp_cell(l);
	ir_rt(LB(l), "rt_stp_find", arg[0].v, stp_c(l, arg[0].cap), arg[1].v, stp_c(l, arg[1].cap), cell);
	return cell_value(l, cell);
}

static struct stp_value lower_strpos(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(find(l, arg));
}

static struct stp_value lower_isinstr(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_NE, find(l, arg), -1));
}

static struct stp_value lower_isdigit(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref c = ir_bini(LB(l), IR_SUB, ir_load(LB(l), arg[0].v, 0, 1, false), '0');
	return stp_long(ir_bini(LB(l), IR_ULT, c, 10));
}

static struct stp_value lower_strtol(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref cell = stp_cell(l);
	ir_rt(LB(l), "rt_stp_strtol", arg[0].v, stp_c(l, arg[0].cap), arg[1].v, cell);
	return stp_long(cell_value(l, cell));
}

/* A whole string: the runtime's functions want STP_MAXSTRING bytes. */
static ir_ref whole(struct stp_lower *l, struct stp_value s)
{
	if (s.cap == STP_MAXSTRING)
		return s.v;
	ir_ref at = kit_mem(K(l), STP_MAXSTRING);
	kit_str_copy(K(l), at, STP_MAXSTRING, s.v, s.cap);
	return at;
}

/* A row a byte for the runtime's struct stp_escape. */
static ir_ref escapes(struct stp_lower *l)
{
	static const char letters[] = "\a\b\f\n\r\t\v\"\\", names[] = "abfnrtv\"\\";
	struct {
		char text[4];
		uint32_t len;
	} row[256] = {0};
	for (int c = 0; c < 256; c++) {
		const char *letter = c ? strchr(letters, c) : NULL;
		char text[8];
		if (letter)
			snprintf(text, sizeof(text), "\\%c", names[letter - letters]);
		else if (c < 32 || c > 126)
			snprintf(text, sizeof(text), "\\%03o", c);
		else
			snprintf(text, sizeof(text), "%c", c);
		row[c].len = (uint32_t)strlen(text);
		memcpy(row[c].text, text, row[c].len);
	}
	return ir_mapval(LB(l), l->c->prog->rodata, program_rodata(l->c->prog, row, sizeof(row), 8));
}

struct stp_value stp_quote(struct stp_lower *l, ir_ref dst, ir_ref text, ir_ref bytes, ir_ref width, unsigned flags)
{
	ir_ref packed = ir_bin(LB(l), IR_OR, bytes, ir_bini(LB(l), IR_SHL, width, 16));
	packed = ir_bini(LB(l), IR_OR, packed, (int64_t)flags << 32);
	ir_rt(LB(l), "rt_stp_quote", dst, text, escapes(l), packed, stp_cell(l));
	return stp_string(dst, STP_MAXSTRING);
}

/* number: with quotes or not */
static struct stp_value lower_quote(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref all = stp_c(l, STP_MAXSTRING);
	return stp_quote(l, kit_mem_zero(K(l), STP_MAXSTRING), whole(l, arg[0]), all, all, (unsigned)e->func->native->number);
}

/* tokenize([input,] delimiters): a new input starts over. */
static struct stp_value lower_tokenize(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref state = kit_local_addr(K(l), l->tokens);
	if (e->nkid > 1 && !(arg[0].lit && !arg[0].lit_len)) {
		uint32_t end = stp_if(l, ir_load(LB(l), arg[0].v, 0, 1, false));
		kit_str_copy(K(l), state, STP_MAXSTRING, arg[0].v, arg[0].cap);
		ir_store(LB(l), state, STP_MAXSTRING, 8, stp_c(l, 0));
		stp_endif(l, end);
	}
	const struct stp_value *delim = &arg[e->nkid - 1];
	ir_ref dst = kit_mem_zero(K(l), STP_MAXSTRING);
	ir_rt(LB(l), "rt_stp_token", dst, state, delim->v, stp_c(l, delim->cap), stp_cell(l));
	return stp_string(dst, STP_MAXSTRING);
}

/* --- names of numbers -------------------------------------------------------------------------------------------- */

/* A row of `width` bytes out of a table in read-only data; "" outside. */
static struct stp_value table_row(struct stp_lower *l, const char *table, uint32_t rows, uint32_t width, ir_ref i)
{
	uint32_t at = program_rodata(l->c->prog, table, (size_t)rows * width, 8);
	/* row 0 is empty */
	i = ir_select(LB(l), ir_bini(LB(l), IR_ULT, i, rows), i, stp_c(l, 0));
	ir_ref row = ir_bin(LB(l), IR_ADD, ir_mapval(LB(l), l->c->prog->rodata, at), ir_bin(LB(l), IR_MUL, i, stp_c(l, width)));
	ir_ref dst = kit_mem(K(l), width);
	kit_copy(K(l), dst, row, width);
	return stp_string(dst, width);
}

enum { ERRNO_MAX = 134, ERRNO_WIDTH = 16, SYSCALL_MAX = 480, SYSCALL_WIDTH = 32 };

static ir_ref positive(struct stp_lower *l, ir_ref v)
{
	return ir_select(LB(l), ir_bin(LB(l), IR_SLT, v, stp_c(l, 0)), ir_un(LB(l), IR_NEG, v), v);
}

static struct stp_value lower_errno_str(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	char *table = arena_alloc(l->c->a, ERRNO_MAX * ERRNO_WIDTH);
	for (int i = 1; i < ERRNO_MAX; i++) {
		const char *name = strerrorname_np(i);
		if (name)
			strncpy(table + i * ERRNO_WIDTH, name, ERRNO_WIDTH - 1);
	}
	return table_row(l, table, ERRNO_MAX, ERRNO_WIDTH, positive(l, arg[0].v));
}

static struct stp_value lower_errno_p(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref v = positive(l, arg[0].v);
	return stp_long(ir_select(LB(l), ir_bini(LB(l), IR_ULT, v, ERRNO_MAX), v, stp_c(l, 0)));
}

#define SYSCALL(nr, name) {nr, name},
static const struct {
	int nr;
	const char *name;
} syscalls[] = {
#include "lang/syscalls_x86_64.def"
};
#undef SYSCALL

/* Row n + 1 is system call n. */
static struct stp_value lower_syscall_name(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	char *table = arena_alloc(l->c->a, SYSCALL_MAX * SYSCALL_WIDTH);
	for (size_t i = 0; i < ARRAY_SIZE(syscalls); i++)
		if (syscalls[i].nr + 1 < SYSCALL_MAX)
			strncpy(table + (syscalls[i].nr + 1) * SYSCALL_WIDTH, syscalls[i].name, SYSCALL_WIDTH - 1);
	return table_row(l, table, SYSCALL_MAX, SYSCALL_WIDTH, ir_bini(LB(l), IR_ADD, arg[0].v, 1));
}

static struct stp_value lower_syscall_num(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	for (size_t i = 0; arg[0].lit && i < ARRAY_SIZE(syscalls); i++)
		if (str_eq(syscalls[i].name, arg[0].lit))
			return stp_long(stp_c(l, syscalls[i].nr));
	if (!arg[0].lit)
		stp_error(l->c, e->loc, "syscall_num() takes a literal");
	return stp_long(stp_c(l, -1));
}

/* --- arithmetic ----------------------------------------------------------------------------------------------------- */

static struct stp_value lower_swap(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bswap(LB(l), arg[0].v, (unsigned)e->func->native->number));
}

/* number: bytes; what is in the machine's own order is only cut */
static struct stp_value lower_cut(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_ext(LB(l), arg[0].v, (unsigned)e->func->native->number, false));
}

/* text_strn(text, width, quotes): 0 characters: all; the literal of `quotes` decides. */
static struct stp_value lower_text_strn(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	int64_t quotes;
	if (!ir_is_const(l->kit.b.fn, arg[2].v, &quotes)) {
		stp_error(l->c, e->loc, "text_strn() takes a literal for whether there are quotes");
		quotes = 0;
	}
	ir_ref all = stp_c(l, STP_MAXSTRING - 1), width = arg[1].v;
	width = ir_select(LB(l), ir_bini(LB(l), IR_ULT, ir_bini(LB(l), IR_SUB, width, 1), STP_MAXSTRING - 1), width, all);
	return stp_quote(l, kit_mem_zero(K(l), STP_MAXSTRING), whole(l, arg[0]), stp_c(l, STP_MAXSTRING), width,
			 STP_QUOTE_STRING | (quotes ? STP_QUOTE_MARKS : 0));
}

static struct stp_value lower_major(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_LSHR, arg[0].v, 20));
}

static struct stp_value lower_minor(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_AND, arg[0].v, 0xfffff));
}

static struct stp_value lower_mkdev(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bin(LB(l), IR_OR, ir_bini(LB(l), IR_SHL, arg[0].v, 20), arg[1].v));
}

const struct stp_native stp_tapset_string[] = {
	{"strlen", "l:s", NF_PURE, 0, lower_strlen},
	{"substr", "s:sll", NF_PURE, 1, lower_substr},
	{"stringat", "l:sl", NF_PURE, 0, lower_stringat},
	{"isinstr", "l:ss", NF_PURE, 0, lower_isinstr},
	{"strpos", "l:ss", NF_PURE, 0, lower_strpos},
	{"isdigit", "l:s", NF_PURE, 0, lower_isdigit},
	{"strtol", "l:sl", NF_PURE, 0, lower_strtol},
	{"tokenize", "s:s", 0, 0, lower_tokenize},
	{"tokenize", "s:ss", 0, 0, lower_tokenize},
	{"text_str", "s:s", NF_PURE, 0, lower_quote, STP_QUOTE_STRING},
	{"string_quoted", "s:s", NF_PURE, 0, lower_quote, STP_QUOTE_STRING | STP_QUOTE_MARKS},
	{"errno_str", "s:l", NF_PURE, ERRNO_WIDTH, lower_errno_str},
	{"errno_p", "l:l", NF_PURE, 0, lower_errno_p},
	{"syscall_name", "s:l", NF_PURE, SYSCALL_WIDTH, lower_syscall_name},
	{"syscall_num", "l:s", NF_PURE, 0, lower_syscall_num},
	{"text_strn", "s:sll", NF_PURE, 0, lower_text_strn},
	{"big_endian2", "l:l", NF_PURE, 0, lower_swap, 2},
	{"big_endian4", "l:l", NF_PURE, 0, lower_swap, 4},
	{"big_endian8", "l:l", NF_PURE, 0, lower_swap, 8},
	{"little_endian2", "l:l", NF_PURE, 0, lower_cut, 2},
	{"little_endian4", "l:l", NF_PURE, 0, lower_cut, 4},
	{"little_endian8", "l:l", NF_PURE, 0, lower_cut, 8},
	{"htons", "l:l", NF_PURE, 0, lower_swap, 2},
	{"ntohs", "l:l", NF_PURE, 0, lower_swap, 2},
	{"htonl", "l:l", NF_PURE, 0, lower_swap, 4},
	{"ntohl", "l:l", NF_PURE, 0, lower_swap, 4},
	{"htonll", "l:l", NF_PURE, 0, lower_swap, 8},
	{"ntohll", "l:l", NF_PURE, 0, lower_swap, 8},
	{"MAJOR", "l:l", NF_PURE, 0, lower_major},
	{"MINOR", "l:l", NF_PURE, 0, lower_minor},
	{"MKDEV", "l:ll", NF_PURE, 0, lower_mkdev},
	{0},
};
