/* calls_memory.c - addresses: of symbols, registers, address spaces; writing. */
#include <linux/bpf.h>

#include "lang/bt/calls.h"

/* --- kaddr, percpu_kaddr
 * --------------------------------------------------------------------------------------------- */

static struct type *sema_kaddr(struct bt_sema *s, struct bt_expr *e)
{
	const char *name;
	if (!bt_want_str_literal(s, e, 0, &name))
		return &type_uint64;
	e->as = AS_KERNEL;
	if (e->nkid > 1)
		bt_want_int(s, e, 1);
	if (!kallsyms_by_name(world_kallsyms(s->in->world), name)) {
		if (!strcmp(e->text, "kaddr"))
			bt_err(s, e->loc, "Failed to resolve kernel symbol: %s", name);
		else
			bt_err(s, e->loc, "Could not resolve variable \"%s\" from BTF", name);
	} else if (strcmp(e->text, "kaddr") && !kallsyms_by_name(world_kallsyms(s->in->world), "__per_cpu_offset")) {
		bt_err(s, e->loc, "the kernel does not tell where the processors' variables are (CONFIG_KALLSYMS_ALL)");
	}
	return &type_uint64;
}

static uint64_t symbol_address(struct bt_lower *l, const char *name)
{
	const struct ksym *k = kallsyms_by_name(world_kallsyms(l->in->world), name);
	return k ? k->addr : 0;
}

static ir_ref lower_kaddr(struct bt_lower *l, struct bt_expr *e)
{
	const char *name = "";
	uint32_t len;
	bt_const_str(e->kid[0], &name, &len);
	return ir_const(&l->kit.b, (int64_t)symbol_address(l, name));
}

/* A per-CPU symbol is an offset into the CPU's area, whose start is __per_cpu_offset[cpu]. */
static ir_ref lower_percpu_kaddr(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref sym = lower_kaddr(l, e);
	ir_ref cpu = e->nkid > 1 ? bt_lower_expr(l, e->kid[1]) : kit_cpu(&l->kit);
	ir_ref at = ir_bin(b, IR_ADD, ir_const(b, (int64_t)symbol_address(l, "__per_cpu_offset")),
			   ir_bini(b, IR_SHL, cpu, 3));
	ir_ref base = kit_read_scalar(&l->kit, at, 0, 8, false, AS_KERNEL, e->loc);
	ir_ref known = ir_bin(b, IR_ULT, cpu, ir_const(b, l->in->world->ncpus));
	return ir_select(b, known, ir_bin(b, IR_ADD, sym, base), ir_const(b, 0));
}

/* --- uaddr
 * ----------------------------------------------------------------------------------------------------------------
 */

static bool is_symbol_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!strchr("./_-", *p) && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !(*p >= '0' && *p <= '9'))
			return false;
	return *name;
}

static const struct elf_symbol *find_symbol(struct world *w, const struct attach_point *p,
					    const char *name, struct elf_file **file)
{
	struct err *err = p && p->target ? elf_open(w, p->target, file) : NULL;
	if (err || !p || !p->target) {
		err_free(err);
		return NULL;
	}
	return elf_symbol_by_name(*file, name);
}

static struct type *sema_uaddr(struct bt_sema *s, struct bt_expr *e)
{
	const char *name;
	struct elf_file *file;
	e->as = AS_USER;
	if (!bt_want_str_literal(s, e, 0, &name))
		return NULL;
	if (!is_symbol_name(name))
		bt_err(s, e->loc,
		       "uaddr() expects a string that is a valid symbol (^[a-zA-Z0-9./_-]+$) as input (\"%s\" "
		       "provided)",
		       name);
	if (!BT_KIND_IS(s, PK_UPROBE, PK_URETPROBE, PK_USDT)) {
		bt_err(s, e->loc, "uaddr can not be used for this probetype: %s",
		       bt_kind_name(bt_kind(s)));
		return NULL;
	}
	const struct elf_symbol *sym = find_symbol(s->in->world, s->point, name, &file);
	if (!sym && s->point)
		bt_err(s, e->loc, "Could not resolve symbol: %s:%s", s->point->target, name);
	uint32_t size = sym && (sym->size == 1 || sym->size == 2 || sym->size == 4)
				? (uint32_t)sym->size
				: 8;
	return e->type ? e->type : type_ptr(s->in->arena, type_int(size, true), AS_USER);
}

