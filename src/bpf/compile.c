/*
 * compile.c - an entry function and all that it reaches as one image: IR functions through the
 * stages of mi.h, runtime functions copied from the library, calls and addresses fixed.
 */
#include "bpf/mi.h"

#include <stdlib.h>

#include "runtime/unwind_types.h"

struct unit {             /* one function of the image */
	struct ir_fn *ir; /* or */
	struct rt_func rt;
	const char *name;
	unsigned nparams;
	uint32_t insn, frame;
	uint32_t depth; /* deepest stack from here on, 0: not known yet */
	bool visiting;
};

struct unit_ref { /* instruction `insn` of unit `from` calls or takes the address of unit `to` */
	uint32_t insn, from, to;
};

struct link {
	struct program *prog;
	struct world *world;
	struct arena *arena;
	struct bpf_image *img;
	VEC(struct unit) unit;
	VEC(struct unit_ref) ref;
	VEC(struct bpf_insn) code;
	struct rt_obj rt;
	bool rt_opened;
	uint32_t at; /* unit being compiled */
};

void mfn_free(struct mfn *f)
{
	vec_each(b, &f->block)
		vec_free(&b->pred);
	vec_free(&f->tmp);
	vec_free(&f->mi);
	vec_free(&f->block);
	vec_free(&f->rpo);
	vec_free(&f->layout);
	vec_free(&f->use);
	vec_free(&f->piece);
	vec_free(&f->taken);
	vec_free(&f->call);
	vec_free(&f->r0);
	vec_free(&f->move);
	vec_free(&f->split);
	vec_free(&f->slot);
	vec_free(&f->code);
	vec_free(&f->fix);
	vec_free(&f->line);
	arena_destroy(f->arena);
}

/* --- finding functions
 * --------------------------------------------------------------------------------------- */

static uint32_t ir_unit(struct link *l, struct ir_fn *fn)
{
	for (uint32_t i = 0; i < l->unit.len; i++)
		if (l->unit.at[i].ir == fn)
			return i;
	vec_push(&l->unit, (struct unit){.ir = fn, .name = fn->name, .nparams = fn->nparams});
	return (uint32_t)l->unit.len - 1;
}

static uint32_t rt_unit(struct link *l, const struct rt_func *fn)
{
	for (uint32_t i = 0; i < l->unit.len; i++)
		if (l->unit.at[i].rt.insn == fn->insn)
			return i;
	vec_push(&l->unit,
		 (struct unit){.rt = *fn, .name = arena_strdup(l->arena, fn->name), .nparams = fn->params ? (unsigned)strlen(fn->params) : 5});
	return (uint32_t)l->unit.len - 1;
}

static struct err *runtime_unit(struct link *l, const char *name, uint32_t *ret)
{
	struct rt_func fn;
	struct err *e = NULL;
	if (!l->rt_opened)
		e = rt_open(runtime_blob, (size_t)(runtime_blob_end - runtime_blob), &l->rt);
	if (e)
		return e;
	l->rt_opened = true;
	if (!rt_find(&l->rt, name, &fn))
		return err_new(0, "the runtime library has no function '%s'", name);
	*ret = rt_unit(l, &fn);
	return NULL;
}

static void refer(struct link *l, uint32_t insn, uint32_t to)
{
	vec_push(&l->ref, (struct unit_ref){insn, l->at, to});
}

static void reloc(struct link *l, uint32_t insn, enum bpf_reloc_kind kind, uint32_t index,
		  const char *name)
{
	vec_push(&l->img->reloc, (struct bpf_reloc){insn, kind, index, name});
}

/* --- functions of the script
 * --------------------------------------------------------------------------------- */

static struct err *apply_fix(struct link *l, const struct fix *x, uint32_t base)
{
	uint32_t insn = base + x->insn, to = 0;
	struct err *e;
	switch (x->kind) {
	case FIX_MAP: reloc(l, insn, RELOC_MAP, ((const struct map *)x->sym)->id, NULL); break;
	case FIX_MAPVAL:
		reloc(l, insn, RELOC_MAPVAL, ((const struct map *)x->sym)->id, NULL);
		break;
	case FIX_KFUNC: reloc(l, insn, RELOC_KFUNC, 0, x->sym); break;
	case FIX_CALL:
	case FIX_FNADDR: refer(l, insn, ir_unit(l, (struct ir_fn *)x->sym)); break;
	case FIX_RT:
		e = runtime_unit(l, x->sym, &to);
		if (e)
			return e;
		refer(l, insn, to);
		break;
	}
	return NULL;
}

static struct err *lower(struct mfn *f)
{
	mfn_order(f);
	mfn_select(f);
	mfn_liveness(f);
	mfn_allocate(f);
	mfn_resolve(f);
	struct err *e = mfn_frame(f);
	return e ? e : mfn_emit(f);
}

/* Is this entry only ever run by the interpreter?  Then its frames are apart and it may recurse. */
static bool is_user(const struct link *l)
{
	vec_each(p, &l->prog->probe)
		if ((*p)->fn == l->unit.at[0].ir)
			return (*p)->kind == PROG_USER;
	return false;
}

