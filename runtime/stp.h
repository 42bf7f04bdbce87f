/*
 * stp.h - SystemTap's string functions.
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

struct stp_finding {
	const u8 *s, *needle;
	u64 cap, ncap, at;
	u64 *cell; /* offset or -1; whether the needle differs at `at` */
};

RT long stp_compare_step(u32 j, struct stp_finding *q)
{
	if (j >= q->ncap)
		return 1;
	u8 c = q->needle[j];
	u64 i = q->at + j;
	KEEP(i);
	if (!c)
		return 1;
	if (i < q->cap && q->s[i] == c)
		return 0;
	q->cell[1] = 1;
	return 1;
}

RT long stp_find_step(u32 i, struct stp_finding *q)
{
	if (i >= q->cap)
		return 1;
	u8 c = q->s[i];
	if (c == q->needle[0] || !q->needle[0]) {
		q->at = i;
		q->cell[1] = 0;
		bpf_loop((u32)q->ncap, stp_compare_step, q, 0);
		if (!q->cell[1]) {
			q->cell[0] = i;
			return 1;
		}
	}
	return !c;
}

/* Offset of needle in s in *cell, or -1. */
RT u64 rt_stp_find(const u8 *s, u64 cap, const u8 *needle, u64 ncap, u64 *cell)
{
	struct stp_finding q = {s, needle, cap, ncap, 0, cell};
	*cell = -1ull;
	bpf_loop((u32)cap, stp_find_step, &q, 0);
	return 0;
}

/* What tokenize() remembers: the string, and where the next token starts. */
struct stp_tokens {
	u8 text[STP_STR];
	u64 at;
};

struct stp_tokenizing {
	u8 *dst;
	struct stp_tokens *t;
	const u8 *delim;
	u64 dcap;
	u64 *cell;
};

RT long stp_token_step(u32 n, struct stp_tokenizing *q)
{
	u64 at = q->t->at, len = *q->cell;
	KEEP(at);
	KEEP(len);
	if (at >= STP_STR)
		return 1;
	u8 c = q->t->text[at];
	if (!c)
		return 1;
	q->t->at = at + 1;
	u32 stop = 0;
	for (u32 j = 0; j < q->dcap && j < 64; j++)
		stop |= q->delim[j] == c;
	if (stop && len)
		return 1;
	if (!stop && len < STP_STR - 1) {
		q->dst[len] = c;
		*q->cell = len + 1;
	}
	return 0;
}

/* The next token of t in dst (STP_STR bytes, zeroed); empty when there is none.  cell: length so far. */
RT u64 rt_stp_token(u8 *dst, struct stp_tokens *t, const u8 *delim, u64 dcap, u64 *cell)
{
	struct stp_tokenizing q = {dst, t, delim, dcap, cell};
	*cell = 0;
	bpf_loop(STP_STR, stp_token_step, &q, 0);
	return 0;
}

/*
 * A DFA that searches: rows of `classes` next states; class_of gives the class of a byte.  States from `accept`
 * on have found a match; those from `at_end` on have found one if the string ends here.  The state where the
 * string ended is left in *cell.
 */
struct stp_dfa {
	u32 start, classes, at_end, accept;
	u8 class_of[256];
	u8 next[];
};
struct stp_matching {
	const u8 *s;
	u64 cap;
	const struct stp_dfa *d;
	u64 bytes;
	u64 *cell;
};

RT long stp_match_step(u32 i, struct stp_matching *q)
{
	if (i >= q->cap)
		return 1;
	u8 c = q->s[i];
	u64 state = *q->cell;
	if (!c || state >= q->d->accept)
		return 1;
	u64 row = state * q->d->classes + q->d->class_of[c];
	KEEP(row);
	if (row >= q->bytes)
		return 1;
	*q->cell = q->d->next[row];
	return 0;
}

RT u64 rt_stp_match(const u8 *s, u64 cap, const struct stp_dfa *d, u64 bytes, u64 *cell)
{
	struct stp_matching q = {s, cap, d, bytes, cell};
	*cell = d->start;
	bpf_loop((u32)cap, stp_match_step, &q, 0);
	return 0;
}

/* A number or bits with a name: struct stp_code of lang/stp/syscalls.h as tapset_decode.c lays it out. */
struct stp_name {
	u64 mask, value;
	u32 len;
	char name[60];
};
/* What rt_stp_decode() keeps in its cell: bytes written, what has no name yet, a power of the base.  Volatile, or the
 * compiler would carry numbers that the verifier knows from round to round in registers. */
