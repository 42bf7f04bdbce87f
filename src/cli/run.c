/* run.c - a script from compiling to its exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "output/flame.h"
#include "runtime/unwind_types.h"

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct output_env output_env(const struct script *s)
{
	time_t now = time(NULL);
	struct tm tm = {0};
	localtime_r(&now, &tm);
	return (struct output_env){
		.prog = s->prog,
		.boot_to_real_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME),
		.mono_to_real_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC),
		.tz_offset = (int)tm.tm_gmtoff,
	};
}

static struct err *choose_exporter(const struct job *j, const struct script *s,
				   const struct exporter_ops **ret)
{
	static const struct exporter_ops *const of_stacks[] = {&output_folded, &output_pprof, &output_speedscope};
	bool is_stap = s->lang == &lang_stp;
	const char *f = j->format ? j->format : "text";
	*ret = str_eq(f, "text") ? is_stap ? &output_stp_text : &output_bt_text
	       : str_eq(f, "json") && !is_stap ? &output_bt_json : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(of_stacks) && !*ret; i++)
		if (str_eq(f, of_stacks[i]->name))
			*ret = of_stacks[i];
	if (!*ret)
		return err_new(0, "Invalid output format \"%s\"\nValid formats: 'text', 'json', 'folded', 'pprof', 'speedscope'", f);
	return NULL;
}

static struct err *open_output(const struct job *j, struct rotation *r, int *fd)
{
	*fd = STDOUT_FILENO;
	if (!j->output)
		return NULL;
	if (j->rotate_bytes) {
		*r = (struct rotation){.path = j->output, .limit = j->rotate_bytes, .keep = j->rotate_keep};
		return rotation_next(r, fd);
	}
	*fd = open(j->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return *fd >= 0 ? NULL
			: err_new(errno, "Failed to open output file: \"%s\": %s", j->output,
				  strerror(errno));
}

static enum output_buffering buffering(const struct job *j)
{
	return str_eq(j->buffering, "line")   ? OUTPUT_LINE
	       : str_eq(j->buffering, "full") ? OUTPUT_FULL
	       : str_eq(j->buffering, "none") ? OUTPUT_NONE
					      : OUTPUT_AUTO;
}

static struct err *make_exporter(const struct job *j, const struct script *s, struct exporter **ret)
{
	const struct exporter_ops *ops = NULL;
	struct output_env env = output_env(s);
	struct rotation rotation = {0};
	int fd;
	struct err *e = choose_exporter(j, s, &ops);
	if (!e)
		e = open_output(j, &rotation, &fd);
	if (e)
		return e;
	struct exporter *x = *ret = exporter_create(ops, fd, &env);
	x->rotation = rotation;
	if (j->flame) {
		struct flame_options flame;
		e = flame_parse(j->flame, s->arena, &flame);
		if (!e)
			e = flames_open(&flame, s->prog, &x->flames);
	}
	x->buffering = buffering(j);
	x->colour = j->colour;
	x->no_warnings = j->no_warnings;
	x->no_errors = j->suppress_errors;
	x->repeats_warnings = j->verbose > 1;
	return e;
}

struct warn_arg {
	const struct job *j;
	const struct script *s;
};

static void warn(void *arg, const char *msg, struct loc loc)
{
	struct warn_arg *w = arg;
	struct diag d = {.severity = DIAG_WARNING, .loc = loc, .msg = (char *)msg};
	struct buf b = {0};
	if (w->j->no_warnings)
		return;
	w->s->lang->render(&d, &b, w->j->colour);
	fwrite(buf_str(&b), 1, b.len, stderr);
	buf_free(&b);
}

static void notice(void *arg, const char *msg)
{
	const struct warn_arg *w = arg;
	if (!w->j->no_warnings)
		fprintf(stderr, "%s\n", msg);
}

void print_loaded(struct session *session, const struct program *p)
{
	struct probe_stats st;
	for (unsigned i = 0; i < p->probe.len; i++)
		if (session_probe_stats(session, i, &st))
			printf("%s: %u instructions, %u verified\n", p->probe.at[i]->name, st.insns,
			       st.verified);
}

/* Idle processors and the kernel's own threads have no stack that could be whole. */
static uint64_t stacks_that_are(const struct stack_report *r)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(r->by_end); i++)
		n += i == UW_NO_STACK ? 0 : r->by_end[i];
	return n;
}

