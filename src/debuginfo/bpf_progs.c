/*
 * bpf_progs.c - the BPF programs that are loaded, as places for fentry and fexit.
 *
 * Only programs with BTF can be traced; its description of the program's main function has the name in full, where the kernel's own
 * name of a program is cut at 15 bytes (include/uapi/linux/bpf.h, struct bpf_prog_info).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "debuginfo/world.h"

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static int fd_of(int cmd, uint32_t id)
{
	union bpf_attr attr = {.prog_id = id}; /* the same place as btf_id */

	return (int)bpf(cmd, &attr);
}

static bool info_of(int fd, void *info, uint32_t size)
{
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info = (uint64_t)(uintptr_t)info;
	attr.info.info_len = size;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0;
}

/* The bytes of a BTF object that was loaded with a program; heap, NULL on failure. */
static void *btf_bytes(uint32_t id, uint32_t *len)
{
	struct bpf_btf_info info = {0};
	int fd = fd_of(BPF_BTF_GET_FD_BY_ID, id);
	void *data = NULL;

	if (fd >= 0 && info_of(fd, &info, sizeof(info)) && info.btf_size && info.btf_size < 16u << 20) {
		data = xmalloc(*len = info.btf_size);
		info = (struct bpf_btf_info){.btf = (uint64_t)(uintptr_t)data, .btf_size = *len};
		if (!info_of(fd, &info, sizeof(info))) {
			free(data);
			data = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return data;
}

/* Type id in the program's BTF of its main function; 0: it has none. */
static uint32_t main_func(int fd, const struct bpf_prog_info *info)
{
	_cleanup_free_ uint8_t *records = NULL;
	struct bpf_prog_info with = {.nr_func_info = 1, .func_info_rec_size = info->func_info_rec_size};
	uint32_t id = 0;

	if (!info->btf_id || !info->nr_func_info || info->func_info_rec_size < sizeof(struct bpf_func_info))
		return 0;
	records = xcalloc(1, info->func_info_rec_size);
	with.func_info = (uint64_t)(uintptr_t)records;
	if (info_of(fd, &with, sizeof(with)))
		memcpy(&id, records + offsetof(struct bpf_func_info, type_id), sizeof(id));
	return id;
}

static void look_at(int fd, void (*fn)(void *arg, const struct bpf_prog_desc *p), void *arg)
{
	struct bpf_prog_info info = {0};
	struct btf *btf = NULL;
	_cleanup_free_ void *data = NULL;
	uint32_t len = 0, func;

	if (!info_of(fd, &info, sizeof(info)) || !(func = main_func(fd, &info)) || !(data = btf_bytes(info.btf_id, &len)))
		return;
	struct err *e = btf_open_bytes(data, len, NULL, &btf);
	if (!e) {
		const char *name = btf_func_name(btf, func);

		if (name && *name)
			fn(arg, &(struct bpf_prog_desc){info.id, func, name});
		btf_close(btf);
	}
	err_free(e);
}

void bpf_progs_each(void (*fn)(void *arg, const struct bpf_prog_desc *p), void *arg)
{
	union bpf_attr attr = {0};

	while (bpf(BPF_PROG_GET_NEXT_ID, &attr) == 0) {
		uint32_t id = attr.next_id;
		int fd = fd_of(BPF_PROG_GET_FD_BY_ID, id);

		if (fd >= 0) { /* it may have gone meanwhile */
			look_at(fd, fn, arg);
			close(fd);
		}
		attr = (union bpf_attr){.start_id = id};
	}
}
