/* cdef_decl.c - declarations of C types: specifiers, declarators, layout. */
#include "lang/bt/cdef.h"

enum {
	MAX_NESTING = 64,
	MAX_FIELDS = 4096
};

struct attrs {
	bool packed;
	uint32_t aligned;
};

static struct type *specifiers(struct creader *r, struct attrs *at, bool *is_typedef);

/* --- helpers ------------------------------------------------------------------------------------
 */

/* Over a balanced group that opens at the token at hand. */
static void skip_group(struct creader *r)
{
	unsigned depth = 0;
	do {
		if (cdef_is(r, "(") || cdef_is(r, "[") || cdef_is(r, "{"))
			depth++;
		else if (cdef_is(r, ")") || cdef_is(r, "]") || cdef_is(r, "}"))
			depth--;
		cdef_next(r);
	} while (depth && r->kind != CT_END);
}

/* To the end of a declaration that is not for us: its `;`, or the body of a function. */
static void skip_declaration(struct creader *r)
{
	while (r->kind != CT_END && !cdef_is(r, ";")) {
		bool body = cdef_is(r, "{");
		if (body || cdef_is(r, "(") || cdef_is(r, "["))
			skip_group(r);
		else
			cdef_next(r);
		if (body && !cdef_is(r, ";"))
			return;
	}
	cdef_take(r, ";");
}

/* The text of a bracketed or comma-ended expression, up to one of the characters in `stop`. */
static bool constant(struct creader *r, const char *stop, int64_t *v)
{
	struct buf out = {0};
	unsigned depth = 0;
	uint32_t end = r->begin;
	while (r->kind != CT_END) {
		char c = r->src->text[r->begin];
		if (!depth && r->kind == CT_PUNCT && strchr(stop, c))
			break;
		depth += c == '(';
		depth -= c == ')' && depth;
		char *text = cdef_text(r);
		if (r->kind == CT_NUMBER)
			text[strcspn(text, "uUlL")] = 0;
		buf_printf(&out, "%s%s", r->begin != end ? " " : "", text);
		end = r->begin + r->len;
		cdef_next(r);
	}
	bool ok = cdef_eval(r, buf_str(&out), v);
	buf_free(&out);
	return ok;
}

/* Any number of __attribute__((...)), _Alignas(...). */
static void attributes(struct creader *r, struct attrs *at)
{
	while (cdef_is(r, "__attribute__") || cdef_is(r, "__attribute") || cdef_is(r, "_Alignas")) {
		bool is_alignas = cdef_is(r, "_Alignas");
		unsigned depth = 0;
		cdef_next(r);
		do {
			if (cdef_is(r, "("))
				depth++;
			else if (cdef_is(r, ")"))
				depth -= depth > 0;
			else if (cdef_is(r, "packed") || cdef_is(r, "__packed__"))
				at->packed = true;
			bool aligned = cdef_is(r, "aligned") || cdef_is(r, "__aligned__");
			cdef_next(r);
			int64_t v;
			if ((aligned && cdef_take(r, "(")) || (is_alignas && depth == 1)) {
				depth += aligned;
				if (constant(r, ")", &v) && v > 0 && v <= 4096)
					at->aligned = MAX(at->aligned, (uint32_t)v);
			} else if (aligned) {
				at->aligned = 16;
			}
		} while (depth && r->kind != CT_END);
	}
}

/* --- layout of structs --------------------------------------------------------------------------
 */

struct layout {
	VEC(struct field) fields;
	uint64_t bits; /* used so far; unions: 0 */
	uint64_t size; /* unions: the largest member, in bytes */
	uint32_t align;
	bool is_union, packed;
};

static uint32_t align_of(struct creader *r, struct type *t, const struct attrs *at)
{
	struct type *elem = t;
	while (elem->kind == TYPE_ARRAY)
		elem = elem->elem;
	type_complete(elem, r->in->arena);
	if (numtab_get(&r->c->incomplete, (uintptr_t)elem))
		cdef_fail(r, arena_printf(r->in->arena, "a member has the incomplete type '%s %s'",
					  elem->kind == TYPE_UNION ? "union" : "struct",
					  elem->name ? elem->name : ""));
	uintptr_t own = (uintptr_t)numtab_get(&r->c->aligned, (uintptr_t)elem);
	return MAX(own ? (uint32_t)own : type_align(elem), at->aligned);
}

static void add_field(struct layout *l, const char *name, struct type *t, uint32_t align)
{
	if (l->packed)
		align = 1;
	uint64_t offset = l->is_union ? 0 : ALIGN_UP((l->bits + 7) / 8, (uint64_t)align);
	uint64_t end = offset + type_mem_size(t);
	l->align = MAX(l->align, align);
	l->bits = l->is_union ? 0 : end * 8;
	l->size = MAX(l->size, end);
	vec_push(&l->fields, (struct field){.name = name, .type = t, .offset = (uint32_t)offset});
}

