/* disasm.c - instructions as text, in the manner of the kernel's own disassembler. */
#include "bpf/bpf.h"

static const char *const alu_ops[16] = {
	"+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=", "end"};
static const char *const jmp_ops[16] = {"",    "==", ">", ">=", "&",  "!=", "s>",
					"s>=", "",   "",  "<",  "<=", "s<", "s<="};
static const struct {
	uint8_t bytes;
	const char *type, *signed_type;
} sizes[4] = {{4, "u32", "s32"}, {2, "u16", "s16"}, {1, "u8", "s8"}, {8, "u64", "s64"}};

enum {
	MODE_MEMSX = 0x80
};

static const char *helper_name(int32_t id)
{
	const char *name = ir_helper_name(id);
	return name ? name : "helper";
}

static void number(struct buf *out, int64_t v)
{
	if (v >= -4096 && v <= 4096)
		buf_printf(out, "%lld", (long long)v);
	else
		buf_printf(out, "0x%llx", (unsigned long long)v);
}

static void alu(const struct bpf_insn *x, struct buf *out)
{
	char r = BPF_CLASS(x->code) == BPF_ALU ? 'w' : 'r';
	uint8_t op = BPF_OP(x->code);
	if (op == BPF_NEG) {
		buf_printf(out, "%c%d = -%c%d", r, x->dst_reg, r, x->dst_reg);
	} else if (op == BPF_END) {
		const char *kind = r == 'r' ? "bswap" : BPF_SRC(x->code) == BPF_TO_BE ? "be" : "le";
		buf_printf(out, "r%d = %s%d r%d", x->dst_reg, kind, x->imm, x->dst_reg);
	} else {
		bool is_signed = x->off && (op == BPF_DIV || op == BPF_MOD);
		buf_printf(out, "%c%d %s%s ", r, x->dst_reg, is_signed ? "s" : "",
			   alu_ops[op >> 4] ? alu_ops[op >> 4] : "?");
		if (BPF_SRC(x->code) == BPF_K)
			number(out,
			       r == 'w' && x->imm < -4096 ? (int64_t)(uint32_t)x->imm : x->imm);
		else if (op == BPF_MOV && x->off)
			buf_printf(out, "(s%d)%c%d", x->off, r, x->src_reg);
		else
			buf_printf(out, "%c%d", r, x->src_reg);
	}
}

static void place(const struct bpf_insn *x, unsigned base, bool is_signed, struct buf *out)
{
	int s = BPF_SIZE(x->code) >> 3;
	buf_printf(out, "*(%s *)(r%u %c %d)", is_signed ? sizes[s].signed_type : sizes[s].type,
		   base, x->off < 0 ? '-' : '+', x->off < 0 ? -x->off : x->off);
}

static void atomic(const struct bpf_insn *x, struct buf *out)
{
	const char *op = alu_ops[(x->imm & 0xf0) >> 4];
	int s = BPF_SIZE(x->code) >> 3;
	if (x->imm == BPF_XCHG || x->imm == BPF_CMPXCHG) {
		buf_printf(out, "r%d = %s(", x->imm == BPF_XCHG ? x->src_reg : 0,
			   x->imm == BPF_XCHG ? "xchg" : "cmpxchg");
		place(x, x->dst_reg, false, out);
		buf_printf(out, ", %sr%d)", x->imm == BPF_XCHG ? "" : "r0, ", x->src_reg);
	} else if (x->imm & BPF_FETCH) {
		buf_printf(out, "r%d = fetch(", x->src_reg);
		place(x, x->dst_reg, false, out);
		buf_printf(out, " %s (%s)r%d)", op ? op : "?", sizes[s].type, x->src_reg);
	} else {
		buf_puts(out, "lock ");
		place(x, x->dst_reg, false, out);
		buf_printf(out, " %s r%d", op ? op : "?", x->src_reg);
	}
}

static void memory(const struct bpf_insn *x, struct buf *out)
{
	switch (BPF_CLASS(x->code)) {
	case BPF_LDX:
		buf_printf(out, "r%d = ", x->dst_reg);
		place(x, x->src_reg, BPF_MODE(x->code) == MODE_MEMSX, out);
		break;
	case BPF_ST:
		place(x, x->dst_reg, false, out);
		buf_puts(out, " = ");
		number(out, x->imm);
		break;
	case BPF_STX:
		if (BPF_MODE(x->code) == BPF_ATOMIC) {
			atomic(x, out);
		} else {
			place(x, x->dst_reg, false, out);
			buf_printf(out, " = r%d", x->src_reg);
		}
		break;
	default: /* BPF_LD: 64-bit constants */
		buf_printf(out, "r%d = 0x%llx ll", x->dst_reg,
			   (unsigned long long)((uint64_t)(uint32_t)x[1].imm << 32 |
						(uint32_t)x->imm));
	}
}

