/* tapset_probe.c - what the probe and the session are: kind of the probe, registers, the kernel's stack, name of the session. */
#include <stdio.h>
#include <unistd.h>

#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

/* Kinds of probes by the start of their names; a return probe has a second one. */
static const struct {
	const char *prefix, *type, *returns;
} types[] = {
	{"begin", "begin_end", NULL},
	{"end", "begin_end", NULL},
	{"error", "begin_end", NULL},
	{"never", "begin_end", NULL},
	{"timer.jiffies(", "timer", NULL},
	{"timer.profile", "profile_timer", NULL},
	{"timer.", "hrtimer", NULL},
	{"perf.", "perf_event", NULL},
	{"procfs", "procfs", NULL},
	{"netfilter.", "netfilter", NULL},
	{"kernel.data(", "hardware_data_breakpoint", NULL},
	{"kernel.trace(", "kernel_tracepoint", NULL},
	{"kernel.tracepoint(", "kernel_tracepoint", NULL},
	{"__event(", "kernel_tracepoint", NULL},
	{"kernel.", "kprobe", "kretprobe"},
	{"module(", "kprobe", "kretprobe"},
	{"kprobe.", "kprobe", "kretprobe"},
};

static const char *type_of(const struct stp_dprobe *dp)
{
	switch (dp->spec.kind) {
	case PK_PROCESS_BEGIN:
	case PK_PROCESS_END:
	case PK_THREAD_BEGIN:
	case PK_THREAD_END: return "utrace";
	case PK_UPROBE:
	case PK_USDT: return "uprobe";
	case PK_URETPROBE: return "uretprobe";
	default: break;
	}
	if (dp->is_raw_syscall)
		return "utrace_syscall";
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_has_prefix(dp->name, types[i].prefix))
			return dp->is_return && types[i].returns ? types[i].returns : types[i].type;
	return "kernel_tracepoint";
}

static struct stp_value lower_probe_type(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_literal(l, type_of(l->dp));
}

/* The text between `what` and the next quote in the name of the probe; "" without it. */
static struct stp_value name_part(struct stp_lower *l, const char *what)
{
	const char *at = strstr(l->dp->name, what);
	if (!at)
		return stp_literal(l, "");
	at += strlen(what);
	return stp_literal(l, arena_strndup(l->c->a, at, strcspn(at, "\"")));
}

static struct stp_value lower_label(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return name_part(l, "label(\"");
}

/* probemod(): the module that the probe names; the kernel's functions are of none. */
static struct stp_value lower_module(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (strstr(l->dp->name, "module(\""))
		return name_part(l, "module(\"");
	if (str_has_prefix(l->dp->name, "kernel.function") || str_has_prefix(l->dp->name, "kprobe."))
		return stp_literal(l, "kernel");
	stp_raise(l, e->loc, "Cannot determine kernel module name");
	return stp_literal(l, "");
}

/* --- registers ------------------------------------------------------------------------------------------------- */

bool stp_has_registers(const struct stp_lower *l)
{
	enum prog_kind k = l->kit.kind;
	return k == PROG_KPROBE || k == PROG_KPROBE_MULTI || k == PROG_UPROBE_MULTI || k == PROG_PERF_EVENT;
}

static struct stp_value lower_valid(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, stp_has_registers(l)));
}

