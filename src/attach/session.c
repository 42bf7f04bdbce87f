/*
 * session.c - a program on its way through the kernel: compile, maps, load, attach, run, detach.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "attach/served.h"
#include "attach/session.h"

/*
 * How each kind of program is attached.  The kernel runs handlers of one event in the order in
 * which they were attached (perf events, tracepoints: an array) or in the reverse order
 * (breakpoints and trampolines: the newest comes first); the script's order must come out.
 */
static const struct {
	struct err *(*attach)(struct place *pl);
	bool newest_first;
} families[] = {
	[PROG_KPROBE] = {attach_kprobes, true},
	[PROG_KPROBE_MULTI] = {attach_kprobes, true},
	[PROG_KPROBE_SESSION] = {attach_kprobes, true},
	[PROG_UPROBE_MULTI] = {attach_uprobes, true},
	[PROG_TRACEPOINT] = {attach_tracepoints, false},
	[PROG_RAW_TP] = {attach_raw_tracepoints, false},
	[PROG_RAW_TP_BTF] = {attach_tracing, false},
	[PROG_PERF_EVENT] = {attach_perf_events, false},
	[PROG_FENTRY] = {attach_tracing, true},
	[PROG_FEXIT] = {attach_tracing, true},
	[PROG_FENTRY_MULTI] = {attach_functions, true},
	[PROG_FEXIT_MULTI] = {attach_functions, true},
	[PROG_LSM] = {attach_tracing, false},
	[PROG_ITER] = {attach_iter, false},
	[PROG_NETFILTER] = {attach_netfilter, false},
	[PROG_XDP] = {NULL, false},
	[PROG_USER] = {NULL, false},
};

static enum probe_kind kind_of(const struct probe *p)
{
	return p->npoints ? p->points[0]->kind : PK_NEVER;
}

static void phase(struct session *s, const char *name)
{
	if (s->opt.phase)
		s->opt.phase(s->opt.phase_arg, name);
}

static struct err *compile_fn(struct session *s, struct probe *p, struct compiled **ret)
{
	struct compiled *c;
	struct err *e;

	vec_each(it, &s->code)
		if ((*it)->fn == p->fn) {
			*ret = *it;
			return NULL;
		}
	c = arena_new(s->arena, struct compiled);
	c->fn = p->fn;
	c->btf_fd = -1;
	e = bpf_compile(s->prog, p->fn, s->world, s->arena, &c->image);
	if (e)
		return err_note(e, "%s", p->name);
	/* one handler may be of kernel and user functions; kernels without such links have no such stacks either */
	if ((p->kind == PROG_KPROBE || p->kind == PROG_UPROBE_MULTI) && s->world->features.uprobe_multi)
		bpf_own_stack(c->image, s->arena);
	vec_push(&s->code, c);
	*ret = c;
	return NULL;
}

static struct err *compile_all(struct session *s)
{
	s->running = arena_array(s->arena, struct running, s->prog->probe.len + 1);
	for (size_t i = 0; i < s->prog->probe.len; i++) {
		struct running *r = &s->running[i];
		struct err *e;

		r->probe = s->prog->probe.at[i];
		if (!r->probe->fn || kind_of(r->probe) == PK_NEVER)
			continue;
		e = compile_fn(s, r->probe, &r->code);
		if (e)
			return e;
	}
	return NULL;
}

