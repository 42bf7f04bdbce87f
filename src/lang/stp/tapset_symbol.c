/*
 * tapset_symbol.c - names of addresses, and stacks.
 *
 * The kernel knows its own symbols (%ps of bpf_snprintf) and gives a real string.  Names of user addresses and
 * whole stacks with names are known to this process only: such a string carries a note, which output/stp_note.c
 * replaces where the string is printed: \001, a letter, hexadecimal fields, \002.
 */
#include <stddef.h>

#include "bpf/user_helpers.h"
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

enum { SYMBOL_CAP = 128, NOTE_CAP = 48, MAX_BACKTRACE = 20, HEX_CAP = 392, USER = 256 };

/* what: as UH_SYMBOL and rt_stp_symbol() cut it out; memory of SYMBOL_CAP bytes */
static ir_ref symbol(struct stp_lower *l, ir_ref addr, int64_t what)
{
	ir_ref dst = kit_mem_zero(K(l), SYMBOL_CAP);
	if (l->user) {
		ir_helper(LB(l), UH_SYMBOL, addr, stp_c(l, what), dst, stp_c(l, SYMBOL_CAP));
		return dst;
	}
	ir_ref text = kit_mem_zero(K(l), 256), data = kit_mem(K(l), 8);
	static const char *const formats[] = {"%ps", "%pS", "%ps"};
	const char *fmt = formats[what];
	uint32_t at = program_rodata(l->c->prog, fmt, strlen(fmt) + 1, 1);
	ir_store(LB(l), data, 0, 8, addr);
	ir_helper(LB(l), BPF_FUNC_snprintf, text, stp_c(l, 256), ir_mapval(LB(l), l->c->prog->rodata, at), data, stp_c(l, 8));
	ir_rt(LB(l), "rt_stp_symbol", dst, text, stp_c(l, what), stp_cell(l));
	return dst;
}

static struct stp_value lower_symbol(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref dst = symbol(l, arg[0].v, e->func->native->number);
	if (e->func->native->number == UH_SYMBOL_MODULE)
		stp_raise_if(l, ir_bini(LB(l), IR_EQ, ir_load(LB(l), dst, 0, 1, false), 0), e->loc, "Cannot determine kernel module name");
	return stp_string(dst, SYMBOL_CAP);
}

static struct stp_value note(struct stp_lower *l, const char *fmt, const struct stp_value *v, unsigned n, struct loc loc)
{
	return stp_format_into(l, fmt, v, n, NOTE_CAP, loc);
}

/* number: the letter that says what of the address is wanted */
static struct stp_value lower_user_symbol(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct stp_value v[] = {stp_long(stp_c(l, e->func->native->number)), arg[0], stp_long(ir_bini(LB(l), IR_LSHR, kit_pid_tgid(K(l)), 32))};
	return note(l, "\001%c%016x%08x\002", v, 3, e->loc);
}

/* The same of a kernel address, whose name is known there and whose place in the source is not. */
static struct stp_value lower_kernel_source(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct stp_value v[] = {stp_long(stp_c(l, e->func->native->number)), arg[0]};
	return note(l, "\001%c%016x\002", v, 2, e->loc);
}

/* --- stacks ---------------------------------------------------------------------------------------------------- */

/* struct stack_value_wire of the current stack, in memory */
static ir_ref take_stack(struct stp_lower *l, bool user, struct type **t_ret, struct loc loc)
{
	*t_ret = type_stack(l->c->a, user, STACK_BPFTRACE, MAX_BACKTRACE);
	ir_ref dst = kit_mem_zero(K(l), sizeof(struct stack_value_wire));
	if (!l->user)
		kit_stack(K(l), *t_ret, dst, loc);
	return dst;
}

/* Where the probe is, exactly: of a function that returns where it begins; 0: not known. */
static ir_ref probe_address(struct stp_lower *l, bool user)
{
	enum probe_kind kind = l->dp->spec.kind;
	if (l->user || user != (kind == PK_URETPROBE))
		return stp_c(l, 0);
	if (kind == PK_KRETPROBE || (kind == PK_URETPROBE && l->c->world->features.uprobe_func_ip))
		return kit_func_ip(K(l));
	return stp_at_entry(l) && !user ? stp_entry_address(l) : stp_c(l, 0);
}

