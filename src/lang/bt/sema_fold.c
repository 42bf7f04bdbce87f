/* sema_fold.c - operators on constants are worked out while compiling. */
#include "lang/bt/sema.h"

#define FLOW_ERROR "unable to fold literals due to overflow or underflow"

static bool is_int(const struct bt_expr *e)
{
	return e->kind == BT_INT && e->was_literal;
}

static bool is_bool(const struct bt_expr *e)
{
	return e->kind == BT_BOOL;
}

static bool is_str(const struct bt_expr *e)
{
	return e->kind == BT_STRING;
}

static bool is_literal(const struct bt_expr *e)
{
	return is_int(e) || is_bool(e) || is_str(e);
}

bool bt_is_constant(const struct bt_expr *e)
{
	if (e->kind != BT_TUPLE && e->kind != BT_RECORD)
		return is_literal(e);
	for (unsigned i = 0; i < e->nkid; i++)
		if (!bt_is_constant(e->kid[i]))
			return false;
	return true;
}

bool bt_is_true(const struct bt_expr *e)
{
	return is_str(e) ? e->len > 0 : e->num != 0;
}

bool bt_const_int(const struct bt_expr *e, int64_t *v_ret)
{
	*v_ret = (int64_t)e->num;
	return e->kind == BT_INT || e->kind == BT_BOOL;
}

bool bt_const_str(const struct bt_expr *e, const char **text_ret, uint32_t *len_ret)
{
	*text_ret = e->text;
	*len_ret = e->len;
	return is_str(e);
}

/* --- making literals ----------------------------------------------------------------------------
 */

static void make(struct bt_expr *e, enum bt_expr_kind kind)
{
	e->kind = kind;
	e->was_literal = true;
	e->negative = false;
	e->nkid = 0;
	e->text = NULL;
	e->type_name = NULL;
	e->then_block = e->else_block = NULL;
	e->type = e->cast_type = NULL;
}

void bt_make_int(struct bt_expr *e, uint64_t v, bool negative)
{
	make(e, BT_INT);
	e->num = v;
	e->negative = negative;
}

void bt_make_bool(struct bt_expr *e, bool v)
{
	make(e, BT_BOOL);
	e->num = v;
}

void bt_make_str(struct bt_expr *e, const char *text, uint32_t len)
{
	make(e, BT_STRING);
	e->text = text;
	e->len = len;
}

static uint32_t bytes_of(int64_t v)
{
	for (uint32_t size = 1; size < 8; size *= 2)
		if (v >= -((int64_t)1 << (size * 8 - 1)) && v < ((int64_t)1 << (size * 8 - 1)))
			return size;
	return 8;
}

struct type *bt_int_type(const struct bt_expr *e)
{
	if (!e->negative && e->num > INT64_MAX)
		return &type_uint64;
	uint32_t size = bytes_of((int64_t)e->num);
	return e->negative ? type_int(size, true) : bt_flexible_int(size);
}

/* --- integers -----------------------------------------------------------------------------------
 */

typedef __int128 wide;

static wide value(const struct bt_expr *e)
{
	return e->negative ? (wide)(int64_t)e->num : (wide)e->num;
}

static bool set_wide(struct bt_expr *e, wide v)
{
	if (v < INT64_MIN || v > (wide)UINT64_MAX)
		return false;
	bt_make_int(e, (uint64_t)v, v < 0);
	return true;
}

static bool shift(struct bt_expr *e, enum bt_op op, const struct bt_expr *l, wide by)
{
	if (by < 0 || by >= 64)
		return false;
	bool negative = l->negative;
	uint64_t v = op == BT_SHL ? l->num << by
		     : negative   ? (uint64_t)((int64_t)l->num >> by)
				  : l->num >> by;
	bt_make_int(e, v, negative && (int64_t)v < 0);
	return true;
}

static bool bits(struct bt_expr *e, enum bt_op op, const struct bt_expr *l, const struct bt_expr *r)
{
	uint64_t v = op == BT_AND  ? l->num & r->num
		     : op == BT_OR ? l->num | r->num
				   : l->num ^ r->num;
	bt_make_int(e, v, (l->negative || r->negative) && (int64_t)v < 0);
	return true;
}

