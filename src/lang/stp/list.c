/* list.c - stap -l and -L, --dump-functions, --dump-probe-types, --dump-probe-aliases. */
#include <stdlib.h>

#include "debuginfo/dwarf.h"
#include "lang/stp/native.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lines in order, each once. */
static bool print_sorted(struct str_list *lines, struct buf *out)
{
	size_t n = lines->list.len;
	if (n)
		qsort(lines->list.at, n, sizeof(*lines->list.at), by_text);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(lines->list.at[i], lines->list.at[i - 1]))
			buf_printf(out, "%s\n", lines->list.at[i]);
	vec_free(&lines->list);
	return n != 0;
}

/* --- probe points -------------------------------------------------------------------------------------------- */

/* The point with its function as debug information knows it: what is probed by its symbol is found by its address. */
static struct attach_point known_point(struct stp_comp *c, const struct attach_point *p)
{
	struct attach_point at = *p;
	struct dwarf_func f;
	struct dwarf *d = at.func_id || !at.entry ? NULL : probe_dwarf(c->world, p, NULL);
	if (d && dwarf_function_at(d, at.entry, true, c->a, &f))
		at.func_id = f.id;
	probe_declaration(c->world, &at, c->a);
	return at;
}

/* process("/bin/x").function("f@x.c:42"), without the source when there is no debug information; kernel and module("x") likewise. */
static const char *source_name(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p)
{
	struct attach_point at = known_point(c, p);
	const char *source = at.file ? arena_printf(c->a, "@%s:%u", at.file, at.line) : "";
	const char *kind = dp->spec.plt ? "plt" : dp->spec.statement ? "statement" : "function";
	const char *owner = !probe_is_kernel_place(p) ? arena_printf(c->a, "process(\"%s\")", p->target)
			    : p->target		      ? arena_printf(c->a, "module(\"%s\")", p->target)
						      : "kernel";
	return arena_printf(c->a, "%s.%s(\"%s%s\")%s", owner, kind, p->func, source,
			    dp->is_return ? ".return" : p->is_inlined && !dp->spec.statement ? ".inline" : "");
}

/* A function known by its symbol alone: kernel.function("f"), module("m").function("f"), kprobe.module("m").function("f").return */
static const char *symbol_name(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p)
{
	bool is_kprobe = dp->spec.spelling && str_has_prefix(dp->spec.spelling, "kprobe."), in_module = p->target && !str_eq(p->target, "vmlinux");
	const char *owner = in_module ? arena_printf(c->a, "module(\"%s\")", p->target) : is_kprobe ? "kprobe" : "kernel";
	return arena_printf(c->a, "%s%s.function(\"%s\")%s", in_module && is_kprobe ? "kprobe." : "", owner, p->func, dp->is_return ? ".return" : "");
}

/* A point as SystemTap names it: aliases by their own names, wildcards replaced by what they found. */
static const char *point_name(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p)
{
	if (dp->alias_name)
		return dp->alias_name;
	switch (p->kind) {
	case PK_RAWTRACEPOINT: return arena_printf(c->a, "kernel.trace(\"%s\")", stp_event_name(c, p->func));
	case PK_KPROBE:
	case PK_KRETPROBE:
		if (probe_is_kernel_place(p) && p->func)
			return source_name(c, dp, p);
		return symbol_name(c, dp, p);
	case PK_UPROBE:
	case PK_URETPROBE: return p->func ? source_name(c, dp, p) : dp->name;
	case PK_USDT:
		return stp_mark_name(c, dp, p);
	default: return dp->name;
	}
}

/* "const char* s" and "s" give " $s:const char*". */
static void write_variable(const char *name, const char *decl, const char *shown, struct buf *out)
{
	size_t n = decl && str_has_suffix(decl, name) ? strlen(decl) - strlen(name) : decl ? strlen(decl) : 0;
	while (n && decl[n - 1] == ' ')
		n--;
	buf_printf(out, " $%s:%.*s", shown, n ? (int)n : 4, n ? decl : "long");
}

