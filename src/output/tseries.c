/* tseries.c - time series: a small chart with one line an interval. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "output/parts.h"

enum {
	GRAPH_WIDTH = 53,
	LEFT_WIDTH = 21,
	MAX_POINTS = 1000000
};

enum {
	NS_MS = 1000000,
	NS_US = 1000
};
#define NS_SEC 1000000000ull

static bool bucket_at(const struct value *v, uint32_t i, struct tseries_wire *w)
{
	memcpy(w, v->data + (size_t)i * sizeof(*w), sizeof(*w));
	return w->epoch || w->meta || w->value;
}

uint64_t tseries_last_epoch(const struct map_rows *rows)
{
	uint64_t last = 0;
	for (size_t r = 0; r < rows->row.len; r++) {
		const struct value *v = &rows->row.at[r].value;
		struct tseries_wire w;
		for (uint32_t i = 0; i < v->size / sizeof(w); i++)
			if (bucket_at(v, i, &w))
				last = MAX(last, w.epoch);
	}
	return last;
}

static int64_t bucket_value(const struct type *t, const struct tseries_wire *w)
{
	struct stats_wire s = {w->meta, (uint64_t)w->value};
	return t->arg[2] == TSERIES_AVG ? stats_average(&s, t->is_signed) : w->value;
}

void tseries_make(const struct value *v, uint64_t last_epoch, struct tseries *ret)
{
	uint64_t n = MIN((uint64_t)v->type->arg[1], (uint64_t)MAX_POINTS);
	uint64_t first = last_epoch >= n ? last_epoch - n + 1 : 0, from = last_epoch;
	struct tseries_wire w;
	bool any = false;
	*ret = (struct tseries){.interval = (uint64_t)v->type->arg[0],
				.is_signed = v->type->is_signed};
	for (uint32_t i = 0; i < v->size / sizeof(w); i++)
		if (bucket_at(v, i, &w) && w.epoch >= first && w.epoch <= last_epoch) {
			from = MIN(from, w.epoch);
			any = true;
		}
	for (uint64_t e = from; any && e <= last_epoch; e++)
		vec_push(&ret->point, (struct tseries_point){.epoch = e});
	for (uint32_t i = 0; any && i < v->size / sizeof(w); i++) {
		if (!bucket_at(v, i, &w) || w.epoch < from || w.epoch > last_epoch)
			continue;
		struct tseries_point *p = &ret->point.at[w.epoch - from];
		p->is_set = true;
		p->value = bucket_value(v->type, &w);
	}
}

void tseries_free(struct tseries *t)
{
	vec_free(&t->point);
}

static bool less(const struct tseries *t, int64_t a, int64_t b)
{
	return t->is_signed ? a < b : (uint64_t)a < (uint64_t)b;
}

struct axis {
	int64_t min, max;
	int zero;        /* column of the zero line, 0: none */
	unsigned digits; /* of the fraction of a second */
	const char *unit;
};

static void axis_range(const struct tseries *t, struct axis *a)
{
	bool any = false;
	for (size_t i = 0; i < t->point.len; i++) {
		const struct tseries_point *p = &t->point.at[i];
		if (!p->is_set)
			continue;
		if (!any || less(t, p->value, a->min))
			a->min = p->value;
		if (!any || less(t, a->max, p->value))
			a->max = p->value;
		any = true;
	}
	if (a->min != a->max)
		return;
	if (a->min != (t->is_signed ? INT64_MIN : 0))
		a->min--;
	if (a->max != (t->is_signed ? INT64_MAX : -1))
		a->max++;
}

/* Single precision, as bpftrace computes it. */
static int column(const struct axis *a, int64_t v, int width)
{
	float span = (float)((uint64_t)a->max - (uint64_t)a->min);
	int c = (int)((float)width * (float)((uint64_t)v - (uint64_t)a->min) / span);
	return MAX(0, MIN(c, GRAPH_WIDTH - 1));
}

static void axis_make(const struct tseries *t, struct axis *a)
{
	*a = (struct axis){0};
	axis_range(t, a);
	if (t->is_signed && a->min < 0 && a->max > 0)
		a->zero = column(a, 0, GRAPH_WIDTH);
	bool whole = t->interval >= NS_SEC;
	a->digits = whole ? 0 : t->interval >= NS_MS ? 3 : t->interval >= NS_US ? 6 : 9;
	a->unit = whole ? "" : t->interval >= NS_MS ? ".ms" : t->interval >= NS_US ? ".us" : ".ns";
}

static void out_value(const struct tseries *t, int64_t v, struct buf *out)
{
	t->is_signed ? out_int(out, v) : out_uint(out, (uint64_t)v);
}

static void scale_line(const struct tseries *t, const struct axis *a, unsigned indent,
		       struct buf *out)
{
	struct directive left = {.left = true, .width = LEFT_WIDTH},
			 right = {.width = GRAPH_WIDTH - LEFT_WIDTH};
	buf_fill(out, ' ', indent);
	size_t start = out->len;
	out_value(t, a->min, out);
	out_pad_since(out, start, &left);
	start = out->len;
	out_value(t, a->max, out);
	out_pad_since(out, start, &right);
	buf_putc(out, '\n');
}

static void point_line(const struct tseries *t, const struct axis *a, const struct tseries_point *p,
		       struct buf *out)
{
	static const uint64_t unit_ns[] = {NS_SEC, NS_MS, NS_US, 1};
	char line[GRAPH_WIDTH + 1], clock[32];
	uint64_t ns = p->epoch * t->interval;
	time_t sec = (time_t)(ns / NS_SEC);
	struct tm tm;
	localtime_r(&sec, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	buf_puts(out, clock);
	if (a->digits)
		buf_printf(out, ".%0*" PRIu64, (int)a->digits,
			   (uint64_t)(ns % NS_SEC / unit_ns[a->digits / 3]));
	memset(line, ' ', GRAPH_WIDTH);
	line[GRAPH_WIDTH] = 0;
	line[0] = line[GRAPH_WIDTH - 1] = '|';
	if (a->zero > 0)
		line[a->zero] = '.';
	if (p->is_set)
		line[a->min == a->max ? GRAPH_WIDTH / 2 : column(a, p->value, GRAPH_WIDTH - 1)] =
			'*';
	buf_printf(out, " %s ", line);
	if (p->is_set)
		out_value(t, p->value, out);
	else
		buf_putc(out, '-');
	buf_putc(out, '\n');
}

void tseries_text(const struct tseries *t, struct buf *out)
{
	if (!t->point.len) {
		buf_puts(out, "<no data>");
		return;
	}
	struct axis a;
	axis_make(t, &a);
	unsigned indent = 9 + (a.digits ? a.digits + 1 : 0);
	scale_line(t, &a, indent, out);
	buf_printf(out, "hh:mm:ss%-*s|", (int)indent - 8, a.unit);
	buf_fill(out, '_', GRAPH_WIDTH - 2);
	buf_puts(out, "|\n");
	for (size_t i = 0; i < t->point.len; i++)
		point_line(t, &a, &t->point.at[i], out);
	buf_fill(out, ' ', indent);
	buf_putc(out, 'v');
	buf_fill(out, '_', GRAPH_WIDTH - 2);
	buf_puts(out, "v\n");
	scale_line(t, &a, indent, out);
}
