/* parse.c - the top level of a bpftrace script: C definitions, config, probes, macros, map
 * declarations. */
#include <ctype.h>

#include "lang/bt/parse.h"

/* --- the C part ---------------------------------------------------------------------------------
 */

/* A preprocessor line, with its continuation lines. */
static uint32_t scan_hash_line(const struct bt_parser *p, uint32_t pos)
{
	for (; pos < p->len && bt_at(p, pos) != '\n'; pos++)
		if (bt_at(p, pos) == '\\' && bt_at(p, pos + 1) == '\n')
			pos++;
	return pos;
}

/* struct, union or enum with a body, as opposed to a probe of that name. */
static bool is_c_definition(const struct bt_parser *p)
{
	if (!bt_is_word(p, "struct") && !bt_is_word(p, "union") && !bt_is_word(p, "enum"))
		return false;
	uint32_t pos = bt_scan(p, p->pos);
	while (pos < p->len) {
		char c = bt_at(p, pos);
		uint32_t next = pos;
		if (c == '{')
			return true;
		if (bt_is_ident_start(c))
			next = bt_scan_ident(p, pos);
		else if (c == '(')
			next = bt_scan_group(p, pos, '(', ')');
		else if (c == '[')
			next = bt_scan_group(p, pos, '[', ']');
		if (next == pos)
			return false;
		pos = bt_scan(p, next);
	}
	return false;
}

static uint32_t scan_braces(const struct bt_parser *p, uint32_t pos)
{
	unsigned depth = 0;
	while (pos < p->len) {
		uint32_t next = bt_scan(p, pos);
		if (next != pos) {
			pos = next;
			continue;
		}
		char c = bt_at(p, pos++);
		if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			break;
	}
	return pos;
}

static void attributes(struct bt_parser *p)
{
	while (bt_match_word(p, "__attribute__")) {
		bt_skip(p);
		uint32_t end = bt_scan_group(p, p->pos, '(', ')');
		if (bt_peek(p, 0) != '(' || bt_peek(p, 1) != '(')
			bt_syntax(p, "__attribute__ syntax error, expected '(('");
		else if (bt_at(p, end - 1) != ')' || bt_at(p, end - 2) != ')')
			bt_syntax(p, "__attribute__ syntax error, mismatched '(' and ')'");
		else
			p->pos = end;
	}
}

/* One piece of C text; NULL when none stands here. */
static struct bt_cdef *c_definition(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (bt_peek(p, 0) == '#' && bt_peek(p, 1) != '!') {
		p->pos = scan_hash_line(p, p->pos);
	} else if (is_c_definition(p)) {
		p->pos = scan_braces(p, p->pos);
		uint32_t end = p->pos;
		attributes(p);
		if (bt_scan(p, end) == bt_scan(p, p->pos) && !p->failed)
			p->pos = end;
	} else {
		return NULL;
	}
	struct bt_cdef *c = arena_new(p->a, struct bt_cdef);
	c->loc = bt_loc(p, begin);
	c->text = arena_strndup(p->a, p->src->text + begin, c->loc.end - begin);
	if (!bt_match(p, ';') && bt_peek(p, 0) == '\n')
		p->pos++;
	return c;
}

/* --- config -------------------------------------------------------------------------------------
 */

static void config_value(struct bt_parser *p, struct bt_config_item *item)
{
	uint32_t begin = item->loc.begin;
	bt_skip(p);
	if (bt_peek(p, 0) == '"') {
		item->text = bt_string(p, NULL);
		item->is_string = true;
	} else if (isdigit((unsigned char)bt_peek(p, 0))) {
		item->text = bt_number_text(p);
		item->is_number = true;
		if (bt_number(p->a, item->text, 0, &item->num))
			bt_syntax(p, "invalid integer in config");
	} else {
		item->text = bt_ident(p, "expected string, int, boolean, or ident");
		item->num = str_eq(item->text, "true");
		item->is_bool = item->num || str_eq(item->text, "false");
	}
	item->loc = bt_loc(p, begin);
}

static void config(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	struct bt_config_item **at = &p->script->config;
	bt_expect_word(p, "config");
	bt_expect(p, '=');
	bt_expect(p, '{');
	bt_skip(p);
	while (!bt_at_end(p) && bt_peek(p, 0) != '}') {
		struct bt_config_item *item = arena_new(p->a, struct bt_config_item);
		item->loc.begin = p->pos;
		item->key = bt_ident(p, "expected config key");
		bt_expect(p, '=');
		config_value(p, item);
		*at = item;
		at = &item->next;
		bt_skip(p);
		if (bt_peek(p, 0) != '}')
			bt_expect(p, ';');
		bt_skip(p);
	}
	bt_expect(p, '}');
	p->script->config_loc = bt_loc(p, begin);
}

