/* runtime.h - what every file of the BPF-side library starts with.  No libc, no kernel headers but bpf.h. */
#pragma once

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define RT __attribute__((noinline, used, section("rt")))
/*
 * Verified once and by itself, for all that its arguments may be: what is called many times, or from a loop.  A letter
 * a parameter: n a number, u the state of an unwinding (struct uw *; to be compared with 0 first).
 */
#define RT_GLOBAL(params) __attribute__((noinline, used, section("rt.global." #params)))
#else
#include <linux/types.h>
#define RT
/* As the helper: calls fn for 0 .. n - 1 until it says stop. */
static inline long bpf_loop(__u32 n, void *fn, void *ctx, __u64 flags)
{
	long (*step)(__u32 i, void *ctx) = (long (*)(__u32, void *))fn;
	__u32 i = 0;
	while (i < n && !step(i++, ctx))
		;
	return i;
}
#define RT_GLOBAL(params)
#endif
/* The compiler must not derive another copy of x from before this point. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))

typedef __u64 u64;
typedef __s64 s64;
typedef __u32 u32;
typedef __s32 s32;
typedef __u16 u16;
typedef __s16 s16;
typedef __u8 u8;
