/*
 * lower_print.c - print and its relatives.
 *
 * What is printed becomes one record with a format, which user space writes out; what is formatted into a string: lower_format.c.
 */
#include <ctype.h>
#include <stdio.h>

#include "bpf/user_helpers.h"
#include "lang/stp/format.h"
#include "lang/stp/lower.h"

/* --- records --------------------------------------------------------------------------------------------------- */

static struct kit_value kit_value_of(struct stp_lower *l, struct stp_value v)
{
	if (v.is_buffer)
		return (struct kit_value){.type = type_buf(l->c->a, v.cap), .v = v.v, .is_addr = true};
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

/* The memory at an address, as a record carries it: a conversion that says how much may want a page, one that computes it less. */
static struct stp_value memory_of(struct stp_lower *l, const struct stp_conv *c, ir_ref precision, ir_ref addr, struct loc loc)
{
	enum { PAGE = 4096, COMPUTED = 1024 };
	uint32_t cap = precision ? COMPUTED : (uint32_t)MIN(MAX(c->precision, 1), PAGE);
	ir_ref n = stp_memory_size(l, c, precision, cap, loc);
	ir_ref at = kit_mem_zero(&l->kit, ALIGN_UP(cap + 4, 8u));
	stp_read_memory(l, c, ir_bini(LB(l), IR_ADD, at, 4), n, addr, loc);
	ir_store(LB(l), at, 0, 4, n);
	return (struct stp_value){.type = ST_STRING, .v = at, .cap = cap, .is_buffer = true};
}

/* %m and %M take an address: what is sent is the memory there.  Stars take arguments too. */
static void take_memory(struct stp_lower *l, const char *fmt, struct stp_value *arg, unsigned n, struct loc loc)
{
	struct stp_conv c;
	bool bad;
	for (unsigned i = 0; stp_format_next(&fmt, &c, &bad);) {
		i += c.star_width;
		ir_ref precision = c.star_precision && i < n ? arg[i].v : 0;
		i += c.star_precision;
		if ((c.type == 'm' || c.type == 'M') && i < n)
			arg[i] = memory_of(l, &c, precision, arg[i].v, loc);
		i += c.type != 0;
	}
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
		for (unsigned i = 0; i < n; i++)
			arg[i] = stp_lower_expr(l, e->kid[i]);
		take_memory(l, fmt, arg, n, e->loc);
	} else {
		fmt = plain_format(l, e, arg, &n);
	}
	stp_send_text(l, ACT_STP_PRINT, fmt, arg, n, e->loc);
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

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
	if (!n && stp_is_printable(fmt, strlen(fmt))) {
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
