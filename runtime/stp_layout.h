/*
 * stp_layout.h - how a conversion is laid out (stp_format.h): what the compiler packs for it, and the memory that it hands in.  Read by both
 * sides: src/lang/stp/lower_format.c writes what the functions of stp_format.h read.
 */
#pragma once

#include <linux/types.h>

/* The first five stand for the characters of a format: "-0+ #". */
enum { STP_LEFT = 1, STP_ZERO = 2, STP_PLUS = 4, STP_SPACE = 8, STP_ALT = 16, STP_SIGNED = 32, STP_UPPER = 64 };

/* In one word.  width: 16 bits; precision + 1 (0: none): 16 bits; flags: 8 bits; base: 8 bits. */
enum { STP_PRECISION_AT = 16, STP_FLAGS_AT = 32, STP_BASE_AT = 40 };
#define STP_WIDTH(p)	 ((p)&0xffff)
#define STP_PRECISION(p) ((p) >> STP_PRECISION_AT & 0xffff)
#define STP_FLAGS(p)	 ((__u32)((p) >> STP_FLAGS_AT) & 0xff)
#define STP_BASE(p)	 ((p) >> STP_BASE_AT & 0xff)

/* Digits that are being written: bytes written, what is left of the number, a power of the base. */
struct stp_decoding {
	__u64 len, left, power;
};

/* In map memory, see stp.h. */
struct stp_layout {
	struct stp_decoding d; /* how many digits there are, in `digits` */
	__u64 lead, prefix, nprefix, zeros, text, upper; /* lengths of the parts; prefix: its characters, the first in the low byte */
	__u8 digits[32];
};
