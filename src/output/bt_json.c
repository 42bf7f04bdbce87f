/*
 * bt_json.c - bpftrace's JSON output: `-f json`, one object a line.
 *
 * Strings are valid UTF-8: bytes that are none become U+FFFD.  Integers that a double cannot hold
 * exactly become strings (RFC 8259, section 6).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <time.h>

#include "output/parts.h"

/* --- leaves ----------------------------------------------------------------------- */

/* Does a double hold it?  All of at most 53 significant bits do. */
static bool fits_double(uint64_t mag)
{
	return !mag || mag >> __builtin_ctzll(mag) < 1ull << 53;
}

static void json_number(int64_t v, bool is_signed, struct buf *out)
{
	bool neg = is_signed && v < 0;
	const char *quote = fits_double(neg ? 0 - (uint64_t)v : (uint64_t)v) ? "" : "\"";
	buf_puts(out, quote);
	is_signed ? out_int(out, v) : out_uint(out, (uint64_t)v);
	buf_puts(out, quote);
}

/* --- values ----------------------------------------------------------------------- */

enum {
	MAX_DEPTH = 16
};
static void json_value(struct exporter *x, const struct value *v, uint64_t div, unsigned depth,
		       struct buf *out);

static void json_members(struct exporter *x, const struct value *v, unsigned depth, bool *first,
			 struct buf *out)
{
	struct type *t = (struct type *)v->type;
	if (t->complete && x->env.prog)
		type_complete(t, x->env.prog->arena);
	for (uint32_t i = 0; i < t->nfield && depth < MAX_DEPTH; i++) {
		const struct field *f = &t->field[i];
		uint8_t room[8];
		struct value m = value_field(v, f, room);
		if (!f->name && (m.type->kind == TYPE_STRUCT || m.type->kind == TYPE_UNION)) {
			json_members(x, &m, depth + 1, first, out);
			continue;
		}
		buf_puts(out, *first ? "" : ", ");
		*first = false;
		json_string(f->name ? f->name : "", f->name ? strlen(f->name) : 0, out);
		buf_puts(out, ": ");
		json_value(x, &m, 1, depth + 1, out);
	}
}

static void json_list(struct exporter *x, const struct value *v, unsigned depth, struct buf *out)
{
	bool is_array = v->type->kind == TYPE_ARRAY;
	uint32_t n = is_array ? v->type->count : v->type->nfield;
	buf_putc(out, '[');
	for (uint32_t i = 0; i < n && depth < MAX_DEPTH; i++) {
		uint8_t room[8];
		struct value e =
			is_array ? value_element(v, i) : value_field(v, &v->type->field[i], room);
		if (i)
			buf_putc(out, ',');
		json_value(x, &e, 1, depth + 1, out);
	}
	buf_putc(out, ']');
}

/* Signed bytes, as bpftrace shows them. */
static void json_buffer(const struct value *v, struct buf *out)
{
	uint32_t n = 0;
	if (v->size >= 4)
		memcpy(&n, v->data, 4);
	n = v->size >= 4 ? MIN(n, v->size - 4) : 0;
	buf_putc(out, '[');
	for (uint32_t i = 0; i < n; i++)
		buf_printf(out, i ? ",%d" : "%d", (signed char)v->data[4 + i]);
	buf_putc(out, ']');
}

static void json_stats(const struct value *v, uint64_t div, struct buf *out)
{
	struct stats_wire s = value_stats(v);
	int64_t avg = stats_average(&s, v->type->is_signed);
	buf_puts(out, "{\"count\": ");
	json_number((int64_t)s.count, false, out);
	buf_puts(out, ", \"average\": ");
	json_number(v->type->is_signed ? avg / (int64_t)div : (int64_t)((uint64_t)avg / div),
		    v->type->is_signed, out);
	buf_puts(out, ", \"total\": ");
	json_number((int64_t)s.total, v->type->is_signed, out);
	buf_putc(out, '}');
}

static void json_text(struct exporter *x, const struct value *v, struct buf *out)
{
	struct buf b = {0};
	format_value_bt(x, v, &b);
	json_string(buf_str(&b), b.len, out);
	buf_free(&b);
}

static void json_value(struct exporter *x, const struct value *v, uint64_t div, unsigned depth,
		       struct buf *out)
{
	bool first = true;
	int64_t n;
	switch (v->type->kind) {
	case TYPE_INT:
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG:
		n = value_number(v);
		if (div > 1)
			n = value_is_signed(v->type) ? n / (int64_t)div
						     : (int64_t)((uint64_t)n / div);
		json_number(n, value_is_signed(v->type), out);
		break;
	case TYPE_ENUM:
	case TYPE_PTR: json_number(value_int(v), value_is_signed(v->type), out); break;
	case TYPE_BOOL: buf_puts(out, value_int(v) ? "true" : "false"); break;
	case TYPE_STATS: json_stats(v, div, out); break;
	case TYPE_FLOAT: format_value_bt(x, v, out); break;
	case TYPE_BUF: json_buffer(v, out); break;
	case TYPE_ARRAY:
		if (value_is_char_array(v->type))
			json_text(x, v, out);
		else
			json_list(x, v, depth, out);
		break;
	case TYPE_TUPLE: json_list(x, v, depth, out); break;
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_RECORD:
		buf_putc(out, '{');
		json_members(x, v, depth, &first, out);
		buf_putc(out, '}');
		break;
	case TYPE_NONE:
	case TYPE_CTX: buf_puts(out, "null"); break;
	default: json_text(x, v, out); break;
	}
}

