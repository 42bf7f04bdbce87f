/*
 * spawn.c COMMAND ... - runs it and writes "cpu_us wall_us peak_kib status" to descriptor 3.  A process inherits the peak of
 * the one that starts it, so a small one does.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	long start = now_us();
	pid_t pid = vfork();
	if (pid == 0) {
		close(3);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	struct rusage u;
	int status;
	if (argc < 2 || pid < 0 || wait4(pid, &status, 0, &u) < 0)
		return 1;
	dprintf(3, "%ld %ld %ld %d\n",
		(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec,
		now_us() - start, u.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
	return 0;
}
