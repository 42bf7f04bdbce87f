/*
 * runtime.bpf.c - the library of functions that compiled scripts call (IR operation `rt`).
 *
 * Each function is linked into a program only when it is reached.  They are static to the verifier: it follows
 * each call with the caller's real arguments, so constant sizes bound the loops.  Buffers are 8-aligned and zero-padded to
 * a multiple of 8 unless a comment says otherwise.
 */
#include "runtime.h"

#include "fp.h"
#include "fp_text.h"
#include "hist.h"
#include "unwind.h"
#include "stp.h"
#include "stp_find.h"
#include "stp_format.h"
#include "stp_hex.h"
#include "stp_names.h"
#include "stp_regex.h"
#include "stp_utf.h"
#ifdef __bpf__
#include "unwind.bpf.h"
#endif

RT u64 rt_hist(s64 n, u32 k)
{
	return rt_hist_bucket(n, k & 7);
}

/* SystemTap's @hist_log: bucket 64 is zero, 64 + i holds 2^(i-1) .. 2^i - 1, 64 - i the same below zero. */
RT u64 rt_stap_hist_log(s64 n)
{
	if (n == 0)
		return 64;
	if (n > 0)
		return 65 + rt_log2((u64)n);
	return 63 - rt_log2((u64)-n);
}

