/* builtins.c - the builtin variables. */
#include <linux/bpf.h>
#include <stdlib.h>
#include <time.h>

#include "lang/bt/calls.h"

/* --- numbers
 * ----------------------------------------------------------------------------------------------------
 */

static struct type *sema_u64(struct bt_sema *s, struct bt_expr *e)
{
	return &type_uint64;
}

static struct type *sema_u32(struct bt_sema *s, struct bt_expr *e)
{
	return &type_uint32;
}

static ir_ref lower_pid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_bini(&l->kit.b, IR_LSHR, bt_ns_pid_tgid(l, false), 32);
}

static ir_ref lower_tid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_ext(&l->kit.b, bt_ns_pid_tgid(l, false), 4, false);
}

static ir_ref lower_uid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_ext(&l->kit.b, kit_uid_gid(&l->kit), 4, false);
}

static ir_ref lower_gid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_bini(&l->kit.b, IR_LSHR, kit_uid_gid(&l->kit), 32);
}

static struct type *sema_username(struct bt_sema *s, struct bt_expr *e)
{
	return &type_username;
}

static ir_ref lower_cpu(struct bt_lower *l, struct bt_expr *e)
{
	return kit_cpu(&l->kit);
}

static struct type *sema_ncpus(struct bt_sema *s, struct bt_expr *e)
{
	return bt_fold_int(e, s->in->world->ncpus, &type_uint64);
}

static ir_ref lower_numaid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_calln(&l->kit.b, IR_HELPER, BPF_FUNC_get_numa_node_id, NULL, 0, NULL);
}

static ir_ref lower_cgroup(struct bt_lower *l, struct bt_expr *e)
{
	return ir_calln(&l->kit.b, IR_HELPER, BPF_FUNC_get_current_cgroup_id, NULL, 0, NULL);
}

static ir_ref lower_rand(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref v = ir_calln(&l->kit.b, IR_HELPER, BPF_FUNC_get_prandom_u32, NULL, 0, NULL);
	return ir_ext(&l->kit.b, v, 4, false);
}

static ir_ref lower_jiffies(struct bt_lower *l, struct bt_expr *e)
{
	return ir_calln(&l->kit.b, IR_HELPER, BPF_FUNC_jiffies64, NULL, 0, NULL);
}

static struct type *sema_nsecs(struct bt_sema *s, struct bt_expr *e)
{
	return bt_nsecs_type(TS_BOOT);
}

static ir_ref lower_nsecs(struct bt_lower *l, struct bt_expr *e)
{
	return kit_nsecs(&l->kit, TS_BOOT);
}

/* Since the script was compiled, which is when the program started. */
static ir_ref lower_elapsed(struct bt_lower *l, struct bt_expr *e)
{
	struct timespec t = {0};
	if (!*l->in->world->root)
		clock_gettime(CLOCK_BOOTTIME, &t);
	int64_t start = t.tv_sec * 1000000000ll + t.tv_nsec;
	return ir_bini(&l->kit.b, IR_SUB, kit_nsecs(&l->kit, TS_BOOT), start);
}

static int64_t child_pid(const struct lang_input *in)
{
	return in->world->cmd_path ? in->world->pid : 0;
}

static struct type *sema_cpid(struct bt_sema *s, struct bt_expr *e)
{
	if (!child_pid(s->in))
		bt_warn(s, e->loc, "No child command (`-c`); cpid is zero");
	return &type_uint32;
}

static ir_ref lower_cpid(struct bt_lower *l, struct bt_expr *e)
{
	return ir_const(&l->kit.b, child_pid(l->in));
}

static struct type *sema_has_cpid(struct bt_sema *s, struct bt_expr *e)
{
	return bt_fold_bool(e, child_pid(s->in) != 0);
}

static ir_ref lower_constant(struct bt_lower *l, struct bt_expr *e)
{
	return ir_const(&l->kit.b, (int64_t)e->num);
}

/* --- the task
 * ------------------------------------------------------------------------------------------------------
 */

enum {
	COMM_BYTES = 16
};

