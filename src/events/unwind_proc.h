/*
 * unwind_proc.h - the executable mappings of processes whose user stacks are asked for, as lists
 * that BPF programs search.
 */
#pragma once

#include "events/unwind_file.h"

/* A list in a segment; children share their parent's until one of them maps something. */
struct uw_list {
	struct uw_range range;
	uint32_t n;
	unsigned refs;
};
struct uw_region {
	uint64_t start, end, offset;
	struct uw_file *file; /* NULL: code without tables */
};
struct uw_process {
	uint32_t tgid;
	uint64_t end_code, start_stack; /* see struct uw_proc */
	bool is_told;                 /* known from what the kernel has told since its exec, not from /proc */
	VEC(struct uw_region) region; /* ascending, without overlap */
	struct uw_list *list;
	bool is_changed; /* since it was published */
	VEC(char *) unknown; /* is_told: files that it maps and nobody has read, by path; then it is not published */
};
struct uw_processes {
	struct uw_files *files;
	struct uw_space *space;
	int map_fd; /* .uw_procs */
	const uint64_t *met; /* bitmap of runtime/unwind.h */
	bool is_eager; /* processes that start are followed before they are met, if all their files are known */
	struct numtab by_tgid;
	VEC(uint32_t) changed;
};
void uw_processes_destroy(struct uw_processes *p);
struct uw_process *uw_process_find(const struct uw_processes *p,
				   uint32_t tgid); /* NULL: nobody asked for it */
/* Is it known, and its memory still the same? */
bool uw_process_is_current(const struct uw_processes *p, uint32_t tgid);
/* Reads /proc/TGID/maps anew; a process that has gone is forgotten. */
void uw_process_read(struct uw_processes *p, uint32_t tgid);
/* Of processes that are known; all others are left alone. */
struct mmap_entry; /* events/queue.h */
void uw_process_mmap(struct uw_processes *p, const struct mmap_entry *m, const char *path);
void uw_process_fork(struct uw_processes *p, uint32_t parent, uint32_t child);
/* Its mappings are others now, unless they were read since: they will be told, or are read when it is met. */
void uw_process_exec(struct uw_processes *p, uint32_t tgid);
void uw_process_forget(struct uw_processes *p, uint32_t tgid);
/* It has ended.  If a program met it, the files that were unknown are read, for the next one that maps them. */
void uw_process_exit(struct uw_processes *p, uint32_t tgid);
/* Tells programs of all that has changed. */
void uw_processes_publish(struct uw_processes *p);
