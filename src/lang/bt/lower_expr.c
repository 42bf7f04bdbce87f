/* lower_expr.c - expressions: their values, conversions, storing them. */
#include "lang/bt/calls.h"

bool bt_in_register(const struct type *t)
{
	switch (t->kind) {
	case TYPE_INT:
	case TYPE_BOOL:
	case TYPE_ENUM:
	case TYPE_PTR:
	case TYPE_KSYM:
	case TYPE_USERNAME:
	case TYPE_PROBE_NAME:
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG: return true;
	default: return false;
	}
}

/* Bytes that a store of the members leaves as they were. */
bool bt_has_padding(const struct type *t)
{
	if (t->kind != TYPE_TUPLE && t->kind != TYPE_RECORD)
		return false;
	uint32_t end = 0;
	for (uint32_t i = 0; i < t->nfield; i++) {
		if (t->field[i].offset != end || bt_has_padding(t->field[i].type))
			return true;
		end += type_mem_size(t->field[i].type);
	}
	return end != t->size;
}

/* --- conversions
 * -------------------------------------------------------------------------------------------------
 */

static bool is_number(const struct type *t)
{
	return t->kind == TYPE_INT || t->kind == TYPE_ENUM || t->kind == TYPE_BOOL;
}

/* A register of type `from` as type `to`. */
static ir_ref convert(struct bt_lower *l, ir_ref v, const struct type *from, const struct type *to)
{
	struct ir_builder *b = &l->kit.b;
	if (to->kind == TYPE_BOOL)
		return from->kind == TYPE_BOOL ? v : ir_bini(b, IR_NE, v, 0);
	if (!is_number(to) || to->size >= 8 || !to->size)
		return v;
	bool fits = is_number(from) && from->size <= to->size && from->is_signed == to->is_signed;
	return fits ? v : ir_ext(b, v, to->size, to->is_signed);
}

static bool same_layout(const struct type *a, const struct type *b)
{
	return a == b || type_equal(a, b);
}

static const struct field *field_for(const struct type *from, const struct field *f, uint32_t i)
{
	if (from->kind == TYPE_RECORD && f->name)
		for (uint32_t j = 0; j < from->nfield; j++)
			if (str_eq(from->field[j].name, f->name))
				return &from->field[j];
	return i < from->nfield ? &from->field[i] : NULL;
}

static void store_fields(struct bt_lower *l, ir_ref src, struct type *from, struct type *to,
			 ir_ref dst)
{
	struct ir_builder *b = &l->kit.b;
	for (uint32_t i = 0; i < to->nfield; i++) {
		const struct field *t = &to->field[i], *f = field_for(from, t, i);
		if (!f)
			continue;
		ir_ref v = bt_in_register(f->type)
				   ? ir_load(b, src, f->offset, type_mem_size(f->type),
					     f->type->is_signed)
				   : ir_bini(b, IR_ADD, src, f->offset);
		bt_store_as(l, v, f->type, t->type, ir_bini(b, IR_ADD, dst, t->offset));
	}
}

void bt_store_as(struct bt_lower *l, ir_ref v, struct type *from, struct type *to, ir_ref dst)
{
	struct kit *k = &l->kit;
	uint32_t size = type_mem_size(to);
	if (bt_in_register(to)) {
		ir_store(&k->b, dst, 0, size, bt_in_register(from) ? convert(l, v, from, to) : v);
		return;
	}
	if (!size)
		return;
	bool fields = to->kind == TYPE_TUPLE || to->kind == TYPE_RECORD;
	if (bt_in_register(from)) /* an integer's bytes as an array */
		ir_store(&k->b, dst, 0, MIN(size, 8u), v);
	else if (to->kind == TYPE_STR && from->size != to->size)
		kit_str_copy(k, dst, to->size, v, from->size);
	else if (fields && from->nfield && !same_layout(from, to))
		store_fields(l, v, from, to, dst);
	else if (type_mem_size(from) < size && from->kind != to->kind)
		kit_str_copy(k, dst, size, v, type_mem_size(from));
	else
		kit_copy(k, dst, v, MIN(size, type_mem_size(from)));
}

