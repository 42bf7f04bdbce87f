/*
 * parse.c - IR from text; doc/ir.md has the syntax.
 *
 * Two sweeps: the first makes maps and functions, so that bodies can name those that come later;
 * the second fills the bodies.  Operands are resolved when a body is complete, phis when its edges
 * are known. What was read is checked: a function that ir_parse accepts is well-formed.
 */
#include "ir/impl.h"
#include "ir/lex.h"
#include "ir/program.h"

enum {
	MAX_ARGS = 5,
	MAX_KEY = 512 /* bytes behind a parameter */
};

struct operand { /* %number is wanted as argument n of insn */
	ir_ref insn;
	uint32_t n;
	int64_t number;
	struct loc loc;
};
struct incoming { /* one [value, @block] of a phi */
	ir_ref phi;
	ir_ref value; /* a constant, or 0: %number */
	int64_t number;
	uint32_t block;
	bool used;
	struct loc loc;
};
struct parser {
	struct program *prog;
	struct diags *diags;
	struct ir_lexer lex;
	bool failed; /* in this function */
	/* of the current function */
	struct ir_builder b;
	struct numtab value;       /* number in the text -> ir_ref */
	struct numtab constant;    /* value -> ir_ref */
	struct strtab label;       /* -> block */
	VEC(bool) placed;          /* by block: its label was seen */
	VEC(struct loc) mentioned; /* by block */
	VEC(struct operand) operand;
	VEC(struct incoming) incoming;
};

/* --- tokens
 * ---------------------------------------------------------------------------------------- */

static struct loc here(const struct parser *p)
{
	return (struct loc){p->lex.src, p->lex.begin, p->lex.end};
}

/* The first complaint of a function counts.  Always false. */
static bool fail(struct parser *p, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool fail(struct parser *p, struct loc loc, const char *fmt, ...)
{
	if (p->failed)
		return false;
	p->failed = true;
	va_list ap;
	va_start(ap, fmt);
	diag_error(p->diags, loc, "%s", arena_vprintf(p->prog->arena, fmt, ap));
	va_end(ap);
	return false;
}

static bool is_punct(const struct parser *p, char c)
{
	return p->lex.kind == IRT_PUNCT && p->lex.text[0] == c;
}

static bool take(struct parser *p, char c)
{
	if (!is_punct(p, c))
		return false;
	ir_lex(&p->lex);
	return true;
}

static bool expect(struct parser *p, char c)
{
	return take(p, c) || fail(p, here(p), "expected '%c'", c);
}

static bool take_word(struct parser *p, const char *word)
{
	if (p->lex.kind != IRT_WORD || strcmp(p->lex.text, word))
		return false;
	ir_lex(&p->lex);
	return true;
}

static bool expect_number(struct parser *p, int64_t *ret)
{
	if (p->lex.kind != IRT_NUMBER)
		return fail(p, here(p), "expected a number");
	*ret = p->lex.number;
	ir_lex(&p->lex);
	return true;
}

/* A function's name, bare or quoted; a bare one can look like a number. */
static bool expect_name(struct parser *p, const char **ret)
{
	if (p->lex.kind != IRT_WORD && p->lex.kind != IRT_STRING && p->lex.kind != IRT_NUMBER)
		return fail(p, here(p), "expected a name");
	*ret = p->lex.text;
	ir_lex(&p->lex);
	return true;
}

static int index_of(const char *const *list, const char *word)
{
	for (int i = 0; list[i]; i++)
		if (!strcmp(list[i], word))
			return i;
	return -1;
}

/* --- maps and functions
 * ------------------------------------------------------------------------------ */

/* The sigil of the text may be that of the script's name: `@x` is the map "@x", or else "x". */
static struct map *find_map(const struct parser *p, const char *name)
{
	struct map *plain = NULL;
	for (size_t i = 0; i < p->prog->map.len; i++) {
		struct map *m = p->prog->map.at[i];
		if (m->name[0] == '@' && !strcmp(m->name + 1, name))
			return m;
		if (!strcmp(m->name, name))
			plain = m;
	}
	return plain;
}

static struct ir_fn *find_fn(const struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->prog->fn.len; i++)
		if (!strcmp(p->prog->fn.at[i]->name, name))
			return p->prog->fn.at[i];
	return NULL;
}

