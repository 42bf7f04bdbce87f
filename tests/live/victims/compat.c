/* compat.c N - calls getpgid(0) N times by the interface of 32-bit programs, where it has the number of the 64-bit one's utime(2), and
 * utime(NULL, NULL) once, which fails; prints "getpgid N, utime 1", with 0 for N where the kernel has no such interface. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int n;

static void give_up(int sig)
{
	(void)sig;
	_exit(printf("getpgid 0, utime 1\n") > 0 && fflush(stdout) == 0 ? 0 : 1);
}

int main(int argc, char **argv)
{
	n = argc > 1 ? atoi(argv[1]) : 1;
	signal(SIGSEGV, give_up);
	syscall(SYS_utime, NULL, NULL);
	for (int i = 0; i < n; i++) {
		long ret = 132;

		__asm__ volatile("int $0x80" : "+a"(ret) : "b"(0) : "r8", "r9", "r10", "r11", "memory");
	}
	printf("getpgid %d, utime 1\n", n);
	return 0;
}
