/*
 * types.c - inference: rounds over all handlers and functions until nothing new is learnt.
 *
 * What a name is known to be lives in its cell.  A mention with a type that is known fills an empty cell; an
 * empty mention takes the cell's.  Only the last round complains about what is still unknown.
 */
#include "lang/stp/format.h"
#include "lang/stp/native.h"
#include "lang/stp/target.h"

struct typer {
	struct stp_comp *c;
	struct stp_dprobe *probe;
	struct stp_func *func;
};

static enum stp_type infer(struct typer *t, struct stp_expr *e, enum stp_type want);

/* --- cells -------------------------------------------------------------------------------------------------- */

static void mismatch(struct typer *t, struct loc loc, enum stp_type want, enum stp_type found)
{
	stp_error(t->c, loc, "type mismatch: expected %s but found %s", stp_type_name(want), stp_type_name(found));
}

/* The cell meets `type` at loc (ST_UNKNOWN: nothing); `index` >= 0: it is a key. */
static enum stp_type meet(struct typer *t, struct stp_cell *cell, enum stp_type type, struct loc loc, int index)
{
	if (type == ST_UNKNOWN || type == cell->type)
		return cell->type;
	if (cell->type == ST_UNKNOWN) {
		cell->type = type;
		cell->first = loc;
		t->c->changed = true;
		return type;
	}
	struct diag *d;
	const char *is = stp_type_name(cell->type);
	if (index < 0)
		d = stp_error(t->c, loc, "type mismatch (%s)", stp_type_name(type));
	else
		d = stp_error(t->c, loc, "index %d type mismatch (%s)", index, stp_type_name(type));
	if (!cell->first.src || d->hints.len)
		return cell->type;
	if (index < 0)
		stp_chain(t->c, d, cell->first, "type was first inferred here (%s)", is);
	else
		stp_chain(t->c, d, cell->first, "type of index %d was first inferred here (%s)", index, is);
	return cell->type;
}

static void meet_pointee(struct typer *t, struct stp_cell *cell, struct type *pointee)
{
	if (!pointee || cell->pointee_conflict || cell->pointee == pointee)
		return;
	if (cell->pointee && !type_equal(cell->pointee, pointee)) {
		cell->pointee_conflict = true;
		cell->pointee = NULL;
		return;
	}
	if (!cell->pointee) {
		t->c->changed = true;
		cell->pointee = pointee;
	}
}

static struct stp_cell *cell_of(struct stp_expr *e)
{
	return e->local ? &e->local->cell : e->global ? &e->global->cell : NULL;
}

/* An expression's value goes into a cell: key, argument, result. */
static void infer_into(struct typer *t, struct stp_cell *cell, struct stp_expr *e, int index)
{
	enum stp_type was = cell->type;
	enum stp_type got = infer(t, e, ST_UNKNOWN);
	if (!got)
		got = infer(t, e, was);
	meet_pointee(t, cell, e->pointee);
	if (got == ST_STATS)
		mismatch(t, e->loc, was ? was : ST_LONG, got);
	else
		meet(t, cell, got, e->loc, index);
}

static void infer_keys(struct typer *t, struct stp_global *g, struct stp_expr *const *kid, unsigned n)
{
	for (unsigned i = 0; i < n && i < STP_MAXKEYS; i++)
		if (kid[i])
			infer_into(t, &g->key[i], kid[i], (int)i);
}

/* --- expressions ---------------------------------------------------------------------------------------------- */

static enum stp_type infer_symbol(struct typer *t, struct stp_expr *e, enum stp_type want)
{
	struct stp_cell *cell = cell_of(e);
	if (!cell)
		return ST_UNKNOWN;
	if (e->kind == SE_INDEX)
		infer_keys(t, e->global, e->kid, e->nkid);
	e->pointee = cell->pointee;
	enum stp_type got = meet(t, cell, want, e->loc, -1);
	if (got == ST_UNKNOWN && t->c->final_round)
		stp_error(t->c, e->loc, "unresolved type ");
	return got;
}

