/* dwarf_line.c - source lines and addresses. */
#include "debuginfo/dwarf_internal.h"

#include <fnmatch.h>
#include <stdlib.h>

static void fill(Dwarf_Line *line, struct dwarf_line *ret)
{
	int n = 0, col = 0;
	Dwarf_Addr pc = 0;
	const char *file = dwarf_linesrc(line, NULL, NULL);
	dwarf_lineno(line, &n);
	dwarf_linecol(line, &col);
	dwarf_lineaddr(line, &pc);
	*ret = (struct dwarf_line){file ? file : "", n > 0 ? (uint32_t)n : 0, col > 0 ? (uint32_t)col : 0, pc};
}

bool dwarf_line_at(struct dwarf *d, uint64_t pc, struct dwarf_line *ret)
{
	const struct dwarf_unit *u = dwarf_unit_at(d, pc);
	Dwarf_Die cu = u ? u->cu : (Dwarf_Die){0};
	Dwarf_Line *line = u ? dwarf_getsrc_die(&cu, pc) : NULL;
	if (!line)
		return false;
	fill(line, ret);
	return true;
}

static bool file_matches(const char *pattern, const char *path)
{
	if (strpbrk(pattern, "*?[")) {
		_cleanup_free_ char *below = xasprintf("*/%s", pattern);
		return !fnmatch(pattern, path, 0) || !fnmatch(below, path, 0);
	}
	size_t n = strlen(path), m = strlen(pattern);
	return n >= m && !strcmp(path + n - m, pattern) && (n == m || path[n - m - 1] == '/');
}

/* --- units that mention the file ------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The unit's line program header, which names its files; not its length in bytes when something is odd. */
static const uint8_t *line_header(struct dwarf *d, const struct dwarf_unit *u, size_t *n)
{
	Dwarf_Die cu = u->cu;
	Dwarf_Attribute attr;
	Dwarf_Word at;
	size_t len;
	const uint8_t *data = dwarf_section(d, ".debug_line", &len);
	uint32_t unit, header;
	uint16_t version;
	*n = 0;
	if (!data || !dwarf_attr(&cu, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &at) || at > len || len - at < 16)
		return NULL;
	data += at;
	memcpy(&unit, data, 4);
	memcpy(&version, data + 4, 2);
	size_t skip = version >= 5 ? 8 : 6;
	memcpy(&header, data + skip, 4);
	if (unit >= 0xfffffff0) /* 64-bit DWARF: no short cut */
		return NULL;
	*n = MIN(len - at, skip + 4 + (size_t)header);
	return data;
}

enum { MAX_STRINGS = 64 };
struct file_needle {
	const char *base;
	uint32_t offset[MAX_STRINGS]; /* in .debug_line_str (or .debug_str) of paths that end in it */
	unsigned n;
	bool all;
};

static void find_paths(struct dwarf *d, const char *section, struct file_needle *f)
{
	size_t n, len = strlen(f->base) + 1;
	const uint8_t *data = dwarf_section(d, section, &n), *end = data ? data + n : NULL;
	for (const uint8_t *p = data; p && p < end && (p = memmem(p, (size_t)(end - p), f->base, len)); p++) {
		const uint8_t *start = p;
		if (p > data && p[-1] == '/') /* the path of a folder before it */
			while (start > data && start[-1])
				start--;
		if (f->n + 2 > MAX_STRINGS) {
			f->all = true;
			return;
		}
		/* the linker may let the name share the tail of a longer one */
		f->offset[f->n++] = (uint32_t)(p - data);
		if (start != p)
			f->offset[f->n++] = (uint32_t)(start - data);
	}
}

static bool header_has(const struct file_needle *f, const uint8_t *header, size_t n)
{
	if (f->all || !header || memmem(header, n, f->base, strlen(f->base) + 1))
		return true;
	for (unsigned i = 0; i < f->n; i++)
		if (memmem(header, n, &f->offset[i], 4))
			return true;
	return false;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

struct line_walk {
	const char *file;
	uint32_t first, last;
	void (*fn)(void *arg, const struct dwarf_line *l);
	void *arg;
	bool any; /* also records that are not the beginning of a statement */
	bool has_file; /* the unit has code of it */
	unsigned found;
};

static void walk_lines(const struct dwarf_unit *u, struct line_walk *w)
{
	Dwarf_Die cu = u->cu;
	Dwarf_Lines *lines;
	size_t n;
	if (dwarf_getsrclines(&cu, &lines, &n))
		return;
	const char *last_file = NULL;
	bool matches = false;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		bool statement = false, end = false;
		struct dwarf_line l;
		if (!line || dwarf_linebeginstatement(line, &statement) || dwarf_lineendsequence(line, &end) || end)
			continue;
		fill(line, &l);
		if (l.file != last_file) {
			last_file = l.file;
			matches = file_matches(w->file, l.file);
			w->has_file |= matches;
		}
		if (matches && l.line >= w->first && l.line <= w->last && (statement || w->any)) {
			w->found++;
			w->fn(w->arg, &l);
		}
	}
}

static void walk_units(struct dwarf *d, const struct file_needle *f, struct line_walk *w)
{
	struct dwarf_search s;
	dwarf_search_begin(&s, d, NULL, "l%s", w->file);
	for (const struct dwarf_unit *u; (u = dwarf_search_next(&s));) {
		size_t n = 0;
		const uint8_t *header = s.kept ? NULL : line_header(d, u, &n);
		if (!header_has(f, header, n))
			continue;
		w->has_file = false;
		walk_lines(u, w);
		if (w->has_file)
			dwarf_search_hit(&s);
	}
	dwarf_search_end(&s);
}

void dwarf_lines(struct dwarf *d, const char *file, uint32_t first, uint32_t last,
		 void (*fn)(void *arg, const struct dwarf_line *l), void *arg)
{
	struct line_walk w = {.file = file, .first = first, .last = last, .fn = fn, .arg = arg};
	struct file_needle f = {.base = base_name(file), .all = strpbrk(file, "*?[") != NULL};
	if (!f.all) {
		find_paths(d, ".debug_line_str", &f);
		find_paths(d, ".debug_str", &f);
	}
	/* a line that begins no statement has code all the same */
	for (unsigned pass = 0; pass < 2 && !w.found; pass++, w.any = true)
		walk_units(d, &f, &w);
}
