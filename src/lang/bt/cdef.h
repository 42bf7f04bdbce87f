/*
 * cdef.h - inside lang/bt: reading C text.
 *
 * Not a C compiler: preprocessor lines without function-like macros, and declarations of types.  Other
 * declarations are stepped over.  Sizes and offsets are those of x86-64 and aarch64 (LP64, little endian).
 */
#pragma once

#include "lang/bt/ast.h"

struct bt_cdefs {
	struct strtab types;	   /* "struct foo", "enum bar", typedef names -> struct type */
	struct strtab from_btf;	   /* same names, found in BTF */
	struct numtab incomplete;  /* types of which only the name is known; being defined */
	struct numtab aligned;	   /* struct type -> alignment, where attributes decide it */
	struct strtab macros;	   /* name -> text, tokens with a blank between them */
	struct strtab enumerators; /* name -> struct cdef_enumerator */
	unsigned nfiles;	   /* read so far: bounded */
	unsigned nexpanded;	   /* macros, in declarations: bounded */
	VEC(const char *) later;   /* headers of the kernel that the script includes */
	struct bt_cdefs *headers;  /* what is in them, once something needed it; NULL */
};
struct cdef_enumerator {
	int64_t value;
	struct type *type;
};

enum {
	MAX_EXPANSION_DEPTH = 16
};

enum ctoken { CT_END, CT_IDENT, CT_NUMBER, CT_STRING, CT_CHAR, CT_PUNCT };

struct creader {
	struct lang_input *in;
	struct bt_cdefs *c;
	const struct source *src;
	uint32_t pos, end;
	unsigned depth; /* of files, and of declarations in declarations */
	bool quiet;	/* a system header: what cannot be read is skipped */
	bool failed;
	unsigned nbodies; /* of structs, unions and enums read so far */
	/* the token at hand */
	enum ctoken kind;
	uint32_t begin, len;
	/* macros that are being read in the place of their names; what goes on behind them */
	struct {
		const char *name;
		const struct source *src;
		uint32_t pos, end;
	} up[MAX_EXPANSION_DEPTH];
	unsigned nup;
	/* #if: bit 0 of each level: taken now; bit 1: some branch was taken */
	uint8_t cond[64];
	unsigned ncond;
};

/* cdef_lex.c */
void cdef_next(struct creader *r); /* handles preprocessor lines and skips what they hide */
bool cdef_is(const struct creader *r, const char *text);
bool cdef_take(struct creader *r, const char *text);
char *cdef_text(const struct creader *r);
void cdef_fail(struct creader *r, const char *what);
/* cdef_decl.c: the whole text that r is at */
void cdef_read(struct creader *r);
/* cdef.c */
bool cdef_eval(struct creader *r, const char *text, int64_t *v); /* an integer constant expression */
/* cdef_header.c */
void cdef_include(struct creader *r, const char *name, bool quoted, struct loc loc);
void cdef_predefine(struct bt_cdefs *c);
/* What the kernel's headers define that the script includes: read at the first call; NULL when there are none. */
struct bt_cdefs *cdef_headers(struct lang_input *in, struct bt_cdefs *c);
/* The type of a tag or typedef, or a place-holder that finds it later. */
struct type *cdef_tag(struct creader *r, enum type_kind kind, const char *tag);
struct type *cdef_typedef(struct creader *r, const char *name);
/* cdef_const.c: what common headers define */
bool cdef_well_known(const char *name, int64_t *v);
