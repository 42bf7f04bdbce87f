/*
 * lower_print.c - print and its relatives.
 *
 * What is printed becomes one record with a format, which user space writes out.  What is formatted into a
 * string goes through the helper bpf_snprintf (kernel 5.13), whose formats are C's with 64-bit numbers, a flag
 * and a width.
 */
#include <ctype.h>
#include <stdio.h>

#include "bpf/user_helpers.h"
#include "lang/stp/format.h"
#include "lang/stp/lower.h"

/* --- records --------------------------------------------------------------------------------------------------- */

static struct kit_value kit_value_of(struct stp_lower *l, struct stp_value v)
{
	if (v.type == ST_STRING)
		return (struct kit_value){.type = type_str(l->c->a, v.cap), .v = v.v, .is_addr = true};
	return (struct kit_value){.type = &type_int64, .v = v.v};
}

void stp_send_text(struct stp_lower *l, enum action_kind kind, const char *fmt, const struct stp_value *arg, unsigned n,
		   struct loc loc)
{
	struct kit_value v[STP_MAXARGS];
	struct action *act = program_action(l->c->prog, kind, loc);
	act->fmt = fmt;
	for (unsigned i = 0; i < n; i++)
		v[i] = kit_value_of(l, arg[i]);
	kit_send(&l->kit, act, v, n);
}

static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_printf(b, *s == '%' ? "%%%%" : "%c", *s);
}

/* The format of print, println, printd...: literals go into it, other values become arguments. */
static const char *plain_format(struct stp_lower *l, struct stp_expr *e, struct stp_value *arg, unsigned *n)
{
	struct buf b = {0};
	*n = 0;
	for (unsigned i = 0; i < e->nkid; i++) {
		struct stp_expr *k = e->kid[i];
		if (i && e->delimited)
			add_escaped(&b, e->str);
		if (k->kind == SE_STR && !memchr(k->str, 0, k->len)) {
			add_escaped(&b, k->str);
			continue;
		}
		arg[*n] = stp_lower_expr(l, k);
		buf_puts(&b, e->is_char ? "%c" : arg[*n].type == ST_STRING ? "%s" : "%d");
		++*n;
	}
	if (e->newline)
		buf_putc(&b, '\n');
	const char *fmt = arena_strdup(l->c->a, buf_str(&b));
	buf_free(&b);
	return fmt;
}

static void print_hist(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_expr *h = e->kid[0];
	struct stp_global *g;
	ir_ref at = stp_stat_merged(l, h->kid[0], &g);
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, ir_load(LB(l), at, 0, 8, false), 0), h->loc, "empty aggregate");
	struct action *act = program_action(l->c->prog, ACT_STP_HIST, e->loc);
	act->var = g->var;
	act->number = e->newline;
	kit_send(&l->kit, act, &(struct kit_value){.type = g->var->value, .v = at, .is_addr = true}, 1);
}

static bool reads_memory(const char *fmt)
{
	struct stp_conv c;
	bool bad;
	while (stp_format_next(&fmt, &c, &bad))
		if (c.type == 'm' || c.type == 'M')
			return true;
	return false;
}

void stp_lower_print(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value arg[STP_MAXARGS];
	unsigned n = e->nkid;
	if (n == 1 && e->kid[0]->kind == SE_HIST) {
		print_hist(l, e);
		return;
	}
	const char *fmt = e->str;
	if (e->formatted) {
		if (reads_memory(fmt))
			stp_error(l->c, e->loc, "%%m and %%M are not supported yet");
		for (unsigned i = 0; i < n; i++)
			arg[i] = stp_lower_expr(l, e->kid[i]);
	} else {
		fmt = plain_format(l, e, arg, &n);
	}
	stp_send_text(l, ACT_STP_PRINT, fmt, arg, n, e->loc);
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

enum { MAX_SNPRINTF = 12, MAX_PAD = 63 };

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
	bool failed;
};

static void cannot(struct formatting *f, const char *what)
{
	if (!f->failed)
		stp_error(f->l->c, f->loc, "%s in a formatted string is not supported yet", what);
	f->failed = true;
}

