/* render.c - diagnostics as bpftrace prints them: place, message, the line and an underline. */
#include "lang/bt/ast.h"
#include "lang/lang.h"

/* A tab is four columns wide, in the line and in the underline. */
static void put_wide(struct buf *out, char c, char shown)
{
	buf_fill(out, shown, c == '\t' ? 4 : 1);
}

static void context(struct loc loc, struct line_col from, struct line_col to, struct buf *out)
{
	size_t n = 0;
	for (uint32_t line = from.line; line <= to.line; line++) {
		const char *text = source_line(loc.src, line, &n);
		if (from.line != to.line)
			buf_add(out, text, n); /* several lines are shown as they are */
		else
			for (size_t i = 0; i < n; i++)
				put_wide(out, text[i], text[i] == '\t' ? ' ' : text[i]);
		buf_putc(out, '\n');
	}
	if (from.line != to.line)
		return;
	const char *text = source_line(loc.src, from.line, &n);
	for (size_t i = 0; i < n && i + 1 < to.col; i++)
		put_wide(out, text[i], i + 1 < from.col ? ' ' : '~');
	buf_putc(out, '\n');
}

static void place(struct loc loc, const char *severity, const char *msg, const char *colour,
		  struct buf *out)
{
	if (!loc.src) {
		buf_printf(out, "%s%s: %s%s\n", colour, severity, msg, *colour ? "\033[0m" : "");
		return;
	}
	struct line_col from = source_line_col(loc.src, loc.begin),
			to = source_line_col(loc.src, loc.end);
	buf_printf(out, "%s%s:", colour, loc.src->name);
	if (from.line != to.line)
		buf_printf(out, "%u-%u", from.line, to.line);
	else
		buf_printf(out, "%u:%u-%u", from.line, from.col, to.col);
	buf_printf(out, ": %s: %s%s\n", severity, msg, *colour ? "\033[0m" : "");
	context(loc, from, to, out);
}

void bt_render(const struct diag *d, struct buf *out, bool colour)
{
	bool is_error = d->severity == DIAG_ERROR;
	const char *name = is_error ? "ERROR" : "WARNING";
	const char *begin = !colour ? "" : is_error ? "\033[31m" : "\033[33m";
	if (*d->msg || d->loc.src)
		place(d->loc, name, d->msg, begin, out);
	for (size_t i = 0; i < d->hints.len; i++)
		buf_printf(out, "HINT: %s\n", d->hints.at[i]);
	const struct loc *from = d->loc.src ? d->loc.src->from : NULL;
	for (unsigned depth = 0; from && depth < 100;
	     depth++, from = from->src ? from->src->from : NULL)
		place(*from, name, "expanded from", begin, out);
}
