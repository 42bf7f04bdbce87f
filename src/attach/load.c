/*
 * load.c - compiled handlers into the kernel.
 *
 * A program is loaded without a log first; only when the kernel refuses it is it loaded again with
 * one, and the verifier's last words are brought back to the line of the script.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/session.h"
#include "ir/ir.h"

static const struct {
	enum bpf_prog_type type;
	uint32_t attach_type;
	const char *what;
} prog_kinds[] = {
	[PROG_KPROBE] = {BPF_PROG_TYPE_KPROBE,         0,                      "kernel or user functions" },
	[PROG_KPROBE_MULTI] = {BPF_PROG_TYPE_KPROBE,         BPF_TRACE_KPROBE_MULTI, "kernel functions"         },
	[PROG_KPROBE_SESSION] = {BPF_PROG_TYPE_KPROBE,         SYS_TRACE_KPROBE_SESSION, "kernel functions"       },
	[PROG_UPROBE_MULTI] = {BPF_PROG_TYPE_KPROBE,         SYS_TRACE_UPROBE_MULTI, "user functions"           },
	[PROG_TRACEPOINT] = {BPF_PROG_TYPE_TRACEPOINT,     0,                      "tracepoints"              },
	[PROG_RAW_TP] = {BPF_PROG_TYPE_RAW_TRACEPOINT, 0,                      "raw tracepoints"          },
	[PROG_RAW_TP_BTF] = {BPF_PROG_TYPE_TRACING,        BPF_TRACE_RAW_TP,       "raw tracepoints"          },
	[PROG_PERF_EVENT] = {BPF_PROG_TYPE_PERF_EVENT,     0,                      "perf events"              },
	[PROG_FENTRY] = {BPF_PROG_TYPE_TRACING,        BPF_TRACE_FENTRY,       "kernel functions (fentry)"},
	[PROG_FEXIT] = {BPF_PROG_TYPE_TRACING,        BPF_TRACE_FEXIT,        "kernel functions (fexit)" },
	[PROG_FENTRY_MULTI] = {BPF_PROG_TYPE_TRACING,  SYS_TRACE_FENTRY_MULTI, "kernel functions (fentry)"},
	[PROG_FEXIT_MULTI] = {BPF_PROG_TYPE_TRACING,   SYS_TRACE_FEXIT_MULTI,  "kernel functions (fexit)" },
	[PROG_LSM] = {BPF_PROG_TYPE_LSM,            BPF_LSM_MAC,            "security hooks (lsm)"     },
	[PROG_ITER] = {BPF_PROG_TYPE_TRACING,        BPF_TRACE_ITER,         "iterators"                },
	[PROG_NETFILTER] = {(enum bpf_prog_type)SYS_PROG_TYPE_NETFILTER, SYS_NETFILTER, "packets (netfilter)"},
	[PROG_XDP] = {BPF_PROG_TYPE_XDP,            0,                      "tests and benchmarks"     },
};

/* What a probe's handler is loaded as: multi links are taken wherever the kernel has them. */
static enum prog_kind effective_kind(const struct session *s, const struct probe *p)
{
	enum probe_kind k = p->npoints ? p->points[0]->kind : PK_NEVER;
	bool is_user = k == PK_UPROBE || k == PK_URETPROBE || k == PK_USDT;
	const struct features *f = &s->world->features;

	if (is_user && (p->kind == PROG_KPROBE || p->kind == PROG_UPROBE_MULTI))
		return f->uprobe_multi ? PROG_UPROBE_MULTI : PROG_KPROBE;
	if (p->kind == PROG_KPROBE_MULTI && !f->kprobe_multi)
		return PROG_KPROBE;
	return p->kind;
}

bool image_has_callbacks(const struct bpf_image *img)
{
	for (uint32_t i = 0; i < img->ninsn; i++)
		if (img->insn[i].code == (BPF_LD | BPF_IMM | BPF_DW) &&
		    img->insn[i].src_reg == BPF_PSEUDO_FUNC)
			return true;
	return false;
}

bool image_has_globals(const struct bpf_image *img)
{
	vec_each(f, &img->func)
		if (f->is_global)
			return true;
	return false;
}

static bool is_run_by_hand(const struct probe *p)
{
	enum probe_kind k = p->npoints ? p->points[0]->kind : PK_NEVER;

	return k == PK_BEGIN || k == PK_END || k == PK_SELF || k == PK_TEST || k == PK_BENCH;
}

/*
 * The kernel takes the address of a function, and judges one by its prototype, only in programs that describe their
 * functions.  Others gain by it too: bpftool and perf show whole names and the script's lines, and fentry:bpf finds them.
 */
