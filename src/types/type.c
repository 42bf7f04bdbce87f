/* type.c - building types, their layout, comparing them, finding fields. */
#include "types/type.h"

#define CONSTANT(id, ...) struct type id = {__VA_ARGS__}
CONSTANT(type_none, .kind = TYPE_NONE);
CONSTANT(type_int8, .kind = TYPE_INT, .size = 1, .is_signed = true);
CONSTANT(type_int16, .kind = TYPE_INT, .size = 2, .is_signed = true);
CONSTANT(type_int32, .kind = TYPE_INT, .size = 4, .is_signed = true);
CONSTANT(type_int64, .kind = TYPE_INT, .size = 8, .is_signed = true);
CONSTANT(type_uint8, .kind = TYPE_INT, .size = 1);
CONSTANT(type_uint16, .kind = TYPE_INT, .size = 2);
CONSTANT(type_uint32, .kind = TYPE_INT, .size = 4);
CONSTANT(type_uint64, .kind = TYPE_INT, .size = 8);
CONSTANT(type_char, .kind = TYPE_INT, .size = 1, .is_signed = true, .name = "char");
CONSTANT(type_bool, .kind = TYPE_BOOL, .size = 1);
CONSTANT(type_ksym, .kind = TYPE_KSYM, .size = 8);
CONSTANT(type_usym, .kind = TYPE_USYM, .size = 16);
CONSTANT(type_mac, .kind = TYPE_MAC, .size = 6);
CONSTANT(type_username, .kind = TYPE_USERNAME, .size = 8);
#undef CONSTANT

enum {
	MAX_DEPTH = 32
}; /* anonymous members and structural comparison stop here */

/* What every type of a kind has in common. */
enum {
	INTEGRAL = 1,
	SCALAR = 2,
	AGG = 4
};
static const struct {
	uint8_t align; /* 0: computed */
	uint8_t flags;
} kinds[] = {
	[TYPE_NONE] = {1, 0                },
	[TYPE_INT] = {0, INTEGRAL | SCALAR},
	[TYPE_BOOL] = {0, INTEGRAL | SCALAR},
	[TYPE_ENUM] = {0, INTEGRAL | SCALAR},
	[TYPE_PTR] = {8, SCALAR           },
	[TYPE_STR] = {1, 0                },
	[TYPE_BUF] = {4, 0                },
	[TYPE_ARRAY] = {0, 0                },
	[TYPE_STRUCT] = {0, 0                },
	[TYPE_UNION] = {0, 0                },
	[TYPE_TUPLE] = {0, 0                },
	[TYPE_RECORD] = {0, 0                },
	[TYPE_FLOAT] = {0, 0                },
	[TYPE_KSTACK] = {8, 0                },
	[TYPE_USTACK] = {8, 0                },
	[TYPE_KSYM] = {8, SCALAR           },
	[TYPE_USYM] = {8, 0                },
	[TYPE_INET] = {4, 0                },
	[TYPE_MAC] = {1, 0                },
	[TYPE_TIMESTAMP] = {8, 0                },
	[TYPE_CGROUP_PATH] = {8, 0                },
	[TYPE_USERNAME] = {8, SCALAR           },
	[TYPE_PROBE_NAME] = {8, SCALAR           },
	[TYPE_COUNT] = {8, AGG              },
	[TYPE_SUM] = {8, AGG              },
	[TYPE_MIN] = {8, AGG              },
	[TYPE_MAX] = {8, AGG              },
	[TYPE_AVG] = {8, AGG              },
	[TYPE_STATS] = {8, AGG              },
	[TYPE_HIST] = {8, AGG              },
	[TYPE_LHIST] = {8, AGG              },
	[TYPE_TSERIES] = {8, AGG              },
	[TYPE_STAT] = {8, AGG              },
	[TYPE_CTX] = {8, SCALAR           },
};

/* --- building ----------------------------------------------------------------------------------
 */

static struct type *new_type(struct arena *a, enum type_kind kind, uint32_t size)
{
	struct type *t = arena_new(a, struct type);
	t->kind = kind;
	t->size = size;
	return t;
}

struct type *type_int(uint32_t size, bool is_signed)
{
	switch (size) {
	case 1: return is_signed ? &type_int8 : &type_uint8;
	case 2: return is_signed ? &type_int16 : &type_uint16;
	case 4: return is_signed ? &type_int32 : &type_uint32;
	case 8: return is_signed ? &type_int64 : &type_uint64;
	}
	BUG("no integer of %u bytes", size);
}

