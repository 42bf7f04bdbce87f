/*
 * attach_syscall.c - handlers of single system calls by way of the event that all calls have, raw_syscalls:sys_enter or sys_exit: where the
 * kernel would preempt them on events of their own, see lang/probe_syscall.c.
 *
 * A gate is a small program on that event; it jumps to the handler that its table has for the call's number.  Several handlers of one call
 * go to as many gates, in the order of the script.  Calls that nobody asked for end in the gate.
 */
#include <errno.h>
#include <unistd.h>

#include "attach/session.h"

struct gate {
	struct gate *next;
	bool is_exit;
	int table_fd, prog_fd;
	const struct running *of[SYSCALL_NUMBERS]; /* whose handlers its table has */
};

/* Where the kernel notes that a thread is in a call of the 32-bit interface, whose numbers mean others. */
static struct err *compat_flag(struct world *w, uint32_t *offset)
{
	struct err *err = NULL;
	struct btf *btf = world_btf(w, &err);
	uint32_t id = btf ? btf_find(btf, BTF_NS_STRUCT, "task_struct") : 0, off = 0, at = 0;
	struct type *t = id ? btf_type(btf, id, AS_KERNEL, w->arena) : NULL;
	const struct field *info = t ? type_field(t, "thread_info", w->arena, &off) : NULL;
	const struct field *status = info ? type_field(info->type, "status", w->arena, &at) : NULL;

	err_free(err);
	if (!status)
		return err_new(ENOENT, "this kernel's BTF does not describe the state of a thread");
	*offset = off + at;
	return NULL;
}

/* TRACEPOINT program: a thread of the 32-bit interface? 0 : jump to table[record->number], 0 when it has none. */
static int load_gate(int table_fd, uint32_t flag_offset)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task_btf},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 0, .src_reg = 0, .off = (int16_t)flag_offset},
		{.code = BPF_JMP | BPF_JSET | BPF_K, .dst_reg = 0, .imm = ARCH_COMPAT, .off = 5},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_FD, .imm = table_fd},
		{0},
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 6, .off = 8},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct sys_prog p = {.type = BPF_PROG_TYPE_TRACEPOINT,
			     .insn = insn,
			     .ninsn = ARRAY_SIZE(insn),
			     .name = "syscalls",
			     .license = "GPL"};

	return sys_prog_load(&p);
}

static struct err *open_gate(struct place *pl, struct gate *g)
{
	uint32_t flag_offset = 0;
	struct err *e = compat_flag(pl->s->world, &flag_offset);
	int perf_fd;

	if (e)
		return e;
	g->table_fd = sys_map_create("syscalls", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, SYSCALL_NUMBERS, 0);
	errno = -g->table_fd;
	if (g->table_fd < 0)
		return err_errno("making a table of system calls");
	g->prog_fd = load_gate(g->table_fd, flag_offset);
	errno = -g->prog_fd;
	if (g->prog_fd < 0)
		return err_errno("loading the program that finds a system call's handler");
	e = tracepoint_open(pl->s->world, "raw_syscalls", g->is_exit ? "sys_exit" : "sys_enter", &perf_fd);
	return e ? e : place_perf(pl, g->prog_fd, perf_fd, SYSCALL_COOKIE | g->is_exit);
}

/* The first gate whose table has room for that call, in the order in which they run. */
static struct err *gate_for(struct place *pl, bool is_exit, int number, struct gate **ret)
{
	struct gate **at = &pl->s->gates;
	struct err *e;

	while (*at && ((*at)->is_exit != is_exit || (*at)->of[number]))
		at = &(*at)->next;
	if (!*at) {
		struct gate *g = arena_new(pl->s->arena, struct gate);

		g->is_exit = is_exit;
		g->table_fd = g->prog_fd = -1;
		*at = g;
		e = open_gate(pl, g);
		if (e)
			return e;
	}
	*ret = *at;
	return NULL;
}

struct err *attach_syscall(struct place *pl, const struct attach_point *p)
{
	bool is_exit = str_has_prefix(p->func, "sys_exit_");
	uint32_t number = (uint32_t)p->syscall, fd = (uint32_t)pl->r->prog->fd;
	struct gate *g;
	struct err *e = gate_for(pl, is_exit, p->syscall, &g);
	int ret;

	if (e)
		return e;
	ret = sys_map_update(g->table_fd, &number, &fd, 0);
	errno = -ret;
	if (ret < 0)
		return err_errno("entering the handler into the table of system calls");
	g->of[number] = pl->r;
	return NULL;
}

/* A gate that was skipped does not know for which call: what it missed is told with its first handler. */
uint64_t syscall_gates_missed(const struct session *s, const struct running *r)
{
	uint64_t n = 0;

	for (const struct gate *g = s->gates; g; g = g->next) {
		struct sys_prog_info info;
		unsigned first = 0;

		while (first + 1 < SYSCALL_NUMBERS && !g->of[first])
			first++;
		if (g->of[first] == r && g->prog_fd >= 0 && sys_prog_info(g->prog_fd, &info) == 0)
			n += info.misses;
	}
	return n;
}

void syscall_gates_close(struct session *s)
{
	for (struct gate *g = s->gates; g; g = g->next) {
		if (g->prog_fd >= 0)
			close(g->prog_fd);
		if (g->table_fd >= 0)
			close(g->table_fd);
	}
	s->gates = NULL;
}
