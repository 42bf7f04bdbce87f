/*
 * lower_format.c - what is formatted into a string.
 *
 * The helper bpf_snprintf (kernel 5.13) does it where it can: its formats are C's with 64-bit numbers, a flag and a width.  What it cannot
 * (octal, precisions, widths that are computed, memory) becomes a string of its own by runtime/stp_format.h, and that goes to the helper.
 */
#include <ctype.h>
#include <stdio.h>

#include "lang/stp/format.h"
#include "lang/stp/lower.h"
#include "runtime/stp_layout.h"

enum { MAX_SNPRINTF = 12 };

/*
 * As much as one call of the helper takes: so many values, and so many bytes of numbers and strings, which it copies
 * (MAX_BPRINTF_VARARGS and MAX_BPRINTF_BIN_ARGS of kernel/bpf/helpers.c).
 */
struct chunk {
	struct buf fmt;
	ir_ref data[MAX_SNPRINTF];
	unsigned n, bytes;
};
enum { MAX_CHUNKS = 2 * STP_MAXARGS + 2, MAX_COPIED = 512 };
struct formatting {
	struct stp_lower *l;
	struct chunk chunk[MAX_CHUNKS], *at;
	const struct stp_value *arg;
	unsigned narg, next;
	struct loc loc;
};

static void add_word(struct formatting *f, ir_ref v)
{
	if (f->at->n == MAX_SNPRINTF)
		BUG("no room for a value in a format");
	f->at->data[f->at->n++] = v;
}

/* Before something that may need a word of so many bytes. */
static void make_room(struct formatting *f, uint32_t bytes)
{
	bool full = f->at->n == MAX_SNPRINTF || (f->at->n && f->at->bytes + bytes > MAX_COPIED);
	if (full && f->at + 1 < f->chunk + MAX_CHUNKS)
		f->at++;
	f->at->bytes += bytes;
}

bool stp_is_printable(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)s[i]) || (!isprint((unsigned char)s[i]) && !isspace((unsigned char)s[i])))
			return false;
	return true;
}

/* The helper wants a blank or punctuation behind a %s, which is what ends in an s before a text, and refuses control characters. */
static bool fits_format(const struct formatting *f, const char *s, size_t n)
{
	bool after_string = f->at->fmt.len && f->at->fmt.data[f->at->fmt.len - 1] == 's' && isalnum((unsigned char)s[0]);
	return stp_is_printable(s, n) && !after_string;
}

/* Literal text; what cannot stand in a format goes as a string. */
static void add_text(struct formatting *f, const char *s, size_t n)
{
	if (!fits_format(f, s, n))
		make_room(f, (uint32_t)MIN(n + 8, (size_t)MAX_COPIED));
	if (fits_format(f, s, n)) {
		buf_add(&f->at->fmt, s, n);
		return;
	}
	struct buf b = {0};
	for (size_t i = 0; i < n; i++) {
		buf_putc(&b, s[i]);
		i += s[i] == '%' && i + 1 < n;
	}
	buf_puts(&f->at->fmt, "%s");
	add_word(f, stp_literal(f->l, buf_str(&b)).v);
	buf_free(&b);
}

static const struct stp_value *next_arg(struct formatting *f)
{
	static const struct stp_value none = {.type = ST_LONG};
	return f->next < f->narg ? &f->arg[f->next++] : &none;
}

static bool const_of(struct formatting *f, const struct stp_value *v, int64_t *n)
{
	return v->type == ST_LONG && ir_is_const(f->l->kit.b.fn, v->v, n);
}

/* %#c: the address of a character's text as C writes it. */
static ir_ref escaped_char(struct stp_lower *l, ir_ref c)
{
	static const char plain[] = "\a\b\f\n\r\t\v'\\", letter[] = "abfnrtv'\\";
	char text[256][8] = {0};
	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		const char *e = i ? strchr(plain, (int)i) : NULL;
		if (e)
			snprintf(text[i], sizeof(text[i]), "\\%c", letter[e - plain]);
		else
			snprintf(text[i], sizeof(text[i]), i < 32 || i > 126 ? "\\%03o" : "%c", i);
	}
	uint32_t at = program_rodata(l->c->prog, text, sizeof(text), 8);
	ir_ref i = ir_bini(LB(l), IR_MUL, ir_bini(LB(l), IR_AND, c, 255), sizeof(text[0]));
	return ir_bin(LB(l), IR_ADD, ir_mapval(LB(l), l->c->prog->rodata, at), i);
}

