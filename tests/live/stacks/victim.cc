/*
 * victim.cc - call chains that are known, made to be looked at: recursion, linkage tables, signals, exceptions, stacks
 * that move and are realigned, tail calls, hand-written code, threads, dlopen, fork, exec.
 *
 * Prints a line a scenario, "NUMBER: innermost ... outermost" of its own functions (t_*, main), then runs each several
 * times.  Everything is compiled without frame pointers, at every level, by two compilers: what must not be inlined or turned into a jump
 * is kept by KEEP.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "look.h"

volatile long sink;
static volatile int scenario;
bool is_spinning;

/* Where a uprobe, a return probe and a tracepoint look: the scenario's number is argument, result and `who`. */
FN int t_probe(int id)
{
	syscall(SYS_getpriority, 77, id);
	KEEP();
	return id;
}

/* Where samples are taken. */
FN int t_spin(int id)
{
	struct timespec a, b;

	long ms = id >= 19 && id <= 21 ? 150 : 40; /* of CPU time; what is new to the tracer needs more of it */

	scenario = id;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	do {
		for (int i = 0; i < 2000; i++)
			sink += i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
	return id;
}

/* --- 1: recursion; 2: deep recursion */

FN int t_recurse(int id, int depth)
{
	int r = depth ? t_recurse(id, depth - 1) : look(id);

	KEEP();
	return r + 1;
}

FN void t_recursion(int id)
{
	t_recurse(id, 10);
	KEEP();
}

FN void t_deep(int id)
{
	t_recurse(id, 400);
	KEEP();
}

/* --- 3: called back from libc */

static int callback_id;
static bool was_called;

FN int t_compare(const void *a, const void *b)
{
	if (!was_called) {
		was_called = true;
		look(callback_id);
	}
	return *(const int *)a - *(const int *)b;
}

FN void t_qsort(int id)
{
	int v[] = {3, 1, 2};

	callback_id = id;
	was_called = false;
	qsort(v, 3, sizeof(*v), t_compare);
	KEEP();
}

/* --- 4: signals: sent to oneself; 5: a fault at the first instruction of a function; 6: on a stack of its own */

static int signal_id;

FN void t_handler(int)
{
	look(signal_id);
	KEEP();
}

FN void t_raise(int id)
{
	signal_id = id;
	signal(SIGUSR1, t_handler);
	raise(SIGUSR1);
	KEEP();
}

__asm__(".text\n.balign 16\n.globl t_noreturn_before\n.type t_noreturn_before, @function\nt_noreturn_before:\n"
	".cfi_startproc\n.cfi_def_cfa_offset 4096\nhlt\n.cfi_endproc\n.size t_noreturn_before, .-t_noreturn_before\n"
	".globl t_fault\n.type t_fault, @function\nt_fault:\n.cfi_startproc\nmovq (%rdi), %rax\nret\n.cfi_endproc\n"
	".size t_fault, .-t_fault\n");
extern "C" long t_fault(const long *p);

FN void t_segv(int, siginfo_t *, void *context)
{
	ucontext_t *u = (ucontext_t *)context;

	look(signal_id);
	u->uc_mcontext.gregs[REG_RDI] = (greg_t)&callback_id; /* now it can be read */
	KEEP();
}

FN void t_first_instruction(int id)
{
	struct sigaction a = {};

	a.sa_sigaction = t_segv;
	a.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &a, NULL);
	signal_id = id;
	sink += t_fault((const long *)8);
	KEEP();
}

FN void t_altstack(int id)
{
	static char stack[64 << 10];
	stack_t s = {};
	struct sigaction a = {};

	s.ss_sp = stack;
	s.ss_size = sizeof(stack);
	sigaltstack(&s, NULL);
	a.sa_handler = t_handler;
	a.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &a, NULL);
	signal_id = id;
	raise(SIGUSR2);
	KEEP();
}

/* --- 7: while an exception passes: in a destructor; 8: where it was caught */

struct t_guard {
	int id;
	__attribute__((noinline)) ~t_guard();
};
FN void t_cleaning(int id)
{
	look(id);
	KEEP();
}
t_guard::~t_guard()
{
	t_cleaning(id);
	KEEP();
}

FN void t_throw(int id)
{
	if (id)
		throw id;
	KEEP();
}

FN void t_holder(int id)
{
	t_guard g = {id};

	t_throw(id);
	KEEP();
}

FN void t_destructor(int id)
{
	try {
		t_holder(id);
	} catch (int) {
		sink++;
	}
	KEEP();
}

