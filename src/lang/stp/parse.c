/* parse.c - top level of a script: globals, functions, probes, aliases and their points. */
#include "lang/stp/parse.h"

/* --- the cursor ------------------------------------------------------------------------------------------- */

const struct stp_tok *stp_peek_at(const struct parser *p, size_t ahead)
{
	return &p->tok[MIN(p->i + ahead, p->n - 1)];
}

const struct stp_tok *stp_peek(const struct parser *p)
{
	return stp_peek_at(p, 0);
}

void stp_parse_error(struct parser *p, const struct stp_tok *at, const char *msg)
{
	diag_error(p->r->in->diags, at->loc, "parse error: %s", at->kind == TOK_JUNK ? at->text : msg);
	longjmp(p->giveup, 1);
}

const struct stp_tok *stp_next(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if (t->kind == TOK_JUNK)
		stp_parse_error(p, t, t->text);
	if (p->i < p->n - 1)
		p->i++;
	return t;
}

bool stp_at_op(const struct parser *p, const char *op)
{
	return stp_peek(p)->kind == TOK_OP && str_eq(stp_peek(p)->text, op);
}

bool stp_at_keyword(const struct parser *p, const char *word)
{
	return stp_peek(p)->kind == TOK_KEYWORD && str_eq(stp_peek(p)->text, word);
}

bool stp_accept_op(struct parser *p, const char *op)
{
	bool yes = stp_at_op(p, op);
	if (yes)
		stp_next(p);
	return yes;
}

bool stp_accept_keyword(struct parser *p, const char *word)
{
	bool yes = stp_at_keyword(p, word);
	if (yes)
		stp_next(p);
	return yes;
}

struct loc stp_expect_op(struct parser *p, const char *op)
{
	if (!stp_at_op(p, op))
		stp_parse_error(p, stp_peek(p), arena_printf(p->a, "expected '%s'", op));
	return stp_next(p)->loc;
}

const struct stp_tok *stp_expect_ident(struct parser *p)
{
	if (stp_peek(p)->kind != TOK_IDENT)
		stp_parse_error(p, stp_peek(p), "expected identifier");
	return stp_next(p);
}

void stp_enter(struct parser *p)
{
	if (++p->depth > MAX_NESTING)
		stp_parse_error(p, stp_peek(p), "nested too deeply");
}

/* --- probe points ------------------------------------------------------------------------------------------- */

struct points {
	struct stp_point *first, **tail;
};

static void points_add(struct points *l, struct stp_point *pt)
{
	*l->tail = pt;
	l->tail = &pt->next;
}

static struct stp_point *point_append(struct parser *p, const struct stp_point *to,
				      const struct stp_point_comp *comp, unsigned n)
{
	struct stp_point *out = arena_memdup(p->a, to, sizeof(*to));
	out->next = NULL;
	out->comp = arena_array(p->a, struct stp_point_comp, to->ncomp + n + 1);
	if (to->ncomp)
		memcpy(out->comp, to->comp, to->ncomp * sizeof(*comp));
	if (n)
		memcpy(out->comp + to->ncomp, comp, n * sizeof(*comp));
	out->ncomp = to->ncomp + n;
	return out;
}

/* A name with wildcards: pieces that touch. */
static bool at_name_piece(const struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	return t->kind == TOK_IDENT || t->kind == TOK_KEYWORD || t->kind == TOK_NUM || stp_at_op(p, "*");
}

static struct stp_point_comp parse_component(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	if ((t->kind != TOK_IDENT && t->kind != TOK_KEYWORD && !stp_at_op(p, "*")) || t->text[0] == '$')
		stp_parse_error(p, t, "expected identifier or '*' or '{'");
	struct stp_point_comp c = {.loc = stp_next(p)->loc};
	struct buf name = {0};
	buf_puts(&name, t->text);
	for (struct loc last = c.loc; at_name_piece(p); last = stp_next(p)->loc) {
		if (stp_peek(p)->loc.src != last.src || stp_peek(p)->loc.begin != last.end)
			break;
		buf_puts(&name, stp_peek(p)->text);
	}
	c.name = arena_strdup(p->a, buf_str(&name));
	buf_free(&name);
	if (stp_accept_op(p, "(")) {
		c.arg = stp_parse_literal(p);
		stp_expect_op(p, ")");
	}
	return c;
}

static struct stp_point *parse_points(struct parser *p, bool nested);

/* prefix: the points so far; each is continued by each alternative. */
static struct stp_point *parse_point_rest(struct parser *p, struct stp_point *prefix)
{
	struct points out = {.tail = &out.first};
	unsigned count = 0;
	stp_enter(p);
	if (stp_accept_op(p, "{")) {
		struct stp_point *alt = parse_points(p, true);
		stp_expect_op(p, "}");
		for (struct stp_point *x = prefix; x; x = x->next)
			for (struct stp_point *y = alt; y; y = y->next) {
				if (++count > 10000)
					stp_parse_error(p, stp_peek(p), "too many alternatives in probe point");
				struct stp_point *both = point_append(p, x, y->comp, y->ncomp);
				both->optional |= y->optional;
				both->sufficient |= y->sufficient;
				points_add(&out, both);
			}
	} else {
		struct stp_point_comp c = parse_component(p);
		for (struct stp_point *x = prefix; x; x = x->next)
			points_add(&out, point_append(p, x, &c, 1));
	}
	struct stp_point *result = stp_accept_op(p, ".") ? parse_point_rest(p, out.first) : out.first;
	p->depth--;
	return result;
}

