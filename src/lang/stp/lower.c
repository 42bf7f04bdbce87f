/* lower.c - a program out of checked handlers: one function a probe, or a point where arguments differ. */
#include "lang/stp/lower.h"

#include <errno.h>

struct stp_value stp_long(ir_ref v)
{
	return (struct stp_value){.type = ST_LONG, .v = v};
}

struct stp_value stp_string(ir_ref v, uint32_t cap)
{
	return (struct stp_value){.type = ST_STRING, .v = v, .cap = cap};
}

struct stp_value stp_none(void)
{
	return (struct stp_value){.type = ST_UNKNOWN};
}

/* Some of the 512 bytes of a kernel handler's stack: numbers, and bytes of short strings, beyond these are in scratch. */
#define NEAR_NUMBERS 16
#define NEAR_TEXT    128

/* Numbers of functions that loop are in scratch, too: of the stack the verifier knows in each round what was there in the one before. */
struct kit_local *stp_number(struct stp_lower *l)
{
	bool near = l->user || (!l->loops && l->numbers++ < NEAR_NUMBERS);
	return near ? kit_local(&l->kit, 8) : kit_local_far(&l->kit, 8);
}

bool stp_has_loop(const struct stp_stmt *s)
{
	for (; s; s = s->next)
		if (s->kind == SS_FOR || s->kind == SS_FOREACH || stp_has_loop(s->body) || stp_has_loop(s->other))
			return true;
	return false;
}

struct kit_local *stp_variable(struct stp_lower *l, const struct stp_cell *c)
{
	if (c->type != ST_STRING)
		return stp_number(l);
	bool near = l->user || l->text + c->cap <= NEAR_TEXT;
	l->text += near ? c->cap : 0;
	return near ? kit_local(&l->kit, c->cap) : kit_local_far(&l->kit, c->cap);
}

struct stp_value stp_literal(struct stp_lower *l, const char *s)
{
	uint32_t n = (uint32_t)strlen(s), cap = ALIGN_UP(MIN(n, (uint32_t)STP_MAXSTRING - 1) + 1, 8u);
	/* cut like every string, and never without its NUL */
	const char *cut = arena_strndup(l->c->a, s, cap - 1);
	return (struct stp_value){.type = ST_STRING, .v = kit_str_literal(&l->kit, cut, (uint32_t)strlen(cut), cap),
				  .cap = cap, .lit = cut, .lit_len = (uint32_t)strlen(cut)};
}

/* Handlers that start with the session do not start after exit() or an error. */
static void check_stopped(struct stp_lower *l)
{
	struct program *p = l->c->prog;
	ir_ref word = ir_load(LB(l), ir_mapval(LB(l), p->data, program_exit_word(p, false)), 0, 8, false);
	uint32_t end = stp_if(l, word);
	kit_return(&l->kit, 0);
	stp_endif(l, end);
}

/* An array's element could not be made; `code`: E2BIG when it is full. */
static void element_refused(struct stp_lower *l, ir_ref code, struct loc loc)
{
	uint32_t other = stp_if(l, ir_bini(LB(l), IR_NE, code, -E2BIG));
	stp_raise(l, loc, "an array's element could not be stored: no memory at hand, or this event interrupted a change of the array");
	stp_endif(l, other);
	stp_raise(l, loc, l->overflow ? l->overflow : "Array overflow, check MAXMAPENTRIES");
}

static void on_error(struct kit *k, enum runtime_error e, ir_ref code, struct loc loc, void *arg)
{
	struct stp_lower *l = arg;
	switch (e) {
	case RT_DIV_BY_ZERO: stp_raise(l, loc, "division by 0"); break;
	case RT_NO_ENTRY: stp_raise(l, loc, "the value was kept at the function's entry, and this call began before tracing"); break;
	case RT_MAP_FULL: element_refused(l, code, loc); break;
	default: stp_raise(l, loc, "runtime error"); break;
	}
}

/* Since 6.14 returns of a multi link go by the function graph, which has room for all: struct fprobe counts none any more. */
static bool returns_have_room(struct world *w)
{
	struct btf *btf = world_btf(w, NULL);
	uint32_t id = btf ? btf_find(btf, BTF_NS_STRUCT, "fprobe") : 0, offset;
	struct arena *a = arena_create();
	struct type *t = id ? btf_type(btf, id, AS_KERNEL, a) : NULL;
	if (t)
		type_complete(t, a);
	bool yes = t && type_field(t, "hlist_array", a, &offset);
	arena_destroy(a);
	return yes;
}

/*
 * One link for all functions of a probe; for one function too when it asks for room for more returns than a kretprobe has, which BPF has no
 * other way to give.
 */
