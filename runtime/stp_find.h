/* stp_find.h - looking for text in strings: parts, tokens, regular expressions. */
#pragma once

#include "stp.h"

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
