/*
 * run.c - the running trace: begin, attach, work off records until something ends it, detach, end,
 * print.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "events/run.h"
#include "events/symbolize.h"

static const uint64_t QUEUE_LIMIT = 256u << 20, TICK_NS = 100000000, CATCH_UP_NS = 500000000, MS = 1000000;
/* After Ctrl-C what waits to be written gets so long; who reads that slowly has asked for the end. */
static const uint64_t GRACE_NS = 3000000000;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- words that programs and we share
 * --------------------------------------------------------------------- */

static uint64_t data_word(const struct run *r, uint32_t offset)
{
	const uint8_t *mem = session_map_mem(r->session, r->prog->data);

	return mem && offset ? __atomic_load_n((const uint64_t *)(mem + offset), __ATOMIC_RELAXED)
			     : 0;
}

/* exit() sets the word to code << 32 | 1; its record may be lost when the ring is full. */
static bool exit_was_called(void *arg)
{
	const struct run *r = arg;

	return data_word(r, r->prog->exit_offset) != 0;
}

static void report_lost(struct run *r)
{
	uint64_t lost = data_word(r, r->prog->lost_offset),
		 skipped = data_word(r, r->prog->skipped_offset),
		 unlocked = data_word(r, r->prog->unlocked_offset),
		 gone = data_word(r, r->prog->gone_offset),
		 unstored = data_word(r, r->prog->unstored_offset);

	if (lost > r->lost && r->out->ops->lost)
		r->out->ops->lost(r->out, lost - r->lost, NULL);
	if (skipped > r->skipped && r->out->ops->lost)
		r->out->ops->lost(r->out, skipped - r->skipped, "a probe fired inside another one");
	if (unlocked > r->unlocked && r->out->ops->lost)
		r->out->ops->lost(r->out, unlocked - r->unlocked, "globals were locked by another handler");
	if (gone > r->gone && r->out->ops->lost)
		r->out->ops->lost(r->out, gone - r->gone, "a variable is optimised out at their place");
	if (unstored > r->unstored && r->out->ops->lost)
		r->out->ops->lost(r->out, unstored - r->unstored, "their stacks could not be stored");
	r->lost = lost;
	r->gone = gone;
	r->unstored = unstored;
	r->skipped = skipped;
	r->unlocked = unlocked;
}

/* What came and was not shown, at the end. */
static void report_unshown(struct run *r)
{
	if (r->unshown && r->out->ops->lost)
		r->out->ops->lost(r->out, r->unshown, "they waited to be written when the end was asked for");
	if (r->speculations.given_up && r->out->ops->lost)
		r->out->ops->lost(r->out, r->speculations.given_up, "more than 64 MiB were speculated and not decided");
	if (r->broken && r->out->ops->lost)
		r->out->ops->lost(r->out, r->broken, "their bytes do not fit their description");
}

/* What the kernel missed by itself, at the end: it tells by link and program. */
static void report_missed(struct run *r)
{
	for (unsigned i = 0; i < r->prog->probe.len && r->out->ops->lost; i++) {
		const struct probe *p = r->prog->probe.at[i];
		uint64_t n = session_missed(r->session, i);
		_cleanup_free_ char *others = p->npoints > 1 ? xasprintf(" and %u other places of its probe", p->npoints - 1) : xstrdup("");
		_cleanup_free_ char *what = xasprintf("the kernel missed hits of %s%s", p->name, others);

		if (n)
			r->out->ops->lost(r->out, n, what);
	}
}

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

/* The end was asked for, and the reader is too slow for all that waits: that is counted. */
static bool is_given_up(struct run *r)
{
	if (!__atomic_load_n(&r->drain.end_signals, __ATOMIC_SEQ_CST))
		return false;
	if (!r->give_up)
		r->give_up = now_ns() + GRACE_NS;
	return now_ns() > r->give_up;
}

static void run_entry(struct run *r, const struct entry *e)
{
	if (is_given_up(r))
		r->unshown++;
	else if (record_decode(r->prog, e->data, e->size, &r->record))
		action_run(r);
	else
		r->broken++;
}

/* Works off what is queued now; true: there was something. */
static bool run_queue(struct run *r)
{
	struct chunk *c = queue_take(&r->queue);
	bool any = c != NULL;

	while (c) {
		struct chunk *next = c->next;

		for (const struct entry *e = chunk_next(c, NULL); e; e = chunk_next(c, e))
			run_entry(r, e);
		queue_give_back(&r->queue, c);
		c = next;
	}
	return any;
}

/* All that was sent before the call. */
static void drain_all(struct run *r)
{
	drain_now(&r->drain);
	run_queue(r);
}

