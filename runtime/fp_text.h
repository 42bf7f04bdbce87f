/*
 * fp_text.h - doubles as decimal text, and back.
 */
#pragma once

enum { FP_LIMBS = 36, FP_LIMB = 1000000000, FP_DIGITS = 20, FP_TEXT = 384 };

/* In map memory.  limb: the part before the point in nines of digits, the lowest ones first. */
struct fp_decimal {
	u64 limb[FP_LIMBS];
	u64 carry, shift, left; /* left: bits that the part before the point is still to be multiplied by 2 for */
	u64 hi, lo, bits;	/* what is behind the point: (hi << 60 | lo) / 2^bits, hi and lo below 2^60 */
	u64 len, digits, seen;
	u64 digit[FP_DIGITS + 2]; /* behind the point */
};

struct fp_writing {
	u8 *dst;
	volatile struct fp_decimal *d;
};

RT long fp_limb_step(u32 i, struct fp_writing *w)
{
	volatile struct fp_decimal *d = w->d;
	if (i >= FP_LIMBS)
		return 1;
	u64 v = (d->limb[i] << (d->shift & 31)) + d->carry;
	d->limb[i] = v % FP_LIMB;
	d->carry = v / FP_LIMB;
	return 0;
}

/* By two to the 29th, or to what is left. */
RT long fp_scale_step(u32 i, struct fp_writing *w)
{
	volatile struct fp_decimal *d = w->d;
	u64 n = d->left < 29 ? d->left : 29;
	if (!n)
		return 1;
	d->shift = n;
	d->carry = 0;
	bpf_loop(FP_LIMBS, fp_limb_step, w, 0);
	d->left -= n;
	return 0;
}

/* The next digit behind the point: ten times what is there, what is then before the point. */
RT long fp_digit_step(u32 i, struct fp_writing *w)
{
	volatile struct fp_decimal *d = w->d;
	const u64 mask = (1ull << 60) - 1;
	u64 digit, lo = d->lo * 10, hi = d->hi * 10 + (lo >> 60), bits = d->bits;
	if (i >= d->digits || i >= FP_DIGITS)
		return 1;
	lo &= mask;
	if (bits <= 60) {
		digit = (hi << 60 | lo) >> (bits & 63); /* hi is 0 but for the digit */
		if (bits == 60)
			digit = hi;
		lo &= (1ull << (bits & 63)) - 1;
		hi = 0;
	} else {
		digit = hi >> ((bits - 60) & 63);
		hi &= (1ull << ((bits - 60) & 63)) - 1;
	}
	d->lo = lo;
	d->hi = hi;
	d->digit[i] = digit;
	return 0;
}

static inline __attribute__((always_inline)) void fp_put(struct fp_writing *w, u8 c)
{
	u64 at = w->d->len;
	KEEP(at);
	if (at > FP_TEXT - 2)
		return;
	w->dst[at] = c;
	w->d->len = at + 1;
}

/* Round up: digit by digit from the last one, then into the part before the point. */
RT long fp_carry_step(u32 i, struct fp_writing *w)
{
	volatile struct fp_decimal *d = w->d;
	u64 at = d->digits - 1 - i;
	KEEP(at);
	if (!d->carry || at >= FP_DIGITS)
		return 1;
	u64 v = d->digit[at] + 1;
	d->digit[at] = v == 10 ? 0 : v;
	d->carry = v == 10;
	return 0;
}

/* Nine digits of a limb, the highest limb first; none of the zeroes in front. */
RT long fp_put_limb_step(u32 i, struct fp_writing *w)
{
	volatile struct fp_decimal *d = w->d;
	u64 at = FP_LIMBS - 1 - i, by = FP_LIMB / 10;
	KEEP(at);
	if (at >= FP_LIMBS)
		return 1;
	u64 v = d->limb[at];
	if (!v && !d->seen && at)
		return 0;
#pragma unroll
	for (u32 k = 0; k < 9; k++) {
		u64 digit = v / by;
		v %= by;
		by /= 10;
		if (digit || d->seen || (!at && k == 8)) {
			d->seen = 1;
			fp_put(w, (u8)('0' + digit));
		}
	}
	return 0;
}

RT long fp_put_digit_step(u32 i, struct fp_writing *w)
{
	if (i >= w->d->digits || i >= FP_DIGITS)
		return 1;
	fp_put(w, (u8)('0' + w->d->digit[i]));
	return 0;
}

RT long fp_clear_step(u32 i, struct fp_writing *w)
{
	if (i >= FP_LIMBS)
		return 1;
	w->d->limb[i] = 0;
	return 0;
}

/* Splits a number below 2^64 and the bits behind its point. */
static inline __attribute__((always_inline)) void fp_split(volatile struct fp_decimal *d, u64 a)
{
	struct fp x = fp_unpack(a);
	s64 e = x.exp - 1023;
	u64 whole = 0;
	d->hi = d->lo = d->left = 0;
	d->bits = 60;
	if (e >= 52) {
		whole = x.frac;
		d->left = (u64)(e - 52);
	} else if (e >= 0) {
		u64 bits = (u64)(52 - e) & 63;
		whole = x.frac >> bits;
		d->lo = x.frac & ((1ull << bits) - 1);
		d->bits = bits;
	} else if (52 - e <= 120) {
		d->lo = x.frac;
		d->bits = (u64)(52 - e);
	} else if (x.frac) { /* below 2^-68: less than a half of the last of twenty digits */
		d->lo = 1;
		d->bits = 120;
	}
	d->limb[0] = whole % FP_LIMB;
	d->limb[1] = whole / FP_LIMB % FP_LIMB;
}

