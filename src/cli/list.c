/* list.c - -l and -lv: probes, types, and the probes of a script. */
#include <stdlib.h>

#include "cli/cli.h"
#include "lang/probe.h"
#include "lang/stp/stp.h"

/* Lines come indented. */
static void print_name(void *arg, const char *name, const char *const *lines, unsigned n)
{
	++*(unsigned *)arg;
	puts(name);
	for (unsigned i = 0; i < n; i++)
		puts(lines[i]);
}

/* --- types ------------------------------------------------------------------------ */

static const struct {
	const char *word;
	enum btf_namespace ns;
} type_words[] = {{"struct ", BTF_NS_STRUCT}, {"union ", BTF_NS_UNION}, {"enum ", BTF_NS_ENUM}};

struct type_list {
	struct btf *btf;
	const char *word, *pattern;
	bool body;
	struct text_list names;
};

static void add_type(void *arg, const char *name, uint32_t id)
{
	struct type_list *l = arg;
	if (!glob_match(l->pattern, name))
		return;
	struct buf b = {0};
	if (l->body)
		btf_spell_struct(l->btf, id, &b);
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = 0;
	if (b.len)
		vec_push(&l->names.list, xasprintf("vmlinux: %s\n", buf_str(&b)));
	else
		vec_push(&l->names.list, xasprintf("%s%s", l->word, name));
	buf_free(&b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "struct x*" and the like; false: the pattern is no type. */
static bool list_types(struct world *w, const char *pattern, bool body, struct err **e)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_words); i++) {
		if (!str_has_prefix(pattern, type_words[i].word))
			continue;
		struct type_list l = {.word = type_words[i].word, .body = body};
		l.pattern = pattern + strlen(l.word);
		l.btf = world_btf(w, e);
		if (l.btf)
			btf_each(l.btf, type_words[i].ns, add_type, &l);
		qsort(l.names.list.at, l.names.list.len, sizeof(l.names.list.at[0]), by_text);
		for (size_t k = 0; k < l.names.list.len; k++) {
			if (!k || strcmp(l.names.list.at[k], l.names.list.at[k - 1]))
				puts(l.names.list.at[k]);
		}
		for (size_t k = 0; k < l.names.list.len; k++)
			base_free((void *)l.names.list.at[k]);
		vec_free(&l.names.list);
		return true;
	}
	return false;
}

/* --- probes ----------------------------------------------------------------------- */

static void warn_of_file_name(const struct job *j)
{
	if (strchr(j->pattern, '.') && !strpbrk(j->pattern, ":*") && !j->no_warnings)
		fprintf(stderr,
			"WARNING: It appears that '%s' is a filename but the file does not exist. "
			"Treating '%s' as a search pattern.\n",
			j->pattern, j->pattern);
}

/* Probes of a family that this kernel cannot attach are shown for scripts that run elsewhere, with
 * a word about it. */
static void warn_of_family(const struct job *j, struct world *w, const char *pattern)
{
	_cleanup_free_ char *name = xstrndup(pattern, strcspn(pattern, ":"));
	const struct probe_kind_info *info = probe_kind_by_name(name);
	if (!info || j->no_warnings)
		return;
	if (info->kind == PK_FENTRY || info->kind == PK_FEXIT)
		features_probe_fentry(w);
	if (info->kind == PK_HARDWARE)
		features_probe_perf(w);
	const char *missing = probe_missing(w, info->kind);
	if (missing)
		fprintf(stderr, "WARNING: %s\n", missing);
}

