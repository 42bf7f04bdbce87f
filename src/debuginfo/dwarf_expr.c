/*
 * dwarf_expr.c - DWARF location expressions (DWARF 5, section 2.5) as straight code.
 *
 * Everything that an expression refers to is put in here: the frame base, the CFA rule of the call frame
 * information, entry values.  Of jumps those forward over a few operations are taken, as gcc writes the smaller of two values; others are refused.
 */
#include "debuginfo/dwarf_expr.h"

#include <stdlib.h>

static bool run(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n);

/* An expression within another one; its value is left on the stack. */
static bool run_inner(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n)
{
	bool was = b->is_inner;
	if (b->nest >= 4)
		return dwarf_expr_fail(b, "has a location that refers to itself");
	b->nest++;
	b->is_inner = true;
	unsigned sp = b->sp;
	bool ok = run(b, attr, op, n) && (b->sp == sp + 1 || dwarf_expr_fail(b, "has a broken location"));
	b->is_inner = was;
	b->nest--;
	return ok;
}

/* --- the frame ---------------------------------------------------------------------------------------------- */

static void open_cfi(struct dwarf *d)
{
	if (d->has_cfi)
		return;
	d->has_cfi = true;
	/* the debug file's .eh_frame has no bytes: the running file has */
	d->eh_frame = dwarf_getcfi_elf(d->file->elf);
	d->debug_frame = dwarf_getcfi(d->dw);
}

static bool push_cfa(struct build *b)
{
	struct dwarf *d = b->frame->d;
	Dwarf_Frame *frame = NULL;
	Dwarf_Op *op = NULL;
	size_t n = 0;
	open_cfi(d);
	if ((!d->eh_frame || dwarf_cfi_addrframe(d->eh_frame, b->frame->pc, &frame)) &&
	    (!d->debug_frame || dwarf_cfi_addrframe(d->debug_frame, b->frame->pc, &frame)))
		frame = NULL;
	bool ok = frame && dwarf_frame_cfa(frame, &op, &n) == 0 && n;
	ok = ok ? run_inner(b, NULL, op, n) : dwarf_expr_fail(b, "needs call frame information, which there is none of at this address");
	free(frame);
	return ok;
}

static bool push_frame_base(struct build *b)
{
	Dwarf_Die func = b->frame->func;
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;
	if (!func.addr || !die_attr(&func, DW_AT_frame_base, &attr) ||
	    dwarf_getlocation_addr(&attr, b->frame->pc, &op, &n, 1) != 1)
		return dwarf_expr_fail(b, "needs a frame base, which the debug information does not tell");
	return run_inner(b, &attr, op, n);
}

/* What a register held when the function was entered. */
static bool push_entry_value(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op)
{
	Dwarf_Attribute inner;
	Dwarf_Op *e;
	size_t n;
	if (!attr || dwarf_getlocation_attr(attr, op, &inner) || dwarf_getlocation(&inner, &e, &n) || n != 1)
		return dwarf_expr_fail(b, "needs a value that only the caller had");
	uint64_t reg = e->atom == DW_OP_regx ? e->number : (uint64_t)e->atom - DW_OP_reg0;
	if (reg > 127 || !dwarf_abi_readable((unsigned)reg))
		return dwarf_expr_fail(b, "needs a value that only the caller had");
	if (b->frame->is_entry)
		return dwarf_expr_push(b, DWOP_REG, (int64_t)reg);
	b->out->needs_entry = true;
	return dwarf_expr_push(b, DWOP_ENTRY_REG, (int64_t)reg);
}

static bool push_address(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, enum dwarf_op as)
{
	Dwarf_Addr addr = op->number;
	Dwarf_Attribute value;
	if (op->atom != DW_OP_addr && (!attr || dwarf_getlocation_attr(attr, op, &value) ||
				       (dwarf_formaddr(&value, &addr) && dwarf_formudata(&value, &addr))))
		return dwarf_expr_fail(b, "has an address that is not in the debug information");
	b->out->needs_load_address |= as == DWOP_ADDR;
	return dwarf_expr_push(b, as, (int64_t)addr);
}

