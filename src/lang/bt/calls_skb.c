/*
 * calls_skb.c - skboutput(path, skb, length, offset): packets into a file of packets.
 *
 * The packet's linear bytes are read by the program and travel in a record like everything else, so it works in every
 * probe that has a struct sk_buff, is ordered with what the script prints, and what is lost is counted.
 */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

enum {
	MAX_PACKET = 4096 /* bytes of a packet that are kept */
};

static struct type *sema_skboutput(struct bt_sema *s, struct bt_expr *e)
{
	const char *path;
	int64_t offset;
	struct type *t = bt_arg(s, e, 1);
	bt_want_str_literal(s, e, 0, &path);
	bool is_skb = t && t->kind == TYPE_PTR && t->elem && t->elem->kind == TYPE_STRUCT &&
		      str_eq(t->elem->name, "sk_buff");
	if (t && !is_skb)
		bt_err(s, e->kid[1]->loc,
		       "skboutput() only supports 'struct sk_buff *' as the second argument (%s provided)",
		       bt_spell(s, t));
	bt_want_int(s, e, 2);
	if (bt_want_int_literal(s, e, 3, &offset) && (offset < 0 || offset >= MAX_PACKET))
		bt_err(s, e->kid[3]->loc, "skboutput(): the offset must be 0..%d", MAX_PACKET - 1);
	return &type_uint32;
}

static ir_ref member(struct bt_lower *l, struct bt_expr *e, ir_ref skb, const char *name)
{
	struct type *t;
	ir_ref v = kit_kernel_path(&l->kit, skb, "sk_buff", name, &t);
	if (!t)
		diag_error(l->in->diags, e->loc, "this kernel's struct sk_buff has no %s", name);
	return t ? v : ir_const(&l->kit.b, 0);
}

static ir_ref least(struct ir_builder *b, ir_ref x, ir_ref y)
{
	return ir_select(b, ir_bin(b, IR_ULT, x, y), x, y);
}

struct packet {
	struct bt_expr *e;
	ir_ref bytes, n, wire;
};

static void send(struct bt_lower *l, void *arg)
{
	struct packet *p = arg;
	struct arena *a = l->in->arena;
	const struct kit_value v[] = {
		{.type = &type_uint64, .v = kit_nsecs(&l->kit, TS_BOOT)},
		{.type = &type_uint64, .v = p->wire},
		{.type = type_str(a, MAX_PACKET), .v = p->bytes, .is_addr = true, .len = p->n},
	};
	bt_send(l, ACT_SKB, p->e->loc, p->e->kid[0]->text, false, v, ARRAY_SIZE(v));
}

static ir_ref lower_skboutput(struct bt_lower *l, struct bt_expr *e)
{
	struct kit *k = &l->kit;
	struct ir_builder *b = &k->b;
	int64_t offset = 0;
	bt_const_int(e->kid[3], &offset);
	ir_ref skb = bt_lower_expr(l, e->kid[1]), want = bt_lower_expr(l, e->kid[2]);
	ir_ref len = ir_ext(b, member(l, e, skb, "len"), 4, false);
	ir_ref paged = ir_ext(b, member(l, e, skb, "data_len"), 4, false);
	ir_ref data = ir_bini(b, IR_ADD, member(l, e, skb, "data"), offset);
	/* what lies in one piece, from the offset on */
	ir_ref skip = ir_const(b, offset), none = ir_const(b, 0);
	ir_ref linear = ir_bin(b, IR_SUB, len, paged);
	ir_ref left = ir_select(b, ir_bin(b, IR_ULT, skip, linear), ir_bin(b, IR_SUB, linear, skip), none);
	ir_ref n = least(b, least(b, want, left), ir_const(b, MAX_PACKET));
	struct packet p = {.e = e, .bytes = kit_mem(k, MAX_PACKET), .n = n};
	p.wire = ir_select(b, ir_bin(b, IR_ULT, skip, len), ir_bin(b, IR_SUB, len, skip), none);
	ir_ref ret = ir_helper(b, BPF_FUNC_probe_read_kernel, p.bytes, n, data);
	kit_check_helper(k, ret, BPF_FUNC_probe_read_kernel, e->loc);
	ir_ref good = ir_bin(b, IR_AND, ir_bini(b, IR_EQ, ret, 0), ir_bini(b, IR_NE, n, 0));
	bt_when(l, good, send, &p);
	return ir_ext(b, ret, 4, false);
}

const struct bt_call bt_calls_skb[] = {
	{"skboutput", 4, 4, BT_F_VOID_OK, sema_skboutput, lower_skboutput},
	{0},
};