/* --- lines ------------------------------------------------------------------------ */

static void open_line(struct exporter *x, const char *type)
{
	buf_printf(&x->out, "{\"type\": \"%s\"", type);
}

static void close_line(struct exporter *x, size_t start)
{
	buf_puts(&x->out, "}\n");
	exporter_written(x, start);
}

static void text_line(struct exporter *x, const char *type, const char *s, size_t n)
{
	size_t start = x->out.len;
	open_line(x, type);
	buf_puts(&x->out, ", \"data\": ");
	json_string(s, n, &x->out);
	close_line(x, start);
}

static void place(struct exporter *x, struct loc loc)
{
	struct line_col at = {0};
	if (loc.src)
		at = source_line_col(loc.src, loc.begin);
	const char *name = loc.src ? loc.src->name : "";
	buf_puts(&x->out, ", \"filename\": ");
	json_string(name, strlen(name), &x->out);
	buf_printf(&x->out, ", \"line\": %u, \"col\": %u", at.line, at.col);
}

static void message_line(struct exporter *x, const char *type, const char *msg, size_t n,
			 const struct action *act)
{
	size_t start = x->out.len;
	open_line(x, type);
	buf_puts(&x->out, ", \"msg\": ");
	json_string(msg, n, &x->out);
	place(x, act->loc);
	close_line(x, start);
}

static void helper_line(struct exporter *x, const struct action *act, const char *more,
			uint64_t helper, int64_t retcode)
{
	size_t start = x->out.len;
	struct buf msg = {0};
	buf_printf(&msg, "%s%s", strerror((int)-retcode), more);
	open_line(x, "helper_error");
	buf_puts(&x->out, ", \"msg\": ");
	json_string(buf_str(&msg), msg.len, &x->out);
	buf_free(&msg);
	buf_printf(&x->out, ", \"helper\": \"%s\", \"retcode\": %lld", helper_name(helper),
		   (long long)retcode);
	place(x, act->loc);
	close_line(x, start);
}

static void runtime_error(struct exporter *x, const struct action *act, int64_t code, const char *more)
{
	struct buf msg = {0};
	if (act->number == RT_MAP_FULL) {
		helper_line(x, act, more, BPF_FUNC_map_update_elem, code);
		return;
	}
	buf_printf(&msg, "%s%s", runtime_error_text(act->number, code), more);
	message_line(x, "runtime_error", buf_str(&msg), msg.len, act);
	buf_free(&msg);
}

static void value_line(struct exporter *x, const struct value *v)
{
	size_t start = x->out.len;
	open_line(x, "value");
	buf_puts(&x->out, ", \"data\": ");
	json_value(x, v, 1, 0, &x->out);
	close_line(x, start);
}

static void attached(struct exporter *x, unsigned n)
{
	size_t start = x->out.len;
	open_line(x, "attached_probes");
	buf_printf(&x->out, ", \"count\": %u, \"data\": {\"probes\": %u}", n, n);
	close_line(x, start);
}

static void event(struct exporter *x, const struct action *act, const struct value *args,
		  unsigned n, const char *text, size_t len)
{
	struct buf b = {0};
	switch (act->kind) {
	case ACT_PRINTF:
		format_bt(x, act->fmt, args, n, &b);
		text_line(x, "printf", buf_str(&b), b.len);
		break;
	case ACT_ERRORF:
	case ACT_WARNF:
		format_bt(x, act->fmt, args, n, &b);
		if (act->kind == ACT_ERRORF || !x->no_warnings)
			message_line(x, act->kind == ACT_ERRORF ? "errorf" : "warnf", buf_str(&b),
				     b.len, act);
		break;
	case ACT_PRINT:
	case ACT_PRINT_KEY:
		if (n)
			value_line(x, &args[n - 1]);
		break;
	case ACT_TIME:
		format_now(act->fmt, &b);
		text_line(x, "time", buf_str(&b), b.len);
		break;
	case ACT_JOIN:
		format_join(x, act->fmt, args, n, &b);
		text_line(x, "join", buf_str(&b), b.len);
		break;
	case ACT_CAT: text_line(x, "cat", text, len); break;
	case ACT_SYSTEM: text_line(x, "syscall", text, len); break;
	case ACT_HELPER_ERROR:
		if (!x->no_warnings)
			helper_line(x, act, len ? text : "", act->number, n ? value_number(&args[0]) : 0);
		break;
	case ACT_RUNTIME_ERROR:
		if (!x->no_warnings)
			runtime_error(x, act, n ? value_number(&args[0]) : 0, len ? text : "");
		break;
	default: break;
	}
	buf_free(&b);
}

