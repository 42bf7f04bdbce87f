/* stp_hex.h - bytes as hexadecimal digits. */
#pragma once

#include "runtime.h"

struct stp_hexing {
	const u8 *src;
	u8 *dst;
};

static __attribute__((always_inline)) u8 stp_hex_digit(u32 d)
{
	return d < 10 ? '0' + d : 'a' + d - 10;
}

RT long stp_hex_step(u32 i, struct stp_hexing *q)
{
	if (i >= (STP_STR - 1) / 2)
		return 1;
	u8 c = q->src[i];
	q->dst[2 * i] = stp_hex_digit(c >> 4);
	q->dst[2 * i + 1] = stp_hex_digit(c & 15);
	return 0;
}

/* Two digits a byte in dst (STP_STR bytes, zeroed) for the first n of src (as many as that can show), at most what dst has room for. */
RT u64 rt_stp_hex(u8 *dst, const u8 *src, u64 n)
{
	struct stp_hexing q = {src, dst};
	bpf_loop((u32)n, stp_hex_step, &q, 0);
	return 0;
}
