/*
 * kit_dwarf.c - a variable's location as IR.  The code of a location (debuginfo/dwarf.h) runs on a stack that exists only
 * here, at compile time: what comes out are loads, additions and reads of memory.
 */
#include "lang/arch.h"
#include "lang/kit_internal.h"

struct machine {
	struct kit *k;
	const struct dwarf_loc *whole;
	ir_ref stack[DWARF_MAX_STACK + 1];
	unsigned sp;
	struct {
		ir_ref taken, stack[DWARF_MAX_STACK + 1];
	} unless[DWARF_MAX_JOINS];
	unsigned nunless;
	struct loc loc;
};

/* Of the current process's program: mm->start_code is where its first segment with code is (load_elf_binary() in fs/binfmt_elf.c). */
static ir_ref program_bias(struct kit *k)
{
	struct type *t;
	if (!elf_is_pie(k->program))
		return C(k, 0);
	ir_ref start = kit_kernel_path(k, kit_curtask(k), "task_struct", "mm.start_code", &t);
	return ir_bini(B(k), IR_SUB, start, (int64_t)elf_code_start(k->program));
}

ir_ref kit_runs_program(struct kit *k, uint64_t inode)
{
	struct type *t;
	ir_ref ino = kit_kernel_path(k, kit_curtask(k), "task_struct", "mm.exe_file.f_inode.i_ino", &t);
	return ir_bini(B(k), IR_EQ, ino, (int64_t)inode);
}

ir_ref kit_load_bias(struct kit *k)
{
	const struct attach_point *p = k->point;
	uint64_t bias;
	if (k->program)
		return program_bias(k);
	if (p->kind == PK_KPROBE || p->kind == PK_KRETPROBE)
		return C(k, kernel_bias(k->world, p->target, &bias) ? (int64_t)bias : 0);
	if (!p->is_pie)
		return C(k, 0);
	ir_ref at = ir_bini(B(k), IR_SUB, kit_func_ip(k), (int64_t)p->entry);
	if (p->kind != PK_URETPROBE || k->world->features.uprobe_func_ip)
		return at;
	/* where it may be another function's address nothing is read, rather than something else */
	ir_ref off = ir_bini(B(k), IR_AND, at, 0xfff);
	return ir_select(B(k), ir_bini(B(k), IR_EQ, off, 0), at, C(k, 0));
}

/* Where a variable is that the file has at the address: globals, and in the kernel those of the CPU that the probe runs on. */
static ir_ref address_of(struct kit *k, uint64_t linked, struct loc loc)
{
	const struct attach_point *p = k->point;
	uint64_t at;
	bool in_kernel = p->kind == PK_KPROBE || p->kind == PK_KRETPROBE;
	const struct ksym *offsets = NULL;
	if (in_kernel && kernel_is_percpu(k->world, p->target, linked, &at))
		offsets = kallsyms_by_name(world_kallsyms(k->world), "__per_cpu_offset");
	if (!offsets)
		return ir_bini(B(k), IR_ADD, kit_load_bias(k), (int64_t)linked);
	ir_ref word = ir_bini(B(k), IR_ADD, ir_bini(B(k), IR_SHL, kit_cpu(k), 3), (int64_t)offsets->addr);
	return ir_bini(B(k), IR_ADD, kit_read_scalar(k, word, 0, 8, false, AS_KERNEL, loc), (int64_t)at);
}

static ir_ref thread_pointer(struct kit *k)
{
	struct type *t;
	return kit_kernel_path(k, kit_curtask(k), "task_struct", "thread.fsbase", &t);
}

static ir_ref reg(struct kit *k, int64_t n)
{
	const char *name = arch_dwarf_reg((unsigned)n);
	return name ? kit_reg(k, name) : C(k, 0);
}

static ir_ref pop(struct machine *m)
{
	if (!m->sp)
		BUG("a location with an empty stack");
	return m->stack[--m->sp];
}

static void push(struct machine *m, ir_ref v)
{
	if (m->sp >= DWARF_MAX_STACK)
		BUG("a location with a full stack");
	m->stack[m->sp++] = v;
}

static ir_ref absolute(struct machine *m, ir_ref v)
{
	ir_ref sign = ir_bini(B(m->k), IR_ASHR, v, 63);
	return ir_bin(B(m->k), IR_SUB, ir_bin(B(m->k), IR_XOR, v, sign), sign);
}

