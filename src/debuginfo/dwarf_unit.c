/* dwarf_unit.c - units, and the entries around an address. */
#include "debuginfo/dwarf_internal.h"

static void add_unit(struct dwarf *d, Dwarf_CU *cu, uint8_t kind, Dwarf_Die *cudie, Dwarf_Die *subdie)
{
	struct dwarf_unit u = {.cu = *cudie, .die = *cudie};
	if (kind == DW_UT_skeleton) {
		d->is_split = true;
		if (subdie->addr)
			u.die = *subdie;
		else if (!dwp_find_unit(d, &u.cu, &u.die))
			return; /* what it describes is in a file that is not there */
	}
	Dwarf_Off next = 0;
	Dwarf_Off at = dwarf_dieoffset(cudie) - dwarf_cuoffset(cudie);
	size_t header;
	u.begin = at;
	u.end = dwarf_nextcu(d->dw, at, &next, &header, NULL, NULL, NULL) == 0 ? next : UINT64_MAX;
	vec_push(&d->unit, u);
	numtab_set(&d->unit_by_die, (uint64_t)(uintptr_t)u.die.addr, (void *)(uintptr_t)d->unit.len);
}

const struct dwarf_unit *dwarf_units(struct dwarf *d, size_t *n)
{
	enum { MAX_UNITS = 1 << 20 };
	if (!d->has_units) {
		d->has_units = true;
		Dwarf_CU *cu = NULL, *next;
		Dwarf_Half version;
		uint8_t kind;
		Dwarf_Die cudie, subdie;
		while (d->unit.len < MAX_UNITS &&
		       dwarf_get_units(d->dw, cu, &next, &version, &kind, &cudie, &subdie) == 0) {
			cu = next;
			if (cudie.addr && kind != DW_UT_type && kind != DW_UT_split_type)
				add_unit(d, cu, kind, &cudie, &subdie);
		}
	}
	*n = d->unit.len;
	return d->unit.at;
}

/* .debug_aranges may be missing or know a part of the units only: then each unit is asked. */
const struct dwarf_unit *dwarf_unit_at(struct dwarf *d, uint64_t pc)
{
	size_t n;
	const struct dwarf_unit *u = dwarf_units(d, &n);
	Dwarf_Die cu;
	if (dwarf_addrdie(d->dw, pc, &cu))
		for (size_t i = 0; i < n; i++)
			if (u[i].cu.addr == cu.addr)
				return &u[i];
	for (size_t i = 0; i < n; i++) {
		Dwarf_Die die = u[i].cu;
		if (dwarf_haspc(&die, pc) == 1)
			return &u[i];
	}
	return NULL;
}

/* --- attributes ------------------------------------------------------------------------------------------- */

/*
 * Go writes its expressions as blocks in DWARF 4, too, where libdw only takes the form for expressions.  A short block has the
 * same bytes as one.
 */
static void as_expression(Dwarf_Attribute *a)
{
	bool is_place = a->code == DW_AT_location || a->code == DW_AT_frame_base || a->code == DW_AT_data_location;
	Dwarf_Block block;
	if (is_place && a->form == DW_FORM_block1 && dwarf_formblock(a, &block) == 0 && block.length < 0x80)
		a->form = DW_FORM_exprloc;
}

bool die_attr(Dwarf_Die *die, unsigned attr, Dwarf_Attribute *ret)
{
	if (!die->addr || !dwarf_attr_integrate(die, attr, ret))
		return false;
	as_expression(ret);
	return true;
}

int die_language(const Dwarf_Die *die)
{
	Dwarf_Die cu, of = *die;
	return of.addr && dwarf_diecu(&of, &cu, NULL, NULL) ? dwarf_srclang(&cu) : -1;
}

bool die_is_fortran(const Dwarf_Die *die)
{
	int lang = die_language(die);
	return lang == DW_LANG_Fortran77 || lang == DW_LANG_Fortran90 || lang == DW_LANG_Fortran95 || lang == DW_LANG_Fortran03 ||
	       lang == DW_LANG_Fortran08;
}

bool die_has(Dwarf_Die *die, unsigned attr)
{
	Dwarf_Attribute a;
	return die_attr(die, attr, &a);
}

bool die_flag(Dwarf_Die *die, unsigned attr)
{
	Dwarf_Attribute a;
	bool yes = false;
	return die_attr(die, attr, &a) && dwarf_formflag(&a, &yes) == 0 && yes;
}

const char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute a;
	return die_attr(die, DW_AT_name, &a) ? dwarf_formstring(&a) : NULL;
}

bool die_ref(Dwarf_Die *die, unsigned attr, Dwarf_Die *ret)
{
	Dwarf_Attribute a;
	return die_attr(die, attr, &a) && dwarf_formref_die(&a, ret) != NULL;
}

bool die_uint(Dwarf_Die *die, unsigned attr, uint64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Word v;
	if (!die_attr(die, attr, &a) || dwarf_formudata(&a, &v))
		return false;
	*ret = v;
	return true;
}

Dwarf_Die die_origin(Dwarf_Die *die)
{
	Dwarf_Die at = *die;
	for (unsigned i = 0; i < DWARF_MAX_CHAIN; i++) {
		Dwarf_Attribute a;
		Dwarf_Die next;
		if ((!dwarf_attr(&at, DW_AT_abstract_origin, &a) && !dwarf_attr(&at, DW_AT_specification, &a)) ||
		    !dwarf_formref_die(&a, &next))
			break;
		at = next;
	}
	return at;
}

bool die_is_scope(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_module || tag == DW_TAG_enumeration_type;
}

void die_each_child(Dwarf_Die *die, bool (*fn)(void *arg, Dwarf_Die *child), void *arg)
{
	enum { MAX_CHILDREN = 1 << 24 };
	Dwarf_Die child;
	if (!die->addr || dwarf_child(die, &child))
		return;
	for (unsigned i = 0; i < MAX_CHILDREN; i++) {
		Dwarf_Die next;
		bool more = dwarf_siblingof(&child, &next) == 0;
		if (!fn(arg, &child) || !more)
			return;
		child = next;
	}
}

/* --- around an address ---------------------------------------------------------------------------------------- */

struct descent {
	uint64_t pc;
	unsigned depth;
	bool deep; /* also into code that does not cover the address: methods of local classes lie there */
	Dwarf_Die found;
};

static bool covers(void *arg, Dwarf_Die *child)
{
	struct descent *s = arg;
	int tag = dwarf_tag(child);
	bool is_code = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
		       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
	if (is_code && dwarf_haspc(child, s->pc) == 1) {
		s->found = *child;
		return false;
	}
	/* functions of namespaces and classes, which have no addresses of their own */
	bool inside = die_is_scope(tag) || (is_code && s->deep);
	if (!inside || s->depth >= DWARF_MAX_DEPTH)
		return true;
	s->depth++;
	die_each_child(child, covers, s);
	s->depth--;
	return !s->found.addr;
}

void dwarf_chain_at(struct dwarf *d, uint64_t pc, struct dwarf_chain *ret)
{
	ret->n = 0;
	const struct dwarf_unit *u = dwarf_unit_at(d, pc);
	if (!u)
		return;
	Dwarf_Die at = u->die;
	while (ret->n < ARRAY_SIZE(ret->at)) {
		struct descent s = {.pc = pc};
		die_each_child(&at, covers, &s);
		if (!s.found.addr && !ret->n) {
			s.deep = true;
			die_each_child(&at, covers, &s);
		}
		if (!s.found.addr)
			return;
		ret->at[ret->n++] = at = s.found;
	}
}
