/*
 * served.c - what users give to and take from a running trace: files that handlers answer, and what is typed.
 */
#include "attach/served.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "attach/files.h"

/* One file, and who answers for it. */
struct answerer {
	struct served_file file;
	struct running *reads, *writes;
};

struct served {
	struct session *s;
	struct files *files;
	VEC(struct answerer) answerer;
	struct served_file *list; /* as files.h wants them */
	struct buf value;
	size_t max; /* bytes of the value */
	int input_fd; /* -1: nobody wants what is typed, or it has ended */
	bool has_terminal;
	struct termios terminal; /* as it was */
};

/* --- the value ------------------------------------------------------------------------------------------------------------------ */

const struct buf *served_value(const struct session *s)
{
	return s->served ? &s->served->value : NULL;
}

void served_value_set(struct session *s, const char *text, size_t n, bool append)
{
	struct served *v = s->served;
	if (!v)
		return;
	if (!append)
		buf_clear(&v->value);
	buf_add(&v->value, text, MIN(n, v->max - MIN(v->max, v->value.len)));
}

static struct err *run_with(struct served *v, struct running *r, const char *text, size_t n, size_t max)
{
	v->max = max;
	served_value_set(v->s, text, n, false);
	return r ? session_run_user(v->s, r->probe) : NULL;
}

/* --- files ---------------------------------------------------------------------------------------------------------------------- */

static struct err *read_file_of(void *arg, unsigned file, struct buf *out)
{
	struct served *v = arg;
	struct running *r = v->answerer.at[file].reads;
	uint32_t max = r ? r->probe->points[0]->len : 0;
	struct err *e = run_with(v, r, "", 0, max);
	if (!e)
		buf_add(out, v->value.data, v->value.len);
	return e;
}

static struct err *write_file_of(void *arg, unsigned file, const char *text, size_t n)
{
	struct served *v = arg;
	return run_with(v, v->answerer.at[file].writes, text, n, n);
}

static struct answerer *answerer_of(struct served *v, const char *name)
{
	vec_each(a, &v->answerer)
		if (str_eq(a->file.name, name))
			return a;
	vec_push(&v->answerer, ((struct answerer){.file = {.name = name}}));
	return &vec_last(&v->answerer);
}

static struct err *add_answerer(struct served *v, struct running *r, const struct attach_point *p)
{
	bool reads = p->kind == PK_FILE_READ;
	struct answerer *a = answerer_of(v, p->target);
	struct running **slot = reads ? &a->reads : &a->writes;
	if (*slot)
		return err_new(0, "only one probe may answer who %s the file %s", reads ? "reads" : "writes", p->target);
	*slot = r;
	*(reads ? &a->file.is_read : &a->file.is_written) = true;
	a->file.mode |= (reads ? 0444u : 0222u) & ~p->mode;
	return NULL;
}

/* Where each file lies, by the probe that answers. */
static void tell_files(struct served *v, const char *dir)
{
	vec_each(a, &v->answerer) {
		const struct running *r = a->reads ? a->reads : a->writes;
		_cleanup_free_ char *text = xasprintf("%s is %s/%s", r->probe->name, dir, a->file.name);
		v->s->opt.notice(v->s->opt.warn_arg, text);
	}
}

static struct err *open_files(struct served *v)
{
	const struct files_ops ops = {.read = read_file_of, .write = write_file_of, .arg = v, .max_write = v->s->prog->opt.max_strlen - 1};
	_cleanup_free_ char *dir = xasprintf("/run/spile/%s", v->s->prog->session_name);
	v->list = xcalloc(v->answerer.len, sizeof(*v->list));
	for (size_t i = 0; i < v->answerer.len; i++)
		v->list[i] = v->answerer.at[i].file;
	struct err *e = files_open(dir, v->list, (unsigned)v->answerer.len, &ops, &v->files);
	if (!e && v->s->opt.notice)
		tell_files(v, dir);
	return e;
}

/* --- what is typed -------------------------------------------------------------------------------------------------------------- */

/* Characters come as they are typed, not line by line, and are not shown: that is the script's to do. */
static void take_terminal(struct served *v)
{
	struct termios t;
	v->input_fd = STDIN_FILENO;
	if (!isatty(STDIN_FILENO))
		return;
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &v->terminal) < 0) {
		v->input_fd = -1; /* in the background nothing is typed for us */
		return;
	}
	t = v->terminal;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	v->has_terminal = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

static struct err *run_inputs(struct served *v, const char *c)
{
	struct err *e = NULL;
	for (size_t i = 0; i < v->s->prog->probe.len && !e; i++) {
		struct running *r = &v->s->running[i];
		for (uint32_t k = 0; k < r->probe->npoints && !e; k++)
			if (r->probe->points[k]->kind == PK_INPUT)
				e = run_with(v, r, c, 1, 1);
	}
	return e;
}

static struct err *serve_input(struct served *v)
{
	char text[256];
	struct pollfd p = {.fd = v->input_fd, .events = POLLIN};
	struct err *e = NULL;
	if (v->input_fd < 0 || poll(&p, 1, 0) != 1)
		return NULL;
	ssize_t n = read(v->input_fd, text, sizeof(text));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return NULL;
	if (n <= 0)
		v->input_fd = -1;
	for (ssize_t i = 0; i < n && !e; i++)
		e = run_inputs(v, &text[i]);
	return e;
}

/* --- the session's door --------------------------------------------------------------------------------------------------------- */

int session_files_fd(const struct session *s)
{
	return s->served ? files_fd(s->served->files) : -1;
}

int session_input_fd(const struct session *s)
{
	return s->served ? s->served->input_fd : -1;
}

struct err *session_serve(struct session *s)
{
	struct err *e = NULL;
	if (s->served && s->served->files)
		e = files_serve(s->served->files);
	return e || !s->served ? e : serve_input(s->served);
}

struct err *served_open(struct session *s, struct served **ret)
{
	struct served *v = xcalloc(1, sizeof(*v));
	struct err *e = NULL;
	bool typed = false;
	v->s = s;
	v->input_fd = -1;
	*ret = v;
	for (size_t i = 0; i < s->prog->probe.len; i++)
		for (uint32_t k = 0; k < s->prog->probe.at[i]->npoints && !e; k++) {
			const struct attach_point *p = s->prog->probe.at[i]->points[k];
			typed |= p->kind == PK_INPUT;
			if (p->kind == PK_FILE_READ || p->kind == PK_FILE_WRITE)
				e = add_answerer(v, &s->running[i], p);
		}
	if (!e && v->answerer.len)
		e = open_files(v);
	if (!e && typed)
		take_terminal(v);
	return e;
}

void served_close(struct served *v)
{
	if (!v)
		return;
	if (v->has_terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &v->terminal);
	files_close(v->files);
	vec_free(&v->answerer);
	free(v->list);
	buf_free(&v->value);
	free(v);
}
