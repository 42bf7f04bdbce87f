/* err.c - errors about the world: built where they happen, given context on the way up. */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char *format(const char *fmt, va_list ap)
{
	struct buf b = {0};
	buf_vprintf(&b, fmt, ap);
	return b.data;
}

struct err *err_new(int code, const char *fmt, ...)
{
	struct err *e = xcalloc(1, sizeof(*e));
	va_list ap;
	va_start(ap, fmt);
	e->code = code;
	e->msg = format(fmt, ap);
	va_end(ap);
	return e;
}

struct err *err_errno(const char *fmt, ...)
{
	struct err *e = xcalloc(1, sizeof(*e));
	e->code = errno;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_free_ char *what = format(fmt, ap);
	va_end(ap);
	e->msg = xasprintf("%s: %s", what, strerror(e->code));
	return e;
}

struct err *err_note(struct err *e, const char *fmt, ...)
{
	if (!e)
		return NULL;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_free_ char *what = format(fmt, ap);
	va_end(ap);
	char *msg = xasprintf("%s: %s", what, e->msg);
	free(e->msg);
	e->msg = msg;
	return e;
}

struct err *err_no_probes(void)
{
	struct err *e = err_new(ENOENT, "No probes to attach");

	e->is_notice = true;
	return e;
}

struct err *err_hint(struct err *e, const char *fmt, ...)
{
	if (!e)
		return NULL;
	va_list ap;
	va_start(ap, fmt);
	free(e->hint);
	e->hint = format(fmt, ap);
	va_end(ap);
	return e;
}

void err_free(struct err *e)
{
	if (!e)
		return;
	free(e->msg);
	free(e->hint);
	free(e->log);
	free(e);
}
