/* ir.c - `spile ir`: IR text in, passes, IR text out. */
#include "cli/cli.h"

struct ir_job {
	const char *file, *passes;
	bool check, bpf;
};

static struct err *parse_args(char **argv, struct ir_job *o)
{
	for (; *argv; argv++) {
		if (str_has_prefix(*argv, "--passes="))
			o->passes = *argv + strlen("--passes=");
		else if (str_eq(*argv, "--check"))
			o->check = true;
		else if ((*argv)[0] == '-' && (*argv)[1])
			return err_new(0, "spile ir knows --passes=a,b and --check, not '%s'",
				       *argv);
		else
			o->file = *argv;
	}
	return o->file ? NULL : err_new(0, "spile ir [--passes=a,b] [--check] FILE");
}

/* An empty list is no pass at all: the text comes back as it was read. */
static void run_passes(struct ir_fn *fn, const struct ir_job *o)
{
	if (!o->passes || *o->passes)
		ir_optimize(fn, o->passes, NULL, NULL);
}

static int transform(struct program *prog, const struct ir_job *o)
{
	int status = EXIT_OK;
	vec_each(fn, &prog->fn) {
		const char *wrong = ir_check(*fn);
		if (wrong) {
			fprintf(stderr, "ERROR: %s\n", wrong);
			status = EXIT_USER;
			continue;
		}
		struct buf b = {0};
		if (!o->check) {
			run_passes(*fn, o);
			ir_print(*fn, &b);
		}
		fwrite(buf_str(&b), 1, b.len, stdout);
		buf_free(&b);
	}
	return status;
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
