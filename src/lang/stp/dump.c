/* dump.c - the tree as text, as stap -p1 prints it; the text parses to the same tree. */
#include "lang/stp/parse.h"

static void list(struct stp_expr *const *kid, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++) {
		buf_puts(out, i ? ", " : "");
		if (kid[i])
			stp_dump_expr(kid[i], out);
		else
			buf_putc(out, '*');
	}
}

static void paren(const struct stp_expr *e, struct buf *out)
{
	buf_putc(out, '(');
	stp_dump_expr(e, out);
	buf_putc(out, ')');
}

static void components(const struct stp_expr *e, struct buf *out)
{
	for (unsigned i = 0; i < e->ncomp; i++) {
		const struct stp_member *c = &e->comp[i];
		if (c->index) {
			buf_putc(out, '[');
			stp_dump_expr(c->index, out);
			buf_putc(out, ']');
		} else if (c->member) {
			buf_printf(out, "->%s", c->member);
		} else {
			buf_puts(out, c->pretty_deep ? "->$$" : "->$");
		}
	}
}

static void call(const char *name, const struct stp_expr *e, struct buf *out)
{
	buf_printf(out, "%s(", name);
	list(e->kid, e->nkid, out);
	buf_putc(out, ')');
}

static void print(const struct stp_expr *e, struct buf *out)
{
	buf_printf(out, "%s(", e->text);
	if (e->formatted || e->delimited)
		buf_printf(out, "\"%s\"%s", e->text2, e->nkid ? ", " : "");
	list(e->kid, e->nkid, out);
	buf_putc(out, ')');
}

static void stat(const struct stp_expr *e, struct buf *out)
{
	buf_printf(out, "%s(", e->op);
	stp_dump_expr(e->kid[0], out);
	if (str_eq(e->op, "@hist_linear"))
		buf_printf(out, ", %lld, %lld, %lld", (long long)e->par[0], (long long)e->par[1], (long long)e->par[2]);
	else if (e->kind == SE_STAT && e->par[1])
		buf_printf(out, ", %lld", (long long)e->par[0]);
	buf_putc(out, ')');
}

void stp_dump_expr(const struct stp_expr *e, struct buf *out)
{
	switch (e->kind) {
	case SE_NUM: buf_printf(out, "%lld", (long long)e->num); break;
	case SE_STR: buf_printf(out, "\"%s\"", e->text); break;
	case SE_SYM: buf_puts(out, e->text); break;
	case SE_INDEX:
		buf_printf(out, "%s[", e->text);
		list(e->kid, e->nkid, out);
		buf_putc(out, ']');
		break;
	case SE_CALL: call(e->text, e, out); break;
	case SE_UNARY:
	case SE_PRE:
		buf_puts(out, e->op);
		paren(e->kid[0], out);
		break;
	case SE_POST:
		paren(e->kid[0], out);
		buf_puts(out, e->op);
		break;
	case SE_BINARY:
	case SE_COMPARE:
	case SE_AND:
	case SE_OR:
	case SE_CONCAT:
	case SE_ASSIGN:
		paren(e->kid[0], out);
		buf_printf(out, " %s ", e->op);
		paren(e->kid[1], out);
		break;
	case SE_REGEX:
		paren(e->kid[0], out);
		buf_printf(out, " %s ", e->op);
		stp_dump_expr(e->kid[1], out);
		break;
	case SE_TERNARY:
		paren(e->kid[0], out);
		buf_putc(out, '?');
		paren(e->kid[1], out);
		buf_putc(out, ':');
		paren(e->kid[2], out);
		break;
	case SE_IN:
		buf_putc(out, '[');
		list(e->kid, e->nkid, out);
		buf_printf(out, "] in %s", e->text);
		break;
	case SE_TARGET:
		buf_printf(out, "%s%s", e->address_of ? "&" : "", e->text);
		components(e, out);
		break;
	case SE_CAST:
		buf_printf(out, "%s@cast(", e->address_of ? "&" : "");
		stp_dump_expr(e->kid[0], out);
		buf_printf(out, ", \"%s\"", e->text);
		if (e->text2)
			buf_printf(out, ", \"%s\"", e->text2);
		buf_putc(out, ')');
		components(e, out);
		break;
	case SE_ATVAR:
		buf_printf(out, "%s@var(\"%s\"", e->address_of ? "&" : "", e->text);
		if (e->text2)
			buf_printf(out, ", \"%s\"", e->text2);
		buf_putc(out, ')');
		components(e, out);
		break;
	case SE_ENUM:
	case SE_ENUMNAME:
		buf_puts(out, e->kind == SE_ENUM ? "@enum(" : "@enumname(");
		if (e->nkid)
			stp_dump_expr(e->kid[0], out);
		if (e->text)
			buf_printf(out, "%s\"%s\"", e->nkid ? ", " : "", e->text);
		if (e->text2)
			buf_printf(out, ", \"%s\"", e->text2);
		buf_putc(out, ')');
		break;
	case SE_DEREF:
		buf_puts(out, e->address_of ? "&" : "");
		paren(e->kid[0], out);
		components(e, out);
		break;
	case SE_DEFINED:
	case SE_ENTRY:
		call(e->op, e, out);
		components(e, out);
		break;
	case SE_PERF: buf_printf(out, "@perf(\"%s\")", e->text); break;
	case SE_PROBEWRITE: buf_printf(out, "@probewrite(%s)", e->text); break;
	case SE_STAT:
	case SE_HIST: stat(e, out); break;
	case SE_HIST_AT:
		stat(e->kid[0], out);
		buf_putc(out, '[');
		stp_dump_expr(e->kid[1], out);
		buf_putc(out, ']');
		break;
	case SE_PRINT: print(e, out); break;
	case SE_EMBED: buf_printf(out, "%%{%s%%}", e->text); break;
	}
}

