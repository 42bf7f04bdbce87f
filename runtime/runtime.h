/* runtime.h - what every file of the BPF-side library starts with.  No libc, no kernel headers but bpf.h. */
#pragma once

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define RT __attribute__((noinline, used, section("rt")))
#else
#include <linux/types.h>
#define RT
#endif
/* The compiler must not derive another copy of x from before this point. */
#define KEEP(x) __asm__ volatile("" : "+r"(x))

typedef __u64 u64;
typedef __s64 s64;
typedef __u32 u32;
typedef __s32 s32;
typedef __u16 u16;
typedef __u8 u8;
