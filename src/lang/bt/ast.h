/*
 * ast.h - the tree of a bpftrace script.
 *
 * parse.c makes it, sema*.c give each expression its type and fold constants, lower*.c turn it into IR.
 * Nodes live in the compilation's arena.
 */
#pragma once

#include "base/base.h"
#include "lang/lang.h"
#include "lang/probe.h"
#include "types/type.h"

enum bt_expr_kind {
	BT_INT,	      /* num, is_unsigned_literal (value > INT64_MAX) */
	BT_BOOL,      /* num */
	BT_STRING,    /* text, len */
	BT_IDENT,     /* text: enum constant, macro parameter, C define; replaced by sema */
	BT_BUILTIN,   /* text: pid, comm, args, ctx, arg0, retval...; builtin: its row */
	BT_POSITIONAL,/* num: $N */
	BT_POSCOUNT,  /* $# */
	BT_VAR,	      /* text: $x; local */
	BT_MAP,	      /* text: @m; var; kid[0..n): keys as written (a single tuple expression or several) */
	BT_CALL,      /* text, kid[0..n), call: its row */
	BT_UNOP,      /* op, kid[0] */
	BT_BINOP,     /* op, kid[0], kid[1] */
	BT_TERNARY,   /* kid[0..3); kid[1] NULL in a ?: b */
	BT_FIELD,     /* kid[0] . text */
	BT_TUPLE_AT,  /* kid[0] . num */
	BT_INDEX,     /* kid[0] [ kid[1] ] */
	BT_CAST,      /* kid[0], type_name / cast_type */
	BT_TUPLE,     /* kid[0..n) */
	BT_RECORD,    /* kid[0..n), names[0..n) */
	BT_SIZEOF,    /* type_name or kid[0] */
	BT_OFFSETOF,  /* type_name or kid[0], names[0..num): path */
	BT_TYPEOF,    /* in type position: kid[0] or type_name */
	BT_TYPEINFO,  /* type_name or kid[0]; data: its texts */
	BT_COMPTIME,  /* kid[0] */
	BT_BLOCK,     /* block with a value */
	BT_IF,	      /* if expression: kid[0] condition, then_block, else_block */
};

enum bt_op {
	BT_ADD, BT_SUB, BT_MUL, BT_DIV, BT_MOD, BT_AND, BT_OR, BT_XOR, BT_SHL, BT_SHR,
	BT_EQ, BT_NE, BT_LT, BT_LE, BT_GT, BT_GE, BT_LAND, BT_LOR,
	/* unary */
	BT_NEG, BT_LNOT, BT_BNOT, BT_DEREF, BT_ADDR, BT_PREINC, BT_PREDEC, BT_POSTINC, BT_POSTDEC,
};
const char *bt_op_text(enum bt_op op);

struct bt_type_name; /* a type as written, resolved by sema */
struct bt_type_name {
	struct loc loc;
	const char *base;     /* "uint32", "struct task_struct", "string", "size_t" */
	struct bt_expr *typeof_expr; /* typeof(expr) */
	unsigned stars;	      /* pointer levels */
	/* array suffixes and stars in the order written: suffix[i] = -1 star, -2 [], n >= 0 [n] */
	int64_t *suffix;
	unsigned nsuffix;
};

struct bt_expr {
	enum bt_expr_kind kind;
	enum bt_op op;
	struct loc loc;
	struct loc name_loc; /* BT_MAP, BT_CALL: of the name alone */
	uint16_t height;     /* of the tree below: bounded by the parser */
	struct bt_expr **kid;
	unsigned nkid;
	const char *text;
	uint32_t len;	 /* of a string literal, without NUL */
	uint64_t num;
	bool parenthesized;
	bool arrow;	 /* written -> */
	bool was_literal;/* folded or written constant: sign-flexible when it is not negative */
	bool negative;	 /* BT_INT: num is below zero, as int64_t */
	const char **names;
	struct bt_type_name *type_name;
	struct bt_block *then_block, *else_block; /* BT_IF; BT_BLOCK: then_block */
	/* --- by sema --- */
	struct type *type;	/* value type, NULL until known */
	uint8_t as;		/* enum addr_space of pointers and structs in memory */
	bool is_lvalue;
	bool discarded;		/* statement expression whose value nobody uses */
	struct var *var;	/* BT_MAP */
	struct bt_local *local; /* BT_VAR */
	const struct bt_builtin *builtin;
	const struct bt_call *call;
	const struct field *field; /* BT_FIELD: resolved member */
	uint32_t field_offset;
	struct type *cast_type;
	void *data;		/* for a call's own use between sema and lowering */
};

struct bt_local { /* a $variable of one scope */
	const char *name;
	struct type *type;
	struct loc loc;
	bool is_used, is_assigned, is_declared_typed;
	bool is_wide; /* lives to the end of the handler, wherever it was declared */
	enum { BT_L_LET, BT_L_ASSIGN, BT_L_LOOP } origin;
	struct kit_local *storage; /* by lowering */
};

