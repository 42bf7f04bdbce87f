/*
 * points.c - attach points as bpftrace spells them: PROVIDER[:PART...], one row a provider.
 *
 * Reads the text into a struct probe_spec and says what is wrong with the text.  What the machine
 * has is probe_expand()'s business.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "lang/bt/parse.h"

struct reader {
	struct lang_input *in;
	struct bt_point *pt;
	struct probe_spec *spec;
	const char *provider;
	unsigned not_given; /* the first of the script's parameters that is used and absent; 0: none */
	bool lenient;  /* made from a wildcard over providers: what does not fit is left out */
	bool has_iter; /* in this probe */
	VEC(const char *) part;
};

struct provider {
	const char *name;
	const char *alias[2]; /* case counts, unlike in names */
	enum probe_kind kind;
	bool (*read)(struct reader *r); /* false: cannot be used */
	char listed;                    /* what a wildcard provider stands for: 'k'ernel, 'u'ser */
};

static bool wrong(struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool wrong(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!r->lenient) {
		struct diag *d = diag_error(r->in->diags, r->pt->loc, "%s", arena_vprintf(r->in->arena, fmt, ap));
		if (r->not_given)
			diag_hint(r->in->diags, d, "the script was run without its parameter $%u", r->not_given);
	}
	va_end(ap);
	return false;
}

static bool has_wildcard(const char *s)
{
	return strchr(s, '*') || (strchr(s, '[') && strchr(s, ']'));
}

static bool is_safe(const struct reader *r)
{
	return !r->in->world || !r->in->world->unsafe;
}

static unsigned nargs(const struct reader *r)
{
	return (unsigned)r->part.len - 1;
}

static bool count_error(struct reader *r, unsigned want, int or_else)
{
	if (or_else < 0)
		return wrong(r, "%s probe type requires %u arguments, found %u", r->provider, want,
			     nargs(r));
	return wrong(r, "%s probe type requires %u or %d arguments, found %u", r->provider, want,
		     or_else, nargs(r));
}

static const char *number(struct reader *r, const char *text, uint64_t *ret)
{
	return bt_number(r->in->arena, text, 0, ret);
}

/* --- provider by provider -----------------------------------------------------------------------
 */

static bool read_begin(struct reader *r)
{
	if (r->part.len == 2 && str_eq(r->part.at[1], "*"))
		r->part.len = 1;
	return r->part.len == 1 || count_error(r, 0, -1);
}

static bool read_self(struct reader *r)
{
	if (r->part.len != 3)
		return count_error(r, 2, -1);
	r->spec->target = r->part.at[1];
	r->spec->func = r->part.at[2];
	if (strcmp(r->spec->target, "signal"))
		return wrong(r, "%s is not a supported trigger", r->spec->target);
	if (strcmp(r->spec->func, "SIGUSR1"))
		return wrong(r, "%s is not a supported signal", r->spec->func);
	return true;
}

static bool read_test(struct reader *r)
{
	if (r->part.len != 2)
		return count_error(r, 1, -1);
	r->spec->func = r->part.at[1];
	return r->spec->func[0] || wrong(r, "%s probes must have a name", r->provider);
}

/* NAME or NAME+OFFSET; *found false when there is no `+`. */
static bool read_offset(struct reader *r, const char *text, bool allowed, bool *found)
{
	const char *plus = strchr(text, '+');
	*found = plus != NULL;
	if (!plus)
		return true;
	if (!allowed)
		return wrong(r, "Offset not allowed");
	if (strchr(plus + 1, '+'))
		return wrong(r, "Cannot take more than one offset");
	if (plus == text || !plus[1])
		return wrong(r, "Invalid offset");
	r->spec->func = arena_strndup(r->in->arena, text, (size_t)(plus - text));
	const char *why = number(r, plus + 1, &r->spec->offset);
	return !why || wrong(r, "Invalid offset: %s", why);
}

static bool read_source_line(struct reader *r);

