/* sema_types.c - joining, comparing and resolving types. */
#include "lang/bt/sema.h"

/* --- kinds --------------------------------------------------------------------------------------
 */

/* Types of literals: as int8..int64, but ready to take the sign of what they are joined with. */
static struct type flexible[] = {
	{.kind = TYPE_INT, .size = 1, .is_signed = true},
	{.kind = TYPE_INT, .size = 2, .is_signed = true},
	{.kind = TYPE_INT, .size = 4, .is_signed = true},
	{.kind = TYPE_INT, .size = 8, .is_signed = true},
};

bool bt_is_flexible(const struct type *t)
{
	return t >= flexible && t < flexible + ARRAY_SIZE(flexible);
}

struct type *bt_flexible_int(uint32_t size)
{
	return &flexible[size >= 8 ? 3 : size >= 4 ? 2 : size >= 2 ? 1 : 0];
}

bool bt_is_integer(const struct type *t)
{
	return t->kind == TYPE_INT || t->kind == TYPE_ENUM;
}

bool bt_is_readable_agg(const struct type *t)
{
	return t->kind == TYPE_COUNT || t->kind == TYPE_SUM || t->kind == TYPE_MIN ||
	       t->kind == TYPE_MAX || t->kind == TYPE_AVG;
}

bool bt_is_number(const struct type *t)
{
	return bt_is_integer(t) || t->kind == TYPE_BOOL || bt_is_readable_agg(t);
}

const char *bt_kind_word(const struct type *t)
{
	static const char *const words[] = {
		[TYPE_NONE] = "void",
		[TYPE_INT] = "int",
		[TYPE_ENUM] = "int",
		[TYPE_FLOAT] = "float",
		[TYPE_BOOL] = "bool",
		[TYPE_PTR] = "pointer",
		[TYPE_STR] = "string",
		[TYPE_BUF] = "buffer",
		[TYPE_ARRAY] = "array",
		[TYPE_STRUCT] = "c_type",
		[TYPE_UNION] = "c_type",
		[TYPE_TUPLE] = "tuple",
		[TYPE_RECORD] = "record",
		[TYPE_KSTACK] = "kstack",
		[TYPE_USTACK] = "ustack",
		[TYPE_KSYM] = "ksym_t",
		[TYPE_USYM] = "usym_t",
		[TYPE_INET] = "inet",
		[TYPE_MAC] = "mac_address",
		[TYPE_TIMESTAMP] = "timestamp",
		[TYPE_CGROUP_PATH] = "cgroup_path_t",
		[TYPE_USERNAME] = "username_t",
		[TYPE_PROBE_NAME] = "string",
		[TYPE_COUNT] = "count_t",
		[TYPE_SUM] = "sum_t",
		[TYPE_MIN] = "min_t",
		[TYPE_MAX] = "max_t",
		[TYPE_AVG] = "avg_t",
		[TYPE_STATS] = "stats_t",
		[TYPE_HIST] = "hist_t",
		[TYPE_LHIST] = "lhist_t",
		[TYPE_TSERIES] = "tseries_t",
		[TYPE_STAT] = "stats_t",
		[TYPE_CTX] = "pointer",
	};
	return words[t->kind];
}

static bool is_composite(const struct type *t)
{
	return t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD;
}

static const struct field *field_named(const struct type *t, const char *name)
{
	for (uint32_t i = 0; i < t->nfield; i++)
		if (str_eq(t->field[i].name, name))
			return &t->field[i];
	return NULL;
}

/* The field of b that goes with field i of a: by name in records, by place in tuples. */
static const struct field *partner(const struct type *a, uint32_t i, const struct type *b)
{
	if (a->kind == TYPE_RECORD)
		return field_named(b, a->field[i].name);
	return i < b->nfield ? &b->field[i] : NULL;
}

bool bt_type_same(const struct type *a, const struct type *b)
{
	if (a == b)
		return true;
	if (!a || !b || bt_is_flexible(a) || bt_is_flexible(b) || !type_equal(a, b))
		return false;
	if (a->kind == TYPE_PTR)
		return a->as == b->as && bt_type_same(a->elem, b->elem);
	if (!is_composite(a))
		return true;
	for (uint32_t i = 0; i < a->nfield; i++)
		if (!bt_type_same(a->field[i].type, b->field[i].type))
			return false;
	return true;
}

