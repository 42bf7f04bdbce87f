/* helpers.c - what the passes and the text know about BPF helpers (<linux/bpf.h>). */
#include <linux/bpf.h>

#include "ir/impl.h"

#define NAME(id, ...) [BPF_FUNC_##id] = #id
static const char *const names[] = {__BPF_FUNC_MAPPER(NAME)};
#undef NAME

const char *ir_helper_name(int64_t id)
{
	return id > 0 && id < (int64_t)ARRAY_SIZE(names) ? names[id] : NULL;
}

int64_t ir_helper_id(const char *name)
{
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (names[i] && !strcmp(names[i], name))
			return (int64_t)i;
	return -1;
}

bool ir_helper_is_stable(int64_t id)
{
	return id == BPF_FUNC_get_current_pid_tgid || id == BPF_FUNC_get_current_uid_gid ||
	       id == BPF_FUNC_get_current_task || id == BPF_FUNC_get_smp_processor_id;
}

bool ir_helper_only_reads(int64_t id)
{
	return ir_helper_is_stable(id) || id == BPF_FUNC_map_lookup_elem ||
	       id == BPF_FUNC_map_update_elem || id == BPF_FUNC_map_delete_elem ||
	       id == BPF_FUNC_ringbuf_output || id == BPF_FUNC_perf_event_output ||
	       id == BPF_FUNC_ktime_get_ns || id == BPF_FUNC_ktime_get_boot_ns;
}
