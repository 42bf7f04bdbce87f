/*
 * lower_place.c - where values lie: fields, elements, what pointers point to.
 *
 * A place is an address not read yet.  Fields and constant indexes only add to its offset.
 */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

static struct bt_place at(ir_ref addr, enum addr_space as)
{
	return (struct bt_place){.addr = addr, .as = (uint8_t)as};
}

enum addr_space bt_as_of(const struct bt_expr *e)
{
	if (e->type && e->type->kind == TYPE_PTR && e->type->as)
		return (enum addr_space)e->type->as;
	/* of a variable's number only the place of the variable is known */
	return e->as == AS_BPF ? AS_NONE : (enum addr_space)e->as;
}

static struct bt_place pointee(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_place p = at(bt_lower_expr(l, e), bt_as_of(e));
	while (e->kind == BT_CAST) /* ((struct x *)ctx)->field */
		e = e->kid[0];
	p.is_ctx = e->kind == BT_BUILTIN && e->builtin && !strcmp(e->builtin->name, "ctx");
	return p;
}

/* What a C array of chars is when its value is a string. */
static void note_chars(struct bt_place *p, const struct bt_expr *e, const struct type *c_type)
{
	if (e->type && e->type->kind == TYPE_STR && c_type && c_type->kind == TYPE_ARRAY)
		p->chars = c_type->count;
}

/* --- fields
 * -------------------------------------------------------------------------------------------------------
 */

static bool is_args(const struct bt_expr *e)
{
	return e->kind == BT_BUILTIN && e->builtin && !strcmp(e->builtin->name, "args");
}

/* The member of this point's record: another event of the same probe may have it elsewhere. */
static const struct field *arg_field(struct bt_lower *l, struct bt_expr *e, uint32_t *offset)
{
	*offset = e->field_offset;
	if (!l->args || !l->args->record || l->args->record == e->kid[0]->type)
		return e->field;
	const struct field *f = type_field(l->args->record, e->text, l->in->arena, offset);
	if (f)
		return f;
	diag_error(l->in->diags, e->loc, "%s has no argument '%s'", l->point->name, e->text);
	return e->field;
}

/* __data_loc: the lower half of a word in the record says how far from its start the bytes are. */
static struct bt_place data_loc(struct bt_lower *l, uint32_t offset)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref ctx = kit_ctx(&l->kit);
	ir_ref where = ir_bini(b, IR_AND, ir_load(b, ctx, offset, 4, false), 0xffff);
	return at(ir_bin(b, IR_ADD, ctx, where), AS_KERNEL);
}

static struct bt_place arg_place(struct bt_lower *l, struct bt_expr *e)
{
	uint32_t offset;
	struct bt_place known;
	if (bt_variable_place(l, e, &known))
		return known;
	const struct field *f = arg_field(l, e, &offset);
	if (f && f->data_loc)
		return data_loc(l, offset);
	struct bt_place p = at(kit_ctx(&l->kit), AS_KERNEL);
	p.is_ctx = true;
	p.off = offset;
	p.bits = f && (f->bit_width || f->type->kind == TYPE_PTR) ? f : NULL;
	p.bits_offset = offset;
	note_chars(&p, e, f ? f->type : NULL);
	return p;
}

static struct bt_place field_place(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0];
	if (bt_is_debug_record(of) || bt_is_global(e))
		return arg_place(l, e);
	struct bt_place p =
		of->type && of->type->kind == TYPE_PTR ? pointee(l, of) : bt_lower_place(l, of);
	p.bits = e->field && e->field->bit_width ? e->field : NULL;
	p.bits_offset = e->field_offset;
	p.off += e->field_offset;
	p.chars = 0;
	note_chars(&p, e, e->field ? e->field->type : NULL);
	return p;
}

/* --- elements
 * -------------------------------------------------------------------------------------------------------
 */

struct bounds {
	struct bt_expr *e;
};
static void out_of_bounds(struct bt_lower *l, void *arg)
{
	kit_runtime_error(&l->kit, RT_ARRAY_BOUNDS, ((struct bounds *)arg)->e->loc);
}

/* The index, 0 after a warning when it is past the end. */
static ir_ref checked_index(struct bt_lower *l, struct bt_expr *e, uint32_t count)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref i = bt_lower_expr(l, e->kid[1]);
	ir_ref bad = ir_bin(b, IR_ULE, ir_const(b, count), i);
	bt_when(l, bad, out_of_bounds, &(struct bounds){e});
	return ir_select(b, ir_bin(b, IR_ULT, i, ir_const(b, count)), i, ir_const(b, 0));
}

static uint32_t elem_size(struct bt_lower *l, const struct type *t)
{
	struct type *elem = t->kind == TYPE_STR ? NULL : t->elem;
	if (!elem)
		return 1;
	type_complete(elem, l->in->arena);
	return MAX(elem->size, 1u);
}

static struct bt_place index_place(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_expr *of = e->kid[0];
	struct ir_builder *b = &l->kit.b;
	uint32_t size = elem_size(l, of->type);
	bool is_ptr = of->type->kind == TYPE_PTR;
	struct bt_place p = is_ptr ? pointee(l, of) : bt_lower_place(l, of);
	p.chars = 0;
	note_chars(&p, e, of->type->elem);
	int64_t i;
	if (bt_const_int(e->kid[1], &i)) {
		p.off += i * size;
		return p;
	}
	uint32_t count = of->type->kind == TYPE_STR ? of->type->size : of->type->count;
	ir_ref n = is_ptr || !count ? bt_lower_expr(l, e->kid[1]) : checked_index(l, e, count);
	p.addr = ir_bin(b, IR_ADD, bt_place_addr(l, &p), ir_bini(b, IR_MUL, n, size));
	p.off = 0;
	p.is_ctx = false;
	return p;
}

