/*
 * lower.c - from checked script to program: one IR function a probe, or one a place when the
 * handler asks where it is.
 */
#include "lang/bt/calls.h"

/* --- what a handler depends on
 * -------------------------------------------------------------------------------- */

struct search {
	bt_expr_test test;
	bool found;
};
static bool search_expr(struct bt_walk *w, struct bt_expr *e)
{
	struct search *s = w->arg;
	s->found = s->found || s->test(e);
	return !s->found;
}

bool bt_probe_has(const struct bt_probe *p, bt_expr_test test)
{
	struct search s = {.test = test};
	struct bt_walk w = {.expr = search_expr, .arg = &s};
	bt_walk_expr(&w, p->predicate);
	bt_walk_block(&w, p->body);
	return s.found;
}

static bool names_probe(const struct bt_expr *e)
{
	return e->builtin && !strcmp(e->builtin->name, "probe");
}

static bool names_args(const struct bt_expr *e)
{
	return e->builtin && (!strcmp(e->builtin->name, "args") || !strcmp(e->builtin->name, "local") ||
			      !strcmp(e->builtin->name, "global"));
}

static bool names_local(const struct bt_expr *e)
{
	return e->builtin && !strcmp(e->builtin->name, "local");
}

static bool names_uaddr(const struct bt_expr *e)
{
	return e->call && !strcmp(e->call->name, "uaddr");
}

static bool names_numbered_arg(const struct bt_expr *e)
{
	return e->builtin && !strcmp(e->builtin->name, "argN");
}

/* fentry and fexit of many functions of the kernel and its modules, where one program is for many. */
static bool is_fentry_multi(const struct world *w, const struct bt_probe *p)
{
	if (!w || !w->features.fentry_multi || p->matched.list.len < 2)
		return false;
	vec_each(point, &p->matched.list)
		if (((*point)->kind != PK_FENTRY && (*point)->kind != PK_FEXIT) || (*point)->prog_id)
			return false;
	return true;
}

bool bt_name_by_cookie(const struct world *w, const struct bt_probe *p)
{
	enum probe_kind kind = p->matched.list.len ? p->matched.list.at[0]->kind : PK_COUNT;
	bool has_cookies = is_fentry_multi(w, p) || kind == PK_KPROBE || kind == PK_KRETPROBE || kind == PK_UPROBE ||
			   kind == PK_URETPROBE || kind == PK_TRACEPOINT;
	return has_cookies && p->matched.list.len > 1 && w && w->features.attach_cookie;
}

/* Must each place have a function of its own? */
bool bt_is_per_point(const struct world *w, const struct bt_probe *p)
{
	bool is_usdt = p->matched.list.len && p->matched.list.at[0]->kind == PK_USDT;
	if (is_usdt && bt_probe_has(p, names_numbered_arg))
		return true;
	bool named = bt_probe_has(p, names_probe) && !bt_name_by_cookie(w, p);
	return named || bt_probe_has(p, names_args) || bt_probe_has(p, names_uaddr);
}

/* The kernel hands a place's number to the program that runs there. */
void bt_number_points(const struct bt_probe *p)
{
	for (size_t i = 0; i < p->matched.list.len; i++)
		p->matched.list.at[i]->cookie = i;
}

/* --- one function
 * ------------------------------------------------------------------------------------------------
 */

/* -p: user probes and perf events are opened for the process; kernel events are filtered here. */
static bool needs_pid_filter(const struct world *w, enum probe_kind kind)
{
	static const enum probe_kind kernel[] = {PK_KPROBE, PK_KRETPROBE,     PK_FENTRY,
						 PK_FEXIT,  PK_RAWTRACEPOINT, PK_TRACEPOINT,
						 PK_LSM};
	if (!w->pid || w->cmd_path)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(kernel); i++)
		if (kernel[i] == kind)
			return true;
	return false;
}

void bt_stop_unless(struct bt_lower *l, ir_ref cond)
{
	struct ir_builder *b = &l->kit.b;
	uint32_t go = ir_block_new(b, "passed"), out = ir_block_new(b, "filtered");
	ir_br(b, cond, go, out);
	ir_at(b, out);
	kit_return(&l->kit, 0);
	ir_at(b, go);
}