static void jump(const struct bpf_insn *x, uint32_t at, struct buf *out)
{
	bool is32 = BPF_CLASS(x->code) == BPF_JMP32;
	char r = is32 ? 'w' : 'r';
	switch (BPF_OP(x->code)) {
	case BPF_EXIT: buf_puts(out, "exit"); return;
	case BPF_JA:
		buf_printf(out, "goto %lld", (long long)at + 1 + (is32 ? x->imm : x->off));
		return;
	case BPF_CALL:
		if (x->src_reg == BPF_PSEUDO_CALL)
			buf_printf(out, "call %lld", (long long)at + 1 + x->imm);
		else if (x->src_reg)
			buf_printf(out, "call kernel-function");
		else
			buf_printf(out, "call %s#%d", helper_name(x->imm), x->imm);
		return;
	}
	const char *op = jmp_ops[BPF_OP(x->code) >> 4];
	buf_printf(out, "if %c%d %s ", r, x->dst_reg, op ? op : "?");
	if (BPF_SRC(x->code) == BPF_K)
		number(out, x->imm);
	else
		buf_printf(out, "%c%d", r, x->src_reg);
	buf_printf(out, " goto %lld", (long long)at + 1 + x->off);
}

void bpf_disasm_insn(const struct bpf_insn *x, uint32_t at, struct buf *out)
{
	switch (BPF_CLASS(x->code)) {
	case BPF_ALU:
	case BPF_ALU64: alu(x, out); break;
	case BPF_JMP:
	case BPF_JMP32: jump(x, at, out); break;
	default: memory(x, out);
	}
}

/* --- a whole image
 * --------------------------------------------------------------------------------------------- */

struct cursor {
	const struct program *p;
	const struct bpf_image *img;
	size_t func, line;
	const struct source *src;
	uint32_t shown; /* line of src that was printed last */
	struct buf *out;
};

static const struct bpf_reloc *reloc_at(const struct bpf_image *img, uint32_t at)
{
	vec_each(r, &img->reloc)
		if (r->insn == at)
			return r;
	return NULL;
}

static const char *func_at(const struct bpf_image *img, int64_t at)
{
	vec_each(f, &img->func)
		if (f->insn == at)
			return f->name;
	return "?";
}

static void source_comment(struct cursor *c, uint32_t at)
{
	const struct bpf_image *img = c->img;
	const struct bpf_line *l = NULL;
	while (c->line < img->line.len && img->line.at[c->line].insn <= at)
		l = &img->line.at[c->line++];
	if (!l || !l->loc.src)
		return;
	uint32_t n = source_line_col(l->loc.src, l->loc.begin).line;
	if (l->loc.src == c->src && n == c->shown)
		return;
	c->src = l->loc.src;
	c->shown = n;
	size_t len;
	const char *text = source_line(l->loc.src, n, &len);
	for (; len && (*text == ' ' || *text == '\t'); len--)
		text++;
	buf_puts(c->out, "; ");
	buf_add(c->out, text, len);
	buf_putc(c->out, '\n');
}

/* Names that the instruction by itself does not show. */
static bool with_names(struct cursor *c, const struct bpf_insn *x, uint32_t at)
{
	const struct bpf_reloc *r = NULL;
	bool is_call = x->code == (BPF_JMP | BPF_CALL),
	     is_ld = x->code == (BPF_LD | BPF_IMM | BPF_DW);
	if (is_call && x->src_reg == BPF_PSEUDO_CALL) {
		buf_printf(c->out, "call %s", func_at(c->img, (int64_t)at + 1 + x->imm));
		return true;
	}
	if (is_ld && x->src_reg == BPF_PSEUDO_FUNC) {
		buf_printf(c->out, "r%d = %s ll", x->dst_reg,
			   func_at(c->img, (int64_t)at + 1 + x->imm));
		return true;
	}
	if ((is_call && x->src_reg) || (is_ld && x->src_reg))
		r = reloc_at(c->img, at);
	if (!r)
		return false;
	if (r->kind == RELOC_KFUNC) {
		buf_printf(c->out, "call %s", r->name);
		return true;
	}
	const char *name = c->p && r->index < c->p->map.len ? c->p->map.at[r->index]->name : "?";
	buf_printf(c->out, "r%d = map[%s]", x->dst_reg, name);
	if (r->kind == RELOC_MAPVAL)
		buf_printf(c->out, "[0]+%d", x[1].imm);
	buf_puts(c->out, " ll");
	return true;
}

void bpf_disasm(const struct program *p, const struct bpf_image *img, struct buf *out)
{
	struct cursor c = {.p = p, .img = img, .out = out};
	for (uint32_t at = 0; at < img->ninsn; at++) {
		const struct bpf_insn *x = &img->insn[at];
		if (c.func < img->func.len && img->func.at[c.func].insn == at) {
			buf_printf(out, "%s%s:\n", at ? "\n" : "", img->func.at[c.func++].name);
			c.src = NULL;
		}
		source_comment(&c, at);
		buf_printf(out, "%4u: (%02x) ", at, x->code);
		if (!with_names(&c, x, at))
			bpf_disasm_insn(x, at, out);
		buf_putc(out, '\n');
		if (x->code == (BPF_LD | BPF_IMM | BPF_DW))
			at++;
	}
}
