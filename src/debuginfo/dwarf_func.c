/* dwarf_func.c - functions by name and by address, their inlined copies, labels and callees. */
#include "debuginfo/dwarf_internal.h"

#include <fnmatch.h>
#include <stdlib.h>

static uint32_t hand_out(struct dwarf *d, Dwarf_Die *die)
{
	uintptr_t id = (uintptr_t)numtab_get(&d->instance_id, (uint64_t)(uintptr_t)die->addr);
	if (!id) {
		vec_push(&d->instance, *die);
		id = d->instance.len;
		numtab_set(&d->instance_id, (uint64_t)(uintptr_t)die->addr, (void *)id);
	}
	return (uint32_t)id;
}

/* --- one instance ----------------------------------------------------------------------------------------------- */

/* Does the function keep its variables in its frame all the time, as unoptimised code does? */
static bool find_list(void *arg, Dwarf_Die *child)
{
	Dwarf_Attribute a;
	int tag = dwarf_tag(child);
	if ((tag == DW_TAG_formal_parameter || tag == DW_TAG_variable) && dwarf_attr(child, DW_AT_location, &a)) {
		unsigned form = dwarf_whatform(&a);
		*(bool *)arg = form == DW_FORM_exprloc || form == DW_FORM_block1 || form == DW_FORM_block;
		return *(bool *)arg;
	}
	return true;
}

static bool has_prologue(Dwarf_Die *die)
{
	bool simple = false;
	Dwarf_Die cu;
	Dwarf_Attribute a;
	die_each_child(die, find_list, &simple);
	const char *producer = simple && dwarf_diecu(die, &cu, NULL, NULL) && die_attr(&cu, DW_AT_producer, &a)
				       ? dwarf_formstring(&a)
				       : NULL;
	/* gcc says how it was called */
	const char *o = producer ? strstr(producer, " -O") : NULL;
	return simple && !(o && o[3] != '0' && o[3] != 'g');
}

/* The end of the prologue as the line table marks it, else the second line record of the function. */
static uint64_t body_of(struct dwarf *d, Dwarf_Die *die, uint64_t entry)
{
	const struct dwarf_unit *u = dwarf_unit_at(d, entry);
	Dwarf_Addr high;
	Dwarf_Lines *lines;
	size_t n;
	Dwarf_Die cu = u ? u->cu : (Dwarf_Die){0};
	if (!u || dwarf_highpc(die, &high) || dwarf_getsrclines(&cu, &lines, &n))
		return entry;
	uint64_t second = 0;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		Dwarf_Addr pc;
		bool is_end = false, is_sequence = false;
		if (!line || dwarf_lineaddr(line, &pc) || pc < entry || pc >= high)
			continue;
		dwarf_lineprologueend(line, &is_end);
		dwarf_lineendsequence(line, &is_sequence);
		if (is_end)
			return pc;
		if (pc > entry && !is_sequence && (!second || pc < second))
			second = pc;
	}
	return second ? second : entry;
}

/* By hand: dwarf_decl_file() asserts that a split unit has a line table of its own.  `attr` is of `die`, or of its origin. */
static const char *named_file(struct dwarf *d, Dwarf_Die *die, unsigned attr, struct arena *a)
{
	Dwarf_Die cu, origin = attr == DW_AT_decl_file ? die_origin(die) : *die;
	Dwarf_Files *files;
	uint64_t index;
	size_t n;
	if (!die_uint(die, attr, &index) || !dwarf_diecu(&origin, &cu, NULL, NULL))
		return NULL;
	uintptr_t unit = (uintptr_t)numtab_get(&d->unit_by_die, (uint64_t)(uintptr_t)cu.addr);
	if (unit)
		cu = d->unit.at[unit - 1].cu;
	if (dwarf_getsrcfiles(&cu, &files, &n) || index >= n)
		return NULL;
	const char *file = dwarf_filesrc(files, index, NULL, NULL);
	return file ? arena_strdup(a, file) : NULL;
}

