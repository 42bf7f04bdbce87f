/* stp_text.c - SystemTap's output: text, warnings and errors, globals that print themselves. */
#include <inttypes.h>
#include <stdlib.h>

#include "output/parts.h"

struct stp_state {
	uint64_t errors, skipped;
	struct strtab warned; /* texts of warnings; each is shown once, as staprun does */
	unsigned nwarned;
};

static void begin(struct exporter *x)
{
	x->priv = xcalloc(1, sizeof(struct stp_state));
}

static void destroy(struct exporter *x)
{
	strtab_free(&((struct stp_state *)x->priv)->warned);
	base_free(x->priv);
}

/* --- events ----------------------------------------------------------------------- */

static void line(struct exporter *x, const char *prefix, int colour, const char *s, size_t n,
		 const char *tail)
{
	struct buf b = {0};
	if (x->colour)
		buf_printf(&b, "\033[%02d;%dm", colour == 31 ? 1 : 0, colour);
	buf_puts(&b, prefix);
	if (x->colour)
		buf_puts(&b, "\033[m");
	if (n && s[n - 1] == '\n')
		n--;
	buf_add(&b, s, n);
	buf_puts(&b, tail);
	buf_putc(&b, '\n');
	exporter_stderr(x, buf_str(&b), b.len);
	buf_free(&b);
}

/* A fixed text, a format with arguments, or one string. */
static void event_text(struct exporter *x, const struct action *act, const struct value *args,
		       unsigned n, const char *text, size_t len, struct buf *out)
{
	if (text)
		buf_add(out, text, len);
	else if (act->fmt)
		format_stp(x, act->fmt, args, n, out);
	else if (n)
		format_stp(x, args[0].type->kind == TYPE_STR ? "%s" : "%d", args, 1, out);
}

static void error_line(struct exporter *x, const struct action *act, const struct buf *text)
{
	struct buf tail = {0};
	((struct stp_state *)x->priv)->errors++;
	if (x->no_errors)
		return;
	if (act->extra)
		buf_printf(&tail, " in probe %s", act->extra);
	line(x, "ERROR: ", 31, text->data ? text->data : "", text->len, buf_str(&tail));
	buf_free(&tail);
}

static void show_hist(struct exporter *x, const struct value *v)
{
	const uint32_t head = sizeof(struct stat_wire);
	if (v->size > head)
		stp_hist_text(v->type, v->data + head, (v->size - head) / 8, x->env.prog->opt.hist_elision, &x->out);
}

/* Past the first thousand, every text is news. */
static bool is_news(struct exporter *x, const char *text)
{
	enum { MAX_WARNED = 1000 };
	struct stp_state *s = x->priv;
	if (x->repeats_warnings)
		return true;
	if (strtab_get(&s->warned, text))
		return false;
	if (s->nwarned < MAX_WARNED) {
		strtab_set(&s->warned, text, s);
		s->nwarned++;
	}
	return true;
}

static void event(struct exporter *x, const struct action *act, const struct value *args,
		  unsigned n, const char *text, size_t len)
{
	size_t start = x->out.len;
	struct buf b = {0};
	switch (act->kind) {
	case ACT_STP_PRINT:
	case ACT_STP_COMMIT:
	case ACT_STP_SYSTEM: event_text(x, act, args, n, text, len, &x->out); break;
	case ACT_STP_BACKTRACE:
		if (n == 2 && (act->number == STP_STACK_KERNEL_SYMBOLS || act->number == STP_STACK_USER_SYMBOLS))
			stp_symbols_text(x, &args[0], (uint32_t)value_int(&args[1]), act->number == STP_STACK_USER_SYMBOLS, &x->out);
		else if (n == 2)
			stp_stack_text(x, &args[0], (enum stp_stack)(act->number & ~(uint64_t)STP_STACK_RETURNS), act->number & STP_STACK_RETURNS,
				       (uint64_t)value_int(&args[1]), act->extra, &x->out);
		break;
	case ACT_STP_LOG:
		event_text(x, act, args, n, text, len, &x->out);
		buf_putc(&x->out, '\n');
		break;
	case ACT_STP_HIST:
		if (n)
			show_hist(x, &args[0]);
		break;
	case ACT_STP_WARN:
		event_text(x, act, args, n, text, len, &b);
		if (!x->no_warnings && is_news(x, buf_str(&b)))
			line(x, "WARNING: ", 33, buf_str(&b), b.len, "");
		break;
	case ACT_STP_ERROR:
		event_text(x, act, args, n, text, len, &b);
		error_line(x, act, &b);
		break;
	default: break;
	}
	buf_free(&b);
	exporter_written(x, start);
}

