/* getpgids.c T N - T threads make N calls of getpgid(2) each at the same time, with 0, 1, ... as argument; prints "calls T*N sum S". */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int n;

static void *run(void *arg)
{
	for (int i = 0; i < n; i++)
		syscall(SYS_getpgid, i);
	return arg;
}

int main(int argc, char **argv)
{
	int t = argc > 1 ? atoi(argv[1]) : 2;
	n = argc > 2 ? atoi(argv[2]) : 1000;
	pthread_t id[64];
	if (t > 64)
		t = 64;
	for (int i = 0; i < t; i++)
		pthread_create(&id[i], NULL, run, NULL);
	for (int i = 0; i < t; i++)
		pthread_join(id[i], NULL);
	printf("calls %d sum %ld\n", t * n, (long)t * n * (n - 1L) / 2);
	return 0;
}
