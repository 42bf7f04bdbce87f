/* tls.c - a library with thread-local variables, and (-DMAIN) a program that loads it and tells what they hold. */
#include <stdio.h>

#ifndef MAIN
__thread int with_value = 5;
static __thread long twice = 7;
static __thread char without[100];

__attribute__((noinline)) void lib_work(int n)
{
	__asm__ volatile("nop"); /* line 11 */
	with_value += n;
	twice *= 2;
	without[3]++;
	printf("%d %ld %d\n", with_value, twice, without[3]);
}
#else
#include <dlfcn.h>
#include <pthread.h>

static void (*work)(int);

static void *run(void *arg)
{
	work((int)(long)arg);
	work(1);
	return NULL;
}

int main(void)
{
	work = dlsym(dlopen("./lib.so", RTLD_NOW), "lib_work");
	for (long i = 10; i < 30; i += 10) {
		pthread_t t;
		pthread_create(&t, NULL, run, (void *)i);
		pthread_join(t, NULL);
	}
	return 0;
}
#endif