struct stp_decoding {
	u64 len, left, power;
};

struct stp_digits {
	u8 *dst;
	u64 cap, base;
	volatile struct stp_decoding *d;
};

RT long stp_power_step(u32 i, struct stp_digits *q)
{
	u64 power = q->d->power;
	if (!power || q->d->left / power < q->base)
		return 1;
	q->d->power = power * q->base;
	return 0;
}

RT long stp_digit_step(u32 i, struct stp_digits *q)
{
	u64 at = q->d->len, power = q->d->power, left = q->d->left;
	KEEP(at);
	if (!power || at >= q->cap - 1)
		return 1;
	u64 digit = left / power;
	q->dst[at] = digit < 10 ? '0' + digit : 'a' + digit - 10;
	q->d->len = at + 1;
	q->d->left = left - digit * power;
	q->d->power = power / q->base;
	return 0;
}

/* Digits of d->left behind what is there; room for 24 bytes is the caller's care. */
static __attribute__((always_inline)) void stp_digits(u8 *dst, u64 cap, u32 base, volatile struct stp_decoding *d)
{
	struct stp_digits q = {dst, cap, base, d};
	d->power = 1;
	bpf_loop(22, stp_power_step, &q, 0);
	bpf_loop(23, stp_digit_step, &q, 0);
}

/* A number as C would write it in that base, sign and prefix included. */
static __attribute__((always_inline)) void stp_number(u8 *dst, u64 cap, u32 base, volatile struct stp_decoding *d)
{
	u64 at = d->len;
	KEEP(at);
	if (at > cap - 28)
		return;
	if (base == 10 && (s64)d->left < 0) {
		dst[at++] = '-';
		d->left = -d->left;
	} else if (base == 16) {
		dst[at++] = '0';
		dst[at++] = 'x';
	} else if (base == 8 && d->left) {
		dst[at++] = '0';
	}
	d->len = at;
	stp_digits(dst, cap, base, d);
}

struct stp_decode {
	u8 *dst;
	const struct stp_name *names;
	u64 n, cap;
	volatile struct stp_decoding *d;
};

/* Row i: its name when the bits are there.  Names are copied whole: zeroes behind them, where the next one goes. */
RT long stp_decode_step(u32 i, struct stp_decode *q)
{
	if (i >= q->n)
		return 1;
	const struct stp_name *name = &q->names[i];
	u64 at = q->d->len, left = q->d->left, len = name->len;
	if ((left & name->mask) != name->value)
		return 0;
	KEEP(at);
	if (at > q->cap - 64)
		return 1;
	if (at)
		q->dst[at++] = '|';
	u8 *dst = q->dst + at;
#pragma unroll
	for (u32 j = 0; j < sizeof(name->name); j++)
		dst[j] = name->name[j];
	q->d->len = at + len;
	q->d->left = left & ~name->mask;
	return !(left & ~name->mask);
}

/*
 * Names of the bits of v in dst (cap zeroed bytes), joined by |, what has no name as a number.  Packed: names
 * in the table, the base of that number << 16 (0: it is left out), cap << 32.
 */
RT u64 rt_stp_decode(u8 *dst, const struct stp_name *names, u64 packed, u64 v, volatile struct stp_decoding *d)
{
	struct stp_decode q = {dst, names, packed & 0xffff, packed >> 32, d};
	d->len = 0;
	d->left = v;
	bpf_loop((u32)q.n, stp_decode_step, &q, 0);
	u64 at = d->len;
	KEEP(at);
	if ((!d->left && at) || !(packed >> 16 & 0xffff))
		return 0;
	if (at && at < q.cap - 1)
		dst[at++] = '|';
	d->len = at;
	stp_number(dst, q.cap, (packed >> 16) & 0xffff, d);
	return 0;
}

struct stp_naming {
	const struct stp_name *names;
	u64 n;
	const u8 *text;
	u64 *cell;
};

RT long stp_number_step(u32 i, struct stp_naming *q)
{
	if (i >= q->n)
		return 1;
	const struct stp_name *name = &q->names[i];
#pragma unroll
	for (u32 j = 0; j < sizeof(name->name); j++) {
		u32 c = q->text[j];
		if (c != (u8)name->name[j])
			return 0;
		KEEP(c); /* one byte after the other: all at once would need the stack */
		if (!c)
			break;
	}
	*q->cell = name->value;
	return 1;
}

