/* cdef_const.c - constants that scripts expect from kernel headers and that BTF does not know: they
 * are macros. */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lang/bt/cdef.h"

#define K(name)                        \
	{                              \
#name, (int64_t)(name) \
	}
static const struct {
	const char *name;
	int64_t value;
} constants[] = {
	K(AF_UNSPEC),
	K(AF_UNIX),
	K(AF_INET),
	K(AF_INET6),
	K(AF_NETLINK),
	K(AF_PACKET),
	K(PF_UNIX),
	K(PF_INET),
	K(PF_INET6),
	K(SOCK_STREAM),
	K(SOCK_DGRAM),
	K(SOCK_RAW),
	K(SOCK_SEQPACKET),
	K(SOCK_NONBLOCK),
	K(SOCK_CLOEXEC),
	K(IPPROTO_IP),
	K(IPPROTO_ICMP),
	K(IPPROTO_TCP),
	K(IPPROTO_UDP),
	K(IPPROTO_IPV6),
	K(IPPROTO_ICMPV6),
	K(O_RDONLY),
	K(O_WRONLY),
	K(O_RDWR),
	K(O_CREAT),
	K(O_EXCL),
	K(O_TRUNC),
	K(O_APPEND),
	K(O_NONBLOCK),
	K(O_DIRECTORY),
	K(O_CLOEXEC),
	K(O_SYNC),
	K(O_DIRECT),
	K(O_PATH),
	K(O_NOFOLLOW),
	K(O_TMPFILE),
	K(S_IFMT),
	K(S_IFSOCK),
	K(S_IFLNK),
	K(S_IFREG),
	K(S_IFBLK),
	K(S_IFDIR),
	K(S_IFCHR),
	K(S_IFIFO),
	K(SIGHUP),
	K(SIGINT),
	K(SIGQUIT),
	K(SIGILL),
	K(SIGTRAP),
	K(SIGABRT),
	K(SIGBUS),
	K(SIGFPE),
	K(SIGKILL),
	K(SIGUSR1),
	K(SIGSEGV),
	K(SIGUSR2),
	K(SIGPIPE),
	K(SIGALRM),
	K(SIGTERM),
	K(SIGCHLD),
	K(SIGCONT),
	K(SIGSTOP),
	K(SIGTSTP),
	K(SIGWINCH),
	K(SIGIO),
	K(SIGSYS),
	K(PATH_MAX),
	K(NAME_MAX),
	{"TASK_RUNNING", 0},
	{"TASK_INTERRUPTIBLE", 1},
	{"TASK_UNINTERRUPTIBLE", 2},
	{"TASK_COMM_LEN", 16},
	{"MINORBITS", 20},
	{"MINORMASK", (1 << 20) - 1},
	{"NSEC_PER_SEC", 1000000000},
	{"NSEC_PER_MSEC", 1000000},
	{"NSEC_PER_USEC", 1000},
	{"USEC_PER_SEC", 1000000},
	{"PAGE_SHIFT", 12},
	{"PAGE_SIZE", 4096},
	{"HZ", 250},
	{"NULL", 0},
	/* sched.h */
	{"CLONE_VM", 0x100},
	{"CLONE_THREAD", 0x10000},
	{"PF_KTHREAD", 0x200000},
	{"PF_EXITING", 4},
};
#undef K

bool cdef_well_known(const char *name, int64_t *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
		if (strcmp(constants[i].name, name))
			continue;
		*v = constants[i].value;
		return true;
	}
	return false;
}
