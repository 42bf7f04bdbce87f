/*
 * kit_usdt.c - arguments of USDT probes.  A note describes each as SIZE@OPERAND in the assembler's
 * spelling: `8@%rdi`, `-4@$5`, `4@-20(%rbp)`, `8@16(%rsp,%rax,8)`, `4@counter+8(%rip)`; a negative size is signed,
 * an `f` behind it says floating-point (systemtap's sys/sdt.h).  The oldest notes have no size.
 */
#include <ctype.h>
#include <stdlib.h>

#include "lang/arch.h"
#include "lang/kit_internal.h"

struct operand {
	int size;
	bool is_constant, is_memory, is_high; /* is_high: %ah and its like */
	int64_t number; /* the constant, or the displacement */
	char symbol[64]; /* whose address is added, "": none */
	char base[8], index[8];
	int scale;
};

/* "%eax", "%r8d", "%dil" -> the kernel's "ax", "r8", "di". */
static const char *read_register(const char *p, char name[8])
{
	char reg[8] = "";
	size_t n = 0;
	if (*p++ != '%')
		return NULL;
	while (isalnum((unsigned char)*p) && n < sizeof(reg) - 1)
		reg[n++] = *p++;
	const char *r = reg;
	bool is_numbered = r[0] == 'r' && isdigit((unsigned char)r[1]);
	if (is_numbered) {
		if (strchr("bwd", reg[n - 1]))
			reg[n - 1] = '\0';
	} else {
		if ((r[0] == 'r' || r[0] == 'e') && n == 3)
			r++;
		n = strlen(r);
		if (n == 3 && r[2] == 'l') /* dil, sil, bpl */
			reg[strlen(reg) - 1] = '\0';
	}
	strcpy(name, r);
	if (n == 2 && strchr("lh", r[1]) && strchr("abcd", r[0])) /* al, ah -> ax */
		name[1] = 'x';
	return arch_reg_offset(name) < 0 ? NULL : p;
}

/* After the displacement: "(%base,%index,scale)". */
static const char *read_memory(const char *p, struct operand *o)
{
	o->is_memory = true;
	o->scale = 1;
	if (*p++ != '(' || (*p != ',' && !(p = read_register(p, o->base))))
		return NULL;
	if (*p == ',' && !(p = read_register(p + 1, o->index)))
		return NULL;
	if (*p == ',') {
		char *end;
		o->scale = (int)strtol(p + 1, &end, 10);
		p = end;
	}
	return *p == ')' ? p + 1 : NULL;
}

/* "counter", "counter+8": the symbol; what is added stays in o->number. */
static const char *read_symbol(const char *p, struct operand *o)
{
	size_t n = 0;
	while (isalnum((unsigned char)*p) || strchr("_.$@", *p ? *p : ' ')) {
		if (n + 1 >= sizeof(o->symbol))
			return NULL;
		o->symbol[n++] = *p++;
	}
	o->symbol[n] = '\0';
	return p;
}

static const char *read_address(const char *p, struct operand *o)
{
	char *end = (char *)p;
	bool named = isalpha((unsigned char)*p) || *p == '_' || *p == '.';
	if (named && !(p = read_symbol(p, o)))
		return NULL;
	if (!named || *p == '+' || *p == '-') {
		o->number = strtoll(p, &end, 0);
		/* gas keeps sums as they were written: 16+8(%rsp) */
		while (*end == '+' || *end == '-')
			o->number += strtoll(end, &end, 0);
		p = end;
	}
	return read_memory(p, o);
}

static const char *read_operand(const char *p, struct operand *o)
{
	char *end;
	*o = (struct operand){0};
	o->size = (int)strtol(p, &end, 10);
	end += *end == 'f';
	if (*end == '@')
		p = end + 1;
	else
		o->size = 8;
	if (*p == '%') {
		o->is_high = p[2] == 'h' && strchr("abcd", p[1]);
		return read_register(p, o->base);
	}
	if (*p == '$') {
		o->is_constant = true;
		o->number = strtoll(p + 1, &end, 0);
		return end;
	}
	return read_address(p, o);
}

static bool find_operand(const char *args, unsigned i, struct operand *o)
{
	for (const char *p = args ? args : "";; i--) {
		p += strspn(p, " ");
		if (!*p)
			return false;
		const char *end = read_operand(p, o);
		if (!i)
			return end != NULL;
		p += strcspn(p, " ");
	}
}

unsigned kit_usdt_nargs(const char *args)
{
	unsigned n = 0;
	for (const char *p = args ? args : ""; *(p += strspn(p, " ")); p += strcspn(p, " "))
		n++;
	return n;
}

bool kit_usdt_arg_size(const char *args, unsigned i, int *ret)
{
	struct operand o;
	if (!find_operand(args, i, &o))
		return false;
	*ret = o.size;
	int width = abs(o.size);
	return width == 1 || width == 2 || width == 4 || width == 8;
}

/* Where the file of the probe has a symbol, as linked. */
static bool symbol_address(struct kit *k, const char *name, uint64_t *ret)
{
	struct elf_file *f = NULL;
	if (k->point && k->point->target)
		err_free(elf_open(k->world, k->point->target, &f));
	const struct elf_symbol *s = f ? elf_symbol_by_name(f, name) : NULL;
	*ret = s ? s->value : 0;
	return s && !s->is_undefined;
}

ir_ref kit_usdt_arg(struct kit *k, const char *args, unsigned i, struct loc loc)
{
	struct operand o;
	if (!find_operand(args, i, &o))
		return 0;
	unsigned width = (unsigned)abs(o.size);
	if (width != 1 && width != 2 && width != 4)
		width = 8;
	bool is_signed = o.size < 0;
	if (o.is_constant)
		return ir_ext(B(k), C(k, o.number), width, is_signed);
	ir_ref v = *o.base ? kit_reg(k, o.base) : C(k, 0);
	if (o.is_high)
		v = ir_bini(B(k), IR_LSHR, v, 8);
	if (!o.is_memory)
		return ir_ext(B(k), v, width, is_signed);
	if (*o.symbol) {
		uint64_t address;
		if (!symbol_address(k, o.symbol, &address))
			return 0;
		bool relative = str_eq(o.base, arch_ip_reg());
		ir_ref where = ir_bini(B(k), IR_ADD, kit_load_bias(k), (int64_t)address);
		v = relative ? where : ir_bin(B(k), IR_ADD, v, where);
	}
	if (*o.index)
		v = ir_bin(B(k), IR_ADD, v, ir_bini(B(k), IR_MUL, kit_reg(k, o.index), o.scale));
	return kit_read_scalar(k, v, o.number, width, is_signed, AS_USER, loc);
}

const char *kit_usdt_unreadable(struct kit *k, const char *args, unsigned i)
{
	struct operand o;
	uint64_t address;
	if (find_operand(args, i, &o) && (!*o.symbol || symbol_address(k, o.symbol, &address)))
		return NULL;
	for (const char *p = args ? args : ""; *(p += strspn(p, " ")); p += strcspn(p, " "))
		if (!i--)
			return arena_strndup(k->prog->arena, p, strcspn(p, " "));
	return NULL;
}
