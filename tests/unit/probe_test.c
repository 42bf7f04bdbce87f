/* probe_test.c - probe points: expansion, arguments and listing against the fixture's kernel. */
#include "btf_build.h"
#include "test.h"

#include "lang/probe.h"

#include <stdlib.h>
#include <unistd.h>

static struct arena *arena;
static struct world *w;

/* Names of what a spec expands to, one a line, then the diagnostics. */
static const char *expand(struct probe_spec spec)
{
	struct attach_points points = {0};
	struct diags diags;
	struct buf text = {0};
	diags_init(&diags, arena);
	probe_expand(w, &spec, arena, &diags, &points);
	vec_each(p, &points.list)
		buf_printf(&text, "%s\n", (*p)->name);
	vec_each(d, &diags.list)
		buf_printf(&text, "! %s\n", d->msg);
	const char *ret = arena_strdup(arena, buf_str(&text));
	buf_free(&text);
	diags_free(&diags);
	vec_free(&points.list);
	return ret;
}

static struct attach_point *expand_one(struct probe_spec spec)
{
	static struct attach_point none;
	struct attach_points points = {0};
	struct diags diags;
	diags_init(&diags, arena);
	probe_expand(w, &spec, arena, &diags, &points);
	struct attach_point *p = points.list.len == 1 ? points.list.at[0] : &none;
	CHECK(points.list.len == 1 && !diags.errors);
	diags_free(&diags);
	vec_free(&points.list);
	return p;
}

static void test_kinds(void)
{
	CHECK(probe_kind_by_name("kprobe")->kind == PK_KPROBE);
	CHECK(probe_kind_by_name("KProbe")->kind == PK_KPROBE);
	CHECK(probe_kind_by_name("BEGIN")->kind == PK_BEGIN);
	CHECK(probe_kind_by_name("u")->kind == PK_UPROBE);
	CHECK(probe_kind_by_name("U")->kind == PK_USDT);
	CHECK(probe_kind_by_name("kfunc")->kind == PK_FENTRY);
	CHECK(probe_kind_by_name("kretfunc")->kind == PK_FEXIT);
	CHECK(!probe_kind_by_name("") && !probe_kind_by_name("kprob"));
	for (unsigned k = 0; k < PK_COUNT; k++)
		CHECK(probe_kind_info(k)->kind == k && probe_kind_info(k)->name);
	CHECK(!probe_missing(w, PK_KPROBE) && !probe_missing(w, PK_UPROBE));
	w->features.kprobe = false;
	CHECK(strstr(probe_missing(w, PK_KRETPROBE), "CONFIG_KPROBES"));
	w->features.probed = false;
	CHECK(!probe_missing(w, PK_KPROBE));
	w->features.kprobe = w->features.probed = true;
}