static struct type *sema_comm(struct bt_sema *s, struct bt_expr *e)
{
	return e->type ? e->type : type_str(s->in->arena, COMM_BYTES);
}

static ir_ref lower_comm(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref dst = kit_mem(&l->kit, COMM_BYTES);
	kit_comm(&l->kit, dst);
	return dst;
}

/* ppid, pcomm, leader_tid, leader_comm: the functions without arguments. */
static struct type *sema_as_call(struct bt_sema *s, struct bt_expr *e)
{
	e->call = bt_call_find(e->text);
	return e->call->sema(s, e);
}

static ir_ref lower_as_call(struct bt_lower *l, struct bt_expr *e)
{
	return e->call->lower(l, e);
}

static struct type *kernel_struct(struct bt_sema *s, const char *name)
{
	return bt_type_by_name(s->in, s->cdefs, arena_printf(s->in->arena, "struct %s", name));
}

static struct type *sema_curtask(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = e->type ? NULL : kernel_struct(s, "task_struct");
	e->as = AS_KERNEL;
	return e->type ? e->type : type_ptr(s->in->arena, t ? t : &type_none, AS_KERNEL);
}

static ir_ref lower_curtask(struct bt_lower *l, struct bt_expr *e)
{
	return kit_curtask(&l->kit);
}

/* --- the probe
 * -------------------------------------------------------------------------------------------------------
 */

static struct type *sema_probe(struct bt_sema *s, struct bt_expr *e)
{
	size_t size = 5; /* "none" */
	if (s->probe)
		vec_each(p, &s->probe->matched.list)
			size = MAX(size, strlen((*p)->name) + 1);
	return e->type && e->type->size == size ? e->type : type_str(s->in->arena, (uint32_t)size);
}

/* One program runs at many places: the number that the kernel keeps with each is its name's in a table, padded to a power of two so that no
 * number lies outside. */
static ir_ref name_by_cookie(struct bt_lower *l, uint32_t size)
{
	struct ir_builder *b = &l->kit.b;
	const struct attach_points *points = &l->probe->matched;
	uint32_t cap = ALIGN_UP(size, 8u), n = 1;
	while (n < points->list.len)
		n *= 2;
	char *table = xcalloc(n, cap);
	for (size_t i = 0; i < points->list.len; i++)
		memcpy(table + i * cap, points->list.at[i]->name,
		       MIN(strlen(points->list.at[i]->name), size));
	uint32_t at = program_rodata(l->kit.prog, table, (size_t)n * cap, 8);
	base_free(table);
	ir_ref cookie = kit_cookie(&l->kit, points);
	ir_ref offset = ir_bini(b, IR_MUL, ir_bini(b, IR_AND, cookie, n - 1), cap);
	return ir_bin(b, IR_ADD, ir_mapval(b, l->kit.prog->rodata, at), offset);
}

static ir_ref lower_probe(struct bt_lower *l, struct bt_expr *e)
{
	if (l->point && bt_name_by_cookie(l->in->world, l->probe) && !l->is_per_point)
		return name_by_cookie(l, e->type->size);
	const char *name = l->point ? l->point->name : "none";
	return kit_str_literal(&l->kit, name, (uint32_t)strlen(name), e->type->size);
}

static struct type *sema_probetype(struct bt_sema *s, struct bt_expr *e)
{
	return bt_fold_str(s, e, bt_kind_name(bt_kind(s)));
}

static ir_ref lower_text(struct bt_lower *l, struct bt_expr *e)
{
	return kit_str_literal(&l->kit, e->text, e->len, e->type->size);
}

static const char *provider(const struct bt_sema *s)
{
	return bt_kind_name(bt_kind(s));
}

static struct type *sema_func(struct bt_sema *s, struct bt_expr *e)
{
	if (!BT_KIND_IS(s, PK_KPROBE, PK_KRETPROBE, PK_UPROBE, PK_URETPROBE, PK_FENTRY, PK_FEXIT))
		bt_err(s, e->loc, "The func builtin can not be used with '%s' probes", provider(s));
	return BT_KIND_IS(s, PK_UPROBE, PK_URETPROBE) ? &type_usym : &type_ksym;
}