static struct err *add_ir(struct link *l, uint32_t at)
{
	struct unit *u = &l->unit.at[at];
	struct mfn f = {.ir = u->ir,
			.world = l->world,
			.arena = arena_create(),
			.frame_max = is_user(l) ? STACK_MAX_USER : STACK_MAX,
			.nir = (uint32_t)u->ir->insn.len};
	uint32_t base = u->insn = (uint32_t)l->code.len;
	struct err *e = lower(&f);
	l->unit.at[at].frame = f.frame_bytes;
	vec_each(x, &f.code)
		vec_push(&l->code, *x);
	vec_each(x, &f.line)
		vec_push(&l->img->line, (struct bpf_line){base + x->insn, x->loc});
	vec_each(x, &f.fix)
		if (!e)
			e = apply_fix(l, x, base);
	mfn_free(&f);
	return e;
}

/* --- functions of the runtime
 * -------------------------------------------------------------------------------- */

/*
 * What the runtime library leaves open: `K_struct__field` is the byte offset of the field in the kernel's BTF, 0 when
 * the kernel has no such thing; `M_name` the program's map of that name, `V_name` its value (MAP_DATA).
 */
static int64_t kernel_offset(struct link *l, const char *name)
{
	struct err *e = NULL;
	struct btf *btf = world_btf(l->world, &e);
	err_free(e);
	if (!btf)
		return 0;
	/* names may have underscores in a row themselves: any cut that names a struct counts */
	for (const char *cut = strstr(name, "__"); cut; cut = strstr(cut + 1, "__")) {
		_cleanup_free_ char *sname = xstrndup(name, (size_t)(cut - name));
		uint32_t id = btf_find(btf, BTF_NS_STRUCT, sname), off = 0;
		struct type *t = id ? btf_type(btf, id, AS_KERNEL, l->arena) : NULL;
		if (t && type_field(t, cut + 2, l->arena, &off))
			return off;
	}
	return 0;
}

static struct err *extern_ref(struct link *l, uint32_t insn, const char *name)
{
	struct bpf_insn *x = &l->code.at[insn];
	if (str_has_prefix(name, "K_")) {
		x->imm = (int32_t)kernel_offset(l, name + 2);
		x[1].imm = 0;
		return NULL;
	}
	if (str_has_prefix(name, "M_") || str_has_prefix(name, "V_"))
		vec_each(m, &l->prog->map) {
			bool is_value = *name == 'V';
			const char *at = (*m)->name + ((*m)->name[0] == '.');
			if (strcmp(at, name + 2))
				continue;
			x->src_reg = is_value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD;
			x->imm = x[1].imm = 0;
			reloc(l, insn, is_value ? RELOC_MAPVAL : RELOC_MAP, (*m)->id, NULL);
			return NULL;
		}
	return err_new(0, "the runtime library refers to '%s', which the program does not have",
		       name);
}

static struct err *on_ref(void *arg, const struct rt_ref *r)
{
	struct link *l = arg;
	uint32_t insn = l->unit.at[l->at].insn + r->insn;
	struct bpf_insn *x = &l->code.at[insn];
	switch (r->kind) {
	case RT_REF_CALL: refer(l, insn, rt_unit(l, &r->func)); break;
	case RT_REF_FUNC:
		x->src_reg = BPF_PSEUDO_FUNC;
		x[1].imm = 0;
		refer(l, insn, rt_unit(l, &r->func));
		break;
	case RT_REF_RODATA:
		x->src_reg = BPF_PSEUDO_MAP_VALUE;
		x->imm = 0;
		x[1].imm = (int32_t)(program_rodata(l->prog, r->bytes, r->nbytes, r->align) +
				     r->addend);
		reloc(l, insn, RELOC_MAPVAL, l->prog->rodata->id, NULL);
		break;
	case RT_REF_EXTERN: return extern_ref(l, insn, r->name);
	}
	return NULL;
}

/* Deepest stack access: through r10, or through a copy of it that an ADD right after moves down. */
static uint32_t stack_of(const struct bpf_insn *x, uint32_t n)
{
	int32_t low = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t cls = BPF_CLASS(x[i].code);
		if ((cls == BPF_LDX && x[i].src_reg == 10) ||
		    ((cls == BPF_STX || cls == BPF_ST) && x[i].dst_reg == 10))
			low = MIN(low, x[i].off);
		if (x[i].code != (BPF_ALU64 | BPF_MOV | BPF_X) || x[i].src_reg != 10)
			continue;
		for (uint32_t k = i + 1; k < n && k < i + 32; k++)
			if (x[k].code == (BPF_ALU64 | BPF_ADD | BPF_K) &&
			    x[k].dst_reg == x[i].dst_reg) {
				low = MIN(low, x[k].imm);
				break;
			}
	}
	return (uint32_t)-low;
}