static void test_plain(void)
{
	CHECK_STR(expand((struct probe_spec){.kind = PK_BEGIN}), "begin\n");
	CHECK(expand_one((struct probe_spec){.kind = PK_END, .order = -3})->order == -3);
	CHECK_STR(
		expand((struct probe_spec){.kind = PK_SELF, .target = "signal", .func = "SIGUSR1"}),
		"self:signal:SIGUSR1\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_TEST, .func = "mine"}), "test:mine\n");
	struct attach_point *p = expand_one((struct probe_spec){
		.kind = PK_TIMER, .spelling = "timer.ms(5)", .period = 5000000});
	CHECK_STR(p->name, "timer.ms(5)");
	CHECK(p->period == 5000000);
}

static void test_perf(void)
{
	struct attach_point *p =
		expand_one((struct probe_spec){.kind = PK_PROFILE, .unit = "hz", .freq = 99});
	CHECK_STR(p->name, "profile:hz:99");
	CHECK(p->freq == 99 && !p->period && p->perf_type == 1 && p->perf_config == 0);
	p = expand_one((struct probe_spec){.kind = PK_INTERVAL, .unit = "ms", .period = 250000000});
	CHECK_STR(p->name, "interval:ms:250");
	CHECK(p->period == 250000000);
	CHECK_STR(expand((struct probe_spec){.kind = PK_INTERVAL, .unit = "min", .period = 1}),
		  "! min is not an accepted unit of time\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_PROFILE, .unit = "hz"}),
		  "! profile frequency should be a positive integer\n");
	p = expand_one((struct probe_spec){.kind = PK_SOFTWARE, .func = "faults"});
	CHECK_STR(p->name, "software:faults");
	CHECK(p->perf_config == 2 && p->period == 100);
	p = expand_one((struct probe_spec){.kind = PK_HARDWARE, .func = "cycles", .period = 7});
	CHECK_STR(p->name, "hardware:cycles:7");
	CHECK(p->perf_type == 0 && p->period == 7);
	CHECK_STR(expand((struct probe_spec){.kind = PK_SOFTWARE, .func = "cycles"}),
		  "! cycles is not a software probe\n");
	p = expand_one((struct probe_spec){
		.kind = PK_WATCHPOINT, .address = 4096, .len = 8, .mode = "rw"});
	CHECK_STR(p->name, "watchpoint:4096:8:rw");
	CHECK(p->mode == 3 && p->len == 8 && p->address == 4096);
	CHECK(strstr(expand((struct probe_spec){.kind = PK_WATCHPOINT, .len = 8, .mode = "r"}),
		     "!"));
}

static void test_kernel_functions(void)
{
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "vfs_read"}),
		  "kprobe:vfs_read\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "vfs_read", .offset = 16}),
		  "kprobe:vfs_read+16\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "vfs_read_alias"}),
		  "kprobe:vfs_read_alias\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "vfs_*"}),
		  "kprobe:vfs_open\nkprobe:vfs_read\nkprobe:vfs_write\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "*", .target = "demo"}),
		  "kprobe:demo:demo_work\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "rcu*"}), "");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "nonsense"}), "");
	CHECK_STR(expand((struct probe_spec){.kind = PK_KPROBE, .func = "no_type_info"}),
		  "kprobe:no_type_info\n");
	CHECK(expand_one((struct probe_spec){.kind = PK_KPROBE, .address = 10, .has_address = true})
		      ->address == 10);
	struct attach_point *p =
		expand_one((struct probe_spec){.kind = PK_FENTRY, .func = "vfs_read"});
	CHECK_STR(p->name, "fentry:vmlinux:vfs_read");
	CHECK(p->btf_id == btf_find(world_btf(w, NULL), BTF_NS_FUNC, "vfs_read"));
	CHECK_STR(
		expand((struct probe_spec){.kind = PK_FEXIT, .func = "vfs_*", .target = "vmlinux"}),
		"fexit:vmlinux:vfs_open\nfexit:vmlinux:vfs_read\nfexit:vmlinux:vfs_write\n");
	CHECK_STR(expand((struct probe_spec){.kind = PK_FENTRY, .func = "no_type_info"}), "");
	p = expand_one((struct probe_spec){.kind = PK_LSM, .func = "file_open"});
	CHECK_STR(p->name, "lsm:file_open");
	CHECK(p->btf_id);
}

