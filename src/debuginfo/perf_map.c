/* perf_map.c - names of code that a JIT compiler made. */
#include "debuginfo/perf_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_BYTES = 512 << 20,	       /* of a map: what is behind is not read */
	AGAIN_NS = 50 * 1000 * 1000, /* between two looks at a file that grows */
	MAX_BACK = 64
};

struct jit_symbol {
	uint64_t start, size;
	const char *name;
	size_t line; /* later lines replace earlier ones */
};

struct perf_map {
	char *path; /* NULL: text only */
	uint32_t pid;
	int fd;
	bool is_refused;
	uint64_t looked_ns;
	off_t size;		       /* read so far, whole lines */
	struct arena *arena;	       /* names */
	VEC(struct jit_symbol) symbol; /* sorted by start, the newest first among equals */
	size_t nlines;
};

static int by_start(const void *x, const void *y)
{
	const struct jit_symbol *a = x, *b = y;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->line > b->line ? -1 : 1;
}

static bool parse_line(char *s, struct jit_symbol *ret)
{
	char *end;
	*ret = (struct jit_symbol){.start = strtoull(s, &end, 16)};
	if (end == s || *end != ' ')
		return false;
	s = end;
	ret->size = strtoull(s, &end, 16);
	if (end == s || *end != ' ' || !end[1])
		return false;
	ret->name = end + 1;
	return true;
}

/* The two sorted parts [0, old) and [old, n) become one. */
static void merge(struct perf_map *m, size_t old)
{
	size_t n = m->symbol.len, i = 0, j = old;
	struct jit_symbol *all = n > old && old ? xcalloc(n, sizeof(*all)) : NULL;
	if (!all)
		return;
	for (size_t k = 0; k < n; k++)
		all[k] = j == n || (i < old && by_start(&m->symbol.at[i], &m->symbol.at[j]) < 0) ? m->symbol.at[i++]
												 : m->symbol.at[j++];
	memcpy(m->symbol.at, all, n * sizeof(*all));
	free(all);
}

/* Adds the lines of a text that the arena owns. */
static void parse(struct perf_map *m, char *text)
{
	size_t old = m->symbol.len;
	char *save = NULL;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		struct jit_symbol sym;
		if (!parse_line(s, &sym))
			continue;
		sym.line = m->nlines++;
		vec_push(&m->symbol, sym);
	}
	if (m->symbol.len > old)
		qsort(m->symbol.at + old, m->symbol.len - old, sizeof(*m->symbol.at), by_start);
	merge(m, old);
}

struct perf_map *perf_map_from_text(const char *text)
{
	struct perf_map *m = xcalloc(1, sizeof(*m));
	m->fd = -1;
	m->arena = arena_create();
	parse(m, arena_strdup(m->arena, text));
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
	struct perf_map *m = perf_map_from_text("");
	m->pid = pid;
	m->path = xasprintf("%s/tmp/perf-%u.map", root, inner_pid(pid));
	return m;
}

void perf_map_free(struct perf_map *m)
{
	if (!m)
		return;
	if (m->fd >= 0)
		close(m->fd);
	vec_free(&m->symbol);
	arena_destroy(m->arena);
	free(m->path);
	free(m);
}

/* Another user could put a file of that name into /tmp: it must be the process's own, root's or ours. */
static bool is_owned_well(const struct perf_map *m, const struct stat *file)
{
	struct stat process;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%u", m->pid);
	if (!file->st_uid || file->st_uid == geteuid() || stat(path, &process))
		return true;
	return process.st_uid == file->st_uid;
}

/* Kept open: a process that has gone takes its folder with it when that was in a mount namespace of its own. */
static bool open_file(struct perf_map *m)
{
	struct stat st;
	if (m->fd >= 0)
		return true;
	m->fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (m->fd < 0)
		return false;
	m->is_refused = fstat(m->fd, &st) || !S_ISREG(st.st_mode) || !is_owned_well(m, &st);
	return true;
}

void perf_map_keep(struct perf_map *m)
{
	if (m->path)
		open_file(m);
}

/* A file that was written anew: nothing of the old one holds. */
static void start_over(struct perf_map *m, bool reopen)
{
	m->symbol.len = 0;
	m->size = 0;
	if (reopen) {
		close(m->fd);
		m->fd = -1;
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void perf_map_refresh(struct perf_map *m)
{
	struct stat st;
	uint64_t now = now_ns();
	if (!m->path || (m->looked_ns && now - m->looked_ns < AGAIN_NS))
		return;
	m->looked_ns = now;
	if (!open_file(m) || m->is_refused || fstat(m->fd, &st))
		return;
	if (!st.st_nlink && !access(m->path, F_OK)) {
		start_over(m, true);
		if (!open_file(m) || m->is_refused || fstat(m->fd, &st))
			return;
	}
	if (st.st_size < m->size)
		start_over(m, false);
	if (st.st_size == m->size || st.st_size > MAX_BYTES)
		return;
	size_t n = (size_t)(st.st_size - m->size);
	char *text = arena_alloc(m->arena, n + 1);
	ssize_t got = pread(m->fd, text, n, m->size);
	char *end = got > 0 ? memrchr(text, '\n', (size_t)got) : NULL;
	if (!end) /* a line that is still being written */
		return;
	*end = 0;
	m->size += end + 1 - text;
	parse(m, text);
}

static const struct jit_symbol *search(const struct perf_map *m, uint64_t addr)
{
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
	/* the newest of those that cover it: code is thrown away and its place used again, for pieces of other sizes */
	const struct jit_symbol *best = NULL;
	for (size_t k = 0; k < MAX_BACK && k < low; k++) {
		const struct jit_symbol *s = &m->symbol.at[low - 1 - k];
		if (addr - s->start < s->size && (!best || s->line > best->line))
			best = s;
	}
	return best;
}

const char *perf_map_find(struct perf_map *m, uint64_t addr, uint64_t *offset_ret)
{
	perf_map_refresh(m);
	const struct jit_symbol *s = search(m, addr);
	if (!s)
		return NULL;
	*offset_ret = addr - s->start;
	return s->name;
}