static void add_word(struct formatting *f, ir_ref v)
{
	if (f->at->n == MAX_SNPRINTF)
		cannot(f, "so many values");
	else
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

static bool is_printable(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)s[i]) || (!isprint((unsigned char)s[i]) && !isspace((unsigned char)s[i])))
			return false;
	return true;
}

/* Literal text; the helper refuses control characters in formats, so those go as a string. */
static void add_text(struct formatting *f, const char *s, size_t n)
{
	/* the helper wants a blank or punctuation behind a %s, which is what ends in an s before a text */
	if (!is_printable(s, n))
		make_room(f, (uint32_t)MIN(n + 8, (size_t)MAX_COPIED));
	bool after_string = f->at->fmt.len && f->at->fmt.data[f->at->fmt.len - 1] == 's' && isalnum((unsigned char)s[0]);
	if (is_printable(s, n) && !after_string) {
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

/* `%-*s` of "": as many blanks as the width says, at most MAX_PAD. */
static void add_blanks(struct formatting *f, ir_ref width)
{
	struct stp_lower *l = f->l;
	char blanks[MAX_PAD + 1];
	memset(blanks, ' ', MAX_PAD);
	blanks[MAX_PAD] = '\0';
	ir_ref dst = kit_mem_zero(&l->kit, MAX_PAD + 1);
	ir_ref negative = ir_bin(LB(l), IR_SLT, width, stp_c(l, 0));
	ir_ref n = ir_select(LB(l), negative, ir_un(LB(l), IR_NEG, width), width);
	n = ir_select(LB(l), ir_bini(LB(l), IR_ULE, n, MAX_PAD), n, stp_c(l, MAX_PAD));
	ir_helper(LB(l), BPF_FUNC_probe_read_kernel, dst, n, kit_str_literal(&l->kit, blanks, MAX_PAD, MAX_PAD + 1));
	buf_puts(&f->at->fmt, "%s");
	add_word(f, dst);
}

/* A string cut to `precision` bytes. */
static ir_ref cut_string(struct formatting *f, const struct stp_value *v, int precision)
{
	struct stp_lower *l = f->l;
	uint32_t cap = MIN((uint32_t)precision + 1, v->cap);
	ir_ref dst = kit_mem_zero(&l->kit, cap);
	if (precision)
		kit_copy(&l->kit, dst, v->v, cap - 1);
	return dst;
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

static void add_number(struct formatting *f, const struct stp_conv *c, const char *width, const struct stp_value *v)
{
	const char *flag = c->flag && c->flag != '#' ? (char[]){c->flag, 0} : "";
	bool hex = c->type == 'p' || ((c->type == 'x' || c->type == 'X') && c->flag == '#');
	if (c->precision >= 0 || c->star_precision)
		cannot(f, "precision of a number");
	if (c->type == 'o' || c->type == 'b' || c->type == 'm' || c->type == 'M') {
		cannot(f, "this conversion");
		return;
	}
	if (c->type == 'c' && c->flag == '#') {
		buf_puts(&f->at->fmt, "%s");
		add_word(f, escaped_char(f->l, v->v));
		return;
	}
	if (c->type == 'c') {
		buf_puts(&f->at->fmt, "%c");
	} else {
		char letter = c->type == 'i' ? 'd' : c->type == 'p' ? 'x' : c->type;
		buf_printf(&f->at->fmt, "%s%%%s%sll%c", hex ? (c->type == 'X' ? "0X" : "0x") : "", flag, hex ? "" : width, letter);
	}
	add_word(f, v->v);
}

static void add_conversion(struct formatting *f, const struct stp_conv *c)
{
	char width[16] = "";
	ir_ref dynamic = 0;
	int64_t n = c->width;
	int precision = c->precision;
	bool left = c->flag == '-';
	if (c->star_width) {
		const struct stp_value *w = next_arg(f);
		if (!const_of(f, w, &n))
			dynamic = w->v;
		left |= n < 0;
		n = n < 0 ? -n : n;
	}
	if (c->star_precision) {
		int64_t p = 0;
		if (!const_of(f, next_arg(f), &p))
			cannot(f, "a computed precision");
		precision = (int)MIN(MAX(p, 0), (int64_t)STP_MAXSTRING);
	}
	if (n > 0)
		snprintf(width, sizeof(width), "%lld", (long long)MIN(n, (int64_t)STP_MAXSTRING));
	const struct stp_value *v = next_arg(f);
	make_room(f, c->type == 's' ? v->cap : 8);
	if (dynamic && c->type == 's' && v->lit && !v->lit_len) {
		add_blanks(f, dynamic);
		return;
	}
	if (dynamic)
		cannot(f, "a computed width");
	if (c->type != 's') {
		add_number(f, c, width, v);
		return;
	}
	buf_printf(&f->at->fmt, "%%%s%ss", left && *width ? "-" : "", width);
	add_word(f, precision >= 0 ? cut_string(f, v, precision) : v->v);
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
	struct stp_value v = f.failed ? stp_literal(l, "") : run_format(&f, cap);
	for (unsigned i = 0; i < MAX_CHUNKS; i++)
		buf_free(&f.chunk[i].fmt);
	return v;
}

static struct stp_value hist_string(struct stp_lower *l, struct stp_expr *h, struct loc loc)
{
	struct stp_global *g;
	ir_ref at = stp_stat_merged(l, h->kid[0], &g);
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, ir_load(LB(l), at, 0, 8, false), 0), h->loc, "empty aggregate");
	ir_ref dst = kit_mem(&l->kit, STP_MAXSTRING);
	ir_helper(LB(l), UH_HIST_TEXT, stp_c(l, g->var->id), at, dst, stp_c(l, STP_MAXSTRING));
	return stp_string(dst, STP_MAXSTRING);
}

static struct stp_value lower_sprint(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value arg[STP_MAXARGS];
	unsigned n = e->nkid;
	const char *fmt = e->str;
	if (n == 1 && e->kid[0]->kind == SE_HIST)
		return hist_string(l, e->kid[0], e->loc);
	if (e->formatted)
		for (unsigned i = 0; i < n; i++)
			arg[i] = stp_lower_expr(l, e->kid[i]);
	else
		fmt = plain_format(l, e, arg, &n);
	if (!n && is_printable(fmt, strlen(fmt))) {
		struct buf b = {0};
		for (const char *p = fmt; *p; p++) {
			buf_putc(&b, *p);
			p += *p == '%' && p[1] == '%';
		}
		struct stp_value v = stp_literal(l, arena_strdup(l->c->a, buf_str(&b)));
		buf_free(&b);
		return v;
	}
	return stp_format_into(l, fmt, arg, n, STP_MAXSTRING, e->loc);
}

/* A value's text, or "ERROR" when some of it cannot be read. */
static struct stp_value guarded_sprint(struct stp_lower *l, struct stp_expr *e)
{
	ir_ref dst = kit_mem(&l->kit, STP_MAXSTRING);
	struct stp_exit *done = stp_exit_new(l, "read"), *caught = stp_exit_new(l, "unreadable");
	struct stp_try t = {.exit = caught, .call = l->call, .outer = l->try};
	l->try = &t;
	struct stp_value v = lower_sprint(l, e);
	l->try = t.outer;
	kit_str_copy(&l->kit, dst, STP_MAXSTRING, v.v, v.cap);
	ir_jmp(LB(l), done->block);
	ir_at(LB(l), caught->block);
	l->exits = caught->outer;
	struct stp_value bad = stp_literal(l, "ERROR");
	kit_str_copy(&l->kit, dst, STP_MAXSTRING, bad.v, bad.cap);
	stp_exit_here(l, done);
	return stp_string(dst, STP_MAXSTRING);
}

struct stp_value stp_lower_sprint(struct stp_lower *l, struct stp_expr *e)
{
	return e->is_guarded ? guarded_sprint(l, e) : lower_sprint(l, e);
}
