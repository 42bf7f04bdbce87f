/* providers.c - the providers of attach points, one row each: what their parts mean. */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "lang/bt/points.h"

bool bt_point_wrong(struct bt_point_reader *r, const char *fmt, ...)
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

bool bt_has_wildcard(const char *s)
{
	return strchr(s, '*') || (strchr(s, '[') && strchr(s, ']'));
}

static bool is_safe(const struct bt_point_reader *r)
{
	return !r->in->world || !r->in->world->unsafe;
}

static unsigned nargs(const struct bt_point_reader *r)
{
	return (unsigned)r->part.len - 1;
}

static bool count_error(struct bt_point_reader *r, unsigned want, int or_else)
{
	if (or_else < 0)
		return bt_point_wrong(r, "%s probe type requires %u arguments, found %u", r->provider, want,
			     nargs(r));
	return bt_point_wrong(r, "%s probe type requires %u or %d arguments, found %u", r->provider, want,
		     or_else, nargs(r));
}

static const char *number(struct bt_point_reader *r, const char *text, uint64_t *ret)
{
	return bt_number(r->in->arena, text, 0, ret);
}

/* --- provider by provider -----------------------------------------------------------------------
 */

static bool read_begin(struct bt_point_reader *r)
{
	if (r->part.len == 2 && str_eq(r->part.at[1], "*"))
		r->part.len = 1;
	return r->part.len == 1 || count_error(r, 0, -1);
}

static bool read_self(struct bt_point_reader *r)
{
	if (r->part.len != 3)
		return count_error(r, 2, -1);
	r->spec->target = r->part.at[1];
	r->spec->func = r->part.at[2];
	if (strcmp(r->spec->target, "signal"))
		return bt_point_wrong(r, "%s is not a supported trigger", r->spec->target);
	if (strcmp(r->spec->func, "SIGUSR1"))
		return bt_point_wrong(r, "%s is not a supported signal", r->spec->func);
	return true;
}

static bool read_test(struct bt_point_reader *r)
{
	if (r->part.len != 2)
		return count_error(r, 1, -1);
	r->spec->func = r->part.at[1];
	return r->spec->func[0] || bt_point_wrong(r, "%s probes must have a name", r->provider);
}

/* NAME or NAME+OFFSET; *found false when there is no `+`. */
static bool read_offset(struct bt_point_reader *r, const char *text, bool allowed, bool *found)
{
	const char *plus = strchr(text, '+');
	*found = plus != NULL;
	if (!plus)
		return true;
	if (!allowed)
		return bt_point_wrong(r, "Offset not allowed");
	if (strchr(plus + 1, '+'))
		return bt_point_wrong(r, "Cannot take more than one offset");
	if (plus == text || !plus[1])
		return bt_point_wrong(r, "Invalid offset");
	r->spec->func = arena_strndup(r->in->arena, text, (size_t)(plus - text));
	const char *why = number(r, plus + 1, &r->spec->offset);
	return !why || bt_point_wrong(r, "Invalid offset: %s", why);
}

static bool read_source_line(struct bt_point_reader *r);

static bool read_kprobe(struct bt_point_reader *r)
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
			return bt_point_wrong(r, "Probing by address requires --unsafe");
		r->spec->has_address = true;
	} else if (!*func) {
		return bt_point_wrong(r, "kprobes should be attached to a function or an address");
	} else {
		r->spec->func = func;
	}
	return true;
}

static bool read_source_line(struct bt_point_reader *r)
{
	if (r->spec->kind == PK_URETPROBE || r->spec->kind == PK_KRETPROBE)
		return bt_point_wrong(r, "Source code location not allowed");
	if (r->spec->target && bt_has_wildcard(r->spec->target))
		return bt_point_wrong(r, "Cannot use wildcards with source code location");
	if ((r->part.len != 5 && r->part.len != 6) || !*r->part.at[3] || !*r->part.at[4])
		return bt_point_wrong(r, "Invalid %s arguments, expected format: %s:TARGET@FILE:LINE[:COL]", r->provider, r->provider);
	uint64_t line = 0, col = 0;
	const char *why = number(r, r->part.at[4], &line);
	if (why)
		return bt_point_wrong(r, "Invalid line number: %s", why);
	if (r->part.len == 6 && (why = number(r, r->part.at[5], &col)))
		return bt_point_wrong(r, "Invalid column number: %s", why);
	r->spec->file = r->part.at[3];
	r->spec->line = (uint32_t)line;
	r->spec->col = (uint32_t)col;
	return line <= INT32_MAX && line ? true : bt_point_wrong(r, "Invalid line number");
}

