/*
 * btf_spell.c - types as C text.
 *
 * A declaration in C is read from the inside out, BTF from the outside in: the chain from the
 * outermost pointer, array or function to the base type is collected first, then written from its
 * base.  Spaces follow btf_dump__emit_type_decl() of libbpf, which is what bpftrace -lv prints.
 */
#include "debuginfo/btf_internal.h"

enum {
	MAX_TEXT = 64 << 10
}; /* a few hostile records can describe endless text */

struct speller {
	struct btf *b;
	struct buf *out;
	size_t end;       /* no more is written past this length */
	bool with_bodies; /* structs without a name are written out */
	unsigned depth;
	unsigned work; /* members looked at for alignment */
};

enum {
	MAX_WORK = 1 << 20
};

/* Type ids from the outermost to the base. */
struct chain {
	uint32_t id[BTF_MAX_DEPTH];
	unsigned n;
};

static void spell_body(struct speller *s, uint32_t id, unsigned level);
static void spell(struct speller *s, uint32_t id, const char *name, unsigned level);

static bool is_qualifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE || kind == BTF_KIND_RESTRICT;
}

static const char *qualifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST      ? "const"
	       : kind == BTF_KIND_VOLATILE ? "volatile"
					   : "restrict";
}

static bool full(const struct speller *s)
{
	return s->out->len >= s->end;
}

static bool collect(struct speller *s, uint32_t id, struct chain *c)
{
	for (c->n = 0; c->n < BTF_MAX_DEPTH;) {
		const struct btf_type *t = btf_record(s->b, id);
		c->id[c->n++] = id;
		if (!t)
			return !id;
		uint32_t kind = btf_kind(t);
		if (kind == BTF_KIND_ARRAY)
			id = ((const struct btf_array *)(t + 1))->type;
		else if (is_qualifier(kind) || kind == BTF_KIND_PTR || kind == BTF_KIND_TYPE_TAG ||
			 kind == BTF_KIND_FUNC_PROTO)
			id = t->type;
		else
			return true;
	}
	return false;
}

static uint32_t top_kind(struct speller *s, const struct chain *c)
{
	const struct btf_type *t = c->n ? btf_record(s->b, c->id[c->n - 1]) : NULL;
	return t ? btf_kind(t) : BTF_KIND_UNKN;
}

/* Qualifiers of a base type stand before it. */
static void leading_qualifiers(struct speller *s, struct chain *c)
{
	for (; is_qualifier(top_kind(s, c)); c->n--)
		buf_printf(s->out, "%s ", qualifier(top_kind(s, c)));
}

static void spell_base(struct speller *s, uint32_t id, struct chain *c, unsigned level)
{
	const struct btf_type *t = btf_record(s->b, id);
	leading_qualifiers(s, c);
	if (!t) {
		buf_puts(s->out, "void");
		return;
	}
	const char *name = btf_string(s->b, t->name_off), *word = "";
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT: word = "struct"; break;
	case BTF_KIND_UNION: word = "union"; break;
	case BTF_KIND_FWD: word = btf_kflag(t) ? "union" : "struct"; break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: word = "enum"; break;
	}
	if (*word && !*name && s->with_bodies)
		spell_body(s, id, level);
	else
		buf_printf(s->out, "%s%s%s", word, *word && *name ? " " : "", name);
}

static void declared_name(struct speller *s, const char *name, bool after_ptr)
{
	buf_printf(s->out, "%s%s", *name && !after_ptr ? " " : "", name);
}

static void spell_params(struct speller *s, const struct btf_type *proto, unsigned level)
{
	const struct btf_param_record *p = (const void *)(proto + 1);
	uint32_t n = btf_vlen(proto);
	buf_putc(s->out, '(');
	if (n == 1 && !p[0].type)
		buf_puts(s->out, "void");
	else
		for (uint32_t i = 0; i < n && !full(s); i++) {
			if (i)
				buf_puts(s->out, ", ");
			if (i + 1 == n && !p[i].type)
				buf_puts(s->out, "...");
			else
				spell(s, p[i].type, btf_string(s->b, p[i].name_off), level);
		}
	buf_putc(s->out, ')');
}

static void spell_chain(struct speller *s, struct chain *c, const char *name, unsigned level);

