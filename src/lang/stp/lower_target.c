/* lower_target.c - $variables, @cast and -> as loads along a path of members. */
#include <sys/stat.h>

#include "lang/stp/lower.h"

struct walk { /* either a value in a register, or the address of one in memory */
	ir_ref v;
	bool in_memory;
	bool in_context; /* memory of the context: read directly */
	int64_t offset;
	struct type *type;
	const struct field *field; /* of a bit-field */
	enum addr_space as;
	const struct dwarf_var *var; /* while still inside of it */
};

static unsigned width_of(const struct type *t)
{
	return t->size == 1 || t->size == 2 || t->size == 4 ? t->size : 8;
}

static bool is_aggregate(const struct type *t)
{
	return t->kind == TYPE_STRUCT || t->kind == TYPE_UNION || t->kind == TYPE_ARRAY || t->kind == TYPE_STR || t->kind == TYPE_BUF;
}

/* A variable may be kept in pieces, some of them nowhere. */
static void check_parts(struct stp_lower *l, const struct walk *w, struct loc loc)
{
	bool bits = w->field && w->field->bit_width;
	uint64_t bit = (uint64_t)w->offset * 8 + (bits ? w->field->bit_offset : 0);
	if (w->var && !is_aggregate(w->type) &&
	    kit_is_optimized_out(w->var->loc, bit, bits ? w->field->bit_width : w->type->size * 8ull))
		stp_error(l->c, loc, "this part of '%s' is optimised out here [man error::dwarf]", w->var->name);
}

/* Reads the scalar that the walk stands at; a fault is an error of the script. */
static ir_ref read_here(struct stp_lower *l, struct walk *w, struct loc loc)
{
	if (!w->in_memory)
		return w->v;
	check_parts(l, w, loc);
	if (w->in_context && w->field && w->field->bit_width)
		return kit_read_field(&l->kit, w->v, w->field, (uint32_t)w->offset, AS_BPF, loc);
	if (w->in_context)
		return ir_load(LB(l), w->v, w->offset, width_of(w->type), w->type->is_signed);
	if (is_aggregate(w->type))
		return ir_bini(LB(l), IR_ADD, w->v, w->offset);
	if (w->field && w->field->bit_width)
		return kit_read_field(&l->kit, w->v, w->field, (uint32_t)w->offset, w->as, loc);
	unsigned n = width_of(w->type);
	ir_ref tmp = kit_mem_zero(&l->kit, 8);
	ir_ref ret = kit_read(&l->kit, tmp, n, ir_bini(LB(l), IR_ADD, w->v, w->offset), w->as, loc);
	stp_raise_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)), loc, "read fault [man error::fault]");
	return ir_load(LB(l), tmp, 0, n, w->type->is_signed);
}

/* A variable of a program is there only in processes that run it. */
static void check_program(struct stp_lower *l, struct stp_expr *e, const struct stp_path *p)
{
	struct stat st;
	if (!p->program)
		return;
	if (l->user || stat(elf_path(p->program), &st)) {
		stp_error(l->c, e->loc, "this probe runs in no process: '%s' of %s cannot be read in it", p->var->name, e->text2);
		return;
	}
	stp_raise_if(l, ir_bini(LB(l), IR_EQ, kit_runs_program(&l->kit, st.st_ino), 0), e->loc,
		     "the process does not run the program of this variable");
}

static void start(struct stp_lower *l, struct stp_expr *e, const struct stp_path *p, struct walk *w)
{
	*w = (struct walk){.type = p->base, .as = AS_KERNEL};
	if (e->kind == SE_CAST || e->kind == SE_DEREF) {
		w->v = stp_lower_long(l, e->kid[0]);
		return;
	}
	if (p->bad) { /* --skip-badvars */
		w->v = stp_c(l, 0);
		return;
	}
	if (p->is_verdict) {
		w->v = kit_verdict(&l->kit);
		return;
	}
	if (p->mark_arg) {
		const char *text = kit_usdt_unreadable(&l->kit, l->kit.point->usdt_args, p->mark_arg - 1);
		if (text)
			stp_error(l->c, e->loc, "the argument is '%s', which BPF programs cannot read", text);
		w->v = kit_usdt_arg(&l->kit, l->kit.point->usdt_args, p->mark_arg - 1, e->loc);
		return;
	}
	if (p->var) {
		check_program(l, e, p);
		l->kit.program = p->program;
		struct kit_located at = kit_locate(&l->kit, p->var->loc, type_mem_size(p->var->type), e->loc);
		l->kit.program = NULL;
		w->v = at.addr;
		w->as = p->program && at.as != AS_BPF ? AS_USER : at.as;
		w->in_memory = true;
		w->in_context = at.as == AS_BPF;
		w->var = p->var;
		return;
	}
	const struct field *f = p->field;
	if (!l->dp->args_by_call && (is_aggregate(f->type) || f->data_loc)) {
		w->v = kit_ctx(&l->kit);
		w->in_memory = w->in_context = true;
		w->offset = f->offset;
		w->field = f;
	} else if (l->dp->args_by_call) {
		ir_ref v = f == l->dp->returned ? kit_retval(&l->kit) : kit_func_arg(&l->kit, f->offset / 8);
		w->v = width_of(f->type) < 8 ? ir_ext(LB(l), v, width_of(f->type), f->type->is_signed) : v;
	} else {
		w->v = kit_arg_scalar(&l->kit, f, f->offset, e->loc);
		if (f->type->kind == TYPE_PTR)
			w->v = kit_untyped(&l->kit, w->v);
	}
	if (f->type->kind == TYPE_PTR && f->type->as)
		w->as = f->type->as;
}

