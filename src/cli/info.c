/* info.c - --info: what this build and this kernel can do, in bpftrace's layout. */
#include <sys/utsname.h>

#include "cli/cli.h"

struct fact {
	const char *name;
	const char *value;
};

/* Two columns of 35 characters, as bpftrace pads them. */
static void table(const char *title, const struct fact *f, size_t n)
{
	printf("\n%s\n", title);
	for (size_t i = 0; i < n; i++) {
		char cell[64];
		snprintf(cell, sizeof(cell), "  %s: %s", f[i].name, f[i].value);
		printf("%-35s%s", cell, i % 2 || i + 1 == n ? "\n" : "");
	}
}

static const char *yes(bool b)
{
	return b ? "yes" : "no";
}

static void kernel(const struct features *f)
{
	const struct fact helpers[] = {
		{"dpath", yes(f->d_path)},
		{"get_tai_ns", yes(f->ktime_tai)},
		{"get_func_ip", yes(f->get_func_ip)},
		{"lookup_percpu_elem", yes(f->lookup_percpu)},
		{"loop", yes(f->bpf_loop)},
		{"Loop support", yes(f->bpf_loop)},
		{"probe_read_kernel", "yes"},
		{"send_signal", yes(f->send_signal)},
		{"get_ktime_ns", yes(f->ktime_boot)},
		{"jiffies64", yes(f->jiffies64)},
		{"skboutput", "yes"},
		{"get_boot_ns", yes(f->ktime_boot)},
	};
	const struct fact features[] = {
		{"Instruction limit", "1000000"},
		{"btf", yes(f->btf_vmlinux)},
		{"module btf", yes(f->btf_vmlinux)},
		{"uprobe refcount", "yes"},
	};
	const struct fact probes[] = {
		{"kprobe", yes(f->kprobe)},
		{"tracepoint", "yes"},
		{"kprobe_multi", yes(f->kprobe_multi)},
		{"uprobe_multi", yes(f->uprobe_multi)},
		{"kprobe_session", yes(f->kprobe_session)},
		{"fentry_multi", yes(f->fentry_multi)},
		{"iter", yes(f->iter)},
		{"fentry", yes(f->fentry)},
		{"perf_event", "yes"},
		{"hardware", yes(f->hw_perf)},
		{"watchpoint", yes(f->sw_breakpoint)},
	};
	table("Kernel helpers", helpers, ARRAY_SIZE(helpers));
	table("Kernel features", features, ARRAY_SIZE(features));
	table("Probe types", probes, ARRAY_SIZE(probes));
}

int print_info(struct job *j)
{
	struct script s;
	struct utsname u;
	uname(&u);
	struct err *e = script_open(j, &s);
	if (e) {
		print_error(j, e);
		err_free(e);
		script_close(&s);
		return EXIT_USER;
	}
	printf("System\n  OS: %s %s %s\n  Arch: %s\n", u.sysname, u.release, u.version, u.machine);
	printf("\nBuild\n  version: v%s\n  bfd: no\n  libdw (DWARF support): yes\n", SPILE_VERSION);
	printf("  libsystemd (systemd notify support): no\n  bcc library path resolution: yes\n"
	       "  blazesym (advanced symbolization): no\n  dwunwind (DWARF stack unwinding): yes\n");
	features_probe_sessions(s.world);
	features_probe_perf(s.world);
	features_probe_fentry(s.world);
	kernel(&s.world->features);
	printf("\n");
	script_close(&s);
	return EXIT_OK;
}
