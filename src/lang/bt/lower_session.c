/*
 * lower_session.c - a kprobe and a kretprobe of the same functions as one program with one link, where the kernel has sessions
 * (6.10): the program runs at the entry and at the return, and asks which it is.
 *
 * Half the work of attaching, and a return never comes without its entry: both were attached at the same moment.
 */
#include "lang/bt/lower.h"

static bool calls_override(const struct bt_expr *e)
{
	return e->call && !strcmp(e->call->name, "override"); /* only perf links may */
}

/* One attach point as written, of that kind, all of whose places a multi link takes. */
static bool fits(const struct world *w, const struct bt_probe *p, enum probe_kind kind)
{
	if (p->npoint != 1 || !p->matched.list.len || bt_probe_has(p, calls_override))
		return false;
	vec_each(point, &p->matched.list)
		if ((*point)->kind != kind || !(*point)->func || (*point)->offset)
			return false;
	return p->matched.list.len == 1 || !bt_is_per_point(w, p);
}

static bool same_functions(const struct attach_points *x, const struct attach_points *y)
{
	if (x->list.len != y->list.len)
		return false;
	for (size_t i = 0; i < x->list.len; i++)
		if (!str_eq(x->list.at[i]->func, y->list.at[i]->func) || !str_eq(x->list.at[i]->target, y->list.at[i]->target))
			return false;
	return true;
}

void bt_find_sessions(const struct world *w, struct bt_script *s)
{
	if (!w || !w->features.kprobe_session)
		return;
	for (struct bt_probe *p = s->probe; p; p = p->next) {
		if (!fits(w, p, PK_KPROBE))
			continue;
		for (struct bt_probe *q = s->probe; q && !p->session; q = q->next)
			if (!q->in_session && fits(w, q, PK_KRETPROBE) && same_functions(&p->matched, &q->matched))
				p->session = q;
		if (p->session)
			p->session->in_session = true;
	}
}

void bt_lower_session(struct bt_lower *l, struct bt_probe *p)
{
	struct bt_probe *ret = p->session;
	struct attach_point *first = p->matched.list.at[0];
	struct ir_builder *b = &l->kit.b;
	bt_number_points(p);
	l->is_per_point = false;
	l->round = 0;
	struct ir_fn *fn = kit_begin(&l->kit, bt_fn_name(l, first), PROG_KPROBE_MULTI, p->loc);
	ir_ref is_return = ir_bini(b, IR_AND, ir_kfunc(b, "bpf_session_is_return", kit_ctx(&l->kit)), 1);
	uint32_t at_return = ir_block_new(b, "return"), at_entry = ir_block_new(b, "entry");
	ir_br(b, is_return, at_return, at_entry);
	ir_at(b, at_return);
	bt_lower_handler(l, ret, ret->matched.list.at[0]);
	if (!ir_terminated(b))
		kit_return(&l->kit, 0);
	ir_at(b, at_entry);
	bt_lower_handler(l, p, first);
	kit_end(&l->kit);
	struct probe *to = program_probe(l->kit.prog, first->name, fn, PROG_KPROBE_SESSION);
	to->points = arena_memdup(l->in->arena, p->matched.list.at, p->matched.list.len * sizeof(*to->points));
	to->npoints = (uint32_t)p->matched.list.len;
	to->loc = p->loc;
}
