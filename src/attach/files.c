/* files.c - a file system whose files handlers answer: the requests of the kernel (linux/fuse.h), each a row of a table. */
#include "attach/files.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach/files_mount.h"

enum { ROOT = FUSE_ROOT_ID, FIRST = ROOT + 1, REQUEST = 64 * 1024, MAX_WRITE = 32 * 1024, MAX_OPEN = 1024 };

struct open_file {
	bool is_used, is_filled;
	unsigned file;
	struct buf text; /* what it reads */
};

struct files {
	const struct served_file *file;
	unsigned n;
	struct files_ops ops;
	VEC(struct open_file) open;
	struct files_mount mount;
	struct err *err; /* a handler's failure, which ends the trace */
};

/* A request as it came: a header, and n bytes behind it. */
struct request {
	const struct fuse_in_header *h;
	const uint8_t *body;
	size_t n;
};

static int64_t now(void)
{
	return (int64_t)time(NULL);
}

static bool is_file(const struct files *f, uint64_t node)
{
	return node >= FIRST && node - FIRST < f->n;
}

static struct fuse_attr attributes(const struct files *f, uint64_t node)
{
	bool is_root = node == ROOT;
	return (struct fuse_attr){
		.ino = node,
		.mode = is_root ? S_IFDIR | 0555u : S_IFREG | (f->file[node - FIRST].mode & 0777u),
		.nlink = is_root ? 2 : 1,
		.atime = (uint64_t)now(),
		.mtime = (uint64_t)now(),
		.ctime = (uint64_t)now(),
		.uid = getuid(),
		.gid = getgid(),
		.blksize = 4096,
	};
}

static struct open_file *handle(struct files *f, uint64_t fh)
{
	return fh < f->open.len && f->open.at[fh].is_used ? &f->open.at[fh] : NULL;
}

/* --- requests: 0 and what is answered in *out, or -errno -------------------------------------------------------------------- */

static int do_init(struct files *f, const struct request *q, struct buf *out)
{
	struct fuse_init_out o = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = MAX_WRITE, .max_background = 16, .congestion_threshold = 12};
	buf_add(out, &o, sizeof(o));
	return 0;
}

static int do_lookup(struct files *f, const struct request *q, struct buf *out)
{
	const char *name = (const char *)q->body;
	if (q->h->nodeid != ROOT || !memchr(name, 0, q->n))
		return -ENOENT;
	for (unsigned i = 0; i < f->n; i++)
		if (str_eq(f->file[i].name, name)) {
			struct fuse_entry_out o = {.nodeid = FIRST + i, .attr = attributes(f, FIRST + i)};
			buf_add(out, &o, sizeof(o));
			return 0;
		}
	return -ENOENT;
}

/* Also for what `>` of a shell does before it writes: the size is set, and nothing comes of it. */
static int do_attributes(struct files *f, const struct request *q, struct buf *out)
{
	struct fuse_attr_out o = {.attr_valid = 0};
	if (q->h->nodeid != ROOT && !is_file(f, q->h->nodeid))
		return -ENOENT;
	o.attr = attributes(f, q->h->nodeid);
	buf_add(out, &o, sizeof(o));
	return 0;
}

static int do_open(struct files *f, const struct request *q, struct buf *out)
{
	struct fuse_open_out o = {.open_flags = FOPEN_DIRECT_IO};
	if (!is_file(f, q->h->nodeid))
		return -ENOENT;
	for (o.fh = 0; o.fh < f->open.len && f->open.at[o.fh].is_used; o.fh++)
		;
	if (o.fh == MAX_OPEN)
		return -ENFILE;
	if (o.fh == f->open.len)
		vec_push(&f->open, (struct open_file){.file = 0});
	f->open.at[o.fh] = (struct open_file){.is_used = true, .file = (unsigned)(q->h->nodeid - FIRST)};
	buf_add(out, &o, sizeof(o));
	return 0;
}

static int do_open_folder(struct files *f, const struct request *q, struct buf *out)
{
	struct fuse_open_out o = {.fh = UINT64_MAX};
	buf_add(out, &o, sizeof(o));
	return q->h->nodeid == ROOT ? 0 : -ENOTDIR;
}

/* The handler runs once an open file, when it is read first. */
static int do_read(struct files *f, const struct request *q, struct buf *out)
{
	const struct fuse_read_in *in = (const void *)q->body;
	struct open_file *o = q->n >= sizeof(*in) ? handle(f, in->fh) : NULL;
	if (!o || !f->file[o->file].is_read)
		return o ? -EACCES : -EBADF;
	if (!o->is_filled) {
		f->err = f->ops.read(f->ops.arg, o->file, &o->text);
		o->is_filled = true;
	}
	if (in->offset < o->text.len)
		buf_add(out, o->text.data + in->offset, MIN(o->text.len - in->offset, (size_t)in->size));
	return 0;
}

/* Who writes more than a handler takes is told how much that was, and goes on with the rest. */
static int do_write(struct files *f, const struct request *q, struct buf *out)
{
	const struct fuse_write_in *in = (const void *)q->body;
	struct open_file *o = q->n >= sizeof(*in) ? handle(f, in->fh) : NULL;
	if (!o || !f->file[o->file].is_written)
		return o ? -EACCES : -EBADF;
	size_t n = MIN(MIN((size_t)in->size, q->n - sizeof(*in)), f->ops.max_write);
	f->err = f->ops.write(f->ops.arg, o->file, (const char *)(in + 1), n);
	struct fuse_write_out w = {.size = (uint32_t)n};
	buf_add(out, &w, sizeof(w));
	return 0;
}

