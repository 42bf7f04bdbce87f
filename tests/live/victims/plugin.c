/* plugin.c - a library whose function calls getpriority(2); PLUGIN is its name, as long as the other's, so that both have the same layout. */
#include <sys/syscall.h>
#include <unistd.h>

long PLUGIN(void);
long PLUGIN(void)
{
	long r = syscall(SYS_getpriority, 77, 0);

	__asm__ volatile("" ::: "memory");
	return r + 1;
}
