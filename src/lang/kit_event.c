/* kit_event.c - what the event is: process, time, registers, arguments, kernel structs. */
#include "lang/arch.h"
#include "lang/kit_internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Number of the first pid namespace: PROC_PID_INIT_INO of include/linux/proc_ns.h. */
enum {
	INIT_PID_NS = 0xEFFFFFFCu
};

/* As bpf_get_ns_current_pid_tgid() fills it: struct bpf_pidns_info. */
struct ns_info {
	uint32_t pid, tgid;
};

/* Helpers that say who runs came to netfilter programs in 6.16 only; the task itself they always had. */
static bool lacks_current_helpers(const struct kit *k)
{
	return k->kind == PROG_NETFILTER;
}

static ir_ref of_current(struct kit *k, const char *path)
{
	struct type *t;
	return kit_kernel_path(k, kit_curtask(k), "task_struct", path, &t);
}

/* Two numbers of 32 bits in a word. */
static ir_ref two_of_current(struct kit *k, const char *upper, const char *lower)
{
	ir_ref high = ir_bini(B(k), IR_SHL, of_current(k, upper), 32);
	return ir_bin(B(k), IR_OR, high, ir_bini(B(k), IR_AND, of_current(k, lower), 0xffffffff));
}

ir_ref kit_pid_tgid(struct kit *k)
{
	if (lacks_current_helpers(k))
		return two_of_current(k, "tgid", "pid");
	return H0(k, BPF_FUNC_get_current_pid_tgid);
}

ir_ref kit_ns_pid_tgid(struct kit *k)
{
	struct stat st;
	if (*k->world->root || stat("/proc/self/ns/pid", &st) || st.st_ino == INIT_PID_NS)
		return kit_pid_tgid(k);
	ir_ref info = kit_mem_zero(k, sizeof(struct ns_info));
	H(k, BPF_FUNC_get_ns_current_pid_tgid, C(k, (int64_t)st.st_dev), C(k, (int64_t)st.st_ino), info,
	  C(k, sizeof(struct ns_info)));
	ir_ref tgid = ir_load(B(k), info, offsetof(struct ns_info, tgid), 4, false);
	ir_ref pid = ir_load(B(k), info, offsetof(struct ns_info, pid), 4, false);
	return ir_bin(B(k), IR_OR, ir_bini(B(k), IR_SHL, tgid, 32), pid);
}

ir_ref kit_uid_gid(struct kit *k)
{
	if (lacks_current_helpers(k))
		return two_of_current(k, "cred.gid.val", "cred.uid.val");
	return H0(k, BPF_FUNC_get_current_uid_gid);
}

/* Kernels before 6.2 write no further than the NUL (bpf_get_current_comm() in kernel/bpf/helpers.c): what is behind it is ours to clear. */
void kit_comm(struct kit *k, ir_ref dst16)
{
	if (lacks_current_helpers(k)) {
		H(k, BPF_FUNC_probe_read_kernel, dst16, C(k, 16), of_current(k, "comm"));
		return;
	}
	ir_zero(B(k), dst16, 16);
	H(k, BPF_FUNC_get_current_comm, dst16, C(k, 16));
}

ir_ref kit_cpu(struct kit *k)
{
	return H0(k, BPF_FUNC_get_smp_processor_id);
}

ir_ref kit_curtask(struct kit *k)
{
	return H0(k, BPF_FUNC_get_current_task);
}

ir_ref kit_nsecs(struct kit *k, enum ts_clock clock)
{
	struct program *p = k->prog;
	switch (clock) {
	case TS_BOOT: return H0(k, BPF_FUNC_ktime_get_boot_ns);
	case TS_MONOTONIC: return H0(k, BPF_FUNC_ktime_get_ns);
	case TS_TAI: return H0(k, BPF_FUNC_ktime_get_tai_ns);
	case TS_SW_TAI:
	case TS_REALTIME: {
		if (!p->realtime_offset)
			p->realtime_offset = program_data(p, 8, 8);
		ir_ref off =
			ir_load(B(k), ir_mapval(B(k), p->data, p->realtime_offset), 0, 8, false);
		return ir_bin(B(k), IR_ADD, H0(k, BPF_FUNC_ktime_get_ns), off);
	}
	}
	BUG("clock %d", clock);
}

ir_ref kit_dummy_ts(struct kit *k)
{
	vec_each(it, &k->prog->var) {
		if (!strcmp((*it)->name, "@ts"))
			return kit_var_get_scalar(k, *it, 0);
	}
	return C(k, 0);
}

static unsigned width_of(const struct type *t)
{
	return t->size == 1 || t->size == 2 || t->size == 4 ? t->size : 8;
}

