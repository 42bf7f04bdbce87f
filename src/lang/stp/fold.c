/* fold.c - constants: what can be computed before anything runs. */
#include "lang/stp/comp.h"

/* Counts that are constants are clamped, where those at run time are masked: 1 << -1 is 1, x << y with y -1 is x << 63. */
static unsigned shift_count(int64_t n)
{
	return n < 0 ? 0 : (unsigned)n & 63;
}

static bool fold_long(const char *op, int64_t x, int64_t y, int64_t *r)
{
	uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
	if (str_eq(op, "+"))
		*r = (int64_t)(ux + uy);
	else if (str_eq(op, "-"))
		*r = (int64_t)(ux - uy);
	else if (str_eq(op, "*"))
		*r = (int64_t)(ux * uy);
	else if ((str_eq(op, "/") || str_eq(op, "%")) && y == -1)
		*r = *op == '/' ? (int64_t)(0 - ux) : 0;
	else if (str_eq(op, "/") && y)
		*r = x / y;
	else if (str_eq(op, "%") && y)
		*r = x % y;
	else if (str_eq(op, "&"))
		*r = x & y;
	else if (str_eq(op, "|"))
		*r = x | y;
	else if (str_eq(op, "^"))
		*r = x ^ y;
	else if (str_eq(op, "<<"))
		*r = (int64_t)(ux << shift_count(y));
	else if (str_eq(op, ">>"))
		*r = x >> shift_count(y);
	else if (str_eq(op, ">>>"))
		*r = (int64_t)(ux >> (uy & 63));
	else
		return false;
	return true;
}

static bool compare(const char *op, int c)
{
	return str_eq(op, "==")	  ? c == 0
	       : str_eq(op, "!=") ? c != 0
	       : str_eq(op, "<")  ? c < 0
	       : str_eq(op, "<=") ? c <= 0
	       : str_eq(op, ">")  ? c > 0
				  : c >= 0;
}

static void become_num(struct stp_expr *e, int64_t v)
{
	struct loc loc = e->loc;
	*e = (struct stp_expr){.kind = SE_NUM, .loc = loc, .num = v};
}

static bool both(const struct stp_expr *e, enum stp_expr_kind kind)
{
	return e->nkid == 2 && e->kid[0]->kind == kind && e->kid[1]->kind == kind;
}

static void fold_logical(struct stp_expr *e)
{
	if (e->kid[0]->kind != SE_NUM)
		return;
	bool left = e->kid[0]->num != 0;
	if (left == (e->kind == SE_OR))
		become_num(e, left);
	else if (e->kid[1]->kind == SE_NUM)
		become_num(e, e->kid[1]->num != 0);
}

static void fold_unary(struct stp_expr *e)
{
	if (e->kid[0]->kind != SE_NUM)
		return;
	int64_t v = e->kid[0]->num;
	become_num(e, *e->op == '-' ? (int64_t)(0 - (uint64_t)v) : *e->op == '!' ? !v : *e->op == '~' ? ~v : v);
}

static void fold(struct stp_expr *e, void *arg)
{
	int64_t v;
	switch (e->kind) {
	case SE_BINARY:
		if (both(e, SE_NUM) && fold_long(e->op, e->kid[0]->num, e->kid[1]->num, &v))
			become_num(e, v);
		else if (e->kid[1]->kind == SE_NUM && e->kid[1]->num <= 0 && (str_eq(e->op, "<<") || str_eq(e->op, ">>")))
			*e = *e->kid[0];
		break;
	case SE_COMPARE:
		if (both(e, SE_NUM))
			become_num(e, compare(e->op, e->kid[0]->num < e->kid[1]->num ? -1 : e->kid[0]->num > e->kid[1]->num));
		else if (both(e, SE_STR))
			become_num(e, compare(e->op, strcmp(e->kid[0]->str, e->kid[1]->str)));
		break;
	case SE_AND:
	case SE_OR: fold_logical(e); break;
	case SE_UNARY: fold_unary(e); break;
	case SE_TERNARY:
		if (e->kid[0]->kind == SE_NUM) {
			struct stp_expr *take = e->kid[e->kid[0]->num ? 1 : 2];
			*e = *take;
		}
		break;
	default: break;
	}
}

/* Branches that cannot be taken go. */
static void fold_stmt(struct stp_comp *c, struct stp_stmt *s)
{
	for (; s; s = s->next) {
		fold_stmt(c, s->body);
		fold_stmt(c, s->other);
		if (s->kind == SS_IF && s->expr->kind == SE_NUM) {
			struct stp_stmt *take = s->expr->num ? s->body : s->other, *drop = s->expr->num ? s->other : s->body;
			if (drop)
				vec_push(&c->dropped, drop);
			s->kind = take ? SS_BLOCK : SS_NULL;
			s->body = take;
			s->other = NULL;
			s->expr = NULL;
			if (take)
				take->next = NULL;
		}
	}
}

void stp_fold(struct stp_comp *c, struct stp_stmt *body)
{
	stp_walk_stmt(body, fold, NULL);
	fold_stmt(c, body);
}

struct defining {
	struct stp_comp *c;
	struct stp_dprobe *dp;
};

static void fold_defined(struct stp_expr *e, void *arg)
{
	struct defining *d = arg;
	if (e->kind == SE_DEFINED)
		become_num(e, stp_target_exists(d->c, d->dp, e->kid[0]));
}

void stp_fold_defined(struct stp_comp *c, struct stp_dprobe *dp, struct stp_stmt *body)
{
	struct defining d = {c, dp};
	stp_walk_stmt(body, fold_defined, &d);
	stp_fold(c, body);
}
