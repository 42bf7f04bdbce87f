/* tapset_context.c - who is running: process, user, processor, probe; members of tasks. */
#include "lang/arch.h"
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

static struct stp_value low32(struct stp_lower *l, ir_ref v)
{
	return stp_long(ir_bini(LB(l), IR_AND, v, 0xffffffff));
}

static struct stp_value lower_pid(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_LSHR, kit_pid_tgid(K(l)), 32));
}

static struct stp_value record_field(struct stp_lower *l, const char *name)
{
	struct type *r = l->dp->args ? l->dp->args->record : NULL;
	for (uint32_t i = 0; r && i < r->nfield; i++)
		if (str_eq(r->field[i].name, name))
			return stp_long(kit_arg_scalar(K(l), &r->field[i], r->field[i].offset, l->kit.b.loc));
	return stp_long(stp_c(l, 0));
}

static struct stp_value lower_tid(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (l->dp->is_thread_begin)
		return record_field(l, "pid");
	return low32(l, kit_pid_tgid(K(l)));
}

static struct stp_value lower_uid(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return low32(l, kit_uid_gid(K(l)));
}

static struct stp_value lower_gid(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_LSHR, kit_uid_gid(K(l)), 32));
}

static struct stp_value lower_cpu(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return low32(l, kit_cpu(K(l)));
}

static struct stp_value lower_execname(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref at = kit_mem_zero(K(l), 16);
	kit_comm(K(l), at);
	return stp_string(at, 16);
}

static struct stp_value lower_task_current(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(kit_curtask(K(l)));
}

/* A member of a task by its path; the task is the argument or the current one. */
static const char *const task_paths[] = {
	"tgid", "pid", "prio", "real_parent.tgid", "real_parent", "cred.uid.val", "cred.gid.val", "cred.euid.val",
	"cred.egid.val", "tgid", "exit_code",
};
enum task_path { TP_TGID, TP_PID, TP_PRIO, TP_PPID, TP_PARENT, TP_UID, TP_GID, TP_EUID, TP_EGID, TP_PGRP, TP_EXIT };

static ir_ref task_path(struct stp_lower *l, ir_ref task, const char *path)
{
	struct type *t;
	return kit_kernel_path(K(l), task, "task_struct", path, &t);
}

static struct stp_value lower_task(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref task = e->nkid ? arg[0].v : kit_curtask(K(l));
	return stp_long(task_path(l, task, task_paths[e->func->native->number]));
}

/* task_prio(): what user space calls the priority: 0 is the lowest real-time one. */
static struct stp_value lower_task_prio(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_SUB, task_path(l, arg[0].v, "prio"), 100));
}

static struct stp_value lower_task_nice(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(ir_bini(LB(l), IR_SUB, task_path(l, arg[0].v, "static_prio"), 120));
}

static struct stp_value lower_task_state(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct type *t;
	ir_ref v = kit_kernel_path(K(l), arg[0].v, "task_struct", "__state", &t);
	return stp_long(t ? v : task_path(l, arg[0].v, "state"));
}

/* The processor of a task moved into thread_info (5.16), or was already there. */
static struct stp_value lower_task_cpu(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct type *t;
	ir_ref v = kit_kernel_path(K(l), arg[0].v, "task_struct", "thread_info.cpu", &t);
	return stp_long(t ? v : task_path(l, arg[0].v, "cpu"));
}

static struct stp_value lower_task_execname(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref at = kit_mem_zero(K(l), 16), from = task_path(l, arg[0].v, "comm");
	kit_str_read(K(l), at, 16, from, 0, AS_KERNEL, e->loc);
	return stp_string(at, 16);
}

static struct stp_value lower_pexecname(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct stp_value parent = stp_long(task_path(l, kit_curtask(K(l)), "real_parent"));
	return lower_task_execname(l, e, &parent);
}

static struct stp_value lower_target(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, l->c->world ? l->c->world->pid : 0));
}

static struct stp_value lower_is_return(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_long(stp_c(l, l->dp->is_return || l->dp->entry_event));
}

static const char *function_of(const struct attach_point *p)
{
	bool function = p->kind == PK_UPROBE || p->kind == PK_URETPROBE || p->kind == PK_KPROBE || p->kind == PK_KRETPROBE;
	return function && p->func ? p->func : "";
}