static struct err *add_rt(struct link *l, uint32_t at)
{
	struct unit *u = &l->unit.at[at];
	struct rt_func fn = u->rt;
	u->insn = (uint32_t)l->code.len;
	vec_reserve(&l->code, l->code.len + fn.ninsn);
	memcpy(l->code.at + l->code.len, fn.insn, (size_t)fn.ninsn * 8);
	l->code.len += fn.ninsn;
	u->frame = stack_of(l->code.at + u->insn, fn.ninsn);
	return rt_refs(&l->rt, &fn, on_ref, l);
}

/* --- the whole
 * -----------------------------------------------------------------------------------------------
 */

/*
 * The kernel counts the stack of a whole chain of calls, each frame rounded up to 32 bytes
 * (check_max_stack_depth in kernel/bpf/verifier.c).
 */
static struct err *chain(struct link *l, uint32_t at, unsigned level, uint32_t *ret)
{
	struct unit *u = &l->unit.at[at];
	uint32_t deepest = 0, d = 0;
	if (u->depth) {
		*ret = u->depth;
		return NULL;
	}
	if (u->visiting || level > 8)
		return err_new(0, "%s: calls go deeper than the 8 that the kernel allows",
			       l->unit.at[0].name);
	u->visiting = true;
	for (size_t i = 0; i < l->ref.len; i++) {
		if (l->ref.at[i].from != at)
			continue;
		struct err *e = chain(l, l->ref.at[i].to, level + 1, &d);
		if (e)
			return e;
		deepest = MAX(deepest, d);
	}
	u->visiting = false;
	*ret = u->depth = deepest + ALIGN_UP(MAX(u->frame, 1u), 32u);
	return NULL;
}

static struct err *check_stack(struct link *l)
{
	uint32_t depth = 0;
	if (is_user(l))
		return NULL;
	struct err *e = chain(l, 0, 1, &depth);
	if (!e && depth > STACK_MAX)
		e = err_new(
			0,
			"%s: needs %u bytes of stack with all that it calls; the kernel allows %d",
			l->unit.at[0].name, depth, STACK_MAX);
	return e;
}

/* Constants of the runtime came after program_finish(). */
static void keep_rodata(struct program *p)
{
	struct buf *ro = &p->rodata_bytes;
	if (!ro->len || (p->rodata->init && p->rodata->value_size >= ro->len))
		return;
	buf_fill(ro, 0, ALIGN_UP(ro->len, 8) - ro->len);
	p->rodata->value_size = (uint32_t)ro->len;
	p->rodata->init = arena_memdup(p->arena, ro->data, ro->len);
}

/* Judged by the kernel by itself: functions of the script's that say so, and of the runtime (RT_GLOBAL). */
static bool is_global(const struct unit *u)
{
	return u->ir ? u->ir->kind == IR_GLOBAL : u->rt.params != NULL;
}

static uint32_t param0_bytes(const struct unit *u)
{
	if (u->ir)
		return u->ir->param0_bytes;
	return u->rt.params && *u->rt.params == 'u' ? (uint32_t)sizeof(struct uw) : 0;
}

static void finish(struct link *l)
{
	struct bpf_image *img = l->img;
	vec_each(r, &l->ref)
		l->code.at[r->insn].imm = (int32_t)(l->unit.at[r->to].insn - r->insn - 1);
	vec_each(u, &l->unit)
		vec_push(&img->func, (struct bpf_func){u->insn, u->name, u->nparams,
						       is_global(u), param0_bytes(u)});
	img->ninsn = (uint32_t)l->code.len;
	img->insn = arena_memdup(l->arena, l->code.at, l->code.len * sizeof(*l->code.at));
	img->stack_bytes = l->unit.at[0].frame;
	keep_rodata(l->prog);
}

/* The image's lists end up in the arena as well. */
#define TO_ARENA(a, v)                                                           \
	do {                                                                     \
		void *heap_ = (v)->at;                                           \
		(v)->at = arena_memdup((a), heap_, (v)->len * sizeof(*(v)->at)); \
		(v)->cap = (v)->len;                                             \
		base_free(heap_);                                                \
	} while (0)

struct err *bpf_compile(struct program *p, struct ir_fn *entry, struct world *w, struct arena *a,
			struct bpf_image **ret)
{
	struct link l = {.prog = p, .world = w, .arena = a, .img = arena_new(a, struct bpf_image)};
	struct err *e = NULL;
	ir_unit(&l, entry);
	for (l.at = 0; l.at < l.unit.len && !e; l.at++)
		e = l.unit.at[l.at].ir ? add_ir(&l, l.at) : add_rt(&l, l.at);
	if (!e)
		e = check_stack(&l);
	if (!e)
		finish(&l);
	TO_ARENA(a, &l.img->reloc);
	TO_ARENA(a, &l.img->line);
	TO_ARENA(a, &l.img->func);
	vec_free(&l.unit);
	vec_free(&l.ref);
	vec_free(&l.code);
	*ret = e ? NULL : l.img;
	return e;
}