static bool parse_map_size(struct parser *p, const char *what, uint32_t *ret)
{
	int64_t v = 0;
	if (!take_word(p, what))
		return fail(p, here(p), "expected '%s'", what);
	if (!expect(p, '=') || !expect_number(p, &v))
		return false;
	*ret = (uint32_t)v;
	return v >= 0 && v <= UINT32_MAX ? true : fail(p, here(p), "%s is out of range", what);
}

/* map @name KIND key=N value=N entries=N [no_prealloc] [read_only] */
static bool parse_map(struct parser *p)
{
	uint32_t key, value, entries;
	const char *name = p->lex.text;
	if (p->lex.kind != IRT_AT)
		return fail(p, here(p), "expected a map's name");
	ir_lex(&p->lex);
	int kind = p->lex.kind == IRT_WORD ? index_of(ir_map_kinds, p->lex.text) : -1;
	if (kind < 0)
		return fail(p, here(p), "expected a kind of map");
	ir_lex(&p->lex);
	if (!parse_map_size(p, "key", &key) || !parse_map_size(p, "value", &value) ||
	    !parse_map_size(p, "entries", &entries))
		return false;
	struct map *m = find_map(p, name);
	if (!m)
		m = program_map(p->prog, name, (enum map_kind)kind, key, value, entries);
	else if (m->kind != (enum map_kind)kind)
		return fail(p, here(p), "map %s is there already, as %s", name,
			    ir_map_kinds[m->kind]);
	m->key_size = key;
	m->value_size = value;
	m->nentries = entries;
	m->no_prealloc = take_word(p, "no_prealloc");
	m->read_only = take_word(p, "read_only");
	return true;
}

/* KIND NAME(N) {  or  global NAME(N, BYTES) {  -- up to the brace; the first sweep makes the function, the second finds it */
static bool parse_head(struct parser *p, bool make, struct ir_fn **ret)
{
	const char *name = NULL;
	int64_t n = 0, bytes = 0;
	struct loc at = here(p);
	int kind = p->lex.kind == IRT_WORD ? index_of(ir_fn_kinds, p->lex.text) : -1;
	if (kind < 0)
		return fail(p, at, "expected map, entry, callback, subprog or global");
	ir_lex(&p->lex);
	at = here(p);
	if (!expect_name(p, &name) || !expect(p, '(') || !expect_number(p, &n))
		return false;
	if (kind == IR_GLOBAL && is_punct(p, ',') && (ir_lex(&p->lex), !expect_number(p, &bytes)))
		return false;
	if (!expect(p, ')'))
		return false;
	if (n < 0 || n > MAX_ARGS)
		return fail(p, at, "%s has too many parameters", name);
	if (bytes < 0 || bytes > MAX_KEY || (bytes && !n))
		return fail(p, at, "%s has no parameter of %jd bytes", name, (intmax_t)bytes);
	*ret = find_fn(p, name);
	if (make && *ret)
		return fail(p, at, "%s is there already", name);
	if (make)
		*ret = ir_fn_new(p->prog, name, (enum ir_fn_kind)kind, (unsigned)n);
	(*ret)->param0_bytes = (uint32_t)bytes;
	return is_punct(p, '{') || fail(p, here(p), "expected '{'");
}

static bool skip_body(struct parser *p)
{
	while (!is_punct(p, '}')) {
		if (p->lex.kind == IRT_END || p->lex.kind == IRT_BAD)
			return fail(p, here(p), "expected '}'");
		ir_lex(&p->lex);
	}
	ir_lex(&p->lex);
	return true;
}

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
		vec_push(&p->mentioned, here(p));
		vec_push(&p->placed, false);
	}
	strtab_set(&p->label, label, (void *)(uintptr_t)b);
	return b;
}

