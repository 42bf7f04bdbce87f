/* resolve.c - binds names: variables to locals and globals, calls to functions. */
#include <stdlib.h>

#include "lang/stp/native.h"

struct resolver {
	struct stp_comp *c;
	struct stp_dprobe *probe; /* NULL in functions */
	struct stp_func *func;
	struct stp_scope *scope;
};

/* --- symbols ----------------------------------------------------------------------------------------------- */

static struct stp_file *file_of(struct stp_comp *c, struct loc loc)
{
	for (size_t i = 0; i < c->files.len; i++)
		if (c->files.at[i]->src == loc.src)
			return c->files.at[i];
	return c->user;
}

static void put_text(struct buf *b, const char *text)
{
	buf_putc(b, '"');
	for (const char *p = text; *p; p++)
		buf_printf(b, strchr("\"\\", *p) ? "\\%c" : *p == '\n' ? "\\n" : "%c", *p);
	buf_putc(b, '"');
}

/* argv_N: an argument, or "" */
static void make_argument(struct stp_comp *c, const char *name)
{
	char *end;
	unsigned long n = strtoul(name + strlen("argv_"), &end, 10);
	struct buf b = {0};
	if (*end || n < 1 || n > 32)
		return;
	buf_printf(&b, "global %s = ", name);
	put_text(&b, n <= c->in->nparams ? c->in->params[n - 1] : "");
	stp_add_tapset(c, arena_printf(c->a, "%s.stp", name), arena_strdup(c->a, buf_str(&b)));
	buf_free(&b);
}

/* argc and argv: written as script when they are used. */
static void make_argv(struct stp_comp *c)
{
	struct buf b = {0};
	buf_printf(&b, "global argc = %u, argv[%u]\nprobe begin(-9223372036854775808) {\n", c->in->nparams, MAX(c->in->nparams, 32u));
	for (unsigned i = 0; i < c->in->nparams; i++) {
		buf_printf(&b, "argv[%u] = ", i + 1);
		put_text(&b, c->in->params[i]);
		buf_putc(&b, '\n');
	}
	buf_puts(&b, "argc = argc }\n");
	stp_add_tapset(c, "argv.stp", arena_strdup(c->a, buf_str(&b)));
	buf_free(&b);
}

static void use_file(struct stp_comp *c, struct stp_file *f)
{
	if (!f || !f->is_tapset || f->probes_expanded)
		return;
	f->probes_expanded = true;
	for (struct stp_probe *p = f->probe; p; p = p->next)
		if (!p->alias)
			stp_expand_probe(c, p);
}

static struct stp_global *find_global(struct stp_comp *c, const char *name, struct loc loc)
{
	struct stp_file *f = file_of(c, loc);
	for (struct stp_global *g = f->global; g; g = g->next)
		if (g->is_private && str_eq(g->name, name))
			return g;
	if ((str_eq(name, "argc") || str_eq(name, "argv")) && !strtab_get(&c->globals, name))
		make_argv(c);
	if (str_has_prefix(name, "argv_") && !strtab_get(&c->globals, name))
		make_argument(c, name);
	if (str_eq(name, "NULL") && !strtab_get(&c->globals, name))
		stp_add_tapset(c, "null.stp", "global NULL = 0");
	return strtab_get(&c->globals, name);
}

static struct stp_global *use_global(struct stp_comp *c, struct stp_global *g)
{
	if (!g->reachable) {
		g->reachable = true;
		vec_push(&c->used_globals, g);
		use_file(c, g->file);
	}
	return g;
}

static struct stp_local *find_local(struct stp_scope *s, const char *name)
{
	for (struct stp_local *l = s->local; l; l = l->next)
		if (str_eq(l->name, name))
			return l;
	return NULL;
}

static struct stp_local *make_local(struct resolver *r, const struct stp_expr *e)
{
	struct stp_local *l = arena_new(r->c->a, struct stp_local);
	l->name = e->text;
	l->loc = e->loc;
	*r->scope->tail = l;
	r->scope->tail = &l->next;
	return l;
}

static void set_arity(struct stp_comp *c, struct stp_global *g, unsigned n, struct loc loc)
{
	if (n > STP_MAXKEYS) {
		stp_error(c, loc, "array has too many indexes (more than %d)", STP_MAXKEYS);
	} else if (g->nkeys < 0) {
		g->nkeys = (int)n;
		g->arity_loc = loc;
	} else if ((unsigned)g->nkeys != n) {
		struct diag *d = stp_error(c, loc, "inconsistent arity (%u vs %d)", n, g->nkeys);
		if (g->arity_loc.src)
			stp_chain(c, d, g->arity_loc, "arity %d first inferred here", g->nkeys);
	}
}

static void resolve_array(struct resolver *r, struct stp_expr *e, unsigned n)
{
	struct stp_global *g = find_global(r->c, e->text, e->loc);
	if (!g) {
		stp_error(r->c, e->loc, "unresolved arity-%u global array %s, missing global declaration?", n, e->text);
		return;
	}
	e->global = use_global(r->c, g);
	set_arity(r->c, g, n, e->loc);
}

