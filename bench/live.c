/*
 * live.c COMMAND ... - microseconds from starting a command until a BPF program that was not there before has run for the
 * first time, on a system call that this program makes all the while (kernel.bpf_stats_enabled=1).  Ends the command then.
 */
#define _GNU_SOURCE
#include "bpf.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

enum { LIMIT_US = 60000000 };

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int has_run(uint32_t since)
{
	struct bpf_prog_info info;
	int found = 0;
	for (uint32_t id = since; !found && (id = next_prog(id));) {
		int fd = prog_open(id);
		found = fd >= 0 && !prog_info(fd, &info) && info.run_cnt > 0;
		if (fd >= 0)
			close(fd);
	}
	return found;
}

int main(int argc, char **argv)
{
	uint32_t id = 0, since = 0;
	while ((id = next_prog(id)))
		since = id;
	long start = now_us(), live = -1;
	pid_t pid = vfork();
	if (pid == 0) {
		setsid();
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	while (argc > 1 && now_us() - start < LIMIT_US && waitpid(pid, NULL, WNOHANG) == 0) {
		syscall(SYS_getpgid, 1);
		if (has_run(since)) {
			live = now_us() - start;
			break;
		}
		nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL); /* leave the processor to the command */
	}
	kill(-pid, SIGINT);
	for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	kill(-pid, SIGKILL);
	printf("%ld\n", live);
	return 0;
}
