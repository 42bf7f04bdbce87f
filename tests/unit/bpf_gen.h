/*
 * bpf_gen.h - random IR functions that the verifier accepts, and the four ways to run one: IR
 * evaluator before and after the passes, interpreter, kernel.  All must leave the same bytes in the
 * output map.
 */
#pragma once

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "ir/ir.h"
#include "ir/program.h"

enum {
	GEN_IN = 12,
	GEN_OUT = 16,
	GEN_POOL = 64,
	GEN_VARS = 10,
	GEN_PROGRAM_INSNS = 1000000
};

struct rng {
	uint64_t s;
};

static inline uint64_t rnd(struct rng *r)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return r->s * 0x2545f4914f6cdd1dull;
}

static inline uint32_t below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rnd(r) >> 32) % n);
}

static inline int64_t rnd_const(struct rng *r)
{
	static const int64_t nice[] = {0,         1,         -1,         2,          7,
				       8,         63,        64,         255,        256,
				       0xffff,    INT32_MAX, INT32_MIN,  UINT32_MAX, 0x80000000,
				       INT64_MIN, INT64_MAX, 0xffff0000, 1ll << 40};
	switch (below(r, 3)) {
	case 0: return nice[below(r, ARRAY_SIZE(nice))];
	case 1: return (int64_t)below(r, 200) - 100;
	default: return (int64_t)rnd(r);
	}
}

struct gen {
	struct rng r;
	struct program *prog;
	struct map *out;
	struct ir_builder b;
	ir_ref pool[GEN_POOL];
	unsigned npool;
	ir_ref var[GEN_VARS]; /* 8-byte slots: variables */
	unsigned nvar;
	ir_ref area; /* slot of bytes that are accessed in all widths */
	struct ir_fn *sub;
	unsigned budget, loops;
	bool is_sub;
};

enum {
	AREA = 64
};

static inline ir_ref pick(struct gen *g)
{
	if (!below(&g->r, 5))
		return ir_const(&g->b, rnd_const(&g->r));
	return g->pool[below(&g->r, g->npool)];
}

static inline void keep(struct gen *g, ir_ref v)
{
	if (g->npool < GEN_POOL)
		g->pool[g->npool++] = v;
	else
		g->pool[below(&g->r, GEN_POOL)] = v;
}

static inline unsigned rnd_width(struct gen *g)
{
	return 1u << below(&g->r, 4);
}

static inline void gen_block(struct gen *g, unsigned n);

/* In a loop or a branch, values made there are not visible afterwards. */
static inline void gen_scope(struct gen *g, unsigned n)
{
	ir_ref pool[GEN_POOL];
	unsigned npool = g->npool;
	memcpy(pool, g->pool, sizeof(pool));
	gen_block(g, n);
	memcpy(g->pool, pool, sizeof(pool));
	g->npool = npool;
}

static inline ir_ref gen_cond(struct gen *g)
{
	enum ir_op op = IR_EQ + below(&g->r, 6);
	switch (below(&g->r, 6)) {
	case 0: return pick(g);
	case 1:
		return ir_bini(&g->b, below(&g->r, 2) ? IR_NE : IR_EQ,
			       ir_bini(&g->b, IR_AND, pick(g), rnd_const(&g->r)), 0);
	case 2: return ir_bini(&g->b, op, pick(g), (int64_t)below(&g->r, 100));
	default: return ir_bin(&g->b, op, pick(g), pick(g));
	}
}

static inline void gen_if(struct gen *g)
{
	uint32_t yes = ir_block_new(&g->b, "yes"), no = ir_block_new(&g->b, "no"),
		 end = ir_block_new(&g->b, "end");
	g->b.fn->block.at[yes].unlikely = !below(&g->r, 3);
	ir_br(&g->b, gen_cond(g), yes, below(&g->r, 2) ? no : end);
	bool has_no = g->b.fn->block.at[g->b.block].succ[1] == no;
	ir_at(&g->b, yes);
	gen_scope(g, 1 + below(&g->r, 4));
	ir_jmp(&g->b, end);
	ir_at(&g->b, no);
	if (has_no)
		gen_scope(g, 1 + below(&g->r, 4));
	ir_jmp(&g->b, end);
	ir_at(&g->b, end);
}

