/* exporter.c - what all exporters share: pending text and how it reaches the file. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "output/flame.h"

enum {
	OUT_BYTES = 64 * 1024
}; /* written at the latest when so much waits */

struct exporter *exporter_create(const struct exporter_ops *ops, int fd,
				 const struct output_env *env)
{
	struct exporter *x = xcalloc(1, sizeof(*x));
	x->ops = ops;
	x->fd = fd;
	x->err_fd = STDERR_FILENO;
	if (env)
		x->env = *env;
	if (ops->begin)
		ops->begin(x);
	return x;
}

/* All of it, whatever signals, short writes and non-blocking files do.  false: nobody reads any
 * more. */
static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w >= 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};
			poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* What is written together stays in one file. */
static void make_room(struct exporter *x)
{
	struct rotation *r = &x->rotation;
	if (r->path && r->written && r->written + x->out.len > r->limit) {
		struct err *e = rotation_next(r, &x->fd);
		x->is_closed = e != NULL;
		x->write_errno = e ? e->code : 0;
		err_free(e);
	}
	r->written += x->out.len;
}

static void write_pending(struct exporter *x)
{
	if (x->out.len && !x->is_closed)
		make_room(x);
	if (x->out.len && !x->is_closed && !write_all(x->fd, x->out.data, x->out.len)) {
		x->is_closed = true;
		x->write_errno = errno;
	}
	buf_clear(&x->out);
}

void exporter_flush(struct exporter *x)
{
	if (x->buffering != OUTPUT_FULL || x->out.len >= OUT_BYTES)
		write_pending(x);
}

void exporter_written(struct exporter *x, size_t start)
{
	if (x->out.len >= OUT_BYTES || x->buffering == OUTPUT_NONE ||
	    (x->buffering == OUTPUT_LINE && x->out.len > start &&
	     memchr(x->out.data + start, '\n', x->out.len - start)))
		write_pending(x);
}

void exporter_stderr(struct exporter *x, const char *s, size_t n)
{
	write_pending(x);
	write_all(x->err_fd, s, n);
}

void exporter_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		  bool at_exit)
{
	if (x->flames)
		flames_var(x->flames, x, v, rows);
	if (x->ops->var)
		x->ops->var(x, v, rows, top, div, at_exit);
}

void exporter_destroy(struct exporter *x)
{
	if (!x)
		return;
	write_pending(x);
	if (x->ops->destroy)
		x->ops->destroy(x);
	buf_free(&x->out);
	base_free(x);
}
