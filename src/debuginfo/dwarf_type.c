/* dwarf_type.c - struct type out of DWARF entries; members only when somebody looks at them. */
#include "debuginfo/dwarf_internal.h"

bool die_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	return die_ref(die, DW_AT_type, ret);
}

static bool is_qualifier(int tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type || tag == DW_TAG_immutable_type ||
	       tag == DW_TAG_packed_type || tag == DW_TAG_shared_type;
}

/* addr NULL when it comes to nothing (void). */
Dwarf_Die dwarf_strip(Dwarf_Die type)
{
	for (unsigned i = 0; i < DWARF_MAX_CHAIN; i++) {
		Dwarf_Die next;
		if (!type.addr || !is_qualifier(dwarf_tag(&type)))
			return type;
		if (!die_type(&type, &next))
			next = (Dwarf_Die){0};
		type = next;
	}
	return (Dwarf_Die){0};
}

/* --- arrays ------------------------------------------------------------------------------------------------ */

enum { MAX_DIMENSIONS = 8 };
struct dimensions {
	uint64_t count[MAX_DIMENSIONS]; /* 0: not known */
	unsigned n;
};

static bool add_dimension(void *arg, Dwarf_Die *child)
{
	struct dimensions *dim = arg;
	uint64_t count = 0, upper, lower = die_is_fortran(child); /* where arrays begin that do not say it: DWARF 5, table 7.17 */
	int tag = dwarf_tag(child);
	if ((tag != DW_TAG_subrange_type && tag != DW_TAG_enumeration_type) || dim->n >= MAX_DIMENSIONS)
		return true;
	die_uint(child, DW_AT_lower_bound, &lower);
	/* gcc writes [0] as an upper bound of -1 */
	if (!die_uint(child, DW_AT_count, &count) && die_uint(child, DW_AT_upper_bound, &upper))
		count = upper - lower + 1;
	dim->count[dim->n++] = count <= UINT32_MAX ? count : 0;
	return true;
}

static struct dimensions dimensions_of(Dwarf_Die *array)
{
	struct dimensions dim = {0};
	die_each_child(array, add_dimension, &dim);
	if (!dim.n)
		dim.n = 1;
	return dim;
}

uint64_t dwarf_size_of(Dwarf_Die type, unsigned depth)
{
	Dwarf_Die t = dwarf_strip(type), elem;
	uint64_t size = 0;
	if (!t.addr || depth > DWARF_MAX_DEPTH)
		return 0;
	if (die_uint(&t, DW_AT_byte_size, &size))
		return size <= UINT32_MAX ? size : 0;
	switch (dwarf_tag(&t)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type: return 8;
	case DW_TAG_array_type: {
		struct dimensions dim = dimensions_of(&t);
		size = die_type(&t, &elem) ? dwarf_size_of(elem, depth + 1) : 0;
		for (unsigned i = 0; i < dim.n && size <= UINT32_MAX; i++)
			size *= dim.count[i];
		return size <= UINT32_MAX ? size : 0;
	}
	case DW_TAG_subrange_type:
	case DW_TAG_enumeration_type: return die_type(&t, &elem) ? dwarf_size_of(elem, depth + 1) : 4;
	default: return 0;
	}
}

/* --- kinds --------------------------------------------------------------------------------------------------- */

/* Bytes that are no value a script can use as a number. */
static struct type *as_bytes(struct dwarf *d, struct type *t, uint64_t size)
{
	t->kind = TYPE_ARRAY;
	t->elem = size % 8 ? &type_uint8 : &type_uint64;
	t->count = (uint32_t)(size / t->elem->size);
	t->size = (uint32_t)size;
	return t;
}

