/*
 * pp.c - the preprocessor: script arguments, @define macros, %( conditionals %), of which pp_condition.c compares the two sides.
 *
 * Tokens come from a stack of frames: the file at the bottom, bodies of macros and their arguments above.  An
 * argument is a closure: its tokens are expanded in the environment of the call.
 */
#include "lang/stp/pp.h"

#include <ctype.h>
#include <stdlib.h>

struct stp_macro {
	const char *name;
	struct loc loc;
	const char **param;
	unsigned nparam;
	struct stp_tok *body;
	size_t nbody;
};
struct env { /* what the parameters of one macro call stand for */
	const struct stp_macro *macro;
	struct stp_tok **arg;
	size_t *narg;
	const struct env *outer;
};
struct frame {
	const struct stp_tok *tok;
	size_t n, i;
	const struct env *env;
};
struct pp {
	struct stp_reader *r;
	struct arena *a;
	uint32_t pos;
	VEC(struct frame) frame;
	VEC(bool) cond; /* open conditionals */
	size_t steps;
	bool dead; /* expansion ran away: only TOK_EOF from now on */
};
enum { MAX_FRAMES = 200, MAX_STEPS = 4000000 };

static struct loc last_loc(const struct pp *pp)
{
	return (struct loc){pp->r->src, pp->pos, pp->pos};
}

static void pp_error(struct pp *pp, struct loc loc, const char *msg, const char *arg)
{
	diag_error(pp->r->in->diags, loc, "parse error: %s%s", msg, arg ? arg : "");
}

/* --- arguments of the script ----------------------------------------------------------------------------- */

static const char *quote(struct arena *a, const char *s)
{
	struct buf b = {0};
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(&b, '\\');
		if (*s == '\n')
			buf_puts(&b, "\\n");
		else
			buf_putc(&b, *s);
	}
	const char *out = arena_strdup(a, buf_str(&b));
	buf_free(&b);
	return out;
}

static void push_frame(struct pp *pp, const struct stp_tok *tok, size_t n, const struct env *env)
{
	vec_push(&pp->frame, (struct frame){tok, n, 0, env});
}

/* `$N`: the argument's text, read as tokens. */
static void push_argument(struct pp *pp, const char *text, struct loc loc)
{
	struct source *src = arena_new(pp->a, struct source);
	*src = (struct source){.name = "argument", .text = text, .len = strlen(text)};
	VEC(struct stp_tok) list = {0};
	uint32_t pos = 0;
	for (;;) {
		struct stp_tok t = stp_lex(src, &pos, pp->a);
		if (t.kind == TOK_EOF)
			break;
		if ((t.text[0] == '$' || t.text[0] == '@') && (isdigit((unsigned char)t.text[1]) || t.text[1] == '#'))
			t = (struct stp_tok){.kind = TOK_JUNK, .text = "invalid nested substitution of command line arguments"};
		t.loc = loc;
		vec_push(&list, t);
	}
	push_frame(pp, arena_memdup(pp->a, list.at, list.len * sizeof(*list.at)), list.len,
		   pp->frame.len ? vec_last(&pp->frame).env : NULL);
	vec_free(&list);
}

