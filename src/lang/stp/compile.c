/* compile.c - SystemTap's scripts to programs: the order of the steps, and the tables of names. */
#include "lang/stp/comp.h"

#include <ctype.h>
#include <stdlib.h>

/* Text of the tapset, put here by the build (tapset/embed.sh). */
struct tapset_file {
	const char *name, *text;
	uint64_t len;
};
extern const struct tapset_file stp_tapset_files[];

const char *stp_type_name(enum stp_type t)
{
	static const char *const names[] = {"unknown", "long", "string", "stats"};
	return names[t];
}

/* --- diagnostics ------------------------------------------------------------------------------------------ */

/* Where diagnostics that nobody shall see go. */
static struct diag *nowhere(struct stp_comp *c)
{
	struct diag *d = arena_new(c->a, struct diag);
	d->msg = arena_strdup(c->a, "");
	return d;
}

static struct diag *report(struct stp_comp *c, bool warning, struct loc loc, const char *msg)
{
	/* the same words about the same place are said once */
	vec_each(it, &c->diags->list)
		if (it->loc.src == loc.src && it->loc.begin == loc.begin && str_eq(it->msg, msg))
			return nowhere(c);
	return warning ? diag_warn(c->diags, loc, "%s", msg) : diag_error(c->diags, loc, "%s", msg);
}

struct diag *stp_error(struct stp_comp *c, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *msg = arena_vprintf(c->a, fmt, ap);
	va_end(ap);
	return c->quiet ? nowhere(c) : report(c, false, loc, msg);
}

struct diag *stp_warn(struct stp_comp *c, struct loc loc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *msg = arena_vprintf(c->a, fmt, ap);
	va_end(ap);
	/* the tapset is ours: its unused variables are no news */
	bool user = loc.src && loc.src == c->in->src;
	return c->quiet || !user ? nowhere(c) : report(c, true, loc, msg);
}

void stp_chain(struct stp_comp *c, struct diag *d, struct loc from, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *msg = arena_vprintf(c->a, fmt, ap);
	va_end(ap);
	d->from = from;
	if (*msg && *d->msg) /* of nowhere() nobody frees the hints */
		diag_hint(c->diags, d, "%s", msg);
}

const char *stp_similar(struct stp_comp *c, const char *word, const char *const *names, size_t n)
{
	VEC(const char *) left = {0};
	for (size_t i = 0; i < n; i++) {
		bool seen = false;
		for (size_t j = 0; j < left.len; j++)
			seen |= str_eq(left.at[j], names[i]);
		if (!seen)
			vec_push(&left, names[i]);
	}
	struct buf b = {0};
	for (unsigned i = 0; i < 5 && left.len; i++) {
		const char *near = nearest_word(word, left.at, left.len);
		if (!near)
			break;
		buf_printf(&b, "%s%s", i ? ", " : "", near);
		for (size_t j = 0; j < left.len; j++)
			if (left.at[j] == near)
				left.at[j] = vec_last(&left);
		left.len--;
	}
	const char *out = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	vec_free(&left);
	return out;
}

/* --- names --------------------------------------------------------------------------------------------------- */

static const char *func_key(struct stp_comp *c, const char *name, unsigned nargs)
{
	return arena_printf(c->a, "%s/%u", name, nargs);
}

struct stp_func *stp_find_func(struct stp_comp *c, const char *name, unsigned nargs)
{
	return strtab_get(&c->funcs, func_key(c, name, nargs));
}

struct stp_func *stp_any_func(struct stp_comp *c, const char *name)
{
	for (unsigned n = 0; n <= STP_MAXARGS; n++) {
		struct stp_func *f = stp_find_func(c, name, n);
		if (f)
			return f;
	}
	return NULL;
}