static struct type *make_base(struct dwarf *d, Dwarf_Die *die, struct type *t)
{
	uint64_t encoding = 0;
	die_uint(die, DW_AT_encoding, &encoding);
	bool is_word = t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8;
	if (encoding == DW_ATE_float && (t->size == 4 || t->size == 8)) {
		t->kind = TYPE_FLOAT;
		return t;
	}
	if (encoding == DW_ATE_float || encoding == DW_ATE_complex_float || !is_word)
		return t->size ? as_bytes(d, t, t->size) : t;
	t->kind = encoding == DW_ATE_boolean && t->size == 1 ? TYPE_BOOL : TYPE_INT;
	t->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char || encoding == DW_ATE_signed_fixed;
	return t;
}

static bool count_enumerator(void *arg, Dwarf_Die *child)
{
	*(uint32_t *)arg += dwarf_tag(child) == DW_TAG_enumerator;
	return true;
}

static bool add_enumerator(void *arg, Dwarf_Die *child)
{
	struct type *t = arg;
	Dwarf_Attribute a;
	Dwarf_Sword v = 0;
	Dwarf_Word u = 0;
	if (dwarf_tag(child) != DW_TAG_enumerator)
		return true;
	const char *name = die_name(child);
	if (die_attr(child, DW_AT_const_value, &a) && (t->is_signed ? dwarf_formsdata(&a, &v) : dwarf_formudata(&a, &u)) == 0)
		v = t->is_signed ? v : (Dwarf_Sword)u;
	if (v < 0)
		t->is_signed = true;
	t->enumerator[t->nenumerator++] = (struct enumerator){name ? name : "", v};
	return true;
}

static struct type *make_enum(struct dwarf *d, Dwarf_Die *die, struct type *t)
{
	uint32_t n = 0;
	Dwarf_Die under;
	uint64_t encoding = 0;
	if (t->size != 1 && t->size != 2 && t->size != 4 && t->size != 8)
		return t;
	t->kind = TYPE_ENUM;
	if (die_type(die, &under)) {
		under = dwarf_strip(under);
		die_uint(&under, DW_AT_encoding, &encoding);
		t->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	}
	die_each_child(die, count_enumerator, &n);
	t->enumerator = arena_array(d->arena, struct enumerator, n);
	die_each_child(die, add_enumerator, t);
	return t;
}

static struct type *make_pointer(struct dwarf *d, Dwarf_Die *die, struct type *t, unsigned depth)
{
	Dwarf_Die to;
	t->kind = TYPE_PTR;
	t->size = 8;
	t->as = (uint8_t)d->as;
	t->elem = die_type(die, &to) ? dwarf_make_type(d, &to, depth + 1) : &type_none;
	return t;
}

static struct type *make_array(struct dwarf *d, Dwarf_Die *die, struct type *t, unsigned depth)
{
	Dwarf_Die of;
	struct dimensions dim = dimensions_of(die);
	struct type *elem = die_type(die, &of) ? dwarf_make_type(d, &of, depth + 1) : &type_none;
	if (die_has(die, DW_AT_data_location)) /* not in place */
		return dwarf_descriptor_type(d, die, t, elem, dim.n);
	/* int a[2][3] is two arrays of three */
	for (unsigned i = dim.n; i-- > 0;) {
		struct type *array = i ? arena_new(d->arena, struct type) : t;
		uint64_t size = (uint64_t)elem->size * dim.count[i];
		array->kind = TYPE_ARRAY;
		array->elem = elem;
		array->count = size <= UINT32_MAX ? (uint32_t)dim.count[i] : 0;
		array->size = size <= UINT32_MAX ? (uint32_t)size : 0;
		elem = array;
	}
	return t;
}

/* --- structs ---------------------------------------------------------------------------------------------------- */

static bool is_struct_tag(int tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_interface_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_variant_part;
}

static bool is_member(Dwarf_Die *child)
{
	int tag = dwarf_tag(child);
	if (tag == DW_TAG_inheritance || tag == DW_TAG_variant_part)
		return true;
	/* static members of a class are variables, not members */
	return tag == DW_TAG_member && !die_flag(child, DW_AT_external) && !die_flag(child, DW_AT_declaration);
}

