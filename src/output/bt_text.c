/* bt_text.c - bpftrace's text output: `-f text`. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <time.h>

#include "output/parts.h"

struct text_state {
	uint64_t lost;
};

static void begin(struct exporter *x)
{
	x->priv = xcalloc(1, sizeof(struct text_state));
}

static void destroy(struct exporter *x)
{
	base_free(x->priv);
}

static void PRINTF_LIKE(2, 3) say(struct exporter *x, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	exporter_stderr(x, buf_str(&b), b.len);
	buf_free(&b);
}

static void attached(struct exporter *x, unsigned n)
{
	say(x, "Attached %u probe%s\n", n, n == 1 ? "" : "s");
}

/* --- events ----------------------------------------------------------------------- */

static void message(struct exporter *x, const struct action *act, const char *severity,
		    const char *msg, size_t n, bool with_source)
{
	struct buf b = {0};
	if (x->no_warnings && str_eq(severity, "WARNING"))
		return;
	format_message(x, act->loc, severity, msg, n, with_source, &b);
	exporter_stderr(x, buf_str(&b), b.len);
	buf_free(&b);
}

static void helper_message(struct exporter *x, const struct action *act, const char *msg,
			   const char *more, uint64_t helper, int64_t retcode)
{
	struct buf b = {0};
	buf_printf(&b, "%s%s\nAdditional Info - helper: %s, retcode: %lld", msg, more,
		   helper_name(helper), (long long)retcode);
	message(x, act, "WARNING", buf_str(&b), b.len, !*more);
	buf_free(&b);
}

static void runtime_error(struct exporter *x, const struct action *act, int64_t code, const char *more)
{
	const char *msg = runtime_error_text(act->number, code);
	struct buf b = {0};
	if (act->number == RT_MAP_FULL) {
		helper_message(x, act, msg, more, BPF_FUNC_map_update_elem, code);
		return;
	}
	buf_printf(&b, "%s%s", msg, more);
	message(x, act, "WARNING", buf_str(&b), b.len, !*more);
	buf_free(&b);
}

static void errorf(struct exporter *x, const struct action *act, const struct value *args,
		   unsigned n)
{
	struct buf b = {0};
	format_bt(x, act->fmt, args, n, &b);
	message(x, act, act->kind == ACT_ERRORF ? "ERROR" : "WARNING", buf_str(&b), b.len, false);
	buf_free(&b);
}

static void event(struct exporter *x, const struct action *act, const struct value *args,
		  unsigned n, const char *text, size_t len)
{
	size_t start = x->out.len;
	switch (act->kind) {
	case ACT_PRINTF: format_bt(x, act->fmt, args, n, &x->out); break;
	case ACT_ERRORF:
	case ACT_WARNF: errorf(x, act, args, n); return;
	case ACT_PRINT:
	case ACT_PRINT_KEY:
		if (n) {
			format_value_bt(x, &args[n - 1], &x->out);
			buf_putc(&x->out, '\n');
		}
		break;
	case ACT_TIME: format_now(act->fmt, &x->out); break;
	case ACT_JOIN:
		format_join(x, act->fmt, args, n, &x->out);
		buf_putc(&x->out, '\n');
		break;
	case ACT_CAT: buf_add(&x->out, text, len); break;
	case ACT_SYSTEM:
		buf_add(&x->out, text, len);
		if (len && text[len - 1] != '\n')
			buf_putc(&x->out, '\n');
		break;
	case ACT_HELPER_ERROR: {
		int64_t retcode = n ? value_number(&args[0]) : 0;
		helper_message(x, act, helper_error_text(act->number, retcode), len ? text : "",
			       act->number, retcode);
		return;
	}
	case ACT_RUNTIME_ERROR: runtime_error(x, act, n ? value_number(&args[0]) : 0, len ? text : ""); return;
	default: return;
	}
	exporter_written(x, start);
}

/* --- variables -------------------------------------------------------------------- */

/* Rows that need lines of their own; false: the value fits on the line of its key. */
static bool block(const struct value *v, uint64_t div, uint64_t last_epoch, struct buf *out)
{
	struct hist_rows h;
	struct tseries t;
	switch (v->type->kind) {
	case TYPE_HIST:
	case TYPE_LHIST:
		hist_rows_make(v, div, &h);
		hist_text(&h, out);
		hist_rows_free(&h);
		return true;
	case TYPE_TSERIES:
		tseries_make(v, last_epoch, &t);
		tseries_text(&t, out);
		tseries_free(&t);
		return true;
	default: return false;
	}
}

static bool has_blocks(const struct type *t)
{
	return t->kind == TYPE_HIST || t->kind == TYPE_LHIST || t->kind == TYPE_TSERIES;
}

static void var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top,
		uint64_t div, bool at_exit)
{
	struct buf *out = &x->out;
	size_t start = out->len, i = rows_sort(rows, v, top);
	bool blocks = has_blocks(v->value);
	uint64_t last = v->value->kind == TYPE_TSERIES ? tseries_last_epoch(rows) : 0;
	if (!v->key && !rows->row.len && !at_exit && !blocks) {
		static const uint8_t zero[64];
		struct value empty = {v->value, zero,
				      MIN(type_mem_size(v->value), (uint32_t)sizeof(zero))};
		buf_printf(out, "%s: ", v->name);
		format_value_bt(x, &empty, out);
		buf_putc(out, '\n');
	}
	for (; i < rows->row.len; i++) {
		const struct map_row *r = &rows->row.at[i];
		buf_puts(out, v->name);
		if (r->key.type) {
			buf_putc(out, '[');
			format_key(x, &r->key, out);
			buf_putc(out, ']');
		}
		buf_puts(out, blocks ? ":\n" : ": ");
		if (!block(&r->value, div, last, out))
			format_value_div(x, &r->value, div, out);
		buf_putc(out, '\n');
	}
	exporter_written(x, start);
}

static void lost(struct exporter *x, uint64_t n, const char *what)
{
	struct text_state *s = x->priv;
	s->lost += n;
	if (what)
		say(x, "Lost %llu events: %s\n", (unsigned long long)n, what);
	else
		say(x, "Lost %llu events\n", (unsigned long long)n);
}

static void end(struct exporter *x)
{
	struct text_state *s = x->priv;
	if (s->lost && !x->no_warnings)
		say(x, "WARNING: Total lost event count: %llu\n", (unsigned long long)s->lost);
	buf_puts(&x->out, "\n\n");
}

const struct exporter_ops output_bt_text = {
	.name = "text",
	.begin = begin,
	.attached = attached,
	.event = event,
	.var = var,
	.hand = hand_text,
	.lost = lost,
	.end = end,
	.destroy = destroy,
};
