/*
 * dwarf_inline.c - the source of an address: its line, and the calls that were inlined around it.
 *
 * A unit is read once, when the first address in it is asked for: its functions and their inlined copies become
 * spans of code, sorted and nested, so that an address is found by halving.
 */
#include "debuginfo/dwarf_internal.h"

#include <stdlib.h>

enum {
	MAX_RANGES = 4096,    /* of one entry */
	MAX_SPANS = 1 << 23, /* of one unit */
	NO_SPAN = UINT32_MAX
};

/* A function or one inlined copy of it. */
struct code {
	Dwarf_Die die;
	const char *name; /* read when it is first asked for */
	uint32_t call_file, call_line; /* where it was inlined: numbers of the unit's line table */
	bool is_inlined, is_named;
};
struct span {
	uint64_t low, high;
	uint32_t code, parent; /* the span around this one, or NO_SPAN */
};
struct unit_code {
	Dwarf_Die cu;
	VEC(struct code) code;
	VEC(struct span) span; /* by low; the outer one first */
	Dwarf_Files *files;
	size_t nfiles;
};
struct dwarf_code {
	struct numtab paths; /* whole paths by the text in the debug information */
	struct numtab names; /* of functions that no linker knows, by the address of their entry */
	struct numtab units; /* struct unit_code by where the unit begins, + 1 */
};

/* --- a unit's code ------------------------------------------------------------------------------------------ */

struct code_walk {
	struct unit_code *ret;
	unsigned depth;
	uint64_t left; /* entries that may still be looked at: a unit has no more than it has bytes */
};

static void add_code(struct unit_code *c, Dwarf_Die *die, bool is_inlined)
{
	struct code one = {.die = *die, .is_inlined = is_inlined};
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	uint64_t v;
	bool any = false;
	for (unsigned k = 0; k < MAX_RANGES && (at = dwarf_ranges(die, at, &base, &low, &high)) > 0; k++) {
		if (!dwarf_is_code(low, high) || c->span.len >= MAX_SPANS)
			continue;
		vec_push(&c->span, ((struct span){low, high, (uint32_t)c->code.len, NO_SPAN}));
		any = true;
	}
	if (!any)
		return;
	if (is_inlined) {
		one.call_file = die_uint(die, DW_AT_call_file, &v) && v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
		one.call_line = die_uint(die, DW_AT_call_line, &v) && v < UINT32_MAX ? (uint32_t)v : 0;
	}
	vec_push(&c->code, one);
}

/* Functions stand in scopes, inlined copies in functions and their blocks. */
static bool visit(void *arg, Dwarf_Die *child)
{
	struct code_walk *w = arg;
	int tag = dwarf_tag(child);
	bool is_func = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
	if (!w->left)
		return false;
	w->left--;
	if (is_func)
		add_code(w->ret, child, tag == DW_TAG_inlined_subroutine);
	if ((is_func || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block ||
	     die_is_scope(tag)) && w->depth < DWARF_MAX_DEPTH) {
		w->depth++;
		die_each_child(child, visit, w);
		w->depth--;
	}
	return true;
}

/* The outer one first: the longer, or of two alike the one that was met before. */
static int outer_first(const void *x, const void *y)
{
	const struct span *a = x, *b = y;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->high != b->high)
		return a->high > b->high ? -1 : 1;
	return (a->code > b->code) - (a->code < b->code);
}

static void nest(struct unit_code *c)
{
	uint32_t around = NO_SPAN;
	if (c->span.len)
		qsort(c->span.at, c->span.len, sizeof(*c->span.at), outer_first);
	for (uint32_t i = 0; i < c->span.len; i++) {
		while (around != NO_SPAN && c->span.at[around].high <= c->span.at[i].low)
			around = c->span.at[around].parent;
		c->span.at[i].parent = around;
		around = i;
	}
}

static void read_unit(struct dwarf *d, const struct dwarf_unit *u, struct unit_code *ret)
{
	Dwarf_Die die = u->die;
	size_t all_bytes;
	const uint8_t *bytes = dwarf_section(d, ".debug_info", &all_bytes);
	struct code_walk w = {.ret = ret, .left = die.addr == u->cu.addr && bytes ? all_bytes : UINT32_MAX};
	die_each_child(&die, visit, &w);
	nest(ret);
	ret->cu = u->cu;
	if (dwarf_getsrcfiles(&ret->cu, &ret->files, &ret->nfiles))
		ret->nfiles = 0;
}

/* The unit around pc; NULL: none says that it has code there. */
static struct unit_code *unit_around(struct dwarf *d, uint64_t pc)
{
	struct dwarf_unit u;
	uint64_t begin;
	if (!d->code)
		d->code = xcalloc(1, sizeof(*d->code));
	if (!dwarf_ranges_find(d, pc, &begin))
		return NULL;
	struct unit_code *c = numtab_get(&d->code->units, begin + 1);
	if (!c && dwarf_unit_from(d, begin, &u)) {
		c = xcalloc(1, sizeof(*c));
		read_unit(d, &u, c);
		numtab_set(&d->code->units, begin + 1, c);
	}
	return c;
}

