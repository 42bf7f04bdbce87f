/* sys.c - the kernel's doors; see sys.h. */
#include "attach/sys.h"

#include <errno.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* BPF_LINK_CREATE as of 6.18; a kernel refuses only non-zero bytes that it does not know. */
struct link_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	union {
		struct {
			uint64_t cookie;
		} perf;
		struct {
			uint32_t flags, cnt;
			uint64_t syms, addrs, cookies;
		} kprobes;
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, flags, pid, pad;
		} uprobes;
		struct {
			uint64_t info;
			uint32_t len;
		} iter;
		struct {
			uint32_t pf, hook;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		struct {
			uint64_t ids, cookies;
			uint32_t cnt;
		} functions; /* tracing_multi */
	};
};

static int sys_bpf(int cmd, void *attr, size_t size)
{
	long ret = syscall(__NR_bpf, cmd, attr, size);

	return ret < 0 ? -errno : (int)ret;
}

static uint64_t ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* Only the characters that the kernel takes in object names. */
static void object_name(char dst[BPF_OBJ_NAME_LEN], const char *src)
{
	size_t n = 0;

	for (; src && *src && n < BPF_OBJ_NAME_LEN - 1; src++) {
		char c = *src;
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '_' || c == '.';

		if (ok)
			dst[n++] = c;
		else if (n)
			dst[n++] = '_';
	}
	dst[n] = '\0';
}

int sys_map_create(const char *name, enum bpf_map_type type, uint32_t key_size, uint32_t value_size,
		   uint32_t nentries, uint32_t flags)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key_size,
			       .value_size = value_size,
			       .max_entries = nentries,
			       .map_flags = flags};

	object_name(attr.map_name, name);
	return sys_bpf(BPF_MAP_CREATE, &attr,
		       offsetof(union bpf_attr, map_extra) + sizeof(attr.map_extra));
}

int sys_map_create_outer(const char *name, uint32_t nentries, int inner_fd)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = nentries,
			       .inner_map_fd = (uint32_t)inner_fd};

	object_name(attr.map_name, name);
	return sys_bpf(BPF_MAP_CREATE, &attr, offsetof(union bpf_attr, map_extra) + sizeof(attr.map_extra));
}

static int map_elem(int cmd, int fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)fd, .key = ptr(key), .value = ptr(value), .flags = flags};

	return sys_bpf(cmd, &attr, offsetof(union bpf_attr, flags) + sizeof(attr.flags));
}

int sys_map_lookup(int fd, const void *key, void *value)
{
	return map_elem(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

int sys_map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	return map_elem(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

int sys_map_delete(int fd, const void *key)
{
	return map_elem(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

int sys_map_next_key(int fd, const void *key, void *next)
{
	return map_elem(BPF_MAP_GET_NEXT_KEY, fd, key, next, 0);
}

int sys_map_freeze(int fd)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd};

	return sys_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr.map_fd));
}

static int map_batch(int cmd, int fd, const void *in, void *out, void *keys, void *values,
		     uint32_t *count)
{
	union bpf_attr attr = {0};
	int ret;

	attr.batch.in_batch = ptr(in);
	attr.batch.out_batch = ptr(out);
	attr.batch.keys = ptr(keys);
	attr.batch.values = ptr(values);
	attr.batch.count = *count;
	attr.batch.map_fd = (uint32_t)fd;
	ret = sys_bpf(cmd, &attr, sizeof(attr.batch));
	*count = attr.batch.count;
	return ret;
}

int sys_map_lookup_batch(int fd, const void *in, void *out, void *keys, void *values,
			 uint32_t *count)
{
	return map_batch(BPF_MAP_LOOKUP_BATCH, fd, in, out, keys, values, count);
}

int sys_map_take_batch(int fd, const void *in, void *out, void *keys, void *values, uint32_t *count)
{
	return map_batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, in, out, keys, values, count);
}