/* --- all kinds
 * ----------------------------------------------------------------------------------------------------------
 */

struct bt_place bt_lower_place(struct bt_lower *l, struct bt_expr *e)
{
	struct bt_place p;
	switch (e->kind) {
	case BT_FIELD: return field_place(l, e);
	case BT_INDEX:
		if (e->kid[0]->type->kind != TYPE_TUPLE)
			return index_place(l, e);
		p = bt_lower_place(l, e->kid[0]);
		p.off += e->kid[0]->type->field[e->kid[1]->num].offset;
		return p;
	case BT_TUPLE_AT:
		p = bt_lower_place(l, e->kid[0]);
		p.off += e->kid[0]->type->field[e->num].offset;
		return p;
	case BT_UNOP:
		if (e->op != BT_DEREF)
			break;
		p = pointee(l, e->kid[0]);
		note_chars(&p, e, e->kid[0]->type->elem);
		return p;
	case BT_VAR: return at(bt_local_addr(l, e->local), AS_BPF);
	default: break;
	}
	if (is_args(e) && !(l->args && l->args->var)) {
		p = at(kit_ctx(&l->kit), AS_KERNEL);
		p.is_ctx = true;
		return p;
	}
	return at(bt_lower_expr(l, e), AS_BPF);
}

struct bt_place bt_lower_target(struct bt_lower *l, struct bt_expr *e)
{
	if (bt_in_register(e->type))
		return pointee(l, e);
	return bt_lower_place(l, e);
}

ir_ref bt_place_addr(struct bt_lower *l, const struct bt_place *p)
{
	return p->off ? ir_bini(&l->kit.b, IR_ADD, p->addr, p->off) : p->addr;
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------------
 */

static ir_ref read_bits(struct bt_lower *l, const struct bt_place *p, struct loc loc)
{
	/* the base: the address of the struct that holds the field */
	struct bt_place base = *p;
	base.off -= p->bits_offset;
	if (p->is_ctx)
		return kit_arg_scalar(&l->kit, p->bits, (uint32_t)p->off, loc);
	return kit_read_field(&l->kit, bt_place_addr(l, &base), p->bits, p->bits_offset,
			      p->as == AS_BPF ? AS_BPF : kit_as(&l->kit, p->as), loc);
}

static ir_ref read_scalar(struct bt_lower *l, const struct bt_place *p, const struct type *t,
			  struct loc loc)
{
	struct ir_builder *b = &l->kit.b;
	uint32_t width = type_mem_size(t);
	bt_check_partial(l, p, width, loc);
	if (p->bits)
		return read_bits(l, p, loc);
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return ir_const(b, 0);
	if (p->is_ctx)
		return kit_ctx_load(&l->kit, p->off, width, t->is_signed);
	if (p->as == AS_BPF)
		return ir_load(b, p->addr, p->off, width, t->is_signed);
	return kit_read_scalar(&l->kit, p->addr, p->off, width, t->is_signed,
			       kit_as(&l->kit, p->as), loc);
}

/* A string value: chars up to a NUL or the array's end, zero-padded.  All may be used, with no NUL.
 */
static ir_ref read_chars(struct bt_lower *l, const struct bt_place *p, const struct type *t,
			 struct loc loc)
{
	uint32_t n = p->chars ? p->chars : t->size;
	ir_ref src = bt_place_addr(l, p), dst;
	if (p->as == AS_BPF) {
		if (n >= t->size)
			return src;
		dst = kit_mem(&l->kit, t->size);
		kit_str_copy(&l->kit, dst, t->size, src, n);
		return dst;
	}
	dst = kit_mem(&l->kit, MAX(n + 1, t->size));
	kit_str_read(&l->kit, dst, MAX(n + 1, t->size), src, 0, kit_as(&l->kit, p->as), loc);
	return dst;
}

void bt_place_read_to(struct bt_lower *l, const struct bt_place *p, struct type *t, ir_ref dst,
		      struct loc loc)
{
	struct kit *k = &l->kit;
	if (bt_in_register(t)) {
		ir_store(&k->b, dst, 0, type_mem_size(t), read_scalar(l, p, t, loc));
		return;
	}
	ir_ref src = bt_place_addr(l, p);
	uint32_t n = type_mem_size(t);
	bt_check_partial(l, p, n, loc);
	if (!n)
		return;
	if (t->kind == TYPE_STR)
		kit_copy(k, dst, read_chars(l, p, t, loc), n);
	else if (p->as == AS_BPF)
		kit_copy(k, dst, src, n);
	else
		kit_read(k, dst, n, src, kit_as(k, p->as), loc);
}

ir_ref bt_place_read(struct bt_lower *l, const struct bt_place *p, struct type *t, struct loc loc)
{
	if (bt_in_register(t))
		return read_scalar(l, p, t, loc);
	if (t->kind == TYPE_STR)
		return read_chars(l, p, t, loc);
	if (p->as == AS_BPF)
		return bt_place_addr(l, p);
	ir_ref dst = kit_mem(&l->kit, type_mem_size(t));
	bt_place_read_to(l, p, t, dst, loc);
	return dst;
}