void dwarf_code_free(struct dwarf *d)
{
	if (!d->code)
		return;
	vec_each(e, &d->code->units.entry) {
		struct unit_code *c = e->value;
		vec_free(&c->code);
		vec_free(&c->span);
		base_free(c);
	}
	numtab_free(&d->code->units);
	numtab_free(&d->code->names);
	numtab_free(&d->code->paths);
	base_free(d->code);
	d->code = NULL;
}

/* --- files ---------------------------------------------------------------------------------------------------- */

/* Takes "./" and "x/../" out, in place. */
static void shorten(char *path)
{
	char *out = path;
	for (const char *s = path; *s;) {
		size_t n = strcspn(s, "/");
		const char *next = s + n + (s[n] == '/');
		char *back = out > path + 1 ? memrchr(path, '/', (size_t)(out - path) - 1) : NULL;
		back = back ? back + 1 : path;
		if (n == 2 && !memcmp(s, "..", 2) && back < out && strncmp(back, "../", 3) && *back != '/') {
			out = back;
		} else if (n != 1 || *s != '.') {
			memmove(out, s, (size_t)(next - s));
			out += next - s;
		}
		s = next;
	}
	*out = 0;
}

/* With the folder that it was compiled in; the same pointer gives the same one. */
static const char *whole_path(struct dwarf *d, Dwarf_Die *cu, const char *file)
{
	if (!file)
		return NULL;
	struct numtab *known = &d->code->paths;
	char *path = numtab_get(known, (uintptr_t)file);
	if (!path) {
		Dwarf_Attribute a;
		const char *dir = *file != '/' && die_attr(cu, DW_AT_comp_dir, &a) ? dwarf_formstring(&a) : NULL;
		path = dir ? arena_printf(d->arena, "%s/%s", dir, file) : arena_strdup(d->arena, file);
		shorten(path);
		numtab_set(known, (uintptr_t)file, path);
	}
	return path;
}

/* --- an address ----------------------------------------------------------------------------------------------- */

/* The innermost span around pc. */
static uint32_t find_span(const struct unit_code *c, uint64_t pc)
{
	size_t low = 0, high = c->span.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (c->span.at[mid].low <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	uint32_t at = low ? (uint32_t)low - 1 : NO_SPAN;
	while (at != NO_SPAN && c->span.at[at].high <= pc)
		at = c->span.at[at].parent;
	return at;
}

/* As the linker knows it, else with what it stands in: copies of one function share that. */
static const char *name_of(struct dwarf *d, struct code *c)
{
	Dwarf_Attribute a;
	if (c->is_named)
		return c->name;
	c->is_named = true;
	if (die_attr(&c->die, DW_AT_linkage_name, &a) || die_attr(&c->die, DW_AT_MIPS_linkage_name, &a))
		c->name = dwarf_formstring(&a);
	if (c->name)
		return c->name;
	uint64_t origin = (uintptr_t)die_origin(&c->die).addr;
	c->name = numtab_get(&d->code->names, origin);
	if (!c->name) {
		c->name = dwarf_scoped_name(d, &c->die);
		numtab_set(&d->code->names, origin, (void *)c->name);
	}
	return c->name;
}

unsigned dwarf_sites_at(struct dwarf *d, uint64_t pc, struct dwarf_site *ret, unsigned max)
{
	unsigned n = 0;
	struct unit_code *c = unit_around(d, pc);
	if (!c)
		return 0;
	Dwarf_Die cu = c->cu;
	Dwarf_Line *row = dwarf_getsrc_die(&cu, pc);
	int line = 0;
	const char *file = row ? dwarf_linesrc(row, NULL, NULL) : NULL;
	if (row)
		dwarf_lineno(row, &line);
	struct dwarf_site s = {.file = whole_path(d, &cu, file), .line = line > 0 ? (uint32_t)line : 0};
	for (uint32_t at = find_span(c, pc); at != NO_SPAN && n < max; at = c->span.at[at].parent) {
		struct code *code = &c->code.at[c->span.at[at].code];
		if (c->span.at[at].high <= pc) /* spans that overlap: a broken file */
			continue;
		s.function = name_of(d, code);
		s.entry = c->span.at[at].low;
		s.is_inlined = code->is_inlined;
		ret[n++] = s;
		if (!code->is_inlined)
			return n;
		file = code->call_file < c->nfiles ? dwarf_filesrc(c->files, code->call_file, NULL, NULL) : NULL;
		s.file = whole_path(d, &cu, file);
		s.line = code->call_line;
	}
	if (n < max && (s.file || n)) /* assembly: a line without a function */
		ret[n++] = (struct dwarf_site){.file = s.file, .line = s.line};
	return n;
}
