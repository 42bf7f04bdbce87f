/* dwarf_spell.c - types as a debugger spells them: "int* n", "const char* s", "struct Foo* foo", "int a[3]". */
#include "debuginfo/dwarf_internal.h"

static void prefix(Dwarf_Die *type, struct buf *out, unsigned depth);

static void prefix_of(Dwarf_Die *type, struct buf *out, unsigned depth)
{
	Dwarf_Die to;
	if (die_type(type, &to))
		prefix(&to, out, depth + 1);
	else
		buf_puts(out, "void");
}

static void qualified(Dwarf_Die *type, const char *word, struct buf *out, unsigned depth)
{
	Dwarf_Die to;
	bool after = die_type(type, &to) && dwarf_tag(&to) == DW_TAG_pointer_type;
	if (!after)
		buf_printf(out, "%s ", word);
	prefix_of(type, out, depth);
	if (after)
		buf_printf(out, " %s", word);
}

static bool is_c(Dwarf_Die *die)
{
	Dwarf_Die cu;
	int lang = dwarf_diecu(die, &cu, NULL, NULL) ? dwarf_srclang(&cu) : -1;
	/* dwz's partial units may not say */
	return lang < 0 || lang == DW_LANG_C || lang == DW_LANG_C89 || lang == DW_LANG_C99 || lang == DW_LANG_C11;
}

static void tagged(Dwarf_Die *type, const char *word, struct buf *out)
{
	const char *name = die_name(type);
	if (!name)
		buf_printf(out, "%s {...}", word);
	else
		buf_printf(out, "%s%s%s", is_c(type) ? word : "", is_c(type) ? " " : "", name);
}

static bool add_param(void *arg, Dwarf_Die *child)
{
	struct buf *out = arg;
	Dwarf_Die type;
	if (dwarf_tag(child) == DW_TAG_unspecified_parameters)
		buf_puts(out, "..., ");
	if (dwarf_tag(child) != DW_TAG_formal_parameter || out->len > 400)
		return true;
	if (die_type(child, &type))
		prefix(&type, out, DWARF_MAX_DEPTH / 2);
	buf_puts(out, ", ");
	return true;
}

static void function(Dwarf_Die *type, struct buf *out, unsigned depth)
{
	prefix_of(type, out, depth);
	buf_puts(out, " (");
	size_t before = out->len;
	die_each_child(type, add_param, out);
	if (out->len > before)
		out->data[out->len -= 2] = 0;
	buf_putc(out, ')');
}

static void prefix(Dwarf_Die *type, struct buf *out, unsigned depth)
{
	if (depth > DWARF_MAX_DEPTH) {
		buf_puts(out, "...");
		return;
	}
	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type: {
		int tag = dwarf_tag(type);
		prefix_of(type, out, depth);
		buf_puts(out, tag == DW_TAG_pointer_type ? "*" : tag == DW_TAG_reference_type ? "&" : "&&");
		return;
	}
	case DW_TAG_const_type: qualified(type, "const", out, depth); return;
	case DW_TAG_volatile_type: qualified(type, "volatile", out, depth); return;
	case DW_TAG_restrict_type: prefix_of(type, out, depth); return;
	case DW_TAG_atomic_type: qualified(type, "_Atomic", out, depth); return;
	case DW_TAG_array_type: prefix_of(type, out, depth); return;
	case DW_TAG_structure_type: tagged(type, "struct", out); return;
	case DW_TAG_class_type: tagged(type, "class", out); return;
	case DW_TAG_union_type: tagged(type, "union", out); return;
	case DW_TAG_enumeration_type: tagged(type, "enum", out); return;
	case DW_TAG_string_type: buf_puts(out, "character"); return;
	case DW_TAG_subroutine_type: function(type, out, depth); return;
	default: {
		const char *name = die_name(type);
		buf_puts(out, name ? name : "?");
	}
	}
}

static bool add_bound(void *arg, Dwarf_Die *child)
{
	uint64_t count = 0, upper, lower = die_is_fortran(child);
	if (dwarf_tag(child) != DW_TAG_subrange_type)
		return true;
	die_uint(child, DW_AT_lower_bound, &lower);
	if (!die_uint(child, DW_AT_count, &count) && die_uint(child, DW_AT_upper_bound, &upper))
		count = upper - lower + 1;
	if (count)
		buf_printf(arg, "[%llu]", (unsigned long long)count);
	else
		buf_puts(arg, "[]");
	return true;
}

void dwarf_spell(Dwarf_Die *type, const char *name, struct buf *out)
{
	if (type && type->addr)
		prefix(type, out, 0);
	else
		buf_puts(out, "void");
	if (name && *name)
		buf_printf(out, " %s", name);
	for (unsigned i = 0; type && type->addr && dwarf_tag(type) == DW_TAG_array_type && i < 8; i++) {
		die_each_child(type, add_bound, out);
		Dwarf_Die elem;
		if (!die_type(type, &elem))
			break;
		*type = elem;
	}
}
