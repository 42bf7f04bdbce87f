/* dump.c - the tree of a script as indented text, for --dump=ast and --dump=types. */
#include "lang/bt/ast.h"

const char *bt_op_text(enum bt_op op)
{
	static const char *const text[] = {
		[BT_ADD] = "+",     [BT_SUB] = "-",      [BT_MUL] = "*",      [BT_DIV] = "/",
		[BT_MOD] = "%",     [BT_AND] = "&",      [BT_OR] = "|",       [BT_XOR] = "^",
		[BT_SHL] = "<<",    [BT_SHR] = ">>",     [BT_EQ] = "==",      [BT_NE] = "!=",
		[BT_LT] = "<",      [BT_LE] = "<=",      [BT_GT] = ">",       [BT_GE] = ">=",
		[BT_LAND] = "&&",   [BT_LOR] = "||",     [BT_NEG] = "-",      [BT_LNOT] = "!",
		[BT_BNOT] = "~",    [BT_DEREF] = "*",    [BT_ADDR] = "&",     [BT_PREINC] = "++",
		[BT_PREDEC] = "--", [BT_POSTINC] = "++", [BT_POSTDEC] = "--",
	};
	return text[op];
}

struct dump {
	struct buf *out;
	bool types;
};

static void block(struct dump *d, const struct bt_block *b, unsigned depth);

static void begin_line(struct dump *d, unsigned depth, const char *what)
{
	buf_fill(d->out, ' ', (size_t)2 * MIN(depth, 200u));
	buf_puts(d->out, what);
}

static void quoted(struct dump *d, const char *s, size_t n)
{
	buf_puts(d->out, " \"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			buf_printf(d->out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			buf_printf(d->out, "\\x%02x", c);
		else
			buf_putc(d->out, (char)c);
	}
	buf_putc(d->out, '"');
}

static void end_line(struct dump *d, const struct type *t)
{
	if (d->types && t) {
		buf_puts(d->out, " :: ");
		type_spell(t, d->out);
	}
	buf_putc(d->out, '\n');
}

static void expr(struct dump *d, const struct bt_expr *e, unsigned depth);

static void type_name(struct dump *d, const struct bt_type_name *t)
{
	buf_printf(d->out, " %s", t->base ? t->base : "typeof");
	for (unsigned i = 0; i < t->nsuffix; i++) {
		if (t->suffix[i] == -1)
			buf_putc(d->out, '*');
		else if (t->suffix[i] == -2)
			buf_puts(d->out, "[]");
		else
			buf_printf(d->out, "[%lld]", (long long)t->suffix[i]);
	}
}

static const char *const expr_names[] = {
	[BT_INT] = "int",
	[BT_BOOL] = "bool",
	[BT_STRING] = "string",
	[BT_IDENT] = "name",
	[BT_BUILTIN] = "builtin",
	[BT_POSITIONAL] = "param",
	[BT_POSCOUNT] = "param-count",
	[BT_VAR] = "var",
	[BT_MAP] = "map",
	[BT_CALL] = "call",
	[BT_UNOP] = "unary",
	[BT_BINOP] = "binary",
	[BT_TERNARY] = "ternary",
	[BT_FIELD] = "field",
	[BT_TUPLE_AT] = "element",
	[BT_INDEX] = "index",
	[BT_CAST] = "cast",
	[BT_TUPLE] = "tuple",
	[BT_RECORD] = "record",
	[BT_SIZEOF] = "sizeof",
	[BT_OFFSETOF] = "offsetof",
	[BT_TYPEOF] = "typeof",
	[BT_TYPEINFO] = "typeinfo",
	[BT_COMPTIME] = "comptime",
	[BT_BLOCK] = "block",
	[BT_IF] = "if",
};

static void expr_head(struct dump *d, const struct bt_expr *e)
{
	switch (e->kind) {
	case BT_INT:
		if ((int64_t)e->num < 0 && e->type && e->type->is_signed)
			buf_printf(d->out, " %lld", (long long)e->num);
		else
			buf_printf(d->out, " %llu", (unsigned long long)e->num);
		break;
	case BT_BOOL: buf_puts(d->out, e->num ? " true" : " false"); break;
	case BT_STRING: quoted(d, e->text, e->len); break;
	case BT_POSITIONAL:
	case BT_TUPLE_AT: buf_printf(d->out, " %llu", (unsigned long long)e->num); break;
	case BT_UNOP:
		buf_puts(d->out, e->op == BT_POSTINC || e->op == BT_POSTDEC ? " postfix " : " ");
		buf_puts(d->out, bt_op_text(e->op));
		break;
	case BT_BINOP: buf_printf(d->out, " %s", bt_op_text(e->op)); break;
	case BT_RECORD:
		for (unsigned i = 0; i < e->nkid; i++)
			buf_printf(d->out, " %s", e->names[i]);
		break;
	case BT_OFFSETOF:
		for (unsigned i = 0; i < e->num; i++)
			buf_printf(d->out, " .%s", e->names[i]);
		break;
	default:
		if (e->text)
			buf_printf(d->out, " %s", e->text);
	}
	if (e->type_name)
		type_name(d, e->type_name);
}

