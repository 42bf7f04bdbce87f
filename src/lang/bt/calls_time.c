/* calls_time.c - clocks, and times as text. */
#include "lang/bt/calls.h"

static bool read_clock(const struct bt_expr *e, enum ts_clock *ret)
{
	static const struct {
		const char *name;
		enum ts_clock clock;
	} names[] = {{"monotonic", TS_MONOTONIC},
		     {"boot", TS_BOOT},
		     {"tai", TS_TAI},
		     {"sw_tai", TS_SW_TAI}};
	for (unsigned i = 0; e->kind == BT_IDENT && i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i].name, e->text)) {
			*ret = names[i].clock;
			return true;
		}
	}
	return false;
}

static struct type *sema_nsecs(struct bt_sema *s, struct bt_expr *e)
{
	enum ts_clock clock = TS_BOOT;
	struct bt_expr *a = e->nkid ? e->kid[0] : NULL;
	if (a && !read_clock(a, &clock)) {
		struct type *t = a->kind == BT_IDENT ? NULL : bt_arg(s, e, 0);
		if (a->kind == BT_IDENT)
			bt_err(s, a->loc, "Invalid timestamp mode: %s", a->text);
		else if (t)
			bt_err(s, e->loc,
			       "nsecs() only supports timestamp_mode arguments (%s provided)",
			       bt_kind_word(t));
	}
	const struct features *f = &s->in->world->features;
	if (clock == TS_TAI && f->probed && !f->ktime_tai)
		bt_err(s, e->loc, "Kernel does not support tai timestamp, please try sw_tai");
	return bt_nsecs_type(clock);
}

static ir_ref lower_nsecs(struct bt_lower *l, struct bt_expr *e)
{
	return kit_nsecs(&l->kit, bt_clock_of(e->type));
}

/* --- strftime, time
 * --------------------------------------------------------------------------------------------------
 */

static struct type *sema_strftime(struct bt_sema *s, struct bt_expr *e)
{
	static struct type timestamp = {.kind = TYPE_TIMESTAMP,
					.size = sizeof(struct timestamp_wire)};
	const char *fmt;
	int64_t v;
	bt_want_str_literal(s, e, 0, &fmt);
	bt_want_int(s, e, 1);
	if (bt_clock_of(e->kid[1]->type) == TS_MONOTONIC)
		bt_err(s, e->loc, "strftime() can not take a monotonic timestamp");
	if (bt_const_int(e->kid[1], &v) && v < 0 && e->kid[1]->type && e->kid[1]->type->is_signed)
		bt_err(s, e->loc, "strftime() does not accept negative timestamps");
	return &timestamp;
}

static ir_ref lower_strftime(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	const char *fmt = "";
	uint32_t len;
	bt_const_str(e->kid[0], &fmt, &len);
	ir_ref ns = bt_lower_expr(l, e->kid[1]);
	ir_ref dst = kit_mem(&l->kit, sizeof(struct timestamp_wire));
	ir_store(b, dst, offsetof(struct timestamp_wire, ns), 8, ns);
	ir_store(b, dst, offsetof(struct timestamp_wire, clock), 4,
		 ir_const(b, bt_clock_of(e->kid[1]->type)));
	ir_store(b, dst, offsetof(struct timestamp_wire, fmt), 4,
		 ir_const(b, program_string(l->kit.prog, fmt)));
	return dst;
}

static struct type *sema_time(struct bt_sema *s, struct bt_expr *e)
{
	const char *fmt;
	if (e->nkid)
		bt_want_str_literal(s, e, 0, &fmt);
	return &type_none;
}

static ir_ref lower_time(struct bt_lower *l, struct bt_expr *e)
{
	const char *fmt = "%H:%M:%S\n";
	uint32_t len;
	if (e->nkid)
		bt_const_str(e->kid[0], &fmt, &len);
	bt_send(l, ACT_TIME, e->loc, fmt, false, NULL, 0);
	return 0;
}

const struct bt_call bt_calls_time[] = {
	{"nsecs", 0, 1, 0, sema_nsecs, lower_nsecs},
	{"strftime", 2, 2, 0, sema_strftime, lower_strftime},
	{"time", 0, 1, BT_F_VOID, sema_time, lower_time},
	{0},
};
