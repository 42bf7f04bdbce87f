/*
 * lower_recursive.c - functions that call themselves, in handlers that user space runs: subprograms with frames of
 * their own (lang/kit_sub.c).
 *
 * What a caller and such a function share at the start of its frame: a word (going in: whether a try is around the call;
 * coming out: how it ended), the message of an error, the result, the arguments.
 */
#include "lang/stp/lower.h"

enum { AT_WORD = 0, AT_MESSAGE = 8, AT_RESULT = AT_MESSAGE + STP_MAXSTRING };
enum { ENDED_WELL, ENDED_IN_ERROR, ENDED_HANDLER };
/* SystemTap allows ten calls more than the depth that the script has without recursion. */
enum { MAX_NESTING = 12 };

static uint32_t size_of(const struct stp_cell *c)
{
	return c->type == ST_STRING ? ALIGN_UP(c->cap, 8u) : 8;
}

static uint32_t first_argument(const struct stp_func *f)
{
	return AT_RESULT + (f->ret.type == ST_UNKNOWN ? 0 : size_of(&f->ret));
}

static uint32_t shared_size(const struct stp_func *f)
{
	uint32_t n = first_argument(f);
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next)
		n += size_of(&p->cell);
	return n;
}

static void store(struct stp_lower *l, ir_ref at, const struct stp_cell *c, struct stp_value v)
{
	if (c->type == ST_STRING)
		kit_str_copy(&l->kit, at, c->cap, v.v, v.cap);
	else
		ir_store(LB(l), at, 0, 8, v.v);
}

static struct stp_value load(struct stp_lower *l, ir_ref at, const struct stp_cell *c)
{
	return c->type == ST_STRING ? stp_string(at, c->cap) : stp_long(ir_load(LB(l), at, 0, 8, false));
}

/* --- the function ------------------------------------------------------------------------------------------------ */

static void take_arguments(struct stp_lower *l, struct stp_func *f)
{
	struct stp_value arg[STP_MAXARGS];
	uint32_t at = first_argument(f);
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next) {
		arg[i] = load(l, kit_sub_own(&l->kit, at), &p->cell);
		at += size_of(&p->cell);
	}
	stp_bind_params(l, f, arg);
}

static void lower_body(struct stp_lower *l, struct stp_func *f)
{
	struct stp_inline call = {.func = f};
	l->caught = stp_number(l);
	ir_ref word = kit_sub_own(&l->kit, AT_WORD);
	ir_store(LB(l), kit_local_addr(&l->kit, l->caught), 0, 8, ir_load(LB(l), word, 0, 8, false));
	ir_store(LB(l), word, 0, 8, stp_c(l, ENDED_WELL));
	l->actions = stp_number(l);
	if (l->dp->uses_tokens)
		l->tokens = kit_local(&l->kit, STP_MAXSTRING + 8);
	if (l->dp->uses_captures)
		l->captures = kit_local(&l->kit, STP_CAPTURES);
	stp_declare(l, &f->scope);
	if (f->ret.type != ST_UNKNOWN)
		call.ret = stp_variable(l, &f->ret);
	take_arguments(l, f);
	call.exit = stp_exit_new(l, f->name);
	l->call = &call;
	stp_lower_block(l, f->body);
	l->call = NULL;
	stp_exit_here(l, call.exit);
	if (call.ret)
		store(l, kit_sub_own(&l->kit, AT_RESULT), &f->ret, load(l, kit_local_addr(&l->kit, call.ret), &f->ret));
}

static struct stp_sub *sub_of(struct stp_lower *l, struct stp_func *f)
{
	for (struct stp_sub *s = *l->subs; s; s = s->next)
		if (s->func == f)
			return s;
	struct stp_sub *s = arena_new(l->c->a, struct stp_sub);
	struct stp_lower *in = stp_lower_new(l->c, l->dp, l->kit.point);
	in->subs = l->subs;
	in->sub = s;
	*s = (struct stp_sub){.func = f, .next = *l->subs};
	*l->subs = s;
	s->fn = kit_sub_begin(&in->kit, arena_printf(l->c->a, "%s.%zu", f->name, l->c->prog->fn.len), f->loc);
	kit_sub_share(&in->kit, shared_size(f));
	lower_body(in, f);
	kit_sub_end(&in->kit);
	return s;
}