/* --- compatibility ------------------------------------------------------------------------------
 */

static bool fields_agree(const struct type *a, const struct type *b,
			 bool (*agree)(const struct type *, const struct type *))
{
	if (a->nfield != b->nfield)
		return false;
	for (uint32_t i = 0; i < a->nfield; i++) {
		const struct field *f = partner(a, i, b);
		if (!f || !agree(a->field[i].type, f->type))
			return false;
	}
	return true;
}

bool bt_compatible(const struct type *a, const struct type *b)
{
	if (bt_is_integer(a) && bt_is_integer(b))
		return true;
	if (a->kind != b->kind)
		return a->kind == TYPE_PROBE_NAME
			       ? b->kind == TYPE_STR
			       : a->kind == TYPE_STR && b->kind == TYPE_PROBE_NAME;
	switch (a->kind) {
	case TYPE_PTR: return bt_compatible(a->elem, b->elem);
	case TYPE_STRUCT:
	case TYPE_UNION: return type_equal(a, b);
	case TYPE_TUPLE:
	case TYPE_RECORD: return fields_agree(a, b, bt_compatible);
	case TYPE_KSTACK:
	case TYPE_USTACK: return a->stack_mode == b->stack_mode && a->count == b->count;
	case TYPE_ARRAY:
		return type_equal(a->elem, b->elem) && (!a->size || !b->size || a->size == b->size);
	default: return true;
	}
}

bool bt_fits(const struct type *t, const struct type *into)
{
	if (!bt_compatible(t, into))
		return false;
	if (t->kind == TYPE_STR)
		return t->size <= into->size;
	if (is_composite(t))
		return fields_agree(t, into, bt_fits);
	if (!bt_is_integer(t))
		return type_equal(t, into);
	if (t->is_signed == into->is_signed || bt_is_flexible(t))
		return t->size <= into->size;
	return !t->is_signed && t->size < into->size;
}

/* --- join ---------------------------------------------------------------------------------------
 */

static struct type *join_int(const struct type *a, bool a_flex, const struct type *b, bool b_flex)
{
	uint32_t size = MAX(a->size, b->size);
	if (a_flex && b_flex)
		return bt_flexible_int(size);
	if (a_flex || b_flex || a->is_signed == b->is_signed)
		return type_int(size, a_flex ? b->is_signed : a->is_signed);
	const struct type *sign = a->is_signed ? a : b, *plain = a->is_signed ? b : a;
	return type_int(sign->size > plain->size ? sign->size : MIN(size * 2, 8u), true);
}

static struct type *join_fields(struct bt_sema *s, struct type *a, struct type *b)
{
	struct type **elem = arena_array(s->in->arena, struct type *, a->nfield + 1);
	const char **names = arena_array(s->in->arena, const char *, a->nfield + 1);
	bool same = true;
	for (uint32_t i = 0; i < a->nfield; i++) {
		elem[i] = bt_join(s, a->field[i].type, false, partner(a, i, b)->type, false);
		if (!elem[i])
			return NULL;
		names[i] = a->field[i].name;
		same = same && bt_type_same(elem[i], a->field[i].type);
	}
	if (same)
		return a;
	return type_tuple(s->in->arena, elem, a->kind == TYPE_RECORD ? names : NULL, a->nfield);
}

static struct type *join_ptr(struct bt_sema *s, struct type *a, struct type *b)
{
	struct type *elem = bt_join(s, a->elem, false, b->elem, false);
	if (!elem)
		return NULL;
	if (bt_type_same(elem, a->elem))
		return a->as || !b->as ? a : bt_ptr_in(s, a, b->as);
	return type_ptr(s->in->arena, elem, a->as ? a->as : b->as);
}

