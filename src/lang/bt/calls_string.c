/* calls_string.c - strings and buffers: reading them, and asking about them. */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

/* --- str()
 * --------------------------------------------------------------------------------------------------
 */

/* str($1), str($1 + n): a parameter taken as text, whatever it looks like. */
static const char *param_text(struct bt_sema *s, const struct bt_expr *a)
{
	uint64_t skip = 0;
	if (a->kind == BT_BINOP && a->op == BT_ADD && a->kid[1]->kind == BT_INT) {
		skip = a->kid[1]->num;
		a = a->kid[0];
	}
	if (a->kind != BT_POSITIONAL)
		return NULL;
	const char *text = bt_param(s->in, a->num);
	if (!text)
		text = "";
	size_t len = strlen(text);
	return skip < len ? text + skip : "";
}

/* Bytes that str(p, n) may yield: n and a byte that tells whether it was cut. */
static uint32_t str_cap(struct bt_sema *s, struct bt_expr *e)
{
	uint32_t max = s->in->opt.max_strlen;
	int64_t n;
	if (e->nkid < 2 || !bt_const_int(e->kid[1], &n))
		return max;
	if (n < 0) {
		bt_err(s, e->loc, "%scannot use negative length (%ld)", e->text, (long)n);
		return max;
	}
	if (n + 1 <= max)
		return (uint32_t)n + 1;
	bt_warn(s, e->loc,
		"length param (%ld) is too long and will be shortened to %u bytes (see BPFTRACE_MAX_STRLEN)",
		(long)n, max);
	return max;
}

static struct type *sema_str(struct bt_sema *s, struct bt_expr *e)
{
	const char *text = param_text(s, e->kid[0]);
	if (text && e->nkid == 1)
		return bt_fold_str(s, e, text);
	struct type *t = bt_arg(s, e, 0);
	if (bt_foreign_text(s, e))
		t = bt_arg(s, e, 0);
	if (e->nkid > 1)
		bt_want_int(s, e, 1);
	if (t && t->kind != TYPE_STR && !bt_is_int(t) && t->kind != TYPE_PTR &&
	    t->kind != TYPE_ARRAY) {
		struct buf b = {0};
		type_spell(t, &b);
		bt_err(s, e->loc,
		       "str() expects a string, integer or a pointer type as first argument (%s provided)",
		       buf_str(&b));
		buf_free(&b);
	}
	uint32_t cap = str_cap(s, e);
	if (e->type && e->type->kind == TYPE_STR && e->type->size == cap)
		return e->type;
	return type_str(s->in->arena, cap);
}

ir_ref bt_lower_str_call(struct bt_lower *l, struct bt_expr *e, ir_ref *len_ret)
{
	struct kit *k = &l->kit;
	struct ir_builder *b = &k->b;
	uint32_t cap = e->type->size;
	struct bt_place from = bt_lower_target(l, e->kid[0]);
	ir_ref limit = 0;
	int64_t n;
	if (e->nkid > 1 && bt_const_int(e->kid[1], &n)) {
		limit = n < cap ? ir_const(b, n) : 0;
	} else if (e->nkid > 1) {
		ir_ref want = bt_lower_expr(l, e->kid[1]), most = ir_const(b, cap);
		limit = ir_select(b, ir_bin(b, IR_ULE, want, most), want, most);
	}
	/* one byte more than fits: a string that fills its type has no NUL, and prints as cut */
	uint32_t room = limit ? cap : cap + 1;
	ir_ref dst = kit_mem(k, room);
	ir_ref got = kit_str_read(k, dst, room, bt_place_addr(l, &from), limit, kit_as(k, from.as),
				  e->loc);
	if (len_ret) {
		ir_ref most = ir_const(b, cap);
		got = ir_select(b, ir_bini(b, IR_SLT, got, 1), ir_const(b, 1), got);
		*len_ret = ir_select(b, ir_bin(b, IR_ULE, got, most), got, most);
	}
	return dst;
}

static ir_ref lower_str(struct bt_lower *l, struct bt_expr *e)
{
	return bt_lower_str_call(l, e, NULL);
}

/* --- buf()
 * ----------------------------------------------------------------------------------------------------
 */

static uint32_t buf_max(const struct lang_input *in)
{
	return in->opt.max_strlen > 4 ? in->opt.max_strlen - 4 : 4;
}