static void resolve_symbol(struct resolver *r, struct stp_expr *e, bool whole)
{
	if (e->local || e->global)
		return;
	struct stp_local *l = find_local(r->scope, e->text);
	if (l && l->is_param) {
		e->local = l;
		return;
	}
	struct stp_global *g = find_global(r->c, e->text, e->loc);
	/* what the script calls its globals is no business of the tapset's functions */
	if (g && r->func && r->func->file->is_tapset && !(g->file && g->file->is_tapset))
		g = NULL;
	if (!g) {
		e->local = l ? l : make_local(r, e);
		return;
	}
	e->global = use_global(r->c, g);
	if (!whole)
		set_arity(r->c, g, 0, e->loc);
}

/* --- functions ------------------------------------------------------------------------------------------------ */

static struct stp_func *native_func(struct stp_comp *c, const struct stp_native *n)
{
	struct stp_func *f = arena_new(c->a, struct stp_func);
	*f = (struct stp_func){.name = n->name, .native = n, .is_tapset = true, .nparam = stp_native_nargs(n)};
	f->declared = f->ret.type = stp_native_type(n->sig[0]);
	f->returns_value = f->declared != ST_UNKNOWN;
	f->is_pure = n->flags & NF_PURE;
	f->purity_known = true;
	strtab_set(&c->funcs, arena_printf(c->a, "%s/%u", n->name, f->nparam), f);
	return f;
}

static struct stp_func *find_function(struct stp_comp *c, const struct stp_expr *e)
{
	struct stp_file *file = file_of(c, e->loc);
	for (struct stp_func *f = file->func; f; f = f->next)
		if (f->is_private && f->nparam == e->nkid && str_eq(f->key ? f->key : f->name, e->text))
			return f;
	struct stp_func *f = stp_find_func(c, e->text, e->nkid);
	if (f)
		return f;
	const struct stp_native *n = stp_native_find(e->text, e->nkid);
	if (n)
		return native_func(c, n);
	stp_load_function(c, e->text);
	return stp_find_func(c, e->text, e->nkid);
}

static void unknown_function(struct stp_comp *c, const struct stp_expr *e)
{
	struct stp_func *other = stp_any_func(c, e->text);
	const struct stp_native *native = stp_native_find(e->text, ~0u);
	if (other || native) {
		unsigned takes = other ? other->nparam : stp_native_nargs(native);
		struct diag *d = stp_error(c, e->loc, "arity mismatch found (function '%s' takes %u args)", e->text, takes);
		if (other && other->loc.src)
			d->from = other->loc;
		return;
	}
	const char *why = stp_missing_reason(e->text);
	if (why) {
		stp_error(c, e->loc, "function '%s' cannot be had here: %s", e->text, why);
		return;
	}
	struct str_list names = {0};
	stp_load_tapset(c);
	for (const struct stp_native *const *t = stp_natives; *t; t++)
		for (const struct stp_native *n = *t; n->name; n++)
			if (n->name[0] != '_')
				vec_push(&names.list, n->name);
	for (size_t i = 0; i < c->files.len; i++)
		for (struct stp_func *f = c->files.at[i]->func; f; f = f->next)
			if (!f->is_private)
				vec_push(&names.list, f->name);
	const char *near = stp_similar(c, e->text, names.list.at, names.list.len);
	stp_error(c, e->loc, *near ? "unresolved function %s (similar: %s)" : "unresolved function %s%s", e->text, near);
	vec_free(&names.list);
}

static void resolve_call(struct resolver *r, struct stp_expr *e)
{
	struct stp_comp *c = r->c;
	struct stp_func *f = find_function(c, e);
	if (!f) {
		unknown_function(c, e);
		return;
	}
	e->func = f;
	if (f->embedded)
		stp_error(c, e->loc, "function '%s' is embedded C code, which cannot run as BPF", f->name);
	if (f->reachable)
		return;
	f->reachable = true;
	if (!f->native) {
		vec_push(&c->reachable, f);
		use_file(c, f->file);
	}
}

/* --- walking -------------------------------------------------------------------------------------------------- */

static void resolve_expr(struct resolver *r, struct stp_expr *e);

static void resolve_stat(struct resolver *r, struct stp_expr *e)
{
	struct stp_expr *base = e->kid[0];
	if (base->kind != SE_SYM && base->kind != SE_INDEX) {
		stp_error(r->c, base->loc, "expected arrayindex or symbol");
		return;
	}
	resolve_expr(r, base);
	if (base->kind == SE_SYM && base->local)
		stp_error(r->c, base->loc, "stat locals not supported, missing global declaration?");
}

