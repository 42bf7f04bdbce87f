/*
 * unwind_regs.bpf.h - a part of unwind.bpf.h: words of the stack, and the registers of the current frame, of which some were saved by its callees.
 */
#pragma once

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
	if (i >= UW_SAVED) /* calls may change it; who counts on it nevertheless is assembly whose callees do not: u->value */
		return UW_GO;
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
