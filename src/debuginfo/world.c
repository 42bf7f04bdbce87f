/* world.c - opening the machine, or a folder that plays it. */
#include "debuginfo/world.h"

#include "debuginfo/elf_internal.h"

#include <stdlib.h>
#include <unistd.h>

/* Names in a fixture's file `features`, one a line: the fields of struct features. */
#define FEATURE(name)                                  \
	{                                              \
#name, offsetof(struct features, name) \
	}
static const struct {
	const char *name;
	size_t offset;
} feature_names[] = {
	FEATURE(kprobe),
	FEATURE(kprobe_multi),
	FEATURE(kprobe_session),
	FEATURE(fentry_multi),
	FEATURE(uprobe_multi),
	FEATURE(uprobe_multi_pid),
	FEATURE(uprobe_session),
	FEATURE(fentry),
	FEATURE(ringbuf),
	FEATURE(bpf_loop),
	FEATURE(for_each_map),
	FEATURE(lookup_percpu),
	FEATURE(ktime_boot),
	FEATURE(ktime_tai),
	FEATURE(jiffies64),
	FEATURE(get_func_ip),
	FEATURE(d_path),
	FEATURE(send_signal),
	FEATURE(copy_from_user),
	FEATURE(sleepable_uprobe),
	FEATURE(ns_pid),
	FEATURE(attach_cookie),
	FEATURE(bpf_signed_div),
	FEATURE(global_data),
	FEATURE(mmap_array),
	FEATURE(atomics),
	FEATURE(sw_breakpoint),
	FEATURE(hw_perf),
	FEATURE(iter),
	FEATURE(snprintf_btf),
	FEATURE(task_vma_kfunc),
	FEATURE(task_from_pid_kfunc),
	FEATURE(btf_vmlinux),
};

static void read_features(struct world *w)
{
	_cleanup_free_ char *path = xasprintf("%s/features", w->root);
	_cleanup_free_ char *text = read_file(path, NULL);
	char *save = NULL;
	for (char *s = text ? strtok_r(text, " \n", &save) : NULL; s;
	     s = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++)
			if (!strcmp(s, feature_names[i].name))
				*((bool *)&w->features + feature_names[i].offset) = true;
	w->features.probed = true; /* a fixture never asks the running kernel */
}

/* "0-3" or "0,2-3": one more than the highest number. */
static unsigned possible_cpus(const struct world *w)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/devices/system/cpu/possible", w->root);
	_cleanup_free_ char *text = read_file(path, NULL);
	if (!text)
		return 1;
	char *last = text;
	for (char *s = text; *s; s++)
		if (*s == '-' || *s == ',')
			last = s + 1;
	unsigned long n = strtoul(last, NULL, 10) + 1;
	return n <= 65536 ? (unsigned)n : 1;
}

/* Both places are in use: /sys/kernel/tracing since 4.1, debugfs on older set-ups. */
static const char *find_tracefs(const struct world *w)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *events = xasprintf("%s%s/events", w->root, places[i]);
		if (!access(events, X_OK))
			return arena_printf(w->arena, "%s%s", w->root, places[i]);
	}
	return NULL;
}

struct err *world_open(struct arena *a, const char *root, struct world **ret)
{
	struct world *w = arena_new(a, struct world);
	w->arena = a;
	w->root = root && strcmp(root, "/") != 0 ? arena_strdup(a, root) : "";
	*ret = NULL;
	if (*w->root && access(w->root, R_OK | X_OK))
		return err_errno("cannot open %s", w->root);
	w->tracefs = find_tracefs(w);
	const char *btf = *w->root ? NULL : getenv("BPFTRACE_BTF");
	w->btf_path = btf && *btf ? arena_strdup(a, btf)
				  : arena_printf(a, "%s/sys/kernel/btf/vmlinux", w->root);
	w->ncpus = possible_cpus(w);
	if (*w->root)
		read_features(w);
	*ret = w;
	return NULL;
}

void world_close(struct world *w)
{
	if (!w)
		return;
	vec_each(e, &w->module_btf.entry)
		btf_close(e->value);
	strtab_free(&w->module_btf);
	btf_close(w->btf);
	w->btf = NULL;
	kallsyms_close(w->kallsyms);
	w->kallsyms = NULL;
	kernel_files_close(w);
	vec_each(e, &w->elf_cache.entry)
		elf_close(e->value);
	strtab_free(&w->elf_cache);
	strtab_free(&w->tp_cache); /* the formats are in the arena */
}
