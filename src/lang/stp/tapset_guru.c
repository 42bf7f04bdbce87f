/* tapset_guru.c - what changes the machine: memory of programs, signals, commands, messages in the kernel's logs.  All but ftrace() needs stap -g. */
#include "lang/stp/lower.h"

#define K(l) (&(l)->kit)

static bool guru(struct stp_lower *l, const struct stp_expr *e)
{
	if (!l->c->in->guru)
		stp_error(l->c, e->loc, "%s() changes the machine: it needs stap -g", e->func->name);
	return l->c->in->guru;
}

/* --- memory of the current process ------------------------------------------------------------------------------ */

ir_ref stp_write_user(struct stp_lower *l, ir_ref addr, ir_ref from, ir_ref n)
{
	/* handlers in user space are of no program */
	return l->user ? stp_c(l, -14) : ir_helper(LB(l), BPF_FUNC_probe_write_user, addr, from, n);
}

/* "user int copy fault at 0x10 [man error::fault]" */
static void check_write(struct stp_lower *l, const struct stp_expr *e, ir_ref ret, struct stp_value addr, const char *what)
{
	uint32_t end = stp_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)));
	const char *fmt = arena_printf(l->c->a, "user %s copy fault at 0x%%x [man error::fault]", what);
	stp_raise_value(l, e->loc, stp_format_into(l, fmt, &addr, 1, 80, e->loc));
	stp_endif(l, end);
}

/* set_user_int(address, value); number: bytes */
static struct stp_value lower_set_number(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (!guru(l, e))
		return stp_none();
	ir_ref tmp = kit_mem(K(l), 8);
	ir_store(LB(l), tmp, 0, 8, arg[1].v);
	ir_ref ret = stp_write_user(l, arg[0].v, tmp, stp_c(l, e->func->native->number));
	check_write(l, e, ret, arg[0], e->func->name + strlen("set_user_"));
	return stp_none();
}

/* set_user_string(address, text), set_user_string_n(address, n, text): at most n bytes, and the NUL behind them. */
static struct stp_value lower_set_string(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	const struct stp_value *text = &arg[e->nkid - 1];
	if (!guru(l, e))
		return stp_none();
	ir_ref tmp = kit_mem(K(l), MAX(text->cap, 72u)), size = stp_c(l, text->cap);
	if (e->nkid > 2) {
		ir_ref n = ir_bini(LB(l), IR_ADD, arg[1].v, 1);
		n = ir_select(LB(l), ir_bin(LB(l), IR_SLT, n, stp_c(l, 1)), stp_c(l, 1), n);
		size = ir_select(LB(l), ir_bini(LB(l), IR_ULT, n, text->cap), n, size);
	}
	ir_ref len = ir_helper(LB(l), BPF_FUNC_probe_read_kernel_str, tmp, size, text->v);
	uint32_t end = stp_if(l, ir_bin(LB(l), IR_SLT, stp_c(l, 0), len));
	check_write(l, e, stp_write_user(l, arg[0].v, tmp, len), arg[0], "string");
	stp_endif(l, end);
	return stp_none();
}

/* --- signals, commands, logs --------------------------------------------------------------------------------------- */

/* system(command): user space runs it, some time later; what it prints goes to the output. */
static struct stp_value lower_system(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (guru(l, e))
		stp_send_text(l, ACT_STP_SYSTEM, "%s", arg, 1, e->loc);
	return stp_none();
}

/* raise(signal): to the current thread. */
static struct stp_value lower_raise(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (!guru(l, e) || l->user)
		return stp_none();
	struct stp_value ret = stp_long(ir_helper(LB(l), BPF_FUNC_send_signal_thread, arg[0].v));
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_NE, ret.v, 0));
	stp_raise_value(l, e->loc, stp_format_into(l, "raise/send_sig error %d", &ret, 1, 64, e->loc));
	stp_endif(l, end);
	return stp_none();
}

/* ftrace(text): a line of /sys/kernel/tracing/trace. */
static struct stp_value lower_ftrace(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	static const char fmt[] = "%s\n";
	ir_helper(LB(l), BPF_FUNC_trace_printk, kit_str_literal(K(l), fmt, sizeof(fmt) - 1, 8), stp_c(l, sizeof(fmt)), arg[0].v);
	return stp_none();
}

/* printk(level, text): user space writes it to the kernel's log, some time later. */
static struct stp_value lower_printk(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	if (!guru(l, e))
		return stp_none();
	struct action *act = program_action(l->c->prog, ACT_STP_PRINTK, e->loc);
	struct kit_value v[2] = {{.type = &type_int64, .v = arg[0].v}, {.type = type_str(l->c->a, arg[1].cap), .v = arg[1].v, .is_addr = true}};
	kit_send(K(l), act, v, 2);
	return stp_none();
}

const struct stp_native stp_tapset_guru[] = {
	{"set_user_char", "v:ll", 0, 0, lower_set_number, 1},
	{"set_user_short", "v:ll", 0, 0, lower_set_number, 2},
	{"set_user_int", "v:ll", 0, 0, lower_set_number, 4},
	{"set_user_long", "v:ll", 0, 0, lower_set_number, 8},
	{"set_user_pointer", "v:ll", 0, 0, lower_set_number, 8},
	{"set_user_string", "v:ls", 0, 0, lower_set_string},
	{"set_user_string_n", "v:lls", 0, 0, lower_set_string},
	{"system", "v:s", 0, 0, lower_system},
	{"raise", "v:l", 0, 0, lower_raise},
	{"ftrace", "v:s", 0, 0, lower_ftrace},
	{"printk", "v:ls", 0, 0, lower_printk},
	{0},
};
