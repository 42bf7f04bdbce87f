/*
 * rotate.c - output in files of a size: PATH.0, PATH.1 and on; when only the last few are kept, older ones are removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "output/output.h"

static char *name_of(const struct rotation *r, unsigned i)
{
	return xasprintf("%s.%u", r->path, i);
}

struct err *rotation_next(struct rotation *r, int *fd)
{
	_cleanup_free_ char *name = name_of(r, r->next);
	int new = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (new < 0)
		return err_new(errno, "Failed to open output file: \"%s\": %s", name, strerror(errno));
	if (r->next)
		close(*fd);
	*fd = new;
	r->written = 0;
	if (r->keep && r->next >= r->keep) {
		_cleanup_free_ char *old = name_of(r, r->next - r->keep);
		unlink(old);
	}
	r->next++;
	return NULL;
}
