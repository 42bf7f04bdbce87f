/*
 * syscalls.h - inside lang/stp: the tables of system calls and of the numbers that their arguments are made of.
 */
#pragma once

#include "lang/stp/comp.h"

struct stp_syscall {
	const char *name;   /* as in syscall.NAME */
	const char *events; /* of the kernel, separated by blanks; "": the same name */
	const char *args;   /* see syscall_table.c */
	const char *argstr; /* an expression; NULL: the arguments in order */
};
extern const struct stp_syscall stp_syscall_table[]; /* ended by a row without a name */

/* A number or a bit with a name: it is there when (value & mask) == value. */
struct stp_code {
	const char *name;
	uint64_t mask, value;
};
struct stp_decoder {
	const char *name;
	bool is_enum; /* one name of many; else names joined by | */
	uint8_t base; /* of what has no name: 16, 10, 8; 0: it is left out */
	const struct stp_code *code;
	unsigned ncodes;
};
/* The tables of decode_*.c, ended by a row without a name. */
extern const struct stp_decoder stp_decode_file[], stp_decode_task[], stp_decode_net[], stp_decode_sock[], stp_decode_nfs[];
const struct stp_decoder *stp_decoder_find(const char *name); /* NULL: none */

#define C(x)		{#x, ~0ull, (uint64_t)(x)}	      /* the whole number */
#define F(x)		{#x, (uint64_t)(x), (uint64_t)(x)}    /* a bit, or several */
#define V(name, x)	{name, ~0ull, (uint64_t)(x)}	      /* as C, for what no header of user space has */
#define B(name, x)	{name, (uint64_t)(x), (uint64_t)(x)}  /* as F */
#define M(mask, name, x) {name, (uint64_t)(mask), (uint64_t)(x)} /* a number in a field of bits */
#define ENUM(name, table)	{name, true, 16, table, ARRAY_SIZE(table)}
#define FLAGS(name, table)	{name, false, 16, table, ARRAY_SIZE(table)}
#define FLAGS_OCT(name, table)	{name, false, 8, table, ARRAY_SIZE(table)}