static ir_ref lower_func(struct bt_lower *l, struct bt_expr *e)
{
	enum probe_kind kind = l->point ? l->point->kind : PK_COUNT;
	ir_ref ip = kind == PK_KPROBE || kind == PK_UPROBE ? kit_reg(&l->kit, "ip") : 0;
	if (!ip)
		ip = kit_func_ip(&l->kit);
	return e->type->kind == TYPE_USYM ? bt_usym(l, ip) : ip;
}

static struct type *sema_usermode(struct bt_sema *s, struct bt_expr *e)
{
	return &type_uint8;
}

/* Only a perf event interrupts either side: the two low bits of the code segment are its privilege.  begin, end
 * and self run for ourselves, in user space. */
static ir_ref lower_usermode(struct bt_lower *l, struct bt_expr *e)
{
	switch (l->point ? l->point->kind : PK_BEGIN) {
	case PK_BEGIN:
	case PK_END:
	case PK_SELF:
	case PK_UPROBE:
	case PK_URETPROBE:
	case PK_USDT: return ir_const(&l->kit.b, 1);
	case PK_PROFILE:
	case PK_INTERVAL:
	case PK_SOFTWARE:
	case PK_HARDWARE:
	case PK_WATCHPOINT: break;
	default: return ir_const(&l->kit.b, 0);
	}
	ir_ref cs = kit_reg(&l->kit, "cs");
	return ir_bini(&l->kit.b, IR_EQ, ir_bini(&l->kit.b, IR_AND, cs, 3), 3);
}

/* --- arguments
 * ----------------------------------------------------------------------------------------------------------
 */

static struct type *sema_args(struct bt_sema *s, struct bt_expr *e)
{
	if (!BT_KIND_IS(s, PK_FENTRY, PK_FEXIT, PK_UPROBE, PK_RAWTRACEPOINT, PK_TRACEPOINT,
			PK_LSM)) {
		bt_err(s, e->loc,
		       "The args builtin can only be used with tracepoint, rawtracepoint, fentry/fexit, and uprobe "
		       "probes (%s used here)",
		       provider(s));
		return NULL;
	}
	if (BT_KIND_IS(s, PK_UPROBE))
		return bt_sema_user_args(s, e);
	if (s->probe && s->probe->args && s->probe->args->record)
		return s->probe->args->record;
	if (s->point)
		bt_err(s, e->loc, "Cannot read function parameters");
	return NULL;
}

/* print(args): the whole record, copied.  Typed slots are words, whatever the arguments' sizes. */
static ir_ref lower_args(struct bt_lower *l, struct bt_expr *e)
{
	struct kit *k = &l->kit;
	struct type *t = e->type;
	uint32_t size = type_mem_size(t);
	if (l->args && l->args->var)
		return bt_lower_record(l, l->args, e);
	ir_ref dst = kit_mem_zero(k, size);
	if (l->point && l->point->kind == PK_TRACEPOINT) {
		kit_read(k, dst, size, kit_ctx(k), AS_KERNEL, e->loc);
		return dst;
	}
	for (uint32_t i = 0; i < t->nfield; i++) {
		const struct field *f = &t->field[i];
		if (bt_in_register(f->type) && f->offset + f->type->size <= size)
			ir_store(&k->b, dst, f->offset, f->type->size,
				 kit_arg_scalar(k, f, f->offset, e->loc));
	}
	return dst;
}

static unsigned arg_number(const struct bt_expr *e)
{
	const char *p = strpbrk(e->text, "0123456789");
	return p ? (unsigned)atoi(p) : 0;
}

enum {
	REGISTER_ARGS = 6
};