/* --- errors ---------------------------------------------------------------------------------------------------------- */

static void leave(struct stp_lower *l, int64_t how)
{
	ir_store(LB(l), kit_sub_own(&l->kit, AT_WORD), 0, 8, stp_c(l, how));
	kit_return(&l->kit, 0);
}

/* An error that no try of this function catches: a caller's does, or it is reported here and ends the handler. */
void stp_leave_sub(struct stp_lower *l, struct loc loc, struct stp_value msg)
{
	uint32_t end = stp_if(l, ir_load(LB(l), kit_local_addr(&l->kit, l->caught), 0, 8, false));
	kit_str_copy(&l->kit, kit_sub_own(&l->kit, AT_MESSAGE), STP_MAXSTRING, msg.v, msg.cap);
	leave(l, ENDED_IN_ERROR);
	stp_endif(l, end);
	stp_send_text(l, ACT_STP_ERROR, stp_near_text(l, "%s", loc), &msg, 1, loc);
	stp_stop_session(l);
	leave(l, ENDED_HANDLER);
}

/* After a call: goes on with what ended it. */
static void pass_on(struct stp_lower *l, ir_ref frame, struct loc loc)
{
	ir_ref how = ir_load(LB(l), kit_sub_shared(&l->kit, frame, AT_WORD), 0, 8, false);
	uint32_t end = stp_if(l, ir_bini(LB(l), IR_EQ, how, ENDED_HANDLER));
	if (l->sub)
		leave(l, ENDED_HANDLER);
	else
		kit_return(&l->kit, 0);
	stp_endif(l, end);
	if (!l->try && !l->sub)
		return;
	end = stp_if(l, ir_bini(LB(l), IR_EQ, how, ENDED_IN_ERROR));
	stp_raise_value(l, loc, stp_string(kit_sub_shared(&l->kit, frame, AT_MESSAGE), STP_MAXSTRING));
	stp_endif(l, end);
}

/* --- calls ------------------------------------------------------------------------------------------------------------- */

static void give_arguments(struct stp_lower *l, struct stp_func *f, ir_ref frame, const struct stp_value *arg)
{
	ir_ref caught = l->try ? stp_c(l, 1) : l->sub ? ir_load(LB(l), kit_local_addr(&l->kit, l->caught), 0, 8, false) : stp_c(l, 0);
	ir_store(LB(l), kit_sub_shared(&l->kit, frame, AT_WORD), 0, 8, caught);
	uint32_t at = first_argument(f);
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next) {
		if (arg[i].type != ST_UNKNOWN)
			store(l, kit_sub_shared(&l->kit, frame, at), &p->cell, arg[i]);
		at += size_of(&p->cell);
	}
}

struct stp_value stp_call_recursive(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg, struct loc loc)
{
	struct stp_sub *s = sub_of(l, f);
	ir_ref frame = kit_sub_next(&l->kit);
	ir_ref fits = kit_sub_fits(&l->kit, frame, l->c->max_nesting ? (uint32_t)MIN(l->c->max_nesting, INT64_C(256)) : MAX_NESTING);
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, fits, 0), loc, "MAXNESTING exceeded");
	give_arguments(l, f, frame, arg);
	kit_sub_call(&l->kit, s->fn, frame);
	pass_on(l, frame, loc);
	if (f->ret.type == ST_UNKNOWN)
		return stp_none();
	struct stp_value v = load(l, kit_sub_shared(&l->kit, frame, AT_RESULT), &f->ret);
	if (v.type == ST_STRING) { /* the next call writes over it */
		ir_ref own = kit_mem(&l->kit, v.cap);
		kit_str_copy(&l->kit, own, v.cap, v.v, v.cap);
		v.v = own;
	}
	return v;
}