struct type *bt_join(struct bt_sema *s, struct type *a, bool a_literal, struct type *b,
		     bool b_literal)
{
	a_literal = (a_literal && a && a->is_signed) || bt_is_flexible(a);
	b_literal = (b_literal && b && b->is_signed) || bt_is_flexible(b);
	if (!a)
		return b && bt_is_readable_agg(b) ? type_int(8, b->is_signed) : b;
	if (!b || bt_type_same(a, b))
		return a;
	bool a_int = bt_is_integer(a) || bt_is_readable_agg(a);
	bool b_int = bt_is_integer(b) || bt_is_readable_agg(b);
	if (a_int && b_int && !(bt_is_readable_agg(a) && a->kind == b->kind)) {
		if (a->kind == TYPE_ENUM && type_equal(a, b))
			return a;
		if (bt_is_readable_agg(a)) /* read as a number */
			a = type_int(8, a->is_signed);
		if (bt_is_readable_agg(b))
			b = type_int(8, b->is_signed);
		struct type *t = join_int(a, a_literal, b, b_literal);
		return t == a || (!a_literal && !bt_is_flexible(t) && type_equal(t, a)) ? a : t;
	}
	if (!bt_compatible(a, b))
		return NULL;
	if (bt_is_readable_agg(a))
		return a->is_signed ? a : b;
	if (is_composite(a))
		return join_fields(s, a, b);
	if (a->kind == TYPE_STR || a->kind == TYPE_PROBE_NAME)
		return b->kind == TYPE_STR && (a->kind != TYPE_STR || b->size > a->size ||
					       (b->size == a->size && a->is_chars))
			       ? b
			       : a;
	if (a->kind == TYPE_PTR)
		return join_ptr(s, a, b);
	if (a->kind == TYPE_BUF || (a->kind == TYPE_ARRAY && !a->size))
		return b->size > a->size ? b : a;
	return a;
}

/* --- adjusting ----------------------------------------------------------------------------------
 */

struct type *bt_ptr_in(struct bt_sema *s, struct type *t, enum addr_space as)
{
	return t->kind != TYPE_PTR || t->as == as ? t : type_ptr(s->in->arena, t->elem, as);
}

struct type *bt_value_type(struct bt_sema *s, struct type *t)
{
	if (t->kind != TYPE_ARRAY || !t->elem || t->elem->kind != TYPE_INT || t->elem->size != 1 ||
	    !str_eq(t->elem->name, "char"))
		return t;
	struct type *str = type_str(s->in->arena, t->count);
	str->is_chars = true;
	return str;
}

