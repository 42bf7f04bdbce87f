/* print.c - IR as text.  doc/ir.md has the syntax; parse.c reads it back. */
#include <ctype.h>
#include <inttypes.h>

#include "ir/impl.h"
#include "ir/program.h"

const char *const ir_map_kinds[] = {
	[MAP_HASH] = "hash",
	[MAP_LRU_HASH] = "lru_hash",
	[MAP_PERCPU_HASH] = "percpu_hash",
	[MAP_LRU_PERCPU_HASH] = "lru_percpu_hash",
	[MAP_ARRAY] = "array",
	[MAP_PERCPU_ARRAY] = "percpu_array",
	[MAP_DATA] = "data",
	[MAP_RINGBUF] = "ringbuf",
	[MAP_STACK_TRACE] = "stack_trace",
	[MAP_PROG_ARRAY] = "prog_array",
	[MAP_PERF_ARRAY] = "perf_array",
	[MAP_CGROUP_ARRAY] = "cgroup_array",
	[MAP_SEGMENTS] = "segments",
	NULL,
};
const char *const ir_fn_kinds[] = {
	[IR_ENTRY] = "entry", [IR_CALLBACK] = "callback", [IR_SUBPROG] = "subprog",
	[IR_GLOBAL] = "global", NULL};

/* --- numbering ---------------------------------------------------------------------------------
 */

/* Constants are written where they are used and have no number. */
static bool is_numbered(const struct ir_insn *i)
{
	return ir_has(i, IR_VALUE) && i->op != IR_CONST;
}

void ir_numbers_init(struct ir_numbers *n, const struct ir_fn *fn)
{
	size_t nblocks = fn->block.len;
	n->value = xcalloc(fn->insn.len, sizeof(*n->value));
	n->block = xcalloc(nblocks, sizeof(*n->block));
	n->order = xcalloc(nblocks, sizeof(*n->order));
	n->nblocks = ir_rpo(fn, n->order);
	for (uint32_t i = 0; i < n->nblocks; i++)
		n->block[n->order[i]] = i + 1;
	/* Unreachable ones, as they are before ir_cfg, come last. */
	for (uint32_t b = 1; b < nblocks; b++) {
		if (n->block[b] || !ir_block_exists(fn, b))
			continue;
		n->order[n->nblocks++] = b;
		n->block[b] = n->nblocks;
	}
	uint32_t next = 0;
	for (uint32_t i = 0; i < n->nblocks; i++)
		IR_EACH(fn, n->order[i], r)
	if (is_numbered(ir_at_ref(fn, r)))
		n->value[r] = ++next;
}

void ir_numbers_free(struct ir_numbers *n)
{
	base_free(n->value);
	base_free(n->block);
	base_free(n->order);
}

/* --- pieces ------------------------------------------------------------------------------------
 */

struct printer {
	const struct ir_fn *fn;
	struct buf *out;
	struct ir_numbers num;
	struct line_cursor line; /* places come mostly in order */
};

static bool is_word(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.$", *s))
			return false;
	return true;
}