static bool push_word_at(struct build *b, uint64_t address)
{
	b->out->needs_load_address = true;
	return dwarf_expr_push(b, DWOP_ADDR, (int64_t)address) && dwarf_expr_load_size(b, 8);
}

/*
 * The thread's table of blocks: glibc keeps its address behind the first word at the thread pointer, 16 bytes a block, whose first
 * word is its address (dtv_t of sysdeps/generic/dl-dtv.h, tcbhead_t of sysdeps/x86_64/nptl/tls.h).
 */
static bool push_block(struct build *b, uint64_t word)
{
	return dwarf_expr_push(b, DWOP_CONST, 8) && dwarf_expr_emit(b, DWOP_TLS, 0) && dwarf_expr_load_size(b, 8) && push_word_at(b, word) &&
	       dwarf_expr_push(b, DWOP_CONST, 4) && dwarf_expr_binary(b, DWOP_SHL) && dwarf_expr_binary(b, DWOP_ADD) && dwarf_expr_load_size(b, 8);
}

/*
 * A thread that has never touched the block has none yet: -1 is in the table.  What the variable will be then is in the file's
 * image, if it has an initial value; without one nothing can be read there, which is as good as its 0.
 */
static bool or_image(struct build *b, const struct elf_tls *tls, int64_t offset)
{
	if (offset < 0 || (uint64_t)offset >= tls->image_size)
		return true;
	b->out->needs_load_address = true;
	return dwarf_expr_pick(b, 0) && dwarf_expr_push(b, DWOP_CONST, -1) && dwarf_expr_binary(b, DWOP_EQ) &&
	       dwarf_expr_push(b, DWOP_ADDR, (int64_t)tls->image + 1) &&
	       dwarf_expr_binary(b, DWOP_MUL) && dwarf_expr_binary(b, DWOP_ADD);
}

/* The offset in the file's thread-local storage that is on the stack becomes an address. */
static bool push_tls(struct build *b)
{
	struct elf_tls tls;
	const struct dwarf_insn *last = b->out->ninsn ? &b->out->insn[b->out->ninsn - 1] : NULL;
	int64_t offset = last && last->op == DWOP_CONST ? last->arg : -1;
	elf_tls(b->frame->d->file, &tls);
	if (!dwarf_expr_need(b, 1))
		return false;
	switch (tls.kind) {
	case ELF_TLS_PROGRAM: return dwarf_expr_add_const(b, -tls.from) && dwarf_expr_emit(b, DWOP_TLS, 0);
	case ELF_TLS_DISTANCE:
		return dwarf_expr_add_const(b, -tls.from) && push_word_at(b, tls.word) && dwarf_expr_binary(b, DWOP_ADD) && dwarf_expr_emit(b, DWOP_TLS, 0);
	case ELF_TLS_MODULE: return push_block(b, tls.word) && or_image(b, &tls, offset) && dwarf_expr_binary(b, DWOP_ADD);
	default: return dwarf_expr_fail(b, "is thread-local, and nothing in its file says where the loader puts that");
	}
}

/* --- pieces -------------------------------------------------------------------------------------------------------- */

static bool in_register(struct build *b, uint64_t reg)
{
	b->kind = b->is_inner ? b->kind : DWP_VALUE;
	return dwarf_expr_push_reg(b, reg);
}

static bool implicit_value(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op)
{
	Dwarf_Block block;
	if (!attr || b->is_inner || dwarf_getlocation_implicit_value(attr, op, &block) || block.length > UINT16_MAX)
		return dwarf_expr_fail(b, "has a broken location");
	b->kind = DWP_BYTES;
	b->current.bytes = arena_memdup(b->a, block.data, block.length);
	b->current.nbytes = (uint32_t)block.length;
	return true;
}

