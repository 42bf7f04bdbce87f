/* dwarf_var.c - variables that are visible at an address, and where each is. */
#include "debuginfo/dwarf_internal.h"

/* --- one variable ------------------------------------------------------------------------------------------- */

static const struct dwarf_loc *constant_of(Dwarf_Attribute *attr, struct type *type, struct arena *a)
{
	Dwarf_Block block;
	Dwarf_Word u;
	Dwarf_Sword s;
	unsigned form = dwarf_whatform(attr);
	const char *text = form == DW_FORM_string || form == DW_FORM_strp ? dwarf_formstring(attr) : NULL;
	if (text)
		return dwarf_constant(text, (uint32_t)MIN(strlen(text) + 1, (size_t)UINT16_MAX), a);
	if (dwarf_formblock(attr, &block) == 0)
		return block.length <= UINT16_MAX ? dwarf_constant(block.data, (uint32_t)block.length, a) : NULL;
	if (type->is_signed && dwarf_formsdata(attr, &s) == 0)
		return dwarf_constant(&s, 8, a);
	return dwarf_formudata(attr, &u) == 0 ? dwarf_constant(&u, 8, a) : NULL;
}

/* Can a script read what the location says of that address? */
static bool reads_at(const struct dwarf_frame *f, Dwarf_Attribute *attr, uint64_t pc, const Dwarf_Op *op, size_t n, struct arena *a)
{
	struct dwarf_frame there = *f;
	const char *why;
	there.pc = pc;
	there.is_entry = false;
	return dwarf_compile(&there, attr, op, n, a, &why) != NULL;
}

/* Nearest address at which a location list has a place that can be read; false: none at all. */
static bool nearest_place(const struct dwarf_frame *f, Dwarf_Attribute *attr, uint64_t *ret)
{
	enum { MAX_RANGES = 4096, MAX_TRIES = 64 };
	Dwarf_Addr base, start, end;
	Dwarf_Op *op;
	size_t n;
	uint64_t best = UINT64_MAX, pc = f->pc;
	ptrdiff_t at = 0;
	struct arena *work = arena_create();
	unsigned tries = 0;
	for (unsigned i = 0; i < MAX_RANGES && (at = dwarf_getlocations(attr, at, &base, &start, &end, &op, &n)) > 0; i++) {
		if (!n || start >= end || tries > MAX_TRIES)
			continue;
		uint64_t far = pc < start ? start - pc : pc >= end ? pc - (end - 1) : 0, there = pc < start ? start : end - 1;
		if (far >= best || (pc >= start && pc < end))
			continue;
		tries++;
		if (reads_at(f, attr, there, op, n, work)) {
			best = far;
			*ret = there;
		}
	}
	arena_destroy(work);
	return best != UINT64_MAX;
}

static const char *where(struct dwarf *d, uint64_t pc, struct arena *a)
{
	struct dwarf_line l;
	if (!dwarf_line_at(d, pc, &l) || !l.line)
		return arena_printf(a, "0x%llx", (unsigned long long)pc);
	const char *slash = strrchr(l.file, '/');
	return arena_printf(a, "%s:%u", slash ? slash + 1 : l.file, l.line);
}

static bool is_list(Dwarf_Attribute *attr)
{
	unsigned form = dwarf_whatform(attr);
	return form == DW_FORM_sec_offset || form == DW_FORM_loclistx || form == DW_FORM_data4 || form == DW_FORM_data8;
}

/* Where a parameter is that unoptimised code copies into its frame first. */
static bool after_prologue(const struct dwarf_frame *f, Dwarf_Attribute *attr, uint64_t *ret)
{
	Dwarf_Die func = f->func;
	*ret = f->is_entry && func.addr && attr && !is_list(attr) ? dwarf_body_of(f->d, &func) : 0;
	return *ret > f->pc;
}

/*
 * "is optimised out at f.c:12; the nearest statement where it exists is f.c:14", "is in register xmm0, which BPF programs cannot
 * read; the nearest ..."
 */
