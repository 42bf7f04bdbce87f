/* loaded.c prog|map|link ID - succeeds when the kernel still has that BPF object. */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = (unsigned)atoi(argv[2]); /* map_id and link_id are the same place */
	int cmd = argv[1][0] == 'p' ? BPF_PROG_GET_FD_BY_ID : argv[1][0] == 'm' ? BPF_MAP_GET_FD_BY_ID : BPF_LINK_GET_FD_BY_ID;
	return syscall(SYS_bpf, cmd, &attr, sizeof(attr)) < 0;
}
