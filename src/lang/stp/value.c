/*
 * value.c - $value: the text between a handler and who made it run.
 *
 * The handler of a file that is read sets it or appends to it; of one that is written, and of what is typed, it has what was given.  It
 * is not memory of the script but of the session, and may be longer than a string: every use becomes the call of a function.
 */
#include "bpf/user_helpers.h"
#include "lang/stp/lower.h"
#include "lang/stp/native.h"

struct uses {
	struct stp_comp *c;
	struct stp_dprobe *dp;
};

static void become_call(struct stp_expr *e, const char *name, struct stp_expr *arg, struct stp_comp *c)
{
	e->kind = SE_CALL;
	e->text = name;
	e->nkid = arg != NULL;
	e->kid = arena_array(c->a, struct stp_expr *, 1);
	e->kid[0] = arg;
}

static bool is_value(const struct stp_expr *e)
{
	return e->kind == SE_CALL && str_eq(e->text, "__value");
}

/* Children come first: what is assigned to is a call already. */
static void replace(struct stp_expr *e, void *arg)
{
	struct uses *u = arg;
	bool is_read = u->dp->spec.kind == PK_FILE_READ;
	if (e->kind == SE_TARGET && str_eq(e->text, "$value") && !e->ncomp) {
		become_call(e, "__value", NULL, u->c);
	} else if (e->kind == SE_ASSIGN && is_value(e->kid[0])) {
		if (!is_read || (!str_eq(e->op, "=") && !str_eq(e->op, ".=")))
			stp_error(u->c, e->loc, is_read ? "$value takes = and .= only" : "$value can only be assigned in a procfs read probe");
		become_call(e, str_eq(e->op, ".=") ? "__value_add" : "__value_set", e->kid[1], u->c);
	}
}

void stp_use_value(struct stp_comp *c, struct stp_dprobe *dp)
{
	enum probe_kind k = dp->spec.kind;
	struct uses u = {c, dp};
	if (k == PK_FILE_READ || k == PK_FILE_WRITE || k == PK_INPUT)
		stp_walk_stmt(dp->body, replace, &u);
}

/* --- the functions ------------------------------------------------------------------------------------------------------------------ */

/* number: UH_VALUE_SET or UH_VALUE_ADD */
static struct stp_value lower_put(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_helper(LB(l), (int32_t)e->func->native->number, arg[0].v, stp_c(l, arg[0].cap));
	return stp_none();
}

static struct stp_value lower_get(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref dst = kit_mem(&l->kit, STP_MAXSTRING);
	ir_helper(LB(l), UH_VALUE_GET, dst, stp_c(l, STP_MAXSTRING));
	return stp_string(dst, STP_MAXSTRING);
}

const struct stp_native stp_tapset_value[] = {
	{"__value", "s:", NF_USER_ONLY, 0, lower_get},
	{"__value_set", "v:s", NF_USER_ONLY | NF_NO_VALUE, 0, lower_put, UH_VALUE_SET},
	{"__value_add", "v:s", NF_USER_ONLY | NF_NO_VALUE, 0, lower_put, UH_VALUE_ADD},
	{0},
};
