/* tapset_log.c - messages, errors, the end of the session. */
#include "lang/stp/lower.h"

static struct stp_value lower_message(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	stp_send_text(l, (enum action_kind)e->func->native->number, "%s", arg, 1, e->loc);
	return stp_none();
}

/* speculate(id, text), commit(id), discard(id): the session keeps the texts, the kernel only says what happens to them. */
static struct stp_value lower_speculation(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct action *act = program_action(l->c->prog, (enum action_kind)e->func->native->number, e->loc);
	struct kit_value v[2] = {{.type = &type_int64, .v = arg[0].v}};
	if (e->nkid > 1)
		v[1] = (struct kit_value){.type = type_str(l->c->a, arg[1].cap), .v = arg[1].v, .is_addr = true};
	kit_send(&l->kit, act, v, e->nkid);
	return stp_none();
}

static struct stp_value lower_error(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	stp_raise_value(l, e->loc, arg[0]);
	return stp_none();
}

/* Sets the exit word and tells user space; the handler goes on. */
static struct stp_value lower_exit(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	struct program *p = l->c->prog;
	struct action *act = program_action(p, ACT_EXIT, e->loc);
	kit_send(&l->kit, act, &(struct kit_value){.type = &type_uint64, .v = stp_c(l, 0)}, 1);
	ir_store(LB(l), ir_mapval(LB(l), p->data, program_exit_word(p, true)), 0, 8, stp_c(l, 1));
	return stp_none();
}

static struct stp_value lower_abort(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	lower_exit(l, e, arg);
	kit_return(&l->kit, 0);
	return stp_none();
}

/* assert(condition[, message]) */
static struct stp_value lower_assert(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_EQ, arg[0].v, 0));
	stp_raise_value(l, e->loc, e->nkid > 1 ? arg[1] : stp_literal(l, "assertion failed"));
	stp_endif(l, end);
	return stp_none();
}

const struct stp_native stp_tapset_log[] = {
	{"log", "v:s", 0, 0, lower_message, ACT_STP_LOG},
	{"warn", "v:s", 0, 0, lower_message, ACT_STP_WARN},
	{"speculate", "v:ls", 0, 0, lower_speculation, ACT_STP_SPECULATE},
	{"commit", "v:l", 0, 0, lower_speculation, ACT_STP_COMMIT},
	{"discard", "v:l", 0, 0, lower_speculation, ACT_STP_DISCARD},
	{"error", "v:s", 0, 0, lower_error},
	{"exit", "v:", 0, 0, lower_exit},
	{"abort", "v:", 0, 0, lower_abort},
	{"assert", "v:l", 0, 0, lower_assert},
	{"assert", "v:ls", 0, 0, lower_assert},
	{0},
};
