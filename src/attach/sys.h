/*
 * sys.h - one wrapper a bpf(2) command and perf_event_open(2).
 *
 * Every function returns a file descriptor or 0 on success and a negative errno value on failure.
 * The layouts that are newer than the oldest kernel headers we build with are declared here.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

/* Programs and attach types that <linux/bpf.h> of 6.1 does not know (include/uapi/linux/bpf.h of 6.18). */
enum {
	SYS_PROG_TYPE_NETFILTER = 32,
	SYS_NETFILTER = 45,
	SYS_TRACE_UPROBE_MULTI = 48,
	SYS_TRACE_KPROBE_SESSION = 56,
	SYS_TRACE_UPROBE_SESSION = 57,
	SYS_TRACE_FENTRY_MULTI = 59, /* these two of 7.2 */
	SYS_TRACE_FEXIT_MULTI = 60,
	SYS_MULTI_RETURN = 1, /* BPF_F_KPROBE_MULTI_RETURN, BPF_F_UPROBE_MULTI_RETURN */
};

int sys_map_create(const char *name, enum bpf_map_type type, uint32_t key_size, uint32_t value_size,
		   uint32_t nentries, uint32_t flags);
/* An array of maps like the one of inner_fd. */
int sys_map_create_outer(const char *name, uint32_t nentries, int inner_fd);
int sys_map_lookup(int fd, const void *key, void *value);
int sys_map_update(int fd, const void *key, const void *value, uint64_t flags);
int sys_map_delete(int fd, const void *key);
int sys_map_next_key(int fd, const void *key, void *next); /* key NULL: the first */
int sys_map_freeze(int fd);
/*
 * BPF_MAP_LOOKUP_BATCH: up to *count elements; `in` NULL starts, `out` is the place to go on from
 * (both as large as a key, at least 4 bytes).  *count is what came.  -ENOENT: that was the last of
 * it, *count is valid.
 */
int sys_map_lookup_batch(int fd, const void *in, void *out, void *keys, void *values,
			 uint32_t *count);
/* The same, and they are deleted.  -ENOSPC: the next bucket has more than *count; nothing was deleted. */
int sys_map_take_batch(int fd, const void *in, void *out, void *keys, void *values, uint32_t *count);

struct sys_prog {
	enum bpf_prog_type type;
	uint32_t attach_type;   /* expected */
	uint32_t attach_btf_id; /* tracing programs */
	int attach_fd;          /* BTF of a module or a BPF program that attach_btf_id is of; 0: vmlinux */
	uint32_t flags;         /* BPF_F_SLEEPABLE */
	const struct bpf_insn *insn;
	uint32_t ninsn;
	const char *name, *license;
	int btf_fd; /* 0: none */
	const void *func_info, *line_info;
	uint32_t nfunc_info, nline_info;
	char *log; /* NULL: no log */
	uint32_t log_size, log_level;
};
int sys_prog_load(const struct sys_prog *p);
/* Counters of a program; runs are counted while kernel.bpf_stats_enabled is set. */
struct sys_prog_info {
	uint64_t runs, run_ns, misses; /* misses: skipped because it was running already */
	uint32_t verified;             /* instructions that the verifier walked (since 5.16) */
};
/* The kernel counts and times runs of programs while the descriptor is open (since 5.8). */
int sys_enable_stats(void);
int sys_prog_info(int fd, struct sys_prog_info *ret);
/* Descriptors of objects that others made. */
int sys_prog_fd_by_id(uint32_t id);
int sys_module_btf_fd(const char *module); /* -ENOENT: no such module, or it has no BTF */
int sys_btf_load(const void *data, uint32_t len);
/* Runs a program once with `ctx`; *retval (may be NULL) gets what it returned. */
int sys_prog_run(int fd, const void *ctx, uint32_t ctx_size, uint32_t *retval);
/* Runs a raw tracepoint program once on one CPU, by an interrupt: no thread has to move (kernel 5.10). */
int sys_prog_run_on(int fd, uint32_t cpu);
/* Runs a packet program `repeat` times on `data`; *ns gets how long one run took on average. */
int sys_prog_repeat(int fd, const void *data, uint32_t size, uint32_t repeat, uint32_t *retval, uint32_t *ns);

int sys_link_perf(int prog_fd, int perf_fd, uint64_t cookie);
struct sys_multi {
	uint32_t attach_type, flags, n;
	const char *path;          /* uprobes */
	const uint64_t *offset;    /* uprobes: file offsets */
	const uint64_t *semaphore; /* uprobes: reference counters, NULL none */
	const char *const *symbol; /* kprobes: either this or address */
	const uint64_t *address;
	const uint64_t *cookie; /* NULL none */
	uint32_t pid;           /* uprobes: 0 all */
};
int sys_link_kprobes(int prog_fd, const struct sys_multi *m);
int sys_link_uprobes(int prog_fd, const struct sys_multi *m);
/* Hits of a kprobe link that the kernel could not run the program for: no room for one more pending return, or a probe within a probe.
 * 0 for other links and on kernels that do not tell (before 6.7). */
uint64_t sys_link_missed(int link_fd);
/* A hook of one family of protocols in this process's network namespace; -EBUSY: another program has that priority there. */
int sys_link_netfilter(int prog_fd, uint32_t pf, uint32_t hook, int32_t priority);
/* fentry, fexit of n functions by their ids in the BTF that the program was loaded for; the number that each tells the program. */
int sys_link_functions(int prog_fd, uint32_t attach_type, const uint32_t *id, const uint64_t *cookie, uint32_t n);
/* What an iterator goes over: tasks (of process `pid`, 0: all), control groups (all), or what needs not be said. */
enum sys_iter_over { SYS_ITER_PLAIN, SYS_ITER_TASKS, SYS_ITER_CGROUPS };
int sys_link_iter(int prog_fd, enum sys_iter_over over, uint32_t pid);
int sys_iter_open(int link_fd);
int sys_pin(int fd, const char *path); /* a link, program or map, in a BPF file system */
/* By name, or with name NULL what the program was loaded for (fentry, fexit, lsm, typed
 * tracepoints). */
int sys_raw_tracepoint(const char *name, int prog_fd);

int sys_perf_open(struct perf_event_attr *attr, int pid, int cpu, int group, unsigned long flags);
int sys_pidfd_open(int pid);