static struct type *sema_buf(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	uint32_t max = buf_max(s->in), cap = max;
	int64_t n;
	if (t && !bt_is_int(t) && t->kind != TYPE_STR && t->kind != TYPE_PTR &&
	    t->kind != TYPE_ARRAY)
		bt_err(s, e->loc, "buf() expects an integer, string, or array argument but saw %s",
		       bt_kind_word(t));
	if (e->nkid == 1) {
		if (t && t->kind == TYPE_ARRAY)
			cap = MIN(t->size, max);
		else if (t)
			bt_err(s, e->loc, "buf() expects a length argument for non-array type %s",
			       bt_kind_word(t));
	} else if (bt_want_int(s, e, 1) && bt_const_int(e->kid[1], &n)) {
		if (n < 0)
			bt_err(s, e->loc, "bufcannot use negative length (%ld)", (long)n);
		else
			cap = (uint32_t)MIN(n, (int64_t)max);
	}
	return e->type && e->type->kind == TYPE_BUF && e->type->size == cap
		       ? e->type
		       : type_buf(s->in->arena, cap);
}

/* Bytes whose number is only known at run time; n is at most what dst holds. */
static void read_bytes(struct bt_lower *l, ir_ref dst, ir_ref n, const struct bt_place *from,
		       struct loc loc)
{
	bool user = kit_as(&l->kit, from->as) == AS_USER;
	int id = user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
	ir_ref ret = ir_helper(&l->kit.b, id, dst, n, bt_place_addr(l, from));
	kit_check_helper(&l->kit, ret, id, loc);
}

static ir_ref lower_buf(struct bt_lower *l, struct bt_expr *e)
{
	struct kit *k = &l->kit;
	struct ir_builder *b = &k->b;
	uint32_t cap = e->type->size;
	struct bt_place from = bt_lower_target(l, e->kid[0]);
	ir_ref dst = kit_mem_zero(k, cap + 4), data = ir_bini(b, IR_ADD, dst, 4), n;
	int64_t unused;
	if (e->nkid > 1 && !bt_const_int(e->kid[1], &unused)) {
		ir_ref want = bt_lower_expr(l, e->kid[1]), most = ir_const(b, cap);
		n = ir_select(b, ir_bin(b, IR_ULE, want, most), want, most);
		read_bytes(l, data, n, &from, e->loc);
	} else {
		n = ir_const(b, cap);
		if (from.as == AS_BPF)
			kit_copy(k, data, bt_place_addr(l, &from),
				 MIN(cap, type_mem_size(e->kid[0]->type)));
		else if (cap)
			kit_read(k, data, cap, bt_place_addr(l, &from), kit_as(k, from.as), e->loc);
	}
	ir_store(b, dst, 0, 4, n);
	return dst;
}

/* --- path()
 * -----------------------------------------------------------------------------------------------------
 */

static struct type *sema_path(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	int64_t n = s->in->opt.max_strlen;
	if (e->nkid > 1) {
		bt_arg(s, e, 1);
		if (!bt_const_int(e->kid[1], &n) || n < 0)
			bt_err(s, e->loc, "path: invalid size value, need non-negative literal");
	}
	if (!BT_KIND_IS(s, PK_FENTRY, PK_FEXIT, PK_ITER, PK_LSM))
		bt_err(s, e->loc,
		       "The path function can only be used with 'fentry', 'fexit', 'iter' probes");
	if (t && t->kind != TYPE_PTR && t->kind != TYPE_STRUCT)
		bt_err(s, e->loc, "path() only supports pointer or C type argument (%s provided)",
		       bt_kind_word(t));
	n = MAX(1, MIN(n, (int64_t)s->in->opt.max_strlen));
	return e->type && e->type->size == n ? e->type : type_str(s->in->arena, (uint32_t)n);
}

static ir_ref lower_path(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	uint32_t cap = e->type->size;
	struct bt_place p = bt_lower_target(l, e->kid[0]);
	ir_ref dst = kit_mem_zero(&l->kit, cap);
	ir_ref ret = ir_helper(b, BPF_FUNC_d_path, bt_place_addr(l, &p), dst, ir_const(b, cap));
	kit_check_helper(&l->kit, ret, BPF_FUNC_d_path, e->loc);
	return dst;
}

