/* arch_x86_64.c - what the attach room knows of x86-64. */
#include "attach/session.h"

/*
 * The kernel runs the probed instruction out of line, and refuses those whose meaning would change
 * or that user space may not run (arch/x86/kernel/uprobes.c).  Only what functions really begin
 * with is looked for; the kernel has the last word.
 */
const char *arch_refuses_breakpoint(const uint8_t *insn, size_t n)
{
#ifdef __x86_64__
	for (size_t i = 0; i < n && i < 15; i++) {
		switch (insn[i]) {
		case 0x66: /* operand and address size, repeats, fs, gs: allowed prefixes */
		case 0x67:
		case 0xf2:
		case 0xf3:
		case 0x64:
		case 0x65: continue;
		case 0xf0: return "an instruction with a lock prefix";
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e: return "an instruction with a segment prefix";
		case 0xcc:
		case 0xcd: return "an interrupt instruction";
		case 0xf4:
		case 0xfa:
		case 0xfb: return "a privileged instruction";
		default: return NULL;
		}
	}
#endif
	return NULL;
}
