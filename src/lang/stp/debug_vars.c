/*
 * debug_vars.c - $variables that debug information knows: parameters, locals and globals at a user probe, $return, arguments
 * of marks, and types by name in the traced program.
 */
#include "lang/stp/target.h"

static bool is_user(const struct stp_dprobe *dp)
{
	return dp && (dp->spec.kind == PK_UPROBE || dp->spec.kind == PK_URETPROBE || dp->spec.kind == PK_USDT);
}

static bool is_kernel_function(const struct stp_dprobe *dp)
{
	return dp && (dp->spec.kind == PK_KPROBE || dp->spec.kind == PK_KRETPROBE);
}

static bool is_return(const struct stp_dprobe *dp)
{
	return dp->spec.kind == PK_URETPROBE || dp->spec.kind == PK_KRETPROBE;
}

static const struct attach_point *point_of(const struct stp_dprobe *dp)
{
	return dp->points.list.len ? dp->points.list.at[0] : NULL;
}

struct probe_args *stp_debug_variables(struct stp_comp *c, struct stp_dprobe *dp)
{
	if (is_return(dp))
		return NULL;
	if (!dp->vars && (is_user(dp) || is_kernel_function(dp)) && point_of(dp))
		dp->vars = probe_locals(c->world, point_of(dp), c->a);
	return dp->vars;
}

const struct dwarf_var *stp_return_variable(struct stp_comp *c, struct stp_dprobe *dp)
{
	if (!dp->vars && is_return(dp) && point_of(dp))
		dp->vars = probe_arguments(c->world, point_of(dp), c->a);
	return dp->vars ? dp->vars->ret_var : NULL;
}

/* --- does a handler ask where it is? ------------------------------------------------------------------------------ */

static void look_for_names(struct stp_expr *e, void *arg)
{
	static const char *const calls[] = {"pp", "probefunc", "ppfunc"};
	bool *found = arg;
	*found |= e->kind == SE_TARGET || e->kind == SE_ATVAR;
	for (size_t i = 0; e->kind == SE_CALL && i < ARRAY_SIZE(calls); i++)
		*found |= str_eq(e->text, calls[i]);
}

static void look_for_variables(struct stp_expr *e, void *arg)
{
	*(bool *)arg |= e->kind == SE_TARGET || e->kind == SE_ATVAR;
}

bool stp_needs_each_point(const struct stp_dprobe *dp)
{
	enum probe_kind k = dp->spec.kind;
	bool found = false, in_kernel = k == PK_KPROBE || k == PK_KRETPROBE || k == PK_RAWTRACEPOINT;
	if ((!is_user(dp) && !in_kernel) || dp->points.list.len < 2)
		return false;
	/* names of functions go with a number that the kernel keeps with each place of a probe */
	if (dp->spec.callee)
		return true;
	bool numbered = k == PK_KPROBE || k == PK_KRETPROBE;
	stp_walk_stmt(dp->body, numbered ? look_for_variables : look_for_names, &found);
	return found;
}

void stp_choose_source(struct stp_dprobe *dp, struct stp_stmt *body)
{
	struct probe_spec *s = &dp->spec;
	if (is_kernel_function(dp))
		return; /* BTF has the names; points_kernel.c knows what it has not */
	bool found = s->callee || s->file || s->statement || (s->instances & (DWARF_INLINED | DWARF_EXTERNAL_ONLY)) || !s->func ||
		     strpbrk(s->func, "?[:");
	if (!found)
		stp_walk_stmt(body, look_for_names, &found);
	if (!found)
		s->instances = 0;
}

void stp_settle_point(struct stp_comp *c, struct stp_dprobe *dp)
{
	bool found = false;
	/* who called is told by the top of the stack at the very entry */
	if (dp->spec.kind != PK_UPROBE || dp->points.list.len != 1 || dp->points.list.at[0]->nreturn_to)
		return;
	stp_walk_stmt(dp->body, look_for_variables, &found);
	if (found)
		probe_move_to_body(c->world, dp->points.list.at[0]);
}

/* --- variables ------------------------------------------------------------------------------------------------------- */

/* "name@file.c" -> its parts */
static const char *split_file(struct stp_comp *c, const char *text, const char **file)
{
	const char *at = strchr(text, '@');
	*file = at ? at + 1 : NULL;
	return at ? arena_strndup(c->a, text, (size_t)(at - text)) : text;
}

