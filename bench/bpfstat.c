/*
 * bpfstat.c - one line a loaded BPF program: id, name, run count, run time in ns (kernel.bpf_stats_enabled=1).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

int main(void)
{
	for (uint32_t id = 0;;) {
		union bpf_attr attr = {.start_id = id};
		if (bpf(BPF_PROG_GET_NEXT_ID, &attr))
			return errno == ENOENT ? 0 : 1;
		id = attr.next_id;
		attr = (union bpf_attr){.prog_id = id};
		int fd = (int)bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (fd < 0)
			continue;
		struct bpf_prog_info info = {0};
		attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info}};
		if (!bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
			printf("%u %s %llu %llu\n", id, info.name[0] ? info.name : "-", info.run_cnt, info.run_time_ns);
		close(fd);
	}
}