static void filter(struct bt_lower *l, enum probe_kind kind)
{
	struct ir_builder *b = &l->kit.b;
	if (needs_pid_filter(l->in->world, kind)) {
		ir_ref pid = ir_bini(b, IR_LSHR, bt_ns_pid_tgid(l, false), 32);
		bt_stop_unless(l, ir_bini(b, IR_EQ, pid, l->in->world->pid));
	}
	if (l->probe->predicate) {
		uint32_t mark = kit_mark(&l->kit);
		bt_stop_unless(l, bt_lower_cond(l, l->probe->predicate));
		kit_release(&l->kit, mark);
	}
	if (!l->probe->session && !l->probe->in_session) /* there both handlers take it, so it is taken before */
		kit_scratch_here(&l->kit);
}

/* The value of the body's last expression is nobody's. */
static void lower_body(struct bt_lower *l)
{
	bt_lower_block(l, l->probe->body);
	if (l->probe->body->value)
		bt_lower_expr(l, l->probe->body->value);
}

char *bt_fn_name(struct bt_lower *l, const struct attach_point *p)
{
	char *name = arena_printf(l->in->arena, "%s_%zu", p->name, l->kit.prog->probe.len + 1);
	for (char *c = name; *c; c++)
		if (!strchr("_.", *c) && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9'))
			*c = '_';
	return name;
}

void bt_lower_handler(struct bt_lower *l, struct bt_probe *p, struct attach_point *point)
{
	l->probe = p;
	l->point = point;
	/* sema has looked at them when the handler asks */
	l->args = p->args ? probe_arguments(l->in->world, point, l->in->arena) : NULL;
	l->locals_here = bt_probe_has(p, names_local) ? probe_locals(l->in->world, point, l->in->arena) : NULL;
	l->loop = NULL;
	l->kit.point = point;
	filter(l, point->kind);
	lower_body(l);
	vec_each(v, &l->locals)
		(*v)->storage = NULL;
	l->locals.len = 0;
}

static struct ir_fn *lower_fn(struct bt_lower *l, struct attach_point *p, enum prog_kind kind)
{
	struct ir_fn *fn = kit_begin(&l->kit, bt_fn_name(l, p), kind, l->probe->loc);
	bt_lower_handler(l, l->probe, p);
	kit_end(&l->kit);
	l->round++;
	return fn;
}

/* --- one probe
 * -------------------------------------------------------------------------------------------------------
 */

/* Families whose places may all share one program. */
static bool can_group(enum probe_kind k)
{
	switch (k) {
	case PK_KPROBE:
	case PK_KRETPROBE:
	case PK_FENTRY:
	case PK_FEXIT:
	case PK_RAWTRACEPOINT:
	case PK_TRACEPOINT:
	case PK_UPROBE:
	case PK_URETPROBE: return true;
	default: return false;
	}
}

static enum prog_kind prog_kind_for(struct bt_lower *l, const struct probe *group,
				    enum probe_kind kind)
{
	const struct world *w = l->in->world;
	enum prog_kind k = probe_prog_kind(group->points[0]);
	if (!l->is_per_point && is_fentry_multi(w, l->probe))
		return kind == PK_FENTRY ? PROG_FENTRY_MULTI : PROG_FEXIT_MULTI;
	bool is_user = kind == PK_UPROBE || kind == PK_URETPROBE;
	bool is_kernel = kind == PK_KPROBE || kind == PK_KRETPROBE;
	if (group->npoints < 2 || (!is_user && !is_kernel))
		return k;
	if (is_user && w->pid && !w->features.uprobe_multi_pid)
		return k;
	for (uint32_t i = 0; i < group->npoints; i++)
		if (is_kernel && (group->points[i]->offset || group->points[i]->func == NULL ||
				  (group->points[i]->address && !group->points[i]->is_entry)))
			return k;
	if (is_user && w->features.uprobe_multi)
		return PROG_UPROBE_MULTI;
	return is_kernel && w->features.kprobe_multi ? PROG_KPROBE_MULTI : k;
}

static void set_target(struct probe *to)
{
	const struct attach_point *p = to->points[0];
	to->btf_target = p->func;
	to->btf_id = p->btf_id;
}

/* May one program be for both places?  The arguments of those that go by an event's record lie where it has them. */
static bool can_share(const struct attach_point *a, const struct attach_point *b)
{
	if (a->kind != b->kind || a->kind != PK_RAWTRACEPOINT)
		return a->kind == b->kind;
	return a->is_raw_event == b->is_raw_event && (!a->is_raw_event || str_eq(a->func, b->func));
}

/* Points [from, to) of the list that may be one program. */
static uint32_t group_end(struct bt_lower *l, uint32_t from, bool per_point)
{
	struct attach_points *all = &l->probe->matched;
	uint32_t to = from + 1;
	enum probe_kind kind = all->list.at[from]->kind;
	if (per_point || !can_group(kind))
		return to;
	/* a program for many typed functions is made for those of one file */
	bool one_file = is_fentry_multi(l->in->world, l->probe);
	while (to < all->list.len && can_share(all->list.at[to], all->list.at[from]) &&
	       (!one_file || str_eq(all->list.at[to]->target, all->list.at[from]->target)))
		to++;
	return to;
}

static void lower_probe(struct bt_lower *l, struct bt_probe *p)
{
	struct program *prog = l->kit.prog;
	bool per_point = l->is_per_point = bt_is_per_point(l->in->world, p);
	struct ir_fn *fn = NULL;
	enum prog_kind fn_kind = PROG_USER;
	l->probe = p;
	l->round = 0;
	if (!per_point && bt_probe_has(p, names_probe))
		bt_number_points(p);
	for (uint32_t i = 0; i < p->matched.list.len;) {
		uint32_t end = group_end(l, i, per_point);
		struct attach_point *first = p->matched.list.at[i];
		struct probe group = {.points = p->matched.list.at + i, .npoints = end - i};
		enum prog_kind kind = prog_kind_for(l, &group, first->kind);
		if (!fn || per_point || fn_kind != kind || !can_share(l->point, first))
			fn = lower_fn(l, first, fn_kind = kind);
		struct probe *to = program_probe(prog, first->name, fn, kind);
		to->points = arena_memdup(l->in->arena, group.points,
					  group.npoints * sizeof(*group.points));
		to->npoints = group.npoints;
		to->loc = p->loc;
		set_target(to);
		i = end;
	}
}

/* --- the script
 * ---------------------------------------------------------------------------------------------------------
 */

/* Families whose handlers run in interrupts: elements cannot be allocated as they are used, more
 * than a few at once, so that the maps they write have theirs from the start.  So do maps that are
 * written in loops. */
static bool runs_in_interrupt(enum probe_kind k)
{
	return k == PK_PROFILE || k == PK_INTERVAL || k == PK_SOFTWARE || k == PK_HARDWARE ||
	       k == PK_WATCHPOINT;
}

static bool preallocate_map(struct bt_walk *w, struct bt_expr *e)
{
	const size_t most = 64 << 20;
	struct map *m = e->kind == BT_MAP && e->var && e->var->value ? e->var->map : NULL;
	bool writes = m && (e->nkid || e->var->value->kind == TYPE_TSERIES);
	if (writes && (size_t)m->nentries * (m->key_size + m->value_size) < most)
		m->no_prealloc = false;
	return true;
}

/* A map of which the script says how large it is has all its elements, too. */
static void preallocate_declared(struct bt_lower *l, struct var *v)
{
	const size_t most = 256 << 20;
	struct map *m = v->map;
	size_t cpus = m->kind == MAP_PERCPU_HASH ? MAX(l->kit.prog->ncpus, 1u) : 1;
	if (bt_var_info(v)->decl && m->no_prealloc &&
	    (size_t)m->nentries * (m->key_size + m->value_size * cpus) < most)
		m->no_prealloc = false;
}

static bool preallocate_loop(struct bt_walk *w, struct bt_stmt *st)
{
	struct bt_walk maps = {.expr = preallocate_map};
	if (st->kind == BT_S_FOR_MAP || st->kind == BT_S_FOR_RANGE || st->kind == BT_S_WHILE)
		bt_walk_block(&maps, st->body);
	return true;
}

static void preallocate(struct bt_lower *l)
{
	struct bt_walk all = {.expr = preallocate_map}, loops = {.stmt = preallocate_loop};
	for (struct bt_probe *p = l->script->probe; p; p = p->next) {
		bool in_interrupt =
			p->matched.list.len && runs_in_interrupt(p->matched.list.at[0]->kind);
		bt_walk_block(in_interrupt ? &all : &loops, p->body);
	}
}

/* Maps that are declared and never used do not exist. */
static void define_vars(struct bt_lower *l)
{
	struct program *p = l->kit.prog;
	size_t n = 0;
	vec_each(it, &p->var) {
		struct var *v = *it;
		if (!v->value)
			continue;
		if (v->is_lru) {
			v->is_declared = true;
			v->declared_kind =
				type_is_agg(v->value) ? MAP_LRU_PERCPU_HASH : MAP_LRU_HASH;
		}
		v->id = (unsigned)n;
		p->var.at[n++] = v;
		v->tells_unset = true;
		kit_var_define(&l->kit, v);
		preallocate_declared(l, v);
	}
	p->var.len = n;
}

/* --- named options: what comes after -- must be asked for by some getopt() --- */

static bool collect_option(struct bt_walk *w, struct bt_expr *e)
{
	struct bt_option *o = e->data;
	if (e->call && !strcmp(e->call->name, "getopt") && o)
		strtab_set(w->arg, o->name, o);
	return true;
}

static void expected_options(const struct strtab *options, struct buf *out, bool as_lines)
{
	buf_puts(out, "expected program options:");
	vec_each(e, &options->entry) {
		const struct bt_option *o = e->value;
		buf_printf(out, "%s--%s",
			   as_lines                 ? "\n"
			   : e == options->entry.at ? " "
						    : ", ",
			   e->key);
		if (as_lines && o->description)
			buf_printf(out, ": %s", o->description);
	}
}

static void check_options(struct bt_lower *l)
{
	struct strtab options = {0};
	struct buf unknown = {0}, expected = {0};
	bool help = false;
	struct bt_walk w = {.expr = collect_option, .arg = &options};
	for (struct bt_probe *p = l->script->probe; p; p = p->next) {
		bt_walk_expr(&w, p->predicate);
		bt_walk_block(&w, p->body);
	}
	for (unsigned i = 0; i < l->in->nparams; i++) {
		const char *p = l->in->params[i];
		size_t n = strncmp(p, "--", 2) ? 0 : strcspn(p + 2, "=");
		help = help || !strcmp(p, "--help");
		if (n && strcmp(p, "--help") && !strtab_getn(&options, p + 2, n))
			buf_printf(&unknown, "%s--%.*s", unknown.len ? ", " : "", (int)n, p + 2);
	}
	expected_options(&options, &expected, help);
	if (unknown.len)
		diag_hint(l->in->diags,
			  diag_error(l->in->diags, (struct loc){0},
				     "unexpected program command line options: %s",
				     buf_str(&unknown)),
			  "%s", buf_str(&expected));
	else if (help) { /* asked for: nothing is wrong, and nothing runs */
		struct diag *d = diag_error(l->in->diags, (struct loc){0}, "%s", "");
		diag_hint(l->in->diags, d, "%s", buf_str(&expected));
	}
	buf_free(&unknown);
	buf_free(&expected);
	strtab_free(&options);
}

static bool one_at_a_time(struct world *w, const struct bt_script *s)
{
	for (const struct bt_probe *p = s->probe; p; p = p->next)
		vec_each(point, &p->matched.list)
			if (!probe_runs_alone(w, *point))
				return false;
	return true;
}

bool bt_lower(struct bt_sema *s)
{
	struct bt_lower l = {.in = s->in, .script = s->script, .sema = s};
	l.kit.prog = s->prog;
	l.kit.world = s->in->world;
	l.kit.prog->one_at_a_time = one_at_a_time(s->in->world, s->script);
	l.kit.helper_errors = s->in->opt.helper_errors;
	check_options(&l);
	define_vars(&l);
	preallocate(&l);
	bt_find_sessions(s->in->world, s->script);
	for (struct bt_probe *p = s->script->probe; p; p = p->next) {
		if (p->session)
			bt_lower_session(&l, p);
		else if (!p->in_session)
			lower_probe(&l, p);
	}
	kit_finish_entries(&l.kit);
	vec_free(&l.locals);
	return !s->in->diags->errors;
}