FN void t_catch(int id)
{
	try {
		t_throw(id);
	} catch (int e) {
		look(e);
	}
	KEEP();
}

/* --- 9: alloca; 10: a realigned stack; 11: both */

FN void t_alloca(int id)
{
	char *p = (char *)alloca((size_t)id * 40 + 8);

	memset(p, id, 8);
	sink += p[0];
	look(id);
	KEEP();
}

FN void t_aligned(int id)
{
	__attribute__((aligned(128))) volatile char c[256];

	c[id] = 1;
	look(id);
	sink += c[id];
	KEEP();
}

FN void t_aligned_alloca(int id)
{
	__attribute__((aligned(64))) volatile char c[64];
	char *p = (char *)alloca((size_t)id * 24 + 8);

	memset(p, id, 8);
	c[id] = p[0];
	look(id);
	sink += c[id] + p[1];
	KEEP();
}

/* --- 12: a tail call: the jumper is not on the stack; 13: code without unwind tables, with a frame pointer */

FN int t_target(int id)
{
	int r = look(id);

	KEEP();
	return r;
}
__asm__(".text\n.globl t_jumper\n.type t_jumper, @function\nt_jumper:\n.cfi_startproc\njmp t_target\n.cfi_endproc\n"
	".size t_jumper, .-t_jumper\n"
	".globl t_bare\n.type t_bare, @function\nt_bare:\npush %rbp\nmovq %rsp, %rbp\nsubq $32, %rsp\ncall t_target\nleave\nret\n"
	".size t_bare, .-t_bare\n"
	/* 14: the CFA is kept in rbx, which its callees save */
	".globl t_by_rbx\n.type t_by_rbx, @function\nt_by_rbx:\n.cfi_startproc\npushq %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset rbx, -16\n"
	"movq %rsp, %rbx\n.cfi_def_cfa_register rbx\nandq $-64, %rsp\nsubq $192, %rsp\ncall t_save_all\nmovq %rbx, %rsp\n"
	".cfi_def_cfa_register rsp\npopq %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n.size t_by_rbx, .-t_by_rbx\n");
extern "C" int t_jumper(int id);
extern "C" int t_bare(int id);
extern "C" int t_by_rbx(int id);

FN int t_save_all(int id)
{
	register long a __asm__("rbx") = id;
	register long b __asm__("r12") = id + 1;

	__asm__ volatile("" : "+r"(a), "+r"(b));
	int r = t_target(id);
	__asm__ volatile("" : "+r"(a), "+r"(b));
	return r + (int)(a - b);
}

FN void t_tail(int id)
{
	sink += t_jumper(id);
	KEEP();
}

FN void t_without_tables(int id)
{
	sink += t_bare(id);
	KEEP();
}

FN void t_saved_register(int id)
{
	sink += t_by_rbx(id);
	KEEP();
}

/* --- 15: a thread; 16: another stack by swapcontext; 17: many arguments; 18: after longjmp */

FN void *t_body(void *arg)
{
	look((int)(long)arg);
	KEEP();
	return NULL;
}

FN void t_thread(int id)
{
	pthread_t t;

	pthread_create(&t, NULL, t_body, (void *)(long)id);
	pthread_join(t, NULL);
	KEEP();
}

static ucontext_t home, away;
FN void t_coroutine(void)
{
	look(signal_id);
	swapcontext(&away, &home);
	KEEP();
}

FN void t_swap(int id)
{
	static char stack[64 << 10];

	signal_id = id;
	getcontext(&away);
	away.uc_stack.ss_sp = stack;
	away.uc_stack.ss_size = sizeof(stack);
	away.uc_link = NULL;
	makecontext(&away, t_coroutine, 0);
	swapcontext(&home, &away);
	KEEP();
}

FN int t_many(int id, long a, long b, long c, long d, long e, long f, long g, double h, ...)
{
	va_list v;

	va_start(v, h);
	sink += a + b + c + d + e + f + g + (long)h + va_arg(v, int);
	va_end(v);
	int r = look(id);
	KEEP();
	return r;
}

FN void t_arguments(int id)
{
	sink += t_many(id, 1, 2, 3, 4, 5, 6, 7, 8.0, 9, 10);
	KEEP();
}

static jmp_buf back;
FN void t_jump(void)
{
	longjmp(back, 1);
}

FN void t_longjmp(int id)
{
	if (!setjmp(back))
		t_jump();
	look(id);
	KEEP();
}

/* --- 19: a library that is loaded later; 20: a child; 21: itself, executed by a child */