/* --- conversions that become strings of their own, see runtime/stp_format.h ---------------------------------------------------------- */

/* A conversion with what its stars stand for; 0: as the conversion says. */
struct conv {
	const struct stp_conv *c;
	ir_ref width, precision;
};

static ir_ref at_most(struct stp_lower *l, ir_ref v, int64_t most)
{
	return ir_select(LB(l), ir_bini(LB(l), IR_ULE, v, most), v, stp_c(l, most));
}

/* What a star stands for: unlike C's, a negative number is 0. */
static ir_ref not_negative(struct stp_lower *l, ir_ref v)
{
	return ir_select(LB(l), ir_bin(LB(l), IR_SLT, v, stp_c(l, 0)), stp_c(l, 0), v);
}

/* Width, precision and flags in one word. */
static ir_ref layout_of(struct formatting *f, const struct conv *v)
{
	static const char flags[] = "-0+ #";
	struct stp_lower *l = f->l;
	const struct stp_conv *c = v->c;
	const char *at = c->flag ? strchr(flags, c->flag) : NULL;
	bool is_hex = strchr("xXp", c->type), is_signed = strchr("di", c->type);
	uint64_t base = is_hex ? 16 : c->type == 'o' ? 8 : 10;
	uint64_t set = (at ? 1u << (at - flags) : 0) | (is_signed ? STP_SIGNED : 0) | (c->type == 'X' ? STP_UPPER : 0) |
		       (c->type == 'p' ? STP_ALT : 0);
	ir_ref packed = stp_c(l, (int64_t)(set << STP_FLAGS_AT | base << STP_BASE_AT));
	if (v->width) {
		packed = ir_bin(LB(l), IR_OR, packed, at_most(l, not_negative(l, v->width), STP_MAXSTRING));
	} else {
		packed = ir_bini(LB(l), IR_OR, packed, MIN(MAX(c->width, 0), STP_MAXSTRING));
	}
	if (v->precision) {
		ir_ref p = at_most(l, ir_bini(LB(l), IR_ADD, not_negative(l, v->precision), 1), STP_MAXSTRING);
		return ir_bin(LB(l), IR_OR, packed, ir_bini(LB(l), IR_SHL, p, STP_PRECISION_AT));
	}
	return c->precision < 0 ? packed : ir_bini(LB(l), IR_OR, packed, (int64_t)MIN(c->precision + 1, STP_MAXSTRING) << STP_PRECISION_AT);
}

static void add_own(struct formatting *f, ir_ref text)
{
	buf_puts(&f->at->fmt, "%s");
	add_word(f, text);
}

static void lay_number(struct formatting *f, const struct conv *v, const struct stp_value *value)
{
	struct stp_lower *l = f->l;
	ir_ref dst = kit_mem_zero(&l->kit, STP_MAXSTRING);
	ir_rt(LB(l), "rt_stp_format_number", dst, value->v, layout_of(f, v), kit_mem(&l->kit, sizeof(struct stp_layout)));
	add_own(f, dst);
}

static void lay_string(struct formatting *f, const struct conv *v, ir_ref text, uint32_t cap, ir_ref length)
{
	struct stp_lower *l = f->l;
	ir_ref dst = kit_mem_zero(&l->kit, STP_MAXSTRING), layout = kit_mem(&l->kit, sizeof(struct stp_layout));
	ir_store(LB(l), layout, offsetof(struct stp_layout, text), 8, length);
	ir_rt(LB(l), "rt_stp_format_string", dst, text, stp_c(l, cap), layout_of(f, v), layout);
	add_own(f, dst);
}

/* %b: bytes of a number as the processor has them; a string ends at the first that is zero. */
static void add_binary(struct formatting *f, const struct stp_conv *c, const struct stp_value *value)
{
	struct stp_lower *l = f->l;
	ir_ref dst = kit_mem_zero(&l->kit, 16);
	uint32_t n = c->width == 1 || c->width == 2 || c->width == 4 ? (uint32_t)c->width : 8;
	ir_store(LB(l), dst, 0, n, value->v);
	add_own(f, dst);
}

