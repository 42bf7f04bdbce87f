/* arch.h - what the kit must know of a processor: one arch_<name>.c each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Offset in struct pt_regs of a register by the kernel's name ("di", "ip", "sp", "r12"); -1: none.
 */
int arch_reg_offset(const char *name);
/* Register that holds the i-th integer argument at a function's entry; NULL: it is on the stack. */
const char *arch_arg_reg(unsigned i);
const char *arch_ret_reg(void);
const char *arch_ip_reg(void);
const char *arch_sp_reg(void);
/*
 * How far behind a mark's site (n bytes there) the kernel executes a probe cheaper, with the same registers: 0 or more.  has_symbol
 * says what the kernel is made of.
 */
enum { ARCH_SITE_BYTES = 6 };
unsigned arch_cheaper_site(const uint8_t site[ARCH_SITE_BYTES], bool (*has_symbol)(void *arg, const char *name), void *arg);
/* Bytes from the stack pointer at a function's first instruction to its CFA. */
int arch_entry_cfa_offset(void);
/* The kernel's name of a general register by its DWARF number; NULL: none. */
const char *arch_dwarf_reg(unsigned n);
/* Bytes from the stack pointer at a function's entry to the i-th integer argument passed on the
 * stack. */
int arch_stack_arg_offset(unsigned i);
