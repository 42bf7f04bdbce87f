/* library.c - loaded by victim.cc while it runs. */
int t_in_library(int id, int (*fn)(int));
__attribute__((noinline)) int t_in_library(int id, int (*fn)(int))
{
	volatile char room[200];

	room[id] = 1;
	int r = fn(id);
	__asm__ volatile("" ::: "memory");
	return r + room[id];
}
