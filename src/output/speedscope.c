/*
 * speedscope.c - `-f speedscope`: one JSON document in the file format of speedscope.app ("sampled" profiles), a profile a map.
 */
#include "output/profile.h"

static void out_frames(struct profile *p, struct buf *out)
{
	bool is_first = true, is_new;

	vec_each(s, &p->map)
		vec_each(f, &s->frame) {
			profile_frame(p, f, &is_new);
			if (!is_new)
				continue;
			buf_puts(out, is_first ? "{\"name\":" : ",\n{\"name\":");
			is_first = false;
			json_string(f->name, strlen(f->name), out);
			if (f->file || f->module) {
				const char *file = f->file ? f->file : f->module;

				buf_puts(out, ",\"file\":");
				json_string(file, strlen(file), out);
			}
			if (f->file)
				buf_printf(out, ",\"line\":%u", f->line);
			buf_putc(out, '}');
		}
}

static void out_samples(struct profile *p, const struct samples *s, struct buf *out)
{
	int64_t total = 0;

	buf_puts(out, "{\"type\":\"sampled\",\"unit\":\"none\",\"name\":");
	json_string(s->name, strlen(s->name), out);
	buf_puts(out, ",\"samples\":[");
	vec_each(sample, &s->sample) {
		buf_puts(out, sample == s->sample.at ? "[" : ",\n[");
		for (uint32_t i = 0; i < sample->n; i++) {
			bool is_new;

			buf_printf(out, i ? ",%u" : "%u", profile_frame(p, &s->frame.at[sample->first + i], &is_new) - 1);
		}
		buf_putc(out, ']');
	}
	buf_puts(out, "],\"weights\":[");
	vec_each(sample, &s->sample) {
		buf_puts(out, sample == s->sample.at ? "" : ",");
		out_int(out, sample->value);
		total += sample->value;
	}
	buf_puts(out, "],\"startValue\":0,\"endValue\":");
	out_int(out, total);
	buf_putc(out, '}');
}

static void finish(struct exporter *x)
{
	struct profile *p = x->priv;

	buf_puts(&x->out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"spile " SPILE_VERSION
			  "\",\"shared\":{\"frames\":[\n");
	out_frames(p, &x->out);
	buf_puts(&x->out, "\n]},\"profiles\":[\n");
	vec_each(s, &p->map) {
		buf_puts(&x->out, s == p->map.at ? "" : ",\n");
		out_samples(p, s, &x->out);
	}
	buf_puts(&x->out, "\n]}\n");
}

const struct exporter_ops output_speedscope = {
	.name = "speedscope",
	.begin = profile_begin,
	.attached = aside_attached,
	.event = aside_event,
	.var = profile_var,
	.lost = aside_lost,
	.finish = finish,
	.destroy = profile_free,
};