static void resolve_assign(struct resolver *r, struct stp_expr *e)
{
	struct stp_expr *lhs = e->kid[0];
	bool target = stp_is_target(lhs), lvalue = lhs->kind == SE_SYM || lhs->kind == SE_INDEX || target;
	if (!lvalue) {
		struct diag *d = stp_error(r->c, e->loc, "Expecting lvalue for %s", e->kind == SE_ASSIGN ? "assignment" : "expression");
		d->from = lhs->loc;
		return;
	}
	if (target && !r->c->in->guru)
		stp_error(r->c, lhs->loc, "write to target variable not permitted; need stap -g");
	for (unsigned i = 0; lhs->kind == SE_INDEX && i < lhs->nkid; i++)
		if (!lhs->kid[i])
			stp_error(r->c, lhs->loc, "array wildcards are not allowed here");
	resolve_expr(r, lhs);
	if (e->nkid > 1)
		resolve_expr(r, e->kid[1]);
}

static void resolve_expr(struct resolver *r, struct stp_expr *e)
{
	if (!e)
		return;
	switch (e->kind) {
	case SE_ASSIGN:
	case SE_PRE:
	case SE_POST: resolve_assign(r, e); return;
	case SE_STAT:
	case SE_HIST: resolve_stat(r, e); return;
	case SE_DEFINED: return; /* decided without looking inside */
	default: break;
	}
	for (unsigned i = 0; i < e->nkid; i++)
		resolve_expr(r, e->kid[i]);
	for (unsigned i = 0; i < e->ncomp; i++)
		resolve_expr(r, e->comp[i].index);
	if (e->kind == SE_SYM)
		resolve_symbol(r, e, false);
	else if (e->kind == SE_INDEX || e->kind == SE_IN)
		resolve_array(r, e, e->nkid);
	else if (e->kind == SE_CALL)
		resolve_call(r, e);
}

static void resolve_foreach(struct resolver *r, struct stp_stmt *s)
{
	if (s->expr->kind == SE_HIST) {
		resolve_stat(r, s->expr);
		if (s->nkey != 1)
			stp_error(r->c, s->loc, "histogram iteration needs exactly one index");
	} else {
		resolve_array(r, s->expr, s->nkey);
	}
	if (s->nslice && s->nslice != s->nkey)
		stp_error(r->c, s->expr->loc, "inconsistent arity (%u vs %u)", s->nslice, s->nkey);
	for (unsigned i = 0; i < s->nslice; i++)
		resolve_expr(r, s->slice[i]);
	for (unsigned i = 0; i < s->nkey; i++)
		resolve_expr(r, s->key[i]);
	resolve_expr(r, s->value);
	resolve_expr(r, s->limit);
}

static void resolve_delete(struct resolver *r, struct stp_stmt *s)
{
	struct stp_expr *e = s->expr;
	if (e->kind == SE_SYM) {
		resolve_symbol(r, e, true);
		if (e->global)
			e->global->is_deleted = true;
	} else if (e->kind == SE_INDEX) {
		for (unsigned i = 0; i < e->nkid; i++)
			resolve_expr(r, e->kid[i]);
		resolve_array(r, e, e->nkid);
	} else {
		stp_error(r->c, e->loc, "only deletion of arrays, array elements and variables is permitted");
	}
}

static void resolve_stmt(struct resolver *r, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		switch (s->kind) {
		case SS_FOREACH: resolve_foreach(r, s); break;
		case SS_DELETE: resolve_delete(r, s); break;
		case SS_RETURN:
			if (s->expr)
				r->func->returns_value = true;
			/* fallthrough */
		default:
			resolve_expr(r, s->init);
			resolve_expr(r, s->expr);
			resolve_expr(r, s->step);
			resolve_expr(r, s->catch_var);
			break;
		}
		resolve_stmt(r, s->body);
		resolve_stmt(r, s->other);
	}
}

static void warn_unused_functions(struct stp_comp *c)
{
	for (struct stp_file *file = c->user; file; file = file->next)
		for (struct stp_func *f = file->func; f; f = f->next)
			if (!f->reachable && (!f->key || str_eq(f->key, f->name)))
				stp_warn(c, f->loc, "Eliding unused function '%s'", f->name);
}

/* Lists grow while they are walked: functions and tapset files bring in probes and functions of theirs. */
void stp_resolve(struct stp_comp *c)
{
	size_t nprobe = 0, nfunc = 0;
	while (nprobe < c->probes.len || nfunc < c->reachable.len) {
		struct resolver r = {.c = c};
		if (nprobe < c->probes.len) {
			struct stp_dprobe *dp = c->probes.at[nprobe++];
			r.probe = dp;
			r.scope = &dp->scope;
			stp_use_value(c, dp);
			stp_fold_defined(c, dp, dp->body);
			stp_make_entry(c, dp);
			stp_expand_pretty(c, dp);
			resolve_stmt(&r, dp->body);
		} else {
			struct stp_func *f = c->reachable.at[nfunc++];
			r.func = f;
			r.scope = &f->scope;
			stp_fold_defined(c, NULL, f->body);
			resolve_stmt(&r, f->body);
		}
	}
	for (size_t i = 0; i < c->files.len; i++)
		for (struct stp_global *g = c->files.at[i]->global; g; g = g->next)
			if (g->init && !g->cell.type) {
				g->cell.type = g->init->kind == SE_NUM ? ST_LONG : ST_STRING;
				g->cell.first = g->init->loc;
			}
	warn_unused_functions(c);
}