/* The verifier lets a program read the arguments that there are. */
static void check_raw_arg(struct bt_sema *s, struct bt_expr *e)
{
	const struct probe_args *args = probe_arguments(s->in->world, s->point, s->in->arena);
	if (args && args->record && arg_number(e) >= args->record->nfield)
		bt_err(s, e->loc, "%s has no %s: its arguments are arg0 to arg%u", s->point->name,
		       e->text, args->record->nfield - 1);
}

static struct type *sema_arg(struct bt_sema *s, struct bt_expr *e)
{
	if (!BT_KIND_IS(s, PK_KPROBE, PK_UPROBE, PK_USDT, PK_RAWTRACEPOINT, PK_COUNT))
		bt_err(s, e->loc,
		       "The %s builtin can only be used with 'kprobes', 'uprobes' and 'usdt' probes",
		       e->text);
	else if (s->in_loop)
		bt_err(s, e->loc, "'%s' builtin is not allowed in a for-loop", e->text);
	else if (e->text[0] == 'a' && !BT_KIND_IS(s, PK_USDT) && arg_number(e) >= REGISTER_ARGS)
		bt_err(s, e->loc, "x86_64 doesn't support %s", e->text);
	else if (s->final && s->point && BT_KIND_IS(s, PK_RAWTRACEPOINT))
		check_raw_arg(s, e);
	return &type_uint64;
}

static ir_ref lower_arg(struct bt_lower *l, struct bt_expr *e)
{
	unsigned n = arg_number(e);
	if (l->point && l->point->kind == PK_USDT) {
		const char *text = kit_usdt_unreadable(&l->kit, l->point->usdt_args, n);
		if (text)
			diag_error(l->in->diags, e->loc, "%s of %s is '%s', which BPF programs cannot read", e->text, l->point->name, text);
		ir_ref v = kit_usdt_arg(&l->kit, l->point->usdt_args, n, e->loc);
		return v ? v : ir_const(&l->kit.b, 0);
	}
	if (l->point && l->point->kind == PK_RAWTRACEPOINT) {
		const struct probe_args *args = probe_arguments(l->in->world, l->point, l->in->arena);
		bool has_type = args && args->record && n < args->record->nfield;
		return kit_arg_word(&l->kit, has_type ? args->record->field[n].type : &type_uint64, 8 * n, e->loc);
	}
	return kit_func_arg(&l->kit, n);
}

/* The n-th argument on the stack at a function's entry: above the return address. */
static ir_ref lower_sarg(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref sp = kit_reg(&l->kit, "sp");
	if (!sp)
		return ir_const(&l->kit.b, 0);
	return kit_read_scalar(&l->kit, sp, 8 * (int64_t)(arg_number(e) + 1), 8, false,
			       kit_as(&l->kit, AS_NONE), e->loc);
}

static struct type *sema_retval(struct bt_sema *s, struct bt_expr *e)
{
	if (!BT_KIND_IS(s, PK_KRETPROBE, PK_URETPROBE, PK_FENTRY, PK_FEXIT, PK_COUNT))
		bt_err(s, e->loc,
		       "The retval builtin can only be used with 'kretprobe' and 'uretprobe' and 'fentry' probes%s",
		       BT_KIND_IS(s, PK_TRACEPOINT) ? " (try to use args.ret instead)" : "");
	else if (s->in_loop)
		bt_err(s, e->loc, "'retval' builtin is not allowed in a for-loop");
	struct probe_args *args = s->probe ? s->probe->args : NULL;
	const struct dwarf_var *v = args ? args->ret_var : NULL;
	if (v && !v->loc)
		bt_err(s, e->loc, "The returned value %s", v->missing);
	if (v) {
		type_complete(args->ret, s->in->arena);
		e->as = AS_USER;
		return bt_value_type(s, args->ret);
	}
	if (BT_KIND_IS(s, PK_FENTRY, PK_FEXIT) && args && args->ret)
		return args->ret;
	return &type_uint64;
}

static ir_ref lower_retval(struct bt_lower *l, struct bt_expr *e)
{
	if (l->args && l->args->ret_var)
		return bt_lower_typed_retval(l, e);
	ir_ref v = kit_retval(&l->kit);
	return bt_in_register(e->type) && e->type->size < 8 && e->type->size
		       ? ir_ext(&l->kit.b, v, e->type->size, e->type->is_signed)
		       : v;
}