static void unless(struct machine *m)
{
	ir_ref condition = pop(m);
	if (m->nunless >= DWARF_MAX_JOINS)
		BUG("a location with too many branches");
	m->unless[m->nunless].taken = ir_bini(B(m->k), IR_NE, condition, 0);
	memcpy(m->unless[m->nunless++].stack, m->stack, sizeof(m->stack));
}

static void join(struct machine *m)
{
	if (!m->nunless)
		BUG("a location that joins nothing");
	m->nunless--;
	for (unsigned i = 0; i < m->sp; i++)
		if (m->stack[i] != m->unless[m->nunless].stack[i])
			m->stack[i] = ir_select(B(m->k), m->unless[m->nunless].taken, m->unless[m->nunless].stack[i], m->stack[i]);
}

static const uint8_t binary_ops[] = {
	[DWOP_ADD] = IR_ADD,   [DWOP_SUB] = IR_SUB,   [DWOP_MUL] = IR_MUL,   [DWOP_SDIV] = IR_SDIV,
	[DWOP_UDIV] = IR_UDIV, [DWOP_UMOD] = IR_UMOD, [DWOP_SMOD] = IR_SMOD, [DWOP_AND] = IR_AND,
	[DWOP_OR] = IR_OR,     [DWOP_XOR] = IR_XOR,   [DWOP_SHL] = IR_SHL,   [DWOP_LSHR] = IR_LSHR,
	[DWOP_ASHR] = IR_ASHR, [DWOP_EQ] = IR_EQ,     [DWOP_NE] = IR_NE,     [DWOP_SLT] = IR_SLT,
	[DWOP_SLE] = IR_SLE,   [DWOP_ULT] = IR_ULT,   [DWOP_ULE] = IR_ULE,
};

static void step(struct machine *m, const struct dwarf_insn *i)
{
	struct kit *k = m->k;
	if (i->op >= DWOP_ADD && i->op <= DWOP_ULE) {
		ir_ref y = pop(m), x = pop(m);
		push(m, ir_bin(B(k), binary_ops[i->op], x, y));
		return;
	}
	ir_ref a, b, c;
	switch ((enum dwarf_op)i->op) {
	case DWOP_CONST: push(m, C(k, i->arg)); break;
	case DWOP_ADDR: push(m, address_of(k, (uint64_t)i->arg, m->loc)); break;
	case DWOP_REG: push(m, reg(k, i->arg)); break;
	case DWOP_ENTRY_REG: push(m, kit_entry_reg(k, m->whole, (unsigned)i->arg, m->loc)); break;
	case DWOP_TLS: push(m, ir_bin(B(k), IR_ADD, thread_pointer(k), pop(m))); break;
	case DWOP_LOAD:
		push(m, kit_read_scalar(k, pop(m), 0, i->width, i->is_signed, AS_NONE, m->loc));
		break;
	case DWOP_EXT: push(m, ir_ext(B(k), pop(m), i->width, i->is_signed)); break;
	case DWOP_PICK:
		if ((uint64_t)i->arg >= m->sp)
			BUG("a location that picks from below its stack");
		push(m, m->stack[m->sp - 1 - (unsigned)i->arg]);
		break;
	case DWOP_DROP: pop(m); break;
	case DWOP_SWAP:
		a = pop(m), b = pop(m);
		push(m, a), push(m, b);
		break;
	case DWOP_ROT:
		a = pop(m), b = pop(m), c = pop(m);
		push(m, a), push(m, c), push(m, b);
		break;
	case DWOP_NEG: push(m, ir_un(B(k), IR_NEG, pop(m))); break;
	case DWOP_NOT: push(m, ir_un(B(k), IR_NOT, pop(m))); break;
	case DWOP_ABS: push(m, absolute(m, pop(m))); break;
	case DWOP_UNLESS: unless(m); break;
	case DWOP_JOIN: join(m); break;
	default: BUG("operation %u of a location", i->op);
	}
}

static ir_ref run(struct kit *k, const struct dwarf_loc *l, const struct dwarf_piece *p, struct loc loc)
{
	struct machine m = {.k = k, .whole = l, .loc = loc};
	for (uint32_t i = 0; i < p->count; i++)
		step(&m, &l->insn[p->first + i]);
	return pop(&m);
}

/* The low n bytes of v at dst + off. */
static void store_bytes(struct kit *k, ir_ref dst, uint32_t off, uint32_t n, ir_ref v)
{
	for (uint32_t at = 0, width = 8; at < n && at < 8; at += width) {
		while (width > n - at || (off + at) % width)
			width /= 2;
		ir_store(B(k), dst, off + at, width, at ? ir_bini(B(k), IR_LSHR, v, at * 8) : v);
	}
}

