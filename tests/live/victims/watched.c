/*
 * watched.c T N [MS] - T threads write N times each to 0x10000000 and run 0x10000100 once, where a page is mapped;
 * they start at once and wait MS milliseconds before.  Prints "writes T*N runs T".
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *const page = (char *)0x10000000;
static int n, ms;

static void *run(void *arg)
{
	usleep((unsigned)ms * 1000);
	for (int i = 0; i < n; i++)
		*(volatile uint64_t *)page = (uint64_t)i;
	((void (*)(void))(page + 0x100))();
	return arg;
}

int main(int argc, char **argv)
{
	int t = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t id[64];
	n = argc > 2 ? atoi(argv[2]) : 1;
	ms = argc > 3 ? atoi(argv[3]) : 0;
	if (mmap(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		return 1;
#ifdef __x86_64__
	page[0x100] = (char)0xc3; /* ret */
#else
	memcpy(page + 0x100, "\xc0\x03\x5f\xd6", 4);
#endif
	for (int i = 0; i < t && i < 64; i++)
		pthread_create(&id[i], NULL, run, NULL);
	for (int i = 0; i < t && i < 64; i++)
		pthread_join(id[i], NULL);
	printf("writes %d runs %d\n", t * n, t);
	return 0;
}
