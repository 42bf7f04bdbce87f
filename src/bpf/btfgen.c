/*
 * btfgen.c - BTF for our own programs: what callbacks require (func_info) and what makes the
 * verifier's log speak of script lines (line_info).  Format: Documentation/bpf/btf.rst of the
 * kernel.
 */
#include "bpf/bpf.h"

#include <ctype.h>

/* <linux/btf.h> has a struct whose name the debuginfo room uses for something else. */
enum {
	BTF_INT = 1,
	BTF_PTR = 2,
	BTF_ARRAY = 3,
	BTF_FUNC = 12,
	BTF_FUNC_PROTO = 13,
	BTF_MAGIC_NUMBER = 0xeb9f
};
struct wire_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
};
struct wire_type {
	uint32_t name_off, info, type;
};
struct wire_param {
	uint32_t name_off, type;
};
struct wire_array {
	uint32_t type, index_type, nelems;
};

enum {
	TYPE_WORD = 1,
	TYPE_BYTE = 2,
	TYPE_PROTO = 3, /* of 0 words, then of 1, ... */
	MAX_PARAMS = 5,
	MAX_NAME = 100
};

struct gen {
	struct buf types, strings;
	uint32_t ntypes;
	struct numtab lines;      /* by source line: offset of its text + 1 */
	const struct source *src; /* whose line starts these are */
	VEC(uint32_t) start;
	uint32_t arg[MAX_PARAMS]; /* names of parameters */
	uint32_t file;
};

static uint32_t string(struct gen *g, const char *s, size_t n)
{
	uint32_t at = (uint32_t)g->strings.len;
	buf_add(&g->strings, s, n);
	buf_putc(&g->strings, 0);
	return at;
}

static uint32_t add_type(struct gen *g, uint32_t name, uint32_t kind, uint32_t vlen, uint32_t type)
{
	struct wire_type t = {.name_off = name, .info = kind << 24 | vlen, .type = type};
	buf_add(&g->types, &t, sizeof(t));
	return ++g->ntypes;
}

/* A function of n parameters of the type given, the first one's apart, that returns a word. */
static uint32_t prototype(struct gen *g, uint32_t n, uint32_t first)
{
	uint32_t id = add_type(g, 0, BTF_FUNC_PROTO, n, TYPE_WORD);
	for (uint32_t i = 0; i < n; i++) {
		struct wire_param p = {g->arg[i], i ? TYPE_WORD : first};
		buf_add(&g->types, &p, sizeof(p));
	}
	return id;
}

static uint32_t integer(struct gen *g, const char *name, uint32_t bytes)
{
	uint32_t bits = 8 * bytes, id = add_type(g, string(g, name, strlen(name)), BTF_INT, 0, bytes);
	buf_add(&g->types, &bits, sizeof(bits));
	return id;
}

/* Type 1: a word, 2: a byte.  Then functions of 0 to 5 words. */
static void basic_types(struct gen *g)
{
	buf_putc(&g->strings, 0);
	integer(g, "u64", 8);
	integer(g, "u8", 1);
	for (int i = 0; i < MAX_PARAMS; i++) {
		char name[3] = {'a', (char)('1' + i)};
		g->arg[i] = string(g, name, 2);
	}
	for (uint32_t n = 0; n <= MAX_PARAMS; n++)
		prototype(g, n, TYPE_WORD);
}

/* f(u8 (*)[bytes], u64, ...) */
static uint32_t prototype_of_bytes(struct gen *g, uint32_t n, uint32_t bytes)
{
	struct wire_array a = {TYPE_BYTE, TYPE_WORD, bytes};
	uint32_t array = add_type(g, 0, BTF_ARRAY, 0, 0);
	buf_add(&g->types, &a, sizeof(a));
	return prototype(g, n, add_type(g, 0, BTF_PTR, 0, array));
}

/* The kernel takes C identifiers only. */
static uint32_t func_name(struct gen *g, const char *name)
{
	char s[MAX_NAME + 1];
	size_t n = 0;
	if (!isalpha((unsigned char)*name) && *name != '_')
		s[n++] = '_';
	for (; *name && n < MAX_NAME; name++)
		s[n++] = isalnum((unsigned char)*name) ? *name : '_';
	return string(g, s, n);
}