static void write_fields(const struct probe_args *a, struct buf *out)
{
	for (uint32_t i = 0; a && a->record && i < a->record->nfield; i++) {
		const char *name = a->record->field[i].name;
		if (name)
			write_variable(name, a->decl ? a->decl[i] : NULL, name, out);
	}
}

/* Parameters and variables of a place in a program; of a return what the function gives back and its parameters. */
static void write_program_variables(struct stp_comp *c, const struct attach_point *p, struct buf *out)
{
	struct attach_point at = known_point(c, p);
	const struct probe_args *back = p->kind == PK_URETPROBE || p->kind == PK_KRETPROBE ? probe_arguments(c->world, &at, c->a) : NULL;
	if (back && back->ret_var)
		write_variable(back->ret_var->name, back->ret_var->decl, "return", out);
	at.kind = probe_is_kernel_place(p) ? PK_KPROBE : PK_UPROBE;
	write_fields(back ? probe_arguments(c->world, &at, c->a) : probe_locals(c->world, &at, c->a), out);
}

/* " name:string fd:long $fd:int": what the bodies of aliases set, then the variables of the point. */
static void write_variables(struct stp_comp *c, const struct stp_dprobe *dp, const struct attach_point *p, struct buf *out)
{
	for (const struct stp_local *l = dp->scope.local; l; l = l->next)
		if (l->name[0] != '_' && l->cell.type != ST_UNKNOWN)
			buf_printf(out, " %s:%s", l->name, stp_type_name(l->cell.type));
	if ((p->kind == PK_UPROBE || p->kind == PK_URETPROBE || probe_is_kernel_place(p)) && !dp->alias_name)
		write_program_variables(c, p, out);
	else {
		if (p->kind == PK_KRETPROBE && dp->args && dp->args->ret_decl)
			write_variable("return", dp->args->ret_decl, "return", out);
		write_fields(dp->args, out);
	}
}

static void list_probe(struct stp_comp *c, const struct stp_dprobe *dp, bool with_variables, struct str_list *lines)
{
	for (size_t i = 0; i < dp->points.list.len; i++) {
		struct buf b = {0};
		buf_puts(&b, point_name(c, dp, dp->points.list.at[i]));
		if (with_variables)
			write_variables(c, dp, dp->points.list.at[i], &b);
		vec_push(&lines->list, arena_strdup(c->a, buf_str(&b)));
		buf_free(&b);
		if (dp->alias_name)
			break;
	}
}

bool stp_list(struct lang_input *in, const char *pattern, bool with_variables, struct buf *out)
{
	struct lang_input quiet = *in;
	quiet.is_listing = true;
	struct source *src = arena_new(in->arena, struct source);
	src->name = "<input>";
	src->text = arena_printf(in->arena, "probe %s { }", pattern);
	src->len = strlen(src->text);
	struct stp_comp *c = stp_open(&quiet);
	stp_analyse_text(c, src);
	struct str_list lines = {0};
	for (size_t i = 0; i < c->probes.len; i++)
		if (!c->probes.at[i]->is_hidden && !c->probes.at[i]->is_tapset)
			list_probe(c, c->probes.at[i], with_variables, &lines);
	bool found = print_sorted(&lines, out);
	stp_close(c);
	return found;
}

/* --- functions ------------------------------------------------------------------------------------------------- */

static void add_native(struct arena *a, const struct stp_native *n, struct str_list *lines)
{
	struct buf b = {0};
	buf_puts(&b, n->name);
	if (n->sig[0] != 'v')
		buf_printf(&b, ":%s", stp_type_name(stp_native_type(n->sig[0])));
	buf_puts(&b, " (");
	for (const char *s = n->sig + 2; *s; s++)
		buf_printf(&b, "%sarg%d:%s", s > n->sig + 2 ? ", " : "", (int)(s - n->sig - 1), stp_type_name(stp_native_type(*s)));
	buf_puts(&b, ")");
	vec_push(&lines->list, arena_strdup(a, buf_str(&b)));
	buf_free(&b);
}

