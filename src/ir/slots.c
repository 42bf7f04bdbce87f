/*
 * slots.c - memory of the stack, block by block.
 *
 * A load of what the block just stored becomes the stored value; a store that is overwritten before
 * anything reads it, that stores what is there already, or whose slot nothing ever reads, goes.
 *
 * A slot "escapes" when its address may be somewhere that is not followed: stored to memory, in a
 * phi, given to a function that could keep it.  Any call may read and write escaped slots.  A
 * helper that gets the address of another slot reads and writes that slot during the call only.
 */
#include "ir/impl.h"

enum {
	MAX_FACTS = 32, /* remembered stores; keeps the pass linear */
	MASK_BYTES = 64,
	MAX_DISTANCE = 1 << 16, /* further from a slot's start is no place in it */
};

struct place {
	uint32_t slot : 31; /* index into info; 0: not an address within a slot */
	bool exact    : 1;  /* off is known */
	int32_t off;
};
struct slot_info { /* one a slot: most instructions are none */
	bool escapes, is_read;
	uint32_t stamp; /* block of `dead` */
	uint64_t dead;  /* backwards: bytes that are overwritten before they are read */
};
/* Bytes of a slot that are known: the low n bytes of value (little-endian, as our targets), or
 * zeroes. */
struct known {
	uint32_t slot;
	ir_ref value;
	int64_t off, n;
	bool is_zero;
};
struct slots {
	struct ir_fn *fn;
	struct place *place;        /* by ir_ref */
	VEC(struct slot_info) info; /* [0] unused */
	struct ir_replace replace;
	VEC(struct known) known;
	size_t nold;
	ir_ref zero;
};

static struct place place_of(const struct slots *s, ir_ref r)
{
	return r < s->nold ? s->place[r] : (struct place){0};
}

/* --- what happens to addresses -----------------------------------------------------------------
 */

static bool is_near(int64_t off)
{
	return off > -MAX_DISTANCE && off < MAX_DISTANCE;
}

static void find_place(struct slots *s, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(s->fn, r);
	int64_t c;
	if (i->op == IR_SLOT) {
		s->place[r] = (struct place){(uint32_t)s->info.len & INT32_MAX, true, 0};
		vec_push(&s->info, (struct slot_info){0});
	} else if (i->op == IR_ADD) {
		struct place p = place_of(s, i->arg[0]);
		p.exact = p.exact && ir_is_const(s->fn, i->arg[1], &c) && is_near(c) &&
			  is_near(p.off);
		p.off = p.exact ? p.off + (int32_t)c : 0;
		s->place[r] = p;
	}
}

/* Does this call leave alone what it can reach once it has returned? */
static bool call_keeps_nothing(const struct slots *s, const struct ir_insn *i)
{
	if (i->op != IR_HELPER)
		return false;
	for (uint32_t k = 0; k < i->nargs; k++)
		if (ir_at_ref(s->fn, i->arg[k])->op == IR_FNADDR)
			return false;
	return true;
}

static void note_use(struct slots *s, const struct ir_insn *i, uint32_t n)
{
	struct place p = place_of(s, i->arg[n]);
	if (!p.slot)
		return;
	struct slot_info *info = &s->info.at[p.slot];
	switch (i->op) {
	case IR_LOAD: info->is_read = true; return;
	case IR_ZERO: return;
	case IR_ADD:
	case IR_STORE:
		if (n == 0)
			return;
		break;
	case IR_COPY: info->is_read |= n == 1; return;
	case IR_EQ:
	case IR_NE:
	case IR_BR: return;
	case IR_HELPER:
		if (call_keeps_nothing(s, i)) {
			info->is_read = true;
			return;
		}
		break;
	}
	info->escapes = info->is_read = true;
}

static void find_uses(struct slots *s, const uint32_t *order, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		IR_EACH(s->fn, order[k], r)
	find_place(s, r);
	for (ir_ref r = 1; r < s->nold; r++) {
		const struct ir_insn *i = ir_at_ref(s->fn, r);
		for (uint32_t k = 0; k < i->nargs; k++)
			note_use(s, i, k);
	}
}

/* --- forward: what is known ------------------------------------------------------------------- */

static void forget_if(struct slots *s,
		      bool (*gone)(struct slots *s, const struct known *k,
				   const struct known *what),
		      const struct known *what)
{
	size_t kept = 0;
	for (size_t k = 0; k < s->known.len; k++)
		if (!gone(s, &s->known.at[k], what))
			s->known.at[kept++] = s->known.at[k];
	s->known.len = kept;
}