static bool read_kprobe(struct reader *r)
{
	if (r->part.len > 1 && str_eq(r->part.at[1], "@")) { /* kprobe@FILE:LINE: of the kernel itself */
		vec_push(&r->part, NULL);
		memmove(r->part.at + 2, r->part.at + 1, (r->part.len - 2) * sizeof(*r->part.at));
		r->part.at[1] = "";
	}
	if (r->part.len > 2 && str_eq(r->part.at[2], "@")) {
		r->spec->target = *r->part.at[1] ? r->part.at[1] : NULL;
		return read_source_line(r);
	}
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 1, 2);
	if (nargs(r) == 2)
		r->spec->target = r->part.at[1];
	const char *func = vec_last(&r->part);
	bool found;
	if (!read_offset(r, func, r->spec->kind == PK_KPROBE, &found))
		return false;
	if (found)
		return true;
	if (!number(r, func, &r->spec->address)) {
		if (is_safe(r))
			return wrong(r, "Probing by address requires --unsafe");
		r->spec->has_address = true;
	} else if (!*func) {
		return wrong(r, "kprobes should be attached to a function or an address");
	} else {
		r->spec->func = func;
	}
	return true;
}

static bool read_source_line(struct reader *r)
{
	if (r->spec->kind == PK_URETPROBE || r->spec->kind == PK_KRETPROBE)
		return wrong(r, "Source code location not allowed");
	if (r->spec->target && has_wildcard(r->spec->target))
		return wrong(r, "Cannot use wildcards with source code location");
	if ((r->part.len != 5 && r->part.len != 6) || !*r->part.at[3] || !*r->part.at[4])
		return wrong(r, "Invalid %s arguments, expected format: %s:TARGET@FILE:LINE[:COL]", r->provider, r->provider);
	uint64_t line = 0, col = 0;
	const char *why = number(r, r->part.at[4], &line);
	if (why)
		return wrong(r, "Invalid line number: %s", why);
	if (r->part.len == 6 && (why = number(r, r->part.at[5], &col)))
		return wrong(r, "Invalid column number: %s", why);
	r->spec->file = r->part.at[3];
	r->spec->line = (uint32_t)line;
	r->spec->col = (uint32_t)col;
	return line <= INT32_MAX && line ? true : wrong(r, "Invalid line number");
}

static bool read_uprobe(struct reader *r)
{
	bool has_pid = r->in->world && r->in->world->pid;
	bool is_line = r->part.len > 2 && str_eq(r->part.at[2], "@");
	bool no_target =
		has_pid && (nargs(r) == 1 || (nargs(r) == 2 && str_eq(r->part.at[1], "cpp")));
	if (!is_line && !no_target && nargs(r) != 2 && nargs(r) != 3)
		return count_error(r, 2, 3);
	if (!no_target)
		r->spec->target = r->part.at[1];
	if (is_line)
		return read_source_line(r);
	if (nargs(r) - (no_target ? 0 : 1) == 2) {
		const char *lang = r->part.at[no_target ? 1 : 2];
		r->spec->cpp = str_eq(lang, "cpp");
		if (!r->spec->cpp)
			return wrong(r, "unsupported language type: %s", lang);
	}
	if (!no_target && !*r->spec->target)
		return wrong(r, "%s should have a target", r->provider);
	const char *func = vec_last(&r->part);
	bool found;
	if (!read_offset(r, func, r->spec->kind == PK_UPROBE, &found))
		return false;
	if (found)
		return true;
	r->spec->has_address = !number(r, func, &r->spec->address);
	if (r->spec->has_address && r->spec->target && has_wildcard(r->spec->target))
		return wrong(r, "Cannot use wildcards with absolute address");
	bool nowhere = r->spec->has_address ? !r->spec->address : !*func;
	if (nowhere && is_safe(r))
		return wrong(r, "%s should be attached to a function and/or address", r->provider);
	if (!r->spec->has_address)
		r->spec->func = func;
	return true;
}