static bool arithmetic(struct bt_expr *e, enum bt_op op, const struct bt_expr *l,
		       const struct bt_expr *r)
{
	wide a = value(l), b = value(r), product;
	switch (op) {
	case BT_ADD: return set_wide(e, a + b);
	case BT_SUB: return set_wide(e, a - b);
	case BT_MUL: return !__builtin_mul_overflow(a, b, &product) && set_wide(e, product);
	case BT_DIV: return b && set_wide(e, a / b);
	case BT_MOD: return b && set_wide(e, a % b);
	case BT_SHL:
	case BT_SHR: return shift(e, op, l, b);
	default: return bits(e, op, l, r);
	}
}

static bool is_comparison(enum bt_op op)
{
	return op >= BT_EQ && op <= BT_LOR;
}

/* Both sides as what `cmp` says of them, and whether each is true by itself. */
static bool compare(enum bt_op op, int cmp, bool l, bool r)
{
	switch (op) {
	case BT_EQ: return cmp == 0;
	case BT_NE: return cmp != 0;
	case BT_LT: return cmp < 0;
	case BT_LE: return cmp <= 0;
	case BT_GT: return cmp > 0;
	case BT_GE: return cmp >= 0;
	case BT_LAND: return l && r;
	default: return l || r;
	}
}

static bool fold_ints(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_expr l = *e->kid[0], r = *e->kid[1];
	if (is_comparison(e->op)) {
		wide a = value(&l), b = value(&r);
		bt_make_bool(e, compare(e->op, (a > b) - (a < b), a != 0, b != 0));
		return true;
	}
	if (arithmetic(e, e->op, &l, &r))
		return true;
	bt_err(s, e->loc, FLOW_ERROR);
	return false;
}

/* --- booleans, strings, tuples ------------------------------------------------------------------
 */

static bool fold_bools(struct bt_sema *s, struct bt_expr *e)
{
	bool l = e->kid[0]->num, r = e->kid[1]->num;
	enum bt_op op = e->op;
	if ((op == BT_DIV || op == BT_MOD) && !r) {
		bt_err(s, e->loc, FLOW_ERROR);
		return false;
	}
	bool v;
	switch (op) {
	case BT_ADD:
	case BT_OR: v = l || r; break;
	case BT_SUB:
	case BT_XOR: v = l != r; break;
	case BT_MUL:
	case BT_DIV:
	case BT_AND: v = l && r; break;
	case BT_MOD: v = false; break;
	case BT_SHL: v = l < r; break;
	case BT_SHR: v = l > r; break;
	default: v = compare(op, l - r, l, r);
	}
	bt_make_bool(e, v);
	return true;
}

/* "text" + 2: from the third character on. */
static bool fold_tail(struct bt_sema *s, struct bt_expr *e, const struct bt_expr *str,
		      uint64_t from)
{
	if (from >= str->len)
		bt_warn_now(s, e->loc, "literal string will always be empty");
	from = MIN(from, str->len);
	bt_make_str(e, str->text + from, str->len - (uint32_t)from);
	return true;
}

static bool fold_strings(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_expr *l = e->kid[0], *r = e->kid[1];
	if (is_comparison(e->op)) {
		int cmp = memcmp(l->text, r->text, MIN(l->len, r->len));
		if (!cmp)
			cmp = (l->len > r->len) - (l->len < r->len);
		bt_make_bool(e, compare(e->op, cmp, l->len, r->len));
		return true;
	}
	if (e->op == BT_ADD) {
		char *text = arena_alloc(s->in->arena, (size_t)l->len + r->len + 1);
		memcpy(text, l->text, l->len);
		memcpy(text + l->len, r->text, r->len);
		bt_make_str(e, text, l->len + r->len);
		return true;
	}
	bt_err(s, e->loc, "illegal literal operation with strings");
	return false;
}

static int element_named(const struct bt_expr *record, const char *name)
{
	for (unsigned i = 0; i < record->nkid; i++)
		if (!strcmp(record->names[i], name))
			return (int)i;
	return -1;
}

/* 1 equal, 0 different, -1 cannot be said while compiling. */
static int constants_equal(const struct bt_expr *l, const struct bt_expr *r)
{
	if (!bt_is_constant(l) || !bt_is_constant(r))
		return -1;
	if (l->kind != r->kind || l->nkid != r->nkid)
		return 0;
	if (is_str(l))
		return l->len == r->len && !memcmp(l->text, r->text, l->len);
	if (l->kind != BT_TUPLE && l->kind != BT_RECORD)
		return l->num == r->num && l->negative == r->negative;
	for (unsigned i = 0; i < l->nkid; i++) {
		int at = l->kind == BT_RECORD ? element_named(r, l->names[i]) : (int)i;
		int same = at < 0 ? -1 : constants_equal(l->kid[i], r->kid[at]);
		if (same != 1)
			return same;
	}
	return 1;
}