/* 1 when `words` words are equal. */
RT u64 rt_mem_eq(const u64 *a, const u64 *b, u64 words)
{
	for (u32 i = 0; i < words && i < 1024; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

/* As memcmp: -1, 0, 1 for the first n bytes. */
RT s64 rt_mem_cmp(const u8 *a, const u8 *b, u64 n)
{
	for (u32 i = 0; i < n && i < 4096; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* Bytes before the first NUL, at most cap. */
RT u64 rt_str_len(const u8 *s, u64 cap)
{
	u32 i = 0;
	for (; i < cap && i < 4096; i++)
		if (!s[i])
			break;
	return i;
}

/* Does needle stand at offset i of s?  An empty needle stands everywhere. */
RT u64 rt_str_at(const u8 *s, u64 cap, const u8 *needle, u64 ncap, u64 i)
{
	for (u32 j = 0; j < ncap && j < 4096; j++) {
		if (!needle[j])
			break;
		u64 at = i + j;
		KEEP(at); /* the value that is compared is the one that is used */
		if (at >= cap || s[at] != needle[j])
			return 0;
	}
	return 1;
}

/* dst[i] += src[i] */
RT u64 rt_add_words(u64 *dst, const u64 *src, u64 words)
{
	for (u32 i = 0; i < words && i < 4096; i++)
		dst[i] += src[i];
	return 0;
}

/*
 * Hash of n of at most `max` words; never 0.  In pairs, because each step waits for its multiplication: the word behind an odd
 * number must be 0.  The mix is wyhash's multiply-and-fold idea in 64 bits.
 */
struct hash {
	const u64 *w;
	u64 a, b, max;
};

static __attribute__((always_inline)) u64 hash_word(u64 h, u64 w)
{
	h = (h ^ w) * 0xff51afd7ed558ccdull;
	return h ^ h >> 32;
}

static __attribute__((always_inline)) void hash_pair(struct hash *s, u64 i)
{
	s->a = hash_word(s->a, s->w[i]);
	s->b = hash_word(s->b, s->w[i + 1]);
}

static __attribute__((always_inline)) u64 hash_end(struct hash *s)
{
	u64 h = hash_word(s->a, s->b);
	return h ? h : 1;
}

/* Few words: the verifier walks every round. */
RT u64 rt_hash_words(const u64 *w, u64 n, u64 max)
{
	struct hash s = {w, 0x9e3779b97f4a7c15ull ^ n, 0xd6e8feb86659fd93ull, max};
	for (u64 i = 0; i < n && i < max; i += 2)
		hash_pair(&s, i);
	return hash_end(&s);
}

#ifdef __bpf__
static long hash_step(u32 i, struct hash *s)
{
	u64 at = 2 * (u64)i;
	KEEP(at);
	if (at >= s->max)
		return 1;
	hash_pair(s, at);
	return 0;
}

/* The same of many words: one round is verified, however many there are. */
RT u64 rt_hash_many(const u64 *w, u64 n, u64 max)
{
	struct hash s = {w, 0x9e3779b97f4a7c15ull ^ n, 0xd6e8feb86659fd93ull, max};
	bpf_loop((u32)(n + 1) / 2, hash_step, &s, 0);
	return hash_end(&s);
}

static long hash_frame_step(u32 i, struct hash *s)
{
	u64 at = i;
	KEEP(at);
	if (at >= s->max)
		return 1;
	s->a = hash_word(s->a, s->w[at]);
	return 0;
}

/* The hash that the unwinder gives the same frames (uw_step(), uw_result()): how they were found does not make another stack. */
RT u64 rt_hash_frames(const u64 *w, u64 n, u64 max)
{
	struct hash s = {.w = w, .max = max};
	bpf_loop((u32)n, hash_frame_step, &s, 0);
	u64 h = (s.a ^ n) * 0xff51afd7ed558ccdull;
	return h ? h : 1;
}
#endif

/*
 * The header of SystemTap's statistics (see struct stat_wire).  On a CPU's part, `mean` and `m2` are Welford's, of values shifted left by the
 * bits that @variance asks for.  What they are in a copy that is merged over the CPUs, the two ways to merge say: SystemTap's
 * runtime rounds differently for scalars (_stp_stat_get() in stat.c) and elements of arrays (_new_map_set_stat() in map.c), and
 * its numbers are what scripts know.
 */
struct stat {
	s64 count, sum, min, max, mean, m2;
};

static __attribute__((always_inline)) s64 rt_div(s64 a, s64 b)
{
	u64 ua = a < 0 ? -(u64)a : (u64)a, ub = b < 0 ? -(u64)b : (u64)b;
	u64 q = ub ? ua / ub : 0;
	return (a < 0) != (b < 0) ? -(s64)q : (s64)q;
}

/* Welford's update in integers, called before count is increased. */
RT u64 rt_stat_variance(struct stat *s, s64 n)
{
	s64 count = s->count + 1, delta = n - s->mean;
	s->mean += rt_div(delta, count);
	s->m2 += delta * (n - s->mean);
	return 0;
}

static __attribute__((always_inline)) s64 stat_variance(const struct stat *s)
{
	return rt_div(s->m2, s->count - 1);
}

static __attribute__((always_inline)) void stat_add(struct stat *d, const struct stat *p)
{
	if (!d->count || p->min < d->min)
		d->min = p->min;
	if (!d->count || p->max > d->max)
		d->max = p->max;
	d->sum += p->sum;
	d->count += p->count;
}

/* Adds a scalar's part p to d, which starts as zeroes: mean = sum of count * mean, m2 = sum of count * mean^2 + (count - 1) * variance. */
RT u64 rt_stat_merge(struct stat *d, const struct stat *p)
{
	if (!p->count)
		return 0;
	d->m2 += p->count * p->mean * p->mean + (p->count - 1) * stat_variance(p);
	d->mean += p->count * p->mean;
	stat_add(d, p);
	return 0;
}

/* The variance of what rt_stat_merge() made: that of the parts, and the distances of their means from the mean of all. */
RT s64 rt_stat_total_variance(const struct stat *d, u64 bits)
{
	s64 mean = rt_div((s64)((u64)d->sum << (bits & 63)), d->count);
	s64 squares = d->m2 - 2 * mean * d->mean + mean * mean * d->count;
	return rt_div(squares, d->count - 1) >> (2 * bits & 63);
}

/* Adds an element's part p to d, which starts as zeroes: mean is the mean, m2 the variance, still shifted. */
RT u64 rt_stat_merge_elem(struct stat *d, const struct stat *p, u64 bits)
{
	s64 n = d->count, variance = stat_variance(p);
	if (!p->count)
		return 0;
	if (!n) {
		*d = *p;
		d->m2 = variance;
		return 0;
	}
	stat_add(d, p);
	s64 mean = rt_div((s64)((u64)d->sum << (bits & 63)), d->count), dd = d->mean - mean, dp = p->mean - mean;
	d->m2 = rt_div(n * dd * dd + (n - 1) * d->m2 + p->count * dp * dp + (p->count - 1) * variance, d->count - 1);
	d->mean = mean;
	return 0;
}

char LICENSE[] __attribute__((section("license"))) = "GPL";
