/*
 * files_mount.c - the folder of files.c: mounted, and taken away at the end.
 *
 * A killed process cannot take anything away.  So a child waits for its end: it holds nothing but a pipe, and reads from it until
 * nobody holds the other side any more.
 */
#include "attach/files_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void take_away(const char *dir)
{
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	_cleanup_free_ char *above = xstrdup(dir);
	char *slash = strrchr(above, '/');
	if (slash > above) {
		*slash = 0;
		rmdir(above); /* of the last one */
	}
}

static void guard(const char *dir, int fd)
{
	char byte;
	ssize_t n;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (chdir("/") < 0)
		_exit(1);
	for (int other = 0; other < fd; other++)
		close(other);
	close_range((unsigned)fd + 1, ~0u, 0);
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		take_away(dir);
	_exit(0);
}

static struct err *start_guard(struct files_mount *m)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("making a pipe");
	m->guard = fork();
	if (m->guard == 0)
		guard(m->dir, ends[0]);
	close(ends[0]);
	m->guard_fd = ends[1];
	return m->guard < 0 ? err_errno("starting a process") : NULL;
}

static struct err *make_folder(const char *dir)
{
	_cleanup_free_ char *above = xstrdup(dir);
	char *slash = strrchr(above, '/');
	if (slash > above) {
		*slash = 0;
		mkdir(above, 0755);
	}
	if (mkdir(dir, 0755) < 0)
		return err_new(errno, "cannot make the folder %s: %s%s", dir, strerror(errno),
			       errno == EEXIST ? " (another trace of the same name?)" : "");
	return NULL;
}

struct err *files_mount(struct files_mount *m, const char *dir)
{
	*m = (struct files_mount){.fd = -1, .guard_fd = -1};
	struct err *e = make_folder(dir);
	if (e)
		return e;
	m->dir = xstrdup(dir);
	m->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (m->fd < 0) {
		e = err_errno("files for a script need FUSE: opening /dev/fuse");
	} else {
		_cleanup_free_ char *how = xasprintf("fd=%d,rootmode=40555,user_id=%u,group_id=%u,default_permissions,allow_other", m->fd,
						     (unsigned)getuid(), (unsigned)getgid());
		if (mount("spile", dir, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC, how) < 0)
			e = err_errno("files for a script need FUSE: mounting it at %s", dir);
	}
	if (!e)
		e = start_guard(m);
	if (e)
		files_unmount(m);
	return e;
}

void files_unmount(struct files_mount *m)
{
	if (m->dir)
		take_away(m->dir);
	if (m->guard_fd >= 0 && write(m->guard_fd, "", 1) == 1 && m->guard > 0)
		waitpid(m->guard, NULL, 0);
	if (m->guard_fd >= 0)
		close(m->guard_fd);
	if (m->fd >= 0)
		close(m->fd);
	free(m->dir);
	*m = (struct files_mount){.fd = -1, .guard_fd = -1};
}