static bool fold_composites(struct bt_expr *e)
{
	const struct bt_expr *l = e->kid[0], *r = e->kid[1];
	bool composite = (l->kind == BT_TUPLE && r->kind == BT_TUPLE) ||
			 (l->kind == BT_RECORD && r->kind == BT_RECORD);
	if (!composite || (e->op != BT_EQ && e->op != BT_NE))
		return false;
	int same = constants_equal(l, r);
	if (same < 0)
		return false;
	bt_make_bool(e, same == (e->op == BT_EQ));
	return true;
}

static bool fold_binop(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_expr *l = e->kid[0], *r = e->kid[1];
	bool logical = e->op == BT_LAND || e->op == BT_LOR;
	if (is_int(l) && is_int(r))
		return fold_ints(s, e);
	if (is_bool(l) && is_bool(r))
		return fold_bools(s, e);
	if (is_str(l) && is_str(r))
		return fold_strings(s, e);
	if (e->op == BT_ADD && is_str(l) && is_int(r) && !r->negative)
		return fold_tail(s, e, l, r->num);
	if (e->op == BT_ADD && is_str(r) && is_int(l) && !l->negative)
		return fold_tail(s, e, r, l->num);
	if (logical && is_literal(l) && is_literal(r) && (is_bool(l) || is_bool(r))) {
		bt_make_bool(e, compare(e->op, 0, bt_is_true(l), bt_is_true(r)));
		return true;
	}
	return fold_composites(e);
}

/* --- the rest -----------------------------------------------------------------------------------
 */

static bool fold_unop(struct bt_sema *s, struct bt_expr *e)
{
	const struct bt_expr kid = *e->kid[0];
	if (e->op == BT_LNOT && (is_int(&kid) || is_bool(&kid))) {
		bt_make_bool(e, !kid.num);
		return true;
	}
	if (!is_int(&kid))
		return false;
	if (e->op == BT_BNOT) {
		bt_make_int(e, ~kid.num, false);
		return true;
	}
	if (e->op != BT_NEG)
		return false;
	if (set_wide(e, -value(&kid)))
		return true;
	bt_err(s, e->loc, "negative value will underflow");
	return false;
}

static bool fold_ternary(struct bt_expr *e)
{
	struct bt_expr *cond = e->kid[0], *then = e->kid[1] ? e->kid[1] : cond, *other = e->kid[2];
	if (!is_literal(cond) || !bt_is_constant(then) || !bt_is_constant(other))
		return false;
	bt_replace(e, bt_is_true(cond) ? then : other);
	return true;
}

static bool fold_element(struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0];
	if (!bt_is_constant(of))
		return false;
	if (e->kind == BT_TUPLE_AT && of->kind == BT_TUPLE && e->num < of->nkid) {
		bt_replace(e, of->kid[e->num]);
		return true;
	}
	if (e->kind == BT_FIELD && of->kind == BT_RECORD) {
		int at = element_named(of, e->text);
		if (at >= 0)
			bt_replace(e, of->kid[at]);
		return at >= 0;
	}
	if (e->kind == BT_INDEX && is_str(of) && is_int(e->kid[1]) && e->kid[1]->num <= of->len) {
		bt_make_int(e, (unsigned char)of->text[e->kid[1]->num], false);
		return true;
	}
	return false;
}

bool bt_fold(struct bt_sema *s, struct bt_expr *e)
{
	switch (e->kind) {
	case BT_UNOP: return fold_unop(s, e);
	case BT_BINOP: return fold_binop(s, e);
	case BT_TERNARY: return fold_ternary(e);
	case BT_TUPLE_AT:
	case BT_FIELD:
	case BT_INDEX: return fold_element(e);
	case BT_BLOCK:
		if (!e->then_block->first && e->then_block->value &&
		    bt_is_constant(e->then_block->value)) {
			bt_replace(e, e->then_block->value);
			return true;
		}
		return false;
	case BT_COMPTIME:
		if (!bt_is_constant(e->kid[0]))
			return false;
		bt_replace(e, e->kid[0]);
		return true;
	default: return false;
	}
}
