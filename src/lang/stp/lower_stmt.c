/* lower_stmt.c - statements. */
#include "lang/stp/lower.h"

static void lower_if(struct stp_lower *l, struct stp_stmt *s)
{
	uint32_t then = ir_block_new(LB(l), "then"), other = ir_block_new(LB(l), "else"), end = ir_block_new(LB(l), "endif");
	ir_br(LB(l), stp_lower_cond(l, s->expr), then, s->other ? other : end);
	ir_at(LB(l), then);
	stp_lower_block(l, s->body);
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), end);
	if (s->other) {
		ir_at(LB(l), other);
		stp_lower_block(l, s->other);
		if (!ir_terminated(LB(l)))
			ir_jmp(LB(l), end);
	}
	ir_at(LB(l), end);
}

static void lower_return(struct stp_lower *l, struct stp_stmt *s)
{
	struct stp_inline *call = l->call;
	if (s->expr && call->ret) {
		struct stp_value v = stp_lower_expr(l, s->expr);
		ir_ref at = kit_local_addr(&l->kit, call->ret);
		if (v.type == ST_STRING)
			kit_str_copy(&l->kit, at, call->func->ret.cap, v.v, v.cap);
		else
			ir_store(LB(l), at, 0, 8, v.v);
	} else if (s->expr) {
		stp_lower_expr(l, s->expr);
	}
	stp_jump(l, call->exit);
}

static void lower_stmt(struct stp_lower *l, struct stp_stmt *s)
{
	l->kit.b.loc = s->expr ? s->expr->loc : s->loc;
	switch (s->kind) {
	case SS_NULL: break;
	case SS_EXPR: stp_lower_expr(l, s->expr); break;
	case SS_BLOCK: stp_lower_block(l, s->body); break;
	case SS_IF: lower_if(l, s); break;
	case SS_FOR: stp_lower_for(l, s); break;
	case SS_FOREACH: stp_lower_foreach(l, s); break;
	case SS_TRY: stp_lower_try(l, s); break;
	case SS_RETURN: lower_return(l, s); break;
	case SS_DELETE: stp_lower_delete(l, s); break;
	case SS_NEXT: kit_return(&l->kit, 0); break; /* in functions: overload.c */
	case SS_BREAK:
		if (l->loop)
			stp_break(l);
		else
			stp_error(l->c, s->loc, "cannot 'break' outside loop");
		break;
	case SS_CONTINUE:
		if (l->loop)
			stp_continue(l);
		else
			stp_error(l->c, s->loc, "cannot 'continue' outside loop");
		break;
	}
}

static void lower_take(struct stp_lower *l, struct stp_global *const array[STP_MAXTAKEN])
{
	const struct var *var[KIT_MAXTAKEN] = {0};
	_Static_assert((int)STP_MAXTAKEN <= (int)KIT_MAXTAKEN, "arrays of one take");
	for (unsigned i = 0; i < STP_MAXTAKEN && array[i]; i++)
		var[i] = array[i]->var;
	kit_take(&l->kit, var);
}

void stp_lower_block(struct stp_lower *l, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		uint32_t mark = kit_mark(&l->kit);
		if (s->lock)
			kit_lock(&l->kit);
		if (s->take)
			lower_take(l, s->take);
		lower_stmt(l, s);
		if (s->take_end)
			kit_take_end(&l->kit);
		if (s->unlock)
			kit_unlock(&l->kit);
		kit_release(&l->kit, mark);
	}
}
