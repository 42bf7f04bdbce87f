/*
 * known.c - what is known of values without running anything: which are numbers and of what size.
 *
 * The verifier lets nobody compute with addresses, and IR values have no types: a value is a number only
 * when its operation cannot yield an address.  Words of memory may be addresses on the stack (when one
 * may have been stored there), behind typed contexts, and wherever it is not known whose memory it is.
 */
#include <linux/bpf.h>

#include "ir/impl.h"
#include "ir/program.h"

static unsigned of_insn(const struct ir_known *k, const struct ir_insn *i);

/* Of newer instructions when it is asked for: passes stack only a few of them. */
static unsigned of(const struct ir_known *k, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(k->fn, r);
	if (r < k->len)
		return k->of[r];
	return i->op == IR_PHI || i->op == IR_SLOT ? 0 : of_insn(k, i);
}

bool ir_knows(const struct ir_known *k, ir_ref r, unsigned what)
{
	return (of(k, r) & what) == what;
}

static unsigned of_const(int64_t c)
{
	const int64_t half = (int64_t)1 << 62;
	return IR_NUMBER | (c >= 0 ? IR_NONNEG : 0) | (c > -half && c < half ? IR_HALF : 0) |
	       ((uint64_t)c <= 1 ? IR_BOOL : 0) | (c ? 0 : IR_PLAIN);
}

static unsigned of_width(unsigned width, bool is_signed)
{
	if (width >= 8)
		return 0;
	return IR_NUMBER | IR_HALF | (is_signed ? 0 : IR_NONNEG);
}

static unsigned of_helper(int64_t id)
{
	switch (id) {
	case BPF_FUNC_get_smp_processor_id: return IR_NUMBER | IR_NONNEG | IR_HALF;
	case BPF_FUNC_get_current_pid_tgid:
	case BPF_FUNC_get_current_uid_gid:
	case BPF_FUNC_get_current_task:
	case BPF_FUNC_get_current_cgroup_id:
	case BPF_FUNC_get_current_ancestor_cgroup_id:
	case BPF_FUNC_get_attach_cookie:
	case BPF_FUNC_get_func_ip:
	case BPF_FUNC_get_numa_node_id:
	case BPF_FUNC_get_prandom_u32:
	case BPF_FUNC_ktime_get_ns:
	case BPF_FUNC_ktime_get_boot_ns:
	case BPF_FUNC_ktime_get_coarse_ns:
	case BPF_FUNC_ktime_get_tai_ns:
	case BPF_FUNC_jiffies64:
	case BPF_FUNC_probe_read_kernel:
	case BPF_FUNC_probe_read_kernel_str:
	case BPF_FUNC_probe_read_user:
	case BPF_FUNC_probe_read_user_str:
	case BPF_FUNC_get_current_comm:
	case BPF_FUNC_map_update_elem:
	case BPF_FUNC_map_delete_elem:
	case BPF_FUNC_strncmp:
	case BPF_FUNC_get_stackid:
	case BPF_FUNC_send_signal: return IR_NUMBER;
	case BPF_FUNC_map_lookup_elem:
	case BPF_FUNC_map_lookup_percpu_elem:
	case BPF_FUNC_ringbuf_reserve: return IR_PLAIN;
	default: return 0;
	}
}

/* Whose words hold no addresses: the contexts of programs without types. */
static bool plain_context(const struct ir_fn *fn)
{
	vec_each(p, &fn->prog->probe)
		if ((*p)->fn == fn)
			return (*p)->kind <= PROG_RAW_TP || (*p)->kind == PROG_PERF_EVENT || (*p)->kind == PROG_USER;
	return true;
}

static unsigned of_param(const struct ir_fn *fn, const struct ir_insn *i)
{
	if (fn->kind == IR_ENTRY)
		return plain_context(fn) ? IR_PLAIN : 0;
	return fn->kind == IR_GLOBAL && (i->imm || !fn->param0_bytes) ? IR_NUMBER : 0;
}