/* --- types as written ---------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	enum type_kind kind;
	uint32_t size;
	bool is_signed;
} builtin_types[] = {
	{"void", TYPE_NONE, 0, false},
	{"bool", TYPE_BOOL, 1, false},
	{"int8", TYPE_INT, 1, true},
	{"int16", TYPE_INT, 2, true},
	{"int32", TYPE_INT, 4, true},
	{"int64", TYPE_INT, 8, true},
	{"uint8", TYPE_INT, 1, false},
	{"uint16", TYPE_INT, 2, false},
	{"uint32", TYPE_INT, 4, false},
	{"uint64", TYPE_INT, 8, false},
	{"min_t", TYPE_MIN, 0, true},
	{"max_t", TYPE_MAX, 0, true},
	{"sum_t", TYPE_SUM, 0, true},
	{"avg_t", TYPE_AVG, 0, true},
	{"stats_t", TYPE_STATS, 0, true},
	{"count_t", TYPE_COUNT, 0, false},
	{"umin_t", TYPE_MIN, 0, false},
	{"umax_t", TYPE_MAX, 0, false},
	{"usum_t", TYPE_SUM, 0, false},
	{"uavg_t", TYPE_AVG, 0, false},
	{"ustats_t", TYPE_STATS, 0, false},
	{"timestamp", TYPE_TIMESTAMP, sizeof(struct timestamp_wire), false},
	{"macaddr_t", TYPE_MAC, 6, false},
	{"cgroup_path_t", TYPE_CGROUP_PATH, sizeof(struct cgroup_path_wire), false},
	{"string", TYPE_STR, 0, false},
	{"buffer", TYPE_BUF, 0, false},
	{"inet", TYPE_INET, sizeof(struct inet_wire), false},
	{"username_t", TYPE_USERNAME, 8, false},
};

static struct type *builtin_type(struct bt_sema *s, const char *name)
{
	struct arena *a = s->in->arena;
	for (size_t i = 0; i < ARRAY_SIZE(builtin_types); i++) {
		if (strcmp(builtin_types[i].name, name))
			continue;
		enum type_kind kind = builtin_types[i].kind;
		bool is_signed = builtin_types[i].is_signed;
		if (kind == TYPE_INT)
			return type_int(builtin_types[i].size, is_signed);
		if (kind == TYPE_NONE)
			return &type_none;
		if (kind == TYPE_BOOL)
			return &type_bool;
		if (kind >= TYPE_COUNT && kind <= TYPE_STATS)
			return type_agg(a, kind, is_signed, NULL);
		struct type *t = arena_new(a, struct type);
		t->kind = kind;
		t->size = builtin_types[i].size;
		return t;
	}
	return NULL;
}

/* The script's own types, then those of the traced program, then the kernel's. */
static struct type *type_by_name(struct bt_sema *s, const char *name)
{
	bool is_user = bt_probe_space(s) == AS_USER && s->point->target;
	struct type *t = NULL;
	if (is_user && !bt_cdef_defines(s->cdefs, name)) {
		struct dwarf *d = probe_dwarf(s->in->world, s->point, NULL);
		t = d ? dwarf_type_by_name(d, name) : NULL;
	}
	return t ? t : bt_type_by_name(s->in, s->cdefs, name);
}

static struct type *named_type(struct bt_sema *s, const char *name, struct loc loc)
{
	static const char *const tags[] = {"struct", "union", "enum"};
	struct type *t = builtin_type(s, name);
	if (!t)
		t = type_by_name(s, name);
	for (size_t i = 0; !t && !strchr(name, ' ') && i < ARRAY_SIZE(tags); i++)
		t = type_by_name(s, arena_printf(s->in->arena, "%s %s", tags[i], name));
	if (!t && str_has_prefix(name, "enum "))
		bt_err(s, loc, "Unknown enum: %s", name + 5);
	else if (!t)
		bt_err(s, loc, "Cannot resolve unknown type \"%s\"", name);
	return t;
}

static struct type *array_of(struct bt_sema *s, struct type *t, int64_t n)
{
	struct arena *a = s->in->arena;
	uint32_t count = n < 0 ? 0 : (uint32_t)n;
	if (t->kind == TYPE_STR && !t->size)
		return type_str(a, count);
	if (t->kind == TYPE_BUF && !t->size)
		return type_buf(a, count);
	if (t->kind == TYPE_INET)
		return t;
	return type_array(a, t, count);
}

/* The type of what typeof() is asked about; a map with keys: its key type. */
static struct type *typeof_expr(struct bt_sema *s, struct bt_expr *e)
{
	s->in_meta++;
	struct type *t = NULL;
	bool is_name = e->kind == BT_IDENT && !e->parenthesized;
	if (is_name && (t = type_by_name(s, e->text))) {
		s->in_meta--;
		return t;
	}
	if (e->kind == BT_MAP && !e->nkid) {
		struct var *v = bt_sema_var(s, e->text);
		bt_var_info(v)->is_used = true;
		t = bt_var_info(v)->shape == BT_SHAPE_KEYED ? v->key : v->value;
	} else {
		t = bt_sema_expr(s, e);
	}
	s->in_meta--;
	return t;
}

struct type *bt_resolve_type(struct bt_sema *s, struct bt_type_name *tn)
{
	struct type *t = tn->typeof_expr ? typeof_expr(s, tn->typeof_expr)
					 : named_type(s, tn->base, tn->loc);
	for (unsigned i = 0; t && i < tn->nsuffix; i++)
		t = tn->suffix[i] == -1 ? type_ptr(s->in->arena, t, AS_NONE)
					: array_of(s, t, tn->suffix[i]);
	return t;
}
