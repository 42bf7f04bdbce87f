/*
 * debuginfod.c - debug files from the servers in $DEBUGINFOD_URLS, through libdebuginfod where it is installed.
 *
 * The library brings an HTTP client with it, so it is loaded only when a file is asked for; it keeps what it fetched in
 * ~/.cache/debuginfod_client.  Its functions are declared here: the interface is stable since elfutils 0.178
 * (debuginfod/debuginfod.h).
 */
#include "debuginfo/elf_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct debuginfod_client client;
struct api {
	client *(*begin)(void);
	int (*find)(client *c, const unsigned char *id, int n, char **path);
	void (*progress)(client *c, int (*fn)(client *c, long done, long total));
	void (*end)(client *c);
};

static const struct world *asking; /* the library's callback has no argument that is ours */

static int on_progress(client *c, long done, long total)
{
	if (asking && asking->progress)
		asking->progress(done, total);
	return 0;
}

static bool load(struct api *api)
{
	void *lib = dlopen("libdebuginfod.so.1", RTLD_NOW);
	if (!lib)
		return false;
	*(void **)&api->begin = dlsym(lib, "debuginfod_begin");
	*(void **)&api->find = dlsym(lib, "debuginfod_find_debuginfo");
	*(void **)&api->progress = dlsym(lib, "debuginfod_set_progressfn");
	*(void **)&api->end = dlsym(lib, "debuginfod_end");
	return api->begin && api->find && api->progress && api->end;
}

static char *find_by(struct world *w, const uint8_t *id, size_t n)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct api api;
	char *path = NULL;
	if (!urls || !*urls || !id || *w->root || !load(&api))
		return NULL;
	client *c = api.begin();
	if (!c)
		return NULL;
	asking = w;
	api.progress(c, on_progress);
	int fd = api.find(c, id, (int)n, &path);
	asking = NULL;
	api.end(c);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? path : NULL;
}

char *debuginfod_path(struct elf_file *f)
{
	size_t n;
	const uint8_t *id = elf_build_id(f, &n);
	return find_by(f->world, id, n);
}

/* With length 0 the library takes a string of hexadecimal digits. */
char *debuginfod_path_of(struct world *w, const char *hex)
{
	return find_by(w, (const uint8_t *)hex, 0);
}
