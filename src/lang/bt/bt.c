/* bt.c - bpftrace's language as a struct lang: from text to program. */
#include <ctype.h>

#include "lang/bt/lower.h"
#include "lang/bt/sema.h"

static void dump(struct lang_input *in, const struct bt_script *script, bool types)
{
	struct buf *out = types ? in->dump_types : in->dump_ast;
	if (out && script)
		bt_dump(script, types, out);
}

/* Everything up to the typed tree. */
static bool front(struct lang_input *in, struct bt_sema *s)
{
	struct bt_script *script = bt_parse(in);
	if (!script)
		return false;
	dump(in, script, false);
	bt_import_all(in, script);
	bt_config(in, script, &in->opt);
	bt_points(in, script);
	s->cdefs = bt_cdefs_read(in, script);
	if (in->diags->errors)
		return false;
	s->in = in;
	s->script = script;
	s->prog->opt = in->opt;
	bool ok = bt_sema(s);
	dump(in, script, true);
	return ok && !in->diags->errors;
}

static struct program *compile(struct lang_input *in)
{
	struct program *prog = program_new(in->arena, "bpftrace");
	prog->ncpus = in->world ? in->world->ncpus : 1;
	struct bt_sema s = {.prog = prog};
	bool ok = front(in, &s) && bt_lower(&s) && !in->diags->errors;
	strtab_free(&s.vars);
	strtab_free(&s.options);
	bt_cdefs_free(s.cdefs);
	if (ok) {
		program_finish(prog);
		return prog;
	}
	program_free(prog);
	return NULL;
}

/* How much a line of the file speaks for bpftrace. */
static int line_votes(const char *line)
{
	static const char *const openings[] = {
		"kprobe:",  "kretprobe:", "uprobe:",   "uretprobe:",  "tracepoint:",
		"t:",       "usdt:",      "interval:", "profile:",    "rawtracepoint:",
		"rt:",      "fentry:",    "fexit:",    "kfunc:",      "kretfunc:",
		"iter:",    "software:",  "hardware:", "watchpoint:", "i:",
		"k:",       "u:",         "s:",        "h:",          "p:",
		"config =", "macro ",     "self:",
	};
	while (isblank((unsigned char)*line))
		line++;
	for (size_t i = 0; i < ARRAY_SIZE(openings); i++)
		if (str_has_prefix(line, openings[i]))
			return 60;
	static const char *const words[] = {"BEGIN", "END", "begin", "end"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);
		const char *after = line + n;
		if (strncmp(line, words[i], n))
			continue;
		while (isspace((unsigned char)*after))
			after++;
		if (*after == '{' || *after == ',')
			return 60;
	}
	if (strstr(line, "@[") || strstr(line, " = count()") || strstr(line, "args.") ||
	    strstr(line, "args->"))
		return 20;
	return 0;
}

static int looks_like(const char *name, const char *text)
{
	if (name && str_has_suffix(name, ".bt"))
		return 100;
	if (name && str_has_suffix(name, ".stp"))
		return 0;
	if (text[0] == '#' && text[1] == '!') {
		size_t n = strcspn(text, "\n");
		char *line = xstrndup(text, n);
		bool mine = strstr(line, "bpftrace"), theirs = strstr(line, "stap");
		base_free(line);
		if (mine || theirs)
			return mine ? 100 : 0;
	}
	int votes = 0;
	for (const char *line = text; line && *line && votes < 90;) {
		const char *end = strchr(line, '\n');
		char *copy = xstrndup(line, end ? (size_t)(end - line) : strlen(line));
		votes += line_votes(copy);
		base_free(copy);
		line = end ? end + 1 : NULL;
	}
	return MIN(votes, 90);
}

const struct lang lang_bt = {
	.name = "bpftrace",
	.compile = compile,
	.render = bt_render,
	.looks_like = looks_like,
};
