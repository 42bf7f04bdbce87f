/*
 * ast.h - the tree of a SystemTap script, and the symbols that its names stand for.
 *
 * lex.c and pp.c make tokens, parse.c the tree, elab.c turns probe points into probes (one copy of a handler
 * each, with the bodies of aliases round it), resolve.c binds names, types.c infers types, elide.c removes
 * what nobody reads, lower*.c make IR.  Nodes live in the compilation's arena.
 */
#pragma once

#include "base/base.h"
#include "lang/lang.h"
#include "lang/probe.h"
#include "types/type.h"

/* --- tokens ---------------------------------------------------------------------------------------------- */

enum stp_tok_kind { TOK_EOF, TOK_IDENT, TOK_KEYWORD, TOK_OP, TOK_NUM, TOK_STR, TOK_EMBED, TOK_JUNK };
struct stp_tok {
	enum stp_tok_kind kind;
	struct loc loc;
	const char *text; /* strings: as kept in the tree, escapes not yet replaced; junk: what is wrong */
};
struct stp_toks {
	VEC(struct stp_tok) list;
};
/* A script or a tapset file being read. */
struct stp_reader {
	struct lang_input *in;
	struct source *src;
	bool is_tapset;
	struct strtab macros; /* @define: struct stp_macro */
	bool has_library;     /* the macros of pp.c's library were added */
	bool *arg_used; /* one a script argument */
};
/* lex.c: the next token at *pos of src->text; `$1 @1 $#` come back as TOK_IDENT / TOK_OP. */
struct stp_tok stp_lex(const struct source *src, uint32_t *pos, struct arena *a);
bool stp_is_keyword(const char *s);
/* "identifier 'x'", "operator '='", "string 'abc'", "keyword": how a diagnostic names the token at loc. */
void stp_tok_describe(struct loc loc, struct buf *out);
/* Text of a literal with its escapes replaced; *len gets the length. */
char *stp_unescape(struct arena *a, const char *raw, uint32_t *len);
/* pp.c: all tokens after macros, conditionals and arguments; ends with TOK_EOF. */
void stp_preprocess(struct stp_reader *r, struct stp_toks *out);

/* --- types and symbols ----------------------------------------------------------------------------------- */

enum stp_type { ST_UNKNOWN, ST_LONG, ST_STRING, ST_STATS };
const char *stp_type_name(enum stp_type t);

/* What is known of a variable, a key, an argument or a result: found by inference. */
struct stp_cell {
	enum stp_type type;
	struct loc first;     /* where the type came from */
	uint32_t cap;	      /* strings: bytes incl. NUL that it can need; 0 unknown yet */
	struct type *pointee; /* longs that point to a struct of the kernel: autocast */
	bool pointee_conflict;
};

enum { STP_MAXTAKEN = 5, STP_MAXSTRING = 512, STP_MAXKEYS = 9, STP_MAXARGS = 32, STP_HIST_ELISION = 2 };

struct stp_global {
	const char *name;
	struct loc loc;
	bool is_private, is_tapset, wrap, hidden; /* hidden: made by the compiler */
	int64_t max_entries; /* 0: default */
	struct stp_expr *init;
	int nkeys;	     /* -1: not known yet, 0: scalar */
	struct loc arity_loc;
	struct stp_cell cell;
	struct stp_cell key[STP_MAXKEYS];
	bool is_read, is_written, is_iterated, reachable;
	bool is_deleted; /* wholly */
	unsigned tid_keys; /* lock.c: keys that are the thread's number wherever it is mentioned, a bit each */
	bool contested;	   /* lock.c */
	/* stats */
	unsigned stat_ops; /* enum stat_op */
	int64_t hist[3];
	struct loc hist_loc;
	int variance_bits;
	struct var *var;
	struct stp_file *file;
	struct stp_global *next;
};

struct stp_local {
	const char *name;
	struct loc loc;
	struct stp_cell cell;
	bool is_param;
	unsigned reads, writes, tid_writes; /* tid_writes: how often it is set to tid() */
	struct kit_local *storage; /* by lowering */
	struct stp_local *next;
};
/* Variables of one handler or function. */
struct stp_scope {
	struct stp_local *local, **tail;
};