static const char *decl_file(struct dwarf *d, Dwarf_Die *die, struct arena *a)
{
	return named_file(d, die, DW_AT_decl_file, a);
}

static bool entry_of(Dwarf_Die *die, uint64_t *ret)
{
	enum { MAX_RANGES = 256 };
	Dwarf_Addr pc, base, start, end;
	uint64_t low = UINT64_MAX;
	ptrdiff_t at = 0;
	if (dwarf_entrypc(die, &pc) == 0) {
		*ret = pc;
		return true;
	}
	/* DWARF 5, 2.17: without an address of its own an entry starts where its first range does; for a function that is not
	   the lowest when its cold part lies before it */
	bool first_is_entry = dwarf_tag(die) == DW_TAG_subprogram;
	for (unsigned i = 0; i < MAX_RANGES && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0; i++)
		if (start < end && start < low && !(first_is_entry && low != UINT64_MAX))
			low = start;
	*ret = low;
	return low != UINT64_MAX;
}

static bool describe(struct dwarf *d, Dwarf_Die *die, struct arena *a, struct dwarf_func *ret)
{
	Dwarf_Attribute attr;
	const char *name = die_name(die), *linkage = NULL;
	*ret = (struct dwarf_func){.is_inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine};
	if (!name || !entry_of(die, &ret->entry) || !ret->entry)
		return false;
	if (die_attr(die, DW_AT_linkage_name, &attr) || die_attr(die, DW_AT_MIPS_linkage_name, &attr))
		linkage = dwarf_formstring(&attr);
	ret->name = arena_strdup(a, name);
	ret->linkage = linkage ? arena_strdup(a, linkage) : ret->name;
	ret->is_external = die_flag(die, DW_AT_external);
	ret->id = hand_out(d, die);
	return true;
}

static Dwarf_Die instance_of(const struct dwarf *d, uint32_t id)
{
	return id && id <= d->instance.len ? d->instance.at[id - 1] : (Dwarf_Die){0};
}

void dwarf_declaration(struct dwarf *d, uint32_t id, struct arena *a, const char **file, uint32_t *line)
{
	Dwarf_Die die = instance_of(d, id);
	int n = 0;
	*file = NULL;
	*line = 0;
	if (!die.addr)
		return;
	*file = decl_file(d, &die, a);
	if (dwarf_decl_line(&die, &n) == 0 && n > 0)
		*line = (uint32_t)n;
}

uint64_t dwarf_body(struct dwarf *d, uint32_t id)
{
	Dwarf_Die die = instance_of(d, id);
	uint64_t entry = 0;
	if (!die.addr || !entry_of(&die, &entry))
		return entry;
	return dwarf_tag(&die) == DW_TAG_subprogram && has_prologue(&die) ? body_of(d, &die, entry) : entry;
}

uint64_t dwarf_body_of(struct dwarf *d, Dwarf_Die *func)
{
	uint64_t entry = 0;
	return entry_of(func, &entry) ? body_of(d, func, entry) : 0;
}

/* --- by name ------------------------------------------------------------------------------------------------------- */

struct func_walk {
	struct dwarf *d;
	const char *pattern;
	bool is_pattern, is_qualified, found;
	unsigned what, depth;
	struct arena *a;
	void (*fn)(void *arg, const struct dwarf_func *f);
	void *arg;
	struct dwarf_search *search;
};

static bool text_matches(const struct func_walk *w, const char *text)
{
	return text && (w->is_pattern ? !fnmatch(w->pattern, text, 0) : !strcmp(w->pattern, text));
}

/* By its plain name, its linkage name, or with the namespaces around it. */
static bool name_matches(const struct func_walk *w, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	if (text_matches(w, die_name(die)))
		return true;
	const char *linkage = die_attr(die, DW_AT_linkage_name, &attr) ? dwarf_formstring(&attr) : NULL;
	if (!linkage)
		return false;
	if (text_matches(w, linkage))
		return true;
	_cleanup_free_ char *text = w->is_qualified ? demangle(linkage) : NULL;
	char *paren = text ? strrchr(text, '(') : NULL;
	if (paren && paren > text)
		*paren = 0;
	return text_matches(w, text);
}