/* Every place may take two descriptors. */
static void raise_file_limit(const struct program *p)
{
	struct rlimit lim;
	size_t need = 256 + p->map.len;

	for (size_t i = 0; i < p->probe.len; i++)
		need += 2 * (size_t)p->probe.at[i]->npoints * (p->ncpus ? p->ncpus : 1);
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < need) {
		lim.rlim_cur = MIN((rlim_t)need, lim.rlim_max);
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static struct err *prepare_target(struct session *s)
{
	struct err *e = NULL;

	s->cmd = s->opt.child;
	if (!s->cmd && s->opt.cmd)
		e = traced_cmd_fork(s->opt.cmd, s->opt.no_pid_filter, &s->cmd);
	if (e || !s->opt.pid)
		return e;
	s->target_pidfd = sys_pidfd_open(s->opt.pid);
	if (s->target_pidfd < 0) {
		errno = -s->target_pidfd;
		s->target_pidfd = -1;
		return err_errno("watching process %d", s->opt.pid);
	}
	return NULL;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Handlers that ask for the time of day add this to the monotonic clock, which is all that the kernel gives them. */
static void set_time_of_day(struct session *s)
{
	char *data = s->prog->realtime_offset ? session_map_mem(s, s->prog->data) : NULL;
	uint64_t offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);

	if (data)
		memcpy(data + s->prog->realtime_offset, &offset, sizeof(offset));
}

static struct err *create(struct session *s)
{
	struct err *e = prepare_target(s);

	if (e)
		return e;
	features_probe(s->world);
	raise_file_limit(s->prog);
	phase(s, "features");
	e = compile_all(s);
	phase(s, "code");
	if (!e)
		e = maps_create(s);
	if (!e)
		set_time_of_day(s);
	phase(s, "maps");
	if (!e)
		e = load_programs(s);
	phase(s, "load");
	return e;
}

struct err *session_create(struct program *p, struct world *w, const struct session_options *o,
			   struct session **ret)
{
	struct arena *a = arena_create();
	struct session *s = arena_new(a, struct session);
	struct err *e;

	s->arena = a;
	s->prog = p;
	s->world = w;
	s->opt = *o;
	s->target_pidfd = -1;
	s->stats_fd = o->timing ? sys_enable_stats() : -1;
	if (p->ncpus < w->ncpus)
		BUG("a program for %u CPUs on %u", p->ncpus, w->ncpus);
	e = create(s);
	if (e) {
		session_destroy(s);
		return e;
	}
	*ret = s;
	return NULL;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	session_detach(s);
	unload_programs(s);
	maps_destroy(s);
	kernel_reader_close(s);
	traced_cmd_free(s->cmd);
	if (s->target_pidfd >= 0)
		close(s->target_pidfd);
	if (s->stats_fd >= 0)
		close(s->stats_fd);
	vec_free(&s->timers);
	arena_destroy(s->arena);
}

/* --- attaching
 * -------------------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A number from -most to most, as what is added to an unsigned time. */
static uint64_t by_chance(uint64_t most)
{
	uint64_t n = 0;

	return most && getrandom(&n, sizeof(n), GRND_INSECURE) == sizeof(n) ? n % (2 * most + 1) - most : 0;
}

/* Handlers of user space: timers start to count, all others are only run by hand. */
static void attach_user(struct session *s, struct running *r)
{
	for (uint32_t i = 0; i < r->probe->npoints; i++) {
		const struct attach_point *p = r->probe->points[i];

		if (p->kind == PK_TIMER && p->period)
			vec_push(&s->timers,
				 (struct user_timer){r->probe, p->period, now_ns() + p->period + by_chance(p->jitter), p->jitter});
		r->nattached++;
	}
}

/*
 * What to do about places that could not be attached: with some of a wildcard's places attached
 * they are worth a warning, as for one of many probes that one pattern gave; a probe without any
 * place is an error unless missing_probes says otherwise.
 */
static struct err *judge_missing(struct place *pl, struct err *e)
{
	const struct session_options *o = &pl->s->opt;
	int policy = pl->s->prog->opt.missing_probes;
	struct err *why = pl->missing;

	if (e || !why) {
		err_free(why);
		return e;
	}
	if (policy == 0 && !pl->r->nattached && !pl->r->probe->is_one_of_many)
		return why;
	if (policy != 2 && o->warn) {
		_cleanup_free_ char *msg =
			pl->nmissing == 1
				? xstrdup(why->msg)
				: xasprintf("%s (and %u more)", why->msg, pl->nmissing - 1);

		o->warn(o->warn_arg, msg, pl->r->probe->loc);
	}
	err_free(why);
	return NULL;
}

static struct err *attach_probe(struct session *s, struct running *r)
{
	enum probe_kind k = kind_of(r->probe);
	struct place pl = {.s = s, .r = r, .links = &s->links};
	struct err *e;

	if (!s->opt.no_pid_filter)
		pl.pid = s->cmd ? traced_cmd_pid(s->cmd) : s->opt.pid;
	if (r->probe->kind == PROG_USER || r->probe->kind == PROG_XDP) {
		attach_user(s, r);
		return NULL;
	}
	if (!r->prog)
		return NULL;
	if (r->probe->kind == PROG_KPROBE && (k == PK_UPROBE || k == PK_URETPROBE || k == PK_USDT))
		e = attach_uprobes(&pl);
	else
		e = families[r->probe->kind].attach(&pl);
	return judge_missing(&pl, e);
}

/* kretprobes run in the order of attaching, unlike kprobes: see the kernel's per-task list of
 * returns. */
static bool is_newest_first(const struct running *r)
{
	return families[r->probe->kind].newest_first && kind_of(r->probe) != PK_KRETPROBE;
}

struct err *session_attach(struct session *s)
{
	size_t n = s->prog->probe.len;
	struct err *e = NULL;

	for (size_t i = 0; i < n && !e; i++)
		if (!is_newest_first(&s->running[i]))
			e = attach_probe(s, &s->running[i]);
	for (size_t i = n; i-- > 0 && !e;)
		if (is_newest_first(&s->running[i]))
			e = attach_probe(s, &s->running[i]);
	if (!e && (session_has_kind(s, PK_FILE_READ) || session_has_kind(s, PK_FILE_WRITE) || session_has_kind(s, PK_INPUT)))
		e = served_open(s, &s->served);
	phase(s, "attach");
	return e;
}

/* Programs do nothing any more: probes go one after the other, and what one keeps for another must not be left over meanwhile. */
static void hold_programs(struct session *s)
{
	uint8_t *mem = s->map ? session_map_mem(s, s->prog->data) : NULL;

	if (mem && s->prog->exit_offset)
		__atomic_fetch_or((uint64_t *)(mem + s->prog->exit_offset), 1, __ATOMIC_SEQ_CST);
}

void session_detach(struct session *s)
{
	if (s->links.len)
		hold_programs(s);
	links_close(&s->links);
	syscall_gates_close(s);
	vec_each(fd, &s->iters)
		close(*fd);
	vec_free(&s->iters);
	vec_each(pin, &s->pins)
		free(*pin);
	vec_free(&s->pins);
	s->timers.len = 0;
	served_close(s->served);
	s->served = NULL;
}

/* A USDT probe of the script is one, however many sites the compiler made of it. */
static unsigned new_usdt_names(const struct running *r, struct strtab *seen)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < r->probe->npoints; i++) {
		const char *name = r->probe->points[i]->name;
		_cleanup_free_ char *key =
			xasprintf("%u %s", r->probe->loc.begin, name ? name : "");

		if (strtab_get(seen, key))
			continue;
		strtab_set(seen, key, seen);
		n++;
	}
	return MIN(n, r->nattached);
}

