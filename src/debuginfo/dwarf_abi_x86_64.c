/*
 * dwarf_abi_x86_64.c - where the System V calling convention puts parameters and results ("System V ABI, AMD64
 * supplement", 3.2.3), in terms of DWARF registers.
 *
 * Unoptimised code tells of each parameter only the stack slot to which the prologue copies it; at the first instruction
 * the value is still where the caller put it.
 */
#include "debuginfo/dwarf_internal.h"

enum { RAX = 0, RDX = 1, RCX = 2, RSI = 4, RDI = 5, RSP = 7, R8 = 8, R9 = 9, XMM0 = 17 };
static const uint8_t int_regs[] = {RDI, RSI, RDX, RCX, R8, R9};
enum { SSE_REGS = 8, WORD = 8 };

bool dwarf_abi_readable(unsigned reg)
{
	return reg <= 16; /* the general registers and the return address, which is rip */
}

const char *dwarf_abi_reg_name(unsigned reg)
{
	static const char *const xmm[] = {"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
					  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};
	static const char *const x87[] = {"st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"};
	if (reg >= XMM0 && reg < XMM0 + ARRAY_SIZE(xmm))
		return xmm[reg - XMM0];
	if (reg >= 33 && reg < 33 + ARRAY_SIZE(x87))
		return x87[reg - 33];
	return reg >= 118 && reg < 126 ? "k0-k7" : "that is no general one";
}

/* --- classes -------------------------------------------------------------------------------------------- */

enum class { NO_CLASS, INTEGER, SSE, MEMORY, X87, UNKNOWN };
struct classes {
	enum class word[2];
	unsigned n;	  /* words */
	uint64_t size;
	bool by_reference; /* the register holds the address */
};

static enum class merge(enum class a, enum class b)
{
	if (a == b || b == NO_CLASS)
		return a;
	if (a == NO_CLASS)
		return b;
	if (a == MEMORY || b == MEMORY)
		return MEMORY;
	return a == INTEGER || b == INTEGER ? INTEGER : MEMORY;
}

static void classify_at(Dwarf_Die *type, uint64_t offset, struct classes *c, unsigned depth);

struct member_walk {
	uint64_t offset;
	struct classes *c;
	unsigned depth;
};

static bool classify_member(void *arg, Dwarf_Die *m)
{
	struct member_walk *w = arg;
	Dwarf_Die type;
	uint64_t at = 0;
	int tag = dwarf_tag(m);
	if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || die_has(m, DW_AT_external) || !die_type(m, &type))
		return true;
	if (!die_uint(m, DW_AT_data_member_location, &at) && die_has(m, DW_AT_data_bit_offset)) {
		die_uint(m, DW_AT_data_bit_offset, &at);
		at /= 8;
	}
	classify_at(&type, w->offset + at, w->c, w->depth + 1);
	return true;
}

static void classify_array(Dwarf_Die *type, uint64_t offset, struct classes *c, unsigned depth)
{
	Dwarf_Die elem;
	uint64_t size = dwarf_size_of(*type, 0), each = die_type(type, &elem) ? dwarf_size_of(elem, 0) : 0;
	for (uint64_t at = 0; each && at < size && at < 16; at += each)
		classify_at(&elem, offset + at, c, depth + 1);
}

static void classify_base(Dwarf_Die *type, uint64_t offset, uint64_t size, struct classes *c)
{
	uint64_t encoding = 0;
	die_uint(type, DW_AT_encoding, &encoding);
	enum class k = encoding == DW_ATE_float || encoding == DW_ATE_complex_float ? SSE : INTEGER;
	if (k == SSE && size > 8)
		k = encoding == DW_ATE_complex_float && size == 16 ? SSE : X87;
	if (size && offset % MIN(size, (uint64_t)16) && k != X87)
		k = MEMORY; /* a packed struct */
	for (uint64_t at = offset; at < offset + MAX(size, (uint64_t)1) && at < 16; at += WORD)
		c->word[at / WORD] = merge(c->word[at / WORD], k);
}

static void classify_at(Dwarf_Die *type, uint64_t offset, struct classes *c, unsigned depth)
{
	Dwarf_Die t = dwarf_strip(*type);
	if (depth > DWARF_MAX_DEPTH || offset >= 16)
		return;
	switch (dwarf_tag(&t)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		die_each_child(&t, classify_member, &(struct member_walk){offset, c, depth});
		return;
	case DW_TAG_array_type: classify_array(&t, offset, c, depth); return;
	case DW_TAG_ptr_to_member_type:
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type: classify_base(&t, offset, dwarf_size_of(t, 0), c); return;
	default: c->word[0] = c->word[1] = UNKNOWN;
	}
}

