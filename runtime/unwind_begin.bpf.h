/* unwind_begin.bpf.h - a part of unwind.bpf.h: what is known of the process, before its stack is walked. */
#pragma once

/* Asks user space for what is missing: a process (pc 0) or the mapping that pc is in. */
RT_GLOBAL(nn) u64 uw_ask(u64 tgid, u64 pc)
{
	struct uw_miss m = {.pc = pc, .tgid = (u32)tgid};
	struct uw_proc *p = bpf_map_lookup_elem((void *)M_uw_procs, &m.tgid);
	u64 now = bpf_ktime_get_ns();

	if (p) {
		if (now - p->asked < UW_ASK_NS)
			return 0;
		p->asked = now;
	} else {
		struct uw_proc empty = {.asked = now};

		bpf_map_update_elem((void *)M_uw_procs, &m.tgid, &empty, BPF_NOEXIST);
	}
	bpf_ringbuf_output((void *)M_uw_miss, &m, sizeof(m), 0);
	return 0;
}

/* The return probes that are under way, innermost first, and the address that stands for them on the stack. */
static __attribute__((always_inline)) void uw_find_returns(struct uw *u, const void *task, const void *mm)
{
	u->next = u->slot = u->trampoline = 0;
	if (!(u64)K_task_struct__utask || !(u64)K_xol_area__vaddr)
		return;
	const void *utask = (const void *)UW_FIELD(task, task_struct__utask);
	if (!utask)
		return;
	u->next = UW_FIELD(utask, uprobe_task__return_instances);
	u64 area = u->next ? UW_FIELD(mm, mm_struct__uprobes_state) : 0;
	if (area)
		UW_READ(&u->trampoline, area, xol_area__vaddr);
}

/* Whose names will be asked for. */
static __attribute__((always_inline)) void uw_meet(u32 tgid)
{
	u64 *word = (u64 *)(V_uw_rules + UW_MET_AT) + (tgid / 64 & (UW_MET_WORDS - 1)), bit = 1ull << (tgid & 63);

	if (!(*word & bit))
		__sync_fetch_and_or(word, bit);
}

/* A process that user space has told of, if this is still its memory. */
static __attribute__((always_inline)) struct uw_proc *uw_known(u32 tgid, u64 bottom, u64 code)
{
	struct uw_proc *p = bpf_map_lookup_elem((void *)M_uw_procs, &tgid);

	return p && p->is_ready && p->end_code == code && p->start_stack == bottom ? p : 0;
}

/*
 * The parent of a child that has not called execve() yet: both have their stack, which the kernel puts at a random place,
 * and their code at the same addresses.  NULL: it has memory of its own.
 */
static __attribute__((always_inline)) const void *uw_parent(const void *task, u64 bottom, u64 code)
{
	const void *parent = (const void *)UW_FIELD(task, task_struct__real_parent);
	const void *mm = parent ? (const void *)UW_FIELD(parent, task_struct__mm) : 0;

	if (!mm || UW_FIELD(mm, mm_struct__start_stack) != bottom || UW_FIELD(mm, mm_struct__end_code) != code)
		return 0;
	return parent;
}

/*
 * What user space told of a process whose memory this one is a copy of.  All that it asks on the way are marked as met: it was
 * one of them that mapped the files, and user space reads them when it ends if they are not known by then.
 */
static __attribute__((always_inline)) struct uw_proc *uw_find_ancestor(const void *task, u64 bottom, u64 code)
{
	struct uw_proc *p = 0;

	for (u32 k = 0; k < UW_ANCESTORS && !p; k++) {
		task = uw_parent(task, bottom, code);
		if (!task)
			break;
		u32 tgid = *(u32 *)((const char *)task + (u64)K_task_struct__tgid);
		p = uw_known(tgid, bottom, code);
		if (!p)
			uw_meet(tgid);
	}
	return p;
}

/* Where the process's mappings are to be looked for. */
static __attribute__((always_inline)) void uw_find_list(struct uw *u, const void *task, u32 tgid, u64 code)
{
	u64 bottom = u->bottom;
	struct uw_proc *p = uw_known(tgid, bottom, code);

	u->source = UW_TOLD;
	if (!p) {
		p = uw_find_ancestor(task, bottom, code);
		u->source = p ? UW_FROM_PARENT : UW_FROM_KERNEL;
	}
	u->is_new = !p;
	if (p) {
		u->maps_seg = p->seg;
		u->maps_first = p->first;
		u->nmaps = p->nmaps;
	}
	u->delta = u->map_start = 0;
	u->map_end = ~0ull;
}

/* The state for walking from the registers in it; 0, or how it ended already. */
RT_GLOBAL(u) u64 uw_begin(struct uw *u)
{
	const void *task = bpf_get_current_task_btf();
	const void *mm = (const void *)UW_FIELD(task, task_struct__mm);

	if (!u || !mm || !u->ip)
		return UW_NO_STACK;
	u32 tgid = u->tgid;
	if (!tgid)
		return UW_NEW;
	u->bottom = UW_FIELD(mm, mm_struct__start_stack);
	uw_meet(tgid);
	uw_find_list(u, task, tgid, UW_FIELD(mm, mm_struct__end_code));
	u->start = u->len = u->hash = u->window_at = 0;
	u->n = u->end = u->guessed = u->entry_n = 0;
	uw_find_returns(u, task, mm);
	uw_anchor_here(u);
	return 0;
}
