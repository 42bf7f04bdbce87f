/* script.c - from a command line to a program: the text, the world, the compiler and its
 * diagnostics. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lang/stp/stp.h"

void print_error(const struct job *j, const struct err *e)
{
	const char *red = j->colour ? "\033[31m" : "", *reset = j->colour ? "\033[0m" : "";
	fflush(stdout);
	fprintf(stderr, "%s%s%s%s\n", red, e->is_notice ? "" : "ERROR: ", e->msg, reset);
	if (e->hint)
		fprintf(stderr, "HINT: %s\n", e->hint);
	if (e->log && (j->verbose || dump_wanted(j, "verifier")))
		fprintf(stderr, "%s\n", e->log);
}

/* --- the text --------------------------------------------------------------------- */

/*
 * The scripts that come with the program are known by their names: DIR/../share/spile of the program's DIR, or ../tools in a
 * build folder.  NULL: there is none of that name.
 */
static const char *shipped_script(struct arena *a, const char *name)
{
	static const char *const folders[] = {"../share/spile", "../tools"}, *const kinds[] = {"bt", "stp"};
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	char *slash = strrchr(exe, '/');
	if (!slash || strchr(name, '/'))
		return NULL;
	*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			const char *path = arena_printf(a, "%s/%s/%s/%s", exe, folders[i], kinds[k], name);
			if (!access(path, R_OK))
				return path;
			path = arena_printf(a, "%s.%s", path, kinds[k]);
			if (!access(path, R_OK))
				return path;
		}
	return NULL;
}

static struct err *read_text(struct job *j, struct script *s)
{
	size_t n = 0;
	if (!j->script && j->as == AS_SPILE && access(j->file, F_OK)) {
		const char *shipped = shipped_script(s->arena, j->file);
		j->file = shipped ? shipped : j->file;
	}
	bool is_stdin = j->script || str_eq(j->file, "-");
	char *text =
		j->script ? xstrdup(j->script) : read_file(is_stdin ? "/dev/stdin" : j->file, &n);
	if (!text)
		return err_new(errno, "failed to open file '%s': %s", j->file, strerror(errno));
	bool is_stap = j->as == AS_STAP || j->lang == &lang_stp;
	s->source.len = j->script ? strlen(text) : n;
	s->source.text = arena_memdup(s->arena, text, s->source.len + 1); /* may hold NUL bytes */
	s->source.name = !is_stdin ? j->file : is_stap ? "<input>" : "stdin";
	base_free(text);
	return NULL;
}

static void tell_language(struct job *j, struct script *s)
{
	const char *name = j->script ? NULL : j->file, *text = s->source.text;
	s->lang = j->lang;
	if (s->lang)
		return;
	s->lang = lang_stp.looks_like(name, text) > lang_bt.looks_like(name, text) ? &lang_stp
										   : &lang_bt;
	if (s->lang == &lang_stp && str_eq(s->source.name, "stdin"))
		s->source.name = "<input>";
}

/* --- the world -------------------------------------------------------------------- */

static void remove_features(struct features *f, const char *list)
{
	static const struct {
		const char *name;
		size_t offset;
	} known[] = {
		{"kprobe_multi", offsetof(struct features, kprobe_multi)},
		{"kprobe_session", offsetof(struct features, kprobe_session)},
		{"fentry_multi", offsetof(struct features, fentry_multi)},
		{"uprobe_multi", offsetof(struct features, uprobe_multi)},
	};
	for (size_t i = 0; list && i < ARRAY_SIZE(known); i++)
		if (strstr(list, known[i].name))
			*(bool *)((char *)f + known[i].offset) = false;
}

/* Several --debuginfo DIR as one list with colons; NULL: none was given. */
static const char *joined(struct arena *a, const struct text_list *dirs)
{
	const char *all = NULL;
	vec_each(dir, &dirs->list)
		all = all ? arena_printf(a, "%s:%s", all, *dir) : *dir;
	return all;
}