static bool count_member(void *arg, Dwarf_Die *child)
{
	*(uint32_t *)arg += is_member(child);
	return true;
}

/* Byte offset: a number, or in old DWARF an expression "plus_uconst N". */
static uint64_t member_offset(Dwarf_Die *m)
{
	Dwarf_Attribute a;
	Dwarf_Word v = 0;
	Dwarf_Op *op;
	size_t n;
	if (!die_attr(m, DW_AT_data_member_location, &a) || dwarf_formudata(&a, &v) == 0)
		return v;
	if (dwarf_getlocation(&a, &op, &n) == 0 && n == 1 && (op->atom == DW_OP_plus_uconst || op->atom == DW_OP_constu))
		return op->number;
	return 0;
}

static void place_bits(Dwarf_Die *m, struct field *f, uint64_t width)
{
	uint64_t bit, storage = f->type->size, from_top;
	if (die_uint(m, DW_AT_data_bit_offset, &bit)) {
		/* DWARF 4: bits from the start of the struct */
	} else if (die_uint(m, DW_AT_bit_offset, &from_top)) {
		/* DWARF 2: bits from the top of a storage unit at the member's place */
		die_uint(m, DW_AT_byte_size, &storage);
		bit = (uint64_t)f->offset * 8 + storage * 8 - from_top - width;
	} else {
		return;
	}
	uint64_t unit = f->type->size ? f->type->size * 8ull : 8, start = bit / unit * unit;
	if (bit + width > start + unit)
		start = bit / 8 * 8;
	if (!width || width > 64 || bit - start + width > 64 || bit / 8 > UINT32_MAX)
		return;
	f->offset = (uint32_t)(start / 8);
	f->bit_offset = (uint32_t)(bit - start);
	f->bit_width = (uint32_t)width;
}

struct completion {
	struct dwarf *d;
	struct type *t;
	uint32_t n;
};

static bool add_member(void *arg, Dwarf_Die *m)
{
	struct completion *c = arg;
	Dwarf_Die type;
	uint64_t width, at;
	if (!is_member(m) || c->t->nfield >= c->n)
		return true;
	struct field *f = &c->t->field[c->t->nfield++];
	bool is_part = dwarf_tag(m) == DW_TAG_variant_part;
	f->name = is_part ? NULL : die_name(m);
	if (is_part)
		f->type = dwarf_make_type(c->d, m, 0);
	else
		f->type = die_type(m, &type) ? dwarf_make_type(c->d, &type, 0) : &type_none;
	/* a base class is seen through, as an unnamed member is */
	if (dwarf_tag(m) == DW_TAG_inheritance)
		f->name = NULL;
	at = member_offset(m);
	f->offset = at <= UINT32_MAX ? (uint32_t)at : 0;
	if (die_uint(m, DW_AT_bit_size, &width))
		place_bits(m, f, width);
	return true;
}

static void complete(struct type *t, struct arena *a)
{
	struct dwarf *d = (struct dwarf *)t->origin;
	Dwarf_Die die = d->type_die.at[t->origin_id - 1];
	struct completion c = {d, t, 0};
	die_each_child(&die, count_member, &c.n);
	t->field = arena_array(d->arena, struct field, c.n);
	die_each_child(&die, add_member, &c);
}

/* The definition that a declaration ("struct x;") stands for, when it is in this file; looked for when needed. */
static Dwarf_Die definition(struct dwarf *d, Dwarf_Die *die);

static void complete_declared(struct type *t, struct arena *a)
{
	struct dwarf *d = (struct dwarf *)t->origin;
	Dwarf_Die *die = &d->type_die.at[t->origin_id - 1];
	*die = definition(d, die);
	t->size = (uint32_t)dwarf_size_of(*die, 0);
	if (!die_flag(die, DW_AT_declaration))
		complete(t, a);
}