/* -v: what the user stacks of the run came to. */
static void say_stacks(const struct stack_report *r)
{
	uint64_t all = stacks_that_are(r), none = r->by_end[UW_NO_STACK];
	if (!all && !none)
		return;
	fprintf(stderr, "user stacks: %llu; tables of %u files made in %.1f ms, %.1f MB\n", (unsigned long long)all,
		r->files, (double)r->build_ns / 1e6, (double)r->bytes / 1e6);
	for (size_t i = 0; i < ARRAY_SIZE(r->by_end); i++)
		if (r->by_end[i] && i != UW_NO_STACK)
			fprintf(stderr, "  %6.2f%% %10llu %s\n", 100.0 * (double)r->by_end[i] / (double)all,
				(unsigned long long)r->by_end[i], stack_end_text((unsigned)i));
	if (none)
		fprintf(stderr, "          %10llu %s\n", (unsigned long long)none, stack_end_text(UW_NO_STACK));
}

/* Without -v: only when so many are not whole that pictures and counts of them would mislead. */
static void warn_stacks(const struct stack_report *r)
{
	static const uint8_t broken[] = {UW_NEW, UW_UNMAPPED, UW_NO_TABLE, UW_BAD_RULE, UW_FAULT, UW_BACKWARDS, UW_32_BITS};
	uint64_t all = stacks_that_are(r), bad = 0;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		bad += r->by_end[broken[i]];
	if (bad && bad * 50 >= all)
		fprintf(stderr, "WARNING: %llu of %llu user stacks are not whole; -v says why\n", (unsigned long long)bad,
			(unsigned long long)all);
}

static struct err *trace(struct job *j, struct script *s, struct exporter *x, int *status)
{
	struct session *session = NULL;
	struct warn_arg w = {j, s};
	struct session_options so = {
		.pid = j->pid,
		.child = s->child,
		.no_pid_filter = s->lang == &lang_stp,
		.verbose = j->verbose > 0,
		.timing = j->hit_report,
		.dry_run = j->dry_run || j->stop_after == 4,
		.phase = phases_end,
		.phase_arg = &s->phases,
		.warn = warn,
		.notice = notice,
		.warn_arg = &w,
	};
	struct stack_report stacks = {.files = 0};
	struct run_options ro = {
		.out = x,
		.stacks = &stacks,
		.mode = j->mode,
		.quiet = j->quiet || j->as == AS_STAP || s->lang == &lang_stp,
		.timeout_ns = j->timeout ? (uint64_t)(strtod(j->timeout, NULL) * 1e9) : 0,
		.max_errors = s->prog->opt.max_errors,
		.notify_attached = getenv("__BPFTRACE_NOTIFY_PROBES_ATTACHED") != NULL,
	};
	s->child = NULL; /* the session's now */
	struct err *e = session_create(s->prog, s->world, &so, &session);
	if (e)
		return e;
	if (j->time)
		phases_print(&s->phases, stderr);
	if (so.dry_run && j->verbose)
		print_loaded(session, s->prog);
	if (!so.dry_run) {
		x->env.symbols = symbolizer_create(session, s->world);
		x->says_stack_end = j->verbose > 0;
		e = events_run(session, &ro, status);
		if (j->hit_report)
			print_hits(session, s->prog, &x->out);
		exporter_flush(x);
		if (j->verbose)
			say_stacks(&stacks);
		else if (!x->no_warnings)
			warn_stacks(&stacks);
		symbolizer_destroy(x->env.symbols);
		x->env.symbols = NULL;
	}
	session_destroy(session);
	return e;
}

/* What only shows or checks ends before anything is loaded. */
static bool is_only_shown(const struct job *j)
{
	return j->dump || j->codegen_only || (j->stop_after && j->stop_after < 4);
}

