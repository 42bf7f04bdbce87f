/* lower_call.c - calls: native functions, and functions of the script, which are inlined. */
#include "lang/stp/lower.h"

enum { MAX_INLINED = 2000, MAX_UNROLLED = 12 };

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

void stp_bind_params(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg)
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

/* How often f is around this place. */
static unsigned running(const struct stp_lower *l, const struct stp_func *f)
{
	unsigned n = 0;
	for (const struct stp_inline *i = l->call; i; i = i->outer)
		n += i->func == f;
	return n;
}

static struct stp_value result(struct stp_lower *l, const struct stp_inline *call)
{
	if (!call->ret)
		return stp_none();
	ir_ref at = kit_local_addr(&l->kit, call->ret);
	const struct stp_cell *c = &call->func->ret;
	return c->type == ST_STRING ? stp_string(at, c->cap) : stp_long(ir_load(LB(l), at, 0, 8, false));
}

/* A function within itself (unrolled): the outer call's variables come back after it. */
static struct kit_local **keep_storage(struct stp_lower *l, const struct stp_func *f)
{
	size_t n = 0;
	for (struct stp_local *v = f->scope.local; v; v = v->next)
		n++;
	struct kit_local **kept = arena_array(l->c->a, struct kit_local *, n + 1), **k = kept;
	for (struct stp_local *v = f->scope.local; v; v = v->next)
		*k++ = v->storage;
	return kept;
}

static void restore_storage(const struct stp_func *f, struct kit_local *const *kept)
{
	for (struct stp_local *v = f->scope.local; v; v = v->next)
		v->storage = *kept++;
}

static struct stp_value call_inline(struct stp_lower *l, struct stp_func *f, const struct stp_value *arg, struct loc loc)
{
	struct stp_inline call = {.func = f, .loc = loc, .outer = l->call};
	struct kit_local **kept = keep_storage(l, f);
	bool loops = l->loops;
	l->loops |= stp_has_loop(f->body);
	stp_declare(l, &f->scope);
	if (f->ret.type != ST_UNKNOWN)
		call.ret = stp_variable(l, &f->ret);
	stp_bind_params(l, f, arg);
	call.exit = stp_exit_new(l, f->name);
	struct stp_loop *loop = l->loop;
	l->loop = NULL;
	l->call = &call;
	stp_lower_block(l, f->body);
	l->call = call.outer;
	l->loop = loop;
	stp_exit_here(l, call.exit);
	l->loops = loops;
	restore_storage(f, kept);
	return result(l, &call);
}

static struct stp_value no_result(struct stp_lower *l, const struct stp_func *f)
{
	return f->ret.type == ST_STRING ? stp_literal(l, "") : stp_long(stp_c(l, 0));
}

static struct stp_value call_script(struct stp_lower *l, struct stp_expr *e)
{
	struct stp_func *f = e->func;
	struct stp_value arg[STP_MAXARGS];
	lower_args(l, e, arg);
	if (f->recursive && l->user)
		return stp_call_recursive(l, f, arg, e->loc);
	if (running(l, f) >= MAX_UNROLLED) {
		stp_raise(l, e->loc, "MAXNESTING exceeded");
		return no_result(l, f);
	}
	if (++l->inlined > MAX_INLINED) {
		stp_error(l->c, e->loc, f->recursive ? "function '%s' calls itself in too many ways to run in the kernel; move it to a timer, begin or end probe"
						     : "the handler calls too many functions (at '%s')", f->name);
		return no_result(l, f);
	}
	return call_inline(l, f, arg, e->loc);
}

struct stp_value stp_lower_call(struct stp_lower *l, struct stp_expr *e)
{
	return e->func->native ? call_native(l, e) : call_script(l, e);
}
