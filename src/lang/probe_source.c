/*
 * probe_source.c - places that debug information knows: functions with their inlined copies, source lines, labels.
 */
#include "lang/probe_internal.h"

#include <fnmatch.h>
#include <stdlib.h>

static bool is_glob(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}

static bool file_matches(const char *pattern, const char *path)
{
	if (!pattern)
		return true;
	if (!path)
		return false;
	_cleanup_free_ char *below = xasprintf("*/%s", pattern);
	return !fnmatch(pattern, path, 0) || !fnmatch(below, path, 0);
}

static bool name_matches(const char *pattern, const struct dwarf_func *f)
{
	if (!pattern || !strcmp(pattern, "*"))
		return true;
	if (!fnmatch(pattern, f->name, 0) || !fnmatch(pattern, f->linkage, 0))
		return true;
	_cleanup_free_ char *text = strstr(pattern, "::") ? demangle(f->linkage) : NULL;
	char *paren = text ? strrchr(text, '(') : NULL;
	if (paren)
		*paren = 0;
	return text && !fnmatch(pattern, text, 0);
}

/* --- one place ----------------------------------------------------------------------------------------------- */

struct attach_point *source_add(struct source_search *s, const struct dwarf_func *f, uint64_t pc, const char *name)
{
	const uint64_t KERNEL = 1ull << 63; /* sections that are not in memory lie lower */
	struct expansion *x = s->x;
	uint64_t offset = 0;
	bool is_there = s->is_kernel ? pc >= KERNEL && (pc < s->init_from || pc >= s->init_to)
				     : elf_offset_of(s->file, pc, &offset);
	if (!is_there)
		return NULL;
	struct attach_point *p = expansion_add(x, "%s", name);
	p->target = s->is_kernel && !strcmp(s->path, "vmlinux") ? NULL : s->path;
	p->func = f->name;
	p->offset = offset;
	p->address = pc + s->bias;
	p->entry = pc;
	p->is_pie = !s->is_kernel && elf_is_pie(s->file);
	p->func_id = f->id;
	p->is_inlined = f->is_inlined;
	if (!p->pid && !s->is_kernel)
		p->pid = x->world->pid;
	return p;
}

void probe_move_to_body(struct world *w, struct attach_point *p)
{
	struct elf_file *f;
	uint64_t offset;
	struct dwarf *d = p->kind == PK_UPROBE && p->is_entry && p->func_id ? probe_dwarf(w, p, NULL) : NULL;
	uint64_t body = d ? dwarf_body(d, p->func_id) : 0;
	struct err *e = body && body != p->address ? elf_open(w, p->target, &f) : err_new(0, "nothing to do");
	if (!e && elf_offset_of(f, body, &offset)) {
		p->address = p->entry = body;
		p->offset = offset;
		p->is_entry = false;
	}
	err_free(e);
}

void probe_declaration(struct world *w, struct attach_point *p, struct arena *a)
{
	struct dwarf *d = p->func_id && !p->file ? probe_dwarf(w, p, NULL) : NULL;
	if (d)
		dwarf_declaration(d, p->func_id, a, &p->file, &p->line);
}

/* --- functions -------------------------------------------------------------------------------------------------- */

static void note_func(void *arg, const struct dwarf_func *f)
{
	struct source_search *s = arg;
	const char *file = NULL;
	uint32_t line;
	if (s->x->spec->file)
		dwarf_declaration(s->d, f->id, s->x->arena, &file, &line);
	if (file_matches(s->x->spec->file, file))
		vec_push(&s->func, *f);
}

static int by_entry(const void *a, const void *b)
{
	const struct dwarf_func *f = a, *g = b;
	return f->entry != g->entry ? (f->entry < g->entry ? -1 : 1) : (f->id > g->id) - (f->id < g->id);
}

static void find_functions(struct source_search *s, unsigned what)
{
	const struct probe_spec *spec = s->x->spec;
	dwarf_functions(s->d, spec->func ? spec->func : "*", what, s->x->arena, note_func, s);
	if (s->func.len)
		qsort(s->func.at, s->func.len, sizeof(*s->func.at), by_entry);
}