static enum stp_type infer_assign(struct typer *t, struct stp_expr *e, enum stp_type want)
{
	struct stp_expr *l = e->kid[0], *r = e->kid[1];
	struct stp_cell *cell = cell_of(l);
	if (!cell) { /* a number of the traced program */
		infer(t, l, ST_LONG);
		infer(t, r, ST_LONG);
		return ST_LONG;
	}
	if (!str_eq(e->op, "=")) {
		enum stp_type each = str_eq(e->op, ".=") ? ST_STRING : ST_LONG;
		if (str_eq(e->op, "<<<") && l->local)
			stp_error(t->c, l->loc, "stat locals not supported, missing global declaration?");
		infer(t, l, str_eq(e->op, "<<<") ? ST_STATS : each);
		infer(t, r, each);
		return each;
	}
	/* the right side first: it is what the variable becomes */
	enum stp_type got = infer(t, r, ST_UNKNOWN);
	if (!got)
		got = infer(t, r, cell->type ? cell->type : want);
	if (got == ST_STATS)
		mismatch(t, r->loc, ST_LONG, ST_STATS);
	meet_pointee(t, cell, r->pointee);
	infer(t, l, got == ST_STATS ? ST_UNKNOWN : got ? got : want);
	e->pointee = r->pointee;
	return cell->type;
}

static enum stp_type infer_call(struct typer *t, struct stp_expr *e, enum stp_type want)
{
	struct stp_func *f = e->func;
	if (!f)
		return ST_UNKNOWN;
	if (f->native) {
		for (unsigned i = 0; i < e->nkid; i++)
			infer(t, e->kid[i], stp_native_type(f->native->sig[2 + i]));
		return f->ret.type;
	}
	struct stp_local *p = f->param;
	for (unsigned i = 0; i < e->nkid && p; i++, p = p->next)
		infer_into(t, &p->cell, e->kid[i], (int)i);
	e->pointee = f->ret.pointee;
	/* one that returns nothing has the type that a caller asks for, and its zero */
	return f->ret.type ? f->ret.type : meet(t, &f->ret, want, e->loc, -1);
}

static void infer_formatted(struct typer *t, struct stp_expr *e)
{
	if ((unsigned)stp_format_nargs(e->str) != e->nkid) {
		stp_error(t->c, e->loc, "Wrong number of args to formatted print operator");
		return;
	}
	const char *p = e->str;
	struct stp_conv cv;
	bool bad;
	unsigned i = 0;
	while (stp_format_next(&p, &cv, &bad)) {
		if (cv.star_width)
			infer(t, e->kid[i++], ST_LONG);
		if (cv.star_precision)
			infer(t, e->kid[i++], ST_LONG);
		if (cv.type)
			infer(t, e->kid[i++], cv.type == 's' ? ST_STRING : ST_LONG);
	}
}

static enum stp_type infer_print(struct typer *t, struct stp_expr *e)
{
	if (e->formatted)
		infer_formatted(t, e);
	for (unsigned i = 0; !e->formatted && i < e->nkid; i++) {
		struct stp_expr *k = e->kid[i];
		if (k->kind == SE_HIST && e->nkid > 1)
			stp_error(t->c, k->loc, "a histogram is printed alone");
		enum stp_type got = infer(t, k, e->is_char ? ST_LONG : ST_UNKNOWN);
		if (got == ST_STATS && k->kind != SE_HIST)
			mismatch(t, k->loc, ST_LONG, ST_STATS);
		if (!got && t->c->final_round)
			stp_error(t->c, k->loc, "unresolved type ");
	}
	return e->to_string ? ST_STRING : ST_UNKNOWN;
}

static unsigned stat_bit(const char *op)
{
	static const char *const names[] = {"@count", "@sum", "@min", "@max", "@avg", "@variance"};
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], op))
			return 1u << i;
	return 0;
}

static enum stp_type infer_stat(struct typer *t, struct stp_expr *e)
{
	struct stp_global *g = e->kid[0]->global;
	infer(t, e->kid[0], ST_STATS);
	if (!g)
		return ST_LONG;
	g->stat_ops |= stat_bit(e->op);
	if (str_eq(e->op, "@variance")) {
		int bits = e->par[1] ? (int)e->par[0] : 0;
		if (g->variance_bits > 0 && g->variance_bits != bits && e->par[1])
			stp_error(t->c, e->loc, "conflicting bit shifts for the variance of '%s'", g->name);
		g->variance_bits = MAX(g->variance_bits, bits);
	}
	return ST_LONG;
}

enum { MIN_BUCKETS = 3, MAX_BUCKETS = 128 }; /* under, one, over; STP_MAX_BUCKETS */

/* SystemTap says so as a warning, and then cannot start. */
static void check_bounds(struct typer *t, const struct stp_expr *e)
{
	__int128 range = (__int128)e->par[1] - e->par[0];
	if (!e->par[2])
		stp_warn(t->c, e->loc, "histogram: interval cannot be zero.");
	else if (e->par[2] < 0 || range < 0 || range / e->par[2] + MIN_BUCKETS > MAX_BUCKETS)
		stp_warn(t->c, e->loc, "histogram: Number of buckets must be between 1 and %d", MAX_BUCKETS - MIN_BUCKETS + 1);
	else
		return;
	stp_error(t->c, e->loc, "invalid bounds of histogram");
}

