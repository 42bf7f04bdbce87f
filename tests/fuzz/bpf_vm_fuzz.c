/* bpf_vm_fuzz.c - any bytes as a program for the interpreter: it ends, with a value or an error. */
#include "bpf/bpf.h"

#include <stdint.h>
#include <stdlib.h>

static uint64_t data_map[8];

static struct err *helper(struct bpf_vm *vm, void *arg, int32_t id, const uint64_t v[5], uint64_t *ret)
{
	switch (id & 3) {
	case 0: *ret = v[0] ^ v[1]; return NULL;
	case 1: bpf_vm_region(vm, data_map, sizeof(data_map), true); *ret = (uintptr_t)data_map; return NULL;
	case 2: return bpf_vm_call(vm, v[0], v + 1, 4, ret);
	default: return err_new(0, "no such helper");
	}
}

static uint64_t map(struct bpf_vm *vm, void *arg, uint32_t index, bool is_value, uint32_t offset)
{
	bpf_vm_region(vm, data_map, sizeof(data_map), true);
	return (uintptr_t)data_map + offset;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint32_t ninsn = (uint32_t)(n / sizeof(struct bpf_insn));
	struct bpf_insn *insn = malloc(n + sizeof(*insn));
	memcpy(insn, data, ninsn * sizeof(*insn));
	struct bpf_image img = {.insn = insn, .ninsn = ninsn};
	for (uint32_t i = 0; i < ninsn; i++) {
		if (insn[i].code == (BPF_LD | BPF_IMM | BPF_DW) && insn[i].src_reg == BPF_PSEUDO_MAP_VALUE)
			vec_push(&img.reloc, (struct bpf_reloc){i, RELOC_MAPVAL});
		if (i % 4 == 0)
			vec_push(&img.func, (struct bpf_func){i, "f", 1});
	}
	struct bpf_vm_ops ops = {.helper = helper, .map = map, .max_insns = 20000};
	uint64_t *ctx = calloc(4, 8), ret;
	err_free(bpf_vm_run(&img, &ops, ctx, 32, &ret));
	struct buf text = {0};
	for (uint32_t i = 0; i < ninsn; i++)
		if (insn[i].code != (BPF_LD | BPF_IMM | BPF_DW) || i + 1 < ninsn)
			bpf_disasm_insn(&insn[i], i, &text);
	buf_free(&text);
	vec_free(&img.reloc);
	vec_free(&img.func);
	free(ctx);
	free(insn);
	return 0;
}
