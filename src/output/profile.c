/*
 * profile.c - what the formats that hold a whole profile in one document share: maps of stacks are kept until the end, everything
 * else is written aside.
 */
#include "output/profile.h"

void profile_begin(struct exporter *x)
{
	x->priv = xcalloc(1, sizeof(struct profile));
}

void profile_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		 bool at_exit)
{
	struct profile *p = x->priv;
	struct samples s;

	if (!samples_are_in(v)) {
		aside_var(x, v, rows, top, div, at_exit);
		return;
	}
	samples_make(x, v, rows, top, div, &s);
	vec_push(&p->map, s);
}

uint32_t profile_intern(struct profile *p, const char *s)
{
	uintptr_t id = (uintptr_t)strtab_get(&p->strings, s);

	if (!id) {
		id = p->strings.entry.len + 1;
		strtab_set(&p->strings, s, (void *)id);
	}
	return (uint32_t)id;
}

uint32_t profile_frame(struct profile *p, const struct sample_frame *f, bool *is_new)
{
	struct buf key = {0};
	uintptr_t id;

	buf_printf(&key, "%u %llx %u%c", f->origin, (unsigned long long)f->ip, f->line, f->is_inlined ? 'i' : ' ');
	buf_puts(&key, f->name);
	buf_putc(&key, '\n');
	buf_puts(&key, f->module ? f->module : "");
	id = (uintptr_t)strtab_get(&p->frames, buf_str(&key));
	*is_new = !id;
	if (!id) {
		id = p->frames.entry.len + 1;
		strtab_set(&p->frames, buf_str(&key), (void *)id);
	}
	buf_free(&key);
	return (uint32_t)id;
}

void profile_free(struct exporter *x)
{
	struct profile *p = x->priv;

	vec_each(s, &p->map)
		samples_free(s);
	vec_free(&p->map);
	strtab_free(&p->strings);
	strtab_free(&p->frames);
	strtab_free(&p->functions);
	base_free(p);
	x->priv = NULL;
}
