/* insn_test.c - lengths of x86-64 instructions. */
#include "test.h"

#include "debuginfo/insn.h"

#ifdef __x86_64__
static void check(const char *bytes, size_t n, unsigned want, int line)
{
	unsigned got = insn_length((const uint8_t *)bytes, n);
	if (got != want)
		printf("line %d: %u, want %u\n", line, got, want);
	CHECK(got == want);
}
#define LENGTH(bytes) check(bytes "\x90\x90\x90\x90\x90\x90\x90\x90", sizeof(bytes) + 7, sizeof(bytes) - 1, __LINE__)
#define NONE(bytes)   check(bytes, sizeof(bytes) - 1, 0, __LINE__)

static void test_lengths(void)
{
	LENGTH("\x55");					/* push %rbp */
	LENGTH("\xf3\x0f\x1e\xfa");			/* endbr64 */
	LENGTH("\x48\x89\xe5");				/* mov %rsp,%rbp */
	LENGTH("\x48\x83\xec\x10");			/* sub $16,%rsp */
	LENGTH("\x48\x81\xec\x00\x10\x00\x00");		/* sub $4096,%rsp */
	LENGTH("\x8b\x04\x25\x00\x00\x00\x10");		/* mov 0x10000000,%eax: SIB without a base */
	LENGTH("\x48\x8b\x05\x01\x02\x03\x04");		/* mov 0x4030201(%rip),%rax */
	LENGTH("\x48\x8b\x44\x24\x08");			/* mov 8(%rsp),%rax */
	LENGTH("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08"); /* movabs */
	LENGTH("\x66\xb8\x01\x02");			/* mov $0x201,%ax */
	LENGTH("\x66\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08"); /* REX.W wins over 66 */
	LENGTH("\xf6\x47\x08\x01");			/* testb $1,8(%rdi) */
	LENGTH("\xf6\x5f\x08");				/* negb 8(%rdi): no immediate */
	LENGTH("\xf7\xc7\x01\x00\x00\x00");		/* test $1,%edi */
	LENGTH("\xe8\x00\x00\x00\x00");			/* call */
	LENGTH("\x0f\x84\x00\x00\x00\x00");		/* je */
	LENGTH("\x66\x0f\x1f\x84\x00\x00\x00\x00\x00"); /* nopw 0(%rax,%rax,1) */
	LENGTH("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00");
	LENGTH("\xc8\x10\x00\x00");			/* enter */
	LENGTH("\xc2\x08\x00");				/* ret $8 */
	LENGTH("\x64\x48\x8b\x04\x25\x28\x00\x00\x00"); /* mov %fs:40,%rax */
	LENGTH("\x66\x0f\x3a\x0f\xc1\x04");		/* palignr $4 */
	LENGTH("\x66\x0f\x38\x00\xc1");			/* pshufb */
	LENGTH("\xc5\xf8\x77");				/* vzeroupper */
	LENGTH("\xc5\xf9\x70\xc0\x4e");			/* vpshufd $0x4e */
	LENGTH("\xc4\xe3\x7d\x39\xc1\x01");		/* vextracti128 $1 */
	LENGTH("\x62\xf1\xfe\x48\x6f\x06");		/* vmovdqu64 (%rsi),%zmm0 */
	LENGTH("\x62\xf3\x7d\x48\x3f\xc1\x00");		/* vpcmpb $0 */
	LENGTH("\xf2\x0f\x78\xc1\x02\x03");		/* insertq */
}

static void test_none(void)
{
	NONE("");
	NONE("\x48");	      /* a prefix alone */
	NONE("\x48\x8b");     /* ModRM is missing */
	NONE("\xe8\x00\x00"); /* cut off */
	NONE("\x06\x90");     /* not in 64-bit mode */
	NONE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"); /* longer than 15 */
}
#endif

int main(void)
{
#ifdef __x86_64__
	test_lengths();
	test_none();
#endif
	return test_end();
}
