/* alloc.c - heap that cannot fail, scope-exit clean-up, and how a bug of ours ends. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void base_bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "spile: bug at %s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nPlease report this with the script that led here.\n");
	va_end(ap);
	abort();
}

static void *checked(void *p)
{
	if (!p) {
		fprintf(stderr, "spile: out of memory\n");
		_exit(1);
	}
	return p;
}

void *xmalloc(size_t n)
{
	return checked(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return checked(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}

void base_free(void *p)
{
	free(p);
}

void base_cleanup_free(void *pp)
{
	free(*(void **)pp);
}

void base_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Doubles, so that n pushes copy O(n) elements. */
void *base_vec_grow(void *at, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 8;
	while (n < need)
		n *= 2;
	*cap = n;
	return xrealloc(at, n * size);
}
