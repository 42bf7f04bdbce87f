/*
 * rtlink.c - reads the runtime library: an ELF64 little-endian relocatable BPF object as clang
 * writes it.
 *
 * Only what the linker needs, each byte bounds-checked; structs are copied out, because nothing
 * promises alignment.  Formats: elf(5); the kernel's Documentation/bpf/llvm_reloc.rst for the
 * relocations.
 */
#include "bpf/mi.h"

#include <elf.h>
#include <stdlib.h>

enum {
	RELOC_64_64 = 1,    /* ld_imm64 of a symbol's address */
	RELOC_NODYLD32 = 4, /* debug sections only */
	RELOC_64_32 = 10,   /* call */
	MACHINE_BPF = 247,
	MAX_PARAMS = 5,
};
#define GLOBAL "rt.global." /* sections of functions that the kernel verifies by themselves; then their parameters */

static bool inside(size_t size, uint64_t off, uint64_t n)
{
	return off <= size && n <= size - off;
}

static Elf64_Shdr shdr(const struct rt_obj *o, uint32_t i)
{
	Elf64_Shdr s;
	memcpy(&s, (const uint8_t *)o->shdr + i * sizeof(s), sizeof(s));
	return s;
}

static Elf64_Sym symbol(const struct rt_obj *o, uint32_t i)
{
	Elf64_Sym s;
	memcpy(&s, (const uint8_t *)o->sym + i * sizeof(s), sizeof(s));
	return s;
}

/* A string of a table that ends with NUL. */
static const char *string_at(const char *table, uint32_t size, uint32_t off)
{
	return off < size ? table + off : "";
}

/* Checks a string section and gives its bounds. */
static bool string_table(const struct rt_obj *o, uint32_t i, const char **str, uint32_t *n)
{
	if (!i || i >= o->nshdr)
		return false;
	Elf64_Shdr s = shdr(o, i);
	if (s.sh_type != SHT_STRTAB || !s.sh_size || s.sh_size > UINT32_MAX ||
	    !inside(o->size, s.sh_offset, s.sh_size) || o->data[s.sh_offset + s.sh_size - 1])
		return false;
	*str = (const char *)o->data + s.sh_offset;
	*n = (uint32_t)s.sh_size;
	return true;
}

struct err *rt_open(const void *data, size_t size, struct rt_obj *o)
{
	Elf64_Ehdr h;
	*o = (struct rt_obj){.data = data, .size = size};
	if (size < sizeof(h))
		return err_new(0, "runtime library: too short");
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_type != ET_REL || h.e_machine != MACHINE_BPF)
		return err_new(0, "runtime library: not a BPF object");
	if (h.e_shentsize != sizeof(Elf64_Shdr) ||
	    !inside(size, h.e_shoff, (uint64_t)h.e_shnum * sizeof(Elf64_Shdr)))
		return err_new(0, "runtime library: broken section headers");
	o->shdr = o->data + h.e_shoff;
	o->nshdr = h.e_shnum;
	if (!string_table(o, h.e_shstrndx, &o->shstr, &o->nshstr))
		return err_new(0, "runtime library: broken section names");
	for (uint32_t i = 0; i < o->nshdr; i++) {
		Elf64_Shdr s = shdr(o, i);
		if (s.sh_type != SHT_NOBITS && s.sh_type != SHT_NULL &&
		    !inside(size, s.sh_offset, s.sh_size))
			return err_new(0, "runtime library: section %u is outside of the file", i);
		if (s.sh_type != SHT_SYMTAB)
			continue;
		if (s.sh_entsize != sizeof(Elf64_Sym) ||
		    !string_table(o, s.sh_link, &o->str, &o->nstr))
			return err_new(0, "runtime library: broken symbol table");
		o->sym = o->data + s.sh_offset;
		o->nsym = (uint32_t)MIN(s.sh_size / sizeof(Elf64_Sym), (uint64_t)UINT32_MAX);
	}
	return o->sym ? NULL : err_new(0, "runtime library: no symbols");
}

static const char *symbol_name(const struct rt_obj *o, const Elf64_Sym *s)
{
	return string_at(o->str, o->nstr, s->st_name);
}

