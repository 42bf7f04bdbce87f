/*
 * chain.c N - main -> outer -> middle -> inner, N times; prints the chain innermost first.
 */
#include <stdio.h>
#include <stdlib.h>

volatile int sink;

__attribute__((noinline)) void inner(int i)
{
	sink += i;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void middle(int i)
{
	inner(i);
	sink++;
}

__attribute__((noinline)) void outer(int i)
{
	middle(i);
	sink++;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	for (int i = 0; i < n; i++)
		outer(i);
	puts("inner middle outer main");
	return 0;
}