/* A script's own bit-fields have no sign, as in bpftrace; those that the kernel or a program declares have theirs. */
static struct type *without_sign(struct type *t)
{
	return t->kind == TYPE_INT && t->is_signed ? type_int(t->size, false) : t;
}

/* As the System V ABI lays them out: a bit-field does not cross a boundary of its declared type. */
static void add_bits(struct layout *l, const char *name, struct type *t, uint32_t width)
{
	uint64_t unit = (uint64_t)t->size * 8;
	uint64_t bits = l->is_union ? 0 : l->bits;
	if (!width) { /* `: 0` */
		l->bits = l->is_union ? 0 : ALIGN_UP(bits, unit);
		return;
	}
	if (!l->packed && bits % unit + width > unit)
		bits = ALIGN_UP(bits, unit);
	uint64_t store = l->packed ? bits / 8 * 8 : bits / unit * unit;
	if (name)
		vec_push(&l->fields, (struct field){.name = name,
						    .type = without_sign(t),
						    .offset = (uint32_t)(store / 8),
						    .bit_offset = (uint32_t)(bits - store),
						    .bit_width = width});
	if (name && !l->packed)
		l->align = MAX(l->align, t->size);
	l->size = MAX(l->size, (bits + width + 7) / 8);
	l->bits = l->is_union ? 0 : bits + width;
}

/* --- declarators --------------------------------------------------------------------------------
 */

struct declarator {
	const char *name;
	struct type *type;
};

static struct type *array_suffixes(struct creader *r, struct type *t)
{
	int64_t count[16];
	unsigned n = 0;
	while (cdef_take(r, "[") && !r->failed) {
		int64_t v = 0;
		bool empty = cdef_is(r, "]");
		if (n == ARRAY_SIZE(count) ||
		    (!empty && (!constant(r, "]", &v) || v < 0 || v > INT32_MAX))) {
			cdef_fail(r, "size of an array must be an integer constant");
			break;
		}
		count[n++] = v;
		cdef_take(r, "]");
	}
	while (n)
		t = type_array(r->in->arena, t, (uint32_t)count[--n]);
	return t;
}

/* Pointers, a name, a function's parameters, array sizes.  A parenthesized declarator is a pointer
 * to a function or to an array: what matters of it is that it is a pointer. */
static struct declarator declarator(struct creader *r, struct type *t, struct attrs *at)
{
	struct declarator d = {.type = t};
	for (;;) {
		attributes(r, at);
		if (cdef_take(r, "*"))
			d.type = type_ptr(r->in->arena, d.type, AS_NONE);
		else if (!cdef_take(r, "const") && !cdef_take(r, "volatile") &&
			 !cdef_take(r, "restrict") && !cdef_take(r, "__restrict") &&
			 !cdef_take(r, "__user") && !cdef_take(r, "__rcu") &&
			 !cdef_take(r, "__percpu") && !cdef_take(r, "__iomem") &&
			 !cdef_take(r, "__kernel"))
			break;
	}
	if (cdef_is(r, "(") && r->depth < MAX_NESTING) {
		r->depth++;
		cdef_next(r);
		d = declarator(r, &type_none, at);
		r->depth--;
		cdef_take(r, ")");
		while (cdef_is(r, "(") || cdef_is(r, "["))
			skip_group(r);
		return d;
	}
	if (r->kind == CT_IDENT) {
		d.name = cdef_text(r);
		cdef_next(r);
	}
	if (cdef_is(r, "(")) {
		skip_group(r);
		d.type = &type_none;
	}
	d.type = array_suffixes(r, d.type);
	attributes(r, at);
	return d;
}

/* --- struct, union, enum ------------------------------------------------------------------------
 */

static void member(struct creader *r, struct layout *l)
{
	struct attrs at = {0};
	bool is_typedef = false;
	struct type *base = specifiers(r, &at, &is_typedef);
	if (!base) {
		cdef_fail(r, "expected the type of a member");
		return;
	}
	if (cdef_is(r, ";")) {
		if (base->kind == TYPE_STRUCT || base->kind == TYPE_UNION)
			add_field(l, NULL, base, align_of(r, base, &at));
		return;
	}
	do {
		struct attrs own = at;
		struct declarator d = {.type = base};
		int64_t width;
		if (!cdef_is(r, ":"))
			d = declarator(r, base, &own);
		if (!cdef_take(r, ":")) {
			add_field(l, d.name, d.type, align_of(r, d.type, &own));
		} else if (!constant(r, ",;}", &width) || width < 0 || width > 64 ||
			   !type_is_integral(d.type) || width > d.type->size * 8) {
			cdef_fail(r, "invalid width of a bit-field");
		} else {
			add_bits(l, d.name, d.type, (uint32_t)width);
		}
	} while (!r->failed && l->fields.len < MAX_FIELDS && cdef_take(r, ","));
}

