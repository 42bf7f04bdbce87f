/*
 * jit.c - makes code at run time, as a JIT compiler does: a function with a frame pointer, and no tables, that calls inner(); says where in
 * /tmp/perf-PID.map.  usage: jit ROUNDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) void inner(void)
{
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void outer(void (*made)(void))
{
	made();
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
	/* push %rbp; mov %rsp, %rbp; mov $inner, %rax; call *%rax; pop %rbp; ret */
	uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};
	uint64_t target = (uint64_t)(uintptr_t)inner;
	uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64];

	if (at == MAP_FAILED)
		return 1;
	memcpy(code + 6, &target, sizeof(target));
	memcpy(at, code, sizeof(code));
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	FILE *f = fopen(path, "w");
	if (!f)
		return 1;
	fprintf(f, "%lx %zx Made:*hot loop\n", (unsigned long)(uintptr_t)at, sizeof(code));
	fclose(f);
	for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 1); i++) {
		outer((void (*)(void))(uintptr_t)at);
		usleep(2000);
	}
	if (argc > 2)
		unlink(path);
	puts("inner Made:*hot loop outer main");
	return 0;
}
