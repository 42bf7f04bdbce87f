/*
 * kit_str.c - strings: buffers of a fixed capacity, NUL-terminated unless full, zero-padded to the
 * end.
 *
 * The padding makes comparison and map keys a matter of words; it costs one zeroing when a string
 * is made.
 */
#include "lang/kit_internal.h"

enum {
	INLINE_EQ = 64 /* bytes compared without a call */
};

ir_ref kit_length(struct kit *k, ir_ref ret, uint32_t cap)
{
	ir_ref len = kit_slot(k, 8);
	ir_ref sign = ir_bini(B(k), IR_ASHR, ret, 63);
	ir_store(B(k), len, 0, 8, ir_bin(B(k), IR_AND, ret, ir_un(B(k), IR_NOT, sign)));
	ir_ref large = ir_bin(B(k), IR_ULT, C(k, cap), ir_load(B(k), len, 0, 8, false));
	uint32_t end = kit_if_unlikely(k, large);
	ir_store(B(k), len, 0, 8, C(k, cap));
	kit_endif(k, end);
	return ir_load(B(k), len, 0, 8, false);
}

ir_ref kit_str_read(struct kit *k, ir_ref dst, uint32_t cap, ir_ref addr, ir_ref limit,
		    enum addr_space as, struct loc loc)
{
	as = kit_as(k, as);
	int id = as == AS_USER ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str;
	kit_zero(k, dst, cap);
	ir_ref n = C(k, cap);
	if (limit)
		n = ir_select(B(k), ir_bini(B(k), IR_ULE, limit, cap), limit, n);
	ir_ref ret = H(k, id, dst, n, addr);
	kit_check_helper(k, ret, id, loc);
	return kit_length(k, ret, cap);
}

ir_ref kit_str_literal(struct kit *k, const char *s, uint32_t len, uint32_t cap)
{
	cap = ALIGN_UP(MAX(cap, 1u), 8u);
	char *padded = xcalloc(1, cap);
	memcpy(padded, s, MIN(len, cap));
	uint32_t at = program_rodata(k->prog, padded, cap, 8);
	base_free(padded);
	return ir_mapval(B(k), k->prog->rodata, at);
}

void kit_str_copy(struct kit *k, ir_ref dst, uint32_t dst_cap, ir_ref src, uint32_t src_cap)
{
	uint32_t n = MIN(dst_cap, src_cap);
	kit_copy(k, dst, src, n);
	if (dst_cap > n)
		kit_zero(k, ir_bini(B(k), IR_ADD, dst, n), dst_cap - n);
}

/* What the constants that were added to an address leave of 8: a string in a tuple may lie at any byte, and the stack is
 * only read at aligned places. */
static unsigned alignment(const struct kit *k, ir_ref p)
{
	const struct ir_fn *fn = k->b.fn;
	int64_t off = 0, c;
	for (const struct ir_insn *i = fn->insn.at + p; i->op == IR_ADD && ir_is_const(fn, i->arg[1], &c);
	     i = fn->insn.at + i->arg[0])
		off += c;
	return off & 7 ? 1u << __builtin_ctzll((uint64_t)off) : 8;
}

/* Differences of n bytes or-ed together, in words of at most `widest`: 0 when equal. */
static ir_ref difference(struct kit *k, ir_ref a, ir_ref b, uint32_t n, unsigned widest)
{
	ir_ref diff = 0;
	for (uint32_t at = 0; at < n;) {
		unsigned w = widest;
		while (w > n - at)
			w /= 2;
		ir_ref x = ir_bin(B(k), IR_XOR, ir_load(B(k), a, at, w, false),
				  ir_load(B(k), b, at, w, false));
		diff = diff ? ir_bin(B(k), IR_OR, diff, x) : x;
		at += w;
	}
	return diff ? diff : C(k, 0);
}

ir_ref kit_mem_eq(struct kit *k, ir_ref a, ir_ref b, uint32_t n)
{
	unsigned align = MIN(alignment(k, a), alignment(k, b));
	if (n <= INLINE_EQ / 8 * align)
		return ir_bin(B(k), IR_EQ, difference(k, a, b, n, align), C(k, 0));
	if (align < 8)
		return ir_bin(B(k), IR_EQ, ir_rt(B(k), "rt_mem_cmp", a, b, C(k, n)), C(k, 0));
	ir_ref same = ir_rt(B(k), "rt_mem_eq", a, b, C(k, n / 8));
	if (n % 8) {
		ir_ref ta = ir_bini(B(k), IR_ADD, a, n & ~7u),
		       tb = ir_bini(B(k), IR_ADD, b, n & ~7u);
		ir_ref tail = ir_bin(B(k), IR_EQ, difference(k, ta, tb, n % 8, 8), C(k, 0));
		same = ir_bin(B(k), IR_AND, same, tail);
	}
	return same;
}

