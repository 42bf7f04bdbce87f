/*
 * dwarf.h - names that only debug information knows: functions and their inlined copies, source lines,
 * variables with the place where the compiler keeps them, types.
 *
 * DWARF 2 to 5 through libdw (elfutils).  Nothing of this is touched unless a script asks for such a name.
 * Strings and results live in the arena that is passed, or as long as the world.
 */
#pragma once

#include "debuginfo/world.h"

struct dwarf;

/*
 * The debug information of a file: its own, or that of its separate debug file.  Opened on first use and kept
 * with the file.  NULL when there is none; *why (may be NULL) then gets a sentence about it.
 */
struct dwarf *elf_dwarf(struct elf_file *f, const char **why);
/* The same without asking a server: for names in stacks, which nobody waits for. */
struct dwarf *elf_dwarf_here(struct elf_file *f);
/*
 * The same of the running kernel (module NULL or "vmlinux") or of a loaded module: a debug file with its build-id.  Addresses are those of the
 * file; kernel_bias() says how far from there the kernel is, false when that cannot be known.
 */
struct dwarf *kernel_dwarf(struct world *w, const char *module, const char **why);
/* Its file; remote: servers may be asked. */
struct elf_file *kernel_debug_file(struct world *w, const char *module, bool remote, const char **why);
bool kernel_bias(struct world *w, const char *module, uint64_t *ret);
/* For names in stacks: what lies on this machine.  *linked: the file's address of addr, a place in the running kernel or module. */
struct dwarf *kernel_dwarf_here(struct world *w, const char *module, uint64_t addr, uint64_t *linked);
/*
 * Is the variable at that address of the file one of each CPU?  Then it is at *ret plus the CPU's word in the array __per_cpu_offset
 * (include/asm-generic/percpu.h).  Those of modules are not known.
 */
bool kernel_is_percpu(struct world *w, const char *module, uint64_t linked, uint64_t *ret);

/* --- where a value is ------------------------------------------------------------------------------------ */

/*
 * A location as straight code for a stack machine: no jumps (see DWOP_UNLESS), no calls, no references into the debug
 * information.  Frame base, CFA rule and called expressions are already put in.  All values are 64 bits.
 */
enum dwarf_op {
	DWOP_CONST,    /* push arg */
	DWOP_ADDR,     /* push arg, an address of the file as linked, plus where the file was loaded */
	DWOP_REG,      /* push DWARF register arg as it is at the probe */
	DWOP_ENTRY_REG,/* push DWARF register arg as it was when the function was entered; `cfa` says of which call */
	DWOP_TLS,      /* add the thread pointer */
	DWOP_LOAD,     /* replace an address by `width` bytes there, extended by is_signed */
	DWOP_EXT,      /* keep the low `width` bytes, extended by is_signed */
	DWOP_PICK,     /* push a copy of the arg-th value from the top */
	DWOP_DROP,
	DWOP_SWAP,
	DWOP_ROT,      /* the top goes below the next two */
	/* two values, the upper one is the right operand */
	DWOP_ADD, DWOP_SUB, DWOP_MUL, DWOP_SDIV, DWOP_UDIV, DWOP_UMOD, DWOP_SMOD, DWOP_AND, DWOP_OR, DWOP_XOR,
	DWOP_SHL, DWOP_LSHR, DWOP_ASHR, DWOP_EQ, DWOP_NE, DWOP_SLT, DWOP_SLE, DWOP_ULT, DWOP_ULE,
	/* one value */
	DWOP_NEG, DWOP_NOT, DWOP_ABS,
	/*
	 * Smaller and larger of two values: DWOP_UNLESS pops a condition; where it is not 0, DWOP_JOIN brings the stack back to what it was then.
	 * Both run what is between them.  The depth is the same at both; they nest, up to DWARF_MAX_JOINS deep.
	 */
	DWOP_UNLESS, DWOP_JOIN,
};
struct dwarf_insn {
	uint8_t op;
	uint8_t width;
	bool is_signed;
	int64_t arg;
};
enum dwarf_piece_kind {
	DWP_MEMORY, /* the code yields an address */
	DWP_VALUE,  /* the code yields the value; the low bytes of it are the piece's */
	DWP_BYTES,  /* constant bytes */
	DWP_NONE,   /* optimised out */
};
struct dwarf_piece {
	enum dwarf_piece_kind kind;
	uint32_t size;  /* bytes of the variable that this piece holds; 0: all of it */
	uint8_t bits, bit_offset; /* not 0: so many bits instead, from there in the value */
	uint32_t first, count; /* its instructions */
	const uint8_t *bytes;  /* DWP_BYTES, `size` of them (or nbytes, when there is one piece) */
	uint32_t nbytes;
};
enum { DWARF_MAX_INSNS = 512, DWARF_MAX_PIECES = 64, DWARF_MAX_STACK = 32, DWARF_MAX_JOINS = 4 };
struct dwarf_loc {
	struct dwarf_insn *insn;
	struct dwarf_piece *piece;
	uint32_t ninsn, npiece;
	bool needs_load_address; /* some DWOP_ADDR */
	bool needs_entry;        /* some DWOP_ENTRY_REG */
	bool has_bits;           /* pieces are of bits, together no more than a word */
	uint64_t entry;          /* needs_entry: first instruction of the function */
	const struct dwarf_loc *cfa; /* needs_entry: the address that tells calls of the function apart */
};

/* --- variables -------------------------------------------------------------------------------------------- */