/* stap -v. */
static void say_passes(const struct job *j, const struct script *s)
{
	const struct phases *p = &s->phases;
	unsigned parsed = phases_find(p, "parse") + 1, analyzed = phases_find(p, "compile") + 1,
		 optimized = phases_find(p, "optimize") + 1;
	if (s->lang != &lang_stp || !j->verbose)
		return;
	fprintf(stderr, "Pass 1: parsed user script ");
	phases_say(p, 0, parsed, stderr);
	fprintf(stderr, "Pass 2: analyzed script: %zu probes, %zu globals ", s->prog->probe.len, s->prog->var.len);
	phases_say(p, parsed, analyzed, stderr);
	fprintf(stderr, "Pass 3: translated %zu functions ", s->prog->fn.len);
	phases_say(p, analyzed, optimized, stderr);
	fprintf(stderr, "Pass 4: compiled to BPF ");
	phases_say(p, optimized, p->n, stderr);
	if (!j->stop_after)
		fprintf(stderr, "Pass 5: starting run.\n");
}

static void say_run_ended(const struct job *j, struct script *s, int status)
{
	bool ran = s->lang == &lang_stp && s->prog && !is_only_shown(j);
	if (ran && status) {
		fprintf(stderr, "Pass 5: run failed.  [man error::pass5]\n");
	} else if (ran && j->verbose && !j->stop_after) {
		unsigned first = phases_find(&s->phases, "optimize") + 1;
		phases_end(&s->phases, "run");
		fprintf(stderr, "Pass 5: run completed ");
		phases_say(&s->phases, first, s->phases.n, stderr);
	}
}

/* Everything is written, or the reader has gone (then the end is quiet). */
static struct err *finish_output(struct exporter *x)
{
	struct err *e = x->flames ? flames_finish(x->flames) : NULL;
	x->flames = NULL;
	if (x->ops->finish)
		x->ops->finish(x);
	x->buffering = OUTPUT_AUTO;
	exporter_flush(x);
	if (e)
		return e;
	if (!x->is_closed || x->write_errno == EPIPE)
		return NULL;
	return err_new(x->write_errno, "output could not be written: %s", strerror(x->write_errno));
}

static struct err *trace_program(struct job *j, struct script *s, int *status)
{
	struct exporter *x = NULL;
	struct err *e = make_exporter(j, s, &x), *late;
	if (e) {
		exporter_destroy(x);
		return e;
	}
	say_passes(j, s);
	e = trace(j, s, x, status);
	late = finish_output(x);
	exporter_destroy(x);
	if (e)
		err_free(late);
	return e ? e : late;
}

static struct err *compile_and_trace(struct job *j, struct script *s, int *status)
{
	struct err *e = is_only_shown(j) ? NULL : attach_preflight(s->world);
	*status = EXIT_USER;
	if (e || !script_compile(j, s, false))
		return e;
	*status = EXIT_OK;
	if (!s->prog)
		return NULL; /* stap -p1, -p2 */
	e = filter_mode(s->prog, j->mode);
	if (!e)
		e = j->probe_filter ? filter_probes(s->prog, j->probe_filter) : NULL;
	if (e)
		return e;
	script_optimize(j, s);
	dump_program(j, s);
	if (!is_only_shown(j))
		return trace_program(j, s, status);
	if (j->time)
		phases_print(&s->phases, stderr);
	return NULL;
}

/* An error of the kernel's that has a place in the script looks like the compiler's. */
static void print_run_error(const struct job *j, const struct script *s, const struct err *e)
{
	struct diag d = {.severity = DIAG_ERROR, .loc = e->loc, .msg = e->msg};
	struct buf b = {0};
	if (!e->loc.src || !s->lang) {
		print_error(j, e);
		return;
	}
	s->lang->render(&d, &b, j->colour);
	fwrite(buf_str(&b), 1, b.len, stderr);
	buf_free(&b);
}

int run_script(struct job *j)
{
	struct script s = {0};
	int status = EXIT_USER;
	struct err *e = dump_check(j);
	if (!e)
		e = script_open(j, &s);
	if (!e)
		e = compile_and_trace(j, &s, &status);
	if (e) {
		print_run_error(j, &s, e);
		status = e->log ? EXIT_INTERNAL : EXIT_USER;
		err_free(e);
	}
	say_run_ended(j, &s, status);
	if (s.arena)
		script_close(&s);
	return status;
}
