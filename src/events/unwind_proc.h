/*
 * unwind_proc.h - the executable mappings of processes whose user stacks are asked for, as lists
 * that BPF programs search.
 *
 * A process is read when a program asks for it: when it has run for a while, or maps a file that nobody has read.  Until
 * then, and for most programs that never comes, the programs look its mappings up in the kernel, or its parent's list.
 */
#pragma once

#include "events/unwind_file.h"

struct uw_region {
	uint64_t start, end, offset;
	struct uw_file *file; /* NULL: code without tables */
};
struct uw_process {
	uint32_t tgid;
	uint64_t end_code, start_stack; /* see struct uw_proc */
	VEC(struct uw_region) region; /* ascending, without overlap */
	struct uw_range list; /* of struct uw_map */
	uint32_t nmaps;
	bool is_read; /* from /proc, and followed since; else only `mapped` is kept */
	bool is_changed; /* since it was published */
	VEC(char *) mapped; /* !is_read: files that it maps, by path */
};
struct uw_processes {
	struct uw_files *files;
	struct uw_space *space;
	int map_fd; /* .uw_procs */
	const uint64_t *met; /* bitmap of runtime/unwind.h */
	struct numtab by_tgid;
	VEC(uint32_t) changed;
};
void uw_processes_destroy(struct uw_processes *p);
struct uw_process *uw_process_find(const struct uw_processes *p,
				   uint32_t tgid); /* NULL: nobody asked for it */
/* Is it known, and its memory still the same? */
bool uw_process_is_current(const struct uw_processes *p, uint32_t tgid);
/* Reads /proc/TGID/maps anew; a process that has gone has ended. */
void uw_process_read(struct uw_processes *p, uint32_t tgid);
/* Of a process that was read: a mapping more.  Of any other: a file that may have to be read when it ends. */
struct mmap_entry; /* events/queue.h */
void uw_process_mmap(struct uw_processes *p, const struct mmap_entry *m, const char *path);
/* Its mappings are others now, unless they were read since. */
void uw_process_exec(struct uw_processes *p, uint32_t tgid);
void uw_process_forget(struct uw_processes *p, uint32_t tgid);
/* It has ended, a child of `parent` (0: of nobody that is known). */
void uw_process_exit(struct uw_processes *p, uint32_t tgid, uint32_t parent);
/* Tells programs of all that has changed. */
void uw_processes_publish(struct uw_processes *p);
