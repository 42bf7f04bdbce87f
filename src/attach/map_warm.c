/*
 * map_warm.c - a first element at hand on each CPU, for maps that are not allocated beforehand.
 *
 * Their elements come from a store of each CPU, which the kernel begins with a single one of this size and fills up, a
 * moment later, when it is used (kernel/bpf/memalloc.c: prefill_mem_cache, unit_alloc): the second stack of the first
 * event would find it empty.  So one element comes and goes on every CPU.
 */
#include <unistd.h>

#include "attach/session.h"

/* long warm(ctx) { u64 key = 0; update(map, &key, zeros, BPF_ANY); return delete(map, &key); } */
static int load_program(int map_fd, int zeros_fd)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 3, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = zeros_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = BPF_ANY},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_update_elem},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_delete_elem},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct sys_prog p = {.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
			     .insn = insn,
			     .ninsn = ARRAY_SIZE(insn),
			     .name = "map_warm",
			     .license = "GPL"};

	return sys_prog_load(&p);
}

void map_warm(int map_fd, uint32_t value_size, uint32_t ncpus)
{
	int zeros = sys_map_create("zeros", BPF_MAP_TYPE_ARRAY, 4, value_size, 1, 0);
	int prog = zeros < 0 ? zeros : load_program(map_fd, zeros);

	for (uint32_t cpu = 0; prog >= 0 && cpu < ncpus; cpu++)
		sys_prog_run_on(prog, cpu);
	if (prog >= 0)
		close(prog);
	if (zeros >= 0)
		close(zeros);
}
