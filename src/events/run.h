/* run.h - inside the events room: the state of a running trace. */
#pragma once

#include "events/drain.h"
#include "events/events.h"
#include "events/pcap.h"
#include "events/queue.h"
#include "events/record.h"
#include "events/speculate.h"
#include "events/unwind.h"
#include "output/output.h"

/* A warning that was shown, and how often it has come again since. */
struct repeat {
	const struct action *act;
	int64_t code; /* of HELPER_ERROR */
	uint64_t more;
};

struct run {
	struct session *session; /* NULL: records are only shown */
	struct program *prog;
	struct run_options opt;
	struct exporter *out;
	struct queue queue;
	struct drain drain;
	struct track track;
	struct unwinder *unwinder; /* NULL: no user stacks by tables */
	struct symbolizer *symbols;
	bool owns_symbols;
	struct record record;
	bool is_ending, has_failed, runs_end /* end probes */;
	unsigned errors;
	int status;
	uint64_t lost, skipped, unlocked, gone, unstored; /* reported so far */
	struct pcap_files packets;
	struct speculations speculations;
	struct numtab emptied;  /* by var id: &var_cleared or &var_zeroed, what was done last */
	VEC(struct repeat) repeats;
	uint64_t repeats_shown_ns;
	uint64_t broken;        /* records that do not fit their schema */
	uint64_t give_up;       /* CLOCK_MONOTONIC: records are not shown any more; 0: they are */
	uint64_t caught_up; /* CLOCK_MONOTONIC: when the symbolizer last heard what processes do */
	uint64_t unshown, told; /* that many were not; when losses were reported last */
	bool is_asked;	/* somebody reads or writes a file of the script, or has typed something */
	int input_fd;	/* of what is typed, watched; -1: none */
	bool input_is_file; /* it can always be read, so that nothing tells when */
	int epoll_fd;
	struct err *err;
};

/* Marks of `emptied`. */
extern char var_cleared, var_zeroed;

/* repeat.c.  true: the first of its kind at this place; others are counted. */
bool repeat_is_first(struct run *r, const struct action *act, int64_t code);
/* Shows how often each warning came again, at most once a second; now_ns 0: the last time, at the end. */
void repeats_report(struct run *r, uint64_t now_ns);

/* action.c: what the record in r->record asks for */
void action_run(struct run *r);
