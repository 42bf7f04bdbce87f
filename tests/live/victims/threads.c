/* threads.c T N - T threads call tick() N times each at the same time; prints "ticks T*N". */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int n;

__attribute__((noinline)) void tick(int i)
{
	__asm__ volatile("" ::"r"(i) : "memory");
}

static void *run(void *arg)
{
	for (int i = 0; i < n; i++)
		tick(i);
	return arg;
}

int main(int argc, char **argv)
{
	int t = argc > 1 ? atoi(argv[1]) : 4;
	n = argc > 2 ? atoi(argv[2]) : 1000;
	pthread_t id[64];
	for (int i = 0; i < t && i < 64; i++)
		pthread_create(&id[i], NULL, run, NULL);
	for (int i = 0; i < t && i < 64; i++)
		pthread_join(id[i], NULL);
	printf("ticks %d\n", t * n);
	return 0;
}
