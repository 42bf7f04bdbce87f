/* parse_insn.c - instructions, labels and values from text.  What an instruction names may come later: see struct operand and struct incoming. */
#include "ir/parse.h"

/* --- values and blocks
 * --------------------------------------------------------------------------------- */

static ir_ref constant(struct parser *p, int64_t v)
{
	ir_ref r = (ir_ref)(uintptr_t)numtab_get(&p->constant, (uint64_t)v);
	if (!r) {
		r = ir_entry_const(p->b.fn, v);
		numtab_set(&p->constant, (uint64_t)v, (void *)(uintptr_t)r);
	}
	return r;
}

/* The block that a label names; made at its first mention. */
static uint32_t block_of(struct parser *p, const char *label)
{
	uint32_t b = (uint32_t)(uintptr_t)strtab_get(&p->label, label);
	if (b)
		return b;
	/* "then.3" is block "then", "3" has no name */
	const char *dot = strrchr(label, '.');
	size_t len = dot ? (size_t)(dot - label) : strlen(label);
	bool bare = !dot && strspn(label, "0123456789") == len;
	char *name = len && !bare ? arena_strndup(p->prog->arena, label, len) : NULL;
	if (p->mentioned.len <= 1) {
		b = 1;
		p->b.fn->block.at[b].name = name;
	} else {
		b = ir_block_new(&p->b, name);
	}
	while (p->mentioned.len <= b) {
		vec_push(&p->mentioned, ir_parse_here(p));
		vec_push(&p->placed, false);
	}
	strtab_set(&p->label, label, (void *)(uintptr_t)b);
	return b;
}

static bool parse_block_ref(struct parser *p, uint32_t *ret)
{
	if (p->lex.kind != IRT_AT)
		return ir_parse_fail(p, ir_parse_here(p), "expected a block");
	*ret = block_of(p, p->lex.text);
	ir_lex(&p->lex);
	return true;
}

/* %N or a constant */
static bool parse_operand(struct parser *p, struct operand *o, ir_ref *constant_ret)
{
	*o = (struct operand){.loc = ir_parse_here(p), .number = p->lex.number};
	*constant_ret = 0;
	if (p->lex.kind == IRT_NUMBER)
		*constant_ret = constant(p, p->lex.number);
	else if (p->lex.kind != IRT_VALUE)
		return ir_parse_fail(p, ir_parse_here(p), "expected a value");
	ir_lex(&p->lex);
	return true;
}

/* --- instructions
 * ----------------------------------------------------------------------------------------- */

/* What is being read; the instruction is made when all of it is there. */
struct draft {
	enum ir_op op;
	unsigned width;
	bool is_signed;
	int64_t imm;
	void *sym;
	uint32_t nargs;
	ir_ref arg[MAX_ARGS];
	struct operand operand[MAX_ARGS];
	uint32_t succ[2];
};

static bool parse_arg(struct parser *p, struct draft *d)
{
	if (d->nargs == MAX_ARGS)
		return ir_parse_fail(p, ir_parse_here(p), "too many arguments");
	if (!parse_operand(p, &d->operand[d->nargs], &d->arg[d->nargs]))
		return false;
	d->nargs++;
	return true;
}

static bool parse_offset(struct parser *p, struct draft *d)
{
	bool minus = ir_parse_at(p, '-');
	if (!minus && !ir_parse_at(p, '+'))
		return true;
	ir_lex(&p->lex);
	if (!ir_parse_number(p, &d->imm))
		return false;
	d->imm = minus ? (int64_t) - (uint64_t)d->imm : d->imm;
	return true;
}

static bool parse_map_name(struct parser *p, struct draft *d)
{
	if (p->lex.kind != IRT_AT)
		return ir_parse_fail(p, ir_parse_here(p), "expected a map");
	d->sym = ir_parse_find_map(p, p->lex.text);
	if (!d->sym)
		return ir_parse_fail(p, ir_parse_here(p), "no map '%s'", p->lex.text);
	ir_lex(&p->lex);
	return parse_offset(p, d);
}

static bool parse_function(struct parser *p, struct draft *d)
{
	const char *name = NULL;
	struct loc at = ir_parse_here(p);
	if (!ir_parse_name(p, &name))
		return false;
	d->sym = ir_parse_find_fn(p, name);
	return d->sym ? true : ir_parse_fail(p, at, "no function '%s'", name);
}

static bool parse_callee(struct parser *p, struct draft *d)
{
	const char *name = NULL;
	struct loc at = ir_parse_here(p);
	if (d->op == IR_CALL)
		return parse_function(p, d);
	if (d->op == IR_HELPER && p->lex.kind == IRT_NUMBER)
		return ir_parse_number(p, &d->imm);
	if (!ir_parse_name(p, &name))
		return false;
	if (d->op != IR_HELPER) {
		d->sym = (void *)(uintptr_t)name;
		return true;
	}
	d->imm = ir_helper_id(name);
	return d->imm > 0 ? true : ir_parse_fail(p, at, "no helper '%s'", name);
}

static bool parse_call(struct parser *p, struct draft *d)
{
	if (!parse_callee(p, d) || !ir_parse_expect(p, '('))
		return false;
	while (!ir_parse_at(p, ')'))
		if (!parse_arg(p, d) || (!ir_parse_at(p, ')') && !ir_parse_expect(p, ',')))
			return false;
	return ir_parse_expect(p, ')');
}

static bool parse_targets(struct parser *p, struct draft *d)
{
	if (d->op == IR_JMP)
		return parse_block_ref(p, &d->succ[0]);
	if (!parse_arg(p, d))
		return false;
	return d->op == IR_RET || (ir_parse_expect(p, ',') && parse_block_ref(p, &d->succ[0]) &&
				   ir_parse_expect(p, ',') && parse_block_ref(p, &d->succ[1]));
}