/* Ends the piece being built; size 0: the whole variable. */
static bool end_piece(struct build *b, uint64_t size)
{
	if (b->out->npiece >= DWARF_MAX_PIECES || size > UINT16_MAX)
		return dwarf_expr_fail(b, "is kept in too many pieces");
	struct dwarf_piece *p = &b->out->piece[b->out->npiece++];
	*p = b->current;
	p->kind = b->sp || b->kind == DWP_BYTES ? b->kind : DWP_NONE;
	p->size = (uint32_t)size;
	p->count = b->out->ninsn - p->first;
	b->current = (struct dwarf_piece){.first = b->out->ninsn};
	b->kind = DWP_MEMORY;
	b->sp = 0;
	return true;
}

static bool bit_piece(struct build *b, const Dwarf_Op *op)
{
	if (op->number % 8 == 0 && op->number2 == 0 && !b->out->has_bits)
		return end_piece(b, op->number / 8);
	if (op->number > 64 || op->number2 > 63 || !end_piece(b, 0))
		return dwarf_expr_fail(b, "is kept in bits of several places");
	b->out->has_bits = true;
	b->out->piece[b->out->npiece - 1].bits = (uint8_t)op->number;
	b->out->piece[b->out->npiece - 1].bit_offset = (uint8_t)op->number2;
	return true;
}

/* --- operations ----------------------------------------------------------------------------------------------------- */

static bool step_place(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op)
{
	struct slot type;
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
		return in_register(b, (uint64_t)op->atom - DW_OP_reg0);
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		return dwarf_expr_push_reg(b, (uint64_t)op->atom - DW_OP_breg0) && dwarf_expr_add_const(b, (int64_t)op->number);
	switch (op->atom) {
	case DW_OP_regx: return in_register(b, op->number);
	case DW_OP_bregx: return dwarf_expr_push_reg(b, op->number) && dwarf_expr_add_const(b, (int64_t)op->number2);
	case DW_OP_fbreg: return push_frame_base(b) && dwarf_expr_add_const(b, (int64_t)op->number);
	case DW_OP_call_frame_cfa: return push_cfa(b);
	case DW_OP_addr:
	case DW_OP_addrx:
	case DW_OP_GNU_addr_index: return push_address(b, attr, op, DWOP_ADDR);
	case DW_OP_constx:
	case DW_OP_GNU_const_index: return push_address(b, attr, op, DWOP_CONST);
	case DW_OP_form_tls_address:
	case DW_OP_GNU_push_tls_address:
		return push_tls(b);
	case DW_OP_entry_value:
	case DW_OP_GNU_entry_value: return push_entry_value(b, attr, op);
	case DW_OP_convert:
	case DW_OP_GNU_convert:
	case DW_OP_reinterpret:
	case DW_OP_GNU_reinterpret: return dwarf_expr_convert(b, attr, op);
	case DW_OP_const_type:
	case DW_OP_GNU_const_type: return dwarf_expr_const_type(b, attr, op);
	case DW_OP_regval_type:
	case DW_OP_GNU_regval_type:
		if (!dwarf_expr_push_reg(b, op->number) || !dwarf_expr_base_type(b, attr, op, &type))
			return false;
		b->stack[b->sp - 1] = type;
		return type.width == 8 || dwarf_expr_emit_sized(b, DWOP_EXT, type);
	case DW_OP_deref_type:
	case DW_OP_GNU_deref_type: return dwarf_expr_base_type(b, attr, op, &type) && dwarf_expr_load(b, type);
	case DW_OP_stack_value:
		b->kind = b->is_inner ? b->kind : DWP_VALUE;
		return dwarf_expr_need(b, 1);
	case DW_OP_implicit_value: return implicit_value(b, attr, op);
	case DW_OP_piece: return b->is_inner ? dwarf_expr_fail(b, "has a broken location") : end_piece(b, op->number);
	case DW_OP_bit_piece: return b->is_inner ? dwarf_expr_fail(b, "has a broken location") : bit_piece(b, op);
	case DW_OP_implicit_pointer:
	case DW_OP_GNU_implicit_pointer: return dwarf_expr_fail(b, "points to a variable that is optimised out");
	case DW_OP_GNU_parameter_ref:
	case DW_OP_GNU_variable_value: return dwarf_expr_fail(b, "needs a value that only the caller had");
	default: break;
	}
	return dwarf_expr_fail(b, arena_printf(b->a, "has a location with the unknown operation 0x%02x", op->atom));
}