struct stp_native;
struct stp_func {
	const char *name;
	struct loc loc;
	bool is_private, is_tapset;
	struct stp_local *param; /* in scope too: the first nparam locals */
	unsigned nparam;
	enum stp_type declared; /* ST_UNKNOWN: inferred */
	struct stp_cell ret;
	bool returns_value;
	struct stp_stmt *body;
	const char *embedded; /* C code instead of a body */
	struct stp_scope scope;
	int64_t priority;
	const char *key; /* overload.c: what calls it; NULL: its name */
	bool is_linked;
	const struct stp_native *native;
	/* analysis */
	bool reachable, resolved, is_pure, purity_known, visiting, recursive;
	unsigned depth;
	void *lowered;
	struct stp_file *file;
	struct stp_func *next;
};

/* --- expressions ----------------------------------------------------------------------------------------- */

enum stp_expr_kind {
	SE_NUM,	   /* num */
	SE_STR,	   /* text raw, str cooked */
	SE_SYM,	   /* text; local or global */
	SE_INDEX,  /* text [ kid.. ]; a NULL kid is `*` */
	SE_CALL,   /* text ( kid.. ) */
	SE_UNARY,  /* op: - + ! ~ */
	SE_PRE,	   /* op: ++ -- */
	SE_POST,
	SE_BINARY, /* op: arithmetic, bits, shifts */
	SE_COMPARE,
	SE_AND,
	SE_OR,
	SE_TERNARY,
	SE_CONCAT,
	SE_REGEX,  /* kid[0] op kid[1]: =~ !~ */
	SE_IN,	   /* kid.. in text; a NULL kid is `*` */
	SE_ASSIGN, /* op */
	SE_TARGET, /* $x, with comp[]; text includes the dollar */
	SE_CAST,   /* @cast(kid[0], "type", "module"): text type, text2 module; comp[] */
	SE_ATVAR,  /* @var("x", "m"); comp[] */
	SE_ENUM,   /* @enum("text", "text2") */
	SE_ENUMNAME, /* @enumname(kid[0], "text", "text2"); len: capacity of its text */
	SE_DEREF,  /* kid[0] -> comp[] on any value */
	SE_DEFINED,
	SE_ENTRY,
	SE_PERF,
	SE_STAT,   /* @count(kid[0]) and relatives: op is the text with @ */
	SE_HIST,   /* @hist_log(kid[0]), @hist_linear(kid[0], num..) */
	SE_HIST_AT,/* kid[0] (SE_HIST) [ kid[1] ] */
	SE_PRINT,  /* text: print ... ; kid: arguments, format apart in fmt */
	SE_PROBEWRITE,
	SE_EMBED,  /* %{ %} as an expression */
};

/* One step of a $var->a[i] path. */
struct stp_member {
	struct loc loc;
	const char *member; /* NULL: index */
	struct stp_expr *index;
	bool pretty, pretty_deep; /* $ $$ at the end */
};

struct stp_expr {
	enum stp_expr_kind kind;
	struct loc loc;	 /* of the token that diagnostics name */
	const char *op;
	const char *text, *text2;
	const char *str; /* cooked string */
	uint32_t len;
	int64_t num;
	struct stp_expr **kid;
	unsigned nkid;
	struct stp_member *comp;
	unsigned ncomp;
	bool address_of; /* & before a target */
	/* print */
	bool to_string, newline, delimited, formatted, is_char;
	bool is_guarded; /* a string that is "ERROR" when something in it fails */
	/* @hist_linear bounds, @variance bits */
	int64_t par[3];
	/* --- by resolve and types --- */
	struct stp_local *local;
	struct stp_global *global;
	struct stp_func *func;
	enum stp_type type;
	uint32_t cap;	      /* strings */
	struct type *pointee; /* longs */
	uint8_t as;	      /* address space of the pointee */
	const struct field *field; /* SE_TARGET: argument of the probe */
	uint32_t field_offset;
};

/* --- statements ------------------------------------------------------------------------------------------ */