/* A symbol as a function: whole instructions of an executable section. */
static bool as_func(const struct rt_obj *o, const Elf64_Sym *s, struct rt_func *ret)
{
	if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || !s->st_shndx || s->st_shndx >= o->nshdr)
		return false;
	Elf64_Shdr sec = shdr(o, s->st_shndx);
	if (sec.sh_type != SHT_PROGBITS || !(sec.sh_flags & SHF_EXECINSTR) || !s->st_size ||
	    s->st_size % 8 || s->st_value % 8 || !inside(sec.sh_size, s->st_value, s->st_size) ||
	    s->st_size > UINT32_MAX)
		return false;
	*ret = (struct rt_func){
		.insn = (const struct bpf_insn *)(o->data + sec.sh_offset + s->st_value),
		.ninsn = (uint32_t)(s->st_size / 8),
		.section = s->st_shndx,
		.offset = (uint32_t)(s->st_value / 8),
		.name = symbol_name(o, s),
	};
	const char *name = string_at(o->shstr, o->nshstr, sec.sh_name);
	if (str_has_prefix(name, GLOBAL) && strlen(name) - strlen(GLOBAL) <= MAX_PARAMS)
		ret->params = name + strlen(GLOBAL);
	return true;
}

bool rt_find(const struct rt_obj *o, const char *name, struct rt_func *ret)
{
	for (uint32_t i = 1; i < o->nsym; i++) {
		Elf64_Sym s = symbol(o, i);
		if (!strcmp(symbol_name(o, &s), name) && as_func(o, &s, ret))
			return true;
	}
	return false;
}

bool rt_find_at(const struct rt_obj *o, uint32_t section, uint32_t offset, struct rt_func *ret)
{
	for (uint32_t i = 1; i < o->nsym; i++) {
		Elf64_Sym s = symbol(o, i);
		if (s.st_shndx == section && s.st_value == (uint64_t)offset * 8 &&
		    as_func(o, &s, ret))
			return true;
	}
	return false;
}

/* --- references
 * ---------------------------------------------------------------------------------------------- */

static struct bpf_insn insn_at(const struct rt_func *fn, uint32_t i)
{
	struct bpf_insn x;
	memcpy(&x, (const uint8_t *)fn->insn + (size_t)i * 8, sizeof(x));
	return x;
}

static struct err *broken(const struct rt_func *fn, uint32_t insn, const char *what)
{
	return err_new(0, "runtime library: %s, instruction %u: %s", fn->name, insn, what);
}

/* The target of a call: a symbol, or a place counted in instructions from a section's start. */
static struct err *call_ref(const struct rt_obj *o, const struct rt_func *fn, const Elf64_Sym *s,
			    struct rt_ref *r)
{
	int64_t at = (int64_t)(s->st_value / 8) + insn_at(fn, r->insn).imm + 1;
	r->kind = RT_REF_CALL;
	if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && as_func(o, s, &r->func))
		return NULL;
	if (at >= 0 && at <= UINT32_MAX && rt_find_at(o, s->st_shndx, (uint32_t)at, &r->func))
		return NULL;
	return broken(fn, r->insn, "calls what is no function of the library");
}

static struct err *data_ref(const struct rt_obj *o, const struct rt_func *fn, const Elf64_Sym *s,
			    struct rt_ref *r)
{
	Elf64_Shdr sec = shdr(o, s->st_shndx);
	const char *name = string_at(o->shstr, o->nshstr, sec.sh_name);
	int32_t addend = insn_at(fn, r->insn).imm;
	bool whole = ELF64_ST_TYPE(s->st_info) == STT_SECTION || !s->st_size;
	uint64_t begin = whole ? 0 : s->st_value, size = whole ? sec.sh_size : s->st_size;
	if (whole && ELF64_ST_TYPE(s->st_info) != STT_SECTION)
		addend += (int32_t)s->st_value;
	if (!str_has_prefix(name, ".rodata") || sec.sh_type != SHT_PROGBITS)
		return broken(fn, r->insn, "refers to data that is not constant");
	if (!inside(sec.sh_size, begin, size) || addend < 0 || (uint64_t)addend > size ||
	    size > (1u << 20))
		return broken(fn, r->insn, "refers to a place outside of its section");
	r->kind = RT_REF_RODATA;
	r->bytes = o->data + sec.sh_offset + begin;
	r->nbytes = (uint32_t)size;
	r->addend = (uint32_t)addend;
	r->align = (uint32_t)MIN(MAX(sec.sh_addralign, (uint64_t)1), (uint64_t)64);
	if (r->align & (r->align - 1))
		r->align = 64;
	return NULL;
}