static unsigned of_binary(const struct ir_known *k, const struct ir_insn *i)
{
	unsigned a = of(k, i->arg[0]), b = of(k, i->arg[1]);
	int64_t c;
	bool by_const = ir_is_const(k->fn, i->arg[1], &c);
	switch (i->op) {
	case IR_ADD:
	case IR_SUB: return (a & b & IR_NUMBER) | (a & IR_PLAIN);
	case IR_AND:
		if ((a & b & IR_HALF) || (a & (IR_HALF | IR_NONNEG)) == (IR_HALF | IR_NONNEG) ||
		    (b & (IR_HALF | IR_NONNEG)) == (IR_HALF | IR_NONNEG))
			return IR_NUMBER | IR_HALF | ((a | b) & (IR_NONNEG | IR_BOOL));
		return IR_NUMBER | ((a | b) & (IR_NONNEG | IR_BOOL));
	case IR_OR:
	case IR_XOR: return IR_NUMBER | (a & b & (IR_NONNEG | IR_BOOL | IR_HALF));
	case IR_LSHR:
		if (!by_const || !(c & 63))
			return IR_NUMBER;
		return IR_NUMBER | IR_NONNEG | ((c & 63) >= 32 ? IR_HALF : 0) | ((c & 63) == 63 ? IR_BOOL : 0);
	case IR_ASHR: return IR_NUMBER | (a & (IR_NONNEG | IR_HALF));
	case IR_UMOD: return IR_NUMBER | (by_const && c > 0 ? IR_NONNEG : a & IR_NONNEG);
	case IR_UDIV: return IR_NUMBER | (a & IR_NONNEG);
	default: return IR_NUMBER;
	}
}

static unsigned of_all(const struct ir_known *k, const struct ir_insn *i, uint32_t first)
{
	unsigned all = ~0u;
	for (uint32_t n = first; n < i->nargs; n++)
		all &= of(k, i->arg[n]);
	return all & ~IR_ADDRESS;
}

static unsigned of_insn(const struct ir_known *k, const struct ir_insn *i)
{
	if (ir_compares(i))
		return IR_NUMBER | IR_NONNEG | IR_HALF | IR_BOOL;
	switch (i->op) {
	case IR_CONST: return i->sym ? IR_NUMBER : of_const(i->imm);
	case IR_PARAM: return of_param(k->fn, i);
	case IR_MAPVAL: return IR_PLAIN;
	case IR_SLOT: return k->dirty[i - k->fn->insn.at] ? 0 : IR_PLAIN;
	case IR_LOAD: {
		unsigned from = of(k, i->arg[0]) & IR_PLAIN ? IR_NUMBER : 0;
		return i->width < 8 && !k->odd_context ? of_width(i->width, i->is_signed) : from;
	}
	case IR_ZEXT:
	case IR_SEXT: return of_width(i->width, i->op == IR_SEXT);
	case IR_BSWAP: return IR_NUMBER | of_width(i->width, false);
	case IR_OPAQUE: return of(k, i->arg[0]) & ~IR_ADDRESS;
	case IR_SELECT: return of_all(k, i, 1);
	case IR_PHI: return of_all(k, i, 0);
	case IR_HELPER: return of_helper(i->imm);
	case IR_ATOMIC_FADD:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_CMPXCHG:
	case IR_NEG:
	case IR_NOT: return IR_NUMBER;
	default: return i->nargs == 2 && ir_has(i, IR_PURE) ? of_binary(k, i) : 0;
	}
}

/* Phis that a way back leads to know nothing of it. */
static void sweep(struct ir_known *k, const uint32_t *order, uint32_t n)
{
	memset(k->of, 0, k->len);
	for (uint32_t b = 0; b < n; b++)
		IR_EACH(k->fn, order[b], r)
			k->of[r] = (uint8_t)of_insn(k, ir_at_ref(k->fn, r));
}

/* --- slots that may hold addresses ----------------------------------------------------------------------- */

