/*
 * fp.h - arithmetic of doubles (IEEE 754 binary64) by integers, for programs that have no floating point.
 *
 * A number is its bits in a u64.  Results are rounded to the nearest, of two the even one.  What has no result is the negative quiet NaN
 * that x86 makes.
 */
#pragma once

#define FP_SIGN	  (1ull << 63)
#define FP_INF	  (0x7ffull << 52)
#define FP_ONE	  (1ull << 52) /* the leading bit of a fraction */
#define FP_QUIET  (1ull << 51)
#define FP_NO_NUM (FP_SIGN | FP_INF | FP_QUIET)

struct fp {
	u64 sign, frac; /* frac: 53 bits, the leading one set; 0 for zero */
	s64 exp;	/* as it is stored, below 1 for what is too small to have its leading bit stored */
};

static inline __attribute__((always_inline)) u64 fp_is_nan(u64 a)
{
	return (a & ~FP_SIGN) > FP_INF;
}

static inline __attribute__((always_inline)) u64 fp_nan_of(u64 a, u64 b)
{
	return (fp_is_nan(a) ? a : b) | FP_QUIET;
}

/* 1 unless v is 0, without a branch: the verifier would walk both ways of each, and all that follows. */
static inline __attribute__((always_inline)) u64 fp_any(u64 v)
{
	u64 negative = -v;
	KEEP(negative); /* or the compiler would know what this is, and branch */
	return (v | negative) >> 63;
}

/* Leading zeroes; 63 for 0. */
static inline __attribute__((always_inline)) u64 fp_clz(u64 v)
{
	u64 n = 0;
#pragma unroll
	for (u32 step = 32; step; step >>= 1) {
		u64 by = (fp_any(v >> (64 - step)) ^ 1) * step;
		n += by;
		v <<= by & 63;
	}
	return n;
}

static inline __attribute__((always_inline)) struct fp fp_unpack(u64 a)
{
	struct fp r = {a & FP_SIGN, a & (FP_ONE - 1), (s64)(a >> 52 & 0x7ff)};
	if (r.exp) {
		r.frac |= FP_ONE;
	} else if (r.frac) {
		u64 n = fp_clz(r.frac) - 11;
		r.frac <<= n & 63;
		r.exp = 1 - (s64)n;
	}
	return r;
}

/* To the right; whether anything was lost stays in the lowest bit. */
static inline __attribute__((always_inline)) u64 fp_shift_sticky(u64 v, u64 n)
{
	if (n > 63)
		return fp_any(v);
	return v >> n | fp_any(v & ((1ull << n) - 1));
}

/* frac: the leading bit is bit 62, the last ten are to be rounded away. */
static inline __attribute__((always_inline)) u64 fp_pack(u64 sign, s64 exp, u64 frac)
{
	if (exp < 1) {
		frac = fp_shift_sticky(frac, (u64)(1 - exp));
		exp = 1;
	}
	/* exactly half: to the even one */
	u64 r = (frac + 0x200) >> 10 & ~(fp_any((frac & 0x3ff) ^ 0x200) ^ 1);
	/* the leading bit adds one to the exponent, and so does a carry out of the fraction */
	r += (u64)(exp - 1) << 52;
	return sign | (exp > 0x7fe || r >= FP_INF ? FP_INF : r);
}

/* a + b; in any order and with any signs. */
RT_GLOBAL(nn) u64 rt_fp_add(u64 a, u64 b)
{
	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_nan_of(a, b);
	if ((a & ~FP_SIGN) < (b & ~FP_SIGN)) {
		u64 t = a;
		a = b;
		b = t;
	}
	if ((a & ~FP_SIGN) == FP_INF)
		return (b & ~FP_SIGN) == FP_INF && a != b ? FP_NO_NUM : a;
	struct fp x = fp_unpack(a), y = fp_unpack(b);
	if (!y.frac)
		return x.frac ? a : a & b; /* -0 only when both are */
	u64 p = x.frac << 10, q = fp_shift_sticky(y.frac << 10, (u64)(x.exp - y.exp));
	if (x.sign == y.sign) {
		p += q;
		if (p >> 63) {
			p = fp_shift_sticky(p, 1);
			x.exp++;
		}
		return fp_pack(x.sign, x.exp, p);
	}
	p -= q;
	if (!p)
		return 0;
	u64 n = fp_clz(p) - 1;
	return fp_pack(x.sign, x.exp - (s64)n, p << (n & 63));
}