static struct type *sema_ctx(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = NULL;
	e->as = AS_KERNEL;
	if (BT_KIND_IS(s, PK_TRACEPOINT))
		bt_err(s, e->loc, "Use args instead of ctx in tracepoint");
	else if (BT_KIND_IS(s, PK_KPROBE, PK_KRETPROBE, PK_UPROBE, PK_URETPROBE, PK_USDT))
		t = kernel_struct(s, "pt_regs");
	else if (BT_KIND_IS(s, PK_PROFILE, PK_INTERVAL, PK_SOFTWARE, PK_HARDWARE, PK_WATCHPOINT))
		t = kernel_struct(s, "bpf_perf_event_data");
	else if (BT_KIND_IS(s, PK_ITER) && s->point && s->point->func)
		t = kernel_struct(s, arena_printf(s->in->arena, "bpf_iter__%s", s->point->func));
	else if (!BT_KIND_IS(s, PK_ITER, PK_COUNT))
		bt_err(s, e->loc, "The ctx builtin can not be used with '%s' probes", provider(s));
	if (e->type && (!t || e->type->elem == t))
		return e->type;
	return type_ptr(s->in->arena, t ? t : &type_none, AS_KERNEL);
}

static ir_ref lower_ctx(struct bt_lower *l, struct bt_expr *e)
{
	return kit_ctx(&l->kit);
}

/* --- config: the settings as a record
 * ----------------------------------------------------------------------------------- */

struct setting {
	const char *name, *text; /* text NULL: a number */
	int64_t num;
	bool is_bool;
};
enum {
	MAX_SETTINGS = 32
};

static unsigned settings(const struct lang_input *in, struct setting *at)
{
	static const char *const modes[] = {[STACK_BPFTRACE] = "bpftrace",
					    [STACK_PERF] = "perf",
					    [STACK_RAW] = "raw",
					    [STACK_BUILD_ID] = "build_id"};
	static const char *const missing[] = {"error", "warn", "ignore"};
	const struct program_options *o = &in->opt;
	unsigned n = 0;
	at[n++] = (struct setting){"cpp_demangle", NULL, o->demangle, true};
	at[n++] = (struct setting){"lazy_symbolication", NULL, o->lazy_symbols, true};
	at[n++] = (struct setting){"print_maps_on_exit", NULL, o->print_maps_on_exit, true};
	at[n++] = (struct setting){"show_debug_info", NULL, o->show_debug_info, true};
	at[n++] = (struct setting){"log_size", NULL, o->log_size, false};
	at[n++] = (struct setting){"max_bpf_progs", NULL, o->max_progs, false};
	at[n++] = (struct setting){"max_cat_bytes", NULL, o->max_cat_bytes, false};
	at[n++] = (struct setting){"max_map_keys", NULL, o->max_map_keys, false};
	at[n++] = (struct setting){"max_probes", NULL, o->max_probes, false};
	at[n++] = (struct setting){"max_strlen", NULL, o->max_strlen, false};
	at[n++] = (struct setting){"str_trunc_trailer",
				   o->str_trunc_trailer ? o->str_trunc_trailer : "..", 0, false};
	at[n++] = (struct setting){"missing_probes", missing[o->missing_probes % 3], 0, false};
	at[n++] = (struct setting){"stack_mode", modes[o->stack_mode % 4], 0, false};
	at[n++] = (struct setting){"license", o->license ? o->license : "GPL", 0, false};
	return n;
}

static struct type *sema_config(struct bt_sema *s, struct bt_expr *e)
{
	struct setting at[MAX_SETTINGS];
	struct type *elem[MAX_SETTINGS];
	const char *names[MAX_SETTINGS];
	if (e->type)
		return e->type;
	unsigned n = settings(s->in, at);
	for (unsigned i = 0; i < n; i++) {
		names[i] = at[i].name;
		elem[i] = at[i].text      ? type_str(s->in->arena, (uint32_t)strlen(at[i].text) + 1)
			  : at[i].is_bool ? &type_bool
					  : &type_uint64;
	}
	return type_tuple(s->in->arena, elem, names, n);
}