/* Does @var name the probe's own file, or none? */
static bool is_own_module(struct stp_comp *c, const struct stp_dprobe *dp, const struct stp_expr *e)
{
	struct str_list paths = {0};
	if (!e->text2)
		return true;
	if (!point_of(dp) || (!is_user(dp) && !is_kernel_function(dp)))
		return false;
	if (is_kernel_function(dp) && str_eq(e->text2, point_of(dp)->target ? point_of(dp)->target : "kernel"))
		return true;
	struct err *err = elf_resolve_path(c->world, e->text2, &paths);
	bool same = !err && paths.list.len && str_eq(paths.list.at[0], point_of(dp)->target);
	err_free(err);
	vec_free(&paths.list);
	return same;
}

static bool use(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, const struct dwarf_var *v, struct stp_path *p)
{
	type_complete(v->type, c->a);
	p->var = v;
	p->base = v->type;
	p->bad = !v->loc;
	if (!v->loc && !c->in->skip_badvars)
		stp_error(c, e->loc, "variable '%s' %s%s [man error::dwarf]", v->name, v->missing,
			  dp && dp->spec.kind == PK_UPROBE && point_of(dp)->is_inlined && !dp->spec.statement
				  ? ", in a copy of the function that is inlined (.call probes the others)"
				  : "");
	return v->loc || c->in->skip_badvars;
}

/*
 * @var("x@file.c", "program") anywhere: a global of the program that the current process runs.  Where its libraries are is not
 * known to a probe outside of them.
 */
static bool program_variable(struct stp_comp *c, const struct stp_expr *e, const char *name, const char *file, struct stp_path *p)
{
	struct str_list paths = {0};
	struct elf_file *f = NULL;
	const char *why = "it is no file";
	err_free(elf_resolve_path(c->world, e->text2, &paths));
	if (paths.list.len)
		err_free(elf_open(c->world, paths.list.at[0], &f));
	vec_free(&paths.list);
	if (f && !elf_is_program(f)) {
		stp_error(c, e->loc, "variables of '%s' cannot be read here: it is neither the file of this probe nor a program", e->text2);
		return false;
	}
	struct dwarf *d = f ? elf_dwarf(f, &why) : NULL;
	const struct dwarf_var *v = d ? dwarf_global(d, name, file, 0, c->a) : NULL;
	if (!v) {
		stp_error(c, e->loc, "unable to find global '%s' in %s%s%s", name, e->text2, d ? "" : ", ", d ? "" : why);
		return false;
	}
	p->program = f;
	return use(c, NULL, e, v, p);
}

/* argN of a mark, as its note describes it. */
static bool mark_argument(struct stp_comp *c, const struct stp_dprobe *dp, const char *name, struct stp_path *p)
{
	char *end;
	unsigned long n = str_has_prefix(name, "arg") ? strtoul(name + 3, &end, 10) : 0;
	int size;
	if (!n || *end || !kit_usdt_arg_size(point_of(dp)->usdt_args, (unsigned)n - 1, &size))
		return false;
	p->mark_arg = (unsigned)n;
	p->base = type_int((uint32_t)abs(size), size < 0);
	return true;
}

static const struct dwarf_var *among(const struct dwarf_var **list, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(list[i]->name, name))
			return list[i];
	return NULL;
}

/* What BTF knows of a kernel function is enough for its parameters, and for what it gives back. */
static bool knows_better(const struct stp_dprobe *dp, const char *name)
{
	const struct type *r = dp->args ? dp->args->record : NULL;
	if (is_kernel_function(dp) && is_return(dp))
		return !probe_is_kernel_place(point_of(dp));
	for (uint32_t i = 0; r && is_kernel_function(dp) && i < r->nfield; i++)
		if (str_eq(r->field[i].name, name))
			return true;
	return false;
}

