/* lower_flow.c - jumps out of loops, errors, try, loops. */
#include "bpf/user_helpers.h"
#include "lang/stp/lower.h"

enum {
	MAX_KERNEL_ROUNDS = 10000,  /* SystemTap's own limit on statements */
	MAX_USER_ROUNDS = 10000000, /* user space may take longer, but must end */
	BPF_MAX_LOOPS = 1 << 23,
};

uint32_t stp_if(struct stp_lower *l, ir_ref cond)
{
	uint32_t then = ir_block_new(LB(l), "then"), end = ir_block_new(LB(l), "endif");
	ir_br(LB(l), cond, then, end);
	ir_at(LB(l), then);
	return end;
}

void stp_endif(struct stp_lower *l, uint32_t end)
{
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), end);
	ir_at(LB(l), end);
}

static void dead_end(struct stp_lower *l)
{
	ir_at(LB(l), ir_block_new(LB(l), "unreached"));
}

/* --- exits --------------------------------------------------------------------------------------------------- */

struct stp_exit *stp_exit_new(struct stp_lower *l, const char *name)
{
	struct stp_exit *x = arena_new(l->c->a, struct stp_exit);
	*x = (struct stp_exit){.id = ++l->next_id, .depth = l->depth, .block = ir_block_new(LB(l), name), .outer = l->exits};
	l->exits = x;
	return x;
}

void stp_exit_here(struct stp_lower *l, struct stp_exit *x)
{
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), x->block);
	ir_at(LB(l), x->block);
	l->exits = x->outer;
}

void stp_jump(struct stp_lower *l, struct stp_exit *x)
{
	if (x->depth == l->depth) {
		ir_jmp(LB(l), x->block);
		dead_end(l);
		return;
	}
	x->used = true;
	ir_store(LB(l), kit_local_addr(&l->kit, l->pending), 0, 8, stp_c(l, x->id));
	kit_break(&l->kit);
}

/* After a callback loop: goes on with a jump that began inside. */
static void finish_jumps(struct stp_lower *l)
{
	bool outer = false;
	for (struct stp_exit *x = l->exits; x; x = x->outer) {
		if (!x->used)
			continue;
		if (x->depth != l->depth) {
			outer = true;
			continue;
		}
		ir_ref at = kit_local_addr(&l->kit, l->pending);
		ir_ref mine = ir_bini(LB(l), IR_EQ, ir_load(LB(l), at, 0, 8, false), x->id);
		uint32_t end = stp_if(l, mine);
		ir_store(LB(l), kit_local_addr(&l->kit, l->pending), 0, 8, stp_c(l, 0));
		ir_jmp(LB(l), x->block);
		stp_endif(l, end);
	}
	if (!outer)
		return;
	uint32_t end = stp_if(l, ir_load(LB(l), kit_local_addr(&l->kit, l->pending), 0, 8, false));
	kit_break(&l->kit);
	stp_endif(l, end);
}

/* Before a callback loop in which jumps may begin. */
static void want_pending(struct stp_lower *l)
{
	if (!l->pending && l->exits)
		l->pending = kit_local_of_handler(&l->kit);
}

/* --- errors ---------------------------------------------------------------------------------------------------- */

static void add_place(struct stp_lower *l, struct loc loc, struct buf *b)
{
	stp_tok_describe(loc, b);
	struct line_col at = source_walk(&l->c->line, loc.src, loc.begin);
	buf_printf(b, " at %s:%u:%u", loc.src->name, at.line, at.col);
}

/*
 * A format and " near operator '/' at FILE:LINE:COLUMN", the calls that led there, and the probe (handler-error.h of SystemTap's
 * runtime).  % are doubled.
 */
const char *stp_near_text(struct stp_lower *l, const char *fmt, struct loc loc)
{
	struct buf b = {0}, plain = {0};
	buf_puts(&b, fmt);
	if (loc.src) {
		buf_puts(&plain, " near ");
		add_place(l, loc, &plain);
	}
	for (const struct stp_inline *call = l->call; call; call = call->outer) {
		if (!call->loc.src)
			continue;
		buf_puts(&plain, " (called from ");
		add_place(l, call->loc, &plain);
		buf_putc(&plain, ')');
	}
	buf_printf(&plain, " in probe %s", l->dp->name);
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.data[i] == '%')
			buf_putc(&b, '%');
		buf_putc(&b, plain.data[i]);
	}
	const char *s = arena_strdup(l->c->a, buf_str(&b));
	buf_free(&b);
	buf_free(&plain);
	return s;
}

