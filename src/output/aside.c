/* aside.c - an exporter of stacks writes nothing else: what a script prints besides is text, and goes to stderr. */
#include "output/samples.h"

/* The language's own text exporter, on stderr. */
static struct exporter *open_aside(struct exporter *x)
{
	bool is_stap = x->env.prog && str_eq(x->env.prog->lang_name, "stap");
	struct exporter *t = exporter_create(is_stap ? &output_stp_text : &output_bt_text, x->err_fd, &x->env);

	t->err_fd = x->err_fd;
	t->colour = x->colour;
	t->no_warnings = x->no_warnings;
	exporter_flush(x);
	return t;
}

void aside_event(struct exporter *x, const struct action *act, const struct value *args, unsigned n,
		 const char *text, size_t len)
{
	struct exporter *t = open_aside(x);

	t->ops->event(t, act, args, n, text, len);
	exporter_destroy(t);
}

void aside_attached(struct exporter *x, unsigned n)
{
	output_bt_text.attached(x, n);
}

void aside_lost(struct exporter *x, uint64_t n, const char *what)
{
	struct exporter *t = open_aside(x);

	t->ops->lost(t, n, what);
	exporter_destroy(t);
}

void aside_var(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
	       bool at_exit)
{
	struct exporter *t = open_aside(x);

	t->ops->var(t, v, rows, top, div, at_exit);
	exporter_destroy(t);
}
