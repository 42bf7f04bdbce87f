/* message.c - what went wrong while the script ran, in bpftrace's words and with the script's
 * place. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "output/parts.h"

#define HELPER_NAME(name, ...) [BPF_FUNC_##name] = #name
static const char *const helper_names[] = {__BPF_FUNC_MAPPER(HELPER_NAME)};

const char *helper_name(uint64_t id)
{
	return id < ARRAY_SIZE(helper_names) && helper_names[id] ? helper_names[id] : "unknown";
}

#define MAP_FULL_TEXT                                                                             \
	"Map full; can't update element. Try increasing max_map_keys config or manually setting " \
	"the max entries in a map declaration e.g. `let @a = hash(5000)`"

/* Why a map refused an element, but that it is full. */
static const char *refused_text(int64_t code)
{
	switch (code) {
	case -ENOMEM:
		return "Map element not stored: the kernel had no memory at hand for it. The map is not full: elements get their memory as they come, and "
		       "many new ones in a burst are more than the kernel keeps ready.";
	case -EBUSY:
	case -EDEADLK:
		return "Map element not stored: this event interrupted another one that was changing the map.";
	case -EEXIST: return "Map element not updated: it was deleted at the same moment.";
	default: return "Map element not stored: the kernel refused it.";
	}
}

const char *runtime_error_text(uint64_t e, int64_t code)
{
	static const char *const text[] = {
		[RT_DIV_BY_ZERO] =
			"Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.",
		[RT_ARRAY_BOUNDS] =
			"Array access out of bounds. This can lead to unexpected results.",
		[RT_MAP_FULL] = MAP_FULL_TEXT,
		[RT_SCRATCH_BUSY] =
			"Event skipped: too many events interrupted each other on one CPU.",
		[RT_STACK_FULL] = "Stack not stored: the table of stacks is full.",
		[RT_NO_ENTRY] = "Event skipped: the value was kept at the function's entry, and this call began before tracing.",
	};
	if (e == RT_STACK_FULL && code != -E2BIG)
		return "Stack not stored: the kernel had no memory at hand for it.";
	if (e == RT_MAP_FULL && code != -E2BIG)
		return refused_text(code);
	return e < ARRAY_SIZE(text) && text[e] ? text[e] : "Unknown error.";
}

const char *helper_error_text(uint64_t helper, int64_t retcode)
{
	if (helper == BPF_FUNC_map_update_elem && retcode == -E2BIG)
		return MAP_FULL_TEXT;
	if (helper == BPF_FUNC_map_update_elem)
		return refused_text(retcode);
	if (helper == BPF_FUNC_map_delete_elem && retcode == -ENOENT)
		return "Can't delete map element because it does not exist.";
	if (helper == BPF_FUNC_map_lookup_elem)
		return "Can't lookup map element because it does not exist.";
	return strerror((int)-retcode);
}

enum {
	MAX_EXPANSIONS_SHOWN = 100
};

static void source_lines(struct loc loc, struct line_col from, struct line_col to, struct buf *out)
{
	for (uint32_t line = from.line; line <= to.line; line++) {
		size_t n, begin = out->len, mark = 0, mark_end = 0;
		const char *s = source_line(loc.src, line, &n);
		for (size_t i = 0; i < n; i++) {
			if (i + 1 == from.col)
				mark = out->len - begin;
			if (s[i] == '\t')
				buf_fill(out, ' ', 4);
			else
				buf_putc(out, s[i]);
			if (i + 2 == to.col)
				mark_end = out->len - begin;
		}
		buf_putc(out, '\n');
		if (from.line != to.line)
			continue;
		buf_fill(out, ' ', mark);
		buf_fill(out, '~', MAX(mark_end, mark + 1) - mark);
		buf_putc(out, '\n');
	}
}

static void one_message(struct exporter *x, struct loc loc, const char *severity, const char *msg,
			size_t len, bool with_source, struct buf *out)
{
	bool is_error = str_eq(severity, "ERROR");
	struct line_col from = {0}, to = {0};
	if (x->colour)
		buf_puts(out, is_error ? "\033[31m" : "\033[33m");
	if (loc.src) {
		from = source_line_col(loc.src, loc.begin);
		to = source_line_col(loc.src, MAX(loc.end, loc.begin));
		if (from.line == to.line)
			buf_printf(out, "%s:%u:%u-%u: ", loc.src->name, from.line, from.col,
				   to.col);
		else
			buf_printf(out, "%s:%u-%u: ", loc.src->name, from.line, to.line);
	}
	buf_puts(out, severity);
	buf_puts(out, ": ");
	if (len && msg[len - 1] == '\n')
		len--;
	buf_add(out, msg, len);
	buf_puts(out, x->colour ? "\033[0m\n" : "\n");
	if (with_source && loc.src)
		source_lines(loc, from, to, out);
}

void format_message(struct exporter *x, struct loc loc, const char *severity, const char *msg,
		    size_t len, bool with_source, struct buf *out)
{
	const char *expanded = "expanded from";
	const struct loc *from = loc.src ? loc.src->from : NULL;
	one_message(x, loc, severity, msg, len, with_source, out);
	for (unsigned depth = 0; from && depth < MAX_EXPANSIONS_SHOWN; depth++) {
		one_message(x, *from, severity, expanded, strlen(expanded), true, out);
		from = from->src ? from->src->from : NULL;
	}
}
