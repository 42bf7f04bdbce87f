/* dwarf_expr.h - between the files that turn DWARF expressions into straight code. */
#pragma once

#include "debuginfo/dwarf_internal.h"

/* Types of values on the stack: DWARF 5 lets an expression say them; else the generic type of 8 bytes. */
struct slot {
	uint8_t width;
	bool is_signed, is_typed;
};

struct build {
	const struct dwarf_frame *frame;
	struct arena *a;
	struct dwarf_loc *out;
	struct slot stack[DWARF_MAX_STACK];
	unsigned sp, nest, joins; /* joins: branches that are open, also of the expressions around this one */
	enum dwarf_piece_kind kind; /* of the piece being built */
	bool is_inner;		    /* an expression whose value is wanted: registers stand for their contents */
	struct dwarf_piece current;
	const char *why;
};

static const struct slot generic = {8, false, false};

/* dwarf_expr_stack.c.  False: it cannot be done, and b->why says why; `known`: whether the operation is of this kind at all. */
bool dwarf_expr_fail(struct build *b, const char *why);
bool dwarf_expr_emit(struct build *b, enum dwarf_op op, int64_t arg);
bool dwarf_expr_emit_sized(struct build *b, enum dwarf_op op, struct slot s);
bool dwarf_expr_push(struct build *b, enum dwarf_op op, int64_t arg);
bool dwarf_expr_need(struct build *b, unsigned n);
bool dwarf_expr_push_reg(struct build *b, uint64_t reg);
bool dwarf_expr_base_type(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op, struct slot *ret);
bool dwarf_expr_convert(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op);
bool dwarf_expr_const_type(struct build *b, Dwarf_Attribute *attr, const Dwarf_Op *op);
bool dwarf_expr_load(struct build *b, struct slot s);
bool dwarf_expr_load_size(struct build *b, uint64_t size);
bool dwarf_expr_binary(struct build *b, enum dwarf_op op);
bool dwarf_expr_pick(struct build *b, uint64_t i);
bool dwarf_expr_add_const(struct build *b, int64_t n);
bool dwarf_expr_step_plain(struct build *b, const Dwarf_Op *op, bool *known);
bool dwarf_expr_step_const(struct build *b, const Dwarf_Op *op, bool *known);
