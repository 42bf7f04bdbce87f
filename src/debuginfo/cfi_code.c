/*
 * cfi_code.c - rules for code that has no call frame information, from what its instructions do to the stack: what the C
 * compiler's start files run at the begin and end of every program, and assembly.
 *
 * The instructions of a function are followed from its entry with what is known of the stack: how far the stack pointer is
 * below the caller's, whether the frame pointer points into the frame, where registers were saved.  Jumps carry it to where
 * they go.  A function keeps its rules only when everything agrees: each place is reached with one state, and each return
 * and each jump out of it finds the stack as it was at the entry.  What cannot be followed (a stack that is aligned or
 * moved by a variable without a frame pointer, a jump through a table with something on the stack) has no rules.
 *
 * Where functions begin is not told either: at aligned places that no function before them has reached.
 */
#include "debuginfo/cfi_internal.h"
#include "debuginfo/insn.h"

#include <stdlib.h>

enum {
	WORD = 8,
	REX_B = 1,
	REX_R = 4,
	REX_W = 8,
	SP = 4, /* by their numbers in instructions */
	BP = 5,
	STACK_MAX = 1 << 20,
	ALIGNMENT = 16, /* of functions */
};

/* What is known of the stack; the caller's frame address (CFA) is the stack pointer before the call pushed its return. */
struct stack {
	int32_t sp;    /* CFA - stack pointer; 0: not known */
	int32_t fp;    /* CFA - frame pointer; 0: it is the caller's, or anything */
	int32_t saved[NTRACK]; /* CFA - where the register was saved; 0: not saved */
	bool loses_fp;	       /* the caller's frame pointer is overwritten and was saved nowhere: assembly for assembly */
};

static const struct stack at_entry = {.sp = WORD};
static const uint32_t BAD = UINT32_MAX, BAD_ENTRY = UINT32_MAX - 1; /* of a function that cannot be followed */

struct walk {
	const uint8_t *code;
	size_t n;
	uint64_t address;
	uint32_t *at; /* for each byte: number + 1 of the state that an instruction there is reached with; 0: none is; BAD */
	VEC(struct stack) state;
	VEC(uint32_t) reached; /* instructions of the function */
	size_t first; /* of its states */
	bool is_bad, returns, jumps_away; /* what it does: what cannot be followed; a return; a jump to where a register says */
	bool loses_fp;
	bool has_table; /* a function before jumps away with something on the stack: parts of it may be anywhere */
	struct cfi_rules *rules;
	struct cfi_table *table;
};

static bool same(const struct stack *a, const struct stack *b)
{
	return !memcmp(a, b, offsetof(struct stack, loses_fp));
}

/* The tracked register of that number in an instruction; -1: none. */
static int tracked(unsigned number)
{
	static const int8_t dwarf[8] = {0, 2, 1, 3, 7, 6, 4, 5};
	int i = cfi_tracked(number < 8 ? (uint64_t)dwarf[number] : number);

	return i == TRACK_RA ? -1 : i;
}

/* --- one instruction ---------------------------------------------------------------------------------------- */

static unsigned reg_of(const struct insn *i)
{
	return (i->modrm >> 3 & 7) | (i->rex & REX_R ? 8 : 0);
}

static unsigned rm_of(const struct insn *i)
{
	return (i->modrm & 7) | (i->rex & REX_B ? 8 : 0);
}

static bool is_memory(const struct insn *i)
{
	return i->modrm < 0xc0;
}

/* Does it name memory at disp(%rsp) or disp(%rbp)?  Then how far below the CFA; 0: neither, or it is not known. */
static int32_t place_of(const struct insn *i, const struct stack *s)
{
	bool is_sp = (i->modrm & 7) == SP && i->sib == 0x24, is_bp = (i->modrm & 7) == BP && i->modrm >= 0x40;
	int32_t base = is_sp ? s->sp : is_bp ? s->fp : 0;

	if (!is_memory(i) || i->rex & REX_B || !base || i->disp > STACK_MAX || i->disp < -STACK_MAX)
		return 0;
	return base - i->disp;
}

static void move_sp(struct stack *s, int64_t down)
{
	int64_t sp = s->sp + down;

	s->sp = s->sp && sp >= WORD && sp < STACK_MAX ? (int32_t)sp : 0;
}

static void save(struct stack *s, unsigned number, int32_t place)
{
	int i = tracked(number);

	if (i >= 0 && place > WORD && !s->saved[i] && (i != TRACK_FP || (!s->fp && !s->loses_fp)))
		s->saved[i] = place;
}

