/* names.c - values whose text only this machine knows: times, users, cgroups, addresses, flags. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "output/parts.h"

#define NS_PER_SEC 1000000000ull

/* --- times ------------------------------------------------------------------------ */

/* Our three conversions become digits; everything else is strftime's. */
static char *expand_fractions(const char *fmt, uint64_t ns)
{
	struct buf b = {0};
	for (const char *p = fmt; *p; p++) {
		if (p[0] != '%' || !p[1]) {
			buf_putc(&b, *p);
			continue;
		}
		switch (*++p) {
		case 'f': buf_printf(&b, "%06u", (unsigned)(ns / 1000)); break;
		case 'l': buf_printf(&b, "%03u", (unsigned)(ns / 1000000)); break;
		case 'k': buf_printf(&b, "%09u", (unsigned)ns); break;
		default: buf_add(&b, p - 1, 2); break;
		}
	}
	char *s = xstrdup(buf_str(&b));
	buf_free(&b);
	return s;
}

void format_wall_time(uint64_t real_ns, const char *fmt, struct buf *out)
{
	time_t t = (time_t)(real_ns / NS_PER_SEC);
	struct tm tm;
	char room[1024];
	_cleanup_free_ char *text = expand_fractions(fmt, real_ns % NS_PER_SEC);
	if (!t || !localtime_r(&t, &tm))
		buf_puts(out, "(?)");
	else
		buf_add(out, room, strftime(room, sizeof(room), text, &tm));
}

void format_timestamp(struct exporter *x, const struct value *v, struct buf *out)
{
	struct timestamp_wire w;
	if (v->size < sizeof(w))
		return;
	memcpy(&w, v->data, sizeof(w));
	uint64_t ns = w.ns;
	if (w.clock == TS_BOOT)
		ns += x->env.boot_to_real_ns;
	else if (w.clock == TS_MONOTONIC)
		ns += x->env.mono_to_real_ns;
	bool known = x->env.prog && w.fmt < x->env.prog->string.len;
	format_wall_time(ns, known ? x->env.prog->string.at[w.fmt] : "%H:%M:%S", out);
}

void format_now(const char *fmt, struct buf *out)
{
	char room[4096];
	time_t now = time(NULL);
	struct tm tm;
	if (localtime_r(&now, &tm))
		buf_add(out, room, strftime(room, sizeof(room), fmt ? fmt : "%H:%M:%S\n", &tm));
}

/* --- users ------------------------------------------------------------------------ */

void format_user_name(uint64_t uid, struct buf *out)
{
	FILE *f = fopen("/etc/passwd", "re"); /* not getpwuid: a static program cannot ask NSS */
	struct passwd *p;
	while (f && (p = fgetpwent(f)))
		if (p->pw_uid == uid) {
			buf_puts(out, p->pw_name);
			break;
		}
	if (f)
		fclose(f);
}

/* --- cgroups: the directory whose inode is the id --------------------------------- */

static bool find_inode(int dirfd_owned, uint64_t ino, unsigned depth, struct buf *path)
{
	DIR *d = fdopendir(dirfd_owned);
	bool found = false;
	if (!d) {
		close(dirfd_owned);
		return false;
	}
	for (struct dirent *e; !found && (e = readdir(d));) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.' || depth == 0)
			continue;
		size_t was = path->len;
		buf_putc(path, '/');
		buf_puts(path, e->d_name);
		found = e->d_ino == ino;
		int fd = found ? -1
			       : openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			found = find_inode(fd, ino, depth - 1, path);
		if (!found) {
			path->len = was;
			path->data[was] = 0;
		}
	}
	closedir(d);
	return found;
}

static bool cgroup_path_below(const char *root, uint64_t ino, struct buf *path)
{
	struct stat st;
	if (stat(root, &st) == 0 && (uint64_t)st.st_ino == ino) {
		buf_putc(path, '/');
		return true;
	}
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && find_inode(fd, ino, 64, path);
}

struct hierarchy {
	char name[64], root[256];
	bool is_v2;
	dev_t dev; /* the same for all mounts of it */
};

static int hierarchy_compare(const void *a, const void *b)
{
	const struct hierarchy *x = a, *y = b;
	return x->is_v2 != y->is_v2 ? (x->is_v2 ? -1 : 1) : strcmp(x->name, y->name);
}

/* Mounted cgroup hierarchies, the unified one first. */
static size_t hierarchies(struct hierarchy *h, size_t max)
{
	FILE *f = fopen("/proc/mounts", "re");
	char line[1024], type[32], root[256];
	size_t n = 0;
	while (f && n < max && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %255s %31s", root, type) != 2 ||
		    !str_has_prefix(type, "cgroup"))
			continue;
		h[n].is_v2 = str_eq(type, "cgroup2");
		const char *base = strrchr(root, '/');
		snprintf(h[n].name, sizeof(h[n].name), "%.63s",
			 h[n].is_v2 ? "unified"
			 : base     ? base + 1
				    : root);
		snprintf(h[n].root, sizeof(h[n].root), "%s", root);
		struct stat st;
		if (stat(root, &st) == 0) {
			h[n].dev = st.st_dev;
			n++;
		}
	}
	if (f)
		fclose(f);
	qsort(h, n, sizeof(*h), hierarchy_compare);
	return n;
}

static bool is_among(dev_t dev, const dev_t *seen, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seen[i] == dev)
			return true;
	return false;
}

void format_cgroup_path(struct exporter *x, const struct value *v, struct buf *out)
{
	struct cgroup_path_wire w;
	struct hierarchy h[32];
	dev_t seen[ARRAY_SIZE(h)];
	if (v->size < sizeof(w))
		return;
	memcpy(&w, v->data, sizeof(w));
	bool filtered = x->env.prog && w.filter < x->env.prog->string.len;
	size_t n = hierarchies(h, ARRAY_SIZE(h)), shown = 0;
	for (size_t i = 0; i < n; i++) {
		struct buf path = {0};
		if (filtered && !glob_match(x->env.prog->string.at[w.filter], h[i].name))
			continue;
		if (is_among(h[i].dev, seen, shown))
			continue;
		if (cgroup_path_below(h[i].root, w.id, &path)) {
			buf_printf(out, "%s%s:%s", shown ? "," : "", h[i].name, buf_str(&path));
			seen[shown++] = h[i].dev;
		}
		buf_free(&path);
	}
}

/* --- addresses -------------------------------------------------------------------- */

void format_inet(const struct value *v, struct buf *out)
{
	struct inet_wire w;
	char room[INET6_ADDRSTRLEN];
	if (v->size < sizeof(w))
		return;
	memcpy(&w, v->data, sizeof(w));
	if ((w.family == AF_INET || w.family == AF_INET6) &&
	    inet_ntop((int)w.family, w.addr, room, sizeof(room)))
		buf_puts(out, room);
}