static bool read_usdt(struct reader *r)
{
	bool has_pid = r->in->world && r->in->world->pid;
	if (has_pid && nargs(r) == 1) {
		r->spec->func = r->part.at[1];
		return true;
	}
	if (nargs(r) != 2 && nargs(r) != 3)
		return count_error(r, 2, 3);
	r->spec->target = *r->part.at[1] ? r->part.at[1] : NULL;
	if (nargs(r) == 3)
		r->spec->provider = r->part.at[2];
	r->spec->func = vec_last(&r->part);
	if (!*r->spec->func)
		return wrong(r, "usdt probe must have a target function or wildcard");
	if (!r->spec->target && !has_pid)
		return wrong(r,
			     "usdt probe must specify at least path or pid to probe. To target all "
			     "paths/pids set the path to '*'.");
	return true;
}

static bool read_tracepoint(struct reader *r)
{
	bool any = nargs(r) == 1 && has_wildcard(r->part.at[1]);
	if (nargs(r) != 2 && !any)
		return count_error(r, 2, -1);
	r->spec->target = any ? "*" : r->part.at[1];
	r->spec->func = vec_last(&r->part);
	if (!*r->spec->target || !*r->spec->func)
		return wrong(r, "tracepoint probe must have a target");
	return true;
}

static bool read_rawtracepoint(struct reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 2, 1);
	r->spec->target = nargs(r) == 2 ? r->part.at[1] : "*";
	r->spec->func = vec_last(&r->part);
	return *r->spec->func || wrong(r, "rawtracepoint should be attached to a function");
}

static const struct {
	const char *name;
	uint64_t ns; /* 0: a frequency */
} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"hz", 0}};

static bool set_period(struct reader *r, const char *unit, uint64_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		if (!n)
			return wrong(r, "%s frequency should be a positive integer", r->provider);
		r->spec->unit = units[i].name;
		r->spec->freq = units[i].ns ? 0 : n;
		if (__builtin_mul_overflow(n, units[i].ns, &r->spec->period))
			return wrong(r, "Invalid rate of %s probe: the period is too long",
				     r->provider);
		return true;
	}
	if (!*unit)
		return wrong(r, "%s probe must have unit of time", r->provider);
	return wrong(r, "%s is not an accepted unit of time", unit);
}

static bool read_timer(struct reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 1, 2);
	uint64_t n = 0;
	const char *why = number(r, vec_last(&r->part), &n);
	if (why)
		return wrong(r, "Invalid rate of %s probe: %s", r->provider, why);
	if (nargs(r) == 2)
		return set_period(r, r->part.at[1], n);
	if (n < 1000)
		return wrong(
			r,
			"Invalid rate of %s probe. Minimum is 1000 or 1us. Found: %llu nanoseconds",
			r->provider, (unsigned long long)n);
	return set_period(r, "us", n / 1000);
}

static bool read_perf(struct reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 1, 2);
	r->spec->func = r->part.at[1];
	if (!*r->spec->func)
		return wrong(r, "%s probe must have a %s event name", r->provider, r->provider);
	if (has_wildcard(r->spec->func) && !r->in->is_listing)
		return wrong(r, "wildcards are not allowed for %s probe type", r->provider);
	if (nargs(r) == 1 || str_eq(r->part.at[2], "*"))
		return true;
	const char *why = number(r, r->part.at[2], &r->spec->period);
	return !why || wrong(r, "Invalid count for %s probe: %s", r->provider, why);
}

