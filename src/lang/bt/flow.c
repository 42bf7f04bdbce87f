/* flow.c - jumps: where break, continue and return may stand, and what no execution reaches. */
#include "lang/bt/sema.h"

struct flow {
	struct bt_sema *s;
	const char *in; /* "probe", "macro", "for-loop", "while-loop" */
	bool loop;      /* break and continue are allowed */
	bool no_return;
};

static void check_block(struct flow f, struct bt_block *b);

static void not_allowed(const struct flow *f, const struct bt_stmt *st, const char *word)
{
	bt_err_now(f->s, st->loc, "'%s' statement is not allowed in a %s", word, f->in);
}

static void check_loop(struct flow f, struct bt_stmt *st)
{
	f.in = st->kind == BT_S_WHILE ? "while-loop" : "for-loop";
	f.loop = true;
	if (st->kind == BT_S_WHILE) {
		struct diag *d =
			bt_warn_now(f.s, st->loc,
				    "While loops are deprecated and may be removed in the future.");
		bt_hint(f.s, d,
			"For loops support ranges (e.g. `for ($x : $start..$end) { ... }`), and can be "
			"used in place of while. These are more easily proven to be bounded by the "
			"verifier.");
	}
	check_block(f, st->body);
}

static bool check_nested(struct bt_walk *w, struct bt_expr *e)
{
	const struct flow *f = w->arg;
	if (e->then_block)
		check_block(*f, e->then_block);
	if (e->else_block)
		check_block(*f, e->else_block);
	return !e->then_block;
}

static void check_expr(const struct flow *f, struct bt_expr *e)
{
	struct flow copy = *f;
	struct bt_walk w = {.expr = check_nested, .arg = &copy};
	bt_walk_expr(&w, e);
}

static void check_stmt(const struct flow *f, struct bt_stmt *st)
{
	check_expr(f, st->expr);
	check_expr(f, st->value);
	check_expr(f, st->value2);
	switch (st->kind) {
	case BT_S_BREAK:
		if (!f->loop)
			not_allowed(f, st, "break");
		break;
	case BT_S_CONTINUE:
		if (!f->loop)
			not_allowed(f, st, "continue");
		break;
	case BT_S_RETURN:
		if (f->no_return)
			not_allowed(f, st, "return");
		break;
	case BT_S_WHILE:
	case BT_S_FOR_MAP:
	case BT_S_FOR_RANGE: check_loop(*f, st); break;
	default:
		if (st->body)
			check_block(*f, st->body);
		if (st->other)
			check_block(*f, st->other);
	}
}

/* --- unreachable code ---------------------------------------------------------------------------
 */

static bool block_ends(const struct bt_block *b);

static bool calls_exit(const struct bt_expr *e)
{
	return e && e->kind == BT_CALL && str_eq(e->text, "exit");
}

/* Does nothing run after it in its block? */
static bool stmt_ends(const struct bt_stmt *st)
{
	switch (st->kind) {
	case BT_S_BREAK:
	case BT_S_CONTINUE:
	case BT_S_RETURN: return true;
	case BT_S_EXPR: return calls_exit(st->expr);
	case BT_S_BLOCK: return block_ends(st->body);
	case BT_S_IF: return st->other && block_ends(st->body) && block_ends(st->other);
	default: return false;
	}
}

static bool block_ends(const struct bt_block *b)
{
	for (const struct bt_stmt *st = b->first; st; st = st->next)
		if (stmt_ends(st))
			return true;
	return calls_exit(b->value);
}

static void check_block(struct flow f, struct bt_block *b)
{
	bool ended = false, told = false;
	for (struct bt_stmt *st = b->first; st; st = st->next) {
		if (ended && !told) {
			bt_warn_now(f.s, st->loc, "Unreachable statement.");
			told = true;
		}
		check_stmt(&f, st);
		ended = ended || stmt_ends(st);
	}
	if (ended && !told && b->value)
		bt_warn_now(f.s, b->value->loc,
			    "Unreachable expression; block type is implicitly none.");
	if (b->value)
		check_expr(&f, b->value);
}

void bt_check_flow(struct bt_sema *s)
{
	for (struct bt_macro *m = s->script->macro; m; m = m->next)
		check_block((struct flow){.s = s, .in = "macro", .no_return = true}, m->body);
	for (struct bt_probe *p = s->script->probe; p; p = p->next) {
		struct flow f = {.s = s, .in = "probe"};
		if (p->predicate)
			check_expr(&f, p->predicate);
		check_block(f, p->body);
	}
}