static enum stp_type infer_hist(struct typer *t, struct stp_expr *e)
{
	struct stp_global *g = e->kid[0]->global;
	infer(t, e->kid[0], ST_STATS);
	if (!g)
		return ST_STATS;
	unsigned bit = str_eq(e->op, "@hist_log") ? STAT_HIST_LOG : STAT_HIST_LINEAR;
	if (bit == STAT_HIST_LINEAR)
		check_bounds(t, e);
	unsigned other = g->stat_ops & (STAT_HIST_LOG | STAT_HIST_LINEAR);
	if (other && (other != bit || memcmp(g->hist, e->par, sizeof(e->par)))) {
		struct diag *d = stp_error(t->c, e->loc, "conflicting histogram types");
		if (!d->from.src)
			d->from = g->hist_loc;
		return ST_STATS;
	}
	g->stat_ops |= bit;
	memcpy(g->hist, e->par, sizeof(e->par));
	g->hist_loc = e->loc;
	return ST_STATS;
}

static enum stp_type infer_target(struct typer *t, struct stp_expr *e)
{
	for (unsigned i = 0; i < e->nkid; i++)
		infer(t, e->kid[i], ST_LONG);
	for (unsigned i = 0; i < e->ncomp; i++)
		if (e->comp[i].index)
			infer(t, e->comp[i].index, ST_LONG);
	struct stp_path p;
	if (e->kind == SE_DEREF && !e->kid[0]->pointee) {
		if (t->c->final_round)
			stp_error(t->c, e->loc, "unknown type in dereference");
		return ST_LONG;
	}
	if (stp_target_path(t->c, t->probe, e, &p)) {
		e->pointee = stp_target_pointee(&p, e);
		return p.type->kind == TYPE_STR && !e->address_of ? ST_STRING : ST_LONG;
	}
	return ST_LONG;
}

static enum stp_type infer_enum(struct typer *t, struct stp_expr *e)
{
	if (t->c->final_round && !stp_enumerator(t->c, t->probe, e, &e->num))
		stp_error(t->c, e->loc, "no enumerator '%s' is known", e->text);
	return ST_LONG;
}

static enum stp_type infer_enumname(struct typer *t, struct stp_expr *e)
{
	infer(t, e->kid[0], ST_LONG);
	struct type *type = stp_enum_type(t->c, t->probe, e);
	if (!type && t->c->final_round)
		stp_error(t->c, e->loc, e->text ? "'%s' is no enum that is known" : "this value is of no enum: name one, as in @enumname(x, \"type\")%s",
			  e->text ? e->text : "");
	e->len = stp_enum_cap(type);
	return ST_STRING;
}

/* Operands that must be alike: comparison, arms of ?: */
static enum stp_type infer_alike(struct typer *t, struct stp_expr *x, struct stp_expr *y, enum stp_type want)
{
	enum stp_type a = infer(t, x, want);
	enum stp_type b = infer(t, y, a ? a : want);
	if (!a && b)
		a = infer(t, x, b);
	return a;
}

static enum stp_type infer_all(struct typer *t, struct stp_expr *e, enum stp_type each, enum stp_type result)
{
	for (unsigned i = 0; i < e->nkid; i++)
		infer(t, e->kid[i], each);
	return result;
}