/* Those that a probe sees; segment bases and control registers are not among them.  Nothing without registers. */
static struct stp_value lower_print_regs(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	static const char *const names[] = {"ip", "sp", "flags", "ax", "bx", "cx", "dx", "si", "di", "bp",
					    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cs", "ss"};
	static const char text[] = "RIP: %016x\nRSP: %016x  EFLAGS: %08x\nRAX: %016x RBX: %016x RCX: %016x\n"
				   "RDX: %016x RSI: %016x RDI: %016x\nRBP: %016x R08: %016x R09: %016x\n"
				   "R10: %016x R11: %016x R12: %016x\nR13: %016x R14: %016x R15: %016x\nCS:  %04x SS: %04x\n";
	struct stp_value v[ARRAY_SIZE(names)];
	if (!stp_has_registers(l))
		return stp_none();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		v[i] = stp_long(kit_reg(K(l), names[i]));
	stp_send_text(l, ACT_STP_PRINT, text, v, ARRAY_SIZE(names), e->loc);
	return stp_none();
}

/* --- the kernel's stack ------------------------------------------------------------------------------------------ */

enum { THREAD_SIZE = 16384 }; /* asm/page_64_types.h, without KASAN */
enum { STACK_SIZE, STACK_USED, STACK_UNUSED };

/* number: which; of the kernel code that a probe on a kernel function interrupts */
static struct stp_value lower_stack(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	int64_t which = e->func->native->number;
	if (which == STACK_SIZE)
		return stp_long(stp_c(l, THREAD_SIZE));
	if (l->kit.kind != PROG_KPROBE && l->kit.kind != PROG_KPROBE_MULTI) {
		stp_error(l->c, e->loc, "%s() needs a probe on a kernel function: BPF tells no stack pointer elsewhere", e->func->name);
		return stp_long(stp_c(l, 0));
	}
	ir_ref left = ir_bini(LB(l), IR_AND, kit_reg(K(l), "sp"), THREAD_SIZE - 1);
	return stp_long(which == STACK_UNUSED ? left : ir_bin(LB(l), IR_SUB, stp_c(l, THREAD_SIZE), left));
}

/* --- the session --------------------------------------------------------------------------------------------------- */

const char *stp_session_name(struct stp_comp *c)
{
	const struct lang_input *in = c->in;
	if (in->module)
		return in->module;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	for (size_t i = 0; i < in->src->len; i++)
		hash = (hash ^ (uint8_t)in->src->text[i]) * 0x100000001b3;
	return arena_printf(c->a, "stap_%016llx_%d", (unsigned long long)hash, (int)getpid());
}

static struct stp_value lower_session_name(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_literal(l, stp_session_name(l->c));
}

/* The process of --target-namespaces; 0: none was given. */
static struct stp_value lower_namespaces(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, l->c->in->target_namespaces));
}

/* --- numbers that the kernel keeps ------------------------------------------------------------------------------------ */

static uint64_t symbol_address(struct stp_lower *l, const char *name)
{
	const struct ksym *k = l->c->world ? kallsyms_by_name(world_kallsyms(l->c->world), name) : NULL;
	return k ? k->addr : 0;
}

/* Address of a symbol of the kernel; when it is not among those that the kernel tells, an error, or 0 (number: 1). */
static struct stp_value lower_symbol_address(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	uint64_t addr = symbol_address(l, arg[0].lit ? arg[0].lit : "");
	if (!addr && !e->func->native->number)
		stp_raise(l, e->loc,
			  arena_printf(l->c->a, "this kernel tells no address of '%s' (CONFIG_KALLSYMS_ALL)", arg[0].lit ? arg[0].lit : ""));
	return stp_long(stp_c(l, (int64_t)addr));
}

/* What the processors have not yet added to a percpu_counter whose 32-bit parts are at this per-CPU address; 0 where the kernel does not
 * tell where they are. */
static struct stp_value lower_percpu_sum(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	uint64_t offsets = symbol_address(l, "__per_cpu_offset");
	if (!offsets)
		return stp_long(stp_c(l, 0));
	ir_ref cell = stp_cell(l);
	ir_rt(LB(l), "rt_stp_percpu_sum", stp_c(l, (int64_t)offsets), arg[0].v, stp_c(l, l->c->world->ncpus), cell);
	return stp_long(ir_load(LB(l), cell, 0, 8, false));
}

const struct stp_native stp_tapset_probe[] = {
	{"probe_type", "s:", NF_PURE, 0, lower_probe_type},
	{"pnlabel", "s:", NF_PURE, 0, lower_label},
	{"probemod", "s:", NF_PURE, 0, lower_module},
	{"registers_valid", "l:", NF_PURE | NF_CONTEXT, 0, lower_valid},
	{"print_regs", "v:", NF_CONTEXT, 0, lower_print_regs},
	{"stack_size", "l:", NF_PURE | NF_CONTEXT, 0, lower_stack, STACK_SIZE},
	{"stack_used", "l:", NF_PURE | NF_CONTEXT, 0, lower_stack, STACK_USED},
	{"stack_unused", "l:", NF_PURE | NF_CONTEXT, 0, lower_stack, STACK_UNUSED},
	{"module_name", "s:", NF_PURE, 0, lower_session_name},
	{"__target_namespaces", "l:", NF_PURE, 0, lower_namespaces},
	{"__symbol_address", "l:s", NF_PURE, 0, lower_symbol_address},
	{"__symbol_address_or_0", "l:s", NF_PURE, 0, lower_symbol_address, 1},
	{"__percpu_sum", "l:l", NF_PURE, 0, lower_percpu_sum},
	{0},
};