/* --- variables -------------------------------------------------------------------- */

static void json_hist(const struct value *v, uint64_t div, struct buf *out)
{
	struct hist_rows h;
	hist_rows_make(v, div, &h);
	buf_putc(out, '[');
	for (size_t i = 0; i < h.row.len; i++) {
		const struct hist_row *r = &h.row.at[i];
		buf_puts(out, i ? ",{" : "{");
		if (r->has_low) {
			buf_puts(out, "\"min\": ");
			json_number(r->low, true, out);
			buf_puts(out, ", ");
		}
		if (r->has_high) {
			buf_puts(out, "\"max\": ");
			json_number(r->high - 1, true, out);
			buf_puts(out, ", ");
		}
		buf_printf(out, "\"count\": %llu}", (unsigned long long)r->count);
	}
	buf_putc(out, ']');
	hist_rows_free(&h);
}

static void json_tseries(const struct value *v, uint64_t last_epoch, struct buf *out)
{
	struct tseries t;
	const char *sep = "";
	tseries_make(v, last_epoch, &t);
	buf_putc(out, '[');
	for (size_t i = 0; i < t.point.len; i++) {
		const struct tseries_point *p = &t.point.at[i];
		if (!p->is_set)
			continue;
		char when[32];
		uint64_t ns = p->epoch * t.interval;
		time_t sec = (time_t)(ns / 1000000000u);
		struct tm tm;
		gmtime_r(&sec, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		buf_printf(out, "%s{\"interval_start\":\"%s.%09llu\",\"value\":", sep, when,
			   (unsigned long long)(ns % 1000000000u));
		json_number(p->value, t.is_signed, out);
		buf_putc(out, '}');
		sep = ",";
	}
	buf_putc(out, ']');
	tseries_free(&t);
}

static void json_var_value(struct exporter *x, const struct value *v, uint64_t div,
			   uint64_t last_epoch)
{
	switch (v->type->kind) {
	case TYPE_HIST:
	case TYPE_LHIST: json_hist(v, div, &x->out); break;
	case TYPE_TSERIES: json_tseries(v, last_epoch, &x->out); break;
	default: json_value(x, v, div ? div : 1, 0, &x->out); break;
	}
}

/* Keys are strings without blanks: an array of them would not be an object. */
static void json_key(struct exporter *x, const struct value *key)
{
	struct buf b = {0};
	size_t n = 0;
	format_key(x, key, &b);
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] != ' ')
			b.data[n++] = b.data[i];
	json_string(buf_str(&b), n, &x->out);
	buf_free(&b);
}

static const char *var_type(const struct type *t)
{
	switch (t->kind) {
	case TYPE_HIST:
	case TYPE_LHIST: return "hist";
	case TYPE_TSERIES: return "tseries";
	case TYPE_AVG:
	case TYPE_STATS: return "stats";
	default: return "map";
	}
}

static void var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top,
		uint64_t div, bool at_exit)
{
	static const uint8_t zero[64];
	size_t start = x->out.len, first = rows_sort(rows, v, top);
	uint64_t last = v->value->kind == TYPE_TSERIES ? tseries_last_epoch(rows) : 0;
	struct value empty = {v->value, zero, MIN(type_mem_size(v->value), (uint32_t)sizeof(zero))};
	if (!rows->row.len && (v->key || at_exit))
		return;
	open_line(x, var_type(v->value));
	buf_puts(&x->out, ", \"data\": {");
	json_string(v->name, strlen(v->name), &x->out);
	buf_puts(&x->out, v->key ? ": {" : ": ");
	if (!v->key)
		json_var_value(x, rows->row.len ? &rows->row.at[0].value : &empty, div, last);
	for (size_t i = first; v->key && i < rows->row.len; i++) {
		if (i > first)
			buf_puts(&x->out, ", ");
		json_key(x, &rows->row.at[i].key);
		buf_puts(&x->out, ": ");
		json_var_value(x, &rows->row.at[i].value, div, last);
	}
	buf_puts(&x->out, v->key ? "}}" : "}");
	close_line(x, start);
}

static void lost(struct exporter *x, uint64_t n, const char *what)
{
	size_t start = x->out.len;
	open_line(x, "lost_events");
	buf_printf(&x->out, ", \"count\": %llu, \"data\": {\"events\": %llu}",
		   (unsigned long long)n, (unsigned long long)n);
	if (what) {
		buf_puts(&x->out, ", \"what\": ");
		json_string(what, strlen(what), &x->out);
	}
	close_line(x, start);
}

const struct exporter_ops output_bt_json = {
	.name = "json",
	.attached = attached,
	.event = event,
	.var = var,
	.hand = hand_json,
	.lost = lost,
};