/* The value of the name that text (64 bytes, padded with zeroes) is, in *cell; -1: it is none of the n. */
RT u64 rt_stp_number_of(const struct stp_name *names, u64 n, const u8 *text, u64 *cell)
{
	struct stp_naming q = {names, n, text, cell};
	*cell = -1ull;
	bpf_loop((u32)n, stp_number_step, &q, 0);
	return 0;
}

/* v in octal as %#o writes it; dst: 32 zeroed bytes. */
RT u64 rt_stp_octal(u8 *dst, u64 v, volatile struct stp_decoding *d)
{
	d->len = 0;
	d->left = v;
	stp_number(dst, 32, 8, d);
	return 0;
}

/* What rt_stp_symbol() cuts out of "name+0x1/0x20 [module]", as user_helpers.h numbers it. */
enum { SYMBOL_NAME, SYMBOL_OFFSET, SYMBOL_MODULE, SYMBOL_MOST = 118 };
struct stp_cutting {
	u8 *dst;
	const u8 *src;
	u64 what;
	u64 *cell; /* bytes written; whether the bracket was passed */
};

RT long stp_symbol_step(u32 i, struct stp_cutting *q)
{
	if (i >= 127)
		return 1;
	u8 c = q->src[i];
	u64 at = q->cell[0], in_module = q->cell[1];
	KEEP(at);
	if (!c || at >= SYMBOL_MOST || (c == ']' && q->what != SYMBOL_OFFSET) || (c == ' ' && q->what == SYMBOL_NAME))
		return 1;
	if (c == '[')
		q->cell[1] = 1;
	if (q->what == SYMBOL_MODULE && (!in_module || c == '['))
		return 0;
	q->dst[at] = c;
	q->cell[0] = at + 1;
	return c == ']';
}

/* dst: 128 zeroed bytes, src: 256.  A module is the kernel when %pS names none; an address without a name has none. */
RT u64 rt_stp_symbol(u8 *dst, const u8 *src, u64 what, u64 *cell)
{
	static const u8 kernel[] = " [kernel]";
	struct stp_cutting q = {dst, src, what, cell};
	cell[0] = cell[1] = 0;
	bpf_loop(127, stp_symbol_step, &q, 0);
	u64 at = cell[0];
	KEEP(at);
	if (cell[1] || (src[0] == '0' && src[1] == 'x') || at > SYMBOL_MOST)
		return 0;
	for (u32 i = 0; what == SYMBOL_OFFSET && i < 9; i++)
		dst[at + i] = kernel[i];
	for (u32 i = 0; what == SYMBOL_MODULE && i < 6; i++)
		dst[i] = kernel[i + 2];
	return 0;
}

struct stp_addresses {
	u8 *dst;
	const u64 *frames;
	u64 *cell;
};

/* "0x" and sixteen digits or fewer, without leading zeroes; then a blank. */
RT long stp_address_step(u32 i, struct stp_addresses *q)
{
	if (i >= 20)
		return 1;
	u64 v = q->frames[i], at = q->cell[0];
	if (uw_is_interrupted(v))
		v ^= UW_INTERRUPTED;
	KEEP(at);
	if (at > 392 - 20)
		return 1;
	u8 *dst = q->dst + at;
	u32 seen = 0;
	dst[0] = '0';
	dst[1] = 'x';
	q->cell[1] = at + 2;
#pragma unroll
	for (u32 d = 0; d < 16; d++) {
		u32 digit = (v >> (60 - 4 * d)) & 15;
		seen |= digit;
		if (seen || d == 15) {
			u64 to = q->cell[1];
			KEEP(to);
			if (to > 390)
				return 1;
			q->dst[to] = digit < 10 ? '0' + digit : 'a' + digit - 10;
			q->cell[1] = to + 1;
		}
	}
	u64 to = q->cell[1];
	KEEP(to);
	if (to > 390)
		return 1;
	q->dst[to] = ' ';
	q->cell[0] = to + 1;
	return 0;
}

/* The first n (at most 20) addresses as text in dst, 392 zeroed bytes. */
RT u64 rt_stp_addresses(u8 *dst, const u64 *frames, u64 n, u64 *cell)
{
	struct stp_addresses q = {dst, frames, cell};
	*cell = 0;
	bpf_loop(n < 20 ? (u32)n : 20, stp_address_step, &q, 0);
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
