/*
 * probe_netfilter.c - hooks of netfilter that packets pass, by the names of linux/netfilter*.h.
 *
 * The kernel puts programs on the hooks of IPv4 and IPv6 alone (bpf_nf_check_pf_and_hooks() in net/netfilter/nf_bpf_link.c).
 */
#include "lang/probe_internal.h"

enum { IPV4 = 1, IPV6 = 2, ARP = 4, BRIDGE = 8 };

static const struct family {
	const char *name;
	uint32_t number, bit;
	const char *instead; /* what sees those packets; NULL: netfilter programs do */
} families[] = {
	{"NFPROTO_IPV4", 2, IPV4, NULL},
	{"NFPROTO_IPV6", 10, IPV6, NULL},
	{"NFPROTO_ARP", 3, ARP, "kernel.function(\"arp_rcv\") and kernel.function(\"arp_xmit\") do"},
	{"NFPROTO_BRIDGE", 7, BRIDGE, "kernel.function(\"br_handle_frame\") does where the bridge module is loaded"},
};

/* Each family has its own names; those of inet are for both. */
static const struct {
	const char *prefix;
	uint32_t families;
} prefixes[] = {
	{"NF_INET_", IPV4 | IPV6}, {"NF_IP_", IPV4}, {"NF_IP6_", IPV6}, {"NF_ARP_", ARP}, {"NF_BR_", BRIDGE},
};
static const struct {
	const char *name;
	uint32_t number, families;
} hooks[] = {
	{"PRE_ROUTING", 0, IPV4 | IPV6 | BRIDGE}, {"LOCAL_IN", 1, IPV4 | IPV6 | BRIDGE},     {"FORWARD", 2, IPV4 | IPV6 | BRIDGE},
	{"LOCAL_OUT", 3, IPV4 | IPV6 | BRIDGE},	  {"POST_ROUTING", 4, IPV4 | IPV6 | BRIDGE}, {"IN", 0, ARP},
	{"OUT", 1, ARP},			  {"FORWARD", 2, ARP},
};

static const struct family *find_family(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (str_eq(families[i].name, name))
			return &families[i];
	return NULL;
}

/* Number of a hook of the family; -1: it has none of that name. */
static int find_hook(const struct family *f, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (!(prefixes[i].families & f->bit) || !str_has_prefix(name, prefixes[i].prefix))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(hooks); k++)
			if (hooks[k].families & f->bit && str_eq(hooks[k].name, name + strlen(prefixes[i].prefix)))
				return (int)hooks[k].number;
	}
	return -1;
}

/* The context of such a program; 0: this kernel has none. */
static uint32_t context_id(struct world *w)
{
	struct btf *b = world_btf(w, NULL);
	return b ? btf_find(b, BTF_NS_STRUCT, "bpf_nf_ctx") : 0;
}

void expand_netfilter(struct expansion *x)
{
	const struct probe_spec *s = x->spec;
	const struct family *f = find_family(s->target);
	int hook = f ? find_hook(f, s->func) : -1;
	if (!f) {
		expansion_error(x, "netfilter has no family '%s' (NFPROTO_IPV4, NFPROTO_IPV6)", s->target);
	} else if (hook < 0) {
		expansion_error(x, "%s has no hook '%s' (NF_INET_PRE_ROUTING, _LOCAL_IN, _FORWARD, _LOCAL_OUT, _POST_ROUTING)", f->name, s->func);
	} else if (f->instead) {
		expansion_error(x, "BPF programs in netfilter see IPv4 and IPv6, not %s; %s", f->name, f->instead);
	} else if (!context_id(x->world)) {
		expansion_error(x, "this kernel runs no BPF programs in netfilter (Linux 6.4, CONFIG_NETFILTER_BPF_LINK)");
	} else {
		struct attach_point *p = expansion_add(x, "%s:%s", s->target, s->func);
		p->pf = f->number;
		p->hook = (uint32_t)hook;
		/* the very first and the very last are kept for the kernel's own */
		p->order = MAX(MIN(s->order, (int64_t)INT32_MAX - 1), (int64_t)INT32_MIN + 1);
	}
}

/* The context's members: `state`, what the hook was called with, and `skb`, the packet. */
struct probe_args *probe_netfilter_arguments(struct world *w, struct arena *a)
{
	uint32_t id = context_id(w);
	struct type *t = id ? btf_type(world_btf(w, NULL), id, AS_KERNEL, a) : NULL;
	if (!t || t->kind != TYPE_STRUCT)
		return NULL;
	type_complete(t, a);
	struct probe_args *args = arena_new(a, struct probe_args);
	args->record = t;
	args->from_ctx = true;
	return args;
}