static void body(struct creader *r, struct type *t, struct attrs *at)
{
	struct layout l = {.align = 1, .is_union = t->kind == TYPE_UNION, .packed = at->packed};
	struct arena *a = r->in->arena;
	/* packed comes after the body: look ahead on a copy of the reader */
	struct creader ahead = *r;
	skip_group(&ahead);
	attributes(&ahead, at);
	l.packed = at->packed;
	cdef_next(r);
	while (!r->failed && r->kind != CT_END && !cdef_is(r, "}")) {
		if (!cdef_take(r, ";"))
			member(r, &l);
		if (!r->failed && !cdef_is(r, "}") && !cdef_take(r, ";"))
			cdef_fail(r, "expected ';' after a member");
	}
	cdef_take(r, "}");
	attributes(r, at);
	if (l.packed || at->aligned)
		numtab_set(&r->c->aligned, (uintptr_t)t,
			   (void *)(uintptr_t)MAX(l.align, at->aligned));
	l.align = MAX(l.align, at->aligned);
	numtab_set(&r->c->incomplete, (uintptr_t)t, NULL);
	t->nfield = (uint32_t)l.fields.len;
	t->field =
		t->nfield ? arena_memdup(a, l.fields.at, sizeof(struct field) * t->nfield) : NULL;
	t->size = (uint32_t)MIN(ALIGN_UP(l.size, (uint64_t)l.align), UINT32_MAX);
	vec_free(&l.fields);
}

static void enumerators(struct creader *r, struct type *t)
{
	VEC(struct enumerator) list = {0};
	int64_t v = 0;
	cdef_next(r);
	while (!r->failed && r->kind == CT_IDENT && list.len < MAX_FIELDS) {
		const char *name = cdef_text(r);
		cdef_next(r);
		attributes(r, &(struct attrs){0});
		if (cdef_take(r, "=") && !constant(r, ",}", &v))
			cdef_fail(r, "value of an enumerator must be an integer constant");
		vec_push(&list, (struct enumerator){name, v});
		struct cdef_enumerator *e = arena_new(r->in->arena, struct cdef_enumerator);
		*e = (struct cdef_enumerator){v++, t};
		strtab_set(&r->c->enumerators, name, e);
		if (!cdef_take(r, ","))
			break;
	}
	if (!cdef_take(r, "}"))
		cdef_fail(r, "expected '}' after enumerators");
	t->complete = NULL;
	t->size = 4;
	t->nenumerator = (uint32_t)list.len;
	for (size_t i = 0; i < list.len; i++) {
		t->is_signed = t->is_signed || list.at[i].value < 0;
		if (list.at[i].value > UINT32_MAX || list.at[i].value < INT32_MIN)
			t->size = 8;
	}
	t->enumerator =
		list.len ? arena_memdup(r->in->arena, list.at, sizeof(*list.at) * list.len) : NULL;
	vec_free(&list);
}

/* struct, union or enum: with a body it is defined, else it is looked up. */
static struct type *tagged(struct creader *r, struct attrs *at)
{
	enum type_kind kind = cdef_is(r, "struct")  ? TYPE_STRUCT
			      : cdef_is(r, "union") ? TYPE_UNION
						    : TYPE_ENUM;
	struct attrs own = {0};
	const char *tag = NULL;
	struct type *t;
	cdef_next(r);
	attributes(r, &own);
	if (r->kind == CT_IDENT) {
		tag = cdef_text(r);
		cdef_next(r);
	}
	attributes(r, &own);
	if (!cdef_is(r, "{")) {
		if (!tag)
			cdef_fail(r, "expected a name or '{'");
		return tag ? cdef_tag(r, kind, tag) : NULL;
	}
	if (r->depth >= MAX_NESTING) {
		cdef_fail(r, "types are nested too deeply");
		return NULL;
	}
	const char *word = kind == TYPE_STRUCT ? "struct" : kind == TYPE_UNION ? "union" : "enum";
	t = arena_new(r->in->arena, struct type);
	t->kind = kind;
	t->name = tag;
	r->nbodies++;
	const char *name = tag ? arena_printf(r->in->arena, "%s %s", word, tag) : NULL;
	if (name)
		strtab_set(&r->c->types, name, t);
	if (kind != TYPE_ENUM)
		numtab_set(&r->c->incomplete, (uintptr_t)t, t);
	r->depth++;
	if (kind == TYPE_ENUM)
		enumerators(r, t);
	else
		body(r, t, &own);
	r->depth--;
	if (name && r->failed) /* of a system header: BTF may know it better */
		strtab_set(&r->c->types, name, NULL);
	at->aligned = MAX(at->aligned, own.aligned);
	return t;
}

