/*
 * unwind.bpf.h - user stacks by unwind tables: see unwind.h for their layout.
 *
 * One frame a round of bpf_loop.  The state lives in map memory and the steps are global functions: the verifier knows
 * nothing of the numbers, and looks at each step once.
 */
#pragma once

#include "unwind.h"

extern const char M_uw_procs[], M_uw_files[], M_uw_segs[], M_uw_miss[], V_uw_rules[];
extern const char K_task_struct__mm[], K_task_struct__real_parent[], K_task_struct__tgid[],
	K_task_struct__group_leader[], K_task_struct__start_time[], K_mm_struct__start_stack[], K_mm_struct__end_code[],
	K_mm_struct__uprobes_state[], K_uprobe_task__return_instances[], K_return_instance__stack[],
	K_return_instance__orig_ret_vaddr[], K_return_instance__next[];
/* What a kernel may lack is weak: of any other symbol the compiler takes for granted that its address is not 0. */
extern const char K_task_struct__utask[] __attribute__((weak)), K_xol_area__vaddr[] __attribute__((weak));

/* A field of a kernel struct behind a pointer that the verifier knows the type of; and of any address. */
#define UW_FIELD(p, k)	   (*(u64 *)((const char *)(p) + (u64)K_##k))
#define UW_READ(dst, p, k) bpf_probe_read_kernel((dst), 8, (const void *)((p) + (u64)K_##k))

enum {
	UW_GO,	  /* a step is done */
	UW_STOP,  /* the stack has ended: u->end says how */
	UW_AGAIN, /* saved registers are needed: they must be followed from the last anchor */
};
enum {
	UW_ASK_NS = 20 * 1000 * 1000, /* between two questions of one process */
	UW_ANCESTORS = 4, /* how many are asked for what they have mapped */
	UW_YOUNG_NS = 100 * 1000 * 1000, /* most programs end before this, and need not be known */
	UW_SIGNAL_REGS = 17,
	UW_SIGCONTEXT = 40, /* of a struct ucontext's first 5 words: include/uapi/asm-generic/ucontext.h */
	UW_FAR = 16 << 10, /* bytes: a frame so far below its callee is on another stack */
	UW_STALE = 8, /* return probes that are looked at for one frame */
};

struct uw_loop {
	struct uw *u;
	u64 max;
};

/* struct pt_regs of x86-64 as far as it is needed (arch/x86/include/uapi/asm/ptrace.h). */
struct uw_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
	union {
		u16 cs;
		u64 cs_word;
	};
	u64 flags, sp;
};
enum { UW_CS_USER32 = 0x23 };

static __attribute__((always_inline)) u32 uw_stop(struct uw *u, u32 end)
{
	u->end = end;
	return UW_STOP;
}

/* --- tables ------------------------------------------------------------------------------------------------ */

static __attribute__((always_inline)) u32 *uw_seg(u32 seg)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem((void *)M_uw_segs, &seg);

	return inner ? bpf_map_lookup_elem(inner, &zero) : 0;
}

enum { UW_MAP_WORDS = sizeof(struct uw_map) / 4 };

static __attribute__((always_inline)) struct uw_map *uw_map_at(u32 *seg, u32 word)
{
	return (struct uw_map *)(seg + (word & (UW_SEG_WORDS - UW_MAP_WORDS)));
}

#include "unwind_vma.bpf.h"

/* Makes the mapping that covers pc the current one, by the list to look in. */
RT_GLOBAL(un) u64 uw_enter_map(struct uw *u, u64 pc)
{
	if (!u)
		return UW_STOP;
	u32 *w = uw_seg(u->maps_seg);
	if (!w)
		return UW_STOP;
	u64 delta = u->delta, place = pc - delta;
	u32 n = u->nmaps, at = u->maps_first;
	for (u32 k = 0; k < 13 && n > 1; k++) { /* UW_MAPS_MAX and one more */
		u32 half = n / 2, mid = at + half * UW_MAP_WORDS;

		if (uw_map_at(w, mid)->start <= place)
			at = mid;
		n -= half;
	}
	struct uw_map *m = uw_map_at(w, at);
	if (!n || place < m->start || place >= m->end)
		return uw_stop(u, UW_UNMAPPED);
	u64 start = m->start + delta, end = m->end + delta;
	if (start < u->map_start)
		start = u->map_start;
	if (end > u->map_end)
		end = u->map_end;
	u->start = start;
	u->len = end - start;
	u->base = m->base + delta;
	u->table = m->table;
	u->seg = m->seg;
	u->kind = m->kind;
	return UW_GO;
}