static int by_char(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

static bool watch_mode(struct reader *r, char *mode)
{
	size_t n = strlen(mode);
	qsort(mode, n, 1, by_char);
	if (!n || strspn(mode, "rwx") != n)
		return wrong(r, "watchpoint mode must be combination of (r,w,x)");
	for (size_t i = 1; i < n; i++)
		if (mode[i] == mode[i - 1])
			return wrong(r, "watchpoint modes may not be duplicated");
	r->spec->mode = mode;
	if (!strcmp(mode, "rw") || !strcmp(mode, "w") || !strcmp(mode, "x"))
		return true;
	struct diag *d = diag_error(r->in->diags, r->pt->loc, "invalid watchpoint mode: %s", mode);
	diag_hint(r->in->diags, d, "supported modes: w,rw,x");
	return false;
}

static bool read_watchpoint(struct reader *r)
{
	if (nargs(r) != 3)
		return count_error(r, 3, -1);
	uint64_t len = 0;
	const char *at = r->part.at[1], *why = number(r, at, &r->spec->address);
	bool is_symbol = why && (*at == '_' || isalpha((unsigned char)*at));
	if (why && !is_symbol)
		return wrong(r, "Invalid function/address argument: %s", why);
	if ((why = number(r, r->part.at[2], &len)))
		return wrong(r, "Invalid length argument: %s", why);
	if (!is_symbol && !r->spec->address)
		return wrong(r, "watchpoint must be attached to a non-zero address");
	if (len != 1 && len != 2 && len != 4 && len != 8)
		return wrong(r, "watchpoint length must be one of (1,2,4,8)");
	r->spec->has_address = !is_symbol;
	r->spec->func = is_symbol ? at : NULL;
	r->spec->len = (uint32_t)len;
	return watch_mode(r, arena_strdup(r->in->arena, r->part.at[3]));
}

static bool read_fentry_of_bpf(struct reader *r)
{
	uint64_t id = 0;
	if (nargs(r) == 1)
		return wrong(r, "the 'bpf' variant of this probe requires a bpf program name and "
				"optional bpf program id");
	if (nargs(r) == 3 && !str_eq(r->part.at[2], "*") && number(r, r->part.at[2], &id))
		return wrong(r, "bpf program id must be a number or '*'");
	r->spec->target = "bpf";
	r->spec->func = vec_last(&r->part);
	r->spec->prog_id = (uint32_t)id;
	return *r->spec->func || wrong(r, "fentry/fexit should specify a function");
}

static bool read_fentry(struct reader *r)
{
	if (nargs(r) < 1 || nargs(r) > 3)
		return count_error(r, 1, 3);
	if (str_eq(r->part.at[1], "bpf"))
		return read_fentry_of_bpf(r);
	if (nargs(r) == 3)
		return wrong(r, "Only the 'bpf' variant of this probe supports 4 arguments");
	if (nargs(r) == 2)
		r->spec->target = r->part.at[1];
	r->spec->func = vec_last(&r->part);
	return *r->spec->func || wrong(r, "fentry/fexit should specify a function");
}

static bool read_lsm(struct reader *r)
{
	if (nargs(r) != 1)
		return count_error(r, 1, -1);
	r->spec->func = r->part.at[1];
	return *r->spec->func || wrong(r, "lsm should specify a security hook");
}

static bool read_iter(struct reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return wrong(r, "%s probe type takes 2 arguments (1 optional)", r->provider);
	if (r->has_iter)
		return wrong(r, "%s probe only supports one attach point.", r->provider);
	if (has_wildcard(r->part.at[1]) || has_wildcard(vec_last(&r->part)))
		return wrong(r, "%s probe type does not support wildcards", r->provider);
	r->has_iter = true;
	r->spec->func = r->part.at[1];
	r->spec->target = nargs(r) == 2 ? r->part.at[2] : NULL; /* where to pin it */
	return *r->spec->func || wrong(r, "iter should specify a iterator's name");
}

static const struct provider providers[] = {
	{"kprobe", {"k"}, PK_KPROBE, read_kprobe, 'k'},
	{"kretprobe", {"kr"}, PK_KRETPROBE, read_kprobe, 0},
	{"uprobe", {"u"}, PK_UPROBE, read_uprobe, 'u'},
	{"uretprobe", {"ur"}, PK_URETPROBE, read_uprobe, 0},
	{"usdt", {"U"}, PK_USDT, read_usdt, 'u'},
	{"begin", {0}, PK_BEGIN, read_begin, 0},
	{"end", {0}, PK_END, read_begin, 0},
	{"self", {0}, PK_SELF, read_self, 0},
	{"test", {0}, PK_TEST, read_test, 0},
	{"bench", {0}, PK_BENCH, read_test, 0},
	{"tracepoint", {"t"}, PK_TRACEPOINT, read_tracepoint, 'k'},
	{"profile", {"p"}, PK_PROFILE, read_timer, 0},
	{"interval", {"i"}, PK_INTERVAL, read_timer, 0},
	{"software", {"s"}, PK_SOFTWARE, read_perf, 'k'},
	{"hardware", {"h"}, PK_HARDWARE, read_perf, 'k'},
	{"watchpoint", {"w"}, PK_WATCHPOINT, read_watchpoint, 0},
	{"fentry", {"f", "kfunc"}, PK_FENTRY, read_fentry, 'k'},
	{"fexit", {"fr", "kretfunc"}, PK_FEXIT, read_fentry, 0},
	{"iter", {"it"}, PK_ITER, read_iter, 'k'},
	{"lsm", {0}, PK_LSM, read_lsm, 0},
	{"rawtracepoint", {"rt"}, PK_RAWTRACEPOINT, read_rawtracepoint, 'k'},
};

static const struct provider *provider_by_name(const char *name)
{
	const struct provider *found = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
		const struct provider *p = &providers[i];
		for (size_t j = 0; j < ARRAY_SIZE(p->alias); j++) {
			if (str_eq(p->alias[j], name))
				return p;
			if (p->alias[j] && !strcasecmp(p->alias[j], name) && !found)
				found = p;
		}
		if (!strcasecmp(p->name, name))
			return p;
	}
	return found;
}

