/*
 * stp_note.c - notes in SystemTap's strings: what only this process can name, put in where a string is printed.
 *
 * \001 letter fields \002, fields in hexadecimal; lang/stp/tapset_symbol.c writes them:
 *   n d m l F L  addr16 pid8	name, name+offset, module, file:line, file, line of a user address
 *   p P I        addr16	file:line, file, line of a kernel address
 *   K E U    id16 pid8 frames4		a stack as sprint_backtrace() and sprint_ubacktrace() show it; E: taken at its first function's entry
 */
#include <stdlib.h>

#include "output/parts.h"

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

static uint64_t hex(const char *s, size_t n)
{
	char room[20] = "";
	memcpy(room, s, MIN(n, sizeof(room) - 1));
	return strtoull(room, NULL, 16);
}

/* --- frames -------------------------------------------------------------------------------------------------- */

/* "name+0x1f/0x120"; without the size where that is not known */
static void frame_place(const struct frame *f, struct buf *out)
{
	buf_printf(out, "%s+0x%llx", f->symbol, (unsigned long long)f->offset);
	if (f->size)
		buf_printf(out, "/0x%llx", (unsigned long long)f->size);
}

/* "[module+0x5/0x1000]": of a user address that has no name. */
static void frame_module(const struct frame *f, const char *module, struct buf *out)
{
	buf_printf(out, "[%s+0x%llx/0x%llx]", module, (unsigned long long)f->map_offset, (unsigned long long)f->map_size);
}

static void frame_source(const struct frame *f, struct buf *out)
{
	if (f->file)
		buf_printf(out, " at %s:%u", f->file, f->line);
}

/* " 0xffffffff81234567 : name+0x1f/0x120 [kernel]", or with the offset in what is mapped when it has no name */
static void frame_long(const struct frame *f, bool user, struct buf *out)
{
	buf_printf(out, " 0x%llx", (unsigned long long)f->ip);
	const char *module = f->module ? f->module : user ? NULL : "kernel";
	if (f->symbol) {
		buf_puts(out, " : ");
		frame_place(f, out);
		frame_source(f, out);
		if (module)
			buf_printf(out, " [%s]", module);
	} else if (module && user) {
		buf_putc(out, ' ');
		frame_module(f, module, out);
		frame_source(f, out);
	}
	buf_putc(out, '\n');
}

/* "name+0x1f [module]"; brief: without the module */
static void frame_short(const struct frame *f, bool user, bool brief, struct buf *out)
{
	const char *module = f->module ? base_name(f->module) : user ? NULL : "kernel";
	if (f->symbol)
		buf_printf(out, "%s+0x%llx", f->symbol, (unsigned long long)f->offset);
	else
		buf_printf(out, "0x%llx", (unsigned long long)f->ip);
	if (!brief && f->symbol && module)
		buf_printf(out, " [%s]", module);
	else if (!brief && module && user)
		buf_printf(out, " [%s+0x%llx]", module, (unsigned long long)f->map_offset);
	buf_putc(out, '\n');
}

/* As symdata() and usymdata() say it: "name+0x1f/0x120 [module]". */
static void frame_data(const struct frame *f, bool user, struct buf *out)
{
	const char *module = f->module ? f->module : user ? NULL : "kernel";
	if (f->symbol) {
		frame_place(f, out);
		if (module)
			buf_printf(out, " [%s]", module);
		return;
	}
	buf_printf(out, "0x%llx", (unsigned long long)f->ip);
	if (module && user) {
		buf_putc(out, ' ');
		frame_module(f, module, out);
	}
}

/* Frames of the tracing itself, before the place that was probed. */
static bool is_tracing(const struct frame *f)
{
	static const char *const ours[] = {"bpf_trace_run", "__bpf_trace_", "__traceiter_", "perf_trace_", "trace_call_bpf", "__bpf_prog_"};
	if (f->module && str_eq(f->module, "bpf"))
		return true;
	for (size_t i = 0; f->symbol && i < ARRAY_SIZE(ours); i++)
		if (str_has_prefix(f->symbol, ours[i]))
			return true;
	return false;
}

static bool find(struct exporter *x, bool user, uint64_t addr, uint32_t pid, struct frame *f)
{
	*f = (struct frame){.ip = addr};
	return x->env.symbols && (user ? symbolizer_user(x->env.symbols, pid, addr, f) : symbolizer_kernel(x->env.symbols, addr, f));
}

/* A breakpoint leaves the instruction pointer behind it: the first frame is where the probe is. */
static void start_at(struct frame *f, uint64_t at)
{
	f->offset -= f->ip - at;
	f->ip = at;
}

/* Outer frames' addresses are where their calls return to. */
static void find_source(struct exporter *x, bool user, uint32_t pid, struct frame *f, bool is_outer)
{
	if (x->env.symbols)
		symbolizer_source(x->env.symbols, user, pid, f->ip - is_outer, f);
}

static uint32_t pid_of(const struct value *stack)
{
	struct stack_value_wire w = {0};
	memcpy(&w, stack->data, MIN((size_t)stack->size, sizeof(w)));
	return w.pid;
}

/* What a return's first two lines begin with; func: where the function that returns begins. */
static void returning(struct exporter *x, const struct value *v, uint64_t func, bool with_source, struct buf *out)
{
	bool user = v->type->kind == TYPE_USTACK;
	struct frame f;
	buf_puts(out, "Returning from: ");
	find(x, user, func, pid_of(v), &f);
	if (with_source)
		find_source(x, user, pid_of(v), &f, false);
	frame_long(&f, user, out);
	buf_puts(out, "Returning to  : ");
}

