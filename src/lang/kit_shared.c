/*
 * kit_shared.c - code that many statements share.
 *
 * Writing to a map takes a lookup, an update and what happens when the map is full.  A script with a thousand such statements
 * would have all that a thousand times; each copy costs compiling, and the verifier the square of their number (it expands
 * every lookup by moving all that follows).  From the SHARE_FROM-th statement on that does one thing to one map, and earlier in a program that
 * has many, the code is a function that the verifier judges once: a call costs some two nanoseconds an event.
 *
 *     f(key or its address, value, id of the action that reports an error)
 *
 * It returns the old value of an addition.  Where the language says what happens on an error (kit.on_error), it returns
 * the helper's code instead, 0 when there was none.
 */
#include "lang/kit_internal.h"

enum {
	SHARE_FROM = 16,
	IN_LINE = 64, /* of all maps together; in a program that has so many, SHARE_LATER is enough */
	SHARE_LATER = 2,
	KEY_MAX = 64 /* it is copied to the stack */
};

struct kit_shared {
	uint32_t uses[SHARED_OPS];
	struct ir_fn *fn[SHARED_OPS];
};

struct sharing {
	enum kit_shared_op op;
	struct var *v;
	ir_ref result;      /* slot */
	bool reports;       /* the caller is told of errors */
};

static bool is_word(uint32_t n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

static bool can_share(const struct kit *k, enum kit_shared_op op, const struct var *v)
{
	bool is_keyed = v->key && v->map != k->prog->data && v->map != k->prog->percpu;
	if (!is_keyed || v->wrap || v->map->key_size > KEY_MAX || v->value->kind == TYPE_TSERIES)
		return false;
	if (v->has_seq && v->map->value_size > KIT_SLOT_MAX)
		return false; /* needs scratch, which is the caller's */
	return op != SHARED_ADD || !k->on_error; /* one result only */
}

static void on_error(struct kit *k, enum runtime_error e, ir_ref code, struct loc loc, void *arg)
{
	struct sharing *s = arg;
	if (s->reports)
		ir_store(B(k), s->result, 0, 8, code);
	else
		kit_send_bare(k, ir_param(B(k), 2), code);
}

/*
 * The key's address: a word is put where helpers can read it.  An address may be NULL as far as the verifier knows, and 6.1 takes no key from
 * memory of which only the size is known: it is copied.
 */
static ir_ref key_address(struct kit *k, const struct var *v, uint32_t out)
{
	if (!k->b.fn->param0_bytes) {
		ir_ref at = kit_slot(k, 8);
		ir_store(B(k), at, 0, v->map->key_size, ir_param(B(k), 0));
		return at;
	}
	uint32_t there = ir_block_new(B(k), "key");
	ir_br(B(k), ir_bin(B(k), IR_NE, ir_param(B(k), 0), C(k, 0)), there, out);
	ir_at(B(k), there);
	ir_ref at = kit_slot(k, v->map->key_size);
	kit_copy(k, at, ir_param(B(k), 0), v->map->key_size);
	return at;
}

static void body(struct kit *k, struct sharing *s)
{
	struct kit_frame *f = k->frame;
	ir_at(B(k), f->slots_block);
	s->result = kit_slot(k, 8);
	f->body_block = ir_block_new(B(k), "body");
	f->exit_block = ir_block_new(B(k), "exit");
	ir_at(B(k), f->body_block);
	ir_store(B(k), s->result, 0, 8, C(k, 0));
	ir_ref key = key_address(k, s->v, f->exit_block), n = ir_param(B(k), 1);
	switch (s->op) {
	case SHARED_SET: kit_var_set_here(k, s->v, key, n, k->b.loc); break;
	case SHARED_ADD:
		ir_store(B(k), s->result, 0, 8, kit_var_add_here(k, s->v, key, n, k->b.loc));
		break;
	case SHARED_AGG: kit_agg_update_here(k, s->v, key, n, k->b.loc); break;
	case SHARED_OPS: break;
	}
	ir_jmp(B(k), f->exit_block);
	ir_at(B(k), f->exit_block);
	ir_ret(B(k), ir_load(B(k), s->result, 0, 8, false));
	ir_at(B(k), f->slots_block);
	ir_jmp(B(k), f->body_block);
	if (f->scratch_started)
		BUG("%s: scratch in a shared function", f->fn->name);
	ir_cfg(f->fn);
}

static struct ir_fn *make(struct kit *k, struct sharing *s, struct loc loc)
{
	static const char *const name[SHARED_OPS] = {"set", "add", "update"};
	struct kit inner = *k;
	struct kit_frame *f = arena_new(k->prog->arena, struct kit_frame);
	f->root = f;
	f->slots_block = 1;
	f->fn = ir_fn_new(k->prog, arena_printf(k->prog->arena, "%s.%s", name[s->op], s->v->name), IR_GLOBAL, 3);
	f->fn->param0_bytes = is_word(s->v->map->key_size) ? 0 : s->v->map->key_size;
	inner.frame = f;
	inner.b = (struct ir_builder){.fn = f->fn, .loc = loc};
	inner.on_error = on_error;
	inner.on_error_arg = s;
	body(&inner, s);
	return f->fn;
}

bool kit_shared(struct kit *k, enum kit_shared_op op, struct var *v, ir_ref key, ir_ref n, struct loc loc, ir_ref *ret)
{
	if (!can_share(k, op, v))
		return false;
	if (!v->shared)
		v->shared = arena_new(k->prog->arena, struct kit_shared);
	struct kit_shared *sh = v->shared;
	if (++sh->uses[op] < (k->prog->writes_in_line < IN_LINE ? SHARE_FROM : SHARE_LATER)) {
		k->prog->writes_in_line++;
		return false;
	}
	struct action *act = k->on_error ? NULL : kit_bare_action(k, ACT_RUNTIME_ERROR, true, loc);
	if (act)
		act->number = RT_MAP_FULL;
	if (!sh->fn[op]) {
		struct sharing s = {.op = op, .v = v, .reports = k->on_error};
		sh->fn[op] = make(k, &s, loc);
	}
	if (!sh->fn[op]->param0_bytes)
		key = ir_load(B(k), key, 0, v->map->key_size, false);
	*ret = ir_call(B(k), sh->fn[op], key, n ? n : C(k, 0), C(k, act ? act->id : 0));
	if (k->on_error) {
		uint32_t end = kit_if_unlikely(k, *ret);
		k->on_error(k, RT_MAP_FULL, *ret, loc, k->on_error_arg);
		kit_endif(k, end);
	}
	return true;
}