/* Branches that have not come to where they lead. */
struct branches {
	struct {
		size_t to; /* index of the operation */
		unsigned sp;
	} at[DWARF_MAX_JOINS];
	unsigned n;
};

/* DW_OP_bra: a signed 2-byte distance from the operation behind it. */
static bool branch(struct build *b, struct branches *open, const Dwarf_Op *op, size_t i, size_t n)
{
	int64_t target = (int64_t)op[i].offset + 3 + (int16_t)op[i].number;
	size_t to = i + 1;
	while (to < n && (int64_t)op[to].offset != target)
		to++;
	if (to == n || b->joins == DWARF_MAX_JOINS || (open->n && to > open->at[open->n - 1].to))
		return dwarf_expr_fail(b, "has a location with jumps that are not understood");
	if (!dwarf_expr_need(b, 1) || !dwarf_expr_emit(b, DWOP_UNLESS, 0))
		return false;
	b->sp--;
	b->joins++;
	open->at[open->n].to = to;
	open->at[open->n++].sp = b->sp;
	return true;
}

static bool join(struct build *b, struct branches *open, size_t i)
{
	while (open->n && open->at[open->n - 1].to == i) {
		if (open->at[--open->n].sp != b->sp || !dwarf_expr_emit(b, DWOP_JOIN, 0))
			return dwarf_expr_fail(b, "has a location with jumps that are not understood");
		b->joins--;
		for (unsigned k = 0; k < b->sp; k++)
			b->stack[k] = generic;
	}
	return true;
}

static bool run(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n)
{
	enum { MAX_OPS = 1024 };
	struct branches open = {.n = 0};
	if (n > MAX_OPS)
		return dwarf_expr_fail(b, "has a location that is too long");
	for (size_t i = 0; i < n; i++) {
		if (!join(b, &open, i))
			return false;
		if (op[i].atom == DW_OP_bra) {
			if (!branch(b, &open, op, i, n))
				return false;
			continue;
		}
		if (open.n && (op[i].atom == DW_OP_piece || op[i].atom == DW_OP_bit_piece || op[i].atom == DW_OP_stack_value))
			return dwarf_expr_fail(b, "has a location with jumps that are not understood");
		bool known, ok = dwarf_expr_step_const(b, &op[i], &known);
		if (!known)
			ok = dwarf_expr_step_plain(b, &op[i], &known);
		if (!known)
			ok = step_place(b, attr, &op[i]);
		if (!ok)
			return dwarf_expr_fail(b, "has a broken location");
	}
	return true;
}

/* --- the door ----------------------------------------------------------------------------------------------------------- */

static struct dwarf_loc *new_loc(struct arena *a)
{
	struct dwarf_loc *loc = arena_new(a, struct dwarf_loc);
	loc->insn = arena_array(a, struct dwarf_insn, DWARF_MAX_INSNS);
	loc->piece = arena_array(a, struct dwarf_piece, DWARF_MAX_PIECES);
	return loc;
}

/* Built with room for the longest; kept with what it has. */
static const struct dwarf_loc *keep(const struct dwarf_loc *loc, struct arena *a)
{
	struct dwarf_loc *ret = arena_memdup(a, loc, sizeof(*loc));
	ret->insn = arena_memdup(a, loc->insn, loc->ninsn * sizeof(*loc->insn));
	ret->piece = arena_memdup(a, loc->piece, loc->npiece * sizeof(*loc->piece));
	return ret;
}

/* The CFA at the frame's pc as a location of its own, NULL when it cannot be told. */
static const struct dwarf_loc *cfa_of(const struct dwarf_frame *f, struct arena *work, struct arena *a)
{
	struct build b = {.frame = f, .a = a, .out = new_loc(work), .is_inner = true};
	if (!push_cfa(&b) || b.out->needs_entry)
		return NULL;
	b.is_inner = false;
	b.kind = DWP_VALUE;
	return end_piece(&b, 0) ? keep(b.out, a) : NULL;
}

