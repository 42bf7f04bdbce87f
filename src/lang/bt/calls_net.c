/* calls_net.c - addresses of networks, and the order of bytes. */
#include <arpa/inet.h>
#include <linux/bpf.h>

#include "lang/bt/calls.h"

/* --- ntop, pton
 * ---------------------------------------------------------------------------------------------------
 */

static struct type *sema_ntop(struct bt_sema *s, struct bt_expr *e)
{
	static struct type inet = {.kind = TYPE_INET, .size = sizeof(struct inet_wire)};
	unsigned i = e->nkid - 1;
	if (i)
		bt_want_int(s, e, 0);
	struct type *t = bt_arg(s, e, i);
	if (!t)
		return &inet;
	bool bytes = t->kind == TYPE_STR || t->kind == TYPE_ARRAY;
	if (!bt_is_int(t) && !bytes)
		bt_err(s, e->loc, "ntop() expects an integer or array argument, got %s",
		       bt_kind_word(t));
	if (bytes && t->size != 4 && t->size != 16)
		bt_err(s, e->loc, "ntop() argument must be 4 or 16 bytes in size");
	return &inet;
}

static ir_ref lower_ntop(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	struct bt_expr *a = e->kid[e->nkid - 1];
	bool is_int = bt_is_int(a->type);
	ir_ref family = e->nkid > 1
				? bt_lower_expr(l, e->kid[0])
				: ir_const(b, is_int || a->type->size == 4 ? AF_INET : AF_INET6);
	ir_ref dst = kit_mem_zero(&l->kit, sizeof(struct inet_wire));
	ir_store(b, dst, offsetof(struct inet_wire, family), 4, family);
	if (is_int) {
		ir_store(b, dst, offsetof(struct inet_wire, addr), 4, bt_lower_expr(l, a));
		return dst;
	}
	struct bt_place p = bt_lower_target(l, a);
	struct type bytes = {.kind = TYPE_ARRAY,
			     .size = MIN(a->type->size, 16u),
			     .elem = &type_uint8,
			     .count = MIN(a->type->size, 16u)};
	bt_place_read_to(l, &p, &bytes, ir_bini(b, IR_ADD, dst, offsetof(struct inet_wire, addr)),
			 e->loc);
	return dst;
}

static int parse_address(const char *text, uint8_t bytes[16])
{
	int family = strchr(text, '.') && !strchr(text, ':') ? AF_INET
		     : strchr(text, ':')                     ? AF_INET6
							     : 0;
	if (!family || inet_pton(family, text, bytes) != 1)
		return 0;
	return family == AF_INET ? 4 : 16;
}

static struct type *sema_pton(struct bt_sema *s, struct bt_expr *e)
{
	const char *text;
	uint32_t len;
	uint8_t bytes[16];
	bt_arg(s, e, 0);
	if (!bt_const_str(e->kid[0], &text, &len)) {
		bt_err(s, e->loc, "pton() expects an string literal at the first argument");
		return NULL;
	}
	if (!strpbrk(text, ".:")) {
		bt_err(s, e->loc,
		       "pton() expects an string argument of an IPv4/IPv6 address, got %s", text);
		return NULL;
	}
	int n = parse_address(text, bytes);
	if (!n) {
		bt_err(s, e->loc, "pton() expects a valid IPv4/IPv6 address, got %s", text);
		return NULL;
	}
	return e->type ? e->type : type_array(s->in->arena, &type_uint8, (uint32_t)n);
}

static ir_ref lower_pton(struct bt_lower *l, struct bt_expr *e)
{
	const char *text = "";
	uint32_t len;
	uint8_t bytes[16] = {0};
	bt_const_str(e->kid[0], &text, &len);
	int n = parse_address(text, bytes);
	return kit_str_literal(&l->kit, (const char *)bytes, (uint32_t)n, (uint32_t)n);
}

/* --- macaddr
 * ----------------------------------------------------------------------------------------------------------
 */

enum {
	MAC_BYTES = 6
};

static struct type *sema_macaddr(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (!t)
		return &type_mac;
	bool bytes = t->kind == TYPE_ARRAY || t->kind == TYPE_STR || t->kind == TYPE_BUF;
	if (!bt_is_int(t) && !bytes && t->kind != TYPE_PTR)
		bt_err(s, e->loc,
		       "macaddr() only supports array or pointer arguments (%s provided)",
		       bt_kind_word(t));
	if (e->kid[0]->kind == BT_STRING)
		bt_err(s, e->loc, "macaddr() does not support literal string arguments");
	if (bytes && t->size < MAC_BYTES)
		bt_err(s, e->loc, "macaddr() argument must be at least 6 bytes in size");
	return &type_mac;
}

static ir_ref lower_macaddr(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref dst = kit_mem(&l->kit, MAC_BYTES + 2);
	struct bt_place p = bt_lower_target(l, e->kid[0]);
	struct type bytes = {
		.kind = TYPE_ARRAY, .size = MAC_BYTES, .elem = &type_uint8, .count = MAC_BYTES};
	bt_place_read_to(l, &p, &bytes, dst, e->loc);
	return dst;
}

/* --- bswap, socket_cookie
 * --------------------------------------------------------------------------------------------------
 */

static struct type *sema_bswap(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (!t)
		return NULL;
	if (bt_is_int(t))
		return type_int(MIN(MAX(t->size, 1u), 8u), false);
	bt_err(s, e->loc, "bswap() only supports integer arguments (%s provided)", bt_kind_word(t));
	return NULL;
}

static ir_ref lower_bswap(struct bt_lower *l, struct bt_expr *e)
{
	ir_ref v = bt_lower_expr(l, e->kid[0]);
	if (e->type->size == 1)
		return ir_ext(&l->kit.b, v, 1, false);
	return ir_bswap(&l->kit.b, v, e->type->size);
}

static struct type *sema_cookie(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	if (!t)
		return &type_uint64;
	if (t->kind != TYPE_PTR || !t->elem || t->elem->kind != TYPE_STRUCT)
		bt_err(s, e->loc,
		       "socket_cookie() only supports 'struct sock *' as the argument (%s provided)",
		       bt_kind_word(t));
	else if (!str_eq(t->elem->name, "sock"))
		bt_err(s, e->loc,
		       "socket_cookie() only supports 'struct sock *' as the argument ('struct %s *' provided)",
		       t->elem->name ? t->elem->name : "");
	return &type_uint64;
}

static ir_ref lower_cookie(struct bt_lower *l, struct bt_expr *e)
{
	return ir_helper(&l->kit.b, BPF_FUNC_get_socket_cookie, bt_lower_expr(l, e->kid[0]));
}

const struct bt_call bt_calls_net[] = {
	{"ntop", 1, 2, 0, sema_ntop, lower_ntop},
	{"pton", 1, 1, 0, sema_pton, lower_pton},
	{"macaddr", 1, 1, 0, sema_macaddr, lower_macaddr},
	{"bswap", 1, 1, 0, sema_bswap, lower_bswap},
	{"socket_cookie", 1, 1, 0, sema_cookie, lower_cookie},
	{0},
};