static bool visit_code(void *arg, Dwarf_Die *child)
{
	struct func_walk *w = arg;
	int tag = dwarf_tag(child);
	struct dwarf_func f;
	bool is_concrete = tag == DW_TAG_subprogram, is_inlined = tag == DW_TAG_inlined_subroutine;
	bool wanted = (is_concrete && (w->what & DWARF_CONCRETE)) || (is_inlined && (w->what & DWARF_INLINED));
	bool named = (wanted || is_concrete) && name_matches(w, child);
	if (named && !describe(w->d, child, w->a, &f)) {
		if (is_concrete)
			dwarf_search_ref(w->search, dwarf_dieoffset(child)); /* no code here, perhaps elsewhere */
	} else if (named && wanted && (f.is_external || !(w->what & DWARF_EXTERNAL_ONLY))) {
		w->found = true;
		w->fn(w->arg, &f);
	}
	/* inlined copies are in functions and their blocks, functions in namespaces and classes */
	bool is_code = is_concrete || is_inlined || tag == DW_TAG_lexical_block;
	bool inside = (is_code && (w->what & DWARF_INLINED)) || die_is_scope(tag);
	if (inside && w->depth < DWARF_MAX_DEPTH) {
		w->depth++;
		die_each_child(child, visit_code, w);
		w->depth--;
	}
	return true;
}

/* The last part of "a::b::f", which is what the entry is called. */
static const char *plain_name(const char *pattern)
{
	const char *last = pattern;
	for (const char *p = pattern; (p = strstr(p, "::")); p += 2)
		last = p + 2;
	return last;
}

void dwarf_functions(struct dwarf *d, const char *pattern, unsigned what, struct arena *a,
		     void (*fn)(void *arg, const struct dwarf_func *f), void *arg)
{
	struct func_walk w = {.d = d, .pattern = pattern, .what = what, .a = a, .fn = fn, .arg = arg};
	w.is_pattern = strpbrk(pattern, "*?[") != NULL;
	w.is_qualified = strstr(pattern, "::") != NULL;
	struct dwarf_search s;
	w.search = &s;
	dwarf_search_begin(&s, d, plain_name(pattern), "f%u %s", what, pattern);
	for (const struct dwarf_unit *u; (u = dwarf_search_next(&s));) {
		Dwarf_Die die = u->die;
		w.found = false;
		die_each_child(&die, visit_code, &w);
		if (w.found)
			dwarf_search_hit(&s);
	}
	dwarf_search_end(&s);
}

bool dwarf_function_at(struct dwarf *d, uint64_t pc, bool concrete, struct arena *a, struct dwarf_func *ret)
{
	struct dwarf_chain chain;
	dwarf_chain_at(d, pc, &chain);
	for (unsigned i = chain.n; i-- > 0;) {
		int tag = dwarf_tag(&chain.at[i]);
		if (tag == DW_TAG_subprogram || (!concrete && tag == DW_TAG_inlined_subroutine))
			return describe(d, &chain.at[i], a, ret);
	}
	return false;
}

/* Was this copy put in by a call that stands on the line? */
static bool is_called_at(struct dwarf *d, Dwarf_Die *copy, const struct dwarf_line *l, struct arena *a)
{
	uint64_t line;
	if (dwarf_tag(copy) != DW_TAG_inlined_subroutine || !die_uint(copy, DW_AT_call_line, &line) || line != l->line)
		return false;
	const char *file = named_file(d, copy, DW_AT_call_file, a);
	return file && !strcmp(file, l->file);
}