static void add_file(struct stp_comp *c, struct stp_file *f)
{
	vec_push(&c->files, f);
	for (struct stp_global *g = f->global; g; g = g->next) {
		g->file = f;
		if (!g->is_private && !strtab_get(&c->globals, g->name))
			strtab_set(&c->globals, g->name, g);
	}
	stp_link_overloads(c, f);
	for (struct stp_func *fn = f->func; fn; fn = fn->next) {
		const char *key = fn->key ? fn->key : fn->name;
		fn->file = f;
		if (!fn->is_private && !stp_find_func(c, key, fn->nparam))
			strtab_set(&c->funcs, func_key(c, key, fn->nparam), fn);
	}
	for (struct stp_probe *p = f->probe; p; p = p->next)
		if (p->alias)
			vec_push(&c->aliases, p);
}

void stp_add_tapset(struct stp_comp *c, const char *name, const char *text)
{
	struct source *src = arena_new(c->a, struct source);
	*src = (struct source){.name = name, .text = text, .len = strlen(text)};
	struct stp_reader r = {.in = c->in, .src = src, .is_tapset = true, .macros = c->tapset_macros};
	add_file(c, stp_parse(&r));
	c->tapset_macros = r.macros;
}

const char *stp_tapset_text(const char *name)
{
	for (size_t i = 0; stp_tapset_files[i].name; i++)
		if (str_eq(stp_tapset_files[i].name, name))
			return stp_tapset_files[i].text;
	BUG("no file %s in the tapset", name);
}

static void load(struct stp_comp *c, size_t i)
{
	if (i > 63)
		BUG("more than 64 files in the tapset");
	if (c->tapset_has & 1ull << i || str_has_suffix(stp_tapset_files[i].name, ".stpm"))
		return;
	c->tapset_has |= 1ull << i;
	stp_add_tapset(c, stp_tapset_files[i].name, stp_tapset_files[i].text);
}

void stp_load_tapset(struct stp_comp *c)
{
	c->tapset_loaded = true;
	for (size_t i = 0; stp_tapset_files[i].name; i++)
		load(c, i);
}

/* Does a line start with these two words? */
static bool has_line(const char *text, const char *word, const char *name)
{
	size_t nword = strlen(word), n = strlen(name);
	for (const char *p = text; (p = strstr(p, word)); p += nword)
		if ((p == text || p[-1] == '\n') && strncmp(p + nword, name, n) == 0 && !isalnum((unsigned char)p[nword + n]) && p[nword + n] != '_')
			return true;
	return false;
}

void stp_load_function(struct stp_comp *c, const char *name)
{
	for (size_t i = 0; stp_tapset_files[i].name; i++)
		if (has_line(stp_tapset_files[i].text, "function ", name))
			load(c, i);
}

void stp_load_aliases(struct stp_comp *c, const char *root)
{
	bool wild = strpbrk(root, "*?[");
	for (size_t i = 0; stp_tapset_files[i].name; i++)
		if (wild || has_line(stp_tapset_files[i].text, "probe ", root))
			load(c, i);
}

struct stp_stmt *stp_alias_body(struct stp_comp *c, const char *name)
{
	for (size_t i = c->aliases.len; i-- > 0;)
		if (str_eq(c->aliases.at[i]->alias->comp[0].name, name))
			return c->aliases.at[i]->body;
	BUG("no alias %s", name);
}

/* --- options -------------------------------------------------------------------------------------------------- */

/* What -D NAME=VALUE says, the last one of that name; `otherwise`: none does. */
static long defined(const struct lang_input *in, const char *name, long otherwise)
{
	size_t n = strlen(name);
	for (unsigned i = in->ndefines; i-- > 0;)
		if (str_has_prefix(in->defines[i], name) && in->defines[i][n] == '=')
			return strtol(in->defines[i] + n + 1, NULL, 0);
	return otherwise;
}

uint32_t stp_max_string(const struct lang_input *in)
{
	return (uint32_t)MIN(MAX(defined(in, "MAXSTRINGLEN", STP_MAXSTRING), 8L), (long)STP_MAXSTRING);
}