static void test_tracepoints(void)
{
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_TRACEPOINT, .target = "sched", .func = "sched_switch"}),
		  "tracepoint:sched:sched_switch\n");
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_TRACEPOINT, .target = "s*", .func = "*_exec*"}),
		  "tracepoint:sched:sched_process_exec\ntracepoint:syscalls:sys_enter_execve\n");
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_TRACEPOINT, .target = "sched", .func = "nonsense"}),
		  "");
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_TRACEPOINT, .target = "..", .func = "features"}),
		  "");
	struct attach_point *p =
		expand_one((struct probe_spec){.kind = PK_RAWTRACEPOINT, .func = "sched_switch"});
	CHECK_STR(p->name, "rawtracepoint:vmlinux:sched_switch");
	CHECK(p->btf_id == btf_find(world_btf(w, NULL), BTF_NS_TYPEDEF, "btf_trace_sched_switch"));
	CHECK_STR(p->func, "sched_switch");
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_RAWTRACEPOINT, .target = "vmlinux", .func = "sched_*"}),
		  "rawtracepoint:vmlinux:sched_process_exit\nrawtracepoint:vmlinux:sched_switch\n");
	p = expand_one((struct probe_spec){.kind = PK_ITER, .func = "task_file"});
	CHECK_STR(p->name, "iter:task_file");
	CHECK(p->btf_id == btf_find(world_btf(w, NULL), BTF_NS_FUNC, "bpf_iter_task_file"));
	CHECK_STR(expand((struct probe_spec){.kind = PK_ITER, .func = "nonsense"}),
		  "! iter nonsense not available for your kernel version.\n");
	p = expand_one((struct probe_spec){.kind = PK_ITER, .func = "task_file", .target = "pin"});
	CHECK_STR(p->target, "pin");
	p = expand_one((struct probe_spec){.kind = PK_PROCESS_BEGIN, .spelling = "process.begin"});
	CHECK_STR(p->name, "process.begin");
	CHECK_STR(p->func, "sched_process_exec");
}

static const char *expand_hook(const char *family, const char *hook)
{
	return expand((struct probe_spec){.kind = PK_NETFILTER, .target = family, .func = hook});
}

/* The context alone: struct bpf_nf_ctx { const struct nf_hook_state *state; struct sk_buff *skb; } with pointers to nothing. */
static struct btf *btf_with_netfilter(struct buf *bytes)
{
	struct btf_builder b = {0};
	struct btf *btf = NULL;
	uint32_t ptr = add_record(&b, "", 2 /* PTR */, 0, false, 0);
	add_record(&b, "bpf_nf_ctx", 4 /* STRUCT */, 2, false, 16);
	const uint32_t members[] = {add_string(&b, "state"), ptr, 0, add_string(&b, "skb"), ptr, 64};
	add_words(&b, members, ARRAY_SIZE(members));
	finish(&b, bytes);
	CHECK(!btf_open_bytes(bytes->data, bytes->len, NULL, &btf));
	return btf;
}

static void test_netfilter(void)
{
	CHECK_STR(expand_hook("NFPROTO_IPV4", "NF_INET_LOCAL_IN"),
		  "! this kernel runs no BPF programs in netfilter (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)\n");
	CHECK(!probe_arguments(w, &(struct attach_point){.kind = PK_NETFILTER}, arena));
	struct btf *old = w->btf;
	struct buf bytes = {0};
	w->btf = btf_with_netfilter(&bytes);
	CHECK_STR(expand_hook("NFPROTO_IPV4", "NF_INET_LOCAL_IN"), "netfilter:NFPROTO_IPV4:NF_INET_LOCAL_IN\n");
	CHECK(strstr(expand_hook("NFPROTO_IPV6", "NF_IP_LOCAL_IN"), "NFPROTO_IPV6 has no hook 'NF_IP_LOCAL_IN'"));
	CHECK(strstr(expand_hook("NFPROTO_IPV4", "NF_INET_IN"), "has no hook"));
	CHECK(strstr(expand_hook("NFPROTO_ARP", "NF_ARP_OUT"), "kernel.function(\"arp_rcv\")"));
	CHECK(strstr(expand_hook("NFPROTO_BRIDGE", "NF_BR_FORWARD"), "see IPv4 and IPv6, not NFPROTO_BRIDGE"));
	CHECK(strstr(expand_hook("NFPROTO_X", "NF_INET_LOCAL_IN"), "no family 'NFPROTO_X'"));
	struct probe_spec spec = {.kind = PK_NETFILTER, .target = "NFPROTO_IPV6", .func = "NF_IP6_POST_ROUTING", .order = INT32_MIN};
	struct attach_point *p = expand_one(spec);
	/* the kernel takes no program at the two ends */
	CHECK(p->pf == 10 && p->hook == 4 && p->order == INT32_MIN + 1);
	struct probe_args *args = probe_arguments(w, p, arena);
	CHECK(args && args->from_ctx && args->record->nfield == 2 && args->record->field[1].offset == 8);
	btf_close(w->btf);
	w->btf = old;
	buf_free(&bytes);
}