static bool overlaps(struct slots *s, const struct known *k, const struct known *what)
{
	return k->slot == what->slot && k->off < what->off + what->n && what->off < k->off + k->n;
}

static bool of_slot(struct slots *s, const struct known *k, const struct known *what)
{
	return k->slot == what->slot;
}

static bool of_escaped(struct slots *s, const struct known *k, const struct known *what)
{
	return s->info.at[k->slot].escapes;
}

/* n bytes at p change. */
static void clobber(struct slots *s, struct place p, int64_t n)
{
	struct known what = {.slot = p.slot, .off = p.off, .n = n};
	if (!p.slot)
		forget_if(s, of_escaped, NULL);
	else
		forget_if(s, p.exact ? overlaps : of_slot, &what);
}

static void remember(struct slots *s, struct known k)
{
	if (s->known.len < MAX_FACTS)
		vec_push(&s->known, k);
	else
		s->known.at[(size_t)k.off % MAX_FACTS] = k;
}

static const struct known *find_known(struct slots *s, struct place p, int64_t n)
{
	for (size_t k = s->known.len; k-- > 0 && p.slot && p.exact;) {
		const struct known *f = &s->known.at[k];
		if (f->slot != p.slot)
			continue;
		if (f->is_zero ? f->off <= p.off && p.off + n <= f->off + f->n
			       : f->off == p.off && f->n >= n)
			return f;
	}
	return NULL;
}

static ir_ref zero(struct slots *s)
{
	if (!s->zero)
		s->zero = ir_entry_const(s->fn, 0);
	return s->zero;
}

static struct place at_offset(struct place p, int64_t off)
{
	if (is_near(off))
		p.off += (int32_t)off;
	else
		p.exact = false;
	return p;
}

static void forward_load(struct slots *s, ir_ref r)
{
	struct ir_insn *i = ir_at_ref(s->fn, r);
	struct place p = at_offset(place_of(s, i->arg[0]), i->imm);
	const struct known *f = find_known(s, p, i->width);
	if (!f) {
		if (p.slot && p.exact)
			remember(s, (struct known){p.slot, r, p.off, i->width, false});
		return;
	}
	if (f->is_zero || (i->width == 8 && f->n == 8)) {
		ir_replace_set(&s->replace, r, f->is_zero ? zero(s) : f->value);
		ir_remove(s->fn, r);
		return;
	}
	i->op = i->is_signed ? IR_SEXT : IR_ZEXT;
	i->is_signed = false;
	i->imm = 0;
	i->arg[0] = f->value;
}

static bool same_value(const struct slots *s, const struct known *f, ir_ref v)
{
	int64_t a, b;
	if (f->is_zero)
		return ir_is_const(s->fn, v, &a) && a == 0;
	return f->value == v ||
	       (ir_is_const(s->fn, f->value, &a) && ir_is_const(s->fn, v, &b) && a == b);
}

static void forward_store(struct slots *s, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(s->fn, r);
	struct place p = at_offset(place_of(s, i->arg[0]), i->imm);
	const struct known *f = find_known(s, p, i->width);
	if (f && (f->is_zero || f->n == i->width) && same_value(s, f, i->arg[1])) {
		ir_remove(s->fn, r);
		return;
	}
	struct known new = {p.slot, i->arg[1], p.off, i->width, false};
	clobber(s, p, i->width);
	if (p.slot && p.exact)
		remember(s, new);
}

static void forward_call(struct slots *s, const struct ir_insn *i)
{
	if (i->op == IR_HELPER && ir_helper_only_reads(i->imm))
		return;
	clobber(s, (struct place){0}, 0);
	for (uint32_t k = 0; k < i->nargs; k++) {
		struct place p = place_of(s, i->arg[k]);
		p.exact = false;
		if (p.slot)
			clobber(s, p, 0);
	}
}

static void forward(struct slots *s, ir_ref r)
{
	struct ir_insn *i = ir_at_ref(s->fn, r);
	ir_replace_args(&s->replace, i);
	if (i->op == IR_LOAD) {
		forward_load(s, r);
	} else if (i->op == IR_STORE) {
		forward_store(s, r);
	} else if (ir_has(i, IR_CALLS)) {
		forward_call(s, i);
	} else if (ir_has(i, IR_WRITES)) {
		bool region = i->op == IR_ZERO || i->op == IR_COPY;
		struct place p = at_offset(place_of(s, i->arg[0]), region ? 0 : i->imm);
		int64_t n = region ? i->imm : i->width;
		clobber(s, p, n);
		if (i->op == IR_ZERO && p.slot && p.exact)
			remember(s, (struct known){p.slot, 0, p.off, n, true});
	}
}

