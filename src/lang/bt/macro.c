/*
 * macro.c - names that stand for other text: macros of the script; those that the C part defines are in define.c.
 *
 * A macro's body is copied to where it is used, as a block.  Its parameters: `$x` and `@m` are the
 * caller's own variable and map; a plain word is the caller's expression or type.  Variables of the
 * body get names that no script can spell, maps may only be parameters.
 */
#include <limits.h>

#include "lang/bt/sema.h"

enum {
	MAX_DEPTH = 32,
	MAX_EXPANSIONS = 20000,
	MAX_NODES = 1 << 20,
	MAX_HEIGHT = 1000
};

struct expander {
	struct bt_sema *s;
	const struct bt_macro *stack[MAX_DEPTH];
	unsigned depth;
	/* of all expansions, and nodes copied: text may double at every step */
	unsigned *count, *nodes;
};

/* One use of a macro while its body is put together. */
struct use {
	struct expander *x;
	const struct bt_macro *macro;
	struct bt_expr **arg;
	struct strtab renamed; /* $x -> its new name */
};

static void expand_in_expr(struct expander *x, struct bt_expr *e);
static void expand_in_block(struct expander *x, struct bt_block *b);

/* --- which macro --------------------------------------------------------------------------------
 */

/* How far arguments are from what a macro wants; a wrong number of them weighs most. */
static unsigned distance(const struct bt_macro *m, struct bt_expr *const *arg, unsigned n)
{
	unsigned d = 1024 * (m->nparam > n ? m->nparam - n : n - m->nparam);
	for (unsigned i = 0; i < m->nparam && i < n; i++) {
		bool bare = arg[i]->kind == m->param[i]->kind && !arg[i]->nkid;
		d += m->param[i]->kind != BT_IDENT && !bare;
	}
	return d;
}

/* The macro that fits exactly, else NULL and the nearest one of that name. */
static const struct bt_macro *lookup(const struct bt_script *script, const char *name,
				     struct bt_expr *const *arg, unsigned n,
				     const struct bt_macro *before, const struct bt_macro **nearest)
{
	unsigned best = UINT_MAX;
	*nearest = NULL;
	for (const struct bt_macro *m = script->macro; m && m != before; m = m->next) {
		if (m->is_fn || strcmp(m->name, name))
			continue;
		unsigned d = distance(m, arg, n);
		if (!d)
			return m;
		if (d < best) {
			best = d;
			*nearest = m;
		}
	}
	return NULL;
}

static const char *what(enum bt_expr_kind kind)
{
	return kind == BT_MAP ? "map" : kind == BT_VAR ? "variable" : "expression";
}

static const char *with_article(enum bt_expr_kind kind)
{
	return kind == BT_MAP ? "a map" : kind == BT_VAR ? "a variable" : "an expression";
}

static void no_fit(struct bt_sema *s, const struct bt_expr *e, const struct bt_macro *m)
{
	struct diag *d = bt_err_now(
		s, e->loc, "Call to %s() has arguments that do not match any definition.", m->name);
	if (m->nparam != e->nkid) {
		bt_hint(s, d,
			"The closest definition of %s() has a different number of arguments. Expected: %u "
			"but got %u",
			m->name, m->nparam, e->nkid);
		return;
	}
	for (unsigned i = 0; i < m->nparam; i++) {
		enum bt_expr_kind want = m->param[i]->kind, got = e->kid[i]->kind;
		if (want == BT_IDENT || (want == got && !e->kid[i]->nkid))
			continue;
		enum bt_expr_kind shown = e->kid[i]->nkid ? BT_IDENT : got;
		bt_err_now(s, e->kid[i]->loc,
			   "Mismatched arg. %s() expects a %s for arg %s but got %s.", m->name,
			   what(want), m->param[i]->text, with_article(shown));
	}
}

/* --- definitions --------------------------------------------------------------------------------
 */