static bool parse_block_ref(struct parser *p, uint32_t *ret)
{
	if (p->lex.kind != IRT_AT)
		return fail(p, here(p), "expected a block");
	*ret = block_of(p, p->lex.text);
	ir_lex(&p->lex);
	return true;
}

/* %N or a constant */
static bool parse_operand(struct parser *p, struct operand *o, ir_ref *constant_ret)
{
	*o = (struct operand){.loc = here(p), .number = p->lex.number};
	*constant_ret = 0;
	if (p->lex.kind == IRT_NUMBER)
		*constant_ret = constant(p, p->lex.number);
	else if (p->lex.kind != IRT_VALUE)
		return fail(p, here(p), "expected a value");
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
		return fail(p, here(p), "too many arguments");
	if (!parse_operand(p, &d->operand[d->nargs], &d->arg[d->nargs]))
		return false;
	d->nargs++;
	return true;
}

static bool parse_offset(struct parser *p, struct draft *d)
{
	bool minus = is_punct(p, '-');
	if (!minus && !is_punct(p, '+'))
		return true;
	ir_lex(&p->lex);
	if (!expect_number(p, &d->imm))
		return false;
	d->imm = minus ? (int64_t) - (uint64_t)d->imm : d->imm;
	return true;
}

static bool parse_map_name(struct parser *p, struct draft *d)
{
	if (p->lex.kind != IRT_AT)
		return fail(p, here(p), "expected a map");
	d->sym = find_map(p, p->lex.text);
	if (!d->sym)
		return fail(p, here(p), "no map '%s'", p->lex.text);
	ir_lex(&p->lex);
	return parse_offset(p, d);
}

static bool parse_function(struct parser *p, struct draft *d)
{
	const char *name = NULL;
	struct loc at = here(p);
	if (!expect_name(p, &name))
		return false;
	d->sym = find_fn(p, name);
	return d->sym ? true : fail(p, at, "no function '%s'", name);
}

static bool parse_callee(struct parser *p, struct draft *d)
{
	const char *name = NULL;
	struct loc at = here(p);
	if (d->op == IR_CALL)
		return parse_function(p, d);
	if (d->op == IR_HELPER && p->lex.kind == IRT_NUMBER)
		return expect_number(p, &d->imm);
	if (!expect_name(p, &name))
		return false;
	if (d->op != IR_HELPER) {
		d->sym = (void *)(uintptr_t)name;
		return true;
	}
	d->imm = ir_helper_id(name);
	return d->imm > 0 ? true : fail(p, at, "no helper '%s'", name);
}

static bool parse_call(struct parser *p, struct draft *d)
{
	if (!parse_callee(p, d) || !expect(p, '('))
		return false;
	while (!is_punct(p, ')'))
		if (!parse_arg(p, d) || (!is_punct(p, ')') && !expect(p, ',')))
			return false;
	return expect(p, ')');
}

static bool parse_targets(struct parser *p, struct draft *d)
{
	if (d->op == IR_JMP)
		return parse_block_ref(p, &d->succ[0]);
	if (!parse_arg(p, d))
		return false;
	return d->op == IR_RET || (expect(p, ',') && parse_block_ref(p, &d->succ[0]) &&
				   expect(p, ',') && parse_block_ref(p, &d->succ[1]));
}

/* a [+ offset], b, c; a region's size is its last operand */
static bool parse_plain(struct parser *p, struct draft *d)
{
	bool region = d->op == IR_COPY || d->op == IR_ZERO;
	bool memory = ir_ops[d->op].flags & (IR_READS | IR_WRITES);
	for (int k = 0; k < ir_ops[d->op].nargs; k++) {
		if ((k && !expect(p, ',')) || !parse_arg(p, d))
			return false;
		if (!k && memory && !region && !parse_offset(p, d))
			return false;
	}
	return !region || (expect(p, ',') && expect_number(p, &d->imm));
}

