/*
 * insn_fuzz.c - any bytes as an instruction: never read past them, never longer than the longest; and as functions without call
 * frame information: what is said of them is a table.
 */
#include "debuginfo/cfi_internal.h"
#include "debuginfo/insn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* so that the sanitizer sees a byte too many */
	memcpy(copy, data, n);
	unsigned length = insn_length(copy, n);
	if (length > 15 || length > n)
		abort();
	struct cfi_rules rules;
	struct cfi_table table = {.nfde = 0};
	cfi_rules_init(&rules);
	cfi_from_code(copy, n, 0x1000, &rules, &table);
	for (size_t i = 0; i < table.row.len; i++)
		if (table.row.at[i].rule >= rules.rule.len || table.row.at[i].pc > 0x1000 + n || (i && table.row.at[i].pc <= table.row.at[i - 1].pc))
			abort();
	cfi_table_free(&table);
	cfi_rules_free(&rules);
	free(copy);
	return 0;
}