static const char *explain(const struct dwarf_frame *f, Dwarf_Attribute *attr, const char *why, struct arena *a)
{
	uint64_t pc;
	const char *here = where(f->d, f->pc, a);
	bool is_gone = !strcmp(why, "is optimised out"), in_reg = str_has_prefix(why, "is in register");
	if (!is_gone && !in_reg)
		return why;
	const char *said = is_gone ? arena_printf(a, "%s at %s", why, here) : why;
	if (!attr || (!after_prologue(f, attr, &pc) && (!is_list(attr) || !nearest_place(f, attr, &pc))))
		return is_gone ? arena_printf(a, "%s (and everywhere in this function)", said) : why;
	const char *there = where(f->d, pc, a);
	if (!strcmp(here, there))
		return arena_printf(a, "%s; the nearest place where it %s is address 0x%llx", said, is_gone ? "exists" : "can be read",
				    (unsigned long long)pc);
	return arena_printf(a, "%s; the nearest statement where it %s is %s", said, is_gone ? "exists" : "can be read", there);
}

/*
 * A location that holds for the whole function and lies in its frame is true only after the prologue; a register
 * may be told so of optimised code.
 */
static bool is_stack_slot(Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n)
{
	return !is_list(attr) && n && (op[0].atom == DW_OP_fbreg || (op[0].atom >= DW_OP_breg0 && op[0].atom <= DW_OP_breg31 &&
								      op[n - 1].atom != DW_OP_stack_value));
}

static const struct dwarf_loc *locate(const struct dwarf_frame *f, Dwarf_Die *die, struct dwarf_var *v, int param,
				      struct arena *a)
{
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;
	const char *why = "is optimised out";
	if (!die_attr(die, DW_AT_location, &attr)) {
		bool is_constant = die_attr(die, DW_AT_const_value, &attr);
		const struct dwarf_loc *value = is_constant ? constant_of(&attr, v->type, a) : NULL;
		if (!value)
			v->missing = explain(f, NULL, is_constant ? "has a broken constant value" : why, a);
		return value;
	}
	const struct dwarf_loc *loc = NULL;
	int found = dwarf_getlocation_addr(&attr, f->pc, &op, &n, 1);
	Dwarf_Die func = f->func;
	if (found == 1 && f->is_entry && param >= 0 && is_stack_slot(&attr, op, n))
		loc = dwarf_abi_param(f->d, &func, (unsigned)param, a, &why);
	else if (found == 1)
		loc = dwarf_compile(f, &attr, op, n, a, &why);
	if (!loc)
		v->missing = explain(f, &attr, why, a);
	return loc;
}

/* Text of Fortran: its address and its length, which is a variable of its own, as struct fortran_text. */
static const struct dwarf_loc *locate_text(const struct dwarf_frame *f, Dwarf_Die *type, const struct dwarf_loc *text, struct arena *a)
{
	Dwarf_Die length;
	Dwarf_Attribute attr;
	Dwarf_Op *op;
	size_t n;
	const char *why = NULL;
	const struct dwarf_loc *len = NULL;
	if (die_ref(type, DW_AT_string_length, &length) && die_attr(&length, DW_AT_location, &attr) &&
	    dwarf_getlocation_addr(&attr, f->pc, &op, &n, 1) == 1)
		len = dwarf_compile(f, &attr, op, n, a, &why);
	return len && text ? dwarf_text_loc(text, len, a) : NULL;
}

static struct dwarf_var *make_var(const struct dwarf_frame *f, Dwarf_Die *die, int param, struct arena *a)
{
	struct dwarf_var *v = arena_new(a, struct dwarf_var);
	Dwarf_Die type;
	struct buf text = {0};
	const char *name = die_name(die);
	bool typed = die_type(die, &type);
	v->name = name ? arena_strdup(a, name) : "";
	v->is_param = dwarf_tag(die) == DW_TAG_formal_parameter;
	v->is_artificial = die_flag(die, DW_AT_artificial);
	v->type = typed ? dwarf_make_type(f->d, &type, 0) : &type_none;
	v->loc = locate(f, die, v, param, a);
	Dwarf_Die plain = typed ? dwarf_strip(type) : type;
	if (v->loc && typed && dwarf_tag(&plain) == DW_TAG_string_type && v->type->kind == TYPE_STRUCT) {
		v->loc = locate_text(f, &plain, v->loc, a);
		v->missing = v->loc ? NULL : "is text whose length is not known here";
	}
	dwarf_spell(typed ? &type : NULL, v->name, &text);
	v->decl = arena_strdup(a, buf_str(&text));
	buf_free(&text);
	return v;
}

/* --- those of a function ----------------------------------------------------------------------------------------- */