/* Replaces `$1 @1 $# @#`; false: t is not one of them. */
static bool substitute(struct pp *pp, struct stp_tok *t, bool *pushed)
{
	struct lang_input *in = pp->r->in;
	*pushed = false;
	if ((t->kind != TOK_IDENT && t->kind != TOK_OP) || (t->text[0] != '$' && t->text[0] != '@'))
		return false;
	bool raw = t->text[0] == '$';
	if (t->text[1] == '#') {
		t->kind = raw ? TOK_NUM : TOK_STR;
		t->text = arena_printf(pp->a, "%u", in->nparams);
		return true;
	}
	char *end;
	if (!isdigit((unsigned char)t->text[1]))
		return false;
	unsigned long n = strtoul(t->text + 1, &end, 10);
	if (*end && n <= in->nparams)
		return false;
	if (n < 1 || n > in->nparams) {
		*t = (struct stp_tok){.kind = TOK_JUNK, .loc = {t->loc.src, t->loc.begin, t->loc.begin},
				      .text = arena_printf(pp->a, "command line argument out of range [1-%u]", in->nparams)};
		return true;
	}
	if (pp->r->arg_used)
		pp->r->arg_used[n - 1] = true;
	if (raw) {
		push_argument(pp, in->params[n - 1], t->loc);
		*pushed = true;
	} else {
		t->kind = TOK_STR;
		t->text = quote(pp->a, in->params[n - 1]);
	}
	return true;
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static struct stp_tok next_raw(struct pp *pp)
{
	for (;;) {
		struct stp_tok t;
		if (pp->dead)
			return (struct stp_tok){.kind = TOK_EOF, .loc = last_loc(pp), .text = ""};
		if (pp->frame.len) {
			struct frame *f = &vec_last(&pp->frame);
			if (f->i == f->n) {
				(void)vec_pop(&pp->frame);
				continue;
			}
			return f->tok[f->i++];
		}
		t = stp_lex(pp->r->src, &pp->pos, pp->a);
		bool pushed;
		if (substitute(pp, &t, &pushed) && pushed)
			continue;
		return t;
	}
}

static bool is_op(const struct stp_tok *t, const char *op)
{
	return t->kind == TOK_OP && str_eq(t->text, op);
}

static const struct env *current_env(const struct pp *pp)
{
	return pp->frame.len ? vec_last(&pp->frame).env : NULL;
}

/* Collects up to the `%)` that closes an open `%(`. */
static bool read_body(struct pp *pp, struct stp_macro *m)
{
	VEC(struct stp_tok) body = {0};
	unsigned depth = 1;
	bool ok = true;
	for (;;) {
		struct stp_tok t = next_raw(pp);
		if (t.kind == TOK_EOF) {
			pp_error(pp, m->loc, "incomplete macro definition - missing '%)'", NULL);
			ok = false;
			break;
		}
		if (is_op(&t, "@define"))
			pp_error(pp, t.loc, "attempt to define macro inside another macro", NULL);
		depth += is_op(&t, "%(");
		depth -= is_op(&t, "%)");
		if (!depth)
			break;
		vec_push(&body, t);
	}
	m->nbody = body.len;
	m->body = arena_memdup(pp->a, body.at, body.len * sizeof(*body.at));
	vec_free(&body);
	return ok;
}

static bool read_params(struct pp *pp, struct stp_macro *m)
{
	VEC(const char *) params = {0};
	for (;;) {
		struct stp_tok t = next_raw(pp);
		if (t.kind != TOK_IDENT) {
			pp_error(pp, t.loc, "expected identifier", NULL);
			vec_free(&params);
			return false;
		}
		vec_push(&params, t.text);
		t = next_raw(pp);
		if (is_op(&t, ")"))
			break;
		if (!is_op(&t, ",")) {
			pp_error(pp, t.loc, "expected ',' or ')'", NULL);
			vec_free(&params);
			return false;
		}
	}
	m->nparam = (unsigned)params.len;
	m->param = arena_memdup(pp->a, params.at, params.len * sizeof(*params.at));
	vec_free(&params);
	return true;
}

static void read_define(struct pp *pp)
{
	struct stp_macro *m = arena_new(pp->a, struct stp_macro);
	struct stp_tok t = next_raw(pp);
	m->loc = t.loc;
	if (t.kind != TOK_IDENT) {
		pp_error(pp, t.loc, "expected identifier", NULL);
		return;
	}
	m->name = t.text;
	if (str_eq(t.text, "define")) {
		pp_error(pp, t.loc, "attempt to redefine '@define'", NULL);
		return;
	}
	const char *key = arena_printf(pp->a, "@%s", m->name);
	t = next_raw(pp);
	if (is_op(&t, "(")) {
		if (!read_params(pp, m))
			return;
		t = next_raw(pp);
	}
	if (!is_op(&t, "%(")) {
		pp_error(pp, t.loc, "expected '%('", NULL);
		return;
	}
	if (!read_body(pp, m))
		return;
	if (strtab_get(&pp->r->macros, key) && !pp->r->is_tapset) {
		struct stp_macro *old = strtab_get(&pp->r->macros, key);
		if (old->loc.src == pp->r->src) {
			pp_error(pp, m->loc, "attempt to redefine macro in the same file", NULL);
			return;
		}
	}
	strtab_set(&pp->r->macros, key, m);
}

/* One argument of a macro call, up to a top-level `,` or `)`; which of them ended it is in *closed. */
static bool read_argument(struct pp *pp, struct env *e, unsigned i, bool *closed)
{
	VEC(struct stp_tok) list = {0};
	int depth = 0;
	bool ok = true;
	for (;;) {
		struct stp_tok t = next_raw(pp);
		if (t.kind == TOK_EOF) {
			pp_error(pp, t.loc, "could not find end of macro invocation", NULL);
			ok = false;
			break;
		}
		if (depth == 0 && (is_op(&t, ",") || is_op(&t, ")"))) {
			*closed = is_op(&t, ")");
			break;
		}
		depth += is_op(&t, "(") || is_op(&t, "[");
		depth -= is_op(&t, ")") || is_op(&t, "]");
		vec_push(&list, t);
	}
	if (ok && i < e->macro->nparam) {
		e->arg[i] = arena_memdup(pp->a, list.at, list.len * sizeof(*list.at));
		e->narg[i] = list.len;
	}
	vec_free(&list);
	return ok;
}

static void call_macro(struct pp *pp, const struct stp_macro *m, struct loc loc)
{
	if (pp->frame.len > MAX_FRAMES || ++pp->steps > MAX_STEPS) {
		pp_error(pp, loc, "macro expansion does not end: ", m->name);
		pp->dead = true;
		return;
	}
	if (!m->nparam) {
		push_frame(pp, m->body, m->nbody, NULL);
		return;
	}
	struct env *e = arena_new(pp->a, struct env);
	e->macro = m;
	e->arg = arena_array(pp->a, struct stp_tok *, m->nparam);
	e->narg = arena_array(pp->a, size_t, m->nparam);
	e->outer = current_env(pp);
	struct stp_tok t = next_raw(pp);
	if (!is_op(&t, "(")) {
		pp_error(pp, t.loc, "expected '(' in invocation of macro ", m->name);
		return;
	}
	unsigned n = 0;
	for (bool closed = false; !closed; n++)
		if (!read_argument(pp, e, n, &closed))
			return;
	if (n != m->nparam) {
		pp_error(pp, loc, n < m->nparam ? "too few parameters in invocation of macro " : "too many parameters in invocation of macro ", m->name);
		return;
	}
	push_frame(pp, m->body, m->nbody, e);
}

static void read_define(struct pp *pp);

static const struct stp_macro *find_macro(struct pp *pp, const char *name)
{
	struct stp_reader *r = pp->r;
	const struct stp_macro *m = strtab_get(&r->macros, name);
	if (m || r->has_library)
		return m;
	r->has_library = true;
	const char *text = arena_printf(pp->a, "%s@define MAXSTRINGLEN %%( %u %%)\n", stp_tapset_text("library.stpm"), stp_max_string(r->in));
	struct source *src = arena_new(pp->a, struct source);
	*src = (struct source){.name = "library.stpm", .text = text, .len = strlen(text)};
	struct stp_reader lib = {.in = r->in, .src = src, .is_tapset = true, .macros = r->macros, .has_library = true};
	struct pp inner = {.r = &lib, .a = pp->a};
	for (struct stp_tok t = next_raw(&inner); t.kind != TOK_EOF; t = next_raw(&inner))
		read_define(&inner);
	vec_free(&inner.frame);
	r->macros = lib.macros;
	return strtab_get(&r->macros, name);
}

/* The next token after macros. */
static struct stp_tok next_expanded(struct pp *pp)
{
	for (;;) {
		/* exhausted frames must not lend their environment */
		while (pp->frame.len && vec_last(&pp->frame).i == vec_last(&pp->frame).n)
			(void)vec_pop(&pp->frame);
		const struct env *env = current_env(pp);
		struct stp_tok t = next_raw(pp);
		if (t.kind != TOK_OP || t.text[0] != '@')
			return t;
		bool done = false;
		for (unsigned i = 0; env && i < env->macro->nparam && !done; i++)
			if (str_eq(env->macro->param[i], t.text + 1)) {
				push_frame(pp, env->arg[i], env->narg[i], env->outer);
				done = true;
			}
		if (done) {
			pp->dead |= pp->frame.len > 2 * MAX_FRAMES;
			continue;
		}
		const struct stp_macro *m = find_macro(pp, t.text);
		if (!m)
			return t;
		call_macro(pp, m, t.loc);
	}
}

/* --- conditions --------------------------------------------------------------------------------------------- */

static bool eval_term(struct pp *pp)
{
	struct stp_tok l = next_expanded(pp), op = next_expanded(pp);
	if (!stp_is_relation(&op)) {
		pp_error(pp, op.loc, "expected comparison operator", NULL);
		return false;
	}
	struct stp_tok r = next_expanded(pp);
	if (is_op(&r, "-")) { /* a sign belongs to the number */
		r = next_expanded(pp);
		r.text = arena_printf(pp->a, "-%s", r.text);
	}
	return stp_condition(pp->r, l, op, r);
}

/* COND up to `%?`: && binds tighter than ||. */
static bool eval_condition(struct pp *pp)
{
	bool any = false, all = true;
	for (;;) {
		bool term = eval_term(pp);
		all = all && term;
		struct stp_tok t = next_expanded(pp);
		if (is_op(&t, "&&"))
			continue;
		any = any || all;
		all = true;
		if (is_op(&t, "||"))
			continue;
		if (!is_op(&t, "%?"))
			pp_error(pp, t.loc, "expected '%?' marker for conditional", NULL);
		return any;
	}
}

/* Drops tokens up to the `%:` or `%)` of the open conditional; true: stopped at `%:`. */
static bool skip_branch(struct pp *pp, bool stop_at_else)
{
	unsigned depth = 0;
	for (;;) {
		struct stp_tok t = next_raw(pp);
		if (t.kind == TOK_EOF) {
			pp_error(pp, t.loc, "incomplete conditional - missing '%)'", NULL);
			return false;
		}
		if (is_op(&t, "%?") && !depth)
			pp_error(pp, t.loc, "incomplete conditional - missing '%('", NULL);
		if (is_op(&t, "%("))
			depth++;
		else if (is_op(&t, "%)") && depth-- == 0)
			return false;
		else if (is_op(&t, "%:") && depth == 0 && stop_at_else)
			return true;
	}
}

/* Handles the markers of conditionals; false: t is an ordinary token. */
static bool conditional(struct pp *pp, const struct stp_tok *t)
{
	if (is_op(t, "%(")) {
		if (eval_condition(pp) || skip_branch(pp, true))
			vec_push(&pp->cond, true);
	} else if (is_op(t, "%:") && pp->cond.len) {
		(void)vec_pop(&pp->cond);
		skip_branch(pp, false);
	} else if (is_op(t, "%)") && pp->cond.len) {
		(void)vec_pop(&pp->cond);
	} else if (is_op(t, "%?")) {
		pp_error(pp, t->loc, "incomplete conditional - missing '%('", NULL);
	} else {
		return false;
	}
	return true;
}

void stp_preprocess(struct stp_reader *r, struct stp_toks *out)
{
	struct pp pp = {.r = r, .a = r->in->arena};
	for (;;) {
		struct stp_tok t = next_expanded(&pp);
		if (is_op(&t, "@define")) {
			read_define(&pp);
			continue;
		}
		if (conditional(&pp, &t))
			continue;
		if (t.kind == TOK_EOF && pp.cond.len)
			pp_error(&pp, last_loc(&pp), "incomplete conditional - missing '%)'", NULL);
		vec_push(&out->list, t);
		pp.dead |= out->list.len > MAX_STEPS;
		if (t.kind == TOK_EOF)
			break;
	}
	vec_free(&pp.frame);
	vec_free(&pp.cond);
}
