/*
 * folded.c - `-f folded`: maps whose keys hold stacks, one line a stack, outermost frame first, as
 * flame graph programs read them: "comm;main;work 42".  Everything else that a script prints goes
 * to stderr.
 */
#include <stdio.h>

#include "output/parts.h"

static void out_frame_name(const char *s, struct buf *out)
{
	for (; *s; s++) /* the format's own separators */
		buf_putc(out, *s == ';' || *s == '\n' ? ':' : *s);
}

static void out_stack(struct exporter *x, const struct value *v, struct buf *out)
{
	struct frames frames = {0};
	if (!x->env.symbols)
		return;
	symbolizer_stack(x->env.symbols, v, &frames);
	for (size_t i = frames.frame.len; i-- > 0;) {
		const struct frame *f = &frames.frame.at[i];
		buf_puts(out, out->len ? ";" : "");
		if (f->symbol)
			out_frame_name(f->symbol, out);
		else
			out_hex(out, f->ip);
		if (v->type->kind == TYPE_KSTACK)
			buf_puts(out, "_[k]");
	}
	frames_free(&frames);
}

static bool is_stack(const struct type *t)
{
	return t->kind == TYPE_KSTACK || t->kind == TYPE_USTACK;
}

/* The parts of one kind: 0 everything but stacks, then user, then kernel stacks. */
static void out_parts(struct exporter *x, const struct value *key, unsigned pass, struct buf *out)
{
	static const enum type_kind wanted[] = {TYPE_NONE, TYPE_USTACK, TYPE_KSTACK};
	bool is_tuple = key->type->kind == TYPE_TUPLE;
	for (uint32_t i = 0; i < (is_tuple ? key->type->nfield : 1); i++) {
		uint8_t room[8];
		struct value v = is_tuple ? value_field(key, &key->type->field[i], room) : *key;
		if (pass ? v.type->kind != wanted[pass] : is_stack(v.type))
			continue;
		if (pass) {
			out_stack(x, &v, out);
			continue;
		}
		struct buf text = {0};
		format_value_bt(x, &v, &text);
		buf_puts(out, out->len ? ";" : "");
		out_frame_name(buf_str(&text), out);
		buf_free(&text);
	}
}

static bool has_stack(const struct type *key)
{
	bool found = is_stack(key);
	for (uint32_t i = 0; key->kind == TYPE_TUPLE && i < key->nfield; i++)
		found |= is_stack(key->field[i].type);
	return found;
}

static void var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top,
		uint64_t div, bool at_exit)
{
	size_t start = x->out.len;
	if (!v->key || !has_stack(v->key)) {
		struct buf b = {0};
		buf_printf(&b, "%s: no stack in its key, not folded\n", v->name);
		exporter_stderr(x, buf_str(&b), b.len);
		buf_free(&b);
		return;
	}
	for (size_t i = rows_sort(rows, v, top); i < rows->row.len; i++) {
		struct buf b = {0};
		for (unsigned pass = 0; pass < 3; pass++)
			out_parts(x, &rows->row.at[i].key, pass, &b);
		buf_add(&x->out, buf_str(&b), b.len);
		buf_putc(&x->out, ' ');
		out_int(&x->out, value_number(&rows->row.at[i].value) / (int64_t)(div ? div : 1));
		buf_putc(&x->out, '\n');
		buf_free(&b);
	}
	exporter_written(x, start);
}

/* The language's text exporter writes what is not a map, all of it to stderr. */
static void with_text(struct exporter *x, void (*fn)(struct exporter *t, void *arg), void *arg)
{
	bool is_stap = x->env.prog && str_eq(x->env.prog->lang_name, "stap");
	struct exporter *t =
		exporter_create(is_stap ? &output_stp_text : &output_bt_text, x->err_fd, &x->env);
	t->err_fd = x->err_fd;
	t->colour = x->colour;
	t->no_warnings = x->no_warnings;
	exporter_flush(x);
	fn(t, arg);
	exporter_destroy(t);
}

struct event_args {
	const struct action *act;
	const struct value *args;
	unsigned n;
	const char *text;
	size_t len;
};

static void pass_event(struct exporter *t, void *arg)
{
	struct event_args *e = arg;
	t->ops->event(t, e->act, e->args, e->n, e->text, e->len);
}

static void event(struct exporter *x, const struct action *act, const struct value *args,
		  unsigned n, const char *text, size_t len)
{
	struct event_args e = {act, args, n, text, len};
	with_text(x, pass_event, &e);
}

static void attached(struct exporter *x, unsigned n)
{
	output_bt_text.attached(x, n);
}

struct lost_args {
	uint64_t n;
	const char *what;
};

static void pass_lost(struct exporter *t, void *arg)
{
	struct lost_args *l = arg;
	t->ops->lost(t, l->n, l->what);
}

static void lost(struct exporter *x, uint64_t n, const char *what)
{
	struct lost_args l = {n, what};
	with_text(x, pass_lost, &l);
}

const struct exporter_ops output_folded = {
	.name = "folded",
	.attached = attached,
	.event = event,
	.var = var,
	.lost = lost,
};
