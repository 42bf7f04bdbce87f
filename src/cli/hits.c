/* hits.c - stap -t: how often each probe was hit and what that cost, at the end. */
#include "cli/cli.h"

/* The probe whose program this one shares; itself: none before it. */
static unsigned first_of(const struct program *p, unsigned i)
{
	unsigned first = 0;
	while (p->probe.at[first]->fn != p->probe.at[i]->fn)
		first++;
	return first;
}

static unsigned sharers(const struct program *p, unsigned i)
{
	unsigned n = 0;
	for (unsigned k = i + 1; k < p->probe.len; k++)
		n += p->probe.at[k]->fn == p->probe.at[i]->fn;
	return n;
}

void print_hits(struct session *session, const struct program *p, struct buf *out)
{
	struct probe_stats st;
	buf_puts(out, "----- probe hit report: \n");
	for (unsigned i = 0; i < p->probe.len; i++) {
		const struct probe *probe = p->probe.at[i];
		if (probe->is_hidden || first_of(p, i) != i || !session_probe_stats(session, i, &st) || !st.runs)
			continue;
		buf_puts(out, probe->name);
		if (sharers(p, i))
			buf_printf(out, " and %u more", sharers(p, i));
		if (probe->loc.src) {
			struct line_col at = source_line_col(probe->loc.src, probe->loc.begin);
			buf_printf(out, ", (%s:%u:%u)", probe->loc.src->name, at.line, at.col);
		}
		buf_printf(out, ", hits: %llu, ns: ", (unsigned long long)st.runs);
		if (st.min_ns)
			buf_printf(out, "%llumin/%lluavg/%llumax", (unsigned long long)st.min_ns, (unsigned long long)(st.ns / st.runs),
				   (unsigned long long)st.max_ns);
		else
			buf_printf(out, "%lluavg", (unsigned long long)(st.ns / st.runs));
		buf_puts(out, probe->kind == PROG_USER ? ", in user space\n" : "\n");
	}
}
