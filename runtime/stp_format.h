/*
 * stp_format.h - what sprintf() writes and bpf_snprintf() cannot: a conversion into a string of its own.
 *
 * The text of a value (digits, a string) is laid out with blanks, a prefix and zeroes around it, one byte a round.
 */
#pragma once

#include "runtime.h"
#include "stp_layout.h"
#include "stp_names.h"

struct stp_laying {
	u8 *dst;
	const u8 *src;
	u64 cap;
	volatile struct stp_layout *y;
};

RT long stp_lay_step(u32 i, struct stp_laying *q)
{
	volatile struct stp_layout *y = q->y;
	u64 at = i, lead = y->lead, nprefix = y->nprefix, zeros = y->zeros, text = y->text;
	u8 c = ' ';
	KEEP(at);
	if (at > STP_STR - 2)
		return 1;
	u64 from = at - lead; /* below it: a number beyond all lengths */
	if (from < nprefix) {
		c = (u8)(y->prefix >> (8 * (from & 7)));
	} else if (from - nprefix < zeros) {
		c = '0';
	} else {
		from -= nprefix + zeros;
		KEEP(from);
		if (from < text && from < q->cap) {
			c = q->src[from];
			if (y->upper && c >= 'a')
				c -= 'a' - 'A';
		}
	}
	q->dst[at] = c;
	return 0;
}

/* Lays out what y says, padded to the width on one side. */
static __attribute__((always_inline)) void stp_lay(u8 *dst, const u8 *src, u64 cap, u64 packed, volatile struct stp_layout *y)
{
	struct stp_laying q = {dst, src, cap, y};
	u64 width = STP_WIDTH(packed), n = y->nprefix + y->zeros + y->text, pad = width > n ? width - n : 0;
	u32 flags = STP_FLAGS(packed);
	y->lead = 0;
	if (!(flags & STP_LEFT)) {
		if (flags & STP_ZERO)
			y->zeros += pad;
		else
			y->lead = pad;
	}
	n += pad;
	bpf_loop((u32)(n < STP_STR ? n : STP_STR), stp_lay_step, &q, 0);
}

/* A number in dst, STP_STR zeroed bytes, as SystemTap's printf writes it. */
RT u64 rt_stp_format_number(u8 *dst, u64 v, u64 packed, volatile struct stp_layout *y)
{
	u32 flags = STP_FLAGS(packed), base = STP_BASE(packed), negative = (flags & STP_SIGNED) && (s64)v < 0;
	u64 precision = STP_PRECISION(packed), prefix = 0, nprefix = 0;
	if (negative || ((flags & STP_SIGNED) && (flags & (STP_PLUS | STP_SPACE)))) {
		prefix = negative ? '-' : flags & STP_PLUS ? '+' : ' ';
		nprefix = 1;
	} else if (flags & STP_ALT && !(flags & STP_SIGNED) && base != 10) {
		prefix = base == 8 ? '0' : '0' | (flags & STP_UPPER ? 'X' : 'x') << 8;
		nprefix = base == 8 ? 1 : 2;
	}
	y->d.len = 0;
	y->d.left = negative ? 0 - v : v;
	stp_digits((u8 *)y->digits, sizeof(y->digits), base, &y->d);
	y->prefix = prefix;
	y->nprefix = nprefix;
	y->upper = flags & STP_UPPER;
	y->text = y->d.len;
	y->zeros = precision > y->text + 1 ? precision - 1 - y->text : 0;
	stp_lay(dst, (const u8 *)y->digits, sizeof(y->digits), packed, y);
	return 0;
}

/* A string of cap bytes in dst, STP_STR zeroed bytes; y->text: its length. */
RT u64 rt_stp_format_string(u8 *dst, const u8 *src, u64 cap, u64 packed, volatile struct stp_layout *y)
{
	u64 precision = STP_PRECISION(packed);
	y->prefix = y->nprefix = y->zeros = y->upper = 0;
	if (precision && y->text > precision - 1)
		y->text = precision - 1;
	stp_lay(dst, src, cap, packed & ~((u64)STP_ZERO << STP_FLAGS_AT), y);
	return 0;
}
