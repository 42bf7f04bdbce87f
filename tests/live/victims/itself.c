/*
 * itself.c - says who and what it is, one thing a line, as the C library and /proc tell it, then calls getppid() once, by which a tracer
 * knows that all is said.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limits(void)
{
	static const int which[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE,
				    RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME};
	struct rlimit own = {.rlim_cur = 77, .rlim_max = 1000};
	if (setrlimit(RLIMIT_NOFILE, &own))
		exit(1);
	printf("limits");
	for (unsigned i = 0; i < sizeof(which) / sizeof(*which); i++) {
		struct rlimit r;
		if (getrlimit((__rlimit_resource_t)which[i], &r))
			exit(1);
		printf(" %lld", (long long)r.rlim_cur);
	}
	printf("\n");
}

int main(void)
{
	sigset_t set;
	char path[256] = "", statm[256] = "";
	unsigned long size, rss, shared, text, lib, data;
	int fd;

	/* all memory that is needed later is touched now */
	setvbuf(stdout, NULL, _IONBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || dup2(open("/etc/passwd", O_RDONLY), 9) != 9)
		return 1;
	printf("ids %d %ld %d %d\n", getpid(), syscall(SYS_gettid), getpgrp(), getsid(0));
	printf("users %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
	printf("env [%s] [%s]\n", getenv("TRUTH") ? getenv("TRUTH") : "", getenv("NOT_THERE") ? getenv("NOT_THERE") : "");
	printf("blocked %d %d %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2), sigismember(&set, SIGTERM));
	if (readlink("/proc/self/fd/9", path, sizeof(path) - 1) < 0)
		return 1;
	printf("fd %s\n", path);
	limits();
	fd = open("/proc/self/statm", O_RDONLY);
	if (read(fd, statm, sizeof(statm) - 1) < 0 || sscanf(statm, "%lu %lu %lu %lu %lu %lu", &size, &rss, &shared, &text, &lib, &data) != 6)
		return 1;
	printf("memory %lu %lu %lu\n", size, text, data);
	printf("resident %lu %lu\n", rss, shared);
	syscall(SYS_getppid);
	return 0;
}