bool stp_debug_variable(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, struct stp_path *p, bool *failed)
{
	const char *file = NULL, *name = e->kind == SE_ATVAR ? split_file(c, e->text, &file) : e->text + 1;
	const struct dwarf_var *v = NULL;
	*failed = false;
	if (dp && e->kind == SE_ATVAR && !is_own_module(c, dp, e) && !str_has_prefix(e->text2, "kernel")) {
		*failed = !program_variable(c, e, name, file, p);
		return !*failed;
	}
	if ((!is_user(dp) && !is_kernel_function(dp)) || !point_of(dp) || knows_better(dp, name))
		return false;
	if (dp->spec.kind == PK_USDT && mark_argument(c, dp, name, p))
		return true;
	struct probe_args *vars = stp_debug_variables(c, dp);
	if (is_return(dp) && str_eq(name, "return"))
		v = stp_return_variable(c, dp);
	else if (vars && vars->record && !file)
		v = among(vars->var, vars->record->nfield, name);
	if (!v && vars && !file)
		v = among(vars->missing, vars->nmissing, name);
	if (!v && !str_eq(name, "return"))
		v = probe_global(c->world, point_of(dp), name, file, c->a);
	if (!v)
		return false;
	*failed = !use(c, dp, e, v, p);
	return !*failed;
}

void stp_no_debug_variable(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e, const char *name)
{
	const char *why = NULL;
	struct probe_args *vars = stp_debug_variables(c, dp);
	struct buf b = {0};
	if (!probe_dwarf(c->world, point_of(dp), &why)) {
		stp_error(c, e->loc, "unable to find local '%s': %s; int_arg(n) and returnval() work without it", name, why);
		return;
	}
	for (uint32_t i = 0; vars && i < vars->record->nfield; i++)
		buf_printf(&b, "%s$%s", b.len ? ", " : "", vars->record->field[i].name);
	for (uint32_t i = 0; vars && i < vars->nmissing; i++)
		buf_printf(&b, "%s$%s", b.len ? ", " : "", vars->missing[i]->name);
	stp_error(c, e->loc, b.len ? "unable to find local '%s', [man error::dwarf] near pc 0x%llx in %s (alternatives: %s)"
				     : "unable to find local '%s', [man error::dwarf] near pc 0x%llx in %s%s", name,
		  (unsigned long long)point_of(dp)->address, point_of(dp)->func ? point_of(dp)->func : "?", buf_str(&b));
	buf_free(&b);
}

/* --- types ---------------------------------------------------------------------------------------------------------------- */

static struct type *type_in(struct stp_comp *c, const char *path, const char *name)
{
	struct elf_file *f;
	struct err *err = elf_open(c->world, path, &f);
	struct dwarf *d = err ? NULL : elf_dwarf(f, NULL);
	err_free(err);
	return d ? dwarf_type_by_name(d, name) : NULL;
}

/* Of the kernel, of one of its modules ("vmlinux": neither), or of a program's debug information. */
static struct type *type_of_owner(struct stp_comp *c, const char *owner, const char *name)
{
	struct btf *btf = world_module_btf(c->world, owner);
	if (btf)
		return stp_type_by_name(c, btf, name);
	struct str_list paths = {0};
	err_free(elf_resolve_path(c->world, owner, &paths));
	struct type *t = paths.list.len ? type_in(c, paths.list.at[0], name) : NULL;
	vec_free(&paths.list);
	return t;
}

/* SystemTap compiles the header that the script names; we do not know which module has what is in it. */
static struct type *type_of_any_module(struct stp_comp *c, const char *name)
{
	struct str_list modules = {0};
	struct type *t = NULL;
	world_btf_modules(c->world, c->a, &modules);
	for (size_t i = 0; !t && i < modules.list.len; i++)
		t = stp_type_by_name(c, world_module_btf(c->world, modules.list.at[i]), name);
	vec_free(&modules.list);
	return t;
}

struct type *stp_cast_type(struct stp_comp *c, struct stp_dprobe *dp, const struct stp_expr *e)
{
	struct type *t = NULL;
	if (!c->world)
		return NULL;
	bool kernel = e->text2 && str_has_prefix(e->text2, "kernel");
	/* one module after the other, with colons between them */
	_cleanup_free_ char *owners = e->text2 && !kernel ? xstrdup(e->text2) : NULL;
	char *save = NULL;
	for (char *m = owners ? strtok_r(owners, ":", &save) : NULL; m && !t; m = strtok_r(NULL, ":", &save))
		t = type_of_owner(c, m, e->text);
	const struct attach_point *p = t || e->text2 || !dp ? NULL : point_of(dp);
	if (p && is_user(dp))
		t = type_in(c, p->target, e->text);
	else if (p && p->target && is_kernel_function(dp))
		t = type_of_owner(c, p->target, e->text);
	if (!t)
		t = stp_type_by_name(c, world_btf(c->world, NULL), e->text);
	return t || !kernel ? t : type_of_any_module(c, e->text);
}