/* --- user space, on this program
 * -------------------------------------------------------------------------- */

int probe_test_one(int x);
int probe_test_two(int x);
__attribute__((noinline)) int probe_test_one(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}
__attribute__((noinline)) int probe_test_two(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 2;
}
/* As a C++ compiler would name ns::probed(int) and ns::probed(char). */
void mangled_int(void) __asm__("_ZN2ns6probedEi");
void mangled_char(void) __asm__("_ZN2ns6probedEc");
void mangled_int(void)
{
	__asm__ volatile("nop");
}
void mangled_char(void)
{
	__asm__ volatile("nop; nop");
}

static void test_uprobes(void)
{
	char self[4096], want[9000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = 0;
	struct attach_point *p = expand_one(
		(struct probe_spec){.kind = PK_UPROBE, .target = self, .func = "probe_test_one"});
	struct elf_file *f = NULL;
	err_free(elf_open(w, self, &f));
	const struct elf_symbol *s = f ? elf_symbol_by_name(f, "probe_test_one") : NULL;
	CHECK(s && p->offset == s->file_offset && p->address == s->value);
	CHECK_STR(p->target, self);
	snprintf(want, sizeof(want), "uprobe:%s:probe_test_one", self);
	CHECK_STR(p->name, want);
	p = expand_one((struct probe_spec){
		.kind = PK_UPROBE, .target = self, .func = "probe_test_one", .offset = 1});
	CHECK(s && p->offset == s->file_offset + 1);
	p = expand_one((struct probe_spec){.kind = PK_UPROBE,
					   .target = self,
					   .address = s ? s->value : 0,
					   .has_address = true});
	CHECK(s && p->offset == s->file_offset && !p->func);
	CHECK(strstr(expand((struct probe_spec){.kind = PK_UPROBE,
						.target = self,
						.func = "probe_test_one",
						.offset = 100000}),
		     "! Offset outside the function bounds ('probe_test_one' size is "));
	CHECK(strstr(expand((struct probe_spec){.kind = PK_URETPROBE,
						.target = self,
						.func = "probe_test_one",
						.offset = 1}),
		     "! "));
	snprintf(want, sizeof(want), "uretprobe:%s:probe_test_one\nuretprobe:%s:probe_test_two\n",
		 self, self);
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_URETPROBE, .target = self, .func = "probe_test_*"}),
		  want);
	CHECK_STR(
		expand((struct probe_spec){.kind = PK_UPROBE, .target = self, .func = "nonsense"}),
		"");
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_UPROBE, .target = "/no/such", .func = "main"}),
		  "! uprobe target file '/no/such' does not exist or is not executable\n");
#if HAVE_LIBIBERTY
	snprintf(want, sizeof(want),
		 "uprobe:%s:cpp:_ZN2ns6probedEc\nuprobe:%s:cpp:_ZN2ns6probedEi\n", self, self);
	CHECK_STR(expand((struct probe_spec){
			  .kind = PK_UPROBE, .target = self, .func = "ns::probed", .cpp = true}),
		  want);
	CHECK_STR(expand_one((struct probe_spec){.kind = PK_UPROBE,
						 .target = self,
						 .func = "ns::probed(int)",
						 .cpp = true})
			  ->func,
		  "_ZN2ns6probedEi");
#endif
	CHECK_STR(expand((struct probe_spec){.kind = PK_USDT, .target = self, .func = "*"}), "");
}

/* --- system calls whose handlers the kernel preempts
 * ---------------------------------------------------------------------------------------------- */

