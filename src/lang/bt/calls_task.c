/* calls_task.c - who runs: processes, their relatives, signals to them, cgroups. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lang/bt/calls.h"

/* --- pid, tid
 * -------------------------------------------------------------------------------------------------
 */

ir_ref bt_ns_pid_tgid(struct bt_lower *l, bool init)
{
	return init ? kit_pid_tgid(&l->kit) : kit_ns_pid_tgid(&l->kit);
}

static struct type *sema_pid(struct bt_sema *s, struct bt_expr *e)
{
	if (!e->nkid)
		return &type_uint32;
	const struct bt_expr *a = e->kid[0];
	if (a->kind != BT_IDENT)
		bt_err(s, e->loc, "%s() only supports curr_ns and init as the argument", e->text);
	else if (strcmp(a->text, "curr_ns") != 0 && strcmp(a->text, "init") != 0)
		bt_err(s, a->loc, "Invalid PID namespace mode: %s (expects: curr_ns or init)",
		       a->text);
	return &type_uint32;
}

static ir_ref lower_pid(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	bool init = e->nkid && e->kid[0]->kind == BT_IDENT && !strcmp(e->kid[0]->text, "init");
	ir_ref v = bt_ns_pid_tgid(l, init);
	return e->call->name[0] == 'p' ? ir_bini(b, IR_LSHR, v, 32) : ir_ext(b, v, 4, false);
}

/* --- relatives: ppid(task), pcomm(task), leader_tid(task), leader_comm(task)
 * ------------------------------------ */

static const struct relative {
	const char *call, *path, *pid_path;
} relatives[] = {
	{"ppid", NULL, "real_parent.pid"},
	{"pcomm", "real_parent", NULL},
	{"leader_tid", NULL, "group_leader.pid"},
	{"leader_comm", "group_leader", NULL},
};

static const struct relative *relative_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(relatives); i++)
		if (!strcmp(relatives[i].call, name))
			return &relatives[i];
	return &relatives[0];
}

enum {
	COMM_BYTES = 16
};

static struct type *comm_type(struct bt_sema *s, const struct bt_expr *e, uint32_t size)
{
	return e->type && e->type->kind == TYPE_STR ? e->type : type_str(s->in->arena, size);
}

static struct type *sema_relative(struct bt_sema *s, struct bt_expr *e)
{
	const struct relative *r = relative_of(e->text);
	struct type *t = e->nkid ? bt_arg(s, e, 0) : NULL;
	if (t && (t->kind != TYPE_PTR || !t->elem || !str_eq(t->elem->name, "task_struct")))
		bt_err(s, e->loc, "%s() expects a pointer to struct task_struct (%s provided)",
		       e->text, bt_kind_word(t));
	return r->pid_path ? &type_int32 : comm_type(s, e, COMM_BYTES);
}

void bt_task_comm(struct bt_lower *l, ir_ref task, ir_ref dst16, struct loc loc)
{
	struct err *err = NULL;
	struct btf *btf = world_btf(l->in->world, &err);
	uint32_t offset = 0, id = btf ? btf_find(btf, BTF_NS_STRUCT, "task_struct") : 0;
	struct type *t = id ? btf_type(btf, id, AS_KERNEL, l->in->arena) : NULL;
	err_free(err);
	if (t)
		type_complete(t, l->in->arena);
	if (!t || !type_field(t, "comm", l->in->arena, &offset)) {
		kit_zero(&l->kit, dst16, COMM_BYTES);
		return;
	}
	kit_str_read(&l->kit, dst16, COMM_BYTES, ir_bini(&l->kit.b, IR_ADD, task, offset), 0,
		     AS_KERNEL, loc);
}

static ir_ref lower_relative(struct bt_lower *l, struct bt_expr *e)
{
	const struct relative *r = relative_of(e->call->name);
	struct kit *k = &l->kit;
	struct type *t = NULL;
	ir_ref task = e->nkid ? bt_lower_expr(l, e->kid[0]) : kit_curtask(k);
	if (r->pid_path) {
		ir_ref v = kit_kernel_path(k, task, "task_struct", r->pid_path, &t);
		return v ? v : ir_const(&k->b, 0);
	}
	ir_ref dst = kit_mem(k, COMM_BYTES);
	ir_ref other = kit_kernel_path(k, task, "task_struct", r->path, &t);
	bt_task_comm(l, other ? other : task, dst, e->loc);
	return dst;
}

/* --- comm(pid)
 * ------------------------------------------------------------------------------------------------------
 */