/* Static linkage: the verifier follows calls instead of judging the function by its prototype. */
static void functions(struct gen *g, const struct bpf_image *img, struct bpf_btf *ret)
{
	enum {
		STATIC,
		GLOBAL
	};
	ret->func_info = xcalloc(MAX(img->func.len, (size_t)1), sizeof(*ret->func_info));
	vec_each(f, &img->func) {
		uint32_t n = MIN(f->nparams, (unsigned)MAX_PARAMS);
		uint32_t proto = f->param0_bytes ? prototype_of_bytes(g, n, f->param0_bytes) : TYPE_PROTO + n;
		uint32_t id = add_type(g, func_name(g, f->name), BTF_FUNC, f->is_global ? GLOBAL : STATIC, proto);
		vec_push(&ret->func_type_id, id);
		ret->func_info[ret->nfunc_info++] = (struct bpf_func_info){f->insn, id};
	}
}

static void find_lines(struct gen *g, const struct source *src)
{
	g->src = src;
	g->start.len = 0;
	numtab_free(&g->lines);
	vec_push(&g->start, 0);
	for (uint32_t i = 0; i < src->len; i++)
		if (src->text[i] == '\n')
			vec_push(&g->start, i + 1);
}

static struct bpf_line_info line_info(struct gen *g, uint32_t insn, struct loc loc)
{
	if (loc.src != g->src)
		find_lines(g, loc.src);
	size_t lo = 0, hi = g->start.len;
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;
		if (g->start.at[mid] <= loc.begin)
			lo = mid;
		else
			hi = mid;
	}
	uintptr_t text = (uintptr_t)numtab_get(&g->lines, lo);
	if (!text) {
		size_t begin = g->start.at[lo],
		       end = lo + 1 < g->start.len ? g->start.at[lo + 1] - 1 : loc.src->len;
		text = string(g, loc.src->text + begin, end > begin ? end - begin : 0) + 1;
		numtab_set(&g->lines, lo, (void *)text);
	}
	uint32_t col = MIN(loc.begin - g->start.at[lo] + 1, 1023u);
	return (struct bpf_line_info){insn, g->file, (uint32_t)(text - 1),
				      (uint32_t)(lo + 1) << 10 | col};
}

/* Each function must have a line at its first instruction, and places must increase. */
static void lines(struct gen *g, const struct bpf_image *img, struct bpf_btf *ret)
{
	size_t l = 0;
	uint32_t runtime = string(g, "runtime", 7);
	ret->line_info = xcalloc(img->line.len + img->func.len + 1, sizeof(*ret->line_info));
	for (size_t i = 0; i < img->func.len; i++) {
		uint32_t begin = img->func.at[i].insn;
		uint32_t end = i + 1 < img->func.len ? img->func.at[i + 1].insn : img->ninsn;
		if (l >= img->line.len || img->line.at[l].insn != begin)
			ret->line_info[ret->nline_info++] =
				(struct bpf_line_info){begin, runtime, 0, 0};
		for (; l < img->line.len && img->line.at[l].insn < end; l++)
			if (img->line.at[l].loc.src)
				ret->line_info[ret->nline_info++] =
					line_info(g, img->line.at[l].insn, img->line.at[l].loc);
	}
}

void bpf_btf_build(const struct bpf_image *img, const char *script_name, struct bpf_btf *ret)
{
	struct gen g = {0};
	*ret = (struct bpf_btf){0};
	basic_types(&g);
	g.file = string(&g, script_name, strlen(script_name));
	functions(&g, img, ret);
	lines(&g, img, ret);
	struct wire_header h = {.magic = BTF_MAGIC_NUMBER,
				.version = 1,
				.hdr_len = sizeof(h),
				.type_len = (uint32_t)g.types.len,
				.str_off = (uint32_t)g.types.len,
				.str_len = (uint32_t)g.strings.len};
	struct buf all = {0};
	buf_add(&all, &h, sizeof(h));
	buf_add(&all, g.types.data, g.types.len);
	buf_add(&all, g.strings.data, g.strings.len);
	ret->data = all.data;
	ret->len = (uint32_t)all.len;
	buf_free(&g.types);
	buf_free(&g.strings);
	numtab_free(&g.lines);
	vec_free(&g.start);
}

void bpf_btf_free(struct bpf_btf *b)
{
	base_free(b->data);
	vec_free(&b->func_type_id);
	base_free(b->func_info);
	base_free(b->line_info);
	*b = (struct bpf_btf){0};
}