const struct dwarf_loc *dwarf_compile(const struct dwarf_frame *f, Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n,
				      struct arena *a, const char **why)
{
	struct arena *work = arena_create();
	struct build b = {.frame = f, .a = a, .out = new_loc(work)};
	const struct dwarf_loc *ret = NULL;
	*why = NULL;
	bool ok = n ? run(&b, attr, op, n) : dwarf_expr_fail(&b, "is optimised out");
	/* what follows the last piece, or everything when there are none */
	if (ok && (!b.out->npiece || b.sp))
		ok = b.sp || b.kind == DWP_BYTES ? end_piece(&b, 0) : dwarf_expr_fail(&b, "is optimised out");
	bool some = false;
	for (uint32_t i = 0; ok && i < b.out->npiece; i++)
		some |= b.out->piece[i].kind != DWP_NONE;
	if (ok && !some)
		ok = dwarf_expr_fail(&b, "is optimised out");
	uint64_t bits = 0;
	for (uint32_t i = 0; ok && i < b.out->npiece; i++)
		bits += b.out->piece[i].bits ? b.out->piece[i].bits : b.out->piece[i].size * 8ull;
	if (ok && b.out->has_bits && bits > 64)
		ok = dwarf_expr_fail(&b, "is kept in bits of several places");
	Dwarf_Die func = f->func;
	Dwarf_Addr entry = 0;
	if (ok && b.out->needs_entry &&
	    (dwarf_entrypc(&func, &entry) || !entry || !(b.out->cfa = cfa_of(f, work, a))))
		ok = dwarf_expr_fail(&b, "needs a value that only the caller had");
	b.out->entry = entry;
	if (ok)
		ret = keep(b.out, a);
	else
		*why = b.why;
	arena_destroy(work);
	return ret;
}

const struct dwarf_loc *dwarf_constant(const void *bytes, uint32_t n, struct arena *a)
{
	struct dwarf_loc *loc = arena_new(a, struct dwarf_loc);
	loc->npiece = 1;
	loc->piece = arena_new(a, struct dwarf_piece);
	*loc->piece = (struct dwarf_piece){.kind = DWP_BYTES, .nbytes = n, .bytes = arena_memdup(a, bytes, n)};
	return loc;
}

static void append_code(struct dwarf_loc *to, const struct dwarf_loc *from)
{
	memcpy(to->insn + to->ninsn, from->insn, from->ninsn * sizeof(*from->insn));
	to->ninsn += from->ninsn;
	to->needs_load_address |= from->needs_load_address;
	if (from->needs_entry) {
		to->needs_entry = true;
		to->entry = from->entry;
		to->cfa = from->cfa;
	}
}

const struct dwarf_loc *dwarf_text_loc(const struct dwarf_loc *text, const struct dwarf_loc *len, struct arena *a)
{
	bool simple = text->npiece == 1 && text->piece[0].kind == DWP_MEMORY && len->npiece == 1 &&
		      (len->piece[0].kind == DWP_MEMORY || len->piece[0].kind == DWP_VALUE);
	if (!simple)
		return NULL;
	struct dwarf_loc *loc = arena_new(a, struct dwarf_loc);
	loc->insn = arena_array(a, struct dwarf_insn, text->ninsn + len->ninsn + 1);
	loc->piece = arena_array(a, struct dwarf_piece, 2);
	append_code(loc, text);
	loc->piece[0] = (struct dwarf_piece){.kind = DWP_VALUE, .size = 8, .count = loc->ninsn};
	append_code(loc, len);
	if (len->piece[0].kind == DWP_MEMORY)
		loc->insn[loc->ninsn++] = (struct dwarf_insn){.op = DWOP_LOAD, .width = 8};
	loc->piece[1] = (struct dwarf_piece){.kind = DWP_VALUE, .size = 8, .first = text->ninsn, .count = loc->ninsn - text->ninsn};
	loc->npiece = 2;
	return loc;
}