enum stp_stmt_kind {
	SS_NULL, SS_EXPR, SS_BLOCK, SS_IF, SS_FOR, SS_FOREACH, SS_TRY, SS_RETURN, SS_DELETE, SS_NEXT,
	SS_BREAK, SS_CONTINUE,
};
struct stp_stmt {
	enum stp_stmt_kind kind;
	struct loc loc;
	struct stp_expr *expr;	    /* EXPR, IF, FOR: condition, RETURN, DELETE, FOREACH: the array (SYM or HIST) */
	struct stp_expr *init, *step; /* FOR */
	struct stp_stmt *body, *other; /* BLOCK: first of a list; TRY: block and handler */
	struct stp_stmt *next;
	bool is_condition; /* of a probe point: IF */
	bool lock, unlock; /* lock.c: before it, after it */
	struct stp_global **take; /* lock.c: STP_MAXTAKEN arrays that are taken before it, or NULL */
	bool take_end;		  /* after it */
	/* FOREACH */
	struct stp_expr *value;	    /* SYM or NULL */
	struct stp_expr **key;	    /* SYMs */
	unsigned nkey;
	struct stp_expr **slice;    /* NULL entries: `*` */
	unsigned nslice;
	int sort;		    /* 0, +1, -1 */
	int sort_key;		    /* 0: value, else number of the key from 1 */
	const char *sort_stat;	    /* "@sum" */
	struct stp_expr *limit;
	/* TRY */
	struct stp_expr *catch_var; /* SYM or NULL */
};

/* --- top level ------------------------------------------------------------------------------------------- */

struct stp_point_comp {
	struct loc loc;
	const char *name; /* may hold wildcards */
	struct stp_expr *arg; /* SE_NUM, SE_STR, NULL */
};
struct stp_point {
	struct loc loc;
	struct stp_point_comp *comp;
	unsigned ncomp;
	bool optional, sufficient;
	struct stp_expr *cond;
	struct stp_point *next;
};
struct stp_probe {
	struct loc loc; /* of the word probe */
	struct stp_point *point;
	struct stp_stmt *body, *epilogue;
	struct stp_probe *next;
	/* aliases */
	struct stp_point *alias; /* names; NULL: a probe */
	bool is_epilogue_alias;	 /* += */
	bool is_tapset;
	bool busy; /* being expanded: recursion */
};
struct stp_file {
	const char *name;
	const struct source *src;
	bool is_tapset, probes_expanded;
	struct stp_global *global;
	struct stp_func *func;
	struct stp_probe *probe; /* probes and aliases in order */
	struct stp_item *item;	 /* the order of everything, for dump */
	const char *embedded;	 /* C code at top level, NULL */
	struct stp_file *next;	 /* of the user's: scripts beside the first */
};

/* compile.c: MAXSTRINGLEN, bytes of a string with its NUL: 8 to STP_MAXSTRING */
uint32_t stp_max_string(const struct lang_input *in);
/* compile.c: the text of a file of the tapset */
const char *stp_tapset_text(const char *name);
/* parse.c: what could be read; diagnostics of each broken item are in in->diags. */
struct stp_file *stp_parse(struct stp_reader *r);
/* dump.c: as stap -p1 prints it; reads back. */
void stp_dump_file(const struct stp_file *f, struct buf *out);
void stp_dump_expr(const struct stp_expr *e, struct buf *out);
void stp_dump_point(const struct stp_point *p, struct buf *out);
void stp_dump_stmt(const struct stp_stmt *s, struct buf *out);
/* clone.c: a copy of its own, so that each probe can bind and type its names apart */
struct stp_stmt *stp_clone_stmt(struct arena *a, const struct stp_stmt *s);
struct stp_expr *stp_clone_expr(struct arena *a, const struct stp_expr *e);
/* Calls back for every expression below (children first), and for statements. */
/* Is it a $variable, a cast, or a member of one? */
bool stp_is_target(const struct stp_expr *e);
void stp_walk_expr(struct stp_expr *e, void (*fn)(struct stp_expr *e, void *arg), void *arg);
void stp_walk_stmt(struct stp_stmt *s, void (*fn)(struct stp_expr *e, void *arg), void *arg);
