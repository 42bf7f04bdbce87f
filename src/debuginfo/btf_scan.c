/* btf_scan.c - the walk over all records, and the indexes of names that it makes. */
#include "debuginfo/btf_internal.h"

#include <errno.h>

/*
 * Each kind's record: what follows struct btf_type (fixed bytes, and bytes for each of vlen) and
 * the index that holds its names.  A table and no switch: the kinds of 130,000 records cannot be
 * predicted.
 */
static const struct {
	uint8_t known, fixed, each, index;
} layout[32] = {
	[BTF_KIND_INT] = {1, 4, 0, BTF_INDEX_TYPES},
	[BTF_KIND_PTR] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_ARRAY] = {1, sizeof(struct btf_array), 0, BTF_INDEXES},
	[BTF_KIND_STRUCT] = {1, 0, sizeof(struct btf_member), BTF_INDEX_TYPES},
	[BTF_KIND_UNION] = {1, 0, sizeof(struct btf_member), BTF_INDEX_TYPES},
	[BTF_KIND_ENUM] = {1, 0, sizeof(struct btf_enum), BTF_INDEX_TYPES},
	[BTF_KIND_FWD] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_TYPEDEF] = {1, 0, 0, BTF_INDEX_TYPES},
	[BTF_KIND_VOLATILE] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_CONST] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_RESTRICT] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_FUNC] = {1, 0, 0, BTF_INDEX_FUNCS},
	[BTF_KIND_FUNC_PROTO] = {1, 0, sizeof(struct btf_param_record), BTF_INDEXES},
	[BTF_KIND_VAR] = {1, sizeof(struct btf_var), 0, BTF_INDEX_TYPES},
	[BTF_KIND_DATASEC] = {1, 0, sizeof(struct btf_var_secinfo), BTF_INDEXES},
	[BTF_KIND_FLOAT] = {1, 0, 0, BTF_INDEX_TYPES},
	[BTF_KIND_DECL_TAG] = {1, sizeof(struct btf_decl_tag), 0, BTF_INDEXES},
	[BTF_KIND_TYPE_TAG] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_ENUM64] = {1, 0, sizeof(struct btf_enum64), BTF_INDEX_TYPES},
};

uint32_t btf_record_size(const struct btf_type *t)
{
	uint32_t kind = btf_kind(t);
	return (uint32_t)sizeof(*t) + layout[kind].fixed + btf_vlen(t) * layout[kind].each;
}

static void add_name(struct btf *b, struct name_index *ix, const struct btf_type *t, uint32_t id)
{
	const char *name = btf_string(b, t->name_off);
	name_index_add(ix, name_hash(name, strlen(name)), id);
}

/*
 * One walk over all records: that each lies within the section, where some of them start, how many
 * names. The names of types go into their index on the way, since somebody will ask for one; for
 * how many there are it can only be guessed (kernels have one for about 170 bytes), and when the
 * guess is too low the index is built later as the others are.
 */
struct err *btf_scan(struct btf *b)
{
	struct name_index *ix = &b->index[BTF_INDEX_TYPES];
	if (!btf_bytes_touch(&b->bytes, b->bytes.data, b->bytes.len))
		return err_new(EIO, "BTF cannot be read");
	uint32_t at = 0, len = b->types_len, guess = len / 140 + 16, *named = b->named;
	name_index_init(ix, guess, b->first_id + len / (uint32_t)sizeof(struct btf_type));
	b->checkpoint = xmalloc((len / sizeof(struct btf_type) / BTF_STEP + 1) * sizeof(uint32_t));
	while (len - at >= sizeof(struct btf_type)) {
		const struct btf_type *t = (const struct btf_type *)(b->types + at);
		if (!layout[btf_kind(t)].known)
			return err_new(EINVAL, "BTF type %u has the unknown kind %u",
				       b->first_id + b->count, btf_kind(t));
		uint32_t size = btf_record_size(t);
		if (size > len - at)
			break;
		/* the next page: its translation is what takes long, and no hardware fetches that */
		__builtin_prefetch(b->types + at + 4096);
		if (b->count % BTF_STEP == 0)
			b->checkpoint[b->count / BTF_STEP] = at;
		uint32_t index = layout[btf_kind(t)].index;
		if (t->name_off && named[index]++ < guess && index == BTF_INDEX_TYPES)
			add_name(b, ix, t, b->first_id + b->count);
		b->count++;
		at += size;
	}
	if (named[BTF_INDEX_TYPES] > guess)
		name_index_free(ix);
	if (at != len)
		return err_new(EINVAL, "BTF type %u does not end within the data",
			       b->first_id + b->count);
	return NULL;
}

static void set(const struct btf *b, struct btf_cursor *c, uint32_t at)
{
	const struct btf_type *t = (const struct btf_type *)(b->types + at);
	uint32_t left = at < b->types_len ? b->types_len - at : 0;
	c->t = left >= sizeof(*t) && btf_record_size(t) <= left ? t : NULL;
}

struct btf_cursor btf_first(const struct btf *b)
{
	struct btf_cursor c = {.id = b->first_id};
	if (btf_bytes_touch(&b->bytes, b->bytes.data, b->bytes.len))
		set(b, &c, 0);
	return c;
}

void btf_next(const struct btf *b, struct btf_cursor *c)
{
	set(b, c, (uint32_t)((const uint8_t *)c->t - b->types) + btf_record_size(c->t));
	c->id++;
}

static void index_names(struct btf *b, enum btf_index which)
{
	struct name_index *ix = &b->index[which];
	name_index_init(ix, b->named[which], b->first_id + b->count);
	for (struct btf_cursor c = btf_first(b); c.t; btf_next(b, &c))
		if (layout[btf_kind(c.t)].index == which && c.t->name_off)
			add_name(b, ix, c.t, c.id);
}

bool btf_is_enum(const struct btf_type *t)
{
	return btf_kind(t) == BTF_KIND_ENUM || btf_kind(t) == BTF_KIND_ENUM64;
}

/* Enumerators are indexed to their enum: few share one. */
static void index_enumerators(struct btf *b)
{
	struct name_index *ix = &b->index[BTF_INDEX_ENUMERATORS];
	uint32_t n = 0;
	for (struct btf_cursor c = btf_first(b); c.t; btf_next(b, &c))
		n += btf_is_enum(c.t) ? btf_vlen(c.t) : 0;
	name_index_init(ix, n, b->first_id + b->count);
	for (struct btf_cursor c = btf_first(b); c.t; btf_next(b, &c))
		for (uint32_t k = 0; btf_is_enum(c.t) && k < btf_vlen(c.t); k++) {
			const char *name = btf_enumerator_name(b, c.t, k);
			name_index_add(ix, name_hash(name, strlen(name)), c.id);
		}
}

const struct name_index *btf_names(struct btf *b, enum btf_index which)
{
	struct name_index *ix = &b->index[which];
	if (ix->mask || btf_kept_load(b, which))
		return ix;
	if (which == BTF_INDEX_ENUMERATORS)
		index_enumerators(b);
	else
		index_names(b, which);
	return ix;
}