ir_ref kit_kernel_path(struct kit *k, ir_ref ptr, const char *struct_name, const char *path,
		       struct type **type_ret)
{
	*type_ret = NULL;
	struct err *err = NULL;
	struct btf *btf = world_btf(k->world, &err);
	err_free(err);
	uint32_t id = btf ? btf_find(btf, BTF_NS_STRUCT, struct_name) : 0;
	struct type *t = id ? btf_type(btf, id, AS_KERNEL, k->prog->arena) : NULL;
	_cleanup_free_ char *names = xstrdup(path);
	char *rest = names;
	uint32_t at = 0;
	for (char *name; t && (name = strsep(&rest, "."));) {
		uint32_t off;
		if (t->kind == TYPE_PTR) {
			ptr = kit_read_scalar(k, ptr, at, 8, false, AS_KERNEL, k->b.loc);
			at = 0;
			t = t->elem;
		}
		const struct field *f = t ? type_field(t, name, k->prog->arena, &off) : NULL;
		t = f ? f->type : NULL;
		at += f ? off : 0;
		if (f && f->bit_width) {
			*type_ret = t;
			return kit_read_field(k, ptr, f, at, AS_KERNEL, k->b.loc);
		}
	}
	if (!t)
		return C(k, 0);
	*type_ret = t;
	if (!type_is_scalar(t))
		return ir_bini(B(k), IR_ADD, ptr, at); /* arrays and structs: their address */
	return kit_read_scalar(k, ptr, at, width_of(t), t->is_signed, AS_KERNEL, k->b.loc);
}

ir_ref kit_reg(struct kit *k, const char *name)
{
	int off = arch_reg_offset(name);
	return off < 0 ? 0 : ir_load(B(k), kit_ctx(k), off, 8, false);
}

/* rawtracepoint:sys_enter(regs, id) or sys_exit(regs, ret) by way of the event of that name, see probe_syscall.c. */
static bool is_raw_event(const struct kit *k)
{
	return k->point && k->point->kind == PK_RAWTRACEPOINT && k->point->is_raw_event;
}

static ir_ref raw_event_arg(struct kit *k, unsigned i)
{
	enum { NUMBER = 8, RESULT = 16 }; /* in the record */
	if (i)
		return ir_load(B(k), kit_ctx(k), str_eq(k->point->func, "sys_exit") ? RESULT : NUMBER, 8, false);
	ir_ref regs = H(k, BPF_FUNC_task_pt_regs, H0(k, BPF_FUNC_get_current_task_btf));
	return ir_bswap(B(k), ir_bswap(B(k), regs, 8), 8); /* see kit_untyped() */
}

static bool is_typed_slots(enum prog_kind kind)
{
	return kind == PROG_RAW_TP_BTF || kind == PROG_FENTRY || kind == PROG_FEXIT ||
	       kind == PROG_LSM || kind == PROG_RAW_TP;
}

static bool is_multi_typed(enum prog_kind kind)
{
	return kind == PROG_FENTRY_MULTI || kind == PROG_FEXIT_MULTI;
}

/* The i-th word of the arguments, where the program is for functions of every type; 0 beyond the last. */
static ir_ref arg_by_helper(struct kit *k, unsigned i)
{
	ir_ref slot = kit_slot(k, 8);
	ir_store(B(k), slot, 0, 8, C(k, 0));
	H(k, BPF_FUNC_get_func_arg, kit_ctx(k), C(k, i), slot);
	return ir_load(B(k), slot, 0, 8, false);
}

ir_ref kit_func_arg(struct kit *k, unsigned i)
{
	if (is_multi_typed(k->kind))
		return arg_by_helper(k, i);
	if (is_raw_event(k))
		return raw_event_arg(k, i);
	if (is_typed_slots(k->kind))
		return ir_load(B(k), kit_ctx(k), (int64_t)i * 8, 8, false);
	const char *reg = arch_arg_reg(i);
	if (reg)
		return kit_reg(k, reg);
	return kit_read_scalar(k, kit_reg(k, arch_sp_reg()), arch_stack_arg_offset(i), 8, false,
			       AS_NONE, k->b.loc);
}

ir_ref kit_retval(struct kit *k)
{
	if (k->kind != PROG_FEXIT && k->kind != PROG_FENTRY && !is_multi_typed(k->kind))
		return kit_reg(k, arch_ret_reg());
	/* the return value follows the arguments; the helper knows where */
	ir_ref slot = kit_slot(k, 8);
	ir_store(B(k), slot, 0, 8, C(k, 0));
	H(k, BPF_FUNC_get_func_ret, kit_ctx(k), slot);
	return ir_load(B(k), slot, 0, 8, false);
}

/*
 * The function that a return probe of a program is of.  Where bpf_get_func_ip() does not know it, it is in what the kernel keeps
 * for the return, the first of the task's list while its handlers run (handle_trampoline() in kernel/events/uprobes.c, until
 * 6.12).  Returns that longjmp() has skipped stand before it: then it is another function's address.
 */
static ir_ref returning_function(struct kit *k)
{
	struct type *t;
	ir_ref func = k->world->features.uprobe_func_ip ? 0
		    : kit_kernel_path(k, kit_curtask(k), "task_struct", "utask.return_instances.func", &t);
	return func ? func : H(k, BPF_FUNC_get_func_ip, kit_ctx(k));
}