static bool parse_operands(struct parser *p, struct draft *d)
{
	switch (d->op) {
	case IR_PARAM:
	case IR_SLOT: return expect_number(p, &d->imm);
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
	struct loc at = here(p);
	const char *text = p->lex.text, *dot = strchr(text, '.');
	size_t len = dot ? (size_t)(dot - text) : strlen(text);
	if (p->lex.kind != IRT_WORD)
		return fail(p, at, "expected an operation");
	for (d->op = 0; d->op < IR_NOPS; d->op++)
		if (strlen(ir_ops[d->op].name) == len && !memcmp(ir_ops[d->op].name, text, len))
			break;
	if (d->op == IR_NOPS || d->op == IR_CONST)
		return fail(p, at, "no operation '%.*s'", (int)len, text);
	ir_lex(&p->lex);
	if (!dot)
		return true;
	const char *width = dot + 1;
	d->is_signed = *width == 's';
	width += *width == 's' || *width == 'u';
	if (!strchr("1248", *width) || !*width || width[1])
		return fail(p, at, "no width '%s'", dot + 1);
	d->width = (unsigned)(*width - '0');
	return true;
}

static bool parse_phi(struct parser *p, ir_ref phi)
{
	do {
		struct operand o;
		struct incoming in = {.phi = phi};
		if (!expect(p, '[') || !parse_operand(p, &o, &in.value) || !expect(p, ',') ||
		    !parse_block_ref(p, &in.block) || !expect(p, ']'))
			return false;
		in.number = o.number;
		in.loc = o.loc;
		vec_push(&p->incoming, in);
	} while (take(p, ','));
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
static bool parse_insn(struct parser *p)
{
	struct draft d = {0};
	struct loc at = here(p);
	int64_t number = 0;
	if (p->lex.kind == IRT_VALUE) {
		number = p->lex.number;
		ir_lex(&p->lex);
		if (!expect(p, '='))
			return false;
	}
	if (!p->b.block || ir_terminated(&p->b))
		return fail(p, at, "expected a block's label");
	if (!parse_op(p, &d))
		return false;
	bool yields = ir_ops[d.op].flags & IR_VALUE;
	if (yields != (number != 0))
		return fail(p, at, yields ? "%s yields a value" : "%s yields no value",
			    ir_ops[d.op].name);
	if (d.op != IR_PHI && !parse_operands(p, &d))
		return false;
	ir_ref r = add_insn(p, &d);
	if (number && numtab_get(&p->value, (uint64_t)number))
		return fail(p, at, "%%%jd is there already", (intmax_t)number);
	if (number)
		numtab_set(&p->value, (uint64_t)number, (void *)(uintptr_t)r);
	return d.op != IR_PHI || parse_phi(p, r);
}

/* @label: [unlikely] */
static bool parse_label(struct parser *p)
{
	struct loc at = here(p);
	uint32_t b = block_of(p, p->lex.text);
	if (p->b.block && !ir_terminated(&p->b))
		return fail(p, at, "the block before has no terminator");
	if (p->placed.at[b])
		return fail(p, at, "block is there already");
	p->placed.at[b] = true;
	p->b.block = b;
	ir_lex(&p->lex);
	if (!expect(p, ':'))
		return false;
	p->b.fn->block.at[b].unlikely = take_word(p, "unlikely");
	return true;
}

/* --- a body when all of it was read
 * --------------------------------------------------------------------- */

static ir_ref numbered(struct parser *p, int64_t number, struct loc loc)
{
	ir_ref r = (ir_ref)(uintptr_t)numtab_get(&p->value, (uint64_t)number);
	if (!r)
		fail(p, loc, "no value %%%jd", (intmax_t)number);
	return r;
}

static bool resolve_operands(struct parser *p)
{
	for (size_t k = 0; k < p->operand.len; k++) {
		const struct operand *o = &p->operand.at[k];
		ir_at_ref(p->b.fn, o->insn)->arg[o->n] = numbered(p, o->number, o->loc);
	}
	for (uint32_t b = 1; b < p->placed.len; b++)
		if (!p->placed.at[b])
			return fail(p, p->mentioned.at[b], "no such block");
	return !p->failed;
}

/* The phis' own order of predecessors is not that of ir_cfg.  Entries from unreachable blocks
 * vanish. */
static bool resolve_phi(struct parser *p, struct incoming *in, size_t n)
{
	struct ir_fn *fn = p->b.fn;
	ir_ref phi = in->phi;
	if (ir_is_removed(fn, phi))
		return true;
	const struct ir_block *block = &fn->block.at[ir_at_ref(fn, phi)->block];
	size_t npred = block->pred.len;
	ir_ref *arg = arena_array(fn->arena, ir_ref, npred);
	for (size_t k = 0; k < npred; k++) {
		size_t m = 0;
		while (m < n && (in[m].used || in[m].block != block->pred.at[k]))
			m++;
		if (m == n)
			return fail(p, in->loc, "phi without a value for a predecessor");
		in[m].used = true;
		arg[k] = in[m].value ? in[m].value : numbered(p, in[m].number, in[m].loc);
	}
	for (size_t m = 0; m < n; m++)
		if (!in[m].used && ir_block_exists(fn, in[m].block))
			return fail(p, in[m].loc, "not from a predecessor");
	struct ir_insn *i = ir_at_ref(fn, phi);
	i->arg = arg;
	i->nargs = (uint32_t)npred;
	return !p->failed;
}

static bool finish_body(struct parser *p, struct loc at)
{
	struct ir_fn *fn = p->b.fn;
	if (!p->b.block || !ir_terminated(&p->b))
		return fail(p, here(p), "the last block has no terminator");
	if (!resolve_operands(p))
		return false;
	ir_cfg(fn);
	for (size_t k = 0, n; k < p->incoming.len; k += n) {
		struct incoming *in = &p->incoming.at[k];
		for (n = 1; k + n < p->incoming.len && in[n].phi == in->phi;)
			n++;
		if (!resolve_phi(p, in, n))
			return false;
	}
	const char *wrong = ir_check(fn);
	return wrong ? fail(p, at, "%s", wrong) : true;
}

static void forget_body(struct parser *p)
{
	numtab_free(&p->value);
	numtab_free(&p->constant);
	strtab_free(&p->label);
	vec_free(&p->placed);
	vec_free(&p->mentioned);
	vec_free(&p->operand);
	vec_free(&p->incoming);
}

static bool parse_body(struct parser *p, struct ir_fn *fn, struct loc at)
{
	p->b = (struct ir_builder){.fn = fn};
	vec_push(&p->placed, true); /* there is no block 0 */
	vec_push(&p->mentioned, at);
	bool ok = expect(p, '{');
	while (ok && !is_punct(p, '}'))
		ok = p->lex.kind == IRT_AT ? parse_label(p) : parse_insn(p);
	ok = ok && finish_body(p, at);
	forget_body(p);
	return ok && take(p, '}');
}

static void start(struct parser *p, const struct source *src)
{
	p->lex = (struct ir_lexer){.src = src, .arena = p->prog->arena};
	p->failed = false;
	ir_lex(&p->lex);
}

static bool first_sweep(struct parser *p)
{
	while (p->lex.kind != IRT_END) {
		struct ir_fn *fn;
		bool ok = take_word(p, "map") ? parse_map(p)
					      : parse_head(p, true, &fn) && skip_body(p);
		if (!ok)
			return false;
	}
	return true;
}

static bool second_sweep(struct parser *p)
{
	while (p->lex.kind != IRT_END) {
		struct ir_fn *fn;
		struct loc at = here(p);
		bool ok = take_word(p, "map") ? parse_map(p)
					      : parse_head(p, false, &fn) && parse_body(p, fn, at);
		if (!ok)
			return false;
	}
	return true;
}

bool ir_parse(struct program *prog, const struct source *src, struct diags *diags)
{
	struct parser p = {.prog = prog, .diags = diags};
	start(&p, src);
	if (!first_sweep(&p))
		return false;
	start(&p, src);
	return second_sweep(&p);
}
