/*
 * features.c - what the running kernel can do, found by asking it.
 *
 * Start-up must stay in milliseconds, so one small program asks for everything that 6.1 has at
 * once; only when the kernel refuses it is each thing asked for alone.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/session.h"

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define CALL(id)      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, id)
#define EXIT()        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int load(enum bpf_prog_type type, uint32_t attach_type, const struct bpf_insn *insn,
		uint32_t n)
{
	struct sys_prog p = {.type = type,
			     .attach_type = attach_type,
			     .insn = insn,
			     .ninsn = n,
			     .name = "feature",
			     .license = "GPL"};

	return sys_prog_load(&p);
}

static bool loads(enum bpf_prog_type type, const struct bpf_insn *insn, uint32_t n)
{
	int fd = load(type, 0, insn, n);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Does the helper exist for this type of program?  The arguments are wrong: the kernel looks at
 * them later. */
static bool has_helper(enum bpf_prog_type type, int id)
{
	const struct bpf_insn insn[] = {CALL(id), MOV_IMM(0, 0), EXIT()};
	char log[512] = "";
	struct sys_prog p = {.type = type,
			     .insn = insn,
			     .ninsn = 3,
			     .license = "GPL",
			     .log = log,
			     .log_size = sizeof(log),
			     .log_level = 1};
	int fd = sys_prog_load(&p);

	if (fd >= 0)
		close(fd);
	/* kernel/bpf/verifier.c: "invalid func", "unknown func", "program of this type cannot use
	 * helper" */
	return fd >= 0 ||
	       (fd != -EPERM && !strstr(log, "func ") && !strstr(log, "cannot use helper"));
}

/* A link that must fail: EBADF says "no such file", anything else "no such way of attaching". */
static bool links_uprobes(int prog_fd, uint32_t attach_type)
{
	uint64_t offset = 0;
	struct sys_multi m = {.attach_type = attach_type, .n = 1, .path = "/", .offset = &offset};
	int ret = sys_link_uprobes(prog_fd, &m);

	if (ret >= 0)
		close(ret);
	return ret == -EBADF;
}

/*
 * Everything that 6.1 has: the newest helper of that age stands for the rest.  The program is one
 * for uprobe_multi links, so that a single load answers for them too.
 */
static void helpers_probe(struct features *f)
{
	const struct bpf_insn all[] = {MOV_IMM(1, 6), INSN(BPF_ALU64 | BPF_DIV | BPF_K, 1, 0, 1, 2),
				       CALL(BPF_FUNC_ktime_get_tai_ns), MOV_IMM(0, 0), EXIT()};
	const enum bpf_prog_type rawtp = BPF_PROG_TYPE_RAW_TRACEPOINT,
				 kprobe = BPF_PROG_TYPE_KPROBE;
	int fd = load(kprobe, SYS_TRACE_UPROBE_MULTI, all, 5);
	bool modern;

	f->bpf_signed_div = fd >= 0;
	if (fd < 0)
		fd = load(kprobe, SYS_TRACE_UPROBE_MULTI, all + 2, 3);
	modern = fd >= 0 || loads(rawtp, all + 2, 3);
	/* they came together, in 6.6 */
	f->uprobe_multi = f->uprobe_multi_pid = f->uprobe_func_ip =
		fd >= 0 && links_uprobes(fd, SYS_TRACE_UPROBE_MULTI);
	if (fd >= 0)
		close(fd);
	f->ktime_tai = modern;
	f->global_data = f->mmap_array = f->iter =
		true; /* 5.2, 5.5, 5.8: far below what can run us */
	f->ringbuf = modern || has_helper(rawtp, BPF_FUNC_ringbuf_output);
	f->bpf_loop = modern || has_helper(rawtp, BPF_FUNC_loop);
	f->for_each_map = modern || has_helper(rawtp, BPF_FUNC_for_each_map_elem);
	f->lookup_percpu = modern || has_helper(rawtp, BPF_FUNC_map_lookup_percpu_elem);
	f->ktime_boot = modern || has_helper(rawtp, BPF_FUNC_ktime_get_boot_ns);
	f->jiffies64 = modern || has_helper(rawtp, BPF_FUNC_jiffies64);
	f->get_func_ip = modern || has_helper(kprobe, BPF_FUNC_get_func_ip);
	f->attach_cookie = modern || has_helper(kprobe, BPF_FUNC_get_attach_cookie);
	f->send_signal = modern || has_helper(kprobe, BPF_FUNC_send_signal);
	f->ns_pid = modern || has_helper(kprobe, BPF_FUNC_get_ns_current_pid_tgid);
	f->snprintf_btf = modern || has_helper(rawtp, BPF_FUNC_snprintf_btf);
	f->d_path = f->copy_from_user = f->atomics = f->sleepable_uprobe = modern;
}

static bool uprobe_session_works(void)
{
	const struct bpf_insn insn[] = {MOV_IMM(0, 0), EXIT()};
	int fd = load(BPF_PROG_TYPE_KPROBE, SYS_TRACE_UPROBE_SESSION, insn, 2);
	bool works = fd >= 0 && links_uprobes(fd, SYS_TRACE_UPROBE_SESSION);

	if (fd >= 0)
		close(fd);
	return works;
}

