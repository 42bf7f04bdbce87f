/*
 * kit_entry.c - what a register held when the function was entered.
 *
 * Optimised code forgets parameters that it needs no more; the debug information then says "register di, as it was at the
 * entry".  A probe of our own at the entry keeps those registers, by thread and by the frame's address (the CFA), which is the
 * same at the entry and anywhere in the function: calls that are nested in each other stay apart.
 */
#include "lang/arch.h"
#include "lang/kit_internal.h"

enum { MAX_REGS = 16, CALLS_KEPT = 16384, KEY_BYTES = 16 };

struct kit_entry {
	const struct attach_point *point; /* the first that asked */
	uint64_t address;
	struct map *map;
	uint8_t reg[MAX_REGS]; /* DWARF numbers */
	unsigned nregs;
};

static struct kit_entry *entry_for(struct kit *k, uint64_t address)
{
	const struct attach_point *p = k->point;
	vec_each(it, &k->prog->entry)
		if ((*it)->address == address && str_eq((*it)->point->target, p->target) && (*it)->point->pid == p->pid)
			return *it;
	struct kit_entry *e = arena_new(k->prog->arena, struct kit_entry);
	e->point = p;
	e->address = address;
	const char *name = arena_printf(k->prog->arena, ".entry%zu", k->prog->entry.len);
	e->map = program_map(k->prog, name, MAP_LRU_HASH, KEY_BYTES, 8, CALLS_KEPT);
	vec_push(&k->prog->entry, e);
	return e;
}

static unsigned slot_of(struct kit_entry *e, uint8_t reg)
{
	unsigned i = 0;
	while (i < e->nregs && e->reg[i] != reg)
		i++;
	if (i == e->nregs && e->nregs < MAX_REGS)
		e->reg[e->nregs++] = reg;
	e->map->value_size = e->nregs * 8;
	return i;
}

static ir_ref make_key(struct kit *k, ir_ref cfa)
{
	ir_ref key = kit_mem(k, KEY_BYTES);
	ir_store(B(k), key, 0, 8, kit_pid_tgid(k));
	ir_store(B(k), key, 8, 8, cfa);
	return key;
}

ir_ref kit_entry_reg(struct kit *k, const struct dwarf_loc *l, unsigned reg, struct loc loc)
{
	struct kit_entry *e = entry_for(k, l->entry);
	unsigned slot = slot_of(e, (uint8_t)reg);
	struct kit_located cfa = kit_locate(k, l->cfa, 8, loc);
	ir_ref key = make_key(k, ir_load(B(k), cfa.addr, 0, 8, false));
	ir_ref value = H(k, BPF_FUNC_map_lookup_elem, ir_map(B(k), e->map), key);
	uint32_t go = ir_block_new(B(k), "entered"), miss = ir_block_new(B(k), "not_entered");
	k->b.fn->block.at[miss].unlikely = true;
	ir_br(B(k), value, go, miss);
	ir_at(B(k), miss);
	kit_runtime_error(k, RT_NO_ENTRY, loc);
	if (!ir_terminated(B(k)))
		kit_return(k, 0);
	ir_at(B(k), go);
	return ir_load(B(k), value, slot * 8, 8, false);
}

/* Where the call goes back to: at the entry of a function on top of the stack, at its return where it is. */
static ir_ref return_address(struct kit *k, struct loc loc)
{
	enum probe_kind kind = k->point->kind;
	if (kind == PK_URETPROBE || kind == PK_KRETPROBE)
		return kit_reg(k, arch_ip_reg());
	return kit_read_scalar(k, kit_reg(k, arch_sp_reg()), 0, 8, false, AS_NONE, loc);
}

void kit_check_caller(struct kit *k, struct loc loc)
{
	const struct attach_point *p = k->point;
	ir_ref linked = ir_bin(B(k), IR_SUB, return_address(k, loc), kit_load_bias(k));
	uint32_t go = ir_block_new(B(k), "called_by");
	for (uint32_t i = 0; i < p->nreturn_to; i++) {
		uint32_t next = ir_block_new(B(k), "other");
		ir_br(B(k), ir_bini(B(k), IR_EQ, linked, (int64_t)p->return_to[i]), go, next);
		ir_at(B(k), next);
	}
	kit_return(k, 0);
	ir_at(B(k), go);
}

static void keep_registers(struct kit *k, const struct kit_entry *e)
{
	ir_ref cfa = ir_bini(B(k), IR_ADD, kit_reg(k, arch_sp_reg()), arch_entry_cfa_offset());
	ir_ref key = make_key(k, cfa), value = kit_mem(k, e->nregs * 8);
	for (unsigned i = 0; i < e->nregs; i++)
		ir_store(B(k), value, i * 8, 8, kit_reg(k, arch_dwarf_reg(e->reg[i])));
	H(k, BPF_FUNC_map_update_elem, ir_map(B(k), e->map), key, value, C(k, 0));
}

static bool kernel_point_at(struct kit *k, const struct kit_entry *e, struct attach_point *ret)
{
	uint64_t bias;
	bool ok = kernel_bias(k->world, e->point->target, &bias);
	ret->kind = PK_KPROBE;
	ret->target = e->point->target;
	ret->address = e->address + bias;
	ret->entry = e->address;
	ret->is_entry = true;
	ret->name = arena_printf(k->prog->arena, "kprobe:0x%llx", (unsigned long long)ret->address);
	return ok;
}

static bool attach_point_at(struct kit *k, const struct kit_entry *e, struct attach_point *ret)
{
	if (e->point->kind == PK_KPROBE)
		return kernel_point_at(k, e, ret);
	struct elf_file *f;
	struct err *err = elf_open(k->world, e->point->target, &f);
	bool ok = !err && elf_offset_of(f, e->address, &ret->offset);
	err_free(err);
	ret->kind = PK_UPROBE;
	ret->target = e->point->target;
	ret->pid = e->point->pid;
	ret->address = ret->entry = e->address;
	ret->name = arena_printf(k->prog->arena, "uprobe:%s:0x%llx", ret->target, (unsigned long long)e->address);
	return ok;
}

void kit_finish_entries(struct kit *k)
{
	vec_each(it, &k->prog->entry) {
		struct kit_entry *e = *it;
		struct attach_point *p = arena_new(k->prog->arena, struct attach_point);
		if (!attach_point_at(k, e, p))
			continue;
		k->point = p;
		const char *name = arena_printf(k->prog->arena, "entry_%llx", (unsigned long long)e->address);
		struct ir_fn *fn = kit_begin(k, name, PROG_KPROBE, (struct loc){0});
		keep_registers(k, e);
		kit_end(k);
		struct probe *probe = program_probe(k->prog, p->name, fn, PROG_KPROBE);
		probe->points = arena_memdup(k->prog->arena, &p, sizeof(p));
		probe->npoints = 1;
		probe->is_hidden = true;
	}
	vec_free(&k->prog->entry);
}
