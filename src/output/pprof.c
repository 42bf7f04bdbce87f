/*
 * pprof.c - `-f pprof`: the profile.proto message of github.com/google/pprof, gzipped.
 * A map is a value type; parts of its key that are no stack are labels of the samples.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "output/profile.h"

/* --- protocol buffers ------------------------------------------------------------- */

static void varint(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_putc(out, (char)(v | 0x80));
	buf_putc(out, (char)v);
}

static void field_number(struct buf *out, unsigned field, uint64_t v)
{
	varint(out, field << 3);
	varint(out, v);
}

static void field_bytes(struct buf *out, unsigned field, const void *p, size_t n)
{
	varint(out, field << 3 | 2);
	varint(out, n);
	buf_add(out, p, n);
}

/* Appends a message that was put together in `part`, and empties that. */
static void field_part(struct buf *out, unsigned field, struct buf *part)
{
	field_bytes(out, field, buf_str(part), part->len);
	buf_clear(part);
}

/* --- profile.proto ---------------------------------------------------------------- */

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9
};

static void value_types(struct profile *p, struct buf *out)
{
	struct buf part = {0};

	vec_each(s, &p->map) {
		field_number(&part, 1, profile_intern(p, s->name));
		field_number(&part, 2, profile_intern(p, "count"));
		field_part(out, PROFILE_SAMPLE_TYPE, &part);
	}
	buf_free(&part);
}

static uint32_t mapping_of(struct profile *p, const struct sample_frame *f, struct strtab *mappings, struct buf *out)
{
	struct buf part = {0};
	const char *module = f->module ? f->module : f->origin == FRAME_KERNEL ? "[kernel]" : "";
	uintptr_t id = (uintptr_t)strtab_get(mappings, module);

	if (id)
		return (uint32_t)id;
	id = mappings->entry.len + 1;
	strtab_set(mappings, module, (void *)id);
	field_number(&part, 1, id);
	field_number(&part, 5, profile_intern(p, module));
	field_number(&part, 7, 1); /* has_functions */
	field_part(out, PROFILE_MAPPING, &part);
	buf_free(&part);
	return (uint32_t)id;
}

static uint32_t function_of(struct profile *p, const struct sample_frame *f, struct buf *out)
{
	_cleanup_free_ char *key = xasprintf("%s\n%s", f->name, f->file ? f->file : "");
	uintptr_t id = (uintptr_t)strtab_get(&p->functions, key);
	struct buf part = {0};

	if (id)
		return (uint32_t)id;
	id = p->functions.entry.len + 1;
	strtab_set(&p->functions, key, (void *)id);
	field_number(&part, 1, id);
	field_number(&part, 2, profile_intern(p, f->name));
	field_number(&part, 3, profile_intern(p, f->name));
	if (f->file)
		field_number(&part, 4, profile_intern(p, f->file));
	field_part(out, PROFILE_FUNCTION, &part);
	buf_free(&part);
	return (uint32_t)id;
}

/* A location is an address: a line for each function there, innermost first.  f[-i] is what f[1 - i] was inlined into. */
static void location(struct profile *p, const struct sample_frame *f, uint32_t n, uint32_t id, struct strtab *mappings,
		     struct buf *out)
{
	struct buf part = {0}, line = {0};

	field_number(&part, 1, id);
	field_number(&part, 2, mapping_of(p, f, mappings, out));
	field_number(&part, 3, f->ip);
	for (uint32_t i = 0; i < n; i++) {
		const struct sample_frame *one = f - i;

		field_number(&line, 1, function_of(p, one, out));
		if (one->file)
			field_number(&line, 2, one->line);
		field_part(&part, 4, &line);
	}
	field_part(out, PROFILE_LOCATION, &part);
	buf_free(&part);
	buf_free(&line);
}

/* How many of the n frames that end with f share its address: those that were inlined, and the one that was not. */
static uint32_t frames_at(const struct sample_frame *f, uint32_t n)
{
	uint32_t k = 1;

	while (k < n && f[1 - (int)k].is_inlined && f[-(int)k].ip == f->ip && f[-(int)k].origin == f->origin)
		k++;
	return k;
}