/* The frame pointer becomes CFA - fp, 0: anything. */
static void set_fp(struct stack *s, int32_t fp)
{
	s->fp = fp;
	s->loses_fp |= !s->saved[TRACK_FP];
}

/* The register is loaded from there. */
static void restore(struct stack *s, unsigned number, int32_t place)
{
	int i = tracked(number);

	if (number == BP)
		set_fp(s, 0);
	if (i >= 0 && place && s->saved[i] == place)
		s->saved[i] = 0;
}

static void push(struct stack *s, int number)
{
	move_sp(s, WORD);
	if (number >= 0)
		save(s, (unsigned)number, s->sp);
}

/* false: it is the stack pointer itself */
static bool pop(struct stack *s, int number)
{
	if (number == SP)
		return false;
	if (number >= 0)
		restore(s, (unsigned)number, s->sp);
	move_sp(s, -WORD);
	return true;
}

static bool leave(struct stack *s)
{
	s->sp = s->fp;
	pop(s, BP);
	return s->sp != 0;
}

/* mov between the stack pointer, the frame pointer and what they point at; false: the stack pointer becomes anything. */
static bool mov(const struct insn *i, struct stack *s)
{
	unsigned to = i->op == 0x89 ? rm_of(i) : reg_of(i), from = i->op == 0x89 ? reg_of(i) : rm_of(i);

	if (is_memory(i) && i->op == 0x89) {
		if (i->rex & REX_W)
			save(s, from, place_of(i, s));
		return true;
	}
	if (is_memory(i)) {
		restore(s, to, i->rex & REX_W ? place_of(i, s) : 0);
		return to != SP;
	}
	if (to == SP) {
		s->sp = i->rex & REX_W && from == BP ? s->fp : 0;
		return s->sp != 0;
	}
	if (to == BP)
		set_fp(s, i->rex & REX_W && from == SP ? s->sp : 0);
	return true;
}

/* add, or, adc, sbb, and, sub, xor, cmp with a constant */
static void arithmetic(const struct insn *i, struct stack *s)
{
	unsigned what = i->modrm >> 3 & 7;
	bool is_whole = i->rex & REX_W && i->imm > -STACK_MAX && i->imm < STACK_MAX;

	if (is_memory(i) || what == 7)
		return;
	if (rm_of(i) == BP)
		set_fp(s, 0);
	if (rm_of(i) != SP)
		return;
	if (is_whole && (what == 0 || what == 5))
		move_sp(s, what == 0 ? -i->imm : i->imm);
	else
		s->sp = 0;
}

static void lea(const struct insn *i, struct stack *s)
{
	int32_t place = i->rex & REX_W ? place_of(i, s) : 0;

	place = place >= WORD ? place : 0;
	if (reg_of(i) == SP)
		s->sp = place;
	else if (reg_of(i) == BP)
		set_fp(s, place);
}

/* Are its operands 8 bits wide? */
static bool is_bytes(const struct insn *i)
{
	static const uint8_t ops[] = {0x80, 0x84, 0x86, 0x88, 0x8a, 0xc0, 0xc6, 0xd0, 0xd2, 0xf6, 0xfe};

	return i->op < 0x40 ? !(i->op & 1) : memchr(ops, i->op, sizeof(ops)) != NULL;
}

/* Any other instruction of the one-byte map: may it write the stack pointer, or the frame pointer? */
static bool writes(const struct insn *i, unsigned number)
{
	static const uint8_t reads_only[] = {0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85, 0x88, 0x8c};
	bool by_reg, by_rm;

	if ((i->op & 0xf8) == 0xb8 || (i->op & 0xf8) == 0x90)
		return ((i->op & 7u) | (i->rex & REX_B ? 8u : 0u)) == number;
	if (!i->has_modrm || memchr(reads_only, i->op, sizeof(reads_only)) || (is_bytes(i) && !i->rex)) /* ah, ch, ... */
		return false;
	by_reg = i->op < 0x40 ? i->op & 2 : i->op == 0x63 || i->op == 0x69 || i->op == 0x6b || i->op == 0x86 || i->op == 0x87;
	by_rm = !(i->op < 0x40 && i->op & 2) && i->op != 0x63 && i->op != 0x69 && i->op != 0x6b && (i->op & 0xf8) != 0xd8;
	if ((i->op == 0xf6 || i->op == 0xf7) && (i->modrm & 0x30) != 0x10) /* test, mul, div: all but not and neg */
		by_rm = false;
	return (by_reg && reg_of(i) == number) || (by_rm && !is_memory(i) && rm_of(i) == number);
}

