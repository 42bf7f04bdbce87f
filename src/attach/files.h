/*
 * files.h - inside the attach room: files that handlers answer.
 *
 * A folder with a file system of its own (FUSE, by its protocol in linux/fuse.h): what is read from a file and what is written to it goes
 * through two functions.  The folder is taken away at the end, also when this process is killed.
 */
#pragma once

#include "base/base.h"

struct files;
struct served_file {
	const char *name;
	unsigned mode; /* permissions */
	bool is_read, is_written; /* by handlers: root may open it whatever the permissions say */
};
struct files_ops {
	/* What one open file reads, whole, is appended to *out. */
	struct err *(*read)(void *arg, unsigned file, struct buf *out);
	/* text holds what was written, at most max_write bytes of it at a time. */
	struct err *(*write)(void *arg, unsigned file, const char *text, size_t n);
	void *arg;
	size_t max_write;
};
/* Makes the folder (the one above it too) and the files in it.  The names stay the caller's. */
struct err *files_open(const char *dir, const struct served_file *file, unsigned n, const struct files_ops *ops, struct files **ret);
int files_fd(const struct files *f);	   /* readable: somebody asks */
struct err *files_serve(struct files *f);  /* answers all who ask now */
void files_close(struct files *f);	   /* NULL is legal */
/* One request of n bytes: for tests and fuzzing.  What would be answered, header and all, is in *out (empty: nothing). */
struct err *files_answer(struct files *f, const void *request, size_t n, struct buf *out);
struct files *files_create(const struct served_file *file, unsigned n, const struct files_ops *ops); /* without a folder */
