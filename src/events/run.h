/* run.h - inside the events room: the state of a running trace. */
#pragma once

#include "events/drain.h"
#include "events/events.h"
#include "events/queue.h"
#include "events/record.h"
#include "output/output.h"

struct run {
	struct session *session; /* NULL: records are only shown */
	struct program *prog;
	struct run_options opt;
	struct exporter *out;
	struct queue queue;
	struct drain drain;
	struct track track;
	struct symbolizer *symbols;
	bool owns_symbols;
	struct record record;
	bool is_ending, has_failed;
	unsigned errors;
	int status;
	uint64_t lost, skipped; /* reported so far */
	struct numtab emptied;  /* by var id: &var_cleared or &var_zeroed, what was done last */
	uint64_t broken;        /* records that do not fit their schema */
	int epoll_fd;
	struct err *err;
};

/* Marks of `emptied`. */
extern char var_cleared, var_zeroed;

/* action.c: what the record in r->record asks for */
void action_run(struct run *r);
