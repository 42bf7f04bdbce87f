/* decode_task.c - numbers of calls on processes, signals, time and the system by their names. */
#include <asm/prctl.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>

#include "lang/stp/syscalls.h"

#define SIGNALS(ROW)                                                                                                              \
	ROW(SIGHUP), ROW(SIGINT), ROW(SIGQUIT), ROW(SIGILL), ROW(SIGTRAP), ROW(SIGABRT), ROW(SIGBUS), ROW(SIGFPE), ROW(SIGKILL),  \
		ROW(SIGUSR1), ROW(SIGSEGV), ROW(SIGUSR2), ROW(SIGPIPE), ROW(SIGALRM), ROW(SIGTERM), ROW(SIGCHLD), ROW(SIGCONT),   \
		ROW(SIGSTOP), ROW(SIGTSTP), ROW(SIGTTIN), ROW(SIGTTOU), ROW(SIGURG), ROW(SIGXCPU), ROW(SIGXFSZ), ROW(SIGVTALRM),  \
		ROW(SIGPROF), ROW(SIGWINCH), ROW(SIGPWR), ROW(SIGSYS)
#define IN_CLONE(x) M(0xff, #x, x)

#define IN_SET(x) B(#x, 1ull << ((x) - 1))

static const struct stp_code signals[] = {V("SIG_0", 0), SIGNALS(C), V("SIGIO/SIGPOLL", SIGIO)};
/* the low byte is the signal that the parent gets */
static const struct stp_code clone_flags[] = {
	F(CLONE_VM), F(CLONE_FS), F(CLONE_FILES), F(CLONE_SIGHAND), B("CLONE_PIDFD", 0x1000), F(CLONE_PTRACE), F(CLONE_VFORK), F(CLONE_PARENT), F(CLONE_THREAD),
	F(CLONE_NEWNS), F(CLONE_SYSVSEM), F(CLONE_SETTLS), F(CLONE_PARENT_SETTID), F(CLONE_CHILD_CLEARTID), F(CLONE_DETACHED), F(CLONE_UNTRACED),
	F(CLONE_CHILD_SETTID), F(CLONE_NEWCGROUP), F(CLONE_NEWUTS), F(CLONE_NEWIPC), F(CLONE_NEWUSER), F(CLONE_NEWPID), F(CLONE_NEWNET),
	F(CLONE_IO), SIGNALS(IN_CLONE),
};
static const struct stp_code signal_set[] = {SIGNALS(IN_SET), B("SIGIO/SIGPOLL", 1ull << (SIGIO - 1))};
static const struct stp_code sigmask_how[] = {C(SIG_BLOCK), C(SIG_UNBLOCK), C(SIG_SETMASK)};
static const struct stp_code handlers[] = {V("SIG_DFL", 0), V("SIG_IGN", 1)};
static const struct stp_code sa_flags[] = {
	F(SA_NOCLDSTOP), F(SA_NOCLDWAIT), B("SA_RESETHAND", 0x80000000), F(SA_ONSTACK), F(SA_RESTART), F(SA_NODEFER), F(SA_SIGINFO), B("SA_RESTORER", 0x04000000),
};
static const struct stp_code ss_flags[] = {V("SS_ONSTACK", 1), V("SS_DISABLE", 2)};
static const struct stp_code wait_options[] = {
	F(WNOHANG), F(WUNTRACED), F(WEXITED), F(WCONTINUED), F(WNOWAIT), F(__WNOTHREAD), F(__WALL), B("__WCLONE", 0x80000000),
};
static const struct stp_code waitid_which[] = {C(P_ALL), C(P_PID), C(P_PGID), V("P_PIDFD", 3)};
#define SCHED(x) M(0xbfffffff, #x, x)
static const struct stp_code sched_policy[] = {
	B("SCHED_RESET_ON_FORK", 0x40000000), SCHED(SCHED_OTHER), SCHED(SCHED_FIFO), SCHED(SCHED_RR), SCHED(SCHED_BATCH), SCHED(SCHED_IDLE),
	M(0xbfffffff, "SCHED_DEADLINE", 6), M(0xbfffffff, "SCHED_EXT", 7),
};
static const struct stp_code priority_which[] = {C(PRIO_PROCESS), C(PRIO_PGRP), C(PRIO_USER)};
static const struct stp_code rusage_who[] = {C(RUSAGE_SELF), C(RUSAGE_CHILDREN), V("RUSAGE_BOTH", -2), C(RUSAGE_THREAD)};
static const struct stp_code rlimit[] = {
	C(RLIMIT_CPU), C(RLIMIT_FSIZE), C(RLIMIT_DATA), C(RLIMIT_STACK), C(RLIMIT_CORE), C(RLIMIT_RSS), V("RLIMIT_NPROC", 6), C(RLIMIT_NOFILE),
	V("RLIMIT_MEMLOCK", 8), C(RLIMIT_AS), V("RLIMIT_LOCKS", 10), V("RLIMIT_SIGPENDING", 11), V("RLIMIT_MSGQUEUE", 12), V("RLIMIT_NICE", 13),
	V("RLIMIT_RTPRIO", 14), V("RLIMIT_RTTIME", 15),
};
static const struct stp_code itimer_which[] = {C(ITIMER_REAL), C(ITIMER_VIRTUAL), C(ITIMER_PROF)};
static const struct stp_code clocks[] = {
	C(CLOCK_REALTIME), C(CLOCK_MONOTONIC), C(CLOCK_PROCESS_CPUTIME_ID), C(CLOCK_THREAD_CPUTIME_ID), C(CLOCK_MONOTONIC_RAW),
	C(CLOCK_REALTIME_COARSE), C(CLOCK_MONOTONIC_COARSE), C(CLOCK_BOOTTIME), C(CLOCK_REALTIME_ALARM), C(CLOCK_BOOTTIME_ALARM),
	V("CLOCK_SGI_CYCLE", 10), C(CLOCK_TAI),
};
static const struct stp_code nanosleep_flags[] = {C(TIMER_ABSTIME)};
static const struct stp_code timex_modes[] = {
	V("ADJ_OFFSET_SINGLESHOT", 0x8001), F(ADJ_OFFSET), F(ADJ_FREQUENCY), F(ADJ_MAXERROR), F(ADJ_ESTERROR), F(ADJ_STATUS), F(ADJ_TIMECONST), F(ADJ_TICK),
};
#define FUTEX(x) V(#x, x), V(#x "_PRIVATE", (x) | FUTEX_PRIVATE_FLAG)
static const struct stp_code futex_op[] = {
	FUTEX(FUTEX_WAIT), FUTEX(FUTEX_WAKE), C(FUTEX_FD), FUTEX(FUTEX_REQUEUE), FUTEX(FUTEX_CMP_REQUEUE), FUTEX(FUTEX_WAKE_OP), FUTEX(FUTEX_LOCK_PI),
	FUTEX(FUTEX_UNLOCK_PI), FUTEX(FUTEX_TRYLOCK_PI), FUTEX(FUTEX_WAIT_BITSET), FUTEX(FUTEX_WAKE_BITSET), FUTEX(FUTEX_WAIT_REQUEUE_PI),
	FUTEX(FUTEX_CMP_REQUEUE_PI), V("FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME", 9 | 256), V("FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME", 9 | 128 | 256),
};
static const struct stp_code semctl_cmd[] = {
	C(IPC_INFO), V("SEM_INFO", 19), V("SEM_STAT", 18), C(GETALL), C(GETVAL), C(GETPID), C(GETNCNT), C(GETZCNT), C(IPC_STAT), C(SETVAL), C(SETALL), C(IPC_RMID),
	C(IPC_SET), V("SHM_LOCK", 11), V("SHM_UNLOCK", 12), V("SHM_STAT", 13), V("SHM_INFO", 14),
};
static const struct stp_code msgctl_cmd[] = {C(IPC_INFO), C(IPC_STAT), C(IPC_RMID), C(IPC_SET), V("MSG_INFO", 12), V("MSG_STAT", 11)};
static const struct stp_code msg_flags[] = {B("MSG_NOERROR", 010000), B("MSG_EXCEPT", 020000), F(IPC_NOWAIT)};
static const struct stp_code ipc_flags[] = {F(IPC_CREAT), F(IPC_EXCL)};
static const struct stp_code ioprio_which[] = {V("IOPRIO_WHO_PROCESS", 1), V("IOPRIO_WHO_PGRP", 2), V("IOPRIO_WHO_USER", 3)};
static const struct stp_code ioprio_class[] = {V("IOPRIO_CLASS_NONE", 0), V("IOPRIO_CLASS_RT", 1), V("IOPRIO_CLASS_BE", 2), V("IOPRIO_CLASS_IDLE", 3)};
static const struct stp_code kcmp_type[] = {V("KCMP_FILE", 0), V("KCMP_VM", 1), V("KCMP_FILES", 2), V("KCMP_FS", 3), V("KCMP_SIGHAND", 4), V("KCMP_IO", 5), V("KCMP_SYSVSEM", 6), V("KCMP_EPOLL_TFD", 7)};
static const struct stp_code arch_prctl[] = {C(ARCH_SET_GS), C(ARCH_SET_FS), C(ARCH_GET_FS), C(ARCH_GET_GS)};
static const struct stp_code prctl_option[] = {
	C(PR_SET_PDEATHSIG), C(PR_GET_PDEATHSIG), C(PR_GET_DUMPABLE), C(PR_SET_DUMPABLE), C(PR_GET_UNALIGN), C(PR_SET_UNALIGN), C(PR_GET_KEEPCAPS),
	C(PR_SET_KEEPCAPS), C(PR_GET_FPEMU), C(PR_SET_FPEMU), C(PR_GET_FPEXC), C(PR_SET_FPEXC), C(PR_GET_TIMING), C(PR_SET_TIMING), C(PR_SET_NAME),
	C(PR_GET_NAME), C(PR_GET_ENDIAN), C(PR_SET_ENDIAN), C(PR_GET_SECCOMP), C(PR_SET_SECCOMP), C(PR_CAPBSET_READ), C(PR_CAPBSET_DROP), C(PR_GET_TSC),
	C(PR_SET_TSC), C(PR_GET_SECUREBITS), C(PR_SET_SECUREBITS), C(PR_SET_TIMERSLACK), C(PR_GET_TIMERSLACK), C(PR_TASK_PERF_EVENTS_DISABLE),
	C(PR_TASK_PERF_EVENTS_ENABLE), C(PR_MCE_KILL), C(PR_MCE_KILL_GET), C(PR_SET_MM), C(PR_SET_PTRACER), C(PR_SET_CHILD_SUBREAPER),
	C(PR_GET_CHILD_SUBREAPER), C(PR_SET_NO_NEW_PRIVS), C(PR_GET_NO_NEW_PRIVS), C(PR_GET_TID_ADDRESS), C(PR_SET_THP_DISABLE), C(PR_GET_THP_DISABLE),
	C(PR_CAP_AMBIENT), V("PR_SET_VMA", 0x53564d41),
};
static const struct stp_code ptrace_request[] = {
	C(PTRACE_TRACEME), C(PTRACE_PEEKTEXT), C(PTRACE_PEEKDATA), V("PTRACE_PEEKUSR", 3), C(PTRACE_POKETEXT), C(PTRACE_POKEDATA), V("PTRACE_POKEUSR", 6),
	C(PTRACE_CONT), C(PTRACE_KILL), C(PTRACE_SINGLESTEP), C(PTRACE_GETREGS), C(PTRACE_SETREGS), C(PTRACE_GETFPREGS), C(PTRACE_SETFPREGS), C(PTRACE_ATTACH),
	C(PTRACE_DETACH), C(PTRACE_SYSCALL), C(PTRACE_SETOPTIONS), C(PTRACE_GETEVENTMSG), C(PTRACE_GETSIGINFO), C(PTRACE_SETSIGINFO), C(PTRACE_GETREGSET),
	C(PTRACE_SETREGSET), C(PTRACE_SEIZE), C(PTRACE_INTERRUPT), C(PTRACE_LISTEN), C(PTRACE_PEEKSIGINFO), C(PTRACE_GETSIGMASK), C(PTRACE_SETSIGMASK),
};
static const struct stp_code seccomp_op[] = {V("SECCOMP_SET_MODE_STRICT", 0), V("SECCOMP_SET_MODE_FILTER", 1), V("SECCOMP_GET_ACTION_AVAIL", 2), V("SECCOMP_GET_NOTIF_SIZES", 3)};
static const struct stp_code seccomp_flags[] = {B("SECCOMP_FILTER_FLAG_TSYNC", 1), B("SECCOMP_FILTER_FLAG_LOG", 2), B("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4), B("SECCOMP_FILTER_FLAG_NEW_LISTENER", 8)};
static const struct stp_code bpf_cmd[] = {
	C(BPF_MAP_CREATE), C(BPF_MAP_LOOKUP_ELEM), C(BPF_MAP_UPDATE_ELEM), C(BPF_MAP_DELETE_ELEM), C(BPF_MAP_GET_NEXT_KEY), C(BPF_PROG_LOAD), C(BPF_OBJ_PIN),
	C(BPF_OBJ_GET), C(BPF_PROG_ATTACH), C(BPF_PROG_DETACH), V("BPF_PROG_TEST_RUN", 10), C(BPF_PROG_GET_NEXT_ID), C(BPF_MAP_GET_NEXT_ID), C(BPF_PROG_GET_FD_BY_ID),
	C(BPF_MAP_GET_FD_BY_ID), C(BPF_OBJ_GET_INFO_BY_FD), C(BPF_PROG_QUERY), C(BPF_RAW_TRACEPOINT_OPEN), C(BPF_BTF_LOAD), C(BPF_BTF_GET_FD_BY_ID), C(BPF_TASK_FD_QUERY),
	C(BPF_MAP_LOOKUP_AND_DELETE_ELEM), C(BPF_MAP_FREEZE), C(BPF_BTF_GET_NEXT_ID), C(BPF_MAP_LOOKUP_BATCH), C(BPF_MAP_LOOKUP_AND_DELETE_BATCH), C(BPF_MAP_UPDATE_BATCH),
	C(BPF_MAP_DELETE_BATCH), C(BPF_LINK_CREATE), C(BPF_LINK_UPDATE), C(BPF_LINK_GET_FD_BY_ID), C(BPF_LINK_GET_NEXT_ID), C(BPF_ENABLE_STATS), C(BPF_ITER_CREATE),
	C(BPF_LINK_DETACH), C(BPF_PROG_BIND_MAP), V("BPF_TOKEN_CREATE", 36),
};
static const struct stp_code perf_flags[] = {F(PERF_FLAG_FD_NO_GROUP), F(PERF_FLAG_FD_OUTPUT), F(PERF_FLAG_PID_CGROUP), F(PERF_FLAG_FD_CLOEXEC)};
static const struct stp_code keyctl_cmd[] = {
	C(KEYCTL_GET_KEYRING_ID), C(KEYCTL_JOIN_SESSION_KEYRING), C(KEYCTL_UPDATE), C(KEYCTL_REVOKE), C(KEYCTL_CHOWN), C(KEYCTL_SETPERM), C(KEYCTL_DESCRIBE), C(KEYCTL_CLEAR),
	C(KEYCTL_LINK), C(KEYCTL_UNLINK), C(KEYCTL_SEARCH), C(KEYCTL_READ), C(KEYCTL_INSTANTIATE), C(KEYCTL_NEGATE), C(KEYCTL_SET_REQKEY_KEYRING), C(KEYCTL_SET_TIMEOUT),
	C(KEYCTL_ASSUME_AUTHORITY), C(KEYCTL_GET_SECURITY), C(KEYCTL_SESSION_TO_PARENT), C(KEYCTL_REJECT), C(KEYCTL_INSTANTIATE_IOV), C(KEYCTL_INVALIDATE),
	C(KEYCTL_GET_PERSISTENT),
};
static const struct stp_code reboot_magic[] = {C(LINUX_REBOOT_MAGIC1), C(LINUX_REBOOT_MAGIC2), C(LINUX_REBOOT_MAGIC2A), C(LINUX_REBOOT_MAGIC2B), C(LINUX_REBOOT_MAGIC2C)};
static const struct stp_code reboot_cmd[] = {
	C(LINUX_REBOOT_CMD_RESTART), C(LINUX_REBOOT_CMD_HALT), C(LINUX_REBOOT_CMD_CAD_ON), C(LINUX_REBOOT_CMD_CAD_OFF), C(LINUX_REBOOT_CMD_POWER_OFF),
	C(LINUX_REBOOT_CMD_RESTART2), C(LINUX_REBOOT_CMD_SW_SUSPEND), C(LINUX_REBOOT_CMD_KEXEC),
};
static const struct stp_code finit_module[] = {F(MODULE_INIT_IGNORE_MODVERSIONS), F(MODULE_INIT_IGNORE_VERMAGIC), B("MODULE_INIT_COMPRESSED_FILE", 4)};
static const struct stp_code getrandom_flags[] = {F(GRND_NONBLOCK), F(GRND_RANDOM), F(GRND_INSECURE)};
static const struct stp_code kexec_flags[] = {B("KEXEC_ON_CRASH", 1), B("KEXEC_PRESERVE_CONTEXT", 2), B("KEXEC_ARCH_X86_64", 62 << 16)};
static const struct stp_code kexec_file[] = {B("KEXEC_FILE_UNLOAD", 1), B("KEXEC_FILE_ON_CRASH", 2), B("KEXEC_FILE_NO_INITRAMFS", 4)};

const struct stp_decoder stp_decode_task[] = {
	ENUM("signal", signals), FLAGS("clone", clone_flags), FLAGS("sigset", signal_set), ENUM("sigmask_how", sigmask_how), ENUM("sa_handler", handlers), FLAGS("sa_flags", sa_flags),
	ENUM("ss_flags", ss_flags), FLAGS("wait", wait_options), ENUM("waitid", waitid_which), FLAGS("sched_policy", sched_policy), ENUM("priority", priority_which),
	ENUM("rusage", rusage_who), ENUM("rlimit", rlimit), ENUM("itimer", itimer_which), ENUM("clock", clocks), ENUM("clock_nanosleep", nanosleep_flags),
	FLAGS("timex_modes", timex_modes), ENUM("futex", futex_op), ENUM("semctl", semctl_cmd), ENUM("msgctl", msgctl_cmd), FLAGS("msgflg", msg_flags),
	FLAGS_OCT("ipc_flags", ipc_flags), ENUM("ioprio_which", ioprio_which), ENUM("ioprio_class", ioprio_class), ENUM("kcmp", kcmp_type), ENUM("arch_prctl", arch_prctl),
	ENUM("prctl", prctl_option), ENUM("ptrace", ptrace_request), ENUM("seccomp_op", seccomp_op), FLAGS("seccomp", seccomp_flags), ENUM("bpf", bpf_cmd),
	FLAGS("perf_flags", perf_flags), ENUM("keyctl", keyctl_cmd), ENUM("reboot_magic", reboot_magic), ENUM("reboot", reboot_cmd), FLAGS("finit_module", finit_module),
	FLAGS("getrandom", getrandom_flags), FLAGS("kexec", kexec_flags), FLAGS("kexec_file", kexec_file),
	{0},
};