struct type *type_str(struct arena *a, uint32_t size)
{
	return new_type(a, TYPE_STR, size);
}

struct type *type_buf(struct arena *a, uint32_t size)
{
	return new_type(a, TYPE_BUF, size);
}

struct type *type_ptr(struct arena *a, struct type *elem, enum addr_space as)
{
	struct type *t = new_type(a, TYPE_PTR, 8);
	t->elem = elem;
	t->as = (uint8_t)as;
	return t;
}

struct type *type_array(struct arena *a, struct type *elem, uint32_t count)
{
	uint64_t size = (uint64_t)type_mem_size(elem) * count;
	struct type *t = new_type(a, TYPE_ARRAY, (uint32_t)MIN(size, UINT32_MAX));
	t->elem = elem;
	t->count = count;
	return t;
}

struct type *type_tuple(struct arena *a, struct type *const *elem, const char *const *names,
			uint32_t n)
{
	struct type *t = new_type(a, names ? TYPE_RECORD : TYPE_TUPLE, 0);
	uint32_t offset = 0, align = 1;
	t->field = arena_array(a, struct field, n);
	t->nfield = n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t own = type_align(elem[i]);
		offset = ALIGN_UP(offset, own);
		align = MAX(align, own);
		t->field[i] = (struct field){
			.name = names ? names[i] : NULL, .type = elem[i], .offset = offset};
		offset += type_mem_size(elem[i]);
	}
	t->size = ALIGN_UP(offset, align);
	return t;
}

struct type *type_stack(struct arena *a, bool user, enum stack_mode mode, uint32_t limit)
{
	struct type *t = new_type(a, user ? TYPE_USTACK : TYPE_KSTACK, 16);
	t->stack_mode = (uint8_t)mode;
	t->count = limit;
	return t;
}

static const int64_t no_args[3];

/* SystemTap's histograms: arg = start, stop, step of @hist_linear; step 0: @hist_log. */
static uint64_t stat_buckets(const int64_t arg[3])
{
	enum {
		HIST_LOG_BUCKETS = 128
	};
	if (!arg[2])
		return HIST_LOG_BUCKETS;
	return (uint64_t)lhist_buckets(arg[0], arg[1], arg[2]) + 1;
}

static uint64_t agg_size(enum type_kind kind, const int64_t arg[3])
{
	switch (kind) {
	case TYPE_COUNT:
	case TYPE_SUM: return 8;
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG:
	case TYPE_STATS: return 16;
	case TYPE_HIST: return 8ull * hist_buckets((unsigned)arg[0]);
	case TYPE_LHIST: return 8ull * lhist_buckets(arg[0], arg[1], arg[2]);
	case TYPE_TSERIES: return 24ull * (uint64_t)arg[1];
	case TYPE_STAT: return 48 + (arg == no_args ? 0 : 8ull * stat_buckets(arg));
	default: BUG("kind %d is not an aggregation", kind);
	}
}

struct type *type_agg(struct arena *a, enum type_kind kind, bool is_signed, const int64_t arg[3])
{
	if (!arg)
		arg = no_args;
	struct type *t = new_type(a, kind, (uint32_t)MIN(agg_size(kind, arg), UINT32_MAX));
	t->is_signed = is_signed;
	memcpy(t->arg, arg, sizeof(t->arg));
	return t;
}

void type_complete(struct type *t, struct arena *a)
{
	void (*complete)(struct type *, struct arena *) = t->complete;
	if (!complete)
		return;
	t->complete = NULL; /* first: completing a list node asks for the node */
	complete(t, a);
}

/* --- layout ------------------------------------------------------------------------------------
 */

/* For types whose parts are not known: what a C compiler would need at least for this size. */
static uint32_t align_of_size(uint32_t size)
{
	for (uint32_t align = 8; align > 1; align /= 2)
		if (size && size % align == 0)
			return align;
	return 1;
}

static uint32_t align_at(const struct type *t, unsigned depth)
{
	if (kinds[t->kind].align)
		return kinds[t->kind].align;
	if (depth >= MAX_DEPTH)
		return 8;
	if (t->kind == TYPE_ARRAY)
		return align_at(t->elem, depth + 1);
	if (!t->nfield)
		return align_of_size(t->size);
	uint32_t align = 1;
	for (uint32_t i = 0; i < t->nfield; i++)
		align = MAX(align, align_at(t->field[i].type, depth + 1));
	return align;
}

