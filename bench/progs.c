/* progs.c SINCE - BPF programs with ids above SINCE: "id runs ns" a line (kernel.bpf_stats_enabled=1). */
#include "bpf.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint32_t id = argc > 1 ? (uint32_t)atol(argv[1]) : 0;
	struct bpf_prog_info info;
	while ((id = next_prog(id))) {
		int fd = prog_open(id);
		if (fd >= 0 && !prog_info(fd, &info))
			printf("%u %llu %llu\n", id, (unsigned long long)info.run_cnt, (unsigned long long)info.run_time_ns);
	}
	return 0;
}