static void unknown_provider(struct reader *r, const char *name)
{
	const char *names[ARRAY_SIZE(providers)];
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		names[i] = providers[i].name;
	struct diag *d = diag_error(r->in->diags, r->pt->loc, "Invalid probe type: %s", name);
	const char *near = nearest_word(name, names, ARRAY_SIZE(names));
	if (near)
		diag_hint(r->in->diags, d, "did you mean %s?", near);
}

/* --- parts --------------------------------------------------------------------------------------
 */

/* Puts the text of $N in place of its spelling at *at; false after an error. */
static bool substitute(struct reader *r, char **raw, size_t at)
{
	const char *digits = *raw + at + 1;
	size_t n = *digits == '0' ? 0 : strspn(digits, "0123456789");
	if (!n && *digits)
		return wrong(
			r,
			"invalid trailing character for positional param: %c. Try quoting this entire "
			"part if this is intentional e.g. \"$%c\".",
			*digits, *digits);
	uint64_t index = 0;
	const char *why =
		bt_number(r->in->arena, arena_strndup(r->in->arena, digits, n), 10, &index);
	if (why)
		return wrong(r, "positional parameter is not valid: %s", why);
	if (index > r->in->nparams && !r->not_given)
		r->not_given = (unsigned)index;
	const char *value = index <= r->in->nparams ? r->in->params[index - 1] : "";
	*raw = arena_printf(r->in->arena, "%.*s%s%s", (int)at, *raw, value, digits + n);
	return true;
}

/* Splits at `:` and `@` outside quotes; an `@` is a part of its own. */
static bool split(struct reader *r, const char *text)
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

static void keep(struct reader *r, const struct provider *p, const struct bt_point *from,
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
static void keep_matching(struct reader *r, const struct bt_point *from, struct points *out)
{
	bool user = (r->in->world && r->in->world->pid) ||
		    (r->part.len >= 2 && strchr(r->part.at[1], '/'));
	bool any = false;
	if (r->part.len == 1)
		vec_push(&r->part, r->part.at[0]);
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
		if (providers[i].listed != (user ? 'u' : 'k') ||
		    !glob_match(r->part.at[0], providers[i].name))
			continue;
		any = true;
		size_t n = r->part.len;
		r->lenient = true;
		keep(r, &providers[i], from, out);
		r->lenient = false;
		r->part.len = n;
	}
	if (!any)
		wrong(r, "No probe type matched for %s", r->part.at[0]);
}

/* false when not even a provider could be made out. */
static bool read_point(struct reader *r, struct bt_probe *probe, struct bt_point *pt,
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
	if (has_wildcard(front)) {
		keep_matching(r, pt, out);
		return true;
	}
	const struct provider *p = provider_by_name(front);
	if (p)
		keep(r, p, pt, out);
	else
		unknown_provider(r, front);
	return true;
}

static void read_probe(struct lang_input *in, struct bt_probe *probe)
{
	struct reader r = {.in = in};
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
