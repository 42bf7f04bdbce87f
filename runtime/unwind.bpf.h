/*
 * unwind.bpf.h - user stacks by unwind tables: see unwind.h for their layout.  What is known of the process is found first (unwind_begin.bpf.h);
 * a step finds the mapping (unwind_vma.bpf.h) and its rule, and the caller's registers by it (unwind_regs.bpf.h, unwind_rare.bpf.h).
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

#include "unwind_regs.bpf.h"
#include "unwind_rare.bpf.h"

/* --- a step ------------------------------------------------------------------------------------------------ */

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

#include "unwind_begin.bpf.h"

/* --- the end and the whole ---------------------------------------------------------------------------------- */

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