static void copy_constant(struct kit *k, ir_ref dst, uint32_t off, const struct dwarf_piece *p, uint32_t n)
{
	uint32_t at = program_rodata(k->prog, p->bytes, p->nbytes, 8);
	kit_copy(k, ir_bini(B(k), IR_ADD, dst, off), ir_mapval(B(k), k->prog->rodata, at), MIN(n, p->nbytes));
}

static void copy_piece(struct kit *k, const struct dwarf_loc *l, const struct dwarf_piece *p, ir_ref dst, uint32_t off,
		       uint32_t n, struct loc loc)
{
	switch (p->kind) {
	case DWP_MEMORY: kit_read(k, ir_bini(B(k), IR_ADD, dst, off), n, run(k, l, p, loc), AS_NONE, loc); break;
	case DWP_VALUE: store_bytes(k, dst, off, MIN(n, 8u), run(k, l, p, loc)); break;
	case DWP_BYTES: copy_constant(k, dst, off, p, n); break;
	case DWP_NONE: break;
	}
}

static ir_ref piece_bits(struct kit *k, const struct dwarf_loc *l, const struct dwarf_piece *p, struct loc loc)
{
	uint64_t v = 0;
	switch (p->kind) {
	case DWP_VALUE: return run(k, l, p, loc);
	case DWP_MEMORY: return kit_read_scalar(k, run(k, l, p, loc), 0, 8, false, AS_NONE, loc);
	case DWP_BYTES: memcpy(&v, p->bytes, MIN(p->nbytes, 8u)); return C(k, (int64_t)v);
	default: return C(k, 0);
	}
}

/* A word put together from bits of several places. */
static struct kit_located gather_bits(struct kit *k, const struct dwarf_loc *l, struct loc loc)
{
	ir_ref word = C(k, 0);
	unsigned at = 0;
	for (uint32_t i = 0; i < l->npiece; i++) {
		const struct dwarf_piece *p = &l->piece[i];
		unsigned n = p->bits ? p->bits : p->size * 8;
		if (at >= 64 || p->kind == DWP_NONE || !n) {
			at += n;
			continue;
		}
		ir_ref v = piece_bits(k, l, p, loc);
		if (p->bit_offset)
			v = ir_bini(B(k), IR_LSHR, v, p->bit_offset);
		if (n < 64)
			v = ir_bini(B(k), IR_AND, v, (int64_t)((1ull << n) - 1));
		word = ir_bin(B(k), IR_OR, word, at ? ir_bini(B(k), IR_SHL, v, at) : v);
		at += n;
	}
	ir_ref dst = kit_mem(k, 8);
	ir_store(B(k), dst, 0, 8, word);
	return (struct kit_located){dst, AS_BPF};
}

struct kit_located kit_locate(struct kit *k, const struct dwarf_loc *l, uint32_t size, struct loc loc)
{
	if (l->npiece == 1 && l->piece[0].kind == DWP_MEMORY)
		return (struct kit_located){run(k, l, &l->piece[0], loc), kit_as(k, AS_NONE)};
	if (l->has_bits)
		return gather_bits(k, l, loc);
	size = MAX(size, 1u);
	ir_ref dst = kit_mem_zero(k, ALIGN_UP(size, 8u));
	uint32_t off = 0;
	for (uint32_t i = 0; i < l->npiece && off < size; i++) {
		const struct dwarf_piece *p = &l->piece[i];
		uint32_t n = MIN(p->size ? p->size : size, size - off);
		copy_piece(k, l, p, dst, off, n, loc);
		off += n;
	}
	return (struct kit_located){dst, AS_BPF};
}

bool kit_is_optimized_out(const struct dwarf_loc *l, uint64_t bit, uint64_t nbits)
{
	uint64_t at = 0;
	if (l->npiece == 1 && !l->piece[0].size && !l->piece[0].bits)
		return l->piece[0].kind == DWP_NONE;
	for (uint32_t i = 0; i < l->npiece; i++) {
		uint64_t end = at + (l->piece[i].bits ? l->piece[i].bits : l->piece[i].size * 8ull);
		if (l->piece[i].kind == DWP_NONE && bit < end && at < bit + nbits)
			return true;
		at = end;
	}
	return bit + nbits > at; /* past the last piece */
}

void kit_count_gone(struct kit *k)
{
	struct program *p = k->prog;
	if (!p->gone_offset)
		p->gone_offset = program_data(p, 8, 8);
	kit_count(k, p->gone_offset, 1);
}
