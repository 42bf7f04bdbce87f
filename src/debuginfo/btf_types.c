/* btf_types.c - struct type out of BTF records; members only when somebody looks at them. */
#include "debuginfo/btf_internal.h"

static struct type *make(struct btf *b, uint32_t id, enum addr_space as, unsigned depth);

/* Follows modifiers; *typedef_name gets the outermost, *inner_name the innermost typedef (or stays
 * NULL). */
static uint32_t strip(const struct btf *b, uint32_t id, const char **outer_name,
		      const char **inner_name)
{
	for (unsigned hops = 0; hops < BTF_MAX_DEPTH; hops++) {
		const struct btf_type *t = btf_record(b, id);
		if (!t || !btf_is_modifier(btf_kind(t)))
			return id;
		if (btf_kind(t) == BTF_KIND_TYPEDEF) {
			*inner_name = btf_string(b, t->name_off);
			if (!*outer_name)
				*outer_name = *inner_name;
		}
		id = t->type;
	}
	return 0;
}

static uint32_t size_at(const struct btf *b, uint32_t id, unsigned depth)
{
	const char *outer = NULL, *inner = NULL;
	const struct btf_type *t = btf_record(b, strip(b, id, &outer, &inner));
	if (!t || depth > BTF_MAX_DEPTH)
		return 0;
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FLOAT: return t->size;
	case BTF_KIND_PTR: return 8;
	case BTF_KIND_ARRAY: {
		const struct btf_array *array = (const void *)(t + 1);
		uint64_t size = (uint64_t)array->nelems * size_at(b, array->type, depth + 1);
		return size <= UINT32_MAX ? (uint32_t)size : 0;
	}
	case BTF_KIND_VAR: return size_at(b, t->type, depth + 1);
	default: return 0;
	}
}

uint32_t btf_size(const struct btf *b, uint32_t id)
{
	return size_at(b, id, 0);
}

/* Can a trampoline keep a value of this type?  most_of_struct: bytes of one, 0: none. */
static bool can_be_kept(const struct btf *b, uint32_t id, uint32_t most_of_struct)
{
	const char *outer = NULL, *inner = NULL;
	const struct btf_type *t = btf_record(b, strip(b, id, &outer, &inner));
	switch (t ? btf_kind(t) : BTF_KIND_UNKN) {
	case BTF_KIND_PTR:
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return true;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return t->size && t->size <= most_of_struct;
	default: return false;
	}
}

bool btf_func_is_traceable(struct btf *b, uint32_t id)
{
	enum { MOST_PARAMS = 12, MOST_BYTES = 16 };
	struct btf_params params = {0};
	uint32_t ret = 0;
	bool ok = btf_func(b, id, &params, &ret) && params.list.len <= MOST_PARAMS && (!ret || can_be_kept(b, ret, 0));
	for (size_t i = 0; ok && i < params.list.len; i++)
		ok = can_be_kept(b, params.list.at[i].type_id, MOST_BYTES);
	vec_free(&params.list);
	return ok;
}

uint32_t btf_pointee(struct btf *b, uint32_t id)
{
	const char *outer = NULL, *inner = NULL;
	const struct btf_type *t = btf_record(b, strip(b, id, &outer, &inner));
	return t && btf_kind(t) == BTF_KIND_PTR ? strip(b, t->type, &outer, &inner) : 0;
}

/* Old encoders describe a bit-field by an INT of fewer bits than its bytes, new ones by the member.
 */
struct btf_place btf_member_place(const struct btf *b, const struct btf_type *t, uint32_t i)
{
	const struct btf_member *m = (const struct btf_member *)(t + 1) + i;
	if (btf_kflag(t))
		return (struct btf_place){BTF_MEMBER_BIT_OFFSET(m->offset),
					  BTF_MEMBER_BITFIELD_SIZE(m->offset)};
	struct btf_place place = {m->offset, 0};
	const char *outer = NULL, *inner = NULL;
	const struct btf_type *of = btf_record(b, strip(b, m->type, &outer, &inner));
	if (!of || btf_kind(of) != BTF_KIND_INT)
		return place;
	uint32_t info = *(const uint32_t *)(of + 1);
	if (BTF_INT_BITS(info) != of->size * 8 || BTF_INT_OFFSET(info)) {
		place.bit += BTF_INT_OFFSET(info);
		place.width = BTF_INT_BITS(info);
	}
	return place;
}

