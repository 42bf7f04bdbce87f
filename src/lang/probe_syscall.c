/*
 * probe_syscall.c - where the kernel preempts handlers at system calls, and the way round it.
 *
 * Since 7.2 programs on the events syscalls:* run where they could sleep (trace_call_bpf_faultable() in kernel/trace/bpf_trace.c), those on the
 * raw tracepoints sys_enter and sys_exit as well.  A program runs once a CPU at most (prog->active): while a thread is preempted in the middle
 * of it, it is skipped for every other thread that gets this CPU, which loses 10 to 60% of the events on a busy machine.  The
 * events raw_syscalls:* are made with preemption off on every kernel (include/trace/perf.h), and what a program sees there is the same:
 * the number at 8, arguments or the result from 16 on.  So handlers go there, and attach/attach_syscall.c lets each see its own calls only.
 */
#include "lang/probe_internal.h"

#include <stdlib.h>


static const struct syscall_name {
	int number;
	const char *name;
} syscalls[] = {
#define SYSCALL(number, name) {number, name},
#include "lang/syscalls_x86_64.def"
#undef SYSCALL
	/* events are named after the kernel's functions: arch/x86/entry/syscalls/syscall_64.tbl */
	{4, "newstat"},
	{5, "newfstat"},
	{6, "newlstat"},
	{40, "sendfile64"},
	{63, "newuname"},
	{166, "umount"},
};

/* The number of the call that an event sys_enter_NAME or sys_exit_NAME is of; -1: not known. */
static int number_of(const char *event)
{
	const char *name = str_has_prefix(event, "sys_enter_") ? event + strlen("sys_enter_")
			 : str_has_prefix(event, "sys_exit_")  ? event + strlen("sys_exit_")
							       : "";
	for (size_t i = ARRAY_SIZE(syscalls); i-- > 0;)
		if (str_eq(syscalls[i].name, name) && syscalls[i].number < SYSCALL_NUMBERS)
			return syscalls[i].number;
	return -1;
}

static bool preempts(struct world *w)
{
	if (!w->preempts_syscalls) {
		_cleanup_free_ char *path = xasprintf("%s/proc/sys/kernel/osrelease", w->root), *release = read_file(path, NULL);
		/* before 7 there is nothing to look for, and looking costs 4 ms */
		struct btf *btf = release && atoi(release) < 7 ? NULL : world_btf(w, NULL);
		w->preempts_syscalls = btf && btf_find(btf, BTF_NS_FUNC, "trace_call_bpf_faultable") ? 1 : -1;
	}
	return w->preempts_syscalls > 0;
}

static bool is_syscall_event(const struct attach_point *p)
{
	return p->kind == PK_TRACEPOINT && str_eq(p->target, "syscalls");
}

static bool is_raw_syscall(const struct attach_point *p)
{
	return p->kind == PK_RAWTRACEPOINT && str_eq(p->target, "vmlinux") && (str_eq(p->func, "sys_enter") || str_eq(p->func, "sys_exit"));
}

void probe_avoid_preemption(struct world *w, struct attach_point *p)
{
	/* the kernel does not count the runs of programs that another one jumps to */
	int number = is_syscall_event(p) && !w->counts_runs ? number_of(p->func) : -1;
	if ((number < 0 && !is_raw_syscall(p)) || !w->tracefs || !preempts(w))
		return;
	p->is_raw_event = true;
	p->syscall = number;
}

bool probe_is_preempted(struct world *w, const struct attach_point *p)
{
	return is_syscall_event(p) && !p->is_raw_event && preempts(w);
}
