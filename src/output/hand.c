/* hand.c - what --test and --bench show. */
#include <inttypes.h>

#include "output/parts.h"

static void coloured(struct exporter *x, bool good, const char *text)
{
	if (x->colour)
		buf_printf(&x->out, "\033[%dm%s\033[0m", good ? 32 : 31, text);
	else
		buf_puts(&x->out, text);
}

static void duration(uint64_t ns, struct buf *out)
{
	if (ns < 1000)
		buf_printf(out, "%" PRIu64 " ns", ns);
	else
		buf_printf(out, "%" PRIu64 " μs", ns / 1000);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void summary(struct exporter *x, const struct hand_run *r, size_t n)
{
	size_t failed = 0;
	for (size_t i = 0; i < n; i++)
		failed += r[i].failed;
	coloured(x, true, "[==========]");
	buf_printf(&x->out, " %zu test%s ran.\n", n, plural(n));
	coloured(x, true, "[  PASSED  ]");
	buf_printf(&x->out, " %zu test%s.\n", n - failed, plural(n - failed));
	if (!failed)
		return;
	coloured(x, false, "[  FAILED  ]");
	buf_printf(&x->out, " %zu test%s, listed below:\n", failed, plural(failed));
	for (size_t i = 0; i < n; i++) {
		if (!r[i].failed)
			continue;
		coloured(x, false, "[  FAILED  ]");
		buf_printf(&x->out, " %s\n", r[i].name);
	}
}

static void test_text(struct exporter *x, enum hand_phase phase, const struct hand_run *r, size_t n)
{
	const struct hand_run *last = n ? &r[n - 1] : NULL;
	switch (phase) {
	case HAND_START:
		coloured(x, true, "[==========]");
		buf_printf(&x->out, " Running %zu test%s.\n", n, plural(n));
		break;
	case HAND_BEFORE:
		coloured(x, true, "[ RUN      ]");
		buf_printf(&x->out, " %s\n", last->name);
		break;
	case HAND_AFTER:
		coloured(x, !last->failed, last->failed ? "[  FAILED  ]" : "[       OK ]");
		buf_printf(&x->out, " %s (", last->name);
		duration(last->ns, &x->out);
		buf_puts(&x->out, ")\n");
		break;
	case HAND_END: summary(x, r, n); break;
	}
}

enum {
	NAME_WIDTH = 41,
	TIME_WIDTH = 15,
	LINE_WIDTH = 66
};

/* All at the end: what the benchmarks print would tear the table apart. */
static void bench_text(struct exporter *x, const struct hand_run *r, size_t n)
{
	struct buf *out = &x->out;
	buf_printf(out, "%-*s%-*sIterations\n", NAME_WIDTH, "Benchmark", TIME_WIDTH, "Time(ns)");
	buf_fill(out, '-', LINE_WIDTH);
	buf_putc(out, '\n');
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%-*s%-*" PRIu64 "%" PRIu64 "\n", NAME_WIDTH, r[i].name, TIME_WIDTH,
			   r[i].ns, r[i].runs);
}

void hand_text(struct exporter *x, enum hand_phase phase, bool is_bench, const struct hand_run *r,
	       size_t n)
{
	size_t start = x->out.len;
	if (!is_bench)
		test_text(x, phase, r, n);
	else if (phase == HAND_END)
		bench_text(x, r, n);
	exporter_written(x, start);
}

void hand_json(struct exporter *x, enum hand_phase phase, bool is_bench, const struct hand_run *r,
	       size_t n)
{
	size_t start = x->out.len;
	struct buf *out = &x->out;
	if (phase != (is_bench ? HAND_END : HAND_AFTER))
		return;
	for (size_t i = is_bench ? 0 : n - 1; i < n; i++) {
		buf_printf(out, "{\"type\": \"%s\", \"data\": {",
			   is_bench ? "benchmark_result" : "test_result");
		json_string(r[i].name, strlen(r[i].name), out);
		if (is_bench)
			buf_printf(out, ": {\"average\": %" PRIu64 ", \"iters\": %" PRIu64 "}}}\n",
				   r[i].ns, r[i].runs);
		else
			buf_printf(out,
				   ": {\"duration\": %" PRIu64
				   ", \"passed\": %s, \"output\": \"\"}}}\n",
				   r[i].ns, r[i].failed ? "false" : "true");
	}
	exporter_written(x, start);
}
