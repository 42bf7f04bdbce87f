/*
 * load.c COUNT [PER_SECOND] - calls getppid(2) COUNT times and prints how often it did; PER_SECOND paces it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000000, rate = argc > 2 ? atol(argv[2]) : 0;
	double start = now();
	for (long i = 0; i < n; i++) {
		syscall(SYS_getppid);
		if (rate && i % 256 == 255)
			while ((double)i / (double)rate > now() - start)
				;
	}
	printf("%ld calls in %.3f s\n", n, now() - start);
	return 0;
}