int sys_prog_load(const struct sys_prog *p)
{
	union bpf_attr attr = {0};
	int ret, tries = 5;

	attr.prog_type = p->type;
	attr.insns = ptr(p->insn);
	attr.insn_cnt = p->ninsn;
	attr.license = ptr(p->license);
	attr.prog_flags = p->flags;
	attr.expected_attach_type = p->attach_type;
	attr.attach_btf_id = p->attach_btf_id;
	attr.attach_btf_obj_fd = (uint32_t)p->attach_fd; /* the same place as attach_prog_fd */
	if (p->btf_fd > 0) {
		attr.prog_btf_fd = (uint32_t)p->btf_fd;
		attr.func_info = ptr(p->func_info);
		attr.func_info_cnt = p->nfunc_info;
		attr.func_info_rec_size = sizeof(struct bpf_func_info);
		attr.line_info = ptr(p->line_info);
		attr.line_info_cnt = p->nline_info;
		attr.line_info_rec_size = p->nline_info ? sizeof(struct bpf_line_info) : 0;
	}
	if (p->log) {
		attr.log_buf = ptr(p->log);
		attr.log_size = p->log_size;
		attr.log_level = p->log_level;
	}
	object_name(attr.prog_name, p->name);
	/* -EAGAIN: a signal came while the verifier was at work */
	do
		ret = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	while (ret == -EAGAIN && --tries);
	return ret;
}

int sys_prog_fd_by_id(uint32_t id)
{
	union bpf_attr attr = {.prog_id = id};

	return sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
}

static bool is_module_btf(int fd, const char *module)
{
	char name[64] = "";
	struct bpf_btf_info info = {.name = ptr(name), .name_len = sizeof(name)};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info = ptr(&info);
	attr.info.info_len = sizeof(info);
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.info)) == 0 && info.kernel_btf &&
	       strcmp(name, module) == 0;
}

int sys_module_btf_fd(const char *module)
{
	union bpf_attr attr = {0};

	while (sys_bpf(BPF_BTF_GET_NEXT_ID, &attr, sizeof(attr)) == 0) {
		uint32_t id = attr.next_id;
		union bpf_attr get = {.btf_id = id};
		int fd = sys_bpf(BPF_BTF_GET_FD_BY_ID, &get, sizeof(get));

		if (fd >= 0 && is_module_btf(fd, module))
			return fd;
		if (fd >= 0)
			close(fd);
		attr = (union bpf_attr){.start_id = id};
	}
	return -ENOENT;
}

int sys_btf_load(const void *data, uint32_t len)
{
	union bpf_attr attr = {0};

	attr.btf = ptr(data);
	attr.btf_size = len;
	return sys_bpf(BPF_BTF_LOAD, &attr,
		       offsetof(union bpf_attr, btf_log_level) + sizeof(uint32_t));
}

int sys_prog_run(int fd, const void *ctx, uint32_t ctx_size, uint32_t *retval)
{
	union bpf_attr attr = {0};
	int ret;

	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = ptr(ctx);
	attr.test.ctx_size_in = ctx_size;
	ret = sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
	if (retval)
		*retval = attr.test.retval;
	return ret;
}

int sys_prog_run_on(int fd, uint32_t cpu)
{
	union bpf_attr attr = {0};

	attr.test.prog_fd = (uint32_t)fd;
	attr.test.flags = BPF_F_TEST_RUN_ON_CPU;
	attr.test.cpu = cpu;
	return sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
}

int sys_prog_repeat(int fd, const void *data, uint32_t size, uint32_t repeat, uint32_t *retval, uint32_t *ns)
{
	union bpf_attr attr = {0};
	int ret;

	attr.test.prog_fd = (uint32_t)fd;
	attr.test.data_in = ptr(data);
	attr.test.data_size_in = size;
	attr.test.repeat = repeat;
	ret = sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr.test));
	*retval = attr.test.retval;
	*ns = attr.test.duration;
	return ret;
}

int sys_enable_stats(void)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};

	return sys_bpf(BPF_ENABLE_STATS, &attr, sizeof(attr.enable_stats));
}

int sys_prog_info(int fd, struct sys_prog_info *ret)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};
	int code;

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = ptr(&info);
	code = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.info));
	*ret = (struct sys_prog_info){info.run_cnt, info.run_time_ns, info.recursion_misses,
				      info.verified_insns};
	return code;
}