static inline __attribute__((always_inline)) u64 fp_rounds_up(volatile struct fp_decimal *d, u64 last_is_odd)
{
	/* half is 2^(bits - 1) */
	u64 bits = d->bits, hi = d->hi, lo = d->lo, half_hi = 0, half_lo = 0;
	if (bits > 60)
		half_hi = 1ull << ((bits - 61) & 63);
	else if (bits)
		half_lo = 1ull << ((bits - 1) & 63);
	else
		return 0;
	if (hi != half_hi)
		return hi > half_hi;
	return lo > half_lo || (lo == half_lo && last_is_odd);
}

/*
 * a with so many digits behind the point (at most FP_DIGITS, at least one) in dst, FP_TEXT zeroed bytes: as printf("%.*f") does, rounded to
 * the nearest, of two the even one.
 */
RT u64 rt_fp_text(u8 *dst, u64 a, u64 digits, volatile struct fp_decimal *d)
{
	struct fp_writing w = {dst, d};
	d->len = d->seen = d->carry = 0;
	d->digits = (s64)digits < 1 ? 1 : digits > FP_DIGITS ? FP_DIGITS : digits;
	if (a & FP_SIGN)
		fp_put(&w, '-');
	if ((a & ~FP_SIGN) >= FP_INF) {
		u64 nan = fp_is_nan(a);
		fp_put(&w, nan ? 'n' : 'i');
		fp_put(&w, nan ? 'a' : 'n');
		fp_put(&w, nan ? 'n' : 'f');
		return 0;
	}
	bpf_loop(FP_LIMBS, fp_clear_step, &w, 0);
	fp_split(d, a);
	bpf_loop(34, fp_scale_step, &w, 0);
	bpf_loop(FP_DIGITS, fp_digit_step, &w, 0);
	u64 last = d->digits - 1;
	KEEP(last);
	d->carry = last < FP_DIGITS ? fp_rounds_up(d, d->digit[last] & 1) : 0;
	bpf_loop(FP_DIGITS, fp_carry_step, &w, 0);
	if (d->carry) {
		d->shift = 0;
		bpf_loop(FP_LIMBS, fp_limb_step, &w, 0);
	}
	bpf_loop(FP_LIMBS, fp_put_limb_step, &w, 0);
	fp_put(&w, '.');
	bpf_loop(FP_DIGITS, fp_put_digit_step, &w, 0);
	return 0;
}

/* --- from text ------------------------------------------------------------------------------------------------------ */

/* In map memory. */
struct fp_reading_cell {
	u64 at, value, power, exponent;
	u64 state; /* 0 digits before the point, 1 behind it, 2 of the exponent, 3 the end, 4 what is no number */
	u64 negative, negative_exponent, first;
};
struct fp_reading {
	const u8 *s;
	u64 cap;
	volatile struct fp_reading_cell *q;
};

#define FP_TEN 0x4024000000000000ull

/* One character: as stap reads them, digit by digit, which is exact for fifteen of them. */
RT long fp_read_step(u32 i, struct fp_reading *r)
{
	volatile struct fp_reading_cell *q = r->q;
	if (i >= r->cap)
		return 1;
	u8 c = r->s[i];
	u64 state = q->state, first = q->first;
	q->first = 0;
	if (!c) {
		q->state = 3;
		return 1;
	}
	if ((c == '-' || c == '+') && first) {
		if (state == 2)
			q->negative_exponent = c == '-';
		else
			q->negative = c == '-';
		return 0;
	}
	if (c >= '0' && c <= '9') {
		if (state == 2) {
			q->exponent = q->exponent > 9999 ? 9999 : q->exponent * 10 + c - '0';
			return 0;
		}
		q->value = rt_fp_add(rt_fp_mul(q->value, FP_TEN), rt_fp_from_long(c - '0'));
		if (state == 1)
			q->power = rt_fp_mul(q->power, FP_TEN);
		return 0;
	}
	if (c == '.' && !state) {
		q->state = 1;
		return 0;
	}
	if ((c == 'e' || c == 'E') && state < 2) {
		q->state = 2;
		q->first = 1;
		return 0;
	}
	q->state = 4;
	return 1;
}

RT long fp_power_step(u32 i, struct fp_reading *r)
{
	if (i >= r->q->exponent)
		return 1;
	r->q->power = r->q->negative_exponent ? rt_fp_mul(r->q->power, FP_TEN) : rt_fp_div(r->q->power, FP_TEN);
	return 0;
}

/* The double that s is, [-+]digits[.digits][e[-+]digits], in the cell's value; the cell's state is 3 unless it is something else. */
RT u64 rt_fp_read(const u8 *s, u64 cap, volatile struct fp_reading_cell *q)
{
	struct fp_reading r = {s, cap, q};
	q->value = q->exponent = q->state = q->negative = q->negative_exponent = 0;
	q->power = 0x3ff0000000000000ull;
	q->first = 1;
	bpf_loop((u32)cap, fp_read_step, &r, 0);
	if (q->state < 3) /* all of it is full */
		q->state = 3;
	bpf_loop(800, fp_power_step, &r, 0);
	u64 v = rt_fp_div(q->value, q->power);
	q->value = q->negative ? v ^ FP_SIGN : v;
	return 0;
}