struct collector {
	const struct dwarf_frame *frame;
	struct arena *a;
	struct dwarf_vars *ret;
	bool in_common; /* a common block of Fortran, in the function that names it */
	bool params_only, abi; /* abi: the entries are of the function itself, not of an inlined copy */
	int param;
};

static bool has_name(const struct dwarf_vars *vars, const char *name)
{
	for (size_t i = 0; i < vars->list.len; i++)
		if (!strcmp(vars->list.at[i]->name, name))
			return true;
	return false;
}

static bool collect(void *arg, Dwarf_Die *child)
{
	enum { MAX_VARIABLES = 4096 };
	struct collector *c = arg;
	int tag = dwarf_tag(child);
	if (tag == DW_TAG_common_block && !c->params_only && !c->in_common) {
		c->in_common = true;
		die_each_child(child, collect, c);
		c->in_common = false;
		return true;
	}
	/* what a Go function gives back has a name like a parameter */
	bool is_result = tag == DW_TAG_formal_parameter && die_flag(child, DW_AT_variable_parameter);
	bool is_param = tag == DW_TAG_formal_parameter && !is_result;
	int param = is_param ? c->param++ : -1;
	tag = is_result ? DW_TAG_variable : tag;
	if ((!is_param && (c->params_only || tag != DW_TAG_variable)) || c->ret->list.len > MAX_VARIABLES)
		return true;
	const char *name = die_name(child);
	if ((!is_param && (!name || die_flag(child, DW_AT_artificial))) || (name && has_name(c->ret, name)))
		return true;
	/* extern int x; in a block: defined elsewhere */
	if (!is_param && die_flag(child, DW_AT_declaration))
		return true;
	if (is_result && name && *name == '~') /* one without a name of its own */
		return true;
	struct dwarf_var *v = make_var(c->frame, child, c->abi ? param : -1, c->a);
	v->is_param = is_param;
	v->order = (unsigned)c->ret->list.len;
	vec_push(&c->ret->list, v);
	return true;
}

static bool is_function(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* Index in the chain of the instance `id`, or of the innermost one that the source line belongs to. */
static int instance_in(struct dwarf *d, const struct dwarf_chain *chain, uint32_t id)
{
	int innermost = -1;
	for (unsigned i = 0; i < chain->n; i++) {
		Dwarf_Die die = chain->at[i];
		if (!is_function(&die))
			continue;
		innermost = (int)i;
		if (id && id <= d->instance.len && d->instance.at[id - 1].addr == die.addr)
			return (int)i;
	}
	return innermost;
}

static bool chain_has(const struct dwarf_chain *chain, const Dwarf_Die *die)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->at[i].addr == die->addr)
			return true;
	return false;
}

static Dwarf_Die frame_function(const struct dwarf_chain *chain)
{
	Dwarf_Die die = {0};
	for (unsigned i = 0; i < chain->n && !die.addr; i++) {
		Dwarf_Die at = chain->at[i];
		if (dwarf_tag(&at) == DW_TAG_subprogram)
			die = at;
	}
	return die;
}

void dwarf_variables(struct dwarf *d, uint64_t pc, uint32_t func, enum dwarf_at at, bool params_only, struct arena *a,
		     struct dwarf_vars *ret)
{
	struct dwarf_chain chain;
	dwarf_chain_at(d, pc, &chain);
	if (func && func <= d->instance.len && !chain_has(&chain, &d->instance.at[func - 1]) && chain.n < DWARF_MAX_DEPTH)
		chain.at[chain.n++] = d->instance.at[func - 1]; /* gcc may enter an inlined copy where none of its code is */
	int first = instance_in(d, &chain, func);
	if (first < 0)
		return;
	struct dwarf_frame f = {.d = d, .pc = pc, .func = frame_function(&chain)};
	Dwarf_Addr entry;
	f.is_entry = at == DWARF_AT_ENTRY && f.func.addr && dwarf_entrypc(&f.func, &entry) == 0 && entry == pc;
	/* blocks of the instance, without those of functions inlined into it */
	unsigned last = (unsigned)first + 1;
	while (last < chain.n && !is_function(&chain.at[last]))
		last++;
	struct collector c = {.frame = &f, .a = a, .ret = ret, .params_only = params_only};
	for (unsigned i = last; i-- > (unsigned)first;) {
		Dwarf_Die die = chain.at[i], origin = die_origin(&die);
		c.param = 0;
		c.abi = i == (unsigned)first && dwarf_tag(&die) == DW_TAG_subprogram;
		die_each_child(&die, collect, &c);
		/* a copy may leave out what it has no place for */
		c.abi = false;
		if (origin.addr != die.addr)
			die_each_child(&origin, collect, &c);
	}
}