/* No addresses at all: EOPNOTSUPP when the kernel was built without fprobe. */
static bool kprobe_multi_works(uint32_t attach_type)
{
	const struct bpf_insn insn[] = {MOV_IMM(0, 0), EXIT()};
	uint64_t address = 0;
	struct sys_multi m = {.attach_type = attach_type, .n = 1, .address = &address};
	int fd = load(BPF_PROG_TYPE_KPROBE, attach_type, insn, 2), ret;

	if (fd < 0)
		return false;
	ret = sys_link_kprobes(fd, &m);
	if (ret >= 0)
		close(ret);
	close(fd);
	return ret != -EOPNOTSUPP;
}

/* Older kernels know no such program. */
static bool fentry_multi_works(void)
{
	const struct bpf_insn insn[] = {MOV_IMM(0, 0), EXIT()};
	int fd = load(BPF_PROG_TYPE_TRACING, SYS_TRACE_FENTRY_MULTI, insn, 2);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_hardware_counters(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .config = PERF_COUNT_HW_CPU_CYCLES};
	int fd = sys_perf_open(&attr, 0, -1, -1, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Some virtual machines accept hardware breakpoints that never fire: try one on our own memory. */
bool feature_breakpoint_fires(void)
{
	static volatile uint64_t watched;
	struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT,
				       .bp_type = 2 /* HW_BREAKPOINT_W */,
				       .bp_addr = (uint64_t)(uintptr_t)&watched,
				       .bp_len = 8,
				       .exclude_kernel = 1};
	int fd = sys_perf_open(&attr, 0, -1, -1, 0);
	uint64_t count = 0;

	if (fd < 0)
		return false;
	watched++;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		count = 0;
	close(fd);
	return count > 0;
}

/*
 * Trampolines on kernel functions need ftrace's direct calls; a kernel that has them lists this
 * file. Whether the policy of the machine allows such a program is only known when one is loaded.
 */
static bool fentry_works(const struct world *w)
{
	_cleanup_free_ char *path = w->tracefs ? xasprintf("%s/enabled_functions", w->tracefs)
					       : xstrdup("/proc/sys/kernel/ftrace_enabled");

	return w->features.btf_vmlinux && access(path, F_OK) == 0;
}

void features_probe(struct world *w)
{
	struct features *f = &w->features;

	if (f->probed)
		return;
	f->probed = true;
	f->btf_vmlinux = w->btf_path && access(w->btf_path, R_OK) == 0;
	f->kprobe = access("/sys/bus/event_source/devices/kprobe/type", R_OK) == 0;
	f->fentry = fentry_works(w);
	helpers_probe(f);
	f->kprobe_multi = f->kprobe && kprobe_multi_works(BPF_TRACE_KPROBE_MULTI);
	f->fentry_multi = f->fentry && fentry_multi_works();
	f->kprobe_session = f->kprobe_multi && kprobe_multi_works(SYS_TRACE_KPROBE_SESSION);
}

void features_probe_sessions(struct world *w)
{
	struct features *f = &w->features;

	if (f->probed_sessions)
		return;
	f->probed_sessions = true;
	f->uprobe_session = f->uprobe_multi && uprobe_session_works();
}

void features_probe_fentry(struct world *w)
{
	const struct bpf_insn insn[] = {MOV_IMM(0, 0), EXIT()};
	struct err *e = NULL;
	struct btf *btf = world_btf(w, &e);
	struct sys_prog p = {.type = BPF_PROG_TYPE_TRACING,
			     .attach_type = BPF_TRACE_FENTRY,
			     .attach_btf_id = btf ? btf_find(btf, BTF_NS_FUNC, "do_exit") : 0,
			     .insn = insn,
			     .ninsn = 2,
			     .license = "GPL"};
	int fd = p.attach_btf_id ? sys_prog_load(&p) : -1;

	err_free(e);
	w->features.fentry = w->features.fentry && fd >= 0;
	if (fd >= 0)
		close(fd);
}

void features_probe_perf(struct world *w)
{
	if (w->features.probed_perf)
		return;
	w->features.probed_perf = true;
	w->features.hw_perf = has_hardware_counters();
	w->features.sw_breakpoint = feature_breakpoint_fires();
}

static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data) < 0)
		return true; /* cannot tell: the kernel will */
	return data[cap / 32].effective & (1u << (cap % 32));
}

const char *missing_rights(void)
{
	bool bpf = has_capability(CAP_BPF), perfmon = has_capability(CAP_PERFMON);

	if (has_capability(CAP_SYS_ADMIN) || (bpf && perfmon))
		return NULL;
	return bpf ? "CAP_PERFMON" : perfmon ? "CAP_BPF" : "root, or CAP_BPF and CAP_PERFMON";
}

struct err *attach_preflight(struct world *w)
{
	const char *rights = missing_rights();

	if (rights)
		return err_hint(err_new(EPERM, "tracing needs %s", rights),
				"run it as root, for example with sudo");
	return NULL;
}