/* A debug file that comes from a server may take minutes: said on a terminal, once a megabyte. */
static void show_progress(long done, long total)
{
	static long shown = -1;
	long mib = done >> 20;
	if (mib == shown || !isatty(STDERR_FILENO))
		return;
	shown = mib;
	if (total > 0)
		fprintf(stderr, "\rdebuginfod: %ld of %ld MiB", mib, total >> 20);
	else
		fprintf(stderr, "\rdebuginfod: %ld MiB", mib);
	if (total > 0 && done >= total)
		fputc('\n', stderr);
}

static struct err *open_world(struct job *j, struct script *s)
{
	struct err *e = world_open(s->arena, "", &s->world);
	if (e)
		return e;
	struct world *w = s->world;
	w->pid = j->pid;
	w->progress = show_progress;
	w->unsafe = j->unsafe;
	w->counts_runs = j->hit_report;
	w->functions_path = j->functions;
	if (j->functions && access(j->functions, R_OK))
		return err_new(errno,
			       "Failed to open kernel function info: Could not read functions from %s. (%s)",
			       j->functions, strerror(errno));
	w->debuginfo_dirs = joined(s->arena, &j->debuginfo);
	if (j->cmd) {
		e = traced_cmd_fork(j->cmd, s->lang == &lang_stp, &s->child);
		if (e)
			return err_note(e, "Failed to fork child");
		w->cmd_path = traced_cmd_path(s->child);
		w->pid = traced_cmd_pid(s->child);
	}
	features_probe(w);
	remove_features(&w->features, j->no_feature);
	return NULL;
}

struct err *script_open(struct job *j, struct script *s)
{
	*s = (struct script){.arena = arena_create()};
	phases_start(&s->phases, s->arena);
	diags_init(&s->diags, s->arena);
	struct err *e = NULL;
	if (j->script || j->file)
		e = read_text(j, s);
	if (e)
		return e;
	s->lang = j->lang;
	if (s->source.text)
		tell_language(j, s);
	e = open_world(j, s);
	phases_end(&s->phases, "world");
	return e;
}

void script_close(struct script *s)
{
	if (s->child)
		traced_cmd_free(s->child);
	program_free(s->prog);
	diags_free(&s->diags);
	if (s->world)
		world_close(s->world);
	arena_destroy(s->arena);
}

/* --- the compiler ----------------------------------------------------------------- */

static struct program_options default_options(const struct job *j, const struct lang *lang)
{
	bool is_stap = lang == &lang_stp;
	return (struct program_options){
		.max_map_keys = is_stap ? 2048 : 4096,
		.max_strlen = is_stap ? 512 : 1024,
		.max_cat_bytes = 10240,
		.max_errors = j->suppress_errors ? UINT32_MAX : 0,
		.max_probes = 1024,
		.max_progs = 1024,
		.stack_limit = is_stap ? 20 : 127,
		.stack_mode = STACK_BPFTRACE,
		.print_maps_on_exit = !j->no_global_display,
		.helper_errors = j->warnings,
		.demangle = true,
		.lazy_symbols = true,
		.show_debug_info = !is_stap,
		.str_trunc_trailer = "..",
		.license = "GPL",
		.log_size = 1000000,
		.dummy_ts = getenv("BPFTRACE_DUMMY_TS_MAP") != NULL,
	};
}

/* How stap ends when a pass found errors. */
static void print_failed_pass(const struct script *s)
{
	bool parse = false;
	for (size_t i = 0; i < s->diags.list.len; i++)
		parse |= stp_is_parse_error(&s->diags.list.at[i]);
	fputs(parse ? "Pass 1: parse failed.  [man error::pass1]\n"
		    : "Pass 2: analysis failed.  [man error::pass2]\n",
	      stderr);
}

void script_print_diags(const struct job *j, struct script *s, bool ok)
{
	for (int severity = DIAG_ERROR; severity <= DIAG_WARNING; severity++)
		vec_each(d, &s->diags.list) {
			struct buf b = {0};
			if ((int)d->severity != severity ||
			    (severity == DIAG_WARNING && j->no_warnings))
				continue;
			s->lang->render(d, &b, j->colour);
			fwrite(buf_str(&b), 1, b.len, stderr);
			buf_free(&b);
		}
	if (!ok && s->lang == &lang_stp)
		print_failed_pass(s);
}

