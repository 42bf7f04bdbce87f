/*
 * odd.cc - scenarios of victim.cc that are rarer: signals in signals, stacks below others, rules that only hand-written code has.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "look.h"

static int odd_id;

/* --- 22: a signal in a signal's handler, both on a stack of their own */

FN void t_inner_handler(int)
{
	look(odd_id);
	KEEP();
}

FN void t_outer_handler(int)
{
	raise(SIGUSR2);
	KEEP();
}

FN void t_nested_signals(int id)
{
	static char stack[64 << 10];
	stack_t s = {};
	struct sigaction a = {};

	s.ss_sp = stack;
	s.ss_size = sizeof(stack);
	sigaltstack(&s, NULL);
	a.sa_flags = SA_ONSTACK;
	a.sa_handler = t_outer_handler;
	sigaction(SIGUSR1, &a, NULL);
	a.sa_handler = t_inner_handler;
	sigaction(SIGUSR2, &a, NULL);
	odd_id = id;
	raise(SIGUSR1);
	KEEP();
}

/* --- 23: makecontext(3) with a context to go on with: where the C library's start of a context has it, no return address is */

static ucontext_t home, away;
FN void t_linked(void)
{
	look(odd_id);
	KEEP();
}

FN void t_link(int id)
{
	static char stack[64 << 10];

	odd_id = id;
	getcontext(&away);
	away.uc_stack.ss_sp = stack;
	away.uc_stack.ss_size = sizeof(stack);
	away.uc_link = &home;
	makecontext(&away, t_linked, 0);
	swapcontext(&home, &away);
	KEEP();
}

/* --- 24: from one stack to another that lies above it, so that the caller's frame is below */

__asm__(".text\n.globl t_on_stack\n.type t_on_stack, @function\nt_on_stack:\n.cfi_startproc\npushq %rbp\n.cfi_def_cfa_offset 16\n"
	".cfi_offset rbp, -16\nmovq %rsp, %rbp\n.cfi_def_cfa_register rbp\nmovq %rdx, %rsp\ncall *%rsi\nmovq %rbp, %rsp\npopq %rbp\n"
	".cfi_def_cfa rsp, 8\nret\n.cfi_endproc\n.size t_on_stack, .-t_on_stack\n");
extern "C" void t_on_stack(int id, void (*fn)(int), void *sp);

enum { STACK = 64 << 10 };

FN void t_on_it(int id)
{
	look(id);
	KEEP();
}

FN void t_from_low(int id)
{
	static char *high;

	if (!high)
		high = (char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_on_stack(id, t_on_it, high + STACK);
	KEEP();
}

FN void t_lower_stack(int id)
{
	static char low[STACK] __attribute__((aligned(16)));

	t_on_stack(id, t_from_low, low + STACK);
	KEEP();
}

/* --- 25: a handler that returns to code of its own without tables; the nop keeps it apart from what is before it */

__asm__(".text\n.type t_restore, @function\nnop\nt_restore:\nmovq $15, %rax\nsyscall\n.size t_restore, .-t_restore\n"
	".globl t_restore\n");
extern "C" void t_restore(void);

FN void t_restored(int)
{
	look(odd_id);
	KEEP();
}

FN void t_own_restorer(int id)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} a = {t_restored, 0x04000000, t_restore, 0}; /* SA_RESTORER */

	odd_id = id;
	syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	KEEP();
}

/* --- 26: marked as a signal's frame, with rules as any other; 27: where the frame is lies on the stack; 28: states in states;
 * 29: the return address is in a register */

FN int t_by_frame(int id)
{
	int r = look(id);

	KEEP();
	return r;
}
__asm__(".text\n.globl t_interrupting\n.type t_interrupting, @function\nt_interrupting:\n.cfi_startproc\n.cfi_signal_frame\n"
	"subq $24, %rsp\n.cfi_adjust_cfa_offset 24\ncall t_by_frame\naddq $24, %rsp\n.cfi_adjust_cfa_offset -24\nret\n.cfi_endproc\n"
	".size t_interrupting, .-t_interrupting\n"
	/* the CFA is *(rsp + 128) + 8 */
	".globl t_dereferenced\n.type t_dereferenced, @function\nt_dereferenced:\n.cfi_startproc\nmovq %rsp, %rax\n"
	".cfi_def_cfa_register rax\npushq %rbx\n.cfi_offset rbx, -16\nsubq $256, %rsp\nandq $-128, %rsp\nmovq %rax, 128(%rsp)\n"
	".cfi_escape 0x0f, 0x06, 0x77, 0x80, 0x01, 0x06, 0x23, 0x08\ncall t_by_frame\nmovq 128(%rsp), %rsi\n.cfi_def_cfa rsi, 8\n"
	"movq -8(%rsi), %rbx\n.cfi_restore rbx\nmovq %rsi, %rsp\n.cfi_def_cfa_register rsp\nret\n.cfi_endproc\n"
	".size t_dereferenced, .-t_dereferenced\n"
	".globl t_remembering\n.type t_remembering, @function\nt_remembering:\n.cfi_startproc\n"
	".rept 40\n.cfi_remember_state\npushq %rdi\n.cfi_adjust_cfa_offset 8\n.endr\npushq %rdi\n.cfi_adjust_cfa_offset 8\n"
	"call t_by_frame\npopq %rdi\n.cfi_adjust_cfa_offset -8\n.rept 40\npopq %rdi\n.cfi_restore_state\n.endr\nret\n.cfi_endproc\n"
	".size t_remembering, .-t_remembering\n"
	".globl t_by_register\n.type t_by_register, @function\nt_by_register:\n.cfi_startproc\npopq %rbx\n.cfi_register rip, rbx\n"
	".cfi_def_cfa_offset 0\nsubq $8, %rsp\n.cfi_adjust_cfa_offset 8\ncall t_by_frame\naddq $8, %rsp\n.cfi_adjust_cfa_offset -8\n"
	"pushq %rbx\n.cfi_def_cfa_offset 8\n.cfi_restore rip\nret\n.cfi_endproc\n.size t_by_register, .-t_by_register\n"
	".globl t_calling\n.type t_calling, @function\nt_calling:\n.cfi_startproc\npushq %rbx\n.cfi_def_cfa_offset 16\n"
	".cfi_offset rbx, -16\nsubq $8, %rsp\n.cfi_def_cfa_offset 24\ncall t_by_register\naddq $8, %rsp\n.cfi_def_cfa_offset 16\n"
	"popq %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n.size t_calling, .-t_calling\n");
extern "C" int t_interrupting(int id);
extern "C" int t_dereferenced(int id);
extern "C" int t_remembering(int id);
extern "C" int t_calling(int id);

FN void t_signal_frame(int id)
{
	sink += t_interrupting(id);
	KEEP();
}

FN void t_saved_pointer(int id)
{
	sink += t_dereferenced(id);
	KEEP();
}

FN void t_remembers(int id)
{
	sink += t_remembering(id);
	KEEP();
}

FN void t_in_register(int id)
{
	sink += t_calling(id);
	KEEP();
}