static void sort_suffix(const struct stp_stmt *s, int key, struct buf *out)
{
	if (s->sort && s->sort_key == key)
		buf_putc(out, s->sort > 0 ? '+' : '-');
}

static void dump_foreach(const struct stp_stmt *s, struct buf *out)
{
	buf_puts(out, "foreach (");
	if (s->value)
		buf_printf(out, "%s = ", s->value->text);
	buf_putc(out, '[');
	for (unsigned i = 0; i < s->nkey; i++) {
		buf_printf(out, "%s%s", i ? ", " : "", s->key[i]->text);
		sort_suffix(s, (int)i + 1, out);
	}
	buf_puts(out, "] in ");
	stp_dump_expr(s->expr, out);
	if (s->nslice) {
		buf_putc(out, '[');
		list(s->slice, s->nslice, out);
		buf_putc(out, ']');
	}
	if (s->sort_stat)
		buf_printf(out, " %s", s->sort_stat);
	if (s->sort)
		sort_suffix(s, 0, out);
	if (s->limit) {
		buf_puts(out, " limit ");
		stp_dump_expr(s->limit, out);
	}
	buf_puts(out, ") ");
	stp_dump_stmt(s->body, out);
}

static void dump_for(const struct stp_stmt *s, struct buf *out)
{
	buf_puts(out, "for (");
	if (s->init)
		stp_dump_expr(s->init, out);
	buf_puts(out, "; ");
	if (s->expr)
		stp_dump_expr(s->expr, out);
	else
		buf_putc(out, '1');
	buf_puts(out, "; ");
	if (s->step)
		stp_dump_expr(s->step, out);
	buf_puts(out, ") ");
	stp_dump_stmt(s->body, out);
}

static void dump_try(const struct stp_stmt *s, struct buf *out)
{
	/* one brace only, unlike stap: try takes a block, so the text still parses */
	buf_puts(out, "try ");
	stp_dump_stmt(s->body, out);
	buf_puts(out, " catch ");
	if (s->catch_var)
		buf_printf(out, "(%s) ", s->catch_var->text);
	stp_dump_stmt(s->other, out);
}

static void word_and(const char *word, const struct stp_expr *e, struct buf *out)
{
	buf_puts(out, word);
	if (e) {
		buf_putc(out, ' ');
		stp_dump_expr(e, out);
	}
}

