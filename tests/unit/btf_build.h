/* btf_build.h - BTF put together by hand: types and strings are appended, then laid out as a file.
 */
#pragma once

#include "base/base.h"

#include <linux/types.h>

struct btf_builder {
	struct buf types, strings;
	uint32_t count; /* types so far; the next one is count + 1 (+ those of a base) */
};

static inline uint32_t add_string(struct btf_builder *b, const char *s)
{
	if (!b->strings.len)
		buf_putc(&b->strings, 0);
	if (!*s)
		return 0;
	uint32_t at = (uint32_t)b->strings.len;
	buf_add(&b->strings, s, strlen(s) + 1);
	return at;
}

static inline void add_words(struct btf_builder *b, const uint32_t *w, size_t n)
{
	buf_add(&b->types, w, n * sizeof(*w));
}

/* kflag and vlen as in struct btf_type's info; `size` is its size or type. */
static inline uint32_t add_record(struct btf_builder *b, const char *name, uint32_t kind,
				  uint32_t vlen, bool kflag, uint32_t size)
{
	const uint32_t w[3] = {add_string(b, name), (uint32_t)kflag << 31 | kind << 24 | vlen,
			       size};
	add_words(b, w, 3);
	return ++b->count;
}

/* The whole file in *out. */
static inline void finish(struct btf_builder *b, struct buf *out)
{
	if (!b->strings.len)
		add_string(b, "");
	const uint32_t header[6] = {
		0x1eb9f | 1 << 16,       24, 0, (uint32_t)b->types.len, (uint32_t)b->types.len,
		(uint32_t)b->strings.len};
	buf_add(out, header, sizeof(header));
	buf_add(out, b->types.data, b->types.len);
	buf_add(out, b->strings.data, b->strings.len);
	buf_free(&b->types);
	buf_free(&b->strings);
}