/* Names that are no words are quoted; a byte that is not plain ASCII is \xNN. */
static void put_name(struct buf *out, const char *s)
{
	if (is_word(s)) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\' || c < ' ' || c >= 127)
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void put_map(struct buf *out, const struct map *m)
{
	const char *name = m ? m->name : "";
	buf_putc(out, '@');
	put_name(out, *name == '@' && is_word(name + 1) ? name + 1 : name);
}

static void put_value(struct printer *p, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(p->fn, r);
	if (r && i->op == IR_CONST && i->sym)
		buf_puts(p->out, "later");
	else if (r && i->op == IR_CONST)
		buf_printf(p->out, "%" PRId64, i->imm);
	else
		buf_printf(p->out, "%%%u", p->num.value[r]);
}

static void put_block(struct printer *p, uint32_t b)
{
	const char *name = p->fn->block.at[b].name;
	if (name && is_word(name) && !isdigit((unsigned char)*name))
		buf_printf(p->out, "@%s.%u", name, p->num.block[b]);
	else
		buf_printf(p->out, "@%u", p->num.block[b]);
}

static void put_offset(struct printer *p, int64_t off)
{
	if (off)
		buf_printf(p->out, " %c %" PRIu64, off < 0 ? '-' : '+',
			   off < 0 ? -(uint64_t)off : (uint64_t)off);
}

static void put_args(struct printer *p, const struct ir_insn *i, uint32_t from)
{
	for (uint32_t k = from; k < i->nargs; k++) {
		buf_puts(p->out, k ? ", " : "");
		put_value(p, i->arg[k]);
	}
}

static void put_call(struct printer *p, const struct ir_insn *i)
{
	buf_putc(p->out, ' ');
	const char *helper = i->op == IR_HELPER ? ir_helper_name(i->imm) : NULL;
	if (helper)
		buf_puts(p->out, helper);
	else if (i->op == IR_HELPER)
		buf_printf(p->out, "%" PRId64, i->imm);
	else if (i->op == IR_CALL)
		put_name(p->out, ((const struct ir_fn *)i->sym)->name);
	else
		put_name(p->out, i->sym);
	buf_putc(p->out, '(');
	put_args(p, i, 0);
	buf_putc(p->out, ')');
}

/* Arguments in the order in which their blocks are printed, whatever their order in memory. */
static void put_phi(struct printer *p, const struct ir_insn *i)
{
	const struct ir_block *b = &p->fn->block.at[i->block];
	uint32_t n = (uint32_t)MIN(i->nargs, b->pred.len);
	uint64_t *key = xmalloc((n + 1) * sizeof(*key));
	for (uint32_t k = 0; k < n; k++) {
		uint64_t v = (uint64_t)p->num.block[b->pred.at[k]] << 32 | k;
		uint32_t at = k;
		for (; at && key[at - 1] > v; at--)
			key[at] = key[at - 1];
		key[at] = v;
	}
	for (uint32_t k = 0; k < n; k++) {
		uint32_t which = (uint32_t)key[k];
		buf_puts(p->out, k ? ", [" : " [");
		put_value(p, i->arg[which]);
		buf_puts(p->out, ", ");
		put_block(p, b->pred.at[which]);
		buf_putc(p->out, ']');
	}
	base_free(key);
}

static void put_terminator(struct printer *p, const struct ir_insn *i)
{
	const struct ir_block *b = &p->fn->block.at[i->block];
	buf_puts(p->out, i->op == IR_JMP ? "" : " ");
	put_args(p, i, 0);
	for (unsigned k = 0; k < ir_nsucc(b); k++) {
		buf_puts(p->out, k || i->nargs ? ", " : " ");
		put_block(p, b->succ[k]);
	}
}

/* What stands behind the name of the operation. */
static void put_operands(struct printer *p, const struct ir_insn *i)
{
	struct buf *out = p->out;
	switch (i->op) {
	case IR_PARAM:
	case IR_SLOT: buf_printf(out, " %" PRId64, i->imm); return;
	case IR_MAP:
	case IR_MAPVAL:
		buf_putc(out, ' ');
		put_map(out, i->sym);
		put_offset(p, i->imm);
		return;
	case IR_FNADDR:
		buf_putc(out, ' ');
		put_name(out, ((const struct ir_fn *)i->sym)->name);
		return;
	case IR_PHI: put_phi(p, i); return;
	case IR_JMP:
	case IR_BR:
	case IR_RET: put_terminator(p, i); return;
	case IR_COPY:
	case IR_ZERO:
		buf_putc(out, ' ');
		put_args(p, i, 0);
		buf_printf(out, ", %" PRId64, i->imm);
		return;
	}
	if (ir_has(i, IR_CALLS)) {
		put_call(p, i);
		return;
	}
	buf_putc(out, ' ');
	if (i->nargs)
		put_value(p, i->arg[0]);
	if (ir_has(i, IR_READS | IR_WRITES))
		put_offset(p, i->imm);
	put_args(p, i, 1);
}

static void put_width(struct printer *p, const struct ir_insn *i)
{
	if (i->op == IR_LOAD)
		buf_printf(p->out, ".%c%u", i->is_signed ? 's' : 'u', i->width);
	else if (i->width)
		buf_printf(p->out, ".%u", i->width);
}

static void put_loc(struct printer *p, struct loc loc, size_t line_start)
{
	if (!loc.src)
		return;
	struct line_col at = source_walk(&p->line, loc.src, loc.begin);
	size_t used = p->out->len - line_start;
	buf_fill(p->out, ' ', used < 47 ? 48 - used : 1);
	buf_printf(p->out, "; %s:%u:%u", loc.src->name, at.line, at.col);
}

static void put_insn(struct printer *p, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(p->fn, r);
	if (i->op == IR_CONST)
		return;
	size_t start = p->out->len;
	buf_puts(p->out, "  ");
	if (is_numbered(i))
		buf_printf(p->out, "%%%u = ", p->num.value[r]);
	buf_puts(p->out, ir_ops[i->op].name);
	put_width(p, i);
	put_operands(p, i);
	put_loc(p, i->loc, start);
	buf_putc(p->out, '\n');
}

void ir_print(const struct ir_fn *fn, struct buf *out)
{
	struct printer p = {.fn = fn, .out = out};
	ir_numbers_init(&p.num, fn);
	buf_printf(out, "%s ", ir_fn_kinds[fn->kind]);
	put_name(out, fn->name);
	buf_printf(out, fn->param0_bytes ? "(%u, %u) {\n" : "(%u) {\n", fn->nparams, fn->param0_bytes);
	for (uint32_t k = 0; k < p.num.nblocks; k++) {
		uint32_t b = p.num.order[k];
		put_block(&p, b);
		buf_puts(out, fn->block.at[b].unlikely ? ": unlikely\n" : ":\n");
		IR_EACH(fn, b, r)
		put_insn(&p, r);
	}
	buf_puts(out, "}\n");
	ir_numbers_free(&p.num);
}

void ir_print_map(const struct map *m, struct buf *out)
{
	buf_puts(out, "map ");
	put_map(out, m);
	buf_printf(out, " %s key=%u value=%u entries=%u%s%s\n", ir_map_kinds[m->kind], m->key_size,
		   m->value_size, m->nentries, m->no_prealloc ? " no_prealloc" : "",
		   m->read_only ? " read_only" : "");
}