RT_GLOBAL(nn) u64 rt_fp_sub(u64 a, u64 b)
{
	return rt_fp_add(a, fp_is_nan(b) ? b : b ^ FP_SIGN);
}

RT_GLOBAL(nn) u64 rt_fp_mul(u64 a, u64 b)
{
	u64 sign = (a ^ b) & FP_SIGN, big_a = a & ~FP_SIGN, big_b = b & ~FP_SIGN;
	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_nan_of(a, b);
	if (big_a == FP_INF || big_b == FP_INF)
		return big_a && big_b ? sign | FP_INF : FP_NO_NUM;
	struct fp x = fp_unpack(a), y = fp_unpack(b);
	if (!x.frac || !y.frac)
		return sign;
	/* the upper half of 128 bits, by halves of 32 */
	u64 p = x.frac << 10, q = y.frac << 11;
	u64 p0 = (u32)p, p1 = p >> 32, q0 = (u32)q, q1 = q >> 32;
	u64 low = p0 * q0, mid = p1 * q0 + (low >> 32), mid2 = p0 * q1 + (u32)mid;
	u64 high = p1 * q1 + (mid >> 32) + (mid2 >> 32);
	high |= fp_any((u32)low | (u32)mid2);
	s64 exp = x.exp + y.exp - 1023;
	return high >> 62 ? fp_pack(sign, exp + 1, high) : fp_pack(sign, exp, high << 1);
}

RT_GLOBAL(nn) u64 rt_fp_div(u64 a, u64 b)
{
	u64 sign = (a ^ b) & FP_SIGN, big_a = a & ~FP_SIGN, big_b = b & ~FP_SIGN;
	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_nan_of(a, b);
	if (big_a == FP_INF)
		return big_b == FP_INF ? FP_NO_NUM : sign | FP_INF;
	if (big_b == FP_INF)
		return sign;
	struct fp x = fp_unpack(a), y = fp_unpack(b);
	if (!y.frac)
		return x.frac ? sign | FP_INF : FP_NO_NUM;
	if (!x.frac)
		return sign;
	s64 exp = x.exp - y.exp + 1023;
	u64 r = x.frac, d = y.frac;
	if (r < d) {
		r <<= 1;
		exp--;
	}
	/* 62 bits behind the first one, 11 at a time: what is left is less than 2^53 */
	u64 q = 1;
	r -= d;
#pragma unroll
	for (u32 i = 0; i < 5; i++) {
		r <<= 11;
		q = q << 11 | r / d;
		r %= d;
	}
	r <<= 7;
	q = q << 7 | r / d;
	return fp_pack(sign, exp, q | fp_any(r % d));
}

RT_GLOBAL(n) u64 rt_fp_sqrt(u64 a)
{
	if (fp_is_nan(a))
		return a | FP_QUIET;
	if (!(a & ~FP_SIGN) || a == FP_INF)
		return a;
	if (a & FP_SIGN)
		return FP_NO_NUM;
	struct fp x = fp_unpack(a);
	s64 e = x.exp - 1023;
	u64 frac = x.frac << (e & 1), root = 0, rest = 0;
	/* one more bit of the root a round: two more of what it is of; all is below 2^58 */
#pragma unroll
	for (u32 i = 0; i < 55; i++) {
		u64 try = root << 2 | 1;
		rest = rest << 2 | (i < 27 ? frac >> (52 - 2 * i) & 3 : 0);
		u64 fits = (rest - try) >> 63 ^ 1;
		KEEP(fits);
		rest -= try & -fits;
		root = root << 1 | fits;
	}
	return fp_pack(0, ((e - (e & 1)) >> 1) + 1023, root << 8 | fp_any(rest));
}

struct fp_division {
	u64 rest, by, odd;
	s64 bits; /* of the quotient that are to come */
};

RT long fp_rem_step(u32 i, struct fp_division *s)
{
	u64 n = s->bits < 11 ? (u64)s->bits : 11;
	if (s->bits <= 0)
		return 1;
	u64 r = s->rest << (n & 15);
	s->odd = r / s->by & 1;
	s->rest = r % s->by;
	s->bits -= (s64)n;
	return 0;
}

