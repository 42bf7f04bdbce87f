/*
 * action.c - what user space does for a record: show it, print or clear a variable, run a command,
 * end. Records are worked off in the order in which they were sent.
 */
#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events/run.h"

static uint64_t arg_number(const struct record *rec, size_t i)
{
	uint64_t v = 0;

	if (i < rec->args.len)
		memcpy(&v, rec->args.at[i].data, MIN(rec->args.at[i].size, 8u));
	return v;
}

static void show(struct run *r, const char *text, size_t len)
{
	if (r->out->ops->event)
		r->out->ops->event(r->out, r->record.action, r->record.args.at,
				   (unsigned)r->record.args.len, text, len);
}

static void act_show(struct run *r)
{
	show(r, NULL, 0);
}

static void act_warning(struct run *r)
{
	if (repeat_is_first(r, r->record.action, (int64_t)arg_number(&r->record, 0)))
		act_show(r);
}

static void fail(struct run *r, struct err *e)
{
	if (!e)
		return;
	if (r->err)
		err_free(e);
	else
		r->err = e;
	r->is_ending = true;
}

static void act_print_var(struct run *r)
{
	const struct action *act = r->record.action;
	struct map_rows rows = {0};
	struct err *e;

	if (!r->session || !act->var)
		return;
	e = events_read_var(r->session, act->var, &rows);
	if (e) {
		fail(r, e);
		return;
	}
	exporter_var(r->out, act->var, &rows, arg_number(&r->record, 0), arg_number(&r->record, 1),
		     false);
	map_rows_free(&rows);
}

char var_cleared, var_zeroed;

static void act_clear(struct run *r)
{
	const struct var *v = r->record.action->var;

	if (!r->session || !v)
		return;
	fail(r, events_clear_var(r->session, v));
	numtab_set(&r->emptied, v->id, &var_cleared);
}

static void act_zero(struct run *r)
{
	const struct var *v = r->record.action->var;

	if (!r->session || !v)
		return;
	fail(r, events_zero_var(r->session, v));
	numtab_set(&r->emptied, v->id, &var_zeroed);
}

static void act_exit(struct run *r)
{
	if (!r->is_ending || r->runs_end)
		r->status = (int)arg_number(&r->record, 0);
	r->is_ending = true;
}

/* The formatted text of a command or path; heap. */
static char *format_text(struct run *r)
{
	struct buf text = {0};
	bool is_stp = r->record.action->kind == ACT_STP_SYSTEM;

	(is_stp ? format_stp : format_bt)(r->out, r->record.action->fmt, r->record.args.at,
					  (unsigned)r->record.args.len, &text);
	buf_puts(&text, "");
	return text.data ? text.data : xstrdup("");
}

/* Until fd can be read: who we wait for may be waiting for a file of the script. */
static void answer_meanwhile(const struct run *r, int fd)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = session_files_fd(r->session), .events = POLLIN}};

	while (p[1].fd >= 0 && (poll(p, ARRAY_SIZE(p), -1) < 0 || !p[0].revents))
		if (p[1].revents)
			err_free(session_serve(r->session));
}

