/*
 * cmd.c - the traced command: forked at once, executed when everything is attached.
 *
 * The child waits on a pipe, so probes on its pid and on its binary are in place before its first
 * instruction; when spile dies before that, the pipe closes and the child leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/session.h"

struct traced_cmd {
	char **argv; /* heap, NULL-terminated */
	char *path;
	pid_t pid;
	int go;     /* write end of the pipe that the child waits on; -1 once it was used */
	int failed; /* read end: errno of a failed exec */
	int pidfd;
	bool started, reaped;
	int status;
};

/* Splits at blanks; quotes and backslashes group as in a shell. */
static char **split_words(const char *s)
{
	VEC(char *) words = {0};
	struct buf word = {0};

	for (;;) {
		char quote = 0;

		while (*s == ' ' || *s == '\t' || *s == '\n')
			s++;
		if (!*s)
			break;
		for (; *s && (quote || (*s != ' ' && *s != '\t' && *s != '\n')); s++) {
			if (quote ? *s == quote : (*s == '\'' || *s == '"'))
				quote = quote ? 0 : *s;
			else if (*s == '\\' && quote != '\'' && s[1])
				buf_putc(&word, *++s);
			else
				buf_putc(&word, *s);
		}
		vec_push(&words, xstrdup(buf_str(&word)));
		buf_clear(&word);
	}
	buf_free(&word);
	vec_push(&words, NULL);
	return words.at;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* As execvp looks: a name without a slash is searched in $PATH; heap, NULL when there is none. */
static char *find_executable(const char *name)
{
	const char *dir = getenv("PATH");

	if (strchr(name, '/'))
		return is_executable(name) ? xstrdup(name) : NULL;
	for (dir = dir ? dir : "/usr/bin:/bin"; *dir;) {
		size_t n = strcspn(dir, ":");
		char *path = n ? xasprintf("%.*s/%s", (int)n, dir, name) : xstrdup(name);

		if (is_executable(path))
			return path;
		free(path);
		dir += n + (dir[n] == ':');
	}
	return NULL;
}

static void free_words(char **argv)
{
	for (char **w = argv; w && *w; w++)
		free(*w);
	free(argv);
}

NORETURN static void child(struct traced_cmd *c, int go, int report)
{
	sigset_t none;
	char byte;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when spile is killed and cannot end it */
	while (read(go, &byte, 1) != 1)
		if (errno != EINTR)
			_exit(0); /* nobody is left to start us */
	execv(c->path, c->argv);
	code = errno;
	if (write(report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

static struct err *fork_child(struct traced_cmd *c)
{
	int go[2], report[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_errno("making a pipe");
	if (pipe2(report, O_CLOEXEC) < 0) {
		close(go[0]);
		close(go[1]);
		return err_errno("making a pipe");
	}
	c->pid = fork();
	if (c->pid == 0) {
		close(go[1]);
		child(c, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	c->go = go[1];
	c->failed = report[0];
	if (c->pid < 0)
		return err_errno("starting a process");
	c->pidfd = sys_pidfd_open(c->pid);
	if (c->pidfd < 0) {
		errno = -c->pidfd;
		c->pidfd = -1;
		return err_errno("watching process %d", c->pid);
	}
	return NULL;
}

struct err *traced_cmd_fork(const char *cmd, bool use_shell, struct traced_cmd **ret)
{
	struct traced_cmd *c = xcalloc(1, sizeof(*c));
	struct err *e = NULL;

	*c = (struct traced_cmd){.pid = -1, .go = -1, .failed = -1, .pidfd = -1};
	if (use_shell && strpbrk(cmd, "|&;<>()$`*?[]{}~#!\n")) {
		c->argv = xcalloc(4, sizeof(char *));
		c->argv[0] = xstrdup("sh");
		c->argv[1] = xstrdup("-c");
		c->argv[2] = xstrdup(cmd);
	} else {
		c->argv = split_words(cmd);
	}
	if (!c->argv[0])
		e = err_new(EINVAL, "the command to run is empty");
	else if (!(c->path = find_executable(c->argv[0])))
		e = err_new(ENOENT, "no executable '%s' was found", c->argv[0]);
	if (!e)
		e = fork_child(c);
	if (e) {
		traced_cmd_free(c);
		return e;
	}
	*ret = c;
	return NULL;
}

int traced_cmd_pid(const struct traced_cmd *c)
{
	return c->pid;
}

const char *traced_cmd_path(const struct traced_cmd *c)
{
	return c->path;
}

static void reap(struct traced_cmd *c, int flags)
{
	if (!c->reaped && c->pid > 0 && waitpid(c->pid, &c->status, flags) == c->pid)
		c->reaped = true;
}

void traced_cmd_free(struct traced_cmd *c)
{
	if (!c)
		return;
	reap(c, WNOHANG);
	if (c->go >= 0)
		close(c->go); /* a child that waits leaves */
	if (c->pid > 0 && !c->reaped && c->started)
		kill(c->pid, SIGTERM);
	else if (c->pid > 0)
		reap(c, 0);
	if (c->failed >= 0)
		close(c->failed);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free_words(c->argv);
	free(c->path);
	free(c);
}

/* --- the session's view
 * ------------------------------------------------------------------------------------ */

static void stop_at_entry(struct session *s, struct traced_cmd *c)
{
	int status;

	if (cmd_run_to_exec(c->pid, &status)) { /* its own code and the loader are mapped, */
		s->on_entry(s->on_entry_arg, c->pid);
		cmd_run_to_entry(c->pid, &status); /* and now its libraries */
	}
	c->reaped = status && (WIFEXITED(status) || WIFSIGNALED(status));
	if (c->reaped) {
		c->status = status;
		return;
	}
	s->on_entry(s->on_entry_arg, c->pid);
	cmd_let_go(c->pid);
}

void session_on_entry(struct session *s, void (*fn)(void *arg, int pid), void *arg)
{
	s->on_entry = fn;
	s->on_entry_arg = arg;
}

struct err *session_start_cmd(struct session *s)
{
	struct traced_cmd *c = s->cmd;
	int code = 0;
	ssize_t n;

	if (!c || c->started)
		return NULL;
	c->started = true;
	bool is_held = s->on_entry && cmd_hold(c->pid);
	if (write(c->go, "x", 1) != 1)
		return err_errno("starting %s", c->path);
	close(c->go);
	c->go = -1;
	do /* end of file: exec has closed it */
		n = read(c->failed, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(code)) {
		if (is_held)
			stop_at_entry(s, c);
		return NULL;
	}
	errno = code;
	return err_errno("running %s", c->path);
}

int session_cmd_pidfd(const struct session *s)
{
	return s->cmd ? s->cmd->pidfd : -1;
}

int session_target_pidfd(const struct session *s)
{
	return s->target_pidfd;
}

/* As a shell shows it: the exit code, or 128 and the signal; -1 while it runs. */
int session_cmd_status(struct session *s)
{
	if (!s->cmd)
		return 0;
	reap(s->cmd, WNOHANG);
	if (!s->cmd->reaped)
		return -1;
	return WIFSIGNALED(s->cmd->status) ? 128 + WTERMSIG(s->cmd->status)
					   : WEXITSTATUS(s->cmd->status);
}
