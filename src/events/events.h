/*
 * events.h - the running trace: drains the ring, decodes records by their schema, reads maps, names
 * frames.
 *
 * One thread only copies records out of the ring into a queue, so that formatting, symbolizing and
 * slow terminals never make the kernel drop.  The other end is the exporter (output.h): it sees
 * values with types.
 */
#pragma once

#include "attach/attach.h"
#include "attach/rows.h" /* values, rows of maps */
#include "base/base.h"

/* Frames of a stack value, innermost first. */
struct frame {
	uint64_t ip;
	const char *symbol; /* NULL: unknown */
	uint64_t offset;
	uint64_t size; /* of the symbol, 0: not known */
	const char *module;
	const char *file; /* source, NULL */
	unsigned line;
	bool is_inlined;
	uint8_t build_id[20];
	bool has_build_id;
	uint64_t module_offset;
	uint64_t map_offset, map_size; /* of the user: from where its module is mapped */
};
struct frames {
	struct arena *arena;
	VEC(struct frame) frame;
	bool is_truncated;
	unsigned end; /* how it ended, enum uw_end of runtime/unwind.h: 0 complete; stack_end_text() says it */
};
const char *stack_end_text(unsigned end);
struct symbolizer;
struct symbolizer *symbolizer_create(struct session *s, struct world *w);
void symbolizer_destroy(struct symbolizer *y);
void symbolizer_stack(struct symbolizer *y, const struct value *stack, struct frames *ret);
/* "name" or "name+0xOFF" pieces of one address; false: unknown. */
bool symbolizer_kernel(struct symbolizer *y, uint64_t addr, struct frame *ret);
bool symbolizer_user(struct symbolizer *y, uint32_t pid, uint64_t addr, struct frame *ret);
/* Where the source has the code at an address of a process or of the kernel: file and line of *ret; false: not known. */
bool symbolizer_source(struct symbolizer *y, bool is_user, uint32_t pid, uint64_t addr, struct frame *ret);
void frames_free(struct frames *f);

/* What user stacks by unwind tables came to. */
struct stack_report {
	uint64_t by_end[16];	   /* stacks, by how they ended */
	unsigned processes, files; /* that tables were made for: times a process was read, files */
	uint64_t bytes;		   /* of tables, at the end */
	uint64_t build_ns;	   /* CPU time spent on making them */
};

/* The run. */
struct exporter; /* output/output.h */
enum run_mode {
	RUN_TRACE,
	RUN_TESTS,
	RUN_BENCHES
};
struct run_options {
	struct exporter *out;
	bool quiet;
	enum run_mode mode;
	uint64_t timeout_ns;  /* -T; 0 none */
	unsigned max_errors;  /* SystemTap MAXERRORS, 0 first */
	bool notify_attached; /* __BPFTRACE_NOTIFY_PROBES_ATTACHED */
	uint64_t interval_ns; /* of polling when idle */
	struct stack_report *stacks; /* filled at the end; NULL: nobody asks */
};
/* begin, attach, loop until exit()/signal/command's end/timeout, detach, end, last drain.  *status:
 * exit code. */
struct err *events_run(struct session *s, const struct run_options *o, int *status);
/* Record bytes -> exporter, for tests, replay and fuzzing: no kernel needed. */
struct err *events_decode(struct program *p, const void *record, size_t n, struct exporter *out);