static void read_all(const struct run *r, int fd, size_t max, struct buf *out)
{
	char chunk[16384];

	while (out->len < max) {
		answer_meanwhile(r, fd);
		ssize_t n = read(fd, chunk, MIN(sizeof(chunk), max - out->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_add(out, chunk, (size_t)n);
	}
}

/* Runs `sh -c command` and waits; its standard output becomes the event's text.  *status: as waitpid() gives it. */
static struct err *run_command(const struct run *r, const char *command, struct buf *out, int *status)
{
	int pipe_fd[2];
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return err_errno("making a pipe");
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fd[1], STDOUT_FILENO);
		sigprocmask(SIG_SETMASK, &r->drain.old_mask, NULL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(pipe_fd[1]);
	if (pid > 0)
		read_all(r, pipe_fd[0], SIZE_MAX, out);
	close(pipe_fd[0]);
	if (pid < 0)
		return err_errno("starting a process");
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

/* A message among the others, after what was printed so far. */
static void complain(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void complain(struct run *r, const char *fmt, ...)
{
	struct buf msg = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&msg, fmt, ap);
	va_end(ap);
	exporter_flush(r->out);
	if (write(r->out->err_fd, buf_str(&msg), msg.len) < 0)
		r->is_ending = true;
	buf_free(&msg);
}

static void act_system(struct run *r)
{
	const struct world *w = r->session ? session_world(r->session) : NULL;
	_cleanup_free_ char *command = NULL;
	struct buf out = {0};
	int status = 0;

	/* the compiler refuses it too; this is the last door */
	if (!w || (r->record.action->kind == ACT_SYSTEM && !w->unsafe))
		return;
	/* after Ctrl-C what was printed is still shown, but no more commands are started */
	if (__atomic_load_n(&r->drain.end_signals, __ATOMIC_SEQ_CST))
		return;
	command = format_text(r);
	exporter_flush(r->out);
	fail(r, run_command(r, command, &out, &status));
	show(r, buf_str(&out), out.len);
	if (r->record.action->kind == ACT_SYSTEM && WIFEXITED(status) && WEXITSTATUS(status))
		complain(r, "ERROR: command exited with code %d\n", WEXITSTATUS(status));
	else if (r->record.action->kind == ACT_SYSTEM && WIFSIGNALED(status))
		complain(r, "ERROR: command killed by signal %d\n", WTERMSIG(status));
	buf_free(&out);
}

static void act_cat(struct run *r)
{
	_cleanup_free_ char *path = NULL;
	struct buf out = {0};
	int fd;

	if (!r->session)
		return;
	path = format_text(r);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain(r, "ERROR: failed to open file '%s' (%s)\n", path, strerror(errno));
		return;
	}
	read_all(r, fd, r->prog->opt.max_cat_bytes ? r->prog->opt.max_cat_bytes : 10240, &out);
	close(fd);
	show(r, buf_str(&out), out.len);
	buf_free(&out);
}

/* args: time since boot, length on the wire, the bytes */
static void act_packet(struct run *r)
{
	const struct record *rec = &r->record;

	if (!r->session || rec->args.len < 3)
		return;
	fail(r, pcap_write(&r->packets, rec->action->fmt, arg_number(rec, 0) + r->out->env.boot_to_real_ns,
			   rec->args.at[2].data, rec->args.at[2].size, (uint32_t)arg_number(rec, 1)));
}

/* A line of the kernel's log; levels beyond 7 are the kernel's default. */
static void act_printk(struct run *r)
{
	const struct record *rec = &r->record;
	uint64_t level = arg_number(rec, 0);
	struct buf text = {0};
	int fd;

	if (rec->args.len < 2 || !r->session || !session_world(r->session)->unsafe)
		return;
	buf_printf(&text, "<%u>", level < 8 ? (unsigned)level : 4);
	format_stp(r->out, "%s", &rec->args.at[1], 1, &text);
	buf_putc(&text, '\n');
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text.data, text.len) < 0)
		fail(r, err_errno("writing to /dev/kmsg"));
	if (fd >= 0)
		close(fd);
	buf_free(&text);
}

static void act_speculate(struct run *r)
{
	const struct record *rec = &r->record;
	struct buf text = {0};

	if (rec->args.len < 2)
		return;
	format_stp(r->out, "%s", &rec->args.at[1], 1, &text);
	speculate(&r->speculations, (int64_t)arg_number(rec, 0), buf_str(&text), text.len);
	buf_free(&text);
}

static void act_decide(struct run *r)
{
	struct buf text = speculation_take(&r->speculations, (int64_t)arg_number(&r->record, 0));

	if (text.len && r->record.action->kind == ACT_STP_COMMIT)
		show(r, buf_str(&text), text.len);
	buf_free(&text);
}

/* Errors past what MAXERRORS tolerates end the session in its error state. */
static void act_stp_error(struct run *r)
{
	show(r, NULL, 0);
	if (++r->errors > r->opt.max_errors) {
		r->has_failed = true;
		r->is_ending = true;
		r->status = 1;
	}
}

static void (*const actions[])(struct run *r) = {
	[ACT_PRINTF] = act_show,         [ACT_ERRORF] = act_show,
	[ACT_WARNF] = act_show,          [ACT_PRINT] = act_show,
	[ACT_PRINT_VAR] = act_print_var, [ACT_PRINT_KEY] = act_show,
	[ACT_CLEAR] = act_clear,         [ACT_ZERO] = act_zero,
	[ACT_TIME] = act_show,           [ACT_EXIT] = act_exit,
	[ACT_SYSTEM] = act_system,       [ACT_CAT] = act_cat,
	[ACT_JOIN] = act_show,           [ACT_HELPER_ERROR] = act_warning,
	[ACT_RUNTIME_ERROR] = act_warning,  [ACT_SKB] = act_packet,
	[ACT_STP_PRINT] = act_show,      [ACT_STP_LOG] = act_show,
	[ACT_STP_WARN] = act_show,       [ACT_STP_ERROR] = act_stp_error,
	[ACT_STP_SYSTEM] = act_system,   [ACT_STP_PRINTK] = act_printk,
	[ACT_STP_SPECULATE] = act_speculate, [ACT_STP_COMMIT] = act_decide,
	[ACT_STP_DISCARD] = act_decide,
	[ACT_STP_HIST] = act_show,       [ACT_STP_BACKTRACE] = act_show,
};

void action_run(struct run *r)
{
	size_t kind = (size_t)r->record.action->kind;

	if (kind < ARRAY_SIZE(actions) && actions[kind])
		actions[kind](r);
}