static enum stp_type infer_kind(struct typer *t, struct stp_expr *e, enum stp_type want)
{
	switch (e->kind) {
	case SE_NUM:
	case SE_PROBEWRITE: return ST_LONG;
	case SE_EMBED: stp_error(t->c, e->loc, "embedded C code cannot run as BPF"); return ST_LONG;
	case SE_PERF: stp_error(t->c, e->loc, "@perf is not supported yet"); return ST_LONG;
	case SE_STR: return ST_STRING;
	case SE_SYM:
	case SE_INDEX: return infer_symbol(t, e, want);
	case SE_CALL: return infer_call(t, e, want);
	case SE_UNARY:
	case SE_PRE:
	case SE_POST:
	case SE_BINARY:
	case SE_AND:
	case SE_OR: return infer_all(t, e, ST_LONG, ST_LONG);
	case SE_COMPARE: infer_alike(t, e->kid[0], e->kid[1], ST_UNKNOWN); return ST_LONG;
	case SE_TERNARY: {
		infer(t, e->kid[0], ST_LONG);
		enum stp_type arm = infer_alike(t, e->kid[1], e->kid[2], want);
		e->pointee = e->kid[1]->pointee ? e->kid[1]->pointee : e->kid[2]->pointee;
		return arm;
	}
	case SE_CONCAT: return infer_all(t, e, ST_STRING, ST_STRING);
	case SE_REGEX:
		if (t->c->final_round)
			stp_regex_check(t->c, e->kid[1]->str, e->kid[1]->loc);
		return infer_all(t, e, ST_STRING, ST_LONG);
	case SE_IN:
		if (e->global)
			infer_keys(t, e->global, e->kid, e->nkid);
		return ST_LONG;
	case SE_ASSIGN: return infer_assign(t, e, want);
	case SE_TARGET:
	case SE_CAST:
	case SE_ATVAR:
	case SE_DEREF: return infer_target(t, e);
	case SE_ENUM: return infer_enum(t, e);
	case SE_ENUMNAME: return infer_enumname(t, e);
	case SE_DEFINED: return ST_LONG;
	case SE_ENTRY: stp_error(t->c, e->loc, "@entry is only valid in .return probes"); return ST_LONG;
	case SE_STAT: return infer_stat(t, e);
	case SE_HIST: return infer_hist(t, e);
	case SE_HIST_AT:
		infer(t, e->kid[0], ST_STATS);
		infer(t, e->kid[1], ST_LONG);
		return ST_LONG;
	case SE_PRINT: return infer_print(t, e);
	}
	return ST_UNKNOWN;
}

static enum stp_type infer(struct typer *t, struct stp_expr *e, enum stp_type want)
{
	enum stp_type got = infer_kind(t, e, want);
	if (got != ST_UNKNOWN && e->type != got) {
		e->type = got;
		t->c->changed = true;
	}
	/* symbols have complained themselves */
	bool symbol = e->kind == SE_SYM || e->kind == SE_INDEX;
	if (want && got && got != want && !symbol)
		mismatch(t, e->loc, want, got);
	/* a function that returns nothing is worth 0 where a number is wanted */
	if (want == ST_STRING && !got && e->kind == SE_CALL && t->c->final_round)
		mismatch(t, e->loc, want, ST_UNKNOWN);
	return got;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

/* A loop variable and what it runs over. */
static void link_cells(struct typer *t, struct stp_expr *sym, struct stp_cell *other)
{
	struct stp_cell *cell = cell_of(sym);
	if (!cell)
		return;
	if (other->type == ST_STATS) {
		stp_error(t->c, sym->loc, "a statistic cannot be the value of a loop variable");
		return;
	}
	meet_pointee(t, cell, other->pointee);
	if (other->type)
		infer(t, sym, other->type);
	else
		meet(t, other, cell->type, sym->loc, -1);
	sym->type = cell->type;
}

static void infer_foreach(struct typer *t, struct stp_stmt *s)
{
	struct stp_global *g = s->expr->global;
	if (s->expr->kind == SE_HIST) {
		infer(t, s->expr, ST_UNKNOWN);
		infer(t, s->key[0], ST_LONG);
		if (s->value)
			infer(t, s->value, ST_LONG);
	} else {
		for (unsigned i = 0; i < s->nkey && i < STP_MAXKEYS; i++)
			link_cells(t, s->key[i], &g->key[i]);
		if (s->value)
			link_cells(t, s->value, &g->cell);
		if (s->nslice)
			infer_keys(t, g, s->slice, s->nslice);
		if (s->sort_stat)
			g->stat_ops |= stat_bit(s->sort_stat);
		if (s->sort_stat && g->cell.type && g->cell.type != ST_STATS)
			stp_error(t->c, s->expr->loc, "%s only applies to arrays of statistics", s->sort_stat);
	}
	if (s->limit)
		infer(t, s->limit, ST_LONG);
}

/* `return;` in a function with a result */
static void no_value(struct typer *t, struct loc loc)
{
	struct stp_cell *ret = &t->func->ret;
	struct diag *d = stp_error(t->c, loc, "type mismatch (unknown)");
	if (ret->first.src && !d->hints.len)
		stp_chain(t->c, d, ret->first, "type was first inferred here (%s)", stp_type_name(ret->type));
}

static void infer_stmt(struct typer *t, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		switch (s->kind) {
		case SS_FOREACH: infer_foreach(t, s); break;
		case SS_RETURN:
			if (s->expr)
				infer_into(t, &t->func->ret, s->expr, -1);
			else if (t->func->ret.type)
				no_value(t, s->loc);
			break;
		case SS_DELETE:
			if (s->expr->kind == SE_INDEX)
				infer(t, s->expr, ST_UNKNOWN);
			break;
		default:
			if (s->init)
				infer(t, s->init, ST_UNKNOWN);
			if (s->expr)
				infer(t, s->expr, s->kind == SS_EXPR ? ST_UNKNOWN : ST_LONG);
			if (s->step)
				infer(t, s->step, ST_UNKNOWN);
			if (s->catch_var)
				infer(t, s->catch_var, ST_STRING);
			break;
		}
		infer_stmt(t, s->body);
		infer_stmt(t, s->other);
	}
}

