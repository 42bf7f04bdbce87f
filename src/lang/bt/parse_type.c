/* parse_type.c - types as a bpftrace script writes them, and where a type and an expression look
 * alike. */
#include <ctype.h>

#include "lang/bt/parse.h"

/* Words that are never a type: `(pid) - 1` is a subtraction. */
bool bt_is_reserved_builtin(const char *name, size_t n)
{
	static const char *const words[] = {"args", "ctx", "kstack", "nsecs",
					    "pid",  "tid", "ustack"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], name, n))
			return true;
	if (n > 10 && !memcmp(name, "__builtin_", 10))
		return true;
	size_t skip = n > 4 && !memcmp(name, "sarg", 4)  ? 4
		      : n > 3 && !memcmp(name, "arg", 3) ? 3
							 : 0;
	if (!skip)
		return false;
	for (size_t i = skip; i < n; i++)
		if (!isdigit((unsigned char)name[i]))
			return false;
	return true;
}

static bool is_builtin_type(const char *name)
{
	static const char *const names[] = {
		"void",      "bool",      "int8",          "int16",      "int32",  "int64",
		"uint8",     "uint16",    "uint32",        "uint64",     "string", "buffer",
		"inet",      "count_t",   "sum_t",         "min_t",      "max_t",  "avg_t",
		"stats_t",   "usum_t",    "umin_t",        "umax_t",     "uavg_t", "ustats_t",
		"timestamp", "macaddr_t", "cgroup_path_t", "username_t",
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static bool is_tag_word(const char *w)
{
	return !strcmp(w, "struct") || !strcmp(w, "union") || !strcmp(w, "enum");
}

static int64_t array_suffix(struct bt_parser *p)
{
	int64_t n = -2;
	bt_skip(p);
	if (bt_peek(p, 0) != ']') {
		uint64_t v = 0;
		const char *text = bt_number_text(p);
		if (bt_number(p->a, text, 0, &v) || v > UINT32_MAX)
			v = 0;
		n = (int64_t)v;
	}
	bt_expect(p, ']');
	return n;
}

/* `[]` or `[5]`: what stands behind a type; an index of an expression may be anything. */
static bool is_array_suffix(const struct bt_parser *p)
{
	uint32_t open = bt_scan(p, p->pos), at = bt_scan(p, open + 1);
	if (bt_at(p, open) != '[' || bt_is_ident_start(bt_at(p, at)))
		return false;
	return bt_at(p, bt_scan(p, bt_scan_ident(p, at))) == ']';
}

/* NULL when there is none; an error only when `loud`. */
static struct bt_type_name *type_name(struct bt_parser *p, bool loud)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	const char *base = bt_ident(p, loud ? "expected type name" : NULL);
	if (base && is_tag_word(base)) {
		const char *tag = bt_ident(p, loud ? "expected identifier" : NULL);
		base = tag ? arena_printf(p->a, "%s %s", base, tag) : NULL;
	}
	if (!base)
		return NULL;
	struct bt_type_name *t = arena_new(p->a, struct bt_type_name);
	t->base = base;
	VEC(int64_t) suffix = {0};
	for (;;) {
		if (bt_match(p, '*'))
			vec_push(&suffix, -1);
		else if (!loud && !is_array_suffix(p))
			break;
		else if (bt_match(p, '['))
			vec_push(&suffix, array_suffix(p));
		else
			break;
	}
	t->loc = bt_loc(p, begin);
	t->nsuffix = (unsigned)suffix.len;
	t->suffix =
		suffix.len ? arena_memdup(p->a, suffix.at, sizeof(*suffix.at) * suffix.len) : NULL;
	for (t->stars = 0; t->stars < suffix.len && suffix.at[t->stars] == -1;)
		t->stars++;
	vec_free(&suffix);
	if (t->nsuffix > 32)
		bt_syntax_at(p, begin, p->pos, "type is nested too deeply");
	return t;
}

static uint32_t scan_suffixes(const struct bt_parser *p, uint32_t pos, bool *any)
{
	for (pos = bt_scan(p, pos);; pos = bt_scan(p, pos)) {
		uint32_t end = bt_at(p, pos) == '*' ? pos + 1 : bt_scan_group(p, pos, '[', ']');
		if (end == pos)
			return pos;
		*any = true;
		pos = end;
	}
}

struct bt_type_name *bt_type_or_expr(struct bt_parser *p, const char *ends, struct bt_expr **e_ret)
{
	if (bt_is_word(p, "typeof"))
		return bt_type_annotation(p);
	bt_skip(p);
	uint32_t begin = p->pos, end = bt_scan_ident(p, begin);
	char *name = arena_strndup(p->a, p->src->text + begin, end - begin);
	if (!bt_is_ident_start(name[0]) || bt_is_reserved_builtin(name, strlen(name))) {
		*e_ret = bt_expression(p);
		return NULL;
	}
	bool known = is_builtin_type(name), suffix = false;
	if (is_tag_word(name)) {
		known = true;
		end = bt_scan_ident(p, bt_scan(p, end));
	}
	char after = bt_at(p, bt_scan(p, scan_suffixes(p, end, &suffix)));
	if ((known || suffix) && after && strchr(ends, after))
		return type_name(p, true);
	*e_ret = bt_expression(p); /* a lone word may still turn out to be a type */
	return NULL;
}

struct bt_type_name *bt_type_annotation(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (!bt_match_word(p, "typeof"))
		return type_name(p, true);
	struct bt_expr *of = NULL;
	bt_expect(p, '(');
	struct bt_type_name *t = NULL;
	if (bt_enter(p))
		t = bt_type_or_expr(p, ")", &of);
	bt_leave(p);
	bt_expect(p, ')');
	if (!t) {
		t = arena_new(p->a, struct bt_type_name);
		t->typeof_expr = of;
	}
	t->loc = bt_loc(p, begin);
	return t;
}

static bool can_start_expr(const struct bt_parser *p)
{
	char c = bt_at(p, bt_scan(p, p->pos));
	return c && (bt_is_ident_char(c) || strchr("$@\"(-!~*&", c));
}

struct bt_expr *bt_try_cast(struct bt_parser *p, uint32_t begin)
{
	uint32_t back = p->pos, at = bt_scan(p, p->pos), end = bt_scan_ident(p, at);
	struct bt_type_name *t = NULL;
	if (bt_is_word(p, "typeof"))
		t = bt_type_annotation(p);
	else if (bt_is_ident_start(bt_at(p, at)) &&
		 !bt_is_reserved_builtin(p->src->text + at, end - at))
		t = type_name(p, false);
	if (!t || !bt_match(p, ')') || !can_start_expr(p)) {
		if (!p->failed)
			p->pos = back;
		return NULL;
	}
	bt_skip(p);
	struct loc loc = bt_loc(p, begin);
	struct bt_expr *of = bt_unary(p), *e = bt_new(p, BT_CAST, begin);
	bt_set_kids(p, e, &of, 1);
	e->type_name = t;
	e->loc = loc; /* the parentheses only */
	return e;
}