/* Position-independent files: how far they were moved is seen from where this probe is. */
static ir_ref lower_uaddr(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	const char *name = "";
	uint32_t len;
	uint64_t vaddr;
	struct elf_file *file;
	bt_const_str(e->kid[0], &name, &len);
	const struct elf_symbol *sym = find_symbol(l->in->world, l->point, name, &file);
	if (!sym)
		return ir_const(b, 0);
	ir_ref addr = ir_const(b, (int64_t)sym->value);
	if (!elf_is_pie(file) || !elf_vaddr_of(file, l->point->offset, &vaddr))
		return addr;
	ir_ref base = ir_bini(b, IR_SUB, kit_func_ip(&l->kit), (int64_t)vaddr);
	return ir_bin(b, IR_ADD, base, addr);
}

/* --- kptr, uptr
 * --------------------------------------------------------------------------------------------------------------
 */

static struct type *sema_space(struct bt_sema *s, struct bt_expr *e)
{
	struct type *t = bt_arg(s, e, 0);
	enum addr_space as = !strcmp(e->text, "kptr") ? AS_KERNEL : AS_USER;
	e->as = as;
	if (!t)
		return NULL;
	if (!bt_is_int(t) && t->kind != TYPE_PTR) {
		bt_err(s, e->loc, "%s() only supports integer or pointer arguments (%s provided)",
		       e->text, bt_kind_word(t));
		return NULL;
	}
	if (t->kind != TYPE_PTR || t->as == as)
		return t;
	return e->type && e->type->kind == TYPE_PTR && e->type->elem == t->elem
		       ? e->type
		       : type_ptr(s->in->arena, t->elem, as);
}

static ir_ref lower_first(struct bt_lower *l, struct bt_expr *e)
{
	return bt_lower_expr(l, e->kid[0]);
}

/* --- reg
 * ----------------------------------------------------------------------------------------------------------------------
 */

static const char *const registers[] = {
	"r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8",    "ax",
	"cx",  "dx",  "si",  "di",  "ip", "pc", "cs",  "sp",  "ss", "flags", "orig_rax",
};

static struct type *sema_reg(struct bt_sema *s, struct bt_expr *e)
{
	const char *name;
	if (!BT_KIND_IS(s, PK_KPROBE, PK_KRETPROBE, PK_UPROBE, PK_URETPROBE, PK_USDT, PK_PROFILE,
			PK_INTERVAL, PK_SOFTWARE, PK_HARDWARE, PK_WATCHPOINT))
		bt_err(s, e->loc, "reg can not be used with \"%s\" probes",
		       bt_kind_name(bt_kind(s)));
	if (!bt_want_str_literal(s, e, 0, &name))
		return &type_uint64;
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		if (!strcmp(registers[i], name))
			return &type_uint64;
	bt_err(s, e->loc, "'%s' is not a valid register on this architecture (x86_64)", name);
	return &type_uint64;
}

static ir_ref lower_reg(struct bt_lower *l, struct bt_expr *e)
{
	const char *name = "";
	uint32_t len;
	bt_const_str(e->kid[0], &name, &len);
	if (!strcmp(name, "pc"))
		name = "ip";
	else if (!strcmp(name, "orig_rax"))
		name = "orig_ax";
	ir_ref v = kit_reg(&l->kit, name);
	if (!v)
		diag_error(l->in->diags, e->loc, "reg() can not be used with '%s' probes",
			   bt_kind_name(l->point ? l->point->kind : PK_COUNT));
	return v ? v : ir_const(&l->kit.b, 0);
}

/* --- write_user
 * ------------------------------------------------------------------------------------------------------------------
 */