/* Of the second map: those that compilers let write general registers. */
static bool writes_0f(const struct insn *i, unsigned number)
{
	bool by_reg = (i->op & 0xf0) == 0x40 || i->op == 0xaf || (i->op >= 0xb6 && i->op <= 0xbf && i->op != 0xba);

	return by_reg && reg_of(i) == number;
}

static bool other(const struct insn *i, struct stack *s)
{
	bool (*is_written)(const struct insn *, unsigned) = i->map == INSN_0F ? writes_0f : writes;

	if (i->map == INSN_OTHER)
		return true;
	if (is_written(i, BP))
		set_fp(s, 0);
	return !is_written(i, SP);
}

/* What an instruction that does not jump makes of the stack; false: it cannot be followed. */
static bool apply(const struct insn *i, struct stack *s)
{
	unsigned what = i->modrm >> 3 & 7;
	int number = (i->op & 7) | (i->rex & REX_B ? 8 : 0);

	if (i->map != INSN_ONE_BYTE)
		return other(i, s);
	switch (i->op) {
	case 0x50 ... 0x57: push(s, number); return !i->has_short_operand;
	case 0x58 ... 0x5f: return pop(s, number) && !i->has_short_operand;
	case 0x68:
	case 0x6a:
	case 0x9c: push(s, -1); return !i->has_short_operand;
	case 0x9d: return pop(s, -1);
	case 0xe8: return i->imm != 0; /* a call of the next instruction pushes its address */
	case 0x81:
	case 0x83: arithmetic(i, s); return true;
	case 0x89:
	case 0x8b: return mov(i, s);
	case 0x8d: lea(i, s); return true;
	case 0x8f: return what == 0 && is_memory(i) && pop(s, -1);
	case 0xc8: return false; /* enter */
	case 0xc9: return leave(s);
	case 0xff:
		if (what == 6)
			push(s, -1);
		return what == 6 || what == 2 || (is_memory(i) || rm_of(i) != SP); /* push, call, inc, dec */
	default: return other(i, s);
	}
}

/* --- jumps -------------------------------------------------------------------------------------------------- */

enum flow {
	FLOW_ON,
	FLOW_MAYBE, /* a conditional jump */
	FLOW_JUMP,
	FLOW_AWAY,   /* a return, or a jump to nobody knows where */
	FLOW_NOWHERE, /* what ends the program */
};

static enum flow flow_of(const struct insn *i)
{
	if (i->map == INSN_0F)
		return i->op >= 0x80 && i->op <= 0x8f ? FLOW_MAYBE : i->op == 0x0b ? FLOW_NOWHERE : FLOW_ON;
	if (i->map != INSN_ONE_BYTE)
		return FLOW_ON;
	switch (i->op) {
	case 0x70 ... 0x7f:
	case 0xe0 ... 0xe3: return FLOW_MAYBE;
	case 0xe9:
	case 0xeb: return FLOW_JUMP;
	case 0xc3: return FLOW_AWAY;
	case 0xff: return (i->modrm >> 3 & 7) == 4 ? FLOW_AWAY : FLOW_ON;
	case 0xf4:
	case 0xcc: return FLOW_NOWHERE;
	default: return FLOW_ON;
	}
}

static bool is_padding(const struct insn *i)
{
	return (i->map == INSN_0F && i->op == 0x1f) ||
	       (i->map == INSN_ONE_BYTE && ((i->op == 0x90 && !i->rex && !i->has_rep) || i->op == 0xcc));
}

/* The place is reached with s; outside of the code, or of other functions, only as a function may be entered. */
static void reach(struct walk *w, int64_t place, const struct stack *s)
{
	uint32_t known = place < 0 || place >= (int64_t)w->n ? BAD_ENTRY : w->at[place];

	if (known) {
		w->is_bad |= known == BAD || !same(known == BAD_ENTRY ? &at_entry : &w->state.at[known - 1], s);
		return;
	}
	if (w->state.len == w->first || !same(&vec_last(&w->state), s) || vec_last(&w->state).loses_fp != s->loses_fp)
		vec_push(&w->state, *s);
	w->at[place] = (uint32_t)w->state.len;
	vec_push(&w->reached, (uint32_t)place);
}

