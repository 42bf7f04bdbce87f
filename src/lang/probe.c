/* probe.c - the table of probe families and how a probe point becomes places to attach to. */
#include "lang/probe.h"

#include <strings.h>

static const struct probe_kind_info kinds[PK_COUNT] = {
	[PK_BEGIN] = {PK_BEGIN, "begin", NULL, PROG_RAW_TP},
	[PK_END] = {PK_END, "end", NULL, PROG_RAW_TP},
};

const struct probe_kind_info *probe_kind_info(enum probe_kind k)
{
	return &kinds[k];
}

const struct probe_kind_info *probe_kind_by_name(const char *name)
{
	for (unsigned i = 0; i < PK_COUNT; i++)
		if (kinds[i].name && !strcasecmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

void probe_expand(struct world *w, const struct probe_spec *spec, struct arena *a, struct diags *d,
		  struct attach_points *ret)
{
	struct attach_point *p = arena_new(a, struct attach_point);
	p->kind = spec->kind;
	p->name = probe_kind_info(spec->kind)->name;
	vec_push(&ret->list, p);
}

struct probe_args *probe_arguments(struct world *w, const struct attach_point *p, struct arena *a)
{
	return NULL;
}

void probe_list(struct world *w, const char *pattern, bool with_args, struct arena *a,
		void (*fn)(void *arg, const char *name, const char *const *lines, unsigned n),
		void *arg)
{
}
