/* cfi_exec.c - the call frame machine: DWARF 5, section 6.4.2. */
#include "debuginfo/cfi_internal.h"

enum {
	MAX_REMEMBERED = 256,
};

int cfi_tracked(uint64_t reg)
{
	static const int8_t index[CFI_NREGS] = {
		[0] = -1,
		[1] = -1,
		[2] = -1,
		[3] = TRACK_SAVED,
		[4] = -1,
		[5] = -1,
		[CFI_FP_REG] = TRACK_FP,
		[7] = -1,
		[8] = -1,
		[9] = -1,
		[10] = -1,
		[11] = -1,
		[12] = TRACK_SAVED + 1,
		[13] = TRACK_SAVED + 2,
		[14] = TRACK_SAVED + 3,
		[15] = TRACK_SAVED + 4,
		[CFI_RA_REG] = TRACK_RA,
	};

	return reg < CFI_NREGS ? index[reg] : -1;
}

struct machine {
	const struct cfi_fde *fde; /* NULL: the CIE's own program */
	const struct cfi_cie *cie;
	struct cfi_rules *rules;
	struct cfi_table *table;
	uint64_t pc;
	struct cfi_state s, initial;
	struct cfi_state stack[MAX_REMEMBERED];
	unsigned depth;
};

void cfi_emit(struct cfi_table *t, uint64_t pc, uint32_t rule)
{
	if (t->row.len && vec_last(&t->row).pc == pc)
		t->row.len--;
	if (!t->row.len || vec_last(&t->row).rule != rule)
		vec_push(&t->row, (struct cfi_row){pc, rule});
}

static void emit(struct machine *m)
{
	struct uw_rule rule;

	if (!m->fde || m->pc < m->fde->begin || m->pc >= m->fde->end)
		return;
	cfi_rule_of(&m->s, m->cie->is_signal, &rule);
	cfi_emit(m->table, m->pc, cfi_rule_id(m->rules, &rule));
}

/* The state so far holds up to `to`. */
static bool advance(struct machine *m, uint64_t to)
{
	if (!m->fde || to < m->pc)
		return false;
	if (to > m->pc)
		emit(m);
	m->pc = to;
	return true;
}

static void set_reg(struct machine *m, uint64_t reg, struct cfi_reg r)
{
	int i = cfi_tracked(reg);

	if (i >= 0)
		m->s.reg[i] = r;
}

static void restore(struct machine *m, uint64_t reg)
{
	int i = cfi_tracked(reg);

	if (i >= 0)
		m->s.reg[i] = m->initial.reg[i];
}

static void set_offset(struct machine *m, uint64_t reg, int64_t factored)
{
	int64_t off = (int64_t)((uint64_t)factored * (uint64_t)m->cie->data_align);

	if (off >= INT32_MIN && off <= INT32_MAX)
		set_reg(m, reg, (struct cfi_reg){HOW_CFA, 0, (int32_t)off});
	else
		set_reg(m, reg, (struct cfi_reg){.how = HOW_LOST});
}

static int64_t factored(const struct machine *m, struct cfi_cursor *c)
{
	return (int64_t)((uint64_t)cfi_sleb(c) * (uint64_t)m->cie->data_align);
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t off)
{
	m->s.is_expr = false;
	m->s.is_bad = reg >= CFI_RA_REG;
	m->s.cfa_reg = (uint8_t)MIN(reg, (uint64_t)UW_NO_REG);
	m->s.cfa_off = off;
}

static void set_expression(struct machine *m, struct cfi_cursor *c)
{
	uint64_t reg = cfi_uleb(c);
	struct cfi_reg r = {.how = HOW_LOST};

	if (!cfi_expr_place(cfi_block(c, cfi_uleb(c)), &r))
		r = (struct cfi_reg){.how = HOW_LOST};
	set_reg(m, reg, r);
}

static void set_register(struct machine *m, struct cfi_cursor *c)
{
	uint64_t reg = cfi_uleb(c), from = cfi_uleb(c);

	set_reg(m, reg, (struct cfi_reg){from < CFI_NREGS ? HOW_REG : HOW_LOST, (uint8_t)from, 0});
}

static bool remember(struct machine *m)
{
	if (m->depth == MAX_REMEMBERED)
		return false;
	m->stack[m->depth++] = m->s;
	return true;
}

static bool recall(struct machine *m)
{
	if (!m->depth)
		return false;
	m->s = m->stack[--m->depth];
	return true;
}

