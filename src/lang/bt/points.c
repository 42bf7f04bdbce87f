/*
 * points.c - attach points as bpftrace spells them: PROVIDER[:PART...]; providers.c has the providers.
 *
 * Reads the text into a struct probe_spec and says what is wrong with the text.  What the machine
 * has is probe_expand()'s business.
 */
#include "lang/bt/points.h"

/* --- parts --------------------------------------------------------------------------------------
 */

/* Puts the text of $N in place of its spelling at *at; false after an error. */
static bool substitute(struct bt_point_reader *r, char **raw, size_t at)
{
	const char *digits = *raw + at + 1;
	size_t n = *digits == '0' ? 0 : strspn(digits, "0123456789");
	if (!n && *digits)
		return bt_point_wrong(
			r,
			"invalid trailing character for positional param: %c. Try quoting this entire "
			"part if this is intentional e.g. \"$%c\".",
			*digits, *digits);
	uint64_t index = 0;
	const char *why =
		bt_number(r->in->arena, arena_strndup(r->in->arena, digits, n), 10, &index);
	if (why)
		return bt_point_wrong(r, "positional parameter is not valid: %s", why);
	if (index > r->in->nparams && !r->not_given)
		r->not_given = (unsigned)index;
	const char *value = index <= r->in->nparams ? r->in->params[index - 1] : "";
	*raw = arena_printf(r->in->arena, "%.*s%s%s", (int)at, *raw, value, digits + n);
	return true;
}

/* Splits at `:` and `@` outside quotes; an `@` is a part of its own. */
static bool split(struct bt_point_reader *r, const char *text)
{
	char *raw = arena_strdup(r->in->arena, text);
	struct buf part = {0};
	bool quoted = false, ok = true;
	unsigned substitutions = 0;
	for (size_t i = 0; ok && raw[i];) {
		if ((raw[i] == ':' || raw[i] == '@') && !quoted) {
			vec_push(&r->part, arena_strdup(r->in->arena, buf_str(&part)));
			buf_clear(&part);
			if (raw[i] == '@')
				vec_push(&r->part, "@");
		} else if (raw[i] == '"') {
			quoted = !quoted;
		} else if (quoted && raw[i] == '\\' && raw[i + 1]) {
			buf_putc(&part, raw[++i]);
		} else if (!quoted && raw[i] == '$') {
			ok = ++substitutions <= 1000 && substitute(r, &raw, i);
			continue;
		} else {
			buf_putc(&part, raw[i]);
		}
		i++;
	}
	vec_push(&r->part, arena_strdup(r->in->arena, buf_str(&part)));
	buf_free(&part);
	return ok;
}

/* --- one point, one probe -----------------------------------------------------------------------
 */

struct points {
	VEC(struct bt_point) list;
};

static void keep(struct bt_point_reader *r, const struct bt_provider *p, const struct bt_point *from,
		 struct points *out)
{
	struct bt_point pt = *from;
	r->pt = &pt;
	r->spec = &pt.spec;
	r->provider = p->name;
	pt.spec = (struct probe_spec){.kind = p->kind, .spelling = pt.text, .loc = pt.loc};
	pt.bad = !p->read(r);
	if (pt.bad && r->lenient)
		return;
	pt.npart = (unsigned)r->part.len;
	pt.part = arena_memdup(r->in->arena, r->part.at, sizeof(*r->part.at) * r->part.len);
	vec_push(&out->list, pt);
}

/* `*:vfs_read`: every provider that has such names. */
static void keep_matching(struct bt_point_reader *r, const struct bt_point *from, struct points *out)
{
	bool user = (r->in->world && r->in->world->pid) ||
		    (r->part.len >= 2 && strchr(r->part.at[1], '/'));
	bool any = false;
	if (r->part.len == 1)
		vec_push(&r->part, r->part.at[0]);
	for (const struct bt_provider *p = bt_providers; p->name; p++) {
		if (p->listed != (user ? 'u' : 'k') || !glob_match(r->part.at[0], p->name))
			continue;
		any = true;
		size_t n = r->part.len;
		r->lenient = true;
		keep(r, p, from, out);
		r->lenient = false;
		r->part.len = n;
	}
	if (!any)
		bt_point_wrong(r, "No probe type matched for %s", r->part.at[0]);
}

/* false when not even a provider could be made out. */
static bool read_point(struct bt_point_reader *r, struct bt_probe *probe, struct bt_point *pt,
		       struct points *out)
{
	r->pt = pt;
	r->part.len = 0;
	if (!split(r, pt->text))
		return false;
	const char *front = r->part.at[0], *eq = strchr(front, '=');
	if (eq && eq[1]) {
		probe->label = arena_strndup(r->in->arena, front, (size_t)(eq - front));
		r->part.at[0] = front = eq + 1;
	}
	if (!*front)
		return false;
	if (bt_has_wildcard(front)) {
		keep_matching(r, pt, out);
		return true;
	}
	const struct bt_provider *p = bt_provider_find(front);
	if (p)
		keep(r, p, pt, out);
	else
		bt_provider_unknown(r, front);
	return true;
}

static void read_probe(struct lang_input *in, struct bt_probe *probe)
{
	struct bt_point_reader r = {.in = in};
	struct points out = {0};
	unsigned unread = 0;
	for (unsigned i = 0; i < probe->npoint; i++)
		unread += !read_point(&r, probe, &probe->point[i], &out);
	if (unread == probe->npoint)
		diag_error(in->diags, probe->loc, "No attach points for probe");
	probe->npoint = (unsigned)out.list.len;
	probe->point = out.list.len ? arena_memdup(in->arena, out.list.at,
						   sizeof(*out.list.at) * out.list.len)
				    : NULL;
	vec_free(&out.list);
	vec_free(&r.part);
}

/* Names of tests and benchmarks may be used once. */
static void check_unique(struct lang_input *in, struct bt_script *s, enum probe_kind kind,
			 const char *what)
{
	struct strtab seen = {0};
	for (struct bt_probe *p = s->probe; p; p = p->next) {
		for (unsigned i = 0; i < p->npoint; i++) {
			struct probe_spec *spec = &p->point[i].spec;
			if (spec->kind != kind || !spec->func)
				continue;
			if (strtab_get(&seen, spec->func))
				diag_error(in->diags, p->point[i].loc,
					   "\"%s\" was used as the name for more than one %s probe",
					   spec->func, what);
			strtab_set(&seen, spec->func, spec);
		}
	}
	strtab_free(&seen);
}

void bt_points(struct lang_input *in, struct bt_script *s)
{
	for (struct bt_probe *p = s->probe; p; p = p->next)
		read_probe(in, p);
	check_unique(in, s, PK_TEST, "TEST");
	check_unique(in, s, PK_BENCH, "BENCH");
}
