/* ir.c - `spile ir`: IR text in, passes, IR text out. */
#include "cli/cli.h"

struct ir_job {
	const char *file, *passes;
	bool check, load;
};

static struct err *parse_args(char **argv, struct ir_job *o)
{
	for (; *argv; argv++) {
		if (str_has_prefix(*argv, "--passes="))
			o->passes = *argv + strlen("--passes=");
		else if (str_eq(*argv, "--check"))
			o->check = true;
		else if (str_eq(*argv, "--load"))
			o->load = true;
		else if ((*argv)[0] == '-' && (*argv)[1])
			return err_new(0, "spile ir knows --passes=a,b, --check and --load, not '%s'",
				       *argv);
		else
			o->file = *argv;
	}
	for (const char *p = o->passes; p && *p; p += strcspn(p, ","), p += *p == ',') {
		struct err *e = pass_check("--passes=", p, strcspn(p, ","));
		if (e)
			return e;
	}
	return o->file ? NULL : err_new(0, "spile ir [--passes=a,b] [--check] [--load] FILE");
}

/* An empty list is no pass at all: the text comes back as it was read. */
static void run_passes(struct ir_fn *fn, const struct ir_job *o)
{
	if (!o->passes || *o->passes)
		ir_optimize(fn, o->passes, NULL, NULL);
}

static void print_maps(const struct program *prog)
{
	struct buf b = {0};
	program_dump_maps(prog, &b);
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

static int transform(struct program *prog, const struct ir_job *o)
{
	int status = EXIT_OK;
	if (!o->check && !o->load)
		print_maps(prog);
	vec_each(fn, &prog->fn) {
		const char *wrong = ir_check(*fn);
		if (wrong) {
			fprintf(stderr, "ERROR: %s\n", wrong);
			status = EXIT_USER;
			continue;
		}
		struct buf b = {0};
		if (!o->check)
			run_passes(*fn, o);
		if (!o->check && !o->load)
			ir_print(*fn, &b);
		fwrite(buf_str(&b), 1, b.len, stdout);
		buf_free(&b);
	}
	return status;
}

/* Every entry function, as the program of a raw tracepoint, through the kernel's verifier. */
static struct err *load(struct program *prog, struct arena *a)
{
	static struct attach_point point = {.kind = PK_BEGIN};
	static struct attach_point *points = &point;
	struct session_options so = {.dry_run = true};
	struct session *session = NULL;
	struct world *w = NULL;
	struct err *e = world_open(a, NULL, &w);
	if (e)
		return e;
	prog->ncpus = w->ncpus;
	vec_each(fn, &prog->fn) {
		if ((*fn)->kind != IR_ENTRY)
			continue;
		struct probe *p = program_probe(prog, (*fn)->name, *fn, PROG_RAW_TP);
		p->points = &points;
		p->npoints = 1;
	}
	program_finish(prog);
	e = session_create(prog, w, &so, &session);
	if (!e)
		print_loaded(session, prog);
	session_destroy(session);
	world_close(w);
	return e;
}

int verb_ir(char **argv)
{
	struct ir_job o = {0};
	struct job j = {0};
	size_t n = 0;
	char *text = NULL;
	struct err *e = parse_args(argv, &o);
	if (!e && !(text = read_file(str_eq(o.file, "-") ? "/dev/stdin" : o.file, &n)))
		e = err_errno("%s", o.file);
	if (e) {
		print_error(&j, e);
		err_free(e);
		return EXIT_USER;
	}
	struct arena *a = arena_create();
	struct program *prog = program_new(a, "ir");
	struct source src = {o.file, text, n};
	struct diags d;
	diags_init(&d, a);
	int status = ir_parse(prog, &src, &d) && !d.errors ? transform(prog, &o) : EXIT_USER;
	if (o.load && status == EXIT_OK && (e = load(prog, a))) {
		print_error(&j, e);
		status = e->log ? EXIT_INTERNAL : EXIT_USER;
		err_free(e);
	}
	vec_each(diag, &d.list) {
		struct buf b = {0};
		lang_bt.render(diag, &b, false);
		fwrite(buf_str(&b), 1, b.len, stderr);
		buf_free(&b);
	}
	diags_free(&d);
	program_free(prog);
	arena_destroy(a);
	base_free(text);
	return status;
}