ir_ref stp_memory_size(struct stp_lower *l, const struct stp_conv *c, ir_ref precision, uint32_t most, struct loc loc)
{
	ir_ref n = precision ? precision : stp_c(l, MAX(c->precision, 1));
	stp_raise_if(l, ir_bin(LB(l), IR_ULT, stp_c(l, most), n), loc, arena_printf(l->c->a, "more than %u bytes are too many for a memory dump", most));
	return n;
}

void stp_read_memory(struct stp_lower *l, const struct stp_conv *c, ir_ref dst, ir_ref n, ir_ref addr, struct loc loc)
{
	int helper = c->flag == '#' ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	ir_ref ret = ir_helper(LB(l), helper, dst, n, addr);
	stp_raise_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)), loc, c->flag == '#' ? "user memory copy fault [man error::fault]" : "kernel memory copy fault [man error::fault]");
}

/* %m, %M: bytes of memory, as they are to the first zero, or as digits. */
static void add_memory(struct formatting *f, const struct conv *v, const struct stp_value *value)
{
	struct stp_lower *l = f->l;
	bool hex = v->c->type == 'M';
	ir_ref n = stp_memory_size(l, v->c, v->precision, hex ? STP_MAXSTRING / 2 - 1 : STP_MAXSTRING - 1, f->loc);
	ir_ref bytes = kit_mem_zero(&l->kit, STP_MAXSTRING);
	stp_read_memory(l, v->c, bytes, n, value->v, f->loc);
	ir_ref dst = hex ? kit_mem_zero(&l->kit, STP_MAXSTRING) : bytes;
	if (hex)
		ir_rt(LB(l), "rt_stp_hex", dst, bytes, n);
	if (v->width || v->c->width > 0) {
		struct stp_conv whole = *v->c;
		whole.precision = -1;
		lay_string(f, &(struct conv){&whole, v->width, 0}, dst, STP_MAXSTRING, stp_length(l, stp_string(dst, STP_MAXSTRING)));
		return;
	}
	add_own(f, dst);
}

/* A character, or what C writes for it. */
static void add_char(struct formatting *f, const struct conv *v, const struct stp_value *value)
{
	struct stp_lower *l = f->l;
	bool escaped = v->c->flag == '#', wide = v->width || v->c->width > 1;
	ir_ref text;
	if (!escaped && !wide) {
		buf_puts(&f->at->fmt, "%c");
		add_word(f, value->v);
		return;
	}
	if (escaped) {
		text = escaped_char(l, value->v);
	} else {
		text = kit_mem_zero(&l->kit, 8);
		ir_store(LB(l), text, 0, 1, value->v);
	}
	if (wide)
		lay_string(f, v, text, 8, escaped ? stp_length(l, stp_string(text, 8)) : stp_c(l, 1));
	else
		add_own(f, text);
}

/* Does the helper write it as stap does? */
static bool is_plain(const struct conv *v)
{
	const struct stp_conv *c = v->c;
	if (v->width || v->precision || c->precision >= 0)
		return false;
	return strchr("di", c->type) ? c->flag != '#' : strchr("uxX", c->type) ? !c->flag || c->flag == '-' || c->flag == '0' : false;
}

static void add_number(struct formatting *f, const struct conv *v, const struct stp_value *value)
{
	const struct stp_conv *c = v->c;
	char width[16] = "";
	if (c->type == 'b') {
		add_binary(f, c, value);
	} else if (c->type == 'c') {
		add_char(f, v, value);
	} else if (c->type == 'm' || c->type == 'M') {
		add_memory(f, v, value);
	} else if (c->type == 'p' && !v->width && c->width <= 0 && !v->precision && c->precision < 0) {
		buf_puts(&f->at->fmt, "0x%llx");
		add_word(f, value->v);
	} else if (is_plain(v)) {
		if (c->width > 0)
			snprintf(width, sizeof(width), "%d", MIN(c->width, STP_MAXSTRING));
		buf_printf(&f->at->fmt, "%%%s%sll%c", c->flag ? (char[]){c->flag, 0} : "", width, c->type == 'i' ? 'd' : c->type);
		add_word(f, value->v);
	} else {
		lay_number(f, v, value);
	}
}

