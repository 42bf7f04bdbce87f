/*
 * parse.c - IR from text; doc/ir.md has the syntax.
 *
 * Two sweeps: the first makes maps and functions, so that bodies can name those that come later;
 * the second fills the bodies.  Operands are resolved when a body is complete, phis when its edges
 * are known. What was read is checked: a function that ir_parse accepts is well-formed.
 */
#include "ir/parse.h"

enum { MAX_KEY = 512 }; /* bytes behind a parameter */

/* --- tokens
 * ---------------------------------------------------------------------------------------- */

struct loc ir_parse_here(const struct parser *p)
{
	return (struct loc){p->lex.src, p->lex.begin, p->lex.end};
}

bool ir_parse_fail(struct parser *p, struct loc loc, const char *fmt, ...)
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

bool ir_parse_at(const struct parser *p, char c)
{
	return p->lex.kind == IRT_PUNCT && p->lex.text[0] == c;
}

bool ir_parse_take(struct parser *p, char c)
{
	if (!ir_parse_at(p, c))
		return false;
	ir_lex(&p->lex);
	return true;
}

bool ir_parse_expect(struct parser *p, char c)
{
	return ir_parse_take(p, c) || ir_parse_fail(p, ir_parse_here(p), "expected '%c'", c);
}

bool ir_parse_take_word(struct parser *p, const char *word)
{
	if (p->lex.kind != IRT_WORD || strcmp(p->lex.text, word))
		return false;
	ir_lex(&p->lex);
	return true;
}

bool ir_parse_number(struct parser *p, int64_t *ret)
{
	if (p->lex.kind != IRT_NUMBER)
		return ir_parse_fail(p, ir_parse_here(p), "expected a number");
	*ret = p->lex.number;
	ir_lex(&p->lex);
	return true;
}

bool ir_parse_name(struct parser *p, const char **ret)
{
	if (p->lex.kind != IRT_WORD && p->lex.kind != IRT_STRING && p->lex.kind != IRT_NUMBER)
		return ir_parse_fail(p, ir_parse_here(p), "expected a name");
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
struct map *ir_parse_find_map(const struct parser *p, const char *name)
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

struct ir_fn *ir_parse_find_fn(const struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->prog->fn.len; i++)
		if (!strcmp(p->prog->fn.at[i]->name, name))
			return p->prog->fn.at[i];
	return NULL;
}

static bool parse_map_size(struct parser *p, const char *what, uint32_t *ret)
{
	int64_t v = 0;
	if (!ir_parse_take_word(p, what))
		return ir_parse_fail(p, ir_parse_here(p), "expected '%s'", what);
	if (!ir_parse_expect(p, '=') || !ir_parse_number(p, &v))
		return false;
	*ret = (uint32_t)v;
	return v >= 0 && v <= UINT32_MAX ? true : ir_parse_fail(p, ir_parse_here(p), "%s is out of range", what);
}

/* map @name KIND key=N value=N entries=N [no_prealloc] [read_only] */
static bool parse_map(struct parser *p)
{
	uint32_t key, value, entries;
	const char *name = p->lex.text;
	if (p->lex.kind != IRT_AT)
		return ir_parse_fail(p, ir_parse_here(p), "expected a map's name");
	ir_lex(&p->lex);
	int kind = p->lex.kind == IRT_WORD ? index_of(ir_map_kinds, p->lex.text) : -1;
	if (kind < 0)
		return ir_parse_fail(p, ir_parse_here(p), "expected a kind of map");
	ir_lex(&p->lex);
	if (!parse_map_size(p, "key", &key) || !parse_map_size(p, "value", &value) ||
	    !parse_map_size(p, "entries", &entries))
		return false;
	struct map *m = ir_parse_find_map(p, name);
	if (!m)
		m = program_map(p->prog, name, (enum map_kind)kind, key, value, entries);
	else if (m->kind != (enum map_kind)kind)
		return ir_parse_fail(p, ir_parse_here(p), "map %s is there already, as %s", name,
			    ir_map_kinds[m->kind]);
	m->key_size = key;
	m->value_size = value;
	m->nentries = entries;
	m->no_prealloc = ir_parse_take_word(p, "no_prealloc");
	m->read_only = ir_parse_take_word(p, "read_only");
	return true;
}

