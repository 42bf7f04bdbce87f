/* hist_text.c - SystemTap's histograms as print() and sprint() show them. */
#include <stdio.h>

#include <string.h>

#include "types/type.h"

enum {
	LOG_ZERO = 64,
	MARGIN = 2,
	BAR_WIDTH = 50
};

struct stp_hist {
	const uint8_t *bucket;
	uint32_t n, low, high; /* shown: low..high */
	const int64_t *arg;    /* start, stop, step; step 0: logarithmic */
	uint64_t max;
	int64_t elision;
};

static uint64_t count_at(const struct stp_hist *h, uint32_t i)
{
	uint64_t v;
	memcpy(&v, h->bucket + 8 * (size_t)i, 8);
	return v;
}

static bool is_log(const struct stp_hist *h)
{
	return h->arg[2] == 0;
}

static void bucket_label(const struct stp_hist *h, uint32_t i, char room[24])
{
	int64_t v;
	const char *mark = "";
	if (is_log(h)) {
		v = i == LOG_ZERO  ? 0
		    : i > LOG_ZERO ? (int64_t)(1ull << (i - LOG_ZERO - 1))
				   : (int64_t)(0 - (1ull << (LOG_ZERO - 1 - i)));
	} else if (i == 0) {
		v = h->arg[0];
		mark = "<";
	} else {
		bool over = i == h->n - 1;
		mark = over ? ">" : "";
		v = h->arg[0] + ((int64_t)i - 1 - over) * h->arg[2];
	}
	snprintf(room, 24, "%s%lld", mark, (long long)v);
}

/* Two empty rows around the data; below zero, and beyond the ends, only where there is data. */
static bool choose_range(struct stp_hist *h)
{
	uint32_t first = 0, last = h->n;
	while (first < h->n && !count_at(h, first))
		first++;
	if (first == h->n)
		return false;
	while (!count_at(h, last - 1))
		last--;
	h->low = first;
	h->high = last - 1;
	for (uint32_t i = first; i < last; i++)
		h->max = MAX(h->max, count_at(h, i));
	for (unsigned k = 0; k < MARGIN; k++) {
		if (h->low > 0 && !(is_log(h) && h->low == LOG_ZERO))
			h->low--;
		if (h->high < h->n - 1)
			h->high++;
	}
	if (!is_log(h) && h->low == 0 && !count_at(h, 0))
		h->low++;
	if (!is_log(h) && h->high == h->n - 1 && !count_at(h, h->high))
		h->high--;
	return true;
}

static bool is_elided(const struct stp_hist *h, uint32_t i)
{
	uint32_t near = (uint32_t)MIN(h->elision, (int64_t)h->n);
	uint32_t from = i > h->low + near ? i - near : h->low, to = MIN(i + near, h->high);
	if (h->elision < 0)
		return false;
	for (uint32_t k = from; k <= to; k++)
		if (count_at(h, k))
			return false;
	return true;
}

static int digits(uint64_t v)
{
	char room[24];
	return snprintf(room, sizeof(room), "%llu", (unsigned long long)v);
}

static int label_width(const struct stp_hist *h)
{
	int width = 5;
	for (uint32_t i = h->low; i <= h->high; i++) {
		char room[24];
		bucket_label(h, i, room);
		width = MAX(width, (int)strlen(room));
	}
	return width;
}

static void print_rows(const struct stp_hist *h, struct buf *out)
{
	uint64_t scale = h->max <= BAR_WIDTH ? 1 : (h->max + BAR_WIDTH - 1) / BAR_WIDTH;
	int width = label_width(h), number = digits(h->max);
	bool was_elided = false;
	buf_printf(out, "%*s |-------------------------------------------------- count\n", width,
		   "value");
	for (uint32_t i = h->low; i <= h->high; i++) {
		char room[24];
		if (is_elided(h, i)) {
			was_elided = true;
			continue;
		}
		if (was_elided)
			buf_printf(out, "%*s ~\n", width, "");
		was_elided = false;
		uint64_t n = count_at(h, i);
		int bar = (int)(n / scale);
		bucket_label(h, i, room);
		buf_printf(out, "%*s |", width, room);
		buf_fill(out, '@', (size_t)bar);
		buf_printf(out, "%*llu\n", BAR_WIDTH - bar + 1 + number, (unsigned long long)n);
	}
	buf_putc(out, '\n');
}

void stp_hist_text(const struct type *t, const uint8_t *bucket, uint32_t n, int64_t elision, struct buf *out)
{
	struct stp_hist h = {.arg = t->arg, .bucket = bucket, .n = n, .elision = elision};
	if (n > 1 && choose_range(&h))
		print_rows(&h, out);
}
