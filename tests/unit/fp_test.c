/* fp_test.c - the runtime's arithmetic of doubles against the machine's own. */
#include <fenv.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* the runtime is clang's, and its functions are a library's */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "../../runtime/runtime.h"

#include "../../runtime/fp.h"
#include "../../runtime/fp_text.h"

#include "test.h"

static double num(u64 bits)
{
	double d;
	memcpy(&d, &bits, sizeof(d));
	return d;
}

static u64 bits(double d)
{
	u64 b;
	memcpy(&b, &d, sizeof(b));
	return b;
}

static u64 seed = 42;

static u64 next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Any bits, small and large numbers, neighbours, few bits, the edges. */
static u64 pick(void)
{
	static const u64 edges[] = {0, 1, 2, FP_ONE - 1, FP_ONE, FP_ONE + 1, FP_INF - 1, FP_INF, FP_INF + 1, FP_INF | FP_QUIET, 0x3ff0000000000000,
				    0x3fefffffffffffff, 0x3ff0000000000001, 0x4340000000000000, 0x43dfffffffffffff, 0x43e0000000000000, 0x3fe0000000000000};
	u64 r = next(), sign = next() & FP_SIGN;
	switch (next() % 6) {
	case 0: return r;
	case 1: return sign | ((r % 60 + 1000) << 52) | (next() & (FP_ONE - 1));
	case 2: return sign | (r % 40) << 52 | (next() & (FP_ONE - 1));
	case 3: return sign | (1000 + r % 50) << 52 | (next() & next() & next() & next() & (FP_ONE - 1));
	case 4: return bits((double)(s64)(r % 2001) - 1000);
	default: return sign | (edges[r % (sizeof(edges) / sizeof(*edges))] + (next() % 3 - 1));
	}
}

static int same(u64 got, double want)
{
	return got == bits(want) || (fp_is_nan(got) && want != want);
}

static unsigned shown;

static void check(const char *op, u64 got, double want, u64 a, u64 b)
{
	bool ok = same(got, want);
	if (!ok && shown++ < 20)
		printf("%s %016llx %016llx: %016llx, not %016llx\n", op, (unsigned long long)a, (unsigned long long)b, (unsigned long long)got,
		       (unsigned long long)bits(want));
	if (!ok)
		CHECK(ok);
}

static void test_arithmetic(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		u64 a = pick(), b = next() % 8 ? pick() : a ^ (next() & 7);
		double x = num(a), y = num(b);
		check("+", rt_fp_add(a, b), x + y, a, b);
		check("-", rt_fp_sub(a, b), x - y, a, b);
		check("*", rt_fp_mul(a, b), x * y, a, b);
		check("/", rt_fp_div(a, b), x / y, a, b);
		check("sqrt", rt_fp_sqrt(a), sqrt(x), a, 0);
		/* a zero has the sign of a, which not every C library knows */
		double rem = remainder(x, y);
		check("rem", rt_fp_rem(a, b), rem == 0 ? copysign(0, x) : rem, a, b);
		if (rt_fp_compare(a, b, 0) != (x == y) || rt_fp_compare(a, b, 1) != (x <= y) || rt_fp_compare(a, b, 2) != (x < y))
			CHECK(false);
	}
	CHECK(!shown);
}

static s64 to_long(double x, u64 mode)
{
	static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
	if (x != x)
		return 0;
	if (mode == 4) {
		x = round(x);
	} else {
		fesetround(modes[mode]);
		x = nearbyint(x);
		fesetround(FE_TONEAREST);
	}
	return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (s64)x;
}

static void test_conversions(unsigned rounds)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i < rounds; i++) {
		u64 a = pick(), mode = next() % 5;
		s64 n = (s64)(next() >> next() % 64) * (next() & 1 ? 1 : -1);
		float f;
		u32 fb = (u32)(next() >> next() % 40);
		memcpy(&f, &fb, sizeof(f));
		if ((s64)rt_fp_to_long(a, mode) != to_long(num(a), mode) && wrong++ < 10)
			printf("to long %016llx mode %llu: %lld, not %lld\n", (unsigned long long)a, (unsigned long long)mode, (long long)rt_fp_to_long(a, mode),
			       (long long)to_long(num(a), mode));
		if (rt_fp_from_long(n) != bits((double)n) && wrong++ < 10)
			printf("from long %lld\n", (long long)n);
		if (!same(rt_fp_from_float(fb), (double)f) && wrong++ < 10)
			printf("from float %08x: %016llx\n", fb, (unsigned long long)rt_fp_from_float(fb));
	}
	CHECK(!wrong);
}

static void test_text(unsigned rounds)
{
	static struct fp_decimal d;
	static struct fp_reading_cell q;
	unsigned wrong = 0;
	for (unsigned i = 0; i < rounds; i++) {
		u64 a = pick();
		int digits = 1 + (int)(next() % FP_DIGITS);
		char got[FP_TEXT] = "", want[512];
		if (fp_is_nan(a))
			continue;
		rt_fp_text((u8 *)got, a, (u64)digits, &d);
		snprintf(want, sizeof(want), "%.*f", digits, num(a));
		if (strcmp(got, want) && wrong++ < 10)
			printf("text %016llx .%d: %s, not %s\n", (unsigned long long)a, digits, got, want);
		/* fifteen digits are exact */
		snprintf(want, sizeof(want), next() & 1 ? "%.*f" : "%.*e", (int)(next() % 9), (double)((s64)(next() % 2000000) - 1000000) / 1024);
		rt_fp_read((const u8 *)want, sizeof(want), &q);
		if ((q.state != 3 || !same(q.value, strtod(want, NULL))) && wrong++ < 10)
			printf("read %s: %.17g state %llu\n", want, num(q.value), (unsigned long long)q.state);
	}
	CHECK(!wrong);
	static const char *const bad[] = {"x", "1.2.3", "1e", "--1", "1 ", "0x10", "1e5x", "e5", "."};
	static const bool is_bad[] = {true, true, false, true, true, true, true, false, false};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		rt_fp_read((const u8 *)bad[i], strlen(bad[i]) + 1, &q);
		CHECK((q.state != 3) == is_bad[i]);
	}
}

int main(void)
{
	/* FP_TEST_ROUNDS for more of them */
	const char *rounds = getenv("FP_TEST_ROUNDS");
	unsigned n = rounds ? (unsigned)atoi(rounds) : 500000;
	test_arithmetic(n);
	test_conversions(n);
	test_text(n / 20);
	return test_end();
}