/* --- string-like values
 * -------------------------------------------------------------------------------------------- */

static bool is_char(const struct type *t)
{
	return t && t->kind == TYPE_INT && t->size == 1;
}

/* assert_str(e): strings, and arrays of or pointers to chars. */
static bool want_string(struct bt_sema *s, struct bt_expr *e, unsigned i)
{
	struct type *t = bt_arg(s, e, i);
	if (!t)
		return false;
	if (t->kind == TYPE_STR)
		return true;
	if (t->kind == TYPE_ARRAY && !is_char(t->elem))
		bt_err(s, e->loc, "string-like arrays must contain a char-like type");
	else if (t->kind == TYPE_PTR && !is_char(t->elem))
		bt_err(s, e->loc, "string-like pointers must point to a char-like type");
	else if (t->kind != TYPE_ARRAY && t->kind != TYPE_PTR)
		bt_err(s, e->loc, "string-like values must be either strings, arrays or pointers");
	else
		return true;
	return false;
}

ir_ref bt_lower_string(struct bt_lower *l, struct bt_expr *e, uint32_t *cap_ret)
{
	if (e->type->kind == TYPE_STR) {
		*cap_ret = e->type->size;
		return bt_lower_expr(l, e);
	}
	struct bt_place p = bt_lower_target(l, e);
	uint32_t cap = e->type->kind == TYPE_ARRAY ? e->type->size : l->in->opt.max_strlen;
	ir_ref dst = kit_mem(&l->kit, cap);
	if (p.as == AS_BPF)
		kit_str_copy(&l->kit, dst, cap, bt_place_addr(l, &p), cap);
	else
		kit_str_read(&l->kit, dst, cap, bt_place_addr(l, &p), 0, kit_as(&l->kit, p.as),
			     e->loc);
	*cap_ret = cap;
	return dst;
}

static struct type *sema_assert_str(struct bt_sema *s, struct bt_expr *e)
{
	want_string(s, e, 0);
	return &type_none;
}

static ir_ref lower_nothing(struct bt_lower *l, struct bt_expr *e)
{
	return 0;
}

static struct type *sema_strlen(struct bt_sema *s, struct bt_expr *e)
{
	want_string(s, e, 0);
	return &type_uint64;
}

static ir_ref lower_strlen(struct bt_lower *l, struct bt_expr *e)
{
	uint32_t cap;
	ir_ref a = bt_lower_string(l, e->kid[0], &cap);
	return kit_str_len(&l->kit, a, cap);
}

static struct type *sema_strcap(struct bt_sema *s, struct bt_expr *e)
{
	if (!want_string(s, e, 0))
		return &type_uint64;
	struct type *t = e->kid[0]->type;
	return t->kind == TYPE_PTR || !s->final ? &type_uint64
						: bt_fold_int(e, t->size, &type_uint64);
}

static struct type *sema_find(struct bt_sema *s, struct bt_expr *e)
{
	want_string(s, e, 0);
	want_string(s, e, 1);
	return !strcmp(e->text, "strcontains") ? &type_bool : &type_int64;
}

static ir_ref lower_find(struct bt_lower *l, struct bt_expr *e)
{
	uint32_t acap, ncap;
	ir_ref a = bt_lower_string(l, e->kid[0], &acap);
	ir_ref needle = bt_lower_string(l, e->kid[1], &ncap);
	ir_ref at = kit_str_find(&l->kit, a, acap, needle, ncap);
	if (strcmp(e->call->name, "strcontains") != 0)
		return at;
	return ir_bin(&l->kit.b, IR_SLE, ir_const(&l->kit.b, 0), at);
}

enum {
	CONCAT_BYTES = 1024
};

static struct type *sema_concat(struct bt_sema *s, struct bt_expr *e)
{
	want_string(s, e, 0);
	want_string(s, e, 1);
	return e->type ? e->type : type_str(s->in->arena, CONCAT_BYTES);
}

static ir_ref lower_concat(struct bt_lower *l, struct bt_expr *e)
{
	uint32_t acap, bcap;
	ir_ref a = bt_lower_string(l, e->kid[0], &acap);
	ir_ref b = bt_lower_string(l, e->kid[1], &bcap);
	ir_ref dst = kit_mem(&l->kit, CONCAT_BYTES);
	kit_str_concat(&l->kit, dst, CONCAT_BYTES, a, acap, b, bcap);
	return dst;
}

