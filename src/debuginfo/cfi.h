/*
 * cfi.h - our own reader of call frame information (.eh_frame, .debug_frame): for every address of
 * a file, the rule that leads from a frame to its caller.
 *
 * Sources: the DWARF 5 standard, section 6.4; the Linux Standard Base for .eh_frame and
 * .eh_frame_hdr.  All bytes are hostile.
 */
#pragma once

#include "base/base.h"

#include "runtime/unwind_types.h"

/* Rules by number, each once; 0 is "no table covers this code", 1 UW_RULE_FP.  Shared by all tables
 * that are read with it. */
struct cfi_rules {
	VEC(struct uw_rule) rule;
	VEC(uint32_t) slot; /* hash table of numbers + 1 */
};
void cfi_rules_init(struct cfi_rules *r);
void cfi_rules_free(struct cfi_rules *r);
/* Number of a rule; 0 (none) when there is no room for another one. */
uint32_t cfi_rule_id(struct cfi_rules *r, const struct uw_rule *rule);

struct cfi_row {
	uint64_t pc; /* address in the file; the row holds up to the next one's */
	uint32_t rule;
};
/* Rows ascending by pc, no two neighbours alike; the last one ends the table (rule 0). */
struct cfi_table {
	VEC(struct cfi_row) row;
	unsigned nfde, nbad; /* functions that were read; that were left out as broken */
};
void cfi_table_free(struct cfi_table *t);

/* A range of addresses that holds code. */
struct cfi_range {
	uint64_t begin, end;
};
struct cfi_section {
	const uint8_t *data;
	size_t size;
	uint64_t address;    /* where the first byte is mapped */
	bool is_debug_frame; /* its rules for CIE pointers, no terminator */
};
/*
 * The rows of all sections, for functions within `code`.  Broken functions are left out and
 * counted; of functions that overlap the first one is taken, of equal ones that of the first
 * section.
 */
void cfi_read(const struct cfi_section *s, size_t n, const struct cfi_range *code, size_t ncode,
	      struct cfi_rules *rules, struct cfi_table *ret);

/* cfi_elf.c: what unwinding needs of an ELF file. */
struct cfi_segment { /* executable PT_LOAD */
	uint64_t vaddr, offset, size;
};
struct cfi_file {
	struct cfi_table table;
	VEC(struct cfi_segment) segment;
	uint8_t build_id[20];
	size_t build_id_len; /* 0: none */
};
/* Any ELF-64 file of this machine; its table is empty when it has no call frame information. */
struct err *cfi_open(int fd, struct cfi_rules *rules, struct cfi_file *ret);
/* Same from memory: the vdso, tests. */
struct err *cfi_open_memory(const void *data, size_t n, struct cfi_rules *rules,
			    struct cfi_file *ret);
void cfi_file_free(struct cfi_file *f);

/*
 * cfi_pack.c: the words of runtime/unwind.h for rows [from, to) of a table.  The packed table
 * begins at the address cfi_pack_base() of its first row.
 */
uint64_t cfi_pack_base(const struct cfi_table *t, size_t from);
size_t cfi_pack_words(const struct cfi_table *t, size_t from, size_t to);
void cfi_pack(const struct cfi_table *t, size_t from, size_t to, uint32_t *words);
/* Rows from `from` on that fit `words` words; at least one. */
size_t cfi_pack_fit(const struct cfi_table *t, size_t from, size_t words);
