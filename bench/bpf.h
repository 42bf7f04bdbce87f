/* bpf.h - bpf(2) without libbpf, as far as the bench needs it. */
#pragma once

#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* The id of the next program after `id`, 0: none. */
static inline uint32_t next_prog(uint32_t id)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.start_id = id;
	return bpf(BPF_PROG_GET_NEXT_ID, &attr) ? 0 : attr.next_id;
}

static inline int prog_open(uint32_t id)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return (int)bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static inline int prog_info(int fd, struct bpf_prog_info *ret)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	memset(ret, 0, sizeof(*ret));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*ret);
	attr.info.info = (uintptr_t)ret;
	return (int)bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}