/* A counted loop over a variable of its own. */
static inline void gen_loop(struct gen *g)
{
	uint32_t head = ir_block_new(&g->b, "head"), body = ir_block_new(&g->b, "body"),
		 end = ir_block_new(&g->b, "out");
	ir_ref i = ir_slot(&g->b, 8);
	ir_store(&g->b, i, 0, 8, ir_const(&g->b, 0));
	ir_jmp(&g->b, head);
	ir_at(&g->b, head);
	ir_ref n = ir_load(&g->b, i, 0, 8, false);
	ir_br(&g->b, ir_bini(&g->b, IR_ULT, n, 1 + below(&g->r, 4)), body, end);
	ir_at(&g->b, body);
	g->loops++;
	gen_scope(g, 1 + below(&g->r, 4));
	g->loops--;
	ir_store(&g->b, i, 0, 8, ir_bini(&g->b, IR_ADD, ir_load(&g->b, i, 0, 8, false), 1));
	ir_jmp(&g->b, head);
	ir_at(&g->b, end);
}

static inline void gen_atomic(struct gen *g)
{
	unsigned w = below(&g->r, 2) ? 4 : 8, off = below(&g->r, AREA / 8) * 8;
	switch (below(&g->r, 4)) {
	case 0: ir_atomic_add(&g->b, g->area, off, w, pick(g)); break;
	case 1: keep(g, ir_atomic(&g->b, IR_ATOMIC_FADD, g->area, off, w, pick(g), 0)); break;
	case 2: keep(g, ir_atomic(&g->b, IR_ATOMIC_XCHG, g->area, off, w, pick(g), 0)); break;
	default:
		keep(g,
		     ir_atomic(&g->b, IR_ATOMIC_CMPXCHG, g->area, off, w,
			       below(&g->r, 2) ? ir_load(&g->b, g->area, off, w, false) : pick(g),
			       pick(g)));
	}
}

static inline void gen_memory(struct gen *g)
{
	unsigned w = rnd_width(g), off = below(&g->r, AREA / w) * w;
	switch (below(&g->r, 7)) {
	case 0: keep(g, ir_load(&g->b, g->area, off, w, below(&g->r, 2))); break;
	case 1: ir_store(&g->b, g->area, off, w, pick(g)); break;
	case 2:
		ir_copy(&g->b, g->area, ir_bini(&g->b, IR_ADD, g->area, AREA / 2),
			1 + below(&g->r, AREA / 2));
		break;
	case 3:
		ir_zero(&g->b, ir_bini(&g->b, IR_ADD, g->area, off), 1 + below(&g->r, AREA - off));
		break;
	case 4: { /* the address itself through a choice */
		ir_ref p =
			ir_select(&g->b, gen_cond(g), ir_bini(&g->b, IR_ADD, g->area, 8), g->area);
		keep(g, ir_load(&g->b, p, 16, w, below(&g->r, 2)));
		break;
	}
	case 5: gen_atomic(g); break;
	default: /* the output map, past the results */
		ir_atomic_add(&g->b, ir_mapval(&g->b, g->out, 8 * (GEN_OUT + below(&g->r, 2))), 0,
			      8, pick(g));
	}
}

static inline void gen_call(struct gen *g)
{
	if (g->sub && below(&g->r, 2)) {
		keep(g, ir_call(&g->b, g->sub, pick(g), pick(g), pick(g)));
		return;
	}
	unsigned off = below(&g->r, AREA / 8) * 8;
	keep(g, ir_helper(&g->b, BPF_FUNC_probe_read_kernel, ir_bini(&g->b, IR_ADD, g->area, off),
			  ir_const(&g->b, 8), ir_bini(&g->b, IR_ADD, g->area, (off + 16) % AREA)));
}

static inline void gen_stmt(struct gen *g)
{
	static const uint8_t binary[] = {IR_ADD, IR_SUB, IR_MUL, IR_UDIV, IR_UMOD, IR_SDIV, IR_SMOD,
					 IR_AND, IR_OR,  IR_XOR, IR_SHL,  IR_LSHR, IR_ASHR, IR_EQ,
					 IR_NE,  IR_ULT, IR_ULE, IR_SLT,  IR_SLE};
	static const unsigned widths[] = {1, 2, 4};
	if (g->budget)
		g->budget--;
	switch (below(&g->r, g->budget ? 12 : 8)) {
	case 0:
	case 1:
	case 2:
		keep(g, ir_bin(&g->b, binary[below(&g->r, sizeof(binary))], pick(g), pick(g)));
		break;
	case 3:
		switch (below(&g->r, 5)) {
		case 0: keep(g, ir_un(&g->b, IR_NEG, pick(g))); break;
		case 1: keep(g, ir_un(&g->b, IR_NOT, pick(g))); break;
		case 2: keep(g, ir_bswap(&g->b, pick(g), 2u << below(&g->r, 3))); break;
		case 3: keep(g, ir_opaque(&g->b, pick(g))); break;
		default: keep(g, ir_ext(&g->b, pick(g), widths[below(&g->r, 3)], below(&g->r, 2)));
		}
		break;
	case 4: keep(g, ir_select(&g->b, gen_cond(g), pick(g), pick(g))); break;
	case 5: keep(g, ir_load(&g->b, g->var[below(&g->r, g->nvar)], 0, 8, false)); break;
	case 6: ir_store(&g->b, g->var[below(&g->r, g->nvar)], 0, 8, pick(g)); break;
	case 7: gen_memory(g); break;
	case 8: gen_call(g); break;
	case 9:
		if (g->loops < 2)
			gen_loop(g);
		break;
	default: gen_if(g);
	}
}