static ir_ref convert_any(struct bt_lower *l, ir_ref v, struct type *from, struct type *to)
{
	if (bt_in_register(from) && bt_in_register(to))
		return convert(l, v, from, to);
	if (!bt_in_register(to) && !bt_in_register(from) && same_layout(from, to))
		return v;
	if (to->kind == TYPE_BOOL) /* not empty */
		return ir_bini(&l->kit.b, IR_NE, ir_load(&l->kit.b, v, 0, 1, false), 0);
	if (bt_in_register(to)) { /* the bytes of an array as an integer; the address of a symbol */
		uint32_t n = MIN(type_mem_size(to), type_mem_size(from));
		return n ? ir_load(&l->kit.b, v, 0, n, to->is_signed) : ir_const(&l->kit.b, 0);
	}
	ir_ref dst = bt_has_padding(to) ? kit_mem_zero(&l->kit, type_mem_size(to))
					: kit_mem(&l->kit, type_mem_size(to));
	bt_store_as(l, v, from, to, dst);
	return dst;
}

/* --- storing without a detour
 * -------------------------------------------------------------------------------------- */

static void literal_to(struct bt_lower *l, struct bt_expr *e, struct type *to, ir_ref dst)
{
	kit_copy(&l->kit, dst, kit_str_literal(&l->kit, e->text, MIN(e->len, to->size), to->size),
		 to->size);
}

/* Elements of a tuple or record straight into their places. */
static void elements_to(struct bt_lower *l, struct bt_expr *e, struct type *to, ir_ref dst)
{
	for (uint32_t i = 0; i < e->nkid && i < to->nfield; i++) {
		uint32_t j = i;
		if (e->kind == BT_RECORD && e->names)
			for (j = 0; j < to->nfield && !str_eq(to->field[j].name, e->names[i]);)
				j++;
		if (j < to->nfield)
			bt_lower_to(l, e->kid[i], to->field[j].type,
				    ir_bini(&l->kit.b, IR_ADD, dst, to->field[j].offset));
	}
}

static bool is_builtin(const struct bt_expr *e, const char *name)
{
	return e->kind == BT_BUILTIN && e->builtin && !strcmp(e->builtin->name, name);
}

void bt_lower_to(struct bt_lower *l, struct bt_expr *e, struct type *to, ir_ref dst)
{
	bool fields = to->kind == TYPE_TUPLE || to->kind == TYPE_RECORD;
	if (e->kind == BT_STRING && to->kind == TYPE_STR) {
		literal_to(l, e, to, dst);
	} else if (fields && (e->kind == BT_TUPLE || e->kind == BT_RECORD)) {
		elements_to(l, e, to, dst);
	} else if (is_builtin(e, "comm") && to->kind == TYPE_STR && to->size == e->type->size) {
		kit_comm(&l->kit, dst);
	} else if (to->kind == TYPE_KSTACK || to->kind == TYPE_USTACK) {
		if (e->kind == BT_CALL || e->kind == BT_BUILTIN)
			kit_stack(&l->kit, e->type, dst, e->loc);
		else
			kit_copy(&l->kit, dst, bt_lower_expr(l, e), type_mem_size(to));
	} else {
		bt_store_as(l, bt_lower_expr(l, e), e->type, to, dst);
	}
}

ir_ref bt_lower_as(struct bt_lower *l, struct bt_expr *e, struct type *to)
{
	if (e->kind == BT_STRING && to->kind == TYPE_STR)
		return kit_str_literal(&l->kit, e->text, MIN(e->len, to->size), to->size);
	bool fields = to->kind == TYPE_TUPLE || to->kind == TYPE_RECORD;
	if (fields && (e->kind == BT_TUPLE || e->kind == BT_RECORD)) {
		ir_ref dst = bt_has_padding(to) ? kit_mem_zero(&l->kit, type_mem_size(to))
						: kit_mem(&l->kit, type_mem_size(to));
		elements_to(l, e, to, dst);
		return dst;
	}
	return convert_any(l, bt_lower_expr(l, e), e->type, to);
}

struct kit_value bt_lower_value(struct bt_lower *l, struct bt_expr *e)
{
	struct kit_value v = {.type = e->type, .is_addr = !bt_in_register(e->type)};
	if (e->kind == BT_CALL && e->call && !strcmp(e->call->name, "str"))
		v.v = bt_lower_str_call(l, e, &v.len);
	else
		v.v = bt_lower_expr(l, e);
	if (!v.is_addr && type_is_agg(e->type)) /* read as a number */
		v.type = e->type->is_signed ? &type_int64 : &type_uint64;
	if (e->kind == BT_STRING)
		v.len = ir_const(&l->kit.b, MIN(e->len + 1, e->type->size));
	return v;
}

/* --- aggregations as numbers
 * ------------------------------------------------------------------------------------------ */

