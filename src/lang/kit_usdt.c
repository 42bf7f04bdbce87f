/*
 * kit_usdt.c - arguments of USDT probes.  A note describes each as SIZE@OPERAND in the assembler's
 * spelling: `8@%rdi`, `-4@$5`, `4@-20(%rbp)`, `8@16(%rsp,%rax,8)`; a negative size is signed
 * (systemtap's sys/sdt.h).
 */
#include <ctype.h>
#include <stdlib.h>

#include "lang/arch.h"
#include "lang/kit_internal.h"

struct operand {
	int size;
	bool is_constant, is_memory;
	int64_t number; /* the constant, or the displacement */
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
	if (n == 2 && r[1] == 'l' && strchr("abcd", r[0])) /* al -> ax */
		name[1] = 'x';
	return arch_reg_offset(name) < 0 ? NULL : p;
}

/* After the displacement: "(%base,%index,scale)". */
static const char *read_memory(const char *p, struct operand *o)
{
	o->is_memory = true;
	o->scale = 1;
	if (*p++ != '(' || !(p = read_register(p, o->base)))
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

static const char *read_operand(const char *p, struct operand *o)
{
	char *end;
	*o = (struct operand){0};
	o->size = (int)strtol(p, &end, 10);
	if (*end != '@')
		return NULL;
	p = end + 1;
	if (*p == '%')
		return read_register(p, o->base);
	if (*p == '$') {
		o->is_constant = true;
		o->number = strtoll(p + 1, &end, 0);
		return end;
	}
	o->number = strtoll(p, &end, 0);
	return read_memory(end, o);
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
	ir_ref v = kit_reg(k, o.base);
	if (!o.is_memory)
		return ir_ext(B(k), v, width, is_signed);
	if (*o.index)
		v = ir_bin(B(k), IR_ADD, v, ir_bini(B(k), IR_MUL, kit_reg(k, o.index), o.scale));
	return kit_read_scalar(k, v, o.number, width, is_signed, AS_USER, loc);
}