/* Counts an error: was it one more than is allowed? */
static ir_ref is_one_too_many(struct stp_lower *l)
{
	struct program *p = l->c->prog;
	if (!l->c->errors_offset)
		l->c->errors_offset = program_data(p, 8, 8);
	ir_ref before = ir_atomic(LB(l), IR_ATOMIC_FADD, ir_mapval(LB(l), p->data, l->c->errors_offset), 0, 8, stp_c(l, 1), 0);
	return ir_bini(LB(l), IR_EQ, before, l->c->max_errors);
}

/* The first error past those that are allowed stops the session: no handler begins any more. */
void stp_stop_session(struct stp_lower *l)
{
	struct program *p = l->c->prog;
	bool counts = l->c->max_errors > 0;
	uint32_t end = counts ? stp_if(l, is_one_too_many(l)) : 0;
	ir_store(LB(l), ir_mapval(LB(l), p->data, program_exit_word(p, true)), 0, 8, stp_c(l, 1));
	if (counts)
		stp_endif(l, end);
}

/* All plain messages of a handler are sent in one place; a variable says which. */
static void fail_plain(struct stp_lower *l, struct loc loc, const char *fmt)
{
	if (!l->failed) {
		l->failed = stp_number(l);
		l->fail_block = ir_block_new(LB(l), "failed");
		l->kit.b.fn->block.at[l->fail_block].unlikely = true;
	}
	struct action *act = kit_bare_action(&l->kit, ACT_STP_ERROR, false, loc);
	act->fmt = fmt;
	ir_store(LB(l), kit_local_addr(&l->kit, l->failed), 0, 8, stp_c(l, act->id));
	ir_jmp(LB(l), l->fail_block);
	dead_end(l);
}

void stp_lower_failed(struct stp_lower *l)
{
	if (!l->failed)
		return;
	uint32_t here = l->kit.b.block;
	ir_at(LB(l), l->fail_block);
	kit_send_bare(&l->kit, ir_load(LB(l), kit_local_addr(&l->kit, l->failed), 0, 8, false), 0);
	stp_stop_session(l);
	kit_return(&l->kit, 0);
	ir_at(LB(l), here);
}

static void fail(struct stp_lower *l, struct loc loc, const char *fmt, const struct stp_value *arg, unsigned n)
{
	if (!n && !l->depth) {
		fail_plain(l, loc, fmt);
		return;
	}
	stp_send_text(l, ACT_STP_ERROR, fmt, arg, n, loc);
	stp_stop_session(l);
	kit_return(&l->kit, 0);
}

static void catch_it(struct stp_lower *l, struct stp_value msg)
{
	struct stp_try *t = l->try;
	struct stp_inline *call = l->call;
	if (t->var)
		stp_store_var(l, t->var, msg, t->var->loc);
	l->call = call;
	stp_jump(l, t->exit);
}

void stp_raise(struct stp_lower *l, struct loc loc, const char *msg)
{
	if (l->try)
		catch_it(l, l->try->var ? stp_literal(l, msg) : stp_none());
	else if (l->sub)
		stp_leave_sub(l, loc, stp_literal(l, msg));
	else
		fail(l, loc, stp_near_text(l, msg, loc), NULL, 0);
}

void stp_raise_value(struct stp_lower *l, struct loc loc, struct stp_value msg)
{
	if (l->try)
		catch_it(l, msg);
	else if (l->sub)
		stp_leave_sub(l, loc, msg);
	else
		fail(l, loc, stp_near_text(l, "%s", loc), &msg, 1);
}

void stp_raise_if(struct stp_lower *l, ir_ref cond, struct loc loc, const char *msg)
{
	uint32_t end = stp_if(l, cond);
	l->kit.b.fn->block.at[l->kit.b.block].unlikely = true;
	stp_raise(l, loc, msg);
	stp_endif(l, end);
}