static inline void gen_block(struct gen *g, unsigned n)
{
	while (n--)
		gen_stmt(g);
}

static inline void gen_slots(struct gen *g, unsigned nvar)
{
	g->nvar = nvar;
	for (unsigned i = 0; i < nvar; i++) {
		g->var[i] = ir_slot(&g->b, 8);
		ir_store(&g->b, g->var[i], 0, 8, pick(g));
	}
	g->area = ir_slot(&g->b, AREA);
	ir_zero(&g->b, g->area, AREA);
	for (unsigned i = 0; i < 4; i++)
		ir_store(&g->b, g->area, 8 * below(&g->r, 8), 8, pick(g));
}

static inline struct ir_fn *gen_sub(struct gen *outer)
{
	struct gen g = {.r = {rnd(&outer->r) | 1},
			.prog = outer->prog,
			.out = outer->out,
			.budget = 10,
			.is_sub = true};
	struct ir_fn *fn = ir_fn_new(g.prog, "sub", IR_SUBPROG, 3);
	g.b = (struct ir_builder){.fn = fn, .block = 1};
	for (unsigned i = 0; i < 3; i++)
		keep(&g, ir_param(&g.b, i));
	gen_slots(&g, 2);
	gen_block(&g, 1 + below(&g.r, 8));
	ir_ret(&g.b, pick(&g));
	return fn;
}

/* The entry function: reads GEN_IN words of context, works on them, writes GEN_OUT words to the
 * map. */
static inline struct ir_fn *gen_entry(struct gen *g, unsigned size)
{
	g->sub = below(&g->r, 2) ? gen_sub(g) : NULL;
	struct ir_fn *fn = ir_fn_new(g->prog, "entry", IR_ENTRY, 1);
	g->b = (struct ir_builder){.fn = fn, .block = 1};
	ir_ref ctx = ir_param(&g->b, 0);
	unsigned n = 1 + below(&g->r, GEN_IN);
	for (unsigned i = 0; i < n; i++)
		keep(g, ir_load(&g->b, ctx, 8 * i, 8, false));
	gen_slots(g, 1 + below(&g->r, GEN_VARS));
	g->budget = size;
	gen_block(g, size);
	ir_ref out = ir_mapval(&g->b, g->out, 0);
	for (unsigned i = 0; i < GEN_OUT; i++)
		ir_store(&g->b, out, 8 * i, 8, i < g->npool ? g->pool[i] : pick(g));
	for (unsigned i = 0; i < g->nvar; i++)
		ir_store(&g->b, out, 8 * (GEN_OUT + 2 + i), 8,
			 ir_load(&g->b, g->var[i], 0, 8, false));
	ir_ret(&g->b, ir_const(&g->b, 0));
	return fn;
}

enum {
	GEN_BYTES = 8 * (GEN_OUT + 2 + GEN_VARS)
};

/* --- running
 * ---------------------------------------------------------------------------------------------------
 */

static inline uint64_t eval_call(void *arg, const struct ir_insn *i, const uint64_t *v, unsigned n)
{
	if (i->op != IR_HELPER || i->imm != BPF_FUNC_probe_read_kernel || n != 3)
		return 0;
	memmove((void *)(uintptr_t)v[0], (const void *)(uintptr_t)v[2], v[1]);
	return 0;
}

static inline uint64_t eval_map(void *arg, const struct map *m, int64_t offset, bool is_value)
{
	return (uintptr_t)arg + (uint64_t)offset;
}

static inline bool run_eval(const struct ir_fn *fn, const uint64_t *in, uint8_t *out)
{
	struct ir_eval how = {.call = eval_call,
			      .map_address = eval_map,
			      .arg = out,
			      .max_steps = GEN_PROGRAM_INSNS};
	uint64_t param = (uintptr_t)in, ret;
	memset(out, 0, GEN_BYTES);
	return ir_eval(fn, &how, &param, &ret);
}