/* What stands within the parentheses of "(*name)[3]", or just the name. */
static void spell_array(struct speller *s, const struct btf_type *t, struct chain *c,
			const char *name, bool after_ptr, unsigned level)
{
	while (is_qualifier(top_kind(s, c)))
		c->n--;
	uint32_t count = ((const struct btf_array *)(t + 1))->nelems;
	if (!c->n) {
		declared_name(s, name, after_ptr);
	} else {
		bool nested = top_kind(s, c) == BTF_KIND_ARRAY;
		if (*name && !after_ptr)
			buf_putc(s->out, ' ');
		if (!nested)
			buf_putc(s->out, '(');
		spell_chain(s, c, name, level);
		if (!nested)
			buf_putc(s->out, ')');
	}
	buf_printf(s->out, "[%u]", count);
}

static void spell_func(struct speller *s, const struct btf_type *t, struct chain *c,
		       const char *name, bool after_ptr, unsigned level)
{
	while (is_qualifier(top_kind(s, c)))
		c->n--;
	if (c->n) {
		buf_puts(s->out, " (");
		spell_chain(s, c, name, level);
		buf_putc(s->out, ')');
	} else {
		declared_name(s, name, after_ptr);
	}
	spell_params(s, t, level);
}

static void spell_chain(struct speller *s, struct chain *c, const char *name, unsigned level)
{
	bool after_ptr = true; /* at the start no space is due either */
	while (c->n && !full(s)) {
		uint32_t id = c->id[--c->n];
		const struct btf_type *t = btf_record(s->b, id);
		uint32_t kind = t ? btf_kind(t) : BTF_KIND_UNKN;
		switch (kind) {
		case BTF_KIND_PTR: buf_puts(s->out, after_ptr ? "*" : " *"); break;
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT: buf_printf(s->out, " %s", qualifier(kind)); break;
		case BTF_KIND_TYPE_TAG:
			leading_qualifiers(s, c);
			buf_printf(s->out, " __attribute__((btf_type_tag(\"%s\")))",
				   btf_string(s->b, t->name_off));
			break;
		case BTF_KIND_ARRAY: spell_array(s, t, c, name, after_ptr, level); return;
		case BTF_KIND_FUNC_PROTO: spell_func(s, t, c, name, after_ptr, level); return;
		default: spell_base(s, id, c, level);
		}
		after_ptr = kind == BTF_KIND_PTR;
	}
	declared_name(s, name, after_ptr);
}

static void spell(struct speller *s, uint32_t id, const char *name, unsigned level)
{
	struct chain c;
	if (s->depth >= BTF_MAX_DEPTH || full(s) || !collect(s, id, &c))
		return;
	s->depth++;
	spell_chain(s, &c, name, level);
	s->depth--;
}

void btf_spell_decl(struct btf *b, uint32_t id, const char *name, struct buf *out)
{
	struct speller s = {.b = b, .out = out, .end = out->len + MAX_TEXT};
	spell(&s, id, "", 0);
	if (name && *name)
		buf_printf(out, " %s", name);
}

/* --- definitions
 * ------------------------------------------------------------------------------------------ */

static void new_line(struct speller *s, unsigned level)
{
	buf_putc(s->out, '\n');
	buf_fill(s->out, '\t', level);
}

static uint32_t align_of(struct speller *s, uint32_t id, unsigned depth);

/* Alignment in bytes.  A struct whose members are not where they would fall by themselves is
 * packed. */
static uint32_t struct_align(struct speller *s, const struct btf_type *t, unsigned depth,
			     bool *packed)
{
	const struct btf_member *m = (const void *)(t + 1);
	uint32_t max = 1;
	*packed = false;
	for (uint32_t i = 0; i < btf_vlen(t) && s->work++ < MAX_WORK; i++) {
		struct btf_place place = btf_member_place(s->b, t, i);
		uint32_t align = align_of(s, m[i].type, depth + 1);
		*packed |= !place.width && place.bit % (align * 8);
		max = MAX(max, align);
	}
	*packed |= t->size % max != 0;
	return *packed ? 1 : max;
}

static uint32_t align_of(struct speller *s, uint32_t id, unsigned depth)
{
	const struct btf_type *t = btf_record(s->b, id);
	bool packed;
	if (!t || depth > BTF_MAX_DEPTH)
		return 1;
	uint32_t kind = btf_kind(t);
	if (btf_is_modifier(kind))
		return align_of(s, t->type, depth + 1);
	if (kind == BTF_KIND_ARRAY)
		return align_of(s, ((const struct btf_array *)(t + 1))->type, depth + 1);
	if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION)
		return struct_align(s, t, depth + 1, &packed);
	return MAX(MIN(btf_size(s->b, id), 16u), 1u);
}

