/* options.c - tables of options: parsing and help. */
#include <errno.h>

#include "cli/cli.h"

static const struct option *find_long(const struct option_table *t, const char *name, size_t n,
				      bool *ambiguous)
{
	const struct option *found = NULL;
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->option[i];
		if (o->kind == OPT_HEADING || !o->name || strncmp(o->name, name, n))
			continue;
		if (strlen(o->name) == n)
			return o;
		*ambiguous |= found != NULL;
		found = o;
	}
	return *ambiguous ? NULL : found;
}

static const struct option *find_letter(const struct option_table *t, char c)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->option[i].kind != OPT_HEADING && t->option[i].letter == c && c)
			return &t->option[i];
	return NULL;
}

static struct err *apply(const struct option *o, struct job *j, const char *arg)
{
	void *at = (char *)j + o->offset;
	struct err *e;
	switch (o->kind) {
	case OPT_FLAG: *(bool *)at = true; return NULL;
	case OPT_COUNT: ++*(unsigned *)at; return NULL;
	case OPT_TEXT: *(const char **)at = arg; return NULL;
	case OPT_LIST: vec_push(&((struct text_list *)at)->list, arg); return NULL;
	case OPT_CALL: return o->set(j, arg);
	case OPT_MISSING:
		e = o->name ? err_new(EOPNOTSUPP, "--%s is not supported by spile", o->name)
			    : err_new(EOPNOTSUPP, "-%c is not supported by spile", o->letter);
		return o->instead ? err_hint(e, "%s", o->instead) : e;
	default: return NULL;
	}
}

static struct err *parse_long(const struct option_table *t, struct job *j, char ***argv)
{
	const char *text = **argv + 2, *value = strchr(text, '=');
	size_t n = value ? (size_t)(value - text) : strlen(text);
	bool ambiguous = false;
	const struct option *o = n ? find_long(t, text, n, &ambiguous) : NULL;
	if (!o)
		return err_new(0,
			       ambiguous ? "option '%s' is ambiguous" : "unrecognized option '%s'",
			       **argv);
	if (!o->arg && value)
		return err_new(0, "option '--%s' doesn't allow an argument", o->name);
	if (o->arg && value)
		return apply(o, j, value + 1);
	if (o->arg && !*++*argv)
		return err_new(0, "option '--%s' requires an argument", o->name);
	return apply(o, j, o->arg ? **argv : NULL);
}

/* One argument may hold several letters; the last may take the rest, or the next, as its argument.
 */
static struct err *parse_letters(const struct option_table *t, struct job *j, char ***argv)
{
	for (const char *p = **argv + 1; *p; p++) {
		const struct option *o = find_letter(t, *p);
		if (!o)
			return err_new(0, "invalid option -- '%c'", *p);
		if (!o->arg) {
			struct err *e = apply(o, j, NULL);
			if (e)
				return e;
			continue;
		}
		if (p[1])
			return apply(o, j, p + 1);
		if (!(*argv)[1])
			return err_new(0, "option requires an argument -- '%c'", *p);
		return apply(o, j, *++*argv);
	}
	return NULL;
}

struct err *options_parse(const struct option_table *t, struct job *j, char **argv,
			  struct text_list *rest)
{
	struct err *e = NULL;
	for (; *argv && !e; argv += *argv != NULL) {
		if (str_eq(*argv, "--")) {
			argv++;
			break;
		}
		if (str_has_prefix(*argv, "--"))
			e = parse_long(t, j, &argv);
		else if ((*argv)[0] == '-' && (*argv)[1])
			e = parse_letters(t, j, &argv);
		else
			vec_push(&rest->list, *argv);
	}
	for (; *argv && !e; argv++)
		vec_push(&rest->list, *argv);
	return e;
}

static void help_line(const struct option *o, FILE *to)
{
	char left[80] = "";
	enum {
		HELP_COLUMN = 19
	};
	int n = 0;
	if (o->letter)
		n = snprintf(left, sizeof(left), "-%c%s", o->letter, o->name ? ", " : "");
	if (o->name)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "--%s", o->name);
	if (o->arg)
		n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
	if (4 + n + 1 <= HELP_COLUMN)
		fprintf(to, "    %-*s%s\n", HELP_COLUMN - 4, left, o->help);
	else
		fprintf(to, "    %s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
}

void options_help(const struct option_table *t, FILE *to)
{
	fputs(t->usage, to);
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->option[i];
		if (o->kind == OPT_HEADING)
			fprintf(to, "%s\n", o->help);
		else if (o->help)
			help_line(o, to);
	}
	fputs(t->tail, to);
}
