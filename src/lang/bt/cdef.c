/* cdef.c - the C part of a script, and where the types, constants and names of C come from. */
#include "lang/bt/cdef.h"

enum {
	MAX_MACRO_DEPTH = 24
};

/* --- types by name ------------------------------------------------------------------------------
 */

static struct btf *kernel_btf(struct lang_input *in)
{
	if (!in->world)
		return NULL;
	struct err *e = NULL;
	struct btf *b = world_btf(in->world, &e);
	err_free(e);
	return b;
}

static const struct {
	const char *name;
	uint8_t size;
	bool is_signed;
} plain_types[] = {
	{"int", 4, true},        {"short", 2, true},     {"long", 8, true},
	{"unsigned", 4, false},  {"u8", 1, false},       {"u16", 2, false},
	{"u32", 4, false},       {"u64", 8, false},      {"s8", 1, true},
	{"s16", 2, true},        {"s32", 4, true},       {"s64", 8, true},
	{"__u8", 1, false},      {"__u16", 2, false},    {"__u32", 4, false},
	{"__u64", 8, false},     {"__s8", 1, true},      {"__s16", 2, true},
	{"__s32", 4, true},      {"__s64", 8, true},     {"__be16", 2, false},
	{"__be32", 4, false},    {"__be64", 8, false},   {"__le16", 2, false},
	{"__le32", 4, false},    {"__le64", 8, false},   {"uint8_t", 1, false},
	{"uint16_t", 2, false},  {"uint32_t", 4, false}, {"uint64_t", 8, false},
	{"int8_t", 1, true},     {"int16_t", 2, true},   {"int32_t", 4, true},
	{"int64_t", 8, true},    {"size_t", 8, false},   {"ssize_t", 8, true},
	{"uintptr_t", 8, false}, {"intptr_t", 8, true},  {"ptrdiff_t", 8, true},
	{"off_t", 8, true},      {"loff_t", 8, true},    {"pid_t", 4, true},
	{"uid_t", 4, false},     {"gid_t", 4, false},    {"dev_t", 4, false},
	{"umode_t", 2, false},   {"uint", 4, false},     {"ulong", 8, false},
	{"ushort", 2, false},    {"uchar", 1, false},    {"int8", 1, true},
	{"int16", 2, true},      {"int32", 4, true},     {"int64", 8, true},
	{"uint8", 1, false},     {"uint16", 2, false},   {"uint32", 4, false},
	{"uint64", 8, false},
};

static struct type *plain_type(const char *name)
{
	if (!strcmp(name, "char"))
		return &type_char;
	if (!strcmp(name, "bool") || !strcmp(name, "_Bool"))
		return &type_bool;
	if (!strcmp(name, "void"))
		return &type_none;
	for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
		if (!strcmp(plain_types[i].name, name))
			return type_int(plain_types[i].size, plain_types[i].is_signed);
	return NULL;
}

static uint32_t btf_id(struct btf *b, const char *name)
{
	if (str_has_prefix(name, "struct "))
		return btf_find(b, BTF_NS_STRUCT, name + 7);
	if (str_has_prefix(name, "union "))
		return btf_find(b, BTF_NS_UNION, name + 6);
	if (str_has_prefix(name, "enum "))
		return btf_find(b, BTF_NS_ENUM, name + 5);
	uint32_t id = btf_find(b, BTF_NS_TYPEDEF, name);
	return id ? id : btf_find(b, BTF_NS_BASE, name);
}

static struct type *type_from_btf(struct lang_input *in, struct bt_cdefs *c, const char *name)
{
	struct type *t = strtab_get(&c->from_btf, name);
	if (t)
		return t;
	struct btf *b = kernel_btf(in);
	uint32_t id = b ? btf_id(b, name) : 0;
	t = id ? btf_type(b, id, AS_NONE, in->arena) : NULL;
	if (t)
		strtab_set(&c->from_btf, name, t);
	return t;
}

bool bt_cdef_defines(const struct bt_cdefs *c, const char *name)
{
	return strtab_get(&c->types, name) || plain_type(name);
}

struct type *bt_type_by_name(struct lang_input *in, struct bt_cdefs *c, const char *name)
{
	struct type *t = strtab_get(&c->types, name);
	if (!t)
		t = plain_type(name);
	if (!t)
		t = type_from_btf(in, c, name);
	struct bt_cdefs *headers = t ? NULL : cdef_headers(in, c);
	return headers ? strtab_get(&headers->types, name) : t;
}