static bool read_uprobe(struct bt_point_reader *r)
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
			return bt_point_wrong(r, "unsupported language type: %s", lang);
	}
	if (!no_target && !*r->spec->target)
		return bt_point_wrong(r, "%s should have a target", r->provider);
	const char *func = vec_last(&r->part);
	bool found;
	if (!read_offset(r, func, r->spec->kind == PK_UPROBE, &found))
		return false;
	if (found)
		return true;
	r->spec->has_address = !number(r, func, &r->spec->address);
	if (r->spec->has_address && r->spec->target && bt_has_wildcard(r->spec->target))
		return bt_point_wrong(r, "Cannot use wildcards with absolute address");
	bool nowhere = r->spec->has_address ? !r->spec->address : !*func;
	if (nowhere && is_safe(r))
		return bt_point_wrong(r, "%s should be attached to a function and/or address", r->provider);
	if (!r->spec->has_address)
		r->spec->func = func;
	return true;
}

static bool read_usdt(struct bt_point_reader *r)
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
		return bt_point_wrong(r, "usdt probe must have a target function or wildcard");
	if (!r->spec->target && !has_pid)
		return bt_point_wrong(r,
			     "usdt probe must specify at least path or pid to probe. To target all "
			     "paths/pids set the path to '*'.");
	return true;
}

static bool read_tracepoint(struct bt_point_reader *r)
{
	bool any = nargs(r) == 1 && bt_has_wildcard(r->part.at[1]);
	if (nargs(r) != 2 && !any)
		return count_error(r, 2, -1);
	r->spec->target = any ? "*" : r->part.at[1];
	r->spec->func = vec_last(&r->part);
	if (!*r->spec->target || !*r->spec->func)
		return bt_point_wrong(r, "tracepoint probe must have a target");
	return true;
}

static bool read_rawtracepoint(struct bt_point_reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 2, 1);
	r->spec->target = nargs(r) == 2 ? r->part.at[1] : "*";
	r->spec->func = vec_last(&r->part);
	return *r->spec->func || bt_point_wrong(r, "rawtracepoint should be attached to a function");
}

static const struct {
	const char *name;
	uint64_t ns; /* 0: a frequency */
} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"hz", 0}};

static bool set_period(struct bt_point_reader *r, const char *unit, uint64_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		if (!n)
			return bt_point_wrong(r, "%s frequency should be a positive integer", r->provider);
		r->spec->unit = units[i].name;
		r->spec->freq = units[i].ns ? 0 : n;
		if (__builtin_mul_overflow(n, units[i].ns, &r->spec->period))
			return bt_point_wrong(r, "Invalid rate of %s probe: the period is too long",
				     r->provider);
		return true;
	}
	if (!*unit)
		return bt_point_wrong(r, "%s probe must have unit of time", r->provider);
	return bt_point_wrong(r, "%s is not an accepted unit of time", unit);
}

static bool read_timer(struct bt_point_reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 1, 2);
	uint64_t n = 0;
	const char *why = number(r, vec_last(&r->part), &n);
	if (why)
		return bt_point_wrong(r, "Invalid rate of %s probe: %s", r->provider, why);
	if (nargs(r) == 2)
		return set_period(r, r->part.at[1], n);
	if (n < 1000)
		return bt_point_wrong(
			r,
			"Invalid rate of %s probe. Minimum is 1000 or 1us. Found: %llu nanoseconds",
			r->provider, (unsigned long long)n);
	return set_period(r, "us", n / 1000);
}

static bool read_perf(struct bt_point_reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return count_error(r, 1, 2);
	r->spec->func = r->part.at[1];
	if (!*r->spec->func)
		return bt_point_wrong(r, "%s probe must have a %s event name", r->provider, r->provider);
	if (bt_has_wildcard(r->spec->func) && !r->in->is_listing)
		return bt_point_wrong(r, "wildcards are not allowed for %s probe type", r->provider);
	if (nargs(r) == 1 || str_eq(r->part.at[2], "*"))
		return true;
	const char *why = number(r, r->part.at[2], &r->spec->period);
	return !why || bt_point_wrong(r, "Invalid count for %s probe: %s", r->provider, why);
}