/* --- backward: what nobody reads ----------------------------------------------------------------
 */

/* Bits of the bytes [off, off + n); 0 when they cannot be told. */
static uint64_t bytes(struct place p, int64_t n)
{
	if (!p.exact || p.off < 0 || n <= 0 || p.off + n > MASK_BYTES)
		return 0;
	return (n == 64 ? ~0ull : (1ull << n) - 1) << p.off;
}

/* At the end of a block bytes may be read, except when the function returns. */
static uint64_t *dead_bytes(struct slots *s, uint32_t block, uint32_t slot)
{
	struct slot_info *info = &s->info.at[slot];
	if (info->stamp != block) {
		info->stamp = block;
		bool returns = ir_at_ref(s->fn, s->fn->block.at[block].last)->op == IR_RET;
		info->dead = returns && !info->escapes ? ~0ull : 0;
	}
	return &info->dead;
}

/* Is the write of n bytes at p useless?  If not, earlier writes to the same bytes are. */
static bool write_is_dead(struct slots *s, uint32_t block, struct place p, int64_t n)
{
	if (!p.slot)
		return false;
	struct slot_info *info = &s->info.at[p.slot];
	if (info->escapes)
		return false;
	if (!info->is_read)
		return true;
	uint64_t *dead = dead_bytes(s, block, p.slot), mask = bytes(p, n);
	if (!mask)
		return false;
	if ((*dead & mask) == mask)
		return true;
	*dead |= mask;
	return false;
}

static void read_bytes(struct slots *s, uint32_t block, struct place p, int64_t n)
{
	if (!p.slot)
		return;
	uint64_t mask = bytes(p, n);
	*dead_bytes(s, block, p.slot) &= mask ? ~mask : 0;
}

static void backward(struct slots *s, uint32_t block, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(s->fn, r);
	struct place p = i->nargs ? place_of(s, i->arg[0]) : (struct place){0};
	switch (i->op) {
	case IR_LOAD: read_bytes(s, block, at_offset(p, i->imm), i->width); return;
	case IR_STORE:
		if (write_is_dead(s, block, at_offset(p, i->imm), i->width))
			ir_remove(s->fn, r);
		return;
	case IR_ZERO:
		if (write_is_dead(s, block, p, i->imm))
			ir_remove(s->fn, r);
		return;
	case IR_COPY:
		if (write_is_dead(s, block, p, i->imm))
			ir_remove(s->fn, r);
		else
			read_bytes(s, block, place_of(s, i->arg[1]), i->imm);
		return;
	}
	if (!ir_has(i, IR_READS | IR_WRITES))
		return;
	for (uint32_t k = 0; k < i->nargs; k++) {
		p = place_of(s, i->arg[k]);
		p.exact = false;
		read_bytes(s, block, p, 0);
	}
}

static void walk(struct slots *s, const uint32_t *order, uint32_t n)
{
	struct ir_fn *fn = s->fn;
	ir_replace_init(&s->replace, fn);
	for (uint32_t k = 0; k < n; k++) {
		s->known.len = 0;
		IR_EACH(fn, order[k], r)
		forward(s, r);
	}
	ir_replace_apply(&s->replace, fn);
	ir_replace_free(&s->replace);
	for (uint32_t k = 0; k < n; k++) {
		for (ir_ref r = fn->block.at[order[k]].last, prev; r; r = prev) {
			prev = ir_at_ref(fn, r)->prev;
			backward(s, order[k], r);
		}
	}
}

void ir_pass_slots(struct ir_fn *fn)
{
	struct slots s = {.fn = fn, .nold = fn->insn.len};
	s.place = xcalloc(s.nold, sizeof(*s.place));
	vec_push(&s.info, (struct slot_info){0});
	uint32_t *order = xcalloc(fn->block.len, sizeof(*order));
	uint32_t n = ir_rpo(fn, order);
	find_uses(&s, order, n);
	if (s.info.len > 1)
		walk(&s, order, n);
	vec_free(&s.known);
	vec_free(&s.info);
	base_free(order);
	base_free(s.place);
}