/* --- types that are named before they are defined -----------------------------------------------
 */

struct pending {
	struct lang_input *in;
	struct bt_cdefs *c;
	const char *name;
};

static void find_later(struct type *t, struct arena *a)
{
	const struct pending *p = t->origin;
	struct type *found = strtab_get(&p->c->types, p->name);
	if (!found || found == t)
		found = type_from_btf(p->in, p->c, p->name);
	if (!found || found == t)
		return;
	type_complete(found, a);
	*t = *found;
	if (!numtab_get(&p->c->incomplete, (uintptr_t)found))
		numtab_set(&p->c->incomplete, (uintptr_t)t, NULL);
}

struct type *cdef_tag(struct creader *r, enum type_kind kind, const char *tag)
{
	const char *word = kind == TYPE_STRUCT ? "struct" : kind == TYPE_UNION ? "union" : "enum";
	const char *name = arena_printf(r->in->arena, "%s %s", word, tag);
	struct type *t = strtab_get(&r->c->types, name);
	if (t)
		return t;
	struct pending *p = arena_new(r->in->arena, struct pending);
	*p = (struct pending){r->in, r->c, name};
	t = arena_new(r->in->arena, struct type);
	t->kind = kind;
	t->name = tag;
	t->complete = find_later;
	t->origin = p;
	if (kind != TYPE_ENUM)
		numtab_set(&r->c->incomplete, (uintptr_t)t, t);
	return t;
}

struct type *cdef_typedef(struct creader *r, const char *name)
{
	return bt_type_by_name(r->in, r->c, name);
}

/* --- constants ----------------------------------------------------------------------------------
 */

enum {
	MAX_STEPS = 100000
}; /* names that stand for names that stand for... */

struct eval {
	struct creader *r;
	unsigned depth, steps;
};

static bool eval_text(struct eval *v, const char *text, int64_t *ret);

static bool eval_binop(enum bt_op op, int64_t a, int64_t b, int64_t *ret)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;
	switch (op) {
	case BT_ADD: *ret = (int64_t)(x + y); break;
	case BT_SUB: *ret = (int64_t)(x - y); break;
	case BT_MUL: *ret = (int64_t)(x * y); break;
	case BT_DIV:
	case BT_MOD:
		if (!b || (a == INT64_MIN && b == -1))
			return false;
		*ret = op == BT_DIV ? a / b : a % b;
		break;
	case BT_AND: *ret = a & b; break;
	case BT_OR: *ret = a | b; break;
	case BT_XOR: *ret = a ^ b; break;
	case BT_SHL: *ret = (int64_t)(x << (y & 63)); break;
	case BT_SHR: *ret = a >> (y & 63); break;
	case BT_EQ: *ret = a == b; break;
	case BT_NE: *ret = a != b; break;
	case BT_LT: *ret = a < b; break;
	case BT_LE: *ret = a <= b; break;
	case BT_GT: *ret = a > b; break;
	case BT_GE: *ret = a >= b; break;
	case BT_LAND: *ret = a && b; break;
	case BT_LOR: *ret = a || b; break;
	default: return false;
	}
	return true;
}

static bool eval_name(struct eval *v, const char *name, int64_t *ret)
{
	const char *text = strtab_get(&v->r->c->macros, name);
	const struct cdef_enumerator *e = strtab_get(&v->r->c->enumerators, name);
	if (text)
		return eval_text(v, text, ret);
	*ret = e ? e->value : 0; /* unknown names are 0, as in #if */
	return true;
}

static bool eval_sizeof(struct eval *v, const struct bt_expr *e, int64_t *ret)
{
	const char *name = e->type_name ? e->type_name->base : NULL;
	if (e->nkid && e->kid[0]->kind == BT_IDENT)
		name = e->kid[0]->text;
	if (!name)
		return false;
	if (e->type_name && e->type_name->stars) {
		*ret = 8;
		return true;
	}
	struct type *t = bt_type_by_name(v->r->in, v->r->c, name);
	if (!t)
		return false;
	type_complete(t, v->r->in->arena);
	*ret = t->size;
	return true;
}

