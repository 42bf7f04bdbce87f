/*
 * native.h - functions of the tapset that are not script: one row each in tapset_*.c.
 */
#pragma once

#include "lang/stp/comp.h"

struct stp_lower;
struct stp_value;

enum native_flag {
	NF_PURE = 1,	   /* no effect: may be dropped when the value is not used */
	NF_NO_VALUE = 2,
	NF_USER_ONLY = 4,  /* only in handlers that user space runs */
	NF_FAULTS = 8,	   /* may raise an error */
	NF_WARM = 16,	   /* counts as a statement for its own sake: keeps the handler */
	NF_CONTEXT = 32,   /* tells of what the probe interrupts: who runs, its registers, stack and memory */
};
struct stp_native {
	const char *name;
	const char *sig; /* result, then arguments: l long, s string, v none: "s:ll" */
	unsigned flags;
	uint32_t cap;	 /* string results: bytes needed at most; 0: STP_MAXSTRING; 1: as the first string argument */
	struct stp_value (*lower)(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg);
	int64_t number;	 /* for rows that share a function */
};
/* All tables, one a file, each ended by a row without a name. */
extern const struct stp_native *const stp_natives[];
/* The row of that name and number of arguments, NULL. */
const struct stp_native *stp_native_find(const char *name, unsigned nargs);
/* missing.c: why stap's function of that name cannot be had; NULL: it is none of those. */
const char *stp_missing_reason(const char *name);
unsigned stp_native_nargs(const struct stp_native *n);
enum stp_type stp_native_type(char c);