/* KIND NAME(N) {  or  global NAME(N, BYTES) {  -- up to the brace; the first sweep makes the function, the second finds it */
static bool parse_head(struct parser *p, bool make, struct ir_fn **ret)
{
	const char *name = NULL;
	int64_t n = 0, bytes = 0;
	struct loc at = ir_parse_here(p);
	int kind = p->lex.kind == IRT_WORD ? index_of(ir_fn_kinds, p->lex.text) : -1;
	if (kind < 0)
		return ir_parse_fail(p, at, "expected map, entry, callback, subprog or global");
	ir_lex(&p->lex);
	at = ir_parse_here(p);
	if (!ir_parse_name(p, &name) || !ir_parse_expect(p, '(') || !ir_parse_number(p, &n))
		return false;
	if (kind == IR_GLOBAL && ir_parse_at(p, ',') && (ir_lex(&p->lex), !ir_parse_number(p, &bytes)))
		return false;
	if (!ir_parse_expect(p, ')'))
		return false;
	if (n < 0 || n > MAX_ARGS)
		return ir_parse_fail(p, at, "%s has too many parameters", name);
	if (bytes < 0 || bytes > MAX_KEY || (bytes && !n))
		return ir_parse_fail(p, at, "%s has no parameter of %jd bytes", name, (intmax_t)bytes);
	*ret = ir_parse_find_fn(p, name);
	if (make && *ret)
		return ir_parse_fail(p, at, "%s is there already", name);
	if (make)
		*ret = ir_fn_new(p->prog, name, (enum ir_fn_kind)kind, (unsigned)n);
	(*ret)->param0_bytes = (uint32_t)bytes;
	return ir_parse_at(p, '{') || ir_parse_fail(p, ir_parse_here(p), "expected '{'");
}

static bool skip_body(struct parser *p)
{
	while (!ir_parse_at(p, '}')) {
		if (p->lex.kind == IRT_END || p->lex.kind == IRT_BAD)
			return ir_parse_fail(p, ir_parse_here(p), "expected '}'");
		ir_lex(&p->lex);
	}
	ir_lex(&p->lex);
	return true;
}

/* --- a body when all of it was read
 * --------------------------------------------------------------------- */

static ir_ref numbered(struct parser *p, int64_t number, struct loc loc)
{
	ir_ref r = (ir_ref)(uintptr_t)numtab_get(&p->value, (uint64_t)number);
	if (!r)
		ir_parse_fail(p, loc, "no value %%%jd", (intmax_t)number);
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
			return ir_parse_fail(p, p->mentioned.at[b], "no such block");
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
			return ir_parse_fail(p, in->loc, "phi without a value for a predecessor");
		in[m].used = true;
		arg[k] = in[m].value ? in[m].value : numbered(p, in[m].number, in[m].loc);
	}
	for (size_t m = 0; m < n; m++)
		if (!in[m].used && ir_block_exists(fn, in[m].block))
			return ir_parse_fail(p, in[m].loc, "not from a predecessor");
	struct ir_insn *i = ir_at_ref(fn, phi);
	i->arg = arg;
	i->nargs = (uint32_t)npred;
	return !p->failed;
}

static bool finish_body(struct parser *p, struct loc at)
{
	struct ir_fn *fn = p->b.fn;
	if (!p->b.block || !ir_terminated(&p->b))
		return ir_parse_fail(p, ir_parse_here(p), "the last block has no terminator");
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
	return wrong ? ir_parse_fail(p, at, "%s", wrong) : true;
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
	bool ok = ir_parse_expect(p, '{');
	while (ok && !ir_parse_at(p, '}'))
		ok = p->lex.kind == IRT_AT ? ir_parse_label(p) : ir_parse_insn(p);
	ok = ok && finish_body(p, at);
	forget_body(p);
	return ok && ir_parse_take(p, '}');
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
		bool ok = ir_parse_take_word(p, "map") ? parse_map(p)
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
		struct loc at = ir_parse_here(p);
		bool ok = ir_parse_take_word(p, "map") ? parse_map(p)
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
