/* render.c - diagnostics in stap's form. */
#include "lang/stp/stp.h"

static void colour_on(struct buf *out, bool colour, const char *code)
{
	if (colour)
		buf_printf(out, "\033[%sm\033[K", code);
}

static void colour_off(struct buf *out, bool colour)
{
	if (colour)
		buf_puts(out, "\033[m\033[K");
}

static void place(struct loc loc, struct buf *out, bool with_file)
{
	struct line_col at = source_line_col(loc.src, loc.begin);
	buf_printf(out, "%s:%u:%u", with_file ? loc.src->name : "", at.line, at.col);
}

/* The line of the script and a caret below; `label` ends in a colon. */
static void source_line_and_caret(struct loc loc, struct buf *out, bool colour, const char *label)
{
	struct line_col at = source_line_col(loc.src, loc.begin);
	struct line_window w = source_window(loc.src, at);
	colour_on(out, colour, "00;34");
	buf_puts(out, label);
	colour_off(out, colour);
	buf_puts(out, w.cut_before ? " ..." : " ");
	buf_shown(out, w.text, w.len);
	buf_puts(out, w.cut_after ? "...\n" : "\n");
	buf_fill(out, ' ', strlen(label) + (w.cut_before ? 4 : 1));
	for (size_t i = 0; i < w.len && w.first + i < at.col; i++)
		buf_putc(out, w.text[i] == '\t' ? '\t' : ' ');
	colour_on(out, colour, "01");
	buf_putc(out, '^');
	colour_off(out, colour);
	buf_putc(out, '\n');
}

/* A message, or the words of the script in it, for a terminal. */
static void shown(const char *text, struct buf *out)
{
	size_t n = strlen(text), most = 4096;
	buf_shown(out, text, MIN(n, most));
	buf_puts(out, n > most ? "..." : "");
}

static void token(struct loc loc, struct buf *out)
{
	struct buf b = {0};
	stp_tok_describe(loc, &b);
	shown(buf_str(&b), out);
	buf_free(&b);
}

static void severity(struct buf *out, bool colour, const char *word, const char *code)
{
	colour_on(out, colour, code);
	buf_puts(out, word);
	colour_off(out, colour);
	buf_putc(out, ' ');
}

static void render_parse_error(const struct diag *d, struct buf *out, bool colour)
{
	severity(out, colour, "parse error:", "01;31");
	shown(d->msg + strlen("parse error: "), out);
	buf_putc(out, '\n');
	struct loc loc = d->loc;
	if (!loc.src)
		return;
	if (loc.begin >= loc.src->len) {
		buf_printf(out, "        saw: %s EOF\n\n", loc.src->name);
		return;
	}
	buf_puts(out, loc.begin == loc.end ? "         at: " : "        saw: ");
	token(loc, out);
	buf_puts(out, " at ");
	place(loc, out, true);
	buf_putc(out, '\n');
	source_line_and_caret(loc, out, colour, "     source:");
	buf_putc(out, '\n');
}

/* "MESSAGE: token at place", then the line. */
static void message_and_place(const char *msg, struct loc loc, struct buf *out, bool colour, const char *label,
			      bool with_file)
{
	shown(msg, out);
	if (!loc.src) {
		buf_putc(out, '\n');
		return;
	}
	if (*msg)
		buf_puts(out, ": ");
	token(loc, out);
	buf_puts(out, " at ");
	place(loc, out, with_file);
	buf_putc(out, '\n');
	source_line_and_caret(loc, out, colour, label);
}

/* A hint is the message of a chained error; its place, when it has one, is d->from. */
void stp_render(const struct diag *d, struct buf *out, bool colour)
{
	if (stp_is_parse_error(d)) {
		render_parse_error(d, out, colour);
		return;
	}
	bool warning = d->severity == DIAG_WARNING;
	const char *word = warning ? "WARNING:" : "semantic error:", *code = warning ? "00;33" : "01;31";
	const char *label = warning ? " source:" : "        source:";
	bool same_file = d->from.src == d->loc.src;
	severity(out, colour, word, code);
	message_and_place(d->msg, d->loc, out, colour, label, true);
	if (d->from.src && !d->hints.len)
		message_and_place("", d->from, out, colour, label, !same_file);
	if (!warning)
		buf_putc(out, '\n');
	for (size_t i = 0; i < d->hints.len; i++) {
		severity(out, colour, word, code);
		message_and_place(d->hints.at[i], i == 0 ? d->from : (struct loc){0}, out, colour, label, !same_file);
		if (!warning)
			buf_putc(out, '\n');
	}
}

bool stp_is_parse_error(const struct diag *d)
{
	return d->severity == DIAG_ERROR && str_has_prefix(d->msg, "parse error: ");
}