static struct type *sema_comm(struct bt_sema *s, struct bt_expr *e)
{
	if (!e->nkid)
		return comm_type(s, e, COMM_BYTES);
	struct type *t = bt_arg(s, e, 0);
	if (t && !bt_is_int(t))
		bt_err(s, e->loc, "Only integer supported for comm()'s pid");
	/* begin and end are run as raw tracepoints, which the kernel does not let look for tasks; nor do kprobes and uprobes */
	if (BT_KIND_IS(s, PK_BEGIN, PK_END, PK_SELF, PK_KPROBE, PK_KRETPROBE, PK_UPROBE, PK_URETPROBE, PK_USDT))
		bt_err(s, e->loc, "Syntax comm(PID) is not supported in this probe type yet. Type: %s",
		       bt_kind_name(bt_kind(s)));
	return comm_type(s, e, 64);
}

struct comm_arg {
	ir_ref task, dst;
	struct loc loc;
};
static void comm_found(struct bt_lower *l, void *arg)
{
	struct comm_arg *c = arg;
	bt_task_comm(l, c->task, c->dst, c->loc);
	ir_kfunc(&l->kit.b, "bpf_task_release", c->task);
}
static void comm_missing(struct bt_lower *l, void *arg)
{
	struct comm_arg *c = arg;
	kit_copy(&l->kit, c->dst, kit_str_literal(&l->kit, "N/A", 3, 8), 8);
}

static ir_ref lower_comm(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref dst = kit_mem_zero(&l->kit, type_mem_size(e->type));
	if (!e->nkid) {
		kit_comm(&l->kit, dst);
		return dst;
	}
	ir_ref pid = bt_lower_expr(l, e->kid[0]);
	struct comm_arg c = {.dst = dst, .loc = e->loc};
	c.task = ir_kfunc(b, "bpf_task_from_pid", pid);
	bt_when(l, ir_bini(b, IR_NE, c.task, 0), comm_found, &c);
	ir_ref first = ir_load(b, dst, 0, 1, false);
	bt_when(l, ir_bini(b, IR_EQ, first, 0), comm_missing, &c);
	return dst;
}

/* --- signal
 * ------------------------------------------------------------------------------------------------------------
 */

static int signal_number(const char *name)
{
	static const char *const names[] = {
		"HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",  "FPE",
		"KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM", "STKFLT",
		"CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",  "XCPU",
		"XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS",
	};
	if (str_has_prefix(name, "SIG"))
		name += 3;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (int)i + 1;
	return 0;
}

enum {
	MAX_SIGNAL = 64
};

static void check_signal(struct bt_sema *s, struct bt_expr *e)
{
	const char *text;
	uint32_t len;
	int64_t v;
	struct type *t = e->kid[0]->type;
	if (bt_const_str(e->kid[0], &text, &len)) {
		if (!signal_number(text))
			bt_err(s, e->loc, "Invalid string for signal: %s", text);
	} else if (bt_const_int(e->kid[0], &v)) {
		if (v < 1 || v > MAX_SIGNAL)
			bt_err(s, e->loc,
			       "%s() accepts a string literal or an integer between 1 and 64 (inclusive)",
			       e->text);
	} else if (t && !bt_is_int(t)) {
		bt_err(s, e->loc, "%s() accepts a string literal or an integer", e->text);
	}
}

static struct type *sema_signal(struct bt_sema *s, struct bt_expr *e)
{
	bt_arg(s, e, 0);
	if (!BT_KIND_IS(s, PK_KPROBE, PK_KRETPROBE, PK_UPROBE, PK_URETPROBE, PK_USDT, PK_TRACEPOINT,
			PK_PROFILE, PK_FENTRY, PK_FEXIT, PK_RAWTRACEPOINT))
		bt_err(s, e->loc, "%s() can not be used for this probetype %s", e->text,
		       bt_kind_name(bt_kind(s)));
	else if (!s->in->guru)
		bt_err(s, e->loc, "%s() is unsafe. To use you need the --unsafe flag", e->text);
	else
		check_signal(s, e);
	return &type_none;
}

struct signal_arg {
	struct bt_expr *e;
	ir_ref v;
};
static void signal_failed(struct bt_lower *l, void *arg)
{
	struct signal_arg *a = arg;
	struct kit_value v = {.type = &type_int64, .v = a->v};
	bt_send(l, ACT_WARNF, a->e->loc, "signal call failed with error %d", true, &v, 1);
}
static void signal_send(struct bt_lower *l, void *arg)
{
	struct signal_arg *a = arg;
	bool thread = !strcmp(a->e->call->name, "signal_thread");
	a->v = ir_helper(&l->kit.b, thread ? BPF_FUNC_send_signal_thread : BPF_FUNC_send_signal,
			 a->v);
	bt_when(l, ir_bini(&l->kit.b, IR_NE, a->v, 0), signal_failed, a);
}
static void signal_bad(struct bt_lower *l, void *arg)
{
	struct signal_arg *a = arg;
	struct kit_value v = {.type = &type_uint32, .v = a->v};
	bt_send(l, ACT_ERRORF, a->e->loc,
		arena_printf(l->in->arena,
			     "%s() expects an integer between 1 and 64 (inclusive). Got %%d",
			     a->e->call->name),
		true, &v, 1);
}

