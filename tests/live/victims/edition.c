/*
 * edition.c N - one of two editions of a program (-DEDITION=first or second): main -> EDITION -> called -> getpriority(2), N times
 * in N/100 seconds.  They have frames of other sizes at the same addresses, so that one's tables or names are wrong for the other.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { first = 40, second = 400 };
#define NAME_(e) e##_edition
#define NAME(e)	 NAME_(e)

volatile long sink;

__attribute__((noinline)) void called(void)
{
	volatile char room[EDITION];

	room[0] = 1;
	sink += syscall(SYS_getpriority, 77, 0) + room[0];
}

__attribute__((noinline)) void NAME(EDITION)(void)
{
	called();
	sink++;
}

int main(int argc, char **argv)
{
	for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--) {
		NAME(EDITION)();
		usleep(10000);
	}
	return 0;
}
