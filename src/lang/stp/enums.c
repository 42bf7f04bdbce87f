/*
 * enums.c - @enum("NAME"): the value of an enumerator, and @enumname(value[, "type"[, "module"]]): the name of one, as text.
 *
 * Where they are looked for: in the module that is named, in the probe's program, in the kernel.
 */
#include <stdio.h>

#include "lang/stp/lower.h"

static struct dwarf *program_of(struct stp_comp *c, const struct stp_dprobe *dp, const char *module)
{
	struct str_list paths = {0};
	struct elf_file *f = NULL;
	enum probe_kind k = dp ? dp->spec.kind : PK_COUNT;
	bool is_user = k == PK_UPROBE || k == PK_URETPROBE || k == PK_USDT;
	const char *path = is_user && dp->points.list.len ? dp->points.list.at[0]->target : NULL;
	if (module && !str_has_prefix(module, "kernel")) {
		err_free(elf_resolve_path(c->world, module, &paths));
		path = paths.list.len ? arena_strdup(c->a, paths.list.at[0]) : NULL;
		vec_free(&paths.list);
	} else if (module) {
		path = NULL;
	}
	if (path)
		err_free(elf_open(c->world, path, &f));
	return f ? elf_dwarf(f, NULL) : NULL;
}

bool stp_enumerator(struct stp_comp *c, const struct stp_dprobe *dp, const struct stp_expr *e, int64_t *ret)
{
	struct dwarf *d = program_of(c, dp, e->text2);
	uint32_t id;
	if (d && dwarf_enumerator(d, e->text, ret))
		return true;
	struct err *err = NULL;
	struct btf *btf = e->text2 && d ? NULL : world_btf(c->world, &err);
	err_free(err);
	return btf && btf_enumerator(btf, e->text, ret, &id);
}

/* "fruit" and "enum fruit" are the same. */
static struct type *named_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e)
{
	bool has_word = str_has_prefix(e->text, "enum ");
	const char *with = has_word ? e->text : arena_printf(c->a, "enum %s", e->text);
	struct stp_expr as = {.kind = SE_CAST, .loc = e->loc, .text = with, .text2 = e->text2};
	struct type *t = stp_cast_type(c, dp, &as);
	as.text = e->text;
	return t && t->kind == TYPE_ENUM ? t : stp_cast_type(c, dp, &as); /* a typedef */
}

struct type *stp_enum_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e)
{
	struct type *t = NULL;
	struct stp_path p;
	if (e->text) {
		t = named_type(c, dp, e);
	} else if (stp_is_target(e->kid[0])) {
		c->quiet++;
		t = stp_target_path(c, dp, e->kid[0], &p) ? p.type : NULL;
		c->quiet--;
	}
	if (t)
		type_complete(t, c->a);
	return t && t->kind == TYPE_ENUM ? t : NULL;
}

uint32_t stp_enum_cap(const struct type *t)
{
	size_t longest = 24; /* a number */
	for (uint32_t i = 0; t && i < t->nenumerator; i++)
		longest = MAX(longest, strlen(t->enumerator[i].name) + 1);
	return (uint32_t)ALIGN_UP(MIN(longest, (size_t)STP_MAXSTRING), 8u);
}

enum { MAX_NAMES = 512 };

struct stp_value stp_lower_enumname(struct stp_lower *l, struct stp_expr *e)
{
	struct type *t = stp_enum_type(l->c, l->dp, e);
	uint32_t cap = stp_enum_cap(t), n = t ? MIN(t->nenumerator, (uint32_t)MAX_NAMES) : 0;
	struct stp_value v = stp_long(stp_lower_long(l, e->kid[0]));
	ir_ref dst = kit_mem_zero(&l->kit, cap), at = stp_c(l, 0);
	char *names = arena_alloc(l->c->a, (size_t)cap * (n + 1)); /* one a row; the first stands for none */
	memset(names, 0, (size_t)cap * (n + 1));
	for (uint32_t i = n; i-- > 0;) { /* of two for one value the first counts */
		snprintf(names + (size_t)cap * (i + 1), cap, "%s", t->enumerator[i].name);
		at = ir_select(LB(l), ir_bini(LB(l), IR_EQ, v.v, t->enumerator[i].value), stp_c(l, (int64_t)cap * (i + 1)), at);
	}
	uint32_t other = ir_block_new(LB(l), "no_name"), named = ir_block_new(LB(l), "named"), end = ir_block_new(LB(l), "enumname");
	ir_br(LB(l), at, named, other);
	ir_at(LB(l), named);
	uint32_t table = program_rodata(l->c->prog, names, (size_t)cap * (n + 1), 8);
	kit_copy(&l->kit, dst, ir_bin(LB(l), IR_ADD, ir_mapval(LB(l), l->c->prog->rodata, table), at), cap);
	ir_jmp(LB(l), end);
	ir_at(LB(l), other);
	struct stp_value number = stp_format_into(l, "%d", &v, 1, 24, e->loc);
	kit_str_copy(&l->kit, dst, cap, number.v, number.cap);
	ir_jmp(LB(l), end);
	ir_at(LB(l), end);
	return stp_string(dst, cap);
}
