/*
 * btf_bytes.c - the bytes of BTF: the caller's, a mapped file, or one that is read page by page.
 *
 * Kernels before 6.16 cannot map /sys/kernel/btf/vmlinux, and hand out a page with each read: all of it takes them milliseconds, so
 * that only what somebody touches is read.
 */
#include "debuginfo/btf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* `n` bytes of a file into `to`; those that the file has not stay zero. */
static bool read_at(int fd, uint8_t *to, size_t n, size_t at)
{
	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		at += (size_t)got;
		n -= (size_t)got;
	}
	return true;
}

bool btf_bytes_touch(const struct btf_bytes *m, const void *at, size_t n)
{
	if (!m->have || !n)
		return true;
	size_t first = (size_t)((const uint8_t *)at - m->data) / PAGE, last = ((size_t)((const uint8_t *)at - m->data) + n - 1) / PAGE;
	for (size_t i = first, end; i <= last; i = end) {
		for (end = i; end <= last && !m->have[end]; end++)
			;
		if (end == i) {
			end++;
			continue;
		}
		size_t from = i * PAGE;
		if (!read_at(m->fd, m->data + from, MIN(end * PAGE, m->len) - from, from))
			return false;
		memset(m->have + i, 1, end - i);
	}
	return true;
}

const char *btf_bytes_string(const struct btf_bytes *m, const char *at)
{
	for (const char *p = at; m->have;) {
		size_t left = PAGE - (size_t)((const uint8_t *)p - m->data) % PAGE;
		left = MIN(left, m->len - (size_t)((const uint8_t *)p - m->data));
		if (!btf_bytes_touch(m, p, left))
			return "";
		if (memchr(p, 0, left))
			break;
		p += left;
	}
	return at;
}

struct err *btf_bytes_open(const char *path, struct btf_bytes *ret)
{
	*ret = (struct btf_bytes){.fd = -1};
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("cannot open %s", path);
	size_t n = (size_t)st.st_size;
	if (!S_ISREG(st.st_mode) || !n)
		return err_new(EINVAL, "%s: not BTF of this byte order", path);
	void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	bool whole = map != MAP_FAILED;
	if (!whole)
		map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return err_errno("cannot read %s", path);
	*ret = (struct btf_bytes){.data = map, .len = n, .is_mapped = true, .fd = -1};
	if (!whole) {
		ret->have = xcalloc(n / PAGE + 1, sizeof(*ret->have));
		ret->fd = fd;
		fd = -1;
	}
	return NULL;
}

void btf_bytes_borrow(const void *data, size_t n, struct btf_bytes *ret)
{
	bool is_aligned = (uintptr_t)data % 4 == 0;
	*ret = (struct btf_bytes){.data = (uint8_t *)(uintptr_t)data, .len = n, .is_owned = !is_aligned, .fd = -1};
	if (!is_aligned)
		ret->data = memcpy(xmalloc(n), data, n);
}

void btf_bytes_close(struct btf_bytes *m)
{
	if (m->is_mapped)
		munmap(m->data, m->len);
	if (m->is_owned)
		free(m->data);
	free(m->have);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct btf_bytes){.fd = -1};
}
