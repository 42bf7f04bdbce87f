/* watchvar.c - writes a variable, reads it and runs a function, each a known number of times; prints its address and the counts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

volatile uint64_t watched_word = 42; /* in .data: the kernel does not clear it at start */

__attribute__((noinline)) void watched_function(void)
{
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 5;
	uint64_t sum = 0;

	for (int i = 1; i <= n; i++)
		watched_word = (uint64_t)i;
	for (int i = 0; i < 3; i++)
		sum += watched_word;
	for (int i = 0; i < 4; i++)
		watched_function();
	printf("wrote %d times, read 3 times (%llu), called 4 times\n", n, (unsigned long long)sum);
	return 0;
}
