/* points_netfilter.c - hooks of netfilter: their probe points, $variables and $verdict. */
#include <stdlib.h>

#include "lang/stp/points.h"

/* Names of priorities: enum nf_ip_hook_priorities of linux/netfilter_ipv4.h; those of IPv6 have the same values. */
static const struct {
	const char *name;
	int32_t value;
} priorities[] = {
	{"FIRST", INT32_MIN}, {"RAW_BEFORE_DEFRAG", -450}, {"CONNTRACK_DEFRAG", -400}, {"RAW", -300},
	{"SELINUX_FIRST", -225}, {"CONNTRACK", -200}, {"MANGLE", -150}, {"NAT_DST", -100},
	{"FILTER", 0}, {"SECURITY", 50}, {"NAT_SRC", 100}, {"SELINUX_LAST", 225},
	{"CONNTRACK_HELPER", 300}, {"CONNTRACK_CONFIRM", INT32_MAX}, {"LAST", INT32_MAX},
};

/* A number or NF_IP_PRI_X, NF_IP6_PRI_X; false: it is neither. */
static bool read_priority(const char *text, int64_t *ret)
{
	static const char *const prefixes[] = {"NF_IP_PRI_", "NF_IP6_PRI_"};
	char *end;
	*ret = strtoll(text, &end, 0);
	if (end != text && !*end)
		return *ret >= INT32_MIN && *ret <= INT32_MAX;
	for (size_t p = 0; p < ARRAY_SIZE(prefixes); p++)
		for (size_t i = 0; str_has_prefix(text, prefixes[p]) && i < ARRAY_SIZE(priorities); i++)
			if (str_eq(text + strlen(prefixes[p]), priorities[i].name)) {
				*ret = priorities[i].value;
				return true;
			}
	return false;
}

/* number: which argument is the hook; the other is the family of protocols.  A third is the priority. */
static bool fill_netfilter(struct stp_comp *c, const struct stp_family *f, const struct stp_match *m, struct stp_dprobe *dp)
{
	dp->spec.func = m->arg[f->number]->str;
	dp->spec.target = m->arg[1 - f->number]->str;
	if (m->narg < 3 || read_priority(m->arg[2]->str, &dp->spec.order))
		return true;
	stp_error(c, m->arg[2]->loc, "invalid priority '%s' (a number, NF_IP_PRI_* or NF_IP6_PRI_*)", m->arg[2]->str);
	return false;
}

const struct stp_family stp_netfilter_families[] = {
	{"netfilter.hook(S).pf(S)", PK_NETFILTER, fill_netfilter, 0},
	{"netfilter.pf(S).hook(S)", PK_NETFILTER, fill_netfilter, 1},
	{"netfilter.hook(S).pf(S).priority(S)", PK_NETFILTER, fill_netfilter, 0},
	{"netfilter.pf(S).hook(S).priority(S)", PK_NETFILTER, fill_netfilter, 1},
	{0},
};

/* --- $variables -------------------------------------------------------------------------------------------------- */

/* $in is $state->in: what the hook was called with is in one struct (struct nf_hook_state of linux/netfilter.h). */
static void name_state(struct stp_expr *e, void *arg)
{
	static const char *const names[][2] = {{"$hooknum", "hook"}, {"$pf", "pf"}, {"$in", "in"}, {"$out", "out"}, {"$okfn", "okfn"}};
	struct stp_comp *c = arg;
	for (size_t i = 0; e->kind == SE_TARGET && i < ARRAY_SIZE(names); i++) {
		if (!str_eq(e->text, names[i][0]))
			continue;
		struct stp_member *comp = arena_array(c->a, struct stp_member, e->ncomp + 1);
		comp[0] = (struct stp_member){.loc = e->loc, .member = names[i][1]};
		if (e->ncomp)
			memcpy(comp + 1, e->comp, e->ncomp * sizeof(*comp));
		e->comp = comp;
		e->ncomp++;
		e->text = "$state";
	}
}

void stp_name_netfilter(struct stp_comp *c, struct stp_stmt *body)
{
	stp_walk_stmt(body, name_state, c);
}

bool stp_is_verdict(const struct stp_dprobe *dp, const struct stp_expr *e)
{
	return dp && dp->spec.kind == PK_NETFILTER && e->kind == SE_TARGET && str_eq(e->text, "$verdict") && !e->ncomp && !e->address_of;
}