/* --- file scope ----------------------------------------------------------------------------------------------------- */

struct global_search {
	const char *name; /* without its namespace */
	bool is_qualified, is_go;
	const char *full;
	unsigned depth;
	Dwarf_Die found;
};

static bool is_defined(Dwarf_Die *die)
{
	return die_has(die, DW_AT_location) || die_has(die, DW_AT_const_value);
}

/* Go names its variables with their package: main.Counter is found as that and as Counter. */
static bool is_name(const struct global_search *s, const char *name)
{
	size_t n = strlen(name), m = strlen(s->name);
	return !strcmp(name, s->name) || (s->is_go && n > m && name[n - m - 1] == '.' && !strcmp(name + n - m, s->name));
}

static bool find_global(void *arg, Dwarf_Die *child)
{
	struct global_search *s = arg;
	int tag = dwarf_tag(child);
	const char *name = tag == DW_TAG_variable || tag == DW_TAG_member ? die_name(child) : NULL;
	if (name && is_name(s, name) && is_defined(child)) {
		s->found = *child;
		return false;
	}
	if (die_is_scope(tag) && s->depth < DWARF_MAX_DEPTH) {
		s->depth++;
		die_each_child(child, find_global, s);
		s->depth--;
	}
	return !s->found.addr;
}

static bool unit_is_file(const struct dwarf_unit *u, const char *file)
{
	Dwarf_Die die = u->die;
	const char *name = die_name(&die);
	size_t n = name ? strlen(name) : 0, m = strlen(file);
	return n >= m && !strcmp(name + n - m, file) && (n == m || name[n - m - 1] == '/');
}

static const struct dwarf_var *found_global(struct dwarf *d, Dwarf_Die *die, uint64_t pc, struct arena *a)
{
	struct dwarf_frame f = {.d = d, .pc = pc};
	struct dwarf_var *v = make_var(&f, die, -1, a);
	v->is_global = true;
	return v;
}

static void search_global(struct dwarf *d, struct global_search *s, const char *file)
{
	struct dwarf_search search;
	dwarf_search_begin(&search, d, s->name, "g%s@%s", s->full, file ? file : "");
	for (const struct dwarf_unit *u; !s->found.addr && (u = dwarf_search_next(&search));) {
		if (file && !unit_is_file(u, file))
			continue;
		Dwarf_Die die = u->die;
		s->is_go = die_language(&die) == DW_LANG_Go;
		die_each_child(&die, find_global, s);
		if (s->found.addr)
			dwarf_search_hit(&search);
	}
	dwarf_search_end(&search);
}

const struct dwarf_var *dwarf_global(struct dwarf *d, const char *name, const char *file, uint64_t pc, struct arena *a)
{
	const char *colons = strstr(name, "::"), *last = name;
	for (; colons; colons = strstr(last, "::"))
		last = colons + 2;
	struct global_search s = {.name = last, .full = name, .is_qualified = last != name};
	const struct dwarf_unit *here = pc ? dwarf_unit_at(d, pc) : NULL;
	Dwarf_Die die;
	if (here && (!file || unit_is_file(here, file))) {
		die = here->die;
		s.is_go = die_language(&die) == DW_LANG_Go;
		die_each_child(&die, find_global, &s);
	}
	if (!s.found.addr)
		search_global(d, &s, file);
	return s.found.addr ? found_global(d, &s.found, pc, a) : NULL;
}

/* --- results ----------------------------------------------------------------------------------------------------------- */

const struct dwarf_var *dwarf_return(struct dwarf *d, uint64_t pc, struct arena *a)
{
	struct dwarf_chain chain;
	Dwarf_Die type;
	dwarf_chain_at(d, pc, &chain);
	Dwarf_Die func = frame_function(&chain);
	if (!func.addr || !die_type(&func, &type))
		return NULL;
	struct dwarf_var *v = arena_new(a, struct dwarf_var);
	struct buf text = {0};
	v->name = "retval";
	v->type = dwarf_make_type(d, &type, 0);
	v->loc = dwarf_abi_return(d, &type, a, &v->missing);
	dwarf_spell(&type, v->name, &text);
	v->decl = arena_strdup(a, buf_str(&text));
	buf_free(&text);
	return v;
}
