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
	if (month > 11)
		month = 11;
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

/* Letter of a C escape, 0 when c has none. */
static __attribute__((always_inline)) u8 stp_escape(u8 c)
{
	return c == '\a' ? 'a' : c == '\b' ? 'b' : c == '\f' ? 'f' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't'
	     : c == '\v' ? 'v' : c == '"' ? '"' : c == '\\' ? '\\' : 0;
}

/*
 * C text of src in dst (both STP_STR bytes, dst zeroed, with one more word at its end as cell): escapes, octal
 * numbers; quotes around it when `quoted`, then "..." behind when it was cut.
 */
RT u64 rt_stp_quote(u8 *dst, const u8 *src, u64 quoted, u64 *cell)
{
	*cell = 0;
	if (quoted) {
		dst[0] = '"';
		*cell = 1;
	}
	for (u32 i = 0; i < STP_STR; i++) {
		u8 c = src[i], letter = stp_escape(c);
		u64 at = *cell;
		if (!c)
			break;
		if (at > STP_STR - 10) { /* room for one octal number, quote, dots and NUL */
			if (quoted && at <= STP_STR - 5) {
				dst[at] = '"';
				dst[at + 1] = dst[at + 2] = dst[at + 3] = '.';
			}
			return 0;
		}
		if (letter && (c != '"' || quoted)) {
			dst[at] = '\\';
			dst[at + 1] = letter;
			*cell = at + 2;
		} else if (c < 32 || c > 126) {
			dst[at] = '\\';
			dst[at + 1] = '0' + (c >> 6);
			dst[at + 2] = '0' + ((c >> 3) & 7);
			dst[at + 3] = '0' + (c & 7);
			*cell = at + 4;
		} else {
			dst[at] = c;
			*cell = at + 1;
		}
	}
	u64 end = *cell;
	if (quoted && end < STP_STR - 1)
		dst[end] = '"';
	return 0;
}

static __attribute__((always_inline)) u32 stp_digit(u8 c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10u : c >= 'A' && c <= 'Z' ? c - 'A' + 10u : 99u;
}

/* The number at the start of s, as the kernel's simple_strtol reads it; in *cell. */
RT u64 rt_stp_strtol(const u8 *s, u64 cap, u64 base, u64 *cell)
{
	u32 i = 0;
	*cell = 0;
	if (cap < 8)
		return 0;
	u32 negative = s[0] == '-';
	i = negative;
	if ((base == 0 || base == 16) && s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'X') && stp_digit(s[i + 2]) < 16) {
		base = 16;
		i += 2;
	} else if (base == 0) {
		base = s[i] == '0' ? 8 : 10;
	}
	for (u32 n = 0; n < 66 && i < cap; n++, i++) {
		u32 d = stp_digit(s[i]);
		if (d >= base)
			break;
		*cell = *cell * base + d;
	}
	if (negative)
		*cell = -*cell;
	return 0;
}

/* Offset of needle in s in *cell, or -1. */
RT u64 rt_stp_find(const u8 *s, u64 cap, const u8 *needle, u64 ncap, u64 *cell)
{
	*cell = -1ull;
	for (u32 i = 0; i < cap && i < STP_STR; i++) {
		u32 j = 0;
		for (; j < ncap && j < STP_STR; j++) {
			if (!needle[j] || i + j >= cap || s[i + j] != needle[j])
				break;
		}
		if (j >= ncap || !needle[j]) {
			*cell = i;
			return 0;
		}
		if (!s[i])
			break;
	}
	return 0;
}

/* What tokenize() remembers: the string, and where the next token starts. */
struct stp_tokens {
	u8 text[STP_STR];
	u64 at;
};

/* The next token of t in dst (STP_STR bytes, zeroed); empty when there is none.  cell: length so far. */
RT u64 rt_stp_token(u8 *dst, struct stp_tokens *t, const u8 *delim, u64 dcap, u64 *cell)
{
	*cell = 0;
	for (u32 n = 0; n < STP_STR; n++) {
		u64 at = t->at, len = *cell;
		if (at >= STP_STR)
			break;
		u8 c = t->text[at];
		if (!c)
			break;
		t->at = at + 1;
		u32 stop = 0;
		for (u32 j = 0; j < dcap && j < 64 && delim[j]; j++)
			stop |= delim[j] == c;
		if (stop && len)
			break;
		if (!stop && len < STP_STR - 1) {
			dst[len] = c;
			*cell = len + 1;
		}
	}
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
RT u64 rt_stp_match(const u8 *s, u64 cap, const struct stp_dfa *d, u64 bytes, u64 *cell)
{
	*cell = d->start;
	for (u32 i = 0; i < cap && i < STP_STR; i++) {
		u8 c = s[i];
		u64 state = *cell;
		if (!c || state >= d->accept)
			break;
		u64 row = state * d->classes + d->class_of[c];
		if (row >= bytes)
			break;
		*cell = d->next[row];
	}
	return 0;
}
