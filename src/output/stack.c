/* stack.c - stacks and symbols as text. */
#include "output/parts.h"

static void frame_symbol(const struct frame *f, struct buf *out)
{
	if (!f->symbol) {
		out_hex(out, f->ip);
		return;
	}
	buf_puts(out, f->symbol);
	if (!f->is_inlined) {
		buf_putc(out, '+');
		out_uint(out, f->offset);
	}
}

static void frame_source(const struct frame *f, struct buf *out)
{
	if (f->symbol && f->file)
		buf_printf(out, "@%s:%u", f->file, f->line);
}

static void frame_bpftrace(const struct frame *f, struct buf *out)
{
	buf_puts(out, f->is_inlined ? "        [inlined] " : "        ");
	frame_symbol(f, out);
	frame_source(f, out);
}

static void frame_perf(const struct frame *f, bool is_user, struct buf *out)
{
	buf_printf(out, "\t%llx ", (unsigned long long)f->ip);
	frame_symbol(f, out);
	if (f->is_inlined)
		buf_puts(out, " (inlined)");
	else if (is_user)
		buf_printf(out, " (%s)", f->module ? f->module : "[unknown]");
}

static void frame_build_id(const struct frame *f, struct buf *out)
{
	if (!f->has_build_id) {
		buf_printf(out, "%llx", (unsigned long long)f->ip);
		return;
	}
	for (size_t i = 0; i < sizeof(f->build_id); i++)
		buf_printf(out, "%02x", f->build_id[i]);
	buf_printf(out, " 0x%02llx", (unsigned long long)f->module_offset);
}

void format_frames(const struct frames *frames, enum stack_mode mode, bool is_user, struct buf *out)
{
	buf_putc(out, '\n');
	for (size_t i = 0; i < frames->frame.len; i++) {
		const struct frame *f = &frames->frame.at[i];
		switch (mode) {
		case STACK_PERF: frame_perf(f, is_user, out); break;
		case STACK_RAW: buf_printf(out, "%llx", (unsigned long long)f->ip); break;
		case STACK_BUILD_ID: frame_build_id(f, out); break;
		default: frame_bpftrace(f, out); break;
		}
		buf_putc(out, '\n');
	}
}

void format_stack(struct exporter *x, const struct value *v, struct buf *out)
{
	struct frames frames = {0};
	if (x->env.symbols)
		symbolizer_stack(x->env.symbols, v, &frames);
	format_frames(&frames, (enum stack_mode)v->type->stack_mode, v->type->kind == TYPE_USTACK,
		      out);
	if (x->says_stack_end && frames.end)
		buf_printf(out, "        [%s]\n", stack_end_text(frames.end));
	if (x->env.symbols)
		frames_free(&frames);
}

void format_symbol(struct exporter *x, const struct value *v, struct buf *out)
{
	struct usym_wire w = {0};
	struct frame f = {0};
	memcpy(&w, v->data ? (const void *)v->data : &w, MIN(v->size, sizeof(w)));
	bool found =
		x->env.symbols &&
		(v->type->kind == TYPE_KSYM ? symbolizer_kernel(x->env.symbols, w.addr, &f)
					    : symbolizer_user(x->env.symbols, w.pid, w.addr, &f));
	if (found && f.symbol)
		buf_puts(out, f.symbol);
	else if (w.addr)
		out_hex(out, w.addr);
	else
		buf_putc(out, '0');
}