static struct err *address_ref(const struct rt_obj *o, const struct rt_func *fn, const Elf64_Sym *s,
			       struct rt_ref *r)
{
	if (r->insn + 1 >= fn->ninsn || insn_at(fn, r->insn).code != (BPF_LD | BPF_IMM | BPF_DW))
		return broken(fn, r->insn, "has an address where none can be");
	if (!s->st_shndx) {
		r->kind = RT_REF_EXTERN;
		r->name = symbol_name(o, s);
		return NULL;
	}
	if (s->st_shndx >= o->nshdr)
		return broken(fn, r->insn, "refers to an unknown section");
	if (!(shdr(o, s->st_shndx).sh_flags & SHF_EXECINSTR))
		return data_ref(o, fn, s, r);
	int64_t at = ((int64_t)s->st_value + insn_at(fn, r->insn).imm) / 8;
	r->kind = RT_REF_FUNC;
	if (at < 0 || at > UINT32_MAX || !rt_find_at(o, s->st_shndx, (uint32_t)at, &r->func))
		return broken(fn, r->insn, "takes the address of what is no function");
	return NULL;
}

struct visit {
	const struct rt_obj *o;
	const struct rt_func *fn;
	uint8_t *done; /* by instruction: a relocation spoke for it */
	struct err *(*each)(void *arg, const struct rt_ref *ref);
	void *arg;
};

static struct err *one_reloc(struct visit *v, const Elf64_Rel *rel)
{
	uint64_t begin = (uint64_t)v->fn->offset * 8;
	uint32_t type = ELF64_R_TYPE(rel->r_info), sym = ELF64_R_SYM(rel->r_info);
	if (rel->r_offset < begin || rel->r_offset - begin >= (uint64_t)v->fn->ninsn * 8)
		return NULL;
	struct rt_ref r = {.insn = (uint32_t)((rel->r_offset - begin) / 8)};
	if (rel->r_offset % 8 || sym >= v->o->nsym || (type != RELOC_64_64 && type != RELOC_64_32))
		return broken(v->fn, r.insn, "has a relocation of an unknown kind");
	Elf64_Sym s = symbol(v->o, sym);
	v->done[r.insn] = 1;
	struct err *e = type == RELOC_64_32 ? call_ref(v->o, v->fn, &s, &r)
					    : address_ref(v->o, v->fn, &s, &r);
	return e ? e : v->each(v->arg, &r);
}

/* Calls within a section that the assembler resolved by itself. */
static struct err *plain_calls(struct visit *v)
{
	for (uint32_t i = 0; i < v->fn->ninsn; i++) {
		struct bpf_insn x = insn_at(v->fn, i);
		if (x.code == (BPF_LD | BPF_IMM | BPF_DW)) {
			i++;
			continue;
		}
		if (x.code != (BPF_JMP | BPF_CALL) || x.src_reg != BPF_PSEUDO_CALL || v->done[i])
			continue;
		int64_t at = (int64_t)v->fn->offset + i + x.imm + 1;
		struct rt_ref r = {RT_REF_CALL, i};
		if (at < 0 || at > UINT32_MAX ||
		    !rt_find_at(v->o, v->fn->section, (uint32_t)at, &r.func))
			return broken(v->fn, i, "calls what is no function");
		struct err *e = v->each(v->arg, &r);
		if (e)
			return e;
	}
	return NULL;
}

struct err *rt_refs(const struct rt_obj *o, const struct rt_func *fn,
		    struct err *(*each)(void *arg, const struct rt_ref *ref), void *arg)
{
	_cleanup_free_ uint8_t *done = xcalloc(fn->ninsn, 1);
	struct visit v = {o, fn, done, each, arg};
	for (uint32_t i = 0; i < o->nshdr; i++) {
		Elf64_Shdr s = shdr(o, i);
		if (s.sh_type != SHT_REL || s.sh_info != fn->section)
			continue;
		for (uint64_t k = 0; k < s.sh_size / sizeof(Elf64_Rel); k++) {
			Elf64_Rel rel;
			memcpy(&rel, o->data + s.sh_offset + k * sizeof(rel), sizeof(rel));
			struct err *e = one_reloc(&v, &rel);
			if (e)
				return e;
		}
	}
	return plain_calls(&v);
}