void stp_lower_try(struct stp_lower *l, struct stp_stmt *s)
{
	struct stp_exit *done = stp_exit_new(l, "tried");
	struct stp_exit *caught = stp_exit_new(l, "catch");
	struct stp_try t = {.var = s->catch_var, .exit = caught, .call = l->call, .outer = l->try};
	l->try = &t;
	stp_lower_block(l, s->body);
	l->try = t.outer;
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), done->block);
	ir_at(LB(l), caught->block);
	l->exits = caught->outer;
	stp_lower_block(l, s->other);
	stp_exit_here(l, done);
}

/* --- for and while ----------------------------------------------------------------------------------------------- */

/* Counts rounds in user space; a loop that does not end is an error that try cannot catch. */
static void count_round(struct stp_lower *l, struct loc loc)
{
	ir_ref at = kit_local_addr(&l->kit, l->actions);
	ir_ref n = ir_bini(LB(l), IR_ADD, ir_load(LB(l), at, 0, 8, false), 1);
	ir_store(LB(l), at, 0, 8, n);
	struct stp_try *try = l->try;
	l->try = NULL;
	stp_raise_if(l, ir_bin(LB(l), IR_ULT, stp_c(l, l->c->max_action ? l->c->max_action : MAX_USER_ROUNDS), n), loc, "MAXACTION exceeded");
	l->try = try;
}

static void enter_loop(struct stp_lower *l, struct stp_loop *loop)
{
	loop->outer = l->loop;
	l->loop = loop;
}

static void plain_for(struct stp_lower *l, struct stp_stmt *s)
{
	uint32_t head = ir_block_new(LB(l), "for"), body = ir_block_new(LB(l), "round"),
		 step = ir_block_new(LB(l), "step"), end = ir_block_new(LB(l), "done");
	struct stp_loop loop = {.plain = true, .on_break = end, .on_continue = step};
	ir_jmp(LB(l), head);
	ir_at(LB(l), head);
	count_round(l, s->loc);
	ir_br(LB(l), s->expr ? stp_lower_cond(l, s->expr) : stp_c(l, 1), body, end);
	ir_at(LB(l), body);
	enter_loop(l, &loop);
	stp_lower_block(l, s->body);
	l->loop = loop.outer;
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), step);
	ir_at(LB(l), step);
	if (s->step)
		stp_lower_expr(l, s->step);
	ir_jmp(LB(l), head);
	ir_at(LB(l), end);
}

struct for_arg {
	struct stp_lower *l;
	struct stp_stmt *s;
	struct kit_local *ended; /* set when the condition became false */
};

static ir_ref for_cond(struct kit *k, void *arg)
{
	struct for_arg *f = arg;
	struct stp_lower *l = f->l;
	ir_ref go = f->s->expr ? stp_lower_cond(l, f->s->expr) : stp_c(l, 1);
	ir_store(LB(l), kit_local_addr(k, f->ended), 0, 8, ir_bini(LB(l), IR_XOR, go, 1));
	return go;
}

static void for_body(struct kit *k, void *arg)
{
	struct for_arg *f = arg;
	stp_lower_block(f->l, f->s->body);
}

static void for_step(struct kit *k, void *arg)
{
	struct for_arg *f = arg;
	if (f->s->step)
		stp_lower_expr(f->l, f->s->step);
}

/* -DMAXACTION=N */
static uint32_t kernel_rounds(const struct stp_lower *l)
{
	return l->c->max_action ? (uint32_t)MIN(l->c->max_action, (int64_t)BPF_MAX_LOOPS) : MAX_KERNEL_ROUNDS;
}

