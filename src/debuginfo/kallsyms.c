/*
 * kallsyms.c - names of kernel addresses, from /proc/kallsyms.
 *
 * The kernel needs 25 ms to write its 120,000 lines; we must not add much to that, and fresh memory
 * is what costs here.  So the text is kept as it came, in pages that were asked for in big pieces,
 * and of each line only its place is noted.  A struct ksym is made when somebody asks for that
 * symbol.
 */
#include "debuginfo/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX_TEXT = 256 << 20,
	PIECE = 1 << 20,
	MAX_LAST = 1 << 20 /* of the last symbol, whose size nothing tells */
};

struct kallsyms {
	char *text; /* MAX_TEXT bytes of address space, NULL when there is nothing */
	size_t len;
	VEC(uint32_t) line; /* offsets of symbols, sorted by address; in file order among equals */
	struct numtab made; /* struct ksym by offset + 1 */
	struct arena *arena;
	struct kallsyms *older; /* as the kernel was when it was read before: its names are still in use */
};

/* --- one line: "ffffffff81000000 T _stext\t[module]"
 * ------------------------------------------------------ */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The address; *end gets where it stopped. */
static uint64_t parse_addr(const char *s, const char **end)
{
	uint64_t addr = 0;
	for (int d; (d = hex_digit(*s)) >= 0; s++)
		addr = addr << 4 | (uint64_t)d;
	*end = s;
	return addr;
}

static uint64_t addr_at(const struct kallsyms *k, size_t i)
{
	const char *end;
	return parse_addr(k->text + k->line.at[i], &end);
}

/* Name and kind of the symbol whose line starts at s. */
static const char *name_of(const char *s, size_t *len, char *kind)
{
	parse_addr(s, &s);
	*kind = s[1];
	s += 3;
	size_t n = 0;
	while (s[n] != '\t' && s[n] != '\n' && s[n])
		n++;
	*len = n;
	return s;
}

static const struct ksym *make(struct kallsyms *k, const char *line)
{
	uint64_t key = (uint64_t)(line - k->text) + 1;
	struct ksym *sym = numtab_get(&k->made, key);
	if (sym)
		return sym;
	sym = arena_new(k->arena, struct ksym);
	size_t len;
	const char *name = name_of(line, &len, &sym->kind), *end;
	sym->addr = parse_addr(line, &end);
	sym->name = arena_strndup(k->arena, name, len);
	if (name[len] == '\t' && name[len + 1] == '[')
		sym->module =
			arena_strndup(k->arena, name + len + 2, strcspn(name + len + 2, "]\n"));
	numtab_set(&k->made, key, sym);
	return sym;
}

/* --- reading
 * ------------------------------------------------------------------------------------------------
 */