/* -D NAME=VALUE: the limits that we know. */
static void read_defines(struct stp_comp *c)
{
	struct program_options *o = &c->prog->opt;
	*o = c->in->opt;
	o->max_map_keys = 2048;
	o->max_strlen = STP_MAXSTRING;
	o->hist_elision = STP_HIST_ELISION;
	c->max_string = stp_max_string(c->in);
	c->max_errors = o->max_errors;
	for (unsigned i = 0; i < c->in->ndefines; i++) {
		const char *d = c->in->defines[i], *eq = strchr(d, '=');
		long v = eq ? strtol(eq + 1, NULL, 0) : 1;
		if (str_has_prefix(d, "MAXMAPENTRIES=") && v > 0)
			o->max_map_keys = (uint32_t)v;
		else if (str_has_prefix(d, "MAXERRORS=") && c->in->opt.max_errors)
			; /* errors are suppressed: any number is tolerated */
		else if (str_has_prefix(d, "MAXERRORS="))
			c->max_errors = o->max_errors = (uint32_t)MAX(MIN(v, 1000000L), 0L);
		else if (str_has_prefix(d, "MAXSTRINGLEN=") && v > STP_MAXSTRING)
			diag_warn(c->diags, (struct loc){0}, "MAXSTRINGLEN=%ld is more than there is room for: strings are cut to %d characters", v,
				  STP_MAXSTRING - 1);
		else if (str_has_prefix(d, "HIST_ELISION="))
			o->hist_elision = v;
		else if (str_has_prefix(d, "MAXACTION_INTERRUPTIBLE=") && v > 0)
			c->max_action = v;
		else if (str_has_prefix(d, "MAXACTION=") && v > 0)
			c->max_action = 10 * v; /* as SystemTap, where every probe is interruptible */
		else if (str_has_prefix(d, "MAXNESTING=") && v > 0)
			c->max_nesting = v;
	}
}

/* -G var=value: a new initial value of a global. */
static void set_globals(struct stp_comp *c)
{
	for (unsigned i = 0; i < c->in->nglobals; i++) {
		const char *d = c->in->globals[i], *eq = strchr(d, '=');
		if (!eq) {
			diag_error(c->diags, (struct loc){0}, "-G %s: a value is missing, as in -G name=value", d);
			continue;
		}
		const char *name = arena_strndup(c->a, d, (size_t)(eq - d));
		struct stp_global *g = strtab_get(&c->globals, name);
		if (!g) {
			diag_error(c->diags, (struct loc){0}, "-G %s: the script has no global of this name", name);
			continue;
		}
		struct stp_expr *e = arena_new(c->a, struct stp_expr);
		char *end;
		long long v = strtoll(eq + 1, &end, 0);
		*e = (struct stp_expr){.kind = *end || !eq[1] ? SE_STR : SE_NUM, .loc = g->loc, .num = v};
		e->text = e->str = arena_strdup(c->a, eq + 1);
		e->len = (uint32_t)strlen(e->str);
		g->init = e;
		g->nkeys = 0;
	}
}

/* --- the steps ------------------------------------------------------------------------------------------------- */

static void warn_unused_args(struct stp_comp *c, const bool *used)
{
	for (unsigned i = 0; i < c->in->nparams; i++)
		if (!used[i])
			diag_warn(c->diags, (struct loc){0}, "unused command line option $%u/@%u", i + 1, i + 1);
}

static bool failed(const struct stp_comp *c)
{
	return c->diags->errors > 0;
}

static void analyse(struct stp_comp *c)
{
	stp_elaborate(c);
	if (failed(c))
		return;
	stp_resolve(c);
	if (!failed(c))
		stp_check(c);
	if (failed(c))
		return;
	if (!c->in->is_listing)
		stp_elide(c);
	if (failed(c))
		return;
	stp_infer(c);
	if (!failed(c) && !c->probes.len)
		diag_error(c->diags, (struct loc){0}, "no probes found");
}

/* Lists and tables are on the heap; what is in them is the arena's. */
static void release(struct stp_comp *c)
{
	vec_each(dp, &c->all_probes)
		vec_free(&(*dp)->points.list);
	vec_free(&c->all_probes);
	vec_free(&c->probes);
	vec_free(&c->files);
	vec_free(&c->aliases);
	vec_free(&c->reachable);
	vec_free(&c->dropped);
	vec_free(&c->used_globals);
	strtab_free(&c->globals);
	strtab_free(&c->funcs);
	strtab_free(&c->made);
	strtab_free(&c->tapset_macros);
}