static struct err *code_btf(struct session *s, const struct probe *p, struct compiled *c)
{
	bool is_needed = image_has_callbacks(c->image) || image_has_globals(c->image);

	if (c->btf_fd >= 0 || (!is_needed && is_run_by_hand(p)))
		return NULL;
	bpf_btf_build(c->image, "script", &c->btf);
	c->btf_fd = sys_btf_load(c->btf.data, c->btf.len);
	if (c->btf_fd < 0) {
		errno = -c->btf_fd;
		c->btf_fd = -1;
		return err_errno("loading BTF of %s", c->fn->name);
	}
	return NULL;
}

static struct err *patch_kfunc(struct session *s, struct bpf_insn *insn, const char *name)
{
	struct err *e = NULL;
	struct btf *btf = world_btf(s->world, &e);
	uint32_t id = btf ? btf_find(btf, BTF_NS_FUNC, name) : 0;

	if (!btf)
		return err_note(e, "finding kernel function %s", name);
	if (!id)
		return err_new(ENOENT, "this kernel has no function %s that programs may call",
			       name);
	insn->src_reg = BPF_PSEUDO_KFUNC_CALL;
	insn->imm = (int32_t)id;
	insn->off = 0;
	return NULL;
}

/* A copy of the instructions with map descriptors and kernel function ids filled in; heap. */
static struct err *relocate(struct session *s, const struct bpf_image *img, struct bpf_insn **ret)
{
	struct bpf_insn *insn = xmalloc(sizeof(*insn) * MAX(img->ninsn, 1u));

	memcpy(insn, img->insn, sizeof(*insn) * img->ninsn);
	vec_each(r, &img->reloc) {
		struct err *e = NULL;

		if (r->insn >= img->ninsn ||
		    (r->kind != RELOC_KFUNC && r->index >= s->prog->map.len))
			BUG("relocation %u is outside of its program", r->insn);
		if (r->kind == RELOC_KFUNC) {
			e = patch_kfunc(s, &insn[r->insn], r->name);
		} else {
			insn[r->insn].src_reg =
				r->kind == RELOC_MAP ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
			insn[r->insn].imm = s->map[r->index].fd;
		}
		if (e) {
			free(insn);
			return e;
		}
	}
	*ret = insn;
	return NULL;
}

/* --- when the kernel refuses
 * -------------------------------------------------------------------------- */

/* The number of the last instruction that a verifier's log speaks of ("12: (85) call ..."), -1
 * none. */
static int log_last_insn(const char *log)
{
	int last = -1;

	for (const char *line = log; line && *line; line = strchr(line, '\n')) {
		char *end;
		long n;

		line += *line == '\n';
		if (!isdigit((unsigned char)*line))
			continue;
		n = strtol(line, &end, 10);
		if (end[0] == ':' && end[1] == ' ' && n >= 0 && n < INT32_MAX)
			last = (int)n;
	}
	return last;
}

/* The line that says why: the last one that is neither statistics nor an instruction; heap, may be
 * "". */
static char *log_reason(const char *log)
{
	const char *best = "", *line = log;
	size_t best_len = 0;

	while (*line) {
		size_t n = strcspn(line, "\n");
		bool stat = str_has_prefix(line, "processed ") ||
			    str_has_prefix(line, "verification time") ||
			    str_has_prefix(line, "stack depth") || str_has_prefix(line, "from ");

		if (n && !stat && !isdigit((unsigned char)*line)) {
			best = line;
			best_len = n;
		}
		line += n + (line[n] == '\n');
	}
	return xstrndup(best, best_len);
}

static struct loc image_loc(const struct bpf_image *img, int insn)
{
	struct loc loc = {0};

	vec_each(l, &img->line)
		if ((int)l->insn <= insn && l->loc.src)
			loc = l->loc;
	return loc;
}

/*
 * A helper that this kernel lacks or does not allow here is no fault of ours: "unknown func bpf_x#9", "program of this type cannot use helper
 * bpf_x#9", "helper call is not allowed in probe" (kernel/bpf/verifier.c).  NULL: the program was refused for something else.
 */
static struct err *helper_error(const struct running *r, const struct bpf_image *img, const char *reason, int insn, int code)
{
	bool unknown = strstr(reason, "unknown func ") || strstr(reason, "cannot use helper ");
	bool forbidden = strstr(reason, "helper call is not allowed in probe");
	const struct bpf_insn *call = insn >= 0 && (uint32_t)insn < img->ninsn ? &img->insn[insn] : NULL;
	const char *name = call && call->code == (BPF_JMP | BPF_CALL) && !call->src_reg ? ir_helper_name(call->imm) : NULL;
	const char *kfunc = strstr(reason, "calling kernel function ");
	struct err *e;