/* --- globals that nobody read ----------------------------------------------------- */

static struct stat_wire stat_of(const struct value *v)
{
	struct stat_wire s = {0};
	if (v->size >= sizeof(s))
		memcpy(&s, v->data, sizeof(s));
	return s;
}

static int64_t sort_number(const struct map_row *r)
{
	return r->value.type->kind == TYPE_STAT ? stat_of(&r->value).count
						: value_number(&r->value);
}

static int descending(const void *a, const void *b)
{
	const struct map_row *x = a, *y = b;
	if (x->value.type->kind == TYPE_STR) {
		int c = key_compare(&y->value, &x->value);
		if (c)
			return c;
	}
	int64_t p = sort_number(x), q = sort_number(y);
	if (p != q)
		return p > q ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void out_quoted(struct exporter *x, const struct value *v, struct buf *out)
{
	const char *s;
	size_t n;
	value_string(v, &s, &n);
	buf_putc(out, '"');
	stp_text(x, s, n, out);
	buf_putc(out, '"');
}

static void out_index(struct exporter *x, const struct value *v, struct buf *out)
{
	if (v->type->kind == TYPE_STR)
		out_quoted(x, v, out);
	else
		out_int(out, value_int(v));
}

static void out_key(struct exporter *x, const struct value *key, struct buf *out)
{
	buf_putc(out, '[');
	for (uint32_t i = 0; key->type->kind == TYPE_TUPLE && i < key->type->nfield; i++) {
		uint8_t room[8];
		struct value f = value_field(key, &key->type->field[i], room);
		buf_puts(out, i ? "," : "");
		out_index(x, &f, out);
	}
	if (key->type->kind != TYPE_TUPLE)
		out_index(x, key, out);
	buf_putc(out, ']');
}

static void out_stat(const struct value *v, struct buf *out)
{
	struct stat_wire s = stat_of(v);
	if (s.count <= 0) {
		buf_puts(out, " @count=0x0");
		return;
	}
	buf_printf(out,
		   " @count=%" PRId64 " @min=%" PRId64 " @max=%" PRId64 " @sum=%" PRId64
		   " @avg=%" PRId64,
		   s.count, s.min, s.max, s.sum, s.sum / s.count);
}

static void var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top,
		uint64_t div, bool at_exit)
{
	struct buf *out = &x->out;
	size_t start = out->len;
	if (v->key && rows->row.len > 1)
		qsort(rows->row.at, rows->row.len, sizeof(rows->row.at[0]), descending);
	for (size_t i = 0; i < rows->row.len; i++) {
		const struct map_row *r = &rows->row.at[i];
		const struct type *t = r->value.type;
		buf_puts(out, v->name);
		if (r->key.type)
			out_key(x, &r->key, out);
		if (t->kind == TYPE_STAT) {
			out_stat(&r->value, out);
		} else if (t->kind == TYPE_STR) {
			buf_putc(out, '=');
			out_quoted(x, &r->value, out);
		} else {
			buf_putc(out, '=');
			t->kind == TYPE_PTR ? out_hex(out, (uint64_t)value_int(&r->value))
					    : out_int(out, value_int(&r->value));
		}
		buf_putc(out, '\n');
	}
	exporter_written(x, start);
}

/* Losses with a name are handlers that were skipped. */
static void lost(struct exporter *x, uint64_t n, const char *what)
{
	struct buf b = {0};
	if (what) {
		((struct stp_state *)x->priv)->skipped += n;
		buf_printf(&b, "Skipped probes: %" PRIu64 ": %s", n, what);
	} else {
		buf_printf(&b, "There were %" PRIu64 " transport failures.", n);
	}
	line(x, "WARNING: ", 33, buf_str(&b), b.len, "");
	buf_free(&b);
}

static void end(struct exporter *x)
{
	struct stp_state *s = x->priv;
	struct buf b = {0};
	if (!s->errors && !s->skipped)
		return;
	buf_printf(&b, "Number of errors: %" PRIu64 ", skipped probes: %" PRIu64, s->errors,
		   s->skipped);
	line(x, "WARNING: ", 33, buf_str(&b), b.len, "");
	buf_free(&b);
}

const struct exporter_ops output_stp_text = {
	.name = "text",
	.begin = begin,
	.end = end,
	.destroy = destroy,
	.event = event,
	.var = var,
	.lost = lost,
};
