/* cfi_rule.c - what a state of the call frame machine means, as one of the rules that the BPF side
 * knows. */
#include "debuginfo/cfi_internal.h"

/* --- the shared set of rules
 * ------------------------------------------------------------------------------- */

void cfi_rules_init(struct cfi_rules *r)
{
	*r = (struct cfi_rules){.slot = {0}};
	vec_push(&r->rule, (struct uw_rule){.cfa = UW_CFA_NONE});
	vec_push(&r->rule,
		 (struct uw_rule){.cfa = UW_CFA_FP,
				  .reg = CFI_FP_REG,
				  .off = 16,
				  .index = UW_NO_REG,
				  .ra = -8,
				  .fp = -16,
				  .is_plain = 1,
				  .saved = {UW_LOST, UW_LOST, UW_LOST, UW_LOST, UW_LOST}});
}

void cfi_rules_free(struct cfi_rules *r)
{
	vec_free(&r->rule);
	vec_free(&r->slot);
}

static uint64_t rule_hash(const struct uw_rule *rule)
{
	uint64_t w[sizeof(*rule) / 8], h = 0;

	memcpy(w, rule, sizeof(w));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		h = (h ^ w[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static void put_slot(struct cfi_rules *r, uint32_t id)
{
	size_t mask = r->slot.len - 1, i = rule_hash(&r->rule.at[id]) & mask;

	while (r->slot.at[i])
		i = (i + 1) & mask;
	r->slot.at[i] = id + 1;
}

static void grow_slots(struct cfi_rules *r)
{
	size_t n = MAX(r->slot.len * 2, (size_t)1024);

	vec_reserve(&r->slot, n);
	memset(r->slot.at, 0, n * sizeof(*r->slot.at));
	r->slot.len = n;
	for (uint32_t id = 0; id < r->rule.len; id++)
		put_slot(r, id);
}

uint32_t cfi_rule_id(struct cfi_rules *r, const struct uw_rule *rule)
{
	if (r->rule.len * 2 >= r->slot.len)
		grow_slots(r);
	size_t mask = r->slot.len - 1;
	for (size_t i = rule_hash(rule) & mask; r->slot.at[i]; i = (i + 1) & mask)
		if (!memcmp(&r->rule.at[r->slot.at[i] - 1], rule, sizeof(*rule)))
			return r->slot.at[i] - 1;
	if (r->rule.len >= UW_RULES)
		return 0;
	vec_push(&r->rule, *rule);
	put_slot(r, (uint32_t)r->rule.len - 1);
	return (uint32_t)r->rule.len - 1;
}

/* --- expressions: DWARF 5, section 2.5
 * --------------------------------------------------------------------- */

enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_CONST4U = 0x0c,
	OP_CONST4S = 0x0d,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_AND = 0x1a,
	OP_MUL = 0x1e,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
};

static bool at_end(const struct cfi_cursor *c)
{
	return c->at >= c->end;
}

static bool take(struct cfi_cursor *c, uint8_t op)
{
	if (at_end(c) || *c->at != op)
		return false;
	c->at++;
	return true;
}

static bool take_breg(struct cfi_cursor *c, uint8_t *reg, int64_t *off)
{
	if (at_end(c) || *c->at < OP_BREG0 || *c->at > OP_BREG31)
		return false;
	*reg = (uint8_t)(cfi_u8(c) - OP_BREG0);
	*off = cfi_sleb(c);
	return !c->bad && *reg < CFI_NREGS;
}

static bool take_const(struct cfi_cursor *c, int64_t *ret)
{
	uint8_t op = at_end(c) ? 0 : *c->at;

	if (op >= OP_LIT0 && op <= OP_LIT31) {
		c->at++;
		*ret = op - OP_LIT0;
		return true;
	}
	c->at += !at_end(c);
	switch (op) {
	case OP_CONST1U: *ret = (int64_t)cfi_fixed(c, 1); return !c->bad;
	case OP_CONST1S: *ret = (int8_t)cfi_fixed(c, 1); return !c->bad;
	case OP_CONST2U: *ret = (int64_t)cfi_fixed(c, 2); return !c->bad;
	case OP_CONST2S: *ret = (int16_t)cfi_fixed(c, 2); return !c->bad;
	case OP_CONST4U: *ret = (int64_t)cfi_fixed(c, 4); return !c->bad;
	case OP_CONST4S: *ret = (int32_t)cfi_fixed(c, 4); return !c->bad;
	case OP_CONSTU: *ret = (int64_t)cfi_uleb(c); return !c->bad;
	case OP_CONSTS: *ret = cfi_sleb(c); return !c->bad;
	}
	return false;
}

static bool fits32(int64_t v)
{
	return v >= INT32_MIN && v <= INT32_MAX;
}

bool cfi_expr_place(struct cfi_cursor c, struct cfi_reg *ret)
{
	int64_t off;

	if (!take_breg(&c, &ret->reg, &off) || !at_end(&c) || !fits32(off))
		return false;
	ret->how = HOW_AT;
	ret->off = (int32_t)off;
	return true;
}

/* What linkers write for the procedure linkage table: sp + off + ((pc & 15) >= n) << 3 */
static bool is_plt(struct cfi_cursor c, struct uw_rule *ret)
{
	uint8_t sp, pc;
	int64_t off, zero, mask, n, shift;

	if (!take_breg(&c, &sp, &off) || sp != CFI_SP_REG || !take_breg(&c, &pc, &zero) ||
	    pc != CFI_RA_REG || zero || !take_const(&c, &mask) || mask != 15 || !take(&c, OP_AND) ||
	    !take_const(&c, &n) || !take(&c, OP_GE) || !take_const(&c, &shift) || shift != 3 ||
	    !take(&c, OP_SHL) || !take(&c, OP_PLUS) || !at_end(&c) || !fits32(off) || n < 0 ||
	    n > 16)
		return false;
	ret->cfa = UW_CFA_PLT;
	ret->off = (int32_t)off;
	ret->off2 = (int32_t)n;
	return true;
}

/* reg + off, or *(reg + off + index * scale) + off2 */
static bool is_deref(struct cfi_cursor c, struct uw_rule *ret)
{
	int64_t off, more = 0, scale = 1, off2 = 0;
	uint8_t index = UW_NO_REG;

	if (!take_breg(&c, &ret->reg, &off))
		return false;
	if (take_breg(&c, &index, &more)) {
		if (take_const(&c, &scale) && !take(&c, OP_MUL)) {
			if (!take(&c, OP_SHL) || scale < 0 || scale > 6)
				return false;
			scale = 1 << scale;
		}
		if (!take(&c, OP_PLUS) || scale < 1 || scale > 64)
			return false;
	}
	if (!take(&c, OP_DEREF))
		return false;
	if (take(&c, OP_PLUS_UCONST))
		off2 = (int64_t)cfi_uleb(&c);
	else if (!at_end(&c) && (!take_const(&c, &off2) || !take(&c, OP_PLUS)))
		return false;
	off += more * scale;
	if (c.bad || !at_end(&c) || !fits32(off) || !fits32(off2))
		return false;
	ret->cfa = UW_CFA_DEREF;
	ret->index = index;
	ret->scale = (uint8_t)scale;
	ret->off = (int32_t)off;
	ret->off2 = (int32_t)off2;
	return true;
}

/* --- a state as a rule
 * ------------------------------------------------------------------------------------- */

static void cfa_of_reg(uint8_t reg, int64_t off, struct uw_rule *ret)
{
	ret->cfa = reg == CFI_SP_REG   ? UW_CFA_SP
		   : reg == CFI_FP_REG ? UW_CFA_FP
		   : reg < CFI_RA_REG  ? UW_CFA_REG
				       : UW_CFA_BAD;
	ret->reg = reg;
	ret->off = (int32_t)off;
	if (!fits32(off))
		ret->cfa = UW_CFA_BAD;
}

static void cfa_of(const struct cfi_state *s, struct uw_rule *ret)
{
	struct cfi_reg place;

	if (!s->is_expr) {
		cfa_of_reg(s->cfa_reg, s->cfa_off, ret);
	} else if (cfi_expr_place(s->expr, &place)) {
		cfa_of_reg(place.reg, place.off, ret);
	} else if (!is_plt(s->expr, ret)) {
		*ret = (struct uw_rule){.index = UW_NO_REG};
		if (!is_deref(s->expr, ret))
			ret->cfa = UW_CFA_BAD;
	}
}

static bool fits16(int64_t v)
{
	return v > INT16_MIN && v < UW_LOST;
}

static bool ra_of(const struct cfi_reg *r, struct uw_rule *ret)
{
	if (!fits16(r->off))
		return false;
	ret->ra = (int16_t)r->off;
	switch (r->how) {
	case HOW_CFA: ret->ra_kind = UW_RA_CFA; return true;
	case HOW_AT: ret->ra_kind = UW_RA_SP; return r->reg == CFI_SP_REG;
	case HOW_REG:
		ret->ra_kind = UW_RA_REG;
		ret->ra = r->reg;
		return r->reg < CFI_RA_REG;
	}
	return false;
}

static int base_of(const struct cfi_reg *r)
{
	if (r->how == HOW_CFA)
		return UW_FROM_CFA;
	if (r->how == HOW_AT && (r->reg == CFI_FP_REG || r->reg == CFI_SP_REG))
		return r->reg == CFI_FP_REG ? UW_FROM_FP : UW_FROM_SP;
	return -1;
}

static int16_t saved_of(const struct cfi_reg *r, int base)
{
	if (r->how == HOW_SAME || r->how == HOW_UNDEFINED)
		return UW_SAME;
	return base >= 0 && base_of(r) == base && fits16(r->off) ? (int16_t)r->off : UW_LOST;
}

static void saved_regs(const struct cfi_state *s, struct uw_rule *ret)
{
	int base = base_of(&s->reg[TRACK_FP]);

	for (unsigned i = 0; i < UW_SAVED && base < 0; i++)
		base = base_of(&s->reg[TRACK_SAVED + i]);
	ret->base = (uint8_t)MAX(base, 0);
	ret->fp = saved_of(&s->reg[TRACK_FP], base);
	for (unsigned i = 0; i < UW_SAVED; i++)
		ret->saved[i] = saved_of(&s->reg[TRACK_SAVED + i], base);
}

/* The kernel's signal frame: registers lie as in struct sigcontext, the return address is the 17th
 * word. */
static bool is_sigcontext(const struct cfi_state *s, struct uw_rule *ret)
{
	const struct cfi_reg *ra = &s->reg[TRACK_RA];

	if (ra->how != HOW_AT || ra->reg != CFI_SP_REG || ra->off < 128)
		return false;
	*ret = (struct uw_rule){.cfa = UW_CFA_SIGNAL, .off = ra->off - 128};
	return true;
}

void cfi_rule_of(const struct cfi_state *s, bool is_signal, struct uw_rule *ret)
{
	*ret = (struct uw_rule){.index = UW_NO_REG};
	if (is_signal && is_sigcontext(s, ret))
		return;
	if (s->reg[TRACK_RA].how == HOW_UNDEFINED) {
		*ret = (struct uw_rule){.cfa = UW_CFA_END};
		return;
	}
	cfa_of(s, ret);
	if (s->is_bad || ret->cfa == UW_CFA_BAD || !ra_of(&s->reg[TRACK_RA], ret)) {
		*ret = (struct uw_rule){.cfa = UW_CFA_BAD};
		return;
	}
	saved_regs(s, ret);
	ret->is_signal = is_signal;
	ret->is_plain = ret->ra_kind == UW_RA_CFA && ret->ra == -8 && ret->fp != UW_LOST &&
			(ret->fp == UW_SAME || ret->base == UW_FROM_CFA);
}