/* a - n b, n the integer nearest to a / b, of two the even one. */
RT_GLOBAL(nn) u64 rt_fp_rem(u64 a, u64 b)
{
	u64 big_a = a & ~FP_SIGN, big_b = b & ~FP_SIGN;
	if (fp_is_nan(a) || fp_is_nan(b))
		return fp_nan_of(a, b);
	if (big_a == FP_INF || !big_b)
		return FP_NO_NUM;
	if (!big_a || big_b == FP_INF)
		return a;
	struct fp x = fp_unpack(a), y = fp_unpack(b);
	s64 d = x.exp - y.exp;
	if (d < -1)
		return a;
	/* in halves of b's last bit */
	u64 by = y.frac << 1, r = x.frac, odd = 0;
	if (d >= 0) {
		struct fp_division s = {x.frac % y.frac, y.frac, x.frac / y.frac & 1, d};
		bpf_loop(192, fp_rem_step, &s, 0);
		r = s.rest << 1;
		odd = s.odd;
	}
	if (r << 1 > by || (r << 1 == by && odd)) {
		r = by - r;
		x.sign ^= FP_SIGN;
	}
	if (!r)
		return a & FP_SIGN;
	u64 n = fp_clz(r) - 1;
	return fp_pack(x.sign, y.exp - 1 + 10 - (s64)n, r << (n & 63));
}

RT_GLOBAL(n) u64 rt_fp_from_long(s64 v)
{
	u64 m = v < 0 ? -(u64)v : (u64)v;
	if (!m)
		return 0;
	u64 n = fp_clz(m), frac = n ? m << ((n - 1) & 63) : fp_shift_sticky(m, 1);
	return fp_pack(v < 0 ? FP_SIGN : 0, 1023 + 63 - (s64)n, frac);
}

/* mode: 0 to the nearest, of two the even one; 1 towards 0; 2 down; 3 up; 4 to the nearest, of two the larger one.  Too large: the
 * largest or smallest; NaN: 0. */
RT_GLOBAL(nn) u64 rt_fp_to_long(u64 a, u64 mode)
{
	u64 negative = a >> 63;
	if (fp_is_nan(a))
		return 0;
	struct fp x = fp_unpack(a);
	s64 e = x.exp - 1023;
	u64 n = 0, rest = 0, limit = negative ? FP_SIGN : ~FP_SIGN;
	if (!x.frac)
		return 0;
	if (e > 63)
		return limit;
	if (e >= 52) {
		n = x.frac << ((e - 52) & 63);
	} else {
		/* rest: what is behind the point, its first bit at bit 63 */
		u64 shift = (u64)(52 - e);
		n = shift > 63 ? 0 : x.frac >> shift;
		rest = shift > 63 ? fp_shift_sticky(x.frac, shift - 64) : x.frac << ((64 - shift) & 63);
		if (shift > 64 + 52)
			rest = 1;
	}
	u64 half = 1ull << 63, up = 0;
	if (mode == 0)
		up = rest > half || (rest == half && n & 1);
	else if (mode == 2)
		up = negative && rest;
	else if (mode == 3)
		up = !negative && rest;
	else if (mode == 4)
		up = rest >= half;
	n += up;
	if (n > FP_SIGN - !negative)
		return limit;
	return negative ? -n : n;
}

/* Bits of a float to those of a double. */
RT_GLOBAL(n) u64 rt_fp_from_float(u64 v)
{
	u64 sign = (v & 1u << 31) << 32, e = v >> 23 & 0xff, m = v & 0x7fffff;
	if (e == 0xff)
		return sign | FP_INF | m << 29 | (m ? FP_QUIET : 0);
	if (!e) {
		if (!m)
			return sign;
		u64 n = fp_clz(m) - 40;
		return sign | (897 - n) << 52 | ((m << (n & 31) & 0x7fffff) << 29);
	}
	return sign | (e + 896) << 52 | m << 29;
}

/* which: 0 a == b, 1 a <= b, 2 a < b; nothing is true of a NaN. */
RT_GLOBAL(nnn) u64 rt_fp_compare(u64 a, u64 b, u64 which)
{
	if (fp_is_nan(a) || fp_is_nan(b))
		return 0;
	s64 x = a >> 63 ? -(s64)(a & ~FP_SIGN) : (s64)a, y = b >> 63 ? -(s64)(b & ~FP_SIGN) : (s64)b;
	return which == 0 ? x == y : which == 1 ? x <= y : x < y;
}