unsigned session_nattached(const struct session *s)
{
	struct strtab seen = {0};
	unsigned n = 0;

	for (size_t i = 0; i < s->prog->probe.len; i++) {
		const struct running *r = &s->running[i];

		if (r->probe->is_hidden)
			continue;
		n += kind_of(r->probe) == PK_USDT ? new_usdt_names(r, &seen) : r->nattached;
	}
	strtab_free(&seen);
	return n;
}

bool session_has_kind(const struct session *s, enum probe_kind k)
{
	for (size_t i = 0; i < s->prog->probe.len; i++)
		for (uint32_t j = 0; j < s->prog->probe.at[i]->npoints; j++)
			if (s->prog->probe.at[i]->points[j]->kind == k)
				return true;
	return false;
}

bool session_is_oneshot(const struct session *s)
{
	for (size_t i = 0; i < s->prog->probe.len; i++) {
		const struct probe *p = s->prog->probe.at[i];

		for (uint32_t j = 0; j < p->npoints; j++) {
			enum probe_kind k = p->points[j]->kind;

			if (k != PK_BEGIN && k != PK_END && k != PK_ERROR && k != PK_NEVER &&
			    k != PK_ITER)
				return false;
		}
	}
	return true;
}

/* --- probes that are run by hand
 * -------------------------------------------------------------------------- */

