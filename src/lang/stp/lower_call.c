/* lower_call.c - calls: native functions, and functions of the script, which are inlined. */
#include "lang/stp/lower.h"

enum { MAX_INLINED = 2000 };

static void lower_args(struct stp_lower *l, struct stp_expr *e, struct stp_value *arg)
{
	for (unsigned i = 0; i < e->nkid; i++)
		arg[i] = stp_lower_expr(l, e->kid[i]);
}

static struct stp_value call_native(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_value arg[STP_MAXARGS];
	lower_args(l, e, arg);
	l->kit.b.loc = e->loc;
	return e->func->native->lower(l, e, arg);
}

static void bind_params(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg)
{
	struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next) {
		ir_ref at = kit_local_addr(&l->kit, p->storage);
		if (arg[i].type == ST_STRING)
			kit_str_copy(&l->kit, at, p->cell.cap, arg[i].v, arg[i].cap);
		else if (arg[i].type == ST_LONG)
			ir_store(LB(l), at, 0, 8, arg[i].v);
	}
}

static bool is_running(const struct stp_lower *l, const struct stp_func *f)
{
	for (const struct stp_inline *i = l->call; i; i = i->outer)
		if (i->func == f)
			return true;
	return false;
}

static struct stp_value result(struct stp_lower *l, const struct stp_inline *call)
{
	if (!call->ret)
		return stp_none();
	ir_ref at = kit_local_addr(&l->kit, call->ret);
	const struct stp_cell *c = &call->func->ret;
	return c->type == ST_STRING ? stp_string(at, c->cap) : stp_long(ir_load(LB(l), at, 0, 8, false));
}

static struct stp_value call_script(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_func *f = e->func;
	struct stp_value arg[STP_MAXARGS];
	if (is_running(l, f) || ++l->inlined > MAX_INLINED) {
		stp_error(l->c, e->loc, is_running(l, f) ? "recursive functions are not supported yet" : "the handler calls too many functions");
		return f->ret.type == ST_STRING ? stp_literal(l, "") : stp_long(stp_c(l, 0));
	}
	lower_args(l, e, arg);
	struct stp_inline call = {.func = f, .outer = l->call};
	stp_declare(l, &f->scope);
	if (f->ret.type != ST_UNKNOWN)
		call.ret = stp_variable(l, &f->ret);
	bind_params(l, f, arg);
	call.exit = stp_exit_new(l, f->name);
	struct stp_loop *loop = l->loop;
	l->loop = NULL;
	l->call = &call;
	stp_lower_block(l, f->body);
	l->call = call.outer;
	l->loop = loop;
	stp_exit_here(l, call.exit);
	return result(l, &call);
}

struct stp_value stp_lower_call(struct stp_lower *l, struct stp_expr *e)
{
	return e->func->native ? call_native(l, e) : call_script(l, e);
}