static struct type *sema_write_user(struct bt_sema *s, struct bt_expr *e)
{
	bt_void(s, e);
	if (!s->in->guru)
		bt_err(s, e->loc, "write_user() is unsafe. To use you need the --unsafe flag");
	return &type_bool;
}

enum {
	WRITE_MAX = 1024
};

static ir_ref lower_write_user(struct bt_lower *l, struct bt_expr *e)
{
	struct ir_builder *b = &l->kit.b;
	ir_ref dst = bt_lower_expr(l, e->kid[0]);
	struct bt_place src = bt_lower_target(l, e->kid[1]);
	int64_t n;
	ir_ref len = ir_const(b, WRITE_MAX), from = bt_place_addr(l, &src);
	if (bt_const_int(e->kid[2], &n)) {
		len = ir_const(b, MIN(MAX(n, 0), WRITE_MAX));
	} else {
		ir_ref want = bt_lower_expr(l, e->kid[2]);
		len = ir_select(b, ir_bin(b, IR_ULE, want, len), want, len);
	}
	if (src.as != AS_BPF) { /* the helper wants memory of ours */
		bool user = kit_as(&l->kit, src.as) == AS_USER;
		ir_ref tmp = kit_mem_zero(&l->kit, WRITE_MAX);
		ir_helper(b, user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel, tmp, len,
			  from);
		from = tmp;
	}
	ir_ref ret = ir_helper(b, BPF_FUNC_probe_write_user, dst, from, len);
	return ir_bini(b, IR_EQ, ret, 0);
}

/* --- container_of
 * -------------------------------------------------------------------------------------------------------------------
 */

static const char *member_name(const struct bt_expr *e)
{
	return e->nkid > 1 ? e->kid[e->nkid - 1]->text : e->names ? e->names[0] : NULL;
}

static struct type *sema_container_of(struct bt_sema *s, struct bt_expr *e)
{
	struct type *p = bt_arg(s, e, 0);
	struct bt_type_name *tn = e->type_name;
	if (!tn && e->nkid > 1 && e->kid[1]->kind == BT_TYPEOF)
		tn = e->kid[1]->type_name
			     ? e->kid[1]->type_name
			     : &(struct bt_type_name){
				       .loc = e->kid[1]->loc,
				       .typeof_expr = e->kid[1]->nkid ? e->kid[1]->kid[0] : NULL};
	struct type *t = tn ? bt_resolve_type(s, tn) : NULL;
	const char *name = member_name(e);
	uint32_t offset = 0;
	if (!t || !name)
		return NULL;
	type_complete(t, s->in->arena);
	if (!type_field(t, name, s->in->arena, &offset)) {
		struct buf b = {0};
		type_spell(t, &b);
		bt_err(s, e->loc, "'%s' has no field named '%s'", buf_str(&b), name);
		buf_free(&b);
		return NULL;
	}
	e->field_offset = offset;
	e->as = p && p->kind == TYPE_PTR ? p->as : bt_as_of(e->kid[0]);
	return e->type ? e->type : type_ptr(s->in->arena, t, (enum addr_space)e->as);
}

static ir_ref lower_container_of(struct bt_lower *l, struct bt_expr *e)
{
	return ir_bini(&l->kit.b, IR_SUB, bt_lower_expr(l, e->kid[0]), e->field_offset);
}

const struct bt_call bt_calls_memory[] = {
	{"kaddr", 1, 1, 0, sema_kaddr, lower_kaddr},
	{"percpu_kaddr", 1, 2, 0, sema_kaddr, lower_percpu_kaddr},
	{"uaddr", 1, 1, 0, sema_uaddr, lower_uaddr},
	{"kptr", 1, 1, 0, sema_space, lower_first},
	{"uptr", 1, 1, 0, sema_space, lower_first},
	{"reg", 1, 1, 0, sema_reg, lower_reg},
	{"write_user", 3, 3, BT_F_VOID_OK, sema_write_user, lower_write_user},
	{"container_of", 1, 3, 0, sema_container_of, lower_container_of},
	{0},
};