static void check_way(enum probe_kind kind, const char *target, const char *func, bool is_raw, int number, bool alone)
{
	struct attach_point *p = expand_one((struct probe_spec){.kind = kind, .target = target, .func = func});
	CHECK(p->is_raw_event == is_raw);
	if (is_raw)
		CHECK(p->syscall == number);
	CHECK(probe_runs_alone(w, p) == alone);
	enum prog_kind want = is_raw || kind == PK_TRACEPOINT ? PROG_TRACEPOINT : PROG_RAW_TP_BTF;
	CHECK(probe_prog_kind(p) == want);
}

static void test_preempted_syscalls(void)
{
	check_way(PK_TRACEPOINT, "syscalls", "sys_enter_openat", false, 0, true);
	w->preempts_syscalls = 1;
	check_way(PK_TRACEPOINT, "syscalls", "sys_enter_openat", true, 257, true);
	check_way(PK_TRACEPOINT, "syscalls", "sys_exit_read", true, 0, true);
	check_way(PK_TRACEPOINT, "raw_syscalls", "sys_enter", false, 0, true);
	check_way(PK_TRACEPOINT, "sched", "sched_process_exec", false, 0, true);
	check_way(PK_RAWTRACEPOINT, NULL, "sched_process_exit", false, 0, false);
	/* nobody counts the runs of a program that is jumped to */
	w->counts_runs = true;
	check_way(PK_TRACEPOINT, "syscalls", "sys_enter_openat", false, 0, false);
	w->counts_runs = false;
	w->preempts_syscalls = 0;
}

/* --- arguments
 * ---------------------------------------------------------------------------------------------- */

static void check_args(enum probe_kind kind, const char *target, const char *func, const char *want)
{
	struct attach_point *p =
		expand_one((struct probe_spec){.kind = kind, .target = target, .func = func});
	struct probe_args *args = probe_arguments(w, p, arena);
	struct buf text = {0};
	CHECK(args && args->record && args->from_ctx);
	for (uint32_t i = 0; args && i < args->record->nfield; i++)
		buf_printf(&text, "%u: %s\n", args->record->field[i].offset, args->decl[i]);
	if (args && args->ret) {
		buf_puts(&text, "returns ");
		buf_printf(&text, "%u bytes\n", args->ret->size);
	}
	CHECK_STR(buf_str(&text), want);
	buf_free(&text);
}

static void test_arguments(void)
{
	check_args(PK_FENTRY, NULL, "vfs_read",
		   "0: struct file * file\n8: char * buf\n16: size_t count\n24: loff_t * pos\n"
		   "returns 8 bytes\n");
	check_args(PK_RAWTRACEPOINT, NULL, "sched_switch",
		   "0: bool preempt\n8: struct task_struct * prev\n16: struct task_struct * next\n"
		   "24: unsigned int prev_state\n");
	check_args(PK_RAWTRACEPOINT, NULL, "sched_process_exit",
		   "0: struct task_struct * p\n8: bool group_dead\n");
	/* without a function that has names */
	check_args(PK_RAWTRACEPOINT, NULL, "no_stub", "0: int arg0\n8: struct file * arg1\n");
	check_args(PK_TRACEPOINT, "sched", "sched_process_exec",
		   "8: __data_loc char[] filename\n12: pid_t pid\n16: pid_t old_pid\n");
	check_args(PK_ITER, NULL, "task",
		   "0: struct bpf_iter_meta * meta\n8: struct task_struct * task\n");
	struct attach_point *p =
		expand_one((struct probe_spec){.kind = PK_ITER, .func = "task_file"});
	struct probe_args *args = probe_arguments(w, p, arena);
	uint32_t offset = 0;
	const struct field *f = type_field(args->record, "file", arena, &offset);
	CHECK(f && offset == 24 && f->type->kind == TYPE_PTR);
	CHECK(!probe_arguments(w, &(struct attach_point){.kind = PK_UPROBE}, arena));
}

/* --- listing
 * --------------------------------------------------------------------------------------------------
 */