static struct type *make_struct(struct dwarf *d, Dwarf_Die *die, struct type *t)
{
	t->kind = dwarf_tag(die) == DW_TAG_union_type ? TYPE_UNION : TYPE_STRUCT;
	t->as = (uint8_t)d->as;
	vec_push(&d->type_die, *die);
	t->origin = d;
	t->origin_id = (uint32_t)d->type_die.len;
	t->complete = die_flag(die, DW_AT_declaration) ? complete_declared : complete;
	return t;
}

/* --- the door ------------------------------------------------------------------------------------------------------ */

static struct type *make_kind(struct dwarf *d, Dwarf_Die *die, struct type *t, unsigned depth)
{
	int tag = dwarf_tag(die);
	if (is_struct_tag(tag))
		return make_struct(d, die, t);
	switch (tag) {
	case DW_TAG_base_type: return make_base(d, die, t);
	case DW_TAG_enumeration_type: return make_enum(d, die, t);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type: return make_pointer(d, die, t, depth);
	case DW_TAG_array_type: return make_array(d, die, t, depth);
	case DW_TAG_string_type: return dwarf_string_type(d, die, t);
	case DW_TAG_ptr_to_member_type: return as_bytes(d, t, t->size ? t->size : 8);
	case DW_TAG_subrange_type: {
		Dwarf_Die of;
		return die_type(die, &of) ? dwarf_make_type(d, &of, depth + 1) : t;
	}
	default: /* functions, unspecified */
		t->is_code = tag == DW_TAG_subroutine_type;
		t->size = 0;
		return t;
	}
}

/* The name that a struct without one has through its typedef. */
static const char *name_of(Dwarf_Die *base, const char *alias)
{
	const char *own = die_name(base);
	return own ? own : alias;
}

struct type *dwarf_make_type(struct dwarf *d, Dwarf_Die *die, unsigned depth)
{
	struct type *t = die->addr ? numtab_get(&d->types, (uint64_t)(uintptr_t)die->addr) : NULL;
	if (t || !die->addr || depth > DWARF_MAX_DEPTH)
		return t ? t : &type_none;
	const char *alias = NULL;
	for (Dwarf_Die at = *die; at.addr && is_qualifier(dwarf_tag(&at)) && depth < DWARF_MAX_DEPTH; depth++) {
		Dwarf_Die next;
		if (dwarf_tag(&at) == DW_TAG_typedef && !alias)
			alias = die_name(&at);
		at = die_type(&at, &next) ? next : (Dwarf_Die){0};
	}
	Dwarf_Die base = dwarf_strip(*die);
	if (!base.addr)
		return &type_none;
	t = base.addr == die->addr ? NULL : numtab_get(&d->types, (uint64_t)(uintptr_t)base.addr);
	bool by_own_name = is_struct_tag(dwarf_tag(&base)) || dwarf_tag(&base) == DW_TAG_enumeration_type;
	if (!t || !by_own_name || !t->name) {
		t = arena_new(d->arena, struct type);
		t->size = (uint32_t)dwarf_size_of(base, 0);
		t->as = (uint8_t)d->as;
		t->name = by_own_name ? name_of(&base, alias) : alias ? alias : die_name(&base);
		/* before its parts are made: they may lead back here */
		numtab_set(&d->types, (uint64_t)(uintptr_t)die->addr, t);
		struct type *made = make_kind(d, &base, t, depth + 1);
		if (made != t)
			t = made;
	}
	numtab_set(&d->types, (uint64_t)(uintptr_t)die->addr, t);
	return t;
}

/* --- by name --------------------------------------------------------------------------------------------------------- */

struct type_search {
	struct dwarf *d;
	const char *name;
	int tag;	   /* 0: any */
	unsigned depth;
	Dwarf_Die found;
	/* for enumerators */
	const char *enumerator;
	int64_t value;
};

static bool tag_fits(int want, int tag)
{
	if (want == DW_TAG_structure_type)
		return tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
	if (want)
		return tag == want;
	return is_struct_tag(tag) || tag == DW_TAG_typedef || tag == DW_TAG_base_type || tag == DW_TAG_enumeration_type;
}