/* From a file that could be read to a program. */
static void translate(struct stp_comp *c, const bool *arg_used)
{
	struct lang_input *in = c->in;
	warn_unused_args(c, arg_used);
	c->prog->ncpus = in->world->ncpus;
	read_defines(c);
	for (struct stp_file *f = c->user; f; f = f->next)
		add_file(c, f);
	stp_read_folders(c);
	set_globals(c);
	analyse(c);
	if (!failed(c) && in->dump_types)
		stp_dump_types(c, in->dump_types);
	if (!failed(c) && in->stop_after != 2) {
		stp_place(c);
		stp_place_locks(c);
		if (!failed(c))
			stp_lower(c);
	}
}

struct stp_comp *stp_open(struct lang_input *in)
{
	struct stp_comp *c = arena_new(in->arena, struct stp_comp);
	*c = (struct stp_comp){.in = in, .a = in->arena, .diags = in->diags, .world = in->world};
	c->prog = program_new(c->a, "stap");
	return c;
}

void stp_close(struct stp_comp *c)
{
	release(c);
	program_free(c->prog);
}

void stp_analyse_text(struct stp_comp *c, struct source *src)
{
	bool *used = arena_array(c->a, bool, c->in->nparams + 1);
	struct stp_reader r = {.in = c->in, .src = src, .arg_used = used};
	stp_read_folder_macros(&r);
	c->user = stp_parse(&r);
	strtab_free(&r.macros);
	if (failed(c))
		return;
	add_file(c, c->user);
	stp_read_folders(c);
	analyse(c);
}

/* The script and those beside it, each with the macros of its own. */
static struct stp_file *parse_scripts(struct lang_input *in, bool *used)
{
	struct stp_file *first = NULL, **tail = &first;
	for (unsigned i = 0; i <= in->nmore; i++) {
		struct stp_reader r = {.in = in, .src = i ? &in->more[i - 1] : in->src, .arg_used = used};
		stp_read_folder_macros(&r);
		*tail = stp_parse(&r);
		tail = &(*tail)->next;
		strtab_free(&r.macros);
	}
	return first;
}

static struct program *compile(struct lang_input *in)
{
	struct stp_comp *c = arena_new(in->arena, struct stp_comp);
	*c = (struct stp_comp){.in = in, .a = in->arena, .diags = in->diags, .world = in->world};
	bool *used = arena_array(c->a, bool, in->nparams + 1);
	c->user = parse_scripts(in, used);
	if (in->phase)
		in->phase(in->phase_arg, "parse");
	if (!failed(c) && !c->user->item)
		diag_error(c->diags, (struct loc){0}, "Input file '%s' is empty or missing.", in->src->name);
	if (failed(c))
		return NULL;
	for (struct stp_file *f = c->user; in->dump_ast && f; f = f->next)
		stp_dump_file(f, in->dump_ast);
	c->prog = program_new(c->a, "stap");
	if (in->stop_after != 1)
		translate(c, used);
	release(c);
	if (!failed(c))
		return c->prog;
	program_free(c->prog);
	return NULL;
}

/* SystemTap's words at the start of a line, and its handlers without bpftrace's sigils. */
static int looks_like(const char *name, const char *text)
{
	if (name && str_has_suffix(name, ".stp"))
		return 100;
	int score = str_has_prefix(text, "#!") && memmem(text, strcspn(text, "\n"), "stap", 4) ? 90 : 0;
	static const char *const words[] = {"probe ", "global ", "private ", "function ", "@define "};
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *p = line + strspn(line, " \t");
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (str_has_prefix(p, words[i]))
				score = MAX(score, i == 0 ? 80 : 50);
	}
	return score;
}

const struct lang lang_stp = {
	.name = "stap",
	.compile = compile,
	.render = stp_render,
	.looks_like = looks_like,
};