uint32_t type_align(const struct type *t)
{
	return align_at(t, 0);
}

uint32_t type_mem_size(const struct type *t)
{
	return t->kind == TYPE_BUF ? t->size + 4 : t->size;
}

/* --- questions ---------------------------------------------------------------------------------
 */

bool type_is_agg(const struct type *t)
{
	return kinds[t->kind].flags & AGG;
}

bool type_is_integral(const struct type *t)
{
	return kinds[t->kind].flags & INTEGRAL;
}

bool type_is_scalar(const struct type *t)
{
	return kinds[t->kind].flags & SCALAR;
}

static bool equal_at(const struct type *a, const struct type *b, unsigned depth);

/* Named C types are the same when their names are; others when their members are. */
static bool fields_equal(const struct type *a, const struct type *b, unsigned depth)
{
	if (a->nfield != b->nfield)
		return false;
	for (uint32_t i = 0; i < a->nfield; i++) {
		const struct field *f = &a->field[i], *g = &b->field[i];
		if (!str_eq(f->name, g->name) || f->offset != g->offset ||
		    f->bit_offset != g->bit_offset || f->bit_width != g->bit_width ||
		    !equal_at(f->type, g->type, depth + 1))
			return false;
	}
	return true;
}

static bool equal_at(const struct type *a, const struct type *b, unsigned depth)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || depth >= MAX_DEPTH)
		return false;
	switch (a->kind) {
	case TYPE_PTR: return equal_at(a->elem, b->elem, depth + 1);
	case TYPE_ARRAY: return a->count == b->count && equal_at(a->elem, b->elem, depth + 1);
	case TYPE_ENUM: return a->size == b->size && str_eq(a->name, b->name);
	case TYPE_STRUCT:
	case TYPE_UNION:
		if (a->name || b->name)
			return str_eq(a->name, b->name);
		return a->size == b->size && fields_equal(a, b, depth);
	case TYPE_TUPLE:
	case TYPE_RECORD: return a->size == b->size && fields_equal(a, b, depth);
	case TYPE_KSTACK:
	case TYPE_USTACK: return a->stack_mode == b->stack_mode && a->count == b->count;
	default:
		return a->size == b->size && a->is_signed == b->is_signed &&
		       !memcmp(a->arg, b->arg, sizeof(a->arg));
	}
}

bool type_equal(const struct type *a, const struct type *b)
{
	return equal_at(a, b, 0);
}

static const struct field *field_at(struct type *t, const char *name, struct arena *a,
				    uint32_t *offset_ret, unsigned depth)
{
	type_complete(t, a);
	for (uint32_t i = 0; i < t->nfield; i++) {
		const struct field *f = &t->field[i];
		if (f->name && *f->name && !strcmp(f->name, name)) {
			*offset_ret = f->offset;
			return f;
		}
	}
	for (uint32_t i = 0; i < t->nfield && depth < MAX_DEPTH; i++) {
		const struct field *f = &t->field[i];
		bool anonymous = !f->name || !*f->name;
		if (!anonymous || (f->type->kind != TYPE_STRUCT && f->type->kind != TYPE_UNION))
			continue;
		uint32_t within;
		const struct field *found = field_at(f->type, name, a, &within, depth + 1);
		if (found) {
			*offset_ret = f->offset + within;
			return found;
		}
	}
	return NULL;
}

const struct field *type_field(struct type *t, const char *name, struct arena *a,
			       uint32_t *offset_ret)
{
	uint32_t offset = 0;
	const struct field *f = field_at(t, name, a, &offset, 0);
	if (f && offset_ret)
		*offset_ret = offset;
	return f;
}

/* --- histograms --------------------------------------------------------------------------------
 */

uint32_t hist_buckets(unsigned k)
{
	return ((64 - k) << k) + 1;
}

uint32_t lhist_buckets(int64_t min, int64_t max, int64_t step)
{
	if (step <= 0 || max <= min)
		return 2;
	uint64_t inner = ((uint64_t)max - (uint64_t)min) / (uint64_t)step;
	return inner > UINT32_MAX - 2 ? UINT32_MAX : (uint32_t)inner + 2;
}