/* --- specifiers ---------------------------------------------------------------------------------
 */

struct words {
	unsigned is_signed, is_unsigned, is_short, is_long, is_int, is_char, is_void, is_bool,
		is_float, is_double, is_int128;
};

static bool basic_word(struct creader *r, struct words *w)
{
	const struct {
		const char *text;
		unsigned *count;
	} known[] = {
		{"signed", &w->is_signed},   {"__signed__", &w->is_signed},
		{"__signed", &w->is_signed}, {"unsigned", &w->is_unsigned},
		{"short", &w->is_short},     {"long", &w->is_long},
		{"int", &w->is_int},         {"char", &w->is_char},
		{"void", &w->is_void},       {"_Bool", &w->is_bool},
		{"bool", &w->is_bool},       {"float", &w->is_float},
		{"double", &w->is_double},   {"__int128", &w->is_int128},
	};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!cdef_take(r, known[i].text))
			continue;
		++*known[i].count;
		return true;
	}
	return false;
}

static bool any_word(const struct words *w)
{
	return w->is_signed || w->is_unsigned || w->is_short || w->is_long || w->is_int ||
	       w->is_char || w->is_void || w->is_bool || w->is_float || w->is_double ||
	       w->is_int128;
}

static struct type *basic_type(struct creader *r, const struct words *w)
{
	if (w->is_void)
		return &type_none;
	if (w->is_bool)
		return &type_bool;
	if (w->is_float || w->is_double) {
		struct type *t = arena_new(r->in->arena, struct type);
		t->kind = TYPE_FLOAT;
		t->size = w->is_float ? 4 : 8;
		return t;
	}
	if (w->is_int128)
		return type_array(r->in->arena, &type_uint64, 2);
	if (w->is_char)
		return w->is_unsigned ? &type_uint8 : w->is_signed ? &type_int8 : &type_char;
	return type_int(w->is_short ? 2 : w->is_long ? 8 : 4, !w->is_unsigned);
}

static bool storage_word(struct creader *r, bool *is_typedef)
{
	static const char *const words[] = {"const",    "volatile", "__volatile__",  "static",
					    "extern",   "inline",   "__inline",      "__inline__",
					    "register", "auto",     "__extension__", "restrict",
					    "__const",  "_Noreturn"};
	if (cdef_take(r, "typedef"))
		return *is_typedef = true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (cdef_take(r, words[i]))
			return true;
	return false;
}

static struct type *specifiers(struct creader *r, struct attrs *at, bool *is_typedef)
{
	struct words w = {0};
	struct type *t = NULL;
	while (r->kind == CT_IDENT && !r->failed) {
		attributes(r, at);
		if (storage_word(r, is_typedef) || (!t && basic_word(r, &w)))
			continue;
		if (t || any_word(&w))
			break;
		if (cdef_is(r, "struct") || cdef_is(r, "union") || cdef_is(r, "enum")) {
			t = tagged(r, at);
		} else {
			t = r->kind == CT_IDENT ? cdef_typedef(r, cdef_text(r)) : NULL;
			if (!t)
				break;
			cdef_next(r);
		}
	}
	return t ? t : any_word(&w) ? basic_type(r, &w) : NULL;
}

/* --- declarations -------------------------------------------------------------------------------
 */

static void typedefs(struct creader *r, struct type *base, struct attrs *at)
{
	do {
		struct declarator d = declarator(r, base, at);
		if (d.name)
			strtab_set(&r->c->types, d.name, d.type);
	} while (!r->failed && cdef_take(r, ","));
}

static void declaration(struct creader *r)
{
	struct attrs at = {0};
	bool is_typedef = false;
	unsigned before = r->nbodies;
	struct type *base = specifiers(r, &at, &is_typedef);
	if (is_typedef && base && !r->failed)
		typedefs(r, base, &at);
	/* a definition of a script needs no `;` */
	if (!cdef_take(r, ";") && (is_typedef || r->nbodies == before))
		skip_declaration(r);
	if (r->quiet)
		r->failed = false; /* go on with the next one */
}

void cdef_read(struct creader *r)
{
	cdef_next(r);
	while (r->kind != CT_END && !r->failed) {
		uint32_t before = r->begin;
		const struct source *in = r->src;
		declaration(r);
		if (r->kind != CT_END && r->begin == before && r->src == in)
			cdef_next(r); /* nothing that starts a declaration */
	}
}