/* The probe's name with this function where its pattern was. */
static const char *name_of(struct stp_lower *l, const struct attach_point *p)
{
	static const char before[] = "function(\"";
	const char *name = l->dp->name, *at = strstr(name, before), *func = function_of(p);
	if (!at || !*func)
		return name;
	at += strlen(before);
	return arena_printf(l->c->a, "%.*s%s%s", (int)(at - name), name, func, at + strcspn(at, "\""));
}

/*
 * One program runs at all places of a probe.  The number that the kernel keeps with each (stp_lower() gives them) is that of its name in a
 * table, padded to a power of two so that no number lies outside.
 */
static struct stp_value by_point(struct stp_lower *l, const char *(*name)(struct stp_lower *l, const struct attach_point *p))
{
	const struct attach_points *points = &l->dp->points;
	size_t n = 1, cap = 8;
	for (size_t i = 0; i < points->list.len; i++)
		cap = MAX(cap, ALIGN_UP(strlen(name(l, points->list.at[i])) + 1, 8));
	while (n < points->list.len)
		n *= 2;
	_cleanup_free_ char *table = xcalloc(n, cap);
	for (size_t i = 0; i < points->list.len; i++)
		strcpy(table + i * cap, name(l, points->list.at[i]));
	uint32_t at = program_rodata(l->c->prog, table, n * cap, 8);
	ir_ref cookie = kit_cookie(K(l), points);
	ir_ref offset = ir_bin(LB(l), IR_MUL, ir_bini(LB(l), IR_AND, cookie, (int64_t)n - 1), stp_c(l, (int64_t)cap));
	return stp_string(ir_bin(LB(l), IR_ADD, ir_mapval(LB(l), l->c->prog->rodata, at), offset), (uint32_t)cap);
}

static bool is_numbered(const struct stp_lower *l)
{
	return !l->user && l->dp->points.list.len > 1 && *function_of(l->dp->points.list.at[0]) && l->c->world->features.attach_cookie;
}

/* The probe's name; a tracepoint's has its system before it. */
static const char *full_name(struct stp_lower *l)
{
	const char *name = l->dp->name, *func = l->dp->points.list.len ? l->dp->points.list.at[0]->func : NULL;
	if (l->dp->spec.kind != PK_RAWTRACEPOINT || !func)
		return name;
	_cleanup_free_ char *plain = xasprintf("(\"%s\")", func);
	const char *at = strstr(name, plain);
	return !at ? name : arena_printf(l->c->a, "%.*s(\"%s\")%s", (int)(at - name), name, stp_event_name(l->c, func), at + strlen(plain));
}

static struct stp_value lower_pp(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return is_numbered(l) ? by_point(l, name_of) : stp_literal(l, full_name(l));
}

static const char *func_name(struct stp_lower *l, const struct attach_point *p)
{
	(void)l;
	return function_of(p);
}

static struct stp_value lower_pn(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	return stp_literal(l, l->dp->alias_name ? l->dp->alias_name : full_name(l));
}

static struct stp_value lower_probefunc(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (is_numbered(l))
		return by_point(l, func_name);
	return stp_literal(l, l->dp->points.list.len ? function_of(l->dp->points.list.at[0]) : "");
}

/* Privilege level of the interrupted code: the low bits of the code segment. */
static struct stp_value lower_user_mode(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref cs = 0;
	if (stp_has_registers(l))
		cs = kit_reg(K(l), "cs");
	return stp_long(cs ? ir_bini(LB(l), IR_NE, ir_bini(LB(l), IR_AND, cs, 3), 0) : stp_c(l, 0));
}

/* Whether the current task runs that file: inode number, device as the kernel numbers it. */
static struct stp_value lower_exe_is(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct type *t;
	ir_ref inode = kit_kernel_path(K(l), kit_curtask(K(l)), "task_struct", "mm.exe_file.f_inode", &t);
	ir_ref ino = kit_kernel_path(K(l), inode, "inode", "i_ino", &t);
	ir_ref dev = kit_kernel_path(K(l), inode, "inode", "i_sb.s_dev", &t);
	return stp_long(ir_bin(LB(l), IR_AND, ir_bin(LB(l), IR_EQ, ino, arg[0].v), ir_bin(LB(l), IR_EQ, dev, arg[1].v)));
}

