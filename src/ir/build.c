/* build.c - what front ends call: instructions appended at the end of a block. */
#include "ir/impl.h"

enum {
	MAX_REWRITES = 8,
	CALL_ARGS = 5
};

uint32_t ir_block_new(struct ir_builder *b, const char *name)
{
	struct ir_block block = {.name = name ? arena_strdup(b->fn->arena, name) : NULL};
	vec_push(&b->fn->block, block);
	return (uint32_t)(b->fn->block.len - 1);
}

void ir_at(struct ir_builder *b, uint32_t block)
{
	b->block = block;
}

bool ir_terminated(const struct ir_builder *b)
{
	ir_ref last = b->fn->block.at[b->block].last;
	return last && ir_has(ir_at_ref(b->fn, last), IR_TERM);
}

/* Appends a copy of `what`; its arguments are copied. */
static ir_ref append(struct ir_builder *b, const struct ir_insn *what)
{
	if (ir_terminated(b))
		ir_at(b, ir_block_new(b, NULL));
	ir_ref r = ir_insn_new(b->fn, what->op, what->nargs, what->arg);
	struct ir_insn *i = ir_at_ref(b->fn, r);
	i->width = what->width;
	i->is_signed = what->is_signed;
	i->imm = what->imm;
	i->sym = what->sym;
	i->loc = b->loc;
	ir_append(b->fn, b->block, r);
	return r;
}

ir_ref ir_const(struct ir_builder *b, int64_t v)
{
	return append(b, &(struct ir_insn){.op = IR_CONST, .imm = v});
}

ir_ref ir_const_later(struct ir_builder *b)
{
	return append(b, &(struct ir_insn){.op = IR_CONST, .sym = b->fn});
}

void ir_const_set(struct ir_fn *fn, ir_ref r, int64_t v)
{
	struct ir_insn *i = ir_at_ref(fn, r);
	if (!i->sym)
		return; /* dropped with an unreachable block */
	i->imm = v;
	i->sym = NULL;
}

/* Appends a computation, or finds that it is none. */
static ir_ref compute(struct ir_builder *b, enum ir_op op, unsigned width, unsigned n,
		      const ir_ref *given)
{
	ir_ref arg[3] = {0};
	memcpy(arg, given, n * sizeof(*arg));
	struct ir_insn i = {.op = (uint8_t)op, .width = (uint8_t)width, .nargs = n, .arg = arg};
	for (unsigned round = 0; round < MAX_REWRITES; round++) {
		struct ir_simplified s = ir_simplify(b->fn, &i, NULL, NULL);
		if (s.what == IR_TO_CONST)
			return ir_const(b, s.c);
		if (s.what == IR_TO_REF)
			return s.r;
		for (unsigned k = 0; k < i.nargs; k++)
			if (s.need_const & 1u << k)
				arg[k] = ir_const(b, s.c);
		if (s.what == IR_SAME)
			break;
	}
	return append(b, &i);
}

ir_ref ir_param(struct ir_builder *b, unsigned i)
{
	return append(b, &(struct ir_insn){.op = IR_PARAM, .imm = i});
}

ir_ref ir_slot(struct ir_builder *b, uint32_t size)
{
	return append(b, &(struct ir_insn){.op = IR_SLOT, .imm = size});
}

ir_ref ir_map(struct ir_builder *b, struct map *m)
{
	return append(b, &(struct ir_insn){.op = IR_MAP, .sym = m});
}

ir_ref ir_mapval(struct ir_builder *b, struct map *m, uint32_t offset)
{
	return append(b, &(struct ir_insn){.op = IR_MAPVAL, .sym = m, .imm = offset});
}

ir_ref ir_fnaddr(struct ir_builder *b, struct ir_fn *fn)
{
	return append(b, &(struct ir_insn){.op = IR_FNADDR, .sym = fn});
}

ir_ref ir_bin(struct ir_builder *b, enum ir_op op, ir_ref x, ir_ref y)
{
	return compute(b, op, 0, 2, (ir_ref[]){x, y});
}

ir_ref ir_bini(struct ir_builder *b, enum ir_op op, ir_ref x, int64_t y)
{
	return ir_bin(b, op, x, ir_const(b, y));
}