static __attribute__((always_inline)) u64 uw_rule_number(u64 seg, u64 table, u64 off)
{
	u32 *w = uw_seg((u32)seg);

	return w ? uw_find_rule(w, (u32)table, off) : UW_RULE_NONE;
}

static __attribute__((always_inline)) struct uw_rule *uw_rule(u64 id)
{
	return (struct uw_rule *)V_uw_rules + (id & (UW_RULES - 1));
}

/* --- the stack --------------------------------------------------------------------------------------------- */

/*
 * The word at `at` to u->value, and what is above it to the window: from the word below on, where a frame pointer is saved.  Where
 * that fails the memory ends above: from then on, most of a window there is of what lies below.
 */
RT_GLOBAL(un) u64 uw_refill(struct uw *u, u64 at)
{
	if (!u)
		return UW_STOP;
	u64 from = at - 8;
	if (from - u->edge < UW_WINDOW)
		from -= UW_WINDOW - UW_NEAR;
	if (!bpf_probe_read_user(u->window, UW_WINDOW, (const void *)from)) {
		u->window_at = from;
		u->value = u->window[(at - from) / 8 % (UW_WINDOW / 8)];
		return UW_GO;
	}
	u->edge = at - 8;
	u->window_at = 0;
	if (bpf_probe_read_user(&u->value, 8, (const void *)at))
		return uw_stop(u, UW_FAULT);
	return UW_GO;
}

/* The word at an address of the stack, to *ret. */
static __attribute__((always_inline)) u64 uw_word(struct uw *u, u64 at, u64 *ret)
{
	u64 off = at - u->window_at;

	if (off > UW_WINDOW - 8 || off % 8) {
		u64 stop = uw_refill(u, at);

		*ret = u->value;
		return stop;
	}
	*ret = u->window[off / 8 % (UW_WINDOW / 8)];
	return UW_GO;
}

/* --- registers --------------------------------------------------------------------------------------------- */

/* Reads the frame pointer of the current frame, which was put off until a rule needs it. */
RT_GLOBAL(u) u64 uw_read_fp(struct uw *u)
{
	if (!u)
		return UW_STOP;
	u64 at = u->fp_at, off = at - u->window_at;
	u->fp_at = 0;
	if (at == 1)
		return uw_stop(u, UW_BAD_RULE);
	if (off <= UW_WINDOW - 8 && off % 8 == 0)
		u->fp = u->window[off / 8 % (UW_WINDOW / 8)];
	else if (bpf_probe_read_user(&u->fp, 8, (const void *)at))
		return uw_stop(u, UW_FAULT);
	return UW_GO;
}

static __attribute__((always_inline)) u64 uw_fp(struct uw *u)
{
	return u->fp_at ? uw_read_fp(u) : UW_GO;
}

/* A register of the current frame by its DWARF number, to u->value. */
RT_GLOBAL(un) u64 uw_reg(struct uw *u, u64 reg)
{
	u32 i = reg == 3 ? 0 : (u32)reg - 11; /* rbx, r12 to r15 */

	if (!u)
		return UW_STOP;
	if (reg == 6 && uw_fp(u))
		return UW_STOP;
	u->value = reg == 7 ? u->sp : reg == 6 ? u->fp : u->reg[reg & 15];
	if (reg == 6 || reg == 7 || u->has_regs)
		return UW_GO;
	if (i >= UW_SAVED)
		return uw_stop(u, UW_BAD_RULE);
	if (!u->is_tracking)
		return UW_AGAIN;
	u64 at = u->saved_at[i];
	if (at == 1)
		return uw_stop(u, UW_BAD_RULE);
	if (at && bpf_probe_read_user(&u->value, 8, (const void *)at))
		return uw_stop(u, UW_FAULT);
	return UW_GO;
}