enum bt_stmt_kind {
	BT_S_EXPR,   /* expr */
	BT_S_LET,    /* expr: BT_VAR; type_name or NULL; value or NULL */
	BT_S_ASSIGN, /* expr: lvalue; value; op valid when is_compound */
	BT_S_DISCARD,/* _ = value */
	BT_S_IF,     /* expr, body, other */
	BT_S_WHILE,  /* expr, body */
	BT_S_UNROLL, /* expr, body */
	BT_S_FOR_MAP,   /* expr: BT_VAR; value: BT_MAP without keys; body */
	BT_S_FOR_RANGE, /* expr: BT_VAR; value, value2; body */
	BT_S_BREAK, BT_S_CONTINUE,
	BT_S_RETURN, /* value or NULL */
	BT_S_BLOCK,  /* body */
};
struct bt_stmt {
	enum bt_stmt_kind kind;
	struct loc loc;
	struct loc name_loc; /* LET: `let $x`; loops: the head; ASSIGN: operator and value */
	struct bt_expr *expr, *value, *value2;
	struct bt_type_name *type_name;
	enum bt_op op;
	bool is_compound;
	struct bt_block *body, *other;
	struct bt_local *local; /* LET, FOR: by sema */
	struct bt_stmt *next;
};
struct bt_block { /* blocks of statements have no value; those of BT_BLOCK and BT_IF may have one */
	struct loc loc;
	struct bt_stmt *first;
	struct bt_expr *value; /* trailing expression, NULL */
};

/* One attach point as written: parts between the colons, quotes removed, $N substituted. */
struct bt_point {
	struct loc loc;
	const char *text;
	const char **part; /* by points.c, as all below */
	unsigned npart;
	struct probe_spec spec;
	bool bad;     /* not to be looked at any more; a diagnostic was given */
};
struct bt_probe {
	struct loc loc;
	const char *label; /* name= */
	struct bt_point *point;
	unsigned npoint;
	struct bt_expr *predicate;
	struct bt_block *body;
	struct bt_probe *next;
	/* --- by sema --- */
	struct attach_points matched;
	struct probe_args *args; /* of the first point */
	struct probe_args *locals; /* same, when the handler asks for `local` */
	struct bt_siblings *siblings; /* what this and the handlers copied from it see at their places; NULL: all the same */
	struct loc pred_loc;
	/* --- by lowering --- */
	struct bt_probe *session; /* the handler of the returns of the same functions, in the same program; NULL: none */
	bool in_session; /* that one */
};
struct bt_siblings {
	const struct probe_args **args, **locals; /* elements may be NULL */
	size_t n;
};

struct bt_config_item {
	const char *key;
	struct loc loc;
	const char *text; /* string, identifier or number as text */
	bool is_string, is_number, is_bool;
	uint64_t num;
	struct bt_config_item *next;
};
struct bt_map_decl { /* let @m = hash(100); */
	const char *name, *kind;
	uint64_t size;
	struct loc loc;
	struct bt_map_decl *next;
};
/* A C definition in the script: struct, union, enum, #define, #include. */
struct bt_cdef {
	struct loc loc;
	const char *text;
	struct bt_cdef *next;
};
struct bt_import { /* import "path"; */
	const char *path;
	struct loc loc;
	struct bt_import *next;
};
struct bt_cfile {
	const struct bt_cdef *cdef; /* of an imported script */
	const char *header;	    /* or the path of a header */
	struct bt_cfile *next;
};
struct bt_macro { /* also fn: parsed so that the message names the place; not expanded yet */
	const char *name;
	struct loc loc;
	struct bt_expr **param; /* BT_VAR, BT_MAP, BT_IDENT */
	unsigned nparam;
	struct bt_block *body;
	bool is_fn;
	struct bt_macro *next;
};
/* Features that a script has to ask for. */
enum { BT_UNSTABLE_IMPORT, BT_UNSTABLE_TYPEINFO, BT_UNSTABLE_TSERIES, BT_UNSTABLE_DW_USTACK, BT_UNSTABLE_COUNT };
enum { BT_ENABLED, BT_WARNED, BT_FORBIDDEN };
struct bt_script {
	uint8_t unstable[BT_UNSTABLE_COUNT];
	/* A program file, or with probes spelled BEGIN and END: from the time when a probe that is not there did not
	 * keep the others from running. */
	bool is_lenient;
	struct bt_cdef *cdef;
	struct bt_config_item *config;
	struct loc config_loc;
	struct bt_map_decl *map_decl;
	struct bt_probe *probe;
	struct bt_macro *macro;
	struct bt_import *import;
	struct bt_cfile *cfile; /* C definitions of what is imported */
	struct loc import_loc; /* src set: an import among statements was used */
};

/* parse.c: NULL after syntax errors, at most one a probe. */
struct bt_script *bt_parse(struct lang_input *in);
/* Number as bpftrace writes them: 0x, octal, 1e6, 10_000, 5ms.  base 0: from the prefix; 10: decimal only.
 * NULL when all is well, else what is wrong with it. */