static void add_string(struct formatting *f, const struct conv *v, const struct stp_value *value)
{
	if (v->width || v->precision || v->c->precision >= 0 || v->c->width >= STP_MAXSTRING) {
		lay_string(f, v, value->v, value->cap, stp_length(f->l, *value));
		return;
	}
	if (v->c->width > 0)
		buf_printf(&f->at->fmt, "%%%s%ds", v->c->flag == '-' ? "-" : "", v->c->width);
	else
		buf_puts(&f->at->fmt, "%s");
	add_word(f, value->v);
}

/* Numbers that are known stand in the conversion itself; what a star stands for otherwise. */
static ir_ref star(struct formatting *f, bool there, int *known)
{
	const struct stp_value *v = there ? next_arg(f) : NULL;
	int64_t n;
	if (!v)
		return 0;
	if (!const_of(f, v, &n) || n < 0 || n > STP_MAXSTRING)
		return v->v;
	*known = (int)n;
	return 0;
}

static void add_conversion(struct formatting *f, const struct stp_conv *c)
{
	struct stp_conv known = *c;
	struct conv v = {.c = &known};
	v.width = star(f, c->star_width, &known.width);
	v.precision = star(f, c->star_precision, &known.precision);
	const struct stp_value *value = next_arg(f);
	make_room(f, c->type == 's' ? value->cap : is_plain(&v) || c->type == 'p' ? 8 : STP_MAXSTRING);
	if (c->type == 's')
		add_string(f, &v, value);
	else
		add_number(f, &v, value);
}

static ir_ref run_chunk(struct stp_lower *l, struct chunk *c, ir_ref dst, uint32_t cap)
{
	uint32_t at = program_rodata(l->c->prog, buf_str(&c->fmt), c->fmt.len + 1, 1);
	ir_ref fmt = ir_mapval(LB(l), l->c->prog->rodata, at), data = stp_c(l, 0);
	if (c->n) {
		data = kit_mem(&l->kit, 8 * c->n);
		for (unsigned i = 0; i < c->n; i++)
			ir_store(LB(l), data, 8 * i, 8, c->data[i]);
	}
	return ir_helper(LB(l), BPF_FUNC_snprintf, dst, stp_c(l, cap), fmt, data, stp_c(l, 8 * c->n));
}

/* Each call goes on where the one before it ended, at the last byte of the string at most. */
static struct stp_value run_format(struct formatting *f, uint32_t cap)
{
	struct stp_lower *l = f->l;
	unsigned n = (unsigned)(f->at - f->chunk) + 1;
	ir_ref dst = kit_mem_zero(&l->kit, n > 1 ? 2 * cap : cap), end = stp_c(l, 0), most = stp_c(l, cap - 1);
	for (unsigned i = 0; i < n; i++) {
		ir_ref ret = run_chunk(l, &f->chunk[i], ir_bin(LB(l), IR_ADD, dst, end), cap);
		if (i + 1 == n)
			break;
		ir_ref next = ir_bin(LB(l), IR_ADD, end, ir_bini(LB(l), IR_SUB, ret, 1)); /* its NUL counts */
		end = ir_select(LB(l), ir_bin(LB(l), IR_ULE, next, most), next, most);
	}
	if (n > 1)
		ir_store(LB(l), dst, cap - 1, 1, stp_c(l, 0));
	return stp_string(dst, cap);
}

struct stp_value stp_format_into(struct stp_lower *l, const char *fmt, const struct stp_value *arg, unsigned n, uint32_t cap,
				 struct loc loc)
{
	struct formatting f = {.l = l, .arg = arg, .narg = n, .loc = loc};
	f.at = f.chunk;
	struct stp_conv c;
	bool bad;
	while (stp_format_next(&fmt, &c, &bad)) {
		if (c.type)
			add_conversion(&f, &c);
		else
			add_text(&f, c.begin, (size_t)(c.end - c.begin));
	}
	struct stp_value v = run_format(&f, cap);
	for (unsigned i = 0; i < MAX_CHUNKS; i++)
		buf_free(&f.chunk[i].fmt);
	return v;
}