/* A record of a handler that runs in this process. */
static void take_user_record(void *arg, const void *record, size_t n)
{
	struct run *r = arg;

	queue_begin(&r->queue);
	queue_put(&r->queue, ENTRY_RECORD, record, n, NULL, 0);
	queue_end(&r->queue);
}

struct err *events_decode(struct program *p, const void *record, size_t n, struct exporter *out)
{
	struct run r = {.prog = p, .out = out};
	struct err *e = NULL;

	if (record_decode(p, record, n, &r.record))
		action_run(&r);
	else
		e = err_new(EBADMSG, "a record of %zu bytes does not fit its description", n);
	record_free(&r.record);
	vec_free(&r.repeats);
	return e;
}

/* --- the loop
 * -----------------------------------------------------------------------------------------------
 */

static struct err *watch_fd(struct run *r, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return fd >= 0 && epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0
		       ? err_errno("watching a file")
		       : NULL;
}

/* ns to sleep at most: the tick, the end, the next timer of user space. */
static uint64_t sleep_ns(struct run *r, uint64_t deadline)
{
	uint64_t now = now_ns(), timer = session_next_timer(r->session);
	uint64_t until = now + (r->opt.interval_ns ? r->opt.interval_ns : TICK_NS);

	if (deadline)
		until = MIN(until, deadline);
	if (timer)
		until = MIN(until, timer);
	return until > now ? until - now : 0;
}

/* true: the traced command or process has ended. */
static bool wait_events(struct run *r, uint64_t ns)
{
	struct epoll_event ev[4];
	int n = epoll_wait(r->epoll_fd, ev, ARRAY_SIZE(ev), (int)((ns + MS - 1) / MS));

	r->is_asked |= r->input_is_file;
	for (int i = 0; i < n; i++) {
		int fd = ev[i].data.fd;

		if (fd == r->input_fd || fd == session_files_fd(r->session))
			r->is_asked = true;
		else if (fd != r->queue.wake_fd)
			return true;
	}
	return false;
}

/* Files of the script and what is typed, from when the probes are there. */
static struct err *watch_askers(struct run *r)
{
	r->input_fd = session_input_fd(r->session);
	struct err *e = watch_fd(r, session_files_fd(r->session));
	if (e || r->input_fd < 0)
		return e;
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = r->input_fd};
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->input_fd, &ev) < 0)
		r->input_is_file = errno == EPERM;
	return NULL;
}

static struct err *answer_askers(struct run *r)
{
	if (!r->is_asked)
		return NULL;
	r->is_asked = false;
	/* what kernel handlers have sent comes before what these print */
	drain_all(r);
	struct err *e = r->is_ending ? NULL : session_serve(r->session);
	if (r->input_fd >= 0 && session_input_fd(r->session) < 0) { /* it has ended */
		if (!r->input_is_file)
			epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, r->input_fd, NULL);
		r->input_fd = -1;
		r->input_is_file = false;
	}
	return e;
}

static struct err *run_timers(struct run *r)
{
	uint64_t timer = session_next_timer(r->session);

	if (!timer || timer > now_ns())
		return NULL;
	/* what kernel handlers have sent comes before what the timer prints */
	drain_all(r);
	return r->is_ending ? NULL : session_run_timers(r->session);
}

static struct err *run_signals(struct run *r)
{
	struct err *e = NULL;

	while (!e && __atomic_load_n(&r->drain.usr1_signals, __ATOMIC_SEQ_CST) > 0) {
		__atomic_fetch_sub(&r->drain.usr1_signals, 1, __ATOMIC_SEQ_CST);
		e = session_run_self(r->session, SIGUSR1);
	}
	if (__atomic_load_n(&r->drain.end_signals, __ATOMIC_SEQ_CST))
		r->is_ending = true;
	return e;
}

/* Exit code of exit(), when its record did not come through. */
static void check_exit_word(struct run *r)
{
	uint64_t word = data_word(r, r->prog->exit_offset);

	if (!word || r->is_ending)
		return;
	drain_all(r);
	if (!r->is_ending)
		r->status = (int)(word >> 32);
	r->is_ending = true;
}

/* Between events: everything else that a running trace has to do. */
static struct err *look_around(struct run *r)
{
	struct err *e;

	if (now_ns() - r->told > TICK_NS) {
		report_lost(r);
		repeats_report(r, now_ns());
		r->told = now_ns();
	}
	if (now_ns() - r->caught_up > CATCH_UP_NS) {
		symbolizer_catch_up(r->symbols);
		r->caught_up = now_ns();
	}
	e = run_timers(r);
	if (!e)
		e = answer_askers(r);
	if (!e)
		e = run_signals(r);
	check_exit_word(r);
	return e;
}

