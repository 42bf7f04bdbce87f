/*
 * dwarf_ranges.c - the unit that an address belongs to.
 *
 * Most files list their units' code in .debug_aranges (DWARF 5, section 6.1.2): 0.2 MB where the units themselves have 170 (a kernel), so
 * nothing else is touched to find one.  A list may leave units out; when an address is in none of it, all units are asked, once.
 */
#include "debuginfo/dwarf_internal.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX_RANGES = 4096,    /* of one unit that is asked */
	READ_AHEAD = 16 << 20 /* bytes of .debug_info that may be read at once */
};

struct range {
	uint64_t low, high;
	uint64_t begin; /* of the unit, in .debug_info */
};
struct dwarf_ranges {
	VEC(struct range) range; /* by low */
	bool is_all;		 /* every unit was asked */
};

/* Code that the linker dropped begins at 0 (or, for some linkers, 1). */
bool dwarf_is_code(uint64_t low, uint64_t high)
{
	return low > 1 && low < high;
}

static void add(struct dwarf_ranges *r, uint64_t low, uint64_t high, uint64_t begin)
{
	if (dwarf_is_code(low, high))
		vec_push(&r->range, ((struct range){low, high, begin}));
}

static int by_low(const void *x, const void *y)
{
	const struct range *a = x, *b = y;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return (a->high < b->high) - (a->high > b->high);
}

static void sort(struct dwarf_ranges *r)
{
	if (r->range.len)
		qsort(r->range.at, r->range.len, sizeof(*r->range.at), by_low);
}

/* --- .debug_aranges -------------------------------------------------------------------------------------------- */

/* Of this machine's byte order: what libelf has not turned round is not ours to read. */
static uint64_t number(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;
	memcpy(&v, p, width);
	return v;
}

/* One unit's ranges, n bytes behind the length.  Pairs are aligned to their size from the set's first byte. */
static void add_set(struct dwarf_ranges *r, const uint8_t *set, size_t header, size_t n, unsigned width)
{
	const uint8_t *p = set + header, *end = p + n;
	if (n < 2 + width + 2u || number(p, 2) != 2 || p[2 + width] != 8 || p[3 + width] != 0)
		return;
	uint64_t begin = number(p + 2, width);
	for (p = set + ALIGN_UP(header + 4 + width, 16u); p <= end && end - p >= 16; p += 16) {
		uint64_t low = number(p, 8), size = number(p + 8, 8);
		if (low + size >= low)
			add(r, low, low + size, begin);
	}
}

static void add_listed(struct dwarf *d, struct dwarf_ranges *r)
{
	size_t n;
	const uint8_t *p = dwarf_section(d, ".debug_aranges", &n);
	while (p && n >= 12) {
		bool is_long = number(p, 4) == UINT32_MAX;
		size_t header = is_long ? 12 : 4;
		uint64_t len = is_long ? number(p + 4, 8) : number(p, 4);
		if (len > n - header)
			return;
		add_set(r, p, header, (size_t)len, is_long ? 8 : 4);
		p += header + len;
		n -= header + (size_t)len;
	}
}

/* --- all units ---------------------------------------------------------------------------------------------------- */

static void ask_all(struct dwarf *d, struct dwarf_ranges *r)
{
	size_t n;
	const struct dwarf_unit *u = dwarf_units(d, &n);
	r->range.len = 0;
	r->is_all = true;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Die die = u[i].cu;
		Dwarf_Addr base, low, high;
		ptrdiff_t at = 0;
		for (unsigned k = 0; k < MAX_RANGES && (at = dwarf_ranges(&die, at, &base, &low, &high)) > 0; k++)
			add(r, low, high, u[i].begin);
	}
	sort(r);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static bool find(const struct dwarf_ranges *r, uint64_t pc, uint64_t *begin)
{
	size_t low = 0, high = r->range.len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (r->range.at[mid].low <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || pc >= r->range.at[low - 1].high)
		return false;
	*begin = r->range.at[low - 1].begin;
	return true;
}

bool dwarf_ranges_find(struct dwarf *d, uint64_t pc, uint64_t *begin)
{
	struct dwarf_ranges *r = d->ranges;
	if (!r) {
		r = d->ranges = xcalloc(1, sizeof(*r));
		add_listed(d, r);
		sort(r);
	}
	if (find(r, pc, begin))
		return true;
	if (r->is_all)
		return false;
	ask_all(d, r);
	return find(r, pc, begin);
}

/* Among units that were all read. */
static bool known_unit(struct dwarf *d, uint64_t begin, struct dwarf_unit *ret)
{
	size_t low = 0, high;
	const struct dwarf_unit *u = dwarf_units(d, &high);
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (u[mid].begin == begin) {
			*ret = u[mid];
			return true;
		}
		if (u[mid].begin < begin)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* libdw looks at the head of every unit before the one that is wanted: what lies between them need not come from the disk with it. */
static void read_ahead(struct dwarf *d, bool yes)
{
	size_t n, page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)dwarf_section(d, ".debug_info", &n);
	uintptr_t low = at / page * page;
	if (at && n > READ_AHEAD)
		madvise((void *)low, n + (at - low), yes ? MADV_NORMAL : MADV_RANDOM);
}

bool dwarf_unit_from(struct dwarf *d, uint64_t begin, struct dwarf_unit *ret)
{
	Dwarf_Off next;
	size_t header;
	uint8_t kind = 0;
	*ret = (struct dwarf_unit){.begin = begin};
	if (d->has_units)
		return known_unit(d, begin, ret);
	read_ahead(d, false);
	bool ok = dwarf_nextcu(d->dw, begin, &next, &header, NULL, NULL, NULL) == 0 && dwarf_offdie(d->dw, begin + header, &ret->cu);
	read_ahead(d, true);
	if (!ok || dwarf_cu_info(ret->cu.cu, NULL, &kind, NULL, NULL, NULL, NULL, NULL))
		return false;
	if (kind == DW_UT_skeleton) /* its entries are in another file */
		return known_unit(d, begin, ret);
	ret->die = ret->cu;
	ret->end = next;
	return true;
}

void dwarf_ranges_free(struct dwarf *d)
{
	if (d->ranges)
		vec_free(&d->ranges->range);
	base_free(d->ranges);
	d->ranges = NULL;
}