static void follow(struct stp_lower *l, struct walk *w, const struct stp_step *s, struct loc loc)
{
	if (s->through) {
		if (w->type->as)
			w->as = w->type->as;
		w->v = read_here(l, w, loc);
		w->in_memory = true;
		w->in_context = false;
		w->var = NULL;
		w->offset = 0;
		w->type = w->type->elem;
	}
	w->field = NULL;
	if (s->field) {
		w->offset += s->offset;
		w->type = s->field->type;
		w->field = s->field;
		return;
	}
	if (w->type->kind == TYPE_ARRAY)
		w->type = w->type->elem;
	ir_ref i = stp_lower_long(l, s->comp->index);
	ir_ref at = ir_bin(LB(l), IR_MUL, i, stp_c(l, MAX(type_mem_size(w->type), 1u)));
	w->v = ir_bin(LB(l), IR_ADD, w->v, at);
}

/* Text of a tracepoint record: an array of characters, or a __data_loc. */
static struct stp_value context_string(struct stp_lower *l, struct walk *w, uint32_t cap)
{
	ir_ref dst = kit_mem(&l->kit, cap), at;
	if (w->field->data_loc) {
		ir_ref loc = ir_load(LB(l), w->v, w->offset, 4, false);
		at = ir_bin(LB(l), IR_ADD, w->v, ir_bini(LB(l), IR_AND, loc, 0xffff));
	} else {
		at = ir_bini(LB(l), IR_ADD, w->v, w->offset);
	}
	kit_str_read(&l->kit, dst, cap, at, 0, AS_KERNEL, l->kit.b.loc);
	return stp_string(dst, cap);
}

/* To where the expression's value is; false after a diagnostic. */
static bool walk_to(struct stp_lower *l, struct stp_expr *e, struct walk *w)
{
	struct stp_path p;
	if (!stp_target_path(l->c, l->dp, e, &p))
		return false;
	start(l, e, &p, w);
	for (unsigned i = 0; i < p.nstep; i++)
		follow(l, w, &p.step[i], e->comp[i].loc);
	return true;
}

struct stp_value stp_lower_target(struct stp_lower *l, struct stp_expr *e)
{
	struct walk w;
	if (!walk_to(l, e, &w))
		return stp_long(stp_c(l, 0));
	if (w.in_context && e->type == ST_STRING)
		return context_string(l, &w, e->cap);
	if (e->address_of && w.in_memory)
		return stp_long(ir_bini(LB(l), IR_ADD, w.v, w.offset));
	if (w.in_context && is_aggregate(w.type)) {
		stp_error(l->c, e->loc, "this variable has no value that a script can use");
		return stp_long(stp_c(l, 0));
	}
	return stp_long(read_here(l, &w, e->loc));
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Why the value that the walk stands at cannot be written; NULL: it can. */
static const char *unwritable(const struct stp_lower *l, const struct walk *w)
{
	if (l->user || (w->in_memory && !w->in_context && w->as != AS_USER))
		return "kernel memory, which BPF programs cannot write";
	if (!w->in_memory || w->in_context)
		return "no memory of the program, but a register or a constant, which BPF programs cannot write";
	if (is_aggregate(w->type))
		return "more than a number: name its members or elements";
	if (w->type->kind == TYPE_FLOAT)
		return "a floating-point number, which scripts have none of";
	return NULL;
}

/* The word that holds a bit-field, with the field's bits replaced by v. */
static ir_ref put_bits(struct stp_lower *l, const struct walk *w, ir_ref v, unsigned width, struct loc loc)
{
	const struct field *f = w->field;
	uint64_t mask = (f->bit_width < 64 ? 1ull << f->bit_width : 0) - 1;
	ir_ref old = kit_read_scalar(&l->kit, w->v, w->offset, width, false, w->as, loc);
	ir_ref rest = ir_bini(LB(l), IR_AND, old, (int64_t)~(mask << f->bit_offset));
	ir_ref bits = ir_bini(LB(l), IR_SHL, ir_bini(LB(l), IR_AND, v, (int64_t)mask), f->bit_offset);
	return ir_bin(LB(l), IR_OR, rest, bits);
}

static void store_verdict(struct stp_lower *l, struct loc loc, ir_ref v)
{
	stp_raise_if(l, ir_bin(LB(l), IR_ULT, stp_c(l, KIT_ACCEPT), v), loc, "a BPF program can drop a packet (0) or accept it (1), nothing else");
	kit_set_verdict(&l->kit, v);
}

void stp_store_target(struct stp_lower *l, struct stp_expr *e, ir_ref v)
{
	struct walk w;
	if (stp_is_verdict(l->dp, e)) {
		store_verdict(l, e->loc, v);
		return;
	}
	if (!walk_to(l, e, &w))
		return;
	const char *why = unwritable(l, &w);
	if (why) {
		stp_error(l->c, e->loc, "this cannot be written: it is %s", why);
		return;
	}
	unsigned width = width_of(w.type);
	if (w.field && w.field->bit_width)
		v = put_bits(l, &w, v, width, e->loc);
	ir_ref tmp = kit_mem(&l->kit, 8);
	ir_store(LB(l), tmp, 0, 8, v);
	ir_ref ret = stp_write_user(l, ir_bini(LB(l), IR_ADD, w.v, w.offset), tmp, stp_c(l, width));
	stp_raise_if(l, ir_bin(LB(l), IR_SLT, ret, stp_c(l, 0)), e->loc, "write fault [man error::fault]");
}