static ir_ref signed_or_not(struct bt_lower *l, bool is_signed, ir_ref x, ir_ref y)
{
	return ir_bin(&l->kit.b, is_signed ? IR_SDIV : IR_UDIV, x, y);
}

ir_ref bt_agg_number(struct bt_lower *l, const struct type *t, ir_ref addr)
{
	struct ir_builder *b = &l->kit.b;
	if (t->kind != TYPE_AVG && t->kind != TYPE_STATS)
		return ir_load(b, addr, 0, 8, false);
	ir_ref n = ir_load(b, addr, offsetof(struct stats_wire, count), 8, false);
	ir_ref total = ir_load(b, addr, offsetof(struct stats_wire, total), 8, false);
	return signed_or_not(l, t->is_signed, total, n);
}

/* --- choice
 * ----------------------------------------------------------------------------------------------------------------
 */

/* Where both branches put their value: a slot for registers, memory otherwise; 0 for no value. */
struct choice {
	struct type *type;
	ir_ref at;
};

static struct choice choice_new(struct bt_lower *l, struct type *t)
{
	struct choice c = {.type = t};
	if (!t || t->kind == TYPE_NONE)
		return c;
	if (bt_in_register(t))
		c.at = ir_slot(&l->kit.b, 8);
	else
		c.at = kit_mem_zero(&l->kit, type_mem_size(t));
	return c;
}

static void choose(struct bt_lower *l, const struct choice *c, struct bt_expr *e)
{
	if (!e)
		return;
	if (!c->at)
		bt_lower_expr(l, e);
	else if (bt_in_register(c->type))
		ir_store(&l->kit.b, c->at, 0, 8, bt_lower_as(l, e, c->type));
	else
		bt_lower_to(l, e, c->type, c->at);
}

static ir_ref chosen(struct bt_lower *l, const struct choice *c)
{
	if (!c->at || !bt_in_register(c->type))
		return c->at;
	return ir_load(&l->kit.b, c->at, 0, 8, false);
}

static ir_ref lower_ternary(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	struct choice c = choice_new(l, e->type);
	uint32_t yes = ir_block_new(b, "then"), no = ir_block_new(b, "else"),
		 end = ir_block_new(b, "chosen");
	if (!e->kid[1]) { /* a ?: b */
		ir_ref v = bt_lower_as(l, e->kid[0], e->type);
		ir_store(b, c.at, 0, 8, v);
		ir_br(b, ir_bini(b, IR_NE, v, 0), end, no);
	} else {
		ir_br(b, bt_lower_cond(l, e->kid[0]), yes, no);
		ir_at(b, yes);
		choose(l, &c, e->kid[1]);
		ir_jmp(b, end);
	}
	ir_at(b, no);
	choose(l, &c, e->kid[2]);
	ir_jmp(b, end);
	ir_at(b, end);
	return chosen(l, &c);
}

static void block_value(struct bt_lower *l, const struct choice *c, struct bt_block *block)
{
	if (!block)
		return;
	bt_lower_block(l, block);
	choose(l, c, block->value);
}

static ir_ref lower_if(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	struct choice c = choice_new(l, e->type);
	uint32_t yes = ir_block_new(b, "then"), no = ir_block_new(b, "else"),
		 end = ir_block_new(b, "endif");
	ir_br(b, bt_lower_cond(l, e->kid[0]), yes, no);
	ir_at(b, yes);
	block_value(l, &c, e->then_block);
	ir_jmp(b, end);
	ir_at(b, no);
	block_value(l, &c, e->else_block);
	ir_jmp(b, end);
	ir_at(b, end);
	return chosen(l, &c);
}

static ir_ref lower_block_expr(struct bt_lower *l, struct bt_expr *e)
{
	bt_lower_block(l, e->then_block);
	return e->then_block->value ? bt_lower_as(l, e->then_block->value, e->type) : 0;
}

/* --- the rest
 * -------------------------------------------------------------------------------------------------------------------
 */