static void callback_for(struct stp_lower *l, struct stp_stmt *s)
{
	want_pending(l);
	struct for_arg f = {l, s, stp_number(l)};
	struct stp_loop loop = {.ended = f.ended};
	enter_loop(l, &loop);
	l->depth++;
	ir_store(LB(l), kit_local_addr(&l->kit, f.ended), 0, 8, stp_c(l, 0));
	kit_loop_while(&l->kit, for_cond, for_body, for_step, &f, kernel_rounds(l));
	l->depth--;
	l->loop = loop.outer;
	finish_jumps(l);
	/* bpf_loop gave up: neither the condition nor a break ended it */
	ir_ref over = ir_bini(LB(l), IR_EQ, ir_load(LB(l), kit_local_addr(&l->kit, f.ended), 0, 8, false), 0);
	struct stp_try *try = l->try;
	l->try = NULL;
	stp_raise_if(l, over, s->loc, "MAXACTION exceeded");
	l->try = try;
}

void stp_lower_for(struct stp_lower *l, struct stp_stmt *s)
{
	if (s->init)
		stp_lower_expr(l, s->init);
	if (l->user)
		plain_for(l, s);
	else
		callback_for(l, s);
}

void stp_break(struct stp_lower *l)
{
	if (l->loop && l->loop->plain) {
		ir_jmp(LB(l), l->loop->on_break);
		dead_end(l);
	} else {
		if (l->loop && l->loop->ended)
			ir_store(LB(l), kit_local_addr(&l->kit, l->loop->ended), 0, 8, stp_c(l, 1));
		kit_break(&l->kit);
	}
}

void stp_continue(struct stp_lower *l)
{
	if (l->loop && l->loop->plain) {
		ir_jmp(LB(l), l->loop->on_continue);
		dead_end(l);
	} else {
		kit_continue(&l->kit);
	}
}

/* --- foreach ------------------------------------------------------------------------------------------------------ */

/* Copies the keys and the value of a row into the loop's variables. */
static void unpack_row(struct stp_lower *l, struct stp_stmt *s, ir_ref key, ir_ref value)
{
	struct stp_global *g = s->expr->global;
	for (unsigned i = 0; i < s->nkey; i++) {
		uint32_t off = s->nkey > 1 ? g->var->key->field[i].offset : 0;
		ir_ref at = ir_bini(LB(l), IR_ADD, key, off);
		struct stp_value v = g->key[i].type == ST_LONG ? stp_long(ir_load(LB(l), at, 0, 8, false))
							       : stp_string(at, g->key[i].cap);
		stp_store_var(l, s->key[i], v, s->key[i]->loc);
	}
	if (!s->value)
		return;
	stp_store_var(l, s->value, g->cell.type == ST_LONG ? stp_long(ir_load(LB(l), value, 0, 8, false)) : stp_string(value, g->cell.cap),
		      s->value->loc);
}

/* The values of a slice are computed once, before the loop. */
static void prepare_slice(struct stp_lower *l, struct stp_stmt *s, struct kit_local *want[])
{
	for (unsigned i = 0; i < s->nslice; i++) {
		want[i] = NULL;
		if (!s->slice[i])
			continue;
		struct stp_value v = stp_lower_expr(l, s->slice[i]);
		bool string = s->expr->global->key[i].type == ST_STRING;
		want[i] = stp_variable(l, &s->expr->global->key[i]);
		ir_ref at = kit_local_addr(&l->kit, want[i]);
		if (string)
			kit_str_copy(&l->kit, at, s->expr->global->key[i].cap, v.v, v.cap);
		else
			ir_store(LB(l), at, 0, 8, v.v);
	}
}

/* Rows that a slice leaves out are passed over; they count for the limit all the same. */
static void check_slice(struct stp_lower *l, struct stp_stmt *s, struct kit_local *const want[])
{
	for (unsigned i = 0; i < s->nslice; i++) {
		if (!s->slice[i])
			continue;
		struct stp_value got = stp_load_var(l, s->key[i]);
		ir_ref at = kit_local_addr(&l->kit, want[i]);
		ir_ref same = got.type == ST_LONG ? ir_bin(LB(l), IR_EQ, got.v, ir_load(LB(l), at, 0, 8, false))
						  : kit_str_eq(&l->kit, got.v, got.cap, at, s->expr->global->key[i].cap);
		uint32_t end = stp_if(l, ir_bini(LB(l), IR_XOR, same, 1));
		stp_continue(l);
		stp_endif(l, end);
	}
}