static struct err *loop(struct run *r)
{
	uint64_t deadline = r->opt.timeout_ns ? now_ns() + r->opt.timeout_ns : 0;
	struct err *e = NULL;

	while (!r->is_ending && !e) {
		bool busy = run_queue(r);

		if (!busy)
			exporter_flush(r->out);
		e = look_around(r);
		if (r->is_ending || e || r->out->is_closed || (deadline && now_ns() >= deadline))
			break;
		if (wait_events(r, busy || r->input_is_file ? 0 : sleep_ns(r, deadline)))
			break;
	}
	return e;
}

/* --- tests and benchmarks
 * ----------------------------------------------------------------------------------- */

struct hands {
	struct run *r;
	bool is_bench;
	VEC(struct hand_run) runs;
};

static void hand(struct hands *h, enum hand_phase phase, size_t n)
{
	if (h->r->out->ops->hand)
		h->r->out->ops->hand(h->r->out, phase, h->is_bench, h->runs.at, n);
}

static void ran(void *arg, bool is_before, const struct hand_run *run)
{
	struct hands *h = arg;

	if (is_before) {
		vec_push(&h->runs, *run);
		hand(h, HAND_BEFORE, h->runs.len);
		return;
	}
	drain_all(h->r); /* what it printed */
	vec_last(&h->runs) = *run;
	if (run->failed && !h->is_bench)
		h->r->status = 1;
	h->r->is_ending = false; /* exit() ends the test alone */
	hand(h, HAND_AFTER, h->runs.len);
}

static struct err *run_hands(struct run *r)
{
	struct hands h = {.r = r, .is_bench = r->opt.mode == RUN_BENCHES};
	enum probe_kind k = h.is_bench ? PK_BENCH : PK_TEST;
	size_t n = 0;

	vec_each(p, &r->prog->probe)
		n += (*p)->npoints && (*p)->points[0]->kind == k;
	drain_all(r);
	hand(&h, HAND_START, n);
	struct err *e = session_run_tests(r->session, k, ran, &h);
	if (!e)
		hand(&h, HAND_END, h.runs.len);
	vec_free(&h.runs);
	return e;
}

/* --- the life of a trace
 * -------------------------------------------------------------------------------------- */

static struct err *open_run(struct run *r)
{
	struct session *s = r->session;
	int ring_fd = session_map_fd(s, r->prog->ring);
	struct err *e = queue_init(&r->queue, QUEUE_LIMIT);

	if (e)
		return e;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll_fd < 0)
		return err_errno("making an epoll");
	e = watch_fd(r, r->queue.wake_fd);
	if (!e)
		e = watch_fd(r, session_cmd_pidfd(s));
	if (!e)
		e = watch_fd(r, session_target_pidfd(s));
	if (!e && (track_is_wanted(r->prog) || session_map_fd(s, r->prog->unwind.procs) >= 0)) {
		e = track_open(&r->track, session_map_fd(s, r->prog->unwind.procs) >= 0);
		symbolizer_follow(r->symbols, &r->track);
	}
	if (!e)
		e = unwinder_start(s, &r->track, &r->unwinder);
	if (!e)
		e = drain_start(&r->drain, r->prog, ring_fd,
				ring_fd < 0 ? 0 : session_ring_bytes(s), &r->queue,
				r->track.has_lock ? &r->track : NULL);
	session_on_record(s, take_user_record, r);
	return e;
}

static void close_run(struct run *r)
{
	session_on_record(r->session, NULL, NULL);
	drain_stop(&r->drain);
	unwinder_report(r->unwinder, r->opt.stacks);
	unwinder_stop(r->unwinder);
	symbolizer_follow(r->symbols, NULL);
	track_close(&r->track);
	record_free(&r->record);
	err_free(pcap_close(&r->packets));
	speculations_free(&r->speculations);
	numtab_free(&r->emptied);
	vec_free(&r->repeats);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	queue_destroy(&r->queue);
	if (r->owns_symbols) {
		symbolizer_destroy(r->symbols);
		r->out->env.symbols = NULL;
	}
}

static void tell_pin(void *arg, const char *path)
{
	struct exporter *out = arg;

	buf_printf(&out->out, "Program pinned to %s\n", path);
}

static void announce(struct run *r)
{
	static const char word[] = "__BPFTRACE_NOTIFY_PROBES_ATTACHED\n";

	if (!r->opt.quiet && r->opt.mode == RUN_TRACE && r->out->ops->attached)
		r->out->ops->attached(r->out, session_nattached(r->session));
	if (!r->opt.notify_attached)
		return;
	exporter_flush(r->out);
	if (write(STDOUT_FILENO, word, sizeof(word) - 1) < 0)
		r->is_ending = true;
}