static struct type *make_int(struct btf *b, const struct btf_type *t, struct type *ret)
{
	uint32_t info = *(const uint32_t *)(t + 1);
	ret->kind = BTF_INT_ENCODING(info) & BTF_INT_BOOL ? TYPE_BOOL : TYPE_INT;
	ret->is_signed = BTF_INT_ENCODING(info) & BTF_INT_SIGNED;
	if (!strcmp(btf_string(b, t->name_off), "char"))
		ret->is_signed = true; /* x86 and what scripts expect, whatever the encoder said */
	if (t->size != 16)
		return t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8 ? ret : NULL;
	/* __int128: two words, no arithmetic */
	ret->kind = TYPE_ARRAY;
	ret->count = 2;
	ret->elem = arena_new(b->arena, struct type);
	*ret->elem = (struct type){.kind = TYPE_INT, .size = 8};
	return ret;
}

static struct type *make_enum(struct btf *b, const struct btf_type *t, struct type *ret)
{
	if (t->size != 1 && t->size != 2 && t->size != 4 && t->size != 8)
		return NULL;
	ret->kind = TYPE_ENUM;
	ret->is_signed = btf_kflag(t);
	ret->nenumerator = btf_vlen(t);
	ret->enumerator = arena_array(b->arena, struct enumerator, ret->nenumerator);
	for (uint32_t i = 0; i < ret->nenumerator; i++)
		ret->enumerator[i] = (struct enumerator){btf_enumerator_name(b, t, i),
							 btf_enumerator_value(t, i)};
	return ret;
}

static struct type *make_ptr(struct btf *b, const struct btf_type *t, enum addr_space as,
			     unsigned depth, struct type *ret)
{
	const struct btf_type *tag = btf_record(b, t->type);
	if (tag && btf_kind(tag) == BTF_KIND_TYPE_TAG &&
	    !strcmp(btf_string(b, tag->name_off), "user"))
		as = AS_USER;
	ret->kind = TYPE_PTR;
	ret->size = 8;
	ret->as = (uint8_t)as;
	ret->elem = make(b, t->type, as, depth + 1);
	if (!ret->elem) {
		ret->elem = arena_new(b->arena, struct type);
		ret->elem->kind = TYPE_NONE;
	}
	return ret;
}

static struct type *make_array(struct btf *b, const struct btf_type *t, enum addr_space as,
			       unsigned depth, struct type *ret)
{
	const struct btf_array *array = (const void *)(t + 1);
	ret->kind = TYPE_ARRAY;
	ret->elem = make(b, array->type, as, depth + 1);
	ret->count = array->nelems;
	if (!ret->elem || (uint64_t)ret->elem->size * ret->count > UINT32_MAX)
		return NULL;
	ret->size = ret->elem->size * ret->count;
	return ret;
}

/* How deep unnamed structs may lie in each other: a struct that contains itself must end somewhere.
 */
enum {
	MAX_UNNAMED = 16
};

static void complete(struct type *t, struct arena *a);

/* For a struct, arg[0] is how many structs without a name it lies in. */
static struct type *make_struct(struct btf *b, uint32_t id, enum addr_space as, struct type *ret)
{
	const struct btf_type *t = btf_record(b, id);
	bool is_union =
		btf_kind(t) == BTF_KIND_UNION || (btf_kind(t) == BTF_KIND_FWD && btf_kflag(t));
	ret->kind = is_union ? TYPE_UNION : TYPE_STRUCT;
	ret->as = (uint8_t)as;
	ret->size = btf_kind(t) == BTF_KIND_FWD ? 0 : t->size;
	ret->origin = b;
	ret->origin_id = id;
	if (btf_kind(t) != BTF_KIND_FWD && btf_vlen(t))
		ret->complete = complete;
	return ret;
}

static void place_field(struct field *f, struct btf_place place)
{
	f->offset = place.bit / 8;
	if (!place.width)
		return;
	/* the aligned unit of the declared type, unless the field crosses its end (packed) */
	uint32_t unit = f->type && f->type->size ? f->type->size * 8 : 8;
	uint32_t start = place.bit / unit * unit;
	if (place.bit + place.width > start + unit)
		start = place.bit / 8 * 8;
	f->offset = start / 8;
	f->bit_offset = place.bit - start;
	f->bit_width = place.width;
}

