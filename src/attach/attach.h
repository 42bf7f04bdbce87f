/*
 * attach.h - the room that talks to the kernel: features, maps, loading, attaching, the traced
 * command.
 */
#pragma once

#include "base/base.h"
#include "bpf/bpf.h"
#include "debuginfo/world.h"
#include "ir/program.h"
#include "lang/probe.h"

/* sys.c: one wrapper a bpf(2) command and perf_event_open; negative errno, no printing. */

/*
 * features.c: asks the kernel.  features_probe() costs microseconds and is enough to compile; the
 * others fill the session probes and the hardware group, for --info and when they are needed.
 */
void features_probe(struct world *w);
void features_probe_sessions(struct world *w);
void features_probe_perf(struct world *w);
void features_probe_fentry(struct world *w); /* also whether the machine's policy allows it */
/* One line that says what is missing to trace at all (rights, BTF, tracefs), NULL when all is
 * there. */
struct err *attach_preflight(struct world *w);

/*
 * cmd.c: the traced command (-c).  Forked before the script is compiled, because the script may ask
 * for its pid; stopped before exec until session_start_cmd().  With use_shell, a command with shell
 * metacharacters runs by `sh -c`.  A command that has not started dies with spile.
 */
struct traced_cmd;
struct err *traced_cmd_fork(const char *cmd, bool use_shell, struct traced_cmd **ret);
int traced_cmd_pid(const struct traced_cmd *c);
const char *traced_cmd_path(const struct traced_cmd *c); /* the executable */
void traced_cmd_free(struct traced_cmd *c); /* and ends it (SIGTERM) when it still runs */

struct session;
struct session_options {
	int pid;                  /* -p, 0 none */
	const char *cmd;          /* -c, NULL; forked by session_create() unless `child` is set */
	struct traced_cmd *child; /* -c, already forked; the session takes it over */
	bool no_pid_filter; /* -p and -c end the run but do not narrow user probes (SystemTap) */
	bool verbose;
	bool dry_run; /* load, do not attach */
	bool timing;  /* count and time the runs of handlers */
	/* timing of the phases for --time: called with the name of each phase when it ends */
	void (*phase)(void *arg, const char *name);
	void *phase_arg;
	/* warnings (a probe that could not be attached with missing_probes=warn, ...) */
	void (*warn)(void *arg, const char *msg, struct loc loc);
	/* what a user has to know, such as where the files of the script are; NULL; arg is warn_arg */
	void (*notice)(void *arg, const char *msg);
	void *warn_arg;
};
/*
 * Creates maps, compiles and loads all programs.  A verifier's refusal is an err whose msg names
 * the script's place and asks for a report; err->log has the verifier's log.
 */
struct err *session_create(struct program *p, struct world *w, const struct session_options *o,
			   struct session **ret);
/* Attaches every probe (multi links where the kernel has them), all BEGIN probes are run first. */
struct err *session_attach(struct session *s);
/* begin, in order; before session_attach.  `stop` (may be NULL) is asked before each: true ends it.
 */
struct err *session_run_begin(struct session *s, bool (*stop)(void *arg), void *arg);
/* end probes, or with `failed` error probes, in order; after session_detach */
struct err *session_run_end(struct session *s, bool failed);
struct err *session_run_self(struct session *s, int signo);
/* A test: or bench: probe, run by hand. */
struct hand_run {
	const char *name;  /* behind the colon */
	uint64_t ns, runs; /* of one run on average; how many */
	uint32_t retval;
	bool failed; /* it returned something else than 0, or gave that to exit() */
};
/* Runs every probe of that kind in the order of the script; fn before and after each. */
struct err *session_run_tests(struct session *s, enum probe_kind k,
			      void (*fn)(void *arg, bool is_before, const struct hand_run *r),
			      void *arg);
void session_detach(struct session *s);  /* fast also for thousands */
void session_destroy(struct session *s); /* detaches too; NULL is legal */
unsigned
session_nattached(const struct session *s); /* places, begin, end and self probes included */
/* Nothing is left that could fire by itself: only begin, end and iterator probes. */
bool session_is_oneshot(const struct session *s);
/* Runs iterator probes over all that they iterate; after session_attach. */
struct err *session_run_iters(struct session *s);
/* Calls back for each file that an iterator was pinned to, which stays there after the session. */
void session_each_pin(const struct session *s, void (*fn)(void *arg, const char *path), void *arg);
bool session_has_kind(const struct session *s, enum probe_kind k);

/* The traced command: stopped before exec until session_start_cmd(). */
struct err *session_start_cmd(struct session *s);
/* To be called when the command has replaced us, and when its libraries are mapped and nothing of it has run; NULL (at
 * first): nobody asks. */
void session_on_entry(struct session *s, void (*fn)(void *arg, int pid), void *arg);
int session_cmd_pidfd(const struct session *s); /* -1: none; readable when the command has ended */
int session_target_pidfd(const struct session *s); /* of -p, -1 none */
int session_cmd_status(struct session *s);

/* Access for events. */
struct program *session_program(struct session *s);
struct world *session_world(struct session *s);
int session_map_fd(struct session *s, const struct map *m);    /* -1: not created */
/* A new inner map of a MAP_SEGMENTS, not in it yet: descriptor, owned by the caller, or negative errno. */
int session_new_segment(struct session *s, const struct map *m);
uint32_t session_ring_bytes(struct session *s);                /* 0: the program sends nothing */
void *session_map_mem(struct session *s, const struct map *m); /* MAP_DATA: mapped memory */
/* User-space handlers (PROG_USER): timers that are due; the soonest due time in ns of
 * CLOCK_MONOTONIC, 0 none. */
uint64_t session_next_timer(struct session *s);
struct err *session_run_timers(struct session *s);
/* Runs one PROG_USER probe now in the interpreter on the session's maps. */
struct err *session_run_user(struct session *s, struct probe *p);
/*
 * Files that handlers answer, and what is typed: the descriptors to wait for, -1: none (any more).  session_serve() when one is readable;
 * it does not wait.
 */
int session_files_fd(const struct session *s);
int session_input_fd(const struct session *s);
struct err *session_serve(struct session *s);
/* Records sent by user-space handlers go here instead of the ring. */
void session_on_record(struct session *s, void (*fn)(void *arg, const void *record, size_t n),
		       void *arg);
/* Hits of a probe that its program was not run for, as far as the kernel tells: returns that it had no room to wait for, probes within
 * probes.  Before session_detach(). */
uint64_t session_missed(const struct session *s, unsigned probe);
struct probe_stats {
	uint64_t runs;
	uint64_t ns, min_ns, max_ns; /* with session_options.timing: all runs together, the shortest (0: not known) and longest */
	uint32_t insns, verified; /* of the program; that the verifier walked to check it */
};
bool session_probe_stats(struct session *s, unsigned probe, struct probe_stats *ret);
