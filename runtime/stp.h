/*
 * stp.h - SystemTap's functions: dates, quoting, numbers in text, sums over CPUs.
 *
 * Strings are STP_STR bytes or `cap`, zero-padded.  `cell` is a word of map memory: what is counted there
 * is an unknown number to the verifier, so that the paths of a loop meet again after every round instead of
 * multiplying.
 */
#pragma once

enum { STP_STR = 512 };

static __attribute__((always_inline)) void stp_two(u8 *at, u32 v)
{
	at[0] = '0' + v / 10 % 10;
	at[1] = '0' + v % 10;
}

/*
 * "Wed Jun 30 21:49:08 1993" of seconds since 1970, UTC; dst: 32 zeroed bytes.  Days to a date: the era
 * arithmetic of the proleptic Gregorian calendar with years that begin in March.
 */
RT u64 rt_stp_ctime(u8 *dst, s64 seconds)
{
	static const char days[] = "ThuFriSatSunMonTueWed", months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
	/* 64-bit times before year 0 or after 9999 are cut to that range */
	if (seconds < -62135596800ll)
		seconds = -62135596800ll;
	if (seconds > 253402300799ll)
		seconds = 253402300799ll;
	u64 since = (u64)(seconds + 719468ll * 86400); /* from 0000-03-01 */
	u32 day = (u32)(since / 86400), second = (u32)(since % 86400);
	u32 era = day / 146097, doe = day % 146097;
	u32 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	u32 doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	u32 month = (5 * doy + 2) / 153, mday = doy - (153 * month + 2) / 5 + 1;
	u32 year = yoe + era * 400 + (month >= 10);
	/* 1970-01-01 was a Thursday: day 719468 */
	u32 wday = (day + 7 - 719468 % 7) % 7;
	/* what the compiler knows of remainders is news to the verifier */
	KEEP(wday);
	KEEP(month);
	if (month > 11 || wday > 6)
		return 0;
	for (u32 i = 0; i < 3; i++) {
		dst[i] = (u8)days[wday * 3 + i];
		dst[4 + i] = (u8)months[month * 3 + i];
	}
	dst[3] = dst[7] = dst[10] = dst[19] = ' ';
	stp_two(dst + 8, mday);
	if (dst[8] == '0')
		dst[8] = ' ';
	stp_two(dst + 11, second / 3600);
	stp_two(dst + 14, second / 60 % 60);
	stp_two(dst + 17, second % 60);
	dst[13] = dst[16] = ':';
	stp_two(dst + 20, year / 100);
	stp_two(dst + 22, year % 100);
	return 0;
}

/* What a byte becomes in C text: up to four characters, the rest zero. */
struct stp_escape {
	u8 text[4];
	u32 len;
};
enum { QUOTE_STRING = 1, QUOTE_MARKS = 2 };
struct stp_quoting {
	u8 *dst;
	const u8 *src;
	const struct stp_escape *table;
	u64 bytes, width, flags;
	u64 *cell; /* characters written; whether something was cut; bytes of a character that are still to be passed over */
};