/* Labels first in `samples`, then frames outermost first; pprof wants the innermost first. */
static void sample(struct profile *p, const struct samples *s, const struct sample *one, struct strtab *mappings, struct buf *out)
{
	struct buf part = {0}, list = {0}, label = {0};
	const struct sample_frame *frame = &s->frame.at[one->first];
	uint32_t nlabels = 0;

	while (nlabels < one->n && frame[nlabels].origin == FRAME_LABEL)
		nlabels++;
	for (uint32_t i = one->n, n; i > nlabels; i -= n) {
		const struct sample_frame *f = &frame[i - 1];
		bool is_new;
		uint32_t id = profile_frame(p, f, &is_new);

		n = frames_at(f, i - nlabels);
		if (is_new)
			location(p, f, n, id, mappings, out);
		varint(&list, id);
	}
	field_part(&part, 1, &list);
	vec_each(map, &p->map)
		varint(&list, map == s ? (uint64_t)one->value : 0);
	field_part(&part, 2, &list);
	for (uint32_t i = 0; i < nlabels; i++) {
		char key[16] = "key";

		if (nlabels > 1)
			snprintf(key, sizeof(key), "key%u", i + 1);
		field_number(&label, 1, profile_intern(p, key));
		field_number(&label, 2, profile_intern(p, frame[i].name));
		field_part(&part, 3, &label);
	}
	field_part(out, PROFILE_SAMPLE, &part);
	buf_free(&part);
	buf_free(&list);
	buf_free(&label);
}

static void message(struct profile *p, struct buf *out)
{
	struct strtab mappings = {0};
	struct buf text = {0};
	struct timespec now;

	value_types(p, out);
	vec_each(s, &p->map)
		vec_each(one, &s->sample)
			sample(p, s, one, &mappings, out);
	field_bytes(out, PROFILE_STRING, "", 0); /* number 0 must be empty */
	vec_each(e, &p->strings.entry) {
		text.len = 0;
		utf8_text(e->key, e->keylen, &text); /* readers of protobuf refuse a whole file for anything else */
		field_bytes(out, PROFILE_STRING, text.data, text.len);
	}
	buf_free(&text);
	clock_gettime(CLOCK_REALTIME, &now);
	field_number(out, PROFILE_TIME, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	strtab_free(&mappings);
}

/* --- gzip ------------------------------------------------------------------------- */

static void *gzip_alloc(void *unused, uInt n, uInt size)
{
	return xcalloc(n, size);
}

static void gzip_free(void *unused, void *p)
{
	free(p);
}

/* Appends `in` as a gzip member (RFC 1952). */
static void gzip(const struct buf *in, struct buf *out)
{
	z_stream z = {.zalloc = gzip_alloc, .zfree = gzip_free};
	const int window = 15 + 16; /* the largest; + 16: gzip's header and CRC instead of zlib's */
	char block[16384];
	size_t at = 0;
	int end = Z_OK;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		BUG("zlib refuses to compress");
	while (end != Z_STREAM_END) {
		if (!z.avail_in) {
			z.next_in = (Bytef *)in->data + at;
			z.avail_in = (uInt)MIN(in->len - at, (size_t)1 << 30);
			at += z.avail_in;
		}
		z.next_out = (Bytef *)block;
		z.avail_out = sizeof(block);
		end = deflate(&z, at == in->len ? Z_FINISH : Z_NO_FLUSH);
		buf_add(out, block, sizeof(block) - z.avail_out);
	}
	deflateEnd(&z);
}

static void finish(struct exporter *x)
{
	struct buf text = {0};

	message(x->priv, &text);
	gzip(&text, &x->out);
	buf_free(&text);
}

const struct exporter_ops output_pprof = {
	.name = "pprof",
	.begin = profile_begin,
	.attached = aside_attached,
	.event = aside_event,
	.var = profile_var,
	.lost = aside_lost,
	.finish = finish,
	.destroy = profile_free,
};
