/*
 * calls.c N - calls work(i, text) N times, i from 0, and says what it did: the truth that a trace is held against.
 * Prints "called N sum S last TEXT".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point {
	int x, y;
	unsigned flags : 3;
	unsigned kind : 5;
	char name[12];
	struct point *next;
};

__attribute__((noinline)) long work(long i, const char *text)
{
	__asm__ volatile("" ::: "memory");
	return i * 2 + (long)strlen(text);
}

__attribute__((noinline)) int take_point(struct point *p)
{
	__asm__ volatile("" ::: "memory");
	return p->x + p->y;
}

__attribute__((noinline)) int take_array(int *a, int n)
{
	__asm__ volatile("" ::: "memory");
	return a[n - 1];
}

__attribute__((noinline)) int many_args(int a, int b, int c, int d, int e, int f, int g, int h)
{
	__asm__ volatile("" ::: "memory");
	return a + b + c + d + e + f + g + h;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 10, sum = 0;
	char text[64] = "";
	for (long i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "text-%ld", i % 10);
		sum += work(i, text);
	}
	struct point second = {-3, 4, 5, 17, "second", NULL}, first = {1, 2, 3, 9, "first", &second};
	take_point(&first);
	int a[] = {10, 20, 30, 40};
	take_array(a, 4);
	many_args(1, 2, 3, 4, 5, 6, 7, 8);
	printf("called %ld sum %ld last %s\n", n, sum, text);
	return 0;
}