static bool extended(struct machine *m, uint8_t op, struct cfi_cursor *c, uint64_t address)
{
	uint64_t reg;

	switch (op) {
	case 0x00: return true;
	case 0x01: return advance(m, cfi_pointer(c, m->cie->encoding, address));
	case 0x02: return advance(m, m->pc + cfi_fixed(c, 1) * m->cie->code_align);
	case 0x03: return advance(m, m->pc + cfi_fixed(c, 2) * m->cie->code_align);
	case 0x04: return advance(m, m->pc + cfi_fixed(c, 4) * m->cie->code_align);
	case 0x05:
		reg = cfi_uleb(c);
		set_offset(m, reg, (int64_t)cfi_uleb(c));
		return true;
	case 0x06: restore(m, cfi_uleb(c)); return true;
	case 0x07: set_reg(m, cfi_uleb(c), (struct cfi_reg){.how = HOW_UNDEFINED}); return true;
	case 0x08: set_reg(m, cfi_uleb(c), (struct cfi_reg){.how = HOW_SAME}); return true;
	case 0x09: set_register(m, c); return true;
	case 0x0a: return remember(m);
	case 0x0b: return recall(m);
	case 0x0c:
		reg = cfi_uleb(c);
		set_cfa(m, reg, (int64_t)cfi_uleb(c));
		return true;
	case 0x0d: set_cfa(m, cfi_uleb(c), m->s.cfa_off); return true;
	case 0x0e: m->s.cfa_off = (int64_t)cfi_uleb(c); return true;
	case 0x0f:
		m->s.is_expr = true;
		m->s.is_bad = false;
		m->s.expr = cfi_block(c, cfi_uleb(c));
		return true;
	case 0x10: set_expression(m, c); return true;
	case 0x11:
		reg = cfi_uleb(c);
		set_offset(m, reg, cfi_sleb(c));
		return true;
	case 0x12:
		reg = cfi_uleb(c);
		set_cfa(m, reg, factored(m, c));
		return true;
	case 0x13: m->s.cfa_off = factored(m, c); return true;
	case 0x14: /* val_offset, val_offset_sf: the value itself is cfa + n */
	case 0x15:
		reg = cfi_uleb(c);
		cfi_uleb(c);
		set_reg(m, reg, (struct cfi_reg){.how = HOW_LOST});
		return true;
	case 0x16:
		reg = cfi_uleb(c);
		cfi_block(c, cfi_uleb(c));
		set_reg(m, reg, (struct cfi_reg){.how = HOW_LOST});
		return true;
	case 0x2e: cfi_uleb(c); return true; /* DW_CFA_GNU_args_size */
	case 0x2f:
		reg = cfi_uleb(c);
		set_offset(m, reg, (int64_t)-cfi_uleb(c));
		return true;
	}
	return false;
}

/* false: the program is broken where it stopped. */
static bool run(struct machine *m, struct cfi_cursor c, uint64_t address)
{
	const uint8_t *begin = c.at;

	while (c.at < c.end && !c.bad) {
		uint8_t op = cfi_u8(&c), low = op & 0x3f;
		bool ok = true;

		switch (op >> 6) {
		case 1: ok = advance(m, m->pc + low * m->cie->code_align); break;
		case 2: set_offset(m, low, (int64_t)cfi_uleb(&c)); break;
		case 3: restore(m, low); break;
		default: ok = extended(m, op, &c, address + (uint64_t)(c.at - begin));
		}
		if (!ok)
			return false;
	}
	return !c.bad;
}

void cfi_exec(const struct cfi_fde *f, struct cfi_rules *rules, struct cfi_table *t)
{
	struct machine m;
	const struct uw_rule bad = {.cfa = UW_CFA_BAD};
	bool ok;

	m.fde = NULL;
	m.cie = f->cie;
	m.rules = rules;
	m.table = t;
	m.pc = f->begin;
	m.depth = 0;
	memset(&m.s, 0, sizeof(m.s));
	m.s.is_bad = true; /* until a CFA is defined */
	memset(&m.initial, 0, sizeof(m.initial));
	ok = run(&m, f->cie->program, 0);
	m.initial = m.s;
	m.fde = f;
	ok = ok && run(&m, f->program, f->program_address);
	if (ok)
		emit(&m);
	else if (m.pc < f->end)
		cfi_emit(t, MAX(m.pc, f->begin), cfi_rule_id(rules, &bad));
	t->nbad += !ok;
}