static bool eval(struct eval *v, const struct bt_expr *e, int64_t *ret)
{
	int64_t a, b;
	if (++v->steps > MAX_STEPS)
		return false;
	switch (e->kind) {
	case BT_INT:
	case BT_BOOL: *ret = (int64_t)e->num; return true;
	case BT_IDENT: return eval_name(v, e->text, ret);
	case BT_SIZEOF: return eval_sizeof(v, e, ret);
	case BT_CAST: return eval(v, e->kid[0], ret);
	case BT_BINOP:
		return eval(v, e->kid[0], &a) && eval(v, e->kid[1], &b) &&
		       eval_binop(e->op, a, b, ret);
	case BT_TERNARY:
		if (!eval(v, e->kid[0], &a))
			return false;
		*ret = a;
		return a && !e->kid[1] ? true : eval(v, e->kid[a ? 1 : 2], ret);
	case BT_UNOP:
		if (!eval(v, e->kid[0], &a))
			return false;
		*ret = e->op == BT_NEG ? (int64_t)(0 - (uint64_t)a) : e->op == BT_BNOT ? ~a : !a;
		return e->op == BT_NEG || e->op == BT_BNOT || e->op == BT_LNOT;
	default: return false;
	}
}

static bool eval_text(struct eval *v, const char *text, int64_t *ret)
{
	struct source *src = arena_new(v->r->in->arena, struct source);
	*src = (struct source){.name = "constant", .text = text, .len = strlen(text)};
	if (++v->depth > MAX_MACRO_DEPTH)
		return false;
	struct bt_expr *e = bt_parse_expr(v->r->in, src);
	bool ok = e && eval(v, e, ret);
	v->depth--;
	return ok;
}

bool cdef_eval(struct creader *r, const char *text, int64_t *ret)
{
	struct eval v = {.r = r};
	return eval_text(&v, text, ret);
}

/* --- the script's C part ------------------------------------------------------------------------
 */

/* One text from the first definition to the last: conditions may span several. */
static void read_definitions(struct lang_input *in, struct bt_cdefs *c, const struct bt_cdef *first)
{
	const struct bt_cdef *last = first;
	while (last->next)
		last = last->next;
	struct creader r = {
		.in = in, .c = c, .src = first->loc.src, .pos = first->loc.begin, .end = last->loc.end};
	cdef_read(&r);
}

struct bt_cdefs *bt_cdefs_read(struct lang_input *in, const struct bt_script *s)
{
	struct bt_cdefs *c = arena_new(in->arena, struct bt_cdefs);
	if (!s->cdef && !s->cfile && !in->nincludes)
		return c;
	cdef_predefine(c);
	if (kernel_btf(in))
		strtab_set(&c->macros, "BPFTRACE_HAVE_BTF", (void *)(uintptr_t) "1");
	struct source nowhere = {.name = "", .text = ""};
	struct creader asked = {.in = in, .c = c, .src = &nowhere};
	for (unsigned i = 0; i < in->nincludes; i++)
		cdef_include(&asked, in->includes[i], true, (struct loc){0});
	for (const struct bt_cfile *f = s->cfile; f; f = f->next)
		if (f->cdef)
			read_definitions(in, c, f->cdef);
		else
			cdef_include(&asked, f->header, true, (struct loc){0});
	if (s->cdef)
		read_definitions(in, c, s->cdef);
	return c;
}

void bt_cdefs_free(struct bt_cdefs *c)
{
	if (!c)
		return;
	numtab_free(&c->incomplete);
	numtab_free(&c->aligned);
	strtab_free(&c->types);
	strtab_free(&c->from_btf);
	strtab_free(&c->macros);
	strtab_free(&c->enumerators);
	vec_free(&c->later);
	bt_cdefs_free(c->headers);
}

bool bt_cdef_macro(const struct bt_cdefs *c, const char *name, const char **text_ret)
{
	*text_ret = strtab_get(&c->macros, name);
	return *text_ret != NULL;
}

bool bt_cdef_enumerator(struct lang_input *in, struct bt_cdefs *c, const char *name, int64_t *v,
			struct type **enum_ret)
{
	const struct cdef_enumerator *e = strtab_get(&c->enumerators, name);
	if (e) {
		*v = e->value;
		*enum_ret = e->type;
		return true;
	}
	*enum_ret = NULL;
	struct btf *b = kernel_btf(in);
	uint32_t id;
	if (b && btf_enumerator(b, name, v, &id)) {
		*enum_ret = btf_type(b, id, AS_NONE, in->arena);
		return true;
	}
	if (cdef_well_known(name, v))
		return true;
	struct bt_cdefs *headers = cdef_headers(in, c);
	e = headers ? strtab_get(&headers->enumerators, name) : NULL;
	if (!e)
		return false;
	*v = e->value;
	*enum_ret = e->type;
	return true;
}
