/* parse.h - the parser of IR's text, in two files: maps, functions and what is known of a body at its end (parse.c), and what a body has in it
 * (parse_insn.c). */
#pragma once

#include "ir/impl.h"
#include "ir/lex.h"
#include "ir/program.h"

enum { MAX_ARGS = 5 };

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

/* --- parse.c: tokens.  What says false has complained, and the function is given up ------------------------------------------------------ */

struct loc ir_parse_here(const struct parser *p);
/* The first complaint of a function counts.  Always false. */
bool ir_parse_fail(struct parser *p, struct loc loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool ir_parse_at(const struct parser *p, char c);
bool ir_parse_take(struct parser *p, char c); /* false: it is not there, which is no complaint */
bool ir_parse_take_word(struct parser *p, const char *word);
bool ir_parse_expect(struct parser *p, char c);
bool ir_parse_number(struct parser *p, int64_t *ret);
/* A function's name, bare or quoted; a bare one can look like a number. */
bool ir_parse_name(struct parser *p, const char **ret);
struct map *ir_parse_find_map(const struct parser *p, const char *name); /* NULL: there is none */
struct ir_fn *ir_parse_find_fn(const struct parser *p, const char *name);

/* --- parse_insn.c: a line of a body ------------------------------------------------------------------------------------------------------ */

bool ir_parse_label(struct parser *p); /* at the @ */
bool ir_parse_insn(struct parser *p);
