/* hist.c - bpftrace's histograms: from bucket counts to printed rows. */
#include <stdio.h>

#include "output/parts.h"

enum {
	BAR_WIDTH = 52
};

static uint64_t bucket(const struct value *v, uint32_t i)
{
	uint64_t n;
	memcpy(&n, v->data + 8 * (size_t)i, 8);
	return n;
}

/* Lower bound of bucket i >= 1 of hist(n, k), the inverse of rt_hist_bucket in runtime/hist.h. */
static int64_t log_bound(uint32_t i, unsigned k, char text[24])
{
	uint32_t n = 1u << k, at = i - 1;
	if (at < 2 * n) {
		snprintf(text, 24, "%u", at);
		return at;
	}
	unsigned power = (at >> k) - 1;
	uint64_t low = (uint64_t)(n + (at & (n - 1))) << power;
	unsigned decade = power / 10;
	snprintf(text, 24, "%llu%.1s",
		 (unsigned long long)((uint64_t)(n + (at & (n - 1))) << power % 10),
		 &"\0KMGTPE"[decade]);
	return (int64_t)low;
}

static int64_t linear_bound(uint32_t i, const int64_t arg[3], char text[24])
{
	int64_t low = arg[0] + ((int64_t)i - 1) * arg[2], kilo = 1024, mega = kilo * kilo;
	if (arg[2] % kilo == 0 && low && low % mega == 0)
		snprintf(text, 24, "%lldM", (long long)(low / mega));
	else if (arg[2] % kilo == 0 && low && low % kilo == 0)
		snprintf(text, 24, "%lldK", (long long)(low / kilo));
	else
		snprintf(text, 24, "%lld", (long long)low);
	return low;
}

static int64_t bound(const struct type *t, uint32_t i, char text[24])
{
	return t->kind == TYPE_HIST ? log_bound(i, (unsigned)t->arg[0] & 7, text)
				    : linear_bound(i, t->arg, text);
}

void hist_rows_make(const struct value *v, uint64_t div, struct hist_rows *ret)
{
	uint32_t n = v->size / 8, first = 0, last = n;
	*ret = (struct hist_rows){0};
	while (first < n && !bucket(v, first))
		first++;
	while (last > first && !bucket(v, last - 1))
		last--;
	if (v->type->kind == TYPE_LHIST || !div)
		div = 1;
	for (uint32_t i = first; i < last; i++) {
		struct hist_row r = {.count = bucket(v, i) / div};
		r.has_low = i > 0;
		r.has_high = v->type->kind == TYPE_HIST || i + 1 < n;
		if (r.has_low)
			r.low = bound(v->type, i, r.low_text);
		if (r.has_high)
			r.high = bound(v->type, i + 1, r.high_text);
		vec_push(&ret->row, r);
	}
}

void hist_rows_free(struct hist_rows *h)
{
	vec_free(&h->row);
}

static int label(const struct hist_row *r, char *room, size_t n)
{
	if (!r->has_low)
		return snprintf(room, n, "(..., %s)", r->high_text);
	if (!r->has_high)
		return snprintf(room, n, "[%s, ...)", r->low_text);
	if (r->high - r->low == 1)
		return snprintf(room, n, "[%s]", r->low_text);
	return snprintf(room, n, "[%s, %s)", r->low_text, r->high_text);
}

void hist_text(const struct hist_rows *h, struct buf *out)
{
	static const char bar[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
	uint64_t max = 0;
	for (size_t i = 0; i < h->row.len; i++)
		max = MAX(max, h->row.at[i].count);
	for (size_t i = 0; i < h->row.len; i++) {
		const struct hist_row *r = &h->row.at[i];
		char room[64];
		label(r, room, sizeof(room));
		/* single precision as in bpftrace: lengths agree to the last character */
		int n = max ? (int)((float)r->count / (float)max * BAR_WIDTH) : 0;
		buf_printf(out, "%-16s%8llu |%-*.*s|\n", room, (unsigned long long)r->count,
			   BAR_WIDTH, n, bar);
	}
}