static void add_functions(struct source_search *s)
{
	bool is_return = s->x->kind->is_return;
	for (size_t i = 0; i < s->func.len; i++) {
		const struct dwarf_func *f = &s->func.at[i];
		bool again = i && s->func.at[i - 1].entry == f->entry && !strcmp(s->func.at[i - 1].name, f->name);
		if (again || (is_return && f->is_inlined))
			continue;
		_cleanup_free_ char *name = xasprintf("%s:%s", s->path, f->name);
		struct attach_point *p = source_add(s, f, f->entry, name);
		if (!p)
			continue;
		p->is_entry = !f->is_inlined;
	}
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void note_line(void *arg, const struct dwarf_line *l)
{
	struct source_search *s = arg;
	if (!s->x->spec->col || s->x->spec->col == l->col)
		vec_push(&s->line, *l);
}

struct statement {
	struct dwarf_func func;
	struct dwarf_line line;
};
struct statements {
	VEC(struct statement) list;
};

/*
 * Of each function (or inlined copy) and line the lowest address: the compiler may scatter a line's code, but a program that
 * passes the line once should be counted once.
 */
static void keep_lowest(struct statements *all, const struct dwarf_func *f, const struct dwarf_line *l)
{
	vec_each(it, &all->list)
		if (it->func.id == f->id && it->line.line == l->line) {
			if (l->pc < it->line.pc)
				it->line = *l;
			return;
		}
	vec_push(&all->list, (struct statement){*f, *l});
}

static bool is_wanted(struct source_search *s, const struct dwarf_func *f)
{
	if (!s->func.len)
		return name_matches(s->x->spec->func, f);
	vec_each(it, &s->func)
		if (it->id == f->id)
			return true;
	return false;
}

static void statements_of_lines(struct source_search *s, const char *file, uint32_t first, uint32_t last, struct statements *all)
{
	s->line.len = 0;
	dwarf_lines(s->d, file, first, last, note_line, s);
	for (size_t i = 0; i < s->line.len; i++) {
		struct dwarf_func f;
		if (dwarf_function_of_line(s->d, &s->line.at[i], s->x->arena, &f) && is_wanted(s, &f))
			keep_lowest(all, &f, &s->line.at[i]);
	}
}

/* Lines counted from a function's declaration, in that function only. */
static void statements_of_function(struct source_search *s, const struct dwarf_func *f, struct statements *all)
{
	const struct probe_spec *spec = s->x->spec;
	const char *file;
	uint32_t decl;
	dwarf_declaration(s->d, f->id, s->x->arena, &file, &decl);
	uint32_t base = spec->relative_lines ? decl : 0, first = base + spec->line,
		 last = spec->all_lines && !spec->last_line ? UINT32_MAX : base + MAX(spec->last_line, spec->line);
	if (!file)
		return;
	s->line.len = 0;
	dwarf_lines(s->d, file, first, last, note_line, s);
	for (size_t i = 0; i < s->line.len; i++) {
		struct dwarf_func at;
		if (dwarf_function_of_line(s->d, &s->line.at[i], s->x->arena, &at) && at.id == f->id)
			keep_lowest(all, &at, &s->line.at[i]);
	}
}

/* Keeps of each function the line nearest to the wanted one; of two at the same distance the later. */
static void keep_nearest(struct statements *all, uint32_t want)
{
	size_t n = 0;
	for (size_t i = 0; i < all->list.len; i++) {
		struct statement *it = &all->list.at[i], *kept = NULL;
		uint32_t far = it->line.line > want ? it->line.line - want : want - it->line.line;
		for (size_t k = 0; k < n && !kept; k++)
			if (all->list.at[k].func.id == it->func.id)
				kept = &all->list.at[k];
		if (!kept) {
			all->list.at[n++] = *it;
			continue;
		}
		uint32_t old = kept->line.line > want ? kept->line.line - want : want - kept->line.line;
		if (far < old || (far == old && it->line.line > kept->line.line))
			*kept = *it;
	}
	all->list.len = n;
}

static int by_place(const void *a, const void *b)
{
	const struct statement *x = a, *y = b;
	return x->line.line != y->line.line ? (x->line.line < y->line.line ? -1 : 1)
					    : (x->line.pc > y->line.pc) - (x->line.pc < y->line.pc);
}

static void add_statements(struct source_search *s, struct statements *all)
{
	const struct probe_spec *spec = s->x->spec;
	if (all->list.len)
		qsort(all->list.at, all->list.len, sizeof(*all->list.at), by_place);
	vec_each(it, &all->list) {
		const char *file = spec->file ? spec->file : it->line.file;
		_cleanup_free_ char *column = spec->col ? xasprintf(":%u", spec->col) : xstrdup("");
		_cleanup_free_ char *name = xasprintf("%s@%s:%u%s", s->path, file, it->line.line, column);
		struct attach_point *p = source_add(s, &it->func, it->line.pc, name);
		if (!p)
			continue;
		p->file = arena_strdup(s->x->arena, it->line.file);
		p->line = it->line.line;
	}
}

static void note_column(void *arg, const struct dwarf_line *l)
{
	struct source_search *s = arg;
	for (size_t i = 0; i < s->line.len; i++)
		if (s->line.at[i].col == l->col)
			return;
	vec_push(&s->line, *l);
}

/* The columns of a line that has none at the one that is wanted; false: it has no code at all. */
static bool report_columns(struct source_search *s)
{
	const struct probe_spec *spec = s->x->spec;
	struct buf columns = {0};
	s->line.len = 0;
	if (spec->col && spec->file)
		dwarf_lines(s->d, spec->file, spec->line, spec->line, note_column, s);
	vec_each(l, &s->line)
		buf_printf(&columns, "%s%u", columns.len ? ", " : "", l->col);
	if (columns.len)
		expansion_error(s->x, "%s has no code for %s:%u at column %u; the line has some at %s", s->path, spec->file, spec->line, spec->col,
				buf_str(&columns));
	buf_free(&columns);
	return s->line.len;
}

/* Lines near a line without code. */
static void report(struct source_search *s)
{
	enum { FAR = 1000 };
	const struct probe_spec *spec = s->x->spec;
	uint32_t low = 0, high = 0, want = spec->line;
	if (report_columns(s))
		return;
	s->line.len = 0;
	if (spec->file)
		dwarf_lines(s->d, spec->file, want > FAR ? want - FAR : 1, want + FAR, note_line, s);
	vec_each(l, &s->line) {
		if (l->line < want && l->line > low)
			low = l->line;
		if (l->line > want && (!high || l->line < high))
			high = l->line;
	}
	const char *file = spec->file ? spec->file : "its source";
	if (low && high)
		expansion_error(s->x, "%s has no code for %s:%u; the nearest lines that have are %u and %u", s->path, file,
				want, low, high);
	else if (low || high)
		expansion_error(s->x, "%s has no code for %s:%u; the nearest line that has is %u", s->path, file, want,
				low ? low : high);
	else
		expansion_error(s->x, "%s has no code from %s", s->path, file);
}

/* Those of one line, or of one range; nothing there: of the nearest line, when that is wanted. */
static void statements_of(struct source_search *s, struct statements *ret)
{
	enum { NEAR = 5 };
	const struct probe_spec *spec = s->x->spec;
	struct statements all = {0};
	bool by_function = spec->relative_lines || spec->all_lines || !spec->file;
	if (by_function)
		vec_each(f, &s->func)
			statements_of_function(s, f, &all);
	else if (s->func.len || !spec->func || is_glob(spec->func))
		statements_of_lines(s, spec->file, spec->line, MAX(spec->last_line, spec->line), &all);
	if (!all.list.len && spec->nearest && spec->file) {
		statements_of_lines(s, spec->file, spec->line > NEAR ? spec->line - NEAR : 1, spec->line + NEAR, &all);
		keep_nearest(&all, spec->line);
	}
	vec_each(it, &all.list)
		keep_lowest(ret, &it->func, &it->line);
	vec_free(&all.list);
}

/* Each range of a list as if it were the only one. */
static void statements_of_ranges(struct source_search *s, struct statements *ret)
{
	struct expansion *whole = s->x, x = *whole;
	struct probe_spec one = *whole->spec;
	x.spec = &one;
	s->x = &x;
	for (uint32_t i = 0; i < whole->spec->nrange; i++) {
		one.line = one.range[i].first;
		one.last_line = one.range[i].last;
		one.all_lines = one.last_line != 0;
		statements_of(s, ret);
	}
	s->x = whole;
}

static void expand_lines(struct source_search *s)
{
	const struct probe_spec *spec = s->x->spec;
	struct statements all = {0};
	bool by_function = spec->relative_lines || spec->all_lines || !spec->file;
	size_t before = s->x->ret->list.len;
	if (by_function || (spec->func && strcmp(spec->func, "*") != 0))
		find_functions(s, DWARF_INLINED | DWARF_CONCRETE);
	if (spec->nrange)
		statements_of_ranges(s, &all);
	else
		statements_of(s, &all);
	add_statements(s, &all);
	if (s->x->ret->list.len == before)
		report(s);
	vec_free(&all.list);
}

/* --- labels -------------------------------------------------------------------------------------------------------- */

struct labels {
	struct source_search *s;
	const struct dwarf_func *f;
};

static void add_label(void *arg, const char *label, const char *file, uint32_t line, uint64_t pc)
{
	struct labels *l = arg;
	if (fnmatch(l->s->x->spec->label, label, 0))
		return;
	_cleanup_free_ char *name = xasprintf("%s:%s:%s", l->s->path, l->f->name, label);
	struct attach_point *p = source_add(l->s, l->f, pc, name);
	if (!p)
		return;
	p->label = label;
	p->file = file;
	p->line = line;
}

/* --- the door ------------------------------------------------------------------------------------------------------- */

/* false: nothing; *why says so. */
static bool expand_places(struct source_search *s, const char **why)
{
	struct expansion *x = s->x;
	const struct probe_spec *spec = x->spec;
	size_t before = x->ret->list.len;
	bool lines = spec->line || spec->all_lines || spec->relative_lines;
	if (spec->callee) {
		find_functions(s, DWARF_INLINED | DWARF_CONCRETE);
		source_add_callees(s);
	} else if (spec->label) {
		find_functions(s, DWARF_INLINED | DWARF_CONCRETE);
		vec_each(func, &s->func)
			dwarf_labels(s->d, func->id, x->arena, add_label, &(struct labels){s, func});
	} else if (lines || spec->statement || (spec->file && !spec->instances)) {
		expand_lines(s);
	} else {
		find_functions(s, spec->instances ? spec->instances : DWARF_INLINED | DWARF_CONCRETE);
		add_functions(s);
	}
	vec_free(&s->func);
	vec_free(&s->line);
	*why = "the debug information does not know it";
	/* a function without debug information may still have a symbol */
	return lines || spec->label || spec->callee || spec->file || x->ret->list.len > before;
}

bool expand_source(struct expansion *x, const char *path, struct elf_file *f, const char **why)
{
	struct source_search s = {.x = x, .path = path, .file = f, .d = elf_dwarf(f, why)};
	return s.d && expand_places(&s, why);
}

static uint64_t symbol_value(struct elf_file *f, const char *name)
{
	const struct elf_symbol *sym = elf_symbol_by_name(f, name);
	return sym ? sym->value : 0;
}

bool expand_kernel_source(struct expansion *x, bool remote, const char **why)
{
	const char *module = x->spec->target ? x->spec->target : "vmlinux";
	struct elf_file *f = kernel_debug_file(x->world, module, remote, why);
	struct source_search s = {.x = x, .path = module, .file = f, .is_kernel = true};
	s.d = f ? elf_dwarf(f, why) : NULL;
	if (!s.d)
		return false;
	if (!kernel_bias(x->world, module, &s.bias)) {
		*why = "the addresses of the kernel cannot be read in /proc/kallsyms";
		return false;
	}
	if (!strcmp(module, "vmlinux")) {
		s.init_from = symbol_value(f, "_sinittext");
		s.init_to = symbol_value(f, "_einittext");
	}
	return expand_places(&s, why);
}