ir_ref kit_func_ip(struct kit *k)
{
	enum probe_kind kind = k->point ? k->point->kind : PK_BEGIN;
	if (kind == PK_URETPROBE)
		return returning_function(k);
	if (kind == PK_UPROBE || kind == PK_USDT ||
	    (kind == PK_KPROBE && !k->world->features.get_func_ip))
		return kit_reg(k, arch_ip_reg());
	return H(k, BPF_FUNC_get_func_ip, kit_ctx(k));
}

/* Verifiers up to 6.12 and some time after let no program load an argument that points to what has no members, unless it is an
 * integer or just void: not `const void *`, not `struct page **` (btf_ctx_access() in kernel/bpf/btf.c). */
static bool may_be_refused(const struct kit *k, const struct type *t)
{
	if (k->kind == PROG_RAW_TP || t->kind != TYPE_PTR || !t->elem)
		return false;
	type_complete(t->elem, k->prog->arena);
	bool has_members = (t->elem->kind == TYPE_STRUCT || t->elem->kind == TYPE_UNION) && t->elem->size;
	return !has_members && t->elem->kind != TYPE_INT && t->elem->kind != TYPE_BOOL;
}

ir_ref kit_arg_word(struct kit *k, const struct type *t, uint32_t offset, struct loc loc)
{
	if (is_raw_event(k))
		return raw_event_arg(k, offset / 8);
	/* read as memory is read it is a number, for which nobody asks the verifier */
	return may_be_refused(k, t) ? kit_read_scalar(k, kit_ctx(k), offset, 8, false, AS_KERNEL, loc)
				    : ir_load(B(k), kit_ctx(k), offset, 8, false);
}

ir_ref kit_ctx_load(struct kit *k, int64_t offset, unsigned width, bool is_signed)
{
	if (is_raw_event(k))
		return ir_ext(B(k), raw_event_arg(k, (unsigned)offset / 8), width, is_signed);
	return ir_load(B(k), kit_ctx(k), offset, width, is_signed);
}

ir_ref kit_arg_scalar(struct kit *k, const struct field *f, uint32_t offset, struct loc loc)
{
	if (!is_raw_event(k) && (f->bit_width || !is_typed_slots(k->kind)))
		return kit_read_field(k, kit_ctx(k), f, offset, AS_BPF, loc);
	ir_ref v = kit_arg_word(k, f->type, offset, loc);
	return ir_ext(B(k), v, width_of(f->type), f->type->is_signed);
}

/* Row i: the cookie of each call's point, at its entry (0) or its exit (1). */
static ir_ref cookies_of_calls(struct kit *k, const struct attach_points *points)
{
	uint16_t row[2][SYSCALL_NUMBERS] = {{0}};
	vec_each(p, &points->list)
		if ((*p)->is_raw_event && (*p)->syscall >= 0)
			row[str_has_prefix((*p)->func, "sys_exit_")][(*p)->syscall] = (uint16_t)(*p)->cookie;
	return ir_mapval(B(k), k->prog->rodata, program_rodata(k->prog, row, sizeof(row), 8));
}

ir_ref kit_cookie(struct kit *k, const struct attach_points *points)
{
	size_t calls = 0;
	vec_each(p, &points->list)
		calls += (*p)->is_raw_event && (*p)->syscall >= 0;
	ir_ref cookie = H(k, BPF_FUNC_get_attach_cookie, kit_ctx(k));
	if (!calls)
		return cookie;
	ir_ref slot = kit_slot(k, 8);
	ir_store(B(k), slot, 0, 8, cookie);
	uint32_t end = kit_if(k, ir_bini(B(k), IR_LSHR, cookie, 32)); /* SYSCALL_COOKIE */
	ir_ref number = ir_load(B(k), kit_ctx(k), 8, 4, false);
	ir_ref row = ir_bini(B(k), IR_MUL, ir_bini(B(k), IR_AND, cookie, 1), SYSCALL_NUMBERS);
	ir_ref at = ir_bin(B(k), IR_ADD, row, ir_bini(B(k), IR_AND, number, SYSCALL_NUMBERS - 1));
	ir_ref base = ir_bin(B(k), IR_ADD, cookies_of_calls(k, points), ir_bini(B(k), IR_SHL, at, 1));
	ir_store(B(k), slot, 0, 8, ir_load(B(k), base, 0, 2, false));
	kit_endif(k, end);
	return ir_load(B(k), slot, 0, 8, false);
}

/* To swap bytes is the one operation that the verifier takes a pointer for and gives a number (check_alu_op() in kernel/bpf/verifier.c). */
ir_ref kit_untyped(struct kit *k, ir_ref pointer)
{
	bool may_be_typed = is_typed_slots(k->kind) || k->kind == PROG_ITER || k->kind == PROG_NETFILTER;
	return may_be_typed ? ir_bswap(B(k), ir_bswap(B(k), pointer, 8), 8) : pointer;
}