static uint64_t sort_of(const struct stp_stmt *s)
{
	static const struct {
		const char *op;
		unsigned bit;
	} stats[] = {{"@count", STAT_COUNT}, {"@sum", STAT_SUM}, {"@min", STAT_MIN}, {"@max", STAT_MAX},
		     {"@avg", STAT_AVG}, {"@variance", STAT_COUNT}};
	if (!s->sort)
		return UH_SORT(UH_BY_NONE, 0, 0);
	bool down = s->sort < 0;
	if (s->sort_key)
		return UH_SORT(UH_BY_KEY, s->sort_key - 1, down);
	unsigned which = 0;
	for (size_t i = 0; i < ARRAY_SIZE(stats); i++)
		if (s->sort_stat && str_eq(stats[i].op, s->sort_stat))
			which = stats[i].bit;
	return UH_SORT(UH_BY_VALUE, which, down);
}

/* With a limit below 1 there are no rounds; 0 means "all" to the helper. */
static ir_ref limit_of(struct stp_lower *l, struct stp_stmt *s, uint32_t end)
{
	if (!s->limit)
		return stp_c(l, 0);
	ir_ref n = stp_lower_long(l, s->limit);
	uint32_t some = ir_block_new(LB(l), "limit");
	ir_br(LB(l), ir_bin(LB(l), IR_SLT, stp_c(l, 0), n), some, end);
	ir_at(LB(l), some);
	return n;
}

static void plain_foreach(struct stp_lower *l, struct stp_stmt *s)
{
	struct var *v = s->expr->global->var;
	uint32_t ksize = type_mem_size(v->key), vsize = type_mem_size(v->value);
	uint32_t head = ir_block_new(LB(l), "foreach"), body = ir_block_new(LB(l), "row"), end = ir_block_new(LB(l), "rows");
	struct stp_loop loop = {.plain = true, .on_break = end, .on_continue = head};
	struct kit_local *handle = stp_number(l), *want[STP_MAXKEYS];
	prepare_slice(l, s, want);
	ir_ref limit = limit_of(l, s, end);
	ir_ref h = ir_helper(LB(l), UH_SNAPSHOT_OPEN, stp_c(l, v->id), stp_c(l, (int64_t)sort_of(s)), limit);
	ir_store(LB(l), kit_local_addr(&l->kit, handle), 0, 8, h);
	ir_ref key = kit_mem(&l->kit, ksize), value = s->value ? kit_mem(&l->kit, vsize) : stp_c(l, 0);
	ir_jmp(LB(l), head);
	ir_at(LB(l), head);
	count_round(l, s->loc);
	h = ir_load(LB(l), kit_local_addr(&l->kit, handle), 0, 8, false);
	ir_ref more = ir_helper(LB(l), UH_SNAPSHOT_NEXT, h, key, stp_c(l, ksize), value, stp_c(l, s->value ? vsize : 0));
	ir_br(LB(l), ir_bin(LB(l), IR_SLT, stp_c(l, 0), more), body, end);
	ir_at(LB(l), body);
	enter_loop(l, &loop);
	unpack_row(l, s, key, value);
	check_slice(l, s, want);
	stp_lower_block(l, s->body);
	l->loop = loop.outer;
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), head);
	ir_at(LB(l), end);
	ir_helper(LB(l), UH_SNAPSHOT_CLOSE, ir_load(LB(l), kit_local_addr(&l->kit, handle), 0, 8, false));
}

struct rows_arg {
	struct stp_lower *l;
	struct stp_stmt *s;
	struct kit_local *left; /* rounds until the limit */
	struct kit_local *want[STP_MAXKEYS]; /* slice */
};

static void rows_body(struct kit *k, ir_ref key, ir_ref value, void *arg)
{
	struct rows_arg *r = arg;
	struct stp_lower *l = r->l;
	if (r->left) {
		ir_ref at = kit_local_addr(k, r->left), n = ir_load(LB(l), at, 0, 8, false);
		uint32_t end = stp_if(l, ir_bin(LB(l), IR_SLT, n, stp_c(l, 1)));
		kit_break(k);
		stp_endif(l, end);
		ir_store(LB(l), kit_local_addr(k, r->left), 0, 8, ir_bini(LB(l), IR_SUB, n, 1));
	}
	unpack_row(l, r->s, key, value);
	check_slice(l, r->s, r->want);
	stp_lower_block(l, r->s->body);
}