static void check_params(struct bt_sema *s, const struct bt_macro *m)
{
	for (unsigned i = 0; i < m->nparam; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct bt_expr *p = m->param[i];
			if (strcmp(p->text, m->param[j]->text))
				continue;
			bt_err_now(s, p->loc, "%s for macro argument has already been used: %s",
				   p->kind == BT_VAR   ? "Variable"
				   : p->kind == BT_MAP ? "Map"
						       : "Ident",
				   p->text);
			return;
		}
	}
}

static void check_definitions(struct bt_sema *s)
{
	const struct bt_macro *nearest;
	for (const struct bt_macro *m = s->script->macro; m; m = m->next) {
		if (m->is_fn)
			continue;
		if (lookup(s->script, m->name, m->param, m->nparam, m, &nearest))
			bt_err_now(s, m->loc, "Redefinition of macro: %s", m->name);
		check_params(s, m);
	}
}

/* --- parameters in the copied body --------------------------------------------------------------
 */

static int param_index(const struct use *u, const char *name)
{
	for (unsigned i = 0; i < u->macro->nparam; i++)
		if (!strcmp(u->macro->param[i]->text, name))
			return (int)i;
	return -1;
}

static struct arena *arena_of(const struct use *u)
{
	return u->x->s->in->arena;
}

static void rename_variable(struct use *u, struct bt_expr *e)
{
	int i = param_index(u, e->text);
	const char *name = i >= 0 ? u->arg[i]->text : strtab_get(&u->renamed, e->text);
	if (name)
		e->text = name;
}

/* The variable belongs to the body: from here on it has a name of its own. */
static void own_variable(struct use *u, const struct bt_expr *e)
{
	if (param_index(u, e->text) >= 0 || strtab_get(&u->renamed, e->text))
		return;
	strtab_set(&u->renamed, e->text,
		   arena_printf(arena_of(u), "$$%s_%u_%s", u->macro->name, u->x->depth, e->text));
}

static void rename_map(struct use *u, struct bt_expr *e)
{
	int i = param_index(u, e->text);
	if (i >= 0)
		e->text = u->arg[i]->text;
	else
		bt_err_now(
			u->x->s, e->loc,
			"Unhygienic access to map: %s. Maps must be passed into the macro as arguments.",
			e->text);
}

static void too_much(struct expander *x, struct loc loc)
{
	if (*x->count != UINT_MAX / 2)
		bt_err_now(x->s, loc, "macros expand to too much text");
	*x->count = UINT_MAX / 2;
}

static bool count_node(struct bt_walk *w, struct bt_expr *e)
{
	unsigned *nodes = w->arg;
	(void)e;
	return ++*nodes <= MAX_NODES;
}

static struct bt_expr *copy_arg(struct use *u, unsigned i)
{
	struct bt_copy how = {.a = arena_of(u)};
	struct bt_walk counter = {.expr = count_node, .arg = u->x->nodes};
	bt_walk_expr(&counter, u->arg[i]);
	if (*u->x->nodes > MAX_NODES) {
		too_much(u->x, u->arg[i]->loc);
		return u->arg[i];
	}
	struct bt_expr *arg = bt_clone_expr(&how, u->arg[i]);
	if ((arg->kind != BT_VAR && arg->kind != BT_MAP) || arg->nkid)
		return arg;
	/* by value: a block that yields it */
	struct bt_expr *block = arena_new(arena_of(u), struct bt_expr);
	block->kind = BT_BLOCK;
	block->loc = arg->loc;
	block->height = 2;
	block->then_block = arena_new(arena_of(u), struct bt_block);
	block->then_block->loc = arg->loc;
	block->then_block->value = arg;
	return block;
}

