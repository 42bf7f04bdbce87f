/* calls.c - who calls whom: the same function from two places, through a third, and inlined. */
#include <stdio.h>

static inline __attribute__((always_inline)) int twice(int n)
{
	return n * 2;
}

__attribute__((noinline)) int leaf(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

__attribute__((noinline)) int middle(int n)
{
	int r = leaf(n + 100) + twice(n);
	__asm__ volatile("" : "+r"(r));
	return r;
}

__attribute__((noinline)) int first(int n)
{
	int r = leaf(n) + middle(n);
	__asm__ volatile("" : "+r"(r));
	return r;
}

__attribute__((noinline)) int second(int n)
{
	int r = leaf(n + 10);
	__asm__ volatile("" : "+r"(r));
	return r;
}

int main(void)
{
	printf("%d %d\n", first(1), second(2));
	return 0;
}
