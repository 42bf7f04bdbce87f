/* pp_condition.c - the two sides of a condition of the preprocessor: the kernel's version and configuration, numbers, texts. */
#include "lang/stp/pp.h"

#include <fnmatch.h>
#include <stdlib.h>

static const char *kernel_release(struct stp_reader *r)
{
	struct world *w = r->in->world;
	const char *root = w && w->root ? w->root : "";
	_cleanup_free_ char *text = read_file(arena_printf(r->in->arena, "%s/proc/sys/kernel/osrelease", root), NULL);
	if (!text)
		return "6.1.0";
	text[strcspn(text, "\n")] = '\0';
	return arena_strdup(r->in->arena, text);
}

/* Value of CONFIG_X in the kernel's configuration, "" when unknown. */
static const char *kernel_config(struct stp_reader *r, const char *name)
{
	struct world *w = r->in->world;
	const char *root = w && w->root ? w->root : "", *release = kernel_release(r);
	_cleanup_free_ char *text = read_file(arena_printf(r->in->arena, "%s/boot/config-%s", root, release), NULL);
	if (!text) /* where distributions with /usr alone keep it */
		text = read_file(arena_printf(r->in->arena, "%s/lib/modules/%s/config", root, release), NULL);
	const char *key = arena_printf(r->in->arena, "\n%s=", name);
	const char *at = text ? strstr(text, key) : NULL;
	if (!at)
		return "";
	at += strlen(key);
	return arena_strndup(r->in->arena, at, strcspn(at, "\n"));
}

static bool compare_result(int c, const char *op)
{
	return str_eq(op, "<")	  ? c < 0
	       : str_eq(op, "<=") ? c <= 0
	       : str_eq(op, ">")  ? c > 0
	       : str_eq(op, ">=") ? c >= 0
	       : str_eq(op, "==") ? c == 0
				  : c != 0;
}

/* What the left side of a condition stands for: text, and whether it compares as a version. */
static const char *condition_name(struct stp_reader *r, const char *name, bool *version)
{
	*version = false;
	if (str_eq(name, "kernel_v") || str_eq(name, "kernel_vr")) {
		*version = true;
		const char *v = kernel_release(r);
		return str_eq(name, "kernel_vr") ? v : arena_strndup(r->in->arena, v, strspn(v, "0123456789."));
	}
	if (str_eq(name, "systemtap_v")) {
		*version = true;
		return "5.2";
	}
	if (str_eq(name, "arch"))
		return "x86_64";
	if (str_eq(name, "runtime"))
		return "bpf";
	if (str_eq(name, "systemtap_privilege"))
		return "stapdev";
	if (str_has_prefix(name, "CONFIG_"))
		return kernel_config(r, name);
	return NULL;
}

bool stp_is_relation(const struct stp_tok *t)
{
	static const char *const ops[] = {"<", "<=", ">", ">=", "==", "!="};
	for (size_t i = 0; t->kind == TOK_OP && i < ARRAY_SIZE(ops); i++)
		if (str_eq(t->text, ops[i]))
			return true;
	return false;
}

static bool bad_condition(struct stp_reader *r, struct loc loc, const char *msg)
{
	diag_error(r->in->diags, loc, "parse error: %s", msg);
	return false;
}

/* What is not set is 0. */
static bool compare_numbers(const char *l, const char *r, const char *op)
{
	long long x = strtoll(l, NULL, 0), y = strtoll(r, NULL, 0);
	return compare_result(x < y ? -1 : x > y, op);
}

static const char no_left[] = "expected 'arch' or 'kernel_v' or 'kernel_vr' or 'CONFIG_...'\n             or comparison between strings or integers";

static bool eval_texts(struct stp_reader *reader, const struct stp_tok *l, const struct stp_tok *op, const struct stp_tok *r)
{
	bool version = false;
	const char *left = l->text, *right = r->text;
	if (l->kind == TOK_IDENT) {
		left = condition_name(reader, l->text, &version);
		if (!left)
			return bad_condition(reader, l->loc, no_left);
		if (r->kind == TOK_IDENT && str_has_prefix(r->text, "CONFIG_"))
			right = kernel_config(reader, r->text);
		else if (r->kind != TOK_STR && r->kind != TOK_NUM)
			return bad_condition(reader, r->loc, "expected string literal");
	} else if (l->kind != r->kind) {
		return bad_condition(reader, r->loc, "expected literal of the same kind on both sides of the comparison");
	}
	bool equality = str_eq(op->text, "==") || str_eq(op->text, "!=");
	bool config = l->kind == TOK_IDENT && str_has_prefix(l->text, "CONFIG_");
	if (config && (r->kind == TOK_NUM || !equality))
		return compare_numbers(left, right, op->text);
	if (l->kind == TOK_IDENT && !version && !equality)
		return bad_condition(reader, op->loc, "expected '==' or '!='");
	if (l->kind == TOK_IDENT && equality) {
		bool matches = fnmatch(right, left, 0) == 0 || (version && strverscmp(left, right) == 0);
		return matches == str_eq(op->text, "==");
	}
	return compare_result(version ? strverscmp(left, right) : strcmp(left, right), op->text);
}

bool stp_condition(struct stp_reader *reader, struct stp_tok l, struct stp_tok op, struct stp_tok r)
{
	if (l.kind == TOK_IDENT && str_eq(l.text, "guru_mode")) {
		if (r.kind != TOK_NUM || (!str_eq(r.text, "0") && !str_eq(r.text, "1")))
			return bad_condition(reader, r.loc, "expected 0 or 1");
		if (!str_eq(op.text, "==") && !str_eq(op.text, "!="))
			return bad_condition(reader, op.loc, "expected '==' or '!='");
		l.kind = TOK_NUM;
		l.text = reader->in->guru ? "1" : "0";
	}
	if (l.kind == TOK_JUNK || r.kind == TOK_JUNK)
		return bad_condition(reader, l.kind == TOK_JUNK ? l.loc : r.loc, l.kind == TOK_JUNK ? l.text : r.text);
	if (l.kind == TOK_NUM && r.kind == TOK_NUM)
		return compare_numbers(l.text, r.text, op.text);
	if (l.kind != TOK_NUM && l.kind != TOK_STR && l.kind != TOK_IDENT)
		return bad_condition(reader, l.loc, no_left);
	return eval_texts(reader, &l, &op, &r);
}