/* Where the rule says that this frame saved registers: addresses, 1: lost, 0: nowhere yet. */
RT_GLOBAL(unn) u64 uw_track(struct uw *u, u64 id, u64 from)
{
	struct uw_rule *r = uw_rule(id);

	if (!u)
		return UW_STOP;
	for (u32 i = 0; i < UW_SAVED; i++) {
		s16 off = r->saved[i];

		if (off != UW_SAME)
			u->saved_at[i] = off == UW_LOST ? 1 : from + (s64)off;
	}
	return UW_GO;
}

static __attribute__((always_inline)) void uw_anchor_here(struct uw *u)
{
	u->anchor.ip = u->ip;
	u->anchor.sp = u->sp;
	u->anchor.fp = u->fp;
	u->anchor.n = u->n;
	u->anchor.hash = u->hash;
	u->anchor.next = u->next;
	u->fp_at = 0;
	u->is_call = 0;
	u->has_regs = 1;
	u->is_tracking = 0;
}

/* Goes back to the last place where all registers were known, to follow the saved ones from there. */
RT_GLOBAL(u) u64 uw_restart(struct uw *u)
{
	if (!u)
		return UW_STOP;
	u->ip = u->anchor.ip;
	u->sp = u->anchor.sp;
	u->fp = u->anchor.fp;
	u->n = (u32)u->anchor.n;
	u->hash = u->anchor.hash;
	u->next = u->anchor.next;
	u->slot = u->entry_n = 0;
	u->fp_at = 0;
	u->is_call = 0;
	u->has_regs = 1;
	u->is_tracking = 1;
	for (u32 i = 0; i < UW_SAVED; i++)
		u->saved_at[i] = 0;
	return UW_GO;
}

/* --- return probes ----------------------------------------------------------------------------------------- */

/* A return address that is the trampoline's: puts what it was before into u->value. */
RT_GLOBAL(un) u64 uw_real_return(struct uw *u, u64 slot)
{
	if (!u)
		return UW_STOP;
	for (u32 k = 0; k < UW_STALE; k++) {
		u64 at = u->next;

		if (!u->slot) {
			if (!at || UW_READ(&u->slot, at, return_instance__stack) ||
			    UW_READ(&u->ret, at, return_instance__orig_ret_vaddr) ||
			    UW_READ(&u->next, at, return_instance__next))
				break;
		}
		if (u->slot >= slot)
			break;
		u->slot = 0;
	}
	if (u->slot != slot)
		return uw_stop(u, UW_FAULT);
	u->value = u->ret;
	u->slot = 0;
	return UW_GO;
}

/* --- a step ------------------------------------------------------------------------------------------------ */

/* All registers as the signal found them: r8 to r15, then these, at sp + off (struct sigcontext of x86-64). */
RT_GLOBAL(un) u64 uw_signal(struct uw *u, u64 off)
{
	static const u8 order[16] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7};

	if (!u)
		return UW_STOP;
	if (bpf_probe_read_user(u->tmp, UW_SIGNAL_REGS * 8, (const void *)(u->sp + off)))
		return uw_stop(u, UW_FAULT);
#pragma unroll
	for (u32 i = 0; i < 16; i++)
		u->reg[order[i]] = u->tmp[i];
	u->entry_n = u->n;
	u->ip = u->tmp[16];
	u->sp = u->reg[7];
	u->fp = u->reg[6];
	uw_anchor_here(u);
	return UW_GO;
}