static void collect(void *arg, const char *name, const char *const *lines, unsigned n)
{
	buf_printf(arg, "%s\n", name);
	for (unsigned i = 0; i < n; i++)
		buf_printf(arg, "%s\n", lines[i]);
}

static void check_list(const char *pattern, bool with_args, const char *want)
{
	struct buf text = {0};
	probe_list(w, pattern, with_args, arena, collect, &text);
	CHECK_STR(buf_str(&text), want);
	buf_free(&text);
}

static void test_listing(void)
{
	check_list("kprobe:vfs_read", true,
		   "kprobe:vfs_read\n    struct file * arg0\n    char * arg1\n    size_t arg2\n"
		   "    loff_t * arg3\n");
	check_list("kr:vfs_read", true, "kretprobe:vfs_read\n    ssize_t retval\n");
	check_list("kr:do_nothing", true, "kretprobe:do_nothing\n    void\n");
	check_list("fexit:vfs_open", true,
		   "fexit:vmlinux:vfs_open\n    const struct path * path\n    struct file * file\n"
		   "    int retval\n");
	check_list(
		"fentry:vmlinux:vfs_open", true,
		"fentry:vmlinux:vfs_open\n    const struct path * path\n    struct file * file\n");
	check_list("fentry:do_*", true, "fentry:vmlinux:do_nothing\n");
	check_list("tracepoint:*:sys_exit_re*", true,
		   "tracepoint:syscalls:sys_exit_read\n    int __syscall_nr\n    long ret\n");
	check_list("t:*openat", false,
		   "tracepoint:syscalls:sys_enter_openat\ntracepoint:syscalls:sys_exit_openat\n");
	check_list("rawtracepoint:sched*", true,
		   "rawtracepoint:vmlinux:sched_process_exit\n    struct task_struct * p\n"
		   "    bool group_dead\nrawtracepoint:vmlinux:sched_switch\n    bool preempt\n"
		   "    struct task_struct * prev\n    struct task_struct * next\n"
		   "    unsigned int prev_state\n");
	check_list("iter", false, "iter:task\niter:task_file\niter:task_vma\n");
	check_list(
		"iter:task_file", true,
		"iter:task_file\n    struct task_struct * task\n    u32 fd\n    struct file * file\n");
	check_list("software:cpu*", false,
		   "software:cpu-clock:\nsoftware:cpu-migrations:\nsoftware:cpu:\n");
	check_list("hardware:*cycles*", false,
		   "hardware:bus-cycles:\nhardware:cpu-cycles:\nhardware:cycles:\n"
		   "hardware:ref-cycles:\n");
	check_list("interval:*", false, "interval:hz:\ninterval:ms:\ninterval:s:\ninterval:us:\n");
	check_list("self:*", false, "self:signal:SIGUSR1\n");
	check_list("*sched_switch*", false,
		   "rawtracepoint:vmlinux:sched_switch\ntracepoint:sched:sched_switch\n");
	check_list("*:vfs_wri*", false, "fentry:vmlinux:vfs_write\nkprobe:vfs_write\n");
	check_list("nonsense:*", false, "");
	struct buf text = {0};
	probe_list(w, NULL, false, arena, collect, &text);
	CHECK(str_has_prefix(buf_str(&text), "fentry:vmlinux:"));
	CHECK(strstr(buf_str(&text), "\nkprobe:vfs_read\n"));
	CHECK(!strstr(buf_str(&text), "kretprobe") && !strstr(buf_str(&text), "interval"));
	buf_free(&text);
}

int main(void)
{
	arena = arena_create();
	struct err *e = world_open(arena, "tests/fixture", &w);
	CHECK(!e);
	test_kinds();
	test_plain();
	test_perf();
	test_kernel_functions();
	test_tracepoints();
	test_netfilter();
	test_uprobes();
	test_preempted_syscalls();
	test_arguments();
	test_listing();
	world_close(w);
	arena_destroy(arena);
	return (probe_test_one(1) + probe_test_two(2) == 0) + test_end();
}