/* a [+ offset], b, c; a region's size is its last operand */
static bool parse_plain(struct parser *p, struct draft *d)
{
	bool region = d->op == IR_COPY || d->op == IR_ZERO;
	bool memory = ir_ops[d->op].flags & (IR_READS | IR_WRITES);
	for (int k = 0; k < ir_ops[d->op].nargs; k++) {
		if ((k && !ir_parse_expect(p, ',')) || !parse_arg(p, d))
			return false;
		if (!k && memory && !region && !parse_offset(p, d))
			return false;
	}
	return !region || (ir_parse_expect(p, ',') && ir_parse_number(p, &d->imm));
}

static bool parse_operands(struct parser *p, struct draft *d)
{
	switch (d->op) {
	case IR_PARAM:
	case IR_SLOT: return ir_parse_number(p, &d->imm);
	case IR_MAP:
	case IR_MAPVAL: return parse_map_name(p, d);
	case IR_FNADDR: return parse_function(p, d);
	case IR_JMP:
	case IR_BR:
	case IR_RET: return parse_targets(p, d);
	default: return ir_ops[d->op].flags & IR_CALLS ? parse_call(p, d) : parse_plain(p, d);
	}
}

/* name, name.W, name.uW or name.sW */
static bool parse_op(struct parser *p, struct draft *d)
{
	struct loc at = ir_parse_here(p);
	const char *text = p->lex.text, *dot = strchr(text, '.');
	size_t len = dot ? (size_t)(dot - text) : strlen(text);
	if (p->lex.kind != IRT_WORD)
		return ir_parse_fail(p, at, "expected an operation");
	for (d->op = 0; d->op < IR_NOPS; d->op++)
		if (strlen(ir_ops[d->op].name) == len && !memcmp(ir_ops[d->op].name, text, len))
			break;
	if (d->op == IR_NOPS || d->op == IR_CONST)
		return ir_parse_fail(p, at, "no operation '%.*s'", (int)len, text);
	ir_lex(&p->lex);
	if (!dot)
		return true;
	const char *width = dot + 1;
	d->is_signed = *width == 's';
	width += *width == 's' || *width == 'u';
	if (!strchr("1248", *width) || !*width || width[1])
		return ir_parse_fail(p, at, "no width '%s'", dot + 1);
	d->width = (unsigned)(*width - '0');
	return true;
}

static bool parse_phi(struct parser *p, ir_ref phi)
{
	do {
		struct operand o;
		struct incoming in = {.phi = phi};
		if (!ir_parse_expect(p, '[') || !parse_operand(p, &o, &in.value) || !ir_parse_expect(p, ',') ||
		    !parse_block_ref(p, &in.block) || !ir_parse_expect(p, ']'))
			return false;
		in.number = o.number;
		in.loc = o.loc;
		vec_push(&p->incoming, in);
	} while (ir_parse_take(p, ','));
	return true;
}

static ir_ref add_insn(struct parser *p, const struct draft *d)
{
	struct ir_fn *fn = p->b.fn;
	ir_ref r = ir_insn_new(fn, d->op, d->nargs, d->arg);
	struct ir_insn *i = ir_at_ref(fn, r);
	i->width = (uint8_t)d->width;
	i->is_signed = d->is_signed;
	i->imm = d->imm;
	i->sym = d->sym;
	ir_append(fn, p->b.block, r);
	memcpy(fn->block.at[p->b.block].succ, d->succ, sizeof(d->succ));
	for (uint32_t k = 0; k < d->nargs; k++) {
		if (d->arg[k])
			continue;
		struct operand o = d->operand[k];
		o.insn = r;
		o.n = k;
		vec_push(&p->operand, o);
	}
	return r;
}

/* [%N =] op ... */
bool ir_parse_insn(struct parser *p)
{
	struct draft d = {0};
	struct loc at = ir_parse_here(p);
	int64_t number = 0;
	if (p->lex.kind == IRT_VALUE) {
		number = p->lex.number;
		ir_lex(&p->lex);
		if (!ir_parse_expect(p, '='))
			return false;
	}
	if (!p->b.block || ir_terminated(&p->b))
		return ir_parse_fail(p, at, "expected a block's label");
	if (!parse_op(p, &d))
		return false;
	bool yields = ir_ops[d.op].flags & IR_VALUE;
	if (yields != (number != 0))
		return ir_parse_fail(p, at, yields ? "%s yields a value" : "%s yields no value",
			    ir_ops[d.op].name);
	if (d.op != IR_PHI && !parse_operands(p, &d))
		return false;
	ir_ref r = add_insn(p, &d);
	if (number && numtab_get(&p->value, (uint64_t)number))
		return ir_parse_fail(p, at, "%%%jd is there already", (intmax_t)number);
	if (number)
		numtab_set(&p->value, (uint64_t)number, (void *)(uintptr_t)r);
	return d.op != IR_PHI || parse_phi(p, r);
}

/* @label: [unlikely] */
bool ir_parse_label(struct parser *p)
{
	struct loc at = ir_parse_here(p);
	uint32_t b = block_of(p, p->lex.text);
	if (p->b.block && !ir_terminated(&p->b))
		return ir_parse_fail(p, at, "the block before has no terminator");
	if (p->placed.at[b])
		return ir_parse_fail(p, at, "block is there already");
	p->placed.at[b] = true;
	p->b.block = b;
	ir_lex(&p->lex);
	if (!ir_parse_expect(p, ':'))
		return false;
	p->b.fn->block.at[b].unlikely = ir_parse_take_word(p, "unlikely");
	return true;
}