static void import_root(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	struct bt_import *i = arena_new(p->a, struct bt_import), **at = &p->script->import;
	bt_expect_word(p, "import");
	bt_skip(p);
	i->path = "";
	if (bt_peek(p, 0) != '"')
		bt_syntax(p, "expected string after 'import'");
	else
		i->path = bt_string(p, NULL);
	i->loc = bt_loc(p, begin);
	if (!bt_match(p, ';'))
		bt_syntax(p, "expected ';' after import");
	while (*at)
		at = &(*at)->next;
	*at = i;
}

/* --- macros, functions, map declarations --------------------------------------------------------
 */

static struct bt_expr *macro_param(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	enum bt_expr_kind kind = BT_IDENT;
	const char *name;
	if (bt_peek(p, 0) == '$') {
		kind = BT_VAR;
		name = bt_variable(p);
	} else if (bt_peek(p, 0) == '@') {
		kind = BT_MAP;
		name = bt_map_name(p);
	} else {
		name = bt_ident(p, "expected macro argument ($var, @map, or identifier)");
		if (name && bt_is_reserved_builtin(name, strlen(name)))
			bt_syntax_at(p, begin, p->pos,
				     "builtin '%s' can't be used as a macro argument", name);
	}
	struct bt_expr *e = bt_new(p, kind, begin);
	e->text = name ? name : "";
	return e;
}

static struct bt_expr *fn_param(struct bt_parser *p)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (bt_peek(p, 0) != '$')
		bt_syntax(p, "expected variable in function argument");
	const char *name = bt_variable(p);
	struct bt_expr *e = bt_new(p, BT_VAR, begin);
	e->text = name;
	bt_expect(p, ':');
	e->type_name = bt_type_annotation(p);
	return e;
}

static struct bt_macro *macro(struct bt_parser *p, const char *word, bool is_fn)
{
	uint32_t begin = p->pos;
	struct bt_macro *m = arena_new(p->a, struct bt_macro);
	VEC(struct bt_expr *) param = {0};
	bt_expect_word(p, word);
	m->is_fn = is_fn;
	m->name = bt_ident(p, is_fn ? "expected function name" : "expected macro name");
	m->loc = bt_loc(p, begin);
	bt_expect(p, '(');
	bt_skip(p);
	if (bt_peek(p, 0) != ')') {
		do
			vec_push(&param, is_fn ? fn_param(p) : macro_param(p));
		while (bt_match(p, ','));
	}
	bt_expect(p, ')');
	if (is_fn) {
		bt_expect(p, ':');
		bt_type_annotation(p);
	}
	m->nparam = (unsigned)param.len;
	m->param = param.len ? arena_memdup(p->a, param.at, sizeof(*param.at) * param.len) : NULL;
	vec_free(&param);
	m->body = bt_block_parse(p, !is_fn);
	return m;
}

static struct bt_map_decl *map_decl(struct bt_parser *p)
{
	uint32_t begin = p->pos;
	struct bt_map_decl *m = arena_new(p->a, struct bt_map_decl);
	bt_expect_word(p, "let");
	bt_skip(p);
	if (bt_peek(p, 0) != '@')
		bt_syntax(p, "root-level let statements need to be map declarations, e.g. let "
			     "@a = hash(2);");
	m->name = bt_map_name(p);
	bt_expect(p, '=');
	m->kind = bt_ident(p, "expected map type name");
	bt_expect(p, '(');
	bt_skip(p);
	const char *text = bt_number_text(p);
	if (bt_number(p->a, text, 0, &m->size))
		bt_syntax(p, "expected positive integer for map declaration max entries");
	bt_expect(p, ')');
	m->loc = bt_loc(p, begin);
	bt_match(p, ';');
	if (bt_at(p, p->pos - 1) == ';')
		m->loc = bt_loc(p, begin);
	return m;
}

/* --- probes -------------------------------------------------------------------------------------
 */

static uint32_t scan_quoted(const struct bt_parser *p, uint32_t pos)
{
	for (pos++; pos < p->len && bt_at(p, pos) != '"'; pos++)
		if (bt_at(p, pos) == '\\')
			pos++;
	return MIN(pos + 1, p->len);
}

/* An attach point reaches to the next blank, `,` or `{`; a `/` ends it while it has neither `:` nor `@` yet. */
static uint32_t scan_point(const struct bt_parser *p, uint32_t pos)
{
	uint32_t begin = pos;
	bool colon = false;
	while (pos < p->len) {
		char c = bt_at(p, pos), next = bt_at(p, pos + 1);
		if (c == '{' || c == ',' || isspace((unsigned char)c))
			break;
		if (c == '/' && pos > begin && !colon && next != '/' && next != '*')
			break;
		colon = colon || c == ':' || c == '@';
		pos = c == '"' ? scan_quoted(p, pos) : pos + 1;
	}
	return pos;
}

static void predicate(struct bt_parser *p, struct bt_probe *probe)
{
	bt_skip(p);
	uint32_t begin = p->pos;
	if (bt_peek(p, 0) != '/')
		return;
	p->pos++;
	probe->predicate = bt_expression(p);
	if (!bt_match(p, '/'))
		bt_syntax(p, "expected '/' to close predicate");
	probe->pred_loc = bt_loc(p, begin);
}