/* A type whose base is a parameter: the caller's type with the suffixes of both. */
static void fill_type(struct use *u, struct bt_type_name *t)
{
	const char *space = t->base ? strrchr(t->base, ' ') : NULL,
		   *name = space ? space + 1 : t->base;
	int i = name ? param_index(u, name) : -1;
	if (i < 0)
		return;
	const struct bt_expr *arg = u->arg[i];
	const struct bt_type_name *in = arg->kind == BT_TYPEOF ? arg->type_name : NULL;
	const char *base = arg->kind == BT_IDENT ? arg->text : in ? in->base : NULL;
	if (in && in->typeof_expr && in->typeof_expr->kind == BT_IDENT)
		base = in->typeof_expr->text;
	if (space && (!base || strchr(base, ' ') || (in && in->nsuffix)))
		base = NULL;
	if (!base && !(in && in->typeof_expr && !space)) {
		bt_err_now(
			u->x->s, arg->loc,
			"Invalid replacement for macro '%s' type parameter '%s' which makes up the type '%s'",
			u->macro->name, name, t->base);
		return;
	}
	unsigned n = in ? in->nsuffix : 0;
	int64_t *suffix = arena_array(arena_of(u), int64_t, n + t->nsuffix + 1);
	for (unsigned k = 0; k < n + t->nsuffix; k++)
		suffix[k] = k < n ? in->suffix[k] : t->suffix[k - n];
	if (base)
		t->base = space ? arena_printf(arena_of(u), "%.*s %s", (int)(space - t->base),
					       t->base, base)
				: base;
	else
		t->typeof_expr = in->typeof_expr;
	t->suffix = suffix;
	t->nsuffix += n;
	for (t->stars = 0; t->stars < t->nsuffix && suffix[t->stars] == -1;)
		t->stars++;
}

/* sizeof(t), offsetof(t, m), typeof(t): a lone word that is a parameter may be given a type. */
static void fill_type_or_expr(struct use *u, struct bt_expr *e)
{
	if (e->nkid && e->kid[0]->kind == BT_IDENT) {
		int i = param_index(u, e->kid[0]->text);
		if (i >= 0 && u->arg[i]->kind == BT_TYPEOF) {
			e->type_name = u->arg[i]->type_name;
			e->nkid = 0;
		}
	}
	for (uint64_t i = 0; e->kind == BT_OFFSETOF && e->num == 1 && i < 1; i++) {
		int at = param_index(u, e->names[0]);
		if (at < 0)
			continue;
		VEC(const char *) path = {0};
		const struct bt_expr *f = u->arg[at];
		for (; f->kind == BT_FIELD; f = f->kid[0])
			vec_push(&path, f->text);
		if (f->kind == BT_IDENT)
			vec_push(&path, f->text);
		e->num = path.len;
		e->names = arena_array(arena_of(u), const char *, path.len + 1);
		for (size_t k = 0; k < path.len; k++)
			e->names[k] = path.at[path.len - 1 - k];
		vec_free(&path);
	}
}

static void fill_type_name(struct use *u, struct bt_expr *e)
{
	struct bt_type_name *t = e->type_name;
	if (!t)
		return;
	if (t->typeof_expr && t->typeof_expr->kind == BT_IDENT) {
		int i = param_index(u, t->typeof_expr->text);
		if (i >= 0 && u->arg[i]->kind == BT_TYPEOF)
			*t = *u->arg[i]->type_name;
	}
	fill_type(u, t);
}

/* --- the walk over the copied body --------------------------------------------------------------
 */

static void fill_block(struct use *u, struct bt_block *b);

static void fill_expr(struct use *u, struct bt_expr *e)
{
	if (e->kind == BT_IDENT) {
		int i = param_index(u, e->text);
		if (i >= 0) {
			bt_replace(e, copy_arg(u, (unsigned)i));
			return; /* the caller's: not to be changed */
		}
	}
	if (e->kind == BT_VAR)
		rename_variable(u, e);
	else if (e->kind == BT_MAP)
		rename_map(u, e);
	else if (e->kind == BT_SIZEOF || e->kind == BT_OFFSETOF)
		fill_type_or_expr(u, e);
	fill_type_name(u, e);
	for (unsigned i = 0; i < e->nkid; i++)
		if (e->kid[i])
			fill_expr(u, e->kid[i]);
	if (e->type_name && e->type_name->typeof_expr)
		fill_expr(u, e->type_name->typeof_expr);
	if (e->then_block)
		fill_block(u, e->then_block);
	if (e->else_block)
		fill_block(u, e->else_block);
	if (e->kind == BT_IDENT || e->kind == BT_CALL)
		expand_in_expr(u->x, e);
}

