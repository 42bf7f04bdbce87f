/* runtime.bpf.c - the library of functions that compiled scripts call (IR operation `rt`). */
#include "runtime.h"

#include "hist.h"

RT u64 rt_hist(s64 n, u32 k)
{
	return rt_hist_bucket(n, k);
}
char LICENSE[] __attribute__((section("license"))) = "GPL";
