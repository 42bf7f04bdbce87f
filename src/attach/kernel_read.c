/*
 * kernel_read.c - kernel memory for handlers in user space, and which task they run in: a program that reads one piece into memory that we
 * share with it, run once a read (BPF_PROG_TEST_RUN of a raw tracepoint program, kernel 5.10).
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/session.h"

enum {
	PIECE = 4096,
	FAILED = -1
};

struct kernel_reader {
	int map_fd, prog_fd; /* FAILED: this kernel will not have it */
	uint8_t *mem;
};

/*
 * long read(ctx: address, bytes): bytes > PIECE ? -1 : probe_read_kernel(mem, bytes, address); without bytes, mem is the current
 * task.
 */
static int load_program(int map_fd)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1, .off = 8},
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 1, .off = 0},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .imm = 0, .off = 6},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1},
		{.code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 2, .imm = PIECE, .off = 3},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map_fd},
		{0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map_fd},
		{0},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 1, .src_reg = 0, .off = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct sys_prog p = {.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
			     .insn = insn,
			     .ninsn = ARRAY_SIZE(insn),
			     .name = "read_kernel",
			     .license = "GPL"};

	return sys_prog_load(&p);
}

static struct kernel_reader *reader_of(struct session *s)
{
	struct kernel_reader *r = s->reader;

	if (r)
		return r;
	r = s->reader = arena_new(s->arena, struct kernel_reader);
	r->prog_fd = FAILED;
	r->map_fd = sys_map_create("read_kernel", BPF_MAP_TYPE_ARRAY, 4, PIECE, 1, BPF_F_MMAPABLE);
	if (r->map_fd < 0)
		return r;
	r->mem = mmap(NULL, PIECE, PROT_READ, MAP_SHARED, r->map_fd, 0);
	if (r->mem == MAP_FAILED)
		r->mem = NULL;
	else
		r->prog_fd = load_program(r->map_fd);
	return r;
}

static bool run(struct kernel_reader *r, uint64_t addr, size_t n)
{
	uint64_t ctx[2] = {addr, n};
	uint32_t ret = 0;

	return r->prog_fd >= 0 && n <= PIECE && sys_prog_run(r->prog_fd, ctx, sizeof(ctx), &ret) >= 0 && !ret;
}

bool kernel_read(struct session *s, void *dst, uint64_t addr, size_t n)
{
	struct kernel_reader *r = reader_of(s);

	if (!n)
		return true;
	if (!run(r, addr, n))
		return false;
	memcpy(dst, r->mem, n);
	return true;
}

uint64_t kernel_current(struct session *s)
{
	struct kernel_reader *r = reader_of(s);
	uint64_t task = 0;

	if (run(r, 0, 0))
		memcpy(&task, r->mem, sizeof(task));
	return task;
}

void kernel_reader_close(struct session *s)
{
	struct kernel_reader *r = s->reader;

	if (!r)
		return;
	if (r->mem)
		munmap(r->mem, PIECE);
	if (r->prog_fd >= 0)
		close(r->prog_fd);
	if (r->map_fd >= 0)
		close(r->map_fd);
	s->reader = NULL;
}