static void fill_stmt(struct use *u, struct bt_stmt *st)
{
	bool declares =
		st->kind == BT_S_LET || st->kind == BT_S_FOR_MAP || st->kind == BT_S_FOR_RANGE;
	if (st->kind == BT_S_LET && param_index(u, st->expr->text) >= 0)
		bt_err_now(u->x->s, st->name_loc, "Variable declaration shadows macro arg %s",
			   st->expr->text);
	if (declares || (st->kind == BT_S_ASSIGN && st->expr->kind == BT_VAR))
		own_variable(u, st->expr);
	struct bt_expr *const part[] = {st->expr, st->value, st->value2};
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		if (part[i])
			fill_expr(u, part[i]);
	if (st->type_name) {
		struct bt_expr holder = {.type_name = st->type_name};
		fill_type_name(u, &holder);
		if (st->type_name->typeof_expr)
			fill_expr(u, st->type_name->typeof_expr);
	}
	if (st->body)
		fill_block(u, st->body);
	if (st->other)
		fill_block(u, st->other);
}

static void fill_block(struct use *u, struct bt_block *b)
{
	for (struct bt_stmt *st = b->first; st; st = st->next)
		fill_stmt(u, st);
	if (b->value)
		fill_expr(u, b->value);
}

/* --- expansion ----------------------------------------------------------------------------------
 */

static bool is_recursive(struct expander *x, const struct bt_macro *m, struct loc loc)
{
	for (unsigned i = 0; i < x->depth; i++) {
		if (x->stack[i] != m)
			continue;
		struct buf chain = {0};
		for (unsigned j = i; j < x->depth; j++)
			buf_printf(&chain, "%s > ", x->stack[j]->name);
		bt_err_now(x->s, loc, "Recursive macro call detected. Call chain: %s%s",
			   buf_str(&chain), m->name);
		buf_free(&chain);
		return true;
	}
	return false;
}

static bool may_expand(struct expander *x, struct loc loc)
{
	if (x->depth < MAX_DEPTH && ++*x->count <= MAX_EXPANSIONS)
		return true;
	too_much(x, loc);
	return false;
}

static unsigned block_height(struct bt_block *b);

static unsigned expr_height(struct bt_expr *e)
{
	unsigned h = 0;
	for (unsigned i = 0; i < e->nkid; i++)
		h = MAX(h, e->kid[i] ? expr_height(e->kid[i]) : 0);
	if (e->type_name && e->type_name->typeof_expr)
		h = MAX(h, expr_height(e->type_name->typeof_expr));
	if (e->then_block)
		h = MAX(h, block_height(e->then_block));
	if (e->else_block)
		h = MAX(h, block_height(e->else_block));
	return h + 1;
}

static unsigned block_height(struct bt_block *b)
{
	unsigned h = b->value ? expr_height(b->value) : 0;
	for (struct bt_stmt *st = b->first; st; st = st->next) {
		struct bt_expr *const part[] = {st->expr, st->value, st->value2};
		for (size_t i = 0; i < ARRAY_SIZE(part); i++)
			h = MAX(h, part[i] ? expr_height(part[i]) : 0);
		h = MAX(h, st->body ? block_height(st->body) : 0);
		h = MAX(h, st->other ? block_height(st->other) : 0);
	}
	return h + 1;
}

