/* config.c - the config block and the BPFTRACE_* variables of the environment, which win. */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "lang/bt/ast.h"

enum value {
	V_UINT,
	V_BOOL,
	V_TEXT,
	V_STACK_MODE,
	V_MISSING,
	V_LICENSE,
	V_CACHE,
	V_UNSTABLE
};

enum {
	NOWHERE = UINT16_MAX
}; /* checked, but nothing of ours depends on it */
#define OPT(field) offsetof(struct program_options, field)

static const struct key {
	const char *name;
	enum value value;
	uint16_t offset;
	int8_t unstable; /* index in bt_script.unstable */
} keys[] = {
	{"cache_user_symbols", V_CACHE, NOWHERE, 0},
	{"cpp_demangle", V_BOOL, OPT(demangle), 0},
	{"lazy_symbolication", V_BOOL, OPT(lazy_symbols), 0},
	{"license", V_LICENSE, OPT(license), 0},
	{"log_size", V_UINT, OPT(log_size), 0},
	{"max_bpf_progs", V_UINT, OPT(max_progs), 0},
	{"max_cat_bytes", V_UINT, OPT(max_cat_bytes), 0},
	{"max_map_keys", V_UINT, OPT(max_map_keys), 0},
	{"max_probes", V_UINT, OPT(max_probes), 0},
	{"max_strlen", V_UINT, OPT(max_strlen), 0},
	{"missing_probes", V_MISSING, OPT(missing_probes), 0},
	{"on_stack_limit", V_UINT, NOWHERE, 0},
	{"perf_rb_pages", V_UINT, OPT(ring_bytes), 0}, /* pages: see set_number */
	{"print_maps_on_exit", V_BOOL, OPT(print_maps_on_exit), 0},
	{"show_debug_info", V_BOOL, OPT(show_debug_info), 0},
	{"stack_mode", V_STACK_MODE, OPT(stack_mode), 0},
	{"str_trunc_trailer", V_TEXT, OPT(str_trunc_trailer), 0},
	{"use_blazesym", V_BOOL, NOWHERE, 0},
	{"unstable_import_statement", V_UNSTABLE, NOWHERE, BT_UNSTABLE_IMPORT},
	{"unstable_typeinfo", V_UNSTABLE, NOWHERE, BT_UNSTABLE_TYPEINFO},
	{"unstable_tseries", V_UNSTABLE, NOWHERE, BT_UNSTABLE_TSERIES},
	{"unstable_dw_ustack", V_UNSTABLE, NOWHERE, BT_UNSTABLE_DW_USTACK},
};

static const struct {
	const char *from, *to;
} renamed[] = {
	{"strlen", "max_strlen"},
	{"no_cpp_demangle", "cpp_demangle"},
	{"cat_bytes_max", "max_cat_bytes"},
	{"map_keys_max", "max_map_keys"},
};

static const char *const dead[] = {"symbol_source",  "max_type_res_iterations",
				   "unstable_addr",  "unstable_import",
				   "unstable_macro", "unstable_map_decl"};

static const char *const env_only[] = {"btf", "kernel_build", "kernel_source", "vmlinux"};

struct setter {
	struct lang_input *in;
	struct bt_script *script;
	struct program_options *opt;
	struct loc loc;
	const char *key; /* as written */
};

static bool one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(word, words[i]))
			return true;
	return false;
}

