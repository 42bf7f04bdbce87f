/*
 * folded.c - `-f folded`: maps whose keys hold stacks, one line a stack, outermost frame first, as
 * flame graph programs read them: "comm;main;work_[i];schedule_[k] 42"; _[i] is inlined, _[k] of the kernel.
 */
#include "output/samples.h"

static void out_frame_name(const char *s, struct buf *out)
{
	for (; *s; s++) /* the format's own separators */
		buf_putc(out, *s == ';' || *s == '\n' ? ':' : *s);
}

static void var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		bool at_exit)
{
	size_t start = x->out.len;
	struct samples s;

	if (!samples_are_in(v)) {
		aside_var(x, v, rows, top, div, at_exit);
		return;
	}
	samples_make(x, v, rows, top, div, &s);
	vec_each(sample, &s.sample) {
		for (uint32_t i = 0; i < sample->n; i++) {
			const struct sample_frame *f = &s.frame.at[sample->first + i];

			buf_puts(&x->out, i ? ";" : "");
			out_frame_name(f->name, &x->out);
			buf_puts(&x->out, f->origin == FRAME_KERNEL ? "_[k]" : f->is_inlined ? "_[i]" : "");
		}
		buf_putc(&x->out, ' ');
		out_int(&x->out, sample->value);
		buf_putc(&x->out, '\n');
	}
	samples_free(&s);
	exporter_written(x, start);
}

const struct exporter_ops output_folded = {
	.name = "folded",
	.attached = aside_attached,
	.event = aside_event,
	.var = var,
	.lost = aside_lost,
};