static int do_release(struct files *f, const struct request *q, struct buf *out)
{
	const struct fuse_release_in *in = (const void *)q->body;
	struct open_file *o = q->n >= sizeof(*in) ? handle(f, in->fh) : NULL;
	if (o) {
		buf_free(&o->text);
		*o = (struct open_file){.is_used = false};
	}
	return 0;
}

static void add_entry(struct buf *out, uint64_t node, uint64_t next, unsigned type, const char *name, size_t max)
{
	struct fuse_dirent d = {.ino = node, .off = next, .namelen = (uint32_t)strlen(name), .type = type};
	if (out->len + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen) > max)
		return;
	buf_add(out, &d, FUSE_NAME_OFFSET);
	buf_add(out, name, d.namelen);
	buf_fill(out, 0, FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen) - FUSE_NAME_OFFSET - d.namelen);
}

static int do_read_folder(struct files *f, const struct request *q, struct buf *out)
{
	const struct fuse_read_in *in = (const void *)q->body;
	size_t max;
	if (q->n < sizeof(*in) || q->h->nodeid != ROOT)
		return -EINVAL;
	max = out->len + MIN(in->size, (uint32_t)REQUEST);
	for (uint64_t i = in->offset; i < f->n + 2u; i++)
		add_entry(out, i < 2 ? ROOT : FIRST + i - 2, i + 1, (i < 2 ? S_IFDIR : S_IFREG) >> 12, i == 0 ? "." : i == 1 ? ".." : f->file[i - 2].name, max);
	return 0;
}

static int do_statfs(struct files *f, const struct request *q, struct buf *out)
{
	struct fuse_statfs_out o = {.st = {.bsize = 4096, .namelen = 255, .files = f->n}};
	buf_add(out, &o, sizeof(o));
	return 0;
}

static int do_nothing(struct files *f, const struct request *q, struct buf *out)
{
	return 0;
}

static const struct {
	int (*fn)(struct files *f, const struct request *q, struct buf *out);
	bool is_silent; /* the kernel wants no answer */
} requests[] = {
	[FUSE_INIT] = {do_init},
	[FUSE_LOOKUP] = {do_lookup},
	[FUSE_GETATTR] = {do_attributes},
	[FUSE_SETATTR] = {do_attributes},
	[FUSE_OPEN] = {do_open},
	[FUSE_READ] = {do_read},
	[FUSE_WRITE] = {do_write},
	[FUSE_RELEASE] = {do_release},
	[FUSE_FLUSH] = {do_nothing},
	[FUSE_FSYNC] = {do_nothing},
	[FUSE_OPENDIR] = {do_open_folder},
	[FUSE_READDIR] = {do_read_folder},
	[FUSE_RELEASEDIR] = {do_nothing},
	[FUSE_STATFS] = {do_statfs},
	[FUSE_FORGET] = {do_nothing, true},
	[FUSE_BATCH_FORGET] = {do_nothing, true},
	[FUSE_INTERRUPT] = {do_nothing, true},
};

struct err *files_answer(struct files *f, const void *request, size_t n, struct buf *out)
{
	const struct fuse_in_header *h = request;
	struct fuse_out_header o = {.len = sizeof(o)};
	buf_clear(out);
	if (n < sizeof(*h))
		return NULL;
	struct request q = {.h = h, .body = (const uint8_t *)(h + 1), .n = n - sizeof(*h)};
	bool known = h->opcode < ARRAY_SIZE(requests) && requests[h->opcode].fn;
	buf_add(out, &o, sizeof(o));
	o.error = known ? requests[h->opcode].fn(f, &q, out) : -ENOSYS;
	if (o.error)
		out->len = sizeof(o);
	o.unique = h->unique;
	o.len = (uint32_t)out->len;
	memcpy(out->data, &o, sizeof(o));
	if (known && requests[h->opcode].is_silent)
		buf_clear(out);
	struct err *e = f->err;
	f->err = NULL;
	return e;
}

/* --- the folder ----------------------------------------------------------------------------------------------------------------- */

struct files *files_create(const struct served_file *file, unsigned n, const struct files_ops *ops)
{
	struct files *f = xcalloc(1, sizeof(*f));
	f->file = file;
	f->n = n;
	f->ops = *ops;
	f->mount.fd = -1;
	return f;
}

struct err *files_open(const char *dir, const struct served_file *file, unsigned n, const struct files_ops *ops, struct files **ret)
{
	struct files *f = files_create(file, n, ops);
	struct err *e = files_mount(&f->mount, dir);
	if (e)
		files_close(f);
	else
		*ret = f;
	return e;
}

int files_fd(const struct files *f)
{
	return f ? f->mount.fd : -1;
}

struct err *files_serve(struct files *f)
{
	_Alignas(8) uint8_t request[REQUEST];
	struct buf out = {0};
	struct err *e = NULL;
	while (!e) {
		ssize_t n = read(f->mount.fd, request, sizeof(request));
		if (n < 0 && (errno == EINTR || errno == ENOENT)) /* ENOENT: who asked has gone */
			continue;
		if (n <= 0)
			break;
		e = files_answer(f, request, (size_t)n, &out);
		/* an answer that nobody waits for any more is refused, which does not matter */
		if (out.len && write(f->mount.fd, out.data, out.len) < 0)
			continue;
	}
	buf_free(&out);
	return e;
}

void files_close(struct files *f)
{
	if (!f)
		return;
	files_unmount(&f->mount);
	vec_each(o, &f->open)
		buf_free(&o->text);
	vec_free(&f->open);
	err_free(f->err);
	free(f);
}
