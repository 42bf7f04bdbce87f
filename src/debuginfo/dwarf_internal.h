/*
 * dwarf_internal.h - what the files of the DWARF reader share.
 *
 * libdw checks the bounds of what it decodes; loops and recursion over what it gives (siblings, references,
 * nested types and expressions) are bounded here.
 */
#pragma once

#include "debuginfo/dwarf.h"
#include "debuginfo/dwarf_kept.h"
#include "debuginfo/elf_internal.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

enum {
	DWARF_MAX_DEPTH = 48,	/* nesting of scopes and of types */
	DWARF_MAX_CHAIN = 32	/* typedefs, qualifiers, references to other entries in a row */
};

/* A unit: `cu` has the addresses and the line table, `die` the entries; they differ when it is split (.dwo). */
struct dwarf_unit {
	Dwarf_Die cu, die;
	uint64_t begin, end; /* its bytes in .debug_info */
};

struct dwarf {
	struct world *world;
	struct arena *arena; /* own: as long as the file is open */
	struct elf_file *file;
	const char *path; /* of the file that holds the debug information */
	enum addr_space as;
	Dwarf *dw;
	int fd; /* -1: none */
	struct elf_file *unpacked; /* a copy of the file whose sections libdw could not unpack; NULL */
	Elf *alt_elf;
	int alt_fd;
	struct dwp *package; /* dwarf_dwp.c; NULL: none */
	Dwarf_CFI *debug_frame, *eh_frame;
	bool has_cfi, has_units;
	enum { DWARF_UNKNOWN, DWARF_NO, DWARF_YES } far_refs; /* do units refer to entries of others? */
	VEC(struct dwarf_unit) unit;
	VEC(Dwarf_Die) instance; /* functions handed out: id - 1 */
	struct numtab instance_id, unit_by_die; /* by address of the entry: id; index in unit + 1 */
	struct numtab types;	 /* struct type by address of its entry */
	struct strtab type_names; /* what was looked for by name; type_none: not there */
	struct kept *kept; /* dwarf_search.c; NULL: not read yet, or nothing is kept of this file */
	bool asked_kept, is_split;
	struct dwarf_code *code; /* dwarf_inline.c; NULL: not asked for */
	struct dwarf_ranges *ranges; /* dwarf_ranges.c; the same */
	VEC(Dwarf_Die) type_die; /* of struct types that complete later: origin_id - 1 */
};

/* dwarf_open.c */
void dwarf_close(struct dwarf *d); /* NULL is legal */
/* Bytes of a debug section, decompressed; NULL when there is none. */
const uint8_t *dwarf_section(struct dwarf *d, const char *name, size_t *n);
/* dwarf_dwp.c: split units out of FILE.dwp.  The unit's entries, false when it is not there. */
bool dwp_find_unit(struct dwarf *d, Dwarf_Die *skeleton, Dwarf_Die *ret);
void dwp_close(struct dwp *p);

/* dwarf_unit.c */
const struct dwarf_unit *dwarf_units(struct dwarf *d, size_t *n);
const struct dwarf_unit *dwarf_unit_at(struct dwarf *d, uint64_t pc);
bool die_attr(Dwarf_Die *die, unsigned attr, Dwarf_Attribute *ret); /* also of its origin or specification */
bool die_has(Dwarf_Die *die, unsigned attr);
int die_language(const Dwarf_Die *die); /* DW_LANG_ of its unit, -1: not told */
bool die_is_fortran(const Dwarf_Die *die);
bool die_flag(Dwarf_Die *die, unsigned attr);
const char *die_name(Dwarf_Die *die); /* NULL: none */
bool die_ref(Dwarf_Die *die, unsigned attr, Dwarf_Die *ret);
bool die_uint(Dwarf_Die *die, unsigned attr, uint64_t *ret);
Dwarf_Die die_origin(Dwarf_Die *die); /* the abstract one, or itself */
bool die_is_scope(int tag);	      /* namespaces and classes, which may hold functions and variables */
/* Entries around a pc, from the outermost function inwards; the number found. */
struct dwarf_chain {
	Dwarf_Die at[DWARF_MAX_DEPTH];
	unsigned n;
};
void dwarf_chain_at(struct dwarf *d, uint64_t pc, struct dwarf_chain *ret);
/* Calls back for each child; stops when fn gives false. */
void die_each_child(Dwarf_Die *die, bool (*fn)(void *arg, Dwarf_Die *child), void *arg);

/*
 * dwarf_search.c: the units in which a name is looked for: those that the kept index (dwarf_kept.h) has for the question, else all
 * whose bytes hold the name.
 *
 *	dwarf_search_begin(&s, d, name, "t%d %s", tag, name);
 *	while ((u = dwarf_search_next(&s)))
 *		if (... there is something in u) dwarf_search_hit(&s);
 *	dwarf_search_end(&s);
 *
 * A search may stop at its first hit, if the same question always does.
 */