static bool takes_multi(struct stp_comp *c, const struct stp_dprobe *dp)
{
	const struct attach_points *points = &dp->points;
	const struct attach_point *first = points->list.at[0];
	if ((first->kind != PK_KPROBE && first->kind != PK_KRETPROBE) || !c->world->features.kprobe_multi)
		return false;
	for (size_t i = 0; i < points->list.len; i++)
		if (points->list.at[i]->offset || points->list.at[i]->address || !points->list.at[i]->func)
			return false;
	if (first->kind == PK_KPROBE)
		return points->list.len > 1;
	return points->list.len > 8 || ((first->maxactive || points->list.len > 1) && returns_have_room(c->world));
}

static enum prog_kind prog_kind_of(struct stp_comp *c, const struct stp_dprobe *dp)
{
	if (dp->in_user)
		return PROG_USER;
	return takes_multi(c, dp) ? PROG_KPROBE_MULTI : probe_prog_kind(dp->points.list.at[0]);
}

struct stp_lower *stp_lower_new(struct stp_comp *c, struct stp_dprobe *dp, const struct attach_point *point)
{
	struct stp_lower *l = arena_new(c->a, struct stp_lower);
	l->c = c;
	l->dp = dp;
	l->user = dp->in_user;
	l->kit = (struct kit){.prog = c->prog, .world = c->world, .point = point, .on_error = on_error, .on_error_arg = l};
	return l;
}

static struct ir_fn *lower_handler(struct stp_comp *c, struct stp_dprobe *dp, const struct attach_point *point)
{
	struct stp_lower *l = stp_lower_new(c, dp, point);
	l->subs = arena_new(c->a, struct stp_sub *);
	struct ir_fn *fn = kit_begin(&l->kit, arena_printf(c->a, "probe_%zu", c->prog->probe.len), prog_kind_of(c, dp), dp->loc);
	if (dp->in_user && dp->spec.kind != PK_END && dp->spec.kind != PK_ERROR)
		check_stopped(l);
	l->loops = stp_has_loop(dp->body);
	if (dp->in_user)
		l->actions = stp_number(l);
	if (dp->uses_tokens)
		l->tokens = kit_local(&l->kit, STP_MAXSTRING + 8);
	if (dp->uses_captures)
		l->captures = kit_local(&l->kit, STP_CAPTURES);
	stp_declare(l, &dp->scope);
	stp_lower_block(l, dp->body);
	stp_lower_failed(l);
	kit_end(&l->kit);
	return fn;
}

/* One function serves all points of a probe: SystemTap's points of one family have the same arguments. */
static void lower_probe(struct stp_comp *c, struct stp_dprobe *dp)
{
	if (dp->spec.kind == PK_NEVER)
		return;
	struct attach_point *first = dp->points.list.at[0];
	for (size_t i = 0; i < dp->points.list.len; i++) /* pp() and ppfunc() find their names by it */
		dp->points.list.at[i]->cookie = i;
	struct ir_fn *fn = lower_handler(c, dp, first);
	struct probe *p = program_probe(c->prog, dp->name, fn, prog_kind_of(c, dp));
	p->loc = dp->loc;
	p->is_one_of_many = dp->is_one_of_many;
	p->btf_target = first->func;
	p->btf_id = first->btf_id;
	p->npoints = (uint32_t)dp->points.list.len;
	p->points = arena_memdup(c->a, dp->points.list.at, p->npoints * sizeof(*p->points));
}

/* Initial values of globals: the first bytes of the data map. */
static void write_initials(struct stp_comp *c)
{
	uint8_t *data = NULL;
	for (size_t i = 0; i < c->used_globals.len; i++) {
		const struct stp_global *g = c->used_globals.at[i];
		if (!g->init || g->nkeys || g->cell.type == ST_STATS)
			continue;
		if (!data)
			data = arena_alloc(c->a, c->prog->data->value_size);
		if (g->init->kind == SE_NUM)
			memcpy(data + g->var->offset, &g->init->num, 8);
		else
			memcpy(data + g->var->offset, g->init->str, MIN(g->init->len, g->cell.cap - 1));
	}
	if (data)
		c->prog->data->init = data;
}

/* User space's own handlers run beside all others. */
static bool one_at_a_time(const struct stp_comp *c)
{
	vec_each(p, &c->probes) {
		const struct stp_dprobe *dp = *p;
		if (dp->in_user && dp->spec.kind != PK_BEGIN && dp->spec.kind != PK_END)
			return false;
		if (dp->spec.kind != PK_NEVER)
			vec_each(point, &dp->points.list)
				if (!probe_runs_alone(c->world, *point))
					return false;
	}
	return true;
}

void stp_lower(struct stp_comp *c)
{
	c->prog->one_at_a_time = one_at_a_time(c);
	struct stp_lower defs = {.c = c, .kit = {.prog = c->prog, .world = c->world}};
	stp_define_globals(&defs);
	for (size_t i = 0; i < c->probes.len; i++)
		lower_probe(c, c->probes.at[i]);
	kit_finish_entries(&defs.kit);
	program_finish(c->prog);
	write_initials(c);
}