bool dwarf_function_of_line(struct dwarf *d, const struct dwarf_line *l, struct arena *a, struct dwarf_func *ret)
{
	struct dwarf_chain chain;
	dwarf_chain_at(d, l->pc, &chain);
	int found = -1;
	for (unsigned i = 0; i < chain.n; i++) {
		int tag = dwarf_tag(&chain.at[i]);
		if (found >= 0 && is_called_at(d, &chain.at[i], l, a))
			break;
		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
			found = (int)i;
	}
	return found >= 0 && describe(d, &chain.at[found], a, ret);
}

/* --- inside of a function -------------------------------------------------------------------------------------------- */

struct inside {
	struct dwarf *d;
	struct arena *a;
	void (*label)(void *arg, const char *name, const char *file, uint32_t line, uint64_t pc);
	void (*callee)(void *arg, const struct dwarf_func *f);
	void *arg;
	unsigned depth;
};

/* DWARF 5 names the address; older gcc's entries have it as theirs. */
static uint64_t return_pc(Dwarf_Die *site)
{
	Dwarf_Attribute attr;
	Dwarf_Addr pc = 0;
	if (die_flag(site, DW_AT_call_tail_call) || die_flag(site, DW_AT_GNU_tail_call))
		return 0;
	if (!dwarf_attr(site, DW_AT_call_return_pc, &attr) || dwarf_formaddr(&attr, &pc))
		dwarf_lowpc(site, &pc);
	return pc;
}

static void found_call(struct inside *s, Dwarf_Die *site)
{
	Dwarf_Die to;
	struct dwarf_func f;
	bool known = die_ref(site, DW_AT_call_origin, &to) || die_ref(site, DW_AT_abstract_origin, &to);
	const char *name = known ? die_name(&to) : NULL;
	if (!name)
		return;
	if (!describe(s->d, &to, s->a, &f)) {
		/* a declaration: the function is in another unit or file */
		Dwarf_Attribute attr;
		const char *linkage = die_attr(&to, DW_AT_linkage_name, &attr) ? dwarf_formstring(&attr) : NULL;
		f = (struct dwarf_func){.name = arena_strdup(s->a, name), .linkage = arena_strdup(s->a, linkage ? linkage : name)};
	}
	f.return_pc = return_pc(site);
	s->callee(s->arg, &f);
}

static bool visit_inside(void *arg, Dwarf_Die *child)
{
	struct inside *s = arg;
	int tag = dwarf_tag(child), line = 0;
	Dwarf_Addr pc;
	struct dwarf_func f;
	if (tag == DW_TAG_label && s->label && dwarf_lowpc(child, &pc) == 0) {
		const char *name = die_name(child), *file = decl_file(s->d, child, s->a);
		dwarf_decl_line(child, &line);
		if (name)
			s->label(s->arg, arena_strdup(s->a, name), file ? file : "", line > 0 ? (uint32_t)line : 0, pc);
	}
	if (tag == DW_TAG_inlined_subroutine && s->callee && describe(s->d, child, s->a, &f))
		s->callee(s->arg, &f);
	if ((tag == DW_TAG_call_site || tag == DW_TAG_GNU_call_site) && s->callee)
		found_call(s, child);
	if (tag == DW_TAG_lexical_block && s->depth < DWARF_MAX_DEPTH) {
		s->depth++;
		die_each_child(child, visit_inside, s);
		s->depth--;
	}
	return true;
}

void dwarf_labels(struct dwarf *d, uint32_t id, struct arena *a,
		  void (*fn)(void *arg, const char *name, const char *file, uint32_t line, uint64_t pc), void *arg)
{
	struct inside s = {.d = d, .a = a, .label = fn, .arg = arg};
	Dwarf_Die die = instance_of(d, id);
	die_each_child(&die, visit_inside, &s);
}

void dwarf_callees(struct dwarf *d, uint32_t id, struct arena *a, void (*fn)(void *arg, const struct dwarf_func *f), void *arg)
{
	struct inside s = {.d = d, .a = a, .callee = fn, .arg = arg};
	Dwarf_Die die = instance_of(d, id);
	die_each_child(&die, visit_inside, &s);
}
