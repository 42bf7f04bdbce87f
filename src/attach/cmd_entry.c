/*
 * cmd_entry.c - holds the traced command at its first own instruction: all libraries that it is
 * linked with are mapped then, and nothing of it has run.
 *
 * By ptrace(2): it stops when exec has replaced us, and at a breakpoint on the entry point
 * (AT_ENTRY) that the dynamic loader jumps to.  What does not work out lets the command simply run.
 */
#include "attach/session.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* The next stop of the process, or its end (false, *status says how). */
static bool next_stop(pid_t pid, int *status)
{
	while (waitpid(pid, status, __WALL) != pid)
		if (errno != EINTR)
			return false;
	return WIFSTOPPED(*status);
}

static bool is_event(int status, int event)
{
	return status >> 8 == (SIGTRAP | event << 8);
}

/* Goes on until it stops for what is waited for; signals on the way are delivered. */
static bool run_until(pid_t pid, int event, int *status)
{
	while (next_stop(pid, status)) {
		int sig = WSTOPSIG(*status);

		if (event ? is_event(*status, event) : *status >> 8 == SIGTRAP)
			return true;
		if (*status >> 16) /* some other event, no signal */
			sig = 0;
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)sig) < 0)
			return false;
	}
	return false;
}

/* AT_ENTRY of a 64-bit process; 0: not to be had. */
static uint64_t entry_of(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/auxv", (int)pid);
	size_t n = 0;
	_cleanup_free_ char *data = read_file(path, &n);
	Elf64_auxv_t a;

	for (size_t at = 0; data && at + sizeof(a) <= n; at += sizeof(a)) {
		memcpy(&a, data + at, sizeof(a));
		if (a.a_type == AT_ENTRY)
			return a.a_un.a_val;
		if (a.a_type == AT_NULL)
			break;
	}
	return 0;
}

#if defined(__x86_64__)
static bool run_to(pid_t pid, uint64_t address, int *status)
{
	enum {
		INT3 = 0xcc,
		USER64 = 0x33
	};
	struct user_regs_struct regs;
	long word, broken;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 || regs.cs != USER64)
		return false;
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
	if (errno || (word & 0xff) == INT3) /* a probe is there already */
		return false;
	broken = (word & ~0xffl) | INT3;
	if (ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)broken) < 0)
		return false;
	bool there = ptrace(PTRACE_CONT, pid, NULL, NULL) == 0 && run_until(pid, 0, status);
	if (ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)word) < 0)
		return false; /* it has ended */
	if (!there || ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 || regs.rip != address + 1)
		return false;
	regs.rip = address;
	return ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0;
}
#else
static bool run_to(pid_t pid, uint64_t address, int *status)
{
	return false;
}
#endif

bool cmd_hold(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXEC) == 0;
}

bool cmd_run_to_exec(pid_t pid, int *status)
{
	*status = 0;
	return run_until(pid, PTRACE_EVENT_EXEC, status);
}

bool cmd_run_to_entry(pid_t pid, int *status)
{
	uint64_t entry = entry_of(pid);

	return entry && run_to(pid, entry, status);
}

void cmd_let_go(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}