/* The canonical frame address by one of the rules that are rare, to u->cfa. */
RT_GLOBAL(unn) u64 uw_rare_cfa(struct uw *u, u64 id, u64 pc)
{
	struct uw_rule *r = uw_rule(id);
	u64 stop;

	if (!u)
		return UW_STOP;
	if (r->cfa == UW_CFA_PLT) {
		u->cfa = u->sp + (s64)r->off + ((s32)(pc & 15) >= r->off2 ? 8 : 0);
		return UW_GO;
	}
	if (r->cfa == UW_CFA_END)
		return uw_stop(u, u->guessed ? UW_GUESSED : UW_COMPLETE);
	if (r->cfa != UW_CFA_REG && r->cfa != UW_CFA_DEREF)
		return uw_stop(u, UW_BAD_RULE);
	u->cfa = r->off;
	if (r->index != UW_NO_REG) {
		stop = uw_reg(u, r->index);
		if (stop)
			return stop;
		u->cfa += u->value * r->scale;
	}
	stop = uw_reg(u, r->reg);
	if (stop)
		return stop;
	u->cfa += u->value;
	if (r->cfa == UW_CFA_REG)
		return UW_GO;
	if (bpf_probe_read_user(&u->value, 8, (const void *)u->cfa))
		return uw_stop(u, UW_FAULT);
	u->cfa = u->value + (s64)r->off2;
	return UW_GO;
}

/* Return address and frame pointer of the caller where they are not right below the CFA, to u->value and u->fp_at. */
RT_GLOBAL(un) u64 uw_rare_saved(struct uw *u, u64 id)
{
	struct uw_rule *r = uw_rule(id);

	if (!u)
		return UW_STOP;
	u64 cfa = u->cfa, stop = UW_GO, from = cfa;
	if (r->base == UW_FROM_FP)
		stop = uw_fp(u);
	if (stop)
		return stop;
	if (r->base != UW_FROM_CFA)
		from = r->base == UW_FROM_FP ? u->fp : u->sp;
	if (u->is_tracking)
		uw_track(u, id, from);
	u->ret_at = (r->ra_kind == UW_RA_SP ? u->sp : cfa) + (s64)r->ra;
	if (r->ra_kind == UW_RA_REG)
		stop = uw_reg(u, (u64)r->ra);
	else if (bpf_probe_read_user(&u->value, 8, (const void *)u->ret_at))
		stop = uw_stop(u, UW_FAULT);
	if (r->fp != UW_SAME)
		u->fp_at = r->fp == UW_LOST ? 1 : from + (s64)r->fp;
	return stop;
}

/*
 * A return address that begins a function, with nothing before it that has rules: code that was never called, but put
 * on the stack to return to.
 */
RT_GLOBAL(un) u64 uw_rule_behind(struct uw *u, u64 pc)
{
	if (!u || !u->is_call || u->kind != UW_MAP_TABLE || pc + 1 - u->start >= u->len)
		return UW_RULE_NONE;
	u32 id = (u32)uw_rule_number(u->seg, u->table, pc + 1 - u->base);
	if (id != UW_RULE_NONE)
		u->entry_n = u->n;
	return id;
}

/*
 * Where a signal's handler returns to is `mov $15, %rax; syscall`, rt_sigreturn(2), in one of its two spellings.  C libraries without
 * tables (musl) have it, too.
 */
RT_GLOBAL(u) u64 uw_is_sigreturn(struct uw *u)
{
	u64 code;

	if (!u || !u->is_call || bpf_probe_read_user(&code, 8, (const void *)u->ip))
		return 0;
	return code == 0x0f0000000fc0c748 || code << 8 == 0x050f0000000fb800;
}

/* May this frame lie below its callee?  Only if a table says so, by another register than the stack pointer, and on another stack. */
static __attribute__((always_inline)) u64 uw_is_elsewhere(struct uw *u, u64 id, u64 cfa)
{
	return id != UW_RULE_FP && uw_rule(id)->cfa != UW_CFA_SP && uw_rule(id)->cfa != UW_CFA_PLT && u->sp - cfa > UW_FAR;
}

