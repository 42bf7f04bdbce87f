/* hist.h - which bucket a value falls into; compiled for BPF and, in tests and exporters, for user space. */
#pragma once

/* floor(log2(v)), v > 0, without a loop: the verifier sees straight code. */
static inline __u32 rt_log2(__u64 v)
{
	__u32 l = 0;
	if (v >> 32) { v >>= 32; l += 32; }
	if (v >> 16) { v >>= 16; l += 16; }
	if (v >> 8) { v >>= 8; l += 8; }
	if (v >> 4) { v >>= 4; l += 4; }
	if (v >> 2) { v >>= 2; l += 2; }
	if (v >> 1) l += 1;
	return l;
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