/* number: enum stp_stack, and USER */
static struct stp_value lower_print_stack(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct type *t;
	bool user = e->func->native->number & USER;
	enum probe_kind kind = l->dp->spec.kind;
	ir_ref at = take_stack(l, user, &t, e->loc);
	struct action *act = program_action(l->c->prog, ACT_STP_BACKTRACE, e->loc);
	act->number = (uint64_t)e->func->native->number & ~(uint64_t)USER;
	if (kind == (user ? PK_URETPROBE : PK_KRETPROBE))
		act->number |= STP_STACK_RETURNS;
	act->extra = l->dp->name;
	struct kit_value v[] = {{.type = t, .v = at, .is_addr = true}, {.type = &type_int64, .v = probe_address(l, user)}};
	kit_send(K(l), act, v, 2);
	return stp_none();
}

static struct stp_value lower_sprint_stack(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct type *t;
	bool user = e->func->native->number != 'k';
	ir_ref at = take_stack(l, user, &t, e->loc);
	struct stp_value v[] = {stp_long(stp_c(l, user ? 'U' : stp_at_entry(l) ? 'E' : 'K')),
				stp_long(ir_load(LB(l), at, offsetof(struct stack_value_wire, id), 8, false)),
				stp_long(ir_load(LB(l), at, offsetof(struct stack_value_wire, pid), 4, false)),
				stp_long(ir_load(LB(l), at, offsetof(struct stack_value_wire, nframes), 2, false))};
	return note(l, "\001%c%016x%08x%04x\002", v, 4, e->loc);
}

/*
 * Addresses of the current stack: in the block that is open then there are *n, at most MAX_BACKTRACE; the block after it
 * is returned.  The kernel's own are read anew; the user's are those that were stored.
 */
static uint32_t with_frames(struct stp_lower *l, bool user, ir_ref *frames, ir_ref *n, struct loc loc)
{
	if (user) {
		struct type *t;
		ir_ref at = take_stack(l, true, &t, loc);
		*n = ir_load(LB(l), at, offsetof(struct stack_value_wire, nframes), 2, false);
		ir_ref element = ir_helper(LB(l), BPF_FUNC_map_lookup_elem, ir_map(LB(l), l->c->prog->stacks), at);
		uint32_t end = stp_if(l, element);
		*frames = ir_bini(LB(l), IR_ADD, element, sizeof(struct stack_frames_wire));
		return end;
	}
	*frames = kit_mem_zero(K(l), MAX_BACKTRACE * 8);
	ir_ref got = ir_helper(LB(l), BPF_FUNC_get_stack, kit_ctx(K(l)), *frames, stp_c(l, MAX_BACKTRACE * 8), stp_c(l, 0));
	*n = ir_bini(LB(l), IR_LSHR, got, 3);
	if (stp_at_entry(l))
		ir_store(LB(l), *frames, 0, 8, stp_entry_address(l));
	return stp_if(l, ir_bin(LB(l), IR_SLT, stp_c(l, 0), got));
}

/* Addresses as text: "0x1 0x2 ". */
static struct stp_value lower_backtrace(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref dst = kit_mem_zero(K(l), HEX_CAP), frames, n;
	if (l->user)
		return stp_string(dst, HEX_CAP);
	uint32_t end = with_frames(l, e->func->native->number != 'k', &frames, &n, e->loc);
	ir_rt(LB(l), "rt_stp_addresses", dst, frames, n, stp_cell(l));
	stp_endif(l, end);
	return stp_string(dst, HEX_CAP);
}