static void callback_foreach(struct stp_lower *l, struct stp_stmt *s)
{
	want_pending(l);
	struct rows_arg r = {.l = l, .s = s};
	struct stp_loop loop = {0};
	prepare_slice(l, s, r.want);
	if (s->limit) {
		r.left = stp_number(l);
		ir_ref n = stp_lower_long(l, s->limit);
		ir_store(LB(l), kit_local_addr(&l->kit, r.left), 0, 8, n);
	}
	enter_loop(l, &loop);
	l->depth++;
	kit_loop_var(&l->kit, s->expr->global->var, rows_body, &r);
	l->depth--;
	l->loop = loop.outer;
	finish_jumps(l);
}

/* --- foreach over the buckets of a histogram ----------------------------------------------------------------------- */

static void bucket_round(struct stp_lower *l, struct stp_stmt *s, ir_ref i)
{
	if (s->value) {
		ir_ref n = stp_hist_count(l, s->expr, i, s->loc);
		stp_store_var(l, s->value, stp_long(n), s->loc);
	}
	stp_store_var(l, s->key[0], stp_long(i), s->loc);
	stp_lower_block(l, s->body);
}

static void bucket_body(struct kit *k, ir_ref i, void *arg)
{
	struct rows_arg *r = arg;
	bucket_round(r->l, r->s, i);
}

static void plain_buckets(struct stp_lower *l, struct stp_stmt *s, uint32_t n)
{
	uint32_t head = ir_block_new(LB(l), "buckets"), body = ir_block_new(LB(l), "bucket"),
		 step = ir_block_new(LB(l), "step"), end = ir_block_new(LB(l), "done");
	struct stp_loop loop = {.plain = true, .on_break = end, .on_continue = step};
	struct kit_local *i = stp_number(l);
	ir_store(LB(l), kit_local_addr(&l->kit, i), 0, 8, stp_c(l, 0));
	ir_ref limit = s->limit ? stp_lower_long(l, s->limit) : stp_c(l, n);
	ir_jmp(LB(l), head);
	ir_at(LB(l), head);
	ir_ref at = ir_load(LB(l), kit_local_addr(&l->kit, i), 0, 8, false);
	ir_ref go = ir_bin(LB(l), IR_AND, ir_bini(LB(l), IR_SLT, at, n), ir_bin(LB(l), IR_SLT, at, limit));
	ir_br(LB(l), go, body, end);
	ir_at(LB(l), body);
	enter_loop(l, &loop);
	bucket_round(l, s, at);
	l->loop = loop.outer;
	if (!ir_terminated(LB(l)))
		ir_jmp(LB(l), step);
	ir_at(LB(l), step);
	at = ir_load(LB(l), kit_local_addr(&l->kit, i), 0, 8, false);
	ir_store(LB(l), kit_local_addr(&l->kit, i), 0, 8, ir_bini(LB(l), IR_ADD, at, 1));
	ir_jmp(LB(l), head);
	ir_at(LB(l), end);
}

static void lower_buckets(struct stp_lower *l, struct stp_stmt *s)
{
	uint32_t n = stp_hist_buckets(s->expr->kid[0]->global);
	if (l->user) {
		plain_buckets(l, s, n);
		return;
	}
	want_pending(l);
	struct rows_arg r = {.l = l, .s = s};
	struct stp_loop loop = {0};
	enter_loop(l, &loop);
	l->depth++;
	kit_loop_range(&l->kit, stp_c(l, 0), stp_c(l, n), bucket_body, &r);
	l->depth--;
	l->loop = loop.outer;
	finish_jumps(l);
}

void stp_lower_foreach(struct stp_lower *l, struct stp_stmt *s)
{
	if (s->expr->kind == SE_HIST)
		lower_buckets(l, s);
	else if (l->user)
		plain_foreach(l, s);
	else
		callback_foreach(l, s);
}