struct dwarf_var {
	const char *name; /* "" when the source gives none */
	const char *decl; /* "const char* s", as a debugger spells it */
	struct type *type;
	unsigned order; /* as found: parameters as declared */
	bool is_param, is_artificial; /* `this` and the like */
	bool is_global;               /* declared outside of functions */
	const struct dwarf_loc *loc;  /* NULL: cannot be read here */
	const char *missing;          /* then: why, as the rest of a sentence, "is optimised out at f.c:12 ..." */
};
struct dwarf_vars {
	VEC(const struct dwarf_var *) list;
};

/* One instance of a function: itself, or an inlined copy. */
struct dwarf_func {
	const char *name;      /* with its namespaces in C++ */
	const char *linkage;   /* mangled name, or the same */
	uint64_t entry;        /* first instruction, address as linked */
	bool is_inlined, is_external;
	uint32_t id;           /* of this instance, for dwarf_variables() */
	uint64_t return_pc;    /* dwarf_callees(): where the call goes back to; 0: inlined, or a jump */
};

enum dwarf_at {
	DWARF_AT_PC,     /* in the middle of a function */
	DWARF_AT_ENTRY,  /* at its first instruction: parameters are where the calling convention puts them */
};

/*
 * Variables that the source can name at an address: the parameters and locals of the function around it
 * (`func`: id of the instance, 0: the innermost one), from the inner blocks outwards, each name once.
 * params_only: the parameters in their order.
 */
void dwarf_variables(struct dwarf *d, uint64_t pc, uint32_t func, enum dwarf_at at, bool params_only,
		     struct arena *a, struct dwarf_vars *ret);
/*
 * A variable of file scope (static, global, of a namespace) by its name; `file` (may be NULL) names the source file
 * that defines it; pc (0: none) prefers those of the unit around it.  NULL when there is none.
 */
const struct dwarf_var *dwarf_global(struct dwarf *d, const char *name, const char *file, uint64_t pc,
				     struct arena *a);
/* Where a function's result is when it returns.  NULL for void; loc NULL when it cannot be read. */
const struct dwarf_var *dwarf_return(struct dwarf *d, uint64_t pc, struct arena *a);
/* A type by its C name: "struct foo", "foo", "foo_t", "enum e", with stars behind.  NULL: none. */
struct type *dwarf_type_by_name(struct dwarf *d, const char *name);
/* An enumerator's value by name. */
bool dwarf_enumerator(struct dwarf *d, const char *name, int64_t *ret);

/* --- code --------------------------------------------------------------------------------------------------- */

enum { DWARF_INLINED = 1, DWARF_CONCRETE = 2, DWARF_EXTERNAL_ONLY = 4 };
/*
 * Calls back for every instance of the functions whose name matches (a plain name, or a pattern with * ? []);
 * `what` is made of the bits above.  By address order within a unit.
 */
void dwarf_functions(struct dwarf *d, const char *pattern, unsigned what, struct arena *a,
		     void (*fn)(void *arg, const struct dwarf_func *f), void *arg);
/* The function around an address: the innermost inlined instance or, when `concrete`, the real one.  false: none. */
bool dwarf_function_at(struct dwarf *d, uint64_t pc, bool concrete, struct arena *a, struct dwarf_func *ret);
struct dwarf_line;
/* The function whose source the line is: where a call on it was inlined, the caller.  false: none. */
bool dwarf_function_of_line(struct dwarf *d, const struct dwarf_line *l, struct arena *a, struct dwarf_func *ret);
/* Source file (may be NULL) and line of its declaration. */
void dwarf_declaration(struct dwarf *d, uint32_t id, struct arena *a, const char **file, uint32_t *line);
/* First instruction after the prologue; the entry when the code needs none. */
uint64_t dwarf_body(struct dwarf *d, uint32_t id);
/* Labels of the function instance `id`. */
void dwarf_labels(struct dwarf *d, uint32_t id, struct arena *a,
		  void (*fn)(void *arg, const char *name, const char *file, uint32_t line, uint64_t pc), void *arg);
/* Functions that the instance calls, once for each call, and those inlined into it; entry 0: it is in another unit or file. */
void dwarf_callees(struct dwarf *d, uint32_t id, struct arena *a,
		   void (*fn)(void *arg, const struct dwarf_func *f), void *arg);

struct dwarf_line {
	const char *file;
	uint32_t line, col;
	uint64_t pc;
};
/*
 * What the source says of an address: where it is, innermost first; each inlined copy is followed by the place that it
 * was inlined at.
 */
struct dwarf_site {
	const char *function; /* as the linker knows it where it does, NULL: none */
	uint64_t entry;	      /* where this piece of its code begins, 0: not known */
	const char *file;     /* with its folder, NULL: not known */
	uint32_t line;	      /* 0: not known */
	bool is_inlined;
};
/*
 * The number of sites, no more than max; 0: nothing is known.  The last one is the function that the code belongs to,
 * unless there were more than max.  Strings live as long as `d`.
 */
unsigned dwarf_sites_at(struct dwarf *d, uint64_t pc, struct dwarf_site *ret, unsigned max);
/* Line of an address; false: none. */
bool dwarf_line_at(struct dwarf *d, uint64_t pc, struct dwarf_line *ret);
/*
 * Statements of a source file: calls back for each record (is_stmt) of lines first..last of files whose path is `file`
 * or ends in "/file" (with * ? [] a pattern), in address order within a unit.
 */
void dwarf_lines(struct dwarf *d, const char *file, uint32_t first, uint32_t last,
		 void (*fn)(void *arg, const struct dwarf_line *l), void *arg);