static bool is_aggregate(Dwarf_Die *t)
{
	int tag = dwarf_tag(t);
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

static struct classes classify(Dwarf_Die type)
{
	Dwarf_Die t = dwarf_strip(type);
	struct classes c = {.size = dwarf_size_of(t, 0)};
	uint64_t how = 0;
	c.n = (unsigned)((MIN(c.size, (uint64_t)16) + 7) / 8);
	if (is_aggregate(&t) && die_uint(&t, DW_AT_calling_convention, &how) && how == DW_CC_pass_by_reference) {
		c.by_reference = true;
		c.word[0] = INTEGER;
		c.n = 1;
		return c;
	}
	if (c.size > 16) {
		c.word[0] = MEMORY;
		return c;
	}
	classify_at(&t, 0, &c, 0);
	for (unsigned i = 0; i < c.n; i++)
		if (c.word[i] == MEMORY || (c.word[i] == X87 && is_aggregate(&t)))
			c.word[0] = MEMORY;
	return c;
}

/* --- locations --------------------------------------------------------------------------------------------- */

struct loc_build {
	struct dwarf_loc *loc;
};

static struct dwarf_loc *new_loc(struct arena *a)
{
	struct dwarf_loc *loc = arena_new(a, struct dwarf_loc);
	loc->insn = arena_array(a, struct dwarf_insn, 4);
	loc->piece = arena_array(a, struct dwarf_piece, 2);
	return loc;
}

static void add_insn(struct dwarf_loc *loc, enum dwarf_op op, int64_t arg)
{
	loc->insn[loc->ninsn++] = (struct dwarf_insn){.op = (uint8_t)op, .width = 8, .arg = arg};
}

static const struct dwarf_loc *in_memory(unsigned reg, int64_t offset, struct arena *a)
{
	struct dwarf_loc *loc = new_loc(a);
	add_insn(loc, DWOP_REG, reg);
	if (offset) {
		add_insn(loc, DWOP_CONST, offset);
		add_insn(loc, DWOP_ADD, 0);
	}
	loc->piece[0] = (struct dwarf_piece){.kind = DWP_MEMORY, .count = loc->ninsn};
	loc->npiece = 1;
	return loc;
}

/* n words in general registers. */
static const struct dwarf_loc *in_registers(const uint8_t *reg, unsigned n, uint64_t size, struct arena *a)
{
	struct dwarf_loc *loc = new_loc(a);
	for (unsigned i = 0; i < n; i++) {
		add_insn(loc, DWOP_REG, reg[i]);
		loc->piece[i] = (struct dwarf_piece){.kind = DWP_VALUE, .first = i, .count = 1};
		if (n > 1)
			loc->piece[i].size = (uint32_t)MIN(size - i * WORD, (uint64_t)WORD);
	}
	loc->npiece = n;
	return loc;
}

/* --- parameters --------------------------------------------------------------------------------------------- */

struct params {
	struct dwarf *d;
	struct arena *a;
	unsigned want, at;   /* index of the parameter */
	unsigned ints, sses; /* registers given out */
	bool is_fortran;
	int64_t stack;	     /* offset from rsp at the entry of the next one on the stack */
	const struct dwarf_loc *found;
	const char *why;
};

static unsigned count_of(const struct classes *c, enum class k)
{
	return (unsigned)((c->n > 0 && c->word[0] == k) + (c->n > 1 && c->word[1] == k));
}

static const struct dwarf_loc *take(struct params *p, const struct classes *c, uint64_t align)
{
	unsigned ints = count_of(c, INTEGER), sses = count_of(c, SSE);
	bool in_regs = c->word[0] != MEMORY && c->word[0] != X87 && p->ints + ints <= ARRAY_SIZE(int_regs) &&
		       p->sses + sses <= SSE_REGS;
	if (!in_regs) {
		int64_t at = ALIGN_UP(p->stack, (int64_t)(align > 8 ? 16 : 8));
		/* rsp is 8 below a multiple of 16: the return address was pushed */
		if (align > 8)
			at = ALIGN_UP(p->stack - 8, 16) + 8;
		p->stack = at + (int64_t)ALIGN_UP(MAX(c->by_reference ? 8 : c->size, 1u), 8);
		return in_memory(RSP, at, p->a);
	}
	uint8_t reg[2] = {0};
	for (unsigned i = 0; i < ints; i++)
		reg[i] = int_regs[p->ints + i];
	p->ints += ints;
	unsigned xmm = p->sses;
	p->sses += sses;
	if (sses) {
		p->why = arena_printf(p->a, "is in register %s, which BPF programs cannot read", dwarf_abi_reg_name(XMM0 + xmm));
		return NULL;
	}
	return c->by_reference ? in_memory(reg[0], 0, p->a) : in_registers(reg, ints, c->size, p->a);
}

/*
 * Fortran passes addresses; what it passes by value (VALUE, and lengths of text) has its own place in the frame, where others have
 * their address there, which the location then follows.
 */
static bool by_address(Dwarf_Die *param)
{
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;
	if (!die_attr(param, DW_AT_location, &attr) || dwarf_getlocation(&attr, &op, &n) || !n)
		return !die_flag(param, DW_AT_artificial);
	return op[n - 1].atom == DW_OP_deref;
}

static bool next_param(void *arg, Dwarf_Die *child)
{
	struct params *p = arg;
	Dwarf_Die type;
	if (dwarf_tag(child) != DW_TAG_formal_parameter)
		return true;
	if (!die_type(child, &type)) {
		p->why = "has no type";
		return false;
	}
	struct classes c = p->is_fortran && by_address(child) ? (struct classes){.word = {INTEGER}, .n = 1, .size = 8, .by_reference = true}
							      : classify(type);
	uint64_t encoding = 0;
	Dwarf_Die base = dwarf_strip(type);
	die_uint(&base, DW_AT_encoding, &encoding);
	if (c.word[0] == UNKNOWN) {
		p->why = "is passed in a way that is not known";
		return false;
	}
	bool wide = !c.by_reference && (c.word[0] == X87 || (!is_aggregate(&base) && c.size == 16 && encoding));
	p->why = NULL;
	const struct dwarf_loc *loc = c.size || c.by_reference ? take(p, &c, wide ? 16 : 8) : NULL;
	if (p->at++ < p->want)
		return true;
	p->found = loc;
	if (!loc && !p->why)
		p->why = "has no bytes";
	return false;
}

/* Rust and Go pass what is not a number or a pointer by rules of their own. */
static const char *foreign_abi(Dwarf_Die *func)
{
	if (die_language(func) == DW_LANG_Go)
		return "is placed by Go's own calling convention, which the debug information does not tell at the function's entry";
	return NULL;
}

/* The compiler may give copies of a function other parameters than the source. */
static bool is_changed_clone(struct dwarf *d, Dwarf_Die *func)
{
	static const char *const marks[] = {".isra.", ".constprop.", ".part."};
	Dwarf_Addr pc;
	if (die_flag(func, DW_AT_external)) /* what other units call is as the source says */
		return false;
	const struct elf_symbol *s = dwarf_entrypc(func, &pc) ? NULL : elf_symbol_at(d->file, pc);
	for (size_t i = 0; s && i < ARRAY_SIZE(marks); i++)
		if (strstr(s->name, marks[i]))
			return true;
	return false;
}

const struct dwarf_loc *dwarf_abi_param(struct dwarf *d, Dwarf_Die *func, unsigned index, struct arena *a,
					const char **why)
{
	struct params p = {.d = d, .a = a, .want = index, .stack = 8, .is_fortran = die_is_fortran(func)};
	Dwarf_Die type;
	*why = foreign_abi(func);
	if (!*why && is_changed_clone(d, func))
		*why = "is in a copy of the function that the compiler gave other parameters";
	if (*why)
		return NULL;
	if (die_type(func, &type)) {
		struct classes c = classify(type);
		p.ints += c.word[0] == MEMORY || c.by_reference; /* the address of the result */
	}
	die_each_child(func, next_param, &p);
	*why = p.why ? p.why : "is no parameter of this function";
	return p.found;
}

const struct dwarf_loc *dwarf_abi_return(struct dwarf *d, Dwarf_Die *type, struct arena *a, const char **why)
{
	static const uint8_t regs[] = {RAX, RDX};
	struct classes c = classify(*type);
	*why = NULL;
	if (c.word[0] == MEMORY || c.by_reference)
		return in_memory(RAX, 0, a); /* the callee gives back the address that it was given */
	if (c.n && count_of(&c, INTEGER) == c.n)
		return in_registers(regs, c.n, c.size, a);
	*why = !c.n		    ? "has no bytes"
	       : c.word[0] == X87 ? "is in register st0, which BPF programs cannot read"
				    : "is in register xmm0, which BPF programs cannot read";
	return NULL;
}
