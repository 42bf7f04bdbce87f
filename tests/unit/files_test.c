/* files_test.c - the answers of a file system whose files handlers answer, request by request. */
#include <errno.h>
#include <linux/fuse.h>
#include <sys/stat.h>

#include "attach/files.h"

#include "test.h"

struct seen {
	unsigned reads;
	struct buf written;
};

static struct err *give(void *arg, unsigned file, struct buf *out)
{
	buf_printf(out, "text %u of file %u", ++((struct seen *)arg)->reads, file);
	return NULL;
}

static struct err *take(void *arg, unsigned file, const char *text, size_t n)
{
	buf_add(&((struct seen *)arg)->written, text, n);
	buf_putc(&((struct seen *)arg)->written, '|');
	return NULL;
}

static const struct served_file list[] = {{"in", 0400, .is_read = true}, {"out", 0222, .is_written = true}};

/* Sends one request; the answer's error, its body in *out. */
static int ask(struct files *f, uint32_t opcode, uint64_t node, const void *body, size_t n, struct buf *out)
{
	_Alignas(8) uint8_t request[4096];
	struct fuse_in_header h = {.len = (uint32_t)(sizeof(h) + n), .opcode = opcode, .nodeid = node, .unique = 77};
	struct fuse_out_header o;

	memcpy(request, &h, sizeof(h));
	if (n)
		memcpy(request + sizeof(h), body, n);
	err_free(files_answer(f, request, sizeof(h) + n, out));
	if (out->len < sizeof(o))
		return 1;
	memcpy(&o, out->data, sizeof(o));
	CHECK(o.unique == 77 && o.len == out->len);
	memmove(out->data, out->data + sizeof(o), out->len - sizeof(o));
	out->len -= sizeof(o);
	return o.error;
}

static uint64_t open_node(struct files *f, uint64_t node, struct buf *out)
{
	struct fuse_open_in in = {.flags = 0};
	CHECK(ask(f, FUSE_OPEN, node, &in, sizeof(in), out) == 0);
	return ((struct fuse_open_out *)out->data)->fh;
}

static void test_read(struct files *f, struct seen *s, struct buf *out)
{
	CHECK(ask(f, FUSE_LOOKUP, FUSE_ROOT_ID, "in", 3, out) == 0);
	struct fuse_entry_out e;
	memcpy(&e, out->data, sizeof(e));
	CHECK(e.attr.mode == (S_IFREG | 0400));
	CHECK(ask(f, FUSE_LOOKUP, FUSE_ROOT_ID, "no", 3, out) == -ENOENT);
	struct fuse_read_in in = {.fh = open_node(f, e.nodeid, out), .size = 6};
	CHECK(ask(f, FUSE_READ, e.nodeid, &in, sizeof(in), out) == 0);
	CHECK(out->len == 6 && !memcmp(out->data, "text 1", 6));
	in.offset = 6;
	in.size = 100; /* the handler is not run again */
	CHECK(ask(f, FUSE_READ, e.nodeid, &in, sizeof(in), out) == 0);
	CHECK(out->len == 10 && !memcmp(out->data, " of file 0", 10));
	in.offset = 16;
	CHECK(ask(f, FUSE_READ, e.nodeid, &in, sizeof(in), out) == 0 && out->len == 0);
	CHECK(s->reads == 1);
	struct fuse_release_in r = {.fh = in.fh};
	CHECK(ask(f, FUSE_RELEASE, e.nodeid, &r, sizeof(r), out) == 0);
	CHECK(ask(f, FUSE_READ, e.nodeid, &in, sizeof(in), out) == -EBADF);
}

static void test_write(struct files *f, struct seen *s, struct buf *out)
{
	struct {
		struct fuse_write_in in;
		char text[16];
	} w = {.text = "0123456789"};
	w.in.fh = open_node(f, FUSE_ROOT_ID + 2, out);
	w.in.size = 10;
	CHECK(ask(f, FUSE_WRITE, FUSE_ROOT_ID + 2, &w, sizeof(w), out) == 0);
	CHECK(((struct fuse_write_out *)out->data)->size == 8); /* max_write */
	CHECK_STR(buf_str(&s->written), "01234567|");
	w.in.size = 1000; /* more than came */
	CHECK(ask(f, FUSE_WRITE, FUSE_ROOT_ID + 2, &w, sizeof(w.in) + 3, out) == 0);
	CHECK_STR(buf_str(&s->written), "01234567|012|");
	struct fuse_read_in in = {.fh = w.in.fh, .size = 10};
	CHECK(ask(f, FUSE_READ, FUSE_ROOT_ID + 2, &in, sizeof(in), out) == -EACCES);
}

static void test_others(struct files *f, struct buf *out)
{
	struct fuse_read_in in = {.size = 4096};
	CHECK(ask(f, FUSE_READDIR, FUSE_ROOT_ID, &in, sizeof(in), out) == 0);
	CHECK(memmem(out->data, out->len, "in", 2) && memmem(out->data, out->len, "out", 3));
	in.size = 40; /* room for one */
	CHECK(ask(f, FUSE_READDIR, FUSE_ROOT_ID, &in, sizeof(in), out) == 0 && out->len <= 40);
	CHECK(ask(f, FUSE_MKDIR, FUSE_ROOT_ID, "x", 2, out) == -ENOSYS);
	CHECK(ask(f, FUSE_FORGET, FUSE_ROOT_ID, NULL, 0, out) == 1); /* no answer */
	CHECK(ask(f, FUSE_OPEN, FUSE_ROOT_ID + 3, &in, sizeof(in), out) == -ENOENT);
	CHECK(ask(f, FUSE_READ, FUSE_ROOT_ID + 1, NULL, 0, out) == -EBADF);
}

int main(void)
{
	struct seen s = {0};
	const struct files_ops ops = {.read = give, .write = take, .arg = &s, .max_write = 8};
	struct files *f = files_create(list, ARRAY_SIZE(list), &ops);
	struct buf out = {0};

	test_read(f, &s, &out);
	test_write(f, &s, &out);
	test_others(f, &out);
	files_close(f);
	buf_free(&out);
	buf_free(&s.written);
	return test_end();
}
