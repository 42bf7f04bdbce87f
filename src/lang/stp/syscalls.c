/*
 * syscalls.c - the aliases of system calls, written as script text from a row of syscall_table.c, or from the
 * tracepoint's record when there is no row.
 *
 * probe syscall.openat = __event("syscalls:sys_enter_openat") {
 *	name = "openat"
 *	dfd = int_arg(1) ... dfd_str = __dirfd(dfd) ...
 *	argstr = sprintf("%s, %s, %s", dfd_str, filename, flags_str) . (flags&64 ? sprintf(", %s", __octal(mode)) : "")
 * }
 * What a handler does not use is elided like all of a script.
 */
#include <ctype.h>

#include "lang/stp/syscalls.h"

enum { MAX_ARGS = 8 };

/* How an argument is read, and how argstr shows it when nothing decodes it. */
static const struct reading {
	const char *name, *read, *show; /* show: a value of printf, # is the argument; the format is %s then */
	const char *format;
	bool narrow; /* 32 bits: flags are decoded without their sign */
} readings[] = {
	{"int", "int_arg", NULL, "%d", true},	  {"uint", "uint_arg", NULL, "%u", true},
	{"long", "long_arg", NULL, "%d", false},  {"ulong", "ulong_arg", NULL, "%u", false},
	{"ptr", "pointer_arg", NULL, "%p", false}, {"addr", "ulong_arg", NULL, "%p", false},
	{"hex", "ulong_arg", NULL, "%#x", false}, {"oct", "uint_arg", "__octal(#)", "%s", true},
	{"str", "pointer_arg", NULL, "%s", false},
};
/* Decoders that are functions of tapset/syscall.stp (or of the tapset proper): # is the argument, @ their parameter. */
static const struct {
	const char *name, *call;
} decoders[] = {
	{"argv", "__argv(#)"},		 {"buf", "user_buffer_quoted(#, @, 50)"}, {"dirfd", "__dirfd(#)"},
	{"ioprio", "__ioprio(#)"},	 {"ipc_key", "__ipc_key(#)"},		  {"itimerspec", "__itimer(#, 9)"},
	{"itimerval", "__itimer(#, 6)"}, {"rlimits", "__rlimits(#)"},		  {"sched_attr", "__sched_attr(#)"},
	{"sigaction", "__sigaction(#)"}, {"sigaltstack", "__sigaltstack(#)"},	  {"siginfo", "__siginfo(#)"},
	{"sigset", "__sigset(#)"},	 {"sock_protocol", "__sock_protocol(@, #)"}, {"sockaddr", "__sockaddr(#, @)"},
	{"str", "user_string_quoted(#)"}, {"sysinfo", "__sysinfo(#)"},		  {"timespec", "__timespec(#)"},
	{"timespec2", "__timespec2(#)"}, {"timeval", "__timeval(#)"},		  {"timeval2", "__timeval2(#)"},
	{"timex", "__timex(#)"},	 {"timezone", "__timezone(#)"},		  {"tms", "__tms(#)"},
	{"utimbuf", "__utimbuf(#)"},	 {"xattr_value", "user_buffer_quoted(#, @, 50)"},
};

struct argument {
	const char *name, *decoded; /* variables; decoded NULL: none */
	const struct reading *reading;
	const char *decode; /* script text; NULL: none */
	const char *condition;
	unsigned number; /* in the call, from 1 */
};
struct alias {
	struct stp_comp *c;
	const char *name, *event;
	struct argument arg[MAX_ARGS];
	unsigned nargs;
	const char *argstr;
};

/* --- rows ---------------------------------------------------------------------------------------------------- */

static const struct reading *reading_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++)
		if (str_eq(readings[i].name, name))
			return &readings[i];
	BUG("no reading %s", name);
}