void stp_dump_stmt(const struct stp_stmt *s, struct buf *out)
{
	switch (s->kind) {
	case SS_NULL: buf_putc(out, ';'); break;
	case SS_EXPR: stp_dump_expr(s->expr, out); break;
	case SS_BLOCK:
		buf_puts(out, "{\n");
		for (const struct stp_stmt *i = s->body; i; i = i->next) {
			stp_dump_stmt(i, out);
			buf_puts(out, ";\n");
		}
		buf_putc(out, '}');
		break;
	case SS_IF:
		buf_puts(out, "if (");
		stp_dump_expr(s->expr, out);
		buf_puts(out, ") ");
		stp_dump_stmt(s->body, out);
		buf_putc(out, '\n');
		if (s->other) {
			buf_puts(out, "else ");
			stp_dump_stmt(s->other, out);
			buf_putc(out, '\n');
		}
		break;
	case SS_FOR: dump_for(s, out); break;
	case SS_FOREACH: dump_foreach(s, out); break;
	case SS_TRY: dump_try(s, out); break;
	case SS_RETURN: word_and("return", s->expr, out); break;
	case SS_DELETE: word_and("delete", s->expr, out); break;
	case SS_NEXT: buf_puts(out, "next"); break;
	case SS_BREAK: buf_puts(out, "break"); break;
	case SS_CONTINUE: buf_puts(out, "continue"); break;
	}
}

void stp_dump_point(const struct stp_point *p, struct buf *out)
{
	for (unsigned i = 0; i < p->ncomp; i++) {
		const struct stp_point_comp *c = &p->comp[i];
		buf_printf(out, "%s%s", i ? "." : "", c->name);
		if (c->arg) {
			buf_putc(out, '(');
			stp_dump_expr(c->arg, out);
			buf_putc(out, ')');
		}
	}
	buf_puts(out, p->optional ? "?" : p->sufficient ? "!" : "");
	if (p->cond) {
		buf_puts(out, " if (");
		stp_dump_expr(p->cond, out);
		buf_putc(out, ')');
	}
}

static void dump_global(const struct stp_global *g, struct buf *out)
{
	buf_printf(out, "%s %s%s", g->is_private ? "private" : "global", g->name, g->wrap ? "%" : "");
	if (g->max_entries)
		buf_printf(out, "[%lld]", (long long)g->max_entries);
	if (g->init) {
		buf_puts(out, " = ");
		stp_dump_expr(g->init, out);
	}
	buf_putc(out, '\n');
}

static void dump_probe(const struct stp_probe *p, struct buf *out)
{
	buf_puts(out, "probe ");
	for (const struct stp_point *x = p->alias; x; x = x->next) {
		stp_dump_point(x, out);
		buf_puts(out, p->is_epilogue_alias ? " += " : " = ");
	}
	for (const struct stp_point *x = p->point; x; x = x->next) {
		stp_dump_point(x, out);
		if (x->next)
			buf_puts(out, p->alias ? ", " : ",");
	}
	stp_dump_stmt(p->body, out);
	if (p->epilogue) {
		buf_puts(out, ", ");
		stp_dump_stmt(p->epilogue, out);
	}
	buf_putc(out, '\n');
}

static void dump_func(const struct stp_func *f, struct buf *out)
{
	buf_printf(out, "%sfunction %s", f->is_private ? "private " : "", f->name);
	if (f->declared)
		buf_printf(out, ":%s", stp_type_name(f->declared));
	buf_puts(out, " (");
	const struct stp_local *l = f->param;
	for (unsigned i = 0; i < f->nparam; i++, l = l->next) {
		buf_printf(out, "%s%s", i ? ", " : "", l->name);
		if (l->cell.type)
			buf_printf(out, ":%s", stp_type_name(l->cell.type));
	}
	buf_putc(out, ')');
	if (f->priority)
		buf_printf(out, ":%lld", (long long)f->priority);
	buf_putc(out, '\n');
	if (f->embedded)
		buf_printf(out, "%%{%s%%}", f->embedded);
	else
		stp_dump_stmt(f->body, out);
	buf_putc(out, '\n');
}

void stp_dump_file(const struct stp_file *f, struct buf *out)
{
	buf_puts(out, "# parse tree dump\n");
	buf_printf(out, "# file %s\n", f->name);
	if (f->embedded)
		buf_printf(out, "%%{%s%%}\n", f->embedded);
	for (const struct stp_item *i = f->item; i; i = i->next)
		if (i->global)
			dump_global(i->global, out);
	for (const struct stp_item *i = f->item; i; i = i->next)
		if (i->probe && i->probe->alias)
			dump_probe(i->probe, out);
	for (const struct stp_item *i = f->item; i; i = i->next)
		if (i->probe && !i->probe->alias)
			dump_probe(i->probe, out);
	for (const struct stp_item *i = f->item; i; i = i->next)
		if (i->func)
			dump_func(i->func, out);
	buf_putc(out, '\n');
}