const char *bt_number(struct arena *a, const char *text, int base, uint64_t *ret);
/* A single expression from text (the body of a #define); NULL without a diagnostic when it is none. */
struct bt_expr *bt_parse_expr(struct lang_input *in, const struct source *src);
/* clone.c: deep copies in arena `a`.  Nodes that lie in `from` get their place in `as`: the same text, but with
 * source.from set, so that a diagnostic says where a macro was used.  from NULL: places stay. */
struct bt_copy {
	struct arena *a;
	const struct source *from, *as;
};
struct bt_expr *bt_clone_expr(const struct bt_copy *c, const struct bt_expr *e);
struct bt_block *bt_clone_block(const struct bt_copy *c, const struct bt_block *b);
/* Puts `with` in place of `e`, in the same memory; parentheses are kept. */
void bt_replace(struct bt_expr *e, const struct bt_expr *with);

/* walk.c: every node below, parents first.  A callback that returns false keeps the walk from going below. */
struct bt_walk {
	bool (*expr)(struct bt_walk *w, struct bt_expr *e);
	bool (*stmt)(struct bt_walk *w, struct bt_stmt *st);
	void (*expr_after)(struct bt_walk *w, struct bt_expr *e);
	void *arg;
};
void bt_walk_expr(struct bt_walk *w, struct bt_expr *e); /* NULL is legal, as in all three */
void bt_walk_type(struct bt_walk *w, struct bt_type_name *t);
void bt_walk_block(struct bt_walk *w, struct bt_block *b);

/* dump.c */
void bt_dump(const struct bt_script *s, bool types, struct buf *out);
/* render.c: one diagnostic */
void bt_render(const struct diag *d, struct buf *out, bool colour);
/* points.c: fills point->spec */
void bt_points(struct lang_input *in, struct bt_script *s);
/* cdef.c: structs, unions, enums, typedefs and object-like macros of the script's C part */
struct bt_cdefs;
struct bt_cdefs *bt_cdefs_read(struct lang_input *in, const struct bt_script *s);
void bt_cdefs_free(struct bt_cdefs *c); /* its tables; types stay in the arena */
/* "struct foo", "union foo", "enum foo", typedef or base type name: from the script, then from BTF. */
struct type *bt_type_by_name(struct lang_input *in, struct bt_cdefs *c, const char *name);
/* Is it a type of the script or of C itself? */
bool bt_cdef_defines(const struct bt_cdefs *c, const char *name);
bool bt_cdef_macro(const struct bt_cdefs *c, const char *name, const char **text_ret);
/* The same of the kernel's headers that the script includes, which are read at the first call. */
bool bt_cdef_header_macro(struct lang_input *in, struct bt_cdefs *c, const char *name, const char **text_ret);
bool bt_cdef_enumerator(struct lang_input *in, struct bt_cdefs *c, const char *name, int64_t *v, struct type **enum_ret);
/* import.c: reads what the script imports and adds it to it; problems go to the diagnostics */
void bt_import_all(struct lang_input *in, struct bt_script *s);
/* config.c: the config block, then BPFTRACE_* of the environment, into *opt and s->unstable */
void bt_config(struct lang_input *in, struct bt_script *s, struct program_options *opt);

/* --- builtins and calls: one row each in builtins.c / calls.c ------------------------------------------ */

struct bt_sema;	 /* sema.h */
struct bt_lower; /* lower.h */
struct kit_value;

struct bt_builtin {
	const char *name;
	/* type of `e`, after checking that the probe has it; NULL after a diagnostic */
	struct type *(*sema)(struct bt_sema *s, struct bt_expr *e);
	/* scalar: the register; else the address */
	uint32_t (*lower)(struct bt_lower *l, struct bt_expr *e);
};
struct bt_call {
	const char *name;
	int min_args, max_args; /* -1: any */
	unsigned flags;		/* enum bt_call_flag */
	struct type *(*sema)(struct bt_sema *s, struct bt_expr *e);
	uint32_t (*lower)(struct bt_lower *l, struct bt_expr *e);
};
enum bt_call_flag {
	BT_F_UNSAFE = 1,
	BT_F_VOID = 2,	    /* yields nothing */
	BT_F_MAP_VALUE = 4, /* count(), hist()...: only assigned directly to a map */
	BT_F_LITERAL_FMT = 8,
	BT_F_VOID_OK = 16,  /* has a value that may be dropped without a warning */
};
const struct bt_builtin *bt_builtin_find(const char *name); /* also argN, sargN */
const struct bt_call *bt_call_find(const char *name);
void bt_builtin_nearest(struct nearest *near); /* offers the names of all builtins */
const char *bt_call_nearest(const char *name); /* for a hint; NULL */
/* Type of a BT_CALL whose `call` is set: counts and checks the arguments, and types them. */
struct type *bt_call_sema(struct bt_sema *s, struct bt_expr *e);
