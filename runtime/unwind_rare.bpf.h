/* unwind_rare.bpf.h - a part of unwind.bpf.h: frames that are none of the usual: signals, rules in full, code that nobody called. */
#pragma once

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