static ir_ref slot_behind(const struct ir_fn *fn, ir_ref r)
{
	const struct ir_insn *i = ir_at_ref(fn, r);
	while (i->op == IR_ADD || i->op == IR_SUB) {
		r = i->arg[0];
		i = ir_at_ref(fn, r);
	}
	return i->op == IR_SLOT ? r : 0;
}

static bool has_callback(const struct ir_fn *fn, const struct ir_insn *i)
{
	for (uint32_t n = 0; n < i->nargs; n++)
		if (ir_at_ref(fn, i->arg[n])->op == IR_FNADDR)
			return true;
	return false;
}

/* May this use of a slot's address put an address into the slot? */
static bool soils(const struct ir_known *k, const struct ir_insn *i, uint32_t n)
{
	switch (i->op) {
	case IR_LOAD:
	case IR_ZERO:
	case IR_ADD:
	case IR_SUB: return false;
	case IR_STORE: return n == 1 || (i->width == 8 && !ir_knows(k, i->arg[1], IR_NUMBER));
	case IR_COPY: return n == 0 && !ir_knows(k, i->arg[1], IR_PLAIN);
	case IR_HELPER: return has_callback(k->fn, i);
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_FADD:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_CMPXCHG: return n != 0;
	default: return true;
	}
}

static void find_dirty(struct ir_known *k)
{
	for (ir_ref r = 1; r < k->len; r++) {
		const struct ir_insn *i = ir_at_ref(k->fn, r);
		for (uint32_t n = 0; n < i->nargs && !ir_is_removed(k->fn, r); n++) {
			ir_ref s = slot_behind(k->fn, i->arg[n]);
			if (s && soils(k, i, n))
				k->dirty[s] = true;
		}
	}
}

/* --- what becomes an address or an argument -------------------------------------------------------------- */

static bool is_address(const struct ir_insn *i, uint32_t n)
{
	if (ir_has(i, IR_CALLS) || i->op == IR_RET)
		return true;
	return n == 0 && (ir_has(i, IR_READS | IR_WRITES) || i->op == IR_OPAQUE);
}

static void find_addresses(struct ir_known *k)
{
	VEC(ir_ref) work = {0};
	for (ir_ref r = 1; r < k->len; r++) {
		const struct ir_insn *i = ir_at_ref(k->fn, r);
		for (uint32_t n = 0; n < i->nargs && !ir_is_removed(k->fn, r); n++)
			if (is_address(i, n) || (i->op == IR_COPY && n == 1))
				vec_push(&work, i->arg[n]);
	}
	while (work.len) {
		ir_ref r = vec_pop(&work);
		const struct ir_insn *i = ir_at_ref(k->fn, r);
		if (k->of[r] & IR_ADDRESS)
			continue;
		k->of[r] |= IR_ADDRESS;
		if (ir_compares(i) || !(i->op == IR_PHI || ir_has(i, IR_PURE)))
			continue;
		for (uint32_t n = i->op == IR_SELECT; n < i->nargs; n++)
			vec_push(&work, i->arg[n]);
	}
	vec_free(&work);
}

void ir_known_init(struct ir_known *k, const struct ir_fn *fn)
{
	uint32_t *order = xcalloc(fn->block.len, sizeof(*order));
	*k = (struct ir_known){.fn = fn, .len = fn->insn.len};
	k->of = xcalloc(k->len, sizeof(*k->of));
	k->dirty = xcalloc(k->len, sizeof(*k->dirty));
	vec_each(p, &fn->prog->probe)
		k->odd_context |= (*p)->fn == fn && (*p)->kind == PROG_XDP;
	uint32_t n = ir_rpo(fn, order);
	memset(k->dirty, true, k->len);
	sweep(k, order, n);
	memset(k->dirty, false, k->len);
	find_dirty(k);
	sweep(k, order, n);
	find_addresses(k);
	base_free(order);
}

void ir_known_free(struct ir_known *k)
{
	base_free(k->of);
	base_free(k->dirty);
}