static inline uint64_t vm_map(struct bpf_vm *vm, void *arg, uint32_t map, bool is_value,
			      uint32_t offset)
{
	bpf_vm_region(vm, arg, GEN_BYTES, true);
	return (uintptr_t)arg + offset;
}

static inline struct err *run_vm(const struct bpf_image *img, const uint64_t *in, uint8_t *out)
{
	struct bpf_vm_ops ops = {.map = vm_map, .arg = out, .max_insns = GEN_PROGRAM_INSNS};
	uint64_t ret;
	memset(out, 0, GEN_BYTES);
	return bpf_vm_run(img, &ops, in, 8 * GEN_IN, &ret);
}

static inline long sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static inline int kernel_map(void)
{
	union bpf_attr a = {.map_type = BPF_MAP_TYPE_ARRAY,
			    .key_size = 4,
			    .value_size = GEN_BYTES,
			    .max_entries = 1};
	return (int)sys_bpf(BPF_MAP_CREATE, &a);
}

static inline int kernel_btf(const struct bpf_btf *b, char *log, uint32_t log_size)
{
	union bpf_attr a = {.btf = (uintptr_t)b->data, .btf_size = b->len};
	int fd = (int)sys_bpf(BPF_BTF_LOAD, &a);
	if (fd >= 0 || !log)
		return fd;
	a.btf_log_buf = (uintptr_t)log;
	a.btf_log_size = log_size;
	a.btf_log_level = 1;
	return (int)sys_bpf(BPF_BTF_LOAD, &a);
}

/* Loads an image whose only map is `map_fd`; the verifier's log is kept on failure. */
static inline int kernel_load(const struct bpf_image *img, int map_fd, char *log, uint32_t log_size)
{
	struct bpf_btf btf;
	bpf_btf_build(img, "test", &btf);
	int btf_fd = kernel_btf(&btf, log, log_size);
	struct bpf_insn *insn = malloc(img->ninsn * sizeof(*insn));
	memcpy(insn, img->insn, img->ninsn * sizeof(*insn));
	vec_each(r, &img->reloc)
		insn[r->insn].imm = map_fd;
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.insns = (uintptr_t)insn,
		.insn_cnt = img->ninsn,
		.license = (uintptr_t) "GPL",
		.prog_btf_fd = (uint32_t)btf_fd,
		.func_info_rec_size = sizeof(struct bpf_func_info),
		.func_info = (uintptr_t)btf.func_info,
		.func_info_cnt = btf.nfunc_info,
		.line_info_rec_size = sizeof(struct bpf_line_info),
		.line_info = (uintptr_t)btf.line_info,
		.line_info_cnt = btf.nline_info,
	};
	int fd = btf_fd < 0 ? btf_fd : (int)sys_bpf(BPF_PROG_LOAD, &a);
	if (fd < 0 && btf_fd >= 0 && log) {
		a.log_buf = (uintptr_t)log;
		a.log_size = log_size;
		a.log_level = 1;
		fd = (int)sys_bpf(BPF_PROG_LOAD, &a);
	}
	int saved = errno;
	if (btf_fd >= 0)
		close(btf_fd);
	bpf_btf_free(&btf);
	free(insn);
	errno = saved;
	return fd;
}

/* cpu v4, by a signed division */
static inline bool kernel_has_v4(void)
{
	struct bpf_insn insn[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 4},
				  {BPF_ALU64 | BPF_DIV | BPF_K, 0, 0, 1, 2},
				  {BPF_JMP | BPF_EXIT}};
	union bpf_attr a = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
			    .insns = (uintptr_t)insn,
			    .insn_cnt = 3,
			    .license = (uintptr_t) "GPL"};
	int fd = (int)sys_bpf(BPF_PROG_LOAD, &a);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static inline bool kernel_run(int prog_fd, int map_fd, const uint64_t *in, uint8_t *out)
{
	uint32_t key = 0;
	memset(out, 0, GEN_BYTES);
	union bpf_attr set = {
		.map_fd = (uint32_t)map_fd, .key = (uintptr_t)&key, .value = (uintptr_t)out};
	if (sys_bpf(BPF_MAP_UPDATE_ELEM, &set))
		return false;
	union bpf_attr t = {.test = {.prog_fd = (uint32_t)prog_fd,
				     .ctx_in = (uintptr_t)in,
				     .ctx_size_in = 8 * GEN_IN}};
	if (sys_bpf(BPF_PROG_TEST_RUN, &t))
		return false;
	union bpf_attr get = {
		.map_fd = (uint32_t)map_fd, .key = (uintptr_t)&key, .value = (uintptr_t)out};
	return !sys_bpf(BPF_MAP_LOOKUP_ELEM, &get);
}
