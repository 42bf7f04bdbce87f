/*
 * output.h - exporters: one file each, all fed with typed values.
 */
#pragma once

#include "base/base.h"
#include "events/events.h"
#include "ir/program.h"

/* What an exporter can ask for while it writes. */
struct output_env {
	struct program *prog;
	struct symbolizer *symbols; /* may be NULL in tests: addresses are printed */
	uint64_t boot_to_real_ns;   /* add to CLOCK_BOOTTIME for wall time */
	uint64_t mono_to_real_ns;
	int tz_offset; /* seconds east of UTC, for SystemTap's tz functions */
};

/* -B */
enum output_buffering {
	OUTPUT_AUTO, /* when no more events wait, or 64 KiB */
	OUTPUT_LINE, /* after each line */
	OUTPUT_FULL, /* at 64 KiB and at the end */
	OUTPUT_NONE, /* after each event */
};

/* rotate.c: output that goes on in a new file when one is full. */
struct rotation {
	const char *path; /* of all of them, without the number; NULL: there is one file */
	uint64_t limit;	  /* bytes of a file */
	unsigned keep;	  /* files that stay, 0: all */
	uint64_t written; /* into the file that is open */
	unsigned next;	  /* number of the next file */
};
/* Opens the next file as *fd, closes the one before it, removes one that is not kept. */
struct err *rotation_next(struct rotation *r, int *fd);

struct exporter {
	const struct exporter_ops *ops;
	struct output_env env;
	int fd;         /* stdout or -o FILE */
	int err_fd;     /* stderr */
	struct rotation rotation;
	struct buf out; /* pending text */
	enum output_buffering buffering;
	bool colour;
	bool no_warnings; /* --no-warnings: warnf and run-time warnings are not shown */
	bool no_errors;	  /* SystemTap: errors of handlers are counted, not shown */
	bool says_stack_end; /* -v: a stack that is not whole says why */
	bool repeats_warnings; /* SystemTap: a warning is shown again when it comes again */
	bool is_closed;   /* set when a write failed: nobody reads, the run should end */
	int write_errno;  /* why; EPIPE ends the run quietly */
	struct flames *flames; /* --flame: pictures of maps that are shown; NULL */
	void *priv;
};
enum hand_phase {
	HAND_START,
	HAND_BEFORE, /* the last one is about to run */
	HAND_AFTER,
	HAND_END
};
struct exporter_ops {
	const char *name; /* -f */
	void (*begin)(struct exporter *x);
	void (*attached)(struct exporter *x, unsigned nprobes);
	/* A record whose meaning is text or a value: PRINTF, ERRORF, WARNF, PRINT, PRINT_KEY, TIME,
	 * JOIN, CAT and SYSTEM (text: what came out), HELPER_ERROR and RUNTIME_ERROR (text: how often
	 * more, " (3 more times)", none for the first) and all of SystemTap's. */
	void (*event)(struct exporter *x, const struct action *act, const struct value *args,
		      unsigned nargs, const char *text, size_t text_len);
	/* A whole variable: print(@m) or at exit.  Rows unsorted; top and div as in print(). */
	void (*var)(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top,
		    uint64_t div, bool at_exit);
	/* n events were lost since the last call; what NULL: records that found the ring full. */
	void (*lost)(struct exporter *x, uint64_t n, const char *what);
	/* Tests and benchmarks that are run by hand: r[0..n) are those so far, at START there are n to come. */
	void (*hand)(struct exporter *x, enum hand_phase phase, bool is_bench,
		     const struct hand_run *r, size_t n);
	void (*end)(struct exporter
			    *x); /* before the maps at exit are printed: bpftrace's blank lines */
	void (*finish)(struct exporter *x); /* after everything: formats that are one document */
	void (*destroy)(struct exporter *x);
};
extern const struct exporter_ops output_bt_text, output_bt_json, output_stp_text, output_folded,
	output_pprof, output_speedscope;
/* priv, buffering, colour and no_warnings may be set after it returns. */
struct exporter *exporter_create(const struct exporter_ops *ops, int fd,
				 const struct output_env *env);
/* Writes what waits (-B full: only 64 KiB).  To be called whenever no more events wait.  SIGPIPE
 * must not kill. */
void exporter_flush(struct exporter *x);
/* Shows a whole variable, see exporter_ops.var; pictures get it too. */
void exporter_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		  bool at_exit);
void exporter_destroy(struct exporter *x);

/* format.c: bpftrace's printf on typed values; stp_format.c: SystemTap's. */
void format_bt(struct exporter *x, const char *fmt, const struct value *args, unsigned n,
	       struct buf *out);
void format_stp(struct exporter *x, const char *fmt, const struct value *args, unsigned n,
		struct buf *out);
/* One value as bpftrace's print() shows it. */
void format_value_bt(struct exporter *x, const struct value *v, struct buf *out);