static struct stp_point *parse_point(struct parser *p, bool nested)
{
	struct stp_point *start = arena_new(p->a, struct stp_point);
	start->loc = stp_peek(p)->loc;
	struct stp_point *list = parse_point_rest(p, start);
	bool optional = false, sufficient = false;
	struct stp_expr *cond = NULL;
	optional = stp_accept_op(p, "?");
	sufficient = !optional && stp_accept_op(p, "!");
	if (!nested && stp_accept_keyword(p, "if")) {
		stp_expect_op(p, "(");
		cond = stp_parse_expr(p);
		stp_expect_op(p, ")");
	}
	for (struct stp_point *x = list; x; x = x->next) {
		x->optional |= optional;
		x->sufficient |= sufficient;
		x->cond = cond;
		x->loc = x->comp[0].loc;
	}
	return list;
}

static struct stp_point *parse_points(struct parser *p, bool nested)
{
	struct points out = {.tail = &out.first};
	do {
		for (struct stp_point *x = parse_point(p, nested), *next; x; x = next) {
			next = x->next;
			x->next = NULL;
			points_add(&out, x);
		}
	} while (stp_accept_op(p, ","));
	return out.first;
}

/* --- items --------------------------------------------------------------------------------------------------- */

static void add_item(struct parser *p, struct stp_item item)
{
	struct stp_item *i = arena_memdup(p->a, &item, sizeof(item));
	*p->item_tail = i;
	p->item_tail = &i->next;
}

static void parse_probe(struct parser *p)
{
	struct stp_probe *pr = arena_new(p->a, struct stp_probe);
	pr->loc = stp_next(p)->loc;
	pr->is_tapset = p->r->is_tapset;
	pr->point = parse_points(p, false);
	while (stp_at_op(p, "=") || stp_at_op(p, "+=")) {
		pr->is_epilogue_alias = str_eq(stp_next(p)->text, "+=");
		for (struct stp_point *x = pr->point; x; x = x->next)
			if (x->optional || x->sufficient || x->cond)
				stp_parse_error(p, stp_peek(p), "probe point alias name cannot be optional nor sufficient");
		/* several names in a row: all of them */
		struct stp_point *names = pr->point;
		if (pr->alias) {
			struct stp_point *last = pr->alias;
			while (last->next)
				last = last->next;
			last->next = names;
		} else {
			pr->alias = names;
		}
		pr->point = parse_points(p, false);
	}
	pr->body = stp_parse_block(p);
	if (pr->alias && !pr->is_epilogue_alias && stp_accept_op(p, ","))
		pr->epilogue = stp_parse_block(p);
	*p->probe_tail = pr;
	p->probe_tail = &pr->next;
	add_item(p, (struct stp_item){.probe = pr});
}

static void check_unique(struct parser *p, const struct stp_tok *name)
{
	for (const struct stp_global *g = p->file->global; g; g = g->next)
		if (str_eq(g->name, name->text))
			stp_parse_error(p, name, "duplicate global name");
}

static void parse_global(struct parser *p, bool is_private)
{
	const struct stp_tok *t = stp_expect_ident(p);
	if (t->text[0] == '$')
		stp_parse_error(p, t, "unexpected $-variable as global name");
	check_unique(p, t);
	struct stp_global *g = arena_new(p->a, struct stp_global);
	*g = (struct stp_global){.name = t->text, .loc = t->loc, .is_private = is_private,
				 .is_tapset = p->r->is_tapset, .nkeys = -1, .variance_bits = -1};
	g->wrap = stp_accept_op(p, "%");
	if (stp_accept_op(p, "[")) {
		struct stp_expr *size = stp_parse_literal(p);
		if (size->kind != SE_NUM || size->num < 1 || size->num > INT32_MAX)
			stp_parse_error(p, stp_peek(p), "array size out of range");
		g->max_entries = size->num;
		stp_expect_op(p, "]");
	}
	if (stp_at_op(p, "=")) {
		if (g->max_entries || g->wrap)
			stp_parse_error(p, stp_peek(p), "only scalar globals can be initialized");
		stp_next(p);
		g->init = stp_parse_literal(p);
		g->nkeys = 0;
	}
	*p->global_tail = g;
	p->global_tail = &g->next;
	add_item(p, (struct stp_item){.global = g});
}

static void parse_globals(struct parser *p, bool is_private)
{
	do
		parse_global(p, is_private);
	while (stp_accept_op(p, ","));
	stp_accept_op(p, ";");
}

static enum stp_type parse_type(struct parser *p)
{
	if (stp_accept_keyword(p, "string"))
		return ST_STRING;
	if (stp_accept_keyword(p, "long"))
		return ST_LONG;
	stp_parse_error(p, stp_peek(p), "expected 'string' or 'long'");
}

