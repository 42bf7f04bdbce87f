/*
 * dce.c - values that nothing uses.
 *
 * What has an effect stays, and what it needs, and what that needs.  Loads and stable helpers have
 * no effect; an atomic whose old value is not used becomes the cheaper one that does not fetch it.
 */
#include "ir/impl.h"

static bool is_root(const struct ir_insn *i)
{
	if (i->op == IR_HELPER && ir_helper_is_stable(i->imm))
		return false;
	return ir_has(i, IR_TERM | IR_WRITES);
}

void ir_pass_dce(struct ir_fn *fn)
{
	bool *used = xcalloc(fn->insn.len, sizeof(*used));
	VEC(ir_ref) work = {0};
	for (ir_ref r = 1; r < fn->insn.len; r++)
		if (!ir_is_removed(fn, r) && is_root(ir_at_ref(fn, r)))
			vec_push(&work, r);
	while (work.len) {
		const struct ir_insn *i = ir_at_ref(fn, vec_pop(&work));
		for (uint32_t k = 0; k < i->nargs; k++) {
			ir_ref a = i->arg[k];
			if (used[a])
				continue;
			used[a] = true;
			if (!is_root(ir_at_ref(fn, a)))
				vec_push(&work, a);
		}
	}
	for (ir_ref r = 1; r < fn->insn.len; r++) {
		struct ir_insn *i = ir_at_ref(fn, r);
		if (ir_is_removed(fn, r) || used[r])
			continue;
		if (i->op == IR_ATOMIC_FADD)
			i->op = IR_ATOMIC_ADD;
		else if (!is_root(i))
			ir_remove(fn, r);
	}
	vec_free(&work);
	base_free(used);
}