/* A member without a name is a struct of its own here, so that its depth can be counted. */
static struct type *unnamed_member(struct btf *b, const struct type *parent, uint32_t id)
{
	const char *outer = NULL, *inner = NULL;
	id = strip(b, id, &outer, &inner);
	const struct btf_type *t = btf_record(b, id);
	if (!t || (btf_kind(t) != BTF_KIND_STRUCT && btf_kind(t) != BTF_KIND_UNION))
		return make(b, id, parent->as, 0);
	struct type *ret = make_struct(b, id, parent->as, arena_new(b->arena, struct type));
	ret->arg[0] = parent->arg[0] + 1;
	if (ret->arg[0] > MAX_UNNAMED)
		ret->complete = NULL;
	return ret;
}

static void complete(struct type *t, struct arena *a)
{
	struct btf *b = (struct btf *)t->origin;
	const struct btf_type *record = btf_record(b, t->origin_id);
	const struct btf_member *m = (const void *)(record + 1);
	t->complete = NULL;
	t->nfield = btf_vlen(record);
	t->field = arena_array(b->arena, struct field, t->nfield);
	for (uint32_t i = 0; i < t->nfield; i++) {
		struct field *f = &t->field[i];
		const char *name = btf_string(b, m[i].name_off);
		f->name = *name ? name : NULL;
		f->type = *name ? make(b, m[i].type, t->as, 0) : unnamed_member(b, t, m[i].type);
		if (!f->type)
			f->type = arena_new(b->arena, struct type); /* TYPE_NONE */
		place_field(f, btf_member_place(b, record, i));
	}
}

static struct type *make(struct btf *b, uint32_t id, enum addr_space as, unsigned depth)
{
	if (depth > BTF_MAX_DEPTH)
		return NULL;
	uint64_t key = (uint64_t)id << 3 | as;
	struct type *ret = numtab_get(&b->cache, key);
	if (ret)
		return ret;
	const char *outer = NULL, *inner = NULL;
	uint32_t base = strip(b, id, &outer, &inner);
	const struct btf_type *t = btf_record(b, base);
	if (!t && base)
		return NULL;
	ret = arena_new(b->arena, struct type);
	if (t) {
		const char *own = btf_string(b, t->name_off);
		ret->name = outer ? outer : *own ? own : NULL;
		ret->size = t->size;
		switch (btf_kind(t)) {
		case BTF_KIND_INT: ret = make_int(b, t, ret); break;
		case BTF_KIND_FLOAT: ret->kind = TYPE_FLOAT; break;
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64: ret = make_enum(b, t, ret); break;
		case BTF_KIND_PTR: ret = make_ptr(b, t, as, depth, ret); break;
		case BTF_KIND_ARRAY: ret = make_array(b, t, as, depth, ret); break;
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_FWD: ret = make_struct(b, base, as, ret); break;
		case BTF_KIND_FUNC:
		case BTF_KIND_FUNC_PROTO: *ret = (struct type){.kind = TYPE_NONE, .is_code = true}; break;
		case BTF_KIND_VAR: ret = make(b, t->type, as, depth + 1); break;
		default: ret = NULL;
		}
		/* structs and enums are known by their own name, only without one by their
		 * typedef's */
		if (ret &&
		    (ret->kind == TYPE_STRUCT || ret->kind == TYPE_UNION ||
		     ret->kind == TYPE_ENUM) &&
		    btf_kind(t) != BTF_KIND_VAR)
			ret->name = *own ? own : inner;
	}
	if (ret)
		numtab_set(&b->cache, key, ret);
	return ret;
}

struct type *btf_type(struct btf *b, uint32_t id, enum addr_space as, struct arena *a)
{
	return make(b, id, as, 0);
}

const char *btf_func_name(struct btf *b, uint32_t id)
{
	const struct btf_type *t = btf_record(b, id);
	return t && btf_kind(t) == BTF_KIND_FUNC ? btf_string(b, t->name_off) : NULL;
}