static struct bt_probe *probe(struct bt_parser *p)
{
	struct bt_probe *probe = arena_new(p->a, struct bt_probe);
	VEC(struct bt_point) points = {0};
	do {
		bt_skip(p);
		if (points.len && (bt_peek(p, 0) == '/' || bt_peek(p, 0) == '{'))
			break;
		uint32_t begin = p->pos;
		p->pos = scan_point(p, begin);
		struct bt_point pt = {.loc = bt_loc(p, begin)};
		pt.text = arena_strndup(p->a, p->src->text + begin, p->pos - begin);
		if (p->pos == begin)
			bt_syntax(p, "expected attach point");
		if (!strcmp(pt.text, "BEGIN") || !strcmp(pt.text, "END"))
			p->script->is_lenient = true;
		vec_push(&points, pt);
	} while (bt_match(p, ','));
	probe->loc = loc_join(points.at[0].loc, vec_last(&points).loc);
	probe->npoint = (unsigned)points.len;
	probe->point = arena_memdup(p->a, points.at, sizeof(*points.at) * points.len);
	vec_free(&points);
	predicate(p, probe);
	probe->body = bt_block_parse(p, false);
	return probe;
}

/* --- the script ---------------------------------------------------------------------------------
 */

static void shebang(struct bt_parser *p)
{
	bt_skip(p);
	if (bt_peek(p, 0) != '#' || bt_peek(p, 1) != '!')
		return;
	p->script->is_lenient = true;
	while (!bt_at_end(p) && bt_peek(p, 0) != '\n')
		p->pos++;
}

static void c_part(struct bt_parser *p)
{
	struct bt_cdef **at = &p->script->cdef;
	while ((*at = c_definition(p)))
		at = &(*at)->next;
}

static void head(struct bt_parser *p)
{
	bool seen = false;
	for (;;) {
		bt_skip(p);
		if (bt_is_word(p, "config")) {
			if (seen)
				bt_syntax(p, "duplicate config block");
			config(p);
			seen = true;
		} else if (bt_is_word(p, "import")) {
			import_root(p);
		} else {
			return;
		}
	}
}

struct tails {
	struct bt_probe **probe;
	struct bt_macro **macro;
	struct bt_map_decl **map;
};

#define APPEND(tail, what) (*(tail) = (what), (tail) = &(*(tail))->next)

static void body_item(struct bt_parser *p, struct tails *t)
{
	uint32_t begin = p->pos;
	if ((bt_peek(p, 0) == '#' && bt_peek(p, 1) != '!') || is_c_definition(p)) {
		c_definition(p);
		bt_syntax_at(p, begin, p->pos,
			     "C definitions must appear before probes and functions");
	} else if (bt_is_word(p, "config")) {
		bt_syntax(p, "config must appear before probes and functions");
	} else if (bt_is_word(p, "import")) {
		bt_syntax(p, "root imports must appear before probes and functions");
	} else if (bt_is_word(p, "macro")) {
		APPEND(t->macro, macro(p, "macro", false));
	} else if (bt_is_word(p, "fn")) {
		APPEND(t->macro, macro(p, "fn", true));
	} else if (bt_is_word(p, "let")) {
		APPEND(t->map, map_decl(p));
	} else {
		APPEND(t->probe, probe(p));
	}
}

/*
 * After a syntax error the text goes on behind the braces of the item that began at `begin`, so that an error in the
 * next probe is told too; false when its braces do not end.
 */
static bool recover(struct bt_parser *p, uint32_t begin)
{
	unsigned depth = 0;
	uint32_t pos = begin;
	while (pos < p->len) {
		uint32_t next = bt_scan(p, pos);
		char c = bt_at(p, next);
		if (c == '"') {
			pos = scan_quoted(p, next);
			continue;
		}
		pos = next + 1;
		if (c == '{')
			depth++;
		if (c != '}')
			continue;
		if (!depth)
			return false;
		if (--depth == 0)
			break;
	}
	p->pos = MIN(pos, p->len);
	p->depth = 0;
	p->failed = false;
	bt_skip(p);
	return !bt_at_end(p) && (bt_is_ident_start(bt_peek(p, 0)) || bt_peek(p, 0) == '/');
}

struct bt_script *bt_parse(struct lang_input *in)
{
	struct bt_script *s = arena_new(in->arena, struct bt_script);
	struct bt_parser p = {.in = in,
			      .a = in->arena,
			      .src = in->src,
			      .len = (uint32_t)MIN(in->src->len, UINT32_MAX / 2),
			      .script = s};
	struct tails t = {&s->probe, &s->macro, &s->map_decl};
	shebang(&p);
	c_part(&p);
	head(&p);
	bool failed = p.failed;
	for (bt_skip(&p); !bt_at_end(&p); bt_skip(&p)) {
		uint32_t begin = p.pos;
		body_item(&p, &t);
		failed |= p.failed;
		if (p.failed && !recover(&p, begin))
			break;
	}
	return failed ? NULL : s;
}