static void put_macro(struct expander *x, struct bt_expr *e, const struct bt_macro *m)
{
	struct arena *a = x->s->in->arena;
	struct loc *from = arena_memdup(a, &e->loc, sizeof(e->loc));
	struct source *src = arena_memdup(a, m->loc.src, sizeof(*m->loc.src));
	struct bt_copy how = {.a = a, .from = m->loc.src, .as = src};
	struct bt_expr with = {.kind = BT_BLOCK, .loc = e->loc, .height = e->height};
	src->from = from;
	with.then_block = bt_clone_block(&how, m->body);
	struct use u = {.x = x, .macro = m, .arg = e->kid};
	x->stack[x->depth++] = m;
	fill_block(&u, with.then_block);
	x->depth--;
	strtab_free(&u.renamed);
	if (block_height(with.then_block) > MAX_HEIGHT)
		too_much(x, e->loc); /* whoever looks at it goes down that deep */
	else
		bt_replace(e, &with);
}

/* A call or a lone word that names a macro. */
static void expand_in_expr(struct expander *x, struct bt_expr *e)
{
	const struct bt_macro *nearest, *m;
	unsigned n = e->kind == BT_CALL ? e->nkid : 0;
	m = lookup(x->s->script, e->text, e->kid, n, NULL, &nearest);
	if (!m) {
		bool ours = bt_builtin_find(e->text) || bt_call_find(e->text);
		if (nearest && !ours)
			no_fit(x->s, e, nearest);
		return;
	}
	if (!is_recursive(x, m, e->loc) && may_expand(x, e->loc))
		put_macro(x, e, m);
}

static void expand_after(struct bt_walk *w, struct bt_expr *e)
{
	if (e->kind == BT_CALL || e->kind == BT_IDENT)
		expand_in_expr(w->arg, e);
}

static bool is_type_position(struct bt_walk *w, struct bt_expr *e)
{
	(void)w;
	/* a lone word in sizeof() is the name of a type */
	bool type_word = (e->kind == BT_SIZEOF || e->kind == BT_OFFSETOF) && e->nkid &&
			 e->kid[0]->kind == BT_IDENT;
	return !type_word;
}

static void expand_in_block(struct expander *x, struct bt_block *b)
{
	struct bt_walk w = {.expr = is_type_position, .expr_after = expand_after, .arg = x};
	bt_walk_block(&w, b);
}

/* --- aggregations at the end of a block ---------------------------------------------------------
 */

/* `@x = { ...; count() }`: the statements, then `@x = count()`. */
static bool sink_assignment(struct bt_walk *w, struct bt_stmt *st)
{
	struct bt_sema *s = w->arg;
	while (st->kind == BT_S_ASSIGN && st->expr->kind == BT_MAP && st->value->kind == BT_BLOCK &&
	       !st->is_compound && st->value->then_block->value) {
		struct bt_block *b = st->value->then_block;
		const struct bt_expr *last = b->value;
		while (last->kind == BT_BLOCK && last->then_block->value)
			last = last->then_block->value;
		const struct bt_call *call =
			last->kind == BT_CALL ? bt_call_find(last->text) : NULL;
		if (!call || !(call->flags & BT_F_MAP_VALUE))
			break;
		struct bt_stmt *inner = arena_memdup(s->in->arena, st, sizeof(*st)),
			       **at = &b->first;
		inner->value = b->value;
		inner->next = NULL;
		b->value = NULL;
		while (*at)
			at = &(*at)->next;
		*at = inner;
		st->kind = BT_S_BLOCK;
		st->body = b;
		st->expr = st->value = NULL;
		st = inner;
	}
	return true;
}

void bt_expand_macros(struct bt_sema *s)
{
	unsigned count = 0, nodes = 0;
	check_definitions(s);
	if (s->in->diags->errors)
		return;
	for (struct bt_probe *p = s->script->probe; p; p = p->next) {
		struct expander x = {.s = s, .count = &count, .nodes = &nodes};
		struct bt_walk pred = {
			.expr = is_type_position, .expr_after = expand_after, .arg = &x};
		if (s->script->macro) {
			bt_walk_expr(&pred, p->predicate);
			expand_in_block(&x, p->body);
		}
		bt_expand_defines(s, p);
		struct bt_walk sink = {.stmt = sink_assignment, .arg = s};
		bt_walk_block(&sink, p->body);
	}
}
