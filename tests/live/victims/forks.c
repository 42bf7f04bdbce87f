/*
 * forks.c N [DEPTH] - N children, one after the other, each of which makes one getppid(2) three calls deep, at once, and is
 * gone.  DEPTH: it is not a child that calls but a child's child's child ...
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) static long inner(void)
{
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_getppid) : "rcx", "r11", "memory");
	return ret;
}

__attribute__((noipa)) static long middle(void)
{
	return inner() + 1;
}

__attribute__((noipa)) static long outer(void)
{
	return middle() + 1;
}

int main(int argc, char **argv)
{
	for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--) {
		pid_t pid = fork();
		for (int depth = argc > 2 ? atoi(argv[2]) : 1; !pid && depth > 1; depth--)
			if ((pid = fork())) {
				waitpid(pid, NULL, 0);
				_exit(0);
			}
		if (!pid)
			_exit(outer() == 0);
		waitpid(pid, NULL, 0);
	}
	return 0;
}