static struct type *sema_strncmp(struct bt_sema *s, struct bt_expr *e)
{
	int64_t n;
	for (unsigned i = 0; i < 2; i++) {
		struct type *t = bt_arg(s, e, i);
		if (t && t->kind != TYPE_STR)
			bt_err(s, e->loc, "strncmp() only supports string arguments (%s provided)",
			       bt_kind_word(t));
	}
	bt_arg(s, e, 2);
	if (!bt_const_int(e->kid[2], &n) || n < 0)
		bt_err(s, e->loc, "Builtin strncmp requires a non-negative literal");
	return &type_uint64;
}

static ir_ref lower_strncmp(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	uint32_t acap, bcap;
	int64_t n = 0;
	bt_const_int(e->kid[2], &n);
	ir_ref x = bt_lower_string(l, e->kid[0], &acap), y = bt_lower_string(l, e->kid[1], &bcap);
	n = MIN(n, (int64_t)MIN(acap, bcap));
	if (!n)
		return ir_const(b, 0);
	return ir_bini(b, IR_NE, kit_str_ncmp(&l->kit, x, acap, y, bcap, ir_const(b, n)), 0);
}

/* --- memcmp()
 * -------------------------------------------------------------------------------------------------------
 */

enum {
	MEMCMP_MAX = 256
};

static struct type *sema_memcmp(struct bt_sema *s, struct bt_expr *e)
{
	int64_t n;
	for (unsigned i = 0; i < 3; i++)
		bt_arg(s, e, i);
	if (!bt_const_int(e->kid[2], &n) || n < 0 || n > MEMCMP_MAX)
		bt_err(s, e->loc, "memcmp() expects a literal count of at most %d", MEMCMP_MAX);
	return &type_int32;
}

static ir_ref bytes_of(struct bt_lower *l, struct bt_expr *e, uint32_t n)
{
	ir_ref dst = kit_mem_zero(&l->kit, MAX(n, type_mem_size(e->type)));
	bt_lower_to(l, e, e->type, dst);
	return dst;
}

static ir_ref lower_memcmp(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	int64_t n = 0;
	bt_const_int(e->kid[2], &n);
	ir_ref x = bytes_of(l, e->kid[0], (uint32_t)n), y = bytes_of(l, e->kid[1], (uint32_t)n);
	ir_ref result = ir_slot(b, 8);
	uint32_t end = ir_block_new(b, "memcmp_end");
	for (int64_t i = 0; i < n; i++) {
		ir_ref d =
			ir_bin(b, IR_SUB, ir_load(b, x, i, 1, false), ir_load(b, y, i, 1, false));
		ir_store(b, result, 0, 8, d);
		uint32_t next = ir_block_new(b, "memcmp_next");
		ir_br(b, d, end, next);
		ir_at(b, next);
	}
	ir_store(b, result, 0, 8, ir_const(b, 0));
	ir_jmp(b, end);
	ir_at(b, end);
	return ir_load(b, result, 0, 8, true);
}

static struct type *sema_default_length(struct bt_sema *s, struct bt_expr *e)
{
	return bt_fold_int(e, s->in->opt.max_strlen, &type_uint64);
}

const struct bt_call bt_calls_string[] = {
	{"str", 1, 2, 0, sema_str, lower_str},
	{"buf", 1, 2, 0, sema_buf, lower_buf},
	{"path", 1, 2, 0, sema_path, lower_path},
	{"assert_str", 1, 1, BT_F_VOID, sema_assert_str, lower_nothing},
	{"strlen", 1, 1, 0, sema_strlen, lower_strlen},
	{"strcap", 1, 1, 0, sema_strcap, lower_strlen},
	{"strstr", 2, 2, 0, sema_find, lower_find},
	{"strcontains", 2, 2, 0, sema_find, lower_find},
	{"str_concat", 2, 2, 0, sema_concat, lower_concat},
	{"strncmp", 3, 3, 0, sema_strncmp, lower_strncmp},
	{"memcmp", 3, 3, 0, sema_memcmp, lower_memcmp},
	{"default_str_length", 0, 0, 0, sema_default_length, lower_nothing},
	{0},
};