ir_ref kit_str_eq(struct kit *k, ir_ref a, uint32_t acap, ir_ref b, uint32_t bcap)
{
	uint32_t n = MIN(acap, bcap);
	return kit_mem_eq(k, a, b, n);
}

ir_ref kit_str_cmp(struct kit *k, ir_ref a, uint32_t acap, ir_ref b, uint32_t bcap)
{
	return ir_rt(B(k), "rt_mem_cmp", a, b, C(k, MIN(acap, bcap)));
}

ir_ref kit_str_ncmp(struct kit *k, ir_ref a, uint32_t acap, ir_ref b, uint32_t bcap, ir_ref n)
{
	uint32_t cap = MIN(acap, bcap);
	ir_ref fits = ir_bini(B(k), IR_ULE, n, cap);
	return ir_rt(B(k), "rt_mem_cmp", a, b, ir_select(B(k), fits, n, C(k, cap)));
}

ir_ref kit_str_len(struct kit *k, ir_ref a, uint32_t cap)
{
	return ir_rt(B(k), "rt_str_len", a, C(k, cap));
}

struct find {
	struct kit_local *hay, *needle, *found;
	uint32_t hay_cap, needle_cap;
};

/* One place of the haystack: the needle starts here, or the text ends here, or go on. */
static void find_at(struct kit *k, ir_ref i, void *arg)
{
	struct find *f = arg;
	ir_ref hay = ir_load(B(k), kit_local_addr(k, f->hay), 0, 8, false);
	ir_ref needle = ir_load(B(k), kit_local_addr(k, f->needle), 0, 8, false);
	ir_ref is = ir_rt(B(k), "rt_str_at", hay, C(k, f->hay_cap), needle, C(k, f->needle_cap), i);
	uint32_t end = kit_if(k, is);
	ir_store(B(k), kit_local_addr(k, f->found), 0, 8, i);
	kit_break(k);
	kit_endif(k, end);
}

ir_ref kit_str_find(struct kit *k, ir_ref a, uint32_t acap, ir_ref needle, uint32_t ncap)
{
	struct find f = {kit_local(k, 8), kit_local(k, 8), kit_local(k, 8), acap, ncap};
	f.hay->is_address = f.needle->is_address = true;
	ir_store(B(k), kit_local_addr(k, f.hay), 0, 8, a);
	ir_store(B(k), kit_local_addr(k, f.needle), 0, 8, needle);
	ir_store(B(k), kit_local_addr(k, f.found), 0, 8, C(k, -1));
	ir_ref len = kit_str_len(k, a, acap);
	kit_loop_range(k, C(k, 0), ir_bini(B(k), IR_ADD, len, 1), find_at, &f);
	return ir_load(B(k), kit_local_addr(k, f.found), 0, 8, false);
}

/*
 * a goes into a temporary of acap + bcap bytes, b behind it at a place that the verifier knows to
 * be at most acap, and the first dcap bytes are the result.
 */
void kit_str_concat(struct kit *k, ir_ref dst, uint32_t dcap, ir_ref a, uint32_t acap, ir_ref b,
		    uint32_t bcap)
{
	uint32_t room = acap + bcap;
	ir_ref tmp = kit_mem_zero(k, ALIGN_UP(room, 8u));
	ir_ref la = H(k, BPF_FUNC_probe_read_kernel_str, tmp, C(k, acap), a);
	/* one less than the bytes with their NUL; nothing read counts as an empty string */
	la = kit_length(k, ir_bini(B(k), IR_SUB, la, 1), acap);
	ir_ref end = ir_bin(B(k), IR_ADD, tmp, la);
	H(k, BPF_FUNC_probe_read_kernel_str, end, C(k, bcap), b);
	kit_str_copy(k, dst, dcap, tmp, room);
	ir_store(B(k), dst, dcap - 1, 1, C(k, 0));
}
