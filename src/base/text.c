/* text.c - small questions about strings and files. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool str_has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);
	return n >= k && !strcmp(s + n - k, suffix);
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Greedy with one point of return: linear in practice, no recursion. */
bool glob_match(const char *p, const char *s)
{
	const char *star = NULL, *mark = s;
	while (*s) {
		if (*p == '*') {
			star = p++;
			mark = s;
		} else if (*p == *s) {
			p++;
			s++;
		} else if (star) {
			p = star + 1;
			s = ++mark;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

/* Levenshtein distance; words longer than the row are cut, which only makes them less alike. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[65];
	size_t n = strnlen(b, 64);
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i] && i < 64; i++) {
		unsigned diag = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned cost = diag + (a[i] != b[j]);
			diag = row[j + 1];
			row[j + 1] = MIN(MIN(row[j] + 1, diag + 1), cost);
		}
	}
	return row[n];
}

struct nearest nearest_begin(const char *word)
{
	return (struct nearest){.word = word,
				.limit = (unsigned)MAX(strlen(word) / 3, (size_t)1) + 1};
}

bool nearest_add(struct nearest *n, const char *candidate)
{
	if (!n->word)
		return false;
	size_t a = strlen(n->word), b = strlen(candidate);
	if ((a > b ? a - b : b - a) >= n->limit) /* the distance is at least that */
		return false;
	unsigned d = distance(n->word, candidate);
	if (d >= n->limit)
		return false;
	n->limit = d;
	n->best = candidate;
	return true;
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n)
{
	struct nearest near = nearest_begin(word);
	for (size_t i = 0; i < n; i++)
		nearest_add(&near, candidates[i]);
	return near.best;
}

char *read_file(const char *path, size_t *len_ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	enum {
		LARGEST_FILE = 1 << 30
	};
	size_t len = 0, cap = 4096;
	char *data = xmalloc(cap);
	for (;;) {
		if (len + 1 == cap)
			data = xrealloc(data, cap *= 2);
		ssize_t n = read(fd, data + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int e = errno;
			free(data);
			errno = e;
			return NULL;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > LARGEST_FILE) {
			free(data);
			errno = EFBIG;
			return NULL;
		}
	}
	data[len] = 0;
	if (len_ret)
		*len_ret = len;
	return data;
}
