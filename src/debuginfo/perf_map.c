/* perf_map.c - names of code that a JIT compiler made. */
#include "debuginfo/perf_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct jit_symbol {
	uint64_t start, size;
	const char *name;
	size_t line; /* later lines replace earlier ones */
};

struct perf_map {
	char *path; /* NULL: text only */
	char *text;
	off_t size;                    /* when it was read */
	VEC(struct jit_symbol) symbol; /* sorted by start, the newest first among equals */
};

static int by_start(const void *x, const void *y)
{
	const struct jit_symbol *a = x, *b = y;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->line > b->line ? -1 : 1;
}

static void parse(struct perf_map *m)
{
	m->symbol.len = 0;
	char *save = NULL;
	for (char *s = strtok_r(m->text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		char *end;
		struct jit_symbol sym = {.start = strtoull(s, &end, 16), .line = m->symbol.len};
		if (end == s || *end != ' ')
			continue;
		s = end;
		sym.size = strtoull(s, &end, 16);
		if (end == s || *end != ' ' || !end[1])
			continue;
		sym.name = end + 1;
		vec_push(&m->symbol, sym);
	}
	if (m->symbol.len)
		qsort(m->symbol.at, m->symbol.len, sizeof(*m->symbol.at), by_start);
}

struct perf_map *perf_map_from_text(const char *text)
{
	struct perf_map *m = xcalloc(1, sizeof(*m));
	m->text = xstrdup(text);
	parse(m);
	return m;
}

/* "NSpid:	outer	inner": the last is what the process calls itself. */
static uint32_t inner_pid(uint32_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	_cleanup_free_ char *text = read_file(path, NULL);
	char *line = text ? strstr(text, "\nNSpid:") : NULL;
	if (!line)
		return pid;
	line[1 + strcspn(line + 1, "\n")] = 0;
	char *last = strrchr(line, '\t');
	return last ? (uint32_t)strtoul(last + 1, NULL, 10) : pid;
}

struct perf_map *perf_map_open(uint32_t pid, const char *root)
{
	struct perf_map *m = xcalloc(1, sizeof(*m));
	m->path = xasprintf("%s/tmp/perf-%u.map", root, inner_pid(pid));
	return m;
}

void perf_map_free(struct perf_map *m)
{
	if (!m)
		return;
	vec_free(&m->symbol);
	free(m->text);
	free(m->path);
	free(m);
}

static void refresh(struct perf_map *m)
{
	struct stat st;
	if (!m->path || stat(m->path, &st) || !S_ISREG(st.st_mode) || st.st_size == m->size)
		return;
	char *text = read_file(m->path, NULL);
	if (!text)
		return;
	m->size = st.st_size;
	free(m->text);
	m->text = text;
	parse(m);
}

const char *perf_map_find(struct perf_map *m, uint64_t addr, uint64_t *offset_ret)
{
	refresh(m);
	size_t low = 0, high = m->symbol.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (m->symbol.at[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	const struct jit_symbol *s = &m->symbol.at[low - 1];
	while (s > m->symbol.at && s[-1].start == s->start)
		s--; /* the newest */
	if (addr - s->start >= s->size)
		return NULL;
	*offset_ret = addr - s->start;
	return s->name;
}