static void read_text(struct kallsyms *k, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	char *p = mmap(NULL, MAX_TEXT, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return;
	k->text = p;
	size_t ready = 0;
	while (k->len + 1 < MAX_TEXT) {
		if (k->len + PIECE / 16 > ready && ready < MAX_TEXT) {
#ifdef MADV_POPULATE_WRITE
			madvise(p + ready, PIECE, MADV_POPULATE_WRITE); /* else it faults in */
#endif
			ready += PIECE;
		}
		ssize_t n = read(fd, p + k->len, MIN(ready, (size_t)MAX_TEXT - 1) - k->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		k->len += (size_t)n;
	}
}

static int by_addr(const void *a, const void *b, void *arg)
{
	const struct kallsyms *k = arg;
	const char *end;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint64_t p = parse_addr(k->text + x, &end), q = parse_addr(k->text + y, &end);
	if (p != q)
		return p < q ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void note_lines(struct kallsyms *k)
{
	bool sorted = true;
	uint64_t last = 0;
	const char *stop = k->text + k->len;
	vec_reserve(&k->line, k->len / 40 + 1);
	for (const char *s = k->text, *next; s < stop; s = next) {
		const char *nl = memchr(s, '\n', (size_t)(stop - s)), *end;
		next = nl ? nl + 1 : stop;
		uint64_t addr = parse_addr(s, &end);
		if (end == s || next - end < 4 || end[0] != ' ' || end[2] != ' ')
			continue;
		sorted = sorted && last <= addr;
		last = addr;
		vec_push(&k->line, (uint32_t)(s - k->text));
	}
	if (!sorted)
		qsort_r(k->line.at, k->line.len, sizeof(*k->line.at), by_addr, k);
}

struct kallsyms *world_kallsyms(struct world *w)
{
	if (w->kallsyms)
		return w->kallsyms;
	struct kallsyms *k = w->kallsyms = xcalloc(1, sizeof(*k));
	k->arena = arena_create();
	_cleanup_free_ char *path = xasprintf("%s/proc/kallsyms", w->root);
	read_text(k, path);
	if (k->text)
		note_lines(k);
	return k;
}

void world_kallsyms_renew(struct world *w)
{
	struct kallsyms *older = w->kallsyms;
	w->kallsyms = NULL;
	world_kallsyms(w)->older = older;
}

void kallsyms_close(struct kallsyms *k)
{
	if (!k)
		return;
	kallsyms_close(k->older);
	vec_free(&k->line);
	numtab_free(&k->made);
	arena_destroy(k->arena);
	if (k->text)
		munmap(k->text, MAX_TEXT);
	free(k);
}

/* --- questions
 * ---------------------------------------------------------------------------------------------- */

void kallsyms_each(struct kallsyms *k, const char *kinds,
		   void (*fn)(void *arg, const char *name, const char *module), void *arg)
{
	struct buf text = {0};
	for (size_t i = 0; i < k->line.len; i++) {
		size_t len;
		char kind;
		const char *name = name_of(k->text + k->line.at[i], &len, &kind), *module = NULL;
		if (!strchr(kinds, kind))
			continue;
		buf_clear(&text);
		buf_add(&text, name, len);
		if (name[len] == '\t' && name[len + 1] == '[') {
			buf_putc(&text, 0);
			buf_add(&text, name + len + 2, strcspn(name + len + 2, "]\n"));
			module = text.data + len + 1;
		}
		fn(arg, text.data, module);
	}
	buf_free(&text);
}

/* Addresses are zero when kptr_restrict hides them. */
/* Index of the first symbol above addr; the number of symbols when there is none. */
static size_t first_above(const struct kallsyms *k, uint64_t addr)
{
	size_t low = 0, high = k->line.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (addr_at(k, mid) <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint64_t kallsyms_size(struct kallsyms *k, const struct ksym *sym)
{
	size_t next = first_above(k, sym->addr);
	return next < k->line.len ? addr_at(k, next) - sym->addr : 0;
}

const struct ksym *kallsyms_by_addr(struct kallsyms *k, uint64_t addr)
{
	size_t low = first_above(k, addr);
	uint64_t found = low ? addr_at(k, low - 1) : 0;
	if (!found || (low == k->line.len && addr - found >= MAX_LAST))
		return NULL;
	/* of several names the first function's */
	size_t first = low - 1, len;
	while (first && addr_at(k, first - 1) == found)
		first--;
	for (size_t i = first; i < low; i++) {
		char kind;
		name_of(k->text + k->line.at[i], &len, &kind);
		if (strchr("tTwW", kind))
			return make(k, k->text + k->line.at[i]);
	}
	return make(k, k->text + k->line.at[first]);
}

/* Searching the text takes a few milliseconds, an index over all names three times as long: few are
 * asked. */
const struct ksym *kallsyms_by_name(struct kallsyms *k, const char *name)
{
	size_t n = strlen(name) + 1;
	_cleanup_free_ char *word = xasprintf(" %s", name);
	if (!k->text)
		return NULL;
	const char *from = k->text, *stop = k->text + k->len, *hit;
	while ((hit = memmem(from, (size_t)(stop - from), word, n))) {
		from = hit + 1;
		const char *line = memrchr(k->text, '\n', (size_t)(hit - k->text)), *end;
		line = line ? line + 1 : k->text;
		parse_addr(line, &end);
		char after = hit[n];
		if (end > line && end + 2 == hit && end[0] == ' ' &&
		    (after == '\n' || after == '\t' || !after))
			return make(k, line);
	}
	return NULL;
}