/* One or several patterns with commas between them. */
static int list_pattern(struct job *j, struct script *s)
{
	struct err *e = NULL;
	char *save = NULL, *copy = arena_strdup(s->arena, j->pattern);
	unsigned n = 0;
	warn_of_file_name(j);
	for (char *p = strtok_r(copy, ",", &save); p && !e; p = strtok_r(NULL, ",", &save)) {
		p += strspn(p, " \t");
		for (size_t len = strlen(p); len && strchr(" \t", p[len - 1]);)
			p[--len] = 0;
		if (list_types(s->world, p, j->verbose > 0, &e))
			continue;
		warn_of_family(j, s->world, p);
		probe_list(s->world, str_eq(p, "*") ? NULL : p, j->verbose > 0, s->arena,
			   print_name, &n);
	}
	if (!e)
		return EXIT_OK;
	print_error(j, e);
	err_free(e);
	return EXIT_USER;
}

/* Probes with a period or a count are listed without it: "interval:s:". */
static const char *listed_name(struct script *s, const char *name)
{
	static const char *const counted[] = {"hardware:", "software:", "interval:", "profile:"};
	const char *colon = strrchr(name, ':');
	for (size_t i = 0; colon && i < ARRAY_SIZE(counted); i++)
		if (str_has_prefix(name, counted[i]) &&
		    strspn(colon + 1, "0123456789") == strlen(colon + 1))
			return arena_strndup(s->arena, name, (size_t)(colon + 1 - name));
	return name;
}

/* With -v, as the listing of that one name shows it; what has no arguments shows its name. */
static void list_point(struct job *j, struct script *s, const char *name, unsigned *n)
{
	unsigned before = *n;
	if (j->verbose && s->lang == &lang_bt)
		probe_list(s->world, name, true, s->arena, print_name, n);
	if (*n == before)
		print_name(n, name, NULL, 0);
}

/* begin and end are nothing that a system has. */
static bool is_own(const struct probe *p)
{
	enum probe_kind k = p->npoints ? p->points[0]->kind : PK_NEVER;
	return k == PK_BEGIN || k == PK_END;
}

static unsigned list_program(struct job *j, struct script *s)
{
	unsigned n = 0;
	vec_each(p, &s->prog->probe) {
		if ((*p)->is_hidden || (s->lang == &lang_bt && is_own(*p)))
			continue;
		for (uint32_t i = 0; i < (*p)->npoints; i++) {
			const char *name = (*p)->points[i]->name;
			list_point(j, s, listed_name(s, name ? name : (*p)->name), &n);
		}
		if (!(*p)->npoints)
			list_point(j, s, listed_name(s, (*p)->name), &n);
	}
	return n;
}

/* --- SystemTap -------------------------------------------------------------------- */

static int list_stap(struct job *j, struct script *s)
{
	struct lang_input in = script_input(j, s);
	struct buf b = {0};
	bool found = stp_list(&in, j->pattern, j->verbose > 0, &b);
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
	if (!found && s->diags.errors)
		script_print_diags(j, s, false);
	return found ? EXIT_OK : EXIT_USER;
}

static int list_script(struct job *j, struct script *s)
{
	if (!script_compile(j, s, true) || !s->prog)
		return EXIT_USER;
	list_program(j, s);
	return EXIT_OK;
}

/* Opens the world (and the script, when there is one) and lists by `fn`. */
static int list_with(struct job *j, int (*fn)(struct job *j, struct script *s))
{
	struct script s;
	int status = EXIT_USER;
	struct err *e = script_open(j, &s);
	if (e) {
		print_error(j, e);
		err_free(e);
	} else {
		status = fn(j, &s);
	}
	script_close(&s);
	return status;
}

static int dump_tables(struct job *j, struct script *s)
{
	struct lang_input in = script_input(j, s);
	struct buf b = {0};
	if (j->dump_functions)
		stp_dump_functions(&in, &b);
	if (j->dump_types)
		stp_dump_probe_types(&in, &b);
	if (j->dump_aliases)
		stp_dump_probe_aliases(&in, &b);
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
	return EXIT_OK;
}

int list_tables(struct job *j)
{
	return list_with(j, dump_tables);
}

int list_probes(struct job *j)
{
	return list_with(j, j->script || j->file ? list_script
			    : j->as == AS_STAP   ? list_stap
						 : list_pattern);
}