static void wrong(const struct setter *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void wrong(const struct setter *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	diag_error(s->in->diags, s->loc, "%s: %s", s->key, arena_vprintf(s->in->arena, fmt, ap));
	va_end(ap);
}

/* --- values -------------------------------------------------------------------------------------
 */

static void *place(const struct setter *s, const struct key *k)
{
	return k->offset == NOWHERE ? NULL : (char *)s->opt + k->offset;
}

/* 1 yes, 0 no, -1 neither. */
static int truth(const char *text)
{
	static const char *const yes[] = {"1", "true", "on", "yes"}, *const no[] = {"0", "false",
										    "off", "no"};
	if (one_of(text, yes, ARRAY_SIZE(yes)))
		return 1;
	return one_of(text, no, ARRAY_SIZE(no)) ? 0 : -1;
}

static void set_uint(const struct setter *s, const struct key *k, const char *text)
{
	uint64_t v;
	uint32_t *to = place(s, k);
	if (bt_number(s->in->arena, text, 0, &v)) {
		wrong(s, "expecting a number, got %s", text);
		return;
	}
	if (!strcmp(k->name, "perf_rb_pages"))
		v = v > UINT32_MAX / 4096 ? UINT32_MAX : v * 4096;
	if (!strcmp(k->name, "max_strlen"))
		v = MIN(v, 65536u); /* a value must fit a map's */
	if (to)
		*to = (uint32_t)MIN(v, UINT32_MAX);
}

static void set_bool(const struct setter *s, const struct key *k, const char *text)
{
	bool *to = place(s, k);
	int v = truth(text);
	uint64_t n;
	if (v < 0 && !bt_number(s->in->arena, text, 0, &n))
		v = 1;
	if (v < 0)
		wrong(s, "Invalid bool value: valid values are true, false, 1 or 0.");
	else if (to)
		*to = v;
}

static void set_stack_mode(const struct setter *s, const struct key *k, const char *text)
{
	static const char *const modes[] = {[STACK_BPFTRACE] = "bpftrace",
					    [STACK_PERF] = "perf",
					    [STACK_RAW] = "raw",
					    [STACK_BUILD_ID] = "build_id"};
	enum stack_mode *to = place(s, k);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(text, modes[i])) {
			*to = (enum stack_mode)i;
			return;
		}
	}
	wrong(s,
	      "Invalid value for stack_mode: valid values are bpftrace, raw, perf, and build_id.");
}

static void set_missing(const struct setter *s, const struct key *k, const char *text)
{
	static const char *const words[] = {"error", "warn", "ignore"};
	int *to = place(s, k);
	for (int i = 0; i < (int)ARRAY_SIZE(words); i++) {
		if (!strcasecmp(text, words[i])) {
			*to = i;
			return;
		}
	}
	wrong(s, "Invalid value for missing_probes: valid values are ignore, warn, and error.");
}

static void set_license(const struct setter *s, const struct key *k, const char *text)
{
	static const char *const known[] = {"Dual MIT/GPL", "Dual BSD/GPL",
					    "Dual MPL/GPL", "GPL and additional rights",
					    "GPL v2",       "GPL"};
	const char **to = place(s, k);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!strcmp(text, known[i])) {
			*to = known[i];
			return;
		}
	}
	diag_error(
		s->in->diags, s->loc,
		"Invalid value for license. Found: %s. Valid values: Dual MIT/GPL, Dual BSD/GPL, Dual "
		"MPL/GPL, GPL and additional rights, GPL v2, GPL. Read more about BPF programs and "
		"licensing: "
		"https://docs.kernel.org/bpf/bpf_licensing.html#using-bpf-programs-in-the-linux-kernel",
		text);
}

static void set_cache(const struct setter *s, const char *text)
{
	static const char *const words[] = {"1", "0", "per_pid", "per_program", "none"};
	if (!one_of(text, words, ARRAY_SIZE(words)))
		wrong(s,
		      "Invalid value for cache_user_symbols: valid values are PER_PID, PER_PROGRAM, and "
		      "NONE.");
}

static void set_unstable(const struct setter *s, const struct key *k, const char *text)
{
	static const char *const words[] = {"enable", "warn", "error"};
	int v = truth(text);
	v = v < 0 ? -1 : v ? BT_ENABLED : BT_FORBIDDEN;
	for (int i = 0; i < (int)ARRAY_SIZE(words); i++)
		if (!strcasecmp(text, words[i]))
			v = i;
	if (v < 0)
		wrong(s,
		      "Invalid value for unstable config: valid values are enable, warn, and error.");
	else
		s->script->unstable[k->unstable] = (uint8_t)v;
}