static ir_ref lower_cast(struct bt_lower *l, struct bt_expr *e)
{
	struct type *to = e->type, *from = e->kid[0]->type;
	if (bt_in_register(to) && from->kind == TYPE_ARRAY) {
		struct bt_place p = bt_lower_place(l, e->kid[0]);
		struct type whole = *type_int(MIN(MAX(type_mem_size(to), 1u), 8u), to->is_signed);
		return bt_place_read(l, &p, &whole, e->loc);
	}
	if (from->kind == TYPE_STATS && bt_in_register(to) && e->kid[0]->kind == BT_MAP)
		return convert(l, bt_agg_number(l, from, bt_lower_expr(l, e->kid[0])), &type_int64,
			       to);
	if (to->kind == TYPE_PTR && bt_is_integer(from)) /* as bpftrace does it: whatever the sign */
		return ir_ext(&l->kit.b, bt_lower_expr(l, e->kid[0]), from->size, false);
	ir_ref v = bt_lower_as(l, e->kid[0], to);
	return from->kind == TYPE_PTR && bt_is_integer(to) ? kit_untyped(&l->kit, v) : v;
}

static ir_ref lower_var(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref addr = bt_local_addr(l, e->local);
	return bt_in_register(e->local->type) ? ir_load(&l->kit.b, addr, 0, 8, false) : addr;
}

static ir_ref lower_from_place(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_place p = bt_lower_place(l, e);
	bool data_loc = e->kind == BT_FIELD && e->field && e->field->data_loc;
	if (data_loc && bt_in_register(e->type)) /* a pointer to the bytes */
		return bt_place_addr(l, &p);
	ir_ref v = bt_place_read(l, &p, e->type, e->loc);
	/* an iterator is called once more at its end, with NULL: nothing to see then */
	if (p.is_ctx && l->kit.kind == PROG_ITER && e->type->kind == TYPE_PTR)
		bt_stop_unless(l, ir_bini(&l->kit.b, IR_NE, v, 0));
	return v;
}

static ir_ref lower_collection(struct bt_lower *l, struct bt_expr *e)
{
	uint32_t size = type_mem_size(e->type);
	ir_ref dst = bt_has_padding(e->type) ? kit_mem_zero(&l->kit, MAX(size, 1u))
					     : kit_mem(&l->kit, MAX(size, 1u));
	elements_to(l, e, e->type, dst);
	return dst;
}

static ir_ref lower_constant(struct bt_lower *l, struct bt_expr *e)
{
	int64_t v = 0;
	bt_const_int(e, &v);
	return ir_const(&l->kit.b, v);
}

static ir_ref lower_expr(struct bt_lower *l, struct bt_expr *e)
{
	switch (e->kind) {
	case BT_STRING:
		return kit_str_literal(&l->kit, e->text, MIN(e->len, e->type->size), e->type->size);
	case BT_BUILTIN: return e->builtin->lower(l, e);
	case BT_CALL: return e->call->lower(l, e);
	case BT_IDENT: /* a builtin or function without parentheses */
		return e->builtin ? e->builtin->lower(l, e)
		       : e->call  ? e->call->lower(l, e)
				  : lower_constant(l, e);
	case BT_VAR: return lower_var(l, e);
	case BT_MAP: return bt_lower_map_read(l, e);
	case BT_UNOP: return bt_lower_unop(l, e);
	case BT_BINOP: return bt_lower_binop(l, e);
	case BT_TERNARY: return lower_ternary(l, e);
	case BT_FIELD:
	case BT_TUPLE_AT:
	case BT_INDEX: return lower_from_place(l, e);
	case BT_CAST: return lower_cast(l, e);
	case BT_TUPLE:
	case BT_RECORD: return lower_collection(l, e);
	case BT_COMPTIME: return bt_lower_as(l, e->kid[0], e->type);
	case BT_TYPEINFO: return bt_lower_typeinfo(l, e);
	case BT_BLOCK: return lower_block_expr(l, e);
	case BT_IF: return lower_if(l, e);
	default: return lower_constant(l, e);
	}
}

ir_ref bt_lower_expr(struct bt_lower *l, struct bt_expr *e)
{
	struct loc outer = l->kit.b.loc;
	l->kit.b.loc = e->loc;
	int64_t v;
	ir_ref r = e->type && bt_in_register(e->type) && bt_const_int(e, &v)
			   ? ir_const(&l->kit.b, v)
			   : lower_expr(l, e);
	l->kit.b.loc = outer;
	return r;
}

ir_ref bt_lower_cond(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref v = bt_lower_expr(l, e);
	if (e->type->kind == TYPE_BOOL)
		return v;
	if (bt_in_register(e->type))
		return ir_bini(&l->kit.b, IR_NE, v, 0);
	if (e->type->kind == TYPE_STR) /* not empty */
		return ir_bini(&l->kit.b, IR_NE, ir_load(&l->kit.b, v, 0, 1, false), 0);
	return ir_const(&l->kit.b, 1);
}
