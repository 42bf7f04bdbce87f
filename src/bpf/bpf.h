/*
 * bpf.h - from IR to BPF instructions, and running them in user space.
 */
#pragma once

#include <linux/bpf.h>

#include "base/base.h"
#include "debuginfo/world.h"
#include "ir/program.h"

/* A place in the instructions that the loader patches. */
enum bpf_reloc_kind {
	RELOC_MAP,     /* ld_imm64: fd of program->map[index] */
	RELOC_MAPVAL,  /* ld_imm64: fd, and the offset that is already in the second half */
	RELOC_KFUNC,   /* call: BTF id of `name` */
};
struct bpf_reloc {
	uint32_t insn;
	enum bpf_reloc_kind kind;
	uint32_t index;
	const char *name;
};
struct bpf_line { /* for line info and for naming the script's place of a verifier complaint */
	uint32_t insn;
	struct loc loc;
};
struct bpf_func { /* one BPF function: the entry first, then callbacks, subprograms, runtime functions */
	uint32_t insn;
	const char *name;
	unsigned nparams;
	bool is_global;        /* judged by its prototype: words, but */
	uint32_t param0_bytes; /* not 0: the first is the address of so many bytes, or NULL */
};
/* What the loader needs; owned by the arena given to bpf_compile. */
struct bpf_image {
	struct bpf_insn *insn;
	uint32_t ninsn;
	VEC(struct bpf_reloc) reloc;
	VEC(struct bpf_line) line;
	VEC(struct bpf_func) func;
	uint32_t stack_bytes; /* of the entry function */
};

/* Compiles an entry function with everything that it reaches.  `runtime` functions are linked from the
 * embedded library.  The error names a missing runtime function or a stack that is too large. */
struct err *bpf_compile(struct program *p, struct ir_fn *entry, struct world *w, struct arena *a,
			struct bpf_image **ret);
/* own_stack.c: its entry function is one that may be preempted and begin anew on the same CPU. */
void bpf_own_stack(struct bpf_image *img, struct arena *a);
/* Disassembly with source lines as `;` comments; relocations by map name. */
void bpf_disasm(const struct program *p, const struct bpf_image *img, struct buf *out);
void bpf_disasm_insn(const struct bpf_insn *insn, uint32_t at, struct buf *out);

/* BTF blob with the functions of all images: FUNC ids as func_info wants them.  heap. */
struct bpf_btf {
	void *data;
	uint32_t len;
	VEC(uint32_t) func_type_id; /* one a func of the image */
	struct bpf_func_info *func_info;
	uint32_t nfunc_info;
	struct bpf_line_info *line_info;
	uint32_t nline_info;
};
void bpf_btf_build(const struct bpf_image *img, const char *script_name, struct bpf_btf *ret);
void bpf_btf_free(struct bpf_btf *b);

/* --- interpreter ------------------------------------------------------------------------------------------ */

/*
 * Runs an image in this process.  Helpers and maps come through the callbacks: attach gives the real maps,
 * tests give plain memory.  Memory accesses are checked against the regions that are known (stack, context,
 * map values, what helpers returned); anything else ends the run with an error, never with a fault.
 */
struct bpf_vm;
struct bpf_vm_ops {
	/* value of a helper; r1..r5 in v.  May register regions with bpf_vm_region. */
	struct err *(*helper)(struct bpf_vm *vm, void *arg, int32_t id, const uint64_t v[5], uint64_t *ret);
	/* what ld_imm64 of a map or a map value yields */
	uint64_t (*map)(struct bpf_vm *vm, void *arg, uint32_t map_index, bool is_value, uint32_t offset);
	void *arg;
	uint64_t max_insns; /* 0: no limit */
};
struct err *bpf_vm_run(const struct bpf_image *img, const struct bpf_vm_ops *ops, const void *ctx,
		       size_t ctx_size, uint64_t *ret);
void bpf_vm_region(struct bpf_vm *vm, const void *p, size_t n, bool writable); /* until the run ends */
/* For helpers that take a callback (bpf_loop): runs the function at instruction `insn`. */
struct err *bpf_vm_call(struct bpf_vm *vm, uint64_t fn, const uint64_t *v, unsigned n, uint64_t *ret);
