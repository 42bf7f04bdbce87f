/*
 * unwind.h - the thread that keeps the unwind tables of programs that ask for user stacks: made
 * when a process is first met, followed through exec, fork, mmap and exit.
 */
#pragma once

#include "events/track.h"

struct unwinder;
/* NULL in *ret when the program takes no user stacks by tables. */
struct err *unwinder_start(struct session *s, struct track *t, struct unwinder **ret);
void unwinder_stop(struct unwinder *u); /* NULL is legal */
/* Waits until what the session is about (-p, -c) has its tables, for the time that reading it
 * takes. */
void unwinder_settle(struct unwinder *u);
void unwinder_report(struct unwinder *u, struct stack_report *ret); /* NULL is legal */