	if (kfunc && strstr(kfunc, " is not allowed")) {
		kfunc += strlen("calling kernel function ");
		e = err_new(code, "this kernel does not let %s call %.*s()", r->probe->name, (int)strcspn(kfunc, " "), kfunc);
		e->loc = image_loc(img, insn);
		return e;
	}
	if ((!unknown && !forbidden) || !name)
		return NULL;
	e = forbidden ? err_new(code, "helper bpf_%s not allowed in probe", name)
		      : err_new(code, "this kernel has no bpf_%s for %s", name, r->probe->name);
	/* security/security.c: LOCKDOWN_BPF_WRITE_USER */
	if (unknown && call->imm == BPF_FUNC_probe_write_user)
		e = err_note(e, "a kernel that is locked down lets no program write memory of processes, see kernel_lockdown(7)");
	e->loc = image_loc(img, insn);
	return e;
}

/* What kernel/bpf/verifier.c says when it gives up rather than finds something wrong. */
static const char *refusal_hint(const char *reason)
{
	static const char *const limits[] = {
		"too large. Processed", /* 1,000,000 instructions walked */
		"jumps is too complex", /* 8,192 branches in a row that are yet to be looked at */
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (strstr(reason, limits[i]))
			return "the kernel's verifier gives up on handlers of this size: do the work in several probes, or in a "
			       "loop over a map";
	return "this is a fault of spile, not of the script: please report it with the output of -v";
}

static struct err *verifier_error(const struct running *r, const struct bpf_image *img, int code,
				  char *log)
{
	_cleanup_free_ char *reason = log_reason(log);
	struct loc loc = image_loc(img, log_last_insn(log));
	struct buf place = {0};
	struct err *e = helper_error(r, img, reason, log_last_insn(log), code);

	if (e) {
		free(log);
		return e;
	}
	if (!loc.src)
		loc = r->probe->loc;
	if (loc.src) {
		struct line_col at = source_line_col(loc.src, loc.begin);

		buf_printf(&place, "%s:%u:%u: ", loc.src->name, at.line, at.col);
	}
	e = err_new(code, "%sthe kernel refused the program of %s: %s", buf_str(&place),
		    r->probe->name, *reason ? reason : strerror(code));
	buf_free(&place);
	e = err_hint(e, "%s", refusal_hint(reason));
	e->log = log;
	return e;
}

static struct err *refused(struct session *s, struct running *r, struct sys_prog *p, int code)
{
	const struct loaded *l = r->prog;
	const char *rights = missing_rights();
	uint32_t size = MAX(s->prog->opt.log_size, 1u << 20);
	char *log = NULL;
	int ret;

	if (code == EPERM && rights)
		return err_new(code, "loading programs needs %s", rights);
	if (code == EPERM)
		return err_new(code, "%s: this kernel does not allow programs on %s",
			       r->probe->name, prog_kinds[l->kind].what);
	do { /* old kernels want room for all of it */
		free(log);
		log = xcalloc(1, size);
		p->log = log;
		p->log_size = size;
		p->log_level = 1;
		ret = sys_prog_load(p);
		size <<= 2;
	} while (ret == -ENOSPC && size <= 1u << 26);
	if (ret >= 0)
		close(ret);
	log[p->log_size - 1] = '\0';
	return verifier_error(r, l->code->image, code, log);
}

/* --- loading
 * ------------------------------------------------------------------------------------------- */

/* The module or BPF program that a typed program is made for; *fd 0: the kernel itself. */
static struct err *open_target(const struct attach_point *t, int *fd)
{
	bool is_module = t && (t->kind == PK_FENTRY || t->kind == PK_FEXIT || t->kind == PK_RAWTRACEPOINT) &&
			 t->target && strcmp(t->target, "vmlinux") != 0;

	*fd = !t ? 0 : t->prog_id ? sys_prog_fd_by_id(t->prog_id) : is_module ? sys_module_btf_fd(t->target) : 0;
	if (*fd >= 0)
		return NULL;
	errno = -*fd;
	*fd = 0;
	return err_errno("opening %s, which %s is in", t->target, t->name);
}

/* Of so few letters as the kernel keeps, those of the function or event say more than those of the family. */
static const char *name_of(const struct probe *p)
{
	return p->npoints && p->points[0]->func ? p->points[0]->func : p->name;
}

static struct err *load_one(struct session *s, struct running *r)
{
	struct loaded *l = r->prog;
	struct compiled *c = l->code;
	struct bpf_insn *insn = NULL;
	struct err *e = code_btf(s, r->probe, c);
	struct sys_prog p = {.type = prog_kinds[l->kind].type,
			     .attach_type = prog_kinds[l->kind].attach_type,
			     .attach_btf_id = l->btf_id,
			     .flags = l->sleepable ? BPF_F_SLEEPABLE : 0,
			     .ninsn = c->image->ninsn,
			     .name = name_of(r->probe),
			     .license = s->prog->opt.license ? s->prog->opt.license : "GPL",
			     .btf_fd = c->btf_fd,
			     .func_info = c->btf.func_info,
			     .nfunc_info = c->btf.nfunc_info,
			     .line_info = c->btf.line_info,
			     .nline_info = c->btf.nline_info};

	if (!e)
		e = open_target(l->target, &p.attach_fd);
	if (!e)
		e = relocate(s, c->image, &insn);
	if (e) {
		if (p.attach_fd)
			close(p.attach_fd);
		return e;
	}
	p.insn = insn;
	l->fd = sys_prog_load(&p);
	if (l->fd < 0) {
		int code = -l->fd;

		l->fd = -1;
		e = refused(s, r, &p, code);
	}
	if (p.attach_fd)
		close(p.attach_fd);
	free(insn);
	return e;
}

static bool is_tracing(enum prog_kind k)
{
	return k == PROG_RAW_TP_BTF || k == PROG_FENTRY || k == PROG_FEXIT || k == PROG_LSM ||
	       k == PROG_ITER;
}

static bool is_multi(enum prog_kind k)
{
	return k == PROG_FENTRY_MULTI || k == PROG_FEXIT_MULTI;
}

/* What a typed program is made for: one function, or the file (kernel or module) that its functions are in; NULL: it has no types. */
static const struct attach_point *target_of(enum prog_kind k, const struct probe *p, const struct attach_point *point)
{
	return is_tracing(k) ? point : is_multi(k) && p->npoints ? p->points[0] : NULL;
}

static uint32_t btf_id_of(const struct probe *p, const struct attach_point *point)
{
	if (is_multi(p->kind))
		return 0;
	return point ? point->btf_id ? point->btf_id : p->btf_id : 0;
}

/* Type ids are numbered anew in the BTF of each module and program. */
static bool same_target(const struct attach_point *a, const struct attach_point *b)
{
	return a == b || (a && b && a->prog_id == b->prog_id && str_eq(a->target, b->target));
}

struct loaded *load_find(struct session *s, const struct running *r, const struct attach_point *point)
{
	enum prog_kind kind = effective_kind(s, r->probe);
	const struct attach_point *target = target_of(kind, r->probe, point);

	vec_each(l, &s->loaded)
		if ((*l)->code == r->code && (*l)->kind == kind && (*l)->sleepable == r->probe->sleepable &&
		    (*l)->btf_id == btf_id_of(r->probe, target) && same_target((*l)->target, target))
			return *l;
	return NULL;
}

static struct err *load_for(struct session *s, struct running *r, const struct attach_point *target)
{
	struct loaded *l;

	r->prog = load_find(s, r, target);
	if (r->prog)
		return NULL;
	l = arena_new(s->arena, struct loaded);
	*l = (struct loaded){.code = r->code,
			     .kind = effective_kind(s, r->probe),
			     .sleepable = r->probe->sleepable,
			     .btf_id = btf_id_of(r->probe, target),
			     .target = target,
			     .fd = -1};
	r->prog = l;
	vec_push(&s->loaded, l);
	return load_one(s, r);
}

/* A typed program is made for one kernel object, so each point may need its own. */
static struct err *load_probe(struct session *s, struct running *r)
{
	struct probe *p = r->probe;

	if (!is_tracing(p->kind))
		return load_for(s, r, target_of(p->kind, p, NULL));
	for (uint32_t i = 0; i < p->npoints; i++) {
		struct err *e = btf_id_of(p, p->points[i]) ? load_for(s, r, p->points[i])
			: err_new(ENOENT, "%s: this kernel's BTF does not describe %s",
					     p->name, p->btf_target ? p->btf_target : "it");

		if (e)
			return e;
	}
	return NULL;
}

struct err *load_programs(struct session *s)
{
	for (size_t i = 0; i < s->prog->probe.len; i++) {
		struct running *r = &s->running[i];
		struct err *e;

		if (!r->code || r->probe->kind == PROG_USER)
			continue;
		e = load_probe(s, r);
		if (e)
			return e;
	}
	return NULL;
}

void unload_programs(struct session *s)
{
	vec_each(l, &s->loaded) {
		if ((*l)->fd >= 0)
			close((*l)->fd);
		(*l)->fd = -1;
	}
	vec_each(c, &s->code) {
		if ((*c)->btf_fd >= 0)
			close((*c)->btf_fd);
		if ((*c)->btf.data)
			bpf_btf_free(&(*c)->btf);
	}
	vec_free(&s->loaded);
	vec_free(&s->code);
}
