/*
 * ldcache.c - where the dynamic loader finds a library: /etc/ld.so.cache.
 *
 * The format is glibc's "glibc-ld.so.cache1.1" (sysdeps/generic/dl-cache.h): a header, then entries
 * with the offsets of the library's name and path.  Before glibc 2.32 an older format stood in
 * front of it.
 */
#include "debuginfo/internal.h"

static const char magic[] = "glibc-ld.so.cache1.1";

struct cache_header {
	char magic[20];
	uint32_t count, strings_len;
	uint8_t flags, pad[3];
	uint32_t extensions, unused[3];
};
struct cache_entry {
	int32_t flags; /* low byte: kind (3: ELF, libc 6); next: architecture */
	uint32_t key, value, os_version;
	uint64_t hwcap; /* not 0: for newer processors only */
};

#if defined(__x86_64__)
enum {
	OUR_FLAGS = 0x0303
};
#elif defined(__aarch64__)
enum {
	OUR_FLAGS = 0x0a03
};
#else
enum {
	OUR_FLAGS = 0x0003
};
#endif

/* String at an offset from the cache's start, NULL when it does not end within it. */
static const char *string_at(const char *data, size_t n, uint32_t offset)
{
	return offset < n && memchr(data + offset, 0, n - offset) ? data + offset : NULL;
}

/* 3: the very name; 2: "libc" for "libc.so.6"; 1: "libc.so" for the same; 0: another library. */
static unsigned match(const char *key, const char *name)
{
	size_t n = strlen(name);
	if (!strcmp(key, name))
		return 3;
	if (strncmp(key, name, n) != 0)
		return 0;
	if (str_has_prefix(key + n, ".so"))
		return 2;
	return str_has_suffix(name, ".so") && key[n] == '.';
}

const char *ldcache_search(const char *data, size_t n, const char *name)
{
	const char *start = n >= sizeof(magic) ? memmem(data, n, magic, sizeof(magic) - 1) : NULL;
	struct cache_header h;
	if (!start || (size_t)(data + n - start) < sizeof(h))
		return NULL;
	n -= (size_t)(start - data);
	memcpy(&h, start, sizeof(h));
	const char *best = NULL;
	unsigned best_match = 0;
	for (uint32_t i = 0; i < h.count && i < (n - sizeof(h)) / sizeof(struct cache_entry); i++) {
		struct cache_entry e;
		memcpy(&e, start + sizeof(h) + i * sizeof(e), sizeof(e));
		if (e.flags != OUR_FLAGS || e.hwcap)
			continue;
		const char *key = string_at(start, n, e.key), *path = string_at(start, n, e.value);
		unsigned m = key && path ? match(key, name) : 0;
		if (m > best_match) {
			best_match = m;
			best = path;
		}
	}
	return best;
}

const char *ldcache_find(struct world *w, const char *name, struct arena *a)
{
	_cleanup_free_ char *path = xasprintf("%s/etc/ld.so.cache", w->root);
	size_t n = 0;
	_cleanup_free_ char *data = read_file(path, &n);
	const char *found = data ? ldcache_search(data, n, name) : NULL;
	return found ? arena_strdup(a, found) : NULL;
}
