/* render.c - diagnostics as bpftrace prints them: place, message, the line and an underline. */
#include "lang/bt/ast.h"
#include "lang/lang.h"

static const char CUT[] = "...";

/* A tab is four columns wide, in the line and in the underline. */
static void put_wide(struct buf *out, char c, char shown)
{
	if (c == '\t')
		buf_fill(out, shown, 4);
	else
		buf_shown(out, &shown, 1);
}

/* Several lines are shown as they are. */
static void whole_lines(struct loc loc, struct line_col from, struct line_col to, struct buf *out)
{
	for (uint32_t line = from.line; line <= to.line; line++) {
		size_t n = 0;
		const char *text = source_line(loc.src, line, &n);
		buf_shown(out, text, n);
		buf_putc(out, '\n');
	}
}

static void context(struct loc loc, struct line_col from, struct line_col to, struct buf *out)
{
	struct line_window w = source_window(loc.src, from);
	if (from.line != to.line) {
		whole_lines(loc, from, to, out);
		return;
	}
	buf_puts(out, w.cut_before ? CUT : "");
	for (size_t i = 0; i < w.len; i++)
		put_wide(out, w.text[i], w.text[i] == '\t' ? ' ' : w.text[i]);
	buf_puts(out, w.cut_after ? CUT : "");
	buf_putc(out, '\n');
	buf_fill(out, ' ', w.cut_before ? strlen(CUT) : 0);
	for (size_t i = 0; i < w.len && w.first + i < to.col; i++)
		put_wide(out, w.text[i], w.first + i < from.col ? ' ' : '~');
	buf_putc(out, '\n');
}

static void message(const char *severity, const char *msg, const char *colour, struct buf *out)
{
	size_t n = strlen(msg), most = 4096;
	buf_printf(out, "%s: ", severity);
	buf_shown(out, msg, MIN(n, most));
	buf_printf(out, "%s%s\n", n > most ? CUT : "", *colour ? "\033[0m" : "");
}

static void place(struct loc loc, const char *severity, const char *msg, const char *colour,
		  struct buf *out)
{
	if (!loc.src) {
		buf_puts(out, colour);
		message(severity, msg, colour, out);
		return;
	}
	struct line_col from = source_line_col(loc.src, loc.begin),
			to = source_line_col(loc.src, loc.end);
	buf_printf(out, "%s%s:", colour, loc.src->name);
	if (from.line != to.line)
		buf_printf(out, "%u-%u", from.line, to.line);
	else
		buf_printf(out, "%u:%u-%u", from.line, from.col, to.col);
	buf_puts(out, ": ");
	message(severity, msg, colour, out);
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