int sys_link_perf(int prog_fd, int perf_fd, uint64_t cookie)
{
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd,
				 .target_fd = (uint32_t)perf_fd,
				 .attach_type = BPF_PERF_EVENT,
				 .perf.cookie = cookie};

	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int sys_link_kprobes(int prog_fd, const struct sys_multi *m)
{
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd, .attach_type = m->attach_type};

	attr.kprobes.flags = m->flags;
	attr.kprobes.cnt = m->n;
	attr.kprobes.syms = ptr(m->symbol);
	attr.kprobes.addrs = ptr(m->address);
	attr.kprobes.cookies = ptr(m->cookie);
	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int sys_link_uprobes(int prog_fd, const struct sys_multi *m)
{
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd, .attach_type = m->attach_type};

	attr.uprobes.path = ptr(m->path);
	attr.uprobes.offsets = ptr(m->offset);
	attr.uprobes.ref_ctr_offsets = ptr(m->semaphore);
	attr.uprobes.cookies = ptr(m->cookie);
	attr.uprobes.cnt = m->n;
	attr.uprobes.flags = m->flags;
	attr.uprobes.pid = m->pid;
	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* struct bpf_link_info of 6.18, as far as it tells of missed hits; older kernels fill less of it. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	union {
		struct {
			uint64_t addrs;
			uint32_t count, flags;
			uint64_t missed;
		} kprobes;
		struct {
			uint32_t type, pad;
			uint64_t name;
			uint32_t name_len, offset;
			uint64_t addr, missed;
		} perf;
	};
	uint64_t later[4];
};

uint64_t sys_link_missed(int link_fd)
{
	enum { LINK_PERF_EVENT = 7, LINK_KPROBE_MULTI = 8, PERF_EVENT_KPROBE = 3, PERF_EVENT_KRETPROBE = 4 };
	struct link_info info = {0};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)link_fd;
	attr.info.info = ptr(&info);
	attr.info.info_len = sizeof(info);
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.info)) < 0)
		return 0;
	if (info.type == LINK_KPROBE_MULTI)
		return info.kprobes.missed;
	if (info.type == LINK_PERF_EVENT && (info.perf.type == PERF_EVENT_KPROBE || info.perf.type == PERF_EVENT_KRETPROBE))
		return info.perf.missed;
	return 0;
}

int sys_link_iter(int prog_fd, enum sys_iter_over over, uint32_t pid)
{
	/* union bpf_iter_link_info; its member `task`: tid, pid, pid_fd; `cgroup`: order, fd (0: the root), u64 id */
	uint32_t info[4] = {over == SYS_ITER_CGROUPS ? 2 /* BPF_CGROUP_ITER_DESCENDANTS_PRE */ : 0, over == SYS_ITER_TASKS ? pid : 0, 0, 0};
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd, .attach_type = BPF_TRACE_ITER};

	if (info[0] || info[1]) {
		attr.iter.info = ptr(info);
		attr.iter.len = sizeof(info);
	}
	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int sys_pin(int fd, const char *path)
{
	struct {
		uint64_t path;
		uint32_t fd, flags;
	} attr = {.path = ptr(path), .fd = (uint32_t)fd};

	return sys_bpf(BPF_OBJ_PIN, &attr, sizeof(attr));
}

int sys_link_netfilter(int prog_fd, uint32_t pf, uint32_t hook, int32_t priority)
{
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd,
				 .attach_type = SYS_NETFILTER,
				 .netfilter = {.pf = pf, .hook = hook, .priority = priority}};

	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int sys_link_functions(int prog_fd, uint32_t attach_type, const uint32_t *id, const uint64_t *cookie, uint32_t n)
{
	struct link_attr attr = {.prog_fd = (uint32_t)prog_fd,
				 .attach_type = attach_type,
				 .functions = {.ids = ptr(id), .cookies = ptr(cookie), .cnt = n}};

	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int sys_iter_open(int link_fd)
{
	union bpf_attr attr = {0};

	attr.iter_create.link_fd = (uint32_t)link_fd;
	return sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr.iter_create));
}

int sys_raw_tracepoint(const char *name, int prog_fd)
{
	union bpf_attr attr = {0};

	attr.raw_tracepoint.name = ptr(name);
	attr.raw_tracepoint.prog_fd = (uint32_t)prog_fd;
	return sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr.raw_tracepoint));
}

int sys_perf_open(struct perf_event_attr *attr, int pid, int cpu, int group, unsigned long flags)
{
	long ret;

	attr->size = sizeof(*attr);
	ret = syscall(__NR_perf_event_open, attr, pid, cpu, group, flags | PERF_FLAG_FD_CLOEXEC);
	return ret < 0 ? -errno : (int)ret;
}

int sys_pidfd_open(int pid)
{
	long ret = syscall(__NR_pidfd_open, pid, 0);

	return ret < 0 ? -errno : (int)ret;
}
