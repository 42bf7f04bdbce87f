/*
 * lower.h - inside lang/bt: typed tree to IR through the kit.
 */
#pragma once

#include "lang/bt/sema.h"
#include "lang/kit.h"

struct bt_lower {
	struct kit kit;
	struct lang_input *in;
	struct bt_script *script;
	struct bt_sema *sema;
	struct bt_probe *probe;
	struct attach_point *point; /* the one that this function is for */
	unsigned round;		    /* which of several functions of the probe */
};

/* lower.c: makes prog->fn and prog->probe from the checked script. */
bool bt_lower(struct bt_sema *s);
/* Scalars: the value in a register.  Others: the address of type_mem_size bytes. */
ir_ref bt_lower_expr(struct bt_lower *l, struct bt_expr *e);
/* The value converted to `to` (sign or zero extension, string padding, tuple elements), same forms. */
ir_ref bt_lower_as(struct bt_lower *l, struct bt_expr *e, struct type *to);
/* As a record's argument. */
struct kit_value bt_lower_value(struct bt_lower *l, struct bt_expr *e);
/* Stores a value of type `to` at dst. */
void bt_lower_to(struct bt_lower *l, struct bt_expr *e, struct type *to, ir_ref dst);
ir_ref bt_lower_cond(struct bt_lower *l, struct bt_expr *e); /* 1 or 0 */
void bt_lower_block(struct bt_lower *l, struct bt_block *b);
/* Key of a map access in memory, zero-padded to key_size; 0 for scalars. */
ir_ref bt_lower_key(struct bt_lower *l, struct var *v, struct bt_expr *const *key, unsigned n);
