/*
 * meter.c CPU BATCHES CALLS SINCE [DEPTH] - makes system calls on one CPU, batch after batch, and reads after each how long the BPF
 * programs with ids above SINCE ran (kernel.bpf_stats_enabled=1).  Prints for every program that ran each time
 * "id ns", ns an event in the quickest tenth of its batches: what disturbs the machine only ever makes a batch slower.
 * The calls come out of a chain of DEPTH functions (16), so that user stacks have one; the bench compiles it with and
 * without frame pointers.
 * Without arguments: prints the largest id of a program.
 */
#define _GNU_SOURCE
#include "bpf.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PROGS = 64,
	BATCHES = 4000
};

static int depth = 16;
static struct prog {
	uint32_t id;
	int fd, n;
	struct bpf_prog_info last;
	double ns[BATCHES];
} progs[PROGS];

static long getpgid_of(long pid)
{
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_getpgid), "D"(pid) : "rcx", "r11", "memory");
	return ret;
}

__attribute__((noinline)) static void calls(int below, long n)
{
	if (below)
		calls(below - 1, n);
	else
		for (long i = 0; i < n; i++)
			getpgid_of(1 + (i * 2654435761u & 1023)); /* 1 to 1,024, spread over the buckets */
	__asm__ volatile("");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void batch(int nprogs, long n)
{
	struct bpf_prog_info now;
	for (int i = 0; i < nprogs; i++)
		prog_info(progs[i].fd, &progs[i].last);
	calls(depth, n);
	for (int i = 0; i < nprogs; i++) {
		struct prog *p = &progs[i];
		if (prog_info(p->fd, &now) || now.run_cnt - p->last.run_cnt < (uint64_t)n)
			continue;
		p->ns[p->n++] = (double)(now.run_time_ns - p->last.run_time_ns) / (double)(now.run_cnt - p->last.run_cnt);
	}
}

int main(int argc, char **argv)
{
	uint32_t id = 0, max = 0;
	if (argc < 5) {
		while ((id = next_prog(id)))
			max = id;
		printf("%u\n", max);
		return 0;
	}
	if (argc > 5)
		depth = atoi(argv[5]);
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	sched_setaffinity(0, sizeof(set), &set);
	int batches = atoi(argv[2]), n = 0;
	long each = atol(argv[3]);
	for (id = (uint32_t)atol(argv[4]); (id = next_prog(id)) && n < PROGS;) {
		progs[n].id = id;
		progs[n].fd = prog_open(id);
		n += progs[n].fd >= 0;
	}
	batch(0, 2 * each); /* warm */
	for (int i = 0; i < batches && i < BATCHES; i++)
		batch(n, each);
	for (int i = 0; i < n; i++) {
		struct prog *p = &progs[i];
		if (p->n < batches / 2)
			continue;
		qsort(p->ns, (size_t)p->n, sizeof(*p->ns), by_value);
		printf("%u %.1f\n", p->id, p->ns[p->n / 10]);
	}
	return 0;
}