/* The first frame; from: the probe's address, 0: not known. */
static void begin(struct frame *f, enum stp_stack what, uint64_t from)
{
	if (what == STP_STACK_TEXT_ENTRY && f->symbol)
		start_at(f, f->ip - f->offset);
	if (what <= STP_STACK_SOURCE && from && f->symbol && f->ip - f->offset <= from && from <= f->ip)
		start_at(f, from);
}

void stp_stack_text(struct exporter *x, const struct value *v, enum stp_stack what, bool returns, uint64_t from, const char *point, struct buf *out)
{
	bool user = v->type->kind == TYPE_USTACK, is_long = what <= STP_STACK_SOURCE;
	struct frames frames = {0};
	if (x->env.symbols)
		symbolizer_stack(x->env.symbols, v, &frames);
	if (!frames.frame.len && point)
		buf_printf(out, "<no %s backtrace at %s>\n", user ? "user" : "kernel", point);
	size_t first = 0;
	while (!user && first < frames.frame.len && is_tracing(&frames.frame.at[first]))
		first++;
	if (returns && from && is_long && first < frames.frame.len)
		returning(x, v, from, what == STP_STACK_SOURCE, out);
	for (size_t i = first; i < frames.frame.len; i++) {
		struct frame *f = &frames.frame.at[i];
		if (i == first && !user)
			begin(f, what, returns ? 0 : from);
		if (what == STP_STACK_SOURCE)
			find_source(x, user, pid_of(v), f, i > first || returns);
		if (is_long)
			frame_long(f, user, out);
		else
			frame_short(f, user, what == STP_STACK_BRIEF, out);
	}
	if (x->env.symbols)
		frames_free(&frames);
}

/* --- notes ------------------------------------------------------------------------------------------------------ */

/* what: 'F' file, 'L' line, else both */
static void note_source(struct exporter *x, char what, bool is_user, uint64_t addr, uint32_t pid, struct buf *out)
{
	struct frame f;
	if (!x->env.symbols || !symbolizer_source(x->env.symbols, is_user, pid, addr, &f))
		buf_printf(out, "0x%llx", (unsigned long long)addr);
	else if (what == 'L')
		buf_printf(out, "%u", f.line);
	else
		buf_printf(out, what == 'F' ? "%s" : "%s:%u", f.file, f.line);
}

static void note_symbol(struct exporter *x, char what, const char *s, struct buf *out)
{
	struct frame f;
	uint64_t addr = hex(s, 16);
	bool found = find(x, true, addr, (uint32_t)hex(s + 16, 8), &f);
	if (what == 'm')
		buf_puts(out, found && f.module ? f.module : "<unknown>");
	else if (what == 'd')
		frame_data(&f, true, out);
	else if (what == 'n' && found && f.symbol)
		buf_puts(out, f.symbol);
	else if (what == 'n')
		buf_printf(out, "0x%llx", (unsigned long long)addr);
	else
		note_source(x, what, true, addr, (uint32_t)hex(s + 16, 8), out);
}

static void note_stack(struct exporter *x, char what, const char *s, struct buf *out)
{
	bool user = what == 'U';
	struct stack_value_wire w = {.id = hex(s, 16), .pid = (uint32_t)hex(s + 16, 8), .nframes = (uint16_t)hex(s + 24, 4)};
	struct type t = {.kind = user ? TYPE_USTACK : TYPE_KSTACK, .size = sizeof(w), .stack_mode = STACK_BPFTRACE, .count = w.nframes};
	struct value v = {.type = &t, .data = (uint8_t *)&w, .size = sizeof(w)};
	if (w.id)
		stp_stack_text(x, &v, what == 'E' ? STP_STACK_TEXT_ENTRY : STP_STACK_TEXT, false, 0, NULL, out);
}

void stp_symbols_text(struct exporter *x, const struct value *v, uint32_t pid, bool user, struct buf *out)
{
	const char *s;
	size_t n;
	value_string(v, &s, &n);
	for (size_t i = 0, k; i < n; i += k + 1) {
		struct frame f;
		for (k = 0; i + k < n && s[i + k] != ' ' && s[i + k] != '\n'; k++)
			;
		if (!k)
			continue;
		find(x, user, hex(s + i, k), pid, &f);
		buf_printf(out, " %.*s : ", (int)k, s + i);
		frame_data(&f, user, out);
		buf_putc(out, '\n');
	}
}

static void note(struct exporter *x, const char *s, size_t n, struct buf *out)
{
	char what = n ? *s++ : 0;
	n -= n != 0;
	if (what && strchr("ndmlFL", what) && n == 24)
		note_symbol(x, what, s, out);
	else if (what && strchr("pPI", what) && n == 16)
		note_source(x, what == 'P' ? 'F' : what == 'I' ? 'L' : 'l', false, hex(s, 16), 0, out);
	else if ((what == 'K' || what == 'E' || what == 'U') && n == 28)
		note_stack(x, what, s, out);
}

void stp_text(struct exporter *x, const char *s, size_t n, struct buf *out)
{
	while (n) {
		const char *at = memchr(s, 1, n), *end = at ? memchr(at, 2, n - (size_t)(at - s)) : NULL;
		size_t plain = end ? (size_t)(at - s) : n;
		buf_add(out, s, plain);
		if (end)
			note(x, at + 1, (size_t)(end - at - 1), out);
		n -= end ? (size_t)(end + 1 - s) : n;
		s = end ? end + 1 : s;
	}
}
