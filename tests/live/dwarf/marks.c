/*
 * marks.c - static probes: every form in which a note can describe an argument, sites of either kind, semaphores.  It prints what
 * the arguments are.
 *
 * The notes are written here (sys/sdt.h lays them out so), because a compiler chooses only few of the forms.
 */
#include <stdio.h>
#include <stdlib.h>

int counter = 77;
struct {
	int a, b;
} pair = {5, -6};
long table[4] = {10, 20, 30, 40};
volatile unsigned short guard __attribute__((section(".probes"))), pad __attribute__((section(".probes")));

#define STRING(x) #x
#define NOTE(name, site, semaphore, args)                                                                                    \
	"990: " site "\n"                                                                                                        \
	".pushsection .note.stapsdt, \"?\", \"note\"\n"                                                                          \
	".balign 4\n.4byte 992f-991f, 994f-993f, 3\n"                                                                            \
	"991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b, 0, " semaphore "\n"                                          \
	".asciz \"app\", \"" name "\", \"" args "\"\n"                                                                           \
	"994: .balign 4\n.popsection\n"
#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00"

__attribute__((noinline)) static void forms(long i)
{
	__asm__ volatile("mov %0, %%rcx\n mov $0x1122334455667788, %%rax\n mov $0xfffffff0, %%ebx\n lea table(%%rip), %%rdx\n"
			 "mov $0xabcd, %%r8d\n" NOTE("forms", "nop", "0",
						     "8@%%rax -4@%%ebx 4@%%ebx 2@%%ax 1@%%al 1@%%ah -1@%%al 8@%%rcx 8@(%%rdx,%%rcx,8) "
						     "-4@$-9 4@$5 8@8(%%rdx) 4@counter(%%rip) -4@pair+4(%%rip) 2@%%r8w 1@%%r8b "
						     "8@16+8(%%rdx) %%r8d 8(%%rdx) 8f@%%xmm0")
			 : : "r"(i) : "rax", "rbx", "rcx", "rdx", "r8", "memory");
}

__attribute__((noinline)) static void sites(long i)
{
	__asm__ volatile("mov %0, %%rcx\n" NOTE("site", "nop", "0", "8@%%rcx") : : "r"(i) : "rcx");
	__asm__ volatile("mov %0, %%rdx\n" NOTE("site", "nop\n" NOP5, "0", "8@%%rdx") : : "r"(i + 100) : "rdx");
	__asm__ volatile("mov %0, %%rbx\n" NOTE("site", NOP5, "0", "8@%%rbx -4@pair+4(%%rip)") : : "r"(i + 200) : "rbx");
}

int main(int argc, char **argv)
{
	for (long i = 1; i <= 2; i++) {
		forms(i);
		sites(i);
	}
	if (guard) /* somebody listens */
		__asm__ volatile("mov $9, %%rcx\n" NOTE("guarded", "nop", "guard", "8@%%rcx") : : : "rcx");
	printf("guard %d\n", guard);
	return 0;
}
