/*
 * own_stack.c - programs that may be preempted keep off the stack that a CPU has for each program.
 *
 * From 6.13 on the kernel puts the stack of tracing programs into memory of the program's own, one piece a CPU
 * (bpf_enable_priv_stack() in kernel/bpf/verifier.c), and counts on it that no program begins while it is under way on that CPU.
 * Nothing sees to that at uprobes, where handlers run with preemption on (bpf_prog_run_array_uprobe() in include/linux/bpf.h,
 * uprobe_prog_run() in kernel/trace/bpf_trace.c): the next thread's handler writes over the stack of the one that was
 * preempted, which then follows wild pointers.  On 7.2 such a kernel panics.  Programs that call bpf_tail_call() run on the
 * thread's stack as they did before.  So one stands here, behind a jump that always jumps: the kernel counts it before it
 * takes it out as dead.
 */
#include "bpf/bpf.h"

void bpf_own_stack(struct bpf_image *img, struct arena *a)
{
	const struct bpf_insn never[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .imm = 0, .off = 1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
	};
	enum { N = ARRAY_SIZE(never) };
	struct bpf_insn *insn = arena_array(a, struct bpf_insn, img->ninsn + N);

	memcpy(insn, never, sizeof(never));
	memcpy(insn + N, img->insn, img->ninsn * sizeof(*insn));
	img->insn = insn;
	img->ninsn += N;
	vec_each(r, &img->reloc)
		r->insn += N;
	vec_each(l, &img->line)
		l->insn += l->insn ? N : 0;
	vec_each(f, &img->func)
		f->insn += f->insn ? N : 0; /* the entry begins here now */
}