static const char *library;

FN void t_loaded(int id)
{
	void *lib = dlopen(library, RTLD_NOW);
	int (*fn)(int, int (*)(int)) = lib ? (int (*)(int, int (*)(int)))dlsym(lib, "t_in_library") : NULL;

	if (!fn) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	for (int i = 0; i < 12 && !is_spinning; i++) { /* the first ones find it unknown */
		usleep(3000);
		fn(0, t_target);
	}
	sink += fn(id, t_target);
	dlclose(lib);
	KEEP();
}

static void wait_for(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	if (status)
		fprintf(stderr, "a child ended with %d\n", status);
}

FN void t_child(int id)
{
	look(id);
	KEEP();
}

FN void t_fork(int id)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 12 && !is_spinning; i++) {
			usleep(3000);
			t_child(0);
		}
		t_child(id);
		_exit(0);
	}
	wait_for(pid);
	KEEP();
}

static char **self;
FN void t_exec(int id)
{
	char number[16];
	char *const argv[] = {self[0], (char *)"executed", number, is_spinning ? (char *)"spin" : NULL, NULL};
	pid_t pid;

	snprintf(number, sizeof(number), "%d", id);
	pid = fork();
	if (!pid) {
		execv(self[0], argv);
		_exit(1);
	}
	wait_for(pid);
	KEEP();
}

FN int t_executed(int id)
{
	for (int i = 0; i < (is_spinning ? 4 : 20); i++) {
		usleep(is_spinning ? 0 : 3000);
		look(0);
	}
	int r = t_target(id);
	KEEP();
	return r;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static const struct {
	void (*run)(int id);
	const char *chain;
} scenarios[] = {
	{NULL, NULL},
	{t_recursion, "t_recurse*11 t_recursion"},
	{t_deep, "t_recurse*401 t_deep"},
	{t_qsort, "t_compare t_qsort"},
	{t_raise, "t_handler t_raise"},
	{t_first_instruction, "t_segv t_fault t_first_instruction"},
	{t_altstack, "t_handler t_altstack"},
	{t_destructor, "t_cleaning t_guard::~t_guard t_holder t_destructor"},
	{t_catch, "t_catch"},
	{t_alloca, "t_alloca"},
	{t_aligned, "t_aligned"},
	{t_aligned_alloca, "t_aligned_alloca"},
	{t_tail, "t_target t_tail"},
	{t_without_tables, "t_target t_bare t_without_tables"},
	{t_saved_register, "t_target t_save_all t_by_rbx t_saved_register"},
	{t_thread, "t_body -"},
	{t_swap, "t_coroutine -"},
	{t_arguments, "t_many t_arguments"},
	{t_longjmp, "t_longjmp"},
	{t_loaded, "t_target t_in_library t_loaded"},
	{t_fork, "t_child t_fork"},
	{t_exec, "t_target t_executed"},
	{t_nested_signals, "t_inner_handler t_outer_handler t_nested_signals"},
	{t_link, "t_linked -"},
	{t_lower_stack, "t_on_it t_on_stack t_from_low t_on_stack t_lower_stack"},
	{t_own_restorer, "t_restored t_restore t_own_restorer"},
	{t_signal_frame, "t_by_frame t_interrupting t_signal_frame"},
	{t_saved_pointer, "t_by_frame t_dereferenced t_saved_pointer"},
	{t_remembers, "t_by_frame t_remembering t_remembers"},
	{t_in_register, "t_by_frame t_by_register t_calling t_in_register"},
};
enum { N = sizeof(scenarios) / sizeof(scenarios[0]) };

static void print_chains(void)
{
	for (int i = 1; i < N; i++) {
		const char *s = scenarios[i].chain, *end = strstr(s, " -");

		printf("%d: %.*s%s\n", i, end ? (int)(end - s) : (int)strlen(s), s, end ? "" : " main");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	self = argv;
	if (argc > 2 && !strcmp(argv[1], "executed")) {
		is_spinning = argc > 3;
		t_executed(atoi(argv[2]));
		return 0;
	}
	library = argc > 2 ? argv[2] : NULL;
	is_spinning = argc > 3;
	print_chains();
	for (int i = 0; i < (is_spinning ? 5 : 40); i++) { /* the program gets known */
		usleep(is_spinning ? 0 : 3000);
		look(0);
	}
	for (int r = 0; r < rounds; r++)
		for (int i = 1; i < N; i++) {
			scenarios[i].run(i);
			usleep(1000);
		}
	return 0;
}