static void set(const struct setter *s, const struct key *k, const char *text)
{
	switch (k->value) {
	case V_UINT: set_uint(s, k, text); break;
	case V_BOOL: set_bool(s, k, text); break;
	case V_TEXT: *(const char **)place(s, k) = arena_strdup(s->in->arena, text); break;
	case V_STACK_MODE: set_stack_mode(s, k, text); break;
	case V_MISSING: set_missing(s, k, text); break;
	case V_LICENSE: set_license(s, k, text); break;
	case V_CACHE: set_cache(s, text); break;
	case V_UNSTABLE: set_unstable(s, k, text); break;
	}
}

/* --- keys ---------------------------------------------------------------------------------------
 */

static const struct key *key_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcasecmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static void unknown_key(const struct setter *s, const char *name)
{
	const char *names[ARRAY_SIZE(keys)];
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		names[i] = keys[i].name;
	struct diag *d =
		diag_error(s->in->diags, s->loc, "%s: not a known configuration option", s->key);
	const char *near = nearest_word(name, names, ARRAY_SIZE(keys));
	if (near)
		diag_hint(s->in->diags, d, "did you mean %s?", near);
}

static void item(struct setter *s, const struct bt_config_item *it)
{
	const char *name = it->key;
	s->key = it->key;
	s->loc = it->loc;
	if (!strncasecmp(name, "bpftrace_", 9))
		name += 9;
	if (one_of(name, dead, ARRAY_SIZE(dead))) {
		diag_warn(s->in->diags, s->loc, "%s is deprecated and has no effect", it->key);
		return;
	}
	if (one_of(name, env_only, ARRAY_SIZE(env_only))) {
		wrong(s, "can only be set as an environment variable");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++) {
		if (strcasecmp(name, renamed[i].from))
			continue;
		name = renamed[i].to;
		diag_warn(s->in->diags, s->loc, "%s has been renamed, please use %s", it->key,
			  name);
	}
	const struct key *k = key_by_name(name);
	if (k)
		set(s, k, it->text);
	else
		unknown_key(s, name);
}

static const char *variable(const struct setter *s, const char *key)
{
	char *name = arena_printf(s->in->arena, "BPFTRACE_%s", key);
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return getenv(name);
}

/* Variables as they were called before 0.20 count as well. */
static void environment(struct setter *s)
{
	s->loc = (struct loc){0};
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++) {
		const char *text = variable(s, renamed[i].from);
		s->key = renamed[i].from;
		if (text && str_has_prefix(s->key, "no_"))
			text = strcmp(text, "0") != 0 ? "0" : "1";
		if (text)
			set(s, key_by_name(renamed[i].to), text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = variable(s, keys[i].name);
		s->key = keys[i].name;
		if (text)
			set(s, &keys[i], text);
	}
}

static void defaults(struct program_options *opt)
{
	opt->max_strlen = opt->max_strlen ? opt->max_strlen : 1024;
	opt->max_map_keys = opt->max_map_keys ? opt->max_map_keys : 4096;
	opt->max_probes = opt->max_probes ? opt->max_probes : 1024;
	opt->max_progs = opt->max_progs ? opt->max_progs : 1024;
	opt->stack_limit = opt->stack_limit ? opt->stack_limit : 127;
	opt->max_cat_bytes = opt->max_cat_bytes ? opt->max_cat_bytes : 10240;
}

void bt_config(struct lang_input *in, struct bt_script *script, struct program_options *opt)
{
	struct setter s = {.in = in, .script = script, .opt = opt};
	script->unstable[BT_UNSTABLE_IMPORT] = script->unstable[BT_UNSTABLE_TYPEINFO] =
		BT_FORBIDDEN;
	script->unstable[BT_UNSTABLE_TSERIES] = script->unstable[BT_UNSTABLE_DW_USTACK] = BT_WARNED;
	defaults(opt);
	for (const struct bt_config_item *it = script->config; it; it = it->next)
		item(&s, it);
	environment(&s);
}
