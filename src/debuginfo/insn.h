/*
 * insn.h - instructions of x86-64, as far as it matters where they are and what they do to the stack.  Bytes are hostile.
 */
#pragma once

#include "base/base.h"

enum {
	INSN_LONGEST = 15,
};
enum insn_map { /* which table the opcode is of */
	INSN_ONE_BYTE,
	INSN_0F,
	INSN_OTHER, /* 0f 38, 0f 3a, VEX, EVEX, XOP: nothing there writes the stack pointer or jumps */
};
struct insn {
	uint8_t length;
	uint8_t map; /* enum insn_map */
	uint8_t op;  /* the opcode; of INSN_OTHER without meaning */
	uint8_t rex; /* 0: none */
	bool has_modrm, has_short_operand, has_rep;
	uint8_t modrm, sib; /* sib: 0 without */
	int32_t disp;
	int32_t imm; /* the last 1 or 4 bytes behind the operands, with their sign; 0: none */
};
/* Reads the instruction at p; false: none is there, or it is cut off, and *ret says nothing. */
bool insn_decode(const uint8_t *p, size_t n, struct insn *ret);
/* Its length alone; 0: none. */
unsigned insn_length(const uint8_t *p, size_t n);