/* __stack_raw(n), __ustack_raw(n): the n-th address from the innermost, 0 when there are not so many. */
static struct stp_value lower_frame(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref ret = kit_mem_zero(K(l), 8), frames, n;
	if (l->user)
		return stp_long(stp_c(l, 0));
	uint32_t end = with_frames(l, e->func->native->number != 'k', &frames, &n, e->loc);
	uint32_t inner = stp_if(l, ir_bin(LB(l), IR_ULT, arg[0].v, n));
	uint32_t bounded = stp_if(l, ir_bini(LB(l), IR_ULT, arg[0].v, MAX_BACKTRACE));
	ir_ref slot = ir_bin(LB(l), IR_ADD, frames, ir_bini(LB(l), IR_SHL, arg[0].v, 3));
	ir_store(LB(l), ret, 0, 8, ir_load(LB(l), slot, 0, 8, false));
	stp_endif(l, bounded);
	stp_endif(l, inner);
	stp_endif(l, end);
	return stp_long(ir_load(LB(l), ret, 0, 8, false));
}

/* print_syms(addresses): names are found where it is printed. */
static struct stp_value lower_print_syms(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct action *act = program_action(l->c->prog, ACT_STP_BACKTRACE, e->loc);
	struct kit_value v[] = {{.type = type_str(l->c->a, arg[0].cap), .v = arg[0].v, .is_addr = true},
				{.type = &type_int64, .v = ir_bini(LB(l), IR_LSHR, kit_pid_tgid(K(l)), 32)}};
	act->number = (uint64_t)e->func->native->number;
	kit_send(K(l), act, v, 2);
	return stp_none();
}

const struct stp_native stp_tapset_symbol[] = {
	{"symname", "s:l", NF_PURE, SYMBOL_CAP, lower_symbol, UH_SYMBOL_NAME},
	{"symdata", "s:l", NF_PURE, SYMBOL_CAP, lower_symbol, UH_SYMBOL_OFFSET},
	{"modname", "s:l", NF_PURE, SYMBOL_CAP, lower_symbol, UH_SYMBOL_MODULE},
	{"symfileline", "s:l", NF_PURE, NOTE_CAP, lower_kernel_source, 'p'},
	{"symfile", "s:l", NF_PURE, NOTE_CAP, lower_kernel_source, 'P'},
	{"symline", "s:l", NF_PURE, NOTE_CAP, lower_kernel_source, 'I'},
	{"usymname", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'n'},
	{"usymdata", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'd'},
	{"umodname", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'm'},
	{"usymfileline", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'l'},
	{"print_backtrace", "v:", NF_CONTEXT, 0, lower_print_stack, STP_STACK_LONG},
	{"print_ubacktrace", "v:", NF_CONTEXT, 0, lower_print_stack, STP_STACK_LONG | USER},
	{"usymfile", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'F'},
	{"usymline", "s:l", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_user_symbol, 'L'},
	{"print_backtrace_fileline", "v:", NF_CONTEXT, 0, lower_print_stack, STP_STACK_SOURCE},
	{"print_ubacktrace_fileline", "v:", NF_CONTEXT, 0, lower_print_stack, STP_STACK_SOURCE | USER},
	{"print_ubacktrace_brief", "v:", NF_CONTEXT, 0, lower_print_stack, STP_STACK_BRIEF | USER},
	{"sprint_backtrace", "s:", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_sprint_stack, 'k'},
	{"sprint_ubacktrace", "s:", NF_PURE | NF_CONTEXT, NOTE_CAP, lower_sprint_stack, 'u'},
	{"backtrace", "s:", NF_PURE | NF_CONTEXT, HEX_CAP, lower_backtrace, 'k'},
	{"ubacktrace", "s:", NF_PURE | NF_CONTEXT, HEX_CAP, lower_backtrace, 'u'},
	{"__stack_raw", "l:l", NF_PURE | NF_CONTEXT, 0, lower_frame, 'k'},
	{"__ustack_raw", "l:l", NF_PURE | NF_CONTEXT, 0, lower_frame, 'u'},
	{"print_syms", "v:s", 0, 0, lower_print_syms, STP_STACK_KERNEL_SYMBOLS},
	{"print_stack", "v:s", 0, 0, lower_print_syms, STP_STACK_KERNEL_SYMBOLS},
	{"print_usyms", "v:s", NF_CONTEXT, 0, lower_print_syms, STP_STACK_USER_SYMBOLS},
	{"print_ustack", "v:s", NF_CONTEXT, 0, lower_print_syms, STP_STACK_USER_SYMBOLS},
	{0},
};
