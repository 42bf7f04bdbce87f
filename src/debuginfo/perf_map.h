/*
 * perf_map.h - names of code that a JIT compiler made: /tmp/perf-PID.map, lines of "start size
 * name" in hex (tools/perf/Documentation/jit-interface.txt of the kernel).
 */
#pragma once

#include "base/base.h"

struct perf_map;
/* root: "" or "/proc/PID/root"; the pid in the file's name is the one that the process sees.  Never
 * NULL. */
struct perf_map *perf_map_open(uint32_t pid, const char *root);
/* Over text, which is copied; for tests. */
struct perf_map *perf_map_from_text(const char *text);
void perf_map_free(struct perf_map *m); /* NULL is legal */
/* Opens the file if it is there, so that it can still be read when the process has gone. */
void perf_map_keep(struct perf_map *m);
/* Reads what was added to the file, unless that was done a moment ago. */
void perf_map_refresh(struct perf_map *m);
/* As perf_map_refresh(), then looks for the newest code at an address.  NULL: unknown; borrowed until the map is freed. */
const char *perf_map_find(struct perf_map *m, uint64_t addr, uint64_t *offset_ret);
