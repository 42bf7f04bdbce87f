/* stp_names.h - numbers as text and text as numbers: names of values and bits, octal, symbols, addresses. */
#pragma once

#include "stp.h"

/* A number or bits with a name: struct stp_code of lang/stp/syscalls.h as tapset_decode.c lays it out. */
struct stp_name {
	u64 mask, value;
	u32 len;
	char name[60];
};
/* What rt_stp_decode() keeps in its cell, struct stp_decoding, is volatile, or the compiler would carry numbers that the verifier knows from
 * round to round in registers. */
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
