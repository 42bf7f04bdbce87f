/*
 * cost.bpf.c - the same measurements as the scripts of bench/run, in C for clang -O2: what a careful programmer would write.
 * One program each, all on the entry of getpgid(2), whose argument bench/meter.c spreads over the buckets.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define NCPU 256

struct row {
	__u64 count, total, min, max, hist[65], lhist[12], pad[7];
};
struct row rows[NCPU] SEC(".data.rows");
__u64 shared SEC(".data.shared");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} by_pid SEC(".maps");

struct comm {
	char c[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct comm);
	__type(value, __u64);
} by_comm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __s64);
	__type(value, __u64);
} by_stack SEC(".maps");

static __always_inline struct row *my_row(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	return cpu < NCPU ? &rows[cpu] : 0;
}

static __always_inline void bump(void *map, const void *key)
{
	__u64 one = 1, *p = bpf_map_lookup_elem(map, key);
	if (p)
		*p += 1;
	else
		bpf_map_update_elem(map, key, &one, BPF_NOEXIST);
}

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 r = 0;
	if (v >> 32) { v >>= 32; r += 32; }
	if (v >> 16) { v >>= 16; r += 16; }
	if (v >> 8) { v >>= 8; r += 8; }
	if (v >> 4) { v >>= 4; r += 4; }
	if (v >> 2) { v >>= 2; r += 2; }
	return r + (v >> 1);
}

struct sys_enter {
	__u64 common, nr;
	__s64 pid;
};

SEC("tracepoint/syscalls/sys_enter_getpgid") int empty(void *ctx)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int count(void *ctx)
{
	struct row *r = my_row();
	if (r)
		r->count++;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int increment(void *ctx)
{
	__sync_fetch_and_add(&shared, 1);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int count_pid(void *ctx)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32;
	bump(&by_pid, &pid);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int count_comm(void *ctx)
{
	struct comm c = {};
	bpf_get_current_comm(&c, sizeof(c));
	bump(&by_comm, &c);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int hist(struct sys_enter *ctx)
{
	struct row *r = my_row();
	__u64 v = (int)ctx->pid;
	__u32 b = v ? 2 + log2_of(v) : 1;
	if (r && b < 65)
		r->hist[b]++;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int lhist(struct sys_enter *ctx)
{
	struct row *r = my_row();
	__s64 v = (int)ctx->pid;
	__u64 b = v < 0 ? 0 : v >= 1000 ? 11 : 1 + (__u64)v / 100;
	if (!r)
		return 0;
	__asm__ volatile("" : "+r"(b)); /* or the bound is checked on another copy than the one used */
	if (b < 12)
		r->lhist[b]++;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int stats(struct sys_enter *ctx)
{
	struct row *r = my_row();
	if (r) {
		r->count++;
		r->total += (int)ctx->pid;
	}
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int kstack(void *ctx)
{
	__s64 id = bpf_get_stackid(ctx, &stacks, 0);
	bump(&by_stack, &id);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpgid") int ustack(void *ctx)
{
	__s64 id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	bump(&by_stack, &id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
