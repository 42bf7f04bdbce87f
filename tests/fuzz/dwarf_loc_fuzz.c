/*
 * dwarf_loc_fuzz.c - any bytes as a location expression: compiled to the neutral form, and that to IR which the checker
 * accepts.  The expression sits in a small debug information made here.
 */
#include "debuginfo/dwarf.h"
#include "debuginfo/internal.h"
#include "lang/kit.h"

#include <dwarf.h>
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>

static void put(struct buf *b, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++)
		buf_putc(b, (char)(v >> 8 * i));
}

static void abbrev(struct buf *b, uint8_t code, uint8_t tag, bool children, const uint8_t *pairs, size_t n)
{
	put(b, 1, code);
	put(b, 1, tag);
	put(b, 1, children);
	buf_add(b, pairs, n);
	put(b, 2, 0);
}

static void make_abbrevs(struct buf *b)
{
	static const uint8_t unit[] = {DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4};
	static const uint8_t func[] = {DW_AT_name, DW_FORM_string, DW_AT_low_pc, DW_FORM_addr, DW_AT_high_pc, DW_FORM_data4,
				       DW_AT_frame_base, DW_FORM_exprloc};
	static const uint8_t var[] = {DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4, DW_AT_location, DW_FORM_exprloc};
	static const uint8_t base[] = {DW_AT_byte_size, DW_FORM_data1, DW_AT_encoding, DW_FORM_data1};
	abbrev(b, 1, DW_TAG_compile_unit, true, unit, sizeof(unit));
	abbrev(b, 2, DW_TAG_subprogram, true, func, sizeof(func));
	abbrev(b, 3, DW_TAG_variable, false, var, sizeof(var));
	abbrev(b, 4, DW_TAG_base_type, false, base, sizeof(base));
	put(b, 1, 0);
}

static void make_info(struct buf *b, const uint8_t *expr, size_t n)
{
	put(b, 4, 0); /* length, below */
	put(b, 2, 5);
	put(b, 1, DW_UT_compile);
	put(b, 1, 8);
	put(b, 4, 0);
	put(b, 1, 1);
	put(b, 8, 0x1000);
	put(b, 4, 0x100);
	uint32_t type = (uint32_t)b->len;
	put(b, 1, 4);
	put(b, 1, 8);
	put(b, 1, DW_ATE_signed);
	put(b, 1, 2);
	buf_add(b, "f", 2);
	put(b, 8, 0x1000);
	put(b, 4, 0x100);
	put(b, 1, 1);
	put(b, 1, DW_OP_reg6);
	put(b, 1, 3);
	buf_add(b, "v", 2);
	put(b, 4, type);
	put(b, 1, n & 0x7f);
	buf_add(b, expr, n & 0x7f);
	put(b, 2, 0);
	uint32_t len = (uint32_t)b->len - 4;
	memcpy(b->data, &len, 4);
}

static void make_elf(struct buf *out, const struct buf *info, const struct buf *abbrevs)
{
	static const char names[] = "\0.debug_info\0.debug_abbrev\0.shstrtab";
	Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT}, .e_type = ET_EXEC,
			 .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(eh),
			 .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 4, .e_shstrndx = 3};
	Elf64_Shdr sh[4] = {{0}};
	buf_fill(out, 0, sizeof(eh));
	sh[1] = (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = out->len, .sh_size = info->len};
	buf_add(out, info->data, info->len);
	sh[2] = (Elf64_Shdr){.sh_name = 13, .sh_type = SHT_PROGBITS, .sh_offset = out->len, .sh_size = abbrevs->len};
	buf_add(out, abbrevs->data, abbrevs->len);
	sh[3] = (Elf64_Shdr){.sh_name = 27, .sh_type = SHT_STRTAB, .sh_offset = out->len, .sh_size = sizeof(names)};
	buf_add(out, names, sizeof(names));
	buf_fill(out, 0, (8 - out->len % 8) % 8);
	eh.e_shoff = out->len;
	buf_add(out, sh, sizeof(sh));
	memcpy(out->data, &eh, sizeof(eh));
}

static void lower(struct world *w, const struct dwarf_var *v, struct arena *a)
{
	struct attach_point point = {.kind = PK_UPROBE, .target = "fuzzed", .name = "uprobe:fuzzed:f", .address = 0x1010, .entry = 0x1010};
	struct kit k = {.prog = program_new(a, "bpftrace"), .world = w, .point = &point};
	struct ir_fn *fn = kit_begin(&k, "f", PROG_KPROBE, (struct loc){0});
	struct kit_located at = kit_locate(&k, v->loc, 8, (struct loc){0});
	kit_read_scalar(&k, at.addr, 0, 8, false, at.as, (struct loc){0});
	kit_end(&k);
	kit_finish_entries(&k);
	program_finish(k.prog);
	ir_optimize(fn, NULL, NULL, NULL);
	if (ir_check(fn))
		abort();
	program_free(k.prog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_create();
	struct world w = {.arena = a, .root = "/nowhere"};
	struct buf info = {0}, abbrevs = {0}, elf = {0};
	struct elf_file *f = NULL;
	make_abbrevs(&abbrevs);
	make_info(&info, data, n);
	make_elf(&elf, &info, &abbrevs);
	struct err *e = elf_open_memory(&w, "fuzzed", elf.data, elf.len, &f);
	struct dwarf *d = e ? NULL : elf_dwarf(f, NULL);
	struct dwarf_vars vars = {0};
	if (!d)
		abort(); /* what this file makes is well-formed */
	dwarf_variables(d, 0x1010, 0, DWARF_AT_PC, false, a, &vars);
	if (vars.list.len != 1)
		abort();
	if (vars.list.at[0]->loc)
		lower(&w, vars.list.at[0], a);
	vec_free(&vars.list);
	world_close(&w);
	arena_destroy(a);
	buf_free(&info);
	buf_free(&abbrevs);
	buf_free(&elf);
	return 0;
}
