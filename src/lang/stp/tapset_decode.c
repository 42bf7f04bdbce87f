/* tapset_decode.c - numbers by their names: __flags("table", value) and __enum("table", value) for tapset/syscall.stp. */
#include "lang/stp/lower.h"
#include "lang/stp/syscalls.h"

enum { FLAGS_CAP = STP_MAXSTRING, ENUM_CAP = 64, NAME_MAX_LEN = 60, NAMES_MAX = 160 };

/* As the runtime reads it: struct stp_name of runtime/stp_names.h. */
struct name_row {
	uint64_t mask, value;
	uint32_t len;
	char name[NAME_MAX_LEN];
};

const struct stp_decoder *stp_decoder_find(const char *name)
{
	static const struct stp_decoder *const tables[] = {stp_decode_file, stp_decode_task, stp_decode_net, stp_decode_sock, stp_decode_nfs};
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct stp_decoder *d = tables[i]; d->name; d++)
			if (str_eq(d->name, name))
				return d;
	return NULL;
}

static ir_ref names_of(struct stp_lower *l, const struct stp_decoder *d)
{
	struct name_row *row = arena_array(l->c->a, struct name_row, d->ncodes);
	for (unsigned i = 0; i < d->ncodes; i++) {
		row[i] = (struct name_row){.mask = d->code[i].mask, .value = d->code[i].value};
		row[i].len = (uint32_t)MIN(strlen(d->code[i].name), (size_t)NAME_MAX_LEN);
		memcpy(row[i].name, d->code[i].name, row[i].len);
	}
	uint32_t at = program_rodata(l->c->prog, row, d->ncodes * sizeof(*row), 8);
	return ir_mapval(LB(l), l->c->prog->rodata, at);
}

/* number: bytes of the result */
static struct stp_value lower_decode(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	const struct stp_decoder *d = arg[0].lit ? stp_decoder_find(arg[0].lit) : NULL;
	if (!d || d->ncodes > NAMES_MAX) {
		stp_error(l->c, e->loc, "no table of names '%s'", arg[0].lit ? arg[0].lit : "?");
		return stp_literal(l, "");
	}
	uint64_t cap = (uint64_t)e->func->native->number;
	ir_ref dst = kit_mem_zero(&l->kit, (uint32_t)cap);
	uint64_t packed = d->ncodes | (uint64_t)d->base << 16 | cap << 32;
	ir_rt(LB(l), "rt_stp_decode", dst, names_of(l, d), stp_c(l, (int64_t)packed), arg[1].v, stp_cell(l));
	return stp_string(dst, (uint32_t)cap);
}

/* __number("table", name): the number of that name, or -1. */
static struct stp_value lower_number(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	const struct stp_decoder *d = arg[0].lit ? stp_decoder_find(arg[0].lit) : NULL;
	if (!d || d->ncodes > NAMES_MAX) {
		stp_error(l->c, e->loc, "no table of names '%s'", arg[0].lit ? arg[0].lit : "?");
		return stp_long(stp_c(l, -1));
	}
	ir_ref name = kit_mem(&l->kit, NAME_MAX_LEN + 12), cell = stp_cell(l);
	kit_str_copy(&l->kit, name, NAME_MAX_LEN + 4, arg[1].v, arg[1].cap);
	ir_rt(LB(l), "rt_stp_number_of", names_of(l, d), stp_c(l, d->ncodes), name, cell);
	return stp_long(ir_load(LB(l), cell, 0, 8, false));
}

static struct stp_value lower_octal(struct stp_lower *l, const struct stp_expr *e, struct stp_value *arg)
{
	ir_ref dst = kit_mem_zero(&l->kit, 32);
	ir_rt(LB(l), "rt_stp_octal", dst, arg[0].v, stp_cell(l));
	return stp_string(dst, 32);
}

const struct stp_native stp_tapset_decode[] = {
	{"__flags", "s:sl", NF_PURE, FLAGS_CAP, lower_decode, FLAGS_CAP},
	{"__enum", "s:sl", NF_PURE, ENUM_CAP, lower_decode, ENUM_CAP},
	{"__number", "l:ss", NF_PURE, 0, lower_number},
	{"__octal", "s:l", NF_PURE, 32, lower_octal},
	{0},
};
