/* longstr.c LEN - calls speak() with a string of LEN bytes, then with a bad pointer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) void speak(const char *s)
{
	__asm__ volatile("" ::"r"(s) : "memory");
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? (size_t)atol(argv[1]) : 100;
	char *s = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		s[i] = (char)('a' + i % 26);
	s[n] = 0;
	speak(s);
	speak((const char *)0x10);
	return 0;
}
