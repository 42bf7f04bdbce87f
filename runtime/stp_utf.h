/*
 * stp_utf.h - strings of 16- and 32-bit characters as UTF-8 (RFC 3629).
 */
#pragma once

enum { UTF_FROM_USER = 1 << 8 };
/* In map memory: see rt_stp_utf(). */
struct stp_utf_cell {
	u64 state; /* 0, or UTF_FAULT, UTF_INVALID */
	u64 len;   /* bytes written */
	u64 addr;  /* of the character at hand */
	u64 c;	   /* that character */
	u64 unit;  /* where a piece is read to */
};
enum { UTF_FAULT = 1, UTF_INVALID = 2 };

struct stp_utf {
	u8 *dst;
	u64 how;
	volatile struct stp_utf_cell *q;
};

static __attribute__((always_inline)) long stp_utf_unit(struct stp_utf *u, u64 addr, u32 *ret)
{
	void *to = (void *)&u->q->unit;
	u64 size = (u->how & 0xff) / 8;
	u->q->unit = 0;
	if (size != 2 && size != 4)
		return -1;
	if (u->how & UTF_FROM_USER ? bpf_probe_read_user(to, (u32)size, (const void *)addr)
				   : bpf_probe_read_kernel(to, (u32)size, (const void *)addr))
		return -1;
	*ret = (u32)u->q->unit;
	return 0;
}

/* Bytes that a character takes; 0: it is none. */
static __attribute__((always_inline)) u32 stp_utf_bytes(u32 c)
{
	return c <= 0x7f ? 1 : c <= 0x7ff ? 2 : c >= 0xd800 && c <= 0xdfff ? 0 : c <= 0xffff ? 3 : c <= 0x10ffff ? 4 : 0;
}

static __attribute__((always_inline)) void stp_utf_put(u8 *dst, u32 c, u32 n)
{
	if (n == 1) {
		dst[0] = (u8)c;
	} else if (n == 2) {
		dst[0] = (u8)(0xc0 | c >> 6);
		dst[1] = (u8)(0x80 | (c & 0x3f));
	} else if (n == 3) {
		dst[0] = (u8)(0xe0 | c >> 12);
		dst[1] = (u8)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (u8)(0x80 | (c & 0x3f));
	} else {
		dst[0] = (u8)(0xf0 | c >> 18);
		dst[1] = (u8)(0x80 | (c >> 12 & 0x3f));
		dst[2] = (u8)(0x80 | (c >> 6 & 0x3f));
		dst[3] = (u8)(0x80 | (c & 0x3f));
	}
}

/* One character.  A high surrogate takes the low one behind it along; alone it is none. */
RT long stp_utf_step(u32 i, struct stp_utf *u)
{
	volatile struct stp_utf_cell *q = u->q;
	u64 addr = q->addr, size = (u->how & 0xff) / 8, at = q->len;
	u32 c, low, n;

	if (stp_utf_unit(u, addr, &c)) {
		q->state = UTF_FAULT;
		return 1;
	}
	if (!c)
		return 1;
	if (size == 2 && c >= 0xd800 && c <= 0xdbff) {
		if (stp_utf_unit(u, addr + 2, &low)) {
			q->addr = addr + 2;
			q->state = UTF_FAULT;
			return 1;
		}
		if (low >= 0xdc00 && low <= 0xdfff) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
			addr += 2;
		}
	}
	n = stp_utf_bytes(c);
	q->c = c;
	if (!n) {
		q->state = UTF_INVALID;
		return 1;
	}
	q->addr = addr + size;
	q->len = at + n;
	if (at + n > STP_STR - 1)
		return 1;
	KEEP(at);
	if (at > STP_STR - 1)
		return 1;
	stp_utf_put(u->dst + at, c, n);
	return 0;
}

/*
 * The string at addr, its characters of 16 or 32 bits (how, | UTF_FROM_USER), in dst (STP_STR + 8 zeroed bytes), cut before the character
 * that has no room.  The cell says whether a character could not be read or is none, and which.
 */
RT u64 rt_stp_utf(u8 *dst, u64 addr, u64 how, volatile struct stp_utf_cell *q)
{
	struct stp_utf u = {dst, how, q};
	q->state = q->len = q->c = 0;
	q->addr = addr;
	bpf_loop(STP_STR, stp_utf_step, &u, 0);
	return 0;
}
