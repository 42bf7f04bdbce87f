/* hist.h - which bucket a value falls into; compiled for BPF and, in tests and exporters, for user space. */
#pragma once

/* Half of it at a time.  The barrier keeps one jump of what the compiler would make two of. */
#define RT_LOG2_STEP(v, l, n)                                          \
	if ((v) >> (n)) {                                              \
		(v) >>= (n);                                           \
		(l) += (n);                                            \
		__asm__ volatile("" : "+r"(v), "+r"(l));               \
	}

/* floor(log2(v)), v > 0, without a loop: the verifier sees straight code. */
static inline __u32 rt_log2(__u64 v)
{
	__u64 l = 0;
	RT_LOG2_STEP(v, l, 32)
	RT_LOG2_STEP(v, l, 16)
	RT_LOG2_STEP(v, l, 8)
	RT_LOG2_STEP(v, l, 4)
	RT_LOG2_STEP(v, l, 2)
	return (__u32)(l + (v >> 1));
}

/*
 * bpftrace's hist(n, k): bucket 0 counts negatives; values below 2^k have one bucket each, from 1; above,
 * each power of two is cut into 2^k buckets.
 */
static inline __u32 rt_hist_bucket(__s64 n, __u32 k)
{
	if (n < 0)
		return 0;
	if (n < (1ll << k))
		return 1 + (__u32)n;
	__u32 l = rt_log2((__u64)n);
	return ((l - k + 1) << k) + (__u32)((n >> (l - k)) & ((1u << k) - 1)) + 1;
}