ir_ref ir_un(struct ir_builder *b, enum ir_op op, ir_ref x)
{
	return compute(b, op, 0, 1, &x);
}

ir_ref ir_ext(struct ir_builder *b, ir_ref x, unsigned width, bool is_signed)
{
	return compute(b, is_signed ? IR_SEXT : IR_ZEXT, width, 1, &x);
}

ir_ref ir_bswap(struct ir_builder *b, ir_ref x, unsigned width)
{
	return compute(b, IR_BSWAP, width, 1, &x);
}

ir_ref ir_select(struct ir_builder *b, ir_ref c, ir_ref x, ir_ref y)
{
	return compute(b, IR_SELECT, 0, 3, (ir_ref[]){c, x, y});
}

ir_ref ir_opaque(struct ir_builder *b, ir_ref x)
{
	return append(b, &(struct ir_insn){.op = IR_OPAQUE, .nargs = 1, .arg = &x});
}

static ir_ref memory(struct ir_builder *b, enum ir_op op, int64_t imm, unsigned width,
		     bool is_signed, unsigned n, ir_ref *arg)
{
	return append(b, &(struct ir_insn){.op = (uint8_t)op,
					   .imm = imm,
					   .width = (uint8_t)width,
					   .is_signed = is_signed,
					   .nargs = n,
					   .arg = arg});
}

ir_ref ir_load(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, bool is_signed)
{
	return memory(b, IR_LOAD, off, width, is_signed && width < 8, 1, &p);
}

void ir_store(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, ir_ref v)
{
	memory(b, IR_STORE, off, width, false, 2, (ir_ref[]){p, v});
}

void ir_atomic_add(struct ir_builder *b, ir_ref p, int64_t off, unsigned width, ir_ref v)
{
	memory(b, IR_ATOMIC_ADD, off, width, false, 2, (ir_ref[]){p, v});
}

ir_ref ir_atomic(struct ir_builder *b, enum ir_op op, ir_ref p, int64_t off, unsigned width,
		 ir_ref v, ir_ref w)
{
	return memory(b, op, off, width, false, op == IR_ATOMIC_CMPXCHG ? 3 : 2,
		      (ir_ref[]){p, v, w});
}

void ir_copy(struct ir_builder *b, ir_ref dst, ir_ref src, uint32_t n)
{
	memory(b, IR_COPY, n, 0, false, 2, (ir_ref[]){dst, src});
}

void ir_zero(struct ir_builder *b, ir_ref dst, uint32_t n)
{
	memory(b, IR_ZERO, n, 0, false, 1, &dst);
}

ir_ref ir_calln(struct ir_builder *b, enum ir_op op, int64_t imm, void *sym, unsigned n,
		const ir_ref *arg)
{
	if (n > CALL_ARGS)
		BUG("%s with %u arguments", ir_ops[op].name, n);
	ir_ref copy[CALL_ARGS];
	if (n)
		memcpy(copy, arg, n * sizeof(*copy));
	return append(b,
		      &(struct ir_insn){
			      .op = (uint8_t)op, .imm = imm, .sym = sym, .nargs = n, .arg = copy});
}

static void terminate(struct ir_builder *b, enum ir_op op, unsigned n, ir_ref *arg, uint32_t s0,
		      uint32_t s1)
{
	append(b, &(struct ir_insn){.op = (uint8_t)op, .nargs = n, .arg = arg});
	struct ir_block *block = &b->fn->block.at[b->block];
	block->succ[0] = s0;
	block->succ[1] = s1;
}

void ir_jmp(struct ir_builder *b, uint32_t to)
{
	terminate(b, IR_JMP, 0, NULL, to, 0);
}

void ir_br(struct ir_builder *b, ir_ref cond, uint32_t then, uint32_t otherwise)
{
	terminate(b, IR_BR, 1, &cond, then, otherwise);
}

void ir_ret(struct ir_builder *b, ir_ref v)
{
	terminate(b, IR_RET, 1, &v, 0, 0);
}

bool ir_is_const(const struct ir_fn *fn, ir_ref r, int64_t *v_ret)
{
	const struct ir_insn *i = ir_at_ref(fn, r);
	if (!r || i->op != IR_CONST || i->sym)
		return false;
	if (v_ret)
		*v_ret = i->imm;
	return true;
}