/* int_arg(n): of a function by the calling convention, of a system call by its record. */
static struct stp_value raw_arg(struct stp_lower *l, const struct stp_expr *e, struct stp_value n)
{
	int64_t i;
	if (!ir_is_const(l->kit.b.fn, n.v, &i) || i < 1 || i > 6) {
		stp_error(l->c, e->loc, "the number of an argument must be a literal from 1 to 6");
		return stp_long(stp_c(l, 0));
	}
	if (l->dp->args_are_fields) {
		struct type *r = l->dp->args ? l->dp->args->record : NULL;
		unsigned seen = 0;
		for (uint32_t k = 0; r && k < r->nfield; k++) {
			const char *name = r->field[k].name;
			if (str_eq(name, "__syscall_nr") || str_eq(name, "nr") || ++seen != (unsigned)i)
				continue;
			return stp_long(ir_load(LB(l), kit_ctx(K(l)), r->field[k].offset, 8, false));
		}
		return stp_long(stp_c(l, 0));
	}
	if (l->kit.kind != PROG_KPROBE && l->kit.kind != PROG_KPROBE_MULTI && l->kit.kind != PROG_UPROBE_MULTI) {
		stp_error(l->c, e->loc, "cannot access function arguments in this probe");
		return stp_long(stp_c(l, 0));
	}
	return stp_long(kit_func_arg(K(l), (unsigned)i - 1));
}

/* number: bytes, negative for signed */
static struct stp_value lower_arg(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	int64_t w = e->func->native->number;
	return stp_long(ir_ext(LB(l), raw_arg(l, e, arg[0]).v, (unsigned)(w < 0 ? -w : w), w < 0));
}

static struct stp_value lower_returnval(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (l->dp->entry_event)
		return record_field(l, "ret");
	if (!l->dp->is_return) {
		stp_error(l->c, e->loc, "returnval() is only valid in .return probes");
		return stp_long(stp_c(l, 0));
	}
	return stp_long(kit_retval(K(l)));
}

static struct stp_value lower_register(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	static const struct {
		const char *name, *kernel;
	} names[] = {{"rax", "ax"}, {"rbx", "bx"}, {"rcx", "cx"}, {"rdx", "dx"}, {"rsi", "si"}, {"rdi", "di"},
		     {"rbp", "bp"}, {"rsp", "sp"}, {"rip", "ip"}, {"eax", "ax"}, {"ebx", "bx"}, {"ecx", "cx"},
		     {"edx", "dx"}, {"esi", "si"}, {"edi", "di"}};
	const char *name = arg[0].lit;
	bool has_regs = stp_has_registers(l);
	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i].name))
			name = names[i].kernel;
	ir_ref v = name && has_regs ? kit_reg(K(l), name) : 0;
	if (!v)
		stp_error(l->c, e->loc, has_regs ? "unknown register name" : "no registers in this probe");
	return stp_long(v ? v : stp_c(l, 0));
}

static struct stp_value lower_randint(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref r = ir_calln(LB(l), IR_HELPER, BPF_FUNC_get_prandom_u32, NULL, 0, NULL);
	return stp_long(ir_bin(LB(l), IR_UMOD, ir_bini(LB(l), IR_AND, r, 0xffffffff), arg[0].v));
}

/* A breakpoint in the kernel leaves the instruction pointer behind it, so that it says nothing exact. */
bool stp_at_entry(const struct stp_lower *l)
{
	return !l->user && l->dp->points.list.len && l->dp->points.list.at[0]->kind == PK_KPROBE;
}

ir_ref stp_entry_address(struct stp_lower *l)
{
	const struct attach_point *p = l->dp->points.list.at[0];
	return p->func && !p->offset ? kit_func_ip(K(l)) : p->func ? kit_reg(K(l), "ip") : stp_c(l, (int64_t)p->address);
}

static struct stp_value lower_ip(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	bool has_regs = stp_has_registers(l);
	return stp_long(stp_at_entry(l) ? stp_entry_address(l) : has_regs ? kit_reg(K(l), "ip") : stp_c(l, 0));
}

/*
 * Where the task is in its program: while it is in the kernel, that is in the registers it came in with.  Those of the kernel's own threads
 * are zeroes.
 */
