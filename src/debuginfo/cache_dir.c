/* cache_dir.c - files that make the next run faster, see cache_dir.h. */
#include "debuginfo/cache_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the folder ------------------------------------------------------------------------------------------------- */

static bool is_ours(int fd, mode_t type)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* A folder below `at`, made when it is missing; -1: there is none that is ours alone.  Closes `at`. */
static int open_below(int at, const char *name)
{
	enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
	int fd = -1;
	if (at >= 0) {
		fd = openat(at, name, FLAGS);
		if (fd < 0 && mkdirat(at, name, 0700) == 0)
			fd = openat(at, name, FLAGS);
		close(at);
	}
	if (fd >= 0 && !is_ours(fd, S_IFDIR)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_folder(const char *path)
{
	int fd = path && *path == '/' ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0 && !is_ours(fd, S_IFDIR)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int cache_open(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	if (!xdg || !*xdg)
		return open_below(open_below(open_folder(getenv("HOME")), ".cache"), "spile");
	if (*xdg == '/')
		mkdir(xdg, 0700);
	return open_below(open_folder(xdg), "spile");
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

uint8_t *cache_read(const char *name, size_t *n)
{
	_cleanup_close_ int dir = cache_open();
	_cleanup_close_ int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	*n = 0;
	if (fd < 0 || !is_ours(fd, S_IFREG) || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > CACHE_MAX_FILE)
		return NULL;
	uint8_t *data = malloc((size_t)st.st_size);
	ssize_t got = data ? read(fd, data, (size_t)st.st_size) : -1;
	if (got <= 0) {
		free(data);
		return NULL;
	}
	futimens(fd, NULL);
	*n = (size_t)got;
	return data;
}

struct kept_file {
	char name[256];
	off_t size;
	time_t used;
};
struct kept_files {
	VEC(struct kept_file) list;
	off_t total;
};

static int by_use(const void *a, const void *b)
{
	const struct kept_file *x = a, *y = b;
	return (x->used > y->used) - (x->used < y->used);
}

/* What a run that was killed while it wrote has left is removed after an hour. */
static void list_files(int dir, struct kept_files *ret)
{
	enum { HOUR = 3600, MOST = 1 << 16 };
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct stat st;
	for (struct dirent *e; d && ret->list.len < MOST && (e = readdir(d));) {
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (str_has_prefix(e->d_name, ".new-")) {
			if (st.st_mtime < time(NULL) - HOUR)
				unlinkat(dir, e->d_name, 0);
			continue;
		}
		struct kept_file f = {.size = st.st_size, .used = st.st_mtime};
		snprintf(f.name, sizeof(f.name), "%s", e->d_name);
		vec_push(&ret->list, f);
		ret->total += st.st_size;
	}
	if (d)
		closedir(d);
}

static void make_room(int dir, size_t n)
{
	struct kept_files files = {0};
	list_files(dir, &files);
	if (files.list.len)
		qsort(files.list.at, files.list.len, sizeof(*files.list.at), by_use);
	for (size_t i = 0; i < files.list.len; i++) {
		if (files.total + (off_t)n <= CACHE_MAX_TOTAL && files.list.len - i < CACHE_MAX_FILES)
			break;
		unlinkat(dir, files.list.at[i].name, 0);
		files.total -= files.list.at[i].size;
	}
	vec_free(&files.list);
}

void cache_write(const char *name, const void *data, size_t n)
{
	_cleanup_close_ int dir = n && n <= CACHE_MAX_FILE ? cache_open() : -1;
	if (dir < 0)
		return;
	make_room(dir, n);
	char temp[64];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(temp, sizeof(temp), ".new-%d-%lld-%ld", (int)getpid(), (long long)now.tv_sec, now.tv_nsec);
	_cleanup_close_ int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, data, n) != (ssize_t)n || renameat(dir, temp, dir, name))
		unlinkat(dir, temp, 0);
}