/*
 * Unnamed bit-fields for bits that no member covers.  A compiler starts a bit-field of a wide type
 * on that type's boundary by itself, so the way there is left out unless bit-fields lie on both
 * sides of the hole, or nothing of the wide type would follow; `long: 0` only aligns.
 */
static void spell_hole(struct speller *s, uint32_t from, uint32_t to, bool in_bits, unsigned level)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} word[] = {{"long", 64}, {"int", 32}, {"short", 16}, {"char", 8}};
	unsigned w = 0;
	while (w < 3 && ALIGN_UP(from, word[w].bits) > to)
		w++;
	uint32_t start = ALIGN_UP(from, word[w].bits);
	if (start > to)
		start = from;
	if (start > from && (in_bits || to - start <= start - from)) {
		new_line(s, level);
		buf_printf(s->out, "%s: %u;", word[w].name, in_bits ? start - from : 0);
	}
	for (uint32_t n; start < to && !full(s); start += n) {
		unsigned k = w;
		n = MIN(to - start, word[w].bits);
		if (n < word[w].bits)
			for (k = 3; word[k].bits < n;)
				k--;
		new_line(s, level);
		buf_printf(s->out, "%s: %u;", word[k].name, n);
	}
}

static bool is_packed(struct speller *s, uint32_t id)
{
	bool packed;
	struct_align(s, btf_record(s->b, id), 0, &packed);
	return packed;
}

static void spell_members(struct speller *s, uint32_t id, unsigned level)
{
	const struct btf_type *t = btf_record(s->b, id);
	const struct btf_member *m = (const void *)(t + 1);
	bool is_union = btf_kind(t) == BTF_KIND_UNION, packed = is_packed(s, id);
	uint32_t at = 0, biggest = 1;
	bool after_bits = false;
	for (uint32_t i = 0; i < btf_vlen(t) && !full(s); i++) {
		struct btf_place place = btf_member_place(s->b, t, i);
		uint32_t align = packed ? 1 : align_of(s, m[i].type, 0);
		if (!is_union && !(!place.width && ALIGN_UP(at, align * 8) == place.bit))
			spell_hole(s, at, place.bit, after_bits && place.width, level);
		new_line(s, level);
		spell(s, m[i].type, btf_string(s->b, m[i].name_off), level);
		if (place.width)
			buf_printf(s->out, ": %u", place.width);
		buf_putc(s->out, ';');
		at = place.bit + (place.width ? place.width : btf_size(s->b, m[i].type) * 8);
		after_bits = place.width;
		biggest = MAX(biggest, align);
	}
	if (!is_union && ALIGN_UP(at, biggest * 8) < t->size * 8)
		spell_hole(s, at, t->size * 8, false, level);
}

static void spell_enumerators(struct speller *s, const struct btf_type *t, unsigned level)
{
	for (uint32_t i = 0; i < btf_vlen(t) && !full(s); i++) {
		new_line(s, level);
		buf_printf(s->out, btf_kflag(t) ? "%s = %lld," : "%s = %llu,",
			   btf_enumerator_name(s->b, t, i), (long long)btf_enumerator_value(t, i));
	}
}

/* "struct x { ... }" */
static void spell_body(struct speller *s, uint32_t id, unsigned level)
{
	const struct btf_type *t = btf_record(s->b, id);
	uint32_t kind = t ? btf_kind(t) : BTF_KIND_UNKN;
	if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION && kind != BTF_KIND_ENUM &&
	    kind != BTF_KIND_ENUM64)
		return;
	bool is_enum = kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
	const char *name = btf_string(s->b, t->name_off);
	buf_printf(s->out, "%s%s%s {",
		   is_enum                  ? "enum"
		   : kind == BTF_KIND_UNION ? "union"
					    : "struct",
		   *name ? " " : "", name);
	if (is_enum)
		spell_enumerators(s, t, level + 1);
	else
		spell_members(s, id, level + 1);
	if (btf_vlen(t))
		new_line(s, level);
	buf_putc(s->out, '}');
	if (!is_enum && is_packed(s, id))
		buf_puts(s->out, " __attribute__((packed))");
}

void btf_spell_struct(struct btf *b, uint32_t id, struct buf *out)
{
	struct speller s = {
		.b = b, .out = out, .end = out->len + 16 * MAX_TEXT, .with_bodies = true};
	spell_body(&s, id, 0);
	buf_puts(out, ";\n");
}
