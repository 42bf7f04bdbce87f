/* flame.c - `spile flame`: folded stacks that were saved, as a flame graph on stdout. */
#include "cli/cli.h"
#include "output/flame.h"

struct flame_job {
	struct flame_options opt;
	const char *file, *title;
};

static struct err *parse_args(char **argv, struct flame_job *o)
{
	for (; *argv; argv++) {
		if (str_eq(*argv, "--icicle"))
			o->opt.icicle = true;
		else if (str_has_prefix(*argv, "--diff="))
			o->opt.before = *argv + strlen("--diff=");
		else if (str_has_prefix(*argv, "--title="))
			o->title = *argv + strlen("--title=");
		else if ((*argv)[0] == '-' && (*argv)[1])
			return err_new(0, "spile flame knows --icicle, --diff=OLD and --title=TEXT, not '%s'", *argv);
		else if (o->file)
			return err_new(0, "spile flame takes one file; --diff=OLD names the other");
		else
			o->file = *argv;
	}
	return o->file ? NULL : err_new(0, "spile flame [--icicle] [--diff=OLD] [--title=TEXT] FILE.folded > FILE.svg");
}

static struct err *read_stacks(const char *file, struct samples *ret)
{
	size_t n;
	_cleanup_free_ char *text = read_file(str_eq(file, "-") ? "/dev/stdin" : file, &n);

	if (!text)
		return err_errno("%s", file);
	samples_read_folded(text, n, ret);
	return ret->sample.len ? NULL : err_new(0, "%s holds no folded stacks (\"main;work 42\" a line)", file);
}

int verb_flame(char **argv)
{
	struct flame_job o = {0};
	struct samples stacks = {0}, before = {0};
	struct job j = {0};
	struct buf svg = {0};
	int status = EXIT_OK;
	struct err *e = parse_args(argv, &o);

	if (!e)
		e = read_stacks(o.file, &stacks);
	if (!e && o.opt.before)
		e = read_stacks(o.opt.before, &before);
	if (!e) {
		stacks.name = o.title ? o.title : o.file;
		flame_svg(&stacks, o.opt.before ? &before : NULL, &o.opt, &svg);
		if (fwrite(buf_str(&svg), 1, svg.len, stdout) != svg.len || fflush(stdout))
			e = err_errno("writing the picture");
	}
	if (e) {
		print_error(&j, e);
		err_free(e);
		status = EXIT_USER;
	}
	buf_free(&svg);
	samples_free(&stacks);
	samples_free(&before);
	return status;
}