struct dwarf_needle;
struct dwarf_search {
	struct dwarf *d;
	struct dwarf_needle *needle; /* NULL: all units */
	struct dwarf_needle *refs;   /* NULL: no references are looked for */
	bool second;		     /* on the second way through the units, for references */
	struct buf question;
	const uint32_t *kept; /* NULL: never asked */
	uint32_t nkept;
	size_t next;
	VEC(uint32_t) hit;
};
/* name NULL: all units. */
void dwarf_search_begin(struct dwarf_search *s, struct dwarf *d, const char *name, const char *question, ...) PRINTF_LIKE(4, 5);
const struct dwarf_unit *dwarf_search_next(struct dwarf_search *s);
/*
 * Units that refer to the entry at that offset in .debug_info come as well, after all that hold the name: in a program that was
 * optimised as a whole a function's code may be in another unit than its name.
 */
void dwarf_search_ref(struct dwarf_search *s, uint64_t offset);
void dwarf_search_hit(struct dwarf_search *s); /* in the unit that came last */
void dwarf_search_end(struct dwarf_search *s);
/* Writes the index when there is something new; NULL in d->kept is legal. */
void dwarf_keep(struct dwarf *d);

/* dwarf_ranges.c */
bool dwarf_is_code(uint64_t low, uint64_t high);
/* Where the unit begins in .debug_info that has code at pc; false: none says so.  Reads no more of the file than it must. */
bool dwarf_ranges_find(struct dwarf *d, uint64_t pc, uint64_t *begin);
/* That unit; false: it is broken, or what it describes is in a file that is not there. */
bool dwarf_unit_from(struct dwarf *d, uint64_t begin, struct dwarf_unit *ret);
void dwarf_ranges_free(struct dwarf *d);
/* dwarf_scope.c: "ns::Class::f" in languages that have such; NULL: it has no name.  Lives as long as d. */
const char *dwarf_scoped_name(struct dwarf *d, Dwarf_Die *die);
/* dwarf_inline.c */
void dwarf_code_free(struct dwarf *d);

/* dwarf_type.c: never NULL; what cannot be told is TYPE_NONE or bytes. */
struct type *dwarf_make_type(struct dwarf *d, Dwarf_Die *die, unsigned depth);
/* The type that an entry's DW_AT_type names; void is TYPE_NONE.  false: there is no such attribute. */
bool die_type(Dwarf_Die *die, Dwarf_Die *ret);
Dwarf_Die dwarf_strip(Dwarf_Die type); /* through typedefs and qualifiers */
uint64_t dwarf_size_of(Dwarf_Die type, unsigned depth);
/* dwarf_fortran.c: t filled in for a string, for an array that is elsewhere (of no size when its descriptor is not known) */
struct type *dwarf_string_type(struct dwarf *d, Dwarf_Die *die, struct type *t);
struct type *dwarf_descriptor_type(struct dwarf *d, Dwarf_Die *die, struct type *t, struct type *elem, unsigned rank);
/* What text of Fortran with a length of its own is for a script. */
struct fortran_text {
	uint64_t data_ptr, length;
};
/* dwarf_spell.c */
void dwarf_spell(Dwarf_Die *type, const char *name, struct buf *out); /* type NULL: void */

/* dwarf_func.c: the first address after the prologue of a real function; 0: not known */
uint64_t dwarf_body_of(struct dwarf *d, Dwarf_Die *func);

/* dwarf_expr.c */
struct dwarf_frame {
	struct dwarf *d;
	uint64_t pc;
	bool is_entry;	/* pc is the function's first instruction */
	Dwarf_Die func; /* the real function around pc, whose frame it is; addr NULL: none */
};
/* Compiles a location; NULL and *why when it cannot be read. */
const struct dwarf_loc *dwarf_compile(const struct dwarf_frame *f, Dwarf_Attribute *attr, const Dwarf_Op *op, size_t n,
				      struct arena *a, const char **why);
/* Where `text` is and the number at (or in) `len`, as struct fortran_text. */
const struct dwarf_loc *dwarf_text_loc(const struct dwarf_loc *text, const struct dwarf_loc *len, struct arena *a);
/* Constant bytes as a location. */
const struct dwarf_loc *dwarf_constant(const void *bytes, uint32_t n, struct arena *a);

/* dwarf_abi.c: where the calling convention puts parameters and results.  One file a processor. */
const struct dwarf_loc *dwarf_abi_param(struct dwarf *d, Dwarf_Die *func, unsigned index, struct arena *a,
					const char **why);
const struct dwarf_loc *dwarf_abi_return(struct dwarf *d, Dwarf_Die *type, struct arena *a, const char **why);
const char *dwarf_abi_reg_name(unsigned reg); /* for messages */
bool dwarf_abi_readable(unsigned reg);	      /* a general register, which the kernel saves */