/* text with # and @ replaced */
static const char *fill(struct stp_comp *c, const char *text, const char *hash, const char *at)
{
	struct buf b = {0};
	for (; *text; text++)
		if (*text == '#' || *text == '@')
			buf_puts(&b, *text == '#' ? hash : at);
		else
			buf_putc(&b, *text);
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* The call that decodes an argument: NAME or NAME(parameter). */
static const char *decode_call(struct stp_comp *c, const struct argument *a, const char *decode)
{
	size_t n = strcspn(decode, "(");
	const char *name = arena_strndup(c->a, decode, n), *param = "";
	if (decode[n])
		param = arena_strndup(c->a, decode + n + 1, strlen(decode + n) - 2);
	for (size_t i = 0; i < ARRAY_SIZE(decoders); i++)
		if (str_eq(decoders[i].name, name))
			return fill(c, decoders[i].call, a->name, param);
	const struct stp_decoder *d = stp_decoder_find(name);
	if (!d)
		BUG("no decoder %s", name);
	if (d->is_enum)
		return arena_printf(c->a, "__enum(\"%s\", %s)", name, a->name);
	return arena_printf(c->a, "__flags(\"%s\", %s%s)", name, a->name, a->reading->narrow ? " & 0xffffffff" : "");
}

/* NAME_str, where a NAME_uaddr is only NAME */
static const char *decoded_name(struct stp_comp *c, const char *name)
{
	size_t n = strlen(name);
	if (str_has_suffix(name, "_uaddr"))
		n -= strlen("_uaddr");
	return arena_printf(c->a, "%.*s_str", (int)n, name);
}

/* In conditions and expressions #N says whether the event's name ends with that digit. */
static const char *for_event(struct stp_comp *c, const char *text, const char *event)
{
	struct buf b = {0};
	for (; *text; text++) {
		if (*text == '#' && isdigit((unsigned char)text[1])) {
			text++;
			buf_puts(&b, event[strlen(event) - 1] == *text ? "1" : "0");
		} else {
			buf_putc(&b, *text);
		}
	}
	const char *s = arena_strdup(c->a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* One word of a row: NAME[/DECODED]:READ[=DECODE][?CONDITION] */
static void add_word(struct alias *al, char *word, unsigned number)
{
	struct stp_comp *c = al->c;
	struct argument *a = &al->arg[al->nargs++];
	char *read = strchr(word, ':'), *condition = strchr(word, '?'), *slash = strchr(word, '/');
	if (!read)
		BUG("row of %s: %s", al->name, word);
	*read++ = '\0';
	if (condition)
		*condition++ = '\0';
	if (slash)
		*slash++ = '\0';
	char *decode = strchr(read, '=');
	if (decode)
		*decode++ = '\0';
	*a = (struct argument){.name = word, .reading = reading_of(read), .number = number};
	a->condition = condition ? for_event(c, condition, al->event) : NULL;
	if (str_eq(read, "str")) {
		a->decoded = word;
		/* name_str stands for an argument `name`: its address is name_uaddr */
		size_t n = strlen(word) - (str_has_suffix(word, "_str") ? strlen("_str") : 0);
		a->name = arena_printf(c->a, "%.*s_uaddr", (int)n, word);
		a->decode = fill(c, "user_string_quoted(#)", a->name, "");
	} else if (decode) {
		a->decoded = slash ? slash : decoded_name(c, word);
		a->decode = decode_call(c, a, decode);
	}
}

static void read_row(struct alias *al, const struct stp_syscall *row)
{
	char *text = arena_strdup(al->c->a, row->args), *save = NULL;
	unsigned number = 0;
	for (char *w = strtok_r(text, " ", &save); w && al->nargs < MAX_ARGS; w = strtok_r(NULL, " ", &save))
		if (++number, !str_eq(w, "-"))
			add_word(al, w, number);
	al->argstr = row->argstr ? for_event(al->c, row->argstr, al->event) : NULL;
}

/* --- calls without a row -------------------------------------------------------------------------------------- */

/* From C text: "const char * filename" is text, other pointers are addresses, the rest numbers. */
static const char *reading_by_decl(const char *decl)
{
	static const char *const narrow_unsigned[] = {"unsigned int", "__u32", "uint32_t"};
	if (strchr(decl, '*'))
		return strstr(decl, "const char") && !strstr(decl, "**") ? "str" : "ptr";
	if (strstr(decl, "umode_t"))
		return "oct";
	for (size_t i = 0; i < ARRAY_SIZE(narrow_unsigned); i++)
		if (strstr(decl, narrow_unsigned[i]))
			return "uint";
	return strstr(decl, "long") || strstr(decl, "size_t") || strstr(decl, "u64") ? "ulong" : "int";
}

static void read_format(struct alias *al, const struct tp_format *f)
{
	unsigned number = 0;
	for (uint32_t i = 0; i < f->record->nfield && al->nargs < MAX_ARGS; i++) {
		const char *name = f->record->field[i].name;
		/* kernels after 6.18 put texts of the caller behind the arguments: __data_loc char[] __NAME_val */
		if (str_eq(name, "__syscall_nr") || str_eq(name, "nr") || str_has_prefix(f->decl[i], "__data_loc"))
			continue;
		const char *read = reading_by_decl(f->decl[i]), *suffix = str_eq(read, "ptr") ? "_uaddr" : "";
		/* the alias has a variable `name` already */
		const char *plain = str_eq(name, "name") ? "name_str" : name;
		add_word(al, arena_printf(al->c->a, "%s%s:%s", plain, suffix, read), ++number);
	}
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static void write_piece(struct alias *al, const struct argument *a, struct buf *format, struct buf *values)
{
	buf_puts(format, a->decoded ? "%s" : a->reading->format);
	buf_printf(values, ", %s", a->decoded ? a->decoded : a->reading->show ? fill(al->c, a->reading->show, a->name, "") : a->name);
}

/* argstr: what is always there in one sprintf(), then what stands under a condition. */
static void write_argstr(struct alias *al, struct buf *out)
{
	struct buf format = {0}, values = {0}, more = {0};
	for (unsigned i = 0; i < al->nargs; i++) {
		const struct argument *a = &al->arg[i];
		struct buf f = {0}, v = {0};
		write_piece(al, a, &f, &v);
		if (a->condition && !str_eq(a->condition, "1")) {
			if (!str_eq(a->condition, "0"))
				buf_printf(&more, " . (%s ? sprintf(\", %s\"%s) : \"\")", a->condition, buf_str(&f), buf_str(&v));
		} else {
			buf_printf(&format, "%s%s", format.len ? ", " : "", buf_str(&f));
			buf_puts(&values, buf_str(&v));
		}
		buf_free(&f);
		buf_free(&v);
	}
	if (str_eq(buf_str(&format), "%s"))
		buf_printf(out, "\targstr = %s", buf_str(&values) + 2); /* without its comma */
	else if (format.len)
		buf_printf(out, "\targstr = sprintf(\"%s\"%s)", buf_str(&format), buf_str(&values));
	else
		buf_puts(out, "\targstr = \"\"");
	buf_printf(out, "%s\n", buf_str(&more));
	buf_free(&format);
	buf_free(&values);
	buf_free(&more);
}

static void write_variables(struct alias *al, struct buf *out)
{
	for (unsigned i = 0; i < al->nargs; i++)
		buf_printf(out, "\t%s = %s(%u)\n", al->arg[i].name, al->arg[i].reading->read, al->arg[i].number);
	for (unsigned i = 0; i < al->nargs; i++) {
		const struct argument *a = &al->arg[i];
		if (!a->decoded)
			continue;
		buf_printf(out, "\t%s = %s\n", a->decoded, a->decode);
		if (str_has_prefix(a->decode, "user_string_quoted"))
			buf_printf(out, "\t%s_unquoted = user_string_nofault(%s)\n", a->decoded, a->name);
		if (str_has_prefix(a->decode, "__sockaddr("))
			buf_printf(out, "\tuaddr_af = __sockaddr_af(%s)\n\tuaddr_ip = __sockaddr_ip(%s)\n\tuaddr_ip_port = __sockaddr_port(%s)\n",
				   a->name, a->name, a->name);
	}
}

/* How return_str() shows the result: 1 a number, 2 an address, 3 octal. */
static int result_format(const char *name)
{
	static const char *const addresses[] = {"mmap", "mremap", "brk", "shmat"};
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		if (str_eq(name, addresses[i]))
			return 2;
	return str_eq(name, "umask") ? 3 : 1;
}

static void write_alias(struct alias *al, const char *root, struct buf *out)
{
	buf_printf(out, "probe %s.%s = __event(\"syscalls:sys_enter_%s\") {\n\tname = \"%s\"\n", root, al->name, al->event, al->name);
	write_variables(al, out);
	if (al->argstr)
		buf_printf(out, "\targstr = %s\n", al->argstr);
	else
		write_argstr(al, out);
	buf_printf(out, "}\nprobe %s.%s.return = __event(\"syscalls:sys_exit_%s\") {\n\tname = \"%s\"\n", root, al->name, al->event, al->name);
	buf_printf(out, "\tretval = returnval()\n\tretstr = return_str(%d, returnval())\n}\n", result_format(al->name));
}

/* --- which ------------------------------------------------------------------------------------------------------------- */

/* The rows of the table by the events of the kernel that they describe. */
static void index_rows(struct strtab *ret)
{
	for (const struct stp_syscall *row = stp_syscall_table; row->name; row++) {
		const char *list = *row->events ? row->events : row->name;
		for (size_t n; *list; list += n + (list[n] == ' ')) {
			n = strcspn(list, " ");
			if (!strtab_getn(ret, list, n))
				strtab_setn(ret, list, n, (void *)(uintptr_t)row);
		}
	}
}

struct writing {
	struct stp_comp *c;
	const char *root, *pattern;
	struct strtab rows; /* by event */
	struct buf text;
};

static void write_event(void *arg, const char *category, const char *name)
{
	struct writing *w = arg;
	if (!str_has_prefix(name, "sys_enter_"))
		return;
	const char *event = name + strlen("sys_enter_");
	const struct stp_syscall *row = strtab_get(&w->rows, event);
	if (!stp_name_matches(w->pattern, row ? row->name : event))
		return;
	event = arena_strdup(w->c->a, event);
	struct alias al = {.c = w->c, .name = row ? row->name : event, .event = event};
	const char *key = arena_printf(w->c->a, "%s.%s", w->root, event);
	if (strtab_get(&w->c->made, key))
		return;
	strtab_set(&w->c->made, key, w);
	if (row) {
		read_row(&al, row);
	} else {
		const struct tp_format *f = tracefs_format(w->c->world, category, name);
		if (f)
			read_format(&al, f);
	}
	write_alias(&al, w->root, &w->text);
}

/* Calls that SystemTap names and 64-bit x86 does not have: they resolve, and never happen. */
static void write_absent(struct writing *w)
{
	static const char *const absent[] = {"bdflush", "fstatfs64", "ftruncate64", "llseek", "nice", "readdir", "recv", "send", "sgetmask",
					     "sigaction", "signal", "sigpending", "sigprocmask", "sigsuspend", "ssetmask", "statfs64", "stime",
					     "uselib", "waitpid"};
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		const char *key = arena_printf(w->c->a, "%s.%s", w->root, absent[i]);
		if (!stp_name_matches(w->pattern, absent[i]) || strpbrk(w->pattern, "*?[") || strtab_get(&w->c->made, key))
			continue;
		strtab_set(&w->c->made, key, w);
		buf_printf(&w->text, "probe %s.%s = never { name = \"%s\" argstr = \"\" }\n", w->root, absent[i], absent[i]);
		buf_printf(&w->text, "probe %s.%s.return = never { name = \"%s\" retstr = \"\" retval = 0 }\n", w->root, absent[i], absent[i]);
	}
}

void stp_make_syscalls(struct stp_comp *c, const char *root, const char *pattern)
{
	static const char *const roots[] = {"syscall", "nd_syscall", "tp_syscall", "dw_syscall"};
	for (size_t i = 0; c->world && i < ARRAY_SIZE(roots); i++) {
		if (!stp_name_matches(root, roots[i]))
			continue;
		struct writing w = {.c = c, .root = roots[i], .pattern = pattern};
		index_rows(&w.rows);
		tracefs_events_of(c->world, "syscalls", write_event, &w);
		write_absent(&w);
		if (w.text.len)
			stp_add_tapset(c, "syscalls.stp", arena_strdup(c->a, buf_str(&w.text)));
		buf_free(&w.text);
		strtab_free(&w.rows);
	}
}

/* --- process.syscall --------------------------------------------------------------------------------------------------- */

static void name_raw(struct stp_expr *e, void *arg)
{
	struct stp_comp *c = arg;
	if (e->kind != SE_TARGET)
		return;
	if (str_eq(e->text, "$syscall")) {
		e->text = "$id";
	} else if (str_eq(e->text, "$return")) {
		e->text = "$ret";
	} else if (str_has_prefix(e->text, "$arg") && e->text[4] >= '1' && e->text[4] <= '6' && !e->text[5] && !e->ncomp) {
		struct stp_expr *index = arena_new(c->a, struct stp_expr);
		*index = (struct stp_expr){.kind = SE_NUM, .loc = e->loc, .num = e->text[4] - '1'};
		e->comp = arena_new(c->a, struct stp_member);
		e->comp[0] = (struct stp_member){.loc = e->loc, .index = index};
		e->ncomp = 1;
		e->text = "$args";
	}
}

void stp_name_raw_syscall(struct stp_comp *c, struct stp_stmt *body)
{
	stp_walk_stmt(body, name_raw, c);
}
