/* cfi_read.c - the entries of .eh_frame and .debug_frame: DWARF 5, section 6.4.1, and the LSB's
 * Core chapter 10.6. */
#include "debuginfo/cfi_internal.h"

#include <stdlib.h>

struct reader {
	const struct cfi_section *s;
	const struct cfi_range *code;
	size_t ncode;
	struct arena *arena;
	struct numtab cies; /* by offset */
	VEC(struct cfi_fde) fde;
	struct cfi_table *table;
};

static uint64_t address_of(const struct reader *r, const uint8_t *p)
{
	return r->s->address + (uint64_t)(p - r->s->data);
}

/* One entry: what follows its length; false at the end.  *id: the CIE pointer, *id_at: its offset.
 */
static bool next_entry(const struct reader *r, size_t *at, struct cfi_cursor *body, uint64_t *id,
		       size_t *id_at)
{
	struct cfi_cursor c = {.at = r->s->data + *at, .end = r->s->data + r->s->size};
	uint64_t len = cfi_fixed(&c, 4);
	bool is64 = len == 0xffffffffu;

	if (is64)
		len = cfi_fixed(&c, 8);
	if (c.bad || !len)
		return false;
	*body = cfi_block(&c, len);
	if (c.bad)
		return false;
	*at = (size_t)(c.at - r->s->data);
	*id_at = (size_t)(body->at - r->s->data);
	*id = cfi_fixed(body, is64 && r->s->is_debug_frame ? 8 : 4);
	if (r->s->is_debug_frame && !is64 && *id == 0xffffffffu)
		*id = ~0ull;
	return true;
}

static bool is_cie(const struct reader *r, uint64_t id)
{
	return r->s->is_debug_frame ? id == ~0ull : id == 0;
}

static void augmentation(const struct reader *r, const char *text, struct cfi_cursor *c,
			 struct cfi_cie *cie)
{
	struct cfi_cursor data = {.at = c->at, .end = c->at};

	if (*text == 'z') {
		cie->has_augmentation = true;
		data = cfi_block(c, cfi_uleb(c));
		text++;
	}
	for (; *text && !cie->is_bad; text++) {
		uint8_t encoding;

		switch (*text) {
		case 'R': cie->encoding = cfi_u8(&data); break;
		case 'L': cfi_u8(&data); break;
		case 'P':
			encoding = cfi_u8(&data);
			cfi_pointer(&data, encoding & 0x7f & ~0x70, address_of(r, data.at));
			break;
		case 'S': cie->is_signal = true; break;
		case 'B': break;
		default:
			cie->is_bad = !cie->has_augmentation;
			return; /* its length lets the rest be skipped */
		}
	}
	cie->is_bad |= data.bad;
}

static const struct cfi_cie *parse_cie(struct reader *r, struct cfi_cursor c)
{
	struct cfi_cie *cie = arena_new(r->arena, struct cfi_cie);
	uint8_t version = cfi_u8(&c);
	const char *text = (const char *)c.at;

	while (cfi_u8(&c))
		;
	if (c.bad || (version != 1 && version != 3 && version != 4)) {
		cie->is_bad = true;
		return cie;
	}
	if (version == 4 && (cfi_u8(&c) != 8 || cfi_u8(&c))) /* sizes of addresses and segments */
		cie->is_bad = true;
	cie->code_align = cfi_uleb(&c);
	cie->data_align = cfi_sleb(&c);
	cie->ra_reg = version == 1 ? cfi_u8(&c) : cfi_uleb(&c);
	augmentation(r, text, &c, cie);
	cie->program = c;
	cie->is_bad |= c.bad || cie->ra_reg != CFI_RA_REG || cie->code_align > 64 ||
		       cie->data_align < -1024 || cie->data_align > 1024;
	return cie;
}

static const struct cfi_cie *cie_at(struct reader *r, uint64_t offset)
{
	const struct cfi_cie *cie = numtab_get(&r->cies, offset);
	struct cfi_cursor body;
	size_t at = (size_t)offset, id_at;
	uint64_t id;

	if (cie)
		return cie->is_bad ? NULL : cie;
	if (offset >= r->s->size || !next_entry(r, &at, &body, &id, &id_at) || !is_cie(r, id))
		return NULL;
	cie = parse_cie(r, body);
	numtab_set(&r->cies, offset, (void *)(uintptr_t)cie);
	return cie->is_bad ? NULL : cie;
}

static bool is_code(const struct reader *r, uint64_t begin, uint64_t end)
{
	for (size_t i = 0; i < r->ncode; i++)
		if (begin >= r->code[i].begin && end <= r->code[i].end)
			return begin < end;
	return false;
}

static bool parse_fde(struct reader *r, struct cfi_cursor c, uint64_t cie_offset)
{
	struct cfi_fde f = {.cie = cie_at(r, cie_offset), .order = (unsigned)r->fde.len};

	if (!f.cie)
		return false;
	f.begin = cfi_pointer(&c, f.cie->encoding, address_of(r, c.at));
	f.end = f.begin + cfi_pointer(&c, f.cie->encoding & CFI_PE_FORMAT, 0);
	if (f.cie->has_augmentation)
		cfi_block(&c, cfi_uleb(&c));
	f.program = c;
	f.program_address = address_of(r, c.at);
	if (c.bad)
		return false;
	/* A function that the linker dropped has address 0 or none that is code: nothing is wrong
	 * with it. */
	if (is_code(r, f.begin, f.end))
		vec_push(&r->fde, f);
	return true;
}

static void read_section(struct reader *r)
{
	size_t at = 0, id_at;
	struct cfi_cursor body;
	uint64_t id;

	while (next_entry(r, &at, &body, &id, &id_at)) {
		if (is_cie(r, id))
			continue;
		if (!r->s->is_debug_frame) /* counted back from where it stands */
			id = id <= id_at ? id_at - id : ~0ull;
		r->table->nbad += !parse_fde(r, body, id);
	}
}

static int by_address(const void *x, const void *y)
{
	const struct cfi_fde *a = x, *b = y;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool is_sorted(const struct reader *r)
{
	for (size_t i = 1; i < r->fde.len; i++)
		if (by_address(&r->fde.at[i - 1], &r->fde.at[i]) > 0)
			return false;
	return true;
}

void cfi_read(const struct cfi_section *s, size_t n, const struct cfi_range *code, size_t ncode,
	      struct cfi_rules *rules, struct cfi_table *ret)
{
	struct reader r = {.code = code, .ncode = ncode, .arena = arena_create(), .table = ret};
	uint64_t end = 0;

	*ret = (struct cfi_table){.nfde = 0};
	for (size_t i = 0; i < n; i++) {
		r.s = &s[i];
		read_section(&r);
		numtab_free(&r.cies);
	}
	if (!is_sorted(&r))
		qsort(r.fde.at, r.fde.len, sizeof(*r.fde.at), by_address);
	vec_each(f, &r.fde) {
		if (f->begin < end)
			continue;
		if (end && f->begin > end) /* padding, or code that says nothing of itself */
			cfi_emit(ret, end, 0);
		cfi_exec(f, rules, ret);
		end = f->end;
		ret->nfde++;
	}
	if (end)
		cfi_emit(ret, end, 0);
	vec_free(&r.fde);
	arena_destroy(r.arena);
}

void cfi_table_free(struct cfi_table *t)
{
	vec_free(&t->row);
}