/* What this machine lacks may be why a script did not compile: one line each that says what to do.
 */
static void explain_world(struct script *s)
{
	struct err *e = NULL;
	if (!s->world->tracefs)
		fprintf(stderr, "HINT: tracefs is not mounted, no tracepoint can be found: "
				"mount -t tracefs tracefs /sys/kernel/tracing\n");
	if (!world_btf(s->world, &e))
		fprintf(stderr,
			"HINT: the kernel's types are unknown (%s): they come from BTF "
			"(CONFIG_DEBUG_INFO_BTF), or from a file that BPFTRACE_BTF names\n",
			e ? e->msg : "no BTF");
	err_free(e);
}

static struct source *more_sources(const struct job *j, struct script *s)
{
	struct source *more = arena_array(s->arena, struct source, j->more_scripts.list.len + 1);
	for (size_t i = 0; i < j->more_scripts.list.len; i++) {
		const char *text = j->more_scripts.list.at[i];
		more[i] = (struct source){.name = "<input>", .text = text, .len = strlen(text)};
	}
	return more;
}

/* A folder of the running kernel's headers, as the environment names it or as distributions install it. */
static const char *kernel_tree(struct arena *a, const char *env, const char *link)
{
	struct utsname u;
	const char *path = getenv(env);
	if (path && *path)
		return arena_strdup(a, path);
	return uname(&u) == 0 ? arena_printf(a, "/lib/modules/%s/%s", u.release, link) : NULL;
}

struct lang_input script_input(const struct job *j, struct script *s)
{
	return (struct lang_input){
		.src = &s->source,
		.arena = s->arena,
		.diags = &s->diags,
		.world = s->world,
		.params = j->params.list.at,
		.nparams = (unsigned)j->params.list.len,
		.opt = default_options(j, s->lang),
		.kernel_source = kernel_tree(s->arena, "BPFTRACE_KERNEL_SOURCE", "source"),
		.kernel_build = kernel_tree(s->arena, "BPFTRACE_KERNEL_BUILD", "build"),
		.include_dirs = j->include_dirs.list.at,
		.ninclude_dirs = (unsigned)j->include_dirs.list.len,
		.includes = j->includes.list.at,
		.nincludes = (unsigned)j->includes.list.len,
		.stop_after = j->stop_after,
		.guru = j->unsafe,
		.unoptimized = j->unoptimized,
		.skip_badvars = j->skip_badvars,
		.target_namespaces = j->target_namespaces,
		.module = j->module,
		.more = more_sources(j, s),
		.nmore = (unsigned)j->more_scripts.list.len,
		.defines = j->defines.list.at,
		.ndefines = (unsigned)j->defines.list.len,
		.globals = j->globals.list.at,
		.nglobals = (unsigned)j->globals.list.len,
		.phase = phases_end,
		.phase_arg = &s->phases,
	};
}

static void print_dump(struct buf *b)
{
	fwrite(buf_str(b), 1, b->len, stdout);
	fflush(stdout);
	buf_free(b);
}

bool script_compile(struct job *j, struct script *s, bool is_listing)
{
	struct buf ast = {0}, types = {0};
	struct lang_input in = script_input(j, s);
	in.is_listing = is_listing;
	in.dump_ast = dump_wanted(j, "ast") || j->stop_after == 1 ? &ast : NULL;
	in.dump_types = dump_wanted(j, "types") || j->stop_after == 2 ? &types : NULL;
	s->prog = s->lang->compile(&in);
	if (s->prog)
		program_finish(s->prog);
	phases_end(&s->phases, "compile");
	print_dump(&ast);
	print_dump(&types);
	bool stopped = j->stop_after && j->stop_after < 3 && !s->diags.errors;
	bool ok = (s->prog || stopped) && !s->diags.errors && !(j->warnings_are_errors && s->diags.warnings);
	script_print_diags(j, s, ok);
	if (ok)
		return true;
	program_free(s->prog);
	s->prog = NULL;
	explain_world(s);
	return false;
}
