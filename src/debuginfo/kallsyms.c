/*
 * kallsyms.c - names of kernel addresses, from /proc/kallsyms.
 *
 * The kernel needs 25 ms to write its 120,000 lines; parsing must not add much to that.  The text
 * is kept and cut into strings in place, each symbol points into it.
 */
#include "debuginfo/internal.h"
#include "debuginfo/name_index.h"

#include <stdlib.h>

struct kallsyms {
	char *text;
	VEC(struct ksym) sym; /* sorted by address; in file order among equals */
	struct name_index names;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "ffffffff81000000 T _stext\t[module]"; returns the start of the next line. */
static char *parse_line(char *s, struct ksym *ret)
{
	for (int d; (d = hex_digit(*s)) >= 0; s++)
		ret->addr = ret->addr << 4 | (uint64_t)d;
	char *end = strchrnul(s, '\n');
	char *next = *end ? end + 1 : end;
	*end = 0;
	if (end - s < 4 || s[0] != ' ' || s[2] != ' ')
		return next;
	ret->kind = s[1];
	ret->name = s + 3;
	char *tab = memchr(s + 3, '\t', (size_t)(end - s - 3));
	if (tab && tab[1] == '[' && end[-1] == ']') {
		*tab = end[-1] = 0;
		ret->module = tab + 2;
	}
	return next;
}

static int by_addr(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* order of the file */
}

struct kallsyms *world_kallsyms(struct world *w)
{
	if (w->kallsyms)
		return w->kallsyms;
	struct kallsyms *k = w->kallsyms = xcalloc(1, sizeof(*k));
	_cleanup_free_ char *path = xasprintf("%s/proc/kallsyms", w->root);
	size_t len = 0;
	k->text = read_file(path, &len);
	if (!k->text)
		return k;
	vec_reserve(&k->sym, len / 40);
	bool sorted = true;
	for (char *s = k->text; *s;) {
		struct ksym sym = {0};
		s = parse_line(s, &sym);
		if (!sym.name)
			continue;
		sorted = sorted && (!k->sym.len || vec_last(&k->sym).addr <= sym.addr);
		vec_push(&k->sym, sym);
	}
	if (!sorted)
		qsort(k->sym.at, k->sym.len, sizeof(*k->sym.at), by_addr);
	return k;
}

void kallsyms_close(struct kallsyms *k)
{
	if (!k)
		return;
	vec_free(&k->sym);
	name_index_free(&k->names);
	free(k->text);
	free(k);
}

const struct ksym *kallsyms_all(struct kallsyms *k, size_t *n)
{
	*n = k->sym.len;
	return k->sym.at;
}

/* Addresses are zero when kptr_restrict hides them. */
const struct ksym *kallsyms_by_addr(struct kallsyms *k, uint64_t addr)
{
	size_t low = 0, high = k->sym.len; /* first symbol above addr */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (k->sym.at[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !k->sym.at[low - 1].addr)
		return NULL;
	/* of several names the first function's */
	size_t first = low - 1;
	while (first && k->sym.at[first - 1].addr == k->sym.at[low - 1].addr)
		first--;
	for (size_t i = first; i < low; i++)
		if (strchr("tTwW", k->sym.at[i].kind))
			return &k->sym.at[i];
	return &k->sym.at[first];
}

const struct ksym *kallsyms_by_name(struct kallsyms *k, const char *name)
{
	if (!k->names.mask) {
		name_index_init(&k->names, k->sym.len, (uint32_t)k->sym.len);
		for (size_t i = 0; i < k->sym.len; i++) {
			const char *s = k->sym.at[i].name;
			name_index_add(&k->names, name_hash(s, strlen(s)), (uint32_t)i + 1);
		}
	}
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, i;
	while ((i = name_index_next(&k->names, hash, &pos)))
		if (!strcmp(k->sym.at[i - 1].name, name))
			return &k->sym.at[i - 1];
	return NULL;
}