/* From the current frame, whose address to look up is pc, to its caller. */
static __attribute__((always_inline)) u64 uw_caller(struct uw *u, u64 pc)
{
	u64 id = UW_RULE_NONE, cfa, pair[2], stop = UW_GO;

	if (!u)
		return UW_STOP;
	if (u->kind == UW_MAP_TABLE)
		id = uw_rule_number(u->seg, u->table, pc - u->base);
	if (id == UW_RULE_NONE)
		id = uw_rule_behind(u, pc);
	if (id == UW_RULE_NONE) {
		if (uw_is_sigreturn(u))
			return uw_signal(u, UW_SIGCONTEXT);
		id = UW_RULE_FP;
	}
	if (id == UW_RULE_FP)
		u->guessed = 1;
	struct uw_rule *r = uw_rule(id);
	if (r->cfa == UW_CFA_SP) {
		cfa = u->sp + (s64)r->off;
	} else if (r->cfa == UW_CFA_FP) {
		stop = uw_fp(u);
		cfa = u->fp + (s64)r->off;
	} else if (r->cfa == UW_CFA_SIGNAL) {
		return uw_signal(u, (u64)(s64)r->off);
	} else {
		stop = uw_rare_cfa(u, id, pc);
		cfa = u->cfa;
	}
	if (stop)
		return stop;
	if ((cfa < u->sp && !uw_is_elsewhere(u, id, cfa)) || (cfa == u->sp && r->ra_kind != UW_RA_REG))
		return uw_stop(u, id != UW_RULE_FP ? UW_BACKWARDS : u->sp == u->bottom ? UW_COMPLETE : UW_NO_TABLE);
	if (r->is_plain && !u->is_tracking) {
		u->ret_at = cfa - 8;
		stop = uw_word(u, cfa - 8, &pair[1]);
		if (stop)
			return stop;
		if (r->fp != UW_SAME)
			u->fp_at = cfa + (s64)r->fp;
	} else {
		u->cfa = cfa;
		stop = uw_rare_saved(u, id);
		if (stop)
			return stop;
		pair[1] = u->value;
	}
	if (!pair[1])
		return uw_stop(u, u->guessed ? UW_NO_TABLE : UW_COMPLETE);
	if (pair[1] == u->trampoline) {
		if (uw_real_return(u, u->ret_at))
			return UW_STOP;
		pair[1] = u->value;
	}
	u->sp = cfa;
	u->ip = pair[1];
	u->is_call = !r->is_signal;
	u->has_regs = 0;
	return UW_GO;
}

/* By the list that user space made; what is not in it, because it is news, in the kernel. */
static __attribute__((always_inline)) u64 uw_enter(struct uw *u, u64 pc)
{
	if (u->source != UW_FROM_KERNEL && !uw_enter_map(u, pc))
		return UW_GO;
	u->source = UW_FROM_KERNEL;
	if (uw_enter_vma(u, pc)) /* code that nobody called need not have a caller: where makecontext(3) begins */
		return uw_stop(u, !u->entry_n || u->entry_n != u->n ? UW_UNMAPPED : u->guessed ? UW_GUESSED : UW_COMPLETE);
	return pc - u->start < u->len ? UW_GO : uw_enter_map(u, pc);
}

static long uw_step(u32 round, struct uw_loop *l)
{
	struct uw *u = l->u;
	u64 ip = u->ip, pc = ip - u->is_call;

	if (pc - u->start >= u->len && uw_enter(u, pc))
		return 1;
	u32 n = u->n;
	if (n >= l->max) {
		u->end = UW_LIMIT;
		return 1;
	}
	((u64 *)(u + 1))[n] = n && !u->is_call ? ip ^ UW_INTERRUPTED : ip;
	u->n = n + 1;
	u64 h = (u->hash ^ ip) * 0xff51afd7ed558ccdull;
	u->hash = h ^ h >> 32;
	u64 stop = uw_caller(u, pc);
	if (u->entry_n > n)
		((u64 *)(u + 1))[n] = ip ^ UW_INTERRUPTED;
	if (stop == UW_AGAIN)
		stop = uw_restart(u);
	return stop != UW_GO;
}