/* begin probes whose errors are not tolerated end the trace before anything is attached. */
static struct err *start(struct run *r)
{
	struct session *s = r->session;
	struct err *e = session_run_begin(s, exit_was_called, r);

	if (e)
		return e;
	if (session_has_kind(s, PK_ERROR) || r->opt.max_errors) {
		drain_all(r);
		if (r->has_failed)
			return NULL;
	}
	e = session_attach(s);
	symbolizer_attached(r->symbols);
	if (!e && !session_nattached(s))
		e = err_no_probes();
	if (e)
		return e;
	e = watch_askers(r);
	if (e)
		return e;
	announce(r);
	session_each_pin(s, tell_pin, r->out);
	unwinder_settle(r->unwinder);
	e = session_start_cmd(s);
	return e ? e : session_run_iters(s);
}

static struct err *finish(struct run *r)
{
	struct err *e;

	report_missed(r);
	if (session_program(r->session)->takes_kernel_stacks)
		symbolizer_know_kernel(r->symbols); /* while there is what the stacks have gone through */
	session_detach(r->session);
	drain_all(r);
	r->give_up = UINT64_MAX; /* what end probes say is shown */
	r->runs_end = true;
	e = session_run_end(r->session, r->has_failed);
	drain_all(r);
	report_lost(r);
	report_unshown(r);
	repeats_report(r, 0);
	return e;
}

static int by_name(const void *x, const void *y)
{
	return strcmp((*(struct var *const *)x)->name, (*(struct var *const *)y)->name);
}

/*
 * bpftrace shows no scalar that nothing was assigned to or that was cleared, and no aggregation that nothing was added
 * to; an aggregation that zero() emptied it does show.
 */
static bool is_unset(const struct run *r, const struct var *v, const struct map_rows *rows)
{
	if (v->key)
		return false;
	if (rows->row.len != 1)
		return true;
	if (!type_is_agg(v->value) || v->set_offset)
		return false;
	const struct value *value = &rows->row.at[0].value;
	for (uint32_t i = 0; i < value->size; i++)
		if (value->data[i])
			return false;
	return numtab_get(&r->emptied, v->id) != &var_zeroed;
}

static struct err *print_vars(struct run *r)
{
	VEC(struct var *) vars = {0};
	struct err *e = NULL;

	if (r->out->ops->end)
		r->out->ops->end(r->out);
	vec_each(v, &r->prog->var)
		if ((*v)->print_at_exit && (*v)->value)
			vec_push(&vars, *v);
	if (vars.len)
		qsort(vars.at, vars.len, sizeof(vars.at[0]), by_name);
	for (size_t i = 0; i < vars.len && !e && r->prog->opt.print_maps_on_exit &&
			   r->opt.mode == RUN_TRACE; i++) {
		struct map_rows rows;

		e = events_read_var(r->session, vars.at[i], &rows);
		if (e)
			break;
		bool was_zeroed = numtab_get(&r->emptied, vars.at[i]->id) == &var_zeroed;
		if (!is_unset(r, vars.at[i], &rows))
			exporter_var(r->out, vars.at[i], &rows, 0, 0, !was_zeroed);
		map_rows_free(&rows);
	}
	vec_free(&vars);
	return e;
}

static struct err *run_trace(struct run *r)
{
	struct err *e = open_run(r), *later;

	if (!e)
		e = start(r);
	if (e)
		return e;
	if (r->opt.mode != RUN_TRACE)
		e = run_hands(r);
	else if (session_is_oneshot(r->session))
		drain_all(r);
	else
		e = loop(r);
	later = finish(r);
	if (!later)
		later = pcap_close(&r->packets);
	if (!later && !e)
		later = print_vars(r);
	exporter_flush(r->out);
	if (e)
		err_free(later);
	return e ? e : later;
}

struct err *events_run(struct session *s, const struct run_options *o, int *status)
{
	struct run r = {.session = s,
			.prog = session_program(s),
			.opt = *o,
			.out = o->out,
			.epoll_fd = -1,
			.symbols = o->out->env.symbols};
	struct err *e;

	if (!r.symbols) {
		r.symbols = r.out->env.symbols = symbolizer_create(s, session_world(s));
		r.owns_symbols = true;
	}
	e = run_trace(&r);
	close_run(&r);
	*status = r.status;
	if (e && r.err) {
		err_free(r.err);
		r.err = NULL;
	}
	return e ? e : r.err;
}
