/*
 * dwarf_scope.c - the name of a function that no linker knows (inlined, static), with the namespaces, classes and functions that it stands in.
 *
 * Entries do not say where they stand.  They lie in the order of the tree, so the way down to one goes through the last sibling that does not
 * begin behind it.
 */
#include "debuginfo/dwarf_internal.h"

static bool has_scopes(const Dwarf_Die *die)
{
	switch (die_language(die)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b: /* C++17 */
	case 0x2c: /* C++20 */
	case DW_LANG_Rust: return true;
	default: return false;
	}
}

struct way {
	Dwarf_Off target;
	Dwarf_Die last;
	bool found;
};

static bool before_target(void *arg, Dwarf_Die *child)
{
	struct way *w = arg;
	if (dwarf_dieoffset(child) > w->target)
		return false;
	w->last = *child;
	w->found = true;
	return true;
}

/* "shop::" for a scope that is to be seen in names. */
static void add_scope(Dwarf_Die *die, const char *function, struct buf *out)
{
	int tag = dwarf_tag(die);
	const char *name = die_is_scope(tag) || tag == DW_TAG_subprogram ? die_name(die) : NULL;
	if (!name && tag == DW_TAG_namespace)
		name = "(anonymous namespace)"; /* as demanglers call it */
	else if (!name && die_is_scope(tag) && str_eq(function, "operator()"))
		name = "{lambda}";
	if (name)
		buf_printf(out, "%s::", name);
}

const char *dwarf_scoped_name(struct dwarf *d, Dwarf_Die *die)
{
	Dwarf_Die at, origin = die_origin(die);
	const char *name = die_name(die);
	if (!name || !origin.addr || !has_scopes(&origin) || !dwarf_diecu(&origin, &at, NULL, NULL))
		return name;
	struct buf text = {0};
	struct way w = {.target = dwarf_dieoffset(&origin)};
	for (unsigned depth = 0; depth < DWARF_MAX_DEPTH; depth++) {
		w.found = false;
		die_each_child(&at, before_target, &w);
		if (!w.found || dwarf_dieoffset(&w.last) == w.target)
			break;
		add_scope(&w.last, name, &text);
		at = w.last;
	}
	bool is_plain = !w.found || !text.len; /* not found: a broken file */
	buf_puts(&text, name);
	const char *whole = is_plain ? name : arena_strdup(d->arena, buf_str(&text));
	buf_free(&text);
	return whole;
}