static ir_ref lower_config(struct bt_lower *l, struct bt_expr *e)
{
	struct setting at[MAX_SETTINGS];
	unsigned n = settings(l->in, at);
	ir_ref dst = kit_mem_zero(&l->kit, type_mem_size(e->type));
	for (unsigned i = 0; i < n && i < e->type->nfield; i++) {
		const struct field *f = &e->type->field[i];
		if (at[i].text)
			kit_copy(&l->kit, ir_bini(&l->kit.b, IR_ADD, dst, f->offset),
				 kit_str_literal(&l->kit, at[i].text, (uint32_t)strlen(at[i].text),
						 f->type->size),
				 f->type->size);
		else
			ir_store(&l->kit.b, dst, f->offset, f->type->size,
				 ir_const(&l->kit.b, at[i].num));
	}
	return dst;
}

/* --- the table
 * -------------------------------------------------------------------------------------------------------------
 */

static const struct bt_builtin builtins[] = {
	{"args",        sema_args,      lower_args    },
	{"cgroup",      sema_u64,       lower_cgroup  },
	{"comm",        sema_comm,      lower_comm    },
	{"config",      sema_config,    lower_config  },
	{"cpid",        sema_cpid,      lower_cpid    },
	{"cpu",         sema_u64,       lower_cpu     },
	{"ctx",         sema_ctx,       lower_ctx     },
	{"curtask",     sema_curtask,   lower_curtask },
	{"dw_ustack",   sema_as_call,   lower_as_call },
	{"elapsed",     sema_u64,       lower_elapsed },
	{"func",        sema_func,      lower_func    },
	{"gid",         sema_u64,       lower_gid     },
	{"has_cpid",    sema_has_cpid,  lower_constant},
	{"jiffies",     sema_u64,       lower_jiffies },
	{"kstack",      sema_as_call,   lower_as_call },
	{"leader_comm", sema_as_call,   lower_as_call },
	{"leader_tid",  sema_as_call,   lower_as_call },
	{"ncpus",       sema_ncpus,     lower_constant},
	{"nsecs",       sema_nsecs,     lower_nsecs   },
	{"numaid",      sema_u64,       lower_numaid  },
	{"pcomm",       sema_as_call,   lower_as_call },
	{"pid",         sema_u32,       lower_pid     },
	{"ppid",        sema_as_call,   lower_as_call },
	{"probe",       sema_probe,     lower_probe   },
	{"probetype",   sema_probetype, lower_text    },
	{"rand",        sema_u64,       lower_rand    },
	{"retval",      sema_retval,    lower_retval  },
	{"tid",         sema_u32,       lower_tid     },
	{"uid",         sema_u64,       lower_uid     },
	{"usermode",    sema_usermode,  lower_usermode},
	{"username",    sema_username,  lower_uid     },
	{"ustack",      sema_as_call,   lower_as_call },
};
static const struct bt_builtin arg_builtin = {"argN", sema_arg, lower_arg};
static const struct bt_builtin sarg_builtin = {"sargN", sema_arg, lower_sarg};

static bool is_numbered(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return !strncmp(name, prefix, n) && name[n] &&
	       strspn(name + n, "0123456789") == strlen(name + n);
}

const struct bt_builtin *bt_builtin_find(const char *name)
{
	if (str_has_prefix(name, "__builtin_"))
		name += strlen("__builtin_");
	for (unsigned i = 0; i < ARRAY_SIZE(builtins); i++)
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	if (is_numbered(name, "arg"))
		return &arg_builtin;
	return is_numbered(name, "sarg") ? &sarg_builtin : NULL;
}

void bt_builtin_nearest(struct nearest *near)
{
	for (unsigned i = 0; i < ARRAY_SIZE(builtins); i++)
		nearest_add(near, builtins[i].name);
}