static void infer_round(struct stp_comp *c)
{
	for (size_t i = 0; i < c->probes.len; i++) {
		struct typer t = {.c = c, .probe = c->probes.at[i]};
		infer_stmt(&t, t.probe->body);
	}
	for (size_t i = 0; i < c->reachable.len; i++) {
		struct typer t = {.c = c, .func = c->reachable.at[i]};
		infer_stmt(&t, t.func->body);
	}
}

static void check_globals(struct stp_comp *c)
{
	for (size_t i = 0; i < c->used_globals.len; i++) {
		struct stp_global *g = c->used_globals.at[i];
		g->nkeys = MAX(g->nkeys, 0);
		bool known = g->cell.type != ST_UNKNOWN;
		for (int k = 0; k < g->nkeys; k++)
			known &= g->key[k].type != ST_UNKNOWN;
		if (!known)
			stp_error(c, g->loc, "unresolved type ");
	}
}

/* Until nothing changes; false after an error. */
static bool infer_rounds(struct stp_comp *c)
{
	unsigned errors = c->diags->errors;
	do {
		c->changed = false;
		infer_round(c);
	} while (c->changed && c->diags->errors == errors);
	return c->diags->errors == errors;
}

void stp_infer(struct stp_comp *c)
{
	unsigned errors = c->diags->errors;
	if (!infer_rounds(c))
		return;
	stp_guess_types(c);
	if (!infer_rounds(c))
		return;
	c->final_round = true;
	infer_round(c);
	check_globals(c);
	if (c->diags->errors == errors)
		stp_infer_caps(c);
}

/* --- -p2 ------------------------------------------------------------------------------------------------------------ */

static void dump_locals(const struct stp_scope *s, struct buf *out)
{
	bool any = false;
	for (const struct stp_local *l = s->local; l; l = l->next) {
		if (l->is_param || (!l->reads && !l->writes))
			continue;
		buf_puts(out, any ? "" : "  # locals\n");
		any = true;
		buf_printf(out, "  %s:%s\n", l->name, stp_type_name(l->cell.type));
	}
}

static void dump_global(const struct stp_global *g, struct buf *out)
{
	buf_printf(out, "%s%s", g->name, g->wrap ? "%" : "");
	if (g->max_entries)
		buf_printf(out, "[%lld]", (long long)g->max_entries);
	buf_printf(out, ":%s", stp_type_name(g->cell.type));
	for (int i = 0; i < g->nkeys; i++)
		buf_printf(out, "%s%s%s", i ? ", " : " [", stp_type_name(g->key[i].type), i + 1 == g->nkeys ? "]" : "");
	if (g->init) {
		buf_puts(out, " = ");
		stp_dump_expr(g->init, out);
	}
	buf_putc(out, '\n');
}

static void dump_func(const struct stp_func *f, struct buf *out)
{
	buf_printf(out, "%s:%s (", f->name, stp_type_name(f->ret.type));
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next)
		buf_printf(out, "%s%s:%s", i ? ", " : "", p->name, stp_type_name(p->cell.type));
	buf_puts(out, ")\n");
	dump_locals(&f->scope, out);
}

void stp_dump_types(struct stp_comp *c, struct buf *out)
{
	for (size_t i = 0; i < c->used_globals.len; i++) {
		buf_puts(out, i ? "" : "# globals\n");
		dump_global(c->used_globals.at[i], out);
	}
	for (size_t i = 0; i < c->reachable.len; i++) {
		buf_puts(out, i ? "" : "# functions\n");
		dump_func(c->reachable.at[i], out);
	}
	for (size_t i = 0; i < c->probes.len; i++) {
		buf_puts(out, i ? "" : "# probes\n");
		const struct stp_dprobe *dp = c->probes.at[i];
		buf_printf(out, "%s /*%s */\n", dp->name, dp->derivation);
		dump_locals(&dp->scope, out);
	}
}