static int by_char(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

static bool watch_mode(struct bt_point_reader *r, char *mode)
{
	size_t n = strlen(mode);
	qsort(mode, n, 1, by_char);
	if (!n || strspn(mode, "rwx") != n)
		return bt_point_wrong(r, "watchpoint mode must be combination of (r,w,x)");
	for (size_t i = 1; i < n; i++)
		if (mode[i] == mode[i - 1])
			return bt_point_wrong(r, "watchpoint modes may not be duplicated");
	r->spec->mode = mode;
	if (!strcmp(mode, "rw") || !strcmp(mode, "w") || !strcmp(mode, "x"))
		return true;
	struct diag *d = diag_error(r->in->diags, r->pt->loc, "invalid watchpoint mode: %s", mode);
	diag_hint(r->in->diags, d, "supported modes: w,rw,x");
	return false;
}

static bool read_watchpoint(struct bt_point_reader *r)
{
	if (nargs(r) != 3)
		return count_error(r, 3, -1);
	uint64_t len = 0;
	const char *at = r->part.at[1], *why = number(r, at, &r->spec->address);
	bool is_symbol = why && (*at == '_' || isalpha((unsigned char)*at));
	if (why && !is_symbol)
		return bt_point_wrong(r, "Invalid function/address argument: %s", why);
	if ((why = number(r, r->part.at[2], &len)))
		return bt_point_wrong(r, "Invalid length argument: %s", why);
	if (!is_symbol && !r->spec->address)
		return bt_point_wrong(r, "watchpoint must be attached to a non-zero address");
	if (len != 1 && len != 2 && len != 4 && len != 8)
		return bt_point_wrong(r, "watchpoint length must be one of (1,2,4,8)");
	r->spec->has_address = !is_symbol;
	r->spec->func = is_symbol ? at : NULL;
	r->spec->len = (uint32_t)len;
	return watch_mode(r, arena_strdup(r->in->arena, r->part.at[3]));
}

static bool read_fentry_of_bpf(struct bt_point_reader *r)
{
	uint64_t id = 0;
	if (nargs(r) == 1)
		return bt_point_wrong(r, "the 'bpf' variant of this probe requires a bpf program name and "
				"optional bpf program id");
	if (nargs(r) == 3 && !str_eq(r->part.at[2], "*") && number(r, r->part.at[2], &id))
		return bt_point_wrong(r, "bpf program id must be a number or '*'");
	r->spec->target = "bpf";
	r->spec->func = vec_last(&r->part);
	r->spec->prog_id = (uint32_t)id;
	return *r->spec->func || bt_point_wrong(r, "fentry/fexit should specify a function");
}

static bool read_fentry(struct bt_point_reader *r)
{
	if (nargs(r) < 1 || nargs(r) > 3)
		return count_error(r, 1, 3);
	if (str_eq(r->part.at[1], "bpf"))
		return read_fentry_of_bpf(r);
	if (nargs(r) == 3)
		return bt_point_wrong(r, "Only the 'bpf' variant of this probe supports 4 arguments");
	if (nargs(r) == 2)
		r->spec->target = r->part.at[1];
	r->spec->func = vec_last(&r->part);
	return *r->spec->func || bt_point_wrong(r, "fentry/fexit should specify a function");
}

static bool read_lsm(struct bt_point_reader *r)
{
	if (nargs(r) != 1)
		return count_error(r, 1, -1);
	r->spec->func = r->part.at[1];
	return *r->spec->func || bt_point_wrong(r, "lsm should specify a security hook");
}

static bool read_iter(struct bt_point_reader *r)
{
	if (nargs(r) != 1 && nargs(r) != 2)
		return bt_point_wrong(r, "%s probe type takes 2 arguments (1 optional)", r->provider);
	if (r->has_iter)
		return bt_point_wrong(r, "%s probe only supports one attach point.", r->provider);
	if (bt_has_wildcard(r->part.at[1]) || bt_has_wildcard(vec_last(&r->part)))
		return bt_point_wrong(r, "%s probe type does not support wildcards", r->provider);
	r->has_iter = true;
	r->spec->func = r->part.at[1];
	r->spec->target = nargs(r) == 2 ? r->part.at[2] : NULL; /* where to pin it */
	return *r->spec->func || bt_point_wrong(r, "iter should specify a iterator's name");
}

const struct bt_provider bt_providers[] = {
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
	{0},
};

const struct bt_provider *bt_provider_find(const char *name)
{
	const struct bt_provider *found = NULL;
	for (const struct bt_provider *p = bt_providers; p->name; p++) {
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

void bt_provider_unknown(struct bt_point_reader *r, const char *name)
{
	const char *names[ARRAY_SIZE(bt_providers) - 1];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		names[i] = bt_providers[i].name;
	struct diag *d = diag_error(r->in->diags, r->pt->loc, "Invalid probe type: %s", name);
	const char *near = nearest_word(name, names, ARRAY_SIZE(names));
	if (near)
		diag_hint(r->in->diags, d, "did you mean %s?", near);
}