static void add_function(struct arena *a, const struct stp_func *f, struct str_list *lines)
{
	struct buf b = {0};
	buf_puts(&b, f->name);
	if (f->declared != ST_UNKNOWN)
		buf_printf(&b, ":%s", stp_type_name(f->declared));
	buf_puts(&b, " (");
	const struct stp_local *p = f->param;
	for (unsigned i = 0; i < f->nparam; i++, p = p->next) {
		buf_printf(&b, "%s%s", i ? ", " : "", p->name);
		if (p->cell.type != ST_UNKNOWN)
			buf_printf(&b, ":%s", stp_type_name(p->cell.type));
	}
	buf_puts(&b, ")");
	vec_push(&lines->list, arena_strdup(a, buf_str(&b)));
	buf_free(&b);
}

void stp_dump_functions(struct lang_input *in, struct buf *out)
{
	struct stp_comp *c = stp_open(in);
	struct str_list lines = {0};
	stp_load_tapset(c);
	for (const struct stp_native *const *t = stp_natives; *t; t++)
		for (const struct stp_native *n = *t; n->name; n++)
			if (n->name[0] != '_')
				add_native(c->a, n, &lines);
	for (size_t i = 0; i < c->files.len; i++)
		for (const struct stp_func *f = c->files.at[i]->func; f; f = f->next)
			if (!f->is_private && f->name[0] != '_')
				add_function(c->a, f, &lines);
	print_sorted(&lines, out);
	stp_close(c);
}

/* --- families and aliases ------------------------------------------------------------------------------------------ */

static void write_argument(char kind, struct buf *out)
{
	if (kind)
		buf_puts(out, kind == 'S' ? "(string)" : "(number)");
}

/* A pattern in SystemTap's words: "timer.ms(number)"; (*) takes either. */
static void add_pattern(struct arena *a, const char *pattern, struct str_list *lines)
{
	const char *either = strstr(pattern, "(*)");
	for (const char *kinds = either ? "NS" : "N"; *kinds; kinds++) {
		struct buf b = {0};
		for (const char *p = pattern; *p; p++) {
			if (*p != '(') {
				buf_putc(&b, *p);
				continue;
			}
			write_argument(p[1] == '*' ? *kinds : p[1], &b);
			p += 2;
		}
		vec_push(&lines->list, arena_strdup(a, buf_str(&b)));
		buf_free(&b);
	}
}

void stp_dump_probe_types(struct lang_input *in, struct buf *out)
{
	struct str_list lines = {0};
	const char *pattern;
	for (unsigned i = 0; (pattern = stp_family_pattern(i)); i++)
		if (pattern[0] != '_')
			add_pattern(in->arena, pattern, &lines);
	print_sorted(&lines, out);
}

void stp_dump_probe_aliases(struct lang_input *in, struct buf *out)
{
	struct stp_comp *c = stp_open(in);
	struct str_list lines = {0};
	stp_load_tapset(c);
	stp_make_syscalls(c, "*syscall", "*");
	for (size_t i = 0; i < c->aliases.len; i++) {
		const struct stp_probe *p = c->aliases.at[i];
		struct buf b = {0};
		stp_dump_point(p->alias, &b);
		if (b.len && b.data[0] != '_') {
			buf_puts(&b, p->is_epilogue_alias ? " += " : " = ");
			for (const struct stp_point *pt = p->point; pt; pt = pt->next) {
				stp_dump_point(pt, &b);
				buf_puts(&b, pt->next ? ", " : "");
			}
			vec_push(&lines.list, arena_strdup(c->a, buf_str(&b)));
		}
		buf_free(&b);
	}
	print_sorted(&lines, out);
	stp_close(c);
}