static ir_ref lower_signal(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	const char *text;
	uint32_t len;
	if (bt_const_str(e->kid[0], &text, &len)) {
		signal_send(l, &(struct signal_arg){e, ir_const(b, signal_number(text))});
		return 0;
	}
	ir_ref v = ir_ext(b, bt_lower_expr(l, e->kid[0]), 4, false);
	ir_ref good = ir_bin(b, IR_ULT, ir_bini(b, IR_SUB, v, 1), ir_const(b, MAX_SIGNAL));
	bt_when(l, good, signal_send, &(struct signal_arg){e, v});
	bt_when(l, ir_bini(b, IR_EQ, good, 0), signal_bad, &(struct signal_arg){e, v});
	return 0;
}

/* --- override(rc): the probed function is not run and returns rc
 * ---------------------------------------------------------------------- */

static struct type *sema_override(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (!BT_KIND_IS(s, PK_KPROBE, PK_COUNT, PK_COUNT))
		bt_err(s, e->loc, "override() can not be used for this probetype %s",
		       bt_kind_name(bt_kind(s)));
	else if (!s->in->guru)
		bt_err(s, e->loc, "override() is unsafe. To use you need the --unsafe flag");
	else if (t && !bt_is_int(t))
		bt_err(s, e->loc, "override() accepts an integer");
	return &type_none;
}

static ir_ref lower_override(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref v = bt_lower_expr(l, e->kid[0]);
	ir_helper(&l->kit.b, BPF_FUNC_override_return, kit_ctx(&l->kit), v);
	return 0;
}

/* --- cgroups
 * -------------------------------------------------------------------------------------------------------------
 */

/* The id of a cgroup v2 directory is what its file handle holds. */
static bool cgroup_id(const char *path, uint64_t *id)
{
	struct {
		struct file_handle h;
		uint64_t id;
	} f = {.h.handle_bytes = sizeof(uint64_t)};
	int mount;
	if (name_to_handle_at(AT_FDCWD, path, &f.h, &mount, 0))
		return false;
	memcpy(id, f.h.f_handle, sizeof(*id));
	return true;
}

static struct type *sema_cgroupid(struct bt_sema *s, struct bt_expr *e)
{
	const char *path;
	uint64_t id;
	if (!bt_want_str_literal(s, e, 0, &path))
		return &type_uint64;
	if (cgroup_id(path, &id))
		return bt_fold_int(e, (int64_t)id, &type_uint64);
	bt_err(s, e->loc, "Failed to get cgroup id of %s", path);
	return &type_uint64;
}

static struct type *sema_cgroup_path(struct bt_sema *s, struct bt_expr *e)
{
	static struct type path = {.kind = TYPE_CGROUP_PATH,
				   .size = sizeof(struct cgroup_path_wire)};
	const char *filter;
	bt_want_int(s, e, 0);
	if (e->nkid > 1)
		bt_want_str_literal(s, e, 1, &filter);
	return &path;
}

static ir_ref lower_cgroup_path(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	const char *filter;
	uint32_t len, index = UINT32_MAX;
	ir_ref id = bt_lower_expr(l, e->kid[0]);
	if (e->nkid > 1 && bt_const_str(e->kid[1], &filter, &len))
		index = program_string(l->kit.prog, filter);
	ir_ref dst = kit_mem(&l->kit, sizeof(struct cgroup_path_wire));
	ir_store(b, dst, offsetof(struct cgroup_path_wire, id), 8, id);
	ir_store(b, dst, offsetof(struct cgroup_path_wire, filter), 4, ir_const(b, index));
	ir_store(b, dst, offsetof(struct cgroup_path_wire, pad), 4, ir_const(b, 0));
	return dst;
}

static ir_ref lower_nothing(struct bt_lower *l, struct bt_expr *e)
{
	return ir_const(&l->kit.b, 0);
}

const struct bt_call bt_calls_task[] = {
	{"pid", 0, 1, 0, sema_pid, lower_pid},
	{"tid", 0, 1, 0, sema_pid, lower_pid},
	{"ppid", 0, 1, 0, sema_relative, lower_relative},
	{"pcomm", 0, 1, 0, sema_relative, lower_relative},
	{"leader_tid", 0, 1, 0, sema_relative, lower_relative},
	{"leader_comm", 0, 1, 0, sema_relative, lower_relative},
	{"comm", 0, 1, 0, sema_comm, lower_comm},
	{"signal", 1, 1, BT_F_VOID, sema_signal, lower_signal},
	{"signal_thread", 1, 1, BT_F_VOID, sema_signal, lower_signal},
	{"override", 1, 1, BT_F_VOID, sema_override, lower_override},
	{"cgroupid", 1, 1, 0, sema_cgroupid, lower_nothing},
	{"cgroup_path", 1, 2, 0, sema_cgroup_path, lower_cgroup_path},
	{0},
};