/* --- beginning and end ------------------------------------------------------------------------------------- */

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

/* Has this process lived for so long that it will go on? */
static __attribute__((always_inline)) u32 uw_is_old(void)
{
	const void *leader = (const void *)UW_FIELD(bpf_get_current_task_btf(), task_struct__group_leader);

	return leader && bpf_ktime_get_ns() - UW_FIELD(leader, task_struct__start_time) > UW_YOUNG_NS;
}

/* Frames that were found, and their hash; or minus how it ended when there are none. */
RT_GLOBAL(u) u64 uw_result(struct uw *u)
{
	if (!u)
		return (u64)-UW_NO_STACK;
	u32 unmapped = u->end == UW_UNMAPPED, source = u->source;
	if (unmapped || (source != UW_TOLD && uw_is_old()))
		uw_ask(u->tgid, source == UW_FROM_PARENT ? 0 : u->ip);
	if (unmapped && (u->is_new || !u->n))
		return (u64)(u->is_new ? -UW_NEW : -UW_UNMAPPED);
	u64 h = (u->hash ^ u->n) * 0xff51afd7ed558ccdull;
	u->hash = h ? h : 1;
	return u->n;
}

#define UW_COPY_REGS(u, r)                                                                           \
	do {                                                                                         \
		(u)->reg[0] = (r)->ax, (u)->reg[1] = (r)->dx, (u)->reg[2] = (r)->cx;                 \
		(u)->reg[3] = (r)->bx, (u)->reg[4] = (r)->si, (u)->reg[5] = (r)->di;                 \
		(u)->reg[6] = (u)->fp = (r)->bp, (u)->reg[7] = (u)->sp = (r)->sp;                    \
		(u)->reg[8] = (r)->r8, (u)->reg[9] = (r)->r9, (u)->reg[10] = (r)->r10;               \
		(u)->reg[11] = (r)->r11, (u)->reg[12] = (r)->r12, (u)->reg[13] = (r)->r13;           \
		(u)->reg[14] = (r)->r14, (u)->reg[15] = (r)->r15, (u)->ip = (r)->ip;                 \
	} while (0)

/* The registers of the task when it entered the kernel: 0, or why there are none of 64 bits (enum uw_end). */
RT_GLOBAL(u) u64 uw_task_regs(struct uw *u)
{
	struct uw_regs *r = (struct uw_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (!u)
		return UW_NO_STACK;
	if (r->cs == UW_CS_USER32) {
		uw_meet(u->tgid);
		return UW_32_BITS;
	}
	UW_COPY_REGS(u, r);
	return 0;
}

static __attribute__((always_inline)) s64 uw_walk(struct uw *u, u64 max)
{
	struct uw_loop l = {u, max};
	u64 end = uw_begin(u);

	if (end)
		return -(s64)end;
	bpf_loop((u32)(2 * max + 2), uw_step, &l, 0);
	return (s64)uw_result(u);
}

/*
 * The current process's user stack.  u: state, followed by room for `max` addresses, innermost first.  Returns how many
 * there are, or minus how it ended (enum uw_end) when there are none that the tables know: then bpf_get_stack is to be
 * asked.  ctx: struct pt_regs of a kprobe or uprobe, or a perf event's context, which begins with them.
 */
RT s64 rt_unwind_ctx(struct uw_regs *ctx, struct uw *u, u64 max)
{
	u16 cs = (u16)*(volatile u64 *)&ctx->cs_word; /* contexts of perf events are read by whole words only */
	u64 end = 0;

	if ((cs & 3) && cs != UW_CS_USER32)
		UW_COPY_REGS(u, ctx);
	else
		end = uw_task_regs(u);
	return end ? -(s64)end : uw_walk(u, max);
}

/* Same from programs whose context has no registers. */
RT s64 rt_unwind_task(struct uw *u, u64 max)
{
	u64 end = uw_task_regs(u);

	return end ? -(s64)end : uw_walk(u, max);
}