static struct err *run_now(struct session *s, struct running *r)
{
	/* raw tracepoint programs see up to 12 arguments */
	static const uint64_t ctx[12];
	int ret;

	if (!r->code)
		return NULL;
	if (r->probe->kind == PROG_USER)
		return user_run(s, r);
	ret = sys_prog_run(r->prog->fd, ctx, sizeof(ctx), NULL);
	if (ret < 0) {
		errno = -ret;
		return err_errno("running %s", r->probe->name);
	}
	return NULL;
}

static int64_t order_of(const struct running *r)
{
	return r->probe->npoints ? r->probe->points[0]->order : 0;
}

/* Probes of one kind, ascending by their number, script order among equals. */
static struct err *run_kind(struct session *s, enum probe_kind k, bool (*stop)(void *arg),
			    void *arg)
{
	VEC(struct running *) todo = {0};
	struct err *e = NULL;

	for (size_t i = 0; i < s->prog->probe.len; i++) {
		struct running *r = &s->running[i];
		size_t at;

		if (kind_of(r->probe) != k)
			continue;
		vec_push(&todo, r);
		for (at = todo.len - 1; at > 0 && order_of(todo.at[at - 1]) > order_of(r); at--)
			todo.at[at] = todo.at[at - 1];
		todo.at[at] = r;
	}
	for (size_t i = 0; i < todo.len && !e && !(stop && stop(arg)); i++)
		e = run_now(s, todo.at[i]);
	vec_free(&todo);
	return e;
}

struct err *session_run_begin(struct session *s, bool (*stop)(void *arg), void *arg)
{
	struct err *e = run_kind(s, PK_BEGIN, stop, arg);

	phase(s, "begin");
	return e;
}

struct err *session_run_end(struct session *s, bool failed)
{
	uint64_t *exit_word = session_map_mem(s, s->prog->data);

	/* exit() makes every program return at once; the last ones must run */
	if (exit_word && s->prog->exit_offset)
		__atomic_store_n((uint64_t *)((char *)exit_word + s->prog->exit_offset), 0,
				 __ATOMIC_SEQ_CST);
	return run_kind(s, failed ? PK_ERROR : PK_END, NULL, NULL);
}

struct err *session_run_self(struct session *s, int signo)
{
	return signo == SIGUSR1 ? run_kind(s, PK_SELF, NULL, NULL) : NULL;
}

struct err *session_run_user(struct session *s, struct probe *p)
{
	return user_run(s, &s->running[p->id]);
}

uint64_t session_next_timer(struct session *s)
{
	uint64_t soonest = 0;

	vec_each(t, &s->timers)
		if (!soonest || t->due < soonest)
			soonest = t->due;
	return soonest;
}

/* A timer that is late by whole periods runs once for all of them. */
struct err *session_run_timers(struct session *s)
{
	uint64_t now = now_ns();

	vec_each(t, &s->timers) {
		struct err *e;

		if (t->due > now)
			continue;
		if (t->jitter) /* from now on: nothing that is random can be late */
			t->due = now + t->period + by_chance(t->jitter);
		else
			t->due += (1 + (now - t->due) / t->period) * t->period;
		e = user_run(s, &s->running[t->probe->id]);
		if (e)
			return e;
	}
	return NULL;
}

struct program *session_program(struct session *s)
{
	return s->prog;
}

struct world *session_world(struct session *s)
{
	return s->world;
}

void session_on_record(struct session *s, void (*fn)(void *arg, const void *record, size_t n),
		       void *arg)
{
	s->on_record = fn;
	s->on_record_arg = arg;
}