static void leave_function(struct walk *w, const struct insn *i, const struct stack *s)
{
	bool is_empty = same(s, &at_entry), is_return = i->op == 0xc3;

	w->is_bad |= !is_empty;
	w->has_table |= !is_empty && !is_return;
	w->returns |= is_return;
	w->jumps_away |= !is_return;
}

/* One instruction of the function: what it makes of the stack goes where it goes. */
static void step(struct walk *w, size_t pc)
{
	struct stack s = w->state.at[w->at[pc] - 1];
	struct insn i;

	if (!insn_decode(w->code + pc, w->n - pc, &i)) {
		w->is_bad = true;
		return;
	}
	enum flow flow = flow_of(&i);
	if (flow == FLOW_ON)
		w->is_bad |= !apply(&i, &s) || (!s.sp && !s.fp);
	else if (flow == FLOW_AWAY)
		leave_function(w, &i, &s);
	else if (flow == FLOW_JUMP || flow == FLOW_MAYBE)
		reach(w, (int64_t)pc + i.length + i.imm, &s);
	w->loses_fp |= s.loses_fp;
	if (flow == FLOW_ON || flow == FLOW_MAYBE)
		reach(w, (int64_t)pc + i.length, &s);
}

static void follow(struct walk *w, size_t begin)
{
	bool has_table = w->has_table;

	w->is_bad = w->returns = w->jumps_away = w->loses_fp = false;
	w->reached.len = 0;
	w->first = w->state.len;
	reach(w, (int64_t)begin, &at_entry);
	for (size_t k = 0; k < w->reached.len; k++) /* to its end: what is left of it is no other function */
		step(w, w->reached.at[k]);
	for (size_t k = w->first; k < w->state.len; k++)
		w->state.at[k].loses_fp = w->loses_fp;
	/* a part of a function would have to take from the stack what it did not put there before it can return */
	if (!w->is_bad && (!has_table || (w->returns && !w->jumps_away)))
		return;
	vec_each(pc, &w->reached)
		w->at[*pc] = BAD;
	w->at[begin] = BAD_ENTRY;
}

static uint32_t rule_of(struct walk *w, const struct stack *s)
{
	struct cfi_state c = {.cfa_reg = s->sp ? CFI_SP_REG : CFI_FP_REG, .cfa_off = s->sp ? s->sp : s->fp};
	struct uw_rule rule;

	c.reg[TRACK_RA] = (struct cfi_reg){.how = HOW_CFA, .off = -WORD};
	for (unsigned k = 0; k < NTRACK; k++)
		if (s->saved[k])
			c.reg[k] = (struct cfi_reg){.how = HOW_CFA, .off = -s->saved[k]};
	if (s->loses_fp && !s->saved[TRACK_FP])
		c.reg[TRACK_FP].how = HOW_LOST;
	cfi_rule_of(&c, false, &rule);
	return cfi_rule_id(w->rules, &rule);
}

/* The length of what begins at pc: an instruction, or one byte of something else. */
static size_t length_at(const struct walk *w, size_t pc, bool *is_nothing)
{
	struct insn i;
	bool is_insn = insn_decode(w->code + pc, w->n - pc, &i);

	*is_nothing = is_insn && is_padding(&i);
	return is_insn ? i.length : 1;
}

static void emit(struct walk *w)
{
	uint32_t last = 0, rule = 0;
	bool is_nothing;

	for (size_t pc = 0; pc < w->n; pc += w->at[pc] ? length_at(w, pc, &is_nothing) : 1) {
		uint32_t state = w->at[pc];

		if (state != last)
			rule = state && state < BAD_ENTRY ? rule_of(w, &w->state.at[state - 1]) : UW_RULE_NONE;
		last = state;
		cfi_emit(w->table, w->address + pc, rule);
	}
	cfi_emit(w->table, w->address + w->n, UW_RULE_NONE);
}

void cfi_from_code(const uint8_t *code, size_t n, uint64_t address, struct cfi_rules *rules, struct cfi_table *t)
{
	struct walk w = {.code = code, .n = n, .address = address, .rules = rules, .table = t};
	bool is_nothing;

	if (!n || n >= BAD_ENTRY)
		return;
	w.at = xcalloc(n, sizeof(*w.at));
	for (size_t pc = 0, len; pc < n; pc += len) {
		len = length_at(&w, pc, &is_nothing);
		if (!w.at[pc] && !is_nothing && (!pc || (address + pc) % ALIGNMENT == 0))
			follow(&w, pc);
	}
	emit(&w);
	vec_free(&w.state);
	vec_free(&w.reached);
	free(w.at);
}
