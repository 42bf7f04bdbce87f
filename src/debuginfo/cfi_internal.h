/* cfi_internal.h - what the files of the reader of call frame information share. */
#pragma once

#include "debuginfo/cfi.h"

/* A bounded reader; past the end every read gives 0 and `bad` is set. */
struct cfi_cursor {
	const uint8_t *at, *end;
	bool bad;
};
uint8_t cfi_u8(struct cfi_cursor *c);
uint64_t cfi_fixed(struct cfi_cursor *c, unsigned bytes); /* little-endian, up to 8 bytes */
uint64_t cfi_uleb(struct cfi_cursor *c);
int64_t cfi_sleb(struct cfi_cursor *c);
struct cfi_cursor cfi_block(struct cfi_cursor *c, uint64_t n); /* the next n bytes, skipped */
/* A pointer in a DW_EH_PE_* encoding; `address`: where c->at is mapped.  Indirect ones are bad. */
uint64_t cfi_pointer(struct cfi_cursor *c, uint8_t encoding, uint64_t address);

enum {
	CFI_PE_ABS = 0,
	CFI_PE_FORMAT = 0x0f,
	CFI_PE_PCREL = 0x10,
	CFI_PE_DATAREL = 0x30,
	CFI_PE_OMIT = 0xff,
};

/* A common information entry. */
struct cfi_cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra_reg;
	uint8_t encoding; /* of addresses in its FDEs */
	bool has_augmentation, is_signal, is_bad;
	struct cfi_cursor program;
};
/* A function. */
struct cfi_fde {
	uint64_t begin, end;
	const struct cfi_cie *cie;
	struct cfi_cursor program;
	uint64_t program_address; /* for DW_CFA_set_loc */
	unsigned order;           /* of reading: sections in their order */
};

/* Registers by DWARF number; the tracked ones have an index. */
enum {
	CFI_FP_REG = 6,
	CFI_SP_REG = 7,
	CFI_RA_REG = 16,
	CFI_NREGS = 17,
	TRACK_FP = 0,
	TRACK_RA,
	TRACK_SAVED,
	NTRACK = TRACK_SAVED + UW_SAVED,
};
int cfi_tracked(uint64_t reg); /* index, -1: not followed */

enum cfi_how {
	HOW_SAME,
	HOW_UNDEFINED,
	HOW_CFA, /* at cfa + off */
	HOW_AT,  /* at reg + off */
	HOW_REG, /* in reg */
	HOW_LOST,
};
struct cfi_reg {
	uint8_t how, reg;
	int32_t off;
};
struct cfi_state {
	bool is_expr, is_bad;
	uint8_t cfa_reg;
	int64_t cfa_off;
	struct cfi_cursor expr;
	struct cfi_reg reg[NTRACK];
};

/* cfi_exec.c: runs a function's program and appends its rows. */
void cfi_exec(const struct cfi_fde *f, struct cfi_rules *rules, struct cfi_table *t);
void cfi_emit(struct cfi_table *t, uint64_t pc, uint32_t rule);

/* cfi_rule.c: a state as a rule; an expression as the place that it names (reg + off), false:
 * anything else. */
void cfi_rule_of(const struct cfi_state *s, bool is_signal, struct uw_rule *ret);
bool cfi_expr_place(struct cfi_cursor c, struct cfi_reg *ret);

/* cfi_code.c: rows for n bytes of code at that address, which no section tells of; then the table ends. */
void cfi_from_code(const uint8_t *code, size_t n, uint64_t address, struct cfi_rules *rules, struct cfi_table *t);