/* The character that begins at s, of n bytes; 0: none of more than one byte (RFC 3629). */
static __attribute__((always_inline)) u32 stp_utf8(const u8 *s, u32 *n)
{
	u32 c = s[0], len = (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
	if (!len || (s[1] & 0xc0) != 0x80 || (len > 2 && (s[2] & 0xc0) != 0x80) || (len > 3 && (s[3] & 0xc0) != 0x80))
		return 0;
	*n = len;
	if (len == 2)
		c = (c & 0x1f) << 6 | (s[1] & 0x3f);
	else if (len == 3)
		c = (c & 0xf) << 12 | (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
	else
		c = (c & 7) << 18 | (s[1] & 0x3f) << 12 | (s[2] & 0x3f) << 6 | (s[3] & 0x3f);
	if (c < 0x80 || (len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return c;
}

/* \u1234 or \U00012345 */
static __attribute__((always_inline)) void stp_put_unicode(u8 *dst, u32 c, u32 digits)
{
	dst[0] = '\\';
	dst[1] = digits == 4 ? 'u' : 'U';
#pragma unroll
	for (u32 i = 0; i < 8; i++) {
		u32 d = c >> 4 * (digits - 1 - i) & 15;
		if (i < digits)
			dst[2 + i] = d < 10 ? '0' + d : 'a' + d - 10;
	}
}

/* One byte: it writes four characters and goes on behind those that count. */
RT long stp_quote_step(u32 i, struct stp_quoting *q)
{
	if (i >= STP_STR)
		return 1;
	u8 c = q->src[i];
	if ((q->flags & QUOTE_STRING) && !c)
		return 1;
	if (q->cell[2]) {
		q->cell[2]--;
		return 0;
	}
	const struct stp_escape *e = &q->table[c];
	u32 n = 1, unicode = c >= 0xc2 && i < STP_STR - 3 ? stp_utf8(q->src + i, &n) : 0;
	if (!unicode || i + n > q->bytes)
		unicode = 0, n = 1;
	u64 len = unicode ? (unicode < 0x10000 ? 6 : 10) : e->len;
	u64 at = q->cell[0], next = at + len, behind = q->flags & QUOTE_MARKS ? 4 : 0;
	KEEP(at);
	/* the dots need no room when this is the last byte */
	if (at > STP_STR - 16 || next + behind > q->width + (i + n == q->bytes ? 3 : 0)) {
		q->cell[1] = 1;
		return 1;
	}
	if (unicode) {
		if (unicode < 0x10000)
			stp_put_unicode(q->dst + at, unicode, 4);
		else
			stp_put_unicode(q->dst + at, unicode, 8);
		q->cell[0] = next;
		q->cell[2] = n - 1;
		return 0;
	}
	q->dst[at] = e->text[0];
	q->dst[at + 1] = e->text[1];
	q->dst[at + 2] = e->text[2];
	q->dst[at + 3] = e->text[3];
	q->cell[0] = next;
	return 0;
}

/*
 * C text of src (STP_STR bytes) in dst (STP_STR bytes, zeroed).  Packed: bytes of src, what dst may get in characters << 16,
 * QUOTE_ flags << 32: STRING ends at a NUL, MARKS puts it in quotes, and dots behind when it was cut.  The table has a
 * row a byte; cell is two words of map memory.
 */
RT u64 rt_stp_quote(u8 *dst, const u8 *src, const struct stp_escape *table, u64 packed, u64 *cell)
{
	struct stp_quoting q = {dst, src, table, packed & 0xffff, (packed >> 16) & 0xffff, packed >> 32, cell};
	cell[0] = cell[1] = cell[2] = 0;
	if (q.flags & QUOTE_MARKS) {
		dst[0] = '"';
		cell[0] = 1;
	}
	bpf_loop((u32)q.bytes, stp_quote_step, &q, 0);
	u64 at = cell[0];
	KEEP(at);
	if (!(q.flags & QUOTE_MARKS) || at > STP_STR - 5)
		return 0;
	dst[at] = '"';
	if (cell[1])
		dst[at + 1] = dst[at + 2] = dst[at + 3] = '.';
	return 0;
}

static __attribute__((always_inline)) u32 stp_digit(u8 c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10u : c >= 'A' && c <= 'Z' ? c - 'A' + 10u : 99u;
}

struct stp_numeral {
	const u8 *s;
	u64 cap, base, from;
	u64 *cell;
};

RT long stp_strtol_step(u32 n, struct stp_numeral *q)
{
	u64 i = q->from + n;
	KEEP(i);
	if (i >= q->cap)
		return 1;
	u32 d = stp_digit(q->s[i]);
	if (d >= q->base)
		return 1;
	*q->cell = *q->cell * q->base + d;
	return 0;
}

/* The number at the start of s, as the kernel's simple_strtol reads it; in *cell. */
RT u64 rt_stp_strtol(const u8 *s, u64 cap, u64 base, u64 *cell)
{
	*cell = 0;
	if (cap < 8)
		return 0;
	u32 negative = s[0] == '-', i = negative;
	if ((base == 0 || base == 16) && s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'X') && stp_digit(s[i + 2]) < 16) {
		base = 16;
		i += 2;
	} else if (base == 0) {
		base = s[i] == '0' ? 8 : 10;
	}
	struct stp_numeral q = {s, cap, base, i, cell};
	bpf_loop(66, stp_strtol_step, &q, 0);
	if (negative)
		*cell = -*cell;
	return 0;
}

/* The parts of a per-CPU counter: of n processors, whose areas begin at the addresses in the table; 32 bits each, signed. */
struct stp_percpu {
	u64 table, addr;
	u64 *cell;
};

RT long stp_percpu_step(u32 cpu, struct stp_percpu *q)
{
	u64 base;
	s32 part;
	if (!bpf_probe_read_kernel(&base, 8, (const void *)(q->table + 8 * (u64)cpu)) &&
	    !bpf_probe_read_kernel(&part, 4, (const void *)(base + q->addr)))
		*q->cell += (u64)(s64)part;
	return 0;
}

/* Their sum, in *cell. */
RT u64 rt_stp_percpu_sum(u64 table, u64 addr, u64 n, u64 *cell)
{
	struct stp_percpu q = {table, addr, cell};
	*cell = 0;
	bpf_loop((u32)n, stp_percpu_step, &q, 0);
	return 0;
}