static struct stp_value lower_uaddr(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	enum probe_kind kind = l->dp->points.list.len ? l->dp->points.list.at[0]->kind : PK_NEVER;
	bool in_program = kind == PK_UPROBE || kind == PK_URETPROBE || kind == PK_USDT;
	if (l->user || in_program || kind == PK_NETFILTER)
		return lower_ip(l, e, arg);
	ir_ref task = ir_calln(LB(l), IR_HELPER, BPF_FUNC_get_current_task_btf, NULL, 0, NULL), regs = ir_helper(LB(l), BPF_FUNC_task_pt_regs, task);
	return stp_long(kit_read_scalar(K(l), regs, arch_reg_offset(arch_ip_reg()), 8, false, AS_KERNEL, e->loc));
}

const struct stp_native stp_tapset_context[] = {
	{"pid", "l:", NF_PURE | NF_CONTEXT, 0, lower_pid},
	{"tid", "l:", NF_PURE | NF_CONTEXT, 0, lower_tid},
	{"uid", "l:", NF_PURE | NF_CONTEXT, 0, lower_uid},
	{"gid", "l:", NF_PURE | NF_CONTEXT, 0, lower_gid},
	{"euid", "l:", NF_PURE | NF_CONTEXT, 0, lower_task, TP_EUID},
	{"egid", "l:", NF_PURE | NF_CONTEXT, 0, lower_task, TP_EGID},
	{"ppid", "l:", NF_PURE | NF_CONTEXT, 0, lower_task, TP_PPID},
	{"cpu", "l:", NF_PURE | NF_CONTEXT, 0, lower_cpu},
	{"cpuid", "l:", NF_PURE | NF_CONTEXT, 0, lower_cpu},
	{"execname", "s:", NF_PURE | NF_CONTEXT, 16, lower_execname},
	{"pexecname", "s:", NF_PURE | NF_CONTEXT, 16, lower_pexecname},
	{"target", "l:", NF_PURE, 0, lower_target},
	{"pp", "s:", NF_PURE, 0, lower_pp},
	{"pn", "s:", NF_PURE, 0, lower_pn},
	{"ppfunc", "s:", NF_PURE | NF_CONTEXT, 0, lower_probefunc},
	{"probefunc", "s:", NF_PURE | NF_CONTEXT, 0, lower_probefunc},
	{"is_return", "l:", NF_PURE, 0, lower_is_return},
	{"user_mode", "l:", NF_PURE | NF_CONTEXT, 0, lower_user_mode},
	{"task_current", "l:", NF_PURE | NF_CONTEXT, 0, lower_task_current},
	{"task_pid", "l:l", NF_PURE, 0, lower_task, TP_TGID},
	{"task_tid", "l:l", NF_PURE, 0, lower_task, TP_PID},
	{"task_parent", "l:l", NF_PURE, 0, lower_task, TP_PARENT},
	{"task_parent", "l:", NF_PURE | NF_CONTEXT, 0, lower_task, TP_PARENT},
	{"task_uid", "l:l", NF_PURE, 0, lower_task, TP_UID},
	{"task_gid", "l:l", NF_PURE, 0, lower_task, TP_GID},
	{"task_euid", "l:l", NF_PURE, 0, lower_task, TP_EUID},
	{"task_egid", "l:l", NF_PURE, 0, lower_task, TP_EGID},
	{"task_prio", "l:l", NF_PURE, 0, lower_task_prio},
	{"task_nice", "l:l", NF_PURE, 0, lower_task_nice},
	{"task_state", "l:l", NF_PURE, 0, lower_task_state},
	{"task_cpu", "l:l", NF_PURE, 0, lower_task_cpu},
	{"task_execname", "s:l", NF_PURE, 16, lower_task_execname},
	{"int_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, -4},
	{"uint_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 4},
	{"s32_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, -4},
	{"u32_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 4},
	{"long_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"ulong_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"longlong_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"ulonglong_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"s64_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"u64_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"pointer_arg", "l:l", NF_PURE | NF_CONTEXT, 0, lower_arg, 8},
	{"returnval", "l:", NF_PURE | NF_CONTEXT, 0, lower_returnval},
	{"register", "l:s", NF_PURE | NF_CONTEXT, 0, lower_register},
	{"u_register", "l:s", NF_PURE | NF_CONTEXT, 0, lower_register},
	{"addr", "l:", NF_PURE | NF_CONTEXT, 0, lower_ip},
	{"uaddr", "l:", NF_PURE | NF_CONTEXT, 0, lower_uaddr},
	{"randint", "l:l", 0, 0, lower_randint},
	{"__exe_is", "l:ll", NF_PURE | NF_CONTEXT, 0, lower_exe_is},
	{0},
};