static bool find_type(void *arg, Dwarf_Die *child)
{
	struct type_search *s = arg;
	int tag = dwarf_tag(child);
	const char *name = tag_fits(s->tag, tag) ? die_name(child) : NULL;
	if (name && !strcmp(name, s->name) && !die_flag(child, DW_AT_declaration)) {
		s->found = *child;
		return false;
	}
	if (die_is_scope(tag) && s->depth < DWARF_MAX_DEPTH) {
		s->depth++;
		die_each_child(child, find_type, s);
		s->depth--;
	}
	return !s->found.addr;
}

/* The first unit in which fn() finds it. */
static void search_units(struct type_search *s, bool (*fn)(void *arg, Dwarf_Die *child), const char *kind)
{
	struct dwarf_search search;
	dwarf_search_begin(&search, s->d, s->name, "%s%d %s", kind, s->tag, s->name);
	for (const struct dwarf_unit *u; !s->found.addr && (u = dwarf_search_next(&search));) {
		Dwarf_Die die = u->die;
		die_each_child(&die, fn, s);
		if (s->found.addr)
			dwarf_search_hit(&search);
	}
	dwarf_search_end(&search);
}

static Dwarf_Die search_type(struct dwarf *d, const char *name, int tag)
{
	struct type_search s = {.d = d, .name = name, .tag = tag};
	search_units(&s, find_type, "t");
	return s.found;
}

static Dwarf_Die definition(struct dwarf *d, Dwarf_Die *die)
{
	const char *name = die_name(die);
	Dwarf_Die found = name ? search_type(d, name, dwarf_tag(die)) : (Dwarf_Die){0};
	return found.addr ? found : *die;
}

static struct type *look_up(struct dwarf *d, const char *name)
{
	static const struct {
		const char *word;
		int tag;
	} words[] = {{"struct ", DW_TAG_structure_type}, {"class ", DW_TAG_structure_type}, {"union ", DW_TAG_union_type},
		     {"enum ", DW_TAG_enumeration_type}, {"", 0}};
	size_t len = strlen(name), stars = 0;
	for (; len && strchr("* ", name[len - 1]); len--)
		stars += name[len - 1] == '*';
	_cleanup_free_ char *plain = xstrndup(name, len);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_has_prefix(plain, words[i].word))
			continue;
		Dwarf_Die die = search_type(d, plain + strlen(words[i].word), words[i].tag);
		if (!die.addr)
			return NULL;
		struct type *t = dwarf_make_type(d, &die, 0);
		for (; stars; stars--)
			t = type_ptr(d->arena, t, d->as);
		return t;
	}
	return NULL;
}

struct type *dwarf_type_by_name(struct dwarf *d, const char *name)
{
	struct type *t = strtab_get(&d->type_names, name);
	if (!t) {
		t = look_up(d, name);
		strtab_set(&d->type_names, name, t ? t : &type_none);
	}
	return t == &type_none ? NULL : t;
}

static bool find_enumerator(void *arg, Dwarf_Die *child)
{
	struct type_search *s = arg;
	int tag = dwarf_tag(child);
	const char *name = tag == DW_TAG_enumerator ? die_name(child) : NULL;
	Dwarf_Attribute a;
	Dwarf_Sword v;
	if (name && !strcmp(name, s->name) && die_attr(child, DW_AT_const_value, &a) && !dwarf_formsdata(&a, &v)) {
		s->value = v;
		s->found = *child;
		return false;
	}
	if (die_is_scope(tag) && s->depth < DWARF_MAX_DEPTH) {
		s->depth++;
		die_each_child(child, find_enumerator, s);
		s->depth--;
	}
	return !s->found.addr;
}

bool dwarf_enumerator(struct dwarf *d, const char *name, int64_t *ret)
{
	struct type_search s = {.d = d, .name = name};
	search_units(&s, find_enumerator, "e");
	*ret = s.value;
	return s.found.addr != NULL;
}
