/*
 * cfi_fuzz.c - any bytes as call frame information, bare or in an ELF file.  Whatever they are: rows ascend, and the
 * search of the BPF side finds each of them in the packed words.
 */
#include "debuginfo/cfi.h"

#include <stdlib.h>

static uint32_t seg[UW_SEG_WORDS];

static void check_pack(const struct cfi_table *t, size_t from, size_t to)
{
	uint64_t base = cfi_pack_base(t, from);

	if (cfi_pack_words(t, from, to) > UW_SEG_WORDS)
		return;
	cfi_pack(t, from, to, seg);
	for (size_t i = from; i < to; i++) {
		uint64_t end = i + 1 < to ? t->row.at[i + 1].pc : t->row.at[i].pc + 1;

		if (uw_find_rule(seg, 0, t->row.at[i].pc - base) != t->row.at[i].rule ||
		    uw_find_rule(seg, 0, end - 1 - base) != t->row.at[i].rule)
			abort();
	}
}

static void check_table(const struct cfi_table *t, const struct cfi_rules *rules)
{
	for (size_t i = 0; i < t->row.len; i++)
		if ((i && t->row.at[i].pc <= t->row.at[i - 1].pc) || t->row.at[i].rule >= rules->rule.len)
			abort();
	for (size_t from = 0; from < t->row.len;) {
		size_t to = cfi_pack_fit(t, from, 300);

		if (to <= from || to > t->row.len)
			abort();
		check_pack(t, from, to);
		from = to;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cfi_rules rules;
	struct cfi_file file = {.build_id_len = 0};
	struct cfi_table table;
	uint8_t *copy = malloc(n ? n : 1);
	const struct cfi_range code[] = {{0x1000, 0x9000}, {0x20000, 0x40000000}};

	cfi_rules_init(&rules);
	if (n)
		memcpy(copy, data, n);
	err_free(cfi_open_memory(copy, n, &rules, &file));
	check_table(&file.table, &rules);
	cfi_file_free(&file);
	for (int debug = 0; debug < 2; debug++) {
		const struct cfi_section s = {copy, n, 0x4000, debug != 0};

		cfi_read(&s, 1, code, ARRAY_SIZE(code), &rules, &table);
		check_table(&table, &rules);
		cfi_table_free(&table);
	}
	cfi_rules_free(&rules);
	free(copy);
	return 0;
}