static void parse_params(struct parser *p, struct stp_func *f)
{
	stp_expect_op(p, "(");
	f->scope.tail = &f->scope.local;
	while (!stp_at_op(p, ")")) {
		const struct stp_tok *t = stp_expect_ident(p);
		for (struct stp_local *l = f->scope.local; l; l = l->next)
			if (str_eq(l->name, t->text))
				stp_parse_error(p, t, "duplicate parameter name");
		struct stp_local *l = arena_new(p->a, struct stp_local);
		*l = (struct stp_local){.name = t->text, .loc = t->loc, .is_param = true};
		if (stp_accept_op(p, ":")) {
			l->cell.type = parse_type(p);
			l->cell.first = t->loc;
		}
		*f->scope.tail = l;
		f->scope.tail = &l->next;
		f->nparam++;
		if (!stp_at_op(p, ")"))
			stp_expect_op(p, ",");
	}
	stp_expect_op(p, ")");
	f->param = f->scope.local;
	if (f->nparam > STP_MAXARGS)
		stp_parse_error(p, stp_peek(p), "too many parameters");
}

/* C code is read so that the rest of the script is checked; using it is an error of pass 2. */
static const struct stp_tok *embedded_code(struct parser *p)
{
	if (!p->r->in->guru && !p->r->is_tapset)
		stp_parse_error(p, stp_peek(p), "embedded code in unprivileged script; need stap -g");
	return stp_next(p);
}

static void parse_function(struct parser *p, bool is_private)
{
	const struct stp_tok *t = stp_peek(p);
	/* the words for types are good names */
	if (!stp_accept_keyword(p, "string") && !stp_accept_keyword(p, "long"))
		t = stp_expect_ident(p);
	struct stp_func *f = arena_new(p->a, struct stp_func);
	*f = (struct stp_func){.name = t->text, .loc = t->loc, .is_private = is_private, .is_tapset = p->r->is_tapset};
	if (stp_accept_op(p, ":")) {
		f->declared = f->ret.type = parse_type(p);
		f->ret.first = t->loc;
	}
	parse_params(p, f);
	if (stp_accept_op(p, ":")) {
		struct stp_expr *prio = stp_parse_literal(p);
		if (prio->kind != SE_NUM || prio->num < 1)
			stp_parse_error(p, stp_peek(p), "function priority must be a positive integer");
		f->priority = prio->num;
	}
	if (stp_peek(p)->kind == TOK_EMBED) {
		f->embedded = embedded_code(p)->text;
		f->returns_value = true;
	} else {
		p->in_function = true;
		f->body = stp_parse_block(p);
		p->in_function = false;
	}
	*p->func_tail = f;
	p->func_tail = &f->next;
	add_item(p, (struct stp_item){.func = f});
}

static void parse_item(struct parser *p)
{
	const struct stp_tok *t = stp_peek(p);
	p->in_function = false;
	p->depth = p->loops = 0;
	if (stp_at_keyword(p, "probe")) {
		parse_probe(p);
	} else if (stp_accept_keyword(p, "global")) {
		parse_globals(p, false);
	} else if (stp_accept_keyword(p, "private")) {
		if (stp_accept_keyword(p, "function"))
			parse_function(p, true);
		else {
			stp_accept_keyword(p, "global");
			parse_globals(p, true);
		}
	} else if (stp_accept_keyword(p, "function")) {
		parse_function(p, false);
	} else if (t->kind == TOK_EMBED) {
		p->file->embedded = embedded_code(p)->text;
	} else {
		stp_parse_error(p, t, "expected 'probe', 'global', 'private', 'function', or '%{'");
	}
}

/* After an error: on to the next word that starts an item. */
static void resync(struct parser *p)
{
	static const char *const starts[] = {"probe", "global", "private", "function"};
	for (; stp_peek(p)->kind != TOK_EOF; p->i++) {
		const struct stp_tok *t = stp_peek(p);
		for (size_t i = 0; t->kind == TOK_KEYWORD && i < ARRAY_SIZE(starts); i++)
			if (str_eq(t->text, starts[i]))
				return;
	}
}

struct stp_file *stp_parse(struct stp_reader *r)
{
	struct stp_toks toks = {0};
	stp_preprocess(r, &toks);
	struct arena *a = r->in->arena;
	struct parser *p = arena_new(a, struct parser);
	p->r = r;
	p->a = a;
	p->tok = arena_memdup(a, toks.list.at, toks.list.len * sizeof(*toks.list.at));
	p->n = toks.list.len;
	vec_free(&toks.list);
	p->file = arena_new(a, struct stp_file);
	p->file->name = r->src->name;
	p->file->src = r->src;
	p->file->is_tapset = r->is_tapset;
	p->global_tail = &p->file->global;
	p->func_tail = &p->file->func;
	p->probe_tail = &p->file->probe;
	p->item_tail = &p->file->item;
	while (stp_peek(p)->kind != TOK_EOF) {
		if (setjmp(p->giveup))
			resync(p);
		else if (!stp_accept_op(p, ";"))
			parse_item(p);
	}
	return p->file;
}