static void expr(struct dump *d, const struct bt_expr *e, unsigned depth)
{
	begin_line(d, depth, expr_names[e->kind]);
	expr_head(d, e);
	end_line(d, e->type);
	for (unsigned i = 0; i < e->nkid; i++)
		if (e->kid[i])
			expr(d, e->kid[i], depth + 1);
	if (e->type_name && e->type_name->typeof_expr)
		expr(d, e->type_name->typeof_expr, depth + 1);
	if (e->then_block)
		block(d, e->then_block, depth + 1);
	if (e->else_block) {
		begin_line(d, depth, "else\n");
		block(d, e->else_block, depth + 1);
	}
}

static const char *const stmt_names[] = {
	[BT_S_EXPR] = "do",
	[BT_S_LET] = "let",
	[BT_S_ASSIGN] = "assign",
	[BT_S_DISCARD] = "discard",
	[BT_S_IF] = "if",
	[BT_S_WHILE] = "while",
	[BT_S_UNROLL] = "unroll",
	[BT_S_FOR_MAP] = "for map",
	[BT_S_FOR_RANGE] = "for range",
	[BT_S_BREAK] = "break",
	[BT_S_CONTINUE] = "continue",
	[BT_S_RETURN] = "return",
	[BT_S_BLOCK] = "block",
};

static void stmt(struct dump *d, const struct bt_stmt *s, unsigned depth)
{
	begin_line(d, depth, stmt_names[s->kind]);
	if (s->is_compound)
		buf_printf(d->out, " %s=", bt_op_text(s->op));
	if (s->type_name)
		type_name(d, s->type_name);
	buf_putc(d->out, '\n');
	const struct bt_expr *const part[] = {s->expr, s->value, s->value2};
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		if (part[i])
			expr(d, part[i], depth + 1);
	if (s->type_name && s->type_name->typeof_expr)
		expr(d, s->type_name->typeof_expr, depth + 1);
	if (s->body)
		block(d, s->body, depth + 1);
	if (s->other) {
		begin_line(d, depth, "else\n");
		block(d, s->other, depth + 1);
	}
}

static void block(struct dump *d, const struct bt_block *b, unsigned depth)
{
	for (const struct bt_stmt *s = b->first; s; s = s->next)
		stmt(d, s, depth);
	if (b->value) {
		begin_line(d, depth, "value\n");
		expr(d, b->value, depth + 1);
	}
}

static void head(struct dump *d, const struct bt_script *s)
{
	for (const struct bt_cdef *c = s->cdef; c; c = c->next)
		buf_printf(d->out, "c %.*s\n", (int)strcspn(c->text, "{\n"), c->text);
	for (const struct bt_config_item *c = s->config; c; c = c->next)
		buf_printf(d->out, "config %s = %s\n", c->key, c->text);
	for (const struct bt_map_decl *m = s->map_decl; m; m = m->next)
		buf_printf(d->out, "map %s = %s(%llu)\n", m->name, m->kind,
			   (unsigned long long)m->size);
}

void bt_dump(const struct bt_script *s, bool types, struct buf *out)
{
	struct dump d = {out, types};
	head(&d, s);
	for (const struct bt_macro *m = s->macro; m; m = m->next) {
		buf_printf(out, "%s %s\n", m->is_fn ? "fn" : "macro", m->name);
		for (unsigned i = 0; i < m->nparam; i++)
			expr(&d, m->param[i], 1);
		block(&d, m->body, 2);
	}
	for (const struct bt_probe *p = s->probe; p; p = p->next) {
		buf_puts(out, "probe");
		for (unsigned i = 0; i < p->npoint; i++)
			buf_printf(out, " %s", p->point[i].text);
		buf_putc(out, '\n');
		if (p->predicate) {
			buf_puts(out, "  if\n");
			expr(&d, p->predicate, 2);
		}
		block(&d, p->body, 1);
	}
}
